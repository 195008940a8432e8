# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the agent, what it tells, and what it asks of systemd, of control groups and of the service."""

from __future__ import absolute_import, division, print_function

import json
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
import unittest

from active_simulation import NAME, SECRET, SECRETS, Pair, arbiter, settings
from ansible_collections.duplex.ha_pair.plugins.module_utils._node import (
    active,
    active_arbiters,
    active_cgroup,
    active_fence,
    active_ready,
    active_report,
    active_systemd,
    probes,
    state,
)
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.active_settings import read_settings
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type

FILE = "/etc/keepalived/ha-pair-active.json"
SECRETS_FILE = "/etc/keepalived/ha-pair-active.secrets.json"


def given(entry=None, **changed):
    """The text of settings with one service."""
    service = {"instance": "web", "track_file": "/track"}
    service.update(entry or {})
    listen = {"address": "192.0.2.1", "port": 7411}
    return json.dumps(dict({"schema": 1, "node": "node-a", "listen": listen, "services": {NAME: service}}, **changed))


class SettingsTest(unittest.TestCase):
    def refuses(self, text, words, secrets=SECRETS, path=FILE):
        with self.assertRaises(NodeError) as caught:
            read_settings(text, secrets)
        self.assertEqual(str(caught.exception), "%s: %s" % (path, words))
        self.assertNotIn("not-to-be", str(caught.exception))

    def test_fills_in_what_is_not_said(self):
        found = read_settings(given(), SECRETS)
        self.assertEqual(found["watchdog"], 3.0)
        entry = found["services"][NAME]
        self.assertEqual(
            [entry[key] for key in ("confirm", "blind", "start_timeout", "stop_timeout", "restarts")],
            [1.0, 2.0, 60.0, 10.0, 2],
        )
        self.assertEqual(entry["ready"], {"kind": "systemd", "target": None, "interval": 0.2})
        self.assertEqual(entry["arbiter"]["kind"], "none")

    def test_takes_numbers_that_are_text(self):
        arguments = {"stop_timeout": "4.5", "arbiter": dict(arbiter("peer", True), port="7411")}
        entry = read_settings(given(arguments), SECRETS)
        self.assertEqual(entry["services"][NAME]["stop_timeout"], 4.5)
        self.assertEqual(entry["services"][NAME]["arbiter"]["port"], 7411)

    def test_each_arbiter_has_its_defaults(self):
        for kind, expected in (("peer", 21.0), ("witness", 21.0), ("command", 21.0)):
            words = {key: value for key, value in arbiter(kind, True).items() if key not in ("lease", "timeout")}
            found = read_settings(given({"arbiter": words}), SECRETS)["services"][NAME]["arbiter"]
            self.assertEqual((found["kind"], found["lease"]), (kind, expected))
            if kind != "witness":
                self.assertEqual(found["timeout"], 16.0)

    def test_refuses_what_is_no_settings(self):
        for text in (None, "", "[]", "{", json.dumps({"schema": 2, "services": {}}), json.dumps({"schema": 1})):
            self.refuses(text, "is not readable JSON of schema 1; run the role again that wrote it")
        self.refuses(given(node=""), "node is missing; run the role again that wrote it")
        self.refuses(given(watchdog=0), "watchdog 0 is not a number in 1..60; give one that is")

    def test_refuses_what_is_wrong_in_a_service(self):
        place = "service fetcher: "
        for entry, words in (
            ({"instance": ""}, "instance is missing; run the role again that wrote it"),
            ({"confirm": True}, "confirm True is not a number in 0..60; give one that is"),
            ({"stop_timeout": 301}, "stop_timeout 301 is not a number in 0.5..300; give one that is"),
            ({"companions": ["sync"]}, "companions is no list of units; name each with its suffix, such as .service"),
            ({"track_file": "track"}, "track_file track is no absolute path; give one"),
            ({"ready": {"kind": "luck"}},
             "ready: kind is not one of systemd, file, http, tcp, command; give one of them"),
            ({"ready": {"kind": "http"}}, "ready: target is missing; run the role again that wrote it"),
            ({"ready": {"kind": "command", "target": "true"}},
             "ready is no list of words; give a program by its absolute path, and its arguments"),
            ({"ready": {"kind": "systemd", "interval": 0.01}},
             "ready: interval 0.01 is not a number in 0.05..60; give one that is"),
            ({"start_timeout": 3, "ready": {"kind": "file", "target": "/ready", "interval": 5}},
             "start_timeout 3 s is shorter than the interval of ready, 5 s; give a longer start_timeout, or a shorter "
             "interval"),
            ({"arbiter": {"kind": "luck"}},
             "arbiter: kind luck is not one of none, peer, witness, command; give one of them"),
        ):
            self.refuses(given(entry), place + words)

    def test_refuses_times_that_cannot_keep_the_promise(self):
        place = "service fetcher: arbiter: "
        for words, text in (
            (
                arbiter("witness", True, lease=20),
                "lease 20 s leaves no time for a stop that may take 10 s; give at least 21, or a shorter stop_timeout",
            ),
            (
                arbiter("peer", True, timeout=15),
                "timeout 15 s is shorter than a peer may take that stops by itself; give at least 16, or a shorter "
                "stop_timeout",
            ),
            (arbiter("peer", True, timeout=16, port=0), "port 0 is not a number in 1..65535; give one that is"),
            (arbiter("command", True, argv=["fence"]), "argv: fence is no absolute path; give one"),
            (arbiter("command", True, argv="fence"),
             "argv is no list of words; give a program by its absolute path, and its arguments"),
        ):
            self.refuses(given({"arbiter": words}), place + text)
        self.refuses(
            given({"arbiter": arbiter("peer", True, timeout=16)}, listen=None),
            place + "listen is missing, so the peer cannot ask this node; run the role again that wrote it",
        )

    def test_secrets_are_needed_where_something_uses_them(self):
        found = read_settings(given(listen=None), None)
        self.assertIsNone(found["listen"])
        found = read_settings(given({"arbiter": arbiter("witness", True, lease=30)}, listen=None),
                              json.dumps({"witness": "the-witness-has-this"}))
        self.assertEqual(found["services"][NAME]["arbiter"]["secret"], b"the-witness-has-this")
        secrets = json.dumps({"channel": "the-channel-has-this", "witness": "the-witness-has-this"})
        found = read_settings(given({"arbiter": arbiter("peer", True, timeout=16)}), secrets)
        self.assertEqual(found["services"][NAME]["arbiter"]["secret"], b"the-channel-has-this")
        self.assertEqual(found["listen"]["secret"], b"the-channel-has-this")

    def test_refuses_secrets_that_are_missing_or_short_and_never_shows_one(self):
        cure = "run the role again that wrote it"
        place = FILE + ": service fetcher: arbiter"
        witness = given({"arbiter": arbiter("witness", True, lease=30)}, listen=None)
        for text, secrets, words in (
            (given(), None, "channel is missing, and %s: listen needs it; %s" % (FILE, cure)),
            (given(), '{"witness": "not-to-be-seen-at-all"}',
             "channel is missing, and %s: listen needs it; %s" % (FILE, cure)),
            (given({"arbiter": arbiter("peer", True, timeout=16)}), "{}",
             "channel is missing, and %s needs it; %s" % (place, cure)),
            (witness, '{"channel": "not-to-be-seen-at-all"}',
             "witness is missing, and %s needs it; %s" % (place, cure)),
            (witness, '{"witness": ["not-to-be-seen-at-all"]}',
             "witness is missing, and %s needs it; %s" % (place, cure)),
            (witness, '{"witness": "not-to-be-seen"}', "witness is shorter than 16 characters; give a longer one"),
            (given(), '{"channel": "not-to-be-seen"}', "channel is shorter than 16 characters; give a longer one"),
            (given(), '{"channel": "not-to-be-seen-at-all"', "is no readable JSON object; " + cure),
            (given(listen=None), '["not-to-be-seen-at-all"]', "is no readable JSON object; " + cure),
        ):
            self.refuses(text, words, secrets, SECRETS_FILE)

    def test_refuses_secrets_that_others_may_read(self):
        descriptor, path = tempfile.mkstemp()
        os.close(descriptor)
        self.addCleanup(os.unlink, path)
        active.refuse_readable(path)
        active.refuse_readable(path + ".not-there")
        os.chmod(path, 0o640)
        with self.assertRaises(NodeError) as caught:
            active.refuse_readable(path)
        self.assertEqual(
            str(caught.exception),
            "%s: others may read it (mode 0640), and it holds secrets; give it mode 0600" % path,
        )


