# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter drill_target: a fault of a drill at its turn."""

from __future__ import annotations

DOCUMENTATION = r"""
name: drill_target
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Say which machine a fault of a drill hits
description:
  - Joins a fault as P(duplex.ha_pair.drill_plan#filter) planned it with who owns the virtual addresses now.
positional: verdict, instance, third
options:
  _input:
    description: One of the C(entries) of P(duplex.ha_pair.drill_plan#filter).
    type: dict
    required: true
  verdict:
    description: The verdict of P(duplex.ha_pair.vip_verdict#filter) before the fault.
    type: dict
    required: true
  instance:
    description: The VRRP instance.
    type: str
    required: true
  third:
    description: The machine outside the pair that takes part.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show whom the first fault would hit now
  ansible.builtin.debug:
    msg: "{{ (plan.entries | first | duplex.ha_pair.drill_target(vip_verification_verdict, 'web')).node }}"
"""

RETURN = r"""
_value:
  description: The entry with C(owner), C(node) that is hit, C(peer), C(role) and the C(expect) that counts for it.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.plan import resolve
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError


def drill_target(entry: t.Any, verdict: t.Any, instance: str, third: str = "") -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    try:
        return resolve(entry, verdict, instance, third)
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.drill_target refuses this:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"drill_target": drill_target}
