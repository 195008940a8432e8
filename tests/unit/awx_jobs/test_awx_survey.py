# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX lets through of the answers of a survey."""

from __future__ import annotations

import typing as t

import pytest
from awx_survey import MISSING, TEMPLATE_TEXT, Question, SurveyError, accept, edges, questions, refusals, rows, usual

REQUIRED = Question("target", "text", required=True, minimum=1, maximum=8)
OPTIONAL = Question("label", "text", maximum=8)
NUMBER = Question("seconds", "integer", minimum=0, maximum=60, default=0)
FRACTION = Question("limit", "float", minimum=0.5, maximum=2)
CHOICE = Question("confirm", "multiplechoice", required=True, choices=("false", "true"), default="false")
SEVERAL = Question("faults", "multiselect", choices=("service_stop", "vrrp_block"))


@pytest.mark.parametrize(
    ("question", "value", "problem"),
    [
        (REQUIRED, MISSING, "'target' value missing"),
        (REQUIRED, "", "'target' value  is too small (must be at least 1)."),
        (REQUIRED, "x", ""),
        (REQUIRED, "x" * 8, ""),
        (REQUIRED, "x" * 9, "'target' value xxxxxxxxx is too large (must be no more than 8)."),
        (REQUIRED, 5, "Value 5 for 'target' expected to be a string."),
        # A required text without a shortest length may be empty: AWX only wants it to be there.
        (Question("target", "text", required=True), "", ""),
        (OPTIONAL, MISSING, ""),
        (OPTIONAL, "", ""),
        (NUMBER, -1, "'seconds' value -1 is too small (must be at least 0)."),
        (NUMBER, 0, ""),
        (NUMBER, 60, ""),
        (NUMBER, 61, "'seconds' value 61 is too large (must be no more than 60)."),
        (NUMBER, "5", "Value 5 for 'seconds' expected to be an integer."),
        (NUMBER, "", "Value  for 'seconds' expected to be an integer."),
        (NUMBER, True, "Value True for 'seconds' expected to be an integer."),
        (NUMBER, 1.5, "Value 1.5 for 'seconds' expected to be an integer."),
        (FRACTION, 0.5, ""),
        (FRACTION, 2, ""),
        (FRACTION, 2.1, "'limit' value 2.1 is too large (must be no more than 2)."),
        (FRACTION, "1", "Value 1 for 'limit' expected to be numeric."),
        (CHOICE, "true", ""),
        (CHOICE, "yes", "Value yes for 'confirm' expected to be one of false, true."),
        (CHOICE, True, "Value True for 'confirm' expected to be one of false, true."),
        (SEVERAL, ["vrrp_block"], ""),
        (SEVERAL, [], ""),
        (SEVERAL, "vrrp_block", "'faults' value is expected to be a list."),
        (SEVERAL, ["vrrp_block", "fire"], "Value fire for 'faults' expected to be one of service_stop, vrrp_block."),
    ],
)
def test_an_answer_is_accepted_or_refused(question: Question, value: t.Any, problem: str) -> None:
    assert refusals(question, value) == ([problem] if problem else [])


def test_a_job_gets_the_answers_and_the_defaults_of_the_rest() -> None:
    assert accept([OPTIONAL, NUMBER, CHOICE], {"confirm": "true"}) == {"seconds": 0, "confirm": "true"}


def test_a_default_is_no_answer_to_a_required_question() -> None:
    with pytest.raises(SurveyError, match="'confirm' value missing"):
        accept([CHOICE], {})


def test_a_default_that_would_be_refused_is_not_used() -> None:
    assert accept([Question("seconds", "integer", maximum=5, default=6)], {}) == {}


def test_a_variable_that_no_question_asks_for_is_refused_unless_the_template_asks_for_variables() -> None:
    with pytest.raises(SurveyError, match="Variables other are not allowed on launch"):
        accept([NUMBER], {"other": 1})
    assert accept([NUMBER], {"other": 1}, others=True) == {"seconds": 0, "other": 1}


