# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""awx/configure.yml without an AWX: the plan that --check prints, and every refusal before anything is asked."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest
from plays import run_playbook
from setup_of_awx import AWX, FULL, MODULES, ROOT, defaults, plan, rendered


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> t.Any:
    return rendered(tmp_path_factory.mktemp("full"), **FULL)[1]


def configure(where: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (where / "playbook.yml").write_text(
        json.dumps([{"ansible.builtin.import_playbook": str(AWX / "configure.yml")}]), encoding="utf-8"
    )
    nothing = dict.fromkeys(("CONTROLLER_HOST", "CONTROLLER_OAUTH_TOKEN", "CONTROLLER_USERNAME"), "")
    return run_playbook(where, *words, settings={**nothing, "COLUMNS": "400", **environment})


def test_check_prints_every_object_without_a_controller(tmp_path: Path, data: t.Any) -> None:
    (tmp_path / "my.yml").write_text(json.dumps(FULL), encoding="utf-8")
    done = configure(tmp_path, "--check", "-e", "@my.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Would do, on an AWX that has none of it (no CONTROLLER_HOST was given):" in done.stdout
    lines = [line.strip(' ",') for line in done.stdout.splitlines() if line.strip(' "').startswith("create ")]
    entries = [entry for kind in MODULES for entry in data[kind]]
    assert len(lines) == len(entries)
    for line, entry in zip(lines, entries, strict=True):
        assert f" {entry['name']}" in line
    drill = next(line for line in lines if "HA pair: Drill (" in line)
    assert "playbooks/drill.yml, asks drill_confirm, drill_faults, drill_instance" in drill
    assert "changed=0 " in done.stdout


LESS: dict[str, t.Any] = {**FULL, "awx_credentials": ["machine"], "awx_email_recipients": [], "awx_webhook_url": ""}


def test_check_says_what_is_left_out_and_why(data: t.Any) -> None:
    lines = plan(defaults() | LESS, data)["lines"]
    left = [line for line in lines if line.startswith("leave out ")]
    for name in (
        "HA pair: redis (awx_credentials has no redis)",
        "HA pair: Redis (no credential is of it)",
        "HA pair: e-mail (awx_email_recipients is empty)",
        "HA pair: webhook (awx_webhook_url is empty)",
    ):
        assert [line for line in left if line.endswith(name)], name
    assert len(left) == 15
    assert sum(line.startswith("create ") for line in lines) + len(left) == len(lines)


def test_what_is_left_out_is_referred_to_by_nothing(data: t.Any) -> None:
    sent = plan(defaults() | LESS, data, found={})["send"]
    for entry in sent["controller_templates"]:
        assert entry["credentials"] == ["HA pair: machine"]
        assert entry.get("notification_templates_error", []) == []
    for entry in sent["controller_workflows"]:
        assert entry["notification_templates_error"] == []
    for entry in sent["controller_projects"] + sent["controller_execution_environments"]:
        assert "credential" not in entry


GIT_CURE = "give one such as https://git.example.com/ha_pair.git or git@git.example.com:ha_pair.git"
RULE_CURE = "give one such as DTSTART;TZID=Europe/Vienna:20260106T100000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=TU"
START = "DTSTART;TZID=Etc/UTC:20260106T100000"
NAME_CURE = "give a name of 1 to 60 characters that is no number, without ++"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"awx_state": "gone"}, "awx_state: 'gone' is neither present nor absent; give one of them"),
        ({"awx_recipients": []}, "awx_recipients: is unknown; did you mean awx_email_recipients?"),
        ({"awx_inventory_pth": "x"}, "awx_inventory_pth: is unknown; did you mean awx_inventory_path?"),
        ({"awx_zzzz": 1}, "awx_zzzz: is unknown; awx/settings.yml has those that there are"),
        ({"awx_organization": ""}, f"awx_organization: '' is no name; {NAME_CURE}"),
        ({"awx_organization": "a++b"}, f"awx_organization: 'a++b' is no name; {NAME_CURE}"),
        ({"awx_prefix": "7"}, f"awx_prefix: '7' would be taken for the number of an object; {NAME_CURE}"),
        ({"awx_git_url": "no url"}, f"awx_git_url: 'no url' is no URL of a git repository; {GIT_CURE}"),
        (
            {"awx_git_url": "https://me:pass@git.example.com/x.git"},
            "awx_git_url: has a password in it; take it out, and export HA_PAIR_AWX_GIT_PASSWORD",
        ),
        (
            {"awx_inventory_git_url": "ftp//x"},
            f"awx_inventory_git_url: 'ftp//x' is no URL of a git repository; {GIT_CURE}",
        ),
        ({"awx_git_branch": ""}, "awx_git_branch: '' is no branch, tag or commit; give one, such as main"),
        ({"awx_git_branch": "a b"}, "awx_git_branch: 'a b' is no branch, tag or commit; give one, such as main"),
        (
            {"awx_inventory_path": "../hosts.yml"},
            "awx_inventory_path: '../hosts.yml' is no path in a repository; give one such as "
            "inventories/nginx_pair/hosts.yml",
        ),
        (
            {"awx_image": "Not An Image"},
            "awx_image: 'Not An Image' is no name of an image; give the one that ansible-builder made, such as "
            "quay.io/your-team/ha-pair-ee:1.0",
        ),
        ({"awx_credentials": ["machine", "redsi"]}, "awx_credentials: 'redsi' is unknown; did you mean 'redis'?"),
        ({"awx_credentials": "machine"}, "awx_credentials: 'machine' is no list; give one, such as [machine]"),
        (
            {"awx_credentials": ["vault"]},
            "awx_credentials: has no machine, without which no job gets on a node; add machine",
        ),
        (
            {"awx_registry_host": ""},
            "awx_registry_host: is empty, and awx_credentials has registry; give it, such as quay.io",
        ),
        ({"awx_instance_groups": "a"}, "awx_instance_groups: 'a' is no list; give one, such as [edge]"),
        ({"awx_forks": "many"}, "awx_forks: 'many' is no number from 0 to 1000; give 0 to 1000"),
        ({"awx_forks": -1}, "awx_forks: -1 is no number from 0 to 1000; give 0 to 1000"),
        ({"awx_approval_timeout": 5}, "awx_approval_timeout: 5 is no number from 60 to 2592000; give 60 to 2592000"),
        ({"awx_drill_confirm": "perhaps"}, "awx_drill_confirm: 'perhaps' is neither true nor false; give one of them"),
        ({"awx_update_secrets": ""}, "awx_update_secrets: '' is neither true nor false; give one of them"),
        (
            {"awx_drill_rrule": "weekly"},
            f"awx_drill_rrule: 'weekly' is no DTSTART with a zone and one RRULE; {RULE_CURE}",
        ),
        (
            {"awx_drill_rrule": f"{START} RRULE:FREQ=SECONDLY;INTERVAL=1"},
            f"awx_drill_rrule: FREQ=SECONDLY is none that AWX knows; {RULE_CURE}",
        ),
        (
            {"awx_drill_rrule": f"{START} RRULE:FREQ=WEEKLY"},
            f"awx_drill_rrule: INTERVAL is missing or no number above 0; {RULE_CURE}",
        ),
        (
            {"awx_drill_rrule": "DTSTART:20260106T100000 RRULE:FREQ=WEEKLY;INTERVAL=1"},
            "awx_drill_rrule: 'DTSTART:20260106T100000 RRULE:FREQ=WEEKLY;INTERVAL=1' is no DTSTART with a zone and one "
            f"RRULE; {RULE_CURE}",
        ),
        ({"awx_drill_faults": ["link_dwn"]}, "awx_drill_faults: 'link_dwn' is unknown; did you mean 'link_down'?"),
        (
            {"awx_drill_faults": []},
            "awx_drill_faults: is empty; name faults, or [all] for all that the pair can do",
        ),
        (
            {"awx_drill_faults": ["all", "switchover"]},
            "awx_drill_faults: has all beside others; give [all], or the others",
        ),
        (
            {"awx_drill_faults": ["switchover", "node_reboot"]},
            "awx_drill_faults: has node_reboot, which no schedule may do; take it out, and launch Drill for it by hand",
        ),
        (
            {"awx_email_recipients": "a@example.com"},
            "awx_email_recipients: 'a@example.com' is no list of addresses; give one, such as [ha@example.com]",
        ),
        ({"awx_email_host": ""}, "awx_email_host: is empty, and there are recipients; name the mail server"),
        ({"awx_email_port": 0}, "awx_email_port: 0 is no number from 1 to 65535; give 1 to 65535"),
        ({"awx_email_encryption": "rot13"}, "awx_email_encryption: 'rot13' is unknown; give none, tls or ssl"),
        (
            {"awx_webhook_url": "https://me:pass@chat.example.com/"},
            "awx_webhook_url: is no URL without an account in it; give one such as https://chat.example.com/hooks/ha; "
            "the account is awx_webhook_user and the password HA_PAIR_AWX_WEBHOOK_PASSWORD",
        ),
    ],
    ids=str,
)
def test_a_setting_that_cannot_work_is_refused(data: t.Any, changes: dict[str, t.Any], message: str) -> None:
    found = plan(defaults() | FULL | changes, data)
    assert message in found["problems"]
    assert (found["lines"], found["order"]) == ([], [])


