# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads who says whether a service may run here, and refuses times that cannot keep what is promised."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.module_utils._node.active_settings import (
    KINDS,
    longest_stop,
    shortest_lease,
    shortest_timeout,
)
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, kind
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.values import ip_address, words

KEYS = {
    "none": ("kind",),
    "peer": ("kind", "lease", "timeout"),
    "witness": ("kind", "lease"),
    "command": ("command", "command_timeout", "kind", "lease", "timeout"),
}
USUAL_LEASE = 15.0
LEAST_SECRET = 16
LONGEST_LEASE = 300.0

ARBITER_CURE = "give one such as {kind: peer}, {kind: witness}, {kind: command, command: [...]} or {kind: none}"
COMMAND_CURE = "give a command that ends with 0 once the other node is off, such as [/usr/local/sbin/fence-peer]"
VAULT_CURE = 'give 16 or more characters, such as those of "openssl rand -hex 24", from a vault'
WITNESS_CURE = "give the address of a third host, on which the role active_witness runs"


@dataclass(frozen=True)
class Pair:
    """The two agents, as they reach each other: names and addresses of both; `first` wins where all else is equal."""

    node: str
    address: str
    peer: str
    peer_address: str
    first: bool
    port: int


@dataclass(frozen=True)
class Witness:
    """Where the witness listens, under which name it knows this pair, and what it lends for; None: nobody knows."""

    address: str
    port: int
    pair: str
    lease: float | None


def check_secret(reader: Reader, place: str, given: object) -> None:
    """Says nothing of the secret itself."""
    if given in (None, ""):
        reader.refuse(place, "is missing", VAULT_CURE)
    elif not isinstance(given, str):
        reader.refuse(place, f"is {kind(given)}, not a string", VAULT_CURE)
    elif len(given.encode()) < LEAST_SECRET:
        reader.refuse(place, "is too short", VAULT_CURE)


def read_witness(
    reader: Reader, prefix: str, given: Mapping[str, t.Any], pair: str, lease: float | None
) -> Witness | None:
    """The witness of a node, None where none is given or it is refused."""
    address = ip_address(given.get("witness_address") or None)
    if address is None or address.is_loopback():
        what = "is missing" if not given.get("witness_address") else f"{given['witness_address']!r} is not an address"
        reader.refuse(f"{prefix}witness_address", what, WITNESS_CURE)
    port = reader.integer(f"{prefix}witness_port", given.get("witness_port"), 1, 65535, "give the port of the witness")
    return Witness(str(address), port, pair, lease) if address is not None and port is not None else None


def _check_loan(reader: Reader, place: str, lease: float | None, witness: Witness, least: float) -> None:
    """A witness refuses every loan that is longer than its own limit, so that the service would run nowhere."""
    if lease is None or witness.lease is None or lease <= witness.lease:
        return
    shorter = f"at most {witness.lease:g} here" if witness.lease >= least else "a shorter stop_timeout here"
    reader.refuse(
        place,
        f"is {lease:g}, and the witness {witness.address} lends for {witness.lease:g} seconds at the most",
        f"give active_witness_lease: {lease:g} or more there, or {shorter}",
    )


def read_arbiter(
    reader: Reader,
    place: str,
    given: object,
    *,
    watchdog: float,
    blind: float,
    stop_timeout: float,
    pair: Pair | None,
    witness: t.Callable[[], Witness | None],
) -> dict[str, t.Any] | None:
    """What the agent reads of an arbiter, without secrets; None after a refusal.

    `pair` is None where the nodes have no channel to each other, `witness` reads who the third host is.
    """
    entry = reader.mapping(place, given, ARBITER_CURE)
    if entry is None:
        return None
    name = reader.choice(f"{place}.kind", entry.get("kind"), KINDS, ARBITER_CURE)
    if name is None:
        return None
    reader.keys(place, entry, KEYS[name])
    if name == "none":
        return {"kind": name}
    least_lease = shortest_lease(watchdog, stop_timeout)
    least_timeout = shortest_timeout(watchdog, blind, stop_timeout)
    # Only a witness ends a service with its loan; to the other node a lease is only a promise not to start.
    low = least_lease if name == "witness" else 3.0
    if low > LONGEST_LEASE:
        reader.refuse(
            f"{place.rpartition('.')[0]}.stop_timeout",
            f"{stop_timeout:g} is longer than a loan of a witness, {LONGEST_LEASE:g} seconds at the most, leaves to "
            "stop",
            f"give at most {longest_stop(watchdog):g}, or another arbiter",
        )
        return None
    found: dict[str, t.Any] = {
        "kind": name,
        "lease": reader.seconds(
            f"{place}.lease",
            entry.get("lease", min(LONGEST_LEASE, max(USUAL_LEASE, least_lease))),
            low,
            LONGEST_LEASE,
            f"give at least {low:g}, so that there is time to stop, or a shorter stop_timeout",
        ),
    }
    if name == "witness":
        third = witness()
        if third is not None:
            found.update(address=third.address, port=third.port, pair=third.pair)
            _check_loan(reader, f"{place}.lease", found["lease"], third, low)
        return found
    # A command makes sure by itself that the other node has stopped.
    low = 1.0 if name == "command" else least_timeout
    found["timeout"] = reader.seconds(
        f"{place}.timeout",
        entry.get("timeout", least_timeout),
        low,
        600,
        f"give at least {low:g}, the time in which a node stops by itself, or a shorter stop_timeout",
    )
    if name == "command":
        found["argv"] = words(f"{place}.command", entry.get("command"), COMMAND_CURE, reader)
        found["command_timeout"] = reader.seconds(
            f"{place}.command_timeout", entry.get("command_timeout", 30), 1, 600, "give how long the command may take"
        )
    elif pair is None:
        reader.refuse(
            place,
            "is peer, and the nodes have no channel to each other",
            "give java_service_members and java_service_secret, or another arbiter: two nodes that cannot ask each "
            "other cannot know",
        )
    if pair is not None:
        found.update(first=pair.first, address=pair.peer_address, port=pair.port)
    return found
