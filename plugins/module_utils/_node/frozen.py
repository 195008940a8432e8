# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether keepalived is frozen: there, but not running, so that its addresses stand and nobody hears of it.

A MASTER has to wake for every advert, so a VRRP process whose count of context switches stands still for several
adverts sends none: stopped, deadlocked or hanging in the kernel. A BACKUP or FAULT owes nobody a wakeup; only a stopped
process is a frozen one there.
"""

from __future__ import absolute_import, division, print_function

import re

__metaclass__ = type

# How many looks in a row find nothing new before a MASTER is called frozen, and how far apart they are at least (s).
LOOKS = 4
SHORTEST_INTERVAL = 0.1
# How long a process of a daemon may be stopped when it owes nobody an advert (s).
STOPPED_LIMIT = 5.0
# How long it may use a CPU for itself without ever waiting for anything (s).
SPIN_LIMIT = 2.0
# What a daemon is taken to owe, at the least often, as long as it has not told its advert intervals (s).
UNTOLD = 1.0
# What an interval may lose when keepalived reads it (s).
_RESOLUTION = 0.01
_STOPPED = ("T", "t")
_INTERVAL = re.compile(r"^\s*Advert interval = (\d+(?:\.\d+)?) *(milli-|centi-)?sec")
_UNITS = {None: 1.0, "centi-": 0.01, "milli-": 0.001}


def parse_progress(status_text, stat_text, ticks):
    """How far a process has come, by /proc/PID/status and stat: state, switches, cpu (s); None when it is gone."""
    fields = (stat_text or "").rpartition(")")[2].split()
    if not status_text or len(fields) < 13:
        return None
    switches = 0
    for line in status_text.splitlines():
        name, _colon, value = line.partition(":")
        if name in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"):
            switches += int(value)
    return {"state": fields[0], "switches": switches, "cpu": (int(fields[11]) + int(fields[12])) / float(ticks)}


def parse_advert_intervals(text):
    """{instance: the advert interval (s) it runs with} by keepalived's dump."""
    found, name = {}, None
    for line in text.splitlines():
        if line.startswith("-"):
            name = None
        elif line.startswith(" VRRP Instance = "):
            name = line.partition(" = ")[2].strip()
        match = _INTERVAL.match(line)
        if match and name is not None:
            found[name] = float(match.group(1)) * _UNITS[match.group(2)]
    return found


class Adverts(object):
    """How seldom the instances of the running daemon may send adverts.

    A description is written before keepalived reloads, and perhaps it never does. So the slowest counts of what
    keepalived itself has said and of every description since, and UNTOLD until it has said something.
    """

    def __init__(self):
        self._slowest = {}  # by instance, s

    def described(self, description):
        """There is a new description; the daemon goes by it now, later or never."""
        for name, interval in _described(description).items():
            self._slowest[name] = max(interval, self._slowest.get(name, UNTOLD))

    def restarted(self):
        """There is another daemon; what it was started with, only it can say."""
        self._slowest = {name: max(slowest, UNTOLD) for name, slowest in self._slowest.items()}

    def told(self, dump, description):
        """The daemon has said what it runs with; it may read the description at any moment."""
        described = _described(description)
        for name, seen in dump.items():
            if seen.get("advert_interval"):
                self._slowest[name] = max(seen["advert_interval"], described.get(name, 0.0))

    def is_doubtful(self, description):
        """Whether the daemon is taken to be slower than its description, and should be asked again."""
        return any(
            self._slowest.get(name, UNTOLD) > interval + _RESOLUTION
            for name, interval in _described(description).items()
        )

    def owed(self, description, record, held):
        """The shortest advert interval (s) of the instances that owe adverts, None when there are none.

        `held`: names of the instances whose addresses stand in the kernel; their word counts where the record has none.
        """
        intervals = [
            max(interval, self._slowest.get(name, UNTOLD))
            for name, interval in _described(description).items()
            if _state(record, name) == "MASTER" or (_state(record, name) == "UNKNOWN" and name in held)
        ]
        return min(intervals) if intervals else None


