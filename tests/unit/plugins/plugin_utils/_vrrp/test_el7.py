# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a model for keepalived 1.3.5, which watches no files and has no FIFO, and beside a newer peer."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.build import build_node
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.inventory import build_inventory

from .test_config_template import block, printed

RUN = "/run/keepalived/ha-pair"
STATE = "/usr/libexec/keepalived/ha-pair-state"
PROBED = {"services": {"nginx": {"health_url": "http://127.0.0.1/"}}}


def el7(hosts: dict[str, t.Any], *members: str) -> dict[str, t.Any]:
    """The hosts with these members on CentOS 7."""
    for member in members:
        hosts[member]["ansible_facts"] |= {
            "os_family": "RedHat",
            "distribution": "CentOS",
            "distribution_major_version": "7",
        }
    return hosts


def model(pair: t.Any, web: dict[str, t.Any] | None = None, **others: t.Any) -> t.Any:
    """The model of node-a, when both run what CentOS 7 packages."""
    return build_node(el7(pair.hosts(web, **others), "node-a", "node-b"), "node-a")


class TestStateFiles:
    def test_each_is_read_by_a_script(self, pair: t.Any) -> None:
        text = printed(model(pair, {**PROBED, "witnesses": {"gateway": {"ping": "192.0.2.1"}}}))
        table = {
            "service_nginx": (f"one {RUN}/track/nginx", 1, 5, 0),
            "failing_nginx": (f"not-one {RUN}/failing/nginx", 1, 5, 0),
            "witness_gateway": (f"not-one {RUN}/failing/witness.gateway", 1, 1, -20),
            "raise_web": (f"one {RUN}/raise/web", 5, 1, 4),
        }
        for name, (words, interval, rise, weight) in table.items():
            assert block(text, f"vrrp_script {name}") == (
                f'script "{STATE} {words}"\ninterval {interval}\ntimeout 5\nfall 1\nrise {rise}\nweight {weight}'
            )
        assert "track_file" not in text

    def test_a_preferred_node_stays_in_fault_as_long_as_it_must_be_well(self, pair: t.Any) -> None:
        hosts = el7(pair.hosts({**PROBED, "preempt_delay": 2.5}), "node-a", "node-b")
        rises = {node: [check.rise for check in build_node(hosts, node).file_checks] for node in ("node-a", "node-b")}
        assert rises == {"node-a": [3, 3, 1], "node-b": [1, 1, 1]}
        sticky = model(pair, {**PROBED, "mode": "sticky"})
        assert [check.rise for check in sticky.file_checks] == [1, 1, 1]

    def test_the_checks_beside_the_prober_stay(self, pair: t.Any) -> None:
        text = printed(model(pair, PROBED))
        assert block(text, "vrrp_script check_nginx").startswith('script "/usr/libexec/keepalived/ha-pair-check http')
        assert "track_script {\nservice_nginx\nfailing_nginx\nraise_web\ncheck_nginx\n}" in block(
            text, "vrrp_instance web"
        )

    def test_members_of_a_sync_group_watch_for_themselves(self, pair: t.Any) -> None:
        grouped = {"sync_group": "both", "track_interfaces": ["eth1"], **PROBED}
        text = printed(model(pair, grouped, mail={"vrid": 52, "vips": ["192.0.2.20"], "sync_group": "both"}))
        assert block(text, "vrrp_sync_group both") == "group {\nweb\nmail\n}\nglobal_tracking"
        web, mail = (block(text, f"vrrp_instance {name}") for name in ("web", "mail"))
        assert "track_script {\nservice_nginx\nfailing_nginx\nraise_both\ncheck_nginx\n}" in web
        assert "track_interface {\neth1 weight 0\n}" in web
        assert "track_script {\nraise_both\n}" in mail

    def test_a_newer_one_watches_them(self, pair: t.Any) -> None:
        text = printed(pair.model(PROBED, version="2.1.5"))
        assert "ha-pair-state" not in text
        assert "global_tracking" not in text


class TestEvents:
    def test_a_program_tells_them(self, pair: t.Any) -> None:
        found = model(pair)
        assert 'notify "/usr/libexec/keepalived/ha-pair-event" root' in block(printed(found), "vrrp_instance web")
        assert "notify_fifo" not in printed(found)
        assert found.description()["keepalived"] == {
            "ordered_events": False,
            "restores_addresses": False,
            "raise_noticed_after": 5.0,
        }

    def test_a_newer_one_writes_them_itself(self, pair: t.Any) -> None:
        assert "ha-pair-event" not in printed(pair.model(version="2.1.5"))


