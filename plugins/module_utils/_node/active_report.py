# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others may believe of the report of ha-pair-active; pure functions, but for who is asked of a process.

The report is written when something changes, so its age says nothing. It is true as long as the agent lives that wrote
it: only that starts the services. With its end they end as well, and when is not in the report.
"""

from __future__ import absolute_import, division, print_function

import json

from .active_core import ACTIVE, STARTING, STOPPING
from .system import read_text

__metaclass__ = type

REPORT = "active.json"
# In these a service may be writing.
OWNING = (STARTING, ACTIVE, STOPPING)


def process_start(pid):
    """When a process began, in ticks of the kernel; None when there is none with this number, or it has ended."""
    text = read_text("/proc/%d/stat" % pid) or ""
    # Its name, which may hold anything, is in parentheses.
    words = text.rpartition(")")[2].split()
    return int(words[19]) if len(words) > 19 and words[0] not in ("Z", "X") else None


def parse(text, boot_id):
    """The report of this boot; None when the text is none."""
    try:
        report = json.loads(text or "")
        good = report["boot_id"] == boot_id and all("phase" in entry for entry in report["services"].values())
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return report if good else None


def phase(report, name, start_of=process_start):
    """The phase of a service; None when nobody knows it now."""
    if report is None or name not in report["services"]:
        return None
    try:
        alive = start_of(int(report["pid"])) == report["started"]
    except (KeyError, TypeError, ValueError):
        return None
    return report["services"][name]["phase"] if alive and report["started"] is not None else None


def ran_since(report, name, when):
    """Whether the service may have run here after that time (epoch), as far as this boot goes."""
    entry = (report or {"services": {}})["services"].get(name)
    if entry is None:
        return False
    if entry["phase"] in OWNING:
        return True
    ended = entry.get("ran_at")
    return ended is not None and ended > when


def ran_last(report, name):
    """[whether it may be running here, when it ended to last]; something else once it has run here again."""
    entry = (report or {"services": {}})["services"].get(name)
    return None if entry is None else [entry["phase"] in OWNING, entry.get("ran_at")]


def note_runs(before, services, now):
    """The entries of the services, each with when it ended to run here last. `before`: the report before this one."""
    known = (before or {"services": {}})["services"]
    noted = {}
    for name, entry in services.items():
        last = known.get(name, {})
        # An agent that was started again does not know when the service of the one before it ended.
        ran_at = now if last.get("phase") in OWNING else last.get("ran_at")
        noted[name] = dict(entry, ran_at=None if entry["phase"] in OWNING else ran_at)
    return noted
