# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program of the scenario java_standby wrote down of its own work: who worked when, and whether two did.

Each of its lines is a sign of life, `KIND RUN NUMBER WALL MONOTONIC`: one at the start of a run, one every 20 ms while
it works, one at its end in good order. Pure functions; no agent, no keepalived and no systemd is asked.

A silence of a run that goes on is no proof that it did not work: a busy machine lets it write late. So two questions
have two answers. Whether two worked is asked of spans(): a run works from its first sign to its last one, but for the
time in which it was really held (SIGSTOP, docker pause), as who held it says. Whether anybody worked is asked of
stretches(): only signs count.

`python lab/evidence.py build/exclusive/*.evidence build/exclusive/*.pauses` says it of files that were kept.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path

START, BEAT, END = "start", "beat", "end"
# One that gives no sign for so long does not work (s): ten beats.
SILENCE = 0.2
# A run that writes less often, mostly, proves little: its start and its end are known no better than that (s).
THIN = 0.1
# By how much the wall clock and the monotonic one of a run may differ from one sign to the next (s).
CLOCK_STEP = 0.1


@dataclass(frozen=True)
class Sign:
    """One line; times in seconds."""

    kind: str
    run: str
    number: int
    wall: float
    monotonic: float


@dataclass(frozen=True)
class Stretch:
    """A run without a silence in it."""

    node: str
    run: str
    start: float
    end: float


@dataclass(frozen=True)
class Pause:
    """A time in which a node, or one process of it, was held: from before it was told to until it was let go."""

    node: str
    begin: float
    end: float
    pid: str = ""

    def holds(self, node: str, run: str) -> bool:
        """Whether it was that run; the name of a run has its node and its process in it."""
        return node == self.node and (not self.pid or run.startswith(f"{node}-{self.pid}-"))


@dataclass(frozen=True)
class Overlap:
    """Two runs that gave signs at the same time. `seconds` is 0 for a single sign of one in a stretch of the other."""

    start: float
    end: float
    runs: tuple[str, str]
    nodes: tuple[str, str]

    @property
    def seconds(self) -> float:
        """For how long."""
        return self.end - self.start

    def __str__(self) -> str:
        return f"{self.runs[0]} and {self.runs[1]} for {self.seconds:.3f} s"


def parse(text: str) -> list[Sign]:
    """The signs of a file, in their order.

    A line that a kill has torn is left out, and so is what was written behind it on the same line: neither can be told
    from a time that has lost its last digits.
    """
    whole = text[: text.rfind("\n") + 1]
    found = []
    for line in whole.splitlines():
        words = line.split()
        if len(words) != 5 or words[0] not in (START, BEAT, END) or not all(word.isdigit() for word in words[2:]):
            continue
        number, wall, monotonic = (int(word) for word in words[2:])
        found.append(Sign(words[0], words[1], number, wall / 1e9, monotonic / 1e9))
    return found


def stretches(node: str, signs: Iterable[Sign], *, silence: float = SILENCE) -> list[Stretch]:
    """The stretches of all runs of a node, by their start.

    A run that was frozen and goes on has two: one until it was frozen, one from its first sign after that.
    """
    by_run: dict[str, list[Sign]] = {}
    for sign in signs:
        by_run.setdefault(sign.run, []).append(sign)
    found = []
    for run, its in by_run.items():
        times = sorted(sign.wall for sign in its)
        began = before = times[0]
        for time in times[1:]:
            if time - before > silence:
                found.append(Stretch(node, run, began, before))
                began = time
            before = time
        found.append(Stretch(node, run, began, before))
    return sorted(found, key=lambda one: (one.start, one.end))


def spans(node: str, signs: Iterable[Sign], pauses: Iterable[Pause] = ()) -> list[Stretch]:
    """When the runs of a node worked or may have worked, by their start.

    However long a silence is: the same run gives signs before it and after it, so it was there, and nobody held it.
    """
    by_run: dict[str, list[Sign]] = {}
    for sign in signs:
        by_run.setdefault(sign.run, []).append(sign)
    found = []
    for run, its in by_run.items():
        held = sorted((one for one in pauses if one.holds(node, run)), key=lambda one: one.begin)
        times = sorted(sign.wall for sign in its)
        began = before = times[0]
        for time in times[1:]:
            for pause in held if time - before > SILENCE else ():
                if pause.begin >= time or pause.end <= before:
                    continue
                found.append(Stretch(node, run, began, max(before, pause.begin)))
                began = before = min(time, pause.end)
                # Whoever was let go needs a moment until it writes.
                if time - began <= SILENCE:
                    began = before = time
            before = time
        found.append(Stretch(node, run, began, before))
    return sorted(found, key=lambda one: (one.start, one.end))


def thin(signs: Iterable[Sign]) -> list[tuple[str, float]]:
    """(run, seconds) of each run that wrote so seldom, by the median of what is between two signs of its work."""
    by_run: dict[str, list[float]] = {}
    for sign in at_work(signs):
        by_run.setdefault(sign.run, []).append(sign.wall)
    found = []
    for run, times in by_run.items():
        # Of some signs there is no median.
        if len(times) >= 5:
            ordered = sorted(times)
            median = statistics.median(after - before for before, after in pairwise(ordered))
            if median > THIN:
                found.append((run, median))
    return found


def overlaps(found: Sequence[Stretch]) -> list[Overlap]:
    """All pairs of stretches of different runs that have a moment in common, on two nodes or on one."""
    ordered = sorted(found, key=lambda one: (one.start, one.end))
    both = []
    for place, one in enumerate(ordered):
        for other in ordered[place + 1 :]:
            if other.start > one.end:
                break
            if other.run != one.run:
                end = min(one.end, other.end)
                both.append(Overlap(other.start, end, (one.run, other.run), (one.node, other.node)))
    return both


