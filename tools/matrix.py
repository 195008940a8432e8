# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make test-matrix`: the rows of molecule/matrix/rows.yml one after the other, then the table.

A lane is a tool chain of its own: one ansible-core on one Python of the controller. A row deploys a pair in its lane.
The steps `unit`, `sanity` and `drill` test the rest of what depends on ansible-core. One that fails stops no other.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "molecule" / "matrix" / "rows.yml"
LOGS = ROOT / ".cache" / "matrix"
# The exit code of tools/setup.sh where this machine does not have the lane's Python.
NO_PYTHON = 3
# Several times what a row takes; one that hangs must not keep the others from running.
ROW_TIMEOUT = 1800
# To take a lab down.
GRACE = 120
# What is run beside the rows.
STEPS = ("unit", "sanity", "drill")
HEADINGS = ("step", "nodes", "core", "python", "target python", "result", "seconds")


class MatrixError(Exception):
    """What was asked for cannot be run."""


@dataclass(frozen=True)
class System:
    """An operating system of the lab's nodes, and what it asks of the controller."""

    name: str
    cores: tuple[str, ...]
    # The Python that is on such nodes, where a newer one would not show what the row is for.
    python: str = ""
    alone: bool = False


@dataclass(frozen=True)
class Row:
    """A pair of nodes, and the controller that deploys it."""

    number: int
    nodes: tuple[str, str]
    core: str
    python: str

    @property
    def lane(self) -> str:
        """The name of the tool chain, as tools/setup.sh knows it."""
        return f"{self.core}-py{self.python}"


@dataclass(frozen=True)
class Matrix:
    """What rows.yml says."""

    cores: Mapping[str, tuple[str, ...]]
    systems: Mapping[str, System]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Step:
    """One line of the table: a row, or a test without nodes."""

    name: str
    lane: str
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What became of a step."""

    step: Step
    result: str
    seconds: int = 0
    core: str = ""
    pythons: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def load(path: Path = ROWS) -> Matrix:
    """Read the rows."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    cores = {core: tuple(pythons) for core, pythons in data["cores"].items()}
    systems = {
        name: System(name, tuple(given.get("cores", cores)), given.get("python", ""), given.get("alone", False))
        for name, given in data["systems"].items()
    }
    rows = tuple(
        Row(row["row"], (row["nodes"][0], row["nodes"][1]), row["core"], row["python"]) for row in data["rows"]
    )
    return Matrix(cores, systems, rows)


def steps(matrix: Matrix, rows: str, system: str) -> list[Step]:
    """Return what to run: everything, or what `rows` (3,5,unit) and `system` (el8) ask for."""
    words = [word for word in re.split(r"[\s,]+", rows) if word]
    numbers = {str(row.number): row for row in matrix.rows}
    unknown = [word for word in words if word not in {*numbers, *STEPS}]
    if unknown:
        raise MatrixError(
            f"ROWS={rows}: there is no row '{unknown[0]}'; name rows from {matrix.rows[0].number} to"
            f" {matrix.rows[-1].number}, {', '.join(STEPS[:-1])} or {STEPS[-1]}"
        )
    if system and system not in matrix.systems:
        raise MatrixError(f"OS={system} is no operating system of the matrix; say one of {', '.join(matrix.systems)}")
    chosen = [
        row for row in matrix.rows if (not words or str(row.number) in words) and (not system or system in row.nodes)
    ]
    lanes = [f"{core}-py{python}" for core, pythons in matrix.cores.items() for python in pythons]
    everything = not words and not system
    found: list[Step] = []
    if everything or "unit" in words:
        found += [Step("unit", lane, ("tools/unit.sh", "controller")) for lane in lanes]
    if everything or "sanity" in words:
        # The oldest and the newest ansible-test: Python 2.7 and 3.6 of nodes, and what will be asked of us next.
        found += [Step("sanity", lane, ("tools/sanity.sh",)) for lane in (lanes[0], lanes[-1])]
    for row in chosen:
        # The base image of the user's own, HA_PAIR_LAB_BASE_IMAGE, is for the hosts that have this OS.
        variables = {"HA_PAIR_LAB_OS": system} if system else {}
        found.append(scenario(f"row {row.number}", row.lane, "matrix", row.nodes, variables))
    if everything or "drill" in words:
        found += [scenario("drill", lane, "drill", ("debian12", "debian12"), {}) for lane in (lanes[0], lanes[-1])]
    if not found:
        raise MatrixError(f"no row of ROWS={rows} has OS={system}; leave one of them out")
    return found


