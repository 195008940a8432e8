# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One fault as probe, watches and audits recorded it, on the axis of whoever asked."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.duplex.ha_pair.plugins.modules import vip_probe
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.document import document
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.observe import result

T0 = 1790000000.0
VIP = "192.0.2.10"
ADDRESSES = {"node-a": "192.0.2.11", "node-b": "192.0.2.12"}


def verdict(owner: str | None, word: str = "verified", *problems: str) -> dict[str, t.Any]:
    return {
        "result": word,
        "vips": [{"address": VIP, "owner": owner}],
        "problems": list(problems),
        "degraded": [],
    }


def watch(held: bool, *changes: tuple[float, bool], stalls: t.Any = ()) -> dict[str, t.Any]:
    return {
        "watch": {
            "started_at": T0 - 1,
            "ended_at": T0 + 30,
            "ended_by": "stop",
            "boot_id": "b",
            "gaps": [],
            "stalls": [{"from": T0 + begin, "to": T0 + end} for begin, end in stalls],
            "clock_steps": [],
            "vips": {
                VIP: {
                    "held_at_start": ["eth0"] if held else [],
                    "changes": [{"at": T0 + at, "interface": "eth0", "held": now} for at, now in changes],
                }
            },
        }
    }


def clocks(**offsets: float) -> dict[str, t.Any]:
    """What a host measured: the offset of each member's clock against its own."""
    return {
        "clock_offset": {
            ADDRESSES[node.replace("_", "-")]: {"offset": offset, "uncertainty": 0.001, "problem": None}
            for node, offset in offsets.items()
        }
    }


@pytest.fixture
def entry() -> dict[str, t.Any]:
    return {
        "number": 1,
        "fault": "service_stop",
        "title": "service stopped",
        "where": "node",
        "role": "owner",
        "owner": "node-a",
        "node": "node-a",
        "peer": "node-b",
        "alone": False,
        "expect": {"vip": "moves", "rto_seconds": 0.3, "two_owners_seconds": 0.5, "note": ""},
    }


@pytest.fixture
def recorded() -> dict[str, t.Any]:
    return {
        "client": "observer",
        "probe": {
            "probe": {
                "started_at": T0,
                "ended_at": T0 + 20,
                "requests": 2000,
                "lost": 3,
                "longest": 0.03,
                "resolution": 0.01,
                "latency": {"median": 0.001, "p95": 0.002, "p99": 0.002, "max": 0.01},
                "outages": [
                    {
                        "start": T0 + 5,
                        "end": T0 + 5.03,
                        "seconds": 0.03,
                        "lost": 3,
                        "before": "node-a",
                        "after": "node-b",
                    }
                ],
                "owners": [
                    {"at": T0, "node": "node-a"},
                    {"at": T0 + 5.03, "node": "node-b"},
                    {"at": T0 + 12, "node": "node-a"},
                ],
                "keepalive": {"connections": 0, "broken": []},
                "download": None,
            }
        },
        "watches": {
            "node-a": watch(True, (5.01, False), (12.0, True)),
            "node-b": watch(False, (5.02, True), (12.01, False)),
        },
        "clocks": {"observer": clocks(node_a=0.0, node_b=0.0)},
        "addresses": ADDRESSES,
        "injected": {"node-a": {"injected_at": T0 + 5}},
        "mended": {"node-a": {"mended_at": T0 + 10, "already": None}},
        "vip": VIP,
        "verdicts": {
            "before": verdict("node-a"),
            "during": verdict("node-b", "degraded, one owner"),
            "after": verdict("node-a"),
        },
        "failures": [],
    }


