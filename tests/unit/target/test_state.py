# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of the VRRP state: whatever happens, it says what is, and since when."""

from __future__ import absolute_import, division, print_function

import itertools
import json
import random
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import state

__metaclass__ = type

BOOT = "3f0c0f3e-0000-4000-8000-000000000001"
DAEMON = {"pid": 100, "since": 9.0}


def fresh(now=10.0, names=("web",)):
    return state.new_record("node-a", BOOT, now, names)


def running(web="MASTER", at=12.0):
    record = state.apply_daemon_running(fresh(), DAEMON, 11.0)
    return state.apply_event(record, state.parse_line('INSTANCE "web" %s 250' % web), at)


def web(record):
    return record["instances"]["web"]


class ParseTest(unittest.TestCase):
    def test_reads_the_lines_of_the_fifo(self):
        table = [
            ('INSTANCE "web" MASTER 250', {"kind": "instance", "name": "web", "state": "MASTER", "priority": 250}),
            ('INSTANCE "web" FAULT 250\n', {"kind": "instance", "name": "web", "state": "FAULT", "priority": 250}),
            ('INSTANCE "a \"b" STOP 1', {"kind": "instance", "name": 'a "b', "state": "STOPPED", "priority": 1}),
            ('INSTANCE "web" BACKUP', {"kind": "instance", "name": "web", "state": "BACKUP", "priority": None}),
            ('INSTANCE "web" MASTER_PRIORITY 230', {"kind": "priority", "name": "web", "priority": 230}),
            ('INSTANCE "web" BACKUP_PRIORITY 230', {"kind": "priority", "name": "web", "priority": 230}),
            ('INSTANCE "web" MASTER_RX_LOWER_PRI 250', {"kind": "notice", "name": "web"}),
            ('INSTANCE "web" DELETED 0', {"kind": "deleted", "name": "web"}),
            ('GROUP "all" MASTER 250', {"kind": "group", "name": "all", "state": "MASTER"}),
            ("DAEMON STOPPED success", {"kind": "daemon", "result": "success"}),
            ("DAEMON STOPPED core-dump", {"kind": "daemon", "result": "core-dump"}),
            ("DAEMON STOPPED", {"kind": "daemon", "result": None}),
        ]
        for line, expected in table:
            self.assertEqual(state.parse_line(line), expected, line)

    def test_takes_nothing_else_for_an_event(self):
        for line in ("", "junk", "INSTANCE web MASTER 250", 'INSTANCE "web" WINNER 250', 'INSTANCE "web" MASTER 250 x',
                     "DAEMON STARTED", 'GROUP "all" DELETED', 'X INSTANCE "web" MASTER 250', u"\ufffd\ufffd"):
            self.assertIsNone(state.parse_line(line), line)

    def test_knows_keepalived_words(self):
        for word, expected in [("MASTER", "MASTER"), ("STOP", "STOPPED"), ("INIT", "UNKNOWN"), (None, None)]:
            self.assertEqual(state.daemon_state_name(word), expected)


