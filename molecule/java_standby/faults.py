# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of a service of which one may run, on the lab of the scenario, judged by the program's own evidence.

`faults.py [--arbiter KIND] [CASE...]` runs the cases; `faults.py --random COUNT [--seed S] --arbiter KIND` so many
faults in a random order. Either deploys the arbiter that is wanted, where the pair has another one. Whatever is broken
is mended also after an error and a Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

import evidence
import fault_sequence
from cases import Cases, expect
from fault_sequence import Happened, Step
from labkit import NODES, ROOT, Lab, LabError, OwnerWatch, end_on_sigterm, ignore_interrupts, wait_until
from standby import (
    AGENT,
    DATA,
    FAIL_FILE,
    KEEPALIVED,
    KEPT,
    SERVICE,
    UNIT,
    NotInflictedError,
    NotPossibleError,
    Pair,
    other,
    target_of,
)

LAB = Lab.from_environment()
PAIR = Pair(LAB)
INVENTORIES = ("inventories/java_standby", "lab/inventory", "molecule/java_standby/inventory")
# What a takeover may take longer than a plain start (s), without the time for which VRRP has to be MASTER first.
ADDED_LIMIT = 0.2
# A program that only waits ends as soon as it is told to (s); a start that had to end first would take its delay.
STOP_LIMIT = 2.0
START_DELAY = 12.0
# Between two rounds of the synchronisation there are 2 s in this lab; a round, and what a busy machine adds (s).
SYNC_LIMIT = 6.0
# For so long the program works on when it is told to stop, and so long it takes to work when somebody restarts it (s).
SLOW_STOP, RESTART_DELAY = 2.0, 3.0
# What the agent says when it starts the service: plugins/module_utils/_node/active_core.py.
AGREED = "VRRP is MASTER here, and the arbiter agrees"
# The agent tells systemd first and the journal then, which is late on a busy machine (s).
JOURNAL_LAG = 0.3

CASES = Cases()


def deploy(arbiter: str) -> None:
    """site.yml with that arbiter, unless both nodes have it."""
    PAIR.heal()
    PAIR.wait_for_one()
    if PAIR.arbiters() == {arbiter}:
        return
    print(f"deploying the arbiter {arbiter}", flush=True)
    sources = [word for source in INVENTORIES for word in ("-i", source)]
    command = ["ansible-playbook", *sources, "site.yml", "-e", f"lab_arbiter={arbiter}"]
    done = subprocess.run(command, cwd=ROOT, env=LAB.environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"site.yml -e lab_arbiter={arbiter}: {done.stdout[-3000:]}{done.stderr[-1000:]}")


def settings(node: str) -> dict[str, t.Any]:
    """What the agent of a node was told of the service."""
    text = LAB.run(node, "cat /etc/keepalived/ha-pair-active.json")
    found: dict[str, t.Any] = json.loads(text)["services"][SERVICE]
    return found


def settle() -> None:
    """Mend everything, and wait until one node works alone."""
    PAIR.heal()
    PAIR.wait_for_one()


def active() -> str:
    """The node that works alone just now."""
    return PAIR.wait_for_one()[0]


def phase(node: str) -> str:
    """In which phase the service is on a node, by its agent."""
    return PAIR.look()[node].phase


def first_beat(node: str, after: float) -> float:
    """When a run of that node began to work after a moment."""
    found = [one.start for one in evidence.stretches(node, evidence.at_work(PAIR.signs()[node])) if one.start > after]
    expect(found, f"{node} did not work after that")
    return found[0]


def gained(watch: OwnerWatch, node: str) -> float:
    """When the kernel of a node got the VIP last."""
    times = [at for at, name, _interface, stands in watch.changes if name == node and stands]
    expect(times, f"{node} did not get the VIP")
    return max(times)


def account_since(begin: float) -> evidence.Account:
    """What the evidence of both nodes says since a moment; it has to be good for it."""
    now = time.time()
    found = evidence.account(PAIR.signs(check=True), begin, now, PAIR.pauses())
    expect(not found.doubts(), "; ".join(found.doubts()))
    return found


def never_two(begin: float) -> evidence.Account:
    """What the evidence says since a moment, which must be that no two worked."""
    found = account_since(begin)
    expect(not found.overlaps, f"two worked: {'; '.join(map(str, found.overlaps))}")
    return found


