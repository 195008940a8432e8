# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the model reads from the facts of a host: its platform, its rights and its networks."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

try:
    import netaddr
except ImportError:  # build.py says so, with the cure
    netaddr = None  # type: ignore[assignment]

SUPPORTED: dict[str, tuple[str, ...]] = {
    "Debian": ("11", "12", "13"),
    "CentOS": ("8", "9", "10"),
    "RedHat": ("8", "9", "10"),
    "Rocky": ("8", "9", "10"),
    "AlmaLinux": ("8", "9", "10"),
    "OracleLinux": ("8", "9", "10"),
}
"""Distributions and major versions, as Ansible's facts call them."""

Networks: t.TypeAlias = "dict[str, list[netaddr.IPNetwork]]"


def supported_names() -> str:
    """The supported distributions in one line."""
    return ", ".join(f"{name} {'/'.join(versions)}" for name, versions in SUPPORTED.items())


def platform(facts: Mapping[str, t.Any]) -> tuple[str, str, str] | None:
    """(family, distribution, major version), or None when the facts were not gathered."""
    if "distribution" not in facts:
        return None
    return (
        str(facts.get("os_family", "")),
        str(facts["distribution"]),
        str(facts.get("distribution_major_version", "")),
    )


def networks(facts: Mapping[str, t.Any], without: Iterable[str] = ()) -> Networks:
    """The IPv4 addresses of each interface with their networks, loopback and the addresses in `without` left out.

    A VIP must be left out: on its owner it looks like any other address.
    """
    skipped = {str(address) for address in without}
    found: Networks = {}
    for name in facts.get("interfaces", []):
        # Ansible replaces dashes in the key of an interface's facts, not in the list of names.
        details = facts.get(name, facts.get(str(name).replace("-", "_")))
        if name == "lo" or not isinstance(details, Mapping):
            continue
        found[str(name)] = []
        primary = details.get("ipv4", {})
        for entry in [primary, *details.get("ipv4_secondaries", [])]:
            address, mask = entry.get("address"), entry.get("prefix") or entry.get("netmask")
            if address and mask and str(address) not in skipped:
                found[str(name)].append(netaddr.IPNetwork(f"{address}/{mask}"))
    return found


def primary_addresses(facts: Mapping[str, t.Any]) -> dict[str, str]:
    """The first address of each interface, with the interface's name."""
    found = {}
    for name in facts.get("interfaces", []):
        details = facts.get(name, facts.get(str(name).replace("-", "_")))
        if isinstance(details, Mapping) and details.get("ipv4", {}).get("address"):
            found[str(details["ipv4"]["address"])] = str(name)
    return found


def interfaces_holding(address: str, known: Networks) -> list[tuple[str, netaddr.IPNetwork]]:
    """The interfaces whose network holds the address, the narrowest network first."""
    held = [
        (name, network)
        for name, addresses in known.items()
        for network in addresses
        if network.prefixlen < 32 and address in network.cidr
    ]
    return sorted(held, key=lambda pair: (-pair[1].prefixlen, pair[0]))
