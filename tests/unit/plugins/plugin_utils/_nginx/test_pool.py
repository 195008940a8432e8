# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts of the inventory become as servers behind a site, and every word in which they are refused."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nginx.pool import Neighbours, address_variables
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nginx.upstream import Upstream, read_upstream
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader

PLACE = "nginx_sites[0].upstream"
HOSTS: dict[str, dict[str, object]] = {
    "app-1": {"ansible_host": "192.0.2.21"},
    "app-2": {"ansible_host": "192.0.2.22"},
}
ADDRESS_CURE = "give nginx_upstream_address for this host, such as 192.0.2.21"
HOSTS_CURE = "give names of the inventory such as [app-1, app-2], and port"
MEMBER_CURE = "give a name of the inventory such as app-1, or {name: app-1, weight: 2}"
PORT_CURE = "give the port of the application, such as 8080"


def read(
    *, known: dict[str, dict[str, object]] | None = None, drained: tuple[str, ...] = (), **given: object
) -> tuple[Upstream | None, list[str]]:
    """The group and the refusals."""
    reader = Reader()
    hosts = HOSTS if known is None else known
    found = read_upstream(reader, PLACE, given, "app", Neighbours("node-a", hosts, ("node-a", *hosts), drained))
    return found, [str(problem) for problem in reader.problems]


def servers(**given: t.Any) -> tuple[str, ...]:
    """What nginx is told of a group that is not refused."""
    found, problems = read(**given)
    assert problems == []
    assert found is not None
    return found.servers


def test_names_are_enough() -> None:
    assert servers(hosts=["app-1", "app-2"], port=8080) == (
        "192.0.2.21:8080 max_fails=1 fail_timeout=3s",
        "192.0.2.22:8080 max_fails=1 fail_timeout=3s",
    )


def test_a_host_may_differ() -> None:
    given = [{"name": "app-1", "weight": 2, "max_fails": 0, "fail_timeout": 10}, {"name": "app-2", "port": "8081"}]
    assert servers(hosts=given, port=8080) == (
        "192.0.2.21:8080 weight=2 max_fails=0 fail_timeout=10",
        "192.0.2.22:8081 max_fails=1 fail_timeout=3s",
    )
    assert servers(hosts=[{"name": "app-1", "port": 8080}, {"name": "app-2", "port": 8081, "backup": True}])[1] == (
        "192.0.2.22:8081 max_fails=1 fail_timeout=3s backup"
    )


def test_servers_may_stand_beside_hosts() -> None:
    assert servers(hosts=["app-1"], port=8080, servers=["127.0.0.1:8082 backup"]) == (
        "192.0.2.21:8080 max_fails=1 fail_timeout=3s",
        "127.0.0.1:8082 backup",
    )


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({"ansible_host": "192.0.2.21"}, "192.0.2.21"),
        ({"ansible_host": "app-1.example.com", "keepalived_address": "192.0.2.31"}, "192.0.2.31"),
        ({"keepalived_address": "192.0.2.31", "nginx_upstream_address": "192.0.2.41"}, "192.0.2.41"),
        ({"ansible_host": "192.0.2.21", "nginx_upstream_address": "", "keepalived_address": None}, "192.0.2.21"),
        ({"nginx_upstream_address": "2001:DB8:0::21"}, "[2001:db8::21]"),
    ],
)
def test_where_an_address_comes_from(variables: dict[str, object], address: str) -> None:
    assert servers(known={"app-1": variables}, hosts=["app-1"], port=8080)[0].startswith(f"{address}:8080 ")


def test_a_node_may_ask_itself() -> None:
    assert servers(known={"node-a": {"ansible_host": "127.0.0.1"}}, hosts=["node-a"], port=8080) == (
        "127.0.0.1:8080 max_fails=1 fail_timeout=3s",
    )


def test_a_backup_stands_in_for_a_host_that_is_drained() -> None:
    given = {"hosts": ["app-1", {"name": "app-2", "backup": True}], "port": 8080}
    assert servers(**given, drained=("app-1",)) == (
        "192.0.2.21:8080 max_fails=1 fail_timeout=3s down",
        "192.0.2.22:8080 max_fails=1 fail_timeout=3s backup",
    )
    assert (
        servers(hosts=[{"name": "app-1", "down": True}, "app-2"], port=8080, drained=("app-1",))[0].count("down") == 1
    )


