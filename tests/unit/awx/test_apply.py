# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""awx/configure.yml against a small AWX: what it makes, a second time, in check mode, and what it removes."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import re
import subprocess
import typing as t
from collections.abc import Iterator
from pathlib import Path

import fake_awx
import pytest
from plays import run_playbook
from setup_of_awx import FULL, MODULES, PLACES, ROOT, SECRETS, plan, planner, raw, rendered, run_module

PLAYBOOKS = [f"playbooks/{path.name}" for path in sorted((ROOT / "playbooks").glob("*.yml"))]
# OpenSSL reads the certificates of this machine for every request otherwise, and there is nothing to check here.
NO_CERTIFICATES = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ansible_collections.awx.awx") is None,
    reason="awx.awx is not installed: ansible has it up to 13, this one is newer",
)


class SetUp:
    """A set-up with one settings, on one AWX. The modules run in this process, with what configure.yml would send."""

    def __init__(self, settings: dict[str, t.Any], data: t.Any, awx: fake_awx.FakeAwx, url: str) -> None:
        self.settings = settings
        self.data = data
        self.awx = awx
        self.url = url

    def planned(self, check: bool = False) -> dict[str, t.Any]:
        there = self.awx.found()
        found = {kind: there[place] for kind, place in PLACES.items()} | {
            "workflow_nodes": there["workflow_job_template_nodes"],
            "approvals": there["workflow_approval_templates"],
        }
        contents = {title: there[PLACES[kind]] for kind, title in planner.TITLES.items() if kind in HELD} | {
            "team": there["teams"]
        }
        ours = self.settings["awx_organization"]
        held = {
            title: [one for one in others if one["summary_fields"].get("organization", {}).get("name") == ours]
            for title, others in contents.items()
        }
        return plan(self.settings, self.data, found, held, check=check)

    def run(self, check: bool = False) -> tuple[list[str], dict[str, t.Any]]:
        """The names of what changed, and the plan."""
        planned = self.planned(check)
        assert planned["problems"] == []
        changed = []
        for kind in planned["order"]:
            for arguments in planned["send"][kind]:
                result = run_module(MODULES[kind], arguments, self.url, fake_awx.TOKEN, check)
                assert not result.get("failed"), (kind, arguments["name"], result)
                changed += [arguments["name"]] if result["changed"] else []
        return changed, planned


HELD = (
    *("controller_notifications", "controller_credentials", "controller_execution_environments"),
    *("controller_projects", "controller_inventories", "controller_templates", "controller_workflows"),
)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, t.Any], t.Any]:
    return rendered(tmp_path_factory.mktemp("full"), **FULL)


