# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook leaves: data for a workflow, and closing lines."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.filter.job_result import FilterModule, job_result
from ansible_collections.duplex.ha_pair.plugins.filter.printable import FilterModule as Printable
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._job import LIMIT, fitting
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import legible, legible_data, printable


def verdict(number: int = 1, owner: str | None = "a", problems: tuple[str, ...] = ()) -> dict[str, t.Any]:
    members = [f"node-{number}a", f"node-{number}b"]
    return {
        "members": members,
        "result": "failed" if problems else "verified",
        "observed": False,
        "vips": [
            {
                "address": f"192.0.2.{number}0",
                "instance": "web",
                "owner": owner and f"node-{number}{owner}",
                "result": "failed" if problems else "verified",
                "views": [{"witnesses": ["x" * 1000]}],
                "problems": list(problems),
            }
        ],
        "problems": list(problems),
        "degraded": [],
        "warnings": [],
        "agents": [],
        "text": ["many lines"],
    }


DEPLOYED: dict[str, t.Any] = {
    "check": False,
    "hosts": ["node-1a", "node-1b"],
    "lost": [],
    "pairs": [{"members": ["node-1a", "node-1b"]}],
    "verdicts": {"node-1a": verdict(), "node-1b": {}},
    "failures": {"node-1a": "", "node-1b": ""},
}
MOVED: dict[str, t.Any] = {
    "check": False,
    "verified": True,
    "verdict": verdict(),
    "done": {
        "target": "node-1a",
        "other": "node-1b",
        "instances": ["web"],
        "owners": {"web": "node-1b"},
        "moves": True,
        "back_after": 600.0,
        "text": "web: from node-1b to node-1a, and back after 600 s",
    },
}
RELEASED: dict[str, t.Any] = {
    "check": False,
    "label": "2026-11",
    "rollback": False,
    "troubles": [],
    "ended": True,
    "verdict": verdict(),
    "plan": {
        "service": "tomcat",
        "nodes": ["node-1a", "node-1b"],
        "done": [],
        "steps": [
            {"kind": "activate", "node": "node-1b"},
            {"kind": "move", "node": "node-1b"},
            {"kind": "activate", "node": "node-1a"},
        ],
    },
}


def test_status() -> None:
    sick = verdict(2, None, ("192.0.2.20: two owners",))
    status = {"whole": False, "at": 1.5, "rows": [{"node": "node-1a"}], "pairs": [verdict(), sick], "text": ["table"]}
    made = job_result({"status": status}, "status")
    assert made["text"] == [
        "1 of 2 pairs are whole",
        "not whole: node-2a + node-2b: failed; 192.0.2.20 (web) with nobody for certain; 192.0.2.20: two owners",
    ]
    assert (made["artifact"]["whole"], made["artifact"]["at"]) == (False, 1.5)
    assert made["artifact"]["pairs"][0] == {
        "members": ["node-1a", "node-1b"],
        "result": "verified",
        "observed": False,
        "problems": [],
        "degraded": [],
        "warnings": [],
        "vips": [{"address": "192.0.2.10", "instance": "web", "owner": "node-1a", "result": "verified"}],
    }


def test_the_status_of_fifty_pairs_is_handed_on_whole() -> None:
    pairs = [verdict(number, problems=("something long " * 10,)) for number in range(1, 51)]
    rows = [{"pair": "node-1a + node-1b", "node": "node-1a", "state": "MASTER", "since": 1.0}] * 100
    made = job_result({"status": {"whole": False, "at": 1.5, "rows": rows, "pairs": pairs}}, "status")["artifact"]
    assert len(made["pairs"]) == 50
    assert "cut" not in made


def test_a_deployment() -> None:
    made = job_result(DEPLOYED, "deploy")
    assert made["text"] == [
        "Deployed: 1 pair, 2 hosts in this run",
        "node-1a + node-1b: verified; 192.0.2.10 (web) with node-1a",
    ]
    assert made["artifact"]["pairs"][0]["result"] == "verified"
    assert made["artifact"]["failed"] == {}


def test_a_deployment_of_one_node() -> None:
    made = job_result({**DEPLOYED, "hosts": ["node-1b"]}, "deploy")
    assert made["text"][0] == "Deployed: 1 pair, 1 host in this run"


def test_a_deployment_in_check_mode() -> None:
    made = job_result({**DEPLOYED, "check": True, "verdicts": {}}, "deploy")
    assert made["text"] == [
        "Check mode, nothing was changed: 1 pair, 2 hosts in this run",
        "node-1a + node-1b: not verified",
    ]
    assert made["artifact"]["pairs"] == [{"members": ["node-1a", "node-1b"], "result": "not verified"}]


def test_a_deployment_that_failed() -> None:
    made = job_result(
        {**DEPLOYED, "lost": ["node-1b"], "failures": {"node-1a": "Verify nginx: \x1b[31mno answer\x1b[0m\r\n"}},
        "deploy",
    )
    assert made["text"] == [
        "Failed: 1 pair, 2 hosts in this run",
        "node-1a + node-1b: verified; 192.0.2.10 (web) with node-1a",
        "failed: node-1b: failed or cannot be reached, as its message above says; mend it and run this again",
        "failed: node-1a: Verify nginx: no answer",
    ]
    # One owner is not enough where a service was not proved.
    assert made["artifact"]["pairs"][0]["result"] == "failed"
    assert set(made["artifact"]["failed"]) == {"node-1a", "node-1b"}


