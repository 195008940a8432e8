# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Java services a deployment starts anew, by the tasks of the role: nothing here is really restarted."""

from __future__ import annotations

import json
import re
import sys
import typing as t
from pathlib import Path

import yaml
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._java import model
from plays import run_playbook

ROLE = Path(__file__).resolve().parents[3] / "roles/java_service"


def read(name: str) -> t.Any:
    """A file of the role."""
    return yaml.safe_load((ROLE / name).read_text(encoding="utf-8"))


def run(where: Path, changed: list[str], stale: list[str]) -> tuple[list[str], str]:
    """What would be restarted, in its order, and everything. `changed`: whose files this run has written."""
    services = [{"name": name, "mode": "active_standby"} for name in ("one", "two")]
    (block,) = (task["block"] for task in read("tasks/service.yml") if "block" in task)
    (restart,) = (task for task in block if task["name"].startswith("Service | Restart a changed service"))
    restart.pop("ansible.builtin.command")
    restart["ansible.builtin.debug"] = {"msg": "RESTART {{ __java_service_entry.name }}"}
    earlier = [task for task in read("tasks/configure.yml") if task["name"].endswith("an earlier run has written")]
    assert len(earlier) == 2
    handlers = [
        {"name": handler["name"], "ansible.builtin.debug": {"msg": "HANDLER " + handler["name"].split()[0]}}
        for handler in read("handlers/main.yml")
    ]
    results = [{"changed": service["name"] in changed, "__java_service_entry": service} for service in services]
    play = {
        "name": "Restart what changed",
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "__java_service_model": {"services": services, "agent": {}},
            "__java_service_survey": {"survey": {"stale": stale}},
            "__java_service_files": {"results": results},
            "__java_service_environments": {"results": []},
            "__java_service_agent_unit": "ha-pair-active.service",
            "ansible_python_interpreter": sys.executable,
        },
        "tasks": [*earlier, {"name": "Flush", "ansible.builtin.meta": "flush_handlers"}, restart],
        "handlers": handlers,
    }
    (where / "playbook.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = run_playbook(where)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r'"msg": "((?:RESTART|HANDLER) [A-Za-z]+)"', done.stdout)
    return found, done.stdout


def test_what_an_earlier_run_did_not_come_to_restart_is_restarted(tmp_path: Path) -> None:
    assert run(tmp_path, [], ["two.service"])[0] == ["HANDLER Reload", "RESTART two"]
    assert run(tmp_path, ["two"], ["two.service"])[0] == ["HANDLER Reload", "RESTART two"]
    assert run(tmp_path, [], ["ha-pair-active.service"])[0] == ["HANDLER Reload", "HANDLER Restart"]


def test_what_runs_with_what_is_written_is_left_alone(tmp_path: Path) -> None:
    said, everything = run(tmp_path, [], [])
    assert said == []
    assert "changed=0" in everything


def test_what_is_looked_at_is_what_the_role_writes() -> None:
    variables = read("vars/main.yml")
    assert variables["__java_service_environment_directory"] == model.ENVIRONMENTS
    assert variables["__java_service_agent_unit"] == model.AGENT
    written = (variables["__java_service_agent_settings"], variables["__java_service_agent_secrets"])
    assert written == model.AGENT_FILES


def test_what_bound_a_unit_that_is_no_companion_any_more_is_removed(tmp_path: Path) -> None:
    (task,) = (task for task in read("tasks/configure.yml") if task["name"].startswith("Configure | Write what binds"))
    given_to_module = task.pop("duplex.ha_pair.node_files")
    task["ansible.builtin.copy"] = {"content": given_to_module, "dest": str(tmp_path / "given.json"), "mode": "0644"}
    task.pop("notify")
    service = {"name": "one", "companions": ["report.timer"], "triggered": ["report.service"]}
    directory = "/etc/systemd/system"
    kept, gone = f"{directory}/report.timer.d/ha-pair-one.conf", f"{directory}/old.timer.d/ha-pair-one.conf"
    play = {
        "name": "Bind units",
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "__java_service_standby": [service],
            "__java_service_survey": {"survey": {"drop_ins": {"one": [kept, gone]}}},
            "ansible_python_interpreter": sys.executable,
        },
        "tasks": [task],
    }
    (tmp_path / "templates").mkdir()
    for name in ("java.target.j2", "companion.conf.j2"):
        (tmp_path / "templates" / name).write_text("text of " + name, encoding="utf-8")
    (tmp_path / "playbook.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = run_playbook(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    given = json.loads((tmp_path / "given.json").read_text(encoding="utf-8"))
    assert [entry["path"] for entry in given["directories"]] == [
        f"{directory}/report.timer.d",
        f"{directory}/report.service.d",
    ]
    assert [entry["path"] for entry in given["files"]] == [
        f"{directory}/ha-pair-one.target",
        kept,
        f"{directory}/report.service.d/ha-pair-one.conf",
    ]
    assert given["absent"] == [gone]
