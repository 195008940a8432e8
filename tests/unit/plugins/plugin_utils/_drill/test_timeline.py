# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time axis of both nodes: no owner, two owners, and what is too short to be claimed."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.timeline import Timeline, combined, join
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError

VIP = "192.0.2.10"
BEGIN = 1_795_249_000.0
A_AHEAD, B_BEHIND = 0.250, -0.5
OFFSETS: dict[str, dict[str, t.Any] | None] = {
    "node-a": {"offset": A_AHEAD, "uncertainty": 0.0015, "problem": None},
    "node-b": {"offset": B_BEHIND, "uncertainty": 0.0012, "problem": None},
}
SHIFTS = {"node-a": A_AHEAD, "node-b": B_BEHIND}


def watch(
    node: str,
    held: bool | t.Sequence[str],
    *changes: tuple[float, bool] | tuple[float, bool, str] | tuple[float, bool, str, float],
    begin: float = -1.0,
    end: float = 31.0,
    **more: t.Any,
) -> dict[str, t.Any]:
    """What a node wrote down; the moments are given on the observer's axis and turned into the node's own."""

    def own(moment: float) -> float:
        return BEGIN + moment + SHIFTS[node]

    for key in ("gaps", "stalls"):
        more[key] = [{"from": own(first), "to": own(last)} for first, last in more.get(key, ())]
    more["clock_steps"] = [{"at": own(at), "seconds": seconds} for at, seconds in more.get("clock_steps", ())]
    interfaces = (["eth0"] if held else []) if isinstance(held, bool) else list(held)
    entries = []
    for change in changes:
        at, to, interface, late = (*change, *("eth0", 0.0)[len(change) - 2 :])  # type: ignore[misc]
        entries.append({"at": own(at), "interface": interface, "held": to, "late": late})
    return {
        "started_at": own(begin),
        "ended_at": own(end),
        "ended_by": "stop",
        "vips": {VIP: {"held_at_start": interfaces, "changes": entries}},
        **more,
    }


def joined(
    a: dict[str, t.Any] | None,
    b: dict[str, t.Any] | None,
    dark: dict[str, list[tuple[float, float]]] | None = None,
    offsets: dict[str, dict[str, t.Any] | None] | None = None,
    end: float = 30.0,
) -> Timeline:
    moved = {node: [(BEGIN + first, BEGIN + last) for first, last in spans] for node, spans in (dark or {}).items()}
    watches = {"node-a": a, "node-b": b}
    return join(watches, OFFSETS if offsets is None else offsets, BEGIN, BEGIN + end, VIP, moved)


def near(seconds: float) -> t.Any:
    """Unix seconds as floats are good to a quarter of a microsecond."""
    return pytest.approx(seconds, abs=2e-6)


def spans(line: Timeline) -> list[tuple[float, float, tuple[str, ...]]]:
    return [(round(one.start - BEGIN, 4), round(one.end - BEGIN, 4), one.owners) for one in line.periods]


def test_a_takeover_is_put_on_one_axis() -> None:
    line = joined(watch("node-a", True, (10.0, False)), watch("node-b", False, (13.0, True)))
    assert spans(line) == [(0, 10, ("node-a",)), (10, 13, ()), (13, 30, ("node-b",))]
    assert line.none_seconds == near(3.0)
    assert line.none_longest == near(3.0)
    assert (line.two_seconds, line.two_longest, line.two_seconds_including_unreachable) == (0, 0, 0)
    assert line.uncertainty == near(0.0027)
    assert (line.missing, line.notes, line.unknown_seconds) == ((), (), 0)
    assert [(round(change.at - BEGIN, 3), change.node, change.held, change.interface) for change in line.changes] == [
        (10.0, "node-a", False, "eth0"),
        (13.0, "node-b", True, "eth0"),
    ]
    assert [line.owners_at(BEGIN + at) for at in (5, 12, 20, 30, 31)] == [
        ("node-a",),
        (),
        ("node-b",),
        ("node-b",),
        (),
    ]


def test_two_owners_are_counted_with_total_and_longest() -> None:
    line = joined(
        watch("node-a", True, (10.0, False), (20.0, True), (20.5, False)), watch("node-b", False, (8.0, True))
    )
    assert line.two_seconds == near(2.5)
    assert line.two_longest == near(2.0)
    assert line.none_seconds == 0
    assert [len(period.owners) for period in line.periods] == [1, 2, 1, 2, 1]


