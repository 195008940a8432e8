# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes, what fails and in which words, and what the figures do not allow to say."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.results import judge, remarks
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp import verdict

Result = dict[str, t.Any]
T0 = 1790000000.0


@pytest.fixture(autouse=True)
def plain(result: Result) -> None:
    """As the document has it: judge() reads complete data, not what came in."""
    result["observed"].update(
        answered_before=["node-a"], answered_during=["node-a", "node-b"], answered_after=["node-a"]
    )


def failures(result: Result) -> list[str]:
    passed, found = judge(result, result["observed"], result["verdicts"])
    assert passed == (not found)
    return found


def notes(result: Result) -> list[str]:
    return remarks(result, result["observed"], result["verdicts"])


def see(result: Result, **observed: t.Any) -> None:
    result["observed"].update(observed)


def expect(result: Result, **expected: t.Any) -> None:
    result["expect"].update(expected)


def audit(result: Result, phase: str, word: str = "failed", problems: t.Sequence[str] = ()) -> None:
    result["verdicts"][phase] = {"result": word, "problems": list(problems), "degraded": []}


def remain(result: Result, *, during: str | None = "node-a", after: str | None = "node-a") -> None:
    """The VIP did not move."""
    see(result, owner_during=during, owner_after=after, answered_during=[], answered_after=[], changes=[])


def test_as_expected(result: Result) -> None:
    assert failures(result) == []
    assert notes(result) == []


# --- the outage ---


def test_too_long(result: Result) -> None:
    see(result, outage_seconds=3.12)
    assert failures(result) == [
        "service_stop on node-a: no answer for 3.120 s (resolution 0.010 s), the limit is 0.300 s"
    ]


def test_exactly_the_limit_passes_and_says_that_it_is_near(result: Result) -> None:
    see(result, outage_seconds=0.3)
    assert failures(result) == []
    assert notes(result) == [
        "the outage of 0.300 s is nearer to the limit of 0.300 s than the probe can tell apart (0.010 s)"
    ]


def test_no_limit(result: Result) -> None:
    see(result, outage_seconds=30.0, resolution=None)
    expect(result, rto_seconds=None)
    assert failures(result) == []


def test_a_coarse_probe_proves_no_fine_limit(result: Result) -> None:
    see(result, resolution=0.5)
    assert failures(result) == [
        "service_stop on node-a: the probe reached a resolution of 0.500 s only and cannot prove the limit of 0.300 s; "
        "give a shorter interval, or an observer that is less busy"
    ]


def test_no_resolution_proves_nothing(result: Result) -> None:
    see(result, resolution=None)
    assert failures(result) == [
        "service_stop on node-a: the probe states no resolution, so its outage of 0.030 s proves nothing, "
        "the limit is 0.300 s"
    ]


@pytest.mark.parametrize("missing", [{"outage_seconds": None}, {"requests": 0}, {"requests": None}])
def test_no_figure(result: Result, missing: Result) -> None:
    see(result, **missing)
    assert failures(result) == [
        "service_stop on node-a: the probe gave no figure of the outage, the limit is 0.300 s; "
        "nothing is known of what clients saw"
    ]


def test_never_answered_again(result: Result) -> None:
    expect(result, rto_seconds=None)
    see(result, outages=[{"start": T0, "end": None, "seconds": 12.0}])
    assert failures(result) == [
        "service_stop on node-a: the VIP was not answered again: no answer for the last 12.000 s of the probe"
    ]


@pytest.mark.parametrize("ended_by", ["limit", "itself"])
def test_a_probe_that_ended_before_the_drill_did(result: Result, ended_by: str) -> None:
    see(result, ended_by=ended_by)
    assert failures(result) == [
        f"service_stop on node-a: the probe ended by itself ({ended_by}) before the drill asked it to; "
        "what came later was not measured"
    ]


@pytest.mark.parametrize("ended_by", ["stop", None])
def test_a_probe_that_the_drill_ended(result: Result, ended_by: str | None) -> None:
    see(result, ended_by=ended_by)
    assert failures(result) == []


# --- owners ---


def test_two_owners_for_too_long(result: Result) -> None:
    see(result, two_seconds=0.3)
    assert failures(result) == [
        "service_stop on node-a: two owners for 0.300 s (uncertainty 0.002 s), at most 0.050 s is allowed"
    ]


