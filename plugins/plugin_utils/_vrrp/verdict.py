# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joins what several hosts saw of a VIP into one verdict: who owns it, and do all views name the same node?

Four views, none of which can be derived from another: the kernel of every node, keepalived's own state, the MAC
addresses that answer ARP (Neighbour Discovery for IPv6), and the identity that answers through the VIP.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address

from .agents import judge_agents, state_of

VERIFIED = "verified"
DEGRADED = "degraded, one owner"
FAILED = "failed"

Report = Mapping[str, t.Any]

# How the link is asked who has an address, by IP version. In a report both lie under `arp`.
_ARP, _ND = "ARP", "Neighbour Discovery"
_ON_THE_LINK = (_ARP, _ND)


@dataclass(frozen=True)
class View:
    """What one view says: whom it names, in one line per witness; `asked` is False when it could not be had."""

    name: str
    asked: bool
    owners: tuple[str, ...]
    witnesses: tuple[str, ...]

    def __str__(self) -> str:
        says = ", ".join(self.owners) or "nobody"
        return f"{self.name}: {says if self.asked else 'not asked'} ({'; '.join(self.witnesses) or 'no witness'})"


@dataclass(frozen=True)
class VipVerdict:
    """The verdict over one VIP."""

    address: str
    instance: str
    result: str
    owner: str | None
    views: tuple[View, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class PairVerdict:
    """The verdict over a pair.

    `problems` says what is wrong, `degraded` what is missing, `warnings` what does not change the verdict: the pair is
    as it should be, and something that watches over it is not. `agents`: what the agents of the members say of services
    that run on one of them only.
    """

    members: tuple[str, ...]
    result: str
    observed: bool
    vips: tuple[VipVerdict, ...]
    problems: tuple[str, ...]
    degraded: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())
    agents: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, t.Any]:
        """Plain data, with `text`: the verdict as lines for a person."""
        return {**asdict(self), "text": self.text()}

    def text(self) -> list[str]:
        """The verdict, every view of every VIP, and what is wrong."""
        how = "" if self.observed else ", without an observer"
        lines = [f"{' + '.join(self.members)}: {self.result}{how}"]
        for vip in self.vips:
            lines.append(f"  {vip.address} ({vip.instance}): owner {vip.owner or 'unclear'}")
            lines.extend(f"    {view}" for view in vip.views)
        lines.extend(f"  {words}" for words in self.agents)
        lines.extend(f"  problem: {problem}" for problem in self.problems)
        lines.extend(f"  missing: {reason}" for reason in self.degraded)
        lines.extend(f"  warning: {warning}" for warning in self.warnings)
        return lines


def judge(
    pair: Mapping[str, t.Any],
    reports: Mapping[str, Report],
    observers: Sequence[str] = (),
    missing: Mapping[str, str] | None = None,
) -> PairVerdict:
    """The verdict over one pair.

    pair: `{members: [a, b], instances: {name: [VIP, ...]}}`.
    reports: what the module vip_owner returned, by inventory name of the host that it ran on.
    observers: hosts outside the pair whose reports are to count.
    missing: why a member has no report (unreachable, outside the play's limit), by name.
    """
    members = tuple(str(member) for member in pair["members"])
    reasons = {str(host): str(reason) for host, reason in (missing or {}).items()}
    present = {member: reports[member] for member in members if member in reports}
    watching = {name: reports[name] for name in observers if name in reports}
    degraded = [f"{member}: {reasons.get(member, 'was not asked')}" for member in members if member not in present]
    degraded += [
        f"{name}: {reasons.get(name, 'was not asked')} (observer)" for name in observers if name not in watching
    ]
    problems: list[str] = _dependent_observers(present, watching)
    for member, report in present.items():
        ill, wrong = _member_state(member, report, list(pair["instances"]))
        degraded += ill
        problems += wrong
    vips = tuple(
        _judge_vip(str(address), str(name), members, present, watching)
        for name, addresses in pair["instances"].items()
        for address in addresses
    )
    problems += [f"{vip.address}: {problem}" for vip in vips for problem in vip.problems]
    agents = judge_agents(present, list(pair["instances"]))
    problems += agents.problems
    degraded += agents.degraded
    result = FAILED if problems else DEGRADED if degraded else VERIFIED
    warnings = [warning for member, report in present.items() for warning in _prober_warnings(member, report)]
    warnings += [
        f"{name} is raised on {member} by a planned switchover, which ends with a reboot or another switchover"
        for member, report in present.items()
        for name in report.get("raised", [])
    ]
    warnings += agents.warnings
    return PairVerdict(
        members,
        result,
        bool(watching),
        vips,
        tuple(problems),
        tuple(degraded),
        tuple(warnings),
        tuple(agents.lines),
    )