def scenario(name: str, lane: str, which: str, nodes: tuple[str, str], variables: Mapping[str, str]) -> Step:
    """Return the step that runs a scenario on these nodes."""
    systems = {"HA_PAIR_LAB_OS_NODE_A": nodes[0], "HA_PAIR_LAB_OS_NODE_B": nodes[1]}
    return Step(name, lane, ("tools/scenario.sh", which), {**variables, **systems}, nodes)


def environment(step: Step, found: Path) -> dict[str, str]:
    """Return the variables of a step: the lane's, the row's, and none that names other systems for its hosts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HA_PAIR_LAB_OS")}
    # As project_environment of tools/lib.sh made them for this program, and makes them anew for the lane.
    usual = f"{ROOT}/.venv/bin"
    kept["PATH"] = ":".join(place for place in kept.get("PATH", "").split(":") if place != usual)
    return {**kept, **step.variables, "HA_PAIR_LANE": step.lane, "HA_PAIR_MATRIX_FOUND": str(found)}


def end(process: subprocess.Popen[bytes], number: int) -> None:
    """Tell a step and all that it started to end, and give it the time to take its lab down."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def call(command: Sequence[str], log: Path, variables: Mapping[str, str]) -> int:
    """Run a command in a process group of its own, its output in a log; the exit code."""
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(ROW_TIMEOUT)
        except subprocess.TimeoutExpired:
            stream.write(f"matrix: error: no end after {ROW_TIMEOUT} seconds\n".encode())
            end(process, signal.SIGTERM)
            return 1
        except BaseException:
            # A second Ctrl-C must not leave half a lab behind.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            end(process, signal.SIGINT)
            raise


def reasons(log: str, most: int = 12) -> list[str]:
    """Return the lines of a log that say why it failed: the last task that failed, else an error, else its end."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    for pattern in (r"matrix: error: ", r"(fatal|failed): ", r".*\berror: |ERROR|E  |FAILED tests/"):
        found = [number for number, line in enumerate(lines) if re.match(pattern, line)]
        if found:
            return lines[found[-1] : found[-1] + most]
    return lines[-most:]


def judge(step: Step, systems: Mapping[str, System], found: Mapping[str, t.Any]) -> tuple[list[str], list[str]]:
    """Return the Pythons that ran our modules on the nodes, and what was left out because they are not the system's."""
    pythons = [found[host]["python"] for host in sorted(found)]
    skipped = []
    for name, python in dict(zip(step.nodes, pythons, strict=False)).items():
        wanted = systems[name].python
        if wanted and not python.startswith(f"{wanted}."):
            skipped.append(f"matrix: skipped: Python {wanted} on {name} in {step.name}: its modules ran on {python}")
    return pythons, skipped


