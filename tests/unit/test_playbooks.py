# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every playbook keeps to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

PLAYBOOKS = sorted((Path(__file__).resolve().parents[2] / "playbooks").glob("*.yml"))


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.name)
def test_nothing_runs_once_in_a_play_before_facts_are_gathered(path: Path) -> None:
    # ansible-core 2.21 gives all hosts without facts one dictionary for those to come (ansible/ansible#87492).
    plays = yaml.safe_load(path.read_text(encoding="utf-8"))
    gathering = [number for number, play in enumerate(plays) if play.get("gather_facts", True)]
    before = plays[: max(gathering, default=0)]
    assert [play["name"] for play in before if not play.get("gather_facts", True) and "run_once" in str(play)] == []


def test_witnesses_are_deployed_before_the_pairs_that_need_them() -> None:
    (site,) = (path for path in PLAYBOOKS if path.name == "site.yml")
    plays = yaml.safe_load(site.read_text(encoding="utf-8"))
    names = [play["name"] for play in plays]
    first = names.index("Deploy witnesses")
    assert first < min(names.index(name) for name in ("Deploy what holds sessions", "Deploy services", "Deploy VRRP"))
    # Nothing is changed on one host while another one is to be refused.
    assert [name for name in names[first:] if name.startswith("Refuse")] == []
    assert all(play.get("any_errors_fatal") for play in plays if play["name"].startswith("Refuse"))


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.name)
def test_no_play_waits_for_storage_that_hangs(path: Path) -> None:
    # Ansible's list of mounts asks each of them for its size, and one whose server is gone never answers.
    for play in yaml.safe_load(path.read_text(encoding="utf-8")):
        if "hosts" not in play or not play.get("gather_facts", True):
            continue
        wanted = play.get("gather_subset", [])
        assert "!all" in wanted, play["name"]
        assert {"hardware", "mounts", "all"}.isdisjoint(wanted), play["name"]
