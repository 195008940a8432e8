# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What established connections suffer: long-lived ones with a request now and then, and one long download."""

from __future__ import absolute_import, division, print_function

import fcntl
import struct
import termios

from .wire import BrokenError, Connection

__metaclass__ = type

# Seconds between two requests on a long-lived connection.
PAUSE = 0.1
# How often the download is looked at; its stalls are known to about this.
TICK = 0.02
# Bytes a second of the download: slow, so that it lasts.
RATE = 65536
# Small, so that what lies in it does not hide a stall.
_BUFFER = 2048
# A download that has not got a byte for this long at the end is taken for broken.
HANGING = 1.0


class Numbers(object):
    """Names requests that change something, each by a number that is never used twice."""

    def __init__(self, prefix):
        self.prefix, self.given = prefix, 0

    def next(self):
        self.given += 1
        return "%s-%d" % (self.prefix, self.given)


class KeepAlive(object):
    """One connection that is kept: asked, answered, asked again. Broken, it is opened anew. No request is repeated.

    numbers: it posts, each request under a name of its own; without, it asks.
    """

    def __init__(self, loop, clock, target, timeout, numbers=None):
        self._loop, self._clock, self._target, self._timeout = loop, clock, target, timeout
        self._numbers, self._name, self._message = numbers, None, target.message(keep=True)
        self.requests, self.lost = 0, []
        self._connection, self._asking, self._break = None, False, None
        self._sent, self._at, self._node = None, None, None
        self.next_at, self.answered, self.broken = clock.monotonic(), False, []

    def tick(self):
        """Its time has come: for the next request, or to give the last one up."""
        now = self._clock.monotonic()
        if self._asking:
            self._broke(now, self._at, self._sent)
        else:
            self._ask(now)

    def _ask(self, now):
        self._sent, self._at, self._asking = now, self._clock.now(), True
        self.next_at = now + self._timeout
        self.requests += 1
        if self._numbers is not None:
            self._name = self._numbers.next()
            self._message = self._target.message(keep=True, post=self._name)
        try:
            if self._connection is None:
                self._connection = Connection(self._loop, self, self._target, self._message)
            elif self._connection.ask_again(self._message):
                self._got()
        except BrokenError:
            self._broke(now, self._at, self._sent)

    def on_event(self):
        now = self._clock.monotonic()
        if not self._asking:
            # Nothing was asked: the other side has closed, or makes no sense.
            self._broke(now, self._clock.now(), now)
            return
        try:
            if self._connection.proceed():
                self._got()
        except BrokenError:
            self._broke(now, self._at, self._sent)

    def _got(self):
        now, answer = self._clock.monotonic(), self._connection.answer
        self._node = node = answer.node(self._target.header)
        self.answered, self._asking, self.next_at = True, False, max(now, self._sent + PAUSE)
        if self._break is not None:
            began, entry = self._break
            entry["seconds"], entry["after"] = round(now - began, 6), node
            self._break = None
        if not answer.may_follow or self._connection.ended:
            # Told so by the server: that is no break.
            self.close()

    def _broke(self, now, at, began):
        self.close()
        lost, self._asking = self._asking, False
        if lost:
            self.lost.append(self._name)
        self.next_at = max(now, (self._sent or now) + PAUSE)
        if self._break is None and self.answered:
            entry = {"at": round(at, 6), "seconds": None, "before": self._node, "after": None}
            self.broken.append(entry)
            self._break = (began, entry)
            # A client whose connection broke opens another at once; only after that it takes its time. One that posts
            # has nothing to say yet when it lost nothing.
            if lost or self._numbers is None:
                self.next_at = now

    def forget(self):
        """What was until now does not count."""
        self.broken, self._break = [], None
        # One that is on its way is judged when it has come, or not.
        self.requests, self.lost = int(self._asking), []

    def pardon(self, now):
        """This machine stood still: a request on its way has all of its time once more."""
        if self._asking:
            self.next_at = now + self._timeout

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Download(object):
    """One long answer, read slowly."""

    def __init__(self, loop, clock, target, timeout):
        self._loop, self._clock, self._target, self._timeout = loop, clock, target, timeout
        self._connection, self._reading = None, False
        self._earlier, self._queued, self._allowed, self._looked_at = 0, 0, 0.0, None
        self._moved, self._moved_at, self._stall = None, None, 0.0
        self.answered, self.broken_at, self.problem, self.next_at = False, None, None, clock.monotonic()

    @property
    def bytes(self):
        """What has arrived."""
        return self._earlier + (self._connection.answer.body if self._connection else 0) + self._queued

    def tick(self):
        """Its time has come: to begin, to read on, or to give up waiting for the head."""
        now = self._clock.monotonic()
        try:
            if self._connection is None:
                self._begin(now)
            elif self._reading:
                self._read(now)
            else:
                raise BrokenError("no answer in time")
        except BrokenError as exc:
            self._broke(now, str(exc))

    def _begin(self, now):
        self.next_at = now + self._timeout
        self._note_move(now)
        self._connection = Connection(self._loop, self, self._target, self._target.message(), _BUFFER)

    def on_event(self):
        now = self._clock.monotonic()
        try:
            if not self._connection.proceed(headers_only=True):
                return
            self._connection.answer.node(self._target.header)
        except BrokenError as exc:
            self._broke(now, str(exc))
            return
        self._connection.leave_loop()
        self.answered, self._reading, self._looked_at, self._allowed = True, True, now, 0.0
        self.next_at = now
        self._note_move(now)

    def _read(self, now):
        self.next_at = now + TICK
        self._allowed = min(self._allowed + RATE * (now - self._looked_at), 5 * TICK * RATE)
        self._looked_at, before = now, self.bytes
        while self._allowed >= 1 and not self._connection.answer.complete:
            got = self._connection.read(int(self._allowed))
            if not got:
                break
            self._allowed -= got
        self._queued = struct.unpack("i", fcntl.ioctl(self._connection.fileno(), termios.FIONREAD, b"\0\0\0\0"))[0]
        if self.bytes > before:
            self._note_move(now)
        if self._connection.answer.complete:
            # Come to its end: once more, so that there is one for as long as the probe runs.
            self._earlier, self._queued = self.bytes - self._queued, 0
            self._drop()

    def _note_move(self, now):
        if self._moved is not None:
            self._stall = max(self._stall, now - self._moved)
        self._moved, self._moved_at = now, self._clock.now()

    def _broke(self, now, problem):
        self._earlier, self._queued = self.bytes - self._queued, 0
        self._drop()
        if self._moved is not None:
            self._stall = max(self._stall, now - self._moved)
        self.broken_at, self.problem, self.next_at = self._clock.now(), problem, None

    def _drop(self):
        self._reading = False
        self.close()

    def forget(self):
        """What was until now does not count."""
        self._stall, self._moved = 0.0, self._clock.monotonic()

    def pardon(self, now):
        """This machine stood still: that no byte came meanwhile is its own doing."""
        if self.next_at is not None:
            self._moved, self._moved_at = now, self._clock.now()
            if not self._reading:
                self.next_at = now + self._timeout

    def result(self):
        if self.broken_at is None and self._moved is not None:
            hanging = self._clock.monotonic() - self._moved
            self._stall = max(self._stall, hanging)
            if hanging >= HANGING:
                self.broken_at, self.problem = self._moved_at, "no byte since"
        return {
            "bytes": self.bytes,
            "broken_at": None if self.broken_at is None else round(self.broken_at, 6),
            "longest_stall": round(self._stall, 6),
            "problem": self.problem,
        }

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None
