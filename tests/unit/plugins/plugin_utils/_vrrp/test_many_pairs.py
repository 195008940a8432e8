# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With twice as many pairs not more than twice as much is read and compared. Counted, not timed."""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp import inventory as inventories
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.build import build_node
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.inputs import PARTED
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.inventory import build_inventory
from simulated_pairs import facts, nodes, pair_variables


class Counted(Mapping[str, Mapping[str, t.Any]]):
    """Variables by host name; counts how often those of a host are put together, and how often one is read.

    As in hostvars both are expensive: the first merges all that the inventory says, the second runs templates.
    """

    def __init__(self, pairs: int, **web: t.Any) -> None:
        self.together: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        self._hosts: dict[str, dict[str, t.Any]] = {}
        for number in range(pairs):
            variables = pair_variables(number)
            instance = {**variables["keepalived_instances"]["web"], "vips": [variables["web_vip"]], **web}
            for place, name in enumerate(nodes(number)):
                found = facts(number, place)
                self._hosts[name] = {
                    **variables,
                    "keepalived_instances": {"web": dict(instance)},
                    "ansible_host": found["eth0"]["ipv4"]["address"],
                    "ansible_facts": found,
                }

    def __getitem__(self, host: str) -> Mapping[str, t.Any]:
        variables = self._hosts[host]
        self.together[host] += 1
        return CountedVariables(variables, host, self.read)

    def __contains__(self, host: object) -> bool:
        return host in self._hosts

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)


class CountedVariables(Mapping[str, t.Any]):
    """The variables of a host."""

    def __init__(self, variables: Mapping[str, t.Any], host: str, read: Counter[str]) -> None:
        self._variables = variables
        self._host = host
        self._read = read

    def __getitem__(self, name: str) -> t.Any:
        self._read[self._host] += 1
        return self._variables[name]

    def __contains__(self, name: object) -> bool:
        return name in self._variables

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def test_all_pairs_are_read_in_one_go() -> None:
    few, many = Counted(6), Counted(12)
    assert (len(build_inventory(few)[0]), len(build_inventory(many)[0])) == (6, 12)
    # Those of each host once, whoever else is there.
    assert set(many.together.values()) == {1}
    assert many.together.total() == 2 * few.together.total() == 24
    assert many.read.total() == 2 * few.read.total()


def test_without_the_others_a_node_reads_its_own_pair_only() -> None:
    few, many = Counted(6), Counted(12)
    for hosts in (few, many):
        (found,), _warnings = build_inventory(hosts, ["web-003-b"], others=False)
        assert found.members == ("web-003-a", "web-003-b")
        assert found == build_inventory(hosts, ["web-003-b"])[0][0]
    fresh = Counted(12)
    build_inventory(fresh, ["web-003-b"], others=False)
    assert fresh.together == {"web-003-a": 1, "web-003-b": 1}


def test_without_the_others_its_own_problems_are_told_in_the_same_words() -> None:
    refused = []
    for others in (True, False):
        with pytest.raises(InputError) as caught:
            build_inventory(Counted(3, vrid=300), ["web-001-b"], others=others)
        refused.append(str(caught.value))
    assert refused[0] == refused[1]
    assert refused[0].startswith("web-001-a: keepalived_instances.web.vrid: 300 is not in 1..255")


def test_without_the_others_a_host_that_names_nobody_is_refused() -> None:
    for given in (None, "web-000-b", ["web-000-a", "nobody"]):
        hosts = {name: dict(variables) for name, variables in Counted(2).items()}
        hosts["web-000-a"]["keepalived_members"] = given
        with pytest.raises(InputError, match="web-000-a: keepalived_members"):
            build_inventory(hosts, ["web-000-a"], others=False)


def test_the_model_of_a_node_reads_its_own_pair_only() -> None:
    few, many = Counted(6), Counted(12)
    for hosts in (few, many):
        assert build_node(hosts, "web-003-b").peer == "web-003-a"
    assert many.together == few.together
    assert set(many.together) == {"web-003-a", "web-003-b"}


@pytest.mark.parametrize("multicast", [False, True])
def test_a_vrid_is_looked_up_and_not_compared_with_all(monkeypatch: pytest.MonkeyPatch, multicast: bool) -> None:
    looked_up: list[str] = []
    networks = inventories._vip_networks

    def counted(instance: t.Any) -> t.Any:
        looked_up.append(instance.place)
        return networks(instance)

    monkeypatch.setattr(inventories, "_vip_networks", counted)
    told: dict[int, list[str]] = {}
    for pairs in (5, 10):
        looked_up.clear()
        try:
            told[pairs] = build_inventory(Counted(pairs, vrid=51, multicast=multicast))[1]
        except InputError as refused:
            told[pairs] = [line for line in str(refused).splitlines() if "is also used by the pair" in line]
        assert len(looked_up) == pairs
    # Each but the first is told of the first, and not of every other one.
    assert [len(lines) for lines in told.values()] == [4, 9]
    assert all("51 is also used by the pair web-000-a + web-000-b" in line for line in told[10])
    assert all(("speak multicast" in line) is multicast for line in told[10])


def test_a_pair_that_speaks_multicast_is_found_behind_others_that_do_not() -> None:
    hosts = {name: dict(variables) for name, variables in Counted(4, vrid=51).items()}
    for name in nodes(1):
        hosts[name]["keepalived_instances"] = {"web": {"vrid": 51, "vips": ["10.77.0.11"], "multicast": True}}
    with pytest.raises(InputError) as caught:
        build_inventory(hosts)
    found = re.findall(
        r"(\S+): keepalived_instances\.web\.vrid: .* by the pair (\S+) .* and (.*) multicast", str(caught.value)
    )
    assert found == [
        ("web-001-a", "web-000-a", "web-001-a + web-001-b speaks"),
        ("web-002-a", "web-001-a", "web-001-a + web-001-b speaks"),
        ("web-003-a", "web-001-a", "web-001-a + web-001-b speaks"),
    ]


def test_a_slice_that_splits_pairs_is_refused_and_names_no_stranger() -> None:
    # As AWX makes slices: every second host of all, in their order.
    hosts = {name: variables for name, variables in Counted(3).items() if name.endswith("-b")}
    with pytest.raises(InputError) as caught:
        build_inventory(hosts)
    assert str(caught.value).splitlines() == [
        f"web-00{number}-b: keepalived_members[0]: 'web-00{number}-a' is not a host of the inventory; {PARTED}"
        for number in range(3)
    ]
