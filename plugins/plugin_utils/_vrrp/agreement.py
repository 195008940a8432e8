# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What instances must agree about: with each other on one node, and with the same instance on the other node."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown

from .instance_inputs import InstanceInput


def check_together(node: str, instances: Sequence[InstanceInput], *, mail: bool, reader: Reader) -> None:
    """Check the instances of one node against each other. mail: whether keepalived is told of a mail server."""
    _check_vips_once(instances, reader)
    shared: tuple[tuple[Iterable[t.Any], str], ...] = (
        ((service for instance in instances for service in instance.services), "a service"),
        ((witness for instance in instances for witness in instance.witnesses), "a witness"),
        ((process for instance in instances for process in instance.processes), "a process"),
    )
    for given, what in shared:
        _check_one_meaning(given, what, reader)
    _check_followed_once(instances, reader)
    groups: dict[str, list[InstanceInput]] = {}
    for instance in instances:
        if instance.sync_group is not None:
            groups.setdefault(instance.sync_group, []).append(instance)
        if instance.smtp_alert and not mail:
            reader.refuse(
                f"{instance.place}.smtp_alert", "has nowhere to send to", "set keepalived_smtp, or leave it out"
            )
    for name, members in groups.items():
        _check_sync_group(name, members, reader)
    _check_witnesses(node, instances, reader)


def _check_vips_once(instances: Sequence[InstanceInput], reader: Reader) -> None:
    seen: dict[str, str] = {}
    for instance in instances:
        for vip in instance.vips:
            first = seen.setdefault(vip.address, vip.place)
            if first != vip.place:
                reader.refuse(vip.place, f"{vip.address} is given twice (first at {first})", "give each VIP once")


def _check_one_meaning(given: Iterable[t.Any], what: str, reader: Reader) -> None:
    """Refuse a name that two instances use with different options: on the node it stands for one thing."""
    seen: dict[str, t.Any] = {}
    for one in given:
        first = seen.setdefault(one.name, one)
        if first.options != one.options:
            reader.refuse(one.place, f"differs from {first.place}", f"give {what} the same options in every instance")


def _check_followed_once(instances: Sequence[InstanceInput], reader: Reader) -> None:
    """Refuse a service that two instances would pull to different nodes."""
    seen: dict[str, InstanceInput] = {}
    for instance in instances:
        for service in instance.services:
            if not service.active_standby:
                continue
            first = seen.setdefault(service.name, instance)
            if first is not instance and (first.sync_group is None or first.sync_group != instance.sync_group):
                reader.refuse(
                    service.place,
                    f"{service.name} runs where one instance is MASTER, and is in {first.name} already",
                    f"leave it out here, or put {first.name} and {instance.name} into one sync_group",
                )


def _check_sync_group(name: str, members: Sequence[InstanceInput], reader: Reader) -> None:
    first = members[0]
    if len(members) == 1:
        reader.refuse(
            f"{first.place}.sync_group",
            f"{name!r} has this instance only, and keepalived refuses a group of one",
            "name the group in every instance that moves with this one, or leave it out",
        )
    for instance in members[1:]:
        for option in ("mode", "preferred", "priorities"):
            ours, theirs = getattr(first, option), getattr(instance, option)
            if ours != theirs:
                reader.refuse(
                    f"{instance.place}.{option}",
                    f"{shown(theirs)} differs from {shown(ours)} of {first.name} in the sync group {name!r}",
                    "give the instances of a group the same, or they would pull it to and fro",
                )
    for instance in members:
        for weight in instance.weights():
            reader.refuse(
                weight.place,
                f"{weight.value} has no effect in the sync group {name!r}: keepalived ignores weights there",
                "take the weight out, or the instance out of the group",
            )


def _check_witnesses(node: str, instances: Sequence[InstanceInput], reader: Reader) -> None:
    vips = {vip.address: vip.place for instance in instances for vip in instance.vips}
    for instance in instances:
        for witness in instance.witnesses:
            if witness.address in vips:
                reader.refuse(
                    f"{witness.place}.{witness.kind}",
                    f"{witness.address} is a VIP of the pair of {node}, whose owner would always reach it",
                    "give a machine outside the pair, such as the gateway",
                )


