# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel tells of addresses by rtnetlink: all of them when asked, and every change the moment it happens.

One socket for both: in its queue an answer and a change lie in the order in which they came about.
"""

from __future__ import absolute_import, division, print_function

import collections
import errno
import fcntl
import os
import select
import socket
import struct
import time

from .._node.errors import NodeError

__metaclass__ = type

# Family, packed bytes, number of the interface, what tells two entries of one address apart (prefix, peer), whether
# it came or went, whether it answers to somebody, and whether it is part of a dump.
Address = collections.namedtuple("Address", "family packed index detail added usable dumped")
# The end of a dump: whether the kernel changed something in the middle of it; `error` is a number, 0 for none.
Done = collections.namedtuple("Done", "interrupted error")

_ROUTE = 0  # NETLINK_ROUTE, not in the socket module of every Python we run on
_GROUPS = 0x10 | 0x100  # IPv4 and IPv6 addresses
_ERROR, _DONE, _NEW, _DELETE, _GET = 2, 3, 20, 21, 22
_REQUEST, _DUMP, _MULTIPART, _INTERRUPTED = 0x1, 0x300, 0x2, 0x10
_PEER, _LOCAL = 1, 2
_OPTIMISTIC, _REFUSED, _TENTATIVE = 0x04, 0x08, 0x40
_HEADER = struct.Struct("=IHHII")
_BODY = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_NUMBER = struct.Struct("=i")
_LARGEST = 65536
# Of the size that the kernel allows everybody it would hold some hundred changes; a machine with many containers makes
# that many in a moment.
_BUFFER = 4 << 20
_BUFFER_FORCED = 33  # SO_RCVBUFFORCE
_NAME_OF_INDEX = 0x8910  # SIOCGIFNAME


class LostError(Exception):
    """The kernel had more to tell than the buffer held, and threw something away."""


def dump_request(sequence):
    """The message that asks for all addresses."""
    return _HEADER.pack(_HEADER.size + _BODY.size, _GET, _REQUEST | _DUMP, sequence, 0) + _BODY.pack(0, 0, 0, 0, 0)


def parse(data, sequence):
    """The Address and Done messages in what came; `sequence` is that of our own dump."""
    found, place = [], 0
    while place + _HEADER.size <= len(data):
        length, kind, flags, number, _port = _HEADER.unpack_from(data, place)
        if length < _HEADER.size or place + length > len(data):
            break
        body = data[place + _HEADER.size : place + length]
        ours = number == sequence
        if kind in (_NEW, _DELETE):
            # A change that somebody else made carries that one's number, which may be any. A dump has many parts.
            dumped = ours and bool(flags & _MULTIPART)
            entry = _parse_address(body, kind == _NEW, dumped)
            if entry is not None:
                found.append(entry)
            if dumped and flags & _INTERRUPTED:
                found.append(Done(True, None))
        elif ours and kind in (_DONE, _ERROR):
            error = -_NUMBER.unpack_from(body)[0] if len(body) >= _NUMBER.size else 0
            found.append(Done(bool(flags & _INTERRUPTED), max(0, error)))
        place += (length + 3) // 4 * 4
    return found


def _parse_address(body, added, dumped):
    if len(body) < _BODY.size:
        return None
    family, prefix, flags, _scope, index = _BODY.unpack_from(body)
    if family not in (socket.AF_INET, socket.AF_INET6):
        return None
    attributes, place = {}, _BODY.size
    while place + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, place)
        if length < _ATTRIBUTE.size:
            break
        attributes[kind] = body[place + _ATTRIBUTE.size : place + length]
        place += (length + 3) // 4 * 4
    peer = attributes.get(_PEER, b"")
    packed = attributes.get(_LOCAL, peer)
    if not packed:
        return None
    # While IPv6 looks for a duplicate, and after it found one, the address answers to nobody.
    usable = not flags & _REFUSED and (not flags & _TENTATIVE or bool(flags & _OPTIMISTIC))
    return Address(family, packed, index, (prefix, peer), added, usable or family == socket.AF_INET, dumped)


def interface_name(index):
    """The name of an interface by its number, None when it is gone; Python 2.7 has no if_indextoname()."""
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        answer = fcntl.ioctl(asker.fileno(), _NAME_OF_INDEX, struct.pack("=16si20x", b"", index))
    except (IOError, OSError):
        return None
    finally:
        asker.close()
    name = answer[:16].partition(b"\0")[0].decode("utf-8", "replace")
    return str(name) or None


def open_socket():
    """A socket that hears every change of an address from now on."""
    talk = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _ROUTE)
    try:
        for option in (_BUFFER_FORCED, socket.SO_RCVBUF):
            try:
                talk.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
                break
            except (IOError, OSError):
                pass  # only root may have more than the kernel's limit
        talk.bind((0, _GROUPS))
        talk.setblocking(False)
    except (IOError, OSError):
        talk.close()
        raise
    return talk


class AddressEvents(object):
    """The kernel's messages of addresses."""

    def __init__(self, opener=open_socket):
        try:
            self._socket = opener()
        except (IOError, OSError) as exc:
            raise NodeError(
                "netlink on this host: no socket (%s); see what confines this process" % (exc.strerror or exc)
            )
        # Not a number that the next program also begins with.
        self._sequence = (int(time.time()) ^ (os.getpid() << 12)) & 0x7FFFFFFF

    def ask(self):
        """Ask for all addresses. Only when the last dump is done: the kernel gives one at a time."""
        self._sequence = self._sequence % 0x7FFFFFFF + 1
        self._socket.send(dump_request(self._sequence))

    def wait(self, seconds):
        """Until something came or the time is over, or a signal came."""
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        try:
            poll.poll(int(seconds * 1000))
        except (IOError, OSError, select.error) as exc:
            if exc.args[0] != errno.EINTR:
                raise

    def receive(self):
        """What came, in the kernel's order; None when there is nothing more. Raises LostError."""
        try:
            data, sender = self._socket.recvfrom(_LARGEST)
        except (IOError, OSError) as exc:
            if exc.errno == errno.ENOBUFS:
                raise LostError
            if exc.errno == errno.EINTR:
                return []
            if exc.errno != errno.EAGAIN:
                raise
            return None
        # Any process may write to our port; the kernel's own is 0.
        return parse(data, self._sequence) if sender[0] == 0 else []

    def close(self):
        self._socket.close()
