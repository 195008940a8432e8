# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds what a node watches: state files, check scripts, probes, interfaces, processes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader

from .capabilities import POLLING_INTERVAL, RAISE_POLLING_INTERVAL, Capabilities
from .inputs import PairInput
from .instance_inputs import InstanceInput
from .model import (
    SCRIPT_DIRECTORY,
    STATE_DIRECTORY,
    SWITCHOVER_RAISE,
    FileCheck,
    HealthCheck,
    Probe,
    Service,
    SyncGroup,
    TrackFile,
    Tracking,
    TrackInterface,
    TrackProcess,
)
from .service_inputs import PROBED_CHECK_SECONDS, Health, ServiceInput
from .tracking_inputs import ProcessInput, WitnessInput

FAILING_DIRECTORY = f"{STATE_DIRECTORY}/failing"
RAISE_DIRECTORY = f"{STATE_DIRECTORY}/raise"
ACTIVE_DIRECTORY = f"{STATE_DIRECTORY}/active"
"""Where ha-pair-active says of each of its services whether it is ready here."""


FILE_CHECK_TIMEOUT = 5.0
"""How long reading a state file may take, in seconds. It takes milliseconds: a node that needs so long to start a shell
should give the VIP away, one that is busy for a second should not."""


@dataclass(frozen=True)
class Watched:
    """All that a node watches, each thing once whatever number of instances name it.

    `files` are watched by keepalived, or read by a script of the same name in `file_checks`. `by_group`: whether a sync
    group watches for its members.
    """

    services: list[Service]
    probes: list[Probe]
    files: list[TrackFile]
    file_checks: list[FileCheck]
    processes: list[TrackProcess]
    by_group: bool


def build_watched(pair: PairInput, capable: Capabilities, reader: Reader) -> Watched:
    """What the instances of the pair watch on this node."""
    services = {service.name: service for instance in pair.instances for service in instance.services}
    witnesses = {witness.name: witness for instance in pair.instances for witness in instance.witnesses}
    processes = {process.name: process for instance in pair.instances for process in instance.processes}
    built = [_service(service, capable, reader) for service in services.values()]
    _check_identifiers(pair.node, "services", services, "units", reader)
    _check_identifiers(pair.node, "witnesses", witnesses, "witnesses", reader)
    _check_identifiers(pair.node, "track_processes", processes, "processes", reader)
    _check_identifiers(pair.node, "names", dict.fromkeys(map(_moved_as, pair.instances)), "instances or groups", reader)
    probes = [_service_probe(service) for service in services.values() if service.probe]
    probes += [_witness_probe(witness) for witness in witnesses.values()]
    files = [file for service in built for file in _service_files(service)]
    files += [_witness_file(witness) for witness in witnesses.values()]
    raised = list(dict.fromkeys(_raise_file(instance) for instance in pair.instances))
    checks = []
    if "track_file" not in capable:
        delays = {
            file.tracker: _return_delay(pair, service.name) for service in built for file in _service_files(service)
        }
        checks = [_file_check(file, POLLING_INTERVAL, delays.get(file.tracker, 0.0)) for file in files]
        checks += [_file_check(file, RAISE_POLLING_INTERVAL) for file in raised]
    return Watched(
        built,
        [probe for probe in probes if probe],
        [*files, *raised],
        checks,
        [_process(one, capable, reader) for one in processes.values()],
        "group_tracking" in capable,
    )


def instance_tracking(given: InstanceInput, watched: Watched) -> Tracking:
    """What stands in the instance itself: everything, or in a sync group what only works there."""
    everything = _tracking([given], watched)
    if given.sync_group is None or not watched.by_group:
        return everything
    return replace(everything, files=[], scripts=[], interfaces=[])


