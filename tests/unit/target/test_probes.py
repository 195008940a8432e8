# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to ask, with real sockets on the loopback interface and real commands; ICMP by its bytes."""

from __future__ import absolute_import, division, print_function

import errno
import os
import shutil
import socket
import struct
import tempfile
import threading
import time
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import probes

__metaclass__ = type

LONG = 20.0  # seconds that no test is meant to use up


class Listener(object):
    """Answers each connection with the bytes; with None it only lets the kernel accept."""

    def __init__(self, case, answer):
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(5)
        self.place = "127.0.0.1:%d" % self._socket.getsockname()[1]
        case.addCleanup(self._socket.close)
        if answer is not None:
            thread = threading.Thread(target=self._serve, args=(answer,))
            thread.daemon = True
            thread.start()

    def _serve(self, answer):
        connection = self._socket.accept()[0]
        connection.recv(4096)
        connection.sendall(answer)
        connection.close()


class UrlTest(unittest.TestCase):
    def test_http(self):
        for answer, problem in [(b"HTTP/1.0 204 No\r\n\r\n", None), (b"HTTP/1.0 503 No\r\n\r\n", "answered 503")]:
            url = "http://%s/health" % Listener(self, answer).place
            found = probes.asker("http", url).ask(LONG)
            self.assertEqual(found, problem and "%s: %s" % (url, problem))

    def test_a_server_that_hangs_accepts_and_does_not_answer(self):
        url = "http://%s/" % Listener(self, None).place
        self.assertEqual(probes.asker("http", url).ask(0.05), "%s: no answer within 0.05 s" % url)

    def test_tcp(self):
        listener = Listener(self, None)
        self.assertIsNone(probes.asker("tcp", listener.place).ask(LONG))
        listener._socket.close()
        self.assertEqual(
            probes.asker("tcp", listener.place).ask(LONG), "tcp://%s: Connection refused" % listener.place)

    def test_what_cannot_be_asked_is_no_evidence(self):
        table = [("http", "nonsense", "URL nonsense: write http://"), ("http", None, "None"),
                 ("tcp", "here", "URL tcp://here: write tcp://HOST:PORT"), ("smoke", "x", "kind smoke: is not one of"),
                 ("command", "/bin/true", "command '/bin/true': write a list"), ("command", [], "write a list"),
                 ("command", ["/nowhere/check"], "/nowhere/check: cannot be started (No such file or directory)"),
                 ("ping", "gateway", "ping gateway: is not an address"), ("ping", None, "ping None: is not an address"),
                 ("ping", "", "is not an address")]
        for kind, target, reason in table:
            with self.assertRaises(probes.CannotAskError) as caught:
                probes.asker(kind, target).ask(LONG)
            self.assertIn(reason, str(caught.exception))
            self.assertNotIn("\n", str(caught.exception))


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.base)

    def ask(self, script, timeout=LONG):
        return probes.asker("command", ["/bin/sh", "-c", script]).ask(timeout)

    def test_the_exit_code_is_the_answer(self):
        self.assertIsNone(self.ask("exit 0"))
        self.assertEqual(self.ask("exit 3"), "/bin/sh: answered 3")
        self.assertEqual(self.ask("kill -9 $$"), "/bin/sh: was ended by signal 9")

    def test_the_last_line_is_the_reason(self):
        self.assertEqual(self.ask("echo first; echo 'no database' >&2; echo; exit 1"),
                         "/bin/sh: answered 1 (no database)")
        self.assertIsNone(self.ask("echo fine"))

    def test_much_output_neither_blocks_nor_is_kept(self):
        found = self.ask("i=0; while [ $i -lt 3000 ]; do echo 012345678901234567890123456789012345; i=$((i+1)); done;"
                         " echo the end; exit 1")
        self.assertEqual(found, "/bin/sh: answered 1 (the end)")

    def test_it_has_nothing_to_read_and_a_clean_environment(self):
        os.environ["NOTIFY_SOCKET"] = "/nowhere"
        self.addCleanup(os.environ.pop, "NOTIFY_SOCKET")
        self.assertIsNone(self.ask('! read -r line && [ -z "$NOTIFY_SOCKET" ] && [ "$PWD" = / ] && command -v ls'))

    def test_after_the_timeout_it_is_killed_with_all_that_it_started(self):
        path = os.path.join(self.base, "pid")
        found = self.ask("sleep 1000 & echo $! >%s.new; mv %s.new %s; wait" % (path, path, path), 1.0)
        self.assertEqual(found, "/bin/sh: no answer within 1 s")
        with open(path) as source:
            pid = int(source.read())
        self.assertTrue(self.wait_until(lambda: self.is_gone(pid)))

    def test_what_holds_on_to_the_output_does_not_hold_us(self):
        # It ends with the directory of this test at the latest.
        path = os.path.join(self.base, "held")
        open(path, "w").close()
        self.assertIsNone(self.ask("(while [ -e %s ]; do sleep 0.05; done) & exit 0" % path))
        os.remove(path)

    def test_its_program_is_not_loaded_while_all_threads_wait(self):
        self.assertFalse(probes.subprocess._USE_VFORK)

    def test_one_that_closes_its_output_is_waited_for(self):
        self.assertEqual(self.ask("exec >/dev/null 2>&1; sleep 0.05; exit 4"), "/bin/sh: answered 4")

    def test_one_that_cannot_be_killed_is_not_started_again(self):
        asker = probes.CommandAsker(["/bin/true"])

        class Held(object):
            code = None

            def poll(self):
                return self.code

        asker._left = Held()
        self.assertEqual(asker.ask(LONG), "/bin/true: was killed after its timeout and has still not ended")
        asker._left.code = -9
        self.assertIsNone(asker.ask(LONG))

    def test_last_line_is_short_and_printable(self):
        self.assertEqual(probes.last_line(b""), "")
        self.assertEqual(probes.last_line(b"a\n\x1b[31mred\xff\n \n"), "?[31mred?")
        self.assertEqual(len(probes.last_line(b"x" * 1000)), 200)

    @staticmethod
    def is_gone(pid):
        try:
            with open("/proc/%d/stat" % pid) as source:
                return source.read().rpartition(")")[2].split()[0] in "ZX"
        except (IOError, OSError):
            return True

    @staticmethod
    def wait_until(condition):
        for _turn in range(1000):
            if condition():
                return True
            time.sleep(0.01)
        return False


