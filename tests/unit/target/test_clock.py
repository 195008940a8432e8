# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clocks of other hosts: messages, arithmetic across midnight, and what is said when there is no answer."""

from __future__ import absolute_import, division, print_function

import errno
import re
import struct
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import clock
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.probes import checksum

__metaclass__ = type

NOON = 1795262400.0 - 1795262400.0 % 86400 + 43200
NODE, OTHER = "192.0.2.11", "192.0.2.12"


class Network(object):
    """Hosts with clocks that differ by `apart`, reached in `there` and answering in `back` seconds."""

    def __init__(self, apart=None, begin=NOON, ways=((0.001, 0.001),), change=None):
        self.apart, self.time, self.ways, self.change = apart or {}, begin, list(ways), change
        self.begin, self.queue, self.sent, self.closed = begin, [], [], False

    def wall(self):
        return self.time

    def monotonic(self):
        return self.time - self.begin

    def sleep(self, seconds):
        self.time += seconds

    def send(self, address, message):
        self.sent.append((address, message))
        there, back = self.ways[min(len(self.sent), len(self.ways)) - 1]
        if address not in self.apart:
            return
        apart = self.apart[address]
        if isinstance(apart, Exception):
            raise apart
        received = apart if callable(apart) else lambda at: int((at + apart) * 1000) % 86400000
        answer = message[:20]
        fields = list(struct.unpack("!BBHHHIII", answer))
        fields[0], fields[6] = 14, received(self.time + there)
        packet = b"\x46" + b"\0" * 23 + struct.pack("!BBHHHIII", *fields)
        for change in self.change or ():
            self.queue.append((self.time + there, change(packet), address))
        self.queue.append((self.time + there + back, packet, address))

    def receive(self, timeout):
        if self.queue and self.queue[0][0] - self.time <= timeout:
            at, packet, address = self.queue.pop(0)
            self.time = max(self.time, at)
            return packet, address
        self.time += timeout
        return None

    def close(self):
        self.closed = True


def measure(network, addresses=(NODE,), **options):
    return clock.measure(list(addresses), open_link=lambda: network, identifier=7, **options)


class MeasureTest(unittest.TestCase):
    def test_finds_the_offset_within_its_uncertainty(self):
        for apart in (0.0, 0.25, -1.5, 3600.0004):
            found = measure(Network({NODE: apart}))[NODE]
            self.assertAlmostEqual(found["offset"], apart, delta=found["uncertainty"])
            self.assertAlmostEqual(found["uncertainty"], 0.002, places=6)
            self.assertAlmostEqual(found["round_trip"], 0.002, places=6)
            self.assertEqual((found["samples"], found["problem"]), (8, None))

    def test_ways_of_different_length_stay_within_the_uncertainty(self):
        for ways in (((0.0, 0.1),), ((0.1, 0.0),)):
            found = measure(Network({NODE: 0.7}, ways=ways), samples=1)[NODE]
            self.assertLessEqual(abs(found["offset"] - 0.7), found["uncertainty"])

    def test_takes_the_quickest_answer(self):
        found = measure(Network({NODE: 0.0}, ways=((0.1, 0.0), (0.0005, 0.0005), (0.2, 0.0))), samples=3)[NODE]
        self.assertAlmostEqual(found["round_trip"], 0.001, places=6)
        self.assertLess(abs(found["offset"]), 0.0016)

    def test_midnight_between_the_clocks(self):
        midnight = NOON + 43200
        for begin, apart in ((midnight - 0.1, 0.4), (midnight + 0.1, -0.4), (midnight - 0.0005, 0.0)):
            found = measure(Network({NODE: apart}, begin=begin), samples=1)[NODE]
            self.assertLessEqual(abs(found["offset"] - apart), found["uncertainty"])

    def test_asks_each_address(self):
        network = Network({NODE: 0.2, OTHER: -0.2})
        found = measure(network, (NODE, OTHER), samples=2)
        self.assertEqual([round(found[name]["offset"], 2) for name in (NODE, OTHER)], [0.2, -0.2])
        self.assertTrue(network.closed)
        kind, code, _sum, identifier, sequence, asked, _zero, _none = struct.unpack("!BBHHHIII", network.sent[3][1])
        self.assertEqual((kind, code, identifier, sequence), (13, 0, 8, 2))
        self.assertEqual(asked, clock.since_midnight(network.time - 0.002))
        self.assertEqual(checksum(network.sent[3][1]), 0)

    def test_what_is_not_the_answer_is_passed_over(self):
        def replaced(place, data):
            return lambda packet: packet[:24 + place] + data + packet[24 + place + len(data):]

        network = Network({NODE: 0.0}, change=[
            replaced(0, b"\x0d"), replaced(1, b"\x01"), replaced(4, b"\xff"), replaced(6, b"\xff"),
            lambda packet: b"", lambda packet: packet[:30]])
        found = measure(network, samples=1)[NODE]
        self.assertEqual(found["samples"], 1)
        self.assertAlmostEqual(found["round_trip"], 0.002, places=6)

    def test_an_answer_of_another_host_is_passed_over(self):
        network = Network({NODE: 0.0})
        send = network.send

        def also(address, message):
            send(address, message)
            network.queue.insert(0, (network.time, network.queue[-1][1], OTHER))

        network.send = also
        self.assertAlmostEqual(measure(network, samples=1)[NODE]["round_trip"], 0.002, places=6)


