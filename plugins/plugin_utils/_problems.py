# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an input, said so that a person can repair it: the place, the value and the cure."""

from __future__ import annotations

import difflib
import math
import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Escape sequences of terminals: colours, the cursor, the title of the window.
_COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")

_TEMPLATES = re.compile(r"\{(?=[{%#])")


@dataclass(frozen=True)
class Problem:
    """One refusal. `place` is a path such as `node-a: keepalived_instances.web.vrid`."""

    place: str
    problem: str
    cure: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}; {self.cure}"


class InputError(ValueError):
    """Input that is refused, with every problem that was found (at least one)."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def shown(value: object) -> str:
    """The value as a user would recognise it: strings in quotes, long values cut."""
    text = repr(str(value)) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def printable(value: object) -> str:
    """One line without control characters and colours: what a program or another machine said may have any."""
    return legible(" ".join(_COLOURS.sub("", str(value)).split()))


def legible(text: str) -> str:
    """The text as it is, line by line, with a question mark for each control character that is left.

    What begins a template is parted: facts and artifacts with it would be evaluated by ansible-core before 2.19.
    """
    plain = _TEMPLATES.sub("{ ", _COLOURS.sub("", text)).replace("\t", " ")
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in plain)


def legible_data(value: t.Any) -> t.Any:
    """Data whose texts are legible, wherever they are."""
    if isinstance(value, Mapping):
        return {name: legible_data(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [legible_data(item) for item in value]
    return legible(value) if isinstance(value, str) else value


def kind(value: object) -> str:
    """The name of a value's type in the words of YAML."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, Mapping):
        return "a dictionary"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f"a {type(value).__name__}"


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that looks most like `name`, if any does."""
    close = difflib.get_close_matches(str(name), sorted(known), n=1, cutoff=cutoff)
    return close[0] if close else None


class Reader:
    """Reads typed values out of untyped input and collects what is wrong instead of stopping at the first problem.

    Strings that hold a number are accepted where a number is wanted: AWX surveys and templated inventories give those.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, place: str, problem: str, cure: str) -> None:
        """Note a problem; the same one is noted once."""
        found = Problem(place, problem, cure)
        if found not in self.problems:
            self.problems.append(found)

    def finish(self) -> None:
        """Raise InputError when anything was refused."""
        if self.problems:
            raise InputError(self.problems)

    def keys(self, place: str, given: Mapping[t.Any, t.Any], known: Iterable[str]) -> None:
        """Refuse keys that nothing reads, with the nearest name that something does."""
        names = sorted(known)
        for key in given:
            if key not in names:
                close = nearest(str(key), names)
                cure = f"did you mean {close!r}?" if close else f"known are {', '.join(names)}"
                self.refuse(f"{place}.{key}", "unknown key", cure)

    def mapping(self, place: str, value: object, cure: str) -> Mapping[str, t.Any] | None:
        """The value as a mapping, or None after a refusal."""
        if isinstance(value, Mapping):
            return value
        self.refuse(place, f"is {kind(value)} ({shown(value)}), not a dictionary", cure)
        return None

    def sequence(self, place: str, value: object, cure: str) -> list[t.Any] | None:
        """The value as a list, or None after a refusal."""
        if isinstance(value, (list, tuple)):
            return list(value)
        self.refuse(place, f"is {kind(value)} ({shown(value)}), not a list", cure)
        return None

    def text(self, place: str, value: object, cure: str) -> str | None:
        """The value as a non-empty string, or None after a refusal."""
        if isinstance(value, str) and value.strip():
            return str(value)
        if isinstance(value, str):
            self.refuse(place, "is empty", cure)
        else:
            self.refuse(place, f"is {kind(value)} ({shown(value)}), not a string", cure)
        return None

    def word(self, place: str, value: object, pattern: re.Pattern[str], what: str, cure: str) -> str | None:
        """The value as a string that is wholly of the pattern, or None after a refusal. what: for "is not a name"."""
        if value is None:
            self.refuse(place, "is missing", cure)
            return None
        found = self.text(place, value, cure)
        if found is None or pattern.fullmatch(found):
            return found
        self.refuse(place, f"{shown(found)} is not {what}", cure)
        return None

    def integer(self, place: str, value: object, low: int, high: int, cure: str) -> int | None:
        """The value as an integer in low..high, or None after a refusal."""
        number: int | None = None
        if isinstance(value, int) and not isinstance(value, bool):
            number = int(value)
        elif isinstance(value, str):
            try:
                number = int(value.strip(), 10)
            except ValueError:
                number = None
        if number is None:
            self.refuse(place, f"{shown(value)} is not an integer", cure)
            return None
        if not low <= number <= high:
            self.refuse(place, f"{number} is not in {low}..{high}", cure)
            return None
        return number

    def seconds(self, place: str, value: object, low: float, high: float, cure: str) -> float | None:
        """The value as a number of seconds in low..high, or None after a refusal."""
        number: float | None = None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            number = float(value)
        elif isinstance(value, str):
            try:
                number = float(value.strip())
            except ValueError:
                number = None
        if number is None or math.isnan(number):
            self.refuse(place, f"{shown(value)} is not a number of seconds", cure)
            return None
        if not low <= number <= high:
            self.refuse(place, f"{number:g} is not in {low:g}..{high:g} seconds", cure)
            return None
        return number

    def choice(self, place: str, value: object, choices: Iterable[str], cure: str) -> str | None:
        """The value as one of the choices, or None after a refusal that names the nearest."""
        names = list(choices)
        if isinstance(value, str) and value in names:
            return str(value)
        close = nearest(str(value), names)
        hint = f"did you mean {close!r}?" if close else cure
        self.refuse(place, f"{shown(value)} is not one of {', '.join(names)}", hint)
        return None
