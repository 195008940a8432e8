# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole release by playbooks/release.yml: the role is the real one, the pair and what is released are files here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._release.inputs import read_settings
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._release.plan import fingerprint

ROOT = Path(__file__).resolve().parents[3]

# Who owns the VIP stands in a file; whoever is raised has it there.
ROLES = {
    "vip_verification/tasks/main.yml": """
- name: Read who owns it
  ansible.builtin.slurp: {src: "{{ place }}/owner"}
  register: owner_file
- name: Say so
  ansible.builtin.set_fact:
    __vip_verification_report:
      vip_owner:
        raised: "{{ ['app'] if owner == 'node-b' and inventory_hostname == 'node-b' else [] }}"
    vip_verification_verdict:
      members: [node-a, node-b]
      result: verified
      problems: []
      degraded: []
      warnings: []
      text: ["{{ owner }} owns it"]
      vips: [{instance: app, owner: "{{ owner }}", address: 192.0.2.10}]
  vars: {owner: "{{ owner_file.content | b64decode }}"}
""",
    "vip_switchover/tasks/plan.yml": """
- name: Say where to
  ansible.builtin.debug: {msg: "to {{ vip_switchover_target }}"}
""",
    "vip_switchover/tasks/move.yml": """
- name: Move it
  ansible.builtin.copy: {dest: "{{ place }}/owner", content: "{{ vip_switchover_target }}", mode: "0644"}
""",
    "service_tracking/tasks/verify.yml": """
- name: Note that somebody asked
  ansible.builtin.debug: {msg: tracked}
""",
    "stub/tasks/preflight.yml": """
- name: Note that somebody asked
  ansible.builtin.debug: {msg: checked}
""",
    "stub/tasks/stage.yml": """
- name: Fail where nothing can be staged
  ansible.builtin.fail: {msg: no such URL}
  when: inventory_hostname == unstaged | default('')
- name: Look what runs
  ansible.builtin.stat: {path: "{{ place }}/{{ inventory_hostname }}"}
  register: runs
- name: Say what is due
  ansible.builtin.set_fact:
    stub_staged: {due: "{{ not runs.stat.exists }}", release: two}
""",
    "stub/tasks/activate.yml": """
- name: Refuse where it is to be refused
  ansible.builtin.fail: {msg: no disk}
  when: inventory_hostname == full | default('')
- name: Say that there is something to take back
  ansible.builtin.set_fact: {stub_begun: true}
- name: Activate
  ansible.builtin.copy: {dest: "{{ place }}/{{ inventory_hostname }}", content: two, mode: "0644"}
- name: Fail where it is to fail
  ansible.builtin.fail: {msg: will not start}
  when: inventory_hostname == bad | default('')
""",
    "stub/tasks/take_back.yml": """
- name: Take back
  ansible.builtin.file: {path: "{{ place }}/{{ inventory_hostname }}", state: absent}
- name: Note it
  ansible.builtin.copy: {dest: "{{ place }}/back-{{ inventory_hostname }}", content: two, mode: "0644"}
""",
    "stub/tasks/verify.yml": """
- name: Verify
  ansible.builtin.stat: {path: "{{ place }}/{{ inventory_hostname }}"}
""",
}


class Healthy(BaseHTTPRequestHandler):
    """Answers everything well."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Says nothing."""


