# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks hand on and end with. The playbooks are the real ones, what they ask and move is a file here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

NOTHING = """
- name: Nothing to do here
  ansible.builtin.debug: {msg: nothing}
"""

# What the views say stands in a file for each pair; a node says it with a bell and colours.
ROLES = {
    "vip_verification/tasks/main.yml": """
- name: Read what the views say
  ansible.builtin.slurp: {src: "{{ place }}/{{ keepalived_members | first }}.json"}
  register: view
- name: Say so
  ansible.builtin.set_fact:
    vip_verification_verdict: "{{ view.content | b64decode | from_json }}"
- name: Refuse what does not pass
  ansible.builtin.assert:
    that: vip_verification_verdict.result == 'verified'
    fail_msg: "{{ vip_verification_verdict.text }}"
  when: vip_verification_enforce | default(true) | bool
""",
    "keepalived/tasks/preflight.yml": NOTHING,
    "keepalived/tasks/main.yml": """
- name: Fail where it is to fail
  ansible.builtin.fail: {msg: no disk}
  when: inventory_hostname == broken | default('')
""",
    "keepalived/tasks/verify.yml": """
- name: Refuse what is not proved
  ansible.builtin.fail: {msg: "keepalived says no"}
  when: inventory_hostname == unproved | default('')
""",
    "active_witness/tasks/preflight.yml": NOTHING,
    "active_witness/tasks/main.yml": NOTHING,
    "active_witness/tasks/verify.yml": """
- name: Refuse a witness that does not listen
  ansible.builtin.fail: {msg: "nobody listens"}
""",
    "vip_switchover/tasks/move.yml": """
- name: Move it
  ansible.builtin.fail: {msg: it does not move}
  when: stuck | default(false) | bool
""",
}


@dataclass
class Stage:
    """Where the plays are given."""

    place: Path

    def say(self, number: int, result: str = "verified", owner: str = "a", problems: tuple[str, ...] = ()) -> None:
        """What all views of a pair say."""
        members = [f"node-{number}a", f"node-{number}b"]
        vip = {"address": f"192.0.2.{number}0", "instance": "web", "owner": f"node-{number}{owner}", "result": result}
        verdict = {
            "members": members,
            "result": result,
            "observed": False,
            "vips": [vip],
            "problems": list(problems),
            "degraded": [],
            "warnings": [],
            "agents": [],
            "text": [f"{' + '.join(members)}: {result}", *problems],
        }
        (self.place / f"{members[0]}.json").write_text(json.dumps(verdict), encoding="utf-8")

    def play(self, name: str, *words: str) -> tuple[int, str, dict[str, t.Any]]:
        """The exit code, what was said on one line, and what was handed on."""
        playbook = self.place / f"ansible_collections/duplex/ha_pair/playbooks/{name}.yml"
        command = [sys.executable, "-m", "ansible", "playbook", "-i", str(self.place / "hosts.json"), str(playbook)]
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(self.place),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_SHOW_CUSTOM_STATS": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_HOME": str(self.place / "home"),
            "ANSIBLE_CONFIG": str(self.place / "ansible.cfg"),
        }
        given = json.dumps({"place": str(self.place), "ansible_become": False})
        done = subprocess.run(
            [*command, "-e", given, *words],
            env=environment,
            cwd=self.place,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        found = re.search(r"^\tRUN: (.*)$", done.stdout, re.MULTILINE)
        assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", said) is None
        return done.returncode, " ".join(said.split()), json.loads(found[1]) if found else {}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    collection = tmp_path / "ansible_collections/duplex/ha_pair"
    for name in ("plugins", "meta", "playbooks", "roles/vip_switchover"):
        shutil.copytree(
            ROOT / name, collection / name, ignore=shutil.ignore_patterns("__pycache__", "collections"), symlinks=True
        )
    shutil.copy(ROOT / "galaxy.yml", collection / "galaxy.yml")
    for name, text in ROLES.items():
        path = collection / "roles" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"---{text}", encoding="utf-8")
    # What the module keeps on a node stays here.
    claim = collection / "plugins/module_utils/_release/claim.py"
    text = claim.read_text(encoding="utf-8")
    assert "/var/lib/ha-pair/release.json" in text
    claim.write_text(text.replace("/var/lib/ha-pair/release.json", str(tmp_path / "release.json")), encoding="utf-8")
    hosts = {}
    made = Stage(tmp_path)
    for number in (1, 2):
        made.say(number)
        members = [f"node-{number}a", f"node-{number}b"]
        for index, name in enumerate(members, start=1):
            hosts[name] = {
                "keepalived_address": f"192.0.2.{number}{index}",
                "keepalived_members": members,
                "keepalived_instances": {"web": {"vrid": 50 + number, "vips": [f"192.0.2.{number}0"]}},
            }
    everywhere = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"ha_pair": {"hosts": hosts, "vars": everywhere}}
    (tmp_path / "hosts.json").write_text(json.dumps(inventory), encoding="utf-8")
    (tmp_path / "ansible.cfg").write_text("[connection]\npipelining = true\n", encoding="utf-8")
    return made


