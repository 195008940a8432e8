# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What demo and benchmarks do to a lab: run commands on its hosts, break them, mend them, watch as a client."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import typing as t
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NODES = ("node-a", "node-b")
STOP_FILE = "/tmp/ha-pair-probe.stop"
PROBE_PROGRAM = "/tmp/ha-pair-probe.zip"
# What of the collection's client runs on the observer, below plugins/module_utils.
PROBE_PACKAGES = {
    "_drill": ("__init__", "asking", "client", "streams", "tally", "targets", "wire"),
    "_node": ("__init__", "check", "errors", "http_get", "mounts", "probes", "wording"),
}


class LabError(RuntimeError):
    """The lab did not do what it was told; says what and what it answered."""


@dataclass(frozen=True)
class Lab:
    """A running lab, by name and subnet (`HA_PAIR_LAB_NAME`, `HA_PAIR_LAB_SUBNET`)."""

    name: str
    subnet: str

    @classmethod
    def from_environment(cls) -> Lab:
        """The lab that the environment names, or the default one."""
        return cls(
            os.environ.get("HA_PAIR_LAB_NAME") or "ha-pair",
            os.environ.get("HA_PAIR_LAB_SUBNET") or "172.29.77.0/24",
        )

    @property
    def vip(self) -> str:
        """The address that the pair of the lab shares."""
        return str(ip_network(self.subnet)[100])

    def environment(self) -> dict[str, str]:
        """The environment in which Ansible finds this lab."""
        return {**os.environ, "HA_PAIR_LAB_NAME": self.name, "HA_PAIR_LAB_SUBNET": self.subnet}

    def container(self, host: str) -> str:
        """The name of a host's container."""
        return f"{self.name}-{host}"

    def docker(self, *words: str, check: bool = True) -> str:
        """Run a docker command; its output."""
        done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise LabError(f"docker {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def run(self, host: str, command: str, *, check: bool = True) -> str:
        """Run a shell command on a host; its output."""
        return self.docker("exec", self.container(host), "sh", "-c", command, check=check)

    def playbook(self, *words: str, inventories: tuple[str, ...] = (), quiet: bool = False) -> int:
        """Run a playbook on the lab as a user would; its exit code."""
        sources = ("inventories/nginx_pair", "lab/inventory", *inventories)
        command = ["ansible-playbook", *(word for source in sources for word in ("-i", source)), *words]
        output = subprocess.DEVNULL if quiet else None
        return subprocess.run(command, cwd=ROOT, env=self.environment(), stdout=output, check=False).returncode

    def kind(self) -> str:
        """On which kind of node results are obtained: every report says it."""
        return subprocess.run(
            [ROOT / "tools/image.sh", "kind"], capture_output=True, text=True, check=True
        ).stdout.strip()

    def owners(self) -> list[str]:
        """The nodes whose kernel holds the VIP now."""
        exact = re.compile(rf"inet {re.escape(self.vip)}/")
        return [node for node in NODES if exact.search(self.run(node, "ip -o -4 addr show", check=False))]

    def state(self, node: str) -> dict[str, t.Any]:
        """What the state file of a node says; empty when there is none."""
        text = self.run(node, "cat /run/keepalived/ha-pair/state.json", check=False)
        try:
            found: dict[str, t.Any] = json.loads(text)
        except ValueError:
            return {}
        return found

    def answers(self, node: str) -> bool:
        """Whether the service of a node answers the observer by the node's own address."""
        address = str(ip_network(self.subnet)[{"node-a": 11, "node-b": 12}[node]])
        command = f"python3 -c \"import urllib.request as r; r.urlopen('http://{address}/ha-pair/health', timeout=1)\""
        done = subprocess.run(
            ["docker", "exec", self.container("observer"), "sh", "-c", command], capture_output=True, check=False
        )
        return done.returncode == 0

    @contextmanager
    def probe(
        self,
        *,
        interval: float = 0.01,
        show: bool = False,
        duration: float = 120,
        port: int = 80,
        header: str = "X-HA-Pair-Node",
    ) -> Iterator[Probing]:
        """A client on the observer that asks through the VIP every `interval` seconds, for `duration` at the most.

        The service on that port has a health location, and names its node in the header.
        """
        observer = self.container("observer")
        put = ["docker", "exec", "-i", observer, "sh", "-c", f"rm -f {STOP_FILE}; cat > {PROBE_PROGRAM}"]
        done = subprocess.run(put, input=probe_program(), capture_output=True, check=False)
        if done.returncode != 0:
            raise LabError(f"{observer}: cannot take the probe: {done.stderr.decode(errors='replace').strip()}")
        command = ["docker", "exec", observer, "python3", PROBE_PROGRAM, "--stop-file", STOP_FILE]
        command += [
            "--url",
            f"http://{self.vip}:{port}/ha-pair/health",
            "--header",
            header,
            "--interval",
            str(interval),
        ]
        command += ["--duration", str(duration)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        probing = Probing(self, process, show)
        try:
            probing.wait_for_start()
            yield probing
        finally:
            probing.stop()

    @contextmanager
    def watch_owners(self, address: str = "") -> Iterator[OwnerWatch]:
        """Record when the kernel of each node gets and loses an address (the VIP when none is given)."""
        watch = OwnerWatch(self, address or self.vip)
        try:
            yield watch
        finally:
            watch.stop()


class OwnerWatch:
    """What the kernels say about the owners of an address, from start to stop.

    The kernels' own news (`ip monitor`), by the one clock that all containers of a machine share.
    """

    def __init__(self, lab: Lab, address: str) -> None:
        self.address = address
        # (seconds, node, interface, whether the address stands there from now on)
        self.changes: list[tuple[float, str, str, bool]] = []
        self._exact = re.compile(rf"\binet6? {re.escape(address)}/")
        self._processes = [
            subprocess.Popen(
                ["docker", "exec", lab.container(node), "ip", "-ts", "-o", "monitor", "address"],
                stdout=subprocess.PIPE,
                text=True,
            )
            for node in NODES
        ]
        self._threads = [
            threading.Thread(target=self._listen, args=(node, process), daemon=True)
            for node, process in zip(NODES, self._processes, strict=True)
        ]
        for thread in self._threads:
            thread.start()
        time.sleep(0.3)  # until they listen
        self.started = time.time()
        self.held = {
            node: {
                line.split()[1]
                for line in lab.run(node, "ip -o addr show", check=False).splitlines()
                if self._exact.search(line)
            }
            for node in NODES
        }
        self.ended = self.started

    def _listen(self, node: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            stamp, _bracket, news = line.partition("]")
            if self._exact.search(news):
                at = datetime.fromisoformat(stamp.strip("[ ")).astimezone().timestamp()
                deleted, words = "Deleted" in news, news.replace("Deleted", "").split()
                self.changes.append((at, node, words[1], not deleted))

    def stop(self) -> None:
        """End the recording."""
        if self.ended == self.started:
            self.ended = time.time()
            for process in self._processes:
                process.terminate()
            for thread in self._threads:
                thread.join(timeout=5)

    def periods(self) -> list[tuple[int, float]]:
        """(number of owners, seconds) from start to stop, in their order."""
        held = {node: set(interfaces) for node, interfaces in self.held.items()}
        at, found = self.started, []
        for when, node, interface, stands in sorted(self.changes):
            if when > at:
                found.append((sum(map(bool, held.values())), when - at))
                at = when
            if stands:
                held[node].add(interface)
            else:
                held[node].discard(interface)
        return [*found, (sum(map(bool, held.values())), max(0.0, self.ended - at))]

    def two_owners(self) -> float:
        """For how long, all in all, both nodes held the address, in seconds."""
        return sum(seconds for owners, seconds in self.periods() if owners > 1)


class Probing:
    """A probe that runs."""

    def __init__(self, lab: Lab, process: subprocess.Popen[str], show: bool) -> None:
        self.lab = lab
        self.process = process
        self.show = show
        self.summary: dict[str, t.Any] = {}

    def _read(self) -> dict[str, t.Any] | None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            return None
        event: dict[str, t.Any] = json.loads(line)
        if event["event"] == "summary":
            self.summary = event
        elif self.show:
            print(f"    probe: {describe(event)}", flush=True)
        return event

    def wait_for_start(self) -> None:
        """Return when the first node has answered."""
        while True:
            event = self._read()
            if event is None:
                raise LabError("the probe ended before anybody answered through the VIP")
            if event["event"] == "owner":
                return

    def stop(self) -> dict[str, t.Any]:
        """End the probe; its summary."""
        if self.process.poll() is None:
            self.lab.run("observer", f"touch {STOP_FILE}", check=False)
            while self._read() is not None:
                pass
            self.process.wait(timeout=30)
        return self.summary


def probe_program() -> bytes:
    """The probe of the collection as a program in one file, as Python runs it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ha_pair/__init__.py", "")
        archive.writestr("__main__.py", "import sys\n\nfrom ha_pair._drill.client import main\n\nsys.exit(main())\n")
        for package, names in PROBE_PACKAGES.items():
            for name in names:
                source = ROOT / "plugins/module_utils" / package / f"{name}.py"
                archive.writestr(f"ha_pair/{package}/{name}.py", source.read_bytes())
    return content.getvalue()


def describe(event: dict[str, t.Any]) -> str:
    """An event of the probe in words."""
    if event["event"] == "start":
        return f"asks {event['url']} every {event['interval'] * 1000:g} ms"
    if event["event"] == "owner":
        return f"answered by {event['node']} at {event['at']:.2f} s"
    return f"not answered for {event['seconds'] * 1000:.0f} ms from {event['at']:.2f} s on, then by {event['after']}"


def wait_until(what: str, condition: Callable[[], bool], timeout: float = 60, interval: float = 0.2) -> None:
    """Wait for a condition; LabError with `what` when it does not come true in `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {timeout:g} s")
        time.sleep(interval)


def end_on_sigterm() -> None:
    """Let SIGTERM end the program as Ctrl-C does: through `finally`, where labs are destroyed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def ignore_interrupts() -> None:
    """From here on nothing interrupts: a second Ctrl-C must not leave half a lab behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
