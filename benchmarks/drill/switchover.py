# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planned switchovers, there and back in turn, under a client that asks every 10 ms: `make switchover`.

Every request is a connection of its own and none is repeated, so a lost one is lost. Prints how many were.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lab"))

from drill import deploy  # noqa: E402
from labkit import NODES, Lab, LabError, end_on_sigterm, ignore_interrupts  # noqa: E402


def switch(lab: Lab, target: str) -> tuple[int, int, float]:
    """(requests, lost, longest outage in seconds) of one switchover by the playbook."""
    with lab.probe() as probing, lab.watch_owners() as watch:
        if lab.playbook("playbooks/switchover.yml", "-e", f"switchover_target={target}", quiet=True) != 0:
            raise LabError(f"switchover to {target}: failed; run it by hand to see why")
    if lab.owners() != [target]:
        raise LabError(f"switchover to {target}: the VIP is on {lab.owners()}")
    print(f"  to {target}: {probing.summary['lost']} of {probing.summary['requests']} lost, both had it for "
          f"{watch.two_owners() * 1000:.1f} ms", flush=True)  # fmt: skip
    return probing.summary["requests"], probing.summary["lost"], probing.summary["longest"]


def main() -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args()
    end_on_sigterm()
    lab = Lab.from_environment()
    try:
        print("Deploying a pair", flush=True)
        deploy(lab)
        found = [switch(lab, NODES[1 - run % 2]) for run in range(given.runs)]
    finally:
        ignore_interrupts()
        lab.playbook("lab/destroy.yml", quiet=True)
    requests, lost = sum(one[0] for one in found), sum(one[1] for one in found)
    longest = max(one[2] for one in found)
    print(f"\n{given.runs} switchovers: {lost} of {requests} requests lost, longest outage {longest:.3f} s")
    print(f"on: {lab.kind()}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as problem:
        sys.exit(f"switchover: {problem}")
