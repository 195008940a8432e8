# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP GET under one deadline, read no further than the header.

A check runs every second or two, and http.client costs more to import than the whole request takes, so the few lines of
HTTP that are needed are spoken on the socket itself.
"""

from __future__ import absolute_import, division, print_function

import socket
import time

__metaclass__ = type

_LARGEST_HEAD = 65536
_clock = getattr(time, "monotonic", time.time)


class HttpError(Exception):
    """No usable answer; the text is one line."""


def split_url(url):
    """(secure, host, port, path) of an http or https URL."""
    scheme, mark, rest = url.partition("://")
    if not mark or scheme.lower() not in ("http", "https"):
        raise HttpError("URL %s: write http://HOST[:PORT]/PATH or https://..." % url)
    secure = scheme.lower() == "https"
    rest = rest.partition("#")[0]
    cut = min([rest.index(mark) for mark in "/?" if mark in rest] or [len(rest)])
    place, path = rest[:cut], rest[cut:]
    if place.startswith("["):
        host, _bracket, port = place[1:].partition("]")
        port = port[1:] if port.startswith(":") else port
    else:
        host, _colon, port = place.partition(":")
    if not host or "@" in place or any(ord(char) <= 32 or ord(char) > 126 for char in url):
        raise HttpError("URL %s: write http://HOST[:PORT]/PATH, without user, space or control character" % url)
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        raise HttpError("URL %s: port %s is not in 1..65535" % (url, port))
    if not path.startswith("/"):
        path = "/" + path
    return secure, host, int(port) if port else (443 if secure else 80), path


def parse_head(data):
    """(status, headers with lower-case names) of the first bytes of an answer."""
    lines = data.split(b"\r\n\r\n", 1)[0].decode("latin-1").split("\r\n")
    words = lines[0].split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not (words[1].isdigit() and len(words[1]) == 3):
        raise HttpError("the answer is not HTTP: %s" % lines[0][:60].encode("ascii", "replace").decode("ascii"))
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return int(words[1]), headers


def healthy(status):
    """The one definition of a good answer, for check, readiness and verification alike."""
    return 200 <= status <= 399


def _secured(connection):
    # Imported late: it takes longer than a plain check. Whether the certificate is trusted is not a question of health.
    import ssl

    context = ssl.SSLContext(getattr(ssl, "PROTOCOL_TLS_CLIENT", None) or ssl.PROTOCOL_SSLv23)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


def get(url, timeout):
    """(status, headers) of a GET; the timeout is for everything together, not for each packet."""
    secure, host, port, path = split_url(url)
    deadline = _clock() + timeout

    def left():
        remaining = deadline - _clock()
        if remaining <= 0:
            raise socket.timeout()
        return remaining

    connection = None
    try:
        connection = socket.create_connection((host, port), left())
        if secure:
            connection.settimeout(left())
            connection = _secured(connection)
        shown = "[%s]" % host if ":" in host else host
        named = shown if port == (443 if secure else 80) else "%s:%d" % (shown, port)
        connection.settimeout(left())
        connection.sendall(
            ("GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: ha-pair\r\nConnection: close\r\n\r\n" % (path, named)).encode(
                "ascii"
            )
        )
        data = b""
        while b"\r\n\r\n" not in data:
            connection.settimeout(left())
            piece = connection.recv(4096)
            if not piece:
                break
            data += piece
            if len(data) > _LARGEST_HEAD:
                raise HttpError("%s: the header of the answer is longer than %d bytes" % (url, _LARGEST_HEAD))
        if not data:
            raise HttpError("%s: the connection was closed without an answer" % url)
        return parse_head(data)
    except socket.timeout:
        raise HttpError("%s: no answer within %g s" % (url, timeout))
    except (IOError, OSError) as exc:
        raise HttpError("%s: %s" % (url, exc.strerror or exc))
    finally:
        if connection is not None:
            connection.close()
