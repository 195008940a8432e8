# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the sessions of Tomcat's applications live, so that they outlive a node: `tomcat_sessions`.

No secret is in the model: the templates that need one print it from the user's own variable.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, kind, shown
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.values import boolean, endpoint, ip_address

NONE, REPLICATION, REDIS = "none", "replication", "redis"
BACKENDS = (NONE, REPLICATION, REDIS)
REPLICATION_KEYS = ("backend", "members", "port", "timeout", "encryption_key")
REDIS_KEYS = (
    "backend",
    "addresses",
    "username",
    "password",
    "database",
    "tls",
    "jars",
    "manager",
    "configuration",
    "timeout",
)
JAR_KEYS = ("url", "path", "checksum")
MANAGER_KEYS = ("class", "attributes")

DEFAULT_PORT = 4000
DEFAULT_TIMEOUT = 1.0
DEFAULT_REDIS_PORT = 6379
MOST_MEMBERS = 8
"""Every change goes to every member."""

CLUSTER_JARS = ("catalina-ha.jar", "catalina-tribes.jar")

MANAGER_CLASS = "org.redisson.tomcat.RedissonSessionManager"
MANAGER_ATTRIBUTES = {
    # Every request reads what the other node may have written a moment ago.
    "readMode": "REDIS",
    "updateMode": "DEFAULT",
}
CONFIGURATION_FILE = "ha-pair-sessions.yaml"
CONFIGURATION_ATTRIBUTE = "configPath"
CONFIGURATION_PATH = "${catalina.base}/conf/" + CONFIGURATION_FILE

CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")
KEY_DIGITS = (32, 48, 64)
"""Hexadecimal digits of an AES key."""
CLASS_NAME = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+", re.ASCII)
ATTRIBUTE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
DISTRIBUTABLE = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?distributable\s*/?>", re.ASCII)

SESSIONS_CURE = "give {backend: replication}, {backend: redis, ...} or {backend: none}"
MEMBERS_CURE = "give the nodes and their addresses, such as {node-a: 192.0.2.11, node-b: 192.0.2.12}"
PORT_CURE = "give a free TCP port such as 4000"
UNENCRYPTED = "none"
"""The key of somebody whose network nobody else has."""
KEY_CURE = (
    'give 32, 48 or 64 hexadecimal digits, such as those of "openssl rand -hex 32", from a vault; '
    "or none where nobody else reaches the network of the members"
)
ADDRESSES_CURE = "give the addresses of Redis, such as [192.0.2.11:6379, 192.0.2.12:6379]"
LOGIN_CURE = "give the password of Redis, from a vault"
JARS_CURE = "give [{url: ..., checksum: sha256:...}] or [{path: /files/manager.jar}], with all that the manager needs"
JAR_CURE = "give {url: https://..., checksum: sha256:...} or {path: /absolute/path/of/the.jar}"
MANAGER_CURE = "give {class: com.example.SessionManager, attributes: {...}}, or leave it out for Redisson's"


@dataclass(frozen=True)
class Member:
    """A Tomcat that has a copy of every session. `unique_id` is 16 bytes in the words of Tomcat."""

    name: str
    address: str
    unique_id: str


@dataclass(frozen=True)
class Replication:
    """Tomcat's own cluster. `peers` are all members but this node; times are in milliseconds.

    `lacks_jars`: the package of this system is known to come without the jars.
    """

    local: Member
    peers: tuple[Member, ...]
    port: int
    timeout: int
    encrypted: bool
    jars: tuple[str, ...]
    lacks_jars: bool


@dataclass(frozen=True)
class Jar:
    """A file for Tomcat's class path. Exactly one of `url` and `path` (on the controller) is set.

    Its name changes with what is in it, so that a running Tomcat never finds another file under an old name.
    """

    name: str
    url: str | None
    path: str | None
    sha256: str


