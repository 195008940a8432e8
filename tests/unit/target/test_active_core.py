# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node does with a service that runs on one node only: look by look."""

from __future__ import absolute_import, division, print_function

import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import active_core
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.active_core import (
    ACTIVE,
    ASKED,
    DENIED,
    GRANTED,
    HELD_DOWN,
    KILL,
    STANDBY,
    START,
    STARTING,
    STOP,
    STOPPING,
    WAITING,
    Grant,
    Service,
)

__metaclass__ = type

SETTINGS = {
    "confirm": 1.0,
    "blind": 2.0,
    "start_timeout": 20.0,
    "stop_timeout": 5.0,
    "margin": 1.0,
    "restarts": 1,
}
YES = Grant(GRANTED, "lent")
NO = Grant(DENIED, "the peer runs it")


def unit(word="inactive", target=None, job=None, restarts=0, run="1"):
    return {
        "target": target or word,
        "service": word,
        "job": job,
        "down": word in ("inactive", "failed"),
        "restarts": restarts,
        "run": run,
        "result": "exit-code",
    }


DOWN, UP = unit(), unit("active")


class CoreTest(unittest.TestCase):
    def setUp(self):
        self.core, self.now = Service(dict(SETTINGS)), 100.0

    def look(self, after, vrrp, grant=YES, seen=DOWN, ready=None, gap=0.0):
        """(action, phase) of a look that comes `after` seconds."""
        self.now += after
        self.core.kill_overdue(self.now)
        self.core.wish(self.now, gap, vrrp)
        found = self.core.decide(self.now, grant, seen, ready)
        self.why = found.why
        return found.action, found.phase

    def start(self, grant=YES):
        self.look(0, "MASTER", grant)
        self.assertEqual(self.look(1.0, "MASTER", grant), (START, STARTING))
        self.assertEqual(self.look(0.1, "MASTER", grant, UP, True), (None, ACTIVE))

    def check(self, looks):
        for number, (arguments, expected) in enumerate(looks):
            self.assertEqual(self.look(*arguments), expected, "look %d: %s" % (number, arguments))

    def test_starts_once_it_has_been_master_for_a_while(self):
        self.check([
            ((0, "MASTER"), (None, STANDBY)),
            ((0.9, "MASTER"), (None, STANDBY)),
            ((0.1, "MASTER", NO), (None, WAITING)),
            ((0.1, "MASTER", Grant(ASKED, "asked")), (None, WAITING)),
            ((0.1, "MASTER"), (START, STARTING)),
            ((0.1, "MASTER", YES, None), (None, STARTING)),
            ((0.1, "MASTER", YES, unit("activating", job="start")), (None, STARTING)),
            ((5.0, "MASTER", YES, UP), (None, STARTING)),
            ((0.1, "MASTER", YES, UP, True), (None, ACTIVE)),
        ])

    def test_being_master_is_counted_anew_after_every_change(self):
        self.check([
            ((0, "MASTER"), (None, STANDBY)),
            ((0.8, "BACKUP"), (None, STANDBY)),
            ((0.8, "MASTER"), (None, STANDBY)),
            ((0.8, None), (None, STANDBY)),
            ((0.1, "MASTER"), (None, STANDBY)),
            ((0.8, "MASTER", YES, DOWN, None, 0.8), (None, STANDBY)),
            ((0.9, "MASTER"), (None, STANDBY)),
            ((0.1, "MASTER"), (START, STARTING)),
        ])

    def test_stops_at_once_whatever_it_is_doing(self):
        for word in ("BACKUP", "FAULT", "STOPPED"):
            for seen in (unit("activating", job="start"), UP, None):
                self.setUp()
                self.start()
                self.assertEqual(self.look(0.1, word, YES, seen), (STOP, STOPPING), (word, seen))
                self.assertEqual(self.why, "VRRP is %s here" % word)
        self.setUp()
        self.start()
        self.assertEqual(self.look(0.1, "MASTER", NO, UP, True), (STOP, STOPPING))
        self.assertEqual(self.why, "the peer runs it")

    def test_not_knowing_is_stopping_after_a_while(self):
        self.start()
        self.check([
            ((2.0, None, YES, UP, True), (None, ACTIVE)),
            ((0.1, "MASTER", YES, UP, True), (None, ACTIVE)),
            ((1.9, None, YES, UP, True), (None, ACTIVE)),
            ((0.2, None, YES, UP, True), (STOP, STOPPING)),
        ])
        self.assertEqual(self.why, "nobody says what VRRP is here")

    def test_what_runs_without_having_been_asked_for_is_stopped(self):
        self.assertEqual(self.look(0, "BACKUP", NO, UP), (STOP, STOPPING))

    def test_a_stop_that_does_not_end_is_followed_by_a_kill(self):
        self.start()
        slow = unit("deactivating", job="stop")
        self.check([
            ((0.1, "BACKUP", YES, UP, True), (STOP, STOPPING)),
            ((2.0, "BACKUP", YES, slow), (None, STOPPING)),
            ((3.1, "BACKUP", YES, slow), (KILL, STOPPING)),
            ((0.1, "BACKUP", YES, slow), (None, STOPPING)),
            ((1.0, "BACKUP", YES, slow), (KILL, STOPPING)),
            ((0.1, "BACKUP", YES, unit("failed", "inactive")), (None, STANDBY)),
        ])

    def test_a_stop_that_showed_no_effect_is_repeated(self):
        self.start()
        self.check([
            ((0.1, "BACKUP", YES, UP), (STOP, STOPPING)),
            ((0.5, "BACKUP", YES, UP), (None, STOPPING)),
            ((0.5, "BACKUP", YES, UP), (STOP, STOPPING)),
            ((0.5, "BACKUP", YES, unit("active", "inactive")), (None, STOPPING)),
            ((0.5, "BACKUP", YES, unit("active", "inactive")), (STOP, STOPPING)),
        ])

    def test_a_start_waits_for_the_end_of_a_stop(self):
        self.start()
        slow = unit("deactivating", job="stop")
        self.check([
            ((0.1, "BACKUP", YES, UP), (STOP, STOPPING)),
            ((0.1, "MASTER", YES, slow), (None, STOPPING)),
            ((1.5, "MASTER", YES, slow), (None, STOPPING)),
            ((4.0, "MASTER", YES, slow), (KILL, STOPPING)),
            ((0.1, "MASTER", YES, DOWN), (None, WAITING)),
            ((0.1, "MASTER", YES, DOWN), (START, STARTING)),
        ])
        self.setUp()
        self.look(0, "MASTER")
        self.assertEqual(self.look(1, "MASTER", YES, slow), (None, WAITING))
        self.assertEqual(self.look(1, "MASTER", YES, DOWN), (START, STARTING))

    def test_nothing_is_started_that_nobody_can_look_at(self):
        self.check([
            ((0, "MASTER", YES, None), (None, WAITING)),
            ((1.0, "MASTER", YES, None), (None, WAITING)),
            ((1.0, "BACKUP", YES, None), (None, WAITING)),
        ])
        self.assertEqual(self.why, "systemd does not answer")
        self.assertEqual(self.look(0.1, "BACKUP", YES, UP), (STOP, STOPPING))

    def test_stops_and_then_kills_before_a_loan_runs_out(self):
        self.start(Grant(GRANTED, "lent", 120.0))
        lent = Grant(GRANTED, "lent", 120.0)
        self.now = 113.9
        self.check([
            ((0, "MASTER", lent, UP, True), (None, ACTIVE)),
            ((0.1, "MASTER", lent, UP, True), (STOP, STOPPING)),
            ((4.9, "MASTER", lent, unit("deactivating")), (None, STOPPING)),
        ])
        self.now = 119.0
        self.assertEqual(self.core.kill_overdue(self.now), KILL)
        # Also when the loan is gone, until nothing is left.
        self.now = 121.0
        self.assertEqual(self.core.kill_overdue(self.now), KILL)
        self.look(0, "MASTER", NO, DOWN)
        self.now = 125.0
        self.assertIsNone(self.core.kill_overdue(self.now))

    def test_a_renewed_loan_lets_it_go_on(self):
        self.start(Grant(GRANTED, "lent", 120.0))
        self.now = 113.9
        self.assertEqual(self.look(0.2, "MASTER", Grant(GRANTED, "lent", 130.0), UP, True), (None, ACTIVE))

    def test_a_stop_for_another_reason_ends_before_the_loan_as_well(self):
        lent = Grant(GRANTED, "lent", 120.0)
        self.start(lent)
        self.now = 116.0
        self.look(0, "BACKUP", lent, UP)
        self.now = 119.0
        self.assertEqual(self.core.kill_overdue(self.now), KILL)

    def test_frozen_beyond_its_loan_it_is_killed_before_anything_else_and_told_to_stop(self):
        self.start(Grant(GRANTED, "lent", 120.0))
        self.now = 500.0
        self.assertEqual(self.core.kill_overdue(self.now), KILL)
        self.core.wish(self.now, 380.0, "MASTER")
        decision = self.core.decide(self.now, NO, None, None)
        # systemd would start again what ended without its knowing why.
        self.assertEqual(decision.action, STOP)

    def test_whoever_lent_it_for_as_long_as_it_says_may_take_it_back(self):
        self.start()
        self.assertIsNone(self.core.kill_overdue(self.now))
        self.core.expire(self.now)
        self.assertEqual(self.core.kill_overdue(self.now), KILL)

    def test_a_gap_does_not_stop_what_may_run(self):
        self.start()
        self.assertEqual(self.look(9.0, "MASTER", YES, UP, True, gap=9.0), (None, ACTIVE))

    def test_a_start_that_was_not_given_is_given_later(self):
        self.look(0, "MASTER")
        self.look(1, "MASTER")
        self.core.take_back_start()
        self.assertEqual(self.look(0.1, "MASTER"), (START, STARTING))

    def test_one_that_ends_by_itself_is_started_again_so_often(self):
        self.start()
        failed = unit("failed", "active")
        self.assertEqual(self.look(1, "MASTER", YES, failed), (START, STARTING))
        self.assertEqual(self.why, "ended by itself (exit-code)")
        self.look(1, "MASTER", YES, UP, True)
        self.assertEqual(self.look(1, "MASTER", YES, unit("failed", "active")), (None, HELD_DOWN))
        self.assertTrue(self.core.held_down(self.now))
        self.assertEqual(self.core.failure, "ended by itself 2 times within 600 s")

    def test_restarts_by_systemd_count_as_well(self):
        self.start()
        self.assertEqual(self.look(1, "MASTER", YES, unit("active", restarts=1), True)[1], ACTIVE)
        self.assertEqual(self.look(1, "MASTER", YES, unit("active", restarts=2), True), (STOP, STOPPING))

    def test_a_restart_by_somebody_is_a_new_start(self):
        window = (unit("deactivating", job="stop"), unit("activating", job="start"), unit("inactive", job="start"))
        for seen in window + (unit("active", run="2"), None):
            self.setUp()
            self.start()
            if seen is not None:
                # Whether it was still well when that was seen, or failing, says nothing of the new program.
                self.assertEqual(self.look(1, "MASTER", YES, seen, False), (None, STARTING), seen)
            again = unit("active", run="2")
            self.assertEqual(self.look(5, "MASTER", YES, again, None), (None, STARTING), seen)
            left = 14 if seen is not None and seen["run"] == again["run"] else 19
            self.assertEqual(self.look(left, "MASTER", YES, again, None), (None, STARTING), seen)
            self.assertEqual(self.look(0, "MASTER", YES, again, True), (None, ACTIVE), seen)
            self.assertEqual(self.look(1, "MASTER", YES, again, True), (None, ACTIVE), seen)
            self.assertFalse(self.core._crashes)

    def test_a_restart_after_which_it_is_not_ready_has_failed(self):
        for seen in (unit("deactivating", job="stop"), unit("active", run="2")):
            self.setUp()
            self.start()
            self.look(1, "MASTER", YES, seen, None)
            again = unit("active", run="2")
            self.look(1, "MASTER", YES, again, None)
            self.assertEqual(self.look(20.1, "MASTER", YES, again, None), (STOP, STOPPING))
            self.assertEqual(self.core.failure, "was not ready within 20 s")

    def test_the_program_of_our_own_start_is_no_other(self):
        self.look(0, "MASTER")
        self.look(1.0, "MASTER")
        # So long its companions take.
        self.look(15, "MASTER", YES, unit("activating", job="start"))
        self.look(1, "MASTER", YES, unit("active", run="2"))
        self.assertEqual(self.look(4.1, "MASTER", YES, unit("active", run="2")), (STOP, STOPPING))
        # Of one that restarts itself while it starts, each has its time.
        self.setUp()
        self.look(0, "MASTER")
        self.look(1.0, "MASTER")
        for run in ("2", "3", "4"):
            self.assertEqual(self.look(15, "MASTER", YES, unit("active", run=run)), (None, STARTING))

    def test_one_that_reads_its_settings_again_is_no_other(self):
        self.start()
        self.assertEqual(self.look(1, "MASTER", YES, unit("reloading"), True), (None, ACTIVE))

    def test_failures_are_followed_by_a_hold_down_that_grows(self):
        delays = []
        for _turn in range(7):
            self.look(0, "BACKUP")
            self.look(0, "MASTER")
            self.assertEqual(self.look(1.0, "MASTER"), (START, STARTING))
            self.assertEqual(self.look(20.1, "MASTER", YES, unit("activating")), (STOP, STOPPING))
            self.assertEqual(self.core.failure, "was not ready within 20 s")
            delays.append(round(self.core.held_until - self.now))
            self.assertEqual(self.look(1, "MASTER"), (None, HELD_DOWN))
            self.now = self.core.held_until - 0.1
            self.assertEqual(self.look(0, "MASTER"), (None, HELD_DOWN))
            self.assertIn("was not ready within 20 s; left alone for ", self.why)
            self.now += 0.2
            self.assertFalse(self.core.held_down(self.now))
        self.assertEqual(delays, [30, 60, 120, 240, 480, 900, 900])

    def test_ten_good_minutes_make_up_for_earlier_failures(self):
        for run, expected in ((599.0, 60), (600.0, 30)):
            self.setUp()
            self.start()
            self.look(1, "MASTER", YES, UP, False)
            self.assertEqual(self.core.failure, "was ready, and does not answer any more")
            self.look(1, "FAULT")
            self.now = self.core.held_until
            self.start()
            self.assertIsNone(self.core.failure)
            self.look(run, "MASTER", YES, UP, True)
            self.look(0.1, "MASTER", YES, UP, False)
            self.assertEqual(round(self.core.held_until - self.now), expected)

    def test_one_that_starts_is_given_its_time(self):
        self.look(0, "MASTER")
        self.look(1, "MASTER")
        for _turn in range(19):
            self.assertEqual(self.look(1, "MASTER", YES, UP), (None, STARTING))
            self.assertFalse(self.core.held_down(self.now))

    def test_counts_from_the_change_and_not_from_when_it_was_seen(self):
        self.look(0, "BACKUP")
        self.core.wish(self.now + 5, 0.0, "MASTER", 0.1)
        self.assertFalse(self.core.wish(self.now + 5.85, 0.0, "MASTER", 0.1))
        self.assertTrue(self.core.wish(self.now + 5.9, 0.0, "MASTER", 0.1))

    def test_tells_when_it_will_be_wanted(self):
        self.look(0, "BACKUP")
        self.assertIsNone(self.core.until_wanted(self.now))
        self.look(1, "MASTER")
        self.assertEqual(self.core.until_wanted(self.now + 0.25), 0.75)
        self.assertEqual(self.core.until_wanted(self.now + 5), 0)
        self.look(1, "MASTER")
        self.assertIsNone(self.core.until_wanted(self.now))

    def test_nothing_is_wanted_of_an_agent_that_ends(self):
        self.start()
        self.core.leaving = True
        self.assertEqual(self.look(0.1, "MASTER", YES, UP, True), (STOP, STOPPING))
        self.assertEqual(self.why, "its agent is about to end")

    def test_only_what_systemd_calls_down_is_dead(self):
        for seen, dead in (
            (None, False),
            (UP, False),
            (DOWN, True),
            (unit("failed"), True),
            (unit("inactive", job="start"), False),
            (unit("deactivating"), False),
        ):
            self.assertEqual(active_core.is_dead(seen), dead, seen)


if __name__ == "__main__":
    unittest.main()
