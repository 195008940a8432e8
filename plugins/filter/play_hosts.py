# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter play_hosts: the hosts of a play, when there are any."""

from __future__ import annotations

DOCUMENTATION = r"""
name: play_hosts
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Refuse a pattern of hosts that matches nothing
description:
  - Returns the pattern for C(hosts) of a play, and refuses one that matches no host of the inventory, with the cure.
    Ansible skips such a play and ends with success, although nothing was done.
  - A limit makes no difference to it. Nothing is refused where plays are only listed, or their syntax is checked.
positional: _input, groups
options:
  _input:
    description: Patterns by the variable that has them; an empty one is not given. The first one is returned.
    type: dict
    required: true
  groups:
    description: The variable C(groups).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Ask all nodes of the pairs
  hosts: "{{ {'my_hosts': my_hosts | default('ha_pair', true)} | duplex.ha_pair.play_hosts(groups) }}"
  tasks: []
"""

RETURN = r"""
_value:
  description: The first pattern that was given.
  type: raw
"""

import typing as t
from collections.abc import Mapping

from ansible import context
from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._patterns import first_pattern
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError


def play_hosts(given: t.Any, groups: t.Any) -> t.Any:
    """See DOCUMENTATION."""
    if not isinstance(given, Mapping) or not isinstance(groups, Mapping):
        raise AnsibleFilterError("duplex.ha_pair.play_hosts: expects patterns by variable, and groups")
    # The inventory of whoever only reads the plays need not be the one of the run.
    if any(context.CLIARGS.get(word) for word in ("syntax", "listhosts", "listtasks", "listtags")):
        return next((pattern for pattern in given.values() if pattern), "")
    try:
        return first_pattern(given, groups)
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.play_hosts refuses this:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"play_hosts": play_hosts}
