# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads one service: what runs, as whom, where, when it is ready, and what runs beside it."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, kind, nearest, shown
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.values import boolean, is_wider_than_a_service, words

from .archives import JAR, read_archive
from .java import OPTION, Java, read_heap, read_options
from .quoting import exec_word
from .ready import Ready, read_ready

ACTIVE_STANDBY, ACTIVE_ACTIVE = "active_standby", "active_active"
MODES = (ACTIVE_STANDBY, ACTIVE_ACTIVE)
KEYS = (
    "arbiter",
    "arguments",
    "checksum",
    "class_data_sharing",
    "command",
    "companions",
    "confirm",
    "environment",
    "heap",
    "instance",
    "jar",
    "jvm_options",
    "main_class",
    "memory_max",
    "mode",
    "ports",
    "ready",
    "restarts",
    "start_timeout",
    "stop_timeout",
    "uid",
    "url",
    "user",
    "working_directory",
    "write_paths",
)
"""What a service may have."""
JAVA_KEYS = ("class_data_sharing", "heap", "jvm_options", "main_class")
ARCHIVE_KEYS = ("checksum", "jar", "url")
STANDBY_KEYS = ("arbiter", "companions", "confirm", "instance", "restarts")

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
CLASS = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(?:\.[A-Za-z_$][A-Za-z0-9_$]*)*")
UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@-]*\.(?:service|timer|path|socket|mount)")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MEMORY = re.compile(r"([1-9][0-9]*)([KMG])")
PATH = re.compile(r"(?:/[A-Za-z0-9_.:@+-]+)+")
# What ProtectHome= takes away.
HOMES = re.compile(r"/home/")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")

SERVICES_CURE = "give services by name, such as {fetcher: {jar: /srv/releases/fetcher.jar}}"
SOURCE_CURE = "give jar, url with checksum, or command: [/usr/local/bin/program, ...]"
NAME_CURE = "give small letters, digits and -, such as fetcher; it is the name of its systemd unit"
PATH_CURE = "give the absolute path of a directory, such as /srv/fetcher"
UNIT_CURE = "give systemd units that are on both nodes, with their suffix, such as [fetcher-report.timer]"
MEMORY_CURE = "give a size such as 512M or 2G"
SHARING_CURE = (
    "give {arguments: [...]} with which the program starts, loads its classes and ends by itself, such as [--version]"
)
# A JVM needs less than an application server to be one.
SMALLEST_HEAP = 16
# With older ones an archive of an application's own classes needs a list of them first.
SHARING_JAVA = 13


@dataclass(frozen=True)
class Jar:
    """`path` (on the controller) and `url` are None once it is on the node; without a look at it `release` is empty."""

    path: str | None
    url: str | None
    sha256: str
    release: str
    staged: bool
    file: str


@dataclass(frozen=True)
class Sharing:
    """The archive of classes: with which words the program makes it, within how many seconds."""

    words: tuple[str, ...]
    timeout: int
    file: str


@dataclass(frozen=True)
class Service:
    """One service.

    `start`: ExecStart=. `given_directory`: it is the user's, not made by us. `own_paths`: it may write there
    as well. `makes`: of all these what is made here, and by no other role. `triggered`: units that
    companions start (that of a timer), which end with the service and are not started with it.
    """

    name: str
    mode: str
    instance: str
    jar: Jar | None
    start: str
    user: str
    group: str
    uid: int | None
    working_directory: str
    given_directory: bool
    own_paths: tuple[str, ...]
    makes: tuple[str, ...]
    sees_homes: bool
    memory_max: str
    ports: tuple[int, ...]
    ready: Ready
    sharing: Sharing | None
    start_timeout: float
    stop_timeout: float
    confirm: float
    restarts: int
    companions: tuple[str, ...]
    triggered: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Known:
    """What is known of the node and the controller; what is None was not looked at.

    `java`: which version runs jars, `accounts`: {name: uid or None}, `uids`: {uid: name}, `paths`: {service: {path:
    word}}, `units`: {name: {...}},
    `made`: directories that other roles of the same run make, `owned`: those of them that they give to somebody,
    `followers`: units that another role binds to a service,
    `drop_ins`: {service: files of ours in directories of units}, `groups`: {account: its group}, `named_groups`:
    {account: the number of the group of that name}, `gids`: {number of an account: the group that has it}, `owners`:
    {service: {path: whose it is}}, `mounts`: where file servers are mounted, which own what is there.
    """

    java: int | None
    files: Mapping[str, Mapping[str, t.Any]]
    memory: int | None
    accounts: Mapping[str, int | None] | None
    uids: Mapping[str, str] | None
    paths: Mapping[str, Mapping[str, str]] | None
    units: Mapping[str, Mapping[str, t.Any]] | None
    releases: Mapping[str, t.Sequence[str]]
    instances: Mapping[str, t.Any] | None
    made: tuple[str, ...]
    owned: tuple[str, ...]
    followers: Mapping[str, tuple[str, ...]]
    drop_ins: Mapping[str, t.Sequence[str]]
    groups: Mapping[str, str | None]
    named_groups: Mapping[str, int | None]
    gids: Mapping[str, str]
    owners: Mapping[str, Mapping[str, str]]
    mounts: tuple[str, ...]


