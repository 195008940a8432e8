# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of addresses by rtnetlink: what is asked, and what is read out of the kernel's messages."""

from __future__ import absolute_import, division, print_function

import errno
import os
import socket
import struct
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import rtnetlink
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type

NEW, DELETE, DONE, ERROR = 20, 21, 3, 2
MULTIPART, INTERRUPTED = 0x2, 0x10
SEQUENCE = 77
V4 = socket.inet_aton("192.0.2.10")
PEER = socket.inet_aton("192.0.2.20")
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::10")


def header(kind, body, flags=0, sequence=0):
    data = struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 4711) + body
    return data + b"\0" * (-len(data) % 4)


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def address(kind, family, attributes, index=2, prefix=24, marks=0, flags=0, sequence=0):
    body = struct.pack("=BBBBI", family, prefix, marks, 0, index) + b"".join(attributes)
    return header(kind, body, flags, sequence)


class Talk(object):
    """A socket that gives what it was loaded with; an error is raised."""

    def __init__(self, *answers):
        self.answers, self.sent, self.closed = list(answers), [], False

    def recvfrom(self, _size):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def send(self, message):
        self.sent.append(message)

    def close(self):
        self.closed = True


class ParseTest(unittest.TestCase):
    def test_asks_for_everything(self):
        self.assertEqual(
            struct.unpack("=IHHIIBBBBI", rtnetlink.dump_request(5)), (24, 22, 0x301, 5, 0, 0, 0, 0, 0, 0))

    def test_reads_an_ipv4_address_that_comes(self):
        data = address(NEW, socket.AF_INET, [attribute(1, V4), attribute(2, V4), attribute(3, b"eth0\0")])
        self.assertEqual(rtnetlink.parse(data, SEQUENCE), [
            rtnetlink.Address(socket.AF_INET, V4, 2, (24, V4), True, True, False)])

    def test_reads_one_that_goes(self):
        data = address(DELETE, socket.AF_INET6, [attribute(1, V6)], prefix=64)
        self.assertEqual(rtnetlink.parse(data, SEQUENCE), [
            rtnetlink.Address(socket.AF_INET6, V6, 2, (64, V6), False, True, False)])

    def test_the_address_of_a_link_between_two_is_its_own_end(self):
        data = address(NEW, socket.AF_INET, [attribute(1, PEER), attribute(2, V4)], prefix=32)
        self.assertEqual(rtnetlink.parse(data, SEQUENCE)[0].packed, V4)
        self.assertEqual(rtnetlink.parse(data, SEQUENCE)[0].detail, (32, PEER))

    def test_ipv6_counts_when_no_duplicate_was_found(self):
        for marks, usable in ((0x40, False), (0x44, True), (0x48, False), (0x08, False), (0x80, True), (0, True)):
            data = address(NEW, socket.AF_INET6, [attribute(1, V6)], marks=marks)
            self.assertEqual(rtnetlink.parse(data, SEQUENCE)[0].usable, usable, hex(marks))

    def test_tells_its_own_dump_from_the_change_of_another_with_the_same_number(self):
        dumped = address(NEW, socket.AF_INET, [attribute(2, V4)], flags=MULTIPART, sequence=SEQUENCE)
        other = address(NEW, socket.AF_INET, [attribute(2, V4)], sequence=SEQUENCE)
        found = rtnetlink.parse(dumped + other, SEQUENCE)
        self.assertEqual([entry.dumped for entry in found], [True, False])

    def test_reads_the_end_of_its_dump_and_no_other(self):
        done = header(DONE, struct.pack("=i", 0), MULTIPART, SEQUENCE)
        other = header(DONE, struct.pack("=i", 0), MULTIPART, SEQUENCE + 1)
        self.assertEqual(rtnetlink.parse(other + done, SEQUENCE), [rtnetlink.Done(False, 0)])

    def test_reads_that_a_dump_was_interrupted(self):
        part = address(
            NEW, socket.AF_INET, [attribute(2, V4)], flags=MULTIPART | INTERRUPTED, sequence=SEQUENCE)
        self.assertEqual(rtnetlink.parse(part, SEQUENCE)[1], rtnetlink.Done(True, None))
        done = header(DONE, struct.pack("=i", 0), MULTIPART | INTERRUPTED, SEQUENCE)
        self.assertEqual(rtnetlink.parse(done, SEQUENCE), [rtnetlink.Done(True, 0)])

    def test_reads_a_refusal(self):
        data = header(ERROR, struct.pack("=i", -errno.EPERM) + b"\0" * 16, 0, SEQUENCE)
        self.assertEqual(rtnetlink.parse(data, SEQUENCE), [rtnetlink.Done(False, errno.EPERM)])

    def test_junk_is_nothing(self):
        for data in (b"", b"\0" * 16, b"\xff" * 40, header(NEW, b"\x02"), header(99, b""),
                     address(NEW, socket.AF_INET, []), address(NEW, 7, [attribute(2, V4)]),
                     address(NEW, socket.AF_INET, [b"\0\0\0\0"])):
            self.assertEqual(rtnetlink.parse(data, SEQUENCE), [])


