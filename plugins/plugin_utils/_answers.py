# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook is told by -e or by a survey of AWX: strings where other types are meant, empty where nothing is."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

from ._problems import Reader, kind, nearest, shown

DAY = 86400.0
HOUR = 3600.0
STATUS_FORMATS = ("table", "json")

_YES = ("true", "yes", "on", "y", "t", "1")
_NO = ("false", "no", "off", "n", "f", "0")


def read_answers(given: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Every answer in its type; one that is not given, or empty, as its default. Raises InputError with all problems.

    given: by the name of the variable, which has to be one of ANSWERS. What is text stays the object that it was, so
    that Ansible still knows that it is not to be templated.
    """
    reader = Reader()
    found = {}
    for name, value in given.items():
        default, read = ANSWERS[name]
        missing = value is None or (isinstance(value, str) and not value.strip())
        found[name] = default if missing else read(name, value, reader)
    reader.finish()
    return found


def _boolean(name: str, value: object, reader: Reader) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
    if word not in _YES + _NO:
        reader.refuse(name, f"{shown(value)} is neither true nor false", "give true or false, or leave it out")
    return word in _YES


def _text(name: str, value: object, reader: Reader) -> t.Any:
    cure = "give a line of plain text, or leave it out"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        reader.refuse(name, f"is {kind(value)} ({shown(value)}), not a string", cure)
        return ""
    if not value.isprintable():
        reader.refuse(name, f"{shown(value)} has more than one line, or control characters", cure)
    if any(mark in value for mark in ("{{", "{%", "{#")):
        reader.refuse(name, f"{shown(value)} is a template, which is not evaluated here", cure)
    stripped = value.strip()
    return value if stripped == value else stripped


def _name(name: str, value: object, reader: Reader) -> str:
    return str(_text(name, value, reader))


def _seconds(low: float, high: float, cure: str, *, positive: bool = False) -> Callable[[str, object, Reader], t.Any]:
    def read(name: str, value: object, reader: Reader) -> float:
        found = reader.seconds(name, value, low, high, cure)
        if positive and found == 0:
            reader.refuse(name, "0 is not positive, and no client waits for less than nothing", cure)
        return found or 0.0

    return read


def _faults(name: str, value: object, reader: Reader) -> list[t.Any]:
    """Names by commas or lines, or a list; what is no fault, the plan of the drill says."""
    cure = "give a list such as [service_stop, {fault: link_down, target: standby}], or leave it out for all"
    if isinstance(value, str):
        items: list[t.Any] = [word.strip() for word in value.replace("\n", ",").split(",")]
    else:
        items = reader.sequence(name, value, cure) or []
    return [] if "all" in items else [item for item in items if item != ""]


def _format(name: str, value: object, reader: Reader) -> str:
    return reader.choice(name, value, STATUS_FORMATS, "give one of them, or leave it out") or STATUS_FORMATS[0]


ANSWERS: Mapping[str, tuple[t.Any, Callable[[str, object, Reader], t.Any]]] = {
    "drill_confirm": (False, _boolean),
    "drill_faults": ([], _faults),
    "drill_instance": ("", _name),
    "drill_rto_seconds": ("", _seconds(0, HOUR, "give seconds above 0, such as 0.5, or leave it out", positive=True)),
    "drill_reboot": (False, _boolean),
    "status_file": ("", _text),
    "status_format": (STATUS_FORMATS[0], _format),
    "switchover_instance": ("", _name),
    "switchover_target": ("", _name),
    "switchover_return_after": (0.0, _seconds(0, DAY, "give seconds up to a day, or 0 for never")),
    "release_role": ("tomcat", _name),
    "release_service": ("", _name),
    "release_rollback": (False, _boolean),
    "release_take_over": (False, _boolean),
    "release_label": ("", _text),
    "release_proof_url": ("", _text),
    "release_proof_text": ("", _text),
}
"""By variable its default, and what reads it."""


def known_answer(name: str) -> str | None:
    """None where the variable is an answer, else the nearest one, or all of them."""
    if name in ANSWERS:
        return None
    close = nearest(name, ANSWERS)
    return f"did you mean {close!r}?" if close else f"known are {', '.join(ANSWERS)}"
