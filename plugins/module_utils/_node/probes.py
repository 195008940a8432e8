# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to ask: a URL, a TCP port, a command, an address, a mount. Each asks once; its timeout holds whatever happens.

An asker's ask(timeout) gives None for a good answer and otherwise one line that says what was wrong. It raises
CannotAskError when it is this side that cannot ask: that says nothing about the other one.
"""

from __future__ import absolute_import, division, print_function

import errno
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

from .check import problem_of, refuse_wrong
from .mounts import mount_at, mounts_now

__metaclass__ = type

# What a check command finds of the environment; nothing of the service's own, its notify socket least of all.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", "LC_ALL": "C"}

# After vfork() all threads wait until the child's program is loaded; from a dead file server it never is.
# Python 3.11 and newer can be told not to use it.
subprocess._USE_VFORK = False  # pylint: disable=protected-access

_OWN_SESSION = {"start_new_session": True} if sys.version_info[0] > 2 else {"preexec_fn": os.setsid}
_TAIL = 4096
_LONGEST_LINE = 200
# How soon the end of a command is noticed that closed its output before, or left it open to others.
_PAUSE = 0.01

_ECHO = {socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0), socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129)}

_clock = getattr(time, "monotonic", time.time)

# How stat, speaking as ENVIRONMENT says, ends its line where it is this account that may not ask.
_NOT_FOR_US = tuple(": " + os.strerror(code) for code in (errno.EACCES, errno.EPERM))


class CannotAskError(Exception):
    """Nobody was asked; the text is one line that names place, value and cure."""


class UrlAsker(object):
    """http, https and tcp."""

    def __init__(self, url):
        try:
            refuse_wrong(url)
        except (ValueError, AttributeError) as exc:
            raise CannotAskError(str(exc))
        self._url = url

    def ask(self, timeout):
        return problem_of(self._url, timeout)


class CommandAsker(object):
    """A command that says by its exit code, 0 or not, how things are."""

    def __init__(self, argv):
        if not isinstance(argv, (list, tuple)) or not argv or not all(hasattr(word, "encode") for word in argv):
            raise CannotAskError("command %r: write a list, the absolute path of a program and its arguments" % (argv,))
        self._argv, self._name = list(argv), argv[0]
        self._left = None

    def ask(self, timeout):
        if self._left is not None:
            # What a dead file server holds cannot even be killed; asking again would only pile up more of the same.
            if self._left.poll() is None:
                return "%s: was killed after its timeout and has still not ended" % self._name
            self._left = None
        deadline = _clock() + timeout
        process = self._start()
        try:
            output = self._watch(process, deadline)
        finally:
            process.stdout.close()
        code = process.returncode
        if code is None:
            self._kill(process)
            return "%s: no answer within %g s" % (self._name, timeout)
        return self._judge(code, output)

    def _judge(self, code, output):
        """What the end of the command means."""
        if code == 0:
            return None
        reason = "was ended by signal %d" % -code if code < 0 else "answered %d" % code
        said = last_line(output)
        return "%s: %s%s" % (self._name, reason, " (%s)" % said if said else "")

    def _start(self):
        with open(os.devnull, "rb") as nothing:
            try:
                # Also runs as a program of the node, where there is no module to run commands.
                return subprocess.Popen(  # pylint: disable=ansible-bad-function
                    self._argv,
                    stdin=nothing,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    close_fds=True,
                    cwd="/",
                    env=ENVIRONMENT,
                    **_OWN_SESSION
                )
            except (IOError, OSError) as exc:
                raise CannotAskError(
                    "%s: cannot be started (%s); install it, executable for the account that runs it"
                    % (self._argv[0], os.strerror(exc.errno))
                )

    @staticmethod
    def _watch(process, deadline):
        """Wait for the end of the process, not for the end of its output: what it started may hold on to that."""
        descriptor, output = process.stdout.fileno(), b""
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_NONBLOCK)
        is_open = True
        while process.poll() is None:
            left = deadline - _clock()
            if left <= 0:
                return output
            if not is_open:
                time.sleep(min(left, _PAUSE))
            elif _readable(descriptor, min(left, _PAUSE)):
                piece = _read(descriptor)
                is_open = piece != b""
                output = (output + (piece or b""))[-_TAIL:]
        # What it said last; bounded, for somebody else may go on writing.
        for _turn in range(16):
            piece = _read(descriptor) if is_open else None
            if not piece:
                break
            output = (output + piece)[-_TAIL:]
        return output

    def _kill(self, process):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:
            pass  # it ended by itself just now
        self._left = process


class MountAsker(CommandAsker):
    """A file system, by the path where it is mounted: whether it is there, and whether whoever serves it answers.

    Asked for its size (statfs), which no cache answers: file attributes of NFS may come from memory for a minute after
    the server is gone. In a process of its own, because whoever asks a dead server waits with it, perhaps beyond
    SIGKILL; as long as one waits, no other is started.
    """

    def __init__(self, path, mounts=mounts_now):
        if not hasattr(path, "startswith") or not path.startswith("/"):
            raise CannotAskError("mount %r: write the absolute path of a mount point, such as /srv/data" % (path,))
        super(MountAsker, self).__init__(["stat", "--file-system", "--format=%s", "--", path])
        self._path, self._mounts, self._name = path, mounts, "mount %s" % path

    def ask(self, timeout):
        mounts = self._mounts()
        if not mounts:
            raise CannotAskError(
                "%s: the kernel's list of mounts cannot be read; see that /proc is mounted" % self._name
            )
        if mount_at(self._path, mounts) is None:
            # What is written there now would be on this node's own disk, and on no other's.
            return "%s: nothing is mounted there" % self._name
        return super(MountAsker, self).ask(timeout)

    def _judge(self, code, output):
        said = last_line(output)
        if code == 0 and said == "0":
            # A FUSE file system without allow_other answers other accounts from the kernel.
            raise CannotAskError(
                "%s: does not answer this account; mount it with allow_other, or do not watch it" % self._name
            )
        if code > 0 and said.endswith(_NOT_FOR_US):
            raise CannotAskError("%s: %s; let this account search the directories above it" % (self._name, said))
        return super(MountAsker, self)._judge(code, output)


class PingAsker(object):
    """ICMP echo, IPv4 or IPv6; needs CAP_NET_RAW."""

    def __init__(self, address):
        try:
            found = socket.getaddrinfo(address, None, 0, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)[0]
        except (IOError, OSError, TypeError, ValueError):
            raise CannotAskError("ping %s: is not an address; write one such as 192.0.2.1 or 2001:db8::1" % (address,))
        self._family, self._place, self._address = found[0], found[4], address
        self._sequence = 0

    def ask(self, timeout):
        deadline = _clock() + timeout
        protocol, request, reply = _ECHO[self._family]
        self._sequence = (self._sequence + 1) % 65536
        token = os.urandom(16)
        try:
            talk = socket.socket(self._family, socket.SOCK_RAW, protocol)
        except (IOError, OSError) as exc:
            raise CannotAskError(
                "ping %s: no raw socket (%s); give the service CAP_NET_RAW, and the host the address family"
                % (self._address, exc.strerror)
            )
        try:
            # Connected, it hears this address only.
            talk.connect(self._place)
            talk.send(echo_message(request, self._sequence, token))
            while True:
                left = deadline - _clock()
                if left <= 0:
                    return "ping %s: no answer within %g s" % (self._address, timeout)
                if not _readable(talk.fileno(), left):
                    continue
                if is_echo(talk.recv(2048), self._family, reply, self._sequence, token):
                    return None
        except (IOError, OSError) as exc:
            return "ping %s: %s" % (self._address, exc.strerror or exc)
        finally:
            talk.close()


class Unable(object):
    """Stands for what can never be asked, and says why."""

    def __init__(self, problem):
        self._problem = problem

    def ask(self, _timeout):
        raise CannotAskError(self._problem)


KINDS = {
    "http": UrlAsker,
    "tcp": lambda target: UrlAsker("tcp://%s" % target),
    "command": CommandAsker,
    "mount": MountAsker,
    "ping": PingAsker,
}


def asker(kind, target):
    """Who asks a target of that kind."""
    if kind not in KINDS:
        return Unable("kind %s: is not one of %s; run the keepalived role again" % (kind, ", ".join(sorted(KINDS))))
    try:
        return KINDS[kind](target)
    except CannotAskError as exc:
        return Unable(str(exc))


def last_line(output):
    """The last line that is not blank, short and printable whatever was written."""
    lines = [line.strip() for line in output.decode("ascii", "replace").splitlines() if line.strip()]
    text = lines[-1][-_LONGEST_LINE:] if lines else ""
    return "".join(char if u" " <= char <= u"~" else "?" for char in text)


def checksum(data):
    """The Internet checksum: the ones' complement of the ones' complement sum of 16-bit words."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(padded) // 2), padded))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def echo_message(kind, sequence, token):
    """An echo request; its identifier is part of the token. The kernel sums up ICMPv6 itself."""
    def parts(total):
        return struct.pack("!BBH", kind, 0, total) + token[:2] + struct.pack("!H", sequence) + token[2:]

    return parts(checksum(parts(0)))


def is_echo(packet, family, reply, sequence, token):
    """Whether a packet is the reply to that request; an IPv4 raw socket gives the IP header as well."""
    if family == socket.AF_INET and packet:
        packet = packet[4 * (struct.unpack("!B", packet[:1])[0] & 0x0F):]
    wanted = token[:2] + struct.pack("!H", sequence) + token[2:]
    return packet[:2] == struct.pack("!BB", reply, 0) and packet[4:] == wanted


def _readable(descriptor, timeout):
    try:
        return bool(select.select([descriptor], [], [], timeout)[0])
    except (IOError, OSError, select.error) as exc:
        if exc.args[0] != errno.EINTR:
            raise
        return False


def _read(descriptor):
    """What is there now: bytes, none at the end, None when there is nothing yet."""
    try:
        return os.read(descriptor, _TAIL)
    except (IOError, OSError) as exc:
        if exc.errno not in (errno.EAGAIN, errno.EINTR):
            raise
        return None
