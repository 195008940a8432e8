# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one arbiter makes of single messages, above all of those that come late."""

from __future__ import absolute_import, division, print_function

import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import active_arbiters
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.active_arbiters import Command, NoLine, Peer, Witness
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.active_core import ASKED, DENIED, GRANTED

__metaclass__ = type

PEER = {"node": "node-b", "first": False, "lease": 15.0, "timeout": 12.0, "margin": 1.0}
WITNESS = {"node": "node-b", "pair": "web", "session": "one", "lease": 15.0, "margin": 1.0}
HOLD = {"service": "fetcher", "node": "node-a", "do": "hold", "holding": False, "term": 0, "failed": False}


class Line(object):
    problem = "no route"

    def __init__(self):
        self.asked, self.idle, self._answer = [], True, None

    def ask(self, message, _now):
        self.asked.append(message)
        self.idle = False

    def give(self, **answer):
        self._answer = answer

    def look(self, _now):
        found, self._answer = self._answer, None
        self.idle = self.idle or found is not None
        return found


class ArbiterTest(unittest.TestCase):
    def setUp(self):
        self.line, self.now = Line(), 100.0

    def peer(self, **changed):
        return Peer("fetcher", dict(PEER, **changed), self.line, self.now)

    def look(self, arbiter, after=0.1, want=True, down=True):
        self.now += after
        return arbiter.look(self.now, want, down)


