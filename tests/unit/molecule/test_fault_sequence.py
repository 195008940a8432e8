# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The random faults of a service of which one may run: the same for the same seed, and judged by what was promised."""

from __future__ import annotations

import fault_sequence
import pytest
from evidence import Overlap
from fault_sequence import ACTIVE, BY_NAME, HEALED_LIMIT, RESUMED_LIMIT, STANDBY, Happened, Step


def happened(name: str, began: float = 100.0, healed: float = 110.0) -> Happened:
    step = Step(3, BY_NAME[name], ACTIVE, healed - began)
    return Happened(step, "node-a", began, healed, healed + 5)


def overlap(start: float, end: float, nodes: tuple[str, str] = ("node-a", "node-b")) -> Overlap:
    return Overlap(start, end, ("node-a-1", "node-b-2"), nodes)


@pytest.mark.parametrize("arbiter", fault_sequence.ARBITERS)
def test_the_same_seed_gives_the_same_sequence(arbiter: str) -> None:
    assert fault_sequence.sequence(7, 60, arbiter) == fault_sequence.sequence(7, 60, arbiter)
    assert fault_sequence.sequence(7, 60, arbiter) != fault_sequence.sequence(8, 60, arbiter)
    # A longer one begins with a shorter one: what went wrong late can be had again early.
    assert fault_sequence.sequence(7, 60, arbiter)[:20] == fault_sequence.sequence(7, 20, arbiter)


@pytest.mark.parametrize("arbiter", fault_sequence.ARBITERS)
def test_each_fault_comes_before_one_comes_again(arbiter: str) -> None:
    possible = sorted(fault.name for fault in fault_sequence.FAULTS if arbiter in fault.arbiters)
    steps = fault_sequence.sequence(1, 2 * len(possible), arbiter)
    assert [step.number for step in steps] == list(range(1, 2 * len(possible) + 1))
    assert sorted(step.fault.name for step in steps[: len(possible)]) == possible
    assert sorted(step.fault.name for step in steps[len(possible) :]) == possible


def test_where_and_how_long_is_what_the_fault_says() -> None:
    for step in fault_sequence.sequence(5, 200, "witness"):
        assert step.where in (ACTIVE, STANDBY)
        assert step.fault.where in (step.where, fault_sequence.EITHER)
        assert step.fault.lasts[0] <= step.seconds <= step.fault.lasts[1]


def test_only_with_a_witness_it_is_restarted() -> None:
    assert not [step for step in fault_sequence.sequence(5, 100, "peer") if step.fault.name.startswith("witness")]
    assert [step for step in fault_sequence.sequence(5, 100, "witness") if step.fault.name == "witness_restart"]


@pytest.mark.parametrize(
    ("arbiter", "fault", "times", "allowed"),
    [
        ("peer", "vrrp_block", (105.0, 105.0), False),
        ("peer", "jvm_kill", (105.0, 106.0), False),
        ("peer", "partition", (107.0, 110.0 + HEALED_LIMIT), True),
        ("peer", "isolation", (107.0, 110.0 + HEALED_LIMIT), True),
        ("peer", "partition", (111.0, 112.0), True),
        ("peer", "partition", (107.0, 110.1 + HEALED_LIMIT), False),
        # Sooner than a peer may be given up.
        ("peer", "partition", (106.9, 108.0), False),
        ("peer", "isolation", (101.0, 101.1), False),
        ("peer", "node_freeze", (110.0, 110.0 + RESUMED_LIMIT), True),
        ("peer", "node_freeze", (110.0, 110.1 + RESUMED_LIMIT), False),
        ("witness", "partition", (105.0, 105.0), False),
        ("witness", "isolation", (105.0, 105.1), False),
        ("witness", "node_freeze", (110.0, 110.0 + RESUMED_LIMIT), True),
        ("witness", "node_freeze", (110.0, 110.1 + RESUMED_LIMIT), False),
        # The moment in which it went on, and neither before nor after that.
        ("witness", "node_freeze", (109.5, 109.9), True),
        ("witness", "node_freeze", (105.0, 105.1), False),
        ("witness", "node_freeze", (112.0, 112.1), False),
        ("none", "vrrp_block", (105.0, 150.0), True),
        ("none", "node_freeze", (110.0, 111.0), True),
    ],
)
def test_what_an_arbiter_allows(arbiter: str, fault: str, times: tuple[float, float], allowed: bool) -> None:
    problems = fault_sequence.judge([overlap(*times)], [happened(fault)], arbiter, peer_timeout=7.0)
    assert (problems == []) is allowed


