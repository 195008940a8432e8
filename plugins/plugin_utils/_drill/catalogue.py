# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults of a drill: what is broken, where, and what a healthy pair does about it."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .results import ANY, CONFLICT, MOVES, RETURNS, STAYS

Settings = Mapping[str, t.Any]
"""How the instance moves, as pair_inventory tells (`settings`)."""

EVENT = 0.3
"""Seconds that clients may miss when the owner gives the VIP away itself: the skew time, room for a busy machine."""

HANG = 1.2
"""Seconds that clients may miss when a service hangs: two misses of the prober, 0.2 s apart, and the same room."""

NOTICED = 0.1
"""Seconds that clients may miss when nothing is to happen to them: room for a busy machine."""

HANDOVER = 0.5
"""Seconds of two owners in a handover: the new owner has the VIP before the old one has removed it, because two kernels
do nothing at the same instant. Some milliseconds unless a machine is busy."""

CRASH = 1.0
"""Seconds, beyond the peer's master down interval, until the guard has removed what a dead daemon left behind."""


def _handing_over(settings: Settings) -> float:
    """What a healthy owner's giving way costs: nothing, unless the addresses come later than the decision (keepalived
    1.3): the old owner gives them up an advert before the new one is MASTER, and it has them an advert after that."""
    return 2 * float(settings["takeover_delay"])


def _event(settings: Settings) -> float:
    return round(EVENT + float(settings["noticed_after"]) + _handing_over(settings), 3)


def _told(settings: Settings) -> float:
    """keepalived itself gives way, and nothing has to be noticed."""
    return round(EVENT + _handing_over(settings), 3)


def _hang(settings: Settings) -> float:
    return round(HANG + float(settings["noticed_after"]) + _handing_over(settings), 3)


def _switchover(settings: Settings) -> float:
    return round(NOTICED + _handing_over(settings), 3)


def _nothing(_settings: Settings) -> float:
    return NOTICED


def silence(settings: Settings) -> float:
    """The owner is dead or cut off: nobody tells the peer, it waits a master down interval."""
    return round(float(settings["master_down_interval"]) + EVENT, 3)


def _storage(settings: Settings) -> float:
    """A weight moves the VIP: after the witness is believed, the peer waits a master down interval."""
    noticed = max(settings["mounts"].values(), default=0.0)
    return round(float(noticed) + float(settings["noticed_after"]) + silence(settings), 3)


def _handover(_settings: Settings) -> float:
    return HANDOVER


def _crash(settings: Settings) -> float:
    return round(float(settings["master_down_interval"]) + CRASH, 3)


def _freeze(settings: Settings) -> float:
    """The guard believes in a freeze after it has heard no advert for a while and the peer has."""
    return round(2 * float(settings["master_down_interval"]) + CRASH, 3)


@dataclass(frozen=True)
class Fault:
    """A fault that the drill knows.

    where: `node` (module drill_fault on a member), `third` (the same on a machine outside the pair), `power` (a command
    on the power side), `reboot`, `switchover`.
    vip: what is expected of the VIP while it lasts. rto, two_owners: limits in seconds by the settings of the instance;
    rto None means that nothing on the pair can keep one, two_owners None for as long as the fault lasts.
    lasts: seconds from the takeover, or from the injection where none is due, until it is mended.
    cuts: the target cannot be reached while it lasts; alone: it reaches nobody, whatever its kernel holds.
    needs: options without which it cannot be done.
    """

    name: str
    title: str
    where: str
    vip: str
    rto: Callable[[Settings], float] | None
    lasts: float
    two_owners: Callable[[Settings], float] | None = _handover
    cuts: bool = False
    alone: bool = False
    needs: tuple[str, ...] = ()
    note: str = ""
    options: Mapping[str, t.Any] = field(default_factory=dict)


_SPLIT = "both hear nobody and own the VIP until they hear each other again: two machines alone cannot tell"
_SEES = "the member that is cut off keeps the address, and nobody can reach it"

