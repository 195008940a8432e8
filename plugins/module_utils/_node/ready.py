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

from .http_get import HttpError, get, healthy, split_url

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


def wait_until_healthy(url, timeout, ask=get, clock=_clock, sleep=time.sleep):
    """None as soon as the URL answers well, else the last problem when the time is over."""
    deadline, pause, problem = clock() + timeout, FIRST_PAUSE, None
    while True:
        left = deadline - clock()
        if left <= 0:
            return problem or "%s: was never asked" % url
        try:
            status = ask(url, min(left, LONGEST_ANSWER))[0]
            if healthy(status):
                return None
            problem = "%s: answered %d" % (url, status)
        except HttpError as exc:
            # The last question is cut short by the deadline, and that is not what is wrong.
            problem = problem if problem and left < LONGEST_PAUSE else str(exc)
        sleep(max(0.0, min(pause, deadline - clock())))
        pause = min(pause * 1.5, LONGEST_PAUSE)


def main(arguments=None):
    """0 with "1" in the file when the service is ready, 1 with "0" in the file when it is not in time."""
    parser = argparse.ArgumentParser(prog="ha-pair-ready", description="Write a service's state when it is ready.")
    parser.add_argument("--url", default="", help="what must answer 200..399; without it the service is ready at once")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds to wait")
    parser.add_argument("--file", required=True, help="the state file")
    options = parser.parse_args(arguments)
    problem = None
    if options.url:
        try:
            split_url(options.url)
            problem = wait_until_healthy(options.url, options.timeout)
        except HttpError as exc:
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
