# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the model of a pair."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pair_model
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The complete model of a VRRP pair
description:
  - Builds the model of the pair that a host belongs to from the variables of the inventory. Templates print this model;
    verification and status compare with it.
  - Of the host itself facts must be gathered. Of its peer nothing but the inventory is needed, so that a run limited to
    one node, or with a dead peer, gives the same result.
  - Input that cannot work is refused with all its problems at once; each names the place, the value and the cure.
positional: _input
options:
  _input:
    description: Variables by host name, as in C(hostvars).
    type: dict
    required: true
  node:
    description: The inventory name of the host whose view is wanted.
    type: str
    required: true
  own:
    description:
      - The C(keepalived_*) variables of the host as a role sees them. They win over those of the inventory, and stand
        in where the peer's inventory says nothing.
    type: dict
  version:
    description:
      - What C(keepalived --version) printed on the host. Without it, the version that the distribution packages is
        taken.
    type: str
"""

EXAMPLES = r"""
- name: Show what this node is to do
  ansible.builtin.debug:
    msg: "{{ hostvars | duplex.ha_pair.pair_model(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: The model. Everything in it is complete; durations are in seconds.
  type: dict
  contains:
    node:
      description: The host whose view this is.
      type: str
    peer:
      description: The other member.
      type: str
    members:
      description: Both members, each with C(name) and the C(address) from which it speaks VRRP.
      type: list
      elements: dict
    capabilities:
      description: C(version) of keepalived, and by feature whether it has it.
      type: dict
    state_directory:
      description: Where track files, FIFO and state file lie on the node.
      type: str
    notify_fifo:
      description: The FIFO into which keepalived writes state changes.
      type: str
    event_program:
      description: What tells changes of state where keepalived cannot write into the FIFO itself, or nothing.
      type: str
    script_user:
      description: The account that runs check scripts.
      type: str
    realtime_priority:
      description: The real-time priority that keepalived asks for, 0 for none.
      type: int
    restart_delay:
      description: How long a crashed keepalived stays down, so that the peer has taken over before it is back.
      type: float
    services:
      description:
        - The tracked services with C(name), C(active_standby), C(tracker), C(state_file), C(failing_tracker),
          C(failing_file) and C(check).
      type: list
      elements: dict
    instances:
      description:
        - The VRRP instances with C(name), C(vrid), C(interface), C(mode), C(preferred), C(priority),
          C(advert_interval), C(master_down_interval), C(preempt_delay), C(source), C(peers), C(vips) and C(services);
          further C(family) (4 or 6), C(vrrp_version), C(multicast), C(sync_group), C(smtp_alert), C(witnesses),
          C(track_interfaces), C(track_processes), C(tracking) (what stands in the instance) and C(options).
      type: list
      elements: dict
    addresses:
      description: All VIPs with C(address), C(prefix) and C(interface), as M(duplex.ha_pair.vip_owner) takes them.
      type: list
      elements: dict
    firewall_sources:
      description: Who may speak VRRP to this node, with C(interface) and C(address).
      type: list
      elements: dict
    programs:
      description: The programs that the inventory names, with C(path) and the C(user) that runs them.
      type: list
      elements: dict
    sync_groups:
      description: Instances that move together, with C(name), C(instances), C(tracking) and C(weighted).
      type: list
      elements: dict
    probes:
      description:
        - What the prober asks, with C(name), C(kind), C(target), C(interval), C(timeout), C(fall), C(rise),
          C(state_file) and C(gate).
      type: list
      elements: dict
    track_files:
      description: The files that keepalived watches, with C(tracker), C(file), C(weight) and C(reverse).
      type: list
      elements: dict
    file_checks:
      description:
        - The scripts that read state files for a keepalived that cannot watch them, with C(name), C(command),
          C(interval), C(timeout), C(fall), C(rise) and C(weight).
      type: list
      elements: dict
    track_processes:
      description: The processes that must run, with C(tracker), C(words), C(full_command), C(quorum) and C(weight).
      type: list
      elements: dict
    router_id:
      description: The name that keepalived gives itself.
      type: str
    global_options:
      description: Raw lines for C(global_defs).
      type: list
      elements: str
    daemon_options:
      description: The C(file) with the options of the daemon, the C(variable) in it and its C(value).
      type: dict
    smtp:
      description: Where mail goes, or nothing.
      type: dict
    hook:
      description: The command of the user with C(command), C(user) and C(timeout), or nothing.
      type: dict
    secrets:
      description: Passwords by instance, for the template of keepalived.conf only.
      type: dict
    description:
      description: What the node itself keeps of all this, for the programs that run there.
      type: dict
    warnings:
      description: What works, but not as one might think.
      type: list
      elements: str
"""

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.build import build_node


def pair_model(
    inventory: t.Any, node: str, own: Mapping[str, t.Any] | None = None, version: str | None = None
) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    if not isinstance(inventory, Mapping):
        raise AnsibleFilterError(
            f"duplex.ha_pair.pair_model: expects variables by host name (hostvars), not {type(inventory).__name__}"
        )
    try:
        return build_node(inventory, node, own, version or None).to_dict()
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.pair_model refuses this input:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"pair_model": pair_model}
