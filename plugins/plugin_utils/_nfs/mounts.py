# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of a node's NFS mounts: what the units say and what the kernel is compared with."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from .._problems import Reader, shown
from .._vrrp.requirements import reader_with_library
from .._vrrp.values import boolean, ip_address, is_loopback, mount_point
from .options import read_options

KEYS = ("options", "path", "port", "read_only", "recovery", "retrans", "services", "source", "timeo", "version")
VERSIONS = ("4.2", "4.1", "4.0", "3")
RECOVERIES = ("hard", "soft", "softerr")

TIMEO = {"hard": 600, "soft": 100, "softerr": 100}
"""After which time a request is sent again, in tenths of a second. 60 s is what NFS over TCP has by itself: shorter, a
busy server gets everything twice. Where an error comes in the end, nobody waits three minutes for it."""

SOFTERR_LINUX = (5, 2)
"""The first kernel that knows softerr."""

# An empty or foreign file system over one of these takes the machine with it.
_KEPT = (
    "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/opt", "/proc", "/root", "/run", "/sbin",
    "/srv", "/sys", "/usr", "/var", "/var/lib", "/var/log", "/var/run",
)  # fmt: skip
_KEPT_TREES = ("/boot", "/dev", "/etc", "/proc", "/run", "/sys", "/usr", "/var/run")

# What SELinux has to allow for services that it confines and that are known to have a switch for it.
_BOOLEANS = {"httpd": "httpd_use_nfs", "nginx": "httpd_use_nfs"}


@dataclass(frozen=True)
class Mount:
    """One mount. `options`: the whole line for mount(8); `running`: those that the kernel has to show afterwards.

    unit: the name that systemd gives the path. services: the units that need it.
    """

    place: str
    path: str
    unit: str
    source: str
    server: str
    port: int
    options: str
    running: list[str]
    services: list[str]


@dataclass(frozen=True)
class Mounts:
    """All mounts of a node. by_service: the paths that each service needs. booleans: of SELinux."""

    mounts: list[Mount]
    by_service: dict[str, list[str]]
    timeout: int
    connect_timeout: float
    retry_interval: int
    booleans: list[str]
    warnings: list[str]

    def to_dict(self) -> dict[str, t.Any]:
        """As plain data."""
        return asdict(self)


def build_mounts(
    given: object,
    *,
    node_name: object,
    timeout: object = 30,
    connect_timeout: object = 5,
    retry_interval: object = 15,
    manage_selinux: object = True,
    facts: Mapping[str, t.Any] | None = None,
) -> Mounts:
    """The model; raises InputError with all that is wrong.

    facts: of the node, where they are known: without them nothing is said about its kernel, addresses and SELinux.
    """
    reader = reader_with_library()
    place = f"{node_name}: nfs_mount_mounts"
    known = facts or {}
    cure = "give a list such as [{path: /srv/data, source: '192.0.2.20:/export/data'}]"
    found: list[Mount] = []
    warnings: list[str] = []
    for index, item in enumerate(reader.sequence(place, given, cure) or []):
        options = reader.mapping(f"{place}[{index}]", item, cure)
        mount = None if options is None else _read(f"{place}[{index}]", options, known, warnings, reader)
        if mount is not None:
            found.append(mount)
    _check_together(found, reader)
    seconds = {
        name: reader.integer(f"{node_name}: nfs_mount_{name}", value, low, high, f"give whole seconds, such as {usual}")
        for name, value, low, high, usual in (
            ("timeout", timeout, 5, 600, 30),
            ("retry_interval", retry_interval, 5, 3600, 15),
        )
    }
    patience = reader.seconds(
        f"{node_name}: nfs_mount_connect_timeout", connect_timeout, 0.5, 60, "give seconds, such as 5"
    )
    manages = boolean(f"{node_name}: nfs_mount_manage_selinux", manage_selinux, reader)
    reader.finish()
    names = list(dict.fromkeys(service for mount in found for service in mount.services))
    confined = bool(manages) and (known.get("selinux") or {}).get("status") == "enabled"
    return Mounts(
        mounts=found,
        by_service={name: [mount.path for mount in found if name in mount.services] for name in names},
        timeout=seconds["timeout"] or 0,
        connect_timeout=patience or 0.0,
        retry_interval=seconds["retry_interval"] or 0,
        booleans=sorted({_BOOLEANS[name] for name in names if name in _BOOLEANS}) if confined else [],
        warnings=warnings,
    )


def unit_name(path: str) -> str:
    """The unit that systemd takes for the mount of a path, as systemd-escape --path --suffix=mount writes it."""
    name = re.sub(r"[^A-Za-z0-9:_./]", lambda char: "".join(f"\\x{byte:02x}" for byte in char[0].encode()), path[1:])
    return (f"\\x2e{name[1:]}" if name.startswith(".") else name).replace("/", "-") + ".mount"


