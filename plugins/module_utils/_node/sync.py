# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ha-pair-sync: one round of mirroring directories from the owner of the VIP to its peer.

    ha-pair-sync [NAME ...]        a round of each directory, or of these
    ha-pair-sync --begin           this node becomes the source, before anything here writes
    ha-pair-sync --last            a last round, of a few seconds at most, once nothing here writes any more
    ha-pair-sync --ask             what the peer says; changes nothing
    ha-pair-sync --resolve NAME    a person has looked at what a split left; files may be deleted again
    ha-pair-sync --adopt NAME      files here win though the peer has a history and this node has none

A round asks the peer first, and refuses unless exactly this node is owner. rsync is ended when that changes. What it
replaces or deletes on the peer is moved into a dated directory there, never thrown away.
"""

from __future__ import absolute_import, division, print_function

import argparse
import contextlib
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

from . import sync_marker
from .boot_clock import boottime
from .errors import NodeError
from .journal import NOTICE, Journal
from .service import log
from .sync_kept import stamp
from .sync_marker import COMMAND, CONFLICT, FIRST, MIRROR, RefusedError
from .sync_receive import ASK, COMMIT, FILL, PROGRAM, TAKE
from .sync_settings import PARTIAL, Node, end, read_settings, rsync_version, tells_nanoseconds
from .system import STATE_DIRECTORY, run_command

__metaclass__ = type

TICK = 0.1
# The same for a start, which somebody waits for (s).
SOON = 0.02
# How long a connection waits for the next question of its round (s).
CONNECTION_KEPT = 5
CONNECT_TIMEOUT = 5
CONTROL = os.path.join(STATE_DIRECTORY, "sync-ssh-")
CHECKSUM_TIMEOUT = 3600
# For how long both nodes may be owner when one takes over from the other as planned (s).
GRACE = 1.0
# For how long a peer is asked again that does not know whether it is owner, as one whose agent was started again (s).
SETTLING = 5.0
# For how long a start waits until this node knows that it is owner, and until nobody writes here any more (s).
BEGIN = 5.0
# How long the last round may take: somebody waits for its end (s).
LAST = 3.0
# For how long whoever names a directory waits until another round of it has ended (s).
BUSY_WAIT = 60.0
# How many names of files a report tells; it tells the count of all.
TOLD, TOLD_BYTES = 100, 1 << 15
COMPLETE, REFUSED, FAILED, IDLE, BUSY = "complete", "refused", "failed", "not owner", "another round runs"
UNDECIDED = "owner unknown"
# rsync: files went away while it ran. That is what files of a running service do.
_VANISHED = 24
_OBSTACLES = ("could not make way for ", "cannot delete ")


def control_path():
    """The socket of this program's own connection: one that several share ends with the program that opened it."""
    return CONTROL + str(os.getpid())


