# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to what a keepalived version does not know."""

from __future__ import annotations

DOCUMENTATION = r"""
name: keepalived_words
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Refuse a keepalived configuration that its version would not understand
description:
  - Returns the configuration as it is, when the version knows every word that starts a statement in it. Otherwise
    refuses it and names each of these words with its line. keepalived itself would go on without them, and before 2.0.4
    it has no test that says so.
  - The words are those of the parsers of keepalived 1.3.5, 2.1.5, 2.2.4, 2.2.7, 2.2.8 and 2.3.3. For other versions
    nothing is refused.
positional: _input, version
options:
  _input:
    description: The text of a keepalived.conf.
    type: str
    required: true
  version:
    description: The version that is to read it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show a configuration that keepalived 1.3.5 understands
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.template', 'keepalived.conf.j2') | duplex.ha_pair.keepalived_words('1.3.5') }}"
"""

RETURN = r"""
_value:
  description: The same text.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.known_words import unknown_words


def keepalived_words(text: t.Any, version: str) -> t.Any:
    """See DOCUMENTATION."""
    if not isinstance(text, str):
        raise AnsibleFilterError(
            f"duplex.ha_pair.keepalived_words: expects the text of a configuration, not {type(text).__name__}"
        )
    found = unknown_words(text, version)
    if found:
        places = "\n".join(
            f"line {one.line}: {one.word!r} is no word of keepalived {version}; {one.hint()}" for one in found
        )
        raise AnsibleFilterError(f"duplex.ha_pair.keepalived_words refuses this configuration:\n{places}")
    return text


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"keepalived_words": keepalived_words}
