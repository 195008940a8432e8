# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the model reads from the facts of a host: its platform, its rights and its networks."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError

from .capabilities import Capabilities, capabilities, packaged_version

try:
    import netaddr
except ImportError:  # requirements.py says so, with the cure
    netaddr = None  # type: ignore[assignment]

SUPPORTED: dict[str, tuple[str, ...]] = {
    "Debian": ("11", "12", "13"),
    "CentOS": ("7", "8", "9", "10"),
    "RedHat": ("7", "8", "9", "10"),
    "Rocky": ("8", "9", "10"),
    "AlmaLinux": ("8", "9", "10"),
    "OracleLinux": ("7", "8", "9", "10"),
    "Scientific": ("7",),
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


def known_capabilities(inventory: Mapping[str, Mapping[str, t.Any]], host: str) -> Capabilities | None:
    """What keepalived of a host can do, as far as this run knows it: None without a look at it and without its facts.

    What the keepalived role found on it in this run counts more than what its distribution packages.
    """
    variables = inventory[host]
    survey = variables.get("__keepalived_survey") or {}
    version = ((survey.get("survey") or {}).get("keepalived") or {}).get("version")
    known = platform(variables.get("ansible_facts") or {})
    if not version and known is not None:
        version = packaged_version(known[0], known[2])
    try:
        return capabilities(version) if version else None
    except InputError:
        return None  # its own plan says so


def has_selinux(facts: object) -> bool:
    """Whether SELinux is on, enforcing or permissive; False without facts."""
    found = facts.get("selinux") if isinstance(facts, Mapping) else None
    return isinstance(found, Mapping) and found.get("status") == "enabled"


def _details(facts: Mapping[str, t.Any], name: str) -> Mapping[str, t.Any] | None:
    # Ansible replaces dashes in the key of an interface's facts, not in the list of names.
    found = facts.get(name, facts.get(name.replace("-", "_")))
    return found if isinstance(found, Mapping) else None


def _global_ipv6(details: Mapping[str, t.Any]) -> list[Mapping[str, t.Any]]:
    """The IPv6 addresses of an interface that other links could reach; every link has the same link-local network."""
    return [entry for entry in details.get("ipv6", []) if entry.get("scope") not in ("link", "host")]


def networks(facts: Mapping[str, t.Any], without: Iterable[str] = ()) -> Networks:
    """The addresses of each interface with their networks; loopback, link-local ones and those in `without` left out.

    A VIP must be left out: on its owner it looks like any other address.
    """
    skipped = {str(address) for address in without}
    found: Networks = {}
    for name in facts.get("interfaces", []):
        details = _details(facts, str(name))
        if name == "lo" or details is None:
            continue
        found[str(name)] = []
        entries = [details.get("ipv4", {}), *details.get("ipv4_secondaries", []), *_global_ipv6(details)]
        for entry in entries:
            address, mask = entry.get("address"), entry.get("prefix") or entry.get("netmask")
            if address and mask:
                network = netaddr.IPNetwork(f"{address}/{mask}")
                if str(network.ip) not in skipped:
                    found[str(name)].append(network)
    return found


def primary_addresses(facts: Mapping[str, t.Any]) -> dict[str, str]:
    """The addresses that cannot have been added behind another one, with the interface's name.

    Of IPv4 the first of each interface. The kernel lists IPv6 addresses in an order that says nothing: there an address
    counts when it is the only one of its interface.
    """
    found = {}
    for name in facts.get("interfaces", []):
        details = _details(facts, str(name))
        if details is None:
            continue
        if details.get("ipv4", {}).get("address"):
            found[str(details["ipv4"]["address"])] = str(name)
        six = _global_ipv6(details)
        if len(six) == 1 and six[0].get("address"):
            found[str(netaddr.IPAddress(str(six[0]["address"])))] = str(name)
    return found


def interfaces_holding(address: str, known: Networks) -> list[tuple[str, netaddr.IPNetwork]]:
    """The interfaces whose network holds the address, the narrowest network first."""
    number = netaddr.IPAddress(address)
    held = [
        (name, network)
        for name, addresses in known.items()
        for network in addresses
        if network.version == number.version
        and network.prefixlen < (32 if network.version == 4 else 128)
        and number in network.cidr
    ]
    return sorted(held, key=lambda pair: (-pair[1].prefixlen, pair[0]))
