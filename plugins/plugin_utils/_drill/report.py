# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence of a drill in four forms: the JSON document, Markdown, lines for a terminal, and a few figures."""

from __future__ import annotations

import json
import textwrap
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._job import fitting
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import printable

from .document import document
from .results import CONFLICT, label, owner_during

WIDTH = 120
"""Columns of a terminal that the lines keep to."""

Data = Mapping[str, t.Any]

_HEAD = ("no", "fault", "node", "VIP", "outage", "limit", "owners", "keep-alive", "result")
_RIGHT = ("no", "outage", "limit")
# Columns that are cut when a line would be too long, and what is left of them at least.
_CUT = {"fault": 12, "node": 12, "VIP": 16}


def report(run: object) -> dict[str, t.Any]:
    """All four forms of a run. Raises InputError with all problems that were found."""
    found = document(run)
    page = markdown(found)
    return {"document": found, "markdown": page, "text": text(found), "stats": fitting(stats(found, page))}


def stats(found: Data, page: str) -> dict[str, t.Any]:
    """For set_stats: what a workflow decides by, and the page, which outlives the machine that the drill ran from."""
    return {
        "check": False,
        "schema": found["schema"],
        "result": _word(found),
        "passed": found["passed"],
        "aborted": found["aborted"],
        "instance": found["pair"]["instance"],
        "members": found["pair"]["members"],
        "faults": [
            {
                "fault": result["fault"],
                "node": result["node"],
                "passed": result["passed"],
                "outage_seconds": result["observed"]["outage_seconds"],
                "failures": result["failures"],
            }
            for result in found["results"]
        ],
        "skipped": found["skipped"],
        "not_run": found["not_run"],
        "summary": found["summary"],
        "report": page,
    }


# --- for a terminal ------------------------------------------------------------------------------------------


def text(found: Data) -> list[str]:
    """The drill as aligned lines of at most WIDTH columns, without control characters."""
    facts = (f"failover drill of {_members(found)}: {_word(found)}", _counts(found), _when(found))
    lines = [line for fact in facts for line in _wrapped(fact, "")]
    if found["aborted"] is not None:
        lines += _wrapped(f"aborted: {found['aborted']}", "")
    if found["results"]:
        lines += ["", *_aligned([_HEAD, *(_cells(result) for result in found["results"])])]
    marked = [
        *(("failed", failure) for result in found["results"] for failure in result["failures"]),
        *(("note", f"{label(result)}: {note}") for result in found["results"] for note in result["notes"]),
        *(("skipped", _left_out(item)) for item in found["skipped"]),
        *(("not run", _left_out(item)) for item in found["not_run"]),
    ]
    lines += [""] * bool(marked)
    for mark, what in marked:
        lines += _wrapped(f"{mark}: {what}", "  ")
    return [*lines, "", *(line for fact in _limits(found) for line in _wrapped(fact, ""))]


def headline(result: Data, total: int) -> str:
    """One line on one fault, for the progress of a drill."""
    outage, limit = (_cells(result)[_HEAD.index(name)] for name in ("outage", "limit"))
    line = (
        f"fault {result['number']} of {total}, {label(result)}: {_passed(result)}; outage {outage}, limit {limit}, "
        f"VIP {_path(result)}"
    )
    return _cut(printable(line), WIDTH)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    excess = sum(widths) + 2 * (len(widths) - 1) - WIDTH
    while excess > 0:
        # The widest that may lose a column does.
        spare = [index for index, name in enumerate(_HEAD) if widths[index] > _CUT.get(name, WIDTH)]
        if not spare:
            break
        widths[max(spare, key=lambda index: widths[index])] -= 1
        excess -= 1
    lines = []
    for row in cells:
        parts = [
            _cut(cell, width).rjust(width) if name in _RIGHT else _cut(cell, width).ljust(width)
            for name, cell, width in zip(_HEAD, row, widths, strict=True)
        ]
        lines.append(_cut("  ".join(parts).rstrip(), WIDTH))
    return lines


def _wrapped(what: str, indent: str) -> list[str]:
    """Lines of at most WIDTH columns, those after the first further in."""
    return textwrap.wrap(
        printable(what), WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
    )


def _cut(what: str, width: int) -> str:
    return what if len(what) <= width else what[: width - 2] + ".."


# --- Markdown ------------------------------------------------------------------------------------------------


