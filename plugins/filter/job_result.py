# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter job_result: what a playbook leaves when it is done."""

from __future__ import annotations

DOCUMENTATION = r"""
name: job_result
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The result of a playbook, as data and as closing lines
description:
  - Makes of what a playbook of this collection found out the data that it hands on with M(ansible.builtin.set_stats),
    in AWX the artifacts of a job, and the lines that it ends with.
  - The data are at most 100 kB, and neither they nor the lines have control characters.
positional: _input, kind
options:
  _input:
    description: What the playbook found out; which keys, C(plugins/plugin_utils/_job.py) says for each kind.
    type: dict
    required: true
  kind:
    description: Which playbook it is.
    type: str
    required: true
    choices: [status, deploy, drill, switchover, release]
"""

EXAMPLES = r"""
- name: Hand the status of all pairs on
  ansible.builtin.set_stats:
    data:
      ha_pair_status: "{{ ({'status': verdicts | duplex.ha_pair.pair_status(results)}
        | duplex.ha_pair.job_result('status')).artifact }}"
    per_host: false
    aggregate: false
"""

RETURN = r"""
_value:
  description: The result.
  type: dict
  contains:
    artifact:
      description: Data for M(ansible.builtin.set_stats).
      type: dict
    text:
      description: What was done, on which pairs, who owns what, and what failed, as lines for a person.
      type: list
      elements: str
"""

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._job import KINDS, result


def job_result(given: t.Any, kind: str) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    if not isinstance(given, Mapping) or kind not in KINDS:
        raise AnsibleFilterError(
            f"duplex.ha_pair.job_result: expects a dictionary and one of {', '.join(KINDS)}, not "
            f"{type(given).__name__} and {kind!r}"
        )
    try:
        return result(kind, given).to_dict()
    except KeyError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.job_result: {kind}: {exc} is missing") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"job_result": job_result}
