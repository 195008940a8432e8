# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of one pair never take their turns at the same time: the tasks of the role, with turns that only say so."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml
from plays import run_playbook

ROOT = Path(__file__).resolve().parents[3]
PAIRS = {"node-a": ["node-a", "node-b"], "node-b": ["node-a", "node-b"]}
# Members of no pair: all hosts of the play.
APPS = ["app-1", "app-2", "app-3"]


def run(where: Path, hosts: list[str], failing: str = "", down: tuple[str, ...] = ()) -> tuple[list[str], str]:
    """What the turns said, in their order, and everything. `down`: hosts whose Tomcat was not up."""
    tasks = [
        task
        for task in yaml.safe_load((ROOT / "roles/tomcat/tasks/main.yml").read_text(encoding="utf-8"))
        if task.get("ansible.builtin.include_tasks") == "turn.yml"
    ]
    assert tasks, "no task of main.yml is a turn"
    activate = yaml.safe_load((ROOT / "roles/tomcat/tasks/activate.yml").read_text(encoding="utf-8"))
    turn = [
        activate[0],  # the guard
        {"name": "Begin", "ansible.builtin.debug": {"msg": "BEGIN {{ inventory_hostname }}"}},
        {"name": "Look inside", "ansible.builtin.include_tasks": "inside.yml", "loop": [1, 2]},
        {"name": "Fail", "ansible.builtin.fail": {"msg": "broken"}, "when": "inventory_hostname == failing"},
        {"name": "End", "ansible.builtin.debug": {"msg": "END {{ inventory_hostname }}"}},
    ]
    variables = yaml.safe_load((ROOT / "roles/tomcat/vars/main.yml").read_text(encoding="utf-8"))
    play = {
        "name": "Take turns",
        "hosts": "all",
        "gather_facts": False,
        "vars": {
            "__tomcat_members": variables["__tomcat_members"],
            "__tomcat_due": True,
            "__tomcat_serves": "{{ inventory_hostname not in down }}",
            "down": list(down),
            "failing": failing,
            "ansible_python_interpreter": sys.executable,
        },
        "tasks": tasks,
    }
    (where / "playbook.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    (where / "turn.yml").write_text(yaml.safe_dump(turn), encoding="utf-8")
    (where / "inside.yml").write_text(
        yaml.safe_dump([{"name": "Inside", "ansible.builtin.debug": {"msg": "inside"}}]), encoding="utf-8"
    )
    inventory = {
        "all": {"hosts": {host: {"keepalived_members": PAIRS[host]} if host in PAIRS else {} for host in hosts}}
    }
    (where / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    done = run_playbook(where, inventory="hosts.yml")
    return re.findall(r'"(?:BEGIN|END) [a-z0-9-]+"', done.stdout), done.stdout + done.stderr


def test_the_last_node_of_a_pair_is_first(tmp_path: Path) -> None:
    said, everything = run(tmp_path, ["node-a", "node-b"])
    assert said == ['"BEGIN node-b"', '"END node-b"', '"BEGIN node-a"', '"END node-a"'], everything


def test_the_other_one_is_left_when_the_first_one_fails(tmp_path: Path) -> None:
    said, everything = run(tmp_path, ["node-a", "node-b"], failing="node-b")
    assert said == ['"BEGIN node-b"'], everything
    assert "node-a: is left as it was, because node-b failed" in everything


def test_nodes_of_no_pair_come_one_after_the_other(tmp_path: Path) -> None:
    said, everything = run(tmp_path, APPS)
    assert [word.split()[1] for word in said[::2]] == [word.split()[1] for word in said[1::2]], everything
    assert len(said) == 2 * len(APPS), everything
    assert said[0] == '"BEGIN app-3"'


def test_one_node_alone(tmp_path: Path) -> None:
    said, everything = run(tmp_path, ["node-a"])
    assert said == ['"BEGIN node-a"', '"END node-a"'], everything


def test_a_node_that_is_down_is_first(tmp_path: Path) -> None:
    said, everything = run(tmp_path, ["node-a", "node-b"], down=("node-a",))
    assert said == ['"BEGIN node-a"', '"END node-a"', '"BEGIN node-b"', '"END node-b"'], everything


def test_what_serves_is_left_when_one_that_is_down_fails(tmp_path: Path) -> None:
    said, everything = run(tmp_path, ["node-a", "node-b"], failing="node-a", down=("node-a",))
    assert said == ['"BEGIN node-a"'], everything
    assert "node-b: is left as it was, because node-a failed" in everything
