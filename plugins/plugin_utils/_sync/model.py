# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file synchronisation of a node: the user's variables in, one complete model out. It holds no secret."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, kind, nearest, shown
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.requirements import reader_with_library
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.values import pair_addresses

KEYS = ("exclude", "group", "mode", "owner", "path")
WATCHES = ("auto", "lsyncd", "systemd")
RECEIVER = "/usr/libexec/keepalived/ha-pair-sync-receive"
KEY = "/etc/ha-pair/sync/id_ed25519"
KNOWN_HOSTS = "/etc/ha-pair/sync/known_hosts"

DIRECTORIES_CURE = "give directories by name, such as {data: {path: /srv/data}}"
NAME_CURE = "give a name of up to 32 small letters, digits, - and _ that begins with a letter or digit"
PATH_CURE = "give the absolute path of a directory, such as /srv/data"
OWN_CURE = "give a directory that holds files of the service only"
EXCLUDE_CURE = "give patterns of rsync, such as ['*.tmp', /cache/]"
ACCOUNT_CURE = "give the name of an account that is there, or make it before"
MODE_CURE = 'give a mode in quotes, such as "0750"'
SERVICE_CURE = "give the name of a service of mode active_standby, without .service, or leave it out"
INTERVAL_CURE = "give the seconds between two rounds, 1 to 3600; what is lost in a crash is at most that and one round"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@-]*(?<!\.service)")
_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?")
_PATH = re.compile(r"(?:/[A-Za-z0-9_.:@+-]+)+")
_MODE = re.compile(r"0?[0-7]{3,4}")
# What rsync would not take for a pattern: signs of a rule before a space, and what is not printed.
_EXCLUDE = re.compile(r"(?![+!-]\s|\s)[\x20-\x7e]{1,200}")

# Another node's files over one of these take the machine with them.
_KEPT = (
    "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var", "/var/cache",  # noqa: S108 - nothing is written there
    "/var/lib", "/var/local",
    "/var/log", "/var/mail", "/var/opt", "/var/spool", "/var/tmp",  # noqa: S108 - the same
)  # fmt: skip
# Nothing in these is only a service's.
_KEPT_TREES = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/root/.ssh", "/run", "/sbin",
    "/sys", "/usr", "/var/lib/apt", "/var/lib/dpkg", "/var/lib/ha-pair", "/var/lib/rpm", "/var/lib/systemd",
    "/var/run",
)  # fmt: skip


@dataclass(frozen=True)
class Directory:
    """One mirrored directory. An owner that is empty: it is as it is."""

    name: str
    path: str
    exclude: tuple[str, ...]
    owner: str
    group: str
    mode: str


@dataclass(frozen=True)
class Model:
    """Everything that the templates print, the tasks install and `verify` expects.

    `service`: the service whose node is the source; empty where that is the owner of the instance.
    `key_options`: what stands before the peer's key in authorized_keys. `peer_host`: the peer in known_hosts.
    `settings`: what the programs of the node read.
    """

    node: str
    address: str
    peer: str
    peer_address: str
    peer_host: str
    instance: str
    service: str
    interval: int
    watch: str
    directories: tuple[Directory, ...]
    key_options: str
    settings: dict[str, t.Any]

    def to_dict(self) -> dict[str, t.Any]:
        """As plain data."""
        return asdict(self)