def read_services(
    reader: Reader, place: str, given: object, *, java: Java | None, known: Known, directory: str
) -> tuple[Service, ...]:
    """The services; those that are refused are left out."""
    if isinstance(given, (list, tuple)):
        # Not shown: an environment may hold a password.
        reader.refuse(place, "is a list, not a dictionary", SERVICES_CURE)
        return ()
    found = []
    for key, value in (reader.mapping(place, given, SERVICES_CURE) or {}).items():
        here = f"{place}.{key}"
        if not isinstance(key, str) or not NAME.fullmatch(key):
            reader.refuse(place, f"{shown(key)} is not a name", NAME_CURE)
        elif key == "keepalived" or key.startswith("ha-pair"):
            reader.refuse(here, "has the name of what the pair itself needs", NAME_CURE)
        elif not isinstance(value, Mapping):
            reader.refuse(here, f"is {kind(value)}, not a dictionary", SERVICES_CURE)
        else:
            reader.keys(here, value, KEYS)
            found.append(_service(reader, here, key, value, java, known, directory))
    _check_apart(reader, place, found)
    _check_tracked(reader, place, given, known)
    return tuple(found)


def _service(
    reader: Reader,
    place: str,
    name: str,
    entry: Mapping[str, t.Any],
    java: Java | None,
    known: Known,
    directory: str,
) -> Service:
    mode = reader.choice(f"{place}.mode", entry.get("mode", ACTIVE_STANDBY), MODES, f"give {' or '.join(MODES)}")
    if mode == ACTIVE_ACTIVE:
        for key in STANDBY_KEYS:
            if entry.get(key) is not None:
                reader.refuse(f"{place}.{key}", "is for a service that runs on one node only", "leave it out")
    _check_mode(reader, f"{place}.mode", name, str(mode), known)
    jar = _jar(reader, place, name, entry, known, directory)
    sharing = _sharing(reader, f"{place}.class_data_sharing", entry, jar, java, known.java)
    memory_max = _memory(reader, f"{place}.memory_max", entry.get("memory_max"), known.memory)
    start = _start(reader, place, entry, jar, sharing, java, memory_max, known)
    if sharing is not None:
        sharing = Sharing(
            (*_sharing_words(reader, place, entry, jar, java), *sharing.words), sharing.timeout, sharing.file
        )
    user, uid = _account(reader, place, name, entry, known)
    working = _path(reader, f"{place}.working_directory", entry.get("working_directory", f"/var/lib/{name}"))
    own_paths = _paths(reader, f"{place}.write_paths", entry.get("write_paths"))
    if entry.get("working_directory") is not None and working:
        _check_directory(reader, f"{place}.working_directory", name, user, working, (*own_paths, *known.made), known)
    makes = _made_here(reader, place, name, user, uid, (working, *own_paths), entry, known)
    ready = read_ready(reader, f"{place}.ready", entry.get("ready"))
    _check_ready_file(reader, f"{place}.ready.file", ready, (working, *own_paths))
    start_timeout = _seconds(reader, place, "start_timeout", entry, 60, 1, 3600)
    if start_timeout < ready.interval:
        reader.refuse(
            f"{place}.start_timeout",
            f"{start_timeout:g} is shorter than ready.interval, {ready.interval:g}",
            "give the time in which the slowest start is ready, and a shorter interval",
        )
    if mode == ACTIVE_ACTIVE and ready.url is None:
        reader.refuse(
            f"{place}.ready",
            "has nothing by which a client could be served",
            "give {url: http://127.0.0.1:8081/health} or {tcp: 127.0.0.1:8081}, so that a node that does not answer is "
            "left out",
        )
    companions = _companions(reader, f"{place}.companions", name, entry.get("companions"), known)
    return Service(
        name=name,
        mode=str(mode),
        instance=_instance(reader, place, name, entry, str(mode), known),
        jar=jar,
        start=start,
        user=user,
        # An account that was there before has the group that somebody gave it.
        group=(known.groups or {}).get(user) or user,
        uid=uid,
        working_directory=working,
        given_directory=entry.get("working_directory") is not None,
        own_paths=own_paths,
        makes=makes,
        sees_homes=any(HOMES.match(path) for path in (working, *own_paths)),
        memory_max=memory_max,
        ports=_ports(reader, f"{place}.ports", entry.get("ports")),
        ready=ready,
        sharing=sharing,
        start_timeout=start_timeout,
        stop_timeout=_seconds(reader, place, "stop_timeout", entry, 10, 0.5, 300),
        confirm=_seconds(reader, place, "confirm", entry, 1, 0, 60),
        restarts=reader.integer(f"{place}.restarts", entry.get("restarts", 2), 0, 100, "give a count, such as 2") or 0,
        companions=companions,
        triggered=_triggered(reader, f"{place}.companions", name, companions, known),
        environment=_environment(reader, f"{place}.environment", entry.get("environment")),
    )


