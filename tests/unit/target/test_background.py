# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in the background: with processes of its own, which the tests end again."""

from __future__ import absolute_import, division, print_function

import json
import os
import shutil
import signal
import tempfile
import time
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import background
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type


def open_files():
    places = [os.path.join("/proc/self/fd", entry) for entry in os.listdir("/proc/self/fd")]
    return [os.readlink(place) for place in places if os.path.exists(place)]


def obedient(job):
    """Works until it is told to end."""
    job.ready({"pid": os.getpid(), "session": os.getsid(0), "files": open_files()})
    while not job.pause(0.01):
        pass
    return {"did": "all of it"}


def wait_until(condition):
    for _turn in range(500):
        if condition():
            return True
        time.sleep(0.01)
    return False


class Case(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.base)
        self.directory = os.path.join(self.base, "drill", "one")
        self.addCleanup(self.end_all)

    def end_all(self):
        for name in os.listdir(self.directory) if os.path.isdir(self.directory) else []:
            if name.endswith(".pid"):
                present = background.running(self.directory, name[:-4])
                if present:
                    os.kill(present["pid"], signal.SIGKILL)

    def start(self, work, name="watch", limit=60, **more):
        return background.start(self.directory, name, work, limit, **more)

    def stop(self, name="watch", **more):
        return background.stop(self.directory, name, **more)

    def running(self, name="watch"):
        return background.running(self.directory, name)

    def refused(self, action, *arguments, **more):
        try:
            action(*arguments, **more)
        except NodeError as exc:
            return str(exc)
        return self.fail("was not refused")


class TellTest(Case):
    def test_the_work_is_told_the_last_of_what_was_said(self):
        def wait(job):
            before = job.told()
            job.ready()
            while job.told() != "second" and not job.pause(0.01):
                pass
            return {"told": [before, job.told()]}

        self.start(wait)
        for text in ("first", "second"):
            background.tell(self.directory, "watch", text)
        self.assertEqual(self.stop()["told"], [None, "second"])

    def test_who_does_not_run_is_told_nothing(self):
        self.assertEqual(
            self.refused(background.tell, self.directory, "watch", "go"),
            "watch in %s: does not run; start it first" % self.directory,
        )


class LifeTest(Case):
    def test_it_runs_by_itself_and_leaves_its_result(self):
        ready = self.start(obedient, meta={"vips": ["192.0.2.10"]})
        self.assertNotEqual(ready["session"], os.getsid(0))
        self.assertNotEqual(ready["pid"], os.getpid())
        present = self.running()
        self.assertEqual((present["pid"], present["limit"]), (ready["pid"], 60.0))
        self.assertEqual(present["meta"], {"vips": ["192.0.2.10"]})
        self.assertEqual(self.stop(), {"did": "all of it", "ended_by": "stop"})
        self.assertIsNone(self.running())

    def test_the_result_can_be_asked_for_again(self):
        self.start(obedient)
        self.assertEqual(self.stop(), self.stop())

    def test_only_its_user_may_look(self):
        self.start(obedient)
        self.stop()
        self.assertEqual(os.stat(self.directory).st_mode & 0o777, 0o700)
        self.assertEqual(os.stat(os.path.join(self.directory, "watch.json")).st_mode & 0o777, 0o600)

    def test_it_holds_no_file_of_the_module(self):
        with open(os.path.join(self.base, "open"), "w") as held:
            self.assertIn(held.name, open_files())
            self.assertNotIn(held.name, self.start(obedient)["files"])

    def test_the_end_of_a_terminal_does_not_end_it(self):
        ready = self.start(obedient)
        os.kill(ready["pid"], signal.SIGHUP)
        time.sleep(0.05)
        self.assertTrue(self.running())
        self.assertEqual(self.stop()["ended_by"], "stop")

    def test_it_can_end_by_itself(self):
        self.assertIsNone(self.start(lambda job: {"did": "nothing"}))
        self.assertEqual(self.stop(), {"did": "nothing", "ended_by": "itself"})

    def test_its_time_is_limited(self):
        self.start(obedient, limit=0.05)
        self.assertTrue(wait_until(lambda: self.running() is None))
        self.assertEqual(self.stop(), {"did": "all of it", "ended_by": "limit"})

    def test_it_may_be_started_again_and_forgets_the_result_before(self):
        self.start(obedient)
        self.stop()
        ready = self.start(obedient)
        self.assertFalse(os.path.exists(os.path.join(self.directory, "watch.json")))
        self.assertEqual(self.running()["pid"], ready["pid"])

    def test_two_names_run_side_by_side(self):
        self.start(obedient)
        self.start(obedient, "probe")
        self.assertEqual(self.stop("probe")["ended_by"], "stop")
        self.assertTrue(self.running())

    def test_the_first_result_counts(self):
        def work(job):
            job.finish({"first": True})
            job.finish({"first": False})

        self.start(work)
        self.assertEqual(self.stop(), {"first": True, "ended_by": "itself"})


