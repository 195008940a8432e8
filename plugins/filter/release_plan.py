# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter release_plan: what a rolling release does, or why it must not."""

from __future__ import annotations

DOCUMENTATION = r"""
name: release_plan
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Plan a rolling release
description:
  - Says in which order nodes get a release, when the virtual addresses move, and what is proved before the next step.
  - Where the addresses of a pair follow the service, the standby comes first. Where they do not, the nodes are asked by
    balancers, and one comes after the other.
  - Reads everything from what is so now, so that the plan after a run that was killed is to go on where it ended.
  - Refuses a pair that is not whole, a node that is raised already, a release that is under way, different releases on
    the nodes, and downloads without a checksum, with the place, the value and the cure.
positional: settings, pair, verdict, reports, staged
options:
  _input:
    description: By inventory name, in the order of the release, what M(duplex.ha_pair.release_claim) read there.
    type: dict
    required: true
  settings:
    description:
      - C(role), C(service), C(health_url), C(label), C(rollback), C(take_over), C(artifacts) by node, C(consecutive),
        C(interval), C(timeout), C(settle), C(drain) and C(quiet).
    type: dict
    required: true
  pair:
    description: The pair as P(duplex.ha_pair.pair_inventory#filter) describes it, for members of one.
    type: dict
  verdict:
    description: The verdict over the pair, as P(duplex.ha_pair.vip_verdict#filter) returned it just now.
    type: dict
  reports:
    description: By inventory name, what M(duplex.ha_pair.vip_owner) said for that verdict.
    type: dict
  staged:
    description: By inventory name, what the released role left of its staging, C(due) and C(release).
    type: dict
"""

EXAMPLES = r"""
- name: Show what a release would do
  ansible.builtin.debug:
    msg: "{{ (claims | duplex.ha_pair.release_plan(settings, pair, vip_verification_verdict)).text }}"
  vars:
    claims: {node-a: {claim: {}, now: 0.0}, node-b: {claim: {}, now: 0.0}}
    settings: {role: tomcat, service: tomcat, health_url: "http://127.0.0.1:8080/ha-pair/health"}
    pair: "{{ (hostvars | duplex.ha_pair.pair_inventory(['node-a'])).pairs | first }}"
"""

RETURN = r"""
_value:
  description:
    - C(mode), V(vip) or V(pool); the C(nodes); the C(instances) and C(vips) that follow the service; nodes on which
      nothing is due (C(done)); the C(steps) with C(kind) (V(activate), V(prove), V(move), V(home)), C(node), C(other),
      C(instance), C(wait) and C(delay); whether an earlier run is continued (C(resumed)); the C(fingerprint) of the
      input; C(summary) and C(text).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._release.plan import plan


def release_plan(
    claims: t.Any,
    settings: t.Any,
    pair: t.Any = None,
    verdict: t.Any = None,
    reports: t.Any = None,
    staged: t.Any = None,
) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    said, due = reports or {}, staged or {}
    nodes = {str(name): node(read, said.get(name), due.get(name)) for name, read in claims.items()}
    try:
        return plan(nodes, settings, pair or None, verdict or None).to_dict()
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.release_plan refuses this:\n{exc}") from exc


def node(read: t.Any, report: t.Any, staged: t.Any) -> dict[str, t.Any]:
    """What is known of a node, out of what its tasks registered."""
    claim = dict(read["claim"])
    if claim:
        claim["left"] = float(claim["until"]) - float(read["now"])
    raised = ((report or {}).get("vip_owner") or {}).get("raised") or []
    return {"claim": claim, "staged": staged or {}, "raised": raised}


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"release_plan": release_plan}
