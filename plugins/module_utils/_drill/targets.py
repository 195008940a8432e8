# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asked: a URL as the probe client takes it, resolved once."""

from __future__ import absolute_import, division, print_function

import socket

from .._node.check import split_tcp
from .._node.errors import NodeError
from .._node.http_get import HttpError, split_url

try:
    import ssl
except ImportError:  # a Python that was built without it
    ssl = None

__metaclass__ = type

KINDS = ("http", "https", "tcp", "icmp")
DEFAULT_HEADER = "X-HA-Pair-Node"


class Target(object):
    """A URL, where it leads, and what is said there."""

    def __init__(self, url, header=DEFAULT_HEADER, option="url"):
        self.url = url
        self.kind, self.host, port, path = _split(url, option)
        self.header = header.lower()
        self.family, self.place = _resolve(self.host, port, url, option)
        self.context = _context(url, option) if self.kind == "https" else None
        usual = {"http": 80, "https": 443}.get(self.kind)
        shown = "[%s]" % self.host if ":" in self.host else self.host
        self._named = shown if port == usual else "%s:%d" % (shown, port)
        self._path = path

    @property
    def speaks_http(self):
        return self.kind in ("http", "https")

    @property
    def server_name(self):
        """The name for TLS; an address is none."""
        return None if ":" in self.host or self.host.replace(".", "").isdigit() else self.host

    def message(self, keep=False, post=None):
        """The request, None where there is nothing to say. `post`: what stands for {id} in one that must not repeat."""
        if not self.speaks_http:
            return None
        text = "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: ha-pair-drill\r\nConnection: %s\r\n%s\r\n" % (
            "GET" if post is None else "POST",
            self._path if post is None else self._path.replace("{id}", post),
            self._named,
            "keep-alive" if keep else "close",
            "" if post is None else "Content-Length: 0\r\n",
        )
        return text.encode("ascii")


def _split(url, option):
    """(kind, host, port, path)."""
    kind, mark, rest = url.partition("://")
    kind = kind.lower()
    try:
        if kind in ("http", "https") and mark:
            _secure, host, port, path = split_url(url)
            return kind, host, port, path
        if kind == "tcp" and mark:
            host, port = split_tcp(url)
            return kind, host, port, None
    except (HttpError, ValueError) as exc:
        raise NodeError("%s: %s" % (option, exc))
    if kind == "icmp" and mark:
        host = rest[1:-1] if rest.startswith("[") and rest.endswith("]") else rest
        if not host or any(ord(char) <= 32 or ord(char) > 126 or char in "@/?#[]" for char in host):
            raise NodeError("%s: URL %s: write icmp://HOST or icmp://[ADDRESS]" % (option, url))
        return kind, host, 0, None
    raise NodeError(
        "%s: URL %s: write http://HOST[:PORT]/PATH, https://..., tcp://HOST:PORT or icmp://HOST" % (option, url)
    )


def _resolve(host, port, url, option):
    try:
        found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
    except (IOError, OSError, UnicodeError) as exc:
        raise NodeError("%s: URL %s: this host does not know %s (%s); give an address" % (option, url, host, exc))
    return found[0], found[4]


def _context(url, option):
    """TLS without a look at the certificate: whether it is trusted is no question of reachability."""
    if ssl is None:
        raise NodeError("%s: URL %s: the Python of this host has no TLS; ask by http or tcp" % (option, url))
    context = ssl.SSLContext(getattr(ssl, "PROTOCOL_TLS_CLIENT", None) or ssl.PROTOCOL_SSLv23)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