@pytest.fixture
def bare(full: tuple[dict[str, t.Any], t.Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[SetUp]:
    """An AWX that has nothing of it yet."""
    for name, value in NO_CERTIFICATES.items():
        monkeypatch.setenv(name, value)
    settings, data = copy.deepcopy(full)
    with fake_awx.running(PLAYBOOKS) as (awx, url):
        yield SetUp(settings, data, awx, url)


@pytest.fixture(scope="module")
def filled(full: tuple[dict[str, t.Any], t.Any]) -> fake_awx.FakeAwx:
    """What an AWX has that has it all."""
    with pytest.MonkeyPatch.context() as patch, fake_awx.running(PLAYBOOKS) as (awx, url):
        for name, value in NO_CERTIFICATES.items():
            patch.setenv(name, value)
        SetUp(*copy.deepcopy(full), awx, url).run()
        awx.calls.clear()
        return awx


@pytest.fixture
def made(bare: SetUp, filled: fake_awx.FakeAwx) -> SetUp:
    """An AWX that has it all."""
    vars(bare.awx).update(copy.deepcopy(vars(filled)))
    return bare


def test_all_of_it_is_made(bare: SetUp) -> None:
    changed, planned = bare.run()
    every = [entry["name"] for kind in MODULES for entry in bare.data[kind]]
    assert changed == every
    assert [line for line in planned["lines"] if not line.startswith("create ")] == []
    for kind, place in PLACES.items():
        assert set(bare.awx.names(place)) >= {entry["name"] for entry in bare.data[kind]}, kind


def test_what_was_made_is_connected(made: SetUp) -> None:
    awx = made.awx
    drill = awx.named("job_templates", "HA pair: Drill")
    credentials = [f"HA pair: {name}" for name in FULL["awx_credentials"] if name not in ("git", "registry")]
    assert awx.linked_names(drill, "credentials") == sorted(credentials)
    assert awx.linked_names(drill, "labels") == ["breaks on purpose", "ha-pair"]
    assert awx.linked_names(drill, "notification_templates_error") == ["HA pair: e-mail", "HA pair: webhook"]
    assert [question["variable"] for question in awx.surveys[drill["id"]]["spec"]][:2] == [
        "drill_confirm",
        "drill_faults",
    ]
    assert json.loads(awx.named("job_templates", "HA pair: Rollback")["extra_vars"]) == {"release_rollback": True}
    schedule = awx.named("schedules", "HA pair: weekly drill")
    assert (schedule["unified_job_template"], schedule["enabled"], schedule["limit"]) == (drill["id"], True, "web")
    approval = awx.named("workflow_approval_templates", "HA pair: Approve the release")
    assert approval["timeout"] == 14400
    nodes = {node["id"]: node for node in awx.objects["workflow_job_template_nodes"].values()}
    release = awx.named("workflow_job_templates", "HA pair: Release, status")
    ours = {node["identifier"]: node for node in nodes.values() if node["workflow_job_template"] == release["id"]}
    after = {
        name: [nodes[number]["identifier"] for number in awx.linked.get((node["id"], "success_nodes"), [])]
        for name, node in ours.items()
    }
    assert after == {"plan": ["approval"], "approval": ["release"], "release": ["status"], "status": []}
    assert ours["approval"]["unified_job_template"] == approval["id"]
    source = awx.named("inventory_sources", "HA pair: repository")
    assert source["source_project"] == awx.named("projects", "HA pair: inventory")["id"]


def test_secrets_arrive_as_they_are(made: SetUp) -> None:
    awx = made.awx
    redis = awx.named("credentials", "HA pair: redis")
    assert awx.secrets[redis["id"]] == {"password": SECRETS["HA_PAIR_AWX_REDIS_PASSWORD"]}
    machine = awx.named("credentials", "HA pair: machine")
    assert awx.secrets[machine["id"]] == {"ssh_key_data": SECRETS["HA_PAIR_AWX_MACHINE_SSH_KEY_DATA"] + "\n"}
    assert machine["inputs"] == {"username": "ansible", "ssh_key_data": "$encrypted$", "become_method": "sudo"}
    kind = awx.named("credential_types", "HA pair: Redis")
    assert kind["injectors"] == {"extra_vars": {"vault_redis_password": "{{ password }}"}}
    mail = awx.named("notification_templates", "HA pair: e-mail")
    assert awx.secrets[mail["id"]] == {"password": SECRETS["HA_PAIR_AWX_EMAIL_PASSWORD"]}
    configuration = mail["notification_configuration"]
    assert (configuration["port"], configuration["use_tls"], configuration["recipients"]) == (
        25,
        False,
        ["ha@example.com"],
    )


def test_a_second_run_changes_nothing(made: SetUp) -> None:
    before = copy.deepcopy(made.awx.objects)
    changed, planned = made.run()
    assert changed == []
    assert [line for line in planned["lines"] if not line.startswith("keep ")] == []
    assert made.awx.objects == before


def test_a_second_run_without_secrets_keeps_them(made: SetUp) -> None:
    secrets = copy.deepcopy(made.awx.secrets)
    for kind, field in (
        ("controller_credentials", "inputs"),
        ("controller_notifications", "notification_configuration"),
    ):
        for entry in made.data[kind]:
            entry[field] = {key: "" if SECRETS_OF.search(key) else value for key, value in entry[field].items()}
    assert made.run()[0] == []
    assert made.awx.secrets == secrets


SECRETS_OF = re.compile("pass|secret|key")


def test_secrets_are_written_anew_when_it_is_said(made: SetUp) -> None:
    made.settings["awx_update_secrets"] = "true"
    for entry in made.data["controller_credentials"]:
        if entry["name"] == "HA pair: redis":
            entry["inputs"]["password"] = "another"
    assert "HA pair: redis" in made.run()[0]
    redis = made.awx.named("credentials", "HA pair: redis")
    assert made.awx.secrets[redis["id"]] == {"password": "another"}


def test_what_is_no_secret_of_a_credential_is_put_right_and_its_secrets_are_kept(made: SetUp) -> None:
    secrets = copy.deepcopy(made.awx.secrets)
    for entry in made.data["controller_credentials"]:
        entry["inputs"] = {key: "" if SECRETS_OF.search(key) else value for key, value in entry["inputs"].items()}
        if entry["name"] == "HA pair: machine":
            entry["inputs"]["username"] = "deploy"
    assert made.run()[0] == ["HA pair: machine"]
    assert made.awx.named("credentials", "HA pair: machine")["inputs"] == {
        "username": "deploy",
        "ssh_key_data": fake_awx.HIDDEN,
        "become_method": "sudo",
    }
    assert made.awx.secrets == secrets
    assert made.run()[0] == []


def test_a_notification_that_changes_keeps_its_password_where_none_is_given(made: SetUp) -> None:
    secrets = copy.deepcopy(made.awx.secrets)
    for entry in made.data["controller_notifications"]:
        entry["notification_configuration"]["password"] = ""
        if entry["notification_type"] == "webhook":
            entry["notification_configuration"]["url"] = "https://chat.example.com/hooks/other"
    assert made.run()[0] == ["HA pair: webhook"]
    hook = made.awx.named("notification_templates", "HA pair: webhook")["notification_configuration"]
    assert (hook["url"], hook["password"]) == ("https://chat.example.com/hooks/other", fake_awx.HIDDEN)
    assert made.awx.secrets == secrets


def test_a_project_that_is_not_synchronised_is_tried_again(made: SetUp) -> None:
    project = made.awx.named("projects", "HA pair: playbooks")
    project["status"] = "failed"
    made.run(check=True)
    assert made.awx.writes() == []
    made.run()
    assert made.awx.writes() == [("POST", f"/api/v2/projects/{project['id']}/update/")]
    assert project["status"] == "successful"


def test_what_was_changed_by_hand_is_put_right(made: SetUp) -> None:
    awx = made.awx
    awx.named("job_templates", "HA pair: Drill")["allow_simultaneous"] = True
    awx.surveys[awx.named("job_templates", "HA pair: Status")["id"]]["spec"][0]["default"] = "json"
    awx.linked[awx.named("job_templates", "HA pair: Plan")["id"], "labels"].clear()
    awx.named("notification_templates", "HA pair: webhook")["notification_configuration"]["url"] = "http://elsewhere"
    changed, _plan = made.run()
    assert changed == ["HA pair: webhook", "HA pair: Plan", "HA pair: Status", "HA pair: Drill"]
    assert awx.named("job_templates", "HA pair: Drill")["allow_simultaneous"] is False
    assert made.run()[0] == []


def test_an_approval_that_differs_is_put_right(made: SetUp) -> None:
    awx = made.awx
    awx.named("workflow_approval_templates", "HA pair: Approve the release")["timeout"] = 5
    assert made.run()[0] == ["HA pair: Release, status"]
    assert awx.named("workflow_approval_templates", "HA pair: Approve the release")["timeout"] == 14400
    (approval,) = (
        one for one in awx.objects["workflow_job_template_nodes"].values() if one["identifier"] == "approval"
    )
    linked = list(awx.linked[approval["id"], "success_nodes"])
    awx.linked[approval["id"], "success_nodes"].clear()
    assert made.run()[0] == ["HA pair: Release, status"]
    assert awx.linked[approval["id"], "success_nodes"] == linked
    assert made.run()[0] == []


def test_check_mode_on_a_bare_awx_tries_what_needs_nothing_else(bare: SetUp) -> None:
    changed, planned = bare.run(check=True)
    assert len(planned["lines"]) == sum(len(bare.data[kind]) for kind in MODULES)
    types = [entry["name"] for entry in bare.data["controller_credential_types"]]
    assert changed == ["HA pairs", *types]
    assert bare.awx.writes() == []


def test_check_mode_finds_what_differs(made: SetUp) -> None:
    assert made.run(check=True)[0] == []
    made.awx.named("projects", "HA pair: playbooks")["scm_branch"] = "old"
    assert made.run(check=True)[0] == ["HA pair: playbooks"]
    assert made.awx.writes() == []


def test_all_of_it_is_removed_in_the_reverse_order(made: SetUp) -> None:
    made.settings["awx_state"] = "absent"
    planned = made.planned()
    assert planned["order"] == [kind for kind in reversed(MODULES) if kind != "controller_labels"]
    changed, _planned = made.run()
    assert changed == [entry["name"] for kind in planned["order"] for entry in reversed(made.data[kind])]
    left = {place: names for place in fake_awx.TYPES if (names := made.awx.names(place))}
    assert left == {"credential_types": list(planner.BUILT_IN_TYPES)}
    again = made.planned()
    assert (again["lines"], again["order"]) == (["nothing of it is there"], [])


def test_what_was_once_made_is_removed_although_the_settings_do_without_it_now(made: SetUp) -> None:
    made.settings |= {"awx_state": "absent", "awx_credentials": ["machine"], "awx_webhook_url": ""}
    assert {"HA pair: redis", "HA pair: webhook"} <= set(made.run()[0])


def test_check_mode_removes_nothing(made: SetUp) -> None:
    made.settings["awx_state"] = "absent"
    changed, planned = made.run(check=True)
    assert len(changed) == len([line for line in planned["lines"] if line.startswith("remove ")]) == 34
    assert made.awx.writes() == []


def test_nothing_of_somebody_elses_is_removed(made: SetUp) -> None:
    awx = made.awx
    organization = awx.named("organizations", "HA pairs")
    other = awx.make("organizations", {"name": "Others"})
    awx.make("projects", {"name": "HA pair: theirs", "organization": organization["id"]})
    awx.make("projects", {"name": "HA pair: playbooks", "organization": other["id"]})
    awx.make("teams", {"name": "on duty", "organization": organization["id"]})
    awx.named("job_templates", "HA pair: Status")["description"] = "now mine"
    made.settings["awx_state"] = "absent"
    changed, planned = made.run()
    assert "HA pairs" not in changed
    assert "HA pair: Status" not in changed
    (status,) = (line for line in planned["lines"] if line.endswith("HA pair: Status (was not made here)"))
    assert status.startswith("leave ")
    (kept,) = (line for line in planned["lines"] if "organisation" in line)
    assert "holds project HA pair: theirs, job template HA pair: Status, team on duty" in kept
    assert sorted(awx.names("projects")) == ["HA pair: playbooks", "HA pair: theirs"]
    assert awx.names("teams") == ["on duty"]
    assert awx.names("job_templates") == ["HA pair: Status"]


def moved(made: SetUp) -> SetUp:
    """The same settings, but for the organisation."""
    for entries in made.data.values():
        for entry in entries:
            if "organization" in entry:
                entry["organization"] = "Others"
    made.data["controller_organizations"][0]["name"] = "Others"
    made.settings["awx_organization"] = "Others"
    return made


def test_a_second_set_up_takes_nothing_from_the_first_one(made: SetUp) -> None:
    assert moved(made).planned()["problems"] == [
        "execution environment HA pair: execution environment: is of the organisation HA pairs already, and AWX has "
        "its name once; give another awx_prefix, or remove that one: -e 'awx_organization=HA pairs' "
        "-e awx_state=absent"
    ]


def test_a_removal_elsewhere_leaves_what_another_organisation_uses(made: SetUp) -> None:
    before = copy.deepcopy(made.awx.objects)
    moved(made).settings["awx_state"] = "absent"
    changed, planned = made.run()
    assert changed == []
    assert made.awx.objects == before
    for line in (
        "leave     execution environment HA pair: execution environment (is of the organisation HA pairs)",
        "leave     credential type       HA pair: Redis (of it is credential HA pair: redis)",
    ):
        assert line in planned["lines"]


def test_a_credential_type_that_somebody_uses_is_left_and_all_else_removed(made: SetUp) -> None:
    awx = made.awx
    other = awx.make("organizations", {"name": "Others"})
    redis = awx.named("credential_types", "HA pair: Redis")
    theirs = {"name": "redis of the west", "credential_type": redis["id"], "organization": other["id"]}
    awx.make("credentials", {**theirs, "inputs": {}})
    made.settings["awx_state"] = "absent"
    changed, planned = made.run()
    assert "leave     credential type       HA pair: Redis (of it is credential redis of the west)" in planned["lines"]
    assert {"HA pair: VRRP", "HA pairs"} <= set(changed)
    assert awx.names("credentials") == ["redis of the west"]
    assert redis["id"] in awx.objects["credential_types"]


def test_an_organisation_that_was_there_is_used_and_neither_changed_nor_removed(bare: SetUp) -> None:
    organization = bare.awx.make("organizations", {"name": "HA pairs", "description": "of the whole house"})
    changed, planned = bare.run()
    assert "HA pairs" not in changed
    assert planned["lines"][0] == "use       organisation          HA pairs (was there before)"
    bare.settings["awx_state"] = "absent"
    bare.run()
    assert bare.awx.objects["organizations"] == {organization["id"]: organization}
    assert organization["description"] == "of the whole house"


def test_an_object_that_somebody_else_made_is_refused_before_anything_is_changed(bare: SetUp) -> None:
    organization = bare.awx.make("organizations", {"name": "HA pairs"})
    bare.awx.make("inventories", {"name": "HA pair: pairs", "organization": organization["id"]})
    bare.awx.make("credential_types", {"name": "HA pair: Redis"})
    assert bare.planned()["problems"] == [
        f"{what}: is in AWX already, and was not made by this playbook; give another awx_prefix, or remove or rename "
        "it in AWX"
        for what in ("credential type HA pair: Redis", "inventory HA pair: pairs")
    ]


def test_a_credential_without_a_secret_is_refused_before_anything_is_changed(bare: SetUp) -> None:
    for entry in bare.data["controller_credentials"]:
        if entry["name"] in ("HA pair: machine", "HA pair: vault"):
            entry["inputs"] = {key: "" if SECRETS_OF.search(key) else value for key, value in entry["inputs"].items()}
    # Lets nobody in by itself.
    bare.data["controller_credentials"][0]["inputs"]["become_password"] = "root"
    assert bare.planned()["problems"] == [
        "credential HA pair: machine: there is no secret for it in the environment; export "
        "HA_PAIR_AWX_MACHINE_PASSWORD or HA_PAIR_AWX_MACHINE_SSH_KEY_DATA, or take machine out of awx_credentials",
        "credential HA pair: vault: there is no secret for it in the environment; export HA_PAIR_AWX_VAULT_PASSWORD, "
        "or take vault out of awx_credentials",
    ]


# The playbook itself


def configure(where: Path, url: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (where / "playbook.yml").write_text(
        json.dumps([{"ansible.builtin.import_playbook": str(ROOT / "awx" / "configure.yml")}]), encoding="utf-8"
    )
    around = {"CONTROLLER_HOST": url, "CONTROLLER_OAUTH_TOKEN": fake_awx.TOKEN, "ANSIBLE_PIPELINING": "true"}
    return run_playbook(where, *words, settings={**NO_CERTIFICATES, **around, **environment})


def recap(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    (line,) = re.findall(r"^localhost +: (.*)$", done.stdout, re.MULTILINE)
    return {name: int(number) for name, number in (word.split("=") for word in line.split())}


def test_the_playbook_makes_and_removes_it(tmp_path: Path) -> None:
    # Short of what takes a process each without showing anything new.
    key = "a-key-that-nobody-is-to-see"
    (tmp_path / "my.yml").write_text(json.dumps({"awx_image": FULL["awx_image"], "awx_organization": "Ours"}))
    with fake_awx.running(PLAYBOOKS) as (awx, url):
        done = configure(tmp_path, url, "-e", "@my.yml", HA_PAIR_AWX_MACHINE_SSH_KEY_DATA=key)
        assert done.returncode == 0, done.stdout + done.stderr
        assert key not in done.stdout + done.stderr
        assert recap(done)["failed"] == 0
        assert len(awx.names("job_templates")) == len(raw("controller_templates"))
        assert awx.secrets[awx.named("credentials", "HA pair: machine")["id"]] == {"ssh_key_data": f"{key}\n"}
        awx.calls.clear()
        done = configure(tmp_path, url, "-e", "@my.yml", "-e", "awx_state=absent")
        assert done.returncode == 0, done.stdout + done.stderr
        assert awx.names("organizations") == []
        assert awx.names("job_templates") == []
        assert {method for method, _path in awx.writes()} == {"DELETE"}


def test_an_instance_group_that_is_not_there_is_told_and_nothing_is_changed(tmp_path: Path) -> None:
    mine = {"awx_image": FULL["awx_image"], "awx_instance_groups": ["default", "edg"]}
    (tmp_path / "my.yml").write_text(json.dumps(mine))
    with fake_awx.running(PLAYBOOKS) as (awx, url):
        for name in ("default", "edge"):
            awx.make("instance_groups", {"name": name})
        done = configure(tmp_path, url, "-e", "@my.yml", HA_PAIR_AWX_MACHINE_SSH_KEY_DATA="key")
        assert awx.writes() == []
    assert done.returncode == 2
    assert (
        "awx_instance_groups: 'edg' is not in AWX; make it there, or name another; known are default, edge"
    ) in " ".join(done.stdout.split())
    assert "'default' is not" not in done.stdout


@pytest.mark.parametrize(
    ("name", "answer", "told"),
    [
        (
            "HA pair: machine",
            {"inputs": {"ssh_key_data": ["Invalid certificate or key: a-key-that"]}},
            "credential HA pair: machine: AWX did not take it (ssh_key_data); what it said is hidden, because it may "
            "quote the secret; look at HA_PAIR_AWX_MACHINE_SSH_KEY_DATA (docs/awx.md)",
        ),
        (
            "HA pair: webhook",
            {"notification_configuration": ["wrong: a-key-that"]},
            "notification HA pair: webhook: AWX did not take it (notification_configuration); what it said is hidden",
        ),
    ],
)
def test_what_awx_does_not_take_is_told_without_its_secret(tmp_path: Path, name: str, answer: t.Any, told: str) -> None:
    key = "a-key-that-nobody-is-to-see"
    mine = {"awx_image": FULL["awx_image"], "awx_webhook_url": FULL["awx_webhook_url"]}
    (tmp_path / "my.yml").write_text(json.dumps(mine))
    with fake_awx.running(PLAYBOOKS) as (awx, url):
        awx.refusals[name] = answer
        done = configure(tmp_path, url, "-e", "@my.yml", HA_PAIR_AWX_MACHINE_SSH_KEY_DATA=key)
    assert done.returncode == 2
    assert told in " ".join(done.stdout.split())
    assert "a-key-that" not in done.stdout + done.stderr
    assert awx.names("job_templates") == []


def test_a_wrong_token_is_told_and_nothing_is_changed(tmp_path: Path) -> None:
    with fake_awx.running(PLAYBOOKS) as (awx, url):
        done = configure(tmp_path, url, "--check", CONTROLLER_OAUTH_TOKEN="wrong")
        assert done.returncode == 2
        said = " ".join(done.stdout.split())
        assert f"CONTROLLER_HOST: {url} does not let itself be asked" in said
        assert "HTTP 401" in said
        assert "look at its address, at CONTROLLER_OAUTH_TOKEN" in said
        assert awx.calls == []