def test_many_moments_after_one_freeze_count_together() -> None:
    moments = [overlap(109.9 + number / 5, 110.05 + number / 5) for number in range(4)]
    assert fault_sequence.judge(moments[:3], [happened("node_freeze")], "witness") == []
    assert fault_sequence.judge(moments, [happened("node_freeze")], "witness") == [
        "two worked for 0.600 s in all: fault 3, node_freeze: longer than the 0.5 s that a frozen node needs to find "
        "it out"
    ]


@pytest.mark.parametrize("arbiter", fault_sequence.ARBITERS)
@pytest.mark.parametrize("fault", ["partition", "node_freeze"])
def test_two_on_one_node_are_never_excused(arbiter: str, fault: str) -> None:
    twice = overlap(110.0, 110.1, ("node-b", "node-b"))
    (problem,) = fault_sequence.judge([twice], [happened(fault)], arbiter, peer_timeout=7.0)
    assert problem.endswith("fault 3, two at a time on node-b, which needs no arbiter")


def test_what_was_not_inflicted_excuses_nothing() -> None:
    missed = Happened(Step(3, BY_NAME["partition"], ACTIVE, 10.0), "node-a", 100.0, 110.0, 115.0, "nft: no such table")
    (problem,) = fault_sequence.judge([overlap(108.0, 109.0)], [missed], "peer", peer_timeout=7.0)
    assert problem.endswith("fault 3, partition: excuses nothing (nft: no such table)")


@pytest.mark.parametrize(
    ("count", "skipped", "missed", "said"),
    [
        (50, 10, 0, []),
        (50, 11, 0, ["11 of 50 faults were not inflicted"]),
        (50, 8, 3, ["11 of 50 faults were not inflicted"]),
        (50, 0, 3, []),
        (50, 0, 4, ["4 faults took no hold"]),
        (12, 0, 4, ["4 of 12 faults were not inflicted", "4 faults took no hold"]),
        (5, 1, 0, []),
        (0, 0, 0, []),
    ],
)
def test_a_sequence_of_which_too_little_took_place(count: int, skipped: int, missed: int, said: list[str]) -> None:
    problems = fault_sequence.too_little(count, skipped, missed)
    assert len(problems) == len(said)
    assert all(problem.startswith(begin) for problem, begin in zip(problems, said, strict=True))


def test_an_objection_names_the_fault_the_runs_and_the_time() -> None:
    before, after = happened("node_freeze", 50.0, 60.0), happened("vrrp_block")
    (problem,) = fault_sequence.judge([overlap(105.0, 105.5)], [before, after], "peer")
    assert problem == ("two worked, node-a-1 and node-b-2 for 0.500 s: fault 3, vrrp_block: the arbiter allows nothing")
    (problem,) = fault_sequence.judge([overlap(40.0, 40.5)], [before, after], "witness")
    assert problem.endswith(": before any fault")


def test_a_line_says_what_was_seen() -> None:
    one = happened("partition")
    assert fault_sequence.told(one, 2.345, [], []) == (
        "  3 partition (active node-a, 10 s): one works again 5.00 s after it was undone; nobody worked for 2.35 s; "
        "never two"
    )
    said = fault_sequence.told(one, 0.0401, [overlap(1.0, 1.25)], ["node-b was in hold-down"])
    assert said.endswith("nobody worked for 40 ms; two worked for 250 ms; mended by hand: node-b was in hold-down")
