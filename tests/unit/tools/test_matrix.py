# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the matrix cover every feasible pair of values; every scenario belongs to one command."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import typing as t
from itertools import product
from pathlib import Path

import matrix
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]
MATRIX = matrix.load()
COMMANDS = ("make test", "make test-all", "make test-matrix")


def feasible(system: str, core: str, python: str) -> bool:
    return core in MATRIX.systems[system].cores and python in MATRIX.cores[core]


def pairs(combinations: t.Iterable[tuple[str, str, str]]) -> set[tuple[str, str]]:
    """Every pair of two values that appear together; the values of the three kinds cannot be confused."""
    return {
        pair
        for system, core, python in combinations
        for pair in ((system, f"core {core}"), (system, f"Python {python}"), (f"core {core}", f"Python {python}"))
    }


def test_every_feasible_pair_of_values_is_in_a_row() -> None:
    pythons = {python for row in MATRIX.cores.values() for python in row}
    combinations = [found for found in product(MATRIX.systems, MATRIX.cores, pythons) if feasible(*found)]
    rows = [(system, row.core, row.python) for row in MATRIX.rows for system in row.nodes]
    assert pairs(combinations) - pairs(rows) == set()
    # Without its restrictions the file would have nothing to cover and every row would be feasible.
    assert ("el7", "core 2.21") not in pairs(combinations)
    assert ("core 2.19", "Python 3.13") not in pairs(combinations)
    assert len(pairs(combinations)) == 6 * (3 + 3) + 2 * (1 + 2) + 5


@pytest.mark.parametrize("row", MATRIX.rows, ids=lambda row: f"row {row.number}")
def test_no_row_breaks_a_restriction(row: matrix.Row) -> None:
    for system in row.nodes:
        assert feasible(system, row.core, row.python)
        assert row.nodes == (system, system) or not MATRIX.systems[system].alone


def test_rows_are_numbered_from_one_and_none_is_there_twice() -> None:
    assert [row.number for row in MATRIX.rows] == list(range(1, len(MATRIX.rows) + 1))
    assert len({(frozenset(row.nodes), row.lane) for row in MATRIX.rows}) == len(MATRIX.rows)


def test_every_operating_system_has_a_row_with_itself() -> None:
    assert {row.nodes[0] for row in MATRIX.rows if row.nodes[0] == row.nodes[1]} == set(MATRIX.systems)


