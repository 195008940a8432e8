# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health check and readiness, against a server on the loopback interface."""

from __future__ import absolute_import, division, print_function

import io
import os
import shutil
import socket
import sys
import tempfile
import threading
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import check, http_get, ready

__metaclass__ = type


class Server(object):
    """Answers every connection with the same bytes; with None it accepts and says nothing."""

    def __init__(self, case, answer):
        self._answer, self.requests, self._quiet = answer, [], []
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(5)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        case.addCleanup(self._stop)

    def _serve(self):
        while True:
            connection = self._socket.accept()[0]
            data = connection.recv(4096)
            if data == b"stop":
                connection.close()
                return
            self.requests.append(data)
            if self._answer is None:
                self._quiet.append(connection)
                continue
            connection.sendall(self._answer)
            connection.close()

    def _stop(self):
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(b"stop")
        self._thread.join()
        for opened in self._quiet + [connection, self._socket]:
            opened.close()

    def url(self, path="/"):
        return "http://127.0.0.1:%d%s" % (self.port, path)


def closed_port():
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    port = holder.getsockname()[1]
    holder.close()
    return port


class CapturedCase(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.base)

    def run_main(self, main, *arguments):
        """(exit code, what it said on stderr)."""
        original, sys.stderr = sys.stderr, io.StringIO() if sys.version_info[0] > 2 else io.BytesIO()
        try:
            return main(list(arguments)), sys.stderr.getvalue()
        finally:
            sys.stderr = original


class ParseTest(unittest.TestCase):
    def test_splits_urls(self):
        table = [
            ("http://127.0.0.1/health", (False, "127.0.0.1", 80, "/health")),
            ("http://127.0.0.1", (False, "127.0.0.1", 80, "/")),
            ("HTTPS://host:8443/a?b=c#d", (True, "host", 8443, "/a?b=c")),
            ("http://[fd00::1]:8080/x", (False, "fd00::1", 8080, "/x")),
            ("http://[fd00::1]", (False, "fd00::1", 80, "/")),
            ("http://host?q=1:2", (False, "host", 80, "/?q=1:2")),
        ]
        for url, expected in table:
            self.assertEqual(http_get.split_url(url), expected, url)

    def test_refuses_what_is_no_url(self):
        cure = "write http://HOST[:PORT]/PATH"
        table = [
            ("ftp://host/", cure), ("host/path", cure), ("", cure), ("http:///path", cure), ("http://a b/", cure),
            ("http://user@host/", "without user"), ("http://host/\r\nX: y", "control character"),
            ("http://host:0/", "port 0 is not in 1..65535"), ("http://host:99999/", "port 99999 is not in 1..65535"),
            ("http://host:x/", "port x is not in 1..65535"),
        ]
        for url, expected in table:
            with self.assertRaises(http_get.HttpError) as caught:
                http_get.split_url(url)
            self.assertIn(expected, str(caught.exception), url)
            self.assertIn("URL %s: " % url, str(caught.exception))

    def test_reads_heads(self):
        status, headers = http_get.parse_head(
            b"HTTP/1.1 200 OK\r\nX-HA-Pair-Node:  node-a \r\nServer: x: y\r\n"
            b"x-ha-pair-node: second\r\n\r\nbody: no\r\n")
        self.assertEqual((status, headers), (200, {"x-ha-pair-node": "node-a", "server": "x: y"}))
        self.assertEqual(http_get.parse_head(b"HTTP/1.0 404\r\n\r\n"), (404, {}))

    def test_refuses_what_is_no_http(self):
        for data in (b"", b"SSH-2.0-OpenSSH", b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"\xff\r\n\r\n"):
            with self.assertRaises(http_get.HttpError) as caught:
                http_get.parse_head(data)
            self.assertIn("the answer is not HTTP: ", str(caught.exception))

    def test_one_definition_of_healthy(self):
        self.assertEqual([status for status in (100, 199, 200, 204, 302, 399, 400, 503) if http_get.healthy(status)],
                         [200, 204, 302, 399])


