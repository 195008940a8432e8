# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node says before its directories are mirrored, and how the other one's key is let in."""

from __future__ import absolute_import, division, print_function

import io
import os
import shutil
import stat
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import sync_marker
from ansible_collections.duplex.ha_pair.plugins.module_utils._sync import authorized, survey
from module_runs import ModuleRun, needs_ansible

__metaclass__ = type

PROGRAM = "/usr/libexec/keepalived/ha-pair-sync-receive"
OPTIONS = 'restrict,from="192.0.2.12",command="%s"' % PROGRAM
PEER, OWN = "192.0.2.12", "192.0.2.11"


class Case(ModuleRun):
    def setUp(self):
        self.base = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)

    def path(self, *parts):
        return os.path.join(self.base, *parts)

    def put(self, text, *parts):
        with io.open(self.path(*parts), "w", encoding="utf-8") as target:
            target.write(text.decode("utf-8") if isinstance(text, bytes) else text)

    def read(self, *parts):
        with io.open(self.path(*parts), encoding="utf-8") as source:
            return source.read()


class DirectoryTest(Case):
    def look(self, *parts):
        return survey.look_at(self.path(*parts), "data", self.path("lib"))

    def test_what_is_there(self):
        os.mkdir(self.path("data"))
        os.mkdir(self.path("data", ".ha-pair-partial"))
        found = {"kind": "directory", "real": self.path("data"), "empty": True, "marker": False, "open_parent": ""}
        self.assertEqual(self.look("data"), found)
        self.put("1", "data", "x")
        os.mkdir(self.path("lib"))
        self.put("{}", "lib", "data.json")
        self.assertEqual(self.look("data"), dict(found, empty=False, marker=True))
        # The name was that of another directory.
        for path, known in ((self.path("data"), True), (self.path("earlier"), False)):
            self.put(sync_marker.render(dict(sync_marker.new("node-a", 1.0), path=path)), "lib", "data.json")
            self.assertEqual(self.look("data")["marker"], known)

    def test_who_may_write_above_it(self):
        os.makedirs(self.path("one", "two", "data"))
        for mode, name, found in (
            (0o755, "two", ""),
            (0o777, "two", "two"),
            (0o1777, "two", ""),
            (0o777, "gone", "two"),
            (0o1777, "gone", ""),
        ):
            os.chmod(self.path("one", "two"), mode)
            told = survey.open_parent(self.path("one", "two", "data" if name == "two" else "gone"))
            self.assertEqual(told, self.path("one", "two") if found else "", (mode, name))
        # What belongs to the directory itself is the service's.
        os.chmod(self.path("one", "two"), 0o755)
        os.chmod(self.path("one", "two", "data"), 0o777)
        self.assertEqual(survey.open_parent(self.path("one", "two", "data")), "")

    def test_what_is_no_directory(self):
        self.assertEqual(self.look("gone")["kind"], "absent")
        self.put("1", "file")
        self.assertEqual(self.look("file")["kind"], "other")
        os.symlink(self.path("gone"), self.path("dangling"))
        self.assertEqual(self.look("dangling")["kind"], "other")
        os.mkdir(self.path("data"))
        os.symlink(self.path("data"), self.path("link"))
        self.assertEqual(self.look("link")["real"], self.path("data"))

    def test_accounts_by_number(self):
        users, groups = survey.accounts()
        self.assertEqual((users["root"], groups["root"]), (0, 0))

    def test_public_keys_without_their_comments(self):
        self.put("ssh-ed25519 AAAA root@node-a\n", "ssh_host_ed25519_key.pub")
        self.put("junk\n", "ssh_host_rsa_key.pub")
        self.assertEqual(survey.public_keys(self.path("ssh_host_*_key.pub")), ["ssh-ed25519 AAAA"])

    def test_programs(self):
        found = survey.programs(lambda name: "/usr/bin/rsync" if name == "rsync" else None)
        self.assertEqual((found["rsync"], found["lsyncd"]), (True, False))


