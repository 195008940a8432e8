# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ha-pair-active: runs services on one node of a pair only: where VRRP is MASTER, and an arbiter agrees.

Each look first ends what may not run here any more, then asks VRRP, the arbiter and systemd, and gives at most one
command for each service. It starts and stops the target of a service and nothing else; the units of the service are
bound to the target, and the target to this program, so that nothing runs that nobody looks after.
One thread, one select(), and nothing in it waits for anybody; only whether a service is ready is asked beside it.
"""

from __future__ import absolute_import, division, print_function

import binascii
import errno
import json
import os
import select
import signal
import stat

from . import active_arbiters, active_core, active_report, service
from .active_core import GAP, KILL, START, STOP
from .active_fence import Fence
from .active_ready import Readiness, make_asker
from .active_settings import SECRETS_FILE, SETTINGS_FILE, read_settings
from .active_systemd import Systemd, target_of
from .active_wire import Caller, Listener
from .boot_clock import boottime
from .errors import NodeError
from .redis_role import vrrp_state
from .system import STATE_DIRECTORY, Command, System, read_text, write_atomically

__metaclass__ = type

TICK = 0.1
SHORTEST_WAIT = 0.005
# How often a file that others read is looked at, whether it still says what it is to (s).
KEEP_INTERVAL = 1.0
# How long this program stays to give back what it was lent (s).
FAREWELL = 1.0
# For how much longer than the longest stop may take an agent that starts waits for the end of what it finds (s).
SETTLE = 10.0
# Ends with this to be started again at once, with the new programs.
START_AGAIN = 75


def make_arbiter(name, settings, now, line, start, session):
    """The arbiter of a service; `line` connects to an address, `start` begins the fencing command."""
    kind = settings["kind"]
    if kind == "none":
        return active_arbiters.Nobody()
    talk = active_arbiters.NoLine()
    if settings["address"] is not None:
        talk = line(settings["address"], settings["port"], settings["secret"])
    if kind == "witness":
        return active_arbiters.Witness(name, dict(settings, session=session), talk, now)
    if kind == "command":
        return active_arbiters.Command(
            name, settings, talk, now, lambda: start(settings["argv"], settings["command_timeout"])
        )
    return active_arbiters.Peer(name, settings, talk, now)


class Agent(object):
    """`world` is the machine; see World."""

    def __init__(self, settings, world):
        self._settings, self._world = settings, world
        self._last = now = world.now()
        session = world.session()
        self._names = sorted(settings["services"])
        self._cores = {name: active_core.Service(settings["services"][name]) for name in self._names}
        self._arbiters = {
            name: make_arbiter(name, settings["services"][name]["arbiter"], now, world.line, world.fence, session)
            for name in self._names
        }
        self._phases, self._said, self._report = {}, {}, None
        self._both, self._again = {}, {}
        self.settling, self._settle_until = True, None
        for core in self._cores.values():
            core.settling = True
        world.open(self.answer)

    @property
    def at_rest(self):
        """Whether nothing runs here and nothing is wanted."""
        return all(self._phases.get(name) in (active_core.STANDBY, active_core.HELD_DOWN) for name in self._names)

    def patience(self):
        """How long the next look may wait (s): a service starts when it is time, and not at the look after that."""
        now = self._world.now()
        waits = [core.until_wanted(now) for core in self._cores.values()]
        return min([TICK] + [max(SHORTEST_WAIT, wait) for wait in waits if wait is not None])

    def leave(self):
        """From now on nothing is wanted here."""
        for name in self._names:
            self._cores[name].leaving = self._arbiters[name].leaving = True

    @property
    def is_free(self):
        """Whether whoever is concerned knows that nothing runs here."""
        return self.at_rest and all(arbiter.is_free for arbiter in self._arbiters.values())

    def answer(self, message):
        """What the peer hears when it asks."""
        name = message.get("service")
        found = None
        if name in self._arbiters and message.get("node") != self._settings["node"]:
            found = self._arbiters[name].answer(message, self._world.now())
        # A name that we do not have is a deployment that is not the same on both nodes, and no reason to start.
        return found or {"answer": "unknown", "why": "the peer has no such service with this arbiter"}

    def step(self):
        """One look."""
        world = self._world
        now = world.now()
        gap, self._last = max(0.0, now - self._last), now
        resumed = gap > GAP
        for name in self._names:
            core = self._cores[name]
            if resumed and self._arbiters[name].resumed(now, gap):
                core.expire(now)
            if core.kill_overdue(now) == KILL:
                world.kill(name)
                world.say("%s: killed: what was lent to this node has run out" % name)
        if resumed:
            world.say("did not run for %.1f s" % gap)
            world.forget()
        if self._settle_until is None:
            self._settle(now)
        world.look(all(self._phases.get(name) in _CALM for name in self._names))
        entries = {name: self._look_at(name, now, gap if resumed else 0.0) for name in self._names}
        self._publish(entries)
        if self.settling and self._is_settled(now):
            self.settling = False
            for core in self._cores.values():
                core.settling = False

    def _settle(self, now):
        """Whatever an agent before this one has left is to end before this one calls itself started.

        systemd may be about to start the targets again by itself: it does so as soon as we say that we are there.
        """
        stops = [self._settings["services"][name]["stop_timeout"] for name in self._names]
        self._settle_until = now + max(stops + [0.0]) + SETTLE
        for name in self._names:
            self._world.tell(name, STOP)

    def _is_settled(self, now):
        if self.at_rest:
            return True
        # What even a kill does not end keeps nobody else waiting; it goes on to be stopped.
        calm = (active_core.STANDBY, active_core.HELD_DOWN)
        ended = [self._phases.get(name) in calm or self._cores[name].was_killed for name in self._names]
        return now >= self._settle_until and all(ended)

    def _look_at(self, name, now, gap):
        world, core, arbiter = self._world, self._cores[name], self._arbiters[name]
        settings = self._settings["services"][name]
        vrrp = world.vrrp(settings["instance"])
        want = core.wish(now, gap, vrrp, world.vrrp_age())
        unit = world.unit(name)
        if core.settling and arbiter.kind == "witness" and unit is not None and not unit["down"]:
            # Nobody knows until when it was lent to the agent that started it.
            core.expire(now)
        arbiter.failed = core.held_down(now)
        grant = arbiter.look(now, want, active_core.is_dead(unit))
        decision = core.decide(now, grant, unit, world.ready(name, unit))
        if decision.action == KILL:
            world.kill(name)
        elif decision.action == START and world.now() - now > GAP:
            # Frozen since we looked: what was true then is asked anew, and this start counts as one that was not.
            core.take_back_start()
        elif decision.action is not None:
            world.tell(name, decision.action)
        self._say(name, decision, core, now)
        failed_on_both = core.held_down(now) and arbiter.peer_failed
        if failed_on_both and not self._both.get(name):
            world.say("problem: %s: failed on both nodes; each tries again after its hold-down" % name)
        self._both[name] = failed_on_both
        if not core.settling:
            # Until then it says what whoever saw the end of the agent before this one has written.
            world.track(settings["track_file"], not core.held_down(now))
        if settings["ready_file"] is not None:
            world.track(settings["ready_file"], decision.phase == active_core.ACTIVE)
        return {
            "instance": settings["instance"],
            "vrrp": vrrp,
            "phase": decision.phase,
            "why": _without_times(decision.why),
            "ready": decision.phase == active_core.ACTIVE,
            "arbiter": {
                "kind": arbiter.kind,
                "promise": arbiter.promise,
                "says": grant.word,
                "why": _without_times(grant.why),
                "problem": None if arbiter.kind == "none" else arbiter.line.problem,
            },
            "fit": not core.held_down(now),
            "hold_down_until": self._try_again_at(name, now),
            "failure": core.failure,
            "failed_on_both": failed_on_both,
        }

    def _try_again_at(self, name, now):
        """When a service in hold-down is tried again, epoch; the same in each look."""
        core = self._cores[name]
        if not core.held_down(now):
            return None
        if self._again.get(name, (None, None))[0] != core.held_until:
            self._again[name] = (core.held_until, int(self._world.epoch() + core.held_until - now))
        return self._again[name][1]

    def _say(self, name, decision, core, now):
        word = decision.phase
        if decision.action == KILL:
            self._world.say("%s: killed: did not stop in time" % name)
        if word != self._phases.get(name):
            problem = "problem: " if core.held_down(now) else ""
            self._world.say("%s%s: %s: %s" % (problem, name, word, decision.why))
        self._phases[name] = word

    def _publish(self, services):
        report = {"schema": 1, "node": self._settings["node"], "services": services}
        if report != self._report:
            self._report = report
            self._world.publish(report)


_CALM = (active_core.STANDBY, active_core.WAITING, active_core.ACTIVE, active_core.HELD_DOWN)


def _without_times(why):
    """What a report says does not change with each look."""
    for mark in ("; left alone for ", " for another ", ", and lends nothing for "):
        why = why.partition(mark)[0]
    return why


class LongCommand(Command):
    """systemctl says more of many units than other commands do."""

    _KEPT = 1 << 17


class World(object):
    """The machine."""

    def __init__(self, settings):
        self._settings, self._system = settings, System()
        self.say, self.now, self.epoch = service.log, boottime, self._system.now
        self._boot_id, self._lines, self._listener = self._system.boot_id(), [], None
        self._reported = active_report.parse(
            read_text(os.path.join(STATE_DIRECTORY, active_report.REPORT)), self._boot_id
        )
        self._record, self._stamp, self._age = None, None, 0.0
        services = settings["services"]
        units = {
            name: [target_of(name), name + ".service"] + list(services[name]["companions"]) for name in services
        }
        self._systemd = Systemd(units, LongCommand, service.log)
        self._readiness = {
            name: Readiness(make_asker(one["kind"], one["target"]), one["interval"])
            for name, one in [(name, services[name]["ready"]) for name in services]
            if one["kind"] != "systemd"
        }
        self._answered, self._well, self._runs, self._failing_since = {}, {}, {}, {}
        self._tracked, self._problems = {}, {}

    @staticmethod
    def session():
        return binascii.hexlify(os.urandom(8)).decode("ascii")

    def line(self, address, port, secret):
        self._lines.append(Caller(address, port, secret))
        return self._lines[-1]

    @staticmethod
    def fence(argv, timeout):
        return Fence(argv, timeout)

    def open(self, answer):
        listen = self._settings["listen"]
        if listen is None:
            return
        try:
            expected = len(self._settings["services"])
            self._listener = Listener(listen["address"], listen["port"], listen["secret"], answer, expected)
        except (IOError, OSError) as exc:
            raise NodeError(
                "%s: port %d: cannot be listened on (%s); see who does, and that the address is this host's"
                % (listen["address"], listen["port"], exc.strerror or exc)
            )

    def wait(self, timeout, wake):
        readers, writers = [wake] + self._systemd.sources(), []
        for one in self._lines + ([self._listener] if self._listener is not None else []):
            more, out = one.sources()
            readers, writers = readers + more, writers + out
        try:
            if wake in select.select(readers, writers, [], timeout)[0]:
                os.read(wake, 64)
        except (IOError, OSError, select.error) as exc:
            if exc.args[0] != errno.EINTR:
                raise

    def look(self, calm):
        self._systemd.look(self.now(), calm)
        if self._listener is not None:
            for problem in self._listener.step(self.now()):
                if problem != "the connection was closed":
                    self._complain("caller", "a caller was turned away: %s" % problem)

    def forget(self):
        self._systemd.forget()

    def vrrp(self, instance):
        path = os.path.join(STATE_DIRECTORY, "state.json")
        try:
            seen = os.stat(path)
            stamp = (seen.st_ino, seen.st_size, seen.st_mtime)
        except (IOError, OSError):
            stamp = None
        if stamp is None or stamp != self._stamp:
            self._record, self._stamp = read_text(path), stamp
            self._age = 0.0 if stamp is None else min(2 * TICK, max(0.0, self.epoch() - seen.st_mtime))
        return vrrp_state(self._record, instance, self._boot_id)

    def vrrp_age(self):
        """How long ago what VRRP is was written (s); a clock may be set, so two looks at the most."""
        return self._age

    def unit(self, name):
        return self._systemd.unit(name, self.now())

    def ready(self, name, unit):
        """True, False once it was ready and its prober finds it failing, None when nobody can say."""
        if unit is None:
            return None
        asked, runs = self._readiness.get(name), unit["service"] in active_core.RUNNING
        is_another, self._runs[name] = unit["run"] != self._runs.get(name), unit["run"]
        if is_another or not runs:
            self._answered[name] = False
            if asked is not None and (is_another or asked.ready):
                # Somebody restarts it, and what it answered before says nothing of the new one.
                asked.begin()
        if not runs:
            return None
        if not self._answered.get(name):
            if asked is not None and not asked.ready:
                return None
            self._answered[name], self._well[name] = True, False
        path = self._settings["services"][name]["failing_file"]
        failing = path is not None and (read_text(path) or "").strip() == "1"
        # A verdict of the time before says nothing of this run.
        self._well[name] = self._well.get(name) or not failing
        if not failing or not self._well[name]:
            self._failing_since.pop(name, None)
            return True
        # It may be failing because somebody restarts it, which systemd has to be asked for after that.
        since = self._failing_since.setdefault(name, self.now())
        asked_at = self._systemd.asked(name)
        if asked_at is not None and asked_at > since:
            return False
        self._systemd.hurry()
        return True

    def tell(self, name, verb):
        self._answered[name] = False
        if name in self._readiness:
            if verb == START:
                self._readiness[name].begin()
            else:
                self._readiness[name].end()
        self._systemd.tell(name, verb, self.now())

    def kill(self, name):
        self._systemd.kill(name, self.now())

    def track(self, path, good):
        """Have a file say 1 or 0, also when somebody has written or removed it."""
        wanted, now = "1\n" if good else "0\n", self.now()
        known = self._tracked.get(path)
        if known is not None and known[0] == wanted and now - known[1] < KEEP_INTERVAL:
            return
        self._tracked[path] = (wanted, now)
        if read_text(path) != wanted:
            self._write(path, wanted)

    def publish(self, report):
        now, pid = self.epoch(), os.getpid()
        services = active_report.note_runs(self._reported, report["services"], now)
        # By boot and process others see whether it still holds.
        self._reported = dict(
            report,
            services=services,
            written_at=now,
            boot_id=self._boot_id,
            pid=pid,
            started=active_report.process_start(pid),
        )
        text = json.dumps(self._reported, indent=1, sort_keys=True) + "\n"
        self._write(os.path.join(STATE_DIRECTORY, active_report.REPORT), text)
        phases = ["%s %s" % (name, report["services"][name]["phase"]) for name in sorted(report["services"])]
        service.tell("STATUS=%s" % ", ".join(phases))

    def programs(self):
        return self._system.program_stamp()

    def close(self):
        for one in self._lines + ([self._listener] if self._listener is not None else []):
            one.close()

    def _write(self, path, text):
        try:
            write_atomically(path, text)
        except (IOError, OSError) as exc:
            self._complain(
                path, "%s: cannot write (%s); see that its directory is there and has room" % (path, exc.strerror)
            )
            return
        self._complain(path, None)

    def _complain(self, topic, problem):
        if problem is not None and self._problems.get(topic) != problem:
            self.say("problem: %s" % problem)
        self._problems[topic] = problem


def refuse_readable(path):
    """Secrets are for root only; a file that is not there holds none."""
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except (IOError, OSError):
        return
    if mode & 0o077:
        raise NodeError("%s: others may read it (mode %04o), and it holds secrets; give it mode 0600" % (path, mode))


def main():
    """Run as ha-pair-active.service."""
    try:
        refuse_readable(SECRETS_FILE)
        settings = read_settings(read_text(SETTINGS_FILE), read_text(SECRETS_FILE))
        world = World(settings)
        agent = Agent(settings, world)
    except NodeError as exc:
        service.log("problem: %s" % exc)
        return 1
    wake_out, wake_in = os.pipe()
    stopped = []

    def stop(_signum, _frame):
        stopped.append(True)
        os.write(wake_in, b"s")

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    programs, code = world.programs(), 0
    agent.step()
    while agent.settling and not stopped:
        world.wait(agent.patience(), wake_out)
        agent.step()
    if not stopped:
        # With this systemd starts whatever waits for us.
        service.tell("READY=1")
    while not stopped:
        world.wait(agent.patience(), wake_out)
        agent.step()
        service.tell("WATCHDOG=1")
        if programs is not None and agent.at_rest and world.programs() != programs:
            # With the end of this program its services end, so this waits until there is none.
            service.log("the programs of this node were replaced: starting again with the new ones")
            code = START_AGAIN
            break
    service.tell("STOPPING=1")
    agent.leave()
    until = world.now() + FAREWELL
    while world.now() < until:
        agent.step()
        world.wait(TICK, wake_out)
        if agent.is_free:
            break
    world.close()
    return code
