# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A random sequence of faults for a service of which one may run, and what its evidence may say: pure functions.

The same seed gives the same sequence: each fault comes once, in any order, before one comes again.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evidence import Overlap

ARBITERS = ("none", "peer", "witness")
ACTIVE, STANDBY, EITHER = "active", "standby", "either"
# How long a frozen node that goes on may work beside the one that has taken over, all in all (s): its agent has to run
# first. And how near to the moment in which it goes on that has to be: what comes later is no resumption.
RESUMED_LIMIT = 0.5
RESUMED_WITHIN = 1.0
# How long two that worked while nothing came through may both work after the network is whole again (s): they connect,
# one gives way, and its stop takes a moment.
HEALED_LIMIT = 6.0


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    `lasts`: seconds, from and to; nothing for what is over at once. `cuts`: the nodes hear each other nowhere.
    `freezes`: a node stands still and goes on later. `arbiters`: where it means something.
    """

    name: str
    what: str
    where: str = EITHER
    lasts: tuple[float, float] = (0.0, 0.0)
    cuts: bool = False
    freezes: bool = False
    arbiters: tuple[str, ...] = ARBITERS


FAULTS = (
    Fault("vrrp_block", "VRRP comes through in neither direction, everything else does", lasts=(2, 8)),
    Fault("channel_block", "nothing comes through on the second network", lasts=(2, 8)),
    Fault("partition", "the nodes hear each other nowhere", lasts=(3, 14), cuts=True),
    Fault("isolation", "the active node hears nobody and nobody hears it", ACTIVE, (3, 14), cuts=True),
    Fault("witness_blocked", "one node cannot reach the witness", lasts=(2, 12), arbiters=("witness",)),
    Fault("witness_restart", "the witness starts anew", arbiters=("witness",)),
    Fault("jvm_kill", "the program is killed", ACTIVE),
    Fault("jvm_stop", "the program stands still", ACTIVE, (1, 6)),
    Fault("agent_stop", "the agent stands still", lasts=(0.5, 5)),
    Fault("agent_kill", "the agent is killed"),
    Fault("keepalived_end", "keepalived is stopped in good order", lasts=(1, 5)),
    Fault("keepalived_kill", "keepalived is killed"),
    Fault("keepalived_stop", "keepalived stands still", lasts=(1, 6)),
    Fault("node_freeze", "a node stands still, as when its hypervisor is busy", lasts=(0.5, 12), freezes=True),
    Fault("node_off", "a node loses power", lasts=(1, 8)),
    Fault("switchover", "a planned switchover", STANDBY, (3, 4)),
    Fault("cannot_start", "the program is killed, and cannot start on that node", ACTIVE, (3, 8)),
    Fault("slow_network", "what a node sends takes longer, up to half a second", lasts=(2, 6)),
    Fault("lossy_network", "a fifth of the packets is lost", lasts=(2, 6)),
)
BY_NAME = {fault.name: fault for fault in FAULTS}


@dataclass(frozen=True)
class Step:
    """One fault of a sequence: at the node that is active or standby by then, for so many seconds."""

    number: int
    fault: Fault
    where: str
    seconds: float


@dataclass(frozen=True)
class Happened:
    """A step that was done: when it began, when it was undone, and when one worked again.

    `missed`: why nothing came of it, or only half of it; that excuses nothing.
    """

    step: Step
    node: str
    began: float
    healed: float
    settled: float
    missed: str = ""


def sequence(seed: int, count: int, arbiter: str) -> list[Step]:
    """So many faults by that seed."""
    # Not for anybody's security: the same number has to give the same faults.
    dice = random.Random(seed)  # noqa: S311
    possible = [fault for fault in FAULTS if arbiter in fault.arbiters]
    deck: list[Fault] = []
    steps = []
    for number in range(1, count + 1):
        if not deck:
            deck = dice.sample(possible, len(possible))
        fault = deck.pop()
        where = fault.where if fault.where != EITHER else dice.choice((ACTIVE, STANDBY))
        steps.append(Step(number, fault, where, round(dice.uniform(*fault.lasts), 1)))
    return steps


def during(happened: Iterable[Happened], at: float) -> Happened | None:
    """The fault that a moment belongs to: the last one that had begun by then."""
    found = None
    for one in happened:
        if one.began <= at:
            found = one
    return found


def objection(overlap: Overlap, one: Happened | None, arbiter: str, peer_timeout: float) -> str | None:
    """Why the arbiter does not allow that two worked; None when it does.

    `peer_timeout`: for so long the peer has to be silent, as deployed, before a node goes on without it.
    """
    if overlap.nodes[0] == overlap.nodes[1]:
        return f"two at a time on {overlap.nodes[0]}, which needs no arbiter"
    if arbiter == "none":
        return None
    if one is None:
        return "before any fault"
    name = one.step.fault.name
    if one.missed:
        return f"{name}: excuses nothing ({one.missed})"
    if one.step.fault.freezes:
        if overlap.start < one.healed - RESUMED_WITHIN:
            return f"{name}: {one.healed - overlap.start:.1f} s before the node went on"
        if overlap.end > one.healed + RESUMED_WITHIN:
            return f"{name}: {overlap.end - one.healed:.1f} s after the node went on"
        return None
    if arbiter == "peer" and one.step.fault.cuts:
        if overlap.start < one.began + peer_timeout:
            return f"{name}: after {overlap.start - one.began:.1f} s, and a peer is given up after {peer_timeout:g} s"
        if overlap.end > one.healed + HEALED_LIMIT:
            return f"{name}: {overlap.end - one.healed:.1f} s after the nodes heard each other again"
        return None
    return f"{name}: the arbiter allows nothing"


def judge(
    overlaps: Sequence[Overlap], happened: Sequence[Happened], arbiter: str, *, peer_timeout: float = 0.0
) -> list[str]:
    """What the arbiter does not allow, in words."""
    problems = []
    resumed: dict[int, float] = {}
    for overlap in overlaps:
        one = during(happened, overlap.start)
        why = objection(overlap, one, arbiter, peer_timeout)
        if why is not None:
            place = "" if one is None else f"fault {one.step.number}, "
            problems.append(f"two worked, {overlap}: {place}{why}")
        elif one is not None and one.step.fault.freezes:
            # Many moments are as bad as one that is as long as all of them.
            resumed[one.step.number] = resumed.get(one.step.number, 0.0) + overlap.seconds
    if arbiter != "none":
        problems += [
            f"two worked for {together:.3f} s in all: fault {number}, node_freeze: longer than the {RESUMED_LIMIT:g} s "
            "that a frozen node needs to find it out"
            for number, together in resumed.items()
            if together > RESUMED_LIMIT
        ]
    return problems


# So many faults of a sequence, however long, may take no hold: what was to break had just ended.
MISSED_LIMIT = 3
# The part of a sequence that may come to nothing, whoever is to blame, before it proves too little.
LOST_PART = 0.2


def too_little(count: int, skipped: int, missed: int) -> list[str]:
    """Why so many faults were not enough of them, in words: what this machine cannot, and what took no hold."""
    problems = []
    if skipped + missed > LOST_PART * count:
        problems.append(
            f"{skipped + missed} of {count} faults were not inflicted, more than a fifth: too little is proved"
        )
    if missed > MISSED_LIMIT:
        problems.append(f"{missed} faults took no hold, and not because this machine cannot: see why above")
    return problems


def seconds(value: float) -> str:
    """A time in words."""
    return f"{value:.2f} s" if value >= 0.995 else f"{value * 1000:.0f} ms"


def told(one: Happened, longest_pause: float, overlaps: Sequence[Overlap], mended: Sequence[str]) -> str:
    """One line of what came of a fault."""
    step = one.step
    lasted = f", {step.seconds:g} s" if step.fault.lasts[1] else ""
    both = sum(overlap.seconds for overlap in overlaps)
    return (
        f"{step.number:3d} {step.fault.name} ({step.where} {one.node}{lasted}): one works again "
        f"{seconds(one.settled - one.healed)} after it was undone; nobody worked for {seconds(longest_pause)}; "
        + (f"two worked for {seconds(both)}" if overlaps else "never two")
        + (f"; mended by hand: {', '.join(mended)}" if mended else "")
    )
