# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the agents of a pair and their witness talk: one TCP connection, one line for a question, one for its answer.

Who accepts says `ha-pair-active 1 NONCE`, who calls answers with a NONCE of its own. Both with the shared secret give
the key of this connection, and each line is `MAC JSON`, an HMAC-SHA256 over who speaks, the number of the line and the
text. So a line of another connection, another direction or another place in this one is nobody's, and a question is
known to have been sent after its connection was made: that is what makes a witness that was just started believe it.
Nothing is parsed before its MAC was found right, nothing here waits, and one who has no secret gets no answer.
"""

from __future__ import absolute_import, division, print_function

import binascii
import errno
import hashlib
import hmac
import json
import os
import socket

__metaclass__ = type

HELLO = b"ha-pair-active 1 "
NONCE_BYTES = 16
LONGEST_LINE = 4096
# How many may be connected beside those whom a listener expects, and how long one that says nothing right may stay (s).
MOST_CONNECTIONS = 32
IDLE = 60.0
UNPROVEN = 5.0
# How long an answer, or a connection, may take (s), and how soon a broken connection is made again.
PATIENCE = 1.0
RECONNECT = 0.25

_CALLER, _ANSWERER = b"caller", b"answerer"
_AGAIN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.EINPROGRESS)


class WireError(Exception):
    """This connection is no good; the text is one line."""


def new_nonce():
    return binascii.hexlify(os.urandom(NONCE_BYTES))


def is_nonce(text):
    return len(text) == 2 * NONCE_BYTES and not text.strip(b"0123456789abcdef")


def _same(one, other):
    """In a time that does not tell how far they are the same; Python 2.7.5 has no compare_digest."""
    if len(one) != len(other):
        return False
    different, others = 0, bytearray(other)
    for place, char in enumerate(bytearray(one)):
        different |= char ^ others[place]
    return different == 0


class Seal(object):
    """Seals what one end of a connection says and opens what the other one does, line by line."""

    def __init__(self, secret, answerer_nonce, caller_nonce, calls):
        self._key = hmac.new(secret, HELLO + answerer_nonce + b" " + caller_nonce, hashlib.sha256).digest()
        self._names = (_CALLER, _ANSWERER) if calls else (_ANSWERER, _CALLER)
        self._sent = self._received = 0

    def seal(self, message):
        """The line that says it."""
        text = json.dumps(message, sort_keys=True).encode("ascii")
        self._sent += 1
        return self._mac(self._names[0], self._sent, text) + b" " + text + b"\n"

    def open(self, line):
        """What a line says; raises WireError for a line that is not the next one of the other end."""
        mac, _space, text = line.partition(b" ")
        if not _same(mac, self._mac(self._names[1], self._received + 1, text)):
            raise WireError("a line that was not sealed with our secret for this place")
        self._received += 1
        try:
            message = json.loads(text.decode("ascii"))
        except ValueError:
            raise WireError("a sealed line that is no JSON")
        if not isinstance(message, dict):
            raise WireError("a sealed line that is no object")
        return message

    def _mac(self, name, number, text):
        place = b"%s %d " % (name, number)
        return binascii.hexlify(hmac.new(self._key, place + text, hashlib.sha256).digest())


class Lines(object):
    """A socket that gives lines and takes them, without ever waiting."""

    def __init__(self, talk):
        self._talk, self._in, self._out = talk, b"", b""
        talk.setblocking(False)
        talk.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fileno(self):
        return self._talk.fileno()

    @property
    def waiting(self):
        """Whether something is still to be sent."""
        return bool(self._out)

    def put(self, line):
        if len(self._out) > LONGEST_LINE:
            raise WireError("the other end does not read")
        self._out += line
        self.push()

    def push(self):
        while self._out:
            try:
                self._out = self._out[self._talk.send(self._out) :]
            except (IOError, OSError) as exc:
                if exc.errno in _AGAIN:
                    return
                raise WireError(exc.strerror or str(exc))

    def get(self):
        """The next line, None when there is none yet; raises WireError at the end."""
        if b"\n" not in self._in:
            try:
                piece = self._talk.recv(LONGEST_LINE)
            except (IOError, OSError) as exc:
                if exc.errno in _AGAIN:
                    return None
                raise WireError(exc.strerror or str(exc))
            if not piece:
                raise WireError("the connection was closed")
            self._in += piece
        line, newline, rest = self._in.partition(b"\n")
        if len(line) > LONGEST_LINE:
            raise WireError("a line that is too long")
        if not newline:
            return None
        self._in = rest
        return line

    def close(self):
        self._talk.close()


class Accepted(object):
    """One who called us from the address `source`."""

    def __init__(self, talk, secret, now, source):
        self._lines, self._secret, self._seal = Lines(talk), secret, None
        self._nonce, self._heard, self._proven = new_nonce(), now, False
        self.source = source
        self._lines.put(HELLO + self._nonce + b"\n")

    def fileno(self):
        return self._lines.fileno()

    @property
    def waiting(self):
        return self._lines.waiting

    @property
    def proven(self):
        """Whether it has the secret."""
        return self._proven

    @property
    def heard(self):
        """When it said something right last."""
        return self._heard

    def is_stale(self, now):
        return now - self._heard > (IDLE if self._proven else UNPROVEN)

    def step(self, now, answer):
        """Answer what has come; raises WireError."""
        self._lines.push()
        # So many for one look: the others are waiting as well.
        for _turn in range(8):
            line = self._lines.get()
            if line is None:
                return
            if self._seal is None:
                if not is_nonce(line):
                    raise WireError("speaks something else")
                self._seal = Seal(self._secret, self._nonce, line, calls=False)
                continue
            message = self._seal.open(line)
            self._heard, self._proven = now, True
            self._lines.put(self._seal.seal(answer(message)))

    def close(self):
        self._lines.close()


class Listener(object):
    """Where we are called; `answer` takes a message and gives the answer, both of them dictionaries.

    `expected`: so many connections are kept at once by those who have the secret.
    """

    def __init__(self, address, port, secret, answer, expected=0):
        self._secret, self._answer, self._accepted = secret, answer, []
        self._most, self._is_full = expected + MOST_CONNECTIONS, False
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._socket.bind((address, port))
            # All come back at once after a restart.
            self._socket.listen(128)
            self._socket.setblocking(False)
        except (IOError, OSError, socket.error):
            self._socket.close()
            raise
        self.port = self._socket.getsockname()[1]

    def sources(self):
        """(what select() waits for to read, to write)."""
        return [self._socket] + self._accepted, [one for one in self._accepted if one.waiting]

    def step(self, now):
        """Answer whoever asks; returns why connections were ended that were not simply closed."""
        problems = self._accept(now)
        for one in list(self._accepted):
            try:
                one.step(now, self._answer)
                ended = one.is_stale(now)
            except WireError as exc:
                ended = True
                problems.append(str(exc))
            if ended:
                one.close()
                self._accepted.remove(one)
        return problems

    def _accept(self, now):
        """Take in who waits; returns what there is to say of it."""
        if len(self._accepted) < self._most:
            self._is_full = False
        problems = []
        for _turn in range(8):
            try:
                talk, place = self._socket.accept()
            except (IOError, OSError):
                break
            try:
                self._accepted.append(Accepted(talk, self._secret, now, place[0]))
            except (IOError, OSError, WireError):
                talk.close()
                continue
            if len(self._accepted) > self._most:
                problems += self._make_room()
        return problems

    def _make_room(self):
        """Those without the secret go first, of whoever has most of them, the oldest before the others."""
        counts = {}
        for one in self._accepted:
            counts[one.proven, one.source] = counts.get((one.proven, one.source), 0) + 1
        oldest = min(self._accepted, key=lambda one: (one.proven, -counts[one.proven, one.source], one.heard))
        oldest.close()
        self._accepted.remove(oldest)
        was_full, self._is_full = self._is_full, True
        return [] if was_full else ["more than %d are connected, %s above all" % (self._most, oldest.source)]

    def close(self):
        for one in self._accepted:
            one.close()
        self._socket.close()


class Caller(object):
    """Keeps a connection to one other end, and asks one question at a time.

    A question that is not answered within PATIENCE is lost, and its connection with it: an answer never comes late.
    """

    def __init__(self, address, port, secret):
        self._place, self._secret = (address, port), secret
        self._lines = self._seal = None
        self._at = self._next = None
        self._asked, self._answer = False, None
        self.problem = "was not called yet"

    def sources(self):
        """(what select() waits for to read, to write)."""
        if self._lines is None:
            return [], []
        return [self._lines], [self._lines] if self._lines.waiting else []

    @property
    def idle(self):
        """Whether a question may be asked now."""
        return self._seal is not None and not self._asked

    def ask(self, message, now):
        self._asked, self._at = True, now
        try:
            self._lines.put(self._seal.seal(message))
        except WireError as exc:
            self._drop(now, str(exc))

    def look(self, now):
        """Get on with it; the answer to the last question when it has come, once."""
        try:
            return self._get_on(now)
        except (IOError, OSError) as exc:
            self._drop(now, exc.strerror or str(exc))
        except WireError as exc:
            self._drop(now, str(exc))
        return None

    def close(self):
        if self._lines is not None:
            self._lines.close()
        self._lines = self._seal = None
        self._asked = False

    def _get_on(self, now):
        if self._lines is None:
            if self._next is None or now >= self._next:
                self._connect(now)
            return None
        # First, so that an answer that waited while we did not run is as late as it is.
        if (self._seal is None or self._asked) and now - self._at > PATIENCE:
            raise WireError("no answer within %g s" % PATIENCE)
        self._lines.push()
        line = self._lines.get()
        if line is None:
            return None
        if self._seal is None:
            if not line.startswith(HELLO) or not is_nonce(line[len(HELLO) :]):
                raise WireError("speaks something else")
            nonce = new_nonce()
            self._lines.put(nonce + b"\n")
            self._seal, self.problem = Seal(self._secret, line[len(HELLO) :], nonce, calls=True), None
            return None
        if not self._asked:
            raise WireError("an answer to no question")
        self._asked = False
        return self._seal.open(line)

    def _connect(self, now):
        self._at, self._next = now, now + RECONNECT
        talk = socket.socket(socket.AF_INET6 if ":" in self._place[0] else socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._lines = Lines(talk)
            code = talk.connect_ex(self._place)
            if code not in (0,) + _AGAIN:
                raise WireError(os.strerror(code))
        except (IOError, OSError, WireError):
            talk.close()
            self._lines = None
            raise

    def _drop(self, now, why):
        self.close()
        self.problem, self._next = why, now + RECONNECT