FAULTS: tuple[Fault, ...] = (
    Fault("switchover", "planned switchover", "switchover", MOVES, _switchover, 2),
    Fault("service_stop", "service stopped", "node", MOVES, _event, 2, needs=("service",)),
    Fault("service_crash", "service killed, not restarted", "node", MOVES, _event, 2, needs=("service",)),
    Fault(
        "service_crash_restart",
        "service killed, restarted by systemd",
        "node",
        RETURNS,
        _event,
        4,
        needs=("service",),
        note="the VIP moves at once and comes back when the service is well again and a node is preferred",
    ),
    Fault("service_hang", "service hangs", "node", MOVES, _hang, 2, needs=("service",)),
    Fault("check_hang", "check script hangs", "node", MOVES, _event, 2, needs=("check",)),
    Fault("keepalived_stop", "keepalived stopped", "node", MOVES, _told, 2),
    Fault(
        "keepalived_kill",
        "keepalived killed, all its processes",
        "node",
        RETURNS,
        _told,
        4,
        two_owners=_crash,
        note="a killed daemon removes nothing; the address goes as soon as the peer has it",
    ),
    Fault(
        "keepalived_freeze",
        "keepalived frozen, all its processes",
        "node",
        RETURNS,
        _told,
        6,
        two_owners=_freeze,
        note="a frozen daemon removes nothing; the guard on its node ends it when it is sure",
    ),
    Fault("link_down", "link down", "node", MOVES, silence, 2, cuts=True),
    Fault("vrrp_block", "VRRP blocked (split brain)", "node", CONFLICT, silence, 3, two_owners=None, note=_SPLIT),
    Fault("isolate_peer", "cut off from the peer", "node", CONFLICT, silence, 3, two_owners=None, note=_SPLIT),
    Fault("isolate_all", "cut off from all but the controller", "node", MOVES, silence, 3, alone=True, note=_SEES),
    Fault("node_freeze", "node frozen", "power", MOVES, silence, 2, cuts=True, alone=True, needs=("freeze", "thaw")),
    Fault("node_power_off", "node powered off", "power", MOVES, silence, 2, cuts=True, alone=True, needs=("off", "on")),
    Fault(
        "node_reboot",
        "node rebooted",
        "reboot",
        ANY,
        silence,
        0,
        cuts=True,
        alone=True,
        needs=("reboot",),
        note="the audit is made when it is back, and it may have the VIP again by then",
    ),
    Fault(
        "storage_hang",
        "storage hangs",
        "node",
        MOVES,
        _storage,
        2,
        needs=("mount",),
        note="clients miss nothing where the health URL needs no storage; what does need it waits until the VIP moves",
    ),
    Fault("disk_full", "disk of the service's logs full", "node", STAYS, _nothing, 3, options={"size": "64k"}),
    Fault(
        "cpu_starvation",
        "service starved of CPU",
        "node",
        ANY,
        _hang,
        4,
        needs=("service",),
        options={"quota": "2%"},
        note="whether it still answers in time decides over where the VIP is",
    ),
    Fault(
        "vip_deleted",
        "VIP deleted by hand",
        "node",
        ANY,
        silence,
        3,
        note="keepalived notices, gives way for a moment and puts the address back",
    ),
    Fault(
        "vip_stolen",
        "VIP stolen by a third machine",
        "third",
        CONFLICT,
        None,
        3,
        note="whoever was heard last has the clients; nothing on the pair can end that, but the audit names the thief",
    ),
)

BY_NAME: Mapping[str, Fault] = {fault.name: fault for fault in FAULTS}

_AGAIN = "its agent starts it again where it is, and gives the VIP away once it ended too often"
_BY_AGENT: Mapping[str, tuple[str, str]] = {
    "service_stop": (ANY, _AGAIN),
    "service_crash": (ANY, _AGAIN),
    "service_crash_restart": (ANY, _AGAIN),
    "service_hang": (MOVES, "its agent ends it and leaves it alone for a while"),
}


def by_agent(fault: Fault, settings: Settings, service: str) -> Fault:
    """The fault as it is for an instance with services that run on its owner only, by their agent.

    Clients of those wait until the service has stopped there and is ready here, and how long that takes nobody here
    knows: without a limit that the user gives, none is kept. service: the one that is hit, without its suffix.
    """
    names: Sequence[str] = settings.get("active_standby") or ()
    if not names or fault.vip == STAYS:
        return fault
    vip, note = _BY_AGENT.get(fault.name, (fault.vip, fault.note)) if service in names else (fault.vip, fault.note)
    wait = f"clients of {' and '.join(names)} wait for its start as well"
    return replace(fault, vip=vip, rto=None, note=f"{note}; {wait}" if note else wait)
