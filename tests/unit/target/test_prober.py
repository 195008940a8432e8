# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The prober: what it makes of answers and misses, its files, its report; with a clock that the tests turn."""

from __future__ import absolute_import, division, print_function

import json
import os
import shutil
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import prober, probes
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type


class Clock(object):
    """The machine as a test wants it."""

    def __init__(self):
        self.time, self.programs, self.stamp, self.text, self.slept = 1000.0, None, 1, None, []

    def now(self):
        return self.time + 1e9

    def monotonic(self):
        return self.time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds

    def program_stamp(self):
        return self.programs

    def description_stamp(self):
        return self.stamp

    def description(self):
        if isinstance(self.text, Exception):
            raise self.text
        return self.text

    read = staticmethod(prober.Node.read)
    modified = staticmethod(prober.Node.modified)


class Asker(object):
    """Answers by a list: None good, a text a miss, an exception as it is; the duration of each by another."""

    def __init__(self, clock):
        self.clock, self.answers, self.took, self.asked = clock, [], 0.001, 0

    def ask(self, _timeout):
        self.asked += 1
        self.clock.time += self.took
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


class Case(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.base)
        for name in ("failing", "track"):
            os.mkdir(os.path.join(self.base, name))
        self.clock, self.said = Clock(), []
        self.asker = Asker(self.clock)

    def path(self, *parts):
        return os.path.join(self.base, *parts)

    def write(self, text, *parts):
        with open(self.path(*parts), "w") as target:
            target.write(text)

    def content(self, name="nginx"):
        with open(self.path("failing", name)) as source:
            return source.read()

    def settings(self, name="nginx", **more):
        return dict({
            "name": name, "kind": "http", "target": "http://127.0.0.1/", "interval": 0.2, "timeout": 0.25, "fall": 2,
            "rise": 2, "state_file": self.path("failing", name), "gate": None,
        }, **more)

    def probe(self, **more):
        return prober.Probe(self.settings(**more), self.asker, self.clock, self.said.append)

    def cycles(self, probe, *answers):
        """The state after each answer."""
        self.asker.answers, states = list(answers), []
        for _answer in answers:
            probe.cycle()
            states.append(self.content().strip())
        return states


class JudgementTest(Case):
    def test_it_begins_without_objection(self):
        self.probe()
        self.assertEqual(self.content(), "0\n")

    def test_what_was_found_before_holds_until_there_is_other_evidence(self):
        self.write("1\n", "failing", "nginx")
        os.utime(self.path("failing", "nginx"), (5000, 5000))
        probe = self.probe()
        self.assertEqual((self.content(), probe.report()["since"]), ("1\n", 5000))
        self.assertEqual(self.cycles(probe, None, None), ["1", "0"])

    def test_junk_is_no_objection(self):
        self.write("what?\n", "failing", "nginx")
        self.probe()
        self.assertEqual(self.content(), "0\n")

    def test_misses_in_a_row_fail_it_and_answers_in_a_row_mend_it(self):
        probe = self.probe()
        self.assertEqual(self.cycles(probe, "no", None, "no", None, "no", "no"), list("000001"))
        self.assertEqual(self.cycles(probe, None, "no", None, None, None), list("11100"))
        self.assertEqual(self.said, ["nginx: does not answer (no): failing", "nginx answers again"])

    def test_each_change_is_written_once(self):
        probe = self.probe(fall=1, rise=1)
        self.cycles(probe, "no")
        os.utime(self.path("failing", "nginx"), (5000, 5000))
        self.cycles(probe, "no", "no")
        self.assertEqual(os.stat(self.path("failing", "nginx")).st_mtime, 5000)

    def test_from_start_to_start_one_interval(self):
        probe = self.probe()
        self.assertAlmostEqual(probe.cycle(), 0.199)
        self.asker.took = 0.25
        self.assertEqual(probe.cycle(), 0.0)

    def test_what_is_shared_is_asked_at_the_moments_of_the_clock(self):
        self.clock.time += 0.7
        probe = self.probe(kind="mount", target="/srv/data", interval=2, timeout=1.5)
        # Two nodes that began at different moments wake at the same one, however long an answer takes.
        for took in (0.001, 1.5):
            self.asker.took = took
            pause = probe.cycle()
            self.assertAlmostEqual(round((self.clock.now() + pause) * 1000) % 2000, 0)
            self.clock.time += pause

    def test_the_thread_goes_on_until_it_is_stopped(self):
        probe = self.probe()
        self.clock.sleep = lambda _seconds: probe.stop() if self.asker.asked == 3 else None
        probe.run()
        self.assertEqual(self.asker.asked, 3)

    def test_after_stop_nothing_is_written(self):
        probe = self.probe(fall=1)
        probe.stop()
        self.write("1\n", "failing", "nginx")
        probe.keep()
        self.assertEqual(self.cycles(probe, "no"), ["1"])
        self.assertEqual(self.said, [])


