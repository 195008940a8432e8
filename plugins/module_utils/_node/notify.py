# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The notify handler: keeps an honest record of this node's VRRP state, and takes stale addresses of ours away.

What comes through the FIFO comes in order, but not everything comes: events are lost while keepalived reloads and when
nobody reads, and a daemon that is killed cannot report it. So events are news, and the daemon's own data, the process
table and the kernel are the truth; nothing is replayed.
One thread, one select(), nothing in it waits for anybody for longer than a moment.
"""

from __future__ import absolute_import, division, print_function

import errno
import json
import os
import select
import signal
import socket
import sys

from . import addresses, state
from .errors import NodeError
from .fifo import Fifo
from .system import STATE_DIRECTORY, System, read_text, write_atomically

__metaclass__ = type

TICK = 1.0
# While a dead daemon's addresses stand here, how often it is asked whether another node has taken them over.
STALE_INTERVAL = 0.1
CHECK_INTERVAL = 5.0
DUMP_TIMEOUT = 1.0
# How long a daemon that just started has to report by itself before its data is asked for.
SETTLE = 1.0


def service_manager(message):
    """Tell systemd, when there is one that listens."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    if path.startswith("@"):
        path = "\0" + path[1:]
    talk = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        talk.settimeout(0.1)
        talk.sendto(message.encode("utf-8"), path)
    except (IOError, OSError) as exc:
        log("cannot tell systemd %s: %s" % (message.splitlines()[0], exc))
    finally:
        talk.close()


def log(line):
    """One line to the journal, at once."""
    # ASCII whatever the locale of the unit is: a strange name must not end the handler.
    sys.stdout.write(line.encode("ascii", "backslashreplace").decode("ascii") + "\n")
    sys.stdout.flush()


def virtual_addresses(description):
    """Every VIP of the description, with the name of its instance."""
    return [
        dict(vip, instance=name)
        for name, instance in sorted((description or {}).get("instances", {}).items())
        for vip in instance.get("vips", [])
    ]


def disagreements(record, vips, interfaces):
    """Instances whose recorded state and whose addresses in the kernel do not go together."""
    wrong = []
    for name, entry in sorted(record["instances"].items()):
        held = [bool(addresses.holders(interfaces, vip["address"])) for vip in vips if vip["instance"] == name]
        master = entry["state"] == "MASTER"
        if held and (entry["state"] == "UNKNOWN" or (not all(held) if master else any(held))):
            wrong.append(name)
    return wrong


def stale_addresses(vips, interfaces):
    """Where VIPs of ours stand in the kernel: address, prefix and interface as the kernel has them."""
    return [
        {"address": vip["address"], "prefix": prefix, "interface": interface}
        for vip in vips
        for interface, prefix in addresses.holders(interfaces, vip["address"])
    ]


