# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ha-pair-sync-receive: the only thing that the peer's key may start here, as a forced command of authorized_keys.

What the peer asked for is in SSH_ORIGINAL_COMMAND. It is taken apart into words and compared with what ha-pair-sync
sends; no shell ever sees it. Nothing is taken while this node is owner, and a transfer ends when it becomes owner.
"""

from __future__ import absolute_import, division, print_function

import json
import os
import re
import shlex
import subprocess
import sys
import time

from . import sync_kept, sync_marker
from .errors import NodeError
from .journal import Journal
from .sync_marker import RefusedError
from .sync_settings import PARTIAL, RECEIVER, Node, end, read_settings, rsync_version

__metaclass__ = type

PROGRAM = "ha-pair-sync-receive"
RSYNC = "/usr/bin/rsync"
ASK, COMMIT, FILL, TAKE = "ask", "commit", "fill", "take"
LONGEST_COMMAND, LONGEST_MARKER = 4096, 1 << 18
REFUSED = 77
# How often the state of this node is looked at during a transfer (s).
TICK = 0.1

# Letters of what `ha-pair-sync` asks of rsync: archive, backup, hard links, dry run, checksum. What follows the e says
# which protocol the other end speaks.
_LETTERS = re.compile(r"-([bcDgHlnoprt]+)e(?:[0-9]+\.[0-9]+|\.)[A-Za-z]*\Z")
_NEEDED_LETTERS = set("bDgloprt")
_ALONE = (
    "--delete",
    "--delete-before",
    "--delete-during",
    "--numeric-ids",
    "--log-format=%i",
    "--modify-window=-1",
    "-@-1",
)
# What the answer to `ask` gives, and all that is decided by that answer repeats.
_TOKEN = re.compile(r"[0-9a-f]{32}\Z")
_NUMBER = re.compile(r"--(?:timeout|bwlimit)=[0-9]{1,9}\Z")


def parse(text, directories, kept):
    """What the peer asks for: {"verb", "name", "token"} and, for rsync, its "argv", and what it may do.

    RefusedError for all that ha-pair-sync does not ask for.
    `directories`: the entries of the settings by name. `kept`: gives the place of what is kept of a name.
    """
    if not text:
        raise RefusedError("this key gives no shell; it is for ha-pair-sync of the peer")
    if len(text) > LONGEST_COMMAND or re.search(r"[^\x20-\x7e]", text):
        raise RefusedError("the command is too long, or holds signs that no command of ours does")
    try:
        words = shlex.split(text)
    except ValueError:
        raise RefusedError("the command has unbalanced quotes")
    if words[:1] == [PROGRAM] and len(words) == {ASK: 3, COMMIT: 4, FILL: 4}.get((words + [None])[1]):
        if words[2] not in directories:
            raise RefusedError("%r is not one of file_sync_directories here" % words[2])
        return {"verb": words[1], "name": words[2], "token": None if words[1] == ASK else _token(words[3])}
    if words[:2] == [PROGRAM, TAKE] and words[3:4] == ["--server"]:
        # The words of rsync, after our own where its name would be.
        return dict(_parse_rsync(words[3:], directories, kept), token=_token(words[2]))
    raise RefusedError("%r is no command for this key" % text[:80])


def _token(word):
    if not _TOKEN.match(word):
        raise RefusedError("%r is not what this node answered" % word[:80])
    return word


def _parse_rsync(words, directories, kept):
    options, last = words[1:-2], words[-2:]
    name = next((name for name, entry in directories.items() if last == [".", entry["path"] + "/"]), None)
    if name is None:
        raise RefusedError("rsync: %r is not one of file_sync_directories here" % last[-1])
    letters = _LETTERS.match(options[0]) if options else None
    if letters is None or not _NEEDED_LETTERS.issubset(letters.group(1)):
        raise RefusedError("rsync: %r is not what ha-pair-sync asks for" % (options[0] if options else ""))
    place, deletes, partial, waiting = None, False, False, list(options[1:])
    while waiting:
        word = waiting.pop(0)
        value = waiting.pop(0) if word in ("--backup-dir", "--partial-dir") and waiting else None
        if word == "--backup-dir" and place is None:
            mode, place = _kept_mode(value, kept(name)), value
        elif word == "--partial-dir" and value == PARTIAL:
            partial = True
        elif word in _ALONE:
            deletes = deletes or word.startswith("--delete")
        elif not _NUMBER.match(word):
            raise RefusedError("rsync: %r is not what ha-pair-sync asks for" % word)
    if place is None or not partial:
        raise RefusedError("rsync: --backup-dir or --partial-dir is missing, without which files would be lost")
    dry = "n" in letters.group(1)
    if deletes and not dry and mode in sync_marker.WITHOUT_DELETING:
        raise RefusedError("rsync: --delete in a round that must not delete")
    found = {"verb": "rsync", "name": name, "argv": words, "deletes": deletes and not dry, "mode": mode}
    return dict(found, kept=place)


def _kept_mode(value, root):
    """The mode that the name of a directory of kept files tells; RefusedError for any other directory."""
    base, slash, last = (value or "").rpartition("/")
    if not slash or base != root or not sync_kept.STAMP.match(last):
        raise RefusedError("rsync: %r is no directory for what is kept of this one" % value)
    return last.rpartition("-")[2]


def answer(node, name):
    """What this node says of a directory."""
    marker = node.marker(name)
    # Without it the directory looks empty.
    node.mount(name, marker)
    owned = marker is not None and marker["committed_at"] is not None and node.owned_since(marker["committed_at"])
    return {
        "schema": sync_marker.SCHEMA,
        "node": node.settings["node"],
        "ownership": node.ownership(),
        "informant": node.informant,
        "marker": marker,
        "filling": node.filling(name),
        "token": node.token(name),
        "strayed": sync_marker.strayed(marker, node.settings["node"], owned),
        # For how long the files here have been this node's own (s); the clock of the other one may be wrong.
        "source_for": sync_marker.source_for(marker, node.settings["node"], node.now()),
        "empty": node.is_empty(name),
        "rsync": rsync_version(RSYNC),
    }


def check_standby(node):
    """RefusedError unless this node knows that it is not owner."""
    found = node.ownership()
    if found == sync_marker.OWNER:
        raise RefusedError("this node is owner itself, and takes no files")
    if found != sync_marker.STANDBY:
        raise RefusedError("this node does not know whether it is owner; see that %s runs" % node.informant)


def check_token(node, request):
    """RefusedError when what the peer decided by is no longer so; it may have slept, or been cut off, since then."""
    if request["token"] != node.token(request["name"]):
        raise RefusedError("this node was owner, or was started, since the round began; the next round looks again")


def fill(node, request, text):
    """Note whose files the peer is about to send for the first time, in case it does not get through."""
    given = _given(node, request, text)
    if sync_marker.has_history(node.marker(request["name"])):
        raise RefusedError("the directory has a history here, and is not to be filled for the first time")
    node.note_filling(request["name"], sync_marker.identity(given))


def commit(node, request, text):
    """Take the marker of a complete round over."""
    given = _given(node, request, text)
    marker = node.marker(request["name"])
    sync_marker.check_commit(marker, given)
    # Each node has its own mounts.
    mount = node.mount(request["name"], marker)
    node.save_marker(request["name"], dict(given, committed_at=round(node.now(), 3), mount=mount))
    node.forget_filling(request["name"])


def _given(node, request, text):
    """The marker that the peer sends; RefusedError unless it may."""
    check_standby(node)
    check_token(node, request)
    given = sync_marker.parse(text)
    named = given["owner"] if given else "nobody"
    if named != node.settings["peer"]:
        raise RefusedError("the marker names %s as source, and the peer is %s" % (named, node.settings["peer"]))
    return given


def transfer(node, request, rsync=RSYNC):
    """Let rsync take files until it ends, or until this node becomes owner; its exit code."""
    check_standby(node)
    check_token(node, request)
    if request["deletes"] and answer(node, request["name"])["strayed"]:
        raise RefusedError("this node was owner meanwhile, and nothing of what it wrote may be deleted")
    node.mount(request["name"], node.marker(request["name"]))
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    # Runs as a program of the node, where there is no module to run commands.
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
        [rsync] + request["argv"], env=environment, cwd="/", close_fds=False
    )
    try:
        while process.poll() is None:
            if node.ownership() != sync_marker.STANDBY:
                end(process)
                raise RefusedError("this node became owner, and takes no more files")
            time.sleep(TICK)
    finally:
        sync_kept.touch(request["kept"])
    return process.returncode


def serve(node, request, stdin, stdout):
    """Do what was asked; the exit code."""
    if request["verb"] == ASK:
        stdout.write(json.dumps(answer(node, request["name"]), sort_keys=True) + "\n")
        stdout.flush()
        return 0
    held = node.lock(request["name"], RECEIVER)
    if held is None:
        raise RefusedError("another round of %s has not ended here; the next one tries again" % request["name"])
    try:
        if request["verb"] in (COMMIT, FILL):
            act = commit if request["verb"] == COMMIT else fill
            act(node, request, stdin.read(LONGEST_MARKER))
            return 0
        return transfer(node, request)
    finally:
        os.close(held)


def main(node=None, environment=None):
    """Run by sshd."""
    say = Journal(PROGRAM, plain=lambda _line: None)
    try:
        node = node or Node(read_settings())
        text = (os.environ if environment is None else environment).get("SSH_ORIGINAL_COMMAND", "")
        request = parse(text, node.settings["directories"], node.kept)
        return serve(node, request, sys.stdin, sys.stdout)
    except (NodeError, RefusedError, EnvironmentError) as exc:
        say("problem: refused: %s" % exc)
        # The peer reads it, and says it in its own journal.
        sys.stderr.write("%s: %s\n" % (PROGRAM, exc))
        return REFUSED