@dataclass
class Stage:
    """Where the play is given."""

    place: Path
    url: str

    def release(self, *words: str) -> tuple[int, str]:
        """The exit code, and what was said, on one line."""
        given = {
            "place": str(self.place),
            "ansible_become": False,
            "release_role": "stub",
            # Each node has a URL and numbers of its own, and yet all of them take each step together.
            "rolling_release_health_url": self.url + "{{ inventory_hostname }}",
            "rolling_release_consecutive": "{{ 2 if inventory_hostname == 'node-a' else 3 }}",
            "rolling_release_interval": 0.01,
            "rolling_release_settle": 0,
            "rolling_release_drain": 0,
        }
        playbook = self.place / "ansible_collections/duplex/ha_pair/playbooks/release.yml"
        command = [sys.executable, "-m", "ansible", "playbook", "-i", str(self.place / "hosts.json"), str(playbook)]
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(self.place),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SHOW_CUSTOM_STATS": "1",
            "ANSIBLE_HOME": str(self.place / "home"),
            "TMPDIR": str(self.place),
            # The real sources of collections, and an ansible.cfg, are out of reach.
            "ANSIBLE_CONFIG": str(self.place / "ansible.cfg"),
        }
        done = subprocess.run(
            [*command, "-e", json.dumps(given), *words],
            env=environment,
            cwd=self.place,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    def leave_note(self, phase: str) -> None:
        """As a run of the same input leaves it when it is killed."""
        given = read_settings({"role": "stub", "service": "stub", "health_url": self.url}, Reader())
        note = {
            "run": "1",
            "fingerprint": fingerprint(given, {"node-a": [], "node-b": []}),
            "by": "someone on control",
            "phase": phase,
            "raised": False,
            "since": time.time(),
            "until": time.time() + 1000,
        }
        (self.place / "release.json").write_text(json.dumps(note), encoding="utf-8")

    @property
    def owner(self) -> str:
        return (self.place / "owner").read_text(encoding="utf-8")

    @property
    def released(self) -> list[str]:
        return sorted(path.name for path in self.place.glob("node-*"))

    @property
    def taken_back(self) -> list[str]:
        return sorted(path.name for path in self.place.glob("back-*"))

    @property
    def note(self) -> dict[str, object]:
        path = self.place / "release.json"
        found: dict[str, object] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return found


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    collection = tmp_path / "ansible_collections/duplex/ha_pair"
    for name in ("plugins", "meta", "roles/rolling_release"):
        shutil.copytree(ROOT / name, collection / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("galaxy.yml", "playbooks/release.yml"):
        (collection / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, collection / name)
    for name, text in ROLES.items():
        path = collection / "roles" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"---{text}", encoding="utf-8")
    # What the modules keep on a node stays here.
    for name, place in (
        ("_release/claim.py", "/var/lib/ha-pair/release.json"),
        ("_drill/background.py", "/run/ha-pair-drill"),
    ):
        path = collection / "plugins/module_utils" / name
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(place, str(tmp_path / Path(place).name)), encoding="utf-8")
    hosts = {"node-a": {"keepalived_address": "192.0.2.11"}, "node-b": {"keepalived_address": "192.0.2.12"}}
    everywhere = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "keepalived_members": [*hosts],
        "keepalived_instances": {
            "app": {"vrid": 51, "vips": ["192.0.2.10"], "services": {"stub": {"health_url": "http://127.0.0.1/"}}}
        },
    }
    inventory = {"ha_pair": {"hosts": hosts, "vars": everywhere}}
    (tmp_path / "hosts.json").write_text(json.dumps(inventory), encoding="utf-8")
    (tmp_path / "ansible.cfg").write_text("[connection]\npipelining = true\n", encoding="utf-8")
    (tmp_path / "owner").write_text("node-a", encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Stage(tmp_path, f"http://127.0.0.1:{server.server_port}/")
    finally:
        server.shutdown()


def test_a_release_that_fails_on_the_former_owner_and_goes_on(stage: Stage) -> None:
    code, said = stage.release("--check")
    assert code == 0, said
    assert "Would release stub on node-a + node-b, standby first; now app on node-a" in said
    assert "Check mode, nothing was changed by the release of stub on node-a + node-b" in said
    assert '"check": true' in said
    assert (stage.released, stage.owner, stage.note) == ([], "node-a", {})

    code, said = stage.release("-e", "full=node-b")
    assert "node-b: the release of stub was not proved: Refuse where it is to be refused: no disk; it runs" in said
    assert (code != 0, stage.taken_back, stage.owner) == (True, [], "node-a")

    code, said = stage.release("-e", "bad=node-a")
    assert code != 0
    assert (
        "node-a: the release of stub was not proved: Fail where it is to fail: will not start; it runs again what it "
        "had before, and answers; mend the release and run this again; the VIP stays with another node, and no other "
        "node was changed; those done before keep what they got: node-b"
    ) in said
    assert (stage.released, stage.taken_back, stage.owner) == (["node-b"], ["back-node-a"], "node-b")
    assert (stage.note["phase"], stage.note["raised"]) == ("failed", True)
    # A workflow is told as well.
    assert '"ha_pair_release": { "check": false, "failures": [ "node-a: the release of stub was not proved' in said
    assert '"verified": false' in said

    # The note is all that tells the next run whose raise that is.
    code, said = stage.release("-e", "unstaged=node-a")
    assert code != 0
    assert "node-a: Fail where nothing can be staged: no such URL; nothing was activated" in said
    assert (stage.released, stage.owner, stage.note["raised"]) == (["node-b"], "node-b", True)

    code, said = stage.release()
    assert code == 0, said
    assert "node-b: nothing is due" in said
    assert (stage.released, stage.owner, stage.note) == (["node-a", "node-b"], "node-a", {})
    assert '"Done: release of stub on node-a + node-b", "proved: node-a"' in said
    assert '"released": [ "node-a" ]' in said
    assert '"verified": true' in said

    code, said = stage.release()
    assert code == 0, said
    assert re.findall(r"changed=(\d+)", said) == ["0", "0"]
    assert stage.note == {}


def test_what_a_killed_run_activated_and_did_not_prove(stage: Stage) -> None:
    for node in ("node-a", "node-b"):
        (stage.place / node).write_text("two", encoding="utf-8")
    stage.leave_note("activating")

    code, said = stage.release("-e", f"release_proof_url={stage.url}", "-e", "release_proof_text=two")
    assert code != 0
    assert "1. node-b: prove what an earlier run activated; proof: " in said
    assert 'Refuse another text: rolling_release_proof_text: \\"two\\" is not in what' in said
    assert (stage.released, stage.taken_back, stage.owner) == (["node-a"], ["back-node-b"], "node-a")
    assert stage.note["phase"] == "activating"

    code, said = stage.release()
    assert code == 0, said
    assert (stage.released, stage.owner, stage.note) == (["node-a", "node-b"], "node-a", {})


def test_a_run_without_a_node_to_release_is_refused(stage: Stage) -> None:
    code, said = stage.release("-e", "release_role=tomcat")
    assert code != 0
    assert (
        "node-a, node-b: tomcat_applications: is set for none of them, so there is nothing to release; set it, or name "
        "the nodes: -e release_hosts=ha_pair_apps"
    ) in said
