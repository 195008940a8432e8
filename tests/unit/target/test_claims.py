# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign claims of a VIP: when the owner is silent, when it speaks, and that it does not speak for ever."""

from __future__ import absolute_import, division, print_function

import ctypes
import errno
import os
import select
import subprocess
import time
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import addresses, arp, claims, journal, nd
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.system import System

__metaclass__ = type

VIP, VIP6 = "192.0.2.10", "2001:db8::10"
OURS, THEIRS = "52:54:00:00:00:01", "52:54:00:00:00:66"
STEP = 0.05
CLONE_NEWNET = 0x40000000


class Link(object):
    """A network: who is on it, in which order things are said on it."""

    def __init__(self):
        self.clock, self.machines = 1000.0, []

    def announce(self, sender, address):
        for machine in self.machines:
            if machine is not sender:
                machine.hear(address, sender.mac)

    def ask(self, sender, address):
        return {
            machine.mac for machine in self.machines if machine is not sender and address in machine.answers_for}


class Machine(object):
    def __init__(self, link, mac=THEIRS):
        self.link, self.mac, self.answers_for = link, mac, set()
        link.machines.append(self)

    def claim(self, address=VIP):
        self.link.announce(self, address)

    def hear(self, address, mac):
        pass


class Ear(object):
    def __init__(self, node, name, claimed):
        self.node, self.name, self.claimed, self.heard, self.closed, self.fails = node, name, claimed, [], False, None

    def receive(self):
        if self.fails:
            raise NodeError(self.fails)
        heard, found, self.heard = self.heard, {}, []
        for address, mac in heard:
            found.setdefault(address, set()).add(mac)
        return found

    def announce(self, address):
        if self.node.cannot_send:
            raise NodeError(self.node.cannot_send)
        self.node.announced.append((round(self.node.link.clock, 2), address))
        self.node.link.announce(self.node, address)

    def close(self):
        self.closed = True


class Asker(object):
    def __init__(self, node, address):
        self.node, self.address, self.answers, self.closed, self.sent = node, address, set(), False, 0

    def send(self):
        if self.node.cannot_send:
            raise NodeError(self.node.cannot_send)
        self.sent += 1
        self.answers |= self.node.link.ask(self.node, self.address) | self.node.own_answers

    def receive(self):
        answers, self.answers = self.answers, set()
        return answers

    def close(self):
        self.closed = True


class Node(Machine):
    """A node of the pair with its part of the handler, and the world of that."""

    def __init__(self, link, mac=OURS, vips=(VIP,), name="eth0"):
        super(Node, self).__init__(link, mac)
        self.state, self.running, self.held = "MASTER", True, set(vips)
        self.answers_for = set(vips)
        self.macs, self.kernel_asked, self.cannot_send, self.own_answers = [mac], 0, None, set()
        self.ears, self.askers, self.announced, self.said, self.fields = [], [], [], [], []
        self.confirmed, self.on_confirm, self.problems, self.cannot_listen = [], None, [], None
        self.description = {"instances": {"web": {
            "vips": [{"address": address, "prefix": 24, "interface": name} for address in vips]}}}
        self.claims = claims.ForeignClaims(self, self.say, self.attempt)

    # What the part sees of the world

    def monotonic(self):
        return self.link.clock

    def interfaces(self):
        self.kernel_asked += 1
        held = [{"address": address, "prefix": 24} for address in sorted(self.held)]
        others = [{"name": "eth1", "mac": mac, "addresses": []} for mac in self.macs[1:]]
        return [{"name": "eth0", "mac": self.macs[0], "addresses": held}] + others

    def claims_of(self, name, claimed):
        if self.cannot_listen:
            raise NodeError(self.cannot_listen)
        self.ears.append(Ear(self, name, claimed))
        return self.ears[-1]

    def asker(self, _interfaces, _name, address, virtual):
        assert address in virtual
        self.askers.append(Asker(self, address))
        return self.askers[-1]

    def say(self, line, **fields):
        self.said.append(line)
        self.fields.append(fields)

    def attempt(self, topic, call, *arguments):
        try:
            return call(*arguments)
        except NodeError as exc:
            self.problems.append((topic, str(exc)))
            return None

    # The handler around it

    def hear(self, address, mac):
        for ear in self.ears:
            if not ear.closed and address in ear.claimed and mac not in self.macs:
                ear.heard.append((address, mac))

    def record(self):
        return {"instances": {"web": {"state": self.state}}}, {"pid": 1} if self.running else None

    def confirm(self, ask):
        self.confirmed.append(ask)
        if self.on_confirm:
            self.on_confirm()
        return self.record() + (False,)

    def turn(self):
        for place in list(self.claims.sources().values()):
            if self.claims._ears[place][0].heard:
                self.attempt("hear", self.claims.hear, place)
        self.claims.look(*((self.description,) + self.record() + (self.confirm,)))


