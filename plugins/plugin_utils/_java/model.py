# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a node: the user's variables in, one complete model out. Templates only print it."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp import facts as host_facts
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.values import pair_addresses

from .arbiter import Pair, Witness, check_secret, read_arbiter, read_witness
from .java import DEBIAN_USUAL, EL_USUAL, Java, Needs, read_java
from .quoting import environment_line
from .services import ACTIVE_STANDBY, Known, Service, read_services

PREFIX = "java_service_"
DIRECTORY = "/var/lib/ha-pair/java"
STATE_DIRECTORY = "/run/keepalived/ha-pair"
UNITS = "/etc/systemd/system"
ENVIRONMENTS = "/etc/ha-pair/java"
AGENT = "ha-pair-active.service"
AGENT_FILES = ("/etc/keepalived/ha-pair-active.json", "/etc/keepalived/ha-pair-active.secrets.json")
# How long VRRP may say nothing until a service stops (s).
BLIND = 2.0
USUAL_ARBITER = {"kind": "peer"}
SECRETS = {"peer": "channel", "command": "channel", "witness": "witness"}
"""Which secret an arbiter needs."""


@dataclass(frozen=True)
class Model:
    """Everything that the templates print and the tasks do. Only `environments` holds secrets of the variables.

    `agent`: the settings of the program that starts and stops, None where no service is active_standby. `secrets`:
    which of them it needs (channel, witness).
    """

    node: str
    java: Java | None
    services: tuple[Service, ...]
    agent: dict[str, t.Any] | None
    secrets: tuple[str, ...]
    pair: Pair | None

    def to_dict(self) -> dict[str, t.Any]:
        """As plain data; what is looped over stands in the output of a task that fails, so environments are apart."""
        plain: dict[str, t.Any] = json.loads(json.dumps(asdict(self)))
        plain["environments"] = {
            service["name"]: [environment_line(*entry) for entry in service.pop("environment")]
            for service in plain["services"]
        }
        for service, entry in zip(self.services, plain["services"], strict=True):
            entry["ready"]["url"] = service.ready.url
        # What the module java_survey is to look for.
        plain["survey"] = [
            {
                "name": service.name,
                "user": service.user,
                "uid": service.uid,
                "paths": [service.working_directory] if service.given_directory else [],
                "own": list(service.makes),
            }
            for service in self.services
        ]
        plain["reads"] = [
            {
                "name": f"{service.name}.service",
                "files": [f"{UNITS}/{service.name}.service", f"{ENVIRONMENTS}/{service.name}.env"],
            }
            for service in self.services
        ] + [{"name": AGENT, "files": [f"{UNITS}/{AGENT}", *AGENT_FILES]}]
        return plain


def build_services(
    given: Mapping[str, t.Any],
    *,
    node: str,
    facts: Mapping[str, t.Any],
    survey: Mapping[str, t.Any] | None = None,
    units: Mapping[str, Mapping[str, t.Any]] | None = None,
    jars: Mapping[str, Mapping[str, t.Any]] | None = None,
    instances: Mapping[str, t.Any] | None = None,
    made: t.Sequence[str] = (),
    owned: t.Sequence[str] = (),
    followers: Mapping[str, t.Sequence[str]] | None = None,
    witness_lease: object = None,
    mounts: t.Sequence[str] = (),
) -> Model:
    """The complete model; raises InputError with every problem that was found.

    `given` holds the role's variables without their prefix. `survey` is what the module java_survey found on the node,
    `units` what systemd says of the units that are named, `jars` what the controller knows of its files; without them,
    nothing is refused for their sake. `made`, `owned`, `followers` and `mounts`: see Known. `witness_lease`: for how
    many seconds the witness lends at the most, where its host says so; what is wrong with it is refused there.
    """
    reader = Reader()
    seen = survey or {}
    platform = _platform(reader, node, facts)
    java = _java(reader, given, platform, facts, seen)
    known = Known(
        java=_version(java, platform, seen.get("java")),
        files=jars or {},
        memory=seen.get("memory"),
        accounts=seen.get("accounts"),
        uids=seen.get("uids"),
        paths=seen.get("paths"),
        units=units,
        releases=seen.get("releases", {}),
        instances=instances,
        made=tuple(made),
        owned=tuple(owned),
        drop_ins=seen.get("drop_ins") or {},
        groups=seen.get("groups") or {},
        named_groups=seen.get("named_groups") or {},
        gids=seen.get("gids") or {},
        owners=seen.get("owners") or {},
        mounts=tuple(mounts),
        followers={name: tuple(entries) for name, entries in (followers or {}).items()},
    )
    services = read_services(
        reader, f"{PREFIX}services", given["services"], java=java, known=known, directory=DIRECTORY
    )
    _check_accounts(reader, services)
    pair = _pair(reader, given, node)
    agent, secrets = _agent(reader, given, node, services, pair, _seconds(witness_lease))
    reader.finish()
    return Model(node=node, java=java, services=services, agent=agent, secrets=secrets, pair=pair)


