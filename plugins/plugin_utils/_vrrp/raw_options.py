# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads raw lines for keepalived.conf, for what the model has no word for, and refuses those that contradict it.

One table per block says which words the model owns, and where to set them instead. Words that nobody here knows are
left to keepalived's own test on the node.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader

from .values import described

_ADDRESSES = "list the addresses in vips"
_HOOK = "set keepalived_notify_command, which is called on every change of state"
_UNICAST = "the model prints it for the members of the pair; set multicast: true for an instance without it"
_MAIL = "set keepalived_smtp"
_ALERT = "set keepalived_smtp, and smtp_alert of the instance"
_PRIORITY = "set keepalived_realtime_priority"
_FILES = "remove it: the programs of the node find keepalived by its usual files"
_SCRIPTS = "list what is watched in services, witnesses, track_interfaces or track_processes"
_OTHER_INTERFACE = "remove it: the addresses would stand on an interface that the model does not know"
_STICKY = "set mode: sticky for a node that keeps the VIP"

OWNED_BY_INSTANCE: Mapping[str, str] = {
    "advert_int": "set profile or advert_interval",
    "auth_pass": "set auth_pass of the instance",
    "auth_type": "set auth_pass of the instance",
    "authentication": "set auth_pass of the instance",
    "check_unicast_src": "remove it: the model prints it where keepalived knows it",
    "dont_track_primary": "remove it: an instance whose interface is down cannot serve",
    "down_timer_adverts": "set advert_interval: the peer's patience is counted as three adverts everywhere",
    "interface": "set interface of the instance",
    "mcast_src_ip": "set multicast: true, and keepalived_address for the address",
    "native_ipv6": "list IPv6 addresses in vips",
    "no_accept": "remove it: an address that does not answer can neither serve nor be verified",
    "no_virtual_ipaddress": _ADDRESSES,
    "nopreempt": _STICKY,
    "notify": _HOOK,
    "notify_backup": _HOOK,
    "notify_deleted": _HOOK,
    "notify_fault": _HOOK,
    "notify_master": _HOOK,
    "notify_master_rx_lower_pri": _HOOK,
    "notify_priority_changes": "remove it: the notify handler needs them and the model asks for them",
    "notify_stop": _HOOK,
    "preempt": "set mode: preferred",
    "preempt_delay": "set preempt_delay of the instance",
    "priority": "set priorities of the instance",
    "smtp_alert": _ALERT,
    "state": "remove it: both nodes start as BACKUP, and priorities decide",
    "strict_mode": "remove it: it forbids unicast and preempt_delay",
    "track_file": _SCRIPTS,
    "track_interface": "set track_interfaces",
    "track_process": "set track_processes",
    "track_script": "give a service health_command",
    "unicast_fault_no_peer": "remove it: the model prints it where keepalived knows it",
    "unicast_peer": _UNICAST,
    "unicast_src_ip": "set keepalived_address or keepalived_address6",
    "use_ipvlan": _OTHER_INTERFACE,
    "use_vmac": _OTHER_INTERFACE,
    "use_vmac_addr": _OTHER_INTERFACE,
    "version": "set vrrp_version",
    "virtual_ipaddress": _ADDRESSES,
    "virtual_ipaddress_excluded": "list the addresses in vips with excluded: true",
    "virtual_router_id": "set vrid",
    "vmac_xmit_base": _OTHER_INTERFACE,
}

OWNED_GLOBALLY: Mapping[str, str] = {
    "data_use_instance": _FILES,
    "default_interface": "set interface of the instances",
    "enable_script_security": "remove it: scripts are always checked",
    "fifo_write_vrrp_states_on_reload": "remove it: the model prints it where keepalived knows it",
    "instance": _FILES,
    "json_dump_file": _FILES,
    "lvs_notify_fifo": _HOOK,
    "lvs_notify_fifo_script": _HOOK,
    "max_auto_priority": _PRIORITY,
    "net_namespace": "remove it: the addresses belong into the node's own network",
    "notification_email": _MAIL,
    "notification_email_from": _MAIL,
    "notify_fifo": _HOOK,
    "notify_fifo_script": _HOOK,
    "reload_check_config": "remove it: the configuration is tested before it replaces the old one",
    "reload_file": "remove it: handlers reload keepalived when its configuration has changed",
    "reload_time_file": "remove it: handlers reload keepalived when its configuration has changed",
    "router_id": "set keepalived_router_id",
    "script_user": "remove it: scripts run as an account without rights",
    "smtp_alert": _ALERT,
    "smtp_alert_vrrp": _ALERT,
    "smtp_connect_timeout": _MAIL,
    "smtp_helo_name": _MAIL,
    "smtp_server": _MAIL,
    "state_dump_file": _FILES,
    "stats_dump_file": _FILES,
    "use_pid_dir": _FILES,
    "vrrp_check_unicast_src": "remove it: every unicast instance checks its peer",
    "vrrp_down_timer_adverts": "set advert_interval: the peer's patience is counted as three adverts everywhere",
    "vrrp_garp_master_refresh": "set garp_master_refresh in the options of an instance",
    "vrrp_higher_prio_send_advert": "remove it: it is always on, so that a split brain heals for clients as well",
    "vrrp_no_swap": _PRIORITY,
    "vrrp_notify_fifo": _HOOK,
    "vrrp_notify_fifo_script": _HOOK,
    "vrrp_notify_priority_changes": "remove it: the notify handler needs them and the model asks for them",
    "vrrp_priority": _PRIORITY,
    "vrrp_process_name": _FILES,
    "vrrp_rlimit_rtime": _PRIORITY,
    "vrrp_rlimit_rttime": _PRIORITY,
    "vrrp_rt_priority": _PRIORITY,
    "vrrp_strict": "remove it: it forbids unicast and preempt_delay",
    "vrrp_version": "set vrrp_version of the instances",
}