class WorldOfNode(object):
    """`claims` is both the part and what the part calls."""


def system_of(node):
    world = WorldOfNode()
    for name in ("monotonic", "interfaces", "asker"):
        setattr(world, name, getattr(node, name))
    world.claims = lambda _interfaces, name, claimed: node.claims_of(name, claimed)
    return world


def make_node(link, **named):
    node = Node(link, **named)
    node.claims = claims.ForeignClaims(system_of(node), node.say, node.attempt)
    node.turn()
    return node


class ClaimCase(unittest.TestCase):
    vip = VIP

    def setUp(self):
        self.link = Link()
        self.node = make_node(self.link, vips=(self.vip,))
        self.thief = Machine(self.link)

    def run_for(self, seconds, every=None):
        for _step in range(int(seconds / STEP + 0.5)):
            self.link.clock += STEP
            if every:
                every()
            for machine in self.link.machines:
                if isinstance(machine, Node):
                    machine.turn()

    def steal(self, address=None):
        self.thief.answers_for.add(address or self.vip)
        self.thief.claim(address or self.vip)


class ForeignClaimTest(ClaimCase):
    def test_it_listens_where_it_is_master_and_asks_nobody(self):
        self.run_for(5)
        self.assertEqual([(ear.name, ear.claimed) for ear in self.node.ears], [("eth0", [self.vip])])
        self.assertEqual((self.node.askers, self.node.kernel_asked, self.node.confirmed), ([], 1, []))
        self.assertFalse(self.node.claims.active)
        self.assertIsNone(self.node.claims.remaining())

    def test_silent_while_another_machine_answers_and_said_once(self):
        self.steal()
        self.run_for(8, lambda: self.thief.claim(self.vip))
        self.assertEqual(self.node.announced, [])
        self.assertEqual(self.node.said, [
            "%s is claimed by %s as well, although keepalived here is MASTER: asking until nobody else has it"
            % (self.vip, THEIRS)])
        self.assertEqual((self.node.fields[0]["message_id"], self.node.fields[0]["priority"]),
                         (journal.GUARD_ACTION, journal.WARNING))
        self.assertIn(self.node.askers[0].sent, range(30, 42))

    def test_it_announces_soon_after_the_other_one_is_gone(self):
        self.steal()
        self.run_for(2)
        gone = self.link.clock
        self.thief.answers_for.clear()
        self.run_for(5)
        times = [at - gone for at, address in self.node.announced if address == self.vip]
        self.assertEqual(len(times), 3)
        self.assertLess(times[0], 0.7)
        self.assertGreater(times[0], 0.3)
        self.assertEqual(self.node.said[1:], [
            "%s: nobody else answers for it any more (claimed by %s): announced anew" % (self.vip, THEIRS)])
        self.assertTrue(self.node.askers[0].closed)
        self.assertFalse(self.node.claims.active)
        self.assertEqual(self.node.confirmed, [True])

    def test_who_claims_without_answering_is_let_finish(self):
        self.run_for(3, lambda: self.thief.claim(self.vip))
        self.assertEqual(self.node.announced, [])
        self.run_for(1)
        self.assertEqual(len(self.node.announced), 3)

    def test_one_claim_is_enough(self):
        self.thief.claim(self.vip)
        self.run_for(1)
        self.assertEqual(len(self.node.announced), 3)

    def test_a_claim_between_its_announcements_makes_it_silent(self):
        self.thief.claim(self.vip)
        while not self.node.announced:
            self.run_for(STEP)
        self.steal()
        self.run_for(3)
        self.assertEqual(len(self.node.announced), 1)

    def test_a_claim_while_keepalived_is_asked_makes_it_silent(self):
        self.thief.claim(self.vip)
        self.node.on_confirm = self.steal
        self.run_for(3)
        self.assertEqual((self.node.announced, self.node.confirmed), ([], [True]))

    def test_our_own_machine_is_nobody_else(self):
        self.node.macs.append("52:54:00:00:00:02")
        self.node.own_answers = {"52:54:00:00:00:02"}
        self.thief.claim(self.vip)
        self.run_for(1)
        self.assertEqual(len(self.node.announced), 3)

    def test_a_new_mac_address_of_ours_is_no_claim(self):
        self.node.ears[0].heard.append((self.vip, "52:54:00:00:00:02"))
        self.node.macs.append("52:54:00:00:00:02")
        self.run_for(2)
        self.assertEqual((self.node.said, self.node.askers, self.node.announced), ([], [], []))
        self.assertEqual([ear.closed for ear in self.node.ears], [True, False])

    def test_a_handover_is_no_claim(self):
        self.steal()
        self.node.turn()
        self.node.state = "BACKUP"
        self.run_for(2)
        self.assertEqual((self.node.said, self.node.announced, self.node.claims.active), ([], [], False))
        self.assertTrue(self.node.ears[0].closed and self.node.askers[0].closed)

    def test_dropped_when_keepalived_says_something_else(self):
        self.link.machines.remove(self.node)
        for change in ({"state": "BACKUP"}, {"running": False}, {"held": set()}):
            node = make_node(self.link, mac="52:54:00:00:00:0a", vips=(self.vip,))
            node.on_confirm = lambda node=node, change=change: node.__dict__.update(change)
            self.thief.claim(self.vip)
            self.run_for(2)
            self.assertEqual((node.announced, node.claims.active, len(node.confirmed)), ([], False, 1), change)
            self.link.machines.remove(node)

    def test_dropped_when_the_kernel_has_it_no_more(self):
        self.steal()
        self.run_for(1)
        self.node.held.clear()
        self.run_for(2)
        self.assertFalse(self.node.claims.active)
        asked = self.node.kernel_asked
        self.run_for(10, lambda: self.thief.claim(self.vip))
        # It is looked at again and again whether it is there, but not at every frame.
        self.assertLess(self.node.kernel_asked - asked, 12)
        self.assertEqual(len(self.node.said), 1)

    def test_one_that_is_not_master_hears_nothing(self):
        node = make_node(self.link, mac="52:54:00:00:00:0a", vips=(self.vip,))
        node.state = "BACKUP"
        self.steal()
        self.run_for(2)
        self.assertTrue(all(ear.closed for ear in node.ears))
        self.assertEqual((node.said, node.askers), ([], []))

    def test_a_thief_that_comes_and_goes_is_answered_more_and_more_seldom(self):
        for _time in range(300):
            self.thief.claim(self.vip)
            self.run_for(1)
        before = len(self.node.announced)
        self.assertIn(before, range(2 * len(claims.PAUSES), 3 * len(claims.PAUSES) + 1))
        self.assertIn("from now on that is left to keepalived", self.node.said[-1])
        self.run_for(claims.FORGET + 1)
        self.thief.claim(self.vip)
        self.run_for(1)
        self.assertEqual(len(self.node.announced), before + 3)

    def test_any_number_of_claimants_is_one_line(self):
        for number in range(50):
            self.link.announce(Machine(Link(), "52:54:00:00:01:%02x" % number), self.vip)
        self.run_for(1)
        self.assertEqual([line.count("52:54") for line in self.node.said], [claims.REMEMBERED] * 2)

    def test_a_link_that_is_down_is_tried_again_and_the_claim_kept(self):
        self.thief.claim(self.vip)
        self.node.cannot_send = "ARP on eth0: cannot send (Network is down); see that the interface is up"
        self.run_for(5)
        self.assertEqual(set(self.node.problems), {("claim of %s" % self.vip, self.node.cannot_send)})
        self.assertLess(len(self.node.problems), 7)
        self.node.cannot_send = None
        self.run_for(2)
        self.assertEqual(len(self.node.announced), 3)

    def test_an_ear_that_fails_is_replaced_later(self):
        self.node.ears[0].fails = "ARP on eth0: cannot listen (Network is down); see that the interface is up"
        self.thief.claim(self.vip)
        self.run_for(4)
        self.assertEqual((len(self.node.ears), self.node.ears[0].closed), (1, True))
        self.run_for(2)
        self.assertEqual(len(self.node.ears), 2)

    def test_what_cannot_listen_is_not_tried_at_every_look(self):
        node = Node(self.link, mac="52:54:00:00:00:0a")
        node.claims = claims.ForeignClaims(system_of(node), node.say, node.attempt)
        node.cannot_listen = "ARP on eth0: no raw socket"
        self.run_for(9)
        self.assertEqual(node.problems, [("claims on eth0", "ARP on eth0: no raw socket")] * 2)

    def test_the_sockets_are_closed_in_the_end(self):
        self.steal()
        self.run_for(1)
        self.node.claims.close()
        self.assertTrue(self.node.ears[0].closed and self.node.askers[0].closed)


