# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pair of the scenario java_standby: who works there, what breaks it, and what makes it whole again."""

from __future__ import annotations

import json
import os
import subprocess
import time
import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network

import evidence
from fault_sequence import ACTIVE, Step
from labkit import NODES, ROOT, Lab, LabError, wait_until

SERVICE, INSTANCE, PORT = "fetcher", "fetch", 8081
UNIT = f"{SERVICE}.service"
EVIDENCE = "/var/log/fetcher/evidence"
FAIL_FILE = "/run/fetcher.fail"
DATA = "/srv/fetcher"
SYNC, SYNC_REPORT = "/usr/libexec/keepalived/ha-pair-sync", "/run/keepalived/ha-pair/sync.json"
KEPT = "/var/lib/ha-pair/sync/kept"
AGENT, KEEPALIVED, WITNESS = "ha-pair-active.service", "keepalived.service", "ha-pair-witness.service"
WITNESS_PORT = 7412
DELAY_DROP_IN = f"/run/systemd/system/{UNIT}.d/lab-delay.conf"
SLOW_STOP_DROP_IN = f"/run/systemd/system/{UNIT}.d/lab-slow-stop.conf"
# Ours alone, so that removing it removes nothing of anybody else.
TABLE = "ha_pair_lab"
NUMBERS = {"node-a": 11, "node-b": 12, "observer": 20}
# One that gave no sign for so long does not work just now; docker exec takes longer than the program's own silence (s).
RECENT = 0.5
# Whoever works alone has to have done so for so long (s), to be taken for the one who will go on.
STEADY = 1.5
# How much longer than a switchover lasts is waited for the VIP on a busy machine (s).
MOVE_LIMIT = 5.0

RAISE = (
    "import json, os, sys\n"
    "for entry in json.load(open('/etc/keepalived/ha-pair.json'))['instances'].values():\n"
    "    path, word = entry['raise_file'], sys.argv[1] + '\\n'\n"
    "    if not os.path.exists(path) or open(path).read() != word: open(path, 'w').write(word)\n"
)

LOOK = f"""date +%s.%N
tail -c 400 {EVIDENCE} 2>/dev/null
echo '##'
cat /run/keepalived/ha-pair/active.json 2>/dev/null
echo '##'
ip -o -4 addr show
"""

# Takes back what was done to a node, and says so where there was something.
UNDO = f"""undone=
nft delete table inet {TABLE} 2>/dev/null && undone=undone
for device in eth0 eth1; do tc qdisc del dev $device root 2>/dev/null && undone=undone; done
if [ -e {FAIL_FILE} ]; then rm -f {FAIL_FILE}; undone=undone; fi
for unit in {UNIT} {KEEPALIVED} {AGENT}; do systemctl kill --signal=CONT $unit 2>/dev/null; done
echo $undone
"""

# Has what is to run there run again.
RESTORE = f"""reload=
for file in {DELAY_DROP_IN} {SLOW_STOP_DROP_IN}; do
  if [ -e $file ]; then rm -f $file; reload=yes; fi
done
[ -z "$reload" ] || systemctl daemon-reload
systemctl reset-failed {KEEPALIVED} {AGENT} 2>/dev/null
timeout 30 systemctl start {KEEPALIVED} {AGENT}
python3 -c "$1" 0
"""

# Sends a signal to all processes of a unit that runs, and waits until its main process shows it. Says "done PID", or
# why not.
SIGNAL = """pid=$(systemctl show --property=MainPID "$1" | cut -d= -f2)
field() { sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f"$1"; }
born=$(field 20)
if [ "${pid:-0}" = 0 ] || [ -z "$born" ]; then echo "$1 does not run"; exit 0; fi
if ! systemctl kill --signal="$2" "$1"; then echo "systemctl cannot send $2 to $1"; exit 0; fi
for each in $(seq 100); do
  now=$(field 1)
  if [ -z "$now" ] || [ "$now" = Z ] || [ "$(field 20)" != "$born" ]; then echo "done $pid"; exit 0; fi
  if [ "$2" = STOP ] && [ "$now" = T ]; then echo "done $pid"; exit 0; fi
  sleep 0.02
done
echo "$1 goes on after $2, process $pid is in state $now"
"""


