# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a round of file synchronisation may do, and what it does with real files where there is an rsync."""

from __future__ import absolute_import, division, print_function

import io
import json
import os
import shutil
import sys
import tempfile
import threading
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import (
    active_report,
    state,
    sync,
    sync_kept,
    sync_marker,
    sync_receive,
    sync_settings,
)
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.sync_marker import RefusedError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.system import find_program

__metaclass__ = type

A, B = "node-a", "node-b"
NOW = 1800000000.0
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def state_text(word, boot_id="boot", steps=()):
    """The state file of a node in which the instance is MASTER, BACKUP and so on."""
    record = state.new_record("node", boot_id, 100.0, ["app"])
    record["daemon"].update(state=state.RUNNING, pid=1)
    for at, step in list(steps) + [(200.0, word)]:
        event = {"kind": "instance", "name": "app", "state": step, "priority": 100}
        record = state.apply_event(record, event, at)
    return state.render(record, 200.0)


def report_text(phase, ran_at=None, pid=None, boot_id="boot", started=None):
    """The report of ha-pair-active, which this process is unless said otherwise."""
    pid = os.getpid() if pid is None else pid
    started = active_report.process_start(pid) if started is None else started
    services = {"fetcher": {"phase": phase, "ran_at": ran_at}}
    return json.dumps({"boot_id": boot_id, "pid": pid, "started": started, "services": services})


def marker(generation, owner, **given):
    return dict(sync_marker.new(owner, 10.0, generation), **given)


def answer(known, **given):
    """What the peer says; a marker beyond the first one was taken over from somebody."""
    if known is not None and known["generation"] > 1 and known["completed_at"] is None:
        known = dict(known, completed_at=5.0)
    told = {"node": B, "ownership": "standby", "marker": known, "strayed": False, "empty": False, "filling": None}
    return dict(told, **given)


class MarkerTest(unittest.TestCase):
    def test_who_is_owner(self):
        for text, found in (
            (state_text("MASTER"), "owner"),
            (state_text("BACKUP"), "standby"),
            (state_text("FAULT"), "standby"),
            (state_text("MASTER", boot_id="earlier"), "unknown"),
            (state_text("UNKNOWN"), "unknown"),
            (state.render(state.new_record("node", "boot", 1.0, ["app"]), 1.0), "unknown"),
            ("", "unknown"),
            (None, "unknown"),
        ):
            self.assertEqual(sync_marker.ownership(text, "app", "boot"), found, text)
        self.assertEqual(sync_marker.ownership(state_text("MASTER"), "other", "boot"), "unknown")
        gone = state.apply_daemon_gone(json.loads(state_text("MASTER")), "success", 300.0)
        self.assertEqual(sync_marker.ownership(state.render(gone, 300.0), "app", "boot"), "standby")

    def test_whether_it_was_owner_since(self):
        steps = [(110.0, "BACKUP"), (120.0, "MASTER"), (130.0, "BACKUP")]
        text = state_text("BACKUP", steps=steps)
        self.assertTrue(sync_marker.owned_since(text, "app", "boot", 125.0))
        self.assertFalse(sync_marker.owned_since(text, "app", "boot", 135.0))
        self.assertTrue(sync_marker.owned_since(state_text("MASTER"), "app", "boot", 250.0))
        self.assertFalse(sync_marker.owned_since(text, "app", "earlier", 125.0))

    def test_a_marker_is_read_as_it_was_written_and_junk_is_refused(self):
        one = marker(2, A, parent=[1, B, 10.0], completed_at=5.5)
        self.assertEqual(sync_marker.parse(sync_marker.render(one)), one)
        self.assertIsNone(sync_marker.parse(None))
        wrong = [dict(one, generation=0), dict(one, parent=[]), dict(one, owner=""), dict(one, began_at=None)]
        for junk in ["x", "[]", "{}"] + [sync_marker.render(each) for each in wrong]:
            with self.assertRaises(RefusedError):
                sync_marker.parse(junk)

    def test_becoming_the_source_counts_on_and_staying_it_does_not(self):
        begun = sync_marker.begin(marker(4, A, unsent=True, completed_at=7.0), B, 20.0)
        self.assertEqual((begun["generation"], begun["owner"], begun["parent"]), (5, B, [4, A, 10.0]))
        self.assertEqual((begun["unsent"], begun["completed_at"]), (False, 7.0))
        self.assertEqual(sync_marker.begin(begun, B, 30.0), begun)

    def test_what_a_round_may_do(self):
        split = {"why": "a split", "compared": True}
        for own, told, first, mode in (
            # The first deployment.
            (marker(1, A), answer(None, empty=True), None, "first"),
            (marker(1, A), answer(None), A, "first"),
            # It was interrupted.
            (marker(1, A), answer(None, filling=[1, A, 10.0]), None, "first"),
            (marker(3, A, completed_at=1.0), answer(None, filling=[3, A, 10.0]), None, "first"),
            (marker(3, A, completed_at=1.0), answer(None, filling=[2, A, 10.0]), None, "conflict"),
            # The peer was made anew, or lost its marker only.
            (marker(3, A, completed_at=1.0), answer(None, empty=True), None, "first"),
            (marker(3, A, completed_at=1.0), answer(None), A, "conflict"),
            # The peer tried, and never got through.
            (marker(1, A), answer(marker(1, B, unsent=True), strayed=True), A, "first"),
            # Day by day, and after an orderly change of the owner.
            (marker(3, A), answer(marker(3, A)), None, "mirror"),
            (marker(3, A, unsent=True), answer(marker(3, A)), None, "mirror"),
            (marker(4, A, parent=[3, B, 10.0]), answer(marker(3, B)), None, "takeover"),
            # Both have been source since: with one round that failed, with none recorded, and with both counted on.
            (marker(4, A, parent=[3, B, 10.0]), answer(marker(3, B, unsent=True), strayed=True), None, "conflict"),
            (marker(3, A), answer(marker(3, A), strayed=True), None, "conflict"),
            (marker(3, A), answer(marker(4, B, parent=[3, A, 10.0])), None, "conflict"),
            (marker(5, A, parent=[3, A, 10.0]), answer(marker(4, B, parent=[3, A, 10.0])), None, "conflict"),
            (marker(4, A, parent=[2, B, 10.0]), answer(marker(3, B)), None, "conflict"),
            # One of us lost its marker, and counted anew.
            (marker(3, A), answer(marker(3, A, began_at=9.0)), None, "conflict"),
            # Until a person says so.
            (marker(4, A, conflict=split), answer(marker(4, A, conflict=split)), None, "conflict"),
        ):
            self.assertEqual(sync_marker.choose(own, told, A, first)[0], mode, (own, told))

    def test_what_is_refused(self):
        for own, told, first, words in (
            (marker(1, A), answer(None, ownership="owner"), None, "the peer is owner as well"),
            (marker(1, A), answer(None, ownership="unknown"), None, "see that its ha-pair-notify.service runs"),
            (marker(1, A), answer(None), None, "say whose files win (file_sync_first: node-a)"),
            (marker(1, A), answer(None), B, "whose files are to win (file_sync_first: node-b), and the VIP is here"),
        ):
            with self.assertRaises(RefusedError) as caught:
                sync_marker.choose(own, told, A, first)
            self.assertIn(words, str(caught.exception))
        with self.assertRaises(RefusedError) as caught:
            sync_marker.check_begin(None, answer(marker(7, B)))
        self.assertIn("the peer has (generation 7 of node-b); move the VIP to the peer", str(caught.exception))

    def test_after_a_split_the_count_is_above_both(self):
        done = sync_marker.settle(marker(3, A), marker(5, B), "conflict", {"compared": False}, 9.0, "/")
        self.assertEqual((done["generation"], done["parent"], done["conflict"]), (6, [3, A, 10.0], {"compared": True}))

    def test_how_an_unresolved_split_keeps_what_it_replaces(self):
        def keeps(compared, **told):
            own = marker(4, A, conflict={"compared": compared}, parent=[3, B, 10.0])
            return sync_marker.choose(own, answer(**told), A, None)[::2]

        self.assertEqual(keeps(False, known=marker(4, A)), ("conflict", "conflict"))
        self.assertEqual(keeps(True, known=marker(4, A)), ("conflict", "mirror"))
        self.assertEqual(keeps(True, known=marker(3, B)), ("conflict", "takeover"))
        # Another split.
        self.assertEqual(keeps(True, known=marker(4, A), strayed=True), ("conflict", "conflict"))

    def test_what_is_told_of_a_split_always_fits_into_a_marker(self):
        self.assertEqual(sync.told(["a", "b"]), ["a", "b"])
        long_names = ["%03d" % number + "\u20ac" * 1000 for number in range(200)]
        split = {"differ": sync.told(long_names), "only_there": sync.told(long_names), "compared": True}
        self.assertEqual(split["differ"][0], long_names[0])
        whole = sync_marker.render(marker(1, A, conflict=split))
        self.assertLess(len(whole), sync_receive.LONGEST_MARKER)