def _read(
    place: str, given: Mapping[str, t.Any], facts: Mapping[str, t.Any], warnings: list[str], reader: Reader
) -> Mount | None:
    reader.keys(place, given, KEYS)
    path = mount_point(f"{place}.path", given.get("path"), reader)
    if path is not None and (path in _KEPT or path.startswith(tuple(f"{tree}/" for tree in _KEPT_TREES))):
        reader.refuse(
            f"{place}.path",
            f"{path} is what the machine itself needs",
            "give a directory of its own, such as /srv/data",
        )
    source = _read_source(f"{place}.source", given.get("source"), facts, reader)
    version = _read_version(f"{place}.version", given.get("version", "4.2"), reader)
    recovery = reader.choice(f"{place}.recovery", given.get("recovery", "hard"), RECOVERIES, "give one of them")
    read_only = boolean(f"{place}.read_only", given.get("read_only", False), reader)
    usual = TIMEO[recovery or "hard"]
    cure = f"give tenths of a second, such as {usual}"
    timeo = reader.integer(f"{place}.timeo", given.get("timeo", usual), 10, 6000, cure)
    retrans = reader.integer(f"{place}.retrans", given.get("retrans", 2), 1, 20, "give a count, such as 2")
    port = reader.integer(f"{place}.port", given.get("port", 2049), 1, 65535, "give a TCP port, such as 2049")
    more = read_options(f"{place}.options", given.get("options", []), reader)
    services = _read_services(f"{place}.services", given.get("services", []), reader)
    if recovery == "softerr":
        _check_softerr(f"{place}.recovery", str(facts.get("kernel") or ""), reader)
    if path is None or source is None or None in (version, recovery, read_only, timeo, retrans, port):
        return None
    if recovery != "hard" and not read_only:
        warnings.append(
            f"{place}.recovery: {recovery} and writable: what was written may be lost, and the application need not "
            "notice; give hard, or read_only: true"
        )
    running = ["ro" if read_only else "rw", f"vers={version}", str(recovery), f"timeo={timeo}", f"retrans={retrans}"]
    # One try, whose failure is known at once: the unit is tried again later. nofail: nobody's login waits for it.
    options = [
        *running,
        "fg",
        "retry=0",
        "nofail",
        "nosuid",
        "nodev",
        *([] if port == 2049 else [f"port={port}"]),
        *more,
    ]
    return Mount(
        place=place,
        path=path,
        unit=unit_name(path),
        source=source[0],
        server=source[1],
        port=port or 0,
        options=",".join(options),
        running=running,
        services=services,
    )


def _read_source(place: str, given: object, facts: Mapping[str, t.Any], reader: Reader) -> tuple[str, str] | None:
    """(as mount takes it, the server alone)."""
    cure = "give server and export, such as 192.0.2.20:/export/data or '[2001:db8::20]:/export/data'"
    text = reader.text(place, given, cure)
    if text is None:
        return None
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9][A-Za-z0-9._-]*)):(?:/|(?:/[A-Za-z0-9_.:@+-]+)+)", text)
    if found is None or (found[1] and ((address := ip_address(found[1])) is None or address.version != 6)):
        reader.refuse(place, f"{shown(text)} is not SERVER:/EXPORT", cure)
        return None
    server = str(found[1] or found[2])
    own = [*(facts.get("all_ipv4_addresses") or []), *(facts.get("all_ipv6_addresses") or [])]
    if is_loopback(server) or server in own:
        reader.refuse(
            place,
            f"{server} is this node itself: short of memory, a node that mounts from itself waits for itself for ever",
            "mount from another machine, or use the directory itself",
        )
        return None
    return text, server


def _read_version(place: str, given: object, reader: Reader) -> str | None:
    # YAML takes 4.2 for a number.
    text = str(given).strip() if isinstance(given, (int, float, str)) and not isinstance(given, bool) else given
    if text == "4":
        reader.refuse(
            place,
            "4 is whatever client and server agree on, which may differ between the two nodes",
            "give one such as '4.2'",
        )
        return None
    return reader.choice(place, text, VERSIONS, "give one of them")


def _read_services(place: str, given: object, reader: Reader) -> list[str]:
    cure = "give the systemd services that need this mount, without .service, such as [tomcat]"
    names: list[str] = []
    for index, item in enumerate(reader.sequence(place, given, cure) or []):
        name = reader.text(f"{place}[{index}]", item, cure)
        if name is None:
            continue
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9@_.:-]*", name) or name.endswith(".service"):
            reader.refuse(f"{place}[{index}]", f"{name!r} is not a unit name", cure)
        elif name == "keepalived":
            reader.refuse(
                f"{place}[{index}]",
                "'keepalived' must run while storage hangs, or the VIP stays where nobody can serve it",
                "leave it out",
            )
        else:
            names.append(name)
    return list(dict.fromkeys(names))


def _check_softerr(place: str, kernel: str, reader: Reader) -> None:
    found = re.match(r"(\d+)\.(\d+)", kernel)
    if found and (int(found[1]), int(found[2])) < SOFTERR_LINUX:
        reader.refuse(place, f"softerr needs Linux 5.2, and this node has {kernel}", "give soft")


def _check_together(mounts: Sequence[Mount], reader: Reader) -> None:
    for index, mount in enumerate(mounts):
        for other in mounts[:index]:
            if mount.path == other.path:
                reader.refuse(
                    f"{mount.place}.path", f"{mount.path} is that of {other.place} as well", "give each its own"
                )
            elif mount.path.startswith(f"{other.path}/") or other.path.startswith(f"{mount.path}/"):
                reader.refuse(
                    f"{mount.place}.path",
                    f"{mount.path} and {other.path} lie in each other: systemd itself would wait for a dead server "
                    "when it makes the inner directory",
                    "mount them side by side",
                )
