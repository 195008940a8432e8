# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner of random faults, on a pair that only says that it was broken: what it makes of what comes of them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import typing as t
from pathlib import Path

import fault_sequence
import pytest
import standby
from evidence import BEAT, Sign

PROGRAM = Path(__file__).resolve().parents[3] / "molecule/java_standby/faults.py"


def load() -> t.Any:
    """The program, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("standby_faults", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["standby_faults"] = module
    spec.loader.exec_module(module)
    return module


FAULTS = load()


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Pair(standby.Pair):
    """node-a works all the time; node-b as well while a fault of that name lasts."""

    def __init__(
        self,
        clock: Clock,
        overlap_in: str = "",
        impossible: t.Container[str] = (),
        stays_broken: str = "",
        unbroken: t.Container[str] = (),
        unreadable: str = "",
        every: float = 0.05,
    ) -> None:
        super().__init__(t.cast("t.Any", type("Lab", (), {"name": "lab"})()))
        self._clock, self._overlap_in, self._impossible, self._stays = clock, overlap_in, impossible, stays_broken
        self._unbroken, self._unreadable, self._every = unbroken, unreadable, every
        self._beside: list[tuple[float, float]] = []
        self._current = ""
        self.healings = self.resolutions = 0
        self.begun: list[str] = []

    def inflict(self, step: fault_sequence.Step, node: str) -> None:
        assert node in standby.NODES
        self._current = step.fault.name
        if step.fault.name == self._overlap_in:
            self._beside.append((self._clock.now, self._clock.now + 0.4))
        if step.fault.name in self._impossible:
            raise standby.NotPossibleError("no such module")
        self.begun.append(step.fault.name)

    def expect_inflicted(self, step: fault_sequence.Step, node: str) -> None:
        if step.fault.name in self._unbroken:
            raise standby.NotInflictedError(f"the VIP did not move to {node}")

    def heal(self) -> float:
        self.healings += 1
        undone = self._clock.now
        # What has to be started again takes its time.
        self._clock.sleep(10.0)
        return undone

    def resolve(self) -> None:
        self.resolutions += 1

    def wait_for_one(self, timeout: float = 90.0) -> tuple[str, float, list[str]]:
        if self._stays and self._current == self._stays:
            raise standby.LabError(f"exactly one works again: not within {timeout:g} s")
        self._clock.sleep(2.0)
        return "node-a", self._clock.now - 1.0, []

    def signs(self, *, check: bool = False) -> dict[str, list[Sign]]:
        if check and self._unreadable:
            raise standby.LabError(f"docker exec {self._unreadable}: no such file")

        def beats(run: str, begin: float, end: float) -> list[Sign]:
            times = [begin + number * self._every for number in range(int((end - begin) / self._every) + 1)]
            return [Sign(BEAT, run, number, at, at) for number, at in enumerate(times)]

        beside = [sign for begin, end in self._beside for sign in beats("node-b-2", begin, end)]
        return {"node-a": beats("node-a-1", 990.0, self._clock.now), "node-b": beside}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Callable[..., tuple[int, Pair]]:
    clock = Clock()
    for name in ("time", "sleep"):
        monkeypatch.setattr(FAULTS.time, name, getattr(clock, name))
    monkeypatch.setattr(FAULTS, "ROOT", tmp_path)
    monkeypatch.setattr(FAULTS, "settings", lambda _node: {"arbiter": {"kind": "peer", "timeout": 7}})

    def runs(count: int, arbiter: str, **broken: t.Any) -> tuple[int, Pair]:
        pair = Pair(clock, **broken)
        monkeypatch.setattr(FAULTS, "PAIR", pair)
        return FAULTS.random_faults(count, 3, arbiter), pair

    return runs


def test_all_is_well(run: t.Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, pair = run(19, "witness")
    said = capsys.readouterr().out.splitlines()
    assert code == 0
    assert said[0] == "19 faults, seed 3, arbiter witness"
    assert len(said) == 21
    assert pair.begun == [step.fault.name for step in fault_sequence.sequence(3, 19, "witness")]
    # Each is undone.
    assert (pair.healings, pair.resolutions) == (19, 1)
    assert said[-1].startswith("19 faults, 0 skipped, 0 not inflicted, ")
    assert said[-1].endswith("seed 3, arbiter witness (as promised)")


def test_two_that_work_are_told_with_the_fault(run: t.Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _pair = run(17, "peer", overlap_in="vrrp_block")
    said = capsys.readouterr().out
    assert code == 1
    assert "NOT as promised" in said
    assert "FAILED two worked, node-a-1 and node-b-2 for 0.400 s: fault " in said
    assert (tmp_path / "build/exclusive/node-b.evidence").exists()


def test_what_nothing_promises_is_told_and_no_failure(run: t.Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, _pair = run(17, "none", overlap_in="vrrp_block")
    said = capsys.readouterr().out
    assert code == 0
    assert "two worked 1 times" in said
    assert "(nothing is promised)" in said


def test_what_a_machine_cannot_do_is_skipped_and_said(run: t.Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, pair = run(17, "peer", impossible=["slow_network"])
    said = capsys.readouterr().out
    assert code == 0
    assert "slow_network: skipped: this machine cannot: no such module" in said
    assert "16 faults, 1 skipped, 0 not inflicted" in said
    # It may have done a half of it.
    assert pair.healings == 17


def test_a_machine_that_cannot_do_much_proves_too_little(run: t.Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, _pair = run(17, "peer", impossible=["slow_network", "lossy_network", "partition", "isolation"])
    said = capsys.readouterr().out
    assert code == 1
    assert "FAILED 4 of 17 faults were not inflicted, more than a fifth: too little is proved" in said


def test_a_fault_that_took_no_hold_is_told_and_counts_as_none(run: t.Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, _pair = run(17, "peer", unbroken=["switchover"])
    said = capsys.readouterr().out
    assert code == 0
    assert "switchover: not inflicted: the VIP did not move to node-b" in said
    assert "16 faults, 0 skipped, 1 not inflicted" in said


def test_two_that_work_after_a_half_of_a_fault_are_told_with_it(run: t.Any, capsys: pytest.CaptureFixture[str]) -> None:
    order = [step.fault.name for step in fault_sequence.sequence(3, 17, "peer")]
    half = order[order.index("partition") + 1]
    code, _pair = run(17, "peer", overlap_in=half, impossible=[half])
    assert code == 1
    said = capsys.readouterr().out
    # And not with the one before it, which may excuse it.
    assert f"fault {order.index(half) + 1}, {half}: excuses nothing (skipped: this machine cannot: no such" in said


def test_two_that_work_before_a_peer_may_be_given_up_are_told(run: t.Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, _pair = run(17, "peer", overlap_in="partition")
    assert code == 1
    assert "partition: after 0.0 s, and a peer is given up after 7 s" in capsys.readouterr().out


def test_evidence_that_is_too_thin_is_a_failure(run: t.Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _pair = run(3, "peer", every=0.25)
    assert code == 1
    assert "FAILED evidence too thin: node-a-1 wrote every 0.25 s" in capsys.readouterr().out
    assert (tmp_path / "build/exclusive/held.pauses").exists()


def test_evidence_that_cannot_be_read_is_a_failure(run: t.Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, _pair = run(3, "peer", unreadable="node-b")
    assert code == 1
    assert "FAILED the evidence cannot be read: docker exec node-b: no such file" in capsys.readouterr().out


def test_two_that_work_long_after_a_freeze_are_told_also_while_something_is_started_again(
    run: t.Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    healed = Pair.heal

    def works_beside(pair: t.Any) -> float:
        undone = healed(pair)
        if pair._current == "node_freeze":
            pair._beside.append((undone + 9.8, undone + 9.9))
        return undone

    monkeypatch.setattr(Pair, "heal", works_beside)
    code, _pair = run(19, "witness")
    assert code == 1
    assert "node_freeze: 9.9 s after the node went on" in capsys.readouterr().out


def test_how_long_a_peer_may_be_silent_is_what_was_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"node-a": 9, "node-b": 8.5}
    monkeypatch.setattr(FAULTS, "settings", lambda node: {"arbiter": {"kind": "peer", "timeout": told[node]}})
    assert FAULTS.peer_timeout("peer") == 8.5
    assert FAULTS.peer_timeout("witness") == 0.0


def test_a_pair_that_does_not_recover_ends_the_run(run: t.Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, pair = run(17, "peer", stays_broken="agent_kill")
    said = capsys.readouterr().out
    assert code == 1
    assert pair.begun[-1] == "agent_kill"
    assert f"FAILED fault {len(pair.begun)}, agent_kill: exactly one works again: not within 90 s" in said


def test_an_error_while_a_fault_begins_is_undone(run: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_pair: Pair, _step: object, _node: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Pair, "inflict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(3, "peer")
    assert FAULTS.PAIR.healings == 1


def test_what_the_program_wrote_down_of_its_files() -> None:
    text = (
        "run 1 1700000000500000000 rates.csv 12\nrun 1 x rates.csv 12\nrun 2 1700000001000000000 rates.csv 12\nrun 3 17"
    )
    assert [at for _line, at in FAULTS.written(text)] == [1700000000.5, 1700000001.0]


def said(at: float, message: object) -> str:
    """A line of journalctl --output=json."""
    return json.dumps({"__REALTIME_TIMESTAMP": str(round(at * 1e6)), "MESSAGE": message}) + "\n"


def test_a_run_that_begins_before_the_arbiter_agreed_is_named() -> None:
    journal = (
        said(90.0, f"fetcher: starting: {FAULTS.AGREED}")
        + said(101.0, "fetcher: waiting: the peer was not asked yet")
        # What is no text.
        + said(101.5, [102, 111])
        + said(105.0, f"other: starting: {FAULTS.AGREED}")
        + said(110.0, f"fetcher: starting: {FAULTS.AGREED}")
    )
    agreed = FAULTS.agreements(journal)
    assert agreed == [90.0, 110.0]
    begun = {"before": 91.0, "early": 104.0, "due": 110.2}
    assert FAULTS.not_agreed(begun, agreed, 100.0) == ["early"]
    # Nobody agreed since then.
    assert FAULTS.not_agreed(begun, agreed[:1], 100.0) == ["due", "early"]
    assert FAULTS.not_agreed({"before": 91.0}, [], 100.0) == []


def test_what_an_agent_says_at_a_start_is_what_is_looked_for() -> None:
    source = PROGRAM.parents[2] / "plugins/module_utils/_node/active_core.py"
    assert f'Decision(START, STARTING, "{FAULTS.AGREED}")' in source.read_text(encoding="utf-8")


UNIT = """[Unit]
PartOf=ha-pair-fetcher.target
[Service]
User=fetcher
ExecStart=/usr/bin/java -Xmx32m -jar /x.jar --port 8081 --directory /srv/fetcher --evidence /var/log/fetcher/evidence
Restart=no

