# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair of agents, their witness, their systemds and the network between them, by one simulated clock."""

from __future__ import absolute_import, division, print_function

import json
import random

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import active, active_settings, witness

__metaclass__ = type

STEP = 0.05
NAME = "fetcher"
SECRET = "not-to-be-seen-at-all"
SECRETS = json.dumps({"channel": SECRET, "witness": SECRET})


def arbiter(kind, first, **changed):
    """The arbiter's part of the settings."""
    given = {
        "none": {},
        "peer": {"address": "peer", "port": 1, "first": first, "lease": 15, "timeout": 12},
        "witness": {"address": "witness", "port": 1, "pair": "web", "lease": 15},
        "command": {
            "address": "peer", "port": 1, "first": first, "lease": 15, "timeout": 2,
            "argv": ["/bin/fence"], "command_timeout": 5,
        },
    }[kind]
    return dict(given, kind=kind, **changed)


def settings(node, kind, stop_timeout=4, **changed):
    """What the role would write, read as the agent reads it."""
    entry = {
        "instance": "web",
        "track_file": "/track",
        "start_timeout": 8,
        "stop_timeout": stop_timeout,
        "arbiter": arbiter(kind, node == "node-a"),
    }
    entry.update(changed)
    given = {
        "schema": 1,
        "node": node,
        "watchdog": 3,
        "listen": {"address": "own", "port": 1},
        "services": {NAME: entry},
    }
    return active_settings.read_settings(json.dumps(given), SECRETS)


class Clock(object):
    def __init__(self):
        self.now = 1000.0


class Network(object):
    """Who cannot reach whom: {(from, to)}; and how long a message takes, and how many are lost."""

    def __init__(self, clock, rng):
        self.clock, self.rng = clock, rng
        self.cut, self.loss, self.delay = set(), 0.0, 0.02
        self.answers = {}  # name: function of a message
        self.frozen = set()

    def part(self, one, other):
        self.cut |= {(one, other), (other, one)}

    def heal(self):
        self.cut, self.loss, self.delay = set(), 0.0, 0.02


class Line(object):
    """As active_wire.Caller: one question at a time, its answer in time or never; what was sent may come late."""

    PATIENCE = 1.0

    def __init__(self, network, own, other):
        self._network, self._own, self._other = network, own, other
        self._asked = self._due = self._message = None
        self._answer = None
        self.late = []  # [(when, message)] of connections that broke
        self.problem = None

    @property
    def idle(self):
        return self._asked is None

    def _way(self, start, end):
        network = self._network
        if (start, end) in network.cut or network.rng.random() < network.loss:
            return None
        return network.rng.random() * network.delay

    def ask(self, message, now):
        self._asked, self._answer, self._due = now, None, None
        self._message = dict(message)
        way = self._way(self._own, self._other)
        if way is not None:
            self._due = now + way

    def deliver(self):
        """The network's work, which goes on while this node is frozen."""
        now, network = self._network.clock.now, self._network
        if self._other in network.frozen or self._other not in network.answers:
            return
        for entry in [entry for entry in self.late if now >= entry[0]]:
            self.late.remove(entry)
            network.answers[self._other](entry[1])
        if self._asked is not None and self._due is not None and self._answer is None and now >= self._due:
            found = network.answers[self._other](self._message)
            way = self._way(self._other, self._own)
            self._due = None
            if way is not None:
                self._answer = (now + way, dict(found))

    def look(self, now):
        if self._asked is not None and now - self._asked > self.PATIENCE:
            if self._due is not None and self._network.rng.random() < 0.5:
                self.late.append((now + self._network.rng.random() * 20, self._message))
            self._asked = self._due = self._answer = None
        if self._asked is not None and self._answer is not None and now >= self._answer[0]:
            found, self._asked, self._answer = self._answer[1], None, None
            return found
        return None

    @staticmethod
    def sources():
        return [], []


class Systemd(object):
    """One target and its service, which takes its time to start and to stop, or never does."""

    def __init__(self, clock, rng):
        self._clock, self._rng = clock, rng
        self.state, self.until, self.job = "inactive", None, None
        self.start_time, self.stop_time = (0.1, 3.0), (0.1, 3.0)
        self.fails = 0.0
        self.commands, self.result, self.run = [], "success", 0

    @property
    def runs(self):
        """Whether a process of the service is there."""
        return self.state != "inactive" and self.state != "failed"

    def tell(self, verb):
        self.commands.append(verb)
        self.job = verb
        self.go()

    def kill(self):
        if self.runs:
            self.state, self.until, self.result = "failed", None, "signal"
        self.commands.append("kill")

    def go(self):
        now = self._clock.now
        if self.until is not None and now >= self.until:
            self.until = None
            if self.state == "activating":
                self.state = "failed" if self._rng.random() < self.fails else "active"
                self.run += 1
                self.job = None if self.job == "start" else self.job
            elif self.state == "deactivating":
                self.state = "inactive"
        if self.job == "stop":
            if self.state in ("active", "activating"):
                self.state, self.until = "deactivating", now + self._rng.uniform(*self.stop_time)
            elif self.state in ("inactive", "failed"):
                self.state, self.job = "inactive", None
        elif self.job == "start":
            if self.state in ("inactive", "failed"):
                self.state, self.until = "activating", now + self._rng.uniform(*self.start_time)
            elif self.state == "active":
                self.job = None

    def unit(self):
        self.go()
        return {
            "target": "inactive" if self.state == "failed" else self.state,
            "service": self.state,
            "job": self.job,
            "down": not self.runs,
            "restarts": 0,
            "run": str(self.run),
            "result": self.result,
        }


