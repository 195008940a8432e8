# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter drill_result: what a fault of a drill did to clients and owners."""

from __future__ import annotations

DOCUMENTATION = r"""
name: drill_result
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Judge one fault of a failover drill
description:
  - Puts what the probe, the owner watches and the audits recorded on one axis of time, and judges it by what was
    expected.
positional: recorded
options:
  _input:
    description: The fault, as P(duplex.ha_pair.drill_target#filter) returned it.
    type: dict
    required: true
  recorded:
    description:
      - What was recorded, as it was registered. C(probe) of M(duplex.ha_pair.vip_probe) on the host C(client);
        C(watches) of M(duplex.ha_pair.owner_watch) by member; C(clocks) of M(duplex.ha_pair.clock_offset) by the host
        that measured, and the C(addresses) of the members; C(injected) and C(mended) by the host whose clock they are
        told by; C(verdicts), before, during and after; C(vip), the address that is watched; C(failures), what went
        wrong with the drill itself.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what a fault did
  ansible.builtin.debug:
    msg: "{{ (fault | duplex.ha_pair.drill_result(recorded)).text }}"
"""

RETURN = r"""
_value:
  description: The C(result), as docs/drill_report.md describes one of C(results), and C(text), lines for a person.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.observe import result
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError


def drill_result(entry: t.Any, recorded: t.Any) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    try:
        return result(entry, recorded)
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.drill_result refuses this:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"drill_result": drill_result}