def _tracking(given: Sequence[InstanceInput], watched: Watched) -> Tracking:
    """What these instances watch together, each thing once."""
    services = {service.name for instance in given for service in instance.services}
    witnesses = {_witness_file(witness).tracker for instance in given for witness in instance.witnesses}
    processes = {process.name for instance in given for process in instance.processes}
    ours = [service for service in watched.services if service.name in services]
    trackers = {file.tracker for service in ours for file in _service_files(service)} | witnesses
    trackers |= {_raise_file(instance).tracker for instance in given}
    interfaces = {one.name: one for instance in given for one in instance_interfaces(instance)}
    files = [file for file in watched.files if file.tracker in trackers]
    read = [check.name for check in watched.file_checks if check.name in trackers]
    return Tracking(
        files=[] if watched.file_checks else files,
        scripts=read + [service.check.name for service in ours if service.check],
        interfaces=list(interfaces.values()),
        processes=[process for process in watched.processes if process.name in processes],
    )


def instance_interfaces(given: InstanceInput) -> list[TrackInterface]:
    """The further interfaces of one instance."""
    return [TrackInterface(interface.name, interface.weight) for interface in given.interfaces]


def sync_groups(pair: PairInput, watched: Watched) -> list[SyncGroup]:
    """The sync groups with what their members watch.

    keepalived 2.1.5 ignores files and scripts of a member, and processes of a group; 2.2.7 and 2.3.3 take all in both.
    1.3 has it in the members only, and counts weights there when the group says so (global_tracking).
    """
    names = dict.fromkeys(instance.sync_group for instance in pair.instances if instance.sync_group is not None)
    groups = []
    for name in names:
        members = [instance for instance in pair.instances if instance.sync_group == name]
        shared = replace(_tracking(members, watched), processes=[])
        if not watched.by_group:
            shared = Tracking([], [], [], [])
        groups.append(SyncGroup(name, [member.name for member in members], shared, weighted=not watched.by_group))
    return groups


def _identifier(name: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in name)


def _check_identifiers(node: str, option: str, names: Iterable[str], what: str, reader: Reader) -> None:
    seen: dict[str, str] = {}
    for name in names:
        first = seen.setdefault(_identifier(name), name)
        if first != name:
            reader.refuse(
                f"{node}: keepalived_instances: {option}",
                f"{first!r} and {name!r} differ in punctuation only, which keepalived's names do not keep",
                f"rename one of the two {what}",
            )


def _service(given: ServiceInput, capable: Capabilities, reader: Reader) -> Service:
    identifier = _identifier(given.name)
    check = None
    if given.health is not None and not given.active_standby:
        check = _check(given, given.health, identifier, capable, reader)
    return Service(
        name=given.name,
        active_standby=given.active_standby,
        tracker=f"service_{identifier}",
        state_file=f"{STATE_DIRECTORY}/track/{given.name}",
        # What does not answer any more, the agent ends: it is to judge that, and not keepalived on its own.
        failing_tracker=f"failing_{identifier}" if given.probe and not given.active_standby else None,
        failing_file=f"{FAILING_DIRECTORY}/{given.name}" if given.probe else None,
        check=check,
    )


def _service_files(service: Service) -> list[TrackFile]:
    files = [TrackFile(service.tracker, service.state_file, 0, True)]
    if service.failing_tracker is not None and service.failing_file is not None:
        files.append(TrackFile(service.failing_tracker, service.failing_file, 0, False))
    return files


def _return_delay(pair: PairInput, service: str) -> float:
    """For how long the service must be well before this node may take a VIP back on its account, in seconds.

    keepalived 1.3 counts preempt_delay from its start and not from the end of a FAULT (seen on 1.3.9): so the FAULT is
    made to last. Should the peer fail in that time, nobody serves until it is over.
    """
    delays = [
        instance.preempt_delay
        for instance in pair.instances
        if instance.preferred == pair.node and service in (one.name for one in instance.services)
    ]
    return max(delays, default=0.0)