class GateTest(Case):
    def gated(self, **more):
        return self.probe(gate=self.path("track", "nginx"), **more)

    def test_a_service_that_is_down_is_not_asked(self):
        probe = self.gated(fall=1)
        for text in (None, "", "0\n", "junk"):
            if text is not None:
                self.write(text, "track", "nginx")
            self.assertEqual(self.cycles(probe, "no"), ["0"])
        self.assertEqual(self.asker.asked, 0)
        self.assertTrue(probe.report()["gated"])
        self.write("1\n", "track", "nginx")
        self.assertEqual(self.cycles(probe, "no"), ["1"])
        self.assertFalse(probe.report()["gated"])

    def test_going_down_takes_the_objection_back_and_begins_anew(self):
        self.write("1\n", "track", "nginx")
        probe = self.gated()
        self.assertEqual(self.cycles(probe, "no", "no"), ["0", "1"])
        self.write("0\n", "track", "nginx")
        self.assertEqual(self.cycles(probe, "no"), ["0"])
        self.assertIn("nginx: is down by %s, so it is not asked" % self.path("track", "nginx"), self.said)
        self.write("1\n", "track", "nginx")
        self.assertEqual(self.cycles(probe, "no", "no"), ["0", "1"])

    def test_what_goes_down_while_it_is_asked_does_not_hang(self):
        self.write("1\n", "track", "nginx")
        probe = self.gated(fall=1)
        ask = self.asker.ask

        def stopping(timeout):
            self.write("0\n", "track", "nginx")
            return ask(timeout)

        self.asker.ask = stopping
        self.assertEqual(self.cycles(probe, "no"), ["0"])


class StarvationTest(Case):
    def test_a_miss_that_took_too_long_is_ours(self):
        probe = self.probe(fall=1)
        self.asker.took = 0.25 + prober.LATE + 0.01
        self.assertEqual(self.cycles(probe, "no", "no", "no", "no"), list("0000"))
        report = probe.report()
        self.assertEqual((report["starved"], report["missed"], report["asked"]), (4, 0, 4))
        self.assertEqual(self.cycles(probe, "no"), ["1"])
        self.assertEqual(probe.report()["missed"], 1)

    def test_an_answer_begins_anew(self):
        probe = self.probe(fall=1)
        self.asker.took = 1.0
        self.assertEqual(self.cycles(probe, "no", "no", "no", "no", None, "no", "no", "no", "no"), list("000000000"))

    def test_a_miss_in_time_counts(self):
        probe = self.probe(fall=1)
        self.asker.took = 0.26
        self.assertEqual(self.cycles(probe, "no"), ["1"])


class CannotAskTest(Case):
    def test_it_is_no_evidence_and_said_once(self):
        probe = self.probe()
        unable = probes.CannotAskError("ping 192.0.2.1: no raw socket")
        self.assertEqual(self.cycles(probe, "no", unable, unable, "no"), list("0000"))
        self.assertEqual(self.said, ["problem: nginx: ping 192.0.2.1: no raw socket"])
        self.assertEqual(self.cycles(probe, unable)[0], "0")
        report = probe.report()
        self.assertEqual((report["problem"], report["asked"]), ("ping 192.0.2.1: no raw socket", 2))
        self.cycles(probe, None)
        self.assertIsNone(probe.report()["problem"])


    def test_a_question_that_was_stuck_is_no_evidence(self):
        probe = self.probe(fall=1)
        self.asker.took = 0.46 + prober.PATIENCE
        self.assertEqual(self.cycles(probe, *["no"] * (2 * prober.STARVED_IN_A_ROW)), ["0"] * 10)
        self.assertEqual(probe.report()["asked"], 0)
        self.asker.took = 0.001
        self.assertEqual(self.cycles(probe, "no"), ["1"])


