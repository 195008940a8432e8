# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Surveys of AWX's job templates: which answers AWX lets through, and the answers at the edges of what it does.

An answer reaches a playbook only when AWX's server accepts it; the form in the browser is not what decides.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TEXTS = ("text", "textarea", "password")
NUMBERS = ("integer", "float")
CHOICES = ("multiplechoice", "multiselect")
KINDS = (*TEXTS, *NUMBERS, *CHOICES)

MISSING: t.Final = object()
"""No answer at all."""

TEMPLATE_TEXT = "{{ 6 * 7 }}"
"""What Jinja would make 42 of. It must stay what it is."""


class SurveyError(ValueError):
    """A survey that AWX would not take, or answers that it refuses; says which and why."""


@dataclass(frozen=True)
class Question:
    """One question of a survey, as awx.awx.job_template takes it in `survey_spec.spec`."""

    variable: str
    kind: str
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    default: t.Any = None

    @classmethod
    def read(cls, entry: Mapping[str, t.Any]) -> Question:
        """A question as the data says it."""
        kind = entry.get("type", "")
        if kind not in KINDS:
            raise SurveyError(f"{entry.get('variable')}: type {kind!r} is none of {', '.join(KINDS)}")
        choices = entry.get("choices") or ()
        if isinstance(choices, str):
            choices = [line for line in choices.splitlines() if line.strip()]
        return cls(
            entry["variable"],
            kind,
            bool(entry.get("required", False)),
            _limit(entry.get("min")),
            _limit(entry.get("max")),
            tuple(choices),
            entry.get("default"),
        )

    @property
    def default_answer(self) -> t.Any:
        """What the job gets when nobody answers; MISSING for nothing. A default that AWX would refuse is not used."""
        if self.default is None or refusals(self, self.default):
            return MISSING
        return self.default


def _limit(value: t.Any) -> float | None:
    return None if value in ("", None) else float(value)


@dataclass(frozen=True)
class Edge:
    """An answer at an edge, what it is, and whether AWX accepts it."""

    question: Question
    value: t.Any
    what: str
    accepted: bool


def questions(survey: Mapping[str, t.Any] | None) -> tuple[Question, ...]:
    """The questions of a `survey_spec`."""
    return tuple(Question.read(entry) for entry in (survey or {}).get("spec") or ())


def refusals(question: Question, value: t.Any) -> list[str]:
    """Why AWX refuses this answer; empty when it does not."""
    name = question.variable
    if value is MISSING:
        return [f"'{name}' value missing"] if question.required else []
    if question.kind in TEXTS:
        if not isinstance(value, str):
            return [f"Value {value} for '{name}' expected to be a string."]
        return _out_of_range(question, len(value), value)
    if question.kind in NUMBERS:
        allowed = (int,) if question.kind == "integer" else (int, float)
        # A boolean is no number here, although Python thinks so.
        if type(value) not in allowed:
            return [f"Value {value} for '{name}' expected to be {'an integer' if allowed == (int,) else 'numeric'}."]
        return _out_of_range(question, value, value)
    if question.kind == "multiselect" and not isinstance(value, list):
        return [f"'{name}' value is expected to be a list."]
    wanted = value if question.kind == "multiselect" else [value]
    known = ", ".join(question.choices)
    return [
        f"Value {word} for '{name}' expected to be one of {known}." for word in wanted if word not in question.choices
    ]


def _out_of_range(question: Question, measure: float, value: t.Any) -> list[str]:
    if question.minimum is not None and measure < question.minimum:
        return [f"'{question.variable}' value {value} is too small (must be at least {question.minimum:g})."]
    if question.maximum is not None and measure > question.maximum:
        return [f"'{question.variable}' value {value} is too large (must be no more than {question.maximum:g})."]
    return []


