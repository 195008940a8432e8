# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VIPs of both families: what an advert names, what moves with it, from where a node speaks."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.inventory import build_inventory

SIX = {"vips": ["2001:db8::10"]}


class TestBothFamilies:
    def test_ipv6_addresses_of_an_ipv4_instance_move_with_it_and_stay_out_of_the_adverts(self, pair: t.Any) -> None:
        web = pair.instance({"vips": ["2001:DB8::10", "192.0.2.10"]})
        assert (web.family, web.source, web.peers) == (4, "192.0.2.11", ["192.0.2.12"])
        assert [(vip.address, vip.prefix, vip.interface, vip.excluded) for vip in web.vips] == [
            ("2001:db8::10", 64, "eth0", True),
            ("192.0.2.10", 24, "eth0", False),
        ]

    def test_only_ipv6_addresses_make_an_ipv6_instance_that_speaks_ipv6(self, pair: t.Any) -> None:
        model = pair.model(SIX)
        web = model.instances[0]
        assert (web.family, web.source, web.peers) == (6, "2001:db8::11", ["2001:db8::12"])
        assert [member.address for member in model.members] == ["2001:db8::11", "2001:db8::12"]
        assert [vars(source) for source in model.firewall_sources] == [{"interface": "eth0", "address": "2001:db8::12"}]

    def test_keepalived_address6_wins_over_the_facts_and_needs_none_of_a_dead_peer(self, pair: t.Any) -> None:
        def change(hosts: dict[str, dict[str, t.Any]]) -> None:
            hosts["node-a"]["keepalived_address6"] = "2001:db8::f11"
            hosts["node-b"]["keepalived_address6"] = "2001:DB8::F12"
            del hosts["node-b"]["ansible_facts"]

        web = pair.instance(SIX, change=change)
        assert (web.source, web.peers) == ("2001:db8::f11", ["2001:db8::f12"])

    def test_two_instances_of_one_pair_may_differ_in_family_and_share_a_vrid(self, pair: t.Any) -> None:
        model = pair.model(six={"vrid": 51, **SIX})
        assert [instance.family for instance in model.instances] == [4, 6]
        assert [(source.interface, source.address) for source in model.firewall_sources] == [
            ("eth0", "192.0.2.12"),
            ("eth0", "2001:db8::12"),
        ]

    def test_an_ipv4_address_can_be_excluded_too(self, pair: t.Any) -> None:
        web = pair.instance({"vips": [{"address": "192.0.2.13", "excluded": "yes"}, "192.0.2.10"]})
        assert [(vip.address, vip.excluded) for vip in web.vips] == [("192.0.2.13", True), ("192.0.2.10", False)]

    def test_a_link_local_vip_takes_the_interface_of_the_first(self, pair: t.Any) -> None:
        web = pair.instance({"vips": ["2001:db8::10", "fe80::10"]})
        assert [(vip.address, vip.prefix, vip.interface) for vip in web.vips][1] == ("fe80::10", 64, "eth0")

    def test_vips_of_one_instance_may_stand_on_two_interfaces(self, pair: t.Any) -> None:
        web = pair.instance({"vips": ["192.0.2.10", "2001:db8:1::10"]})
        assert [(vip.interface, vip.excluded) for vip in web.vips] == [("eth0", False), ("eth1", True)]
        assert web.interface == "eth0"

    def test_a_vip_that_the_node_holds_now_is_not_taken_for_its_own_address(self, pair: t.Any) -> None:
        def change(hosts: dict[str, dict[str, t.Any]]) -> None:
            held = {"address": "2001:db8::10", "prefix": "64", "scope": "global"}
            hosts["node-a"]["ansible_facts"]["eth0"]["ipv6"].insert(0, held)

        assert pair.instance(SIX, change=change) == pair.instance(SIX)

    def test_the_list_of_addresses_for_vip_owner_has_no_other_keys(self, pair: t.Any) -> None:
        assert pair.model().to_dict()["addresses"] == [{"address": "192.0.2.10", "prefix": 24, "interface": "eth0"}]

    def test_summaries_keep_the_vips_of_both_families(self, pair: t.Any) -> None:
        (found,), _warnings = build_inventory(pair.hosts({"vips": ["192.0.2.10", "2001:db8::10"]}))
        assert found.to_dict()["instances"] == {"web": ["192.0.2.10", "2001:db8::10"]}


