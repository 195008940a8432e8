# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words between agents, sealed and over real sockets of this host."""

from __future__ import absolute_import, division, print_function

import socket
import time
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import active_wire, boot_clock
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.active_wire import (
    Caller,
    Lines,
    Listener,
    Seal,
    WireError,
)

__metaclass__ = type

SECRET = b"not-to-be-seen-at-all"
ONE, OTHER = b"0" * 32, b"1" * 32


class SealTest(unittest.TestCase):
    def ends(self, secret=SECRET, nonce=ONE):
        return Seal(SECRET, ONE, OTHER, calls=True), Seal(secret, nonce, OTHER, calls=False)

    def refuses(self, end, line, words="a line that was not sealed with our secret for this place"):
        with self.assertRaises(WireError) as caught:
            end.open(line)
        self.assertEqual(str(caught.exception), words)

    def test_opens_what_the_other_end_sealed(self):
        caller, answerer = self.ends()
        for message in ({"do": "hold"}, {"name": u"f\xe4tcher", "n": 2}):
            line = caller.seal(message)
            self.assertTrue(line.endswith(b"\n"))
            self.assertEqual(line.count(b"\n"), 1)
            self.assertEqual(answerer.open(line[:-1]), message)
            self.assertEqual(caller.open(answerer.seal(message)[:-1]), message)

    def test_nobody_else_can_say_it(self):
        for changed in ({"secret": b"another-secret-of-ours"}, {"nonce": b"2" * 32}):
            caller, answerer = self.ends(**changed)
            self.refuses(answerer, caller.seal({})[:-1])

    def test_a_line_is_good_once_and_in_its_place_and_direction(self):
        caller, answerer = self.ends()
        first, second = caller.seal({"n": 1})[:-1], caller.seal({"n": 2})[:-1]
        self.refuses(answerer, second)
        self.assertEqual(answerer.open(first), {"n": 1})
        self.refuses(answerer, first)
        self.assertEqual(answerer.open(second), {"n": 2})
        self.refuses(self.ends()[0], caller.seal({})[:-1])

    def test_no_bit_of_it_may_change(self):
        line = bytearray(self.ends()[0].seal({"do": "hold"})[:-1])
        for at in range(len(line)):
            changed = bytearray(line)
            changed[at] ^= 1
            self.refuses(self.ends()[1], bytes(changed))

    def test_what_is_sealed_has_to_be_an_object(self):
        for text, words in ((b"[1]", "a sealed line that is no object"), (b"{", "a sealed line that is no JSON")):
            caller, answerer = self.ends()
            mac = caller._mac(b"caller", 1, text)
            self.refuses(answerer, mac + b" " + text, words)


class LinesTest(unittest.TestCase):
    def setUp(self):
        self.far, near = socket.socketpair()
        self.addCleanup(self.far.close)
        self.near = Plain(near)
        self.lines = Lines(self.near)
        self.addCleanup(self.lines.close)

    def test_gives_whole_lines(self):
        self.assertIsNone(self.lines.get())
        self.far.sendall(b"one\ntw")
        self.assertEqual(self.lines.get(), b"one")
        self.assertIsNone(self.lines.get())
        self.far.sendall(b"o\n")
        self.assertEqual(self.lines.get(), b"two")

    def test_a_line_without_end_is_refused(self):
        self.far.sendall(b"x" * (active_wire.LONGEST_LINE + 1))
        with self.assertRaises(WireError) as caught:
            while True:
                self.lines.get()
        self.assertEqual(str(caught.exception), "a line that is too long")

    def test_says_that_the_other_end_is_gone(self):
        self.far.close()
        with self.assertRaises(WireError) as caught:
            self.lines.get()
        self.assertEqual(str(caught.exception), "the connection was closed")

    def test_does_not_wait_for_one_that_does_not_read(self):
        with self.assertRaises(WireError) as caught:
            for _turn in range(10000):
                self.lines.put(b"x" * 4000 + b"\n")
        self.assertEqual(str(caught.exception), "the other end does not read")
        self.assertTrue(self.lines.waiting)


