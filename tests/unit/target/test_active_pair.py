# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two agents against each other: what each arbiter promises holds, whatever happens between them."""

from __future__ import absolute_import, division, print_function

import unittest

from active_simulation import NAME, Pair
from ansible_collections.duplex.ha_pair.plugins.module_utils._node import active

__metaclass__ = type

SEEDS = range(6)


class PairTest(unittest.TestCase):
    def ends_on(self, pair, name, seconds=40):
        pair.run(seconds)
        self.assertEqual(pair.active(), [name])
        self.assertEqual(pair.where(), [name])

    def started(self, kind, **changed):
        pair = Pair(kind, **changed)
        pair.vrrp("MASTER", "BACKUP")
        self.ends_on(pair, "node-a")
        return pair

    def test_runs_where_vrrp_is_master(self):
        for kind in ("none", "peer", "witness", "command"):
            pair = self.started(kind)
            pair.vrrp("BACKUP", "MASTER")
            self.ends_on(pair, "node-b")
            if kind != "none":
                self.assertEqual(pair.overlaps, [], kind)
            self.assertEqual(pair.worlds["node-b"].fences, [], kind)

    def test_an_arbiter_that_agrees_costs_a_few_looks(self):
        for kind in ("none", "peer", "witness"):
            for seed in SEEDS:
                pair = Pair(kind, seed)
                pair.run(40)
                pair.vrrp("BACKUP", "MASTER")
                # What has to be waited for in any case is how long it is MASTER.
                pair.run(1.5)
                self.assertEqual(pair.where(), ["node-b"], (kind, seed))

    def test_many_flips_end_in_the_right_state(self):
        for kind in ("none", "peer", "witness", "command"):
            for seed in SEEDS:
                pair = Pair(kind, seed)
                for world in pair.worlds.values():
                    world.systemd.fails = 0.02
                for _flip in range(200):
                    pair.vrrp(*pair.rng.choice([
                        ("MASTER", "BACKUP"), ("BACKUP", "MASTER"), ("MASTER", "MASTER"), ("FAULT", "MASTER"),
                        ("BACKUP", "BACKUP"), (None, "MASTER"), ("MASTER", None), ("MASTER", "FAULT"),
                    ]))
                    pair.run(pair.rng.choice([0.1, 0.3, 1.2, 3.0]))
                if kind in ("peer", "witness"):
                    self.assertEqual(pair.overlaps, [], (kind, seed))
                for world in pair.worlds.values():
                    world.systemd.fails = 0.0
                last = pair.rng.choice([("MASTER", "BACKUP"), ("BACKUP", "MASTER")])
                pair.vrrp(*last)
                # A hold-down may have begun meanwhile.
                pair.run(40)
                right = "node-a" if last[0] == "MASTER" else "node-b"
                held = pair.agents[right]._cores[NAME].held_down(pair.clock.now)
                self.assertEqual(pair.active(), [] if held else [right], (kind, seed))

    def test_a_block_of_vrrp_alone_changes_nothing_with_the_peer_or_a_witness(self):
        for kind in ("peer", "witness", "command"):
            pair = self.started(kind)
            pair.vrrp("MASTER", "MASTER")
            self.ends_on(pair, "node-a", 120)
            self.assertEqual(pair.overlaps, [], kind)
            pair.vrrp("MASTER", "BACKUP")
            self.ends_on(pair, "node-a")
            self.assertNotIn("start", pair.worlds["node-b"].systemd.commands, kind)

    def test_of_two_that_become_master_at_once_one_runs(self):
        for kind in ("peer", "witness", "command"):
            for seed in SEEDS:
                pair = Pair(kind, seed)
                pair.vrrp("MASTER", "MASTER")
                pair.run(60)
                self.assertEqual((len(pair.active()), pair.overlaps), (1, []), (kind, seed))

    def test_a_dead_peer_is_waited_for_and_then_done_without(self):
        for kind in ("peer", "witness", "command"):
            pair = self.started(kind)
            pair.freeze("node-a")
            pair.worlds["node-a"].systemd.state = "inactive"
            pair.vrrp("MASTER", "MASTER")
            pair.run(40)
            self.assertEqual(pair.active(), ["node-b"], kind)
            self.assertEqual(len(pair.worlds["node-b"].fences), 1 if kind == "command" else 0)

    def test_a_frozen_node_that_goes_on_stops_before_it_works_on(self):
        for kind in ("peer", "witness"):
            for seed in SEEDS:
                pair = Pair(kind, seed)
                pair.vrrp("MASTER", "BACKUP")
                self.ends_on(pair, "node-a")
                pair.freeze("node-a")
                pair.vrrp("MASTER", "MASTER")
                pair.run(20 + seed * 3)
                self.assertEqual("node-b" in pair.where(), True, (kind, seed))
                pair.thaw("node-a")
                pair.run(20)
                # Killed at the first look, before this model counts the process as working again.
                self.assertEqual(pair.overlaps, [], (kind, seed))
                self.assertEqual(pair.active(), ["node-b"], (kind, seed))
                self.assertIn("kill", pair.worlds["node-a"].systemd.commands, (kind, seed))

    def test_never_two_with_the_peer_while_it_can_be_heard(self):
        for seed in SEEDS:
            pair = Pair("peer", seed)
            words = ["MASTER", "BACKUP", "FAULT", None, "MASTER"]
            for _turn in range(60):
                pair.vrrp(pair.rng.choice(words), pair.rng.choice(words))
                pair.network.loss = pair.rng.choice([0.0, 0.0, 0.3])
                pair.network.delay = pair.rng.choice([0.02, 0.5])
                pair.run(pair.rng.uniform(0.2, 8))
            self.assertEqual(pair.overlaps, [], seed)
            pair.network.heal()
            pair.vrrp("BACKUP", "MASTER")
            self.ends_on(pair, "node-b")

    def test_never_two_with_a_witness_whatever_happens(self):
        for seed in range(12):
            pair = Pair("witness", seed)
            for world in pair.worlds.values():
                world.systemd.stop_time = (0.1, 9.0)
            words, places = ["MASTER", "BACKUP", "MASTER", None], ["node-a", "node-b", "witness"]
            for _turn in range(80):
                pair.vrrp(pair.rng.choice(words), pair.rng.choice(words))
                fault = pair.rng.randrange(9)
                if fault == 0:
                    pair.network.part(pair.rng.choice(places[:2]), "witness")
                elif fault == 1:
                    pair.network.loss = pair.rng.choice([0.2, 0.6])
                elif fault == 2:
                    pair.network.delay = pair.rng.choice([0.5, 2.0])
                elif fault == 3 and not pair.network.frozen:
                    pair.freeze(pair.rng.choice(places))
                elif fault == 4:
                    pair.network.frozen.clear()
                elif fault == 5:
                    pair.start_witness()
                elif fault == 6:
                    pair.network.heal()
                elif fault == 7:
                    # It crashed, and what it looked after runs on.
                    pair.start_agent(pair.rng.choice(places[:2]))
                pair.run(pair.rng.choice([0.2, 1.0, 4.0, 10.0]))
            self.assertEqual(pair.overlaps, [], seed)
            pair.network.frozen.clear()
            pair.network.heal()
            pair.vrrp("BACKUP", "MASTER")
            self.ends_on(pair, "node-b", 60)

    def test_a_restart_of_the_witness_stops_nothing(self):
        pair = self.started("witness")
        pair.ran = []
        for _turn in range(3):
            pair.start_witness()
            pair.run(20)
        self.assertEqual(set(pair.ran), {("node-a",)})

    def test_cut_off_from_the_witness_it_ends_before_another_one_may_begin(self):
        pair = self.started("witness")
        pair.worlds["node-a"].systemd.stop_time = (99.0, 99.0)
        pair.network.part("node-a", "witness")
        pair.vrrp("MASTER", "MASTER")
        self.ends_on(pair, "node-b")
        self.assertEqual(pair.overlaps, [])
        self.assertIn("kill", pair.worlds["node-a"].systemd.commands)

    def test_after_a_full_partition_the_one_that_began_earlier_stays(self):
        pair = self.started("peer")
        pair.network.part("node-a", "node-b")
        pair.vrrp("MASTER", "MASTER")
        pair.run(40)
        # What no two nodes can know.
        self.assertEqual(pair.active(), ["node-a", "node-b"])
        pair.network.heal()
        self.ends_on(pair, "node-a")

    def test_a_dead_standby_is_no_reason_to_stop(self):
        for kind in ("peer", "command"):
            pair = self.started(kind)
            pair.freeze("node-b")
            pair.ran = []
            pair.run(120)
            self.assertEqual(set(pair.ran), {("node-a",)})
            pair.thaw("node-b")
            self.ends_on(pair, "node-a")
            self.assertEqual(pair.worlds["node-a"].fences, [])

    def test_a_fencing_command_has_to_succeed(self):
        pair = self.started("command")
        pair.worlds["node-b"].fence_result = (False, "1 no route")
        pair.network.part("node-a", "node-b")
        pair.vrrp("MASTER", "MASTER")
        pair.run(60)
        self.assertEqual((pair.active(), pair.overlaps), (["node-a"], []))
        report = pair.worlds["node-b"].reports[-1]["services"][NAME]
        self.assertEqual(report["arbiter"]["why"], "the fencing command failed (1 no route)")
        self.assertTrue(2 <= len(pair.worlds["node-b"].fences) <= 6, pair.worlds["node-b"].fences)
        pair.worlds["node-b"].fence_result = (True, None)
        pair.freeze("node-a")
        pair.worlds["node-a"].systemd.state = "inactive"
        self.ends_on(pair, "node-b", 100)

    def test_an_agent_that_ends_says_so_and_the_peer_does_not_wait(self):
        for kind in ("peer", "witness"):
            pair = self.started(kind)
            pair.vrrp("BACKUP", "BACKUP")
            pair.run(8)
            pair.agents["node-a"].leave()
            # So long it stays for that.
            pair.run(active.FAREWELL)
            self.assertEqual(pair.where(), [], kind)
            self.assertTrue(pair.agents["node-a"].is_free, kind)
            pair.network.answers["node-a"] = lambda _message: {}
            pair.network.part("node-a", "node-b")
            pair.vrrp(None, "MASTER")
            pair.run(5)
            self.assertEqual(pair.where(), ["node-b"], kind)

    def test_a_new_agent_does_not_rely_on_what_the_one_before_it_promised(self):
        pair = self.started("peer")
        pair.vrrp("MASTER", "MASTER")
        pair.start_agent("node-b")
        pair.run(10)
        self.assertEqual((pair.active(), pair.overlaps), (["node-a"], []))
        # What runs without a loan that the new agent knows of ends.
        pair.start_agent("node-a")
        pair.run(30)
        self.assertEqual((len(pair.active()), pair.overlaps), (1, []))

    def test_failed_on_both_is_said_once_and_left_by_itself(self):
        for kind in ("peer", "witness"):
            pair = Pair(kind, restarts=0)
            for world in pair.worlds.values():
                world.systemd.fails = 1.0
            pair.run(30, pair.follow_health)
            report = pair.worlds["node-b"].reports[-1]["services"][NAME]
            self.assertEqual((report["failed_on_both"], report["fit"], report["phase"]), (True, False, "hold-down"))
            told = [line for line in pair.worlds["node-b"].said if "failed on both" in line]
            self.assertEqual(told, ["problem: fetcher: failed on both nodes; each tries again after its hold-down"])
            for world in pair.worlds.values():
                world.systemd.fails = 0.0
            pair.run(60, pair.follow_health)
            self.assertEqual((len(pair.active()), pair.overlaps), (1, []), kind)
            self.assertFalse(pair.worlds["node-b"].reports[-1]["services"][NAME]["failed_on_both"])


if __name__ == "__main__":
    unittest.main()
