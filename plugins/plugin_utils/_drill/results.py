# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges one fault of a drill: what was expected, what was seen, and what the audits of the pair said.

Nothing passes on a figure that was not taken, and nothing fails on one that is smaller than what can be told apart: the
resolution of the probe for an outage, the uncertainty of the clocks for two owners.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.verdict import DEGRADED, FAILED, VERIFIED

Data = Mapping[str, t.Any]

MOVES, STAYS, RETURNS, ANY, CONFLICT = "moves", "stays", "returns", "any", "conflict"
EXPECTATIONS = (MOVES, STAYS, RETURNS, ANY, CONFLICT)
"""What is expected of the VIP while the fault lasts: on the other member, where it was, anywhere but in the end where
it was, anywhere, claimed by two machines."""

SPLIT_BRAIN_HEALED = 1.0
"""Seconds in which two owners must be one again once the members hear each other."""

UNKNOWN = 1.0
"""Seconds in which nothing may be known of a member that kept its record: starting and stopping the watches."""

LOSES_ITS_RECORD = ("node_power_off", "node_reboot")
"""Faults that take what their node wrote down with them."""

STOPPED = "stop"
"""What ended the probe when the drill did."""

HANDOVERS = 2
"""There and back. A VIP that changes its owner more often for one fault flaps."""


def judge(entry: Data, observed: Data, verdicts: Data) -> tuple[bool, list[str]]:
    """(passed, failures) of one fault.

    entry: `fault`, `node`, `peer` and `expect` of the result. observed, verdicts: as docs/drill_report.md has them.
    """
    failures = [
        *_audits(entry, observed, verdicts),
        *_outage(entry, observed, verdicts),
        *_owners(entry, observed, verdicts),
        *_vip(entry, observed, verdicts),
        *_healing(entry, observed, verdicts),
    ]
    found = [f"{label(entry)}: {failure}" for failure in failures]
    return not found, found


def label(entry: Data) -> str:
    """`FAULT on NODE`; a custom fault with its title, as its name says nothing."""
    title = f" ({entry['title']})" if entry["fault"] == "custom" and entry.get("title") else ""
    return f"{entry['fault']}{title} on {entry['node']}"


def remarks(entry: Data, observed: Data, verdicts: Data) -> list[str]:
    """What a reader of the figures has to know although it is no failure."""
    expect, notes = entry["expect"], []
    outage, resolution, limit = observed.get("outage_seconds"), observed.get("resolution"), expect.get("rto_seconds")
    if outage is not None and resolution is not None and limit is not None and outage <= limit < outage + resolution:
        notes.append(
            f"the outage of {_s(outage)} is nearer to the limit of {_s(limit)} than the probe can tell apart "
            f"({_s(resolution)})"
        )
    two, uncertainty = observed.get("two_seconds"), observed.get("uncertainty")
    allowed = expect.get("two_owners_seconds") or 0.0
    if two is None:
        pass  # nobody watched, which is a failure and told as one
    elif uncertainty is None:
        notes.append("the clocks of the members were not compared: a short time with two owners would not be seen")
    elif allowed < two <= allowed + uncertainty:
        notes.append(
            f"two owners for {_s(two)}: {f'above the allowed {_s(allowed)} by less than' if allowed else 'below'} "
            f"the uncertainty of the clocks ({_s(uncertainty)}), so it is no claim"
        )
    if len(observed.get("missing") or ()) == 1 and not _lost(entry, observed):
        notes.append(f"what {observed['missing'][0]} wrote down was lost with it; the other member's record counts")
    if _dark_overlap(observed):
        notes.append(
            f"two members held the VIP for {_s(observed['two_seconds_including_unreachable'])} when one that could "
            "reach nobody is counted"
        )
    if observed.get("restored_by") == "timer":
        notes.append("the dead-man timer on the target mended this, not the drill")
    before, during = observed.get("owner_before"), observed.get("owner_during")
    if expect["vip"] == RETURNS and before is not None and during == before and not _handovers(observed):
        notes.append(f"the VIP was not seen to leave {before}")
    if _result(verdicts, "during") == FAILED and expect["vip"] in (MOVES, STAYS) and _dark_overlap(observed):
        notes.append(
            "the audit during the fault counts the member that could reach nobody: " + _said(verdicts, "during")
        )
    return notes


