# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases that hurt, one after the other, on the lab of the scenario; each is mended before the next.

The limits are generous: they tell a pair that works from one that does not. `make benchmark` measures the figures.
"""

from __future__ import annotations

import json
import sys
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

from cases import Cases, expect
from labkit import NODES, Lab, OwnerWatch, Probing, wait_until

OWNER, PEER = NODES
LAB = Lab.from_environment()
GATEWAY = str(ip_network(LAB.subnet)[1])
# The VIPs of the instance web, of both families.
NUMBERS = ip_network(LAB.subnet).network_address.packed
SUBNET6 = f"fd77:{NUMBERS[0] * 256 + NUMBERS[1]:x}:{NUMBERS[2] * 256 + NUMBERS[3]:x}::/64"
WEB = [str(ip_network(LAB.subnet)[number]) for number in (100, 101, 102)] + [str(ip_network(SUBNET6)[100])]
DROP_IN = "/run/systemd/system/nginx.service.d/zz-no-restart.conf"

DOWNLOAD = """
import socket, sys, time
sock = socket.create_connection((sys.argv[1], 80), 5)
sock.sendall(b"GET /big HTTP/1.0\\r\\n\\r\\n")
print(len(sock.recv(4096)), flush=True)
time.sleep(30)
"""

CASES = Cases()


def owners_of(address: str) -> list[str]:
    """The nodes whose kernel holds the address."""
    return [node for node in NODES if f" {address}/" in LAB.run(node, "ip -o address show", check=False)]


def active(unit: str) -> bool:
    """Whether a unit runs on the node that is broken."""
    return LAB.run(OWNER, f"systemctl is-active {unit}", check=False).strip() == "active"


def settle() -> None:
    """Wait until the preferred node has had all VIPs of the instance web, alone, for some seconds."""
    since = 0.0

    def quiet() -> bool:
        nonlocal since
        good = all(owners_of(address) == [OWNER] for address in WEB) and all(LAB.answers(node) for node in NODES)
        since = (since or time.monotonic()) if good else 0.0
        return good and time.monotonic() - since > 3

    wait_until(f"the pair is whole again (owners: {[owners_of(address) for address in WEB]})", quiet, timeout=60)


@contextmanager
def watched(seconds: float) -> Iterator[tuple[Probing, OwnerWatch]]:
    """A client and a watch on the owners from just before a fault until some seconds after it."""
    with LAB.watch_owners() as owners, LAB.probe() as probing:
        time.sleep(0.3)
        yield probing, owners
        time.sleep(seconds)


def say(probing: Probing, owners: OwnerWatch) -> None:
    """One line of figures."""
    print(f"    {probing.summary['longest']:.3f} s without an answer, two owners for {owners.two_owners():.3f} s")


def command(node: str, *words: str) -> dict[str, t.Any]:
    """What the command ha-pair says on a node, as data."""
    found: dict[str, t.Any] = json.loads(LAB.run(node, f"ha-pair {' '.join(words)} --json", check=False) or "{}")
    return found


@CASES.add
def a_service_that_hangs() -> None:
    """The prober notices a stopped nginx that still accepts connections, and ha-pair says why."""
    try:
        with watched(2.5) as (probing, owners):
            LAB.run(OWNER, "systemctl kill --signal=STOP nginx.service")
        say(probing, owners)
        expect(probing.summary["longest"] < 1.6, "a client was not answered for longer than a hang may last")
        expect(owners_of(LAB.vip) == [PEER], "the VIP did not move away from a node whose nginx hangs")
        text = LAB.run(OWNER, "ha-pair", check=False)
        expect("nginx" in text and "FAULT" in text, f"ha-pair does not say why the node is in FAULT: {text}")
        expect(LAB.run(OWNER, "cat /run/keepalived/ha-pair/track/nginx").strip() == "1", "not the prober noticed it")
    finally:
        LAB.run(OWNER, "systemctl kill --signal=CONT nginx.service")


@CASES.add
def a_prober_that_dies() -> None:
    """A killed and a frozen prober are replaced, and the healthy node keeps the VIP."""
    for signal, seconds in (("KILL", 2), ("STOP", 6)):
        before = LAB.run(OWNER, "systemctl show -p MainPID --value ha-pair-prober").strip()
        with watched(seconds) as (probing, owners):
            LAB.run(OWNER, f"systemctl kill --signal={signal} ha-pair-prober")
        say(probing, owners)
        expect(probing.summary["lost"] == 0, f"requests were lost after SIG{signal} of the prober")
        expect(not owners.changes, f"the VIP moved after SIG{signal} of the prober")
        after = LAB.run(OWNER, "systemctl show -p MainPID --value ha-pair-prober").strip()
        expect(after not in ("0", before), f"the prober was not replaced after SIG{signal}")
        expect("prober" in LAB.run(OWNER, "journalctl -u ha-pair-prober -n 20"), "the journal does not tell of it")


@CASES.add
def a_service_that_is_killed() -> None:
    """nginx killed and kept down: the VIP moves by the event, and ha-pair names the signal."""
    LAB.run(OWNER, f"mkdir -p {DROP_IN.rpartition('/')[0]}; printf '[Service]\\nRestart=no\\n' >{DROP_IN}")
    LAB.run(OWNER, "systemctl daemon-reload")
    try:
        with watched(2) as (probing, owners):
            LAB.run(OWNER, "systemctl kill --signal=KILL nginx.service")
        say(probing, owners)
        expect(probing.summary["longest"] < 0.3, "clients noticed a killed nginx")
        expect(owners_of(LAB.vip) == [PEER], "the VIP did not move away from a node without nginx")
        expect("SIGKILL" in LAB.run(OWNER, "ha-pair", check=False), "ha-pair does not say how nginx ended")
    finally:
        LAB.run(OWNER, f"rm {DROP_IN}; systemctl daemon-reload; systemctl reset-failed nginx; systemctl start nginx")


@CASES.add
def keepalived_stopped() -> None:
    """A planned stop of keepalived: the peer takes over at once, and no address stays behind."""
    try:
        with watched(2) as (probing, owners):
            LAB.run(OWNER, "systemctl stop keepalived")
        say(probing, owners)
        expect(probing.summary["longest"] < 0.3, "clients noticed a stopped keepalived")
        expect(all(owners_of(address) == [PEER] for address in WEB), "an address stayed behind or was not taken")
    finally:
        LAB.run(OWNER, "systemctl start keepalived")


@CASES.add
def keepalived_killed() -> None:
    """All processes of keepalived killed without any preparation: one owner again at once, and nobody notices."""
    with watched(4) as (probing, owners):
        LAB.run(OWNER, "pkill -KILL keepalived")
    say(probing, owners)
    expect(probing.summary["longest"] < 0.3, "clients noticed a killed keepalived")
    expect(owners.periods()[-1][0] == 1, "two owners did not end")
    expect(owners.two_owners() < 1.5, "two owners lasted too long")
    wait_until("keepalived runs again", lambda: active("keepalived"))


@CASES.add
def keepalived_frozen() -> None:
    """All processes of keepalived frozen: the guard ends them, and with them the second owner."""
    with watched(6) as (probing, owners):
        LAB.run(OWNER, "pkill -STOP keepalived")
    say(probing, owners)
    expect(probing.summary["longest"] < 0.5, "clients noticed a frozen keepalived")
    expect(owners.periods()[-1][0] == 1, "two owners did not end")
    expect(owners.two_owners() < 3, "two owners lasted too long")
    wait_until("keepalived runs again", lambda: active("keepalived"))


@CASES.add
def keepalived_killed_without_a_peer() -> None:
    """With no peer alive the address stays where it is, over the crash and the new start."""
    LAB.run(PEER, "systemctl stop keepalived")
    try:
        with watched(6) as (probing, owners):
            LAB.run(OWNER, "pkill -KILL keepalived")
        say(probing, owners)
        expect(probing.summary["longest"] < 0.2, "clients lost the VIP although nobody else could have it")
        expect(active("keepalived"), "keepalived does not run again")
        expect(all(owners_of(address) == [OWNER] for address in WEB), "an address did not stay")
    finally:
        LAB.run(PEER, "systemctl start keepalived")


@CASES.add
def a_graceful_stop_under_load() -> None:
    """A planned stop of nginx with open downloads: new requests are answered by the peer before it begins."""
    script = f"python3 -c '{DOWNLOAD}' {LAB.vip}"
    LAB.run("observer", "".join(f"({script}) >/tmp/download.{number} 2>&1 & " for number in range(8)))
    time.sleep(1)
    started = LAB.run("observer", "cat /tmp/download.* | wc -l").strip()
    expect(started == "8", f"only {started} of 8 downloads began")
    with watched(3) as (probing, owners):
        LAB.run(OWNER, "systemctl stop --no-block nginx")
    say(probing, owners)
    expect(probing.summary["longest"] < 0.2, "new requests were lost while nginx finished the downloads")
    LAB.run("observer", "pkill -f download || pkill -f create_connection", check=False)
    LAB.run(OWNER, "systemctl start nginx")


@CASES.add
def a_gateway_that_one_node_lost() -> None:
    """The witness moves the VIP by weight; when both have lost it, somebody still owns the VIP."""
    lose, find = f"ip route add blackhole {GATEWAY}/32", f"ip route del blackhole {GATEWAY}/32"
    LAB.run(OWNER, lose)
    try:
        wait_until("the VIP moves to the node with a gateway", lambda: owners_of(LAB.vip) == [PEER], timeout=20)
        LAB.run(PEER, lose)
        try:
            with LAB.watch_owners() as owners:
                time.sleep(10)
            nobody = [seconds for count, seconds in owners.periods() if count == 0]
            expect(max(nobody, default=0) < 1, f"nobody owned the VIP for {nobody} s when both had lost the gateway")
            expect(owners.periods()[-1][0] == 1, "there is not one owner when both have lost the gateway")
            expect(LAB.state(OWNER)["instances"]["web"]["state"] != "FAULT", "a lost witness put a node into FAULT")
        finally:
            LAB.run(PEER, find)
    finally:
        LAB.run(OWNER, find)


@CASES.add
def a_second_link_that_is_down() -> None:
    """A tracked interface moves the VIP by weight."""
    LAB.run(OWNER, "ip link set eth1 down")
    try:
        wait_until("the VIP moves to the node with both links", lambda: owners_of(LAB.vip) == [PEER], timeout=20)
    finally:
        LAB.run(OWNER, "ip link set eth1 up")


@CASES.add
def both_families_move_together() -> None:
    """Wherever an address of the instance went, all of them went, IPv6 and excluded ones too."""
    LAB.run(OWNER, "systemctl stop ha-pair-track-nginx")
    try:
        wait_until("the VIP moves", lambda: owners_of(LAB.vip) == [PEER], timeout=20)
        time.sleep(0.5)
        expect(all(owners_of(address) == [PEER] for address in WEB), f"{[owners_of(a) for a in WEB]} for {WEB}")
        script = f"import urllib.request as r; print(r.urlopen('http://[{WEB[-1]}]/', timeout=2).read().decode())"
        expect(f"from {PEER}" in LAB.run("observer", f'python3 -c "{script}"'), "not answered over IPv6 by the peer")
    finally:
        LAB.run(OWNER, "systemctl start ha-pair-track-nginx")


@CASES.add
def instances_that_go_their_own_ways() -> None:
    """A sync group stays together, the other node has what it is preferred for, multicast agrees on one owner."""
    one, two = (str(ip_network(LAB.subnet)[number]) for number in (120, 121))
    expect(owners_of(one) == owners_of(two) and len(owners_of(one)) == 1, "the sync group is not on one node")
    expect(owners_of(str(ip_network(LAB.subnet)[110])) == [PEER], "the second instance is not where it is preferred")
    expect(len(owners_of(str(ip_network(LAB.subnet)[130]))) == 1, "the multicast instance has not one owner")
    expect(len(owners_of(str(ip_network(SUBNET6)[140]))) == 1, "the IPv6 instance has not one owner")


@CASES.add
def what_people_are_told() -> None:
    """The journal has the changes with their fields, the hook was called, mail was sent, ha-pair knows it all."""
    lines = LAB.run(OWNER, "journalctl -o json HA_PAIR_INSTANCE=web --no-pager").splitlines()
    news = [json.loads(line) for line in lines]
    expect(any(entry.get("HA_PAIR_NEW_STATE") == "FAULT" for entry in news), "no FAULT in the journal's fields")
    expect(any(entry.get("HA_PAIR_NEW_STATE") == "MASTER" for entry in news), "no MASTER in the journal's fields")
    hook = LAB.run(OWNER, "cat /tmp/on-change.log")
    expect("hook web " in hook and " MASTER " in hook, f"the command was not called as it should: {hook[-300:]}")
    mail = LAB.run("observer", "cat /var/mail/ha-pair/new/*")
    expect("operators@example.org" in mail and "MASTER" in mail.upper(), "no mail about a change of state")
    report = command(OWNER)
    expect(report, "ha-pair --json says nothing")
    expect("web" in LAB.run(OWNER, "ha-pair history web", check=False), "ha-pair history says nothing")
    text = LAB.run(OWNER, "su -s /bin/sh nobody -c ha-pair", check=False)
    expect("MASTER" in text, f"ha-pair tells a user without privileges nothing: {text}")


if __name__ == "__main__":
    sys.exit(CASES.run(settle))
