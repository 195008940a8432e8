# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the link who answers for an IPv4 address, and count the answers: two answering machines are two owners."""

from __future__ import absolute_import, division, print_function

import binascii
import errno
import select
import socket
import struct
import time

from . import socket_filter
from .errors import NodeError

__metaclass__ = type

ETHERTYPE_ARP = 0x0806
REQUESTS = 3
# How long answers are still heard after the last request: a second owner may answer late.
LISTEN_AFTER_LAST = 0.3

# How many packets are taken at once: a flood must not keep anybody from the rest of his work.
AT_ONCE = 512

_REQUEST, _REPLY = 1, 2
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET = struct.Struct("!6s6sH")
_BROADCAST = b"\xff" * 6


def pack_mac(text):
    """Six bytes of aa:bb:cc:dd:ee:ff."""
    return binascii.unhexlify(text.replace(":", "").encode("ascii"))


def format_mac(packed):
    """aa:bb:cc:dd:ee:ff of six bytes."""
    digits = binascii.hexlify(packed).decode("ascii")
    return ":".join(digits[index : index + 2] for index in range(0, 12, 2))


def build_request(source_mac, source_address, target_address):
    """The frame of an ARP request.

    The sender address is the interface's own or 0.0.0.0 (a probe), never the asked one: a request with the VIP as its
    sender would advertise this host as the owner to everyone who hears it.
    """
    mac = pack_mac(source_mac)
    return _ETHERNET.pack(_BROADCAST, mac, ETHERTYPE_ARP) + _ARP.pack(
        1,
        0x0800,
        6,
        4,
        _REQUEST,
        mac,
        socket.inet_aton(source_address or "0.0.0.0"),
        b"\0" * 6,
        socket.inet_aton(target_address),
    )


def parse_reply(frame, asked_address):
    """The MAC address that claims the asked address in this frame, or None when the frame is not such a reply."""
    if len(frame) < _ETHERNET.size + _ARP.size:
        return None
    if _ETHERNET.unpack_from(frame)[2] != ETHERTYPE_ARP:
        return None
    hardware, protocol, mac_size, address_size, operation, mac, sender, _target_mac, _target = _ARP.unpack_from(
        frame, _ETHERNET.size
    )
    if (hardware, protocol, mac_size, address_size, operation) != (1, 0x0800, 6, 4, _REPLY):
        return None
    if sender != socket.inet_aton(asked_address):
        return None
    return format_mac(mac)


def build_announcements(mac, address):
    """Gratuitous ARP, as a request and as an unasked answer: some machines believe one, some the other."""
    source, packed = pack_mac(mac), socket.inet_aton(address)
    return [
        _ETHERNET.pack(_BROADCAST, source, ETHERTYPE_ARP)
        + _ARP.pack(1, 0x0800, 6, 4, operation, source, packed, asked, packed)
        for operation, asked in ((_REQUEST, b"\0" * 6), (_REPLY, source))
    ]


def parse_claim(frame):
    """(address, MAC address) of its sender, whatever the frame asks or answers; None when it is no ARP of Ethernet."""
    if len(frame) < _ETHERNET.size + _ARP.size or _ETHERNET.unpack_from(frame)[2] != ETHERTYPE_ARP:
        return None
    fields = _ARP.unpack_from(frame, _ETHERNET.size)
    if fields[:4] != (1, 0x0800, 6, 4) or fields[4] not in (_REQUEST, _REPLY):
        return None
    return socket.inet_ntoa(fields[6]), format_mac(fields[5])


def claims_program(addresses, own):
    """The kernel's filter that passes ARP whose sender has one of the addresses and none of these MAC addresses."""
    kind = struct.pack("!HBB", 0x0800, 6, 4)
    return socket_filter.build(
        socket_filter.equal(12, struct.pack("!HH", ETHERTYPE_ARP, 1)) + socket_filter.equal(16, kind),
        [socket_filter.equal(28, socket.inet_aton(address)) for address in addresses],
        [socket_filter.equal(22, pack_mac(mac)) for mac in own],
    )


def request_times(timeout):
    """When the requests go out, in seconds from the start, so that the last one still has its listening window."""
    last = max(0.0, timeout - LISTEN_AFTER_LAST)
    return [last * index / (REQUESTS - 1) for index in range(REQUESTS)]


