# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the link who answers for an IPv6 address: Neighbor Discovery (RFC 4861), the counterpart of arp.py."""

from __future__ import absolute_import, division, print_function

import errno
import io
import socket
import struct

from . import addresses, arp, socket_filter
from .arp import format_mac, pack_mac
from .errors import NodeError
from .netlink import interface_index

__metaclass__ = type

SOLICITATION, ADVERTISEMENT = 135, 136
# Nobody off the link can send a packet that arrives with it.
HOP_LIMIT = 255
_EVERYBODY, _ANY = "ff02::1", "::"
_SOURCE_MAC, _TARGET_MAC = 1, 2
_ROUTER, _OVERRIDE = 0x80000000, 0x20000000
_HEADER = struct.Struct("!BBHI16s")
# Not in the socket module of every Python we run on.
_ICMP6_FILTER = 1
_SO_BINDTODEVICE = 25


def solicited_node(address):
    """The multicast address where whoever has the address listens for questions about it."""
    packed = socket.inet_pton(socket.AF_INET6, address)
    return socket.inet_ntop(socket.AF_INET6, b"\xff\x02" + b"\0" * 9 + b"\x01\xff" + packed[13:])


def build_solicitation(source_mac, target_address):
    """The ICMPv6 message of a Neighbor Solicitation; the kernel fills in the checksum."""
    option = struct.pack("!BB6s", _SOURCE_MAC, 1, pack_mac(source_mac))
    return _HEADER.pack(SOLICITATION, 0, 0, 0, socket.inet_pton(socket.AF_INET6, target_address)) + option


def build_announcement(mac, address, router=False):
    """The ICMPv6 message of an advertisement that nobody asked for and that overrides what others know."""
    flags = _OVERRIDE | (_ROUTER if router else 0)
    option = struct.pack("!BB6s", _TARGET_MAC, 1, pack_mac(mac))
    return _HEADER.pack(ADVERTISEMENT, 0, 0, flags, socket.inet_pton(socket.AF_INET6, address)) + option


def parse_advertisement(message, asked_address):
    """The MAC address that claims the asked address in this message, or None when it is not such an answer."""
    claim = parse_claim(message)
    asked = socket.inet_pton(socket.AF_INET6, asked_address)
    return claim[1] if claim and socket.inet_pton(socket.AF_INET6, claim[0]) == asked else None


def parse_claim(message):
    """(address, MAC address) that the advertisement speaks of; None when it is none or names no MAC address."""
    if len(message) < _HEADER.size:
        return None
    kind, code, _checksum, _flags, target = _HEADER.unpack_from(message)
    if (kind, code) != (ADVERTISEMENT, 0):
        return None
    place = _HEADER.size
    while place + 8 <= len(message):
        option, length = struct.unpack_from("!BB", message, place)
        if not length:
            return None
        if option == _TARGET_MAC and length == 1:
            return socket.inet_ntop(socket.AF_INET6, target), format_mac(message[place + 2 : place + 8])
        place += 8 * length
    return None


def claims_program(claimed):
    """The kernel's filter that passes advertisements of one of the addresses; our own MAC addresses are not in it.

    A MAC address stands in an option, wherever it likes.
    """
    kind = socket_filter.equal(0, struct.pack("!BB", ADVERTISEMENT, 0))
    return socket_filter.build(
        kind, [socket_filter.equal(8, socket.inet_pton(socket.AF_INET6, address)) for address in claimed]
    )


def passes_only(kind):
    """The kernel's filter (struct icmp6_filter: a set bit is kept out) that lets one type of message through."""
    words = [0xFFFFFFFF] * 8
    words[kind >> 5] &= ~(1 << (kind & 31)) & 0xFFFFFFFF
    return struct.pack("=8I", *words)


def source_address(interface, address, virtual=()):
    """The interface's own address to ask from: link-local first, as the kernel does; None when it has none."""
    own = [entry["address"] for entry in addresses.own_addresses(interface, virtual)]
    local = [entry for entry in own if addresses.in_subnet(entry, "fe80::", 10)]
    return local[0] if local else addresses.source_address(interface, address, virtual)


