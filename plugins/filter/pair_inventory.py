# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to all pairs of an inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pair_inventory
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: All VRRP pairs of an inventory, checked without asking a host
description:
  - Finds the pairs that the inventory describes (hosts with C(keepalived_instances)), checks them and looks for clashes
    between them. Needs no facts and no connection, so it can refuse bad input before any host is touched.
positional: _input
options:
  _input:
    description: Variables by host name, as in C(hostvars).
    type: dict
    required: true
  hosts:
    description: Only pairs with one of these members are wanted. Clashes are looked for in all.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Refuse an impossible inventory
  ansible.builtin.debug:
    msg: "{{ hostvars | duplex.ha_pair.pair_inventory(ansible_play_hosts_all) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The pairs and what is odd about them.
  type: dict
  contains:
    pairs:
      description:
        - Pairs with C(members) (two names), C(instances) (VIPs of both families by instance name), C(vips)
          (dictionaries with C(address) and C(instance), as M(duplex.ha_pair.vip_owner) takes them) and C(settings).
      type: list
      elements: dict
      contains:
        settings:
          description: How each instance moves, by instance name. Durations in seconds.
          type: dict
          contains:
            mode:
              description: Whether it goes back to the preferred node (V(preferred)) or stays (V(sticky)).
              type: str
            preferred:
              description: The node that owns it when both are well, V(null) where nobody is preferred.
              type: str
            sync_group:
              description: The group that it moves with, V(null) without one.
              type: str
            services:
              description: The services without which a node cannot own it.
              type: list
              elements: str
            active_standby:
              description: Those of its services that run on the owner only.
              type: list
              elements: str
            advert_interval:
              description: How often the owner announces itself.
              type: float
            master_down_interval:
              description: After which silence of the owner the slower of the two has taken over.
              type: float
            preempt_delay:
              description: How long the preferred node waits before it takes the VIPs back.
              type: float
            noticed_after:
              description:
                - After which time keepalived notices a changed state file, at the most. V(0) where it watches them, and
                  where nothing is known of the members.
              type: float
            takeover_delay:
              description: How long after its decision a new owner has the VIPs; likewise.
              type: float
            mounts:
              description: After which time it is noticed, at the most, that storage hangs, by the path of its mount.
              type: dict
    warnings:
      description: What works, but not as one might think.
      type: list
      elements: str
"""

import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.inventory import build_inventory


def pair_inventory(inventory: t.Any, hosts: Sequence[str] | None = None) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    if not isinstance(inventory, Mapping):
        raise AnsibleFilterError(
            f"duplex.ha_pair.pair_inventory: expects variables by host name (hostvars), not {type(inventory).__name__}"
        )
    try:
        pairs, warnings = build_inventory(inventory, hosts)
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.pair_inventory refuses this inventory:\n{exc}") from exc
    return {"pairs": [pair.to_dict() for pair in pairs], "warnings": warnings}


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"pair_inventory": pair_inventory}
