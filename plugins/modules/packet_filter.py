#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: packet_filter
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Tell whether the packet filter of a node lets VRRP through
description:
  - Follows an advert of the peer, and one to the peer, through the rules of nftables and iptables (both its kinds) that
    the node has now. Nothing is sent and nothing is changed.
  - A rule that asks for something that cannot be foretold, such as a rate, makes the answer uncertain and not wrong.
  - Where neither C(nft) nor C(iptables-save) is installed, no filter is known and nothing is said.
  - Returns what is wrong and fails for none of it. A role that calls it decides.
options:
  instances:
    description: The VRRP instances of the node. Further keys are ignored.
    type: list
    elements: dict
    required: true
  firewalld:
    description: Whether the rules of firewalld count. Before it has been told to accept VRRP they say nothing.
    type: bool
    default: true
attributes:
  check_mode:
    description: Can run in check mode and returns the same.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Ask whether VRRP would pass
  duplex.ha_pair.packet_filter:
    instances:
      - {name: web, interface: eth0, source: 192.0.2.11, peers: [192.0.2.12], multicast: false}
  register: filter

- name: Refuse a filter that would make two owners
  ansible.builtin.assert:
    that: filter.drops | length == 0
    fail_msg: "{{ filter.drops | join('; ') }}"
"""

RETURN = r"""
drops:
  description: What drops adverts for certain, a line for each with the place, what follows from it, and the cure.
  returned: always
  type: list
  elements: str
  sample:
    - >-
      nftables: table inet filter, chain input, policy drop: drops VRRP from the peer 192.0.2.12 on eth0, so both nodes
      would own the VIPs of instance web; `nft insert rule inet filter input iifname eth0 ip saddr 192.0.2.12 meta
      l4proto 112 accept`, and the same in the file that nft reads at boot
doubts:
  description: What may drop adverts, which its rules alone do not tell.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._filter.filters import Filters
from ansible_collections.duplex.ha_pair.plugins.module_utils._filter.judge import Judge
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.system import System, read_text, run_command


def main():
    module = AnsibleModule(
        argument_spec={
            "instances": {"type": "list", "elements": "dict", "required": True},
            "firewalld": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    try:
        judge = Judge(
            Filters(run_command, read_text), System().interfaces(), module.params["firewalld"], run_command
        )
        judge.judge(module.params["instances"])
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, drops=judge.drops, doubts=judge.doubts)


if __name__ == "__main__":
    main()
