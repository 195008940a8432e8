# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every word of every configuration is one that its keepalived knows."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.filter.keepalived_words import keepalived_words
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.capabilities import PACKAGED_VERSION
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.known_words import (
    UnknownWord,
    known_words,
    listed_versions,
    unknown_words,
)

from .test_config_template import printed

VERSIONS = ["1.3.5", "2.1.5", "2.2.4", "2.2.7", "2.2.8", "2.3.3"]
SMTP = {
    "server": "192.0.2.25",
    "from": "ha@example.org",
    "to": ["a@example.org"],
    "helo_name": "a.example.org",
    "connect_timeout": 9,
}
SECOND = {"vrid": 52, "vips": ["192.0.2.20"]}
FEATURES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "plain": ({}, {}),
    "services": ({"services": {"nginx": {"health_url": "http://127.0.0.1/"}, "sshd": {}}}, {}),
    "check without prober": ({"services": {"db": {"health_tcp": "127.0.0.1:5432", "probe": False}}}, {}),
    "version 2 with a password": ({"vrrp_version": 2, "auth_pass": "a#b {c}!"}, {}),
    "multicast": ({"multicast": True}, {}),
    "sticky": ({"mode": "sticky"}, {}),
    "IPv6": ({"vips": ["2001:db8::10"]}, {}),
    "both families": ({"vips": ["192.0.2.10", "2001:db8::10"]}, {}),
    "excluded": ({"vips": ["192.0.2.10", {"address": "192.0.2.30", "excluded": True}]}, {}),
    "witnesses": ({"witnesses": {"gateway": {"ping": "192.0.2.1"}, "db": {"tcp": "192.0.2.9:5432"}}}, {}),
    "interfaces": ({"track_interfaces": {"eth1": {"weight": -20}}}, {}),
    "mail": ({}, {"keepalived_smtp": SMTP}),
    "two instances": ({}, {"two": SECOND}),
    "sync group": (
        {"sync_group": "both", "services": ["nginx"], "track_interfaces": ["eth1"]},
        {"two": {**SECOND, "sync_group": "both", "services": ["nginx"]}},
    ),
    "no real time": ({}, {"keepalived_realtime_priority": 0}),
    "hook": ({}, {"keepalived_notify_command": ["/usr/local/bin/told"]}),
    "raw lines": (
        {"options": ["garp_master_repeat 3", "virtual_routes {\n    198.51.100.0/24 via 192.0.2.1\n}"]},
        {"keepalived_global_options": ["vrrp_skip_check_adv_addr"]},
    ),
}


def test_every_packaged_version_has_a_list() -> None:
    assert listed_versions() == VERSIONS
    assert set(PACKAGED_VERSION.values()) <= set(VERSIONS)
    for version in VERSIONS:
        words = known_words(version)
        assert words is not None
        assert len(words) > 170
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+", word) for word in words)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("feature", FEATURES)
def test_no_version_is_told_what_it_does_not_know(pair: t.Any, version: str, feature: str) -> None:
    web, others = FEATURES[feature]
    for node in ("node-a", "node-b"):
        assert unknown_words(printed(pair.model(web, node, version, **others)), version) == []


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_processes(pair: t.Any, version: str) -> None:
    tracked = {"haproxy": {}, "app": {"full_command": "/usr/bin/app -x", "quorum": 2, "weight": -10}}
    assert unknown_words(printed(pair.model({"track_processes": tracked}, version=version)), version) == []


def test_words_are_found_with_their_lines() -> None:
    text = """global_defs {
    router_id x  # vrrp_notify_fifo in a comment
    vrrp_notify_fifo /run/x
}
track_file one {
    file /run/one
}
vrrp_instance web {
    virtual_ipaddress {
        192.0.2.10/24 dev eth0
    }
    authentication { auth_type PASS
        auth_pass "no { word"
    }
    track_file {
        one weight 0
    }
    no_such_word 1
}
"""
    since = ("2.1.5", "2.2.4", "2.2.7", "2.2.8", "2.3.3")
    assert unknown_words(text, "1.3.5") == [
        UnknownWord(3, "vrrp_notify_fifo", since),
        UnknownWord(5, "track_file", since),
        UnknownWord(6, "file", since),
        UnknownWord(15, "track_file", since),
        UnknownWord(18, "no_such_word", ()),
    ]
    assert unknown_words(text, "2.2.7") == [UnknownWord(18, "no_such_word", ())]


def test_nothing_is_said_of_a_version_without_a_list() -> None:
    assert known_words("2.4.3") is None
    assert unknown_words("no_such_word 1", "2.4.3") == []


def test_the_filter_refuses_what_is_not_known_and_shows_no_value() -> None:
    good = "global_defs {\n    router_id x\n}\n"
    assert keepalived_words(good, "1.3.5") == good
    with pytest.raises(AnsibleFilterError) as refused:
        keepalived_words("vrrp_instance web {\n    unicast_ttl 3\n    secrt s3cret\n}\n", "1.3.5")
    assert str(refused.value) == (
        "duplex.ha_pair.keepalived_words refuses this configuration:\n"
        "line 2: 'unicast_ttl' is no word of keepalived 1.3.5; known to 2.1.5, 2.2.4, 2.2.7, 2.2.8, 2.3.3\n"
        "line 3: 'secrt' is no word of keepalived 1.3.5; known to no version that is supported"
    )
    with pytest.raises(AnsibleFilterError, match="expects the text of a configuration, not list"):
        keepalived_words([], "1.3.5")


class TestRawLines:
    def test_of_an_instance_are_refused_by_version(self, pair: t.Any) -> None:
        options = {"options": ["garp_master_repeat 3", "garp_extra_if 5"]}
        assert pair.refusal(options, version="2.1.5") == (
            "node-a: keepalived_instances.web.options: 'garp_extra_if' is no word of keepalived 2.1.5 on node-a "
            "(known to 2.2.4, 2.2.7, 2.2.8, 2.3.3); correct or remove it"
        )
        assert pair.model(options, version="2.2.7").instances[0].options == options["options"]

    def test_of_the_daemon_are_refused_by_version(self, pair: t.Any) -> None:
        assert pair.refusal(keepalived_global_options=["vrrp_startup_delya 2"], version="2.2.7") == (
            "node-a: keepalived_global_options: 'vrrp_startup_delya' is no word of keepalived 2.2.7 on node-a "
            "(known to no version that is supported); correct or remove it"
        )

    def test_a_block_of_data_holds_no_words(self, pair: t.Any) -> None:
        routes = "virtual_routes {\n    198.51.100.0/24 via 192.0.2.1\n}"
        assert pair.model({"options": [routes]}, version="2.2.7").instances[0].options[0] == "virtual_routes {"
