# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the files on the controller that applications name."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tomcat_wars
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The WARs on the controller that applications name
description:
  - Lists the files that C(war) of C(tomcat_applications) names, each once. Nothing is refused; that is for the filter
    P(duplex.ha_pair.tomcat_model#filter).
positional: _input
options:
  _input:
    description: The applications.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Show which WARs there have to be
  ansible.builtin.debug:
    msg: "{{ tomcat_applications | duplex.ha_pair.tomcat_wars }}"
"""

RETURN = r"""
_value:
  description: Paths.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._tomcat.applications import war_files


def tomcat_wars(applications: t.Any) -> list[str]:
    """See DOCUMENTATION."""
    return war_files(applications)


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"tomcat_wars": tomcat_wars}
