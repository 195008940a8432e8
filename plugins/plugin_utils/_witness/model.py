# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The witness of active/standby services: the user's variables in, one complete model out. It holds no secret."""

from __future__ import annotations

import ipaddress
import json
import typing as t
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, kind, shown
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp import facts as host_facts
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.values import ip_address

ADDRESS_CURE = "give the address of this host that the nodes of the pairs reach, such as 192.0.2.31"
CLIENTS_CURE = "give the addresses from which the nodes of the pairs come, such as [192.0.2.11, 192.0.2.12]"
KEY_CURE = 'give 16 or more characters such as those of "openssl rand -hex 24", from a vault'
SHORTEST_SECRET = 16
LEASE = (3.0, 600.0)
"""What may be lent for, in seconds: a node asks for three at least."""
PORTS = (1024, 65535)
"""It runs as an account without rights, which the ports below belong to nobody of."""


@dataclass(frozen=True)
class Model:
    """Everything that the tasks write, open and verify. lease, quiet: seconds. sources: who may use the port."""

    node: str
    address: str
    port: int
    lease: float
    quiet: float
    sources: tuple[str, ...]

    def to_dict(self) -> dict[str, t.Any]:
        """As plain data."""
        return asdict(self)


def build_witness(
    address: object,
    *,
    node: str,
    secret: object,
    port: object = 7412,
    lease: object = 60,
    clients: object = (),
    facts: Mapping[str, t.Any] | None = None,
    written: str | None = None,
) -> Model:
    """The model of one host; raises InputError with all that is wrong. written: the settings that are there, if any."""
    reader = Reader()
    own: set[str] = set()
    if facts is not None:
        _check_platform(reader, node, facts)
        known = [str(one) for key in ("all_ipv4_addresses", "all_ipv6_addresses") for one in facts.get(key) or ()]
        own = {one for one in known if not one.startswith("fe80:")}
    found = _address(reader, f"{node}: active_witness_address", address, own)
    number = reader.integer(f"{node}: active_witness_port", port, *PORTS, "give a free TCP port such as 7412")
    seconds = reader.seconds(
        f"{node}: active_witness_lease", lease, *LEASE, "give the longest time that is lent for, such as 60"
    )
    _check_secret(reader, f"{node}: active_witness_secret", secret)
    sources = _clients(reader, f"{node}: active_witness_clients", clients, own)
    reader.finish()
    longest = float(seconds or 0.0)
    return Model(node, found or "", int(number or 0), longest, max(longest, _quiet(written)), sources)


def _quiet(written: str | None) -> float:
    """For how long the witness that these settings are of may have lent: one with a shorter lease has to wait for it.

    Of settings that cannot be read nobody knows, so it is as long as any can have been.
    """
    if not (written or "").strip():
        return 0.0
    try:
        given = json.loads(written or "")
        # ansible-core before 2.19 makes text of numbers.
        found = max(float(given["lease"]), float(given.get("quiet", 0)))
    except (AttributeError, KeyError, TypeError, ValueError):
        return LEASE[1]
    return found if LEASE[0] <= found <= LEASE[1] else LEASE[1]


def _check_platform(reader: Reader, node: str, facts: Mapping[str, t.Any]) -> None:
    known = host_facts.platform(facts)
    if known is not None and known[2] not in host_facts.SUPPORTED.get(known[1], ()):
        reader.refuse(node, f"{known[1]} {known[2]} is not supported", f"take {host_facts.supported_names()}")


def _address(reader: Reader, place: str, given: object, own: set[str]) -> str | None:
    if given is None or given == "":
        reader.refuse(place, "is missing", ADDRESS_CURE)
        return None
    address = ip_address(given)
    if address is None or address.is_loopback() or address.is_link_local():
        reader.refuse(place, f"{shown(given)} is not an address that a node of a pair can reach", ADDRESS_CURE)
        return None
    if own and str(address) not in own:
        reader.refuse(place, f"{address} is on no interface of this host ({', '.join(sorted(own))})", ADDRESS_CURE)
    return str(address)


def _check_secret(reader: Reader, place: str, given: object) -> None:
    """Says nothing of the secret itself, not even how long it is."""
    # ansible-core before 2.19 hands out vaulted values in a type of its own.
    text = str(given) if isinstance(given, str) or type(given).__name__ == "AnsibleVaultEncryptedUnicode" else None
    if given is None or given == "":
        reader.refuse(place, "is missing", KEY_CURE)
    elif text is None:
        reader.refuse(place, f"is {kind(given)}, not a string", KEY_CURE)
    elif len(text) < SHORTEST_SECRET:
        reader.refuse(place, f"is shorter than {SHORTEST_SECRET} characters", KEY_CURE)


def _clients(reader: Reader, place: str, given: object, own: set[str]) -> tuple[str, ...]:
    entries = reader.sequence(place, given, CLIENTS_CURE)
    found: list[str] = []
    for index, value in enumerate(entries or []):
        try:
            network = ipaddress.ip_network(str(value), strict=True)
        except ValueError:
            reader.refuse(f"{place}[{index}]", f"{shown(value)} is no address and no network", CLIENTS_CURE)
            continue
        alone = network.num_addresses == 1
        text = str(network.network_address) if alone else str(network)
        if text in own:
            reader.refuse(
                f"{place}[{index}]",
                f"{text} is this host itself, which would be lost together with its witness",
                "take a third host as witness, or leave the address out",
            )
        found.append(text)
    return tuple(dict.fromkeys(found))