# --- the audits ----------------------------------------------------------------------------------------------


def _audits(entry: Data, observed: Data, verdicts: Data) -> Iterator[str]:
    for phase, when in (("before", "before the fault"), ("after", "after the mend")):
        result = _result(verdicts, phase)
        if result is None:
            yield f"the pair was not audited {when}"
        elif result != VERIFIED:
            yield f"the audit {when} says {result}: {_said(verdicts, phase)}" + _cause(entry, verdicts, (phase,))
    during, expected = _result(verdicts, "during"), entry["expect"]["vip"]
    if expected == CONFLICT and during in (VERIFIED, DEGRADED):
        yield (
            f"the audit while it lasted says {during}, although two machines were to claim the VIP; "
            "likely cause: the fault had no effect"
        )
    # A member that reaches nobody still holds the address in its kernel: the audit counts it, no client does.
    if expected in (MOVES, STAYS) and during == FAILED and not _dark_overlap(observed):
        yield f"the audit while it lasted says failed: {_said(verdicts, 'during')}" + _cause(
            entry, verdicts, ("during",)
        )


def _result(verdicts: Data, phase: str) -> str | None:
    verdict = verdicts.get(phase)
    return None if verdict is None else str(verdict["result"])


def _said(verdicts: Data, phase: str) -> str:
    return "; ".join(_reasons(verdicts, phase)) or "no reason given"


def _reasons(verdicts: Data, phase: str) -> list[str]:
    verdict = verdicts.get(phase) or {}
    return [str(text) for text in [*(verdict.get("problems") or ()), *(verdict.get("degraded") or ())]]


# --- what the client saw -------------------------------------------------------------------------------------


def _outage(entry: Data, observed: Data, verdicts: Data) -> Iterator[str]:
    limit, cause = entry["expect"].get("rto_seconds"), _cause(entry, verdicts)
    outage, resolution = observed.get("outage_seconds"), observed.get("resolution")
    limited = "" if limit is None else f", the limit is {_s(limit)}"
    ended_by = observed.get("ended_by")
    if ended_by is not None and ended_by != STOPPED:
        yield f"the probe ended by itself ({ended_by}) before the drill asked it to; what came later was not measured"
    if not observed.get("requests") or outage is None:
        yield f"the probe gave no figure of the outage{limited}; nothing is known of what clients saw"
        return
    last = _unfinished(observed)
    if last is not None:
        yield f"the VIP was not answered again: no answer for the last {_s(last)} of the probe{limited}{cause}"
        return
    if limit is None:
        return
    if resolution is None:
        yield f"the probe states no resolution, so its outage of {_s(outage)} proves nothing{limited}"
    elif outage > limit:
        yield f"no answer for {_s(outage)} (resolution {_s(resolution)}){limited}{cause}"
    elif resolution > limit:
        yield (
            f"the probe reached a resolution of {_s(resolution)} only and cannot prove the limit of {_s(limit)}; "
            "give a shorter interval, or an observer that is less busy"
        )


def _unfinished(observed: Data) -> float | None:
    """Seconds without an answer at the end of the probe, or None when it ended with answers."""
    for outage in observed.get("outages") or ():
        if outage.get("end") is None:
            return float(outage.get("seconds") or 0.0)
    return None


# --- who owned the VIP ---------------------------------------------------------------------------------------


