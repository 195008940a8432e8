# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to ask once: HTTP or TCP on a connection of its own, or an ICMP echo with a number of its own."""

from __future__ import absolute_import, division, print_function

import errno
import os
import socket
from collections import deque

from .._node.errors import NodeError
from .._node.probes import echo_message, is_echo
from .wire import READ, UNNAMED, BrokenError, Connection

__metaclass__ = type

IN_TIME = "no answer in time"
_ICMP = {socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0), socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129)}


class Request(object):
    """One request: when it was due and sent (monotonic seconds; `at` is unix time), and what came of it."""

    __slots__ = ("asked", "at", "counted", "deadline", "done", "due", "node", "ok", "reason", "sent")

    def __init__(self, due, sent, at, deadline, counted=True):
        self.due, self.sent, self.at, self.deadline, self.counted = due, sent, at, deadline, counted
        self.done, self.ok, self.node, self.reason, self.asked = None, False, None, None, None

    def answered(self, now, node):
        self.done, self.ok, self.node, self.asked = now, True, node, None

    def failed(self, now, reason):
        self.done, self.reason, self.asked = now, reason, None


class _Question(object):
    """A request on its connection."""

    __slots__ = ("_asker", "_request", "connection")

    def __init__(self, asker, request):
        self._asker, self._request, self.connection = asker, request, None

    def on_event(self):
        request, connection = self._request, self.connection
        if request.done is not None:
            if connection.over():
                connection.close()
            return
        try:
            if not connection.proceed():
                return
            target, now = self._asker.target, self._asker.clock.monotonic()
            request.answered(now, connection.answer.node(target.header) if target.speaks_http else UNNAMED)
        except BrokenError as exc:
            request.failed(self._asker.clock.monotonic(), str(exc))
            connection.close()
            return
        if not target.speaks_http or connection.ended or not connection.answer.complete:
            connection.close()
        else:
            # The other side closes, and keeps the port in TIME_WAIT; the client has none to spare.
            self._asker.drain(self)

    def give_up(self, now):
        self._request.failed(now, IN_TIME)
        self.connection.close()


class ConnectionAsker(object):
    """http, https and tcp."""

    def __init__(self, loop, clock, target, timeout):
        self.target, self.clock = target, clock
        self._loop, self._timeout, self._message = loop, timeout, target.message()
        self._draining = deque()

    def ask(self, request):
        question = _Question(self, request)
        try:
            question.connection = Connection(self._loop, question, self.target, self._message)
        except BrokenError as exc:
            request.failed(self.clock.monotonic(), str(exc))
            return
        request.asked = question

    def drain(self, question):
        self._draining.append((self.clock.monotonic() + self._timeout, question.connection))

    def tidy(self, now):
        """Close what should have been closed by the other side."""
        while self._draining and self._draining[0][0] <= now:
            self._draining.popleft()[1].close()

    def close(self):
        while self._draining:
            self._draining.popleft()[1].close()


class _Ping(object):
    __slots__ = ("_asker", "_request", "sequence")

    def __init__(self, asker, request, sequence):
        self._asker, self._request, self.sequence = asker, request, sequence

    def answered(self, now):
        self._request.answered(now, UNNAMED)

    def give_up(self, now):
        self._request.failed(now, IN_TIME)
        self._asker.forget(self.sequence)


class EchoAsker(object):
    """icmp: one raw socket, and a number for each request."""

    def __init__(self, loop, clock, target):
        self._loop, self._clock, self._target = loop, clock, target
        protocol, self._kind, self._reply = _ICMP[target.family]
        self._token, self._sequence, self._pending = os.urandom(16), 0, {}
        try:
            self._socket = socket.socket(target.family, socket.SOCK_RAW, protocol)
            # Connected, it hears this address only.
            self._socket.connect((target.place[0], 0) + tuple(target.place[2:]))
        except (IOError, OSError) as exc:
            cure = "run as root" if exc.errno in (errno.EPERM, errno.EACCES) else "see the routes of this host"
            raise NodeError("url: URL %s: no raw socket (%s); %s" % (target.url, os.strerror(exc.errno), cure))
        self._socket.setblocking(False)
        loop.add(self._socket.fileno(), self, READ)

    def ask(self, request):
        self._sequence = (self._sequence + 1) % 65536
        try:
            self._socket.send(echo_message(self._kind, self._sequence, self._token))
        except (IOError, OSError) as exc:
            request.failed(self._clock.monotonic(), os.strerror(exc.errno))
            return
        request.asked = self._pending[self._sequence] = _Ping(self, request, self._sequence)

    def on_event(self):
        for _turn in range(256):
            try:
                packet = self._socket.recv(2048)
            except (IOError, OSError) as exc:
                if exc.errno in (errno.EAGAIN, errno.EINTR):
                    return
                continue  # an error of an earlier packet; its request runs out of time by itself
            # From behind its header, whose length is in its first byte, an IPv4 packet is like an IPv6 one.
            start = 4 * (bytearray(packet[:1])[0] & 0x0F) if packet and self._target.family == socket.AF_INET else 0
            number = bytearray(packet[start + 6 : start + 8])
            ping = self._pending.get(number[0] * 256 + number[1]) if len(number) == 2 else None
            if ping and is_echo(packet, self._target.family, self._reply, ping.sequence, self._token):
                self.forget(ping.sequence)
                ping.answered(self._clock.monotonic())

    def forget(self, sequence):
        self._pending.pop(sequence, None)

    def tidy(self, now):
        """There is nothing to tidy."""

    def close(self):
        self._loop.remove(self._socket.fileno())
        self._socket.close()


def asker(loop, clock, target, timeout):
    """Who asks that target."""
    if target.kind == "icmp":
        return EchoAsker(loop, clock, target)
    return ConnectionAsker(loop, clock, target, timeout)
