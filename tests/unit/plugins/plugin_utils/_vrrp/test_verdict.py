# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict: one owner in every view, or what contradicts it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.verdict import PairVerdict, judge

VIP = "192.0.2.10"
PAIR = {"members": ["node-a", "node-b"], "instances": {"web": [VIP]}}
MAC = {"node-a": "02:00:00:00:00:0a", "node-b": "02:00:00:00:00:0b", "thief": "02:00:00:00:00:ff"}


def report(
    host: str,
    state: str | None,
    hears: t.Sequence[str] = (),
    identity: str | None = None,
    *,
    held: bool | None = None,
    file_state: str | None = None,
    running: bool = True,
    problems: t.Sequence[str] = (),
) -> dict[str, t.Any]:
    held = state == "MASTER" if held is None else held
    file_state = file_state or state
    instance = {"daemon_state": state, "file_state": file_state, "agree": state == file_state}
    return {
        "keepalived": {"running": running},
        "instances": {} if host == "observer" else {"web": instance},
        "interfaces": [{"name": "eth0", "mac": MAC.get(host, "02:00:00:00:00:99"), "addresses": []}],
        "vips": [
            {
                "address": VIP,
                "instance": "web",
                "held": held,
                "interface": "eth0" if held else None,
                "prefix": 24 if held else None,
                "problems": list(problems),
                "arp": {"asked": True, "interface": "eth0", "answers": [MAC[name] for name in hears], "problem": None},
                "identity": {"asked": identity is not None, "node": identity or None, "problem": None},
            }
        ],
    }


def verdict(*reports: tuple[str, dict[str, t.Any]], **arguments: t.Any) -> PairVerdict:
    return judge(PAIR, dict(reports), **arguments)


def healthy(owner: str = "node-a") -> dict[str, dict[str, t.Any]]:
    other = "node-b" if owner == "node-a" else "node-a"
    return {
        owner: report(owner, "MASTER"),
        other: report(other, "BACKUP", [owner], owner),
        "observer": report("observer", None, [owner], owner, running=False),
    }


@pytest.mark.parametrize("owner", ["node-a", "node-b"])
def test_verified_when_all_views_name_one_node(owner: str) -> None:
    found = judge(PAIR, healthy(owner), ["observer"])
    assert (found.result, found.observed, found.problems, found.degraded) == ("verified", True, (), ())
    assert found.vips[0].owner == owner
    assert [view.owners for view in found.vips[0].views] == [(owner,)] * 4


def test_verified_without_an_observer_says_so() -> None:
    reports = healthy()
    del reports["observer"]
    found = judge(PAIR, reports)
    assert (found.result, found.observed) == ("verified", False)
    assert found.text()[0] == "node-a + node-b: verified, without an observer"


def test_one_node_dead_is_degraded_not_failed() -> None:
    reports = healthy()
    del reports["node-b"]
    found = judge(PAIR, reports, ["observer"], {"node-b": "is unreachable"})
    assert (found.result, found.degraded) == ("degraded, one owner", ("node-b: is unreachable",))
    assert found.vips[0].owner == "node-a"


def test_one_node_dead_without_an_observer_is_degraded_with_an_owner() -> None:
    found = verdict(("node-a", report("node-a", "MASTER", [], "node-a")))
    assert (found.result, found.vips[0].owner) == ("degraded, one owner", "node-a")
    assert [view.asked for view in found.vips[0].views] == [True, True, False, True]


def test_play_limited_to_the_standby_finds_the_owner_by_the_wire() -> None:
    found = verdict(("node-a", report("node-a", "BACKUP", ["node-b"], "node-b")))
    assert (found.result, found.vips[0].owner) == ("degraded, one owner", "node-b")


