# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of a pair: what is built, what is refused and in which words."""

from __future__ import annotations

import copy
import sys
import typing as t

import pytest
import yaml
from ansible_collections.duplex.ha_pair.plugins.filter import pair_inventory
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp import requirements
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.build import build_node
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.inventory import build_inventory

Hosts = dict[str, dict[str, t.Any]]


def facts(address: str, **others: t.Any) -> dict[str, t.Any]:
    return {
        "distribution": "Debian",
        "distribution_major_version": "12",
        "os_family": "Debian",
        "effective_user_id": 0,
        "user_id": "root",
        "interfaces": ["lo", "eth0", "br-app"],
        "lo": {"ipv4": {"address": "127.0.0.1", "netmask": "255.0.0.0"}},
        "eth0": {"device": "eth0", "ipv4": {"address": address, "netmask": "255.255.255.0", "prefix": "24"}},
        "br_app": {"device": "br-app", "ipv4": {"address": "198.51.100.7", "netmask": "255.255.255.0"}},
        **others,
    }


def pair(web: dict[str, t.Any] | None = None, **instances: t.Any) -> Hosts:
    """Two nodes with facts of the first only: the second may as well be dead."""
    variables = {
        "keepalived_members": ["node-a", "node-b"],
        "keepalived_instances": {"web": {"vrid": 51, "vips": ["192.0.2.10"], **(web or {})}, **instances},
    }
    return {
        "node-a": {"ansible_host": "192.0.2.11", "ansible_facts": facts("192.0.2.11"), **copy.deepcopy(variables)},
        "node-b": {"ansible_host": "192.0.2.12", **copy.deepcopy(variables)},
    }


def refusal(hosts: Hosts, **arguments: t.Any) -> str:
    with pytest.raises(InputError) as caught:
        build_node(hosts, "node-a", **arguments)
    return str(caught.value)


def inventory_refusal(hosts: Hosts) -> str:
    with pytest.raises(InputError) as caught:
        build_inventory(hosts)
    return str(caught.value)


