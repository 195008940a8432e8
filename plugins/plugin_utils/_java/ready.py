# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads by what a service that starts is known to be ready."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.values import boolean, endpoint, words

WAYS = ("command", "file", "notify", "tcp", "url")
USUAL_INTERVAL = 0.1
READY_CURE = "give one of url, tcp, file, command and notify, such as {url: http://127.0.0.1:8081/health}"


@dataclass(frozen=True)
class Ready:
    """kind: `systemd` (systemd says so), `http`, `tcp`, `file` or `command`; interval: between two questions (s)."""

    kind: str
    target: str | list[str] | None
    interval: float
    notify: bool

    @property
    def url(self) -> str | None:
        """As ha-pair-ready takes it, None where that cannot ask."""
        if self.kind == "http":
            return str(self.target)
        return f"tcp://{self.target}" if self.kind == "tcp" else None


def read_ready(reader: Reader, place: str, given: object) -> Ready:
    """How to ask; after a refusal as if nothing had been given."""
    nothing = Ready("systemd", None, USUAL_INTERVAL, False)
    if given is None:
        return nothing
    entry = reader.mapping(place, given, READY_CURE)
    if entry is None:
        return nothing
    reader.keys(place, entry, (*WAYS, "interval"))
    interval = reader.seconds(
        f"{place}.interval",
        entry.get("interval", USUAL_INTERVAL),
        0.05,
        60,
        "give the seconds between two questions, such as 0.1",
    )
    named = [way for way in WAYS if entry.get(way) is not None]
    if len(named) != 1:
        reader.refuse(place, f"has {' and '.join(named) or 'none of the ways to ask'}", READY_CURE)
        return nothing
    kind, target, notify = _target(reader, f"{place}.{named[0]}", named[0], entry)
    return Ready(kind, target, interval or USUAL_INTERVAL, notify)


def _target(
    reader: Reader, place: str, way: str, entry: Mapping[str, t.Any]
) -> tuple[str, str | list[str] | None, bool]:
    value = entry[way]
    if way == "notify":
        return "systemd", None, bool(boolean(place, value, reader))
    if way == "command":
        return "command", words(place, value, "give its words, such as [/usr/local/bin/fetcher-ready]", reader), False
    if way == "tcp":
        if endpoint(value) is None:
            reader.refuse(place, f"{shown(value)} is not HOST:PORT", "give one such as 127.0.0.1:8081")
        return "tcp", str(value), False
    if way == "file":
        cure = "give the absolute path of a file that the service makes once it is ready"
        path = reader.text(place, value, cure)
        if path is not None and not re.fullmatch(r"(?:/[A-Za-z0-9_.:@+-]+)+", path):
            reader.refuse(place, f"{shown(path)} is not a plain absolute path", cure)
        return "file", path, False
    return "http", _url(reader, place, value), False


def _url(reader: Reader, place: str, given: object) -> str | None:
    cure = "give one that the service answers with 200 to 399 once it is ready, such as http://127.0.0.1:8081/health"
    url = reader.text(place, given, cure)
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or port == 0 or parts.scheme not in ("http", "https") or re.search(r"[^!-~]|[\"'\\{}#!$]", url):
        reader.refuse(place, f"{shown(url)} is not a plain http or https URL", cure)
    elif parts.username is not None:
        reader.refuse(place, "holds a user name, and is written where others read it", cure)
    return url