def test_a_standby_that_cannot_take_over_is_degraded() -> None:
    reports = healthy()
    reports["node-b"] = report("node-b", "FAULT", ["node-a"], "node-a")
    found = judge(PAIR, reports, ["observer"])
    assert (found.result, found.degraded) == (
        "degraded, one owner",
        ("node-b: web is FAULT and cannot take over",),
    )
    reports["node-b"] = report("node-b", None, ["node-a"], "node-a", file_state="STOPPED", running=False)
    reports["node-b"]["instances"]["web"]["agree"] = None
    found = judge(PAIR, reports, ["observer"])
    assert (found.result, found.degraded) == ("degraded, one owner", ("node-b: keepalived is not running",))


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (
            {
                "node-b": report("node-b", "MASTER", ["node-a"], "node-a"),
                "observer": report("observer", None, ["node-a", "node-b"], "node-a"),
            },
            "192.0.2.10: 2 owners by kernel: node-a, node-b",
        ),
        (
            {"node-b": report("node-b", "MASTER", ["node-a"], "node-a", held=False)},
            "192.0.2.10: 2 owners by keepalived: node-a, node-b",
        ),
        (
            {"observer": report("observer", None, ["node-a", "node-b"], "node-a")},
            "192.0.2.10: 2 owners by ARP: node-a, node-b",
        ),
        (
            {"observer": report("observer", None, ["node-a", "thief"], "node-a")},
            "192.0.2.10: 02:00:00:00:00:ff, which is no member of the pair, answers for it (heard by observer)",
        ),
        (
            {
                "node-b": report("node-b", "BACKUP", ["node-a"], "node-b"),
                "observer": report("observer", None, ["node-a"], "node-b"),
            },
            "192.0.2.10: the views name different nodes: kernel: node-a (node-a holds it on eth0; node-b does not hold",
        ),
        (
            {"node-a": report("node-a", "MASTER", held=False)},
            "192.0.2.10: no owner by kernel",
        ),
        (
            {
                "node-b": report("node-b", "BACKUP", [], "node-a"),
                "observer": report("observer", None, [], "node-a"),
            },
            "192.0.2.10: no owner by ARP",
        ),
        (
            {"node-b": report("node-b", "BACKUP", ["node-a"], file_state="MASTER")},
            "node-b: keepalived says web is BACKUP, the state file says MASTER",
        ),
        (
            {"node-a": report("node-a", "MASTER", problems=["192.0.2.10 has prefix 32, not 24"])},
            "192.0.2.10: node-a: 192.0.2.10 has prefix 32, not 24",
        ),
    ],
)
def test_failed_names_what_each_view_says(changed: dict[str, t.Any], problem: str) -> None:
    found = judge(PAIR, {**healthy(), **changed}, ["observer"])
    assert found.result == "failed"
    assert any(text.startswith(problem) for text in found.problems), found.problems


def test_a_witness_without_an_answer_says_why() -> None:
    reports = healthy()
    closed = {"asked": True, "node": None, "problem": "http://192.0.2.10/: No route to host"}
    for host in ("node-b", "observer"):
        reports[host]["vips"][0]["identity"] = closed
    found = judge(PAIR, reports, ["observer"])
    assert found.problems == ("192.0.2.10: no owner by identity",)
    assert str(found.vips[0].views[3]) == (
        "identity: nobody (observer gets no name: http://192.0.2.10/: No route to host; "
        "node-b gets no name: http://192.0.2.10/: No route to host)"
    )


def test_failed_when_nobody_owns_the_vip() -> None:
    reports = {
        "node-a": report("node-a", "BACKUP", [], ""),
        "node-b": report("node-b", "BACKUP", [], ""),
    }
    found = judge(PAIR, reports)
    assert found.result == "failed"
    assert "192.0.2.10: no owner by kernel" in found.problems
    assert found.vips[0].owner is None


def test_failed_when_the_only_reachable_node_does_not_own_the_vip() -> None:
    found = verdict(("node-b", report("node-b", "FAULT", [], "")), missing={"node-a": "is unreachable"})
    assert found.result == "failed"
    assert "192.0.2.10: no owner by ARP" in found.problems


def test_failed_when_no_member_could_be_asked() -> None:
    found = verdict(missing={"node-a": "is unreachable", "node-b": "is unreachable"})
    assert (found.result, found.problems) == ("failed", ("192.0.2.10: no view names an owner",))


def test_an_observer_that_is_missing_is_said() -> None:
    reports = healthy()
    del reports["observer"]
    found = judge(PAIR, reports, ["observer"], {"observer": "is unreachable"})
    assert (found.result, found.degraded) == ("degraded, one owner", ("observer: is unreachable (observer)",))


def test_an_observer_that_is_a_member_in_disguise_is_no_witness() -> None:
    reports = healthy()
    reports["observer"]["interfaces"] = reports["node-a"]["interfaces"]
    found = judge(PAIR, reports, ["observer"])
    assert found.problems == ("observer observer: is the same machine as node-a; name a host outside the pair",)


def with_prober(report: dict[str, t.Any], **changed: t.Any) -> dict[str, t.Any]:
    probes = {"nginx": {"failing": False, "gated": False, "problem": None}}
    return {**report, "prober": {"running": True, "problem": None, "probes": probes, **changed}}


