# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ha-pair-ready: prove that a service answers, then write "up" into its state file."""
from __future__ import absolute_import, division, print_function

import argparse
import io
import os
import sys
import time

from .check import problem_of, refuse_wrong

__metaclass__ = type

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.1
# One question may not eat the whole timeout: a service that accepts while it loads answers the next one.
LONGEST_ANSWER = 2.0

_clock = getattr(time, "monotonic", time.time)


def write_state(path, up):
    """keepalived reads the file when it is closed, so writing in place shows it a whole value."""
    directory = os.path.dirname(path)
    if directory and not os.path.isdir(directory):
        os.makedirs(directory)
    with io.open(path, "w") as target:
        target.write(u"1\n" if up else u"0\n")


def wait_until_healthy(ask, timeout, clock=_clock, sleep=time.sleep):
    """None as soon as ask(timeout) gives None, a good answer, else the last problem when the time is over."""
    deadline, pause, problem = clock() + timeout, FIRST_PAUSE, None
    while True:
        left = deadline - clock()
        if left <= 0:
            return problem or "nobody was asked"
        found = ask(min(left, LONGEST_ANSWER))
        if found is None:
            return None
        # The last question is cut short by the deadline, and that is not what is wrong.
        if problem is None or left >= LONGEST_PAUSE:
            problem = found
        sleep(max(0.0, min(pause, deadline - clock())))
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _ask_command(argv):
    # Imported late: most services are asked by URL.
    from .probes import CannotAskError, CommandAsker

    asker = CommandAsker(argv)

    def ask(timeout):
        try:
            return asker.ask(timeout)
        except CannotAskError as exc:
            return str(exc)

    return ask


def main(arguments=None):
    """0 with "1" in the file when the service is ready, 1 with "0" in the file when it is not in time."""
    parser = argparse.ArgumentParser(prog="ha-pair-ready", description="Write a service's state when it is ready.")
    parser.add_argument("--url", default="", help="what must answer: http and https 200..399, tcp a connection")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds to wait")
    parser.add_argument("--file", required=True, help="the state file")
    parser.add_argument(
        "command", nargs="*", help="after --: a command that must end with 0; without it and --url, ready at once"
    )
    options = parser.parse_args(arguments)
    if options.url and options.command:
        parser.error("--url %s and a command: give one of them" % options.url)
    problem = None
    if options.command:
        problem = wait_until_healthy(_ask_command(options.command), options.timeout)
    elif options.url:
        try:
            refuse_wrong(options.url)
            problem = wait_until_healthy(lambda timeout: problem_of(options.url, timeout), options.timeout)
        except ValueError as exc:
            problem = str(exc)
    try:
        write_state(options.file, problem is None)
    except (IOError, OSError) as exc:
        sys.stderr.write("%s: cannot write (%s)\n" % (options.file, exc.strerror))
        return 1
    if problem is not None:
        sys.stderr.write("not ready within %g s: %s\n" % (options.timeout, problem))
        return 1
    return 0