class ProblemTest(unittest.TestCase):
    def check(self, found, problem):
        self.assertEqual(
            found, {"offset": None, "uncertainty": None, "round_trip": None, "samples": 0, "problem": problem})

    def test_no_answer(self):
        network = Network()
        self.check(measure(network, timeout=0.2)[NODE], (
            "192.0.2.11: did not answer 3 questions for its time within 0.2 s each; let ICMP timestamps (type 13 in, "
            "14 out) through from this host"))
        self.assertEqual(len(network.sent), 3)

    def test_one_question_without_answer(self):
        self.assertIn("did not answer 1 questions", measure(Network(), samples=1)[NODE]["problem"])

    def test_no_route(self):
        self.check(measure(Network({NODE: OSError(errno.EHOSTUNREACH, "No route to host")}))[NODE], (
            "192.0.2.11: cannot be asked (No route to host); give an address that this host has a route to"))

    def test_another_kind_of_time(self):
        for value in (0x80000001, 86400000):
            self.check(measure(Network({NODE: lambda _at, value=value: value}))[NODE], (
                "192.0.2.11: answers with a time that is not that since midnight UTC; it cannot be compared"))

    def test_ipv6(self):
        self.check(measure(Network(), ["2001:db8::11"])["2001:db8::11"], (
            "2001:db8::11: IPv6 has no question for the time; give an IPv4 address of that host"))


class RefusalTest(unittest.TestCase):
    def refused(self, message, *arguments, **options):
        with self.assertRaises(NodeError) as caught:
            clock.measure(*arguments, **options)
        self.assertEqual(str(caught.exception), message)

    def test_no_address(self):
        self.refused("addresses: names none; give one IPv4 address of each host whose clock is wanted", [])

    def test_no_ip_address(self):
        self.refused("addresses[1]: node-b is not an IP address; write one, without prefix", [NODE, "node-b"])

    def test_samples(self):
        self.refused("samples: 0 is not in 1..100; 8 are enough on a quiet network", [NODE], samples=0)

    def test_timeout(self):
        self.refused("timeout: 11 is not in 0..10 s; give the time to wait for one answer", [NODE], timeout=11)

    def test_no_privileges(self):
        original = clock.socket.socket
        self.addCleanup(setattr, clock.socket, "socket", original)
        for number, message in (
            (errno.EPERM, r"^ICMP on this host: user \d+ may not open a raw socket \(said so\); run as root, or with "
                          r"CAP_NET_RAW$"),
            (errno.EMFILE, r"^ICMP on this host: no socket \(said so\); see what confines this process$"),
        ):
            def refuse(*_arguments, **_options):
                raise OSError(number, "said so")  # noqa: B023

            clock.socket.socket = refuse
            with self.assertRaises(NodeError) as caught:
                clock.Link()
            clock.socket.socket = original
            self.assertTrue(re.match(message, str(caught.exception)), str(caught.exception))


if __name__ == "__main__":
    unittest.main()
