# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks refuse before they look at a pair: answers, half a pair, and a controller that lacks something."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


def pair(number: int) -> dict[str, dict[str, object]]:
    """Two members with an instance of their own."""
    names = [f"node-{number}a", f"node-{number}b"]
    return {
        name: {
            "ansible_connection": "local",
            # The plays become root, and nothing here needs it.
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "keepalived_members": names,
            "keepalived_address": f"192.0.2.{10 * number + place}",
            "keepalived_instances": {"web": {"vrid": 50 + number, "vips": [f"192.0.2.{10 * number}"]}},
        }
        for place, name in enumerate(names, start=1)
    }


def run(where: Path, playbook: str, *words: str, hide: tuple[str, ...] = (), **more: object) -> tuple[int, str]:
    """The exit code, and what was said, on one line. hide: Python libraries that the controller is to lack."""
    hosts = {name: {**given, **more} for name, given in {**pair(1), **pair(2)}.items()}
    inventory = where / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"ha_pair": {"hosts": hosts}}), encoding="utf-8")
    (where / "sitecustomize.py").write_text(HIDING.format(names=hide), encoding="utf-8")
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, ROOT / f"playbooks/{playbook}.yml"]
    done = subprocess.run(
        [*command, *words],
        env={
            **os.environ,
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SHOW_CUSTOM_STATS": "1",
            "PYTHONPATH": str(where),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)


HIDING = """
import sys


class Hidden:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Hidden())
"""

# As a survey of AWX gives an optional question that nobody answered.
EMPTY = {
    "drill": ("drill_confirm", "drill_faults", "drill_instance", "drill_rto_seconds", "drill_reboot", "ha_pair_hosts"),
    "switchover": ("switchover_instance", "switchover_target", "switchover_return_after", "ha_pair_hosts"),
    "release": (
        "release_hosts",
        "release_role",
        "release_service",
        "release_rollback",
        "release_take_over",
        "release_label",
        "release_proof_url",
        "release_proof_text",
        "ha_pair_hosts",
    ),
    "status": ("status_format", "status_file", "ha_pair_hosts"),
    "site": ("ha_pair_hosts", "ha_pair_app_hosts", "ha_pair_witness_hosts"),
}


@pytest.mark.parametrize(
    ("playbook", "words", "message"),
    [
        (
            "switchover",
            [],
            "2 pairs are in this run (node-1a + node-1b, node-2a + node-2b); name one: --limit node-1a,node-1b",
        ),
        (
            "drill",
            ["-e", "drill_confirm=true"],
            "2 pairs are in this run (node-1a + node-1b, node-2a + node-2b); drill one at a time: "
            "--limit node-1a,node-1b",
        ),
        (
            "drill",
            ["-e", "drill_confirm=true", "--limit", "node-1a"],
            "node-1b: not in this run; a drill needs both members: --limit node-1a,node-1b",
        ),
        (
            "drill",
            ["--limit", "node-1a,node-1b", "-e", "drill_faults=vrrp_block"],
            "drill_confirm: is not true; 1 faults would be provoked on node-1a and node-1b. Look at them with --check",
        ),
    ],
)
def test_refuses(tmp_path: Path, playbook: str, words: list[str], message: str) -> None:
    code, said = run(tmp_path, playbook, *words)
    assert code != 0
    assert message in said


@pytest.mark.parametrize(
    ("playbook", "answers", "messages"),
    [
        (
            "drill",
            {
                "drill_confirm": "maybe",
                "drill_reboot": "perhaps",
                "drill_rto_seconds": "soon",
                "drill_instance": "a\nb",
            },
            [
                "drill_confirm: 'maybe' is neither true nor false; give true or false, or leave it out",
                "drill_reboot: 'perhaps' is neither true nor false; give true or false, or leave it out",
                "drill_rto_seconds: 'soon' is not a number of seconds; give seconds above 0, such as 0.5, or leave",
                "has more than one line, or control characters; give a line of plain text, or leave it out",
            ],
        ),
        (
            "switchover",
            {"switchover_return_after": "soon", "switchover_target": "{{ 6 * 7 }}"},
            [
                "switchover_return_after: 'soon' is not a number of seconds; give seconds up to a day, or 0 for never",
                "switchover_target: '{{ 6 * 7 }}' is a template, which is not evaluated here; give a line of",
            ],
        ),
        (
            "release",
            {"release_rollback": "later", "release_take_over": "perhaps", "release_label": ["a"]},
            [
                "release_rollback: 'later' is neither true nor false; give true or false, or leave it out",
                "release_take_over: 'perhaps' is neither true nor false",
                "release_label: is a list (['a']), not a string; give a line of plain text, or leave it out",
            ],
        ),
        (
            "status",
            {"status_format": "tabel"},
            ["status_format: 'tabel' is not one of table, json; did you mean 'table'?"],
        ),
    ],
)
def test_impossible_answers(tmp_path: Path, playbook: str, answers: dict[str, object], messages: list[str]) -> None:
    given = tmp_path / "answers.yml"
    # AWX marks every text of a survey.
    given.write_text(re.sub(r"(?m)^(\w+): (?=\S)", r"\1: !unsafe ", yaml.safe_dump(answers)), encoding="utf-8")
    code, said = run(tmp_path, playbook, "-e", f"@{given}")
    assert code != 0
    for message in messages:
        assert message in said
    # Before any host is asked, and nobody else answers for it.
    assert "Gathering Facts" not in said
    assert "pairs are in this run" not in said


@pytest.mark.parametrize(
    ("playbook", "message"),
    [
        ("drill", "2 pairs are in this run"),
        ("switchover", "2 pairs are in this run"),
        ("release", "node-1a, node-1b, node-2a, node-2b: tomcat_applications: is set for none of them"),
    ],
)
def test_empty_answers_are_as_if_they_were_not_given(tmp_path: Path, playbook: str, message: str) -> None:
    words = [word for name in EMPTY[playbook] for word in ("-e", f"{name}=")]
    code, said = run(tmp_path, playbook, *words)
    assert code != 0
    assert message in said


@pytest.mark.parametrize(
    ("playbook", "what", "more"),
    [
        ("switchover", "a switchover needs both members: --limit node-1a,node-1b, and", {}),
        (
            "status",
            "a status needs both members, also those that are down: --limit node-1a,node-1b, and",
            {},
        ),
        ("release", "a release needs both members: --limit node-1a,node-1b, and", {"tomcat_applications": []}),
    ],
)
def test_half_a_pair_is_refused(tmp_path: Path, playbook: str, what: str, more: dict[str, object]) -> None:
    code, said = run(tmp_path, playbook, "--limit", "node-1a", **more)
    assert code != 0
    assert f"node-1b: not in this run; {what} in AWX no slice between them" in said
    assert "vip_owner" not in said


@pytest.mark.parametrize("playbook", EMPTY)
def test_a_missing_library_is_said_before_any_host_is_asked(tmp_path: Path, playbook: str) -> None:
    code, said = run(tmp_path, playbook, hide=("netaddr", "jmespath"), tomcat_applications=[])
    assert code != 0
    for name in ("netaddr", "jmespath"):
        assert (
            f"this controller: lacks the Python library {name}; install it into the Python that runs Ansible: "
            f"{sys.executable} -m pip install {name}; for AWX build the execution environment of "
            "execution-environment.yml, which has it"
        ) in said
    assert "Gathering Facts" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("playbook", ["site", "status", "drill", "switchover", "release"])
def test_a_group_that_is_not_there_is_no_success(tmp_path: Path, playbook: str) -> None:
    code, said = run(tmp_path, playbook, "-e", "ha_pair_hosts=ha_pairs")
    assert code != 0
    assert (
        "ha_pair_hosts: 'ha_pairs' is no group and no host of the inventory; put hosts into a group of that name, or "
        "name what is there (did you mean 'ha_pair'?); groups with hosts: ha_pair"
    ) in said
    assert "Traceback" not in said
    assert "PLAY [" not in said


@pytest.mark.parametrize(
    ("playbook", "name", "group"),
    [
        ("release", "release_hosts", "ha_pair_apps"),
        ("site", "ha_pair_app_hosts", "apps"),
        ("site", "ha_pair_witness_hosts", "witnesses"),
    ],
)
def test_another_group_that_is_not_there_is_no_success(tmp_path: Path, playbook: str, name: str, group: str) -> None:
    # Nobody else is there for it, whoever the run is limited to.
    for words in ([], ["--limit", "node-1a"]):
        code, said = run(tmp_path, playbook, "-e", f"{name}={group}", *words)
        assert code != 0
        assert f"{name}: '{group}' is no group and no host of the inventory; put hosts into a group of" in said
        assert "PLAY [" not in said


def test_a_limit_that_leaves_a_play_without_hosts_is_not_refused(tmp_path: Path) -> None:
    code, said = run(tmp_path, "status", "-e", "ha_pair_hosts=node-1a:node-1b", "--limit", "node-2a")
    assert code == 0, said
    assert "no hosts matched" in said


def test_plays_can_be_listed_without_the_inventory_of_the_run(tmp_path: Path) -> None:
    for word in ("--syntax-check", "--list-tasks"):
        code, said = run(tmp_path, "site", "-e", "ha_pair_hosts=made_later", word)
        assert code == 0, said
