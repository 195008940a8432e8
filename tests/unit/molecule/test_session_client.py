# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client that counts in sessions: what it takes for a loss, and that it sees one."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "molecule/sessions/client.py"


def load() -> t.Any:
    """The program, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("session_client", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["session_client"] = module
    spec.loader.exec_module(module)
    return module


CLIENT = load()


def test_the_next_number_is_no_loss() -> None:
    account = CLIENT.Account(0)
    assert [account.answered(number, "node-a", float(number)) for number in (1, 2, 3)] == [None] * 3
    assert (account.answers, account.more, account.longest) == (3, 0, 1.0)


def test_a_pause_is_told_with_its_end_and_a_slow_answer_by_itself() -> None:
    account = CLIENT.Account(0)
    account.answered(1, "node-a", 1.0, 0.2)
    account.answered(2, "node-a", 1.9, 0.8)
    account.answered(3, "node-a", 4.4, 0.1)
    assert account.waits == [(4.4, 2.5)]
    found = CLIENT.summary([account])
    assert (found["longest"], found["slowest"], found["waits"]) == (2.5, 0.8, [(4.4, 2.5)])


def test_a_request_without_an_answer_may_have_counted_or_not() -> None:
    account = CLIENT.Account(0)
    account.answered(5, "node-a", 0.0)
    account.more = 0
    for _time in range(2):
        account.failed()
    assert account.answered(8, "node-b", 1.0) is None
    assert account.more == 0
    account.failed()
    assert account.answered(9, "node-b", 2.0) is None
    assert (account.failures, account.unknown) == (3, 0)


def test_what_is_counted_twice_is_told_and_no_loss() -> None:
    account = CLIENT.Account(0)
    account.answered(1, "node-a", 0.0)
    assert account.answered(4, "node-b", 0.0) is None
    assert account.more == 2


@pytest.mark.parametrize(("got", "lost"), [(9, 1), (5, 5), (1, 9)])
def test_a_lower_number_is_a_loss_with_its_time_and_nodes(got: int, lost: int) -> None:
    account = CLIENT.Account(3)
    account.answered(1, "node-a", 0.0)
    account.acknowledged = 9
    loss = account.answered(got, "node-b", 2.5)
    assert str(loss) == f"2.50 s: session 3 had 9 of node-a and got {got} of node-b: {lost} lost"
    # Told once: from there on it counts from what there is.
    assert account.answered(got + 1, "node-b", 3.0) is None


class Application(BaseHTTPRequestHandler):
    """Counts as the application does; `forget` lets it lose a session after so many requests."""

    counts: t.ClassVar[dict[str, int]] = {}
    forget = 0
    lock = threading.Lock()

    def do_GET(self) -> None:
        with self.lock:
            session = (self.headers.get("Cookie") or "").partition("=")[2]
            fresh = not session
            if fresh:
                session = str(len(self.counts))
            self.counts[session] = self.counts.get(session, 0) + 1
            if self.forget and self.counts[session] == self.forget:
                type(self).forget = 0
                self.counts[session] = 1
            text = f"{self.counts[session]} node-a 1\n".encode()
        self.send_response(200)
        if fresh:
            self.send_header("Set-Cookie", f"JSESSIONID={session}; Path=/; HttpOnly")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


@contextmanager
def application(forget: int) -> Iterator[str]:
    """A server that counts, and its URL."""
    handler = type("Handler", (Application,), {"counts": {}, "forget": forget})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/count"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("forget", "code", "losses"), [(0, 0, 0), (3, 1, 1)])
def test_counts_in_sessions(
    forget: int, code: int, losses: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stop = tmp_path / "stop"
    with application(forget) as url:
        threading.Timer(0.8, stop.touch).start()
        words = [url, "--sessions", "2", "--interval", "0.01", "--stop-file", str(stop), "--seconds", "30"]
        assert CLIENT.main(words) == code
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len([line for line in lines if "loss" in line]) == losses
    found = lines[-1]["summary"]
    assert found["sessions"] == 2
    assert found["answers"] > 2
    assert (found["failures"], found["more"], len(found["losses"]), found["nodes"]) == (0, 0, losses, ["node-a"])


def test_silence_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "stop").touch()
    assert CLIENT.main(["http://127.0.0.1:1/", "--sessions", "1", "--stop-file", str(tmp_path / "stop")]) == 2
