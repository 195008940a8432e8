# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ip prints, and which address is where."""

from __future__ import absolute_import, division, print_function

import io
import os
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import addresses

__metaclass__ = type

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")


def fixture(name):
    with io.open(os.path.join(FIXTURES, name), encoding="utf-8") as source:
        return source.read()


INTERFACES = [
    {"name": "lo", "mac": "00:00:00:00:00:00", "addresses": [{"address": "127.0.0.1", "prefix": 8}]},
    {"name": "eth0", "mac": "52:54:00:00:00:01", "addresses": [
        {"address": "10.1.0.11", "prefix": 16}, {"address": "10.1.2.100", "prefix": 32},
        {"address": "fe80::1", "prefix": 64}]},
    {"name": "eth1", "mac": "52:54:00:00:00:02", "addresses": [{"address": "10.1.2.11", "prefix": 24}]},
    {"name": "eth2", "mac": "52:54:00:00:00:03", "addresses": []},
]


class ParseTest(unittest.TestCase):
    def test_reads_what_a_real_ip_prints(self):
        self.assertEqual(addresses.parse_interfaces(fixture("ip_addr.txt"), fixture("ip_link.txt")), [
            {"name": "lo", "mac": "00:00:00:00:00:00", "addresses": [
                {"address": "127.0.0.1", "prefix": 8}, {"address": "::1", "prefix": 128}]},
            {"name": "eth0", "mac": "12:67:a7:1e:5e:35", "addresses": [
                {"address": "10.98.0.1", "prefix": 24}, {"address": "10.98.0.100", "prefix": 24},
                {"address": "fe80::1067:a7ff:fe1e:5e35", "prefix": 64}]},
        ])

    def test_reads_other_shapes_of_address_lines(self):
        table = [
            ("3: tun0    inet 10.8.0.1 peer 10.8.0.2/32 scope global tun0", [("tun0", "10.8.0.1", 32)]),
            ("2: eth0    inet 10.1.0.9 scope global eth0", [("eth0", "10.1.0.9", 32)]),
            ("2: eth0    inet 10.1.0.9/24 brd 10.1.0.255 scope global secondary eth0:1\\       valid_lft 1sec",
             [("eth0", "10.1.0.9", 24)]),
            ("2: eth0.5@eth0    inet6 2001:db8::1/64 scope global deprecated", [("eth0.5", "2001:db8::1", 64)]),
            ("2: eth0    link/ether 52:54:00:00:00:01 brd ff:ff:ff:ff:ff:ff", []),
            ("2: eth0    inet not-an-address/24 scope global", []),
            ("", []),
        ]
        for line, expected in table:
            self.assertEqual(addresses.parse_address_lines(line), expected, line)

    def test_reads_other_shapes_of_link_lines(self):
        table = [
            ("5: bond0.7@bond0: <UP> mtu 1500 state UP \\    link/ether AA:BB:CC:00:00:01 brd ff:ff:ff:ff:ff:ff",
             [("bond0.7", "aa:bb:cc:00:00:01")]),
            ("6: tun0: <POINTOPOINT,UP> mtu 1500 qdisc fq state UNKNOWN qlen 500\\    link/none ", [("tun0", None)]),
            ("nonsense", []),
        ]
        for line, expected in table:
            self.assertEqual(addresses.parse_link_lines(line), expected, line)

    def test_takes_exactly_one_address(self):
        for text, expected in [
            ("10.0.0.1", (4, 0x0A000001)), ("::1", (6, 1)), ("10.0.0", None), ("10.0.0.1/24", None),
            ("010.0.0.x", None),
            ("", None), ("eth0", None), (u"10.0.0.\u0661", None),
        ]:
            self.assertEqual(addresses.parse_address(text), expected, text)


class FindTest(unittest.TestCase):
    def test_holds_only_the_exact_address(self):
        table = [
            ("10.1.2.100", [("eth0", 32)]), ("10.1.2.10", []), ("10.1.2.1", []), ("0.1.2.100", []),
            ("fe80:0:0::1", [("eth0", 64)]), ("fe80::", []),
        ]
        for address, expected in table:
            self.assertEqual(addresses.holders(INTERFACES, address), expected, address)

    def test_finds_the_interface_by_the_longest_subnet(self):
        table = [("10.1.9.9", "eth0"), ("10.1.2.50", "eth1"), ("10.2.0.1", None), ("127.0.0.9", "lo"), ("::2", None)]
        for address, expected in table:
            self.assertEqual(addresses.subnet_interface(INTERFACES, address), expected, address)

    def test_an_ipv4_subnet_holds_no_ipv6_address_of_the_same_number(self):
        self.assertFalse(addresses.in_subnet("::7f00:1", "127.0.0.1", 8))
        self.assertTrue(addresses.in_subnet("127.1.2.3", "127.0.0.1", 8))

    def test_a_virtual_address_is_no_reason_to_belong_to_a_subnet(self):
        self.assertEqual(addresses.subnet_interface(INTERFACES, "10.1.2.100", ["10.1.2.11", "10.1.2.100"]), "eth0")

    def test_asks_from_an_own_address_and_never_from_a_virtual_one(self):
        table = [
            ("eth0", "10.1.2.100", ["10.1.2.100"], "10.1.0.11"),
            ("eth0", "192.168.7.7", ["10.1.2.100"], "10.1.0.11"),
            ("eth0", "10.1.2.100", ["10.1.2.100", "10.1.0.11"], None),
            ("eth0", "fe80::9", [], "fe80::1"),
            ("eth2", "10.1.2.100", [], None),
        ]
        for name, address, virtual, expected in table:
            interface = addresses.find_interface(INTERFACES, name)
            self.assertEqual(addresses.source_address(interface, address, virtual), expected, (name, address))
        self.assertIsNone(addresses.find_interface(INTERFACES, "eth9"))

    def test_knows_what_speaks_arp(self):
        for mac, expected in [
            ("52:54:00:00:00:01", True), ("00:00:00:00:00:00", False), (None, False), ("80:00:1", False),
        ]:
            self.assertEqual(addresses.is_ethernet(mac), expected, mac)
