# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the inventory variables of a pair's members: types, ranges and names, before any host is asked anything."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, nearest, shown

from .model import HIGHEST_PRIORITY, PREFERRED_PRIORITY, PROFILES, STANDBY_PRIORITY, SWITCHOVER_RAISE

try:
    import netaddr
except ImportError:  # build.py says so, with the cure
    netaddr = None  # type: ignore[assignment]

VARIABLES = (
    "keepalived_address",
    "keepalived_instances",
    "keepalived_members",
    "keepalived_realtime_priority",
    "keepalived_replace_foreign_config",
)
"""The variables of the keepalived role; its argument_specs say the same (a test compares)."""

OTHER_VARIABLES = (
    "nginx_health_path",
    "nginx_health_url",
    "nginx_node_header",
    "nginx_open_firewall",
    "nginx_ready_timeout",
    "nginx_remove_default_site",
    "nginx_sites",
    "node_tools_python",
    "service_tracking_restart",
    "service_tracking_restart_delay",
    "service_tracking_stop_delay",
    "vip_verification_allow_degraded",
    "vip_verification_enforce",
    "vip_verification_identity_header",
    "vip_verification_identity_url",
    "vip_verification_observers",
    "vip_verification_timeout",
)
"""What an inventory may set for the other roles, so that a typing error is not silently ignored."""

INSTANCE_KEYS = (
    "advert_interval",
    "interface",
    "mode",
    "preempt_delay",
    "preferred",
    "priorities",
    "profile",
    "services",
    "vips",
    "vrid",
)
VIP_KEYS = ("address", "interface", "prefix")
SERVICE_KEYS = ("check_fall", "check_interval", "check_rise", "check_timeout", "health_url")
MODES = ("preferred", "sticky")
KNOWN = (*VARIABLES, *OTHER_VARIABLES)
PREFIXES = ("keepalived_", "nginx_", "node_tools_", "service_tracking_", "vip_verification_")

DEFAULT_PREEMPT_DELAY = 5.0
"""How long the preferred node must be well before it takes the VIP back."""


@dataclass(frozen=True)
class VipInput:
    """A VIP as written: prefix and interface may still be unknown."""

    place: str
    address: str
    prefix: int | None
    interface: str | None


@dataclass(frozen=True)
class ServiceInput:
    """A tracked service as written."""

    place: str
    name: str
    health_url: str | None
    interval: float | None
    timeout: float | None
    fall: int
    rise: int


@dataclass(frozen=True)
class InstanceInput:
    """An instance as written, with the defaults that need no host."""

    place: str
    name: str
    vrid: int
    interface: str | None
    mode: str
    preferred: str | None
    priorities: tuple[int, int]
    advert_interval: float
    preempt_delay: float
    vips: tuple[VipInput, ...]
    services: tuple[ServiceInput, ...]


@dataclass(frozen=True)
class PairInput:
    """What the inventory says of a pair, seen from one of its members.

    `addresses` holds per member what the inventory gives: an explicit keepalived_address, else ansible_host when that
    is an address, else None. `explicit` names the members with a keepalived_address.
    """

    node: str
    members: tuple[str, str]
    addresses: dict[str, str | None]
    explicit: frozenset[str]
    realtime_priority: int
    instances: tuple[InstanceInput, ...]


def ip_address(text: object) -> netaddr.IPAddress | None:
    """The value as an address in full notation, or None."""
    if not isinstance(text, str):
        return None
    try:
        # INET_PTON: netaddr would otherwise take '10' or '10.1' for an address.
        return netaddr.IPAddress(str(text).strip(), flags=netaddr.INET_PTON)
    except (netaddr.AddrFormatError, ValueError):
        return None


def read_pair(
    inventory: Mapping[str, Mapping[str, t.Any]], node: str, own: Mapping[str, t.Any] | None, reader: Reader
) -> PairInput | None:
    """What the inventory says of the pair of `node`; problems go to the reader.

    `own` holds the variables as a role sees them on `node` (play and role variables included); they win over the
    inventory's for this node and stand in where the peer's inventory says nothing.
    """
    variables = {**_keepalived_variables(inventory, node), **(own or {})}
    _check_names(node, inventory, reader)
    members = _read_members(inventory, node, variables.get("keepalived_members"), reader)
    instances = _read_instances(node, variables.get("keepalived_instances"), members, reader)
    realtime = reader.integer(
        f"{node}: keepalived_realtime_priority",
        variables.get("keepalived_realtime_priority", 50),
        0,
        99,
        "give a SCHED_RR priority such as 50, or 0 to run without",
    )
    if members is None:
        return None
    addresses: dict[str, str | None] = {}
    explicit = set()
    for member in members:
        given = variables if member == node else _keepalived_variables(inventory, member)
        value = given.get("keepalived_address")
        if value:
            explicit.add(member)
            if ip_address(value) is None:
                reader.refuse(
                    f"{member}: keepalived_address",
                    f"{shown(value)} is not an address",
                    "give the address from which this node speaks VRRP, such as 192.0.2.11",
                )
        else:
            value = inventory[member].get("ansible_host")
        address = ip_address(value)
        addresses[member] = None if address is None else str(address)
    _check_own_addresses(instances, addresses, reader)
    _check_agreement(inventory, node, members, instances, reader)
    return PairInput(node, members, addresses, frozenset(explicit), realtime or 0, instances)