class UnprovenTest(Case):
    def command(self, **more):
        return self.probe(kind="command", target=["/usr/local/bin/check"], **more)

    def test_a_command_that_never_succeeded_is_no_evidence_and_said_once(self):
        probe = self.command()
        self.assertEqual(self.cycles(probe, "check: answered 1 (sudo)", "check: answered 2", "no", "no"), list("0000"))
        problem = (
            "has never succeeded here: check: answered 1 (sudo), so its failures are not believed yet; see that the "
            "service is well, and that the command needs neither sudo nor /home nor to write outside /run and /tmp")
        self.assertEqual(self.said, ["problem: nginx: " + problem])
        report = probe.report()
        self.assertEqual((report["failing"], report["problem"], report["missed"]), (False, problem, 4))

    def test_from_the_first_good_answer_on_it_counts(self):
        probe = self.command()
        self.assertEqual(self.cycles(probe, "no", "no", None, "no", "no"), list("00001"))
        self.assertIsNone(probe.report()["problem"])
        self.assertEqual(self.said[1:], ["nginx: does not answer (no): failing"])

    def test_it_still_counts_after_the_service_was_down(self):
        self.write("1\n", "track", "nginx")
        probe = self.command(gate=self.path("track", "nginx"))
        self.cycles(probe, None)
        self.write("0\n", "track", "nginx")
        self.cycles(probe, "no")
        self.write("1\n", "track", "nginx")
        self.assertEqual(self.cycles(probe, "no", "no"), list("01"))

    def test_what_an_earlier_prober_found_by_a_command_is_taken_back(self):
        self.write("1\n", "failing", "nginx")
        probe = self.command()
        self.assertEqual(self.content(), "0\n")
        self.assertEqual(self.cycles(probe, "no", "no"), list("00"))


class PauseTest(Case):
    def test_misses_say_nothing_while_a_deployment_exchanges_what_is_asked(self):
        original = prober.paused
        self.addCleanup(setattr, prober, "paused", original)
        prober.paused = lambda: True
        probe = self.probe()
        self.assertEqual(self.cycles(probe, "answered 404", "answered 404", "answered 404"), ["0", "0", "0"])
        self.assertIn("not believed while a deployment exchanges what is asked: answered 404", self.said[-1])
        prober.paused = lambda: False
        self.assertEqual(self.cycles(probe, "answered 404", "answered 404"), ["0", "1"])


class FileTest(Case):
    def test_a_file_that_is_lost_or_changed_is_written_again(self):
        probe = self.probe(fall=1)
        self.cycles(probe, "no")
        for spoil in (lambda: os.unlink(self.path("failing", "nginx")), lambda: self.write("0\n", "failing", "nginx")):
            spoil()
            probe.keep()
            self.assertEqual(self.content(), "1\n")

    def test_what_cannot_be_written_is_said_once(self):
        os.mkdir(self.path("failing", "nginx"))
        probe = self.probe(fall=1)
        probe.keep()
        self.asker.answers = ["no"]
        probe.cycle()
        expected = "%s: cannot write (Is a directory); see that its directory is there" % self.path("failing", "nginx")
        self.assertEqual(len(self.said), 2)
        self.assertIn(expected, self.said[0])
        self.assertIn("failing", self.said[1])
        self.assertIn(expected, probe.report()["problem"])
        os.rmdir(self.path("failing", "nginx"))
        probe.keep()
        self.assertEqual((self.content(), probe.report()["problem"]), ("1\n", None))

    def test_somebody_elses_file_in_its_place_is_replaced(self):
        probe = self.probe(fall=1)
        original, tried = prober.write_state, []

        def deny_once(path, up):
            tried.append(path)
            if len(tried) == 1:
                raise OSError(prober.errno.EACCES, "Permission denied")
            original(path, up)

        self.addCleanup(setattr, prober, "write_state", original)
        prober.write_state = deny_once
        self.assertEqual(self.cycles(probe, "no"), ["1"])
        self.assertEqual(self.said, ["nginx: does not answer (no): failing"])


