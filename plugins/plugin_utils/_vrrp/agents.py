# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges services that run on one node of a pair only, by what the agents of both say of them.

Not to run on the standby is well. To run nowhere for long, or on both, is not.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

Report = Mapping[str, t.Any]

AGENT = "ha-pair-active"
AT_WORK = ("starting", "active")


@dataclass
class AgentsVerdict:
    """`lines`: what each agent says, for a person; the rest as in the verdict over the pair."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def state_of(instance: Report) -> str | None:
    """keepalived's own word where it could be had, else the state file's."""
    return instance.get("daemon_state") or instance.get("file_state")


def judge_agents(present: Mapping[str, Report], instances: Sequence[str]) -> AgentsVerdict:
    """What vip_owner reported of the agents, by member; services of other instances than these are left out."""
    found = AgentsVerdict()
    active: dict[str, list[str]] = {}
    failed: dict[str, str] = {}
    for member, report in present.items():
        # Reports of an earlier version have none.
        agent: Report = report.get("agent") or {}
        if agent.get("problem"):
            found.degraded.append(f"{member}: {agent['problem']}")
        for name, entry in sorted((agent.get("services") or {}).items()):
            if entry is None or entry.get("instance") not in instances:
                continue
            found.lines.append(f"{name} on {member}: {_says(entry)}")
            _judge_service(member, name, entry, state_of(report["instances"].get(entry["instance"], {})), found)
            if entry["phase"] == "active":
                active.setdefault(name, []).append(member)
            if entry.get("failed_on_both"):
                failed.setdefault(name, f"{entry.get('failure') or 'the agent does not say why'} on {member}")
    found.problems += [
        f"{name} is active on {' and on '.join(members)}; journalctl -u {AGENT} on both says why"
        for name, members in active.items()
        if len(members) > 1
    ]
    found.problems += [
        f"{name} failed on both nodes ({why}), and is tried again; see journalctl -u {name} on both"
        for name, why in failed.items()
    ]
    return found


def _says(entry: Report) -> str:
    arbiter: Report = entry.get("arbiter") or {}
    words = f"{entry['phase']}, {entry.get('why') or 'nobody says why'}"
    if entry.get("failed_on_both"):
        words += "; failed on both nodes"
    if entry.get("hold_down_until"):
        until = datetime.fromtimestamp(float(entry["hold_down_until"]), timezone.utc)
        words += f"; left alone until {until:%Y-%m-%d %H:%M:%SZ}"
    return f"{words} ({arbiter.get('promise') or 'its arbiter is not known'})"


def _judge_service(member: str, name: str, entry: Report, state: str | None, found: AgentsVerdict) -> None:
    trouble = (entry.get("arbiter") or {}).get("problem")
    if trouble:
        found.warnings.append(f"{member}: the arbiter of {name}: {trouble}")
    if not entry.get("fit", True):
        found.degraded.append(
            f"{member}: {name} failed ({entry.get('failure') or 'the agent does not say why'}) and is left alone for "
            f"a while; see journalctl -u {name}"
        )
    elif state == "MASTER" and entry["phase"] == "starting":
        found.warnings.append(f"{member}: {name} is starting: {entry.get('why')}")
    elif state == "MASTER" and entry["phase"] not in AT_WORK:
        found.degraded.append(
            f"{member}: is the owner, and {name} is {entry['phase']} there: {entry.get('why')}; "
            f"see journalctl -u {AGENT}"
        )
    elif state != "MASTER" and entry["phase"] in AT_WORK:
        found.warnings.append(
            f"{member}: is {state or 'in no known state'}, and {name} is {entry['phase']} there; see journalctl -u "
            f"{AGENT}"
        )