def check_own_addresses(
    instances: Sequence[InstanceInput], addresses: Mapping[str, Mapping[int, str]], reader: Reader
) -> None:
    """Check VIPs and witnesses against the addresses that the inventory gives the members (by family)."""
    owners = {address: member for member, known in addresses.items() for address in known.values()}
    for instance in instances:
        for vip in instance.vips:
            if vip.address in owners:
                reader.refuse(
                    vip.place,
                    f"{vip.address} is the own address of {owners[vip.address]}",
                    "give an address that no machine has",
                )
        for witness in instance.witnesses:
            if witness.address in owners:
                refuse_own_witness(f"{witness.place}.{witness.kind}", witness.address, owners[witness.address], reader)
    first, second = addresses
    for family in sorted(set(addresses[first]) & set(addresses[second])):
        if addresses[first][family] == addresses[second][family]:
            name = "keepalived_address" if family == 4 else "keepalived_address6"
            refuse_own_peer(f"{second}: {name}", addresses[first][family], first, reader)


def refuse_own_witness(place: str, address: str, owner: str, reader: Reader) -> None:
    """Refuse a witness that is a member itself."""
    reader.refuse(
        place,
        f"{address} is the own address of {owner}, which says nothing about its network",
        "give a machine outside the pair, such as the gateway",
    )


def refuse_own_peer(place: str, address: str, owner: str, reader: Reader) -> None:
    """Refuse a unicast peer that is the node itself."""
    reader.refuse(place, f"{address} is also the address of {owner}", "give each member its own address")


def check_same(
    node: str, ours: Sequence[InstanceInput], peer: str, theirs: Sequence[InstanceInput], reader: Reader
) -> None:
    """Check the instances as two members give them against each other: both must do the same."""
    cure = f"say the same for {node} and {peer}, best once in a group's variables"
    mine = {instance.name: instance for instance in ours}
    others = {instance.name: instance for instance in theirs}
    for name in sorted(set(mine) ^ set(others)):
        missing = peer if name in mine else node
        reader.refuse(f"{missing}: keepalived_instances.{name}", "is missing", cure)
    for name in sorted(set(mine) & set(others)):
        _check_same_instance(node, mine[name], others[name], cure, reader)


_ALIKE = ("vrid", "vrrp_version", "mode", "preferred", "priorities", "advert_interval", "multicast", "sync_group")


def _check_same_instance(node: str, mine: InstanceInput, other: InstanceInput, cure: str, reader: Reader) -> None:
    for option in _ALIKE:
        ours, theirs = getattr(mine, option), getattr(other, option)
        if ours != theirs:
            reader.refuse(f"{other.place}.{option}", f"{shown(theirs)} differs from {shown(ours)} of {node}", cure)
    if mine.auth_pass != other.auth_pass:
        reader.refuse(f"{other.place}.auth_pass", f"differs from that of {node}", cure)
    if _addresses(mine) != _addresses(other):
        texts = [
            ", ".join(f"{address}{' (excluded)' if excluded else ''}" for address, _prefix, excluded in _addresses(one))
            for one in (mine, other)
        ]
        reader.refuse(f"{other.place}.vips", f"{texts[1]} differs from {texts[0]} of {node}", cure)
    weighted: tuple[tuple[str, Sequence[t.Any], Sequence[t.Any]], ...] = (
        ("track_interfaces", mine.interfaces, other.interfaces),
        ("track_processes", mine.processes, other.processes),
        ("witnesses", mine.witnesses, other.witnesses),
    )
    for option, ours_tracked, theirs_tracked in weighted:
        # Names may differ, as those of interfaces do; the arithmetic of both nodes must be one.
        sums = [sorted(one.weight for one in tracked) for tracked in (ours_tracked, theirs_tracked)]
        if sums[0] != sums[1]:
            reader.refuse(f"{other.place}.{option}", f"weights {sums[1]} differ from {sums[0]} of {node}", cure)


def _addresses(instance: InstanceInput) -> list[tuple[str, int | None, bool]]:
    return [(vip.address, vip.prefix, vip.excluded) for vip in instance.vips]
