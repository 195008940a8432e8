# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose files are newer: the marker of a mirrored directory, and what a round may do; pure functions.

Each node keeps a marker beside the directory, never in it: which source of the pair wrote these files, counted
(`generation`), who that was (`owner`), and since when (`began_at`), because one that lost its marker counts anew.
Becoming the source counts on, and keeps what it began from as `parent`. A complete round gives the peer the same
marker. So a peer with our marker has only what we gave it, one with the marker from which we began was our source once,
and every other one has been written by somebody else meanwhile: a split.
"""

from __future__ import absolute_import, division, print_function

import json

from . import state

__metaclass__ = type

SCHEMA = 1
# How a person calls it.
COMMAND = "/usr/libexec/keepalived/ha-pair-sync"
# What JSON gives for a string, on either Python.
_TEXT = type(json.loads('""'))

OWNER, STANDBY, UNKNOWN = "owner", "standby", "unknown"

# first: the peer has no files yet. mirror: it has only ours. takeover: it was the source before us.
FIRST, MIRROR, TAKEOVER, CONFLICT = "first", "mirror", "takeover", "conflict"
MODES = (FIRST, MIRROR, TAKEOVER, CONFLICT)
# Whatever such a round would delete stays where it is.
WITHOUT_DELETING = (FIRST, CONFLICT)


class RefusedError(Exception):
    """This round must not run; the text says why, and what to do about it."""


def ownership(text, instance, boot_id):
    """Whether this node owns the instance, by the text of its state file; UNKNOWN when that does not say it now."""
    record = state.parse_record(text)
    if record is None or record.get("boot_id") != boot_id:
        return UNKNOWN
    if record["daemon"]["state"] in (state.STOPPED, state.CRASHED):
        return STANDBY
    if record["daemon"]["state"] != state.RUNNING:
        return UNKNOWN
    word = record["instances"].get(instance, {}).get("state", state.UNKNOWN_STATE)
    if word == state.UNKNOWN_STATE:
        return UNKNOWN
    return OWNER if word == "MASTER" else STANDBY


def owned_since(text, instance, boot_id, when):
    """Whether this node has owned the instance after that time, as far as its state file remembers."""
    record = state.parse_record(text)
    if record is None or record.get("boot_id") != boot_id:
        return False
    entry = record["instances"].get(instance)
    if entry is None:
        return False
    until = None
    for step in reversed(entry["history"]):
        if step["state"] == "MASTER" and (until is None or until > when):
            return True
        until = step["at"]
    return entry["state"] == "MASTER"


def owned_last(text, instance, boot_id):
    """Since when this node was owner the last time, as far as its state file remembers; None when it was not."""
    record = state.parse_record(text)
    if record is None or record.get("boot_id") != boot_id or instance not in record["instances"]:
        return None
    times = [step["at"] for step in record["instances"][instance]["history"] if step["state"] == "MASTER"]
    return times[-1] if times else None


def parse(text):
    """The marker in this text; None when there is no text, RefusedError when the text is none of ours."""
    if text is None or not text.strip():
        return None
    try:
        found = json.loads(text)
        good = (
            found["schema"] == SCHEMA
            and _is_name(found["owner"])
            and _is_count(found["generation"])
            and float(found["began_at"]) >= 0
            and (found["parent"] is None or _is_identity(found["parent"]))
            and found["unsent"] in (True, False)
            and (found["conflict"] is None or found["conflict"]["compared"] in (True, False))
            and all(found[key] is None or float(found[key]) >= 0 for key in ("completed_at", "committed_at"))
            and all(found[key] is None or isinstance(found[key], _TEXT) for key in ("mount", "path"))
        )
    except (ValueError, TypeError, KeyError, IndexError):
        good = False
    if not good:
        raise RefusedError("the marker is not of schema %d; move it away to have it counted anew" % SCHEMA)
    return found


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_identity(value):
    return len(value) == 3 and _is_count(value[0]) and _is_name(value[1]) and float(value[2]) >= 0


def _is_name(value):
    return isinstance(value, _TEXT) and bool(value)


def render(marker):
    """The text of a marker."""
    return json.dumps(marker, indent=2, sort_keys=True) + "\n"


def identity(marker):
    """(generation, owner, since when): two markers with the same one speak of the same source."""
    return None if marker is None else (marker["generation"], marker["owner"], marker["began_at"])


def new(owner, now, generation=1, parent=None):
    """A marker of which no round was made yet."""
    return {
        "schema": SCHEMA,
        "generation": generation,
        "owner": owner,
        "began_at": round(now, 3),
        "parent": None if parent is None else list(parent),
        # The last round as the source did not get through.
        "unsent": False,
        # What a split left, until a person says that it is resolved.
        "conflict": None,
        # When the last complete round began, by the clock of the source.
        "completed_at": None,
        # When a node took this marker over from its peer, by its own clock.
        "committed_at": None,
        # On which mount point the directory was: one that is gone would look like a thousand deletions.
        "mount": None,
        # Of which directory of this node all this is said.
        "path": None,
    }


def begin(marker, node, now):
    """The marker with which this node is the source; the same one when it is already."""
    if marker is None:
        return new(node, now)
    if marker["owner"] == node:
        return marker
    begun = new(node, now, marker["generation"] + 1, identity(marker))
    return dict(begun, conflict=marker["conflict"], completed_at=marker["completed_at"], mount=marker["mount"])


def strayed(marker, node, owned):
    """Whether this node wrote files that its peer cannot have. `owned`: it has been owner since the marker came."""
    if marker is None:
        return False
    return marker["unsent"] if marker["owner"] == node else bool(owned)


def source_for(marker, node, now):
    """For how long this node has been the source, whether it still is or not (s); None when it is the other one."""
    return round(now - marker["began_at"], 3) if marker is not None and marker["owner"] == node else None


def choose(marker, answer, node, first):
    """(the mode of the next round, why, as which mode it keeps what it replaces); RefusedError otherwise.

    `marker`: ours as begun, `answer`: what the peer says. `first`: which node's files win where both have some and
    nobody ever mirrored them; None when nobody said.
    """
    if answer["ownership"] != STANDBY:
        if answer["ownership"] == OWNER:
            raise RefusedError("the peer is owner as well; nothing is mirrored until one of the two gives way")
        raise RefusedError(
            "the peer does not know whether it is owner; see that its %s runs"
            % answer.get("informant", "ha-pair-notify.service")
        )
    if not has_history(answer["marker"]):
        mode, why = _choose_first(marker, answer, node, first)
        return mode, why, mode
    mode, why = _choose_by_history(marker, answer)
    if mode != CONFLICT and marker["conflict"] is not None:
        # What only one of them had is kept by now; what is replaced from here on is as on any other day.
        return CONFLICT, "a split is not resolved yet", mode if marker["conflict"]["compared"] else CONFLICT
    return mode, why, mode


def _choose_by_history(marker, answer):
    theirs = answer["marker"]
    if answer["strayed"]:
        return CONFLICT, "the peer was owner meanwhile, and wrote what never came here"
    if identity(theirs) == identity(marker):
        return MIRROR, "the peer has our files only"
    if marker["parent"] is not None and identity(theirs) == tuple(marker["parent"]):
        return TAKEOVER, "the peer was the source before us"
    return CONFLICT, "both have been source since they last had the same files"


def has_history(theirs):
    """Whether the peer's files were ever the same as another node's; one that never got through knows only its own."""
    return theirs is not None and (theirs["completed_at"] is not None or theirs["committed_at"] is not None)


def _choose_first(marker, answer, node, first):
    if answer["empty"]:
        return FIRST, "the peer has no files yet"
    if answer["filling"] is not None and answer["filling"] == list(identity(marker)):
        return FIRST, "the peer has a part of our files"
    if marker["completed_at"] is not None or marker["conflict"] is not None:
        return CONFLICT, "the peer has files, and nobody knows whose"
    if first == node:
        return FIRST, "the peer has files, and ours are to win"
    if first:
        raise RefusedError(
            "the directory is not empty on the peer, whose files are to win (file_sync_first: %s), and the VIP is "
            "here; move the VIP there first" % first
        )
    raise RefusedError(
        "the directory is not empty on the peer, and nothing was ever mirrored; empty it there, or say whose files win "
        "(file_sync_first: %s)" % node
    )


def check_begin(marker, answer):
    """RefusedError where only the peer has a history of the files: a new or emptied node wins by nothing."""
    if marker is None and has_history(answer["marker"]):
        raise RefusedError(
            "this node never had these files, and the peer has (generation %d of %s); move the VIP to the peer so that "
            'they come here, or run "%s --adopt NAME" here to have ours win, theirs kept aside'
            % (answer["marker"]["generation"], answer["marker"]["owner"], COMMAND)
        )


def settle(marker, theirs, mode, conflict, started_at, mount):
    """The marker after a complete round: the peer gets it, and it is ours."""
    done = dict(marker, unsent=False, completed_at=started_at, mount=mount)
    if mode == CONFLICT:
        # Once all of it was looked at, not before.
        done["conflict"] = dict(conflict, compared=True)
    if theirs is not None and theirs["generation"] >= done["generation"] and identity(theirs) != identity(marker):
        # Above both, or the two counts would mean different files.
        done["parent"], done["generation"] = list(identity(marker)), theirs["generation"] + 1
    return done


def check_commit(marker, given):
    """RefusedError unless the peer may put this marker in the place of ours."""
    if marker is None or identity(given) == identity(marker):
        return
    if given["generation"] <= marker["generation"]:
        raise RefusedError(
            "the marker is of generation %d, and ours of %d; a newer source was here"
            % (given["generation"], marker["generation"])
        )