class NotPossibleError(Exception):
    """This machine cannot do that; says why."""


class NotInflictedError(Exception):
    """What was to break went on; says what."""


@dataclass(frozen=True)
class Seen:
    """What a node says of itself at one moment; all of it empty when it says nothing."""

    works: bool
    run: str
    phase: str
    arbiter: str
    fit: bool
    has_vip: bool
    entry: dict[str, t.Any]


NOTHING = Seen(False, "", "", "", True, False, {})


def second_subnet(subnet: str) -> str:
    """The subnet of the lab's second network: lab/inventory/group_vars/all/lab.yml says the same."""
    numbers = [int(word) for word in subnet.partition("/")[0].split(".")]
    return f"10.{(numbers[1] + 128) % 256}.{numbers[2]}.{numbers[3]}/25"


def rules(name: str, peer: tuple[str, str], witness: str) -> list[tuple[str, str]]:
    """(what is dropped on its way in, on its way out) of a fault of the network, for nft.

    `peer`: the other node's addresses in both networks.
    """
    both = "{ " + ", ".join(peer) + " }"
    vrrp = ("meta l4proto 112", "meta l4proto 112")
    return {
        "vrrp_block": [vrrp],
        "channel_block": [('iifname "eth1"', 'oifname "eth1"')],
        # VRRP has to be named: it may go to a multicast address.
        "partition": [vrrp, (f"ip saddr {both}", f"ip daddr {both}")],
        "isolation": [('iifname != "lo"', 'oifname != "lo"')],
        "witness_blocked": [
            (f"ip saddr {witness} tcp sport {WITNESS_PORT}", f"ip daddr {witness} tcp dport {WITNESS_PORT}")
        ],
        # Not what a node says to itself.
        "lossy_network": [("iif != lo numgen random mod 100 < 20", "oif != lo numgen random mod 100 < 20")],
    }[name]


def table(dropped: list[tuple[str, str]]) -> str:
    """A rule set that drops that, before everything else that filters."""
    hook = "  chain {} {{\n    type filter hook {} priority -300; policy accept;\n{}  }}\n"
    incoming = "".join(f"    {rule} drop\n" for rule, _out in dropped)
    outgoing = "".join(f"    {rule} drop\n" for _in, rule in dropped)
    return f"table inet {TABLE} {{\n{hook.format('in', 'input', incoming)}{hook.format('out', 'output', outgoing)}}}\n"


def parse_look(text: str, vip: str) -> Seen:
    """What LOOK printed."""
    parts = text.split("##\n")
    if len(parts) != 3:
        return NOTHING
    now, _newline, tail = parts[0].partition("\n")
    # The first line of a tail is a piece of one.
    signs = evidence.at_work(evidence.parse(tail.partition("\n")[2]))
    try:
        entry: dict[str, t.Any] = json.loads(parts[1])["services"][SERVICE]
    except (ValueError, KeyError):
        entry = {}
    works = bool(signs) and float(now) - signs[-1].wall < RECENT
    return Seen(
        works=works,
        run=signs[-1].run if works else "",
        phase=str(entry.get("phase", "")),
        arbiter=str(entry.get("arbiter", {}).get("kind", "")),
        fit=entry.get("fit") is not False,
        has_vip=f"inet {vip}/" in parts[2],
        entry=entry,
    )


def sole(seen: dict[str, Seen]) -> str:
    """The node that works alone, has the VIP and is active by its agent, while the other is not; else empty."""
    working = [node for node, one in seen.items() if one.works]
    owners = [node for node, one in seen.items() if one.has_vip]
    phases = {node: one.phase for node, one in seen.items()}
    if len(working) != 1 or owners != working or phases[working[0]] != "active":
        return ""
    others = [phase for node, phase in phases.items() if node != working[0]]
    return working[0] if all(phase in ("standby", "hold-down") for phase in others) else ""


