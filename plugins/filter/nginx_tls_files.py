# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the certificates and keys that a node gets."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nginx_tls_files
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The certificates and keys of sites, as files of a node
description:
  - The result holds private keys. Use it in tasks with C(no_log) only.
  - A pair that does not fit is refused; the message says where, and holds nothing of its text.
positional: _input
options:
  _input:
    description: The sites, as in C(nginx_sites) of the role P(duplex.ha_pair.nginx#role).
    type: list
    elements: dict
    required: true
  files:
    description:
      - The text of the files on the controller that C(tls) names, by path. The filter
        P(duplex.ha_pair.nginx_tls_paths#filter) says which those are.
    type: dict
    default: {}
  tls_directory:
    description: Where certificates and keys lie on the node.
    type: str
    default: /etc/nginx/ha-pair/tls
"""

EXAMPLES = r"""
- name: Write certificates and keys
  ansible.builtin.copy:
    content: "{{ item.content }}"
    dest: "{{ item.path }}"
    mode: "{{ item.mode }}"
  loop: "{{ nginx_sites | duplex.ha_pair.nginx_tls_files }}"
  diff: false
  no_log: true
"""

RETURN = r"""
_value:
  description: The files, two for each site with C(tls).
  type: list
  elements: dict
  contains:
    path:
      description: The path on the node, which names the site and changes with the certificate.
      type: str
    mode:
      description: The mode of the file.
      type: str
    content:
      description: PEM text.
      type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nginx.tls import tls_files
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError


def nginx_tls_files(
    sites: t.Any, files: t.Any = None, tls_directory: str = "/etc/nginx/ha-pair/tls"
) -> list[dict[str, t.Any]]:
    """See DOCUMENTATION."""
    try:
        return tls_files(sites, files=files, tls_directory=tls_directory)
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.nginx_tls_files refuses this input:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"nginx_tls_files": nginx_tls_files}
