# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the tracked services of an instance and how they are asked whether they are well."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown

from .values import SYMLINKS, boolean, endpoint, is_loopback, named_options, words

HEALTH_KEYS = ("health_command", "health_tcp", "health_url")
CHECK_KEYS = ("check_fall", "check_interval", "check_rise", "check_timeout")
SERVICE_KEYS = (
    "active_standby",
    *CHECK_KEYS,
    *HEALTH_KEYS,
    "probe",
    "probe_fall",
    "probe_interval",
    "probe_rise",
    "probe_timeout",
)

PROBE_INTERVAL = 0.2
PROBE_TIMEOUT = 0.25
"""How often the prober asks, and how long it waits: with two misses a hang is found in about 0.7 s."""

PROBED_CHECK_FALL = 3
PROBED_CHECK_SECONDS = 2.0
"""Beside the prober the check script is a second witness, and a patient one: it is started anew each time, and on a
busy node the start alone may take a second. With one second and two misses, healthy nodes were put into FAULT (seen at
a load of five per core)."""


@dataclass(frozen=True)
class Health:
    """How a service is asked. kind: `http`, `tcp` or `command`; target: a URL, HOST:PORT or the words of a command."""

    kind: str
    target: str | list[str]


@dataclass(frozen=True)
class ServiceInput:
    """A tracked service as written. interval, timeout: of the check script, whose default hangs on keepalived.

    active_standby: it runs on the owner only, by ha-pair-active, which tells keepalived whether this node is fit.
    """

    place: str
    name: str
    active_standby: bool
    health: Health | None
    interval: float | None
    timeout: float | None
    fall: int
    rise: int
    probe: bool
    probe_interval: float
    probe_timeout: float
    probe_fall: int
    probe_rise: int

    @property
    def options(self) -> tuple[object, ...]:
        """Everything but where it was written."""
        return tuple(value for name, value in vars(self).items() if name != "place")


def read_services(place: str, given: object, reader: Reader) -> tuple[ServiceInput, ...]:
    """The services of an instance; what is not one is refused."""
    cure = "give the systemd services that must be well, such as {nginx: {health_url: http://127.0.0.1/health}}"
    found = []
    for here, name, options in named_options(place, given, SERVICE_KEYS, cure, reader):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9@_.:-]*", name) or name.endswith(".service"):
            reader.refuse(here, f"{name!r} is not a unit name", "give the service's name without .service")
        elif name.startswith("witness."):
            reader.refuse(here, f"{name!r} is how the state files of witnesses are called", "rename the unit")
        else:
            found.append(_read_service(here, name, options, reader))
    return tuple(found)


def _read_service(place: str, name: str, options: Mapping[str, t.Any], reader: Reader) -> ServiceInput:
    def seconds(option: str, low: float, example: str) -> float | None:
        value = options.get(option)
        if value is None:
            return None
        return reader.seconds(f"{place}.{option}", value, low, 3600, f"give seconds, such as {example}")

    def count(option: str, usual: int = 2) -> int:
        given = options.get(option, usual)
        return reader.integer(f"{place}.{option}", given, 1, 100, "give a count, such as 2") or usual

    probe: bool | None = True
    if options.get("probe") is not None:
        probe = boolean(f"{place}.probe", options["probe"], reader)
    active_standby = False
    if options.get("active_standby") is not None:
        active_standby = bool(boolean(f"{place}.active_standby", options["active_standby"], reader))
    health = _read_health(place, options, reader)
    if active_standby:
        _refuse_unasked(place, options, health, bool(probe), reader)
    if health is None and probe and options.get("probe") is not None:
        reader.refuse(f"{place}.probe", "has nothing to ask", f"give one of {', '.join(HEALTH_KEYS)}, or leave it out")
    return ServiceInput(
        place=place,
        name=name,
        active_standby=active_standby,
        health=health,
        interval=seconds("check_interval", 0.1, "1"),
        timeout=seconds("check_timeout", 0.1, "1"),
        fall=count("check_fall", PROBED_CHECK_FALL if probe else 2),
        rise=count("check_rise"),
        probe=health is not None and bool(probe),
        probe_interval=seconds("probe_interval", 0.05, "0.2") or PROBE_INTERVAL,
        probe_timeout=seconds("probe_timeout", 0.01, "0.25") or PROBE_TIMEOUT,
        probe_fall=count("probe_fall"),
        probe_rise=count("probe_rise"),
    )


