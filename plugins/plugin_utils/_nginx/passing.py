# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a request is passed on to a group of servers: how long it may take, and when another server is asked."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from .._problems import Reader, nearest, shown
from . import values

TIMEOUTS = ("connect_timeout", "read_timeout", "send_timeout")
NEXT_KEYS = ("next_upstream", "next_upstream_tries", "next_upstream_timeout")
PASSING_KEYS = (*TIMEOUTS, *NEXT_KEYS, "websocket")
CONDITIONS = (
    "error",
    "timeout",
    "invalid_header",
    "http_403",
    "http_404",
    "http_429",
    "http_500",
    "http_502",
    "http_503",
    "http_504",
)
DEFAULT_CONDITIONS = ("error", "timeout", "http_502", "http_503")

DEFAULT_CONNECT_TIMEOUT = 1.0
"""A host that is off answers nothing at all; this long a request waits for it before it goes to another."""
NGINX_TIMEOUT = 60.0
"""What nginx itself takes for reading and sending."""
DEFAULT_TRIES = 3
SPARE = 5.0
"""Seconds. A request that one server kept for the whole read_timeout is still given to another, once."""

CONDITIONS_CURE = "give a list such as [error, timeout, http_502, http_503], or [off]"


@dataclass(frozen=True)
class Passing:
    """The directives, without their semicolons, and whether clients may switch to the WebSocket protocol."""

    directives: tuple[str, ...]
    websocket: bool


def read_passing(reader: Reader, place: str, entry: Mapping[str, t.Any]) -> Passing:
    """What the entry of a group says of it, with our defaults."""
    # No more: the kernel gives up before nginx would.
    connect = _seconds(reader, f"{place}.connect_timeout", entry.get("connect_timeout"), 0.05, 75)
    connect = DEFAULT_CONNECT_TIMEOUT if connect is None else connect
    read = _seconds(reader, f"{place}.read_timeout", entry.get("read_timeout"), 0.05, 86400)
    send = _seconds(reader, f"{place}.send_timeout", entry.get("send_timeout"), 0.05, 86400)
    directives = [f"proxy_connect_timeout {_words(connect)}"]
    # Left to nginx where they are not given, so that an `extra` can say them as well.
    if read is not None:
        directives.append(f"proxy_read_timeout {_words(read)}")
    if send is not None:
        directives.append(f"proxy_send_timeout {_words(send)}")
    directives += _next_upstream(reader, place, entry, connect, NGINX_TIMEOUT if read is None else read)
    websocket = values.flag(reader, f"{place}.websocket", entry.get("websocket", False))
    return Passing(tuple(directives), websocket)


def _next_upstream(
    reader: Reader, place: str, entry: Mapping[str, t.Any], connect: float, read: float
) -> tuple[str, ...]:
    conditions = _conditions(reader, f"{place}.next_upstream", entry.get("next_upstream"))
    tries = reader.integer(
        f"{place}.next_upstream_tries",
        DEFAULT_TRIES if entry.get("next_upstream_tries") is None else entry["next_upstream_tries"],
        1,
        100,
        f"give a number such as {DEFAULT_TRIES}",
    )
    limit = _seconds(reader, f"{place}.next_upstream_timeout", entry.get("next_upstream_timeout"), 0.1, 86400)
    if conditions == ("off",):
        for key in NEXT_KEYS[1:]:
            if entry.get(key) is not None:
                reader.refuse(f"{place}.{key}", "is given, and next_upstream is off", "leave one of the two out")
        return ("proxy_next_upstream off",)
    if limit is not None and limit <= connect:
        reader.refuse(
            f"{place}.next_upstream_timeout",
            f"{limit:g} is not more than connect_timeout ({connect:g}), so no other server would be asked after it",
            f"give one such as {read + SPARE:g}, or a shorter connect_timeout",
        )
    return (
        f"proxy_next_upstream {' '.join(conditions)}",
        f"proxy_next_upstream_tries {tries}",
        f"proxy_next_upstream_timeout {_words(read + SPARE if limit is None else limit)}",
    )


def _conditions(reader: Reader, place: str, given: object) -> tuple[str, ...]:
    if given is None:
        return DEFAULT_CONDITIONS
    # YAML reads a bare off as false.
    words = reader.sequence(place, ["off"] if given is False or given == "off" else given, CONDITIONS_CURE) or []
    found: list[str] = []
    for index, entry in enumerate(words):
        word = "off" if entry is False else str(entry)
        where = f"{place}[{index}]"
        if word == "non_idempotent":
            reader.refuse(
                where,
                "non_idempotent would send a request such as POST twice, be it an order or a payment",
                "leave it out; what an application repeats is for the application to decide",
            )
        elif word == "off":
            if len(words) > 1:
                reader.refuse(where, "off stands beside other conditions", "give [off] alone, or leave it out")
            found.append(word)
        elif word not in CONDITIONS:
            close = nearest(word, CONDITIONS)
            cure = f"did you mean {close!r}?" if close else f"known are {', '.join(CONDITIONS)}, off"
            reader.refuse(where, f"{shown(entry)} is no condition", cure)
        elif word in found:
            reader.refuse(where, f"{word} is given twice", "name each condition once")
        else:
            found.append(word)
    if not words and isinstance(given, (list, tuple)):
        reader.refuse(place, "is empty", CONDITIONS_CURE)
    return tuple(found)


def _seconds(reader: Reader, place: str, given: object, low: float, high: float) -> float | None:
    return None if given is None else reader.seconds(place, given, low, high, "give seconds such as 5")


def _words(seconds: float) -> str:
    """A time in the words of nginx, which knows no fractions."""
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds * 1000:.0f}ms"
