# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a planned switchover does, and what it refuses."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.switchover import Switchover, plan
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError

DEFAULTS: dict[str, t.Any] = {"preferred": "node-a", "sync_group": None, "preempt_delay": 2.0}


def pair(**settings: dict[str, t.Any]) -> dict[str, t.Any]:
    """A pair with these instances; `web`, preferred on node-a, without any."""
    given = settings or {"web": {}}
    return {
        "members": ["node-a", "node-b"],
        "instances": {name: [f"192.0.2.{number}"] for number, name in enumerate(given, start=10)},
        "settings": {name: {**DEFAULTS, **found} for name, found in given.items()},
    }


def verdict(result: str = "verified", **owners: str) -> dict[str, t.Any]:
    """A verdict with these owners; node-a owns `web` without any."""
    given = owners or {"web": "node-a"}
    return {
        "members": ["node-a", "node-b"],
        "result": result,
        "vips": [{"instance": name, "owner": owner} for name, owner in given.items()],
        "problems": ["no owner by ARP"] if result == "failed" else [],
        "degraded": ["node-b: web is FAULT and cannot take over"] if result.startswith("degraded") else [],
    }


def steps(found: Switchover) -> list[tuple[t.Any, ...]]:
    return [(step.node, step.state, step.instances, step.after, step.lower_after) for step in found.steps]


def test_the_other_node_is_raised_before_the_owner_is_lowered() -> None:
    found = plan(pair(), verdict())
    assert (found.target, found.other, found.moves) == ("node-b", "node-a", True)
    assert steps(found) == [("node-b", "raised", ["web"], 0, 0), ("node-a", "lowered", ["web"], 0, 0)]
    assert found.text() == "web: from node-a to node-b"


def test_home_needs_no_raise_and_waits_for_the_preempt_delay() -> None:
    found = plan(pair(), verdict(web="node-b"))
    assert steps(found) == [("node-b", "lowered", ["web"], 0, 0)]
    assert found.preempt_delay == 2.0


def test_without_a_preferred_node_the_raise_ends_by_itself_and_the_vip_stays() -> None:
    found = plan(pair(web={"preferred": None}), verdict())
    assert steps(found) == [("node-b", "raised", ["web"], 0, 3.0), ("node-a", "lowered", ["web"], 0, 0)]


def test_the_way_back_is_a_timer_on_the_raised_node() -> None:
    assert steps(plan(pair(), verdict(), back_after=600))[0] == ("node-b", "raised", ["web"], 0, 600.0)


def test_the_way_back_where_nobody_is_preferred_raises_the_old_owner() -> None:
    found = plan(pair(web={"preferred": None}), verdict(), back_after="60")
    assert steps(found)[-1] == ("node-a", "raised", ["web"], 60.0, 3.0)


def test_the_way_back_from_home_raises_the_other_again() -> None:
    found = plan(pair(), verdict(web="node-b"), back_after=60)
    assert steps(found)[-1] == ("node-b", "raised", ["web"], 60.0, 0)


def test_a_target_that_has_it_already_is_no_move() -> None:
    found = plan(pair(), verdict(), target="node-a")
    assert not found.moves
    assert found.text() == "web: node-a owns it already"


def test_a_sync_group_moves_as_a_whole_and_others_stay() -> None:
    given = pair(web={"sync_group": "both"}, db={"sync_group": "both"}, mail={})
    found = plan(given, verdict(web="node-a", db="node-a", mail="node-b"), instance="web")
    assert found.instances == ["web", "db"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"instance": "wep"}, "switchover_instance: 'wep' is no instance of node-a + node-b; did you mean 'web'?"),
        ({"target": "node-c"}, "switchover_target: 'node-c' is not node-a or node-b; did you mean"),
        ({"target": "x"}, "switchover_target: 'x' is not node-a or node-b; name one of them"),
        ({"back_after": -1}, "switchover_return_after: -1 is not in 0..86400 seconds; give seconds up to a day"),
        ({"back_after": "soon"}, "switchover_return_after: 'soon' is not a number of seconds"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        plan(pair(), verdict(), **words)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("result", "reason"),
    [("failed", "no owner by ARP"), ("degraded, one owner", "node-b: web is FAULT and cannot take over")],
)
def test_a_pair_that_is_not_whole_is_refused_with_the_reason(result: str, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        plan(pair(), verdict(result))
    assert f"node-a + node-b: {result}: {reason}; mend that first" in str(refused.value)


def test_owners_on_both_nodes_need_a_target() -> None:
    with pytest.raises(InputError) as refused:
        plan(pair(web={}, db={}), verdict(web="node-a", db="node-b"))
    assert "switchover_target: is not given, and each node owns something: web node-a, db node-b" in str(refused.value)
    assert plan(pair(web={}, db={}), verdict(web="node-a", db="node-b"), target="node-b").moves