@pytest.mark.parametrize(
    ("core", "python"), [(core, python) for core, pythons in MATRIX.cores.items() for python in pythons]
)
def test_the_lock_of_a_lane_has_its_core(core: str, python: str) -> None:
    lock = ROOT / "requirements" / f"core-{core}.txt"
    text = (lock if lock.exists() else ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    locked = [Requirement(line.rstrip(" \\")) for line in text.splitlines() if line.startswith("ansible-core==")]
    variables = {"python_version": python, "python_full_version": f"{python}.0"}
    wanted = [str(entry.specifier) for entry in locked if not entry.marker or entry.marker.evaluate(variables)]
    assert len(wanted) == 1
    assert wanted[0].startswith(f"=={core}.")


def test_every_scenario_names_the_command_that_runs_it() -> None:
    for path in ROOT.glob("molecule/*/molecule.yml"):
        named = re.findall(r"^# run by: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(named) == 1, f"{path} needs one line '# run by: ' and one of {COMMANDS}"
        assert named[0] in COMMANDS, path


def test_the_commands_find_their_scenarios() -> None:
    found = []
    for command in COMMANDS:
        script = f"source tools/lib.sh && scenarios_of '{command}'"
        done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
        found.append(done.stdout.split())
    assert found[2] == ["matrix"]
    there = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
    assert sorted(name for names in found for name in names) == there


def names(rows: str, system: str = "") -> list[str]:
    return [f"{step.name} {step.lane}" for step in matrix.steps(MATRIX, rows, system)]


def test_all_rows_run_in_their_lanes_after_what_needs_no_nodes() -> None:
    found = names("")
    assert found[:5] == [
        f"unit {lane}" for lane in ("2.16-py3.11", "2.16-py3.12", "2.19-py3.11", "2.21-py3.12", "2.21-py3.13")
    ]
    assert found[5:7] == ["sanity 2.16-py3.11", "sanity 2.21-py3.13"]
    assert found[-2:] == ["drill 2.16-py3.11", "drill 2.21-py3.13"]
    assert found[7:-2] == [f"row {row.number} {row.lane}" for row in MATRIX.rows]


def test_some_rows() -> None:
    assert names("2, 1 sanity")[1:] == ["sanity 2.21-py3.13", "row 1 2.16-py3.11", "row 2 2.16-py3.12"]
    assert names("", "el7") == ["row 1 2.16-py3.11", "row 2 2.16-py3.12"]
    assert names("1", "el7") == ["row 1 2.16-py3.11"]


@pytest.mark.parametrize(
    ("rows", "system", "says"),
    [
        ("3,99", "", "ROWS=3,99: there is no row '99'; name rows from 1 to 16, unit, sanity or drill"),
        ("", "el6", "OS=el6 is no operating system of the matrix; say one of debian11, debian12, debian13, el7,"),
        ("1", "el8", "no row of ROWS=1 has OS=el8; leave one of them out"),
    ],
)
def test_what_is_not_in_the_matrix_is_refused(rows: str, system: str, says: str) -> None:
    with pytest.raises(matrix.MatrixError) as refused:
        matrix.steps(MATRIX, rows, system)
    assert str(refused.value).startswith(says)


def test_one_lab_can_be_kept_and_not_several(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEEP", "1")
    assert matrix.main(["--rows", "1,2"]) == 2
    assert "KEEP=1 leaves one lab up, so it needs one row: for example ROWS=3 KEEP=1" in capsys.readouterr().err


def test_a_row_takes_its_systems_from_the_table_and_from_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HA_PAIR_LAB_OS", "debian13")
    monkeypatch.setenv("HA_PAIR_LAB_OS_OBSERVER", "debian11")
    monkeypatch.setenv("HA_PAIR_LAB_NAME", "other")
    (step,) = matrix.steps(MATRIX, "4", "")
    variables = matrix.environment(step, tmp_path)
    assert variables["HA_PAIR_LAB_NAME"] == "other"
    assert {name: value for name, value in variables.items() if name.startswith("HA_PAIR_LAB_OS")} == {
        "HA_PAIR_LAB_OS_NODE_A": "el8",
        "HA_PAIR_LAB_OS_NODE_B": "el10",
    }
    assert variables["HA_PAIR_LANE"] == "2.16-py3.12"
    (step,) = matrix.steps(MATRIX, "4", "el10")
    assert matrix.environment(step, tmp_path)["HA_PAIR_LAB_OS"] == "el10"


def test_a_node_with_another_python_than_its_system_has_is_told() -> None:
    (step,) = matrix.steps(MATRIX, "4", "")
    pythons, skipped = matrix.judge(
        step, MATRIX.systems, {"node-a": {"python": "3.9.2"}, "node-b": {"python": "3.13.5"}}
    )
    assert pythons == ["3.9.2", "3.13.5"]
    assert skipped == ["matrix: skipped: Python 3.6 on el8 in row 4: its modules ran on 3.9.2"]
    assert matrix.judge(step, MATRIX.systems, {"node-a": {"python": "3.6.15"}, "node-b": {"python": "3.13.5"}})[1] == []


LOG = """
FAILED - RETRYING: [node-b]: Wait for systemd (59 retries left).
fatal: [node-b]: UNREACHABLE! => {"msg": "expected"}
...ignoring
TASK [Wait for nginx] ****
ok: [node-a]
fatal: [node-b]: FAILED! => {"msg": "no"}

PLAY RECAP ****
"""


def test_the_reason_of_a_failure_is_shown() -> None:
    assert matrix.reasons(LOG)[0] == 'fatal: [node-b]: FAILED! => {"msg": "no"}'
    assert matrix.reasons(LOG + "matrix: error: no end after 9 seconds\n") == ["matrix: error: no end after 9 seconds"]
    assert matrix.reasons("ok\nsanity: error: failed; the log\n") == ["sanity: error: failed; the log"]
    assert matrix.reasons("one\ntwo\n") == ["one", "two"]


def write_programs(root: Path, **programs: str) -> None:
    """What a row runs, replaced."""
    (root / "tools").mkdir()
    for name, text in programs.items():
        path = root / "tools" / f"{name}.sh"
        path.write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
        path.chmod(0o755)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Iterator[Path]:
    """A checkout of another place; the signals are this process's own again afterwards."""
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    monkeypatch.setattr(matrix, "LOGS", tmp_path / "logs")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield tmp_path / "logs"
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_failed_row_and_a_skipped_one_stop_nothing(
    tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"system": "Some 1", "python": "3.6.15", "programs": []}
    write_programs(
        tmp_path,
        setup='case "$HA_PAIR_LANE" in 2.19-*) echo "setup: skipped: lane $HA_PAIR_LANE: no Python"; exit 3;; esac',
        scenario=f"""[ "$1" = matrix ] || exit 9
        case "$HA_PAIR_LAB_OS_NODE_A" in el8) ;; *) echo "scenario: error: it broke"; exit 1;; esac
        echo '{json.dumps(found)}' | tee "$HA_PAIR_MATRIX_FOUND/node-a.json" >"$HA_PAIR_MATRIX_FOUND/node-b.json"
        echo "node kind: stand-in"
        """,
    )
    assert matrix.main(["--rows", "3,6,8"]) == 1
    said = capsys.readouterr().out
    assert "    scenario: error: it broke\n" in said
    lines = [re.sub(r" +", " ", line) for line in said.split("== summary\n")[1].splitlines()]
    lines[1:4] = [line.rsplit(" ", 1)[0] for line in lines[1:4]]
    assert lines == [
        "step nodes core python target python result seconds",
        "row 3 el8 + el8 2.16 3.11 3.6.15 passed",
        "row 6 debian11 + debian13 2.16 3.12 - FAILED",
        "row 8 el9 + el9 2.19 3.11 - skipped",
        "",
        "node kind: stand-in",
        "matrix: skipped: lane 2.19-py3.11: no Python: row 8",
        "1 passed, 1 failed, 1 skipped",
    ]
    assert sorted(path.name for path in logs.glob("*.log")) == [
        "row-3-2.16-py3.11.log",
        "row-6-2.16-py3.12.log",
        "row-8-2.19-py3.11.log",
    ]


def test_a_row_that_hangs_is_ended_and_takes_its_lab_down(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matrix, "ROW_TIMEOUT", 0.5)
    write_programs(tmp_path, setup="", scenario="trap 'echo lab is down' EXIT; trap 'exit 143' TERM; sleep 600")
    assert matrix.main(["--rows", "3"]) == 1
    assert "FAILED" in capsys.readouterr().out
    text = (logs / "row-3-2.16-py3.11.log").read_text(encoding="utf-8")
    assert "no end after 0.5 seconds" in text
    assert "lab is down" in text


def test_ctrl_c_takes_the_lab_down_and_shows_what_was_done(tmp_path: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(ROOT / "tools")!r})
import pathlib, matrix
matrix.ROOT = pathlib.Path({str(tmp_path)!r})
matrix.LOGS = matrix.ROOT / "logs"
sys.exit(matrix.main(["--rows", "3,4"]))
"""
    write_programs(
        tmp_path, setup="", scenario="trap 'echo lab is down' EXIT; trap 'exit 130' INT\n: >started; sleep 600"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    while not (tmp_path / "started").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.endswith("0 passed, 0 failed, 0 skipped, 2 not run\n")
    assert "lab is down" in (tmp_path / "logs" / "row-3-2.16-py3.11.log").read_text(encoding="utf-8")
