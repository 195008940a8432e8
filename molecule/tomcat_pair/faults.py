# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of the application, and what is refused, on the lab of the scenario; each case ends with release 1 again.

The limits are generous: they tell a pair that works from one that does not.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

from cases import Cases, expect
from labkit import NODES, ROOT, Lab, OwnerWatch, Probing, wait_until

PREFERRED, STANDBY = NODES
LAB = Lab.from_environment()
INVENTORIES = ("inventories/tomcat_pair", "lab/inventory", "molecule/tomcat_pair/inventory")
RELEASES = "/var/lib/ha-pair/tomcat/portal"

CASES = Cases()


def deploy(*words: str) -> tuple[int, str]:
    """The exit code of site.yml for Tomcat alone, and what it said; the VIP stays as the scenario deployed it."""
    sources = [word for source in INVENTORIES for word in ("-i", source)]
    command = ["ansible-playbook", *sources, "site.yml", "--tags", "services", *words]
    done = subprocess.run(command, cwd=ROOT, env=LAB.environment(), capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    # A message as one line, as a person would read it.
    return done.returncode, re.sub(r"\s+", " ", text.replace('\\"', '"').replace("\\n", " "))


def release(*words: str) -> str:
    """site.yml, which must not fail; what it said."""
    code, text = deploy(*words)
    expect(code == 0, f"site.yml {' '.join(words)} failed: {text[-3000:]}")
    return text


def changes(text: str) -> bool:
    """Whether a run changed anything, by its recap."""
    return re.search(r"changed=[1-9]", text) is not None


def ask(node: str, path: str) -> tuple[int, str]:
    """The status and the text that a node's own Tomcat answers; status 0 when it does not."""
    script = (
        "import sys, urllib.request as r\n"
        "try: answer = r.urlopen(sys.argv[1], timeout=5)\n"
        "except r.HTTPError as problem: answer = problem\n"
        "except OSError: sys.exit()\n"
        "print(answer.getcode(), answer.read().decode())"
    )
    words = ("exec", LAB.container(node), "python3", "-c", script, f"http://127.0.0.1:8080{path}")
    status, _space, text = LAB.docker(*words, check=False).strip().partition(" ")
    return int(status or 0), text


def version(node: str) -> str:
    """Which release answers on a node; empty when none does."""
    status, text = ask(node, "/")
    return text.split()[1] if status == 200 else ""


def settle() -> None:
    """Wait until the preferred node owns the VIP, and both answer with release 1."""
    wait_until("both nodes run release 1", lambda: all(version(node) == "1" for node in NODES), timeout=120)
    wait_until("the preferred node owns the VIP", lambda: LAB.owners() == [PREFERRED], timeout=60)
    time.sleep(1)


@contextmanager
def watched() -> Iterator[tuple[Probing, OwnerWatch]]:
    """A client, and a watch on the owners."""
    with LAB.watch_owners() as owners, LAB.probe(port=8080, header="Server", duration=600) as probing:
        time.sleep(0.3)
        yield probing, owners
        time.sleep(2)


def say(probing: Probing, owners: OwnerWatch) -> None:
    """One line of figures."""
    print(
        f"    {probing.summary['lost']} of {probing.summary['requests']} requests were lost, "
        f"{probing.summary['longest']:.3f} s without an answer, two owners for {owners.two_owners():.3f} s",
        flush=True,
    )


@CASES.add
def a_release_and_the_way_back() -> None:
    """One node after the other: a client misses a moment at the most; one variable brings back what ran before."""
    with watched() as (probing, owners):
        release("-e", "portal_release=2")
    say(probing, owners)
    expect(all(version(node) == "2" for node in NODES), "release 2 does not run on both nodes")
    expect(probing.summary["longest"] < 0.5, "a client had no answer for half a second while one node was always up")
    for node in NODES:
        there = LAB.run(node, f"ls {RELEASES}").split()
        expect(len(there) == 2, f"{node} has the releases {there}, not the new one and the one before")
    expect(not changes(release("-e", "portal_release=2")), "a second run changes something")
    release("-e", "portal_release=2", "-e", "portal_rollback=true")
    expect(all(version(node) == "1" for node in NODES), "release 1 is not back on both nodes")
    text = release("-e", "portal_release=2", "-e", "portal_rollback=true")
    expect(not changes(text), "a second rollback changes something")
    release()


@CASES.add
def a_release_that_never_gets_healthy() -> None:
    """The standby tries it and has the old one again; the owner goes on with what it has, and no client notices."""
    with watched() as (probing, owners):
        # The usual patience is 90 s.
        code, text = deploy("-e", "portal_release=broken", "-e", '{"tomcat_ready_timeout": 30}')
    say(probing, owners)
    expect(code != 0, "site.yml did not fail")
    expect("tomcat_applications.portal.health: http://127.0.0.1:8080/health answers 503, not 200" in text, text[-3000:])
    expect("it runs again what it had before" in text, "the standby did not go back to what it had")
    expect(version(STANDBY) == "1", "the standby does not run release 1 again")
    expect(f"{PREFERRED}: is left as it was, because {STANDBY} failed" in text, "the owner was not left as it was")
    expect(version(PREFERRED) == "1" and LAB.owners() == [PREFERRED], "the owner does not serve release 1")
    expect(probing.summary["lost"] == 0, "requests were lost")
    release()


@CASES.add
def a_port_that_another_program_has() -> None:
    """It is named, before anything is changed."""
    LAB.run(STANDBY, "systemctl stop tomcat.service")
    LAB.run(STANDBY, "systemd-run --unit=intruder python3 -m http.server 8080")
    try:
        time.sleep(2)
        code, text = deploy()
        expect(code != 0, "site.yml did not fail")
        expect(f"tomcat_port: 8080 of {STANDBY} belongs to python3 (intruder.service)" in text, text[-3000:])
    finally:
        LAB.run(STANDBY, "systemctl stop intruder.service", check=False)
        LAB.run(STANDBY, "systemctl start tomcat.service")


@CASES.add
def a_heap_that_no_node_has() -> None:
    """It is refused with the node's own figure."""
    code, text = deploy("-e", "tomcat_heap=4096g")
    expect(code != 0, "site.yml did not fail")
    expect("tomcat_heap: 4096g is more than the " in text, text[-3000:])


@CASES.add
def a_stop_under_load() -> None:
    """A planned stop ends, whatever is being answered, and gives the VIP away before."""
    LAB.run(
        "observer",
        f"(python3 -c \"import urllib.request as r; r.urlopen('http://{LAB.vip}:8080/slow?ms=60000')\" "
        ">/dev/null 2>&1 &)",
    )
    time.sleep(1)
    try:
        with watched() as (probing, owners):
            started = time.monotonic()
            LAB.run(PREFERRED, "systemctl stop tomcat.service")
            taken = time.monotonic() - started
        say(probing, owners)
        print(f"    the stop took {taken:.1f} s", flush=True)
        expect(taken < 40, f"the stop took {taken:.1f} s")
        expect(LAB.owners() == [STANDBY], "the VIP is not with the other node")
        expect(probing.summary["longest"] < 0.3, "clients noticed a planned stop")
        expect(
            LAB.run(PREFERRED, "systemctl is-failed tomcat.service", check=False).strip() != "failed",
            "a planned stop counts as a failure",
        )
    finally:
        LAB.run(PREFERRED, "systemctl start tomcat.service")


@CASES.add
def what_nobody_asked_for() -> None:
    """No manager, no port for shutting down, and nothing of what lies in webapps."""
    for node in NODES:
        for path in ("/manager/html", "/host-manager/html", "/docs/", "/examples/"):
            status, _text = ask(node, path)
            expect(status == 404, f"{node} answers {status} for {path}")
        listening = LAB.run(node, "ss --listening --tcp --numeric --no-header | awk '{print $4}'")
        expect(not re.search(r":8005$", listening, re.MULTILINE), f"{node} listens on 8005: {listening}")


if __name__ == "__main__":
    sys.exit(CASES.run(settle))
