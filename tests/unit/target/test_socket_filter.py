# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's packet filter: judged by an interpreter of our own, and by a kernel where it lets us."""

from __future__ import absolute_import, division, print_function

import errno
import select
import socket
import struct
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import arp, nd, socket_filter

__metaclass__ = type

VIP, OTHER = "192.0.2.10", "192.0.2.11"
VIP6 = "2001:db8::10"
OURS, THEIRS = "52:54:00:00:00:01", "52:54:00:00:00:66"
SIZES = {0x30: "!B", 0x28: "!H", 0x20: "!I"}


def verdict(program, packet):
    """How many bytes of the packet pass, as the kernel would decide; and every jump must stay inside."""
    code = [struct.unpack_from("=HBBI", program, place) for place in range(0, len(program), 8)]
    place, value = 0, None
    while True:
        operation, true, false, operand = code[place]
        place += 1
        if operation == 0x06:
            return operand
        if operation == 0x05:
            place += operand
        elif operation == 0x15:
            place += true if value == operand else false
        else:
            form = SIZES[operation]
            if operand + struct.calcsize(form) > len(packet):
                return 0
            value = struct.unpack_from(form, packet, operand)[0]


class BuildTest(unittest.TestCase):
    def test_bytes_become_conditions(self):
        self.assertEqual(
            socket_filter.equal(22, b"\1\2\3\4\5\6\7"), [(22, 4, 0x01020304), (26, 2, 0x0506), (28, 1, 7)])

    def test_all_of_one_of_none_of(self):
        program = socket_filter.build([(0, 1, 1)], [[(1, 1, 2)], [(1, 1, 3), (2, 1, 4)]], [[(3, 1, 9)]])
        for packet, passes in (
            (b"\1\2\0\0", True), (b"\1\3\4\0", True), (b"\1\3\5\0", False), (b"\1\4\4\0", False), (b"\0\2\0\0", False),
            (b"\1\2\0\11", False), (b"\1\3\4\11", False), (b"\1", False), (b"", False),
        ):
            self.assertEqual(bool(verdict(program, packet)), passes, packet)

    def test_many_alternatives_are_no_matter(self):
        program = socket_filter.build([], [[(0, 2, number), (2, 1, 0)] for number in range(600)])
        for number, passes in ((0, True), (599, True), (600, False)):
            self.assertEqual(bool(verdict(program, struct.pack("!HB", number, 0))), passes)


class ArpTest(unittest.TestCase):
    program = arp.claims_program([VIP, OTHER], [OURS, "52:54:00:00:00:02"])

    def passes(self, frame):
        return bool(verdict(self.program, frame))

    def test_every_claim_of_another_machine_passes(self):
        for address in (VIP, OTHER):
            for frame in arp.build_announcements(THEIRS, address):
                self.assertTrue(self.passes(frame))
        # A question about something else, whose sender is the VIP, fills the tables of all who hear it as well.
        self.assertTrue(self.passes(arp.build_request(THEIRS, VIP, "192.0.2.1")))

    def test_nothing_else_wakes_us(self):
        request = arp.build_request(THEIRS, "192.0.2.77", VIP)
        frames = arp.build_announcements(OURS, VIP) + arp.build_announcements("52:54:00:00:00:02", OTHER)
        frames += [request, arp.build_request(THEIRS, None, VIP), request[:20], b""]
        frames.append(arp.build_announcements(THEIRS, VIP)[0].replace(b"\x08\x06", b"\x08\0", 1))
        for frame in frames:
            self.assertFalse(self.passes(frame))


class NdTest(unittest.TestCase):
    def test_advertisements_of_our_addresses_pass(self):
        program = nd.claims_program([VIP6, "2001:db8::11"])
        for address, passes in ((VIP6, True), ("2001:db8::11", True), ("2001:db8::12", False)):
            self.assertEqual(bool(verdict(program, nd.build_announcement(THEIRS, address))), passes)
        self.assertFalse(verdict(program, nd.build_solicitation(THEIRS, VIP6)))


class KernelTest(unittest.TestCase):
    def test_the_kernel_takes_it_and_applies_it(self):
        program = arp.claims_program([VIP], [OURS])
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(here.close)
        self.addCleanup(there.close)
        try:
            socket_filter.attach(here, program)
        except (IOError, OSError) as exc:
            self.skipTest("no packet filter here: %s" % exc)
        there.settimeout(1)
        for frame in (arp.build_announcements(OURS, VIP)[0], arp.build_announcements(THEIRS, OTHER)[0]):
            refused = False
            try:
                there.send(frame)
            except (IOError, OSError) as exc:
                refused = exc.errno  # what a filter keeps out may be told to the sender
            self.assertIn(refused, (False, errno.EPERM))
        self.assertEqual(select.select([here], [], [], 0)[0], [])
        frame = arp.build_announcements(THEIRS, VIP)[0]
        there.send(frame)
        self.assertEqual(here.recv(100), frame)
