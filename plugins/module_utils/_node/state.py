# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a node's VRRP state: pure functions that give the next record; only load() and save() know its text.

Every change goes through _move(), so `since` and `transitions` stand still while the state stays the same.
"""

from __future__ import absolute_import, division, print_function

import copy
import json
import re

__metaclass__ = type

SCHEMA = 1
HISTORY = 20

RUNNING, STOPPED, CRASHED, UNKNOWN = "running", "stopped", "crashed", "unknown"
UNKNOWN_STATE = "UNKNOWN"
# Instance states that say the daemon is gone.
GONE_STATES = ("STOPPED", "CRASHED")

_STATES = {"MASTER": "MASTER", "BACKUP": "BACKUP", "FAULT": "FAULT", "STOP": "STOPPED"}
_PRIORITIES = ("MASTER_PRIORITY", "BACKUP_PRIORITY")
_NOTICES = ("MASTER_RX_LOWER_PRI",)
_LINE = re.compile(r'^(INSTANCE|GROUP) "(.*)" ([A-Z_]+)(?: (\d+))?$')
# How a program of ours tells what keepalived 1.3 cannot tell itself: when it was forked goes first.
_EVENT_LINE = re.compile(r"^EVENT (\d+) (\d+) (.*)$")
_DAEMON_LINE = re.compile(r"^DAEMON STOPPED(?: ([a-z-]+))?$")


def parse_line(line):
    """The event that a FIFO line tells, None for a line nobody of ours wrote.

    An event with an `order` may have been overtaken by another one whose order is higher.
    """
    line = line.strip()
    sent = _EVENT_LINE.match(line)
    if sent:
        event = _parse_change(sent.group(3))
        return dict(event, order=(int(sent.group(1)), int(sent.group(2)))) if event else None
    return _parse_change(line)


def _parse_change(line):
    daemon = _DAEMON_LINE.match(line)
    if daemon:
        return {"kind": "daemon", "result": daemon.group(1)}
    match = _LINE.match(line)
    if not match:
        return None
    kind, name, word, priority = match.groups()
    priority = int(priority) if priority else None
    if kind == "GROUP":
        return {"kind": "group", "name": name, "state": _STATES.get(word, word)} if word in _STATES else None
    if word in _STATES:
        return {"kind": "instance", "name": name, "state": _STATES[word], "priority": priority}
    if word in _PRIORITIES:
        return {"kind": "priority", "name": name, "priority": priority}
    if word == "DELETED":
        return {"kind": "deleted", "name": name}
    return {"kind": "notice", "name": name} if word in _NOTICES else None


def daemon_state_name(word):
    """keepalived's own word for a state as the record says it; INIT is before the first decision."""
    return _STATES.get(word, "UNKNOWN") if word else None


def new_record(node, boot_id, now, names=()):
    """A record that knows nothing yet, and says so."""
    record = {
        "schema": SCHEMA,
        "node": node,
        "boot_id": boot_id,
        "written_at": now,
        "daemon": {"state": UNKNOWN, "pid": None, "since": now, "result": None},
        "instances": {},
        "ignored_lines": 0,
    }
    for name in names:
        _move(record, name, "UNKNOWN", None, now)
    return record


def parse_record(text):
    """The record that the text holds, None when it holds none of this schema."""
    try:
        record = json.loads(text or "")
    except ValueError:
        return None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        return None
    daemon, instances = record.get("daemon"), record.get("instances")
    if not isinstance(daemon, dict) or not isinstance(instances, dict):
        return None
    if not all(key in daemon for key in ("state", "pid", "since", "result")):
        return None
    needed = ("state", "since", "priority", "transitions", "history")
    if not all(
        isinstance(entry, dict) and all(key in entry for key in needed) and isinstance(entry["history"], list)
        for entry in instances.values()
    ):
        return None
    if not isinstance(record.get("told", {}), dict):
        return None
    return record


