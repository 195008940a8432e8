# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both ends of the file synchronisation share: settings, places, and the state of this node."""

from __future__ import absolute_import, division, print_function

import errno
import fcntl
import hashlib
import json
import os
import re
import time

from . import active_report, sync_kept, sync_marker
from .errors import NodeError
from .system import STATE_DIRECTORY, read_text, run_command, write_atomically

__metaclass__ = type

SETTINGS_FILE = "/etc/keepalived/ha-pair-sync.json"
DATA_DIRECTORY = "/var/lib/ha-pair/sync"
REPORT = "sync.json"
REPORT_SCHEMA = 1
# Where rsync keeps what it had not finished; it never counts as a file of the user.
PARTIAL = ".ha-pair-partial"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")
_HOUR = 3600
# Who has a lock.
SOURCE, RECEIVER = "source", "receiver"
# How many tenths of a second a process has to tidy up when it is ended.
_PATIENCE = 30
_NEEDED = ("node", "peer", "peer_address", "instance", "port", "key", "known_hosts", "timeout", "directories")


def read_settings(path=SETTINGS_FILE):
    """The settings of this node; raises NodeError when the file holds none."""
    try:
        given = json.loads(read_text(path) or "")
        missing = [name for name in _NEEDED if name not in given]
        # ansible-core before 2.19 makes text of numbers.
        for name in ("port", "timeout", "bandwidth", "keep_days"):
            given[name] = int(given.get(name) or 0)
        given["service"] = given.get("service") or None
        named = {}
        for entry in given.get("directories", []):
            if not NAME.match(entry["name"]) or not entry["path"].startswith("/") or entry["name"] in named:
                raise ValueError(entry)
            named[entry["name"]] = dict({"exclude": []}, **entry)
        given["directories"] = named
    except (TypeError, ValueError, KeyError, AttributeError):
        raise NodeError("%s: is not readable; run the role file_sync again" % path)
    if missing:
        raise NodeError("%s: %s missing; run the role file_sync again" % (path, ", ".join(missing)))
    return given


