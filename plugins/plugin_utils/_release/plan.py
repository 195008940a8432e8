# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rolling release does: in which order, what moves when, and what is proved before the next step.

Two ways. Where the VIP of a pair follows the service, the standby is released first, then the VIP moves to it, then the
other node follows. Where it does not, balancers ask the nodes: then one follows the other, each after it has drained.
Everything is read from what is so now, so a run that was killed is continued by the next one.
"""

from __future__ import annotations

import hashlib
import json
import math
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.verdict import DEGRADED, VERIFIED

from .inputs import Settings, artifacts_of, check_artifacts, read_settings

VIP, POOL = "vip", "pool"
ACTIVATE, PROVE, MOVE, HOME = "activate", "prove", "move", "home"

UNFINISHED = ("activating", "sick")
"""Phases of a claim in which the node may be down."""


@dataclass(frozen=True)
class Step:
    """One step.

    `activate`: `node` gets the release. `prove`: it has it, and a run that ended did not prove it. `move` and `home`:
    `instance` goes to `node`, away from `other`.
    `wait`: seconds afterwards in which balancers take the node back. `delay`: for how long a preferred node waits
    before it takes over.
    """

    number: int
    kind: str
    node: str
    text: str
    other: str = ""
    instance: str = ""
    wait: float = 0.0
    delay: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What is to happen. `done`: nodes on which nothing is due. `fingerprint`: the same for the same input."""

    mode: str
    service: str
    nodes: list[str]
    instances: list[str]
    vips: list[str]
    done: list[str]
    steps: list[Step]
    resumed: bool
    fingerprint: str
    summary: str

    def to_dict(self) -> dict[str, t.Any]:
        """Plain data, with `text`: the plan as lines for a person."""
        return {**asdict(self), "text": self.text()}

    def text(self) -> list[str]:
        """The plan."""
        lines = [self.summary]
        lines += [f"  {node}: nothing is due" for node in self.done]
        lines += [f"  {step.number}. {step.text}" for step in self.steps]
        if any(step.kind in (ACTIVATE, PROVE) for step in self.steps):
            kept = "the VIP stays where it is, " if self.mode == VIP else ""
            lines.append(f"  where the proof fails: the node gets back what it had, {kept}and no other is changed")
        return lines


def plan(
    nodes: Mapping[str, Mapping[str, t.Any]],
    given: Mapping[str, t.Any],
    pair: Mapping[str, t.Any] | None = None,
    verdict: Mapping[str, t.Any] | None = None,
) -> Plan:
    """What a release of these nodes does.

    nodes: by inventory name, in their order, `{claim, staged, raised}`: what release_claim read there with the seconds
    that are `left` of it, what the released role says of its staging (`{due, release}`, empty before it has), which
    instances are raised there.
    given: see inputs.Settings. pair: as pair_inventory describes it, for members of one. verdict: of vip_verification.
    Raises InputError with all problems that were found.
    """
    reader = Reader()
    settings = read_settings(given, reader)
    check_artifacts(given.get("artifacts", {}), reader)
    instances = _instances(pair, settings.service)
    print_of = fingerprint(settings, given.get("artifacts", {}))
    claims = {node: found.get("claim") or {} for node, found in nodes.items()}
    resumed = _check_claims(claims, print_of, settings, reader)
    _check_same_release(nodes, reader)
    active = [node for node, found in nodes.items() if found.get("staged") and not found["staged"]["due"]]
    unfinished = [node for node, claim in claims.items() if resumed and claim.get("phase") in UNFINISHED]
    done = [node for node in active if node not in unfinished]
    turns = {node: PROVE if node in active else ACTIVATE for node in nodes if node not in done}
    summary = f"{'roll back' if settings.rollback else 'release'} {settings.service} on {' + '.join(nodes)}"
    unknown = "" if any(found.get("staged") for found in nodes.values()) else "; what is due shows once it is staged"
    if pair is None or not instances:
        _check_pool(nodes, reader)
        reader.finish()
        steps = _pool_steps(turns, unfinished, settings)
        return Plan(
            POOL, settings.service, [*nodes], [], [], done, steps, resumed, print_of, f"{summary}, in turn{unknown}"
        )
    members = [str(member) for member in pair["members"]]
    _check_members(nodes, members, reader)
    away = any(claim.get("raised") for claim in claims.values()) and resumed
    owners = _owners(verdict or {}, instances)
    _check_whole(members, verdict or {}, unfinished, owners, reader)
    _check_raised(nodes, away=away, reader=reader)
    _check_settled(pair, owners, away=away, reader=reader)
    reader.finish()
    steps = _pair_steps(pair, owners, turns, unfinished, settings)
    held = ", ".join(f"{name} on {node}" for name, node in owners.items())
    vips = [str(vip["address"]) for vip in pair["vips"] if vip["instance"] in instances]
    text = f"{summary}, standby first; now {held}{unknown}"
    return Plan(VIP, settings.service, members, instances, vips, done, steps, resumed, print_of, text)