def _dependent_observers(present: Mapping[str, Report], watching: Mapping[str, Report]) -> list[str]:
    """An observer that is a member of the pair, by whatever name it was reached, is no independent view."""
    return [
        f"observer {name}: is the same machine as {member}; name a host outside the pair"
        for name, report in watching.items()
        for member, other in present.items()
        if _asking_macs(report) & _macs(other)
    ]


def _asking_macs(report: Report) -> set[str]:
    """The hardware addresses from which a host asked about the VIPs: bridges of cloned machines may share others."""
    asking = {vip.get("arp", {}).get("interface") for vip in report["vips"]}
    found = {
        str(interface.get("mac") or "").lower() for interface in report["interfaces"] if interface["name"] in asking
    }
    return found - {"", "00:00:00:00:00:00"}


def _macs(report: Report) -> set[str]:
    """The hardware addresses of a host, without those that every host has (loopback)."""
    found = {str(interface.get("mac") or "").lower() for interface in report["interfaces"]}
    return found - {"", "00:00:00:00:00:00"}


def _member_state(member: str, report: Report, instances: Sequence[str]) -> tuple[list[str], list[str]]:
    """(what keeps this member from taking over, what contradicts itself)."""
    ill: list[str] = []
    wrong: list[str] = []
    if not report["keepalived"]["running"]:
        ill.append(f"{member}: keepalived is not running")
    ill += [
        f"{member}: the check script {path} is not there or cannot be run, and keepalived takes that for good"
        for path in report.get("lost_checks", [])
    ]
    for name in instances:
        seen = report["instances"].get(name, {})
        state = state_of(seen)
        if seen.get("agree") is False:
            wrong.append(
                f"{member}: keepalived says {name} is {seen['daemon_state']}, the state file says {seen['file_state']}"
            )
        if report["keepalived"]["running"] and state not in ("MASTER", "BACKUP"):
            ill.append(f"{member}: {name} is {state or 'in no known state'} and cannot take over")
    return ill, wrong


def _prober_warnings(member: str, report: Report) -> list[str]:
    """What the prober of a member cannot see, and what it sees; nothing where nothing is to be probed."""
    prober: Mapping[str, t.Any] = report.get("prober") or {}
    warnings = []
    if prober.get("problem"):
        effect = "" if prober["running"] else "hangs would not be noticed on "
        warnings.append(f"{effect}{member}: {prober['problem']}")
    for name, probe in prober.get("probes", {}).items():
        if probe["failing"] or probe["problem"]:
            says = "is failing" if probe["failing"] else "is not known to be well"
            warnings.append(f"{member}: {name} {says}: {probe['problem'] or 'the reason is not known'}")
    return warnings


def _judge_vip(
    address: str,
    instance: str,
    members: Sequence[str],
    present: Mapping[str, Report],
    watching: Mapping[str, Report],
) -> VipVerdict:
    problems: list[str] = []
    views = (
        _kernel(address, present, problems),
        _keepalived(instance, present),
        _link(address, members, present, watching, problems),
        _identity(address, present, watching),
    )
    named: set[str] = set()
    for view in views:
        if not view.asked:
            continue
        named.update(view.owners)
        if len(view.owners) > 1:
            problems.append(f"{len(view.owners)} owners by {view.name}: {', '.join(view.owners)}")
        # A view of the members alone cannot name a member that was not asked.
        if not view.owners and (view.name in (*_ON_THE_LINK, "identity") or len(present) == len(members)):
            problems.append(f"no owner by {view.name}")
    if len(named) > 1 and not any(problem.startswith("2 owners") for problem in problems):
        problems.append("the views name different nodes: " + ", ".join(str(view) for view in views if view.asked))
    if not named and not problems:
        problems.append("no view names an owner")
    owner = next(iter(named)) if len(named) == 1 else None
    result = FAILED if problems else VERIFIED if len(present) == len(members) else DEGRADED
    return VipVerdict(address, instance, result, owner, views, tuple(problems))


