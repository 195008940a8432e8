# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which jars of session managers the role tomcat starts with, how it goes back, and which Redis it waits for."""

from __future__ import annotations

import json
import os
import socketserver
import sys
import threading
import typing as t
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import yaml
from plays import run_playbook

FACTS = {
    "os_family": "Debian",
    "distribution": "Debian",
    "distribution_major_version": "12",
    "architecture": "x86_64",
}
SYSTEMCTL = """#!/bin/sh
echo "$*" >>"$(dirname "$0")/systemctl.log"
printf '%s\\n' LoadState=loaded ActiveState=active SubState=running UnitFileState=enabled
"""
OLD, NEW, STRAY = (f"ha-pair-{letter * 16}-manager.jar" for letter in "abc")


def run(where: Path, tasks: list[dict[str, t.Any]], variables: dict[str, t.Any]) -> tuple[int, str]:
    """The exit code and what was said. The variables go before those of the role."""
    (where / "systemctl").write_text(SYSTEMCTL, encoding="utf-8")
    (where / "systemctl").chmod(0o755)
    play = {
        "name": "Run tasks of the role",
        "hosts": "localhost",
        "gather_facts": False,
        "environment": {"PATH": f"{where}:{os.environ['PATH']}"},
        "tasks": [
            {"name": "Give the facts", "ansible.builtin.set_fact": {**FACTS, "cacheable": True}},
            *tasks,
        ],
    }
    (where / "playbook.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    given = {
        "ansible_python_interpreter": sys.executable,
        "tomcat_applications": [],
        "__tomcat_directory": str(where / "tomcat"),
        "__tomcat_jars_directory": str(where / "lib"),
        "__tomcat_survey": {"survey": {"descriptors": []}},
        **variables,
    }
    done = run_playbook(where, "-e", json.dumps(given))
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def role(tasks_from: str) -> dict[str, t.Any]:
    return {
        "name": "Run them",
        "ansible.builtin.include_role": {"name": "duplex.ha_pair.tomcat", "tasks_from": tasks_from},
    }


def lay(where: Path, *jars: str) -> None:
    (where / "lib").mkdir()
    for name in jars:
        (where / "lib" / name).write_text(name[8], encoding="utf-8")


def jars(where: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in (where / "lib").iterdir()}


def note(where: Path, **what: t.Any) -> Path:
    """What ran, as an activation notes it."""
    (where / "tomcat").mkdir(exist_ok=True)
    path = where / "tomcat/.ran"
    path.write_text(json.dumps(what), encoding="utf-8")
    return path


