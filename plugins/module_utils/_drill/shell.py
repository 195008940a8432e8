# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two shell scripts of a fault: one that breaks, one that mends. Pure: composes text and runs nothing.

They are POSIX shell and need nothing but what every node has, because the one that mends has to run when nobody is
there any more: not the controller, not this module, not Python.
"""

from __future__ import absolute_import, division, print_function

import re

__metaclass__ = type

_SAFE = re.compile(r"^[A-Za-z0-9_@%+=:,./-]+$")

# What both scripts begin with. The PATH of whoever calls comes first; that of a timer may be short.
_HEAD = r"""#!/bin/sh
# %(title)s
# Written by duplex.ha_pair; it is gone after a reboot, as is what it speaks of.
directory=%(directory)s
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin
LC_ALL=C
export PATH LC_ALL
umask 022
cd / || exit 1

now() { date +%%s.%%N; }

say() {
  printf '%%s %%s\n' "$(now)" "$1" >>"$directory/log"
  logger -t ha-pair-drill -- "%(identifier)s: $1" >/dev/null 2>&1 || :
}

# A step that hangs must not keep the next one from running. No step inherits our locks, or a program that it leaves
# running would hold them.
run() { timeout -k 5 "$1" sh -c "$2" </dev/null >>"$directory/log" 2>&1 8>&- 9>&-; }

# Says in words how a step ended that failed.
ended() { if [ "$1" -eq 124 ]; then echo "did not end in time"; else echo "exit code $1"; fi; }
"""

_RESTORE = r"""
by=${1:-hand}
# Who comes second waits for the first and then finds nothing left to do.
exec 8>"$directory/restore.lock"
flock -w %(restore_wait)d 8 2>/dev/null || :
if grep -qx 'failed=0' "$directory/restored" 2>/dev/null; then
  exit 0
fi
say "undoing %(fault)s (asked by: $by)"
now >"$directory/undoing"
systemctl stop %(inject_timer)s >/dev/null 2>&1 || :
# An injection that still runs ends first: undone halfway, it would break again what is mended here.
exec 9>"$directory/inject.lock"
if ! flock -w %(inject_wait)d 9 2>/dev/null && [ -s "$directory/injector" ]; then
  injector=$(cat "$directory/injector")
  if grep -q -F "$directory/inject" "/proc/$injector/cmdline" 2>/dev/null; then
    say "the injection did not end; killing process $injector"
    kill -KILL "$injector" 2>/dev/null || :
  fi
fi

failed=0
: >"$directory/failed"
step() {
  run %(undo_limit)d "$2"
  code=$?
  if [ "$code" -eq 0 ]; then
    say "done: $1"
  else
    failed=$((failed + 1))
    printf '%%s (%%s)\n' "$1" "$(ended "$code")" >>"$directory/failed"
    say "FAILED: $1 ($(ended "$code"))"
  fi
}

%(steps)s
{
  printf 'at=%%s\n' "$(now)"
  printf 'by=%%s\n' "$by"
  printf 'failed=%%s\n' "$failed"
} >"$directory/restored.new"
mv -f "$directory/restored.new" "$directory/restored"
say "undone, $failed of %(count)d steps failed"
# Last: the timer's own run of this script may end with it.
systemctl stop %(timer)s >/dev/null 2>&1 || :
[ "$failed" -eq 0 ]
"""

_INJECT = r"""
exec 9>"$directory/inject.lock"
flock -w 5 9 2>/dev/null || :
# Mended before the delay was over.
if [ -e "$directory/undoing" ]; then
  say "not injecting: it was mended before"
  exit 3
fi
printf '%%s\n' "$$" >"$directory/injector"

step() {
  run %(inject_limit)d "$2"
  code=$?
  if [ "$code" -ne 0 ]; then
    say "FAILED: $1 ($(ended "$code"))"
    printf '%%s (%%s)\n' "$1" "$(ended "$code")" >"$directory/inject_failed"
    rm -f "$directory/injector"
    exec 9>&-
    sh "$directory/restore" injection
    exit 1
  fi
  say "done: $1"
}

say "injecting %(fault)s"
%(prepare)s
# The moment of the fault is that of its first step, not that of the preparation.
now >"$directory/injected"
%(cut)s
rm -f "$directory/injector"
say "injected"
"""


def quote(text):
    """One word of a shell command, whatever is in it."""
    text = str(text)
    return text if _SAFE.match(text) else "'" + text.replace("'", "'\"'\"'") + "'"


class Plan(object):
    """What a fault does to this host. A step is (what it does in words, shell command).

    `prepare` runs before the moment of the fault, `cut` is the fault, `undo` mends; each undo step stands alone and may
    run when its counterpart never did. `files` are {name: (text, mode)} beside the scripts, `notes` what to know about
    the fault on this host.
    """

    def __init__(self, cut=(), undo=(), prepare=(), files=None, notes=()):
        self.prepare, self.cut, self.undo = list(prepare), list(cut), list(undo)
        self.files = dict(files or {})
        self.notes = list(notes)

    def words(self):
        """The injection in words, one line per step."""
        return ["%s: %s" % step for step in self.prepare + self.cut]


def _steps(steps):
    return "\n".join("step %s %s" % (quote(words), quote(command)) for words, command in steps)


def restore_script(identifier, fault, directory, plan, timer, inject_timer):
    """The script that undoes the fault, as often as it is called and whoever calls: `sh restore WHO`."""
    head = _HEAD % {
        "title": "Undoes the fault %s of the failover drill." % fault,
        "directory": quote(directory),
        "identifier": identifier,
    }
    return head + _RESTORE % {
        "fault": fault,
        "timer": quote(timer),
        "inject_timer": quote(inject_timer),
        "restore_wait": 60,
        "inject_wait": 5,
        "undo_limit": 120,
        "steps": _steps(plan.undo),
        "count": len(plan.undo),
    }


def inject_script(identifier, fault, directory, plan):
    """The script that injects the fault; what fails is undone at once."""
    head = _HEAD % {
        "title": "Injects the fault %s of the failover drill." % fault,
        "directory": quote(directory),
        "identifier": identifier,
    }
    return head + _INJECT % {
        "fault": fault,
        "inject_limit": 60,
        "prepare": _steps(plan.prepare),
        "cut": _steps(plan.cut),
    }