def test_a_fault_that_went_as_it_should(entry: dict[str, t.Any], recorded: dict[str, t.Any]) -> None:
    found = result(entry, recorded)
    judged = found["result"]
    observed = judged["observed"]
    assert (judged["passed"], judged["failures"]) == (True, [])
    assert observed["takeover_seconds"] == pytest.approx(0.02)
    assert observed["whole_again_seconds"] == pytest.approx(2.01)
    assert observed["split_brain_healed_seconds"] is None
    assert (observed["answered_before"], observed["answered_during"], observed["answered_after"]) == (
        ["node-a"],
        ["node-b"],
        ["node-a"],
    )
    assert [observed[f"owner_{phase}"] for phase in ("before", "during", "after")] == ["node-a", "node-b", "node-a"]
    assert "passed: service stopped on node-a: 0.030 s without an answer (limit 0.3 s), 3 of 2000" in found["text"][0]


def test_a_pair_that_is_home_before_the_mend_has_ended(entry: dict[str, t.Any], recorded: dict[str, t.Any]) -> None:
    # The last rule is gone before the script that removes it can say so.
    recorded["mended"]["node-a"] = {"mending_at": T0 + 11.95, "mended_at": T0 + 12.05, "already": None}
    observed = result(entry, recorded)["result"]["observed"]
    assert (observed["answered_during"], observed["answered_after"]) == (["node-b"], ["node-a"])
    recorded["mended"]["node-a"]["mending_at"] = None
    assert result(entry, recorded)["result"]["observed"]["answered_during"] == ["node-b", "node-a"]


def test_the_report_takes_the_result(entry: dict[str, t.Any], recorded: dict[str, t.Any]) -> None:
    run = {
        "schema": 1,
        "collection_version": "0.1.0",
        "pair": {"members": ["node-a", "node-b"]},
        "started_at": T0,
        "results": [result(entry, recorded)["result"]],
    }
    assert document(run)["passed"]


def test_the_report_takes_all_that_a_probe_says(entry: dict[str, t.Any], recorded: dict[str, t.Any]) -> None:
    probe = recorded["probe"]["probe"]
    sample = yaml.safe_load(vip_probe.RETURN)["probe"]["sample"]
    probe.update({name: sample[name] for name in ("keepalive", "download")})
    observed = result(entry, recorded)["result"]["observed"]
    run = {
        "schema": 1,
        "collection_version": "0.1.0",
        "pair": {"members": ["node-a", "node-b"]},
        "started_at": T0,
        "results": [{"fault": "custom", "node": "node-a", "expect": {"vip": "any"}, "verdicts": {}}],
    }
    run["results"][0]["observed"] = observed
    found = document(run)["results"][0]["observed"]
    assert (found["keepalive"]["requests"], found["keepalive"]["lost"]) == (390, 1)
    # A drill sends nothing that changes something.
    assert "posts" not in found["keepalive"]
    assert found["download"] == sample["download"]


def test_a_clock_that_is_ahead_is_put_right(entry: dict[str, t.Any], recorded: dict[str, t.Any]) -> None:
    ahead = 7.0
    recorded["clocks"] = {"observer": clocks(node_a=ahead, node_b=0.0)}
    recorded["injected"]["node-a"]["injected_at"] += ahead
    recorded["mended"]["node-a"]["mended_at"] += ahead
    record = recorded["watches"]["node-a"]["watch"]
    for key in ("started_at", "ended_at"):
        record[key] += ahead
    for change in record["vips"][VIP]["changes"]:
        change["at"] += ahead
    judged = result(entry, recorded)["result"]
    assert judged["injected_at"] == pytest.approx(T0 + 5)
    # The moment of the way back, and not the seven seconds.
    assert judged["observed"]["two_seconds"] == pytest.approx(0.01, abs=0.001)
    assert judged["passed"]


def test_a_host_outside_is_put_on_the_axis_by_what_both_measured(
    entry: dict[str, t.Any], recorded: dict[str, t.Any]
) -> None:
    # The controller is 3 s behind the observer: it sees the members 3 s ahead of itself.
    recorded["clocks"]["localhost"] = clocks(node_a=3.0, node_b=3.0)
    recorded["injected"] = {"localhost": {"injected_at": T0 + 5 - 3}}
    recorded["mended"] = {"localhost": {"mended_at": T0 + 10 - 3}}
    judged = result(entry, recorded)["result"]
    assert judged["injected_at"] == pytest.approx(T0 + 5)
    recorded["clocks"]["localhost"] = {"msg": "not root"}
    assert result(entry, recorded)["result"]["injected_at"] is None


