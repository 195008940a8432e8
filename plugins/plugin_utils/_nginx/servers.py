# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server behind a site: as a string in the words of nginx, or as a dictionary."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .._problems import Reader, shown
from . import values

NUMBERS = {"weight": 1, "max_fails": 0, "max_conns": 0}
"""The lowest value of each parameter that is a number."""
FLAGS = ("backup", "down")
PARAMETERS = (*NUMBERS, "fail_timeout", *FLAGS)
SERVER_KEYS = ("address", *PARAMETERS)

ADDRESS = re.compile(
    r"unix:/(?P<socket>[^\s\"';{}$\\#]+)"
    r"|(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?))(?::(?P<port>[0-9]+))?"
)
# nginx counts here in whole seconds: 10, 10s, 1m30s.
TIME = re.compile(r"(?=[0-9])(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s?)?")

ADDRESS_CURE = "give host:port such as app.example.com:8080"
SERVER_CURE = "give host:port such as app.example.com:8080, and after it parameters such as backup or max_fails=2"


@dataclass(frozen=True)
class Server:
    """A server as written, at `place`; `identity` is the same for every spelling of one address."""

    place: str
    address: str
    identity: str
    parameters: tuple[str, ...]
    drained: bool = False

    @property
    def text(self) -> str:
        """In the words of nginx."""
        return " ".join((self.address, *self.parameters))


def read_server(reader: Reader, place: str, given: object) -> Server | None:
    """The server, or None after a refusal."""
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
        parameters += read_parameter(reader, f"{place}.{name}", name, value if equals else True)
    identity = _identity(reader, place, address)
    return None if identity is None else Server(place, address, identity, tuple(parameters))


def _from_dictionary(reader: Reader, place: str, given: Mapping[str, object]) -> Server | None:
    reader.keys(place, given, SERVER_KEYS)
    parameters = [
        word
        for name in SERVER_KEYS[1:]
        if given.get(name) is not None
        for word in read_parameter(reader, f"{place}.{name}", name, given[name])
    ]
    if given.get("address") is None:
        reader.refuse(f"{place}.address", "is missing", ADDRESS_CURE)
        return None
    address = reader.text(f"{place}.address", given["address"], ADDRESS_CURE)
    identity = None if address is None else _identity(reader, f"{place}.address", address, ADDRESS_CURE)
    return None if address is None or identity is None else Server(place, address, identity, tuple(parameters))


def read_parameter(reader: Reader, place: str, name: str, given: object) -> list[str]:
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
