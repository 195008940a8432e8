# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository files of a CentOS whose mirrors are gone, pointed to the vault; pure text in, text out.

A file of the distribution names a list of mirrors and, commented out, the place of the same packages on one of them.
The list is commented out and the vault takes the place's name, below it and marked as ours. A repository that somebody
pointed elsewhere names no mirror list any more, and is left alone.
"""

from __future__ import absolute_import, division, print_function

import re

__metaclass__ = type

MARK = "# By duplex.ha_pair: the mirrors are gone."

_SECTION = re.compile(r"^\s*\[([^\]]+)\]\s*$")
_MIRRORS = re.compile(r"^\s*(?:mirrorlist|metalink)\s*=\s*https?://mirrorlist\.centos\.org/", re.IGNORECASE)
# http://mirror.centos.org/ TREE / RELEASE / REST, active or commented out.
_PLACE = re.compile(r"^\s*(#?)\s*baseurl\s*=\s*https?://mirror\.centos\.org/([^/\s]+)/([^/\s]+)/(\S*)\s*$")
_ACTIVE = re.compile(r"^\s*baseurl\s*=")
_DISABLED = re.compile(r"^\s*enabled\s*=\s*(?:0|no|false|off)\s*$", re.IGNORECASE)
# What the main architecture's tree is called; others (altarch) are a directory of the vault as well.
_MAIN_TREES = ("centos", "$contentdir")


def split_sections(text):
    """[(name or None, lines)]: what precedes the first section has no name."""
    found = [(None, [])]
    for line in text.splitlines():
        heading = _SECTION.match(line)
        if heading:
            found.append((heading.group(1), []))
        found[-1][1].append(line)
    return found


def vault_line(place, url, release):
    """The baseurl in the vault for what a `_PLACE` matched."""
    tree, rest = place.group(2), place.group(4)
    parts = [url.rstrip("/")] + ([] if tree in _MAIN_TREES else [tree]) + [release, rest]
    return "baseurl=%s" % "/".join(parts)


def without_ours(lines):
    """The lines of a section without what an earlier run added."""
    found, ours = [], False
    for line in lines:
        if line == MARK:
            ours = True
        elif ours and _ACTIVE.match(line):
            ours = False
        else:
            ours = False
            found.append(line)
    return found


def section_to_vault(name, lines, url, release):
    """(lines, problem or None) of one repository."""
    bare = without_ours(lines)
    places = [_PLACE.match(line) for line in bare]
    places = [place for place in places if place]
    mirrors = [line for line in bare if _MIRRORS.match(line)]
    if bare == lines and not mirrors and not [place for place in places if not place.group(1)]:
        return lines, None
    if not places:
        if [line for line in bare if _DISABLED.match(line)]:
            return lines, None
        return lines, (
            "[%s] names mirrors that are gone and no baseurl to take its path from; write the baseurl of it in the "
            "vault, or enabled=0" % name
        )
    changed, added = [], False
    for line in bare:
        place = _PLACE.match(line)
        is_dead = _MIRRORS.match(line) or (place and not place.group(1))
        changed.append("#" + line if is_dead else line)
        if place and not added:
            changed += [MARK, vault_line(place, url, release)]
            added = True
    return changed, None


def to_vault(text, url, release):
    """(text, problems): the file with every repository of a dead mirror pointed to the vault."""
    lines, problems = [], []
    for name, section in split_sections(text):
        changed, problem = (section, None) if name is None else section_to_vault(name, section, url, release)
        lines += changed
        if problem:
            problems.append(problem)
    return "".join(line + "\n" for line in lines) if lines else text, problems
