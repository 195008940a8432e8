# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""keepalived's own words: dumps of three versions, process table, version."""

from __future__ import absolute_import, division, print_function

import io
import os
import signal
import stat
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import frozen, keepalived_data

__metaclass__ = type

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
VIPS = [{"address": "10.98.0.100", "prefix": 24, "interface": "eth0"}]
STAT = (
    "15995 (keepalived) S 7903 7899 2218 0 -1 4194624 74 0 0 0 1 5 0 0 -51 0 1 0 304559 29835264 807 "
    "18446744073709551615 93896172953600 93896173472413 140737233208960 0 0 0 8473091 2138746932 0 1 0 0 17 0 50 2 "
    "0 0 0 93896173688496 93896173738240 93897202860032 140737233214139 140737233214179 140737233214179 "
    "140737233215459 0"
)
STATUS = "SigPnd:\t0000000000000000\nSigBlk:\t%s\nSigIgn:\t%s\nSigCgt:\t%s\n"


def dump(name):
    with io.open(os.path.join(FIXTURES, "dump_%s.txt" % name), encoding="utf-8") as source:
        return source.read()


class DumpTest(unittest.TestCase):
    def test_reads_the_dumps_of_every_version_and_state(self):
        table = [
            ("1.3.9_master", "MASTER", 250, 1795286604),
            ("1.3.9_backup", "BACKUP", 248, 1795286603),
            # It keeps the time of its last change to MASTER or BACKUP.
            ("1.3.9_fault", "FAULT", 248, 1795286603),
            ("2.1.5_master", "MASTER", 250, 1795249442.664797),
            ("2.1.5_backup", "BACKUP", 248, 1795249445.416110),
            ("2.2.7_master", "MASTER", 250, 1795248997.238449),
            ("2.2.7_backup", "BACKUP", 248, 1795249227.362654),
            ("2.2.7_fault", "FAULT", 250, 1795249190.165136),
            ("2.3.3_master", "MASTER", 250, 1795249452.748098),
            ("2.3.3_backup", "BACKUP", 248, 1795249455.483252),
        ]
        for name, state, priority, since in table:
            text = dump(name)
            self.assertTrue(keepalived_data.is_complete(text), name)
            self.assertEqual(
                keepalived_data.parse_dump(text),
                {
                    "web": {
                        "state": state,
                        "priority": priority,
                        "base_priority": priority,
                        "since": since,
                        "vips": VIPS,
                    }
                },
                name,
            )

    def test_tells_effective_from_base_priority(self):
        text = dump("2.2.7_master").replace("Effective priority = 250", "Effective priority = 230")
        seen = keepalived_data.parse_dump(text)["web"]
        self.assertEqual((seen["priority"], seen["base_priority"]), (230, 250))

    def test_reads_several_instances_and_their_excluded_addresses(self):
        text = dump("2.2.7_master")
        head, tail = text.split("------< VRRP Sockpool")
        block = head[head.index(" VRRP Instance = web") :].replace("= web", "= two words").replace("= MASTER", "= INIT")
        excluded = "   Virtual IP Excluded :\n     2001:db8::1 dev eth1 scope global\n"
        block = block.replace("   Unicast TTL", excluded + "   Unicast TTL")
        seen = keepalived_data.parse_dump(head + block + "------< VRRP Sockpool" + tail)
        self.assertEqual(sorted(seen), ["two words", "web"])
        self.assertEqual(seen["two words"]["state"], "INIT")
        self.assertEqual(
            seen["two words"]["vips"], VIPS + [{"address": "2001:db8::1", "prefix": 128, "interface": "eth1"}]
        )

    def test_a_dump_that_is_still_written_is_not_complete(self):
        text = dump("2.2.7_master")
        self.assertFalse(keepalived_data.is_complete(""))
        for cut in (10, text.index("VRRP Instance"), text.index("Virtual Router ID"), text.index("------< VRRP Sock")):
            self.assertFalse(keepalived_data.is_complete(text[:cut]), text[cut - 10 : cut])

    def test_the_dump_of_the_oldest_version_ends_with_its_instances(self):
        text = dump("1.3.9_master")
        self.assertEqual(frozen.parse_advert_intervals(text), {"web": 0.25})
        for cut in (10, text.index("VRRP Instance"), text.index("Virtual Router ID"), text.index("   Virtual IP")):
            self.assertFalse(keepalived_data.is_complete(text[:cut]), text[cut - 10 : cut])
        self.assertFalse(keepalived_data.is_complete(text[:-1]))
        second = text[text.index(" VRRP Instance") :].replace("= web", "= mail")
        group = "------< VRRP Sync groups >------\n VRRP Sync Group = both, MASTER\n   monitor = web\n"
        for before in ("", group):
            self.assertTrue(keepalived_data.is_complete(before + text + second))
            self.assertFalse(keepalived_data.is_complete(before + text + second[: second.index("   Virtual IP")]))
            self.assertEqual(sorted(keepalived_data.parse_dump(before + text + second)), ["mail", "web"])

    def test_a_file_that_anybody_may_have_planted_is_not_trusted(self):
        class Seen(object):
            def __init__(self, mode, uid, links):
                self.st_mode, self.st_uid, self.st_nlink = mode, uid, links

        table = [
            (Seen(stat.S_IFREG | 0o600, 0, 1), None),
            (Seen(stat.S_IFREG | 0o600, 1000, 1), "owned by uid 1000"),
            (Seen(stat.S_IFIFO | 0o600, 0, 1), "not a regular file"),
            (Seen(stat.S_IFREG | 0o600, 0, 2), "hard-linked elsewhere"),
        ]
        for seen, expected in table:
            self.assertEqual(keepalived_data.distrust(seen), expected)