class SshdTest(unittest.TestCase):
    def problems(self, text, port=22):
        return survey.sshd_problems(survey.parse_sshd("port 22\n" + text), port, PEER, OWN, ["root", "wheel"])

    def test_one_that_lets_a_key_of_root_in(self):
        for text in (
            "",
            "permitrootlogin without-password\npubkeyauthentication yes\nauthenticationmethods any\n",
            "permitrootlogin forced-commands-only\n",
            "allowusers alice\nallowusers root@192.0.2.*\n",
            "allowusers root\ndenyusers mallory\n",
            "authenticationmethods publickey publickey,password\n",
            "allowgroups admins wh*\ndenygroups guests\nforcecommand none\n",
            "listenaddress 198.51.100.1:22\nlistenaddress 192.0.2.11:22\n",
            "listenaddress [::]:22\nlistenaddress 0.0.0.0:22\n",
        ):
            self.assertEqual(self.problems(text), [], text)

    def test_one_that_does_not(self):
        for text, what, cure in (
            (
                "permitrootlogin no\n",
                "sshd has PermitRootLogin no, and the other node's key is root's",
                "set PermitRootLogin prohibit-password, or forced-commands-only, for 192.0.2.12 (Match Address "
                "192.0.2.12)",
            ),
            (
                "pubkeyauthentication no\n",
                "sshd has PubkeyAuthentication no",
                "set it to yes (Match Address 192.0.2.12)",
            ),
            (
                "authenticationmethods publickey,password\n",
                "sshd has AuthenticationMethods publickey,password, and a program has a key only",
                "have it take publickey alone (Match Address 192.0.2.12)",
            ),
            (
                "authorizedkeysfile none\n",
                "sshd has AuthorizedKeysFile none",
                "set it to .ssh/authorized_keys (Match Address 192.0.2.12)",
            ),
            ("port 2222\n", "sshd listens on port 22 and 2222, not on 2200", "give file_sync_port: 22"),
            (
                "allowusers alice\nallowusers root@198.51.100.1\n",
                "sshd has AllowUsers alice root@198.51.100.1, which is not root",
                "add root@192.0.2.12 to it",
            ),
            (
                "allowgroups admins\nallowgroups users\n",
                "sshd has AllowGroups admins users, of which root is in none",
                "add root to it",
            ),
            ("denygroups wheel\n", "sshd has DenyGroups wheel, in which root is", "take that group out of it"),
            (
                "forcecommand /usr/bin/menu -x\n",
                "sshd has ForceCommand /usr/bin/menu -x, which it runs instead of the other node's command",
                "set it to none (Match Address 192.0.2.12)",
            ),
            (
                "listenaddress 198.51.100.1:22\nlistenaddress 192.0.2.11:2222\n",
                "sshd has ListenAddress 198.51.100.1:22 192.0.2.11:2222, and the other node comes by 192.0.2.11 port "
                "22",
                "add ListenAddress 192.0.2.11",
            ),
            ("denyusers ro*\n", "sshd has DenyUsers ro*, which is root", "take root out of it"),
        ):
            port = 2200 if text.startswith("port") else 22
            self.assertEqual(self.problems(text, port), [(what, cure)], text)

    def test_the_groups_of_root(self):
        self.assertIn("root", survey.root_groups())

    def test_where_keys_are_looked_for(self):
        for words, path in (
            (".ssh/authorized_keys .ssh/authorized_keys2", "/root/.ssh/authorized_keys"),
            ("/etc/ssh/keys/%u", "/etc/ssh/keys/root"),
            ("%h/keys", "/root/keys"),
            ("none", None),
        ):
            self.assertEqual(survey.keys_path({"authorizedkeysfile": [words]}), path)
        self.assertEqual(survey.keys_path({}), "/root/.ssh/authorized_keys")