@pytest.mark.parametrize(
    ("vips", "message"),
    [
        (["::1"], "web.vips[0]: ::1 cannot be the address of a host on a network; give an address with or without"),
        (["::"], "web.vips[0]: :: cannot be the address of a host on a network"),
        (["ff02::12"], "web.vips[0]: ff02::12 cannot be the address of a host on a network"),
        (["::ffff:192.0.2.10"], "web.vips[0]: ::ffff:192.0.2.10 cannot be the address of a host on a network"),
        (["2001:db8::10/8"], "web.vips[0]: 8 is not in 16..128; give a prefix length between 16 and 128, such as 2001"),
        (["2001:db8::/64"], "web.vips[0]: 2001:db8:: is the network address of 2001:db8::/64; give a host address"),
        (["2001:db8::12"], "web.vips[0]: 2001:db8::12 is the own address of node-b; give an address that no machine"),
        (["2001:db8::10", "2001:DB8:0::10/64"], "web.vips[1]: 2001:db8::10 is given twice (first at node-a: keep"),
        (
            ["2001:db8:9::10"],
            "web.vips[0]: no interface of node-a has a subnet that holds 2001:db8:9::10 (eth0 192.0.2.11/24",
        ),
        (
            [{"address": "2001:db8:9::10", "interface": "eth0"}],
            "the prefix of 2001:db8:9::10 cannot be told: eth0 of node-a has no subnet that holds it; give it with the "
            "address, such as 2001:db8:9::10/64",
        ),
        (
            ["fe80::10"],
            "web.vips[0]: fe80::10 is link-local, and every interface of node-a has that network; name the interface",
        ),
        (
            ["192.0.2.10", {"address": "2001:db8::10", "excluded": False}],
            "web.vips[1].excluded: is false, but the adverts of an instance with an IPv4 address cannot name "
            "2001:db8::10; leave it out (the address moves with the others all the same), or give it an instance",
        ),
        (
            [{"address": "192.0.2.10", "excluded": True}, "2001:db8::10"],
            "web.vips: all are excluded, and an advert names at least one; leave one IPv4 address in it",
        ),
        (
            [{"address": "2001:db8::10", "excluded": True}],
            "web.vips: all are excluded, and an advert names at least one; leave one IPv6 address in it",
        ),
        (
            [{"address": "192.0.2.10", "excluded": "perhaps"}],
            "web.vips[0].excluded: 'perhaps' is not a boolean; give true or false",
        ),
    ],
)
def test_refuses_vips(pair: t.Any, vips: list[t.Any], message: str) -> None:
    def change(hosts: dict[str, dict[str, t.Any]]) -> None:
        hosts["node-b"]["keepalived_address6"] = "2001:db8::12"

    assert message in pair.refusal({"vips": vips}, change=change)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"keepalived_address": "2001:db8::11"},
            "node-a: keepalived_address: 2001:db8::11 is an IPv6 address; set keepalived_address6 to it",
        ),
        (
            {"keepalived_address6": "192.0.2.11"},
            "node-a: keepalived_address6: 192.0.2.11 is an IPv4 address; set keepalived_address to it",
        ),
        (
            {"keepalived_address6": "fe80::1"},
            "node-a: keepalived_address6: fe80::1 is a link-local address, which needs an interface; give the address",
        ),
        (
            {"keepalived_address6": "node-a"},
            "node-a: keepalived_address6: 'node-a' is not an address; give the address from which this node speaks "
            "VRRP, such as 2001:db8::11",
        ),
        (
            {"keepalived_address6": "2001:db8::99"},
            "node-a: keepalived_address6: 2001:db8::99 is on no interface of node-a (eth0 192.0.2.11/24 2001:db8::11",
        ),
    ],
)
def test_refuses_an_address_to_speak_from(pair: t.Any, variables: dict[str, t.Any], message: str) -> None:
    assert message in pair.refusal(SIX, change=lambda hosts: hosts["node-a"].update(variables))


