# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole role tomcat in check mode: every task is reached with variables that it can read, and nothing is done."""

from __future__ import annotations

import os
import sys
import typing as t
import zipfile
from pathlib import Path

import pytest
import yaml
from plays import run_playbook

FACTS = {
    "service_mgr": "systemd",
    "os_family": "Debian",
    "distribution": "Debian",
    "distribution_major_version": "12",
    "distribution_version": "12.9",
    "architecture": "x86_64",
    "pkg_mgr": "apt",
    "selinux": {"status": "disabled"},
}
# What systemctl would say of any unit: it is there, and does not run.
SYSTEMCTL = """#!/bin/sh
case "$*" in *--version*) echo 'systemd 252 (252.1)'; exit ;; esac
for word in "$@"; do
  case "${word}" in
    *.service)
      printf '%s\\n' LoadState=loaded ActiveState=inactive SubState=dead UnitFileState=enabled Result=success ''
      ;;
  esac
done
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the run said."""
    where = tmp_path_factory.mktemp("check")
    war = where / "shop.war"
    with zipfile.ZipFile(war, "w") as archive:
        archive.writestr("WEB-INF/web.xml", "<web-app/>")
    programs = {"systemctl": SYSTEMCTL, "dpkg-query": "#!/bin/sh\necho installed tomcat10 10.1.34-1\n"}
    for name, text in programs.items():
        (where / name).write_text(text, encoding="utf-8")
        (where / name).chmod(0o755)
    variables: dict[str, t.Any] = {
        "ansible_python_interpreter": sys.executable,
        # Its programs are another role's matter.
        "__node_tools_installed": {},
        "tomcat_applications": [
            {
                "name": "shop",
                "path": "/",
                "war": str(war),
                "health": "/health",
                "context": {"resources": {"jdbc/shop": {"type": "javax.sql.DataSource", "password": "hunter2"}}},
            }
        ],
        # Nobody listens there.
        "tomcat_port": 1,
        "tomcat_users": [{"name": "deployer", "password": "hunter2", "roles": ["manager-script"]}],
        "tomcat_environment": {"SECRET": "hunter2"},
        "tomcat_host_names": [{"address": "192.0.2.11", "names": ["node-a"]}],
        "tomcat_write_paths": ["/srv/no-such-directory"],
    }
    play = {
        "name": "Run the role",
        "hosts": "localhost",
        "gather_facts": False,
        "vars": variables,
        "environment": {"PATH": f"{where}:{os.environ['PATH']}"},
        "tasks": [
            {"name": "Give the facts", "ansible.builtin.set_fact": {**FACTS, "cacheable": True}},
            {"name": "Run it", "ansible.builtin.include_role": {"name": "duplex.ha_pair.tomcat"}},
        ],
    }
    (where / "playbook.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = run_playbook(where, "--check", "--diff", "-vvv")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


def test_no_secret_is_shown(said: str) -> None:
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "task",
    [
        "Release | Unpack it",
        "Host names | Write the block into /etc/hosts",
        "Activate | Write the configuration",
        "Activate | Note what ran, and remove what is too old",
        "Configure | Write the unit that declares the service up and down, and bind it to the service",
    ],
)
def test_it_says_what_it_would_do(said: str, task: str) -> None:
    block = said.partition(f" : {task}] ")[2].partition("\nTASK [")[0]
    assert "changed: [localhost]" in block, block[:1500] or f"no task {task}"


def test_it_is_declared_up_by_the_url_that_counts_when_it_starts(said: str) -> None:
    order = [
        said.index(f"{name}] ")
        for name in (
            "Activate | Keep what ran and answered",
            "Configure | Write the unit that declares the service up and down, and bind it to the service",
            "Activate | Note what ran, and remove what is too old",
        )
    ]
    assert order == sorted(order)


def test_nothing_was_done(said: str) -> None:
    assert "failed=0" in said
    assert not Path("/var/lib/ha-pair/tomcat/shop").exists()
