# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Redis of a pair restart one after the other: the tasks of the role, with a restart that only says so."""

from __future__ import annotations

import importlib
import re
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from plays import run_playbook

ROOT = Path(__file__).resolve().parents[3]
WORD = re.compile(r'"(?:RESTART|HAS DATA) [a-z0-9-]+"')


def read(name: str) -> t.Any:
    """A file of the role."""
    return yaml.safe_load((ROOT / "roles/redis" / name).read_text(encoding="utf-8"))


def say(text: str, **more: t.Any) -> dict[str, t.Any]:
    """A task that says this."""
    return {"name": "Say", "ansible.builtin.debug": {"msg": text}, **more}


def run(where: Path, failing: bool = False, configuration: str = "ours") -> tuple[list[str], str]:
    """What the turns said, in their order, and everything."""
    block = next(task["block"] for task in read("tasks/service.yml") if "block" in task)
    turns = [task for task in block if task.get("ansible.builtin.include_tasks") == "restart.yml"]
    assert turns, "no task of service.yml is a turn"
    restart = read("tasks/restart.yml")
    for number, task in enumerate(restart):
        if "ansible.builtin.systemd_service" in task:
            restart[number] = say("RESTART {{ inventory_hostname }}")
    data_back = [
        {"name": "Fail", "ansible.builtin.fail": {"msg": "broken"}, "when": "failing"},
        say("HAS DATA {{ inventory_hostname }}"),
    ]
    play = {
        "name": "Take turns",
        "hosts": "all",
        "gather_facts": False,
        "vars": {
            "redis_members": {"node-b": "192.0.2.12", "node-a": "192.0.2.11"},
            "__redis_unit": "redis-server.service",
            "__redis_configuration": "/etc/ha-pair/redis.conf",
            "__redis_survey": {"survey": {"files": {"/etc/ha-pair/redis.conf": configuration}}},
            "__redis_files": {"changed": True},
            "failing": failing,
            "ansible_python_interpreter": sys.executable,
        },
        "tasks": turns,
    }
    for name, content in (("playbook", [play]), ("restart", restart), ("data_back", data_back)):
        (where / f"{name}.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    done = run_playbook(where, inventory="node-a,node-b")
    return [word.strip('"') for word in WORD.findall(done.stdout)], " ".join((done.stdout + done.stderr).split())


def test_the_second_restarts_when_the_first_has_the_data(tmp_path: Path) -> None:
    words = run(tmp_path)[0]
    # Whoever answers Ansible first is first.
    assert sorted(words[:2]) in (["HAS DATA node-a", "RESTART node-a"], ["HAS DATA node-b", "RESTART node-b"])
    assert sorted(words) == ["HAS DATA node-a", "HAS DATA node-b", "RESTART node-a", "RESTART node-b"]
    assert [word.split()[0] for word in words] == ["RESTART", "HAS", "RESTART", "HAS"]


def test_before_the_first_deployment_there_are_none_to_wait_for(tmp_path: Path) -> None:
    assert sorted(run(tmp_path, configuration="missing")[0]) == ["RESTART node-a", "RESTART node-b"]


def test_the_second_keeps_the_data_when_the_first_has_none(tmp_path: Path) -> None:
    words, text = run(tmp_path, failing=True)
    (first,) = (word.split()[-1] for word in words)
    other = "node-b" if first == "node-a" else "node-a"
    assert (
        f"{other}: redis-server.service: runs with what it had, because {first} failed, and may hold no data; mend "
        'that, and run \\"systemctl restart redis-server.service\\" here afterwards'
    ) in text


def test_verify_waits_longer_than_a_redis_without_its_peer() -> None:
    rules = importlib.import_module("ansible_collections.duplex.ha_pair.plugins.module_utils._node.redis_role")
    assert read("vars/main.yml")["__redis_settles"] > rules.BOOT_WAIT


@pytest.mark.parametrize("name", ["data_back", "verify"])
def test_no_wait_is_longer_than_needed(name: str) -> None:
    text = (ROOT / f"roles/redis/tasks/{name}.yml").read_text(encoding="utf-8")
    assert "until: __redis_has_data | bool" in text
    assert "wait_for" not in text


def test_the_module_for_ports_finds_what_it_needs() -> None:
    asked, installed, given = read("tasks/selinux.yml")
    assert read("vars/main.yml")["__redis_selinux_packages"] == ["python3-libselinux", "policycoreutils-python-utils"]
    assert "__redis_selinux_packages" in asked["ansible.builtin.command"]["argv"]
    assert "__redis_selinux_packages" in installed["loop"]
    assert given["community.general.seport"]["setype"] == "redis_port_t"


def test_a_primary_that_is_alone_goes_on_counting_what_is_written() -> None:
    lines = (ROOT / "roles/redis/templates/redis.conf.j2").read_text(encoding="utf-8").splitlines()
    # After an hour without a replica it would stop, and two primaries could not be compared.
    assert "repl-backlog-ttl 0" in lines
    # What says "ready" to systemd once there is a primary is not for a pair that starts without one.
    assert "supervised no" in lines
