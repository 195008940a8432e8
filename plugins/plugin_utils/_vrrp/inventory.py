# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All pairs of an inventory: each read as its members give it, and clashes between them."""

from __future__ import annotations

import itertools
import typing as t
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader

from .capabilities import POLLING_INTERVAL, Capabilities
from .facts import known_capabilities
from .inputs import ADDRESS_VARIABLES, Inventory, PairInput, read_pair
from .instance_inputs import InstanceInput
from .model import master_down_interval
from .requirements import reader_with_library

try:
    import netaddr
except ImportError:  # requirements.py says so, with the cure
    netaddr = None  # type: ignore[assignment]


@dataclass(frozen=True)
class InstanceSettings:
    """How an instance moves. Durations in seconds.

    `active_standby`: those of its services that run on the owner only.
    `master_down_interval`: after which silence of the owner the slower of the two has taken over. `noticed_after`: how
    long keepalived does not notice a changed state file, at the most. `takeover_delay`: how long after its decision a
    new owner has the addresses. `mounts`: after which time it is noticed, at the most, that the storage mounted at a
    path hangs, by path. A member of which nothing is known is taken for a current version.
    """

    mode: str
    preferred: str | None
    sync_group: str | None
    services: list[str]
    active_standby: list[str]
    advert_interval: float
    master_down_interval: float
    preempt_delay: float
    noticed_after: float
    takeover_delay: float
    mounts: dict[str, float]

    @classmethod
    def of(cls, given: InstanceInput, known: Sequence[Capabilities | None]) -> InstanceSettings:
        """From the instance as it was written, and what the keepalived of each member can do."""
        prompt = [capable is None or "prompt_takeover" in capable for capable in known]
        down = max(
            master_down_interval(priority, given.advert_interval, given.vrrp_version, prompt=one)
            for priority, one in zip(given.priorities, prompt, strict=True)
        )
        return cls(
            given.mode,
            given.preferred,
            given.sync_group,
            [service.name for service in given.services],
            [service.name for service in given.services if service.active_standby],
            given.advert_interval,
            round(down, 6),
            given.preempt_delay,
            0.0 if all(capable is None or "track_file" in capable for capable in known) else POLLING_INTERVAL,
            0.0 if all(prompt) else given.advert_interval,
            {witness.target: witness.noticed_after for witness in given.witnesses if witness.kind == "mount"},
        )


@dataclass(frozen=True)
class PairSummary:
    """A pair as the inventory alone describes it."""

    members: tuple[str, str]
    instances: dict[str, list[str]]
    settings: dict[str, InstanceSettings]

    def to_dict(self) -> dict[str, t.Any]:
        """`{members: [a, b], instances: {name: [VIP, ...]}, vips: [{address: VIP, instance: name}], settings: {}}`.

        `settings`: what InstanceSettings has, by name of the instance.
        """
        vips = [{"address": vip, "instance": name} for name, found in self.instances.items() for vip in found]
        return {
            "members": list(self.members),
            "instances": self.instances,
            "vips": vips,
            "settings": {name: asdict(found) for name, found in self.settings.items()},
        }


