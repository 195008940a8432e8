# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the descriptors of a Tomcat's applications."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tomcat_descriptors
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The descriptors of a Tomcat's applications, as files
description:
  - Prints for each application of the model the descriptor by which Tomcat runs its release, for the module
    M(duplex.ha_pair.node_files).
positional: _input
options:
  _input:
    description: The model that the filter P(duplex.ha_pair.tomcat_model#filter) built.
    type: dict
    required: true
  inside:
    description: Further elements of every descriptor, such as a session manager.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Write the descriptors
  duplex.ha_pair.node_files:
    files: "{{ model | duplex.ha_pair.tomcat_descriptors }}"
"""

RETURN = r"""
_value:
  description: Files with C(path), C(content), C(mode), C(group), and C(secret) where a password may be in them.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._tomcat.descriptors import descriptor_files


def tomcat_descriptors(model: t.Any, inside: str = "") -> list[dict[str, t.Any]]:
    """See DOCUMENTATION."""
    return descriptor_files(model, inside)


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"tomcat_descriptors": tomcat_descriptors}
