# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of an instance: VRRP version, password, multicast, sync groups, mail, raw lines."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.model import master_down_interval, skew_time

SECRET = "h3l10"


class TestVersion2:
    V2: t.ClassVar[dict[str, t.Any]] = {"vrrp_version": 2}

    def test_counts_whole_seconds_and_does_not_scale_the_skew(self, pair: t.Any) -> None:
        web = pair.instance(self.V2)
        assert (web.vrrp_version, web.advert_interval, web.preempt_delay) == (2, 1.0, 5.0)
        assert web.master_down_interval == pytest.approx(3 + 6 / 256, abs=1e-6)
        assert pair.instance({**self.V2, "advert_interval": "10"}).master_down_interval == pytest.approx(
            30 + 6 / 256, abs=1e-6
        )
        assert pair.instance({**self.V2, "profile": "conservative"}).advert_interval == 1.0

    def test_skew_of_both_versions(self) -> None:
        assert skew_time(128, 0.5) == 0.25
        assert skew_time(128, 0.5, 2) == 0.5
        assert master_down_interval(128, 4.0, 2) == 12.5

    def test_a_crashed_keepalived_waits_for_the_unscaled_skew_too(self, pair: t.Any) -> None:
        assert pair.model({**self.V2, "advert_interval": 10}).restart_delay == pytest.approx(
            30 + 8 / 256 + 0.25, abs=0.01
        )

    def test_the_password_stands_in_the_secrets_and_nowhere_else(self, pair: t.Any) -> None:
        model = pair.model({**self.V2, "auth_pass": SECRET})
        assert model.secrets == {"web": {"auth_pass": SECRET}}
        plain = model.to_dict()
        assert plain.pop("secrets") == {"web": {"auth_pass": SECRET}}
        assert SECRET not in str(plain)
        assert SECRET not in repr(model)

    @pytest.mark.parametrize(
        ("web", "message"),
        [
            ({"vrrp_version": 1}, "web.vrrp_version: 1 is not in 2..3; give 3, or 2 for a peer that needs it"),
            (
                {"vrrp_version": 2, "vips": ["2001:db8::10"]},
                "web.vrrp_version: is 2, and VRRPv2 knows no IPv6; take 3, or give the instance an IPv4 address",
            ),
            (
                {"vrrp_version": 2, "profile": "fast"},
                "web.profile: 'fast' has adverts every 0.1 s, and VRRPv2 counts whole seconds; leave it out, or take",
            ),
            (
                {"vrrp_version": 2, "profile": "balanced"},
                "web.profile: 'balanced' has adverts every 0.25 s, and VRRPv2 counts whole seconds; leave it out",
            ),
            (
                {"vrrp_version": 2, "advert_interval": 1.5},
                "web.advert_interval: 1.5 is not whole, and VRRPv2 counts whole seconds; give the whole seconds",
            ),
            (
                {"vrrp_version": 2, "advert_interval": 0.5},
                "web.advert_interval: 0.5 is not in 1..255 seconds; give the",
            ),
            (
                {"vrrp_version": 2, "advert_interval": 256},
                "web.advert_interval: 256 is not in 1..255 seconds; give the",
            ),
            (
                {"advert_interval": 41},
                "web.advert_interval: 41 is not in 0.05..40.95 seconds; give the seconds between",
            ),
        ],
    )
    def test_refuses(self, pair: t.Any, web: dict[str, t.Any], message: str) -> None:
        assert message in pair.refusal(web)


