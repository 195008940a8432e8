# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own command on every change of an instance's state.

It runs in a unit of its own (systemd-run), so it has neither the handler's limits nor its life, and nobody waits for
it. One runs at a time per instance; what happens meanwhile is told as one change, from the last state that was told to
the newest.
"""

from __future__ import absolute_import, division, print_function

import re

from . import state
from .errors import NodeError

__metaclass__ = type

# systemd ends a command that runs too long; when not even that ends, this long after (s).
GRACE = 15.0
_STOP_TIMEOUT = 5


# systemd-run waits since 232, bounds the runtime since 229, and forgets failed units since 236.
_WAITING_SYSTEMD = 236
_WAIT = """unit=$1
shift
systemd-run --quiet "--unit=$unit" "$@" || exit
while systemctl --quiet is-active "$unit.service"; do sleep 0.2; done
code=$(systemctl show -p ExecMainStatus "$unit.service")
# Only a failed one is still there to be forgotten.
systemctl reset-failed "$unit.service" 2>/dev/null
exit "${code#*=}"
"""


def command_line(hook, unit, instance, old, new, priority, systemd=None):
    """The argv of systemd-run for one change; for a systemd (its version) that is too old for that, of what waits."""
    arguments = list(hook["command"]) + [instance, old, new, "0" if priority is None else str(priority)]
    # systemd would put its own variables there.
    arguments = [word.replace("$", "$$") for word in arguments]
    description = "--description=Hook of the VRRP instance %s" % instance
    if systemd is not None and systemd < _WAITING_SYSTEMD:
        script = 'exec timeout --kill-after=%d %g "$$0" "$$@"' % (_STOP_TIMEOUT, hook["timeout"])
        waiting = ["/bin/sh", "-c", _WAIT, "hook", unit, description, "--uid=%s" % hook["user"], "--"]
        return waiting + ["/bin/sh", "-c", script] + arguments
    return [
        "systemd-run",
        "--quiet",
        "--wait",
        "--collect",
        "--unit=%s" % unit,
        description,
        "--uid=%s" % hook["user"],
        "--property=RuntimeMaxSec=%g" % hook["timeout"],
        "--property=TimeoutStopSec=%d" % _STOP_TIMEOUT,
        "--",
        # By a shell, because SELinux knows what systemd may become when it runs that, and not for what lies beside the
        # scripts of keepalived.
        "/bin/sh",
        "-c",
        'exec "$$0" "$$@"',
    ] + arguments


class Hook(object):
    """Starts the command and hears how it ended; `system` is the world, `say` the journal."""

    def __init__(self, system, say):
        self._system, self._say = system, say
        self._systemd = None  # its version, asked for once
        self._running = {}  # instance: [command, when it started, its timeout, what it was told]

    def sources(self):
        """What select() is to wait for."""
        return [entry[0] for entry in self._running.values()]

    def look(self, description, record):
        """The record after whatever there was to tell; never waits."""
        for name in list(self._running):
            self._look_at(name)
        hook = (description or {}).get("hook")
        if not hook:
            return record
        for name, old, new, priority in state.untold(record):
            if name in self._running:
                continue
            # Told is told: a command that fails is not called again and again for the same change.
            record = state.tell(record, name, new)
            configured = description["instances"].get(name, {}).get("priority")
            self._start(hook, name, old, new, configured if priority is None else priority)
        return record

    def _start(self, hook, name, old, new, priority):
        what = "hook of %s (%s -> %s)" % (name, old, new)
        unit = "ha-pair-hook-%s-%d" % (re.sub(r"[^A-Za-z0-9_.-]", "_", name), int(self._system.now() * 1000))
        if self._systemd is None:
            self._systemd = self._system.systemd_version()
        try:
            command = self._system.start(command_line(hook, unit, name, old, new, priority, self._systemd))
        except NodeError as exc:
            self._say("problem: %s: cannot be started (%s)" % (what, exc))
            return
        self._running[name] = [command, self._system.monotonic(), hook["timeout"], what]
        self._say("%s: started as %s.service" % (what, unit))

    def _look_at(self, name):
        command, started, timeout, what = self._running[name]
        elapsed = self._system.monotonic() - started
        result = command.result()
        if result is None:
            if elapsed > timeout + GRACE:
                command.kill()
            return
        del self._running[name]
        code, said = result
        if code == 0:
            return
        why = "still ran after %g s" % timeout if elapsed >= timeout else "failed with %d" % code
        self._say("problem: %s: %s%s" % (what, why, " (%s)" % said.splitlines()[-1] if said else ""))

    def close(self):
        """Let go of what runs; it goes on by itself."""
        self._running.clear()