class TestMinimalPair:
    def test_needs_only_members_vip_and_vrid(self) -> None:
        model = build_node(pair(), "node-a")
        (web,) = model.instances
        assert (web.interface, web.vrid, web.priority, web.source, web.peers) == (
            "eth0",
            51,
            250,
            "192.0.2.11",
            ["192.0.2.12"],
        )
        assert [(vip.address, vip.prefix, vip.interface) for vip in web.vips] == [("192.0.2.10", 24, "eth0")]
        assert (web.advert_interval, web.preempt_delay, web.preferred) == (0.25, 5.0, "node-a")
        assert web.master_down_interval == pytest.approx(3 * 0.25 + 6 / 256 * 0.25, abs=1e-6)

    def test_of_a_dead_peer_only_the_inventory_is_needed(self) -> None:
        with_facts = pair()
        with_facts["node-b"]["ansible_facts"] = facts("192.0.2.12")
        assert build_node(pair(), "node-a").to_dict() == build_node(with_facts, "node-a").to_dict()

    def test_standby_has_the_lower_priority_and_no_preempt_delay(self) -> None:
        hosts = pair()
        hosts["node-b"]["ansible_facts"] = facts("192.0.2.12")
        (web,) = build_node(hosts, "node-b").instances
        assert (web.priority, web.preempt_delay, web.source, web.peers) == (248, 0.0, "192.0.2.12", ["192.0.2.11"])

    def test_sticky_gives_both_the_same_priority(self) -> None:
        hosts = pair({"mode": "sticky"})
        hosts["node-b"]["ansible_facts"] = facts("192.0.2.12")
        found = [build_node(hosts, node).instances[0] for node in ("node-a", "node-b")]
        assert [(web.priority, web.preempt_delay, web.preferred) for web in found] == [(250, 0.0, None)] * 2

    def test_a_vip_that_the_node_holds_now_is_not_taken_for_its_own_address(self) -> None:
        hosts = pair()
        held = {"address": "192.0.2.10", "netmask": "255.255.255.0", "prefix": "24"}
        hosts["node-a"]["ansible_facts"]["eth0"]["ipv4_secondaries"] = [held]
        assert build_node(hosts, "node-a").to_dict() == build_node(pair(), "node-a").to_dict()

    def test_role_variables_win_and_stand_in_for_a_silent_peer(self) -> None:
        hosts: Hosts = {
            "node-a": {"ansible_host": "192.0.2.11", "ansible_facts": facts("192.0.2.11")},
            "node-b": {"ansible_host": "192.0.2.12"},
        }
        own = {
            "keepalived_members": ["node-b", "node-a"],
            "keepalived_instances": {"web": {"vrid": "7", "vips": ["192.0.2.10/28"]}},
        }
        (web,) = build_node(hosts, "node-a", own).instances
        assert (web.vrid, web.priority, web.preferred, web.vips[0].prefix) == (7, 248, "node-b", 28)

    @pytest.mark.parametrize(("profile", "interval"), [("fast", 0.1), ("balanced", 0.25), ("conservative", 1.0)])
    def test_profile_decides_the_advert_interval(self, profile: str, interval: float) -> None:
        assert build_node(pair({"profile": profile}), "node-a").instances[0].advert_interval == interval

    @pytest.mark.parametrize(("profile", "delay"), [("fast", 0.55), ("balanced", 1.01), ("conservative", 3.28)])
    def test_a_crashed_keepalived_is_back_only_after_the_peer_took_over(self, profile: str, delay: float) -> None:
        assert build_node(pair({"profile": profile}), "node-a").restart_delay == delay

    def test_names_without_addresses_are_resolved_by_the_peers_facts(self) -> None:
        hosts = pair()
        hosts["node-b"] |= {"ansible_host": "node-b.example.com", "ansible_facts": facts("192.0.2.12")}
        assert build_node(hosts, "node-a").instances[0].peers == ["192.0.2.12"]

    def test_keepalived_address_wins_over_a_management_address(self) -> None:
        hosts = pair()
        hosts["node-a"] |= {"ansible_host": "203.0.113.1", "keepalived_address": "192.0.2.11"}
        hosts["node-b"] |= {"ansible_host": "203.0.113.2", "keepalived_address": "192.0.2.12"}
        (web,) = build_node(hosts, "node-a").instances
        assert (web.source, web.peers) == ("192.0.2.11", ["192.0.2.12"])

    def test_second_network_is_found_under_a_name_with_a_dash(self) -> None:
        hosts = pair(app={"vrid": 52, "vips": ["198.51.100.10"]})
        for node, address in (("node-a", "198.51.100.7"), ("node-b", "198.51.100.8")):
            hosts[node]["ansible_facts"] = facts(hosts[node]["ansible_host"])
            hosts[node]["ansible_facts"]["br_app"]["ipv4"]["address"] = address
        app = build_node(hosts, "node-a").instances[1]
        assert (app.interface, app.source, app.peers) == ("br-app", "198.51.100.7", ["198.51.100.8"])


class TestServices:
    def test_check_runs_at_whole_seconds_where_the_version_knows_no_fractions(self) -> None:
        nginx = {"health_url": "http://127.0.0.1/ha-pair/health", "probe": False}
        hosts = pair({"services": {"nginx": nginx}})
        (old,) = build_node(hosts, "node-a", version="2.2.7").services
        (new,) = build_node(hosts, "node-a", version="2.3.3").services
        assert old.check is not None
        assert (old.check.interval, old.check.timeout) == (1.0, 1.0)
        assert new.check is not None
        assert (new.check.interval, new.check.timeout) == (0.5, 0.5)
        assert old.check.command == "/usr/libexec/keepalived/ha-pair-check http://127.0.0.1/ha-pair/health 0.9"
        assert old.state_file == "/run/keepalived/ha-pair/track/nginx"

    def test_one_service_of_two_instances_is_tracked_once(self) -> None:
        hosts = pair({"services": ["nginx"]}, more={"vrid": 52, "vips": ["192.0.2.13"], "services": ["nginx"]})
        model = build_node(hosts, "node-a")
        assert [service.name for service in model.services] == ["nginx"]
        assert [instance.services for instance in model.instances] == [["nginx"], ["nginx"]]

    def test_description_for_the_node_holds_what_is_ours(self) -> None:
        description = build_node(pair({"services": ["nginx"]}), "node-a").to_dict()["description"]
        assert description["instances"]["web"] == {
            "vrid": 51,
            "interface": "eth0",
            "family": 4,
            "vrrp_version": 3,
            "mode": "preferred",
            "preferred": "node-a",
            "priority": 250,
            "advert_interval": 0.25,
            "master_down_interval": pytest.approx(0.755859),
            "multicast": False,
            "sync_group": None,
            "vips": [{"address": "192.0.2.10", "prefix": 24, "interface": "eth0", "excluded": False}],
            "source": "192.0.2.11",
            "peers": ["192.0.2.12"],
            "services": ["nginx"],
            "raise_file": "/run/keepalived/ha-pair/raise/web",
            "witnesses": [],
            "track_interfaces": [],
            "track_processes": [],
        }
        assert {key: value for key, value in description.items() if key != "instances"} == {
            "schema": 1,
            "node": "node-a",
            "peer": "node-b",
            "state_directory": "/run/keepalived/ha-pair",
            "keepalived": {"ordered_events": True, "restores_addresses": True, "raise_noticed_after": 0.0},
            "hook": None,
            "probes": [],
            "active_standby": [],
        }