class TestDaemon:
    def test_what_it_does_not_know_has_another_word_or_none(self, pair: t.Any) -> None:
        head = block(printed(model(pair)), "global_defs")
        assert "vrrp_check_unicast_src\nvrrp_priority -15\nvrrp_no_swap" in head
        assert "rt_priority" not in head
        assert "vrrp_priority" not in printed(model(pair, keepalived_realtime_priority=0))

    def test_processes_are_refused(self, pair: t.Any) -> None:
        with pytest.raises(InputError) as refused:
            model(pair, {"track_processes": ["haproxy"]})
        assert str(refused.value).endswith(
            "track_processes.haproxy: keepalived 1.3.5 cannot watch processes; watch the systemd service (services) "
            "instead, or leave it out"
        )

    def test_takeovers_take_an_advert_longer(self, pair: t.Any) -> None:
        found = model(pair, {"advert_interval": 1})
        usual = pair.model({"advert_interval": 1})
        waits = [one.instances[0].master_down_interval for one in (found, usual)]
        assert waits[0] - waits[1] == pytest.approx(1)
        assert found.restart_delay - usual.restart_delay == pytest.approx(1)
        (summary,) = build_inventory(el7(pair.hosts({"advert_interval": 1}), "node-b"))[0]
        settings = summary.settings["web"]
        assert (settings.noticed_after, settings.takeover_delay) == (1.0, 1.0)
        # Of node-b, the slower one.
        assert settings.master_down_interval == pytest.approx(4 + 8 / 256)


class TestMixedPair:
    REFUSED = (
        "keepalived_instances.web.vrrp_version: 3 by unicast is not one protocol in this pair: keepalived 1.3.5 of {} "
        "drops the adverts of 2.2.7 of {} for their checksum, and both would own the VIPs; {}; or bring both nodes to "
        "one release"
    )
    CURE = "set vrrp_version: 2 (adverts at whole seconds), or multicast: true where the network lets it pass"

    @pytest.mark.parametrize(("old", "new"), [("node-a", "node-b"), ("node-b", "node-a")])
    def test_version_3_by_unicast_is_refused_on_both(self, pair: t.Any, old: str, new: str) -> None:
        for node in (old, new):
            with pytest.raises(InputError) as refused:
                build_node(el7(pair.hosts(), old), node)
            assert str(refused.value) == f"{node}: {self.REFUSED.format(old, new, self.CURE)}"

    def test_ipv6_knows_no_version_2(self, pair: t.Any) -> None:
        with pytest.raises(InputError) as refused:
            build_node(el7(pair.hosts({"vips": ["2001:db8::10"]}), "node-b"), "node-a")
        assert str(refused.value).endswith(
            "both would own the VIPs; set multicast: true; or bring both nodes to one release"
        )

    @pytest.mark.parametrize("spoken", [{"vrrp_version": 2}, {"multicast": True}])
    def test_ways_that_both_speak(self, pair: t.Any, spoken: dict[str, t.Any]) -> None:
        hosts = el7(pair.hosts(spoken), "node-b")
        assert [build_node(hosts, node).capabilities["version"] for node in hosts] == ["2.2.7", "1.3.5"]

    def test_what_was_found_on_the_peer_counts_more_than_its_package(self, pair: t.Any) -> None:
        hosts = el7(pair.hosts(), "node-b")
        hosts["node-b"]["__keepalived_survey"] = {"survey": {"keepalived": {"version": "2.2.8"}}}
        assert build_node(hosts, "node-a").peer == "node-b"
        hosts["node-b"]["__keepalived_survey"]["survey"]["keepalived"]["version"] = None
        with pytest.raises(InputError):
            build_node(hosts, "node-a")

    def test_nothing_is_said_of_a_peer_that_nobody_knows(self, pair: t.Any) -> None:
        hosts = pair.hosts()
        del hosts["node-b"]["ansible_facts"]
        assert build_node(hosts, "node-a").peer == "node-b"
        hosts["node-b"]["__keepalived_survey"] = {"survey": {"keepalived": {"version": "1.2.13"}}}
        assert build_node(hosts, "node-a").peer == "node-b"

    def test_versions_that_were_measured_together_mix_freely(self, pair: t.Any) -> None:
        for major in ("11", "13"):
            hosts = pair.hosts()
            hosts["node-b"]["ansible_facts"]["distribution_major_version"] = major
            assert build_node(hosts, "node-a").peer == "node-b"
