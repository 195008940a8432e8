# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What firewalld lets in and what it is told to, by the words of firewall-cmd (of firewalld 1.3.3)."""

from __future__ import absolute_import, division, print_function

import io
import os
import shutil
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._filter import firewalld
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
with io.open(os.path.join(FIXTURES, "firewalld_zones.txt")) as recorded:
    ZONES = recorded.read()

RULE = 'rule family="ipv4" source address="192.0.2.12" protocol value="vrrp" accept'
PEER = {"interface": "eth0", "address": "192.0.2.12"}
NEW_PEER = {"interface": "eth0", "address": "192.0.2.14"}


def told(access):
    """The commands that are missing, as one would type them."""
    return [" ".join(command[1:]) for entry in access for command in entry.commands()]


class FirewalldTest(unittest.TestCase):
    maxDiff = None

    def firewalld(self, runtime=ZONES, permanent=ZONES, default="public"):
        answers = {
            "--get-default-zone": default + "\n",
            "--list-all-zones": runtime,
            "--permanent --list-all-zones": permanent,
        }
        return firewalld.Firewalld(lambda argv: (0, answers[" ".join(argv[1:])], ""))

    def test_zones_as_firewall_cmd_lists_them(self):
        zones = firewalld.parse_zones(ZONES)
        self.assertEqual(
            sorted(zones), ["block", "dmz", "drop", "external", "home", "internal", "public", "trusted", "work"]
        )
        self.assertEqual(
            zones["internal"],
            {
                "target": "default",
                "interfaces": ["eth0"],
                "sources": [],
                "ports": [],
                "rules": [
                    'rule family="ipv6" source address="2001:DB8:0::12" protocol value="vrrp" accept',
                    RULE,
                ],
            },
        )
        self.assertEqual(zones["trusted"]["target"], "ACCEPT")
        newer = firewalld.parse_zones(
            "public (default, active)\n  target: default\n  ingress-priority: 0\n  interfaces: eth0 eth1\n"
            '  rich rules: \n\trule protocol value="vrrp" accept\n\nwork\n  target: default\n  ports: 1/udp 2/tcp\n'
        )
        self.assertEqual(newer["public"]["interfaces"], ["eth0", "eth1"])
        self.assertEqual(newer["public"]["rules"], ['rule protocol value="vrrp" accept'])
        self.assertEqual((newer["work"]["ports"], newer["work"]["rules"]), (["1/udp", "2/tcp"], []))

    def test_nothing_is_told_twice(self):
        self.assertEqual(told(self.firewalld().vrrp([PEER, PEER])), [])

    def test_a_new_peer_is_let_in_by_the_zone_of_its_interface_at_once_and_for_good(self):
        rule = RULE.replace(".12", ".14")
        self.assertEqual(
            told(self.firewalld().vrrp([NEW_PEER, NEW_PEER])),
            ["--permanent --zone=internal --add-rich-rule=" + rule, "--zone=internal --add-rich-rule=" + rule],
        )
        self.assertEqual(
            told(self.firewalld().vrrp([{"interface": "eth0", "address": "2001:db8::12"}]))[1],
            "--zone=internal --add-rich-rule="
            'rule family="ipv6" source address="2001:db8::12" protocol value="vrrp" accept',
        )

    def test_only_what_is_missing_is_told(self):
        without = ZONES.replace("\t%s\n" % RULE, "")
        self.assertNotEqual(without, ZONES)
        self.assertEqual(
            told(self.firewalld(runtime=without).vrrp([PEER])), ["--zone=internal --add-rich-rule=" + RULE]
        )
        self.assertEqual(
            told(self.firewalld(permanent=without).vrrp([PEER])),
            ["--permanent --zone=internal --add-rich-rule=" + RULE],
        )

    def test_an_interface_in_no_zone_belongs_to_the_default_zone(self):
        access = self.firewalld(default="work").vrrp([{"interface": "eth1", "address": "192.0.2.12"}])
        self.assertEqual([entry.zone for entry in access], ["work"])

    def test_a_zone_that_has_the_peer_as_a_source_comes_first(self):
        for source, zone in (
            ("192.0.2.0/24", "work"),
            ("192.0.2.12", "work"),
            ("198.51.100.0/24", "internal"),
            ("2001:db8::/32", "internal"),
            ("02:00:00:00:00:01", "internal"),
            ("ipset:peers", "internal"),
            ("192.0.2.0/255.255.255.0", "internal"),
        ):
            start, end = ZONES.split("\nwork\n")
            zones = start + "\nwork\n" + end.replace("sources: ", "sources: %s" % source)
            self.assertEqual([entry.zone for entry in self.firewalld(runtime=zones).vrrp([PEER])], [zone], source)

    def test_an_interface_that_a_reload_puts_elsewhere_is_served_in_both_zones(self):
        moved = ZONES.replace("interfaces: eth0", "interfaces: ").replace(
            "home\n  target: default\n  icmp-block-inversion: no\n  interfaces: ",
            "home\n  target: default\n  icmp-block-inversion: no\n  interfaces: eth0",
        )
        found = self.firewalld(permanent=moved)
        self.assertEqual([entry.zone for entry in found.vrrp([PEER])], ["home", "internal"])
        self.assertEqual([entry.zone for entry in found.ports([80], ["eth0"])], ["home", "internal"])

    def test_a_zone_by_name_is_taken_as_it_is(self):
        found = self.firewalld()
        self.assertEqual([entry.zone for entry in found.vrrp([PEER, NEW_PEER], "dmz")], ["dmz", "dmz"])
        self.assertEqual([entry.zone for entry in found.ports([80], ["eth0"], "trusted")], ["trusted"])

    def test_ports_are_opened_where_interfaces_are_and_not_where_all_is_open(self):
        found = self.firewalld()
        self.assertEqual(
            told(found.ports([80, 443], ["eth0", "eth1"])),
            [
                "%s--zone=%s --add-port=%d/tcp" % (scope, zone, port)
                for zone in ("internal", "public")
                for port in (80, 443)
                for scope in ("--permanent ", "")
            ],
        )
        self.assertEqual([entry.zone for entry in found.ports([80], [])], ["public"])
        trusting = self.firewalld(default="trusted")
        self.assertEqual([entry.zone for entry in trusting.ports([80], ["eth0", "eth1"])], ["internal"])

    def test_a_port_for_some_is_opened_to_nobody_else(self):
        found = self.firewalld()
        entry = {"port": 4000, "source": "192.0.2.12"}
        rule = 'rule family="ipv4" source address="192.0.2.12" port port="4000" protocol="tcp" accept'
        self.assertEqual(
            told(found.port_sources([entry, entry], ["eth0"])),
            ["--permanent --zone=internal --add-rich-rule=" + rule, "--zone=internal --add-rich-rule=" + rule],
        )
        network = {"port": 4000, "source": "2001:db8::/64"}
        self.assertIn('family="ipv6" source address="2001:db8::/64"', found.port_sources([network], ["eth0"])[0].option)
        self.assertEqual([one.zone for one in found.port_sources([entry], [], "dmz")], ["dmz"])
        # Also without an interface it is for that source only.
        self.assertEqual([one.zone for one in found.port_sources([entry], [])], ["public"])
        self.assertEqual(found.port_sources([entry], ["eth0"], "auto")[0].zone, "internal")
        self.assertEqual(self.firewalld(default="trusted").port_sources([entry], []), [])
        there = ZONES.replace("\t%s\n" % RULE, "\t%s\n\t%s\n" % (RULE, rule))
        self.assertEqual(told(self.firewalld(there, there).port_sources([entry], ["eth0"])), [])
        start, end = ZONES.split("\nwork\n")
        named = start + "\nwork\n" + end.replace("sources: ", "sources: 192.0.2.0/24")
        self.assertEqual([one.zone for one in self.firewalld(named).port_sources([entry], ["eth0"])], ["work"])

    def test_a_source_that_is_none_is_refused(self):
        with self.assertRaises(NodeError) as caught:
            self.firewalld().port_sources([{"port": 4000, "source": "node-b"}], [])
        self.assertEqual(
            str(caught.exception),
            "firewalld: 'node-b' is no address and no network; give one such as 192.0.2.12 or 192.0.2.0/24",
        )

    def test_ports_that_are_open_already(self):
        for ports, port, open_already in (
            (["80/tcp"], 80, True),
            (["80/udp"], 80, False),
            (["8000-8100/tcp"], 8080, True),
            (["8000-8100/tcp"], 80, False),
            ([], 80, False),
        ):
            self.assertEqual(firewalld.covers(ports, port), open_already, ports)

    def test_a_zone_that_is_not_there_is_refused_with_those_that_are(self):
        some = "\n".join("%s\n  target: default\n" % name for name in ("public", "work", "odd"))
        more = "\n".join("%s\n  target: default\n" % name for name in ("public", "work", "own"))
        found = self.firewalld(runtime=some, permanent=more)
        for zone in ("auto", "public"):
            found.refuse_unknown(zone, "keepalived_firewall_zone")
        for zone, refusal in (
            ("inner", "is not a zone of firewalld (public, work); give one of them, or auto"),
            ("own", "is a zone that firewalld has not loaded; `firewall-cmd --reload`"),
            ("odd", "is a zone that is gone with the next start of firewalld; `firewall-cmd --runtime-to-permanent`"),
        ):
            with self.assertRaises(NodeError) as caught:
                found.refuse_unknown(zone, "node-a: keepalived_firewall_zone")
            self.assertEqual(str(caught.exception), "node-a: keepalived_firewall_zone: '%s' %s" % (zone, refusal))

    def test_a_command_that_fails_is_told(self):
        with self.assertRaises(NodeError) as caught:
            firewalld.Firewalld(lambda argv: (252, "", "FirewallD is not running\n"))
        self.assertEqual(
            str(caught.exception),
            "firewalld: `firewall-cmd --get-default-zone` failed (FirewallD is not running); look at `firewall-cmd "
            "--state`",
        )


class InterfacesTest(unittest.TestCase):
    def test_interfaces_that_can_have_addresses_of_their_own(self):
        root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, root)
        for name in ("lo", "eth0", "bond0", "eth1/master"):
            os.makedirs(os.path.join(root, name))
        with open(os.path.join(root, "bonding_masters"), "w") as target:
            target.write("bond0\n")
        self.assertEqual(firewalld.own_interfaces(root), ["bond0", "eth0"])


if __name__ == "__main__":
    unittest.main()