def _owners(entry: Data, observed: Data, verdicts: Data) -> Iterator[str]:
    two, uncertainty = observed.get("two_seconds"), observed.get("uncertainty")
    allowed = entry["expect"].get("two_owners_seconds") or 0.0
    limit = f"at most {_s(allowed)} is allowed" if allowed else "at most one owner is allowed"
    # With unknown clocks nothing is certain, but what looks like two owners for long is not to pass either.
    apparent = (two or 0.0) + (observed.get("two_below_uncertainty") or 0.0)
    if two is None or len(observed.get("missing") or ()) > 1:
        yield f"it was not watched whether two members owned the VIP at once; {limit}"
    elif lost := _lost(entry, observed):
        yield (
            f"the record of {' and '.join(lost)} was lost; two members may have owned the VIP at once without being "
            f"seen, {limit}"
        )
    elif uncertainty is None:
        if apparent > allowed:
            yield (
                f"two owners for {_s(apparent)}, by clocks whose offset is not known; {limit}; let the members answer "
                "when the observer asks for their time (ICMP timestamp)"
            )
    elif two - uncertainty > allowed:
        yield f"two owners for {_s(two)} (uncertainty {_s(uncertainty)}), {limit}{_cause(entry, verdicts)}"
    unknown = observed.get("unknown_seconds")
    # A record that was lost is told above, and makes all the time unknown.
    if unknown is not None and unknown > UNKNOWN and not observed.get("missing"):
        yield f"nothing is known of the owners for {_s(unknown)}, the limit is {_s(UNKNOWN)}"


def _lost(entry: Data, observed: Data) -> list[str]:
    """Members without a record that the fault did not take it from."""
    excused = entry["node"] if entry["fault"] in LOSES_ITS_RECORD else None
    return [str(name) for name in observed.get("missing") or () if name != excused]


def _vip(entry: Data, observed: Data, verdicts: Data) -> Iterator[str]:
    expected, cause = entry["expect"]["vip"], _cause(entry, verdicts)
    before, during, after = observed.get("owner_before"), owner_during(observed), observed.get("owner_after")
    if before is None:
        yield "nobody owned the VIP before the fault"
    elif expected == MOVES:
        yield from _moved(_target(entry, before), before, during, cause)
    elif expected == STAYS and during != before:
        gone = "had no owner" if during is None else f"moved to {during}"
        yield f"the VIP {gone}, it was to stay on {before}{cause}"
    elif expected == STAYS and _handovers(observed):
        yield f"the VIP left {before} and came back, it was to stay there{cause}"
    if after is None:
        yield f"nobody owned the VIP after the mend{_cause(entry, verdicts, ('after',))}"
    elif expected in (STAYS, RETURNS) and before is not None and after != before:
        yield f"the VIP was on {after} after the mend, it was to be on {before}{cause}"
    if (hands := _handovers(observed)) > HANDOVERS:
        yield f"the VIP changed its owner {hands} times, at most {HANDOVERS} (there and back) are due: it flaps{cause}"
    for phase, when, owner in (("during", "while it lasted", during), ("after", "after the mend", after)):
        names = observed.get(f"answered_{phase}") or []
        if owner is not None and names and owner not in names and not (phase == "during" and expected == CONFLICT):
            yield (
                f"{owner} owned the VIP {when}, but {' and '.join(names)} answered for it; "
                "likely cause: an ARP or neighbour entry that is not up to date"
            )


def owner_during(observed: Data) -> str | None:
    """Who owned the VIP for the clients: the audit names nobody when a second one holds it that could reach nobody."""
    owner, answered = observed.get("owner_during"), observed.get("answered_during")
    if owner is None and answered and _dark_overlap(observed):
        return str(answered[-1])
    return None if owner is None else str(owner)


def _moved(target: str | None, before: str, during: str | None, cause: str) -> Iterator[str]:
    whither = target or "the other member"
    if during is None:
        yield f"nobody owned the VIP while it lasted, it was to move from {before} to {whither}{cause}"
    elif during == before:
        yield f"the VIP stayed on {before}, it was to move to {whither}{cause}"
    elif target is not None and during != target:
        yield f"the VIP moved to {during}, it was to move to {target}{cause}"


