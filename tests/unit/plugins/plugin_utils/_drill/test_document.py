# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON document: complete, of one type for each field, as docs/drill_report.md says, or refused with the cure."""

from __future__ import annotations

import copy
import json
import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.document import document
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError

Run = dict[str, t.Any]
DOCS = Path(__file__).resolve().parents[5] / "docs/drill_report.md"
FREE = ("probe_settings", "options")
CURE = "give what the drill recorded, as docs/drill_report.md describes it"


def paths(value: object, place: str = "") -> set[str]:
    """Every field, as the page names it."""
    if isinstance(value, list):
        return set().union(*(paths(item, f"{place}[]") for item in value if isinstance(item, dict)))
    if not isinstance(value, dict) or place in FREE:
        return set()
    found = set()
    for name, item in value.items():
        here = f"{place}.{name}" if place else name
        found |= {here} | paths(item, here)
    return found


def documented() -> dict[str, str]:
    rows = re.findall(r"^\| `([a-z_0-9.\[\]]+)` \| ([a-z ]+) \| ", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a field is documented twice"
    return dict(rows)


def at(found: Run, path: str) -> list[t.Any]:
    """All values of a documented field."""
    values: list[t.Any] = [found]
    for name in path.split("."):
        values = [value[name.removesuffix("[]")] for value in values if value is not None]
        if name.endswith("[]"):
            values = [item for value in values for item in value]
    return values


TYPES: dict[str, t.Callable[[object], bool]] = {
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) is float,
    "string": lambda value: type(value) is str,
    "boolean": lambda value: type(value) is bool,
    "dictionary": lambda value: type(value) is dict,
    "free": lambda _value: True,
    "list of strings": lambda value: type(value) is list and all(type(item) is str for item in value),
    "list of dictionaries": lambda value: type(value) is list and all(type(item) is dict for item in value),
}


def test_the_page_documents_every_field_and_no_other(run: Run) -> None:
    assert set(documented()) == paths(document(run))


def test_the_page_tells_the_types(run: Run) -> None:
    found = document(run)
    for path, kind in documented().items():
        assert all(value is None or TYPES[kind](value) for value in at(found, path)), path


def test_what_was_not_measured_is_null(run: Run) -> None:
    """A drill that was cut off early has the same fields."""
    result = run["results"][0]
    run = {key: run[key] for key in ("schema", "collection_version", "started_at")}
    run["pair"] = {"members": ["node-a", "node-b"]}
    run["results"] = [{key: result[key] for key in ("fault", "node")}]
    run["results"][0].update(expect={"vip": "moves"}, observed={}, verdicts={})
    found = document(run)
    assert set(found["results"][0]["observed"]) == set(result["observed"])
    assert [name for name, value in found["results"][0]["observed"].items() if value] == []
    assert found["seconds"] is None
    assert (found["skipped"], found["not_run"], found["results"][0]["number"]) == ([], [], 1)
    assert (found["passed"], found["summary"]["longest_outage_fault"], found["summary"]["lost"]) == (False, None, 0)


def test_it_is_json_and_says_the_same_when_it_is_read_again(run: Run) -> None:
    found = document(run)
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found
    for computed in ("seconds", "passed", "summary"):
        del again[computed]
    assert document(again) == found


def test_the_input_is_left_alone(run: Run) -> None:
    before = copy.deepcopy(run)
    document(run)
    assert run == before


def test_numbers_in_strings_are_taken(run: Run) -> None:
    """Templates give those."""
    run.update(schema="1", started_at="1790000000.5")
    run["results"][0]["observed"].update(requests="1500", lost=3.0)
    found = document(run)
    assert (found["schema"], found["started_at"]) == (1, 1790000000.5)
    assert [found["results"][0]["observed"][name] for name in ("requests", "lost")] == [1500, 3]


def test_who_answered_is_a_list_of_names(run: Run) -> None:
    observed = document(run)["results"][0]["observed"]
    assert [observed[f"answered_{phase}"] for phase in ("before", "during", "after")] == [
        ["node-a"],
        ["node-a", "node-b"],
        ["node-a"],
    ]
    run["results"][0]["observed"]["answered_before"] = ""
    assert document(run)["results"][0]["observed"]["answered_before"] == []


def test_of_a_verdict_only_what_is_documented_is_kept(run: Run) -> None:
    assert set(document(run)["results"][0]["verdicts"]["after"]) == {"result", "problems", "degraded"}


def test_free_data_is_brought_down_to_json(run: Run) -> None:
    run["options"] = {1: (True, None, 2, 0.5, float("inf"), Path("/x")), "deep": {"text": "a"}}
    assert document(run)["options"] == {"1": [True, None, 2, 0.5, "inf", "/x"], "deep": {"text": "a"}}


def test_judged_when_it_was_not(run: Run) -> None:
    run["results"][0]["observed"]["outage_seconds"] = 2.0
    found = document(run)
    assert (found["passed"], found["results"][0]["passed"]) == (False, False)
    assert found["results"][0]["failures"] == [
        "service_stop on node-a: no answer for 2.000 s (resolution 0.010 s), the limit is 0.300 s"
    ]


def test_notes_are_added(run: Run) -> None:
    run["results"][0]["observed"]["restored_by"] = "timer"
    run["results"][0]["notes"] = ["it rained"]
    assert document(run)["results"][0]["notes"] == [
        "it rained",
        "the dead-man timer on the target mended this, not the drill",
    ]


