# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ha-pair-config-test FILE: keepalived's own test of a configuration, read as each version means it."""

from __future__ import absolute_import, division, print_function

import io
import os
import pwd
import re
import sys
import tempfile

from .keepalived_data import version_tuple
from .system import System, run_command

__metaclass__ = type

TIMEOUT = 20.0
# The test itself came with this version.
FIRST_WITH_TEST = (2, 0, 4)
# Until here its return code forgets errors, and what it prints must be read.
FIRST_WITH_HONEST_CODE = (2, 2, 0)
# Its test ends itself by SIGTERM when a script runs as another user than root.
KILLS_ITSELF = (2, 2, 7)
# Who runs scripts when the configuration names nobody.
DEFAULT_USER = "keepalived_script"

_HARMLESS = re.compile(r"^(NOTICE|Opening file|Configuration file|Using LinkWatch)|max_auto_priority| deprecated")


def _ended_by_signal(code):
    return -code if code < 0 else code - 128 if code > 128 else None


def judge(version, code, output):
    """(good, lines to show): what the return code and the text mean with this version (a tuple, None for unknown)."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if version is not None and version < FIRST_WITH_TEST:
        return True, ["keepalived %s has no configuration test: not tested" % ".".join(str(part) for part in version)]
    signum = _ended_by_signal(code)
    if signum is not None:
        hint = "; most often a missing closing brace" if signum == 11 else ""
        return False, lines + ["keepalived's test ended by signal %d instead of an answer%s" % (signum, hint)]
    if code != 0:
        return False, lines or ["keepalived's test failed with %d and no message" % code]
    if version is not None and version < FIRST_WITH_HONEST_CODE:
        return not [line for line in lines if not _HARMLESS.search(line)], lines
    return True, lines


def user_exists(name):
    """Whether the host has this account."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def with_root_scripts(text, exists=user_exists):
    """The configuration with every script run by root, for the version whose test cannot stand another user.

    An account that is not there stays in place: keepalived shall say so itself.
    """
    lines, block, depth, default = [], None, 0, False
    for line in text.splitlines():
        lines.append(line)
        bare = re.sub(r'"[^"]*"', "", line).split("#")[0].split("!")[0]
        if depth == 0 and "{" in bare:
            block = bare.split()[0]
        words = bare.split()
        keyword = {"vrrp_script": "user", "global_defs": "script_user"}.get(block if depth == 1 else None)
        if keyword and len(words) > 1 and words[0] == keyword:
            default = default or keyword == "script_user"
            if exists(words[1]):
                lines[-1] = "%s%s root" % (line[: len(line) - len(line.lstrip())], keyword)
        depth += bare.count("{") - bare.count("}")
    if not default and exists(DEFAULT_USER):
        lines.insert(0, "global_defs {\n    script_user root\n}")
    return "\n".join(lines) + "\n"


def try_file(path, version, run):
    """(good, lines) for the file; `run` takes argv and gives (return code, stdout, stderr)."""
    try:
        with io.open(path, encoding="utf-8") as source:
            text = source.read()
    except (IOError, OSError) as exc:
        return False, ["%s: cannot be read (%s); name the file to test" % (path, exc.strerror)]
    except UnicodeError:
        return False, ["%s: is not UTF-8 text; write it so" % path]
    if not text.strip():
        return False, ["%s: is empty; keepalived would start and do nothing" % path]
    if version is not None and version < FIRST_WITH_TEST:
        return judge(version, 0, "")
    if version != KILLS_ITSELF:
        return judge(version, *_run(run, path))
    # Beside the original, where its relative includes lead to the same files; it may hold a password.
    descriptor, copy = tempfile.mkstemp(prefix=".ha-pair-config-test.", dir=os.path.dirname(os.path.abspath(path)))
    try:
        with io.open(descriptor, "wb") as target:
            target.write(with_root_scripts(text).encode("utf-8"))
        code, output = _run(run, copy)
    finally:
        os.unlink(copy)
    return judge(version, code, output.replace(copy, path))


def _run(run, path):
    code, out, err = run(["keepalived", "-t", "-f", path], TIMEOUT)
    return code, out + "\n" + err


def main(arguments=None):
    """0 when keepalived would take the file, else 1 with its own words on stderr."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        sys.stderr.write("usage: ha-pair-config-test FILE\n")
        return 1
    version = System().keepalived_version()
    if version is None:
        sys.stderr.write("keepalived: not installed, or it does not tell its version; install the package\n")
        return 1
    good, lines = try_file(arguments[0], version_tuple(version), run_command)
    for line in lines:
        sys.stderr.write(line + "\n")
    return 0 if good else 1