[Install]
WantedBy=multi-user.target
"""


def test_a_plain_unit_runs_the_same_beside_the_service() -> None:
    assert FAULTS.plain_unit(UNIT, "/var/lib/lab-plain") == (
        "[Service]\n"
        "User=fetcher\n"
        "ExecStart=/usr/bin/java -Xmx32m -jar /x.jar --port 8082 --directory /var/lib/lab-plain "
        "--evidence /var/lib/lab-plain/evidence\n"
        "Restart=no\n"
        "StateDirectory=lab-plain\n"
    )
    quoted = UNIT.replace("--port 8081", '"--port" "8081"')
    assert '"--port" 8082 ' in FAULTS.plain_unit(quoted, "/var/lib/lab-plain")
    with pytest.raises(Exception, match="runs without --port"):
        FAULTS.plain_unit(UNIT.replace("--port", "--door"), "/var/lib/lab-plain")


@pytest.mark.parametrize("script", [standby.LOOK, standby.UNDO, standby.RESTORE, standby.SIGNAL])
def test_a_shell_understands_what_hosts_are_told(script: str) -> None:
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0


def test_a_raise_writes_only_where_something_changes(tmp_path: Path) -> None:
    program = standby.RAISE.replace("/etc/keepalived/ha-pair.json", str(tmp_path / "pair.json"))
    raised = tmp_path / "raise"
    (tmp_path / "pair.json").write_text(f'{{"instances": {{"fetch": {{"raise_file": "{raised}"}}}}}}', encoding="utf-8")
    for word in ("1", "0"):
        subprocess.run([sys.executable, "-c", program, word], check=True)
        assert raised.read_text(encoding="ascii") == f"{word}\n"
    before = raised.stat().st_mtime_ns
    subprocess.run([sys.executable, "-c", program, "0"], check=True)
    assert raised.stat().st_mtime_ns == before
