# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what else an instance watches: further interfaces, processes, and witnesses outside the pair."""

from __future__ import annotations

import math
import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown

from .model import HARDEST_WEIGHT
from .values import endpoint, ip_address, is_loopback, mount_point, named_options, weight
from .vip_inputs import read_interface

INTERFACE_KEYS = ("weight",)
PROCESS_KEYS = ("full_command", "quorum", "weight")
WITNESS_KINDS = ("mount", "ping", "tcp")
WITNESS_KEYS = (*WITNESS_KINDS, "fall", "interval", "rise", "timeout", "weight")

WITNESS_WEIGHT = -20
"""What a node loses that does not reach a witness: more than the preferred node is ahead, and more than a planned
switchover adds."""

WITNESS_SECONDS = {"interval": 1.0, "timeout": 0.5}
MOUNT_SECONDS = {"interval": 2.0, "timeout": 1.5}
"""How often a witness is asked and how long it may take, in seconds. A file server answers more slowly than a gateway,
and one that is merely busy should move nothing: with three misses a hang is noticed after 6 to 8 s. The timeout is
below the interval, so that both nodes ask at the same moments whatever the answers are."""


@dataclass(frozen=True)
class InterfaceInput:
    """A further interface as written."""

    place: str
    name: str
    weight: int


@dataclass(frozen=True)
class ProcessInput:
    """A process as written. `words`: its name, or with `full_command` its command line."""

    place: str
    name: str
    words: tuple[str, ...]
    full_command: bool
    quorum: int
    weight: int

    @property
    def options(self) -> tuple[object, ...]:
        """Everything but where it was written."""
        return tuple(value for name, value in vars(self).items() if name != "place")


@dataclass(frozen=True)
class WitnessInput:
    """A witness as written. kind: `mount`, `ping` or `tcp`; target: a path, an address or HOST:PORT.

    address: the address in the target, empty where there is none.
    """

    place: str
    name: str
    kind: str
    target: str
    address: str
    weight: int
    interval: float
    timeout: float
    fall: int
    rise: int

    @property
    def noticed_after(self) -> float:
        """Seconds after which its loss is noticed, at the most: it may have answered just before."""
        turn = self.interval * math.ceil(self.timeout / self.interval)
        return round(self.interval + (self.fall - 1) * turn + self.timeout, 3)

    @property
    def options(self) -> tuple[object, ...]:
        """Everything but where it was written."""
        return tuple(value for name, value in vars(self).items() if name != "place")


def read_interfaces(place: str, given: object, reader: Reader) -> tuple[InterfaceInput, ...]:
    """The interfaces that are watched besides the instance's own."""
    found = []
    cure = "give the names of further interfaces, such as [eth1] or {eth1: {weight: -20}}"
    for here, key, options in named_options(place, given, INTERFACE_KEYS, cure, reader):
        name = read_interface(here, key, reader)
        change = weight(f"{here}.weight", options.get("weight", 0), reader)
        if name is not None and change is not None:
            found.append(InterfaceInput(here, name, change))
    return tuple(found)


def read_processes(place: str, given: object, reader: Reader) -> tuple[ProcessInput, ...]:
    """The processes that must run."""
    found = []
    cure = "give the names of processes, such as [haproxy] or {haproxy: {weight: -20}}"
    for here, name, options in named_options(place, given, PROCESS_KEYS, cure, reader):
        process = _read_process(here, name, options, reader)
        if process is not None:
            found.append(process)
    return tuple(found)


def _read_process(place: str, name: str, options: Mapping[str, t.Any], reader: Reader) -> ProcessInput | None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", name):
        reader.refuse(place, f"{name!r} is not a name", "use letters, digits, _, . and - (32 at the most)")
        return None
    words = [name]
    command = options.get("full_command")
    cure = "give the command line as it stands in /proc/PID/cmdline, such as /usr/bin/java -jar /srv/app.jar"
    if command is not None:
        text = reader.text(f"{place}.full_command", command, cure)
        if text is None:
            return None
        words = text.split()
        if re.search(r"[\"'\\{}#!$~\x00-\x1f\x7f]", text):
            reader.refuse(
                f"{place}.full_command",
                f"{shown(text)} holds a quote or a character that keepalived interprets",
                "watch a systemd service (services) instead",
            )
            return None
    elif len(name) > 15:
        reader.refuse(
            place,
            f"{name!r} has {len(name)} characters, and the kernel keeps 15 of a process's name",
            "give full_command, the whole command line; the name here is then yours to choose",
        )
        return None
    quorum = reader.integer(
        f"{place}.quorum", options.get("quorum", 1), 1, 65535, "give how many of them must run, such as 1"
    )
    change = weight(f"{place}.weight", options.get("weight", 0), reader)
    if quorum is None or change is None:
        return None
    return ProcessInput(place, name, tuple(words), command is not None, quorum, change)