def load(text, node, boot_id, now, names=()):
    """The old record when it is of this node and boot, else a fresh one: another boot's times mean nothing now."""
    record = parse_record(text)
    if record is None or record.get("node") != node or record.get("boot_id") != boot_id:
        return new_record(node, boot_id, now, names)
    return expect(record, names, now)


def render(record, now):
    """The text of the state file."""
    return json.dumps(dict(record, written_at=round(now, 3)), indent=2, sort_keys=True) + "\n"


def expect(record, names, now):
    """Every instance of the description has an entry."""
    result = copy.deepcopy(record)
    gone = {STOPPED: "STOPPED", CRASHED: "CRASHED"}.get(result["daemon"]["state"], "UNKNOWN")
    for name in names:
        if name not in result["instances"]:
            _move(result, name, gone, None, now)
    return result


def apply_events(record, events, now):
    """The record after these events, in their order; the last word about an instance is its state."""
    result = copy.deepcopy(record)
    for event in events:
        if event is None:
            result["ignored_lines"] = result.get("ignored_lines", 0) + 1
        elif event["kind"] == "instance":
            _move(result, event["name"], event["state"], event["priority"], now)
        elif event["kind"] == "priority":
            if event["name"] in result["instances"] and event["priority"] is not None:
                result["instances"][event["name"]]["priority"] = event["priority"]
        elif event["kind"] == "deleted":
            result["instances"].pop(event["name"], None)
        elif event["kind"] == "daemon":
            _daemon_gone(result, event["result"], now)
    return result


def apply_event(record, event, now):
    """The record after one event."""
    return apply_events(record, [event], now)


def apply_daemon_gone(record, result, now):
    """The record when the daemon is not there: `result` is systemd's word for why, None when nobody knows.

    Without a word, a daemon that told every instance STOP left in good order, one never seen is stopped, and one that
    was running crashed.
    """
    changed = copy.deepcopy(record)
    _daemon_gone(changed, result, now)
    return changed


def apply_daemon_running(record, daemon, now):
    """The record when this daemon (pid, since) runs; its instances speak for themselves, by event or by dump."""
    result = copy.deepcopy(record)
    if result["daemon"]["state"] == RUNNING:
        if result["daemon"]["pid"] == daemon["pid"]:
            return result
        # An earlier daemon ended unseen, and its instances' states with it.
        for name in result["instances"]:
            _move(result, name, "UNKNOWN", None, _time(daemon.get("since"), now))
    since = _time(daemon.get("since"), now)
    result["daemon"] = {"state": RUNNING, "pid": daemon["pid"], "since": round(since, 3), "result": None}
    return result


def reconcile(record, observed, now):
    """The record after a look at the truth.

    `observed`: daemon (pid, since) or None, result (systemd's word) and instances as keepalived's dump names them, or
    None when the dump could not be read.
    """
    if observed["daemon"] is None:
        return apply_daemon_gone(record, observed.get("result"), now)
    result = apply_daemon_running(record, observed["daemon"], now)
    instances = observed.get("instances")
    if instances is None:
        for name, entry in result["instances"].items():
            if entry["state"] in GONE_STATES:
                _move(result, name, "UNKNOWN", None, now)
        return result
    for name, seen in instances.items():
        state = daemon_state_name(seen["state"]) or "UNKNOWN"
        known = result["instances"].get(name)
        # keepalived remembers when it changed; that is the honest time unless it lies before what we saw ourselves.
        at = _time(seen.get("since"), now)
        if known is not None and known["transitions"] and at < known["since"]:
            at = now
        _move(result, name, state, seen.get("priority"), at, first=known is None or known["state"] == "UNKNOWN")
    for name in result["instances"]:
        if name not in instances:
            _move(result, name, "UNKNOWN", None, now)
    return result


