# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration test of the nginx role, with a program in nginx's place that shows what it was asked."""

from __future__ import absolute_import, division, print_function, unicode_literals

import io
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

__metaclass__ = type

PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "plugins/module_utils/_node")
START = "import sys; sys.path.append(%r); import nginx_test; sys.exit(nginx_test.main())" % str(PACKAGE)

# Follows the configuration as nginx would, prints it, and complains about the word "broken".
STUB = """#!/bin/sh
test "$1" = -t && test "$2" = -c || exit 64
directory=${3%/*}
stat -c %a "$directory" >"$RECORD/mode"
cat "$3" "$directory"/conf.d/*.conf "$directory"/sites-enabled/* >"$RECORD/text"
for link in "$directory"/modules "$directory"/sites-enabled/*; do readlink "$link"; done >"$RECORD/links"
echo "$directory" >"$RECORD/directory"
if grep -q broken "$directory"/conf.d/*.conf; then
  echo "nginx: [emerg] unknown directive \\"broken\\" in $directory/conf.d/ha-pair.conf:1" >&2
  exit 1
fi
"""


class NginxTest(unittest.TestCase):
    def setUp(self):
        self.base = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.etc = os.path.join(self.base, "etc", "nginx")
        self.scratch = os.path.join(self.base, "run")
        os.mkdir(self.scratch)
        for name in ("conf.d", "sites-available", "sites-enabled"):
            os.makedirs(os.path.join(self.etc, name))
        self.write(
            "etc/nginx/nginx.conf", "user www-data;\n  pid /run/nginx.pid;\ninclude %s/conf.d/*.conf;\n" % self.etc
        )
        self.write("etc/nginx/conf.d/ha-pair.conf", "# the old one\n")
        self.write("etc/nginx/sites-available/default", "root /opt%s/html; # %s/mime\n" % (self.etc, self.etc))
        os.symlink(
            os.path.join(self.etc, "sites-available", "default"), os.path.join(self.etc, "sites-enabled", "default")
        )
        os.symlink("../../usr/lib/nginx/modules", os.path.join(self.etc, "modules"))
        self.write("nginx", STUB)
        os.chmod(os.path.join(self.base, "nginx"), 0o755)

    def write(self, name, text):
        path = os.path.join(self.base, name)
        with io.open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        return path

    def record(self, name):
        with io.open(os.path.join(self.base, name), encoding="utf-8") as stream:
            return stream.read()

    def tree(self):
        found = {}
        for directory, _subdirectories, files in os.walk(self.etc):
            for name in files:
                path = os.path.join(directory, name)
                if os.path.islink(path):
                    continue
                with io.open(path, "rb") as stream:
                    found[path] = stream.read()
        return found

    def run_test(self, text, *more):
        candidate = self.write("candidate", text)
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                START,
                candidate,
                "--directory",
                self.etc,
                "--nginx",
                os.path.join(self.base, "nginx"),
                "--scratch",
                self.scratch,
            ]
            + list(more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, RECORD=self.base),
        )
        output, errors = process.communicate()
        return process.returncode, (output + errors).decode("utf-8")

    def test_accepts_what_nginx_accepts(self):
        before = self.tree()
        self.assertEqual(self.run_test("# caf\u00e9\n"), (0, ""))
        self.assertIn("# caf\u00e9\n", self.record("text"))
        self.assertNotIn("# the old one", self.record("text"))
        self.assertEqual(self.tree(), before)

    def test_repeats_the_words_of_nginx_with_the_real_path(self):
        before = self.tree()
        code, words = self.run_test("broken;\n")
        self.assertEqual(code, 1)
        self.assertEqual(words, 'nginx: [emerg] unknown directive "broken" in %s/conf.d/ha-pair.conf:1\n' % self.etc)
        self.assertEqual(self.tree(), before)

    def test_the_copy_is_private_and_removed(self):
        for text in ("fine;\n", "broken;\n"):
            self.run_test(text)
            self.assertEqual(self.record("mode"), "700\n")
            self.assertEqual(os.listdir(self.scratch), [])

    def test_nothing_in_the_copy_leads_back(self):
        self.run_test("include %s/snippet;\n" % self.etc)
        copy = self.record("directory").strip()
        self.assertEqual(
            self.record("text"),
            "user www-data;\n  pid {0}/nginx.pid;\ninclude {0}/conf.d/*.conf;\n"
            "include {0}/snippet;\n"
            "root /opt{1}/html; # {0}/mime\n".format(copy, self.etc),
        )
        self.assertEqual(
            self.record("links").splitlines(),
            [os.path.join(self.base, "usr/lib/nginx/modules"), copy + "/sites-available/default"],
        )

    def test_a_configuration_without_pid_gets_one_of_its_own(self):
        self.write("etc/nginx/nginx.conf", "user www-data;")
        self.run_test("fine;\n")
        self.assertIn("user www-data;\npid %s/nginx.pid;\n" % self.record("directory").strip(), self.record("text"))

    def test_can_try_another_file(self):
        self.assertEqual(self.run_test("worker_processes 1;\n", "--as", "nginx.conf"), (0, ""))
        self.assertIn("worker_processes 1;", self.record("text"))
        self.assertIn("# the old one", self.record("text"))

    def test_a_directory_that_is_a_link_is_the_same_directory(self):
        link = os.path.join(self.base, "linked")
        os.symlink(self.etc, link)
        self.run_test("include %s/snippet;\n" % link, "--directory", link)
        copy = self.record("directory").strip()
        self.assertIn("include %s/snippet;" % copy, self.record("text"))
        self.assertIn("include %s/conf.d/*.conf;" % copy, self.record("text"))

    def test_says_where_nginx_is_missing(self):
        code, words = self.run_test("fine;\n", "--nginx", "/nonexistent/nginx")
        self.assertEqual(code, 2)
        self.assertEqual(
            words,
            "ha-pair-nginx-test: /nonexistent/nginx: cannot be run (No such file or directory); "
            "install nginx, or name it with --nginx\n",
        )
        self.assertEqual(os.listdir(self.scratch), [])

    def test_says_where_the_configuration_is_missing(self):
        os.remove(os.path.join(self.etc, "nginx.conf"))
        code, words = self.run_test("fine;\n")
        self.assertEqual(code, 2)
        self.assertEqual(
            words,
            "ha-pair-nginx-test: %s/nginx.conf: is not there; install nginx, or name its directory with --directory\n"
            % self.etc,
        )


if __name__ == "__main__":
    unittest.main()
