# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ha-pair-check URL [TIMEOUT]: the check script of keepalived's vrrp_script; imports little, it starts every second."""

from __future__ import absolute_import, division, print_function

import sys

from .http_get import HttpError, get, healthy

__metaclass__ = type

USAGE = "usage: ha-pair-check URL [TIMEOUT]"
TIMEOUT = 1.0


def parse_arguments(arguments):
    """(URL, timeout), or a ValueError whose text names what is wrong."""
    if not 1 <= len(arguments) <= 2:
        raise ValueError(USAGE)
    try:
        timeout = float(arguments[1]) if len(arguments) == 2 else TIMEOUT
    except ValueError:
        timeout = 0.0
    if not 0 < timeout < 3600:
        raise ValueError("TIMEOUT %s: write seconds above 0; %s" % (arguments[1], USAGE))
    return arguments[0], timeout


def main(arguments=None):
    """0 when the URL answers 200..399 in time, else 1 with the reason on stderr."""
    try:
        url, timeout = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        status = get(url, timeout)[0]
    except (ValueError, HttpError) as exc:
        sys.stderr.write("%s\n" % exc)
        return 1
    if not healthy(status):
        sys.stderr.write("%s: answered %d\n" % (url, status))
        return 1
    return 0