@pytest.mark.parametrize(
    ("web", "message"),
    [
        ({"vips": None}, "node-a: keepalived_instances.web.vips: is missing; give at least one address, such as"),
        ({"vips": []}, "node-a: keepalived_instances.web.vips: is empty; give at least one address"),
        ({"vips": "192.0.2.10"}, "web.vips: is a string ('192.0.2.10'), not a list; give at least one address"),
        ({"vips": ["192.0.2"]}, "web.vips[0]: '192.0.2' is not an address; give an address with or without"),
        ({"vips": ["192.0.2.300/24"]}, "web.vips[0]: '192.0.2.300' is not an address; give an address"),
        ({"vips": [10]}, "web.vips[0]: 10 is not an address; give an address"),
        ({"vips": ["192.0.2.10/x"]}, "web.vips[0]: 'x' is not an integer; give a prefix length between 8 and 32"),
        ({"vips": ["192.0.2.10/33"]}, "web.vips[0]: 33 is not in 8..32; give a prefix length between 8 and 32"),
        ({"vips": ["127.0.0.1"]}, "web.vips[0]: 127.0.0.1 cannot be the address of a host on a network; give"),
        ({"vips": ["192.0.2.0/24"]}, "web.vips[0]: 192.0.2.0 is the network address of 192.0.2.0/24; give a host"),
        ({"vips": ["192.0.2.255/24"]}, "web.vips[0]: 192.0.2.255 is the broadcast address of 192.0.2.0/24; give a"),
        ({"vips": ["192.0.2.255"]}, "web.vips[0]: 192.0.2.255 is the broadcast address of 192.0.2.0/24; give a host"),
        ({"vips": ["192.0.2.12"]}, "web.vips[0]: 192.0.2.12 is the own address of node-b; give an address that no"),
        (
            {"vips": ["192.0.2.10", "192.0.2.10/24"]},
            "web.vips[1]: 192.0.2.10 is given twice (first at node-a: keepalived_instances.web.vips[0]); give each VIP",
        ),
        ({"vips": [{"adress": "192.0.2.10"}]}, "web.vips[0].adress: unknown key; did you mean 'address'?"),
        (
            {"vips": ["203.0.113.10"]},
            (
                "web.vips[0]: no interface of node-a has a subnet that holds 203.0.113.10 (eth0 192.0.2.11/24, br-app "
                "198.51.100.7/24); correct the VIP, or name the interface and the prefix"
            ),
        ),
        (
            {"vips": ["203.0.113.10"], "interface": "eth0"},
            (
                "web.vips[0]: the prefix of 203.0.113.10 cannot be told: eth0 of node-a has no subnet that holds it; "
                "give it with the address, such as 203.0.113.10/24"
            ),
        ),
        ({"vrid": None}, "node-a: keepalived_instances.web.vrid: is missing; give each instance a VRID of its own"),
        ({"vrid": 0}, "node-a: keepalived_instances.web.vrid: 0 is not in 1..255; give each instance a VRID"),
        ({"vrid": 256}, "node-a: keepalived_instances.web.vrid: 256 is not in 1..255; give each instance a VRID"),
        ({"vrid": "x"}, "node-a: keepalived_instances.web.vrid: 'x' is not an integer; give each instance a VRID"),
        ({"vrid": True}, "node-a: keepalived_instances.web.vrid: True is not an integer; give each instance a VRID"),
        (
            {"interface": "eth9"},
            "web.interface: 'eth9' is not an interface of node-a (eth0, br-app); give one of them, or leave it out",
        ),
        ({"interface": "eth 0"}, "web.interface: 'eth 0' is not the name of an interface; give a name such as eth0"),
        ({"vrdi": 51}, "node-a: keepalived_instances.web.vrdi: unknown key; did you mean 'vrid'?"),
        (
            {"zzz": 1},
            "node-a: keepalived_instances.web.zzz: unknown key; known are advert_interval, auth_pass, interface",
        ),
        ({"mode": "prefered"}, "web.mode: 'prefered' is not one of preferred, sticky; did you mean 'preferred'?"),
        ({"profile": "quick"}, "web.profile: 'quick' is not one of fast, balanced, conservative; give one of them"),
        ({"preferred": "node-c"}, "web.preferred: 'node-c' is not one of node-a, node-b; did you mean 'node-b'?"),
        (
            {"mode": "sticky", "preferred": "node-a"},
            "web.preferred: has no meaning in mode 'sticky'; remove it, or take mode 'preferred'",
        ),
        (
            {"mode": "sticky", "preempt_delay": 5},
            "web.preempt_delay: has no meaning in mode 'sticky'; remove it, or take mode 'preferred'",
        ),
        ({"preempt_delay": -1}, "web.preempt_delay: -1 is not in 0..1000 seconds; give the seconds that the preferred"),
        ({"advert_interval": 0.01}, "web.advert_interval: 0.01 is not in 0.05..40.95 seconds; give the seconds"),
        ({"advert_interval": "fast"}, "web.advert_interval: 'fast' is not a number of seconds; give the seconds"),
        ({"priorities": {"node-a": 250}}, "web.priorities.node-b: is missing; give both members a priority up to 250"),
        (
            {"priorities": {"node-a": 253, "node-b": 250}},
            "web.priorities.node-a: 253 is not in 1..250; stay below 251: a planned switchover adds 4 and 254 is the",
        ),
        (
            {"priorities": {"node-a": 200, "node-b": 200}},
            "web.priorities: 200 and 200 are equal in mode 'preferred', so nobody is preferred; give",
        ),
        (
            {"priorities": {"node-a": 200, "node-b": 100}},
            "web.priorities: node-a is 100 above its peer; give the preferred node 1 to 3 more than its peer",
        ),
        (
            {"mode": "sticky", "priorities": {"node-a": 200, "node-b": 199}},
            "web.priorities: 200 and 199 differ in mode 'sticky'; give both the same, or leave it out",
        ),
        ({"services": "nginx"}, "web.services: is a string ('nginx'), not a dictionary; give the systemd services"),
        ({"services": ["nginx.service"]}, "web.services.nginx.service: 'nginx.service' is not a unit name; give the"),
        (
            {"services": {"nginx": {"helth_url": "http://127.0.0.1/"}}},
            "web.services.nginx.helth_url: unknown key; did you mean 'health_url'?",
        ),
        (
            {"services": {"nginx": {"health_url": "http://192.0.2.50/"}}},
            "web.services.nginx.health_url: '192.0.2.50' is not this node itself: a shared backend would put both",
        ),
        (
            {"services": {"nginx": {"health_url": "ftp://localhost/"}}},
            "web.services.nginx.health_url: 'ftp://localhost/' is not a plain http or https URL; ask the service",
        ),
        (
            {"services": {"nginx": {"health_url": "http://127.0.0.1/", "check_interval": 0.5}}},
            "web.services.nginx.check_interval: 0.5 is a fraction, and keepalived 2.2.7 runs checks at whole seconds",
        ),
        ({"services": {"nginx": {"check_fall": 0}}}, "web.services.nginx.check_fall: 0 is not in 1..100; give a count"),
    ],
)
def test_refuses_an_instance(web: dict[str, t.Any], message: str) -> None:
    assert message in refusal(pair(web))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (None, "node-a: keepalived_members: is missing; give the inventory names of the two nodes"),
        ("node-a", "node-a: keepalived_members: is a string ('node-a'), not a list; give the inventory names"),
        (["node-a"], "node-a: keepalived_members: has 1 members (['node-a']), not 2; give the inventory names"),
        (["node-a", "node-b", "x"], "keepalived_members: has 3 members (['node-a', 'node-b', 'x']), not 2; give"),
        (["node-a", "node-a"], "node-a: keepalived_members: names 'node-a' twice; give the inventory names"),
        (["node-a", "nodeb"], "keepalived_members[1]: 'nodeb' is not a host of the inventory; did you mean 'node-b'?"),
        (
            ["node-a", "peer"],
            "keepalived_members[1]: 'peer' is not a host of the inventory; put both nodes of the pair into the "
            "inventory; a sliced job of AWX has only some of its hosts, so give its template job_slice_count 1",
        ),
        (["node-a", 7], "node-a: keepalived_members[1]: is an integer (7), not a string; give the inventory names"),
        (["node-b", "other"], "node-a: keepalived_members: ['node-b', 'other'] does not name 'node-a' itself; give"),
    ],
)
def test_refuses_members(members: object, message: str) -> None:
    hosts = pair()
    hosts["other"] = {}
    for node in ("node-a", "node-b"):
        hosts[node]["keepalived_members"] = members
    assert message in refusal(hosts)


