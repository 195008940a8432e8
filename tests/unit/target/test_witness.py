# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a witness lends to whom, and its settings."""

from __future__ import absolute_import, division, print_function

import json
import os
import shutil
import signal
import socket
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import witness
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type

SECRET = "not-to-be-seen-at-all"
GOOD = {"address": "192.0.2.9", "port": "7412", "secret": SECRET, "lease": "60"}


class LeasesTest(unittest.TestCase):
    def setUp(self):
        self.now, self.turns = 100.0, {}
        self.leases = witness.Leases(20.0, self.now - 20.0)

    def ask(self, who, do="hold", **changed):
        self.turns[who] = self.turns.get(who, 0) + 1
        message = {
            "pair": "web", "service": "fetcher", "node": who, "do": do, "lease": 10.0, "holding": False,
            "session": "one", "turn": self.turns[who], "failed": False,
        }
        message.update(changed)
        return self.leases.answer(message, self.now)

    def word(self, *words, **changed):
        return self.ask(*words, **changed)["answer"]

    def test_lends_to_one_at_a_time(self):
        self.assertEqual(self.ask("a"), {"answer": "granted", "why": None, "failed": False, "lease": 10.0})
        self.now += 9.9
        self.assertEqual(self.ask("b")["why"], "the witness lent it to a for another 0.1 s")
        self.assertEqual(self.word("a"), "granted")
        self.now += 9.9
        self.assertEqual(self.word("b"), "denied")
        self.now += 0.1
        self.assertEqual(self.word("b"), "granted")
        self.assertEqual(self.word("a", holding=True), "denied")

    def test_pairs_and_services_do_not_meet(self):
        self.word("a")
        self.assertEqual(self.word("b", pair="other"), "granted")
        self.assertEqual(self.word("b", service="other"), "granted")
        self.assertEqual(self.word("b"), "denied")

    def test_what_is_given_back_is_lent_at_once(self):
        self.word("a")
        self.assertEqual(self.word("b", "release"), "heard")
        self.assertEqual(self.word("b"), "denied")
        self.word("a", "release")
        self.assertEqual(self.word("b"), "granted")

    def test_a_question_that_was_overtaken_gives_nothing_back(self):
        self.word("a")
        self.turns["a"] += 1
        late = self.turns["a"]
        self.word("a")
        found = self.ask("a", "release", turn=late)
        self.assertEqual(found["why"], "a question that was overtaken by a later one")
        self.assertEqual(self.word("b"), "denied")
        # Nor does one of another life of that agent.
        self.ask("a", "release", session="another")
        self.assertEqual(self.word("b"), "denied")

    def test_one_that_was_just_started_lends_nothing_but_prolongs(self):
        self.leases = witness.Leases(20.0, self.now)
        self.assertEqual(self.ask("a")["why"], "the witness has just started, and lends nothing for 20.0 s")
        self.assertEqual(self.word("b", holding=True), "granted")
        self.assertEqual(self.word("a", holding=True), "denied")
        self.now += 8
        self.assertEqual(self.word("b"), "granted")
        self.word("b", "release")
        # Whoever gave it back may not be the only one who had it before.
        self.assertEqual(self.word("a"), "denied")
        self.now += 12
        self.assertEqual(self.word("a"), "granted")

    def test_one_whose_lease_was_lowered_waits_for_what_was_lent_before(self):
        self.leases = witness.Leases(20.0, self.now, 300.0)
        # Cut off from the witness, a has it for as long as it was lent.
        self.now += 299
        self.assertEqual(self.ask("b")["why"], "the witness has just started, and lends nothing for 1.0 s")
        self.now += 1
        self.assertEqual(self.word("b"), "granted")

    def test_lends_for_no_longer_than_it_waits_itself(self):
        self.assertEqual(self.ask("a", lease=21)["why"], "the witness lends for 20 s at most")
        for lease in (None, "10", True, -1):
            self.assertEqual(self.word("a", lease=lease), "denied")

    def test_a_shorter_lease_does_not_end_a_longer_one_early(self):
        self.word("a", lease=20)
        self.word("a", lease=1)
        self.now += 15
        self.assertEqual(self.word("b"), "denied")

    def test_tells_each_that_the_other_failed(self):
        self.assertFalse(self.ask("a", "look", failed=True)["failed"])
        self.assertTrue(self.ask("b", "look")["failed"])
        self.ask("a", "look")
        self.assertFalse(self.ask("b", "look")["failed"])
        self.ask("a", "look", failed=True)
        self.now += 20
        self.assertFalse(self.ask("b", "look")["failed"])

    def test_questions_without_names_are_refused(self):
        for changed in ({"pair": None}, {"service": ""}, {"node": 7}):
            found = self.ask("a", **changed)
            self.assertEqual((found["answer"], found["why"]), ("denied", "a question without pair, service and node"))

    def test_a_pair_is_named_by_two_hosts_and_may_be_long(self):
        self.assertEqual(self.word("a", pair="%s/%s" % ("x" * 253, "y" * 253)), "granted")
        for kind in ("pair", "service", "node"):
            self.assertEqual(
                self.ask("a", **{kind: "x" * 513})["why"], "the name of the %s is longer than 512 characters" % kind
            )

    def test_nobody_fills_its_memory(self):
        for number in range(witness.MOST_SERVICES):
            self.assertEqual(self.word("a", service="s%d" % number), "granted")
        self.assertEqual(self.ask("a", service="more")["why"], "the witness already serves 256 services")
        self.now += 20.1
        self.assertEqual(self.word("a", service="more"), "granted")
        for number in range(50):
            self.ask("n%d" % number, service="more")
        self.assertLessEqual(len(self.leases._turns[("web", "more")]), 8)
        self.assertLessEqual(len(self.leases._lent), witness.MOST_SERVICES)


class MainTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.said = []
        for place, name, value in (
            (witness, "SETTINGS_FILE", os.path.join(self.directory, "settings.json")),
            (witness, "TICK", 0.01),
            (witness.service, "log", self.said.append),
        ):
            self.addCleanup(setattr, place, name, getattr(place, name))
            setattr(place, name, value)
        self.addCleanup(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))

    def write(self, port):
        with open(witness.SETTINGS_FILE, "w") as target:
            json.dump(dict(GOOD, address="127.0.0.1", port=port), target)

    def free_port(self):
        talk = socket.socket()
        talk.bind(("127.0.0.1", 0))
        self.addCleanup(talk.close)
        return talk, talk.getsockname()[1]

    def test_starts_again_when_its_programs_were_replaced(self):
        stamps = [1, 1, 2]

        class System(object):
            @staticmethod
            def program_stamp():
                return stamps.pop(0)

        self.addCleanup(setattr, witness, "System", witness.System)
        witness.System = System
        talk, port = self.free_port()
        talk.close()
        self.write(port)
        self.assertEqual(witness.main(), 75)
        self.assertEqual(self.said, [
            "lends services on 127.0.0.1 port %d, for 60 s at most" % port,
            "the programs of this host were replaced: starting again with the new ones",
        ])

    def test_is_quiet_for_as_long_as_its_settings_say(self):
        made = []

        def leases(*arguments):
            made.append((arguments[0], arguments[2]))

        self.addCleanup(setattr, witness, "Leases", witness.Leases)
        witness.Leases = leases
        with open(witness.SETTINGS_FILE, "w") as target:
            json.dump(dict(GOOD, address="not an address", quiet=300), target)
        witness.main()
        self.assertEqual(made, [(60.0, 300.0)])

    def test_has_room_for_both_nodes_of_each_service(self):
        expected = []

        def listen(*arguments):
            expected.append(arguments[4])
            raise OSError("enough seen")

        self.addCleanup(setattr, witness, "Listener", witness.Listener)
        witness.Listener = listen
        self.write(7412)
        witness.main()
        self.assertEqual(expected, [2 * witness.MOST_SERVICES])

    def test_says_that_its_port_is_taken(self):
        talk, port = self.free_port()
        talk.listen(1)
        self.write(port)
        self.assertEqual(witness.main(), 1)
        self.assertIn("127.0.0.1: port %d: cannot be listened on" % port, self.said[0])
        self.assertNotIn(SECRET, self.said[0])


class SettingsTest(unittest.TestCase):
    def test_reads_them(self):
        found = witness.read_settings(json.dumps(GOOD))
        self.assertEqual(
            found,
            {"address": "192.0.2.9", "port": 7412, "secret": SECRET.encode("ascii"), "lease": 60.0, "quiet": 60.0},
        )
        self.assertEqual(witness.read_settings(json.dumps(dict(GOOD, quiet="300")))["quiet"], 300.0)

    def test_refuses_what_is_wrong_without_its_text(self):
        place = "/etc/keepalived/ha-pair-witness.json: "
        for changed, words in (
            (None, "is not readable JSON of a witness; run the role again that wrote it"),
            ({"secret": "short-not-to-be"}, "the secret is shorter than 16 characters; give a longer one"),
            ({"port": 0}, "port 0 is not in 1..65535; run the role again that wrote it"),
            ({"lease": 601}, "lease 601 is not in 1..600 seconds; run the role again that wrote it"),
            ({"quiet": 59}, "quiet 59 is not in 60..600 seconds; run the role again that wrote it"),
            ({"quiet": 601}, "quiet 601 is not in 60..600 seconds; run the role again that wrote it"),
            ({"lease": "soon"}, "is not readable JSON of a witness; run the role again that wrote it"),
        ):
            text = "{%s" % SECRET if changed is None else json.dumps(dict(GOOD, **changed))
            with self.assertRaises(NodeError) as caught:
                witness.read_settings(text)
            self.assertEqual(str(caught.exception), place + words)
            self.assertNotIn("not-to-be", str(caught.exception))
        with self.assertRaises(NodeError) as caught:
            witness.read_settings("{}")
        self.assertEqual(str(caught.exception), place + "address missing; run the role again that wrote it")


if __name__ == "__main__":
    unittest.main()
