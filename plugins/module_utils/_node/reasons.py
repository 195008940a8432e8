# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an instance is in the state that it is in.

Reasons are found, not guessed: each is a file that keepalived watches, an interface, a process or a unit, as it is now.
"""

from __future__ import absolute_import, division, print_function

from . import active_view, addresses, owner
from .active_core import HELD_DOWN
from .errors import NodeError
from .system import STATE_DIRECTORY
from .wording import duration, file_words, link_problem, printable, unit_words

__metaclass__ = type

DAEMON, HANDLER, PROBER = "keepalived.service", "ha-pair-notify.service", "ha-pair-prober.service"
AGENT = active_view.UNIT
# How many of keepalived's lines are searched.
JOURNAL = 200
# systemd did not answer: it says nothing of any unit.
SILENT = {"LoadState": "", "ActiveState": ""}


class Look(object):
    """One look at the node: everything that the reasons of all instances are found in."""

    def __init__(self, system, machine, description):
        self.system, self.machine, self.description = system, machine, description
        self.now, self.clock = system.now(), machine.clock()
        self.directory = description.get("state_directory", STATE_DIRECTORY)
        self.parts = description["instances"]
        self.probes = {probe["name"]: probe for probe in description.get("probes", [])}
        names = {name for part in self.parts.values() for name in part.get("services", [])}
        self.by_agent = set(active_view.names(description))
        wanted = [DAEMON, HANDLER] + ([PROBER] if self.probes else []) + ([AGENT] if self.by_agent else [])
        for name in sorted(names - self.by_agent):
            wanted += ["%s.service" % name, "ha-pair-track-%s.service" % name]
        self.units = machine.units(wanted)
        self.links = machine.links()
        self.problems = []
        try:
            self.interfaces = system.interfaces()
        except NodeError as exc:
            self.interfaces = []
            self.problems.append(str(exc))
        self.state_file = "%s/state.json" % self.directory
        found = owner.states(system, self.state_file, self.parts)
        self.daemon, _dump, self.record, self.record_problem, self.instances = found
        self.services = owner.tracked_services(system, description)
        self.prober = owner.prober_view(system, description)
        self.agent = active_view.agent_view(system, description)
        self.prober_report = owner.read_prober_report(system, description)[0] if self.probes else None

    def unit_problem(self, name):
        return unit_words(name, self.units.get(name, SILENT), self.clock)

    # Reasons

    def service_reason(self, name):
        """Why a service keeps its instances from serving; None when it does not."""
        state = self.services.get(name)
        if name in self.by_agent:
            return self._unfit_words(name) if state in ("down", HELD_DOWN) else None
        if state == "failing":
            return self._failing_words(name)
        if state != "down":
            return None
        unit, tracker = "%s.service" % name, "ha-pair-track-%s.service" % name
        path = "%s/track/%s" % (self.directory, name)
        trouble = self.unit_problem(unit)
        if trouble:
            return "%s is down: %s" % (name, trouble)
        kept = self.units.get(tracker, SILENT)
        active = kept.get("ActiveState")
        if active == "activating":
            return "%s is not ready: %s runs, but %s" % (name, unit, self._not_ready_words(name, tracker, kept))
        if active == "inactive" and kept.get("LoadState") == "loaded":
            return "%s is taken out of the pair although it runs: %s" % (name, self.unit_problem(tracker))
        trouble = self.unit_problem(tracker)
        if trouble:
            return "%s is down: %s" % (name, trouble)
        cure = "systemctl restart %s" % tracker
        if active is None or active == "":
            cure = "see systemctl status %s %s" % (unit, tracker)
        return "%s is down: %s; %s" % (name, file_words(path, self.system.read(path)), cure)

    def _unfit_words(self, name):
        """Why this node is not fit for a service that runs on one node only."""
        entry = self.agent["services"].get(name)
        if entry is not None and not entry.get("fit"):
            return self.failure_words(name, entry)
        path = "%s/track/%s" % (self.directory, name)
        trouble = self.unit_problem(AGENT) or "%s; systemctl restart %s" % (
            file_words(path, self.system.read(path)),
            AGENT,
        )
        return "this node does not take %s: %s" % (name, trouble)

    def failure_words(self, name, entry):
        """That a service failed here, when it is tried again, and where to look."""
        until = entry.get("hold_down_until")
        return "%s failed%s (%s) and is left alone%s; see journalctl -u %s" % (
            name,
            " on both nodes" if entry.get("failed_on_both") else " here",
            printable(entry.get("failure") or "the agent does not say why"),
            " for another %s" % duration(until - self.now) if until else "",
            name,
        )

    def _failing_words(self, name):
        entry = ((self.prober_report or {}).get("probes") or {}).get(name)
        if entry is None:
            return "%s is failing: %s holds a 1 that no running prober stands for; systemctl restart %s" % (
                name,
                self.probes[name]["state_file"],
                PROBER,
            )
        since = entry.get("since")
        return "%s runs but does not answer: %s%s; see journalctl -u %s" % (
            name,
            printable(entry.get("last_problem") or "the prober does not say why"),
            " (for %s)" % duration(self.now - since) if since else "",
            name,
        )

    def _not_ready_words(self, name, tracker, unit):
        said = self.machine.journal(tracker, unit.get("InvocationID"), 1)
        if said:
            return said[-1]
        problem = self.machine.check(self.probes[name]) if name in self.probes else None
        if problem:
            return "%s; see journalctl -u %s" % (problem, name)
        return "it has not answered yet; see journalctl -u %s" % tracker

    def check_reason(self, name):
        """What the check says that keepalived runs as well, asked once now; None when it is good or not to be asked."""
        probe = self.probes.get(name)
        if probe is None or self.services.get(name) != "up":
            return None
        problem = self.machine.check(probe)
        return problem and "%s fails its check, asked once just now: %s; see journalctl -u %s" % (name, problem, name)

    def link_reasons(self, part):
        """Interfaces that keepalived watches and that are down; an address that it speaks from and that is missing."""
        names = [part.get("interface")] + [vip.get("interface") for vip in part.get("vips", [])]
        names += [entry["name"] for entry in part.get("track_interfaces", []) if not entry.get("weight")]
        found = []
        for name in names:
            problem = name and link_problem(name, self.links)
            if problem and problem not in found:
                found.append(problem)
        source = part.get("source")
        if source and self.interfaces and not addresses.holders(self.interfaces, source):
            found.append("address %s, from which this node speaks to its peer, is on no interface" % source)
        return found

    def process_reasons(self, part):
        """Tracked processes that do not run; that a service which is down has no process goes without saying."""
        wanted = [
            entry["name"]
            for entry in part.get("track_processes", [])
            if not entry.get("weight") and self.services.get(entry["name"]) != "down"
        ]
        running = self.machine.process_names() if wanted else None
        if running is None:
            return []
        return ["no process %s runs" % name for name in wanted if not self._runs(name, running)]

    @staticmethod
    def _runs(name, running):
        return name in running or name[:15] in running  # the kernel cuts names

    def own_reasons(self, part):
        """What is surely in the way, by files and interfaces, without asking anybody."""
        services = [self.service_reason(name) for name in part.get("services", [])]
        return [reason for reason in services if reason] + self.link_reasons(part)

    def reasons(self, name):
        """Why keepalived keeps the instance in FAULT."""
        part = self.parts[name]
        found = self.own_reasons(part) + self.process_reasons(part)
        found += [reason for reason in map(self.check_reason, part.get("services", [])) if reason]
        group = part.get("sync_group")
        for other in sorted(self.parts) if group else ():
            if other != name and self.parts[other].get("sync_group") == group and self.own_reasons(self.parts[other]):
                found.append("sync group %s goes as one, and something is in the way of %s" % (group, other))
        return found or [self._unexplained(name)]

    def _unexplained(self, name):
        """For a cause that is over by now, what keepalived wrote last before it gave up."""
        lines = self.machine.journal(DAEMON, None, JOURNAL)
        faults = [place for place, line in enumerate(lines) if "(%s) Entering FAULT STATE" % name in line]
        before = ""
        if faults and faults[-1] > 0:
            before = ", which followed on '%s'" % lines[faults[-1] - 1]
        return "keepalived says FAULT%s, and nothing found here explains it; see journalctl -u keepalived" % before

    # Priority

    def lowered(self, part, priority):
        """What makes this node less preferred, with what it costs."""
        costs = self._penalties(part)
        base = part.get("priority")
        missing = base - priority if base is not None and priority is not None else None
        unknown = [words for words, cost in costs if cost is None]
        if missing is not None and len(unknown) == 1:
            rest = missing - sum(cost for _words, cost in costs if cost is not None)
            costs = [(words, rest if cost is None and rest > 0 else cost) for words, cost in costs]
        found = [words + (" (costs %d)" % cost if cost is not None else "") for words, cost in costs]
        if not found and missing is not None and missing > 0:
            return ["nothing found here explains the %d; see journalctl -u keepalived" % missing]
        return found

    def _penalties(self, part):
        """(words, cost or None where only keepalived's configuration knows it)."""
        costs = []
        for witness in part.get("witnesses", []):
            entry = witness if isinstance(witness, dict) else {"name": witness}
            probe = self.probes.get("witness.%s" % entry["name"])
            if probe is None or not owner.reads_one(self.system, probe["state_file"]):
                continue
            problem = self.prober["probes"].get(probe["name"], {}).get("problem")
            words = "%s cannot be reached%s" % (entry["name"], ": %s" % printable(problem) if problem else "")
            costs.append((words, abs(entry["weight"]) if entry.get("weight") else None))
        for entry in part.get("track_interfaces", []):
            problem = link_problem(entry["name"], self.links)
            if entry.get("weight") and problem:
                costs.append((problem, abs(entry["weight"])))
        weighted = [entry for entry in part.get("track_processes", []) if entry.get("weight")]
        running = self.machine.process_names() if weighted else None
        for entry in weighted if running is not None else ():
            if not self._runs(entry["name"], running):
                costs.append(("no process %s runs" % entry["name"], abs(entry["weight"])))
        return costs
