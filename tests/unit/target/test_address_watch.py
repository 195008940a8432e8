# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher of addresses: what it writes down, what it cannot know, and what it is refused with."""

from __future__ import absolute_import, division, print_function

import errno
import os
import shutil
import socket
import tempfile
import time
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import address_watch
from ansible_collections.duplex.ha_pair.plugins.module_utils._drill.rtnetlink import Address, Done, LostError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

try:
    from ansible.module_utils import basic
except ImportError:
    basic = None

__metaclass__ = type

VIP, VIP6, OTHER = "192.0.2.10", "2001:db8::10", "192.0.2.99"
NAMES = {1: "lo", 2: "eth0", 3: "eth1"}
BEGIN = 1795249190.0


class Clock(object):
    """Stands still until it is moved."""

    def __init__(self):
        self.since_boot, self.step, self.waited = 1000.0, 0.0, 0.0

    def wall(self):
        return BEGIN - 1000.0 + self.since_boot + self.step

    def boot(self):
        return self.since_boot

    def now(self):
        return self.boot(), self.wall()

    def kept_waiting(self):
        return self.waited


class Kernel(object):
    """A kernel with addresses: (seconds from now, what happens). An answer to a question lies in the same queue."""

    def __init__(self, clock, held=(), later=(), meanwhile=(), done=(0,)):
        self.clock, self.held, self.later = clock, list(held), list(later)
        self.queue, self.asked, self.closed = [], 0, False
        self.meanwhile, self.done = list(meanwhile), list(done)

    def ask(self):
        self.asked += 1
        self.queue.append([entry(*one, dumped=True) for one in self.held])
        if self.meanwhile:
            self.queue.append(self.meanwhile.pop(0))
        self.queue.append([Done(False, self.done[min(self.asked, len(self.done)) - 1])])

    def wait(self, seconds):
        if self.queue:
            return
        until = self.clock.since_boot + seconds
        if self.later and self.later[0][0] <= until - 1000.0:
            at, what = self.later.pop(0)
            self.clock.since_boot = max(self.clock.since_boot, 1000.0 + at)
            if callable(what):
                what(self)
            else:
                self.queue.append(what)
            return
        self.clock.since_boot = until

    def receive(self):
        if not self.queue:
            return None
        what = self.queue.pop(0)
        if isinstance(what, Exception):
            raise what
        return what

    def close(self):
        self.closed = True


class Job(object):
    def __init__(self, clock, seconds):
        self._clock, self._seconds, self.first = clock, seconds, None

    def ready(self, data=None):
        self.first = data

    def stopping(self):
        return self._clock.since_boot - 1000.0 >= self._seconds


def entry(address, index, added=True, prefix=24, usable=True, dumped=False):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    return Address(family, packed, index, (prefix, packed), added, usable, dumped)


def name_of(index):
    return NAMES.get(index)


def watch(vips=(VIP, VIP6), seconds=1.0, clock=None, kernel=None, **given):
    clock = clock or Clock()
    kernel = kernel or Kernel(clock, **given)
    job = Job(clock, seconds)
    report = address_watch.watch(job, list(vips), lambda: kernel, clock, name_of)
    return report, job, kernel


def moments(changes):
    """Seconds from the start instead of times."""
    return [(round(change["at"] - BEGIN, 3), change["interface"], change["held"]) for change in changes]


