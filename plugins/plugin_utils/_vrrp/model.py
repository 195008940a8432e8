# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of a pair: what the templates print and what status, verification and drill compare with.

Everything here is complete: no field is to be defaulted or computed by the reader. Durations are in seconds.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

STATE_DIRECTORY = "/run/keepalived/ha-pair"
"""Where track files, FIFO and state file lie on a node. Below /run/keepalived, which SELinux lets keepalived read."""

SCRIPT_DIRECTORY = "/usr/libexec/keepalived"
"""Where scripts lie on a node: EL's policy labels this directory for keepalived's scripts."""

SCRIPT_USER = "keepalived_script"
"""The account without rights that runs check scripts; the name that keepalived itself looks for."""

PROFILES: dict[str, float] = {"fast": 0.1, "balanced": 0.25, "conservative": 1.0}
"""Advert interval by profile: it decides only how soon a dead node or link is noticed (three adverts)."""

DOWN_TIMER_ADVERTS = 3
"""Adverts that are missed before the standby takes over (keepalived's default)."""

SWITCHOVER_RAISE = 4
"""What a planned switchover adds to the standby's priority. Base priorities leave room for it below 254, where
keepalived clamps, and differ by less."""

HIGHEST_PRIORITY = 254 - SWITCHOVER_RAISE
PREFERRED_PRIORITY = HIGHEST_PRIORITY
STANDBY_PRIORITY = HIGHEST_PRIORITY - 2


@dataclass(frozen=True)
class VirtualAddress:
    """A VIP as it stands on an interface."""

    address: str
    prefix: int
    interface: str


@dataclass(frozen=True)
class HealthCheck:
    """A check script: the second witness beside the state file."""

    name: str
    command: str
    interval: float
    timeout: float
    fall: int
    rise: int


@dataclass(frozen=True)
class Service:
    """A tracked systemd service: its state file decides over FAULT."""

    name: str
    tracker: str
    state_file: str
    check: HealthCheck | None


@dataclass(frozen=True)
class Instance:
    """A VRRP instance as one node runs it."""

    name: str
    vrid: int
    interface: str
    mode: str
    preferred: str | None
    priority: int
    advert_interval: float
    master_down_interval: float
    preempt_delay: float
    source: str
    peers: list[str]
    vips: list[VirtualAddress]
    services: list[str]


@dataclass(frozen=True)
class Member:
    """A member of the pair and the address from which it speaks VRRP."""

    name: str
    address: str


@dataclass(frozen=True)
class NodeModel:
    """All that one node needs to know."""

    node: str
    peer: str
    members: list[Member]
    capabilities: dict[str, object]
    state_directory: str
    notify_fifo: str
    script_user: str
    realtime_priority: int
    restart_delay: float
    services: list[Service]
    instances: list[Instance]
    warnings: list[str]

    def to_dict(self) -> dict[str, t.Any]:
        """The model as plain data, plus `description`: what the node itself keeps (ha-pair.json)."""
        return {**asdict(self), "description": self.description()}

    def description(self) -> dict[str, t.Any]:
        """What the programs on the node read: addresses that are ours, peers, services. No secrets."""
        return {
            "schema": 1,
            "node": self.node,
            "state_directory": self.state_directory,
            "instances": {
                instance.name: {
                    "vrid": instance.vrid,
                    "interface": instance.interface,
                    "priority": instance.priority,
                    "advert_interval": instance.advert_interval,
                    "master_down_interval": instance.master_down_interval,
                    "vips": [asdict(vip) for vip in instance.vips],
                    "peers": instance.peers,
                    "services": instance.services,
                }
                for instance in self.instances
            },
        }


RESTART_MARGIN = 0.25
"""How much longer than the peer's master down interval a crashed keepalived stays down, so that the peer is the owner
and the notify handler has removed the addresses that the crashed daemon left behind."""


def skew_time(priority: int, advert_interval: float) -> float:
    """VRRPv3 skew: how long the standby waits after a priority 0 advert (RFC 9568, section 6.1)."""
    return (256 - priority) / 256 * advert_interval


def master_down_interval(priority: int, advert_interval: float) -> float:
    """How long the standby waits for a silent owner (RFC 9568, section 6.1)."""
    return DOWN_TIMER_ADVERTS * advert_interval + skew_time(priority, advert_interval)