class PeerTest(ArbiterTest):
    def held(self, **changed):
        peer = self.peer(**changed)
        self.look(peer)
        self.line.give(answer="free", lease=15, term=3)
        self.assertEqual(self.look(peer).word, GRANTED)
        return peer

    def test_a_promise_of_the_peer_is_a_grant(self):
        self.held()
        self.assertEqual([message["do"] for message in self.line.asked], ["hold"])
        self.assertEqual(self.line.asked[0]["holding"], False)

    def test_a_promise_that_comes_after_its_end_is_none(self):
        peer = self.peer()
        self.look(peer)
        self.line.give(answer="free", lease=15)
        self.assertEqual(self.look(peer, 15.0).word, ASKED)
        self.setUp()
        peer = self.peer()
        self.look(peer)
        self.line.give(answer="free", lease=5)
        self.assertEqual(self.look(peer, 5.0).word, ASKED)

    def test_who_promises_gives_up_what_it_has_asked_for(self):
        peer = self.peer()
        self.look(peer)
        self.assertEqual(peer.answer(HOLD, self.now)["answer"], "free")
        # Said before the peer had our promise.
        self.line.give(answer="free", lease=15)
        self.assertEqual(self.look(peer).word, ASKED)
        self.look(peer, 0.2)
        self.line.give(answer="free", lease=15)
        self.assertEqual(self.look(peer).word, GRANTED)

    def test_who_promises_gives_up_what_it_was_promised(self):
        peer = self.held()
        self.look(peer, want=False, down=False)
        self.assertEqual(peer.answer(HOLD, self.now)["why"], "the peer has not stopped it yet")
        self.look(peer, want=False, down=True)
        self.assertEqual(peer.answer(HOLD, self.now)["answer"], "free")
        self.assertEqual(self.look(peer).word, ASKED)

    def test_whoever_runs_or_is_named_first_does_not_promise(self):
        peer = self.held()
        found = peer.answer(HOLD, self.now)
        self.assertEqual((found["answer"], found["why"], found["holding"]), ("busy", "the peer runs it", True))
        peer = self.peer(first=True)
        self.look(peer)
        self.assertEqual(peer.answer(HOLD, self.now)["why"], "the peer wants it as well, and is named first")
        self.assertEqual(peer.answer(dict(HOLD, holding=True), self.now)["answer"], "free")

    def test_a_promise_is_kept_however_silent_the_peer_is(self):
        peer = self.peer()
        self.look(peer, 40.0, want=False)
        self.line.idle = False
        peer.answer(HOLD, self.now)
        promised, self.now = self.now, self.now + 1
        while self.now < promised + 14.8:
            self.assertEqual(self.look(peer).word, ASKED)
        self.assertEqual(self.look(peer, 0.5).word, GRANTED)

    def test_a_new_agent_waits_for_what_the_one_before_it_may_have_promised(self):
        peer = self.peer(timeout=1.0)
        self.line.idle = False
        self.assertEqual(self.look(peer, 0.5).word, ASKED)
        self.assertEqual(self.look(peer, 14.0).word, ASKED)
        self.assertEqual(self.look(peer, 1.0).word, GRANTED)

    def test_several_gaps_count_as_one_until_the_peer_could_have_been_heard(self):
        for quiet, expected in ((0.5, [False, False, True]), (6.0, [False, False, False])):
            self.setUp()
            peer, found = self.held(), []
            for _gap in range(3):
                self.now += 4.0
                found.append(peer.resumed(self.now, 4.0))
                self.look(peer, quiet)
            self.assertEqual(found, expected)

    def test_of_two_that_run_the_one_that_began_later_gives_way(self):
        for theirs, word in ((3, "asked"), (4, "asked"), (5, "granted")):
            self.setUp()
            peer = self.held()  # its term is 4, and it is not named first
            peer.answer(dict(HOLD, holding=True, term=theirs), self.now)
            self.assertEqual(self.look(peer, down=False).word, word, theirs)
        self.setUp()
        peer = self.held(first=True)
        peer.answer(dict(HOLD, holding=True, term=4), self.now)
        self.assertEqual(self.look(peer, down=False).word, GRANTED)

    def test_one_that_left_is_not_waited_for_as_long_as_that_is_known(self):
        for silence, word in ((0.1, GRANTED), (14.8, GRANTED), (15.0, ASKED)):
            self.setUp()
            peer = self.peer(timeout=60.0)
            self.look(peer, 40.0, want=False)
            self.line.give(answer="left", lease=15)
            self.look(peer, want=False)
            self.line.idle = False
            self.assertEqual(self.look(peer, silence).word, word)
        self.setUp()
        peer = self.peer(timeout=60.0)
        self.look(peer, 40.0, want=False)
        self.line.give(answer="left", lease=15)
        self.look(peer, want=False)
        self.line.idle = False
        # It is back.
        peer.answer(dict(HOLD, do="look"), self.now)
        self.assertEqual(self.look(peer).word, ASKED)

    def test_who_leaves_says_so_once_nothing_runs(self):
        peer = self.held()
        peer.leaving = True
        self.look(peer, want=False, down=False)
        self.assertEqual(peer.answer(dict(HOLD, do="look"), self.now)["answer"], "heard")
        self.assertFalse(peer.is_free)
        self.look(peer, want=False, down=True)
        self.assertEqual(peer.answer(dict(HOLD, do="look"), self.now)["answer"], "left")
        self.assertTrue(peer.is_free)

    def test_says_that_it_is_heard_and_cannot_ask(self):
        peer = self.peer()
        self.line.idle = False
        for _turn in range(100):
            found = self.look(peer, 1.0)
            self.assertEqual(peer.answer(dict(HOLD, do="look"), self.now)["answer"], "heard")
            # The peer lives, and may run it.
            self.assertEqual(found.word, ASKED)
        self.assertEqual(found.why, "the peer reaches us, and we do not reach it (no route)")

    def test_says_why_the_peer_does_not_know_it(self):
        for want in (True, False):
            self.setUp()
            peer = self.peer()
            self.look(peer, want=want)
            self.line.give(answer="unknown", why="the peer has no such service with this arbiter")
            self.look(peer, want=want)
            self.assertEqual(self.look(peer).why, "the peer has no such service with this arbiter")

    def test_numbers_are_taken_within_bounds_only(self):
        for value in (None, True, "7", -1, 1 << 60, float("nan")):
            self.assertEqual(active_arbiters.number({"n": value}, "n", 0, 100), 0)
        self.assertEqual(active_arbiters.number({"n": 7}, "n", 0, 100), 7)


