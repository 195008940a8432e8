# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter network_warnings."""

from __future__ import annotations

DOCUMENTATION = r"""
name: network_warnings
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Tell which network service would take a VIP away
description:
  - systemd-networkd takes away addresses that it did not bring itself when it is restarted, NetworkManager when a
    connection is brought up again or reapplied. keepalived puts a VIP back, but clients may notice.
  - This says which interfaces are concerned, and where there is one, the setting that keeps the VIPs where they are.
positional: vips
options:
  _input:
    description: What the module P(duplex.ha_pair.node_survey#module) found, C(survey.network).
    type: list
    elements: dict
    required: true
  vips:
    description: The VIPs of the node, each with C(interface).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Say what will surprise
  ansible.builtin.debug:
    msg: "{{ survey.network | duplex.ha_pair.network_warnings(model.vips) }}"
"""

RETURN = r"""
_value:
  description: A text for each interface, empty when nothing will surprise.
  type: list
  elements: str
"""

import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp import network


def network_warnings(found: Sequence[Mapping[str, t.Any]], vips: Sequence[Mapping[str, t.Any]]) -> list[str]:
    """The warnings for the interfaces on which the VIPs stand."""
    return network.network_warnings(found, {vip["interface"] for vip in vips})


class FilterModule:
    """Ansible asks for this class."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """The filters of this file."""
        return {"network_warnings": network_warnings}
