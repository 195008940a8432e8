# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which words of a configuration a keepalived version does not know.

keepalived itself logs an unknown word and goes on without it, and the versions whose `-t` says so are not all. The
lists in keywords/ are what the parser of each upstream tag installs; a word in the wrong block is not found here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .capabilities import parse_version

DATA_BLOCKS = frozenset(
    (
        "group",
        "interface_up_down_delays",
        "interfaces",
        "linkbeat_interfaces",
        "notification_email",
        "static_ipaddress",
        "static_routes",
        "static_rules",
        "track_bfd",
        "track_file",
        "track_interface",
        "track_process",
        "track_script",
        "unicast_peer",
        "virtual_ipaddress",
        "virtual_ipaddress_excluded",
        "virtual_routes",
        "virtual_rules",
        "virtual_server_group",
    )
)
"""Blocks that hold names and addresses. At the top level a block `track_file NAME` holds words."""

_FILES = Path(__file__).parent / "keywords"
_QUOTED = re.compile(r'"[^"]*"')
_COMMENT = re.compile(r"[#!].*")
_PART = re.compile(r"[{}]|[^\s{}]+")


@dataclass(frozen=True)
class UnknownWord:
    """A word at the start of a statement, the number of its line (from 1), and the versions that know it."""

    line: int
    word: str
    known_to: tuple[str, ...]

    def hint(self) -> str:
        """Which versions know it."""
        return f"known to {', '.join(self.known_to)}" if self.known_to else "known to no version that is supported"


def listed_versions() -> list[str]:
    """The versions that have a list, the oldest first."""
    return sorted((path.stem for path in _FILES.glob("*.txt")), key=parse_version)


@functools.cache
def known_words(version: str) -> frozenset[str] | None:
    """What a version knows, None for a version without a list."""
    path = _FILES / f"{version}.txt"
    if version not in listed_versions():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def unknown_words(text: str, version: str) -> list[UnknownWord]:
    """What a configuration says that a version does not know, each place; nothing for a version without a list."""
    known = known_words(version)
    if known is None:
        return []
    return [
        UnknownWord(number, word, tuple(one for one in listed_versions() if word in (known_words(one) or ())))
        for number, word in _statements(text)
        if word not in known
    ]


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """(line, first word) of every statement that is no data."""
    blocks: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        first = ""
        for part in _PART.findall(_COMMENT.sub("", _QUOTED.sub('""', line))):
            if part == "{":
                blocks.append(first)
                first = ""
            elif part == "}":
                first = ""
                del blocks[-1:]
            elif not first:
                first = part
                if not any(_holds_data(block, depth) for depth, block in enumerate(blocks)):
                    yield number, part


def _holds_data(block: str, depth: int) -> bool:
    return block in DATA_BLOCKS and not (block == "track_file" and depth == 0)
