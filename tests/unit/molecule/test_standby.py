# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab of an active/standby service says of itself, and what is put in the way of its packets."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import evidence
import fault_sequence
import jinja2
import pytest
import standby
import yaml
from standby import Seen

ROOT = Path(__file__).resolve().parents[3]
VIP = "172.29.77.100"


def said(age: float, phase: str = "active", vip: bool = True, **more: t.Any) -> str:
    """What a node prints whose program gave its last sign so long ago."""
    now = 1700000000.5
    beats = "".join(f"beat node-a-1 {number} {round((now - age) * 1e9)} 5\n" for number in range(2))
    report = {"services": {"fetcher": {"phase": phase, "arbiter": {"kind": "peer"}, **more}}}
    addresses = f"2: eth0 inet 172.29.77.11/24\n{f'2: eth0 inet {VIP}/32' if vip else ''}\n"
    return f"{now:.9f}\nsome piece of a line\n{beats}##\n{json.dumps(report)}\n##\n{addresses}"


def seen(works: bool, phase: str, vip: bool, run: str = "r") -> Seen:
    return Seen(works, run if works else "", phase, "peer", True, vip, {})


def test_a_node_that_works() -> None:
    found = standby.parse_look(said(0.1), VIP)
    assert (found.works, found.run, found.phase, found.arbiter, found.has_vip, found.fit) == (
        True, "node-a-1", "active", "peer", True, True,
    )  # fmt: skip


def test_a_node_whose_last_sign_is_old() -> None:
    found = standby.parse_look(said(3.0, phase="hold-down", vip=False, fit=False), VIP)
    assert (found.works, found.run, found.phase, found.has_vip, found.fit) == (False, "", "hold-down", False, False)


@pytest.mark.parametrize("text", ["", "1700000000.5\n", "1700000000.5\n##\n##\n", "1700000000.5\n##\n{}\n##\n"])
def test_a_node_that_says_little(text: str) -> None:
    found = standby.parse_look(text, VIP)
    assert (found.works, found.phase, found.has_vip) == (False, "", False)


def test_an_address_that_begins_like_the_vip_is_another() -> None:
    text = said(0.1, vip=False).replace("172.29.77.11/24", f"{VIP}1/24")
    assert not standby.parse_look(text, VIP).has_vip


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (seen(True, "active", True), seen(False, "standby", False), "node-a"),
        (seen(False, "hold-down", False), seen(True, "active", True), "node-b"),
        (seen(True, "active", True), seen(True, "active", False), ""),
        (seen(True, "active", False), seen(False, "standby", True), ""),
        (seen(True, "active", True), seen(False, "", False), ""),
        (seen(True, "starting", True), seen(False, "standby", False), ""),
        (seen(False, "standby", True), seen(False, "standby", False), ""),
    ],
)
def test_one_works_alone(first: Seen, second: Seen, found: str) -> None:
    assert standby.sole({"node-a": first, "node-b": second}) == found


def test_every_fault_of_a_sequence_is_known() -> None:
    class Willing(standby.Pair):
        def drop(self, _node: str, name: str) -> None:
            assert standby.table(standby.rules(name, ("a", "b"), "c"))

        def freeze(self, node: str) -> None: ...

    class Lab:
        def container(self, host: str) -> str:
            return host

        def run(self, _host: str, _command: str, **_more: object) -> str:
            return "active"

        def docker(self, *_words: str, **_more: object) -> str:
            return "done 17"

        name = "lab"

    pair = Willing(t.cast("t.Any", Lab()))
    for number, fault in enumerate(fault_sequence.FAULTS):
        pair.inflict(fault_sequence.Step(number, fault, fault_sequence.ACTIVE, 1.0), "node-a")
    with pytest.raises(standby.LabError, match="nobody knows how"):
        pair.inflict(
            fault_sequence.Step(1, fault_sequence.Fault("earthquake", ""), fault_sequence.ACTIVE, 1.0), "node-a"
        )


