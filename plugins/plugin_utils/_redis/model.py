# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Redis of a pair: the user's variables in, one complete model out. It holds no secret."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, kind, nearest, shown
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp import facts as host_facts
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.values import pair_addresses

PRIMARY, REPLICA, FOLLOW = "primary", "replica", "follow"
ROLES = (PRIMARY, REPLICA, FOLLOW)
APPEND_ONLY = ("everysec", "always", "none")

ROLE_CURE = "give primary on one node and replica on the other, or follow on both to have the primary where the VIP is"
CLIENTS_CURE = "give addresses or networks, such as [192.0.2.21, 198.51.100.0/24]"
LOGIN_CURE = 'give 16 or more letters, digits and signs such as those of "openssl rand -hex 24", from a vault'
MEMORY_CURE = "give megabytes or gigabytes such as 256mb, or leave it out"

LEAST_LOGIN = 16
NOWHERE = ("127.0.0.1", 1)
"""Where no Redis is: a replica of that one keeps what it has."""
# Nothing that a configuration file or a URL would read as anything else.
LOGIN = re.compile(r"[A-Za-z0-9!#$%&()*+,./:;<=>?@^_`{|}~-]+")
MEMORY = re.compile(r"[1-9][0-9]*(?:mb|gb|m|g)", re.IGNORECASE)


@dataclass(frozen=True)
class Model:
    """Everything that the templates print, the tasks install and `verify` expects.

    `replica_of`: whose replica it is when it starts, as (address, port). With `follow` that is nobody's: as the other
    one's it would throw its data away for whatever the other one has, before anybody could tell whose are newer.
    `sources`: who may use the port.
    """

    role: str
    node: str
    address: str
    peer: str
    peer_address: str
    port: int
    bind: tuple[str, ...]
    replica_of: tuple[str, int] | None
    first: bool
    instance: str
    sources: tuple[str, ...]
    append_only: str
    maxmemory: str
    min_replicas_to_write: int

    def to_dict(self) -> dict[str, t.Any]:
        """As plain data."""
        return asdict(self)


def build_redis(
    role: object,
    members: object,
    *,
    node: str,
    password: object,
    port: object = 6379,
    clients: object = (),
    instance: object = "",
    instances: Iterable[str] | None = None,
    peer_role: object = None,
    append_only: object = "everysec",
    maxmemory: object = "",
    min_replicas_to_write: object = 0,
    facts: Mapping[str, t.Any] | None = None,
) -> Model:
    """The model of one node; raises InputError with all that is wrong.

    `instances`: the VRRP instances of the node, where they are known. `peer_role`: what the inventory says of the peer.
    """
    reader = Reader()
    if facts is not None:
        _check_platform(reader, node, facts)
    word = reader.choice(f"{node}: redis_role", role, ROLES, ROLE_CURE)
    addresses = pair_addresses(f"{node}: redis_members", members, node, reader)
    number = reader.integer(f"{node}: redis_port", port, 1, 65535, "give a free TCP port such as 6379")
    _check_login(reader, f"{node}: redis_password", password)
    sources = _clients(reader, f"{node}: redis_clients", clients)
    name = _instance(reader, f"{node}: redis_instance", instance, word, instances)
    peer = next((member for member in addresses or {} if member != node), "")
    _check_peer(reader, f"{node}: redis_role", word, peer, peer_role)
    writes = reader.choice(
        f"{node}: redis_append_only",
        append_only,
        APPEND_ONLY,
        "leave it out for everysec, which loses a second at most",
    )
    if writes == "none" and word in (PRIMARY, REPLICA):
        what = f"is none, and with redis_role: {word} a restart of the primary empties both nodes"
        reader.refuse(f"{node}: redis_append_only", what, "give everysec, or redis_role: follow on both")
    memory = _maxmemory(reader, f"{node}: redis_maxmemory", maxmemory)
    least = reader.integer(
        f"{node}: redis_min_replicas_to_write",
        min_replicas_to_write,
        0,
        1,
        "give 0, or 1 to have writes refused while the other node is away",
    )
    reader.finish()
    known = addresses or {}
    own, other = known[node], known[peer]
    return Model(
        role=str(word),
        node=node,
        address=own,
        peer=peer,
        peer_address=other,
        port=int(number or 0),
        bind=("127.0.0.1", own),
        replica_of={PRIMARY: None, REPLICA: (other, int(number or 0))}.get(str(word), NOWHERE),
        first=next(iter(known)) == node,
        instance=name,
        sources=tuple(dict.fromkeys((other, *sources))),
        append_only=str(writes),
        maxmemory=memory,
        min_replicas_to_write=int(least or 0),
    )