class AgentTest(unittest.TestCase):
    def test_says_what_it_does_and_why(self):
        pair = Pair("none")
        world = pair.worlds["node-a"]
        pair.run(0.5)
        report = world.reports[-1]["services"][NAME]
        self.assertEqual((report["phase"], report["why"], report["ready"]), ("standby", "VRRP is BACKUP here", False))
        self.assertEqual(report["arbiter"]["promise"], active_arbiters.Nobody.promise)
        pair.vrrp("MASTER", "BACKUP")
        pair.run(10)
        report = world.reports[-1]["services"][NAME]
        self.assertEqual((report["phase"], report["why"], report["ready"]), ("active", "is ready", True))
        self.assertEqual(world.said, [
            "fetcher: standby: its agent has just started",
            "fetcher: starting: VRRP is MASTER here, and the arbiter agrees",
            "fetcher: active: is ready",
        ])
        self.assertEqual(world.systemd.commands, ["stop", "start"])
        # A report that changes with every look would be written ten times a second.
        self.assertLessEqual(len(world.reports), 6)

    def test_keepalived_hears_of_a_hold_down_only(self):
        pair = Pair("none")
        world = pair.worlds["node-a"]
        seen = []
        pair.run(0.2)
        pair.run(1, lambda: seen.append(world.files.get("/track")))
        pair.vrrp("MASTER", "BACKUP")
        pair.run(10, lambda: seen.append(world.files.get("/track")))
        self.assertEqual(set(seen), {True})
        world.well = False
        pair.run(1)
        self.assertEqual(world.files["/track"], False)
        world.well = True
        count = len(world.reports)
        pair.run(20)
        self.assertLessEqual(len(world.reports), count + 1)
        pair.run(20)
        self.assertEqual(world.files["/track"], True)

    def test_does_not_answer_for_a_service_that_it_has_not_got_nor_to_itself(self):
        agent = Pair("peer").agents["node-a"]
        for message in ({"service": "other", "node": "node-b"}, {"service": NAME, "node": "node-a"}, {}):
            self.assertEqual(agent.answer(dict(message, do="hold"))["answer"], "unknown")

    def test_a_peer_with_another_arbiter_is_not_taken_for_one_that_agrees(self):
        pair = Pair("peer")
        pair.settings["node-b"] = settings("node-b", "none")
        pair.start_agent("node-b")
        pair.vrrp("MASTER", "BACKUP")
        pair.run(60)
        self.assertEqual(pair.where(), [])

    def test_a_start_that_was_decided_before_a_freeze_is_not_given(self):
        pair = Pair("none")
        world, agent = pair.worlds["node-a"], pair.agents["node-a"]
        pair.run(0.1)
        world.word = "MASTER"
        agent.step()
        pair.clock.now += 0.4
        agent.step()
        pair.clock.now += 0.4
        agent.step()
        ready, pair.clock.now = world.ready, pair.clock.now + 0.4

        def freeze(name, seen):
            pair.clock.now += 100
            return ready(name, seen)

        world.ready = freeze
        agent.step()
        self.assertNotIn("start", world.systemd.commands)

    def test_what_an_agent_before_it_left_ends_before_it_calls_itself_started(self):
        for kind in ("none", "peer", "command", "witness"):
            pair = Pair(kind)
            world = pair.worlds["node-a"]
            pair.run(1)
            world.word, world.systemd.state, world.systemd.stop_time = "MASTER", "active", (2.0, 2.0)
            world.systemd.commands, world.files = [], {}
            pair.start_agent("node-a")
            agent = pair.agents["node-a"]
            seen = []

            def look(agent=agent, world=world, seen=seen):
                seen.append((agent.settling, world.systemd.runs))
                if agent.settling:
                    # To be fit here is not for it to say yet.
                    self.assertNotIn("/track", world.files)
                    if kind in ("peer", "command"):  # noqa: B023
                        asked = {"service": NAME, "node": "node-b", "do": "hold"}
                        self.assertEqual(agent.answer(asked)["answer"], "busy" if seen[-1][1] else "free")

            pair.run(1.5, look)
            self.assertEqual((True, True) in seen[2:], kind != "witness", kind)
            self.assertEqual("kill" in world.systemd.commands, kind == "witness", kind)
            pair.run(2)
            self.assertFalse(agent.settling, kind)
            self.assertNotIn((False, True), seen, kind)
            self.assertEqual(world.files["/track"], True, kind)

    def test_a_start_that_systemd_has_queued_is_taken_back(self):
        pair = Pair("none")
        world = pair.worlds["node-a"]
        world.systemd.go = lambda: None
        world.systemd.job = "start"
        pair.run(1)
        self.assertEqual((world.systemd.job, set(world.systemd.commands)), ("stop", {"stop"}))
        self.assertTrue(pair.agents["node-a"].settling)

    def test_what_does_not_end_is_stopped_and_killed_and_keeps_nobody_waiting_for_ever(self):
        pair = Pair("none")
        world = pair.worlds["node-a"]
        world.systemd.state, world.systemd.stop_time, world.systemd.kill = "active", (999, 999), lambda: None
        killed = []
        world.kill = killed.append
        pair.start_agent("node-a")
        agent = pair.agents["node-a"]
        pair.run(3.9)
        self.assertEqual(killed, [])
        pair.run(1)
        self.assertTrue(killed)
        self.assertTrue(agent.settling)
        pair.run(active.SETTLE)
        self.assertFalse(agent.settling)
        self.assertEqual(world.reports[-1]["services"][NAME]["phase"], "stopping")

    def test_a_fencing_command_that_does_not_end_has_failed(self):
        clock = [0.0]
        fence = active_fence.Fence(["/bin/sleep", "60"], 5.0, lambda: clock[0])
        self.assertIsNone(fence.result())
        clock[0] = 5.1
        self.assertEqual(fence.result(), (False, "/bin/sleep: no end within 5 s"))
        self.assertEqual(fence._process.wait(), -signal.SIGKILL)

    def test_a_fencing_command_succeeds_by_its_exit_code(self):
        for argv, expected in (
            (["/bin/sh", "-c", "exit 0"], (True, None)),
            # What it leaves behind, or closes, says nothing.
            (["/bin/sh", "-c", "sleep 5 & exit 0"], (True, None)),
            (["/bin/sh", "-c", "exec >&- 2>&-; sleep 0.05; exit 0"], (True, None)),
            (["/bin/sh", "-c", "echo no route; exit 3"], (False, "/bin/sh: ended with 3: no route")),
            (["/nonexistent/fence"], (False, "/nonexistent/fence: cannot be started (No such file or directory)")),
        ):
            fence, end, found = active_fence.Fence(argv, 30.0), time.time() + 20, None
            while found is None and time.time() < end:
                found = fence.result()
                time.sleep(0.001)
            self.assertEqual(found, expected)
            self.assertEqual(fence.result(), expected)


