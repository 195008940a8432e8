# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter playbook_answers: what a playbook was told, in the types that it means."""

from __future__ import annotations

DOCUMENTATION = r"""
name: playbook_answers
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Read what a playbook was told by extra variables or a survey
description:
  - Gives each variable of a playbook its type. Values of C(-e name=value) and answers of a survey of AWX are strings,
    and an optional answer that nobody gave is an empty one, which counts as not given.
  - Refuses what is of no use, with all problems at once.
positional: _input
options:
  _input:
    description: The variables of the playbook by name, V(none) for one that is not given.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Say for how long
  ansible.builtin.debug:
    msg: "{{ ({'switchover_return_after': '600'} | duplex.ha_pair.playbook_answers).switchover_return_after }}"
"""

RETURN = r"""
_value:
  description: The variables in their types, by name; one that was not given has its default.
  type: dict
"""

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._answers import known_answer, read_answers
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError


def playbook_answers(given: t.Any) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    if not isinstance(given, Mapping):
        raise AnsibleFilterError(
            f"duplex.ha_pair.playbook_answers: expects variables by name, not {type(given).__name__}"
        )
    for name in given:
        if hint := known_answer(str(name)):
            raise AnsibleFilterError(f"duplex.ha_pair.playbook_answers: no playbook reads {name}; {hint}")
    try:
        return read_answers(given)
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.playbook_answers refuses this:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"playbook_answers": playbook_answers}
