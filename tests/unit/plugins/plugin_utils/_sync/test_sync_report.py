# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words in which a node on which files are not mirrored is refused."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.filter.file_sync_problems import file_sync_problems
from ansible_collections.duplex.ha_pair.plugins.module_utils._node import sync, sync_marker
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._sync import report

MODEL = {"directories": [{"name": "data"}], "peer": "node-b", "service": "", "instance": "app"}
WELL = {"result": "complete", "problem": None, "conflict": None, "started_at": 100.0}
IDLE = "not owner"
SPLIT = {"kept": "/var/lib/ha-pair/sync/kept/data/T-conflict", "kept_on": "node-b"}
PLACE = "node-a: file_sync_directories.data: "


def report_of(**entry: t.Any) -> str:
    return json.dumps({"directories": {"data": {**WELL, **entry}}})


def problems(**entry: t.Any) -> list[str]:
    return file_sync_problems(report_of(**entry), "node-a", MODEL)


def test_the_words_are_those_of_the_program() -> None:
    assert (report.COMPLETE, report.FAILED, report.IDLE) == (sync.COMPLETE, sync.FAILED, sync.IDLE)
    assert (report.COMMAND, report.OWNER) == (sync.COMMAND, sync_marker.OWNER)


def test_what_is_well() -> None:
    assert problems() == []
    assert problems(result=IDLE) == []
    answer = json.dumps({"data": {"ownership": "owner"}})
    assert file_sync_problems(report_of(result=IDLE), "node-a", MODEL, since="99.5", answer=answer) == []
    # One that is dead, or left out, and cannot be reached.
    failed = report_of(result="failed", problem="the peer: timed out")
    assert file_sync_problems(failed, "node-a", MODEL, answer="{}", deployed=False) == []


def test_rounds_that_fail_are_no_fault_only_where_the_other_node_is_away() -> None:
    failed = report_of(result="failed", problem="the peer: full")
    for answer, deployed in (("{}", True), ('{"data": {"ownership": "standby"}}', False)):
        (found,) = file_sync_problems(failed, "node-a", MODEL, answer=answer, deployed=deployed)
        assert "the last round was failed: the peer: full" in found
    refused = report_of(result="owner unknown", problem="this node does not know")
    assert len(file_sync_problems(refused, "node-a", MODEL, answer="{}", deployed=False)) == 1


def test_a_round_before_the_verification_proves_nothing() -> None:
    assert file_sync_problems(report_of(), "node-a", MODEL, since=100.5) == [
        f'{PLACE}no round of it has begun and ended since the verification began; read "systemctl list-timers '
        'ha-pair-sync.timer" and "journalctl -u ha-pair-sync.service"'
    ]


def test_somebody_has_to_be_the_source() -> None:
    for word in ("standby", "unknown"):
        answer = json.dumps({"data": {"ownership": word}})
        assert file_sync_problems(report_of(result=IDLE), "node-a", MODEL, answer=answer) == [
            f"{PLACE}nobody is the source: node-a is standby, and node-b {word}; see which node owns app, and that the "
            "agents on both run"
        ]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            {"result": "refused", "problem": "the peer is owner as well"},
            "the last round was refused: the peer is owner as well; mend that, and see the rounds after it by "
            '"journalctl -t ha-pair-sync" on node-a',
        ),
        (
            {"conflict": SPLIT},
            "a split is not resolved, and nothing is deleted until it is; look at "
            "/var/lib/ha-pair/sync/kept/data/*-conflict on node-b, then run "
            '"/usr/libexec/keepalived/ha-pair-sync --resolve data" on node-a',
        ),
        (
            {"conflict": SPLIT, "result": IDLE},
            "a split is not resolved, and nothing is deleted until it is; look at "
            "/var/lib/ha-pair/sync/kept/data/*-conflict on node-b, then run "
            '"/usr/libexec/keepalived/ha-pair-sync --resolve data" on node-b',
        ),
        (
            {"result": "owner unknown", "problem": "this node does not know whether it is owner"},
            "the last round was owner unknown: this node does not know whether it is owner; mend that, and see the "
            'rounds after it by "journalctl -t ha-pair-sync" on node-a',
        ),
    ],
)
def test_what_is_not(entry: dict[str, t.Any], words: str) -> None:
    assert problems(**entry) == [PLACE + words]


@pytest.mark.parametrize("text", ["", "junk", "{}", '{"directories": {}}'])
def test_no_report_is_no_round(text: str) -> None:
    assert file_sync_problems(text, "node-a", MODEL) == [
        f'{PLACE}no round of it was made yet; read "journalctl -u ha-pair-sync.service" and '
        '"journalctl -t ha-pair-sync"'
    ]


def test_a_report_of_somebody_else() -> None:
    with pytest.raises(AnsibleFilterError, match="the report of node-a is not ours"):
        file_sync_problems('{"directories": {"data": {}}}', "node-a", MODEL)