class MainTest(unittest.TestCase):
    def test_says_that_it_started_once_nothing_runs_that_it_found(self):
        told, looks = [], []

        class World(object):
            def __init__(self, _settings):
                self.now = time.time

            @staticmethod
            def programs():
                return None

            @staticmethod
            def wait(_timeout, _wake):
                if len(looks) > 5:
                    os.kill(os.getpid(), signal.SIGTERM)

            @staticmethod
            def close():
                pass

        class Agent(object):
            at_rest = is_free = True

            def __init__(self, _settings, _world):
                self.settling = True

            @staticmethod
            def patience():
                return 0

            def step(self):
                looks.append(list(told))
                self.settling = len(looks) < 4

            @staticmethod
            def leave():
                pass

        for place, name, value in (
            (active, "World", World),
            (active, "Agent", Agent),
            (active, "read_settings", lambda _text, _secrets: {}),
            (active.service, "tell", told.append),
        ):
            self.addCleanup(setattr, place, name, getattr(place, name))
            setattr(place, name, value)
        for number in (signal.SIGTERM, signal.SIGINT):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.assertEqual(active.main(), 0)
        self.assertEqual(looks[3:5], [[], ["READY=1"]])
        self.assertEqual(told[-1], "STOPPING=1")


class WorldTest(unittest.TestCase):
    """The parts of the machine that need no systemd."""

    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.before, active.STATE_DIRECTORY = active.STATE_DIRECTORY, self.directory
        self.addCleanup(setattr, active, "STATE_DIRECTORY", self.before)
        self.failing = self.path("failing")
        entry = {"track_file": self.path("track"), "failing_file": self.failing}
        self.settings = read_settings(given(entry, listen={"address": "127.0.0.1", "port": 1}), SECRETS)
        self.world = active.World(self.settings)
        self.said = []
        self.world.say = self.said.append

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as target:
            target.write(text)

    def read(self, name):
        with open(self.path(name)) as source:
            return source.read()

    def test_reads_the_record_of_this_boot_again_when_it_changes(self):
        boot = active.System.boot_id()
        record = state.apply_daemon_running(state.new_record("node-a", boot, 1.0, ["web"]), {"pid": 1, "since": 1}, 1)
        self.assertIsNone(self.world.vrrp("web"))
        for word in ("MASTER", "BACKUP"):
            record = state.apply_event(record, state.parse_line('INSTANCE "web" %s 250' % word), 2.0)
            self.write("new", state.render(record, 2.0))
            os.rename(self.path("new"), self.path("state.json"))
            self.assertEqual(self.world.vrrp("web"), word)
        os.unlink(self.path("state.json"))
        self.assertIsNone(self.world.vrrp("web"))

    def test_a_verdict_of_the_prober_counts_once_it_was_good(self):
        up, down = {"service": "active", "run": "1"}, {"service": "activating", "run": "0"}
        self.world._systemd.asked = lambda _name: self.world.now() + 1
        self.write("failing", "1\n")
        self.assertIsNone(self.world.ready(NAME, down))
        self.assertIsNone(self.world.ready(NAME, None))
        # Of the time before this start.
        self.assertTrue(self.world.ready(NAME, up))
        self.write("failing", "0\n")
        self.assertTrue(self.world.ready(NAME, up))
        self.write("failing", "1\n")
        self.assertFalse(self.world.ready(NAME, up))
        os.unlink(self.failing)
        self.assertTrue(self.world.ready(NAME, up))

    def test_a_verdict_waits_for_what_systemd_says_of_after_it(self):
        asked, up = [self.world.now()], {"service": "active", "run": "1"}
        self.world._systemd.asked = lambda _name: asked[0]
        self.write("failing", "0\n")
        self.assertTrue(self.world.ready(NAME, up))
        self.world._systemd._next = 1e9
        self.write("failing", "1\n")
        self.assertTrue(self.world.ready(NAME, up))
        self.assertIsNone(self.world._systemd._next)
        # Somebody has restarted it meanwhile.
        asked[0] = self.world.now() + 1
        up["run"] = "2"
        self.assertTrue(self.world.ready(NAME, up))
        self.write("failing", "0\n")
        self.assertTrue(self.world.ready(NAME, up))
        self.write("failing", "1\n")
        self.assertFalse(self.world.ready(NAME, up))

    def test_another_program_has_to_be_ready_itself(self):
        entry = {"track_file": self.path("track"), "ready": {"kind": "file", "target": self.path("ready")}}
        world = active.World(read_settings(given(entry, listen=None), SECRETS))
        begun = world._readiness[NAME] = active_ready.Readiness(None, 1.0, lambda _run: None)
        world.tell(NAME, "start")
        for run in ("1", "2"):
            up = {"service": "active", "run": run}
            self.assertIsNone(world.ready(NAME, up))
            begun._run["ready"] = True
            self.assertTrue(world.ready(NAME, up))
            self.assertTrue(world.ready(NAME, dict(up, service="reloading")))

    def test_keeps_what_keepalived_reads(self):
        self.world.track(self.path("track"), True)
        self.assertEqual(self.read("track"), "1\n")
        self.world.track(self.path("track"), False)
        self.assertEqual(self.read("track"), "0\n")
        os.unlink(self.path("track"))
        clock, self.world.now = self.world.now() + 2, lambda: clock
        self.world.track(self.path("track"), False)
        self.assertEqual(self.read("track"), "0\n")

    def test_says_once_that_it_cannot_write(self):
        for good in (True, False):
            self.world.track("/nonexistent/track", good)
        self.assertEqual(self.said, [
            "problem: /nonexistent/track: cannot write (No such file or directory); see that its directory is there "
            "and has room"
        ])

    def test_publishes_for_people(self):
        self.world.publish({"schema": 1, "services": {NAME: {"phase": "standby"}}})
        report = json.loads(self.read("active.json"))
        self.assertEqual(report["services"][NAME]["phase"], "standby")
        self.assertIn("written_at", report)
        # By these others see whether it still holds.
        self.assertEqual((report["boot_id"], report["pid"]), (active.System.boot_id(), os.getpid()))
        self.assertEqual(active_report.phase(report, NAME), "standby")

    def test_remembers_when_a_service_ran_also_as_another_process(self):
        for phase in ("active", "standby"):
            self.world.publish({"schema": 1, "services": {NAME: {"phase": phase}}})
        ran_at = json.loads(self.read("active.json"))["services"][NAME]["ran_at"]
        self.assertIsNotNone(ran_at)
        again = active.World(self.settings)
        again.publish({"schema": 1, "services": {NAME: {"phase": "waiting"}}})
        self.assertEqual(json.loads(self.read("active.json"))["services"][NAME]["ran_at"], ran_at)

    def test_says_that_its_port_is_taken(self):
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        self.settings["listen"]["port"] = port = taken.getsockname()[1]
        with self.assertRaises(NodeError) as caught:
            self.world.open(lambda message: message)
        self.assertEqual(
            str(caught.exception),
            "127.0.0.1: port %d: cannot be listened on (Address already in use); see who does, and that the address "
            "is this host's" % port,
        )

    def test_two_agents_meet_over_real_sockets(self):
        other = socket.socket()
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        other.close()
        self.settings["listen"].update(port=port, secret=SECRET.encode("ascii"))
        pair = Pair("peer")
        self.world.open(pair.agents["node-a"].answer)
        self.addCleanup(self.world.close)
        line = self.world.line("127.0.0.1", port, SECRET.encode("ascii"))
        found, end = None, time.time() + 10
        while found is None and time.time() < end:
            found = line.look(self.world.now())
            if line.idle:
                line.ask({"service": NAME, "node": "node-b", "do": "look"}, self.world.now())
            self.world._listener.step(self.world.now())
        self.assertEqual(found["answer"], "heard")