@dataclass(frozen=True)
class Endpoint:
    """Where a Redis listens."""

    host: str
    port: int
    url: str


@dataclass(frozen=True)
class Redis:
    """A session manager that keeps sessions in Redis. `configuration`: whether the user gives the text of its file."""

    endpoints: tuple[Endpoint, ...]
    username: str
    database: int
    tls: bool
    jars: tuple[Jar, ...]
    manager_class: str
    manager_attributes: dict[str, str]
    configuration: bool
    configuration_file: str
    timeout: float


@dataclass(frozen=True)
class Sessions:
    """At most one of `replication` and `redis` is set. `secret`: whether a file of this holds a password or a key."""

    backend: str
    replication: Replication | None
    redis: Redis | None
    secret: bool


NO_SESSIONS = Sessions(NONE, None, None, False)


def read_sessions(
    reader: Reader,
    place: str,
    given: object,
    members: Mapping[str, str | None],
    *,
    node: str,
    family: str = "",
    release: str = "",
    version: int | None = None,
    packaged: bool = True,
    taken_ports: t.Collection[int] = (),
) -> Sessions:
    """What `tomcat_sessions` says; problems go to the reader.

    `members`: the addresses of the pair's members by name, for when it names none itself. `family` and `release` of the
    system, `version` of Tomcat and `packaged` say which jars there will be.
    """
    if given is None or given == {}:
        return NO_SESSIONS
    entry = reader.mapping(place, given, SESSIONS_CURE)
    if entry is None:
        return NO_SESSIONS
    backend = reader.choice(f"{place}.backend", entry.get("backend", NONE), BACKENDS, SESSIONS_CURE)
    if backend == REPLICATION:
        reader.keys(place, entry, REPLICATION_KEYS)
        lacks = lacks_cluster_jars(family, release, version, packaged)
        replication = _replication(reader, place, entry, members, node, taken_ports, lacks)
        if packaged and (family, release) == ("RedHat", "7"):
            reader.refuse(
                f"{place}.backend",
                "'replication' between static members needs Tomcat 9, and EL 7 has Tomcat 7",
                "give tomcat_tarball with a newer one, or take backend: redis",
            )
        return Sessions(backend, replication, None, _is_encrypted(entry))
    if backend == REDIS:
        reader.keys(place, entry, REDIS_KEYS)
        return Sessions(backend, None, _redis(reader, place, entry), True)
    if backend == NONE:
        reader.keys(place, entry, ("backend",))
    return NO_SESSIONS


def lacks_cluster_jars(family: str, release: str, version: int | None, packaged: bool) -> bool:
    """Whether the distribution is known to take the jars of the cluster out of its package.

    EL 8 and 9 do, and so does tomcat9 of EL 10; its tomcat (10.1) has them.
    """
    if not packaged or family != "RedHat":
        return False
    return release in ("8", "9") or (release == "10" and version == 9)


def declares_distributable(descriptor: str) -> bool:
    """Whether a web.xml says that its application's sessions may be on several nodes. Without, none is replicated."""
    return DISTRIBUTABLE.search(re.sub(r"<!--.*?-->", "", descriptor, flags=re.DOTALL)) is not None


def check_wars(reader: Reader, wars: Mapping[str, str]) -> None:
    """Refuse applications whose sessions Tomcat would keep to itself; `wars`: files on the controller by place."""
    for place, path in wars.items():
        try:
            with zipfile.ZipFile(Path(path)) as war:
                found = declares_distributable(war.read("WEB-INF/web.xml").decode("utf-8", "replace"))
        except KeyError:
            found = False
        except (OSError, zipfile.BadZipFile):
            continue  # whoever reads the application says so
        if not found:
            reader.refuse(
                place,
                f"{shown(path)} has no <distributable/> in its WEB-INF/web.xml, so its sessions stay on one node",
                "add it there, once everything that the application puts into a session is Serializable",
            )


