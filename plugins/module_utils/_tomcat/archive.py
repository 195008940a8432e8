# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpacks a WAR, or a tarball, into a directory that appears whole or not at all, also after a loss of power."""

from __future__ import absolute_import, division, print_function

import hashlib
import io
import os
import shutil
import stat
import tarfile
import time
import zipfile

from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type

_BLOCK = 1024 * 1024


def sha256(path):
    """The digest of a file."""
    digest = hashlib.sha256()
    with io.open(path, "rb") as source:
        for block in iter(lambda: source.read(_BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def safe_name(name, strip=0):
    """The parts of a member's path, or None for one that `strip` leaves nothing of. Raises NodeError.

    Nothing of an archive may lie outside of the directory that it is unpacked into.
    """
    # Python 2 gives names that are not ASCII as bytes in some archives and as text in others.
    text = name if isinstance(name, str) else name.encode("utf-8")
    if text.startswith("/") or "\\" in text or "\0" in text:
        raise NodeError("holds the path %r, which is not a relative one; build it anew" % text)
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise NodeError("holds the path %r, which leads out of it; build it anew" % text)
    return parts[strip:] or None


def unpack(archive, target, group=-1, strip=0):
    """Unpack into `target`, which must not exist; its parent must. Raises NodeError and leaves nothing then."""
    parent = os.path.dirname(target)
    for name in os.listdir(parent):
        # What a run that was killed left behind.
        if name.startswith(".%s." % os.path.basename(target)):
            shutil.rmtree(os.path.join(parent, name))
    working = os.path.join(parent, ".%s.%d" % (os.path.basename(target), os.getpid()))
    try:
        os.mkdir(working, 0o700)
        _unpack_into(archive, working, strip)
        _own(working, group)
        os.rename(working, target)
        to_disk(parent)
    except (IOError, OSError, zipfile.BadZipfile, zipfile.LargeZipFile, tarfile.TarError, EOFError) as exc:
        raise NodeError("cannot be unpacked (%s); see whether the disk is full, or build it anew" % exc)
    finally:
        if os.path.isdir(working):
            shutil.rmtree(working)


def _unpack_into(archive, working, strip):
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as source:
            _check_space(working, sum(info.file_size for info in source.infolist()))
            for info in source.infolist():
                _from_zip(source, info, working, strip)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as source:
            members = source.getmembers()
            _check_space(working, sum(member.size for member in members))
            for member in members:
                _from_tar(source, member, working, strip)
    else:
        raise NodeError("is neither a WAR nor a tarball; see what lies at its source")
    if not os.listdir(working):
        raise NodeError("holds nothing; build it anew")


def _check_space(directory, needed):
    disk = os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize
    if needed > free:
        raise NodeError(
            "needs %d MiB, and %s has %d MiB left; make room there"
            % (needed // 1048576 + 1, os.path.dirname(directory), free // 1048576)
        )


def _from_zip(source, info, working, strip):
    parts = safe_name(info.filename, strip)
    if parts is None:
        return
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        raise NodeError("holds the link %r, which is not unpacked; build it without links" % info.filename)
    path = os.path.join(working, *parts)
    if info.filename.endswith("/"):
        _directory(path)
        return
    with source.open(info) as content:
        _write(path, content, 0o644)
    try:
        moment = time.mktime(info.date_time + (0, 0, -1))
        # Pages are compiled anew when their time differs from that of what was compiled.
        os.utime(path, (moment, moment))
    except (ValueError, OverflowError):
        pass  # a date that there never was


def _from_tar(source, member, working, strip):
    parts = safe_name(member.name, strip)
    if parts is None:
        return
    path = os.path.join(working, *parts)
    if member.isdir():
        _directory(path)
    elif member.isreg():
        content = source.extractfile(member)
        try:
            _write(path, content, 0o755 if member.mode & 0o100 else 0o644)
        finally:
            content.close()
        os.utime(path, (member.mtime, member.mtime))
    else:
        raise NodeError("holds %r, which is neither a file nor a directory; take Apache's own tarball" % member.name)


def _directory(path):
    if not os.path.isdir(path):
        os.makedirs(path)


def _write(path, content, mode):
    _directory(os.path.dirname(path))
    with io.open(path, "wb") as target:
        shutil.copyfileobj(content, target, _BLOCK)
    os.chmod(path, mode)


def to_disk(path):
    """Whatever happens to the power from here on: a release that is there counts as whole."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _own(working, group):
    """Tomcat reads it by its group, and nobody but root writes it."""
    for directory, _directories, files in os.walk(working):
        for name in files:
            path = os.path.join(directory, name)
            os.chmod(path, 0o750 if os.stat(path).st_mode & 0o100 else 0o640)
            os.chown(path, -1, group)
            to_disk(path)
        os.chmod(directory, 0o750)
        os.chown(directory, -1, group)
        to_disk(directory)
