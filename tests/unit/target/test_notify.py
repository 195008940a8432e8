# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The notify handler against a real FIFO, in a world of the test's making."""

from __future__ import absolute_import, division, print_function

import json
import os
import select
import shutil
import socket
import stat
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import addresses, frozen, guard, journal, notify
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.fifo import Fifo

__metaclass__ = type

VIP = "10.98.0.100"
PEER = "52:54:00:00:00:02"


class FakeAsker(object):
    """Answers come through a socket pair, so that select() sees them as it would the link's."""

    def __init__(self, fails=False):
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        self.requests, self.closed, self.fails = 0, False, fails

    def answer(self, mac):
        self._there.send(mac.encode("ascii"))

    def fileno(self):
        return self._here.fileno()

    def send(self):
        if self.fails:
            raise NodeError("ARP on eth0: cannot send (Network is down); see that the interface is up")
        self.requests += 1

    def receive(self):
        try:
            return {self._here.recv(100).decode("ascii")} - {"other traffic"}
        except (IOError, OSError):
            return set()

    def close(self):
        self.closed = True
        self._here.close()
        self._there.close()


class FakeCommand(object):
    """Ends when the test says so."""

    def __init__(self):
        self.outcome = None
        self._here, self._there = socket.socketpair()

    def fileno(self):
        return self._here.fileno()

    def result(self):
        return self.outcome


class FakeNews(object):
    """What the kernel would tell of addresses."""

    def __init__(self):
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)

    def tell(self):
        self._there.send(b"!")

    def fileno(self):
        return self._here.fileno()

    def drain(self):
        self._here.recv(100)

    def close(self):
        self._here.close()
        self._there.close()


class FakeEar(object):
    """What other machines claim, through a socket pair, so that select() sees it."""

    def __init__(self, claimed):
        self.claimed, self.announced, self.closed = claimed, [], False
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)

    def claim(self, mac):
        self._there.send(mac.encode("ascii"))

    def fileno(self):
        return self._here.fileno()

    def receive(self):
        try:
            return {self.claimed[0]: {self._here.recv(17).decode("ascii")}}
        except (IOError, OSError):
            return {}

    def announce(self, address):
        self.announced.append(address)

    def close(self):
        self.closed = True
        self._here.close()
        self._there.close()


class World(object):
    """Time goes only when somebody looks at the clock or the test says so."""

    def __init__(self, directory):
        self.clock = 1000.0
        self.boot = "boot-1"
        self.running, self.states, self.result = None, {}, None
        self.held, self.loopback, self.removed, self.askers = [], [], [], []
        self.switches, self.moves, self.process_state, self.killed = 0, True, "S", []
        self.account, self.commands, self.outcome = None, [], None
        self.dumps, self.dump_problem = 0, None
        self.running_interval, self.put_back = 0.25, []
        self.reloads, self.programs = 0, 1
        self.news, self.ears = None, []
        self.part = {
            "schema": 1,
            "node": "node-a",
            "state_directory": directory,
            "instances": {"web": {"vips": [{"address": VIP, "prefix": 24, "interface": "eth0"}]}},
        }
        self.stamp = 1

    def start_daemon(self, pid=100, **states):
        self.running = {"pid": pid, "starttime": pid * 10, "since": self.clock}
        self.states = states

    def now(self):
        return self.clock

    def monotonic(self):
        self.clock += 0.001
        return self.clock

    def ticks(self):
        return int(self.clock * 100)

    def address_news(self):
        self.news = FakeNews()
        return self.news

    def node_name(self):
        return "host"

    def boot_id(self):
        return self.boot

    def description_stamp(self):
        return self.stamp

    def description(self):
        if isinstance(self.part, Exception):
            raise self.part
        return self.part

    def daemon(self):
        return self.running

    def reload_daemon(self, daemon):
        assert daemon == self.running
        self.reloads += 1

    def program_stamp(self):
        return self.programs

    def dump(self, _daemon, _timeout):
        self.dumps += 1
        if self.dump_problem:
            raise NodeError(self.dump_problem)
        return {
            name: {"state": word, "priority": 250, "since": None, "advert_interval": self.running_interval}
            for name, word in self.states.items()
        }

    def service_result(self):
        return self.result

    def interfaces(self):
        return [
            {
                "name": "lo",
                "mac": "00:00:00:00:00:00",
                "addresses": [{"address": held, "prefix": 32} for held in self.loopback],
            },
            {
                "name": "eth0",
                "mac": "52:54:00:00:00:01",
                "addresses": [{"address": "10.98.0.1", "prefix": 24}]
                + [{"address": held, "prefix": 24} for held in self.held],
            },
        ]

    def remove_address(self, address, prefix, interface):
        self.removed.append((address, prefix, interface))
        for held in (self.loopback if interface == "lo" else self.held)[:]:
            if addresses.same_address(held, address):
                (self.loopback if interface == "lo" else self.held).remove(held)

    def hold_address(self, address):
        self.loopback.append(address)

    def put_address_back(self, address, prefix, interface):
        self.put_back.append((address, prefix, interface))
        self.held.append(address)

    def make_directory(self, path, owner):
        if os.path.isdir(path):
            return False
        if owner != "root" and owner != self.account:
            raise NodeError("%s: cannot be made (there is no account %s)" % (path, owner))
        os.makedirs(path)
        return True

    def process(self, pid):
        return {"state": self.process_state} if self.running and pid == self.running["pid"] else None

    def vrrp_process(self, daemon):
        return {"pid": daemon["pid"] + 1}

    def progress(self, _pid):
        self.switches += 1 if self.moves else 0
        return {"state": self.process_state, "switches": self.switches, "cpu": 0.0}

    def kill_daemon(self, daemon):
        self.killed.append(daemon["pid"])
        self.running, self.result = None, "signal"

    @staticmethod
    def systemd_version():
        return 252

    def start(self, argv):
        self.commands.append(argv)
        command = FakeCommand()
        command.outcome = self.outcome
        return command

    def claims(self, _interfaces, _name, claimed):
        self.ears.append(FakeEar(claimed))
        return self.ears[-1]

    def asker(self, _interfaces, _name, _address, _virtual):
        self.askers.append(FakeAsker())
        return self.askers[-1]


