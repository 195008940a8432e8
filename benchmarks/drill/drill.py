# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill of all faults on a fresh lab, with an independent check of its figures: `make drill`.

While the drill runs, tcpdump on the observer writes down every answer that comes from the VIP. The longest gap between
two answers is compared with the outage that the drill reports for the same fault: two probe intervals are the most by
which they may differ.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lab"))

from labkit import Lab, LabError, end_on_sigterm, ignore_interrupts  # noqa: E402

CAPTURE = "/run/answers.pcap"
DIFFERENCE = 2
"""Probe intervals by which drill and tcpdump may differ."""


def answers(lab: Lab) -> list[float]:
    """When the observer got an answer through the VIP: packets with data from its port, in seconds since 1970."""
    lab.run("observer", "pkill -INT tcpdump; sleep 1", check=False)
    text = lab.run("observer", f"tcpdump -tt -n -r {CAPTURE} 2>/dev/null")
    return sorted(float(line.split()[0]) for line in text.splitlines() if "length 0" not in line)


def longest_gap(found: list[float], start: float, end: float) -> float:
    """The longest time between two answers of that span, in seconds."""
    inside = [moment for moment in found if start <= moment <= end]
    return max((later - earlier for earlier, later in itertools.pairwise(inside)), default=end - start)


def compare(report: dict[str, t.Any], found: list[float]) -> tuple[list[str], bool]:
    """The figures side by side as Markdown, and whether they agree."""
    interval = float(report["probe_settings"]["interval"])
    lines = ["| fault | drill | tcpdump | agrees |", "|---|---|---|---|"]
    good = True
    for result in report["results"]:
        observed = result["observed"]
        ended = [outage for outage in observed["outages"] if outage["end"] is not None]
        # A thief's fault is asked from another host, and without an outage there is nothing to compare.
        if result["fault"] == "vip_stolen" or not ended:
            continue
        worst = max(ended, key=lambda outage: outage["seconds"])
        # From the last answer before it to the first one after it is one interval more.
        gap = longest_gap(found, worst["start"] - 0.5, worst["end"] + 0.5) - interval
        agrees = abs(gap - worst["seconds"]) <= DIFFERENCE * interval
        good = good and agrees
        lines.append(f"| {result['fault']} | {worst['seconds']:.3f} | {gap:.3f} | {'yes' if agrees else 'NO'} |")
    return lines, good


def deploy(lab: Lab) -> None:
    """A pair on a fresh lab."""
    for playbook in ("lab/create.yml", "site.yml"):
        if lab.playbook(playbook, quiet=True) != 0:
            raise LabError(f"{playbook} failed; run it by hand to see why")


def drill(lab: Lab, directory: str, faults: str) -> int:
    """Run it; its exit code."""
    words = ["playbooks/drill.yml", "-e", "drill_confirm=true", "-e", f"failover_drill_report_directory={directory}"]
    # Connections that are kept open would answer in the gaps.
    words += ["-e", "failover_drill_keepalive=0", "-e", f"drill_faults={faults}"]
    return lab.playbook(*words)


def main() -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", default="", help="all when it is not given")
    parser.add_argument("--keep", action="store_true", help="leave the lab running")
    given = parser.parse_args()
    end_on_sigterm()
    lab = Lab.from_environment()
    try:
        print("Deploying a pair", flush=True)
        deploy(lab)
        capture = f"tcpdump -i eth0 -n -w {CAPTURE} src host {lab.vip} and src port 80"
        watching = subprocess.Popen(
            ["docker", "exec", lab.container("observer"), *capture.split()], stderr=subprocess.DEVNULL
        )
        directory = tempfile.mkdtemp(prefix="ha-pair-drill-")
        code = drill(lab, directory, given.faults)
        found = answers(lab)
        watching.wait(timeout=10)
        (path,) = Path(directory).glob("*.json")
        report = json.loads(path.read_text(encoding="utf-8"))
        lines, good = compare(report, found)
        print("\n".join(["", "Longest outage in seconds, by the drill and by tcpdump on the observer:", "", *lines]))
        print(f"\n{report['seconds'] / 60:.1f} min for {len(report['results'])} faults on: {lab.kind()}")
        kept = ROOT / "build/drill"
        kept.mkdir(parents=True, exist_ok=True)
        for file in Path(directory).iterdir():
            (kept / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
        print(f"report: {kept.relative_to(ROOT)}/{path.stem}.json and .md")
        return 0 if code == 0 and good else 1
    finally:
        ignore_interrupts()
        if not given.keep:
            lab.playbook("lab/destroy.yml", quiet=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as problem:
        sys.exit(f"drill: {problem}")
