# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel's list of mounts says, and how a mount is asked whether its server is well."""

from __future__ import absolute_import, division, print_function

import os
import shutil
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import mounts, probes

__metaclass__ = type

LONG = 20.0  # seconds that no test is meant to use up
INFO = (
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "30 22 0:40 / /srv/data rw,relatime shared:9 - autofs systemd-1 rw,fd=40\n"
    "31 22 0:41 / /srv/data rw,nosuid,nodev shared:10 - nfs4 192.0.2.20:/export/data "
    "rw,vers=4.2,hard,timeo=600,retrans=2,clientaddr=192.0.2.11,addr=192.0.2.20\n"
    "32 31 0:42 / /srv/data/a\\040b ro master:1 propagate_from:2 - fuse.bindfs /srv/b\\134c rw,user_id=0\n"
    "broken line\n"
)


class ListTest(unittest.TestCase):
    def setUp(self):
        self.found = mounts.parse_mounts(INFO)

    def test_all_that_is_mounted(self):
        self.assertEqual([mount["path"] for mount in self.found], ["/", "/srv/data", "/srv/data", "/srv/data/a b"])
        self.assertEqual(self.found[3]["source"], "/srv/b\\c")
        self.assertEqual(self.found[3]["device"], "0:42")
        self.assertEqual(self.found[3]["options"], ["ro", "rw", "user_id=0"])

    def test_what_is_mounted_at_a_path_is_what_lies_on_top(self):
        self.assertEqual(mounts.mount_at("/srv/data", self.found)["fstype"], "nfs4")
        self.assertIsNone(mounts.mount_at("/srv", self.found))
        # A placeholder is no file system.
        self.assertIsNone(mounts.mount_at("/srv/data", self.found[:2]))

    def test_the_mount_that_a_path_lies_in(self):
        for path, above in (
            ("/srv/data/a b/c", "/srv/data/a b"),
            ("/srv/data/x", "/srv/data"),
            ("/srv/data", "/srv/data"),
            ("/srv/database", "/"),
        ):
            self.assertEqual(mounts.mount_above(path, self.found)["path"], above)
        self.assertIsNone(mounts.mount_above("/", []))

    def test_options(self):
        self.assertEqual(mounts.option_of(self.found[2], "addr"), "192.0.2.20")
        self.assertIsNone(mounts.option_of(self.found[2], "port"))
        self.assertIsNone(mounts.option_of(self.found[2], "hard"))

    def test_this_machine_has_some(self):
        self.assertIsNotNone(mounts.mount_at("/proc", mounts.mounts_now()))
        self.assertEqual(mounts.mounts_now("/nowhere"), [])


class AskerTest(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.base)

    def asker(self, command=None, listed=INFO):
        """For /srv/data, with a shell command in place of stat."""
        found = probes.MountAsker("/srv/data", lambda: mounts.parse_mounts(listed))
        if command is not None:
            found._argv = ["/bin/sh", "-c", command]
        return found

    def cannot(self, asker, timeout=LONG):
        with self.assertRaises(probes.CannotAskError) as caught:
            asker.ask(timeout)
        return str(caught.exception)

    def test_a_mount_that_is_well(self):
        self.assertIsNone(probes.asker("mount", "/proc").ask(LONG))

    def test_nothing_is_mounted(self):
        asker = probes.asker("mount", self.base)
        self.assertEqual(asker.ask(LONG), "mount %s: nothing is mounted there" % self.base)

    def test_it_is_the_size_that_is_asked_for(self):
        self.assertEqual(self.asker()._argv, ["stat", "--file-system", "--format=%s", "--", "/srv/data"])

    def test_one_that_hangs_is_left_after_the_timeout(self):
        os.mkfifo(os.path.join(self.base, "fifo"))
        asker = self.asker("read -r line <%s/fifo" % self.base)
        self.assertEqual(asker.ask(0.05), "mount /srv/data: no answer within 0.05 s")

    def test_one_that_stands_still_is_left_as_well(self):
        self.assertEqual(self.asker("kill -STOP $$").ask(0.05), "mount /srv/data: no answer within 0.05 s")

    def test_nobody_else_is_sent_while_one_waits_beyond_sigkill(self):
        asker = self.asker(": >%s/started" % self.base)

        class Held(object):
            code = None

            def poll(self):
                return self.code

        asker._left = held = Held()
        for _turn in range(3):
            self.assertEqual(asker.ask(LONG), "mount /srv/data: was killed after its timeout and has still not ended")
        self.assertEqual(os.listdir(self.base), [])
        held.code = -9
        asker.ask(LONG)
        self.assertEqual(os.listdir(self.base), ["started"])

    def test_an_error_is_told(self):
        asker = self.asker("echo 'stat: cannot read /srv/data: Stale file handle'; exit 1")
        self.assertEqual(
            asker.ask(LONG), "mount /srv/data: answered 1 (stat: cannot read /srv/data: Stale file handle)"
        )

    def test_being_refused_says_nothing_about_the_server(self):
        told = self.cannot(self.asker("echo 'stat: x: Permission denied'; exit 1"))
        self.assertEqual(
            told, "mount /srv/data: stat: x: Permission denied; let this account search the directories above it"
        )

    def test_a_file_system_that_answers_its_owner_only(self):
        self.assertEqual(
            self.cannot(self.asker("echo 0")),
            "mount /srv/data: does not answer this account; mount it with allow_other, or do not watch it",
        )
        self.assertIsNone(self.asker("echo 4096").ask(LONG))

    def test_a_list_that_cannot_be_read_is_no_evidence(self):
        self.assertEqual(
            self.cannot(self.asker(listed="")),
            "mount /srv/data: the kernel's list of mounts cannot be read; see that /proc is mounted",
        )

    def test_what_is_no_path(self):
        for target in ("srv", None, 7):
            with self.assertRaises(probes.CannotAskError) as caught:
                probes.asker("mount", target).ask(LONG)
            self.assertIn("write the absolute path of a mount point, such as /srv/data", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
