# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How requests are passed on, and every word in which that is refused."""

from __future__ import annotations

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nginx.passing import CONDITIONS, Passing, read_passing
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader

PLACE = "nginx_sites[0].upstream"
CONDITIONS_CURE = "give a list such as [error, timeout, http_502, http_503], or [off]"


def read(**given: object) -> tuple[Passing, list[str]]:
    """How, and the refusals."""
    reader = Reader()
    found = read_passing(reader, PLACE, given)
    return found, [str(problem) for problem in reader.problems]


def directives(**given: object) -> tuple[str, ...]:
    """The directives of what is not refused."""
    found, problems = read(**given)
    assert problems == []
    return found.directives


def test_what_is_given_reaches_nginx() -> None:
    assert directives(connect_timeout=0.25, read_timeout="10", send_timeout=2.5) == (
        "proxy_connect_timeout 250ms",
        "proxy_read_timeout 10s",
        "proxy_send_timeout 2500ms",
        "proxy_next_upstream error timeout http_502 http_503",
        "proxy_next_upstream_tries 3",
        "proxy_next_upstream_timeout 15s",
    )
    assert directives(next_upstream=["error", "http_504"], next_upstream_tries=2, next_upstream_timeout=4)[1:] == (
        "proxy_next_upstream error http_504",
        "proxy_next_upstream_tries 2",
        "proxy_next_upstream_timeout 4s",
    )


def test_a_request_that_timed_out_once_is_given_to_another_server() -> None:
    assert directives()[-1] == "proxy_next_upstream_timeout 65s"
    assert directives(read_timeout=2)[-1] == "proxy_next_upstream_timeout 7s"


# The last one is what YAML makes of it.
@pytest.mark.parametrize("off", ["off", ["off"], [False], False])
def test_no_other_server_is_asked(off: object) -> None:
    assert directives(next_upstream=off) == ("proxy_connect_timeout 1s", "proxy_next_upstream off")


def test_nothing_sends_a_post_twice() -> None:
    assert "non_idempotent" not in " ".join(directives(next_upstream=list(CONDITIONS)))


@pytest.mark.parametrize("word", [True, "yes", "True"])
def test_websocket(word: object) -> None:
    assert read(websocket=word)[0].websocket is True
    assert read()[0].websocket is False


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"next_upstream": ["error", "non_idempotent"]},
            (
                f"{PLACE}.next_upstream[1]: non_idempotent would send a request such as POST twice, be it an order or "
                "a payment; leave it out; what an application repeats is for the application to decide"
            ),
        ),
        (
            {"next_upstream": ["eror"]},
            f"{PLACE}.next_upstream[0]: 'eror' is no condition; did you mean 'error'?",
        ),
        (
            {"next_upstream": ["xyz"]},
            f"{PLACE}.next_upstream[0]: 'xyz' is no condition; known are {', '.join(CONDITIONS)}, off",
        ),
        (
            {"next_upstream": ["error", "error"]},
            f"{PLACE}.next_upstream[1]: error is given twice; name each condition once",
        ),
        (
            {"next_upstream": ["error", "off"]},
            f"{PLACE}.next_upstream[1]: off stands beside other conditions; give [off] alone, or leave it out",
        ),
        ({"next_upstream": []}, f"{PLACE}.next_upstream: is empty; {CONDITIONS_CURE}"),
        (
            {"next_upstream": "error timeout"},
            f"{PLACE}.next_upstream: is a string ('error timeout'), not a list; {CONDITIONS_CURE}",
        ),
        (
            {"next_upstream": "off", "next_upstream_tries": 2},
            f"{PLACE}.next_upstream_tries: is given, and next_upstream is off; leave one of the two out",
        ),
        (
            {"next_upstream": "off", "next_upstream_timeout": 2},
            f"{PLACE}.next_upstream_timeout: is given, and next_upstream is off; leave one of the two out",
        ),
        (
            {"next_upstream_tries": 0},
            f"{PLACE}.next_upstream_tries: 0 is not in 1..100; give a number such as 3",
        ),
        (
            {"next_upstream_timeout": 1, "read_timeout": 2},
            (
                f"{PLACE}.next_upstream_timeout: 1 is not more than connect_timeout (1), so no other server would be "
                "asked after it; give one such as 7, or a shorter connect_timeout"
            ),
        ),
        (
            {"connect_timeout": 76},
            f"{PLACE}.connect_timeout: 76 is not in 0.05..75 seconds; give seconds such as 5",
        ),
        *[
            ({key: "5s"}, f"{PLACE}.{key}: '5s' is not a number of seconds; give seconds such as 5")
            for key in ("connect_timeout", "read_timeout", "send_timeout", "next_upstream_timeout")
        ],
        (
            {"websocket": "perhaps"},
            f"{PLACE}.websocket: 'perhaps' is not true or false; give true or false",
        ),
    ],
)
def test_refuses(given: dict[str, object], problem: str) -> None:
    assert read(**given)[1] == [problem]
