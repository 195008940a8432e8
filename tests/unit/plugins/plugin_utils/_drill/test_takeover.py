# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long services that run on the owner only are waited for."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.takeover import longest_takeover


def agent(arbiter: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    return {
        "services": {"fetcher": {"confirm": 0.5, "start_timeout": 20, "stop_timeout": 3, "arbiter": arbiter, **more}}
    }


@pytest.mark.parametrize(
    ("arbiter", "seconds"),
    [
        ({"kind": "none"}, 23.5),
        ({"kind": "peer", "timeout": 7, "lease": 7.5}, 30.5),
        ({"kind": "witness", "lease": 7.5}, 31.0),
        ({"kind": "command", "timeout": 5, "lease": 15, "command_timeout": 30}, 58.5),
        # As ansible-core before 2.19 writes them.
        ({"kind": "peer", "timeout": "7", "lease": "7.5"}, 30.5),
    ],
)
def test_a_silent_node_a_confirmation_a_stop_and_a_start(arbiter: dict[str, t.Any], seconds: float) -> None:
    assert longest_takeover({"node-a": agent(arbiter)}, ["fetcher"]) == seconds


def test_the_slower_node_and_the_slowest_service_count() -> None:
    agents = {"node-a": agent({"kind": "none"}), "node-b": agent({"kind": "none"}, start_timeout=60)}
    assert longest_takeover(agents, ["fetcher"]) == 63.5
    agents["node-a"]["services"]["slow"] = agent({"kind": "none"}, start_timeout=90)["services"]["fetcher"]
    assert longest_takeover({"node-a": agents["node-a"]}, ["fetcher", "slow"]) == 93.5


@pytest.mark.parametrize(("agents", "names"), [({}, ["fetcher"]), ({"node-a": agent({"kind": "none"})}, [])])
def test_without_one_or_before_anybody_was_asked_nobody_waits(agents: dict[str, t.Any], names: list[str]) -> None:
    assert longest_takeover(agents, names) == 0.0
