# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the files that sites name."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nginx_tls_paths
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The files on the controller that the certificates and keys of sites are in
description:
  - Names the files, so that the lookup P(ansible.builtin.file#lookup) can read them, also those that are in a vault.
  - What is no path, or no file that can be read, is left out; the filter P(duplex.ha_pair.nginx_sites#filter) refuses
    it.
positional: _input
options:
  _input:
    description: The sites, as in C(nginx_sites) of the role P(duplex.ha_pair.nginx#role).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which files the sites need
  ansible.builtin.debug:
    msg: "{{ nginx_sites | duplex.ha_pair.nginx_tls_paths }}"
"""

RETURN = r"""
_value:
  description: Absolute paths on the controller, each once.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nginx.tls import readable_paths


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"nginx_tls_paths": readable_paths}