def _platform(reader: Reader, node: str, facts: Mapping[str, t.Any]) -> tuple[str, str, str] | None:
    platform = host_facts.platform(facts)
    if platform is None:
        reader.refuse(node, "has no facts", "gather facts of this host before the role (gather_facts: true)")
        return None
    _family, distribution, major = platform
    if major not in host_facts.SUPPORTED.get(distribution, ()):
        reader.refuse(node, f"{distribution} {major} is not supported", f"use one of {host_facts.supported_names()}")
        return None
    return platform


def _java(
    reader: Reader,
    given: Mapping[str, t.Any],
    platform: tuple[str, str, str] | None,
    facts: Mapping[str, t.Any],
    seen: Mapping[str, t.Any],
) -> Java | None:
    services = given["services"]
    entries = services.values() if isinstance(services, Mapping) else []
    if platform is None or all(isinstance(entry, Mapping) and entry.get("command") is not None for entry in entries):
        return None
    home = given.get("java_home")
    if home not in (None, ""):
        text = reader.text(f"{PREFIX}java_home", home, "give the directory of a Java, such as /opt/jdk-21")
        if text is not None and not text.startswith("/"):
            reader.refuse(f"{PREFIX}java_home", f"{text!r} is not absolute", "give one such as /opt/jdk-21")
        if given.get("java_version") not in (None, ""):
            reader.refuse(f"{PREFIX}java_home", "is given beside java_service_java_version", "give one of the two")
        return Java(None, None, str(text or ""))
    return read_java(
        reader,
        given.get("java_version"),
        needs=Needs(PREFIX, "the service", 8, "give java_service_java_home"),
        needs_package=True,
        platform=platform,
        architecture=str(facts.get("architecture", "")),
        found=seen.get("java"),
    )


def _version(
    java: Java | None, platform: tuple[str, str, str] | None, found: t.Sequence[Mapping[str, t.Any]] | None
) -> int | None:
    """Which Java it is, as far as that is known; `found`: those of the node, None when nobody looked."""
    if java is None or platform is None or java.version is not None:
        return java.version if java else None
    if java.package is None:
        home = java.home.rstrip("/")
        return next((entry.get("version") for entry in found or () if entry.get("home") == home), None)
    usual = next((entry for entry in found or () if entry.get("default")), None)
    if usual is not None:
        version = usual.get("version")
        return version if isinstance(version, int) else None
    family, _distribution, major = platform
    return None if found is None else (DEBIAN_USUAL if family == "Debian" else EL_USUAL).get(major)


