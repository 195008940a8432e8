# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neighbor Discovery, byte by byte."""

from __future__ import absolute_import, division, print_function

import binascii
import errno
import socket
import struct
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import arp, nd
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type

VIP = "2001:db8::100"
TARGET = b"20010db8000000000000000000000100"
# Type, code, checksum, flags; target; option.
SOLICITATION = b"".join([b"8700000000000000", TARGET, b"0101525400000001"])
ADVERTISEMENT = b"".join([b"8800abcd60000000", TARGET, b"0201525400000002"])


def message(text):
    return binascii.unhexlify(text)


class MessageTest(unittest.TestCase):
    def test_builds_a_solicitation(self):
        self.assertEqual(binascii.hexlify(nd.build_solicitation("52:54:00:00:00:01", VIP)), SOLICITATION)

    def test_asks_where_the_owner_listens(self):
        self.assertEqual(nd.solicited_node("2001:db8::abcd:1234:5678"), "ff02::1:ff34:5678")

    def test_reads_an_advertisement(self):
        for extra in (b"", b"0e01aabbccddeeff", b"01"):
            self.assertEqual(nd.parse_advertisement(message(ADVERTISEMENT + extra), VIP), "52:54:00:00:00:02")
        later = ADVERTISEMENT.replace(b"0201", b"0e010000000000000201")
        self.assertEqual(nd.parse_advertisement(message(later), VIP), "52:54:00:00:00:02")

    def test_takes_nothing_else_for_one(self):
        table = {
            "a solicitation": SOLICITATION,
            "another address": ADVERTISEMENT.replace(b"0100020152", b"0101020152"),
            "a code": ADVERTISEMENT.replace(b"8800", b"8801", 1),
            "without a MAC": ADVERTISEMENT[:-16],
            "an endless option": ADVERTISEMENT.replace(b"0201", b"0200"),
            "cut off": ADVERTISEMENT[:-2],
            "empty": b"",
        }
        for name, text in table.items():
            self.assertIsNone(nd.parse_advertisement(message(text), VIP), name)

    def test_the_filter_lets_one_type_through(self):
        words = struct.unpack("=8I", nd.passes_only(136))
        through = [kind for kind in range(256) if not words[kind >> 5] >> (kind & 31) & 1]
        self.assertEqual(through, [136])

    def test_asks_from_the_link_local_address_and_never_from_a_vip(self):
        entries = [{"address": text, "prefix": 64} for text in (VIP, "2001:db8::11", "fe80::1", "192.0.2.11")]
        interface = {"name": "eth0", "addresses": entries}
        self.assertEqual(nd.source_address(interface, VIP, [VIP]), "fe80::1")
        self.assertEqual(nd.source_address({"addresses": entries[:2]}, VIP, [VIP]), "2001:db8::11")
        self.assertIsNone(nd.source_address({"addresses": entries[:1]}, VIP, [VIP]))


class FakeSocket(object):
    """Answers (message, hop limit); without a hop limit as a Python that cannot ask for it."""

    def __init__(self, answers=(), fails=None):
        self.answers, self.sent, self.fails, self.closed = list(answers), [], fails, False
        if not self.answers or self.answers[0][1] is not None:
            self.recvmsg = self._recvmsg

    def sendto(self, data, destination):
        if self.fails:
            raise OSError(self.fails, "Network is down")
        self.sent.append((data, destination))

    def recv(self, _size):
        if self.answers:
            return self.answers.pop(0)[0]
        raise OSError(self.fails or errno.EAGAIN, "Network is down")

    def _recvmsg(self, size, _extra):
        limit = self.answers[0][1] if self.answers else None
        extra = [] if limit is None else [(socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, struct.pack("=i", limit))]
        return self.recv(size), extra, 0, None

    def close(self):
        self.closed = True


def asker(link):
    return nd.Asker("eth0", "52:54:00:00:00:01", "fe80::1", VIP, opener=lambda _name, _source: link)


class AskerTest(unittest.TestCase):
    def test_hears_every_other_owner_and_never_itself(self):
        texts = (ADVERTISEMENT, ADVERTISEMENT.replace(b"525400000002", b"525400000003"),
                 ADVERTISEMENT.replace(b"525400000002", b"525400000001"), SOLICITATION)
        for limit in (255, None):
            link = FakeSocket([(message(text), limit) for text in texts])
            asking = asker(link)
            asking.send()
            self.assertEqual(asking.receive(), {"52:54:00:00:00:02", "52:54:00:00:00:03"})
            self.assertEqual(link.sent, [(message(SOLICITATION), ("ff02::1:ff00:100", 0))])
            asking.close()
            self.assertTrue(link.closed)

    def test_who_is_not_on_the_link_is_not_believed(self):
        self.assertEqual(asker(FakeSocket([(message(ADVERTISEMENT), 64)])).receive(), set())

    def test_is_asked_as_arp_is(self):
        clock = [0.0]

        def wait(_sources, seconds):
            clock[0] += max(seconds, 0.001)

        link = FakeSocket([(message(ADVERTISEMENT), 255)])
        answers = arp.ask({VIP: asker(link)}, 1.0, clock=lambda: clock[0], wait=wait)
        self.assertEqual((answers, len(link.sent)), ({VIP: ["52:54:00:00:00:02"]}, arp.REQUESTS))

    def test_a_link_that_goes_down_has_a_name(self):
        link = FakeSocket(fails=errno.ENETDOWN)
        for call, what in ((asker(link).send, "send"), (asker(link).receive, "listen")):
            with self.assertRaises(NodeError) as caught:
                call()
            self.assertEqual(str(caught.exception),
                             "ND on eth0: cannot %s (Network is down); see that the interface is up" % what)

    def test_an_interface_without_ipv6_cannot_ask(self):
        with self.assertRaises(NodeError) as caught:
            nd.Asker("eth0", "52:54:00:00:00:01", None, VIP)
        self.assertEqual(str(caught.exception), "ND on eth0: it has no IPv6 address of its own to ask from; "
                                                "enable IPv6 on the interface")

    def test_refusal_of_a_raw_socket_names_the_cure(self):
        def refuse(*_arguments):
            raise OSError(errno.EPERM, "Operation not permitted")

        original, nd.socket.socket = nd.socket.socket, refuse
        try:
            with self.assertRaises(NodeError) as caught:
                nd.open_socket("eth0", "fe80::1")
        finally:
            nd.socket.socket = original
        self.assertEqual(str(caught.exception),
                         "ND on eth0: no raw socket (Operation not permitted); run as root or with CAP_NET_RAW")

    def test_an_interface_that_is_not_there_has_a_name(self):
        try:
            socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6).close()
        except (IOError, OSError):
            self.skipTest("raw sockets are refused here")
        with self.assertRaises(NodeError) as caught:
            nd.open_socket("no-such-link", "fe80::1")
        self.assertIn("ND on no-such-link: cannot ask from fe80::1 (", str(caught.exception))
