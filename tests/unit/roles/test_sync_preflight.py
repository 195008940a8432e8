# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both nodes of file_sync have is judged before either is changed; one alone is deployed all the same."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from plays import run_playbook

SYSTEMCTL = """#!/bin/sh
[ "$1" = --version ] && echo "systemd 252 (252)" && exit
for word; do
  case $word in *.*) printf 'LoadState=not-found\\nActiveState=inactive\\nSubState=dead\\n\\n' ;; esac
done
"""
FACTS = {"os_family": "Debian", "distribution": "Debian", "distribution_major_version": "12", "pkg_mgr": "apt"}


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A directory with a file, which both nodes have, because they are one machine here."""
    (tmp_path / "systemctl").write_text(SYSTEMCTL, encoding="utf-8")
    (tmp_path / "systemctl").chmod(0o755)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_text("1", encoding="utf-8")
    return tmp_path


def check(where: Path, *words: str, **given: t.Any) -> tuple[int, str]:
    play = {
        "name": "Check",
        "hosts": "all",
        "gather_facts": False,
        "vars": {
            "file_sync_directories": {"data": {"path": str((where / "data").resolve())}},
            "file_sync_members": {"node-a": "192.0.2.11", "node-b": "192.0.2.12"},
            "file_sync_instance": "app",
            "ansible_python_interpreter": sys.executable,
            **given,
        },
        "environment": {"PATH": f"{where}:{os.environ['PATH']}"},
        "tasks": [
            {"name": "Give the facts", "ansible.builtin.set_fact": {**FACTS, "cacheable": True}},
            {
                "name": "Check",
                "ansible.builtin.include_role": {"name": "duplex.ha_pair.file_sync", "tasks_from": "preflight"},
            },
            {"name": "Go on", "ansible.builtin.debug": {"msg": "WELL {{ inventory_hostname }}"}},
        ],
    }
    (where / "playbook.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    settings = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    done = run_playbook(where, *words, inventory="node-a,node-b", settings=settings)
    return done.returncode, done.stdout + done.stderr


def test_files_on_both_nodes_are_refused_on_both(shared: Path) -> None:
    code, said = check(shared)
    assert code != 0
    assert "WELL" not in said
    for node in ("node-a", "node-b"):
        assert f"{node}: file_sync_directories.data: " in said
    assert (
        "has files on node-a and on node-b, and nothing was ever mirrored; empty it on one node, or say whose" in said
    )


def test_whoever_is_named_wins(shared: Path) -> None:
    code, said = check(shared, file_sync_first="node-a")
    assert code == 0, said
    assert "WELL node-a" in said
    assert "WELL node-b" in said


def test_a_node_whose_peer_is_not_deployed_is_deployed(shared: Path) -> None:
    code, said = check(shared, "--limit", "node-b")
    assert code == 0, said
    assert "WELL node-b" in said


def test_accounts_and_services_of_the_same_run_are_no_typing_errors(shared: Path) -> None:
    services = {"fetcher": {"mode": "active_standby", "user": "fetching"}, "web": {"mode": "active_active"}}
    directory = {"path": str((shared / "data").resolve()), "owner": "fetching"}
    given = {"java_service_services": services, "file_sync_directories": {"data": directory}}
    words = ("--limit", "node-b")
    code, said = check(shared, *words, file_sync_service="fetcher", **given)
    assert code == 0, said
    code, said = check(shared, *words, file_sync_service="web", **given)
    assert code != 0
    assert "'web' is not one of java_service_services that run on one node only (fetcher)" in said
    given["file_sync_directories"]["data"]["owner"] = "nobody-there"
    code, said = check(shared, *words, file_sync_service="fetcher", **given)
    assert code != 0
    assert "there is no user 'nobody-there'" in said
