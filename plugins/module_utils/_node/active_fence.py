# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that makes sure that the peer does not run a service any more, beside a loop that does not wait for it.

Its exit code alone says whether it did; that it closes its output or leaves it open to others says nothing.
"""

from __future__ import absolute_import, division, print_function

import os
import signal
import subprocess
import sys
import tempfile

from .boot_clock import boottime
from .probes import ENVIRONMENT, last_line

__metaclass__ = type

_OWN_SESSION = {"start_new_session": True} if sys.version_info[0] > 2 else {"preexec_fn": os.setsid}
_TAIL = 4096


class Fence(object):
    """One run of the command."""

    def __init__(self, argv, timeout, clock=boottime):
        self._name, self._clock, self._timeout = argv[0], clock, timeout
        self._until, self._found, self._process = clock() + timeout, None, None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # pylint: disable=consider-using-with
        with open(os.devnull, "rb") as nothing:
            try:
                # Also runs as a program of the node, where there is no module to run commands.
                self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
                    argv,
                    stdin=nothing,
                    stdout=self._output,
                    stderr=subprocess.STDOUT,
                    close_fds=True,
                    cwd="/",
                    env=ENVIRONMENT,
                    **_OWN_SESSION
                )
            except (IOError, OSError) as exc:
                self._end(False, "cannot be started (%s)" % os.strerror(exc.errno))

    def result(self):
        """None while it runs; then (whether it succeeded, why not)."""
        if self._found is not None:
            return self._found
        code = self._process.poll()
        if code is None:
            if self._clock() < self._until:
                return None
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except OSError:
                pass  # it ended by itself just now
            return self._end(False, "no end within %g s" % self._timeout)
        if code == 0:
            return self._end(True, None)
        self._output.seek(max(0, os.fstat(self._output.fileno()).st_size - _TAIL))
        said = last_line(self._output.read(_TAIL))
        reason = "was ended by signal %d" % -code if code < 0 else "ended with %d" % code
        return self._end(False, reason + (": " + said if said else ""))

    def _end(self, succeeded, why):
        self._found = (succeeded, why if why is None else "%s: %s" % (self._name, why))
        self._output.close()
        return self._found