class Node(object):
    """The machine, as both programs see it."""

    def __init__(self, settings, data=DATA_DIRECTORY, run=STATE_DIRECTORY, boot_id=None):
        self.settings, self._data, self._run = settings, data, run
        self._boot_id = boot_id or (read_text("/proc/sys/kernel/random/boot_id") or "").strip()

    def now(self):
        return time.time()

    def _state_text(self):
        return read_text(os.path.join(self._run, "state.json"))

    def _active_report(self):
        return active_report.parse(read_text(os.path.join(self._run, active_report.REPORT)), self._boot_id)

    @property
    def informant(self):
        """The unit by which this node knows whether it is owner."""
        return "ha-pair-active.service" if self.settings["service"] else "ha-pair-notify.service"

    def ownership(self):
        """Whether this node is the source: where the service is, if there is one, else where the VIP is."""
        service = self.settings["service"]
        if not service:
            return sync_marker.ownership(self._state_text(), self.settings["instance"], self._boot_id)
        phase = active_report.phase(self._active_report(), service)
        if phase is None:
            return sync_marker.UNKNOWN
        return sync_marker.OWNER if phase in active_report.OWNING else sync_marker.STANDBY

    def owned_since(self, when):
        """Whether it was after that time, as far as this boot goes. What lasts longer is in the marker, by begin()."""
        service = self.settings["service"]
        if service:
            return active_report.ran_since(self._active_report(), service, when)
        return sync_marker.owned_since(self._state_text(), self.settings["instance"], self._boot_id, when)

    def token(self, name):
        """A word that is another one once this node has been owner again, or was started again, or knows more."""
        service, instance = self.settings["service"], self.settings["instance"]
        if service:
            owned = active_report.ran_last(self._active_report(), service)
        else:
            owned = sync_marker.owned_last(self._state_text(), instance, self._boot_id)
        known = json.dumps([self._boot_id, self._path(name), read_text(self._marker_path(name)), owned])
        return hashlib.sha256(known.encode("utf-8")).hexdigest()[:32]

    def marker(self, name):
        marker = sync_marker.parse(read_text(self._marker_path(name)))
        # What is known of another directory says nothing of this one, whatever its name.
        return marker if marker is not None and marker["path"] == self._path(name) else None

    def _path(self, name):
        return self.settings["directories"][name]["path"]

    def save_marker(self, name, marker):
        path = self._marker_path(name)
        make_directory(os.path.dirname(path))
        text = sync_marker.render(dict(marker, path=self._path(name)))
        write_atomically(path, text, mode=0o600, durable=True)

    def _marker_path(self, name):
        return os.path.join(self._data, name + ".json")

    def filling(self, name):
        """Which source has begun to fill this directory for the first time: what is in it came from there alone."""
        try:
            noted = json.loads(read_text(self._filling_path(name)) or "")
            good = noted["path"] == self._path(name) and not self.owned_since(noted["at"])
            return noted["source"] if good else None
        except (ValueError, TypeError, KeyError):
            return None

    def note_filling(self, name, source):
        make_directory(self._data)
        noted = {"source": source, "path": self._path(name), "at": round(self.now(), 3)}
        write_atomically(self._filling_path(name), json.dumps(noted) + "\n", mode=0o600, durable=True)

    def forget_filling(self, name):
        """This node writes here itself from now on."""
        try:
            os.unlink(self._filling_path(name))
        except OSError as exc:
            if exc.errno != errno.ENOENT:
                raise

    def _filling_path(self, name):
        return os.path.join(self._data, "." + name + ".filling")

    def kept(self, name, *parts):
        """Where what is replaced on this node is kept."""
        return os.path.join(self._data, "kept", name, *parts)

    def tidy(self, name):
        """Remove what is kept no longer. It takes its time, and is looked at once an hour unless there is no room."""
        noted = os.path.join(self._data, "." + name + ".tidied")
        try:
            recent = abs(self.now() - os.stat(noted).st_mtime) < _HOUR
        except OSError:
            recent = False
        if recent and sync_kept.room(self.kept(name)) >= sync_kept.ROOM:
            return
        try:
            place = self.place(name)
        except NodeError:
            place = None
        sync_kept.prune(self.kept(name), place, self.settings.get("keep_days") or 0, self.now())
        try:
            with open(noted, "w"):
                os.utime(noted, None)
        except EnvironmentError:
            # Looked at again after the next round.
            return

    def place(self, name):
        """The real path of a directory; NodeError when it is not there, or not where it says."""
        path = self._path(name)
        if not os.path.isdir(path):
            raise NodeError("%s: is not a directory; make it, or run the role file_sync again" % path)
        if os.path.realpath(path) != path:
            raise NodeError("%s: leads to %s by a link; give the real path" % (path, os.path.realpath(path)))
        return path

    def mount(self, name, marker):
        """The mount point that holds a directory; RefusedError when another one did: its files are out of sight."""
        path, before = self.place(name), marker and marker["mount"]
        found = mount_of(path)
        if before and len(found) < len(before):
            raise sync_marker.RefusedError(
                "%s was on %s, which is not mounted now; mount it, then the next round goes on" % (path, before)
            )
        return found

    def is_empty(self, name):
        return not [entry for entry in _entries(self.place(name)) if entry != PARTIAL]

    def _lock_path(self, name):
        return os.path.join(self._data, "." + name + ".lock")

    def is_held_by_source(self, name):
        """Whether whoever has the lock, or had it last, is a round of this node as the source."""
        return read_text(self._lock_path(name)) == SOURCE

    def lock(self, name, holder=SOURCE):
        """A lock, as the descriptor that is to be closed; None when another round holds it."""
        make_directory(self._data)
        held = os.open(self._lock_path(name), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (IOError, OSError):
            os.close(held)
            return None
        try:
            os.ftruncate(held, 0)
            os.write(held, holder.encode("ascii"))
        except OSError:
            # A full disk is no reason not to run. Whoever waits does not know for whom, and waits to the end.
            pass
        if hasattr(os, "set_inheritable"):
            # rsync holds it as well: one that outlives us is still a round.
            os.set_inheritable(held, True)
        return held

    def report(self, name, entry):
        """Say in the report of this node how the last round of a directory went; the entry that was there before."""
        path = os.path.join(self._run, REPORT)
        make_directory(self._data)
        with open(os.path.join(self._data, ".report.lock"), "w") as held:
            # Rounds of several directories end at the same time.
            fcntl.flock(held, fcntl.LOCK_EX)
            return self._report(path, name, entry)

    def _report(self, path, name, entry):
        try:
            report = json.loads(read_text(path) or "")
            directories = dict(report["directories"])
        except (ValueError, TypeError, KeyError):
            directories = {}
        known = {key: value for key, value in directories.items() if key in self.settings["directories"]}
        known[name] = entry
        text = {
            "schema": REPORT_SCHEMA,
            "node": self.settings["node"],
            "written_at": round(self.now(), 3),
            "directories": known,
        }
        write_atomically(path, json.dumps(text, indent=2, sort_keys=True) + "\n")
        return directories.get(name)


def rsync_version(program):
    """The version of rsync as numbers; none when it does not say."""
    found = re.search(r"version +v?([0-9]+)[.]([0-9]+)[.]([0-9]+)", run_command([program, "--version"])[1])
    return [int(part) for part in found.groups()] if found else []


def tells_nanoseconds(*versions):
    """Whether all of them compare times by more than the second, in which a file may be written twice."""
    return all(list(version) >= [3, 1, 3] for version in versions)


def end(process):
    """End a process that we started, at once when it does not go by itself."""
    process.terminate()
    for _each in range(_PATIENCE):
        if process.poll() is not None:
            return
        time.sleep(0.1)
    process.kill()
    process.wait()


def mount_of(path):
    """The mount point that holds the path."""
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def make_directory(path):
    """The directory, only for root, if it is not there."""
    try:
        os.makedirs(path, 0o700)
    except OSError as exc:
        if exc.errno != errno.EEXIST:
            raise


def _entries(path):
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []
