# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of a pair: what the templates print and what status, verification and drill compare with.

Everything here is complete: no field is to be defaulted or computed by the reader. Durations are in seconds.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field

from .capabilities import RAISE_POLLING_INTERVAL

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

HARDEST_WEIGHT = 253
"""How far a weight may move a priority; from 254 on keepalived takes a weighted file for FAULT."""


@dataclass(frozen=True)
class VirtualAddress:
    """A VIP as it stands on an interface. `excluded`: it moves with the others, but the adverts do not name it."""

    address: str
    prefix: int
    interface: str
    excluded: bool


@dataclass(frozen=True)
class Address:
    """A VIP as the module vip_owner takes it."""

    address: str
    prefix: int
    interface: str


@dataclass(frozen=True)
class HealthCheck:
    """A check script: a second witness beside the state file."""

    name: str
    command: str
    interval: float
    timeout: float
    fall: int
    rise: int


@dataclass(frozen=True)
class Probe:
    """What the prober of the node asks again and again.

    kind: `http`, `tcp`, `command`, `ping` or `mount`. target: a URL, HOST:PORT, an address, a path, or the words of a
    command.
    fall, rise: bad or good answers in a row that change `state_file` to 1 or 0. gate: the file that must read 1 for
    the probe to ask at all.
    """

    name: str
    kind: str
    target: str | list[str]
    interval: float
    timeout: float
    fall: int
    rise: int
    state_file: str
    gate: str | None


@dataclass(frozen=True)
class Service:
    """A tracked systemd service: its state file decides over FAULT. `failing_file` is the prober's, when it asks.

    active_standby: it runs on the owner only, by ha-pair-active. Its state file says whether this node is fit to take
    it over, and its failing file is for the agent: keepalived tracks that of other services only (`failing_tracker`).
    """

    name: str
    active_standby: bool
    tracker: str
    state_file: str
    failing_tracker: str | None
    failing_file: str | None
    check: HealthCheck | None


@dataclass(frozen=True)
class TrackFile:
    """A file that keepalived watches. weight 0: FAULT, when it reads 0 (`reverse`) or anything else (not `reverse`).

    Another weight times the number in the file is added to the priority.
    """

    tracker: str
    file: str
    weight: int
    reverse: bool


@dataclass(frozen=True)
class FileCheck:
    """A script that reads a state file, for a keepalived that cannot watch one. It is good with 0.

    weight 0: FAULT while it is not good; negative: the penalty then; positive: added while it is good.
    """

    name: str
    command: str
    interval: float
    timeout: float
    fall: int
    rise: int
    weight: int


@dataclass(frozen=True)
class TrackInterface:
    """A further interface. weight 0: FAULT while it is down; negative: the penalty then; positive: added while up."""

    name: str
    weight: int


@dataclass(frozen=True)
class TrackProcess:
    """A process that must run `quorum` times. `words`: its name, or with `full_command` its command line."""

    tracker: str
    name: str
    words: list[str]
    full_command: bool
    quorum: int
    weight: int


@dataclass(frozen=True)
class Tracking:
    """What an instance, or a sync group as a whole, watches."""

    files: list[TrackFile]
    scripts: list[str]
    interfaces: list[TrackInterface]
    processes: list[TrackProcess]


@dataclass(frozen=True)
class SyncGroup:
    """Instances that move together. Files, scripts and interfaces that a member watches are the group's.

    weighted: the members watch for themselves, and keepalived is told to count their weights.
    """

    name: str
    instances: list[str]
    tracking: Tracking
    weighted: bool


@dataclass(frozen=True)
class Instance:
    """A VRRP instance as one node runs it. `tracking`: what stands in it; the rest stands in its sync group.

    raise_file: a 1 in it raises the priority, by which a planned switchover moves the VIPs; a sync group has one.
    """

    name: str
    vrid: int
    interface: str
    family: int
    vrrp_version: int
    mode: str
    preferred: str | None
    priority: int
    advert_interval: float
    master_down_interval: float
    preempt_delay: float
    multicast: bool
    sync_group: str | None
    smtp_alert: bool
    source: str
    peers: list[str]
    vips: list[VirtualAddress]
    services: list[str]
    witnesses: list[str]
    track_interfaces: list[TrackInterface]
    track_processes: list[TrackProcess]
    tracking: Tracking
    raise_file: str
    options: list[str]


@dataclass(frozen=True)
class Member:
    """A member of the pair and the address from which it speaks VRRP in the first instance."""

    name: str
    address: str


@dataclass(frozen=True)
class Smtp:
    """Where keepalived sends its mail. connect_timeout: seconds."""

    server: str
    port: int
    sender: str
    recipients: list[str]
    helo_name: str | None
    connect_timeout: int | None


