# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict over services that run on one node of a pair only."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.agents import judge_agents
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.verdict import PairVerdict, judge

from .test_verdict import PAIR, healthy

HELD = {
    "phase": "hold-down",
    "why": "was not ready within 60 s",
    "failure": "was not ready within 60 s",
    "fit": False,
    "hold_down_until": 1767225630,
}


def agent(phase: str = "active", problem: str | None = None, **changed: t.Any) -> dict[str, t.Any]:
    entry = {
        "instance": "web",
        "phase": phase,
        "why": {"active": "is ready", "standby": "VRRP is BACKUP here"}.get(phase, "so it is"),
        "fit": True,
        "arbiter": {"kind": "peer", "promise": "the peer: never two", "problem": None},
        "hold_down_until": None,
        "failure": None,
        "failed_on_both": False,
        **changed,
    }
    return {"running": problem is None, "problem": problem, "services": {"fetcher": None if problem else entry}}


def verdict(owner: dict[str, t.Any], standby: dict[str, t.Any]) -> PairVerdict:
    reports = healthy()
    reports["node-a"]["agent"], reports["node-b"]["agent"] = owner, standby
    return judge(PAIR, reports, ["observer"])


def test_active_on_the_owner_and_not_on_the_standby_is_well_and_shown() -> None:
    found = verdict(agent(), agent("standby"))
    assert (found.result, found.problems, found.degraded, found.warnings) == ("verified", (), (), ())
    assert found.text()[-2:] == [
        "  fetcher on node-a: active, is ready (the peer: never two)",
        "  fetcher on node-b: standby, VRRP is BACKUP here (the peer: never two)",
    ]
    assert found.to_dict()["agents"] == tuple(line.strip() for line in found.text()[-2:])


def test_nothing_is_said_where_there_is_no_agent() -> None:
    assert judge(PAIR, healthy(), ["observer"]).agents == ()
    nothing = {"running": False, "problem": None, "services": {}}
    assert verdict(nothing, nothing).result == "verified"


def test_a_start_is_a_warning() -> None:
    found = verdict(agent("starting"), agent("standby"))
    assert (found.result, found.warnings) == ("verified", ("node-a: fetcher is starting: so it is",))


@pytest.mark.parametrize("phase", ["waiting", "standby", "stopping"])
def test_an_owner_without_its_service_is_not_whole(phase: str) -> None:
    found = verdict(agent(phase, why="the peer does not answer"), agent("standby"))
    assert (found.result, found.degraded) == (
        "degraded, one owner",
        (
            f"node-a: is the owner, and fetcher is {phase} there: the peer does not answer; see journalctl -u "
            "ha-pair-active",
        ),
    )


def test_a_node_that_is_left_alone_is_missing_with_the_cure() -> None:
    found = verdict(agent(), agent(**HELD))
    assert (found.result, found.degraded) == (
        "degraded, one owner",
        (
            "node-b: fetcher failed (was not ready within 60 s) and is left alone for a while; see journalctl -u "
            "fetcher",
        ),
    )
    assert (
        "  fetcher on node-b: hold-down, was not ready within 60 s; left alone until 2026-01-01 00:00:30Z "
        "(the peer: never two)" in found.text()
    )


def test_a_failure_on_both_is_a_problem() -> None:
    both = {**HELD, "failed_on_both": True}
    found = verdict(agent(**both), agent(**both))
    assert (found.result, found.problems) == (
        "failed",
        (
            "fetcher failed on both nodes (was not ready within 60 s on node-a), and is tried again; see journalctl "
            "-u fetcher on both",
        ),
    )
    assert any("; failed on both nodes; left alone until" in line for line in found.text())


def test_two_that_run_are_a_problem() -> None:
    found = verdict(agent(), agent())
    assert (found.result, found.problems) == (
        "failed",
        ("fetcher is active on node-a and on node-b; journalctl -u ha-pair-active on both says why",),
    )
    assert found.warnings == ("node-b: is BACKUP, and fetcher is active there; see journalctl -u ha-pair-active",)


def test_an_agent_that_is_gone_leaves_the_pair_less_than_whole() -> None:
    stale = "/run/keepalived/ha-pair/active.json: is stale: of an earlier boot; see that ha-pair-active.service runs"
    found = verdict(agent(), agent(problem=stale))
    assert (found.result, found.degraded) == ("degraded, one owner", (f"node-b: {stale}",))
    assert [line for line in found.text() if "fetcher" in line] == [
        "  fetcher on node-a: active, is ready (the peer: never two)"
    ]


def test_an_arbiter_out_of_reach_is_a_warning() -> None:
    arbiter = {"kind": "witness", "promise": "a witness: never two", "problem": "192.0.2.9: connection refused"}
    found = verdict(agent(arbiter=arbiter), agent("standby"))
    assert (found.result, found.warnings) == (
        "verified",
        ("node-a: the arbiter of fetcher: 192.0.2.9: connection refused",),
    )


def test_services_of_other_instances_are_left_out() -> None:
    found = judge_agents({"node-a": {"instances": {}, "agent": agent("waiting")}}, ["mail"])
    assert (found.lines, found.degraded) == ([], [])
