# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the inventory variables of a pair's members: types, ranges and names, before any host is asked anything."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, nearest, shown

from .agreement import check_own_addresses, check_same, check_together
from .daemon_inputs import DaemonInput, read_daemon
from .instance_inputs import InstanceInput, read_instances
from .values import ip_address

VARIABLES = (
    "keepalived_address",
    "keepalived_address6",
    "keepalived_daemon_options",
    "keepalived_firewall_zone",
    "keepalived_global_options",
    "keepalived_instances",
    "keepalived_manage_selinux",
    "keepalived_members",
    "keepalived_notify_command",
    "keepalived_notify_timeout",
    "keepalived_notify_user",
    "keepalived_realtime_priority",
    "keepalived_replace_foreign_config",
    "keepalived_router_id",
    "keepalived_smtp",
)
"""The variables of the keepalived role; its argument_specs say the same (a test compares)."""

OTHER_VARIABLES = (
    "active_witness_address",
    "active_witness_clients",
    "active_witness_firewall_zone",
    "active_witness_lease",
    "active_witness_open_firewall",
    "active_witness_port",
    "active_witness_secret",
    "failover_drill_confirm",
    "failover_drill_disk_path",
    "failover_drill_download_url",
    "failover_drill_faults",
    "failover_drill_header",
    "failover_drill_instance",
    "failover_drill_interval",
    "failover_drill_keepalive",
    "failover_drill_observer",
    "failover_drill_power",
    "failover_drill_power_host",
    "failover_drill_reboot",
    "failover_drill_report_directory",
    "failover_drill_restore_after",
    "failover_drill_rto_seconds",
    "failover_drill_third",
    "failover_drill_timeout",
    "failover_drill_keep_ports",
    "failover_drill_whole_timeout",
    "failover_drill_url",
    "file_sync_bandwidth",
    "file_sync_directories",
    "file_sync_firewall_zone",
    "file_sync_first",
    "file_sync_instance",
    "file_sync_interval",
    "file_sync_keep_days",
    "file_sync_members",
    "file_sync_open_firewall",
    "file_sync_port",
    "file_sync_service",
    "file_sync_timeout",
    "file_sync_watch",
    "java_service_firewall_zone",
    "java_service_java_home",
    "java_service_java_version",
    "java_service_keep_releases",
    "java_service_members",
    "java_service_open_firewall",
    "java_service_port",
    "java_service_secret",
    "java_service_services",
    "java_service_watchdog",
    "java_service_witness_address",
    "java_service_witness_port",
    "java_service_witness_secret",
    "nfs_mount_connect_timeout",
    "nfs_mount_manage_selinux",
    "nfs_mount_mounts",
    "nfs_mount_retry_interval",
    "nfs_mount_timeout",
    "nginx_epel_key_url",
    "nginx_epel_url",
    "nginx_firewall_zone",
    "nginx_health_path",
    "nginx_health_url",
    "nginx_ipv6",
    "nginx_manage_selinux",
    "nginx_module_stream",
    "nginx_node_header",
    "nginx_open_firewall",
    "nginx_ready_timeout",
    "nginx_real_ip_from",
    "nginx_real_ip_header",
    "nginx_remove_default_site",
    "nginx_repository",
    "nginx_repository_key_url",
    "nginx_repository_url",
    "nginx_sites",
    "nginx_upstream_address",
    "nginx_upstream_drained",
    "node_tools_centos_vault",
    "node_tools_centos_vault_url",
    "node_tools_manage_selinux",
    "node_tools_python",
    "redis_append_only",
    "redis_clients",
    "redis_firewall_zone",
    "redis_instance",
    "redis_manage_selinux",
    "redis_maxmemory",
    "redis_members",
    "redis_min_replicas_to_write",
    "redis_open_firewall",
    "redis_password",
    "redis_port",
    "redis_ready_timeout",
    "redis_role",
    "rolling_release_artifacts",
    "rolling_release_consecutive",
    "rolling_release_drain",
    "rolling_release_health_url",
    "rolling_release_interval",
    "rolling_release_label",
    "rolling_release_lease",
    "rolling_release_members",
    "rolling_release_proof_text",
    "rolling_release_proof_url",
    "rolling_release_quiet",
    "rolling_release_role",
    "rolling_release_rollback",
    "rolling_release_service",
    "rolling_release_settle",
    "rolling_release_take_over",
    "rolling_release_timeout",
    "service_tracking_restart",
    "service_tracking_restart_delay",
    "service_tracking_stop_delay",
    "tomcat_address",
    "tomcat_applications",
    "tomcat_connector",
    "tomcat_environment",
    "tomcat_firewall_zone",
    "tomcat_health_url",
    "tomcat_heap",
    "tomcat_host_names",
    "tomcat_java_version",
    "tomcat_jvm_options",
    "tomcat_keep_releases",
    "tomcat_manage_selinux",
    "tomcat_manager",
    "tomcat_open_firewall",
    "tomcat_package_state",
    "tomcat_port",
    "tomcat_ready_timeout",
    "tomcat_sessions",
    "tomcat_tarball",
    "tomcat_trusted_proxies",
    "tomcat_users",
    "tomcat_version",
    "tomcat_write_paths",
    "vip_switchover_instance",
    "vip_switchover_return_after",
    "vip_switchover_target",
    "vip_switchover_timeout",
    "vip_verification_allow_degraded",
    "vip_verification_enforce",
    "vip_verification_identity_header",
    "vip_verification_identity_url",
    "vip_verification_observers",
    "vip_verification_timeout",
    "vip_verification_without",
)
"""What an inventory may set for the other roles, so that a typing error is not silently ignored."""

