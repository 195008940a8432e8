# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the verdict over a pair."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vip_verdict
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Who owns the VIPs of a pair, by all views together
description:
  - Joins what M(duplex.ha_pair.vip_owner) reported from several hosts into one verdict.
  - The result is C(verified) when exactly one node owns each VIP in every view, all views name the same node, and both
    members can take over; C(degraded, one owner) when there is one owner but a member is missing or cannot take over;
    C(failed) otherwise.
positional: _input
options:
  _input:
    description:
      - Results of the module by inventory name of the host, as they were registered. A host whose result holds no
        report (unreachable, skipped, outside the play) counts as missing, with the reason if there is one.
    type: dict
    required: true
  pair:
    description: The pair, with C(members) and C(instances), as P(duplex.ha_pair.pair_inventory#filter) returns it.
    type: dict
    required: true
  observers:
    description: Hosts outside the pair whose reports count.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Show who owns the VIPs
  ansible.builtin.debug:
    msg: "{{ reports | duplex.ha_pair.vip_verdict(pair, observers=['observer']) }}"
  vars:
    pair: {members: [node-a, node-b], instances: {web: [192.0.2.10]}}
    reports:
      node-a: "{{ hostvars['node-a'].owner }}"
      node-b: "{{ hostvars['node-b'].owner }}"
      observer: "{{ hostvars['observer'].owner }}"
"""

RETURN = r"""
_value:
  description: The verdict.
  type: dict
  contains:
    members:
      description: The members of the pair.
      type: list
      elements: str
    result:
      description: C(verified), C(degraded, one owner) or C(failed).
      type: str
    observed:
      description: Whether a host outside the pair was a witness.
      type: bool
    vips:
      description: By VIP its C(owner), C(result), C(problems), and each view's answer in C(views).
      type: list
      elements: dict
    problems:
      description: What is wrong.
      type: list
      elements: str
    degraded:
      description: Who is missing or cannot take over.
      type: list
      elements: str
    warnings:
      description:
        - What does not change the result, such as a prober that does not run, so that a service that hangs would not be
          noticed, or a gateway that does not answer.
      type: list
      elements: str
    agents:
      description: What the agents of the members say of services that run on one node only.
      type: list
      elements: str
    text:
      description: All of this as lines for a person.
      type: list
      elements: str
"""

import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import legible_data
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.verdict import judge


def vip_verdict(
    results: t.Any,
    pair: Mapping[str, t.Any],
    observers: Sequence[str] = (),
) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    if not isinstance(results, Mapping):
        raise AnsibleFilterError(
            f"duplex.ha_pair.vip_verdict: expects results by host name, not {type(results).__name__}"
        )
    reports: dict[str, Mapping[str, t.Any]] = {}
    missing: dict[str, str] = {}
    for host, result in results.items():
        if isinstance(result, Mapping) and "vip_owner" in result:
            reports[str(host)] = result["vip_owner"]
        else:
            missing[str(host)] = _reason(result)
    try:
        # What nodes and observers say is other programs' words.
        return t.cast("dict[str, t.Any]", legible_data(judge(pair, reports, observers, missing).to_dict()))
    except (KeyError, TypeError) as exc:
        raise AnsibleFilterError(
            f"duplex.ha_pair.vip_verdict: a report or the pair lacks {exc}; give results of duplex.ha_pair.vip_owner"
        ) from exc


def _reason(result: object) -> str:
    """Why there is no report, in one line."""
    if isinstance(result, Mapping) and result.get("unreachable"):
        return "is unreachable"
    if isinstance(result, Mapping) and result.get("msg"):
        return f"could not be asked: {' '.join(str(result['msg']).split())}"
    return "was not asked"


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"vip_verdict": vip_verdict}