class ForeignClaimOfIPv6Test(ForeignClaimTest):
    vip = VIP6


class PlacesTest(unittest.TestCase):
    def test_one_ear_for_each_interface_and_family(self):
        link = Link()
        node = Node(link, vips=(VIP, "192.0.2.11", VIP6))
        node.description["instances"]["api"] = {"vips": [{"address": "192.0.2.12", "interface": "eth0", "prefix": 24}]}
        node.claims = claims.ForeignClaims(system_of(node), node.say, node.attempt)
        node.turn()
        self.assertEqual([ear.claimed for ear in node.ears], [[VIP, "192.0.2.11"], [VIP6]])

    def test_a_new_mac_address_of_ours_may_speak_for_several_addresses(self):
        link = Link()
        node = make_node(link, vips=(VIP, "192.0.2.11"))
        node.ears[0].heard += [(VIP, "52:54:00:00:00:02"), ("192.0.2.11", "52:54:00:00:00:02")]
        node.macs.append("52:54:00:00:00:02")
        for _step in range(40):
            link.clock += STEP
            node.turn()
        self.assertEqual((len(node.ears), node.askers, node.announced), (2, [], []))

    def test_many_addresses_are_one_question_to_keepalived(self):
        link = Link()
        vips = ["192.0.2.%d" % number for number in range(10, 30)]
        node, thief = make_node(link, vips=vips), Machine(link)
        for address in vips:
            thief.claim(address)
        for _step in range(40):
            link.clock += STEP
            node.turn()
        self.assertEqual((len(node.announced), node.confirmed), (60, [True]))
        self.assertLess(node.kernel_asked, 6)

    def test_another_spelling_is_the_same_address(self):
        link = Link()
        node = make_node(link, vips=("2001:DB8:0::10",))
        node.ears[0].heard.append((VIP6, THEIRS))
        for _step in range(40):
            link.clock += STEP
            node.turn()
        self.assertEqual([address for _at, address in node.announced], ["2001:DB8:0::10"] * 3)


