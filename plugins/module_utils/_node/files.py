# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares files on this node with what they are to be; changes nothing."""

from __future__ import absolute_import, division, print_function

import io
import os
import stat

from .errors import NodeError

__metaclass__ = type

HIDDEN = "(not shown, it may hold a secret)\n"


def look(path):
    """What is at the path: kind (file, directory, other) and content as bytes; None when there is nothing.

    A link is "other": what it points to is not ours to write into.
    """
    try:
        seen = os.lstat(path)
    except (IOError, OSError):
        return None
    if stat.S_ISDIR(seen.st_mode):
        return {"kind": "directory", "content": None}
    if not stat.S_ISREG(seen.st_mode):
        return {"kind": "other", "content": None}
    with io.open(path, "rb") as source:
        return {"kind": "file", "content": source.read()}


def check_paths(directories, files, absent):
    """Refuse relative paths, and one path that is to be two things."""
    seen = set()
    for option, entries in (("directories", directories), ("files", files), ("absent", absent)):
        for path in entries:
            if not path.startswith("/"):
                raise NodeError("%s: %s: is not an absolute path; give one that begins with /" % (option, path))
            if path in seen:
                raise NodeError("%s: %s: is given twice; give each path once" % (option, path))
            seen.add(path)


def to_write(wanted, existing):
    """Whether the file must be written: `wanted` is its content as bytes, `existing` what look() says.

    Raises NodeError when a directory is in its place.
    """
    if existing is not None and existing["kind"] == "directory":
        raise NodeError("is a directory, not a file; move it away")
    return existing is None or existing["kind"] != "file" or existing["content"] != wanted


def to_make(existing):
    """Whether the directory must be made. Raises NodeError when something else is in its place."""
    if existing is not None and existing["kind"] != "directory":
        raise NodeError("is not a directory; move it away")
    return existing is None


def difference(path, existing, wanted, secret):
    """One entry of a module's diff: the texts before and after, None for a file that is to be absent."""
    before = (existing or {}).get("content") or b""
    texts = ["" if data is None else data.decode("utf-8", "replace") for data in (before, wanted)]
    if secret:
        texts = [HIDDEN if text else "" for text in texts]
    return {
        "before_header": path,
        "after_header": path if wanted is not None else "%s (removed)" % path,
        "before": texts[0],
        "after": texts[1],
    }