def _replication(
    reader: Reader,
    place: str,
    entry: Mapping[str, t.Any],
    defaults: Mapping[str, str | None],
    node: str,
    taken: t.Collection[int],
    lacks_jars: bool,
) -> Replication | None:
    port = reader.integer(f"{place}.port", entry.get("port", DEFAULT_PORT), 1, 65535, PORT_CURE)
    if port is not None and port in taken:
        reader.refuse(f"{place}.port", f"{port} is a port of Tomcat's connectors too", PORT_CURE)
    timeout = reader.seconds(
        f"{place}.timeout", entry.get("timeout", DEFAULT_TIMEOUT), 0.2, 30, "give seconds such as 1"
    )
    key = entry.get("encryption_key")
    if key is None:
        # Whoever reaches the port of a member that does not encrypt can have its Java make any object.
        reader.refuse(f"{place}.encryption_key", "is missing", KEY_CURE)
    elif not isinstance(key, str):
        # Not the key itself.
        reader.refuse(f"{place}.encryption_key", f"is {kind(key)}, not a string", KEY_CURE)
    elif key != UNENCRYPTED and not (len(key) in KEY_DIGITS and re.fullmatch(r"[0-9A-Fa-f]+", key)):
        reader.refuse(f"{place}.encryption_key", "is no key of AES", KEY_CURE)
    members = _members(reader, place, entry.get("members"), defaults, node)
    if members is None or port is None or timeout is None:
        return None
    local = next(member for member in members if member.name == node)
    peers = tuple(member for member in members if member.name != node)

    return Replication(local, peers, port, round(timeout * 1000), _is_encrypted(entry), CLUSTER_JARS, lacks_jars)


def _is_encrypted(entry: Mapping[str, t.Any]) -> bool:
    return entry.get("encryption_key") not in (None, UNENCRYPTED)


def _members(
    reader: Reader, place: str, given: object, defaults: Mapping[str, str | None], node: str
) -> tuple[Member, ...] | None:
    where = f"{place}.members"
    source: Mapping[str, t.Any] | None = defaults
    if given is not None:
        source = reader.mapping(where, given, MEMBERS_CURE)
    if source is None:
        return None
    members: list[Member] = []
    whole = True
    for name, value in source.items():
        address = ip_address(value)
        if address is None or address.is_loopback() or address.is_link_local():
            what = f"{shown(value)} is not an address that the others can reach"
            reader.refuse(f"{where}.{name}", what if value not in (None, "") else "has no address", MEMBERS_CURE)
            whole = False
            continue
        same = [member.name for member in members if member.address == str(address)]
        if same:
            reader.refuse(f"{where}.{name}", f"has the address of {same[0]}, {address}", MEMBERS_CURE)
            whole = False
        members.append(Member(str(name), str(address), _unique_id(str(name))))
    if not 2 <= len(source) <= MOST_MEMBERS:
        reader.refuse(where, f"has {len(source)} members, not 2 to {MOST_MEMBERS}", MEMBERS_CURE)
        whole = False
    if node not in source:
        names = ", ".join(map(str, source)) or "nobody"
        reader.refuse(where, f"names {names}, and not {node} itself", MEMBERS_CURE)
        whole = False
    return tuple(members) if whole else None


def _unique_id(name: str) -> str:
    """The same on every node, and whatever becomes of the other members. Java's bytes go from -128 to 127."""
    numbers = [byte - 128 for byte in hashlib.sha256(name.encode()).digest()[:16]]
    return "{" + ",".join(map(str, numbers)) + "}"