def test_a_fault_of_the_network_is_one_table() -> None:
    text = standby.table(standby.rules("partition", ("172.29.77.12", "10.157.77.12"), "172.29.77.20"))
    assert (
        text
        == """table inet ha_pair_lab {
  chain in {
    type filter hook input priority -300; policy accept;
    meta l4proto 112 drop
    ip saddr { 172.29.77.12, 10.157.77.12 } drop
  }
  chain out {
    type filter hook output priority -300; policy accept;
    meta l4proto 112 drop
    ip daddr { 172.29.77.12, 10.157.77.12 } drop
  }
}
"""
    )


def test_the_second_subnet_is_that_of_the_inventory() -> None:
    variables = yaml.safe_load((ROOT / "lab/inventory/group_vars/all/lab.yml").read_text(encoding="utf-8"))
    text = variables["lab_second_subnet"].replace("lookup('ansible.builtin.env', 'HA_PAIR_LAB_SECOND_SUBNET')", "''")
    environment = jinja2.Environment()
    found = environment.from_string(text).render(lab_numbers=[172, 29, 77, 0])
    assert standby.second_subnet("172.29.77.0/24") == found == "10.157.77.0/25"


class Lab:
    """Two nodes that say what they are told to; commands are kept."""

    name, subnet, vip = "lab", "172.29.77.0/24", VIP

    def __init__(self) -> None:
        self.says = {"node-a": said(0.1), "node-b": said(9.0, phase="standby", vip=False)}
        self.states = {"lab-node-a": "running", "lab-node-b": "running"}
        self.networks = {"lab-node-a": ["lab-lab", "lab-lab-second"], "lab-node-b": ["lab-lab", "lab-lab-second"]}
        self.told: list[tuple[str, ...]] = []
        # What SIGNAL and UNDO say.
        self.signalled, self.undone = "done 17\n", {"lab-node-a": "\n", "lab-node-b": "\n"}
        self.unreadable = ""

    def container(self, host: str) -> str:
        return f"{self.name}-{host}"

    def run(self, host: str, command: str, *, check: bool = True) -> str:
        if command == standby.LOOK:
            return self.says[host]
        if command.startswith("tail"):
            if host == self.unreadable and check:
                raise standby.LabError(f"{host}: no such file")
            return ""
        self.told.append((host, command))
        if command == f"systemctl restart {standby.AGENT}":
            self.says[host] = said(9.0, phase="standby", vip=False)
        return ""

    def docker(self, *words: str, **_more: object) -> str:
        if words[0] == "inspect":
            name = words[1]
            networks: dict[str, object] = {key: {} for key in self.networks[name]}
            return json.dumps([{"State": {"Status": self.states[name]}, "NetworkSettings": {"Networks": networks}}])
        if standby.SIGNAL in words:
            return self.signalled
        self.told.append(words)
        if standby.UNDO in words:
            standby.time.sleep(1)
            return self.undone[words[1]]
        if standby.RESTORE in words:
            standby.time.sleep(30)
        return ""


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab in which time passes only where somebody waits."""
    now = [1000.0]

    def passes(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(standby.time, "sleep", passes)
    for name in ("time", "monotonic"):
        monkeypatch.setattr(standby.time, name, lambda: now[0])
    return Lab()


def pair_of(lab: Lab) -> standby.Pair:
    return standby.Pair(t.cast("t.Any", lab))


def test_one_that_works_steadily_is_waited_for(lab: Lab) -> None:
    began = standby.time.time()
    assert pair_of(lab).wait_for_one()[::2] == ("node-a", [])
    assert standby.time.time() - began >= standby.STEADY


def test_an_agent_that_leaves_it_alone_is_mended_by_hand(lab: Lab) -> None:
    lab.says["node-b"] = said(9.0, phase="hold-down", vip=False, fit=False, failure="ended by itself")
    assert pair_of(lab).wait_for_one()[::2] == ("node-a", ["node-b was in hold-down (ended by itself)"])
    assert lab.told == [("node-b", f"systemctl restart {standby.AGENT}")]


def test_two_that_go_on_are_told(lab: Lab) -> None:
    lab.says["node-b"] = said(0.1, vip=False, why="the peer does not answer")
    message = r"not within 90 s; \{'node-a': 'active, works, VIP: None', 'node-b': 'active, works: the peer does not"
    with pytest.raises(standby.LabError, match=message):
        pair_of(lab).wait_for_one()


def test_a_whole_pair_is_healed_without_a_restart(lab: Lab) -> None:
    pair_of(lab).heal()
    # What was broken is taken back on both before anything is waited for.
    assert [(words[1], words[4]) for words in lab.told] == [
        ("lab-node-a", standby.UNDO),
        ("lab-node-b", standby.UNDO),
        ("lab-node-a", standby.RESTORE),
        ("lab-node-b", standby.RESTORE),
    ]


def test_a_node_that_is_off_comes_back_with_its_networks_in_their_order(lab: Lab) -> None:
    lab.states["lab-node-b"] = "exited"
    pair_of(lab).heal()
    assert lab.told[:3] == [
        ("network", "disconnect", "--force", "lab-lab-second", "lab-node-b"),
        ("start", "lab-node-b"),
        ("network", "connect", "--ip=10.157.77.12", "lab-lab-second", "lab-node-b"),
    ]


def test_a_node_that_was_left_without_its_second_network_gets_it(lab: Lab) -> None:
    lab.networks["lab-node-a"] = ["lab-lab"]
    pair_of(lab).heal()
    assert lab.told[0] == ("network", "connect", "--ip=10.157.77.11", "lab-lab-second", "lab-node-a")


def test_a_program_is_made_slow_by_files_that_mending_removes(lab: Lab, tmp_path: Path) -> None:
    pair = pair_of(lab)
    pair.delay_stop("node-a", 2.0)
    pair.delay_start("node-a", 3.0)
    (_node, stop), (_name, start) = lab.told
    assert r"printf '[Service]\nExecStop=/bin/sleep 2\n' >/run/systemd/system/fetcher.service.d/" in stop
    assert r"printf '[Service]\nEnvironment=FETCHER_START_DELAY=3\n' >/run/systemd/system/fetcher.service.d/" in start
    # All of it in a place of our own, with a systemd that says when it is told anything.
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\necho $1 >>{tmp_path}/told\n", encoding="ascii")
    (tmp_path / "systemctl").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def does(script: str) -> list[str]:
        here = script.replace("/run/systemd", f"{tmp_path}/run")
        subprocess.run(["sh", "-c", here, "sh", ""], env=environment, check=True)
        return sorted(path.name for path in tmp_path.glob("run/system/*/*"))

    assert does(stop) == ["lab-slow-stop.conf"]
    assert does(start) == ["lab-delay.conf", "lab-slow-stop.conf"]
    assert does(standby.RESTORE) == []
    assert (tmp_path / "told").read_text(encoding="ascii").split().count("daemon-reload") == 3


def test_the_moment_from_which_on_nothing_is_broken_is_not_the_end_of_all_mending(lab: Lab) -> None:
    began = standby.time.time()
    assert pair_of(lab).heal() == began
    lab.undone["lab-node-b"] = "undone\n"
    assert pair_of(lab).heal() == began + 62 + 2
    assert standby.time.time() == began + 2 * 62


@pytest.mark.parametrize(("unit", "pid"), [(standby.UNIT, "17"), (standby.AGENT, None)])
def test_a_program_that_was_stopped_is_held_until_it_is_let_go(lab: Lab, unit: str, pid: str | None) -> None:
    pair, began = pair_of(lab), standby.time.time()
    pair.kill("node-a", unit, "STOP")
    standby.time.sleep(5)

    def held(end: float) -> list[evidence.Pause]:
        return [] if pid is None else [evidence.Pause("node-a", began, end, pid)]

    assert pair.pauses() == held(began + 5)
    pair.heal()
    assert pair.pauses() == held(began + 6)


def test_a_frozen_node_is_held_until_it_thaws(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby.Pair, "_freezer", lambda _pair, _word, _node: standby.time.sleep(1))
    pair, began = pair_of(lab), standby.time.time()
    pair.freeze("node-b")
    lab.states["lab-node-b"] = "paused"
    assert pair.heal() == began + 2
    assert pair.pauses() == [evidence.Pause("node-b", began, began + 2)]


@pytest.mark.parametrize("said", ["fetcher.service does not run", "fetcher.service goes on after KILL", ""])
def test_a_kill_that_ended_nothing_is_told(lab: Lab, said: str) -> None:
    lab.signalled = said
    pair = pair_of(lab)
    with pytest.raises(standby.NotInflictedError, match=f"node-a: {said}"):
        pair.kill("node-a", standby.UNIT, "STOP")
    assert pair.pauses() == []


def test_a_daemon_that_does_not_run_is_not_stopped(lab: Lab) -> None:
    step = fault_sequence.Step(1, fault_sequence.BY_NAME["keepalived_end"], fault_sequence.ACTIVE, 1.0)
    with pytest.raises(standby.NotInflictedError, match=r"node-a: keepalived\.service does not run"):
        pair_of(lab).inflict(step, "node-a")


def test_a_switchover_that_moved_nothing_is_told(lab: Lab) -> None:
    step = fault_sequence.Step(1, fault_sequence.BY_NAME["switchover"], fault_sequence.STANDBY, 3.0)
    pair = pair_of(lab)
    with pytest.raises(standby.NotInflictedError, match="the VIP did not move to node-b"):
        pair.expect_inflicted(step, "node-b")
    pair.expect_inflicted(step, "node-a")
    # What shows at once was looked at when it began.
    pair.expect_inflicted(fault_sequence.Step(1, fault_sequence.BY_NAME["jvm_kill"], "active", 0.0), "node-b")


def test_what_is_judged_has_to_be_readable(lab: Lab) -> None:
    lab.unreadable = "node-b"
    assert pair_of(lab).signs() == {"node-a": [], "node-b": []}
    with pytest.raises(standby.LabError, match="node-b: no such file"):
        pair_of(lab).signs(check=True)


SYSTEMCTL = """#!/bin/sh
case "$1" in
  show) echo "MainPID=$(cat {place}/pid)" ;;
  kill) [ -e {place}/deaf ] || kill -"${{2#--signal=}}" "$(cat {place}/pid)" ;;
esac
"""


def signalled(place: Path, pid: int, signal: str) -> str:
    """What SIGNAL says of a unit with that main process."""
    (place / "pid").write_text(str(pid), encoding="ascii")
    (place / "systemctl").write_text(SYSTEMCTL.format(place=place), encoding="ascii")
    (place / "systemctl").chmod(0o755)
    environment = {**os.environ, "PATH": f"{place}:{os.environ['PATH']}"}
    command = ["sh", "-c", standby.SIGNAL, "signal", "x.service", signal]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def process() -> t.Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(["sleep", "60"])
    yield started
    started.kill()
    started.wait()


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
def test_a_signal_is_seen_to_take_hold(tmp_path: Path, process: subprocess.Popen[bytes], signal: str) -> None:
    assert signalled(tmp_path, process.pid, signal) == f"done {process.pid}"


def test_a_signal_that_changes_nothing_is_seen(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    (tmp_path / "deaf").touch()
    said = signalled(tmp_path, process.pid, "STOP")
    assert said == f"x.service goes on after STOP, process {process.pid} is in state S"


def test_a_unit_without_a_process_is_not_killed(tmp_path: Path) -> None:
    assert signalled(tmp_path, 0, "KILL") == "x.service does not run"
