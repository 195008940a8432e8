# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks over pairs that are not there: what is asked, how often, and what is refused before anybody is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import simulated_pairs
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._forks import FILTERS, load_filters
from plays import ROOT, run_playbook


def run(where: Path, playbook: str, *words: str) -> subprocess.CompletedProcess[str]:
    play = [{"name": "Run the playbook", "ansible.builtin.import_playbook": str(ROOT / "playbooks" / playbook)}]
    (where / "playbook.yml").write_text(json.dumps(play), encoding="utf-8")
    return run_playbook(where, *words, inventory=str(where / "hosts.json"), settings={"ANSIBLE_PIPELINING": "true"})


def test_the_status_asks_each_node_as_often_however_many_there_are(tmp_path: Path) -> None:
    simulated_pairs.write(tmp_path, 3)
    done = run(tmp_path, "status.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": verified, without an observer") == 3
    asked = simulated_pairs.asked(tmp_path)
    assert len(asked) == 6
    assert {tuple(sorted(Counter(sent).items())) for sent in asked.values()} == {
        (("release_claim", 1), ("vip_owner", 1)),
    }


@pytest.mark.parametrize("playbook", ["status.yml", "site.yml"])
def test_a_clash_between_pairs_is_refused_before_a_node_is_asked(tmp_path: Path, playbook: str) -> None:
    inventory = simulated_pairs.write(tmp_path, 3)
    hosts = json.loads(inventory.read_text(encoding="utf-8"))
    hosts["ha_pair"]["children"]["web_002"]["vars"]["web_vip"] = "10.77.0.10"
    inventory.write_text(json.dumps(hosts), encoding="utf-8")
    done = run(tmp_path, playbook, "--check")
    assert done.returncode != 0
    assert (
        "web-002-a: keepalived_instances.web.vips[0]: 10.77.0.10 is also a VIP of the pair web-000-a + web-000-b "
        "(web-000-a: keepalived_instances.web.vips[0]); give each VIP to one pair"
    ) in " ".join((done.stdout + done.stderr).split())
    assert set(map(tuple, simulated_pairs.asked(tmp_path).values())) == {()}


def test_what_is_forked_finds_all_filters_loaded() -> None:
    files = {path.stem for path in (ROOT / "plugins/filter").glob("*.py")}
    assert set(load_filters()) == files
    # In a process of its own: here other tests have loaded them.
    program = (
        "import sys; import ansible_collections.duplex.ha_pair.plugins.action.pair_plan; "
        f"print(*(name.rpartition('.')[2] for name in sys.modules if name.startswith('{FILTERS}.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "collections")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == files


def test_a_filter_that_cannot_be_loaded_keeps_none_of_the_others_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"{FILTERS}.pair_model", None)
    found = load_filters()
    assert "pair_model" not in found
    assert {"pair_inventory", "vip_verdict"} <= set(found)


def test_a_node_answers_nothing_that_nobody_wrote_down(tmp_path: Path) -> None:
    simulated_pairs.write(tmp_path, 1)
    play = [
        {"hosts": "web-000-a", "gather_facts": False, "tasks": [{"ansible.builtin.stat": {"path": "/etc/hostname"}}]}
    ]
    (tmp_path / "playbook.yml").write_text(json.dumps(play), encoding="utf-8")
    done = run_playbook(tmp_path, inventory=str(tmp_path / "hosts.json"), settings={"ANSIBLE_PIPELINING": "true"})
    assert done.returncode == 2
    assert "has no answer for the module 'stat'; add it" in " ".join((done.stdout + done.stderr).split())