class Plain(object):
    """A pair of local sockets knows no TCP."""

    def __init__(self, talk):
        self._talk = talk
        for name in ("recv", "send", "fileno", "close", "setblocking"):
            setattr(self, name, getattr(talk, name))

    def setsockopt(self, *_arguments):
        pass


class ConnectionTest(unittest.TestCase):
    def setUp(self):
        self.now, self.heard = 100.0, []
        self.listener = Listener("127.0.0.1", 0, SECRET, self.answer)
        self.addCleanup(self.listener.close)

    def answer(self, message):
        self.heard.append(message)
        return {"echo": message}

    def caller(self, secret=SECRET, port=None):
        caller = Caller("127.0.0.1", port or self.listener.port, secret)
        self.addCleanup(caller.close)
        return caller

    def until(self, true, *callers):
        """Turn both ends until something is true; the answers that came."""
        found, end = [], time.time() + 10
        while not true():
            self.assertLess(time.time(), end, "nothing came of it")
            self.problems = self.listener.step(self.now)
            found += [answer for answer in [caller.look(self.now) for caller in callers] if answer is not None]
            time.sleep(0.001)
        return found

    def test_asks_and_answers(self):
        caller = self.caller()
        self.until(lambda: caller.idle, caller)
        for number in (1, 2, 3):
            caller.ask({"n": number}, self.now)
            self.assertFalse(caller.idle)
            self.assertEqual(self.until(lambda: caller.idle, caller), [{"echo": {"n": number}}])
        self.assertIsNone(caller.problem)
        self.assertEqual(len(self.listener.sources()[0]), 2)

    def test_who_has_no_secret_gets_no_answer(self):
        caller = self.caller(b"another-secret-of-ours")
        self.until(lambda: caller.idle, caller)
        caller.ask({"do": "hold"}, self.now)
        self.until(lambda: caller.problem is not None, caller)
        self.assertEqual(self.heard, [])
        self.assertEqual(caller.problem, "the connection was closed")

    def test_says_why_it_turned_a_caller_away(self):
        talk = socket.create_connection(("127.0.0.1", self.listener.port), 5)
        self.addCleanup(talk.close)
        talk.sendall(b"GET / HTTP/1.0\r\n\r\n")
        problems, end = [], time.time() + 10
        while not problems and time.time() < end:
            problems = self.listener.step(self.now)
        self.assertEqual(problems, ["speaks something else"])

    def test_one_that_says_nothing_is_turned_away_and_they_are_not_too_many(self):
        talks = [socket.create_connection(("127.0.0.1", self.listener.port), 5) for _turn in range(6)]
        for talk in talks:
            self.addCleanup(talk.close)
        self.until(lambda: len(self.listener.sources()[0]) == 7)
        self.now += active_wire.UNPROVEN + 1
        self.listener.step(self.now)
        self.assertEqual(len(self.listener.sources()[0]), 1)

    def test_those_without_the_secret_go_first_when_there_are_too_many(self):
        caller = self.caller()
        self.until(lambda: caller.idle, caller)
        caller.ask({}, self.now)
        self.until(lambda: caller.idle, caller)
        for _turn in range(active_wire.MOST_CONNECTIONS + 4):
            talk = socket.create_connection(("127.0.0.1", self.listener.port), 5)
            self.addCleanup(talk.close)
            self.until(lambda: True)
            self.listener.step(self.now)
        self.assertLessEqual(len(self.listener.sources()[0]), active_wire.MOST_CONNECTIONS + 1)
        caller.ask({"n": 9}, self.now)
        self.assertEqual(self.until(lambda: caller.idle, caller), [{"echo": {"n": 9}}])

    def test_whoever_is_expected_has_room_beside_the_others(self):
        self.listener.close()
        self.listener = Listener("127.0.0.1", 0, SECRET, self.answer, 8)
        self.addCleanup(self.listener.close)
        callers = [self.caller() for _turn in range(active_wire.MOST_CONNECTIONS + 8)]
        self.until(lambda: all(caller.idle for caller in callers), *callers)
        self.assertEqual(len(self.listener.sources()[0]), len(callers) + 1)
        for number, caller in enumerate(callers):
            caller.ask({"n": number}, self.now)
        found = self.until(lambda: all(caller.idle for caller in callers), *callers)
        self.assertEqual(len(found), len(callers))
        said = []
        for _turn in range(4):
            talk = socket.create_connection(("127.0.0.1", self.listener.port), 5)
            self.addCleanup(talk.close)
        end = time.time() + 10
        while not said and time.time() < end:
            said += self.listener.step(self.now)
        said += self.listener.step(self.now)
        self.assertEqual(said, ["more than 40 are connected, 127.0.0.1 above all"])
        # Those with the secret are all still there.
        for number, caller in enumerate(callers):
            caller.ask({"n": number}, self.now)
        found = self.until(lambda: all(caller.idle for caller in callers), *callers)
        self.assertEqual(len(found), len(callers))

    def test_one_host_does_not_take_the_place_of_another(self):
        for source in ("127.0.0.3", "127.0.0.2", "127.0.0.2", "127.0.0.2"):
            talk = socket.create_connection(("127.0.0.1", self.listener.port), 5, (source, 0))
            self.addCleanup(talk.close)
        self.until(lambda: len(self.listener.sources()[0]) == 5)
        self.listener._make_room()
        sources = sorted(one.source for one in self.listener.sources()[0][1:])
        self.assertEqual(sources, ["127.0.0.2", "127.0.0.2", "127.0.0.3"])

    def test_an_answer_that_takes_too_long_is_none(self):
        caller = self.caller()
        self.until(lambda: caller.idle, caller)
        caller.ask({"n": 1}, self.now)
        # It was answered while this side did not run.
        end = time.time() + 10
        while not self.heard and time.time() < end:
            self.listener.step(self.now)
        self.now += active_wire.PATIENCE + 0.1
        self.assertIsNone(caller.look(self.now))
        self.assertFalse(caller.idle)
        self.assertEqual(caller.problem, "no answer within 1 s")
        self.now += active_wire.RECONNECT
        self.until(lambda: caller.idle, caller)
        caller.ask({"n": 2}, self.now)
        self.assertEqual(self.until(lambda: caller.idle, caller), [{"echo": {"n": 2}}])

    def test_says_that_nobody_listens_and_tries_again(self):
        port = self.listener.port
        self.listener.close()
        caller = self.caller(port=port)
        end = time.time() + 10
        while "refused" not in caller.problem and time.time() < end:
            caller.look(self.now)
        self.assertEqual(caller.problem, "Connection refused")
        self.listener = Listener("127.0.0.1", port, SECRET, self.answer)
        self.addCleanup(self.listener.close)
        self.now += 1
        self.until(lambda: caller.idle, caller)

    def test_leaves_one_that_is_no_agent(self):
        other = socket.socket()
        self.addCleanup(other.close)
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        caller = self.caller(port=other.getsockname()[1])
        caller.look(self.now)
        talk = other.accept()[0]
        self.addCleanup(talk.close)
        talk.sendall(b"220 mail.example.org\r\n")
        self.until(lambda: caller.problem == "speaks something else", caller)


class ClockTest(unittest.TestCase):
    def test_goes_on_as_the_kernel_says(self):
        with open("/proc/uptime") as source:
            before = float(source.read().split()[0])
        now = boot_clock.boottime()
        with open("/proc/uptime") as source:
            after = float(source.read().split()[0])
        self.assertLessEqual(before - 0.011, now)
        self.assertLessEqual(now, after + 0.011)


if __name__ == "__main__":
    unittest.main()
