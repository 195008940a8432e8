# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Add and remove an address of an interface by rtnetlink, as `ip addr` does.

Without starting a program: on a node that is short of CPU or memory, which is when daemons die, that takes longer than
two machines may have one address.
"""

from __future__ import absolute_import, division, print_function

import errno
import io
import os
import socket
import struct

from .errors import NodeError

__metaclass__ = type

_ROUTE = 0  # NETLINK_ROUTE, not in the socket module of every Python we run on
_ERROR, _NEW_ADDRESS, _DELETE_ADDRESS = 2, 20, 21
_REQUEST, _ACKNOWLEDGE, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x200, 0x400
_ADDRESS, _LOCAL, _CACHE_INFO = 1, 2, 6
_UNIVERSE, _HOST = 0, 254
_ADDRESS_NEWS = 0x10 | 0x100  # the groups RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR
_NO_DUPLICATE_DETECTION = 0x2
_FOR_EVER = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_MESSAGE = struct.Struct("=BBBBI")
_TIMEOUT = 1.0


def interface_index(name):
    """The kernel's number of an interface; Python 2.7 has no if_nametoindex()."""
    with io.open("/sys/class/net/%s/ifindex" % name, encoding="ascii") as source:
        return int(source.read())


def _attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def _message(kind, flags, family, prefix, scope, index, attributes, marks=0):
    body = _MESSAGE.pack(family, prefix, marks, scope, index) + b"".join(attributes)
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | _ACKNOWLEDGE | flags, 1, 0) + body


def _pack(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


def removal(address, prefix, index):
    """The message that takes address/prefix away from the interface of that number."""
    family, packed = _pack(address)
    return _message(
        _DELETE_ADDRESS, 0, family, prefix, _UNIVERSE, index, [_attribute(_LOCAL, packed), _attribute(_ADDRESS, packed)]
    )


def addition(address, index):
    """The message that adds an address of its own (/32, /128) that no connection takes for its source."""
    family, packed = _pack(address)
    attributes = [_attribute(_LOCAL, packed), _attribute(_ADDRESS, packed)]
    scope = _HOST
    if family == socket.AF_INET6:
        scope = _UNIVERSE
        attributes.append(_attribute(_CACHE_INFO, struct.pack("=IIII", 0, _FOR_EVER, 0, 0)))
    return _message(_NEW_ADDRESS, _CREATE | _EXCLUSIVE, family, 8 * len(packed), scope, index, attributes)


def restoration(address, prefix, index):
    """The message that adds an address as keepalived itself does.

    keepalived takes one that stands already for its own, leaves it as it is and removes it only by its own prefix.
    """
    family, packed = _pack(address)
    attributes = [_attribute(_LOCAL, packed), _attribute(_ADDRESS, packed)]
    six = family == socket.AF_INET6
    if six and prefix == 8 * len(packed):
        attributes.append(_attribute(_CACHE_INFO, struct.pack("=IIII", 0, _FOR_EVER, 0, 0)))
    marks = _NO_DUPLICATE_DETECTION if six else 0
    return _message(_NEW_ADDRESS, _CREATE | _EXCLUSIVE, family, prefix, _UNIVERSE, index, attributes, marks)


def result(answer):
    """The error number in the kernel's answer, 0 for none."""
    if len(answer) < _HEADER.size + 4 or _HEADER.unpack_from(answer)[1] != _ERROR:
        return errno.EBADMSG
    return -struct.unpack_from("=i", answer, _HEADER.size)[0]


def ask_kernel(message):
    """Send one message; the error number that comes back."""
    talk = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _ROUTE)
    try:
        talk.settimeout(_TIMEOUT)
        talk.bind((0, 0))
        talk.send(message)
        return result(talk.recv(4096))
    finally:
        talk.close()


class AddressNews(object):
    """The kernel's word of every address that comes or goes, as something that select() can wait for."""

    def __init__(self):
        try:
            self._talk = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _ROUTE)
            self._talk.setblocking(False)
            self._talk.bind((0, _ADDRESS_NEWS))
        except (IOError, OSError) as exc:
            raise NodeError("addresses: the kernel does not tell of changes (%s)" % (exc.strerror or exc))

    def fileno(self):
        return self._talk.fileno()

    def drain(self):
        """Take what is there. What it says does not count, and not either that some of it was lost."""
        while True:
            try:
                self._talk.recv(65536)
            except (IOError, OSError) as exc:
                if exc.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
                    return
                if exc.errno not in (errno.ENOBUFS, errno.EINTR):
                    raise NodeError("addresses: the kernel tells no more of changes (%s)" % (exc.strerror or exc))

    def close(self):
        self._talk.close()


def change(what, make, interface, accepted, ask=ask_kernel, index=interface_index):
    """Have the kernel do what `make(index)` says; errors in `accepted` mean that it is so already."""
    try:
        number = ask(make(index(interface)))
    except (IOError, OSError) as exc:
        if exc.errno == errno.ENOENT and errno.ENODEV in accepted:
            return
        raise NodeError("%s: failed (%s)" % (what, exc.strerror or exc))
    if number and number not in accepted:
        raise NodeError("%s: failed (%s)" % (what, os.strerror(number)))