KNOWN = (*VARIABLES, *OTHER_VARIABLES)
PREFIXES = (
    "active_witness_",
    "failover_drill_",
    "file_sync_",
    "java_service_",
    "keepalived_",
    "nfs_mount_",
    "nginx_",
    "node_tools_",
    "redis_",
    "rolling_release_",
    "service_tracking_",
    "tomcat_",
    "vip_switchover_",
    "vip_verification_",
)

ADDRESS_VARIABLES = {4: "keepalived_address", 6: "keepalived_address6"}
"""From which address a node speaks VRRP, by family."""

Inventory: t.TypeAlias = "Mapping[str, Mapping[str, t.Any]]"


@dataclass(frozen=True)
class PairInput:
    """What the inventory says of a pair, seen from one of its members.

    `addresses` holds per member and family what the inventory gives: an explicit keepalived_address (or _address6),
    else ansible_host when that is an address of the family. `explicit` names the (member, family) of the former.
    """

    node: str
    members: tuple[str, str]
    addresses: dict[str, dict[int, str]]
    explicit: frozenset[tuple[str, int]]
    daemon: DaemonInput
    instances: tuple[InstanceInput, ...]

    @property
    def peer(self) -> str:
        """The other member."""
        return self.members[1] if self.node == self.members[0] else self.members[0]


def read_pair(inventory: Inventory, node: str, own: Mapping[str, t.Any] | None, reader: Reader) -> PairInput | None:
    """What the inventory says of the pair of `node`; problems go to the reader.

    `own` holds the variables as a role sees them on `node` (play and role variables included); they win over the
    inventory's for this node and stand in where the peer's inventory says nothing.
    """
    variables = {**_keepalived_variables(inventory, node), **(own or {})}
    _check_names(node, inventory, reader)
    members = _read_members(inventory, node, variables.get("keepalived_members"), reader)
    daemon = read_daemon(node, variables, reader)
    instances = read_instances(node, variables.get("keepalived_instances"), members, reader)
    check_together(node, instances, mail=bool(variables.get("keepalived_smtp")), reader=reader)
    if members is None:
        return None
    addresses: dict[str, dict[int, str]] = {}
    explicit: set[tuple[str, int]] = set()
    for member in members:
        given = variables if member == node else _keepalived_variables(inventory, member)
        addresses[member] = {}
        host = ip_address(inventory[member].get("ansible_host"))
        if host is not None:
            addresses[member][host.version] = str(host)
        for family in ADDRESS_VARIABLES:
            address = _read_address(member, given, family, reader)
            if address is not None:
                addresses[member][family] = address
                explicit.add((member, family))
    check_own_addresses(instances, addresses, reader)
    pair = PairInput(node, members, addresses, frozenset(explicit), daemon, instances)
    _check_peer(inventory, pair, reader)
    return pair


