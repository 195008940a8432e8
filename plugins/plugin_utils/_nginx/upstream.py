# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers behind a site: as strings in the words of nginx, or as dictionaries."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .._problems import Reader, shown
from . import values

UPSTREAM_KEYS = ("servers", "method", "keepalive")
NUMBERS = {"weight": 1, "max_fails": 0, "max_conns": 0}
"""The lowest value of each parameter that is a number."""
FLAGS = ("backup", "down")
SERVER_KEYS = ("address", *NUMBERS, "fail_timeout", *FLAGS)
METHODS = ("round_robin", "least_conn", "ip_hash", "random")

DEFAULT_KEEPALIVE = 16
"""Idle connections to the servers that each worker keeps."""

ADDRESS = re.compile(
    r"unix:/(?P<socket>[^\s\"';{}$\\#]+)"
    r"|(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?))(?::(?P<port>[0-9]+))?"
)
# nginx counts here in whole seconds: 10, 10s, 1m30s.
TIME = re.compile(r"(?=[0-9])(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s?)?")

SERVERS_CURE = "give {servers: [app.example.com:8080]}"
ADDRESS_CURE = "give host:port such as app.example.com:8080"
SERVER_CURE = "give host:port such as app.example.com:8080, and after it parameters such as backup or max_fails=2"


@dataclass(frozen=True)
class Upstream:
    """The servers behind a site, under the name by which nginx knows them as a group.

    `servers` are in nginx's words. `method` is empty where nginx's own is meant; `keepalive` is 0 for no idle
    connections.
    """

    name: str
    servers: tuple[str, ...]
    method: str
    keepalive: int


@dataclass(frozen=True)
class _Server:
    """A server as written; `identity` is the same for every spelling of one address."""

    address: str
    identity: str
    parameters: tuple[str, ...]

    @property
    def text(self) -> str:
        """In the words of nginx."""
        return " ".join((self.address, *self.parameters))


def read_upstream(reader: Reader, place: str, given: object, site: str) -> Upstream | None:
    """The group of servers, or None after a refusal of the whole."""
    entry = reader.mapping(place, given, SERVERS_CURE)
    if entry is None:
        return None
    reader.keys(place, entry, UPSTREAM_KEYS)
    method = reader.choice(f"{place}.method", entry.get("method", METHODS[0]), METHODS, "leave it out for round_robin")
    keepalive = reader.integer(
        f"{place}.keepalive", entry.get("keepalive", DEFAULT_KEEPALIVE), 0, 65535, "give a number such as 16, or 0"
    )
    if "servers" not in entry:
        reader.refuse(f"{place}.servers", "is missing", SERVERS_CURE)
        return None
    servers = reader.sequence(f"{place}.servers", entry["servers"], SERVERS_CURE)
    if servers is None:
        return None
    if not servers:
        reader.refuse(f"{place}.servers", "is empty", SERVERS_CURE)
    found = [(index, _server(reader, f"{place}.servers[{index}]", server)) for index, server in enumerate(servers)]
    _fit(reader, place, [(index, server) for index, server in found if server], len(found), method)
    # Our own prefix keeps the group apart from one of the same name in a file of the user's.
    return Upstream(
        f"ha_pair_{site}",
        tuple(server.text for _index, server in found if server),
        "" if method in (None, METHODS[0]) else str(method),
        keepalive or 0,
    )


def _fit(reader: Reader, place: str, found: list[tuple[int, _Server]], given: int, method: str | None) -> None:
    """What the servers must be together."""
    first: dict[str, int] = {}
    for index, server in found:
        earlier = first.setdefault(server.identity, index)
        if earlier != index:
            reader.refuse(
                f"{place}.servers[{index}]",
                f"{shown(server.address)} is {place}.servers[{earlier}] too",
                "name each server once, with a weight if it is to get more",
            )
        if "backup" in server.parameters and method in ("ip_hash", "random"):
            reader.refuse(
                f"{place}.servers[{index}]",
                f"is a backup, which nginx does not have with method {method}",
                "leave backup out, or take least_conn or round_robin",
            )
    if found and len(found) == given and all({"backup", "down"}.intersection(s.parameters) for _index, s in found):
        reader.refuse(
            f"{place}.servers",
            "all are backup or down, so that nobody answers",
            "leave at least one server without either",
        )


def _server(reader: Reader, place: str, given: object) -> _Server | None:
    if isinstance(given, Mapping):
        return _from_dictionary(reader, place, given)
    text = reader.text(place, given, SERVER_CURE)
    if text is None:
        return None
    address, *words = text.split()
    parameters: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not (name in (*NUMBERS, "fail_timeout") if equals else name in FLAGS):
            reader.refuse(place, f"{shown(text)} is not a server", SERVER_CURE)
            return None
        parameters += _parameter(reader, f"{place}.{name}", name, value if equals else True)
    identity = _identity(reader, place, address)
    return None if identity is None else _Server(address, identity, tuple(parameters))


def _from_dictionary(reader: Reader, place: str, given: Mapping[str, object]) -> _Server | None:
    reader.keys(place, given, SERVER_KEYS)
    parameters = [
        word
        for name in SERVER_KEYS[1:]
        if given.get(name) is not None
        for word in _parameter(reader, f"{place}.{name}", name, given[name])
    ]
    if given.get("address") is None:
        reader.refuse(f"{place}.address", "is missing", ADDRESS_CURE)
        return None
    address = reader.text(f"{place}.address", given["address"], ADDRESS_CURE)
    identity = None if address is None else _identity(reader, f"{place}.address", address, ADDRESS_CURE)
    return None if address is None or identity is None else _Server(address, identity, tuple(parameters))


def _parameter(reader: Reader, place: str, name: str, given: object) -> list[str]:
    """The parameter in nginx's words: none after a refusal, and for a flag that is not set."""
    if name in FLAGS:
        return [name] if values.flag(reader, place, given) else []
    if name == "fail_timeout":
        if isinstance(given, bool) or not TIME.fullmatch(str(given)):
            what = f"{shown(given)} is not a time in whole seconds"
            reader.refuse(place, what, "give seconds such as 10, or 10s or 1m30s")
            return []
        return [f"{name}={given}"]
    number = reader.integer(place, given, NUMBERS[name], 65535, f"give a number such as {NUMBERS[name] or 2}")
    return [] if number is None else [f"{name}={number}"]


def _identity(reader: Reader, place: str, address: str, cure: str = SERVER_CURE) -> str | None:
    match = ADDRESS.fullmatch(address)
    if not match:
        reader.refuse(place, f"{shown(address)} is not a server", cure)
        return None
    if match["socket"] is not None:
        return address
    host = str(match["host"]).lower()
    if match["v6"] is not None:
        try:
            host = str(ipaddress.IPv6Address(match["v6"]))
        except ValueError:
            what = f"{shown(match['v6'])} is not an IPv6 address"
            reader.refuse(place, what, "give one such as [2001:db8::10]:8080")
            return None
    port = values.port(match["port"] or 80)
    if port is None:
        reader.refuse(place, f"{match['port']} is not a port (1..65535)", ADDRESS_CURE)
        return None
    return f"{host} {port}"
