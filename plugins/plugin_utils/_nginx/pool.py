# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers behind a site that are hosts of the inventory."""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from .._problems import Reader, nearest, shown
from . import values
from .servers import PARAMETERS, Server, read_parameter

POOL_KEYS = ("hosts", "port")
MEMBER_KEYS = ("name", "port", *PARAMETERS)
ADDRESS_VARIABLES = ("nginx_upstream_address", "keepalived_address", "ansible_host")
"""Where the address of a host is looked for; the first that is set counts."""
DEFAULTS = {"max_fails": 1, "fail_timeout": "3s"}
"""One failure takes a server out. Not for long: two servers that failed a moment ago must not both be out for long."""

HOSTS_CURE = "give names of the inventory such as [app-1, app-2], and port"
MEMBER_CURE = "give a name of the inventory such as app-1, or {name: app-1, weight: 2}"
PORT_CURE = "give the port of the application, such as 8080"
ADDRESS_CURE = "give nginx_upstream_address for this host, such as 192.0.2.21"


@dataclass(frozen=True)
class Member:
    """A server that is a host of the inventory."""

    host: str
    address: str
    port: int
    drained: bool


@dataclass(frozen=True)
class Neighbours:
    """What `node` knows of others.

    `hosts` has the variables of the hosts that pools name, `inventory` the names of all there are, `drained` those to
    which nothing new is sent. `keepalive_timeout`: whether nginx knows that word.
    """

    node: str = ""
    hosts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    inventory: tuple[str, ...] = ()
    drained: tuple[str, ...] = ()
    keepalive_timeout: bool = True


def named_hosts(sites: object) -> list[str]:
    """The names that pools of sites give, each once; `read_pool` refuses what is none."""
    found: list[str] = []
    for site in sites if isinstance(sites, (list, tuple)) else ():
        upstream = site.get("upstream") if isinstance(site, Mapping) else None
        hosts = upstream.get("hosts") if isinstance(upstream, Mapping) else None
        for entry in hosts if isinstance(hosts, (list, tuple)) else ():
            name = entry.get("name") if isinstance(entry, Mapping) else entry
            if isinstance(name, str) and name not in found:
                found.append(name)
    return found


def address_variables(sites: object, inventory: Mapping[str, t.Any]) -> dict[str, dict[str, object]]:
    """What the inventory says of the addresses of the hosts that pools name. Unknown hosts are left out."""
    found = {}
    for name in named_hosts(sites):
        if name in inventory:
            # Once: Ansible puts all variables of a host together each time that one asks for it.
            variables = inventory[name]
            found[name] = {variable: variables.get(variable) for variable in ADDRESS_VARIABLES}
    return found


def read_pool(
    reader: Reader, place: str, entry: Mapping[str, t.Any], neighbours: Neighbours
) -> tuple[tuple[Member, ...], list[Server], bool]:
    """The members, the servers that they are, and whether all of them could be read."""
    port = None
    if entry.get("port") is not None:
        if entry.get("hosts") is None:
            reader.refuse(f"{place}.port", "is given without hosts", "give hosts, or write the port after each server")
        port = _port(reader, f"{place}.port", entry["port"])
    if entry.get("hosts") is None:
        return (), [], True
    hosts = reader.sequence(f"{place}.hosts", entry["hosts"], HOSTS_CURE)
    if hosts is None:
        return (), [], False
    if not hosts:
        reader.refuse(f"{place}.hosts", "is empty", HOSTS_CURE)
    found = []
    for index, host in enumerate(hosts):
        member = _member(
            reader, f"{place}.hosts[{index}]", host, (f"{place}.port", entry.get("port"), port), neighbours
        )
        if member is not None:
            found.append(member)
    return tuple(member for member, _server in found), [server for _member, server in found], len(found) == len(hosts)


