# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts what both nodes wrote down about one VIP on the observer's time axis: how long it had no owner, or two.

Each node has a clock of its own, and the offset between two clocks is known only to within an uncertainty. A period
that is shorter than that may not have been there at all, and is never counted as if it had.
"""

from __future__ import annotations

import itertools
import math
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from ipaddress import ip_address

from .._problems import Reader

BELOW = "below the uncertainty"
# Unix seconds as floats are good for no more.
_DIGITS = 6

Watch = Mapping[str, t.Any]
Span = tuple[float, float]


@dataclass(frozen=True)
class Change:
    """A node became an owner (`held`) or ceased to be one; `interface` is where, `late` by how much `at` may be."""

    at: float
    node: str
    held: bool
    interface: str
    late: float


@dataclass(frozen=True)
class Period:
    """A time in which nothing changed.

    owners: the nodes that had the VIP, on whatever interface, and could be reached. unreachable: those that had it in
    the dark. unknown: the nodes of which nothing is known then; they count as no owner. uncertainty: by how much the
    time with that many owners, of which this is a part or all, may be wrong in length; None when the clocks were not
    compared. certain: whether that time is longer than its uncertainty.
    """

    start: float
    end: float
    owners: tuple[str, ...]
    unreachable: tuple[str, ...]
    unknown: tuple[str, ...]
    uncertainty: float | None
    certain: bool

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True)
class Timeline:
    """The life of one VIP from `start` to `end`, on the observer's axis.

    The seconds count what is certain; what is not has its own figures, `*_below_uncertainty`. With a node in `missing`
    or time in `unknown_seconds`, the time without an owner is at most, the time with two at least what is said.
    """

    address: str
    start: float
    end: float
    periods: tuple[Period, ...]
    changes: tuple[Change, ...]
    none_seconds: float
    none_longest: float
    none_below_uncertainty: float
    two_seconds: float
    two_longest: float
    two_below_uncertainty: float
    two_seconds_including_unreachable: float
    unknown_seconds: float
    uncertainty: float | None
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    def owners_at(self, moment: float) -> tuple[str, ...]:
        """Who had the VIP then, as far as is known."""
        for period in self.periods:
            if period.start <= moment < period.end:
                return period.owners
        return self.periods[-1].owners if self.periods and moment == self.end else ()

    def to_dict(self) -> dict[str, t.Any]:
        """Plain data; every period has its `seconds` and number of `owners` as `count`."""
        data = asdict(self)
        for plain, period in zip(data["periods"], self.periods, strict=True):
            plain.update(seconds=round(period.seconds, _DIGITS), count=len(period.owners))
        return data


@dataclass(frozen=True)
class _Edge:
    """Where something begins or ends, whose clock says so (None: the observer's), and by how much it may be late."""

    at: float
    node: str | None = None
    late: float = 0.0


@dataclass(frozen=True)
class _Stretch:
    """A time with one state of one node."""

    begin: _Edge
    end: _Edge


@dataclass(frozen=True)
class _Node:
    """What is known of one node, on the observer's axis."""

    name: str
    held: tuple[_Stretch, ...]
    unknown: tuple[_Stretch, ...]
    dark: tuple[_Stretch, ...]
    changes: tuple[Change, ...]
    uncertainty: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Piece:
    """A period before it is known how certain it is."""

    begin: _Edge
    end: _Edge
    owners: tuple[str, ...]
    unreachable: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def reached(self) -> int:
        return min(2, len(self.owners))

    @property
    def had(self) -> int:
        return min(2, len(self.owners) + len(self.unreachable))


@dataclass(frozen=True)
class _Run:
    """A time with one number of owners (2 stands for more as well), however many pieces it has."""

    count: int
    pieces: tuple[_Piece, ...]
    uncertainty: float | None

    @property
    def seconds(self) -> float:
        return self.pieces[-1].end.at - self.pieces[0].begin.at

    @property
    def certain(self) -> bool:
        return self.uncertainty is not None and self.seconds > self.uncertainty


def join(
    watches: Mapping[str, Watch | None],
    offsets: Mapping[str, Mapping[str, t.Any] | None],
    start: float,
    end: float,
    address: str,
    dark: Mapping[str, Iterable[Sequence[float]]] | None = None,
) -> Timeline:
    """The timeline of one VIP.

    watches: what the module owner_watch returned, by node; None when it was lost with its node.
    offsets: what the module clock_offset returned for each node, asked from the observer: `offset`, `uncertainty`.
    start, end: the time to look at, by the observer's clock.
    dark: when a node was off, frozen or cut off, by the observer's clock: then it is no owner, whatever it has.

    Raises InputError.
    """
    _refuse_wrong(watches, offsets, start, end, address, dark or {})
    nodes = [
        _read(name, watch, offsets.get(name), (float(start), float(end)), address, (dark or {}).get(name, ()))
        for name, watch in watches.items()
    ]
    pieces = _pieces(nodes, float(start), float(end))
    known = {node.name: node.uncertainty for node in nodes}
    runs = _runs(pieces, lambda piece: piece.reached, known)
    including = _runs(pieces, lambda piece: piece.had, known)
    changes = sorted((change for node in nodes for change in node.changes), key=lambda change: change.at)
    values = [node.uncertainty for node in nodes]
    uncertainty = None if None in values else math.fsum(value for value in values if value is not None)
    if uncertainty is not None:
        uncertainty += max((change.late for change in changes), default=0.0)
    return Timeline(
        address=address,
        start=float(start),
        end=float(end),
        periods=tuple(_period(piece, run) for run in runs for piece in run.pieces),
        changes=tuple(changes),
        none_seconds=_certain(runs, 0),
        none_longest=_longest(runs, 0),
        none_below_uncertainty=_below(runs, 0),
        two_seconds=_certain(runs, 2),
        two_longest=_longest(runs, 2),
        two_below_uncertainty=_below(runs, 2),
        two_seconds_including_unreachable=_certain(including, 2),
        unknown_seconds=_rounded(piece.end.at - piece.begin.at for piece in pieces if piece.unknown),
        uncertainty=uncertainty,
        missing=tuple(name for name, watch in watches.items() if watch is None),
        notes=tuple(_notes(nodes, runs)),
    )


def combined(before: Mapping[str, t.Any] | None, after: Mapping[str, t.Any] | None) -> dict[str, t.Any]:
    """One offset for the time between two measurements: clocks drift, and somebody may have set one.

    With one of the two (a node that is down does not answer) that one counts, and how far the clock drifted is not
    known.
    """
    measured = [one for one in (before, after) if one is not None and one.get("offset") is not None]
    if not measured:
        problem = (before or after or {}).get("problem") or "it was not measured"
        return {"offset": None, "uncertainty": None, "problem": problem}
    offsets = [float(one["offset"]) for one in measured]
    drift = max(offsets) - min(offsets)
    return {
        "offset": math.fsum(offsets) / len(offsets),
        "uncertainty": max(float(one["uncertainty"]) for one in measured) + drift / 2,
        "problem": None,
    }


def _refuse_wrong(
    watches: Mapping[str, Watch | None],
    offsets: Mapping[str, Mapping[str, t.Any] | None],
    start: float,
    end: float,
    address: str,
    dark: Mapping[str, Iterable[Sequence[float]]],
) -> None:
    reader = Reader()
    if not watches:
        reader.refuse("watches", "names no node", "give the record of owner_watch of each node of the pair")
    if not end > start:
        reader.refuse("end", f"{end:g} is not after start ({start:g})", "give the time to look at in unix seconds")
    wanted = _parsed(address)
    if wanted is None:
        reader.refuse("address", f"{address} is not an IP address", "give one VIP, without prefix")
    for name, watch in watches.items():
        if watch is None:
            continue
        vips = watch.get("vips")
        if not isinstance(vips, Mapping) or "started_at" not in watch or "ended_at" not in watch:
            reader.refuse(f"watches.{name}", "is no record of owner_watch", "give what its state=stopped returned")
        elif wanted is not None and _record(watch, address) is None:
            reader.refuse(
                f"watches.{name}.vips",
                f"has no {address} ({', '.join(map(str, vips)) or 'it is empty'})",
                "start owner_watch with all VIPs of the pair",
            )
    known = ", ".join(watches)
    for place, names in (("offsets", offsets), ("dark", dark)):
        for name in names:
            if name not in watches:
                reader.refuse(f"{place}.{name}", "is no node that was watched", f"name one of {known}")
    for name, spans in dark.items():
        for index, span in enumerate(spans):
            if len(span) != 2 or not span[1] >= span[0]:
                reader.refuse(f"dark.{name}[{index}]", f"{list(span)} is no time", "give [from, to] in unix seconds")
    reader.finish()


def _parsed(text: object) -> t.Any:
    try:
        return ip_address(str(text))
    except ValueError:
        return None


def _record(watch: Watch, address: str) -> Mapping[str, t.Any] | None:
    """What the watch says of that address, however it is spelled there."""
    wanted = _parsed(address)
    return next((record for text, record in watch["vips"].items() if _parsed(text) == wanted), None)


def _read(
    name: str,
    watch: Watch | None,
    offset: Mapping[str, t.Any] | None,
    window: Span,
    address: str,
    dark: Iterable[Sequence[float]],
) -> _Node:
    start, end = window
    whole = _Stretch(_Edge(start), _Edge(end))
    dim = tuple(_Stretch(_Edge(float(begin)), _Edge(float(finish))) for begin, finish in dark)
    if watch is None:
        note = f"{name}: has no record, it was lost with the node; what is said is known from the other one"
        return _Node(name, (), (whole,), dim, (), 0.0, (note,))
    notes: list[str] = []
    shift, uncertainty = _clock(name, offset, notes)
    record = _record(watch, address) or {}
    begin, finish = float(watch["started_at"]) - shift, float(watch["ended_at"]) - shift
    held, changes = _owned(name, record, shift, begin, finish)
    steps = [step for step in watch.get("clock_steps", ()) if start <= float(step["at"]) - shift <= end]
    for step in steps:
        notes.append(
            f"{name}: its clock was set by {float(step['seconds']):+.3f} s at {float(step['at']) - shift:.3f}; "
            "have it slewed while a drill runs"
        )
    if uncertainty is not None:
        uncertainty += math.fsum(abs(float(step["seconds"])) for step in steps)
    unknown = [_Stretch(_Edge(start), _Edge(begin, name)), _Stretch(_Edge(finish, name), _Edge(end))]
    for gap in watch.get("gaps", ()):
        stretch = _Stretch(_Edge(float(gap["from"]) - shift, name), _Edge(float(gap["to"]) - shift, name))
        unknown.append(stretch)
        if _overlap(stretch, window) > 0:
            notes.append(
                f"{name}: messages of the kernel were lost for {stretch.end.at - stretch.begin.at:.3f} s; what changed "
                "meanwhile has the time of the end"
            )
    notes += _told_stalls(name, watch, shift, window)
    notes += _told_span(name, watch, (begin, finish), window)
    return _Node(
        name,
        tuple(held),
        tuple(stretch for stretch in unknown if _overlap(stretch, window) > 0),
        dim,
        tuple(change for change in changes if start <= change.at <= end),
        uncertainty,
        tuple(notes),
    )


def _clock(name: str, offset: Mapping[str, t.Any] | None, notes: list[str]) -> tuple[float, float | None]:
    """(offset to the observer, uncertainty or None when the clocks were not compared)."""
    if offset is None or offset.get("offset") is None or offset.get("uncertainty") is None:
        why = (offset or {}).get("problem") or "it was not measured"
        notes.append(f"{name}: its clock was not compared with the observer's ({why}); no short time can be claimed")
        return 0.0, None
    return float(offset["offset"]), float(offset["uncertainty"])


def _owned(
    name: str, record: Mapping[str, t.Any], shift: float, begin: float, finish: float
) -> tuple[list[_Stretch], list[Change]]:
    """(when the node had the VIP on any interface, when that changed)."""
    interfaces = set(record.get("held_at_start", ()))
    since: _Edge | None = _Edge(begin, name) if interfaces else None
    held: list[_Stretch] = []
    changes: list[Change] = []
    for entry in sorted(record.get("changes", ()), key=lambda entry: float(entry["at"])):
        (interfaces.add if entry["held"] else interfaces.discard)(entry["interface"])
        if bool(interfaces) == (since is not None):
            continue
        edge = _Edge(float(entry["at"]) - shift, name, float(entry.get("late") or 0.0))
        if since is not None:
            held.append(_Stretch(since, edge))
        since = edge if interfaces else None
        changes.append(Change(edge.at, name, since is not None, str(entry["interface"]), edge.late))
    if since is not None:
        held.append(_Stretch(since, _Edge(finish, name)))
    return held, changes


def _told_stalls(name: str, watch: Watch, shift: float, window: Span) -> list[str]:
    return [
        f"{name}: its watcher did not run for {float(stall['to']) - float(stall['from']):.1f} s until "
        f"{float(stall['to']) - shift:.3f}"
        for stall in watch.get("stalls", ())
        if float(stall["to"]) - shift >= window[0] and float(stall["from"]) - shift <= window[1]
    ]


def _told_span(name: str, watch: Watch, watched: Span, window: Span) -> list[str]:
    """A watch that does not cover the window; a little is the clocks."""
    notes = []
    if watched[0] > window[0] + 0.1:
        notes.append(f"{name}: was not watched for the first {min(watched[0], window[1]) - window[0]:.1f} s")
    if watched[1] < window[1] - 0.1:
        reached = watch.get("ended_by") == "limit"
        why = "its duration was over" if reached else "it was stopped earlier"
        notes.append(f"{name}: was not watched for the last {window[1] - max(watched[1], window[0]):.1f} s ({why})")
    return notes


def _overlap(stretch: _Stretch, window: Span) -> float:
    return min(stretch.end.at, window[1]) - max(stretch.begin.at, window[0])


def _inside(stretches: Iterable[_Stretch], moment: float) -> bool:
    return any(stretch.begin.at <= moment < stretch.end.at for stretch in stretches)


def _pieces(nodes: Sequence[_Node], start: float, end: float) -> list[_Piece]:
    edges: dict[float, _Edge] = {start: _Edge(start), end: _Edge(end)}
    for node in nodes:
        for stretch in (*node.unknown, *node.dark, *node.held):
            for edge in (stretch.begin, stretch.end):
                if start < edge.at < end:
                    edges[edge.at] = edge
    pieces: list[_Piece] = []
    for begin, finish in itertools.pairwise(sorted(edges)):
        middle = begin + (finish - begin) / 2
        unknown = [node for node in nodes if _inside(node.unknown, middle)]
        holding = [node for node in nodes if node not in unknown and _inside(node.held, middle)]
        piece = _Piece(
            edges[begin],
            edges[finish],
            tuple(node.name for node in holding if not _inside(node.dark, middle)),
            tuple(node.name for node in holding if _inside(node.dark, middle)),
            tuple(node.name for node in unknown),
        )
        if pieces and _state(pieces[-1]) == _state(piece):
            pieces[-1] = replace(pieces[-1], end=piece.end)
        else:
            pieces.append(piece)
    return pieces


def _state(piece: _Piece) -> tuple[tuple[str, ...], ...]:
    return piece.owners, piece.unreachable, piece.unknown


def _runs(pieces: Iterable[_Piece], count: t.Callable[[_Piece], int], known: Mapping[str, float | None]) -> list[_Run]:
    runs = []
    for number, group in itertools.groupby(pieces, count):
        members = tuple(group)
        runs.append(_Run(number, members, _uncertainty(members[0].begin, members[-1].end, known)))
    return runs


def _uncertainty(begin: _Edge, end: _Edge, known: Mapping[str, float | None]) -> float | None:
    """By how much the time between two edges may be wrong."""
    total = begin.late + end.late
    if begin.node == end.node:
        # By one clock: its offset does not matter for what lies between.
        return total
    for edge in (begin, end):
        own = known[edge.node] if edge.node is not None else 0.0
        if own is None:
            return None
        total += own
    return total


def _period(piece: _Piece, run: _Run) -> Period:
    return Period(
        piece.begin.at, piece.end.at, piece.owners, piece.unreachable, piece.unknown, run.uncertainty, run.certain
    )


def _rounded(lengths: Iterable[float]) -> float:
    return round(math.fsum(lengths), _DIGITS)


def _certain(runs: Iterable[_Run], count: int) -> float:
    return _rounded(run.seconds for run in runs if run.count == count and run.certain)


def _below(runs: Iterable[_Run], count: int) -> float:
    return _rounded(run.seconds for run in runs if run.count == count and not run.certain)


def _longest(runs: Iterable[_Run], count: int) -> float:
    return round(max((run.seconds for run in runs if run.count == count and run.certain), default=0.0), _DIGITS)


def _notes(nodes: Iterable[_Node], runs: Sequence[_Run]) -> t.Iterator[str]:
    for node in nodes:
        yield from node.notes
    for count, what in ((0, "no owner"), (2, "two owners")):
        below = [run for run in runs if run.count == count and not run.certain]
        if below:
            longest = max(below, key=lambda run: run.seconds)
            limit = "not known" if longest.uncertainty is None else f"{longest.uncertainty * 1000:.1f} ms"
            yield f"{what} for {longest.seconds * 1000:.1f} ms: {BELOW} ({limit}), so it is not claimed"
