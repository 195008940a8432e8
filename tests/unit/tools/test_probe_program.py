# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe of the collection as the one file that the lab puts on its observer."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import typing as t
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import labkit
import pytest


class Node(BaseHTTPRequestHandler):
    """Answers as the service of a node does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("X-HA-Pair-Node", "node-a")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Node)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def run(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = directory / "probe.zip"
    program.write_bytes(labkit.probe_program())
    # Without the paths of this checkout, as on the observer.
    command = [sys.executable, "-I", str(program), "--stop-file", str(directory / "stop"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_tells_one_event_a_line(tmp_path: Path, url: str) -> None:
    done = run(tmp_path, "--url", url, "--interval", "0.1", "--duration", "1", "--timeout", "3")
    assert (done.returncode, done.stderr) == (0, "")
    events: list[dict[str, t.Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["start", "owner", "summary"]
    assert [labkit.describe(event) for event in events[:1]] == [f"asks {url} every 100 ms"]
    summary = events[-1]
    assert summary["lost"] == 0
    assert summary["answered_by"] == {"node-a": summary["requests"]}
    assert isinstance(summary["late"], float)
    assert {"longest", "seconds", "outages"} <= set(summary)


def test_it_ends_when_it_is_told_to(tmp_path: Path, url: str) -> None:
    (tmp_path / "stop").touch()
    done = run(tmp_path, "--url", url, "--interval", "0.1", "--duration", "60")
    assert json.loads(done.stdout.splitlines()[-1])["ended_by"] == "stop"


def test_it_says_why_it_cannot(tmp_path: Path) -> None:
    done = run(tmp_path, "--url", "ftp://192.0.2.10/")
    assert done.returncode == 1
    assert done.stderr.startswith("probe: url: URL ftp://192.0.2.10/: write http://HOST[:PORT]/PATH")


def test_an_outage_in_words() -> None:
    outage = {"event": "outage", "seconds": 0.21, "at": 1.5, "after": "node-b"}
    assert labkit.describe(outage) == "not answered for 210 ms from 1.50 s on, then by node-b"