def open_socket(interface, source, program=None):
    """A raw socket that hears Neighbor Advertisements on one interface and speaks from that address.

    Of what it hears, what passes the kernel's filter.
    """
    try:
        opened = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    except (IOError, OSError) as exc:
        raise NodeError("ND on %s: no raw socket (%s); run as root or with CAP_NET_RAW" % (interface, exc.strerror))
    try:
        index = interface_index(interface)
        if program is not None:
            socket_filter.attach(opened, program)
        opened.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, passes_only(ADVERTISEMENT))
        opened.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, interface.encode("ascii") + b"\0")
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, HOP_LIMIT)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        # Our own kernel has the address that is asked for, and its answer is of no interest.
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        if hasattr(opened, "recvmsg"):
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        opened.bind((source, 0, 0, index))
        opened.setblocking(False)
    except (IOError, OSError) as exc:
        opened.close()
        raise NodeError(
            "ND on %s: cannot ask from %s (%s); see that the interface is up and has the address"
            % (interface, source, exc.strerror)
        )
    return opened


def receive_message(opened):
    """(message, hop limit, None where this Python cannot ask for it)."""
    if not hasattr(opened, "recvmsg"):
        return opened.recv(2048), None
    message, extra = opened.recvmsg(2048, 64)[:2]
    limits = [
        struct.unpack("=i", data[:4])[0]
        for level, kind, data in extra
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)
    ]
    return message, limits[0] if limits else None


def is_router(interface):
    """Whether this host forwards what comes by that interface: an advertisement that denies it ends routes to it."""
    try:
        with io.open("/proc/sys/net/ipv6/conf/%s/forwarding" % interface, encoding="ascii") as source:
            return source.read().strip() not in ("", "0")
    except (IOError, OSError):
        return False


class Asker(object):
    """One question, who has this address, that can be asked again; never blocks. Used as arp.Asker is."""

    def __init__(self, interface, mac, own_address, target_address, opener=open_socket):
        if own_address is None:
            raise NodeError(
                "ND on %s: it has no IPv6 address of its own to ask from; enable IPv6 on the interface" % interface
            )
        self._mac = mac
        self._target = target_address
        self._message = build_solicitation(mac, target_address)
        self._interface = interface
        self._socket = opener(interface, own_address)

    def fileno(self):
        return self._socket.fileno()

    def send(self):
        """Ask once."""
        try:
            self._socket.sendto(self._message, (solicited_node(self._target), 0))
        except (IOError, OSError) as exc:
            raise NodeError(
                "ND on %s: cannot send (%s); see that the interface is up" % (self._interface, exc.strerror)
            )

    def receive(self):
        """The other machines' MAC addresses among the answers that have come so far."""
        answers = set()
        for _message in range(arp.AT_ONCE):
            try:
                message, hop_limit = receive_message(self._socket)
            except (IOError, OSError) as exc:
                if exc.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR):
                    return answers
                raise NodeError(
                    "ND on %s: cannot listen (%s); see that the interface is up" % (self._interface, exc.strerror)
                )
            mac = parse_advertisement(message, self._target) if hop_limit in (None, HOP_LIMIT) else None
            if mac is not None and mac != self._mac:
                answers.add(mac)
        return answers

    def close(self):
        self._socket.close()


class Claims(arp.Claims):
    """Whoever else says on an interface that one of the IPv6 addresses is his. Used as arp.Claims is."""

    protocol = "ND"

    def __init__(self, interface, mac, own, claimed, opener=open_socket, router=None):
        self._mac, self._own, self._interface = mac, frozenset(own), interface
        self._router = is_router if router is None else router
        # Bound to no address, so that it hears all that is for this host.
        self._socket = opener(interface, _ANY, claims_program(claimed))

    def _next(self):
        message, hop_limit = receive_message(self._socket)
        return parse_claim(message) if hop_limit in (None, HOP_LIMIT) else None

    def _send(self, address):
        message = build_announcement(self._mac, address, self._router(self._interface))
        self._socket.sendto(message, (_EVERYBODY, 0))
