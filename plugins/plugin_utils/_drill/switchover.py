# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a planned switchover does: which node is raised, and how it goes back. Refuses what would only do harm."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, nearest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.verdict import VERIFIED

SETTLE_SECONDS = 3.0
"""How long a raise that only moves a VIP stays, in the sticky mode, where the VIP then remains where it is."""


@dataclass(frozen=True)
class Step:
    """A call of the module vip_raise on a node. Durations in seconds, 0 for none."""

    node: str
    state: str
    instances: list[str]
    after: float = 0.0
    lower_after: float = 0.0


@dataclass(frozen=True)
class Switchover:
    """A planned switchover.

    `instances`: all that move, those of the same sync groups included. `owners`: by instance, before. `steps`: in their
    order. `preempt_delay`: for how long a preferred target waits before it takes over.
    """

    target: str
    other: str
    instances: list[str]
    owners: dict[str, str]
    moves: bool
    steps: list[Step]
    preempt_delay: float
    back_after: float

    def to_dict(self) -> dict[str, t.Any]:
        """Plain data, with `text`: what is about to happen, for a person."""
        return {**asdict(self), "text": self.text()}

    def text(self) -> str:
        """One line."""
        what = ", ".join(self.instances)
        back = f", and back after {self.back_after:g} s" if self.back_after else ""
        if not self.moves:
            return f"{what}: {self.target} owns it already{back}"
        return f"{what}: from {self.other} to {self.target}{back}"


def plan(
    pair: Mapping[str, t.Any],
    verdict: Mapping[str, t.Any],
    instance: str = "",
    target: str = "",
    back_after: object = 0,
) -> Switchover:
    """What to do so that `target` (the other node, when empty) owns the instance (all of them, when empty).

    pair: as pair_inventory describes it. verdict: of vip_verification, just now. back_after: seconds after which the
    VIP goes back by itself, 0 for never. Raises InputError with all problems that were found.
    """
    reader = Reader()
    members = [str(member) for member in pair["members"]]
    instances = _wanted(pair, instance, reader)
    seconds = reader.seconds(
        "switchover_return_after", back_after, 0, 86400, "give seconds up to a day, or 0 for never"
    )
    if target and target not in members:
        close = nearest(target, members)
        cure = f"did you mean {close!r}?" if close else "name one of them, or leave it out for the one without the VIP"
        reader.refuse("switchover_target", f"{target!r} is not {' or '.join(members)}", cure)
    _refuse_unfit_pair(verdict, reader)
    owners = {
        str(vip["instance"]): str(vip["owner"])
        for vip in verdict["vips"]
        if vip["instance"] in instances and vip["owner"]
    }
    if not target and len(set(owners.values())) > 1:
        reader.refuse(
            "switchover_target",
            "is not given, and each node owns something: "
            + ", ".join(f"{name} {node}" for name, node in owners.items()),
            "name the node that is to own all of it, or one instance (switchover_instance)",
        )
    reader.finish()
    holder = next(iter(owners.values()))
    chosen = target or next(member for member in members if member != holder)
    other = next(member for member in members if member != chosen)
    settings = {name: pair["settings"][name] for name in instances}
    return Switchover(
        target=chosen,
        other=other,
        instances=instances,
        owners=owners,
        moves=any(node != chosen for node in owners.values()),
        steps=_steps(settings, chosen, other, seconds or 0.0),
        preempt_delay=max(
            (found["preempt_delay"] for found in settings.values() if found["preferred"] == chosen), default=0.0
        ),
        back_after=seconds or 0.0,
    )


def _steps(settings: Mapping[str, t.Any], target: str, other: str, back_after: float) -> list[Step]:
    """The target is raised before the other one is lowered, so that there is no moment without an owner."""
    away = [name for name, found in settings.items() if found["preferred"] == other]
    home = [name for name, found in settings.items() if found["preferred"] == target]
    sticky = [name for name, found in settings.items() if found["preferred"] is None]
    steps = []
    if away:
        # Only as long as it is raised does a VIP stay away from its preferred node.
        steps.append(Step(target, "raised", away, lower_after=back_after))
    if sticky:
        steps.append(Step(target, "raised", sticky, lower_after=SETTLE_SECONDS))
    steps.append(Step(other, "lowered", [*settings]))
    if back_after and home:
        steps.append(Step(other, "raised", home, after=back_after))
    if back_after and sticky:
        steps.append(Step(other, "raised", sticky, after=back_after, lower_after=SETTLE_SECONDS))
    return steps


def _wanted(pair: Mapping[str, t.Any], instance: str, reader: Reader) -> list[str]:
    """The named instance with the others of its sync group, or all."""
    known = list(pair["instances"])
    if not instance:
        return known
    if instance not in known:
        close = nearest(instance, known)
        cure = f"did you mean {close!r}?" if close else f"known are {', '.join(known)}"
        reader.refuse("switchover_instance", f"{instance!r} is no instance of {' + '.join(pair['members'])}", cure)
        return []
    group = pair["settings"][instance]["sync_group"]
    return [
        name
        for name in known
        if name == instance or (group is not None and pair["settings"][name]["sync_group"] == group)
    ]


def _refuse_unfit_pair(verdict: Mapping[str, t.Any], reader: Reader) -> None:
    """Moving a VIP of a pair that is not whole could leave nobody with it."""
    if verdict["result"] == VERIFIED:
        return
    reasons: Sequence[str] = [*verdict["problems"], *verdict["degraded"]]
    reader.refuse(
        " + ".join(verdict["members"]),
        f"{verdict['result']}: {'; '.join(reasons) or 'no reason given'}",
        "mend that first (playbooks/status.yml shows it); a switchover needs a healthy node on each side",
    )
