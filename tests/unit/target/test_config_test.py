# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""keepalived's own configuration test, judged by version; the table is what three versions really printed."""

from __future__ import absolute_import, division, print_function

import io
import json
import os
import shutil
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import config_test
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.keepalived_data import version_tuple

__metaclass__ = type

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
GOOD = ("good", "noscript", "auto")
# Files with a flaw that some version takes for good, by its own test.
FORGIVEN = {
    "2.1.5": ("missinginclude", "multicast", "peruser"),
    "2.2.7": ("missinginclude", "symlink"),
    "2.3.3": ("missinginclude", "peruser"),
}
CONFIG = u"""global_defs {
    enable_script_security
    script_user checker checker
}
vrrp_script check {
    script "/usr/libexec/check { user here"
    user  checker
    interval 1
}
vrrp_script other {
    user absent
}
vrrp_instance web {
    user checker
    authentication { # user checker
        auth_pass "a{b"
    }
}
"""


def outputs():
    with io.open(os.path.join(FIXTURES, "config_test.json"), encoding="utf-8") as source:
        return json.load(source)


class JudgeTest(unittest.TestCase):
    def test_what_real_versions_answered(self):
        rows = outputs()
        self.assertGreater(len(rows), 60)
        for row in rows:
            good, lines = config_test.judge(version_tuple(row["version"]), row["code"], row["output"])
            expected = row["case"] in GOOD + FORGIVEN[row["version"]]
            self.assertEqual(good, expected, (row["case"], row["version"], lines))
            self.assertTrue(good or lines, row["case"])

    def test_a_version_without_a_test(self):
        self.assertEqual(config_test.judge((1, 3, 5), 0, ""),
                         (True, ["keepalived 1.3.5 has no configuration test: not tested"]))

    def test_a_test_that_dies_is_no_answer(self):
        good, lines = config_test.judge((2, 1, 5), 139, "There are 1 missing '}'s or extra '{'s\n")
        self.assertFalse(good)
        self.assertEqual(lines, [
            "There are 1 missing '}'s or extra '{'s",
            "keepalived's test ended by signal 11 instead of an answer; most often a missing closing brace"])
        self.assertEqual(config_test.judge((2, 2, 7), -15, ""),
                         (False, ["keepalived's test ended by signal 15 instead of an answer"]))

    def test_a_failure_without_words_gets_some(self):
        self.assertEqual(config_test.judge(None, 5, "\n"), (False, ["keepalived's test failed with 5 and no message"]))

    def test_harmless_words_of_an_old_version(self):
        for line in ("NOTICE: setting config option max_auto_priority should result in better keepalived performance",
                     "(web) 'linkbeat_use_polling' in vrrp instance deprecated - use linkbeat_interfaces block"):
            self.assertEqual(config_test.judge((2, 1, 5), 0, line), (True, [line]))


class RootScriptsTest(unittest.TestCase):
    def test_replaces_accounts_that_are_there_and_only_where_they_are_accounts(self):
        changed = config_test.with_root_scripts(CONFIG, exists=lambda name: name == "checker")
        expected = CONFIG.replace("script_user checker checker", "script_user root")
        expected = expected.replace("    user  checker\n    interval", "    user root\n    interval")
        self.assertEqual(changed, expected)

    def test_leaves_accounts_that_are_not_there_for_keepalived_to_name(self):
        self.assertEqual(config_test.with_root_scripts(CONFIG, exists=lambda _name: False), CONFIG)

    def test_the_default_account_counts_when_nobody_is_named(self):
        text = CONFIG.replace("    script_user checker checker\n", "")
        self.assertTrue(config_test.with_root_scripts(text, exists=lambda name: name == "keepalived_script").startswith(
            "global_defs {\n    script_user root\n}\n"))
        self.assertEqual(config_test.with_root_scripts(text, exists=lambda _name: False), text)

    def test_knows_the_accounts_of_the_host(self):
        self.assertTrue(config_test.user_exists("root"))
        self.assertFalse(config_test.user_exists("no-such-account-here"))


class FileTest(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.base)
        self.path = os.path.join(self.base, "keepalived.conf")
        self.asked = []

    def write(self, text):
        with io.open(self.path, "w", encoding="utf-8") as target:
            target.write(text)

    def run_test(self, argv, timeout):
        with io.open(argv[3], encoding="utf-8") as source:
            self.asked.append((argv, timeout, source.read(), os.stat(argv[3]).st_mode & 0o777))
        return 5, "", "(%s: Line 3) Unknown keyword 'x'\n" % argv[3]

    def test_tests_the_file_itself(self):
        self.write(CONFIG)
        self.assertEqual(config_test.try_file(self.path, (2, 3, 3), self.run_test),
                         (False, ["(%s: Line 3) Unknown keyword 'x'" % self.path]))
        self.assertEqual(self.asked[0][0], ["keepalived", "-t", "-f", self.path])

    def test_tests_a_private_copy_where_the_test_kills_itself(self):
        self.write(CONFIG.replace("script_user checker", "script_user root"))
        good, lines = config_test.try_file(self.path, (2, 2, 7), self.run_test)
        self.assertEqual((good, lines), (False, ["(%s: Line 3) Unknown keyword 'x'" % self.path]))
        argv, _timeout, text, mode = self.asked[0]
        self.assertEqual((os.path.dirname(argv[3]), mode), (self.base, 0o600))
        self.assertIn("    script_user root\n", text)
        self.assertEqual(os.listdir(self.base), ["keepalived.conf"])

    def test_refuses_what_keepalived_would_take(self):
        good, lines = config_test.try_file(self.path, (2, 2, 7), self.run_test)
        self.assertEqual((good, lines), (
            False, ["%s: cannot be read (No such file or directory); name the file to test" % self.path]))
        self.write(u"\n  \n")
        self.assertEqual(config_test.try_file(self.path, (2, 3, 3), self.run_test),
                         (False, ["%s: is empty; keepalived would start and do nothing" % self.path]))
        with open(self.path, "wb") as target:
            target.write(b"\xff\xfe")
        self.assertEqual(config_test.try_file(self.path, (2, 3, 3), self.run_test),
                         (False, ["%s: is not UTF-8 text; write it so" % self.path]))
        self.assertEqual(self.asked, [])

    def test_does_not_ask_a_version_without_a_test(self):
        self.write(CONFIG)
        self.assertTrue(config_test.try_file(self.path, (1, 3, 5), self.run_test)[0])
        self.assertEqual(self.asked, [])