class CheckTest(CapturedCase):
    def test_good_answers(self):
        for answer in (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 302 Found\r\nLocation: /x\r\n\r\n"):
            server = Server(self, answer)
            self.assertEqual(self.run_main(check.main, server.url("/health")), (0, ""))
            self.assertTrue(server.requests[0].startswith(b"GET /health HTTP/1.0\r\nHost: 127.0.0.1:"))

    def test_bad_answers_have_one_line_of_reason(self):
        for answer, reason in [
            (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "answered 503"), (b"", "closed without an answer"),
            (b"hello\r\n\r\n", "the answer is not HTTP: hello"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000, "longer than 65536 bytes"),
        ]:
            code, said = self.run_main(check.main, Server(self, answer).url())
            self.assertEqual((code, said.count("\n")), (1, 1))
            self.assertIn(reason, said)

    def test_no_answer_and_no_server(self):
        url = Server(self, None).url()
        self.assertEqual(self.run_main(check.main, url, "0.2"), (1, "%s: no answer within 0.2 s\n" % url))
        code, said = self.run_main(check.main, "http://127.0.0.1:%d/" % closed_port())
        self.assertEqual(code, 1)
        self.assertIn("Connection refused", said)

    def test_a_pause_is_believed_for_its_time_only(self):
        path = os.path.join(tempfile.mkdtemp(), "paused")
        self.addCleanup(shutil.rmtree, os.path.dirname(path))
        self.assertFalse(check.paused(path))
        with open(path, "w"):
            pass
        began = os.stat(path).st_mtime
        self.assertTrue(check.paused(path, began + 1))
        self.assertFalse(check.paused(path, began + check.LONGEST_PAUSE))
        self.assertFalse(check.paused(path, began - 1))

    def test_a_check_that_fails_in_a_pause_still_says_why(self):
        original = check.paused
        self.addCleanup(setattr, check, "paused", original)
        check.paused = lambda: True
        code, said = self.run_main(check.main, "http://127.0.0.1:%d/" % closed_port())
        self.assertEqual(code, 0)
        self.assertIn("Connection refused", said)

    def test_tcp_is_good_when_somebody_accepts(self):
        server = Server(self, b"")
        self.assertEqual(self.run_main(check.main, "tcp://127.0.0.1:%d" % server.port), (0, ""))
        url = "tcp://127.0.0.1:%d" % closed_port()
        self.assertEqual(self.run_main(check.main, url), (1, "%s: Connection refused\n" % url))

    def test_a_tcp_connection_that_meets_itself_is_no_answer(self):
        class Mirror(object):
            getpeername = getsockname = staticmethod(lambda: ("127.0.0.1", 40000))
            close = staticmethod(lambda: None)

        original = check.socket.create_connection
        self.addCleanup(setattr, check.socket, "create_connection", original)
        check.socket.create_connection = lambda _place, _timeout: Mirror()
        self.assertEqual(check.problem_of("tcp://127.0.0.1:40000", 1.0), "tcp://127.0.0.1:40000: Connection refused")

    def test_splits_tcp(self):
        for url, expected in [("tcp://127.0.0.1:8080", ("127.0.0.1", 8080)),
                              ("tcp://localhost:65535", ("localhost", 65535)),
                              ("TCP://[2001:db8::1]:1", ("2001:db8::1", 1))]:
            self.assertEqual(check.split_tcp(url), expected)

    def test_refuses_what_is_no_tcp_place(self):
        cure = "write tcp://HOST:PORT or tcp://[ADDRESS]:PORT"
        for url, reason in [("tcp://", cure), ("tcp://host", cure), ("tcp://:80", cure), ("tcp://2001:db8::1:80", cure),
                            ("tcp://[::1]", cure), ("tcp://host:80/x", cure), ("tcp://u@host:80", cure),
                            ("tcp://a b:80", cure), ("tcp://host:0", "port 0 is not in 1..65535"),
                            ("tcp://host:x", "port x is not in 1..65535"),
                            ("tcp://[::1]:70000", "port 70000 is not in 1..65535")]:
            code, said = self.run_main(check.main, url)
            self.assertEqual(code, 1)
            self.assertTrue(said.startswith("URL %s: " % url), said)
            self.assertIn(reason, said)

    def test_refuses_wrong_arguments(self):
        table = [((), check.USAGE), (("a", "b", "c"), check.USAGE), (("ftp://x/",), "URL ftp://x/: write http://"),
                 (("http://127.0.0.1/", "soon"), "TIMEOUT soon: write seconds above 0"),
                 (("http://127.0.0.1/", "0"), "TIMEOUT 0: write seconds above 0")]
        for arguments, reason in table:
            code, said = self.run_main(check.main, *arguments)
            self.assertEqual(code, 1)
            self.assertIn(reason, said)


class ReadyTest(CapturedCase):
    def file(self):
        return os.path.join(self.base, "track", "nginx")

    def content(self):
        with open(self.file()) as source:
            return source.read()

    def test_writes_up_when_the_service_answers(self):
        url = Server(self, b"HTTP/1.1 200 OK\r\n\r\n").url()
        self.assertEqual(self.run_main(ready.main, "--url", url, "--file", self.file()), (0, ""))
        self.assertEqual(self.content(), "1\n")

    def test_writes_down_with_the_reason_when_it_does_not(self):
        url = Server(self, b"HTTP/1.1 500 No\r\n\r\n").url()
        code, said = self.run_main(ready.main, "--url", url, "--timeout", "0.1", "--file", self.file())
        self.assertEqual((code, self.content()), (1, "0\n"))
        self.assertTrue(said.startswith("not ready within 0.1 s: %s: " % url), said)

    def test_writes_down_for_a_wrong_url(self):
        code, said = self.run_main(ready.main, "--url", "nonsense", "--file", self.file())
        self.assertEqual((code, self.content()), (1, "0\n"))
        self.assertIn("URL nonsense: write http://", said)

    def test_without_a_url_it_is_ready(self):
        self.assertEqual(self.run_main(ready.main, "--file", self.file()), (0, ""))
        self.assertEqual(self.content(), "1\n")

    def test_a_file_that_cannot_be_written(self):
        path = os.path.join(self.base, "here")
        os.mkdir(path)
        code, said = self.run_main(ready.main, "--file", path)
        self.assertEqual((code, said), (1, "%s: cannot write (Is a directory)\n" % path))

    def test_tcp_and_commands_prove_readiness_as_well(self):
        server = Server(self, b"")
        words = ("--url", "tcp://127.0.0.1:%d" % server.port)
        self.assertEqual(self.run_main(ready.main, "--file", self.file(), *words), (0, ""))
        self.assertEqual(self.content(), "1\n")
        code, said = self.run_main(ready.main, "--file", self.file(), "--timeout", "0.1", "--", "/bin/false")
        self.assertEqual((code, self.content()), (1, "0\n"))
        self.assertEqual(said, "not ready within 0.1 s: /bin/false: answered 1\n")
        self.assertEqual(self.run_main(ready.main, "--file", self.file(), "--", "/bin/true"), (0, ""))
        self.assertEqual(self.content(), "1\n")
        code, said = self.run_main(ready.main, "--file", self.file(), "--timeout", "0.1", "--", "/nowhere/check")
        self.assertEqual((code, self.content()), (1, "0\n"))
        self.assertIn("/nowhere/check: cannot be started (No such file or directory)", said)

    def test_refuses_two_ways_to_ask(self):
        with self.assertRaises(SystemExit):
            self.run_main(ready.main, "--file", self.file(), "--url", "http://127.0.0.1/", "--", "/bin/true")
        self.assertFalse(os.path.exists(self.file()))

    def test_asks_again_until_the_time_is_over(self):
        clock, asked = [0.0], []

        def sleep(seconds):
            clock[0] += max(seconds, 0.001)

        def ask(timeout):
            asked.append(timeout)
            if len(asked) == 10:
                return None
            return "Connection refused" if timeout > 0.1 else "no answer within %g s" % timeout

        self.assertIsNone(ready.wait_until_healthy(ask, 30.0, lambda: clock[0], sleep))
        self.assertEqual(len(asked), 10)
        self.assertLess(clock[0], 1.0)
        self.assertLessEqual(max(asked), ready.LONGEST_ANSWER)
        del asked[:9]
        asked.extend([1.0] * 10)
        self.assertEqual(ready.wait_until_healthy(ask, 0.2, lambda: clock[0], sleep), "Connection refused")