def plain_unit(text: str, place: str) -> str:
    """The unit of the service as one that anybody starts: without its target, with files and a port of its own."""
    found = re.search(r"^\[Service\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    expect(found, f"{UNIT} has no section [Service]: {text}")
    section = found.group(0) if found else ""
    for option, value in (("evidence", f"{place}/evidence"), ("directory", place), ("port", "8082")):
        section, count = re.subn(rf'("?--{option}"?) "?[^\s"]+"?', rf"\1 {value}", section)
        expect(count == 1, f"{UNIT} runs without --{option}: {text}")
    return section.rstrip() + f"\nStateDirectory={place.rpartition('/')[2]}\n"


def plain_start(node: str) -> float:
    """How long the same command line takes from systemctl start to its first beat, as a plain unit (s)."""
    name, place = "lab-plain", "/var/lib/lab-plain"
    unit = plain_unit(LAB.run(node, f"cat /etc/systemd/system/{UNIT}"), place)
    script = f"""file=/run/systemd/system/{name}.service
printf '%s' "$1" >$file; systemctl daemon-reload
date +%s.%N
systemctl start {name}
for each in $(seq 150); do grep -q '^beat' {place}/evidence 2>/dev/null && break; sleep 0.1; done
cat {place}/evidence
systemctl stop {name}; rm -rf {place} $file; systemctl daemon-reload
"""
    text = LAB.docker("exec", LAB.container(node), "sh", "-c", script, "plain", unit, check=False)
    began, _newline, rest = text.partition("\n")
    signs = evidence.at_work(evidence.parse(rest))
    expect(signs, f"{node}: the same command line as a plain unit did not work within 15 s: {text[:300]}")
    return signs[0].wall - float(began)


def agreements(journal: str) -> list[float]:
    """When an agent said that its arbiter agreed to a start, by journalctl --output=json."""
    entries = [json.loads(line) for line in journal.splitlines()]
    return [
        int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        for entry in entries
        if str(entry.get("MESSAGE")).endswith(f"{SERVICE}: starting: {AGREED}")
    ]


def not_agreed(begun: dict[str, float], agreed: list[float], after: float) -> list[str]:
    """The runs that began after a moment, and before the arbiter had agreed since then."""
    first = min((at for at in agreed if at > after), default=math.inf)
    return sorted(run for run, at in begun.items() if after < at < first - JOURNAL_LAG)


@CASES.add
def takeover_beside_a_plain_start() -> None:
    """What a takeover takes beside confirm and a plain start of the same command line, measured in turn."""
    added = []
    for _turn in range(4):
        node = active()
        target = other(node)
        plain = plain_start(target)
        began = time.time()
        with LAB.watch_owners() as watch:
            LAB.run(node, f"systemctl stop {KEEPALIVED}")
            PAIR.wait_for_one()
        LAB.run(node, f"systemctl start {KEEPALIVED}")
        confirm = float(settings(target)["confirm"])
        whole = first_beat(target, began) - gained(watch, target)
        added.append(whole - confirm - plain)
        print(
            f"    {target}: {whole:.3f} s from the VIP to the first beat, confirm {confirm:g} s, plain start "
            f"{plain:.3f} s: {added[-1]:+.3f} s",
            flush=True,
        )
        never_two(began)
    expect(statistics.median(added) <= ADDED_LIMIT, f"a takeover takes {statistics.median(added):.3f} s more")


@CASES.add
def a_slow_start_delays_no_stop() -> None:
    """A node whose program is still starting gives it up at once when the VIP leaves."""
    node = active()
    target, began = other(node), time.time()
    PAIR.delay_start(target, START_DELAY)
    PAIR.raise_priority(target)
    wait_until(f"{target} starts it", lambda: phase(target) == "starting", timeout=30)
    with LAB.watch_owners() as watch:
        PAIR.raise_priority(target, "0")
        PAIR.raise_priority(node)
        wait_until(
            f"{target} has stopped it",
            lambda: LAB.run(target, f"systemctl is-active {UNIT}", check=False).strip() in ("inactive", "failed"),
            timeout=30,
            interval=0.02,
        )
        stopped = time.time()
    lost = [at for at, name, _interface, stands in watch.changes if name == target and not stands]
    expect(lost, f"the VIP did not leave {target}")
    print(f"    stopped {stopped - lost[-1]:.2f} s after the VIP had left", flush=True)
    expect(stopped - lost[-1] < STOP_LIMIT, f"the stop took {stopped - lost[-1]:.2f} s")
    expect(PAIR.wait_for_one()[0] == node, f"{node} does not work")
    never_two(began)


@CASES.add
def it_cannot_start_on_one() -> None:
    """A node on which it cannot start gives the VIP away, and keepalived is told to prefer the other one."""
    node = active()
    target, began = other(node), time.time()
    LAB.run(target, f": >{FAIL_FILE}")
    PAIR.raise_priority(target)
    wait_until(f"{target} leaves it alone", lambda: phase(target) == "hold-down", timeout=40)
    PAIR.raise_priority(target, "0")
    track = LAB.run(target, f"cat /run/keepalived/ha-pair/track/{SERVICE}").strip()
    expect(track == "0", f"the track file of {target} says {track}")
    wait_until(f"{node} works", lambda: PAIR.look()[node].works, timeout=40)
    expect(LAB.owners() == [node], f"{LAB.owners()} own the VIP")
    found = never_two(began)
    print(f"    nobody worked for {found.longest_pause:.2f} s; {PAIR.look()[target].entry['failure']}", flush=True)


@CASES.add
def it_cannot_start_anywhere() -> None:
    """Both leave it alone for longer each time, say so, and the first on which it can start again has it."""
    node, began = active(), time.time()
    for one in NODES:
        LAB.run(one, f": >{FAIL_FILE}")
    PAIR.kill(node, UNIT, "KILL")
    # The length of each hold-down of each node, as it was when it was seen first.
    holds: dict[str, dict[int, float]] = {one: {} for one in NODES}
    told = dict.fromkeys(NODES, False)

    def grown() -> bool:
        for one, seen in PAIR.look().items():
            until = seen.entry.get("hold_down_until")
            if until is not None:
                holds[one].setdefault(until, until - time.time())
            told[one] = told[one] or bool(seen.entry.get("failed_on_both"))
        return all(told.values()) and any(len(found) > 1 for found in holds.values())

    with LAB.watch_owners() as watch:
        wait_until("both failed, and one again", grown, timeout=120)
    moves = sum(stands for _at, _node, _interface, stands in watch.changes)
    lengths = {one: [round(length) for length in found.values()] for one, found in holds.items()}
    print(f"    hold-downs of {lengths} s; the VIP moved {moves} times", flush=True)
    for found in lengths.values():
        expect(found == sorted(found), f"a hold-down is shorter than the one before: {lengths}")
    expect(max(found[-1] for found in lengths.values()) > 45, f"the second hold-down is not longer: {lengths}")
    expect(moves <= 6, f"the VIP moved {moves} times")
    for one in NODES:
        journal = LAB.run(one, f"journalctl --quiet --unit={AGENT} --since=@{began:.0f}")
        expect("failed on both nodes" in journal, f"the journal of {one} does not say that it failed on both")
    # The one that tries again first.
    entries = {one: seen.entry.get("hold_down_until") or time.time() for one, seen in PAIR.look().items()}
    first = min(entries, key=lambda one: entries[one])
    LAB.run(first, f"rm -f {FAIL_FILE}")
    wait_until(
        f"{first} works by itself", lambda: PAIR.look()[first].works, timeout=max(90, 60 + entries[first] - time.time())
    )
    print(f"    {first} works by itself {time.time() - began:.0f} s after it had failed on both", flush=True)
    never_two(began)


@CASES.add
def a_planned_switchover() -> None:
    """It stops on one node and starts on the other one, which is told by a raise of its priority."""
    node, began = active(), time.time()
    PAIR.raise_priority(other(node))
    wait_until(f"{other(node)} works", lambda: PAIR.look()[other(node)].works, timeout=30)
    PAIR.raise_priority(other(node), "0")
    PAIR.wait_for_one()
    found = never_two(began)
    print(f"    nobody worked for {found.longest_pause:.2f} s", flush=True)


def written(text: str) -> list[tuple[str, float]]:
    """(line, when) of what the program wrote down of each file that it has fetched."""
    found = []
    for line in text[: text.rfind("\n") + 1].splitlines():
        words = line.split()
        if len(words) == 5 and words[2].isdigit():
            found.append((line, int(words[2]) / 1e9))
    return found


@CASES.add
def what_was_written_before_a_crash() -> None:
    """What was written some seconds before a node died is on the other one, which goes on from there."""
    node = active()
    # So that there is something to lose.
    time.sleep(3 * SYNC_LIMIT)
    crashed = time.time()
    PAIR.power_off(node)
    with tempfile.TemporaryDirectory() as place:
        LAB.docker("cp", f"{LAB.container(node)}:{DATA}/written", f"{place}/written")
        lines = written((Path(place) / "written").read_text(encoding="utf-8"))
    wait_until(f"{other(node)} works", lambda: PAIR.look()[other(node)].works, timeout=60)
    there = {line for line, _at in written(LAB.run(other(node), f"cat {DATA}/written"))}
    expect(lines, f"{node} had written nothing")
    missing = [crashed - at for line, at in lines if line not in there and at <= crashed]
    print(
        f"    {len(lines)} files written, {len(missing)} not on {other(node)}, the oldest of them written "
        f"{max(missing, default=0.0):.2f} s before the crash",
        flush=True,
    )
    expect(max(missing, default=0.0) < SYNC_LIMIT, f"written {max(missing, default=0.0):.1f} s before, and lost")
    expect(len(missing) < len(lines), "nothing was mirrored")


@CASES.add
def a_split_and_what_both_wrote() -> None:
    """Nodes that hear each other nowhere both work, by this arbiter; afterwards one does, and nothing is deleted."""
    node = active()
    if settings(node)["arbiter"]["kind"] == "witness":
        print("    skipped: with a witness there is no split", flush=True)
        return
    LAB.run(node, f"echo before >{DATA}/before")
    has_before = f"test -e {DATA}/before && echo there"
    wait_until("a file is mirrored", lambda: LAB.run(other(node), has_before, check=False) != "", timeout=30)
    PAIR.drop(node, "partition")
    wait_until("both work", lambda: all(seen.works for seen in PAIR.look().values()), timeout=60)
    for one in NODES:
        LAB.run(one, f"echo {one} >{DATA}/both; echo {one} >{DATA}/only-{one}")
    time.sleep(2 * SYNC_LIMIT)
    healed = PAIR.heal()
    PAIR.wait_for_one()
    found = account_since(healed)
    until = max((one.end for one in found.overlaps), default=healed)
    print(f"    both worked for {until - healed:.2f} s after the network was whole again", flush=True)
    expect(until - healed < fault_sequence.HEALED_LIMIT, f"both worked for {until - healed:.2f} s")
    # Who works now need not be who was the source when they met: where VRRP keeps the VIP on the one that began later,
    # both let go, and it starts anew there with the files of the other one.
    kept = f"cat {KEPT}/*/*-conflict/both 2>/dev/null"

    def losers() -> list[str]:
        return [one for one in NODES if LAB.run(one, kept, check=False).strip() == one]

    wait_until("one of them keeps its own", lambda: len(losers()) == 1, timeout=40)
    loser = losers()[0]
    winner = other(loser)
    print(f"    the files of {winner} are everywhere, those of {loser} are kept there", flush=True)

    # The round that keeps it may not have ended yet.
    time.sleep(SYNC_LIMIT)
    for one, path, text in (
        (winner, "both", winner),
        (loser, "both", winner),
        (winner, f"only-{winner}", winner),
        (loser, f"only-{winner}", winner),
        (loser, f"only-{loser}", loser),
        (winner, "before", "before"),
        (loser, "before", "before"),
    ):
        said = LAB.run(one, f"cat {DATA}/{path}", check=False).strip()
        expect(said == text, f"{DATA}/{path} of {one} is {said!r}, not {text!r}")
    owner = active()
    peer = other(owner)
    LAB.run(owner, f"rm -f {DATA}/both {DATA}/only-* {DATA}/before")
    PAIR.resolve()
    gone = f"ls {DATA} | grep -c -e only- -e both -e before"
    wait_until("rounds delete again", lambda: LAB.run(peer, gone, check=False).strip() == "0", timeout=40)


@CASES.add
def a_frozen_node_that_goes_on() -> None:
    """A node that stood still while the other one took over works on for a moment at the most."""
    node, began = active(), time.time()
    PAIR.freeze(node)
    wait_until(f"{other(node)} works", lambda: PAIR.look()[other(node)].works, timeout=60)
    PAIR.heal()
    PAIR.wait_for_one()
    found = account_since(began)
    beside = sum(one.seconds for one in found.overlaps)
    print(f"    it worked for {beside * 1000:.0f} ms beside the other one; nobody did for {found.longest_pause:.2f} s",
          flush=True)  # fmt: skip
    expect(beside <= fault_sequence.RESUMED_LIMIT, f"two worked for {beside:.2f} s")


@CASES.add
def agent_killed_while_the_program_is_slow_to_stop() -> None:
    """The agent that comes after one that was killed starts nothing while the program still ends, and asks first."""
    node, began = active(), time.time()
    PAIR.delay_stop(node, SLOW_STOP)
    before = PAIR.look()[node].run
    killed = time.time()
    PAIR.kill(node, AGENT, "KILL")
    # Until then the report of the agent that is gone says that it is active.
    wait_until(f"{node} has stopped it", lambda: PAIR.look()[node].run != before, timeout=30)
    owner = PAIR.wait_for_one()[0]
    found = never_two(began)
    signs = PAIR.signs(check=True)[node]
    last = max((sign.wall for sign in signs if sign.run == before), default=killed)
    print(
        f"    it worked on for {last - killed:.2f} s after the kill; nobody worked for {found.longest_pause:.2f} s; "
        f"{owner} works",
        flush=True,
    )
    # With a witness nobody knows when its loan ends, so what is left of it is killed at once.
    least = 0.0 if settings(node)["arbiter"]["kind"] == "witness" else SLOW_STOP / 2
    # Otherwise nothing was proved.
    expect(last - killed > least, f"it ended {last - killed:.2f} s after the kill, and was to be slow")
    journal = LAB.run(node, f"journalctl --quiet --output=json --unit={AGENT} --since=@{killed - 1:.0f}")
    early = not_agreed(evidence.beginnings(signs), agreements(journal), killed)
    expect(not early, f"{node} began before the arbiter agreed: {', '.join(early)}")


@CASES.add
def a_restart_by_hand() -> None:
    """systemctl restart on the active node is no failure, also when the program starts slowly."""
    node, began = active(), time.time()
    before = PAIR.look()[node].run
    PAIR.delay_start(node, RESTART_DELAY)
    phases: list[str] = []

    def again() -> bool:
        seen = PAIR.look()
        phases.extend(one.phase for one in seen.values())
        return seen[node].works and seen[node].run != before

    with LAB.watch_owners() as watch:
        LAB.run(node, f"systemctl restart {UNIT}")
        wait_until(f"{node} works again", again, timeout=30)
        owner, _since, mended = PAIR.wait_for_one()
    found = never_two(began)
    print(f"    nobody worked for {found.longest_pause:.2f} s", flush=True)
    expect(found.longest_pause >= RESTART_DELAY, f"it started within {found.longest_pause:.2f} s, and was to be slow")
    expect("hold-down" not in phases and not mended, f"it was left alone: {mended or phases}")
    expect(not watch.changes, f"the VIP moved: {watch.changes}")
    expect(owner == node, f"{owner} works, and no longer {node}")


# A random sequence


def one_fault(step: Step, node: str) -> tuple[Happened, str, list[str]]:
    """Begin it, let it last, undo it, and wait until one works again; which one, and what was mended by hand.

    One of which nothing or only a half came happened as well: it may have done harm.
    """
    target = target_of(step, node)
    began, missed = time.time(), ""
    try:
        PAIR.inflict(step, target)
        # What is over at once takes effect before anybody looks.
        time.sleep(max(step.seconds, 0.5))
        PAIR.expect_inflicted(step, target)
    except NotPossibleError as reason:
        missed = f"skipped: this machine cannot: {reason}"
    except NotInflictedError as reason:
        missed = f"not inflicted: {reason}"
    finally:
        # Also after any other error and a Ctrl-C.
        healed = PAIR.heal()
    node, settled, mended = PAIR.wait_for_one()
    return Happened(step, target, began, healed, max(settled, healed), missed), node, mended


def keep_evidence() -> None:
    """Leave what was read where somebody can look at it."""
    place = ROOT / "build/exclusive"
    place.mkdir(parents=True, exist_ok=True)
    for node, text in PAIR.texts.items():
        (place / f"{node}.evidence").write_text(text, encoding="ascii")
    (place / "held.pauses").write_text(evidence.write_pauses(PAIR.pauses()), encoding="ascii")
    print(f"the evidence is in {place.relative_to(ROOT)}", flush=True)


def peer_timeout(arbiter: str) -> float:
    """For how long a peer has to be silent until a node does without it, as the agents were told (s)."""
    if arbiter != "peer":
        return 0.0
    return min(float(settings(node)["arbiter"]["timeout"]) for node in NODES)


def random_faults(count: int, seed: int, arbiter: str) -> int:
    """Run them.

    1 when the evidence says what the arbiter does not allow or says too little, nobody worked again, or too many faults
    were none.
    """
    print(f"{count} faults, seed {seed}, arbiter {arbiter}", flush=True)
    began = time.time()
    problems: list[str] = []
    happened: list[Happened] = []
    node, patience = active(), peer_timeout(arbiter)
    PAIR.signs()
    try:
        for step in fault_sequence.sequence(seed, count, arbiter):
            # Also where it does not end: what the evidence says since then belongs to it.
            happened.append(Happened(step, target_of(step, node), time.time(), math.inf, math.inf, "it did not end"))
            happened[-1], node, mended = one_fault(step, node)
            one = happened[-1]
            if one.missed:
                print(f"{step.number:3d} {step.fault.name}: {one.missed}", flush=True)
                continue
            seen = evidence.account(PAIR.signs(), one.began, time.time(), PAIR.pauses())
            print(fault_sequence.told(one, seen.longest_pause, seen.overlaps, mended), flush=True)
    except LabError as reason:
        problems.append(f"fault {step.number}, {step.fault.name}: {reason}")
    ended = time.time()
    try:
        signs = PAIR.signs(check=True)
    except LabError as reason:
        problems.append(f"the evidence cannot be read: {reason}")
        signs = PAIR.signs()
    found = evidence.account(signs, began, ended, PAIR.pauses())
    problems += fault_sequence.judge(found.overlaps, happened, arbiter, peer_timeout=patience)
    problems += found.doubts()
    skipped = sum(one.missed.startswith("skipped") for one in happened)
    missed = sum(one.missed.startswith("not inflicted") for one in happened)
    problems += fault_sequence.too_little(count, skipped, missed)
    average = (ended - began) / max(1, len(happened))
    promised = "NOT as promised" if problems else "nothing is promised" if arbiter == "none" else "as promised"
    print(
        f"{len(happened) - skipped - missed} faults, {skipped} skipped, {missed} not inflicted, {average:.1f} s each "
        f"on average, {found.runs} runs; two worked {len(found.overlaps)} times, "
        f"{sum(one.seconds for one in found.overlaps):.3f} s in all; the longest time without work "
        f"{found.longest_pause:.1f} s; seed {seed}, arbiter {arbiter} ({promised})",
        flush=True,
    )
    for problem in problems:
        print(f"FAILED {problem}", flush=True)
    if problems:
        keep_evidence()
        return 1
    # What both wrote while they could not hear each other.
    PAIR.resolve()
    return 0


def guarded(work: Callable[[], int]) -> int:
    """Do it; at the end everything is mended, whatever happened."""
    try:
        return work()
    finally:
        ignore_interrupts()
        PAIR.heal()


def named_cases(names: list[str]) -> int:
    """The exit code; a deployment that follows refuses a split that nobody has looked at."""
    failed = CASES.run(settle, names)
    if not failed:
        PAIR.resolve()
    return failed


def main() -> int:
    """Run what is asked for; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=0, metavar="COUNT")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--arbiter", choices=fault_sequence.ARBITERS, default="peer")
    parser.add_argument("--resolve", action="store_true", help="only say of every split that somebody has looked at it")
    parser.add_argument("cases", nargs="*")
    given = parser.parse_args()
    end_on_sigterm()
    if given.resolve:
        PAIR.resolve()
        return 0
    deploy(given.arbiter)
    if given.random:
        seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
        return guarded(lambda: random_faults(given.random, seed, given.arbiter))
    # All of them where none is named; cases.py would take our own words for names.
    names = given.cases or CASES.names
    return guarded(lambda: named_cases(names))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as problem:
        sys.exit(f"faults: {problem}")
