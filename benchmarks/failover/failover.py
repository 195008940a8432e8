# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a client is not answered when something breaks: our pair beside a plain one, in the same run.

`make benchmark` runs it. Each fault hits the owner of the VIP while a client on a third host asks every 10 ms; the
figure is the longest time in which it was not answered. Ends with an error when a median is over its limit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "lab"))

from labkit import NODES, Lab, LabError, end_on_sigterm, ignore_interrupts, wait_until  # noqa: E402

PREFERRED = "node-a"
PROFILES = ("fast", "balanced")
MOST_TWO_OWNERS = 0.5
"""Seconds for which two nodes may own the VIP after all of keepalived was killed, in the profile `fast`."""
DROP_IN = "/run/systemd/system/nginx.service.d/zz-no-restart.conf"
NO_RESTART = f"mkdir -p $(dirname {DROP_IN}); printf '[Service]\\nRestart=no\\n' > {DROP_IN}; systemctl daemon-reload"


@dataclass(frozen=True)
class Fault:
    """What is broken and how it is mended.

    `limits` are of the median in seconds, by profile. `watch`: how long the client goes on asking after the fault.
    """

    name: str
    limits: dict[str, float]
    watch: float
    inject: Callable[[Lab, str], object]
    mend: Callable[[Lab, str], object]
    prepare: Callable[[Lab, str], object] | None = None


def start_node(lab: Lab, node: str) -> None:
    """Power on, and wait until it has booted."""
    lab.docker("start", lab.container(node))
    wait_until(f"{node} has booted", lambda: lab.run(node, "systemctl is-system-running", check=False).strip() != "")


def in_shell(command: str) -> Callable[[Lab, str], object]:
    """A step that is a command on the node."""
    return lambda lab, node: lab.run(node, command)


KILLED = {"fast": 0.06, "balanced": 0.06}
SILENT = {"fast": 0.40, "balanced": 0.90}
FAULTS = (
    Fault("service stopped", KILLED, 5, in_shell("systemctl stop nginx"), in_shell("systemctl start nginx")),
    Fault(
        "service killed",
        KILLED,
        6,
        in_shell("systemctl kill --signal=KILL nginx.service"),
        in_shell(f"rm -f {DROP_IN}; systemctl daemon-reload; systemctl reset-failed nginx; systemctl start nginx"),
        in_shell(NO_RESTART),
    ),
    Fault(
        "service hangs",
        {"fast": 0.80, "balanced": 0.80},
        8,
        in_shell("systemctl kill --signal=STOP nginx.service"),
        in_shell("systemctl kill --signal=CONT nginx.service"),
    ),
    Fault(
        "keepalived stopped",
        {"fast": 0.05, "balanced": 0.05},
        3,
        in_shell("systemctl stop keepalived"),
        in_shell("systemctl start keepalived"),
    ),
    Fault(
        "keepalived killed",
        {"fast": 0.05, "balanced": 0.05},
        5,
        in_shell("pkill -KILL -x keepalived || pkill -KILL keepalived"),
        in_shell("systemctl is-active --quiet keepalived || systemctl restart keepalived"),
    ),
    # Without a limit: no client notices; what counts is for how long two nodes own the VIP.
    Fault(
        "keepalived frozen",
        {},
        12,
        in_shell("pkill -STOP keepalived"),
        in_shell("pkill -CONT keepalived; systemctl is-active --quiet keepalived || systemctl restart keepalived"),
    ),
    Fault("node killed", SILENT, 6, lambda lab, node: lab.docker("kill", lab.container(node)), start_node),
    Fault(
        "node frozen",
        SILENT,
        6,
        lambda lab, node: lab.docker("pause", lab.container(node)),
        lambda lab, node: lab.docker("unpause", lab.container(node)),
    ),
    Fault("link down", SILENT, 6, in_shell("ip link set eth0 down"), in_shell("ip link set eth0 up")),
)


def whole(lab: Lab) -> bool:
    """Whether the preferred node alone has the VIP and both services answer."""
    return lab.owners() == [PREFERRED] and all(lab.answers(node) for node in NODES)


def settle(lab: Lab, seconds: float = 6) -> None:
    """Wait until the pair is whole and stays so: longer than preempt delays and late GARPs of either pair."""
    end = time.monotonic() + 120
    since = None
    while since is None or time.monotonic() - since < seconds:
        if time.monotonic() > end:
            raise LabError(f"{lab.name}: not whole again within 120 s (owners: {lab.owners()})")
        since = (since or time.monotonic()) if whole(lab) else None
        time.sleep(0.5)


def measure(lab: Lab, fault: Fault, plain: bool) -> dict[str, t.Any]:
    """Break, watch, mend once. An outage that had not ended when the fault was mended has `ended` False."""
    settle(lab)
    if fault.prepare is not None:
        fault.prepare(lab, PREFERRED)
    with lab.watch_owners() as watch, lab.probe() as probing:
        time.sleep(0.5)
        fault.inject(lab, PREFERRED)
        time.sleep(fault.watch)
    summary = probing.summary
    fault.mend(lab, PREFERRED)
    ended = all(outage["end"] is not None for outage in summary["outages"])
    if not ended and not plain:
        raise LabError(f"{lab.name}: {fault.name}: not answered again within {fault.watch} s")
    return {
        "outage": summary["longest"],
        "lost": summary["lost"],
        "late": summary["late"],
        "ended": ended,
        "two_owners": watch.two_owners(),
        "whole": watch.periods()[-1][0] == 1,
    }


