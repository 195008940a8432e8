# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ha-pair-active says of its services, for people; a report of one that runs no more says nothing of now."""

from __future__ import absolute_import, division, print_function

import json

from .active_core import ACTIVE, HELD_DOWN, STARTING
from .active_report import REPORT
from .system import STATE_DIRECTORY

__metaclass__ = type

UNIT = "ha-pair-active.service"
SCHEMA = 1
# Where it is to run, it does or is about to.
AT_WORK = (STARTING, ACTIVE)
UNKNOWN = "unknown"


def names(description):
    """The services that run on one node of the pair only."""
    return list((description or {}).get("active_standby") or [])


def is_of_this_life(report, system):
    """Why a report is of no agent that runs now; None when it is. It is written on changes, so its age says nothing."""
    if report.get("boot_id") != system.boot_id():
        return "is stale: of an earlier boot"
    process = system.process(int(report["pid"]))
    if process is None or process["starttime"] != report["started"]:
        return "is stale: of an agent that is gone (process %d)" % int(report["pid"])
    return None


def read_report(system, description):
    """(report, problem) of the agent; one that is stale is none."""
    path = "%s/%s" % (description.get("state_directory", STATE_DIRECTORY), REPORT)
    text = system.read(path)
    if text is None:
        return None, "%s: is not there; see that %s runs" % (path, UNIT)
    try:
        report = json.loads(text)
        known = report["schema"] == SCHEMA and all(entry["phase"] for entry in report["services"].values())
        problem = is_of_this_life(report, system) if known else None
    except (AttributeError, KeyError, TypeError, ValueError):
        known = False
    if not known:
        return None, "%s: is not a report of schema %d; systemctl restart %s" % (path, SCHEMA, UNIT)
    if problem:
        return None, "%s: %s; see that %s runs" % (path, problem, UNIT)
    return report, None


def agent_view(system, description):
    """Whether the agent runs, and what it says of each service; without such a service there is nothing to miss.

    Of a service: phase, why, instance, ready, fit, arbiter (kind, promise, says, why, problem), hold_down_until
    (epoch), failure, failed_on_both. None of one that the agent does not say anything of.
    """
    view = {"running": False, "problem": None, "services": {}}
    wanted = names(description)
    if not wanted:
        return view
    report, problem = read_report(system, description)
    entries = report["services"] if report else {}
    missing = [name for name in wanted if report and name not in entries]
    if missing:
        problem = "%s: does not have %s; run the role java_service again" % (UNIT, " and ".join(missing))
    view["services"] = {name: entries.get(name) for name in wanted}
    return dict(view, running=report is not None, problem=problem)


def service_word(entry, is_fit):
    """One word for a service: what the agent does with it, `down` where keepalived is told to give way."""
    phase = entry["phase"] if entry else UNKNOWN
    return phase if is_fit or phase == HELD_DOWN else "down"