def _check_mode(reader: Reader, place: str, name: str, mode: str, known: Known) -> None:
    """What is left of the other mode: two would start and stop the service, each by its own rules."""
    units = known.units or {}
    target, tracking = f"ha-pair-{name}.target", f"ha-pair-track-{name}.service"
    drop_in = f"/etc/systemd/system/{name}.service.d/ha-pair.conf"
    both = (
        bool(units.get(f"{name}.service", {}).get("enabled"))
        or units.get(tracking, {}).get("load") == "loaded"
        or drop_in in known.drop_ins.get(name, ())
    )
    if mode == ACTIVE_STANDBY and both:
        reader.refuse(
            place,
            f"is {ACTIVE_STANDBY}, and {name}.service is still set up to run on both nodes",
            f'run "systemctl disable --now {name}.service; rm -f /etc/systemd/system/{tracking} {drop_in}; systemctl '
            'daemon-reload" on both nodes, and deploy them again',
        )
    elif mode == ACTIVE_ACTIVE and units.get(target, {}).get("load") == "loaded":
        reader.refuse(
            place,
            f"is {ACTIVE_ACTIVE}, and {name}.service is still set up to run on one node ({target})",
            f'run "systemctl stop ha-pair-active.service; rm -f /etc/systemd/system/{target} '
            f'/etc/systemd/system/*.d/ha-pair-{name}.conf; systemctl daemon-reload" on both nodes, and deploy them '
            "again",
        )


def _seconds(
    reader: Reader, place: str, key: str, entry: Mapping[str, t.Any], usual: float, low: float, high: float
) -> float:
    value = reader.seconds(f"{place}.{key}", entry.get(key, usual), low, high, f"give seconds such as {usual:g}")
    return usual if value is None else value


def _jar(reader: Reader, place: str, name: str, entry: Mapping[str, t.Any], known: Known, directory: str) -> Jar | None:
    archive = [key for key in ARCHIVE_KEYS if entry.get(key) not in (None, "")]
    if entry.get("command") is not None:
        for key in (*archive, *(key for key in JAVA_KEYS if entry.get(key) is not None)):
            reader.refuse(f"{place}.{key}", "is for a jar, and there is a command", "give one of the two")
        return None
    if not archive:
        reader.refuse(place, "has nothing to run", SOURCE_CURE)
        return None
    url, path, digest = read_archive(reader, place, entry, JAR, known.files)
    if digest is None:
        return None
    release = digest[:16]
    staged = release in known.releases.get(name, ())
    file = f"{directory}/{name}/{release}/{name}.jar"
    return Jar(None if staged else path, None if staged else url, digest, release, staged, file)