def test_status(stage: Stage) -> None:
    code, said, left = stage.play("status", "--check")
    assert code == 0, said
    assert "2 of 2 pairs are whole" in said
    assert left["ha_pair_status"]["whole"] is True

    stage.say(2, "failed", problems=("192.0.2.20: \x1b[31mtwo\x1b[0m owners\x07",))
    code, said, left = stage.play("status", "-e", "status_file=" + str(stage.place / "status.json"))
    assert code != 0
    status = left["ha_pair_status"]
    assert [pair["result"] for pair in status["pairs"]] == ["verified", "failed"]
    assert status["pairs"][1]["problems"] == ["192.0.2.20: two owners?"]
    assert (
        "1 of 2 pairs are whole; not whole: node-2a + node-2b: failed; 192.0.2.20 (web) with node-2a; 192.0.2.20: two "
        "owners?; the lines above say what each view answered"
    ) in said
    assert json.loads((stage.place / "status.json").read_text(encoding="utf-8"))["whole"] is False


def test_a_deployment(stage: Stage) -> None:
    code, said, left = stage.play("site", "--check")
    assert code == 0, said
    assert "Check mode, nothing was changed: 2 pairs, 4 hosts in this run" in said
    assert [pair["result"] for pair in left["ha_pair_deploy"]["pairs"]] == ["not verified"] * 2

    code, said, left = stage.play("site", "--limit", "node-1a,node-1b")
    assert code == 0, said
    assert (
        '"Deployed: 1 pair, 2 hosts in this run", "node-1a + node-1b: verified; 192.0.2.10 (web) with node-1a"' in said
    )
    assert re.findall(r"changed=(\d+)", said) == ["0", "0"]
    deployed = left["ha_pair_deploy"]
    assert (deployed["check"], deployed["failed"], deployed["pairs"][0]["result"]) == (False, {}, "verified")


def test_a_deployment_that_fails_here_and_is_not_proved_there(stage: Stage) -> None:
    code, said, left = stage.play("site", "-e", "broken=node-1b", "-e", "unproved=node-2a")
    assert code != 0
    failed = left["ha_pair_deploy"]["failed"]
    assert failed["node-1b"] == "failed or cannot be reached, as its message above says; mend it and run this again"
    assert failed["node-2a"] == "Refuse what is not proved: keepalived says no"
    assert [pair["result"] for pair in left["ha_pair_deploy"]["pairs"]] == ["failed", "failed"]
    # The last word names the host and the cure.
    assert said.index("Failed: 2 pairs, 4 hosts in this run") < said.index("PLAY RECAP")
    assert "node-2a: Refuse what is not proved: keepalived says no; mend it and run this again" in said
    assert re.findall(r"node-(\w+) : ok=\d+ changed=0 unreachable=0 failed=(\d)", said) == [
        ("1a", "0"),
        ("1b", "1"),
        ("2a", "1"),
        ("2b", "0"),
    ]


def test_what_is_not_proved_fails_also_where_the_summary_is_skipped(stage: Stage) -> None:
    code, said, _left = stage.play("site", "-e", "unproved=node-2a", "--skip-tags", "always")
    assert code != 0
    assert "node-2a: Refuse what is not proved: keepalived says no; mend it and run this again" in said


def test_a_witness_that_is_not_proved_keeps_nobody_from_the_summary(stage: Stage) -> None:
    inventory = stage.place / "hosts.json"
    hosts = json.loads(inventory.read_text(encoding="utf-8"))
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts["ha_pair_witnesses"] = {"hosts": {"witness": local}}
    inventory.write_text(json.dumps(hosts), encoding="utf-8")
    code, said, left = stage.play("site", "--limit", "node-1a,node-1b,witness")
    assert code != 0
    why = "Refuse a witness that does not listen: nobody listens"
    assert left["ha_pair_deploy"]["failed"] == {"witness": why}
    assert left["ha_pair_deploy"]["pairs"][0]["result"] == "verified"
    assert f"witness: {why}; mend it and run this again" in said
    assert re.findall(r"(\S+) : ok=\d+ changed=0 unreachable=0 failed=(\d)", said) == [
        ("node-1a", "0"),
        ("node-1b", "0"),
        ("witness", "1"),
    ]


def test_a_pair_whose_views_do_not_agree(stage: Stage) -> None:
    stage.say(1, "failed", problems=("192.0.2.10: two owners",))
    code, said, left = stage.play("site", "--limit", "node-1a,node-1b")
    assert code != 0
    assert left["ha_pair_deploy"]["pairs"][0]["problems"] == ["192.0.2.10: two owners"]
    assert "node-1a: Refuse what does not pass: node-1a + node-1b: failed; 192.0.2.10: two owners; mend it and" in said


def test_a_switchover(stage: Stage) -> None:
    pair = ("--limit", "node-1a,node-1b")
    code, said, left = stage.play("switchover", "--check", *pair)
    assert code == 0, said
    assert "Would move: web: from node-1a to node-1b" in said
    wanted = {"from": "node-1a", "to": "node-1b", "moved": True, "return_after": 0.0, "instances": ["web"]}
    assert wanted.items() <= left["ha_pair_switchover"].items()
    assert (left["ha_pair_switchover"]["check"], left["ha_pair_switchover"]["verified"]) == (True, False)

    code, said, left = stage.play("switchover", *pair, "-e", "switchover_return_after=60", "-e", "switchover_target=")
    assert code == 0, said
    assert "Moved: web: from node-1a to node-1b, and back after 60 s" in said
    assert left["ha_pair_switchover"]["verified"] is True

    code, said, left = stage.play("switchover", *pair, "-e", "stuck=true")
    assert code != 0
    assert "it does not move" in said
    assert wanted.items() <= left["ha_pair_switchover"].items()
    assert left["ha_pair_switchover"]["verified"] is False