@pytest.mark.parametrize(
    ("web", "message"),
    [
        (
            {"auth_pass": SECRET},
            "web.auth_pass: means nothing in VRRPv3, which has no authentication; remove it (unicast and firewall",
        ),
        (
            {"vrrp_version": 2, "auth_pass": SECRET * 2},
            "web.auth_pass: has 10 characters, and VRRPv2 sends 8; give 1 to 8",
        ),
        ({"vrrp_version": 2, "auth_pass": ""}, "web.auth_pass: has 0 characters, and VRRPv2 sends 8; give 1 to 8"),
        (
            {"vrrp_version": 2, "auth_pass": f'{SECRET}"'},
            "web.auth_pass: holds a double quote, a backslash, a blank at an end or what is not printable ASCII; use",
        ),
        ({"vrrp_version": 2, "auth_pass": f"{SECRET}\\"}, "web.auth_pass: holds a double quote, a backslash, a blank"),
        ({"vrrp_version": 2, "auth_pass": f"{SECRET} "}, "web.auth_pass: holds a double quote, a backslash, a blank"),
        ({"vrrp_version": 2, "auth_pass": f"{SECRET}é"}, "web.auth_pass: holds a double quote, a backslash, a blank"),
        (
            {"vrrp_version": 2, "auth_pass": [SECRET]},
            "web.auth_pass: is a list, not a string; give 1 to 8 characters in quotes, best from a vault",
        ),
        ({"options": [f'auth_pass "{SECRET}"']}, "web.options[0]: 'auth_pass' belongs to the model; set auth_pass of"),
        ({"options": [f"nothing {SECRET} }}"]}, "web.options[0]: has braces that do not match"),
        ({"options": f"auth_pass {SECRET}"}, "web.options: is a string, not a list; give a list of lines"),
    ],
)
def test_no_refusal_shows_a_password(pair: t.Any, web: dict[str, t.Any], message: str) -> None:
    text = pair.refusal(web)
    assert message in text
    assert SECRET not in text


def test_a_number_as_a_password_is_refused_without_showing_it(pair: t.Any) -> None:
    text = pair.refusal({"vrrp_version": 2, "auth_pass": 87654321})
    assert "web.auth_pass: is an integer, not a string" in text
    assert "87654321" not in text


@pytest.mark.parametrize("given", [[{"web": {"auth_pass": SECRET}}], {"web": [{"auth_pass": SECRET}]}])
def test_instances_of_a_wrong_type_are_refused_without_showing_a_password(pair: t.Any, given: object) -> None:
    text = pair.refusal(keepalived_instances=given)
    assert "not a dictionary" in text
    assert SECRET not in text


def test_members_with_two_passwords_are_refused_without_showing_one(pair: t.Any) -> None:
    def change(hosts: dict[str, dict[str, t.Any]]) -> None:
        hosts["node-b"]["keepalived_instances"]["web"]["auth_pass"] = "0th3r"

    text = pair.refusal({"vrrp_version": 2, "auth_pass": SECRET}, change=change)
    assert "node-b: keepalived_instances.web.auth_pass: differs from that of node-a; say the same for node-a" in text
    assert SECRET not in text
    assert "0th3r" not in text


def test_a_vaulted_password_of_an_older_ansible_core_is_taken(pair: t.Any) -> None:
    def decrypted(_self: object) -> str:
        return SECRET

    vaulted = type("AnsibleVaultEncryptedUnicode", (), {"__str__": decrypted})
    assert pair.model({"vrrp_version": 2, "auth_pass": vaulted()}).secrets == {"web": {"auth_pass": SECRET}}


class TestNopreempt:
    def test_is_refused_with_the_mode_that_does_it(self, pair: t.Any) -> None:
        text = pair.refusal({"nopreempt": True})
        assert text.endswith("web.nopreempt: belongs to the model; set mode: sticky for a node that keeps the VIP")
        assert "unknown key" not in text

    def test_with_weights_never_moves_the_vip(self, pair: t.Any) -> None:
        assert (
            "web.nopreempt: never moves the VIP by a weight (node-a: keepalived_instances.web.witnesses.gateway."
            "weight): the standby would accept adverts of any priority; remove it; mode: sticky lets a node keep the"
        ) in pair.refusal({"nopreempt": True, "witnesses": {"gateway": {"ping": "192.0.2.1"}}})

    def test_as_a_raw_line_is_refused_too(self, pair: t.Any) -> None:
        assert "web.options[0]: 'nopreempt' belongs to the model; set mode: sticky" in pair.refusal(
            {"options": ["nopreempt"]}
        )


class TestMulticast:
    def test_keeps_source_and_peer_for_firewall_and_status(self, pair: t.Any) -> None:
        web = pair.instance({"multicast": "true"})
        assert (web.multicast, web.source, web.peers) == (True, "192.0.2.11", ["192.0.2.12"])

    def test_refuses_what_is_no_boolean(self, pair: t.Any) -> None:
        assert "web.multicast: 'x' is not a boolean; give true or false" in pair.refusal({"multicast": "x"})