class ServiceTest(unittest.TestCase):
    """Whose files are newer where the source is the node of a service."""

    def setUp(self):
        self.run = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.run)
        settings = {"node": A, "peer": B, "instance": "app", "service": "fetcher", "directories": {}}
        self.node = sync_settings.Node(settings, self.run, self.run, boot_id="boot")
        # The VIP says the opposite throughout.
        self.put("state.json", state_text("BACKUP"))

    def put(self, name, text):
        with io.open(os.path.join(self.run, name), "w", encoding="utf-8") as target:
            target.write(text.decode("utf-8") if isinstance(text, bytes) else text)

    def test_the_node_that_runs_the_service_is_owner(self):
        for phase, found in (
            ("starting", "owner"),
            ("active", "owner"),
            ("stopping", "owner"),
            ("standby", "standby"),
            ("waiting", "standby"),
            ("hold-down", "standby"),
        ):
            self.put(active_report.REPORT, report_text(phase))
            self.assertEqual(self.node.ownership(), found, phase)

    def test_a_report_that_nobody_keeps_says_nothing(self):
        self.assertEqual(self.node.ownership(), "unknown")
        gone = 1 << 22  # the largest number that a process may have is below
        for text in (
            "junk",
            "[]",
            "{}",
            report_text("active", boot_id="earlier"),
            report_text("active", pid=gone, started=1),
            report_text("standby", pid=gone, started=1),
            # Its number was given to another process.
            report_text("active", started=1),
            report_text("active").replace("fetcher", "other"),
            report_text("active").replace('"pid"', '"pit"'),
            report_text("active").replace('"started"', '"start"'),
        ):
            self.put(active_report.REPORT, text)
            self.assertEqual(self.node.ownership(), "unknown", text)

    def test_whether_it_ran_since(self):
        for text, found in (
            (report_text("active"), True),
            # Also by the report of an agent that is gone: it ran then.
            (report_text("stopping", pid=1 << 22, started=1), True),
            (report_text("standby", ran_at=151.0), True),
            (report_text("standby", ran_at=149.0), False),
            (report_text("standby"), False),
            (report_text("active", boot_id="earlier"), False),
            ("", False),
        ):
            self.put(active_report.REPORT, text)
            self.assertEqual(self.node.owned_since(150.0), found, text)

    def test_when_a_service_ran_last_is_noted(self):
        def note(before, phase, now):
            return {"services": active_report.note_runs(before, {"fetcher": {"phase": phase}}, now)}

        found = note(None, "standby", 1.0)
        self.assertIsNone(found["services"]["fetcher"]["ran_at"])
        found = note(note(found, "starting", 2.0), "active", 3.0)
        self.assertIsNone(found["services"]["fetcher"]["ran_at"])
        for phase, now in (("hold-down", 4.0), ("standby", 5.0)):
            found = note(found, phase, now)
            self.assertEqual(found["services"]["fetcher"]["ran_at"], 4.0)

    def test_who_does_not_know_names_the_unit_that_would(self):
        self.assertEqual(self.node.informant, "ha-pair-active.service")
        with self.assertRaises(RefusedError) as caught:
            sync_marker.choose(marker(1, A), answer(None, ownership="unknown", informant=self.node.informant), A, None)
        self.assertIn("see that its ha-pair-active.service runs", str(caught.exception))


