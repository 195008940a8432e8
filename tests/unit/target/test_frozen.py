# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a daemon is frozen: looks at a process that moves, stands still, or runs in circles."""

from __future__ import absolute_import, division, print_function

import io
import os
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import frozen, system

__metaclass__ = type

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
DAEMON = {"pid": 100, "starttime": 1000}
STATUS = "Name:\tkeepalived\nState:\tS (sleeping)\nvoluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n"
STAT = "101 (keep) alived) S 100 " + " ".join(str(number) for number in range(5, 40))


class World(object):
    def __init__(self):
        self.clock, self.switches, self.cpu, self.state, self.parent_state = 1000.0, 0, 0.0, "S", "S"
        self.child = 101

    def monotonic(self):
        return self.clock

    def vrrp_process(self, _daemon):
        return {"pid": self.child} if self.child else None

    def progress(self, pid):
        if pid != self.child:
            return None
        return {"state": self.state, "switches": self.switches, "cpu": self.cpu}

    def process(self, pid):
        return {"state": self.parent_state if pid == 100 else self.state}


class FreezeGuardTest(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.guard = frozen.FreezeGuard(self.world)

    def looks(self, count, advert=0.25, every=None, switches=0, cpu=0.0):
        """What the last of some looks says."""
        why = None
        for _look in range(count):
            self.world.clock += every or advert or 1.0
            self.world.switches += switches
            self.world.cpu += cpu
            why = why or self.guard.look(DAEMON, advert)
        return why

    def test_a_master_that_wakes_is_not_frozen(self):
        self.assertIsNone(self.looks(100, switches=1))

    def test_a_master_that_stands_still_is(self):
        self.looks(3, switches=1)
        self.assertIsNone(self.looks(frozen.LOOKS - 1))
        self.assertEqual(self.looks(1),
                         "its VRRP process 101 owes an advert every 0.25 s and has done nothing for 1.0 s (state S)")

    def test_looks_that_come_late_prove_nothing(self):
        self.looks(3, switches=1)
        self.assertIsNone(self.looks(20, every=2.0))

    def test_looks_that_come_early_prove_nothing(self):
        self.looks(3, switches=1)
        self.assertIsNone(self.looks(20, every=0.01))

    def test_one_wakeup_starts_the_count_anew(self):
        self.looks(3, switches=1)
        self.looks(frozen.LOOKS - 1)
        self.looks(1, switches=1)
        self.assertIsNone(self.looks(frozen.LOOKS - 1))

    def test_a_process_that_gets_no_cpu_is_not_frozen(self):
        self.world.state = "R"
        self.assertIsNone(self.looks(100))

    def test_a_process_that_goes_round_in_circles_is(self):
        self.world.state = "R"
        self.assertIsNone(self.looks(6, cpu=0.25))
        self.assertIn("(state R)", self.looks(20, cpu=0.25))

    def test_who_owes_nothing_may_be_quiet(self):
        self.assertIsNone(self.looks(100, advert=None))

    def test_but_not_stopped(self):
        for stopped in ("T", "t"):
            for name in ("state", "parent_state"):
                self.setUp()
                self.looks(2, advert=None)
                setattr(self.world, name, stopped)
                self.assertIsNone(self.looks(5, advert=None))
                self.assertIn("has been stopped for", self.looks(3, advert=None))

    def test_a_stopped_parent_ends_a_master_as_well(self):
        self.world.parent_state = "T"
        self.assertIn("has been stopped for", self.looks(40, switches=1))

    def test_a_stop_that_was_slept_through_is_none(self):
        self.world.state = "T"
        self.assertIsNone(self.looks(10, advert=None, every=60.0))

    def test_another_daemon_or_child_starts_the_count_anew(self):
        self.looks(frozen.LOOKS)
        self.world.child = 102
        self.assertIsNone(self.looks(frozen.LOOKS - 1))
        self.assertIsNone(self.guard.look(dict(DAEMON, pid=200), 0.25))
        self.assertIsNone(self.looks(frozen.LOOKS - 1))
        self.world.child = None
        self.assertIsNone(self.looks(20))
        self.assertIsNone(self.guard.look(None, 0.25))

    def test_when_to_look_next(self):
        self.assertIsNone(self.guard.remaining(None))
        self.assertEqual(self.guard.remaining(0.25), 0.0)
        self.guard.look(DAEMON, 0.25)
        self.assertAlmostEqual(self.guard.remaining(0.25), 0.25)
        self.assertAlmostEqual(self.guard.remaining(0.01), frozen.SHORTEST_INTERVAL)


    def test_who_owes_adverts_less_often_is_given_the_time(self):
        self.looks(3, advert=0.1, switches=1)
        self.looks(frozen.LOOKS - 1, advert=0.1)
        self.assertIsNone(self.looks(frozen.LOOKS, advert=1.0))
        self.assertIn("every 1 s", self.looks(1, advert=1.0))


class AdvertsTest(unittest.TestCase):
    def setUp(self):
        self.adverts = frozen.Adverts()

    def owed(self, interval):
        """By a MASTER, when the description says so often."""
        return self.adverts.owed(self.description(interval), {"instances": {"web": {"state": "MASTER"}}}, ())

    @staticmethod
    def description(interval):
        return {"instances": {"web": {"advert_interval": interval}}}

    def deploy(self, interval):
        self.adverts.described(self.description(interval))

    def tell(self, running, described):
        self.adverts.told({"web": {"advert_interval": running}, "db": {}}, self.description(described))

    def test_a_faster_interval_counts_when_keepalived_runs_with_it(self):
        self.deploy(1.0)
        self.tell(1.0, 1.0)
        self.deploy(0.1)
        self.assertEqual(self.owed(0.1), 1.0)
        self.assertTrue(self.adverts.is_doubtful(self.description(0.1)))
        self.tell(1.0, 0.1)
        self.assertEqual(self.owed(0.1), 1.0)
        self.tell(0.1, 0.1)
        self.assertEqual(self.owed(0.1), 0.1)
        self.assertFalse(self.adverts.is_doubtful(self.description(0.1)))

    def test_a_slower_interval_counts_at_once_and_until_keepalived_says_otherwise(self):
        self.deploy(0.1)
        self.tell(0.1, 0.1)
        self.deploy(2.0)
        self.assertEqual(self.owed(2.0), 2.0)
        self.tell(0.1, 2.0)
        self.assertEqual(self.owed(2.0), 2.0)
        self.deploy(0.1)  # 2 s may be in force by now
        self.assertEqual(self.owed(0.1), 2.0)

    def test_who_has_not_been_told_is_patient(self):
        self.deploy(0.1)
        self.assertEqual(self.owed(0.1), frozen.UNTOLD)
        self.tell(None, 0.1)
        self.assertEqual(self.owed(0.1), frozen.UNTOLD)
        self.tell(0.1, 0.1)
        self.adverts.restarted()
        self.assertEqual(self.owed(0.1), frozen.UNTOLD)

    def test_rounding_is_no_doubt(self):
        self.deploy(0.255)
        self.tell(0.26, 0.255)
        self.assertFalse(self.adverts.is_doubtful(self.description(0.255)))


class PureTest(unittest.TestCase):
    def test_reads_the_intervals_of_a_dump(self):
        for name in sorted(os.listdir(FIXTURES)):
            if name.startswith("dump_"):
                with io.open(os.path.join(FIXTURES, name), encoding="utf-8") as source:
                    self.assertEqual(frozen.parse_advert_intervals(source.read()), {"web": 0.25}, name)
        table = [("1 sec", 1.0), ("1sec", 1.0), ("100 centi-sec", 1.0), ("1500 milli-sec", 1.5)]
        for text, expected in table:
            seen = frozen.parse_advert_intervals(" VRRP Instance = a b\n   Advert interval = %s\n" % text)
            self.assertAlmostEqual(seen["a b"], expected)
        for junk in ("   Advert interval = 1 sec\n", " VRRP Instance = web\n   Advert interval = 3 moons\n",
                     " VRRP Instance = web\n------< X >------\n   Advert interval = 1 sec\n", ""):
            self.assertEqual(frozen.parse_advert_intervals(junk), {}, junk)

    def test_who_owes_adverts(self):
        description = {"instances": {"web": {"advert_interval": 1.0}, "db": {"advert_interval": 0.25}, "old": {}}}
        adverts = frozen.Adverts()
        adverts.told(
            {"web": {"advert_interval": 1.0}, "db": {"advert_interval": 0.25}, "old": {"advert_interval": 0.1}},
            description)
        table = [
            ("MASTER", "MASTER", (), 0.25), ("MASTER", "BACKUP", (), 1.0), ("BACKUP", "FAULT", (), None),
            ("UNKNOWN", "BACKUP", (), None), ("UNKNOWN", "BACKUP", ("web",), 1.0), ("BACKUP", "BACKUP", ("web",), None),
        ]
        for web, db, held, expected in table:
            record = {"instances": {"web": {"state": web}, "db": {"state": db}, "old": {"state": "MASTER"}}}
            self.assertEqual(adverts.owed(description, record, held), expected, (web, db, held))
        self.assertIsNone(adverts.owed(None, {"instances": {}}, ()))

    def test_reads_the_progress_of_a_process(self):
        seen = frozen.parse_progress(STATUS, STAT, 100)
        # The 14th and 15th field of the man page, in ticks.
        self.assertEqual(seen, {"state": "S", "switches": 42, "cpu": (14 + 15) / 100.0})
        for status, stat_text in [(None, STAT), (STATUS, None), (STATUS, "101 (x) S"), ("", "")]:
            self.assertIsNone(frozen.parse_progress(status, stat_text, 100))

    def test_of_a_real_one(self):
        before = system.System.progress(os.getpid())
        self.assertGreaterEqual(before["switches"], 0)
        self.assertIsNone(system.System.progress(4194304))
