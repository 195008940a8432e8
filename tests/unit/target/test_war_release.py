# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How archives are unpacked, which releases are kept, and how files are put back."""

from __future__ import absolute_import, division, print_function

import io
import os
import shutil
import stat
import tarfile
import tempfile
import unittest
import zipfile

from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._tomcat import archive, releases, snapshot, survey

from module_runs import ModuleRun, needs_ansible

__metaclass__ = type

OLDEST, OLD, NEW = "a" * 16, "b" * 16, "c" * 16


class InDirectory(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def write(self, name, data=b"", mode=0o644):
        path = self.path(name)
        with io.open(path, "wb") as target:
            target.write(data)
        os.chmod(path, mode)
        return path

    def read(self, *names):
        with io.open(self.path(*names), "rb") as source:
            return source.read()

    def refusal(self, call, *arguments):
        with self.assertRaises(NodeError) as caught:
            call(*arguments)
        return str(caught.exception)


class ArchiveTest(InDirectory):
    def war(self, entries):
        path = self.path("x.war")
        with zipfile.ZipFile(path, "w") as target:
            for name, data in entries:
                target.writestr(name, data)
        return path

    def test_a_war_appears_whole_and_can_be_read_by_the_group(self):
        war = self.war([("WEB-INF/", b""), ("WEB-INF/web.xml", b"<web-app/>"), ("index.html", b"hello")])
        archive.unpack(war, self.path("new"))
        self.assertEqual(self.read("new", "WEB-INF", "web.xml"), b"<web-app/>")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("new", "index.html")).st_mode), 0o640)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("new", "WEB-INF")).st_mode), 0o750)
        self.assertEqual(sorted(os.listdir(self.directory)), ["new", "x.war"])

    def test_everything_is_on_the_disk_before_it_appears(self):
        synced, fsync, rename = [], os.fsync, os.rename

        def note(descriptor):
            synced.append(os.readlink("/proc/self/fd/%d" % descriptor))
            fsync(descriptor)

        def move(source, target):
            self.assertEqual(sorted(path[len(source):] for path in synced), ["", "/WEB-INF", "/WEB-INF/web.xml"])
            rename(source, target)

        os.fsync, os.rename = note, move
        try:
            archive.unpack(self.war([("WEB-INF/web.xml", b"<web-app/>")]), self.path("new"))
        finally:
            os.fsync, os.rename = fsync, rename
        self.assertEqual(synced[-1], os.path.realpath(self.directory))

    def test_a_file_keeps_the_time_of_the_archive(self):
        path = self.path("x.war")
        with zipfile.ZipFile(path, "w") as target:
            target.writestr(zipfile.ZipInfo("a.jsp", (2020, 1, 2, 3, 4, 6)), b"")
        archive.unpack(path, self.path("new"))
        self.assertLess(os.stat(self.path("new", "a.jsp")).st_mtime, 1578100000)

    def test_nothing_is_written_outside(self):
        for name in ("../evil", "/evil", "a/../../evil", "a\\evil"):
            message = self.refusal(archive.unpack, self.war([("good", b""), (name, b"")]), self.path("new"))
            self.assertIn("holds the path", message)
            self.assertEqual(os.listdir(self.directory), ["x.war"])

    def test_a_link_is_refused(self):
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        message = self.refusal(archive.unpack, self.war([(link, "/etc/passwd")]), self.path("new"))
        self.assertEqual(message, "holds the link 'link', which is not unpacked; build it without links")

    def test_what_is_no_archive_is_refused(self):
        message = self.refusal(archive.unpack, self.write("x.war", b"<html>not found</html>"), self.path("new"))
        self.assertEqual(message, "is neither a WAR nor a tarball; see what lies at its source")
        self.assertEqual(self.refusal(archive.unpack, self.war([]), self.path("new")), "holds nothing; build it anew")
        self.assertEqual(os.listdir(self.directory), ["x.war"])

    def test_a_damaged_archive_leaves_nothing(self):
        war = self.war([("a", b"x" * 1000)])
        with io.open(war, "r+b") as target:
            target.seek(200)
            target.write(b"y" * 10)
        self.assertIn("cannot be unpacked", self.refusal(archive.unpack, war, self.path("new")))
        self.assertEqual(os.listdir(self.directory), ["x.war"])

    def test_what_a_killed_run_left_goes(self):
        os.mkdir(self.path(".new.4711"))
        archive.unpack(self.war([("a", b"")]), self.path("new"))
        self.assertEqual(sorted(os.listdir(self.directory)), ["new", "x.war"])

    def test_a_tarball_loses_its_first_directory_and_keeps_what_can_be_run(self):
        path = self.path("x.tar.gz")
        with tarfile.open(path, "w:gz") as target:
            for name, mode in (("apache-tomcat-9/bin/catalina.sh", 0o750), ("apache-tomcat-9/conf/web.xml", 0o600)):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = 2, mode
                target.addfile(entry, io.BytesIO(b"hi"))
        archive.unpack(path, self.path("new"), strip=1)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("new", "bin", "catalina.sh")).st_mode), 0o750)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("new", "conf", "web.xml")).st_mode), 0o640)

    def test_a_link_in_a_tarball_is_refused(self):
        path = self.path("x.tar.gz")
        with tarfile.open(path, "w:gz") as target:
            entry = tarfile.TarInfo("a/b")
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            target.addfile(entry)
        message = self.refusal(archive.unpack, path, self.path("new"))
        self.assertEqual(message, "holds 'a/b', which is neither a file nor a directory; take Apache's own tarball")

    def test_the_digest(self):
        self.assertEqual(archive.sha256(self.write("a", b"abc"))[:16], "ba7816bf8f01cfea")