class FakeSocket(object):
    """A pair of descriptors that a test writes packets into."""

    def __init__(self, packets, on_connect=None):
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._packets, self._on_connect, self.sent, self.closed = packets, on_connect, [], False

    def connect(self, _place):
        if self._on_connect:
            raise self._on_connect

    def send(self, data):
        self.sent.append(data)
        for packet in self._packets:
            self._theirs.send(packet(data) if callable(packet) else packet)

    def fileno(self):
        return self._ours.fileno()

    def recv(self, size):
        return self._ours.recv(size)

    def close(self):
        self.closed = True
        self._ours.close()
        self._theirs.close()


def ip_packet(data):
    return struct.pack("!BB", 0x46, 0) + b"\0" * 22 + data


def reply_to(data, kind=0):
    return struct.pack("!BBH", kind, 0, 0) + data[4:]


def other_byte(byte):
    return b"!" if byte == b"?" else b"?"


class PingTest(unittest.TestCase):
    def ask(self, address, packets, on_connect=None, timeout=LONG):
        talk = FakeSocket(packets, on_connect)
        original = probes.socket.socket
        self.addCleanup(setattr, probes.socket, "socket", original)
        probes.socket.socket = lambda *_arguments: talk
        try:
            return probes.asker("ping", address).ask(timeout), talk
        finally:
            probes.socket.socket = original
            self.assertTrue(talk.closed)

    def test_its_own_reply_is_the_answer(self):
        found, talk = self.ask("192.0.2.1", [lambda data: ip_packet(reply_to(data))])
        self.assertIsNone(found)
        self.assertEqual(talk.sent[0][:2], b"\x08\0")
        self.assertEqual(probes.checksum(talk.sent[0]), 0)

    def test_ipv6_comes_without_a_header(self):
        found, talk = self.ask("2001:db8::1", [lambda data: reply_to(data, 129)])
        self.assertIsNone(found)
        self.assertEqual(talk.sent[0][:2], b"\x80\0")

    def test_other_packets_are_not(self):
        others = [
            b"", ip_packet(b""), ip_packet,
            lambda data: ip_packet(reply_to(data)[:-1] + other_byte(data[-1:])),
            lambda data: ip_packet(reply_to(data)[:6] + b"??" + data[8:]),
        ]
        for packet in others:
            found, _talk = self.ask("192.0.2.1", [packet], timeout=0.02)
            self.assertEqual(found, "ping 192.0.2.1: no answer within 0.02 s")
        self.assertIsNone(self.ask("192.0.2.1", others + [lambda data: ip_packet(reply_to(data))])[0])

    def test_no_way_there_is_a_miss(self):
        found, _talk = self.ask("192.0.2.1", [], OSError(errno.ENETUNREACH, "Network is unreachable"))
        self.assertEqual(found, "ping 192.0.2.1: Network is unreachable")

    def test_no_socket_is_no_evidence(self):
        def refuse(*_arguments):
            raise OSError(errno.EPERM, "Operation not permitted")

        asker = probes.asker("ping", "192.0.2.1")
        original = probes.socket.socket
        self.addCleanup(setattr, probes.socket, "socket", original)
        probes.socket.socket = refuse
        with self.assertRaises(probes.CannotAskError) as caught:
            asker.ask(LONG)
        self.assertIn("ping 192.0.2.1: no raw socket (Operation not permitted); give the service CAP_NET_RAW",
                      str(caught.exception))

    def test_checksum(self):
        self.assertEqual(probes.checksum(b""), 0xFFFF)
        self.assertEqual(probes.checksum(b"\x00\x01\xf2\x03\xf4\xf5\xf6\xf7"), 0x220D)
        self.assertEqual(probes.checksum(b"\x01"), 0xFEFF)


if __name__ == "__main__":
    unittest.main()
