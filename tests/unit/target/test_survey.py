# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node has already."""

from __future__ import absolute_import, division, print_function

import io
import os
import shutil
import socket
import sys
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import survey
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type

UNITS = """LoadState=loaded
ActiveState=failed
SubState=failed
UnitFileState=enabled
Result=signal

LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
Result=success
"""

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LINK = "ADMIN_STATE=configured\nOPER_STATE=routable\nNETWORK_FILE=/etc/systemd/network/10-eth0.network\n"


class SurveyTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)

    def write(self, path, text):
        path = self.root + path
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
        with io.open(path, "w") as target:
            target.write(u"" + text)

    def test_units_of_one_call(self):
        units = survey.parse_units(UNITS, ["nginx.service", "keepalived.service"])
        self.assertEqual(
            {key: value for key, value in units["nginx.service"].items() if key != "triggers"},
            {"load": "loaded", "active": "failed", "sub": "failed", "enabled": True, "result": "signal"},
        )
        self.assertEqual(units["nginx.service"]["triggers"], [])
        self.assertEqual(units["keepalived.service"]["load"], "not-found")
        timer = survey.parse_units("LoadState=loaded\nTriggers=a.service b.service\n", ["a.timer"])["a.timer"]
        self.assertEqual(timer["triggers"], ["a.service", "b.service"])
        self.assertFalse(units["keepalived.service"]["enabled"])

    def test_a_unit_is_told_by_the_name_it_was_asked_by(self):
        alias = survey.parse_units("LoadState=loaded\nActiveState=active\n", ["redis.service"])
        self.assertEqual(alias["redis.service"]["active"], "active")

    def test_a_missing_answer_is_refused(self):
        with self.assertRaises(NodeError) as caught:
            survey.parse_units("", ["nginx.service"])
        self.assertEqual(
            str(caught.exception),
            "systemctl: told of 0 units and not of 1 (nginx.service); look at `systemctl status`",
        )

    @unittest.skipUnless(sys.byteorder == "little", "the sample is of a little-endian machine")
    def test_listening_sockets_and_nothing_else(self):
        lines = (
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0\n"
            "   1: 0B0200C0:0016 0C0200C0:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0\n"
        )
        self.assertEqual(survey.parse_listeners(HEADER + lines, 4), [("127.0.0.1", 8080, 4711)])
        line = (
            "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A "
            "00000000:00000000 00:00000000 00000000     0        0 4713 1 0\n"
        )
        self.assertEqual(survey.parse_listeners(HEADER + line, 6), [("::", 80, 4713)])

    def test_a_real_listener_is_found_with_its_program(self):
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.addCleanup(opened.close)
        opened.bind(("127.0.0.1", 0))
        opened.listen(1)
        port = opened.getsockname()[1]
        found = [entry for entry in survey.listeners() if entry["port"] == port]
        self.assertEqual([entry["address"] for entry in found], ["127.0.0.1"])
        with open("/proc/self/comm") as source:
            self.assertIn(source.read().strip(), found[0]["programs"])

    def test_whose_configuration_it_is(self):
        self.assertEqual(survey.configuration(None, "mark"), "absent")
        self.assertEqual(survey.configuration("# mark\n", "mark"), "ours")
        self.assertEqual(survey.configuration("global_defs {}\n", "mark"), "foreign")
        self.assertEqual(survey.configuration("x", "mark", (0, "")), "sample")
        self.assertEqual(survey.configuration("x", "mark", (1, "S.5.  c /etc/sysconfig/keepalived\n")), "sample")
        changed = (1, "S.5....T.  c /etc/keepalived/keepalived.conf\n")
        self.assertEqual(survey.configuration("x", "mark", changed), "foreign")
        self.assertEqual(survey.configuration("x", "mark", (127, "")), "foreign")

    def test_whose_a_path_is(self):
        self.assertEqual(survey.whose(self.root, "mark"), "directory")
        self.assertEqual(survey.whose(self.root + "/file", "mark"), "absent")
        self.write("/file", "# mark\n")
        self.assertEqual(survey.whose(self.root + "/file", "mark"), "ours")
        self.assertEqual(survey.whose(self.root + "/file", "other"), "foreign")

    def test_a_password_is_noticed(self):
        self.assertTrue(survey.holds_secret('auth_pass "x"'))
        self.assertFalse(survey.holds_secret("vrrp_version 3"))
        self.assertFalse(survey.holds_secret(None))

    def test_what_a_service_is_declared_to_be(self):
        self.assertEqual(survey.declared("nginx", self.root), "down")
        for text, word in (("1\n", "up"), ("0\n", "down"), ("", "down"), ("junk", "down")):
            self.write("/nginx", text)
            self.assertEqual(survey.declared("nginx", self.root), word)

    def test_selinux(self):
        self.assertEqual(survey.selinux(self.root), "disabled")
        for value, word in (("1", "enforcing"), ("0", "permissive")):
            self.write("/enforce", value)
            self.assertEqual(survey.selinux(self.root), word)

    def managers(self):
        self.write("/sys/class/net/eth0/ifindex", "7\n")
        return survey.network_managers(["eth0", "eth9"], self.root)

    def test_nobody_manages_the_interface(self):
        self.assertEqual(self.managers(), [])
        self.write("/run/systemd/netif/links/7", "ADMIN_STATE=unmanaged\n")
        self.write("/run/NetworkManager/devices/7", "[device]\nmanaged=false\n")
        self.assertEqual(self.managers(), [])

    def test_networkd_drops_the_vip_unless_told_to_keep_it(self):
        self.write("/run/systemd/netif/links/7", LINK)
        self.write("/etc/systemd/network/10-eth0.network", "[Network]\nDHCP=yes\n")
        self.assertEqual(
            self.managers(),
            [
                {
                    "interface": "eth0",
                    "manager": "systemd-networkd",
                    "file": "/etc/systemd/network/10-eth0.network",
                    "keeps": False,
                }
            ],
        )
        self.write("/etc/systemd/network/10-eth0.network.d/keep.conf", "[Network]\nKeepConfiguration=static\n")
        self.assertTrue(self.managers()[0]["keeps"])

    def test_the_last_word_about_keeping_counts(self):
        self.assertTrue(survey.keeps_configuration(["KeepConfiguration=no", "KeepConfiguration=yes"]))
        self.assertFalse(survey.keeps_configuration(["KeepConfiguration=yes", "KeepConfiguration=dhcp"]))
        self.assertFalse(survey.keeps_configuration([None, "# KeepConfiguration=yes"]))

    def test_network_manager(self):
        self.write("/run/NetworkManager/devices/7", "[device]\nmanaged=true\nconnection-uuid=1\n")
        self.assertEqual(
            self.managers(), [{"interface": "eth0", "manager": "NetworkManager", "file": None, "keeps": False}]
        )
