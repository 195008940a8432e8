# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a unit by its control group: whether there are any, and their end without asking anybody.

systemd is asked as well, but a systemd that hangs or is slow must not keep a service alive that runs elsewhere by now.
"""

from __future__ import absolute_import, division, print_function

import io
import os
import signal

from .system import read_text

__metaclass__ = type

ROOTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")
# So often is looked for processes that were forked while the others were killed.
_ROUNDS = 20


def directory(group, roots=ROOTS):
    """Where the control group of a unit is, None where there is none (now)."""
    if not group or not group.startswith("/") or group == "/" or ".." in group.split("/"):
        return None
    for root in roots:
        path = root + group
        if os.path.exists(os.path.join(path, "cgroup.procs")):
            return path
    return None


def processes(path):
    """The numbers of all processes in it and below."""
    found = []
    for place, _directories, _files in os.walk(path):
        found += [int(word) for word in (read_text(os.path.join(place, "cgroup.procs")) or "").split()]
    return found


def populated(path):
    """Whether there is a process in it."""
    for line in (read_text(os.path.join(path, "cgroup.events")) or "").splitlines():
        if line.startswith("populated "):
            return line.split()[1] != "0"
    return bool(processes(path))


def _write(path, text):
    """Whether the kernel took it."""
    try:
        with io.open(path, "r+b", buffering=0) as target:
            target.write(text)
    except (IOError, OSError):
        return False
    return True


def kill(path, send=os.kill):
    """SIGKILL to every process in it and below."""
    if _write(os.path.join(path, "cgroup.kill"), b"1"):
        return
    # Older kernels: frozen, none of them forks or works on meanwhile; where that is not there, it is done in rounds.
    frozen = _write(os.path.join(path, "cgroup.freeze"), b"1")
    for _round in range(_ROUNDS):
        left = [number for number in processes(path) if number > 1]
        for number in left:
            try:
                send(number, signal.SIGKILL)
            except OSError:
                pass  # it ended by itself just now
        if frozen or not left:
            break
    if frozen:
        _write(os.path.join(path, "cgroup.freeze"), b"0")
