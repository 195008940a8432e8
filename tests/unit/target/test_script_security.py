# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which scripts keepalived or SELinux would not let run."""

from __future__ import absolute_import, division, print_function

import errno
import os
import stat
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import scripts

try:
    from ansible.module_utils import basic
except ImportError:
    basic = None

__metaclass__ = type

PATH = "/usr/libexec/keepalived/check"
OUTSIDE = "/srv/checks/queue"
LINK = "/srv/checks/link"


class Seen(object):
    def __init__(self, kind, mode, uid=0, gid=0):
        self.st_mode, self.st_uid, self.st_gid = kind | mode, uid, gid


class Files(object):
    def __init__(self, real=None, selinux=None, **changed):
        self.links = real or {}
        self.selinux = selinux
        self.seen = {}
        for path in (PATH, OUTSIDE):
            for step in scripts.steps(path)[:-1]:
                self.seen[step] = Seen(stat.S_IFDIR, 0o755)
            self.seen[path] = Seen(stat.S_IFREG, 0o755)
        self.seen.update(changed.pop("seen", {}))
        self.accounts = {"root": (0, 0), "keepalived_script": (990, 991)}

    def lstat(self, path):
        if path not in self.seen:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self.seen[path]

    def realpath(self, path):
        return self.links.get(path, path)

    def account(self, user):
        return self.accounts.get(user)

    def selinux_type(self, _path):
        return self.selinux


def problems(path=PATH, user="keepalived_script", enforcing=False, **changed):
    return scripts.problems_of(path, user, enforcing, Files(**changed))


def regular(mode, uid=0, gid=0):
    return {"seen": {PATH: Seen(stat.S_IFREG, mode, uid, gid)}}


def linked(real, uid=0):
    """A link to a program elsewhere, as update-alternatives makes them."""
    bad = {"/opt": Seen(stat.S_IFDIR, 0o755), "/opt/bad": Seen(stat.S_IFDIR, 0o777)}
    seen = {LINK: Seen(stat.S_IFLNK, 0o777, uid), "/opt/bad/check": Seen(stat.S_IFREG, 0o755)}
    return {"path": LINK, "real": {LINK: real}, "seen": dict(bad, **seen)}


def directory(mode, uid=0, gid=0):
    return {"seen": {"/usr/libexec": Seen(stat.S_IFDIR, mode, uid, gid)}}