class ProcessTest(unittest.TestCase):
    def test_reads_the_process_table(self):
        self.assertEqual(
            keepalived_data.parse_stat(STAT),
            {
                "comm": "keepalived",
                "state": "S",
                "ppid": 7903,
                "starttime": 304559,
                "priority": 50,
                "policy": "SCHED_RR",
            },
        )
        seen = keepalived_data.parse_stat(STAT.replace("(keepalived)", "(a) b (c)").replace(" 50 2 ", " 0 0 "))
        self.assertEqual((seen["comm"], seen["policy"], seen["priority"]), ("a) b (c", "SCHED_OTHER", 0))
        self.assertIsNone(keepalived_data.parse_stat("12 (short) S 1"))
        self.assertIsNone(keepalived_data.parse_stat(""))

    def test_knows_whether_a_signal_would_kill(self):
        none, mine = "0" * 16, "%016x" % (1 << (signal.SIGUSR1 - 1))
        for blocked, ignored, caught, expected in [
            (none, none, none, False),
            (mine, none, none, True),
            (none, mine, none, True),
            (none, none, mine, True),
            ("4000000800814a03", "bffffff67f7ab034", none, True),
            (none, "0000000000001000", none, False),
        ]:
            self.assertEqual(
                keepalived_data.signal_is_handled(STATUS % (blocked, ignored, caught), signal.SIGUSR1), expected
            )
        self.assertFalse(keepalived_data.signal_is_handled("", signal.SIGUSR1))

    def test_reads_pid_files(self):
        for text, expected in [("812\n", 812), ("", None), (None, None), ("0\n", None), ("-1", None), ("x", None)]:
            self.assertEqual(keepalived_data.parse_pid(text), expected)

    def test_reads_the_version(self):
        for text, expected in [
            ("Keepalived v2.2.7 (01/16,2022)\n\nCopyright(C) 2001-2022", "2.2.7"),
            ("Keepalived v1.3.5 (03/19,2017), git commit v1.3.5-6-g6fa32f2\n", "1.3.5"),
            ("Unable to read build config options file\n", None),
            ("", None),
        ]:
            self.assertEqual(keepalived_data.parse_version(text), expected)
        self.assertEqual(keepalived_data.version_tuple("2.2.7"), (2, 2, 7))
