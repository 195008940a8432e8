# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a second run of site.yml takes, beside a plain play with the same files and services, one task for each.

Both run on the same two nodes, in turn, and change nothing. The limit: our speed is at least 0.7 of the plain play's,
so our time is at most the plain play's divided by 0.7.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "lab"))

from labkit import NODES, ROOT, Lab, LabError, end_on_sigterm, ignore_interrupts  # noqa: E402

LEAST_SPEED = 0.7
WHERE = (
    "/etc/keepalived/ha-pair.json /etc/keepalived/keepalived.conf /etc/nginx/conf.d/ha-pair.conf /srv/www/welcome "
    "/etc/systemd/system/ha-pair-track-nginx.service /etc/systemd/system/nginx.service.d "
    "/etc/systemd/system/ha-pair-notify.service /etc/systemd/system/ha-pair-prober.service "
    "/etc/systemd/system/keepalived.service.d /etc/tmpfiles.d/ha-pair.conf /usr/libexec/keepalived /usr/bin/ha-pair"
)


def fetch(lab: Lab, target: Path) -> None:
    """The files that our deployment wrote, by node."""
    for node in NODES:
        (target / node).mkdir()
        packed = subprocess.run(
            ["docker", "exec", lab.container(node), "sh", "-c", f"tar -cf - {WHERE}"], capture_output=True, check=True
        )
        subprocess.run(["tar", "-xf", "-", "-C", str(target / node)], input=packed.stdout, check=True)


def timed(lab: Lab, *words: str) -> tuple[float, str]:
    """Seconds and output of a run that changes nothing; LabError when it fails or changes something."""
    started = time.monotonic()
    done = subprocess.run(
        ["ansible-playbook", "-i", "inventories/nginx_pair", "-i", "lab/inventory", *words],
        cwd=ROOT,
        env=lab.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    recap = done.stdout.partition("PLAY RECAP")[2]
    if done.returncode != 0 or recap.count("changed=0") != len(NODES):
        raise LabError(f"{words[0]}: not a run without changes:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    return seconds, done.stdout


def main() -> int:
    """Run the benchmark; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--report", type=Path, default=HERE.parents[1] / "build/deploy.json")
    given = parser.parse_args()
    end_on_sigterm()
    lab = Lab("ha-pair-deploy", "172.29.90.0/24")
    times: dict[str, list[float]] = {"plain": [], "ours": []}
    try:
        for playbook in ("lab/create.yml", "site.yml"):
            if lab.playbook(playbook, quiet=True) != 0:
                raise LabError(f"{playbook} failed; run it by hand to see why")
        with tempfile.TemporaryDirectory() as files:
            fetch(lab, Path(files))
            words: dict[str, tuple[str, ...]] = {
                "plain": ("benchmarks/deploy/plain.yml", "-e", f"deploy_files={files}"),
                "ours": ("site.yml",),
            }
            for run in range(given.runs):
                for pair, command in words.items():
                    seconds, _output = timed(lab, *command)
                    times[pair].append(seconds)
                    print(f"run {run + 1} of {given.runs}, {pair}: {seconds:.1f} s", flush=True)
        medians = {pair: statistics.median(found) for pair, found in times.items()}
        speed = medians["plain"] / medians["ours"]
        kind = lab.kind()
        print(
            "\n| second run, 0 changed | median (s) | fastest | slowest |\n|---|---|---|---|\n"
            + "\n".join(
                f"| {name} | {medians[pair]:.1f} | {min(times[pair]):.1f} | {max(times[pair]):.1f} |"
                for pair, name in (("plain", "plain play"), ("ours", "`site.yml`"))
            )
            + f"\n\nSpeed: {speed:.2f} of the plain play (limit: {LEAST_SPEED}); {given.runs} runs on: {kind}"
        )
        report: dict[str, t.Any] = {"kind": kind, "seconds": times, "speed": speed}
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        return 0 if speed >= LEAST_SPEED else 1
    finally:
        ignore_interrupts()
        lab.playbook("lab/destroy.yml", quiet=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as problem:
        sys.exit(f"deploy: {problem}")