def ssh(settings, control=None):
    """The words that reach the peer, without the command; `control`: what uses the same connection, by its socket."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": CONNECT_TIMEOUT,
        "ControlPath": "none",
        "GlobalKnownHostsFile": "/dev/null",
        "IdentitiesOnly": "yes",
        "ServerAliveCountMax": 2,
        "ServerAliveInterval": 5,
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "UserKnownHostsFile": settings["known_hosts"],
    }
    if control:
        # One connection for all that a round asks and sends: most of a short round is the greeting.
        options.update(
            ControlMaster="auto",
            ControlPath=control,
            ControlPersist=CONNECTION_KEPT,
        )
    words = ["ssh", "-F", "/dev/null", "-T", "-p", str(settings["port"]), "-i", settings["key"]]
    for name in sorted(options):
        words += ["-o", "%s=%s" % (name, options[name])]
    return words + ["-l", "root"]


def hang_up(remote, host, control):
    """End the connection of this program, which would outlive it, and take away what killed ones left of theirs."""
    if os.path.lexists(control):
        run_command(remote + ["-O", "exit", host], timeout=1.0)
    for path in glob.glob(CONTROL + "*"):
        # While it opens one, ssh adds something of its own to the name.
        pid = path[len(CONTROL) :].partition(".")[0]
        if path == control or (pid.isdigit() and not os.path.exists("/proc/" + pid)):
            try:
                os.unlink(path)
            except OSError:
                # It went by itself.
                continue


def rsync_arguments(settings, entry, kept, delete, dry=False, checksum=False, nanoseconds=True):
    """The words of one rsync, without the shell that reaches the peer and without the two places."""
    words = ["--archive", "--hard-links", "--numeric-ids", "--backup", "--backup-dir=" + kept]
    # Whoever compares by content says nothing for as long as the largest file takes; ssh finds a peer that is dead.
    timeout = max(settings["timeout"], CHECKSUM_TIMEOUT) if checksum else settings["timeout"]
    words += ["--partial-dir=" + PARTIAL, "--timeout=%d" % timeout, "--out-format=%i %n"]
    words += ["--bwlimit=%d" % settings["bandwidth"]] if settings["bandwidth"] else []
    words += ["--exclude=/" + PARTIAL]
    words += ["--exclude=" + pattern for pattern in entry["exclude"]]
    words += ["--delete"] if delete else []
    words += ["--dry-run"] if dry else []
    # A file that is written twice in a second, with as many bytes, would otherwise keep its first content there.
    words += ["--modify-window=-1"] if nanoseconds else []
    return words + (["--checksum"] if checksum else [])


def read_changes(text):
    """{"changed", "gone"} of rsync's own list: files that the peer had otherwise, and files that only the peer had."""
    changed, gone = [], []
    for line in text.splitlines():
        word, _space, name = line.partition(" ")
        name = name.lstrip(" ") if word == "*deleting" else name
        if word == "*deleting":
            gone.append(name)
        elif len(word) >= 11 and word[0] in "<c" and word[1] != "d" and "+" not in word:
            changed.append(name)
    return {"changed": changed, "gone": gone}


def told(names):
    """As many of these names as a report tells, and a marker has room for."""
    found, size = [], 0
    for name in names[:TOLD]:
        size += len(json.dumps(name))
        if size > TOLD_BYTES:
            break
        found.append(name)
    return found