def check_drained(reader: Reader, given: object, members: list[str]) -> tuple[str, ...]:
    """The hosts that are to be drained, of which each must be in a pool: a wrong name would go on being asked."""
    place = "nginx_upstream_drained"
    names = reader.sequence(place, given, "give a list such as [app-1], or []")
    found = []
    for index, entry in enumerate(names or ()):
        name = reader.text(f"{place}[{index}]", entry, "give a name of the inventory such as app-1")
        if name is None:
            continue
        found.append(name)
        if name not in members:
            close = nearest(name, members)
            usual = f"the pools have {', '.join(members)}" if members else "give hosts in an upstream of nginx_sites"
            reader.refuse(
                f"{place}[{index}]",
                f"{shown(name)} is in no pool of nginx_sites",
                f"did you mean {close!r}?" if close else usual,
            )
    return tuple(found)


def check_own_ports(reader: Reader, place: str, members: tuple[Member, ...], node: str, ports: tuple[int, ...]) -> None:
    """Refuse a node that would ask itself: where nginx and the application share a node, they cannot share a port."""
    for member in members:
        if member.host == node and member.port in ports:
            reader.refuse(
                f"{place}.hosts",
                f"names this node, {shown(node)}, with port {member.port}, on which nginx itself listens",
                "give the application another port, or the site another listen",
            )


def _member(
    reader: Reader, place: str, given: object, usual_port: tuple[str, object, int | None], neighbours: Neighbours
) -> tuple[Member, Server] | None:
    entry = given if isinstance(given, Mapping) else {"name": given}
    if isinstance(given, Mapping):
        reader.keys(place, given, MEMBER_KEYS)
        place_of_name = f"{place}.name"
    else:
        place_of_name = place
    parameters = []
    for name in PARAMETERS:
        value = DEFAULTS.get(name) if entry.get(name) is None else entry[name]
        if value is not None:
            parameters += read_parameter(reader, f"{place}.{name}", name, value)
    port = usual_port[2]
    if entry.get("port") is not None:
        port = _port(reader, f"{place}.port", entry["port"])
    elif usual_port[1] is None:
        reader.refuse(usual_port[0], "is missing", PORT_CURE)
    if entry.get("name") is None:
        reader.refuse(place_of_name, "is missing", MEMBER_CURE)
        return None
    host = reader.text(place_of_name, entry["name"], MEMBER_CURE)
    address = None if host is None else _address(reader, place_of_name, host, neighbours)
    if host is None or address is None or port is None:
        return None
    is_drained = host in neighbours.drained
    if is_drained and "down" not in parameters:
        parameters.append("down")
    text = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
    server = Server(place, text, f"{address} {port}", tuple(parameters), is_drained)
    return Member(host, str(address), port, is_drained), server


def _port(reader: Reader, place: str, given: object) -> int | None:
    port = values.port(given)
    if port is None:
        reader.refuse(place, f"{shown(given)} is not a port (1..65535)", PORT_CURE)
    return port


def _address(
    reader: Reader, place: str, host: str, neighbours: Neighbours
) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address by which nginx asks the host. Not a name: nginx would not start without an answer."""
    if host not in neighbours.hosts:
        close = nearest(host, neighbours.inventory)
        cure = f"did you mean {close!r}?" if close else f"{MEMBER_CURE}; others are written as servers"
        reader.refuse(place, f"{shown(host)} is not a host of the inventory", cure)
        return None
    variables = neighbours.hosts[host]
    for variable in ADDRESS_VARIABLES:
        value = variables.get(variable)
        if value in (None, ""):
            continue
        try:
            address = ipaddress.ip_address(str(value))
        except ValueError:
            reader.refuse(f"{host}: {variable}", f"{shown(value)} is not an address", ADDRESS_CURE)
            return None
        if address.is_loopback and host != neighbours.node:
            reader.refuse(f"{host}: {variable}", f"{address} is the loopback of whoever asks", ADDRESS_CURE)
            return None
        return address
    reader.refuse(place, f"{shown(host)} has no address in the inventory", ADDRESS_CURE)
    return None