def _redis(reader: Reader, place: str, entry: Mapping[str, t.Any]) -> Redis | None:
    tls = boolean(f"{place}.tls", entry.get("tls", False), reader)
    endpoints = _endpoints(reader, place, entry, bool(tls))
    database = reader.integer(f"{place}.database", entry.get("database", 0), 0, 65535, "give a number such as 0")
    timeout = reader.seconds(f"{place}.timeout", entry.get("timeout", 3), 0.5, 60, "give seconds such as 3")
    username = entry.get("username", "")
    if not isinstance(username, str) or re.search(r"\s", username):
        reader.refuse(f"{place}.username", f"{shown(username)} is not a name", "leave it out for the default user")
    password = entry.get("password")
    if password is None:
        reader.refuse(f"{place}.password", "is missing", LOGIN_CURE)
    elif not isinstance(password, str):
        reader.refuse(f"{place}.password", f"is {kind(password)}, not a string", LOGIN_CURE)
    elif not password.strip() or re.search(r"[\x00-\x1f\x7f]", password):
        reader.refuse(f"{place}.password", "is empty, or holds a control character", LOGIN_CURE)
    configuration = entry.get("configuration")
    if configuration is not None and not (isinstance(configuration, str) and configuration.strip()):
        # It may hold a password.
        reader.refuse(
            f"{place}.configuration",
            f"is {kind(configuration)}, not a text" if not isinstance(configuration, str) else "is empty",
            f"give the text of {CONFIGURATION_FILE}, or leave it out for ours",
        )
    jars = _jars(reader, place, entry.get("jars"))
    manager = _manager(reader, f"{place}.manager", entry.get("manager"))
    if endpoints is None or jars is None or manager is None or database is None or timeout is None or tls is None:
        return None
    return Redis(
        endpoints=endpoints,
        username=str(username),
        database=database,
        tls=tls,
        jars=jars,
        manager_class=manager[0],
        manager_attributes=manager[1],
        configuration=configuration is not None,
        configuration_file=CONFIGURATION_FILE,
        timeout=timeout,
    )


def _endpoints(reader: Reader, place: str, entry: Mapping[str, t.Any], tls: bool) -> tuple[Endpoint, ...] | None:
    where = f"{place}.addresses"
    if "addresses" not in entry:
        reader.refuse(where, "is missing", ADDRESSES_CURE)
        return None
    given = reader.sequence(where, entry["addresses"], ADDRESSES_CURE)
    if given is None:
        return None
    if not given:
        reader.refuse(where, "is empty", ADDRESSES_CURE)
    found: list[Endpoint] = []
    for index, value in enumerate(given):
        parsed = endpoint(value) or (endpoint(f"{value}:{DEFAULT_REDIS_PORT}") if isinstance(value, str) else None)
        if parsed is None:
            reader.refuse(f"{where}[{index}]", f"{shown(value)} is not host:port", ADDRESSES_CURE)
            continue
        host, port = parsed
        bracketed = f"[{host}]" if ":" in host else host
        entry_point = Endpoint(host, port, f"{'rediss' if tls else 'redis'}://{bracketed}:{port}")
        if entry_point in found:
            reader.refuse(f"{where}[{index}]", f"{shown(value)} is there twice", ADDRESSES_CURE)
        found.append(entry_point)
    return tuple(found) if found else None


def _jars(reader: Reader, place: str, given: object) -> tuple[Jar, ...] | None:
    where = f"{place}.jars"
    if given is None:
        # Where they come from is for the user to decide: what runs in Tomcat has all its rights.
        reader.refuse(where, "is missing", JARS_CURE)
        return None
    entries = reader.sequence(where, given, JARS_CURE)
    if entries is None:
        return None
    if not entries:
        reader.refuse(where, "is empty", JARS_CURE)
    jars = [_jar(reader, f"{where}[{index}]", entry) for index, entry in enumerate(entries)]
    first: dict[str, int] = {}
    for index, jar in enumerate(jars):
        if jar is not None and jar.sha256 and first.setdefault(jar.sha256, index) != index:
            reader.refuse(f"{where}[{index}]", f"is the same as {where}[{first[jar.sha256]}]", "give each jar once")
    return tuple(jar for jar in jars if jar is not None)