def read_witnesses(place: str, given: object, reader: Reader) -> tuple[WitnessInput, ...]:
    """What lies outside the pair and a well node reaches: machines, and file systems of a server."""
    cure = "give witnesses by name, such as {gateway: {ping: 192.0.2.1}}"
    found = []
    witnesses = reader.mapping(place, given, cure)
    if witnesses is None:
        return ()
    for here, name, options in named_options(place, witnesses, WITNESS_KEYS, cure, reader):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", name):
            reader.refuse(here, f"{name!r} is not a name", "use letters, digits, _ and - (32 at the most)")
            continue
        witness = _read_witness(here, name, options, reader)
        if witness is not None:
            found.append(witness)
    return tuple(found)


def _read_witness(place: str, name: str, options: Mapping[str, t.Any], reader: Reader) -> WitnessInput | None:
    target = _read_target(place, options, reader)
    change = reader.integer(
        f"{place}.weight",
        options.get("weight", WITNESS_WEIGHT),
        -HARDEST_WEIGHT,
        HARDEST_WEIGHT,
        "give a penalty such as -20",
    )
    if change == 0:
        reader.refuse(
            f"{place}.weight",
            "0 would mean FAULT: a witness that is down would take both nodes out",
            "give a penalty such as -20",
        )
    elif change is not None and change > 0:
        reader.refuse(
            f"{place}.weight", f"{change} would prefer the node that does not reach it", "give a penalty such as -20"
        )
    usual = MOUNT_SECONDS if target is not None and target[0] == "mount" else WITNESS_SECONDS
    numbers = {
        option: reader.seconds(
            f"{place}.{option}", options.get(option, default), 0.05, 3600, f"give seconds, such as {default:g}"
        )
        for option, default in usual.items()
    }
    counts = {
        option: reader.integer(f"{place}.{option}", options.get(option, 3), 1, 100, "give a count, such as 3")
        for option in ("fall", "rise")
    }
    if target is None or not change or change > 0:
        return None
    kind, text, address = target
    return WitnessInput(
        place=place,
        name=name,
        kind=kind,
        target=text,
        address=address,
        weight=change,
        interval=numbers["interval"] or usual["interval"],
        timeout=numbers["timeout"] or usual["timeout"],
        fall=counts["fall"] or 3,
        rise=counts["rise"] or 3,
    )


def _read_target(place: str, options: Mapping[str, t.Any], reader: Reader) -> tuple[str, str, str] | None:
    """(kind, target, address) of a witness."""
    given = [key for key in WITNESS_KINDS if options.get(key) is not None]
    if len(given) != 1:
        reader.refuse(
            place,
            f"has {' and '.join(given) or 'none of mount, ping and tcp'}",
            "give one of them, such as ping: 192.0.2.1, tcp: 192.0.2.1:443 or mount: /srv/data",
        )
        return None
    kind = given[0]
    here = f"{place}.{kind}"
    if kind == "mount":
        path = mount_point(here, options[kind], reader)
        return None if path is None else (kind, path, "")
    host: object = options[kind]
    text = str(host).strip()
    if kind == "tcp":
        found = endpoint(host)
        if found is None:
            reader.refuse(here, f"{shown(host)} is not ADDRESS:PORT", "give it such as 192.0.2.1:443")
            return None
        host = found[0]
    address = ip_address(host)
    if address is None:
        reader.refuse(
            here,
            f"{shown(host)} is not an address, and a name would make the witness hang on the name service",
            "give its address, such as 192.0.2.1",
        )
        return None
    if is_loopback(str(address)):
        reader.refuse(
            here, f"{address} is this node itself, which says nothing about its network", "give another machine"
        )
        return None
    if address.version == 6 and address.is_link_local():
        reader.refuse(
            here, f"{address} is a link-local address, which needs an interface", "give another of its addresses"
        )
        return None
    if address.is_multicast() or int(address) in (0, 2**32 - 1):
        reader.refuse(here, f"{address} cannot be the address of a host on a network", "give another machine")
        return None
    return kind, text if kind == "tcp" else str(address), str(address)