class ReportTest(Case):
    def test_what_it_says_of_a_probe(self):
        probe = self.probe(fall=1)
        since = probe.report()["since"]
        self.assertEqual(probe.report(), {
            "kind": "http", "failing": False, "gated": False, "since": self.clock.now(), "problem": None,
            "last_problem": None, "last_answer": None, "last_duration": None, "asked": 0, "missed": 0, "starved": 0})
        self.cycles(probe, None)
        answered = self.clock.now()
        self.cycles(probe, "no")
        report = probe.report()
        self.assertEqual((report["failing"], report["last_problem"], report["last_answer"]), (True, "no", answered))
        self.assertAlmostEqual(report["last_duration"], 0.001)
        self.assertGreater(report["since"], since)
        self.cycles(probe, None, None)
        self.assertIsNone(probe.report()["last_problem"])

    def test_a_thread_without_progress_is_told_of_once_until_it_goes_on(self):
        probe = self.probe()
        self.clock.time += 0.4 + prober.PATIENCE
        self.assertTrue(probe.look_after())
        self.clock.time += 1.6
        self.assertFalse(probe.look_after())
        said = ["problem: nginx: has been asking for 7 s and got no end; see whether what it asks or runs lies on a "
                "file server that is gone"]
        self.assertEqual(self.said, said)
        self.clock.time += 60
        self.assertFalse(probe.look_after())
        self.assertIn("has been asking for 67 s and got no end; ", probe.report()["problem"])
        self.assertEqual(self.said, said)
        probe.cycle()
        self.assertTrue(probe.look_after())
        self.assertEqual(self.said, said + ["nginx: the question has ended, so it is asked again"])
        self.assertIsNone(probe.report()["problem"])


class SettingsTest(Case):
    def test_takes_what_is_right(self):
        wanted, problems = prober.read_settings({"probes": [self.settings(), self.settings("b", gate="/x")]})
        self.assertEqual((sorted(wanted), problems), (["b", "nginx"], []))
        self.assertEqual(prober.read_settings({}), ({}, []))

    def test_refuses_what_is_wrong_and_takes_the_rest(self):
        cure = "; run the keepalived role again"
        table = [
            (self.settings(interval=0), "probe nginx: interval 0 is not in 0.01..3600" + cure),
            (self.settings(fall=True), "probe nginx: fall True is not in 1..1000" + cure),
            (self.settings(timeout=float("nan")), "probe nginx: timeout nan is not in 0.01..3600" + cure),
            (self.settings(state_file="x"), "probe nginx: state_file x is no absolute path" + cure),
            (self.settings(gate="x"), "probe nginx: gate x is no absolute path" + cure),
            (self.settings(rise="often"), "is no probe" + cure), (self.settings(state_file=None), "is no probe" + cure),
            ({"name": "x"}, 'probes: {"name": "x"}: is no probe' + cure), ("text", "is no probe" + cure),
        ]
        for entry, expected in table:
            wanted, problems = prober.read_settings({"probes": [entry, self.settings("good")]})
            self.assertEqual((sorted(wanted), len(problems)), (["good"], 1))
            self.assertIn(expected, problems[0])
        self.assertEqual(len(prober.read_settings({"probes": 3})[1]), 1)