class CommandTest(ArbiterTest):
    def command(self, line=None):
        self.results, self.started = [None], 0
        return Command("fetcher", dict(PEER, timeout=2.0), line or self.line, self.now, self.start)

    def start(self):
        self.started += 1
        return self

    def result(self):
        return self.results[0]

    def test_works_without_a_second_channel(self):
        command = self.command(NoLine())
        self.look(command, 15.0)
        grant = self.look(command, 2.0)
        self.assertEqual((grant.word, grant.why, self.started), (ASKED, "the fencing command runs", 1))
        self.results[0] = (True, None)
        self.assertEqual(self.look(command).word, GRANTED)
        self.look(command, 500.0)
        self.assertEqual(self.started, 1)
        self.look(command, want=False)
        self.look(command)
        self.look(command, 2.0)
        self.assertEqual(self.started, 2)

    def test_a_success_counts_for_what_it_was_begun_for(self):
        for between in ("heard", "not wanted"):
            self.setUp()
            command = self.command()
            self.line.idle = False
            self.look(command, 15.0)
            self.look(command, 2.0)
            self.assertEqual(self.started, 1)
            if between == "heard":
                command.answer(HOLD, self.now + 0.1)
            else:
                self.look(command, want=False)
            self.results[0] = (True, None)
            self.assertNotEqual(self.look(command, 0.2).word, GRANTED, between)

    def test_one_that_failed_is_tried_again_after_a_while(self):
        command = self.command(NoLine())
        self.look(command, 15.0)
        self.results[0] = (False, "3 no route")
        starts = []
        for _look in range(4000):
            before = self.started
            grant = self.look(command, 0.125)
            if self.started > before:
                starts.append(self.now)
        self.assertIn((grant.word, grant.why), (
            (DENIED, "the fencing command failed (3 no route)"), (ASKED, "the fencing command runs"),
        ))
        for number, wait in enumerate([5, 10, 20, 40, 60, 60]):
            self.assertTrue(wait <= starts[number + 1] - starts[number] <= wait + 0.25, starts)


class WitnessTest(ArbiterTest):
    def witness(self):
        return Witness("fetcher", dict(WITNESS), self.line, self.now)

    def test_a_loan_counts_from_when_it_was_asked_for(self):
        witness = self.witness()
        self.look(witness)
        asked = self.now
        self.line.give(answer="granted", lease=15)
        grant = self.look(witness, 0.9)
        self.assertEqual((grant.word, grant.until), (GRANTED, asked + 15))
        self.now = asked
        self.assertEqual(self.look(witness, 14.9).word, GRANTED)
        self.assertNotEqual(self.look(witness, 0.1).word, GRANTED)

    def test_an_answer_after_the_end_of_its_loan_is_none(self):
        witness = self.witness()
        self.look(witness)
        self.line.give(answer="granted", lease=15)
        self.assertNotEqual(self.look(witness, 15.0).word, GRANTED)

    def test_says_that_it_holds_only_while_it_does(self):
        witness = self.witness()
        self.look(witness)
        self.line.give(answer="granted", lease=15)
        self.look(witness)
        self.look(witness, 5.0, down=False)
        self.assertEqual((self.line.asked[-1]["do"], self.line.asked[-1]["holding"]), ("hold", True))
        self.line.idle = True
        self.look(witness, 15.0, down=False)
        self.assertEqual((self.line.asked[-1]["do"], self.line.asked[-1]["holding"]), ("hold", False))

    def test_gives_back_only_what_does_not_run_any_more(self):
        witness = self.witness()
        self.look(witness)
        self.line.give(answer="granted", lease=15)
        self.look(witness)
        self.assertEqual(self.look(witness, 6.0, want=False, down=False).word, GRANTED)
        self.assertEqual(self.line.asked[-1]["do"], "hold")
        self.line.give(answer="granted", lease=15)
        self.assertNotEqual(self.look(witness, want=False, down=True).word, GRANTED)
        self.assertEqual(self.line.asked[-1]["do"], "release")
        # What was asked for before it was given back comes too late to be used.
        self.assertNotEqual(self.look(witness).word, GRANTED)

    def test_says_that_nobody_answers(self):
        witness = self.witness()
        self.line.idle = False
        grant = self.look(witness, 6.0)
        self.assertEqual((grant.word, grant.why), (DENIED, "the witness does not answer (no route)"))


if __name__ == "__main__":
    unittest.main()