def test_two_owners_where_one_is_allowed(result: Result) -> None:
    see(result, two_seconds=0.3)
    expect(result, two_owners_seconds=None)
    assert failures(result) == [
        "service_stop on node-a: two owners for 0.300 s (uncertainty 0.002 s), at most one owner is allowed"
    ]


def test_below_the_uncertainty_is_no_claim(result: Result) -> None:
    see(result, two_seconds=0.0015)
    expect(result, two_owners_seconds=None)
    assert failures(result) == []
    assert notes(result) == ["two owners for 0.002 s: below the uncertainty of the clocks (0.002 s), so it is no claim"]


def test_a_breach_below_the_uncertainty_is_no_claim(result: Result) -> None:
    see(result, two_seconds=0.051)
    assert failures(result) == []
    assert notes(result) == [
        "two owners for 0.051 s: above the allowed 0.050 s by less than the uncertainty of the clocks (0.002 s), "
        "so it is no claim"
    ]


def test_clocks_that_were_not_compared(result: Result) -> None:
    see(result, two_below_uncertainty=0.3, uncertainty=None)
    assert failures(result) == [
        "service_stop on node-a: two owners for 0.300 s, by clocks whose offset is not known; "
        "at most 0.050 s is allowed; let the members answer when the observer asks for their time (ICMP timestamp)"
    ]
    see(result, two_below_uncertainty=0.0)
    assert failures(result) == []
    assert notes(result) == [
        "the clocks of the members were not compared: a short time with two owners would not be seen"
    ]


@pytest.mark.parametrize("fault", ["node_power_off", "node_reboot"])
def test_a_record_that_was_lost_with_its_node(result: Result, fault: str) -> None:
    result.update(fault=fault)
    see(result, missing=["node-a"], unknown_seconds=20.0)
    assert failures(result) == []
    assert notes(result) == ["what node-a wrote down was lost with it; the other member's record counts"]


@pytest.mark.parametrize(
    ("fault", "node"), [("service_stop", "node-a"), ("service_stop", "node-b"), ("node_reboot", "node-b")]
)
def test_a_record_that_the_fault_does_not_excuse(result: Result, fault: str, node: str) -> None:
    result.update(fault=fault)
    see(result, missing=[node], unknown_seconds=20.0)
    assert failures(result) == [
        f"{fault} on node-a: the record of {node} was lost; two members may have owned the VIP at once without being "
        "seen, at most 0.050 s is allowed"
    ]
    assert notes(result) == []


def test_a_time_of_which_nothing_is_known(result: Result) -> None:
    see(result, unknown_seconds=1.0)
    assert failures(result) == []
    see(result, unknown_seconds=1.25)
    assert failures(result) == [
        "service_stop on node-a: nothing is known of the owners for 1.250 s, the limit is 1.000 s"
    ]


def test_both_records_lost(result: Result) -> None:
    see(result, missing=["node-a", "node-b"])
    assert failures(result) == [
        "service_stop on node-a: it was not watched whether two members owned the VIP at once; "
        "at most 0.050 s is allowed"
    ]


def test_not_watched(result: Result) -> None:
    see(result, two_seconds=None)
    assert failures(result) == [
        "service_stop on node-a: it was not watched whether two members owned the VIP at once; "
        "at most 0.050 s is allowed"
    ]


# --- where the VIP was ---


def test_did_not_move(result: Result) -> None:
    remain(result)
    assert failures(result) == ["service_stop on node-a: the VIP stayed on node-a, it was to move to node-b"]


def test_moved_to_nobody(result: Result) -> None:
    remain(result, during=None)
    assert failures(result) == [
        "service_stop on node-a: nobody owned the VIP while it lasted, it was to move from node-a to node-b"
    ]


def test_moved_to_somebody_else(result: Result) -> None:
    remain(result, during="node-c")
    assert failures(result) == ["service_stop on node-a: the VIP moved to node-c, it was to move to node-b"]


def test_a_fault_on_the_standby_that_moves_the_vip_moves_it_there(result: Result) -> None:
    result.update(node="node-b", peer="node-a", role="standby")
    assert failures(result) == []