class WordsTest(unittest.TestCase):
    def test_the_list_of_rsync(self):
        text = (
            "*deleting   old/x y\n<f.st...... a b\n<f+++++++++ new\n.d..t...... ./\n<fc........ c\ncL+++++++++ l -> x\n"
        )
        self.assertEqual(sync.read_changes(text), {"changed": ["a b", "c"], "gone": ["old/x y"]})

    def test_the_peer_is_reached_with_one_key_and_nothing_else(self):
        words = sync.ssh({"key": "/k", "known_hosts": "/h", "port": 22})
        self.assertEqual(words[:8], ["ssh", "-F", "/dev/null", "-T", "-p", "22", "-i", "/k"])
        for option in ("BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=/h"):
            self.assertIn(option, words)
        self.assertIn("ControlPath=none", words)
        self.assertFalse([word for word in words if word.startswith("ControlMaster")])
        # One connection for a round, in a place that only root writes to, and no other program's.
        shared = sync.ssh({"key": "/k", "known_hosts": "/h", "port": 22}, sync.control_path())
        self.assertIn("ControlMaster=auto", shared)
        self.assertIn("ControlPath=/run/keepalived/ha-pair/sync-ssh-%d" % os.getpid(), shared)

    def test_a_connection_ends_with_its_program_and_no_other_one_does(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        self.addCleanup(setattr, sync, "CONTROL", sync.CONTROL)
        sync.CONTROL = os.path.join(directory, "sync-ssh-")
        gone = 1 << 22  # the largest number that a process may have is below
        others = ["sync-ssh-%d" % os.getppid(), "sync.json"]
        for name in ["sync-ssh-%d" % gone, "sync-ssh-%d.abc" % gone] + others:
            open(os.path.join(directory, name), "w").close()
        said = os.path.join(directory, "said")
        remote = [sys.executable, "-c", "import sys; open(%r, 'w').write(' '.join(sys.argv[1:]))" % said]
        # It never opened one.
        sync.hang_up(remote, "192.0.2.1", sync.control_path())
        self.assertEqual(sorted(os.listdir(directory)), sorted(others))
        open(sync.control_path(), "w").close()
        sync.hang_up(remote, "192.0.2.1", sync.control_path())
        self.assertEqual(sorted(os.listdir(directory)), sorted(others + ["said"]))
        with open(said) as source:
            self.assertEqual(source.read(), "-O exit 192.0.2.1")

    def test_rounds_hang_up_and_what_opens_no_connection_does_not(self):
        settings = {"node": A, "peer": B, "peer_address": "192.0.2.1", "key": "/k", "known_hosts": "/h", "port": 22}
        node = sync_settings.Node(dict(settings, instance="app", service=None, directories={}), "/nowhere", "/nowhere")
        self.addCleanup(setattr, sync, "hang_up", sync.hang_up)
        found = []
        sync.hang_up = lambda remote, host, control: found.append((remote[0], host, control))
        sync.main([], node)
        self.assertEqual(found, [("ssh", "192.0.2.1", sync.control_path())])
        sync.main(["--begin"], node)
        self.assertEqual(len(found), 1)

    def test_what_compares_by_content_may_be_silent_for_long(self):
        settings = {"timeout": 30, "bandwidth": 0}
        for checksum, word in ((False, "--timeout=30"), (True, "--timeout=3600")):
            words = sync.rsync_arguments(settings, {"exclude": []}, "/kept", delete=False, checksum=checksum)
            self.assertEqual([each for each in words if each.startswith("--timeout")], [word])

    def test_what_stands_in_the_way_is_told(self):
        end = "rsync error: some files could not be transferred (code 23) at main.c(1338) [sender=3.2.7]"
        for said, found in (
            ("could not make way for new regular file: x\n" + end, "could not make way for new regular file: x"),
            (
                "cannot delete non-empty directory: d\nrsync: open failed\n" + end,
                "cannot delete non-empty directory: d; rsync: open failed",
            ),
            ("rsync: connection closed\n" + end, "rsync: connection closed"),
            (end, end),
            ("", ""),
        ):
            self.assertEqual(sync._last(said), found)

    def test_two_rounds_of_a_second_keep_their_files_apart(self):
        names = [sync_kept.stamp(seconds, "mirror") for seconds in (1700000000.25, 1700000000.5)]
        self.assertEqual(names[0], "20231114T221320.250Z-mirror")
        self.assertNotEqual(*names)
        self.assertTrue(all(sync_kept.STAMP.match(name) for name in names))

    def test_older_versions_of_rsync_know_seconds_only(self):
        self.assertTrue(sync_settings.tells_nanoseconds([3, 2, 7], [3, 1, 3]))
        self.assertFalse(sync_settings.tells_nanoseconds([3, 2, 7], [3, 1, 2]))
        self.assertFalse(sync_settings.tells_nanoseconds([3, 2, 7], []))
        self.assertEqual(sync_settings.rsync_version("/nowhere/rsync"), [])

    def test_settings_that_are_none_are_refused(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        path = os.path.join(directory, "s.json")
        for text, words in (
            ("", "is not readable"),
            ("{}", "node, peer"),
            ('{"directories": [{}]}', "is not readable"),
        ):
            with open(path, "w") as target:
                target.write(text)
            with self.assertRaises(NodeError) as caught:
                sync_settings.read_settings(path)
            self.assertIn(words, str(caught.exception))


class KeptTest(unittest.TestCase):
    """What stays of what rounds replaced, and for how long."""

    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.kept, self.place = os.path.join(self.root, "kept"), os.path.join(self.root, "data")
        os.makedirs(self.place)
        self.written = 0
        for name, value in (("MIRROR_ROUNDS", 3), ("MIRROR_BYTES", 25)):
            self.addCleanup(setattr, sync_kept, name, getattr(sync_kept, name))
            setattr(sync_kept, name, value)

    def keep(self, age, size=1, mode="mirror", name="x", named_at=1700000000):
        """What a round kept, so many days ago by the clock of this node, whatever it is called."""
        self.written += 1
        path = os.path.join(self.kept, sync_kept.stamp(named_at + self.written, mode))
        os.makedirs(path)
        with open(os.path.join(path, name), "w") as target:
            target.write("1" * size)
        os.utime(path, (NOW - age * 86400, NOW - age * 86400))

    def left(self, free=1.0, there=("x",)):
        """The sizes of what is left, the oldest name first."""
        for name in there:
            with open(os.path.join(self.place, name), "w"):
                pass
        sync_kept.prune(self.kept, self.place, 30, NOW, free=lambda _path: free)
        names = [os.path.join(self.kept, name) for name in sorted(os.listdir(self.kept))]
        return [os.path.getsize(os.path.join(path, name)) for path in names for name in os.listdir(path)]

    def test_age_goes_by_this_node_and_not_by_the_name(self):
        # The clock of the source is years behind, and a day ahead.
        self.keep(1, 1, "takeover")
        self.keep(31, 2, "takeover", named_at=NOW + 86400)
        self.keep(0, 3, "takeover")
        self.assertEqual(self.left(), [1, 3])

    def test_the_newest_stays_whatever_it_is(self):
        self.keep(40, 100)
        self.assertEqual(self.left(free=0.0), [100])

    def test_what_a_split_left_stays(self):
        self.keep(400, 1, "conflict")
        self.keep(0, 2)
        os.makedirs(os.path.join(self.kept, "of-somebody-else"))
        self.assertEqual(self.left(free=0.0), [1, 2])

    def test_of_what_was_replaced_the_last_is_kept_beyond_a_day(self):
        for size in (1, 2, 3, 4, 5):
            self.keep(10 - size, size)
        self.keep(0, 0)
        self.assertEqual(self.left(), [3, 4, 5, 0])
        self.keep(1.5, 24)
        self.assertEqual(self.left(), [0, 24])

    def test_within_a_day_all_of_it_is_kept_while_there_is_room(self):
        for size in range(30, 40):
            self.keep(0.9, size)
        self.assertEqual(len(self.left()), 10)
        self.assertEqual(self.left(free=0.05), [39])

    def test_what_was_deleted_is_kept_for_its_days_whatever_its_size(self):
        self.keep(20, 100, name="gone")
        for age in (5, 4, 3, 2):
            self.keep(age)
        self.keep(0)
        self.assertEqual(len(self.left(free=0.0)), 5)
        self.assertIn(100, self.left(free=0.0))


# What stands for ssh: the forced command of the peer, with the paths of the peer.
SSH = """
import os, sys
sys.dont_write_bytecode = True
sys.path.insert(0, {tools!r})
from target_tests import provide_collection
provide_collection()
from ansible_collections.duplex.ha_pair.plugins.module_utils._node import sync_receive, sync_settings
own, peer = sys.argv[1:3]
sync_receive.RSYNC = {rsync!r}
sync_receive.transfer.__defaults__ = ({rsync!r},)
node = sync_settings.Node(
    sync_settings.read_settings(peer + "/settings.json"), peer + "/lib", peer + "/run", boot_id="boot"
)
command = " ".join(sys.argv[4:]).replace(own, peer)
sys.exit(sync_receive.main(node, {{"SSH_ORIGINAL_COMMAND": command}}))
"""


@unittest.skipIf(find_program("rsync") is None, "rsync is not installed here")
class RoundTest(unittest.TestCase):
    """Two nodes in two directories, each with its own settings, markers, and state file."""

    def setUp(self):
        self.addCleanup(setattr, sync, "GRACE", sync.GRACE)
        self.addCleanup(setattr, sync, "TICK", sync.TICK)
        sync.GRACE, sync.TICK = 0, 0.01
        self.root = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.shell, self.rsync = os.path.join(self.root, "ssh.py"), "rsync"
        self.put(self.shell, SSH.format(tools=os.path.join(ROOT, "tools"), rsync=find_program("rsync")))
        for name, peer in ((A, B), (B, A)):
            for part in ("data", "run", "lib"):
                os.makedirs(self.path(name, part))
            settings = {"node": name, "peer": peer, "peer_address": "192.0.2.1", "instance": "app", "port": 22}
            settings.update(key="/k", known_hosts="/h", timeout=10, first="", keep_days=1)
            settings["directories"] = [{"name": "data", "path": self.path(name, "data"), "exclude": ["*.tmp"]}]
            self.put(self.path(name, "settings.json"), json.dumps(settings))

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def put(self, path, text):
        with io.open(path, "w", encoding="utf-8") as target:
            target.write(text.decode("utf-8") if isinstance(text, bytes) else text)

    def write(self, node, **files):
        for name, text in files.items():
            self.put(self.path(node, "data", name), text)

    def files(self, node):
        found = {}
        for name in os.listdir(self.path(node, "data")):
            with open(self.path(node, "data", name)) as source:
                found[name] = source.read()
        return found

    def kept(self, node):
        """{kind of round: {file: text}} of all that was kept."""
        found = {}
        for directory, _subdirectories, names in os.walk(self.path(node, "lib", "kept")):
            for name in names:
                with open(os.path.join(directory, name)) as source:
                    found.setdefault(directory.rpartition("-")[2], {})[name] = source.read()
        return found

    def marker(self, node):
        with open(self.path(node, "lib", "data.json")) as source:
            return json.load(source)

    def states(self, **words):
        for name, word in words.items():
            self.put(self.path({"a": A, "b": B}[name], "run", "state.json"), state_text(word))

    def node(self, name):
        return sync_settings.Node(
            sync_settings.read_settings(self.path(name, "settings.json")),
            self.path(name, "lib"),
            self.path(name, "run"),
            boot_id="boot",
        )

    def sync(self, name, *arguments):
        """Run the program; the entry of its report."""
        peer, node = self.path(B if name == A else A), self.node(name)
        self.code = sync.main(list(arguments), node, [sys.executable, self.shell, self.path(name), peer], self.rsync)
        if arguments:
            return None
        with open(self.path(name, "run", "sync.json")) as source:
            return json.load(source)["directories"]["data"]

    def test_a_directory_is_mirrored_and_what_is_deleted_is_kept(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1", y="1", skipped_tmp="1", **{"z.tmp": "1"})
        entry = self.sync(A)
        self.assertEqual((entry["result"], entry["mode"], entry["problem"]), ("complete", "first", None))
        self.assertEqual(self.files(B), {"x": "1", "y": "1", "skipped_tmp": "1"})
        self.write(A, x="2")
        # Written twice in a second, with as many bytes.
        seen = os.stat(self.path(B, "data", "x")).st_mtime
        os.utime(self.path(A, "data", "x"), (seen, int(seen) + (0.25 if seen % 1 > 0.5 else 0.75)))
        os.unlink(self.path(A, "data", "y"))
        entry = self.sync(A)
        self.assertEqual((entry["mode"], entry["changed"], entry["gone"]), ("mirror", 1, 1))
        self.assertEqual(self.files(B), {"x": "2", "skipped_tmp": "1"})
        self.assertEqual(self.kept(B), {"mirror": {"x": "1", "y": "1"}})
        idle = self.sync(B)
        self.assertEqual((idle["result"], idle["generation"], self.code), ("not owner", 1, 0))

    def test_a_round_beside_another_one_is_left_out_and_no_problem(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        before = self.sync(A)
        held = self.node(A).lock("data")
        self.addCleanup(os.close, held)
        self.write(A, x="22")
        self.assertEqual((self.sync(A), self.code), (before, 0))
        # Who names it waits, and is told.
        self.addCleanup(setattr, sync, "BUSY_WAIT", sync.BUSY_WAIT)
        sync.BUSY_WAIT = 0.05
        self.sync(A, "data")
        self.assertEqual((self.code, self.files(B)), (1, {"x": "1"}))

    def test_the_last_round_takes_what_was_written_last(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        self.write(A, x="22")
        self.sync(A, "--last")
        self.assertEqual((self.code, self.files(B)), (0, {"x": "22"}))

    def test_the_last_round_waits_for_one_that_has_begun(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        self.write(A, x="22")
        self.addCleanup(setattr, sync, "LAST", sync.LAST)
        sync.LAST = 0.05
        held = self.node(A).lock("data")
        self.sync(A, "--last")
        self.assertEqual((self.code, self.files(B)), (1, {"x": "1"}))
        sync.LAST = 20.0
        timer = threading.Timer(0.2, os.close, [held])
        timer.start()
        self.sync(A, "--last")
        self.assertEqual((self.code, self.files(B)), (0, {"x": "22"}))

    def test_a_last_round_that_does_not_get_through_is_ended_and_is_no_split(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        self.write(A, late="1")
        self.addCleanup(setattr, sync, "LAST", sync.LAST)
        sync.LAST = 0.5
        self.put(self.path("rsync"), "#!/bin/sh\n[ $1 = --version ] || exec sleep 60\n")
        os.chmod(self.path("rsync"), 0o755)
        self.rsync = self.path("rsync")
        self.sync(A, "--last")
        self.assertEqual(self.code, 1)
        self.assertFalse(self.marker(A)["unsent"])
        self.rsync = "rsync"
        self.states(a="BACKUP", b="MASTER")
        self.assertEqual(self.sync(B)["mode"], "takeover")
        self.assertEqual(self.kept(A), {"takeover": {"late": "1"}})

    def test_a_split_is_resolved_between_two_rounds(self):
        """A round that runs would note what it knew at its beginning."""
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        split = dict(self.marker(A), conflict={"kept": "/kept", "differ": [], "only_there": [], "compared": True})
        self.addCleanup(setattr, sync, "BUSY_WAIT", sync.BUSY_WAIT)
        sync.BUSY_WAIT = 0.05
        held = self.node(A).lock("data")
        self.sync(A, "--resolve", "data")
        self.assertEqual(self.code, 1)
        sync.BUSY_WAIT = 20.0

        def end():
            self.node(A).save_marker("data", split)
            os.close(held)

        threading.Timer(0.2, end).start()
        self.sync(A, "--resolve", "data")
        self.assertEqual((self.code, self.marker(A)["conflict"]), (0, None))

    def test_the_source_begins_once_it_is_owner_and_nobody_writes_here(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        self.addCleanup(setattr, sync, "BEGIN", sync.BEGIN)
        sync.BEGIN = 0.05
        self.sync(B, "--begin")
        self.assertEqual((self.code, self.marker(B)["owner"]), (1, A))
        self.states(a="BACKUP", b="MASTER")
        for holder in (sync_settings.SOURCE, sync_settings.RECEIVER):
            held = self.node(B).lock("data", holder)
            self.sync(B, "--begin")
            self.assertEqual((self.code, self.marker(B)["owner"]), (1, A))
            os.close(held)
        self.sync(B, "--begin")
        self.assertEqual((self.code, self.marker(B)["owner"]), (0, B))

    def test_the_source_begins_while_a_round_of_its_own_waits_for_a_peer_that_is_dead(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        self.states(b="MASTER")
        held = self.node(B).lock("data")
        self.addCleanup(os.close, held)
        node = self.node(B)
        threading.Timer(0.2, lambda: node.save_marker("data", sync_marker.begin(node.marker("data"), B, 1.0))).start()
        self.sync(B, "--begin")
        self.assertEqual((self.code, self.marker(B)["owner"]), (0, B))

    def test_a_marker_of_this_node_says_nothing_while_the_peer_may_put_its_own_there(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        self.states(a="BACKUP", b="MASTER")
        self.sync(B, "--begin")
        theirs = dict(self.marker(B), owner=A, generation=3)
        held, node = self.node(B).lock("data", sync_settings.RECEIVER), self.node(B)

        def end():
            node.save_marker("data", theirs)
            os.close(held)

        threading.Timer(0.2, end).start()
        self.sync(B, "--begin")
        self.assertEqual((self.code, self.marker(B)["owner"], self.marker(B)["generation"]), (0, B, 4))

    def test_a_source_that_could_not_begin_is_a_problem_of_the_journal(self):
        self.states(a="MASTER", b="BACKUP")
        self.addCleanup(setattr, sync, "BEGIN", sync.BEGIN)
        self.addCleanup(setattr, sync, "Journal", sync.Journal)
        said = []
        sync.BEGIN, sync.Journal = 0.05, lambda _name, plain: said.append
        self.sync(B, "--begin")
        words = "data: this node is not owner, and cannot be the source"
        self.assertEqual((self.code, said), (1, ["problem: not the source as it should be: " + words]))

    def test_a_node_that_does_not_know_says_so_once(self):
        self.addCleanup(setattr, sync, "Journal", sync.Journal)
        said = []
        sync.Journal = lambda _name, plain: lambda line, priority: said.append(line)
        self.states(a="UNKNOWN", b="BACKUP")
        for _each in range(2):
            entry = self.sync(A)
        words = "this node does not know whether it is owner; see that its ha-pair-notify.service runs"
        self.assertEqual((entry["result"], entry["problem"], self.code), ("owner unknown", words, 1))
        self.assertEqual(said, ["problem: data: owner unknown: " + words])

    def test_the_peer_is_asked_by_either_node(self):
        self.states(a="MASTER", b="BACKUP")
        self.addCleanup(setattr, sys, "stdout", sys.stdout)
        for name, peer, ownership in ((A, B, "standby"), (B, A, "owner")):
            sys.stdout = io.StringIO() if sys.version_info[0] > 2 else io.BytesIO()
            self.sync(name, "--ask", "data")
            told = json.loads(sys.stdout.getvalue())["data"]
            self.assertEqual((self.code, told["node"], told["ownership"]), (0, peer, ownership))
        os.unlink(self.shell)
        sys.stdout = io.StringIO() if sys.version_info[0] > 2 else io.BytesIO()
        self.sync(A, "--ask")
        self.assertEqual(self.code, 1)

    def test_the_direction_follows_the_owner(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        self.write(A, late="never sent")
        self.states(a="BACKUP", b="MASTER")
        self.sync(B, "--begin")
        self.write(B, x="22")
        entry = self.sync(B)
        self.assertEqual((entry["mode"], entry["generation"]), ("takeover", 2))
        self.assertEqual(self.files(A), {"x": "22"})
        self.assertEqual(self.kept(A), {"takeover": {"x": "1", "late": "never sent"}})
        self.assertEqual(self.sync(B)["mode"], "mirror")

    def test_after_a_split_nothing_is_deleted_until_a_person_says_so(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1", both="1")
        self.sync(A)
        self.states(a="MASTER", b="MASTER")
        self.write(A, both="of a", only_a="1")
        self.write(B, both="of b", only_b="1")
        self.sync(B, "--begin")
        for node in (A, B):
            entry = self.sync(node)
            self.assertEqual((entry["result"], self.code), ("refused", 1))
            self.assertIn("the peer is owner as well", entry["problem"])
        self.states(a="BACKUP", b="MASTER")
        entry = self.sync(B)
        self.assertEqual((entry["result"], entry["mode"], entry["problem"]), ("complete", "conflict", None))
        self.assertEqual(self.files(A), {"x": "1", "both": "of b", "only_a": "1", "only_b": "1"})
        self.assertEqual(self.kept(A), {"conflict": {"both": "of a"}})
        self.assertEqual((entry["conflict"]["differ"], entry["conflict"]["only_there"]), (["both"], ["only_a"]))
        # Also in the rounds that follow, and also when the other one becomes the source.
        os.unlink(self.path(B, "data", "x"))
        self.assertEqual(self.sync(B)["mode"], "conflict")
        self.assertIn("x", self.files(A))
        self.sync(B, "--resolve", "data")
        self.assertEqual(self.code, 0)
        self.assertEqual(self.sync(B)["mode"], "mirror")
        self.assertEqual(self.files(A), {"both": "of b", "only_b": "1"})
        self.assertEqual(self.kept(A)["mirror"], {"x": "1", "only_a": "1"})

    def test_an_unresolved_split_keeps_what_follows_as_on_any_other_day(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, w="1", x="1", z="1")
        self.sync(A)
        split = dict(self.marker(B), owner=B, generation=2, unsent=True)
        self.node(B).save_marker("data", split)
        self.write(A, x="22")
        self.write(B, x="of b")
        # One that does not get through keeps what it replaces as that of a split.
        self.stall("_give", self.broken)
        self.assertEqual(self.sync(A)["problem"], "broken")
        self.assertFalse(self.marker(A)["conflict"]["compared"])
        self.write(B, z="of b as well")
        self.assertEqual(self.sync(A)["mode"], "conflict")
        self.assertTrue(self.marker(A)["conflict"]["compared"])
        left = {"x": "of b", "z": "of b as well"}
        self.assertEqual(self.kept(B), {"conflict": left})
        self.write(A, x="333")
        self.write(B, only_b="1")
        entry = self.sync(A)
        self.assertEqual((entry["mode"], entry["conflict"]["differ"]), ("conflict", ["x"]))
        self.assertEqual(self.kept(B), {"conflict": left, "mirror": {"x": "22"}})
        self.assertEqual(self.files(B), {"w": "1", "x": "333", "z": "1", "only_b": "1"})
        # Another split before that one is resolved.
        self.node(B).save_marker("data", dict(self.marker(B), owner=B, unsent=True))
        self.write(B, w="again of b")
        self.assertEqual(self.sync(A)["conflict"]["differ"], ["x", "w"])
        self.assertEqual(self.kept(B)["conflict"], dict(left, w="again of b"))

    def test_files_of_a_source_that_could_not_send_them_are_not_deleted(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        # The peer does not answer, and then this node is lost.
        os.rename(self.shell, self.shell + ".gone")
        self.write(A, unsent="1")
        self.assertEqual(self.sync(A)["result"], "failed")
        self.assertTrue(self.marker(A)["unsent"])
        os.rename(self.shell + ".gone", self.shell)
        self.states(a="BACKUP", b="MASTER")
        entry = self.sync(B)
        self.assertEqual((entry["mode"], entry["conflict"]["only_there"]), ("conflict", ["unsent"]))
        self.assertEqual(self.files(A), {"x": "1", "unsent": "1"})

    def test_a_peer_whose_agent_is_started_again_is_asked_again(self):
        self.states(a="MASTER", b="BACKUP")
        self.sync(A)
        self.states(b="UNKNOWN")
        self.write(A, x="1")
        known = threading.Timer(0.3, self.states, kwargs={"b": "BACKUP"})
        known.start()
        self.addCleanup(known.join)
        self.assertEqual(self.sync(A)["result"], "complete")
        self.assertFalse(self.marker(A)["unsent"])

    def test_a_peer_that_stays_unknown_has_not_got_what_was_written(self):
        self.addCleanup(setattr, sync, "SETTLING", sync.SETTLING)
        sync.SETTLING = 0.05
        self.states(a="MASTER", b="BACKUP")
        self.sync(A)
        self.states(b="UNKNOWN")
        entry = self.sync(A)
        self.assertEqual(entry["result"], "refused")
        self.assertIn("the peer does not know whether it is owner", entry["problem"])
        self.assertTrue(self.marker(A)["unsent"])

    def test_nobody_waits_for_a_round_that_failed_and_one_that_got_through_since_says_more(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        self.stall("_transfer", self.broken)

        def another():
            # The lock is free.
            self.assertEqual(self.sync(A)["result"], "complete")

        self.stall("_stays_owner", another)
        self.assertEqual(self.sync(A)["result"], "failed")
        self.assertFalse(self.marker(A)["unsent"])

    def test_a_first_target_with_files_and_a_new_node_as_owner_are_refused(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.write(B, y="1")
        entry = self.sync(A)
        self.assertIn("the directory is not empty on the peer", entry["problem"])
        self.assertEqual(self.files(B), {"y": "1"})
        os.unlink(self.path(B, "data", "y"))
        self.assertEqual(self.sync(A)["result"], "complete")
        # This node is replaced, and owner before its files are back.
        os.unlink(self.path(A, "lib", "data.json"))
        os.unlink(self.path(A, "data", "x"))
        self.assertIn("this node never had these files", self.sync(A)["problem"])
        self.assertEqual(self.files(B), {"x": "1"})
        self.sync(A, "--adopt", "data")
        self.assertEqual(self.sync(A)["mode"], "conflict")
        self.assertEqual(self.files(B), {"x": "1"})

    def test_a_first_round_that_was_interrupted_is_made_again(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1", y="1")

        def at_the_commit():
            # After the note, and all files, but one.
            os.unlink(self.path(B, "data", "y"))
            raise NodeError("broken")

        self.stall("_give", lambda: self.stall("_give", at_the_commit))
        self.assertEqual(self.sync(A)["problem"], "broken")
        self.assertEqual(self.files(B), {"x": "1"})
        entry = self.sync(A)
        self.assertEqual((entry["mode"], entry["problem"], self.files(B)), ("first", None, self.files(A)))
        self.assertEqual((self.sync(A)["mode"], os.listdir(self.path(B, "lib")).count(".data.filling")), ("mirror", 0))

    def test_a_node_that_was_owner_has_files_of_its_own_whoever_had_begun_to_fill_it(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.stall("_give", lambda: self.stall("_give", self.broken))
        self.sync(A)
        self.assertIsNotNone(self.node(B).filling("data"))
        self.put(self.path(B, "run", "state.json"), state_text("MASTER"))
        self.assertIsNone(self.node(B).filling("data"))
        self.sync(B, "--begin")
        self.states(b="BACKUP")
        self.write(B, x="of b")
        self.assertIn("nothing was ever mirrored", self.sync(A)["problem"])
        self.assertEqual(self.files(B), {"x": "of b"})

    def test_where_both_have_files_the_named_one_wins_once_it_is_owner(self):
        for node in (A, B):
            path = self.path(node, "settings.json")
            with open(path) as source:
                self.put(path, json.dumps(dict(json.load(source), first=B)))
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="of a", y="1")
        self.write(B, x="of b")
        self.assertIn("move the VIP there first", self.sync(A)["problem"])
        self.states(a="BACKUP", b="MASTER")
        entry = self.sync(B)
        self.assertEqual((entry["mode"], entry["problem"]), ("first", None))
        self.assertEqual(self.files(A), {"x": "of b", "y": "1"})
        self.assertEqual(self.kept(A), {"first": {"x": "of a"}})
        self.assertEqual(self.sync(B)["mode"], "mirror")
        self.assertEqual(self.files(A), {"x": "of b"})

    def test_rsync_is_ended_when_this_node_stops_being_owner(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        self.assertEqual(self.hang()["result"], "refused")
        # It goes on nowhere: the next source takes over, and nobody has to resolve anything.
        self.assertFalse(self.marker(A)["unsent"])

    def hang(self, *commands):
        """A round of A hangs in rsync while that happens, and until A is owner no more; the entry of its report."""
        self.put(self.path("backup.json"), state_text("BACKUP"))
        rsync = self.path("rsync")
        lines = ["#!/bin/sh", "[ $1 = --version ] && exit"] + list(commands)
        lines += ["cp %s %s" % (self.path("backup.json"), self.path(A, "run", "state.json")), "exec sleep 60", ""]
        self.put(rsync, "\n".join(lines))
        os.chmod(rsync, 0o755)
        self.rsync = rsync
        entry = self.sync(A)
        self.rsync = "rsync"
        self.assertIn("stopped being owner during the round", entry["problem"])
        return entry

    def source_since(self, seconds):
        """The command with which B has been the source for so long, by its own clock."""
        node = self.node(B)
        begun = sync_marker.begin(node.marker("data"), B, node.now() - seconds)
        self.put(self.path("begun.json"), sync_marker.render(dict(begun, path=self.path(B, "data"))))
        return "cp %s %s" % (self.path("begun.json"), self.path(B, "lib", "data.json"))

    def test_a_round_that_hung_while_both_were_owner_is_a_split(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        self.write(A, only_a="1")
        self.hang(self.source_since(60))
        self.assertTrue(self.marker(A)["unsent"])
        self.states(a="BACKUP", b="MASTER")
        self.write(B, x="of b")
        entry = self.sync(B)
        self.assertEqual((entry["mode"], entry["conflict"]["only_there"]), ("conflict", ["only_a"]))
        self.assertEqual(self.files(A), {"x": "of b", "only_a": "1"})

    def test_a_round_that_a_planned_move_ended_is_no_split(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        # The other one began after this one had let go.
        self.hang(self.source_since(-60))
        self.assertFalse(self.marker(A)["unsent"])

    def test_a_round_that_ended_with_a_peer_that_is_away_is_none_of_a_split(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        self.hang(self.source_since(60), "mv %s %s" % (self.shell, self.shell + ".gone"))
        self.assertFalse(self.marker(A)["unsent"])

    def test_a_peer_that_cannot_say_for_how_long_it_was_source_is_not_asked_for_more(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        self.addCleanup(setattr, sync, "ask", sync.ask)
        sync.ask = lambda *_words: {"ownership": "owner"}
        self.hang(self.source_since(60))
        self.assertFalse(self.marker(A)["unsent"])

    def settings(self, **given):
        """Other settings on both nodes; a `path` is one below each of them."""
        for node in (A, B):
            path = self.path(node, "settings.json")
            with open(path) as source:
                settings = dict(json.load(source), **given)
            if "path" in given:
                settings["directories"][0]["path"] = self.path(node, settings.pop("path"))
            self.put(path, json.dumps(settings))

    def test_what_a_round_kept_is_there_after_it_whatever_its_size_and_the_clocks(self):
        self.addCleanup(setattr, sync_kept, "MIRROR_BYTES", sync_kept.MIRROR_BYTES)
        self.addCleanup(setattr, sync_settings.Node, "now", sync_settings.Node.now)
        sync_kept.MIRROR_BYTES = 1
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1", big="of ten bytes and more")
        self.sync(A)
        os.unlink(self.path(A, "data", "big"))
        # The clock of the source is long behind.
        clock, sync_settings.Node.now = sync_settings.Node.now, lambda _node: 1700000000.0
        entry = self.sync(A)
        sync_settings.Node.now = clock
        self.sync(B)
        self.assertEqual((entry["mode"], self.kept(B)), ("mirror", {"mirror": {"big": "of ten bytes and more"}}))

    def stall(self, step, meanwhile):
        """Something else happens before this step of the next round, which a node that was frozen does not notice."""
        real = getattr(sync.Round, step)

        def stalled(this_round, *given, **named):
            setattr(sync.Round, step, real)
            meanwhile()
            return real(this_round, *given, **named)

        setattr(sync.Round, step, stalled)

    def broken(self):
        raise NodeError("broken")

    def test_a_takeover_that_slept_through_a_split_ends_as_one(self):
        self.states(a="BACKUP", b="MASTER")
        self.write(B, x="1")
        self.sync(B)
        self.states(a="MASTER", b="BACKUP")

        def split():
            self.states(a="MASTER", b="MASTER")
            self.write(B, only_b="1", x="of b")
            self.sync(B)
            self.states(a="MASTER", b="BACKUP")

        self.stall("_give", split)
        self.assertIn("since the round began", self.sync(A)["problem"])
        self.assertTrue(self.marker(B)["unsent"])
        self.assertEqual(self.sync(A)["mode"], "conflict")
        self.assertEqual(self.files(B), {"x": "1", "only_b": "1"})
        self.assertEqual(self.kept(B), {"conflict": {"x": "of b"}})

    def test_a_round_that_slept_through_a_split_deletes_nothing(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)

        def split():
            self.states(a="MASTER", b="MASTER")
            self.write(B, only_b="1")
            self.sync(B, "--begin")
            self.states(a="MASTER", b="BACKUP")

        self.stall("_transfer", split)
        self.assertIn("since the round began", self.sync(A)["problem"])
        entry = self.sync(A)
        self.assertEqual((entry["mode"], entry["conflict"]["only_there"]), ("conflict", ["only_b"]))
        self.assertEqual((self.files(B), self.kept(B)), ({"x": "1", "only_b": "1"}, {}))

    def test_the_token_is_another_one_after_each_time_as_owner(self):
        self.states(a="MASTER", b="BACKUP")
        node, seen = self.node(B), []
        for steps in ((), ((120.0, "MASTER"),), ((120.0, "MASTER"), (130.0, "BACKUP"), (140.0, "MASTER"))):
            self.put(self.path(B, "run", "state.json"), state_text("BACKUP", steps=steps))
            seen.append(node.token("data"))
        node.save_marker("data", marker(1, A))
        seen.append(node.token("data"))
        node._boot_id = "later"
        seen.append(node.token("data"))
        node.settings["service"] = "fetcher"
        for ran_at in (1.0, 2.0):
            self.put(self.path(B, "run", active_report.REPORT), report_text("standby", ran_at, boot_id="later"))
            seen.append(node.token("data"))
            self.assertEqual(node.token("data"), seen[-1])
        self.assertEqual(len(set(seen)), 7)

    def test_a_name_that_gets_another_path_has_no_history_there(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        for node in (A, B):
            os.makedirs(self.path(node, "other"))
        self.put(self.path(B, "other", "precious"), "never mirrored")
        self.settings(path="other")
        self.assertIn("nothing was ever mirrored", self.sync(A)["problem"])
        self.settings(first=A)
        self.assertEqual(self.sync(A)["mode"], "first")
        self.assertEqual(os.listdir(self.path(B, "other")), ["precious"])
        self.assertEqual(self.marker(B)["path"], self.path(B, "other"))

    def test_a_lost_mount_deletes_nothing(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.sync(A)
        path = self.path(A, "lib", "data.json")
        with open(path) as source:
            known = json.load(source)
        self.put(path, json.dumps(dict(known, mount=self.path(A, "data"))))
        os.unlink(self.path(A, "data", "x"))
        self.assertIn("which is not mounted now", self.sync(A)["problem"])
        self.assertEqual(self.files(B), {"x": "1"})

    def test_each_node_has_mounts_of_its_own_and_the_standby_misses_its_own_too(self):
        self.states(a="MASTER", b="BACKUP")
        self.write(A, x="1")
        self.addCleanup(setattr, sync_settings, "mount_of", sync_settings.mount_of)
        sync_settings.mount_of = lambda path: path if path.startswith(self.path(A)) else "/"
        self.sync(A)
        self.assertEqual(self.marker(A)["mount"], self.path(A, "data"))
        self.assertNotEqual(self.marker(B)["mount"], self.path(A, "data"))
        # What stands for ssh sees the real ones.
        self.node(A).save_marker("data", dict(self.marker(A), mount="/"))
        self.states(a="BACKUP", b="MASTER")
        self.assertIsNone(self.sync(B)["problem"])
        self.states(a="MASTER", b="BACKUP")
        self.assertIsNone(self.sync(A)["problem"])
        self.node(B).save_marker("data", dict(self.marker(B), mount=self.path(B, "data")))
        self.assertIn("%s, which is not mounted now" % self.path(B, "data"), self.sync(A)["problem"])


if __name__ == "__main__":
    unittest.main()
