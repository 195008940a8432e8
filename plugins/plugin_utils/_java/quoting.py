# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words as systemd reads them in a unit and in a file of variables. Control characters are refused before."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./^~-]+")


def exec_word(word: str) -> str:
    """One word of ExecStart=, which comes to the program as it is."""
    text = word.replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def environment_line(name: str, value: str) -> str:
    """One line of an EnvironmentFile=."""
    text = re.sub(r'(["\\$`])', r"\\\1", value)
    return f'{name}="{text}"'
