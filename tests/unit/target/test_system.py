# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What touches the machine: commands, files, processes."""

from __future__ import absolute_import, division, print_function

import errno
import io
import os
import pwd
import select
import shutil
import stat
import sys
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import system
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type

IP_ADDR = "2: eth0    inet 10.98.0.1/24 scope global eth0\n"
IP_LINK = "2: eth0: <UP> mtu 1500 qdisc noqueue\\    link/ether 52:54:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n"


class Runner(object):
    """Answers commands by their second and third word."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def __call__(self, argv):
        self.asked.append(argv)
        for words, answer in self.answers.items():
            if all(word in argv for word in words.split()):
                return answer
        return 127, "", "%s: not installed" % argv[0]


class CommandTest(unittest.TestCase):
    def test_runs_a_command(self):
        self.assertEqual(system.run_command([sys.executable, "-c", "print('x')"], 60), (0, "x\n", ""))

    def test_a_command_that_hangs_is_killed(self):
        code = system.run_command([sys.executable, "-c", "import time; time.sleep(60)"], 0.3)[0]
        self.assertEqual(code, -9)

    def test_a_command_that_is_not_there(self):
        self.assertEqual(system.run_command(["no-such-program-here"]), (127, "", "no-such-program-here: not installed"))
        self.assertEqual(system.run_command(["/no/such/program"])[0], 126)

    def test_reads_interfaces(self):
        machine = system.System(Runner({"addr show": (0, IP_ADDR, ""), "link show": (0, IP_LINK, "")}))
        self.assertEqual(machine.interfaces(), [{
            "name": "eth0", "mac": "52:54:00:00:00:01", "addresses": [{"address": "10.98.0.1", "prefix": 24}]}])

    def test_a_host_without_ip_is_told_what_to_install(self):
        with self.assertRaises(NodeError) as caught:
            system.System(Runner({})).interfaces()
        self.assertEqual(str(caught.exception),
                         "ip -o addr show: failed with 127 (ip: not installed); install iproute2")

    def test_holds_and_removes_addresses(self):
        asked = []
        original, system.netlink.change = system.netlink.change, lambda *arguments: asked.append(arguments)
        self.addCleanup(setattr, system.netlink, "change", original)
        system.System.hold_address("192.0.2.100")
        system.System.remove_address("192.0.2.100", 24, "eth0")
        self.assertEqual([(entry[0], entry[2], entry[3]) for entry in asked], [
            ("holding 192.0.2.100 on lo", "lo", (errno.EEXIST,)),
            ("removing 192.0.2.100/24 from eth0", "eth0", (errno.EADDRNOTAVAIL, errno.ENODEV))])
        self.assertEqual([entry[1](7) for entry in asked], [
            system.netlink.addition("192.0.2.100", 7), system.netlink.removal("192.0.2.100", 24, 7)])

    def end_of(self, command):
        for _look in range(1000):
            result = command.result()
            if result is not None:
                return result
            select.select([command], [], [], 1)
        raise AssertionError("did not end")

    def test_a_command_beside_us(self):
        command = system.System.start([sys.executable, "-c", "import sys; print('x'); sys.exit(3)"])
        self.assertEqual(self.end_of(command), (3, "x"))
        command = system.System.start([sys.executable, "-c", "import time; time.sleep(60)"])
        self.assertIsNone(command.result())
        command.kill()
        self.assertEqual(self.end_of(command), (-9, ""))
        for argv, problem in ((["no-such-program-here"], "no-such-program-here: not installed"),
                              (["/no/such/program"], "/no/such/program: No such file or directory")):
            with self.assertRaises(NodeError) as caught:
                system.System.start(argv)
            self.assertTrue(str(caught.exception).startswith(problem), str(caught.exception))

    def test_who_asks_depends_on_the_address(self):
        interfaces = [{"name": "eth0", "mac": "52:54:00:00:00:01", "addresses": []},
                      {"name": "tun0", "mac": None, "addresses": []}]
        for address, protocol in (("192.0.2.100", "ARP"), ("2001:db8::100", "ND")):
            for name, problem in (
                ("eth9", "%s for %s: this host has no interface eth9; name one of eth0, tun0"),
                ("tun0", "%s for %s: interface tun0 has no Ethernet address; name one that has"),
            ):
                with self.assertRaises(NodeError) as caught:
                    system.System().asker(interfaces, name, address, [])
                self.assertEqual(str(caught.exception), problem % (protocol, address))
        with self.assertRaises(NodeError) as caught:
            system.System().asker(interfaces, "eth0", "2001:db8::100", [])
        self.assertIn("ND on eth0: it has no IPv6 address of its own", str(caught.exception))

    def test_claims_are_heard_on_ethernet_only(self):
        interfaces = [{"name": "eth0", "mac": "52:54:00:00:00:01", "addresses": []},
                      {"name": "tun0", "mac": None, "addresses": []}]
        for name in ("eth7", "tun0"):
            with self.assertRaises(NodeError) as caught:
                system.System.claims(interfaces, name, ["192.0.2.10", "192.0.2.11"])
            self.assertEqual(
                str(caught.exception),
                "claims of 192.0.2.10, 192.0.2.11: this host has no interface %s with an Ethernet address; see that "
                "it is there" % name)

    def test_claims_of_every_interface_of_ours_are_our_own(self):
        made = []
        originals = system.arp.Claims, system.nd.Claims
        system.arp.Claims = lambda *arguments: made.append(("ARP",) + arguments)
        system.nd.Claims = lambda *arguments: made.append(("ND",) + arguments)
        interfaces = [{"name": "lo", "mac": "00:00:00:00:00:00", "addresses": []},
                      {"name": "bond0", "mac": "52:54:00:00:00:01", "addresses": []},
                      {"name": "eth1", "mac": "52:54:00:00:00:02", "addresses": []}]
        try:
            for address in ("192.0.2.10", "2001:db8::10"):
                system.System.claims(interfaces, "bond0", [address])
        finally:
            system.arp.Claims, system.nd.Claims = originals
        own = ["52:54:00:00:00:01", "52:54:00:00:00:02"]
        self.assertEqual(made, [("ARP", "bond0", own[0], own, ["192.0.2.10"]),
                                ("ND", "bond0", own[0], own, ["2001:db8::10"])])

    def test_keepalived_tells_its_version_on_stderr(self):
        runner = Runner({"keepalived --version": (0, "", "Keepalived v2.2.7 (01/16,2022)\n")})
        self.assertEqual(system.System(runner).keepalived_version(), "2.2.7")
        self.assertIsNone(system.System(Runner({})).keepalived_version())

    def test_asks_systemd_for_its_version(self):
        for text, expected in (
            ("systemd 219\n+PAM +AUDIT", 219),
            ("systemd 252 (252.39-1~deb12u2)\n+PAM", 252),
            ("Failed to connect to bus", None),
        ):
            runner = Runner({"systemctl --version": (0, text, "")})
            self.assertEqual(system.System(runner).systemd_version(), expected)
        self.assertIsNone(system.System(Runner({})).systemd_version())

    def test_systemd_says_why_a_service_ended(self):
        for answer, expected in [
            ((0, "Result=signal\nActiveState=failed\n", ""), "signal"),
            ((0, "Result=success\nActiveState=inactive\n", ""), "success"),
            ((0, "Result=success\nActiveState=active\n", ""), None),
            ((1, "", "no bus"), None), ((0, "", ""), None),
        ]:
            self.assertEqual(system.System(Runner({"systemctl show": answer})).service_result(), expected)


class DirectoryCase(unittest.TestCase):
    def setUp(self):
        self.base = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)

    def path(self, name, text=None):
        path = os.path.join(self.base, name)
        if text is not None:
            with io.open(path, "w") as target:
                target.write(text)
        return path


class FileTest(DirectoryCase):
    def test_writes_whole_files_only(self):
        path = self.path("state.json", u"old")
        system.write_atomically(path, u"new")
        self.assertEqual(system.read_text(path), "new")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o644)
        self.assertEqual(os.listdir(self.base), ["state.json"])
        os.mkdir(self.path("taken"))
        self.assertRaises((IOError, OSError), system.write_atomically, self.path("taken"), u"new")
        self.assertEqual(sorted(os.listdir(self.base)), ["state.json", "taken"])

    def test_reads_the_description_or_says_what_is_wrong(self):
        path = self.path("ha-pair.json", u'{"schema": 1, "instances": {"web": {}}}')
        self.assertEqual(system.System(description_file=path).description()["instances"], {"web": {}})
        self.assertIsNone(system.System(description_file=self.path("absent")).description())
        self.assertIsNone(system.System(description_file=self.path("absent")).description_stamp())
        cure = "run the keepalived role again, it writes the file"
        for text, problem in [(u"{", "not JSON"), (u"[]", "not a description of schema 1"),
                              (u'{"schema": 2, "instances": {}}', "not a description of schema 1"),
                              (u'{"schema": 1}', "not a description of schema 1")]:
            with self.assertRaises(NodeError) as caught:
                system.System(description_file=self.path("ha-pair.json", text)).description()
            self.assertTrue(str(caught.exception).startswith("%s: %s" % (path, problem)), str(caught.exception))
            self.assertTrue(str(caught.exception).endswith(cure))

    def test_makes_a_directory_for_an_account(self):
        mine = pwd.getpwuid(os.geteuid()).pw_name
        path = os.path.join(self.base, "a", "failing")
        self.assertTrue(system.System.make_directory(path, mine))
        self.assertFalse(system.System.make_directory(path, mine))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o755)
        with self.assertRaises(NodeError) as caught:
            system.System.make_directory(path + "2", "no-such-account")
        self.assertEqual(str(caught.exception), "%s2: cannot be made (there is no account no-such-account); "
                                                "run the node_tools role again" % path)
        self.path("file", u"")
        with self.assertRaises(NodeError) as caught:
            system.System.make_directory(self.path("file"), mine)
        self.assertEqual(str(caught.exception), "%s: cannot be made (File exists); remove what is in its place"
                         % self.path("file"))
        if os.geteuid() == 0:
            self.assertTrue(system.System.make_directory(path + "3", "nobody"))
            self.assertEqual(os.stat(path + "3").st_uid, pwd.getpwnam("nobody").pw_uid)

    def test_a_planted_dump_is_not_read(self):
        link = self.path("link")
        os.symlink("/etc/passwd", link)
        self.assertIn("is a symbolic link; somebody planted it", system.System._read_trusted(link)[1])
        self.assertIn("is not a regular file; somebody planted it", system.System._read_trusted(self.base)[1])
        self.assertIn("cannot be read (No such file", system.System._read_trusted(self.path("absent"))[1])
        if os.geteuid() == 0:
            self.assertEqual(system.System._read_trusted(self.path("own", u"text")), ("text", None))


class DaemonTest(DirectoryCase):
    def setUp(self):
        DirectoryCase.setUp(self)
        self.addCleanup(setattr, system, "PID_FILES", system.PID_FILES)
        self.addCleanup(setattr, system, "CHILD_PID_FILES", system.CHILD_PID_FILES)
        system.PID_FILES = system.CHILD_PID_FILES = (self.path("keepalived.pid"),)

    def test_a_pid_file_alone_proves_nothing(self):
        machine = system.System()
        self.assertIsNone(machine.daemon())
        for text in (u"", u"junk", u"%d\n" % os.getpid(), u"4194303\n"):
            self.path("keepalived.pid", text)
            self.assertIsNone(machine.daemon(), text)

    def test_a_process_of_that_name_is_the_daemon(self):
        self.addCleanup(setattr, system.keepalived_data, "PARENT_NAMES", system.keepalived_data.PARENT_NAMES)
        machine = system.System()
        mine = machine.process(os.getpid())
        system.keepalived_data.PARENT_NAMES = (mine["comm"],)
        self.path("keepalived.pid", u"%d\n" % os.getpid())
        parent = machine.process(os.getppid())
        if parent and parent["comm"] == mine["comm"]:
            self.skipTest("the test runs below a process of its own name")
        daemon = machine.daemon()
        self.assertEqual((daemon["pid"], daemon["starttime"]), (os.getpid(), mine["starttime"]))
        self.assertTrue(0 < machine.now() - daemon["since"] < 86400)

    def test_the_vrrp_process_is_the_daemons_child(self):
        self.path("keepalived.pid", u"%d\n" % os.getpid())
        machine = system.System()
        self.assertEqual(machine.vrrp_process({"pid": os.getppid()})["pid"], os.getpid())
        self.assertIsNone(machine.vrrp_process({"pid": os.getpid()}))

    def test_kills_the_parent_first_and_then_its_children(self):
        killed = []
        machine = system.System()
        machine.process = {10: {"ppid": 1, "starttime": 5}, 11: {"ppid": 10, "starttime": 6}}.get
        machine._children = lambda parent: [11, 12] if parent == 10 else []
        original, system.os.kill = system.os.kill, lambda pid, signum: killed.append((pid, signum))
        self.addCleanup(setattr, system.os, "kill", original)
        machine.kill_daemon({"pid": 10, "starttime": 4})
        self.assertEqual(killed, [(11, 9)])
        del killed[:]
        machine.kill_daemon({"pid": 10, "starttime": 5})
        self.assertEqual(killed, [(10, 9), (11, 9)])

        def refuse(_pid, _signum):
            raise OSError(errno.EPERM, "Operation not permitted")

        system.os.kill = refuse
        with self.assertRaises(NodeError) as caught:
            machine.kill_daemon({"pid": 10, "starttime": 5})
        self.assertEqual(str(caught.exception), "keepalived (pid 10): process 10 cannot be killed "
                                                "(Operation not permitted); run as root")

    def test_knows_the_children_of_a_process(self):
        self.assertIn(os.getpid(), system.System()._children(os.getppid()))

    def test_a_daemon_that_would_die_of_the_question_is_not_asked(self):
        self.path("keepalived.pid", u"%d\n" % os.getpid())
        with self.assertRaises(NodeError) as caught:
            system.System().dump({"pid": os.getppid()}, 0.1)
        self.assertIn("does not take SIGUSR1 yet; ask again", str(caught.exception))
        with self.assertRaises(NodeError) as caught:
            system.System().dump({"pid": os.getpid()}, 0.1)
        self.assertIn("its VRRP process is not there yet", str(caught.exception))

    def test_a_dump_tells_the_advert_intervals_too(self):
        fixture = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "dump_2.2.7_master.txt")
        machine = system.System()
        machine._stamp = lambda _path: "new"
        machine._read_trusted = lambda _path: (system.read_text(fixture), None)
        self.assertEqual(machine._await_dump("dump", "old", 5.0, "keepalived")["web"]["advert_interval"], 0.25)
