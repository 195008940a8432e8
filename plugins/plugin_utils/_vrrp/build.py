# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the model of a pair from the inventory and the facts of one node.

The peer may be dead and the play may be limited to one host: of the peer only the inventory is needed, unless the
inventory names no address of it.
"""

from __future__ import annotations

import itertools
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError, Reader

from . import facts as host_facts
from .agreement import refuse_own_witness
from .capabilities import Capabilities, capabilities, packaged_version
from .inputs import Inventory, PairInput, read_pair
from .instance_inputs import InstanceInput
from .known_words import unknown_words
from .mixed import check_mixed
from .model import (
    RESTART_MARGIN,
    SCRIPT_DIRECTORY,
    SCRIPT_USER,
    STATE_DIRECTORY,
    Address,
    DaemonOptions,
    FirewallSource,
    Instance,
    Member,
    NodeModel,
    Program,
    master_down_interval,
)
from .placement import Site, all_vips, check_primary_addresses, place_instance
from .requirements import reader_with_library
from .watched import (
    Watched,
    build_watched,
    instance_interfaces,
    instance_processes,
    instance_tracking,
    raise_path,
    sync_groups,
)

OPTIONS_FILES: dict[str, tuple[str, str, str]] = {
    "Debian": ("/etc/default/keepalived", "DAEMON_ARGS", ""),
    "RedHat": ("/etc/sysconfig/keepalived", "KEEPALIVED_OPTIONS", "-D"),
}
"""Where the packages keep the daemon's options, by family: file, variable, and what the package puts there."""


def build_node(
    inventory: Inventory, node: str, own: Mapping[str, t.Any] | None = None, version: str | None = None
) -> NodeModel:
    """The complete model of the pair of `node`, as `node` sees it.

    inventory: variables by host name, facts under `ansible_facts`; those of `node` must be gathered.
    own: variables of `node` as the role sees them; they win over the inventory.
    version: what `keepalived --version` printed; without it, the version that the distribution packages.
    Raises InputError with all problems that were found.
    """
    reader = reader_with_library()
    if node not in inventory:
        reader.refuse(node, "is not a host of the inventory", "name a host of the inventory")
        reader.finish()
    gathered = inventory[node].get("ansible_facts") or {}
    capable = _platform(node, gathered, version, reader)
    pair = read_pair(inventory, node, own, reader)
    if pair is None or capable is None:
        raise InputError(reader.problems)
    site = Site(inventory, pair, host_facts.networks(gathered, without=all_vips(pair)), reader)
    check_primary_addresses(pair, gathered, reader)
    _check_witnesses(site)
    peers = host_facts.known_capabilities(inventory, pair.peer)
    check_mixed(pair, capable, peers, reader)
    _check_words(pair, capable.version, reader)
    watched = build_watched(pair, capable, reader)
    placed = (_instance(site, instance, watched, capable) for instance in pair.instances)
    instances = [instance for instance in placed if instance is not None]
    _check_vrids(node, instances, reader)
    reader.finish()
    first = instances[0]
    sources = {node: first.source, pair.peer: first.peers[0]}
    return NodeModel(
        node=node,
        peer=pair.peer,
        members=[Member(member, sources[member]) for member in pair.members],
        capabilities=capable.to_dict(),
        state_directory=STATE_DIRECTORY,
        notify_fifo=f"{STATE_DIRECTORY}/notify.fifo",
        event_program=None if "notify_fifo" in capable else f"{SCRIPT_DIRECTORY}/ha-pair-event",
        script_user=SCRIPT_USER,
        router_id=pair.daemon.router_id,
        realtime_priority=pair.daemon.realtime_priority,
        restart_delay=_restart_delay(pair, capable, peers),
        global_options=list(pair.daemon.global_options),
        daemon_options=_daemon_options(pair, str(gathered.get("os_family", ""))),
        smtp=pair.daemon.smtp,
        hook=pair.daemon.hook,
        services=watched.services,
        probes=watched.probes,
        track_files=[] if watched.file_checks else watched.files,
        file_checks=watched.file_checks,
        track_processes=watched.processes,
        sync_groups=sync_groups(pair, watched),
        instances=instances,
        addresses=[Address(vip.address, vip.prefix, vip.interface) for instance in instances for vip in instance.vips],
        firewall_sources=_firewall_sources(instances),
        programs=_programs(pair),
        warnings=capable.warnings(),
        secrets={
            instance.name: {"auth_pass": instance.auth_pass}
            for instance in pair.instances
            if instance.auth_pass is not None
        },
    )


def _daemon_options(pair: PairInput, os_family: str) -> DaemonOptions:
    file, variable, packaged = OPTIONS_FILES["Debian" if os_family == "Debian" else "RedHat"]
    return DaemonOptions(file, variable, pair.daemon.daemon_options or packaged)


def _firewall_sources(instances: Sequence[Instance]) -> list[FirewallSource]:
    """The peers of all instances, each once."""
    peers = [FirewallSource(instance.interface, peer) for instance in instances for peer in instance.peers]
    return list(dict.fromkeys(peers))


def _programs(pair: PairInput) -> list[Program]:
    """The programs that the inventory names, each once: the user's command and those that ask services."""
    found = [] if pair.daemon.hook is None else [Program(pair.daemon.hook.command[0], pair.daemon.hook.user)]
    for instance in pair.instances:
        for service in instance.services:
            if service.health is not None and isinstance(service.health.target, list):
                found.append(Program(service.health.target[0], SCRIPT_USER))
    return list(dict.fromkeys(found))


