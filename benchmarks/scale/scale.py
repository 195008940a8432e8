# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What status.yml and `site.yml --check` cost the controller for 1, 5, 25 and 50 pairs in one inventory.

The nodes are not there: what Ansible would send to one, a local program answers (simulated_pairs.py). So this measures
Ansible and the collection on the controller, and neither nodes nor SSH. Beside each run a plain play with as many
tasks for each host: what Ansible takes for nothing but that.

Ends with an error when a run does not end as it must, when a node is asked more often with many pairs than with few, or
when the processor time of a further pair grows more than in the plain play.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import simulated_pairs

ROOT = Path(__file__).resolve().parents[2]
PLAYS: dict[str, tuple[str, ...]] = {
    "status": ("playbooks/status.yml",),
    "site": ("site.yml", "--check"),
}
# How much more than the plain play's the growth may be: what remains is noise.
MOST_GROWTH = 1.3
MEBIBYTE = 1024.0


class ScaleError(RuntimeError):
    """A run did not do what it must; says what it printed."""


@dataclass(frozen=True)
class Cost:
    """What a run took: seconds, and memory in MiB.

    `memory`: of all processes together at the most, each page counted once. `main`: of the process that forks.
    `fork`: what one of the others has for itself, at the most.
    """

    pairs: int
    tasks: int
    wall: float
    cpu: float
    memory: float
    main: float
    fork: float


class Watch(threading.Thread):
    """Looks at the memory of a process and of all that it started; ends them when they take more than is allowed."""

    def __init__(self, process: subprocess.Popen[bytes], most: float) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._most = most
        self._over = threading.Event()
        self.memory = self.main = self.fork = 0.0
        self.refused = False

    def run(self) -> None:
        """Look every half second."""
        while not self._over.wait(0.5):
            self._look()

    def stop(self) -> None:
        """The process has ended."""
        self._over.set()
        self.join()

    def _look(self) -> None:
        root = self._process.pid
        found = {pid: memory(pid) for pid in (root, *descendants(root))}
        self.memory = max(self.memory, sum(one.get("Pss", 0) for one in found.values()))
        self.main = max(self.main, found[root].get("Rss", 0))
        # Those that Ansible forks are its children; what they run in their turn is no fork of it.
        own = [one.get("Private_Dirty", 0) for pid, one in found.items() if pid in children(root)]
        self.fork = max(self.fork, *own, 0.0)
        if self.memory > self._most and not self.refused:
            self.refused = True
            end(self._process)


def memory(pid: int) -> dict[str, float]:
    """What the kernel says of a process' memory, in MiB; nothing once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return {}
    words = (line.split() for line in lines)
    return {name.rstrip(":"): int(size) / MEBIBYTE for name, size, *_unit in words}


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are still there."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def descendants(pid: int) -> list[int]:
    """All processes below a process."""
    found = children(pid)
    return [*found, *(lower for child in found for lower in descendants(child))]


def end(process: subprocess.Popen[bytes]) -> None:
    """End a run and all that it started, which are a session of their own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it had ended


def run(
    where: Path, words: tuple[str, ...], count: int, given: argparse.Namespace
) -> tuple[Cost, dict[str, Counter[str]]]:
    """Run a playbook on the pairs of a directory: its cost, and which modules each node was sent."""
    command = ["ansible-playbook", "-i", str(where / "hosts.json"), "--forks", str(given.forks), *words]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_HOME": str(where / "home"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_PIPELINING": "true",
    }
    before = {host: len(sent) for host, sent in simulated_pairs.asked(where).items()}
    printed = where / "printed"
    with printed.open("wb") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        watch = Watch(process, given.memory)
        watch.start()
        alarm = threading.Timer(given.minutes * 60, end, (process,))
        alarm.start()
        try:
            # The time of the process and of all for whom it has waited.
            _pid, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            alarm.cancel()
            if process.returncode is None:
                end(process)
                process.wait()
            watch.stop()
    text = printed.read_text(encoding="utf-8", errors="replace")
    if watch.refused:
        raise ScaleError(f"{words[0]} with {count} pairs took more than {given.memory:g} MiB; allow more by --memory")
    if process.returncode == -signal.SIGKILL:
        raise ScaleError(f"{words[0]} with {count} pairs took more than {given.minutes:g} minutes; see --minutes")
    hosts = recap(text)
    bad = {name for name, counts in hosts.items() if counts["failed"] or counts["unreachable"] or counts["changed"]}
    if process.returncode != 0 or bad or len(hosts) != 2 * count:
        raise ScaleError(f"{words[0]} with {count} pairs did not end as it must:\n{text[-3000:]}")
    sent = {host: Counter(names[before[host] :]) for host, names in simulated_pairs.asked(where).items()}
    # The first host does some things for all.
    tasks = min(counts["ok"] + counts["skipped"] for counts in hosts.values())
    cost = Cost(count, tasks, wall, usage.ru_utime + usage.ru_stime, watch.memory, watch.main, watch.fork)
    return cost, sent