def _start(
    reader: Reader,
    place: str,
    entry: Mapping[str, t.Any],
    jar: Jar | None,
    sharing: Sharing | None,
    java: Java | None,
    memory_max: str,
    known: Known,
) -> str:
    arguments = _words(reader, f"{place}.arguments", entry.get("arguments"))
    if entry.get("command") is not None:
        command = words(f"{place}.command", entry["command"], "give its words, by its absolute path", reader) or []
        if command and not PATH.fullmatch(command[0]):
            reader.refuse(f"{place}.command[0]", f"{shown(command[0])} is not a plain path", "give one without blanks")
        return " ".join(map(exec_word, [*command, *arguments]))
    if jar is None:
        return ""
    options = _options(reader, place, entry, java, memory_max, known)
    if sharing is not None:
        # Where it does not fit the JVM any more, the JVM goes without it.
        options = [*options, f"-XX:SharedArchiveFile={sharing.file}", "-Xshare:auto"]
    return " ".join(map(exec_word, [_program(java), *options, *_main(reader, place, entry, jar), *arguments]))


def _program(java: Java | None) -> str:
    return f"{java.home if java else ''}/bin/java"


def _main(reader: Reader, place: str, entry: Mapping[str, t.Any], jar: Jar) -> list[str]:
    given = entry.get("main_class")
    if given is None:
        return ["-jar", jar.file]
    name = reader.word(f"{place}.main_class", given, CLASS, "the name of a class", "give one such as com.example.Main")
    return ["-classpath", jar.file, name or ""]


def _options(
    reader: Reader,
    place: str,
    entry: Mapping[str, t.Any],
    java: Java | None,
    memory_max: str,
    known: Known,
) -> list[str]:
    heap = None
    if entry.get("heap") not in (None, ""):
        heap = read_heap(reader, f"{place}.heap", entry["heap"], known.memory, SMALLEST_HEAP)
    limit = _mebibytes(memory_max)
    if heap and limit and heap >= limit:
        reader.refuse(
            f"{place}.heap",
            f"{entry['heap']} leaves nothing of memory_max, {memory_max}, to the rest of the JVM",
            "give less, or a larger memory_max",
        )
    return list(
        read_options(
            reader,
            f"{place}.jvm_options",
            entry.get("jvm_options") or [],
            heap,
            java.version if java else None,
            heap_place=f"{place}.heap",
        )
    )


def _sharing(
    reader: Reader, place: str, entry: Mapping[str, t.Any], jar: Jar | None, java: Java | None, version: int | None
) -> Sharing | None:
    given = entry.get("class_data_sharing")
    if given is None or jar is None:
        return None
    options = reader.mapping(place, given, SHARING_CURE)
    if options is None:
        return None
    reader.keys(place, options, ("arguments", "timeout"))
    timeout = reader.integer(f"{place}.timeout", options.get("timeout", 60), 1, 3600, "give seconds such as 60")
    if options.get("arguments") is None:
        reader.refuse(f"{place}.arguments", "is missing", SHARING_CURE)
    if version is not None and version < SHARING_JAVA:
        what = "java_service_java_version" if java is not None and java.version is not None else "that of this node"
        reader.refuse(
            place,
            f"needs Java {SHARING_JAVA} or newer, and {what} is {version}",
            "leave it out, or give a newer Java",
        )
    arguments = _words(reader, f"{place}.arguments", options.get("arguments"))
    return Sharing(tuple(arguments), timeout or 60, f"{jar.file[: -len('.jar')]}.jsa")


def _sharing_words(
    reader: Reader, place: str, entry: Mapping[str, t.Any], jar: Jar | None, java: Java | None
) -> list[str]:
    """How the program makes the archive: as it runs, but for the heap; %s stands for where to."""
    if jar is None:
        return []
    given = [str(word) for word in entry.get("jvm_options") or [] if OPTION.fullmatch(str(word))]
    return [_program(java), *given, "-XX:ArchiveClassesAtExit=%s", *_main(reader, place, entry, jar)]


def _words(reader: Reader, place: str, given: object) -> list[str]:
    if given is None:
        return []
    cure = "give a list of words such as [--port, '8081']"
    found = []
    for index, value in enumerate(reader.sequence(place, given, cure) or []):
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append(str(value))
        elif not isinstance(value, str):
            reader.refuse(f"{place}[{index}]", f"is {kind(value)} ({shown(value)}), not a string", cure)
        elif CONTROL.search(value):
            reader.refuse(f"{place}[{index}]", "holds a line break or another control character", cure)
        else:
            found.append(value)
    return found


