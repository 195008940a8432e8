# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's list of established TCP connections with what happened on each last, and the end of one of them.

By sock_diag netlink, as `ss` does it: a program would take longer than a client waits between two requests.
"""

from __future__ import absolute_import, division, print_function

import collections
import errno
import os
import socket
import struct

from .._node.errors import NodeError

__metaclass__ = type

# family, state, the kernel's own name of the connection, addresses (packed, an IPv4 one as such), and what happened:
# `waiting` bytes in its queues, `unacked` segments, ages in seconds of the last data that came and went, round trip
# time in seconds, and how many segments with data were `heard` and `said` (None where the kernel does not count them).
Connection = collections.namedtuple(
    "Connection", "family state identity local port peer waiting unacked came went round_trip heard said"
)

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG, not in the socket module of every Python we run on
_DONE, _ERROR, _BY_FAMILY, _DESTROY = 3, 2, 20, 21
_REQUEST, _ACKNOWLEDGE, _DUMP = 0x1, 0x4, 0x300
_TCP, _ESTABLISHED, _INFO = 6, 1, 2
_HEADER = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBBI")
_HEAD = struct.Struct("=BBBB")
_IDENTITY = slice(4, 52)
_COUNTS = struct.Struct("=IIIII")
_BODY = 72
_ATTRIBUTE = struct.Struct("=HH")
_NUMBER = struct.Struct("=I")
_UNACKED, _WENT, _CAME, _ROUND_TRIP, _HEARD, _SAID = 24, 44, 52, 68, 152, 156
_MAPPED = b"\0" * 10 + b"\xff\xff"
_ANY = b"\0" * 40 + b"\xff" * 8  # ports, addresses and interface of nobody, and no cookie
_TIMEOUT = 2.0


def packed(address):
    """An address as it is compared here."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address)


def dump_request(family, sequence):
    """The message that asks for all established connections of a family."""
    body = _ASKED.pack(family, _TCP, 1 << (_INFO - 1), 0, 1 << _ESTABLISHED) + _ANY
    return _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST | _DUMP, sequence, 0) + body


def look_request(connection, sequence):
    """The message that asks for one connection."""
    body = _ASKED.pack(connection.family, _TCP, 1 << (_INFO - 1), 0, 1 << _ESTABLISHED) + connection.identity
    return _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, sequence, 0) + body


def end_request(connection, sequence):
    """The message that ends a connection; its peer is told by a reset."""
    body = _ASKED.pack(connection.family, _TCP, 0, 0, 1 << _ESTABLISHED) + connection.identity
    return _HEADER.pack(_HEADER.size + len(body), _DESTROY, _REQUEST | _ACKNOWLEDGE, sequence, 0) + body


def parse(data, sequence):
    """(connections, whether that was all, error number) of what came for the dump of that number."""
    found, place = [], 0
    while place + _HEADER.size <= len(data):
        length, kind, _flags, number, _port = _HEADER.unpack_from(data, place)
        if length < _HEADER.size or place + length > len(data):
            break
        body = data[place + _HEADER.size : place + length]
        if number == sequence:
            if kind == _DONE:
                return found, True, 0
            if kind == _ERROR:
                return found, True, -struct.unpack_from("=i", body)[0]
            if kind == _BY_FAMILY and len(body) >= _BODY:
                found.append(_connection(body))
        place += (length + 3) // 4 * 4
    return found, False, 0


def _address(family, data):
    if family == socket.AF_INET:
        return data[:4]
    # A program that listens on both families at once has its IPv4 connections as mapped ones.
    return data[12:16] if data[:12] == _MAPPED else data[:16]


def _connection(body):
    family, state = _HEAD.unpack_from(body)[:2]
    port = struct.unpack_from(">H", body, 4)[0]
    _expires, incoming, outgoing, _user, _inode = _COUNTS.unpack_from(body, 52)
    info = _info(body)

    def number(place, missing=0):
        return _NUMBER.unpack_from(info, place)[0] if len(info) >= place + 4 else missing

    return Connection(
        family=family,
        state=state,
        identity=body[_IDENTITY],
        local=_address(family, body[8:24]),
        port=port,
        peer=_address(family, body[24:40]),
        waiting=incoming + outgoing,
        unacked=number(_UNACKED),
        came=number(_CAME) * 1e-3,
        went=number(_WENT) * 1e-3,
        round_trip=number(_ROUND_TRIP) * 1e-6,
        heard=number(_HEARD, None),
        said=number(_SAID, None),
    )


def _info(body):
    place = _BODY
    while place + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, place)
        if length < _ATTRIBUTE.size:
            break
        if kind == _INFO:
            return body[place + _ATTRIBUTE.size : place + length]
        place += (length + 3) // 4 * 4
    return b""


class Kernel(object):
    """Asks the kernel of this host."""

    def __init__(self):
        self._sequence = 0
        try:
            self._talk = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG)
            self._talk.settimeout(_TIMEOUT)
            self._talk.bind((0, 0))
        except (IOError, OSError) as exc:
            raise NodeError("connections: the kernel does not list them (%s)" % (exc.strerror or exc))

    def connections(self, addresses):
        """All that are established with one of these own addresses (packed)."""
        found = []
        for family in (socket.AF_INET, socket.AF_INET6):
            self._sequence += 1
            self._talk.send(dump_request(family, self._sequence))
            while True:
                listed, complete, error = parse(self._hear(), self._sequence)
                if error == errno.ENOENT:
                    break  # a kernel without this family
                if error:
                    raise NodeError("connections: the kernel does not list them (%s)" % os.strerror(error))
                found += [each for each in listed if each.local in addresses]
                if complete:
                    break
        return found

    def look(self, connection):
        """The connection as it is now; None when it has ended."""
        self._sequence += 1
        self._talk.send(look_request(connection, self._sequence))
        while True:
            found, complete, error = parse(self._hear(), self._sequence)
            if found:
                return found[0] if found[0].state == _ESTABLISHED else None
            if error not in (0, errno.ENOENT, errno.ESTALE):
                raise NodeError("connections: the kernel does not tell of one (%s)" % os.strerror(error))
            if complete:
                return None

    def end(self, connection):
        """The error number of ending it, 0 for none."""
        self._sequence += 1
        self._talk.send(end_request(connection, self._sequence))
        while True:
            _listed, complete, error = parse(self._hear(), self._sequence)
            if complete:
                return error

    def _hear(self):
        try:
            return self._talk.recv(262144)
        except (IOError, OSError) as exc:
            raise NodeError("connections: the kernel does not answer (%s)" % (exc.strerror or exc))

    def close(self):
        self._talk.close()