def test_what_is_below_the_uncertainty_is_not_claimed() -> None:
    for gain, field, what in (
        (10.002, "none_below_uncertainty", "no owner"),
        (9.998, "two_below_uncertainty", "two owners"),
    ):
        line = joined(watch("node-a", True, (10.0, False)), watch("node-b", False, (gain, True)))
        assert (line.none_seconds, line.two_seconds, line.two_seconds_including_unreachable) == (0, 0, 0)
        assert getattr(line, field) == near(0.002)
        assert line.notes == (f"{what} for 2.0 ms: below the uncertainty (2.7 ms), so it is not claimed",)
        assert [period.certain for period in line.periods] == [True, False, True]


def test_just_above_the_uncertainty_it_is() -> None:
    line = joined(watch("node-a", True, (10.0, False)), watch("node-b", False, (9.997, True)))
    assert line.two_seconds == near(0.003)
    assert line.notes == ()


def test_both_ends_by_one_clock_are_as_good_as_that_clock() -> None:
    line = joined(watch("node-a", True), watch("node-b", False, (10.0, True), (10.001, False)))
    assert line.two_seconds == near(0.001)
    assert line.periods[1].uncertainty == 0


def test_a_late_look_makes_it_less_certain() -> None:
    line = joined(watch("node-a", True, (10.0, False, "eth0", 0.05)), watch("node-b", False, (9.96, True)))
    assert line.uncertainty == near(0.0527)
    assert line.two_seconds == 0
    assert line.two_below_uncertainty == near(0.04)
    assert line.changes[1].late == 0.05


def test_a_clock_that_was_set_makes_it_less_certain() -> None:
    line = joined(watch("node-a", True, (10.0, False), clock_steps=[(15.0, -0.2)]), watch("node-b", False, (9.9, True)))
    assert line.uncertainty == near(0.2027)
    assert line.two_seconds == 0
    assert line.notes[0] == (
        f"node-a: its clock was set by -0.200 s at {BEGIN + 15:.3f}; have it slewed while a drill runs"
    )


def test_clocks_that_were_not_compared_prove_nothing() -> None:
    offsets = {"node-a": OFFSETS["node-a"], "node-b": {"offset": None, "uncertainty": None, "problem": "no answer"}}
    line = joined(watch("node-a", True, (10.0, False)), watch("node-b", False, (5.0, True)), offsets=offsets)
    assert line.uncertainty is None
    assert (line.two_seconds, line.none_seconds) == (0, 0)
    assert line.notes[0] == (
        "node-b: its clock was not compared with the observer's (no answer); no short time can be claimed"
    )
    assert "below the uncertainty (not known)" in line.notes[1]
    assert "(it was not measured)" in joined(watch("node-a", True), watch("node-b", False), offsets={}).notes[0]


def test_a_node_in_the_dark_is_no_owner() -> None:
    # Frozen with the VIP at 10, the other takes over at 13, thawed at 20 and lets go at 20.02.
    line = joined(
        watch("node-a", True, (20.02, False), stalls=[(10.0, 20.0)]),
        watch("node-b", False, (13.0, True)),
        {"node-a": [(10.0, 20.0)]},
    )
    assert line.none_seconds == near(3.0)
    assert line.two_seconds == near(0.02)
    assert line.two_seconds_including_unreachable == near(7.02)
    assert line.periods[2].unreachable == ("node-a",)
    assert line.notes == (f"node-a: its watcher did not run for 10.0 s until {BEGIN + 20:.3f}",)


def test_a_node_that_died_with_its_record() -> None:
    line = joined(None, watch("node-b", False, (13.0, True)))
    assert line.missing == ("node-a",)
    assert line.notes == ("node-a: has no record, it was lost with the node; what is said is known from the other one",)
    assert line.none_seconds == near(13.0)
    assert line.unknown_seconds == near(30.0)
    assert line.uncertainty == near(0.0012)
    assert all(period.unknown == ("node-a",) for period in line.periods)
    assert joined(None, None).none_seconds == near(30.0)


def test_lost_messages_are_unknown() -> None:
    line = joined(
        watch("node-a", True, gaps=[(9.0, 9.5), (40.0, 41.0)], end=42.0), watch("node-b", False, (9.25, True))
    )
    assert line.unknown_seconds == near(0.5)
    assert line.notes == (
        "node-a: messages of the kernel were lost for 0.500 s; what changed meanwhile has the time of the end",
    )
    # From 9.25 to 9.5 node-a may have had it or not: only what is known is claimed.
    assert line.two_seconds == near(20.5)
    assert line.none_seconds == near(0.25)


