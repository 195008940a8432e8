# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab of an active/standby service says of itself, and what is put in the way of its packets."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

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
            return ""

        def docker(self, *_words: str, **_more: object) -> str:
            return ""

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

    def container(self, host: str) -> str:
        return f"{self.name}-{host}"

    def run(self, host: str, command: str, **_more: object) -> str:
        if command == standby.LOOK:
            return self.says[host]
        if command.startswith("tail"):
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
        self.told.append(words)
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
    assert [words[:2] for words in lab.told] == [("exec", "lab-node-a"), ("exec", "lab-node-b")]


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


def test_everything_is_undone_after_an_error(lab: Lab) -> None:
    pair = pair_of(lab)
    with pytest.raises(KeyboardInterrupt), pair.healed():
        raise KeyboardInterrupt
    assert [words[0] for words in lab.told] == ["exec", "exec"]