def test_only_variables_of_hosts_in_pools_are_read() -> None:
    sites = [
        {"name": "web", "root": "/var/www/web"},
        {"name": "app", "upstream": {"hosts": ["app-1", {"name": "app-2", "weight": 2}, "app-9", 7]}},
        {"name": "shop", "upstream": {"hosts": ["app-1"], "servers": ["192.0.2.50"]}},
        {"name": "odd", "upstream": "app-3"},
        "app-4",
    ]
    inventory: dict[str, dict[str, object]] = {**HOSTS, "app-3": {}, "app-4": {}}
    inventory["app-2"] = {**inventory["app-2"], "ansible_password": "unused", "keepalived_address": "192.0.2.32"}
    assert address_variables(sites, inventory) == {
        "app-1": {"nginx_upstream_address": None, "keepalived_address": None, "ansible_host": "192.0.2.21"},
        "app-2": {"nginx_upstream_address": None, "keepalived_address": "192.0.2.32", "ansible_host": "192.0.2.22"},
    }
    assert address_variables("app-1", inventory) == {}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"hosts": [], "port": 8080}, f"{PLACE}.hosts: is empty; {HOSTS_CURE}"),
        ({"hosts": "app-1", "port": 8080}, f"{PLACE}.hosts: is a string ('app-1'), not a list; {HOSTS_CURE}"),
        ({"hosts": ["app-1", "app-2"]}, f"{PLACE}.port: is missing; {PORT_CURE}"),
        ({"hosts": ["app-1"], "port": "http"}, f"{PLACE}.port: 'http' is not a port (1..65535); {PORT_CURE}"),
        (
            {"hosts": [{"name": "app-1", "port": 0}]},
            f"{PLACE}.hosts[0].port: 0 is not a port (1..65535); {PORT_CURE}",
        ),
        (
            {"servers": ["192.0.2.21"], "port": 8080},
            f"{PLACE}.port: is given without hosts; give hosts, or write the port after each server",
        ),
        (
            {"hosts": ["app-3"], "port": 8080},
            f"{PLACE}.hosts[0]: 'app-3' is not a host of the inventory; did you mean 'app-2'?",
        ),
        (
            {"hosts": [{"name": "192.0.2.50"}], "port": 8080},
            (
                f"{PLACE}.hosts[0].name: '192.0.2.50' is not a host of the inventory; {MEMBER_CURE}; "
                "others are written as servers"
            ),
        ),
        ({"hosts": [{"weight": 2}], "port": 8080}, f"{PLACE}.hosts[0].name: is missing; {MEMBER_CURE}"),
        ({"hosts": [None], "port": 8080}, f"{PLACE}.hosts[0]: is missing; {MEMBER_CURE}"),
        ({"hosts": [7], "port": 8080}, f"{PLACE}.hosts[0]: is an integer (7), not a string; {MEMBER_CURE}"),
        (
            {"hosts": [{"name": "app-1", "wieght": 2}], "port": 8080},
            f"{PLACE}.hosts[0].wieght: unknown key; did you mean 'weight'?",
        ),
        (
            {"hosts": [{"name": "app-1", "weight": 0}], "port": 8080},
            f"{PLACE}.hosts[0].weight: 0 is not in 1..65535; give a number such as 1",
        ),
        (
            {"hosts": ["app-1", {"name": "app-1", "weight": 2}], "port": 8080},
            (
                f"{PLACE}.hosts[1]: '192.0.2.21:8080' is {PLACE}.hosts[0] too; "
                "name each server once, with a weight if it is to get more"
            ),
        ),
        (
            {"hosts": ["app-1"], "port": 8080, "servers": ["192.0.2.21:8080 backup"]},
            (
                f"{PLACE}.servers[0]: '192.0.2.21:8080' is {PLACE}.hosts[0] too; "
                "name each server once, with a weight if it is to get more"
            ),
        ),
        (
            {"hosts": ["app-1", {"name": "app-2", "backup": True}], "port": 8080, "method": "ip_hash"},
            (
                f"{PLACE}.hosts[1]: is a backup, which nginx does not have with method ip_hash; "
                "leave backup out, or take least_conn or round_robin"
            ),
        ),
        (
            {"hosts": [{"name": "app-1", "down": True}, {"name": "app-2", "backup": True}], "port": 8080},
            f"{PLACE}.hosts: all are backup or down, so that nobody answers; leave at least one server without either",
        ),
        (
            {"hosts": ["app-1", {"name": "app-2", "down": True}], "port": 8080, "drained": ("app-1",)},
            (
                f"{PLACE}.hosts: all that are not down are named in nginx_upstream_drained, so that nobody answers; "
                "drain one after the other"
            ),
        ),
        (
            {"hosts": ["app-1"], "port": 8080, "known": {"app-1": {}}},
            f"{PLACE}.hosts[0]: 'app-1' has no address in the inventory; {ADDRESS_CURE}",
        ),
        (
            {"hosts": ["app-1"], "port": 8080, "known": {"app-1": {"ansible_host": "app-1.example.com"}}},
            f"app-1: ansible_host: 'app-1.example.com' is not an address; {ADDRESS_CURE}",
        ),
        (
            {"hosts": ["app-1"], "port": 8080, "known": {"app-1": {"ansible_host": "127.0.0.1"}}},
            f"app-1: ansible_host: 127.0.0.1 is the loopback of whoever asks; {ADDRESS_CURE}",
        ),
    ],
)
def test_refuses(given: dict[str, t.Any], problem: str) -> None:
    assert read(**given)[1] == [problem]