@pytest.mark.parametrize(
    ("changed", "warnings"),
    [
        ({}, ()),
        ({"running": False, "probes": {}}, ()),
        (
            {"running": False, "problem": "/run/.prober.json: is not there", "probes": {}},
            ("hangs would not be noticed on node-b: /run/.prober.json: is not there",),
        ),
        ({"problem": "probes: [] is no probe"}, ("node-b: probes: [] is no probe",)),
        (
            {"probes": {"witness.gateway": {"failing": True, "problem": "ping 192.0.2.1: no answer within 0.5 s"}}},
            ("node-b: witness.gateway is failing: ping 192.0.2.1: no answer within 0.5 s",),
        ),
        (
            {"probes": {"nginx": {"failing": True, "problem": None}}},
            ("node-b: nginx is failing: the reason is not known",),
        ),
        (
            {"probes": {"witness.gateway": {"failing": False, "problem": "ping 192.0.2.1: no raw socket"}}},
            ("node-b: witness.gateway is not known to be well: ping 192.0.2.1: no raw socket",),
        ),
    ],
)
def test_what_watches_over_the_pair_is_a_warning_and_no_failure(
    changed: dict[str, t.Any], warnings: tuple[str, ...]
) -> None:
    reports = healthy()
    reports["node-b"] = with_prober(reports["node-b"], **changed)
    found = judge(PAIR, reports, ["observer"])
    assert (found.result, found.warnings) == ("verified", warnings)
    assert [line for line in found.text() if "warning" in line] == [f"  warning: {text}" for text in warnings]
    assert found.to_dict()["warnings"] == warnings


def test_a_raised_node_is_a_warning_and_no_failure() -> None:
    reports = healthy("node-b")
    reports["node-a"]["raised"] = []
    reports["node-b"]["raised"] = ["web"]
    found = judge(PAIR, reports, ["observer"])
    assert (found.result, found.warnings) == (
        "verified",
        ("web is raised on node-b by a planned switchover, which ends with a reboot or another switchover",),
    )
    assert f"  warning: {found.warnings[0]}" in found.text()


def test_a_check_that_is_gone_degrades_the_pair() -> None:
    reports = healthy()
    reports["node-b"]["lost_checks"] = ["/opt/gone"]
    found = judge(PAIR, reports, ["observer"])
    assert found.result == "degraded, one owner"
    assert found.degraded == (
        "node-b: the check script /opt/gone is not there or cannot be run, and keepalived takes that for good",
    )


def test_ipv6_is_asked_by_neighbour_discovery_and_in_any_spelling() -> None:
    reports = healthy()
    for report_ in reports.values():
        report_["vips"][0]["address"] = "2001:db8:0:0::10"
    found = judge({**PAIR, "instances": {"web": ["2001:db8::10"]}}, reports, ["observer"])
    assert (found.result, found.vips[0].owner) == ("verified", "node-a")
    assert found.vips[0].views[2].name == "Neighbour Discovery"
    for report_ in reports.values():
        report_["vips"][0]["arp"]["answers"] = []
    silent = judge({**PAIR, "instances": {"web": ["2001:db8::10"]}}, reports, ["observer"])
    assert "2001:db8::10: no owner by Neighbour Discovery" in silent.problems


def test_vips_of_both_families_are_judged_by_the_same_addresses_of_cards() -> None:
    reports = healthy()
    for report_ in reports.values():
        report_["vips"].append({**report_["vips"][0], "address": "2001:db8::10"})
    both = {**PAIR, "instances": {"web": [VIP, "2001:db8::10"]}}
    found = judge(both, reports, ["observer"])
    assert [(vip.result, vip.owner) for vip in found.vips] == [("verified", "node-a")] * 2
    reports["observer"]["vips"][1]["arp"] = {**reports["observer"]["vips"][1]["arp"], "answers": [MAC["thief"]]}
    found = judge(both, reports, ["observer"])
    assert [vip.result for vip in found.vips] == ["verified", "failed"]


def test_text_shows_every_view() -> None:
    lines = judge(PAIR, healthy(), ["observer"]).text()
    assert lines == [
        "node-a + node-b: verified",
        "  192.0.2.10 (web): owner node-a",
        "    kernel: node-a (node-a holds it on eth0; node-b does not hold it)",
        "    keepalived: node-a (node-a MASTER; node-b BACKUP)",
        "    ARP: node-a (observer hears 02:00:00:00:00:0a; node-a hears nobody; node-b hears 02:00:00:00:00:0a)",
        "    identity: node-a (observer is answered by node-a; node-b is answered by node-a)",
    ]
