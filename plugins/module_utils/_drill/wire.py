# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that never wait, the answers on them, and the loop that tells which of them can go on."""

from __future__ import absolute_import, division, print_function

import errno
import os
import select
import socket
import struct

from .._node.http_get import HttpError, healthy, parse_head

try:
    from ssl import SSLError, SSLWantReadError, SSLWantWriteError
except ImportError:  # a Python that was built without it; then there is no https either

    class SSLError(Exception):
        pass

    class SSLWantReadError(SSLError):
        pass

    class SSLWantWriteError(SSLError):
        pass


__metaclass__ = type

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
UNNAMED = "unknown"  # who answered without saying who it is
_LARGEST_HEAD = 65536
_PIECE = 65536
# Of a longer answer no more is read: that much has shown that somebody serves.
_ENOUGH = 65536
_SEGMENT = 1200
_LATER = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)


class BrokenError(Exception):
    """There is no usable answer; a text of few words, for they are counted."""


class Loop(object):
    """Waits for many connections at once.

    poll() waits for whole milliseconds; select() on epoll's own descriptor is exact to some microseconds.
    """

    def __init__(self):
        self._epoll = select.epoll()
        self._handlers = {}

    def add(self, descriptor, handler, events):
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, events)

    def change(self, descriptor, events):
        self._epoll.modify(descriptor, events)

    def remove(self, descriptor):
        if self._handlers.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def wait(self, seconds):
        """Call the handlers of what can go on, after `seconds` at the latest."""
        try:
            if not select.select([self._epoll], [], [], max(0.0, seconds))[0]:
                return
            found = self._epoll.poll(0)
        except (IOError, OSError, select.error) as exc:
            if exc.args[0] != errno.EINTR:
                raise
            return
        for descriptor, _events in found:
            handler = self._handlers.get(descriptor)
            if handler is not None:
                handler.on_event()

    def close(self):
        self._epoll.close()


class Chunks(object):
    """Finds the end of a body in chunks."""

    def __init__(self):
        self._rest, self._left, self._trailer, self.complete = b"", 0, False, False

    def feed(self, data):
        self._rest += data
        while not self.complete:
            if self._left:
                taken = min(self._left, len(self._rest))
                self._rest, self._left = self._rest[taken:], self._left - taken
                if self._left:
                    return
                continue
            line, mark, rest = self._rest.partition(b"\r\n")
            if not mark:
                return
            self._rest = rest
            if self._trailer:
                self.complete = not line
                continue
            try:
                size = int(line.split(b";")[0], 16)
            except ValueError:
                raise BrokenError("not HTTP")
            if size:
                self._left = size + 2
            else:
                self._trailer = True


class Answer(object):
    """An HTTP answer as it comes in; of its body only the length is kept."""

    def __init__(self):
        self.status, self.headers, self.body, self.complete = None, {}, 0, False
        self._head, self._length, self._chunks = b"", None, None

    def feed(self, data):
        if self.status is None:
            self._head += data
            if b"\r\n\r\n" not in self._head:
                if len(self._head) > _LARGEST_HEAD:
                    raise BrokenError("not HTTP")
                return
            head, _mark, data = self._head.partition(b"\r\n\r\n")
            self._begin(head)
        self.body += len(data)
        if self._chunks is not None:
            self._chunks.feed(data)
            self.complete = self._chunks.complete
        elif self._length is not None:
            self.complete = self.body >= self._length

    def _begin(self, head):
        try:
            self.status, self.headers = parse_head(head)
        except HttpError:
            raise BrokenError("not HTTP")
        length = self.headers.get("content-length", "")
        if self.status in (204, 304):
            self._length = 0
        elif "chunked" in self.headers.get("transfer-encoding", "").lower():
            self._chunks = Chunks()
        elif length.isdigit():
            self._length = int(length)
        self._head = b""

    def end(self):
        """The other side has closed."""
        if self.status is None:
            raise BrokenError("closed in the middle of the answer" if self._head else "closed without an answer")
        if not self.complete and (self._length is not None or self._chunks is not None):
            raise BrokenError("closed in the middle of the answer")
        self.complete = True

    @property
    def enough(self):
        return self.complete or self.body >= _ENOUGH

    @property
    def may_follow(self):
        """Whether the connection is left open for another request."""
        return (
            self.complete
            and (self._length is not None or self._chunks is not None)
            and self.headers.get("connection", "").lower() != "close"
        )

    def node(self, header):
        """Who answered; BrokenError when it is no good answer."""
        if not healthy(self.status):
            raise BrokenError("HTTP %d" % self.status)
        return self.headers.get(header) or UNNAMED


