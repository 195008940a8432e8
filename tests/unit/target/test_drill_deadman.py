# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dead-man restore: what is armed before anything breaks, and what the scripts do when they really run."""

from __future__ import absolute_import, division, print_function

import io
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import deadman, faults, shell, target
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.system import run_command

__metaclass__ = type

FAKE = "#!/bin/sh\nprintf '%s %s\\n' \"${0##*/}\" \"$*\" >>\"$HA_PAIR_TEST\"/calls\n"


class Machine(target.Target):
    """A host whose systemd only writes down what it is told; the scripts are run for real."""

    def __init__(self):
        super(Machine, self).__init__(self._answer)
        self.root, self.asked, self.answers, self.reached = True, [], {}, None

    def _answer(self, argv, timeout=20.0):
        words = " ".join(argv)
        self.asked.append(words)
        for begin, answer in self.answers.items():
            if words.startswith(begin):
                return answer
        if argv[0] == "/bin/sh":
            return run_command(argv, timeout)
        if words.startswith("systemd-run") and self.reached is None:
            self.reached = sorted(os.listdir(argv[-2].rpartition("/")[0]))
        return 0, "", ""

    def is_root(self):
        return self.root

    def check_systemd(self):
        pass


class DeadmanTest(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.place)
        programs = os.path.join(self.place, "bin")
        os.mkdir(programs)
        for name in ("systemctl", "logger"):
            self.program(name, FAKE)
        former = dict(os.environ)
        self.addCleanup(os.environ.update, former)
        os.environ["PATH"] = programs + os.pathsep + former["PATH"]
        os.environ["HA_PAIR_TEST"] = self.place
        self.machine = Machine()
        self.runtime = deadman.Runtime(self.machine, os.path.join(self.place, "run"), lambda: 1000.0)

    def program(self, name, text):
        path = os.path.join(self.place, "bin", name)
        with io.open(path, "wb") as out:
            out.write(text.encode("utf-8"))
        os.chmod(path, 0o755)

    def text(self, name):
        path = os.path.join(self.place, name)
        if not os.path.exists(path):
            return None
        with io.open(path, encoding="utf-8") as source:
            return source.read()

    def lines(self, name):
        return (self.text(name) or "").splitlines()

    def calls(self, program):
        return [line for line in self.lines("calls") if line.startswith(program + " ")]

    def apply(self, state="injected", check_mode=False, **changed):
        params = {
            "state": state,
            "id": "t1",
            "fault": "custom",
            "restore_after": 30.0,
            "delay": 0.0,
            "inject": ["echo broken >>%s/done" % self.place],
            "mend": ["echo mended >>%s/done" % self.place],
        }
        params.update(changed)
        return faults.apply(params, self.machine, self.runtime, check_mode)

    def refuse(self, text, **changed):
        with self.assertRaises(NodeError) as caught:
            self.apply(**changed)
        self.assertEqual(str(caught.exception).replace(self.place, "P"), text)

    def script(self, name, *words):
        return subprocess.call(["sh", os.path.join(self.place, "run", "t1", name)] + list(words))