def _described(description):
    return {
        name: instance["advert_interval"]
        for name, instance in (description or {}).get("instances", {}).items()
        if instance.get("advert_interval")
    }


def _state(record, name):
    return record["instances"].get(name, {}).get("state")


class FreezeGuard(object):
    """Looks at the processes of the running daemon; `system` is the world."""

    def __init__(self, system):
        self._system = system
        self._daemon = self._child = None
        self._seen = self._first = self._last = None  # the look when it last moved, its time, and that of the last look
        self._looks, self._advert = 0, None
        self._stopped_since = self._ticked = None

    def remaining(self, advert):
        """For how long (s) there is nothing to look at; None when nobody owes an advert."""
        if advert is None or self._last is None:
            return None if advert is None else 0.0
        return max(0.0, self._last + max(advert, SHORTEST_INTERVAL) - self._system.monotonic())

    def look(self, daemon, advert):
        """Why this daemon is frozen, None as long as it is not known to be.

        To be called every `advert` seconds, or every second when that is None. A look that comes late proves nothing:
        who did not run was this machine, or we.
        """
        if daemon is None or self._daemon is None or _identity(daemon) != _identity(self._daemon):
            self._daemon, self._child = daemon, None
            self._seen = self._last = self._stopped_since = self._ticked = None
        if daemon is None:
            return None
        clock = self._system.monotonic()
        return self._stands_still(advert, clock) or self._is_stopped(clock)

    def _progress(self):
        """Of the VRRP process; None when there is none. Its number is asked for again when it is gone."""
        seen = self._system.progress(self._child) if self._child else None
        if seen is None:
            child = self._system.vrrp_process(self._daemon)
            self._child, self._seen = (child["pid"] if child else None), None
            seen = self._system.progress(self._child) if self._child else None
        return seen

    def _stands_still(self, advert, clock):
        if advert is None:
            self._seen = self._last = None
            return None
        if self._advert is not None and advert > self._advert:
            self._seen = self._last = None  # earlier looks expected too much
        self._advert = advert
        interval = max(advert, SHORTEST_INTERVAL)
        since = None if self._last is None else clock - self._last
        if since is not None and since < 0.9 * interval:
            return None  # too early to expect anything
        seen, self._last = self._progress(), clock
        if seen is None:
            return None
        if self._seen is None or seen["switches"] != self._seen["switches"]:
            self._seen, self._first, self._looks = seen, clock, 0
        elif since is not None and since < 1.5 * interval + 0.05:
            self._looks += 1
        elapsed = clock - self._first
        if self._looks < LOOKS:
            return None
        if seen["state"] == "R" and (elapsed < SPIN_LIMIT or seen["cpu"] - self._seen["cpu"] < elapsed / 2):
            # It wants to run: without a CPU it is no worse than this machine, with one it goes round in circles.
            return None
        return "its VRRP process %d owes an advert every %g s and has done nothing for %.1f s (state %s)" % (
            self._child,
            advert,
            elapsed,
            seen["state"],
        )

    def _is_stopped(self, clock):
        """For the parent as well: it would neither reload nor start a dead child again."""
        since = None if self._ticked is None else clock - self._ticked
        if since is not None and since < 0.9:
            return None
        self._ticked = clock
        states = [entry["state"] for entry in (self._system.process(self._daemon["pid"]), self._progress()) if entry]
        if not any(word in _STOPPED for word in states):
            self._stopped_since = None
        elif self._stopped_since is None or since is None or since > 2.0:
            self._stopped_since = clock
        elif clock - self._stopped_since > STOPPED_LIMIT:
            return "it has been stopped for %.1f s and could neither take over nor give way" % (
                clock - self._stopped_since
            )
        return None


def _identity(daemon):
    return daemon["pid"], daemon["starttime"]
