# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directories and files that a deployment writes, as the module writes them."""

from __future__ import absolute_import, division, print_function

import os
import shutil
import stat
import tempfile
import unittest

from module_runs import ModuleRun, needs_ansible

__metaclass__ = type


@needs_ansible
@unittest.skipUnless(os.getuid() == 0, "needs root, as the roles have it")
class NodeFilesTest(ModuleRun):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    def test_directories_above_one_can_be_passed_whoever_runs_it(self):
        path = os.path.join(self.directory, "above", "between", "one")
        before = os.umask(0o077)
        try:
            done = self.run_named("node_files", {"directories": [{"path": path, "mode": "0750"}]})
        finally:
            os.umask(before)
        self.assertEqual(done["paths"], [path])
        modes = [stat.S_IMODE(os.stat(os.path.join(self.directory, name)).st_mode) for name in
                 ("above", "above/between", "above/between/one")]
        self.assertEqual(modes, [0o755, 0o755, 0o750])
