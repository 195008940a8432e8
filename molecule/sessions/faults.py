# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes die, one after the other and each in turn, while a client counts in its sessions through the VIP.

One client all the time: what a node had to hand on before it died, it has to have again before the other one dies. A
fault begins when both nodes are whole, because an increment that only one of them could take dies with it.

With --redis the sessions are in Redis on the same nodes, and it is killed as well.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import typing as t
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

from labkit import NODES, Lab, LabError, wait_until

LAB = Lab.from_environment()
REDIS = "--redis" in sys.argv[1:]
STOP_FILE, PROGRAM = "/run/session-client.stop", "/run/session-client.py"
# Longer than all faults together: it ends by the stop file.
MOST_SECONDS = 1200
SESSIONS = 4
# How long the nodes have to be whole before the next one dies (s): a member that was gone is asked again every five.
SETTLE = 7.0
# How long the client counts on after a fault, before it is mended (s).
AFTER = 4.0

Case = Callable[[str], None]
CASES: list[Case] = []


class CaseError(Exception):
    """A case did not end as it should."""


def case(function: Case) -> Case:
    """Mark a function as a case, which is run for each node; its docstring says what happens."""
    CASES.append(function)
    return function


def fetch(node: str, path: str) -> str:
    """What Tomcat of a node answers to the node itself."""
    script = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=3).read().decode())"
    return LAB.docker("exec", LAB.container(node), "python3", "-c", script, f"http://127.0.0.1:8080{path}").strip()


def is_up(node: str) -> bool:
    """Whether Tomcat of a node answers, which it does once it has the sessions."""
    try:
        return fetch(node, "/ha-pair/health") == node
    except LabError:
        return False


def part(node: str) -> dict[str, str]:
    """What the Redis of a node says of its part."""
    login = "$(sed -n 's/^requirepass \"\\(.*\\)\"/\\1/p' /etc/ha-pair/redis.conf)"
    text = LAB.run(node, f"REDISCLI_AUTH={login} redis-cli info replication", check=False)
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _colon, value in pairs}


def agree() -> bool:
    """Whether one Redis is primary, where the VIP is, and the other one has all of its data."""
    owners = LAB.owners()
    parts = {node: part(node) for node in NODES}
    replicas = [node for node in NODES if parts[node].get("role") == "slave"]
    return (
        [node for node in NODES if parts[node].get("role") == "master"] == owners
        and len(replicas) == 1
        and parts[replicas[0]].get("master_link_status") == "up"
    )


def settle() -> None:
    """Wait until both Tomcats answer and one node owns the VIP, and have been so for a while."""
    since = 0.0

    def whole() -> bool:
        nonlocal since
        good = all(is_up(node) for node in NODES) and len(LAB.owners()) == 1 and (not REDIS or agree())
        since = (since or time.monotonic()) if good else 0.0
        return good and time.monotonic() - since > SETTLE

    wait_until("both nodes are whole", whole, timeout=180)


@case
def tomcat_is_killed(node: str) -> None:
    """Tomcat is killed, and systemd starts it again."""
    LAB.run(node, "systemctl kill --signal=KILL tomcat.service")
    time.sleep(AFTER)


@case
def tomcat_is_restarted(node: str) -> None:
    """Tomcat is restarted, as for a release."""
    LAB.run(node, "systemctl restart tomcat.service")
    time.sleep(AFTER)


@case
def the_node_is_off(node: str) -> None:
    """The node loses power, without a word to anybody."""
    LAB.docker("kill", LAB.container(node))
    time.sleep(AFTER)
    LAB.docker("start", LAB.container(node))


if REDIS:

    @case
    def redis_is_killed(node: str) -> None:
        """Redis is killed, and systemd starts it again."""
        LAB.run(node, "systemctl kill --signal=KILL redis-server.service")
        time.sleep(AFTER)


class Client:
    """The client on the observer."""

    def __init__(self) -> None:
        observer = LAB.container("observer")
        text = (Path(__file__).parent / "client.py").read_text(encoding="utf-8")
        put = ["docker", "exec", "-i", observer, "sh", "-c", f"rm -f {STOP_FILE}; cat > {PROGRAM}"]
        subprocess.run(put, input=text, text=True, check=True)
        words = [f"http://{LAB.vip}/count", "--sessions", str(SESSIONS), "--seconds", str(MOST_SECONDS)]
        command = ["docker", "exec", observer, "python3", PROGRAM, *words, "--stop-file", STOP_FILE]
        self._began = time.monotonic()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def now(self) -> float:
        """How long it has been counting, which is the time of what it says (s)."""
        return time.monotonic() - self._began

    def finish(self) -> dict[str, t.Any]:
        """Stop it; what it says of all its sessions."""
        LAB.run("observer", f"touch {STOP_FILE}")
        output, errors = self._process.communicate(timeout=60)
        for line in output.splitlines():
            found = json.loads(line)
            if "loss" in found:
                print(f"    LOST {found['loss']}", flush=True)
            if "summary" in found:
                summary: dict[str, t.Any] = found["summary"]
                return summary
        raise CaseError(f"the client ended without a result: {errors.strip()}")


@contextmanager
def counting() -> Iterator[Client]:
    """A client that counts, and ends whatever happens."""
    client = Client()
    try:
        yield client
    finally:
        LAB.run("observer", f"touch {STOP_FILE}", check=False)


def main() -> int:
    """Run the cases on both nodes; 1 when one failed or an increment is lost."""
    settle()
    begun: list[tuple[str, float]] = []
    with counting() as client:
        time.sleep(2)
        for function in CASES:
            for node in reversed(NODES):
                started = time.monotonic()
                begun.append((f"{function.__name__} ({node})", client.now()))
                print(f"{function.__name__} ({node}): {function.__doc__}", flush=True)
                try:
                    function(node)
                    settle()
                except (CaseError, LabError) as exc:
                    print(f"FAILED {function.__name__} ({node}): {exc}", flush=True)
                    return 1
                print(f"    whole again after {time.monotonic() - started:.0f} s", flush=True)
        found = client.finish()
    ends = [start for _name, start in begun[1:]] + [client.now()]
    for (name, start), end in zip(begun, ends, strict=True):
        pauses = [seconds for at, seconds in found["waits"] if start <= at < end]
        # The client tells pauses of a second and more.
        print(f"{name}: {f'no answer for {max(pauses):.1f} s' if pauses else 'nobody waited for a second'}", flush=True)
    print(
        f"{found['answers']} increments in {found['sessions']} sessions acknowledged, {found['failures']} requests "
        f"without an answer, {found['longest']:.1f} s at most between two answers, {found['slowest']:.1f} s for the "
        f"slowest one, {found['more']} counted twice",
        flush=True,
    )
    if found["losses"]:
        print(f"FAILED {len(found['losses'])} times an acknowledged increment was lost", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