def test_a_member_in_another_slice_is_not_taken_for_a_misspelt_one() -> None:
    # Every second host of node-a, node-b, node-c, node-d, as AWX slices: one of each pair.
    first, third = copy.deepcopy(pair()["node-a"]), copy.deepcopy(pair()["node-a"])
    third["keepalived_members"] = ["node-c", "node-d"]
    text = refusal({"node-a": first, "node-c": third})
    assert "node-a: keepalived_members[1]: 'node-b' is not a host of the inventory; put both nodes" in text
    assert "did you mean" not in text


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"keepalived_instances": None}, "node-a: keepalived_instances: is missing; give at least one instance"),
        ({"keepalived_instances": {}}, "node-a: keepalived_instances: is empty; give at least one instance"),
        (
            {"keepalived_instances": [1]},
            "node-a: keepalived_instances: is a list ([1]), not a dictionary; give at least",
        ),
        ({"keepalived_instances": {"web": 1}}, "keepalived_instances.web: is an integer (1), not a dictionary; give a"),
        (
            {"keepalived_instances": {"9 x": {"vrid": 1, "vips": ["192.0.2.10"]}}},
            "'9 x' is not a name; start with a letter and use letters, digits, _ and - (32 at the most)",
        ),
        ({"keepalived_instnaces": {}}, "node-a: keepalived_instnaces: unknown variable; did you mean"),
        ({"nginx_site": []}, "node-a: nginx_site: unknown variable; did you mean 'nginx_sites'?"),
        ({"keepalived_address": "node-a"}, "node-a: keepalived_address: 'node-a' is not an address; give the address"),
        (
            {"keepalived_address": "192.0.2.99"},
            "node-a: keepalived_address: 192.0.2.99 is on no interface of node-a (eth0 192.0.2.11/24, br-app",
        ),
        (
            {"keepalived_address": "192.0.2.12"},
            "node-b: keepalived_address: 192.0.2.12 is also the address of node-a; give each member its own address",
        ),
        (
            {"keepalived_realtime_priority": 100},
            "node-a: keepalived_realtime_priority: 100 is not in 0..99; give a SCHED_RR priority such as 50, or 0",
        ),
        ({"ansible_facts": {}}, "node-a: has no facts; gather facts of this host before the role"),
        (
            {"ansible_facts": facts("192.0.2.11", effective_user_id=1000, user_id="operator")},
            "node-a: tasks run as user operator, not as root; set become: true for the play",
        ),
        (
            {"ansible_facts": facts("192.0.2.11", distribution="Fedora", distribution_major_version="43")},
            "node-a: Fedora 43 is not supported; use one of Debian 11/12/13, CentOS 7/8/9/10, RedHat 7/8/9/10",
        ),
        (
            {"ansible_facts": facts("192.0.2.11", distribution_major_version="10")},
            "node-a: Debian 10 is not supported; use one of Debian 11/12/13",
        ),
    ],
)
def test_refuses_a_host(changed: dict[str, t.Any], message: str) -> None:
    hosts = pair()
    hosts["node-a"] |= changed
    assert message in refusal(hosts)