def _target(entry: Data, before: str) -> str | None:
    """The member that did not have the VIP. On a third machine nothing says who the members are."""
    if entry.get("role") == "third":
        return None
    return next((str(name) for name in (entry["node"], entry.get("peer")) if name and name != before), None)


def _handovers(observed: Data) -> int:
    """How often another member became the only owner."""
    holding: set[str] = set()
    first = observed.get("owner_before")
    if first is not None:
        holding.add(str(first))
    owner, count = first, 0
    for change in sorted(observed.get("changes") or (), key=lambda change: float(change.get("at") or 0.0)):
        (holding.add if change.get("held") else holding.discard)(str(change.get("node")))
        only = next(iter(holding)) if len(holding) == 1 else None
        if only is not None and only != owner:
            count += owner is not None
            owner = only
    return count


def _healing(entry: Data, observed: Data, verdicts: Data) -> Iterator[str]:
    healed = observed.get("split_brain_healed_seconds")
    if healed is not None and healed - (observed.get("uncertainty") or 0.0) > SPLIT_BRAIN_HEALED:
        yield (
            f"two owners were one again only {_s(healed)} after the mend, the limit is {_s(SPLIT_BRAIN_HEALED)}"
            f"{_cause(entry, verdicts, ('after',))}"
        )


def _dark_overlap(observed: Data) -> bool:
    """Whether two members held the VIP, one of which could reach nobody."""
    everything, plain = observed.get("two_seconds_including_unreachable"), observed.get("two_seconds")
    return everything is not None and everything > (plain or 0.0)


# --- the likely cause ----------------------------------------------------------------------------------------

_CAUSES = (
    (
        r"(?P<mac>[0-9a-f:]+), which is no member of the pair, answers for it",
        "another machine ({mac}) uses the VIP; find it by its MAC address",
    ),
    (
        r"(?P<host>\S+): \S+ is on interface (?P<is>\S+), not on (?P<due>\S+)",
        "{host} has another interface for the VIP than configured ({is}, not {due})",
    ),
    (
        r"[2-9] owners by (kernel|keepalived)",
        "the members do not hear each other; is protocol 112 (VRRP) open between them, both ways?",
    ),
    (
        r"(?P<host>\S+): keepalived is not running",
        "keepalived does not run on {host}; `journalctl -u keepalived` there says why",
    ),
    (
        r"(?P<host>\S+): (?P<instance>\S+) is FAULT and cannot take over",
        "on {host} a service that is tracked, a check (is its script there?) or an interface is down; `ha-pair` there "
        "says which",
    ),
    (
        r"(?P<host>\S+): keepalived says .*, the state file says",
        "the notify handler on {host} does not follow keepalived; `journalctl -u ha-pair-notify` there says why",
    ),
    (r"(?P<host>\S+): is unreachable", "{host} cannot be reached"),
    (r"the views name different nodes", "an ARP or neighbour entry that is not up to date"),
    (r"no owner by", "no member could take the VIP; `ha-pair` on both says why"),
)
"""What the problems of a verdict point to, the most telling first."""


def _cause(entry: Data, verdicts: Data, phases: Sequence[str] = ("during", "after", "before")) -> str:
    """`; likely cause: ...`, or nothing when the audits do not tell."""
    for pattern, cause in _CAUSES:
        for phase in phases:
            # What the fault itself does to its node, and a conflict that was asked for, explain nothing.
            if phase == "during" and entry["expect"]["vip"] == CONFLICT:
                continue
            for reason in _reasons(verdicts, phase):
                found = re.search(pattern, reason)
                if found is None or (phase == "during" and found.groupdict().get("host") == entry["node"]):
                    continue
                return f"; likely cause: {cause.format(**found.groupdict())}"
    return ""


def _s(seconds: float) -> str:
    return f"{seconds:.3f} s"