class InjectTest(DeadmanTest):
    def test_the_restore_is_armed_before_anything_breaks(self):
        result = self.apply()
        scripts = [words for words in self.machine.asked if "/bin/sh" in words or words.startswith("systemctl is-")]
        directory = os.path.join(self.place, "run", "t1")
        self.assertEqual(scripts, [
            "systemd-run --on-active=30 --timer-property=AccuracySec=100ms --unit=ha-pair-drill-t1 "
            "/bin/sh %s/restore timer" % directory,
            "systemctl is-active ha-pair-drill-t1.timer",
            "/bin/sh %s/inject" % directory,
        ])
        self.assertEqual(self.machine.reached, ["inject", "record.json", "restore"])
        self.assertEqual(self.lines("done"), ["broken"])
        self.assertTrue(result["changed"])
        self.assertEqual(result["restore_at"], 1030.0)
        self.assertEqual(result["timer"], "ha-pair-drill-t1.timer")
        self.assertEqual(result["directory"], directory)
        self.assertEqual(result["steps"], ["run command 1 of inject: echo broken >>%s/done" % self.place])
        self.assertGreater(result["injected_at"], 1700000000)

    def test_only_root_may_look_at_the_scripts(self):
        self.apply()
        for name, mode in (("", 0o700), ("restore", 0o700), ("inject", 0o700), ("record.json", 0o600)):
            path = os.path.join(self.place, "run", "t1", name)
            self.assertEqual(os.stat(path).st_mode & 0o777, mode, name)

    def test_the_same_fault_is_injected_once(self):
        first = self.apply()
        second = self.apply()
        self.assertFalse(second["changed"])
        self.assertEqual(second["injected_at"], first["injected_at"])
        self.assertEqual(self.lines("done"), ["broken"])

    def test_another_fault_has_to_wait(self):
        self.apply()
        self.refuse("id: t2: t1 (custom) is not undone on this host, and two faults at once prove nothing; "
                    "run state=mended id=t1 first", id="t2")
        self.machine.answers = {}
        self.apply("mended")
        self.assertTrue(self.apply(id="t2")["changed"])

    def test_an_id_can_be_used_again(self):
        self.apply()
        self.apply("mended")
        self.assertTrue(self.apply()["changed"])
        self.assertEqual(self.lines("done"), ["broken", "mended", "broken"])

    def test_a_timer_that_cannot_be_armed(self):
        self.machine.answers = {"systemd-run": (1, "", "Failed to start transient timer unit: no\n")}
        self.refuse(
            "restore_after: the timer that undoes the fault could not be armed (Failed to start transient timer unit: "
            "no), so nothing was injected; see journalctl -u ha-pair-drill-t1.timer")
        self.assertIsNone(self.text("done"))
        self.assertFalse(os.path.exists(os.path.join(self.place, "run", "t1")))

    def test_a_timer_that_is_not_active(self):
        self.machine.answers = {"systemctl is-active": (3, "inactive\n", "")}
        self.refuse(
            "restore_after: the timer that undoes the fault could not be armed (ha-pair-drill-t1.timer is inactive), "
            "so nothing was injected; see journalctl -u ha-pair-drill-t1.timer")
        self.assertIsNone(self.text("done"))

    def test_an_injection_that_fails_is_undone_at_once(self):
        commands = ["echo broken >>%s/done" % self.place, "exit 7", "echo more >>%s/done" % self.place]
        self.refuse("fault: custom: could not be injected: run command 2 of inject (exit code 7); "
                    "everything was undone; see P/run/t1/log", inject=commands)
        self.assertEqual(self.lines("done"), ["broken", "mended"])
        self.assertIn("by=injection", self.lines("run/t1/restored"))
        self.assertEqual(self.apply("mended")["already"], "injection")

    def test_an_injection_that_can_neither_be_made_nor_undone(self):
        self.refuse("fault: custom: could not be injected: run command 1 of inject (exit code 1); undoing it failed "
                    "too (run command 1 of mend (exit code 1)); see P/run/t1/log", inject=["false"], mend=["false"])

    def test_an_injection_with_a_delay_is_left_to_a_unit(self):
        result = self.apply(delay=2.5)
        directory = os.path.join(self.place, "run", "t1")
        armed = [words for words in self.machine.asked if words.startswith("systemd-run")]
        self.assertEqual(armed, [
            "systemd-run --on-active=32.5 --timer-property=AccuracySec=100ms --unit=ha-pair-drill-t1 "
            "/bin/sh %s/restore timer" % directory,
            "systemd-run --on-active=2.5 --timer-property=AccuracySec=100ms --unit=ha-pair-drill-inject-t1 "
            "/bin/sh %s/inject" % directory,
        ])
        self.assertIsNone(self.text("done"))
        self.assertEqual((result["injected_at"], result["restore_at"]), (1002.5, 1032.5))
        self.assertEqual(self.script("inject"), 0)
        self.assertEqual(self.lines("done"), ["broken"])
        self.assertGreater(self.apply("mended")["injected_at"], 1700000000)

    def test_a_delay_that_cannot_be_is_undone(self):
        self.machine.answers = {"systemd-run --on-active=2 ": (1, "", "no")}
        self.refuse("delay: the timer that injects the fault could not be armed (no); everything was undone; "
                    "see P/run/t1/log", delay=2.0)

    def test_what_was_mended_before_its_delay_was_over_is_not_injected(self):
        self.apply(delay=2.0)
        report = self.apply("mended")
        self.assertTrue(report["changed"])
        self.assertIsNone(report["injected_at"])
        self.assertIn("systemctl stop ha-pair-drill-inject-t1.timer", self.calls("systemctl"))
        self.assertEqual(self.script("inject"), 3)
        self.assertEqual(self.lines("done"), ["mended"])

    def test_a_delayed_injection_that_fails_is_told_when_it_is_mended(self):
        self.apply(delay=2.0, inject=["exit 5"])
        self.assertEqual(self.script("inject"), 1)
        report = self.apply("mended")
        self.assertEqual(report["inject_failed"], "run command 1 of inject (exit code 5)")
        self.assertEqual((report["changed"], report["already"]), (False, "injection"))

    def test_the_moment_is_that_of_the_fault_and_not_of_its_preparation(self):
        plan = shell.Plan(cut=[("b", "true")], prepare=[("a", "true")])
        text = shell.inject_script("t1", "x", "/d", plan)
        self.assertLess(text.index("step a true"), text.index('now >"$directory/injected"'))
        self.assertLess(text.index('now >"$directory/injected"'), text.index("step b true"))

    def test_check_mode_only_says_what_it_would_do(self):
        result = self.apply(check_mode=True)
        self.assertTrue(result["changed"])
        self.assertEqual(result["steps"], ["run command 1 of inject: echo broken >>%s/done" % self.place])
        self.assertIsNone(result["injected_at"])
        self.assertFalse(os.path.exists(os.path.join(self.place, "run")))

    def test_times_and_names_that_are_refused(self):
        self.refuse("restore_after: 4.9: the fault has to be undone when nobody comes back; give 5 to 86400 seconds",
                    restore_after=4.9)
        self.refuse("restore_after: missing: the fault has to be undone when nobody comes back; "
                    "give 5 to 86400 seconds", restore_after=None)
        self.refuse("restore_after: nan: the fault has to be undone when nobody comes back; give 5 to 86400 seconds",
                    restore_after=float("nan"))
        self.refuse("delay: -1: give 0 to 600 seconds", delay=-1.0)
        cure = "give up to 40 letters, digits, - and _, beginning with a letter or digit"
        self.refuse("id: ../x: is no id; " + cure, id="../x")
        self.refuse("id: *: is no id; " + cure, id="*")
        self.refuse("id: missing: is no id; " + cure, id=None)
        self.refuse("id: a.b: is no id; " + cure, id="a.b", state="mended")

    def test_a_directory_that_cannot_be_made(self):
        with io.open(os.path.join(self.place, "run"), "wb"):
            pass
        with self.assertRaises(NodeError) as caught:
            self.apply()
        self.assertIn("so nothing was injected; make room in /run", str(caught.exception))

    def test_times_for_systemd(self):
        for value, text in ((30.0, "30"), (2.5, "2.5"), (86400.0, "86400"), (0.1234, "0.123")):
            self.assertEqual(deadman.seconds(value), text)