def _file_check(file: TrackFile, interval: float, delay: float = 0.0) -> FileCheck:
    """The script that reads a state file. It is good with a 1 where the file must hold one, or where a 1 raises.

    delay: for how long it must read well, in seconds, before it counts as good again.
    """
    wanted = "one" if file.reverse or file.weight > 0 else "not-one"
    return FileCheck(
        name=file.tracker,
        command=f"{SCRIPT_DIRECTORY}/ha-pair-state {wanted} {file.file}",
        interval=interval,
        timeout=FILE_CHECK_TIMEOUT,
        # The file is written when something is certain; nothing is gained by reading it twice.
        fall=1,
        rise=max(1, math.ceil(delay / interval)),
        weight=file.weight,
    )


def _check(given: ServiceInput, health: Health, identifier: str, capable: Capabilities, reader: Reader) -> HealthCheck:
    fine = "fractional_script_interval" in capable
    usual = PROBED_CHECK_SECONDS if given.probe else 0.5 if fine else 1.0
    interval = given.interval or usual
    timeout = given.timeout or usual
    for option, value in (("check_interval", interval), ("check_timeout", timeout)):
        if not fine and value != int(value):
            reader.refuse(
                f"{given.place}.{option}",
                f"{value:g} is a fraction, and keepalived {capable.version} runs checks at whole seconds",
                "give whole seconds, such as 1",
            )
    if isinstance(health.target, list):
        command = " ".join(health.target)
    else:
        url = health.target if health.kind == "http" else f"tcp://{health.target}"
        command = f"{SCRIPT_DIRECTORY}/ha-pair-check {url} {timeout * 0.9:g}"
    return HealthCheck(
        name=f"check_{identifier}",
        command=command,
        interval=interval,
        timeout=timeout,
        fall=given.fall,
        rise=given.rise,
    )


def _service_probe(given: ServiceInput) -> Probe | None:
    if given.health is None:
        return None
    return Probe(
        name=given.name,
        kind=given.health.kind,
        target=given.health.target,
        interval=given.probe_interval,
        timeout=given.probe_timeout,
        fall=given.probe_fall,
        rise=given.probe_rise,
        state_file=f"{FAILING_DIRECTORY}/{given.name}",
        gate=f"{ACTIVE_DIRECTORY if given.active_standby else f'{STATE_DIRECTORY}/track'}/{given.name}",
    )


def _witness_probe(given: WitnessInput) -> Probe:
    return Probe(
        name=f"witness.{given.name}",
        kind=given.kind,
        target=given.target,
        interval=given.interval,
        timeout=given.timeout,
        fall=given.fall,
        rise=given.rise,
        state_file=f"{FAILING_DIRECTORY}/witness.{given.name}",
        gate=None,
    )


def _witness_file(given: WitnessInput) -> TrackFile:
    return TrackFile(
        f"witness_{_identifier(given.name)}", f"{FAILING_DIRECTORY}/witness.{given.name}", given.weight, False
    )


def _moved_as(given: InstanceInput) -> str:
    """What a planned switchover moves: the sync group as a whole, or the instance."""
    return given.name if given.sync_group is None else given.sync_group


def _raise_file(given: InstanceInput) -> TrackFile:
    name = _moved_as(given)
    return TrackFile(f"raise_{_identifier(name)}", raise_path(given), SWITCHOVER_RAISE, False)


def raise_path(given: InstanceInput) -> str:
    """The file whose 1 raises the priority of the instance."""
    return f"{RAISE_DIRECTORY}/{_moved_as(given)}"


def _process(given: ProcessInput, capable: Capabilities, reader: Reader) -> TrackProcess:
    if "track_process" not in capable:
        reader.refuse(
            given.place,
            f"keepalived {capable.version} cannot watch processes",
            "watch the systemd service (services) instead, or leave it out",
        )
    return TrackProcess(
        tracker=f"process_{_identifier(given.name)}",
        name=given.name,
        words=list(given.words),
        full_command=given.full_command,
        quorum=given.quorum,
        weight=given.weight,
    )


def instance_processes(given: InstanceInput, watched: Watched) -> list[TrackProcess]:
    """The processes of one instance."""
    names = {process.name for process in given.processes}
    return [process for process in watched.processes if process.name in names]
