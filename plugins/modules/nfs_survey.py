#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: nfs_survey
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Look at the NFS mounts of a node without hanging
description:
  - Tells of each mount whether its server accepts connections, what is mounted at its path now, whether that answers,
    and what a mount would hide.
  - Never waits for a dead server. What is mounted is read from the kernel's list; a file system is asked by a process
    of its own that is left behind when it does not come back.
  - Changes nothing.
options:
  mounts:
    description: The mounts to look at.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The path where it is, or is to be, mounted.
        type: str
        required: true
      server:
        description: The address or the name of its server.
        type: str
        required: true
      port:
        description: The TCP port of its server.
        type: int
        default: 2049
  timeout:
    description: For how long to wait for a server, and for a mount, in seconds.
    type: float
    default: 5
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
- name: Look at a mount
  duplex.ha_pair.nfs_survey:
    mounts:
      - path: /srv/data
        server: 192.0.2.20
  register: survey
"""

RETURN = r"""
client:
  description: Whether the program is there that mounts NFS.
  returned: always
  type: bool
mounts:
  description: What was found, in the order that was asked.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The path.
      type: str
    mounted:
      description: Whether something is mounted there.
      type: bool
    source:
      description: What is mounted there, V(null) for nothing.
      type: str
    fstype:
      description: The kind of file system, V(null) for none.
      type: str
    options:
      description: The options it was mounted with, by the kernel.
      type: list
      elements: str
    problem:
      description: Why the mount does not answer, V(null) when it does, or was not asked.
      type: str
    server_problem:
      description: Why its server does not accept a connection, V(null) when it does.
      type: str
    hides:
      description: The first names of what a mount would hide.
      type: list
      elements: str
    unseen:
      description: Why that could not be looked at, V(null) when it could.
      type: str
    in_fstab:
      description: Whether C(/etc/fstab) has a line for the path.
      type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._nfs.survey import look


def main():
    module = AnsibleModule(
        argument_spec={
            "mounts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "str", "required": True},
                    "server": {"type": "str", "required": True},
                    "port": {"type": "int", "default": 2049},
                },
            },
            "timeout": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    module.exit_json(
        changed=False,
        client=module.get_bin_path("mount.nfs", opt_dirs=["/sbin", "/usr/sbin"]) is not None,
        mounts=look(module.params["mounts"], module.params["timeout"]),
    )


if __name__ == "__main__":
    main()
