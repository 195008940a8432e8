# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a node believes when it says who the client is, and every word in which that is refused."""

from __future__ import annotations

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nginx.clients import Clients, read_clients
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader

CURE = "give a list of addresses and networks such as [192.0.2.0/24], or []"
PLACE = "nginx_real_ip_from"


def read(trusted: object, header: object = "X-Forwarded-For") -> tuple[Clients, list[str]]:
    """The model and the refusals."""
    reader = Reader()
    found = read_clients(reader, trusted, header)
    return found, [str(problem) for problem in reader.problems]


def test_nobody_is_believed_by_default() -> None:
    assert read([]) == (Clients((), "X-Forwarded-For", "$scheme", "$http_host", "$server_port"), [])


def test_addresses_and_networks() -> None:
    found, problems = read(["192.0.2.5", "198.51.100.0/24", "2001:DB8::/64"], "X-Real-IP")
    assert problems == []
    assert found.trusted == ("192.0.2.5/32", "198.51.100.0/24", "2001:db8::/64")
    assert (found.header, found.proto, found.host, found.port) == (
        "X-Real-IP",
        "$ha_pair_proto",
        "$ha_pair_host",
        "$ha_pair_port",
    )


@pytest.mark.parametrize(
    ("trusted", "problem"),
    [
        ("192.0.2.0/24", f"{PLACE}: is a string ('192.0.2.0/24'), not a list; {CURE}"),
        ([24], f"{PLACE}[0]: is an integer (24), not a string; {CURE}"),
        (["front"], f"{PLACE}[0]: 'front' is neither an address nor a network; give one such as 192.0.2.0/24"),
        (
            ["192.0.2.5/24"],
            f"{PLACE}[0]: '192.0.2.5/24' has bits beside its network; give 192.0.2.0/24, or an address alone",
        ),
        *[
            (
                [network],
                (
                    f"{PLACE}[0]: '{network}' is everybody, so that any client could pass for another; "
                    "give the addresses of the proxies in front of this node"
                ),
            )
            for network in ("0.0.0.0/0", "::/0")
        ],
        (
            ["192.0.2.5", "192.0.2.5/32"],
            f"{PLACE}[1]: '192.0.2.5/32' is given twice; name each network once",
        ),
    ],
)
def test_refuses_networks(trusted: object, problem: str) -> None:
    assert read(trusted)[1] == [problem]


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (
            "proxy_protocol",
            (
                "nginx_real_ip_header: 'proxy_protocol' is not a header name; "
                "give letters, digits and -, such as X-Forwarded-For"
            ),
        ),
        ("", "nginx_real_ip_header: is empty; give a header name such as X-Forwarded-For"),
    ],
)
def test_refuses_headers(header: object, problem: str) -> None:
    assert read([], header)[1] == [problem]