class Round(object):
    """One round of one directory. `remote`: the words that reach the peer's forced command.

    `direct`: the same by a connection of its own. `wait`: for how long it waits for another round to end (s).
    `until`: when it ends, through or not (boottime).
    """

    def __init__(self, node, name, remote, direct, rsync="rsync", wait=0.0, until=None):
        self._node, self._name, self._remote, self._direct, self._rsync = node, name, remote, direct, rsync
        self._wait, self._until = wait, until
        self._settings = node.settings
        self._entry = node.settings["directories"][name]
        self._nanoseconds, self._token = False, None
        # When this node was seen to be owner no more, and for how long the peer had not answered by then (s).
        self._cut_at, self._silence = None, 0.0

    def run(self):
        """The entry of the report."""
        started = self._node.now()
        entry = {"started_at": round(started, 3), "result": IDLE, "mode": None, "problem": None}
        entry.update(why=None, kept=None, changed=0, gone=0, conflict=None, completed_at=None, generation=None)
        if self._is_idle(entry):
            self._remember(entry)
            return dict(entry, seconds=0.0)
        held = wait_for_lock(self._node, self._name, boottime() + self._wait if self._until is None else self._until)
        if held is None:
            return dict(entry, seconds=0.0, result=BUSY)
        if self._is_idle(entry):
            # It changed while another round ended.
            os.close(held)
            return dict(entry, seconds=0.0)
        try:
            entry.update(self._run(started))
        except RefusedError as exc:
            entry.update(result=REFUSED, problem=str(exc))
        except (NodeError, EnvironmentError) as exc:
            entry.update(result=FAILED, problem=str(exc))
        finally:
            try:
                # The peer's first round after a split waits for the lock, and then knows of it.
                self._note_split()
            finally:
                os.close(held)
        self._remember(entry)
        return dict(entry, seconds=round(self._node.now() - started, 3))

    def _is_idle(self, entry):
        """Whether there is nothing to do here; a node that does not know has a problem, as nobody may be the source."""
        found = self._node.ownership()
        if found == sync_marker.UNKNOWN:
            problem = "this node does not know whether it is owner; see that its %s runs" % self._node.informant
            entry.update(result=UNDECIDED, problem=problem)
        return found != sync_marker.OWNER

    def _remember(self, entry):
        """A source whose round did not get through has files that its peer lacks, until one does."""
        try:
            marker = self._node.marker(self._name)
        except RefusedError:
            return
        if marker is None:
            return
        failed = entry["result"] in (REFUSED, FAILED) and marker["owner"] == self._settings["node"]
        # After the last round nothing is written here, and what did not get through is lost as in a crash.
        failed = failed and self._until is None
        if failed and not marker["unsent"] and self._stays_owner():
            marker = self._note_unsent(marker)
        entry.update({key: marker[key] for key in ("generation", "completed_at", "conflict")})

    def _note_split(self):
        """Files that the peer lacks are noted also where no round had time to fail: one hung while both were owner.

        A planned move ends a round as well. Then the peer became the source when this node let go, not long before.
        """
        if self._cut_at is None or self._silence <= GRACE or self._until is not None:
            return
        try:
            marker = self._node.marker(self._name)
            if marker is None or marker["owner"] != self._settings["node"] or marker["unsent"]:
                return
            answer = ask(self._node, self._name, self._direct)
            # A peer of an earlier version does not say it.
            if (answer.get("source_for") or 0) > boottime() - self._cut_at + GRACE:
                self._node.save_marker(self._name, dict(marker, unsent=True))
        except (NodeError, RefusedError, EnvironmentError):
            # One that cannot be asked cannot have us find out; its own marker says the rest.
            return

    def _note_unsent(self, marker):
        """The marker with that noted, unless another round has said more since; nobody waits for this one meanwhile."""
        held = wait_for_lock(self._node, self._name, boottime() + GRACE)
        if held is None:
            return marker
        try:
            found = self._node.marker(self._name)
            if found is None or sync_marker.identity(found) != sync_marker.identity(marker):
                return marker
            if found["completed_at"] == marker["completed_at"]:
                found = dict(found, unsent=True)
                self._node.save_marker(self._name, found)
            return found
        finally:
            os.close(held)

    def _stays_owner(self):
        """Whether this node goes on writing. A planned move ends a round as well, and is no split."""
        if self._node.ownership() == sync_marker.OWNER:
            # For a moment both are owner: the next one takes over before the last one lets go.
            time.sleep(GRACE)
        return self._node.ownership() == sync_marker.OWNER

    def _run(self, started):
        node, name, own = self._node, self._name, self._settings["node"]
        node.forget_filling(name)
        path, before = node.place(name), node.marker(name)
        marker = before
        if before is not None:
            # Also when the peer is away: from now on we write what it has not got.
            marker = self._begin(before)
        answer = self._ask()
        self._token = answer["token"]
        self._nanoseconds = tells_nanoseconds(rsync_version(self._rsync), answer["rsync"])
        sync_marker.check_begin(marker, answer)
        marker = marker if marker is not None else self._begin(None)
        mode, why, keeps_as = sync_marker.choose(marker, answer, own, self._settings.get("first"))
        mount = node.mount(name, marker)
        kept = node.kept(name, stamp(started, keeps_as))
        conflict = marker["conflict"]
        if keeps_as == CONFLICT and (conflict is None or conflict["compared"]):
            # Listed before anything is changed, by content: what both wrote may be of equal size and time.
            found = self._transfer(path, kept, delete=True, dry=True, checksum=True)
            conflict = self._conflict(found, started, kept, why, conflict)
            marker = dict(marker, conflict=conflict)
            node.save_marker(name, marker)
        if mode == FIRST:
            # One that does not get through would look like files of the peer's own.
            self._give(FILL, marker)
        # By content as well, until one such round got through.
        thorough = keeps_as == CONFLICT or (mode == FIRST and not answer["empty"])
        found = self._transfer(path, kept, delete=mode not in sync_marker.WITHOUT_DELETING, checksum=thorough)
        done = sync_marker.settle(marker, answer["marker"], mode, conflict, round(started, 3), mount)
        self._give(COMMIT, done)
        node.save_marker(name, done)
        replaced = len(found["changed"]) + len(found["gone"])
        return {
            "result": COMPLETE,
            "mode": mode,
            "why": why,
            "kept": kept if replaced else None,
            "changed": len(found["changed"]),
            "gone": len(found["gone"]),
        }

    def _begin(self, marker):
        begun = sync_marker.begin(marker, self._settings["node"], self._node.now())
        if begun != marker:
            self._node.save_marker(self._name, begun)
        return begun

    def _conflict(self, found, started, kept, why, before):
        """What a split left, and what is not resolved of an earlier one."""
        before = before or {"since": round(started, 3), "why": why, "differ": [], "differ_count": 0}
        return {
            "since": before["since"],
            "why": before["why"],
            "kept_on": self._settings["peer"],
            "kept": kept,
            # Whether a round has compared all files since.
            "compared": False,
            "differ": told(before["differ"] + [name for name in found["changed"] if name not in before["differ"]]),
            "differ_count": before["differ_count"] + len(found["changed"]),
            "only_there": told(found["gone"]),
            "only_there_count": len(found["gone"]),
        }

    def _ask(self):
        until = boottime() + SETTLING
        while True:
            answer = read_answer(self._call([PROGRAM, ASK, self._name]), self._settings["peer"])
            if answer["ownership"] != sync_marker.UNKNOWN or boottime() >= until:
                return answer
            time.sleep(TICK)

    def _give(self, verb, marker):
        self._call([PROGRAM, verb, self._name, self._token], sync_marker.render(marker))

    def _call(self, words, given=""):
        host = self._settings["peer_address"]
        code, out, err = self._watch(self._remote + [host, " ".join(words)], given)
        if code:
            raise NodeError("the peer: %s" % (_last(err) or "exit code %d" % code))
        return out

    def _transfer(self, path, kept, delete, dry=False, checksum=False):
        words = rsync_arguments(self._settings, self._entry, kept, delete, dry, checksum, self._nanoseconds)
        address = self._settings["peer_address"]
        host = "[%s]" % address if ":" in address else address
        shell = " ".join(self._remote)
        words += ["--rsh=" + shell, "--rsync-path=%s %s %s" % (PROGRAM, TAKE, self._token)]
        code, out, err = self._watch([self._rsync] + words + [path + "/", "%s:%s/" % (host, path)])
        if code not in (0, _VANISHED):
            raise NodeError("rsync: exit code %d: %s" % (code, _last(err) or "no word of why"))
        return read_changes(out)

    def _watch(self, argv, given=""):
        """(code, stdout, stderr) of a command that is ended when this node stops being owner."""
        # Files, because nobody reads a pipe while the state is watched.
        with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            told.write(given.encode("utf-8"))
            told.seek(0)
            # Runs as a program of the node, where there is no module to run commands.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
                argv, stdin=told, stdout=out, stderr=err, close_fds=False
            )
            began = boottime()
            while process.poll() is None:
                if self._node.ownership() != sync_marker.OWNER:
                    self._cut_at = boottime()
                    self._silence = self._cut_at - began
                    end(process)
                    raise RefusedError("this node stopped being owner during the round")
                if self._until is not None and boottime() >= self._until:
                    end(process)
                    raise RefusedError("the last round did not end within %g s" % LAST)
                time.sleep(TICK)
            found = []
            for stream in (out, err):
                stream.seek(0)
                found.append(stream.read().decode("utf-8", "replace"))
            return process.returncode, found[0], found[1]


