# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mount options that a user may add, and why the others are not for him to write."""

from __future__ import annotations

import re

from .._problems import Reader, nearest, shown

# nfs(5) and mount(8): what changes neither who waits for whom, nor for how long.
ALLOWED = {
    "ac", "acdirmax", "acdirmin", "acregmax", "acregmin", "actimeo", "async", "atime", "clientaddr", "context", "cto",
    "dev", "diratime", "dirsync", "exec", "fsc", "local_lock", "lock", "lookupcache", "max_connect", "migration",
    "mountport", "mountproto", "mountvers", "nconnect", "noac", "noacl", "noatime", "nocto", "nodev", "nodiratime",
    "noexec", "nofsc", "nolock", "nomigration", "nordirplus", "noresvport", "nosharecache", "nosuid", "proto",
    "rdirplus", "relatime", "resvport", "rsize", "sec", "sharecache", "strictatime", "suid", "sync", "wsize",
    "xprtsec",
}  # fmt: skip

OWN = "stands in the unit by itself"
REFUSED = {
    **dict.fromkeys(
        ("intr", "nointr"),
        ("does nothing since Linux 2.6.25: SIGKILL ends a waiting process, other signals do not", "leave it out"),
    ),
    **dict.fromkeys(
        ("bg", "background"),
        (
            "reports success while nothing is mounted, and the service would start on the empty directory",
            "leave it out: what fails is tried again every nfs_mount_retry_interval seconds",
        ),
    ),
    **dict.fromkeys(("hard", "soft", "softerr"), ("has a key of its own", "give recovery")),
    **dict.fromkeys(("ro", "rw"), ("has a key of its own", "give read_only")),
    **dict.fromkeys(("vers", "nfsvers", "minorversion"), ("has a key of its own", "give version")),
    **{name: ("has a key of its own", f"give {name}") for name in ("timeo", "retrans", "port")},
    **dict.fromkeys(("fg", "retry", "nofail", "_netdev"), (OWN, "leave it out")),
    **dict.fromkeys(
        ("auto", "noauto", "user", "users", "nouser", "owner", "group", "comment", "defaults"),
        ("is for /etc/fstab, and this mount is a unit of systemd", "leave it out"),
    ),
    "addr": ("is what the kernel says of itself", "give the server in source"),
    "udp": ("mixes up data on a fast network, and NFSv4 has no UDP", "leave it out: TCP is the default"),
}


def read_options(place: str, given: object, reader: Reader) -> list[str]:
    """The further options of a mount, in the order as given; what is none is refused."""
    cure = "give a list of options of nfs(5), such as [noexec, nconnect=4]"
    found: list[str] = []
    for index, item in enumerate(reader.sequence(place, given, cure) or []):
        here = f"{place}[{index}]"
        option = reader.text(here, item, cure)
        if option is None:
            continue
        name, equals, value = option.partition("=")
        if name.startswith("x-"):
            reader.refuse(here, f"{option!r} is for /etc/fstab, and this mount is a unit of systemd", "leave it out")
        elif name in REFUSED:
            reader.refuse(here, f"{option!r} {REFUSED[name][0]}", REFUSED[name][1])
        elif name not in ALLOWED:
            close = nearest(name, ALLOWED)
            reader.refuse(here, f"{option!r} is no option of NFS", f"did you mean {close!r}?" if close else cure)
        elif (equals and not value) or re.search(r"[\s,%\"'\\$\x00-\x1f\x7f]", option):
            reader.refuse(here, f"{shown(option)} is not one option, plainly written", cure)
        elif name == "proto" and value.startswith("udp"):
            reader.refuse(here, f"{option!r} {REFUSED['udp'][0]}", REFUSED["udp"][1])
        else:
            found.append(option)
    return found
