# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long services that run on the owner only may take until they work on a new one."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

_SILENT: Mapping[str, Sequence[str]] = {
    "none": (),
    "peer": ("timeout",),
    "witness": ("lease",),
    "command": ("timeout", "command_timeout"),
}
"""What of an arbiter runs out before it says yes beside a node that says nothing."""

_ALWAYS = ("confirm", "start_timeout", "stop_timeout")


def longest_takeover(agents: Mapping[str, t.Any], names: Sequence[str]) -> float:
    """Seconds from the move of the VIP until all of them are ready, if they start at all; 0 without any.

    agents: by member its settings of ha-pair-active. The slower node counts, and the slowest service: they start beside
    each other. Raises KeyError for a service that a node does not have.
    """
    services = [agents[member]["services"][name] for member in agents for name in names]
    return max((_longest(service) for service in services), default=0.0)


def _longest(service: Mapping[str, t.Any]) -> float:
    arbiter = service["arbiter"]
    waits = [service[key] for key in _ALWAYS] + [arbiter[key] for key in _SILENT[arbiter["kind"]]]
    # ansible-core before 2.19 makes text of numbers.
    return sum(float(seconds) for seconds in waits)
