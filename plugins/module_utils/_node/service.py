# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program of ours that runs as a service says: to systemd and to the journal."""

from __future__ import absolute_import, division, print_function

import os
import socket
import sys

__metaclass__ = type


def tell(message):
    """Tell systemd, when there is one that listens."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    if path.startswith("@"):
        path = "\0" + path[1:]
    talk = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        talk.settimeout(0.1)
        talk.sendto(message.encode("utf-8"), path)
    except (IOError, OSError) as exc:
        log("cannot tell systemd %s: %s" % (message.splitlines()[0], exc))
    finally:
        talk.close()


def log(line):
    """One line to the journal, at once."""
    # ASCII whatever the locale of the unit is: a strange name must not end the handler.
    sys.stdout.write(line.encode("ascii", "backslashreplace").decode("ascii") + "\n")
    sys.stdout.flush()
