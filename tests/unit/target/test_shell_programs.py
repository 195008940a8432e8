# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs in words of the shell, run by every shell that this machine has."""

from __future__ import absolute_import, division, print_function

import os
import shutil
import subprocess
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import keepalived_data, shell_programs, state
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.fifo import Fifo

__metaclass__ = type

SHELLS = [path for path in ("/bin/sh", "/bin/dash", "/bin/bash", "/usr/bin/busybox") if os.path.exists(path)]


def command(shell):
    return [shell, "sh"] if shell.endswith("busybox") else [shell]


class ShellCase(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as target:
            target.write(text)
        return self.path(name)


class StateTest(ShellCase):
    def test_only_a_one_is_a_one(self):
        program = self.write("ha-pair-state", shell_programs.STATE)
        files = {text: self.write("file%d" % place, text) for place, text in enumerate(["1\n", "1", "0\n", "", "x\n"])}
        files["11"], files["1 2"], files["directory"] = self.write("eleven", "11\n"), self.write("two", "1 2\n"), "/"
        files["absent"] = self.path("absent")
        for shell in SHELLS:
            for text, path in files.items():
                is_one = text.strip() == "1"
                for word, good in (("one", is_one), ("not-one", not is_one), ("junk", False)):
                    process = subprocess.Popen(
                        command(shell) + [program, word, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
                    )
                    said = process.communicate()[0]
                    self.assertEqual((process.returncode == 0, said), (good, b""), (shell, word, text))


class EventTest(ShellCase):
    """In front of a process table of the test's making: whoever runs the tests is no child of keepalived."""

    def setUp(self):
        ShellCase.setUp(self)
        self.fifo = Fifo(self.path("notify.fifo"))
        self.addCleanup(self.fifo.close)
        self.fifo.ensure()

    def told(self, shell, processes, words):
        """The line that comes out; processes: [(pid, name, parent, start)], of which the first is the program's own."""
        text = shell_programs.EVENT.replace("/run/keepalived/ha-pair/notify.fifo", self.path("notify.fifo"))
        table = self.path("proc")
        shutil.rmtree(table, True)
        for pid, name, parent, start in processes:
            os.makedirs(os.path.join(table, str(pid)))
            fields = "%d (%s) S %d 1 1 0 -1 64 1 2 3 4 5 6 7 8 20 0 1 0 %d 1000 2\n" % (pid, name, parent, start)
            self.write(os.path.join("proc", str(pid), "stat"), fields)
        text = text.replace("proc=/proc\n", "proc=%s\n" % table).replace("pid=$$", "pid=%d" % processes[0][0])
        program = self.write("ha-pair-event", text)
        process = subprocess.Popen(
            command(shell) + [program] + words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said = process.communicate()[0]
        self.assertEqual((process.returncode, said), (0, b""), shell)
        return self.fifo.read_lines()

    def test_the_process_that_keepalived_forked_gives_the_order(self):
        above = [(70, "keepalived", 60, 100), (60, "keepalived", 1, 99)]
        tables = {
            # Started by a shell, which a child of keepalived waits for (1.3).
            "500 80": [(82, "ha-pair-event", 81, 502), (81, "sh", 80, 501), (80, "keepalived", 70, 500)] + above,
            "510 80": [(82, "ha-pair-event", 80, 512), (80, "keepalived", 70, 510)] + above,
            # What was forked became the program itself.
            "520 80": [(80, "ha-pair-event", 70, 520)] + above,
            "530 81": [(82, "a) (b c", 81, 532), (81, "sh", 70, 530)] + above,
            # Who forked it is gone.
            "540 82": [(82, "ha-pair-event", 1, 540)],
        }
        for shell in SHELLS:
            for order, processes in tables.items():
                self.assertEqual(
                    self.told(shell, processes, ["INSTANCE", "web", "MASTER", "250"]),
                    ['EVENT %s INSTANCE "web" MASTER 250' % order],
                    shell,
                )

    def test_the_handler_understands_it(self):
        (line,) = self.told("/bin/sh", [(82, "x", 1, 540)], ["INSTANCE", "web-1", "FAULT"])
        self.assertEqual(
            state.parse_line(line),
            {"kind": "instance", "name": "web-1", "state": "FAULT", "priority": 0, "order": (540, 82)},
        )

    def test_groups_and_nodes_without_a_handler_are_no_news(self):
        self.assertEqual(self.told("/bin/sh", [(82, "x", 1, 540)], ["GROUP", "both", "MASTER", "250"]), [])
        self.fifo.close()
        os.unlink(self.path("notify.fifo"))
        self.told("/bin/sh", [(82, "x", 1, 540)], ["INSTANCE", "web", "MASTER", "250"])
        self.assertFalse(os.path.exists(self.path("notify.fifo")))

    def test_it_reads_the_process_table_as_we_do(self):
        with open("/proc/self/stat") as source:
            started = keepalived_data.parse_stat(source.read())["starttime"]
        program = self.write(
            "look", shell_programs.EVENT.partition("[ ")[0] + 'look "$1" && echo "$parent $started $name"\n'
        )
        out = subprocess.check_output(["/bin/sh", program, str(os.getpid())]).decode("utf-8")
        self.assertEqual(out.split()[:2], [str(os.getppid()), str(started)])


if __name__ == "__main__":
    unittest.main()
