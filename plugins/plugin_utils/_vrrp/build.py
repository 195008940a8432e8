# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the model of a pair from the inventory and the facts of one node.

The peer may be dead and the play may be limited to one host: of the peer only the inventory is needed, unless the
inventory names no address of it.
"""

from __future__ import annotations

import itertools
import sys
import typing as t
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError, Problem, Reader

from . import facts as host_facts
from .capabilities import Capabilities, capabilities, packaged_version
from .inputs import InstanceInput, PairInput, ServiceInput, VipInput, check_host_address, read_pair
from .model import (
    RESTART_MARGIN,
    SCRIPT_DIRECTORY,
    SCRIPT_USER,
    STATE_DIRECTORY,
    HealthCheck,
    Instance,
    Member,
    NodeModel,
    Service,
    VirtualAddress,
    master_down_interval,
)

try:
    import netaddr
except ImportError:  # build.py says so, with the cure
    netaddr = None  # type: ignore[assignment]

Inventory = Mapping[str, Mapping[str, t.Any]]


@dataclass(frozen=True)
class PairSummary:
    """A pair as the inventory alone describes it."""

    members: tuple[str, str]
    instances: dict[str, list[str]]

    def to_dict(self) -> dict[str, t.Any]:
        """`{members: [a, b], instances: {name: [VIP, ...]}, vips: [{address: VIP, instance: name}, ...]}`."""
        vips = [{"address": vip, "instance": name} for name, found in self.instances.items() for vip in found]
        return {"members": list(self.members), "instances": self.instances, "vips": vips}


def build_node(
    inventory: Inventory, node: str, own: Mapping[str, t.Any] | None = None, version: str | None = None
) -> NodeModel:
    """The complete model of the pair of `node`, as `node` sees it.

    inventory: variables by host name, facts under `ansible_facts`; those of `node` must be gathered.
    own: variables of `node` as the role sees them; they win over the inventory.
    version: what `keepalived --version` printed; without it, the version that the distribution packages.
    Raises InputError with all problems that were found.
    """
    reader = _reader()
    if node not in inventory:
        reader.refuse(node, "is not a host of the inventory", "name a host of the inventory")
        reader.finish()
    gathered = inventory[node].get("ansible_facts") or {}
    capable = _platform(node, gathered, version, reader)
    pair = read_pair(inventory, node, own, reader)
    if pair is None or capable is None:
        raise InputError(reader.problems)
    vips = [vip.address for instance in pair.instances for vip in instance.vips]
    networks = host_facts.networks(gathered, without=vips)
    _check_primary_addresses(pair, gathered, reader)
    instances = [
        built
        for instance in pair.instances
        if (built := _instance(inventory, pair, instance, networks, vips, reader)) is not None
    ]
    _check_vrids(node, instances, reader)
    services = _services(pair, capable, reader)
    reader.finish()
    first = instances[0]
    sources = {node: first.source, _peer(pair): first.peers[0]}
    return NodeModel(
        node=node,
        peer=_peer(pair),
        members=[Member(member, sources[member]) for member in pair.members],
        capabilities=capable.to_dict(),
        state_directory=STATE_DIRECTORY,
        notify_fifo=f"{STATE_DIRECTORY}/notify.fifo",
        script_user=SCRIPT_USER,
        realtime_priority=pair.realtime_priority,
        restart_delay=_restart_delay(pair),
        services=services,
        instances=instances,
        warnings=capable.warnings(),
    )


def build_inventory(inventory: Inventory, hosts: Sequence[str] | None = None) -> tuple[list[PairSummary], list[str]]:
    """All pairs that the inventory describes, checked without asking a host; and warnings.

    hosts: look only at pairs with one of these members (all hosts when None); clashes are still looked for in all.
    Raises InputError with all problems that were found.
    """
    reader = _reader()
    pairs: dict[tuple[str, str], PairInput] = {}
    described = [host for host in inventory if "keepalived_instances" in inventory[host]]
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
    reader.finish()
    summaries = [
        PairSummary(
            members, {instance.name: [vip.address for vip in instance.vips] for instance in pairs[members].instances}
        )
        for members in pairs
        if wanted.intersection(members)
    ]
    return summaries, [*_vrid_warnings(pairs), *_inventory_warnings(inventory, pairs, wanted)]


def _reader() -> Reader:
    """A reader, when what it needs is there."""
    if netaddr is None:
        raise InputError(
            [
                Problem(
                    "this controller",
                    "lacks the Python library netaddr",
                    f"install it into the Python that runs Ansible: {sys.executable} -m pip install netaddr",
                )
            ]
        )
    return Reader()


def _peer(pair: PairInput) -> str:
    return pair.members[1] if pair.node == pair.members[0] else pair.members[0]


def _restart_delay(pair: PairInput) -> float:
    """How long a crashed keepalived stays down: until the peer has taken over every instance."""
    peer = pair.members.index(_peer(pair))
    slowest = max(
        master_down_interval(instance.priorities[peer], instance.advert_interval) for instance in pair.instances
    )
    return round(slowest + RESTART_MARGIN, 2)


def _platform(node: str, gathered: Mapping[str, t.Any], version: str | None, reader: Reader) -> Capabilities | None:
    """The capabilities of the node's keepalived; refuses platforms and rights that cannot work."""
    platform = host_facts.platform(gathered)
    if platform is None:
        reader.refuse(node, "has no facts", "gather facts of this host before the role (gather_facts: true)")
        return None
    family, distribution, major = platform
    if major not in host_facts.SUPPORTED.get(distribution, ()):
        reader.refuse(node, f"{distribution} {major} is not supported", f"use one of {host_facts.supported_names()}")
        return None
    if "effective_user_id" in gathered and int(gathered["effective_user_id"]) != 0:
        reader.refuse(
            node,
            f"tasks run as user {gathered.get('user_id', gathered['effective_user_id'])}, not as root",
            "set become: true for the play, or ansible_become: true in the inventory",
        )
    try:
        return capabilities(version or packaged_version(family, major) or "")
    except InputError as exc:
        for problem in exc.problems:
            reader.refuse(f"{node}: {problem.place}", problem.problem, problem.cure)
        return None


