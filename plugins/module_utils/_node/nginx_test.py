# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ha-pair-nginx-test: asks nginx whether its configuration would work with one file replaced, without touching it.

A copy of the configuration directory is made, the candidate is put into it, and `nginx -t` reads the copy. Exits with
nginx's own code and repeats its words, with the real paths.

    ha-pair-nginx-test CANDIDATE [--as conf.d/ha-pair.conf]
"""

from __future__ import absolute_import, division, print_function

import argparse
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

__metaclass__ = type

# latin-1 maps every byte to itself, so that files in any encoding come through unchanged.
ENCODING = "latin-1"

PID = re.compile(r"^([ \t]*)pid[ \t]+[^;]+;", re.MULTILINE)


class TestError(Exception):
    """The question cannot be asked."""


def read(path):
    """The text of a file."""
    with io.open(path, encoding=ENCODING, newline="") as stream:
        return stream.read()


def write(path, text):
    """Replaces a file, not what a link of that name points to."""
    if os.path.lexists(path):
        os.remove(path)
    with io.open(path, "w", encoding=ENCODING, newline="") as stream:
        stream.write(text)


def redirect(text, sources, target):
    """Absolute references to one of the source directories, made references to the target."""
    for source in sources:
        text = re.sub(r"(?<![\w./-])" + re.escape(source) + r"(?=/)", lambda _found: target, text)
    return text


def relink(link, names, target):
    """Where the copy of a link must point: into the copy what pointed into the source, elsewhere by absolute path."""
    meant = os.path.normpath(os.path.join(os.path.realpath(os.path.dirname(link)), os.readlink(link)))
    for known in names:
        if meant == known or meant.startswith(known + "/"):
            return target + meant[len(known) :]
    return meant


def copy_directory(source, names, target):
    """Copies the configuration; `names` are the paths by which it is known."""
    for directory, subdirectories, files in os.walk(source):
        there = target + directory[len(source) :]
        if not os.path.isdir(there):
            os.mkdir(there, 0o700)
        for name in subdirectories + files:
            origin = os.path.join(directory, name)
            copy = os.path.join(there, name)
            if os.path.islink(origin):
                os.symlink(relink(origin, names, target), copy)
            elif os.path.isfile(origin):
                write(copy, redirect(read(origin), names, target))


def prepare(candidate, destination, directory, target):
    """Lays out in `target` what the configuration would be."""
    source = os.path.realpath(directory)
    main = os.path.join(source, "nginx.conf")
    if not os.path.isfile(main):
        raise TestError("%s: is not there; install nginx, or name its directory with --directory" % main)
    # Longest first: one may contain the other.
    names = sorted({source, os.path.normpath(directory)}, key=len, reverse=True)
    copy_directory(source, names, target)
    place = os.path.join(target, destination)
    if not os.path.isdir(os.path.dirname(place)):
        os.makedirs(os.path.dirname(place), 0o700)
    write(place, redirect(read(candidate), names, target))
    # `nginx -t` creates the PID file it is told of, and an empty one stops the real nginx from starting on EL.
    copy = os.path.join(target, "nginx.conf")
    own_pid = "pid %s;" % os.path.join(target, "nginx.pid")
    text, found = PID.subn(lambda match: match.group(1) + own_pid, read(copy), count=1)
    write(copy, text if found else text + "\n" + own_pid + "\n")
    return copy


def ask(nginx, configuration):
    """nginx's exit code and what it said."""
    environment = dict(os.environ, LC_ALL="C")
    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            [nginx, "-t", "-c", configuration], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
    except OSError as exc:
        raise TestError(
            "%s: cannot be run (%s); install nginx, or name it with --nginx" % (nginx, os.strerror(exc.errno))
        )
    output = process.communicate()[0]
    return process.returncode, output.decode(ENCODING)


def check(candidate, destination, directory, nginx, scratch):
    """(exit code, words) of nginx about the configuration with the candidate in place of `destination`."""
    # Private (0700) and in memory: the configuration may hold keys.
    target = os.path.realpath(tempfile.mkdtemp(prefix="ha-pair-nginx-test.", dir=scratch))
    try:
        code, words = ask(nginx, prepare(candidate, destination, directory, target))
    finally:
        shutil.rmtree(target)
    return code, words.replace(target, os.path.normpath(directory))


def interrupted(number, _frame):
    """Ends by an exception, so that the copy is removed."""
    raise SystemExit(128 + number)


def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="ha-pair-nginx-test", description="Asks nginx whether its configuration would work with one file replaced."
    )
    parser.add_argument("candidate", help="the file to try")
    parser.add_argument("--as", dest="destination", default="conf.d/ha-pair.conf", help="its path in the directory")
    parser.add_argument("--directory", default="/etc/nginx", help="the configuration directory")
    parser.add_argument("--nginx", default="/usr/sbin/nginx", help="the program")
    parser.add_argument("--scratch", default="/run", help="where the copy is made")
    given = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        code, words = check(given.candidate, given.destination, given.directory, given.nginx, given.scratch)
    except (TestError, EnvironmentError) as exc:
        sys.stderr.write("ha-pair-nginx-test: %s\n" % exc)
        return 2
    said = words.encode(ENCODING)
    sys.stderr.write(said if str is bytes else said.decode("utf-8", "replace"))
    return code