def fingerprint(settings: Settings, artifacts: Mapping[str, t.Any]) -> str:
    """The same text for the same input: who was killed in the middle is told from who releases something else."""
    named = {node: artifacts_of(found) for node, found in artifacts.items()}
    text = json.dumps([settings.service, settings.rollback, settings.label, named], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _instances(pair: Mapping[str, t.Any] | None, service: str) -> list[str]:
    """The instances whose VIPs follow the service."""
    if pair is None:
        return []
    return [str(name) for name, found in pair["settings"].items() if service in found["services"]]


def _owners(verdict: Mapping[str, t.Any], instances: Sequence[str]) -> dict[str, str]:
    """Who owns what now."""
    found = {str(vip["instance"]): str(vip["owner"]) for vip in verdict.get("vips", []) if vip["owner"]}
    return {name: found[name] for name in instances if name in found}


# Refusals


def _check_claims(claims: Mapping[str, Mapping[str, t.Any]], print_of: str, settings: Settings, reader: Reader) -> bool:
    """Whether an earlier run of the same input is continued; another one that is under way is refused."""
    resumed = False
    for node, claim in claims.items():
        if not claim:
            continue
        same = claim["fingerprint"] == print_of
        if same or settings.take_over or claim["left"] <= 0:
            # Another one that has ended left nothing to continue but its raise, or a node that it did not finish.
            left_over = bool(claim.get("raised")) or claim["phase"] in UNFINISHED
            resumed = resumed or same or settings.take_over or left_over
            continue
        minutes = math.ceil(claim["left"] / 60)
        reader.refuse(
            f"{node}: /var/lib/ha-pair/release.json",
            f"another release is under way there, of other input, begun by {claim['by']} ({claim['phase']})",
            f"let it end; one that was killed gives way in {minutes} min, or now with release_take_over=true",
        )
    return resumed


def _check_same_release(nodes: Mapping[str, Mapping[str, t.Any]], reader: Reader) -> None:
    found = {node: str(each["staged"]["release"]) for node, each in nodes.items() if each.get("staged")}
    if len(found) == len(nodes) and len(set(found.values())) > 1:
        reader.refuse(
            " + ".join(nodes),
            "would run different releases: " + ", ".join(f"{node} {release}" for node, release in found.items()),
            "give all of them the same applications, best once in a group's variables",
        )


def _check_pool(nodes: Mapping[str, t.Any], reader: Reader) -> None:
    if len(nodes) < 2:
        reader.refuse(
            " + ".join(nodes) or "release_hosts",
            f"{len(nodes)} node is in this run, and while it is activated nobody would serve",
            "release at least two that serve the same; leave out --limit, or see release_hosts",
        )


def _check_members(nodes: Mapping[str, t.Any], members: Sequence[str], reader: Reader) -> None:
    for member in members:
        if member not in nodes:
            reader.refuse(
                " + ".join(members), f"{member} is not in this run", "a release takes both members: leave out --limit"
            )
    for node in nodes:
        if node not in members:
            reader.refuse(
                node,
                f"is no member of {' + '.join(members)}, whose VIP follows the service",
                f"release one pair at a time: --limit {','.join(members)}",
            )


def _check_whole(
    members: Sequence[str],
    verdict: Mapping[str, t.Any],
    unfinished: Sequence[str],
    owners: Mapping[str, str],
    reader: Reader,
) -> None:
    """Only what the run that is continued left behind may be missing, and only where the VIP is not."""
    result = verdict.get("result")
    if result == VERIFIED:
        return
    reasons = [str(reason) for reason in verdict.get("degraded", [])]
    ours = [reason for reason in reasons if reason.partition(":")[0] in unfinished]
    if result == DEGRADED and reasons == ours and not set(owners.values()) & set(unfinished):
        return
    reader.refuse(
        " + ".join(members),
        f"{result}: {'; '.join([*verdict.get('problems', []), *reasons]) or 'no reason given'}",
        "mend that first (playbooks/status.yml shows it); a release needs a standby that can take over",
    )


def _check_raised(nodes: Mapping[str, Mapping[str, t.Any]], *, away: bool, reader: Reader) -> None:
    if away:
        return
    for node, found in nodes.items():
        for name in found.get("raised") or []:
            reader.refuse(
                f"{node}: {name}",
                "is raised there by a planned switchover",
                "switch it back first (playbooks/switchover.yml), or the release would end it without asking",
            )


def _check_settled(pair: Mapping[str, t.Any], owners: Mapping[str, str], *, away: bool, reader: Reader) -> None:
    """A preferred node that is about to take its VIP back would take it in the middle of its own activation."""
    if away or reader.problems:
        return
    for name, owner in owners.items():
        preferred, delay = pair["settings"][name]["preferred"], pair["settings"][name]["preempt_delay"]
        if preferred and preferred != owner:
            reader.refuse(
                f"{preferred}: {name}",
                f"{owner} owns it, which is not the preferred node, and nothing is raised: it is on its way home",
                f"run again after preempt_delay ({delay:g} s), or see playbooks/status.yml for what keeps it away",
            )


# Steps


def _turn(number: int, node: str, kind: str, activation: str, settings: Settings, wait: float) -> Step:
    what = activation if kind == ACTIVATE else "prove what an earlier run activated"
    # Not which URL: it may differ by node, and all nodes have to walk through the very same steps.
    proof = f"{settings.consecutive} good answers in a row from its health URL"
    text = f"{node}: {what}; proof: {proof}, {settings.service} and its release verified"
    return Step(number, kind, node, f"{text}, then {wait:g} s" if wait else text, wait=wait)


def _pool_steps(turns: Mapping[str, str], unfinished: Sequence[str], settings: Settings) -> list[Step]:
    due = sorted(turns, key=lambda node: node not in unfinished)
    what = "refuse new connections, finish what it has, activate"
    return [
        # Nobody has to wait after the last one.
        _turn(number, node, turns[node], what, settings, settings.settle if number < len(due) else 0.0)
        for number, node in enumerate(due, start=1)
    ]


def _pair_steps(
    pair: Mapping[str, t.Any],
    owners: Mapping[str, str],
    turns: Mapping[str, str],
    unfinished: Sequence[str],
    settings: Settings,
) -> list[Step]:
    """Each node has its turn while it owns nothing; the last steps bring home what has one."""
    now, steps = dict(owners), list[Step]()
    members = [str(member) for member in pair["members"]]

    def move(instance: str, target: str, kind: str) -> None:
        other = next(member for member in members if member != target)
        found = pair["settings"][instance]
        delay = found["preempt_delay"] if found["preferred"] == target else 0.0
        how = "goes home to" if kind == HOME else "moves to"
        text = f"{instance} {how} {target}, and {other} closes what is idle before"
        if delay:
            text += f", after {delay:g} s"
        steps.append(Step(len(steps) + 1, kind, target, text, other, instance, delay=delay))
        group = found["sync_group"]
        for name in now:
            if name == instance or (group is not None and pair["settings"][name]["sync_group"] == group):
                now[name] = target

    def held(node: str) -> list[str]:
        return [name for name, owner in now.items() if owner == node]

    due = [node for node in members if node in turns]
    due.sort(key=lambda node: (node not in unfinished, len(held(node))))
    for node in due:
        other = next(member for member in members if member != node)
        for name in held(node):
            # One of the same sync group may have gone with an earlier one.
            if now[name] == node:
                move(name, other, MOVE)
        # Balancers may ask the members as well, whoever has the VIP.
        wait = settings.settle if node != due[-1] else 0.0
        what = "activate while it owns no VIP"
        steps.append(_turn(len(steps) + 1, node, turns[node], what, settings, wait))
    for name in list(now):
        preferred = pair["settings"][name]["preferred"]
        if preferred and now[name] != preferred:
            move(name, preferred, HOME)
    return steps