def changes(before, after):
    """What changed from one record to the next: kind (daemon or instance), name, old and new state, and one line."""
    found = []
    old, new = before["daemon"], after["daemon"]
    if (old["state"], old["pid"]) != (new["state"], new["pid"]):
        detail = "pid %s" % new["pid"] if new["state"] == RUNNING else "result %s" % (new["result"] or "unknown")
        line = "keepalived: %s -> %s (%s)" % (old["state"], new["state"], detail)
        found.append(_change("daemon", None, old["state"], new["state"], None, line))
    for name in sorted(set(before["instances"]) | set(after["instances"])):
        was, is_now = before["instances"].get(name), after["instances"].get(name)
        if is_now is None:
            line = "instance %s: %s -> no longer configured" % (name, was["state"])
            found.append(_change("instance", name, was["state"], None, None, line))
        elif was is None or was["state"] != is_now["state"] or was["transitions"] != is_now["transitions"]:
            steps = is_now["transitions"] - (was["transitions"] if was else 0)
            line = "instance %s: %s -> %s (priority %s%s)" % (
                name,
                was["state"] if was else "new",
                is_now["state"],
                "unknown" if is_now["priority"] is None else is_now["priority"],
                ", %d changes at once" % steps if steps > 1 else "",
            )
            old_state = was["state"] if was else None
            found.append(_change("instance", name, old_state, is_now["state"], is_now["priority"], line))
    return found


def _change(kind, name, old, new, priority, line):
    return {"kind": kind, "name": name, "old": old, "new": new, "priority": priority, "line": line}


def untold(record):
    """[(instance, old state, new state, priority)] that the user's hook has not been told.

    UNKNOWN is never told: it is no state, only that nobody has said one yet. Neither is it news that keepalived does
    not run where it has not been seen running.
    """
    told, found = record.get("told", {}), []
    for name, entry in sorted(record["instances"].items()):
        known, now = told.get(name, UNKNOWN_STATE), entry["state"]
        if now in (known, UNKNOWN_STATE) or (known == UNKNOWN_STATE and now in GONE_STATES):
            continue
        found.append((name, known, now, entry["priority"]))
    return found


def tell(record, name, state):
    """The record in which the user's hook has been told this state; instances that are gone are forgotten."""
    result = copy.deepcopy(record)
    told = dict(result.get("told", {}), **{str(name): state})
    result["told"] = {known: word for known, word in told.items() if known in result["instances"]}
    return result


def _time(since, now):
    """A time that was told to us, never in the future."""
    return now if since is None or since > now else since


def _move(record, name, state, priority, at, first=False):
    """One instance is in this state at that time; the only place that writes since, transitions and history."""
    at = round(at, 3)
    entry = record["instances"].get(name)
    if entry is None:
        entry = record["instances"][name] = {
            "state": state,
            "since": at,
            "priority": priority,
            "transitions": 0,
            "history": [],
        }
    elif entry["state"] == state:
        if priority is not None:
            entry["priority"] = priority
        return
    else:
        entry["state"], entry["since"] = state, at
        if priority is not None:
            entry["priority"] = priority
        # Learning what it has been all along is no transition.
        entry["transitions"] += 0 if first else 1
    entry["history"] = (entry["history"] + [{"at": at, "state": state, "priority": entry["priority"]}])[-HISTORY:]


def _daemon_gone(record, result, now):
    daemon, instances = record["daemon"], record["instances"]
    orderly = bool(instances) and all(entry["state"] == "STOPPED" for entry in instances.values())
    if result is not None:
        state = STOPPED if result == "success" else CRASHED
    elif daemon["state"] in (STOPPED, CRASHED):
        return
    else:
        state = CRASHED if daemon["state"] == RUNNING and not orderly else STOPPED
    if daemon["state"] != state or daemon["result"] != result:
        since = daemon["since"] if daemon["state"] in (STOPPED, CRASHED) else round(now, 3)
        record["daemon"] = {"state": state, "pid": None, "since": since, "result": result}
    for name, entry in instances.items():
        if entry["state"] == "STOPPED":
            continue  # it said so itself
        if entry["state"] == "CRASHED":
            if state == STOPPED:  # guessed before systemd's word came: mended, not moved
                entry["state"] = entry["history"][-1]["state"] = "STOPPED"
            continue
        _move(record, name, "STOPPED" if state == STOPPED else "CRASHED", None, now, first=entry["state"] == "UNKNOWN")