class TestSyncGroup:
    GROUP: t.ClassVar[dict[str, t.Any]] = {"sync_group": "both"}
    OTHER: t.ClassVar[dict[str, t.Any]] = {"vrid": 52, "vips": ["2001:db8::20"], "sync_group": "both"}

    def test_watches_files_scripts_and_interfaces_for_its_members(self, pair: t.Any) -> None:
        web = {
            **self.GROUP,
            "services": {"nginx": {"health_url": "http://127.0.0.1/"}},
            "track_interfaces": ["eth1"],
            "track_processes": ["sshd"],
        }
        model = pair.model(web, six={**self.OTHER, "services": ["mail"]})
        (group,) = model.sync_groups
        assert (group.name, group.instances) == ("both", ["web", "six"])
        assert [file.tracker for file in group.tracking.files] == [
            "service_nginx",
            "failing_nginx",
            "service_mail",
            "raise_both",
        ]
        assert group.tracking.scripts == ["check_nginx"]
        assert [interface.name for interface in group.tracking.interfaces] == ["eth1"]
        assert group.tracking.processes == []
        first, second = (instance.tracking for instance in model.instances)
        assert (first.files, first.scripts, first.interfaces) == ([], [], [])
        assert [process.name for process in first.processes] == ["sshd"]
        assert second.processes == []
        assert [instance.sync_group for instance in model.instances] == ["both", "both"]

    def test_is_raised_as_a_whole(self, pair: t.Any) -> None:
        model = pair.model(self.GROUP, six=self.OTHER, alone={"vrid": 53, "vips": ["192.0.2.30"]})
        ours = [file for file in model.track_files if file.tracker.startswith("raise_")]
        assert [(file.tracker, file.file, file.weight, file.reverse) for file in ours] == [
            ("raise_both", "/run/keepalived/ha-pair/raise/both", 4, False),
            ("raise_alone", "/run/keepalived/ha-pair/raise/alone", 4, False),
        ]
        assert [instance.raise_file for instance in model.instances] == [ours[0].file, ours[0].file, ours[1].file]
        described = model.description()["instances"]
        assert [described[name]["raise_file"] for name in ("web", "six", "alone")] == [
            instance.raise_file for instance in model.instances
        ]
        # keepalived 2.1.5 would ignore a file of a member: the group watches it, and nobody else.
        (group,) = model.sync_groups
        assert group.tracking.files == ours[:1]
        assert [instance.tracking.files for instance in model.instances] == [[], [], ours[1:]]

    def test_refuses_names_whose_raise_files_keepalived_could_not_tell_apart(self, pair: t.Any) -> None:
        assert (
            "node-a: keepalived_instances: names: 'we-b' and 'we_b' differ in punctuation only, which keepalived's "
            "names do not keep; rename one of the two instances or groups"
        ) in pair.refusal(
            **{"we-b": {"vrid": 52, "vips": ["192.0.2.20"]}, "we_b": {"vrid": 53, "vips": ["192.0.2.21"]}}
        )

    def test_refuses_a_group_of_one(self, pair: t.Any) -> None:
        assert (
            "web.sync_group: 'both' has this instance only, and keepalived refuses a group of one; name the group in"
        ) in pair.refusal(self.GROUP)

    def test_refuses_a_name_that_is_none(self, pair: t.Any) -> None:
        assert "web.sync_group: 'a b' is not a name; start with a letter" in pair.refusal({"sync_group": "a b"})
        assert "web.sync_group: is an integer (7), not a string" in pair.refusal({"sync_group": 7})

    @pytest.mark.parametrize(
        ("other", "message"),
        [
            (
                {"mode": "sticky"},
                "six.mode: 'sticky' differs from 'preferred' of web in the sync group 'both'; give the",
            ),
            ({"preferred": "node-b"}, "six.preferred: 'node-b' differs from 'node-a' of web in the sync group 'both'"),
            (
                {"priorities": {"node-a": 200, "node-b": 199}},
                "six.priorities: (200, 199) differs from (250, 248) of web in the sync group 'both'",
            ),
        ],
    )
    def test_refuses_members_that_pull_to_and_fro(self, pair: t.Any, other: dict[str, t.Any], message: str) -> None:
        assert message in pair.refusal(self.GROUP, six={**self.OTHER, **other})

    @pytest.mark.parametrize(
        ("option", "value", "where"),
        [
            ("track_interfaces", {"eth1": {"weight": -20}}, "track_interfaces.eth1.weight"),
            ("track_processes", {"sshd": {"weight": -20}}, "track_processes.sshd.weight"),
            ("witnesses", {"gateway": {"ping": "192.0.2.1"}}, "witnesses.gateway.weight"),
        ],
    )
    def test_refuses_weights_because_keepalived_ignores_them(
        self, pair: t.Any, option: str, value: object, where: str
    ) -> None:
        assert (
            f"web.{where}: -20 has no effect in the sync group 'both': keepalived ignores weights there; take the"
        ) in pair.refusal({**self.GROUP, option: value}, six=self.OTHER)