def test_refuses_a_peer_whose_ipv6_address_nobody_knows(pair: t.Any) -> None:
    assert (
        "node-b: keepalived_address6: is missing, and the inventory gives no address of node-b in 2001:db8::/64; set it"
    ) in pair.refusal(SIX, change=lambda hosts: hosts["node-b"].pop("ansible_facts"))


@pytest.mark.parametrize("family", [4, 6])
def test_refuses_a_peer_that_the_facts_show_to_be_the_node_itself(pair: t.Any, family: int) -> None:
    def change(hosts: dict[str, dict[str, t.Any]]) -> None:
        for host in hosts.values():
            host["ansible_host"] = "node.example.com"
        hosts["node-b"]["ansible_facts"] = hosts["node-a"]["ansible_facts"]

    name, address = {4: ("keepalived_address", "192.0.2.11"), 6: ("keepalived_address6", "2001:db8::11")}[family]
    assert f"node-b: {name}: {address} is also the address of node-a; give each member its own" in pair.refusal(
        SIX if family == 6 else {}, change=change
    )


def test_refuses_the_same_ipv6_address_for_both(pair: t.Any) -> None:
    assert "node-b: keepalived_address6: 2001:db8::11 is also the address of node-a; give each member" in pair.refusal(
        SIX, keepalived_address6="2001:db8::11"
    )


def test_refuses_a_vip_that_is_the_only_ipv6_address_of_an_interface(pair: t.Any) -> None:
    assert "web.vips[0]: 2001:db8:1::11 is the own address of node-a on eth1; give an address" in pair.refusal(
        {"vips": ["2001:db8:1::11"]}
    )


def test_warns_of_a_member_whose_ipv6_address_a_limited_run_would_not_know(pair: t.Any) -> None:
    first, second = build_inventory(pair.hosts(SIX))[1]
    assert first.startswith("node-a: keepalived_address6: is not set and ansible_host is no IPv6 address; while node-a")
    assert second.startswith("node-b: keepalived_address6: is not set")


class TestSharedVrid:
    @staticmethod
    def hosts(pair: t.Any, first: bool, second: bool, vip: str = "192.0.2.20") -> dict[str, dict[str, t.Any]]:
        hosts: dict[str, dict[str, t.Any]] = pair.hosts({"multicast": first})
        for node, address in (("node-c", "192.0.2.13"), ("node-d", "192.0.2.14")):
            hosts[node] = {
                "ansible_host": address,
                "keepalived_members": ["node-c", "node-d"],
                "keepalived_instances": {"app": {"vrid": 51, "vips": [vip], "multicast": second}},
            }
        return hosts

    @pytest.mark.parametrize(
        ("first", "second", "who"),
        [
            (True, True, "node-a + node-b and node-c + node-d speak multicast"),
            (True, False, "node-a + node-b speaks multicast"),
            (False, True, "node-c + node-d speaks multicast"),
        ],
    )
    def test_is_refused_as_soon_as_one_pair_speaks_multicast(
        self, pair: t.Any, first: bool, second: bool, who: str
    ) -> None:
        with pytest.raises(InputError) as caught:
            build_inventory(self.hosts(pair, first, second))
        assert str(caught.value) == (
            "node-c: keepalived_instances.app.vrid: 51 is also used by the pair node-a + node-b, their VIPs look like "
            f"one network, and {who}; give node-c + node-d a VRID of its own (or the VIPs their prefixes, if the "
            "networks differ)"
        )

    def test_in_another_network_or_with_unicast_is_none_of_our_business(self, pair: t.Any) -> None:
        assert build_inventory(self.hosts(pair, True, True, vip="203.0.113.20"))[1] == []
        assert len(build_inventory(self.hosts(pair, False, False))[1]) == 1
