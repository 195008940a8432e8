# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: deploys a pair, drills four faults under a client's eyes, and shows that the pair is whole again."""

from __future__ import annotations

import sys

from labkit import Lab, LabError

FAULTS = ("service_crash", "service_hang", "link_down", "node_power_off")


def step(text: str) -> None:
    """Say what comes next."""
    print(f"\n==> {text}", flush=True)


def run(lab: Lab, *words: str) -> None:
    """Run a playbook as a user would; LabError when it fails."""
    if lab.playbook(*words) != 0:
        raise LabError(f"{words[0]}: failed, see above")


def demo(lab: Lab) -> int:
    """The whole demonstration; the exit code."""
    step("Deploy the pair: ansible-playbook site.yml with the variables of inventories/nginx_pair")
    run(lab, "site.yml")

    step("Status of the pair: playbooks/status.yml")
    run(lab, "playbooks/status.yml")

    step(f"Drill: playbooks/drill.yml breaks the owner of {lab.vip} in four ways ({', '.join(FAULTS)})")
    run(lab, "playbooks/drill.yml", "-e", "drill_confirm=true", "-e", f"drill_faults={','.join(FAULTS)}")

    step("Status of the pair after the drill")
    run(lab, "playbooks/status.yml")
    print(f"\n{lab.kind()}", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(demo(Lab.from_environment()))
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(1)
