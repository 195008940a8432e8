# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raise and lower the priority of a node for a planned switchover, now or later.

keepalived watches a file for it and adds to its priority while the file holds a 1. Later is a transient timer of
systemd's: it works without whoever set it, and a reboot forgets it.
"""

from __future__ import absolute_import, division, print_function

import re

from .._node.errors import NodeError
from .._node.owner import reads_one
from .._node.ready import write_state
from .._node.system import find_program

__metaclass__ = type

PREFIX = "ha-pair-raise-"
# Seconds in which a pair has moved once the raise is noticed.
SHORTEST_RAISE = 5.0


def raise_files(description, names=None):
    """{name: file} of what is raised as one, an instance or a sync group, for the named instances or all of them."""
    if description is None:
        raise NodeError(
            "/etc/keepalived/ha-pair.json: is not there; run this on a node of a pair, after the keepalived role"
        )
    instances = description["instances"]
    for name in names or ():
        if name not in instances:
            raise NodeError(
                "instances: %r is no instance of this node; known are %s" % (str(name), ", ".join(sorted(instances)))
            )
    found = {}
    for name in sorted(names or instances):
        path = instances[name].get("raise_file")
        if not path:
            raise NodeError(
                "%s: this node was deployed by an earlier version, which knew no planned switchover; run site.yml on "
                "both nodes" % name
            )
        found[path.rpartition("/")[2]] = path
    return found


def long_enough(description, seconds):
    """For how long to raise, so that a keepalived that only looks at the file now and then sees it; 0 stays 0."""
    noticed = (description or {}).get("keepalived", {}).get("raise_noticed_after", 0.0)
    return max(seconds, noticed + SHORTEST_RAISE) if seconds and noticed else seconds


def unit_name(name):
    """The name of the timer for an instance or group, whatever characters that has."""
    return PREFIX + re.sub("[^A-Za-z0-9_.-]", "_", name)


def timer_command(name, path, raised, after, lower_after=0.0):
    """The command that has systemd write the file later, and lower it again after that."""
    script = "echo %d >%s" % (raised, path)
    if lower_after:
        script += "; sleep %g; echo 0 >%s" % (lower_after, path)
    return [
        find_program("systemd-run") or "systemd-run",
        "--quiet",
        "--unit=" + unit_name(name),
        "--description=Planned switchover of %s, the way back" % name,
        "--on-active=%g" % after,
        "--timer-property=AccuracySec=100ms",
        "/bin/sh",
        "-c",
        script,
    ]


def apply(system, run, files, raised, after=0.0, lower_after=0.0, dry=False):
    """Raise or lower {name: file}, at once or later; whether anything changed.

    run: takes a command, returns (return code, output, errors). lower_after: seconds until it ends by itself.
    """
    changed = False
    for name, path in sorted(files.items()):
        now = reads_one(system, path)
        if dry:
            changed = changed or bool(after) or now != raised
            continue
        # Whatever was to happen later is no longer wanted.
        units = [unit_name(name) + ".timer", unit_name(name) + ".service"]
        run(["systemctl", "stop"] + units)
        # A failed one would keep its name, and systemd-run could not take it.
        run(["systemctl", "reset-failed"] + units)
        if after:
            _set_timer(run, timer_command(name, path, raised, after, lower_after), name)
            changed = True
            continue
        # First the way back: without one nothing is raised.
        if raised and lower_after:
            _set_timer(run, timer_command(name, path, False, lower_after), name)
        if now != raised:
            write_state(path, raised)
            changed = True
    return changed


def _set_timer(run, command, name):
    code, _output, errors = run(command)
    if code:
        raise NodeError(
            "%s: systemd-run cannot set a timer (%s); switch over without a time for the way back"
            % (name, errors.strip() or "no reason given")
        )
