# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the scenario java_standby: built the same each time, and doing what the scenario counts on."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import evidence
import pytest

ROOT = Path(__file__).resolve().parents[3]
needs_jdk = pytest.mark.skipif(shutil.which("javac") is None, reason="there is no JDK")


def build(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([checkout / "tools/jar.sh", *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tool needs, with a cache of its own."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "molecule/shared/fetcher", root / "molecule/shared/fetcher")
    (root / "tools").mkdir()
    for name in ("jar.sh", "lib.sh"):
        shutil.copy2(ROOT / "tools" / name, root / "tools" / name)
    return root


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "jar: error: say a version, for example: tools/jar.sh 1"),
        (("a b",), "jar: error: 'a b' is no version; give letters, digits, . _ and -"),
    ],
)
def test_refuses(checkout: Path, words: tuple[str, ...], message: str) -> None:
    done = build(checkout, *words)
    assert (done.returncode, done.stderr.strip()) == (1, message)


@needs_jdk
def test_the_same_version_has_the_same_bytes(checkout: Path) -> None:
    done = build(checkout, "7")
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path == checkout / ".cache/jar/fetcher-7.jar"
    first = path.read_bytes()
    path.unlink()
    assert build(checkout, "7").stdout == done.stdout
    assert path.read_bytes() == first
    with zipfile.ZipFile(path) as jar:
        assert jar.namelist()[0] == "META-INF/MANIFEST.MF"
        # Java 8.
        assert jar.read("example/Fetcher.class")[:8] == bytes.fromhex("cafebabe00000034")


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None: ...


@contextmanager
def source(directory: Path) -> Iterator[str]:
    """A server of files, by its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def wait_for(path: Path, text: str) -> None:
    """Until a file holds that, and not for ever."""
    for _attempt in range(600):
        if path.exists() and text in path.read_text(encoding="utf-8"):
            return
        time.sleep(0.05)
    pytest.fail(f"{path.name} never held {text!r}")


@needs_jdk
def test_it_fetches_answers_and_writes_down_that_it_works(checkout: Path, tmp_path: Path) -> None:
    jar = build(checkout, "7").stdout.strip()
    files, data, beats = tmp_path / "files", tmp_path / "data", tmp_path / "evidence"
    files.mkdir()
    data.mkdir()
    (files / "rates.csv").write_text("1\n", encoding="ascii")
    port = free_port()
    with source(files) as url:
        words = ["--source", url, "--files", "rates.csv,missing.csv", "--directory", str(data), "--interval", "0.1"]
        words += [
            "--port",
            str(port),
            "--node",
            "node-a",
            "--evidence",
            str(beats),
            "--fail-file",
            str(tmp_path / "no"),
        ]
        process = subprocess.Popen(["java", "-Xmx32m", "-jar", jar, *words])
        try:
            wait_for(data / "written", " rates.csv 2\n")
            with urlopen(f"http://127.0.0.1:{port}/health") as answer:
                assert (answer.status, answer.headers["X-HA-Pair-Node"]) == (200, "node-a")
            with urlopen(f"http://127.0.0.1:{port}/") as answer:
                assert answer.read().decode().startswith(f"version 7 on node-a, pid {process.pid}, started 2")
        finally:
            process.terminate()
            assert process.wait(timeout=30) == 143
    # Nothing half-written stays, and what could not be had is not there.
    assert sorted(path.name for path in data.iterdir()) == ["rates.csv", "written"]
    signs = evidence.parse(beats.read_text(encoding="ascii"))
    assert [sign.kind for sign in signs[:2]] == ["start", "beat"]
    assert [sign.kind for sign in signs].count("end") == 1
    assert signs[-1].kind == "end"
    assert [sign.number for sign in signs] == list(range(len(signs)))
    assert signs[0].run.startswith(f"node-a-{process.pid}-")
    assert evidence.clock_steps(signs) == []


@needs_jdk
@pytest.mark.parametrize(
    ("version", "words", "code", "message"),
    [
        ("7", ("--fail-file", "{here}"), 1, "{here}: is there, so this does not start"),
        ("7", ("--directory", "{here}/none"), 1, "{here}/none: is no directory that this account may write to"),
        ("broken-1", ("--directory", "{here}"), 1, "version broken-1: ends as soon as it was started"),
        ("7", ("--directory",), 2, "--directory: is no option with a value"),
        ("7", ("--speed", "9"), 2, "--speed: is no option with a value"),
    ],
)
def test_it_refuses_to_start(
    checkout: Path, tmp_path: Path, version: str, words: tuple[str, ...], code: int, message: str
) -> None:
    jar = build(checkout, version).stdout.strip()
    given = [word.format(here=tmp_path) for word in words]
    if code == 1 and "--fail-file" not in words:
        given += ["--fail-file", str(tmp_path / "no")]
    done = subprocess.run(["java", "-jar", jar, *given], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code
    assert done.stderr.startswith(message.format(here=tmp_path))


@needs_jdk
def test_it_ends_by_itself_after_so_many_rounds(checkout: Path, tmp_path: Path) -> None:
    jar = build(checkout, "7").stdout.strip()
    words = ["--directory", str(tmp_path), "--port", "0", "--rounds", "1", "--fail-file", str(tmp_path / "no")]
    assert subprocess.run(["java", "-jar", jar, *words], check=False, timeout=60).returncode == 0
