# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report of a node, and what its peer answers, say against the rounds of its directories."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping

COMMAND = "/usr/libexec/keepalived/ha-pair-sync"
# As it says it.
COMPLETE, FAILED, IDLE, OWNER = "complete", "failed", "not owner", "owner"


def problems_of(
    text: str, node: str, model: Mapping[str, t.Any], *, since: float = 0.0, answer: str = "", deployed: bool = True
) -> list[str]:
    """What is wrong, with what can be done; `text`: the report, empty when there is none.

    `since`: when the node began to be verified, by its own clock; rounds before that prove nothing. `answer`: what
    `ha-pair-sync --ask` prints of the peer. `deployed`: whether the peer is, in this play; rounds to one that is away,
    and is not, cannot get through.
    """
    try:
        answered = json.loads(answer)
    except ValueError:
        answered = {}
    try:
        rounds = json.loads(text)["directories"]
    except (ValueError, TypeError, KeyError):
        rounds = {}
    found = []
    for directory in model["directories"]:
        name = directory["name"]
        place, entry = f"{node}: file_sync_directories.{name}", rounds.get(name)
        if entry is None:
            cure = 'read "journalctl -u ha-pair-sync.service" and "journalctl -t ha-pair-sync"'
            found.append(f"{place}: no round of it was made yet; {cure}")
        elif float(entry["started_at"]) < since:
            cure = 'read "systemctl list-timers ha-pair-sync.timer" and "journalctl -u ha-pair-sync.service"'
            found.append(f"{place}: no round of it has begun and ended since the verification began; {cure}")
        elif entry["result"] == FAILED and not deployed and name not in answered:
            continue
        elif entry["problem"]:
            cure = f'mend that, and see the rounds after it by "journalctl -t ha-pair-sync" on {node}'
            found.append(f"{place}: the last round was {entry['result']}: {entry['problem']}; {cure}")
        elif entry["conflict"]:
            # A round that did not get through has one, too.
            where = f"{entry['conflict']['kept'].rpartition('/')[0]}/*-conflict on {entry['conflict']['kept_on']}"
            found.append(
                f"{place}: a split is not resolved, and nothing is deleted until it is; look at {where}, then run "
                f'"{COMMAND} --resolve {name}" on {node if entry["result"] == COMPLETE else model["peer"]}'
            )
        elif entry["result"] == IDLE and answered.get(name, {}).get("ownership", OWNER) != OWNER:
            what = f"nobody is the source: {node} is standby, and {model['peer']} {answered[name]['ownership']}"
            cure = f"see which node owns {model['service'] or model['instance']}, and that the agents on both run"
            found.append(f"{place}: {what}; {cure}")
    return found