class EventTest(unittest.TestCase):
    def test_a_new_record_knows_nothing_and_says_so(self):
        record = fresh()
        self.assertEqual(record["daemon"], {"state": "unknown", "pid": None, "since": 10.0, "result": None})
        self.assertEqual(web(record), {
            "state": "UNKNOWN", "since": 10.0, "priority": None, "transitions": 0,
            "history": [{"at": 10.0, "state": "UNKNOWN", "priority": None}]})

    def test_the_same_state_again_moves_nothing(self):
        record = running()
        again = state.apply_event(record, state.parse_line('INSTANCE "web" MASTER 250'), 99.0)
        self.assertEqual(again, record)

    def test_a_change_moves_since_transitions_and_history(self):
        record = state.apply_event(running(), state.parse_line('INSTANCE "web" FAULT 248'), 20.0)
        self.assertEqual((web(record)["state"], web(record)["since"], web(record)["transitions"]), ("FAULT", 20.0, 2))
        self.assertEqual(web(record)["history"][-1], {"at": 20.0, "state": "FAULT", "priority": 248})

    def test_the_old_record_is_never_touched(self):
        record = running()
        before = json.dumps(record, sort_keys=True)
        state.apply_events(record, [state.parse_line('INSTANCE "web" FAULT 1'), None], 20.0)
        state.apply_daemon_gone(record, "signal", 20.0)
        state.reconcile(record, {"daemon": DAEMON, "instances": {}}, 20.0)
        self.assertEqual(json.dumps(record, sort_keys=True), before)

    def test_every_order_of_events_ends_in_the_newest_state(self):
        lines = ['INSTANCE "web" %s 250' % word for word in ("MASTER", "BACKUP", "FAULT", "STOP")]
        noise = ["junk", 'GROUP "all" MASTER 250', 'INSTANCE "web" MASTER_RX_LOWER_PRI 250']
        for order in itertools.permutations(lines):
            mixed = list(order)
            for place, line in enumerate(noise):
                mixed.insert(2 * place + 1, line)
            record = state.apply_events(running(), [state.parse_line(line) for line in mixed], 20.0)
            self.assertEqual(web(record)["state"], state.parse_line(order[-1])["state"], order)

    def test_one_by_one_and_all_at_once_are_the_same(self):
        source = random.Random(7)
        words = ["MASTER", "BACKUP", "FAULT", "STOP", "MASTER_PRIORITY", "DELETED"]
        for _round in range(50):
            events = [
                state.parse_line('INSTANCE "%s" %s %d' % (source.choice(["web", "db"]), source.choice(words), number))
                for number in range(source.randrange(1, 40))
            ]
            one_by_one = running()
            for event in events:
                one_by_one = state.apply_event(one_by_one, event, 20.0)
            self.assertEqual(one_by_one, state.apply_events(running(), events, 20.0))
            for entry in one_by_one["instances"].values():
                self.assertEqual(entry["history"][-1]["state"], entry["state"])

    def test_history_keeps_the_newest(self):
        events = [state.parse_line('INSTANCE "web" %s 250' % word) for word in ["BACKUP", "MASTER"] * 500]
        record = state.apply_events(running(), events, 20.0)
        self.assertEqual(len(web(record)["history"]), state.HISTORY)
        self.assertEqual(web(record)["transitions"], 1001)

    def test_priority_deletion_and_junk(self):
        record = state.apply_events(running(), [state.parse_line(line) for line in (
            'INSTANCE "web" MASTER_PRIORITY 230', 'INSTANCE "other" BACKUP_PRIORITY 1', "junk", "more junk")], 20.0)
        self.assertEqual((web(record)["priority"], web(record)["since"]), (230, 12.0))
        self.assertEqual(record["ignored_lines"], 2)
        self.assertEqual(list(record["instances"]), ["web"])
        self.assertEqual(state.apply_event(record, state.parse_line('INSTANCE "web" DELETED 0'), 21.0)["instances"], {})