def _mebibytes(text: str) -> int | None:
    match = MEMORY.fullmatch(text)
    return int(int(match.group(1)) * {"K": 1 / 1024, "M": 1, "G": 1024}[match.group(2)]) if match else None


def _memory(reader: Reader, place: str, given: object, memory: int | None) -> str:
    if given in (None, ""):
        return ""
    text = str(given).strip().upper()
    if isinstance(given, bool) or not MEMORY.fullmatch(text):
        reader.refuse(place, f"{shown(given)} is not an amount of memory", MEMORY_CURE)
        return ""
    size = _mebibytes(text)
    if memory and size and size > memory:
        reader.refuse(place, f"{given} is more than the {memory}M of the node", "give less, or leave it out")
    return text


def _account(reader: Reader, place: str, name: str, entry: Mapping[str, t.Any], known: Known) -> tuple[str, int | None]:
    cure = f"give an account of its own, such as {name}, or leave it out for that"
    user = reader.word(f"{place}.user", entry.get("user", name), ACCOUNT, "the name of an account", cure) or name
    if user == "root":
        reader.refuse(f"{place}.user", "is root, and whoever breaks into the service has the node", cure)
    uid = None
    if entry.get("uid") is not None:
        uid = reader.integer(f"{place}.uid", entry["uid"], 1, 65533, "give a number, the same on both nodes")
    has = (known.accounts or {}).get(user)
    if uid is not None and has is not None and has != uid:
        reader.refuse(
            f"{place}.uid",
            f"is {uid}, and {user} has {has} on this node",
            f"give {has}, or change it on the node together with the owner of its files",
        )
    # Its group is made with it, and has the same number.
    if uid is not None and known.accounts is not None and has is None:
        group, number = known.gids.get(str(uid)), known.named_groups.get(user)
        if group is not None and group != user:
            reader.refuse(
                f"{place}.uid",
                f"{uid} is the number of the group {group} on this node, and {user} is to have a group of that number",
                "give one that is free as a group's as well, on both nodes",
            )
        elif number is not None and number != uid:
            what = f"is {uid}, and the group {user} has {number} on this node"
            reader.refuse(f"{place}.uid", what, f"give {number}, or remove that group when nothing is its own")
    other = (known.uids or {}).get(str(uid)) if uid is not None else None
    if other is not None and other != user:
        reader.refuse(f"{place}.uid", f"{uid} is that of {other} on this node", "give one that is free on both nodes")
    return user, uid


def _path(reader: Reader, place: str, given: object) -> str:
    path = reader.text(place, given, PATH_CURE)
    if path is None:
        return ""
    path = path.rstrip("/")
    if not PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        reader.refuse(place, f"{shown(given)} is not a plain absolute path", PATH_CURE)
    elif is_wider_than_a_service(path):
        reader.refuse(
            place, f"{path} holds more than the files of a service", "give a directory of its own such as /srv/fetcher"
        )
    return path


def _made_here(
    reader: Reader,
    place: str,
    name: str,
    user: str,
    uid: int | None,
    paths: tuple[str, ...],
    entry: Mapping[str, t.Any],
    known: Known,
) -> tuple[str, ...]:
    """The directories that the role makes; one that is somebody else's is not taken from them."""
    makes = []
    for index, path in enumerate(paths):
        if not path or path in known.owned or (index == 0 and entry.get("working_directory") is not None):
            continue
        makes.append(path)
        here = f"{place}.write_paths[{index - 1}]" if index else f"{place}.working_directory"
        _check_directory(reader, here, name, user, path, (), known, ours=True)
        owner = known.owners.get(name, {}).get(path)
        if owner is None or owner in (user, str(uid)) or any(_is_in(path, mount) for mount in known.mounts):
            continue
        reader.refuse(
            here,
            f"{path} is there, and belongs to {owner}",
            f'run "chown {user} {path}" on the node if {name} is to have it, or give another directory',
        )
    return tuple(dict.fromkeys(makes))


def _is_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")


