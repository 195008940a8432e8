# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of an application on a node: which there are, which ran, and which go."""

from __future__ import absolute_import, division, print_function

import io
import json
import os
import re
import tempfile

__metaclass__ = type

HISTORY_FILE = ".history.json"
RELEASE = re.compile(r"[0-9a-f]{16}\Z")
# What ran longer ago than this is of no use to anybody.
LONGEST_HISTORY = 50


def present(directory):
    """The releases that are unpacked, oldest first."""
    try:
        names = os.listdir(directory)
    except (IOError, OSError):
        return []
    found = []
    for name in names:
        path = os.path.join(directory, name)
        if RELEASE.match(name) and os.path.isdir(path) and not os.path.islink(path):
            found.append((os.stat(path).st_mtime, name))
    return [name for _moment, name in sorted(found)]


def history(directory):
    """The releases that ran, the last one at the end; nothing of a file that is not ours."""
    try:
        with io.open(os.path.join(directory, HISTORY_FILE), encoding="utf-8") as source:
            found = json.load(source)
    except (IOError, OSError, ValueError):
        return []
    return [str(name) for name in found if RELEASE.match(str(name))] if isinstance(found, list) else []


def noted(before, release):
    """The history once this release has run."""
    return ([name for name in before if name != release] + [release])[-LONGEST_HISTORY:]


def write_history(directory, releases):
    """Replace the file in one step."""
    descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=".history.")
    with os.fdopen(descriptor, "wb") as target:
        target.write(json.dumps(releases).encode("ascii"))
    os.rename(temporary, os.path.join(directory, HISTORY_FILE))


def previous(before, there, release):
    """The release that ran last before this one, of those that are there; None when there is none."""
    ran = [name for name in before if name != release and name in there]
    return ran[-1] if ran else None


def to_remove(there, before, release, keep, needed=()):
    """The releases beyond `keep`: this one stays, and what is needed, then those that ran last, then the newest."""
    first = [release] + [name for name in needed if name != release]
    by_use = [name for name in reversed(before) if name in there and name not in first]
    by_age = [name for name in reversed(there) if name not in by_use and name not in first]
    staying = (first + by_use + by_age)[: max(keep, len(first))]
    return [name for name in there if name not in staying]
