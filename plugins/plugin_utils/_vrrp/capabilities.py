# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each keepalived version can do: the one table that the model asks.

Source: the keywords that the parser of each upstream tag installs (`install_keyword` in acassen/keepalived), and what
Debian's builds of 2.1.5, 2.2.7 and 2.3.3 did when they were run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError, Problem

Version = tuple[int, int, int]

FIRST_VERSION: dict[str, Version] = {
    # A file watched by inotify decides over FAULT.
    "track_file": (2, 0, 0),
    # `weight N reverse`: a value of 0 is the bad one, so that an absent file means FAULT.
    "reverse_weight": (2, 1, 0),
    # One ordered pipe for all state changes instead of a process per change.
    "notify_fifo": (1, 3, 6),
    # The FIFO also tells priority changes.
    "notify_priority_changes": (2, 0, 16),
    # A reload writes all states into the FIFO again.
    "fifo_write_vrrp_states_on_reload": (2, 2, 5),
    # Adverts from anyone but the peer are dropped, by instance.
    "check_unicast_src": (2, 1, 0),
    # An instance without a peer is a FAULT and not silent multicast.
    "unicast_fault_no_peer": (2, 2, 5),
    # keepalived raises its own priority by itself; -1 forbids it and silences the notice at every start.
    "max_auto_priority": (2, 1, 0),
    # Check scripts may run more often than once a second.
    "fractional_script_interval": (2, 3, 2),
}

REQUIRED = ("track_file", "reverse_weight", "notify_fifo")
"""Features without which a pair would fail open; nothing is printed for a version that lacks one."""

OLDEST: Version = max(FIRST_VERSION[feature] for feature in REQUIRED)

WITHOUT: dict[str, str] = {
    "fifo_write_vrrp_states_on_reload": "after a reload the notify handler asks keepalived for its states",
    "unicast_fault_no_peer": "an instance without a peer would speak multicast; the model always names the peer",
    "fractional_script_interval": "check scripts run at whole seconds, so a service that hangs is noticed later",
}
"""What the absence of a feature means for a pair; features that no supported version lacks need no word."""

PACKAGED_VERSION: dict[tuple[str, str], str] = {
    ("Debian", "11"): "2.1.5",
    ("Debian", "12"): "2.2.7",
    ("Debian", "13"): "2.3.3",
    ("RedHat", "7"): "1.3.5",
    ("RedHat", "8"): "2.1.5",
    ("RedHat", "9"): "2.2.8",
    ("RedHat", "10"): "2.2.8",
}
"""What the distribution's package holds, by family (RedHat stands for all rebuilds) and major version."""


@dataclass(frozen=True)
class Capabilities:
    """What one version can do. `features` holds the names of FIRST_VERSION that it has."""

    version: str
    features: frozenset[str]

    def __contains__(self, feature: str) -> bool:
        if feature not in FIRST_VERSION:
            raise KeyError(feature)
        return feature in self.features

    def warnings(self) -> list[str]:
        """What this version cannot do, and what it means."""
        return [
            f"keepalived {self.version} lacks {feature}: {meaning}"
            for feature, meaning in WITHOUT.items()
            if feature not in self.features
        ]

    def to_dict(self) -> dict[str, object]:
        """`{version: str, <feature>: bool, ...}` for a template."""
        return {"version": self.version, **{name: name in self.features for name in FIRST_VERSION}}


def parse_version(text: str) -> Version:
    """`2.2.7`, `1:2.2.7-1+b2`, `Keepalived v2.2.7 (01/16,2022)` -> (2, 2, 7). Raises InputError."""
    found = re.search(r"(?<![\d.])v?(\d+)\.(\d+)\.(\d+)(?!\d)", str(text))
    if not found:
        raise InputError(
            [Problem("keepalived version", f"{text!r} is not a version", "give what `keepalived --version` prints")]
        )
    return int(found[1]), int(found[2]), int(found[3])


def capabilities(version: str) -> Capabilities:
    """The capabilities of a version; raises InputError for one that the model cannot serve."""
    number = parse_version(version)
    name = ".".join(str(part) for part in number)
    if number < OLDEST:
        oldest = ".".join(str(part) for part in OLDEST)
        raise InputError(
            [
                Problem(
                    "keepalived version",
                    f"{name} is older than {oldest}: it has no file tracking that fails closed",
                    "take a distribution with a newer keepalived (Debian 11 or later, EL 8 or later)",
                )
            ]
        )
    return Capabilities(name, frozenset(feature for feature, first in FIRST_VERSION.items() if number >= first))


def packaged_version(os_family: str, major: str) -> str | None:
    """The version in the distribution's package, or None when the distribution is not supported."""
    return PACKAGED_VERSION.get((os_family, major))
