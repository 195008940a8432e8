# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the inventory says of the daemon as a whole: its name, mail, the user's command, raw lines, options."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown

from .daemon_options import read_daemon_options
from .model import SCRIPT_USER, Hook, Smtp
from .raw_options import OWNED_GLOBALLY, read_lines
from .values import endpoint, ip_address, words

SMTP_KEYS = ("connect_timeout", "from", "helo_name", "server", "to")
SMTP_PORT = 25
HOOK_TIMEOUT = 30.0

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})")


@dataclass(frozen=True)
class DaemonInput:
    """What the inventory says of keepalived on one node, complete."""

    router_id: str
    realtime_priority: int
    daemon_options: str
    global_options: tuple[str, ...]
    smtp: Smtp | None
    hook: Hook | None


def read_daemon(node: str, variables: Mapping[str, t.Any], reader: Reader) -> DaemonInput:
    """The settings of the daemon on `node`; problems go to the reader."""
    realtime = reader.integer(
        f"{node}: keepalived_realtime_priority",
        variables.get("keepalived_realtime_priority", 50),
        0,
        99,
        "give a SCHED_RR priority such as 50, or 0 to run without",
    )
    return DaemonInput(
        router_id=_read_router_id(f"{node}: keepalived_router_id", variables.get("keepalived_router_id"), node, reader),
        realtime_priority=realtime or 0,
        daemon_options=read_daemon_options(
            f"{node}: keepalived_daemon_options", variables.get("keepalived_daemon_options"), reader
        ),
        global_options=read_lines(
            f"{node}: keepalived_global_options",
            variables.get("keepalived_global_options"),
            OWNED_GLOBALLY,
            reader,
        ),
        smtp=_read_smtp(f"{node}: keepalived_smtp", variables.get("keepalived_smtp"), reader),
        hook=_read_hook(node, variables, reader),
    )


def _read_router_id(place: str, given: object, node: str, reader: Reader) -> str:
    if given is None or given == "":
        return node
    cure = "give one word of letters, digits, _, ., : and - (64 at the most), or leave it empty for the node's name"
    name = reader.text(place, given, cure)
    if name is not None and not re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", name):
        reader.refuse(place, f"{shown(name)} is not one word", cure)
    return name or node


def _read_smtp(place: str, given: object, reader: Reader) -> Smtp | None:
    cure = "give {server: mail.example.org, from: ha@example.org, to: [admin@example.org]}, or leave it empty"
    if given is None:
        return None
    options = reader.mapping(place, given, cure)
    if not options:
        return None
    reader.keys(place, options, SMTP_KEYS)
    for key in ("server", "from", "to"):
        if options.get(key) is None:
            reader.refuse(f"{place}.{key}", "is missing", cure)
    server = None
    if options.get("server") is not None:
        server = _read_server(f"{place}.server", options["server"], reader)
    sender = None
    if options.get("from") is not None:
        sender = _read_mail_address(f"{place}.from", options["from"], reader)
    recipients = []
    if options.get("to") is not None:
        listed = reader.sequence(f"{place}.to", options["to"], "give a list, such as [admin@example.org]")
        if listed == []:
            reader.refuse(f"{place}.to", "is empty", "give a list, such as [admin@example.org]")
        read = [_read_mail_address(f"{place}.to[{index}]", value, reader) for index, value in enumerate(listed or [])]
        recipients = [address for address in read if address is not None]
    helo = options.get("helo_name")
    if helo is not None and not (isinstance(helo, str) and _HOST.fullmatch(helo)):
        reader.refuse(f"{place}.helo_name", f"{shown(helo)} is not a host name", "give one, or leave it out")
        helo = None
    timeout = None
    if options.get("connect_timeout") is not None:
        timeout = reader.integer(
            f"{place}.connect_timeout", options["connect_timeout"], 1, 3600, "give whole seconds, such as 30"
        )
    if server is None or sender is None or not recipients:
        return None
    return Smtp(server[0], server[1], sender, recipients, helo, timeout)


def _read_server(place: str, given: object, reader: Reader) -> tuple[str, int] | None:
    """`HOST`, `HOST:PORT`, an IPv6 address or `[IPV6]:PORT`."""
    if isinstance(given, str):
        text = str(given).strip()
        bare = ip_address(text.removeprefix("[").removesuffix("]"))
        if bare is not None:
            return str(bare), SMTP_PORT
        if _HOST.fullmatch(text):
            return text, SMTP_PORT
        found = endpoint(text)
        if found is not None and (ip_address(found[0]) is not None or _HOST.fullmatch(found[0])):
            return found
    reader.refuse(
        place,
        f"{shown(given)} is not HOST or HOST:PORT",
        "give a mail server such as mail.example.org or mail.example.org:2525",
    )
    return None


def _read_mail_address(place: str, given: object, reader: Reader) -> str | None:
    if isinstance(given, str) and re.fullmatch(r"[A-Za-z0-9_.+=/-]+@[A-Za-z0-9.-]+", given):
        return str(given)
    reader.refuse(place, f"{shown(given)} is not a mail address", "give one such as admin@example.org")
    return None


def _read_hook(node: str, variables: Mapping[str, t.Any], reader: Reader) -> Hook | None:
    user = variables.get("keepalived_notify_user", SCRIPT_USER)
    if not (isinstance(user, str) and re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", user)):
        reader.refuse(
            f"{node}: keepalived_notify_user",
            f"{shown(user)} is not the name of an account",
            f"give one such as {SCRIPT_USER}",
        )
    timeout = reader.seconds(
        f"{node}: keepalived_notify_timeout",
        variables.get("keepalived_notify_timeout", HOOK_TIMEOUT),
        1,
        3600,
        "give the seconds after which the command is ended, such as 30",
    )
    place = f"{node}: keepalived_notify_command"
    given = variables.get("keepalived_notify_command")
    if given is None or given == []:
        return None
    cure = "give the command as a list of words, such as [/usr/local/bin/vip-changed, --quiet]"
    command = words(place, given, cure, reader)
    return None if command is None else Hook(command, str(user), timeout or HOOK_TIMEOUT)
