# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The notify handler: keeps an honest record of this node's VRRP state, and does what a dead or frozen daemon cannot.

What comes through the FIFO comes in order, but not everything comes: events are lost while keepalived reloads and when
nobody reads, and a daemon that is killed cannot report it. From keepalived 1.3 they do not even come in order. So
events are news, and the daemon's own data, the process table and the kernel are the truth; nothing is replayed.
One thread, one select(), nothing in it waits for anybody for longer than a moment.
"""

from __future__ import absolute_import, division, print_function

import errno
import json
import os
import select
import signal

from . import frozen, journal, service, state
from .claims import ForeignClaims
from .errors import NodeError
from .fifo import Fifo
from .guard import CHECK_INTERVAL, SETTLE, AddressGuard, disagreements, virtual_addresses
from .hook import Hook
from .lost import LostAddresses
from .system import SCRIPT_ACCOUNT, STATE_DIRECTORY, System, read_text, write_atomically
from .unordered import Unordered

__metaclass__ = type

IDENTIFIER = "ha-pair-notify"
TICK = 1.0
DUMP_TIMEOUT = 1.0
# How often a daemon that has not reloaded what was deployed is asked whether it has (s); it notes it in the journal.
DOUBT_INTERVAL = 60.0
# How soon keepalived is asked what news were true that may come in any order (s): as many as come together count once.
CONFIRM = 0.2


class Handler(object):
    """The loop and what it remembers; `system` is the world, `say` the journal."""

    def __init__(self, system, say=None, tell=service.tell):
        self._system, self._journal, self._tell = system, say or journal.Journal(IDENTIFIER), tell
        self._description, self._stamp, self._problems = None, None, {}
        self.record = self._reconcile_at = None
        self._adverts = frozen.Adverts()
        self._read_description()
        directory = (self._description or {}).get("state_directory", STATE_DIRECTORY)
        self.state_file = os.path.join(directory, "state.json")
        self._fifo = Fifo(os.path.join(directory, "notify.fifo"))
        self._directory = directory
        self._programs = system.program_stamp()
        now = system.now()
        self.record = state.load(read_text(self.state_file), self._node(), system.boot_id(), now, self._names())
        self._daemon, self._killed = None, None
        self._announced = self.record
        self._addresses = AddressGuard(system, self._say, self._try)
        self._lost = LostAddresses(system, self._say, self._try)
        self._claims = ForeignClaims(system, self._say, self._try)
        self._unordered, self._unconfirmed = Unordered(), False
        self._freeze = frozen.FreezeGuard(system)
        self._hook = Hook(system, self._say)
        self._written = self._checked = self._ticked = None
        self._reconcile_at = system.monotonic()
        self._wake_out, self._wake_in = os.pipe()
        self._stopping = self._reload = False

    # Outside

    def start(self):
        """Everything that must be true before systemd hears that the handler is ready."""
        self._open_fifo()
        self._work(force=True)
        self._tell("READY=1\nSTATUS=keeping %s" % self.state_file)
        self._say("keeping %s: %s" % (self.state_file, self._summary()))

    def run(self):
        """Until somebody says stop."""
        self.start()
        while not self._stopping:
            self.cycle()
        self._tell("STOPPING=1")
        self.close()

    def cycle(self, timeout=None):
        """Wait for an event or the next tick, then do what there is to do."""
        if timeout is None:
            due = self._freeze.remaining(self._advert_interval())
            claimed = self._claims.remaining()
            waits = [TICK, self._addresses.interval, due, claimed]
            timeout = min(wait for wait in waits if wait is not None)
            if self._unconfirmed and self._reconcile_at is not None:
                timeout = min(timeout, max(0.0, self._reconcile_at - self._system.monotonic()))
        idle = self._wait(timeout)
        if self._reload:
            self._reload, self._stamp = False, None
        self._work(force=idle and timeout >= TICK)

    def stop(self):
        self._stopping = True
        os.write(self._wake_in, b"s")

    def reload(self):
        self._reload = True
        os.write(self._wake_in, b"r")

    def close(self):
        self._addresses.close()
        self._lost.close()
        self._claims.close()
        self._hook.close()
        self._fifo.close()
        os.close(self._wake_in)
        os.close(self._wake_out)

    # Inside

    def _wait(self, timeout):
        """True when nothing came; the other machines' ARP traffic wakes us and is nothing."""
        deadline = self._system.monotonic() + timeout
        while True:
            askers = self._addresses.sources()
            sources = self._fifo.descriptors() + list(askers) + self._hook.sources() + [self._wake_out]
            claims = self._claims.sources()
            sources += self._lost.sources() + list(claims)
            try:
                ready = select.select(sources, [], [], max(0.0, deadline - self._system.monotonic()))[0]
            except (IOError, OSError, select.error) as exc:
                if exc.args[0] != errno.EINTR:
                    raise
                return False
            if self._wake_out in ready:
                os.read(self._wake_out, 64)
            for news in self._lost.sources():
                if news in ready:
                    self._try("address news", self._lost.hear)
            for ear, place in claims.items():
                if ear in ready:
                    self._try("claims heard on %s" % place[0], self._claims.hear, place)
            for asker, key in askers.items():
                if asker in ready:
                    ready.remove(asker)
                    self._try("stale %s" % key, self._addresses.hear, key)
            if ready or self._addresses.answered:
                return False
            if self._system.monotonic() >= deadline:
                return True

    def _work(self, force=False):
        now = self._system.now()
        lines = self._fifo.read_lines()
        if lines:
            self._apply_lines(lines, now)
        tick = force or self._ticked is None or self._system.monotonic() - self._ticked >= TICK
        if tick:
            self._ticked = self._system.monotonic()
            self._read_description()
            self._open_fifo()
            self._look_at_programs()
        if tick or lines or self._addresses.active:
            self._look_at_daemon(now)
        self._look_for_freeze(now)
        self._look_at_truth(now)
        self._announce(now)
        if tick or lines or self._addresses.active:
            self._addresses.look(self._description, self.record, self._daemon, self._look_again)
        if tick or self._lost.active:
            self._lost.look(self._description, self.record, self._daemon, self._look_again)
        if tick or lines or self._claims.active:
            self._claims.look(self._description, self.record, self._daemon, self._look_again)
        # Last, for it starts programs. It is not told what may not be true.
        if not self._unconfirmed:
            self.record = self._hook.look(self._description, self.record)
        self._announce(now)
        if tick:
            self._tell("WATCHDOG=1")

    def _announce(self, now):
        """Say what is new and put it into the state file."""
        before, self._announced = self._announced, self.record
        changes = [] if self.record is before else state.changes(before, self.record)
        for change in changes:
            self._say_change(change)
        if changes:
            self._addresses.hurry()
        self._write(now, before)

    def _say_change(self, change):
        if change["kind"] == "daemon":
            self._say(
                change["line"],
                message_id=journal.DAEMON_CHANGE,
                priority=journal.WARNING if change["new"] == state.CRASHED else None,
                HA_PAIR_OLD_STATE=change["old"],
                HA_PAIR_NEW_STATE=change["new"],
            )
            return
        vips = [vip["address"] for vip in virtual_addresses(self._description) if vip["instance"] == change["name"]]
        self._say(
            change["line"],
            message_id=journal.INSTANCE_CHANGE,
            priority=journal.WARNING if change["new"] in ("FAULT", "CRASHED") else journal.NOTICE,
            HA_PAIR_INSTANCE=change["name"],
            HA_PAIR_OLD_STATE=change["old"],
            HA_PAIR_NEW_STATE=change["new"],
            HA_PAIR_VRRP_PRIORITY=change["priority"],
            HA_PAIR_VIPS=" ".join(vips),
        )

    def _look_again(self, ask):
        """(record, daemon, whether that is keepalived's own word) as they are now; it is asked for that if `ask`."""
        now, sure = self._system.now(), False
        lines = self._fifo.read_lines()
        if lines:
            self._apply_lines(lines, now)
        self._look_at_daemon(now)
        if ask and self._daemon is not None:
            sure = self._ask_keepalived(now)
            self._look_at_daemon(self._system.now())
        return self.record, self._daemon, sure

    def _ask_keepalived(self, now):
        """Make the record what keepalived says of itself; whether it said anything."""
        ticks = self._system.ticks()
        dump = self._try("dump", self._system.dump, self._daemon, DUMP_TIMEOUT)
        self._unconfirmed = False
        if dump is not None:
            self._unordered.told(ticks)
            self._adverts.told(dump, self._description)
        self.record = state.reconcile(self.record, {"daemon": self._daemon, "instances": dump}, now)
        # What came while the dump was written is newer than the dump.
        lines = self._fifo.read_lines()
        if lines:
            self._apply_lines(lines, self._system.now())
        return dump is not None

    def _advert_interval(self):
        return self._adverts.owed(self._description, self.record, self._addresses.standing)

    def _look_for_freeze(self, now):
        """Kill a daemon that is there and does not run: to its peer it is dead, and nobody else ends it."""
        daemon = self._daemon
        advert = self._advert_interval()
        why = self._freeze.look(daemon, advert)
        if why is None:
            return
        # It may have been told to be slower since the last tick.
        self._read_description()
        if self._advert_interval() != advert:
            return
        self._say(
            "keepalived (pid %d) is frozen: %s; killing it, systemd starts it again" % (daemon["pid"], why),
            message_id=journal.GUARD_ACTION,
            priority=journal.WARNING,
        )
        self._try("kill", self._system.kill_daemon, daemon)
        # Should it hang in the kernel, it stays there; whatever it is, it is not running.
        self._daemon, self._killed = None, _identity(daemon)
        self.record = state.apply_daemon_gone(self.record, "signal", now)

    def _apply_lines(self, lines, now):
        events = [state.parse_line(line) for line in lines]
        junk = [line for line in lines if state.parse_line(line) is None]
        if junk:
            self._say(
                "ignored %d line(s) of the FIFO that are not keepalived's, the first: %s"
                % (len(junk), json.dumps(junk[0][:80]))
            )
        events, doubtful = self._unordered.sort(events)
        self.record = state.apply_events(self.record, events, now)
        if doubtful:
            # One that has just started has its first word before it can be asked.
            since = self._daemon["since"] if self._daemon else None
            young = SETTLE if since is None else SETTLE - (now - since)
            soon = self._system.monotonic() + max(CONFIRM, min(young, SETTLE))
            self._reconcile_at = soon if self._reconcile_at is None else min(soon, self._reconcile_at)
            self._unconfirmed = True

    def _look_at_daemon(self, now):
        """Notice a daemon that came or went, whether or not it said so."""
        daemon = self._system.daemon()
        if daemon is not None and _identity(daemon) == self._killed:
            daemon = None
        if daemon is None:
            gone = self.record["daemon"]["state"] in (state.STOPPED, state.CRASHED)
            if self._daemon is not None or not gone:
                result = None if gone else self._system.service_result()
                self.record = state.apply_daemon_gone(self.record, result, now)
        else:
            if self._daemon is None or _identity(daemon) != _identity(self._daemon):
                self._adverts.restarted()
                # It reports by itself as soon as it has decided; later its own data is asked for, in case it did not.
                self._reconcile_at = self._system.monotonic() + (
                    0 if self._daemon is None and self._written is None else SETTLE
                )
            self.record = state.apply_daemon_running(self.record, daemon, now)
        self._daemon = daemon

    def _look_at_truth(self, now):
        """Compare with the kernel now and then, and with keepalived's own data when there is a reason to."""
        clock = self._system.monotonic()
        if self._daemon is None:
            self._unconfirmed = False  # there is nobody to ask
            return
        due = self._reconcile_at is not None and clock >= self._reconcile_at
        if not due:
            if self._checked is not None and clock - self._checked < CHECK_INTERVAL:
                return
            self._checked = clock
            interfaces = self._try("kernel", self._system.interfaces)
            vips = virtual_addresses(self._description)
            if interfaces is None or not disagreements(self.record, vips, interfaces):
                return
        self._checked, self._reconcile_at = clock, None
        if not self._ask_keepalived(now):
            self._reconcile_at = clock + CHECK_INTERVAL
        elif self._adverts.is_doubtful(self._description):
            self._reconcile_at = clock + DOUBT_INTERVAL

    def _open_fifo(self):
        """Keep FIFO and directory of tracked files there; keepalived holds on to deleted ones until it reloads."""
        opened = self._try("fifo", self._fifo.ensure)
        make = self._system.make_directory
        made = [path for path, owner in self._directories() if self._try(path, make, path, owner)]
        if self._written is None or not (opened or made):
            return
        self._say("made %s anew" % ", ".join(made or [self._fifo.path]))
        # Nobody knows what was said while nobody listened.
        self._reconcile_at = self._system.monotonic()
        daemon = self._system.daemon()
        if daemon is not None:
            self._try("reload", self._system.reload_daemon, daemon)

    def _directories(self):
        """[(path, owner)] of the files that keepalived, the prober and the agent of services on one node share."""
        found = [(os.path.join(self._directory, "track"), "root")]
        if any(instance.get("raise_file") for instance in (self._description or {}).get("instances", {}).values()):
            found.append((os.path.join(self._directory, "raise"), "root"))
        if (self._description or {}).get("probes"):
            found.append((os.path.join(self._directory, "failing"), SCRIPT_ACCOUNT))
        if (self._description or {}).get("active_standby"):
            found.append((os.path.join(self._directory, "active"), "root"))
        return found

    def _look_at_programs(self):
        """New programs are installed in one step; systemd starts this one again with them."""
        if self._programs is not None and self._system.program_stamp() != self._programs:
            self._say("the programs of this node were replaced: starting again with the new ones")
            self.stop()

    def _read_description(self):
        stamp = self._system.description_stamp()
        if stamp == self._stamp and stamp is not None:
            return
        self._stamp = stamp
        description = self._try("description", self._system.description)
        if description is None:
            return
        self._description = description
        self._adverts.described(description)
        if self._adverts.is_doubtful(description):
            soon = self._system.monotonic() + CHECK_INTERVAL
            self._reconcile_at = soon if self._reconcile_at is None else min(soon, self._reconcile_at)
        if self.record is not None:
            self.record = state.expect(self.record, self._names(), self._system.now())
            self._say("read the description of this node again: %s" % (", ".join(self._names()) or "no instance"))

    def _write(self, now, before):
        clock = self._system.monotonic()
        due = self._written is None or clock - self._written >= CHECK_INTERVAL or not os.path.exists(self.state_file)
        if self.record == before and not due:
            return
        try:
            write_atomically(self.state_file, state.render(self.record, now))
        except (IOError, OSError) as exc:
            self._complain(
                "state file",
                "%s: cannot write (%s); see that its directory is there and has room" % (self.state_file, exc.strerror),
            )
            return
        self._problems.pop("state file", None)
        self._written = clock

    def _try(self, topic, call, *arguments):
        """The call's result; a problem is said once, not every tenth of a second."""
        try:
            result = call(*arguments)
        except NodeError as exc:
            self._complain(topic, str(exc))
            return None
        self._problems.pop(topic, None)
        return result

    def _say(self, line, **fields):
        self._journal(line, HA_PAIR_NODE=self._node(), **fields)

    def _complain(self, topic, problem):
        if self._problems.get(topic) != problem:
            self._problems[topic] = problem
            self._say("problem: %s" % problem)

    def _node(self):
        return (self._description or {}).get("node") or self._system.node_name()

    def _names(self):
        return sorted((self._description or {}).get("instances", {}))

    def _summary(self):
        return ", ".join(
            ["keepalived %s" % self.record["daemon"]["state"]]
            + ["%s %s" % (name, entry["state"]) for name, entry in sorted(self.record["instances"].items())]
        )


def _identity(daemon):
    return daemon["pid"], daemon["starttime"]


def main():
    """Run as ha-pair-notify.service."""
    handler = Handler(System())
    signal.signal(signal.SIGTERM, lambda _signum, _frame: handler.stop())
    signal.signal(signal.SIGINT, lambda _signum, _frame: handler.stop())
    signal.signal(signal.SIGHUP, lambda _signum, _frame: handler.reload())
    handler.run()
    return 0