@contextmanager
def web(answers: dict[str, int]) -> Iterator[tuple[str, list[str]]]:
    """A server that answers by path; its URL, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(answers.get(self.path, 404))
            self.end_headers()
            self.wfile.write(b"localhost\n")

        def log_message(self, *_words: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_start_finds_its_own_jars_and_what_ran_before_lies_aside(tmp_path: Path) -> None:
    lay(tmp_path, OLD, f"{NEW}.aside", f"{STRAY}.aside", "tomcat-own.jar")
    note(tmp_path, asked=[], jars=[str(tmp_path / "lib" / OLD)])
    wanted = {"__tomcat_jars_wanted": [str(tmp_path / "lib" / NEW)]}
    code, said = run(tmp_path, [role("sessions_activate")], wanted)
    assert code == 0, said
    assert jars(tmp_path) == {NEW: "b", f"{OLD}.aside": "a", "tomcat-own.jar": "w"}
    code, said = run(tmp_path, [role("sessions_activate")], wanted)
    assert code == 0, said
    assert "changed=0" in said


def test_the_first_start_finds_its_jars(tmp_path: Path) -> None:
    lay(tmp_path, f"{NEW}.aside", "tomcat-own.jar")
    code, said = run(tmp_path, [role("sessions_activate")], {"__tomcat_jars_wanted": [str(tmp_path / "lib" / NEW)]})
    assert code == 0, said
    assert jars(tmp_path) == {NEW: "b", "tomcat-own.jar": "w"}


def snapshot(where: Path, *files: Path) -> dict[str, t.Any]:
    return {
        "name": "Keep them",
        "duplex.ha_pair.file_snapshot": {
            "directory": str(where / "tomcat/.before"),
            "files": [str(path) for path in files],
        },
    }


def test_what_is_taken_back_has_its_jars_and_is_asked_where_it_answered(tmp_path: Path) -> None:
    lay(tmp_path, NEW, f"{OLD}.aside")
    with web({"/old/health": 200, "/shop/health": 200}) as (url, asked):
        ran = note(
            tmp_path,
            asked=[
                {"place": "tomcat_health_url", "url": f"{url}/old/health", "tries": 1},
                {"place": "tomcat_applications.shop.health", "url": f"{url}/shop/health", "tries": 1},
            ],
            jars=[str(tmp_path / "lib" / OLD)],
        )
        tasks = [
            snapshot(tmp_path, ran),
            # That of the activation which failed.
            {"name": "Write another one", "ansible.builtin.copy": {"dest": str(ran), "content": "{}", "mode": "0600"}},
            role("take_back"),
            {"name": "Say it", "ansible.builtin.debug": {"msg": "ASK {{ tomcat_taken_back.health_url }}"}},
        ]
        code, said = run(tmp_path, tasks, {"tomcat_health_url": f"{url}/new/health"})
        assert code == 0, said
        assert asked == ["/old/health", "/shop/health"]
        assert f"ASK {url}/old/health" in said
    assert jars(tmp_path) == {OLD: "a", f"{NEW}.aside": "b"}
    assert "restart tomcat.service" in (tmp_path / "systemctl.log").read_text(encoding="utf-8")


def test_an_application_that_does_not_come_back_is_told(tmp_path: Path) -> None:
    with web({"/health": 200}) as (url, _asked):
        ran = note(
            tmp_path,
            asked=[
                {"place": "tomcat_health_url", "url": f"{url}/health", "tries": 1},
                {"place": "tomcat_applications.shop.health", "url": f"{url}/shop/health", "tries": 1},
            ],
            jars=[],
        )
        code, said = run(tmp_path, [snapshot(tmp_path, ran), role("take_back")], {})
        assert code == 2, said
        assert f"localhost: tomcat_applications.shop.health: {url}/shop/health answers 404, not 200" in said


@contextmanager
def redis(part: Callable[[int], str]) -> Iterator[int]:
    """A Redis, and its port. `part`: what it says it is, by how often it was asked before."""
    asked = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while count := self.rfile.readline():
                words = []
                for _word in range(int(count[1:])):
                    length = int(self.rfile.readline()[1:])
                    words.append(self.rfile.read(length + 2)[:-2].decode().upper())
                if words[0] != "INFO":
                    self.wfile.write(b"+OK\r\n")
                    continue
                asked.append(words)
                text = f"role:{part(len(asked) - 1)}\r\nmaster_host:192.0.2.1\r\nmaster_port:6379\r\n".encode()
                self.wfile.write(b"$%d\r\n%s\r\n" % (len(text), text))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def sessions(*ports: int, **more: t.Any) -> dict[str, t.Any]:
    return {
        "tomcat_sessions": {
            "backend": "redis",
            "addresses": [f"127.0.0.1:{port}" for port in ports],
            "password": "secret",
            "timeout": 2,
            "jars": [{"url": "https://example.com/manager.jar", "checksum": "sha256:" + "ab" * 32}],
        },
        **more,
    }


def test_a_replica_is_waited_for_until_it_is_primary(tmp_path: Path) -> None:
    with redis(lambda before: "slave" if before < 2 else "master") as port:
        # Nobody answers at the other address, as on a peer that is dead.
        code, said = run(tmp_path, [role("sessions_backend")], sessions(1, port, __tomcat_tries=5))
    assert code == 0, said


def test_replicas_alone_are_refused_with_the_way_out_of_it(tmp_path: Path) -> None:
    with redis(lambda _before: "slave") as port:
        variables = sessions(port, __tomcat_tries=1, redis_role="follow")
        code, said = run(tmp_path, [role("sessions_backend")], variables)
    assert code == 2, said
    assert (
        "localhost: tomcat_sessions.addresses: no primary Redis answers within 2.0 seconds (all are replicas); read "
        '\\"journalctl -u ha-pair-redis-role.service\\"; while the other node is away and keepalived does not run on '
        f'this one, nobody makes a Redis primary, so run \\"redis-cli -h 127.0.0.1 -p {port} replicaof no one\\" with '
        "its password, and run this again"
    ) in said


def test_what_stands_in_a_comment_is_not_distributable(tmp_path: Path) -> None:
    descriptor = tmp_path / "shop/WEB-INF/web.xml"
    descriptor.parent.mkdir(parents=True)
    descriptor.write_text("<web-app>\n<!-- not yet:\n<distributable/> --></web-app>", encoding="utf-8")
    variables = {
        "__tomcat_opens_firewall": False,
        "__tomcat_model": {
            "layout": {"home": str(tmp_path), "package": "tomcat10"},
            "applications": [{"name": "shop", "directory": str(tmp_path / "shop"), "war": None}],
            "sessions": {
                "backend": "replication",
                "redis": None,
                "replication": {"jars": ["tribes.jar"], "lacks_jars": False, "peers": [], "port": 4000},
            },
        },
    }
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/tribes.jar").touch()
    code, said = run(tmp_path, [role("sessions_stage")], variables)
    assert code == 2, said
    assert "localhost: tomcat_applications.shop: has no <distributable/> in its WEB-INF/web.xml" in said
    descriptor.write_text("<web-app><!-- yes --><distributable/><!-- it is --></web-app>", encoding="utf-8")
    code, said = run(tmp_path, [role("sessions_stage")], variables)
    assert code == 0, said