def build_sync(
    directories: object,
    members: object,
    *,
    node: str,
    instance: object,
    instances: Iterable[str] | None = None,
    service: object = "",
    services: Iterable[str] | None = None,
    interval: object = 5,
    timeout: object = 30,
    bandwidth: object = 0,
    keep_days: object = 30,
    port: object = 22,
    first: object = "",
    watch: object = "auto",
    users: Iterable[str] | None = None,
    groups: Iterable[str] | None = None,
    existing: Mapping[str, t.Any] | None = None,
    peer_users: Mapping[str, int] | None = None,
    peer_groups: Mapping[str, int] | None = None,
) -> Model:
    """The model of one node; raises InputError with all that is wrong.

    `instances` and `services`: the VRRP instances of the node and its services that run on one node only, `users` and
    `groups`: its accounts, where they are known; with their numbers they are compared with those of the peer.
    `existing`: what is in the directories, by node and name: {"empty": whether it is, "marker": whether it was ever
    mirrored}, and of this node "kind" and "real", its path without links.
    """
    reader = reader_with_library()
    addresses = pair_addresses(f"{node}: file_sync_members", members, node, reader)
    found = _directories(reader, f"{node}: file_sync_directories", directories, users, groups)
    name = _instance(reader, f"{node}: file_sync_instance", instance, instances)
    runs = _service(reader, f"{node}: file_sync_service", service, services)
    every = reader.integer(f"{node}: file_sync_interval", interval, 1, 3600, INTERVAL_CURE)
    limit = reader.integer(
        f"{node}: file_sync_timeout", timeout, 5, 3600, "give the seconds after which a silent peer is given up"
    )
    rate = reader.integer(
        f"{node}: file_sync_bandwidth", bandwidth, 0, 10_000_000, "give KiB in a second, or 0 for no limit"
    )
    days = reader.integer(
        f"{node}: file_sync_keep_days", keep_days, 1, 3650, "give the days for which replaced files are kept"
    )
    number = reader.integer(f"{node}: file_sync_port", port, 1, 65535, "give the TCP port of sshd, such as 22")
    how = reader.choice(f"{node}: file_sync_watch", watch, WATCHES, "leave it out for auto")
    winner = _first(reader, f"{node}: file_sync_first", first, addresses)
    if existing is not None:
        _check_places(reader, f"{node}: file_sync_directories", found, existing.get(node, {}))
        if not winner:
            _check_existing(reader, f"{node}: file_sync_directories", found, existing)
    peer = next((member for member in addresses or {} if member != node), "")
    for own, others, key in ((users, peer_users, "owner"), (groups, peer_groups, "group")):
        if isinstance(own, Mapping) and others:
            _check_numbers(reader, f"{node}: file_sync_directories", found, key, own, others, peer)
    reader.finish()
    known = addresses or {}
    own, other = known[node], known[peer]
    return Model(
        node=node,
        address=own,
        peer=peer,
        peer_address=other,
        peer_host=other if number == 22 else f"[{other}]:{number}",
        instance=name,
        service=runs,
        interval=int(every or 0),
        watch=str(how),
        directories=tuple(found),
        key_options=f'restrict,from="{other}",command="{RECEIVER}"',
        settings={
            "schema": 1,
            "node": node,
            "peer": peer,
            "peer_address": other,
            "instance": name,
            "service": runs,
            "port": number,
            "key": KEY,
            "known_hosts": KNOWN_HOSTS,
            "timeout": limit,
            "bandwidth": rate,
            "keep_days": days,
            "first": winner,
            "directories": [
                {"name": entry.name, "path": entry.path, "exclude": list(entry.exclude)} for entry in found
            ],
        },
    )


def _directories(
    reader: Reader, place: str, given: object, users: Iterable[str] | None, groups: Iterable[str] | None
) -> list[Directory]:
    entries = reader.mapping(place, given, DIRECTORIES_CURE)
    if entries is not None and not entries:
        reader.refuse(place, "is empty", DIRECTORIES_CURE)
    known_users, known_groups = _known(users), _known(groups)
    found: list[Directory] = []
    for key, value in (entries or {}).items():
        here = f"{place}.{key}"
        if not isinstance(key, str) or not _NAME.fullmatch(key):
            reader.refuse(place, f"{shown(key)} is not a name", NAME_CURE)
            continue
        entry = reader.mapping(here, value, DIRECTORIES_CURE)
        if entry is None:
            continue
        reader.keys(here, entry, KEYS)
        path = _path(reader, f"{here}.path", entry.get("path"))
        directory = Directory(
            name=str(key),
            path=path or "",
            exclude=_exclude(reader, f"{here}.exclude", entry.get("exclude", [])),
            owner=_account(reader, f"{here}.owner", entry.get("owner", ""), "user", known_users),
            group=_account(reader, f"{here}.group", entry.get("group", ""), "group", known_groups),
            mode=_mode(reader, f"{here}.mode", entry.get("mode", "")),
        )
        if path is None:
            continue
        for other in found:
            _check_apart(reader, f"{here}.path", directory, other)
        found.append(directory)
    return found