class WatchTest(unittest.TestCase):
    def test_what_is_there_at_the_start(self):
        report, job, kernel = watch(held=[(VIP, 2), (OTHER, 2)])
        self.assertEqual(report["vips"], {
            VIP: {"held_at_start": ["eth0"], "changes": []}, VIP6: {"held_at_start": [], "changes": []}})
        self.assertEqual(job.first, {"started_at": BEGIN, "held": {VIP: ["eth0"], VIP6: []}})
        self.assertEqual((report["started_at"], round(report["ended_at"] - BEGIN, 3)), (BEGIN, 1.0))
        self.assertEqual((report["gaps"], report["stalls"], report["clock_steps"]), ([], [], []))
        self.assertEqual((kernel.asked, kernel.closed), (1, True))

    def test_every_change_has_its_moment(self):
        report = watch(held=[(VIP, 2)], later=[
            (0.25, [entry(VIP, 2, added=False), entry(OTHER, 2)]),
            (0.75, [entry(VIP6, 2)]),
        ])[0]
        self.assertEqual(moments(report["vips"][VIP]["changes"]), [(0.25, "eth0", False)])
        self.assertEqual(moments(report["vips"][VIP6]["changes"]), [(0.75, "eth0", True)])

    def test_short_changes_are_not_missed(self):
        report = watch(held=[(VIP, 2)], later=[(0.5, [entry(VIP, 2, added=False), entry(VIP, 2)])])[0]
        self.assertEqual(moments(report["vips"][VIP]["changes"]), [(0.5, "eth0", False), (0.5, "eth0", True)])

    def test_the_copy_on_the_loopback_has_its_place(self):
        report = watch(held=[(VIP, 2)], later=[
            (0.2, [entry(VIP, 1, prefix=32)]), (0.3, [entry(VIP, 2, added=False)]), (0.4, [entry(VIP, 2)]),
            (0.5, [entry(VIP, 1, added=False, prefix=32)])])[0]
        self.assertEqual(moments(report["vips"][VIP]["changes"]), [
            (0.2, "lo", True), (0.3, "eth0", False), (0.4, "eth0", True), (0.5, "lo", False)])

    def test_what_is_told_again_is_no_change(self):
        report = watch(held=[(VIP, 2)], later=[(0.2, [entry(VIP, 2)]), (0.3, [entry(VIP, 3, added=False)])])[0]
        self.assertEqual(report["vips"][VIP]["changes"], [])

    def test_an_address_with_two_prefixes_is_there_until_both_are_gone(self):
        report = watch(held=[(VIP, 2), (VIP, 2, True, 32)], later=[
            (0.2, [entry(VIP, 2, added=False)]), (0.3, [entry(VIP, 2, added=False, prefix=32)])])[0]
        self.assertEqual(moments(report["vips"][VIP]["changes"]), [(0.3, "eth0", False)])

    def test_ipv6_counts_when_it_may_be_used(self):
        report = watch(later=[(0.2, [entry(VIP6, 2, usable=False)]), (0.3, [entry(VIP6, 2)]),
                              (0.4, [entry(VIP6, 2, usable=False)])])[0]
        self.assertEqual(moments(report["vips"][VIP6]["changes"]), [(0.3, "eth0", True), (0.4, "eth0", False)])

    def test_an_interface_that_is_gone_keeps_its_name(self):
        names = dict(NAMES)
        clock = Clock()

        def vanish(kernel):
            names.clear()
            kernel.queue.append([entry(VIP, 2, added=False), entry(VIP, 9)])

        kernel = Kernel(clock, held=[(VIP, 2)], later=[(0.2, vanish)])
        report = address_watch.watch(Job(clock, 1.0), [VIP], lambda: kernel, clock, names.get)
        self.assertEqual(
            moments(report["vips"][VIP]["changes"]), [(0.2, "eth0", False), (0.2, "interface 9", True)])

    def test_a_change_before_the_first_answer_is_part_of_it(self):
        report, _job, kernel = watch(held=[(VIP, 2)], meanwhile=[[entry(VIP, 2, added=False)]])
        # Asked again, because the answer may be older than the change; the kernel of this test has it still.
        self.assertEqual((report["vips"][VIP]["held_at_start"], kernel.asked), (["eth0"], 2))
        self.assertEqual(report["vips"][VIP]["changes"], [])

    def test_asks_not_for_ever_when_addresses_keep_changing(self):
        report, _job, kernel = watch(meanwhile=[[entry(VIP, 2), entry(VIP, 2, added=False)]] * 9)
        self.assertEqual((report["vips"][VIP]["held_at_start"], kernel.asked), ([], 5))

    def test_asks_again_when_the_kernel_says_that_it_was_interrupted(self):
        kernel = watch(meanwhile=[[Done(True, None)]])[2]
        self.assertEqual(kernel.asked, 2)

    def test_lost_messages_are_a_gap_and_the_state_is_asked_for(self):
        def lose(kernel):
            kernel.held = [(VIP6, 2)]
            kernel.queue.append(LostError())

        report, _job, kernel = watch(held=[(VIP, 2)], later=[(0.55, lose)])
        self.assertEqual(kernel.asked, 2)
        gap = report["gaps"][0]
        self.assertEqual((round(gap["from"] - BEGIN, 3), round(gap["to"] - BEGIN, 3)), (0.5, 0.55))
        self.assertEqual(moments(report["vips"][VIP]["changes"]), [(0.55, "eth0", False)])
        self.assertEqual(moments(report["vips"][VIP6]["changes"]), [(0.55, "eth0", True)])

    def test_messages_lost_while_it_asks_make_it_ask_again(self):
        def lose(kernel):
            kernel.meanwhile = [LostError()]
            kernel.queue.append(LostError())

        report, _job, kernel = watch(later=[(0.5, lose)])
        self.assertEqual((kernel.asked, len(report["gaps"])), (3, 1))

    def test_a_gap_that_is_still_open_ends_with_the_report(self):
        def lose(kernel):
            kernel.ask = lambda: None
            kernel.queue.append(LostError())

        report = watch(later=[(0.5, lose)])[0]
        self.assertEqual(report["gaps"][0]["to"], report["ended_at"])

    def test_time_in_which_it_did_not_run_is_a_stall(self):
        def freeze(kernel):
            kernel.clock.since_boot += 20.0
            kernel.queue.append([entry(VIP, 2, added=False)])

        report = watch(held=[(VIP, 2)], later=[(0.45, freeze)], seconds=21.0)[0]
        stall = report["stalls"][0]
        self.assertEqual((round(stall["from"] - BEGIN, 3), round(stall["to"] - BEGIN, 3)), (0.4, 20.45))
        self.assertEqual(len(report["stalls"]), 1)
        # Frozen, it did not wait for a CPU: the change came when it was thawed.
        self.assertEqual(report["vips"][VIP]["changes"][0]["late"], 0.0)
        self.assertEqual(report["clock_steps"], [])

    def test_a_busy_host_makes_the_moment_uncertain(self):
        def busy(kernel):
            kernel.clock.since_boot += 0.3
            kernel.clock.waited += 0.28
            kernel.queue.append([entry(VIP, 2)])

        report = watch(later=[(0.45, busy)])[0]
        self.assertAlmostEqual(report["vips"][VIP]["changes"][0]["late"], 0.28)

    def test_without_the_count_of_the_kernel_the_late_look_itself_tells(self):
        def busy(kernel):
            kernel.clock.since_boot += 0.3
            kernel.queue.append([entry(VIP, 2)])

        clock = Clock()
        clock.waited = None
        report = watch(clock=clock, later=[(0.45, busy)])[0]
        self.assertAlmostEqual(report["vips"][VIP]["changes"][0]["late"], 0.25)

    def test_a_clock_that_is_set_is_told(self):
        def set_clock(kernel):
            kernel.clock.step += -3.0

        step = watch(later=[(0.45, set_clock)])[0]["clock_steps"][0]
        self.assertEqual((round(step["seconds"], 3), round(step["at"] - BEGIN, 3)), (-3.0, -2.55))

    def test_a_kernel_that_refuses(self):
        clock = Clock()
        kernel = Kernel(clock, done=[errno.EPERM])
        with self.assertRaises(NodeError) as caught:
            watch(clock=clock, kernel=kernel)
        self.assertEqual(
            str(caught.exception),
            "addresses of this host: the kernel does not tell them (%s); see what confines this process"
            % os.strerror(errno.EPERM))
        self.assertTrue(kernel.closed)

    def test_a_kernel_that_does_not_answer(self):
        clock = Clock()
        kernel = Kernel(clock)
        kernel.ask = lambda: None
        with self.assertRaises(NodeError) as caught:
            watch(clock=clock, kernel=kernel)
        self.assertEqual(
            str(caught.exception),
            "addresses of this host: the kernel did not tell them within 5 s; the host may be overloaded, try again")