class TestMail:
    SMTP: t.ClassVar[dict[str, t.Any]] = {"server": "192.0.2.25", "from": "ha@example.org", "to": ["a@example.org"]}

    def test_is_sent_for_every_instance_that_does_not_say_no(self, pair: t.Any) -> None:
        model = pair.model(keepalived_smtp=self.SMTP, quiet={"vrid": 52, "vips": ["192.0.2.20"], "smtp_alert": False})
        assert [instance.smtp_alert for instance in model.instances] == [True, False]
        assert [instance.smtp_alert for instance in pair.model().instances] == [False]

    def test_refuses_mail_without_a_server(self, pair: t.Any) -> None:
        assert "web.smtp_alert: has nowhere to send to; set keepalived_smtp, or leave it out" in pair.refusal(
            {"smtp_alert": True}
        )


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (
            {"vrrp_version": 2},
            "node-b: keepalived_instances.web.vrrp_version: 2 differs from 3 of node-a; say the same",
        ),
        ({"multicast": True}, "node-b: keepalived_instances.web.multicast: True differs from False of node-a; say the"),
        (
            {"vips": [{"address": "192.0.2.10"}, {"address": "192.0.2.13", "excluded": True}]},
            "node-b: keepalived_instances.web.vips: 192.0.2.10, 192.0.2.13 (excluded) differs from 192.0.2.10 of",
        ),
        (
            {"track_interfaces": {"eth1": {"weight": -20}}},
            "node-b: keepalived_instances.web.track_interfaces: weights [-20] differ from [] of node-a; say the same",
        ),
        (
            {"track_processes": {"sshd": {"weight": -20}}},
            "node-b: keepalived_instances.web.track_processes: weights [-20] differ from [] of node-a; say the same",
        ),
        (
            {"witnesses": {"gateway": {"ping": "192.0.2.1"}}},
            "node-b: keepalived_instances.web.witnesses: weights [-20] differ from [] of node-a; say the same",
        ),
        ({"advert_interval": 2}, "node-b: keepalived_instances.web.advert_interval: 2.0 differs from 0.25 of node-a"),
    ],
)
def test_refuses_members_that_disagree(pair: t.Any, theirs: dict[str, t.Any], message: str) -> None:
    assert message in pair.refusal(change=lambda hosts: hosts["node-b"]["keepalived_instances"]["web"].update(theirs))


def test_refuses_members_of_different_sync_groups(pair: t.Any) -> None:
    def change(hosts: dict[str, dict[str, t.Any]]) -> None:
        for instance in hosts["node-b"]["keepalived_instances"].values():
            instance["sync_group"] = "others"

    text = pair.refusal(TestSyncGroup.GROUP, six=TestSyncGroup.OTHER, change=change)
    assert "node-b: keepalived_instances.web.sync_group: 'others' differs from 'both' of node-a; say the same" in text


def test_interfaces_may_have_other_names_on_the_other_node(pair: t.Any) -> None:
    def change(hosts: dict[str, dict[str, t.Any]]) -> None:
        hosts["node-b"]["keepalived_instances"]["web"]["track_interfaces"] = {"ens4": {"weight": -20}}

    web = pair.instance({"track_interfaces": {"eth1": {"weight": -20}}}, change=change)
    assert [(tracked.name, tracked.weight) for tracked in web.track_interfaces] == [("eth1", -20)]
