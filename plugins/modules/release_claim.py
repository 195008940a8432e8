#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: release_claim
short_description: Note on a node who releases something there, and how far that came
version_added: 0.1.0
author:
  - duplex.ha_pair contributors (@duplex-ha)
description:
  - Keeps C(/var/lib/ha-pair/release.json) while a rolling release is under way, so that no second one begins on the
    same node, and so that the next run knows what one that was killed has left behind.
  - A run of the same input takes the claim over. The earlier run, if it still lives, is refused at its next step.
options:
  state:
    description:
      - V(read) returns what is noted.
      - V(taken) makes the node that of O(run), unless another release of other input has it.
      - V(kept) notes progress, and fails when another run has taken the node over.
      - V(released) removes the note when it is that of O(run).
    type: str
    choices: [read, taken, kept, released]
    default: read
  run:
    description: A text that no other run has. Required unless O(state=read).
    type: str
  fingerprint:
    description: A text that is the same for the same input. Required for O(state=taken).
    type: str
  by:
    description: Who releases, for people.
    type: str
    default: somebody
  phase:
    description: How far it came.
    type: str
    choices: [staging, activating, proved, failed, sick]
  raised:
    description: Whether the release keeps a virtual address away from its preferred node.
    type: bool
  lease:
    description: For how many seconds nobody else may begin. V(0) when the run ends.
    type: float
    default: 1200
  take_over:
    description: Take the node even while a release of other input has it.
    type: bool
    default: false
attributes:
  check_mode:
    description: Reads, and says what it would do.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: Each call begins the lease anew.
    support: none
  platform:
    description: Linux.
    support: full
    platforms: linux
requirements:
  - Python 2.7 or 3.6 and newer
"""

EXAMPLES = r"""
- name: See whether a release is under way
  duplex.ha_pair.release_claim:
  register: claimed

- name: Begin
  duplex.ha_pair.release_claim:
    state: taken
    run: "{{ release_run }}"
    fingerprint: "{{ plan.fingerprint }}"
    by: someone on control
"""

RETURN = r"""
claim:
  description: What was noted before, empty when nothing was.
  returned: success
  type: dict
  contains:
    run:
      description: Which run.
      type: str
    fingerprint:
      description: Of which input.
      type: str
    by:
      description: Who began it.
      type: str
    phase:
      description: How far it came.
      type: str
    raised:
      description: Whether it keeps a virtual address away from its preferred node.
      type: bool
    since:
      description: When it was taken, in seconds since 1970 by the clock of this host.
      type: float
    until:
      description: Until when nobody else may begin.
      type: float
  sample:
    run: 1795249190-4711
    fingerprint: 0123456789abcdef
    by: someone on control
    phase: activating
    raised: false
    since: 1795249190.21
    until: 1795250390.21
now:
  description: The time by which that counts, by the clock of this host.
  returned: success
  type: float
  sample: 1795249195.5
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._release import claim


def run(given, check_mode, now):
    """What to answer."""
    before = claim.read()
    answer = {"changed": given["state"] != "read", "claim": before, "now": now}
    if given["state"] == "released":
        answer["changed"] = before.get("run") == given["run"]
    if check_mode or given["state"] == "read":
        return answer
    if given["state"] == "taken":
        wanted = {name: given[name] for name in ("run", "fingerprint", "by")}
        answer["claim"] = claim.take(wanted, given["lease"], given["take_over"], now)
    elif given["state"] == "kept":
        claim.keep(given["run"], given["lease"], now, given["phase"], given["raised"])
    else:
        answer["changed"] = claim.release(given["run"])
    return answer


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["read", "taken", "kept", "released"], "default": "read"},
            "run": {"type": "str"},
            "fingerprint": {"type": "str"},
            "by": {"type": "str", "default": "somebody"},
            "phase": {"type": "str", "choices": ["staging", "activating", "proved", "failed", "sick"]},
            "raised": {"type": "bool"},
            "lease": {"type": "float", "default": 1200.0},
            "take_over": {"type": "bool", "default": False},
        },
        required_if=[("state", "taken", ["run", "fingerprint"]), ("state", "kept", ["run"]),
                     ("state", "released", ["run"])],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, module.check_mode, time.time()))
    except NodeError as exc:
        module.fail_json(msg=str(exc))


if __name__ == "__main__":
    main()
