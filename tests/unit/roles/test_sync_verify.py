# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the verification of file_sync makes of a report and of the other node's answer, whatever is missing of them."""

from __future__ import annotations

import base64
import json
import sys
import typing as t
from pathlib import Path

import yaml
from plays import ROOT, run_playbook

VARIABLES = ROOT / "roles" / "file_sync" / "vars" / "main.yml"
WELL = {"result": "complete", "problem": None, "conflict": None, "started_at": 100.0, "seconds": 2.5}


def verify(where: Path, **given: t.Any) -> tuple[str, list[str]]:
    """(how long the last rounds took, what is wrong) on node-a."""
    tasks = [
        {
            "ansible.builtin.copy": {
                "content": "{{ {'seconds': __file_sync_seconds, 'problems': __file_sync_problems} | to_json }}",
                "dest": str(where / "found.json"),
                "mode": "0600",
            }
        }
    ]
    model = {"directories": [{"name": "data"}, {"name": "more"}], "peer": "node-b", "service": "", "instance": "app"}
    variables = {
        "ansible_python_interpreter": sys.executable,
        "__file_sync_model": model,
        "__file_sync_survey": {"survey": {"now": 99.5}},
        **given,
    }
    play = {"hosts": "node-a", "gather_facts": False, "vars_files": [str(VARIABLES)], "tasks": tasks}
    (where / "playbook.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = run_playbook(where, "-e", json.dumps(variables), inventory="node-a,")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((where / "found.json").read_text(encoding="utf-8"))
    return str(found["seconds"]), found["problems"]


def report(**entries: t.Any) -> dict[str, str]:
    return {"content": base64.b64encode(json.dumps({"directories": entries}).encode()).decode()}


def test_rounds_that_got_through_are_well(tmp_path: Path) -> None:
    known = report(data=WELL, more=WELL)
    found = verify(tmp_path, __file_sync_before=known, __file_sync_last=known, __file_sync_answer={"stdout": "{}"})
    assert found == ("5.0", [])


def test_nobody_as_the_source_is_not(tmp_path: Path) -> None:
    known = report(data=WELL, more={**WELL, "result": "not owner"})
    answer = {"stdout": json.dumps({"more": {"ownership": "standby"}})}
    _seconds, (problem,) = verify(tmp_path, __file_sync_last=known, __file_sync_answer=answer, __file_sync_before={})
    assert problem.startswith("node-a: file_sync_directories.more: nobody is the source")


def test_a_report_that_is_not_there_is_no_round(tmp_path: Path) -> None:
    missing = {"failed": True, "msg": "file not found"}
    seconds, problems = verify(
        tmp_path, __file_sync_before=missing, __file_sync_last=missing, __file_sync_answer={"msg": "no such program"}
    )
    assert float(seconds) == 0
    assert [problem.partition(": no round of it was made yet")[0] for problem in problems] == [
        "node-a: file_sync_directories.data",
        "node-a: file_sync_directories.more",
    ]
