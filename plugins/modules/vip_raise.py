#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: vip_raise
short_description: Raise the priority of a node, so that it takes the virtual addresses over
version_added: 0.1.0
author:
  - duplex.ha_pair contributors (@duplex-ha)
description:
  - A planned switchover raises the node that is to own the virtual addresses instead of lowering the one that does. The
    raised node takes them over while the other one still has them, and nobody waits.
  - The raise lasts until it is lowered, or until the node reboots. Nothing on disk changes.
  - Playbook C(switchover.yml) does it with all checks and proofs around it.
options:
  instances:
    description:
      - Names of the VRRP instances. All instances of the node when not given.
      - Instances of one sync group are raised together.
    type: list
    elements: str
  state:
    description: Whether the priority is to be raised or not.
    type: str
    choices: [raised, lowered]
    default: raised
  after:
    description: Do it after so many seconds, by a timer of systemd's. V(0) does it now.
    type: float
    default: 0
  lower_after:
    description:
      - Lower it again so many seconds after it was raised. V(0) leaves it raised.
      - Where keepalived only looks at the file every few seconds (version 1.3), it stays raised for at least ten.
    type: float
    default: 0
attributes:
  check_mode:
    description: Can run in check mode and tells whether it would change something.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: A second run changes nothing, unless O(after) is given, which sets the timer anew.
    support: partial
  platform:
    description: Nodes of a pair that the keepalived role has deployed.
    support: full
    platforms: linux
seealso:
  - module: duplex.ha_pair.vip_owner
requirements:
  - Python 2.7 or 3.6 and newer
  - systemd
"""

EXAMPLES = r"""
- name: Have this node take over
  duplex.ha_pair.vip_raise:
    instances: [web]

- name: Give it back in ten minutes, whether or not anybody is there
  duplex.ha_pair.vip_raise:
    instances: [web]
    lower_after: 600

- name: Give it back now
  duplex.ha_pair.vip_raise:
    state: lowered
"""

RETURN = r"""
raise_files:
  description: The files that keepalived watches, by the instance or sync group that they raise.
  returned: success
  type: dict
  sample: {web: /run/keepalived/ha-pair/raise/web}
injected_at:
  description: When the priority was raised, in seconds since 1970 by the clock of this host.
  returned: when O(state=raised)
  type: float
mended_at:
  description: When the priority was lowered.
  returned: when O(state=lowered)
  type: float
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import raising
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.system import System


def main():
    module = AnsibleModule(
        argument_spec={
            "instances": {"type": "list", "elements": "str"},
            "state": {"type": "str", "choices": ["raised", "lowered"], "default": "raised"},
            "after": {"type": "float", "default": 0.0},
            "lower_after": {"type": "float", "default": 0.0},
        },
        supports_check_mode=True,
    )
    given = module.params
    for option in ("after", "lower_after"):
        if given[option] < 0:
            module.fail_json(msg="%s: %g is negative; give seconds, or 0" % (option, given[option]))
    system = System()
    try:
        description = system.description()
        files = raising.raise_files(description, given["instances"])
        changed = raising.apply(
            system,
            module.run_command,
            files,
            given["state"] == "raised",
            given["after"],
            raising.long_enough(description, given["lower_after"]),
            module.check_mode,
        )
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    moment = "injected_at" if given["state"] == "raised" else "mended_at"
    module.exit_json(changed=changed, raise_files=files, **{moment: time.time()})


if __name__ == "__main__":
    main()
