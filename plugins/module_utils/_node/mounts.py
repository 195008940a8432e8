# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says is mounted where.

Read from its own list, never by looking at the path: whoever looks at a file system whose server is gone waits with it.
"""

from __future__ import absolute_import, division, print_function

import io
import re

__metaclass__ = type

MOUNTINFO = "/proc/self/mountinfo"
_OCTAL = re.compile(r"\\([0-7]{3})")
# Stands for a file system that nobody has asked for yet.
_PLACEHOLDERS = ("autofs",)


def _plain(word):
    """Blanks, backslashes and line breaks stand in the list as octal codes."""
    return _OCTAL.sub(lambda found: chr(int(found.group(1), 8)), word)


def parse_mounts(text):
    """All mounts in the order of the list, each {"path", "fstype", "source", "device", "options" (of both kinds)}."""
    found = []
    for line in (text or "").splitlines():
        words, _dash, behind = line.partition(" - ")
        words, behind = words.split(" "), behind.split(" ")
        if len(words) < 6 or len(behind) < 2:
            continue
        options = words[5].split(",") + (behind[2].split(",") if len(behind) > 2 else [])
        found.append({
            "path": _plain(words[4]),
            "device": words[2],
            "fstype": behind[0],
            "source": _plain(behind[1]),
            "options": [_plain(option) for option in options],
        })
    return found


def mount_at(path, mounts):
    """What is mounted at just that path, on top of whatever was mounted there before; None for nothing."""
    found = [mount for mount in mounts if mount["path"] == path and mount["fstype"] not in _PLACEHOLDERS]
    return found[-1] if found else None


def mount_above(path, mounts):
    """The mount that the path lies in, itself included; None when the list is empty."""
    best = None
    for mount in mounts:
        inside = mount["path"] == "/" or path == mount["path"] or path.startswith(mount["path"] + "/")
        if not inside or mount["fstype"] in _PLACEHOLDERS:
            continue
        # Of two at the same place the later one is on top.
        if best is None or len(mount["path"]) >= len(best["path"]):
            best = mount
    return best


def option_of(mount, name):
    """The value of NAME=VALUE among the options; None when there is none."""
    for option in mount["options"]:
        key, equals, value = option.partition("=")
        if key == name and equals:
            return value
    return None


def mounts_now(path=MOUNTINFO):
    """The list as it is now; empty when it cannot be read."""
    try:
        with io.open(path, encoding="utf-8", errors="replace") as source:
            return parse_mounts(source.read())
    except (IOError, OSError):
        return []