def test_moved_away_from_a_third_machine(result: Result) -> None:
    result.update(node="observer", peer=None, role="third")
    assert failures(result) == []
    remain(result)
    result["verdicts"]["during"] = None
    assert failures(result) == [
        "service_stop on observer: the VIP stayed on node-a, it was to move to the other member"
    ]


def test_nobody_before(result: Result) -> None:
    see(result, owner_before=None)
    assert failures(result) == ["service_stop on node-a: nobody owned the VIP before the fault"]


@pytest.mark.parametrize("expected", ["moves", "stays", "returns", "any", "conflict"])
def test_nobody_after(result: Result, expected: str) -> None:
    expect(result, vip=expected)
    see(result, owner_after=None)
    assert "service_stop on node-a: nobody owned the VIP after the mend" in failures(result)


@pytest.mark.parametrize(
    ("during", "words"), [("node-b", "moved to node-b"), (None, "had no owner")], ids=["moved", "gone"]
)
def test_was_to_stay(result: Result, during: str | None, words: str) -> None:
    expect(result, vip="stays")
    remain(result)
    assert failures(result) == []
    remain(result, during=during)
    assert failures(result) == [f"service_stop on node-a: the VIP {words}, it was to stay on node-a"]


def test_went_there_and_back_when_it_was_to_stay(result: Result) -> None:
    expect(result, vip="stays")
    see(result, owner_during="node-a")
    assert failures(result) == ["service_stop on node-a: the VIP left node-a and came back, it was to stay there"]


def test_a_standby_that_joins_in_for_a_moment_has_not_taken_it(result: Result) -> None:
    expect(result, vip="stays")
    remain(result)
    see(
        result,
        changes=[{"at": 2.0, "node": "node-b", "held": False}, {"at": 1.0, "node": "node-b", "held": True}],
    )
    assert failures(result) == []


def test_did_not_return(result: Result) -> None:
    expect(result, vip="returns")
    assert failures(result) == []
    remain(result, during="node-b", after="node-b")
    assert failures(result) == ["service_stop on node-a: the VIP was on node-b after the mend, it was to be on node-a"]


def test_return_without_leaving_is_noted(result: Result) -> None:
    expect(result, vip="returns")
    remain(result)
    assert failures(result) == []
    assert notes(result) == ["the VIP was not seen to leave node-a"]


def test_any(result: Result) -> None:
    expect(result, vip="any")
    remain(result, during=None, after="node-b")
    assert failures(result) == []


def test_flapping(result: Result) -> None:
    changes = []
    for count in range(2):
        changes += [
            {"at": T0 + 4 * count, "node": "node-a", "held": False},
            {"at": T0 + 4 * count + 1, "node": "node-b", "held": True},
            {"at": T0 + 4 * count + 2, "node": "node-b", "held": False},
            {"at": T0 + 4 * count + 3, "node": "node-a", "held": True},
        ]
    see(result, changes=changes)
    assert failures(result) == [
        "service_stop on node-a: the VIP changed its owner 4 times, at most 2 (there and back) are due: it flaps"
    ]


def test_another_than_the_owner_answered(result: Result) -> None:
    see(result, answered_during=["node-a"], answered_after=["node-b", "node-c"])
    assert failures(result) == [
        "service_stop on node-a: node-b owned the VIP while it lasted, but node-a answered for it; "
        "likely cause: an ARP or neighbour entry that is not up to date",
        "service_stop on node-a: node-a owned the VIP after the mend, but node-b and node-c answered for it; "
        "likely cause: an ARP or neighbour entry that is not up to date",
    ]


# --- conflicts ---


def conflict(result: Result) -> None:
    """VRRP was blocked for three seconds."""
    result.update(fault="vrrp_block")
    expect(result, vip="conflict", two_owners_seconds=5.0)
    see(result, two_seconds=3.0, owner_during=None, answered_during=["node-b"], split_brain_healed_seconds=0.3)
    see(
        result,
        changes=[{"at": T0, "node": "node-b", "held": True}, {"at": T0 + 3.3, "node": "node-b", "held": False}],
    )
    audit(result, "during", "failed", ["192.0.2.10: 2 owners by kernel: node-a, node-b"])


def test_a_conflict_that_was_asked_for(result: Result) -> None:
    conflict(result)
    assert failures(result) == []