def _check_platform(reader: Reader, node: str, facts: Mapping[str, t.Any]) -> None:
    known = host_facts.platform(facts)
    if known is None:
        return
    family, distribution, release = known
    if release not in host_facts.SUPPORTED.get(distribution, ()):
        reader.refuse(node, f"{distribution} {release} is not supported", f"take {host_facts.supported_names()}")
    elif (family, release) == ("RedHat", "7"):
        reader.refuse(
            node, "EL 7 has no Redis of its own", "take another node for it, or a Redis that is there already"
        )


def _check_login(reader: Reader, place: str, given: object) -> None:
    """Says nothing of the password itself, not even how long it is."""
    if given is None:
        reader.refuse(place, "is missing", LOGIN_CURE)
    elif not isinstance(given, str):
        reader.refuse(place, f"is {kind(given)}, not a string", LOGIN_CURE)
    elif len(given) < LEAST_LOGIN:
        reader.refuse(place, "is too short, and Redis lets one try thousands in a second", LOGIN_CURE)
    elif not LOGIN.fullmatch(given):
        reader.refuse(place, "holds a space, a quote, a backslash or a sign that is not ASCII", LOGIN_CURE)


def _clients(reader: Reader, place: str, given: object) -> tuple[str, ...]:
    entries = reader.sequence(place, given, CLIENTS_CURE)
    found: list[str] = []
    for index, value in enumerate(entries or []):
        try:
            network = ipaddress.ip_network(str(value), strict=True)
        except ValueError:
            reader.refuse(f"{place}[{index}]", f"{shown(value)} is no address and no network", CLIENTS_CURE)
            continue
        alone = network.num_addresses == 1
        found.append(str(network.network_address) if alone else str(network))
    return tuple(found)


def _instance(reader: Reader, place: str, given: object, role: str | None, instances: Iterable[str] | None) -> str:
    if role != FOLLOW:
        return ""
    cure = "give the name of the VRRP instance whose VIP it follows, one of keepalived_instances"
    name = reader.text(place, given, cure)
    if name is None or instances is None:
        return name or ""
    names = sorted(map(str, instances))
    if name not in names:
        close = nearest(name, names)
        hint = f"did you mean {close!r}?" if close else cure
        reader.refuse(place, f"{shown(name)} is not one of keepalived_instances ({', '.join(names) or 'none'})", hint)
    return name


def _check_peer(reader: Reader, place: str, role: str | None, peer: str, peer_role: object) -> None:
    """Two primaries would each take writes that the other never gets."""
    if role is None or peer_role is None or peer_role not in ROLES:
        return
    if role == peer_role != FOLLOW:
        reader.refuse(place, f"is {role} here and on {peer}", ROLE_CURE)
    elif FOLLOW in (role, peer_role) and role != peer_role:
        reader.refuse(place, f"is {role} here, and {peer_role} on {peer}", ROLE_CURE)


def _maxmemory(reader: Reader, place: str, given: object) -> str:
    if given in (None, ""):
        return ""
    if not isinstance(given, str) or not MEMORY.fullmatch(given):
        reader.refuse(place, f"{shown(given)} is not an amount of memory", MEMORY_CURE)
        return ""
    text = given.lower()
    return text if text.endswith("b") else f"{text}b"
