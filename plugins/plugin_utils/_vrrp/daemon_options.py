# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the command line options for the keepalived daemon, as they stand in the distribution's options file."""

from __future__ import annotations

import re

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown

NO_ARGUMENT, OPTIONAL, REQUIRED = range(3)

ALLOWED: dict[str, tuple[str, int]] = {
    "A": ("snmp-agent-socket", REQUIRED),
    "D": ("log-detail", NO_ARGUMENT),
    "G": ("no-syslog", NO_ARGUMENT),
    "I": ("dont-release-ipvs", NO_ARGUMENT),
    "S": ("log-facility", REQUIRED),
    "a": ("address-monitoring", NO_ARGUMENT),
    "d": ("dump-conf", NO_ARGUMENT),
    "e": ("all-config", NO_ARGUMENT),
    "g": ("log-file", OPTIONAL),
    "i": ("config-id", REQUIRED),
    "l": ("log-console", NO_ARGUMENT),
    "u": ("umask", REQUIRED),
    "x": ("snmp", NO_ARGUMENT),
}
ALLOWED_LONG = {"flush-log-file": NO_ARGUMENT, **dict(ALLOWED.values())}

_SUPERVISION = "it would take keepalived out of systemd's hands"
_PID = "systemd and the programs of the node look for the usual pid files"
_MODE = "keepalived would run without VRRP, or differently than the model thinks"
_ADDRESSES = "a daemon that stops must take its addresses away"
_CORE = "a core file holds what keepalived.conf holds, passwords too"
_ONCE = "keepalived would answer and end"

REFUSED: dict[str, tuple[str, str]] = {
    "B": ("no_bfd", _MODE),
    "C": ("check", _MODE),
    "M": ("core-dump-pattern", _CORE),
    "P": ("vrrp", _MODE),
    "R": ("dont-respawn", _SUPERVISION),
    "T": ("genhash", _ONCE),
    "V": ("dont-release-vrrp", _ADDRESSES),
    "X": ("release-vips", _ADDRESSES),
    "b": ("bfd_pid", _PID),
    "c": ("checkers_pid", _PID),
    "f": ("use-file", "the role writes and tests /etc/keepalived/keepalived.conf"),
    "h": ("help", _ONCE),
    "m": ("core-dump", _CORE),
    "n": ("dont-fork", _SUPERVISION),
    "p": ("pid", _PID),
    "r": ("vrrp_pid", _PID),
    "s": ("namespace", "the addresses belong into the node's own network"),
    "t": ("config-test", _ONCE),
    "v": ("version", _ONCE),
}
REFUSED_LONG = {"all": _MODE, "signum": _ONCE, **dict(REFUSED.values())}


def read_daemon_options(place: str, given: object, reader: Reader) -> str:
    """The options in one line; what breaks supervision or the model is refused."""
    cure = "give options of keepalived in one string, such as '-D -S 3', or leave it empty"
    if given is None or given == "":
        return ""
    if not isinstance(given, str):
        reader.refuse(place, f"{shown(given)} is not a string", cure)
        return ""
    text = str(given).strip()
    if not re.fullmatch(r"[A-Za-z0-9 _.,:/=@+-]*", text):
        reader.refuse(
            place, f"{shown(text)} holds a quote, a line break or another character that systemd would interpret", cure
        )
        return ""
    words = iter(text.split())
    for word in words:
        wants = _wants_argument(place, word, cure, reader)
        if wants and next(words, None) is None:
            reader.refuse(place, f"{word!r} lacks its argument", cure)
    return " ".join(text.split())


def _wants_argument(place: str, word: str, cure: str, reader: Reader) -> bool:
    """Whether the next word belongs to this one; unknown and forbidden options are refused."""
    if word.startswith("--"):
        name, has_value, _value = word[2:].partition("=")
        if name in ALLOWED_LONG:
            return ALLOWED_LONG[name] == REQUIRED and not has_value
        _refuse(place, f"--{name}", REFUSED_LONG.get(name), reader)
        return False
    if not word.startswith("-") or word == "-":
        reader.refuse(place, f"{word!r} is not an option", cure)
        return False
    for position, letter in enumerate(word[1:], start=2):
        if letter not in ALLOWED:
            _refuse(place, f"-{letter}", REFUSED[letter][1] if letter in REFUSED else None, reader)
            return False
        argument = ALLOWED[letter][1]
        if argument != NO_ARGUMENT:
            return argument == REQUIRED and len(word) == position
    return False


def _refuse(place: str, option: str, reason: str | None, reader: Reader) -> None:
    if reason is None:
        known = " ".join(f"-{letter}" for letter in ALLOWED)
        reader.refuse(place, f"{option!r} is unknown", f"known are {known} and their long forms, written out")
    else:
        reader.refuse(place, f"{option!r} is refused: {reason}", "remove it")