@dataclass(frozen=True)
class Hook:
    """The user's command, called with instance, old state, new state and priority. timeout: seconds."""

    command: list[str]
    user: str
    timeout: float


@dataclass(frozen=True)
class DaemonOptions:
    """The file with the daemon's options, the variable in it and what the variable holds."""

    file: str
    variable: str
    value: str


@dataclass(frozen=True)
class FirewallSource:
    """Who may speak VRRP to this node, and by which interface its adverts come."""

    interface: str
    address: str


@dataclass(frozen=True)
class Program:
    """A program of the user's that runs on the node, and as whom."""

    path: str
    user: str


@dataclass(frozen=True)
class NodeModel:
    """All that one node needs to know. `secrets` is for the template of keepalived.conf and for nobody else.

    `event_program`: what keepalived starts for every change of state, where it cannot write into the FIFO itself.
    """

    node: str
    peer: str
    members: list[Member]
    capabilities: dict[str, object]
    state_directory: str
    notify_fifo: str
    event_program: str | None
    script_user: str
    router_id: str
    realtime_priority: int
    restart_delay: float
    global_options: list[str]
    daemon_options: DaemonOptions
    smtp: Smtp | None
    hook: Hook | None
    services: list[Service]
    probes: list[Probe]
    track_files: list[TrackFile]
    file_checks: list[FileCheck]
    track_processes: list[TrackProcess]
    sync_groups: list[SyncGroup]
    instances: list[Instance]
    addresses: list[Address]
    firewall_sources: list[FirewallSource]
    programs: list[Program]
    warnings: list[str]
    secrets: dict[str, dict[str, str]] = field(repr=False)

    def to_dict(self) -> dict[str, t.Any]:
        """The model as plain data, plus `description`: what the node itself keeps (ha-pair.json)."""
        return {**asdict(self), "description": self.description()}

    def description(self) -> dict[str, t.Any]:
        """What the programs on the node read: addresses that are ours, peers, services, probes. No secrets."""
        return {
            "schema": 1,
            "node": self.node,
            "peer": self.peer,
            "state_directory": self.state_directory,
            "keepalived": {
                # Whether its events come in their order, without which only its own data tells the last one.
                "ordered_events": self.event_program is None,
                "restores_addresses": self.capabilities["restores_addresses"],
                "raise_noticed_after": 0.0 if self.capabilities["track_file"] else RAISE_POLLING_INTERVAL,
            },
            "hook": None if self.hook is None else asdict(self.hook),
            "probes": [asdict(probe) for probe in self.probes],
            "active_standby": sorted(service.name for service in self.services if service.active_standby),
            "instances": {
                instance.name: {
                    "vrid": instance.vrid,
                    "interface": instance.interface,
                    "family": instance.family,
                    "vrrp_version": instance.vrrp_version,
                    "mode": instance.mode,
                    "preferred": instance.preferred,
                    "priority": instance.priority,
                    "advert_interval": instance.advert_interval,
                    "master_down_interval": instance.master_down_interval,
                    "multicast": instance.multicast,
                    "sync_group": instance.sync_group,
                    "vips": [asdict(vip) for vip in instance.vips],
                    "source": instance.source,
                    "peers": instance.peers,
                    "services": instance.services,
                    "raise_file": instance.raise_file,
                    "witnesses": instance.witnesses,
                    "track_interfaces": [asdict(tracked) for tracked in instance.track_interfaces],
                    "track_processes": [
                        {"name": tracked.name, "weight": tracked.weight} for tracked in instance.track_processes
                    ],
                }
                for instance in self.instances
            },
        }


RESTART_MARGIN = 0.25
"""How much longer than the peer's master down interval a crashed keepalived stays down, so that the peer is the owner
and the notify handler has removed the addresses that the crashed daemon left behind."""


def skew_time(priority: int, advert_interval: float, version: int = 3) -> float:
    """How long the standby waits after a priority 0 advert: scaled by the interval in VRRPv3 only.

    RFC 9568, section 6.1, and RFC 3768, section 6.2.
    """
    return (256 - priority) / 256 * (advert_interval if version == 3 else 1.0)


def master_down_interval(priority: int, advert_interval: float, version: int = 3, *, prompt: bool = True) -> float:
    """How long the standby waits for a silent owner (the same sections), until it has the addresses.

    prompt: it takes them when it becomes MASTER; otherwise (keepalived 1.3) one advert interval later.
    """
    adverts = DOWN_TIMER_ADVERTS if prompt else DOWN_TIMER_ADVERTS + 1
    return adverts * advert_interval + skew_time(priority, advert_interval, version)