class ProberTest(Case):
    def setUp(self):
        super(ProberTest, self).setUp()
        self.told, self.started = [], []
        self.describe("nginx")

    def describe(self, *names, **more):
        self.clock.text = {"state_directory": self.base, "probes": [self.settings(name, **more) for name in names]}
        self.clock.stamp += 1

    def prober(self):
        made = prober.Prober(self.clock, self.said.append, self.told.append, self.started.append,
                             lambda _kind, _target: self.asker)
        self.addCleanup(made.close)
        return made

    def report(self):
        with open(self.path("failing", ".prober.json")) as source:
            return json.load(source)

    def test_starts_a_thread_for_each_probe_and_reports(self):
        self.describe("nginx", "witness.gateway")
        made = self.prober()
        made.work()
        self.assertEqual([probe.name for probe in self.started], ["nginx", "witness.gateway"])
        report = self.report()
        self.assertEqual((report["schema"], report["pid"], report["written_at"]), (1, os.getpid(), self.clock.now()))
        self.assertEqual(sorted(report["probes"]), ["nginx", "witness.gateway"])
        self.assertEqual(report["problems"], [])
        self.assertEqual(os.stat(self.path("failing", ".prober.json")).st_mode & 0o777, 0o644)
        self.assertEqual(self.said, ["asking nginx every 0.2 s, witness.gateway every 0.2 s"])
        self.assertIn("WATCHDOG=1", self.told)

    def test_a_changed_description_changes_what_changed_only(self):
        self.describe("a", "b")
        made = self.prober()
        made.work()
        self.write("1\n", "failing", "b")
        kept, dropped = self.started
        self.clock.text = {"state_directory": self.base, "probes": [self.settings("a"), self.settings("c")]}
        self.clock.stamp += 1
        made.work()
        self.assertEqual([probe.name for probe in self.started], ["a", "b", "c"])
        self.assertEqual((kept._stopped, dropped._stopped), (False, True))
        self.assertEqual(sorted(os.listdir(self.path("failing"))), [".prober.json", "a", "c"])

    def test_other_settings_go_on_from_what_was_found(self):
        made = self.prober()
        made.work()
        self.asker.answers = ["no", "no"]
        for _turn in range(2):
            self.started[0].cycle()
        self.describe("nginx", timeout=0.5)
        made.work()
        self.assertEqual(len(self.started), 2)
        self.assertTrue(self.report()["probes"]["nginx"]["failing"])

    def test_what_nobody_asks_for_is_cleared_away(self):
        for name in ("old", "..prober.json.x1", ".prober.json"):
            self.write("1\n", "failing", name)
        os.mkdir(self.path("failing", "directory"))
        self.prober().work()
        self.assertEqual(sorted(os.listdir(self.path("failing"))), [".prober.json", "directory", "nginx"])

    def test_a_broken_description_changes_nothing_and_is_said_once(self):
        made = self.prober()
        made.work()
        good, self.clock.text = self.clock.text, NodeError("/etc/x: not JSON")
        for _turn in range(3):
            self.clock.stamp += 1
            made.work()
        self.clock.stamp = None
        made.work()
        self.assertEqual(len(self.started), 1)
        self.assertFalse(self.started[0]._stopped)
        self.assertEqual(self.said[1:], ["problem: /etc/x: not JSON"])
        self.clock.stamp, self.clock.text = 9, good
        made.work()
        self.assertEqual(len(self.started), 1)

    def test_without_a_description_it_waits(self):
        self.clock.stamp = None
        self.prober().work()
        self.assertEqual((self.started, self.told), ([], ["WATCHDOG=1"]))

    def test_a_wrong_probe_is_said_and_reported(self):
        self.describe("nginx", interval=0)
        self.prober().work()
        self.assertEqual(self.said[0], "problem: %s" % self.report()["problems"][0])

    def test_one_stuck_thread_is_told_of_and_costs_the_others_nothing(self):
        self.describe("a", "b")
        made = self.prober()
        made.work()
        del self.told[:]
        self.clock.time += 10
        self.started[0].cycle()
        made.work()
        made.work()
        self.assertEqual(self.told, ["WATCHDOG=1", "WATCHDOG=1"])
        self.assertEqual(len(self.said), 2)
        self.assertIn("problem: b: has been asking for 10 s and got no end; ", self.said[1])
        found = self.report()["probes"]
        self.assertIn("has been asking for 10 s and got no end; ", found["b"]["problem"])
        self.assertIsNone(found["a"]["problem"])

    def test_the_watchdog_is_withheld_while_every_thread_is_stuck(self):
        self.describe("a", "b")
        made = self.prober()
        made.work()
        del self.told[:]
        self.clock.time += 10
        made.work()
        self.assertEqual(self.told, [])
        self.started[1].cycle()
        made.work()
        self.assertEqual(self.told, ["WATCHDOG=1"])

    def test_new_programs_are_a_reason_to_start_again(self):
        self.clock.programs = 1
        made = self.prober()
        made.work()
        self.clock.programs = 2
        self.assertEqual(made.run(), prober.START_AGAIN)
        self.assertIn("the programs of this node were replaced: starting again with the new ones", self.said)

    def test_runs_until_it_is_told_to_stop(self):
        made = self.prober()
        made._wait = lambda _timeout: made.stop()
        self.assertEqual(made.run(), 0)
        self.assertEqual([line for line in self.told if line[0] in "RS"],
                         ["STATUS=asking nginx", "READY=1", "STOPPING=1"])
        self.assertTrue(self.started[0]._stopped)

    def test_a_report_that_cannot_be_written_is_said_once_and_the_directory_not_made(self):
        made = self.prober()
        made.work()
        shutil.rmtree(self.path("failing"))
        original, prober.write_state = prober.write_state, self.refuse
        self.addCleanup(setattr, prober, "write_state", original)
        made.work()
        made.work()
        lines = [line for line in self.said if line.startswith("problem: ")]
        self.assertEqual(len(lines), 2)
        self.assertIn("failing/nginx: cannot write (No such file or directory)", lines[0])
        self.assertIn(".prober.json: cannot write (No such file or directory)", lines[1])
        prober.write_state = original
        os.mkdir(self.path("failing"))
        made.work()
        self.assertEqual(self.content(), "0\n")

    @staticmethod
    def refuse(path, _up):
        raise OSError(prober.errno.ENOENT, "No such file or directory", path)


if __name__ == "__main__":
    unittest.main()
