# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ha-pair: who this node is, what it holds, and why it is in FAULT; for a person on the node, without Ansible."""

from __future__ import absolute_import, division, print_function

import argparse
import calendar
import errno
import json
import os
import sys
import textwrap
import time

from .errors import NodeError
from .machine import Machine
from .node_report import collect, history, is_well
from .system import System
from .wording import duration, printable

__metaclass__ = type

WELL, UNWELL, UNKNOWN = 0, 1, 2
WIDTH = 96
LABEL = 12

_EPILOG = """\
exit codes:
  0  every instance is MASTER or BACKUP, and nothing contradicts that
  1  an instance is in FAULT, unknown or gone, or something contradicts itself
  2  it cannot be told, for example because this is no node of a pair
Warnings and notes do not count. Works without root; root sees more, and the output says so.
"""


def parse_arguments(arguments):
    """The options; ends the program with 2 on wrong ones, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="ha-pair",
        description="Says what this node of a pair does, and why.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "action",
        nargs="?",
        default="status",
        choices=["status", "history"],
        help="status (default): state, addresses and reasons; history: the last changes of state since boot",
    )
    parser.add_argument("instance", nargs="?", help="only this VRRP instance")
    parser.add_argument("--json", action="store_true", help="the same as JSON, times in seconds since 1970")
    return parser.parse_args(arguments)


def moment(seconds):
    """Local time with its offset: 2026-01-31 12:00:00 +0100."""
    local = time.localtime(seconds)
    # strftime of Python 2 does not know the offset of another moment than now.
    offset = (calendar.timegm(local) - int(seconds)) // 60
    sign = "-" if offset < 0 else "+"
    return "%s %s%02d%02d" % (time.strftime("%Y-%m-%d %H:%M:%S", local), sign, abs(offset) // 60, abs(offset) % 60)


def wrapped(label, text, indent="  "):
    """Lines of a labelled text, the label standing out."""
    first = indent + label.ljust(LABEL)
    return textwrap.wrap(
        printable(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def status_lines(report):
    """The report for a person."""
    peer = report["peer"] or "a node that this one cannot name"
    lines = ["%s, of the pair with %s, at %s" % (report["node"], peer, moment(report["now"]))]
    for name in sorted(report["instances"]):
        lines += [""] + _instance_lines(name, report["instances"][name], report)
    lines.append("")
    lines += wrapped("keepalived", _daemon_words(report["keepalived"]), "")
    lines += wrapped("handler", _handler_words(report), "")
    if report["prober"]["configured"]:
        lines += wrapped("prober", _prober_words(report["prober"], report["agent"]["services"]), "")
    if report["agent"]["configured"]:
        lines += wrapped("agent", "runs" if report["agent"]["running"] else "does not run, or does not report", "")
    for kind in ("problem", "warning", "note"):
        for text in report[kind + "s"]:
            lines += wrapped(kind + ":", text, "")
    return lines


def _instance_lines(name, instance, report):
    state = instance["state"] or "unknown"
    lines = ["%s: %s%s" % (name, state, _since_words(instance["since"], report["now"]))]
    for reason in instance["reasons"]:
        lines += wrapped("because", reason)
    lines += wrapped("VIPs", ", ".join(_vip_words(vip) for vip in instance["vips"]) or "none")
    if instance["services"]:
        services = ["%s %s" % item for item in sorted(instance["services"].items())]
        lines += wrapped("services", ", ".join(services))
    for service, entry in sorted(instance["active_standby"].items()):
        if entry is not None:
            lines += wrapped("agent", _agent_words(service, entry, report["now"]))
            lines += wrapped("arbiter", (entry.get("arbiter") or {}).get("promise") or "unknown")
    lines += wrapped("priority", _priority_words(instance))
    for words in instance["lowered"]:
        lines += wrapped("lowered", words)
    if instance["peers"]:
        lines += wrapped("peer", "%s (%s)" % (report["peer"] or "at", ", ".join(instance["peers"])))
    for problem in instance["problems"]:
        lines += wrapped("problem", problem)
    return lines


def _agent_words(service, entry, now):
    until = entry.get("hold_down_until")
    parts = ["%s is %s: %s" % (service, entry["phase"], entry.get("why") or "nobody says why")]
    if entry.get("failed_on_both"):
        parts.append("failed on both nodes")
    if until:
        parts.append("left alone until %s, for another %s" % (moment(until), duration(until - now)))
    return "; ".join(parts)


def _since_words(since, now):
    return " since %s, for %s" % (moment(since), duration(now - since)) if since else ""


def _vip_words(vip):
    prefix = "" if vip["prefix"] is None else "/%d" % vip["prefix"]
    return "%s%s %s" % (vip["address"], prefix, "held on %s" % vip["held_on"] if vip["held"] else "not held here")


def _priority_words(instance):
    base, priority = instance["base_priority"], instance["priority"]
    if priority is None:
        return "unknown" if base is None else "%d configured" % base
    return "%d" % priority + (", %d configured" % base if base not in (None, priority) else "")


def _daemon_words(daemon):
    version = daemon["version"] or "of unknown version"
    if not daemon["running"]:
        return "%s, does not run" % version
    scheduler = daemon["scheduler"]
    how = ", %s priority %d" % (scheduler["policy"], scheduler["priority"]) if scheduler else ""
    return "%s runs as process %d%s" % (version, daemon["pid"], how)


def _handler_words(report):
    written_at = report["state_file"]["written_at"]
    if written_at is None:
        return "has written no state that counts"
    return "wrote the state of this node %s ago" % duration(report["now"] - written_at)


def _prober_words(prober, by_agent):
    if not prober["running"]:
        return "does not run, or does not report"
    words = []
    for name, probe in sorted(prober["probes"].items()):
        if probe["failing"]:
            says = "does not answer"
        elif probe["gated"]:
            says = "is not asked, it is %s" % ("not active here" if name in by_agent else "down")
        else:
            says = "is not known: %s" % probe["problem"] if probe["problem"] else "answers"
        words.append("%s %s" % (name, says))
    return "runs: " + "; ".join(words)


def history_lines(found):
    """The history for a person."""
    lines = []
    for name in sorted(found["instances"]):
        lines += [""] if lines else []
        lines.append("%s on %s, newest last" % (name, found["node"]))
        for step in found["instances"][name]:
            lines.append(
                "  %s  %-8s  priority %-4s  for %s%s"
                % (
                    moment(step["at"]),
                    step["state"],
                    "?" if step["priority"] is None else step["priority"],
                    duration(step["seconds"]),
                    " until now" if step["lasts"] else "",
                )
            )
    return lines or ["no instance has been seen since boot"]


def only(found, instance):
    """What was found, of one instance when one is named; NodeError when there is none of that name."""
    if instance is None:
        return found
    if instance not in found["instances"]:
        raise NodeError(
            "instance %s: this node has none of that name; name one of %s"
            % (printable(instance), ", ".join(sorted(found["instances"])) or "none at all")
        )
    return dict(found, instances={instance: found["instances"][instance]})


def answer(options, system, machine):
    """(exit code, what was found as data, lines for a person)."""
    if options.action == "history":
        found = only(history(system), options.instance)
        return WELL, found, history_lines(found)
    found = only(collect(system, machine), options.instance)
    found["well"] = is_well(found)
    return WELL if found["well"] else UNWELL, found, status_lines(found)


def write(lines):
    """To stdout; a reader that has gone (`ha-pair | head -n 1`) is no error."""
    try:
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
    except (IOError, OSError) as exc:
        if exc.errno != errno.EPIPE:
            raise
        # What is still in the buffer would fail once more when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments=None, system=None, machine=None):
    """Run as /usr/bin/ha-pair."""
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    try:
        code, found, lines = answer(options, system or System(), machine or Machine())
    except NodeError as exc:
        code, found = UNKNOWN, {"schema": 1, "problem": str(exc)}
        if not options.json:
            sys.stderr.write("ha-pair: %s\n" % printable(str(exc)))
            return code
    write([json.dumps(found, indent=2, sort_keys=True)] if options.json else lines)
    return code
