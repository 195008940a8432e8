# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the servers behind a site become, and every word in which they are refused."""

from __future__ import annotations

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nginx.upstream import Upstream, read_upstream
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader

PLACE = "nginx_sites[0].upstream"
ADDRESS_CURE = "give host:port such as app.example.com:8080"
TIME_CURE = "give seconds such as 10, or 10s or 1m30s"


def read(**given: object) -> tuple[Upstream | None, list[str]]:
    """The group and the refusals."""
    reader = Reader()
    found = read_upstream(reader, PLACE, given, "app")
    return found, [str(problem) for problem in reader.problems]


def test_dictionaries_say_the_same_as_strings() -> None:
    as_strings = read(
        servers=[
            "192.0.2.21:8080 weight=2 max_fails=3 max_conns=100 fail_timeout=10",
            "[2001:db8::10]:8080 backup",
            "unix:/run/app.sock down",
        ]
    )
    as_dictionaries = read(
        servers=[
            {"address": "192.0.2.21:8080", "max_conns": 100, "weight": "2", "max_fails": 3, "fail_timeout": 10},
            {"address": "[2001:db8::10]:8080", "backup": True, "down": False},
            {"address": "unix:/run/app.sock", "down": "yes", "weight": None},
        ]
    )
    assert as_strings == as_dictionaries
    assert as_strings[1] == []


def test_options_of_the_group() -> None:
    found, problems = read(servers=["192.0.2.21"], method="least_conn", keepalive="0")
    assert problems == []
    assert found is not None
    assert (found.name, found.servers, found.members) == ("ha_pair_app", ("192.0.2.21",), ())
    assert (found.method, found.keepalive, found.keepalive_timeout) == ("least_conn", 0, None)


@pytest.mark.parametrize("time", ["10", "10s", "1m30s", "1h", "1d", 30])
def test_times_that_nginx_knows(time: object) -> None:
    assert read(servers=[{"address": "192.0.2.21", "fail_timeout": time}, f"192.0.2.22 fail_timeout={time}"])[1] == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"servers": ["192.0.2.21 weight=0"]},
            f"{PLACE}.servers[0].weight: 0 is not in 1..65535; give a number such as 1",
        ),
        (
            {"servers": [{"address": "192.0.2.21", "weight": -1}]},
            f"{PLACE}.servers[0].weight: -1 is not in 1..65535; give a number such as 1",
        ),
        (
            {"servers": [{"address": "192.0.2.21", "max_fails": "often"}]},
            f"{PLACE}.servers[0].max_fails: 'often' is not an integer; give a number such as 2",
        ),
        (
            {"servers": [{"address": "192.0.2.21", "max_conns": -1}]},
            f"{PLACE}.servers[0].max_conns: -1 is not in 0..65535; give a number such as 2",
        ),
        *[
            (
                {"servers": [{"address": "192.0.2.21", "fail_timeout": time}]},
                f"{PLACE}.servers[0].fail_timeout: {word} is not a time in whole seconds; {TIME_CURE}",
            )
            for time, word in (("500ms", "'500ms'"), (0.5, "0.5"), ("", "''"), ("s", "'s'"), (True, "True"))
        ],
        (
            {"servers": ["192.0.2.21 fail_timeout=500ms"]},
            f"{PLACE}.servers[0].fail_timeout: '500ms' is not a time in whole seconds; {TIME_CURE}",
        ),
        (
            {"servers": [{"address": "192.0.2.21", "backup": "perhaps"}]},
            f"{PLACE}.servers[0].backup: 'perhaps' is not true or false; give true or false",
        ),
        (
            {"servers": [{"address": "192.0.2.21", "wieght": 2}]},
            f"{PLACE}.servers[0].wieght: unknown key; did you mean 'weight'?",
        ),
        ({"servers": [{"weight": 2}]}, f"{PLACE}.servers[0].address: is missing; {ADDRESS_CURE}"),
        (
            {"servers": [{"address": "http://app.example.com"}]},
            f"{PLACE}.servers[0].address: 'http://app.example.com' is not a server; {ADDRESS_CURE}",
        ),
        (
            {"servers": [{"address": 8080}]},
            f"{PLACE}.servers[0].address: is an integer (8080), not a string; {ADDRESS_CURE}",
        ),
        *[
            (
                {"servers": [one, other]},
                (
                    f"{PLACE}.servers[1]: '{other}' is {PLACE}.servers[0] too; "
                    "name each server once, with a weight if it is to get more"
                ),
            )
            for one, other in (
                ("app.example.com", "App.example.com:80"),
                ("[2001:db8::10]:8080", "[2001:db8:0::10]:8080"),
                ("unix:/run/app.sock", "unix:/run/app.sock"),
            )
        ],
        *[
            (
                {"servers": ["192.0.2.21", "192.0.2.22 backup"], "method": method},
                (
                    f"{PLACE}.servers[1]: is a backup, which nginx does not have with method {method}; "
                    "leave backup out, or take least_conn or round_robin"
                ),
            )
            for method in ("ip_hash", "random")
        ],
        (
            {"servers": ["192.0.2.21 down", {"address": "192.0.2.22", "backup": True}]},
            (
                f"{PLACE}.servers: all are backup or down, so that nobody answers; "
                "leave at least one server without either"
            ),
        ),
        (
            {"servers": ["192.0.2.21"], "method": "least_con"},
            (
                f"{PLACE}.method: 'least_con' is not one of round_robin, least_conn, ip_hash, random; "
                "did you mean 'least_conn'?"
            ),
        ),
        (
            {"servers": ["192.0.2.21"], "keepalive": -1},
            f"{PLACE}.keepalive: -1 is not in 0..65535; give a number such as 16, or 0",
        ),
        (
            {"servers": ["192.0.2.21"], "keepalive": 0, "keepalive_timeout": 5},
            f"{PLACE}.keepalive_timeout: is given, and keepalive is 0; leave one of the two out",
        ),
        (
            {"servers": ["192.0.2.21"], "keepalive_timeout": 0},
            f"{PLACE}.keepalive_timeout: 0 is not in 1..86400; give seconds such as 15",
        ),
    ],
)
def test_refuses(given: dict[str, object], problem: str) -> None:
    assert read(**given)[1] == [problem]
