# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a client is: itself, or what proxies in front of the node say, where those are trusted."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from .._problems import Reader, shown

HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
NETWORKS_CURE = "give a list of addresses and networks such as [192.0.2.0/24], or []"


@dataclass(frozen=True)
class Clients:
    """`trusted` are the networks of proxies in front of the node, which say in `header` who the client is.

    The others are the values of the headers that a server behind the node gets: what a client claims of itself, it does
    not get to see.
    """

    trusted: tuple[str, ...]
    header: str
    proto: str
    host: str
    port: str


def read_clients(reader: Reader, trusted: object, header: object) -> Clients:
    """The model of `nginx_real_ip_from` and `nginx_real_ip_header`."""
    networks = _networks(reader, "nginx_real_ip_from", trusted)
    name = reader.text("nginx_real_ip_header", header, "give a header name such as X-Forwarded-For") or ""
    if name and not HEADER.fullmatch(name):
        reader.refuse(
            "nginx_real_ip_header",
            f"{shown(name)} is not a header name",
            "give letters, digits and -, such as X-Forwarded-For",
        )
    if not networks:
        return Clients((), name, "$scheme", "$http_host", "$server_port")
    # Maps of the template: what a trusted proxy says, else the same as above.
    return Clients(networks, name, "$ha_pair_proto", "$ha_pair_host", "$ha_pair_port")


def _networks(reader: Reader, place: str, given: object) -> tuple[str, ...]:
    found: list[str] = []
    for index, entry in enumerate(reader.sequence(place, given, NETWORKS_CURE) or ()):
        where = f"{place}[{index}]"
        text = reader.text(where, entry, NETWORKS_CURE)
        if text is None:
            continue
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            reader.refuse(where, f"{shown(text)} is neither an address nor a network", "give one such as 192.0.2.0/24")
            continue
        if "/" in text and str(network.network_address) != str(ipaddress.ip_interface(text).ip):
            reader.refuse(where, f"{shown(text)} has bits beside its network", f"give {network}, or an address alone")
        elif network.prefixlen == 0:
            reader.refuse(
                where,
                f"{shown(text)} is everybody, so that any client could pass for another",
                "give the addresses of the proxies in front of this node",
            )
        elif str(network) in found:
            reader.refuse(where, f"{shown(text)} is given twice", "name each network once")
        else:
            found.append(str(network))
    return tuple(found)