def _read_address(member: str, variables: Mapping[str, t.Any], family: int, reader: Reader) -> str | None:
    name = ADDRESS_VARIABLES[family]
    value = variables.get(name)
    if not value:
        return None
    example = "192.0.2.11" if family == 4 else "2001:db8::11"
    cure = f"give the address from which this node speaks VRRP, such as {example}"
    address = ip_address(value)
    if address is None:
        reader.refuse(f"{member}: {name}", f"{shown(value)} is not an address", cure)
    elif address.version != family:
        other = ADDRESS_VARIABLES[address.version]
        reader.refuse(f"{member}: {name}", f"{address} is an IPv{address.version} address", f"set {other} to it")
    elif family == 6 and address.is_link_local():
        reader.refuse(f"{member}: {name}", f"{address} is a link-local address, which needs an interface", cure)
    else:
        return str(address)
    return None


def _check_peer(inventory: Inventory, pair: PairInput, reader: Reader) -> None:
    """Refuse members that tell different things of what both must do alike: each would be alone on its own network."""
    variables = _keepalived_variables(inventory, pair.peer)
    cure = f"say the same for {pair.node} and {pair.peer}, best once in a group's variables"
    if "keepalived_members" in variables:
        others = variables["keepalived_members"]
        if not isinstance(others, (list, tuple)) or list(others) != list(pair.members):
            reader.refuse(
                f"{pair.peer}: keepalived_members",
                f"{shown(others)} differs from {list(pair.members)} of {pair.node}",
                cure,
            )
            return
    if "keepalived_instances" not in variables:
        return
    found = Reader()
    theirs = read_instances(pair.peer, variables["keepalived_instances"], pair.members, found)
    if not found.problems:
        check_same(pair.node, pair.instances, pair.peer, theirs, reader)
        return
    # What both inherit from the same group variable is told once.
    told = {(problem.place.partition(": ")[2], problem.problem) for problem in reader.problems}
    for problem in found.problems:
        if (problem.place.partition(": ")[2], problem.problem) not in told:
            reader.refuse(problem.place, problem.problem, problem.cure)


def _keepalived_variables(inventory: Inventory, host: str) -> dict[str, t.Any]:
    variables = inventory.get(host, {})
    return {name: variables[name] for name in VARIABLES if name in variables}


def _check_names(node: str, inventory: Inventory, reader: Reader) -> None:
    """Refuse variables that look like one of ours but are not: a typing error would be silently ignored."""
    for name in inventory.get(node, {}):
        if str(name).startswith(PREFIXES) and name not in KNOWN:
            close = nearest(str(name), KNOWN, cutoff=0.85)
            if close:
                reader.refuse(f"{node}: {name}", "unknown variable", f"did you mean {close!r}?")


PARTED = (
    "put both nodes of the pair into the inventory; a sliced job of AWX has only some of its hosts, so give its "
    "template job_slice_count 1, and a limit where it is for some pairs only"
)
"""What to do about a member that is not there, and for which no other host can have been meant."""


def _not_in_another_pair(inventory: Inventory, node: str, named: t.Sequence[t.Any]) -> list[str]:
    """The hosts that may have been meant as the other member of a node's pair."""
    found = []
    for host in inventory:
        theirs = inventory[host].get("keepalived_members")
        if host not in named and (not isinstance(theirs, t.Sequence) or node in theirs):
            found.append(host)
    return found


def _read_members(inventory: Inventory, node: str, given: object, reader: Reader) -> tuple[str, str] | None:
    place = f"{node}: keepalived_members"
    cure = "give the inventory names of the two nodes, such as [node-a, node-b]"
    if given is None:
        reader.refuse(place, "is missing", cure)
        return None
    names = reader.sequence(place, given, cure)
    if names is None:
        return None
    if len(names) != 2:
        reader.refuse(place, f"has {len(names)} members ({shown(names)}), not 2", cure)
        return None
    members = [reader.text(f"{place}[{index}]", name, cure) for index, name in enumerate(names)]
    first, second = members
    if first is None or second is None:
        return None
    if first == second:
        reader.refuse(place, f"names {first!r} twice", cure)
        return None
    known = True
    for index, name in enumerate((first, second)):
        if name not in inventory:
            close = nearest(name, _not_in_another_pair(inventory, node, names))
            hint = f"did you mean {close!r}?" if close else PARTED
            reader.refuse(f"{place}[{index}]", f"{name!r} is not a host of the inventory", hint)
            known = False
    if node not in (first, second):
        reader.refuse(place, f"{shown(names)} does not name {node!r} itself", cure)
        known = False
    return (first, second) if known else None
