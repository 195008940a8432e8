# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter printable: what a program said, for a message."""

from __future__ import annotations

DOCUMENTATION = r"""
name: printable
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: What a program said as one printable line
description:
  - Makes one line of a text, without colours and other control characters, so that a message can hold what a program
    or another machine said. The lines of a list are joined by semicolons.
positional: _input
options:
  _input:
    description: The text, or a list of lines.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Say why
  ansible.builtin.fail:
    msg: "nginx does not start ({{ started.stderr | duplex.ha_pair.printable }})"
"""

RETURN = r"""
_value:
  description: The line.
  type: str
"""

import typing as t

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import printable as one_line


def printable(text: t.Any) -> str:
    """See DOCUMENTATION."""
    return "; ".join(one_line(line) for line in text) if isinstance(text, (list, tuple)) else one_line(text)


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"printable": printable}
