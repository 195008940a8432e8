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


def overlap(start: float, end: float) -> Overlap:
    return Overlap(start, end, ("node-a-1", "node-b-2"), ("node-a", "node-b"))


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
        ("peer", "partition", (105.0, 110.0 + HEALED_LIMIT), True),
        ("peer", "isolation", (105.0, 110.0 + HEALED_LIMIT), True),
        ("peer", "partition", (105.0, 110.1 + HEALED_LIMIT), False),
        ("peer", "node_freeze", (110.0, 110.0 + RESUMED_LIMIT), True),
        ("peer", "node_freeze", (110.0, 110.1 + RESUMED_LIMIT), False),
        ("witness", "partition", (105.0, 105.0), False),
        ("witness", "isolation", (105.0, 105.1), False),
        ("witness", "node_freeze", (110.0, 110.0 + RESUMED_LIMIT), True),
        ("witness", "node_freeze", (110.0, 110.1 + RESUMED_LIMIT), False),
        ("none", "vrrp_block", (105.0, 150.0), True),
    ],
)
def test_what_an_arbiter_allows(arbiter: str, fault: str, times: tuple[float, float], allowed: bool) -> None:
    assert (fault_sequence.judge([overlap(*times)], [happened(fault)], arbiter) == []) is allowed


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