def _keepalived_variables(inventory: Mapping[str, Mapping[str, t.Any]], host: str) -> dict[str, t.Any]:
    variables = inventory.get(host, {})
    return {name: variables[name] for name in VARIABLES if name in variables}


def _check_names(node: str, inventory: Mapping[str, Mapping[str, t.Any]], reader: Reader) -> None:
    """Refuse variables that look like one of ours but are not: a typing error would be silently ignored."""
    for name in inventory.get(node, {}):
        if str(name).startswith(PREFIXES) and name not in KNOWN:
            close = nearest(str(name), KNOWN, cutoff=0.85)
            if close:
                reader.refuse(f"{node}: {name}", "unknown variable", f"did you mean {close!r}?")


def _read_members(
    inventory: Mapping[str, Mapping[str, t.Any]], node: str, given: object, reader: Reader
) -> tuple[str, str] | None:
    place = f"{node}: keepalived_members"
    cure = "give the inventory names of the two nodes, such as [node-a, node-b]"
    if given is None:
        reader.refuse(place, "is missing", cure)
        return None
    names = reader.sequence(place, given, cure)
    if names is None:
        return None
    if len(names) != 2:
        reader.refuse(place, f"has {len(names)} members ({shown(names)}), not 2", cure)
        return None
    members = [reader.text(f"{place}[{index}]", name, cure) for index, name in enumerate(names)]
    first, second = members
    if first is None or second is None:
        return None
    if first == second:
        reader.refuse(place, f"names {first!r} twice", cure)
        return None
    known = True
    for index, name in enumerate((first, second)):
        if name not in inventory:
            close = nearest(name, inventory)
            hint = f"did you mean {close!r}?" if close else cure
            reader.refuse(f"{place}[{index}]", f"{name!r} is not a host of the inventory", hint)
            known = False
    if node not in (first, second):
        reader.refuse(place, f"{shown(names)} does not name {node!r} itself", cure)
        known = False
    return (first, second) if known else None


def _read_instances(
    node: str, given: object, members: tuple[str, str] | None, reader: Reader
) -> tuple[InstanceInput, ...]:
    place = f"{node}: keepalived_instances"
    cure = "give at least one instance, such as {web: {vrid: 51, vips: [192.0.2.10]}}"
    if given is None:
        reader.refuse(place, "is missing", cure)
        return ()
    instances = reader.mapping(place, given, cure)
    if instances is None:
        return ()
    if not instances:
        reader.refuse(place, "is empty", cure)
    found = []
    for name, value in instances.items():
        instance = _read_instance(f"{place}.{name}", str(name), value, members, reader)
        if instance is not None:
            found.append(instance)
    _check_unique(found, reader)
    return tuple(found)


