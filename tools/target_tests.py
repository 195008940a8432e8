# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile the code that runs on nodes and run its tests, with the Python that runs this file.

Run on 2.7 and 3.6 as well, so it is written for them, and nothing needs to be installed.
"""

from __future__ import absolute_import, division, print_function

import os
import sys
import types
import unittest

__metaclass__ = type

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TESTS = os.path.join(ROOT, "tests", "unit", "target")
COMPILED = (
    os.path.join("plugins", "modules"),
    os.path.join("plugins", "module_utils"),
    os.path.join("roles"),
)
# The scripts that roles install on nodes; playbooks and templates have other endings.
IGNORED = ("templates",)


def provide_collection():
    # type: () -> None
    """Make the collection importable by its full name; Python 2.7 has no packages without __init__.py."""
    name = ""
    steps = ("ansible_collections", "duplex", "ha_pair", "plugins", "modules", "module_utils")
    paths = {
        "plugins": os.path.join(ROOT, "plugins"),
        "modules": os.path.join(ROOT, "plugins", "modules"),
        "module_utils": os.path.join(ROOT, "plugins", "module_utils"),
    }
    parent = ""
    for step in steps:
        name = parent + "." + step if parent else step
        package = types.ModuleType(name)
        package.__path__ = [paths[step]] if step in paths else []
        sys.modules[name] = package
        if parent:
            setattr(sys.modules[parent], step, package)
        # "modules" and "module_utils" are neighbours.
        if step != "modules":
            parent = name


def compile_everything():
    # type: () -> int
    """Return how many files of the target side this Python compiled; SyntaxError when it cannot."""
    count = 0
    for top in COMPILED:
        for directory, subdirectories, files in os.walk(os.path.join(ROOT, top)):
            subdirectories[:] = sorted(name for name in subdirectories if name not in IGNORED)
            for name in sorted(files):
                if name.endswith(".py"):
                    path = os.path.join(directory, name)
                    with open(path, "rb") as stream:
                        compile(stream.read(), path, "exec", 0, True)
                    count += 1
    return count


def main():
    # type: () -> int
    """Compile, then run the tests; the exit code."""
    sys.dont_write_bytecode = True
    provide_collection()
    print("%d files compile on Python %d.%d" % ((compile_everything(),) + sys.version_info[:2]))
    sys.stdout.flush()
    suite = unittest.defaultTestLoader.discover(TESTS, top_level_dir=TESTS)
    if not suite.countTestCases():
        print("no tests found in %s" % TESTS)
        return 1
    return 0 if unittest.TextTestRunner(buffer=True).run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