def _refuse_unasked(
    place: str, options: Mapping[str, t.Any], health: Health | None, probe: bool, reader: Reader
) -> None:
    """Refuse what would never be used: beside an agent that starts and stops the service there is no check script."""
    for key in CHECK_KEYS:
        if options.get(key) is not None:
            reader.refuse(
                f"{place}.{key}",
                "means nothing with active_standby: keepalived asks by no check script what runs on the owner only",
                f"remove it, or give {key.replace('check_', 'probe_')} for the prober",
            )
    if health is not None and not probe:
        reader.refuse(
            f"{place}.probe",
            "is false, and with active_standby nobody but the prober asks the service",
            f"remove it, or leave {' and '.join(key for key in HEALTH_KEYS if options.get(key) is not None)} out",
        )


def _read_health(place: str, options: Mapping[str, t.Any], reader: Reader) -> Health | None:
    given = [key for key in HEALTH_KEYS if options.get(key) is not None]
    if len(given) > 1:
        reader.refuse(place, f"has {' and '.join(given)}", "give one of them")
    if not given:
        return None
    key = given[0]
    readers = {"health_url": _read_url, "health_tcp": _read_endpoint, "health_command": _read_command}
    return readers[key](f"{place}.{key}", options[key], reader)


def _refuse_remote(place: str, host: str, cure: str, reader: Reader) -> bool:
    """A shared backend behind a check that means FAULT would take both nodes out and leave nobody with the VIP."""
    if is_loopback(host):
        return False
    reader.refuse(place, f"{host!r} is not this node itself: a shared backend would put both nodes into FAULT", cure)
    return True


def _read_url(place: str, given: object, reader: Reader) -> Health | None:
    cure = "ask the service on this node, such as http://127.0.0.1/ha-pair/health"
    url = reader.text(place, given, cure)
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        reader.refuse(place, f"{url!r} is not a URL", cure)
        return None
    if parts.scheme not in ("http", "https") or not host or port == 0 or re.search(r"[\s\"'\\{}#!$]", url):
        reader.refuse(place, f"{url!r} is not a plain http or https URL", cure)
        return None
    if parts.username is not None:
        reader.refuse(place, "holds a user name, and a URL stands readable in argument lists", cure)
        return None
    return None if _refuse_remote(place, host, cure, reader) else Health("http", url)


def _read_endpoint(place: str, given: object, reader: Reader) -> Health | None:
    cure = "give host and port on this node, such as 127.0.0.1:8080 or '[::1]:8080'"
    found = endpoint(given)
    if found is None:
        reader.refuse(place, f"{shown(given)} is not HOST:PORT", cure)
        return None
    return None if _refuse_remote(place, found[0], cure, reader) else Health("tcp", str(given).strip())


def _read_command(place: str, given: object, reader: Reader) -> Health | None:
    cure = "give the words of a command that only asks this node, such as [/usr/local/bin/app-health, --quick]"
    command = words(place, given, cure, reader)
    if command is None:
        return None
    if SYMLINKS.match(command[0]):
        reader.refuse(
            f"{place}[0]",
            f"{command[0]!r} goes through a symbolic link, and keepalived drops such a script",
            f"give the real path, such as /usr{command[0]}",
        )
        return None
    for index, word in enumerate(command):
        # keepalived splits the command at blanks and substitutes in it; no shell stands between.
        if not re.fullmatch(r"[A-Za-z0-9_./:=,@%+-]+", word):
            reader.refuse(
                f"{place}[{index}]",
                f"{shown(word)} holds a blank or a character that a shell or keepalived would interpret",
                "put the call into a script of your own, and give its path",
            )
            return None
    return Health("command", command)