def test_refuses_a_peer_whose_address_nobody_knows() -> None:
    hosts = pair()
    hosts["node-b"]["ansible_host"] = "node-b.example.com"
    assert (
        "node-b: keepalived_address: is missing, and the inventory gives no address of node-b in 192.0.2.0/24; set it"
    ) in refusal(hosts)
    hosts["node-b"]["ansible_host"] = "203.0.113.2"
    assert "is missing, and ansible_host 203.0.113.2 gives no address of node-b in 192.0.2.0/24" in refusal(hosts)


def test_refuses_a_vrid_twice_on_one_interface() -> None:
    hosts = pair(more={"vrid": 51, "vips": ["192.0.2.13"]})
    assert (
        "node-a: keepalived_instances.more.vrid: 51 is used twice on eth0 (first by web); give each instance a VRID"
    ) in refusal(hosts)


def test_refuses_a_vip_that_only_the_facts_know_as_the_nodes_own() -> None:
    hosts = pair({"vips": ["198.51.100.7"]})
    assert (
        "node-a: keepalived_instances.web.vips[0]: 198.51.100.7 is the own address of node-a on br-app; give an address"
    ) in refusal(hosts)


def test_refuses_two_interfaces_that_could_hold_the_vip() -> None:
    hosts = pair()
    hosts["node-a"]["ansible_facts"]["br_app"]["ipv4"] = {"address": "192.0.2.70", "prefix": "24"}
    assert (
        "web.vips[0]: several interfaces of node-a have a subnet that holds 192.0.2.10 (br-app, eth0); name the"
    ) in refusal(hosts)