def _jar(reader: Reader, place: str, given: object) -> Jar | None:
    entry = reader.mapping(place, given, JAR_CURE)
    if entry is None:
        return None
    reader.keys(place, entry, JAR_KEYS)
    url, path, checksum = (entry.get(key) for key in JAR_KEYS)
    if (url is None) == (path is None):
        reader.refuse(place, "has neither url nor path" if url is None else "has both url and path", JAR_CURE)
        return None
    if checksum is not None and not (isinstance(checksum, str) and CHECKSUM.fullmatch(checksum)):
        reader.refuse(
            f"{place}.checksum", f"{shown(checksum)} is not sha256: and 64 hexadecimal digits", 'run "sha256sum"'
        )
        return None
    source = reader.text(f"{place}.{'path' if url is None else 'url'}", path if url is None else url, JAR_CURE)
    if source is None:
        return None
    if path is not None:
        if not source.startswith("/"):
            reader.refuse(f"{place}.path", f"{shown(source)} is not an absolute path", JAR_CURE)
        name = source.rpartition("/")[2]
    else:
        parts = urlsplit(source)
        if parts.scheme not in ("http", "https", "file") or re.search(r"\s", source):
            reader.refuse(f"{place}.url", f"{shown(source)} is not a URL", JAR_CURE)
        if checksum is None:
            reader.refuse(f"{place}.checksum", "is missing", 'give sha256: and what "sha256sum" says of the jar')
        name = parts.path.rpartition("/")[2]
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*\.jar", name):
        reader.refuse(place, f"{shown(name)} is not the name of a jar", JAR_CURE)
        return None
    digest = str(checksum or "").partition(":")[2]
    if path is not None:
        digest = _digest(reader, f"{place}.path", source, digest)
    # Beside jars of Tomcat's own it must be known by whom it was put there.
    return Jar(f"ha-pair-{digest[:16]}-{name}", url and str(url), path and str(path), digest)


def _digest(reader: Reader, place: str, path: str, wanted: str) -> str:
    """What is in a file on the controller; empty after a refusal."""
    try:
        found = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as exc:
        reader.refuse(place, f"{shown(path)} on the controller cannot be read ({exc.strerror})", JAR_CURE)
        return ""
    if wanted and found != wanted:
        reader.refuse(place, f"{shown(path)} has sha256:{found}, not that of checksum", "see which of the two is meant")
    return found


def _manager(reader: Reader, place: str, given: object) -> tuple[str, dict[str, str]] | None:
    entry = reader.mapping(place, {} if given is None else given, MANAGER_CURE)
    if entry is None:
        return None
    reader.keys(place, entry, MANAGER_KEYS)
    name = reader.text(f"{place}.class", entry.get("class", MANAGER_CLASS), MANAGER_CURE)
    if name is not None and not CLASS_NAME.fullmatch(name):
        reader.refuse(f"{place}.class", f"{shown(name)} is not the full name of a class", MANAGER_CURE)
    attributes = reader.mapping(f"{place}.attributes", entry.get("attributes", {}), MANAGER_CURE)
    if name is None or attributes is None:
        return None
    # What is right for Redisson's manager, nobody knows of another.
    found: dict[str, str] = {}
    if name == MANAGER_CLASS:
        found = {CONFIGURATION_ATTRIBUTE: CONFIGURATION_PATH, **MANAGER_ATTRIBUTES}
    for key, value in attributes.items():
        if not ATTRIBUTE_NAME.fullmatch(str(key)) or str(key) == "className":
            reader.refuse(f"{place}.attributes.{key}", "is not the name of an attribute", MANAGER_CURE)
        elif isinstance(value, bool):
            found[str(key)] = str(value).lower()
        elif isinstance(value, (str, int, float)):
            found[str(key)] = str(value)
        else:
            reader.refuse(f"{place}.attributes.{key}", f"is {kind(value)}, not a string", MANAGER_CURE)
    return name, found
