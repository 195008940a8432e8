# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When this host got and lost its virtual addresses, from the kernel's own messages and not by looking again and again.

Also what a watcher cannot know: when it lost messages, when it did not run, how late it looked, and whether somebody
set the clock.
"""

from __future__ import absolute_import, division, print_function

import os
import socket
import time

from .._node.addresses import parse_address
from .._node.errors import NodeError
from .._node.system import HOLDING_INTERFACE, System, read_text
from . import background
from .rtnetlink import AddressEvents, Done, LostError, interface_name

__metaclass__ = type

WAKE = 0.1
# A watcher that did not get round for so long was frozen, or its host was.
STALL = 0.5
# By so much the clock has to jump between two looks; what it is slewed by is far less.
CLOCK_STEP = 0.05
LONGEST = 86400.0
_FIRST_LOOK = 5.0
# How often a dump is repeated when addresses changed in the middle of it.
_TRIES = 5
# Then it is time to see whether to stop, whatever the kernel has still to tell.
_AT_ONCE = 1000


class Clock(object):
    """The clocks of this host, and how long this process had to wait for a CPU."""

    @staticmethod
    def wall():
        return time.time()

    @staticmethod
    def boot():
        """Seconds since boot, those in suspend too."""
        if hasattr(time, "clock_gettime"):
            return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", 7))
        return float((read_text("/proc/uptime") or "0").split()[0])

    def now(self):
        """(boot, wall) of one moment: what keeps this process waiting between the two looks like a set clock."""
        for _attempt in range(3):
            begin, wall, boot = self.boot(), self.wall(), self.boot()
            if boot - begin < CLOCK_STEP / 10:
                break
        return boot, wall

    @staticmethod
    def kept_waiting():
        """Seconds that this process was ready to run and did not, since its start; None when the kernel counts none."""
        words = (read_text("/proc/self/schedstat") or "").split()
        if len(words) != 3 or words[2] == "0":
            return None
        return int(words[1]) / 1e9


def keys(vips):
    """[(as written, (family, packed))] of addresses; NodeError when one is none or there is none."""
    if not vips:
        raise NodeError("vips: names no address; give those of the pair")
    found = []
    for index, text in enumerate(vips):
        parsed = parse_address(text)
        if parsed is None:
            raise NodeError("vips[%d]: %s is not an IP address; write one, without prefix" % (index, text))
        family = socket.AF_INET if parsed[0] == 4 else socket.AF_INET6
        key = (family, socket.inet_pton(family, str(text)))
        if key in [other for _text, other in found]:
            raise NodeError("vips[%d]: %s is there twice; name it once" % (index, text))
        found.append((str(text), key))
    return found


class Follower(object):
    """Knows on which interfaces each address is, and tells every change.

    It hears changes before it asks what is there, so that nothing falls in between. When messages were lost it asks
    again; the time that it knew nothing of is a gap.
    """

    def __init__(self, vips, source, clock, name_of=interface_name):
        self._keys, self._source, self._clock, self._name_of = keys(vips), source, clock, name_of
        self._places = {key: set() for _text, key in self._keys}
        self._names = {}
        self._dumped, self._mixed, self._repeat, self._tries = None, False, False, 0
        self._lost_since, self._quiet = None, clock.wall()
        self.gaps = []

    def held(self):
        """{address: [interface]}."""
        return {text: self._interfaces(self._places[key]) for text, key in self._keys}

    def begin(self):
        """Find out what is there now."""
        self._ask()
        deadline = self._clock.boot() + _FIRST_LOOK
        while self._dumped is not None:
            if self._clock.boot() >= deadline:
                raise NodeError(
                    "addresses of this host: the kernel did not tell them within %g s; the host may be overloaded, "
                    "try again" % _FIRST_LOOK
                )
            self._source.wait(WAKE)
            self.hear()

    def hear(self):
        """What changed, as far as the kernel has told it: at, address, interface, held."""
        changes = []
        for _turn in range(_AT_ONCE):
            before = self._clock.wall()
            try:
                messages = self._source.receive()
            except LostError:
                self._lost()
                continue
            if messages is None:
                self._quiet = before
                break
            at = self._clock.wall()
            for message in messages:
                changes += self._take(message, at)
        return changes

    def unfinished_gap(self):
        """Since when the state is not known, None when it is."""
        return self._lost_since

    def _ask(self):
        self._dumped = {key: set() for _text, key in self._keys}
        self._mixed = self._repeat = False
        self._tries += 1
        self._source.ask()

    def _lost(self):
        if self._lost_since is None:
            self._lost_since = self._quiet
        self._tries = 0
        if self._dumped is None:
            self._ask()
        else:
            self._repeat = True

    def _take(self, message, at):
        if isinstance(message, Done):
            return self._done(message, at)
        key = (message.family, message.packed)
        if key not in self._places:
            return []
        before = self.held()
        if message.added or message.index not in self._names:
            self._names[message.index] = (
                self._name_of(message.index) or self._names.get(message.index) or "interface %d" % message.index
            )
        self._apply(self._dumped if message.dumped else self._places, key, message)
        if not message.dumped and self._dumped is not None:
            self._mixed = True
            self._apply(self._dumped, key, message)
        return self._differences(before, at)

    @staticmethod
    def _apply(places, key, message):
        if places is None:
            return
        place = (message.index,) + message.detail
        if message.added and message.usable:
            places[key].add(place)
        else:
            places[key].discard(place)

    def _done(self, message, at):
        if message.error:
            raise NodeError(
                "addresses of this host: the kernel does not tell them (%s); see what confines this process"
                % os.strerror(message.error)
            )
        if self._dumped is None:
            return []
        if message.error is None:
            self._mixed = True
            return []
        if self._repeat or ((self._mixed or message.interrupted) and self._tries < _TRIES):
            self._ask()
            return []
        before = self.held()
        self._places, self._dumped, self._tries = self._dumped, None, 0
        if self._lost_since is not None:
            self.gaps.append({"from": self._lost_since, "to": at})
            self._lost_since = None
        return self._differences(before, at)

    def _differences(self, before, at):
        changes, after = [], self.held()
        for text, _key in self._keys:
            for interface in sorted(set(after[text]) - set(before[text])):
                changes.append({"at": at, "address": text, "interface": interface, "held": True})
            for interface in sorted(set(before[text]) - set(after[text])):
                changes.append({"at": at, "address": text, "interface": interface, "held": False})
        return changes

    def _interfaces(self, places):
        return sorted({self._names[place[0]] for place in places})


class Diary(object):
    """Everything that the watcher is to report, turn by turn."""

    def __init__(self, vips, source, clock, name_of=interface_name):
        self._clock, self._source = clock, source
        self._follower = Follower(vips, source, clock, name_of)
        self._changes = {text: [] for text in self._follower.held()}
        self._stalls, self._steps = [], []
        self._started_at = self._boot = self._wall = self._held = self._waited = None

    def begin(self):
        """The first look; what is on this host."""
        self._follower.begin()
        self._held = self._follower.held()
        self._boot, self._wall = self._clock.now()
        self._started_at = self._wall
        self._waited = self._clock.kept_waiting()
        return {"started_at": self._started_at, "held": self._held}

    def turn(self):
        """Wait for the kernel or the next look, and write down what there is."""
        self._source.wait(WAKE)
        changes = self._follower.hear()
        boot, wall = self._clock.now()
        passed = boot - self._boot
        if passed > STALL:
            self._stalls.append({"from": self._wall, "to": wall})
        step = (wall - self._wall) - passed
        if abs(step) > CLOCK_STEP:
            self._steps.append({"at": wall, "seconds": step})
        late = self._late(passed)
        for change in changes:
            address = change.pop("address")
            self._changes[address].append(dict(change, late=late))
        self._boot, self._wall = boot, wall

    def _late(self, passed):
        """By how much the time of a change may be too late: as long as this process had to wait for a CPU.

        A process that is frozen with its host waits for none, and nothing changes meanwhile.
        """
        before, self._waited = self._waited, self._clock.kept_waiting()
        if before is None or self._waited is None:
            return min(STALL, max(0.0, passed - WAKE))
        return min(max(0.0, passed), max(0.0, self._waited - before))

    def report(self, boot_id):
        ended_at = self._clock.wall()
        gaps, since = list(self._follower.gaps), self._follower.unfinished_gap()
        if since is not None:
            gaps.append({"from": since, "to": ended_at})
        return {
            "started_at": self._started_at,
            "ended_at": ended_at,
            "boot_id": boot_id,
            "gaps": gaps,
            "stalls": self._stalls,
            "clock_steps": self._steps,
            "vips": {
                address: {"held_at_start": self._held[address], "changes": self._changes[address]}
                for address in self._held
            },
        }


def watch(job, vips, open_source=AddressEvents, clock=None, name_of=interface_name):
    """The work of the process that stays: its report."""
    source = open_source()
    try:
        diary = Diary(vips, source, clock or Clock(), name_of)
        job.ready(diary.begin())
        while not job.stopping():
            diary.turn()
        return diary.report(System.boot_id())
    finally:
        source.close()


def start(name, vips, duration, directory=None):
    """Start a watcher; what it saw first."""
    keys(vips)
    if not 0 < duration <= LONGEST:
        raise NodeError(
            "duration: %g is not in 0..%g s; give the time after which the watcher ends itself" % (duration, LONGEST)
        )
    return background.start(
        directory or background.default_directory(),
        name,
        lambda job: watch(job, vips),
        duration,
        meta={"vips": list(vips)},
    )


def stop(name, directory=None):
    """(whether it still ran, what the watcher of that name saw)."""
    directory = directory or background.default_directory()
    ran = background.running(directory, name) is not None
    report = background.stop(directory, name)
    if report.get("error") or "vips" not in report:
        raise NodeError(
            "%s in %s: the watcher failed (%s); start it again"
            % (name, directory, report.get("error") or "it left no report")
        )
    return ran, report


def wait_for(vips, expect, timeout, source, clock=None, name_of=interface_name):
    """Until all addresses are on this host (`held`) or none is (`free`), or the time is over.

    One that is held on the loopback only does not count: nobody serves through it.
    """
    clock = clock or Clock()
    if not 0 <= timeout <= LONGEST:
        raise NodeError("timeout: %g is not in 0..%g s; give the longest time to wait" % (timeout, LONGEST))
    begin = clock.boot()
    follower = Follower(vips, source, clock, name_of)
    follower.begin()
    while True:
        held = follower.held()
        served = [[name for name in held[address] if name != HOLDING_INTERFACE] for address in held]
        reached = all(served) if expect == "held" else not any(served)
        waited = max(0.0, clock.boot() - begin)
        if reached or waited >= timeout:
            return {"reached": reached, "waited": waited, "held": held}
        source.wait(min(WAKE, timeout - waited + 0.001))
        follower.hear()
