# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host sees of the owner of each VIP: kernel, keepalived, state file, neighbours on the link, identity."""

from __future__ import absolute_import, division, print_function

import json
import re

from . import active_view, addresses, arp, state, survey
from .errors import NodeError
from .http_get import HttpError, get
from .system import HOLDING_INTERFACE, STATE_DIRECTORY

__metaclass__ = type

DUMP_TIMEOUT = 2.0
RELOOK = 0.5
PROBER_SCHEMA = 1
CONFIGURATION = "/etc/keepalived/keepalived.conf"
_CHECK = re.compile(r'^\s*script\s+"?(/[^\s"]+)', re.MULTILINE)
# The prober writes its report every second: an older one is of a prober that is gone or stuck.
PROBER_FRESH = 5.0


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
    if vip["interface"] != HOLDING_INTERFACE and any(place[0] == HOLDING_INTERFACE for place in places):
        # The notify handler's copy, which outlives the new start of a crashed keepalived.
        proper = [place for place in places if place[0] != HOLDING_INTERFACE]
        if not proper:
            problems.append(
                "%s is held on %s after a crash, until keepalived is MASTER again or another machine has it"
                % (vip["address"], HOLDING_INTERFACE)
            )
            return {"held": True, "interface": HOLDING_INTERFACE, "prefix": places[0][1], "problems": problems}
        places = proper
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


def whose_configuration(system):
    """absent, ours, sample (the package's own) or foreign."""
    text = system.read(CONFIGURATION)
    whose = survey.configuration(text, survey.MARKER)
    if whose != survey.FOREIGN:
        return whose
    return survey.configuration(text, survey.MARKER, system.package_verdict(CONFIGURATION))


def keepalived_view(system):
    """(what runs, its own data by instance or None)."""
    daemon = system.daemon()
    view = {
        "running": daemon is not None,
        "pid": daemon["pid"] if daemon else None,
        "version": system.keepalived_version(),
        "configuration": whose_configuration(system),
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
    """The view of the link before anybody is asked, by ARP or Neighbour Discovery: where, or why not at all."""
    name = interface or addresses.subnet_interface(interfaces, vip["address"], virtual) or vip["interface"]
    view = {"asked": False, "interface": name, "answers": [], "problem": None}
    if not wanted:
        return view
    if name is None:
        return dict(
            view,
            problem="not asked: no interface of this host is in the subnet of %s; name one with "
            "arp_interface" % vip["address"],
        )
    return dict(view, asked=True)


class _Question(object):
    """An asker whose trouble is its own: the questions that are asked at the same time still get their answers."""

    def __init__(self, asker):
        self._asker = asker
        self.problem = None

    def fileno(self):
        return self._asker.fileno()

    def send(self):
        try:
            self._asker.send()
        except NodeError as exc:
            self.problem = self.problem or str(exc)

    def receive(self):
        try:
            return self._asker.receive()
        except NodeError as exc:
            self.problem = self.problem or str(exc)
            return set()

    def close(self):
        self._asker.close()


def ask_all(system, views, interfaces, virtual, timeout):
    """Ask every question of {address: view} at once; who else answers for each. A host never hears itself."""
    asked = dict(views)
    questions = {}
    try:
        for address, view in views.items():
            if not view["asked"]:
                continue
            try:
                questions[address] = _Question(system.asker(interfaces, view["interface"], address, virtual))
            except NodeError as exc:
                asked[address] = dict(view, asked=False, problem=str(exc))
        for address, answers in (arp.ask(questions, timeout) if questions else {}).items():
            # What was heard is evidence, also when the link broke afterwards.
            problem = None if answers else questions[address].problem
            asked[address] = dict(views[address], asked=problem is None, answers=answers, problem=problem)
    finally:
        for question in questions.values():
            question.close()
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
        "raised": raised_instances(system, description),
        "lost_checks": lost_checks(system),
        "services": tracked_services(system, description),
        "prober": prober_view(system, description),
        "agent": active_view.agent_view(system, description),
        "interfaces": interfaces,
        "vips": seen,
    }


