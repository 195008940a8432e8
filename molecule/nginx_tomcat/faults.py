# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the application nodes, one after the other, on the lab of the scenario; each is mended before the next.

What a client may notice is in the limits below: docs/nginx_tomcat.md says the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

from cases import Cases, expect
from labkit import NODES, ROOT, Lab, LabError, wait_until

LAB = Lab.from_environment()
BROKEN, OTHER = "app-1", "app-2"
ADDRESSES = {name: str(ip_network(LAB.subnet)[number]) for name, number in ((BROKEN, 31), (OTHER, 32))}
INVENTORIES = ("inventories/nginx_tomcat", "lab/inventory", "molecule/nginx_tomcat/inventory")

READ_TIMEOUT, CONNECT_TIMEOUT = 2.0, 1.0
# Seconds that a request may take in which one server is given up: its timeouts, and what a busy machine adds.
SLOWEST = READ_TIMEOUT + CONNECT_TIMEOUT + 2.0
POST_INTERVAL = 0.05
# POSTs that a server without a word may keep: half of those that are sent until it is given up, and as many again for a
# busy machine.
LOST_WITH_A_NODE = int(READ_TIMEOUT / POST_INTERVAL)
# Those that it had begun when it was killed.
LOST_WITH_A_PROCESS = 3

CASES = Cases()


def fetch(host: str, url: str) -> str:
    """What a host gets from a URL; LabError where it is anything but an answer of 200."""
    script = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=3).read().decode())"
    return LAB.docker("exec", LAB.container(host), "python3", "-c", script, url).strip()


def answers(host: str) -> bool:
    """Whether the Tomcat of an application node answers, as that node."""
    try:
        return fetch(host, "http://127.0.0.1:8080/ha-pair/health") == host
    except LabError:
        return False


def settle() -> None:
    """Wait until both Tomcats answer, and nginx has had the time to ask both of them again."""
    wait_until("both Tomcats answer", lambda: all(answers(host) for host in ADDRESSES), timeout=120)
    wait_until("one node owns the VIP", lambda: len(LAB.owners()) == 1, timeout=60)
    time.sleep(4)  # longer than fail_timeout


