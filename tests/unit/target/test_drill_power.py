# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping a machine from outside, with commands of the test's making and the real process that brings it back."""

from __future__ import absolute_import, division, print_function

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import background
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type


def imported():
    """The module, also for a Python that Ansible is not installed for: only main() needs it."""
    missing = []
    try:
        import ansible.module_utils.basic  # noqa: F401
    except ImportError:
        for name in ("ansible", "ansible.module_utils", "ansible.module_utils.basic"):
            sys.modules[name] = types.ModuleType(name)
            missing.append(name)
        sys.modules[missing[-1]].AnsibleModule = None
    try:
        from ansible_collections.duplex.ha_pair.plugins.modules import drill_power as found
    finally:
        # Other tests ask whether it is installed.
        for name in missing:
            del sys.modules[name]
    return found


drill_power = imported()


class FakeModule(object):
    def __init__(self, check_mode=False, **params):
        self.params, self.check_mode = params, check_mode

    @staticmethod
    def run_command(command):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        output, errors = process.communicate()
        return process.returncode, output, errors


class Case(unittest.TestCase):
    def setUp(self):
        self.base = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.directory = os.path.join(self.base, "drill")
        self.addCleanup(self.end)
        self.write("off")
        self.write("on")

    def end(self):
        present = background.running(self.directory, "node-a.off")
        if present:
            os.kill(present["pid"], signal.SIGKILL)

    def write(self, name, code=0):
        """A command of the power side, which writes down that it ran."""
        path = os.path.join(self.base, name)
        # Written beside and renamed: the old one may be running.
        with open(path + ".new", "w") as target:
            target.write('#!/bin/sh\necho "%s $1" >>%s/log\necho "no such domain" >&2\nexit %d\n' % (
                name, self.base, code))  # fmt: skip
        os.chmod(path + ".new", 0o700)
        os.rename(path + ".new", path)

    def log(self):
        path = os.path.join(self.base, "log")
        if not os.path.exists(path):
            return []
        with open(path) as source:
            return source.read().splitlines()

    def module(self, check_mode=False, **changed):
        given = {
            "command": "%s/off node-a" % self.base,
            "restore": "%s/on node-a" % self.base,
            "name": "node-a.off",
            "restore_after": 3600.0,
        }
        given.update(changed)
        return FakeModule(check_mode, **given)

    def inject(self, check_mode=False, **changed):
        return drill_power.inject(self.module(check_mode, **changed), self.directory)

    def mend(self, check_mode=False, **changed):
        return drill_power.mend(self.module(check_mode, **changed), self.directory)

    def running(self):
        return background.running(self.directory, "node-a.off")

    def refusal(self, call, **changed):
        try:
            call(**changed)
        except NodeError as exc:
            return str(exc)
        return self.fail("was not refused")

    def let_the_dead_man_act(self):
        """As if nobody had come back in time; when that began."""
        original, drill_power.SHORTEST = drill_power.SHORTEST, 0.0
        # On a busy machine so short a time may be over before the machine was switched off.
        injected = os.path.join(self.base, "injected")
        wait = "until [ -e %s ]; do sleep 0.02; done; %s/on node-a" % (injected, self.base)
        began = time.time()
        try:
            self.inject(restore_after=0.01, restore=wait)
        finally:
            drill_power.SHORTEST = original
        open(injected, "w").close()
        for _turn in range(500):
            if not self.running():
                return began
            time.sleep(0.02)
        return self.fail("nobody brought the machine back")