class DaemonTest(unittest.TestCase):
    def test_systemd_says_why_it_ended(self):
        for result, daemon, instance in [("success", "stopped", "STOPPED"), ("signal", "crashed", "CRASHED"),
                                         ("core-dump", "crashed", "CRASHED"), ("exit-code", "crashed", "CRASHED")]:
            record = state.apply_event(running(), state.parse_line("DAEMON STOPPED %s" % result), 30.0)
            self.assertEqual(record["daemon"], {"state": daemon, "pid": None, "since": 30.0, "result": result})
            self.assertEqual((web(record)["state"], web(record)["since"]), (instance, 30.0))

    def test_without_a_word_from_systemd(self):
        table = [
            (running(), "crashed", "CRASHED"),
            (running("STOP"), "stopped", "STOPPED"),
            (fresh(), "stopped", "STOPPED"),
        ]
        for record, daemon, instance in table:
            after = state.apply_daemon_gone(record, None, 30.0)
            self.assertEqual((after["daemon"]["state"], web(after)["state"]), (daemon, instance))
            self.assertEqual(state.apply_daemon_gone(after, None, 40.0), after)

    def test_a_guess_is_mended_by_systemds_word_and_time_stands_still(self):
        guess = state.apply_daemon_gone(running(), None, 30.0)
        record = state.apply_daemon_gone(guess, "success", 31.0)
        self.assertEqual(record["daemon"], {"state": "stopped", "pid": None, "since": 30.0, "result": "success"})
        self.assertEqual((web(record)["state"], web(record)["since"]), ("STOPPED", 30.0))
        self.assertEqual(web(record)["transitions"], web(guess)["transitions"])

    def test_an_instance_that_said_stop_did_not_crash(self):
        record = state.apply_daemon_gone(running("STOP"), "signal", 30.0)
        self.assertEqual((record["daemon"]["state"], web(record)["state"]), ("crashed", "STOPPED"))

    def test_a_restart_that_was_too_quick_to_be_seen(self):
        record = state.apply_daemon_running(running(), {"pid": 200, "since": 40.0}, 41.0)
        self.assertEqual(record["daemon"], {"state": "running", "pid": 200, "since": 40.0, "result": None})
        self.assertEqual((web(record)["state"], web(record)["since"]), ("UNKNOWN", 40.0))

    def test_events_of_the_next_daemon_in_the_same_breath(self):
        lines = ["DAEMON STOPPED signal", 'INSTANCE "web" BACKUP 250', 'INSTANCE "web" MASTER 250']
        record = state.apply_events(running(), [state.parse_line(line) for line in lines], 30.0)
        record = state.apply_daemon_running(record, {"pid": 200, "since": 29.5}, 30.0)
        self.assertEqual((record["daemon"]["pid"], web(record)["state"]), (200, "MASTER"))

    def test_a_clock_that_was_set_back_gives_no_time_in_the_future(self):
        record = state.apply_daemon_running(fresh(), {"pid": 100, "since": 5000.0}, 11.0)
        self.assertEqual(record["daemon"]["since"], 11.0)


class ReconcileTest(unittest.TestCase):
    def look(self, record, word, since=None, now=50.0, priority=250):
        return state.reconcile(
            record,
            {"daemon": DAEMON, "instances": {"web": {"state": word, "since": since, "priority": priority}}}, now)

    def test_a_fresh_record_takes_keepaliveds_own_time(self):
        record = self.look(fresh(), "MASTER", since=9.5)
        self.assertEqual((web(record)["state"], web(record)["since"], web(record)["transitions"]), ("MASTER", 9.5, 0))

    def test_agreement_moves_nothing_but_the_priority(self):
        record = self.look(running(), "MASTER", since=11.9, priority=240)
        self.assertEqual((web(record)["since"], web(record)["transitions"], web(record)["priority"]), (12.0, 1, 240))

    def test_a_missed_event_is_made_up_for(self):
        record = self.look(running(), "BACKUP", since=45.0)
        self.assertEqual((web(record)["state"], web(record)["since"], web(record)["transitions"]), ("BACKUP", 45.0, 2))

    def test_a_time_before_what_was_seen_is_not_believed(self):
        self.assertEqual(web(self.look(running(), "BACKUP", since=1.0))["since"], 50.0)

    def test_undecided_and_unread(self):
        self.assertEqual(web(self.look(running(), "INIT"))["state"], "UNKNOWN")
        unread = state.reconcile(running(), {"daemon": DAEMON, "instances": None}, 50.0)
        self.assertEqual(web(unread)["state"], "MASTER")
        crashed = state.apply_daemon_gone(running(), "signal", 30.0)
        back = state.reconcile(crashed, {"daemon": {"pid": 7, "since": 31.0}, "instances": None}, 50.0)
        self.assertEqual((back["daemon"]["state"], web(back)["state"]), ("running", "UNKNOWN"))

    def test_an_instance_that_keepalived_does_not_have(self):
        record = state.reconcile(running(), {"daemon": DAEMON, "instances": {}}, 50.0)
        self.assertEqual(web(record)["state"], "UNKNOWN")

    def test_no_daemon(self):
        record = state.reconcile(running(), {"daemon": None, "result": "oom-kill"}, 50.0)
        self.assertEqual((record["daemon"]["result"], web(record)["state"]), ("oom-kill", "CRASHED"))


