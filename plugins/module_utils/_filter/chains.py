# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains and rules of any kind of packet filter, and the way of a packet through them.

Where a rule cannot be foretold, both ways are gone. So the answer is what may become of the packet, and it is certain
when there is one way only.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

ACCEPT, DROP, UNKNOWN, JUMP, GOTO, RETURN, CONTINUE = "accept", "drop", "unknown", "jump", "goto", "return", "continue"

# The kernel refuses circles and more jumps within jumps than 16 (include/net/netfilter/nf_tables.h); the steps bound
# what many jumps to the same chains would cost here.
_DEEPEST = 16
_MOST_STEPS = 50000


class Rule(object):
    """One rule. `text`: as a person would find it."""

    text = ""

    def judge(self, packet):
        """([(verdict, target)] that the rule may give, whether the packet may come to the next rule)."""
        raise NotImplementedError


class Chain(object):
    """A chain of rules. A base chain has hook, priority and policy; `devices`: None for all, [] for unknown ones.

    program: the command that shows and changes it. table: as that command names it. families: 4, 6 or both.
    """

    def __init__(self, program, table, name, families, hook=None, priority=0, policy=ACCEPT, devices=None):
        self.program = program
        self.table = table
        self.name = name
        self.families = families
        self.hook = hook
        self.priority = priority
        self.policy = policy
        self.devices = devices
        self.rules = []
        # Chains of the same table, by name: where jumps go to.
        self.others = {}


class Way(object):
    """What may become of a packet: it may be accepted, dropped or lost sight of by some rule, or go on."""

    def __init__(self):
        self.accepted = False
        self.dropped = []
        self.lost = []
        self.doubts = []
        self.goes_on = False

    def take(self, other):
        """What may become of it elsewhere may become of it here."""
        self.accepted = self.accepted or other.accepted
        self.dropped += other.dropped
        self.lost += other.lost
        self.doubts += other.doubts


class Walker(object):
    """Follows one packet."""

    def __init__(self, packet):
        self.packet = packet
        self._steps = 0
        self._depth = 0

    def through(self, chain):
        """The Way through a chain that something jumped to."""
        way = Way()
        for rule in chain.rules:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                way.lost.append((chain, rule))
                return way
            verdicts, goes_on = rule.judge(self.packet)
            if verdicts and (goes_on or len(verdicts) > 1):
                way.doubts.append((chain, rule))
            for verdict, target in verdicts:
                goes_on = self._follow(way, chain, rule, verdict, target) or goes_on
            if not goes_on:
                return way
        way.goes_on = True
        return way

    def _follow(self, way, chain, rule, verdict, target):
        """Add to the way what a verdict does; whether the packet may then come to the next rule."""
        if verdict in (JUMP, GOTO):
            if target not in chain.others or self._depth > _DEEPEST:
                way.lost.append((chain, rule))
                return False
            self._depth += 1
            there = self.through(chain.others[target])
            self._depth -= 1
            way.take(there)
            if verdict == JUMP:
                return there.goes_on
            way.goes_on = way.goes_on or there.goes_on
        elif verdict == ACCEPT:
            way.accepted = True
        elif verdict == DROP:
            way.dropped.append((chain, rule))
        elif verdict == RETURN:
            way.goes_on = True
        elif verdict == CONTINUE:
            return True
        else:
            way.lost.append((chain, rule))
        return False


class Fate(object):
    """What a base chain does with a packet: `lets` it through, drops it for `certain`, or nobody knows.

    place: the (chain, rule) that drops it or may; the rule is None for the policy of the base chain.
    doubt: the (chain, rule) on which it depends, None when that is `place` itself.
    """

    def __init__(self, base, way):
        self.base = base
        places = way.dropped + way.lost
        may_pass = way.accepted
        if way.goes_on and base.policy == DROP:
            places = places + [(base, None)]
        elif way.goes_on:
            may_pass = True
        self.lets = not places
        self.certain = bool(places) and not may_pass and not way.lost and base.devices != []
        # What drops it for certain comes after what may have dropped it before.
        self.place = places[-1 if self.certain else 0] if places else None
        self.doubt = next((doubt for doubt in way.doubts if doubt != self.place), None)


def fates(chains, packet, hooks):
    """The Fate of a packet in every base chain of these hooks that concerns it, in the order of the kernel."""
    found = []
    for hook in hooks:
        concerned = [
            chain
            for chain in chains
            if chain.hook == hook
            and packet.family in chain.families
            and (not chain.devices or packet.interface in chain.devices)
        ]
        for base in sorted(concerned, key=lambda chain: chain.priority):
            found.append(Fate(base, Walker(packet).through(base)))
    return found
