# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each keepalived version can do: the one table that the model asks.

Source: the keywords that the parser of each upstream tag installs (`install_keyword` in acassen/keepalived), and what
Debian's builds of 2.1.5, 2.2.7 and 2.3.3 and a build of 1.3.5 did when they were run. Nothing between 1.3.5 and 2.1.0
is supported, so a first version in between may be rounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError, Problem

Version = tuple[int, int, int]

FIRST_VERSION: dict[str, Version] = {
    # A file watched by inotify decides over FAULT, also with `weight N reverse`: a value of 0 is the bad one, so that
    # an absent file means FAULT. Without `reverse` (2.0) a file of ours cannot fail closed.
    "track_file": (2, 1, 0),
    # The new owner has the addresses with its first advert, and not one advert interval after it.
    "prompt_takeover": (2, 0, 0),
    # preempt_delay also counts after a FAULT, not only after keepalived's start.
    "delayed_return": (2, 0, 0),
    # An address that somebody removes from its owner is put back.
    "restores_addresses": (2, 0, 0),
    # The VRRP process asks for a real-time scheduler.
    "realtime": (2, 0, 0),
    # Processes are watched.
    "track_process": (2, 0, 11),
    # A sync group watches what decides over all its members.
    "group_tracking": (2, 1, 0),
    # `keepalived -t`.
    "configuration_test": (2, 0, 4),
    # VRRPv3 by unicast has the checksum of the RFC. Older ones count another, and drop the adverts that have it.
    "rfc_checksum": (1, 3, 6),
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

EL7: Version = (1, 3, 5)
"""The one version of the 1.3 series that a supported distribution has."""

OLDEST: Version = (2, 1, 0)
"""The oldest of the others. What those in between do with a configuration of ours, nobody has looked at."""

POLLING_INTERVAL = 1.0
"""How often a state file is looked at that keepalived cannot watch, in seconds: the shortest that it knows."""

RAISE_POLLING_INTERVAL = 5.0
"""The same for the files by which a planned switchover raises a node: as long as it is not raised, keepalived writes a
line into the journal each time."""

WITHOUT: dict[str, str] = {
    "track_file": (
        "state files are not watched but looked at every second, so a service that goes down is noticed up to "
        f"{POLLING_INTERVAL:g} s later, and a planned switchover begins up to {RAISE_POLLING_INTERVAL:g} s later"
    ),
    "prompt_takeover": (
        "clients wait one advert interval longer for every takeover, and two when a VIP is handed over from a healthy "
        "owner (a planned switchover, the return of the preferred node)"
    ),
    "delayed_return": (
        "after a FAULT a preferred node stays in it for preempt_delay seconds more, and cannot take over in that time"
    ),
    "notify_fifo": (
        "changes of state are told by a process for each, in no certain order; the notify handler asks keepalived "
        "itself after each of them"
    ),
    "restores_addresses": "the notify handler puts back a VIP that somebody removes from its owner",
    "realtime": (
        "the VRRP process gets a better nice level instead of real-time priority, so a busy node may look dead: do not "
        "take profile fast"
    ),
    "configuration_test": "a configuration is checked for words that it does not know, and tested by nobody else",
    "fifo_write_vrrp_states_on_reload": "after a reload the notify handler asks keepalived for its states",
    "unicast_fault_no_peer": "an instance without a peer would speak multicast; the model always names the peer",
    "fractional_script_interval": "check scripts run at whole seconds, so a service that hangs is noticed later",
}
"""What the absence of a feature means for a pair. A feature that a supported version lacks and that is not here is made
up for, or what needs it is refused."""

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
    if number < OLDEST and number != EL7:
        supported = [".".join(str(part) for part in one) for one in (EL7, OLDEST)]
        raise InputError(
            [
                Problem(
                    "keepalived version",
                    f"{name} is neither {supported[0]} nor {supported[1]} or newer",
                    "take that of a supported distribution (Debian 11 or later, EL 7 or later), with its updates",
                )
            ]
        )
    return Capabilities(name, frozenset(feature for feature, first in FIRST_VERSION.items() if number >= first))


def packaged_version(os_family: str, major: str) -> str | None:
    """The version in the distribution's package, or None when the distribution is not supported."""
    return PACKAGED_VERSION.get((os_family, major))
