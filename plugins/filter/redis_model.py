# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the model of one Redis of a pair."""

from __future__ import annotations

DOCUMENTATION = r"""
name: redis_model
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The complete model of one Redis of a pair
description:
  - Builds what the role P(duplex.ha_pair.redis#role) prints and verifies, from C(redis_role) and the variables beside
    it.
  - Input that cannot work is refused with all its problems at once; each names the place, the value and the cure. The
    password is checked, and is neither in the model nor in a refusal.
positional: _input
options:
  _input:
    description: The role of this node, V(primary), V(replica) or V(follow).
    type: str
    required: true
  members:
    description: The addresses of the two nodes by name.
    type: dict
    required: true
  node:
    description: The name of this node.
    type: str
    required: true
  password:
    description: The password of both.
    type: str
    required: true
  port:
    description: The TCP port.
    type: int
    default: 6379
  clients:
    description: Addresses and networks that may use the port, beside the other node.
    type: list
    elements: str
    default: []
  vrrp_instance:
    description: The VRRP instance whose VIP is followed.
    type: str
    default: ""
  vrrp_instances:
    description: The names of the VRRP instances of this node, where they are known.
    type: list
    elements: str
  peer_role:
    description: The role of the other node, where it is known.
    type: str
  append_only:
    description: How often changes are forced to disk, V(everysec), V(always) or V(none).
    type: str
    default: everysec
  maxmemory:
    description: The most memory that data may take; empty for no limit.
    type: str
    default: ""
  min_replicas_to_write:
    description: How many replicas must follow for writes to be taken.
    type: int
    default: 0
  facts:
    description: The facts of the node. Given those, a system that is not supported is refused.
    type: dict
"""

EXAMPLES = r"""
- name: Show who may use the port
  ansible.builtin.debug:
    msg: >-
      {{ ('primary' | duplex.ha_pair.redis_model(node='node-a', password=vault_redis_password,
          members={'node-a': '192.0.2.11', 'node-b': '192.0.2.12'})).sources }}
"""

RETURN = r"""
_value:
  description: The model. Everything in it is complete.
  type: dict
  contains:
    role:
      description: V(primary), V(replica) or V(follow).
      type: str
    node:
      description: The name of this node; C(address) is its address.
      type: str
    peer:
      description: The name of the other node; C(peer_address) is its address.
      type: str
    port:
      description: The TCP port.
      type: int
    bind:
      description: The addresses on which it listens.
      type: list
      elements: str
    replica_of:
      description: >-
        Whose replica it is when it starts, address and port; nothing for a primary, and with V(follow) a place where
        nobody is.
      type: list
      elements: raw
    first:
      description: Whether this node is named first.
      type: bool
    instance:
      description: The VRRP instance whose VIP is followed; empty for none.
      type: str
    sources:
      description: Who may use the port.
      type: list
      elements: str
    append_only:
      description: How often changes are forced to disk.
      type: str
    maxmemory:
      description: The most memory that data may take; empty for no limit.
      type: str
    min_replicas_to_write:
      description: How many replicas must follow for writes to be taken.
      type: int
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._redis.model import build_redis


def redis_model(
    role: t.Any,
    members: t.Any,
    node: str,
    password: t.Any,
    port: t.Any = 6379,
    clients: t.Any = (),
    vrrp_instance: t.Any = "",
    vrrp_instances: t.Any = None,
    peer_role: t.Any = None,
    append_only: t.Any = "everysec",
    maxmemory: t.Any = "",
    min_replicas_to_write: t.Any = 0,
    facts: t.Any = None,
) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    try:
        return build_redis(
            role,
            members,
            node=node,
            password=password,
            port=port,
            clients=clients,
            instance=vrrp_instance,
            # Older versions of ansible-core make text of nothing.
            instances=vrrp_instances or None,
            peer_role=peer_role,
            append_only=append_only,
            maxmemory=maxmemory,
            min_replicas_to_write=min_replicas_to_write,
            facts=facts,
        ).to_dict()
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.redis_model refuses this input:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"redis_model": redis_model}
