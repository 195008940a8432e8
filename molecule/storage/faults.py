# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage that hangs, on the lab of the scenario: on the owner, on both nodes, and while something else goes on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

from cases import Cases, expect
from labkit import NODES, ROOT, Lab, wait_until

OWNER, PEER = NODES
LAB = Lab.from_environment()
PATH = "/srv/storage"
# What the witness takes at the most (7.5 s), and as much again for a busy machine.
NOTICED = 20.0
OBJECTION = "/run/keepalived/ha-pair/failing/witness.data"

CASES = Cases()


def objects(node: str) -> bool:
    """Whether the prober of a node says that its storage hangs."""
    return LAB.run(node, f"cat {OBJECTION}", check=False).strip() == "1"


def askers(node: str) -> int:
    """How many processes ask the storage of a node just now."""
    # In brackets, so that the shell that looks is not found.
    return len(LAB.run(node, "pgrep -f '[s]tat --file-system'", check=False).split())


@contextmanager
def hanging(*nodes: str) -> Iterator[None]:
    """The storage of these nodes stands still."""
    try:
        for node in nodes:
            LAB.run(node, "systemctl kill --signal=SIGSTOP lab-storage")
        yield
    finally:
        for node in nodes:
            LAB.run(node, "systemctl kill --signal=SIGCONT lab-storage")


def settle() -> None:
    """Wait until the preferred node has had the VIP, alone, for some seconds, and nobody objects."""
    since = 0.0

    def quiet() -> bool:
        nonlocal since
        good = LAB.owners() == [OWNER] and not any(objects(node) for node in NODES)
        since = (since or time.monotonic()) if good else 0.0
        return good and time.monotonic() - since > 3

    wait_until("the pair is whole again", quiet, timeout=60)


@CASES.add
def on_the_owner() -> None:
    """The VIP leaves a node whose storage hangs, and no client of a service that needs none misses anything."""
    with LAB.watch_owners() as owners, LAB.probe() as probing:
        time.sleep(0.3)
        began = time.monotonic()
        with hanging(OWNER):
            wait_until("the VIP moves", lambda: LAB.owners() == [PEER], timeout=NOTICED)
            print(f"    the VIP has moved after {time.monotonic() - began:.1f} s", flush=True)
            # Whoever waits for the storage is one, however long it lasts.
            time.sleep(8)
            expect(askers(OWNER) <= 1, f"{askers(OWNER)} processes wait for the storage")
    print(
        f"    {probing.summary['lost']} of {probing.summary['requests']} requests were lost, "
        f"{probing.summary['longest']:.3f} s without an answer, two owners for {owners.two_owners():.3f} s",
        flush=True,
    )
    expect(probing.summary["longest"] < 0.5, "clients of a service that needs no storage missed too much")


@CASES.add
def on_both() -> None:
    """A file server that is dead takes no VIP away: nobody is in FAULT, and one node owns it all the time."""
    with LAB.watch_owners() as owners, hanging(*NODES):
        wait_until("both notice", lambda: all(objects(node) for node in NODES), timeout=NOTICED)
        time.sleep(6)
        for node in NODES:
            state = LAB.state(node)["instances"]["web"]["state"]
            expect(state in ("MASTER", "BACKUP"), f"{node} is {state}")
        expect(LAB.owners() == [OWNER], f"{LAB.owners()} own the VIP while storage hangs on both")
    nobody = sum(seconds for count, seconds in owners.periods() if count == 0)
    expect(nobody < 0.5, f"nobody owned the VIP for {nobody:.3f} s")
    moves = [change for change in owners.changes if change[3]]
    print(f"    the VIP moved {len(moves)} times, two owners for {owners.two_owners():.3f} s")


@CASES.add
def while_the_prober_starts_anew() -> None:
    """A prober that starts while storage hangs starts all the same, and objects again."""
    with hanging(OWNER):
        wait_until("the VIP moves", lambda: LAB.owners() == [PEER], timeout=NOTICED)
        LAB.run(OWNER, "timeout 20 systemctl restart ha-pair-prober")
        wait_until("the prober runs", lambda: "active" in LAB.run(OWNER, "systemctl is-active ha-pair-prober"))
        wait_until("it objects again", lambda: objects(OWNER), timeout=NOTICED)
        expect(LAB.owners() == [PEER], f"{LAB.owners()} own the VIP")


@CASES.add
def while_somebody_looks_and_deploys() -> None:
    """Neither status nor a deployment waits for storage that hangs."""
    with hanging(OWNER):
        wait_until("the VIP moves", lambda: LAB.owners() == [PEER], timeout=NOTICED)
        text = LAB.run(OWNER, "timeout 20 ha-pair", check=False)
        # Not the name alone: the line of the prober has that also when all is well.
        expect("data cannot be reached" in text, f"ha-pair does not say why this node is less preferred: {text}")
        sources = ("inventories/nginx_pair", "lab/inventory", "molecule/storage/inventory")
        words = ["ansible-playbook", *(word for source in sources for word in ("-i", source))]
        for playbook in ("playbooks/status.yml", "site.yml"):
            began = time.monotonic()
            done = subprocess.run(
                [*words, playbook],
                cwd=ROOT,
                env=LAB.environment(),
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            print(f"    {playbook} came back after {time.monotonic() - began:.0f} s with {done.returncode}", flush=True)
            # The pair is whole: one node has the VIP, both run the service, and nothing is to be changed.
            expect(done.returncode == 0, f"{playbook}: {done.stdout[-2000:]} {done.stderr[-500:]}")
            expect(not re.search(r"changed=[1-9]", done.stdout), f"{playbook} changed: {done.stdout[-2000:]}")
            expect(objects(OWNER), f"{OWNER} does not object any more after {playbook}")


@CASES.add
def unmounted() -> None:
    """A mount that is gone is noticed as one that hangs is: what is written now lies on this node's own disk."""
    LAB.run(OWNER, "systemctl stop lab-storage")
    try:
        wait_until("the VIP moves", lambda: LAB.owners() == [PEER], timeout=NOTICED)
        report = json.loads(LAB.run(OWNER, "cat /run/keepalived/ha-pair/failing/.prober.json"))
        problem = report["probes"]["witness.data"]["last_problem"]
        expect(problem == f"mount {PATH}: nothing is mounted there", f"the prober says {problem}")
    finally:
        LAB.run(OWNER, "systemctl start lab-storage")


if __name__ == "__main__":
    sys.exit(CASES.run(settle))