def test_a_conflict_that_nobody_saw(result: Result) -> None:
    conflict(result)
    audit(result, "during", "verified")
    assert failures(result) == [
        "vrrp_block on node-a: the audit while it lasted says verified, although two machines were to claim the VIP; "
        "likely cause: the fault had no effect"
    ]
    result["verdicts"]["during"] = None
    assert failures(result) == []


def test_healed_too_late(result: Result) -> None:
    conflict(result)
    see(result, split_brain_healed_seconds=1.5)
    assert failures(result) == [
        "vrrp_block on node-a: two owners were one again only 1.500 s after the mend, the limit is 1.000 s"
    ]
    see(result, split_brain_healed_seconds=1.001)
    assert failures(result) == []


def test_the_conflict_that_was_asked_for_explains_nothing_else(result: Result) -> None:
    conflict(result)
    see(result, outage_seconds=2.0)
    assert failures(result) == [
        "vrrp_block on node-a: no answer for 2.000 s (resolution 0.010 s), the limit is 0.300 s"
    ]


# --- audits ---


def test_not_audited(result: Result) -> None:
    result["verdicts"] = {"before": None, "during": None, "after": None}
    assert failures(result) == [
        "service_stop on node-a: the pair was not audited before the fault",
        "service_stop on node-a: the pair was not audited after the mend",
    ]


def test_not_whole_again(result: Result) -> None:
    result["verdicts"]["after"] = {
        "result": "degraded, one owner",
        "problems": [],
        "degraded": ["node-a: keepalived is not running"],
    }
    assert failures(result) == [
        "service_stop on node-a: the audit after the mend says degraded, one owner: node-a: keepalived is not running; "
        "likely cause: keepalived does not run on node-a; `journalctl -u keepalived` there says why"
    ]


def test_failed_without_a_reason(result: Result) -> None:
    audit(result, "before")
    assert failures(result) == ["service_stop on node-a: the audit before the fault says failed: no reason given"]


@pytest.mark.parametrize("expected", ["moves", "stays"])
def test_failed_while_it_lasted(result: Result, expected: str) -> None:
    if expected == "stays":
        remain(result)
    expect(result, vip=expected)
    audit(result, "during", "failed", ["192.0.2.10: no owner by kernel"])
    assert failures(result) == [
        "service_stop on node-a: the audit while it lasted says failed: 192.0.2.10: no owner by kernel; "
        "likely cause: no member could take the VIP; `ha-pair` on both says why"
    ]


@pytest.mark.parametrize("expected", ["returns", "any"])
def test_in_between_is_not_judged_where_the_vip_may_be_on_its_way(result: Result, expected: str) -> None:
    expect(result, vip=expected)
    audit(result, "during", "failed", ["192.0.2.10: no owner by kernel"])
    assert failures(result) == []


def test_a_member_that_reaches_nobody_explains_two_owners(result: Result) -> None:
    result.update(fault="isolate_all")
    audit(result, "during", "failed", ["192.0.2.10: 2 owners by kernel: node-a, node-b"])
    see(result, two_seconds_including_unreachable=2.5, owner_during=None)
    assert failures(result) == []
    assert notes(result) == [
        "two members held the VIP for 2.500 s when one that could reach nobody is counted",
        "the audit during the fault counts the member that could reach nobody: "
        "192.0.2.10: 2 owners by kernel: node-a, node-b",
    ]


def test_the_timer_is_noted(result: Result) -> None:
    see(result, restored_by="timer")
    assert failures(result) == []
    assert notes(result) == ["the dead-man timer on the target mended this, not the drill"]


def test_a_custom_fault_is_told_by_its_title(result: Result) -> None:
    result.update(fault="custom", title="pulls the plug")
    see(result, two_seconds=None)
    assert failures(result)[0].startswith("custom (pulls the plug) on node-a: it was not watched")


# --- the likely cause ---


