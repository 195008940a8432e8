# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reading end of keepalived's notify FIFO."""

from __future__ import absolute_import, division, print_function

import errno
import os
import stat

from .errors import NodeError

__metaclass__ = type

# A deleted FIFO stays alive while keepalived writes to it; it is read until that many newer ones have come.
_KEPT = 3
_LONGEST_LINE = 4096


class Fifo(object):
    """Reads lines without ever blocking, and notices when the path no longer leads to what it reads."""

    def __init__(self, path):
        self.path = path
        self._open = []  # [descriptor, (device, inode), bytes of an unfinished line], the newest last

    def descriptors(self):
        return [entry[0] for entry in self._open]

    def ensure(self):
        """Make and open what is missing; True when something was made or opened."""
        seen = self._look()
        if seen is not None and self._open and self._open[-1][1] == (seen.st_dev, seen.st_ino):
            return False
        try:
            self._make(seen)
            # For reading and writing, so that the last writer's leaving is no end of file.
            descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
        except (IOError, OSError) as exc:
            raise NodeError(
                "%s: cannot make or open the FIFO (%s); remove what is in its place" % (self.path, exc.strerror)
            )
        opened = os.fstat(descriptor)
        self._open.append([descriptor, (opened.st_dev, opened.st_ino), b""])
        while len(self._open) > _KEPT:
            os.close(self._open.pop(0)[0])
        return True

    def _look(self):
        try:
            return os.lstat(self.path)
        except (IOError, OSError):
            return None

    def _make(self, seen):
        directory = os.path.dirname(self.path)
        if not os.path.isdir(directory):
            os.makedirs(directory)
            os.chmod(directory, 0o755)
        if seen is not None and (not stat.S_ISFIFO(seen.st_mode) or seen.st_uid != os.geteuid()):
            if stat.S_ISDIR(seen.st_mode):
                os.rmdir(self.path)
            else:
                os.unlink(self.path)
            seen = None
        if seen is None:
            try:
                os.mkfifo(self.path, 0o600)
            except OSError as exc:
                if exc.errno != errno.EEXIST:  # keepalived was quicker
                    raise
        os.chmod(self.path, 0o600)

    def read_lines(self):
        """All whole lines that are there now, older FIFOs first."""
        lines = []
        for entry in self._open:
            data = entry[2]
            while True:
                try:
                    piece = os.read(entry[0], 65536)
                except (IOError, OSError) as exc:
                    if exc.errno == errno.EINTR:
                        continue
                    if exc.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
                        break
                    raise
                if not piece:
                    break
                data += piece
            whole, _newline, entry[2] = data.rpartition(b"\n")
            if len(entry[2]) > _LONGEST_LINE:  # no line of ours: drop it before it grows for ever
                whole, entry[2] = whole + b"\n" + entry[2][:80], b""
            lines.extend(line.decode("utf-8", "replace") for line in whole.split(b"\n") if line.strip())
        return lines

    def close(self):
        while self._open:
            os.close(self._open.pop()[0])