def open_socket(interface, program=None):
    """A raw socket that hears and speaks ARP on one interface; of what it hears, what passes the kernel's filter."""
    if not hasattr(socket, "AF_PACKET"):
        raise NodeError("ARP on %s: this Python has no AF_PACKET sockets; ask from a Linux host" % interface)
    try:
        # Of no protocol yet, so that nothing is heard before it is bound.
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except (IOError, OSError) as exc:
        raise NodeError("ARP on %s: no raw socket (%s); run as root or with CAP_NET_RAW" % (interface, exc.strerror))
    try:
        if program is not None:
            socket_filter.attach(opened, program)
        opened.bind((interface, ETHERTYPE_ARP))
        opened.setblocking(False)
    except (IOError, OSError) as exc:
        opened.close()
        raise NodeError(
            "ARP on %s: cannot use the interface (%s); name one that is there and up" % (interface, exc.strerror)
        )
    return opened


class Asker(object):
    """One question, who has this address, that can be asked again; never blocks."""

    def __init__(self, interface, mac, source_address, target_address, opener=open_socket):
        self._mac = mac
        self._target = target_address
        self._frame = build_request(mac, source_address, target_address)
        self._interface = interface
        self._socket = opener(interface)

    def fileno(self):
        return self._socket.fileno()

    def send(self):
        """Ask once."""
        try:
            self._socket.send(self._frame)
        except (IOError, OSError) as exc:
            raise NodeError(
                "ARP on %s: cannot send (%s); see that the interface is up" % (self._interface, exc.strerror)
            )

    def receive(self):
        """The other machines' MAC addresses among the answers that have come so far."""
        answers = set()
        for _frame in range(AT_ONCE):
            try:
                frame = self._socket.recv(2048)
            except (IOError, OSError) as exc:
                if exc.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR):
                    return answers
                raise NodeError(
                    "ARP on %s: cannot listen (%s); see that the interface is up" % (self._interface, exc.strerror)
                )
            mac = parse_reply(frame, self._target)
            if mac is not None and mac != self._mac:
                answers.add(mac)
        return answers

    def close(self):
        self._socket.close()


class Claims(object):
    """Whoever else says on an interface that one of the addresses is his, and our own word against it."""

    protocol = "ARP"

    def __init__(self, interface, mac, own, addresses, opener=open_socket):
        self._mac, self._own, self._interface = mac, frozenset(own), interface
        self._socket = opener(interface, claims_program(addresses, sorted(self._own)))

    def fileno(self):
        return self._socket.fileno()

    def receive(self):
        """{address: MAC addresses of other machines that claim it} of what has come so far."""
        claims = {}
        for _packet in range(AT_ONCE):
            try:
                claim = self._next()
            except (IOError, OSError) as exc:
                if exc.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR):
                    break
                raise self._problem("listen", exc)
            if claim is not None and claim[1] not in self._own:
                claims.setdefault(claim[0], set()).add(claim[1])
        return claims

    def announce(self, address):
        """Tell everybody that the address is here."""
        try:
            self._send(address)
        except (IOError, OSError) as exc:
            raise self._problem("send", exc)

    def _problem(self, what, exc):
        return NodeError(
            "%s on %s: cannot %s (%s); see that the interface is up"
            % (self.protocol, self._interface, what, exc.strerror)
        )

    def _next(self):
        return parse_claim(self._socket.recv(2048))

    def _send(self, address):
        for frame in build_announcements(self._mac, address):
            self._socket.send(frame)

    def close(self):
        self._socket.close()


def ask(askers, timeout, clock=None, wait=None):
    """{key: sorted MAC addresses that answer} for {key: asker}.

    The timeout is never cut short, or a second owner is missed.
    """
    clock = clock or getattr(time, "monotonic", time.time)
    wait = wait or (lambda sources, seconds: select.select(sources, [], [], seconds))
    answers = {key: set() for key in askers}
    start, times = clock(), request_times(timeout)
    end = max(timeout, times[-1])
    while True:
        elapsed = clock() - start
        if times and elapsed >= times[0]:
            times.pop(0)
            for asker in askers.values():
                asker.send()
            continue
        if elapsed >= end:
            return {key: sorted(heard) for key, heard in answers.items()}
        wait(list(askers.values()), max(0.0, (times[0] if times else end) - elapsed))
        for key, asker in askers.items():
            answers[key] |= asker.receive()