def tracked_services(system, description):
    """Every tracked service of this node with what its files say: up, down or failing.

    The files are read as keepalived reads them: anything but a 1 is down, and only a service that is up and probed can
    be failing. One that runs on one node only is what its agent says of it, see active_view.service_word().
    """
    if not description:
        return {}
    directory = description.get("state_directory", STATE_DIRECTORY)
    names = {name for part in description["instances"].values() for name in part.get("services", [])}
    probed = {probe["name"]: probe["state_file"] for probe in description.get("probes", [])}
    agent = active_view.agent_view(system, description)["services"]
    states_by_name = {}
    for name in sorted(names):
        if name in agent:
            is_fit = reads_one(system, "%s/track/%s" % (directory, name))
            states_by_name[name] = active_view.service_word(agent[name], is_fit)
        elif not reads_one(system, "%s/track/%s" % (directory, name)):
            states_by_name[name] = "down"
        else:
            failing = name in probed and reads_one(system, probed[name])
            states_by_name[name] = "failing" if failing else "up"
    return states_by_name


def raised_instances(system, description):
    """The instances that a planned switchover made this node stronger for, by name."""
    instances = description["instances"] if description else {}
    return sorted(
        name
        for name, instance in instances.items()
        if instance.get("raise_file") and reads_one(system, instance["raise_file"])
    )


def lost_checks(system):
    """The programs of check scripts that cannot be run. keepalived logs that, and takes the service for a good one."""
    named = _CHECK.findall(system.read(CONFIGURATION) or "")
    return sorted({path for path in named if not system.is_program(path)})


def reads_one(system, path):
    """Whether a tracked file holds a 1."""
    return (system.read(path) or "").strip() == "1"


def read_prober_report(system, description):
    """(report, problem) of the prober; a report that is not fresh is none."""
    path = "%s/failing/.prober.json" % description.get("state_directory", STATE_DIRECTORY)
    text = system.read(path)
    if text is None:
        return None, "%s: is not there; see that ha-pair-prober.service runs" % path
    try:
        report = json.loads(text)
        written_at, probes = float(report["written_at"]), report["probes"]
        known = report["schema"] == PROBER_SCHEMA and all(isinstance(entry, dict) for entry in probes.values())
    except (ValueError, TypeError, KeyError, AttributeError):
        known = False
    if not known:
        return None, "%s: is not a report of schema %d; restart ha-pair-prober.service" % (path, PROBER_SCHEMA)
    age = system.now() - written_at
    if abs(age) > PROBER_FRESH:
        when = "was written %d s ago" % age if age > 0 else "is dated %d s ahead of the clock" % -age
        return None, "%s: %s, not within %d s; see that ha-pair-prober.service runs" % (path, when, PROBER_FRESH)
    return report, None


def prober_view(system, description):
    """Whether the prober runs and what each probe says; without probes there is nothing to miss."""
    view = {"running": False, "problem": None, "probes": {}}
    if not description or not description.get("probes"):
        return view
    report, problem = read_prober_report(system, description)
    entries = report["probes"] if report else {}
    for probe in description["probes"]:
        entry = entries.get(probe["name"])
        if report is not None and entry is None:
            trouble = "is not asked; restart ha-pair-prober.service"
        elif entry is None:
            trouble = None
        elif entry.get("failing"):
            trouble = entry.get("last_problem") or "does not answer"
        else:
            # A probe that cannot ask has no evidence, and says so.
            trouble = entry.get("problem")
        view["probes"][probe["name"]] = {
            # keepalived goes by the file, whoever wrote it.
            "failing": reads_one(system, probe["state_file"]),
            "gated": bool(entry and entry.get("gated")),
            "problem": trouble,
        }
    complaints = "; ".join((report or {}).get("problems") or [])
    return dict(view, running=report is not None, problem=problem or complaints or None)


def _instance_of(address, dump):
    for name, instance in sorted((dump or {}).items()):
        if any(addresses.same_address(vip["address"], address) for vip in instance["vips"]):
            return name
    return None
