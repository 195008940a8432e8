# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node says of its storage before anything is mounted, with servers that refuse, hang and have no name."""

from __future__ import absolute_import, division, print_function

import os
import shutil
import socket
import tempfile
import threading
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._nfs import survey
from ansible_collections.duplex.ha_pair.plugins.module_utils._node import mounts

__metaclass__ = type

LONG = 20.0  # seconds that no test is meant to use up
LISTED = (
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "31 22 0:41 / /srv/data rw - nfs4 192.0.2.20:/data rw,vers=4.2,hard,addr=192.0.2.20\n"
    "32 22 0:42 / /srv/fuse rw - fuse.bindfs /srv/below rw\n"
)


class Case(unittest.TestCase):
    def setUp(self):
        self.base = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.listed = mounts.parse_mounts(LISTED)

    def listener(self):
        talk = socket.socket()
        talk.bind(("127.0.0.1", 0))
        talk.listen(5)
        self.addCleanup(talk.close)
        return talk.getsockname()[1]

    @staticmethod
    def closed():
        talk = socket.socket()
        talk.bind(("127.0.0.1", 0))
        port = talk.getsockname()[1]
        talk.close()
        return port


class ServerTest(Case):
    def test_one_that_accepts(self):
        self.assertIsNone(survey.reach("127.0.0.1", self.listener(), LONG))

    def test_one_that_refuses(self):
        self.assertEqual(survey.reach("127.0.0.1", self.closed(), LONG), "127.0.0.1: Connection refused")

    def test_a_name_that_nobody_knows(self):
        self.assertIn("its name cannot be resolved", survey.reach("no name", 2049, LONG))

    def test_a_name_service_that_hangs_is_left(self):
        hung = threading.Event()
        self.addCleanup(hung.set)
        resolve = survey.socket.getaddrinfo

        def hang(*_words):
            hung.wait(LONG)
            return []

        survey.socket.getaddrinfo = hang
        self.addCleanup(setattr, survey.socket, "getaddrinfo", resolve)
        self.assertEqual(survey.reach("192.0.2.20", 2049, 0.01), "no answer from the name service")

    def test_a_server_that_says_nothing_is_left(self):
        class Silent(object):
            def __init__(self, *_words):
                pass

            settimeout = close = lambda *_words: None

            @staticmethod
            def connect(_place):
                raise socket.timeout("timed out")

        real = survey.socket.socket
        survey.socket.socket = Silent
        self.addCleanup(setattr, survey.socket, "socket", real)
        self.assertEqual(survey.reach("192.0.2.20", 2049, LONG), "192.0.2.20: no answer")


class PathTest(Case):
    def test_what_a_mount_would_hide(self):
        for name in "gfedcba":
            os.mkdir(os.path.join(self.base, name))
        self.assertEqual(survey.below(self.base, self.listed), (["a", "b", "c", "d", "e"], None))
        self.assertEqual(survey.below(os.path.join(self.base, "a"), self.listed), ([], None))
        self.assertEqual(survey.below(os.path.join(self.base, "none"), self.listed), ([], None))

    def test_what_is_no_directory(self):
        path = os.path.join(self.base, "file")
        open(path, "w").close()
        self.assertEqual(survey.below(path, self.listed), (None, "is not a directory"))

    def test_what_lies_on_somebody_elses_file_system_is_not_looked_at(self):
        listed, survey.os.listdir = os.listdir, None  # whoever looks, fails
        self.addCleanup(setattr, survey.os, "listdir", listed)
        self.assertEqual(survey.below("/srv/data/x", self.listed), (None, "lies on /srv/data, which is nfs4"))
        self.assertEqual(survey.below("/srv/fuse/x", self.listed), (None, "lies on /srv/fuse, which is fuse.bindfs"))

    def test_lines_of_fstab(self):
        text = "# x /srv/old nfs\n192.0.2.20:/data /srv/data/ nfs bg 0 0\n\n/dev/sda1 / ext4 defaults\n"
        self.assertTrue(survey.in_fstab("/srv/data", text))
        self.assertFalse(survey.in_fstab("/srv/old", text))
        self.assertFalse(survey.in_fstab("/srv", None))


class LookTest(Case):
    def look(self, port, asked=None, path="/srv/data", problem=None):
        def ask(path, _timeout):
            (asked if asked is not None else []).append(path)
            return problem

        wanted = [{"path": path, "server": "127.0.0.1", "port": port}]
        (found,) = survey.look(wanted, LONG, self.listed, os.path.join(self.base, "fstab"), ask)
        return found

    def test_a_mount_that_is_well(self):
        found = self.look(self.listener())
        self.assertEqual((found["mounted"], found["source"], found["fstype"]), (True, "192.0.2.20:/data", "nfs4"))
        self.assertIn("hard", found["options"])
        self.assertEqual((found["problem"], found["server_problem"], found["in_fstab"]), (None, None, False))

    def test_a_mount_that_hangs(self):
        asked = []
        found = self.look(self.listener(), asked, problem="mount /srv/data: no answer within 5 s")
        self.assertEqual(found["problem"], "mount /srv/data: no answer within 5 s")
        self.assertEqual(asked, ["/srv/data"])

    def test_the_mount_of_a_server_that_is_gone_is_not_asked(self):
        asked = []
        found = self.look(self.closed(), asked)
        self.assertEqual(found["server_problem"], "127.0.0.1: Connection refused")
        self.assertEqual((asked, found["problem"], found["mounted"]), ([], None, True))

    def test_nothing_is_mounted_yet(self):
        os.mkdir(os.path.join(self.base, "old"))
        found = self.look(self.listener(), path=self.base)
        self.assertEqual((found["mounted"], found["source"], found["hides"]), (False, None, ["old"]))
        self.assertEqual(found["options"], [])

    def test_one_server_is_asked_once(self):
        asked, port = [], self.listener()
        real = survey.reach
        survey.reach = lambda *place: asked.append(place)
        self.addCleanup(setattr, survey, "reach", real)
        wanted = [{"path": path, "server": "127.0.0.1", "port": port} for path in ("/srv/data", "/srv/fuse")]
        survey.look(wanted, LONG, self.listed, ask=lambda _path, _timeout: None)
        self.assertEqual(asked, [("127.0.0.1", port, LONG)])

    def test_a_real_mount(self):
        wanted = [{"path": "/proc", "server": "127.0.0.1", "port": self.listener()}]
        (found,) = survey.look(wanted, LONG)
        self.assertEqual((found["mounted"], found["fstype"], found["problem"]), (True, "proc", None))


if __name__ == "__main__":
    unittest.main()