def _check_accounts(reader: Reader, services: t.Sequence[Service]) -> None:
    """One account has one number."""
    numbers: dict[str, Service] = {}
    for service in services:
        other = numbers.setdefault(service.user, service)
        if other.uid != service.uid:
            reader.refuse(
                f"{PREFIX}services.{service.name}.uid",
                f"is {service.uid or 'missing'}, and {other.name}, which runs as {service.user} too, has "
                f"{other.uid or 'none'}",
                "give both the same, or each an account of its own",
            )


def _seconds(given: object) -> float | None:
    try:
        return float(given) if isinstance(given, (int, float, str)) else None
    except ValueError:
        return None


def _pair(reader: Reader, given: Mapping[str, t.Any], node: str) -> Pair | None:
    members = given.get("members")
    if members in (None, {}, ""):
        return None
    addresses = pair_addresses(f"{node}: {PREFIX}members", members, node, reader)
    port = reader.integer(f"{PREFIX}port", given.get("port"), 1, 65535, "give a free TCP port such as 7411")
    if addresses is None or port is None:
        return None
    peer = next(member for member in addresses if member != node)
    return Pair(node, addresses[node], peer, addresses[peer], next(iter(addresses)) == node, port)


def _agent(
    reader: Reader,
    given: Mapping[str, t.Any],
    node: str,
    services: t.Sequence[Service],
    pair: Pair | None,
    lent: float | None,
) -> tuple[dict[str, t.Any] | None, tuple[str, ...]]:
    watchdog = reader.seconds(
        f"{PREFIX}watchdog", given.get("watchdog", 3), 1, 60, "give seconds after which systemd ends a hung agent"
    )
    standby = [service for service in services if service.mode == ACTIVE_STANDBY]
    if not standby or watchdog is None:
        return None, ()
    witness: list[Witness | None] = []

    def third() -> Witness | None:
        if not witness:
            # Both nodes have to give the pair the same name, and no other pair may have it.
            name = "/".join(sorted((pair.node, pair.peer))) if pair else ""
            if not name:
                reader.refuse(
                    f"{PREFIX}members", "is missing, and the witness has to know the pair", "give the two nodes"
                )
            witness.append(read_witness(reader, PREFIX, given, name, lent))
        return witness[0]

    entries, kinds = {}, set()
    for service in standby:
        arbiter = read_arbiter(
            reader,
            f"{PREFIX}services.{service.name}.arbiter",
            given["services"][service.name].get("arbiter", USUAL_ARBITER),
            watchdog=watchdog,
            blind=BLIND,
            stop_timeout=service.stop_timeout,
            pair=pair,
            witness=third,
        )
        if arbiter is None:
            continue
        kinds.add(arbiter["kind"])
        entries[service.name] = _agent_entry(service, arbiter)
    secrets = sorted({SECRETS[kind] for kind in kinds & set(SECRETS) if kind != "command" or pair is not None})
    for name in secrets:
        variable = {"channel": f"{PREFIX}secret", "witness": f"{PREFIX}witness_secret"}[name]
        check_secret(reader, variable, given.get(variable[len(PREFIX) :]))
    listens = pair is not None and "channel" in secrets
    return {
        "schema": 1,
        "node": node,
        "watchdog": watchdog,
        "listen": {"address": pair.address, "port": pair.port} if pair is not None and listens else None,
        "services": entries,
    }, tuple(secrets)


def _agent_entry(service: Service, arbiter: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        "instance": service.instance,
        "track_file": f"{STATE_DIRECTORY}/track/{service.name}",
        "ready_file": f"{STATE_DIRECTORY}/active/{service.name}",
        "failing_file": f"{STATE_DIRECTORY}/failing/{service.name}",
        "companions": [*service.companions, *service.triggered],
        "confirm": service.confirm,
        "blind": BLIND,
        "start_timeout": service.start_timeout,
        "stop_timeout": service.stop_timeout,
        "restarts": service.restarts,
        "ready": {
            "kind": service.ready.kind,
            "target": service.ready.target,
            "interval": service.ready.interval,
        },
        "arbiter": arbiter,
    }
