# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe client: what it makes of answers, with a clock that the tests turn; and against servers on loopback."""

from __future__ import absolute_import, division, print_function

import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import asking, client, streams, tally, targets, wire
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

try:
    from ansible_collections.duplex.ha_pair.plugins.modules import vip_probe
except ImportError:
    vip_probe = None  # no Ansible here

__metaclass__ = type

URL = "http://127.0.0.1:8080/"
GOOD = b"HTTP/1.1 200 OK\r\nX-HA-Pair-Node: %s\r\nContent-Length: 3\r\n\r\nok\n"


def refusal(action, *arguments, **more):
    try:
        action(*arguments, **more)
    except NodeError as exc:
        return str(exc)
    raise AssertionError("was not refused")


def broken(action, *arguments):
    try:
        action(*arguments)
    except wire.BrokenError as exc:
        return str(exc)
    raise AssertionError("did not break")


class Clock(object):
    """Time as a test wants it."""

    def __init__(self):
        self.time = 1000.0

    def monotonic(self):
        return self.time

    def now(self):
        return self.time + 1e9


class Network(object):
    """Stands for loop and asker: time passes only here, and answers come when they are due."""

    def __init__(self, clock):
        self.clock, self.events, self.asked, self.closed = clock, [], [], False
        self.took, self.node, self.reason, self.silent = 0.001, "node-a", None, False
        self.cost, self.oversleeps = 0.0, {}

    def wait(self, seconds):
        self.clock.time += max(0.0, seconds) + 1e-6
        self.clock.time += self.oversleeps.pop(len(self.asked), 0.0)
        for event in [event for event in self.events if event[0] <= self.clock.time]:
            self.events.remove(event)
            due, request, node = event
            if request.done is None:
                request.answered(due, node)

    def ask(self, request):
        self.asked.append(request)
        self.clock.time += self.cost
        request.asked = self
        self.request = request
        if self.reason:
            request.failed(self.clock.time, self.reason)
        elif not self.silent:
            self.events.append((request.sent + self.took, request, self.node))

    def give_up(self, now):
        # The oldest one that is open.
        next(request for request in self.asked if request.done is None).failed(now, asking.IN_TIME)

    def tidy(self, _now):
        pass

    def close(self):
        self.closed = True


class Job(object):
    """Stops when the test says so."""

    def __init__(self, stop):
        self.stop, self.data, self.ended_by = stop, None, "stop"

    def ready(self, data=None):
        self.data = data

    def stopping(self):
        return self.stop()