_INCLUDE = re.compile(r"include[abmrw]*", re.IGNORECASE)
_PART = re.compile(r"\s+|[{}]|\"[^\"]*\"|[#!].*|[^\s{}\"'#!]+|[\"']")


def read_lines(place: str, given: object, owned: Mapping[str, str], reader: Reader) -> tuple[str, ...]:
    """The lines of a list of raw entries; an entry is a line, or a block of lines that opens and closes its braces.

    A refusal shows the first word of a statement at the most: the rest may be a password.
    """
    cure = "give a list of lines, such as ['garp_master_repeat 3']"
    if given is None:
        return ()
    if not isinstance(given, (list, tuple)):
        reader.refuse(place, f"{described(given)}, not a list", cure)
        return ()
    lines: list[str] = []
    for index, entry in enumerate(given):
        here = f"{place}[{index}]"
        if not isinstance(entry, str):
            reader.refuse(here, f"{described(entry)}, not a string", cure)
        elif not entry.strip():
            reader.refuse(here, "is empty", cure)
        elif _is_harmless(here, entry, owned, reader):
            lines += [line.rstrip() for line in textwrap.dedent(entry).splitlines() if line.strip()]
    return tuple(lines)


def _is_harmless(place: str, entry: str, owned: Mapping[str, str], reader: Reader) -> bool:
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", entry):
        reader.refuse(place, "holds a control character", "give printable lines")
        return False
    if re.search(r"[$@\\]|~(?:SEQ|LST)", entry):
        reader.refuse(
            place,
            "holds $, @, \\, ~SEQ or ~LST, by which keepalived's configuration changes while it is read",
            "write out what is meant for this node",
        )
        return False
    depth = 0
    for part, starts, glued in _parts(entry):
        if part == "{":
            depth += 1
        elif part == "}":
            depth -= 1
        elif part[0] in "'\"":
            value, cure = _wrong_quote(part, starts, glued)
            if value:
                reader.refuse(place, value, cure)
                return False
        elif starts and not _is_free(place, part, owned if depth == 0 else {}, reader):
            return False
        if depth < 0:
            break
    if depth:
        reader.refuse(
            place, "has braces that do not match", "close every block in the entry that opens it, and no other"
        )
        return False
    return True


def _wrong_quote(part: str, starts: bool, glued: bool) -> tuple[str, str]:
    """What is wrong with a quote or a quoted text, and the cure; two empty texts when nothing is.

    keepalived takes off double quotes while it splits a line into words, then looks for its words and braces. Single
    quotes keep it neither from ending the line at a comment nor from seeing braces.
    """
    if part == "'":
        return "has a single quote, which hides neither a comment nor a brace from keepalived", "take double quotes"
    if part == '"':
        return "has a quote that is not closed on its line", "close it"
    if starts:
        return (
            f"{part!r} starts a statement, and keepalived reads it as if it had no quotes",
            "write the first word of a statement without quotes",
        )
    if "{" in part or "}" in part:
        return "has a brace in quotes, which can open or close a block in keepalived", "leave the brace out"
    if glued:
        return (
            "has a quote in the middle of a word, where keepalived begins another word",
            "put the whole word into quotes, or none of it",
        )
    return "", ""


def _parts(entry: str) -> Iterator[tuple[str, bool, bool]]:
    """Words, quotes and braces outside comments; whether a statement may start there; whether glued."""
    for line in entry.splitlines():
        starts = True
        for found in _PART.finditer(line):
            part = found[0]
            if part.isspace() or part[0] in "#!":
                continue
            beside = line[: found.start()][-1:] + line[found.end() :][:1]
            yield part, starts, beside != "" and not beside.isspace()
            starts = part in "{}"


def _is_free(place: str, word: str, owned: Mapping[str, str], reader: Reader) -> bool:
    if _INCLUDE.fullmatch(word):
        reader.refuse(place, f"{word!r} brings in a file that nobody here has looked at", "write out its lines")
        return False
    if word in owned:
        reader.refuse(place, f"{word!r} belongs to the model", owned[word])
        return False
    return True