class TwoNodesTest(ClaimCase):
    """A split brain: both are MASTER, and both have this part."""

    def setUp(self):
        super(TwoNodesTest, self).setUp()
        self.peer = make_node(self.link, mac="52:54:00:00:00:02")

    def claim_both(self):
        self.link.announce(self.node, VIP)
        self.link.announce(self.peer, VIP)

    def test_both_are_silent_while_it_lasts(self):
        self.claim_both()
        self.run_for(130)
        self.assertEqual(self.node.announced + self.peer.announced, [])
        self.assertEqual((len(self.node.said), len(self.peer.said)), (1, 1))

    def test_the_winner_speaks_when_the_other_one_has_let_go(self):
        self.claim_both()
        self.run_for(8)
        self.peer.state, self.peer.answers_for, self.peer.held = "BACKUP", set(), set()
        self.run_for(10)
        self.assertEqual((len(self.node.announced), self.peer.announced), (3, []))
        self.assertEqual((self.node.claims.active, self.peer.claims.active), (False, False))

    def test_who_hears_announcements_and_no_answers_does_not_go_on_for_ever(self):
        # A filter, or a switch, that lets broadcasts through and answers not.
        self.node.answers_for, self.peer.answers_for = set(), set()
        self.claim_both()
        self.run_for(200)
        announced = len(self.node.announced) + len(self.peer.announced)
        self.assertLessEqual(announced, 2 * 3 * len(claims.PAUSES))
        # keepalived repeats its own every 60 s, and that begins nothing anew.
        for _minute in range(10):
            self.claim_both()
            self.run_for(60)
        self.assertLessEqual(len(self.node.announced) + len(self.peer.announced), 2 * 3 * len(claims.PAUSES))