class EventsTest(unittest.TestCase):
    def events(self, *answers):
        self.talk = Talk(*answers)
        return rtnetlink.AddressEvents(lambda: self.talk)

    def test_hears_the_kernel_and_nobody_else(self):
        data = address(NEW, socket.AF_INET, [attribute(2, V4)])
        events = self.events((data, (0, 16)), (data, (4711, 16)), OSError(errno.EAGAIN, "nothing"))
        self.assertEqual([entry.packed for entry in events.receive()], [V4])
        self.assertEqual(events.receive(), [])
        self.assertIsNone(events.receive())

    def test_says_that_messages_were_lost(self):
        events = self.events(OSError(errno.ENOBUFS, "full"), OSError(errno.EINTR, "signal"), OSError(errno.EBADF, "x"))
        self.assertRaises(rtnetlink.LostError, events.receive)
        self.assertEqual(events.receive(), [])
        self.assertRaises(OSError, events.receive)

    def test_every_dump_has_a_number_of_its_own(self):
        events = self.events()
        events.ask()
        events.ask()
        first, second = [struct.unpack_from("=I", message, 8)[0] for message in self.talk.sent]
        self.assertNotEqual(first, second)

    def test_closes_its_socket(self):
        events = self.events()
        events.close()
        self.assertTrue(self.talk.closed)

    def test_a_host_without_netlink_is_refused(self):
        def refuse():
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported")

        with self.assertRaises(NodeError) as caught:
            rtnetlink.AddressEvents(refuse)
        self.assertEqual(
            str(caught.exception),
            "netlink on this host: no socket (Address family not supported); see what confines this process")


@unittest.skipUnless(os.path.isdir("/sys/class/net/lo"), "this machine has no Linux network")
class KernelTest(unittest.TestCase):
    """The kernel that runs the tests: its answer is read, nothing is changed."""

    def test_names_interfaces(self):
        with open("/sys/class/net/lo/ifindex") as source:
            index = int(source.read())
        self.assertEqual(rtnetlink.interface_name(index), "lo")
        self.assertIsNone(rtnetlink.interface_name(0x7FFFFFFE))

    def test_finds_the_loopback_address(self):
        events = rtnetlink.AddressEvents()
        self.addCleanup(events.close)
        self.assertIsNone(events.receive())
        events.ask()
        found = []
        for _turn in range(100):
            events.wait(0.1)
            found += events.receive() or []
            if any(isinstance(entry, rtnetlink.Done) and entry.error is not None for entry in found):
                break
        self.assertIn(rtnetlink.Done(False, 0), found)
        held = [entry for entry in found if entry[:2] == (socket.AF_INET, socket.inet_aton("127.0.0.1"))]
        self.assertTrue(held and all(entry.dumped and entry.added for entry in held))


if __name__ == "__main__":
    unittest.main()
