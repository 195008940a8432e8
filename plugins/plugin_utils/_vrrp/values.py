# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the values that several kinds of input share: booleans, weights, addresses, endpoints, words of a command."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, kind, shown

from .model import HARDEST_WEIGHT

try:
    import netaddr
except ImportError:  # requirements.py says so, with the cure
    netaddr = None  # type: ignore[assignment]

SYMLINKS = re.compile(r"/(?:bin|sbin|lib|lib32|lib64)/")
"""Directories that are symbolic links on all supported systems: keepalived 2.3 drops scripts behind them."""


SYSTEM = re.compile(r"/(bin|boot|dev|etc|lib|lib64|proc|root|run|sbin|sys|usr)(/.*)?")
TOO_WIDE = re.compile(r"/(home|media|mnt|opt|srv|tmp|var)|/var/(cache|lib|log|spool|tmp)")

MEMBERS_CURE = "give the two nodes and their addresses, such as {node-a: 192.0.2.11, node-b: 192.0.2.12}"


def boolean(place: str, value: object, reader: Reader) -> bool | None:
    """The value as a boolean, or None after a refusal. Strings are taken: AWX surveys give those."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "yes", "on"):
        return True
    if isinstance(value, str) and value.strip().lower() in ("false", "no", "off"):
        return False
    reader.refuse(place, f"{shown(value)} is not a boolean", "give true or false")
    return None


def weight(place: str, value: object, reader: Reader) -> int | None:
    """The value as a weight, or None after a refusal."""
    return reader.integer(
        place, value, -HARDEST_WEIGHT, HARDEST_WEIGHT, "give a penalty such as -20, or 0 for FAULT instead of a weight"
    )


def ip_address(text: object) -> netaddr.IPAddress | None:
    """The value as an address in full notation, or None."""
    if not isinstance(text, str):
        return None
    try:
        # INET_PTON: netaddr would otherwise take '10' or '10.1' for an address.
        return netaddr.IPAddress(str(text).strip(), flags=netaddr.INET_PTON)
    except (netaddr.AddrFormatError, ValueError):
        return None


def endpoint(text: object) -> tuple[str, int] | None:
    """`HOST:PORT` or `[IPV6]:PORT` as (host, port), or None."""
    if not isinstance(text, str):
        return None
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})", text.strip())
    if found is None or not 0 < int(found[3]) < 65536:
        return None
    if found[1] is not None and ((address := ip_address(found[1])) is None or address.version != 6):
        return None
    return found[1] or found[2], int(found[3])


def is_loopback(host: str) -> bool:
    """Whether the host, a name or an address, is the asking node itself."""
    address = ip_address(host)
    return host == "localhost" or (address is not None and bool(address.is_loopback()))


def mount_point(place: str, given: object, reader: Reader) -> str | None:
    """The value as a path at which something may be mounted, as the kernel spells it, or None after a refusal."""
    cure = "give the absolute path of a mount point, such as /srv/data"
    path = reader.text(place, given, cure)
    if path is None:
        return None
    if not re.fullmatch(r"(?:/[A-Za-z0-9_.:@+-]+)+", path) or {".", ".."} & set(path.split("/")):
        reader.refuse(place, f"{shown(path)} is not a plain absolute path without a slash at its end", cure)
        return None
    return path


def is_wider_than_a_service(path: str) -> bool:
    """Whether a directory is the system's, or holds more than the files of one service: none may have it to itself."""
    return SYSTEM.fullmatch(path) is not None or TOO_WIDE.fullmatch(path) is not None


def words(place: str, given: object, cure: str, reader: Reader) -> list[str] | None:
    """The value as the words of a command, the first an absolute path, or None after a refusal."""
    found = reader.sequence(place, given, cure)
    if found is None:
        return None
    if not found:
        reader.refuse(place, "is empty", cure)
        return None
    texts = [reader.text(f"{place}[{index}]", word, cure) for index, word in enumerate(found)]
    command = [text for text in texts if text is not None]
    if len(command) < len(texts):
        return None
    for index, word in enumerate(command):
        if re.search(r"[\x00-\x1f\x7f]", word):
            reader.refuse(f"{place}[{index}]", "holds a line break or another control character", cure)
            return None
    program = command[0]
    if not program.startswith("/") or program.endswith("/"):
        reader.refuse(f"{place}[0]", f"{program!r} is not the absolute path of a program", cure)
        return None
    return command


def check_host_address(place: str, address: str, prefix: int, reader: Reader) -> None:
    """Refuse a network's own and its broadcast address."""
    network = netaddr.IPNetwork(f"{address}/{prefix}")
    if prefix >= (31 if network.version == 4 else 127):
        return
    cure = "give a host address of that network that no machine has"
    if network.ip == network.network:
        reader.refuse(place, f"{address} is the network address of {network.cidr}", cure)
    elif network.version == 4 and network.ip == network.broadcast:
        reader.refuse(place, f"{address} is the broadcast address of {network.cidr}", cure)


def pair_addresses(place: str, given: object, node: str, reader: Reader) -> dict[str, str] | None:
    """The addresses of the two nodes of a pair by name, this `node` among them, or None after a refusal."""
    entries = reader.mapping(place, given, MEMBERS_CURE)
    if entries is None:
        return None
    found: dict[str, str] = {}
    for name, value in entries.items():
        address = ip_address(value)
        if address is None or address.is_loopback() or address.is_link_local():
            what = f"{shown(value)} is not an address that the other node can reach"
            reader.refuse(f"{place}.{name}", what, MEMBERS_CURE)
            continue
        if str(address) in found.values():
            reader.refuse(f"{place}.{name}", f"{address} is the other node's too", MEMBERS_CURE)
        found[str(name)] = str(address)
    if len(entries) != 2:
        reader.refuse(place, f"has {len(entries)} members, not 2", MEMBERS_CURE)
        return None
    if node not in entries:
        reader.refuse(place, f"names {' and '.join(map(str, entries))}, and not {node} itself", MEMBERS_CURE)
        return None
    return found if len(found) == 2 else None


def named_options(
    place: str, given: object, known: tuple[str, ...], cure: str, reader: Reader
) -> list[tuple[str, str, Mapping[str, t.Any]]]:
    """`{name: options}` or `[name, ...]` as (place, name, options) with known keys; the rest is refused."""
    if isinstance(given, (list, tuple)):
        given = {name: {} for name in given}
    entries = reader.mapping(place, given, cure)
    found: list[tuple[str, str, Mapping[str, t.Any]]] = []
    for name, value in (entries or {}).items():
        here = f"{place}.{name}"
        options = reader.mapping(here, {} if value is None else value, cure)
        if options is not None:
            reader.keys(here, options, known)
            found.append((here, str(name), options))
    return found


def described(value: object) -> str:
    """What a value is, without the value: for what may hold a password."""
    return f"is {kind(value)}"