def test_refuses_services_that_keepalived_could_not_tell_apart() -> None:
    assert "services: 'a-b' and 'a.b' differ in punctuation only" in refusal(pair({"services": ["a-b", "a.b"]}))


def test_refuses_a_service_with_two_meanings() -> None:
    hosts = pair(
        {"services": {"nginx": {"check_fall": 2}}},
        more={"vrid": 52, "vips": ["192.0.2.13"], "services": {"nginx": {"check_fall": 3}}},
    )
    assert (
        "node-a: keepalived_instances.more.services.nginx: differs from node-a: keepalived_instances.web.services."
        "nginx; give a service the same options in every instance"
    ) in refusal(hosts)


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        ({"vrid": 52}, "node-b: keepalived_instances.web.vrid: 52 differs from 51 of node-a; say the same for"),
        ({"vips": ["192.0.2.13"]}, "node-b: keepalived_instances.web.vips: 192.0.2.13 differs from 192.0.2.10 of"),
        ({"profile": "fast"}, "node-b: keepalived_instances.web.advert_interval: 0.1 differs from 0.25 of node-a"),
        ({"preferred": "node-b"}, "node-b: keepalived_instances.web.preferred: 'node-b' differs from 'node-a' of"),
        ({"vrid": 999}, "node-b: keepalived_instances.web.vrid: 999 is not in 1..255; give each instance"),
    ],
)
def test_refuses_members_that_disagree(theirs: dict[str, t.Any], message: str) -> None:
    hosts = pair()
    hosts["node-b"]["keepalived_instances"]["web"] |= theirs
    assert message in refusal(hosts)


def test_refuses_members_that_name_other_members_or_instances() -> None:
    hosts = pair()
    hosts["node-b"]["keepalived_members"] = ["node-b", "node-a"]
    assert "node-b: keepalived_members: ['node-b', 'node-a'] differs from ['node-a', 'node-b'] of node-a" in refusal(
        hosts
    )
    hosts = pair()
    hosts["node-b"]["keepalived_instances"]["mail"] = {"vrid": 60, "vips": ["192.0.2.20"]}
    assert "node-a: keepalived_instances.mail: is missing; say the same for node-a and node-b" in refusal(hosts)


def test_refuses_a_version_that_is_too_old() -> None:
    assert (
        "node-a: keepalived version: 1.2.13 is neither 1.3.5 nor 2.1.0 or newer; take that of a supported "
        "distribution (Debian 11 or later, EL 7 or later), with its updates"
    ) in refusal(pair(), version="Keepalived v1.2.13 (05/28,2014)")
    assert "node-a: keepalived version: 'new' is not a version; give what" in refusal(pair(), version="new")


def test_a_problem_of_a_shared_variable_is_told_once() -> None:
    assert refusal(pair({"vrid": 0})).count("vrid: 0 is not in 1..255") == 1


def test_all_problems_are_told_at_once() -> None:
    text = refusal(pair({"vrid": 0, "vips": ["x"], "mdoe": "sticky"}))
    assert all(word in text for word in ("vrid: 0 is not", "vips[0]: 'x'", "mdoe: unknown key"))