def _check_ready_file(reader: Reader, place: str, ready: Ready, own: tuple[str, ...]) -> None:
    if ready.kind != "file" or not ready.target:
        return
    path = str(ready.target)
    cure = f"give one in a directory of its own, such as {own[0] or '/var/lib/fetcher'}/ready"
    if re.match(r"/(var/)?tmp/", path):
        reader.refuse(place, f"{path} is in a directory of which the service has one of its own (PrivateTmp=)", cure)
    elif not any(path.startswith(f"{directory}/") for directory in own if directory):
        reader.refuse(place, f"{path} is in none of its working_directory and write_paths, so it cannot make it", cure)


def _paths(reader: Reader, place: str, given: object) -> tuple[str, ...]:
    if given is None:
        return ()
    entries = reader.sequence(place, given, "give absolute paths such as [/srv/fetched]") or []
    return tuple(dict.fromkeys(_path(reader, f"{place}[{index}]", value) for index, value in enumerate(entries)))


def _check_directory(
    reader: Reader,
    place: str,
    name: str,
    user: str,
    path: str,
    made: tuple[str, ...],
    known: Known,
    *,
    ours: bool = False,
) -> None:
    if known.paths is None or any(_is_in(path, one) for one in made):
        return
    word = known.paths.get(name, {}).get(path)
    problems = {
        "missing": ("is not there", f"make it, for {user} to write to, or leave it out for /var/lib/{name}"),
        "file": ("is not a directory", "give a directory"),
        "refused": (f"cannot be written to by {user}", f'run "chown {user} {path}", or give another directory'),
        "silent": ("does not answer", "see whether its file server does"),
    }
    if ours:
        # It is made, and given to the account.
        del problems["missing"], problems["refused"]
    if word in problems:
        what, cure = problems[word]
        reader.refuse(place, f"{path} {what}", cure)


def _ports(reader: Reader, place: str, given: object) -> tuple[int, ...]:
    if given is None:
        return ()
    cure = "give TCP ports that clients use, such as [8081]"
    entries = reader.sequence(place, given, cure) or []
    found = [reader.integer(f"{place}[{index}]", value, 1, 65535, cure) for index, value in enumerate(entries)]
    return tuple(dict.fromkeys(port for port in found if port is not None))


def _instance(reader: Reader, place: str, name: str, entry: Mapping[str, t.Any], mode: str, known: Known) -> str:
    """The VRRP instance that it follows, empty for a service that runs on both nodes."""
    instances = known.instances
    if mode != ACTIVE_STANDBY:
        for other, options in (instances or {}).items():
            if _tracked(options, name).get("active_standby"):
                reader.refuse(
                    f"{place}.mode",
                    f"is active_active, and keepalived_instances.{other}.services.{name} says active_standby",
                    "let both say the same",
                )
        return ""
    cure = "give the name of the VRRP instance whose VIP it follows, one of keepalived_instances"
    given = entry.get("instance")
    if given is None and instances is not None and len(instances) == 1:
        given = next(iter(instances))
    found = reader.text(f"{place}.instance", given, cure) if given is not None else None
    if given is None:
        reader.refuse(f"{place}.instance", "is missing", cure)
    if found is None or instances is None:
        return found or ""
    if found not in instances:
        names = sorted(map(str, instances))
        close = nearest(found, names)
        hint = f"did you mean {close!r}?" if close else cure
        reader.refuse(
            f"{place}.instance",
            f"{shown(found)} is not one of keepalived_instances ({', '.join(names) or 'none'})",
            hint,
        )
    elif not _tracked(instances[found], name).get("active_standby"):
        reader.refuse(
            f"{place}.instance",
            f"keepalived_instances.{found}.services does not know {name}, so a node on which it cannot run would keep "
            "the VIP",
            f"add {name}: {{active_standby: true}} there",
        )
    return found


