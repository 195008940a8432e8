# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joins what probe, owner watches and audits recorded of one fault into one result, on the observer's time axis."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from .results import CONFLICT, judge, remarks
from .timeline import Timeline, combined, join

Data = Mapping[str, t.Any]

_PROBED = ("lost", "requests", "resolution", "outages", "latency", "keepalive", "download", "ended_by")


def result(entry: Data, recorded: Data) -> dict[str, t.Any]:
    """`result`, of one fault as docs/drill_report.md has it, judged, and `text`, lines for a person.

    entry: what `resolve` made of it. recorded: what the modules returned, as Ansible registered it:

    `probe` of vip_probe, on the host `client`; `watches` of owner_watch, by member; `clocks` of clock_offset before the
    fault and `clocks_after` it, by the host that measured, and `addresses` that it asked, by member; `injected` and
    `mended`, by the host whose clock they are told by; `verdicts`, `before`, `during` and `after`; `vip`, the address
    that is watched; `failures`, what went wrong with the drill itself.
    """
    probe = recorded["probe"].get("probe")
    verdicts: Mapping[str, Data | None] = recorded["verdicts"]
    measured = [recorded["clocks"], recorded.get("clocks_after") or {}]
    clocks = _Clocks(measured, recorded["addresses"], str(recorded["client"]))
    watches = {str(node): found.get("watch") for node, found in recorded["watches"].items()}
    offsets = {node: clocks.offset(node) for node in watches}
    injected, mended = (_moment(recorded[name], f"{name}_at", clocks) for name in ("injected", "mended"))
    # Undoing takes a moment, and the pair may be quicker: what it does meanwhile is no longer the fault's.
    mending = _moment(recorded["mended"], "mending_at", clocks)
    address = str(recorded["vip"])
    timeline = _timeline(entry, probe, watches, offsets, address, injected, mended)
    observed = {
        **_client(probe, injected, mended if mending is None else mending),
        **_ownership(entry, timeline, injected),
        **{f"owner_{phase}": _owner(verdicts.get(phase), address) for phase in ("before", "during", "after")},
        **_healing(entry, probe, timeline, mended),
        "restored_by": "timer"
        if any(found.get("already") == "timer" for found in recorded["mended"].values())
        else "drill",
    }
    plain = {
        phase: None
        if verdict is None
        else {key: verdict[key] for key in ("result", "problems", "degraded") if key in verdict}
        for phase, verdict in verdicts.items()
    }
    failures = [str(text) for text in recorded["failures"]]
    passed, found = judge(entry, observed, plain)
    notes = [*remarks(entry, observed, plain), *([] if timeline is None else timeline.notes)]
    judged = {
        **{key: entry[key] for key in ("number", "fault", "title", "role", "node", "peer", "expect")},
        "observed": observed,
        "verdicts": plain,
        "passed": passed and not failures,
        "failures": [*failures, *found],
        "notes": notes,
        "injected_at": injected,
        "mended_at": mended,
    }
    return {"result": judged, "text": _text(judged)}


def _text(judged: Data) -> list[str]:
    """What came of it, for a person who watches."""
    observed = judged["observed"]
    outage, limit = observed["outage_seconds"], judged["expect"]["rto_seconds"]
    allowed = "" if limit is None else f" (limit {limit:g} s)"
    figures = "no figure of the outage" if outage is None else f"{outage:.3f} s without an answer{allowed}"
    if observed["lost"] is not None:
        figures += f", {observed['lost']} of {observed['requests']} requests lost"
    if observed["two_seconds"]:
        figures += f", two owners for {observed['two_seconds']:.3f} s"
    during = observed["owner_during"] or "unclear"
    word = "passed" if judged["passed"] else "FAILED"
    lines = [
        f"{word}: {judged['title']} on {judged['node']}: {figures}; owner {observed['owner_before']}, then {during}, "
        f"then {observed['owner_after'] or 'unclear'}"
    ]
    return lines + [f"  {failure}" for failure in judged["failures"]]


class _Clocks:
    """Moves moments of any host onto the axis of the client."""

    def __init__(self, measured: Sequence[Mapping[str, Data]], addresses: Mapping[str, str], client: str) -> None:
        self._measured = [
            {str(host): found.get("clock_offset") or {} for host, found in once.items()} for once in measured
        ]
        self._addresses = addresses
        self._client = client

    def offset(self, member: str, of: str | None = None) -> Data | None:
        """`offset` and `uncertainty` of a member's clock against that of the client, or None when not known."""
        before, after = (once.get(of or self._client, {}).get(self._addresses.get(member)) for once in self._measured)
        found = combined(before, after)
        return None if found["offset"] is None else found

    def on_axis(self, moment: float, host: str) -> float | None:
        """The moment by the clock of the client, when it is known."""
        if host == self._client:
            return moment
        if host in self._addresses:
            known = self.offset(host)
            return None if known is None else moment - float(known["offset"])
        for member in self._addresses:
            here, there = self.offset(member), self.offset(member, host)
            if here is not None and there is not None:
                return moment + float(there["offset"]) - float(here["offset"])
        return None


def _moment(found: Mapping[str, Data], key: str, clocks: _Clocks) -> float | None:
    """When something was done, on the axis of the client."""
    for host, done in found.items():
        if done.get(key) is not None:
            return clocks.on_axis(float(done[key]), str(host))
    return None


