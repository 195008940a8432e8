# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The group of servers behind a site, and how requests are passed on to it."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from .._problems import Reader, shown
from .passing import PASSING_KEYS, read_passing
from .pool import POOL_KEYS, Member, Neighbours, read_pool
from .servers import Server, read_server

UPSTREAM_KEYS = ("servers", *POOL_KEYS, "method", "keepalive", "keepalive_timeout", *PASSING_KEYS)
METHODS = ("round_robin", "least_conn", "ip_hash", "random")
WITHOUT_BACKUP = ("ip_hash", "random")

DEFAULT_KEEPALIVE = 16
"""Idle connections to the servers that each worker keeps."""
DEFAULT_KEEPALIVE_TIMEOUT = 15
"""Seconds. Tomcat closes them after 20 or more; a POST that meets the closing is lost, as it may not be repeated."""

SERVERS_CURE = "give {servers: [app.example.com:8080]}"
UPSTREAM_CURE = "give {hosts: [app-1, app-2], port: 8080}, or {servers: [app.example.com:8080]}"


@dataclass(frozen=True)
class Upstream:
    """The servers behind a site, under the name by which nginx knows them as a group.

    `servers` are in nginx's words; `members` are those of them that are hosts of the inventory. `method` is empty where
    nginx's own is meant; `keepalive` is 0 for no idle connections. `directives` say how requests are passed on.
    """

    name: str
    servers: tuple[str, ...]
    members: tuple[Member, ...]
    method: str
    keepalive: int
    keepalive_timeout: int | None
    websocket: bool
    directives: tuple[str, ...]


def read_upstream(
    reader: Reader, place: str, given: object, site: str, neighbours: Neighbours | None = None
) -> Upstream | None:
    """The group of servers, or None after a refusal of the whole."""
    entry = reader.mapping(place, given, UPSTREAM_CURE)
    if entry is None:
        return None
    reader.keys(place, entry, UPSTREAM_KEYS)
    around = neighbours or Neighbours()
    method = reader.choice(f"{place}.method", entry.get("method", METHODS[0]), METHODS, "leave it out for round_robin")
    keepalive = reader.integer(
        f"{place}.keepalive", entry.get("keepalive", DEFAULT_KEEPALIVE), 0, 65535, "give a number such as 16, or 0"
    )
    keepalive_timeout = _keepalive_timeout(reader, place, entry, keepalive, around)
    passing = read_passing(reader, place, entry)
    if entry.get("servers") is None and entry.get("hosts") is None:
        reader.refuse(place, "has neither hosts nor servers", UPSTREAM_CURE)
        return None
    members, pool, whole = read_pool(reader, place, entry, around)
    servers, all_read = _servers(reader, place, entry)
    together = [*pool, *servers]
    _fit(reader, place, together, whole and all_read, method)
    # Our own prefix keeps the group apart from one of the same name in a file of the user's.
    return Upstream(
        f"ha_pair_{site}",
        tuple(server.text for server in together),
        members,
        "" if method in (None, METHODS[0]) else str(method),
        keepalive or 0,
        keepalive_timeout,
        passing.websocket,
        passing.directives,
    )


def _servers(reader: Reader, place: str, entry: Mapping[str, t.Any]) -> tuple[list[Server], bool]:
    """The servers that are given by address, and whether all of them could be read."""
    if entry.get("servers") is None:
        return [], True
    servers = reader.sequence(f"{place}.servers", entry["servers"], SERVERS_CURE)
    if servers is None:
        return [], False
    if not servers:
        reader.refuse(f"{place}.servers", "is empty", SERVERS_CURE)
    found = [read_server(reader, f"{place}.servers[{index}]", server) for index, server in enumerate(servers)]
    return [server for server in found if server], None not in found


def _keepalive_timeout(
    reader: Reader, upstream: str, entry: Mapping[str, t.Any], keepalive: int | None, around: Neighbours
) -> int | None:
    """After how many idle seconds nginx closes a connection; None where it keeps none, or cannot be told."""
    place = f"{upstream}.keepalive_timeout"
    given = entry.get("keepalive_timeout")
    if given is None:
        return DEFAULT_KEEPALIVE_TIMEOUT if keepalive and around.keepalive_timeout else None
    if keepalive == 0:
        reader.refuse(place, "is given, and keepalive is 0", "leave one of the two out")
    elif not around.keepalive_timeout:
        reader.refuse(
            place,
            "is given, and the nginx of this system is older than 1.15.3, which does not know it",
            'leave it out, or give nginx_module_stream, such as "1.22"',
        )
    return reader.integer(place, given, 1, 86400, f"give seconds such as {DEFAULT_KEEPALIVE_TIMEOUT}")


def _fit(reader: Reader, place: str, found: list[Server], all_read: bool, method: str | None) -> None:
    """What the servers must be together."""
    first: dict[str, str] = {}
    for server in found:
        earlier = first.setdefault(server.identity, server.place)
        if earlier != server.place:
            reader.refuse(
                server.place,
                f"{shown(server.address)} is {earlier} too",
                "name each server once, with a weight if it is to get more",
            )
        if "backup" in server.parameters and method in WITHOUT_BACKUP:
            reader.refuse(
                server.place,
                f"is a backup, which nginx does not have with method {method}",
                "leave backup out, or take least_conn or round_robin",
            )
    if not found or not all_read:
        return
    if all("down" in server.parameters or "backup" in server.parameters for server in found if not server.drained):
        _nobody(reader, place, found)


def _nobody(reader: Reader, place: str, found: list[Server]) -> None:
    """Refuse a group without a server of the first choice, unless a backup stands in for one that is drained."""
    drained = [server for server in found if server.drained]
    if not drained:
        key = "servers" if all(server.place.startswith(f"{place}.servers[") for server in found) else "hosts"
        reader.refuse(
            f"{place}.{key}",
            "all are backup or down, so that nobody answers",
            "leave at least one server without either",
        )
    elif not any("down" not in server.parameters for server in found):
        reader.refuse(
            f"{place}.hosts",
            "all that are not down are named in nginx_upstream_drained, so that nobody answers",
            "drain one after the other",
        )