def wait_for_lock(node, name, until):
    """The lock of a directory as its descriptor; None when another round still has it at that time (boottime)."""
    while True:
        held = node.lock(name)
        if held is not None or boottime() >= until:
            return held
        time.sleep(TICK)


def read_answer(text, peer):
    """What the peer says of a directory."""
    try:
        answer = json.loads(text)
        answer["marker"] = sync_marker.parse(json.dumps(answer["marker"]) if answer["marker"] else None)
        named = answer["node"]
        if not all(key in answer for key in ("ownership", "strayed", "empty", "filling", "rsync", "token")):
            raise ValueError(text)
    except (ValueError, TypeError, KeyError):
        raise NodeError("the peer answered %r, not what ha-pair-sync-receive answers" % text[:80])
    if named != peer:
        raise RefusedError("%s answered, and the peer is %s" % (named, peer))
    return answer


def _last(text):
    """The words that say why: the first line of our own program, or of rsync, whose last one only sums up.

    Before them what stands in the way on the peer, which rsync names without its own name.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    obstacles = [line for line in lines if line.startswith(_OBSTACLES)]
    ours = [line for line in lines if line.startswith((PROGRAM + ": ", "rsync: "))]
    return "; ".join(obstacles[:3] + (ours or ([] if obstacles else lines[-1:]))[:1])


def words_of(name, entry):
    """One line about a round; None when there is nothing to say."""
    if entry["result"] in (REFUSED, FAILED, UNDECIDED):
        return "problem: %s: %s: %s" % (name, entry["result"], entry["problem"])
    conflict = entry["conflict"]
    if conflict and entry["result"] == COMPLETE:
        return (
            "problem: %s: a split is not resolved: %d files differed and are kept in %s on %s, %d are only there; look "
            'at them, then run "%s --resolve %s"'
            % (
                name,
                conflict["differ_count"],
                # A round that did not get through has one, too.
                os.path.join(os.path.dirname(conflict["kept"]), "*-" + CONFLICT),
                conflict["kept_on"],
                conflict["only_there_count"],
                COMMAND,
                name,
            )
        )
    if entry["result"] == COMPLETE and entry["mode"] != MIRROR:
        kept = ", %d replaced files are kept in %s" % (entry["changed"] + entry["gone"], entry["kept"])
        return "%s: mirrored, %s%s" % (name, entry["why"], kept if entry["kept"] else "")
    return None


@contextlib.contextmanager
def alone(node, name, until):
    """No round runs meanwhile: it would write what it knew at its beginning over what is noted now."""
    held = wait_for_lock(node, name, until)
    if held is None:
        raise NodeError("%s: another round of it has not ended; run this again once it has" % name)
    try:
        yield
    finally:
        os.close(held)


def resolve(node, name):
    """A person has looked at what a split left."""
    with alone(node, name, boottime() + BUSY_WAIT):
        marker = node.marker(name)
        if marker is None or marker["conflict"] is None:
            raise NodeError("%s: no split is waiting to be resolved here" % name)
        if node.ownership() != sync_marker.OWNER:
            raise NodeError("%s: this node is not owner; run it on %s" % (name, node.settings["peer"]))
        node.save_marker(name, dict(marker, conflict=None))


def adopt(node, name):
    """Files here win though only the peer has a history: the next round is that of a split, which deletes nothing."""
    with alone(node, name, boottime() + BUSY_WAIT):
        if node.marker(name) is not None:
            raise NodeError("%s: this node has a history of its own; there is nothing to adopt" % name)
        if node.ownership() != sync_marker.OWNER:
            raise NodeError("%s: this node is not owner; move the VIP here first" % name)
        node.save_marker(name, sync_marker.new(node.settings["node"], node.now()))


def begin(node, name, until):
    """This node is the source from now on. Where it never had the files, the first round decides."""
    while node.ownership() != sync_marker.OWNER:
        # Whoever starts us may be about to say so.
        if boottime() >= until:
            raise NodeError("%s: this node is not owner, and cannot be the source" % name)
        time.sleep(SOON)
    while True:
        held = node.lock(name)
        if held is not None:
            break
        # What the peer still sends ends now, because we are owner. A round of ours may wait for a peer that is dead,
        # and has begun before that. Asked in this order: a receiver that comes later finds that we are owner.
        if node.is_held_by_source(name) and _is_begun(node, name):
            return
        if boottime() >= until:
            raise NodeError("%s: another round of it has not ended, and was none of this node" % name)
        time.sleep(SOON)
    try:
        node.forget_filling(name)
        if not _is_begun(node, name):
            node.save_marker(name, sync_marker.begin(node.marker(name), node.settings["node"], node.now()))
    finally:
        os.close(held)


def _is_begun(node, name):
    marker = node.marker(name)
    return marker is None or marker["owner"] == node.settings["node"]


def ask(node, name, remote):
    """What the peer says of a directory, whoever is owner."""
    words = remote + [node.settings["peer_address"], "%s %s %s" % (PROGRAM, ASK, name)]
    code, out, err = run_command(words, timeout=2.0 * CONNECT_TIMEOUT)
    if code:
        raise NodeError("%s: the peer: %s" % (name, _last(err) or "exit code %d" % code))
    return read_answer(out, node.settings["peer"])


def parse_arguments(arguments):
    """The options; ends the program with 2 on wrong ones, as argparse does."""
    parser = argparse.ArgumentParser(prog="ha-pair-sync", description="Mirrors directories from the owner to its peer.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--begin", action="store_true", help="become the source, before anything here writes")
    what.add_argument("--last", action="store_true", help="a last round, once nothing here writes any more")
    what.add_argument("--ask", action="store_true", help="print what the peer says; changes nothing")
    what.add_argument("--resolve", action="store_true", help="what a split left has been looked at")
    what.add_argument("--adopt", action="store_true", help="files here win though only the peer has a history")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a directory by its name; all without one")
    options = parser.parse_args(arguments)
    if (options.resolve or options.adopt) and not options.names:
        parser.error("--resolve and --adopt take the names of directories")
    return options


def main(arguments=None, node=None, remote=None, rsync="rsync"):
    """Run by a timer, by what watches the directories, and by a person."""
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    say = Journal("ha-pair-sync", plain=log)
    try:
        node = node or Node(read_settings())
        known = node.settings["directories"]
        for name in options.names:
            if name not in known:
                raise NodeError("%s: is not one of %s" % (name, ", ".join(sorted(known)) or "none"))
    except NodeError as exc:
        sys.stderr.write("ha-pair-sync: %s\n" % exc)
        return 2
    names, control = options.names or sorted(known), control_path()
    if options.begin or options.ask or options.resolve or options.adopt:
        return _act(node, options, names, remote or ssh(node.settings), say)
    try:
        direct = remote or ssh(node.settings)
        return _rounds(node, options, names, remote or ssh(node.settings, control), direct, rsync, say)
    finally:
        if remote is None:
            hang_up(ssh(node.settings, control), node.settings["peer_address"], control)


def _rounds(node, options, names, remote, direct, rsync, say):
    """A round of each of these directories."""
    wrong = False
    until = boottime() + LAST if options.last else None
    # One that has begun may have passed what was written since.
    patience = LAST if options.last else BUSY_WAIT if options.names else 0.0
    for name in names:
        entry = Round(node, name, remote, direct, rsync, patience, until).run()
        if entry["result"] == BUSY:
            # The timer starts one each few seconds, and whoever waited has to know.
            if options.names or options.last:
                sys.stderr.write("ha-pair-sync: %s: another round of it has not ended\n" % name)
                wrong = True
            continue
        before, line = node.report(name, entry), words_of(name, entry)
        wrong = wrong or entry["result"] in (REFUSED, FAILED, UNDECIDED)
        # What goes wrong every few seconds is said once.
        if line and line != (words_of(name, before) if before else None):
            say(line, priority=None if line.startswith("problem: ") else NOTICE)
    for name in [] if options.last else names:
        # On either node, and after what somebody waits for.
        node.tidy(name)
    return 1 if wrong else 0


def _act(node, options, names, remote, say):
    """What is no round."""
    wrong, told, until = False, {}, boottime() + BEGIN
    for name in names:
        try:
            if options.begin:
                begin(node, name, until)
            elif options.ask:
                told[name] = ask(node, name, remote)
            elif options.resolve:
                resolve(node, name)
            else:
                adopt(node, name)
        except (NodeError, RefusedError, EnvironmentError) as exc:
            wrong = True
            if options.begin:
                # Nobody waits for what a unit says of it.
                say("problem: not the source as it should be: %s" % exc)
            else:
                sys.stderr.write("ha-pair-sync: %s\n" % exc)
    if options.ask:
        sys.stdout.write(json.dumps(told, sort_keys=True) + "\n")
    return 1 if wrong else 0