class StubbornTest(Case):
    def setUp(self):
        super(StubbornTest, self).setUp()
        self.addCleanup(setattr, background, "GRACE", background.GRACE)
        background.GRACE = 0.1

    @staticmethod
    def deaf(job):
        job.ready()
        while True:
            job.pause(1)

    def test_what_does_not_listen_is_ended_after_a_grace(self):
        self.start(self.deaf)
        self.assertEqual(
            self.stop(), {"error": "it did not come to an end within 0.1 s after it was told to", "ended_by": "stop"}
        )

    def test_also_at_the_limit(self):
        self.start(self.deaf, limit=0.05)
        self.assertTrue(wait_until(lambda: self.running() is None))
        self.assertEqual(self.stop()["ended_by"], "limit")

    def test_one_that_is_frozen_is_named(self):
        ready = self.start(obedient)
        os.kill(ready["pid"], signal.SIGSTOP)
        self.assertEqual(
            self.refused(self.stop, wait=0.1),
            "watch in %s: process %d has not ended within 0.1 s; see what holds it up, then: kill -KILL %d"
            % (self.directory, ready["pid"], ready["pid"]),
        )


class FailureTest(Case):
    def test_a_failure_before_it_is_ready_is_told_at_once(self):
        def work(job):
            raise NodeError("eth9: is not there; name another interface")

        self.assertEqual(self.refused(self.start, work), "eth9: is not there; name another interface")
        self.assertTrue(wait_until(lambda: self.running() is None))

    def test_also_one_that_nobody_thought_of(self):
        self.assertEqual(self.refused(self.start, lambda job: {}["x"]), "KeyError: 'x'")

    def test_a_result_that_cannot_be_written_down_is_a_failure(self):
        self.assertIn("TypeError", self.refused(self.start, lambda job: {"it": object()}))

    def test_a_failure_later_is_in_the_result(self):
        def work(job):
            job.ready()
            raise NodeError("the socket broke")

        self.start(work)
        self.assertTrue(wait_until(lambda: self.running() is None))
        self.assertEqual(self.stop(), {"error": "the socket broke", "ended_by": "itself"})

    def test_one_that_dies_before_it_is_ready(self):
        self.assertEqual(
            self.refused(self.start, lambda job: os.kill(os.getpid(), signal.SIGKILL)),
            "watch: its process died before it was ready; see the kernel's log for the reason",
        )

    def test_one_that_is_never_ready(self):
        self.assertEqual(
            self.refused(self.start, lambda job: job.pause(60), wait=0.1),
            "watch: was not ready within 0.1 s; the machine may be overloaded, try again",
        )
        self.assertTrue(wait_until(lambda: self.running() is None))

    def test_one_that_was_killed(self):
        ready = self.start(obedient)
        os.kill(ready["pid"], signal.SIGKILL)
        self.assertTrue(wait_until(lambda: self.running() is None))
        self.assertEqual(
            self.refused(self.stop),
            "watch in %s: process %d ended without a result; it was killed or the machine went down, so start it again"
            % (self.directory, ready["pid"]),
        )

    def test_a_result_that_somebody_else_wrote(self):
        self.start(obedient)
        self.stop()
        path = os.path.join(self.directory, "watch.json")
        with open(path, "w") as target:
            target.write("{")
        self.assertEqual(
            self.refused(self.stop), "%s: is not what this collection wrote; remove it and start watch again" % path
        )