SHOWN = """Id=ha-pair-fetcher.target
LoadState=loaded
ActiveState=active
Job=0

ControlGroup=/system.slice/fetcher.service
NRestarts=1
ExecMainStartTimestampMonotonic=71000
MainPID=710
Result=success
Id=fetcher.service
LoadState=loaded
ActiveState=active

Id=sync.service
LoadState=loaded
ActiveState=inactive
"""


class Answer(object):
    def __init__(self, argv, answer):
        self.argv, self.answer, self.killed = argv, answer, False

    def result(self):
        return self.answer

    def kill(self):
        self.killed = True


class NoGroups(object):
    full = False

    def __init__(self):
        self.killed = []

    @staticmethod
    def directory(group):
        return group

    def populated(self, _path):
        return self.full

    def kill(self, path):
        self.killed.append(path)


class SystemdTest(unittest.TestCase):
    def setUp(self):
        self.started, self.said, self.groups = [], [], NoGroups()
        units = {NAME: ["ha-pair-fetcher.target", "fetcher.service", "sync.service"]}
        self.systemd = active_systemd.Systemd(units, self.start, self.said.append, self.groups)

    def start(self, argv):
        self.started.append(Answer(argv, None))
        return self.started[-1]

    def show(self, text, now):
        self.systemd.look(now, False)
        self.assertEqual(self.started[-1].argv[:2], ["systemctl", "show"])
        self.started[-1].answer = (0, text)
        self.systemd.look(now, False)

    def test_reads_what_systemd_says(self):
        self.assertIsNone(self.systemd.unit(NAME, 0.0))
        self.show(SHOWN, 1.0)
        self.assertEqual(self.systemd.unit(NAME, 1.1), {
            "target": "active", "service": "active", "job": None, "down": False, "restarts": 1, "run": "71000",
            "result": "success",
        })
        # What is that old says nothing of now.
        self.assertIsNone(self.systemd.unit(NAME, 8.0))

    def test_jobs_and_ends(self):
        for replaced, key, expected in (
            ((("ActiveState=active", "ActiveState=inactive"),), "down", True),
            ((("ActiveState=active", "ActiveState=inactive"), ("Job=0", "Job=71")), "job", "start"),
            ((("Job=0", "Job=71"),), "job", "stop"),
            ((("Id=fetcher.service\nLoadState=loaded", "Id=fetcher.service\nLoadState=not-found"),), "result",
             "not-found"),
            ((("NRestarts=1\n", ""),), "restarts", 0),
            ((("ExecMainStartTimestampMonotonic=71000\n", ""),), "run", "710"),
        ):
            text = SHOWN
            for before, after in replaced:
                text = text.replace(before, after)
            self.assertEqual(active_systemd.summary(active_systemd.parse_show(text))[key], expected)

    def test_a_companion_that_runs_once_is_no_start_of_the_service(self):
        runs = SHOWN.replace("ActiveState=inactive", "ActiveState=activating\nJob=71")
        found = active_systemd.summary(active_systemd.parse_show(runs))
        self.assertEqual((found["job"], found["down"]), (None, False))

    def test_what_was_said_before_a_command_ended_is_forgotten(self):
        down = SHOWN.replace("ActiveState=active", "ActiveState=inactive")
        self.show(down, 1.0)
        self.systemd.look(1.3, False)
        show = self.started[-1]
        self.systemd.tell(NAME, "start", 1.3)
        command = self.started[-1]
        self.assertEqual(command.argv, ["systemctl", "--no-block", "start", "ha-pair-fetcher.target"])
        self.assertIsNone(self.systemd.unit(NAME, 1.3))
        # Asked before the command, answered after it.
        show.answer, command.answer = (0, down), (0, "")
        self.systemd.look(1.4, False)
        self.assertIsNone(self.systemd.unit(NAME, 1.4))
        self.started[-1].answer = (0, SHOWN)
        self.systemd.look(1.5, False)
        self.assertEqual(self.systemd.unit(NAME, 1.5)["target"], "active")

    def test_a_service_whose_processes_are_there_is_not_down(self):
        self.show(SHOWN.replace("ActiveState=active", "ActiveState=inactive"), 1.0)
        self.assertTrue(self.systemd.unit(NAME, 1.0)["down"])
        self.groups.full = True
        self.assertFalse(self.systemd.unit(NAME, 1.0)["down"])

    def test_asks_at_once_when_the_processes_have_ended(self):
        self.groups.full = True
        self.show(SHOWN, 1.0)
        for now in (1.0, 2.1, 2.2):
            self.started[-1].answer = (0, SHOWN)
            self.systemd.look(now, True)
        count = len(self.started)
        self.systemd.look(2.25, True)
        self.assertEqual(len(self.started), count)
        self.groups.full = False
        self.systemd.look(2.3, True)
        self.assertEqual(len(self.started), count + 1)

    def test_kills_by_the_kernel_and_by_systemd(self):
        self.show(SHOWN, 1.0)
        self.systemd.kill(NAME, 1.1)
        self.assertEqual(self.groups.killed, ["/system.slice/fetcher.service"])
        self.assertEqual(
            [one.argv for one in self.started[-2:]],
            [["systemctl", "kill", "--signal=KILL", unit] for unit in ("fetcher.service", "sync.service")],
        )

    def test_a_systemd_that_does_not_answer_is_left(self):
        self.systemd.look(1.0, False)
        self.systemd.look(6.1, False)
        self.assertTrue(self.started[-1].killed)
        self.started[-1].answer = (-9, "")
        self.systemd.look(6.2, False)
        self.assertEqual(self.said, ["problem: systemctl show: ended with -9"])


class CgroupTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.path = os.path.join(self.root, "a.service")
        os.makedirs(os.path.join(self.path, "inner"))
        self.write("cgroup.procs", "11\n12\n")
        self.write("inner/cgroup.procs", "13\n")

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w") as target:
            target.write(text)

    def read(self, name):
        with open(os.path.join(self.path, name)) as source:
            return source.read()

    def test_finds_it(self):
        self.assertEqual(active_cgroup.directory("/a.service", ("/nowhere", self.root)), self.path)
        for group in (None, "", "/", "/b.service", "a.service", "/../etc"):
            self.assertIsNone(active_cgroup.directory(group, (self.root,)))

    def test_whether_there_is_a_process(self):
        self.assertTrue(active_cgroup.populated(self.path))
        self.write("cgroup.events", "populated 0\nfrozen 0\n")
        self.assertFalse(active_cgroup.populated(self.path))

    def test_the_kernel_ends_all_at_once_where_it_can(self):
        self.write("cgroup.kill", "")
        active_cgroup.kill(self.path, self.fail)
        self.assertEqual(self.read("cgroup.kill"), "1")

    def test_an_older_kernel_freezes_them_first(self):
        self.write("cgroup.freeze", "0")
        sent = []
        active_cgroup.kill(self.path, lambda *words: sent.append(words + (self.read("cgroup.freeze"),)))
        self.assertEqual(sent, [(number, signal.SIGKILL, "1") for number in (11, 12, 13)])
        self.assertEqual(self.read("cgroup.freeze"), "0")

    def test_one_that_cannot_freeze_is_asked_again_until_nobody_is_left(self):
        sent = []

        def send(number, _signal):
            sent.append(number)
            self.write("cgroup.procs", "" if 14 in sent else "14\n")
            self.write("inner/cgroup.procs", "")

        active_cgroup.kill(self.path, send)
        self.assertEqual(sent, [11, 12, 13, 14])


