# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a node: one archive and its launchers."""

from __future__ import absolute_import, division, print_function

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils import _node
from ansible_collections.duplex.ha_pair.plugins.module_utils._node import programs

__metaclass__ = type

HERE = os.path.dirname(os.path.abspath(_node.__file__))
NAMES = sorted(name[:-3] for name in os.listdir(HERE) if name.endswith(".py"))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))


class ProgramsTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    def install(self):
        files = programs.sources(_node.__name__, NAMES)
        for path, mode, content in programs.plan(self.directory, sys.executable, files):
            with open(path, "wb") as target:
                target.write(content)
            os.chmod(path, mode)

    def run_program(self, name, *words):
        process = subprocess.Popen(
            [os.path.join(self.directory, name)] + list(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = process.communicate()
        return process.returncode, (out + err).decode("utf-8")

    def test_every_program_starts_from_the_archive(self):
        self.install()
        for name in ("ha-pair-check", "ha-pair-config-test", "ha-pair-ready"):
            code, text = self.run_program(name, "--nonsense")
            self.assertNotIn("Traceback", text)
            self.assertNotIn("ImportError", text)
            self.assertNotEqual(code, 0, name)

    def test_the_check_says_why_it_failed(self):
        self.install()
        code, text = self.run_program("ha-pair-check", "http://127.0.0.1:1/", "0.5")
        self.assertEqual(code, 1)
        self.assertIn("127.0.0.1", text)

    def test_ready_without_a_url_declares_up_at_once(self):
        self.install()
        path = os.path.join(self.directory, "nginx")
        self.assertEqual(self.run_program("ha-pair-ready", "--file", path)[0], 0)
        with open(path) as source:
            self.assertEqual(source.read(), "1\n")

    def test_the_same_files_are_the_same_bytes(self):
        files = programs.sources(_node.__name__, NAMES)
        turned = dict(reversed(list(files.items())))
        self.assertEqual(programs.archive(files), programs.archive(turned))

    def test_contents_gives_back_what_was_packed_and_nothing_of_junk(self):
        self.assertEqual(programs.contents(programs.archive({"a.py": b"x = 1\n"})), {"ha_pair/a.py": "x = 1\n"})
        self.assertEqual(programs.contents(b"junk"), {})

    def test_the_module_carries_every_file_of_the_package(self):
        with open(os.path.join(ROOT, "plugins", "modules", "node_programs.py")) as source:
            text = source.read()
        listed = text.partition("MODULES = (")[2].partition(")")[0].replace("\n", " ").split(",")
        carried = [name.strip() for name in listed if name.strip()]
        self.assertEqual(sorted(carried), sorted(set(NAMES) - {"__init__"}))


if __name__ == "__main__":
    unittest.main()
