# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few words of Redis and Valkey that a node speaks, each under a deadline.

By its own protocol and not by redis-cli, which not every node has, and which takes the password from where others look.
"""

from __future__ import absolute_import, division, print_function

import socket
import time

from .errors import NodeError

__metaclass__ = type

_LONGEST = 1024 * 1024
_NO_HISTORY = "0" * 40
_clock = getattr(time, "monotonic", time.time)


class RedisError(NodeError):
    """No usable answer; the text is one line. `refused` is the first word of an error that Redis itself gave."""

    def __init__(self, text, refused=None):
        super(RedisError, self).__init__(text)
        self.refused = refused


def encode(words):
    """A command as it goes over the wire."""
    parts = [("*%d\r\n" % len(words)).encode("ascii")]
    for word in words:
        data = word if isinstance(word, bytes) else (word if hasattr(word, "encode") else str(word)).encode("utf-8")
        parts.append(("$%d\r\n" % len(data)).encode("ascii") + data + b"\r\n")
    return b"".join(parts)


def parse_info(text):
    """{name: value} of what INFO answers."""
    found = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith("#"):
            found[name] = value.strip()
    return found


def replication(info):
    """What INFO says of a server's part: role, version, uptime, offset, and for a replica of whom, and how it is.

    `synced`: it has had its primary's data since it was started, and goes on from there or went on until it was lost.
    `histories`: the streams of changes that it has gone through; offsets compare only where one is shared.
    """
    if info.get("role") not in ("master", "slave"):
        raise RedisError("INFO says nothing of a role; see whether that is Redis or Valkey")
    primary = info["role"] == "master"
    found = {
        "role": "primary" if primary else "replica",
        "version": info.get("redis_version", ""),
        "uptime": _number(info.get("uptime_in_seconds")),
        "loading": info.get("loading") == "1",
        "offset": _number(info.get("master_repl_offset" if primary else "slave_repl_offset")),
        "histories": sorted(
            {info.get("master_replid"), info.get("master_replid2")} - {None, "", _NO_HISTORY}
        ),
        "keys": sum(_number(value.partition("keys=")[2].partition(",")[0]) for value in _databases(info)),
        "replicas": [],
        "of": None,
        "link": None,
        "synced": primary,
    }
    if primary:
        for number in range(_number(info.get("connected_slaves"))):
            words = dict(pair.partition("=")[::2] for pair in info.get("slave%d" % number, "").split(","))
            if words.get("state") == "online":
                found["replicas"].append(words.get("ip", ""))
        return found
    found["of"] = "%s:%s" % (info.get("master_host"), info.get("master_port"))
    found["link"] = info.get("master_link_status") == "up" and info.get("master_sync_in_progress") != "1"
    # There has never been a link: -1, or before Redis 6.2.2 the seconds since 1970.
    down = _number(info.get("master_link_down_since_seconds"), -1)
    had = 0 <= down <= found["uptime"]
    found["synced"] = found["link"] or (had and info.get("master_sync_in_progress") != "1")
    return found


def _databases(info):
    return [value for name, value in info.items() if name.startswith("db") and name[2:].isdigit()]


def _number(text, otherwise=0):
    try:
        return int(text)
    except (TypeError, ValueError):
        return otherwise


class Redis(object):
    """A connection, made and logged in; close() it."""

    def __init__(self, host, port, password=None, username="", timeout=1.0):
        self.place = "%s:%d" % ("[%s]" % host if ":" in host else host, port)
        self._timeout, self._rest, self._socket = timeout, b"", None
        self._deadline = _clock() + timeout
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except socket.timeout:
            raise RedisError("%s: no connection within %g s" % (self.place, timeout))
        except (IOError, OSError) as exc:
            raise RedisError("%s: %s" % (self.place, exc.strerror or exc))
        if password is not None:
            try:
                self.command("AUTH", *([username, password] if username else [password]))
            except RedisError:
                self.close()
                raise

    def command(self, *words):
        """The answer: text, number, None or a list of these; raises RedisError when Redis refuses."""
        self._deadline = _clock() + self._timeout
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(encode(words))
            return self._answer()
        except socket.timeout:
            raise RedisError("%s: no answer within %g s" % (self.place, self._timeout))
        except (IOError, OSError) as exc:
            raise RedisError("%s: %s" % (self.place, exc.strerror or exc))

    def status(self):
        """What replication() says of this server."""
        return replication(parse_info(self.command("INFO")))

    def close(self):
        if self._socket is not None:
            self._socket.close()

    def _left(self):
        remaining = self._deadline - _clock()
        if remaining <= 0:
            raise socket.timeout()
        return remaining

    def _more(self):
        self._socket.settimeout(self._left())
        piece = self._socket.recv(65536)
        if not piece:
            raise RedisError("%s: the connection was closed without an answer" % self.place)
        self._rest += piece
        if len(self._rest) > _LONGEST:
            raise RedisError("%s: the answer is longer than %d bytes" % (self.place, _LONGEST))

    def _line(self):
        while b"\r\n" not in self._rest:
            self._more()
        line, _end, self._rest = self._rest.partition(b"\r\n")
        return line.decode("utf-8", "replace")

    def _answer(self):
        line = self._line()
        sign, value = line[:1], line[1:]
        if sign == "+":
            return value
        if sign == "-":
            raise RedisError("%s: %s" % (self.place, value), value.split(" ")[0])
        if sign == ":":
            return int(value)
        if sign == "$":
            size = int(value)
            if size < 0:
                return None
            while len(self._rest) < size + 2:
                self._more()
            data, self._rest = self._rest[:size], self._rest[size + 2 :]
            return data.decode("utf-8", "replace")
        if sign == "*":
            return [self._answer() for _number_of in range(int(value))]
        raise RedisError("%s: the answer is not that of Redis: %s" % (self.place, line[:60]))
