# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of a drill, complete and with one type for each field: what the JSON report holds.

The fields stand in one table here; docs/drill_report.md explains them. What was not measured is null, never left out.
"""

from __future__ import annotations

import math
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, kind, shown

from .results import EXPECTATIONS, judge, label, remarks

SCHEMA = 1
"""The version of the document: raised when a field goes or changes its meaning, not when one is added."""

ROLES = ("owner", "standby", "third")
RESTORED_BY = ("drill", "timer", "itself")

_CURE = "give what the drill recorded, as docs/drill_report.md describes it"

Shape = Mapping[str, "Field"]


@dataclass(frozen=True)
class Field:
    """What a field holds. `fields` are those of a dictionary, `each` says that it is a list of such."""

    kind: str
    required: bool = False
    fields: Shape | None = None
    each: bool = False
    choices: tuple[str, ...] = ()
    # Takes dictionaries that know more than is kept, such as a whole verdict.
    more: bool = False


_NUMBER = Field("number")
_INTEGER = Field("integer")
_TEXT = Field("text")
_NAME = Field("text", required=True)
_TEXTS = Field("texts")
_BOOLEAN = Field("boolean")
_ANY = Field("any")


def _group(fields: Shape, *, required: bool = False, more: bool = False) -> Field:
    return Field("group", required=required, fields=fields, more=more)


def _list(fields: Shape) -> Field:
    return Field("group", fields=fields, each=True)


_PAIR: Shape = {
    "members": Field("texts", required=True),
    "instance": _TEXT,
    "vips": _TEXTS,
    "profile": _TEXT,
    "mode": _TEXT,
    "preferred": _TEXT,
    "advert_interval": _NUMBER,
    "master_down_interval": _NUMBER,
}

_EXPECT: Shape = {
    "vip": Field("choice", required=True, choices=EXPECTATIONS),
    "rto_seconds": _NUMBER,
    "two_owners_seconds": _NUMBER,
    "note": _TEXT,
}

_BREAK: Shape = {"at": _NUMBER, "seconds": _NUMBER, "before": _TEXT, "after": _TEXT}

_OBSERVED: Shape = {
    "outage_seconds": _NUMBER,
    "lost": _INTEGER,
    "requests": _INTEGER,
    "resolution": _NUMBER,
    "outages": _list(
        {"start": _NUMBER, "end": _NUMBER, "seconds": _NUMBER, "lost": _INTEGER, "before": _TEXT, "after": _TEXT}
    ),
    "latency": _group({"median": _NUMBER, "p95": _NUMBER, "p99": _NUMBER, "max": _NUMBER}),
    "keepalive": _group({"connections": _INTEGER, "requests": _INTEGER, "lost": _INTEGER, "broken": _list(_BREAK)}),
    "download": _group({"bytes": _INTEGER, "broken_at": _NUMBER, "longest_stall": _NUMBER, "problem": _TEXT}),
    "answered_before": Field("names"),
    "answered_during": Field("names"),
    "answered_after": Field("names"),
    "owner_before": _TEXT,
    "owner_during": _TEXT,
    "owner_after": _TEXT,
    "none_seconds": _NUMBER,
    "none_longest": _NUMBER,
    "none_below_uncertainty": _NUMBER,
    "two_seconds": _NUMBER,
    "two_longest": _NUMBER,
    "two_below_uncertainty": _NUMBER,
    "two_seconds_including_unreachable": _NUMBER,
    "unknown_seconds": _NUMBER,
    "uncertainty": _NUMBER,
    "missing": _TEXTS,
    "changes": _list({"at": _NUMBER, "node": _TEXT, "held": _BOOLEAN, "interface": _TEXT, "late": _NUMBER}),
    "takeover_seconds": _NUMBER,
    "whole_again_seconds": _NUMBER,
    "split_brain_healed_seconds": _NUMBER,
    "restored_by": Field("choice", choices=RESTORED_BY),
    "ended_by": _TEXT,
}

_VERDICT = _group({"result": _NAME, "problems": _TEXTS, "degraded": _TEXTS}, more=True)

_RESULT: Shape = {
    "number": _INTEGER,
    "fault": _NAME,
    "title": _TEXT,
    "role": Field("choice", choices=ROLES),
    "node": _NAME,
    "peer": _TEXT,
    "expect": _group(_EXPECT, required=True),
    "observed": _group(_OBSERVED, required=True),
    "verdicts": _group({"before": _VERDICT, "during": _VERDICT, "after": _VERDICT}, required=True),
    "passed": _BOOLEAN,
    "failures": _TEXTS,
    "notes": _TEXTS,
    "injected_at": _NUMBER,
    "mended_at": _NUMBER,
}

RUN: Shape = {
    "schema": Field("schema", required=True),
    "collection_version": _NAME,
    "pair": _group(_PAIR, required=True),
    "kind": _TEXT,
    "observer": _TEXT,
    "started_at": Field("number", required=True),
    "ended_at": _NUMBER,
    "probe_settings": _ANY,
    "options": _ANY,
    "results": _list(_RESULT),
    "skipped": _list({"fault": _NAME, "target": _TEXT, "reason": _TEXT}),
    "not_run": _list({"fault": _NAME, "reason": _TEXT}),
    "aborted": _TEXT,
}
"""The fields that a drill hands over. The document has `seconds`, `passed` and `summary` besides."""


def document(run: object) -> dict[str, t.Any]:
    """The run as the JSON report holds it: complete, every result judged, with a summary.

    A result whose `passed` is not given is judged here. Raises InputError with all problems that were found.
    """
    reader = Reader()
    found = _dictionary("run", run, RUN, more=False, reader=reader)
    reader.finish()
    # ansible-core before 2.19 makes an empty text of none.
    found["aborted"] = found["aborted"] or None
    found["results"] = [_judged(result, number) for number, result in enumerate(found["results"], start=1)]
    found["seconds"] = None if found["ended_at"] is None else max(0.0, found["ended_at"] - found["started_at"])
    found["passed"] = (
        found["aborted"] is None and bool(found["results"]) and all(result["passed"] for result in found["results"])
    )
    found["summary"] = _summary(found)
    return found


def _judged(result: dict[str, t.Any], number: int) -> dict[str, t.Any]:
    if result["number"] is None:
        result["number"] = number
    if result["passed"] is None:
        passed, failures = judge(result, result["observed"], result["verdicts"])
        notes = remarks(result, result["observed"], result["verdicts"])
        # A failure that the drill itself met (a task that failed) stands whatever the figures say.
        given = result["failures"]
        return {
            **result,
            "passed": passed and not given,
            "failures": given + [text for text in failures if text not in given],
            "notes": result["notes"] + [text for text in notes if text not in result["notes"]],
        }
    return {**result, "passed": result["passed"] and not result["failures"]}


def _summary(found: Mapping[str, t.Any]) -> dict[str, t.Any]:
    results = found["results"]
    worst: Mapping[str, t.Any] = max(
        (result for result in results if result["observed"]["outage_seconds"] is not None),
        key=lambda result: result["observed"]["outage_seconds"],
        default={},
    )
    return {
        "faults": len(results),
        "passed": sum(1 for result in results if result["passed"]),
        "failed": sum(1 for result in results if not result["passed"]),
        "skipped": len(found["skipped"]),
        "not_run": len(found["not_run"]),
        "failed_faults": [label(result) for result in results if not result["passed"]],
        "longest_outage_seconds": worst["observed"]["outage_seconds"] if worst else None,
        "longest_outage_fault": label(worst) if worst else None,
        "requests": _total(results, "requests"),
        "lost": _total(results, "lost"),
        "two_owners_seconds": _largest(results, "two_seconds"),
        "uncertainty": _largest(results, "uncertainty"),
        "resolution": _largest(results, "resolution"),
    }


def _total(results: list[dict[str, t.Any]], name: str) -> int:
    return sum(result["observed"][name] or 0 for result in results)


def _largest(results: list[dict[str, t.Any]], name: str) -> float | None:
    return max((result["observed"][name] for result in results if result["observed"][name] is not None), default=None)


# --- reading -------------------------------------------------------------------------------------------------


def _dictionary(place: str, given: object, shape: Shape, *, more: bool, reader: Reader) -> dict[str, t.Any]:
    """The dictionary with exactly the fields of the shape."""
    mapping = reader.mapping(place, given, _CURE)
    if mapping is None:
        return {}
    if not more:
        reader.keys(place, mapping, shape)
    found = {}
    for name, field in shape.items():
        value = mapping.get(name)
        if value is None and field.required:
            reader.refuse(f"{place}.{name}", "is missing", _CURE)
        found[name] = _value(f"{place}.{name}", value, field, reader)
    return found


def _value(place: str, value: object, field: Field, reader: Reader) -> t.Any:
    if field.each:
        items = [] if value is None else reader.sequence(place, value, _CURE) or []
        return [
            _dictionary(f"{place}[{index}]", item, field.fields or {}, more=field.more, reader=reader)
            for index, item in enumerate(items)
        ]
    if value is None:
        return [] if field.kind in ("texts", "names") else None
    if field.fields is not None:
        return _dictionary(place, value, field.fields, more=field.more, reader=reader)
    if field.kind == "choice":
        return reader.choice(place, value, field.choices, _CURE)
    return _READERS[field.kind](place, value, reader)


def _number(place: str, value: object, reader: Reader) -> float | None:
    found: float | None = None
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            found = float(value)
        except ValueError:
            found = None
    if found is None or not math.isfinite(found):
        reader.refuse(place, f"{shown(value)} is not a number", _CURE)
        return None
    return found


def _integer(place: str, value: object, reader: Reader) -> int | None:
    found = _number(place, value, reader)
    if found is None:
        return None
    if found != int(found):
        reader.refuse(place, f"{shown(value)} is not an integer", _CURE)
        return None
    return int(found)


def _text(place: str, value: object, reader: Reader) -> str | None:
    if isinstance(value, str):
        return str(value)
    reader.refuse(place, f"is {kind(value)} ({shown(value)}), not a string", _CURE)
    return None


def _texts(place: str, value: object, reader: Reader) -> list[str]:
    items = reader.sequence(place, value, _CURE) or []
    return [text for index, item in enumerate(items) if (text := _text(f"{place}[{index}]", item, reader)) is not None]


def _names(place: str, value: object, reader: Reader) -> list[str]:
    """One name, a list of names, or answers counted by name."""
    if isinstance(value, str):
        return [str(value)] if value else []
    if isinstance(value, Mapping):
        return [str(name) for name, count in value.items() if count]
    return _texts(place, value, reader)


def _boolean(place: str, value: object, reader: Reader) -> bool | None:
    if isinstance(value, bool):
        return value
    reader.refuse(place, f"is {kind(value)} ({shown(value)}), not a boolean", _CURE)
    return None


def _schema(place: str, value: object, reader: Reader) -> int | None:
    if value in (SCHEMA, str(SCHEMA)) and not isinstance(value, bool):
        return SCHEMA
    reader.refuse(
        place,
        f"{shown(value)} is not a version that this release reads",
        f"give {SCHEMA}, or use the release of the collection that recorded the run",
    )
    return None


def _plain(place: str, value: object, reader: Reader) -> t.Any:
    """Free data, down to types that JSON has."""
    if isinstance(value, Mapping):
        return {str(key): _plain(f"{place}.{key}", item, reader) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(f"{place}[{index}]", item, reader) for index, item in enumerate(value)]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    return str(value)


_READERS: Mapping[str, Callable[[str, object, Reader], t.Any]] = {
    "number": _number,
    "integer": _integer,
    "text": _text,
    "texts": _texts,
    "names": _names,
    "boolean": _boolean,
    "schema": _schema,
    "any": _plain,
}
