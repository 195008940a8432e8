#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: tomcat_survey
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Look at what a node has of Tomcat already
description:
  - Tells in one look what a deployment of Tomcat has to know before it changes anything. Which packages of it there
    are, which Java, how much memory, who listens on a port, which releases of applications lie there and which of them
    ran, and whether Tomcat could write to given directories.
  - Changes nothing. A directory on a file system that does not answer is told after some seconds.
options:
  port:
    description: The port whose listeners to name.
    type: int
  directory:
    description: Where the releases of applications lie.
    type: path
    default: /var/lib/ha-pair/tomcat
  descriptors:
    description: The directory of the descriptors whose names to list.
    type: path
  write_paths:
    description: The directories to which Tomcat has to be able to write.
    type: list
    elements: path
    default: []
  account:
    description: The account that Tomcat runs as.
    type: str
    default: tomcat
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
  duplex.ha_pair.tomcat_survey:
    port: 8080
  register: survey
"""

RETURN = r"""
survey:
  description: What was found.
  returned: success
  type: dict
  contains:
    packages:
      description: The versions of Tomcat's packages, by name.
      type: dict
    tarball_unit:
      description: Whether the unit of a tarball's Tomcat is there, which counts in place of a package's.
      type: bool
    java:
      description: What there is in C(/usr/lib/jvm), each with C(home), C(version) and C(default).
      type: list
      elements: dict
    memory:
      description: The node's memory in MiB, or what its control group leaves it.
      type: int
    listeners:
      description: Who listens on the port, each with C(address), C(port), C(programs) and C(units).
      type: list
      elements: dict
    releases:
      description: By application, the C(releases) that lie there and the C(history) of those that ran.
      type: dict
    descriptors:
      description: The names of the descriptors.
      type: list
      elements: str
    account:
      description: Whether the account exists.
      type: bool
    write_paths:
      description: By path V(missing), V(writable), V(refused), V(file) or V(silent).
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._tomcat import survey


def main():
    module = AnsibleModule(
        argument_spec={
            "port": {"type": "int"},
            "directory": {"type": "path", "default": "/var/lib/ha-pair/tomcat"},
            "descriptors": {"type": "path"},
            "write_paths": {"type": "list", "elements": "path", "default": []},
            "account": {"type": "str", "default": "tomcat"},
            "timeout": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        found = {
            "packages": survey.packages(module.run_command, module.get_bin_path),
            "tarball_unit": survey.tarball_unit(),
            "java": survey.javas(),
            "memory": survey.memory(),
            "listeners": survey.listeners(given["port"]),
            "releases": survey.applications(given["directory"]),
            "descriptors": survey.names(given["descriptors"]),
            "account": survey.account(given["account"]) is not None,
            "write_paths": survey.write_paths(given["write_paths"], given["account"], given["timeout"]),
        }
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, survey=found)


if __name__ == "__main__":
    main()