class TestInventory:
    @staticmethod
    def two_pairs(vip: str = "192.0.2.20", vrid: int = 52) -> Hosts:
        hosts = pair()
        for node, address in (("node-c", "192.0.2.13"), ("node-d", "192.0.2.14")):
            hosts[node] = {
                "ansible_host": address,
                "keepalived_members": ["node-c", "node-d"],
                "keepalived_instances": {"app": {"vrid": vrid, "vips": [vip]}},
            }
        hosts["observer"] = {"ansible_host": "192.0.2.30"}
        return hosts

    def test_finds_the_pairs_without_facts(self) -> None:
        hosts = self.two_pairs()
        del hosts["node-a"]["ansible_facts"]
        pairs, warnings = build_inventory(hosts)
        found = [pair.to_dict() for pair in pairs]
        assert [list(one.pop("settings")) for one in found] == [["web"], ["app"]]
        assert found == [
            {
                "members": ["node-a", "node-b"],
                "instances": {"web": ["192.0.2.10"]},
                "vips": [{"address": "192.0.2.10", "instance": "web"}],
            },
            {
                "members": ["node-c", "node-d"],
                "instances": {"app": ["192.0.2.20"]},
                "vips": [{"address": "192.0.2.20", "instance": "app"}],
            },
        ]
        assert warnings == []

    def test_tells_how_each_instance_moves(self) -> None:
        sticky = {"mode": "sticky", "vips": ["192.0.2.13"], "sync_group": "both", "advert_interval": 1}
        hosts = pair(
            {"services": ["nginx"], "preempt_delay": 7},
            db={**sticky, "vrid": 52},
            six={**sticky, "vrid": 53, "vips": ["192.0.2.14"]},
        )
        (found,) = build_inventory(hosts)[0]
        settings = found.to_dict()["settings"]
        assert settings["web"] == {
            "mode": "preferred",
            "preferred": "node-a",
            "sync_group": None,
            "services": ["nginx"],
            "active_standby": [],
            "advert_interval": 0.25,
            "master_down_interval": 0.757812,
            "preempt_delay": 7.0,
            "noticed_after": 0.0,
            "takeover_delay": 0.0,
            "mounts": {},
        }
        lazy = build_inventory(pair({"services": {"nginx": {}, "fetcher": {"active_standby": True}}}))[0][0]
        assert lazy.settings["web"].active_standby == ["fetcher"]
        assert list(settings) == ["web", "db", "six"]
        assert (settings["db"]["mode"], settings["db"]["preferred"]) == ("sticky", None)
        assert (settings["db"]["sync_group"], settings["db"]["services"]) == ("both", [])

    def test_the_silence_that_counts_is_that_of_the_slower_node(self) -> None:
        hosts = pair()
        hosts["node-b"]["ansible_facts"] = facts(hosts["node-b"]["ansible_host"])
        (found,) = build_inventory(hosts)[0]
        waits = [
            build_node(hosts, node).to_dict()["description"]["instances"]["web"]["master_down_interval"]
            for node in ("node-a", "node-b")
        ]
        assert waits[0] < waits[1] == pytest.approx(found.settings["web"].master_down_interval)

    def test_the_filter_documents_the_settings(self) -> None:
        (found, *_others) = pair_inventory.pair_inventory(pair())["pairs"]
        documented = yaml.safe_load(pair_inventory.RETURN)["_value"]["contains"]["pairs"]["contains"]
        assert list(documented["settings"]["contains"]) == list(found["settings"]["web"])

    def test_a_play_of_one_node_sees_its_pair(self) -> None:
        pairs, _warnings = build_inventory(self.two_pairs(), ["node-d"])
        assert [found.members for found in pairs] == [("node-c", "node-d")]

    def test_a_broken_pair_does_not_stop_a_play_of_another(self) -> None:
        pairs, _warnings = build_inventory(self.two_pairs(vrid=300), ["node-a"])
        assert [found.members for found in pairs] == [("node-a", "node-b")]
        assert "node-c: keepalived_instances.app.vrid: 300 is not in 1..255" in inventory_refusal(
            self.two_pairs(vrid=300)
        )

    def test_warns_of_a_vrid_that_two_pairs_of_a_network_share(self) -> None:
        (warning,) = build_inventory(self.two_pairs(vrid=51))[1]
        assert "node-c: keepalived_instances.app.vrid: 51 is also used by the pair node-a + node-b" in warning

    def test_warns_of_a_member_that_a_limited_run_would_not_know(self) -> None:
        hosts = self.two_pairs()
        hosts["node-d"]["ansible_host"] = "node-d.example.com"
        (warning,) = build_inventory(hosts)[1]
        assert warning.startswith("node-d: keepalived_address: is not set and ansible_host is no IPv4 address; while")
        assert build_inventory(hosts, ["node-a"])[1] == []

    def test_warns_of_storage_that_a_service_needs_and_nobody_watches(self) -> None:
        needed = [{"path": "/srv/data", "source": "192.0.2.20:/data", "services": ["tomcat"]}]
        hosts = pair({"services": ["tomcat"]})
        hosts["node-b"]["nfs_mount_mounts"] = needed
        (warning,) = build_inventory(hosts)[1]
        assert warning == (
            "node-b: nfs_mount_mounts: /srv/data is needed by tomcat, and no witness of web watches it; a hang would "
            "not move the VIP; add {data: {mount: /srv/data}} to its witnesses"
        )
        watched = pair({"services": ["tomcat"], "witnesses": {"data": {"mount": "/srv/data"}}})
        watched["node-b"]["nfs_mount_mounts"] = needed
        assert build_inventory(watched)[1] == []
        # What is no list of mounts, the role refuses.
        for nothing in ("x", ["x"], [{"path": "/srv/data"}], [{"path": "/srv/data", "services": ["other"]}]):
            hosts["node-b"]["nfs_mount_mounts"] = nothing
            assert build_inventory(hosts)[1] == []

    def test_warns_of_a_service_that_nobody_starts(self) -> None:
        hosts = pair({"services": {"fetcher": {"active_standby": True}}})
        hosts["node-a"]["java_service_services"] = {"fetcher": {}}
        assert build_inventory(hosts)[1] == [
            "node-b: keepalived_instances.web.services.fetcher: is active_standby, and java_service_services is not "
            "set; unless a play gives it to the role java_service, nobody starts fetcher and this member stays in "
            "FAULT; set java_service_services"
        ]
        hosts["node-b"]["java_service_services"] = {"fetcher": {}}
        assert build_inventory(hosts)[1] == []

    @pytest.mark.parametrize(
        ("services", "sites", "message"),
        [
            (["nginx"], False, "node-a: keepalived_instances: tracks nginx, and nginx_sites is not set for both"),
            ([], True, "node-a: nginx_sites: is set, and no instance tracks nginx; the VIP would stay with a node"),
        ],
    )
    def test_warns_when_nginx_is_only_tracked_or_only_deployed(
        self, services: list[str], sites: bool, message: str
    ) -> None:
        hosts = pair({"services": services})
        for node in hosts:
            hosts[node] |= {"nginx_sites": []} if sites else {}
        (warning,) = build_inventory(hosts)[1]
        assert warning.startswith(message)

    def test_refuses_a_vip_of_two_pairs(self) -> None:
        assert (
            "node-c: keepalived_instances.app.vips[0]: 192.0.2.10 is also a VIP of the pair node-a + node-b (node-a: "
            "keepalived_instances.web.vips[0]); give each VIP to one pair"
        ) in inventory_refusal(self.two_pairs(vip="192.0.2.10"))

    def test_refuses_a_vip_that_is_a_node_of_another_pair(self) -> None:
        assert "192.0.2.11 is the own address of node-a; give an address" in inventory_refusal(
            self.two_pairs(vip="192.0.2.11")
        )

    def test_refuses_a_host_in_two_pairs(self) -> None:
        hosts = self.two_pairs()
        hosts["node-c"]["keepalived_members"] = ["node-c", "node-a"]
        assert (
            "node-a: keepalived_members: ['node-a', 'node-b'] differs from ['node-c', 'node-a'] of node-c; say the same"
        ) in inventory_refusal(hosts)

    def test_refuses_a_silent_host_that_two_pairs_name(self) -> None:
        hosts = self.two_pairs()
        hosts["node-b"] = {"ansible_host": "192.0.2.12"}
        hosts["node-c"]["keepalived_members"] = ["node-c", "node-b"]
        del hosts["node-d"]
        assert (
            "node-c: keepalived_members: 'node-b' is also a member of the pair node-a + node-b; make each host a member"
        ) in inventory_refusal(hosts)

    def test_refuses_a_host_of_the_play_without_a_pair(self) -> None:
        with pytest.raises(InputError) as caught:
            build_inventory(self.two_pairs(), ["observer"])
        assert "observer: keepalived_instances: is missing; give at least one instance" in str(caught.value)


@pytest.mark.parametrize("name", ["netaddr", "jmespath"])
def test_a_missing_library_is_said_with_its_cure(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(requirements, name, None)
    for call in (lambda: build_node(pair(), "node-a"), lambda: build_inventory(pair())):
        with pytest.raises(InputError) as caught:
            call()
        assert str(caught.value) == (
            f"this controller: lacks the Python library {name}; install it into the Python that runs Ansible: "
            f"{sys.executable} -m pip install {name}; for AWX build the execution environment of "
            "execution-environment.yml, which has it"
        )
