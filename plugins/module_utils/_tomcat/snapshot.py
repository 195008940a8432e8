# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps files as they are, whether they are there or not, and puts them back."""

from __future__ import absolute_import, division, print_function

import io
import json
import os
import shutil
import stat
import tempfile

from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type

INDEX = "index.json"


def describe(path):
    """What is at the path: None, or its kind with mode and owners, and where a link points to."""
    try:
        seen = os.lstat(path)
    except (IOError, OSError):
        return None
    found = {"mode": stat.S_IMODE(seen.st_mode), "uid": seen.st_uid, "gid": seen.st_gid}
    if stat.S_ISLNK(seen.st_mode):
        return dict(found, kind="link", target=os.readlink(path))
    if stat.S_ISREG(seen.st_mode):
        return dict(found, kind="file")
    raise NodeError("%s: is neither a file nor a link; move it away" % path)


def listed(directories):
    """The files that lie in the directories now."""
    found = []
    for directory in directories:
        if os.path.isdir(directory):
            names = [os.path.join(directory, name) for name in sorted(os.listdir(directory))]
            found += [path for path in names if os.path.islink(path) or not os.path.isdir(path)]
    return found


def read_index(directory):
    """What was saved, or None when nothing was."""
    try:
        with io.open(os.path.join(directory, INDEX), encoding="utf-8") as source:
            return json.load(source)
    except (IOError, OSError, ValueError):
        return None


def save(directory, files, directories):
    """Copy the files into `directory`, which is replaced in one step, and note what is not there."""
    paths = sorted(set(list(files) + listed(directories)))
    parent, name = os.path.split(directory.rstrip("/"))
    working = tempfile.mkdtemp(dir=parent, prefix=name + ".")
    # Whatever the directory lets in: these are copies of files that may hold passwords.
    umask = os.umask(0o077)
    try:
        entries = []
        for number, path in enumerate(paths):
            entry = describe(path)
            if entry is not None and entry["kind"] == "file":
                entry["copy"] = "%d" % number
                shutil.copyfile(path, os.path.join(working, entry["copy"]))
            entries.append({"path": path, "was": entry})
        with io.open(os.path.join(working, INDEX), "wb") as target:
            target.write(json.dumps({"entries": entries, "directories": list(directories)}).encode("utf-8"))
        # For a moment nothing is saved; whoever restores then says so.
        if os.path.isdir(directory):
            shutil.rmtree(directory)
        os.rename(working, directory)
    finally:
        os.umask(umask)
        if os.path.isdir(working):
            shutil.rmtree(working)


def named(directory, words):
    """Those of the words that a saved file holds; nothing without a snapshot."""
    index = read_index(directory)
    saved = [entry["was"] for entry in index["entries"]] if index else []
    copies = [was["copy"] for was in saved if was is not None and "copy" in was]
    contents = [_content(os.path.join(directory, copy)) for copy in copies]
    return [word for word in words if any(word.encode("utf-8") in content for content in contents)]


def differing(directory, index):
    """The paths that are not as they were saved."""
    found = [entry["path"] for entry in index["entries"] if not _is_as_saved(directory, entry)]
    known = {entry["path"] for entry in index["entries"]}
    return found + [path for path in listed(index["directories"]) if path not in known]


def _is_as_saved(directory, entry):
    now, was = describe(entry["path"]), entry["was"]
    if now is None or was is None:
        return now is was
    if any(now.get(key) != was.get(key) for key in ("kind", "mode", "uid", "gid", "target")):
        return False
    return was["kind"] != "file" or _content(entry["path"]) == _content(os.path.join(directory, was["copy"]))


def _content(path):
    with io.open(path, "rb") as source:
        return source.read()


def restore(directory, index, paths):
    """Put these paths back as they were saved; those that were not there are removed."""
    by_path = {entry["path"]: entry["was"] for entry in index["entries"]}
    for path in paths:
        was = by_path.get(path)
        if was is None:
            os.unlink(path)
            continue
        parent = os.path.dirname(path)
        descriptor, temporary = tempfile.mkstemp(dir=parent, prefix=".ha-pair.")
        os.close(descriptor)
        if was["kind"] == "link":
            os.unlink(temporary)
            os.symlink(was["target"], temporary)
        else:
            shutil.copyfile(os.path.join(directory, was["copy"]), temporary)
            os.chown(temporary, was["uid"], was["gid"])
            os.chmod(temporary, was["mode"])
        os.rename(temporary, path)
