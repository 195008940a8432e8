# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the status of pairs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pair_status
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The status of pairs as rows and as a table
description:
  - Joins the verdicts over pairs and what M(duplex.ha_pair.vip_owner) reported from their members into one status.
positional: _input
options:
  _input:
    description: Verdicts, as P(duplex.ha_pair.vip_verdict#filter) returns them.
    type: list
    elements: dict
    required: true
  results:
    description: Results of M(duplex.ha_pair.vip_owner) by inventory name of the member, as they were registered.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the status
  ansible.builtin.debug:
    msg: "{{ ([verdict] | duplex.ha_pair.pair_status(results)).text }}"
"""

RETURN = r"""
_value:
  description: The status.
  type: dict
  contains:
    whole:
      description: Whether every verdict is C(verified).
      type: bool
    at:
      description: When the status was put together, in seconds since the epoch.
      type: float
    pairs:
      description: The verdicts.
      type: list
      elements: dict
    rows:
      description:
        - A row per member and instance with C(pair), C(node), C(instance), C(state), C(vips), C(services), C(since),
          C(priority) and C(transitions).
        - Each service is C(up), C(down) or C(failing), which means that it runs and does not answer; one that runs on
          one node only is what its agent says, such as C(active) or C(standby).
      type: list
      elements: dict
    text:
      description:
        - The table, then what agents say of services that run on one node only, then what is wrong, missing or to be
          looked after, as lines for a person.
      type: list
      elements: str
"""

import time
import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import legible_data
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.status import rows, table
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.verdict import VERIFIED


def pair_status(verdicts: t.Any, results: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    if not isinstance(verdicts, Sequence) or isinstance(verdicts, str):
        raise AnsibleFilterError(
            f"duplex.ha_pair.pair_status: expects a list of verdicts, not {type(verdicts).__name__}"
        )
    now = time.time()
    reports = {host: result["vip_owner"] for host, result in results.items() if "vip_owner" in result}
    found = [legible_data(row) for verdict in verdicts for row in rows(verdict, reports)]
    text = table(found, now)
    for verdict in verdicts:
        text += ["", *verdict["text"]]
    return {
        "whole": all(verdict["result"] == VERIFIED for verdict in verdicts),
        "at": now,
        "pairs": list(verdicts),
        "rows": found,
        "text": text,
    }


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"pair_status": pair_status}
