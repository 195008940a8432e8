# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd says of the targets and units of our services, and what it is told, without waiting for it.

What it said before the last command ended is forgotten: it would call a service down that is just being started.
"""

from __future__ import absolute_import, division, print_function

from . import active_cgroup
from .errors import NodeError

__metaclass__ = type

PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "Job",
    "Result",
    "NRestarts",
    "ControlGroup",
    "ExecMainStartTimestampMonotonic",
    "MainPID",
)
# How often systemd is asked while something moves, and while nothing does (s).
BUSY_INTERVAL, CALM_INTERVAL = 0.2, 1.0
# How long a command may take, and how long an answer counts (s).
PATIENCE, STALE = 5.0, 6.0
_DEAD = ("inactive", "failed")
_STARTING = ("inactive", "failed", "activating")


def target_of(name):
    return "ha-pair-%s.target" % name


def parse_show(text):
    """{property: value} for each unit, in the order in which they were asked for."""
    found = []
    for block in text.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        if "ActiveState" in values:
            found.append(values)
    return found


def summary(shown):
    """What the core wants to know; `shown`: what is said of the target, the service, and its companions."""
    jobs = [
        "start" if values["ActiveState"] in _STARTING else "stop"
        for place, values in enumerate(shown)
        # A companion that runs once and ends has a job for as long as it runs, which says nothing of the service.
        if values.get("Job", "0") not in ("", "0") and not (place > 1 and values["ActiveState"] == "activating")
    ]
    service = shown[1]
    restarts = service.get("NRestarts", "")
    return {
        "target": shown[0]["ActiveState"],
        "service": service["ActiveState"],
        "job": jobs[0] if jobs else None,
        "down": all(values["ActiveState"] in _DEAD for values in shown),
        "restarts": int(restarts) if restarts.isdigit() else 0,
        # Another one is another program, also when nobody saw the one before it end.
        "run": service.get("ExecMainStartTimestampMonotonic") or service.get("MainPID"),
        "result": "not-found" if service.get("LoadState") == "not-found" else service.get("Result") or "unknown",
    }


class Systemd(object):
    """`units`: {service: [its target, its unit, companions ...]}; `start` makes a system.Command of a list of words."""

    def __init__(self, units, start, say, cgroup=active_cgroup):
        self._units, self._start, self._say, self._cgroup = units, start, say, cgroup
        self._order = sorted(units)
        self._show, self._show_at, self._shown_for, self._asked = None, None, (), None
        self._next = None
        self._commands = {name: [] for name in units}  # [(Command, since)]
        self._known, self._full = {}, {}
        # Where they are as a rule, until systemd has said where they are.
        self._groups = {name: ["/system.slice/%s" % unit for unit in units[name][1:]] for name in units}
        self._said = {}

    def sources(self):
        running = [command for commands in self._commands.values() for command, _since in commands]
        return running + ([self._show] if self._show is not None else [])

    def look(self, now, calm):
        """Take what was said, and ask again when it is time; `calm`: nothing is under way."""
        for name in self._order:
            self._take_ends(name, now)
        self._take_show(now)
        for name in self._order:
            full = self._is_full(name)
            if full != self._full.get(name):
                # A service that ended is news, and told by the kernel before systemd is asked.
                self._full[name], self._next = full, None
        interval = CALM_INTERVAL if calm else BUSY_INTERVAL
        if self._show is None and (self._next is None or now >= self._next):
            self._ask(now, interval)

    def unit(self, name, now):
        """What is known of a service (see summary()), None when that is nothing certain."""
        if name not in self._known or self._commands[name] or now - self._known[name][0] > STALE:
            return None
        found = self._known[name][1]
        return dict(found, down=False) if found["down"] and self._is_full(name) else found

    def asked(self, name):
        """When it was asked for what unit() gives."""
        return self._known[name][0] if name in self._known else None

    def hurry(self):
        """Something happened: what systemd says is to be of after now."""
        self._next = None

    def forget(self):
        """This program did not run for a while."""
        self._known, self._next = {}, None
        if self._show is not None:
            self._shown_for = ()

    def tell(self, name, verb, now):
        """Start or stop its target."""
        self._command(name, ["systemctl", "--no-block", verb, self._units[name][0]], now)

    def kill(self, name, now):
        """End it at once, by the kernel, and have systemd do the same for what the kernel was not asked for."""
        for group in self._groups[name]:
            path = self._cgroup.directory(group)
            if path is not None:
                self._cgroup.kill(path)
        for unit in self._units[name][1:]:
            self._command(name, ["systemctl", "kill", "--signal=KILL", unit], now)

    # Inside

    def _command(self, name, argv, now):
        self._known.pop(name, None)
        # One that was asked before tells of a time before.
        self._shown_for = tuple(other for other in self._shown_for if other != name)
        try:
            self._commands[name].append((self._start(argv), now))
        except NodeError as exc:
            self._complain(name, str(exc))

    def _take_ends(self, name, now):
        for entry in list(self._commands[name]):
            command, since = entry
            result = command.result()
            if result is None:
                if now - since > PATIENCE:
                    # Its end is taken with the next look.
                    command.kill()
                continue
            self._commands[name].remove(entry)
            self._next = None
            self._complain(name, "systemctl: %s" % (result[1] or "ended with %d" % result[0]) if result[0] else None)

    def _take_show(self, now):
        if self._show is None:
            return
        result = self._show.result()
        if result is None:
            if now - self._show_at > PATIENCE:
                self._show.kill()
            return
        self._show = None
        shown = parse_show(result[1])
        if result[0] != 0 or len(shown) != sum(len(units) for units in self._units.values()):
            self._complain("", "systemctl show: %s" % (result[1][-200:] or "ended with %d" % result[0]))
            return
        self._complain("", None)
        for name in self._order:
            count = len(self._units[name])
            mine, shown = shown[:count], shown[count:]
            groups = [values["ControlGroup"] for values in mine[1:] if values.get("ControlGroup")]
            self._groups[name] = groups or self._groups[name]
            if name in self._shown_for:
                self._known[name] = (self._asked, summary(mine))

    def _ask(self, now, interval):
        argv = ["systemctl", "show"]
        for wanted in PROPERTIES:
            argv += ["-p", wanted]
        argv += [unit for name in self._order for unit in self._units[name]]
        self._next, self._asked = now + interval, now
        try:
            self._show, self._show_at = self._start(argv), now
        except NodeError as exc:
            self._complain("", str(exc))
            return
        self._shown_for = tuple(name for name in self._order if not self._commands[name])

    def _is_full(self, name):
        paths = [self._cgroup.directory(group) for group in self._groups[name]]
        return any(self._cgroup.populated(path) for path in paths if path is not None)

    def _complain(self, topic, problem):
        if problem is not None and self._said.get(topic) != problem:
            self._say("problem: %s%s" % (topic + ": " if topic else "", problem))
        self._said[topic] = problem
