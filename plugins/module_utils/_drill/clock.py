# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By how much the clocks of other hosts differ from this one's, asked from their kernels by ICMP timestamps.

Nothing has to be installed there, nobody has to log in, and a busy host answers as fast as an idle one.
"""

from __future__ import absolute_import, division, print_function

import errno
import os
import select
import socket
import struct
import time

from .._node.addresses import parse_address
from .._node.errors import NodeError
from .._node.probes import checksum

__metaclass__ = type

SAMPLES, TIMEOUT = 8, 0.5
_REQUEST, _REPLY = 13, 14
_MESSAGE = struct.Struct("!BBHHHIII")
_DAY = 86400000
# Set by a host whose time is not that since midnight UTC.
_OTHER_TIME = 0x80000000
# The answer is cut to whole milliseconds: on average it is half of one too early.
_RESOLUTION = 0.001
# A host that has answered none of so many is not asked again.
_PATIENCE = 3
_PAUSE = 0.01


class Link(object):
    """A raw socket, and the clocks of this host."""

    def __init__(self):
        try:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        except (IOError, OSError) as exc:
            if exc.errno not in (errno.EPERM, errno.EACCES):
                raise NodeError("ICMP on this host: no socket (%s); see what confines this process" % exc.strerror)
            raise NodeError(
                "ICMP on this host: user %d may not open a raw socket (%s); run as root, or with CAP_NET_RAW"
                % (os.geteuid(), exc.strerror)
            )

    def send(self, address, message):
        self._socket.sendto(message, (address, 0))

    def receive(self, timeout):
        """(packet, address) or None."""
        try:
            if not select.select([self._socket], [], [], max(0.0, timeout))[0]:
                return None
            packet, sender = self._socket.recvfrom(4096)
        except (IOError, OSError, select.error) as exc:
            if exc.args[0] != errno.EINTR:
                raise
            return None
        return packet, sender[0]

    def close(self):
        self._socket.close()

    wall = staticmethod(time.time)
    monotonic = staticmethod(getattr(time, "monotonic", time.time))
    sleep = staticmethod(time.sleep)


def since_midnight(moment):
    """Milliseconds since midnight UTC of unix seconds, whole."""
    return int(moment * 1000) % _DAY


def request(identifier, sequence, moment):
    """The message that asks for the time."""

    def parts(total):
        return _MESSAGE.pack(_REQUEST, 0, total, identifier, sequence, since_midnight(moment), 0, 0)

    return parts(checksum(parts(0)))


def parse_reply(packet, identifier, sequence):
    """The time in the reply to that request, None when the packet is something else."""
    if not packet:
        return None
    begin = 4 * (struct.unpack("!B", packet[:1])[0] & 0x0F)
    if len(packet) < begin + _MESSAGE.size:
        return None
    kind, code, _total, number, turn, _asked, received, _sent = _MESSAGE.unpack_from(packet, begin)
    if (kind, code, number, turn) != (_REPLY, 0, identifier, sequence):
        return None
    return received


def difference(theirs, sent_at, round_trip):
    """Their clock minus ours in seconds, -43200 to 43200: the time of day is all that they say."""
    middle = (sent_at + round_trip / 2) % 86400
    apart = (theirs / 1000.0 + _RESOLUTION / 2 - middle) % 86400
    return apart - 86400 if apart > 43200 else apart


def measure(addresses, samples=SAMPLES, timeout=TIMEOUT, open_link=Link, identifier=None):
    """{address: offset, uncertainty, round_trip, samples, problem}; offset is that host's clock minus this host's."""
    if not addresses:
        raise NodeError("addresses: names none; give one IPv4 address of each host whose clock is wanted")
    if not 1 <= samples <= 100:
        raise NodeError("samples: %d is not in 1..100; 8 are enough on a quiet network" % samples)
    if not 0 < timeout <= 10:
        raise NodeError("timeout: %g is not in 0..10 s; give the time to wait for one answer" % timeout)
    for index, address in enumerate(addresses):
        if parse_address(address) is None:
            raise NodeError("addresses[%d]: %s is not an IP address; write one, without prefix" % (index, address))
    link = open_link()
    first = identifier if identifier is not None else struct.unpack("!H", os.urandom(2))[0]
    try:
        return {
            str(address): _ask(link, str(address), samples, timeout, (first + index) & 0xFFFF)
            for index, address in enumerate(addresses)
        }
    finally:
        link.close()


def _ask(link, address, samples, timeout, identifier):
    if ":" in address:
        return _result([], "%s: IPv6 has no question for the time; give an IPv4 address of that host" % address)
    found, asked = [], 0
    for sequence in range(1, samples + 1):
        if asked == _PATIENCE and not found:
            break
        if asked:
            link.sleep(_PAUSE)
        asked += 1
        try:
            sample = _exchange(link, address, identifier, sequence, timeout)
        except (IOError, OSError) as exc:
            return _result(
                found, "%s: cannot be asked (%s); give an address that this host has a route to"
                % (address, exc.strerror or exc)
            )
        if sample is None:
            continue
        if sample[2] is None:
            return _result(
                [], "%s: answers with a time that is not that since midnight UTC; it cannot be compared" % address
            )
        found.append(sample)
    problem = None
    if not found:
        problem = (
            "%s: did not answer %d questions for its time within %g s each; let ICMP timestamps (type 13 in, "
            "14 out) through from this host" % (address, asked, timeout)
        )
    return _result(found, problem)


def _exchange(link, address, identifier, sequence, timeout):
    """(round trip, when it was asked, time of day in milliseconds or None); None when there was no answer."""
    sent_at, begin = link.wall(), link.monotonic()
    link.send(address, request(identifier, sequence, sent_at))
    while True:
        left = timeout - (link.monotonic() - begin)
        if left <= 0:
            return None
        got = link.receive(left)
        round_trip = link.monotonic() - begin
        if got is None or got[1] != address:
            continue
        theirs = parse_reply(got[0], identifier, sequence)
        if theirs is None:
            continue
        usable = not theirs & _OTHER_TIME and theirs < _DAY
        return round_trip, sent_at, theirs if usable else None


def _result(found, problem):
    if not found:
        return {"offset": None, "uncertainty": None, "round_trip": None, "samples": 0, "problem": problem}
    # The quickest answer: what it can be wrong by is half of the way there and back.
    round_trip, sent_at, theirs = min(found)
    return {
        "offset": difference(theirs, sent_at, round_trip),
        "uncertainty": round_trip / 2 + _RESOLUTION,
        "round_trip": round_trip,
        "samples": len(found),
        "problem": None,
    }
