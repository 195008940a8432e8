# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Tomcat node: the user's variables in, one complete model out. Templates only print it."""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._java.java import (
    Java,
    Needs,
    read_heap,
    read_java,
    read_options,
)
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp import facts as host_facts
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.values import is_wider_than_a_service

from .applications import Application, Known, read_applications
from .connector import plain, read_connector, trusted
from .layout import Layout, installed_rivals, read_layout, read_tarball
from .sessions import Sessions, check_wars, read_sessions

DIRECTORY = "/var/lib/ha-pair/tomcat"
TARBALL_UNIT = "/etc/systemd/system/tomcat.service"
# What each Tomcat needs at least.
LEAST_JAVA = {"9": 8, "10": 11, "11": 17}
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What has a variable of its own, or is the role's own word.
RESERVED = {
    "JAVA_HOME": "tomcat_java_version",
    "CATALINA_OPTS": "tomcat_jvm_options",
    "JAVA_OPTS": "tomcat_jvm_options",
    "CATALINA_HOME": None,
    "CATALINA_BASE": None,
}
# A space would end a name, and a comma a list of roles.
USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
ROLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
WRITE_PATH = re.compile(r"/[A-Za-z0-9._+@:/-]+")
# http_port_t, http_cache_port_t and what else the policy lets Tomcat listen on, EL 8 to 10.
POLICY_PORTS = {80, 81, 443, 488, 8008, 8009, 8443, 9000, 8005, 8080, 8118, 8123, *range(10001, 10011)}


@dataclass(frozen=True)
class User:
    """A user of Tomcat's own realm."""

    name: str
    password: str
    roles: str


