# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a node: this package in one archive, a launcher for each, and what has to start faster than that.

One archive, because it is replaced in one step: a check that starts while files are exchanged one by one would find old
and new ones together and fail, on both nodes at the same time.
"""

from __future__ import absolute_import, division, print_function

import io
import pkgutil
import zipfile

from .shell_programs import SHELL_PROGRAMS

__metaclass__ = type

ARCHIVE = "ha_pair.zip"
PACKAGE = "ha_pair"
PROGRAMS = {
    "ha-pair-active": "active",
    "ha-pair-check": "check",
    "ha-pair-config-test": "config_test",
    "ha-pair-nginx-test": "nginx_test",
    "ha-pair-notify": "notify",
    "ha-pair-prober": "prober",
    "ha-pair-ready": "ready",
    "ha-pair-redis-role": "redis_role",
    "ha-pair-witness": "witness",
    "ha-pair-sync": "sync",
    "ha-pair-sync-receive": "sync_receive",
}
# What a person calls lies where a shell finds it; the others are called by systemd and keepalived, by their full path.
COMMAND, COMMAND_MODULE = "/usr/bin/ha-pair", "command"

_LAUNCHER = """#!%(interpreter)s -Es
# Installed by duplex.ha_pair; changes are lost at the next deployment.
import sys

sys.path.insert(0, "%(directory)s/%(archive)s")

from %(package)s.%(module)s import main

sys.exit(main())
"""


def sources(package, modules):
    """The source of each module of a package by file name, wherever the package was loaded from."""
    return {name + ".py": pkgutil.get_data(package, name + ".py") for name in modules}


def archive(files):
    """A zip archive of the files: the same bytes for the same files on every Python."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(files):
            entry = zipfile.ZipInfo("%s/%s" % (PACKAGE, name), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            packed.writestr(entry, files[name])
    return target.getvalue()


def launcher(directory, interpreter, module):
    """The text of the program that runs a module of the archive."""
    return _LAUNCHER % {
        "interpreter": interpreter,
        "directory": directory,
        "archive": ARCHIVE,
        "package": PACKAGE,
        "module": module,
    }


def plan(directory, interpreter, files, command=COMMAND):
    """What is to be on the node: (path, mode, content as bytes), the archive first, because launchers need it."""
    wanted = [("%s/%s" % (directory, ARCHIVE), 0o644, archive(files))]
    launchers = [("%s/%s" % (directory, name), PROGRAMS[name]) for name in sorted(PROGRAMS)]
    for path, module in launchers + [(command, COMMAND_MODULE)]:
        wanted.append((path, 0o755, launcher(directory, interpreter, module).encode("utf-8")))
    shell = [("%s/%s" % (directory, name), 0o755, SHELL_PROGRAMS[name].encode("utf-8")) for name in SHELL_PROGRAMS]
    return wanted[:1] + sorted(shell) + wanted[1:]


def contents(data):
    """The files in an archive by name, as text; none when it is no archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            return {name: packed.read(name).decode("utf-8", "replace") for name in packed.namelist()}
    except zipfile.BadZipfile:
        return {}