class Case(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.network = Network(self.clock)
        self.said = []

    def client(self, **more):
        return client.Client(
            client.Settings(URL, **more),
            self.clock,
            self.network,
            self.network,
            lambda kind, **details: self.said.append((kind, details)),
        )

    def run_plan(self, seconds, plan=None, **more):
        """The result of a run of so many counted seconds; plan(seconds since the start, network) changes the world."""

        def stop():
            passed = self.clock.time - self.begun
            if plan:
                plan(passed, self.network)
            # Between two requests.
            return passed >= seconds - 0.005

        job = Job(stop)

        def ready(data):
            job.data, self.begun = data, self.clock.time

        job.ready = ready
        result = self.client(**more).run(job)
        self.ready = job.data
        return result


class ScheduleTest(Case):
    def test_every_request_is_sent_on_time_though_none_is_answered(self):
        def plan(passed, network):
            network.silent = 0.995 <= passed < 1.995

        result = self.run_plan(3.0, plan)
        self.assertEqual(result["requests"], 300)
        self.assertEqual(result["lost"], 100)
        sent = [request.sent for request in self.network.asked]
        self.assertAlmostEqual(max(sent[at + 1] - sent[at] for at in range(len(sent) - 1)), 0.01, 4)

    def test_an_outage_goes_from_the_first_lost_to_the_first_answered_request(self):
        def plan(passed, network):
            network.reason = "Connection refused" if 0.995 <= passed < 1.195 else None
            network.node = "node-a" if passed < 1.095 else "node-b"

        result = self.run_plan(2.0, plan)
        self.assertEqual(len(result["outages"]), 1)
        outage = result["outages"][0]
        self.assertAlmostEqual(outage["seconds"], 0.2, 3)
        self.assertAlmostEqual(outage["end"] - outage["start"], 0.2, 3)
        self.assertAlmostEqual(outage["start"] - result["started_at"], 1.0, 1)
        self.assertEqual((outage["lost"], outage["before"], outage["after"]), (20, "node-a", "node-b"))
        self.assertEqual(result["longest"], outage["seconds"])
        self.assertEqual(result["reasons"], {"Connection refused": 20})
        self.assertEqual([owner["node"] for owner in result["owners"]], ["node-a", "node-b"])
        self.assertEqual(sum(result["answered_by"].values()), 180)

    def test_what_happens_is_told_in_order(self):
        def plan(passed, network):
            network.reason = "Connection refused" if 0.495 <= passed < 0.595 else None
            network.node = "node-a" if passed < 0.495 else "node-b"

        self.run_plan(1.0, plan)
        self.assertEqual([kind for kind, _details in self.said], ["start", "owner", "outage", "owner"])
        self.assertEqual(self.said[2][1]["after"], "node-b")
        self.assertAlmostEqual(self.said[2][1]["at"], 0.5, 1)

    def test_an_outage_may_last_until_the_end(self):
        def plan(passed, network):
            network.reason = "No route to host" if passed >= 1.005 else None

        outage = self.run_plan(2.0, plan)["outages"][0]
        self.assertIsNone(outage["end"])
        self.assertIsNone(outage["after"])
        self.assertAlmostEqual(outage["seconds"], 0.98, 3)

    def test_the_warm_up_does_not_count(self):
        result = self.run_plan(1.0)
        self.assertEqual(result["requests"], 100)
        self.assertEqual(len(self.network.asked), 150)
        self.assertEqual(self.ready["node"], "node-a")
        self.assertEqual(self.ready["started_at"], result["started_at"])

    def test_what_had_no_time_to_be_answered_is_not_judged(self):
        def plan(passed, network):
            network.silent = passed >= 0.995

        result = self.run_plan(1.5, plan, timeout=10.0)
        self.assertEqual((result["requests"], result["lost"]), (100, 0))

    def test_a_late_answer_after_later_ones_is_counted_in_the_order_of_sending(self):
        def plan(passed, network):
            network.took = 0.3 if 0.995 <= passed < 1.005 else 0.001

        result = self.run_plan(2.0, plan)
        self.assertEqual(result["lost"], 0)
        self.assertAlmostEqual(result["latency"]["max"], 0.3, 2)
        self.assertAlmostEqual(result["latency"]["median"], 0.001, 3)

    def test_a_standstill_of_this_machine_is_no_outage(self):
        self.network.oversleeps[100] = 3.0
        result = self.run_plan(5.0)
        self.assertEqual(result["lost"], 0)
        self.assertEqual(len(result["stalls"]), 1)
        stall = result["stalls"][0]
        self.assertAlmostEqual(stall["to"] - stall["from"], 3.0, 2)
        # Nothing was sent meanwhile, and nothing was made up for.
        self.assertLessEqual(result["requests"], 201)

    def test_what_the_probe_claims_is_not_finer_than_it_was(self):
        def plan(_passed, network):
            network.cost = 0.015 if len(network.asked) % 10 == 0 else 0.0

        result = self.run_plan(3.0, plan)
        self.assertEqual(result["resolution"], max(0.01, result["late"]["p99"]))
        self.assertGreater(result["late"]["max"], 0.004)

    def test_everything_is_closed_at_the_end(self):
        self.run_plan(1.0)
        self.assertTrue(self.network.closed)

    def test_the_result_has_all_that_is_promised(self):
        promised = (
            "answered_by", "download", "ended_at", "ended_by", "interval", "keepalive", "late", "latency", "longest",
            "lost", "outages", "owners", "reasons", "requests", "resolution", "seconds", "stalls", "started_at",
            "timeout", "url",
        )
        result = self.run_plan(1.0)
        self.assertEqual(tuple(sorted(result)), promised)
        # A drill's report takes these and no others.
        self.assertEqual(sorted(result["keepalive"]), ["broken", "connections", "lost", "posts", "requests"])


class StartTest(Case):
    def test_nobody_answers(self):
        self.network.reason = "Connection refused"
        self.assertEqual(
            refusal(self.client().run, Job(lambda: True)),
            "url: URL http://127.0.0.1:8080/: nobody answered within 5 s (Connection refused); see that it is served "
            "and that this host reaches it, or give a longer start_timeout",
        )

    def test_nobody_answers_at_all(self):
        self.network.silent = True
        self.assertIn(
            "nobody answered within 2 s (no answer in time)",
            refusal(self.client(start_timeout=2.0).run, Job(lambda: True)),
        )

    def test_it_waits_for_the_first_answer(self):
        self.network.reason = "Connection refused"
        original = self.network.ask

        def ask(request):
            if self.clock.time > 1003.0:
                self.network.reason = None
            original(request)

        self.network.ask = ask
        self.assertEqual(self.run_plan(1.0)["lost"], 0)

    def test_a_machine_that_takes_too_long_for_each_request(self):
        self.network.cost = 0.03
        self.assertEqual(
            refusal(self.client().run, Job(lambda: True)).partition(", ")[2],
            "it cannot keep interval 0.01; take 0.05",
        )

    def test_a_machine_that_wakes_late(self):
        original = self.network.wait

        def wait(seconds):
            original(seconds)
            if len(self.network.asked) % 4 == 0:
                self.clock.time += 0.06

        self.network.wait = wait
        text = refusal(self.client().run, Job(lambda: True))
        self.assertTrue(text.startswith("interval: this machine sends probes "), text)
        self.assertIn("it cannot keep interval 0.01; take 0.", text)


class StepTest(unittest.TestCase):
    def test_round_intervals_are_proposed(self):
        for seconds, step in ((0.0004, 0.001), (0.0011, 0.002), (0.03, 0.05), (0.051, 0.1), (1.2, 2)):
            self.assertAlmostEqual(client.step_above(seconds), step)


class SettingsTest(unittest.TestCase):
    def check(self, expected, url=URL, **more):
        self.assertEqual(refusal(client.Settings, url, **more), expected)

    def test_what_is_out_of_range_is_refused(self):
        self.check("interval: 0.0005 is not in 0.001..10", interval=0.0005)
        self.check("interval: 11 is not in 0.001..10", interval=11.0)
        self.check("interval: nan is not in 0.001..10", interval=float("nan"))
        self.check("timeout: 0 is not in 0.01..10", timeout=0.0)
        self.check("duration: 0 is not in 1..604800", duration=0)
        self.check("start_timeout: 0 is not in 0.1..600", start_timeout=0)
        self.check("keepalive: 101 is not in 0..100", keepalive=101)

    def test_a_header_that_is_none(self):
        self.check(
            "header: 'X Node:' is no name of a header; write one such as X-HA-Pair-Node", header="X Node:"
        )

    def test_more_requests_than_can_be_kept(self):
        self.check(
            "duration: 604800 s at an interval of 0.01 s are more than 10000000 requests; shorten it or lengthen the "
            "interval",
            duration=604800,
        )

    def test_urls_that_are_none(self):
        form = "write http://HOST[:PORT]/PATH, https://..., tcp://HOST:PORT or icmp://HOST"
        self.check("url: URL ftp://192.0.2.10/: " + form, "ftp://192.0.2.10/")
        self.check("url: URL 192.0.2.10: " + form, "192.0.2.10")
        self.check("url: URL http:192.0.2.10: " + form, "http:192.0.2.10")
        self.check("url: URL tcp://192.0.2.10: write tcp://HOST:PORT or tcp://[ADDRESS]:PORT", "tcp://192.0.2.10")
        self.check("url: URL http://192.0.2.10:0/: port 0 is not in 1..65535", "http://192.0.2.10:0/")
        for url in ("icmp://", "icmp://192.0.2.10/x", "icmp://[2001:db8::10", "icmp://a b"):
            self.check("url: URL %s: write icmp://HOST or icmp://[ADDRESS]" % url, url)

    def test_a_host_that_is_not_known(self):
        text = refusal(client.Settings, "http://web.invalid/")
        self.assertTrue(text.startswith("url: URL http://web.invalid/: this host does not know web.invalid ("), text)
        self.assertTrue(text.endswith("); give an address"), text)

    def test_what_needs_http(self):
        self.check(
            "keepalive: needs an http or https URL, not tcp://127.0.0.1:80; leave it away",
            "tcp://127.0.0.1:80",
            keepalive=1,
        )

    def test_what_posts(self):
        self.check(
            "post_url: kept connections ask it, and keepalive is 0; give their number", post_url=URL + "?id={id}"
        )
        self.check(
            "post_url: URL http://127.0.0.1:8080/: has no {id} by which one request is told from another",
            keepalive=1,
            post_url=URL,
        )
        self.check(
            "download_url: needs an http or https URL, not tcp://127.0.0.1:80", download_url="tcp://127.0.0.1:80"
        )
        self.check(
            "download_url: URL x: write http://HOST[:PORT]/PATH, https://..., tcp://HOST:PORT or icmp://HOST",
            download_url="x",
        )

    def test_more_open_files_than_there_may_be(self):
        settings = client.Settings(URL, interval=0.001, timeout=10.0)
        self.addCleanup(setattr, client.resource, "getrlimit", client.resource.getrlimit)
        client.resource.getrlimit = lambda _what: (1024, 4096)
        self.assertEqual(
            refusal(settings.provide_files),
            "timeout: 10 s at an interval of 0.001 s may need 20064 open connections, this host allows 4096; make the "
            "timeout shorter or the interval longer",
        )

    def test_more_open_files_are_provided(self):
        settings, given = client.Settings(URL, interval=0.001, timeout=1.0), []
        for name, function in (("getrlimit", lambda _what: (1024, 4096)), ("setrlimit", lambda *a: given.append(a[1]))):
            self.addCleanup(setattr, client.resource, name, getattr(client.resource, name))
            setattr(client.resource, name, function)
        settings.provide_files()
        self.assertEqual(given, [(2064, 4096)])

    def test_what_is_sent(self):
        message = client.Settings("http://[::1]:8080/a?b", header="X-Node").target.message()
        self.assertEqual(
            message,
            b"GET /a?b HTTP/1.1\r\nHost: [::1]:8080\r\nUser-Agent: ha-pair-drill\r\nConnection: close\r\n\r\n",
        )
        self.assertIn(b"Host: 127.0.0.1\r\n", client.Settings("http://127.0.0.1/").target.message())
        self.assertIn(b"Connection: keep-alive\r\n", client.Settings(URL).target.message(keep=True))

    def test_an_address_is_no_server_name(self):
        self.assertIsNone(targets.Target("https://127.0.0.1/").server_name)
        self.assertIsNone(targets.Target("https://[::1]/").server_name)
        self.assertEqual(targets.Target("https://localhost/").server_name, "localhost")


class FiguresTest(unittest.TestCase):
    def test_percentiles_are_values_that_were_seen(self):
        values = [float(value) for value in range(1, 101)]
        for share, expected in ((0.5, 50.0), (0.95, 95.0), (0.99, 99.0)):
            self.assertEqual(tally.percentile(values, share), expected)
        self.assertEqual(tally.percentile([7.0], 0.99), 7.0)
        self.assertIsNone(tally.percentile([], 0.5))

    def test_nothing_was_asked(self):
        result = tally.Tally(0.01).result(0.0)
        self.assertEqual((result["requests"], result["longest"], result["resolution"]), (0, 0.0, 0.01))
        self.assertEqual(result["latency"], {"median": None, "p95": None, "p99": None, "max": None})


class AnswerTest(unittest.TestCase):
    @staticmethod
    def answer(*pieces):
        found = wire.Answer()
        for piece in pieces:
            found.feed(piece)
        return found

    def test_an_answer_may_come_in_pieces(self):
        whole = GOOD.replace(b"%s", b"node-a")
        pieces = [whole[at : at + 1] for at in range(len(whole))]
        self.assertFalse(self.answer(*pieces[:-1]).complete)
        found = self.answer(*pieces)
        self.assertTrue(found.complete and found.may_follow)
        self.assertEqual(found.node("x-ha-pair-node"), "node-a")
        self.assertEqual(found.node("server"), "unknown")

    def test_chunks_have_an_end(self):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        body = b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n"
        pieces = [body[at : at + 1] for at in range(len(body))]
        self.assertFalse(self.answer(head, *pieces[:-1]).complete)
        self.assertTrue(self.answer(head, *pieces).may_follow)
        self.assertTrue(self.answer(head + body).complete)
        self.assertEqual(broken(self.answer, head + b"x\r\n"), "not HTTP")

    def test_without_a_length_the_end_is_the_end(self):
        found = self.answer(b"HTTP/1.0 200 OK\r\n\r\nhello")
        self.assertFalse(found.complete)
        found.end()
        self.assertTrue(found.complete)
        self.assertFalse(found.may_follow)

    def test_an_answer_without_body(self):
        self.assertTrue(self.answer(b"HTTP/1.1 204 No Content\r\n\r\n").complete)

    def test_what_the_server_will_close_is_not_asked_again(self):
        self.assertFalse(self.answer(b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n").may_follow)

    def test_half_an_answer_is_none(self):
        for data, expected in (
            (b"", "closed without an answer"),
            (b"HTTP/1.1 200", "closed in the middle of the answer"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "closed in the middle of the answer"),
        ):
            self.assertEqual(broken(self.answer(data).end), expected)

    def test_what_is_no_answer_is_told(self):
        self.assertEqual(broken(self.answer, b"SSH-2.0-x\r\n\r\n"), "not HTTP")
        self.assertEqual(broken(self.answer, b"x" * 70000), "not HTTP")
        bad = self.answer(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(broken(bad.node, "server"), "HTTP 503")

    def test_of_a_long_answer_a_part_is_enough(self):
        found = self.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x" * 65536)
        self.assertTrue(found.enough)
        self.assertFalse(found.complete)


class Server(object):
    """Hands each connection to a function in a thread of its own."""

    def __init__(self, case, serve, port=0):
        self.serve, self.connections = serve, []
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self._socket.listen(64)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.daemon = True
        self._thread.start()
        case.addCleanup(self.stop)

    def _accept(self):
        while True:
            try:
                connection = self._socket.accept()[0]
            except (IOError, OSError):
                return
            self.connections.append(connection)
            thread = threading.Thread(target=self._run, args=(connection,))
            thread.daemon = True
            thread.start()

    def _run(self, connection):
        try:
            self.serve(connection)
        except (IOError, OSError):
            pass
        finally:
            connection.close()

    def stop(self):
        self.cut([self._socket])
        self.cut()

    def cut(self, sockets=None):
        """Reset all connections."""
        for connection in sockets or self.connections:
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RDWR)
            except (IOError, OSError):
                pass  # it is over already
            connection.close()

    def url(self, kind="http", path="/"):
        return "%s://127.0.0.1:%d%s" % (kind, self.port, path if kind.startswith("http") else "")


def answering(data):
    """Answers each request on a connection, as long as there are any."""

    def serve(connection):
        while connection.recv(4096):
            connection.sendall(data)
            if b"close" in data:
                return

    return serve


NODE_A = GOOD.replace(b"%s", b"node-a")
NODE_B = GOOD.replace(b"%s", b"node-b")


class LoopbackCase(unittest.TestCase):
    def setUp(self):
        # Neither how fast this machine is nor how busy is what is tested.
        for place, name, value in (
            (client, "WARM_UP", 0.1), (client.Client, "_refuse_slow_machine", lambda _self: None)
        ):
            self.addCleanup(setattr, place, name, getattr(place, name))
            setattr(place, name, value)

    def probe(self, url, until, seconds=0.3, least=0, **more):
        """The result of a short run; until(seconds since ready) may do something."""
        begun = []

        def stop():
            passed = time.time() - begun[0] if begun else 0
            until(passed)
            # A busy machine may take longer to answer anything at all.
            return passed >= seconds and (asking_client._tally.requests >= least or passed >= 60)

        job = Job(stop)
        job.ready = lambda data: begun.append(time.time())
        more.setdefault("interval", 0.02)
        more.setdefault("start_timeout", 0.5)
        more.setdefault("timeout", 3.0)
        asking_client = client.Client(client.Settings(url, **more))
        return asking_client.run(job)

    @staticmethod
    def nothing(_passed):
        pass


class KindsTest(LoopbackCase):
    def test_http(self):
        result = self.probe(Server(self, answering(NODE_A)).url(), self.nothing, least=3, start_timeout=30.0)
        self.assertEqual((result["lost"], list(result["answered_by"])), (0, ["node-a"]))
        self.assertGreater(result["requests"], 2)

    def test_tcp(self):
        server = Server(self, lambda connection: connection.recv(1))
        result = self.probe(server.url("tcp"), self.nothing, least=3, start_timeout=30.0)
        self.assertEqual((result["lost"], list(result["answered_by"])), (0, ["unknown"]))

    @unittest.skipUnless(os.geteuid() == 0, "needs a raw socket")
    def test_icmp(self):
        result = self.probe("icmp://127.0.0.1", self.nothing, least=3)
        self.assertEqual((result["lost"], list(result["answered_by"])), (0, ["unknown"]))

    def test_icmp_without_a_raw_socket(self):
        def refuse(*_arguments):
            raise OSError(1, "Operation not permitted")

        original = asking.socket.socket
        self.addCleanup(setattr, asking.socket, "socket", original)
        asking.socket.socket = refuse
        target = targets.Target("icmp://127.0.0.1")
        self.assertEqual(
            refusal(asking.EchoAsker, None, None, target),
            "url: URL icmp://127.0.0.1: no raw socket (Operation not permitted); run as root",
        )

    def test_https(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        pem = os.path.join(directory, "pem")
        words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=web -keyout %s -out %s.crt" % (pem, pem)
        try:
            with open(os.devnull, "w") as nothing:
                subprocess.check_call(words.split(), stdout=nothing, stderr=nothing)
        except (IOError, OSError, subprocess.CalledProcessError):
            self.skipTest("no openssl here")
        context = ssl.SSLContext(getattr(ssl, "PROTOCOL_TLS_SERVER", None) or ssl.PROTOCOL_SSLv23)
        context.load_cert_chain(pem + ".crt", pem)

        def serve(connection):
            secured = context.wrap_socket(connection, server_side=True)
            answering(NODE_A)(secured)

        long = {"start_timeout": 30.0, "timeout": 10.0}
        result = self.probe(Server(self, serve).url("https"), self.nothing, interval=0.05, keepalive=1, least=3, **long)
        self.assertEqual((result["lost"], list(result["answered_by"])), (0, ["node-a"]))
        self.assertEqual(result["keepalive"]["broken"], [])

    def test_answers_that_are_none(self):
        for data, reason in (
            (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "HTTP 503"),
            (b"SSH-2.0-close\r\n\r\n", "not HTTP"),
        ):
            self.assertIn("(%s)" % reason, refusal(self.probe, Server(self, answering(data)).url(), self.nothing))

    def test_tls_where_there_is_none(self):
        url = Server(self, answering(b"HTTP/1.1 400 close\r\n\r\n")).url("https")
        self.assertIn("(TLS failed)", refusal(self.probe, url, self.nothing))


class OutageTest(LoopbackCase):
    def test_a_server_that_goes_and_another_that_comes(self):
        servers = [Server(self, answering(NODE_A))]
        port = servers[0].port

        def until(passed):
            if passed >= 0.2 and len(servers) == 1:
                servers[0].stop()
                servers.append(None)
            if passed >= 0.4 and servers[-1] is None:
                servers[-1] = Server(self, answering(NODE_B), port)

        result = self.probe(servers[0].url(), until, 0.8, keepalive=2)
        self.assertEqual(len(result["outages"]), 1, result)
        outage = result["outages"][0]
        self.assertEqual((outage["before"], outage["after"]), ("node-a", "node-b"))
        self.assertEqual(result["lost"], outage["lost"])
        self.assertEqual([owner["node"] for owner in result["owners"]], ["node-a", "node-b"])
        breaks = result["keepalive"]["broken"]
        self.assertEqual([(one["before"], one["after"]) for one in breaks], [("node-a", "node-b")] * 2)
        self.assertEqual(result["keepalive"]["connections"], 2)


class KeepAliveTest(LoopbackCase):
    def test_after_a_standstill_of_this_machine_a_request_has_its_time_again(self):
        clock = Clock()
        stream = streams.KeepAlive(None, clock, targets.Target(URL), 0.5)
        stream._asking = True
        stream.pardon(2000.0)
        self.assertEqual(stream.next_at, 2000.5)

    def test_what_the_server_closes_politely_is_not_broken(self):
        data = NODE_A.replace(b"Content-Length", b"Connection: close\r\nContent-Length")
        result = self.probe(Server(self, answering(data)).url(), self.nothing, keepalive=1)
        self.assertEqual(result["keepalive"]["broken"], [])

    def test_what_is_cut_is_opened_again(self):
        server, cut = Server(self, answering(NODE_A)), []

        def until(passed):
            if passed >= 0.1 and not cut:
                cut.append(server.cut())

        result = self.probe(server.url(), until, 0.4, interval=5.0, keepalive=1)
        breaks = result["keepalive"]["broken"]
        self.assertEqual([(one["before"], one["after"]) for one in breaks], [("node-a", "node-a")])
        self.assertGreaterEqual(breaks[0]["at"], result["started_at"])

    def test_only_what_was_asked_is_lost_when_a_connection_ends(self):
        clock = Clock()
        stream = streams.KeepAlive(None, clock, targets.Target(URL), 0.5, streams.Numbers("run"))
        stream.answered = True
        stream._broke(1000.0, 1000.0, 1000.0)
        self.assertEqual((stream.lost, len(stream.broken)), ([], 1))
        stream._asking, stream._name = True, "run-7"
        stream._broke(1001.0, 1001.0, 1001.0)
        self.assertEqual(stream.lost, ["run-7"])
        stream.forget()
        self.assertEqual((stream.lost, stream.requests), ([], 0))

    def test_kept_connections_post_each_request_under_a_name_of_its_own(self):
        heard = []

        def serve(connection):
            while True:
                request = connection.recv(4096)
                if not request:
                    return
                heard.append(request.split(b"\r\n")[0])
                connection.sendall(NODE_A if b"GET" in request else NODE_A.replace(b"200 OK", b"503 Busy"))

        server = Server(self, serve)
        given = {"keepalive": 2, "post_url": server.url(path="/post?id={id}"), "start_timeout": 0.5}
        self.assertIn("2 of 2 connections", refusal(self.probe, server.url(), self.nothing, **given))
        server.serve = answering(NODE_A)
        posts = self.probe(server.url(), self.nothing, **given)["keepalive"]["posts"]
        self.assertEqual(posts["lost"], [])
        self.assertGreaterEqual(posts["sent"], 2)
        names = [line for line in heard if line.startswith(b"POST /post?id=")]
        self.assertEqual(len(set(names)), len(names))
        self.assertTrue(names)

    def test_connections_that_are_not_answered(self):
        lock = threading.Lock()
        self.addCleanup(lock.acquire)
        lock.acquire()
        self.addCleanup(lock.release)

        def serve(connection):
            request = connection.recv(4096)
            if b"keep-alive" in request:
                lock.acquire()
                lock.release()
            else:
                connection.sendall(NODE_A)

        url = Server(self, serve).url()
        self.assertEqual(
            refusal(self.probe, url, self.nothing, keepalive=2),
            "keepalive: 2 of 2 connections to %s were not answered within 0.5 s; see what limits connections there"
            % url,
        )


class DownloadTest(LoopbackCase):
    HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"

    def serve(self, connection):
        if b"/file" in connection.recv(4096):
            connection.sendall(self.HEAD)
            connection.sendall(b"x" * 1000000)
        else:
            connection.sendall(NODE_A)

    def test_it_lasts(self):
        server = Server(self, self.serve)
        found = self.probe(server.url(), self.nothing, download_url=server.url(path="/file"))["download"]
        self.assertEqual((found["broken_at"], found["problem"]), (None, None))
        self.assertTrue(0 < found["bytes"] < 1000000, found)

    def test_it_breaks(self):
        server = Server(self, self.serve)

        def until(passed):
            if passed >= 0.1:
                server.cut()

        result = self.probe(server.url(), until, 0.3, download_url=server.url(path="/file"))
        found = result["download"]
        self.assertIn(found["problem"], ("Connection reset by peer", "closed in the middle of the answer"))
        self.assertGreater(found["broken_at"], result["started_at"])

    def test_one_that_ends_begins_again(self):
        def serve(connection):
            connection.recv(4096)
            connection.sendall(NODE_A)

        server = Server(self, serve)
        found = self.probe(server.url(), self.nothing, download_url=server.url())["download"]
        self.assertIsNone(found["broken_at"])
        self.assertGreater(found["bytes"], 3)

    def test_one_that_hangs_is_broken_at_its_last_byte(self):
        clock = Clock()
        download = streams.Download(None, clock, targets.Target(URL), 0.5)
        download._moved, download._moved_at = 990.0, 1e9 + 990.0
        self.assertEqual(
            download.result(),
            {"bytes": 0, "broken_at": 1e9 + 990.0, "longest_stall": 10.0, "problem": "no byte since"},
        )

    def test_a_standstill_of_this_machine_is_no_stall(self):
        clock = Clock()
        download = streams.Download(None, clock, targets.Target(URL), 0.5)
        download._moved, download._moved_at = 990.0, 1e9 + 990.0
        download.pardon(clock.monotonic())
        self.assertEqual(
            download.result(), {"bytes": 0, "broken_at": None, "longest_stall": 0.0, "problem": None}
        )

    def test_one_that_is_not_served(self):
        server = Server(self, answering(NODE_A))
        missing = Server(self, answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
        self.assertEqual(
            refusal(self.probe, server.url(), self.nothing, download_url=missing.url()),
            "download_url: URL %s: HTTP 404; name a file that this host can fetch" % missing.url(),
        )


@unittest.skipIf(vip_probe is None, "no Ansible here")
class ModuleTest(LoopbackCase):
    def setUp(self):
        super(ModuleTest, self).setUp()
        self.base = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.base)

    def run_module(self, check_mode=False, **given):
        class Module(object):
            pass

        module = Module()
        module.check_mode = check_mode
        params = {name: option.get("default") for name, option in vip_probe.ARGUMENT_SPEC.items()}
        return vip_probe.run(module, dict(params, directory=self.base, **given))

    def test_check_mode_does_nothing_and_says_so(self):
        self.assertEqual(
            self.run_module(True, state="started", url=URL),
            {"changed": True, "msg": "check mode: probe in %s was not started" % self.base},
        )
        self.assertEqual(
            self.run_module(True, state="stopped"),
            {"changed": False, "msg": "check mode: probe in %s was not stopped" % self.base},
        )
        self.assertEqual(os.listdir(self.base), [])

    def test_check_mode_refuses_what_would_be_refused(self):
        self.assertIn("URL x", refusal(self.run_module, True, state="started", url="x"))

    def test_from_start_to_stop(self):
        server = Server(self, answering(NODE_A))
        started = self.run_module(state="started", url=server.url(), interval=0.05)
        self.assertEqual((started["changed"], started["probe"]["node"]), (True, "node-a"))
        self.assertIn("runs already as process", refusal(self.run_module, state="started", url=server.url()))
        stopped = self.run_module(state="stopped")
        self.assertTrue(stopped["changed"])
        self.assertEqual((stopped["probe"]["ended_by"], stopped["probe"]["lost"]), ("stop", 0))
        self.assertEqual(self.run_module(state="stopped"), {"changed": False, "probe": stopped["probe"]})

    def test_an_end_with_an_error_is_told(self):
        def fail(job):
            job.ready()
            raise NodeError("the epoll broke")

        vip_probe.background.start(self.base, "probe", fail, 10)
        self.assertEqual(
            refusal(self.run_module, state="stopped"),
            "probe in %s: ended with an error: the epoll broke" % self.base,
        )


if __name__ == "__main__":
    unittest.main()