class FrameTest(unittest.TestCase):
    """What a socket gives, without one."""

    class Socket(object):
        def __init__(self, frames, fails=None):
            self.frames, self.fails, self.sent, self.closed = list(frames), fails, [], False

        def recv(self, _size):
            if self.frames:
                return self.frames.pop(0)
            raise OSError(self.fails or errno.EAGAIN, "Network is down")

        def send(self, frame):
            if self.fails:
                raise OSError(self.fails, "Network is down")
            self.sent.append(frame)

        def sendto(self, message, where):
            self.send((message, where))

        def close(self):
            self.closed = True

    def ear(self, kind, frames, fails=None, **named):
        link, address = self.Socket(frames, fails), VIP if kind is arp.Claims else VIP6
        opener = (lambda _name, _program: link) if kind is arp.Claims else (lambda _name, _source, _program: link)
        return kind("eth0", OURS, {OURS, "52:54:00:00:00:02"}, [address], opener=opener, **named), link

    def test_arp(self):
        frames = arp.build_announcements(THEIRS, VIP) + arp.build_announcements("52:54:00:00:00:02", VIP)
        frames += [arp.build_request("52:54:00:00:00:67", VIP, "192.0.2.1"), b"", b"\0" * 60]
        ear, link = self.ear(arp.Claims, frames)
        self.assertEqual(ear.receive(), {VIP: {THEIRS, "52:54:00:00:00:67"}})
        ear.announce(VIP)
        self.assertEqual([arp.parse_claim(frame) for frame in link.sent], [(VIP, OURS)] * 2)
        ear.close()
        self.assertTrue(link.closed)

    def test_nd(self):
        for router, flags in ((True, 0xA0), (False, 0x20)):
            frames = [nd.build_announcement(mac, VIP6) for mac in (THEIRS, OURS)] + [b"junk"]
            ear, link = self.ear(nd.Claims, frames, router=lambda _name, router=router: router)
            self.assertEqual(ear.receive(), {VIP6: {THEIRS}})
            ear.announce(VIP6)
            message, where = link.sent[0]
            self.assertEqual((nd.parse_claim(message), where), ((VIP6, OURS), ("ff02::1", 0)))
            self.assertEqual(bytearray(message)[4], flags)

    def test_no_more_than_so_many_at_once(self):
        for kind, frame in (
            (arp.Claims, arp.build_announcements(THEIRS, VIP)[0]), (nd.Claims, nd.build_announcement(THEIRS, VIP6)),
        ):
            ear, link = self.ear(kind, [frame] * (arp.AT_ONCE + 5))
            ear.receive()
            self.assertEqual(len(link.frames), 5)

    def test_a_link_that_goes_down_has_a_name(self):
        for kind, protocol, address in ((arp.Claims, "ARP", VIP), (nd.Claims, "ND", VIP6)):
            ear = self.ear(kind, [], errno.ENETDOWN)[0]
            for call, arguments, what in ((ear.receive, (), "listen"), (ear.announce, (address,), "send")):
                with self.assertRaises(NodeError) as caught:
                    call(*arguments)
                self.assertEqual(
                    str(caught.exception),
                    "%s on eth0: cannot %s (Network is down); see that the interface is up" % (protocol, what))


