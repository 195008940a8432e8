# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two Redis servers on this machine under the rules of ha-pair-redis-role, with the configuration of the role redis.

Needs no lab, only redis-server. A writer asks both who is primary and adds one, and waits for the replica; what it was
given may never be lost. For how long nobody took its writes is the figure.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "collections"))

# Written for the Pythons of nodes, so without types.
PACKAGE = "ansible_collections.duplex.ha_pair.plugins.module_utils._node"
redis: t.Any = importlib.import_module(f"{PACKAGE}.redis")
model: t.Any = importlib.import_module("ansible_collections.duplex.ha_pair.plugins.plugin_utils._redis.model")
rules: t.Any = importlib.import_module(f"{PACKAGE}.redis_role")

ROOT = Path(__file__).resolve().parents[2]
# Addresses of the loopback, so that both can have one port.
ADDRESSES = {"a": "127.0.0.2", "b": "127.0.0.3"}
OTHER = {"a": "b", "b": "a"}
LOGIN = os.urandom(16).hex()
PAUSE = 0.02
# Longer than any case takes until the two agree again.
SETTLE = 20.0


@dataclass
class Pair:
    """The two servers, where the VIP is said to be, and what the writer has been given."""

    directory: Path
    port: int
    program: str
    vrrp: dict[str, str | None] = field(default_factory=lambda: {"a": None, "b": None})
    servers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    unreachable: set[str] = field(default_factory=set)
    count: int = 0
    losses: list[str] = field(default_factory=list)
    longest: float = 0.0
    ended: threading.Event = field(default_factory=threading.Event)

    def start(self, node: str) -> None:
        """Start the server of a node as the role would have it."""
        home = self.directory / node
        home.mkdir(exist_ok=True)
        source = (ROOT / "roles/redis/templates/redis.conf.j2").read_text(encoding="utf-8")
        source = source.replace("{{ ansible_managed | comment }}", "# of the benchmark")
        text = jinja2.Template(source, trim_blocks=True, keep_trailing_newline=True).render(
            __redis_model={
                "address": ADDRESSES[node],
                "bind": [ADDRESSES[node]],
                "port": self.port,
                "replica_of": model.NOWHERE,
                "min_replicas_to_write": 0,
                "append_only": "everysec",
                "maxmemory": "",
            },
            redis_password=LOGIN,
            __redis_data=home,
            __redis_pid_file="",
        )
        path = home / "redis.conf"
        path.write_text(text, encoding="utf-8")
        with (home / "log").open("ab") as log:
            self.servers[node] = subprocess.Popen([self.program, str(path)], stdout=log, stderr=log)

    def kill(self, node: str) -> None:
        """Kill the server of a node."""
        self.servers[node].kill()
        self.servers[node].wait()

    def off(self, *nodes: str) -> None:
        """Take the power from nodes."""
        self.gone.update(nodes)
        for node in nodes:
            self.kill(node)
            self.vrrp[node] = None

    def on(self, *nodes: str) -> None:
        """Switch nodes on again."""
        for node in nodes:
            self.start(node)
            self.gone.discard(node)

    def ask(self, node: str, *words: t.Any) -> t.Any:
        """What a server answers; without words, what it says of its part and of its data."""
        server = redis.Redis(ADDRESSES[node], self.port, LOGIN, timeout=0.5)
        try:
            return server.command(*words) if words else rules.look(server)
        finally:
            server.close()

    def agree(self) -> bool:
        """Whether the primary is where the VIP is, and the other one follows."""
        try:
            parts = {node: self.ask(node) for node in ADDRESSES if node not in self.gone}
        except redis.RedisError:
            return False
        primaries = [node for node, part in parts.items() if part["role"] == "primary"]
        owners = [node for node, word in self.vrrp.items() if word == "MASTER"]
        return primaries == (owners or primaries[:1]) and all(
            part["link"] for part in parts.values() if part["role"] == "replica"
        )

    def follow(self, node: str) -> None:
        """Run the rules of a node until the end."""
        settings = {"own": ADDRESSES[node], "peer": ADDRESSES[OTHER[node]], "port": self.port, "first": node == "a"}
        follower = rules.Follower(settings, World(self, node))
        while not self.ended.wait(rules.TICK):
            if node not in self.gone:
                follower.step()

    def write(self) -> None:
        """Add one, again and again, at whichever server is primary."""
        last = time.monotonic()
        while not self.ended.wait(PAUSE):
            for node in ADDRESSES:
                if node in self.unreachable:
                    continue
                try:
                    if self.ask(node, "ROLE")[0] != "master":
                        continue
                    given = self.ask_and_wait(node)
                except redis.RedisError:
                    continue
                if given <= self.count:
                    self.losses.append(f"{self.count} was given, and then {given} of {node}")
                self.count = given
                now = time.monotonic()
                self.longest, last = max(self.longest, now - last), now
                break

    def ask_and_wait(self, node: str) -> int:
        """The next number, once the replica has it or does not answer."""
        server = redis.Redis(ADDRESSES[node], self.port, LOGIN, timeout=0.5)
        try:
            given = int(server.command("INCR", "count"))
            server.command("WAIT", 1, 200)
            return given
        finally:
            server.close()