class AuthorizedTest(Case):
    def test_one_line_of_ours_and_all_of_the_others(self):
        line = OPTIONS + " ssh-ed25519 NEW ha-pair-sync"
        old = OPTIONS.replace("2.12", "2.99") + " ssh-ed25519 OLD ha-pair-sync"
        others = 'ssh-rsa AAAA alice\n# command="%s"\n' % PROGRAM
        for text, found in (
            ("", line + "\n"),
            (others, others + line + "\n"),
            ("ssh-rsa AAAA without an end", "ssh-rsa AAAA without an end\n" + line + "\n"),
            (old + "\n" + others + old + "\n", line + "\n" + others),
            (line + "\n", line + "\n"),
            ("one\r\n\n\x1cx\n", "one\r\n\n\x1cx\n" + line + "\n"),
        ):
            self.assertEqual(authorized.place(text, line, PROGRAM), found)
        self.assertEqual(authorized.place(old + "\n" + others, None, PROGRAM), others)

    def run_module(self, **given):
        arguments = {"path": self.path("ssh", "keys"), "key": "ssh-ed25519 AAAA", "key_options": OPTIONS}
        arguments.update(given, program=PROGRAM)
        return self.run_named("sync_authorized_key", arguments)

    @needs_ansible
    def test_the_module_writes_and_writes_no_second_time(self):
        self.assertTrue(self.run_module(_ansible_check_mode=True)["changed"])
        self.assertFalse(os.path.exists(self.path("ssh")))
        found = self.run_module(_ansible_diff=True)
        self.assertEqual((found["changed"], found["diff"]["before"]), (True, ""))
        self.assertEqual(self.read("ssh", "keys"), OPTIONS + " ssh-ed25519 AAAA ha-pair-sync\n")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("ssh", "keys")).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("ssh")).st_mode), 0o700)
        self.assertFalse(self.run_module()["changed"])

    @needs_ansible
    def test_the_module_keeps_what_is_others(self):
        os.mkdir(self.path("ssh"))
        with io.open(self.path("ssh", "real"), "wb") as target:
            target.write(b"ssh-rsa AAAA alice \xe9\n")
        os.chmod(self.path("ssh", "real"), 0o640)
        os.symlink("real", self.path("ssh", "keys"))
        found = self.run_module(_ansible_diff=True)
        self.assertNotIn("alice", found["diff"]["before"] + found["diff"]["after"])
        self.assertTrue(os.path.islink(self.path("ssh", "keys")))
        with io.open(self.path("ssh", "real"), "rb") as source:
            self.assertTrue(source.read().startswith(b"ssh-rsa AAAA alice \xe9\nrestrict,"))
        self.assertEqual(stat.S_IMODE(os.stat(self.path("ssh", "real")).st_mode), 0o640)
        self.assertTrue(self.run_module(key="")["changed"])
        with io.open(self.path("ssh", "real"), "rb") as source:
            self.assertEqual(source.read(), b"ssh-rsa AAAA alice \xe9\n")

    @needs_ansible
    def test_the_module_refuses_a_key_that_may_start_anything(self):
        found = self.run_module(key_options="restrict")
        self.assertEqual(found["msg"], "key_options: restrict does not start %s; name it there" % PROGRAM)


class ModuleTest(Case):
    @needs_ansible
    def test_the_survey_says_all_of_it(self):
        self.put("ssh-ed25519 AAAA ha-pair-sync of node-a\n", "key.pub")
        self.put("# managed\n\n192.0.2.12 ssh-ed25519 AAAA\n", "known")
        os.mkdir(self.path("data"))
        found = self.run_named(
            "sync_survey",
            {
                "directories": [{"name": "data", "path": self.path("data")}],
                "peer_address": PEER,
                "key": self.path("key"),
                "known_hosts": self.path("known"),
            },
        )["survey"]
        self.assertEqual(found["known_hosts"], ["192.0.2.12 ssh-ed25519 AAAA"])
        self.assertEqual(found["public_key"], "ssh-ed25519 AAAA")
        self.assertEqual(found["directories"]["data"]["kind"], "directory")
        self.assertEqual(found["users"]["root"], 0)
        self.assertIn("ssh", found["programs"])
        self.assertGreater(found["now"], os.stat(self.path("data")).st_mtime - 1)


if __name__ == "__main__":
    unittest.main()