def _tracked(options: object, name: str) -> Mapping[str, t.Any]:
    services = options.get("services") if isinstance(options, Mapping) else None
    found = services.get(name) if isinstance(services, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _check_tracked(reader: Reader, place: str, given: object, known: Known) -> None:
    """An instance whose service nobody starts has no owner on any node."""
    names = [str(name) for name in given] if isinstance(given, Mapping) else []
    for instance, options in (known.instances or {}).items():
        services = options.get("services") if isinstance(options, Mapping) else None
        for name in services if isinstance(services, Mapping) else ():
            lazy = boolean("", _tracked(options, name).get("active_standby", False), Reader())
            if lazy and str(name) not in names:
                close = nearest(str(name), names)
                reader.refuse(
                    f"keepalived_instances.{instance}.services.{name}",
                    f"is active_standby, and {place} has no {name}, so nobody would start it and no node would have "
                    "the VIP",
                    f"did you mean {close!r}?" if close else f"add {name} to {place}, or leave active_standby out",
                )


def _companions(reader: Reader, place: str, name: str, given: object, known: Known) -> tuple[str, ...]:
    found: list[str] = []
    for index, value in enumerate(reader.sequence(place, [] if given is None else given, UNIT_CURE) or []):
        here = f"{place}[{index}]"
        unit = reader.word(here, value, UNIT, "the name of a unit", UNIT_CURE)
        if unit is None or not UNIT.fullmatch(unit):
            continue
        if unit == f"{name}.service":
            reader.refuse(here, f"{unit} is the service itself", UNIT_CURE)
        elif _is_of_pair(unit):
            reader.refuse(here, f"{unit} is what the pair itself needs on both nodes", UNIT_CURE)
        elif known.units is not None and known.units.get(unit, {}).get("load") != "loaded":
            reader.refuse(here, f"{unit} is not a unit of this node", "install what brings it first, or leave it out")
        else:
            found.append(unit)
    return tuple(dict.fromkeys((*known.followers.get(name, ()), *found)))


def _is_of_pair(unit: str) -> bool:
    return unit.startswith("ha-pair-") or unit == "keepalived.service"


def _triggered(reader: Reader, place: str, name: str, companions: tuple[str, ...], known: Known) -> tuple[str, ...]:
    """What the companions start by themselves: it would go on where its timer has been stopped."""
    found: list[str] = []
    for companion in companions:
        for unit in (known.units or {}).get(companion, {}).get("triggers") or ():
            if _is_of_pair(unit):
                what = f"{companion} starts {unit}, which the pair itself needs on both nodes"
                reader.refuse(place, what, f"leave {companion} out")
            elif unit not in (f"{name}.service", *companions):
                found.append(unit)
    return tuple(dict.fromkeys(found))


def _environment(reader: Reader, place: str, given: object) -> tuple[tuple[str, str], ...]:
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        # Not shown: it may hold a password.
        reader.refuse(place, "is not a dictionary", "give one such as {LANG: C.UTF-8}")
        return ()
    found = []
    for name, value in given.items():
        here = f"{place}.{name}"
        if not VARIABLE.fullmatch(str(name)):
            reader.refuse(here, "is not the name of a variable", "give letters, digits and _")
        elif isinstance(value, bool) or not isinstance(value, (str, int, float)):
            reader.refuse(here, f"is {kind(value)}, not a string", "give a text of one line, in quotes")
        elif CONTROL.search(str(value)):
            reader.refuse(here, "holds a line break or another control character", "give a text of one line")
        else:
            found.append((str(name), str(value)))
    return tuple(found)


def _check_apart(reader: Reader, place: str, services: list[Service]) -> None:
    """A unit that two services take along would be stopped by the one that stops."""
    owner: dict[str, str] = {}
    units = {f"{service.name}.service": service.name for service in services}
    makers: dict[str, Service] = {}
    for service in services:
        for path in service.makes:
            other = makers.setdefault(path, service)
            if other.user != service.user:
                reader.refuse(
                    f"{place}.{service.name}.{'write_paths' if path in service.own_paths else 'working_directory'}",
                    f"{path} is to be made for {service.user}, and for {other.user} by {other.name}",
                    "give each service a directory of its own, or both the same user",
                )
    for service in services:
        for unit in (*service.companions, *service.triggered):
            if units.get(unit, service.name) != service.name:
                reader.refuse(
                    f"{place}.{service.name}.companions",
                    f"{unit} is a service of {place} itself, with a VIP and an arbiter of its own",
                    "leave it out; give both the same instance, so that they run on one node",
                )
            elif owner.setdefault(unit, service.name) != service.name:
                reader.refuse(
                    f"{place}.{service.name}.companions",
                    f"{unit} is a companion of {owner[unit]} as well",
                    "give each unit to one service",
                )