class Connection(object):
    """A TCP connection, with TLS on top for https, and one request at a time on it."""

    def __init__(self, loop, handler, target, message, receive_buffer=None):
        self._loop, self._target, self._unsent = loop, target, message
        self.answer, self.ended = Answer(), False
        self._connecting, self._securing, self._wanted = True, target.context is not None, WRITE
        try:
            self._socket = socket.socket(target.family, socket.SOCK_STREAM)
        except (IOError, OSError) as exc:
            raise BrokenError(os.strerror(exc.errno))
        self._descriptor = self._socket.fileno()
        self._socket.setblocking(False)
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            # Large segments do not fit into a small buffer piece by piece: they would come in bursts.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT)
        if message is None:
            # Nothing was said that could be lost: a reset leaves no port behind in TIME_WAIT.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        code = self._socket.connect_ex(target.place)
        if code not in (0, errno.EINPROGRESS):
            self._socket.close()
            self._socket = None
            raise BrokenError(os.strerror(code))
        loop.add(self._descriptor, handler, WRITE)

    def fileno(self):
        return self._descriptor

    def _want(self, events):
        if self._wanted != events:
            self._wanted = events
            self._loop.change(self._descriptor, events)

    def _try(self, action):
        """The result of something that might have to wait; None when it has to."""
        try:
            return action()
        except SSLWantReadError:
            self._want(READ)
        except SSLWantWriteError:
            self._want(WRITE)
        except SSLError:
            raise BrokenError("TLS failed")
        except (IOError, OSError) as exc:
            if exc.errno not in _LATER:
                raise BrokenError(os.strerror(exc.errno))
        return None

    def _opened(self):
        if self._connecting:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise BrokenError(os.strerror(code))
            self._connecting = False
            if self._securing:
                wrapped = self._try(
                    lambda: self._target.context.wrap_socket(
                        self._socket, do_handshake_on_connect=False, server_hostname=self._target.server_name
                    )
                )
                if wrapped is None:
                    raise BrokenError("TLS failed")
                self._socket = wrapped
        if self._securing:
            if self._try(lambda: self._socket.do_handshake() or True) is None:
                return False
            self._securing = False
        return True

    def proceed(self, headers_only=False):
        """Go on as far as possible; whether the answer is there, or, without a request, the connection.

        BrokenError when there will be none.
        """
        if not self._opened():
            return False
        if self._unsent is None:
            return True
        while self._unsent:
            sent = self._try(lambda: self._socket.send(self._unsent))
            if not sent:
                return False
            self._unsent = self._unsent[sent:]
        self._want(READ)
        while not self.answer.enough:
            if self.read(1024 if headers_only else _PIECE) is None:
                return False
            if headers_only and self.answer.status is not None:
                return True
        return True

    def read(self, most):
        """How many bytes of the answer came, none at its end; None when there is nothing yet."""
        data = self._try(lambda: self._socket.recv(most))
        if data is None:
            return None
        if data:
            self.answer.feed(data)
        else:
            self.ended = True
            self.answer.end()
        return len(data)

    def over(self):
        """Throw away what still comes; whether the other side has closed."""
        try:
            while True:
                data = self._try(lambda: self._socket.recv(_PIECE))
                if data is None:
                    return False
                if not data:
                    return True
        except BrokenError:
            return True

    def ask_again(self, message):
        """Another request on the same connection."""
        self.answer, self._unsent = Answer(), message
        return self.proceed()

    def leave_loop(self):
        """From here on its owner looks by itself; epoll would not stop telling that it was closed."""
        self._loop.remove(self._descriptor)

    def close(self):
        if self._socket is not None:
            self._loop.remove(self._descriptor)
            self._socket.close()
            self._socket = None
