#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: java_survey
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Look at what a node has of services of Java already
description:
  - Tells in one look what a deployment of such services has to know before it changes anything. Which Java there is,
    how much memory, whose the accounts and their numbers are, whether directories can be written to, and which releases
    lie there.
  - Changes nothing. A directory on a file system that does not answer is told after some seconds.
options:
  directory:
    description: Where the releases of services lie.
    type: path
    default: /var/lib/ha-pair/java
  services:
    description: The services.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the service.
        type: str
        required: true
      user:
        description: The account that it runs as.
        type: str
        required: true
      uid:
        description: The number that the account is to have.
        type: int
      paths:
        description: The directories to which it has to be able to write.
        type: list
        elements: path
        default: []
  timeout:
    description: How long a directory may take to answer, in seconds.
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
- name: Look at the node
  duplex.ha_pair.java_survey:
    services:
      - name: fetcher
        user: fetcher
        uid: 991
        paths: [/srv/fetcher]
  register: survey
"""

RETURN = r"""
survey:
  description: What was found.
  returned: success
  type: dict
  contains:
    java:
      description: What there is in C(/usr/lib/jvm), each with C(home), C(version) and C(default).
      type: list
      elements: dict
    memory:
      description: The node's memory in MiB, or what its control group leaves it.
      type: int
    accounts:
      description: The number of each account, null for one that is not there.
      type: dict
    uids:
      description: Whose the numbers are that accounts are to have; those that nobody has are left out.
      type: dict
    paths:
      description: By service and path V(missing), V(writable), V(refused), V(file) or V(silent).
      type: dict
    releases:
      description: By service, the releases that lie there, oldest first.
      type: dict
"""

import os
import pwd

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._tomcat import releases, survey


def owner_of(uid):
    """Whose number it is; None when it is nobody's."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def main():
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/var/lib/ha-pair/java"},
            "services": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "user": {"type": "str", "required": True},
                    "uid": {"type": "int"},
                    "paths": {"type": "list", "elements": "path", "default": []},
                },
            },
            "timeout": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    given = module.params
    found = {"java": survey.javas(), "memory": survey.memory(), "accounts": {}, "uids": {}, "paths": {}, "releases": {}}
    for service in given["services"]:
        name, user, uid = service["name"], service["user"], service["uid"]
        account = survey.account(user)
        found["accounts"][user] = None if account is None else account[0]
        owner = None if uid is None else owner_of(uid)
        if owner is not None:
            found["uids"][str(uid)] = owner
        found["paths"][name] = survey.write_paths(service["paths"], user, given["timeout"])
        found["releases"][name] = releases.present(os.path.join(given["directory"], name))
    module.exit_json(changed=False, survey=found)


if __name__ == "__main__":
    main()
