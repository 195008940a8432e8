# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""End the idle connections to an address that is about to move, so that clients open new ones, which will find it.

When an address moves, every connection to it dies: the new owner does not know it. A client that learns that from a
request loses the request, and one that is no GET must not be sent again. A client whose connection ends while nothing
is asked on it opens another for the next request. So what is idle is ended before, and what is at work may finish.

At first only what has been silent for long is taken for idle: an answer may have pauses. As soon as the requests of the
beginning are done, or the time for that is over, `quiet` is enough, until the address has moved. What is then in the
middle of a request dies with the move, whatever anybody does.
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
SHORTEST_PAUSE, LONGEST_PAUSE = 0.002, 0.05
# Of the time not more than a part is spent on looking.
_SHARE = 3
_GONE = (errno.ENOENT, errno.ESTALE)
_UNABLE = (errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM)


def is_idle(connection, quiet):
    """Whether the last request was answered, and nothing has come for so long that none is under way."""
    if connection.waiting or connection.unacked:
        return False
    if connection.received == 0:
        return connection.came >= max(UNUSED, quiet)
    # Asked after it was last answered: somebody works on it. The kernel counts in steps of up to 4 ms.
    if connection.came < connection.went:
        return False
    return min(connection.came, connection.went) >= quiet + 2 * connection.round_trip


class Drain(object):
    """The work. kernel: see sockets.Kernel. holds: whether this host still has one of the addresses."""

    def __init__(self, kernel, addresses, patience, quiet, holds, clock):
        self._kernel, self._addresses, self._holds, self._clock = kernel, frozenset(addresses), holds, clock
        self._patience, self._quiet = patience, quiet
        self._closed, self._unable = 0, None

    def run(self, job):
        """Until the address has gone or the job is told to stop; ready when it may go."""
        began, waiting, ready = self._clock(), None, False
        while not job.stopping():
            started = self._clock()
            if not self._holds():
                break
            present = self._kernel.connections(self._addresses)
            names = {each.identity for each in present}
            # Those that were there at first, until they were seen without a request: others come as long as the address
            # is here, and may ask again at any time.
            waiting = names if waiting is None else waiting & names
            waiting -= {each.identity for each in present if is_idle(each, self._quiet)}
            self._end(present, self._quiet if ready else max(PATIENT, self._quiet))
            if not ready and (not waiting or self._unable or self._clock() - began >= self._patience):
                ready = True
                job.ready(self._account(began, len(waiting)))
            spent = self._clock() - started
            job.pause(min(LONGEST_PAUSE, max(SHORTEST_PAUSE, _SHARE * spent)))
            if self._unable:
                break
        if not ready:
            job.ready(self._account(began, len(waiting or ())))
        return self._account(began, len(waiting or ()))

    def _end(self, present, quiet):
        for connection in present:
            if not is_idle(connection, quiet):
                continue
            error = self._kernel.end(connection)
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
