# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the model of a witness of active/standby services."""

from __future__ import annotations

DOCUMENTATION = r"""
name: active_witness_model
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The complete model of a witness of services that run on one node of a pair only
description:
  - Builds what the role P(duplex.ha_pair.active_witness#role) writes and verifies.
  - Input that cannot work is refused with all its problems at once; each names the place, the value and the cure. The
    secret is checked, and is neither in the model nor in a refusal.
positional: _input
options:
  _input:
    description: The address of this host on which it listens.
    type: str
    required: true
  node:
    description: The name of this host.
    type: str
    required: true
  secret:
    description: The secret that it shares with the nodes of the pairs.
    type: str
    required: true
  port:
    description: The TCP port.
    type: int
    default: 7412
  lease:
    description: For how many seconds it lends a service at most.
    type: float
    default: 60
  clients:
    description: Addresses and networks that may use the port.
    type: list
    elements: str
    default: []
  facts:
    description:
      - The facts of the host. Given those, a system that is not supported is refused, and an address that the host does
        not have.
    type: dict
  written:
    description:
      - The text of the settings that the host has, empty when it has none. A witness waits after its start for what was
        lent by them.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show who may use the port
  ansible.builtin.debug:
    msg: >-
      {{ ('192.0.2.31' | duplex.ha_pair.active_witness_model(node='witness', secret=vault_witness_secret,
          clients=['192.0.2.11', '192.0.2.12'])).sources }}
"""

RETURN = r"""
_value:
  description: The model. Everything in it is complete.
  type: dict
  contains:
    node:
      description: The name of this host.
      type: str
    address:
      description: The address on which it listens.
      type: str
    port:
      description: The TCP port.
      type: int
    lease:
      description: For how many seconds it lends a service at most.
      type: float
    quiet:
      description: For how many seconds after its start it lends nothing.
      type: float
    sources:
      description: Who may use the port.
      type: list
      elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._witness.model import build_witness


def active_witness_model(
    address: t.Any,
    node: str,
    secret: t.Any,
    port: t.Any = 7412,
    lease: t.Any = 60,
    clients: t.Any = (),
    facts: t.Any = None,
    written: str = "",
) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    try:
        return build_witness(
            address, node=node, secret=secret, port=port, lease=lease, clients=clients, facts=facts, written=written
        ).to_dict()
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.active_witness_model refuses this input:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"active_witness_model": active_witness_model}