class RefusalTest(Case):
    def test_one_that_runs_is_not_started_twice(self):
        ready = self.start(obedient)
        self.assertEqual(
            self.refused(self.start, obedient),
            "watch in %s: runs already as process %d; stop it first, or use another name"
            % (self.directory, ready["pid"]),
        )

    def test_two_do_not_start_it_at_the_same_time(self):
        self.start(obedient)
        self.stop()
        holder = os.open(os.path.join(self.directory, ".watch.lock"), os.O_RDWR)
        self.addCleanup(os.close, holder)
        background.fcntl.flock(holder, background.fcntl.LOCK_EX)
        self.assertEqual(
            self.refused(self.start, obedient),
            "watch in %s: somebody else is starting it; wait, or use another name" % self.directory,
        )

    def test_what_was_never_started_has_no_result(self):
        self.assertEqual(
            self.refused(self.stop),
            "watch in %s: was never started here; start it with the same name, directory and user" % self.directory,
        )

    def test_a_name_that_is_a_path(self):
        for name in ("../watch", "", ".hidden", "a b", "a" * 65):
            self.assertEqual(
                self.refused(self.start, obedient, name),
                "name %r: use 1 to 64 letters, digits, '_', '-' and '.', beginning with a letter or digit" % name,
            )

    def test_a_limit_that_is_none(self):
        self.assertEqual(
            self.refused(self.start, obedient, limit=0),
            "watch: a time limit of 0 s; give more than 0 and at most 604800",
        )

    def test_a_relative_directory(self):
        self.assertEqual(
            self.refused(background.start, "drill", "watch", obedient, 60), "directory drill: give an absolute path"
        )

    def test_a_directory_that_cannot_be_made(self):
        with open(os.path.join(self.base, "drill"), "w"):
            pass
        self.assertEqual(
            self.refused(self.start, obedient),
            "directory %s: cannot be made (Not a directory); name another one" % self.directory,
        )

    def test_a_directory_that_others_may_write_to(self):
        os.makedirs(self.directory)
        os.chmod(self.directory, 0o777)
        self.assertEqual(
            self.refused(self.start, obedient),
            "directory %s: is not a directory that only user %d may write to; remove it or name another one"
            % (self.directory, os.geteuid()),
        )

    def test_a_link_that_somebody_planted(self):
        os.mkdir(os.path.dirname(self.directory))
        os.symlink(self.base, self.directory)
        self.assertIn("is not a directory that only user", self.refused(self.start, obedient))


class IdentityTest(Case):
    def test_another_process_with_its_number_is_not_it(self):
        self.start(obedient)
        path = os.path.join(self.directory, "watch.pid")
        with open(path) as source:
            noted = json.load(source)
        self.stop()
        os.unlink(os.path.join(self.directory, "watch.json"))
        noted["pid"] = os.getpid()
        with open(path, "w") as target:
            json.dump(noted, target)
        self.assertIsNone(self.running())
        self.assertIn("ended without a result", self.refused(self.stop))

    def test_a_file_that_is_none_of_ours(self):
        os.makedirs(self.directory)
        for text in ("", "17", "{}", '{"pid": "1", "identity": "x"}', '{"pid": -1, "identity": "x"}'):
            with open(os.path.join(self.directory, "watch.pid"), "w") as target:
                target.write(text)
            self.assertIsNone(self.running())


class DirectoryTest(unittest.TestCase):
    def test_root_and_others_have_different_places(self):
        self.addCleanup(setattr, background.os, "geteuid", os.geteuid)
        os.geteuid = lambda: 0
        self.assertEqual(background.default_directory(), "/run/ha-pair-drill")
        os.geteuid = lambda: 1000
        self.assertEqual(
            background.default_directory(), os.path.join(tempfile.gettempdir(), "ha-pair-drill-1000")
        )


if __name__ == "__main__":
    unittest.main()
