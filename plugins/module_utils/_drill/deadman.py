# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Injects a fault behind a dead-man restore, and mends it.

The restore is a script in /run and a timer of systemd that runs it: both are there before anything breaks, need neither
the controller nor this module, and do not survive a reboot, which heals every fault as well.
"""

from __future__ import absolute_import, division, print_function

import io
import json
import os
import re
import shutil
import time

from .._node.errors import NodeError
from .._node.system import read_text
from . import shell

__metaclass__ = type

ROOT = "/run/ha-pair-drill"
SHORTEST, LONGEST, LONGEST_DELAY = 5.0, 86400.0, 600.0
EVERYTHING = "*"
_IDENTIFIER = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")
_INJECT_LIMIT, _UNDO_LIMIT = 65.0, 130.0  # of a step; the scripts end them a little earlier


def check_identifier(identifier, everything=False):
    """Refuse what is no safe name of a directory and a unit."""
    if everything and identifier == EVERYTHING:
        return
    if not identifier or not _IDENTIFIER.match(identifier):
        raise NodeError(
            "id: %s: is no id; give up to 40 letters, digits, - and _, beginning with a letter or digit"
            % (identifier or "missing")
        )


def check_times(params):
    """Refuse times that leave nobody the time to mend, or nobody a restore."""
    after, delay = params["restore_after"], params["delay"] or 0.0
    if after is None or not SHORTEST <= after <= LONGEST:
        raise NodeError(
            "restore_after: %s: the fault has to be undone when nobody comes back; give %g to %g seconds"
            % ("missing" if after is None else "%g" % after, SHORTEST, LONGEST)
        )
    if not 0 <= delay <= LONGEST_DELAY:
        raise NodeError("delay: %g: give 0 to %g seconds" % (delay, LONGEST_DELAY))


def seconds(value):
    """Seconds as systemd reads them."""
    return ("%.3f" % value).rstrip("0").rstrip(".")


def _number(text):
    try:
        return float((text or "").strip())
    except ValueError:
        return None


class Runtime(object):
    """The faults of this host in force and undone."""

    def __init__(self, target, root=ROOT, clock=time.time):
        self._target, self._root, self._clock = target, root, clock

    def directory(self, identifier):
        return os.path.join(self._root, identifier)

    @staticmethod
    def timer(identifier):
        return "ha-pair-drill-%s.timer" % identifier

    def _text(self, identifier, name):
        return read_text(os.path.join(self.directory(identifier), name))

    def _restored(self, identifier):
        """Who undid it, when, and what failed; None when nobody did."""
        text = self._text(identifier, "restored")
        if text is None:
            return None
        values = dict(line.partition("=")[::2] for line in text.splitlines())
        problems = (self._text(identifier, "failed") or "").splitlines() if values.get("failed") != "0" else []
        return {"at": _number(values.get("at")), "by": values.get("by"), "problems": problems}

    def record(self, identifier):
        """What was injected; an empty one for a directory that has no such record."""
        try:
            found = json.loads(self._text(identifier, "record.json") or "{}")
        except ValueError:
            found = {}
        return found if isinstance(found, dict) else {}

    def is_open(self, identifier):
        """Whether there is something to undo."""
        if not os.path.isfile(os.path.join(self.directory(identifier), "restore")):
            return False
        restored = self._restored(identifier)
        return restored is None or bool(restored["problems"])

    def open_ones(self):
        """The ids of all that is not undone."""
        try:
            names = os.listdir(self._root)
        except (IOError, OSError):
            return []
        return sorted(name for name in names if _IDENTIFIER.match(name) and self.is_open(name))

    def check_free(self, identifier, fault):
        """True when the very same fault is in force already; refuses another one."""
        for other in self.open_ones():
            record = self.record(other)
            if other == identifier and record.get("fault") == fault and self._restored(other) is None:
                return True
            raise NodeError(
                "id: %s: %s (%s) is not undone on this host, and two faults at once prove nothing; "
                "run state=mended id=%s first" % (identifier, other, record.get("fault") or "unknown", other)
            )
        return False

    def injection(self, identifier):
        """What state=injected reports of a fault in force."""
        record = self.record(identifier)
        done = _number(self._text(identifier, "injected"))
        return {
            "injected_at": done if done is not None else record.get("planned_at"),
            "restore_at": record.get("restore_at"),
            "timer": self.timer(identifier),
            "steps": record.get("steps") or [],
            "notes": record.get("notes") or [],
            "directory": self.directory(identifier),
        }

    def inject(self, params, plan):
        """Arm the restore, then break; what state=injected reports."""
        identifier, fault, delay = params["id"], params["fault"], params["delay"] or 0.0
        directory = self.directory(identifier)
        self._write(identifier, fault, plan)
        now = self._clock()
        record = {
            "id": identifier,
            "fault": fault,
            "armed_at": now,
            "planned_at": now + delay,
            "restore_at": now + delay + params["restore_after"],
            "steps": plan.words(),
            "undo_steps": len(plan.undo),
            "inject_steps": len(plan.prepare) + len(plan.cut),
            "notes": plan.notes,
        }
        self._put(directory, "record.json", json.dumps(record, indent=1, sort_keys=True), 0o600)
        self._arm(identifier, delay + params["restore_after"])
        if delay:
            self._delay(identifier, delay)
        else:
            limit = _INJECT_LIMIT * record["inject_steps"] + _UNDO_LIMIT * (1 + len(plan.undo))
            code, out, err = self._target.run(["/bin/sh", os.path.join(directory, "inject")], limit)[:3]
            if code != 0:
                what = (self._text(identifier, "inject_failed") or err or out).strip()
                raise NodeError(
                    "fault: %s: could not be injected: %s; %s"
                    % (fault, what or "exit code %d" % code, self._after_failure(identifier))
                )
        return self.injection(identifier)

    def _after_failure(self, identifier):
        """Undo what a failed injection left; says what came of it."""
        log = os.path.join(self.directory(identifier), "log")
        if self.is_open(identifier):
            self._run_restore(identifier, "injection")
        restored = self._restored(identifier)
        if restored is None:
            return "undoing it did not end; see %s, and run state=mended id=%s" % (log, identifier)
        if restored["problems"]:
            return "undoing it failed too (%s); see %s" % ("; ".join(restored["problems"]), log)
        return "everything was undone; see %s" % log

    def _put(self, directory, name, text, mode):
        path = os.path.join(directory, name)
        with io.open(path, "wb") as target:
            target.write(text if isinstance(text, bytes) else text.encode("utf-8"))
        os.chmod(path, mode)

    def _write(self, identifier, fault, plan):
        directory = self.directory(identifier)
        try:
            if os.path.isdir(directory):
                shutil.rmtree(directory)
            if not os.path.isdir(self._root):
                os.makedirs(self._root, 0o700)
            os.mkdir(directory, 0o700)
            for name, (text, mode) in sorted(plan.files.items()):
                self._put(directory, name, text, mode)
            timer, inject_timer = self.timer(identifier), "ha-pair-drill-inject-%s.timer" % identifier
            restore = shell.restore_script(identifier, fault, directory, plan, timer, inject_timer)
            self._put(directory, "restore", restore, 0o700)
            self._put(directory, "inject", shell.inject_script(identifier, fault, directory, plan), 0o700)
        except (IOError, OSError) as exc:
            raise NodeError(
                "%s: cannot be written (%s), so nothing was injected; make room in /run"
                % (directory, exc.strerror or exc)
            )

    def _schedule(self, unit, after, script, *words):
        """Run a script of ours after a time; why it cannot, None when it will."""
        for end in ("timer", "service"):
            # What an earlier run under this name left; mostly nothing.
            self._target.run(["systemctl", "stop", "%s.%s" % (unit, end)])
            self._target.run(["systemctl", "reset-failed", "%s.%s" % (unit, end)])
        command = ["systemd-run", "--on-active=%s" % seconds(after), "--timer-property=AccuracySec=100ms"]
        code, out, err = self._target.run(command + ["--unit=%s" % unit, "/bin/sh", script] + list(words))[:3]
        if code != 0:
            return (err or out).strip() or "systemd-run failed with %d" % code
        code, out, _err = self._target.run(["systemctl", "is-active", unit + ".timer"])[:3]
        return None if code == 0 else "%s.timer is %s" % (unit, out.strip() or "not active")

    def _arm(self, identifier, after):
        directory = self.directory(identifier)
        problem = self._schedule(
            "ha-pair-drill-%s" % identifier, after, os.path.join(directory, "restore"), "timer"
        )
        if problem:
            self._target.run(["systemctl", "stop", self.timer(identifier)])
            shutil.rmtree(directory, ignore_errors=True)
            raise NodeError(
                "restore_after: the timer that undoes the fault could not be armed (%s), so nothing was injected; "
                "see journalctl -u %s" % (problem, self.timer(identifier))
            )

    def _delay(self, identifier, delay):
        script = os.path.join(self.directory(identifier), "inject")
        problem = self._schedule("ha-pair-drill-inject-%s" % identifier, delay, script)
        if problem:
            raise NodeError(
                "delay: the timer that injects the fault could not be armed (%s); %s"
                % (problem, self._after_failure(identifier))
            )

    def _run_restore(self, identifier, by):
        limit = 80.0 + _UNDO_LIMIT * (1 + (self.record(identifier).get("undo_steps") or 10))
        self._target.run(["/bin/sh", os.path.join(self.directory(identifier), "restore"), by], limit)

    def mend(self, identifier):
        """Undo one fault; what state=mended reports of it. Raises NodeError when a step of it fails."""
        was_open = self.is_open(identifier)
        if was_open:
            self._run_restore(identifier, "drill")
        restored = self._restored(identifier)
        log, fault = os.path.join(self.directory(identifier), "log"), self.record(identifier).get("fault")
        if was_open and restored is None:
            raise NodeError(
                "id: %s: undoing %s did not end; see %s, and reboot the host where nothing else helps"
                % (identifier, fault or "the fault", log)
            )
        if restored and restored["problems"]:
            raise NodeError(
                "id: %s: undoing %s failed: %s; see %s, mend it by hand and run state=mended again"
                % (identifier, fault or "the fault", "; ".join(restored["problems"]), log)
            )
        # The timer may have been there first while we waited for it.
        return self.report(identifier, was_open and restored["by"] == "drill")

    def report(self, identifier, changed):
        """What state=mended reports of one fault."""
        restored = self._restored(identifier)
        done = restored if restored and not restored["problems"] else None
        return {
            "id": identifier,
            "fault": self.record(identifier).get("fault"),
            "changed": changed,
            "injected_at": _number(self._text(identifier, "injected")),
            "inject_failed": (self._text(identifier, "inject_failed") or "").strip() or None,
            "mending_at": _number(self._text(identifier, "undoing")) if done else None,
            "mended_at": done["at"] if done else None,
            "already": done["by"] if done and not changed else None,
        }

    def mend_everything(self):
        """Undo all faults; one report for each, even when the first fails."""
        reports, problems = [], []
        for identifier in self.open_ones():
            try:
                reports.append(self.mend(identifier))
            except NodeError as exc:
                problems.append(str(exc))
        if problems:
            raise NodeError("; ".join(problems))
        return reports