class ReleasesTest(InDirectory):
    def test_only_releases_count(self):
        for number, name in enumerate((NEW, OLD, ".history", "notes")):
            os.mkdir(self.path(name))
            os.utime(self.path(name), (number, number))
        self.write("d" * 16)
        self.assertEqual(releases.present(self.directory), [NEW, OLD])
        self.assertEqual(releases.present(self.path("missing")), [])

    def test_the_history_is_written_and_read(self):
        self.assertEqual(releases.history(self.directory), [])
        releases.write_history(self.directory, [OLD, NEW])
        self.assertEqual(releases.history(self.directory), [OLD, NEW])
        self.write(releases.HISTORY_FILE, b"broken")
        self.assertEqual(releases.history(self.directory), [])

    def test_what_runs_again_is_the_last_one(self):
        self.assertEqual(releases.noted([OLD, NEW], OLD), [NEW, OLD])
        self.assertEqual(releases.noted([OLD, NEW], NEW), [OLD, NEW])

    def test_the_one_before_is_the_last_that_ran_and_is_there(self):
        self.assertEqual(releases.previous([OLDEST, OLD, NEW], [OLDEST, NEW], NEW), OLDEST)
        self.assertEqual(releases.previous([NEW], [OLD, NEW], NEW), None)

    def test_this_one_stays_and_what_ran_last(self):
        there = [OLDEST, OLD, NEW]
        self.assertEqual(releases.to_remove(there, [OLDEST, OLD, NEW], NEW, 2), [OLDEST])
        self.assertEqual(releases.to_remove(there, [OLD, OLDEST, NEW], NEW, 2), [OLD])
        self.assertEqual(releases.to_remove(there, [NEW], NEW, 2), [OLDEST])
        self.assertEqual(releases.to_remove(there, [], OLDEST, 1), [OLD, NEW])
        self.assertEqual(releases.to_remove(there, [OLD, NEW], NEW, 5), [])

    def test_what_is_needed_to_go_back_stays(self):
        there = [OLDEST, OLD, NEW]
        # OLD has run and was never proved; OLDEST ran before.
        self.assertEqual(releases.to_remove(there, [OLDEST, OLD, NEW], NEW, 2, [OLDEST]), [OLD])
        self.assertEqual(releases.to_remove(there, [OLDEST, OLD, NEW], NEW, 1, [OLDEST, NEW]), [OLD])


