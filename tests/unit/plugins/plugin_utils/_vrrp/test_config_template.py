# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keepalived.conf says for a model, block by block."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import jinja2
import pytest

TEMPLATES = Path(__file__).resolve().parents[5] / "roles/keepalived/templates"


def printed(model: t.Any, template: str = "keepalived.conf.j2") -> str:
    """The template as Ansible prints it."""
    environment = jinja2.Environment(
        trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined, autoescape=False
    )
    environment.filters["comment"] = lambda text: f"# {text}"
    plain = model.to_dict()
    return environment.from_string((TEMPLATES / template).read_text(encoding="utf-8")).render(
        ansible_managed="managed",
        __keepalived_marker="duplex.ha_pair",
        __keepalived_secrets=plain.pop("secrets"),
        __keepalived_model=plain,
    )


def block(text: str, head: str) -> str:
    """The lines of the block that starts with `head`, without indentation."""
    found = re.search(rf"^( *){re.escape(head)} \{{\n(.*?)^\1\}}$", text, re.MULTILINE | re.DOTALL)
    assert found, f"{head} is not printed"
    return "\n".join(line.strip() for line in found[2].splitlines())


def test_braces_match_and_no_line_is_left_over(pair: t.Any) -> None:
    text = printed(pair.model({"services": ["nginx"]}))
    assert text.count("{") == text.count("}")
    assert "\n\n\n" not in text


def test_ipv6_addresses_of_an_ipv4_instance_are_excluded(pair: t.Any) -> None:
    web = block(printed(pair.model({"vips": ["192.0.2.10", "2001:db8::10"]})), "vrrp_instance web")
    assert (
        "virtual_ipaddress {\n192.0.2.10/24 dev eth0\n}\nvirtual_ipaddress_excluded {\n2001:db8::10/64 dev eth0\n}"
        in web
    )
    assert "excluded" not in printed(pair.model())


def test_ipv6_instance_speaks_ipv6(pair: t.Any) -> None:
    web = block(printed(pair.model({"vips": ["2001:db8::10"]})), "vrrp_instance web")
    assert "unicast_src_ip 2001:db8::11\nunicast_peer {\n2001:db8::12\n}" in web


def test_multicast_has_a_source_and_no_peers(pair: t.Any) -> None:
    web = block(printed(pair.model({"multicast": True})), "vrrp_instance web")
    assert "mcast_src_ip 192.0.2.11\n" in web
    assert "unicast" not in web


def test_version_2_quotes_its_password(pair: t.Any) -> None:
    text = printed(pair.model({"vrrp_version": 2, "auth_pass": "a#b!{}c"}, six={"vrid": 52, "vips": ["2001:db8::10"]}))
    web = block(text, "vrrp_instance web")
    assert "version 2\n" in web
    assert "advert_int 1\n" in web
    assert 'authentication {\nauth_type PASS\nauth_pass "a#b!{}c"\n}' in web
    assert text.count("auth_pass") == 1


def test_probed_service_has_two_files_that_fail_in_opposite_ways(pair: t.Any) -> None:
    text = printed(pair.model({"services": {"nginx": {"health_url": "http://127.0.0.1/"}}}))
    assert block(text, "track_file service_nginx") == "file /run/keepalived/ha-pair/track/nginx\nweight 0 reverse"
    assert block(text, "track_file failing_nginx") == "file /run/keepalived/ha-pair/failing/nginx\nweight 0"
    web = block(text, "vrrp_instance web")
    assert (
        "track_file {\nservice_nginx weight 0 reverse\nfailing_nginx weight 0\nraise_web weight 4\n}\n"
        "track_script {\ncheck_nginx\n}"
    ) in web


def test_every_instance_has_a_file_that_raises_it(pair: t.Any) -> None:
    text = printed(pair.model(mail={"vrid": 52, "vips": ["192.0.2.20"]}))
    for name in ("web", "mail"):
        assert block(text, f"track_file raise_{name}") == f"file /run/keepalived/ha-pair/raise/{name}\nweight 4"
        assert f"track_file {{\nraise_{name} weight 4\n}}" in block(text, f"vrrp_instance {name}")


def test_all_that_is_watched_is_printed_with_its_weight(pair: t.Any) -> None:
    text = printed(
        pair.model(
            {
                "witnesses": {"gateway": {"ping": "192.0.2.1"}},
                "track_interfaces": {"eth1": {"weight": -30}},
                "track_processes": {"sshd": {}, "app": {"full_command": "/usr/bin/app -x", "quorum": 2, "weight": -10}},
            }
        )
    )
    assert block(text, "track_file witness_gateway") == (
        "file /run/keepalived/ha-pair/failing/witness.gateway\nweight -20"
    )
    assert block(text, "vrrp_track_process process_sshd") == 'process "sshd"\nquorum 1\nweight 0'
    assert block(text, "vrrp_track_process process_app") == (
        'process "/usr/bin/app" "-x"\nfull_command\nquorum 2\nweight -10'
    )
    web = block(text, "vrrp_instance web")
    assert "track_file {\nwitness_gateway weight -20\nraise_web weight 4\n}" in web
    assert "track_interface {\neth1 weight -30\n}" in web
    assert "track_process {\nprocess_sshd weight 0\nprocess_app weight -10\n}" in web


def test_sync_group_tracks_files_and_its_members_processes(pair: t.Any) -> None:
    text = printed(
        pair.model(
            {"sync_group": "both", "services": ["nginx"], "track_processes": ["sshd"]},
            six={"vrid": 52, "vips": ["2001:db8::20"], "sync_group": "both"},
        )
    )
    assert block(text, "vrrp_sync_group both") == (
        "group {\nweb\nsix\n}\ntrack_file {\nservice_nginx weight 0 reverse\nraise_both weight 4\n}"
    )
    assert block(text, "track_file raise_both") == "file /run/keepalived/ha-pair/raise/both\nweight 4"
    assert text.count("track_file raise_") == 1
    web = block(text, "vrrp_instance web")
    assert "track_process {\nprocess_sshd weight 0\n}" in web
    assert "track_file" not in web


def test_settings_of_the_daemon(pair: t.Any) -> None:
    text = printed(
        pair.model(
            {"options": ["garp_master_repeat 3"]},
            keepalived_router_id="lb-1",
            keepalived_global_options=["vrrp_startup_delay 2"],
            keepalived_smtp={
                "server": "[2001:db8::25]:2525",
                "from": "ha@example.org",
                "to": ["a@example.org", "b@example.org"],
                "helo_name": "node-a.example.org",
                "connect_timeout": 10,
            },
        )
    )
    assert block(text, "global_defs").endswith(
        "notification_email {\na@example.org\nb@example.org\n}\nnotification_email_from ha@example.org\n"
        "smtp_server 2001:db8::25 2525\nsmtp_connect_timeout 10\nsmtp_helo_name node-a.example.org\n"
        "vrrp_startup_delay 2"
    )
    assert "router_id lb-1\n" in block(text, "global_defs")
    assert block(text, "vrrp_instance web").endswith("smtp_alert\ngarp_master_repeat 3")
    assert "smtp" not in printed(pair.model())


@pytest.mark.parametrize("given", ["", "-D -S 3"])
def test_options_file_of_the_daemon(pair: t.Any, given: str) -> None:
    assert f'\nDAEMON_ARGS="{given}"\n' in printed(pair.model(keepalived_daemon_options=given), "daemon_options.j2")