def test_variables_of_awx_itself_are_no_settings(data: t.Any) -> None:
    own = {"awx_job_id": 1, "awx_user_name": "admin", "awx_inventory_name": "x", "awx_project_revision": "y"}
    assert plan(defaults() | FULL | own, data)["problems"] == []


def test_good_settings_are_not_refused(data: t.Any) -> None:
    for changes in (
        {"awx_git_url": "ssh://git@git.example.com:2222/ha.git", "awx_git_branch": "release/1.2"},
        {"awx_image": "localhost:5000/ha/ee@sha256:" + "0" * 64, "awx_forks": "25", "awx_drill_confirm": "yes"},
        {"awx_drill_rrule": "DTSTART:20260106T100000Z RRULE:FREQ=DAILY;INTERVAL=2"},
        {"awx_drill_faults": ["all"], "awx_email_encryption": "tls"},
    ):
        assert plan(defaults() | FULL | changes, data)["problems"] == []


HOST = "CONTROLLER_HOST: is not in the environment; export it, such as CONTROLLER_HOST=https://awx.example.com"
TOKEN = (
    "CONTROLLER_OAUTH_TOKEN: is not in the environment; export a token of an administrator, or CONTROLLER_USERNAME and "
    "CONTROLLER_PASSWORD"
)