class SnapshotTest(InDirectory):
    def test_files_come_back_with_mode_and_those_that_were_not_there_go(self):
        os.mkdir(self.path("conf"))
        kept = self.write("conf/kept.xml", b"old", 0o640)
        link = self.path("link")
        os.symlink("conf", link)
        snapshot.save(self.path("before"), [kept, link, self.path("later")], [self.path("conf")])
        self.write("conf/kept.xml", b"new", 0o600)
        self.write("conf/added.xml", b"new")
        self.write("later", b"new")
        os.unlink(link)
        index = snapshot.read_index(self.path("before"))
        paths = snapshot.differing(self.path("before"), index)
        self.assertEqual(
            sorted(paths), sorted([kept, link, self.path("later"), self.path("conf", "added.xml")])
        )
        snapshot.restore(self.path("before"), index, paths)
        self.assertEqual(self.read("conf", "kept.xml"), b"old")
        self.assertEqual(stat.S_IMODE(os.stat(kept).st_mode), 0o640)
        self.assertEqual(os.readlink(link), "conf")
        self.assertEqual(sorted(os.listdir(self.directory)), ["before", "conf", "link"])
        self.assertEqual(os.listdir(self.path("conf")), ["kept.xml"])
        self.assertEqual(snapshot.differing(self.path("before"), index), [])

    def test_a_second_snapshot_takes_the_place_of_the_first(self):
        path = self.write("a", b"one")
        snapshot.save(self.path("before"), [path], [])
        self.write("a", b"two")
        snapshot.save(self.path("before"), [path], [])
        self.assertEqual(snapshot.differing(self.path("before"), snapshot.read_index(self.path("before"))), [])
        self.assertEqual(stat.S_IMODE(os.stat(self.path("before")).st_mode), 0o700)
        for name in os.listdir(self.path("before")):
            self.assertEqual(stat.S_IMODE(os.stat(self.path("before", name)).st_mode), 0o600)

    def test_it_tells_what_it_names(self):
        path = self.write("shop.xml", b'<Context docBase="/apps/shop/' + OLD.encode("ascii") + b'">')
        snapshot.save(self.path("before"), [path, self.path("missing")], [])
        self.write("shop.xml", b'<Context docBase="/apps/shop/' + NEW.encode("ascii") + b'">')
        words = ["/apps/shop/" + name for name in (OLDEST, OLD, NEW)]
        self.assertEqual(snapshot.named(self.path("before"), words), ["/apps/shop/" + OLD])
        self.assertEqual(snapshot.named(self.path("none"), words), [])

    def test_without_one_there_is_none(self):
        self.assertEqual(snapshot.read_index(self.directory), None)


@needs_ansible
class ModuleTest(InDirectory, ModuleRun):
    def test_what_ran_before_stays_until_the_next_one_is_proved(self):
        # OLD was noted, and that it answered was not: what OLDEST ran by is still what is gone back to.
        for name in (OLDEST, OLD, NEW):
            os.makedirs(self.path("shop", name))
        releases.write_history(self.path("shop"), [OLDEST, OLD])
        descriptor = self.write("shop.xml", self.path("shop", OLDEST).encode("utf-8"))
        snapshot.save(self.path(".before"), [descriptor], [])
        given = {"name": "shop", "directory": self.directory, "release": NEW, "state": "ran"}
        found = self.run_named("war_release", dict(given, snapshot=self.path(".before")))
        self.assertEqual((found["removed"], found["previous"]), ([OLD], OLDEST))
        self.assertEqual(releases.present(self.path("shop")).count(OLDEST), 1)


