# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines with fields in systemd's journal, by its native protocol: `journalctl HA_PAIR_INSTANCE=web -o json`."""

from __future__ import absolute_import, division, print_function

import socket
import struct

from . import service

__metaclass__ = type

SOCKET = "/run/systemd/journal/socket"
# What a line is about: `journalctl MESSAGE_ID=...` finds all of a kind.
INSTANCE_CHANGE = "6a3f5c2e8b0d4e91a7c4d15f92e06b38"
DAEMON_CHANGE = "c81e09d7f3524b6a9e57308ab1d4f26c"
GUARD_ACTION = "2f94b7a06d1c4835be60e7c9518a3d7f"
INFO, NOTICE, WARNING = 6, 5, 4


def encode(fields):
    """The datagram of these (name, value) pairs; journald reads a value of several lines by its length."""
    parts = []
    for name, value in fields:
        data = _bytes(value)
        if b"\n" in data:
            parts.append(name.encode("ascii") + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
        else:
            parts.append(name.encode("ascii") + b"=" + data + b"\n")
    return b"".join(parts)


def _bytes(value):
    if isinstance(value, bytes):
        return value
    return (value if hasattr(value, "encode") else str(value)).encode("utf-8")


class Journal(object):
    """Says lines with fields; where nobody takes them, lines without them on standard output."""

    def __init__(self, identifier, path=SOCKET, plain=service.log):
        self._identifier, self._path, self._plain = identifier, path, plain

    def __call__(self, line, message_id=None, priority=None, **fields):
        """One line. `fields` with a value of None are left out."""
        if priority is None:
            priority = WARNING if line.startswith("problem: ") else INFO
        pairs = [("MESSAGE", line), ("PRIORITY", priority), ("SYSLOG_IDENTIFIER", self._identifier)]
        if message_id:
            pairs.append(("MESSAGE_ID", message_id))
        pairs += [(name, value) for name, value in sorted(fields.items()) if value is not None]
        if not self._send(encode(pairs)):
            self._plain(line)

    def _send(self, datagram):
        talk = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            talk.settimeout(0.1)
            talk.sendto(datagram, self._path)
        except socket.timeout:
            return True  # a full queue is no reason to say it to the same journal by another way, and wait there
        except (IOError, OSError):
            return False
        finally:
            talk.close()
        return True


def say_action(say, vip, line):
    """Say what was done about a VIP that keepalived does not do; `say` is a Journal, or the handler's own word."""
    say(line, message_id=GUARD_ACTION, priority=WARNING, HA_PAIR_INSTANCE=vip["instance"], HA_PAIR_VIPS=vip["address"])
