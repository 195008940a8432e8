# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses by rtnetlink: messages, the kernel's answers, and what is said about them."""

from __future__ import absolute_import, division, print_function

import errno
import select
import socket
import struct
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import netlink
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type


def parts(message):
    """(length, type, flags), (family, prefix, scope, index), {attribute: data}."""
    length, kind, flags = struct.unpack_from("=IHH", message)
    family, prefix, _flags, scope, index = struct.unpack_from("=BBBBI", message, 16)
    attributes, place = {}, 24
    while place < len(message):
        size, name = struct.unpack_from("=HH", message, place)
        attributes[name] = message[place + 4 : place + size]
        place += (size + 3) // 4 * 4
    return (length, kind, flags), (family, prefix, scope, index), attributes


def answer(number, kind=2):
    return struct.pack("=IHHIIi", 36, kind, 0, 1, 0, -number) + b"\0" * 16


class NewsTest(unittest.TestCase):
    def setUp(self):
        try:
            self.news = netlink.AddressNews()
        except NodeError as exc:
            self.skipTest(str(exc))
        self.addCleanup(self.news.close)

    def test_nothing_is_heard_where_nothing_happens(self):
        self.assertEqual(select.select([self.news], [], [], 0)[0], [])
        self.news.drain()

    def test_whatever_is_heard_is_taken_once(self):
        here, there = socket.socketpair()
        self.addCleanup(there.close)
        here.setblocking(False)
        self.news.close()
        self.news._talk = here
        for _time in range(3):
            there.send(b"an address")
        self.assertEqual(select.select([self.news], [], [], 1)[0], [self.news])
        self.news.drain()
        self.assertEqual(select.select([self.news], [], [], 0)[0], [])

    def test_what_was_lost_is_no_reason_to_be_silent(self):
        class Talk(object):
            def __init__(self, numbers):
                self.numbers = numbers

            def recv(self, _size):
                raise OSError(self.numbers.pop(0), "no")

            def close(self):
                pass

        self.news.close()
        self.news._talk = Talk([errno.ENOBUFS, errno.EINTR, errno.EAGAIN])
        self.news.drain()
        self.news._talk = Talk([errno.EBADF])
        with self.assertRaises(NodeError) as caught:
            self.news.drain()
        self.assertIn("the kernel tells no more of changes", str(caught.exception))


class MessageTest(unittest.TestCase):
    def test_puts_an_address_back(self):
        for address, prefix, marks in (("192.0.2.100", 24, 0), ("2001:db8::100", 64, 2)):
            message = netlink.restoration(address, prefix, 7)
            family, packed = netlink._pack(address)
            self.assertEqual(parts(message)[1:], ((family, prefix, 0, 7), {1: packed, 2: packed}))
            self.assertEqual(struct.unpack_from("=B", message, 18)[0], marks)

    def test_takes_an_address_away(self):
        message = netlink.removal("192.0.2.100", 24, 7)
        packed = socket.inet_aton("192.0.2.100")
        self.assertEqual(parts(message), (
            (len(message), 21, 0x5), (socket.AF_INET, 24, 0, 7), {1: packed, 2: packed}))

    def test_adds_one_that_is_no_source(self):
        message = netlink.addition("192.0.2.100", 1)
        packed = socket.inet_aton("192.0.2.100")
        self.assertEqual(parts(message), (
            (len(message), 20, 0x605), (socket.AF_INET, 32, 254, 1), {1: packed, 2: packed}))
        message = netlink.addition("2001:db8::100", 1)
        packed = socket.inet_pton(socket.AF_INET6, "2001:db8::100")
        self.assertEqual(parts(message), (
            (len(message), 20, 0x605), (socket.AF_INET6, 128, 0, 1),
            {1: packed, 2: packed, 6: struct.pack("=IIII", 0, 0xFFFFFFFF, 0, 0)}))

    def test_restores_one_as_keepalived_adds_it(self):
        packed = socket.inet_pton(socket.AF_INET6, "2001:db8::100")
        message = netlink.restoration("2001:db8::100", 64, 7)
        self.assertEqual(parts(message), (
            (len(message), 20, 0x605), (socket.AF_INET6, 64, 0, 7), {1: packed, 2: packed}))
        self.assertEqual(bytearray(message)[18], 0x02)  # no duplicate address detection
        message = netlink.restoration("2001:db8::100", 128, 7)
        self.assertEqual(parts(message)[2][6], struct.pack("=IIII", 0, 0xFFFFFFFF, 0, 0))
        self.assertEqual(bytearray(netlink.addition("2001:db8::100", 1))[18], 0)

    def test_reads_the_answer(self):
        for number in (0, errno.EPERM):
            self.assertEqual(netlink.result(answer(number)), number)
        for junk in (b"", answer(0)[:10], answer(0, kind=20)):
            self.assertEqual(netlink.result(junk), errno.EBADMSG)


class ChangeTest(unittest.TestCase):
    def change(self, number, accepted=(), index=lambda name: 7):
        netlink.change("removing 192.0.2.100/24 from eth0", lambda index: b"7",
                       "eth0", accepted, ask=lambda message: number, index=index)

    def refusal(self, *arguments, **named):
        with self.assertRaises(NodeError) as caught:
            self.change(*arguments, **named)
        return str(caught.exception)

    def test_what_is_so_already_is_no_error(self):
        self.change(0)
        self.change(errno.EADDRNOTAVAIL, (errno.EADDRNOTAVAIL,))

    def test_says_what_failed(self):
        self.assertEqual(self.refusal(errno.EPERM),
                         "removing 192.0.2.100/24 from eth0: failed (Operation not permitted)")

    def test_an_interface_that_is_gone_has_no_addresses(self):
        def gone(_name):
            raise IOError(errno.ENOENT, "No such file or directory")

        self.change(0, (errno.ENODEV,), index=gone)
        self.assertIn("failed (No such file", self.refusal(0, (errno.EEXIST,), index=gone))

    def test_asks_the_real_kernel(self):
        try:
            number = netlink.ask_kernel(netlink.removal("192.0.2.100", 32, netlink.interface_index("lo")))
        except (IOError, OSError) as exc:
            self.skipTest("no netlink here: %s" % exc)
        self.assertIn(number, (errno.EADDRNOTAVAIL, errno.EPERM))