def test_a_clock_that_drifts_makes_the_claims_smaller(entry: dict[str, t.Any], recorded: dict[str, t.Any]) -> None:
    recorded["clocks_after"] = {"observer": clocks(node_a=0.05, node_b=0.0)}
    observed = result(entry, recorded)["result"]["observed"]
    assert observed["uncertainty"] > 0.02


def test_without_a_probe_nothing_passes(entry: dict[str, t.Any], recorded: dict[str, t.Any]) -> None:
    recorded["probe"] = {"msg": "was never started"}
    judged = result(entry, recorded)["result"]
    assert not judged["passed"]
    assert any("the probe gave no figure" in failure for failure in judged["failures"])


def test_what_went_wrong_with_the_drill_itself_is_a_failure(
    entry: dict[str, t.Any], recorded: dict[str, t.Any]
) -> None:
    recorded["failures"] = ["Inject: nft is not installed"]
    judged = result(entry, recorded)["result"]
    assert (judged["passed"], judged["failures"]) == (False, ["Inject: nft is not installed"])


def test_the_dead_man_is_named(entry: dict[str, t.Any], recorded: dict[str, t.Any]) -> None:
    recorded["mended"]["node-a"]["already"] = "timer"
    judged = result(entry, recorded)["result"]
    assert judged["observed"]["restored_by"] == "timer"
    assert any("dead-man timer" in note for note in judged["notes"])


def test_what_a_frozen_node_held_in_its_sleep_is_no_second_owner(
    entry: dict[str, t.Any], recorded: dict[str, t.Any]
) -> None:
    entry.update(where="power", alone=True)
    recorded["watches"] = {
        "node-a": watch(True, (10.05, False), (12.0, True), stalls=[(5.0, 10.0)]),
        "node-b": watch(False, (5.3, True), (12.01, False)),
    }
    observed = result(entry, recorded)["result"]["observed"]
    # Awake again, it had the VIP for a moment beside the new owner: that is real.
    assert observed["two_seconds"] == pytest.approx(0.06, abs=0.01)
    assert observed["two_seconds_including_unreachable"] > 4


def test_a_node_that_was_off_has_no_record_and_the_other_still_counts(
    entry: dict[str, t.Any], recorded: dict[str, t.Any]
) -> None:
    entry.update(where="power", alone=True)
    recorded["watches"]["node-a"] = {"msg": "was never started here"}
    observed = result(entry, recorded)["result"]["observed"]
    assert observed["missing"] == ["node-a"]
    assert observed["two_seconds"] == 0


def test_a_split_brain_is_over_when_kernels_and_clients_agree(
    entry: dict[str, t.Any], recorded: dict[str, t.Any]
) -> None:
    entry["expect"] = {"vip": "conflict", "rto_seconds": 0.3, "two_owners_seconds": 60, "note": ""}
    recorded["watches"] = {"node-a": watch(True), "node-b": watch(False, (5.8, True), (10.4, False))}
    recorded["verdicts"]["during"] = verdict(None, "failed", "2 owners by kernel: node-a, node-b")
    recorded["probe"]["probe"]["owners"] = [
        {"at": T0, "node": "node-a"},
        {"at": T0 + 5.9, "node": "node-b"},
        {"at": T0 + 10.6, "node": "node-a"},
    ]
    observed = result(entry, recorded)["result"]["observed"]
    assert observed["split_brain_healed_seconds"] == pytest.approx(0.6)
    assert observed["two_seconds"] == pytest.approx(4.6, abs=0.01)
    # Whose service is to follow does not answer yet, and owns the VIP all the same.
    entry["follows"] = 30.5
    observed = result(entry, recorded)["result"]["observed"]
    assert observed["split_brain_healed_seconds"] == pytest.approx(0.4)
