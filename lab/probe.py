# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that asks a URL at a fixed interval and says when it was not answered, and by whom it was.

Every request is a connection of its own and starts on time whether or not earlier ones were answered, so an outage is
seen with the resolution of the interval. Nothing is repeated. The standard library only: it runs inside the lab's
observer. Prints one JSON object a line: `start`, `owner` (a new node answers), `outage`, and at the end `summary`.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import selectors
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

HEADER = b"x-ha-pair-node:"


@dataclass
class Request:
    """One request: when it was due and sent (seconds, monotonic), and what came of it."""

    due: float
    sent: float
    sock: socket.socket | None
    deadline: float
    answer: bytes = b""
    node: str | None = None
    done: float | None = None
    ok: bool = False


@dataclass
class Outage:
    """From the first unanswered request until the first answered one after it. Seconds since the start."""

    start: float
    end: float | None
    seconds: float
    lost: int
    before: str | None
    after: str | None


@dataclass
class Summary:
    """What a whole run saw. `late` is how far behind its time the latest request was sent, in seconds."""

    requests: int
    lost: int
    seconds: float
    late: float
    longest: float
    outages: list[Outage] = field(default_factory=list)
    answered_by: dict[str, int] = field(default_factory=dict)


def summarise(requests: list[Request], started: float) -> Summary:
    """Outages in the order of sending: what a client who asked at that moment was told."""
    outages: list[Outage] = []
    answered_by: dict[str, int] = {}
    current: Outage | None = None
    last_node: str | None = None
    for request in requests:
        if request.ok:
            node = request.node or "unknown"
            answered_by[node] = answered_by.get(node, 0) + 1
            if current is not None:
                current.end = request.sent - started
                current.seconds = current.end - current.start
                current.after = node
                current = None
            last_node = node
        elif current is None:
            current = Outage(request.sent - started, None, 0.0, 1, last_node, None)
            outages.append(current)
        else:
            current.lost += 1
    last = requests[-1].sent if requests else started
    if current is not None:
        current.seconds = last - started - current.start
    return Summary(
        requests=len(requests),
        lost=sum(1 for request in requests if not request.ok),
        seconds=last - started,
        late=max((request.sent - request.due for request in requests), default=0.0),
        longest=max((outage.seconds for outage in outages), default=0.0),
        outages=outages,
        answered_by=answered_by,
    )


class Probe:
    """Sends the requests and collects the answers, single-threaded."""

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise SystemExit(f"probe: {url!r} is not a plain http URL; give one such as http://192.0.2.10/")
        self.address = (socket.gethostbyname(parts.hostname), parts.port or 80)
        self.timeout = timeout
        path = parts.path or "/"
        self.message = f"GET {path} HTTP/1.1\r\nHost: {parts.hostname}\r\nConnection: close\r\n\r\n".encode()
        self.selector = selectors.DefaultSelector()
        self.pending: list[Request] = []
        self.owner: str | None = None

    def send(self, due: float) -> Request:
        """Start one request; it never waits."""
        now = time.monotonic()
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        request = Request(due, now, sock, now + self.timeout)
        result = sock.connect_ex(self.address)
        if result not in (0, errno.EINPROGRESS):
            self.finish(request, ok=False)
            return request
        self.selector.register(sock, selectors.EVENT_WRITE, request)
        self.pending.append(request)
        return request

    def finish(self, request: Request, *, ok: bool) -> None:
        """Close a request with its result."""
        request.ok, request.done = ok, time.monotonic()
        if request.sock is not None:
            if request in self.pending:
                self.pending.remove(request)
                self.selector.unregister(request.sock)
            request.sock.close()
            request.sock = None

    def step(self, until: float) -> None:
        """Handle what the network brings until a moment (monotonic seconds)."""
        while True:
            now = time.monotonic()
            for request in [request for request in self.pending if request.deadline <= now]:
                self.finish(request, ok=False)
            wait = until - now
            if wait <= 0:
                return
            for key, events in self.selector.select(wait):
                self.handle(key.data, events)

    def handle(self, request: Request, events: int) -> None:
        """One socket is ready."""
        sock = request.sock
        if sock is None:
            return
        try:
            if events & selectors.EVENT_WRITE:
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    self.finish(request, ok=False)
                    return
                sock.send(self.message)
                self.selector.modify(sock, selectors.EVENT_READ, request)
                return
            data = sock.recv(65536)
        except OSError:
            self.finish(request, ok=False)
            return
        request.answer += data
        if not data:
            self.judge(request)

    def judge(self, request: Request) -> None:
        """The other side has closed: was that an answer, and whose?"""
        head = request.answer.partition(b"\r\n\r\n")[0].splitlines()
        status = head[0].split() if head else []
        for line in head[1:]:
            if line.lower().startswith(HEADER):
                request.node = line[len(HEADER) :].strip().decode("ascii", "replace")
        self.finish(request, ok=len(status) > 1 and status[1].startswith(b"2"))


def say(kind: str, **details: object) -> None:
    """One line for whoever watches."""
    sys.stdout.write(json.dumps({"event": kind, **details}) + "\n")
    sys.stdout.flush()


def run(url: str, interval: float, timeout: float, duration: float, stop_file: str) -> Summary:
    """Probe until the stop file appears, or for `duration` seconds at the most."""
    probe = Probe(url, timeout)
    requests: list[Request] = []
    started = time.monotonic()
    say("start", url=url, interval=interval, at=time.time())
    reported = 0
    failing: Request | None = None
    count = 0
    while True:
        due = started + count * interval
        probe.step(due)
        if due - started >= duration or (count % 10 == 0 and os.path.exists(stop_file)):
            break
        requests.append(probe.send(due))
        count += 1
        # Tell what has become certain, in the order of sending.
        while reported < len(requests) and requests[reported].done is not None:
            request = requests[reported]
            reported += 1
            if request.ok and failing is not None:
                seconds = round(request.sent - failing.sent, 3)
                say("outage", seconds=seconds, at=round(failing.sent - started, 3), after=request.node)
                failing = None
            elif not request.ok and failing is None:
                failing = request
            if request.ok and request.node != probe.owner:
                probe.owner = request.node
                say("owner", node=request.node, at=round(request.sent - started, 3))
    probe.step(time.monotonic() + timeout)
    return summarise(requests, started)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--interval", type=float, default=0.01, help="seconds between two requests")
    parser.add_argument("--timeout", type=float, default=0.5, help="seconds after which a request counts as lost")
    parser.add_argument("--duration", type=float, default=120, help="seconds at the most")
    parser.add_argument("--stop-file", default="/tmp/ha-pair-probe.stop", help="end when this file appears")
    given = parser.parse_args()
    summary = run(given.url, given.interval, given.timeout, given.duration, given.stop_file)
    say("summary", **asdict(summary))


if __name__ == "__main__":
    main()