def other(node: str) -> str:
    """The peer of a node."""
    return NODES[1 - NODES.index(node)]


class Pair:
    """The pair of a lab. Whatever is broken by it, heal() undoes."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._offsets = dict.fromkeys(NODES, 0)
        # The evidence as it was read so far.
        self.texts = dict.fromkeys(NODES, "")
        # What was held by us: over, and still.
        self._held: list[evidence.Pause] = []
        self._holding: list[tuple[str, str, float]] = []
        self._second = f"{lab.name}-lab-second"

    # Looking

    def look(self) -> dict[str, Seen]:
        """What both nodes say now."""
        return {node: parse_look(self.lab.run(node, LOOK, check=False), self.lab.vip) for node in NODES}

    def wait_for_one(self, timeout: float = 90.0) -> tuple[str, float, list[str]]:
        """Wait until one node works alone, steadily.

        Returns which, since when (epoch), and what was mended by hand: an agent that leaves the service alone for a
        while after failures is started anew, as a person would who has mended the reason.
        """
        end = time.monotonic() + timeout
        mended: list[str] = []
        again = dict.fromkeys(NODES, 0.0)
        found, since, seen = "", 0.0, dict.fromkeys(NODES, NOTHING)
        while time.monotonic() < end:
            seen = self.look()
            now = sole(seen)
            run = seen[now].run if now else ""
            if run != found:
                found, since = run, time.time()
            if now and time.time() - since >= STEADY and all(one.fit for one in seen.values()):
                return now, self._began_at(now, run), mended
            for node, one in seen.items():
                if one.phase == "hold-down" and time.monotonic() > again[node]:
                    mended.append(f"{node} was in hold-down ({one.entry.get('failure')})")
                    self.lab.run(node, f"systemctl restart {AGENT}", check=False)
                    again[node] = time.monotonic() + 10
            time.sleep(0.2)
        said = {node: f"{one.phase or 'silent'}{', works' * one.works}{', VIP' * one.has_vip}: {one.entry.get('why')}"
                for node, one in seen.items()}  # fmt: skip
        raise LabError(f"exactly one works again: not within {timeout:g} s; {said}")

    def _began_at(self, node: str, run: str) -> float:
        """Since when it works without anybody beside it, as far as the evidence says."""
        signs = self.signs()
        beside = [sign.wall for name in NODES for sign in signs[name] if sign.run != run]
        own = [one for one in evidence.stretches(node, evidence.at_work(signs[node])) if one.run == run]
        return max([own[-1].start, *beside]) if own else time.time()

    def signs(self, *, check: bool = False) -> dict[str, list[evidence.Sign]]:
        """The evidence of both nodes, as far as they can be asked; what was read once is kept.

        `check`: LabError when one cannot be asked, for what is judged.
        """
        for node in NODES:
            text = self.lab.run(node, f"tail -c +{self._offsets[node] + 1} {EVIDENCE}", check=check)
            whole = text[: text.rfind("\n") + 1]
            self._offsets[node] += len(whole)
            self.texts[node] += whole
        return {node: evidence.parse(text) for node, text in self.texts.items()}

    def pauses(self) -> list[evidence.Pause]:
        """When we held a node or its program; what is held still, until now."""
        return self._held + [evidence.Pause(node, at, time.time(), pid) for node, pid, at in self._holding]

    def arbiters(self) -> set[str]:
        """The kinds of arbiter that the agents have."""
        return {one.arbiter for one in self.look().values()}

    def addresses(self, host: str) -> tuple[str, str]:
        """The addresses of a host in the first network and in the second one."""
        second = os.environ.get("HA_PAIR_LAB_SECOND_SUBNET") or second_subnet(self.lab.subnet)
        subnets = (self.lab.subnet, second)
        return tuple(str(ip_network(subnet)[NUMBERS[host]]) for subnet in subnets)  # type: ignore[return-value]

    # Breaking

    def drop(self, node: str, name: str) -> None:
        """Put the rules of a fault of the network in force on a node."""
        text = table(rules(name, self.addresses(other(node)), self.addresses("observer")[0]))
        command = ["docker", "exec", "-i", self.lab.container(node), "nft", "-f", "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotPossibleError(f"nft: {done.stderr.strip()}")

    def kill(self, node: str, unit: str, signal: str) -> None:
        """Send a signal to all processes of a unit; NotInflictedError when it does not run, or goes on as before."""
        began = time.time()
        said = self.lab.docker("exec", self.lab.container(node), "sh", "-c", SIGNAL, "signal", unit, signal).strip()
        word, _space, pid = said.partition(" ")
        if word != "done":
            raise NotInflictedError(f"{node}: {said or 'nobody says whether it was'}")
        if unit == UNIT and signal == "STOP":
            self._holding.append((node, pid, began))

    def freeze(self, node: str) -> None:
        """Let a node stand still, off the network."""
        began = time.time()
        self._freezer("freeze", node)
        self._holding.append((node, "", began))

    def _let_go(self, node: str) -> None:
        """Nothing of a node is held from now on."""
        now = time.time()
        self._held += [evidence.Pause(name, at, now, pid) for name, pid, at in self._holding if name == node]
        self._holding = [one for one in self._holding if one[0] != node]

    def _freezer(self, word: str, node: str) -> None:
        command = [str(ROOT / "tools/lab_freeze.sh"), word, self.lab.container(node)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"{word} {node}: {done.stderr.strip()}")

    def power_off(self, node: str) -> None:
        """Without a word to anybody."""
        self.lab.docker("kill", self.lab.container(node))

    def power_on(self, node: str) -> None:
        """Start a node that is off."""
        # The engine gives the names eth0 and eth1 in no certain order to a host that starts with both networks.
        self.lab.docker("network", "disconnect", "--force", self._second, self.lab.container(node), check=False)
        self.lab.docker("start", self.lab.container(node))
        self._connect(node)

    def _connect(self, node: str) -> None:
        words = ("network", "connect", f"--ip={self.addresses(node)[1]}", self._second, self.lab.container(node))
        self.lab.docker(*words)

    def raise_priority(self, node: str, word: str = "1") -> None:
        """Raise a node for a planned switchover, or lower it again ("0")."""
        self.lab.docker("exec", self.lab.container(node), "python3", "-c", RAISE, word)

    def delay_packets(self, node: str) -> None:
        """Let everything that leaves a node wait: by a delay, or a line so narrow that packets queue before it."""
        for device in ("eth0", "eth1"):
            add = f"tc qdisc add dev {device} root"
            try:
                # Not every kernel has the first one.
                self.lab.run(node, f"{add} netem delay 200ms || {add} tbf rate 64kbit burst 2000 latency 500ms")
            except LabError as problem:
                raise NotPossibleError(f"tc: {problem}") from problem

    def delay_start(self, node: str, seconds: float) -> None:
        """Let the program take so long until it works."""
        self._drop_in(node, DELAY_DROP_IN, f"Environment=FETCHER_START_DELAY={seconds:g}")

    def delay_stop(self, node: str, seconds: float) -> None:
        """Let the program work on for so long when it is told to stop, also the one that runs now."""
        self._drop_in(node, SLOW_STOP_DROP_IN, f"ExecStop=/bin/sleep {seconds:g}")

    def _drop_in(self, node: str, path: str, line: str) -> None:
        folder, _slash, _name = path.rpartition("/")
        text = f"[Service]\\n{line}\\n"
        self.lab.run(node, f"mkdir -p {folder} && printf '{text}' >{path} && systemctl daemon-reload")

    def inflict(self, step: Step, node: str) -> None:
        """Begin a fault of a sequence at a node.

        NotPossibleError where this machine cannot, NotInflictedError when nothing came of it.
        """
        name = step.fault.name
        if name in ("vrrp_block", "channel_block", "partition", "isolation", "witness_blocked", "lossy_network"):
            self.drop(node, name)
        elif name == "witness_restart":
            self.lab.run("observer", f"systemctl restart {WITNESS}")
        elif name == "jvm_kill":
            self.kill(node, UNIT, "KILL")
        elif name == "jvm_stop":
            self.kill(node, UNIT, "STOP")
        elif name == "agent_stop":
            self.kill(node, AGENT, "STOP")
        elif name == "agent_kill":
            self.kill(node, AGENT, "KILL")
        elif name == "keepalived_end":
            if self.lab.run(node, f"systemctl is-active {KEEPALIVED}", check=False).strip() != "active":
                raise NotInflictedError(f"{node}: {KEEPALIVED} does not run")
            self.lab.run(node, f"systemctl stop {KEEPALIVED}")
        elif name == "keepalived_kill":
            self.kill(node, KEEPALIVED, "KILL")
        elif name == "keepalived_stop":
            self.kill(node, KEEPALIVED, "STOP")
        elif name == "node_freeze":
            self.freeze(node)
        elif name == "node_off":
            self.power_off(node)
        elif name == "switchover":
            self.raise_priority(node)
        elif name == "cannot_start":
            self.lab.run(node, f": >{FAIL_FILE}")
            self.kill(node, UNIT, "KILL")
        elif name == "slow_network":
            self.delay_packets(node)
        else:
            raise LabError(f"{name}: nobody knows how")

    def expect_inflicted(self, step: Step, node: str) -> None:
        """Look at the end of a fault whether it was one, where that shows only then; NotInflictedError if not."""
        if step.fault.name != "switchover":
            return
        try:
            wait_until("it moves", lambda: self.look()[node].has_vip, timeout=MOVE_LIMIT)
        except LabError as reason:
            raise NotInflictedError(f"the VIP did not move to {node}") from reason

    # Mending

    def heal(self) -> float:
        """Undo whatever was broken; what is whole stays as it is. Returns since when nothing is broken any more.

        That is before what ended meanwhile was started again, which may take long.
        """
        undone = time.time()
        for node in NODES:
            found = json.loads(self.lab.docker("inspect", self.lab.container(node)))[0]
            status = found["State"]["Status"]
            if status == "paused":
                self._freezer("thaw", node)
            elif status != "running":
                self.power_on(node)
            elif self._second not in found["NetworkSettings"]["Networks"]:
                # Somebody was interrupted in between.
                self._connect(node)
            else:
                continue
            self._let_go(node)
            undone = time.time()
        for node in NODES:
            said = self.lab.docker("exec", self.lab.container(node), "sh", "-c", UNDO, check=False)
            self._let_go(node)
            if said.strip():
                undone = time.time()
        for node in NODES:
            # A node that boots brings up by itself what it has; that it is whole is waited for elsewhere.
            self.lab.docker("exec", self.lab.container(node), "sh", "-c", RESTORE, "restore", RAISE, check=False)
        return undone

    def resolve(self) -> None:
        """Say of every split that a person has looked at what it left, once a round has told of it."""
        wait_until("a round got through", self._round_after(time.time()), timeout=60)
        wait_until("no split is left", self._is_resolved, timeout=60, interval=2)
        for node in NODES:
            self.lab.run(node, f"rm -rf {KEPT}/*/*-conflict")

    def _round_after(self, moment: float) -> Callable[[], bool]:
        """Whether the source has ended a round that began later."""
        return lambda: any(
            found["result"] == "complete" and (found["started_at"] or 0) > moment for found in self._rounds().values()
        )

    def _rounds(self) -> dict[str, dict[str, t.Any]]:
        """What each node says of its last round."""
        texts = {node: self.lab.run(node, f"cat {SYNC_REPORT} 2>/dev/null", check=False) for node in NODES}
        return {node: json.loads(text)["directories"]["data"] for node, text in texts.items() if text.strip()}

    def _is_resolved(self) -> bool:
        for node, found in self._rounds().items():
            if found["result"] == "complete" and found["conflict"] is not None:
                self.lab.run(node, f"{SYNC} --resolve data", check=False)
                return False
            if found["result"] == "complete":
                return True
        return False


def target_of(step: Step, active: str) -> str:
    """The node that a step is about."""
    return active if step.where == ACTIVE else other(active)