class HandlerCase(unittest.TestCase):
    def setUp(self):
        self.base = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.directory = os.path.join(self.base, "ha-pair")
        self.fifo = os.path.join(self.directory, "notify.fifo")
        self.world = World(self.directory)
        self.said, self.fields, self.told = [], [], []

    def say(self, line, **fields):
        self.said.append(line)
        self.fields.append(fields)

    def handler(self):
        made = notify.Handler(self.world, say=self.say, tell=self.told.append)
        self.addCleanup(made.close)
        made.start()
        return made

    def write(self, *lines):
        descriptor = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
        try:
            for line in lines:
                os.write(descriptor, line.encode("utf-8") + b"\n")
        finally:
            os.close(descriptor)

    def tick(self, handler, seconds=1.0):
        self.world.clock += seconds
        handler.cycle(0)

    def record(self):
        with open(os.path.join(self.directory, "state.json")) as source:
            return json.load(source)

    def web(self):
        return self.record()["instances"]["web"]


class EventTest(HandlerCase):
    def test_starts_where_nothing_is_there_yet(self):
        self.handler()
        mode = os.lstat(self.fifo).st_mode
        self.assertTrue(stat.S_ISFIFO(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.directory, "state.json")).st_mode), 0o644)
        self.assertEqual((self.record()["daemon"]["state"], self.web()["state"]), ("stopped", "STOPPED"))
        self.assertEqual(self.record()["node"], "node-a")
        self.assertTrue(self.told[0].startswith("WATCHDOG=1"))
        self.assertTrue(self.told[1].startswith("READY=1"))

    def test_starts_beside_a_daemon_that_runs_and_takes_its_word(self):
        self.world.start_daemon(web="MASTER")
        self.handler()
        self.assertEqual((self.record()["daemon"]["pid"], self.web()["state"]), (100, "MASTER"))

    def test_a_change_has_fields(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        self.write('INSTANCE "web" MASTER 250')
        handler.cycle(0)
        fields = self.fields[self.said.index("instance web: BACKUP -> MASTER (priority 250)")]
        self.assertEqual(fields, {
            "message_id": journal.INSTANCE_CHANGE, "priority": journal.NOTICE, "HA_PAIR_NODE": "node-a",
            "HA_PAIR_INSTANCE": "web", "HA_PAIR_OLD_STATE": "BACKUP", "HA_PAIR_NEW_STATE": "MASTER",
            "HA_PAIR_VRRP_PRIORITY": 250, "HA_PAIR_VIPS": VIP})
        fields = self.fields[self.said.index("keepalived: unknown -> running (pid 100)")]
        self.assertEqual((fields["message_id"], fields["HA_PAIR_NEW_STATE"]), (journal.DAEMON_CHANGE, "running"))

    def test_follows_events(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        self.write('INSTANCE "web" MASTER 250')
        handler.cycle(0)
        self.assertEqual(self.web()["state"], "MASTER")
        self.assertIn("instance web: BACKUP -> MASTER (priority 250)", self.said)

    def test_a_line_in_two_pieces_is_one_line(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        descriptor = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
        os.write(descriptor, b'INSTANCE "we')
        handler.cycle(0)
        os.write(descriptor, b'b" FAULT 250\n')
        os.close(descriptor)
        handler.cycle(0)
        self.assertEqual((self.web()["state"], self.record()["ignored_lines"]), ("FAULT", 0))

    def test_a_flood_ends_in_the_newest_state_with_one_line_in_the_journal(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        before = len(self.said)
        self.write(*['INSTANCE "web" %s 250' % word for word in ["MASTER", "BACKUP"] * 900 + ["FAULT"]])
        handler.cycle(0)
        self.assertEqual((self.web()["state"], self.web()["transitions"]), ("FAULT", 1801))
        self.assertEqual(self.said[before:], ["instance web: BACKUP -> FAULT (priority 250, 1801 changes at once)"])

    def test_junk_is_counted_and_harms_nothing(self):
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        descriptor = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
        os.write(descriptor, b"\xff\xfe junk\n" + b"x" * 9000 + b"\n\n")
        os.close(descriptor)
        handler.cycle(0)
        handler.cycle(0)
        self.assertEqual((self.web()["state"], self.record()["ignored_lines"]), ("MASTER", 2))
        self.assertTrue(any(line.startswith("ignored 2 line(s)") for line in self.said), self.said)

    def test_says_it_is_alive_and_renews_the_record(self):
        handler = self.handler()
        written = self.record()["written_at"]
        del self.told[:]
        for _second in range(7):
            self.tick(handler)
        self.assertEqual(self.told, ["WATCHDOG=1"] * 7)
        self.assertGreater(self.record()["written_at"], written)

    def test_stops_when_told(self):
        handler = notify.Handler(self.world, say=self.say, tell=self.told.append)
        handler.stop()
        handler.run()
        self.assertEqual(self.told[-1], "STOPPING=1")
        self.assertTrue(os.path.exists(handler.state_file))


class TruthTest(HandlerCase):
    def test_a_new_handler_goes_on_with_the_record(self):
        self.world.start_daemon(web="MASTER")
        first = self.handler()
        self.write('INSTANCE "web" BACKUP 250', 'INSTANCE "web" MASTER 250')
        first.cycle(0)
        before = self.web()
        self.world.clock += 500
        self.handler()
        self.assertEqual(self.web(), before)

    def test_a_new_handler_mends_what_was_missed(self):
        self.world.start_daemon(web="MASTER")
        self.handler()
        self.world.states["web"] = "FAULT"
        self.world.clock += 500
        self.handler()
        self.assertEqual((self.web()["state"], self.web()["since"] > 1400), ("FAULT", True))

    def test_another_boot_starts_anew(self):
        self.world.start_daemon(web="MASTER")
        first = self.handler()
        self.write('INSTANCE "web" BACKUP 250')
        first.cycle(0)
        self.world.boot, self.world.running = "boot-2", None
        self.world.clock += 500
        self.handler()
        self.assertEqual((self.web()["state"], self.web()["transitions"]), ("STOPPED", 0))
        self.assertGreater(self.web()["since"], 1400)

    def test_an_event_that_was_lost_shows_in_the_kernel(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        self.world.held, self.world.states = [VIP], {"web": "MASTER"}
        self.tick(handler, guard.CHECK_INTERVAL + 1)
        self.assertEqual(self.web()["state"], "MASTER")

    def test_agreement_asks_keepalived_for_nothing(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        asked = self.world.dumps
        for _minute in range(10):
            self.tick(handler, 60)
        self.assertEqual(self.world.dumps, asked)

    def test_a_dump_that_fails_is_said_once_and_tried_again(self):
        self.world.start_daemon(web="MASTER")
        self.world.dump_problem = "keepalived (pid 100): frozen"
        handler = self.handler()
        for _look in range(3):
            self.tick(handler, guard.CHECK_INTERVAL + 1)
        self.assertEqual(self.said.count("problem: keepalived (pid 100): frozen"), 1)
        self.assertEqual(self.web()["state"], "UNKNOWN")
        self.world.dump_problem = None
        self.tick(handler, guard.CHECK_INTERVAL + 1)
        self.assertEqual(self.web()["state"], "MASTER")

    def test_a_fifo_that_was_deleted_is_made_anew_and_the_old_one_still_read(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        keepalived = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, keepalived)
        os.unlink(self.fifo)
        self.tick(handler)
        self.assertTrue(stat.S_ISFIFO(os.lstat(self.fifo).st_mode))
        os.write(keepalived, b'INSTANCE "web" FAULT 250\n')
        handler.cycle(0)
        self.assertEqual(self.web()["state"], "FAULT")
        self.write('INSTANCE "web" BACKUP 250')
        handler.cycle(0)
        self.assertEqual(self.web()["state"], "BACKUP")

    def test_a_new_fifo_is_a_reason_to_ask_keepalived(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        os.unlink(self.fifo)
        self.world.states["web"] = "FAULT"
        self.tick(handler)
        self.assertEqual(self.web()["state"], "FAULT")

    def test_a_directory_that_was_removed_comes_back_with_everything(self):
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        shutil.rmtree(self.directory)
        self.tick(handler)
        self.assertEqual(stat.S_IMODE(os.stat(self.directory).st_mode), 0o755)
        self.assertEqual(self.web()["state"], "MASTER")
        self.write('INSTANCE "web" FAULT 250')
        handler.cycle(0)
        self.assertEqual(self.web()["state"], "FAULT")

    def test_keepalived_reloads_once_to_watch_what_was_made_anew(self):
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        self.assertEqual(self.world.reloads, 0)
        for path in (self.directory, os.path.join(self.directory, "track")):
            shutil.rmtree(path)
            before = self.world.reloads
            self.tick(handler)
            self.tick(handler)
            self.assertEqual(self.world.reloads, before + 1)
            self.assertTrue(os.path.isdir(os.path.join(self.directory, "track")))

    def test_nobody_is_reloaded_where_nobody_runs(self):
        handler = self.handler()
        shutil.rmtree(self.directory)
        self.tick(handler)
        self.assertEqual(self.world.reloads, 0)

    def test_new_programs_end_the_handler(self):
        made = notify.Handler(self.world, say=self.say, tell=self.told.append)
        self.world.programs = 2
        made.run()
        self.assertIn("the programs of this node were replaced: starting again with the new ones", self.said)
        self.assertEqual(self.told[-1], "STOPPING=1")

    def test_the_same_programs_do_not(self):
        handler = self.handler()
        self.tick(handler)
        self.assertNotIn("replaced", " ".join(self.said))

    def test_what_is_no_fifo_is_replaced(self):
        os.makedirs(os.path.join(self.fifo))
        handler = self.handler()
        for plant in (lambda: open(self.fifo, "w").close(), lambda: os.symlink("/dev/null", self.fifo)):
            os.unlink(self.fifo)
            plant()
            self.tick(handler)
            self.assertTrue(stat.S_ISFIFO(os.lstat(self.fifo).st_mode))

    def test_what_cannot_be_replaced_is_said(self):
        os.makedirs(os.path.join(self.fifo, "full"))
        self.handler()
        self.assertTrue(
            any(
                line.startswith("problem: %s: cannot make or open the FIFO (" % self.fifo)
                and line.endswith("remove what is in its place")
                for line in self.said
            ),
            self.said,
        )

    def test_a_fifo_of_somebody_else_is_replaced(self):
        if os.geteuid() != 0:
            self.skipTest("only root can give a file away")
        handler = self.handler()
        os.chown(self.fifo, 65534, 65534)
        os.rename(self.fifo, self.fifo + ".theirs")
        self.tick(handler)
        os.rename(self.fifo + ".theirs", self.fifo)
        self.tick(handler)
        self.assertEqual(os.lstat(self.fifo).st_uid, 0)

    def test_the_last_writers_leaving_is_no_event(self):
        fifo = Fifo(self.fifo)
        self.addCleanup(fifo.close)
        fifo.ensure()
        self.write('INSTANCE "web" MASTER 250')
        self.assertEqual(fifo.read_lines(), ['INSTANCE "web" MASTER 250'])
        self.assertEqual(select.select(fifo.descriptors(), [], [], 0)[0], [])

    def test_old_fifos_are_not_kept_for_ever(self):
        fifo = Fifo(self.fifo)
        self.addCleanup(fifo.close)
        for _time in range(10):
            self.assertTrue(fifo.ensure())
            self.assertFalse(fifo.ensure())
            os.rename(self.fifo, self.fifo + ".old")
        self.assertLessEqual(len(fifo.descriptors()), 3)

    def test_the_description_is_read_again_when_it_changes(self):
        handler = self.handler()
        self.world.part = dict(self.world.part, instances=dict(self.world.part["instances"], db={"vips": []}))
        self.tick(handler)
        self.assertNotIn("db", self.record()["instances"])
        self.world.stamp = 2
        self.tick(handler)
        self.assertEqual(self.record()["instances"]["db"]["state"], "STOPPED")
        self.world.part, self.world.stamp = NodeError("ha-pair.json: not JSON"), 3
        self.tick(handler)
        self.tick(handler)
        self.assertEqual(self.said.count("problem: ha-pair.json: not JSON"), 1)
        self.assertIn("db", self.record()["instances"])

    def test_a_signal_reads_the_description_again(self):
        handler = self.handler()
        self.world.part = dict(self.world.part, instances=dict(self.world.part["instances"], db={"vips": []}))
        handler.reload()
        self.tick(handler)
        self.assertIn("db", self.record()["instances"])


class CrashTest(HandlerCase):
    def crashed(self, held=True):
        self.world.start_daemon(web="MASTER")
        self.world.held = [VIP] if held else []
        handler = self.handler()
        self.world.running, self.world.result = None, "signal"
        self.tick(handler)
        return handler

    def test_a_daemon_that_was_killed_is_noticed_without_a_word(self):
        self.crashed(held=False)
        self.assertEqual(self.record()["daemon"]["state"], "crashed")
        self.assertEqual(self.record()["daemon"]["result"], "signal")
        self.assertEqual(self.web()["state"], "CRASHED")
        self.assertEqual(self.world.askers, [])

    def test_a_daemon_that_systemd_restarted_at_once(self):
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        self.world.start_daemon(pid=200, web="BACKUP")
        self.write("DAEMON STOPPED signal", 'INSTANCE "web" BACKUP 250')
        handler.cycle(0)
        self.assertEqual((self.record()["daemon"]["state"], self.record()["daemon"]["pid"]), ("running", 200))
        self.assertEqual(self.web()["state"], "BACKUP")

    def test_a_new_daemon_that_cannot_reach_us_is_asked(self):
        handler = self.crashed(held=False)
        self.world.start_daemon(pid=200, web="FAULT")
        self.tick(handler)
        self.tick(handler, guard.SETTLE + 1)
        self.assertEqual(self.web()["state"], "FAULT")

    def test_an_orderly_stop(self):
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        self.world.running = None
        self.write('INSTANCE "web" STOP 250', "DAEMON STOPPED success")
        handler.cycle(0)
        self.assertEqual((self.record()["daemon"]["state"], self.record()["daemon"]["result"]), ("stopped", "success"))
        self.assertEqual(self.web()["state"], "STOPPED")

    def test_a_stale_address_stays_while_nobody_answers(self):
        handler = self.crashed()
        for _look in range(20):
            self.tick(handler, guard.STALE_INTERVAL * 1.5)
        self.assertEqual(self.world.removed, [])
        self.assertEqual(len(self.world.askers), 1)
        self.assertGreaterEqual(self.world.askers[0].requests, 20)

    def test_a_stale_address_goes_when_another_node_answers(self):
        handler = self.crashed()
        self.world.askers[0].answer(PEER)
        handler.cycle(0)
        self.assertEqual(self.world.removed, [(VIP, 24, "eth0"), (VIP, 32, "lo")])
        self.assertIn(
            "%s/24 removed from eth0: %s answers for it and keepalived does not run here" % (VIP, PEER), self.said
        )
        self.tick(handler)
        self.assertTrue(self.world.askers[0].closed)
        self.assertEqual(len(self.world.removed), 2)

    def test_other_traffic_is_no_answer_and_no_reason_to_ask_more_often(self):
        handler = self.crashed()
        requests = self.world.askers[0].requests
        self.world.askers[0].answer("other traffic")
        handler.cycle(0)
        self.assertEqual((self.world.removed, self.world.askers[0].requests), ([], requests))

    def test_a_daemon_that_is_back_keeps_its_address(self):
        handler = self.crashed()
        self.world.askers[0].answer(PEER)
        self.world.start_daemon(pid=200, web="MASTER")
        self.tick(handler)
        self.assertEqual(self.world.removed, [(VIP, 32, "lo")])
        self.assertEqual(self.world.held, [VIP])

    def test_a_daemon_that_comes_back_at_the_last_moment_keeps_its_address(self):
        handler = self.crashed()
        self.world.askers[0].answer(PEER)
        looks = [None]
        self.world.daemon = lambda: looks.pop() if looks else {"pid": 200, "starttime": 1, "since": 1.0}
        handler.cycle(0)
        self.assertEqual(self.world.removed, [(VIP, 32, "lo")])
        self.assertEqual(self.world.held, [VIP])

    def test_the_address_is_held_until_the_new_daemon_is_master(self):
        handler = self.crashed()
        self.assertEqual(self.world.loopback, [VIP])
        self.world.start_daemon(pid=200, web="BACKUP")
        self.world.held = []
        self.write('INSTANCE "web" BACKUP 250')
        handler.cycle(0)
        self.assertEqual(self.world.loopback, [VIP])
        self.write('INSTANCE "web" MASTER 250')
        handler.cycle(0)
        self.assertEqual(self.world.loopback, [VIP])
        self.world.held = [VIP]
        self.tick(handler, 0.2)
        self.assertEqual((self.world.loopback, self.world.held), ([], [VIP]))
        self.assertIn("%s/32 removed from lo: keepalived here is MASTER" % VIP, self.said)

    def test_a_held_address_goes_when_the_new_daemon_stays_backup_or_is_in_fault(self):
        for word, wait in (("BACKUP", 6.0), ("FAULT", 0.1)):
            self.setUp()
            handler = self.crashed()
            self.world.start_daemon(pid=200, web=word)
            self.world.held = []
            self.write('INSTANCE "web" %s 250' % word)
            handler.cycle(0)
            self.tick(handler, wait)
            self.assertEqual(self.world.loopback, [], word)

    def left(self):
        """Only the parent was killed, and the VRRP process left in good order."""
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        self.world.running, self.world.result = None, "signal"
        self.write('INSTANCE "web" STOP 250')
        handler.cycle(0)
        return handler

    def test_an_address_that_a_crashed_master_gave_up_is_taken_back(self):
        handler = self.left()
        self.assertEqual(self.world.loopback, [VIP])
        self.assertIn("%s was given up without keepalived: held on lo until it is back or another node has it" % VIP,
                      self.said)
        self.world.askers[0].answer(PEER)
        handler.cycle(0)
        self.assertEqual(self.world.loopback, [])
        for _look in range(5):
            self.tick(handler, 0.2)
        self.assertEqual(self.world.loopback, [])

    def test_an_address_of_a_daemon_that_chose_its_end_is_not(self):
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        self.world.running, self.world.result = None, "exit-code"
        self.write('INSTANCE "web" STOP 250')
        handler.cycle(0)
        self.assertEqual((self.record()["daemon"]["state"], self.world.loopback), ("crashed", []))

    def test_an_address_that_was_given_up_long_ago_is_not(self):
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        self.write('INSTANCE "web" STOP 250')
        handler.cycle(0)
        self.world.running, self.world.result = None, "signal"
        self.tick(handler, guard.RECENT + 1)
        self.assertEqual((self.record()["daemon"]["state"], self.world.loopback), ("crashed", []))

    def test_an_orderly_stop_ends_the_holding(self):
        handler = self.crashed()
        self.world.start_daemon(pid=200, web="BACKUP")
        self.world.held = []
        self.write('INSTANCE "web" BACKUP 250')
        handler.cycle(0)
        self.world.running, self.world.result = None, "success"
        self.write('INSTANCE "web" STOP 250', "DAEMON STOPPED success")
        handler.cycle(0)
        self.assertEqual(self.world.loopback, [])

    def test_a_new_handler_lets_go_of_what_an_old_one_held(self):
        self.crashed()
        self.world.start_daemon(pid=200, web="MASTER")
        self.handler()
        self.assertEqual((self.world.loopback, self.world.held), ([], [VIP]))

    def test_an_address_that_a_backup_kept_goes_when_another_node_answers(self):
        self.world.start_daemon(web="BACKUP")
        self.world.held = [VIP]
        handler = self.handler()
        self.assertEqual(self.world.askers, [])  # keepalived may be about to say that it is MASTER
        self.tick(handler, guard.SETTLE + 1)
        self.assertEqual(len(self.world.askers), 1)
        self.world.askers[0].answer(PEER)
        handler.cycle(0)
        self.assertEqual(self.world.removed, [(VIP, 24, "eth0")])
        self.assertIn(
            "%s/24 removed from eth0: %s answers for it and keepalived here is BACKUP" % (VIP, PEER), self.said
        )

    def suspicious(self):
        """A daemon that the record takes for a BACKUP has the address, and another machine answers for it."""
        self.world.start_daemon(web="BACKUP")
        self.world.held = [VIP]
        handler = self.handler()
        self.tick(handler, guard.SETTLE + 1)
        self.world.askers[0].answer(PEER)
        return handler

    def test_keepalived_itself_is_asked_before_its_address_is_taken_away(self):
        handler = self.suspicious()
        self.world.states["web"] = "MASTER"  # the event was lost
        handler.cycle(0)
        self.assertEqual((self.world.removed, self.web()["state"]), ([], "MASTER"))

    def test_an_address_stays_while_keepalived_does_not_answer(self):
        handler = self.suspicious()
        self.world.dump_problem = "keepalived (pid 100): no dump"
        asked = self.world.dumps
        handler.cycle(0)
        self.assertEqual((self.world.removed, self.world.dumps), ([], asked + 1))
        for _look in range(3):
            self.world.askers[0].answer(PEER)
            self.tick(handler, 0.1)
        self.assertEqual((self.world.removed, self.world.dumps), ([], asked + 1))
        self.world.dump_problem = None
        self.tick(handler, guard.CHECK_INTERVAL)
        self.world.askers[0].answer(PEER)
        self.tick(handler)
        self.assertEqual(self.world.removed, [(VIP, 24, "eth0")])

    def test_but_goes_when_it_died_of_the_question(self):
        handler = self.suspicious()

        def die(_daemon, _timeout):
            self.world.running, self.world.result = None, "signal"
            raise NodeError("keepalived (pid 100): no dump")

        self.world.dump = die
        handler.cycle(0)
        self.assertEqual(self.world.removed, [(VIP, 24, "eth0")])

    def test_one_question_is_enough_for_all_addresses(self):
        self.world.part["instances"]["web"]["vips"].append(
            {"address": "10.98.0.101", "prefix": 24, "interface": "eth0"})
        self.world.start_daemon(web="BACKUP")
        self.world.held = [VIP, "10.98.0.101"]
        handler = self.handler()
        self.tick(handler, guard.SETTLE + 1)
        asked = self.world.dumps
        for asker in self.world.askers:
            asker.answer(PEER)
        handler.cycle(0)
        self.assertEqual(self.world.removed, [(VIP, 24, "eth0"), ("10.98.0.101", 24, "eth0")])
        self.assertEqual(self.world.dumps, asked + 1)

    def test_the_address_of_a_master_is_never_taken_away(self):
        self.world.start_daemon(web="BACKUP")
        self.world.held = [VIP]
        handler = self.handler()
        self.tick(handler, guard.SETTLE + 1)
        self.world.askers[0].answer(PEER)
        self.write('INSTANCE "web" MASTER 250')
        handler.cycle(0)
        self.tick(handler)
        self.assertEqual(self.world.removed, [])

    def test_what_the_guard_does_can_be_found_in_the_journal(self):
        handler = self.crashed()
        self.world.askers[0].answer(PEER)
        handler.cycle(0)
        acts = [fields for fields in self.fields if fields.get("message_id") == journal.GUARD_ACTION]
        self.assertTrue(acts)
        for fields in acts:
            self.assertEqual((fields["HA_PAIR_INSTANCE"], fields["HA_PAIR_VIPS"]), ("web", VIP))

    def test_after_a_clean_stop_the_same_rule_holds(self):
        self.world.start_daemon(web="MASTER")
        self.world.held = [VIP]
        handler = self.handler()
        self.world.running = None
        self.write('INSTANCE "web" STOP 250', "DAEMON STOPPED success")
        handler.cycle(0)
        self.world.askers[0].answer(PEER)
        handler.cycle(0)
        self.assertEqual(self.world.removed, [(VIP, 24, "eth0")])
        self.assertEqual(self.world.loopback, [])

    def test_a_new_handler_takes_the_watch_over(self):
        self.crashed()
        handler = self.handler()
        self.world.askers[-1].answer(PEER)
        handler.cycle(0)
        self.assertEqual(self.world.removed, [(VIP, 24, "eth0"), (VIP, 32, "lo")])

    def test_addresses_that_are_not_ours_are_nobodys_business(self):
        self.world.part["instances"]["web"]["vips"][0]["address"] = "10.98.0.10"
        self.crashed()
        self.assertEqual(self.world.askers, [])

    def test_a_link_that_is_down_is_said_once_and_tried_again(self):
        handler = self.crashed()
        self.world.askers[0].fails = True
        self.tick(handler)
        self.assertTrue(self.world.askers[0].closed)
        self.tick(handler)
        self.assertEqual(len(self.world.askers), 2)
        self.assertEqual(len([line for line in self.said if "cannot send (Network is down)" in line]), 1)

    def test_ipv6_follows_the_same_rules(self):
        self.world.part["instances"]["web"]["vips"][0]["address"] = "2001:db8::100"
        self.world.start_daemon(web="MASTER")
        self.world.held = ["2001:db8::100"]
        handler = self.handler()
        self.world.running, self.world.result = None, "signal"
        self.tick(handler)
        self.assertEqual(self.world.loopback, ["2001:db8::100"])
        self.world.askers[0].answer(PEER)
        handler.cycle(0)
        self.assertEqual((self.world.held, self.world.loopback), ([], []))


class PutBackTest(HandlerCase):
    """An IPv6 address is only resolved on the interface that has it."""

    def setUp(self):
        HandlerCase.setUp(self)
        self.vip = "2001:db8::100"
        self.world.part["instances"]["web"]["vips"] = [{"address": self.vip, "prefix": 64, "interface": "eth0"}]

    def restarted(self, word="BACKUP"):
        """A MASTER crashed, and its successor took the address away."""
        self.world.start_daemon(web="MASTER")
        self.world.held = [self.vip]
        handler = self.handler()
        self.world.running, self.world.result = None, "signal"
        self.tick(handler)
        self.world.start_daemon(pid=200, web=word)
        self.world.held = []
        if word != "UNKNOWN":
            self.write('INSTANCE "web" %s 250' % word)
        handler.cycle(0)
        self.tick(handler, 0.2)
        return handler

    def test_it_comes_back_until_the_new_daemon_is_master(self):
        for word in ("BACKUP", "UNKNOWN"):
            self.setUp()
            handler = self.restarted(word)
            self.assertEqual(self.world.put_back, [(self.vip, 64, "eth0")], word)
            self.assertIn("2001:db8::100 is held, but gone from eth0: put back until keepalived is MASTER or another "
                          "node has it", self.said)
            self.write('INSTANCE "web" MASTER 250')
            self.world.states["web"] = "MASTER"
            handler.cycle(0)
            self.tick(handler, 0.2)
            self.assertEqual((self.world.held, self.world.loopback), ([self.vip], []), word)
            self.assertEqual(len(self.world.put_back), 1)

    def test_it_comes_back_as_often_as_it_is_taken_away(self):
        handler = self.restarted()
        self.world.held = []
        self.tick(handler, 0.2)
        self.assertEqual(self.world.held, [self.vip])

    def test_not_when_another_node_answers(self):
        handler = self.restarted()
        self.world.askers[0].answer(PEER)
        handler.cycle(0)
        self.assertEqual((self.world.held, self.world.loopback), ([], []))
        for _look in range(5):
            self.tick(handler, 0.2)
        self.assertEqual((self.world.held, len(self.world.put_back)), ([], 1))

    def test_what_keepalived_took_over_is_its_own_affair(self):
        handler = self.restarted()
        self.world.states["web"] = "MASTER"  # the event was lost
        self.world.askers[0].answer(PEER)
        handler.cycle(0)
        self.assertEqual((self.world.held, self.web()["state"]), ([self.vip], "MASTER"))

    def test_what_keepalived_does_not_speak_of_may_be_its_own(self):
        handler = self.restarted()
        self.world.dump_problem = "keepalived (pid 200): no dump"
        self.world.askers[0].answer(PEER)
        handler.cycle(0)
        self.assertEqual((self.world.held, self.world.loopback), ([self.vip], []))
        self.world.dump_problem = None
        self.tick(handler, guard.CHECK_INTERVAL + 1)
        self.assertEqual(self.world.held, [])

    def test_it_goes_when_the_new_daemon_stays_backup_or_is_in_fault(self):
        for word, wait in (("BACKUP", 6.0), ("FAULT", 0.1)):
            self.setUp()
            handler = self.restarted()
            self.world.states["web"] = word
            self.write('INSTANCE "web" %s 250' % word)
            handler.cycle(0)
            self.tick(handler, wait)
            self.assertEqual((self.world.held, self.world.loopback), ([], []), word)

    def test_it_goes_with_an_orderly_stop(self):
        handler = self.restarted()
        self.world.running, self.world.result = None, "success"
        self.write('INSTANCE "web" STOP 250', "DAEMON STOPPED success")
        handler.cycle(0)
        self.assertEqual((self.world.held, self.world.loopback), ([], []))

    def test_what_a_crashed_master_gave_up_comes_back_as_well(self):
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        self.world.running, self.world.result = None, "signal"
        self.write('INSTANCE "web" STOP 250')
        handler.cycle(0)
        self.tick(handler, 0.2)
        self.assertEqual((self.world.held, self.world.loopback), ([self.vip], [self.vip]))

    def test_ipv4_needs_none_of_it(self):
        self.world.part["instances"]["web"]["vips"][0]["address"] = self.vip = VIP
        self.restarted()
        self.assertEqual((self.world.held, self.world.loopback), ([], [VIP]))

    def test_a_daemon_owes_nothing_for_it(self):
        self.world.part["instances"]["web"]["advert_interval"] = 0.25
        handler = self.restarted("UNKNOWN")
        self.world.dump_problem = "keepalived (pid 200): no dump"
        self.world.moves = False
        for _look in range(30):
            self.tick(handler, 1.0)
        self.assertEqual((self.world.held, self.world.killed), ([self.vip], []))


class FreezeTest(HandlerCase):
    def setUp(self):
        HandlerCase.setUp(self)
        self.world.part["instances"]["web"].update(advert_interval=0.25, master_down_interval=0.755, priority=250)

    def looks(self, handler, count):
        for _look in range(count):
            self.tick(handler, 0.25)

    def test_a_frozen_master_is_killed_and_its_address_held(self):
        self.world.start_daemon(web="MASTER")
        self.world.held = [VIP]
        handler = self.handler()
        self.looks(handler, 8)
        self.assertEqual(self.world.killed, [])
        self.world.moves, self.world.process_state = False, "T"
        self.looks(handler, 6)
        self.assertEqual(self.world.killed, [100])
        self.assertEqual((self.record()["daemon"]["state"], self.web()["state"]), ("crashed", "CRASHED"))
        self.assertEqual(self.world.loopback, [VIP])
        self.assertTrue(any(line.startswith("keepalived (pid 100) is frozen: its VRRP process 101 owes") for line in
                            self.said), self.said)

    def test_a_frozen_daemon_that_cannot_die_is_no_daemon(self):
        self.world.start_daemon(web="MASTER")
        self.world.held = [VIP]
        self.world.kill_daemon = lambda daemon: self.world.killed.append(daemon["pid"])
        handler = self.handler()
        self.world.moves, self.world.process_state = False, "D"
        self.looks(handler, 8)
        self.assertEqual(self.world.killed, [100])
        self.world.askers[0].answer(PEER)
        handler.cycle(0)
        self.assertEqual(self.world.held, [])

    def deploy(self, handler, interval):
        """What is written, and not reloaded."""
        self.world.part = json.loads(json.dumps(self.world.part))
        self.world.part["instances"]["web"]["advert_interval"] = interval
        self.world.stamp += 1
        return handler

    def wakes(self, handler, every, count):
        """A healthy daemon that wakes only for its adverts, looked at every tenth of a second."""
        self.world.moves = False
        for look in range(count):
            self.world.switches += 1 if look % int(every * 10) == 0 else 0
            self.tick(handler, 0.1)

    def test_a_master_that_was_not_reloaded_is_not_killed(self):
        self.world.running_interval = 1.0
        self.deploy(None, 1.0)
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        self.wakes(handler, 1.0, 30)
        self.deploy(handler, 0.1)
        self.wakes(handler, 1.0, 900)
        self.assertEqual(self.world.killed, [])
        self.world.running_interval = 0.1  # reloaded at last
        self.wakes(handler, 0.1, 700)
        self.assertEqual(self.world.killed, [])
        self.tick(handler, 0.1)
        for _look in range(frozen.LOOKS + 1):
            self.tick(handler, 0.1)
        self.assertEqual(self.world.killed, [100])

    def test_a_new_handler_does_not_believe_the_description_either(self):
        self.world.running_interval = 1.0
        self.deploy(None, 0.1)
        self.world.start_daemon(web="MASTER")
        self.world.dump_problem = "keepalived (pid 100): no dump"
        handler = self.handler()
        self.write('INSTANCE "web" MASTER 250')
        self.wakes(handler, 1.0, 100)
        self.world.dump_problem = None
        self.wakes(handler, 1.0, 200)
        self.assertEqual(self.world.killed, [])

    def test_a_master_that_was_reloaded_to_be_slower_since_the_last_tick_is_not_killed(self):
        self.world.running_interval = 0.1
        self.deploy(None, 0.1)
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        self.wakes(handler, 0.1, 20)
        self.tick(handler, 1.0)
        self.deploy(handler, 2.0)
        self.wakes(handler, 2.0, 100)
        self.assertEqual(self.world.killed, [])

    def test_an_unfinished_deployment_is_asked_about_now_and_then(self):
        self.world.running_interval = 1.0
        self.world.start_daemon(web="MASTER")
        self.world.held = [VIP]
        handler = self.handler()
        asked = self.world.dumps
        for _second in range(200):
            self.tick(handler)
        self.assertLessEqual(self.world.dumps - asked, 4)

    def test_a_backup_that_is_quiet_is_left_alone(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        self.world.moves = False
        self.looks(handler, 60)
        self.assertEqual(self.world.killed, [])

    def test_the_loop_keeps_the_advert_interval_of_a_master(self):
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        begin = self.world.clock
        waits = []
        handler._wait = lambda timeout: waits.append(timeout) or True
        handler.cycle()
        self.assertLessEqual(waits[0], 0.25)
        self.assertLess(self.world.clock - begin, 1)


class ClaimTest(HandlerCase):
    def owner(self):
        self.world.start_daemon(web="MASTER")
        self.world.held = [VIP]
        return self.handler()

    def test_an_address_that_was_claimed_is_announced_when_nobody_else_answers(self):
        handler = self.owner()
        ear = self.world.ears[0]
        ear.claim(PEER)
        handler.cycle(0)
        self.assertEqual((len(self.world.askers), self.world.askers[0].requests), (1, 1))
        for _look in range(8):
            self.tick(handler, 0.21)
        self.assertEqual(ear.announced, [VIP] * 3)
        self.assertTrue(self.world.askers[0].closed)
        fields = [self.fields[index] for index, line in enumerate(self.said) if PEER in line]
        self.assertEqual(len(fields), 2)
        self.assertEqual(fields[0], {
            "message_id": journal.GUARD_ACTION, "priority": journal.WARNING, "HA_PAIR_NODE": "node-a",
            "HA_PAIR_INSTANCE": "web", "HA_PAIR_VIPS": VIP})

    def test_the_loop_waits_no_longer_than_for_the_next_question_and_only_then(self):
        handler, waited = self.owner(), []
        handler._wait = lambda timeout: bool(waited.append(timeout))
        handler.cycle()
        self.world.ears[0].claim(PEER)
        del handler._wait
        handler.cycle(0)
        handler._wait = lambda timeout: bool(waited.append(timeout))
        handler.cycle()
        self.assertGreater(waited[0], 0.5)
        self.assertLess(waited[1], 0.21)

    def test_a_claim_is_not_read_more_often_than_it_is_looked_at(self):
        handler = self.owner()
        for _frame in range(3):
            self.world.ears[0].claim(PEER)
        handler.cycle(0)
        requests = self.world.askers[0].requests
        self.assertEqual(handler._claims.sources(), {})
        handler.cycle(0)
        self.assertEqual(self.world.askers[0].requests, requests)

    def test_a_handler_of_a_backup_hears_nothing(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        self.tick(handler)
        self.assertEqual(self.world.ears, [])
        self.write('INSTANCE "web" MASTER 250')
        handler.cycle(0)
        self.assertEqual([ear.claimed for ear in self.world.ears], [[VIP]])
        self.write('INSTANCE "web" BACKUP 250')
        handler.cycle(0)
        self.assertTrue(self.world.ears[0].closed)


class HookTest(HandlerCase):
    def setUp(self):
        HandlerCase.setUp(self)
        self.world.part["hook"] = {"command": ["/usr/local/sbin/told", "x"], "user": "nobody", "timeout": 30.0}

    def test_every_change_is_told_once_and_remembered(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        self.assertEqual(self.world.commands[-1][-4:], ["web", "UNKNOWN", "BACKUP", "250"])
        self.assertEqual(self.record()["told"], {"web": "BACKUP"})
        self.tick(handler)
        self.handler()
        self.assertEqual(len(self.world.commands), 1)

    def test_a_change_that_was_missed_is_told_by_the_next_handler(self):
        self.world.start_daemon(web="BACKUP")
        self.handler()
        self.world.states["web"] = "MASTER"
        self.handler()
        self.assertEqual(self.world.commands[-1][-4:], ["web", "BACKUP", "MASTER", "250"])


class DirectoryTest(HandlerCase):
    def test_the_probers_directory_is_made_anew_for_its_account(self):
        self.world.part["probes"] = [{"name": "nginx"}]
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        failing = os.path.join(self.directory, "failing")
        self.assertFalse(os.path.isdir(failing))
        self.assertIn("problem: %s: cannot be made (there is no account keepalived_script)" % failing, self.said)
        self.world.account = "keepalived_script"
        self.tick(handler)
        self.assertTrue(os.path.isdir(failing))
        self.assertEqual(self.world.reloads, 1)

    def test_a_node_without_probes_needs_none(self):
        self.handler()
        self.assertFalse(os.path.isdir(os.path.join(self.directory, "failing")))
        self.assertFalse(os.path.isdir(os.path.join(self.directory, "active")))

    def test_the_directory_of_services_that_run_on_one_node_is_kept(self):
        self.world.part["active_standby"] = ["fetcher"]
        self.handler()
        self.assertTrue(os.path.isdir(os.path.join(self.directory, "active")))

    def test_the_directory_of_the_files_that_raise_is_kept(self):
        self.world.part["instances"]["web"]["raise_file"] = os.path.join(self.directory, "raise", "web")
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        place = os.path.join(self.directory, "raise")
        self.assertTrue(os.path.isdir(place))
        self.assertEqual(self.world.reloads, 0)
        shutil.rmtree(place)
        self.tick(handler)
        self.assertTrue(os.path.isdir(place))
        self.assertEqual(self.world.reloads, 1)

    def test_a_node_of_an_earlier_version_has_nothing_to_raise(self):
        self.handler()
        self.assertFalse(os.path.isdir(os.path.join(self.directory, "raise")))


class PureTest(unittest.TestCase):
    def test_finds_disagreements_between_record_and_kernel(self):
        vips = [{"address": VIP, "instance": "web"}, {"address": "10.98.0.101", "instance": "web"}]
        one = [{"name": "eth0", "addresses": [{"address": VIP, "prefix": 24}]}]
        both = [{"name": "eth0", "addresses": [{"address": vip["address"], "prefix": 24} for vip in vips]}]
        table = [
            ("MASTER", both, []),
            ("MASTER", one, ["web"]),
            ("MASTER", [], ["web"]),
            ("BACKUP", [], []),
            ("BACKUP", one, ["web"]),
            ("FAULT", both, ["web"]),
            ("UNKNOWN", [], ["web"]),
        ]
        for word, interfaces, expected in table:
            record = {"instances": {"web": {"state": word}, "no addresses": {"state": "MASTER"}}}
            self.assertEqual(guard.disagreements(record, vips, interfaces), expected, (word, interfaces))


class UnorderedTest(HandlerCase):
    """keepalived 1.3: a process for each change, and no look at what becomes of its addresses."""

    def setUp(self):
        HandlerCase.setUp(self)
        self.world.part["keepalived"] = {"ordered_events": False, "restores_addresses": False}
        self.world.part["hook"] = {"command": ["/bin/told"], "user": "nobody", "timeout": 30}
        self.world.part["instances"]["web"]["master_down_interval"] = 1.0
        self.world.outcome = (0, "")

    def handler(self):
        if self.world.running:
            self.world.clock += 10  # it has been there for a while
        return HandlerCase.handler(self)

    def event(self, ticks, word, pid=50):
        self.write('EVENT %d %d INSTANCE "web" %s 250' % (ticks, pid, word))

    def test_news_are_confirmed_by_keepalived_itself_and_soon(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        asked, now = self.world.dumps, self.world.ticks()
        self.event(now + 2, "MASTER", 60)
        self.event(now + 1, "FAULT", 59)
        handler.cycle(0)
        # The last one that came is not the last one that was.
        self.assertEqual((self.web()["state"], self.world.dumps), ("MASTER", asked))
        # Nobody told of the change to BACKUP.
        self.world.clock += 0.2
        self.world.states = {"web": "BACKUP"}
        handler.cycle()
        self.assertEqual((self.web()["state"], self.world.dumps), ("BACKUP", asked + 1))

    def test_one_that_has_just_started_is_asked_when_it_can_answer(self):
        handler = self.handler()
        self.world.start_daemon(web="BACKUP")
        self.event(self.world.ticks(), "BACKUP")
        handler.cycle(0)
        self.tick(handler, 0.3)
        self.assertEqual((self.web()["state"], self.world.dumps), ("BACKUP", 0))
        self.tick(handler, 0.8)
        self.assertEqual((self.web()["state"], self.world.dumps), ("BACKUP", 1))

    def test_what_comes_after_keepalived_s_word_and_was_before_it_is_nothing(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        early = self.world.ticks() - 5
        self.event(self.world.ticks() + 1, "MASTER")
        handler.cycle(0)
        self.world.states = {"web": "BACKUP"}
        self.tick(handler, 0.3)
        self.event(early, "FAULT")
        handler.cycle(0)
        self.assertEqual(self.web()["state"], "BACKUP")

    def test_the_hook_is_told_only_what_keepalived_confirms(self):
        self.world.start_daemon(web="BACKUP")
        handler = self.handler()
        del self.world.commands[:]
        self.event(self.world.ticks() + 1, "MASTER")
        handler.cycle(0)
        self.assertEqual(self.world.commands, [])
        self.tick(handler, 0.3)
        self.assertEqual(self.world.commands, [])  # it was BACKUP all the time
        self.world.states = {"web": "MASTER"}
        self.event(self.world.ticks() + 1, "MASTER")
        handler.cycle(0)
        self.tick(handler, 0.3)
        self.assertEqual([argv[-4:] for argv in self.world.commands], [["web", "BACKUP", "MASTER", "250"]])

    def test_a_daemon_that_is_gone_confirms_nothing_and_nobody_waits_for_it(self):
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        del self.world.commands[:]
        self.event(self.world.ticks() + 1, "BACKUP")
        self.world.running = None
        handler.cycle(0)
        self.tick(handler)
        self.assertEqual([argv[-4:-1] for argv in self.world.commands], [["web", "MASTER", "CRASHED"]])

    def lost(self):
        """A handler of a MASTER that has its address no more."""
        self.world.start_daemon(web="MASTER")
        self.world.held = [VIP]
        handler = self.handler()
        for _second in range(4):
            self.tick(handler)
        self.assertEqual(self.world.put_back, [])
        self.world.held = []
        self.world.news.tell()
        return handler

    def test_an_address_that_somebody_removes_is_put_back_at_once(self):
        handler = self.lost()
        handler.cycle(0)
        self.assertEqual(self.world.put_back, [(VIP, 24, "eth0")])
        line = "%s was gone from eth0 although keepalived here is MASTER, and keepalived does not notice that: put back"
        self.assertIn(line % VIP, self.said)

    def test_not_more_often_than_every_five_seconds(self):
        handler = self.lost()
        for _tenth in range(100):
            self.world.held = []
            self.world.news.tell()
            self.tick(handler, 0.1)
        self.assertIn(len(self.world.put_back), (2, 3))

    def test_without_the_kernel_s_word_it_is_found_later(self):
        handler = self.lost()
        self.world.news.drain()
        for _second in range(6):
            self.tick(handler)
        self.assertEqual(self.world.put_back, [(VIP, 24, "eth0")])

    def test_not_for_a_node_that_has_just_given_way(self):
        handler = self.lost()
        self.world.states = {"web": "BACKUP"}
        for _second in range(6):
            self.tick(handler)
        self.assertEqual(self.world.put_back, [])

    def test_not_without_keepalived_s_own_word(self):
        handler = self.lost()
        self.world.dump_problem = "frozen"
        for _second in range(3):
            self.tick(handler)
        self.assertEqual(self.world.put_back, [])

    def test_not_while_the_address_is_about_to_come(self):
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        self.tick(handler)
        self.assertEqual(self.world.put_back, [])
        for _second in range(3):
            self.tick(handler)
        self.assertEqual(self.world.put_back, [(VIP, 24, "eth0")])

    def test_a_keepalived_that_sees_to_it_itself_is_left_alone(self):
        self.world.part["keepalived"]["restores_addresses"] = True
        self.world.start_daemon(web="MASTER")
        handler = self.handler()
        for _second in range(10):
            self.tick(handler)
        self.assertEqual((self.world.put_back, self.world.news), ([], None))