@dataclass(frozen=True)
class Selinux:
    """What SELinux must be told: ports that the policy does not give to Tomcat, directories that it is to write to."""

    manage: bool
    ports: tuple[int, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """A URL that has to answer 200 once Tomcat has started, and how often it is asked for that, once in a second."""

    place: str
    url: str
    tries: int


# Tomcat answers once all applications have started; these may do more at their first request.
APPLICATION_TRIES = 10


@dataclass(frozen=True)
class Model:
    """Everything that the templates print and the tasks do. It holds the passwords of the variables."""

    node_name: str
    layout: Layout
    java: Java
    options: tuple[str, ...]
    heap: int | None
    port: int
    address: str
    connector: tuple[tuple[str, str], ...]
    trusted: str
    environment: tuple[tuple[str, str], ...]
    users: tuple[User, ...]
    roles: tuple[str, ...]
    manager: bool
    applications: tuple[Application, ...]
    keep_releases: int
    sessions: Sessions
    write_paths: tuple[str, ...]
    hosts: tuple[str, ...]
    health_url: str
    ready_timeout: int
    asked: tuple[Asked, ...]
    selinux: Selinux

    def to_dict(self) -> dict[str, t.Any]:
        """The model in the plain types that Ansible's loops and templates expect.

        What is looped over stands in the output of a task that fails: the contexts, which may hold passwords, are apart
        from the applications.
        """
        plain_model: dict[str, t.Any] = json.loads(json.dumps(asdict(self)))
        applications = plain_model["applications"]
        plain_model["contexts"] = {application["name"]: application.pop("context") for application in applications}
        return plain_model


def build_tomcat(
    given: Mapping[str, t.Any],
    *,
    node_name: str,
    facts: Mapping[str, t.Any],
    survey: Mapping[str, t.Any] | None = None,
    wars: Mapping[str, Mapping[str, t.Any]] | None = None,
) -> Model:
    """The complete model; raises InputError with every problem that was found.

    `given` holds the role's variables without their prefix. `survey` is what the module tomcat_survey found on the
    node, `wars` what the controller knows of its files; without them, nothing is refused for their sake.
    """
    reader = Reader()
    seen = survey or {}
    platform = _platform(reader, node_name, facts)
    tarball = read_tarball(reader, given["tarball"])
    layout = read_layout(reader, given["version"], tarball, platform)
    java: Java | None = None
    if layout is not None and platform is not None:
        rivals(reader, node_name, layout, seen.get("packages", {}))
        if layout.package is not None and seen.get("tarball_unit"):
            _refuse_unit_of_tarball(reader, node_name, layout.package)
        java = read_java(
            reader,
            given["java_version"],
            needs=Needs("tomcat_", f"Tomcat {layout.major}", LEAST_JAVA[layout.major], "take another Tomcat"),
            needs_package=layout.package is None,
            platform=platform,
            architecture=str(facts.get("architecture", "")),
            found=seen.get("java"),
        )
    heap = read_heap(reader, "tomcat_heap", given["heap"], seen.get("memory"))
    options = read_options(
        reader,
        "tomcat_jvm_options",
        given["jvm_options"],
        heap,
        java.version if java else None,
        heap_place="tomcat_heap",
        # A port that cannot be bound, or a configuration that cannot be read, ends Tomcat; else it went on without.
        more=("-Dorg.apache.catalina.startup.EXIT_ON_INIT_FAILURE=true",),
    )
    port = reader.integer("tomcat_port", given["port"], 1, 65535, "give a number such as 8080")
    if port is not None and layout is not None:
        _port_is_free(reader, node_name, port, layout, seen.get("listeners", []))
    address = _address(reader, given["address"])
    connector = read_connector(reader, given["connector"], node_name)
    manager = _flag(reader, "tomcat_manager", given["manager"])
    users = _users(reader, given["users"])
    known = Known(wars or {}, seen.get("releases"))
    applications = read_applications(
        reader,
        given["applications"],
        known,
        directory=DIRECTORY,
        origin=_origin(address, port or 8080),
        manager=manager,
    )
    # The one that runs, and one to go back to.
    keep = reader.integer("tomcat_keep_releases", given["keep_releases"], 2, 50, "give a number such as 2")
    environment = _environment(reader, given["environment"])
    write_paths = _write_paths(reader, given["write_paths"])
    hosts = _hosts(reader, given["host_names"])
    health = _health_url(reader, given["health_url"])
    timeout = reader.integer("tomcat_ready_timeout", given["ready_timeout"], 1, 3600, "give a number such as 90")
    proxies = trusted(reader, given["trusted_proxies"])
    sessions = read_sessions(
        reader,
        "tomcat_sessions",
        given["sessions"],
        given.get("members", {}),
        node=node_name,
        family=platform[0] if platform else "",
        release=platform[2] if platform else "",
        version=int(layout.major) if layout else None,
        packaged=layout is not None and layout.package is not None,
        taken_ports=() if port is None else (port,),
    )
    if sessions.replication:
        check_wars(reader, {f"tomcat_applications.{one.name}.war": one.war for one in applications if one.war})
    listens = (port, sessions.replication.port if sessions.replication else None)
    labels = _selinux(reader, given["manage_selinux"], facts, listens, write_paths)
    reader.finish()
    if layout is None or java is None or port is None or keep is None or timeout is None or health is None:
        raise AssertionError("something is missing that nothing was refused for")
    return Model(
        node_name=node_name,
        layout=layout,
        java=java,
        options=options,
        heap=heap,
        port=port,
        address=address,
        connector=connector,
        trusted=proxies,
        environment=environment,
        users=users,
        roles=tuple(dict.fromkeys(role for user in users for role in user.roles.split(",") if role)),
        manager=manager,
        applications=applications,
        keep_releases=keep,
        sessions=sessions,
        write_paths=write_paths,
        hosts=hosts,
        health_url=health,
        ready_timeout=timeout,
        asked=(
            Asked("tomcat_health_url", health, timeout),
            *(
                Asked(f"tomcat_applications.{one.name}.health", one.health_url, APPLICATION_TRIES)
                for one in applications
                if one.health_url
            ),
        ),
        selinux=labels,
    )


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


def rivals(reader: Reader, node: str, layout: Layout, packages: Mapping[str, t.Any]) -> None:
    """Refuse a Tomcat that would take the place of another one."""
    for rival in installed_rivals(layout, packages):
        wanted = f"the package {layout.package}" if layout.package else "a tarball"
        other = "11" if rival == "tomcat11" else "9" if rival == "tomcat9" else "10"
        reader.refuse(
            "tomcat_version" if layout.package else "tomcat_tarball",
            f"asks for {wanted}, and {node} has the package {rival}, which has the same paths and the same service",
            f"remove {rival} on one node while the peer serves"
            + (f', or give tomcat_version: "{other}"' if layout.package else ", or leave tomcat_tarball out"),
        )


def _refuse_unit_of_tarball(reader: Reader, node: str, package: str) -> None:
    """It counts for systemd in place of the package's, and the Tomcat of the tarball would go on without a word."""
    reader.refuse(
        "tomcat_tarball",
        f"is left out, so {node} is to get the package {package}, and its {TARBALL_UNIT} runs a tarball's Tomcat",
        'run "systemctl disable --now tomcat.service" on one node while the peer serves, remove '
        f'{TARBALL_UNIT} and {TARBALL_UNIT}.d/ha-pair-tomcat.conf, run "systemctl daemon-reload" and deploy that node; '
        "or give tomcat_tarball again",
    )


def _port_is_free(
    reader: Reader, node: str, port: int, layout: Layout, listeners: t.Sequence[Mapping[str, t.Any]]
) -> None:
    ours = {layout.unit, "tomcat.service"}
    for listener in listeners:
        # What the kernel attributes to no program, such as one of another container, is no reason.
        if listener.get("port") != port or not listener.get("programs") or ours.intersection(listener.get("units", [])):
            continue
        units = [unit for unit in listener.get("units", []) if unit]
        program = ", ".join(listener["programs"]) + (f" ({', '.join(units)})" if units else "")
        reader.refuse(
            "tomcat_port",
            f"{port} of {node} belongs to {program}",
            "stop and disable that program, or give another tomcat_port",
        )


def _flag(reader: Reader, place: str, given: object) -> bool:
    word = str(given).lower() if isinstance(given, (bool, str)) else ""
    if word not in ("true", "false", "yes", "no"):
        reader.refuse(place, f"{shown(given)} is not true or false", "give true or false")
    return word in ("true", "yes")


def _address(reader: Reader, given: object) -> str:
    if given in (None, ""):
        return ""
    try:
        return str(ipaddress.ip_address(str(given)))
    except ValueError:
        reader.refuse(
            "tomcat_address", f"{shown(given)} is not an address", "give one of the node's own, or leave it out for all"
        )
        return ""


def _origin(address: str, port: int) -> str:
    """By what the node itself reaches its Tomcat."""
    host = address or "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _users(reader: Reader, given: object) -> tuple[User, ...]:
    place = "tomcat_users"
    cure = "give a list such as [{name: deployer, password: ..., roles: [manager-script]}]"
    if isinstance(given, (Mapping, str)):
        # Not shown: it may hold a password.
        reader.refuse(place, "is not a list", cure)
        return ()
    found: list[User] = []
    for index, entry in enumerate(reader.sequence(place, given, cure) or []):
        here = f"{place}[{index}]"
        if not isinstance(entry, Mapping):
            reader.refuse(here, "is not a dictionary", cure)
            continue
        reader.keys(here, entry, ("name", "password", "roles"))
        name = reader.text(f"{here}.name", entry.get("name"), "give one such as deployer")
        if name is not None and not USER_NAME.fullmatch(name):
            reader.refuse(f"{here}.name", f"{shown(name)} is not a name", "give letters, digits, . _ @ and -")
        if any(user.name == name for user in found):
            reader.refuse(f"{here}.name", f"{shown(name)} is given twice", "give each user once")
        password = plain(reader, f"{here}.password", entry.get("password"), secret=True)
        if password == "":
            reader.refuse(f"{here}.password", "is empty", "give one, best from a vault")
        roles = reader.sequence(f"{here}.roles", entry.get("roles", []), "give a list such as [manager-gui]") or []
        for role in roles:
            if not ROLE_NAME.fullmatch(str(role)):
                reader.refuse(f"{here}.roles", f"{shown(role)} is not a role", "give letters, digits, . _ and -")
        found.append(User(name or "", password or "", ",".join(str(role) for role in roles)))
    return tuple(found)


def _environment(reader: Reader, given: object) -> tuple[tuple[str, str], ...]:
    place = "tomcat_environment"
    if not isinstance(given, Mapping):
        # Not shown: it may hold a password.
        reader.refuse(place, "is not a dictionary", "give one such as {LANG: C.UTF-8}")
        return ()
    found = []
    for name, value in given.items():
        if not VARIABLE.fullmatch(str(name)):
            reader.refuse(f"{place}.{name}", "is not the name of a variable", "give letters, digits and _")
        elif name in RESERVED:
            cure = f"give {RESERVED[name]}" if RESERVED[name] else "leave it out"
            reader.refuse(f"{place}.{name}", "is decided by the role", cure)
        else:
            text = plain(reader, f"{place}.{name}", value, secret=True)
            found.append((str(name), text or ""))
    return tuple(found)


def _write_paths(reader: Reader, given: object) -> tuple[str, ...]:
    place = "tomcat_write_paths"
    cure = "give absolute paths such as [/srv/uploads]"
    found: list[str] = []
    for index, entry in enumerate(reader.sequence(place, given, cure) or []):
        path = reader.text(f"{place}[{index}]", entry, cure)
        if path is None:
            continue
        path = path.rstrip("/")
        if not WRITE_PATH.fullmatch(path) or "/../" in f"{path}/" or "//" in path:
            reader.refuse(f"{place}[{index}]", f"{shown(entry)} is not an absolute path", cure)
        elif is_wider_than_a_service(path):
            reader.refuse(
                f"{place}[{index}]",
                f"{path} holds more than the data of an application",
                "give a directory of its own such as /srv/uploads",
            )
        elif path not in found:
            found.append(path)
    return tuple(found)


def _hosts(reader: Reader, given: object) -> tuple[str, ...]:
    """Lines of /etc/hosts."""
    place = "tomcat_host_names"
    cure = "give a list such as [{address: 192.0.2.11, names: [node-a.example.com, node-a]}]"
    found: list[str] = []
    owners: dict[str, str] = {}
    for index, entry in enumerate(reader.sequence(place, given, cure) or []):
        here = f"{place}[{index}]"
        line = reader.mapping(here, entry, cure)
        if line is None:
            continue
        reader.keys(here, line, ("address", "names"))
        address = reader.text(f"{here}.address", line.get("address"), cure)
        names = reader.sequence(f"{here}.names", line.get("names"), cure) or []
        if address is not None:
            try:
                address = str(ipaddress.ip_address(address))
            except ValueError:
                reader.refuse(f"{here}.address", f"{shown(address)} is not an address", cure)
        if line.get("names") == []:
            reader.refuse(f"{here}.names", "is empty", cure)
        for name in names:
            if not isinstance(name, str) or not HOST_NAME.fullmatch(name):
                reader.refuse(f"{here}.names", f"{shown(name)} is not a host name", cure)
                continue
            other = owners.setdefault(name, str(address))
            # One name of both families is no mistake.
            if other != address and (":" in other) == (":" in str(address)):
                reader.refuse(f"{here}.names", f"{name} is {other} already", "give each network a name of its own")
        found.append(" ".join([str(address), *map(str, names)]))
    return tuple(found)


def _health_url(reader: Reader, given: object) -> str | None:
    place = "tomcat_health_url"
    cure = "give one such as http://127.0.0.1:8080/ha-pair/health"
    text = reader.text(place, given, cure)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!#-&(-\[\]-~]+", text):
        reader.refuse(place, f"{shown(text)} is not a URL", cure)
        return None
    return text


def _selinux(
    reader: Reader,
    manage: object,
    facts: Mapping[str, t.Any],
    listens: tuple[int | None, ...],
    write_paths: tuple[str, ...],
) -> Selinux:
    if not _flag(reader, "tomcat_manage_selinux", manage) or not host_facts.has_selinux(facts):
        return Selinux(False, (), ())
    ports = tuple(port for port in listens if port is not None and port not in POLICY_PORTS)
    return Selinux(True, ports, (DIRECTORY, *write_paths))