class RestoreTest(DeadmanTest):
    def test_mending_undoes_and_disarms(self):
        self.apply()
        report = self.apply("mended")
        self.assertEqual(self.lines("done"), ["broken", "mended"])
        self.assertTrue(report["changed"])
        self.assertIsNone(report["already"])
        self.assertTrue(report["injected_at"] <= report["mending_at"] <= report["mended_at"])
        self.assertEqual(report["mended"][0]["id"], "t1")
        self.assertEqual(self.calls("systemctl")[-1], "systemctl stop ha-pair-drill-t1.timer")
        self.assertIn("logger -t ha-pair-drill -- t1: undoing custom (asked by: drill)", self.calls("logger"))

    def test_mending_twice_changes_nothing(self):
        self.apply()
        first = self.apply("mended")
        second = self.apply("mended")
        self.assertFalse(second["changed"])
        self.assertEqual((second["already"], second["mended_at"]), ("drill", first["mended_at"]))
        self.assertEqual(self.lines("done"), ["broken", "mended"])

    def test_the_timer_was_there_first(self):
        self.apply()
        self.assertEqual(self.script("restore", "timer"), 0)
        report = self.apply("mended")
        self.assertEqual((report["changed"], report["already"]), (False, "timer"))
        self.assertEqual(self.lines("done"), ["broken", "mended"])

    def test_all_steps_run_even_when_one_fails(self):
        mend = ["echo 1 >>%s/done" % self.place, "exit 9", "echo 3 >>%s/done" % self.place]
        self.apply(mend=mend)
        self.refuse("id: t1: undoing custom failed: run command 2 of mend (exit code 9); see P/run/t1/log, "
                    "mend it by hand and run state=mended again", state="mended")
        self.assertEqual(self.lines("done"), ["broken", "1", "3"])
        self.assertIn("failed=1", self.lines("run/t1/restored"))
        self.refuse("id: t2: t1 (custom) is not undone on this host, and two faults at once prove nothing; "
                    "run state=mended id=t1 first", id="t2")

    def test_what_failed_can_be_tried_again(self):
        self.apply(mend=["test -e %s/repaired" % self.place])
        with self.assertRaises(NodeError):
            self.apply("mended")
        with io.open(os.path.join(self.place, "repaired"), "wb"):
            pass
        self.assertTrue(self.apply("mended")["changed"])

    def test_a_script_that_is_killed_is_told(self):
        self.apply()
        self.machine.answers = {"/bin/sh": (-9, "", "")}
        self.refuse("id: t1: undoing custom did not end; see P/run/t1/log, and reboot the host where nothing else "
                    "helps", state="mended")

    def test_a_program_that_a_step_leaves_running_holds_nobody_up(self):
        self.apply(mend=["sleep 20 & echo $! >%s/pid" % self.place])
        self.assertTrue(self.apply("mended")["changed"])
        pid = self.lines("pid")[0]
        held = subprocess.call(["flock", "-n", os.path.join(self.place, "run", "t1", "restore.lock"), "true"])
        subprocess.call(["kill", pid])
        self.assertEqual(held, 0)

    def test_the_environment_of_a_timer_is_enough(self):
        self.apply()
        subprocess.check_call(
            ["/bin/sh", os.path.join(self.place, "run", "t1", "restore"), "timer"],
            env={"HA_PAIR_TEST": self.place, "PATH": os.path.join(self.place, "bin")})
        self.assertEqual(self.lines("done"), ["broken", "mended"])

    def test_an_injection_that_still_runs_does_not_break_what_is_mended(self):
        plan = shell.Plan(cut=[("c", "echo broken >>%s/done" % self.place)],
                          undo=[("u", "echo mended >>%s/done" % self.place)])
        text = shell.restore_script("t1", "custom", "/d", plan, "t", "i")
        # First no new injection, then the end of one that runs, then the undoing.
        order = [text.index(part) for part in ("directory/undoing", "systemctl stop i ", "inject.lock", "kill -KILL",
                                               "step u ")]
        self.assertEqual(order, sorted(order))

    def test_nothing_to_mend(self):
        report = self.apply("mended")
        self.assertEqual({key: report[key] for key in ("changed", "already", "mended_at", "injected_at")},
                         {"changed": False, "already": None, "mended_at": None, "injected_at": None})
        self.assertEqual(self.apply("mended", id="*")["mended"], [])

    def test_everything_is_mended(self):
        self.apply()
        report = self.apply("mended", id="*")
        self.assertTrue(report["changed"])
        self.assertEqual([entry["id"] for entry in report["mended"]], ["t1"])
        self.assertFalse(self.apply("mended", id="*")["changed"])

    def test_check_mode_mends_nothing(self):
        self.apply()
        for identifier in ("t1", "*"):
            self.assertTrue(self.apply("mended", id=identifier, check_mode=True)["changed"])
        self.assertEqual(self.lines("done"), ["broken"])

    def test_only_root_mends(self):
        self.machine.root = False
        self.refuse("a fault is mended by root only; use become: true", state="mended")

    def test_a_record_that_is_not_there_holds_nobody_up(self):
        self.apply()
        os.unlink(os.path.join(self.place, "run", "t1", "record.json"))
        self.refuse("id: t2: t1 (unknown) is not undone on this host, and two faults at once prove nothing; "
                    "run state=mended id=t1 first", id="t2")
        self.assertTrue(self.apply("mended")["changed"])

    def test_the_record_says_what_was_done(self):
        self.apply()
        record = json.loads(self.text("run/t1/record.json"))
        self.assertEqual((record["id"], record["fault"], record["restore_at"]), ("t1", "custom", 1030.0))

    def test_steps_are_logged_with_their_output(self):
        self.apply(inject=["echo to the log"])
        self.assertIn("to the log", self.lines("run/t1/log"))
        self.assertTrue([line for line in self.lines("run/t1/log") if line.endswith(" done: run command 1 of inject")])

    def test_scripts_are_plain_shell(self):
        plan = shell.Plan(cut=[("it's", "echo 'x y'")], prepare=[("p", "true")], undo=[("u", 'echo "$HOME"')])
        for text in (shell.inject_script("t1", "custom", "/a b", plan),
                     shell.restore_script("t1", "custom", "/a b", plan, "t", "i")):
            process = subprocess.Popen(["sh", "-n"], stdin=subprocess.PIPE)
            process.communicate(text.encode("utf-8"))
            self.assertEqual(process.returncode, 0)
            self.assertIn("directory='/a b'\n", text)


class CheckedTest(DeadmanTest):
    def test_checking_changes_nothing(self):
        self.assertEqual(self.apply("checked", id=None),
                         {"changed": False, "supported": True, "reason": None, "notes": []})
        self.machine.root = False
        self.assertEqual(self.apply("checked", id=None)["reason"], "a fault is injected by root only; use become: true")
        self.assertFalse(os.path.exists(os.path.join(self.place, "run")))
