#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which scripts keepalived or SELinux would not let run."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: script_security
short_description: Tell which scripts keepalived or SELinux would not let run
version_added: 0.1.0
author:
  - duplex.ha_pair contributors (@duplex-ha)
description:
  - keepalived drops a script that it takes to be insecure or that it cannot execute, says so in its log only, and runs
    the VRRP instance without it. This module looks at the scripts before keepalived does.
  - Looks at the file, at every directory above it and at symbolic links among them, at the account that is to run it,
    and at SELinux.
  - Returns what is wrong and fails for none of it. A role that calls it decides.
options:
  paths:
    description: Absolute paths of the programs to look at, without arguments.
    type: list
    elements: path
    required: true
  user:
    description:
      - The account that runs them. Its primary group counts and no other, because keepalived sets no other.
      - An account that is not there yet is judged as one that owns nothing.
    type: str
    default: keepalived_script
  enforcing:
    description: Whether SELinux is enforcing. Read from the kernel when not given.
    type: bool
attributes:
  check_mode:
    description: Can run in check mode and returns the same.
    support: full
  diff_mode:
    description: Has nothing to show, since it changes nothing.
    support: none
  idempotent:
    description: Changes nothing, however often it runs.
    support: full
  platform:
    description: Linux.
    support: full
    platforms: linux
requirements:
  - Python 2.7 or 3.6 and newer
"""

EXAMPLES = r"""
- name: Look at the user's health check
  duplex.ha_pair.script_security:
    paths:
      - /usr/libexec/keepalived/check-queue
    user: keepalived_script
  register: scripts

- name: Refuse what keepalived would drop
  ansible.builtin.assert:
    that: scripts.problems | length == 0
    fail_msg: "{{ scripts.problems | join('; ') }}"
"""

RETURN = r"""
problems:
  description: What is wrong, a line for each with the path, the reason and the cure. Empty when all of them would run.
  returned: always
  type: list
  elements: str
  sample:
    - >-
      /srv/checks/queue: /srv/checks can be changed by others than root (mode 0777), so it is not safe to run what lies
      in it; chown root:root /srv/checks && chmod go-w /srv/checks
enforcing:
  description: Whether SELinux is enforcing.
  returned: always
  type: bool
  sample: false
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.scripts import Files, problems_of


def main():
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "path", "required": True},
            "user": {"type": "str", "default": "keepalived_script"},
            "enforcing": {"type": "bool"},
        },
        supports_check_mode=True,
    )
    files = Files()
    enforcing = module.params["enforcing"]
    if enforcing is None:
        enforcing = files.is_enforcing()
    found = []
    for path in module.params["paths"]:
        found.extend(problems_of(path, module.params["user"], enforcing, files))
    module.exit_json(changed=False, problems=found, enforcing=enforcing)


if __name__ == "__main__":
    main()