class World(object):
    """One node, as active.World."""

    def __init__(self, name, other, clock, network, rng):
        self.name, self._other, self._clock, self._network = name, other, clock, network
        self.rng = rng
        self.systemd = Systemd(clock, rng)
        self.word, self.lines, self.said, self.files, self.reports = "BACKUP", [], [], {}, []
        self.well, self.fences, self.fence_result = True, [], (True, None)
        self._view, self._sessions = None, 0

    def now(self):
        return self._clock.now

    epoch = now

    def session(self):
        self._sessions += 1
        return "session %d" % self._sessions

    def line(self, address, _port, _secret):
        other = self._other if address == "peer" else address
        self.lines.append(Line(self._network, self.name, other))
        return self.lines[-1]

    def fence(self, argv, _timeout):
        self.fences.append(argv)
        return self

    def result(self):
        """Of the fencing command."""
        return self.fence_result

    def open(self, answer):
        self._network.answers[self.name] = answer

    def look(self, _calm):
        self._view = self.systemd.unit()

    def forget(self):
        self._view = None

    @staticmethod
    def vrrp_age():
        return 0.0

    def vrrp(self, _instance):
        return self.word

    def unit(self, _name):
        return self._view

    def ready(self, _name, unit):
        return None if unit is None or unit["service"] != "active" else self.well

    def tell(self, _name, verb):
        self._view = None
        self.systemd.tell(verb)

    def kill(self, _name):
        self._view = None
        self.systemd.kill()

    def track(self, path, good):
        self.files[path] = good

    def publish(self, report):
        self.reports.append(report)

    def say(self, line):
        self.said.append(line)


class Pair(object):
    """Two nodes; `overlaps` are the times at which the service ran on both."""

    def __init__(self, kind, seed=0, **changed):
        self.rng = random.Random(seed)
        self.clock = Clock()
        self.network = Network(self.clock, self.rng)
        self.worlds, self.agents, self.settings = {}, {}, {}
        self.leases = None
        self.start_witness()
        for name, other in (("node-a", "node-b"), ("node-b", "node-a")):
            self.worlds[name] = World(name, other, self.clock, self.network, self.rng)
            self.settings[name] = settings(name, kind, **changed)
            self.start_agent(name)
        self.overlaps, self.ran = [], []

    def start_witness(self):
        self.leases = witness.Leases(15.0, self.clock.now)
        self.network.answers["witness"] = lambda message: self.leases.answer(message, self.clock.now)

    def start_agent(self, name):
        self.worlds[name].lines = []
        self.agents[name] = active.Agent(self.settings[name], self.worlds[name])

    def vrrp(self, one, other):
        self.worlds["node-a"].word, self.worlds["node-b"].word = one, other

    def follow_health(self):
        """What keepalived makes of the track files."""
        fit = [self.worlds[name].files.get("/track", True) for name in ("node-a", "node-b")]
        other = "BACKUP" if fit[0] else "MASTER"
        self.vrrp("MASTER" if fit[0] else "FAULT", other if fit[1] else "FAULT")

    def freeze(self, name):
        """A whole machine: neither its agent nor its service goes on."""
        self.network.frozen.add(name)

    def thaw(self, name):
        self.network.frozen.discard(name)

    def where(self):
        return [name for name in ("node-a", "node-b") if self.worlds[name].systemd.runs]

    def active(self):
        return [name for name in ("node-a", "node-b") if self.worlds[name].systemd.state == "active"]

    def run(self, seconds, each=None):
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now += STEP
            if each is not None:
                each()
            order = ["node-a", "node-b"]
            self.rng.shuffle(order)
            for name in order:
                if name not in self.network.frozen:
                    self.agents[name].step()
            for world in self.worlds.values():
                for line in world.lines:
                    line.deliver()
                if world.name not in self.network.frozen:
                    world.systemd.go()
            # A frozen machine does no work; once it goes on, its agent looks before this does.
            working = [name for name in self.where() if name not in self.network.frozen]
            if len(working) == 2:
                self.overlaps.append(self.clock.now)
            self.ran.append(tuple(working))
