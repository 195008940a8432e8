# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Redis of a node becomes, and every word in which it is refused."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._redis import model
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._redis.model import Model, build_redis
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp import values

GIVEN: dict[str, t.Any] = {
    "role": "follow",
    "members": {"node-a": "192.0.2.11", "node-b": "192.0.2.12"},
    "node": "node-a",
    "password": "not-to-be-seen-0",
    "instance": "web",
    "instances": ["web"],
}


def build(**given: t.Any) -> Model:
    return build_redis(**{**GIVEN, **given})


def refusals(**given: t.Any) -> list[str]:
    """What is refused."""
    with pytest.raises(InputError) as caught:
        build(**given)
    return [str(problem) for problem in caught.value.problems]


def test_a_pair_whose_primary_follows_the_vip_starts_as_replicas_of_nobody() -> None:
    one, other = build(), build(node="node-b")
    assert one.replica_of == other.replica_of == model.NOWHERE
    assert (one.first, other.first) == (True, False)
    assert (one.peer, one.peer_address, one.instance) == ("node-b", "192.0.2.12", "web")


def test_fixed_roles_need_no_vip() -> None:
    one = build(role="primary", instance="", peer_role="replica", port="6380")
    assert (one.replica_of, one.instance, one.port) == (None, "", 6380)
    assert build(role="replica", instance="", peer_role="primary").replica_of == ("192.0.2.12", 6379)


def test_only_the_other_node_and_the_clients_are_let_in() -> None:
    found = build(clients=["192.0.2.21", "198.51.100.0/24", "192.0.2.12", "2001:db8::/64"])
    assert found.sources == ("192.0.2.12", "192.0.2.21", "198.51.100.0/24", "2001:db8::/64")
    assert found.bind == ("127.0.0.1", "192.0.2.11")


def test_the_password_is_neither_in_the_model_nor_in_a_refusal() -> None:
    assert "not-to-be-seen" not in repr(build())
    for wrong in ("not-to-be-seen", "not to be seen at all", "not-to-be-seen-\\-or-'", ["not-to-be-seen"]):
        assert "seen" not in "".join(refusals(password=wrong))


@pytest.mark.parametrize(("given", "found"), [("256mb", "256mb"), ("2G", "2gb"), ("512m", "512mb"), ("", "")])
def test_memory_in_the_words_of_redis(given: str, found: str) -> None:
    assert build(maxmemory=given).maxmemory == found


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"role": "master"},
            f"node-a: redis_role: 'master' is not one of primary, replica, follow; {model.ROLE_CURE}",
        ),
        (
            {"role": "primary", "peer_role": "primary"},
            f"node-a: redis_role: is primary here and on node-b; {model.ROLE_CURE}",
        ),
        (
            {"role": "follow", "peer_role": "replica"},
            f"node-a: redis_role: is follow here, and replica on node-b; {model.ROLE_CURE}",
        ),
        (
            {"members": ["node-a"]},
            f"node-a: redis_members: is a list (['node-a']), not a dictionary; {values.MEMBERS_CURE}",
        ),
        (
            {"members": {"node-a": "192.0.2.11"}},
            f"node-a: redis_members: has 1 members, not 2; {values.MEMBERS_CURE}",
        ),
        (
            {"members": {"node-b": "192.0.2.12", "node-c": "192.0.2.13"}},
            f"node-a: redis_members: names node-b and node-c, and not node-a itself; {values.MEMBERS_CURE}",
        ),
        (
            {"members": {"node-a": "192.0.2.11", "node-b": "127.0.0.1"}},
            "node-a: redis_members.node-b: '127.0.0.1' is not an address that the other node can reach; "
            f"{values.MEMBERS_CURE}",
        ),
        (
            {"members": {"node-a": "192.0.2.11", "node-b": "192.0.2.11"}},
            f"node-a: redis_members.node-b: 192.0.2.11 is the other node's too; {values.MEMBERS_CURE}",
        ),
        ({"port": 0}, "node-a: redis_port: 0 is not in 1..65535; give a free TCP port such as 6379"),
        ({"password": None}, f"node-a: redis_password: is missing; {model.LOGIN_CURE}"),
        ({"password": 1234567890123456}, f"node-a: redis_password: is an integer, not a string; {model.LOGIN_CURE}"),
        (
            {"password": "short"},
            f"node-a: redis_password: is too short, and Redis lets one try thousands in a second; {model.LOGIN_CURE}",
        ),
        (
            {"password": "sixteen or more signs"},
            "node-a: redis_password: holds a space, a quote, a backslash or a sign that is not ASCII; "
            f"{model.LOGIN_CURE}",
        ),
        (
            {"clients": ["192.0.2.1/24"]},
            f"node-a: redis_clients[0]: '192.0.2.1/24' is no address and no network; {model.CLIENTS_CURE}",
        ),
        (
            {"clients": "192.0.2.1"},
            f"node-a: redis_clients: is a string ('192.0.2.1'), not a list; {model.CLIENTS_CURE}",
        ),
        (
            {"instance": ""},
            "node-a: redis_instance: is empty; give the name of the VRRP instance whose VIP it follows, one of "
            "keepalived_instances",
        ),
        (
            {"instance": "wbe"},
            "node-a: redis_instance: 'wbe' is not one of keepalived_instances (web); did you mean 'web'?",
        ),
        (
            {"append_only": "never"},
            "node-a: redis_append_only: 'never' is not one of everysec, always, none; did you mean 'everysec'?",
        ),
        *[
            (
                {"append_only": "none", "role": role, "instance": ""},
                f"node-a: redis_append_only: is none, and with redis_role: {role} a restart of the primary empties "
                "both nodes; give everysec, or redis_role: follow on both",
            )
            for role in ("primary", "replica")
        ],
        ({"maxmemory": "much"}, f"node-a: redis_maxmemory: 'much' is not an amount of memory; {model.MEMORY_CURE}"),
        (
            {"min_replicas_to_write": 2},
            "node-a: redis_min_replicas_to_write: 2 is not in 0..1; give 0, or 1 to have writes refused while the "
            "other node is away",
        ),
        (
            {"facts": {"os_family": "RedHat", "distribution": "CentOS", "distribution_major_version": "7"}},
            "node-a: EL 7 has no Redis of its own; take another node for it, or a Redis that is there already",
        ),
    ],
)
def test_refuses(given: dict[str, t.Any], problem: str) -> None:
    assert refusals(**given) == [problem]


def test_refuses_a_system_that_nobody_knows() -> None:
    facts = {"os_family": "Suse", "distribution": "SLES", "distribution_major_version": "15"}
    assert refusals(facts=facts)[0].startswith("node-a: SLES 15 is not supported; take Debian 11/12/13, ")
