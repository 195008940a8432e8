# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that both sites and their upstreams are made of."""

from __future__ import annotations

import re

from .._problems import Reader, shown

# What would end or restructure a directive, or be expanded by nginx: white space, quotes, ; { } $ \ and #.
UNSAFE = re.compile(r"[\s\"';{}$\\#\x00-\x1f\x7f]")


def port(given: object) -> int | None:
    """The port that a number or a string names, or None."""
    text = str(given)
    if isinstance(given, bool) or not re.fullmatch(r"[0-9]{1,5}", text):
        return None
    return int(text) if 1 <= int(text) <= 65535 else None


def flag(reader: Reader, place: str, given: object) -> bool:
    """A boolean, also in the words of a survey or a templated inventory; False after a refusal."""
    word = str(given).lower() if isinstance(given, (bool, str)) else ""
    if word not in ("true", "false", "yes", "no"):
        reader.refuse(place, f"{shown(given)} is not true or false", "give true or false")
    return word in ("true", "yes")


def plain(reader: Reader, place: str, given: object, cure: str) -> str | None:
    """A text that nginx takes for itself wherever it is written; None after a refusal."""
    text = reader.text(place, given, cure)
    if text is not None and UNSAFE.search(text):
        reader.refuse(
            place,
            f"{shown(text)} holds a character that nginx would interpret",
            f"{cure}, without spaces or any of \"';{{}}$\\#",
        )
        return None
    return text
