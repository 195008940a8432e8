# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ha-pair-prober: finds services that hang and witnesses that are gone; writes a file for each that keepalived tracks.

A service that ends is an event, and its own state file tells of it at once. One that hangs says nothing, so it is asked
several times a second. The file holds 1 for "does not answer" and 0 for "no objection", and all doubt is no objection:
a prober that is broken, starved or not allowed to ask must not take the VIPs away from a healthy node.
One thread for each probe, so that a check that hangs delays no other; the main thread looks after them. One that
is stuck is told of and left alone: killing the prober for it would end the watch over all others.
"""

from __future__ import absolute_import, division, print_function

import errno
import json
import os
import select
import signal
import threading

from . import probes
from .check import paused
from .errors import NodeError
from .ready import write_state
from .service import log, tell
from .system import STATE_DIRECTORY, System, write_atomically

__metaclass__ = type

TICK = 1.0
REPORT = ".prober.json"
# How much longer than its timeout (seconds) a question may take before it is us who were not running.
LATE = 0.15
# So many questions in a row that this node had no time for count as one miss: it may be the service that eats the time.
STARVED_IN_A_ROW = 5
# What a cycle may take beyond interval and timeout (seconds) before its thread is taken for stuck.
PATIENCE = 5.0
STUCK = "has been asking for %d s and got no end; see whether what it asks or runs lies on a file server that is gone"
UNPROVEN = (
    "has never succeeded here: %s, so its failures are not believed yet; see that the service is well, and that the "
    "command needs neither sudo nor /home nor to write outside /run and /tmp"
)
# A command may do less here than as keepalived's check script: until it has succeeded once, its failure may be ours.
UNPROVEN_KINDS = ("command",)
# What both nodes share, both ask at the same moments by their clocks: when it is gone, both lose preference together.
# Were one to notice a round before the other, the VIP would move to a node that is no better off.
SHARED_KINDS = ("mount",)
# Ends with this to be started again at once: the unit then keeps what was found so far.
START_AGAIN = 75

_NUMBERS = {"interval": (0.01, 3600), "timeout": (0.01, 3600), "fall": (1, 1000), "rise": (1, 1000)}


def _wrong_in(entry):
    """What is wrong with a probe of the description, as texts; raises when it is none at all."""
    wrong = [
        "%s %r is not in %g..%g" % (key, entry[key], low, high)
        for key, (low, high) in sorted(_NUMBERS.items())
        if isinstance(entry[key], bool) or not low <= float(entry[key]) <= high
    ]
    paths = [("state_file", entry["state_file"]), ("gate", "/" if entry.get("gate") is None else entry["gate"])]
    return wrong + ["%s %s is no absolute path" % (key, path) for key, path in paths if not path.startswith("/")]


def read_settings(description):
    """(probes by name, problems) of the description of this node's part.

    A probe is {"name", "kind", "target", "interval", "timeout" (seconds), "fall", "rise", "state_file", "gate"}.
    """
    wanted, problems = {}, []
    entries = description.get("probes", [])
    for entry in entries if isinstance(entries, list) else [entries]:
        try:
            name, wrong = entry["name"], _wrong_in(entry)
        except (AttributeError, KeyError, TypeError, ValueError):
            problems.append("probes: %s: is no probe; run the keepalived role again" % json.dumps(entry)[:80])
            continue
        if wrong:
            problems.append("probe %s: %s; run the keepalived role again" % (name, "; ".join(wrong)))
        else:
            wanted[name] = entry
    return wanted, problems


class Probe(object):
    """What is known of one service or witness; one cycle() asks once and judges."""

    def __init__(self, settings, asker, system, say=log):
        self.settings, self.name = settings, settings["name"]
        self._asker, self._system, self._say = asker, system, say
        self._interval, self._timeout = float(settings["interval"]), float(settings["timeout"])
        self._longest = self._interval + self._timeout + PATIENCE
        self._fall, self._rise = int(settings["fall"]), int(settings["rise"])
        self._path, self._gate = settings["state_file"], settings.get("gate")
        # Held while judging and writing: after stop() nothing is written any more.
        self._lock, self._stopped = threading.Lock(), False
        self._missed = self._good = self._starved = 0  # in a row
        self._proven = settings.get("kind") not in UNPROVEN_KINDS
        self._counts = {"asked": 0, "missed": 0, "starved": 0}
        self._gated, self._said = False, {}
        self._last = {"last_problem": None, "last_answer": None, "last_duration": None}
        # Found by an earlier prober: it holds until there is evidence of something else.
        self._failing = self._proven and self._content() == "1"
        self._since = system.modified(self._path) if self._failing else None
        self._since = self._since or system.now()
        self.beat = system.monotonic()
        self.keep()

    # Outside

    def run(self):
        """The thread: from start to start one interval, or as long as the question takes."""
        while not self._stopped:
            self._system.sleep(self.cycle())

    def cycle(self):
        """Ask once and judge; how long to wait then, in seconds."""
        started = self.beat = self._system.monotonic()
        if not self._may_ask():
            with self._lock:
                self._leave_alone()
        else:
            problem, unable = self._ask()
            took = self._system.monotonic() - started
            with self._lock:
                if not self._stopped:
                    self._judge(problem, unable, took)
        if self.settings.get("kind") in SHARED_KINDS:
            return self._interval - self._system.now() % self._interval
        return max(0.0, started + self._interval - self._system.monotonic())

    def look_after(self):
        """Whether the thread gets on; that it does not is said once, and reported until it does again."""
        with self._lock:
            waited = self._system.monotonic() - self.beat
            is_told = "stuck" in self._said
            if waited <= self._longest:
                if is_told:
                    del self._said["stuck"]
                    self._say("%s: the question has ended, so it is asked again" % self.name)
                return True
            # Not by _complain(): the text changes every second.
            self._said["stuck"] = STUCK % waited
            if not is_told:
                self._say("problem: %s: %s" % (self.name, self._said["stuck"]))
            return False

    def keep(self):
        """See that the file says what is known: it, or its directory, may have been made anew."""
        with self._lock:
            if not self._stopped and self._content() != ("1" if self._failing else "0"):
                self._write()

    def stop(self):
        with self._lock:
            self._stopped = True

    def report(self):
        """What the report says of this probe; times are epoch, the duration is in seconds."""
        with self._lock:
            entry = {"kind": self.settings.get("kind"), "failing": self._failing, "gated": self._gated}
            entry.update(self._last, since=self._since, problem=self._problem())
            entry.update(self._counts)
        return entry

    # Inside

    def _may_ask(self):
        return self._gate is None or (self._system.read(self._gate) or "").strip() == "1"

    def _ask(self):
        """(problem of the answer, problem of asking), at most one of them."""
        try:
            problem = self._asker.ask(self._timeout)
            if problem is not None and paused():
                return None, "not believed while a deployment exchanges what is asked: %s" % problem
            return problem, None
        except probes.CannotAskError as exc:
            return None, str(exc)

    def _leave_alone(self):
        """The service is down by its own account, so it is not asked; what it was before says nothing of what comes."""
        if self._stopped:
            return
        self._missed = self._good = self._starved = 0
        self._gated = True
        if self._failing:
            self._change(False, "%s: is down by %s, so it is not asked" % (self.name, self._gate))

    def _judge(self, problem, unable, took):
        self._gated = False
        self._complain("ask", unable)
        if unable is not None or took > self._longest:
            # No evidence in either direction, so what came before does not count as in a row any more.
            self._missed = self._good = self._starved = 0
            return
        self._counts["asked"] += 1
        self._last["last_duration"] = round(took, 6)
        if problem is None:
            self._judge_answer()
        else:
            self._judge_miss(problem, took)

    def _judge_answer(self):
        self._missed = self._starved = 0
        self._good += 1
        self._proven = True
        self._complain("unproven", None)
        self._last["last_answer"] = self._system.now()
        if self._failing and self._good >= self._rise:
            self._change(False, "%s answers again" % self.name)
        if not self._failing:
            self._last["last_problem"] = None

    def _judge_miss(self, problem, took):
        if took > self._timeout + LATE:
            self._counts["starved"] += 1
            self._starved += 1
            if self._starved < STARVED_IN_A_ROW:
                return
        self._starved = self._good = 0
        self._missed += 1
        self._counts["missed"] += 1
        self._last["last_problem"] = problem
        if not self._proven:
            # What it says may change with every answer; that it is not believed is said once.
            self._complain("unproven", self._said.get("unproven") or UNPROVEN % problem)
            self._missed = 0
            return
        # The service may have been told to stop while it was asked.
        if not self._failing and self._missed >= self._fall and self._may_ask():
            self._change(True, "%s: does not answer (%s): failing" % (self.name, problem))

    def _change(self, failing, line):
        self._failing, self._since = failing, self._system.now()
        self._good = self._missed = 0
        self._write()
        self._say(line)

    def _content(self):
        return (self._system.read(self._path) or "").strip()

    def _write(self):
        try:
            try:
                write_state(self._path, self._failing)
            except (IOError, OSError) as exc:
                if exc.errno not in (errno.EACCES, errno.EPERM):
                    raise
                # Somebody else's file in our directory, such as one that root wrote by hand.
                os.unlink(self._path)
                write_state(self._path, self._failing)
        except (IOError, OSError) as exc:
            problem = "%s: cannot write (%s); see that its directory is there and belongs to the account of the prober"
            self._complain("write", problem % (self._path, exc.strerror))
            return
        self._complain("write", None)

    def _complain(self, topic, problem):
        """A problem of ours is said once, not five times a second."""
        if problem is None:
            self._said.pop(topic, None)
        elif self._said.get(topic) != problem:
            self._said[topic] = problem
            self._say("problem: %s: %s" % (self.name, problem))

    def _problem(self):
        return "; ".join(self._said[topic] for topic in sorted(self._said)) or None


def start_thread(probe):
    thread = threading.Thread(target=probe.run, name=probe.name)
    # A question that hangs must not keep the program from ending.
    thread.daemon = True
    thread.start()


class Prober(object):
    """The main thread: which probes there are, whether they get on, and the report."""

    def __init__(self, system, say=log, inform=tell, start=start_thread, make_asker=probes.asker):
        self._system, self._say, self._inform = system, say, inform
        self._start, self._make_asker = start, make_asker
        self._probes, self._problems, self._said = {}, [], {}
        self._description, self._stamp = None, None
        self._programs = system.program_stamp()
        self._wake_out, self._wake_in = os.pipe()
        self._stopping, self._code = False, 0

    def run(self):
        """Until somebody says stop; the exit code."""
        self.work()
        self._inform("READY=1")
        while not self._stopping:
            self._wait(TICK)
            if not self._stopping:
                self.work()
        self._inform("STOPPING=1")
        self.close()
        return self._code

    def work(self):
        """What is done every second."""
        if self._programs is not None and self._system.program_stamp() != self._programs:
            self._say("the programs of this node were replaced: starting again with the new ones")
            self._code = START_AGAIN
            self.stop()
            return
        self._read_description()
        for probe in self._probes.values():
            probe.keep()
        getting_on = [name for name, probe in sorted(self._probes.items()) if probe.look_after()]
        self._write_report()
        # Killed, the prober takes back all objections. While one thread gets on, there is something to lose by that.
        if getting_on or not self._probes:
            self._inform("WATCHDOG=1")

    def stop(self):
        self._stopping = True
        os.write(self._wake_in, b"s")

    def close(self):
        for probe in self._probes.values():
            probe.stop()

    def report(self):
        return {
            "schema": 1,
            "written_at": self._system.now(),
            "pid": os.getpid(),
            "problems": self._problems,
            "probes": {name: probe.report() for name, probe in self._probes.items()},
        }

    def _wait(self, timeout):
        try:
            if select.select([self._wake_out], [], [], timeout)[0]:
                os.read(self._wake_out, 64)
        except (IOError, OSError, select.error) as exc:
            if exc.args[0] != errno.EINTR:
                raise

    def _read_description(self):
        stamp = self._system.description_stamp()
        if stamp is None or stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            description = self._system.description()
        except NodeError as exc:
            self._complain("description", str(exc))
            return
        if description is None:
            return
        self._complain("description", None)
        self._description = description
        wanted, self._problems = read_settings(description)
        for problem in self._problems:
            self._say("problem: %s" % problem)
        self._exchange(wanted)
        self._clear_directory()
        asked = ", ".join("%s every %g s" % (name, wanted[name]["interval"]) for name in sorted(wanted))
        self._say("asking %s" % (asked or "nobody: the description of this node has no probe"))
        self._inform("STATUS=asking %s" % (", ".join(sorted(wanted)) or "nobody"))

    def _exchange(self, wanted):
        """Stop what is not wanted any more, start what is new; the rest goes on undisturbed."""
        for name, probe in list(self._probes.items()):
            if wanted.get(name) != probe.settings:
                probe.stop()
                del self._probes[name]
        for name in sorted(set(wanted) - set(self._probes)):
            settings = wanted[name]
            asker = self._make_asker(settings.get("kind"), settings.get("target"))
            self._probes[name] = Probe(settings, asker, self._system, self._say)
            self._start(self._probes[name])

    def _directory(self):
        return os.path.join((self._description or {}).get("state_directory") or STATE_DIRECTORY, "failing")

    def _clear_directory(self):
        """What nobody asks for any more must not go on objecting, nor what was left half written stay for good."""
        directory = self._directory()
        kept = {probe.settings["state_file"] for probe in self._probes.values()}
        try:
            for name in os.listdir(directory):
                path = os.path.join(directory, name)
                if path not in kept and name != REPORT and os.path.isfile(path):
                    os.unlink(path)
        except (IOError, OSError) as exc:
            self._complain("directory", "%s: cannot be cleared (%s)" % (directory, exc.strerror))
            return
        self._complain("directory", None)

    def _write_report(self):
        path = os.path.join(self._directory(), REPORT)
        try:
            write_atomically(path, json.dumps(self.report(), indent=1, sort_keys=True) + "\n")
        except (IOError, OSError) as exc:
            self._complain(
                "report", "%s: cannot write (%s); see that its directory is there and has room" % (path, exc.strerror)
            )
            return
        self._complain("report", None)

    def _complain(self, topic, problem):
        if problem is None:
            self._said.pop(topic, None)
        elif self._said.get(topic) != problem:
            self._said[topic] = problem
            self._say("problem: %s" % problem)


class Node(System):
    """The machine, as the prober needs it."""

    @staticmethod
    def modified(path):
        """When a file was written last, epoch; None when there is none."""
        try:
            return os.stat(path).st_mtime
        except (IOError, OSError):
            return None


def main():
    """Run as ha-pair-prober.service."""
    prober = Prober(Node())
    signal.signal(signal.SIGTERM, lambda _signum, _frame: prober.stop())
    signal.signal(signal.SIGINT, lambda _signum, _frame: prober.stop())
    code = prober.run()
    # Without the interpreter's own end: threads may still be asking, and Python 2 takes away what they use.
    os._exit(code)