def accept(asked: Sequence[Question], answers: Mapping[str, t.Any], *, others: bool = False) -> dict[str, t.Any]:
    """The variables that a job gets from these answers and the defaults of the other questions.

    others: whether variables that no question asks for are accepted (`ask_variables_on_launch`).
    Raises SurveyError with all refusals, as AWX lists them.
    """
    names = {question.variable for question in asked}
    problems = [
        problem for question in asked for problem in refusals(question, answers.get(question.variable, MISSING))
    ]
    unknown = [] if others else sorted(set(answers) - names)
    if unknown:
        problems.append(f"Variables {', '.join(unknown)} are not allowed on launch.")
    if problems:
        raise SurveyError(" ".join(problems))
    defaults = {question.variable: question.default_answer for question in asked}
    return {**{name: value for name, value in defaults.items() if value is not MISSING}, **answers}


def edges(question: Question) -> list[Edge]:
    """Answers at every edge of a question, on both sides of it; none is there twice."""
    found: list[tuple[t.Any, str]] = [(MISSING, "no answer")]
    if question.kind in TEXTS:
        found += _texts(question)
    elif question.kind in NUMBERS:
        found += _numbers(question)
    elif question.kind == "multiplechoice":
        found += [(choice, f"choice {choice}") for choice in question.choices]
        found += [("", "an empty choice"), ("no such choice", "an unknown choice")]
    else:
        found += [([choice], f"only {choice}") for choice in question.choices[:1] + question.choices[-1:]]
        found += [([], "none"), (list(question.choices), "all"), (["no such choice"], "an unknown choice")]
        found += [("", "a text instead of a list")]
    result: list[Edge] = []
    for value, what in found:
        if not any(edge.value is value or (type(edge.value) is type(value) and edge.value == value) for edge in result):
            result.append(Edge(question, value, what, not refusals(question, value)))
    return result


def _texts(question: Question) -> list[tuple[t.Any, str]]:
    found: list[tuple[t.Any, str]] = [("", "an empty text"), (5, "a number instead of a text")]
    for limit, step, what in ((question.minimum, -1, "shortest"), (question.maximum, 1, "longest")):
        if limit is not None:
            found += [
                ("x" * int(limit), f"the {what} text"),
                ("x" * max(0, int(limit) + step), f"beyond the {what} text"),
            ]
    found.append((TEMPLATE_TEXT, "a text that looks like a template"))
    return found


def _numbers(question: Question) -> list[tuple[t.Any, str]]:
    found: list[tuple[t.Any, str]] = [("5", "a text instead of a number"), (True, "a boolean"), ("", "an empty text")]
    if question.kind == "integer":
        found.append((1.5, "a fraction"))
    for limit, step, what in ((question.minimum, -1, "smallest"), (question.maximum, 1, "greatest")):
        if limit is not None:
            value: float = int(limit) if question.kind == "integer" or limit == int(limit) else limit
            found += [(value, f"the {what} number"), (value + step, f"beyond the {what} number")]
    return found


def usual(asked: Sequence[Question]) -> dict[str, t.Any]:
    """Answers as somebody gives them who changes nothing in the form; what is asked for without a default gets one."""
    found = {}
    for question in asked:
        value = question.default_answer
        if value is MISSING and question.kind == "multiselect" and isinstance(question.default, str):
            # The form shows the lines of a default as chosen; the server alone would not take them.
            value = [choice for choice in question.default.splitlines() if choice.strip()]
        if value is MISSING and question.required:
            value = next(edge.value for edge in edges(question) if edge.accepted and edge.value != "")
        if value is not MISSING:
            found[question.variable] = value
    return found


def rows(asked: Sequence[Question], done: Sequence[Edge] = ()) -> list[dict[str, t.Any]]:
    """Sets of accepted answers with every accepted edge of every question in one at least: few runs for many edges.

    MISSING is left out of a set. done: edges that need not be there again; a question that has no other gets its usual
    answer.
    """
    ours = usual(asked)
    pending = [
        [edge.value for edge in edges(question) if edge.accepted and edge not in done]
        or [ours.get(question.variable, MISSING)]
        for question in asked
    ]
    left = any(edge.accepted and edge not in done for question in asked for edge in edges(question))
    found = []
    for number in range(max(map(len, pending)) if left else 0):
        answers = {
            question.variable: values[number % len(values)] for question, values in zip(asked, pending, strict=True)
        }
        found.append({name: value for name, value in answers.items() if value is not MISSING})
    return found