def _known(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(map(str, names))


def _path(reader: Reader, place: str, given: object) -> str | None:
    if given is None:
        reader.refuse(place, "is missing", PATH_CURE)
        return None
    path = reader.text(place, given, PATH_CURE)
    if path is None:
        return None
    if not path.startswith("/"):
        reader.refuse(place, f"{shown(path)} is not absolute", PATH_CURE)
        return None
    if path == "/":
        reader.refuse(place, "'/' is what the system needs", OWN_CURE)
        return None
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        what = f"{shown(path)} is not a plain path of letters, digits and _.:@+- without a slash at its end"
        reader.refuse(place, what, PATH_CURE)
        return None
    # In one of these, or above it: a part of one is gone with the whole.
    tree = next((tree for tree in _KEPT_TREES if _holds(tree, path) or _holds(path, tree)), None)
    if tree == "/var/lib/ha-pair":
        reader.refuse(place, f"{shown(path)} holds what this role itself keeps ({tree}), or is in it", OWN_CURE)
        return None
    if tree is not None or path in _KEPT:
        reader.refuse(place, f"{shown(path)} is what the system needs", OWN_CURE)
        return None
    return path


def _holds(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(f"{outer}/")


def _check_apart(reader: Reader, place: str, one: Directory, other: Directory) -> None:
    if one.path == other.path:
        reader.refuse(place, f"{shown(one.path)} is that of {other.name} too", "give each directory once")
    elif _holds(other.path, one.path):
        what = f"{shown(one.path)} is inside that of {other.name} ({other.path})"
        reader.refuse(place, what, f"leave it out, {other.name} mirrors it")
    elif _holds(one.path, other.path):
        what = f"that of {other.name} ({other.path}) is inside {shown(one.path)}"
        reader.refuse(place, what, f"leave {other.name} out, {one.name} mirrors it")


def _exclude(reader: Reader, place: str, given: object) -> tuple[str, ...]:
    found: list[str] = []
    for index, value in enumerate(reader.sequence(place, given, EXCLUDE_CURE) or []):
        if isinstance(value, str) and _EXCLUDE.fullmatch(value):
            found.append(str(value))
        else:
            reader.refuse(f"{place}[{index}]", f"{shown(value)} is not a pattern", EXCLUDE_CURE)
    return tuple(found)


def _account(reader: Reader, place: str, given: object, what: str, known: frozenset[str] | None) -> str:
    if given in (None, ""):
        return ""
    if not isinstance(given, str) or not _ACCOUNT.fullmatch(given):
        reader.refuse(place, f"{shown(given)} is not the name of a {what}", ACCOUNT_CURE)
    elif known is not None and given not in known:
        close = nearest(given, known, cutoff=0.8)
        hint = f"did you mean {close!r}?" if close else ACCOUNT_CURE
        reader.refuse(place, f"there is no {what} {shown(given)}", hint)
    return str(given)


def _mode(reader: Reader, place: str, given: object) -> str:
    if given in (None, ""):
        return ""
    if not isinstance(given, str) or not _MODE.fullmatch(given):
        reader.refuse(place, f"{shown(given)} is {kind(given)}, and no mode of a directory", MODE_CURE)
    return str(given)


def _instance(reader: Reader, place: str, given: object, instances: Iterable[str] | None) -> str:
    cure = "give the name of the VRRP instance whose owner is the source, one of keepalived_instances"
    name = reader.text(place, given, cure)
    if name is None or instances is None:
        return name or ""
    names = sorted(map(str, instances))
    if name not in names:
        close = nearest(name, names)
        hint = f"did you mean {close!r}?" if close else cure
        reader.refuse(place, f"{shown(name)} is not one of keepalived_instances ({', '.join(names) or 'none'})", hint)
    return name


def _service(reader: Reader, place: str, given: object, services: Iterable[str] | None) -> str:
    if given in (None, ""):
        return ""
    names = None if services is None else sorted(map(str, services))
    if not isinstance(given, str) or not _SERVICE.fullmatch(given):
        reader.refuse(place, f"{shown(given)} is not the name of a service", SERVICE_CURE)
    elif names is not None and given not in names:
        close = nearest(given, names)
        hint = f"did you mean {close!r}?" if close else SERVICE_CURE
        what = f"{shown(given)} is not one of java_service_services that run on one node only"
        reader.refuse(place, f"{what} ({', '.join(names) or 'none'})", hint)
    return str(given)


def _first(reader: Reader, place: str, given: object, members: Mapping[str, str] | None) -> str:
    if given in (None, ""):
        return ""
    if members is not None and (not isinstance(given, str) or given not in members):
        names = " or ".join(members)
        reader.refuse(place, f"{shown(given)} is not one of file_sync_members", f"give {names}, or leave it out")
    return str(given)


def _check_existing(
    reader: Reader, place: str, directories: Iterable[Directory], existing: Mapping[str, t.Any]
) -> None:
    """Where nothing was ever mirrored and both nodes have files, only a person knows whose are the right ones."""
    for directory in directories:
        seen = {node: names[directory.name] for node, names in existing.items() if directory.name in names}
        if len(seen) < 2 or any(entry["marker"] for entry in seen.values()):
            continue
        if not any(entry["empty"] for entry in seen.values()):
            what = f"{directory.path} has files on {' and on '.join(seen)}, and nothing was ever mirrored"
            cure = f"empty it on one node, or say whose files win (file_sync_first: {next(iter(seen))})"
            reader.refuse(f"{place}.{directory.name}", what, cure)


def _check_places(reader: Reader, place: str, directories: Iterable[Directory], found: Mapping[str, t.Any]) -> None:
    for directory in directories:
        entry = found.get(directory.name, {})
        here = f"{place}.{directory.name}.path"
        if entry.get("kind") == "other":
            what = f"{directory.path} is not a directory, or cannot be looked into"
            reader.refuse(here, what, "move away what is there, or give another path")
        elif entry.get("kind") and entry.get("real", directory.path) != directory.path:
            what = f"{directory.path} leads to {entry['real']} by a link"
            reader.refuse(here, what, f"give {entry['real']}, on both nodes")
        elif entry.get("open_parent"):
            what = f"others than root may write to {entry['open_parent']}, and put something else there"
            reader.refuse(here, what, f"give a path below directories of root, or {entry['open_parent']} to root alone")


def _check_numbers(
    reader: Reader,
    place: str,
    directories: Iterable[Directory],
    key: str,
    own: Mapping[str, int],
    others: Mapping[str, int],
    peer: str,
) -> None:
    """Files are mirrored with the numbers of their accounts; with another number they would be somebody else's."""
    for directory in directories:
        name = getattr(directory, key)
        numbers = {int(known[name]) for known in (own, others) if name in known}
        # One that is still to be made has none.
        if len(numbers) == 2 and min(numbers) >= 0:
            what = f"{shown(name)} is number {own[name]} here and {others[name]} on {peer}"
            reader.refuse(f"{place}.{directory.name}.{key}", what, "give it the same number on both nodes")
