# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jars side by side, archives of classes, and what is found of services."""

from __future__ import absolute_import, division, print_function

import grp
import hashlib
import io
import os
import pwd
import shutil
import stat
import tempfile
import unittest

from module_runs import ModuleRun, needs_ansible

__metaclass__ = type

# Of whatever account runs the tests; what is given to another group needs root.
USER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name
needs_root = unittest.skipUnless(os.getuid() == 0, "needs root, as the role has it")

# Stands for a Java: writes where it is told to, as the JVM does at its end.
JAVA = """#!/bin/sh
for word; do case "$word" in
  -XX:ArchiveClassesAtExit=*) made=${word#*=}; echo archive of "$@" >"$made" ;;
  --fail) echo it does not work >&2; exit 3 ;;
  --hang) exec sleep 60 ;;
  --nothing) exec true ;;
  --link) rm -f "$made"; ln -s /etc/passwd "$made" ;;
  --hard) ln "$made" "$made.too" ;;
  --pipe) rm -f "$made"; mkfifo "$made" ;;
esac; done
"""


class InDirectory(ModuleRun):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def write(self, name, text, mode=0o644):
        with io.open(self.path(name), "w", encoding="utf-8") as target:
            target.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)


@needs_ansible
@needs_root
class JarTest(InDirectory):
    def bring(self, text, **given):
        """A release of the service whose jar holds this text."""
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
        source = self.write("incoming.jar", text, 0o600) if given.pop("there", True) else self.path("nowhere")
        arguments = {
            "name": "fetcher",
            "directory": self.directory,
            "release": digest[:16],
            "checksum": digest,
            "source": source,
            "group": GROUP,
        }
        arguments.update(given)
        return self.run_named("jar_release", arguments)

    def test_a_jar_comes_whole_for_root_and_its_group(self):
        done = self.bring("one")
        self.assertTrue(done["changed"], done)
        with io.open(done["path"], encoding="utf-8") as source:
            self.assertEqual(source.read(), "one")
        modes = [stat.S_IMODE(os.stat(path).st_mode) for path in (done["path"], os.path.dirname(done["path"]))]
        self.assertEqual(modes, [0o640, 0o750])
        self.assertFalse(os.path.exists(self.path("incoming.jar")))
        self.assertFalse(self.bring("one", there=False)["changed"])

    def test_the_one_before_stays_and_older_ones_go(self):
        first, second = self.bring("one"), self.bring("two")
        self.assertEqual(second["removed"], [])
        third = self.bring("three")
        self.assertEqual(third["removed"], [first["releases"][0]])
        # Back to the one before: it is there, and now the last that was in use.
        back = self.bring("two", there=False)
        self.assertTrue(back["changed"])
        self.assertEqual(back["path"], second["path"])
        self.assertEqual(self.bring("four")["removed"], [os.path.basename(os.path.dirname(third["path"]))])

    def test_what_the_unit_names_stays(self):
        # Two runs broke off before they wrote the unit.
        first = self.bring("one")
        unit = self.write("fetcher.service", "ExecStart=/usr/bin/java -jar %s\n" % first["path"])
        second = self.bring("two", unit=unit)
        third = self.bring("three", unit=unit)
        self.assertEqual(third["removed"], [os.path.basename(os.path.dirname(second["path"]))])
        self.assertTrue(os.path.exists(first["path"]))
        self.assertFalse(self.bring("three", there=False, unit=unit)["changed"])
        self.write("fetcher.service", "ExecStart=/usr/bin/java -jar %s\n" % third["path"])
        self.assertEqual(self.bring("four", unit=unit)["removed"], [first["releases"][0]])

    def test_another_jar_than_was_meant_is_refused(self):
        digest = hashlib.sha256(b"meant").hexdigest()
        done = self.bring("other", checksum=digest, release=digest[:16])
        self.assertIn("incoming.jar has sha256:", done["msg"])
        self.assertIn("not %s; fetch it again, or give its checksum" % digest, done["msg"])
        self.assertEqual(os.listdir(self.directory), ["incoming.jar"])

    def test_what_is_missing_is_named(self):
        self.assertIn("nowhere is not there; bring the jar to the node first", self.bring("one", there=False)["msg"])
        self.assertEqual(
            self.bring("one", group="no-such-group")["msg"],
            "group: no-such-group is not a group of the node; make it first",
        )

    def test_check_mode_says_what_would_come_and_go(self):
        done = self.bring("one", there=False, _ansible_check_mode=True, _ansible_diff=True)
        self.assertTrue(done["changed"])
        self.assertEqual(done["diff"]["before"], "")
        self.assertEqual(os.listdir(self.directory), [])


