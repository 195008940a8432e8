# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repositories of a CentOS whose mirrors are gone."""

from __future__ import absolute_import, division, print_function

import io
import os
import shutil
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._el import vault

from module_runs import ModuleRun, needs_ansible

__metaclass__ = type

URL = "http://vault.example.com"

BASE_7 = """# The mirror system uses the connecting IP address of the client.

[base]
name=CentOS-$releasever - Base
mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=os&infra=$infra
#baseurl=http://mirror.centos.org/centos/$releasever/os/$basearch/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7

#released updates
[updates]
name=CentOS-$releasever - Updates
mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=updates&infra=$infra
#baseurl=http://mirror.centos.org/centos/$releasever/updates/$basearch/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7
"""
BASE_7_IN_VAULT = """# The mirror system uses the connecting IP address of the client.

[base]
name=CentOS-$releasever - Base
#mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=os&infra=$infra
#baseurl=http://mirror.centos.org/centos/$releasever/os/$basearch/
# By duplex.ha_pair: the mirrors are gone.
baseurl=http://vault.example.com/7.9.2009/os/$basearch/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7

#released updates
[updates]
name=CentOS-$releasever - Updates
#mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=updates&infra=$infra
#baseurl=http://mirror.centos.org/centos/$releasever/updates/$basearch/
# By duplex.ha_pair: the mirrors are gone.
baseurl=http://vault.example.com/7.9.2009/updates/$basearch/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7
"""
# Active, and disabled.
RELEASE_7 = """[cr]
name=CentOS-$releasever - cr
baseurl=http://mirror.centos.org/centos/$releasever/cr/$basearch/
gpgcheck=1
enabled=0
"""
STREAM_8 = """[appstream]
name=CentOS Stream $releasever - AppStream
mirrorlist=http://mirrorlist.centos.org/?release=$stream&arch=$basearch&repo=AppStream&infra=$infra
#baseurl=http://mirror.centos.org/$contentdir/$stream/AppStream/$basearch/os/
gpgcheck=1
enabled=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-centosofficial
"""
ELSEWHERE = """[base]
name=CentOS-$releasever - Base
#mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=os&infra=$infra
#baseurl=http://mirror.centos.org/centos/$releasever/os/$basearch/
baseurl=http://mirror.example.com/centos7/os/
gpgcheck=1
"""
MEDIA = """[c7-media]
name=CentOS-$releasever - Media
baseurl=file:///media/CentOS/
gpgcheck=1
enabled=0
"""


def changed(text, release="7.9.2009", url=URL):
    return vault.to_vault(text, url, release)


class VaultTest(unittest.TestCase):
    def test_the_vault_stands_where_the_mirrors_stood_and_nothing_else_changes(self):
        self.assertEqual(changed(BASE_7), (BASE_7_IN_VAULT, []))

    def test_a_second_run_changes_nothing(self):
        self.assertEqual(changed(BASE_7_IN_VAULT), (BASE_7_IN_VAULT, []))

    def test_another_vault_takes_the_place_of_the_first(self):
        moved, problems = changed(BASE_7_IN_VAULT, url="http://mirror.example.com/vault/")
        self.assertEqual(problems, [])
        self.assertEqual(moved, BASE_7_IN_VAULT.replace(URL, "http://mirror.example.com/vault"))

    def test_a_stream(self):
        text = changed(STREAM_8, "8-stream")[0]
        self.assertIn("\nbaseurl=http://vault.example.com/8-stream/AppStream/$basearch/os/\n", text)
        self.assertIn("\n#mirrorlist=", text)
        self.assertEqual(text.count("gpgcheck=1"), 1)

    def test_the_tree_of_another_architecture_is_kept(self):
        text = changed(BASE_7.replace("org/centos/", "org/altarch/"))[0]
        self.assertIn("\nbaseurl=http://vault.example.com/altarch/7.9.2009/os/$basearch/\n", text)

    def test_an_active_place_on_a_mirror_moves_and_stays_disabled(self):
        text = changed(RELEASE_7)[0]
        self.assertIn("\n#baseurl=http://mirror.centos.org/centos/$releasever/cr/$basearch/\n", text)
        self.assertIn("\nbaseurl=http://vault.example.com/7.9.2009/cr/$basearch/\n", text)
        self.assertTrue(text.endswith("enabled=0\n"))
        self.assertEqual(changed(text), (text, []))

    def test_what_somebody_pointed_elsewhere_is_left_alone(self):
        for text in (ELSEWHERE, MEDIA, ""):
            self.assertEqual(changed(text), (text, []))

    def test_mirrors_without_a_path_are_told(self):
        bare = "".join(line + "\n" for line in STREAM_8.splitlines() if "baseurl" not in line)
        self.assertEqual(
            changed(bare),
            (
                bare,
                [
                    "[appstream] names mirrors that are gone and no baseurl to take its path from; write the baseurl "
                    "of it in the vault, or enabled=0"
                ],
            ),
        )
        disabled = bare.replace("enabled=1", "enabled=0")
        self.assertEqual(changed(disabled), (disabled, []))


@needs_ansible
class ModuleTest(ModuleRun):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    def write(self, name, text):
        with io.open(os.path.join(self.directory, name), "w", encoding="utf-8") as target:
            target.write("" + text)

    def read(self, name):
        with io.open(os.path.join(self.directory, name), encoding="utf-8") as source:
            return source.read()

    def run_module(self, **arguments):
        arguments = dict({"url": URL, "release": "7.9.2009", "directory": self.directory}, **arguments)
        return self.run_named("centos_vault", arguments)

    def test_files_of_the_distribution_and_no_others(self):
        self.write("CentOS-Base.repo", BASE_7)
        self.write("CentOS-Media.repo", MEDIA)
        self.write("epel.repo", BASE_7)
        path = os.path.join(self.directory, "CentOS-Base.repo")
        looked = self.run_module(_ansible_check_mode=True)
        self.assertEqual((looked["changed"], looked["paths"]), (True, [path]))
        self.assertEqual(self.read("CentOS-Base.repo"), BASE_7)
        self.assertEqual(self.run_module()["diff"][0]["after"], BASE_7_IN_VAULT)
        self.assertEqual(self.read("CentOS-Base.repo"), BASE_7_IN_VAULT)
        self.assertEqual(self.read("epel.repo"), BASE_7)
        self.assertFalse(self.run_module()["changed"])

    def test_a_directory_without_files_of_the_distribution_is_refused(self):
        self.assertEqual(
            self.run_module()["msg"],
            "%s: holds no CentOS-*.repo; reinstall the package centos-release, or name the directory of the files"
            % self.directory,
        )