def _seen(report: Report, address: str) -> Mapping[str, t.Any]:
    """What a report says of one VIP; empty when it was not asked about it."""
    for vip in report["vips"]:
        if ip_address(vip["address"]) == ip_address(address):
            found: Mapping[str, t.Any] = vip
            return found
    return {}


def _kernel(address: str, present: Mapping[str, Report], problems: list[str]) -> View:
    owners, witnesses = [], []
    for member, report in present.items():
        vip = _seen(report, address)
        held = bool(vip.get("held"))
        if held:
            owners.append(member)
            problems.extend(f"{member}: {problem}" for problem in vip.get("problems", []))
        where = f" on {vip['interface']}" if held else ""
        witnesses.append(f"{member} {'holds it' + where if held else 'does not hold it'}")
    return View("kernel", bool(present), tuple(owners), tuple(witnesses))


def _keepalived(instance: str, present: Mapping[str, Report]) -> View:
    owners, witnesses = [], []
    for member, report in present.items():
        state = state_of(report["instances"].get(instance, {}))
        if state == "MASTER":
            owners.append(member)
        witnesses.append(f"{member} {state or 'unknown'}")
    return View("keepalived", bool(present), tuple(owners), tuple(witnesses))


def _link(
    address: str,
    members: Sequence[str],
    present: Mapping[str, Report],
    watching: Mapping[str, Report],
    problems: list[str],
) -> View:
    names = {mac: member for member, report in present.items() for mac in _macs(report)}
    absent = [member for member in members if member not in present]
    owners: list[str] = []
    witnesses: list[str] = []
    conclusive = False
    for host, report in {**watching, **present}.items():
        vip = _seen(report, address)
        arp = vip.get("arp", {})
        if not arp.get("asked") or arp.get("problem"):
            witnesses.append(f"{host} could not ask: {arp.get('problem') or 'not asked'}")
            continue
        heard = [str(mac).lower() for mac in arp["answers"]]
        # Nobody hears itself: silence towards the holder says nothing.
        conclusive = conclusive or host in watching or not vip.get("held") or bool(heard)
        for mac in heard:
            owner = names.get(mac)
            if owner is None and len(absent) == 1:
                owner = absent[0]
            if owner is None:
                owner = f"a third machine ({mac})"
                stolen = f"{mac}, which is no member of the pair, answers for it (heard by {host})"
                if stolen not in problems:
                    problems.append(stolen)
            if owner not in owners:
                owners.append(owner)
        witnesses.append(f"{host} hears {', '.join(heard) or 'nobody'}")
    return View(_ND if ip_address(address).version == 6 else _ARP, conclusive, tuple(owners), tuple(witnesses))


def _identity(address: str, present: Mapping[str, Report], watching: Mapping[str, Report]) -> View:
    owners: list[str] = []
    witnesses: list[str] = []
    asked = False
    reports = {**watching, **present}
    outside = {host: report for host, report in reports.items() if not _seen(report, address).get("held")}
    # What the holder asks never leaves it: it is a witness only when there is no other.
    for host, report in (outside or reports).items():
        identity = _seen(report, address).get("identity", {})
        if not identity.get("asked"):
            continue
        asked = True
        node = identity.get("node")
        if node is not None and str(node) not in owners:
            owners.append(str(node))
        witnesses.append(
            f"{host} is answered by {node}"
            if node is not None
            else f"{host} gets no name: {identity.get('problem') or 'no answer'}"
        )
    return View("identity", asked, tuple(owners), tuple(witnesses))
