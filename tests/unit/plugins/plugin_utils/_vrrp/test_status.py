# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status table."""

from __future__ import annotations

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.status import age, rows, since, table

NOON = 1767225600.0  # 2026-01-01 00:00:00Z
VERDICT = {"members": ["node-a", "node-b"], "vips": [{"address": "192.0.2.10", "instance": "web"}]}
REPORT = {
    "instances": {
        "web": {
            "daemon_state": "MASTER",
            "file_state": "MASTER",
            "since": NOON - 200,
            "priority": 250,
            "transitions": 2,
        }
    },
    "services": {"nginx": "up"},
    "vips": [{"address": "192.0.2.10", "instance": "web", "held": True}],
}


def test_a_row_per_member_also_for_one_that_does_not_answer() -> None:
    first, second = rows(VERDICT, {"node-a": REPORT})
    assert first == {
        "pair": "node-a + node-b",
        "node": "node-a",
        "instance": "web",
        "state": "MASTER",
        "vips": ["192.0.2.10"],
        "services": {"nginx": "up"},
        "since": NOON - 200,
        "priority": 250,
        "transitions": 2,
    }
    assert (second["node"], second["state"], second["vips"], second["since"]) == ("node-b", "no answer", [], None)


def test_the_table_is_aligned_and_says_everything() -> None:
    assert table(rows(VERDICT, {"node-a": REPORT}), NOON) == [
        "pair             node    instance  state      VIPs held   services  since                         priority",
        "node-a + node-b  node-a  web       MASTER     192.0.2.10  nginx up  2025-12-31 23:56:40Z (3 min)  250",
        "node-a + node-b  node-b  web       no answer  -           -         -                             -",
    ]


def test_a_stopped_daemon_is_told_by_the_state_file() -> None:
    stopped = {**REPORT, "instances": {"web": {"daemon_state": None, "file_state": "STOPPED"}}, "vips": []}
    assert [row["state"] for row in rows(VERDICT, {"node-a": stopped, "node-b": {**stopped, "instances": {}}})] == [
        "STOPPED",
        "unknown",
    ]


def test_a_service_that_hangs_is_shown_as_failing() -> None:
    hangs = {**REPORT, "services": {"nginx": "failing"}}
    found = rows(VERDICT, {"node-a": hangs, "node-b": REPORT})
    assert [row["services"] for row in found] == [{"nginx": "failing"}, {"nginx": "up"}]
    assert "nginx failing" in table(found, NOON)[1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (7200, "2 h"), (86400 * 12 + 5, "12 d")],
)
def test_age_takes_the_largest_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_since_says_nothing_where_nothing_is_known() -> None:
    assert since(None, NOON) == "-"