def deploy(lab: Lab, *words: str, inventories: tuple[str, ...] = ()) -> None:
    """Bring a lab up and deploy a pair on it."""
    for playbook in (("lab/create.yml",), words):
        if lab.playbook(*playbook, inventories=inventories, quiet=True) != 0:
            raise LabError(f"{lab.name}: {playbook[0]} failed; run it by hand to see why")


def cell(runs: list[dict[str, t.Any]]) -> str:
    """Median and maximum; of a fault that did not end, for how long that was watched."""
    outages = [run["outage"] for run in runs]
    if not all(run["ended"] for run in runs):
        return f"did not end ({max(outages):.0f} s watched)"
    return f"{statistics.median(outages):.2f} ({max(outages):.2f})"


def table(results: dict[str, dict[str, list[dict[str, t.Any]]]]) -> tuple[list[str], bool]:
    """The results as Markdown, and whether every median keeps its limit."""
    lines = [
        "| fault on the owner | plain pair | " + " | ".join(f"`{profile}` | limit" for profile in PROFILES) + " |",
        "|---" * (2 + 2 * len(PROFILES)) + "|",
    ]
    kept = True
    for fault in FAULTS:
        if fault.name not in results["plain"]:
            continue
        words = [fault.name, cell(results["plain"][fault.name])]
        for profile in PROFILES:
            runs = results[profile][fault.name]
            limit = fault.limits.get(profile)
            good = limit is None or statistics.median(run["outage"] for run in runs) <= limit
            kept = kept and good
            words += [cell(runs), ("none" if limit is None else f"{limit:.2f}") + ("" if good else " EXCEEDED")]
        lines.append(f"| {' | '.join(words)} |")
    return lines, kept


def owners_table(results: dict[str, dict[str, list[dict[str, t.Any]]]]) -> tuple[list[str], bool]:
    """For how long both nodes held the VIP, and whether that ended in time wherever it is ours."""
    lines = [
        "| fault on the owner | plain pair | `" + "` | `".join(PROFILES) + "` |",
        "|---" * (2 + len(PROFILES)) + "|",
    ]
    kept = True
    for fault in FAULTS:
        # A dead or frozen node does not tell when it holds an address; nobody hears it either.
        if fault.name not in results["plain"] or fault.name.startswith("node "):
            continue
        words = []
        for pair, found in results.items():
            runs = found[fault.name]
            longest = max(run["two_owners"] for run in runs)
            median = statistics.median(run["two_owners"] for run in runs)
            ended = all(run["whole"] for run in runs)
            words.append(f"{median:.2f} ({longest:.2f})" if ended else "did not end")
            if pair != "plain":
                kept = kept and ended
                if pair == "fast" and fault.name == "keepalived killed":
                    kept = kept and median <= MOST_TWO_OWNERS
        lines.append(f"| {fault.name} | {' | '.join(words)} |")
    return lines, kept


def main() -> int:
    """Run the benchmark; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--fault", action="append", choices=[fault.name for fault in FAULTS])
    parser.add_argument("--report", type=Path, default=HERE.parents[1] / "build/failover.json")
    parser.add_argument("--keep", action="store_true", help="leave the labs running")
    given = parser.parse_args()
    end_on_sigterm()
    labs = {"plain": Lab("ha-pair-plain", "172.29.81.0/24")}
    labs |= {
        profile: Lab(f"ha-pair-{profile}", f"172.29.{number}.0/24") for number, profile in enumerate(PROFILES, start=82)
    }
    results: dict[str, dict[str, list[dict[str, t.Any]]]] = {pair: {} for pair in labs}
    try:
        print("Deploying all pairs (some minutes)", flush=True)
        deploy(labs["plain"], "benchmarks/failover/plain.yml")
        for profile in PROFILES:
            deploy(labs[profile], "site.yml", inventories=(f"benchmarks/failover/{profile}",))
        for fault in FAULTS:
            if given.fault and fault.name not in given.fault:
                continue
            for run in range(given.runs):
                for pair, lab in labs.items():
                    found = measure(lab, fault, pair == "plain")
                    results[pair].setdefault(fault.name, []).append(found)
                    print(
                        f"{fault.name}, run {run + 1} of {given.runs}, {pair}: {found['outage']:.3f} s"
                        f"{'' if found['ended'] else ' and not ended'} "
                        f"({found['lost']} requests lost, probe at most {found['late'] * 1000:.0f} ms late)",
                        flush=True,
                    )
        lines, kept = table(results)
        kind = labs["plain"].kind()
        print("\n".join(["", "Seconds without an answer, median (maximum):", "", *lines]))
        owners, ended = owners_table(results)
        print("\n".join(["", "Seconds with two owners, median (maximum):", "", *owners]))
        print(f"\n{given.runs} runs on: {kind}")
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(json.dumps({"kind": kind, "results": results}, indent=2) + "\n", encoding="utf-8")
        return 0 if kept and ended else 1
    finally:
        ignore_interrupts()
        if not given.keep:
            for lab in labs.values():
                lab.playbook("lab/destroy.yml", quiet=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as problem:
        sys.exit(f"benchmark: {problem}")
