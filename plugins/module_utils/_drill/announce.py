# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Announcing an address that is not ours, as a machine does that was given it by mistake. Frames, nothing is sent."""

from __future__ import absolute_import, division, print_function

import binascii
import socket
import struct

from .._node import addresses
from .._node.arp import build_announcements, pack_mac
from .._node.nd import HOP_LIMIT, build_announcement

__metaclass__ = type

INTERVAL = 0.2
_ICMPV6 = 58

# Runs beside us and after us, on any Python of a node, with no more than this.
SENDER = '''# Sends frames again and again. Written by duplex.ha_pair; it is gone after a reboot.
import binascii
import socket
import sys
import time

interface, interval = sys.argv[1], float(sys.argv[2])
frames = [binascii.unhexlify(word.encode("ascii")) for word in sys.argv[3:]]
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind((interface, 0))
while True:
    for frame in frames:
        try:
            link.send(frame)
        except (IOError, OSError):
            pass  # the link may come back
    time.sleep(interval)
'''


def checksum(data):
    """The Internet checksum of RFC 1071."""
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def unsolicited_advertisement(mac, address):
    """A Neighbor Advertisement to all nodes that overrides what they know."""
    packed, source = socket.inet_pton(socket.AF_INET6, address), pack_mac(mac)
    everybody = socket.inet_pton(socket.AF_INET6, "ff02::1")
    message = build_announcement(mac, address)
    value = checksum(packed + everybody + struct.pack("!II", len(message), _ICMPV6) + message)
    return [
        struct.pack("!6s6sH", b"\x33\x33\0\0\0\x01", source, 0x86DD)
        + struct.pack("!IHBB16s16s", 0x60000000, len(message), _ICMPV6, HOP_LIMIT, packed, everybody)
        + message[:2]
        + struct.pack("!H", value)
        + message[4:]
    ]


def frames(mac, address):
    """What announces the address, as words for the command line of SENDER."""
    version = addresses.parse_address(address)[0]
    made = build_announcements(mac, address) if version == 4 else unsolicited_advertisement(mac, address)
    return [binascii.hexlify(frame).decode("ascii") for frame in made]
