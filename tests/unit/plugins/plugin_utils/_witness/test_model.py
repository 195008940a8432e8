# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a witness of active/standby services becomes, and every word in which it is refused."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._witness import model
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._witness.model import Model, build_witness

GIVEN: dict[str, t.Any] = {
    "address": "192.0.2.31",
    "node": "third",
    "secret": "not-to-be-seen-0",
    "clients": ["192.0.2.11", "192.0.2.12"],
}
FACTS = {
    "os_family": "Debian",
    "distribution": "Debian",
    "distribution_major_version": "12",
    "all_ipv4_addresses": ["192.0.2.31"],
    "all_ipv6_addresses": ["2001:db8::31"],
}


def build(**given: t.Any) -> Model:
    return build_witness(**{**GIVEN, **given})


def refusals(**given: t.Any) -> list[str]:
    """What is refused."""
    with pytest.raises(InputError) as caught:
        build(**given)
    return [str(problem) for problem in caught.value.problems]


def test_everything_is_complete_and_numbers_may_be_text() -> None:
    assert build() == Model("third", "192.0.2.31", 7412, 60.0, 60.0, ("192.0.2.11", "192.0.2.12"))
    found = build(port="7500", lease="12.5", clients=["198.51.100.0/24", "192.0.2.11/32"], facts=FACTS)
    assert (found.port, found.lease, found.sources) == (7500, 12.5, ("198.51.100.0/24", "192.0.2.11"))
    assert build(address="2001:db8::31", facts=FACTS).address == "2001:db8::31"


@pytest.mark.parametrize(
    ("lease", "written", "quiet"),
    [
        (60, "", 60),
        (60, '{"lease": 60.0}', 60),
        (60, '{"lease": "300.0"}', 300),
        (60, '{"lease": 60.0, "quiet": 300.0}', 300),
        (400, '{"lease": 60.0, "quiet": "300.0"}', 400),
        # Nobody knows for how long that one lent.
        (60, "{", 600),
        (60, "[]", 600),
        (60, '{"lease": 1e9}', 600),
        (60, '{"lease": null}', 600),
    ],
)
def test_a_lower_lease_waits_for_what_was_lent_before(lease: float, written: str, quiet: float) -> None:
    found = build(lease=lease, written=written)
    assert (found.lease, found.quiet) == (lease, quiet)
    # As often as it is deployed.
    assert build(lease=lease, written=f'{{"lease": {found.lease}, "quiet": {found.quiet}}}').quiet == quiet


def test_the_secret_is_neither_in_the_model_nor_in_a_refusal() -> None:
    assert "not-to-be-seen" not in repr(build())
    for wrong in ("not-to-be-seen", ["not-to-be-seen"], {"not": "to-be-seen"}):
        assert "seen" not in "".join(refusals(secret=wrong))


def test_a_vaulted_secret_of_an_older_ansible_core_is_taken() -> None:
    class AnsibleVaultEncryptedUnicode:
        def __str__(self) -> str:
            return "not-to-be-seen-0"

    assert build(secret=AnsibleVaultEncryptedUnicode()).port == 7412


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"address": None}, f"active_witness_address: is missing; {model.ADDRESS_CURE}"),
        ({"address": ""}, f"active_witness_address: is missing; {model.ADDRESS_CURE}"),
        (
            {"address": "third.example.com"},
            "active_witness_address: 'third.example.com' is not an address that a node of a pair can reach; "
            f"{model.ADDRESS_CURE}",
        ),
        (
            {"address": "127.0.0.1"},
            f"active_witness_address: '127.0.0.1' is not an address that a node of a pair can reach; "
            f"{model.ADDRESS_CURE}",
        ),
        (
            {"address": "192.0.2.32", "facts": FACTS},
            "active_witness_address: 192.0.2.32 is on no interface of this host (192.0.2.31, 2001:db8::31); "
            f"{model.ADDRESS_CURE}",
        ),
        ({"port": 80}, "active_witness_port: 80 is not in 1024..65535; give a free TCP port such as 7412"),
        ({"port": "x"}, "active_witness_port: 'x' is not an integer; give a free TCP port such as 7412"),
        (
            {"lease": 2},
            "active_witness_lease: 2 is not in 3..600 seconds; give the longest time that is lent for, such as 60",
        ),
        (
            {"lease": 601},
            "active_witness_lease: 601 is not in 3..600 seconds; give the longest time that is lent for, such as 60",
        ),
        (
            {"lease": "soon"},
            "active_witness_lease: 'soon' is not a number of seconds; give the longest time that is lent for, such "
            "as 60",
        ),
        ({"secret": None}, f"active_witness_secret: is missing; {model.KEY_CURE}"),
        ({"secret": "x" * 15}, f"active_witness_secret: is shorter than 16 characters; {model.KEY_CURE}"),
        ({"secret": 1234567890123456}, f"active_witness_secret: is an integer, not a string; {model.KEY_CURE}"),
        (
            {"clients": "192.0.2.11"},
            f"active_witness_clients: is a string ('192.0.2.11'), not a list; {model.CLIENTS_CURE}",
        ),
        (
            {"clients": ["192.0.2.11", "node-b"]},
            f"active_witness_clients[1]: 'node-b' is no address and no network; {model.CLIENTS_CURE}",
        ),
        (
            {"clients": ["192.0.2.31"], "facts": FACTS},
            "active_witness_clients[0]: 192.0.2.31 is this host itself, which would be lost together with its witness; "
            "take a third host as witness, or leave the address out",
        ),
    ],
)
def test_refuses(given: dict[str, t.Any], message: str) -> None:
    assert refusals(**given) == [f"third: {message}"]


def test_refuses_a_system_that_is_not_supported() -> None:
    (message,) = refusals(facts={**FACTS, "distribution": "Ubuntu", "distribution_major_version": "24"})
    assert message.startswith("third: Ubuntu 24 is not supported; take Debian 11/12/13")


def test_all_problems_are_told_at_once() -> None:
    assert len(refusals(address="", port=0, lease=0, secret="", clients=7)) == 5
