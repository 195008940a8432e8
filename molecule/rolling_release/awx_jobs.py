# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release and the way back by jobs of AWX, on the lab of the scenario; it ends with what ran before."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

from awx_cases import connect, green, launch
from cases import Cases, expect
from labkit import NODES, ROOT, Lab, wait_until

LAB = Lab.from_environment()
SOURCES = ("inventories/nginx_tomcat", "lab/inventory", "molecule/rolling_release/inventory")
# What stands in the inventory is released; a WAR is where the pod can read it.
STANDS_THERE = {"lab_release": "2", "lab_wars": str(ROOT / ".cache/war")}
PROOF = {"release_proof_url": "http://127.0.0.1:8080/", "release_proof_text": "version 2 on"}

CASES = Cases()


def settle() -> None:
    """Wait until one node owns the VIP."""
    wait_until("one node owns the VIP", lambda: len(LAB.owners()) == 1, timeout=60)


@CASES.add
def a_release_and_the_way_back() -> None:
    """The plan releases nothing, the release proves both nodes, the rollback puts back what ran before."""
    with connect(LAB, *SOURCES, **STANDS_THERE) as awx:
        found = green(launch(awx, "Release plan", PROOF), "ha_pair_release")
        expect(found["check"] is True and not found["released"], f"the plan released something: {found}")
        found = green(launch(awx, "Release", PROOF), "ha_pair_release")
        expect(sorted(found["released"]) == sorted(NODES) and found["verified"] is True, f"not released: {found}")
        found = green(launch(awx, "Rollback"), "ha_pair_release")
        expect(found["rollback"] is True and found["verified"] is True, f"not put back: {found}")


if __name__ == "__main__":
    sys.exit(CASES.run(settle))