class WaitTest(unittest.TestCase):
    def wait(self, expect="held", vips=(VIP, VIP6), timeout=2.0, **given):
        clock = Clock()
        return address_watch.wait_for(list(vips), expect, timeout, Kernel(clock, **given), clock, name_of)

    def test_is_so_already(self):
        self.assertEqual(self.wait(held=[(VIP, 2), (VIP6, 2)]), {
            "reached": True, "waited": 0.0, "held": {VIP: ["eth0"], VIP6: ["eth0"]}})
        self.assertTrue(self.wait("free")["reached"])

    def test_waits_for_all_of_them(self):
        found = self.wait(later=[(0.5, [entry(VIP, 2)]), (1.25, [entry(VIP6, 2)])])
        self.assertEqual((found["reached"], round(found["waited"], 3)), (True, 1.25))

    def test_waits_until_none_is_left(self):
        found = self.wait("free", held=[(VIP, 2), (VIP6, 2)], later=[
            (0.5, [entry(VIP, 2, added=False)]), (1.25, [entry(VIP6, 2, added=False)])])
        self.assertEqual((found["reached"], round(found["waited"], 3)), (True, 1.25))

    def test_one_on_the_loopback_only_is_not_held(self):
        self.assertTrue(self.wait("free", held=[(VIP, 1)])["reached"])
        found = self.wait("held", vips=[VIP], held=[(VIP, 1)], timeout=0.3)
        self.assertEqual((found["reached"], found["held"]), (False, {VIP: ["lo"]}))

    def test_the_time_is_over(self):
        found = self.wait(held=[(VIP, 2)])
        self.assertEqual((found["reached"], found["held"]), (False, {VIP: ["eth0"], VIP6: []}))
        self.assertEqual(round(found["waited"], 1), 2.0)

    def test_no_time_is_one_look(self):
        self.assertEqual(self.wait(timeout=0)["waited"], 0.0)

    def test_a_time_that_is_none(self):
        with self.assertRaises(NodeError) as caught:
            self.wait(timeout=-1)
        self.assertEqual(
            str(caught.exception), "timeout: -1 is not in 0..86400 s; give the longest time to wait")


