# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raising and lowering a node for a planned switchover."""

from __future__ import absolute_import, division, print_function

import os
import shutil
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import raising
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.system import read_text

__metaclass__ = type


DESCRIPTION = {
    "instances": {
        "web": {"raise_file": "/run/keepalived/ha-pair/raise/both"},
        "db": {"raise_file": "/run/keepalived/ha-pair/raise/both"},
        "old": {},
    }
}


class Machine(object):
    read = staticmethod(read_text)


class RaisingTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = os.path.join(self.directory, "web")
        self.commands, self.written, self.code = [], [], 0

    def run_command(self, command):
        self.commands.append(command)
        self.written.append(os.path.exists(self.path))
        return self.code, "", "no such bus"

    def apply(self, raised, **words):
        return raising.apply(Machine(), self.run_command, {"web": self.path}, raised, **words)

    def test_a_raise_is_a_one_in_the_file_and_the_second_changes_nothing(self):
        self.assertTrue(self.apply(True))
        self.assertEqual(read_text(self.path).strip(), "1")
        self.assertFalse(self.apply(True))
        self.assertTrue(self.apply(False))
        self.assertEqual(read_text(self.path).strip(), "0")
        self.assertFalse(self.apply(False))

    def test_a_short_raise_lasts_until_an_old_keepalived_has_seen_it(self):
        polled = dict(DESCRIPTION, keepalived={"raise_noticed_after": 5.0})
        for seconds, expected in ((0.0, 0.0), (3.0, 10.0), (600.0, 600.0)):
            self.assertEqual(raising.long_enough(polled, seconds), expected)
            self.assertEqual(raising.long_enough(DESCRIPTION, seconds), seconds)

    def test_whatever_was_to_happen_later_is_cancelled(self):
        self.apply(True)
        units = ["ha-pair-raise-web.timer", "ha-pair-raise-web.service"]
        self.assertEqual(self.commands, [["systemctl", "stop"] + units, ["systemctl", "reset-failed"] + units])

    def test_later_is_a_timer_of_systemd_and_nothing_now(self):
        self.assertTrue(self.apply(True, after=60, lower_after=3))
        self.assertFalse(os.path.exists(self.path))
        command = self.commands[-1]
        self.assertIn("--on-active=60", command)
        self.assertEqual(command[-1], "echo 1 >%s; sleep 3; echo 0 >%s" % (self.path, self.path))

    def test_it_lowers_itself(self):
        self.apply(True, lower_after=600)
        self.assertIn("--on-active=600", self.commands[-1])
        self.assertEqual(self.commands[-1][-1], "echo 0 >%s" % self.path)
        self.assertEqual(self.written, [False, False, False])
        self.assertEqual(read_text(self.path).strip(), "1")

    def test_nothing_is_raised_without_its_way_back(self):
        self.code = 1
        with self.assertRaises(NodeError) as refused:
            self.apply(True, lower_after=600)
        self.assertIn("web: systemd-run cannot set a timer (no such bus)", str(refused.exception))
        self.assertFalse(os.path.exists(self.path))

    def test_check_mode_tells_and_does_nothing(self):
        self.assertTrue(self.apply(True, dry=True))
        self.assertFalse(self.apply(False, dry=True))
        self.assertEqual((os.path.exists(self.path), self.commands), (False, []))

    def test_a_timer_that_cannot_be_set_is_refused(self):
        self.code = 1
        with self.assertRaises(NodeError) as refused:
            self.apply(True, after=60)
        self.assertIn("web: systemd-run cannot set a timer (no such bus)", str(refused.exception))


class FilesTest(unittest.TestCase):
    def test_a_sync_group_has_one_file(self):
        found = raising.raise_files(DESCRIPTION, ["web", "db"])
        self.assertEqual(found, {"both": "/run/keepalived/ha-pair/raise/both"})

    def refusal(self, *words):
        with self.assertRaises(NodeError) as refused:
            raising.raise_files(*words)
        return str(refused.exception)

    def test_refusals_name_the_cure(self):
        self.assertIn("/etc/keepalived/ha-pair.json: is not there; run this on a node of a pair", self.refusal(None))
        self.assertIn("'x' is no instance of this node; known are db, old, web", self.refusal(DESCRIPTION, ["x"]))
        self.assertIn("old: this node was deployed by an earlier version", self.refusal(DESCRIPTION, ["old"]))

    def test_a_unit_has_a_name_that_systemd_takes(self):
        self.assertEqual(raising.unit_name("web pair"), "ha-pair-raise-web_pair")


if __name__ == "__main__":
    unittest.main()
