# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to what a node's report says against the rounds of its directories."""

from __future__ import annotations

DOCUMENTATION = r"""
name: file_sync_problems
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: What is wrong with the mirrored directories of a node
description:
  - Reads what C(ha-pair-sync) reports of the last round of each directory, and what the other node answers. One of the
    two has to be the source.
options:
  _input:
    description: The text of C(/run/keepalived/ha-pair/sync.json), empty when there is none.
    type: str
    required: true
  node:
    description: The name of the node.
    type: str
    required: true
  model:
    description: The model of the node, by P(duplex.ha_pair.file_sync_model#filter).
    type: dict
    required: true
  since:
    description: When the node began to be verified, by its own clock; rounds before that prove nothing.
    type: float
    default: 0.0
  answer:
    description: What C(ha-pair-sync --ask) prints of the other node; empty when that was not asked.
    type: str
    default: ""
  deployed:
    description: Whether the other node is deployed as well. Rounds to one that is not, and is away, do not count.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ report.content | b64decode | duplex.ha_pair.file_sync_problems(node=inventory_hostname, model=model) }}"
"""

RETURN = r"""
_value:
  description: Each problem with its place and what can be done; empty when all is well.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._sync.report import problems_of


def file_sync_problems(
    text: t.Any, node: str, model: t.Any, since: t.Any = 0.0, answer: t.Any = "", deployed: t.Any = True
) -> list[str]:
    """See DOCUMENTATION."""
    try:
        return problems_of(str(text), node, model, since=float(since), answer=str(answer), deployed=bool(deployed))
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise AnsibleFilterError(
            f"duplex.ha_pair.file_sync_problems: the report of {node} is not ours ({exc})"
        ) from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"file_sync_problems": file_sync_problems}
