# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse a lab subnet that this machine already routes elsewhere.

Docker checks its own networks only; a VPN or a company network of the same numbers would silently be cut off.
"""

from __future__ import annotations

import argparse
import ipaddress
import sys
from dataclasses import dataclass
from pathlib import Path

ROUTES = Path("/proc/net/route")
# The lab's VIP is the 100th address of the subnet.
LONGEST_PREFIX = 25
CURE = "set HA_PAIR_LAB_SUBNET to a free subnet, for example HA_PAIR_LAB_SUBNET={example}"


@dataclass(frozen=True)
class Route:
    """One destination of the kernel's main routing table."""

    network: ipaddress.IPv4Network
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


def parse_subnet(value: str) -> ipaddress.IPv4Network:
    """Read the user's subnet."""
    cure = CURE.format(example="172.29.78.0/24")
    try:
        subnet = ipaddress.IPv4Network(value)
    except ValueError as exc:
        raise SubnetError(f"HA_PAIR_LAB_SUBNET={value}: {exc}; {cure}") from exc
    if subnet.prefixlen > LONGEST_PREFIX:
        raise SubnetError(
            f"HA_PAIR_LAB_SUBNET={value} is too small, the lab needs at least a /{LONGEST_PREFIX}; {cure}",
        )
    return subnet


def find_free(subnet: ipaddress.IPv4Network, routes: list[Route]) -> ipaddress.IPv4Network:
    """Return a /24 near the wanted subnet that nothing overlaps."""
    start = int(subnet.network_address) & 0xFFFF0000
    for third in range(256):
        candidate = ipaddress.IPv4Network((start | third << 8, 24))
        if not any(candidate.overlaps(route.network) for route in routes) and not candidate.overlaps(subnet):
            return candidate
    return ipaddress.IPv4Network("10.213.77.0/24")


def check(value: str, routes: list[Route], own_interface: str | None) -> ipaddress.IPv4Network:
    """Return the subnet, or raise when a route that is not the lab's own or the default one overlaps it."""
    subnet = parse_subnet(value)
    foreign = [route for route in routes if route.network.prefixlen > 0 and route.interface != own_interface]
    for route in foreign:
        if route.network.overlaps(subnet):
            raise SubnetError(
                f"HA_PAIR_LAB_SUBNET={subnet} overlaps the route {route.network} on {route.interface} of this "
                f"machine; {CURE.format(example=find_free(subnet, foreign))}",
            )
    return subnet


def main(arguments: list[str] | None = None) -> int:
    """Check the subnet that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subnet")
    parser.add_argument(
        "--own-network", default="", help="the identifier of the lab's own Docker network, if it exists"
    )
    options = parser.parse_args(arguments)
    own_interface = f"br-{options.own_network[:12]}" if options.own_network else None
    # Only Linux has the table; elsewhere the engine lives in a virtual machine with routes of its own.
    routes = parse_routes(ROUTES.read_text(encoding="ascii")) if ROUTES.exists() else []
    try:
        check(options.subnet, routes, own_interface)
    except SubnetError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
