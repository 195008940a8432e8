# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter drill_plan: what a failover drill will do."""

from __future__ import annotations

DOCUMENTATION = r"""
name: drill_plan
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Plan a failover drill
description:
  - Reads which faults a drill is to provoke, gives each its expectation from the settings of the instance, and leaves
    out what cannot be done, with the reason. A fault that was named and cannot be done is refused.
positional: faults, instance, facilities, checks
options:
  _input:
    description: The pair as P(duplex.ha_pair.pair_inventory#filter) describes it.
    type: dict
    required: true
  faults:
    description:
      - Names of faults, or dictionaries with C(fault) and options of it. All faults when it is empty.
    type: raw
  instance:
    description: The VRRP instance to drill. The only one of the pair when it is empty.
    type: str
    default: ""
  facilities:
    description:
      - What the drill has at hand. C(check), the path of the check script; C(third), a machine outside the pair;
        C(power), commands by name (C(off), C(on), C(freeze), C(thaw)); C(reboot); C(disk_path); C(rto_seconds), a limit
        for every fault; C(restore_after), seconds.
    type: dict
    required: true
  checks:
    description:
      - By host what M(duplex.ha_pair.drill_fault) said of each fault with C(state=checked), as a loop registered it.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show what a drill of two faults expects
  ansible.builtin.debug:
    msg: "{{ pair | duplex.ha_pair.drill_plan(['service_stop', 'link_down'], 'web', facilities) }}"
  vars:
    facilities:
      check: ''
      third: ''
      power: {}
      reboot: false
      disk_path: /var/log/nginx
      rto_seconds: ''
      restore_after: 120
    pair: "{{ (hostvars | duplex.ha_pair.pair_inventory(['node-a'])).pairs | first }}"
"""

RETURN = r"""
_value:
  description:
    - C(instance), its C(settings) and C(vips); C(entries), the faults with their expectations; C(skipped), what is left
      out and why; C(estimate), the seconds it takes; C(text), all that for a person.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.plan import build
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError


def drill_plan(pair: t.Any, faults: t.Any, instance: str, facilities: t.Any, checks: t.Any = None) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    try:
        return build(pair, faults, str(instance or ""), facilities, checks)
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.drill_plan refuses this:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"drill_plan": drill_plan}
