#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: node_survey
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Look at what a node has already
description:
  - Tells in one look what a deployment has to know before it changes anything. Which keepalived there is and whose its
    configuration is, in which state units are, which programs listen, whether SELinux enforces, and which service
    believes that the addresses of an interface are its own.
  - Changes nothing. Texts of files are not returned.
options:
  units:
    description: The systemd units to ask for, with their suffix.
    type: list
    elements: str
    default: []
  interfaces:
    description: The interfaces whose manager to look for. All but the loopback when not given.
    type: list
    elements: str
  tracked:
    description: Tracked services for which to read what they are declared to be.
    type: list
    elements: str
    default: []
  files:
    description: Files for which to tell whether they are ours, by the marker.
    type: list
    elements: path
    default: []
  configuration:
    description: The configuration of keepalived.
    type: path
    default: /etc/keepalived/keepalived.conf
  marker:
    description: The word by which a configuration of this collection is known.
    type: str
    default: duplex.ha_pair
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
  duplex.ha_pair.node_survey:
    units: [nginx.service, keepalived.service]
  register: survey
"""

RETURN = r"""
survey:
  description: What was found.
  returned: always
  type: dict
  contains:
    keepalived:
      description:
        - C(version) as text or null when it is not installed, C(configuration) (C(absent), C(ours), C(sample), which is
          the package's own and unchanged, or C(foreign)), C(secret) (whether that file holds a password).
      type: dict
    units:
      description:
        - By name, each with C(load), C(active), C(sub), C(enabled), C(result) and C(triggers), the units that it
          starts.
      type: dict
    systemd:
      description: The version of systemd as a number, such as V(252); null when it does not say.
      type: int
    tracked:
      description: C(up) or C(down) by the name of the service.
      type: dict
    files:
      description: C(absent), C(ours), C(foreign) or C(directory) by path.
      type: dict
    listeners:
      description: Listening TCP sockets, each with C(address), C(port) and C(programs).
      type: list
      elements: dict
    selinux:
      description: C(enforcing), C(permissive) or C(disabled).
      type: str
    network:
      description:
        - Interfaces whose addresses a service believes to be its own, each with C(interface), C(manager), C(file) and
          C(keeps) (whether it leaves a VIP where it is when it starts again).
      type: list
      elements: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._node import survey
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.system import System, read_text


def main():
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "str", "default": []},
            "interfaces": {"type": "list", "elements": "str"},
            "tracked": {"type": "list", "elements": "str", "default": []},
            "files": {"type": "list", "elements": "path", "default": []},
            "configuration": {"type": "path", "default": "/etc/keepalived/keepalived.conf"},
            "marker": {"type": "str", "default": survey.MARKER},
        },
        supports_check_mode=True,
    )
    given = module.params
    text = read_text(given["configuration"])
    verified = None
    if text is not None and given["marker"] not in text and module.get_bin_path("rpm"):
        verified = module.run_command(["rpm", "--verify", "--file", given["configuration"]])[:2]
    units = {}
    if given["units"]:
        asked = ["systemctl", "show", "--no-pager", "-p", ",".join(survey.UNIT_PROPERTIES)] + given["units"]
        try:
            units = survey.parse_units(module.run_command(asked)[1], given["units"])
        except NodeError as exc:
            module.fail_json(msg=str(exc))
    interfaces = given["interfaces"]
    if interfaces is None:
        interfaces = sorted(set(os.listdir("/sys/class/net")) - {"lo"})
    whose = survey.configuration(text, given["marker"], verified)
    module.exit_json(
        changed=False,
        survey={
            "keepalived": {
                "version": System().keepalived_version(),
                "configuration": whose,
                "secret": survey.holds_secret(text),
            },
            "systemd": System().systemd_version(),
            "units": units,
            "tracked": {name: survey.declared(name) for name in given["tracked"]},
            "files": {path: survey.whose(path, given["marker"]) for path in given["files"]},
            "listeners": survey.listeners(),
            "selinux": survey.selinux(),
            "network": survey.network_managers(interfaces),
        },
    )


if __name__ == "__main__":
    main()