def _read_instance(
    place: str, name: str, given: object, members: tuple[str, str] | None, reader: Reader
) -> InstanceInput | None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,31}", name):
        reader.refuse(
            place, f"{name!r} is not a name", "start with a letter and use letters, digits, _ and - (32 at the most)"
        )
    options = reader.mapping(place, given, "give a dictionary such as {vrid: 51, vips: [192.0.2.10]}")
    if options is None:
        return None
    reader.keys(place, options, INSTANCE_KEYS)
    vrid_cure = "give each instance a VRID of its own between 1 and 255, for example 51"
    vrid: int | None = None
    if options.get("vrid") is None:
        reader.refuse(f"{place}.vrid", "is missing", vrid_cure)
    else:
        vrid = reader.integer(f"{place}.vrid", options["vrid"], 1, 255, vrid_cure)
    interface = _read_interface(f"{place}.interface", options.get("interface"), reader)
    mode = reader.choice(f"{place}.mode", options.get("mode", "preferred"), MODES, "give one of them") or "preferred"
    preferred = _read_preferred(place, options.get("preferred"), mode, members, reader)
    priorities = _read_priorities(place, options.get("priorities"), mode, preferred, members, reader)
    preempt_delay = reader.seconds(
        f"{place}.preempt_delay",
        options.get("preempt_delay", DEFAULT_PREEMPT_DELAY if mode == "preferred" else 0),
        0,
        1000,
        "give the seconds that the preferred node must be well before it takes the VIP back, such as 5",
    )
    if mode == "sticky" and "preempt_delay" in options:
        reader.refuse(
            f"{place}.preempt_delay", "has no meaning in mode 'sticky'", "remove it, or take mode 'preferred'"
        )
    vips = _read_vips(place, options.get("vips"), reader)
    services = _read_services(f"{place}.services", options.get("services", {}), reader)
    interval = _read_advert_interval(place, options, reader)
    if vrid is None:
        return None
    return InstanceInput(
        place=place,
        name=name,
        vrid=vrid,
        interface=interface,
        mode=mode,
        preferred=preferred,
        priorities=priorities,
        advert_interval=interval,
        preempt_delay=preempt_delay or 0.0,
        vips=vips,
        services=services,
    )


def _read_interface(place: str, given: object, reader: Reader) -> str | None:
    if given is None:
        return None
    name = reader.text(place, given, "give the name of an interface such as eth0, or leave it out")
    if name is not None and not re.fullmatch(r"[^\s/\"'{}#!]{1,15}", name):
        reader.refuse(place, f"{name!r} is not the name of an interface", "give a name such as eth0, or leave it out")
        return None
    return name


def _read_advert_interval(place: str, options: Mapping[str, t.Any], reader: Reader) -> float:
    profile = reader.choice(f"{place}.profile", options.get("profile", "balanced"), PROFILES, "give one of them")
    interval = PROFILES[profile or "balanced"]
    if options.get("advert_interval") is not None:
        given = reader.seconds(
            f"{place}.advert_interval",
            options["advert_interval"],
            0.05,
            40.95,
            "give the seconds between two adverts, such as 0.25; VRRPv3 counts in hundredths up to 40.95",
        )
        if given is not None:
            interval = round(given, 2)
    return interval


def _read_preferred(
    place: str, given: object, mode: str, members: tuple[str, str] | None, reader: Reader
) -> str | None:
    if mode == "sticky":
        if given is not None:
            reader.refuse(
                f"{place}.preferred", "has no meaning in mode 'sticky'", "remove it, or take mode 'preferred'"
            )
        return None
    if members is None:
        return None
    if given is None:
        return members[0]
    return reader.choice(f"{place}.preferred", given, members, "name one of the two members")


def _read_priorities(
    place: str, given: object, mode: str, preferred: str | None, members: tuple[str, str] | None, reader: Reader
) -> tuple[int, int]:
    if members is None:
        return PREFERRED_PRIORITY, STANDBY_PRIORITY
    if given is None:
        if mode == "sticky":
            return PREFERRED_PRIORITY, PREFERRED_PRIORITY
        first, second = (PREFERRED_PRIORITY if member == preferred else STANDBY_PRIORITY for member in members)
        return first, second
    place = f"{place}.priorities"
    cure = f"give both members a priority up to {HIGHEST_PRIORITY}, or leave it out"
    options = reader.mapping(place, given, cure)
    if options is None:
        return PREFERRED_PRIORITY, STANDBY_PRIORITY
    reader.keys(place, options, members)
    found = {}
    for member in members:
        if member not in options:
            reader.refuse(f"{place}.{member}", "is missing", cure)
            continue
        number = reader.integer(
            f"{place}.{member}",
            options[member],
            1,
            HIGHEST_PRIORITY,
            f"stay below {HIGHEST_PRIORITY + 1}: a planned switchover adds {SWITCHOVER_RAISE} and 254 is the limit",
        )
        if number is not None:
            found[member] = number
    if len(found) < 2:
        return PREFERRED_PRIORITY, STANDBY_PRIORITY
    first, second = found[members[0]], found[members[1]]
    if mode == "sticky" and first != second:
        reader.refuse(place, f"{first} and {second} differ in mode 'sticky'", "give both the same, or leave it out")
    if mode == "preferred" and preferred is not None:
        gap = found[preferred] - min(number for member, number in found.items() if member != preferred)
        if not 0 < gap < SWITCHOVER_RAISE:
            reader.refuse(
                place,
                f"{preferred} is {gap} above its peer",
                f"give the preferred node 1 to {SWITCHOVER_RAISE - 1} more than its peer, or leave it out",
            )
    return first, second