def test_a_failure_that_the_drill_met_stands(run: Run) -> None:
    run["results"][0]["failures"] = ["the task failed"]
    found = document(run)["results"][0]
    assert (found["passed"], found["failures"]) == (False, ["the task failed"])


@pytest.mark.parametrize(("given", "failures", "passed"), [(True, [], True), (False, [], False), (True, ["x"], False)])
def test_a_judgement_that_was_given_is_kept(run: Run, given: bool, failures: list[str], passed: bool) -> None:
    run["results"][0].update(passed=given, failures=failures)
    run["results"][0]["observed"]["outage_seconds"] = 2.0
    found = document(run)["results"][0]
    assert (found["passed"], found["failures"]) == (passed, failures)


def test_summary(run: Run) -> None:
    worse = copy.deepcopy(run["results"][0])
    worse.update(number=2, fault="link_down", node="node-b")
    worse["observed"].update(outage_seconds=2.0, two_seconds=0.01, uncertainty=0.004, resolution=0.02)
    unmeasured = copy.deepcopy(run["results"][0])
    unmeasured.update(number=3, observed={})
    run["results"] += [worse, unmeasured]
    assert document(run)["summary"] == {
        "faults": 3,
        "passed": 1,
        "failed": 2,
        "skipped": 1,
        "not_run": 1,
        "failed_faults": ["link_down on node-b", "service_stop on node-a"],
        "longest_outage_seconds": 2.0,
        "longest_outage_fault": "link_down on node-b",
        "requests": 3000,
        "lost": 6,
        "two_owners_seconds": 0.01,
        "uncertainty": 0.004,
        "resolution": 0.02,
    }


@pytest.mark.parametrize(
    ("change", "passed"),
    [({}, True), ({"aborted": ""}, True), ({"aborted": "the pair is not whole"}, False), ({"results": []}, False)],
)
def test_passed_when_it_ended_and_something_was_drilled(run: Run, change: Run, passed: bool) -> None:
    assert document({**run, **change})["passed"] is passed


# --- refusals ---


def spoil(run: Run, path: str, value: object) -> None:
    """Set a field, `results.0.fault`, to a value."""
    *parents, last = path.split(".")
    place: t.Any = run
    for name in parents:
        place = place[int(name)] if name.isdigit() else place[name]
    place[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "schema",
            2,
            "run.schema: 2 is not a version that this release reads; give 1, or use the release of the collection "
            "that recorded the run",
        ),
        (
            "schema",
            True,
            "run.schema: True is not a version that this release reads; give 1, or use the release of the collection "
            "that recorded the run",
        ),
        ("pair", None, f"run.pair: is missing; {CURE}"),
        ("pair", [], f"run.pair: is a list ([]), not a dictionary; {CURE}"),
        ("pair.members", "node-a", f"run.pair.members: is a string ('node-a'), not a list; {CURE}"),
        ("pair.vips", [1], f"run.pair.vips[0]: is an integer (1), not a string; {CURE}"),
        ("abortd", "x", "run.abortd: unknown key; did you mean 'aborted'?"),
        ("started_at", "noon", f"run.started_at: 'noon' is not a number; {CURE}"),
        ("started_at", True, f"run.started_at: True is not a number; {CURE}"),
        ("ended_at", float("nan"), f"run.ended_at: nan is not a number; {CURE}"),
        ("results", {}, f"run.results: is a dictionary ({{}}), not a list; {CURE}"),
        ("results.0.fault", 7, f"run.results[0].fault: is an integer (7), not a string; {CURE}"),
        ("results.0.passed", "yes", f"run.results[0].passed: is a string ('yes'), not a boolean; {CURE}"),
        (
            "results.0.expect.vip",
            "move",
            "run.results[0].expect.vip: 'move' is not one of moves, stays, returns, any, conflict; did you mean "
            "'moves'?",
        ),
        (
            "results.0.role",
            "x",
            f"run.results[0].role: 'x' is not one of owner, standby, third; {CURE}",
        ),
        ("results.0.observed.lost", 1.5, f"run.results[0].observed.lost: 1.5 is not an integer; {CURE}"),
        ("results.0.observed.lost", "x", f"run.results[0].observed.lost: 'x' is not a number; {CURE}"),
        (
            "results.0.observed.outages",
            [{"from": 1}],
            "run.results[0].observed.outages[0].from: unknown key; known are after, before, end, lost, seconds, start",
        ),
        (
            "results.0.observed.answered_after",
            3,
            f"run.results[0].observed.answered_after: is an integer (3), not a list; {CURE}",
        ),
        ("results.0.verdicts.after", {}, f"run.results[0].verdicts.after.result: is missing; {CURE}"),
    ],
)
def test_refused(run: Run, path: str, value: object, message: str) -> None:
    spoil(run, path, value)
    with pytest.raises(InputError) as caught:
        document(run)
    assert str(caught.value) == message


def test_all_problems_at_once(run: Run) -> None:
    run.update(schema=2, started_at=None)
    with pytest.raises(InputError) as caught:
        document(run)
    assert len(caught.value.problems) == 2


def test_not_a_run() -> None:
    with pytest.raises(InputError) as caught:
        document(["x"])
    assert str(caught.value) == f"run: is a list (['x']), not a dictionary; {CURE}"