class RefusalTest(unittest.TestCase):
    def refused(self, message, *arguments):
        with self.assertRaises(NodeError) as caught:
            address_watch.start("watch", *arguments)
        self.assertEqual(str(caught.exception), message)

    def test_no_address(self):
        for vips in (None, []):
            self.refused("vips: names no address; give those of the pair", vips, 10)

    def test_no_ip_address(self):
        self.refused(
            "vips[1]: 192.0.2.10/24 is not an IP address; write one, without prefix", [VIP6, "192.0.2.10/24"], 10)

    def test_twice(self):
        self.refused("vips[1]: 2001:DB8:0::10 is there twice; name it once", [VIP6, "2001:DB8:0::10"], 10)

    def test_duration(self):
        for seconds in (0, 90000):
            self.refused(
                "duration: %d is not in 0..86400 s; give the time after which the watcher ends itself" % seconds,
                [VIP], seconds)


class StopTest(unittest.TestCase):
    """What the background process left is handed on, or said to be none."""

    def stop(self, report, running=None):
        original, asked = address_watch.background, []

        class Background(object):
            @staticmethod
            def default_directory():
                return "/run/ha-pair-drill"

            @staticmethod
            def running(*arguments):
                asked.append(arguments)
                return running

            @staticmethod
            def stop(*arguments):
                asked.append(arguments)
                return report

        address_watch.background = Background
        try:
            return address_watch.stop("watch"), asked
        finally:
            address_watch.background = original

    def test_the_report_and_whether_it_ran(self):
        report = {"vips": {}, "ended_by": "stop"}
        where = ("/run/ha-pair-drill", "watch")
        self.assertEqual(self.stop(report, {"pid": 1}), ((True, report), [where, where]))
        self.assertEqual(self.stop(report)[0], (False, report))

    def test_a_failure_is_told(self):
        for report, why in (({"error": "it broke"}, "it broke"), ({}, "it left no report")):
            with self.assertRaises(NodeError) as caught:
                self.stop(report)
            self.assertEqual(
                str(caught.exception), "watch in /run/ha-pair-drill: the watcher failed (%s); start it again" % why)