@needs_ansible
@needs_root
class ClassArchiveTest(InDirectory):
    def setUp(self):
        InDirectory.setUp(self)
        os.mkdir(self.path("bin"))
        self.java = self.write(os.path.join("bin", "java"), JAVA, 0o755)
        os.chmod(self.directory, 0o755)

    def make(self, *words, **given):
        command = [self.java, "-XX:ArchiveClassesAtExit=%s"] + list(words)
        arguments = {"command": command, "path": self.path("x.jsa"), "user": USER}
        arguments.update(given)
        return self.run_named("class_archive", arguments)

    def test_is_made_once_and_anew_for_other_words_or_another_java(self):
        self.assertTrue(self.make("--version")["changed"])
        self.assertFalse(self.make("--version")["changed"])
        self.assertTrue(self.make("--help")["changed"])
        self.write("release", 'JAVA_VERSION="21"\n')
        self.assertTrue(self.make("--help")["changed"])
        self.assertEqual(stat.S_IMODE(os.stat(self.path("x.jsa")).st_mode), 0o640)

    def test_a_program_that_fails_is_named_with_what_it_said(self):
        said = self.make("--fail")["msg"]
        self.assertIn("ended with 3 (it does not work); give arguments with which it ends well", said)
        self.assertFalse(os.path.exists(self.path("x.jsa")))

    def test_a_program_that_does_not_end_is_ended(self):
        self.assertIn("did not end by itself within 1 s", self.make("--hang", timeout=1)["msg"])

    def test_a_java_that_makes_none_is_named(self):
        command = [self.java, "--nothing", "-XX:ArchiveClassesAtExit=%s"]
        self.assertIn("made no archive", self.make(command=command)["msg"])
        self.assertIn("has no %s for the place", self.make(command=[self.java])["msg"])

    def test_root_copies_nothing_that_is_not_the_accounts_own(self):
        before = set(os.listdir(tempfile.gettempdir()))
        self.assertIn("cannot be read", self.make("--link")["msg"])
        for way in ("--hard", "--pipe"):
            self.assertIn("made by the program, is no file of its own", self.make(way)["msg"])
        self.assertFalse(os.path.exists(self.path("x.jsa")))
        left = set(os.listdir(tempfile.gettempdir())) - before
        self.assertEqual([name for name in left if name.startswith("ha-pair-classes.")], [])

    def test_check_mode_makes_none(self):
        done = self.make("--version", _ansible_check_mode=True)
        self.assertEqual((done["changed"], done["size"]), (True, None))
        self.assertFalse(os.path.exists(self.path("x.jsa")))


@needs_ansible
class SurveyTest(InDirectory):
    def test_tells_whose_an_account_and_a_number_are(self):
        services = [
            {"name": "one", "user": USER, "uid": os.getuid(), "paths": [self.directory, self.path("none")]},
            {"name": "two", "user": "no-such-account", "uid": 54321},
        ]
        os.makedirs(self.path("one", "a" * 16))
        found = self.run_named("java_survey", {"services": services, "directory": self.directory})["survey"]
        self.assertEqual(found["accounts"], {USER: os.getuid(), "no-such-account": None})
        self.assertEqual(found["uids"], {str(os.getuid()): USER})
        self.assertEqual(found["paths"]["one"], {self.directory: "writable", self.path("none"): "missing"})
        self.assertEqual(found["releases"], {"one": ["a" * 16], "two": []})
        self.assertEqual(found["groups"], {USER: GROUP, "no-such-account": None})
        self.assertEqual(found["named_groups"]["no-such-account"], None)

    def test_tells_whose_directories_are_and_what_binds_units(self):
        os.makedirs(self.path("report.timer.d"))
        os.makedirs(self.path("one.service.d"))
        bound = self.write("report.timer.d/ha-pair-one.conf", "")
        self.write("report.timer.d/ha-pair-other.conf", "")
        tracked = self.write("one.service.d/ha-pair.conf", "")
        services = [
            {"name": "one", "user": USER, "uid": os.getgid(), "own": [self.directory, self.path("none")]},
            {"name": "two", "user": USER, "uid": 54321},
        ]
        found = self.run_named("java_survey", {"services": services, "systemd_directory": self.directory})["survey"]
        self.assertEqual(found["owners"], {"one": {self.directory: USER}, "two": {}})
        self.assertEqual(found["drop_ins"], {"one": [bound, tracked], "two": []})
        self.assertEqual(found["gids"], {str(os.getgid()): GROUP})

    def stale(self, started, active="active", reload="no"):
        """Which of the units are stale, by what systemctl says; the file of one was written in 2026-11-22 09:53:18."""
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        program = os.path.join(directory, "systemctl")
        with io.open(program, "w", encoding="utf-8") as target:
            target.write(
                u"#!/bin/sh\n[ $TZ = UTC ] && printf 'ActiveState=%s\\nExecMainStartTimestamp=%s\\n"
                u"NeedDaemonReload=%s\\n'\n" % (active, started, reload)
            )
        os.chmod(program, 0o755)
        old, new = self.write("old", u""), self.write("new", u"")
        os.utime(old, (0, 1795341120))
        os.utime(new, (0, 1795341198.9))
        units = [
            {"name": "one.service", "files": [new, old]},
            {"name": "two.service", "files": [old, self.path("none")]},
        ]
        path = os.environ["PATH"]
        os.environ["PATH"] = directory + os.pathsep + path
        try:
            return self.run_named("java_survey", {"units": units})["survey"]["stale"]
        finally:
            os.environ["PATH"] = path

    def test_tells_what_started_before_it_was_written(self):
        self.assertEqual(self.stale("Sun 2026-11-22 09:53:17 UTC"), ["one.service"])
        # After the restart nothing is left to do, also when it was within the second of the writing.
        for later in ("Sun 2026-11-22 09:53:18 UTC", "Sun 2026-11-22 10:00:00 UTC"):
            self.assertEqual(self.stale(later), [])
        self.assertEqual(self.stale("Sun 2026-11-22 10:00:00 UTC", reload="yes"), ["one.service", "two.service"])
        # What does not run has nothing to start anew.
        self.assertEqual(self.stale("Sun 2026-11-22 09:53:17 UTC", active="inactive", reload="yes"), [])
        self.assertEqual(self.stale(""), [])
