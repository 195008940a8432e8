# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the addresses of the hosts that pools name."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nginx_upstream_hosts
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: What the inventory says of the addresses of the hosts in pools
description:
  - Reads C(nginx_upstream_address), C(keepalived_address) and C(ansible_host) of the hosts that C(upstream.hosts) of
    sites names, and of no other.
  - What is no name of a host is left out; the filter P(duplex.ha_pair.nginx_sites#filter) refuses it.
positional: _input
options:
  _input:
    description: The sites, as in C(nginx_sites) of the role P(duplex.ha_pair.nginx#role).
    type: list
    elements: dict
    required: true
  hostvars:
    description: The variables of all hosts, by name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show where requests would go
  ansible.builtin.debug:
    msg: "{{ nginx_sites | duplex.ha_pair.nginx_upstream_hosts(hostvars) }}"
"""

RETURN = r"""
_value:
  description: By the name of the host a dictionary with the three variables, nothing for those that are not set.
  type: dict
"""

import typing as t

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nginx.pool import address_variables


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"nginx_upstream_hosts": address_variables}