def run(step: Step, systems: Mapping[str, System]) -> Outcome:
    """Run one step in its lane."""
    name = f"{step.name.replace(' ', '-')}-{step.lane}"
    log, found = LOGS / f"{name}.log", LOGS / name
    found.mkdir(parents=True)
    variables = environment(step, found)
    started = time.monotonic()
    code = call(("tools/setup.sh",), log, variables)
    if code == NO_PYTHON:
        said = re.findall(r"^setup: (skipped: .*)$", log.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        return Outcome(step, "skipped", skipped=[f"matrix: {said[-1]}: {step.name}"])
    if code == 0:
        code = call(step.command, log, variables)
    text = log.read_text(encoding="utf-8", errors="replace")
    outcome = Outcome(step, "passed" if code == 0 else "FAILED", round(time.monotonic() - started))
    outcome.core = "".join(re.findall(r"^ansible-core==(\S+)$", lane_versions(step.lane), re.MULTILINE))
    hosts = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in found.glob("*.json")}
    if hosts:
        outcome.pythons, outcome.skipped = judge(step, systems, hosts)
    outcome.kinds = sorted(set(re.findall(r"^node kind: (.*)$", text, re.MULTILINE)))
    outcome.skipped += re.findall(r"^[a-z_]+: skipped: .*$", text, re.MULTILINE)
    if code != 0:
        print("\n".join(f"    {line}" for line in reasons(text)))
    return outcome


def lane_versions(lane: str) -> str:
    """Return the versions in a lane, one `name==version` a line; nothing where it could not be made."""
    python = ROOT / ".cache" / "lanes" / lane / "bin" / "python"
    words = "from ansible.release import __version__; print('ansible-core==' + __version__)"
    if not python.exists():
        return ""
    return subprocess.run([python, "-c", words], capture_output=True, text=True, check=False).stdout


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the lines of the table."""
    lines = [HEADINGS]
    for outcome in outcomes:
        step = outcome.step
        core, python = step.lane.split("-py")
        lines.append(
            (
                step.name,
                " + ".join(step.nodes) or "-",
                outcome.core or core,
                python,
                " + ".join(dict.fromkeys(outcome.pythons)) or "-",
                outcome.result,
                str(outcome.seconds),
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    for line in lines:
        yield "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()


def summary(outcomes: Sequence[Outcome], planned: int) -> Iterator[str]:
    """Yield the end of the output: the table, on which kind of nodes it was obtained, and what was left out."""
    yield "\n== summary"
    yield from table(outcomes)
    yield ""
    yield from (f"node kind: {kind}" for kind in sorted({kind for outcome in outcomes for kind in outcome.kinds}))
    skipped = list(dict.fromkeys(line for outcome in outcomes for line in outcome.skipped))
    yield from skipped or ["nothing was skipped"]
    counts = {word: sum(outcome.result == word for outcome in outcomes) for word in ("passed", "FAILED", "skipped")}
    yield f"{counts['passed']} passed, {counts['FAILED']} failed, {counts['skipped']} skipped" + (
        f", {planned - len(outcomes)} not run" if planned > len(outcomes) else ""
    )


def broken_off(number: int, _frame: object) -> t.NoReturn:
    """End with the code of the signal; what is running takes its lab down first."""
    sys.exit(128 + number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="", help="rows and steps, for example 3,5,unit; all unless said")
    parser.add_argument("--system", default="", help="only rows with this operating system")
    options = parser.parse_args(arguments)
    matrix = load()
    try:
        plan = steps(matrix, options.rows, options.system)
        if os.environ.get("KEEP") == "1" and len(plan) > 1:
            raise MatrixError("KEEP=1 leaves one lab up, so it needs one row: for example ROWS=3 KEEP=1")
    except MatrixError as error:
        print(f"matrix: error: {error}", file=sys.stderr)
        return 2
    shutil.rmtree(LOGS, ignore_errors=True)
    outcomes: list[Outcome] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, broken_off)
    try:
        for position, step in enumerate(plan, 1):
            what = f"{' + '.join(step.nodes)}, " if step.nodes else ""
            print(f"matrix: {position} of {len(plan)}: {step.name}: {what}lane {step.lane}", flush=True)
            outcome = run(step, matrix.systems)
            outcomes.append(outcome)
            print(f"matrix: {outcome.result} in {outcome.seconds} s: {step.name}", flush=True)
    finally:
        print("\n".join(summary(outcomes, len(plan))), flush=True)
    return 1 if any(outcome.result == "FAILED" for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
