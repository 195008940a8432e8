# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes to systemd's journal and to systemd, read at the other end of the socket."""

from __future__ import absolute_import, division, print_function

import os
import shutil
import socket
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import journal, service

__metaclass__ = type


class SocketCase(unittest.TestCase):
    def setUp(self):
        base = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, base)
        self.path = os.path.join(base, "socket")
        self.there = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.there.close)
        self.there.bind(self.path)
        self.there.setblocking(False)


class JournalTest(SocketCase):
    def setUp(self):
        SocketCase.setUp(self)
        self.plain = []
        self.say = journal.Journal("ha-pair-notify", self.path, self.plain.append)

    def test_a_line_with_fields(self):
        self.say(u"instance web: BACKUP -> MASTER", message_id=journal.INSTANCE_CHANGE, priority=journal.NOTICE,
                 HA_PAIR_INSTANCE=u"w\u00e9b", HA_PAIR_VRRP_PRIORITY=250, HA_PAIR_OLD_STATE=None)
        self.assertEqual(self.there.recv(4096).split(b"\n"), [
            b"MESSAGE=instance web: BACKUP -> MASTER", b"PRIORITY=5", b"SYSLOG_IDENTIFIER=ha-pair-notify",
            b"MESSAGE_ID=" + journal.INSTANCE_CHANGE.encode("ascii"), b"HA_PAIR_INSTANCE=w\xc3\xa9b",
            b"HA_PAIR_VRRP_PRIORITY=250", b""])
        self.assertEqual(self.plain, [])

    def test_problems_are_warnings(self):
        self.say("problem: no")
        self.assertIn(b"PRIORITY=4\n", self.there.recv(4096))
        self.say("no problem")
        self.assertIn(b"PRIORITY=6\n", self.there.recv(4096))

    def test_a_value_of_several_lines_cannot_make_fields(self):
        self.say("one\nPRIORITY=0")
        self.assertTrue(self.there.recv(4096).startswith(
            b"MESSAGE\n" + b"\x0e\0\0\0\0\0\0\0" + b"one\nPRIORITY=0\n" + b"PRIORITY=6\n"))

    def test_where_nobody_listens_the_line_goes_to_standard_output(self):
        os.unlink(self.path)
        self.say("keeping watch", HA_PAIR_NODE="node-a")
        self.assertEqual(self.plain, ["keeping watch"])

    def test_the_identifiers_are_what_journalctl_takes(self):
        for identifier in (journal.INSTANCE_CHANGE, journal.DAEMON_CHANGE, journal.GUARD_ACTION):
            self.assertEqual((len(identifier), int(identifier, 16) > 0), (32, True))


class ServiceTest(SocketCase):
    def test_tells_systemd_through_its_socket(self):
        os.environ["NOTIFY_SOCKET"] = self.path
        self.addCleanup(os.environ.pop, "NOTIFY_SOCKET", None)
        service.tell("READY=1")
        self.assertEqual(self.there.recv(100), b"READY=1")
        del os.environ["NOTIFY_SOCKET"]
        service.tell("WATCHDOG=1")
        self.assertRaises((IOError, OSError), self.there.recv, 100)
