# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report of a node says against the rounds of its directories. A node that is not the source has nothing."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping

COMMAND = "/usr/libexec/keepalived/ha-pair-sync"
# As it says it.
COMPLETE = "complete"


def problems_of(text: str, node: str, model: Mapping[str, t.Any]) -> list[str]:
    """What is wrong, with what can be done; `text`: the report, empty when there is none."""
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
        elif entry["problem"]:
            cure = f'mend that, and see the rounds after it by "journalctl -t ha-pair-sync" on {node}'
            found.append(f"{place}: the last round was {entry['result']}: {entry['problem']}; {cure}")
        elif entry["conflict"] and entry["result"] == COMPLETE:
            where = f"{entry['conflict']['kept']} on {entry['conflict']['kept_on']}"
            found.append(
                f"{place}: a split is not resolved, and nothing is deleted until it is; look at {where}, then run "
                f'"{COMMAND} --resolve {name}" on {node}'
            )
    return found