class Handler(object):
    """The loop and what it remembers; `system` is the world, `say` the journal."""

    def __init__(self, system, say=log, tell=service_manager):
        self._system, self._say, self._tell = system, say, tell
        self._description, self._stamp, self._problems = None, None, {}
        self.record = None
        self._read_description()
        directory = (self._description or {}).get("state_directory", STATE_DIRECTORY)
        self.state_file = os.path.join(directory, "state.json")
        self._fifo = Fifo(os.path.join(directory, "notify.fifo"))
        self._track = os.path.join(directory, "track")
        self._programs = system.program_stamp()
        now = system.now()
        self.record = state.load(read_text(self.state_file), self._node(), system.boot_id(), now, self._names())
        self._daemon = None
        self._askers, self._answers, self._asked = {}, {}, None
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
            timeout = STALE_INTERVAL if self._askers else TICK
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
        for key in list(self._askers):
            self._drop_asker(key)
        self._fifo.close()
        os.close(self._wake_in)
        os.close(self._wake_out)

    # Inside

    def _wait(self, timeout):
        """True when nothing came; the other machines' ARP traffic wakes us and is nothing."""
        deadline = self._system.monotonic() + timeout
        while True:
            sources = self._fifo.descriptors() + list(self._askers.values()) + [self._wake_out]
            try:
                ready = select.select(sources, [], [], max(0.0, deadline - self._system.monotonic()))[0]
            except (IOError, OSError, select.error) as exc:
                if exc.args[0] != errno.EINTR:
                    raise
                return False
            if self._wake_out in ready:
                os.read(self._wake_out, 64)
            for key, asker in list(self._askers.items()):
                if asker in ready:
                    ready.remove(asker)
                    self._try("stale %s" % key, self._hear, key)
            if ready or any(self._answers.values()):
                return False
            if self._system.monotonic() >= deadline:
                return True

    def _hear(self, key):
        try:
            self._answers[key] = self._answers.get(key, set()) | self._askers[key].receive()
        except NodeError:
            self._drop_asker(key)
            raise

    def _work(self, force=False):
        before, now = self.record, self._system.now()
        lines = self._fifo.read_lines()
        if lines:
            self._apply_lines(lines, now)
        tick = force or self._ticked is None or self._system.monotonic() - self._ticked >= TICK
        if tick:
            self._ticked = self._system.monotonic()
            self._read_description()
            self._open_fifo()
            self._look_at_programs()
        if tick or lines or self._askers:
            self._look_at_daemon(now)
        self._look_at_truth(now)
        for line in state.changes(before, self.record):
            self._say(line)
        self._write(now, before)
        if tick or lines or self._askers:
            self._look_at_stale_addresses()
        if tick:
            self._tell("WATCHDOG=1")

    def _apply_lines(self, lines, now):
        events = [state.parse_line(line) for line in lines]
        junk = [line for line in lines if state.parse_line(line) is None]
        if junk:
            self._say(
                "ignored %d line(s) of the FIFO that are not keepalived's, the first: %s"
                % (len(junk), json.dumps(junk[0][:80]))
            )
        self.record = state.apply_events(self.record, events, now)

    def _look_at_daemon(self, now):
        """Notice a daemon that came or went, whether or not it said so."""
        daemon = self._system.daemon()
        if daemon is None:
            gone = self.record["daemon"]["state"] in (state.STOPPED, state.CRASHED)
            if self._daemon is not None or not gone:
                result = None if gone else self._system.service_result()
                self.record = state.apply_daemon_gone(self.record, result, now)
        else:
            if self._daemon is None or _identity(daemon) != _identity(self._daemon):
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
        dump = self._try("dump", self._system.dump, self._daemon, DUMP_TIMEOUT)
        if dump is None:
            self._reconcile_at = clock + CHECK_INTERVAL
        self.record = state.reconcile(self.record, {"daemon": self._daemon, "instances": dump}, now)
        # What came while the dump was written is newer than the dump.
        lines = self._fifo.read_lines()
        if lines:
            self._apply_lines(lines, self._system.now())

    def _look_at_stale_addresses(self):
        """A dead daemon's addresses go as soon as another node answers for them, and stay while nobody does."""
        if self._daemon is not None:
            for key in list(self._askers):
                self._drop_asker(key)
            return
        clock = self._system.monotonic()
        if self._asked is not None and clock - self._asked < STALE_INTERVAL and not any(self._answers.values()):
            return
        self._asked = clock
        interfaces = self._try("kernel", self._system.interfaces)
        if interfaces is None:
            return
        vips = virtual_addresses(self._description)
        stale = stale_addresses(vips, interfaces)
        for key in set(self._askers) - {entry["address"] for entry in stale}:
            self._drop_asker(key)
        for entry in stale:
            self._try("stale %s" % entry["address"], self._ask_or_remove, entry, interfaces, vips)

    def _ask_or_remove(self, entry, interfaces, vips):
        key = entry["address"]
        if addresses.parse_address(key)[0] != 4:
            raise NodeError(
                "%s: stands on %s without keepalived, and ARP cannot ask who has an IPv6 address; "
                "start keepalived, it takes it away or needs it" % (key, entry["interface"])
            )
        if key not in self._askers:
            self._askers[key] = self._system.asker(
                interfaces, entry["interface"], key, [vip["address"] for vip in vips]
            )
            self._say(
                "%s stands on %s without keepalived: asking whether another node has it" % (key, entry["interface"])
            )
        others = self._answers.pop(key, set())
        # The daemon may be back by now, and then the address is its own affair.
        if others and self._system.daemon() is None:
            self._system.remove_address(key, entry["prefix"], entry["interface"])
            self._say(
                "%s/%d removed from %s: %s answers for it and keepalived does not run here"
                % (key, entry["prefix"], entry["interface"], ", ".join(sorted(others)))
            )
            return
        try:
            self._askers[key].send()
        except NodeError:
            self._drop_asker(key)
            raise

    def _drop_asker(self, key):
        self._answers.pop(key, None)
        self._askers.pop(key).close()

    def _open_fifo(self):
        """Keep FIFO and directory of tracked files there; keepalived holds on to deleted ones until it reloads."""
        opened = self._try("fifo", self._fifo.ensure)
        made = self._try("track", self._make_track_directory)
        if self._written is None or not (opened or made):
            return
        self._say("made %s anew" % (self._track if made else self._fifo.path))
        # Nobody knows what was said while nobody listened.
        self._reconcile_at = self._system.monotonic()
        daemon = self._system.daemon()
        if daemon is not None:
            self._try("reload", self._system.reload_daemon, daemon)

    def _make_track_directory(self):
        if os.path.isdir(self._track):
            return False
        try:
            os.makedirs(self._track)
            os.chmod(self._track, 0o755)
        except (IOError, OSError) as exc:
            raise NodeError("%s: cannot be made (%s); remove what is in its place" % (self._track, exc.strerror))
        return True

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
