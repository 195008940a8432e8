# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""End the idle connections to an address that is about to move, so that clients open new ones, which will find it.

When an address moves, every connection to it dies: the new owner does not know it. A client that learns that from a
request loses the request, and one that is no GET must not be sent again. A client whose connection ends while nothing
is asked on it opens another for the next request. So what is idle is ended before, and what is at work may finish.

At first only what has been silent for long is taken for idle: an answer may have pauses. When the requests of the
beginning are done, or the time for that is over, the address may move. Shortly before it does, the work is hastened:
`quiet` is enough then, until the address has moved. Not for longer, because each end meets now and then the very moment
in which a client asks. What is then in the middle of a request dies with the move, whatever anybody does.
"""

from __future__ import absolute_import, division, print_function

import errno
import os

from .._node.errors import NodeError

__metaclass__ = type

# What a patient client of ours waits for before it calls a connection idle (seconds).
PATIENT = 0.5
# A connection on which nothing was ever asked may have its first request under way.
UNUSED = 1.0
# After so long without a word it is taken for answered where nothing tells whose turn it is.
UNCLEAR = 0.06
# Between two looks: at first, and at the least and at the most once the address may move.
PATIENT_PAUSE, SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.001, 0.05
# How much longer than a look a pause is at the least, so that a server with many connections has its processor.
_SHARE, _HASTY_SHARE = 3, 1
_GONE = (errno.ENOENT, errno.ESTALE)
_UNABLE = (errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM)


class Conversation(object):
    """Whose turn it is on a connection: `asked` is True while a request is not answered, None when that is not known.

    The kernel tells when data came and went last, in steps of up to 4 ms. What happened within one step is told from
    the order that a conversation has: who was not asked does not answer.
    """

    def __init__(self):
        self.asked, self._heard, self._said, self._since = None, None, None, None

    def look(self, seen, now):
        """Take in what the kernel says now. Its steps are too coarse for how long nothing happened, too."""
        heard, said = self._heard, self._said
        self._heard, self._said = seen.heard, seen.said
        if self._since is None:
            self._since = now - min(seen.came, seen.went)
        elif (heard, said) != (seen.heard, seen.said) or seen.heard is None:
            self._since = now - (min(seen.came, seen.went) if seen.heard is None else 0.0)
        if seen.came != seen.went:
            self.asked = seen.came < seen.went
        elif seen.said == 0:
            # Nothing was ever answered.
            self.asked = bool(seen.heard)
        elif seen.heard == 1:
            # One request, and something was said: the rest of the answer is on its way, if there is more.
            self.asked = False
        elif heard is not None and seen.heard == heard:
            # More of an answer, or nothing new.
            self.asked = False if seen.said != said else self.asked
        elif heard is not None and seen.said == said:
            self.asked = True
        elif heard is not None and seen.heard != heard + 1:
            # More than one request, or one in parts: either may have been the last.
            self.asked = None
        # Else a request and an answer: whoever had the turn before has it again.
        if self.asked is None and min(seen.came, seen.went) >= UNCLEAR:
            self.asked = False

    def is_idle(self, seen, quiet, now):
        """Whether nobody works on a request, and nothing has come for so long that none is under way."""
        if seen.waiting or seen.unacked or self.asked is not False:
            return False
        if seen.heard == 0:
            return seen.came >= max(UNUSED, quiet)
        return now - self._since >= quiet + 2 * seen.round_trip


class Drain(object):
    """The work. kernel: see sockets.Kernel. holds: whether this host still has one of the addresses.

    hastened: whether the address is about to move.
    """

    def __init__(self, kernel, addresses, patience, quiet, holds, hastened, clock):
        self._kernel, self._addresses, self._holds, self._clock = kernel, frozenset(addresses), holds, clock
        self._patience, self._quiet, self._hastened = patience, quiet, hastened
        self._closed, self._unable, self._conversations = 0, None, {}

    def run(self, job):
        """Until the address has gone or the job is told to stop; ready when it may go."""
        began, waiting, ready = self._clock(), None, False
        while not job.stopping():
            started = self._clock()
            if not self._holds():
                break
            present = self._look()
            names = {each.identity for each in present}
            # Those that were there at first, until they were seen without a request: others come as long as the address
            # is here, and may ask again at any time.
            waiting = names if waiting is None else waiting & names
            waiting -= {each.identity for each in present if self._is_idle(each, self._quiet)}
            hasty = ready and self._hastened()
            self._end(present, self._quiet if hasty else max(PATIENT, self._quiet))
            if not ready and (not waiting or self._unable or self._clock() - began >= self._patience):
                ready = True
                job.ready(self._account(began, len(waiting)))
            spent = self._clock() - started
            shortest, share = (SHORTEST_PAUSE, _HASTY_SHARE) if hasty else (PATIENT_PAUSE, _SHARE)
            job.pause(min(LONGEST_PAUSE, max(shortest, share * spent)))
            if self._unable:
                break
        if not ready:
            job.ready(self._account(began, len(waiting or ())))
        return self._account(began, len(waiting or ()))

    def _look(self):
        present, known = self._kernel.connections(self._addresses), self._conversations
        self._conversations = {each.identity: known.get(each.identity) or Conversation() for each in present}
        for each in present:
            self._conversations[each.identity].look(each, self._clock())
        return present

    def _is_idle(self, connection, quiet):
        return self._conversations[connection.identity].is_idle(connection, quiet, self._clock())

    def _end(self, present, quiet):
        for connection in present:
            if not self._is_idle(connection, quiet):
                continue
            # Looking at all of them took its time, in which this one may have been asked something.
            again = self._kernel.look(connection)
            if again is None:
                continue
            self._conversations[again.identity].look(again, self._clock())
            if not self._is_idle(again, quiet):
                continue
            error = self._kernel.end(again)
            if error in _UNABLE:
                self._unable = os.strerror(error)
                break
            if error and error not in _GONE:
                raise NodeError("connections: one could not be ended (%s)" % os.strerror(error))
            self._closed += 0 if error else 1

    def _account(self, began, busy):
        return {
            "closed": self._closed,
            "busy": busy,
            "seconds": round(self._clock() - began, 3),
            "problem": "this kernel ends no connection (%s)" % self._unable if self._unable else None,
        }
