# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts in sessions through the VIP, in one file for the observer, and tells which acknowledged increment is lost.

Each session asks one after the other and says what it expects: the number after the last one that it was given. A lower
one is a loss, with the time and the nodes. A request without an answer may have counted or not, and so may one that a
proxy has repeated: a higher number is told, and is no loss.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import threading
import time
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

# A pause between two answers that is told by itself (s).
WORTH_TELLING = 1.0


@dataclass
class Loss:
    """An increment that was acknowledged and is gone. `at` is in seconds since the client began."""

    at: float
    session: int
    acknowledged: int
    got: int
    node: str
    before: str

    def __str__(self) -> str:
        return (
            f"{self.at:.2f} s: session {self.session} had {self.acknowledged} of {self.before} and got {self.got} of "
            f"{self.node}: {self.acknowledged + 1 - self.got} lost"
        )


@dataclass
class Account:
    """What one session was told. `unknown`: requests without an answer since the last number.

    `longest`: between two answers, with what was given up between them; `slowest`: of a request that was answered.
    `waits`: when each pause between two answers of a second and more ended, and how long it was.
    """

    session: int
    acknowledged: int = 0
    unknown: int = 0
    node: str = ""
    answers: int = 0
    failures: int = 0
    more: int = 0
    longest: float = 0.0
    slowest: float = 0.0
    last: float | None = None
    waits: list[tuple[float, float]] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)

    def answered(self, number: int, node: str, at: float, took: float = 0.0) -> Loss | None:
        """Note a number that came `took` seconds after it was asked for; the loss that it tells of, if any."""
        loss = None
        if number < self.acknowledged + 1:
            loss = Loss(round(at, 3), self.session, self.acknowledged, number, node, self.node)
            self.losses.append(loss)
        elif number > self.acknowledged + 1 + self.unknown:
            self.more += number - self.acknowledged - 1 - self.unknown
        if self.last is not None:
            self.longest = max(self.longest, at - self.last)
            if at - self.last >= WORTH_TELLING:
                self.waits.append((round(at, 3), round(at - self.last, 3)))
        self.slowest = max(self.slowest, took)
        self.acknowledged, self.unknown, self.node, self.last = number, 0, node, at
        self.answers += 1
        return loss

    def failed(self) -> None:
        """Note a request of which nobody knows whether it counted."""
        self.failures += 1
        self.unknown += 1


class Asker(threading.Thread):
    """One session: a request at each interval, once the one before has come to its end."""

    def __init__(self, account: Account, url: str, options: argparse.Namespace, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.account, self._options, self._stopped = account, options, stop
        self._parts = urlsplit(url)
        self._cookie = ""

    def _ask(self) -> tuple[int, str]:
        connection = http.client.HTTPConnection(
            str(self._parts.hostname), self._parts.port or 80, timeout=self._options.timeout
        )
        try:
            connection.request("GET", self._parts.path or "/", headers={"Cookie": self._cookie} if self._cookie else {})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            cookie = answer.getheader("Set-Cookie")
            if answer.status != 200:
                raise ValueError(f"answered {answer.status}")
            if cookie:
                self._cookie = cookie.partition(";")[0]
            number, _space, rest = text.partition(" ")
            return int(number), rest.split(" ")[0].strip()
        finally:
            connection.close()

    def run(self) -> None:
        """Ask until told to stop."""
        began = self._options.began
        following = time.monotonic()
        while not self._stopped.is_set():
            asked = time.monotonic()
            try:
                number, node = self._ask()
            except (OSError, http.client.HTTPException, ValueError):
                self.account.failed()
            else:
                now = time.monotonic()
                loss = self.account.answered(number, node, now - began, now - asked)
                if loss is not None:
                    print(json.dumps({"loss": str(loss)}), flush=True)
            following = max(following + self._options.interval, time.monotonic())
            self._stopped.wait(following - time.monotonic())


def summary(accounts: list[Account]) -> dict[str, t.Any]:
    """All sessions together."""
    return {
        "sessions": len(accounts),
        "answers": sum(account.answers for account in accounts),
        "failures": sum(account.failures for account in accounts),
        "more": sum(account.more for account in accounts),
        "longest": round(max((account.longest for account in accounts), default=0.0), 3),
        "slowest": round(max((account.slowest for account in accounts), default=0.0), 3),
        "waits": sorted(wait for account in accounts for wait in account.waits),
        "nodes": sorted({account.node for account in accounts if account.node}),
        "losses": [asdict(loss) for account in accounts for loss in account.losses],
    }


def main(arguments: list[str] | None = None) -> int:
    """Count until the time is over or the stop file is there; 1 when something was lost, 2 when nobody answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="such as http://192.0.2.10/count")
    parser.add_argument("--sessions", type=int, default=4)
    parser.add_argument("--interval", type=float, default=0.1)
    parser.add_argument("--seconds", type=float, default=60.0, help="the end, whatever happens")
    parser.add_argument("--timeout", type=float, default=15.0)
    parser.add_argument("--stop-file", type=Path)
    options = parser.parse_args(arguments)
    options.began = time.monotonic()
    stop = threading.Event()
    accounts = [Account(number) for number in range(options.sessions)]
    askers = [Asker(account, options.url, options, stop) for account in accounts]
    for asker in askers:
        asker.start()
    while time.monotonic() - options.began < options.seconds:
        if options.stop_file is not None and options.stop_file.exists():
            break
        time.sleep(0.1)
    stop.set()
    for asker in askers:
        asker.join(options.timeout + 5)
    found = summary(accounts)
    print(json.dumps({"summary": found}), flush=True)
    if not found["answers"]:
        return 2
    return 1 if found["losses"] else 0


if __name__ == "__main__":
    sys.exit(main())