def _moved(moment: object, correction: object) -> float | None:
    """A member's moment on the axis; None when either is unknown."""
    if moment is None or correction is None:
        return None
    return float(t.cast(float, moment)) - float(t.cast(float, correction))


def _timeline(
    entry: Data,
    probe: Data | None,
    watches: Mapping[str, Data | None],
    offsets: Mapping[str, Data | None],
    address: str,
    injected: float | None,
    mended: float | None,
) -> Timeline | None:
    """Who owned the VIP while the probe ran; None when nothing was recorded."""
    if probe is None or all(watch is None for watch in watches.values()):
        return None
    dark = _dark(entry, watches, offsets, injected, mended)
    return join(watches, offsets, probe["started_at"], probe["ended_at"], address, dark)


def _dark(
    entry: Data,
    watches: Mapping[str, Data | None],
    offsets: Mapping[str, Data | None],
    injected: float | None,
    mended: float | None,
) -> dict[str, list[tuple[float, float]]]:
    """When the node that was hit reached nobody, whatever its kernel held."""
    node = str(entry["node"])
    if not entry["alone"]:
        return {}
    if entry["where"] != "node":
        # What it slept through, its own watch knows best; a node that was off has no watch any more.
        correction = (offsets.get(node) or {}).get("offset")
        stalls = (watches.get(node) or {}).get("stalls", [])
        spans = [(_moved(stall["from"], correction), _moved(stall["to"], correction)) for stall in stalls]
        found = [(begin, end) for begin, end in spans if begin is not None and end is not None]
        return {node: found} if found else {}
    if injected is None or mended is None:
        return {}
    return {node: [(injected, mended)]}


def _client(probe: Data | None, injected: float | None, mending: float | None) -> dict[str, t.Any]:
    """What the probe says, and who answered before the fault, until its mend began, and after."""
    if probe is None:
        return {"outage_seconds": None, **dict.fromkeys(_PROBED)}
    before: list[str] = []
    during: list[str] = []
    after: list[str] = []
    current = None
    for change in probe["owners"]:
        if injected is not None and change["at"] < injected:
            before = [change["node"]]
        elif mending is None or change["at"] < mending:
            during.append(change["node"])
        after = [change["node"]]
        current = change["node"]
    if current is not None and not during and before:
        during = before
    return {
        "outage_seconds": probe["longest"],
        **{name: probe.get(name) for name in _PROBED},
        "keepalive": _keepalive(probe.get("keepalive")),
        "answered_before": before,
        "answered_during": during,
        "answered_after": after,
    }


def _keepalive(kept: Data | None) -> dict[str, t.Any] | None:
    """Without what the probe knows of requests that change something: a drill sends none."""
    return None if kept is None else {name: value for name, value in kept.items() if name != "posts"}


_TIMES = (
    "none_seconds",
    "none_longest",
    "none_below_uncertainty",
    "two_seconds",
    "two_longest",
    "two_below_uncertainty",
    "two_seconds_including_unreachable",
    "unknown_seconds",
    "uncertainty",
)


def _ownership(entry: Data, timeline: Timeline | None, injected: float | None) -> dict[str, t.Any]:
    """Who had the VIP for how long, and how soon another one had it after the injection."""
    if timeline is None:
        return {**dict.fromkeys(_TIMES), "takeover_seconds": None, "missing": [], "changes": []}
    takeover = next(
        (
            change.at - injected
            for change in timeline.changes
            if injected is not None and change.held and change.node != entry["owner"] and change.at >= injected
        ),
        None,
    )
    return {
        **{name: getattr(timeline, name) for name in _TIMES},
        "takeover_seconds": takeover,
        "missing": list(timeline.missing),
        "changes": [asdict(change) for change in timeline.changes],
    }


def _owner(verdict: Data | None, address: str) -> str | None:
    for vip in (verdict or {}).get("vips", []):
        if vip["address"] == address:
            return None if vip["owner"] is None else str(vip["owner"])
    return None


def _healing(entry: Data, probe: Data | None, timeline: Timeline | None, mended: float | None) -> dict[str, t.Any]:
    """How long after the mend it was until everything stayed as it is, and until two owners were one again.

    One again: the kernels say so, and what the observer asks is answered by one machine only, which is what its entry
    for the VIP (ARP, neighbour) points at. Where services have to follow the VIP nobody answers for as long as that
    takes, which says nothing of who owns it.
    """
    if mended is None or probe is None:
        return {"whole_again_seconds": None, "split_brain_healed_seconds": None}
    moments = [outage["end"] for outage in probe["outages"] if outage["end"] is not None]
    moments += [change["at"] for change in probe["owners"]]
    two = []
    if timeline is not None:
        moments += [change.at for change in timeline.changes]
        two = [period.end for period in timeline.periods if len(period.owners) > 1]
    healed = None
    if entry["expect"]["vip"] == CONFLICT:
        ended = list(two)
        if not entry.get("follows"):
            ended += [outage["end"] for outage in probe["outages"] if outage["end"] is not None]
            # The first answer of the owner after the mend; going home to a preferred node later is another matter.
            ended += [change["at"] for change in probe["owners"] if change["at"] >= mended][:1]
        healed = max(0.0, max(ended, default=mended) - mended)
    return {
        "whole_again_seconds": max(0.0, max(moments, default=mended) - mended),
        "split_brain_healed_seconds": healed,
    }
