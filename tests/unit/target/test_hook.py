# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's hook: told every change, one at a time, and never waited for."""

from __future__ import absolute_import, division, print_function

import os
import shutil
import subprocess
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import hook, state
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type

HOOK = {"command": ["/usr/local/sbin/told", "$HOME"], "user": "keepalived_script", "timeout": 30.0}
DESCRIPTION = {"hook": HOOK, "instances": {"web": {"priority": 248}}}


class Command(object):
    def __init__(self, argv):
        self.argv, self.outcome, self.killed = argv, None, False

    def result(self):
        return self.outcome

    def kill(self):
        self.killed = True


class World(object):
    def __init__(self):
        self.clock, self.started, self.problem, self.systemd = 1000.0, [], None, 252

    def now(self):
        return self.clock

    def monotonic(self):
        return self.clock

    def systemd_version(self):
        return self.systemd

    def start(self, argv):
        if self.problem:
            raise NodeError(self.problem)
        self.started.append(Command(argv))
        return self.started[-1]


class HookTest(unittest.TestCase):
    def setUp(self):
        self.world, self.said = World(), []
        self.hook = hook.Hook(self.world, self.said.append)
        self.record = state.apply_daemon_running(
            state.new_record("node-a", "boot", 10.0, ("web",)), {"pid": 1, "since": 9.0}, 11.0
        )

    def move(self, word, priority=" 250"):
        self.record = state.apply_event(
            self.record, state.parse_line('INSTANCE "web" %s%s' % (word, priority)), self.world.clock
        )
        self.look()

    def look(self, description=None):
        self.record = self.hook.look(description or DESCRIPTION, self.record)

    def told(self):
        return [command.argv[-4:] for command in self.world.started]

    def test_runs_in_a_unit_of_its_own(self):
        self.move("MASTER")
        self.assertEqual(
            self.world.started[0].argv,
            [
                "systemd-run",
                "--quiet",
                "--wait",
                "--collect",
                "--unit=ha-pair-hook-web-1000000",
                "--description=Hook of the VRRP instance web",
                "--uid=keepalived_script",
                "--property=RuntimeMaxSec=30",
                "--property=TimeoutStopSec=5",
                "--",
                "/bin/sh",
                "-c",
                'exec "$$0" "$$@"',
                "/usr/local/sbin/told",
                "$$HOME",
                "web",
                "UNKNOWN",
                "MASTER",
                "250",
            ],
        )
        self.assertEqual(self.said, ["hook of web (UNKNOWN -> MASTER): started as ha-pair-hook-web-1000000.service"])
        self.assertEqual(self.hook.sources(), self.world.started)

    def test_an_old_systemd_runs_it_and_a_shell_waits(self):
        for systemd in (219, 235):
            self.setUp()
            self.world.systemd = systemd
            self.move("MASTER")
            argv = self.world.started[0].argv
            self.assertEqual((argv[:2], argv[3:5]), (["/bin/sh", "-c"], ["hook", "ha-pair-hook-web-1000000"]))
            self.assertEqual(
                argv[5:],
                [
                    "--description=Hook of the VRRP instance web",
                    "--uid=keepalived_script",
                    "--",
                    "/bin/sh",
                    "-c",
                    'exec timeout --kill-after=5 30 "$$0" "$$@"',
                    "/usr/local/sbin/told",
                    "$$HOME",
                    "web",
                    "UNKNOWN",
                    "MASTER",
                    "250",
                ],
            )
            self.assertNotIn("--wait", argv[2])

    def test_the_shell_waits_for_the_end_and_tells_how_it_was(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        log = os.path.join(directory, "log")
        programs = {
            # It is active when first asked, and then not any more.
            "systemctl": 'echo "systemctl $*" >>%(log)s\ncase "$*" in\n*is-active*) [ ! -e %(log)s.over ] || exit 3; '
            ': >%(log)s.over ;;\n*show*) echo ExecMainStatus=7 ;;\n*reset-failed*) exit 1 ;;\nesac\n',
            "systemd-run": 'echo "systemd-run $*" >>%(log)s\n',
        }
        for name, text in programs.items():
            path = os.path.join(directory, name)
            with open(path, "w") as target:
                target.write("#!/bin/sh\n" + text % {"log": log})
            os.chmod(path, 0o755)
        argv = hook.command_line(HOOK, "unit", "web", "BACKUP", "MASTER", 250, 219)
        code = subprocess.call(argv, env={"PATH": directory + os.pathsep + os.environ["PATH"]})
        with open(log) as source:
            lines = source.read().splitlines()
        self.assertEqual(code, 7)
        self.assertTrue(lines[0].startswith("systemd-run --quiet --unit=unit --description=Hook"), lines)
        self.assertEqual([line.split()[1:3] for line in lines[1:3]], [["--quiet", "is-active"]] * 2)
        self.assertEqual([line.split()[1] for line in lines[3:]], ["show", "reset-failed"])

    def test_one_at_a_time_and_the_newest_next(self):
        self.move("BACKUP")
        for word in ("MASTER", "BACKUP", "FAULT"):
            self.move(word)
        self.assertEqual(self.told(), [["web", "UNKNOWN", "BACKUP", "250"]])
        self.world.started[0].outcome = (0, "")
        self.look()
        self.assertEqual(self.told()[1:], [["web", "BACKUP", "FAULT", "250"]])

    def test_there_and_back_again_is_nothing_to_tell(self):
        self.move("BACKUP")
        self.move("MASTER")
        self.move("BACKUP")
        self.world.started[0].outcome = (0, "")
        self.look()
        self.assertEqual(len(self.told()), 1)

    def test_failures_are_said_and_not_repeated(self):
        self.move("MASTER")
        self.world.started[0].outcome = (3, "first\nFailed to find executable")
        for _look in range(3):
            self.look()
        self.assertEqual(
            self.said[1:], ["problem: hook of web (UNKNOWN -> MASTER): failed with 3 (Failed to find executable)"]
        )
        self.assertEqual((len(self.told()), self.hook.sources()), (1, []))

    def test_a_hook_that_runs_too_long(self):
        self.move("MASTER")
        self.world.clock += 31
        self.look()
        self.assertFalse(self.world.started[0].killed)
        self.world.clock += hook.GRACE
        self.look()
        self.assertTrue(self.world.started[0].killed)
        self.world.started[0].outcome = (-9, "")
        self.look()
        self.assertEqual(self.said[1:], ["problem: hook of web (UNKNOWN -> MASTER): still ran after 30 s"])

    def test_a_hook_that_cannot_be_started(self):
        self.world.problem = "systemd-run: not installed"
        self.move("MASTER")
        self.look()
        self.assertEqual(
            self.said, ["problem: hook of web (UNKNOWN -> MASTER): cannot be started (systemd-run: not installed)"]
        )

    def test_without_a_priority_the_configured_one(self):
        self.move("BACKUP", "")
        self.assertEqual(self.told(), [["web", "UNKNOWN", "BACKUP", "248"]])

    def test_names_that_are_no_unit_names(self):
        self.record["instances"]["a b/c"] = dict(self.record["instances"]["web"], state="MASTER")
        self.look()
        self.assertIn("--unit=ha-pair-hook-a_b_c-1000000", self.world.started[0].argv)

    def test_without_a_hook_nothing_is_told(self):
        for description in (None, {"hook": None, "instances": {}}, {"instances": {}}):
            before = self.record
            self.record = self.hook.look(
                description, state.apply_event(before, state.parse_line('INSTANCE "web" MASTER 250'), 20.0)
            )
            self.assertEqual((self.told(), self.record.get("told")), ([], None))

    def test_lets_go_of_what_runs(self):
        self.move("MASTER")
        self.hook.close()
        self.assertEqual((self.hook.sources(), self.world.started[0].killed), ([], False))
