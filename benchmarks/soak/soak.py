# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a busy machine makes a pair believe that something is dead, when nothing is.

Four pairs at once on this machine: profiles `fast` and `balanced`, each with and without real-time priority. For ten
minutes four loops per core do nothing but work. Every change of state, and every request that is not answered, is
counted; ends with an error when a pair with real-time priority changed state.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import typing as t
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "lab"))

from labkit import NODES, Lab, LabError, end_on_sigterm, ignore_interrupts, wait_until  # noqa: E402

LOOPS_PER_CORE = 4
PREFERRED = "node-a"


def variants() -> dict[str, tuple[Lab, tuple[str, ...]]]:
    """The pairs: their labs, and what is added to the command that deploys them."""
    found: dict[str, tuple[Lab, tuple[str, ...]]] = {}
    number = 85
    for profile in ("fast", "balanced"):
        for realtime in (50, 0):
            name = f"{profile}, {'SCHED_RR 50' if realtime else 'no real-time priority'}"
            lab = Lab(f"ha-pair-soak-{profile}-{realtime}", f"172.29.{number}.0/24")
            found[name] = (lab, ("-e", f"keepalived_realtime_priority={realtime}"))
            number += 1
    return found


def transitions(lab: Lab) -> dict[str, int]:
    """How often the instance of each node has changed its state. Raises LabError where nobody knows."""
    found = {}
    for node in NODES:
        state = lab.state(node)
        if state.get("daemon", {}).get("state") != "running" or "web" not in state["instances"]:
            raise LabError(f"{lab.name}: {node}: its state file does not tell of a running instance")
        found[node] = int(state["instances"]["web"]["transitions"])
    return found


def difference(before: dict[str, int], after: dict[str, int]) -> int:
    """Changes of state in between. Raises LabError when a record was lost."""
    if any(after[node] < before[node] for node in NODES):
        raise LabError(f"a state file began anew: {before} before, {after} after")
    return sum(after[node] - before[node] for node in NODES)


def scheduler(lab: Lab) -> str:
    """The scheduling class that keepalived really got."""
    text = lab.run(PREFERRED, "chrt -p $(cat /run/vrrp.pid /run/keepalived_vrrp.pid 2>/dev/null | head -n 1)")
    return "SCHED_RR" if "SCHED_RR" in text else "SCHED_OTHER"


def main() -> int:
    """Run the soak; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--report", type=Path, default=HERE.parents[1] / "build/soak.json")
    given = parser.parse_args()
    end_on_sigterm()
    pairs = variants()
    cores = os.cpu_count() or 1
    results: dict[str, dict[str, t.Any]] = {}
    loops: list[subprocess.Popen[bytes]] = []
    try:
        print("Deploying four pairs (some minutes)", flush=True)
        for name, (lab, words) in pairs.items():
            for command in (("lab/create.yml",), ("site.yml", *words)):
                overlay = f"benchmarks/failover/{name.partition(',')[0]}"
                if lab.playbook(*command, inventories=(overlay,), quiet=True) != 0:
                    raise LabError(f"{lab.name}: {command[0]} failed; run it by hand to see why")
        for lab, _words in pairs.values():
            wait_until(f"{lab.name} is whole", lambda lab=lab: lab.owners() == [PREFERRED])  # type: ignore[misc]
        time.sleep(10)
        before = {name: transitions(lab) for name, (lab, _words) in pairs.items()}
        with ExitStack() as stack:
            probes = {
                name: stack.enter_context(lab.probe(interval=0.1, duration=given.minutes * 60 + 120))
                for name, (lab, _words) in pairs.items()
            }
            print(f"{LOOPS_PER_CORE * cores} busy loops on {cores} cores for {given.minutes:g} minutes", flush=True)
            loops = [
                subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(LOOPS_PER_CORE * cores)
            ]
            time.sleep(given.minutes * 60)
            after = {name: transitions(lab) for name, (lab, _words) in pairs.items()}
            for loop in loops:
                loop.kill()
        for name, (lab, _words) in pairs.items():
            summary = probes[name].summary
            results[name] = {
                "transitions": difference(before[name], after[name]),
                "scheduler": scheduler(lab),
                "requests": summary["requests"],
                "lost": summary["lost"],
                "longest_outage": summary["longest"],
            }
        kind = next(iter(pairs.values()))[0].kind()
        print(
            "\n| pair | got | spurious transitions | requests | lost | longest outage (s) |\n|---|---|---|---|---|---|"
        )
        for name, found in results.items():
            print(
                f"| {name} | {found['scheduler']} | {found['transitions']} | {found['requests']} | {found['lost']} "
                f"| {found['longest_outage']:.2f} |"
            )
        print(f"\n{given.minutes:g} minutes, {LOOPS_PER_CORE} busy loops per core, {cores} cores, on: {kind}")
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(json.dumps({"kind": kind, "results": results}, indent=2) + "\n", encoding="utf-8")
        if not all(found["scheduler"] == "SCHED_RR" for name, found in results.items() if "SCHED_RR" in name):
            print("This machine refused real-time priority: no pair above had any, whatever its name says.")
        return 0 if all(found["transitions"] == 0 for name, found in results.items() if "SCHED_RR" in name) else 1
    finally:
        ignore_interrupts()
        for loop in loops:
            loop.kill()
        for lab, _words in pairs.values():
            lab.playbook("lab/destroy.yml", quiet=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as problem:
        sys.exit(f"soak: {problem}")