def _read_vips(place: str, given: object, reader: Reader) -> tuple[VipInput, ...]:
    place = f"{place}.vips"
    cure = "give at least one address, such as [192.0.2.10]"
    if given is None:
        reader.refuse(place, "is missing", cure)
        return ()
    values = reader.sequence(place, given, cure)
    if values is None:
        return ()
    if not values:
        reader.refuse(place, "is empty", cure)
    found = (_read_vip(f"{place}[{index}]", value, reader) for index, value in enumerate(values))
    return tuple(vip for vip in found if vip is not None)


def _read_vip(place: str, given: object, reader: Reader) -> VipInput | None:
    cure = "give an IPv4 address with or without prefix, such as 192.0.2.10 or 192.0.2.10/24"
    options: Mapping[str, t.Any]
    if isinstance(given, Mapping):
        options = given
        reader.keys(place, options, VIP_KEYS)
    elif isinstance(given, str):
        text, slash, prefix = str(given).partition("/")
        options = {"address": text, "prefix": prefix} if slash else {"address": text}
    else:
        reader.refuse(place, f"{shown(given)} is not an address", cure)
        return None
    address = options.get("address")
    number = ip_address(address)
    if number is None:
        reader.refuse(place, f"{shown(address if address is not None else given)} is not an address", cure)
        return None
    if number.version != 4:
        reader.refuse(place, f"{number} is an IPv6 address, which this release does not support as a VIP", cure)
        return None
    if number.is_loopback() or number.is_multicast() or int(number) in (0, 2**32 - 1):
        reader.refuse(place, f"{number} cannot be the address of a host on a network", cure)
        return None
    prefix_length: int | None = None
    if options.get("prefix") is not None:
        prefix_length = reader.integer(
            f"{place}", options["prefix"], 8, 32, "give a prefix length between 8 and 32, such as 192.0.2.10/24"
        )
        if prefix_length is None:
            return None
        check_host_address(place, str(number), prefix_length, reader)
    interface = _read_interface(f"{place}.interface", options.get("interface"), reader)
    return VipInput(place, str(number), prefix_length, interface)


def check_host_address(place: str, address: str, prefix: int, reader: Reader) -> None:
    """Refuse a network's own and its broadcast address."""
    network = netaddr.IPNetwork(f"{address}/{prefix}")
    if prefix >= 31:
        return
    cure = "give a host address of that network that no machine has"
    if network.ip == network.network:
        reader.refuse(place, f"{address} is the network address of {network.cidr}", cure)
    elif network.ip == network.broadcast:
        reader.refuse(place, f"{address} is the broadcast address of {network.cidr}", cure)


def _read_services(place: str, given: object, reader: Reader) -> tuple[ServiceInput, ...]:
    cure = "give the systemd services that must be well, such as {nginx: {health_url: http://127.0.0.1/health}}"
    if isinstance(given, (list, tuple)):
        given = {name: {} for name in given}
    services = reader.mapping(place, given, cure)
    if services is None:
        return ()
    found = []
    for key, value in services.items():
        name = str(key)
        here = f"{place}.{name}"
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9@_.:-]*", name) or name.endswith(".service"):
            reader.refuse(here, f"{name!r} is not a unit name", "give the service's name without .service")
            continue
        options = reader.mapping(here, {} if value is None else value, cure)
        if options is None:
            continue
        reader.keys(here, options, SERVICE_KEYS)
        numbers: dict[str, float | None] = {}
        for option in ("check_interval", "check_timeout"):
            numbers[option] = None
            if options.get(option) is not None:
                numbers[option] = reader.seconds(
                    f"{here}.{option}", options[option], 0.1, 3600, "give seconds, such as 1"
                )
        counts = {
            option: reader.integer(f"{here}.{option}", options.get(option, 2), 1, 100, "give a count, such as 2")
            for option in ("check_fall", "check_rise")
        }
        found.append(
            ServiceInput(
                place=here,
                name=name,
                health_url=_read_health_url(f"{here}.health_url", options.get("health_url"), reader),
                interval=numbers["check_interval"],
                timeout=numbers["check_timeout"],
                fall=counts["check_fall"] or 2,
                rise=counts["check_rise"] or 2,
            )
        )
    return tuple(found)