class RefusalTest(Case):
    def test_a_fault_needs_a_command(self):
        for nothing in (None, ""):
            self.assertEqual(
                self.refusal(self.inject, command=nothing), "command: missing; give the command that stops the machine"
            )

    def test_the_time_of_the_dead_man_is_limited(self):
        for seconds, said in ((4.9, "4.9"), (0.0, "0"), (-1.0, "-1"), (3601.0, "3601")):
            self.assertEqual(
                self.refusal(self.inject, restore_after=seconds),
                "restore_after: %s is not in 5..3600 seconds; give for example 120" % said,
            )

    def test_a_name_that_is_no_name(self):
        self.assertIn("name '../x': use 1 to 64 letters", self.refusal(self.inject, name="../x"))

    def test_nothing_was_done_then(self):
        self.refusal(self.inject, command=None)
        self.refusal(self.inject, restore_after=1.0)
        self.refusal(self.inject, name="../x")
        self.assertEqual(self.log(), [])
        self.assertIsNone(self.running())

    def test_a_second_fault_of_that_name_waits_for_the_first(self):
        self.inject()
        self.assertIn("node-a.off in %s: runs already as process" % self.directory, self.refusal(self.inject))
        self.assertEqual(self.log(), ["off node-a"])

    def test_a_command_that_fails_is_said_and_mended(self):
        self.write("off", 3)
        self.assertEqual(
            self.refusal(self.inject),
            "command: %s/off node-a: failed with 3 (no such domain); try the command by hand" % self.base,
        )
        # It may have done half of its work.
        self.assertEqual(self.log(), ["off node-a", "on node-a"])
        self.assertIsNone(self.running())

    def test_a_machine_that_does_not_come_back_is_said(self):
        self.inject()
        self.write("on", 1)
        self.assertEqual(
            self.refusal(self.mend),
            "restore: %s/on node-a: failed with 1 (no such domain); bring the machine back by hand" % self.base,
        )


class LifeTest(Case):
    def test_the_dead_man_is_there_before_the_fault(self):
        before = time.time()
        seen = os.path.join(self.base, "seen")
        done = self.inject(command="test -e %s/node-a.off.pid && touch %s" % (self.directory, seen))
        self.assertTrue(os.path.exists(seen))
        self.assertTrue(self.running())
        self.assertTrue(before <= done["injected_at"] <= time.time())
        self.assertTrue(before + 3600 <= done["restore_at"] <= time.time() + 3600)

    def test_there_and_back(self):
        done = self.inject()
        self.assertEqual(self.log(), ["off node-a"])
        back = self.mend()
        self.assertEqual(self.log(), ["off node-a", "on node-a"])
        self.assertIsNone(back["already"])
        self.assertTrue(done["injected_at"] <= back["mended_at"] <= time.time())
        self.assertIsNone(self.running())

    def test_mended_twice(self):
        self.inject()
        first, second = self.mend(), self.mend()
        self.assertEqual((first["already"], second["already"]), (None, None))
        self.assertTrue(first["mended_at"] <= second["mended_at"])
        self.assertEqual(self.log(), ["off node-a", "on node-a", "on node-a"])

    def test_mended_without_a_fault(self):
        self.assertIsNone(self.mend()["already"])
        self.assertEqual(self.log(), ["on node-a"])

    def test_the_next_fault_begins_anew(self):
        self.let_the_dead_man_act()
        self.mend()
        self.inject()
        self.assertTrue(self.running())
        self.assertIsNone(self.mend()["already"])

    def test_check_mode_says_what_it_would_do(self):
        self.assertEqual(
            self.inject(True, restore_after=30.0),
            {"msg": "would run '%s/off node-a', and '%s/on node-a' at most 30 s later" % (self.base, self.base)},
        )
        self.assertEqual(self.mend(True), {"msg": "would run '%s/on node-a'" % self.base})
        self.assertEqual(self.log(), [])
        self.assertFalse(os.path.exists(self.directory))


class DeadManTest(Case):
    def test_he_brings_the_machine_back_when_nobody_does(self):
        began = self.let_the_dead_man_act()
        self.assertEqual(self.log(), ["off node-a", "on node-a"])
        first = self.mend()
        self.assertEqual(first["already"], "timer")
        self.assertTrue(began <= first["mended_at"] <= time.time())
        self.assertEqual(self.mend(), first)

    def test_a_machine_that_is_back_need_not_start_again(self):
        self.let_the_dead_man_act()
        self.write("on", 1)
        self.assertEqual(self.mend()["already"], "timer")

    def test_he_tried_in_vain(self):
        self.write("on", 1)
        self.let_the_dead_man_act()
        self.assertIn("failed with 1 (no such domain); bring the machine back by hand", self.refusal(self.mend))
        self.write("on")
        before = time.time()
        back = self.mend()
        self.assertIsNone(back["already"])
        self.assertTrue(before <= back["mended_at"])


if __name__ == "__main__":
    unittest.main()
