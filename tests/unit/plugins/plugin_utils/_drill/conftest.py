# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill with one fault that went as it should, for the tests to spoil."""

from __future__ import annotations

import typing as t

import pytest

T0 = 1790000000.0


@pytest.fixture
def result() -> dict[str, t.Any]:
    """The service was stopped on the owner; the VIP moved and came back."""
    return {
        "number": 1,
        "fault": "service_stop",
        "title": "service stopped",
        "role": "owner",
        "node": "node-a",
        "peer": "node-b",
        "expect": {"vip": "moves", "rto_seconds": 0.3, "two_owners_seconds": 0.05, "note": ""},
        "observed": {
            "outage_seconds": 0.03,
            "lost": 3,
            "requests": 1500,
            "resolution": 0.01,
            "outages": [
                {"start": T0 + 5, "end": T0 + 5.03, "seconds": 0.03, "lost": 3, "before": "node-a", "after": "node-b"}
            ],
            "latency": {"median": 0.001, "p95": 0.002, "p99": 0.003, "max": 0.02},
            "keepalive": {
                "connections": 4,
                "requests": 390,
                "lost": 1,
                "broken": [{"at": T0 + 5, "seconds": 0.1, "before": "node-a", "after": "node-b"}],
            },
            "download": {"bytes": 100000, "broken_at": T0 + 5, "longest_stall": 0.2, "problem": "no byte since"},
            "answered_before": "node-a",
            "answered_during": {"node-a": 3, "node-b": 200, "node-c": 0},
            "answered_after": ["node-a"],
            "owner_before": "node-a",
            "owner_during": "node-b",
            "owner_after": "node-a",
            "none_seconds": 0.02,
            "none_longest": 0.02,
            "none_below_uncertainty": 0.0,
            "two_seconds": 0.0,
            "two_longest": 0.0,
            "two_below_uncertainty": 0.001,
            "two_seconds_including_unreachable": 0.0,
            "unknown_seconds": 0.0,
            "uncertainty": 0.002,
            "missing": [],
            "changes": [
                {"at": T0 + 5.01, "node": "node-a", "held": False, "interface": "eth0", "late": 0.0},
                {"at": T0 + 5.03, "node": "node-b", "held": True, "interface": "eth0", "late": 0.0},
                {"at": T0 + 9.0, "node": "node-a", "held": True, "interface": "eth0", "late": 0.0},
                {"at": T0 + 9.001, "node": "node-b", "held": False, "interface": "eth0", "late": 0.0},
            ],
            "takeover_seconds": 0.03,
            "whole_again_seconds": 2.0,
            "split_brain_healed_seconds": None,
            "restored_by": "drill",
            "ended_by": "stop",
        },
        "verdicts": {
            "before": {"result": "verified", "problems": [], "degraded": []},
            "during": {
                "result": "degraded, one owner",
                "problems": [],
                "degraded": ["node-a: web is FAULT and cannot take over"],
            },
            "after": {"result": "verified", "problems": [], "degraded": [], "text": ["all is well"]},
        },
        "injected_at": T0 + 5,
        "mended_at": T0 + 8,
    }


@pytest.fixture
def run(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """A drill of that fault."""
    return {
        "schema": 1,
        "collection_version": "0.1.0",
        "pair": {
            "members": ["node-a", "node-b"],
            "instance": "web",
            "vips": ["192.0.2.10"],
            "profile": "balanced",
            "mode": "preferred",
            "preferred": "node-a",
            "advert_interval": 0.25,
            "master_down_interval": 0.756,
        },
        "kind": "Debian 12 in a container",
        "observer": "observer",
        "started_at": T0,
        "ended_at": T0 + 20.4,
        "probe_settings": {"url": "http://192.0.2.10/", "interval": 0.01, "keepalive": 4},
        "options": {"drill_faults": ["service_stop"], "drill_confirm": True},
        "results": [result],
        "skipped": [{"fault": "cpu_starvation", "target": "node-a", "reason": "no cpu controller"}],
        "not_run": [{"fault": "link_down", "reason": "the drill was aborted"}],
        "aborted": None,
    }
