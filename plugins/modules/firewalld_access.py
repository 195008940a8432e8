#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: firewalld_access
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Let in through firewalld what a pair needs
description:
  - Accepts VRRP from given addresses, and TCP ports from everybody or from given addresses, in the zone that firewalld
    puts them into.
  - What is missing is added both for good and at once. What is there already is left alone, also what is there besides.
  - firewalld must run. It is asked by C(firewall-cmd), so that any Python of the node will do.
options:
  zone:
    description:
      - The zone to write into, which must be there, or C(auto).
      - C(auto) takes for VRRP the zone that has the sender among its sources, else the zone of the interface, else the
        default zone. For ports it takes the zones of all interfaces, without those that accept everything anyway.
    type: str
    default: auto
  vrrp_sources:
    description: The addresses that may send VRRP.
    type: list
    elements: dict
    default: []
    suboptions:
      interface:
        description: By which interface their adverts come.
        type: str
        required: true
      address:
        description: The address, IPv4 or IPv6.
        type: str
        required: true
  ports:
    description: The TCP ports that anybody may use.
    type: list
    elements: int
    default: []
  port_sources:
    description: The TCP ports that only some may use.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: The port.
        type: int
        required: true
      source:
        description: The address or network that may use it, IPv4 or IPv6.
        type: str
        required: true
  interfaces:
    description: The interfaces for whose zones O(ports) and O(port_sources) are opened. All but the loopback and parts
      of bonds and bridges when not given.
    type: list
    elements: str
  zone_name:
    description: What to call O(zone) when it is refused, such as the variable that holds it.
    type: str
    default: zone
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows what is added.
    support: full
  idempotent:
    description: Changes nothing when all is there.
    support: full
"""

EXAMPLES = r"""
- name: Accept VRRP from the peer
  duplex.ha_pair.firewalld_access:
    vrrp_sources:
      - {interface: eth0, address: 192.0.2.12}

- name: Accept a port from the peer only
  duplex.ha_pair.firewalld_access:
    port_sources:
      - {port: 4000, source: 192.0.2.12}

- name: Accept requests in one zone
  duplex.ha_pair.firewalld_access:
    zone: public
    ports: [80, 443]
"""

RETURN = r"""
zones:
  description: The zones that were looked at.
  returned: success
  type: list
  elements: str
  sample: [public]
added:
  description: The commands that added what was missing; in check mode those that would.
  returned: success
  type: list
  elements: str
  sample:
    - firewall-cmd --permanent --zone=public --add-port=80/tcp
    - firewall-cmd --zone=public --add-port=80/tcp
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._filter.firewalld import Firewalld, own_interfaces
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError


def main():
    module = AnsibleModule(
        argument_spec={
            "zone": {"type": "str", "default": "auto"},
            "vrrp_sources": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "interface": {"type": "str", "required": True},
                    "address": {"type": "str", "required": True},
                },
            },
            "ports": {"type": "list", "elements": "int", "default": []},
            "port_sources": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "port": {"type": "int", "required": True},
                    "source": {"type": "str", "required": True},
                },
            },
            "interfaces": {"type": "list", "elements": "str"},
            "zone_name": {"type": "str", "default": "zone"},
        },
        supports_check_mode=True,
    )
    # firewall-cmd answers in the language of the caller.
    module.run_command_environ_update = {"LC_ALL": "C"}
    given = module.params
    interfaces = own_interfaces() if given["interfaces"] is None else given["interfaces"]
    try:
        firewalld = Firewalld(module.run_command)
        firewalld.refuse_unknown(given["zone"], given["zone_name"])
        access = firewalld.vrrp(given["vrrp_sources"], given["zone"])
        access += firewalld.ports(given["ports"], interfaces, given["zone"])
        access += firewalld.port_sources(given["port_sources"], interfaces, given["zone"])
        commands = [command for entry in access for command in entry.commands()]
        for command in [] if module.check_mode else commands:
            firewalld.command(command)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    added = [" ".join(command) for command in commands]
    module.exit_json(
        changed=bool(commands),
        zones=sorted({entry.zone for entry in access}),
        added=added,
        diff={"before": "", "after": "".join("%s\n" % line for line in added)},
    )


if __name__ == "__main__":
    main()
