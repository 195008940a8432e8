# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ha-pair-check URL [TIMEOUT]: the check script of keepalived's vrrp_script; imports little, it starts every second.

What a good answer is, is decided here once, for the check script, for readiness and for the prober.
"""

from __future__ import absolute_import, division, print_function

import os
import socket
import sys
import time

from .http_get import HttpError, get, healthy, split_url

__metaclass__ = type

USAGE = "usage: ha-pair-check URL [TIMEOUT]"
TIMEOUT = 1.0
TCP = "tcp://"

# Touched by a deployment that exchanges what is asked; see paused().
PAUSE_FILE = "/run/keepalived/ha-pair/paused"
LONGEST_PAUSE = 120.0


def split_tcp(url):
    """(host, port) of tcp://HOST:PORT; a ValueError whose text names what is wrong."""
    place = url[len(TCP):] if url.lower().startswith(TCP) else ""
    if place.startswith("["):
        host, _bracket, port = place[1:].partition("]")
        host, port = (host, port[1:]) if port.startswith(":") else ("", "")
    else:
        host, _colon, port = place.rpartition(":")
        host = "" if ":" in host else host
    if not host or any(ord(char) <= 32 or ord(char) > 126 or char in "@/?#" for char in url[len(TCP):]):
        raise ValueError("URL %s: write tcp://HOST:PORT or tcp://[ADDRESS]:PORT" % url)
    if not (port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("URL %s: port %s is not in 1..65535" % (url, port))
    return host, int(port)


def refuse_wrong(url):
    """A ValueError whose text names what is wrong with a URL; nobody is asked."""
    if url.lower().startswith(TCP):
        split_tcp(url)
        return
    try:
        split_url(url)
    except HttpError as exc:
        raise ValueError(str(exc))


def _connect(url, timeout):
    """None when somebody accepts a TCP connection in time, else the problem."""
    try:
        connection = socket.create_connection(split_tcp(url), timeout)
    except socket.timeout:
        return "%s: no answer within %g s" % (url, timeout)
    except (IOError, OSError) as exc:
        return "%s: %s" % (url, exc.strerror or exc)
    try:
        # Where nobody listens, a connection within one host can meet itself: its own port was the one asked for.
        if connection.getsockname() == connection.getpeername():
            return "%s: Connection refused" % url
    except (IOError, OSError) as exc:
        return "%s: %s" % (url, exc.strerror or exc)
    finally:
        connection.close()
    return None


def problem_of(url, timeout):
    """None when the URL answers well within the timeout (seconds), else one line that says why not.

    http and https: 200..399; tcp: somebody accepts the connection.
    """
    if url.lower().startswith(TCP):
        return _connect(url, timeout)
    try:
        status = get(url, timeout)[0]
    except HttpError as exc:
        return str(exc)
    return None if healthy(status) else "%s: answered %d" % (url, status)


def paused(path=PAUSE_FILE, now=None):
    """Whether a deployment is exchanging what is asked: then a bad answer says nothing of the service.

    Both nodes of a pair take up new sites at the same moment, and their checks a little later: without this, both would
    fail their checks in between. The pause ends by itself, LONGEST_PAUSE seconds after the file was touched.
    """
    try:
        began = os.stat(path).st_mtime
    except (IOError, OSError):
        return False
    return 0 <= (time.time() if now is None else now) - began < LONGEST_PAUSE


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
    refuse_wrong(arguments[0])
    return arguments[0], timeout


def main(arguments=None):
    """0 when the URL answers well in time, else 1 with the reason on stderr."""
    try:
        problem = problem_of(*parse_arguments(sys.argv[1:] if arguments is None else arguments))
    except ValueError as exc:
        problem = str(exc)
    if problem is not None:
        sys.stderr.write("%s\n" % problem)
        return 0 if paused() else 1
    return 0
