# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse a lab subnet that this machine already routes elsewhere, or find a free one near it.

Docker checks its own networks only; a VPN or a company network of the same numbers would silently be cut off.
"""

from __future__ import annotations

import argparse
import ipaddress
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ROUTES = Path("/proc/net/route")
ROUTES6 = Path("/proc/net/ipv6_route")
# The lab's VIP is the 100th address of the subnet.
LONGEST_PREFIX = 25
# Hosts could not make addresses of their own in anything smaller.
LONGEST_PREFIX6 = 64
CURE = "set {variable} to a free subnet, for example {variable}={example}"
EXAMPLE = {4: "172.29.78.0/24", 6: "fd77:ac1d:4e00::/64"}


@dataclass(frozen=True)
class Route:
    """One destination of the kernel's routing tables."""

    network: Network
    interface: str


class SubnetError(ValueError):
    """The subnet cannot be the lab's."""


def parse_routes(text: str) -> list[Route]:
    """Read the format of /proc/net/route: numbers are hexadecimal in the byte order of the machine."""
    routes = []
    for line in text.splitlines()[1:]:
        interface, destination, _gateway, _flags, _refs, _use, _metric, mask = line.split()[:8]
        address = ipaddress.IPv4Address(int(destination, 16).to_bytes(4, sys.byteorder))
        netmask = ipaddress.IPv4Address(int(mask, 16).to_bytes(4, sys.byteorder))
        routes.append(Route(ipaddress.IPv4Network(f"{address}/{netmask}"), interface))
    return routes


def parse_routes6(text: str) -> list[Route]:
    """Read the format of /proc/net/ipv6_route: no header, numbers are hexadecimal in network byte order.

    The local table is in it as well: a /128 on lo for each address, which says nothing about a network.
    """
    routes = []
    for line in text.splitlines():
        words = line.split()
        if words[-1] != "lo":
            address = ipaddress.IPv6Address(bytes.fromhex(words[0]))
            routes.append(Route(ipaddress.IPv6Network((address, int(words[1], 16))), words[-1]))
    return routes


def parse_subnet(value: str, variable: str, family: int) -> Network:
    """Read the user's subnet."""
    cure = CURE.format(variable=variable, example=EXAMPLE[family])
    try:
        subnet = ipaddress.IPv4Network(value) if family == 4 else ipaddress.IPv6Network(value)
    except ValueError as exc:
        raise SubnetError(f"{variable}={value}: {exc}; {cure}") from exc
    longest = LONGEST_PREFIX if family == 4 else LONGEST_PREFIX6
    if subnet.prefixlen > longest:
        raise SubnetError(f"{variable}={value} is too small, the lab needs at least a /{longest}; {cure}")
    return subnet


def candidates(subnet: Network) -> Iterable[Network]:
    """Yield subnets near the wanted one: /24, or /64 for IPv6."""
    if isinstance(subnet, ipaddress.IPv4Network):
        start = int(subnet.network_address) & 0xFFFF0000
        for third in range(256):
            yield ipaddress.IPv4Network((start | third << 8, 24))
        yield ipaddress.IPv4Network("10.213.77.0/24")
    else:
        start = int(ipaddress.IPv6Address("fd77:ac1d::"))
        for third in range(256):
            yield ipaddress.IPv6Network((start | third << 88, 64))
        yield ipaddress.IPv6Network("fdd5:4d00:ac1d::/64")


def find_free(subnet: Network, routes: list[Route]) -> Network:
    """Return a subnet near the wanted one that nothing overlaps."""
    candidate = subnet
    for candidate in candidates(subnet):
        if not any(overlap(candidate, route.network) for route in routes) and not overlap(candidate, subnet):
            break
    return candidate


def overlap(one: Network, other: Network) -> bool:
    """Whether two networks share addresses; of different families they do not."""
    return one.version == other.version and one.overlaps(other)


def check(
    value: str,
    routes: list[Route],
    own_interface: str | None,
    variable: str = "HA_PAIR_LAB_SUBNET",
    family: int = 4,
) -> Network:
    """Return the subnet, or raise when a route that is not the lab's own or the default one overlaps it."""
    subnet = parse_subnet(value, variable, family)
    foreign = [route for route in routes if route.network.prefixlen > 0 and route.interface != own_interface]
    for route in foreign:
        if overlap(route.network, subnet):
            raise SubnetError(
                f"{variable}={subnet} overlaps the route {route.network} on {route.interface} of this machine; "
                + CURE.format(variable=variable, example=find_free(subnet, foreign)),
            )
    return subnet


def main(arguments: list[str] | None = None) -> int:
    """Check the subnet that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subnet")
    parser.add_argument("--family", type=int, choices=(4, 6), default=4)
    parser.add_argument("--variable", default="HA_PAIR_LAB_SUBNET", help="where the user says the subnet")
    parser.add_argument(
        "--own-network", default="", help="the identifier of the lab's own Docker network, if it exists"
    )
    parser.add_argument("--free", action="store_true", help="print a free subnet near this one, and check nothing")
    options = parser.parse_args(arguments)
    own_interface = f"br-{options.own_network[:12]}" if options.own_network else None
    table, parse = (ROUTES, parse_routes) if options.family == 4 else (ROUTES6, parse_routes6)
    # Only Linux has the tables; elsewhere the engine lives in a virtual machine with routes of its own.
    routes = parse(table.read_text(encoding="ascii")) if table.exists() else []
    try:
        if options.free:
            known = [route for route in routes if route.network.prefixlen > 0]
            print(find_free(parse_subnet(options.subnet, options.variable, options.family), known))
            return 0
        check(options.subnet, routes, own_interface, options.variable, options.family)
    except SubnetError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
