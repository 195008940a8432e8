# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of weights: what would never move a VIP, or make both nodes look alike, is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader

from .model import HIGHEST_PRIORITY, SWITCHOVER_RAISE


@dataclass(frozen=True)
class Weight:
    """A weight that is not 0: negative, the penalty while something is down; positive, what its being up adds."""

    place: str
    value: int


def check_weights(place: str, weights: Sequence[Weight], priorities: tuple[int, int], reader: Reader) -> None:
    """Refuse weights of an instance that cannot do what they are for, whatever else is up or down.

    priorities: base priority by member. Each weight alone must decide against the preferred node's lead and against
    the raise of a planned switchover; all together must stay where keepalived does not clamp (1 and 254).
    """
    lead = abs(priorities[0] - priorities[1])
    for weight in weights:
        if abs(weight.value) <= lead:
            reader.refuse(
                weight.place,
                f"{weight.value} never moves the VIP: the preferred node is {lead} above its peer",
                f"give a penalty beyond {SWITCHOVER_RAISE}, such as -20",
            )
        elif abs(weight.value) <= SWITCHOVER_RAISE:
            reader.refuse(
                weight.place,
                f"{weight.value} is not more than the {SWITCHOVER_RAISE} that a planned switchover adds: a raised "
                "standby would keep the VIP in spite of it",
                f"give a penalty beyond {SWITCHOVER_RAISE}, such as -20",
            )
    highest = max(priorities) + sum(weight.value for weight in weights if weight.value > 0)
    if highest > HIGHEST_PRIORITY and highest > max(priorities):
        reader.refuse(
            f"{place}.priorities",
            f"{max(priorities)} and the positive weights make {highest}, above {HIGHEST_PRIORITY}: raised by a planned "
            "switchover both nodes would be clamped to the same",
            f"lower both priorities by {highest - HIGHEST_PRIORITY}, or give penalties such as -20",
        )
    lowest = min(priorities) + sum(weight.value for weight in weights if weight.value < 0)
    if lowest < 1:
        reader.refuse(
            f"{place}.priorities",
            f"{min(priorities)} and all penalties make {lowest}, below 1: both nodes would be clamped to the same",
            "give smaller penalties or higher priorities",
        )
