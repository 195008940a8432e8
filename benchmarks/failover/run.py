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

from labkit import NODES, Lab, LabError, wait_until  # noqa: E402

PREFERRED = "node-a"
DROP_IN = "/run/systemd/system/nginx.service.d/zz-no-restart.conf"
NO_RESTART = f"mkdir -p $(dirname {DROP_IN}); printf '[Service]\\nRestart=no\\n' > {DROP_IN}; systemctl daemon-reload"


@dataclass(frozen=True)
class Fault:
    """What is broken, how it is mended, and the limit of the median in seconds for the profile `fast`."""

    name: str
    limit: float
    watch: float
    inject: Callable[[Lab, str], object]
    mend: Callable[[Lab, str], object]
    prepare: Callable[[Lab, str], object] | None = None


def start_node(lab: Lab, node: str) -> None:
    """Power on, and wait until it has booted."""
    lab.docker("start", lab.container(node))
    wait_until(f"{node} has booted", lambda: lab.run(node, "systemctl is-system-running", check=False).strip() != "")


FAULTS = (
    Fault(
        "service killed",
        0.10,
        6,
        lambda lab, node: lab.run(node, "systemctl kill --signal=KILL nginx.service"),
        lambda lab, node: lab.run(
            node, f"rm -f {DROP_IN}; systemctl daemon-reload; systemctl reset-failed nginx; systemctl start nginx"
        ),
        lambda lab, node: lab.run(node, NO_RESTART),
    ),
    Fault(
        "keepalived stopped",
        0.05,
        3,
        lambda lab, node: lab.run(node, "systemctl stop keepalived"),
        lambda lab, node: lab.run(node, "systemctl start keepalived"),
    ),
    Fault(
        "node killed",
        0.40,
        6,
        lambda lab, node: lab.docker("kill", lab.container(node)),
        start_node,
    ),
    Fault(
        "link down",
        0.40,
        6,
        lambda lab, node: lab.run(node, "ip link set eth0 down"),
        lambda lab, node: lab.run(node, "ip link set eth0 up"),
    ),
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


def measure(lab: Lab, fault: Fault) -> dict[str, t.Any]:
    """Break, watch, mend once."""
    settle(lab)
    if fault.prepare is not None:
        fault.prepare(lab, PREFERRED)
    with lab.probe() as probing:
        time.sleep(0.5)
        fault.inject(lab, PREFERRED)
        time.sleep(fault.watch)
    fault.mend(lab, PREFERRED)
    summary = probing.summary
    if any(outage["end"] is None for outage in summary["outages"]):
        raise LabError(f"{lab.name}: {fault.name}: not answered again within {fault.watch} s")
    return {"outage": summary["longest"], "lost": summary["lost"], "late": summary["late"]}


def deploy(lab: Lab, *words: str, inventories: tuple[str, ...] = ()) -> None:
    """Bring a lab up and deploy a pair on it."""
    for playbook in (("lab/create.yml",), words):
        if lab.playbook(*playbook, inventories=inventories, quiet=True) != 0:
            raise LabError(f"{lab.name}: {playbook[0]} failed; run it by hand to see why")


def table(results: dict[str, dict[str, list[dict[str, t.Any]]]]) -> tuple[list[str], bool]:
    """The results as Markdown, and whether every median keeps its limit."""
    lines = [
        "| fault on the owner | plain pair, median (max) | this collection, median (max) | ratio | limit |",
        "|---|---|---|---|---|",
    ]
    kept = True
    for fault in FAULTS:
        if fault.name not in results["ours"]:
            continue
        plain, ours = ([run["outage"] for run in results[pair][fault.name]] for pair in ("plain", "ours"))
        median = statistics.median(ours)
        kept = kept and median <= fault.limit
        ratio = median / statistics.median(plain) if statistics.median(plain) else float("nan")
        lines.append(
            f"| {fault.name} | {statistics.median(plain):.2f} ({max(plain):.2f}) | {median:.2f} ({max(ours):.2f}) "
            f"| {ratio:.2f} | {fault.limit:.2f}{'' if median <= fault.limit else ' EXCEEDED'} |"
        )
    return lines, kept


def main() -> int:
    """Run the benchmark; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--fault", action="append", choices=[fault.name for fault in FAULTS])
    parser.add_argument("--report", type=Path, default=HERE.parents[1] / "build/failover.json")
    parser.add_argument("--keep", action="store_true", help="leave both labs running")
    given = parser.parse_args()
    labs = {"plain": Lab("ha-pair-plain", "172.29.81.0/24"), "ours": Lab("ha-pair-bench", "172.29.80.0/24")}
    results: dict[str, dict[str, list[dict[str, t.Any]]]] = {"plain": {}, "ours": {}}
    try:
        print("Deploying both pairs (a minute or two)", flush=True)
        deploy(labs["plain"], "benchmarks/failover/plain.yml")
        deploy(labs["ours"], "site.yml", inventories=("benchmarks/failover/inventory",))
        for fault in FAULTS:
            if given.fault and fault.name not in given.fault:
                continue
            for run in range(given.runs):
                for pair, lab in labs.items():
                    found = measure(lab, fault)
                    results[pair].setdefault(fault.name, []).append(found)
                    print(
                        f"{fault.name}, run {run + 1} of {given.runs}, {pair}: {found['outage']:.3f} s "
                        f"({found['lost']} requests lost, probe at most {found['late'] * 1000:.0f} ms late)",
                        flush=True,
                    )
        lines, kept = table(results)
        kind = labs["ours"].kind()
        print("\n".join(["", *lines, "", f"Seconds without an answer, {given.runs} runs, on: {kind}"]))
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(json.dumps({"kind": kind, "results": results}, indent=2) + "\n", encoding="utf-8")
        return 0 if kept else 1
    finally:
        if not given.keep:
            for lab in labs.values():
                lab.playbook("lab/destroy.yml", quiet=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        sys.exit(1)