@pytest.mark.parametrize(
    ("state", "around", "messages"),
    [
        ("present", {"check": False}, [HOST]),
        ("absent", {"check": False}, [HOST]),
        ("absent", {"check": True}, [HOST]),
        ("present", {"check": True}, []),
        ("present", {"check": True, "host": "https://awx.example.com"}, [TOKEN]),
        ("present", {"check": True, "host": "https://awx.example.com", "user": True}, [TOKEN]),
        ("present", {"check": True, "host": "https://awx.example.com", "user": True, "password": True}, []),
        (
            "present",
            {"check": True, "host": "https://me:secret@awx.example.com", "token": True},
            [
                "CONTROLLER_HOST: has an account in it; take it out: export it, such as "
                "CONTROLLER_HOST=https://awx.example.com"
            ],
        ),
        (
            "present",
            {"check": True, "host": "awx.example.com", "token": True},
            [
                "CONTROLLER_HOST: 'awx.example.com' is no URL; export it, such as "
                "CONTROLLER_HOST=https://awx.example.com"
            ],
        ),
    ],
)
def test_a_controller_is_needed_for_what_changes_it(
    data: t.Any, state: str, around: dict[str, t.Any], messages: list[str]
) -> None:
    assert plan(defaults() | FULL | {"awx_state": state}, data, **around)["problems"] == messages


def test_the_image_of_the_example_is_not_applied(data: t.Any) -> None:
    settings = defaults() | FULL | {"awx_image": defaults()["awx_image"]}
    assert plan(settings, data)["problems"] == []
    assert plan(settings, data, found={})["problems"] == [
        "awx_image: 'registry.example.com/ha-pair-ee:latest' is the example; name the image that ansible-builder made "
        "of execution-environment.yml, see docs/awx.md"
    ]


def test_without_the_collection_of_awx_the_cure_is_told(tmp_path: Path) -> None:
    done = configure(
        tmp_path,
        "--check",
        CONTROLLER_HOST="http://127.0.0.1:9",
        CONTROLLER_OAUTH_TOKEN="token",
        ANSIBLE_COLLECTIONS_PATH=str(ROOT / "collections"),
        ANSIBLE_COLLECTIONS_SCAN_SYS_PATH="false",
    )
    assert done.returncode == 2
    assert (
        "awx.awx: this collection is not installed (ansible has it up to 13); install it: ansible-galaxy collection "
        "install awx.awx"
    ) in " ".join(done.stdout.split())


def test_the_playbook_refuses_before_it_asks_anybody(tmp_path: Path) -> None:
    words = ("-e", "awx_prefix=7", "-e", "awx_forks=many", "-e", "awx_git_brunch=main")
    done = configure(tmp_path, *words, CONTROLLER_HOST="http://127.0.0.1:9", CONTROLLER_OAUTH_TOKEN="token")
    assert done.returncode == 2
    for problem in ("awx_prefix: '7' would", "awx_forks: 'many' is no number", "did you mean awx_git_branch?"):
        assert problem in done.stdout
    assert "Look at the controller" not in done.stdout
