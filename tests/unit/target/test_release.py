# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rolling release on a node: whose it is, the gate, and which connections end before the address moves."""

from __future__ import absolute_import, division, print_function

import os
import shutil
import socket
import stat
import struct
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._release import claim, draining, gate, sockets

try:
    from ansible_collections.duplex.ha_pair.plugins.modules import connection_drain, health_gate, release_claim
except ImportError:
    connection_drain = health_gate = release_claim = None  # no Ansible here

__metaclass__ = type

VIP = socket.inet_pton(socket.AF_INET, "192.0.2.10")


class Clock(object):
    def __init__(self):
        self.time = 100.0

    def __call__(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds


class ClaimTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        self.path = os.path.join(directory, "ha-pair", "release.json")

    def take(self, run="1", fingerprint="one", take_over=False, now=1000.0):
        wanted = {"run": run, "fingerprint": fingerprint, "by": "someone on " + run}
        return claim.take(wanted, 600.0, take_over, now, self.path)

    def keep(self, run="1", **words):
        return claim.keep(run, 600.0, 1100.0, path=self.path, **words)

    def refusal(self, action, *arguments, **words):
        with self.assertRaises(NodeError) as caught:
            action(*arguments, **words)
        return str(caught.exception)

    def test_the_first_finds_nothing_and_others_find_it(self):
        self.assertEqual(self.take(), {})
        found = claim.read(self.path)
        self.assertEqual((found["run"], found["phase"], found["raised"]), ("1", "staging", False))
        self.assertEqual(found["until"], 1600.0)

    def test_another_release_is_refused_until_the_lease_is_over(self):
        self.take()
        self.assertEqual(
            self.refusal(self.take, "2", "two"),
            "%s: another release is under way here, begun by someone on 1 (staging); let it end, or take it over"
            % self.path,
        )
        self.assertEqual(self.take("2", "two", now=1601.0)["run"], "1")

    def test_it_is_taken_over_on_demand(self):
        self.take()
        self.assertEqual(self.take("2", "two", take_over=True)["run"], "1")

    def test_the_same_input_goes_on_and_the_earlier_run_finds_out(self):
        self.take()
        self.keep(phase="activating", raised=True)
        self.take("2")
        found = claim.read(self.path)
        self.assertEqual((found["phase"], found["raised"]), ("activating", True))
        self.assertEqual(
            self.refusal(self.keep),
            "%s: this release was taken over by someone on 2; leave it to that run" % self.path,
        )

    def test_what_was_proved_is_not_taken_for_half_done(self):
        self.take()
        self.keep(phase="proved")
        self.take("2")
        self.assertEqual(claim.read(self.path)["phase"], "staging")

    def test_only_its_own_run_gives_it_back(self):
        self.take()
        self.assertFalse(claim.release("2", self.path))
        self.assertTrue(claim.release("1", self.path))
        self.assertEqual(claim.read(self.path), {})
        self.assertIn("somebody who has ended it", self.refusal(self.keep))

    def test_a_loss_of_power_leaves_no_empty_note(self):
        done, rename = [], os.rename

        def sync(descriptor):
            seen = os.fstat(descriptor)
            done.append("directory" if stat.S_ISDIR(seen.st_mode) else "file" if seen.st_size > 0 else "empty file")

        def move(source, target):
            done.append("rename")
            rename(source, target)

        for name, instead in (("fsync", sync), ("rename", move)):
            self.addCleanup(setattr, os, name, getattr(os, name))
            setattr(os, name, instead)
        self.take()
        self.assertEqual(done, ["file", "rename", "directory"])

    def test_what_nobody_can_read_is_no_free_node(self):
        self.take()
        with open(self.path, "w") as target:
            target.write("{}")
        self.assertEqual(
            self.refusal(self.take),
            "%s: is not what this collection wrote; see that no release is under way, then remove it" % self.path,
        )


class GateTest(unittest.TestCase):
    def ask(self, *answers):
        """The gate with these answers, the last one for ever; three in a row pass, in ten seconds."""
        given, clock = list(answers), Clock()

        def answer(_timeout):
            return given.pop(0) if len(given) > 1 else given[0]

        return gate.pass_gate(answer, 3, 1.0, 10.0, clock, clock.sleep)

    def test_good_answers_pass(self):
        found = self.ask(None)
        self.assertEqual((found["passed"], found["asked"], found["problem"]), (True, 3, None))

    def test_one_bad_answer_begins_anew(self):
        found = self.ask(None, None, "answered 500", None)
        self.assertEqual((found["passed"], found["asked"], found["bad"]), (True, 6, 1))

    def test_now_and_then_is_not_well(self):
        found = self.ask(*(["answered 500", None] * 20))
        self.assertEqual((found["passed"], found["problem"]), (False, "answered 500"))

    def test_it_does_not_wait_longer_than_it_may(self):
        self.assertEqual(self.ask("Connection refused")["seconds"], 10.0)


def connection(name=b"1", came=5.0, went=5.0, waiting=0, unacked=0, heard=3, said=3, round_trip=0.0):
    return sockets.Connection(
        socket.AF_INET, 1, name, VIP, 8080, b"\xc6\x33\x64\x07", waiting, unacked, came, went, round_trip, heard, said
    )


def idle(quiet, *looks, **more):
    """Whether the connection is idle after these looks, one a second, and so many seconds `later`."""
    conversation, now = draining.Conversation(), 100.0
    for seen in looks:
        now += 1.0
        conversation.look(seen, now)
    return conversation.is_idle(looks[-1], quiet, now + more.get("later", 0.0))


class ConversationTest(unittest.TestCase):
    def test_what_was_answered_a_while_ago_is_idle(self):
        self.assertTrue(idle(0.5, connection(came=0.9, went=0.8)))
        self.assertFalse(idle(0.5, connection(came=0.4, went=0.3)))

    def test_what_was_not_answered_yet_is_busy_however_long(self):
        self.assertFalse(idle(0.5, connection(came=60.0, went=61.0)))

    def test_what_lies_in_a_queue_or_was_not_confirmed_is_busy(self):
        self.assertFalse(idle(0.5, connection(waiting=1)))
        self.assertFalse(idle(0.5, connection(unacked=1)))

    def test_a_client_far_away_is_given_the_time_of_its_request(self):
        self.assertFalse(idle(0.01, connection(came=0.06, went=0.05, round_trip=0.03)))
        self.assertTrue(idle(0.01, connection(came=0.09, went=0.08, round_trip=0.03)))

    def test_a_new_connection_may_have_its_first_request_under_way(self):
        self.assertFalse(idle(0.01, connection(came=0.5, went=0.5, heard=0, said=0)))
        self.assertTrue(idle(0.01, connection(came=1.5, went=1.5, heard=0, said=0)))

    def test_the_first_request_came_with_the_connection_and_nobody_has_answered(self):
        self.assertFalse(idle(0.01, connection(came=30.0, went=30.0, heard=1, said=0)))

    def test_within_one_step_of_the_clock_who_was_idle_was_asked_and_has_answered(self):
        before = connection(came=0.09, went=0.08, heard=3, said=3)
        after = connection(came=0.02, went=0.02, heard=4, said=4)
        self.assertTrue(idle(0.01, before, after, later=0.02))
        # It is not known when in between it was answered.
        self.assertFalse(idle(0.01, before, after))

    def test_within_one_step_of_the_clock_who_was_asked_has_answered_and_was_asked_again(self):
        before = connection(came=0.08, went=0.09, heard=3, said=2)
        self.assertFalse(idle(0.01, before, connection(came=0.02, went=0.02, heard=4, said=3), later=0.02))

    def test_a_question_without_an_answer_and_more_of_an_answer(self):
        before = connection(came=0.09, went=0.08)
        asked = connection(came=0.02, went=0.02, heard=4)
        self.assertFalse(idle(0.01, before, asked, later=0.02))
        self.assertTrue(idle(0.01, before, asked, connection(came=0.03, went=0.03, heard=4, said=4), later=0.02))

    def test_the_only_request_so_far_is_answered_when_something_was_said(self):
        self.assertTrue(idle(0.01, connection(came=0.02, went=0.02, heard=1, said=2), later=0.02))
        self.assertFalse(idle(0.01, connection(came=0.02, went=0.02, heard=1, said=0), later=0.02))

    def test_where_nothing_tells_whose_turn_it_is_it_takes_longer(self):
        for looks in (
            [connection(came=0.02, went=0.02)],
            [connection(came=0.09, went=0.08), connection(came=0.02, went=0.02, heard=6, said=5)],
            [connection(came=0.02, went=0.02, heard=None, said=None)],
        ):
            self.assertFalse(idle(0.01, *looks, later=0.02))
            self.assertTrue(idle(0.01, *(looks + [looks[-1]._replace(came=0.07, went=0.07)])))


class Kernel(object):
    """Answers with the next list, and the last one for ever; what was ended is gone.

    meanwhile: how connections are when it is asked for one of them, where that differs.
    """

    def __init__(self, *lists, **meanwhile):
        self.lists, self.ended, self.error = list(lists), [], 0
        self.meanwhile = meanwhile.get("meanwhile", {})

    def connections(self, _addresses):
        found = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        return [each for each in found if each.identity not in self.ended]

    def look(self, found):
        return self.meanwhile.get(found.identity, found)

    def end(self, found):
        if not self.error:
            self.ended.append(found.identity)
        return self.error


class Chatty(Kernel):
    """With a client that asks ten times a second and is answered at once."""

    def __init__(self, clock, *others):
        super(Chatty, self).__init__(list(others))
        self._clock = clock

    def connections(self, addresses):
        turns, age = divmod(self._clock() - 100.0, 0.1)
        found = connection(b"1", came=age, went=age, heard=9 + int(turns), said=9 + int(turns))
        there = super(Chatty, self).connections(addresses) + [found]
        return [each for each in there if each.identity not in self.ended]


class Job(object):
    """Time passes only while it pauses."""

    def __init__(self, clock, longest):
        self._clock, self._end, self.readied = clock, clock() + longest, []

    def stopping(self):
        return self._clock() >= self._end

    def pause(self, seconds):
        self._clock.sleep(seconds)
        return self.stopping()

    def ready(self, data=None):
        self.readied.append(data)


class DrainTest(unittest.TestCase):
    def drain(self, kernel, patience=2.0, longest=10.0, held=None, clock=None, hastened=0.0):
        clock = clock or Clock()
        left = list(held or [])
        job = Job(clock, longest)
        holds = lambda: left.pop(0) if left else held is None  # noqa: E731
        since = clock() + hastened
        drain = draining.Drain(kernel, [VIP], patience, 0.01, holds, lambda: clock() >= since, clock)
        return drain.run(job), job

    def test_without_connections_it_is_ready_at_once(self):
        found, job = self.drain(Kernel([]), held=[True, True])
        self.assertEqual(job.readied, [{"closed": 0, "busy": 0, "seconds": 0.0, "problem": None}])
        self.assertEqual(found["closed"], 0)

    def test_idle_ones_end_and_busy_ones_are_waited_for(self):
        busy = connection(b"2", came=0.1, went=9.0)
        kernel = Kernel([connection(b"1"), busy], [busy], [busy], [])
        _found, job = self.drain(kernel)
        self.assertEqual(kernel.ended, [b"1"])
        self.assertEqual((job.readied[0]["closed"], job.readied[0]["busy"]), (1, 0))

    def test_it_does_not_wait_for_those_that_came_later(self):
        later = connection(b"2", came=0.1, went=9.0)
        _found, job = self.drain(Kernel([connection(b"1")], [later]))
        self.assertEqual((job.readied[0]["busy"], len(job.readied)), (0, 1))

    def test_a_client_that_asks_all_the_time_is_not_waited_for(self):
        asked, answered = connection(b"1", came=0.001, went=0.09), connection(b"1", came=0.03, went=0.02)
        kernel = Kernel([asked], [answered], [asked])
        _found, job = self.drain(kernel)
        self.assertEqual((job.readied[0]["busy"], kernel.ended), (0, []))
        self.assertLess(job.readied[0]["seconds"], 1.0)

    def test_patience_ends(self):
        _found, job = self.drain(Kernel([connection(b"1", came=0.1, went=9.0)]))
        self.assertEqual(job.readied[0]["busy"], 1)
        self.assertGreaterEqual(job.readied[0]["seconds"], 2.0)

    def test_a_short_pause_is_idle_only_once_the_address_may_move(self):
        clock = Clock()
        kernel = Chatty(clock, connection(b"2", came=0.1, went=9.0))
        found, job = self.drain(kernel, clock=clock)
        self.assertEqual((job.readied[0]["closed"], found["closed"], kernel.ended), (0, 1, [b"1"]))

    def test_a_short_pause_is_not_idle_as_long_as_nobody_hastens(self):
        clock = Clock()
        kernel = Chatty(clock)
        found, job = self.drain(kernel, clock=clock, hastened=11.0)
        self.assertEqual((len(job.readied), found["closed"], kernel.ended), (1, 0, []))

    def test_one_that_was_asked_while_others_were_looked_at_is_left(self):
        kernel = Kernel([connection(b"1")], meanwhile={b"1": connection(b"1", came=0.001, went=9.0, heard=9)})
        self.assertEqual((self.drain(kernel)[0]["closed"], kernel.ended), (0, []))

    def test_one_that_has_ended_meanwhile_is_not_ended(self):
        kernel = Kernel([connection(b"1")], meanwhile={b"1": None})
        self.assertEqual((self.drain(kernel)[0]["closed"], kernel.ended), (0, []))

    def test_it_ends_when_the_address_has_gone(self):
        found, _job = self.drain(Kernel([]), held=[True, True, True])
        self.assertLess(found["seconds"], 1.0)

    def test_without_the_address_it_does_nothing(self):
        kernel = Kernel([connection()])
        found, job = self.drain(kernel, held=[False])
        self.assertEqual((kernel.ended, len(job.readied), found["closed"]), ([], 1, 0))

    def test_one_that_ended_by_itself_is_no_problem(self):
        kernel = Kernel([connection()])
        kernel.error = 2
        self.assertIsNone(self.drain(kernel)[0]["problem"])

    def test_a_kernel_that_cannot_says_so(self):
        kernel = Kernel([connection()])
        kernel.error = 95
        found, job = self.drain(kernel)
        self.assertIn("this kernel ends no connection", found["problem"])
        self.assertEqual(len(job.readied), 1)


@unittest.skipIf(connection_drain is None, "needs Ansible")
class ModulesTest(unittest.TestCase):
    def refusal(self, **more):
        given = {"state": "started", "vips": ["192.0.2.10"], "patience": 10.0, "quiet": 0.01, "after": 0.0}
        given.update(dict({"limit": 120.0}, **more))
        with self.assertRaises(NodeError) as caught:
            connection_drain.refuse(given)
        return str(caught.exception)

    def test_what_cannot_be_drained_is_refused(self):
        self.assertEqual(self.refusal(vips=[]), "vips: names no address; give those of the pair")
        self.assertIn("vips[0]: web is not an IP address", self.refusal(vips=["web"]))
        self.assertEqual(self.refusal(patience=-1.0), "patience: -1 is not in 0..3600")
        self.assertEqual(self.refusal(quiet=0.0), "quiet: 0 is not in 0.001..60")
        self.assertEqual(self.refusal(limit=float("nan")), "limit: nan is not in 1..3600")
        self.assertEqual(self.refusal(state="hastened", after=-1.0), "after: -1 is not in 0..3600")

    def test_it_is_hastened_from_the_time_that_was_told(self):
        found = [connection_drain.is_hastened(told, 5.0) for told in (None, "5.1", "5.0")]
        self.assertEqual(found, [False, False, True])

    def test_what_cannot_be_asked_is_refused_all_at_once(self):
        given = {"url": "ftp://192.0.2.1/", "consecutive": 0, "interval": 0.2, "timeout": 60.0}
        self.assertEqual(
            health_gate.refusals(given),
            [
                "consecutive: 0 is not in 1..1000",
                "url: URL ftp://192.0.2.1/: write http://HOST[:PORT]/PATH or https://...",
            ],
        )
        self.assertEqual(health_gate.refusals(dict(given, url="http://127.0.0.1:8080/", consecutive=1)), [])

    def test_check_mode_notes_nothing(self):
        given = {"state": "taken", "run": "1", "fingerprint": "one", "by": "me", "lease": 9.0, "take_over": False}
        before, claim.read = claim.read, dict
        try:
            self.assertEqual(release_claim.run(given, True, 5.0), {"changed": True, "claim": {}, "now": 5.0})
        finally:
            claim.read = before


def message(kind, sequence, body):
    return struct.pack("=IHHII", 16 + len(body), kind, 2, sequence, 0) + body


def listed(family, local, info):
    """A connection as the kernel tells it."""
    address = local + b"\0" * (16 - len(local))
    body = struct.pack("=BBBB", family, 1, 0, 0) + struct.pack(">HH", 8080, 40000) + address + b"\0" * 16
    body += struct.pack("=I", 0) + b"\1" * 8 + struct.pack("=IIIII", 0, 3, 4, 0, 0)
    return body + struct.pack("=HH", 4 + len(info), 2) + info


def told(unacked=1, went=70, came=50, round_trip=2000, heard=7, said=9):
    info = bytearray(160)
    struct.pack_into("=I", info, 24, unacked)
    struct.pack_into("=I", info, 44, went)
    struct.pack_into("=I", info, 52, came)
    struct.pack_into("=I", info, 68, round_trip)
    struct.pack_into("=II", info, 152, heard, said)
    return bytes(info)


class SocketsTest(unittest.TestCase):
    def test_what_the_kernel_tells_is_read(self):
        found, complete, error = sockets.parse(message(20, 5, listed(socket.AF_INET, VIP, told())), 5)
        self.assertEqual((complete, error, len(found)), (False, 0, 1))
        one = found[0]
        self.assertEqual((one.local, one.port, one.waiting, one.unacked, one.heard, one.said), (VIP, 8080, 7, 1, 7, 9))
        self.assertAlmostEqual(one.went, 0.07)
        self.assertAlmostEqual(one.came, 0.05)
        self.assertAlmostEqual(one.round_trip, 0.002)

    def test_an_ipv4_client_of_a_program_that_listens_on_both_is_known_by_its_ipv4_address(self):
        data = message(20, 5, listed(socket.AF_INET6, b"\0" * 10 + b"\xff\xff" + VIP, told()))
        self.assertEqual(sockets.parse(data, 5)[0][0].local, VIP)

    def test_an_old_kernel_tells_less(self):
        data = message(20, 5, listed(socket.AF_INET, VIP, told()[:104]))
        self.assertIsNone(sockets.parse(data, 5)[0][0].heard)

    def test_the_end_and_errors_are_noticed_and_others_answers_are_not(self):
        self.assertEqual(sockets.parse(message(3, 5, struct.pack("=i", 0)), 5)[1:], (True, 0))
        self.assertEqual(sockets.parse(message(2, 5, struct.pack("=i", -1)), 5)[1:], (True, 1))
        self.assertEqual(sockets.parse(message(3, 4, struct.pack("=i", 0)), 5)[1:], (False, 0))
        self.assertEqual(sockets.parse(b"short", 5), ([], False, 0))

    def test_a_connection_of_this_host_is_found_and_ended(self):
        server = socket.socket()
        self.addCleanup(server.close)
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        client = socket.create_connection(server.getsockname())
        self.addCleanup(client.close)
        served = server.accept()[0]
        self.addCleanup(served.close)
        client.sendall(b"question")
        served.recv(100)
        kernel = sockets.Kernel()
        self.addCleanup(kernel.close)
        port = server.getsockname()[1]
        ours = [each for each in kernel.connections({sockets.packed("127.0.0.1")}) if each.port == port]
        self.assertEqual(len(ours), 1)
        self.assertFalse(idle(0.001, ours[0]))  # nobody has answered
        self.assertEqual(kernel.look(ours[0])[:6], ours[0][:6])
        error = kernel.end(ours[0])
        if error in (1, 95):
            raise unittest.SkipTest("this process, or this kernel, may not end connections")
        self.assertEqual(error, 0)
        self.assertIsNone(kernel.look(ours[0]))
        with self.assertRaises((IOError, OSError)):
            client.recv(100)
        self.assertEqual([each for each in kernel.connections({sockets.packed("127.0.0.1")}) if each.port == port], [])


if __name__ == "__main__":
    unittest.main()
