# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What files are compared with, before anything is changed."""

from __future__ import absolute_import, division, print_function

import os
import shutil
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import files
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type


class FilesTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = os.path.join(self.directory, "one")

    def write(self, data):
        with open(self.path, "wb") as target:
            target.write(data)

    def refusal(self, call, *arguments):
        with self.assertRaises(NodeError) as caught:
            call(*arguments)
        return str(caught.exception)

    def test_an_absent_file_is_written_an_equal_one_is_not(self):
        self.assertTrue(files.to_write(b"a\n", files.look(self.path)))
        self.write(b"a\n")
        self.assertFalse(files.to_write(b"a\n", files.look(self.path)))
        self.assertTrue(files.to_write(b"b\n", files.look(self.path)))

    def test_a_link_is_replaced_even_when_what_it_points_to_is_equal(self):
        self.write(b"a\n")
        link = os.path.join(self.directory, "link")
        os.symlink(self.path, link)
        self.assertTrue(files.to_write(b"a\n", files.look(link)))

    def test_a_directory_in_the_place_of_a_file_is_refused(self):
        self.assertEqual(
            self.refusal(files.to_write, b"a\n", files.look(self.directory)),
            "is a directory, not a file; move it away",
        )

    def test_a_file_in_the_place_of_a_directory_is_refused(self):
        self.assertTrue(files.to_make(files.look(os.path.join(self.directory, "new"))))
        self.assertFalse(files.to_make(files.look(self.directory)))
        self.write(b"")
        self.assertEqual(self.refusal(files.to_make, files.look(self.path)), "is not a directory; move it away")

    def test_relative_and_repeated_paths_are_refused(self):
        files.check_paths(["/a"], ["/a/b"], ["/c"])
        self.assertEqual(
            self.refusal(files.check_paths, [], ["etc/x"], []),
            "files: etc/x: is not an absolute path; give one that begins with /",
        )
        self.assertEqual(
            self.refusal(files.check_paths, ["/a"], [], ["/a"]), "absent: /a: is given twice; give each path once"
        )

    def test_a_diff_shows_both_texts(self):
        self.write(b"old\n")
        entry = files.difference(self.path, files.look(self.path), b"new\n", False)
        self.assertEqual((entry["before"], entry["after"]), ("old\n", "new\n"))

    def test_a_secret_file_shows_neither_its_old_nor_its_new_text(self):
        self.write(b"old secret\n")
        entry = files.difference(self.path, files.look(self.path), b"new secret\n", True)
        self.assertEqual((entry["before"], entry["after"]), (files.HIDDEN, files.HIDDEN))
        entry = files.difference(self.path, None, b"new secret\n", True)
        self.assertEqual((entry["before"], entry["after"]), ("", files.HIDDEN))
