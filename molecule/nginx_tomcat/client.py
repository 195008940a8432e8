# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the application, in one file for the observer: GETs and POSTs at fixed intervals, none of them repeated.

Every request is sent on time, whether or not earlier ones were answered. A POST carries an id of its own, by which the
application and nginx's log say later where it went.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import threading
import time
from dataclasses import asdict, dataclass, field


@dataclass
class Seen:
    """What was seen: a reason for each request that failed, the ids of all POSTs, and of those without a 200."""

    gets: int = 0
    slowest_get: float = 0.0
    failed: dict[str, str] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    failed_ids: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)


class Client:
    """Sends requests, each in a thread of its own, and counts what came of them."""

    def __init__(self, host: str, port: int, timeout: float, name: str) -> None:
        self.host, self.port, self.timeout, self.name = host, port, timeout, name
        self.seen = Seen()
        self._lock = threading.Lock()

    def _ask(self, method: str, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def send(self, method: str, number: int) -> None:
        """One request."""
        label = f"{self.name}-{number}"
        path = "/" if method == "GET" else f"/post?id={label}"
        started = time.monotonic()
        reason, text = "", ""
        try:
            status, text = self._ask(method, path)
            if status != 200:
                reason = f"answered {status}"
        except (OSError, http.client.HTTPException) as exc:
            reason = f"{type(exc).__name__}: {exc}"
        taken = time.monotonic() - started
        with self._lock:
            if method == "GET":
                self.seen.gets += 1
                self.seen.slowest_get = max(self.seen.slowest_get, taken)
                if not reason:
                    self.seen.answers[text.strip()] = self.seen.answers.get(text.strip(), 0) + 1
            else:
                self.seen.ids.append(label)
                if reason:
                    self.seen.failed_ids.append(label)
            if reason:
                self.seen.failed[f"{method} {label}"] = f"{reason} after {taken:.2f} s"

    def repeat(self, method: str, interval: float, seconds: float) -> None:
        """Requests at an interval; returns when the last one has come to its end."""
        threads = []
        began = time.monotonic()
        for number in range(int(seconds / interval)):
            time.sleep(max(0.0, began + number * interval - time.monotonic()))
            threads.append(threading.Thread(target=self.send, args=(method, number)))
            threads[-1].start()
        for thread in threads:
            thread.join()


def main(arguments: list[str] | None = None) -> int:
    """Ask as the command line says, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--name", default="case", help="the beginning of all ids")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--timeout", type=float, default=15.0)
    parser.add_argument("--get-interval", type=float, default=0.02)
    parser.add_argument("--post-interval", type=float, default=0.05)
    options = parser.parse_args(arguments)
    client = Client(options.host, options.port, options.timeout, options.name)
    both = [
        threading.Thread(target=client.repeat, args=(method, interval, options.seconds))
        for method, interval in (("GET", options.get_interval), ("POST", options.post_interval))
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    print(json.dumps(asdict(client.seen)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
