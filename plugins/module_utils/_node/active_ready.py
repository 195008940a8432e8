# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a service that starts is ready, asked beside the loop that has a lease to keep: a question may take long."""

from __future__ import absolute_import, division, print_function

import os
import threading

from . import probes

__metaclass__ = type

TIMEOUT = 1.0


class FileAsker(object):
    """Ready as soon as there is the file; whoever starts the service removes an old one."""

    def __init__(self, path):
        self._path = path

    def ask(self, _timeout):
        return None if os.path.exists(self._path) else "%s: is not there" % self._path


def make_asker(kind, target):
    return FileAsker(target) if kind == "file" else probes.asker(kind, target)


class Readiness(object):
    """Asks in a thread every `interval` seconds while a service starts; `start` runs a function beside this."""

    def __init__(self, asker, interval, start=None):
        self._asker, self._interval, self._start = asker, interval, start or _start_thread
        self._run = None  # what the thread that asks now was told; another one's word does not count
        self.problem = None

    def begin(self):
        """A start: ask until it is ready or end() is called."""
        self.end()
        self._run = run = {"over": threading.Event(), "ready": None}
        self.problem = None
        self._start(lambda: self._ask(run))

    def end(self):
        if self._run is not None:
            self._run["over"].set()
        self._run = None

    @property
    def ready(self):
        """True, or None as long as it is not."""
        return None if self._run is None else self._run["ready"]

    def _ask(self, run):
        while not run["over"].is_set():
            try:
                problem = self._asker.ask(TIMEOUT)
            except probes.CannotAskError as exc:
                problem = str(exc)
            if run is self._run:
                self.problem = problem
            if problem is None:
                run["ready"] = True
                return
            run["over"].wait(self._interval)


def _start_thread(run):
    thread = threading.Thread(target=run)
    thread.daemon = True
    thread.start()