class TextTest(unittest.TestCase):
    def load(self, text, boot=BOOT, names=("web",)):
        return state.load(text, "node-a", boot, 70.0, names)

    def test_a_record_of_this_boot_goes_on(self):
        record = running()
        loaded = self.load(state.render(record, 60.0))
        self.assertEqual(dict(loaded, written_at=0), dict(record, written_at=0))
        self.assertEqual(loaded["written_at"], 60.0)

    def test_everything_else_starts_anew(self):
        text = state.render(running(), 60.0)
        for name, broken in [
            ("boot", text.replace(BOOT, "other")), ("node", text.replace("node-a", "node-b")), ("empty", ""),
            ("none", None), ("cut", text[:-9]), ("list", "[]"), ("schema", text.replace('"schema": 1', '"schema": 9')),
            ("shape", text.replace('"transitions"', '"t"')), ("daemon", text.replace('"daemon"', '"d"')),
        ]:
            loaded = self.load(broken)
            self.assertEqual((web(loaded)["state"], web(loaded)["since"], web(loaded)["transitions"]),
                             ("UNKNOWN", 70.0, 0), name)

    def test_an_instance_that_came_since_has_an_entry(self):
        gone = state.apply_daemon_gone(running(), "success", 30.0)
        loaded = self.load(state.render(gone, 60.0), names=("web", "db"))
        self.assertEqual(loaded["instances"]["db"]["state"], "STOPPED")
        self.assertEqual(web(loaded)["since"], 30.0)

    def lines(self, before, after):
        return [change["line"] for change in state.changes(before, after)]

    def test_changes_are_one_line_each(self):
        before, after = fresh(), running()
        self.assertEqual(self.lines(before, after), [
            "keepalived: unknown -> running (pid 100)", "instance web: UNKNOWN -> MASTER (priority 250)"])
        self.assertEqual(self.lines(after, after), [])
        flood = state.apply_events(
            after, [state.parse_line('INSTANCE "web" %s 250' % word) for word in ["BACKUP", "MASTER"] * 3], 20.0)
        self.assertEqual(
            self.lines(after, flood), ["instance web: MASTER -> MASTER (priority 250, 6 changes at once)"])
        deleted = state.apply_event(after, state.parse_line('INSTANCE "web" DELETED 0'), 20.0)
        self.assertEqual(self.lines(after, deleted), ["instance web: MASTER -> no longer configured"])
        gone = state.apply_daemon_gone(after, None, 30.0)
        self.assertEqual(self.lines(after, gone)[0], "keepalived: running -> crashed (result unknown)")

    def test_changes_name_what_changed(self):
        change = state.changes(fresh(), running())[1]
        del change["line"]
        self.assertEqual(
            change, {"kind": "instance", "name": "web", "old": "UNKNOWN", "new": "MASTER", "priority": 250})


class ToldTest(unittest.TestCase):
    def test_what_the_hook_has_not_been_told(self):
        record = running()
        self.assertEqual(state.untold(record), [("web", "UNKNOWN", "MASTER", 250)])
        record = state.tell(record, "web", "MASTER")
        self.assertEqual(state.untold(record), [])
        flood = [state.parse_line('INSTANCE "web" %s 250' % word) for word in ("BACKUP", "MASTER", "FAULT")]
        self.assertEqual(state.untold(state.apply_events(record, flood, 20.0)), [("web", "MASTER", "FAULT", 250)])
        self.assertEqual(state.untold(state.apply_events(record, flood[:2], 20.0)), [])
        gone = state.apply_daemon_gone(record, "signal", 30.0)
        self.assertEqual(state.untold(gone), [("web", "MASTER", "CRASHED", 250)])

    def test_what_is_no_state_is_no_news(self):
        self.assertEqual(state.untold(fresh()), [])
        self.assertEqual(state.untold(state.apply_daemon_gone(fresh(), "success", 30.0)), [])
        told = state.tell(running(), "web", "MASTER")
        self.assertEqual(state.untold(state.apply_daemon_running(told, {"pid": 200, "since": 40.0}, 41.0)), [])

    def test_is_kept_with_the_record_and_forgotten_with_the_instance(self):
        told = state.tell(running(), "web", "MASTER")
        self.assertEqual(state.load(state.render(told, 60.0), "node-a", BOOT, 70.0, ("web",))["told"],
                         {"web": "MASTER"})
        self.assertIsNone(state.parse_record(state.render(dict(told, told=[]), 60.0)))
        gone = state.apply_event(told, state.parse_line('INSTANCE "web" DELETED 0'), 20.0)
        self.assertEqual(state.tell(gone, "db", "MASTER")["told"], {})