def pauses(found: Iterable[Stretch], begin: float, end: float) -> list[tuple[float, float]]:
    """(start, end) of all times between begin and end in which nobody worked."""
    at, silent = begin, []
    for one in sorted(found, key=lambda stretch: stretch.start):
        if one.end < begin or one.start > end:
            continue
        if one.start > at:
            silent.append((at, one.start))
        at = max(at, one.end)
    if at < end:
        silent.append((at, end))
    return silent


def longest_pause(found: Iterable[Stretch], begin: float, end: float) -> float:
    """The longest time between begin and end in which nobody worked (s)."""
    return max((stop - start for start, stop in pauses(found, begin, end)), default=0.0)


def at_work(signs: Iterable[Sign]) -> list[Sign]:
    """Without the signs of runs that have not begun to work, or have ended: a start alone is no work."""
    return [sign for sign in signs if sign.kind == BEAT]


def count_runs(signs: Iterable[Sign]) -> int:
    """How many runs there were, those that never came to work among them."""
    return len({sign.run for sign in signs})


def beginnings(signs: Iterable[Sign]) -> dict[str, float]:
    """When each run began: its first sign, whether it ever came to work or not."""
    found: dict[str, float] = {}
    for sign in signs:
        found[sign.run] = min(sign.wall, found.get(sign.run, sign.wall))
    return found


def clock_steps(signs: Iterable[Sign]) -> list[tuple[str, float]]:
    """(run, seconds) of each step that the wall clock made within a run: evidence across it proves nothing."""
    last: dict[str, Sign] = {}
    steps = []
    for sign in signs:
        before = last.get(sign.run)
        last[sign.run] = sign
        if before is not None:
            step = (sign.wall - before.wall) - (sign.monotonic - before.monotonic)
            if abs(step) > CLOCK_STEP:
                steps.append((sign.run, step))
    return steps


@dataclass(frozen=True)
class Account:
    """What the evidence of all nodes says of a time."""

    runs: int
    overlaps: list[Overlap]
    longest_pause: float
    clock_steps: list[tuple[str, float]]
    thin: list[tuple[str, float]]

    def doubts(self) -> list[str]:
        """Why it proves nothing, in words."""
        steps = [f"the clock was set by {step:+.3f} s in {run}" for run, step in self.clock_steps]
        return steps + [f"evidence too thin: {run} wrote every {often:.2f} s" for run, often in self.thin]


def account(signs: Mapping[str, Sequence[Sign]], begin: float, end: float, held: Iterable[Pause] = ()) -> Account:
    """Of the signs of each node, what begin to end was like; `held`: what was held meanwhile."""
    held = list(held)
    everything = [one for node, its in signs.items() for one in spans(node, its, held)]
    work = [one for node, its in signs.items() for one in stretches(node, at_work(its))]
    within = {node: [sign for sign in its if begin <= sign.wall <= end] for node, its in signs.items()}
    return Account(
        runs=sum(count_runs(its) for its in within.values()),
        overlaps=[one for one in overlaps(everything) if one.end >= begin and one.start <= end],
        longest_pause=longest_pause(work, begin, end),
        clock_steps=[step for its in within.values() for step in clock_steps(its)],
        thin=[one for its in within.values() for one in thin(its)],
    )


def tell(signs: Mapping[str, Sequence[Sign]], held: Iterable[Pause] = ()) -> list[str]:
    """All that there is to say of the signs of each node, line by line."""
    held = list(held)
    found = sorted((one for node, its in signs.items() for one in spans(node, its, held)), key=lambda one: one.start)
    if not found:
        return ["nobody wrote anything down"]
    end = max(one.end for one in found)
    whole = account(signs, found[0].start, end, held)
    lines = [f"{_clock(one.start)} {one.end - one.start:9.3f} s  {one.node}  {one.run}" for one in found]
    lines += [f"{_clock(one.begin)} {one.end - one.begin:9.3f} s  {one.node}  held {one.pid}".rstrip() for one in held]
    lines += [f"{_clock(one.start)} two worked, {one}" for one in whole.overlaps]
    return [
        *lines,
        *whole.doubts(),
        f"{whole.runs} runs, {len(whole.overlaps)} times two, {whole.longest_pause:.3f} s at most with none",
    ]


def write_pauses(held: Iterable[Pause]) -> str:
    """A line for each; parse_pauses() reads them."""
    return "".join(f"{one.node} {one.begin:.6f} {one.end:.6f} {one.pid}".rstrip() + "\n" for one in held)


def parse_pauses(text: str) -> list[Pause]:
    """What write_pauses() wrote."""
    rows = [line.split() for line in text.splitlines()]
    return [Pause(row[0], float(row[1]), float(row[2]), *row[3:4]) for row in rows]


def tell_files(paths: Sequence[Path]) -> list[str]:
    """tell() of what was kept: NODE.evidence of each node, and what was held in a file with the suffix .pauses."""
    texts = {path: path.read_text(encoding="ascii") for path in paths}
    held = [one for path, text in texts.items() if path.suffix == ".pauses" for one in parse_pauses(text)]
    return tell({path.stem: parse(text) for path, text in texts.items() if path.suffix != ".pauses"}, held)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%H:%M:%S.%f")[:-3]


if __name__ == "__main__":
    print("\n".join(tell_files([Path(name) for name in sys.argv[1:]])))
