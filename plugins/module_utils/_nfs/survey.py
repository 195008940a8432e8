# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment has to know of storage before it changes anything, found out without waiting for a dead server.

A path is only looked at when the kernel's list says that it lies on a disk of this machine; everything else is asked by
a process or thread that is left behind when it does not come back.
"""

from __future__ import absolute_import, division, print_function

import errno
import os
import socket
import threading
import time

from .._node import probes
from .._node.mounts import mount_above, mount_at, mounts_now
from .._node.system import read_text

__metaclass__ = type

# How many names of what a mount would hide are told.
SHOWN = 5
# File systems that are some other process's or machine's, which may be gone.
_OTHERS = ("9p", "afs", "beegfs", "ceph", "cifs", "fuse", "gfs2", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs")
_clock = getattr(time, "monotonic", time.time)


def is_others(mount):
    """Whether somebody else has to answer for what is there."""
    return mount["fstype"].partition(".")[0] in _OTHERS


def below(path, mounts):
    """(the first names of what a mount at the path would hide, why it could not be looked at); one of them is None."""
    above = mount_above(path, mounts)
    if above is not None and is_others(above):
        return None, "lies on %s, which is %s" % (above["path"], above["fstype"])
    try:
        return sorted(os.listdir(path))[:SHOWN], None
    except (IOError, OSError) as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR):
            return ([], None) if exc.errno == errno.ENOENT else (None, "is not a directory")
        return None, os.strerror(exc.errno)


def in_fstab(path, text):
    """Whether a line of /etc/fstab mounts something at the path."""
    for line in (text or "").splitlines():
        words = line.split()
        if len(words) > 1 and not words[0].startswith("#") and (words[1].rstrip("/") or "/") == path:
            return True
    return False


def _connect(server, port, timeout, answers):
    deadline, problem = _clock() + timeout, "its name has no address"
    try:
        for family, kind, protocol, _name, place in socket.getaddrinfo(server, port, 0, socket.SOCK_STREAM):
            talk = socket.socket(family, kind, protocol)
            talk.settimeout(max(0.05, deadline - _clock()))
            try:
                talk.connect(place)
                answers.append(None)
                return
            except (IOError, OSError) as exc:
                problem = "%s: %s" % (place[0], "no answer" if isinstance(exc, socket.timeout) else exc.strerror or exc)
            finally:
                talk.close()
    except (IOError, OSError, UnicodeError) as exc:
        problem = "its name cannot be resolved (%s)" % (getattr(exc, "strerror", None) or exc)
    answers.append(problem)


def reach(server, port, timeout):
    """Why a TCP port of a server does not accept a connection within the timeout, None when it does.

    In a thread, because a name service that is gone takes as long as it likes.
    """
    answers = []
    thread = threading.Thread(target=_connect, args=(server, port, timeout, answers))
    thread.daemon = True
    thread.start()
    # A little more, so that a connection that is just being given up says why.
    thread.join(timeout + 0.5)
    return answers[0] if answers else "no answer from the name service"


def look(wanted, timeout, mounts=None, fstab="/etc/fstab", ask=None):
    """What is known of each wanted {"path", "server", "port"}; nothing is changed.

    `ask`: who asks a mount; (path, timeout) gives its problem.
    """
    mounts = mounts_now() if mounts is None else mounts
    table, ask = read_text(fstab), ask or _ask
    found, asked = [], {}
    for one in wanted:
        place = (one["server"], one["port"])
        if place not in asked:
            asked[place] = reach(one["server"], one["port"], timeout)
        mount = mount_at(one["path"], mounts)
        names, unseen = ([], None) if mount is not None else below(one["path"], mounts)
        found.append({
            "path": one["path"],
            "mounted": mount is not None,
            "source": mount and mount["source"],
            "fstype": mount and mount["fstype"],
            "options": mount["options"] if mount else [],
            # A server that does not accept a connection need not be asked for more.
            "problem": ask(one["path"], timeout) if mount is not None and asked[place] is None else None,
            "server_problem": asked[place],
            "hides": names or [],
            "unseen": unseen,
            "in_fstab": in_fstab(one["path"], table),
        })
    return found


def _ask(path, timeout):
    try:
        return probes.MountAsker(path).ask(timeout)
    except probes.CannotAskError as exc:
        return str(exc)