def recap(text: str) -> dict[str, Counter[str]]:
    """By host what Ansible counts at the end of a run."""
    lines = re.findall(r"^(\S+)\s+: (ok=.*)$", text.partition("PLAY RECAP")[2], re.MULTILINE)
    return {
        host: Counter({name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", words)})
        for host, words in lines
    }


def plain_play(where: Path, tasks: int, modules: int) -> Path:
    """A play with so many tasks, of which so many run a module on the node and the others nothing."""
    words = [
        {"name": f"Task {number}", "ansible.builtin.ping" if number < modules else "ansible.builtin.debug": {}}
        for number in range(tasks)
    ]
    play = where / "plain.yml"
    play.write_text(json.dumps([{"hosts": "ha_pair", "gather_facts": False, "tasks": words}]), encoding="utf-8")
    return play


def growth(costs: list[Cost]) -> float | None:
    """By which factor a further pair takes more among the last ones than among the first ones.

    None with fewer than three sizes: what the start of Ansible takes cannot be told from what a pair takes.
    """
    if len(costs) < 3:
        return None
    further = [(two.cpu - one.cpu) / (two.pairs - one.pairs) for one, two in pairwise(costs)]
    return further[-1] / further[0]


def kind(forks: int) -> str:
    """The machine and what runs on it, for reports."""
    version = subprocess.run(["ansible", "--version"], capture_output=True, text=True, check=True).stdout
    core = re.search(r"core ([\d.]+\w*)", version)
    models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return (
        f"{os.cpu_count()} cores ({models[0] if models else platform.machine()}), ansible-core "
        f"{core[1] if core else 'unknown'}, Python {platform.python_version()}, {forks} forks, "
        f"nice {os.getpriority(os.PRIO_PROCESS, 0)}, load {os.getloadavg()[0]:.1f} before"
    )


def table(name: str, ours: list[Cost], plain: list[Cost]) -> str:
    """The costs of a playbook beside the plain play's, for a person."""
    lines = [
        f"{' '.join(PLAYS[name])}: {ours[0].tasks} tasks for each host",
        "",
        "| pairs | hosts | wall (s) | CPU (s) | CPU per pair (s) | plain play's CPU (s) | ratio | memory (MiB) | "
        "main process | one fork |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one, other in zip(ours, plain, strict=True):
        lines.append(
            f"| {one.pairs} | {2 * one.pairs} | {one.wall:.1f} | {one.cpu:.1f} | {one.cpu / one.pairs:.2f} | "
            f"{other.cpu:.1f} | {one.cpu / other.cpu:.2f} | {one.memory:.0f} | {one.main:.0f} | {one.fork:.0f} |"
        )
    return "\n".join(lines)


def measure(name: str, given: argparse.Namespace) -> tuple[list[Cost], list[Cost]]:
    """A playbook and the plain play for each number of pairs."""
    ours: list[Cost] = []
    plain: list[Cost] = []
    asked: dict[str, Counter[str]] = {}
    for count in given.pairs:
        with tempfile.TemporaryDirectory(prefix="ha-pair-scale-") as directory:
            where = Path(directory)
            simulated_pairs.write(where, count, given.seconds)
            cost, sent = run(where, PLAYS[name], count, given)
            # A node of the first size that is not the first of its play: that one does some things for all.
            asked = asked or sent
            usual = list(asked.values())[-1]
            more = [host for host, found in list(sent.items())[1:] if found != usual]
            if more:
                raise ScaleError(f"{name} with {count} pairs: {more[0]} was sent {sent[more[0]]}, not {usual}")
            ours.append(cost)
            tell(" ".join(PLAYS[name]), cost)
            cost, _sent = run(where, (str(plain_play(where, cost.tasks, usual.total())),), count, given)
            plain.append(cost)
            tell("plain play", cost)
    return ours, plain


def tell(name: str, cost: Cost) -> None:
    """Say what a run took, as soon as it is known."""
    print(f"{cost.pairs} pairs, {name}: {cost.wall:.1f} s, {cost.cpu:.1f} s of CPU", flush=True)


def sizes(text: str) -> list[int]:
    """The numbers of pairs, each once, the smallest first."""
    found = sorted({int(word) for word in text.split(",")})
    if not found or found[0] < 1 or found[-1] > simulated_pairs.MOST_PAIRS:
        raise argparse.ArgumentTypeError(f"give numbers from 1 to {simulated_pairs.MOST_PAIRS}, such as 1,5,25,50")
    return found


def main() -> int:
    """Run the benchmark; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=sizes, default=[1, 5, 25, 50])
    parser.add_argument("--plays", default=",".join(PLAYS), help="status, site or both")
    parser.add_argument("--forks", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--seconds", type=float, default=0, help="how long a node takes to answer each time")
    parser.add_argument("--minutes", type=float, default=30, help="after which a single run is ended")
    parser.add_argument("--memory", type=float, default=4096, help="MiB, above which a run is ended")
    parser.add_argument("--report", type=Path, default=ROOT / "build/scale.json")
    given = parser.parse_args()
    names = given.plays.split(",")
    if not set(names) <= set(PLAYS):
        parser.error(f"--plays: give some of {', '.join(PLAYS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report: dict[str, t.Any] = {"kind": kind(given.forks), "seconds": given.seconds}
    tables = []
    failed = False
    for name in names:
        ours, plain = measure(name, given)
        found, usual = growth(ours), growth(plain)
        text = table(name, ours, plain)
        if found is None or usual is None:
            text += "\n\nGrowth: not judged, which takes three numbers of pairs"
        else:
            limit = MOST_GROWTH * max(1.0, usual)
            failed = failed or found > limit
            text += (
                f"\n\nGrowth of what a further pair takes: {found:.2f}, plain play {usual:.2f} (limit: {limit:.2f})"
                f"{'; MORE THAN LINEAR' if found > limit else ''}"
            )
        tables.append(text)
        report[name] = {
            "ours": [asdict(cost) for cost in ours],
            "plain": [asdict(cost) for cost in plain],
            "growth": found,
            "plain_growth": usual,
        }
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print("\n" + "\n\n".join(tables) + f"\n\nOn: {report['kind']}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ScaleError as problem:
        sys.exit(f"scale: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
