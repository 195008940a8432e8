# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node of a pair can say of itself.

Nothing here needs root; what only root can see is left out, and the report says so.
"""

from __future__ import absolute_import, division, print_function

from . import active_view, owner
from .active_core import STARTING
from .errors import NodeError
from .reasons import AGENT, DAEMON, HANDLER, PROBER, Look
from .system import DESCRIPTION_FILE, STATE_DIRECTORY
from .wording import duration, printable

__metaclass__ = type

SCHEMA = 1
SERVING = ("MASTER", "BACKUP")
# The notify handler writes its file every 5 s, whether or not something happened.
HANDLER_FRESH = 15.0
# So long after a change of state a service that runs on one node only may still be on its way (s).
ON_ITS_WAY = 5.0


class NodeReport(Look):
    """The sections of the report, from one look at the node."""

    def instance(self, name):
        """What is to be said of one instance."""
        part, seen = self.parts[name], self.instances[name]
        state = seen["daemon_state"] or seen["file_state"]
        if not self.daemon["running"]:
            state = seen["file_state"] if seen["file_state"] in ("STOPPED", "CRASHED") else "STOPPED"
        vips = [self._vip(vip) for vip in part.get("vips", [])]
        reasons, problems = [], []
        if not self.daemon["running"]:
            reasons = [self.unit_problem(DAEMON) or "keepalived does not run; systemctl start %s" % DAEMON]
        elif state == "FAULT":
            reasons = self.reasons(name)
        elif state in SERVING:
            # What is in the way of keepalived must be in the way of its instance.
            problems = [
                "keepalived says %s although %s; systemctl reload keepalived" % (state, reason.partition(";")[0])
                for reason in self.own_reasons(part)
            ]
        else:
            problems.append("%s is in no state that keepalived names; see journalctl -u keepalived" % name)
        if seen["agree"] is False and self.daemon["running"]:
            problems.append(
                "keepalived says %s, the state file says %s; systemctl restart %s"
                % (seen["daemon_state"], seen["file_state"], HANDLER)
            )
        problems += self._vip_problems(state, vips)
        run_here, trouble, warnings = self._agent_words(part, state, seen["since"])
        problems += trouble
        return {
            "state": state,
            "since": seen["since"],
            "priority": seen["priority"],
            "base_priority": part.get("priority"),
            "daemon_state": seen["daemon_state"],
            "file_state": seen["file_state"],
            "agree": seen["agree"],
            "transitions": seen["transitions"],
            "mode": part.get("mode"),
            "preferred": part.get("preferred"),
            "interface": part.get("interface"),
            "peers": list(part.get("peers", [])),
            "sync_group": part.get("sync_group"),
            "services": {service: self.services.get(service) for service in part.get("services", [])},
            "active_standby": run_here,
            "vips": vips,
            "reasons": reasons,
            "lowered": self.lowered(part, seen["priority"]) if self.daemon["running"] else [],
            "problems": problems,
            "warnings": warnings,
        }

    def _agent_words(self, part, state, since):
        """(what its agent says of each service that runs on one node only, problems, warnings).

        Where this node is not MASTER, such a service is not to run, and that is well.
        """
        entries = {name: self.agent["services"].get(name) for name in part.get("services", []) if name in self.by_agent}
        problems, warnings = [], []
        for name, entry in sorted(entries.items()):
            if entry is None:
                continue  # that its agent does not run is said once
            says = "%s is %s here: %s" % (name, entry["phase"], printable(entry.get("why") or "nobody says why"))
            is_at_work = entry["phase"] in active_view.AT_WORK
            if not entry.get("fit"):
                # Where keepalived runs, this is the reason for FAULT, or in the way of what it says.
                if not self.daemon["running"] or self.service_reason(name) is None:
                    problems.append(self.failure_words(name, entry))
            elif state == "MASTER" and entry["phase"] == STARTING:
                warnings.append(says)
            elif is_at_work != (state == "MASTER"):
                words = "this node is %s, and %s; see journalctl -u %s" % (state, says, AGENT)
                moves = since is not None and 0 <= self.now - since < ON_ITS_WAY
                (warnings if moves else problems).append(words)
            trouble = (entry.get("arbiter") or {}).get("problem")
            if trouble:
                warnings.append("the arbiter of %s: %s" % (name, printable(trouble)))
        return entries, problems, warnings

    def _vip(self, vip):
        wanted = {key: vip.get(key) for key in ("address", "prefix", "interface")}
        kernel = owner.kernel_view(wanted, self.interfaces)
        return dict(
            wanted,
            excluded=bool(vip.get("excluded")),
            held=kernel["held"],
            held_on=kernel["interface"],
            problems=kernel["problems"],
        )

    def _vip_problems(self, state, vips):
        if not self.interfaces:
            return []
        problems = []
        # A keepalived that does not notice does not put it back when it reloads either.
        restores = self.description.get("keepalived", {}).get("restores_addresses", True)
        cure = "systemctl reload keepalived" if restores else "see journalctl -u %s, which puts it back" % HANDLER
        for vip in vips:
            problems += vip["problems"]
            if state == "MASTER" and not vip["held"]:
                problems.append("%s is on no interface although this node is MASTER; %s" % (vip["address"], cure))
            elif state != "MASTER" and vip["held"]:
                problems.append(
                    "%s is on %s although this node is %s; if the peer holds it as well, two machines answer"
                    % (vip["address"], vip["held_on"], state)
                )
        return problems

    def daemon_section(self):
        """(keepalived's part of the report, problems, notes)."""
        problems, notes = [], []
        if self.daemon["running"] and not self.daemon["data_read"]:
            if self.machine.is_root():
                problems.append(self.daemon["data_problem"])
            else:
                notes.append(
                    "the states are those that the notify handler recorded; only root can ask keepalived itself "
                    "(sudo ha-pair)"
                )
        return self.daemon, problems, notes

    def handler_section(self):
        """(the notify handler's part, problems)."""
        written_at = self.record["written_at"] if self.record else None
        problem = self.record_problem
        if problem is None and abs(self.now - written_at) > HANDLER_FRESH:
            problem = "%s: was written %s ago, so its states may be old" % (
                self.state_file,
                duration(self.now - written_at),
            )
        if problem is not None:
            trouble = self.unit_problem(HANDLER)
            if trouble:
                problem = "%s: %s" % (problem.partition(";")[0], trouble)
            elif ";" not in problem:
                problem += "; systemctl restart %s" % HANDLER
        view = {"path": self.state_file, "written_at": written_at, "problem": problem}
        return view, [problem] if problem else []

    def prober_section(self):
        """(the prober's part, warnings): it going away makes nothing worse than slower."""
        view = dict(self.prober, configured=bool(self.probes))
        if not self.probes:
            return view, []
        if view["running"]:
            return view, [printable(view["problem"])] if view["problem"] else []
        trouble = self.unit_problem(PROBER)
        problem = "%s: %s" % (view["problem"].partition(";")[0], trouble) if trouble else view["problem"]
        return dict(view, problem=problem), ["hangs would not be noticed: %s" % problem]

    def agent_section(self):
        """(the part of the agent of services that run on one node only, problems): without it none runs here."""
        view = {key: self.agent[key] for key in ("running", "problem")}
        view.update(configured=bool(self.by_agent), services=sorted(self.by_agent))
        if view["running"] or not self.by_agent:
            return view, [view["problem"]] if view["problem"] else []
        trouble = self.unit_problem(AGENT)
        problem = "%s: %s" % (view["problem"].partition(";")[0], trouble) if trouble else view["problem"]
        names = " and ".join(sorted(self.by_agent))
        return dict(view, problem=problem), ["%s cannot run here: %s" % (names, problem)]


def collect(system, machine):
    """The whole report of this node; raises NodeError when this is no node of a pair or nothing can be told.

    What contradicts itself is looked at once more: files, kernel and keepalived do not change in one instant.
    """
    description = system.description()
    if description is None:
        raise NodeError(
            "%s: cannot be read, so this host is no node of a pair; run ha-pair on a node, or deploy this one"
            % DESCRIPTION_FILE
        )
    for pause in (owner.RELOOK, 0):
        report = _report(NodeReport(system, machine, description))
        if not any(instance["problems"] for instance in report["instances"].values()):
            break
        system.sleep(pause)
    known = [instance["state"] for instance in report["instances"].values() if instance["state"]]
    if description["instances"] and not known:
        raise NodeError("the states of this node cannot be told: %s" % "; ".join(report["problems"] + report["notes"]))
    return report


def _report(look):
    daemon, problems, notes = look.daemon_section()
    handler, trouble = look.handler_section()
    prober, warnings = look.prober_section()
    agent, missed = look.agent_section()
    instances = {name: look.instance(name) for name in look.parts}
    for instance in instances.values():
        instance["problems"] = [problem for problem in instance["problems"] if problem]
        warnings = warnings + instance.pop("warnings")
    report = {
        "schema": SCHEMA,
        "now": round(look.now, 3),
        "node": look.description.get("node"),
        "peer": look.description.get("peer"),
        "instances": instances,
        "services": look.services,
        "keepalived": daemon,
        "state_file": handler,
        "prober": prober,
        "agent": agent,
        "problems": look.problems + problems + trouble + missed,
        "warnings": warnings,
        "notes": notes,
    }
    report["well"] = is_well(report)
    return report


def is_well(report):
    """Whether every instance serves or can take over and nothing contradicts itself."""
    return not report["problems"] and all(
        instance["state"] in SERVING and not instance["problems"] for instance in report["instances"].values()
    )


def history(system):
    """{instance: its last states, oldest first} of the state file, each with how long it lasted.

    Raises NodeError when there is none.
    """
    description = system.description() or {}
    path = "%s/state.json" % description.get("state_directory", STATE_DIRECTORY)
    record, problem = owner.read_record(path, system)
    if record is None:
        raise NodeError(problem)
    now = system.now()
    return {
        "schema": SCHEMA,
        "now": round(now, 3),
        "node": record.get("node"),
        "instances": {name: _steps(entry["history"], now) for name, entry in record["instances"].items()},
    }


def _steps(entries, now):
    steps = []
    for place, entry in enumerate(entries):
        lasts = place == len(entries) - 1
        steps.append(
            {
                "at": entry["at"],
                "state": entry["state"],
                "priority": entry.get("priority"),
                "seconds": round((now if lasts else entries[place + 1]["at"]) - entry["at"], 3),
                "lasts": lasts,
            }
        )
    return steps