def markdown(found: Data) -> str:
    """The drill as a page: the table, what failed and why, under which settings, how sure, and how to repeat it."""
    parts = [f"# Failover drill of {_md(_members(found))}: {_word(found)}"]
    parts.append("\n".join(f"{_md(fact[0].upper() + fact[1:])}." for fact in (_counts(found), _when(found))))
    if found["aborted"] is not None:
        parts.append(f"**Aborted:** {_md(found['aborted'])}")
    if found["results"]:
        parts.append(_md_table(found["results"]))
    for result in found["results"]:
        if not result["passed"]:
            parts += _md_failure(result)
    notes = [f"{label(result)}: {note}" for result in found["results"] for note in result["notes"]]
    for title, items in (
        ("Notes", notes),
        ("Skipped", [_left_out(item) for item in found["skipped"]]),
        ("Not run", [_left_out(item) for item in found["not_run"]]),
        ("How sure these figures are", _limits(found)),
        ("Settings", _settings(found)),
    ):
        if items:
            parts += [f"## {title}", _md_list(items)]
    parts += ["## How to repeat it", *_md_repeat(found)]
    return "\n\n".join(parts) + "\n"


def _md_table(results: Iterable[Data]) -> str:
    rows = [_HEAD, tuple("---:" if name in _RIGHT else "---" for name in _HEAD)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    for result in results:
        cells = [_md(cell) for cell in _cells(result)]
        if not result["passed"]:
            cells[-1] = f"**{cells[-1]}**"
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _md_failure(result: Data) -> list[str]:
    observed, expect = result["observed"], result["expect"]
    rto = expect["rto_seconds"]
    limit = "no limit of the outage" if rto is None else f"outage at most {_seconds(rto)}"
    facts = [f"expected: VIP {expect['vip']}, {limit}, {_allowed(expect)}"]
    if expect["note"]:
        facts.append(f"why: {expect['note']}")
    facts.append(f"injected {moment(result['injected_at'])}, mended {moment(result['mended_at'])}{_restored(observed)}")
    facts += [
        f"no answer from {moment(outage['start'])} for {_seconds(outage['seconds'])} ({outage['lost'] or 0} lost), "
        f"{outage['before'] or 'nobody'} before, {outage['after'] or 'nobody'} after"
        for outage in observed["outages"]
    ]
    facts += [
        f"audit {phase}: {'; '.join([verdict['result'], *verdict['problems'], *verdict['degraded']])}"
        for phase in ("before", "during", "after")
        if (verdict := result["verdicts"][phase]) is not None
    ]
    title = f"## {result['number']}. {_md(label(result))}: failed"
    return [title, *([_md(result["title"])] if result["title"] else []), _md_list(result["failures"]), _md_list(facts)]


def _md_list(items: Iterable[str]) -> str:
    return "\n".join(f"- {_md(item)}" for item in items)


def _md_repeat(found: Data) -> list[str]:
    options = found["options"] if isinstance(found["options"], Mapping) else {}
    # Consent is given anew each time, not kept in a file.
    kept = {name: value for name, value in options.items() if name != "drill_confirm"}
    return [
        "The inventory of the pair, and these variables as `drill.json`:",
        "```json\n" + json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=True) + "\n```",
        "```\nansible-playbook -i INVENTORY duplex.ha_pair.drill -e @drill.json -e drill_confirm=true\n```",
    ]


def _md(what: object) -> str:
    """Text that Markdown and HTML take for nothing but text."""
    escaped = printable(what).replace("&", "&amp;").replace("<", "&lt;")
    for char in "\\`*_[]|":
        escaped = escaped.replace(char, "\\" + char)
    return escaped


# --- what both say -------------------------------------------------------------------------------------------


def _word(found: Data) -> str:
    if found["passed"]:
        return "passed"
    return "aborted" if found["aborted"] is not None else "failed" if found["results"] else "nothing was drilled"


def _members(found: Data) -> str:
    return " + ".join(found["pair"]["members"])


def _counts(found: Data) -> str:
    summary = found["summary"]
    parts = [f"{summary['passed']} of {summary['faults']} faults passed"]
    parts += [f"{summary[name]} {name.replace('_', ' ')}" for name in ("failed", "skipped", "not_run") if summary[name]]
    if summary["longest_outage_fault"]:
        parts.append(f"longest outage {_longest(found)} ({summary['longest_outage_fault']})")
    return ", ".join(parts)


def _when(found: Data) -> str:
    took = "not ended yet" if found["seconds"] is None else f"{found['seconds']:.0f} s"
    seen = f"seen by {found['observer']}" if found["observer"] else "without an observer"
    return f"begun {moment(found['started_at'])}, {took}, {seen}"


def _longest(found: Data) -> str:
    summary = found["summary"]
    return _outage(summary["longest_outage_seconds"], summary["resolution"])