def test_all_refusals_are_told() -> None:
    with pytest.raises(SurveyError) as caught:
        accept([REQUIRED, NUMBER], {"seconds": 99})
    assert "'target' value missing" in str(caught.value)
    assert "'seconds' value 99 is too large" in str(caught.value)


def test_questions_are_read_as_the_module_takes_them() -> None:
    survey = {
        "name": "",
        "description": "",
        "spec": [
            {"question_name": "Really?", "variable": "confirm", "type": "multiplechoice", "required": True,
             "choices": "false\ntrue\n", "min": "", "max": None, "default": "false"},
            {"question_name": "How long?", "variable": "seconds", "type": "integer", "min": 0, "max": 60, "default": 0},
        ],
    }  # fmt: skip
    assert questions(survey) == (CHOICE, NUMBER)
    assert questions(None) == questions({}) == ()


def test_a_type_that_awx_does_not_know_is_refused() -> None:
    with pytest.raises(SurveyError, match="confirm: type 'boolean' is none of text, "):
        questions({"spec": [{"variable": "confirm", "type": "boolean"}]})


@pytest.mark.parametrize("question", [REQUIRED, OPTIONAL, NUMBER, FRACTION, CHOICE, SEVERAL], ids=lambda q: q.variable)
def test_edges_are_on_both_sides(question: Question) -> None:
    found = edges(question)
    assert {edge.accepted for edge in found} == {True, False}
    for edge in found:
        assert edge.accepted == (refusals(question, edge.value) == [])


def test_the_edges_of_a_text() -> None:
    values = [edge.value for edge in edges(REQUIRED) if edge.value is not MISSING]
    assert values == ["", 5, "x", "x" * 8, "x" * 9, TEMPLATE_TEXT]


def test_the_edges_of_a_number() -> None:
    accepted = [edge.value for edge in edges(NUMBER) if edge.accepted]
    assert accepted == [MISSING, 0, 60]
    # A one is no True here, nor a zero a False.
    assert [type(edge.value) for edge in edges(Question("n", "integer", minimum=1, maximum=1))].count(int) == 3


def test_every_accepted_edge_is_in_a_row() -> None:
    asked = (REQUIRED, NUMBER, CHOICE, SEVERAL)
    found = rows(asked)
    for question in asked:
        for edge in edges(question):
            there = [row.get(question.variable, MISSING) for row in found]
            assert (edge.value in there) == edge.accepted or edge.value is MISSING
    # AWX accepts each of them.
    for row in found:
        accept(asked, row)
    assert len(found) == max(sum(edge.accepted for edge in edges(question)) for question in asked)


def test_an_edge_that_was_tried_is_not_tried_again() -> None:
    asked = (NUMBER, CHOICE)
    assert rows(asked, edges(NUMBER)) == [{"seconds": 0, "confirm": "false"}, {"seconds": 0, "confirm": "true"}]
    assert rows(asked, edges(NUMBER) + edges(CHOICE)) == []
    # The same question of another template has the same edges.
    assert rows((Question("seconds", "integer", minimum=0, maximum=60, default=0),), edges(NUMBER)) == []


def test_a_template_without_a_survey_has_no_row() -> None:
    assert rows(()) == []


def test_usual_answers_are_accepted() -> None:
    asked = (REQUIRED, OPTIONAL, NUMBER, CHOICE, SEVERAL)
    assert usual(asked) == {"target": "x", "seconds": 0, "confirm": "false"}
    accept(asked, usual(asked))


def test_the_default_of_a_multiple_selection_counts_in_the_form_only() -> None:
    question = Question("faults", "multiselect", required=True, choices=("all", "vrrp_block"), default="vrrp_block")
    assert usual([question]) == {"faults": ["vrrp_block"]}
    with pytest.raises(SurveyError, match="'faults' value missing"):
        accept([question], {})