def _restart_delay(pair: PairInput, own: Capabilities, peers: Capabilities | None) -> float:
    """How long a crashed keepalived stays down: until the peer has taken over every instance."""
    peer = pair.members.index(pair.peer)
    prompt = "prompt_takeover" in (peers or own)
    slowest = max(
        master_down_interval(instance.priorities[peer], instance.advert_interval, instance.vrrp_version, prompt=prompt)
        for instance in pair.instances
    )
    return round(slowest + RESTART_MARGIN, 2)


def _platform(node: str, gathered: Mapping[str, t.Any], version: str | None, reader: Reader) -> Capabilities | None:
    """The capabilities of the node's keepalived; refuses platforms and rights that cannot work."""
    platform = host_facts.platform(gathered)
    if platform is None:
        reader.refuse(node, "has no facts", "gather facts of this host before the role (gather_facts: true)")
        return None
    family, distribution, major = platform
    if major not in host_facts.SUPPORTED.get(distribution, ()):
        reader.refuse(node, f"{distribution} {major} is not supported", f"use one of {host_facts.supported_names()}")
        return None
    if "effective_user_id" in gathered and int(gathered["effective_user_id"]) != 0:
        reader.refuse(
            node,
            f"tasks run as user {gathered.get('user_id', gathered['effective_user_id'])}, not as root",
            "set become: true for the play, or ansible_become: true in the inventory",
        )
    try:
        return capabilities(version or packaged_version(family, major) or "")
    except InputError as exc:
        for problem in exc.problems:
            reader.refuse(f"{node}: {problem.place}", problem.problem, problem.cure)
        return None


def _check_words(pair: PairInput, version: str, reader: Reader) -> None:
    """Refuse raw lines that this keepalived would not understand, and go on without."""
    given = {f"{instance.place}.options": ("vrrp_instance", instance.options) for instance in pair.instances}
    given[f"{pair.node}: keepalived_global_options"] = ("global_defs", pair.daemon.global_options)
    for place, (block, lines) in given.items():
        for found in unknown_words("\n".join([f"{block} {{", *lines, "}"]), version):
            reader.refuse(
                place,
                f"{found.word!r} is no word of keepalived {version} on {pair.node} ({found.hint()})",
                "correct or remove it",
            )


def _check_witnesses(site: Site) -> None:
    """Refuse a witness that the facts know as the node's own; those that the inventory knows are refused before."""
    own = {str(entry.ip) for entries in site.networks.values() for entry in entries}
    for instance in site.pair.instances:
        for witness in instance.witnesses:
            if witness.address in own and witness.address not in site.pair.addresses[site.pair.node].values():
                refuse_own_witness(f"{witness.place}.{witness.kind}", witness.address, site.pair.node, site.reader)


def _instance(site: Site, given: InstanceInput, watched: Watched, capable: Capabilities) -> Instance | None:
    pair = site.pair
    placed = place_instance(site, given)
    if placed is None:
        return None
    _check_interfaces(site, given, placed.interface)
    priority = given.priorities[pair.members.index(pair.node)]
    prompt = "prompt_takeover" in capable
    down = master_down_interval(priority, given.advert_interval, given.vrrp_version, prompt=prompt)
    return Instance(
        name=given.name,
        vrid=given.vrid,
        interface=placed.interface,
        family=given.family,
        vrrp_version=given.vrrp_version,
        mode=given.mode,
        preferred=given.preferred,
        priority=priority,
        advert_interval=given.advert_interval,
        master_down_interval=round(down, 6),
        # On the preferred node only: on the other one it would delay a planned switchover.
        preempt_delay=given.preempt_delay if pair.node == given.preferred else 0.0,
        multicast=given.multicast,
        sync_group=given.sync_group,
        smtp_alert=pair.daemon.smtp is not None and given.smtp_alert is not False,
        source=placed.source,
        peers=[placed.peer],
        vips=placed.vips,
        services=[service.name for service in given.services],
        witnesses=[witness.name for witness in given.witnesses],
        track_interfaces=instance_interfaces(given),
        track_processes=instance_processes(given, watched),
        tracking=instance_tracking(given, watched),
        raise_file=raise_path(given),
        options=list(given.options),
    )


def _check_interfaces(site: Site, given: InstanceInput, interface: str) -> None:
    for tracked in given.interfaces:
        if tracked.name == interface:
            site.refuse(
                tracked.place,
                f"{interface} is the interface of the instance, which keepalived watches anyway",
                "leave it out",
            )
        elif tracked.name not in site.networks:
            site.refuse(
                tracked.place,
                f"{tracked.name!r} is not an interface of {site.pair.node} ({', '.join(site.networks)})",
                "give one of them, or leave it out",
            )


def _check_vrids(node: str, instances: Sequence[Instance], reader: Reader) -> None:
    for one, two in itertools.combinations(instances, 2):
        if (one.vrid, one.interface, one.family) == (two.vrid, two.interface, two.family):
            reader.refuse(
                f"{node}: keepalived_instances.{two.name}.vrid",
                f"{two.vrid} is used twice on {two.interface} (first by {one.name})",
                "give each instance a VRID of its own between 1 and 255",
            )
