# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the VRRP instances of a pair, as one of its members gives them."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown

from .model import HIGHEST_PRIORITY, PREFERRED_PRIORITY, PROFILES, STANDBY_PRIORITY, SWITCHOVER_RAISE
from .raw_options import OWNED_BY_INSTANCE, read_lines
from .service_inputs import ServiceInput, read_services
from .tracking_inputs import (
    InterfaceInput,
    ProcessInput,
    WitnessInput,
    read_interfaces,
    read_processes,
    read_witnesses,
)
from .values import boolean, described
from .vip_inputs import VipInput, family_of, read_interface, read_vips
from .weights import Weight, check_weights

INSTANCE_KEYS = (
    "advert_interval",
    "auth_pass",
    "interface",
    "mode",
    "multicast",
    "options",
    "preempt_delay",
    "preferred",
    "priorities",
    "profile",
    "services",
    "smtp_alert",
    "sync_group",
    "track_interfaces",
    "track_processes",
    "vips",
    "vrid",
    "vrrp_version",
    "witnesses",
)
MODES = ("preferred", "sticky")

DEFAULT_PREEMPT_DELAY = 5.0
"""How long the preferred node must be well before it takes the VIP back."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True)
class InstanceInput:
    """An instance as written, with the defaults that need no host. `smtp_alert` is None where nothing is said."""

    place: str
    name: str
    vrid: int
    interface: str | None
    family: int
    vrrp_version: int
    auth_pass: str | None = field(repr=False)
    mode: str
    preferred: str | None
    priorities: tuple[int, int]
    advert_interval: float
    preempt_delay: float
    multicast: bool
    sync_group: str | None
    smtp_alert: bool | None
    vips: tuple[VipInput, ...]
    services: tuple[ServiceInput, ...]
    interfaces: tuple[InterfaceInput, ...]
    processes: tuple[ProcessInput, ...]
    witnesses: tuple[WitnessInput, ...]
    options: tuple[str, ...]

    def weights(self) -> list[Weight]:
        """All weights that are not 0."""
        tracked: list[InterfaceInput | ProcessInput | WitnessInput] = [
            *self.interfaces,
            *self.processes,
            *self.witnesses,
        ]
        return [Weight(f"{one.place}.weight", one.weight) for one in tracked if one.weight]


def read_instances(
    node: str, given: object, members: tuple[str, str] | None, reader: Reader
) -> tuple[InstanceInput, ...]:
    """The instances as `node` gives them; what one of them says alone is checked here."""
    place = f"{node}: keepalived_instances"
    cure = "give at least one instance, such as {web: {vrid: 51, vips: [192.0.2.10]}}"
    if given is None:
        reader.refuse(place, "is missing", cure)
        return ()
    instances = reader.mapping(place, _without_secrets(given), cure)
    if instances is None or not isinstance(given, Mapping):
        return ()
    if not instances:
        reader.refuse(place, "is empty", cure)
    read = (_read_instance(f"{place}.{name}", str(name), value, members, reader) for name, value in given.items())
    return tuple(instance for instance in read if instance is not None)


def _without_secrets(given: object) -> object:
    """The same without passwords, for a message that shows it."""
    if isinstance(given, Mapping):
        return {key: "..." if key == "auth_pass" else _without_secrets(value) for key, value in given.items()}
    if isinstance(given, (list, tuple)):
        return [_without_secrets(value) for value in given]
    return given


def _read_instance(
    place: str, name: str, given: object, members: tuple[str, str] | None, reader: Reader
) -> InstanceInput | None:
    if not NAME.fullmatch(name):
        reader.refuse(
            place, f"{name!r} is not a name", "start with a letter and use letters, digits, _ and - (32 at the most)"
        )
    cure = "give a dictionary such as {vrid: 51, vips: [192.0.2.10]}"
    if reader.mapping(place, _without_secrets(given), cure) is None or not isinstance(given, Mapping):
        return None
    options: Mapping[str, t.Any] = given
    reader.keys(place, {key: None for key in options if key != "nopreempt"}, INSTANCE_KEYS)
    vrid_cure = "give each instance a VRID of its own between 1 and 255, for example 51"
    vrid: int | None = None
    if options.get("vrid") is None:
        reader.refuse(f"{place}.vrid", "is missing", vrid_cure)
    else:
        vrid = reader.integer(f"{place}.vrid", options["vrid"], 1, 255, vrid_cure)
    vips = read_vips(place, options.get("vips"), reader)
    version = _read_version(f"{place}.vrrp_version", options.get("vrrp_version", 3), family_of(vips), reader)
    services = read_services(f"{place}.services", _or_none(options, "services"), reader)
    # A move stops a service and starts it: none without need, and none for a moment's silence.
    lazy = any(service.active_standby for service in services)
    usual = "sticky" if lazy else "preferred"
    mode = reader.choice(f"{place}.mode", options.get("mode", usual), MODES, "give one of them") or usual
    preferred = _read_preferred(place, options.get("preferred"), mode, members, reader)
    multicast = None
    if options.get("multicast") is not None:
        multicast = boolean(f"{place}.multicast", options["multicast"], reader)
    smtp_alert = None
    if options.get("smtp_alert") is not None:
        smtp_alert = boolean(f"{place}.smtp_alert", options["smtp_alert"], reader)
    instance = InstanceInput(
        place=place,
        name=name,
        vrid=vrid or 0,
        interface=read_interface(f"{place}.interface", options.get("interface"), reader),
        family=family_of(vips),
        vrrp_version=version,
        auth_pass=_read_auth_pass(f"{place}.auth_pass", options.get("auth_pass"), version, reader),
        mode=mode,
        preferred=preferred,
        priorities=_read_priorities(place, options.get("priorities"), mode, preferred, members, reader),
        advert_interval=_read_advert_interval(place, options, version, reader, lazy=lazy),
        preempt_delay=_read_preempt_delay(place, options, mode, reader),
        multicast=bool(multicast),
        sync_group=_read_sync_group(f"{place}.sync_group", options.get("sync_group"), reader),
        smtp_alert=smtp_alert,
        vips=vips,
        services=services,
        interfaces=read_interfaces(f"{place}.track_interfaces", _or_none(options, "track_interfaces"), reader),
        processes=read_processes(f"{place}.track_processes", _or_none(options, "track_processes"), reader),
        witnesses=read_witnesses(f"{place}.witnesses", _or_none(options, "witnesses"), reader),
        options=read_lines(f"{place}.options", options.get("options"), OWNED_BY_INSTANCE, reader),
    )
    if "nopreempt" in options:
        _refuse_nopreempt(place, instance, reader)
    check_weights(place, instance.weights(), instance.priorities, reader)
    return instance if vrid is not None else None


def _or_none(options: Mapping[str, t.Any], key: str) -> object:
    """What stands there, and no entries where nothing does."""
    return {} if options.get(key) is None else options[key]


def _refuse_nopreempt(place: str, instance: InstanceInput, reader: Reader) -> None:
    weights = instance.weights()
    if weights:
        reader.refuse(
            f"{place}.nopreempt",
            f"never moves the VIP by a weight ({weights[0].place}): the standby would accept adverts of any priority",
            "remove it; mode: sticky lets a node keep the VIP and still obeys weights",
        )
    else:
        reader.refuse(f"{place}.nopreempt", "belongs to the model", OWNED_BY_INSTANCE["nopreempt"])


def _read_version(place: str, given: object, family: int, reader: Reader) -> int:
    version = reader.integer(place, given, 2, 3, "give 3, or 2 for a peer that needs it") or 3
    if version == 2 and family == 6:
        reader.refuse(
            place, "is 2, and VRRPv2 knows no IPv6", "take 3, or give the instance an IPv4 address with which it moves"
        )
    return version


def _read_auth_pass(place: str, given: object, version: int, reader: Reader) -> str | None:
    """The password of VRRPv2. No message shows it."""
    if given is None:
        return None
    # ansible-core before 2.19 hands out vaulted values in a type of its own.
    text = str(given) if isinstance(given, str) or type(given).__name__ == "AnsibleVaultEncryptedUnicode" else None
    if text is None:
        reader.refuse(place, f"{described(given)}, not a string", "give 1 to 8 characters in quotes, best from a vault")
        return None
    if version == 3:
        reader.refuse(
            place,
            "means nothing in VRRPv3, which has no authentication",
            "remove it (unicast and firewall accept VRRP from the peer only), or set vrrp_version: 2",
        )
        return None
    if not 1 <= len(text) <= 8:
        reader.refuse(place, f"has {len(text)} characters, and VRRPv2 sends 8", "give 1 to 8 characters")
    elif not re.fullmatch(r"[ !#-\[\]-~]*", text) or text != text.strip():
        reader.refuse(
            place,
            "holds a double quote, a backslash, a blank at an end or what is not printable ASCII",
            "use letters, digits and other signs",
        )
    return text


def _read_sync_group(place: str, given: object, reader: Reader) -> str | None:
    if given is None:
        return None
    cure = "give the name of the group, the same in all instances that move together"
    name = reader.text(place, given, cure)
    if name is not None and not NAME.fullmatch(name):
        reader.refuse(
            place,
            f"{shown(name)} is not a name",
            "start with a letter and use letters, digits, _ and - (32 at the most)",
        )
        return None
    return name


def _read_advert_interval(
    place: str, options: Mapping[str, t.Any], version: int, reader: Reader, *, lazy: bool
) -> float:
    default = "balanced" if version == 3 and not lazy else "conservative"
    profile = reader.choice(f"{place}.profile", options.get("profile", default), PROFILES, "give one of them")
    interval = PROFILES[profile or default]
    if version == 2 and interval < 1:
        reader.refuse(
            f"{place}.profile",
            f"{profile!r} has adverts every {interval:g} s, and VRRPv2 counts whole seconds",
            "leave it out, or take vrrp_version: 3",
        )
    given = options.get("advert_interval")
    if given is None:
        return interval
    if version == 2:
        cure = "give the whole seconds between two adverts, such as 1, or take vrrp_version: 3"
        seconds = reader.seconds(f"{place}.advert_interval", given, 1, 255, cure)
        if seconds is not None and seconds != int(seconds):
            reader.refuse(
                f"{place}.advert_interval", f"{seconds:g} is not whole, and VRRPv2 counts whole seconds", cure
            )
        return seconds or interval
    seconds = reader.seconds(
        f"{place}.advert_interval",
        given,
        0.05,
        40.95,
        "give the seconds between two adverts, such as 0.25; VRRPv3 counts in hundredths up to 40.95",
    )
    return interval if seconds is None else round(seconds, 2)


def _read_preempt_delay(place: str, options: Mapping[str, t.Any], mode: str, reader: Reader) -> float:
    delay = reader.seconds(
        f"{place}.preempt_delay",
        options.get("preempt_delay", DEFAULT_PREEMPT_DELAY if mode == "preferred" else 0),
        0,
        1000,
        "give the seconds that the preferred node must be well before it takes the VIP back, such as 5",
    )
    if mode == "sticky" and "preempt_delay" in options:
        reader.refuse(
            f"{place}.preempt_delay", "has no meaning in mode 'sticky'", "remove it, or take mode 'preferred'"
        )
    return delay or 0.0


def _read_preferred(
    place: str, given: object, mode: str, members: tuple[str, str] | None, reader: Reader
) -> str | None:
    if mode == "sticky":
        if given is not None:
            reader.refuse(
                f"{place}.preferred", "has no meaning in mode 'sticky'", "remove it, or take mode 'preferred'"
            )
        return None
    if members is None:
        return None
    if given is None:
        return members[0]
    return reader.choice(f"{place}.preferred", given, members, "name one of the two members")


def _read_priorities(
    place: str, given: object, mode: str, preferred: str | None, members: tuple[str, str] | None, reader: Reader
) -> tuple[int, int]:
    if members is None:
        return PREFERRED_PRIORITY, STANDBY_PRIORITY
    if given is None:
        if mode == "sticky":
            return PREFERRED_PRIORITY, PREFERRED_PRIORITY
        first, second = (PREFERRED_PRIORITY if member == preferred else STANDBY_PRIORITY for member in members)
        return first, second
    place = f"{place}.priorities"
    cure = f"give both members a priority up to {HIGHEST_PRIORITY}, or leave it out"
    options = reader.mapping(place, given, cure)
    if options is None:
        return PREFERRED_PRIORITY, STANDBY_PRIORITY
    reader.keys(place, options, members)
    found = {}
    for member in members:
        if member not in options:
            reader.refuse(f"{place}.{member}", "is missing", cure)
            continue
        number = reader.integer(
            f"{place}.{member}",
            options[member],
            1,
            HIGHEST_PRIORITY,
            f"stay below {HIGHEST_PRIORITY + 1}: a planned switchover adds {SWITCHOVER_RAISE} and 254 is the limit",
        )
        if number is not None:
            found[member] = number
    if len(found) < 2:
        return PREFERRED_PRIORITY, STANDBY_PRIORITY
    first, second = found[members[0]], found[members[1]]
    if mode == "sticky" and first != second:
        reader.refuse(place, f"{first} and {second} differ in mode 'sticky'", "give both the same, or leave it out")
    if mode == "preferred" and preferred is not None:
        gap = found[preferred] - min(number for member, number in found.items() if member != preferred)
        if gap == 0:
            reader.refuse(
                place,
                f"{first} and {second} are equal in mode 'preferred', so nobody is preferred",
                f"give the preferred node 1 to {SWITCHOVER_RAISE - 1} more than its peer, or take mode 'sticky'",
            )
        elif not 0 < gap < SWITCHOVER_RAISE:
            reader.refuse(
                place,
                f"{preferred} is {gap} above its peer",
                f"give the preferred node 1 to {SWITCHOVER_RAISE - 1} more than its peer, or leave it out",
            )
    return first, second