@unittest.skipUnless(os.path.isdir("/sys/class/net/lo"), "this machine has no Linux network")
class ProcessTest(unittest.TestCase):
    """The process that stays, on the kernel that runs the tests."""

    def setUp(self):
        self.directory = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def test_starts_watches_and_reports(self):
        place = os.path.join(self.directory, "drill")
        before = time.time()
        first = address_watch.start("watch", ["127.0.0.1", OTHER], 30.0, place)
        self.assertEqual(first["held"], {"127.0.0.1": ["lo"], OTHER: []})
        ran, report = address_watch.stop("watch", place)
        self.assertEqual((ran, report["ended_by"]), (True, "stop"))
        self.assertEqual(report["vips"]["127.0.0.1"], {"held_at_start": ["lo"], "changes": []})
        self.assertTrue(before <= report["started_at"] <= report["ended_at"] <= time.time())
        self.assertEqual(len(report["boot_id"]), 36)
        self.assertEqual(address_watch.stop("watch", place), (False, report))

    def test_the_clocks_go_forward(self):
        clock = address_watch.Clock()
        first, second = clock.now(), clock.now()
        self.assertTrue(first[0] <= second[0] and abs(first[1] - time.time()) < 60)
        waited = clock.kept_waiting()
        self.assertTrue(waited is None or waited >= 0)


@unittest.skipIf(basic is None, "ansible is not installed for this Python")
class ModuleTest(unittest.TestCase):
    def run_module(self, check_mode=False, **params):
        from ansible_collections.duplex.ha_pair.plugins.modules import owner_watch

        class DoneError(Exception):
            pass

        done = []

        class Module(object):
            def __init__(self, argument_spec, required_if, supports_check_mode):
                self.params = {name: option.get("default") for name, option in argument_spec.items()}
                self.params.update(params, directory="/nowhere/ha-pair-drill")
                self.check_mode = check_mode and supports_check_mode and bool(required_if)

            @staticmethod
            def exit_json(**result):
                done.append(result)

            @staticmethod
            def fail_json(msg):
                done.append(msg)
                raise DoneError

        original, owner_watch.AnsibleModule = owner_watch.AnsibleModule, Module
        try:
            owner_watch.main()
        except DoneError:
            pass
        finally:
            owner_watch.AnsibleModule = original
        return done[0]

    def test_check_mode_says_what_it_would_do(self):
        self.assertEqual(
            self.run_module(True, state="started", vips=[VIP]),
            {"changed": True, "msg": "would start the watcher watch"})
        self.assertEqual(
            self.run_module(True, state="stopped"), {"changed": False, "msg": "the watcher watch does not run"})

    def test_check_mode_looks_once(self):
        found = self.run_module(True, state="waiting", vips=["127.0.0.1"], expect="held", timeout=60)
        self.assertEqual((found["changed"], found["reached"], found["held"]), (False, False, {"127.0.0.1": ["lo"]}))

    def test_a_refusal_is_a_failure_of_the_module(self):
        self.assertEqual(
            self.run_module(state="started", vips=["nonsense"]),
            "vips[0]: nonsense is not an IP address; write one, without prefix")
        self.assertIn("was never started", self.run_module(state="stopped"))


if __name__ == "__main__":
    unittest.main()