def _check_primary_addresses(pair: PairInput, gathered: Mapping[str, t.Any], reader: Reader) -> None:
    """Refuse a VIP that the node has as the first address of an interface: keepalived adds its own behind others.

    Where the interface was named, the VIP may be the only address there, and then it is keepalived's.
    """
    primary = host_facts.primary_addresses(gathered)
    for instance in pair.instances:
        for vip in instance.vips:
            if vip.address in primary and vip.interface is None and instance.interface is None:
                reader.refuse(
                    vip.place,
                    f"{vip.address} is the own address of {pair.node} on {primary[vip.address]}",
                    "give an address that no machine has",
                )


def _instance(
    inventory: Inventory,
    pair: PairInput,
    given: InstanceInput,
    networks: host_facts.Networks,
    all_vips: Sequence[str],
    reader: Reader,
) -> Instance | None:
    node = pair.node
    if given.interface is not None and not _interface_exists(given.place, given.interface, node, networks, reader):
        return None
    vips: list[VirtualAddress] = []
    network: netaddr.IPNetwork | None = None
    for vip in given.vips:
        placed = _place_vip(vip, given.interface, node, networks, reader)
        if placed is not None:
            address, holder = placed
            vips.append(address)
            network = network or holder
    if not vips:
        return None
    interface = given.interface or vips[0].interface
    source = _address(inventory, pair, node, network, networks, all_vips, reader)
    peer = _address(inventory, pair, _peer(pair), network, networks, all_vips, reader)
    if source is None or peer is None:
        return None
    held = [str(entry.ip) for entries in networks.values() for entry in entries]
    if source not in held:
        reader.refuse(
            f"{node}: keepalived_address",
            f"{source} is on no interface of {node} ({_listed(networks)})",
            "give the address that this node has on the VRRP network",
        )
        return None
    priority = given.priorities[pair.members.index(node)]
    return Instance(
        name=given.name,
        vrid=given.vrid,
        interface=interface,
        mode=given.mode,
        preferred=given.preferred,
        priority=priority,
        advert_interval=given.advert_interval,
        master_down_interval=round(master_down_interval(priority, given.advert_interval), 6),
        # On the preferred node only: on the other one it would delay a planned switchover.
        preempt_delay=given.preempt_delay if node == given.preferred else 0.0,
        source=source,
        peers=[peer],
        vips=vips,
        services=[service.name for service in given.services],
    )


