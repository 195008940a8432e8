#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: sync_survey
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Look at what a node has before its directories are mirrored
description:
  - Tells in one look which accounts there are, what lies in the directories and whether they were ever mirrored, which
    programs are installed, which public keys the node has, and whether its sshd would let in the other node's.
  - Changes nothing, and returns no private key.
options:
  directories:
    description: The directories, each with its name and its path.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name.
        type: str
        required: true
      path:
        description: The absolute path.
        type: str
        required: true
  peer_address:
    description: The address of the other node.
    type: str
    required: true
  address:
    description: The address of this node by which the other one reaches it; empty to leave out what sshd listens on.
    type: str
    default: ""
  port:
    description: The TCP port of sshd.
    type: int
    default: 22
  key:
    description: The private key of the node, beside which the public one lies.
    type: path
    default: /etc/ha-pair/sync/id_ed25519
  known_hosts:
    description: The file by which the node knows the other one.
    type: path
    default: /etc/ha-pair/sync/known_hosts
  program:
    description: The program that the other node's key may start.
    type: str
    default: ha-pair-sync-receive
  accounts:
    description: Whether to list the accounts, which are asked of a directory service as well where there is one.
    type: bool
    default: true
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Look at the node
  duplex.ha_pair.sync_survey:
    directories:
      - {name: data, path: /srv/data}
    peer_address: 192.0.2.12
  register: survey
"""

RETURN = r"""
survey:
  description: What was found.
  returned: always
  type: dict
  contains:
    users:
      description: The numbers of the users by name.
      type: dict
    groups:
      description: The numbers of the groups by name.
      type: dict
    directories:
      description:
        - By name C(kind) (C(absent), C(directory) or C(other)), C(real) (the path without links), C(empty), C(marker)
          (whether it was ever mirrored) and C(open_parent) (a directory above to which others than root may write).
      type: dict
    programs:
      description: By name whether a program is installed.
      type: dict
    public_key:
      description: The public key of the node, empty when it has none yet.
      type: str
    host_keys:
      description: The public keys by which its sshd is known.
      type: list
      elements: str
    authorized_keys:
      description: Where its sshd looks for the keys of root.
      type: str
    authorized:
      description: The lines there that let the other node's key start O(program).
      type: list
      elements: str
    known_hosts:
      description: The lines by which the node knows the other one.
      type: list
      elements: str
    now:
      description: The time by the clock of the node.
      type: float
    sshd_asked:
      description: Whether its sshd told its configuration.
      type: bool
    sshd_problems:
      description: Why it would not let in the other node's key, each with C(what) and C(cure).
      type: list
      elements: dict
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._sync import survey


def main():
    module = AnsibleModule(
        argument_spec={
            "directories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "path": {"type": "str", "required": True},
                },
            },
            "peer_address": {"type": "str", "required": True},
            "address": {"type": "str", "default": ""},
            "port": {"type": "int", "default": 22},
            # A place, and no secret.
            "key": {"type": "path", "default": "/etc/ha-pair/sync/id_ed25519", "no_log": False},
            "known_hosts": {"type": "path", "default": "/etc/ha-pair/sync/known_hosts"},
            "program": {"type": "str", "default": "ha-pair-sync-receive"},
            "accounts": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    users, groups = survey.accounts() if given["accounts"] else ({}, {})
    options = survey.ask_sshd(given["peer_address"])
    seen_by = (given["port"], given["peer_address"], given["address"], survey.root_groups())
    problems = survey.sshd_problems(options, *seen_by) if options is not None else []
    authorized_keys = survey.keys_path(options or {}) or survey.DEFAULT_KEYS
    module.exit_json(
        changed=False,
        survey={
            "users": users,
            "groups": groups,
            "directories": {
                entry["name"]: survey.look_at(entry["path"], entry["name"]) for entry in given["directories"]
            },
            "programs": survey.programs(),
            "public_key": "".join(survey.public_keys(given["key"] + ".pub")[:1]),
            "host_keys": survey.public_keys(survey.HOST_KEYS),
            "authorized_keys": authorized_keys,
            "authorized": survey.lines_of(authorized_keys, given["program"]),
            "known_hosts": survey.lines_of(given["known_hosts"]),
            "now": round(time.time(), 3),
            "sshd_asked": options is not None,
            "sshd_problems": [{"what": what, "cure": cure} for what, cure in problems],
        },
    )


if __name__ == "__main__":
    main()