def _cells(result: Data) -> tuple[str, ...]:
    """One fault as the columns of _HEAD."""
    observed = result["observed"]
    return (
        str(result["number"]),
        result["title"] if result["fault"] == "custom" and result["title"] else result["fault"],
        f"{result['node']} ({result['role']})" if result["role"] else result["node"],
        _path(result),
        _outage(observed["outage_seconds"], observed["resolution"])
        + (" and on" if any(outage["end"] is None for outage in observed["outages"]) else ""),
        _seconds(result["expect"]["rto_seconds"]),
        _most_owners(observed),
        _keepalive(observed["keepalive"]),
        _passed(result),
    )


def _passed(result: Data) -> str:
    return "passed" if result["passed"] else "failed"


def _left_out(item: Data) -> str:
    target = f" on {item['target']}" if item.get("target") else ""
    return f"{item['fault']}{target}: {item['reason'] or 'no reason given'}"


def _path(result: Data) -> str:
    """Where the VIP was, before, during and after: one name when it stayed."""
    observed, during = result["observed"], owner_during(result["observed"])
    if during is not None:
        between = [during]
    elif result["expect"]["vip"] == CONFLICT:
        between = ["contested"]
    else:
        # The audit came in the middle of a handover: those who answered tell.
        between = observed["answered_during"] or ["nobody"]
    names = [observed["owner_before"] or "nobody", *between, observed["owner_after"] or "nobody"]
    return " > ".join(name for index, name in enumerate(names) if index == 0 or name != names[index - 1])


def _outage(seconds: float | None, resolution: float | None) -> str:
    """An outage with no more digits than the probe can tell apart."""
    if seconds is None:
        return "not known"
    if resolution is None or resolution <= 0:
        return _seconds(seconds)
    if seconds < resolution:
        return f"< {resolution:.3f} s"
    digits = 1 if resolution >= 0.1 else 2 if resolution >= 0.01 else 3
    return f"{seconds:.{digits}f} s"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}".rstrip("0").rstrip(".") + " s"


def _most_owners(observed: Data) -> str:
    two, uncertainty = observed["two_seconds"], observed["uncertainty"]
    if two is None or len(observed["missing"]) > 1:
        return "not watched"
    if uncertainty is None:
        return "not known"
    return f"2 for {two:.3f} s" if two > uncertainty else "1"


def _keepalive(keepalive: Data | None) -> str:
    if keepalive is None or not keepalive["connections"]:
        return "-"
    count = len(keepalive["broken"])
    return f"{count} break{'s' * (count != 1)}" if count else "unbroken"


def _allowed(expect: Data) -> str:
    allowed = expect["two_owners_seconds"]
    return f"two owners for at most {_seconds(allowed)}" if allowed else "at most one owner"


def _restored(observed: Data) -> str:
    by = {"drill": " by the drill", "timer": " by the dead-man timer", "itself": " by itself"}
    return by.get(observed["restored_by"], "")


def _limits(found: Data) -> list[str]:
    """What the figures are worth: nothing is claimed below these."""
    summary = found["summary"]
    resolution, uncertainty = summary["resolution"], summary["uncertainty"]
    lines = []
    if resolution is not None:
        lines.append(
            f"resolution of the probe: {_seconds(resolution)} at worst; a shorter outage cannot be told from none"
        )
    if uncertainty is not None:
        lines.append(
            f"uncertainty of the clocks: {_seconds(uncertainty)} at worst; two owners for less are not claimed"
        )
    lines.append(f"kind of nodes: {found['kind'] or 'not told'}")
    return lines


def _settings(found: Data) -> list[str]:
    pair = found["pair"]
    named = [
        f"{name.replace('_', ' ')} {value}"
        for name in ("instance", "profile", "mode", "preferred")
        if (value := pair[name])
    ]
    named += [
        f"{name.replace('_', ' ')} {_seconds(pair[name])}"
        for name in ("advert_interval", "master_down_interval")
        if pair[name] is not None
    ]
    lines = [f"pair: {', '.join(named)}"] if named else []
    if pair["vips"]:
        lines.append(f"VIPs: {', '.join(pair['vips'])}")
    if found["probe_settings"]:
        lines.append(f"probe: {_flat(found['probe_settings'])}")
    return [*lines, f"duplex.ha_pair {found['collection_version']}"]


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item if isinstance(item, str) else json.dumps(item)}" for key, item in value.items())
    return str(value)


def moment(seconds: float | None) -> str:
    """`2026-01-31 12:00:00.25Z`: hundredths, as an outage is measured; a dash when nothing is known."""
    if seconds is None:
        return "-"
    found = datetime.fromtimestamp(round(seconds, 2), timezone.utc)
    return f"{found:%Y-%m-%d %H:%M:%S}.{found.microsecond // 10000:02d}Z"
