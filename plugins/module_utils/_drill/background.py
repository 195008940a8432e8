# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that outlives the module that started it: a process of its own, with a time limit and a result in a file.

A directory holds NAME.pid while the work runs, NAME.told for what it was told meanwhile, and NAME.json when it has
ended. Whoever does the work imports what it needs before start(): the files of the module are gone soon after it has
answered.
"""

from __future__ import absolute_import, division, print_function

import errno
import fcntl
import json
import os
import re
import select
import signal
import stat
import tempfile
import time

from .._node.errors import NodeError
from .._node.system import read_text, write_atomically

__metaclass__ = type

# What the work has to write its result, once told to end (seconds). Then the process ends without asking it.
GRACE = 5.0
_SAFE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
_PAUSE = 0.02

_clock = getattr(time, "monotonic", time.time)


class Job(object):
    """What the work is given: it says when it is ready, asks whether to stop, and leaves its result.

    A call that waits (poll, select, recv) may be interrupted by the signal to stop: on Python 2.7 it then raises EINTR.
    """

    def __init__(self, result_path, ready_to, limit, started_at):
        self._path, self._ready_to = result_path, ready_to
        self._deadline, self._reason, self._overdue = _clock() + limit, None, False
        self.started_at, self.limit, self.finished = started_at, limit, False

    def told(self):
        """What tell() said last, or None."""
        return read_text(os.path.splitext(self._path)[0] + ".told")

    def ready(self, data=None):
        """Let start() return the data."""
        if self._ready_to is not None:
            descriptor, self._ready_to = self._ready_to, None
            if not _tell(descriptor, {"ready": data}):
                os._exit(1)  # start() has given up, and nobody would ever stop this

    def refuse(self, problem):
        """Let start() fail with the text; True when it still waited."""
        if self._ready_to is None:
            return False
        descriptor, self._ready_to = self._ready_to, None
        _tell(descriptor, {"problem": problem})
        return True

    def stopping(self):
        """Whether to come to an end: somebody asked for the result, or the time is over."""
        if self._reason is None and _clock() >= self._deadline:
            self._reason = "limit"
        return self._reason is not None

    def pause(self, seconds):
        """Sleep, not longer than until it is time to stop; whether it is."""
        end = min(_clock() + seconds, self._deadline)
        while not self.stopping() and _clock() < end:
            try:
                time.sleep(max(0.0, min(0.1, end - _clock())))
            except (IOError, OSError):
                pass  # Python 2.7: the signal to stop
        return self.stopping()

    @property
    def ended_by(self):
        """"stop", "limit", or "itself" as long as nobody told it to end."""
        return self._reason or "itself"

    def finish(self, result):
        """Write the result, once; what comes later is not heard."""
        if not self.finished:
            write_atomically(self._path, json.dumps(dict(result, ended_by=self.ended_by)), 0o600)
            self.finished = True

    def watch_time(self):
        """Take the signals: SIGTERM to stop, SIGALRM at the limit. After GRACE the process ends, whatever it does."""

        def on_signal(number, _frame):
            self._reason = self._reason or ("stop" if number == signal.SIGTERM else "limit")
            if not self._overdue:
                self._overdue = True
                signal.signal(signal.SIGALRM, on_overdue)
                signal.setitimer(signal.ITIMER_REAL, GRACE)

        def on_overdue(_number, _frame):
            problem = "it did not come to an end within %g s after it was told to" % GRACE
            self.refuse(problem)
            self.finish({"error": problem})
            os._exit(1)

        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGALRM, on_signal)
        signal.setitimer(signal.ITIMER_REAL, max(0.001, self._deadline - _clock()))


def default_directory():
    """Where background work keeps its files; away after a reboot for root."""
    if os.geteuid() == 0:
        return "/run/ha-pair-drill"
    return os.path.join(tempfile.gettempdir(), "ha-pair-drill-%d" % os.geteuid())


def start(directory, name, work, limit, meta=None, wait=10.0):
    """Run work(job) in a process of its own; what it gave to job.ready().

    It ends `limit` seconds from now at the latest. `meta` is kept for running().
    """
    _check_name(name)
    if isinstance(limit, bool) or not 0 < limit <= 86400 * 7:
        raise NodeError("%s: a time limit of %r s; give more than 0 and at most 604800" % (name, limit))
    _prepare(directory)
    lock = os.open(os.path.join(directory, ".%s.lock" % name), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (IOError, OSError):
            raise NodeError("%s in %s: somebody else is starting it; wait, or use another name" % (name, directory))
        present = running(directory, name)
        if present:
            raise NodeError(
                "%s in %s: runs already as process %d; stop it first, or use another name"
                % (name, directory, present["pid"])
            )
        for ending in (".json", ".pid", ".told"):
            _remove(os.path.join(directory, name + ending))
        return _launch(directory, name, work, float(limit), meta, wait)
    finally:
        os.close(lock)


def running(directory, name):
    """{"pid", "started_at", "limit", "meta"} of the work of that name, or None when it does not run."""
    _check_name(name)
    noted = _noted(directory, name)
    if noted is None or noted["identity"] != _identity(noted["pid"]):
        return None
    return {key: noted.get(key) for key in ("pid", "started_at", "limit", "meta")}


def tell(directory, name, text):
    """Leave a text for the work, see Job.told(); NodeError when it does not run."""
    if running(directory, name) is None:
        raise NodeError("%s in %s: does not run; start it first" % (name, directory))
    write_atomically(os.path.join(directory, name + ".told"), text, 0o600)


def stop(directory, name, wait=15.0):
    """End the work and return its result; the same one when it has ended before."""
    _check_name(name)
    path = os.path.join(directory, name + ".json")
    present = running(directory, name)
    if present:
        try:
            os.kill(present["pid"], signal.SIGTERM)
        except OSError as exc:
            if exc.errno != errno.ESRCH:
                raise NodeError(
                    "%s in %s: process %d cannot be told to end (%s); do it as the user who started it"
                    % (name, directory, present["pid"], os.strerror(exc.errno))
                )
        deadline = _clock() + wait
        while running(directory, name):
            if _clock() >= deadline:
                raise NodeError(
                    "%s in %s: process %d has not ended within %g s; see what holds it up, then: kill -KILL %d"
                    % (name, directory, present["pid"], wait, present["pid"])
                )
            time.sleep(_PAUSE)
    text = read_text(path, 256 << 20)
    if text is not None:
        try:
            return json.loads(text)
        except ValueError:
            raise NodeError("%s: is not what this collection wrote; remove it and start %s again" % (path, name))
    noted = _noted(directory, name)
    if noted is None:
        raise NodeError(
            "%s in %s: was never started here; start it with the same name, directory and user" % (name, directory)
        )
    raise NodeError(
        "%s in %s: process %d ended without a result; it was killed or the machine went down, so start it again"
        % (name, directory, noted["pid"])
    )


def _check_name(name):
    if not _SAFE_NAME.match(name):
        raise NodeError(
            "name %r: use 1 to 64 letters, digits, '_', '-' and '.', beginning with a letter or digit" % (name,)
        )


def _prepare(directory):
    """Make the directory, for us alone. In /tmp somebody else may have been there first."""
    if not directory.startswith("/"):
        raise NodeError("directory %s: give an absolute path" % directory)
    try:
        os.makedirs(directory, 0o700)
    except OSError as exc:
        if exc.errno != errno.EEXIST:
            raise NodeError("directory %s: cannot be made (%s); name another one" % (directory, os.strerror(exc.errno)))
    seen = os.lstat(directory)
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_mode & 0o022:
        raise NodeError(
            "directory %s: is not a directory that only user %d may write to; remove it or name another one"
            % (directory, os.geteuid())
        )


def _remove(path):
    try:
        os.unlink(path)
    except OSError as exc:
        if exc.errno != errno.ENOENT:
            raise NodeError("%s: cannot be removed (%s); remove it by hand" % (path, os.strerror(exc.errno)))


def _identity(pid):
    """What no other process has in common with this one, even when it gets the same number; None when it has ended."""
    text = read_text("/proc/%d/stat" % pid)
    if text is None:
        return None
    # The name may contain anything, a bracket as well: what follows the last one is numbers.
    words = text.rpartition(")")[2].split()
    if len(words) < 20 or words[0] in "ZX":
        return None
    return "%s %s" % (words[19], (read_text("/proc/sys/kernel/random/boot_id") or "").strip())


def _noted(directory, name):
    text = read_text(os.path.join(directory, name + ".pid"))
    try:
        noted = json.loads(text or "")
        return noted if isinstance(noted["pid"], int) and noted["pid"] > 1 and noted["identity"] else None
    except (ValueError, KeyError, TypeError):
        return None


def _tell(descriptor, message):
    """Whether there was still somebody to tell."""
    data = json.dumps(message).encode("utf-8")
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.close(descriptor)
    except OSError:
        return False  # start() has given up waiting
    return True


def _launch(directory, name, work, limit, meta, wait):
    reading, writing = os.pipe()
    first = os.fork()
    if first == 0:
        status = 1
        try:
            os.setsid()
            if os.fork() == 0:
                _child(directory, name, work, limit, meta, writing)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    try:
        os.waitpid(first, 0)
        answer = _hear(reading, wait)
    finally:
        os.close(reading)
    if answer is None:
        present = running(directory, name)
        if present:
            try:
                os.kill(present["pid"], signal.SIGKILL)
            except OSError:
                pass  # ended by itself meanwhile
        raise NodeError("%s: was not ready within %g s; the machine may be overloaded, try again" % (name, wait))
    try:
        answer = json.loads(answer.decode("utf-8"))
    except ValueError:
        raise NodeError("%s: its process died before it was ready; see the kernel's log for the reason" % name)
    if "problem" in answer:
        raise NodeError(answer["problem"])
    return answer["ready"]


def _hear(descriptor, wait):
    """What the other end wrote until it closed; None when it did not within the time."""
    deadline, data = _clock() + wait, b""
    while True:
        if not select.select([descriptor], [], [], max(0.0, deadline - _clock()))[0]:
            return None
        piece = os.read(descriptor, 65536)
        if not piece:
            return data
        data += piece


def _child(directory, name, work, limit, meta, writing):
    """The whole life of the process; never returns."""
    try:
        _detach(writing)
        started_at = time.time()
        job = Job(os.path.join(directory, name + ".json"), writing, limit, started_at)
        job.watch_time()
        noted = {
            "pid": os.getpid(),
            "identity": _identity(os.getpid()),
            "started_at": started_at,
            "limit": limit,
            "meta": meta,
        }
        write_atomically(os.path.join(directory, name + ".pid"), json.dumps(noted), 0o600)
        _work(job, work)
    finally:
        os._exit(0)


def _work(job, work):
    try:
        result = work(job)
        job.finish(result or {})
        job.ready()
    except NodeError as exc:
        _fail(job, str(exc))
    except Exception as exc:  # noqa: BLE001  # pylint: disable=broad-except
        # Whatever it is, there is nobody else to tell.
        _fail(job, "%s: %s" % (type(exc).__name__, exc))


def _fail(job, problem):
    if not job.refuse(problem):
        job.finish({"error": problem})


def _detach(kept):
    """Let go of everything of the module: its signals, its files, its place."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.chdir("/")
    os.umask(0o077)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) not in (0, 1, 2, kept):
            try:
                os.close(int(entry))
            except OSError:
                pass  # the one that listed them
