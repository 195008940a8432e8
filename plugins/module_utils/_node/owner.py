# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host sees of the owner of each VIP: kernel, keepalived, state file, ARP, identity."""

from __future__ import absolute_import, division, print_function

from . import addresses, arp, state
from .errors import NodeError
from .http_get import HttpError, get
from .system import STATE_DIRECTORY

__metaclass__ = type

DUMP_TIMEOUT = 2.0
RELOOK = 0.5


def described_vips(description):
    """The VIPs of this node's description, with what they should look like."""
    return [
        {"address": vip["address"], "prefix": vip.get("prefix"), "interface": vip.get("interface"), "instance": name}
        for name, instance in sorted(description["instances"].items())
        for vip in instance.get("vips", [])
    ]


def expected_vips(vips, description):
    """The VIPs to look for: the given ones, filled from the description, or all of the description."""
    described = described_vips(description) if description else []
    if vips is None:
        if description is None:
            raise NodeError(
                "vips: missing, and this host has no /etc/keepalived/ha-pair.json to take them from; "
                "name them, or run the keepalived role on this host"
            )
        return described
    wanted = []
    for index, vip in enumerate(vips):
        if addresses.parse_address(vip["address"]) is None:
            raise NodeError(
                "vips[%d].address: %s is not an IP address; write one, without prefix" % (index, vip["address"])
            )
        known = next((entry for entry in described if addresses.same_address(entry["address"], vip["address"])), {})
        wanted.append(
            {
                key: vip.get(key) if vip.get(key) is not None else known.get(key)
                for key in ("address", "prefix", "interface", "instance")
            }
        )
    return wanted


def kernel_view(vip, interfaces):
    """Whether the kernel holds exactly this address, where, and what is wrong with where."""
    places = addresses.holders(interfaces, vip["address"])
    problems = []
    if len(places) > 1:
        problems.append(
            "%s is on several interfaces: %s" % (vip["address"], ", ".join("%s/%d" % place for place in places))
        )
    for interface, prefix in places:
        if vip["interface"] and interface != vip["interface"]:
            problems.append("%s is on interface %s, not on %s" % (vip["address"], interface, vip["interface"]))
        if vip["prefix"] is not None and prefix != vip["prefix"]:
            problems.append("%s has prefix %d on %s, not %d" % (vip["address"], prefix, interface, vip["prefix"]))
    return {
        "held": bool(places),
        "interface": places[0][0] if places else None,
        "prefix": places[0][1] if places else None,
        "problems": problems,
    }


def agreement(running, daemon_state, file_state):
    """Whether keepalived and the state file say the same; None when one of them says nothing."""
    if file_state is None:
        return None
    if not running:
        return file_state in state.GONE_STATES
    if daemon_state is None:
        return None
    return state.daemon_state_name(daemon_state) == file_state


def join_instances(running, dump, record, names=()):
    """Every instance that anybody knows, with what each of them says."""
    dump = dump or {}
    recorded = record["instances"] if record else {}
    joined = {}
    for name in sorted(set(dump) | set(recorded) | set(names)):
        told, kept = dump.get(name, {}), recorded.get(name, {})
        daemon_state, file_state = told.get("state"), kept.get("state")
        joined[name] = {
            "daemon_state": daemon_state,
            "file_state": file_state,
            "agree": agreement(running, daemon_state, file_state),
            "since": kept.get("since") or told.get("since"),
            "priority": told["priority"] if told.get("priority") is not None else kept.get("priority"),
            "transitions": kept.get("transitions"),
        }
    return joined


def read_record(path, system):
    """(record, problem) of the state file; a record of another boot is none."""
    text = system.read(path)
    if text is None:
        return None, "%s: is not there; see that ha-pair-notify.service runs" % path
    record = state.parse_record(text)
    if record is None:
        return None, "%s: is not a state file of schema %d; restart ha-pair-notify.service" % (path, state.SCHEMA)
    if record.get("boot_id") != system.boot_id():
        return None, "%s: is of an earlier boot; see that ha-pair-notify.service runs" % path
    return record, None


def keepalived_view(system):
    """(what runs, its own data by instance or None)."""
    daemon = system.daemon()
    view = {
        "running": daemon is not None,
        "pid": daemon["pid"] if daemon else None,
        "version": system.keepalived_version(),
        "scheduler": None,
        "data_read": False,
        "data_problem": None,
    }
    if daemon is None:
        return dict(view, data_problem="keepalived does not run"), None
    child = system.vrrp_process(daemon)
    if child:
        view["scheduler"] = {"policy": child["policy"], "priority": child["priority"]}
    try:
        dump = system.dump(daemon, DUMP_TIMEOUT)
    except NodeError as exc:
        return dict(view, data_problem=str(exc)), None
    return dict(view, data_read=True), dump


def arp_question(vip, interfaces, virtual, wanted, interface):
    """The ARP view before anybody is asked: on which interface, or why not at all."""
    name = interface or addresses.subnet_interface(interfaces, vip["address"], virtual) or vip["interface"]
    view = {"asked": False, "interface": name, "answers": [], "problem": None}
    if not wanted:
        return view
    if addresses.parse_address(vip["address"])[0] != 4:
        return dict(view, problem="not asked: IPv6")
    if name is None:
        return dict(
            view,
            problem="not asked: no interface of this host is in the subnet of %s; name one with "
            "arp_interface" % vip["address"],
        )
    return dict(view, asked=True)


def ask_all(system, views, interfaces, virtual, timeout):
    """Ask every question of {address: view} at once; who else answers for each. A host never hears itself."""
    asked = dict(views)
    askers = {}
    try:
        for address, view in views.items():
            if not view["asked"]:
                continue
            try:
                askers[address] = system.asker(interfaces, view["interface"], address, virtual)
            except NodeError as exc:
                asked[address] = dict(view, asked=False, problem=str(exc))
        try:
            for address, answers in (arp.ask(askers, timeout) if askers else {}).items():
                asked[address] = dict(views[address], answers=answers)
        except NodeError as exc:
            for address in askers:
                asked[address] = dict(views[address], asked=False, problem=str(exc))
    finally:
        for asker in askers.values():
            asker.close()
    return asked


def identity_view(vip, url, header, timeout, ask=get):
    """The node that answers through the VIP names itself in a header."""
    view = {"asked": bool(url), "node": None, "status": None, "problem": None}
    if not url:
        return view
    host = "[%s]" % vip["address"] if addresses.parse_address(vip["address"])[0] == 6 else vip["address"]
    try:
        status, headers = ask(url.replace("{vip}", host), timeout)
    except HttpError as exc:
        return dict(view, problem=str(exc))
    node = headers.get(header.lower())
    problem = None if node else "answered %d without the header %s" % (status, header)
    return dict(view, status=status, node=node, problem=problem)


def states(system, state_file, names):
    """(daemon, dump, record, its problem, instances): what keepalived and the state file say, the file read last.

    A change between the two looks like a contradiction; then both are asked once more.
    """
    for pause in (RELOOK, 0):
        daemon, dump = keepalived_view(system)
        record, problem = read_record(state_file, system)
        instances = join_instances(daemon["running"], dump, record, names)
        if all(instance["agree"] is not False for instance in instances.values()):
            break
        system.sleep(pause)
    return daemon, dump, record, problem, instances


def observe(system, params):
    """The whole report of this host; changes nothing."""
    description = system.description()
    vips = expected_vips(params["vips"], description)
    interfaces = system.interfaces()
    virtual = [vip["address"] for vip in vips + (described_vips(description) if description else [])]
    questions = {
        vip["address"]: arp_question(vip, interfaces, virtual, params["ask_arp"], params["arp_interface"])
        for vip in vips
    }
    answered = ask_all(system, questions, interfaces, virtual, params["arp_timeout"])
    seen = []
    for vip in vips:
        entry = {"address": vip["address"], "instance": vip["instance"]}
        entry.update(kernel_view(vip, interfaces))
        entry["arp"] = answered[vip["address"]]
        entry["identity"] = identity_view(
            vip, params["identity_url"], params["identity_header"], params["identity_timeout"]
        )
        seen.append(entry)
    names = description["instances"] if description else ()
    daemon, dump, record, record_problem, instances = states(system, params["state_file"], names)
    for entry in seen:
        entry["instance"] = entry["instance"] or _instance_of(entry["address"], dump)
    return {
        "host": system.node_name(),
        "keepalived": daemon,
        "state_file": {
            "path": params["state_file"],
            "written_at": record["written_at"] if record else None,
            "problem": record_problem,
        },
        "instances": instances,
        "services": tracked_services(system, description),
        "interfaces": interfaces,
        "vips": seen,
    }


def tracked_services(system, description):
    """Every tracked service of this node with what its state file says: up or down. Anything but a 1 is down."""
    if not description:
        return {}
    directory = "%s/track" % description.get("state_directory", STATE_DIRECTORY)
    names = {name for part in description["instances"].values() for name in part.get("services", [])}
    return {
        name: "up" if (system.read("%s/%s" % (directory, name)) or "").strip() == "1" else "down"
        for name in sorted(names)
    }


def _instance_of(address, dump):
    for name, instance in sorted((dump or {}).items()):
        if any(addresses.same_address(vip["address"], address) for vip in instance["vips"]):
            return name
    return None
