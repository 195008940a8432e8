# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx is told for a model, line by line."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import jinja2
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nginx.sites import build_sites

TEMPLATE = Path(__file__).resolve().parents[5] / "roles/nginx/templates/sites.conf.j2"
HOSTS = {"app-1": {"ansible_host": "192.0.2.21"}, "app-2": {"ansible_host": "192.0.2.22"}}


def printed(upstream: dict[str, object] | None = None, site: dict[str, object] | None = None, **given: t.Any) -> str:
    """The template as Ansible prints it, for a pool of two hosts with what is given."""
    whole = {"name": "app", "upstream": {"hosts": ["app-1", "app-2"], "port": 8080, **(upstream or {})}, **(site or {})}
    model = build_sites(
        [whole],
        node_name="node-a",
        node_header="X-HA-Pair-Node",
        health_path="/ha-pair/health",
        health_url="http://127.0.0.1/ha-pair/health",
        upstream_hosts=HOSTS,
        **given,
    )
    environment = jinja2.Environment(
        trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined, autoescape=False
    )
    environment.filters["comment"] = lambda text: f"# {text}"
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        ansible_managed="managed", __nginx_model=model.to_dict()
    )


def block(text: str, head: str) -> list[str]:
    """The lines of the block that starts with `head`, without comments and indentation."""
    found = re.search(rf"^( *){re.escape(head)} \{{\n(.*?)^\1\}}$", text, re.MULTILINE | re.DOTALL)
    assert found, f"{head} is not printed"
    return [line.strip() for line in found[2].splitlines() if line.strip() and not line.strip().startswith("#")]


def test_a_pool() -> None:
    assert block(printed(), "upstream ha_pair_app") == [
        "zone ha_pair_app 256k;",
        "server 192.0.2.21:8080 max_fails=1 fail_timeout=3s;",
        "server 192.0.2.22:8080 max_fails=1 fail_timeout=3s;",
        "keepalive 16;",
        "keepalive_timeout 15s;",
    ]
    # nginx wants the method before keepalive.
    assert block(printed({"method": "least_conn", "keepalive": 0}), "upstream ha_pair_app") == [
        "zone ha_pair_app 256k;",
        "least_conn;",
        "server 192.0.2.21:8080 max_fails=1 fail_timeout=3s;",
        "server 192.0.2.22:8080 max_fails=1 fail_timeout=3s;",
    ]


def test_how_requests_are_passed_on() -> None:
    assert block(printed({"read_timeout": 5}), "location /") == [
        "proxy_pass http://ha_pair_app;",
        "proxy_http_version 1.1;",
        'proxy_set_header Connection "";',
        "proxy_set_header Host $http_host;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
        "proxy_set_header X-Forwarded-Host $http_host;",
        "proxy_set_header X-Forwarded-Port $server_port;",
        'proxy_set_header Forwarded "";',
        "proxy_connect_timeout 1s;",
        "proxy_read_timeout 5s;",
        "proxy_next_upstream error timeout http_502 http_503;",
        "proxy_next_upstream_tries 3;",
        "proxy_next_upstream_timeout 10s;",
        "proxy_hide_header X-HA-Pair-Node;",
    ]


def test_nothing_is_printed_that_is_not_asked_for() -> None:
    text = printed()
    assert not re.search(r"^(map|geo) ", text, re.MULTILINE)
    assert not re.search(r"real_ip|client_max_body_size|Upgrade|non_idempotent;", text)
    assert "\n\n\n" not in text
    assert text.count("{") == text.count("}")


def test_websockets_leave_other_connections_open() -> None:
    text = printed({"websocket": True})
    # With "close" there, as one often reads, no connection to a server would be kept.
    assert block(text, "map $http_upgrade $ha_pair_connection") == ['default "";', "~*^websocket$ upgrade;"]
    assert block(text, "map $http_upgrade $ha_pair_upgrade") == ['default "";', "~*^websocket$ websocket;"]
    lines = block(text, "location /")
    assert "proxy_set_header Upgrade $ha_pair_upgrade;" in lines
    assert "proxy_set_header Connection $ha_pair_connection;" in lines
    assert 'proxy_set_header Connection "";' not in lines
    assert "\n\n\n" not in text


def test_what_proxies_in_front_say_is_believed_of_them_only() -> None:
    text = printed(real_ip_from=["198.51.100.0/24", "2001:db8::5"])
    assert block(text, "geo $realip_remote_addr $ha_pair_front") == [
        "default 0;",
        "198.51.100.0/24 1;",
        "2001:db8::5/128 1;",
    ]
    server = block(text, "server")
    start = server.index("set_real_ip_from 198.51.100.0/24;")
    assert server[start : start + 4] == [
        "set_real_ip_from 198.51.100.0/24;",
        "set_real_ip_from 2001:db8::5/128;",
        "real_ip_header X-Forwarded-For;",
        "real_ip_recursive on;",
    ]
    lines = block(text, "location /")
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in lines
    assert "proxy_set_header X-Forwarded-Proto $ha_pair_proto;" in lines
    assert "proxy_set_header X-Forwarded-Host $ha_pair_host;" in lines
    assert "proxy_set_header X-Forwarded-Port $ha_pair_port;" in lines
    assert block(text, "map $ha_pair_front$http_x_forwarded_proto $ha_pair_proto") == [
        "default $scheme;",
        "1http http;",
        "1https https;",
    ]
    assert "\n\n\n" not in text


def test_a_site_of_files_needs_no_maps() -> None:
    text = printed(site={"upstream": None, "root": "/var/www/web"}, real_ip_from=["198.51.100.0/24"])
    assert "set_real_ip_from 198.51.100.0/24;" in text
    assert "map " not in text
    assert "geo " not in text


def test_the_size_of_a_body() -> None:
    assert "client_max_body_size 20m;" in block(printed(site={"client_max_body_size": "20m"}), "server")


def test_a_drained_host_is_down() -> None:
    assert block(printed(upstream_drained=["app-2"]), "upstream ha_pair_app")[1:3] == [
        "server 192.0.2.21:8080 max_fails=1 fail_timeout=3s;",
        "server 192.0.2.22:8080 max_fails=1 fail_timeout=3s down;",
    ]
