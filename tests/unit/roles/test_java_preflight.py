# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the preflight of java_service gives to its model, of the node, other roles and the third host."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

import yaml
from plays import run_playbook

# Of two services of an earlier run: one was to run on both nodes, the other one has a timer.
SYSTEMCTL = """#!/bin/sh
[ "$1" = --version ] && echo "systemd 252 (252)" && exit
for word; do case $word in
  both.service) printf 'LoadState=not-found\\nActiveState=inactive\\nUnitFileState=enabled\\n\\n' ;;
  report.timer) printf 'LoadState=loaded\\nActiveState=active\\nTriggers=report.service\\n\\n' ;;
  *.service|*.target|*.timer) printf 'LoadState=not-found\\nActiveState=inactive\\n\\n' ;;
esac; done
"""
FACTS = {
    "os_family": "Debian",
    "distribution": "Debian",
    "distribution_major_version": "12",
    "architecture": "x86_64",
}
SECRET = "correct-horse-battery"


def check(where: Path, name: str, entry: dict[str, t.Any], **given: t.Any) -> tuple[int, str]:
    """How the preflight of this one service ended, and all that was said."""
    (where / "systemctl").write_text(SYSTEMCTL, encoding="utf-8")
    (where / "systemctl").chmod(0o755)
    inventory = {
        "all": {
            "hosts": {
                "node-a": {
                    "keepalived_instances": {"web": {"services": {name: {"active_standby": True}}}},
                    "java_service_services": {name: {"command": ["/usr/bin/true"], **entry}},
                    "java_service_open_firewall": False,
                    **given,
                },
                "third": {"active_witness_address": "192.0.2.31", "active_witness_lease": 20},
                "fourth": {"active_witness_address": "192.0.2.32"},
            }
        }
    }
    (where / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    role = {"name": "duplex.ha_pair.java_service", "tasks_from": "preflight"}
    one = "{{ __java_service_model.services[0] }}"
    play = {
        "name": "Check",
        "hosts": "node-a",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable, "one": one},
        "environment": {"PATH": f"{where}:{os.environ['PATH']}"},
        "tasks": [
            {"name": "Give the facts", "ansible.builtin.set_fact": {**FACTS, "cacheable": True}},
            {"name": "Check", "ansible.builtin.include_role": {**role, "public": True}},
            {
                "name": "Go on",
                "ansible.builtin.debug": {
                    "msg": "MAKES {{ one.makes | join(',') }} ENDS {{ one.triggered | join(',') }}."
                },
            },
        ],
    }
    (where / "playbook.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    settings = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    done = run_playbook(where, inventory="hosts.yml", settings=settings)
    return done.returncode, done.stdout + done.stderr


def test_a_witness_of_the_inventory_lends_for_no_longer_than_it_says(tmp_path: Path) -> None:
    entry = {"arbiter": {"kind": "witness"}, "stop_timeout": 5}
    members = {"node-a": "192.0.2.11", "node-b": "192.0.2.12"}
    given = {"java_service_members": members, "java_service_witness_secret": SECRET}
    service = {**entry, "arbiter": {"kind": "witness", "lease": 21}}
    code, said = check(tmp_path, "fetcher", service, java_service_witness_address="192.0.2.31", **given)
    assert code != 0
    assert "java_service_services.fetcher.arbiter.lease: is 21, and the witness 192.0.2.31 lends for 20 seconds" in said
    # 60 s when its host says nothing; and one that is in no inventory.
    for address in ("192.0.2.32", "192.0.2.33"):
        code, said = check(tmp_path, "fetcher", service, java_service_witness_address=address, **given)
        assert code == 0, said


def test_what_other_roles_make_and_what_a_timer_starts_is_known(tmp_path: Path) -> None:
    entry = {
        "arbiter": {"kind": "none"},
        "write_paths": ["/srv/mirrored", "/srv/as-it-is", "/srv/own"],
        "companions": ["report.timer"],
    }
    directories = {"one": {"path": "/srv/mirrored", "owner": "fetcher"}, "two": {"path": "/srv/as-it-is"}}
    mounts = [{"path": "/srv/own", "source": "192.0.2.20:/own"}]
    code, said = check(tmp_path, "fetcher", entry, file_sync_directories=directories, nfs_mount_mounts=mounts)
    assert code == 0, said
    assert "MAKES /var/lib/fetcher,/srv/as-it-is,/srv/own ENDS report.service." in said


def test_what_is_left_of_the_other_mode_is_found(tmp_path: Path) -> None:
    code, said = check(tmp_path, "both", {"arbiter": {"kind": "none"}})
    assert code != 0
    assert "java_service_services.both.mode: is active_standby, and both.service is still set up to run on both" in said
