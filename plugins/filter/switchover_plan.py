# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter switchover_plan: what a planned switchover does, or why it must not."""

from __future__ import annotations

DOCUMENTATION = r"""
name: switchover_plan
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Plan a switchover of a pair
description:
  - Says which node is to be raised and lowered, so that the target owns the virtual addresses, and how they come back.
  - Refuses a pair that is not whole, an unknown instance and an unknown node, with the place, the value and the cure.
positional: pair, instance, target, return_after
options:
  _input:
    description: The verdict over the pair, as P(duplex.ha_pair.vip_verdict#filter) returned it just now.
    type: dict
    required: true
  pair:
    description: The pair as P(duplex.ha_pair.pair_inventory#filter) describes it.
    type: dict
    required: true
  instance:
    description: The instance to move, with all of its sync group. All instances of the pair when it is empty.
    type: str
    default: ""
  target:
    description: The node that is to own it. The one that does not, when it is empty.
    type: str
    default: ""
  return_after:
    description: Seconds after which it goes back by itself; V(0) for never.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Show what a switchover would do
  ansible.builtin.debug:
    msg: "{{ (vip_verification_verdict | duplex.ha_pair.switchover_plan(pair)).text }}"
  vars:
    pair: "{{ (hostvars | duplex.ha_pair.pair_inventory(['node-a'])).pairs | first }}"
"""

RETURN = r"""
_value:
  description:
    - C(target) and C(other) node, the C(instances) that move, their C(owners) before, whether anything C(moves), the
      C(steps) as arguments of M(duplex.ha_pair.vip_raise) with the C(node) that they are for, the C(preempt_delay) of a
      preferred target, C(back_after), and C(text).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.switchover import plan
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError


def switchover_plan(
    verdict: t.Any, pair: t.Any, instance: str = "", target: str = "", return_after: object = 0
) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    try:
        return plan(pair, verdict, str(instance or ""), str(target or ""), return_after).to_dict()
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.switchover_plan refuses this:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"switchover_plan": switchover_plan}