def test_a_time_that_was_not_watched() -> None:
    line = joined(watch("node-a", True, begin=2.0, end=20.0, ended_by="limit"), watch("node-b", False, end=25.0))
    assert line.notes == (
        "node-a: was not watched for the first 2.0 s",
        "node-a: was not watched for the last 10.0 s (its duration was over)",
        "node-b: was not watched for the last 5.0 s (it was stopped earlier)",
    )
    assert spans(line)[0] == (0, 2, ())
    assert line.unknown_seconds == near(12.0)


def test_a_copy_on_the_loopback_is_still_an_owner() -> None:
    line = joined(
        watch("node-a", True, (10.0, True, "lo"), (10.1, False), (12.0, True), (12.1, False, "lo")),
        watch("node-b", False),
    )
    assert spans(line) == [(0, 30, ("node-a",))]
    assert line.changes == ()


def test_one_that_was_deleted_by_hand_and_comes_back() -> None:
    line = joined(watch("node-a", True, (10.0, False), (10.4, True)), watch("node-b", False))
    assert line.none_seconds == near(0.4)
    assert [change.held for change in line.changes] == [False, True]


def test_changes_outside_of_the_time_are_left_out() -> None:
    line = joined(watch("node-a", False, (-0.5, True), (30.5, False)), watch("node-b", False))
    assert spans(line) == [(0, 30, ("node-a",))]
    assert line.changes == ()


def test_another_spelling_of_an_ipv6_address_is_the_same() -> None:
    data = watch("node-a", True)
    data["vips"] = {"2001:db8:0::10": data["vips"][VIP]}
    line = join({"node-a": data}, {"node-a": OFFSETS["node-a"]}, BEGIN, BEGIN + 1, "2001:db8::10")
    assert line.periods[0].owners == ("node-a",)


def test_is_plain_data() -> None:
    line = joined(watch("node-a", True, (10.0, False)), watch("node-b", False, (13.0, True)))
    data = line.to_dict()
    assert json.loads(json.dumps(data)) == json.loads(json.dumps(data))
    assert [(one["count"], round(one["seconds"], 3)) for one in data["periods"]] == [(1, 10), (0, 3), (1, 17)]
    assert data["changes"][0]["node"] == "node-a"


def test_two_measurements_tell_how_far_a_clock_drifted() -> None:
    first = {"offset": 0.010, "uncertainty": 0.0011, "problem": None}
    second = {"offset": 0.014, "uncertainty": 0.0012, "problem": None}
    assert combined(first, second) == {"offset": near(0.012), "uncertainty": near(0.0032), "problem": None}


def test_one_measurement_is_better_than_none() -> None:
    good = {"offset": 0.010, "uncertainty": 0.0011, "problem": None}
    bad = {"offset": None, "uncertainty": None, "problem": "no answer"}
    assert combined(good, bad) == combined(None, good) == good
    assert combined(bad, None) == bad
    assert combined(None, None)["problem"] == "it was not measured"


GOOD = watch("node-a", True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"watches": {}}, "watches: names no node; give the record of owner_watch of each node of the pair"),
        ({"end": BEGIN}, f"end: {BEGIN:g} is not after start ({BEGIN:g}); give the time to look at in unix seconds"),
        ({"address": "web"}, "address: web is not an IP address; give one VIP, without prefix"),
        (
            {"address": "192.0.2.11"},
            "watches.node-a.vips: has no 192.0.2.11 (192.0.2.10); start owner_watch with all VIPs of the pair",
        ),
        (
            {"watches": {"node-a": {"msg": "would start"}}},
            "watches.node-a: is no record of owner_watch; give what its state=stopped returned",
        ),
        ({"offsets": {"node-c": None}}, "offsets.node-c: is no node that was watched; name one of node-a"),
        ({"dark": {"node-c": []}}, "dark.node-c: is no node that was watched; name one of node-a"),
        (
            {"dark": {"node-a": [(2.0, 1.0)]}},
            "dark.node-a[0]: [2.0, 1.0] is no time; give [from, to] in unix seconds",
        ),
    ],
)
def test_refusals(change: dict[str, t.Any], message: str) -> None:
    given: dict[str, t.Any] = {
        "watches": {"node-a": GOOD},
        "offsets": {},
        "start": BEGIN,
        "end": BEGIN + 30,
        "address": VIP,
        "dark": {},
    }
    given.update(change)
    with pytest.raises(InputError) as caught:
        join(**given)
    assert message in str(caught.value).splitlines()
