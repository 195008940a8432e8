# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARP requests and answers, byte by byte."""

from __future__ import absolute_import, division, print_function

import binascii
import errno
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import arp
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type

# Ethernet header; hardware, protocol, sizes, operation; sender; target.
REQUEST = b"".join(
    [b"ffffffffffff5254000000010806", b"0001080006040001", b"5254000000010a01000b", b"0000000000000a010064"]
)
REPLY = b"".join(
    [b"5254000000015254000000020806", b"0001080006040002", b"5254000000020a010064", b"5254000000010a01000b"]
)


class FrameTest(unittest.TestCase):
    def test_builds_a_request(self):
        self.assertEqual(binascii.hexlify(arp.build_request("52:54:00:00:00:01", "10.1.0.11", "10.1.0.100")), REQUEST)

    def test_probes_without_an_own_address(self):
        frame = binascii.hexlify(arp.build_request("52:54:00:00:00:01", None, "10.1.0.100"))
        self.assertEqual(frame, REQUEST.replace(b"0a01000b", b"00000000"))

    def test_reads_a_reply_and_its_padding(self):
        for padding in (b"", b"00" * 18):
            self.assertEqual(arp.parse_reply(binascii.unhexlify(REPLY + padding), "10.1.0.100"), "52:54:00:00:00:02")

    def test_takes_nothing_else_for_a_reply(self):
        table = {
            "a request": REQUEST,
            "another address": REPLY.replace(b"0a010064", b"0a010065"),
            "another ethertype": REPLY.replace(b"0806", b"0800", 1),
            "another hardware": REPLY.replace(b"08060001", b"08060006"),
            "another operation": REPLY.replace(b"06040002", b"06040004"),
            "cut off": REPLY[:-2],
            "empty": b"",
        }
        for name, frame in table.items():
            self.assertIsNone(arp.parse_reply(binascii.unhexlify(frame), "10.1.0.100"), name)

    def test_the_last_request_keeps_its_listening_window(self):
        for timeout in (0.1, 0.3, 1.0, 5.0):
            times = arp.request_times(timeout)
            self.assertEqual(len(times), arp.REQUESTS)
            self.assertEqual(times, sorted(times))
            self.assertLessEqual(times[-1] + arp.LISTEN_AFTER_LAST, max(timeout, arp.LISTEN_AFTER_LAST) + 1e-9)


class FakeSocket(object):
    def __init__(self, frames=(), fails=None):
        self.frames, self.sent, self.fails, self.closed = list(frames), [], fails, False

    def send(self, frame):
        if self.fails:
            raise OSError(self.fails, "Network is down")
        self.sent.append(frame)

    def recv(self, _size):
        if self.frames:
            return self.frames.pop(0)
        raise OSError(self.fails or errno.EAGAIN, "Network is down")

    def close(self):
        self.closed = True


def asker(link):
    return arp.Asker("eth0", "52:54:00:00:00:01", "10.1.0.11", "10.1.0.100", opener=lambda _name: link)


class AskTest(unittest.TestCase):
    def setUp(self):
        self.time = 0.0

    def wait(self, _sources, seconds):
        self.time += max(seconds, 0.001)

    def test_hears_every_other_owner_and_never_itself(self):
        second = REPLY.replace(b"525400000002", b"525400000003")
        itself = REPLY.replace(b"525400000002", b"525400000001")
        link = FakeSocket(binascii.unhexlify(frame) for frame in (second, REPLY, REPLY, itself, REQUEST))
        answers = arp.ask({"vip": asker(link)}, 1.0, clock=lambda: self.time, wait=self.wait)
        self.assertEqual(answers, {"vip": ["52:54:00:00:00:02", "52:54:00:00:00:03"]})
        self.assertEqual([binascii.hexlify(frame) for frame in link.sent], [REQUEST] * arp.REQUESTS)
        self.assertGreaterEqual(self.time, 1.0)

    def test_nobody_answers(self):
        self.assertEqual(
            arp.ask({"vip": asker(FakeSocket())}, 0.5, clock=lambda: self.time, wait=self.wait), {"vip": []}
        )

    def test_a_link_that_goes_down_has_a_name(self):
        link = FakeSocket(fails=errno.ENETDOWN)
        for call in (asker(link).send, asker(link).receive):
            with self.assertRaises(NodeError) as caught:
                call()
            self.assertIn("ARP on eth0: cannot", str(caught.exception))
            self.assertIn("(Network is down); see that the interface is up", str(caught.exception))

    def test_refusal_of_a_raw_socket_names_the_cure(self):
        def refuse(*_arguments):
            raise OSError(errno.EPERM, "Operation not permitted")

        original, arp.socket.socket = arp.socket.socket, refuse
        try:
            with self.assertRaises(NodeError) as caught:
                arp.open_socket("eth0")
        finally:
            arp.socket.socket = original
        self.assertEqual(
            str(caught.exception),
            "ARP on eth0: no raw socket (Operation not permitted); run as root or with CAP_NET_RAW",
        )
