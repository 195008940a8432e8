# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the VIPs of an instance: addresses of both families, with or without prefix and interface."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown

from .values import boolean, check_host_address, ip_address

VIP_KEYS = ("address", "excluded", "interface", "prefix")


@dataclass(frozen=True)
class VipInput:
    """A VIP as written: prefix and interface may still be unknown. `excluded`: not named in the adverts."""

    place: str
    address: str
    family: int
    prefix: int | None
    interface: str | None
    excluded: bool

    @property
    def link_local(self) -> bool:
        """Whether the address means something on one link only."""
        number = ip_address(self.address)
        return self.family == 6 and number is not None and bool(number.is_link_local())


@dataclass(frozen=True)
class _Written:
    """A VIP before the family of the instance is known: `excluded` may be left open."""

    vip: VipInput
    excluded: bool | None


def read_interface(place: str, given: object, reader: Reader) -> str | None:
    """The name of an interface, or None when none is given or after a refusal."""
    if given is None:
        return None
    name = reader.text(place, given, "give the name of an interface such as eth0, or leave it out")
    if name is not None and not re.fullmatch(r"[^\s/\"'{}#!$\\]{1,15}", name):
        reader.refuse(place, f"{name!r} is not the name of an interface", "give a name such as eth0, or leave it out")
        return None
    return name


def read_vips(place: str, given: object, reader: Reader) -> tuple[VipInput, ...]:
    """The VIPs of an instance in the order of the input.

    One IPv4 address makes it an IPv4 instance. An advert holds addresses of one family: those of the other are
    excluded from it, and move all the same.
    """
    place = f"{place}.vips"
    cure = "give at least one address, such as [192.0.2.10]"
    if given is None:
        reader.refuse(place, "is missing", cure)
        return ()
    values = reader.sequence(place, given, cure)
    if values is None:
        return ()
    if not values:
        reader.refuse(place, "is empty", cure)
    read = (_read_vip(f"{place}[{index}]", value, reader) for index, value in enumerate(values))
    written = [vip for vip in read if vip is not None]
    family = min((entry.vip.family for entry in written), default=4)
    found = []
    for entry in written:
        foreign = entry.vip.family != family
        if foreign and entry.excluded is False:
            reader.refuse(
                f"{entry.vip.place}.excluded",
                f"is false, but the adverts of an instance with an IPv4 address cannot name {entry.vip.address}",
                "leave it out (the address moves with the others all the same), or give it an instance of its own",
            )
        found.append(VipInput(**{**vars(entry.vip), "excluded": foreign or bool(entry.excluded)}))
    if found and all(vip.excluded for vip in found) and len(found) == len(values):
        reader.refuse(
            place, "all are excluded, and an advert names at least one", f"leave one IPv{family} address in it"
        )
    return tuple(found)


def family_of(vips: tuple[VipInput, ...]) -> int:
    """4 or 6: the family of the adverts."""
    return min((vip.family for vip in vips), default=4)


def _read_vip(place: str, given: object, reader: Reader) -> _Written | None:
    cure = "give an address with or without prefix, such as 192.0.2.10, 192.0.2.10/24 or 2001:db8::10/64"
    options: Mapping[str, t.Any]
    if isinstance(given, Mapping):
        options = given
        reader.keys(place, options, VIP_KEYS)
    elif isinstance(given, str):
        text, slash, prefix = str(given).partition("/")
        options = {"address": text, "prefix": prefix} if slash else {"address": text}
    else:
        reader.refuse(place, f"{shown(given)} is not an address", cure)
        return None
    address = options.get("address")
    number = ip_address(address)
    if number is None:
        reader.refuse(place, f"{shown(address if address is not None else given)} is not an address", cure)
        return None
    mapped = number.version == 6 and bool(number.is_ipv4_mapped())
    if number.is_loopback() or number.is_multicast() or mapped or int(number) in (0, 2**32 - 1):
        reader.refuse(place, f"{number} cannot be the address of a host on a network", cure)
        return None
    prefix_length: int | None = None
    if options.get("prefix") is not None:
        low, high, example = (8, 32, "192.0.2.10/24") if number.version == 4 else (16, 128, "2001:db8::10/64")
        prefix_length = reader.integer(
            place, options["prefix"], low, high, f"give a prefix length between {low} and {high}, such as {example}"
        )
        if prefix_length is None:
            return None
        check_host_address(place, str(number), prefix_length, reader)
    interface = read_interface(f"{place}.interface", options.get("interface"), reader)
    excluded = None
    if options.get("excluded") is not None:
        excluded = boolean(f"{place}.excluded", options["excluded"], reader)
    return _Written(VipInput(place, str(number), number.version, prefix_length, interface, False), excluded)