@pytest.mark.parametrize(
    ("more", "line", "verified"),
    [
        ({}, "Moved: web: from node-1b to node-1a, and back after 600 s", True),
        ({"check": True, "verified": False}, "Would move: web: from node-1b to node-1a, and back after 600 s", False),
        ({"verified": False, "verdict": {}}, "Moved: web: from node-1b to node-1a, and back after 600 s", False),
    ],
)
def test_a_switchover(more: dict[str, t.Any], line: str, verified: bool) -> None:
    made = job_result({**MOVED, **more}, "switchover")
    assert made["artifact"] == {
        "check": more.get("check", False),
        "members": ["node-1a", "node-1b"],
        "instances": ["web"],
        "from": "node-1b",
        "to": "node-1a",
        "moved": True,
        "return_after": 600.0,
        "verified": verified,
    }
    assert made["text"] == [line, *(["verified: 192.0.2.10 (web) with node-1a"] if verified else [])]


def test_a_switchover_of_what_is_there_already() -> None:
    done = {**MOVED["done"], "owners": {"web": "node-1a"}, "moves": False, "text": "web: node-1a owns it already"}
    made = job_result({**MOVED, "done": done}, "switchover")
    assert (made["artifact"]["from"], made["artifact"]["to"], made["artifact"]["moved"]) == (
        "node-1a",
        "node-1a",
        False,
    )
    assert made["text"][0] == "Nothing to move: web: node-1a owns it already"


def test_a_release() -> None:
    made = job_result(RELEASED, "release")
    assert made["artifact"] == {
        "check": False,
        "service": "tomcat",
        "members": ["node-1a", "node-1b"],
        "label": "2026-11",
        "rollback": False,
        "released": ["node-1b", "node-1a"],
        "nothing_due": [],
        "failures": [],
        "verified": True,
    }
    assert made["text"] == [
        "Done: release 2026-11 of tomcat on node-1a + node-1b",
        "proved: node-1b, node-1a",
        "node-1a + node-1b: verified; 192.0.2.10 (web) with node-1a",
    ]


def test_a_release_that_failed_or_did_not_end() -> None:
    made = job_result({**RELEASED, "troubles": ["node-1b: not proved"], "verdict": {}}, "release")
    assert (made["artifact"]["verified"], made["artifact"]["released"]) == (False, [])
    assert made["text"] == [
        "Failed: release 2026-11 of tomcat on node-1a + node-1b",
        "failed: node-1b: not proved",
    ]
    assert job_result({**RELEASED, "ended": False}, "release")["artifact"]["verified"] is False
    made = job_result({**RELEASED, "check": True, "rollback": True, "label": ""}, "release")
    assert made["artifact"]["verified"] is False
    assert made["text"][0] == "Check mode, nothing was changed by the rollback of tomcat on node-1a + node-1b"


@pytest.mark.parametrize(
    ("check", "word", "first"), [(True, "planned", "Would do:"), (False, "not ended", "two faults")]
)
def test_a_drill_before_its_first_fault(check: bool, word: str, first: str) -> None:
    entries = [
        {"fault": "service_stop", "node": None, "role": "owner"},
        {"fault": "x", "node": "node-1a", "role": "owner"},
    ]
    plan = {"instance": "web", "entries": entries, "text": ["two faults"]}
    made = job_result({"check": check, "plan": plan, "members": ["node-1a", "node-1b"]}, "drill")
    assert (made["artifact"]["result"], made["artifact"]["passed"]) == (word, False)
    assert [entry["node"] for entry in made["artifact"]["not_run"]] == ["owner", "node-1a"]
    assert made["text"][0] == first


def test_what_is_too_much_is_cut_and_still_data() -> None:
    made = fitting({"report": "é" * 300_000, "list": [{"text": "x" * 500}] * 5000, "passed": True})
    assert len(json.dumps(made)) <= LIMIT
    assert made["cut"] is True
    assert made["passed"] is True
    assert made["report"].endswith("..")


def test_texts_have_no_control_characters_and_no_templates() -> None:
    made = fitting({"a": "\x1b[31mred\x1b[0m\a\x00\x85é\tb\nc", "b": ["{{ x }}", "{% y %}", "{# z #}"], "c": object})
    assert made["a"] == "red???é b\nc"
    assert made["b"] == ["{ { x }}", "{ % y %}", "{ # z #}"]
    assert json.loads(json.dumps(made)) == made


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ("x", "status", "expects a dictionary and one of status, deploy, drill, switchover, release, not str"),
        ({}, "backup", "not dict and 'backup'"),
        ({}, "status", "status: 'status' is missing"),
    ],
)
def test_refuses(given: object, kind: str, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        FilterModule().filters()["job_result"](given, kind)


def test_one_printable_line() -> None:
    assert printable(" a\r\nb\t\x1b[1;31mc\x1b[0m\x1b]0;title\x07 \x08d\x9b ") == "a b c ?d?"
    assert legible("a\n  b\x07") == "a\n  b?"
    assert legible_data({"a": ["\x07", 1, None, ("x\x00",)]}) == {"a": ["?", 1, None, ["x?"]]}
    line = Printable().filters()["printable"]
    assert line(["a\x07", "b\nc"]) == "a?; b c"
    assert line("a\x07") == "a?"
