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
from ansible_collections.duplex.ha_pair.plugins.module_utils._node import programs, shell_programs

try:
    from ansible.module_utils import basic
except ImportError:
    basic = None

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
        command = os.path.join(self.directory, "ha-pair")
        for path, mode, content in programs.plan(self.directory, sys.executable, files, command):
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
        for name in ("ha-pair-active", "ha-pair-check", "ha-pair-config-test", "ha-pair-ready", "ha-pair-witness"):
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

    def test_a_person_gets_a_command_where_a_shell_finds_it(self):
        wanted = programs.plan("/usr/libexec/keepalived", "/usr/bin/python3", {"a.py": b""})
        self.assertEqual(wanted[0][0], "/usr/libexec/keepalived/ha_pair.zip")
        self.assertEqual(wanted[-1][:2], ("/usr/bin/ha-pair", 0o755))
        self.assertIn(b"from ha_pair.command import main", wanted[-1][2])
        self.install()
        code, text = self.run_program("ha-pair", "--help")
        self.assertEqual(code, 0, text)
        self.assertIn("history", text)

    def test_every_launcher_starts_a_module_that_there_is(self):
        started = list(programs.PROGRAMS.values()) + [programs.COMMAND_MODULE]
        self.assertEqual(set(started) - set(NAMES), set())

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


@unittest.skipIf(basic is None, "ansible is not installed for this Python")
class ModuleTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.command = os.path.join(self.directory, "bin-ha-pair")

    def run_module(self, check_mode=False):
        from ansible_collections.duplex.ha_pair.plugins.modules import node_programs

        test, done = self, []

        class Module(object):
            def __init__(self, argument_spec, supports_check_mode):
                self.params = {name: option.get("default") for name, option in argument_spec.items()}
                self.params.update(directory=test.directory, command=test.command, interpreter=sys.executable)
                self.check_mode, self.tmpdir = check_mode and supports_check_mode, test.directory

            @staticmethod
            def atomic_move(source, target):
                os.rename(source, target)

            @staticmethod
            def exit_json(**result):
                done.append(result)

        originals = node_programs.AnsibleModule, node_programs.OWNER
        # Whoever runs the tests stands for root.
        node_programs.AnsibleModule, node_programs.OWNER = Module, (os.getuid(), os.getgid())
        try:
            node_programs.main()
        finally:
            node_programs.AnsibleModule, node_programs.OWNER = originals
        return done[0]

    def test_all_of_it_once(self):
        first = self.run_module()
        several = len(programs.PROGRAMS) + len(shell_programs.SHELL_PROGRAMS)
        self.assertEqual((first["changed"], len(first["files"])), (True, several + 2))
        self.assertEqual(first["files"][-1], self.command)
        self.assertEqual(self.run_module(), {"changed": False, "files": [], "diff": []})

    def test_what_is_not_ours_any_more_is_put_right(self):
        self.run_module()
        os.chmod(self.command, 0o777)
        check = os.path.join(self.directory, "ha-pair-check")
        os.rename(check, check + ".real")
        os.symlink(check + ".real", check)
        self.assertEqual(self.run_module(check_mode=True)["files"], [check, self.command])
        self.assertEqual(self.run_module()["files"], [check, self.command])
        self.assertFalse(os.path.islink(check))
        self.assertEqual(os.stat(self.command).st_mode & 0o7777, 0o755)
        self.assertEqual(self.run_module()["changed"], False)

    @unittest.skipIf(os.getuid() != 0, "only root can give files away")
    def test_a_file_that_belongs_to_somebody_else_is_taken_back(self):
        self.run_module()
        os.chown(self.command, 65534, 65534)
        self.assertEqual(self.run_module()["files"], [self.command])
        self.assertEqual((os.stat(self.command).st_uid, os.stat(self.command).st_gid), (os.getuid(), os.getgid()))


if __name__ == "__main__":
    unittest.main()