def run(*argv):
    try:
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as exc:
        return 127, str(exc)
    out = process.communicate()[0].decode("utf-8", "replace")
    return process.returncode, out


class VethTest(unittest.TestCase):
    """Real sockets on two ends of a wire, in a network namespace of its own."""

    def setUp(self):
        here = os.open("/proc/self/ns/net", os.O_RDONLY) if os.path.exists("/proc/self/ns/net") else None
        libc = ctypes.CDLL(None, use_errno=True)
        if here is None or libc.unshare(CLONE_NEWNET):
            self.skipTest("no network namespace of our own: needs root on Linux")
        self.addCleanup(os.close, here)
        self.addCleanup(libc.setns, here, CLONE_NEWNET)
        self.names = ["wire0", "wire1"]
        code, out = run("ip", "link", "add", self.names[0], "type", "veth", "peer", "name", self.names[1])
        if code:
            self.skipTest("no veth here: %s" % out)
        for name in self.names:
            self.assertEqual(run("ip", "link", "set", name, "up"), (0, ""))
        interfaces = System().interfaces()
        self.macs = [addresses.find_interface(interfaces, name)["mac"] for name in self.names]
        # /sys shows the interfaces of the namespace in which it was mounted.
        original = nd.interface_index
        nd.interface_index = lambda name: int(run("ip", "-o", "link", "show", "dev", name)[1].split(":")[0])
        self.addCleanup(setattr, nd, "interface_index", original)

    def ear(self, kind, end, address):
        made = kind(self.names[end], self.macs[end], [self.macs[end]], [address])
        self.addCleanup(made.close)
        return made

    def hears(self, ear, seconds=2.0):
        return ear.receive() if select.select([ear], [], [], seconds)[0] else {}

    def test_arp(self):
        here, there = self.ear(arp.Claims, 0, VIP), self.ear(arp.Claims, 1, VIP)
        other = self.ear(arp.Claims, 0, "192.0.2.11")
        there.announce(VIP)
        self.assertEqual(self.hears(here), {VIP: {self.macs[1]}})
        self.assertEqual((self.hears(there, 0), self.hears(other, 0)), ({}, {}))

    def test_nd(self):
        try:
            here, there = self.ear(nd.Claims, 0, VIP6), self.ear(nd.Claims, 1, VIP6)
            other = self.ear(nd.Claims, 0, "2001:db8::11")
        except NodeError as exc:
            self.skipTest("no IPv6 here: %s" % exc)
        for _try in range(50):
            try:
                there.announce(VIP6)
            except NodeError:
                time.sleep(0.1)  # the link-local address is not there yet
            heard = self.hears(here, 0.1)
            if heard:
                break
        if not heard and "inet6" not in run("ip", "addr", "show", self.names[1])[1]:
            self.skipTest("no IPv6 on this wire")
        self.assertEqual(heard, {VIP6: {self.macs[1]}})
        self.assertEqual((self.hears(there, 0), self.hears(other, 0)), ({}, {}))