class ReadyTest(unittest.TestCase):
    def test_asks_until_it_is_ready_and_a_new_start_begins_anew(self):
        problems, turns = ["no", "no", None], []

        class Asker(object):
            def ask(self, _timeout):
                return problems.pop(0)

        waited = []
        readiness = active_ready.Readiness(Asker(), 0.7, turns.append)
        self.assertIsNone(readiness.ready)
        readiness.begin()
        readiness._run["over"].wait = waited.append
        turns.pop()()
        self.assertEqual(waited, [0.7, 0.7])
        self.assertTrue(readiness.ready)
        readiness.begin()
        self.assertIsNone(readiness.ready)
        readiness.end()
        turns.pop()()
        self.assertIsNone(readiness.ready)

    def test_says_why_it_cannot_ask(self):
        readiness = active_ready.Readiness(probes.Unable("no program"), 0.1, lambda run: None)
        readiness.begin()
        run = readiness._run
        thread = threading.Thread(target=readiness._ask, args=(run,))
        thread.start()
        end = time.time() + 10
        while readiness.problem is None and time.time() < end:
            time.sleep(0.001)
        run["over"].set()
        thread.join(10)
        self.assertEqual(readiness.problem, "no program")

    def test_a_file(self):
        asker = active_ready.make_asker("file", "/nonexistent/ready")
        self.assertEqual(asker.ask(1.0), "/nonexistent/ready: is not there")
        self.assertIsNone(active_ready.make_asker("file", "/").ask(1.0))


if __name__ == "__main__":
    unittest.main()
