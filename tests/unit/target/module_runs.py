# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module as a process of its own, as Ansible does on a node."""

from __future__ import absolute_import, division, print_function

import json
import os
import subprocess
import sys
import unittest

try:
    from ansible.module_utils import basic
except ImportError:
    basic = None

__metaclass__ = type

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

needs_ansible = unittest.skipIf(basic is None, "needs ansible-core")


class ModuleRun(unittest.TestCase):
    """What the tests of whole modules share."""

    def run_named(self, module, arguments):
        """What the module prints, as a dictionary."""
        process = subprocess.Popen(
            [sys.executable, os.path.join(ROOT, "plugins", "modules", module + ".py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join([os.path.join(ROOT, "collections")] + sys.path)),
        )
        out, err = process.communicate(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode("utf-8"))
        self.assertTrue(out, err)
        return json.loads(out.decode("utf-8"))
