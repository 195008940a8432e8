# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of awx/: what AWX, its modules and the playbooks would not take."""

from __future__ import annotations

import copy
import functools
import importlib
import importlib.util
import re
import typing as t
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.catalogue import BY_NAME
from setup_of_awx import AWX, FULL, MODULES, ROOT, SECRETS, defaults, plan, planner, raw, rendered

Entry = dict[str, t.Any]
PLAYBOOKS = sorted(path.name for path in (ROOT / "playbooks").glob("*.yml"))
QUESTION = {
    *("question_name", "question_description", "variable", "type", "required", "min", "max", "choices", "default"),
}
KINDS_OF_ANSWERS = ("text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Entry]]:
    """All of it, with nothing left out."""
    return rendered(tmp_path_factory.mktemp("full"), **FULL)[1]


@pytest.fixture(scope="module")
def sent(data: dict[str, list[Entry]]) -> dict[str, list[Entry]]:
    """What the modules get."""
    found = plan(defaults() | FULL, data, found={})
    assert found["problems"] == []
    return t.cast("dict[str, list[Entry]]", planner.plain(found["send"]))


def questions(entry: Mapping[str, t.Any]) -> list[Entry]:
    return t.cast("list[Entry]", entry.get("survey_spec", {}).get("spec", []))


def surveys() -> Iterator[t.Any]:
    for kind in ("controller_templates", "controller_workflows"):
        for entry in raw(kind):
            for question in questions(entry):
                name = entry["name"].partition(": ")[2]
                yield pytest.param(question, id=f"{name}-{question['variable']}")


def refused(question: Mapping[str, t.Any], answer: t.Any) -> str | None:
    """Why AWX would not take this answer, by its own rules."""
    kind = question["type"]
    low, high = question.get("min"), question.get("max")
    if kind in ("text", "textarea", "password"):
        if not isinstance(answer, str):
            return "no string"
        return None if (low or 0) <= len(answer) <= (high or 10**9) else "its length"
    if kind in ("integer", "float"):
        if isinstance(answer, bool) or not isinstance(answer, int if kind == "integer" else (int, float)):
            return "no number"
        return None if low <= answer <= high else "out of bounds"
    if kind == "multiselect":
        return None if isinstance(answer, list) and set(answer) <= set(question["choices"]) else "no list of choices"
    return None if answer in question["choices"] else "no choice"


# The modules


@functools.cache
def specification(kind: str) -> tuple[dict[str, t.Any], list[t.Any], dict[str, t.Any]]:
    """The argument spec of a module, what excludes what, and its documentation."""
    module = importlib.import_module(f"ansible_collections.awx.awx.plugins.modules.{MODULES[kind]}")

    class Seen(Exception):  # noqa: N818
        """Raised in place of running the module."""

    def catch(argument_spec: t.Any, mutually_exclusive: t.Any = (), **_other: t.Any) -> None:
        raise Seen(argument_spec, list(mutually_exclusive))

    kept = module.ControllerAPIModule
    module.ControllerAPIModule = catch
    try:
        with pytest.raises(Seen) as seen:
            module.main()
    finally:
        module.ControllerAPIModule = kept
    spec, exclusive = seen.value.args
    return spec, exclusive, yaml.safe_load(module.DOCUMENTATION)["options"]


needs_modules = pytest.mark.skipif(
    importlib.util.find_spec("ansible_collections.awx.awx") is None,
    reason="awx.awx is not installed: ansible has it up to 13, this one is newer",
)


def problems_with(kind: str, entry: Mapping[str, t.Any]) -> list[str]:
    """What the module itself would say to these arguments."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    spec, exclusive, _options = specification(kind)
    return list(ArgumentSpecValidator(spec, mutually_exclusive=exclusive).validate(dict(entry)).error_messages)


@needs_modules
@pytest.mark.parametrize("kind", MODULES)
def test_modules_take_every_object(kind: str, sent: dict[str, list[Entry]]) -> None:
    assert sent[kind], "nothing to look at"
    assert {entry["name"]: problems_with(kind, entry) for entry in sent[kind]} == {
        entry["name"]: [] for entry in sent[kind]
    }


@needs_modules
def test_a_wrong_argument_would_be_found(sent: dict[str, list[Entry]]) -> None:
    template = sent["controller_templates"][0]
    assert "jobtype" in str(problems_with("controller_templates", {**template, "jobtype": "run"}))
    assert "job_type" in str(problems_with("controller_templates", {**template, "job_type": "runs"}))
    assert "name" in str(problems_with("controller_templates", {"state": "present"}))


@needs_modules
def test_workflow_nodes_have_known_keys_only(sent: dict[str, list[Entry]]) -> None:
    known = specification("controller_workflows")[2]["workflow_nodes"]["suboptions"]

    def unknown(given: t.Any, options: t.Any, place: str) -> list[str]:
        found = []
        for key, value in given.items():
            if key not in options:
                found.append(f"{place}.{key}")
            elif options[key].get("type") == "dict" and "suboptions" in options[key]:
                found += unknown(value, options[key]["suboptions"], f"{place}.{key}")
        return found

    nodes = [node for workflow in sent["controller_workflows"] for node in workflow["workflow_nodes"]]
    assert [word for node in nodes for word in unknown(node, known, node["identifier"])] == []
    assert unknown({"related": {"sucess_nodes": []}}, known, "node") == ["node.related.sucess_nodes"]


# Names


def test_nothing_refers_to_what_is_not_there(data: dict[str, list[Entry]]) -> None:
    found = planner.Plan()
    planner.check_data(found, data)
    assert found.problems == []


@pytest.mark.parametrize(
    ("kind", "field", "value", "message"),
    [
        (
            "controller_templates",
            "inventory",
            "HA pair: gone",
            "controller_templates: HA pair: Plan.inventory: 'HA pair: gone' is not in the data; add it to "
            "awx/data/inventories.yml",
        ),
        (
            "controller_templates",
            "labels",
            ["gone"],
            "controller_templates: HA pair: Plan.labels: 'gone' is not in the data; add it to awx/data/labels.yml",
        ),
        (
            "controller_schedules",
            "unified_job_template",
            "gone",
            "controller_schedules: HA pair: weekly drill.unified_job_template: 'gone' is not in the data; add it to "
            "awx/data/templates.yml or awx/data/workflows.yml",
        ),
        (
            "controller_templates",
            "name",
            "HA pair: Deploy",
            "controller_templates: HA pair: Deploy: is there twice; give one of them another name",
        ),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(
    data: dict[str, list[Entry]], kind: str, field: str, value: t.Any, message: str
) -> None:
    changed = copy.deepcopy(data)
    changed[kind][0][field] = value
    assert message in plan(defaults() | FULL, changed)["problems"]


def test_all_names_begin_alike_and_all_objects_can_be_told_from_others(sent: dict[str, list[Entry]]) -> None:
    for kind, entries in sent.items():
        for entry in entries:
            if kind not in ("controller_organizations", "controller_labels"):
                assert entry["name"].startswith("HA pair: "), entry["name"]
            if kind != "controller_labels":
                assert entry["description"].endswith(planner.MARKER), entry["name"]
                assert len(entry["description"]) > len(planner.MARKER) + 5, entry["name"]


# Templates and surveys


def test_every_playbook_has_a_template_and_every_template_a_playbook() -> None:
    used = {entry["playbook"] for entry in raw("controller_templates")}
    assert used == {f"playbooks/{name}" for name in PLAYBOOKS}


def test_what_only_reads_runs_beside_others_and_nothing_else_does() -> None:
    for entry in raw("controller_templates"):
        reads = entry["job_type"] == "check" or entry["playbook"].endswith("status.yml")
        assert entry["allow_simultaneous"] is reads, entry["name"]
        assert ("reads only" in entry["labels"]) is reads, entry["name"]
        assert bool(entry.get("notification_templates_error")) is not reads, entry["name"]
    assert [entry["allow_simultaneous"] for entry in raw("controller_workflows")] == [False, False]


def test_no_template_tears_pairs_apart_or_runs_for_ever() -> None:
    for entry in raw("controller_templates"):
        assert entry["job_slice_count"] == 1, entry["name"]
        assert "ask_job_slice_count_on_launch" not in entry, entry["name"]
        assert entry["ask_limit_on_launch"] is True, entry["name"]
        assert entry["become_enabled"] is False, entry["name"]
        assert 900 <= entry["timeout"] <= 7200, entry["name"]


@pytest.mark.parametrize("question", list(surveys()))
def test_a_question_is_one_that_awx_takes(question: Entry) -> None:
    assert set(question) <= QUESTION
    assert question["type"] in KINDS_OF_ANSWERS
    assert re.fullmatch(r"[a-z][a-z0-9_]*", question["variable"])
    assert isinstance(question["required"], bool)
    assert question["question_name"].strip()
    assert len(question["question_description"]) > 15, "no help"
    choices = question.get("choices")
    assert (choices is not None) is (question["type"] in ("multiplechoice", "multiselect"))
    if choices is not None:
        assert all(isinstance(choice, str) and choice for choice in choices)
        assert len(set(choices)) == len(choices)
        # The browser sends nothing in place of a choice, and several playbooks would take that for an empty word.
        assert question["required"] is True
    else:
        # AWX takes integers only as limits, of floats as well.
        assert type(question["min"]) is int
        assert type(question["max"]) is int
        assert question["min"] < question["max"]


@pytest.mark.parametrize("question", list(surveys()))
def test_a_default_answers_its_own_question(question: Entry) -> None:
    default = question["default"]
    if question["type"] == "multiselect":
        default = default.split("\n")
    if default == "" and question["required"] is False:
        # Nothing said: AWX passes on an empty word, and leaves a number out.
        assert question["type"] == "float" or refused(question, default) is None
    else:
        assert refused(question, default) is None


def test_variables_are_asked_for_once() -> None:
    for kind in ("controller_templates", "controller_workflows"):
        for entry in raw(kind):
            names = [question["variable"] for question in questions(entry)]
            assert len(set(names)) == len(names), entry["name"]
            assert bool(names) is entry.get("survey_enabled", False), entry["name"]
            assert set(names).isdisjoint(entry.get("extra_vars", {})), entry["name"]
            if names:
                assert {"name", "description", "spec"} == set(entry["survey_spec"]), entry["name"]


def read_by(playbook: str) -> str:
    """The text of a playbook and of the roles that it takes, those included that a role takes by a default."""
    texts = [(ROOT / playbook).read_text(encoding="utf-8")]
    seen: set[str] = set()
    for text in texts:
        for role in re.findall(r"duplex\.ha_pair\.([a-z_]+)|^[a-z_]+_role: ([a-z_]+)$", text, re.MULTILINE):
            name = role[0] or role[1]
            if name in seen or not (ROOT / "roles" / name).is_dir():
                continue
            seen.add(name)
            files = [path for path in (ROOT / "roles" / name).rglob("*.yml") if path.parent.name != "meta"]
            texts.append("\n".join(path.read_text(encoding="utf-8") for path in files))
    return "\n".join(texts)


def test_every_answer_is_read_by_the_playbook() -> None:
    for entry in raw("controller_templates"):
        text = read_by(entry["playbook"])
        names = [question["variable"] for question in questions(entry)] + list(entry.get("extra_vars", {}))
        assert [name for name in names if not re.search(rf"\b{name}\b", text)] == [], entry["name"]
    assert "drill_confirm" not in read_by("playbooks/switchover.yml")


def test_every_answer_of_a_workflow_is_asked_for_by_one_of_its_templates() -> None:
    templates = {entry["name"]: entry for entry in raw("controller_templates")}
    for workflow in raw("controller_workflows"):
        asked = {}
        for node in workflow["workflow_nodes"]:
            for question in questions(templates.get(node["unified_job_template"]["name"], {})):
                asked[question["variable"]] = question
        for question in questions(workflow):
            other = asked[question["variable"]]
            for key in ("type", "required", "choices", "min", "max", "default"):
                assert question.get(key) == other.get(key), (workflow["name"], question["variable"], key)


def test_every_fault_of_the_catalogue_can_be_chosen() -> None:
    entries = [*raw("controller_templates"), *raw("controller_workflows")]
    asked = [question for entry in entries for question in questions(entry) if question["variable"] == "drill_faults"]
    assert len(asked) == 3
    for question in asked:
        assert question["choices"] == ["all", *BY_NAME]


def test_nobody_breaks_a_pair_by_pressing_return() -> None:
    entries = [*raw("controller_templates"), *raw("controller_workflows")]
    asked = [question for entry in entries for question in questions(entry) if question["variable"] == "drill_confirm"]
    assert [question["default"] for question in asked] == ["false", "false"]
    assert defaults()["awx_drill_confirm"] is False


# Workflows and the schedule


def test_workflow_nodes_lead_to_each_other_and_every_one_is_reached() -> None:
    for workflow in raw("controller_workflows"):
        nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
        assert len(nodes) == len(workflow["workflow_nodes"])
        first, *_others = nodes
        reached, todo = set(), [first]
        while todo:
            name = todo.pop()
            assert name not in reached, f"{workflow['name']}: {name} twice"
            reached.add(name)
            related = nodes[name].get("related", {})
            # A failed job with a job after it would not fail the workflow.
            assert set(related) <= {"success_nodes"}, name
            todo += [link["identifier"] for link in related.get("success_nodes", [])]
        assert reached == set(nodes), workflow["name"]


def test_a_release_waits_for_approval_after_its_plan() -> None:
    (workflow,) = (entry for entry in raw("controller_workflows") if "Release" in entry["name"])
    nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
    assert [node["unified_job_template"]["type"] for node in nodes.values()].count("workflow_approval") == 1
    after = {
        name: [link["identifier"] for link in node.get("related", {}).get("success_nodes", [])]
        for name, node in nodes.items()
    }
    assert after == {"plan": ["approval"], "approval": ["release"], "release": ["status"], "status": []}
    templates = {entry["name"]: entry for entry in raw("controller_templates")}
    assert templates[nodes["plan"]["unified_job_template"]["name"]]["job_type"] == "check"
    assert workflow["notification_templates_approvals"]


def required(entry: Mapping[str, t.Any]) -> dict[str, Entry]:
    return {question["variable"]: question for question in questions(entry) if question["required"]}


def test_workflow_nodes_get_every_required_answer() -> None:
    templates = {entry["name"]: entry for entry in raw("controller_templates")}
    for workflow in raw("controller_workflows"):
        for node in workflow["workflow_nodes"]:
            if node["unified_job_template"]["type"] == "workflow_approval":
                continue
            template = templates[node["unified_job_template"]["name"]]
            asked = {question["variable"]: question for question in questions(template)}
            given = node.get("extra_data", {})
            where = (workflow["name"], node["identifier"])
            assert set(required(template)) - set(given) - set(required(workflow)) == set(), where
            assert {name: refused(asked[name], answer) for name, answer in given.items()} == dict.fromkeys(given), where


def test_the_schedule_answers_every_question_that_has_to_be(data: dict[str, list[Entry]]) -> None:
    templates = {entry["name"]: entry for entry in data["controller_templates"]}
    for schedule in data["controller_schedules"]:
        template = templates[schedule["unified_job_template"]]
        asked = {question["variable"]: question for question in questions(template)}
        given = schedule["extra_data"]
        assert set(required(template)) <= set(given)
        assert {name: refused(asked[name], answer) for name, answer in given.items()} == dict.fromkeys(given)
        assert given["drill_confirm"] == "true"
        # A limit is only taken where it is asked for.
        assert template["ask_limit_on_launch"] is True


def test_the_schedule_is_on_only_when_somebody_said_so(data: dict[str, list[Entry]]) -> None:
    said = {"false": False, "yes": True, True: True, False: False}
    for word, on in said.items():
        entry = {**data["controller_schedules"][0], "enabled": word}
        assert planner.arguments("controller_schedules", entry, {})["enabled"] is on


def test_the_schedule_begins_on_a_day_that_it_names() -> None:
    rule = defaults()["awx_drill_rrule"]
    start, days = re.fullmatch(r"DTSTART;TZID=Etc/UTC:(\S+) RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=(\S+)", rule).groups()
    day = datetime.strptime(start, "%Y%m%dT%H%M%S")  # noqa: DTZ007
    assert days == ("MO", "TU", "WE", "TH", "FR", "SA", "SU")[day.weekday()]
    assert (days, day.hour) == ("TU", 10), "the comment and docs/awx.md say Tuesdays at ten"


# Secrets

SECRET_INPUT = re.compile(r"pass|secret|key|token")


def test_no_secret_is_in_a_file() -> None:
    found = {}
    for entry in raw("controller_credentials"):
        name = entry["name"].partition(": ")[2]
        for key in planner.secret_inputs(entry):
            variable = planner.secret_variable(name, key)
            assert entry["inputs"][key] == f"{{{{ lookup('ansible.builtin.env', '{variable}') }}}}"
            found[variable] = entry["name"]
        assert not [
            key for key in entry["inputs"] if SECRET_INPUT.search(key) and key not in planner.secret_inputs(entry)
        ]
    for entry in raw("controller_notifications"):
        kind = entry["name"].partition(": ")[2].replace("-", "").upper()
        password = entry["notification_configuration"]["password"]
        assert password == f"{{{{ lookup('ansible.builtin.env', 'HA_PAIR_AWX_{kind}_PASSWORD') }}}}"
    assert set(SECRETS) <= {*found, "HA_PAIR_AWX_EMAIL_PASSWORD", "HA_PAIR_AWX_WEBHOOK_PASSWORD"}
    assert [name for name in defaults() if SECRET_INPUT.search(name)] == ["awx_update_secrets"]


def test_what_carries_secrets_is_logged_by_nobody() -> None:
    for kind in MODULES:
        task, *judges = yaml.safe_load((AWX / "tasks" / f"{kind}.yml").read_text(encoding="utf-8"))
        assert f"awx.awx.{MODULES[kind]}" in task
        hides = kind in ("controller_credentials", "controller_notifications")
        assert task.get("no_log", False) is hides, kind
        # no_log does not keep Ansible from printing a failure, and AWX quotes the beginning of a key in one.
        assert ("failed_when" in task, len(judges)) == (hides, int(hides)), kind


def test_secrets_arrive_under_names_that_the_inventories_use(data: dict[str, list[Entry]]) -> None:
    places = [
        *(ROOT / "inventories").rglob("*.yml"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "roles").glob("*/README.md"),
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in places)
    for entry in data["controller_credential_types"]:
        fields = {field["id"]: field for field in entry["inputs"]["fields"]}
        # One secret, required: a field that stays empty would be an error in every job.
        assert entry["inputs"]["required"] == list(fields)
        assert [field["secret"] for field in fields.values()] == [True]
        for variable, value in entry["injectors"]["extra_vars"].items():
            assert value == f"{{{{ {next(iter(fields))} }}}}"
            assert f"{{{{ {variable} }}}}" in text, variable


def test_the_documentation_names_every_setting_and_every_secret() -> None:
    text = (ROOT / "docs" / "awx.md").read_text(encoding="utf-8")
    missing = [name for name in defaults() if name not in text]
    variables = re.findall(r"HA_PAIR_AWX_[A-Z_]+", "".join(path.read_text() for path in (AWX / "data").glob("*.yml")))
    assert missing + [name for name in variables if name not in text] == []
    for kind in ("controller_templates", "controller_workflows"):
        for entry in raw(kind):
            assert f"`{entry['name'].partition(': ')[2]}`" in text, entry["name"]


def test_each_file_holds_one_kind() -> None:
    names = {f"{kind.removeprefix('controller_')}.yml" for kind in MODULES}
    assert {path.name for path in (AWX / "data").iterdir()} == names
    assert list(planner.TITLES) == list(MODULES)
    assert Path(planner.__file__).parent == AWX / "filter_plugins"
