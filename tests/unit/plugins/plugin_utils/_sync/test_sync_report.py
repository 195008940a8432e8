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
from ansible_collections.duplex.ha_pair.plugins.module_utils._node import sync
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._sync import report

MODEL = {"directories": [{"name": "data"}]}
WELL = {"result": "complete", "problem": None, "conflict": None}
SPLIT = {"kept": "/var/lib/ha-pair/sync/kept/data/T-conflict", "kept_on": "node-b"}
PLACE = "node-a: file_sync_directories.data: "


def problems(**entry: t.Any) -> list[str]:
    return file_sync_problems(json.dumps({"directories": {"data": {**WELL, **entry}}}), "node-a", MODEL)


def test_the_words_are_those_of_the_program() -> None:
    assert (report.COMPLETE, report.COMMAND) == (sync.COMPLETE, sync.COMMAND)


def test_what_is_well() -> None:
    assert problems() == []
    # The other node is the source, and tells of the split.
    assert problems(result="not owner", conflict=SPLIT) == []


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
            "/var/lib/ha-pair/sync/kept/data/T-conflict on node-b, then run "
            '"/usr/libexec/keepalived/ha-pair-sync --resolve data" on node-a',
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
