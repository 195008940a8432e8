# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for AWX's job runner, on a project whose hosts are all this machine."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from awx_job import ROOT, Awx, AwxError, Inventory, Result, Template, command_line, extra_vars_text, load_templates
from awx_job import processes_of as processes
from awx_survey import Question, SurveyError

EXPORTED: dict[str, t.Any] = {
    "_meta": {"hostvars": {"node-b": {"colour": "{{ paint }}"}, "node-a": {"colour": "blue"}, "lonely": {}}},
    "all": {
        "children": ["ungrouped", "pairs", "empty"],
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
    },
    "ungrouped": {"hosts": ["lonely"]},
    "pairs": {"children": ["web"]},
    "web": {"hosts": ["node-a", "node-b"], "vars": {"paint": "red"}},
    "empty": {},
}
PLAYS: dict[str, t.Any] = {
    "shows.yml": [
        {
            "name": "Show what arrives",
            "hosts": "web",
            "gather_facts": False,
            "tasks": [
                {
                    "name": "Say it",
                    "ansible.builtin.debug": {
                        "msg": "{{ inventory_hostname }} is {{ colour }}; {{ answer | default('no answer') }}; "
                        "{{ trusted | default('') }}; {{ awx_job_template_name }} by {{ awx_user_name }}"
                    },
                },
                {
                    "name": "Keep what only the controller knows",
                    "ansible.builtin.set_stats": {
                        "data": {
                            "seen": {
                                "hosts": "{{ ansible_play_hosts_all }}",
                                "groups": "{{ groups }}",
                                "known": "{{ groups.all | sort }}",
                                "numbers": "{{ groups.all | map('extract', hostvars, 'remote_tower_id') | list }}",
                                "check": "{{ ansible_check_mode }}",
                                "become": "{{ ansible_become | default('by the command line') }}",
                                "directory": "{{ lookup('ansible.builtin.env', 'PWD') }}",
                                "here": "{{ lookup('ansible.builtin.pipe', 'pwd') }}",
                                "home": "{{ lookup('ansible.builtin.env', 'HOME') }}",
                                "ours": "{{ lookup('ansible.builtin.env', 'HA_PAIR_OURS') }}",
                                "given": "{{ lookup('ansible.builtin.env', 'HA_PAIR_GIVEN') }}",
                                "job": "{{ lookup('ansible.builtin.env', 'JOB_ID') }} {{ awx_job_id }}",
                                "collections": "{{ lookup('ansible.builtin.config', 'COLLECTIONS_PATHS') }}",
                                "link": "{{ lookup('ansible.builtin.pipe', 'readlink link') }}",
                                "there": "{{ lookup('ansible.builtin.pipe', 'ls -A') }}",
                            }
                        },
                        "per_host": False,
                    },
                    "run_once": True,
                },
            ],
        }
    ],
    "fails.yml": [
        {
            "name": "Fail on one host",
            "hosts": "web",
            "gather_facts": False,
            "tasks": [
                {"name": "Ring", "ansible.builtin.debug": {"msg": "{{ bell }}"}, "vars": {"bell": "a\u0007b"}},
                {
                    "name": "Refuse",
                    "ansible.builtin.fail": {"msg": "paint: is wet\nwait for it"},
                    "when": "inventory_hostname == 'node-b'",
                },
            ],
        }
    ],
    "asks.yml": [
        {
            "name": "Ask somebody",
            "hosts": "web[0]",
            "gather_facts": False,
            "vars_prompt": [{"name": "answer", "prompt": "Go on"}],
            "tasks": [{"name": "Go on", "ansible.builtin.debug": {"msg": "went on"}}],
        }
    ],
    "lasts.yml": [
        {
            "name": "Last long",
            "hosts": "web[0]",
            "gather_facts": False,
            "tasks": [
                {
                    "name": "Leave a process of its own behind",
                    "ansible.builtin.shell": {"cmd": "setsid sleep 300 >/dev/null 2>&1 & echo $! >left"},
                    "changed_when": True,
                },
                {"name": "Say that it lasts", "ansible.builtin.debug": {"msg": "it lasts"}},
                {"name": "Last", "ansible.builtin.command": "sleep 300", "changed_when": True},
                {"name": "Keep it", "ansible.builtin.set_stats": {"data": {"kept": True}}},
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def awx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Awx]:
    """AWX with a project of four playbooks; our own environment must not get into its pods."""
    project = tmp_path_factory.mktemp("awx") / "project"
    (project / ".git").mkdir(parents=True)
    (project / "link").symlink_to("shows.yml")
    for name, plays in PLAYS.items():
        (project / name).write_text(yaml.safe_dump(plays), encoding="utf-8")
    # Beside an inventory file these would be read; AWX's has nothing beside it.
    (project / "group_vars").mkdir()
    (project / "left").write_text("", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        patch.setenv("HA_PAIR_OURS", "set")
        patch.setenv("ANSIBLE_STRATEGY", "no such strategy")
        given = {"HA_PAIR_GIVEN": "given"}
        with Awx(Inventory.read(EXPORTED), project=project, environment=given) as found:
            yield found


SURVEY = (Question("answer", "text", required=True, maximum=20),)


@pytest.fixture(scope="module")
def shown(awx: Awx) -> Result:
    template = Template("Show", "shows.yml", survey=SURVEY, extra_vars={"trusted": "{{ 2 * 21 }}"})
    return awx.launch(template, {"answer": "{{ 6 * 7 }}"})


def test_a_job_ends_with_a_status_events_and_figures_by_host(shown: Result) -> None:
    assert (shown.status, shown.rc) == ("successful", 0), str(shown)
    assert set(shown.hosts) == {"node-a", "node-b"}
    assert shown.hosts["node-b"]["ok"] == 1
    assert (shown.hosts["node-a"]["failures"], shown.changed, shown.failures) == (0, 0, [])
    assert [event["event"] for event in shown.events][:: len(shown.events) - 1] == [
        "playbook_on_start", "playbook_on_stats",
    ]  # fmt: skip


def test_an_answer_stays_what_it_is(shown: Result) -> None:
    assert "node-a is blue; {{ 6 * 7 }};" in shown.text


def test_variables_of_the_template_and_of_the_inventory_are_templates(shown: Result) -> None:
    assert "node-b is red; {{ 6 * 7 }}; 42; Show by operator" in shown.text


def test_artifacts_are_what_set_stats_left(shown: Result) -> None:
    seen = shown.artifacts["seen"]
    assert seen["hosts"] == ["node-a", "node-b"]
    assert seen["known"] == ["lonely", "node-a", "node-b"]
    assert sorted(seen["numbers"]) == [1, 2, 3]
    assert seen["groups"]["pairs"] == ["node-a", "node-b"]


def test_the_pod_is_not_this_machines_environment(shown: Result) -> None:
    seen = shown.artifacts["seen"]
    assert (seen["ours"], seen["given"]) == ("", "given")
    number = seen["job"].split()[0]
    assert seen["job"] == f"{number} {number}"
    assert seen["here"].endswith(f"/awx_{number}/project")
    assert seen["directory"].endswith(f"/awx_{number}")
    assert seen["home"].endswith(f"/awx_{number}/home")
    assert seen["collections"][0].endswith(f"/awx_{number}/requirements_collections")
    assert not any(str(ROOT) in path for path in seen["collections"])


def test_the_project_is_a_clone_with_its_links(shown: Result) -> None:
    seen = shown.artifacts["seen"]
    assert seen["link"] == "shows.yml"
    assert "shows.yml" in seen["there"].split()
    assert ".git" not in seen["there"].split()


def test_the_output_has_colours_and_no_other_control_characters(shown: Result) -> None:
    assert "\x1b[0;32m" in shown.output
    assert "\x1b" not in shown.text
    assert shown.control_characters == []


def test_a_prompt_is_never_answered(awx: Awx, tmp_path: Path) -> None:
    # The terminal that ansible-runner makes lets Ansible ask; a template like that hangs until AWX ends it.
    project = tmp_path / "project"
    project.mkdir()
    (project / "asks.yml").write_text(yaml.safe_dump(PLAYS["asks.yml"]), encoding="utf-8")
    with Awx(awx.inventory, project=project, idle_timeout=12) as impatient:
        done = impatient.launch(Template("Ask", "asks.yml"))
    assert done.status == "timeout"
    assert "Go on" in done.text
    assert "went on" not in done.text


def test_a_red_job_names_host_task_and_message(awx: Awx) -> None:
    with awx.start(Template("Fail", "fails.yml")) as job:
        with pytest.raises(AwxError, match=r"(?s)'never' was not said, the job ended before.*is wet"):
            job.wait_for("never", timeout=300)
        done = job.wait()
    assert (done.status, done.rc) == ("failed", 2)
    assert [(failure.host, failure.task, failure.message) for failure in done.failures] == [
        ("node-b", "Refuse", "paint: is wet\nwait for it")
    ]
    assert "paint: is wet wait for it" in done.text
    assert done.hosts["node-b"]["failures"] == 1
    assert "failed (rc 2" in str(done)
    assert "node-b: Refuse: paint: is wet" in str(done)


def result(*lines: str) -> Result:
    return Result("successful", 0, 1.0, tuple({"event": "verbose", "stdout": line} for line in lines))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("\x1b[0;32mok: [node-a]\x1b[0m", []),
        ("one\r\ntwo\r", []),
        ("a\tb", []),
        ("äöü → ✓", []),
        ("a\x07b", ["'a\\x07b'"]),
        ("fine\nover\rwritten", ["'over\\rwritten'"]),
        ("\x1b[2Jcleared", ["'\\x1b[2Jcleared'"]),
        ("\x1b]0;title\x07", ["'\\x1b]0;title\\x07'"]),
        ("a\x9bb", ["'a\\x9bb'"]),
    ],
)
def test_control_characters_are_found(line: str, found: list[str]) -> None:
    assert result("nothing here", line).control_characters == found


def test_check_mode_limit_and_slices_reach_the_playbook_also_without_any_terminal(awx: Awx) -> None:
    asked = Template("Show", "shows.yml")
    limited = awx.launch(asked, check=True, limit="node-b", plain=True)
    assert limited.status == "successful", str(limited)
    assert limited.artifacts["seen"]["check"] is True
    assert limited.artifacts["seen"]["hosts"] == ["node-b"]
    # A limit takes nothing out of the inventory, a slice does.
    assert "node-a" in limited.artifacts["seen"]["known"]
    sliced = awx.launch(asked, slice_number=2, slice_count=2)
    assert sliced.artifacts["seen"]["hosts"] == ["node-a"]
    assert sliced.artifacts["seen"]["known"] == ["node-a"]


def test_a_survey_is_asked_before_anything_runs(awx: Awx) -> None:
    with pytest.raises(SurveyError, match="'answer' value missing"):
        awx.launch(Template("Show", "shows.yml", survey=SURVEY))
    with pytest.raises(SurveyError, match="Variables trusted are not allowed on launch"):
        awx.launch(Template("Show", "shows.yml", survey=SURVEY), {"answer": "yes", "trusted": "no"})


def test_a_cancelled_job_is_killed_with_everything_in_its_pod(awx: Awx) -> None:
    with awx.start(Template("Last", "lasts.yml")) as job:
        job.wait_for("it lasts", timeout=300)
        left = int((job.directory / "project" / "left").read_text(encoding="utf-8"))
        assert left in processes(job.directory)
        job.cancel()
        done = job.wait(timeout=300)
        assert processes(job.directory) == []
    assert (done.status, done.rc) == ("canceled", 254)
    assert done.artifacts == {}
    assert not Path(f"/proc/{left}").exists() or is_dead(left)
    assert not job.directory.exists()


def is_dead(number: int) -> bool:
    """Whether a process is only waiting to be reaped."""
    for _time in range(50):
        try:
            state = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


class TestInventory:
    """What AWX makes of an inventory source, and what a job's script prints of it."""

    def test_groups_hosts_and_variables(self) -> None:
        data = Inventory.read(EXPORTED).script_data()
        assert data["all"] == {
            "vars": EXPORTED["all"]["vars"], "hosts": ["lonely"], "children": ["pairs", "web", "empty"],
        }  # fmt: skip
        assert data["pairs"] == {"children": ["web"]}
        assert data["web"] == {"hosts": ["node-a", "node-b"], "vars": {"paint": "red"}}
        # AWX prints no group of which there is nothing to say.
        assert "empty" not in data
        assert data["_meta"]["hostvars"]["node-b"] == {
            "colour": "{{ paint }}", "remote_tower_enabled": "true", "remote_tower_id": 3,
        }  # fmt: skip

    def test_a_slice_has_every_second_host_by_name_and_nothing_of_the_others(self) -> None:
        inventory = Inventory.read(EXPORTED)
        first, second = inventory.script_data(1, 2), inventory.script_data(2, 2)
        assert list(first["_meta"]["hostvars"]) == ["lonely", "node-b"]
        assert list(second["_meta"]["hostvars"]) == ["node-a"]
        assert (first["web"]["hosts"], second["web"]["hosts"]) == (["node-b"], ["node-a"])
        assert (first["all"]["hosts"], second["all"]["hosts"]) == (["lonely"], [])
        # Its number is that of the whole inventory.
        assert second["_meta"]["hostvars"]["node-a"]["remote_tower_id"] == 2

    def test_a_host_that_awx_does_not_know(self) -> None:
        data = Inventory.read(EXPORTED, leave_out="node-b").script_data()
        assert data["web"]["hosts"] == ["node-a"]
        assert "node-b" not in json.dumps(data)

    def test_another_variable_of_a_group(self) -> None:
        inventory = Inventory.read(EXPORTED)
        changed = inventory.with_group_vars("web", paint="green", brush=2)
        assert changed.groups["web"]["vars"] == {"paint": "green", "brush": 2}
        assert inventory.groups["web"]["vars"] == {"paint": "red"}

    def test_the_example_with_the_lab_is_imported_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        data = Inventory.imported("inventories/nginx_pair", "lab/inventory").script_data()
        assert data["web"]["hosts"] == ["node-a", "node-b"]
        assert data["web"]["vars"]["keepalived_members"] == ["node-a", "node-b"]
        # Templates are imported as they are, for the job to fill in.
        assert data["_meta"]["hostvars"]["node-a"]["ansible_host"] == "{{ lab_name }}-node-a"
        assert "lab_subnet" in data["all"]["vars"]

    def test_an_inventory_that_cannot_be_read_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        (tmp_path / "hosts.yml").write_text("{[", encoding="utf-8")
        with pytest.raises(AwxError, match="ansible-inventory --list --export -i "):
            Inventory.imported(tmp_path / "hosts.yml", environment={"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"})


class TestFiles:
    """What AWX writes into the private data directory."""

    def test_every_string_is_unsafe_but_the_templates_own(self) -> None:
        given = {"answer": "{{ 1 }}", "number": 3, "many": ["a", {"k": "v"}], "own": "{{ 2 }}", "yes": True}
        text = extra_vars_text(given, {"own": "{{ 2 }}", "answer": "other"})
        assert text == (
            "!unsafe 'answer': !unsafe '{{ 1 }}'\n"
            "!unsafe 'number': 3\n"
            "!unsafe 'many':\n- !unsafe 'a'\n- !unsafe 'k': !unsafe 'v'\n"
            "own: '{{ 2 }}'\n"
            "!unsafe 'yes': true\n"
        )

    def test_the_command_line_is_in_the_order_of_awx(self) -> None:
        template = Template("T", "site.yml", check=True, diff=True, forks=10, limit="web:!node-b")
        words = ["--check", "-u", "root", "--become", "--diff", "--forks=10", "-l", "web:!node-b"]
        assert command_line(template) == words
        assert command_line(Template("T", "site.yml", become=False)) == ["-u", "root"]

    def test_the_inventory_is_a_program_that_prints_it(self, awx: Awx) -> None:
        with awx.start(Template("Show", "shows.yml"), slice_number=1, slice_count=2) as job:
            script = job.directory / "inventory" / "hosts"
            assert stat.S_IMODE(script.stat().st_mode) == 0o700
            printed = json.loads(subprocess.run([sys.executable, script], capture_output=True, check=True).stdout)
            assert printed == awx.inventory.script_data(1, 2)
            # Secrets are in there: nobody else may look.
            for path in (job.directory, *(job.directory / "env").iterdir()):
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_templates_are_read_as_the_module_takes_them(tmp_path: Path) -> None:
    entry = {
        "name": "{{ awx_prefix }}: Drill",
        "playbook": "playbooks/drill.yml",
        "job_type": "check",
        "forks": "{{ awx_forks | int }}",
        "become_enabled": True,
        "extra_vars": {"vip_verification_timeout": 10},
        "ask_limit_on_launch": True,
        "ask_job_type_on_launch": True,
        "ask_variables_on_launch": False,
        "timeout": 3600,
        "survey_enabled": True,
        "survey_spec": {"name": "", "description": "", "spec": [
            {"question_name": "Really?", "variable": "drill_confirm", "type": "text", "required": True},
        ]},
    }  # fmt: skip
    data = {"controller_templates": [entry, {"name": "Status", "playbook": "playbooks/status.yml"}]}
    (tmp_path / "data").mkdir()
    (tmp_path / "data/templates.yml").write_text(yaml.safe_dump(data), encoding="utf-8")
    (tmp_path / "data/labels.yml").write_text("controller_labels: []\n", encoding="utf-8")
    (tmp_path / "settings.yml").write_text("awx_prefix: HA pair\nawx_forks: 10\n", encoding="utf-8")
    drill, status = load_templates(tmp_path)
    assert (drill.name, drill.playbook, drill.check, drill.become, drill.timeout, drill.forks) == (
        "HA pair: Drill", "playbooks/drill.yml", True, True, 3600, 10,
    )  # fmt: skip
    assert drill.asks == {"limit", "job_type"}
    assert drill.survey == (Question("drill_confirm", "text", required=True),)
    assert (status.check, status.become, status.survey, status.slice_count) == (False, False, (), 1)


@pytest.fixture(scope="module")
def example() -> Iterator[Awx]:
    """The project itself on the example's inventory, none of whose hosts is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        with Awx(Inventory.imported("inventories/nginx_pair")) as found:
            yield found


@pytest.mark.parametrize("name", ["site", "status"])
def test_a_slice_that_parts_a_pair_is_refused_before_any_host_is_asked(example: Awx, name: str) -> None:
    done = example.launch(Template(name, f"playbooks/{name}.yml"), slice_number=1, slice_count=2)
    assert done.status == "failed"
    (failure,) = done.failures
    assert failure.host == "node-a"
    assert "node-a: keepalived_members[1]: 'node-b' is not a host of the inventory; put both nodes" in failure.message
    assert "give its template job_slice_count 1" in failure.message
    assert "192.0.2.11" not in done.text
    assert done.control_characters == []


def test_no_playbook_asks_anybody_anything() -> None:
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        plays = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert [play["name"] for play in plays if "vars_prompt" in play] == [], path.name
    # A pause without a time waits for a key.
    for path in sorted((ROOT / "roles").glob("*/tasks/*.yml")):
        assert "ansible.builtin.pause" not in path.read_text(encoding="utf-8"), path