class Asked:
    """A client on the observer, which asks through the VIP until its time is over."""

    def __init__(self, name: str, seconds: float) -> None:
        # Of this run alone: in a lab that stays, nginx's log has those of earlier ones.
        self.name = f"{name}-{time.time():.0f}"
        self.seen: dict[str, t.Any] = {}
        self._problem = ""
        self._thread = threading.Thread(target=self._run, args=(seconds,))
        self._thread.start()

    def _run(self, seconds: float) -> None:
        words = ["python3", "-", LAB.vip, "--name", self.name, "--seconds", str(seconds)]
        words += ["--post-interval", str(POST_INTERVAL)]
        program = (Path(__file__).parent / "client.py").read_text(encoding="utf-8")
        command = ["docker", "exec", "-i", LAB.container("observer"), *words]
        done = subprocess.run(command, input=program, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            self.seen = json.loads(done.stdout)
        self._problem = done.stderr.strip()

    def finish(self) -> None:
        """Wait for the last answer, and say what was seen in a line."""
        self._thread.join()
        expect(self.seen, f"the client ended without a result: {self._problem}")
        gets = [what for what in self.seen["failed"] if what.startswith("GET ")]
        print(
            f"    {len(gets)} of {self.seen['gets']} GETs failed, the slowest took {self.seen['slowest_get']:.2f} s, "
            f"{len(self.seen['failed_ids'])} of {len(self.seen['ids'])} POSTs failed",
            flush=True,
        )

    def expect_gets(self) -> None:
        """Refuse a GET that failed, or took longer than giving up one server does."""
        failed = {what: why for what, why in self.seen["failed"].items() if what.startswith("GET ")}
        expect(not failed, f"GETs failed: {dict(list(failed.items())[:5])}")
        expect(self.seen["slowest_get"] < SLOWEST, f"a GET took {self.seen['slowest_get']:.2f} s")

    def expect_posts(self, lost: int) -> None:
        """Refuse more failed POSTs than that, and one that was given to a second server after a first had taken it."""
        failed = self.seen["failed_ids"]
        expect(len(failed) <= lost, f"{len(failed)} POSTs failed, not at most {lost}: {self.seen['failed']}")
        entries = [entry for entry in logged() if entry["id"].startswith(f"{self.name}-")]
        logged_ids = {entry["id"] for entry in entries}
        expect(len(entries) == len(logged_ids), "nginx got a POST twice, so the client itself is wrong")
        expect(set(self.seen["ids"]) - set(failed) <= logged_ids, "POSTs are not in the log of nginx")
        for entry in entries:
            # "-" is a connection that never was; whoever had one may have carried the request out.
            expect(
                all(connected == "-" for connected in entry["connected"][:-1]),
                f"POST {entry['id']} was given to {entry['servers']}, connected after {entry['connected']}",
            )


def logged() -> list[dict[str, t.Any]]:
    """The POSTs in nginx's log of both nodes: the id, and which servers were asked, in their order."""
    found = []
    for node in NODES:
        for line in LAB.run(node, "cat /var/log/nginx/asked.log").splitlines():
            method, label, servers, connected = line.split("|")
            if method == "POST":
                found.append({"id": label, "servers": servers.split(", "), "connected": connected.split(", ")})
    return found


def carried_out(host: str) -> dict[str, int]:
    """How often the application on a host carried out each POST, by its id."""
    lines = fetch(host, "http://127.0.0.1:8080/posts").splitlines()
    return {label: int(count) for label, _space, count in (line.partition(" ") for line in lines)}


@contextmanager
def asked(name: str, seconds: float) -> Iterator[Asked]:
    """A client from a second before what happens until its time is over."""
    client = Asked(name, seconds)
    try:
        time.sleep(1.5)  # it has to start, too
        yield client
    finally:
        client.finish()


def deploy(*words: str) -> None:
    """The example once more, on the pair."""
    command = ["ansible-playbook", *(word for source in INVENTORIES for word in ("-i", source)), "site.yml"]
    done = subprocess.run(
        [*command, "--limit", "ha_pair", *words],
        cwd=ROOT,
        env=LAB.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    expect(done.returncode == 0, f"site.yml {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-500:]}")


@CASES.add
def a_tomcat_that_is_killed() -> None:
    """Killed, and started again by systemd: no GET fails, and POSTs fail that it had begun."""
    with asked("killed", 6) as client:
        LAB.run(BROKEN, "systemctl kill --signal=KILL tomcat.service")
    client.expect_gets()
    client.expect_posts(LOST_WITH_A_PROCESS)


@CASES.add
def an_application_node_that_dies() -> None:
    """Off without a word: no GET fails, and POSTs fail that went into connections which were open already."""
    try:
        with asked("died", 8) as client:
            # As the processes die, the kernel would close their connections, and everybody would know at once.
            LAB.run(BROKEN, "ip link set eth0 down")
            LAB.docker("kill", LAB.container(BROKEN))
        client.expect_gets()
        client.expect_posts(LOST_WITH_A_NODE)
        wait_until(
            "the other Tomcat answers alone", lambda: BROKEN not in fetch("observer", f"http://{LAB.vip}/"), timeout=5
        )
    finally:
        LAB.docker("start", LAB.container(BROKEN))


@CASES.add
def a_tomcat_that_hangs() -> None:
    """Stopped with its connections open: no GET fails, and no POST is carried out twice when it goes on."""
    with asked("hung", 8) as client:
        LAB.run(BROKEN, "systemctl kill --signal=STOP tomcat.service")
        try:
            time.sleep(4)
        finally:
            LAB.run(BROKEN, "systemctl kill --signal=CONT tomcat.service")
    client.expect_gets()
    client.expect_posts(LOST_WITH_A_NODE)
    # What it took before, it carries out now, and its client was told that nobody knows.
    wait_until("it answers again", lambda: answers(BROKEN), timeout=30)
    by_host = {host: carried_out(host) for host in ADDRESSES}
    for label in client.seen["ids"]:
        counts = {host: by_host[host].get(label, 0) for host in ADDRESSES}
        expect(sum(counts.values()) <= 1, f"POST {label} was carried out more than once: {counts}")
        expect(label in client.seen["failed_ids"] or sum(counts.values()) == 1, f"POST {label} was carried out by none")


@CASES.add
def a_host_that_is_drained() -> None:
    """Nothing new goes to it, so that it can be stopped: no request of any kind fails."""
    deploy("-e", json.dumps({"nginx_upstream_drained": [BROKEN]}))
    try:
        with asked("drained", 6) as client:
            LAB.run(BROKEN, "systemctl stop tomcat.service")
        client.expect_gets()
        client.expect_posts(0)
        asked_servers = {
            server for entry in logged() if entry["id"].startswith(f"{client.name}-") for server in entry["servers"]
        }
        expect(asked_servers == {f"{ADDRESSES[OTHER]}:8080"}, f"servers that were asked: {sorted(asked_servers)}")
    finally:
        LAB.run(BROKEN, "systemctl start tomcat.service")
        wait_until("it answers again", lambda: answers(BROKEN), timeout=90)
        deploy()


if __name__ == "__main__":
    sys.exit(CASES.run(settle))
