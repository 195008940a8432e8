# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill needs where Ansible runs: without it nothing is broken, and it says what would help."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from plays import run_playbook

NOBODY = "nobody answered within 5 s (Connection refused)"


@pytest.mark.parametrize(
    ("variables", "messages"),
    [
        (
            {},
            [
                "failover_drill_observer: localhost cannot ask tcp://127.0.0.1:1 (",
                NOBODY,
                "); name a host outside the pair that reaches the VIP, in vip_verification_observers or "
                "failover_drill_observer: localhost is where Ansible runs, with AWX a container that need not be on "
                "that network",
            ],
        ),
        (
            {"vip_verification_observers": ["watcher"]},
            [
                "failover_drill_observer: watcher cannot ask tcp://127.0.0.1:1 (",
                NOBODY,
                "); see that it reaches the VIP, or name another host outside the pair",
            ],
        ),
    ],
)
def test_refuses_a_client_that_sees_nothing(tmp_path: Path, variables: dict[str, object], messages: list[str]) -> None:
    play = {
        "name": "Prepare a drill",
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "ansible_python_interpreter": sys.executable,
            "ansible_become": False,
            "__failover_drill_plan": {"vips": ["127.0.0.1"], "instance": "web"},
            "failover_drill_url": "tcp://{vip}:1",
            **variables,
        },
        "tasks": [
            {
                "name": "Prepare",
                "ansible.builtin.include_role": {"name": "duplex.ha_pair.failover_drill", "tasks_from": "prepare"},
            },
            {"name": "Break", "ansible.builtin.debug": {"msg": "would break now"}},
        ],
    }
    (tmp_path / "playbook.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = run_playbook(tmp_path, inventory="localhost,watcher,", settings={"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"})
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    for message in messages:
        assert message in said
    assert "would break now" not in said


def test_refuses_a_report_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    plays = [
        {
            "name": "Look at the directory of the report",
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {
                "ansible_python_interpreter": sys.executable,
                "failover_drill_report_directory": f"{tmp_path}/{directory}",
            },
            "tasks": [
                {
                    "name": "Look",
                    "ansible.builtin.include_role": {
                        "name": "duplex.ha_pair.failover_drill",
                        "tasks_from": "report_directory",
                    },
                },
            ],
        }
        for directory in ("fine/reports", "file/reports")
    ]
    (tmp_path / "playbook.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
    done = run_playbook(tmp_path, settings={"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"})
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert (tmp_path / "fine/reports").is_dir()
    assert f"failover_drill_report_directory: {tmp_path}/file/reports cannot be made where Ansible runs (" in said
    assert (
        "name one that can, such as /tmp/drill-reports: in AWX it goes with the container, and the report is in" in said
    )