class _ReadOnce(Mapping[str, Mapping[str, t.Any]]):
    """An inventory of which the variables of each host are fetched once: Ansible puts them together at every look."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._hosts: dict[str, Mapping[str, t.Any]] = {}

    def __getitem__(self, host: str) -> Mapping[str, t.Any]:
        if host not in self._hosts:
            # Of a host that it does not have, hostvars would tell something undefined.
            if host not in self._inventory:
                raise KeyError(host)
            self._hosts[host] = self._inventory[host]
        return self._hosts[host]

    def __contains__(self, host: object) -> bool:
        return host in self._inventory

    def __iter__(self) -> Iterator[str]:
        return iter(self._inventory)

    def __len__(self) -> int:
        return len(self._inventory)


def build_inventory(
    inventory: Inventory, hosts: Sequence[str] | None = None, *, others: bool = True
) -> tuple[list[PairSummary], list[str]]:
    """All pairs that the inventory describes, checked without asking a host; and warnings.

    hosts: look only at pairs with one of these members (all hosts when None); clashes are still looked for in all.
    others: False when somebody else looks for clashes, so that no other pair need be read.
    Raises InputError with all problems that were found.
    """
    reader = reader_with_library()
    inventory = _ReadOnce(inventory)
    pairs: dict[tuple[str, str], PairInput] = {}
    looked_at = inventory if others or hosts is None else _with_partners(inventory, hosts)
    described = [host for host in looked_at if "keepalived_instances" in inventory[host]]
    wanted = set(hosts) if hosts is not None else set(described)
    for host in wanted - set(described):
        reader.refuse(
            f"{host}: keepalived_instances",
            "is missing",
            "give at least one instance, such as {web: {vrid: 51, vips: [192.0.2.10]}}, or leave the host out",
        )
    paired: set[str] = set()
    for host in described:
        if host in paired:
            continue
        found = Reader()
        pair = read_pair(inventory, host, None, found)
        touches = host in wanted or (pair is not None and bool(wanted.intersection(pair.members)))
        if pair is not None:
            pairs[pair.members] = pair
            paired.update(pair.members)
        if touches:
            for problem in found.problems:
                reader.refuse(problem.place, problem.problem, problem.cure)
    _check_foreign_members(pairs, reader)
    _check_vips_between(pairs, reader)
    warnings = _check_vrids_between(pairs, reader)
    reader.finish()
    summaries = [
        PairSummary(
            members,
            {instance.name: [vip.address for vip in instance.vips] for instance in pairs[members].instances},
            {
                instance.name: InstanceSettings.of(instance, [known_capabilities(inventory, one) for one in members])
                for instance in pairs[members].instances
            },
        )
        for members in pairs
        if wanted.intersection(members)
    ]
    return summaries, [*warnings, *_inventory_warnings(inventory, pairs, wanted)]


def _with_partners(inventory: Inventory, hosts: Sequence[str]) -> list[str]:
    """These hosts and whom they name as members, as far as the inventory has them, in its order."""
    near = set(hosts)
    for host in hosts:
        named = inventory[host].get("keepalived_members") if host in inventory else None
        near.update(str(member) for member in (named if isinstance(named, (list, tuple)) else []))
    return [host for host in inventory if host in near]


def _check_foreign_members(pairs: Mapping[tuple[str, str], PairInput], reader: Reader) -> None:
    seen: dict[str, tuple[str, str]] = {}
    for members in pairs:
        for member in members:
            first = seen.setdefault(member, members)
            if first != members:
                reader.refuse(
                    f"{members[0]}: keepalived_members",
                    f"{member!r} is also a member of the pair {' + '.join(first)}",
                    "make each host a member of one pair; one pair may have several instances",
                )


def _check_vips_between(pairs: Mapping[tuple[str, str], PairInput], reader: Reader) -> None:
    seen: dict[str, tuple[str, tuple[str, str]]] = {}
    owners = {
        address: member
        for pair in pairs.values()
        for member, known in pair.addresses.items()
        for address in known.values()
    }
    for members, pair in pairs.items():
        for instance in pair.instances:
            for vip in instance.vips:
                place, first = seen.setdefault(vip.address, (vip.place, members))
                if first != members:
                    reader.refuse(
                        vip.place,
                        f"{vip.address} is also a VIP of the pair {' + '.join(first)} ({place})",
                        "give each VIP to one pair",
                    )
                if vip.address in owners and owners[vip.address] not in members:
                    reader.refuse(
                        vip.place,
                        f"{vip.address} is the own address of {owners[vip.address]}",
                        "give an address that no machine has",
                    )


def _check_vrids_between(pairs: Mapping[tuple[str, str], PairInput], reader: Reader) -> list[str]:
    """Pairs that share a VRID in one network: well with unicast, a clash as soon as one of them speaks multicast.

    The clash is refused; for the rest warnings are returned. Told is the first pair that an instance shares it with.
    """
    warnings = []
    # Who uses what must not be shared first, and who does so and speaks multicast: nobody compares all with all.
    first_of: dict[tuple[int, int, netaddr.IPNetwork], _User] = {}
    first_loud: dict[tuple[int, int, netaddr.IPNetwork], _User] = {}
    for number, (members, pair) in enumerate(pairs.items()):
        used = [
            (_User(number, members, given), [(given.vrid, given.family, one) for one in _vip_networks(given)])
            for given in pair.instances
        ]
        for user, shared in used:
            given = user.instance
            earlier = first_of if given.multicast else first_loud
            clash = min((earlier[one] for one in shared if one in earlier), default=None, key=_User.order)
            alike = min((first_of[one] for one in shared if one in first_of), default=None, key=_User.order)
            if clash is not None:
                both = ((clash.members, clash.instance), (members, given))
                loud = [" + ".join(one) for one, instance in both if instance.multicast]
                reader.refuse(
                    f"{given.place}.vrid",
                    f"{given.vrid} is also used by the pair {' + '.join(clash.members)}, their VIPs look like one "
                    f"network, and {' and '.join(loud)} {'speaks' if len(loud) == 1 else 'speak'} multicast",
                    f"give {' + '.join(members)} a VRID of its own (or the VIPs their prefixes, if the networks "
                    "differ)",
                )
            elif alike is not None:
                warnings.append(
                    f"{given.place}.vrid: {given.vrid} is also used by the pair {' + '.join(alike.members)}, and their "
                    f"VIPs look like one network; both work, because they speak unicast, but give "
                    f"{' + '.join(members)} a VRID of its own to be safe"
                )
        # Only now: what two instances of one pair share is that pair's own affair.
        for user, shared in used:
            for one in shared:
                first_of.setdefault(one, user)
                if user.instance.multicast:
                    first_loud.setdefault(one, user)
    return warnings


@dataclass(frozen=True)
class _User:
    """An instance that uses a VRID, and whose it is."""

    pair: int
    members: tuple[str, str]
    instance: InstanceInput

    def order(self) -> int:
        """By it the first one is found."""
        return self.pair


def _inventory_warnings(
    inventory: Inventory, pairs: Mapping[tuple[str, str], PairInput], wanted: Collection[str]
) -> list[str]:
    """What will work today and surprise later, for the pairs with a wanted member."""
    warnings = []
    for members, pair in pairs.items():
        if not set(wanted).intersection(members):
            continue
        warnings += [
            f"{member}: {ADDRESS_VARIABLES[family]}: is not set and ansible_host is no IPv{family} address; while "
            f"{member} is down, a run with --limit to its peer would not know it; set {ADDRESS_VARIABLES[family]}"
            for member in members
            for family in sorted({instance.family for instance in pair.instances})
            if family not in pair.addresses[member]
        ]
        tracked = any(service.name == "nginx" for instance in pair.instances for service in instance.services)
        deployed = [member for member in members if "nginx_sites" in inventory[member]]
        if tracked and len(deployed) < len(members):
            warnings.append(
                f"{pair.node}: keepalived_instances: tracks nginx, and nginx_sites is not set for both members; unless "
                "something else deploys and tracks nginx, both stay in FAULT; set nginx_sites"
            )
        if deployed and not tracked:
            warnings.append(
                f"{pair.node}: nginx_sites: is set, and no instance tracks nginx; the VIP would stay with a node whose "
                "nginx is down; add nginx to the services of an instance"
            )
        warnings += [warning for member in members for warning in _standby_warnings(inventory[member], member, pair)]
        warnings += [warning for member in members for warning in _storage_warnings(inventory[member], member, pair)]
    return warnings


def _standby_warnings(variables: Mapping[str, t.Any], member: str, pair: PairInput) -> list[str]:
    """Services that run on the owner only, on a member where nobody starts them.

    One that is missing among others, the role that starts them refuses.
    """
    if "java_service_services" in variables:
        return []
    return [
        f"{member}: keepalived_instances.{instance.name}.services.{service.name}: is active_standby, and "
        "java_service_services is not set; unless a play gives it to the role java_service, nobody starts "
        f"{service.name} and this member stays in FAULT; set java_service_services"
        for instance in pair.instances
        for service in instance.services
        if service.active_standby
    ]


def _storage_warnings(variables: Mapping[str, t.Any], member: str, pair: PairInput) -> list[str]:
    """Mounts that a tracked service needs and that no witness watches: a hang would not move the VIP.

    What is no mount, the role that mounts it refuses.
    """
    given = variables.get("nfs_mount_mounts")
    mounts = [mount for mount in given if isinstance(mount, Mapping)] if isinstance(given, (list, tuple)) else []
    found = []
    for mount, instance in itertools.product(mounts, pair.instances):
        path, services = mount.get("path"), mount.get("services")
        needed = [one.name for one in instance.services if isinstance(services, (list, tuple)) and one.name in services]
        # In a sync group there are no weights.
        if not needed or instance.sync_group or any(one.target == path for one in instance.witnesses):
            continue
        found.append(
            f"{member}: nfs_mount_mounts: {path} is needed by {' and '.join(needed)}, and no witness of "
            f"{instance.name} watches it; a hang would not move the VIP; add {{data: {{mount: {path}}}}} to its "
            "witnesses"
        )
    return found


def _vip_networks(instance: InstanceInput) -> set[netaddr.IPNetwork]:
    """The networks of the VIPs as far as the inventory tells; without a prefix /24 or /64."""
    return {
        netaddr.IPNetwork(f"{vip.address}/{vip.prefix or (24 if vip.family == 4 else 64)}").cidr
        for vip in instance.vips
    }