class SurveyTest(InDirectory):
    def test_packages_that_are_installed(self):
        asked = []

        def run(command):
            asked.append(command[0])
            return 1, "installed tomcat10 10.1.34-1\nconfig-files tomcat9 9.0.70-1\n", "no packages found"

        found = survey.packages(run, lambda name: name == "dpkg-query")
        self.assertEqual(found, {"tomcat10": "10.1.34-1"})
        self.assertEqual(survey.packages(run, lambda name: True), {"tomcat10": "10.1.34-1"})
        self.assertEqual(survey.packages(run, lambda name: None), {})
        self.assertEqual(asked, ["dpkg-query", "dpkg-query", "rpm"])

    def test_the_unit_of_a_tarball(self):
        ours = self.write("ours", b"[Service]\nExecStart=/opt/ha-pair/tomcat/%s/bin/catalina.sh run\n" % OLD.encode())
        packages = self.write("packages", b"[Service]\nExecStart=/usr/libexec/tomcat/server start\n")
        os.symlink(packages, self.path("alias"))
        found = [survey.tarball_unit(path) for path in (ours, self.path("alias"), self.path("missing"))]
        self.assertEqual(found, [True, False, False])

    def java(self, name, release=None):
        os.makedirs(self.path(name, "bin"))
        self.write(os.path.join(name, "bin", "java"), mode=0o755)
        if release is not None:
            self.write(os.path.join(name, "release"), release)

    def test_the_version_of_java(self):
        self.java("java-17-openjdk-amd64", b'IMPLEMENTOR="x"\nJAVA_VERSION="17.0.12"\n')
        self.java("java-1.8.0-openjdk-1.8.0.412.b08-1.el9.x86_64")
        os.symlink("java-17-openjdk-amd64", self.path("default-java"))
        os.mkdir(self.path("openjdk-17"))
        found = survey.javas(self.directory)
        self.assertEqual(
            [(os.path.basename(entry["home"]), entry["version"], entry["default"]) for entry in found],
            [
                ("default-java", 17, True),
                ("java-1.8.0-openjdk-1.8.0.412.b08-1.el9.x86_64", 8, False),
                ("java-17-openjdk-amd64", 17, False),
            ],
        )

    def test_memory_is_the_machines_or_what_the_group_leaves(self):
        meminfo = self.write("meminfo", b"MemTotal:        8000000 kB\nMemFree: 1 kB\n")
        self.assertEqual(survey.memory(meminfo, self.directory), 7812)
        self.write("memory.max", b"max\n")
        self.assertEqual(survey.memory(meminfo, self.directory), 7812)
        self.write("memory.max", b"1073741824\n")
        self.assertEqual(survey.memory(meminfo, self.directory), 1024)

    def test_the_unit_of_a_process(self):
        self.assertEqual(survey.unit_of("0::/system.slice/tomcat10.service\n"), "tomcat10.service")
        self.assertEqual(survey.unit_of("12:cpu:/\n1:name=systemd:/docker/x/system.slice/a.service\n"), "a.service")
        self.assertEqual(survey.unit_of("0::/user.slice/session-1.scope\n"), "")
        self.assertEqual(survey.unit_of(None), "")

    def test_releases_by_application(self):
        os.makedirs(self.path("shop", NEW))
        os.mkdir(self.path(".before"))
        self.assertEqual(survey.applications(self.directory), {"shop": {"releases": [NEW], "history": []}})
        self.assertEqual(survey.applications(self.path("missing")), {})

    def test_who_may_write(self):
        class Seen:
            st_uid, st_gid, st_mode = 5, 6, 0o40750

        self.assertTrue(survey.may_write(Seen, 5, set()))
        self.assertFalse(survey.may_write(Seen, 7, {6}))
        self.assertFalse(survey.may_write(Seen, 7, {8}))
        self.assertTrue(survey.may_write(Seen, 0, set()))

    def test_directories_to_write_to(self):
        file = self.write("file")
        found = survey.write_paths([self.directory, file, self.path("missing")], "root", 10)
        self.assertEqual(found, {self.directory: "writable", file: "file", self.path("missing"): "missing"})