def _read_health_url(place: str, given: object, reader: Reader) -> str | None:
    if given is None:
        return None
    cure = "ask the service on this node, such as http://127.0.0.1/ha-pair/health"
    url = reader.text(place, given, cure)
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        reader.refuse(place, f"{url!r} is not a URL", cure)
        return None
    if parts.scheme != "http" or not host or port == 0 or re.search(r"[\s\"'\\{}#!$]", url):
        reader.refuse(place, f"{url!r} is not a plain http URL", cure)
        return None
    address = ip_address(host)
    # A shared backend behind a check that means FAULT would take both nodes out and leave nobody with the VIP.
    if host != "localhost" and not (address is not None and address.is_loopback()):
        reader.refuse(
            place, f"{host!r} is not this node itself: a shared backend would put both nodes into FAULT", cure
        )
        return None
    return url


def _check_unique(instances: list[InstanceInput], reader: Reader) -> None:
    seen: dict[str, str] = {}
    for instance in instances:
        for vip in instance.vips:
            if vip.address in seen:
                reader.refuse(
                    vip.place, f"{vip.address} is given twice (first at {seen[vip.address]})", "give each VIP once"
                )
            else:
                seen[vip.address] = vip.place
    services: dict[str, ServiceInput] = {}
    for instance in instances:
        for service in instance.services:
            first = services.setdefault(service.name, service)
            if _options(first) != _options(service):
                reader.refuse(
                    service.place, f"differs from {first.place}", "give a service the same options in every instance"
                )


def _options(service: ServiceInput) -> tuple[object, ...]:
    return service.health_url, service.interval, service.timeout, service.fall, service.rise


def _check_own_addresses(
    instances: tuple[InstanceInput, ...], addresses: Mapping[str, str | None], reader: Reader
) -> None:
    owners = {address: member for member, address in addresses.items() if address is not None}
    for instance in instances:
        for vip in instance.vips:
            if vip.address in owners:
                reader.refuse(
                    vip.place,
                    f"{vip.address} is the own address of {owners[vip.address]}",
                    "give an address that no machine has",
                )
    pair = [address for address in addresses.values() if address is not None]
    if len(pair) == 2 and pair[0] == pair[1]:
        reader.refuse(
            f"{list(addresses)[1]}: keepalived_address",
            f"{pair[0]} is also the address of {next(iter(addresses))}",
            "give each member its own address",
        )


def _check_agreement(
    inventory: Mapping[str, Mapping[str, t.Any]],
    node: str,
    members: tuple[str, str],
    instances: tuple[InstanceInput, ...],
    reader: Reader,
) -> None:
    """Refuse members that tell different things of what both must do alike: each would be alone on its own network."""
    peer = members[1] if node == members[0] else members[0]
    variables = _keepalived_variables(inventory, peer)
    cure = f"say the same for {node} and {peer}, best once in a group's variables"
    if "keepalived_members" in variables:
        others = variables["keepalived_members"]
        if not isinstance(others, (list, tuple)) or list(others) != list(members):
            reader.refuse(
                f"{peer}: keepalived_members", f"{shown(others)} differs from {list(members)} of {node}", cure
            )
            return
    if "keepalived_instances" not in variables:
        return
    theirs_reader = Reader()
    theirs = {
        instance.name: instance
        for instance in _read_instances(peer, variables["keepalived_instances"], members, theirs_reader)
    }
    if theirs_reader.problems:
        # What both inherit from the same group variable is told once.
        told = {(problem.place.partition(": ")[2], problem.problem) for problem in reader.problems}
        for problem in theirs_reader.problems:
            if (problem.place.partition(": ")[2], problem.problem) not in told:
                reader.refuse(problem.place, problem.problem, problem.cure)
        return
    ours = {instance.name: instance for instance in instances}
    for name in sorted(set(ours) ^ set(theirs)):
        missing = peer if name in ours else node
        reader.refuse(f"{missing}: keepalived_instances.{name}", "is missing", cure)
    for name in sorted(set(ours) & set(theirs)):
        mine, other = ours[name], theirs[name]
        for option in ("vrid", "mode", "preferred", "priorities", "advert_interval"):
            ours_says, theirs_says = getattr(mine, option), getattr(other, option)
            if ours_says != theirs_says:
                differs = f"{shown(theirs_says)} differs from {shown(ours_says)} of {node}"
                reader.refuse(f"{other.place}.{option}", differs, cure)
        if _addresses(mine) != _addresses(other):
            texts = [", ".join(address for address, _prefix in _addresses(instance)) for instance in (mine, other)]
            reader.refuse(f"{other.place}.vips", f"{texts[1]} differs from {texts[0]} of {node}", cure)


def _addresses(instance: InstanceInput) -> list[tuple[str, int | None]]:
    return [(vip.address, vip.prefix) for vip in instance.vips]
