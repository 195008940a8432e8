# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who releases something on this node, and how far that came: a small file that outlives a run that was killed.

A later run of the same input takes the claim over; the earlier one, if it still lives, finds that out at its next step
and ends.
"""

from __future__ import absolute_import, division, print_function

import errno
import fcntl
import json
import os

from .._node.errors import NodeError
from .._node.system import read_text, write_atomically

__metaclass__ = type

FILE = "/var/lib/ha-pair/release.json"
PHASES = ("staging", "activating", "proved", "failed", "sick")
_KEYS = ("run", "fingerprint", "by", "phase", "raised", "since", "until")


def read(path=FILE):
    """The claim, {} without one. One that nobody can read is an error: it may be that of a release under way."""
    text = read_text(path)
    if text is None:
        return {}
    try:
        found = json.loads(text)
        return {key: found[key] for key in _KEYS}
    except (ValueError, KeyError, TypeError):
        raise NodeError(
            "%s: is not what this collection wrote; see that no release is under way, then remove it" % path
        )


class _Lock(object):
    """Two runs on one node decide one after the other."""

    def __init__(self, path):
        directory = os.path.dirname(path)
        try:
            os.makedirs(directory, 0o755)
        except OSError as exc:
            if exc.errno != errno.EEXIST:
                raise NodeError("%s: cannot be made (%s)" % (directory, os.strerror(exc.errno)))
        self._path = os.path.join(directory, ".release.lock")

    def __enter__(self):
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_exception):
        os.close(self._descriptor)


def take(wanted, lease, take_over, now, path=FILE):
    """Make this node ours; what stood there before. wanted: run, fingerprint and by."""
    with _Lock(path):
        found = read(path)
        foreign = found and found["fingerprint"] != wanted["fingerprint"]
        if foreign and found["until"] > now and not take_over:
            raise NodeError(
                "%s: another release is under way here, begun by %s (%s); let it end, or take it over"
                % (path, found["by"], found["phase"])
            )
        # What a run that was killed left is kept until the node is proved: it says what there is to mend.
        kept = {"phase": found.get("phase", "staging"), "raised": found.get("raised", False)}
        if kept["phase"] in ("proved", "failed"):
            kept["phase"] = "staging"
        _write(dict(wanted, since=now, until=now + lease, **kept), path)
        return found


def keep(run, lease, now, phase=None, raised=None, path=FILE):
    """Note how far it came, and that it goes on; NodeError when another run has the node now."""
    with _Lock(path):
        found = read(path)
        if found.get("run") != run:
            raise NodeError(
                "%s: this release was taken over by %s; leave it to that run"
                % (path, found["by"] if found else "somebody who has ended it")
            )
        if phase is not None:
            found["phase"] = phase
        if raised is not None:
            found["raised"] = raised
        found["until"] = now + lease
        _write(found, path)


def release(run, path=FILE):
    """Give the node back; whether it was ours."""
    with _Lock(path):
        if read(path).get("run") != run:
            return False
        os.unlink(path)
        return True


def _write(claim, path):
    write_atomically(path, json.dumps(claim, sort_keys=True) + "\n", 0o600, durable=True)
