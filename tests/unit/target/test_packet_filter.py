# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's packet filter does with VRRP, by the rules that real programs printed.

The recordings hold what nft 1.0.6 and iptables 1.8.9 of Debian 12 answered. That of firewalld is without the chains for
forwarded packets, that of ufw without nft.
"""

from __future__ import absolute_import, division, print_function

import json
import os
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._filter import nft, xtables
from ansible_collections.duplex.ha_pair.plugins.module_utils._filter.filters import Filters
from ansible_collections.duplex.ha_pair.plugins.module_utils._filter.judge import Judge
from ansible_collections.duplex.ha_pair.plugins.module_utils._filter.packet import ESTABLISHED, INPUT, OUTPUT, Packet

__metaclass__ = type

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
INTERFACES = [
    {
        "name": "eth0",
        "mac": "02:00:00:00:00:01",
        "addresses": [{"address": "192.0.2.11", "prefix": 24}, {"address": "2001:db8::11", "prefix": 64}],
    }
]
FOUR, OTHER_FOUR = "192.0.2.12", "192.0.2.13"
SIX, OTHER_SIX = "2001:db8::12", "2001:db8::13"
MISSING = (127, "", "not installed")

# The words that follow from it, after the place and before the cure.
SPLIT = "drops VRRP from the peer %s on eth0, so both nodes would own the VIPs of instance web"
MOMENT = (
    "drops VRRP from the peer %s on eth0 until the other way has been used, so both nodes own the VIPs of instance web "
    "for a moment whenever one of them boots"
)
AT_BOOT = ", and the same in the file that nft reads at boot"
SAVED = ", and save the rules for the next boot"


def instance(peer, multicast=False):
    source = "192.0.2.11" if "." in peer else "2001:db8::11"
    return {"name": "web", "interface": "eth0", "source": source, "peers": [peer], "multicast": multicast}


class Node(object):
    """A node that answers as it was recorded; a command that was not asked then is not installed."""

    def __init__(self, name=None, commands=None, files=None):
        self.commands, self.files = commands or {}, files or {}
        if name:
            with open(os.path.join(FIXTURES, "packet_filter_%s.json" % name)) as source:
                recorded = json.load(source)
            self.commands, self.files = dict(recorded["commands"], **self.commands), recorded["files"]

    def run(self, argv):
        return self.commands.get(" ".join(argv), MISSING)

    def judge(self, peer, multicast=False, firewalld=True, interfaces=None):
        judge = Judge(Filters(self.run, self.files.get), interfaces or INTERFACES, firewalld, self.run)
        judge.judge([instance(peer, multicast)])
        return judge


def nft_node(*objects):
    """A node with these rules of nftables and no other programs."""
    return Node(commands={"nft -j list ruleset": (0, json.dumps({"nftables": list(objects)}), "")})


class RecordedTest(unittest.TestCase):
    maxDiff = None

    def expect(self, judge, drops=(), doubts=()):
        self.assertEqual((judge.drops, judge.doubts), (list(drops), list(doubts)))

    def test_a_policy_that_drops_what_nothing_accepts(self):
        place = "nftables: table inet filter, chain input, policy drop: "
        for peer, match in ((FOUR, "ip saddr 192.0.2.12"), (SIX, "ip6 saddr 2001:db8::12")):
            cure = "; `nft insert rule inet filter input iifname eth0 %s meta l4proto 112 accept`" % match + AT_BOOT
            # Connection tracking lets a peer in as the answer to what this node has sent to it.
            self.expect(Node("policy").judge(peer), [place + MOMENT % peer + cure])
            self.expect(Node("policy").judge(peer, multicast=True), [place + SPLIT % peer + cure])

    def test_sets_maps_and_jumps_that_let_the_peer_in_and_nobody_else(self):
        for multicast in (False, True):
            for peer in (FOUR, SIX):
                self.expect(Node("sets").judge(peer, multicast))
        place = "nftables: table inet filter, chain input, rule `reject with icmpx admin-prohibited`: "
        cure = "; `nft insert rule inet filter input iifname eth0 ip saddr 192.0.2.13 meta l4proto 112 accept`"
        self.expect(Node("sets").judge(OTHER_FOUR), [place + MOMENT % OTHER_FOUR + cure + AT_BOOT])
        self.assertEqual(len(Node("sets").judge(OTHER_SIX).drops), 1)

    def test_the_way_back_is_known_in_the_own_network_only(self):
        elsewhere = [dict(INTERFACES[0], addresses=[{"address": "2001:db8:1::11", "prefix": 64}])]
        judge = Node("sets").judge(SIX, interfaces=elsewhere)
        self.assertEqual(judge.drops, [])
        self.assertEqual(
            judge.doubts[0].partition(";")[0],
            "nftables: table inet filter, chain early, rule with handle 12: may drop VRRP from the peer 2001:db8::12 "
            "on eth0, which depends on what cannot be foretold",
        )

    def test_what_cannot_be_foretold_is_a_doubt_and_not_a_refusal(self):
        place = "nftables: table inet filter, chain input, rule "
        match = "iifname eth0 ip saddr 192.0.2.12"
        cure = "; to be sure, `nft insert rule inet filter input %s meta l4proto 112 accept`" % match
        self.expect(
            Node("unknown").judge(FOUR),
            doubts=[
                place + "`ip saddr 192.0.2.12 limit rate over 10/second drop`: may drop VRRP from the peer 192.0.2.12 "
                "on eth0, which depends on what cannot be foretold" + cure + AT_BOOT
            ],
        )
        # By chance, and by a mark that an earlier rule has set.
        self.assertIn("vmap { 0 : accept, 1 : drop }`: may drop", Node("unknown").judge(SIX).doubts[0])
        self.assertIn("rule `meta mark 0x00000007 drop`: may drop", Node("unknown").judge(OTHER_SIX).doubts[0])

    def test_an_earlier_doubt_does_not_hide_what_drops_for_certain(self):
        judge = Node("unknown").judge(OTHER_FOUR)
        self.expect(
            judge,
            [
                "nftables: table inet filter, chain after, rule `ip saddr 192.0.2.13 drop`: "
                + SPLIT % OTHER_FOUR
                + "; `nft insert rule inet filter after iifname eth0 ip saddr 192.0.2.13 meta l4proto 112 accept`"
                + AT_BOOT
            ],
        )

    def test_what_this_node_sends_counts_as_well(self):
        node = Node("output")
        # What is taken off connection tracking in the chain before is neither new nor established.
        untracked = (
            "nftables: table inet filter, chain input, rule `ip saddr 192.0.2.12 ct state != { established, related, "
            "new } drop`: " + SPLIT % FOUR + "; `nft insert rule inet filter input iifname eth0 ip saddr 192.0.2.12 "
            "meta l4proto 112 accept`" + AT_BOOT
        )
        self.expect(node.judge(FOUR), [untracked])
        self.expect(
            node.judge(FOUR, multicast=True),
            [
                untracked,
                "nftables: table inet filter, chain output, policy drop: drops the VRRP that this node sends to "
                "224.0.0.18 on eth0, so the peer would own the VIPs of instance web as well; `nft insert rule inet "
                "filter output oifname eth0 ip daddr 224.0.0.18 meta l4proto 112 accept`" + AT_BOOT,
            ],
        )
        self.expect(node.judge(SIX, multicast=True))
        self.expect(
            node.judge(SIX),
            [
                "nftables: table inet filter, chain output, policy drop: drops the VRRP that this node sends to "
                "2001:db8::12 on eth0 until the other way has been used, so both nodes own the VIPs of instance web "
                "for a moment whenever one of them boots; `nft insert rule inet filter output oifname eth0 ip6 daddr "
                "2001:db8::12 meta l4proto 112 accept`" + AT_BOOT
            ],
        )

    def test_a_chain_before_all_others_drops_on_its_interface_only(self):
        drops = Node("output").judge(OTHER_FOUR).drops
        self.assertEqual(
            drops[0],
            "nftables: table netdev early, chain ingress, rule `ip saddr 192.0.2.13 ip protocol vrrp drop`: "
            + SPLIT % OTHER_FOUR
            + "; `nft insert rule netdev early ingress iifname eth0 ip saddr 192.0.2.13 meta l4proto 112 accept`"
            + AT_BOOT,
        )
        listed = "nft list chain netdev early ingress"
        text = Node("output").commands[listed][1]
        several = text.replace('device "eth0"', 'devices = { eth1, "eth0" }')
        self.assertEqual(Node("output", {listed: (0, several, "")}).judge(OTHER_FOUR).drops, drops)
        elsewhere = text.replace('device "eth0"', 'device "eth1"')
        self.assertEqual(Node("output", {listed: (0, elsewhere, "")}).judge(OTHER_FOUR).drops, drops[1:])
        # Where even the text does not say it, nobody is refused.
        unsaid = Node("output", {listed: MISSING}).judge(OTHER_FOUR)
        self.assertEqual(unsaid.drops, drops[1:])
        self.assertIn("if it stands on this interface, which nft does not say; to be sure,", unsaid.doubts[0])

    def test_a_dormant_table_and_one_of_bridges_do_nothing(self):
        commands = Node("output").commands
        tables = {entry["table"]["name"] for entry in json.loads(commands["nft -j list ruleset"][1])["nftables"][1:]
                  if "table" in entry}
        self.assertTrue({"old", "air"} <= tables)
        for judge in (Node("output").judge(FOUR), Node("output").judge(SIX)):
            self.assertFalse([text for text in judge.drops + judge.doubts if " old," in text or " air," in text])
        awake = Node("output", {"nft list table ip old": (0, "table ip old {\n\tflags owner\n}\n", "")}).judge(FOUR)
        self.assertEqual(len([text for text in awake.drops if "table ip old, chain input, policy drop" in text]), 1)

    def test_ufw_lets_in_whom_it_was_told_to_and_says_how_to_tell_it(self):
        node = Node("ufw")
        self.expect(node.judge(FOUR))
        self.expect(node.judge(SIX))
        place = "iptables: table filter, chain INPUT, policy drop: "
        self.expect(
            node.judge(OTHER_FOUR, multicast=True),
            [place + SPLIT % OTHER_FOUR + "; `ufw allow proto vrrp from 192.0.2.13`"],
        )
        self.expect(
            node.judge(OTHER_SIX),
            ["ip6tables: table filter, chain INPUT, policy drop: %s; `ufw allow proto vrrp from 2001:db8::13`"
             % (MOMENT % OTHER_SIX)],
        )

    def test_an_old_ufw_does_not_know_the_protocol(self):
        old = {"ufw --dry-run allow proto vrrp from %s" % peer: (1, "", "") for peer in (OTHER_FOUR, OTHER_SIX)}
        for peer, line, name in (
            (OTHER_FOUR, "-A ufw-before-input -s 192.0.2.13", "before.rules"),
            (OTHER_SIX, "-A ufw6-before-input -s 2001:db8::13", "before6.rules"),
        ):
            self.assertEqual(
                Node("ufw", old).judge(peer).drops[0].partition("; ")[2],
                "write `%s -p 112 -j ACCEPT` into /etc/ufw/%s before COMMIT, then `ufw reload`" % (line, name),
            )

    def test_firewalld_with_the_rule_of_the_role_and_without(self):
        for multicast in (False, True):
            for peer in (FOUR, SIX):
                self.expect(Node("firewalld").judge(peer, multicast))
            for peer in (OTHER_FOUR, OTHER_SIX):
                self.expect(
                    Node("firewalld").judge(peer, multicast),
                    [
                        "nftables: table inet firewalld, chain filter_IN_internal, rule `reject with icmpx "
                        "admin-prohibited`: "
                        + (SPLIT if multicast else MOMENT) % peer
                        + "; run the keepalived role again, which accepts it in the zone of the interface"
                    ],
                )
                # Before the role has told it, what it does now says nothing.
                self.expect(Node("firewalld").judge(peer, multicast, firewalld=False))

    def test_the_tables_of_docker_concern_forwarded_packets_only(self):
        for multicast in (False, True):
            for peer in (FOUR, SIX):
                self.expect(Node("docker").judge(peer, multicast))

    def test_both_kinds_of_iptables_side_by_side(self):
        node = Node("legacy")
        self.expect(node.judge(FOUR))
        self.expect(
            node.judge(OTHER_FOUR),
            [
                "iptables-legacy: table filter, chain INPUT, rule `-A INPUT -j REJECT --reject-with "
                "icmp-host-prohibited`: "
                + MOMENT % OTHER_FOUR
                + "; `iptables-legacy -I INPUT -i eth0 -s 192.0.2.13 -p 112 -j ACCEPT`"
                + SAVED,
                'iptables: table filter, chain OUTPUT, rule `-A OUTPUT -d 192.0.2.13/32 -m comment --comment "not '
                '\\"him\\"" -j DROP`: drops the VRRP that this node sends to 192.0.2.13 on eth0, so the peer would own '
                "the VIPs of instance web as well; `iptables -I OUTPUT -o eth0 -d 192.0.2.13 -p 112 -j ACCEPT`" + SAVED,
            ],
        )
        # Accepted when it comes as multicast only.
        self.expect(node.judge(SIX, multicast=True))
        self.assertEqual(
            node.judge(SIX).drops,
            [
                "ip6tables-legacy: table filter, chain INPUT, policy drop: "
                + SPLIT % SIX
                + "; `ip6tables-legacy -I INPUT -i eth0 -s 2001:db8::12 -p 112 -j ACCEPT`"
                + SAVED
            ],
        )

    def test_old_tables_that_nothing_can_read_are_a_doubt(self):
        gone = {"%s-legacy-save" % name: MISSING for name in ("iptables", "ip6tables")}
        doubts = Node("legacy", gone).judge(FOUR).doubts
        self.assertEqual(
            doubts[0],
            "iptables: the kernel has tables of the old kind (mangle, raw, filter), and no iptables-legacy-save is "
            "installed to read them; look whether protocol 112 passes",
        )


class OldNodeTest(unittest.TestCase):
    """Nodes whose programs answer in another way than those that were recorded."""

    # What CentOS 7 brings without firewalld.
    CENTOS7 = """# Generated by iptables-save v1.4.21 on Sat Nov 21 12:00:00 2026
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [44:5048]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
-A INPUT -j REJECT --reject-with icmp-host-prohibited
COMMIT
"""

    def test_iptables_of_centos_7(self):
        judge = Node(commands={"iptables-save": (0, self.CENTOS7, "")}).judge(FOUR, multicast=True)
        self.assertEqual(
            judge.drops,
            [
                "iptables: table filter, chain INPUT, rule `-A INPUT -j REJECT --reject-with icmp-host-prohibited`: "
                + SPLIT % FOUR
                + "; `iptables -I INPUT -i eth0 -s 192.0.2.12 -p 112 -j ACCEPT`"
                + SAVED
            ],
        )

    def test_an_iptables_that_does_not_say_which_kind_it_is_unless_asked(self):
        rules = [{"rule": {"family": "ip", "table": "filter", "chain": "INPUT", "handle": 2, "expr": [UNSAID]}}]
        chain = {"family": "ip", "table": "filter", "name": "INPUT", "hook": "input", "prio": 0, "policy": "accept"}
        nft_objects = [{"table": {"family": "ip", "name": "filter"}}, {"chain": chain}] + rules
        node = nft_node(*nft_objects)
        self.assertEqual((len(node.judge(FOUR).drops), len(node.judge(FOUR).doubts)), (0, 1))
        node.commands["iptables-save"] = (0, self.CENTOS7.replace("v1.4.21", "v1.8.7"), "")
        node.commands["iptables-save --version"] = (0, "iptables-save v1.8.7 (nf_tables)\n", "")
        judge = node.judge(FOUR)
        self.assertEqual([text.partition(",")[0] for text in judge.drops], ["iptables: table filter"])
        self.assertEqual(judge.doubts, [])

    def test_firewalld_that_writes_with_iptables(self):
        text = self.CENTOS7.replace(":FORWARD", ":INPUT_ZONES - [0:0]\n:FORWARD")
        node = Node(commands={"iptables-save": (0, text, "")})
        self.assertEqual(node.judge(FOUR, firewalld=False).drops, [])
        self.assertTrue(node.judge(FOUR).drops[0].endswith("; run the keepalived role again, which accepts it in the "
                                                           "zone of the interface"))

    def test_nothing_is_said_of_a_node_without_a_known_filter(self):
        judge = Node().judge(FOUR)
        self.assertEqual((judge.drops, judge.doubts), ([], []))

    def test_an_nft_without_json_is_a_doubt_when_it_has_tables(self):
        old = {"nft -j list ruleset": (1, "", "nft: invalid option -- 'j'\n"), "nft list tables": (0, "", "")}
        self.assertEqual(Node(commands=old).judge(FOUR).doubts, [])
        old["nft list tables"] = (0, "table inet filter\n", "")
        self.assertEqual(
            Node(commands=old).judge(FOUR).doubts,
            [
                "nftables: its rules cannot be read (`nft -j list ruleset` says: nft: invalid option -- 'j'), and it "
                "has tables (table inet filter); look whether protocol 112 passes"
            ],
        )


def payload(field, protocol="ip"):
    return {"payload": {"protocol": protocol, "field": field}}


def meta(key):
    return {"meta": {"key": key}}


def match(left, right, operator="=="):
    return {"match": {"op": operator, "left": left, "right": right}}


SETS = {
    "peers": ["192.0.2.12", {"prefix": {"addr": "198.51.100.0", "len": 24}}, {"range": ["203.0.113.5", "203.0.113.9"]}],
    "timed": [{"elem": {"val": "192.0.2.12", "timeout": 60, "expires": 12}}],
    "pairs": [{"concat": ["eth0", {"prefix": {"addr": "192.0.2.0", "len": 24}}]}],
}
PAIR = {"concat": [meta("iifname"), payload("saddr")]}
# A match, and whether it holds for an advert of 192.0.2.12 to 192.0.2.11 on eth0.
MATCHES = [
    (match(payload("saddr"), "192.0.2.12"), True),
    (match(payload("saddr"), "192.0.2.13"), False),
    (match(payload("saddr"), "192.0.2.12", "!="), False),
    (match(payload("saddr"), "@peers"), True),
    (match(payload("daddr"), "@peers"), False),
    (match(payload("saddr"), "@timed"), True),
    (match(payload("saddr"), "@gone"), None),
    (match(payload("saddr"), {"prefix": {"addr": "192.0.2.8", "len": 29}}), True),
    (match(payload("saddr"), {"range": ["192.0.2.13", "192.0.2.20"]}), False),
    (match(payload("saddr"), {"set": ["192.0.2.1", {"range": ["192.0.2.12", "192.0.2.14"]}]}, "!="), False),
    (match(payload("saddr"), {"map": {}}), None),
    (match(PAIR, "@pairs"), True),
    (match(PAIR, {"set": [{"concat": ["eth1", "192.0.2.12"]}]}), False),
    (match({"concat": [meta("oifname"), payload("saddr")]}, "@pairs"), False),
    # Of another family or protocol: the rule ends, whatever it compares with.
    (match(payload("saddr", "ip6"), "2001:db8::1", "!="), False),
    (match(payload("dport", "tcp"), 22, "!="), False),
    (match({"&": [payload("flags", "tcp"), ["fin"]]}, ["fin"], "!="), False),
    (match(payload("type", "icmpv6"), "echo-request"), False),
    (match(payload("dport", "th"), 53), None),
    (match({"payload": {"base": "th", "offset": 0, "len": 16}}, 53), None),
    (match(payload("saddr", "ether"), "02:00:00:00:00:02"), None),
    (match(payload("protocol"), "vrrp"), True),
    (match(payload("protocol"), 112), True),
    (match(payload("protocol"), {"set": [{"range": [50, 51]}, "tcp"]}), False),
    (match(payload("protocol"), {"range": [100, 120]}), True),
    (match(payload("ttl"), 255, "<"), False),
    (match(payload("ttl"), 255, ">="), True),
    (match(payload("ttl"), "any", "<"), None),
    (match(payload("dscp"), "cs6"), None),
    (match({"&": [payload("frag-off"), 0x1FFF]}, 0, "!="), False),
    (match({"&": [payload("frag-off"), 0x4000]}, 0, "!="), None),
    (match(meta("l4proto"), {"set": ["tcp", "udp"]}), False),
    (match(meta("l4proto"), "carp"), True),
    (match(meta("nfproto"), "ipv4"), True),
    (match(meta("protocol"), {"set": ["arp", "ip6"]}), False),
    (match(meta("iifname"), "eth*"), True),
    (match(meta("iif"), "lo"), False),
    (match(meta("oifname"), "lo", "!="), False),
    (match(meta("pkttype"), "multicast"), False),
    (match(meta("pkttype"), {"set": ["host", "broadcast"]}), True),
    (match(meta("mark"), 1), False),
    (match({"&": [meta("mark"), 0xFF]}, 0), True),
    (match(meta("length"), {"range": [40, 60]}), None),
    (match(meta("skuid"), "root"), None),
    (match({"ct": {"key": "state"}}, {"set": ["established", "related"]}), False),
    (match({"ct": {"key": "state"}}, ["new", "untracked"], "in"), True),
    (match({"ct": {"key": "state"}}, "invalid", "in"), False),
    (match({"ct": {"key": "status"}}, "dnat", "in"), False),
    (match({"ct": {"key": "mark"}}, 0), True),
    (match({"ct": {"key": "direction"}}, "original"), True),
    (match({"ct": {"key": "ip saddr", "dir": "original"}}, "192.0.2.12"), True),
    (match({"ct": {"key": "ip6 saddr", "dir": "original"}}, "2001:db8::12"), False),
    (match({"ct": {"key": "zone"}}, 1), None),
    (match({"fib": {"result": "type", "flags": ["daddr"]}}, "local"), True),
    (match({"fib": {"result": "type", "flags": ["saddr"]}}, "local"), False),
    (match({"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, False), False),
    (match({"fib": {"result": "oif", "flags": ["saddr", "mark"]}}, 0), False),
    (match({"fib": {"result": "oifname", "flags": ["saddr"]}}, "eth0"), True),
    (match({"fib": {"result": "oif", "flags": ["daddr"]}}, False), None),
    (match({"exthdr": {"name": "frag"}}, True), False),
    (match({"exthdr": {"name": "rt", "field": "type"}}, 0), False),
    (match({"ip option": {"name": "lsrr"}}, False), True),
    (match({"socket": {"key": "transparent"}}, 1), None),
    (match({"numgen": {"mode": "inc", "mod": 2, "offset": 0}}, 0), None),
    (match(payload("saddr"), "192.0.2.12", "~"), None),
    ({"limit": {"rate": 5, "per": "minute"}}, None),
    ({"ct count": {"val": 5}}, None),
    ({"something newer": None}, None),
    ({"xt": {"type": "match", "name": "conntrack"}}, None),
    ({"counter": {"packets": 0, "bytes": 0}}, True),
    ({"log": None}, True),
    ({"set": {"op": "update", "elem": payload("saddr"), "set": "@timed"}}, True),
    ({"mangle": {"key": meta("mark"), "value": 1}}, True),
    ({"xt": {"type": "target", "name": "LOG"}}, True),
]
VERDICTS = [
    ({"drop": None}, ("drop", None)),
    ({"reject": {"type": "icmpx"}}, ("drop", None)),
    ({"jump": {"target": "there"}}, ("jump", "there")),
    ({"goto": {"target": "there"}}, ("goto", "there")),
    ({"return": None}, ("return", None)),
    ({"masquerade": None}, ("accept", None)),
    ({"dnat": {"addr": "192.0.2.99"}}, ("unknown", None)),
    ({"queue": {"num": 3}}, ("unknown", None)),
    ({"xt": {"type": "target", "name": "REJECT"}}, ("drop", None)),
    ({"xt": {"type": "target", "name": "NFQUEUE"}}, ("unknown", None)),
]
# What nft 0.9.8 prints for anything that it cannot spell out.
UNSAID = {"xt": None}


class NftRuleTest(unittest.TestCase):
    def judge(self, *expressions, **changes):
        given = {"source": FOUR, "destination": "192.0.2.11"}
        given.update(changes)
        packet = Packet(INPUT, "eth0", **given)
        return nft.NftRule(list(expressions), 1, SETS).judge(packet)

    def test_what_a_rule_asks(self):
        ways = {True: ([("accept", None)], False), False: ([], True), None: ([("accept", None)], True)}
        for expression, holds in MATCHES:
            self.assertEqual(self.judge(expression, {"accept": None}), ways[holds], expression)

    def test_what_a_rule_does(self):
        for expression, verdict in VERDICTS:
            self.assertEqual(self.judge(expression), ([verdict], False), expression)
        self.assertEqual(self.judge(UNSAID, {"accept": None}), ([("accept", None)], True))
        self.assertEqual(self.judge({"counter": None}, UNSAID), ([("unknown", None)], True))

    def test_verdict_maps(self):
        def verdicts(key, pairs):
            return self.judge({"vmap": {"key": key, "data": pairs}})

        pairs = {"set": [["*", {"continue": None}], ["tcp", {"jump": {"target": "ports"}}], ["vrrp", {"accept": None}]]}
        self.assertEqual(verdicts(meta("l4proto"), pairs), ([("accept", None)], False))
        rest = {"set": [["*", {"drop": None}], ["tcp", {"jump": {"target": "ports"}}]]}
        self.assertEqual(verdicts(meta("l4proto"), rest), ([("drop", None)], False))
        self.assertEqual(verdicts(meta("l4proto"), {"set": [["tcp", {"drop": None}]]}), ([], True))
        self.assertEqual(verdicts(meta("oifname"), rest), ([], True))
        self.assertEqual(verdicts(meta("l4proto"), "@gone"), ([("unknown", None)], True))
        either = verdicts(meta("length"), {"set": [[40, {"accept": None}], [44, {"drop": None}]]})
        self.assertEqual(either, ([("accept", None), ("drop", None)], True))

    def test_the_other_directions_and_states(self):
        established = match({"ct": {"key": "state"}}, "established", "in")
        self.assertEqual(self.judge(established, {"accept": None}, state=ESTABLISHED), ([("accept", None)], False))
        dnat = match({"ct": {"key": "status"}}, "dnat", "in")
        self.assertEqual(self.judge(dnat, {"accept": None}, state=ESTABLISHED), ([("accept", None)], True))
        group = match(payload("daddr"), "224.0.0.18")
        kind = match({"fib": {"result": "type", "flags": ["daddr"]}}, "multicast")
        several = self.judge(group, kind, match(meta("pkttype"), "multicast"), {"drop": None}, destination="224.0.0.18")
        self.assertEqual(several, ([("drop", None)], False))
        sent = Packet(OUTPUT, "eth0", "192.0.2.11", FOUR)
        rule = [match(meta("oifname"), "eth0"), match(meta("skuid"), 0), match(meta("iifname"), "lo", "!=")]
        self.assertEqual(nft.NftRule(rule[:2] + [{"accept": None}], 1, {}).judge(sent), ([("accept", None)], False))
        self.assertEqual(nft.NftRule(rule + [{"accept": None}], 1, {}).judge(sent), ([], True))

    def test_ways_through_jumps(self):
        def rule(chain, *expressions):
            return {"rule": {"family": "inet", "table": "t", "chain": chain, "handle": 1, "expr": list(expressions)}}

        def chain(name, **base):
            return {"chain": dict(base, family="inet", table="t", name=name)}

        base = chain("input", type="filter", hook="input", prio=0, policy="drop")
        chains = [base, chain("one"), chain("two")]
        maybe = {"limit": {"rate": 5, "per": "minute"}}

        def result(*rules):
            judge = nft_node(*(chains + list(rules))).judge(FOUR, multicast=True)
            return len(judge.drops), len(judge.doubts)

        accept, jump, goto = {"accept": None}, {"jump": {"target": "one"}}, {"goto": {"target": "one"}}
        # Back from a jump the next rule counts, back from a goto the policy.
        self.assertEqual(result(rule("input", jump), rule("input", accept)), (0, 0))
        self.assertEqual(result(rule("input", goto), rule("input", accept)), (1, 0))
        further = rule("one", {"jump": {"target": "two"}})
        self.assertEqual(result(rule("input", goto), further, rule("two", accept)), (0, 0))
        self.assertEqual(result(rule("input", jump), rule("one", {"return": None}), rule("one", accept)), (1, 0))
        self.assertEqual(result(rule("input", maybe, accept)), (0, 1))
        self.assertEqual(result(rule("input", jump), rule("input", accept), rule("one", maybe, {"drop": None})), (0, 1))
        self.assertEqual(result(rule("input", {"jump": {"target": "gone"}}), rule("input", accept)), (0, 1))
        # A circle, which the kernel would not take, comes to an end.
        self.assertEqual(result(rule("input", jump), rule("one", maybe, jump)), (0, 1))

    def test_a_doubt_names_what_it_depends_on(self):
        chain = {"family": "ip", "table": "t", "name": "input", "hook": "input", "prio": 0, "policy": "drop"}
        rule = {"family": "ip", "table": "t", "chain": "input", "handle": 7, "expr": [{"quota": {}}, {"accept": None}]}
        node = nft_node({"table": {"family": "ip", "name": "t"}}, {"chain": chain}, {"rule": rule})
        self.assertEqual(
            node.judge(FOUR).doubts,
            [
                "nftables: table ip t, chain input, policy drop: may drop VRRP from the peer 192.0.2.12 on eth0, which "
                "depends on rule with handle 7 of chain input; to be sure, `nft insert rule ip t input iifname eth0 ip "
                "saddr 192.0.2.12 meta l4proto 112 accept`" + AT_BOOT
            ],
        )
        self.assertEqual(node.judge(SIX).doubts, [])


# A line of iptables-save, and whether it holds for an advert of 192.0.2.12 to 192.0.2.11 on eth0.
LINES = [
    ("", True),
    ("-s 192.0.2.0/24", True),
    ("-s 192.0.2.0/255.255.255.240", True),
    ("-s 192.0.2.0/255.0.255.0", None),
    ("! -s 192.0.2.12/32", False),
    ("-d 224.0.0.18/32", False),
    ("-p vrrp", True),
    ("-p 112 -i eth+", True),
    ("-p tcp -m tcp --dport 22", False),
    ("! -p tcp", True),
    ("-p all ! -i lo", True),
    ("-o eth0", False),
    ("-f", False),
    ("! -f", True),
    ("-m state --state NEW", True),
    ("-m conntrack --ctstate RELATED,ESTABLISHED", False),
    ("-m conntrack ! --ctstate INVALID", True),
    ("-m conntrack --ctstate NEW --ctorigsrc 192.0.2.12", None),
    ("-m conntrack --ctstatus NONE", True),
    ("-m addrtype --dst-type LOCAL,MULTICAST", True),
    ("-m addrtype ! --src-type UNICAST --limit-iface-in", False),
    ("-m pkttype --pkt-type unicast", True),
    ("-m iprange --src-range 192.0.2.10-192.0.2.14", True),
    ("-m iprange ! --dst-range 192.0.2.11-192.0.2.11", False),
    ("-m mark --mark 0x8000/0x8000", False),
    ("-m mark ! --mark 0x1", True),
    ("-m ttl --ttl-eq 255", True),
    ("-m ttl --ttl-lt 255", False),
    ("-m comment --comment \"it's -j DROP\"", True),
    ("-m rpfilter --loose --validmark", True),
    ("-m rpfilter --invert", False),
    ("-m rt --rt-type 0", False),
    ("-m limit --limit 3/min", None),
    ("-m set --match-set peers src", None),
    ("-m set ! --match-set peers src -p tcp", None),
    ("-m limit --limit 3/min -m state --state ESTABLISHED", False),
    ("--unheard-of", None),
]
TARGETS = [
    ("-j DROP", ("drop", None)),
    ("-j REJECT --reject-with icmp-port-unreachable", ("drop", None)),
    ("-j RETURN", ("return", None)),
    ("-j NFQUEUE --queue-num 3", ("unknown", None)),
    ("-j DNAT --to-destination 192.0.2.99", ("unknown", None)),
    ("-j services", ("jump", "services")),
    ("-g services", ("goto", "services")),
]


class SavedRuleTest(unittest.TestCase):
    def judge(self, line, packet=None):
        rule = xtables.SavedRule("-A INPUT " + line)
        return rule.judge(packet or Packet(INPUT, "eth0", FOUR, "192.0.2.11"))

    def test_what_a_line_asks(self):
        ways = {True: ([("accept", None)], False), False: ([], True), None: ([("accept", None)], True)}
        for line, holds in LINES:
            self.assertEqual(self.judge(line + " -j ACCEPT"), ways[holds], line)

    def test_what_a_line_does(self):
        for line, verdict in TARGETS:
            self.assertEqual(self.judge(line), ([verdict], False), line)
        for line in ("", "-j LOG --log-prefix \"a b\"", "-j NFLOG", "-j MARK --set-xmark 0x1/0xff"):
            self.assertEqual(self.judge(line), ([], True), line)
        self.assertEqual(self.judge('-m comment --comment "open -j ACCEPT'), ([("unknown", None)], False))

    def test_what_an_earlier_line_did_to_the_packet(self):
        packet = Packet(INPUT, "eth0", FOUR, "192.0.2.11")
        self.judge("-j MARK --set-xmark 0x1/0xffffffff", packet)
        self.assertEqual(self.judge("-m mark --mark 0x1 -j DROP", packet), ([("drop", None)], True))
        self.judge("-j CT --notrack", packet)
        self.assertEqual(self.judge("-m conntrack --ctstate UNTRACKED -j DROP", packet), ([("drop", None)], False))
        self.judge("-m limit --limit 3/min -j NOTRACK", packet)
        self.assertEqual(self.judge("-m state --state NEW -j DROP", packet), ([("drop", None)], True))

    def test_what_this_node_sends(self):
        packet = Packet(OUTPUT, "eth0", "192.0.2.11", "224.0.0.18")
        asked = "-o eth0 -d 224.0.0.18/32 -m addrtype --dst-type MULTICAST --src-type LOCAL -j DROP"
        self.assertEqual(self.judge(asked, packet), ([("drop", None)], False))
        self.assertEqual(self.judge("-i eth0 -j DROP", packet), ([], True))
        self.assertEqual(self.judge("! -i lo -j DROP", packet), ([("drop", None)], False))


if __name__ == "__main__":
    unittest.main()