class World:
    """What the rules of one node see and do."""

    def __init__(self, pair: Pair, node: str) -> None:
        self._pair, self._node = pair, node
        self.monotonic = time.monotonic

    def _which(self, address: str) -> str:
        return self._node if address == "127.0.0.1" else OTHER[self._node]

    def vrrp(self) -> str | None:
        """Where VRRP stands here."""
        return self._pair.vrrp[self._node]

    def ask(self, address: str) -> t.Any:
        """The part of a server."""
        return self._pair.ask(self._which(address))

    def tell(self, address: str, *words: t.Any) -> t.Any:
        """A command for a server."""
        return self._pair.ask(self._which(address), *words)

    def say(self, line: str) -> None:
        """A line of the journal."""
        print(f"    {self._node}: {line}", flush=True)


def cases(pair: Pair) -> t.Iterator[str]:
    """Does one thing after the other; what it was."""
    pair.vrrp.update(a="MASTER", b="BACKUP")
    yield "the VIP comes to a"
    pair.vrrp.update(a="BACKUP", b="MASTER")
    yield "planned: the VIP moves to b"
    pair.kill("b")
    time.sleep(0.5)
    pair.start("b")
    yield "the primary is killed and started again"
    pair.kill("b")
    pair.gone.add("b")
    pair.vrrp.update(a="MASTER", b=None)
    yield "the node of the primary is off"
    pair.start("b")
    pair.gone.discard("b")
    pair.vrrp.update(b="BACKUP")
    yield "it comes back"
    pair.vrrp.update(a="BACKUP", b="MASTER")
    yield "and gets the VIP again"
    pair.servers["b"].send_signal(signal.SIGSTOP)
    pair.gone.add("b")
    pair.vrrp.update(a="MASTER", b=None)
    yield "the node of the primary freezes"
    pair.servers["b"].send_signal(signal.SIGCONT)
    pair.gone.discard("b")
    pair.vrrp.update(a="BACKUP", b="MASTER")
    yield "it wakes up as primary, and has the VIP at once"
    pair.off("a")
    time.sleep(2.0)
    pair.off("b")
    pair.on("a", "b")
    yield "a is off, b takes writes alone, both lose power, and come back without a VIP"
    pair.vrrp.update(a="BACKUP", b="MASTER")
    pair.off("a")
    time.sleep(1.0)
    for path in (pair.directory / "a").glob("*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    pair.vrrp.update(a="MASTER", b="BACKUP")
    pair.on("a")
    pair.kill("b")
    pair.start("b")
    yield "a comes back empty and has the VIP, and the Redis of b is restarted before a has the data"
    pair.vrrp.update(a="BACKUP", b="MASTER")
    yield "planned: the VIP moves to b again"
    pair.servers["b"].send_signal(signal.SIGSTOP)
    pair.gone.add("b")
    pair.vrrp.update(a="MASTER", b=None)
    time.sleep(3.0)
    # What b took before it gives way would be lost by the rules.
    pair.unreachable.add("b")
    time.sleep(1.0)
    pair.kill("a")
    pair.start("a")
    time.sleep(3.0)
    pair.servers["b"].send_signal(signal.SIGCONT)
    pair.gone.discard("b")
    pair.vrrp.update(b="BACKUP")
    yield "b freezes, a takes over and is restarted, and b wakes up as primary with a larger offset"


def run(pair: Pair) -> int:
    """All cases; 1 when a number was lost or the two do not agree."""
    for node in ADDRESSES:
        pair.start(node)
    threads = [threading.Thread(target=pair.follow, args=(node,), daemon=True) for node in ADDRESSES]
    threads.append(threading.Thread(target=pair.write, daemon=True))
    for thread in threads:
        thread.start()
    code = 0
    for what in cases(pair):
        deadline = time.monotonic() + SETTLE
        while not pair.agree() and time.monotonic() < deadline:
            time.sleep(0.1)
        # The writer has to have had a turn.
        time.sleep(1.0)
        problems = pair.losses + ([] if pair.agree() else ["the two do not agree on who is primary"])
        print(f"{pair.longest:5.2f} s without a write: {what}", *problems, sep="\n  FAILED ", flush=True)
        code = 1 if problems else code
        pair.losses.clear()
        pair.longest = 0.0
    pair.ended.set()
    for thread in threads:
        thread.join(5)
    return code


def main() -> int:
    """Run it in a directory that is gone afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=shutil.which("redis-server") or shutil.which("valkey-server"))
    parser.add_argument("--port", type=int, default=16379)
    options = parser.parse_args()
    if options.server is None:
        parser.error("there is no redis-server; install it, or give --server")
    with tempfile.TemporaryDirectory() as directory:
        pair = Pair(Path(directory), options.port, options.server)
        try:
            return run(pair)
        finally:
            for server in pair.servers.values():
                server.kill()
                server.wait()


if __name__ == "__main__":
    sys.exit(main())
