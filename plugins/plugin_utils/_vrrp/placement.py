# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places an instance on a node: its VIPs on interfaces, and the addresses from which both members speak VRRP."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader

from . import facts as host_facts
from .agreement import refuse_own_peer
from .inputs import ADDRESS_VARIABLES, Inventory, PairInput
from .instance_inputs import InstanceInput
from .model import VirtualAddress
from .values import check_host_address
from .vip_inputs import VipInput

if t.TYPE_CHECKING:
    import netaddr

LINK_LOCAL_PREFIX = 64


@dataclass(frozen=True)
class Placed:
    """Where an instance stands on a node."""

    interface: str
    vips: list[VirtualAddress]
    source: str
    peer: str


@dataclass(frozen=True)
class Site:
    """What is known of the node and of its pair while instances are placed on it."""

    inventory: Inventory
    pair: PairInput
    networks: host_facts.Networks
    reader: Reader

    def refuse(self, place: str, problem: str, cure: str) -> None:
        """Note a problem."""
        self.reader.refuse(place, problem, cure)

    def listed(self) -> str:
        """The interfaces of the node with their addresses, in one line."""
        return ", ".join(
            f"{name} {' '.join(str(entry) for entry in entries) or 'without an address'}"
            for name, entries in self.networks.items()
        )

    def has_interface(self, place: str, interface: str) -> bool:
        """Whether the node has the interface; refused otherwise."""
        if interface in self.networks:
            return True
        self.refuse(
            f"{place}.interface",
            f"{interface!r} is not an interface of {self.pair.node} ({', '.join(self.networks) or 'none found'})",
            "give one of them, or leave it out to take the one whose subnet holds the VIP",
        )
        return False


def check_primary_addresses(pair: PairInput, gathered: Mapping[str, t.Any], reader: Reader) -> None:
    """Refuse a VIP that the node has as its own address: keepalived adds its own behind others.

    Where the interface was named, the VIP may be the only address there, and then it is keepalived's.
    """
    primary = host_facts.primary_addresses(gathered)
    for instance in pair.instances:
        for vip in instance.vips:
            if vip.address in primary and vip.interface is None and instance.interface is None:
                reader.refuse(
                    vip.place,
                    f"{vip.address} is the own address of {pair.node} on {primary[vip.address]}",
                    "give an address that no machine has",
                )


def place_instance(site: Site, given: InstanceInput) -> Placed | None:
    """The instance on its interfaces, or None after a refusal.

    The interface of the instance is the given one, else the one whose subnet holds the first VIP of the adverts.
    """
    if given.interface is not None and not site.has_interface(given.place, given.interface):
        return None
    first = next((vip for vip in given.vips if not vip.excluded), None)
    if first is None:
        return None
    leading = _place_vip(site, first, given.interface, None)
    if leading is None:
        return None
    interface = given.interface or leading[0].interface
    vips = []
    network = leading[1]
    for vip in given.vips:
        placed = leading if vip is first else _place_vip(site, vip, given.interface, interface)
        if placed is None:
            continue
        vips.append(placed[0])
        if network is None and not vip.excluded:
            network = placed[1]
    node, peer = site.pair.node, site.pair.peer
    source = _address(site, node, given.family, network)
    other = _address(site, peer, given.family, network)
    if source is None or other is None:
        return None
    name = ADDRESS_VARIABLES[given.family]
    if source == other:
        refuse_own_peer(f"{peer}: {name}", other, node, site.reader)
        return None
    if source not in [str(entry.ip) for entries in site.networks.values() for entry in entries]:
        site.refuse(
            f"{node}: {name}",
            f"{source} is on no interface of {node} ({site.listed()})",
            "give the address that this node has on the VRRP network",
        )
        return None
    return Placed(interface, vips, source, other)


def _place_vip(
    site: Site, vip: VipInput, instance_interface: str | None, leading_interface: str | None
) -> tuple[VirtualAddress, netaddr.IPNetwork | None] | None:
    """The VIP with prefix and interface, and the network that holds it, if an interface is in it.

    leading_interface: that of the first VIP, which a link-local one takes: every link has its network.
    """
    node = site.pair.node
    interface = vip.interface or instance_interface
    if interface is None and vip.link_local:
        interface = leading_interface or _only_interface(site, vip)
        if interface is None:
            return None
    if interface is not None and not site.has_interface(vip.place, interface):
        return None
    within = {interface: site.networks[interface]} if interface is not None else site.networks
    holders = host_facts.interfaces_holding(vip.address, within)
    if interface is None:
        if not holders:
            site.refuse(
                vip.place,
                f"no interface of {node} has a subnet that holds {vip.address} ({site.listed()})",
                "correct the VIP, or name the interface and the prefix",
            )
            return None
        names = sorted({name for name, network in holders if network.prefixlen == holders[0][1].prefixlen})
        if len(names) > 1:
            site.refuse(
                vip.place,
                f"several interfaces of {node} have a subnet that holds {vip.address} ({', '.join(names)})",
                "name the interface of the instance",
            )
            return None
        interface = names[0]
    prefix = vip.prefix
    if prefix is None and vip.link_local:
        prefix = LINK_LOCAL_PREFIX
    if prefix is None:
        if not holders:
            example = 24 if vip.family == 4 else 64
            site.refuse(
                vip.place,
                f"the prefix of {vip.address} cannot be told: {interface} of {node} has no subnet that holds it",
                f"give it with the address, such as {vip.address}/{example}",
            )
            return None
        prefix = int(holders[0][1].prefixlen)
        check_host_address(vip.place, vip.address, prefix, site.reader)
    return VirtualAddress(vip.address, prefix, interface, vip.excluded), holders[0][1] if holders else None


def _only_interface(site: Site, vip: VipInput) -> str | None:
    if len(site.networks) == 1:
        return next(iter(site.networks))
    site.refuse(
        vip.place,
        f"{vip.address} is link-local, and every interface of {site.pair.node} has that network",
        "name the interface of the instance",
    )
    return None


def _address(site: Site, member: str, family: int, network: netaddr.IPNetwork | None) -> str | None:
    """The address from which a member speaks VRRP.

    The inventory decides wherever it can, so that a run that reaches only one node prints the same configuration.
    """
    given = site.pair.addresses[member].get(family)
    explicit = (member, family) in site.pair.explicit
    if given is not None and (explicit or network is None or given in network.cidr):
        return given
    known = site.networks
    if member != site.pair.node:
        known = host_facts.networks(site.inventory[member].get("ansible_facts") or {}, without=all_vips(site.pair))
    if network is not None:
        for entries in known.values():
            for entry in entries:
                if entry.version == family and entry.ip in network.cidr:
                    return str(entry.ip)
    source = f"ansible_host {given}" if given else "the inventory"
    where = f"in {network.cidr}" if network is not None else "on the VRRP network"
    site.refuse(
        f"{member}: {ADDRESS_VARIABLES[family]}",
        f"is missing, and {source} gives no address of {member} {where}",
        "set it to the address from which this node speaks VRRP",
    )
    return None


def all_vips(pair: PairInput) -> Sequence[str]:
    """The VIPs of all instances of the pair."""
    return [vip.address for instance in pair.instances for vip in instance.vips]