class ProblemsTest(unittest.TestCase):
    def test_a_script_of_root_in_a_directory_of_root_is_fine(self):
        for user in ("root", "keepalived_script", "not-there-yet"):
            self.assertEqual(problems(user=user), [])
        self.assertEqual(problems(path="/usr/libexec//keepalived/./check"), [])

    def test_each_problem_names_place_value_and_cure(self):
        unsafe = "%s: %s %s, so it is not safe to run%s; chown root:root %s && chmod go-w %s"
        within = " what lies in it"
        others = "can be changed by others than root (mode %s)"
        table = [
            (
                {"path": "check"},
                "check: is not an absolute path; write the path from the root",
            ),
            (
                {"path": PATH + "s"},
                "%ss: is not there (%ss: No such file or directory); install it first" % (PATH, PATH),
            ),
            (
                {"seen": {PATH: Seen(stat.S_IFDIR, 0o755)}},
                "%s: is not a regular file; write the path of a program" % PATH,
            ),
            (
                {"seen": {"/usr/libexec": Seen(stat.S_IFREG, 0o755)}},
                "%s: /usr/libexec is not a directory; write the path of a program" % PATH,
            ),
            (
                regular(0o644),
                "%s: keepalived_script cannot execute it (mode 0644); chmod 0755 %s" % (PATH, PATH),
            ),
            (
                directory(0o700),
                "%s: keepalived_script cannot search /usr/libexec (mode 0700); chmod +x /usr/libexec" % PATH,
            ),
            (
                regular(0o757),
                unsafe % (PATH, PATH, others % "0757", "", PATH, PATH),
            ),
            (
                regular(0o775, gid=50),
                unsafe % (PATH, PATH, others % "0775", "", PATH, PATH),
            ),
            (
                regular(0o755, uid=1000),
                unsafe % (PATH, PATH, "belongs to uid 1000 and not to root", "", PATH, PATH),
            ),
            (
                directory(0o777),
                unsafe % (PATH, "/usr/libexec", others % "0777", within, "/usr/libexec", "/usr/libexec"),
            ),
            (
                {"real": {"/lib": "/usr/libexec/keepalived", "/lib/check": PATH}, "path": "/lib/check"},
                "/lib/check: leads through a directory that is a symbolic link, and keepalived 2.3.0 and newer drop "
                "such a script when root runs it; write %s" % PATH,
            ),
            (
                linked(PATH, uid=1000),
                unsafe % (LINK, LINK, "belongs to uid 1000 and not to root", "", LINK, LINK),
            ),
            (
                linked("/opt/bad/check"),
                unsafe % (LINK, "/opt/bad", others % "0777", within, "/opt/bad", "/opt/bad"),
            ),
            (
                {"path": OUTSIDE, "enforcing": True},
                "%s: lies outside of /usr/libexec/keepalived, and SELinux, which is enforcing, confines what "
                "keepalived starts from there; move it into that directory and run restorecon on it" % OUTSIDE,
            ),
        ]
        for changed, expected in table:
            self.assertEqual(problems(**changed), [expected])

    def test_what_is_no_problem(self):
        table = [
            # Root's own group may write, and nobody can exchange what is another's in a sticky directory.
            regular(0o775, gid=0),
            directory(0o1777),
            # The group that counts is the account's own.
            regular(0o750, gid=991),
            {"path": OUTSIDE},
            # A program may be a link, as long as both its places are safe.
            linked(PATH),
            {"path": PATH, "enforcing": True},
            {"path": OUTSIDE, "enforcing": True, "selinux": scripts.SCRIPT_TYPE},
        ]
        for changed in table:
            self.assertEqual(problems(**changed), [])

    def test_who_may_execute(self):
        table = [
            ("root", 0o644, 0, 0, False),
            ("root", 0o601, 0, 0, True),
            ("keepalived_script", 0o655, 990, 0, False),  # the owner's bits count for the owner
            ("keepalived_script", 0o745, 0, 991, False),
            ("keepalived_script", 0o754, 0, 0, False),
            ("not-there-yet", 0o755, 0, 0, True),
            ("not-there-yet", 0o750, 0, 0, False),
        ]
        for user, mode, uid, gid, expected in table:
            account = Files().account(user)
            self.assertEqual(scripts.may_execute(Seen(stat.S_IFREG, mode, uid, gid), account), expected)

    def test_the_real_machine(self):
        files = scripts.Files()
        self.assertEqual(files.account("root"), (0, 0))
        self.assertIsNone(files.account("no-such-account-here"))
        self.assertEqual(stat.S_IFMT(files.lstat("/").st_mode), stat.S_IFDIR)


@unittest.skipIf(basic is None, "ansible is not installed for this Python")
class ModuleTest(unittest.TestCase):
    def test_it_says_and_never_fails(self):
        from ansible_collections.duplex.ha_pair.plugins.modules import script_security

        done = []

        class Module(object):
            def __init__(self, argument_spec, supports_check_mode):
                self.params = {name: option.get("default") for name, option in argument_spec.items()}
                self.params.update(paths=["/nonexistent/check"], enforcing=None)
                self.check_mode = supports_check_mode

            @staticmethod
            def exit_json(**result):
                done.append(result)

        original = script_security.AnsibleModule
        script_security.AnsibleModule = Module
        try:
            script_security.main()
        finally:
            script_security.AnsibleModule = original
        self.assertEqual(done[0]["changed"], False)
        self.assertIn(done[0]["enforcing"], (True, False))
        self.assertEqual(
            done[0]["problems"],
            ["/nonexistent/check: is not there (/nonexistent: No such file or directory); install it first"],
        )


if __name__ == "__main__":
    unittest.main()
