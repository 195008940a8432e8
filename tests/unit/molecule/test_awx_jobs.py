# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenarios with jobs of AWX launch every template, and tell a refusal that helps from one that does not."""

from __future__ import annotations

import importlib.util
import re
import sys
import typing as t
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from awx_job import Result, Template, load_templates
from awx_survey import Question
from cases import CaseError

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = (ROOT / "molecule/awx/jobs.py", ROOT / "molecule/rolling_release/awx_jobs.py")


def load() -> t.Any:
    """The program, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("awx_scenario_jobs", PROGRAMS[0])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["awx_scenario_jobs"] = module
    spec.loader.exec_module(module)
    return module


JOBS = load()


def test_every_template_is_launched_on_a_lab() -> None:
    said = "".join(program.read_text(encoding="utf-8") for program in PROGRAMS)
    launched = set(re.findall(r'(?:launch|template)\((?:awx, )?"([^"]+)"', said))
    # The names of two come from a loop.
    launched |= set(re.findall(r'\("([^"]+)", \d\)', said))
    assert launched == {one.name.partition(": ")[2] for one in load_templates()}


def test_every_set_of_cases_has_some() -> None:
    assert {name: bool(found.names) for name, found in JOBS.SETS.items()} == dict.fromkeys(JOBS.SETS, True)


class Launched:
    """AWX that refuses what a function refuses."""

    def __init__(self, refuse: Callable[[Mapping[str, t.Any]], str]) -> None:
        self.refuse = refuse
        self.answers: list[dict[str, t.Any]] = []

    def launch(self, _template: Template, answers: Mapping[str, t.Any], *, check: bool) -> Result:
        assert check is True, "whatever is answered, nothing is to be changed"
        self.answers.append(dict(answers))
        message = self.refuse(answers)
        if not message:
            return Result("successful", 0, 1.0, ())
        failed = {"host": "node-a", "task": "Refuse", "res": {"msg": message}}
        return Result("failed", 2, 1.0, ({"event": "runner_on_failed", "stdout": "", "event_data": failed},))


SWITCHOVER = Template(
    "HA pair: Switchover",
    "playbooks/switchover.yml",
    survey=(
        Question("switchover_target", "text", default=""),
        Question("switchover_return_after", "integer", required=True, minimum=0, default=0),
    ),
)


def answered(
    monkeypatch: pytest.MonkeyPatch, refuse: Callable[[Mapping[str, t.Any]], str], one: Template = SWITCHOVER
) -> tuple[list[str], list[dict[str, t.Any]]]:
    awx = Launched(refuse)
    monkeypatch.setattr(JOBS, "AWX", awx, raising=False)
    answers = {"switchover_target": "node-x", "switchover_return_after": 9} if one is SWITCHOVER else {}
    runs, refused = JOBS.answered(one, answers)
    assert runs == len(awx.answers)
    return refused, awx.answers


def test_answers_that_are_taken_need_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    refused, tried = answered(monkeypatch, lambda _answers: "")
    assert (refused, len(tried)) == ([], 1)


def test_what_is_refused_gets_its_usual_answer_and_the_rest_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    refused, tried = answered(
        monkeypatch,
        lambda answers: "switchover_target: 'node-x' is not node-a" if answers["switchover_target"] else "",
    )
    assert refused == ["switchover_target='node-x': switchover_target: 'node-x' is not node-a"]
    assert tried[1] == {"switchover_target": "", "switchover_return_after": 9}


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("something is wrong", "names no variable of the survey"),
        # Its usual answer is refused as well: what is wrong is not the answer.
        ("switchover_target: is wrong", "names no variable of the survey"),
        ("switchover_target: 'dict object' has no attribute 'x'", "not in words for people"),
        ("Traceback (most recent call last): switchover_target", "not in words for people"),
    ],
)
def test_a_refusal_that_helps_nobody_is_found(monkeypatch: pytest.MonkeyPatch, message: str, why: str) -> None:
    with pytest.raises(CaseError, match=why):
        answered(monkeypatch, lambda _answers: message)


RELEASE = Template("HA pair: Release plan", "playbooks/release.yml")


def test_a_release_of_nothing_is_refused_whatever_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = "node-a, node-b: tomcat_applications: is set for none of them, so there is nothing to release"
    assert answered(monkeypatch, lambda _answers: nothing, RELEASE)[0] == []
    with pytest.raises(CaseError, match="green, and there is nothing to release"):
        answered(monkeypatch, lambda _answers: "", RELEASE)