def _listed(networks: host_facts.Networks) -> str:
    return ", ".join(
        f"{name} {' '.join(str(entry) for entry in entries) or 'without an address'}"
        for name, entries in networks.items()
    )


def _interface_exists(place: str, interface: str, node: str, networks: host_facts.Networks, reader: Reader) -> bool:
    if interface in networks:
        return True
    reader.refuse(
        f"{place}.interface",
        f"{interface!r} is not an interface of {node} ({', '.join(networks) or 'none found'})",
        "give one of them, or leave it out to take the one whose subnet holds the VIP",
    )
    return False


def _place_vip(
    vip: VipInput, instance_interface: str | None, node: str, networks: host_facts.Networks, reader: Reader
) -> tuple[VirtualAddress, netaddr.IPNetwork | None] | None:
    """The VIP with prefix and interface, and the network that holds it, if an interface is in it."""
    interface = vip.interface or instance_interface
    if interface is not None and not _interface_exists(vip.place, interface, node, networks, reader):
        return None
    within = {interface: networks[interface]} if interface is not None else networks
    holders = host_facts.interfaces_holding(vip.address, within)
    if interface is None:
        if not holders:
            reader.refuse(
                vip.place,
                f"no interface of {node} has a subnet that holds {vip.address} ({_listed(networks)})",
                "correct the VIP, or name the interface and the prefix",
            )
            return None
        names = sorted({name for name, network in holders if network.prefixlen == holders[0][1].prefixlen})
        if len(names) > 1:
            reader.refuse(
                vip.place,
                f"several interfaces of {node} have a subnet that holds {vip.address} ({', '.join(names)})",
                "name the interface of the instance",
            )
            return None
        interface = names[0]
    prefix = vip.prefix
    if prefix is None:
        if not holders:
            reader.refuse(
                vip.place,
                f"the prefix of {vip.address} cannot be told: {interface} of {node} has no subnet that holds it",
                f"give it with the address, such as {vip.address}/24",
            )
            return None
        prefix = int(holders[0][1].prefixlen)
        check_host_address(vip.place, vip.address, prefix, reader)
    return VirtualAddress(vip.address, prefix, interface), holders[0][1] if holders else None


def _address(
    inventory: Inventory,
    pair: PairInput,
    member: str,
    network: netaddr.IPNetwork | None,
    networks: host_facts.Networks,
    all_vips: Sequence[str],
    reader: Reader,
) -> str | None:
    """The address from which a member speaks VRRP.

    The inventory decides wherever it can, so that a run that reaches only one node prints the same configuration.
    """
    given = pair.addresses[member]
    if given is not None and (member in pair.explicit or network is None or given in network.cidr):
        return given
    known = networks
    if member != pair.node:
        known = host_facts.networks(inventory[member].get("ansible_facts") or {}, without=all_vips)
    if network is not None:
        for entries in known.values():
            for entry in entries:
                if entry.ip in network.cidr:
                    return str(entry.ip)
    reader.refuse(
        f"{member}: keepalived_address",
        f"is missing, and {'ansible_host ' + given if given else 'the inventory'} gives no address of {member}"
        + (f" in {network.cidr}" if network is not None else " on the VRRP network"),
        "set it to the address from which this node speaks VRRP",
    )
    return None


