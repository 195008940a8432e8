# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""News that overtake each other."""

from __future__ import absolute_import, division, print_function

import itertools
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import state
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.unordered import Unordered

__metaclass__ = type


def news(ticks, pid, word, name="web"):
    return state.parse_line('EVENT %d %d INSTANCE "%s" %s 250' % (ticks, pid, name, word))


def words(events):
    return [event["state"] for event in events]


class UnorderedTest(unittest.TestCase):
    def test_the_newest_wins_however_they_come(self):
        sent = [news(100, 7, "BACKUP"), news(100, 9, "MASTER"), news(101, 2, "FAULT")]
        for turned in itertools.permutations(sent):
            for cut in range(4):
                unordered = Unordered()
                kept = unordered.sort(turned[:cut])[0] + unordered.sort(turned[cut:])[0]
                self.assertEqual(words(kept)[-1], "FAULT", turned)
        self.assertEqual(words(Unordered().sort([sent[2], sent[0], sent[1]])[0]), ["BACKUP", "MASTER", "FAULT"])

    def test_instances_do_not_overtake_each_other(self):
        unordered = Unordered()
        unordered.sort([news(200, 9, "MASTER")])
        self.assertEqual(words(unordered.sort([news(100, 7, "FAULT", "mail")])[0]), ["FAULT"])

    def test_keepalived_s_own_word_ends_what_was_forked_before_it(self):
        unordered = Unordered()
        unordered.told(150)
        kept, doubtful = unordered.sort([news(149, 7, "MASTER")])
        self.assertEqual((kept, doubtful), ([], False))
        kept, doubtful = unordered.sort([news(150, 8, "BACKUP")])
        self.assertEqual((words(kept), doubtful), (["BACKUP"], True))

    def test_who_stops_is_not_asked(self):
        kept, doubtful = Unordered().sort([news(149, 7, "STOP")])
        self.assertEqual((words(kept), doubtful), (["STOPPED"], False))

    def test_what_comes_in_order_is_left_alone(self):
        ordered = [state.parse_line('INSTANCE "web" %s 250' % word) for word in ("MASTER", "BACKUP")]
        stop, junk = state.parse_line("DAEMON STOPPED success"), None
        self.assertEqual(Unordered().sort(ordered + [junk, stop]), (ordered + [junk, stop], False))
        mixed = Unordered().sort([news(101, 1, "FAULT"), stop, news(100, 1, "MASTER")])[0]
        self.assertEqual([event["kind"] for event in mixed], ["instance", "daemon", "instance"])
        self.assertEqual((mixed[0]["state"], mixed[2]["state"]), ("MASTER", "FAULT"))

    def test_lines_that_nobody_sends_are_no_news(self):
        for line in ('EVENT 1 INSTANCE "web" MASTER 250', 'EVENT 1 2 INSTANCE "web" SOMETHING 250', "EVENT 1 2 junk"):
            self.assertIsNone(state.parse_line(line))


if __name__ == "__main__":
    unittest.main()