@pytest.mark.parametrize(
    ("problem", "cause"),
    [
        (
            "192.0.2.10: 02:00:00:00:00:ff, which is no member of the pair, answers for it (heard by observer)",
            "another machine (02:00:00:00:00:ff) uses the VIP; find it by its MAC address",
        ),
        (
            "192.0.2.10: node-b: 192.0.2.10 is on interface eth1, not on eth0",
            "node-b has another interface for the VIP than configured (eth1, not eth0)",
        ),
        (
            "192.0.2.10: 2 owners by keepalived: node-a, node-b",
            "the members do not hear each other; is protocol 112 (VRRP) open between them, both ways?",
        ),
        (
            "node-b: keepalived is not running",
            "keepalived does not run on node-b; `journalctl -u keepalived` there says why",
        ),
        (
            "node-b: web is FAULT and cannot take over",
            "on node-b a service that is tracked, a check (is its script there?) or an interface is down; `ha-pair` "
            "there says which",
        ),
        (
            "node-b: keepalived says web is MASTER, the state file says BACKUP",
            "the notify handler on node-b does not follow keepalived; `journalctl -u ha-pair-notify` there says why",
        ),
        ("node-b: is unreachable", "node-b cannot be reached"),
        (
            "192.0.2.10: the views name different nodes: kernel: node-a (x), ARP: node-b (y)",
            "an ARP or neighbour entry that is not up to date",
        ),
        ("192.0.2.10: no owner by ARP", "no member could take the VIP; `ha-pair` on both says why"),
    ],
)
@pytest.mark.parametrize("phase", ["during", "after", "before"])
def test_the_likely_cause(result: Result, phase: str, problem: str, cause: str) -> None:
    audit(result, phase, "failed", [problem])
    see(result, outage_seconds=3.0)
    wanted = (
        "service_stop on node-a: no answer for 3.000 s (resolution 0.010 s), the limit is 0.300 s; "
        f"likely cause: {cause}"
    )
    assert wanted in failures(result)


def test_what_the_fault_does_to_its_own_node_is_no_cause(result: Result) -> None:
    see(result, outage_seconds=3.0)
    assert "likely cause" not in failures(result)[0]


def report(host: str, state: str, hears: t.Sequence[str], **vip: t.Any) -> Result:
    """What the module vip_owner says on a member, as far as the verdict reads it."""
    held = state == "MASTER"
    return {
        "keepalived": {"running": state != "STOPPED"},
        "instances": {"web": {"daemon_state": state, "file_state": state, "agree": True}},
        "interfaces": [{"name": "eth0", "mac": f"02:00:00:00:00:0{host[-1]}", "addresses": []}],
        "vips": [
            {
                "address": "192.0.2.10",
                "instance": "web",
                "held": held,
                "interface": "eth0" if held else None,
                "prefix": 24 if held else None,
                "problems": [],
                "arp": {"asked": True, "interface": "eth0", "answers": list(hears), "problem": None},
                "identity": {"asked": False, "node": None, "problem": None},
                **vip,
            }
        ],
    }


@pytest.mark.parametrize(
    ("a", "b", "missing", "cause"),
    [
        (report("node-a", "MASTER", []), report("node-b", "MASTER", []), {}, "the members do not hear each other"),
        (
            report("node-a", "MASTER", []),
            report("node-b", "FAULT", ["02:00:00:00:00:0a"]),
            {},
            "on node-b a service that is tracked",
        ),
        (
            report("node-a", "MASTER", []),
            report("node-b", "BACKUP", ["02:00:00:00:00:ff"]),
            {},
            "another machine (02:00:00:00:00:ff)",
        ),
        (
            report("node-a", "MASTER", [], problems=["192.0.2.10 is on interface eth1, not on eth0"]),
            report("node-b", "BACKUP", ["02:00:00:00:00:0a"]),
            {},
            "node-a has another interface",
        ),
        (report("node-a", "MASTER", []), report("node-b", "STOPPED", []), {}, "keepalived does not run on node-b"),
        (report("node-a", "BACKUP", []), report("node-b", "BACKUP", []), {}, "no member could take the VIP"),
        (report("node-a", "MASTER", []), None, {"node-b": "is unreachable"}, "node-b cannot be reached"),
    ],
    ids=["two owners", "fault", "thief", "interface", "stopped", "nobody", "unreachable"],
)
def test_the_causes_are_read_out_of_real_verdicts(
    result: Result, a: Result, b: Result | None, missing: dict[str, str], cause: str
) -> None:
    reports = {"node-a": a} | ({} if b is None else {"node-b": b})
    pair = {"members": ["node-a", "node-b"], "instances": {"web": ["192.0.2.10"]}}
    result["verdicts"]["after"] = verdict.judge(pair, reports, (), missing).to_dict()
    found = failures(result)
    assert len(found) == 1
    assert f"; likely cause: {cause}" in found[0]
