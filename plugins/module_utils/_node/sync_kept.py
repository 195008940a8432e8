# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rounds replaced or deleted here, and how long it stays.

Age and order are by when this node wrote it last: the name of such a directory tells the time of the other node, whose
clock may be wrong. The newest one always stays, and what a split left, and what is nowhere else stays for its days.
"""

from __future__ import absolute_import, division, print_function

import os
import re
import shutil
import time

from . import sync_marker

__metaclass__ = type

STAMP = re.compile(r"[0-9]{8}T[0-9]{6}[.][0-9]{3}Z-(?:%s)\Z" % "|".join(sync_marker.MODES))
_DAY = 86400
# A file that is written all day is replaced by each round. Of rounds of kind mirror that only replaced files, so many,
# and so many bytes, are kept beyond the first day; within it as well once the file system is that full.
MIRROR_ROUNDS, MIRROR_BYTES = 100, 1 << 30
ROOM = 0.1


def stamp(seconds, mode):
    """The name of the directory in which a round keeps what it replaces; sorts by time."""
    whole = int(seconds)
    # Two rounds in one second must not share it: rsync would replace what the first one kept.
    return "%s.%03dZ-%s" % (time.strftime("%Y%m%dT%H%M%S", time.gmtime(whole)), (seconds - whole) * 1000, mode)


def touch(path):
    """Note by the clock of this node that a round kept something there just now."""
    try:
        os.utime(path, None)
    except OSError:
        # It replaced nothing.
        return


def room(path):
    """Which part of the file system is free; all of it where nobody says."""
    try:
        found = os.statvfs(path)
    except OSError:
        return 1.0
    counts = ((found.f_bavail, found.f_blocks), (found.f_favail, found.f_files))
    parts = [float(left) / total for left, total in counts if total]
    return min(parts or [1.0])


def prune(root, place, days, now, free=room):
    """Remove what was kept longer than it has to be. `place`: the mirrored directory, None when it is not there."""
    found = _rounds(root)
    short = free(root) < ROOM
    rounds, size = 0, 0
    # The newest one may be that of a round that has not ended.
    for age, path in [(now - at, path) for at, path in found[1:]]:
        if path.endswith("-" + sync_marker.CONFLICT):
            continue
        if days and age > days * _DAY:
            shutil.rmtree(path, ignore_errors=True)
        elif path.endswith("-" + sync_marker.MIRROR):
            rounds += 1
            if age < _DAY and not short:
                continue
            size += _size(path) if rounds <= MIRROR_ROUNDS and size <= MIRROR_BYTES else 0
            if (rounds > MIRROR_ROUNDS or size > MIRROR_BYTES) and not _lost(path, place):
                shutil.rmtree(path, ignore_errors=True)


def _rounds(root):
    """[(when it was written last, path)] of all rounds, the newest first."""
    found = []
    for name in _entries(root):
        path = os.path.join(root, name)
        try:
            if STAMP.match(name):
                found.append((os.lstat(path).st_mtime, path))
        except OSError:
            continue
    return sorted(found, reverse=True)


def _lost(path, place):
    """Whether there is a file that the mirrored directory has no longer: it was deleted, and is nowhere else."""
    if place is None:
        return True
    for directory, subdirectories, names in os.walk(path):
        beside = os.path.join(place, os.path.relpath(directory, path))
        if not all(os.path.lexists(os.path.join(beside, name)) for name in names + subdirectories):
            return True
    return False


def _size(path):
    """The bytes of all files below, as far as they can be asked."""
    total = 0
    for directory, _subdirectories, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(directory, name)).st_size
            except OSError:
                continue
    return total


def _entries(path):
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []
