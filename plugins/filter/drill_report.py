# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the evidence of a failover drill."""

from __future__ import annotations

DOCUMENTATION = r"""
name: drill_report
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The evidence of a failover drill as JSON, Markdown, lines and figures
description:
  - Takes what a drill recorded, judges every fault that is not judged yet, and gives the report in four forms.
  - A fault passes when the outage kept its limit, the VIP went where it was expected, not more than one member owned it
    for longer than is allowed, and the pair was whole before and after. A figure that was not taken is a failure;
    nothing is claimed below the resolution of the probe or the uncertainty of the clocks.
  - It may be called on a drill that still runs, with the results so far.
positional: _input
options:
  _input:
    description:
      - The run. Its fields are those of the report, see C(docs/drill_report.md), without C(seconds), C(passed) and
        C(summary), which are computed. Fields that are not known yet may be left out.
      - A result without C(passed) is judged; C(failures) that it has already, such as the message of a task that
        failed, stand.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the report
  ansible.builtin.copy:
    content: "{{ (run | duplex.ha_pair.drill_report).document | to_nice_json }}"
    dest: /var/tmp/drill.json
    mode: "0644"
  delegate_to: localhost

- name: Show the report
  ansible.builtin.debug:
    msg: "{{ (run | duplex.ha_pair.drill_report).text }}"
  vars:
    run:
      schema: 1
      collection_version: 0.1.0
      pair: {members: [node-a, node-b], instance: web, vips: [192.0.2.10]}
      kind: virtual machines with Debian 12
      observer: observer
      started_at: 1790000000.0
      ended_at: 1790000030.0
      results:
        - fault: service_stop
          role: owner
          node: node-a
          peer: node-b
          expect: {vip: moves, rto_seconds: 0.5}
          observed:
            outage_seconds: 0.03
            requests: 3000
            lost: 3
            resolution: 0.01
            owner_before: node-a
            owner_during: node-b
            owner_after: node-a
            two_seconds: 0.0
            uncertainty: 0.002
          verdicts:
            before: {result: verified, problems: []}
            after: {result: verified, problems: []}
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
  contains:
    document:
      description: What belongs into the JSON file, field by field in C(docs/drill_report.md).
      type: dict
    markdown:
      description: The report as a page in Markdown.
      type: str
    text:
      description: The report as lines for a terminal, of at most 120 columns.
      type: list
      elements: str
    stats:
      description: For M(ansible.builtin.set_stats), at most 100 kB.
      type: dict
      contains:
        check:
          description: V(false). A drill in check mode hands on its plan, with V(true).
          type: bool
        schema:
          description: The version of the document.
          type: int
        result:
          description: C(passed), C(failed), C(aborted) or C(nothing was drilled).
          type: str
        passed:
          description: Whether every fault passed and the drill came to its end.
          type: bool
        aborted:
          description: Why the drill was aborted, or null.
          type: str
        instance:
          description: The instance that was drilled.
          type: str
        members:
          description: The members of the pair.
          type: list
          elements: str
        faults:
          description: Of each fault its name, C(node), whether it C(passed), C(outage_seconds) and C(failures).
          type: list
          elements: dict
        skipped:
          description: Faults that cannot be done here, with the C(reason).
          type: list
          elements: dict
        not_run:
          description: Faults that were not reached, with the C(reason).
          type: list
          elements: dict
        summary:
          description: All faults together, field by field in C(docs/drill_report.md).
          type: dict
        report:
          description: The page in Markdown.
          type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.report import report
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError


def drill_report(run: t.Any) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    try:
        return report(run)
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.drill_report: {exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"drill_report": drill_report}