def _check_vrids(node: str, instances: Sequence[Instance], reader: Reader) -> None:
    for one, two in itertools.combinations(instances, 2):
        if one.vrid == two.vrid and one.interface == two.interface:
            reader.refuse(
                f"{node}: keepalived_instances.{two.name}.vrid",
                f"{two.vrid} is used twice on {two.interface} (first by {one.name})",
                "give each instance a VRID of its own between 1 and 255",
            )


def _services(pair: PairInput, capable: Capabilities, reader: Reader) -> list[Service]:
    found: dict[str, Service] = {}
    for instance in pair.instances:
        for service in instance.services:
            found.setdefault(service.name, _service(service, capable, reader))
    trackers: dict[str, str] = {}
    for tracked in found.values():
        first = trackers.setdefault(tracked.tracker, tracked.name)
        if first != tracked.name:
            reader.refuse(
                f"{pair.node}: keepalived_instances: services",
                f"{first!r} and {tracked.name!r} differ in punctuation only, which keepalived's names do not keep",
                "rename one of the two units",
            )
    return list(found.values())


def _service(given: ServiceInput, capable: Capabilities, reader: Reader) -> Service:
    identifier = "".join(char if char.isalnum() else "_" for char in given.name)
    check = None
    if given.health_url is not None:
        fine = "fractional_script_interval" in capable
        interval = given.interval or (0.5 if fine else 1.0)
        timeout = given.timeout or (0.5 if fine else 1.0)
        for option, value in (("check_interval", interval), ("check_timeout", timeout)):
            if not fine and value != int(value):
                reader.refuse(
                    f"{given.place}.{option}",
                    f"{value:g} is a fraction, and keepalived {capable.version} runs checks at whole seconds",
                    "give whole seconds, such as 1",
                )
        check = HealthCheck(
            name=f"check_{identifier}",
            command=f"{SCRIPT_DIRECTORY}/ha-pair-check {given.health_url} {timeout * 0.9:g}",
            interval=interval,
            timeout=timeout,
            fall=given.fall,
            rise=given.rise,
        )
    return Service(
        name=given.name,
        tracker=f"service_{identifier}",
        state_file=f"{STATE_DIRECTORY}/track/{given.name}",
        check=check,
    )


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
        address: member for pair in pairs.values() for member, address in pair.addresses.items() if address is not None
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


def _vrid_warnings(pairs: Mapping[tuple[str, str], PairInput]) -> list[str]:
    """Pairs that share a VRID in one network: well with unicast, a clash as soon as one of them speaks multicast."""
    warnings = []
    for (one, pair_one), (two, pair_two) in itertools.combinations(pairs.items(), 2):
        for first, second in itertools.product(pair_one.instances, pair_two.instances):
            if first.vrid == second.vrid and _vip_networks(first) & _vip_networks(second):
                warnings.append(
                    f"{second.place}.vrid: {second.vrid} is also used by the pair {' + '.join(one)}, and their VIPs "
                    f"look like one network; both work, because they speak unicast, but give {' + '.join(two)} a VRID "
                    "of its own to be safe"
                )
    return warnings


def _inventory_warnings(
    inventory: Inventory, pairs: Mapping[tuple[str, str], PairInput], wanted: Collection[str]
) -> list[str]:
    """What will work today and surprise later, for the pairs with a wanted member."""
    warnings = []
    for members, pair in pairs.items():
        if not set(wanted).intersection(members):
            continue
        warnings += [
            f"{member}: keepalived_address: is not set and ansible_host is no address; while {member} is down, a run "
            f"with --limit to its peer would not know it; set keepalived_address"
            for member in members
            if pair.addresses[member] is None
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
    return warnings


def _vip_networks(instance: InstanceInput) -> set[netaddr.IPNetwork]:
    """The networks of the VIPs as far as the inventory tells; without a prefix the nearest 256 addresses."""
    return {netaddr.IPNetwork(f"{vip.address}/{vip.prefix or 24}").cidr for vip in instance.vips}
