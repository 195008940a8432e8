# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Tomcat a node gets and where it lies: the distribution's package, or a tarball of Apache's layout."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._java.archives import (
    CHECKSUM_CURE,
    read_checksum,
    read_source,
)
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader

VERSIONS = ("auto", "9", "10", "11")
# What each distribution packages, the newest last: Tomcat's major version by package.
DEBIAN_MAJORS = {"11": ("9",), "12": ("10",), "13": ("10", "11")}
EL_PACKAGES = {
    "8": {"9": "tomcat"},
    "9": {"9": "tomcat"},
    # Both have the same paths and the same service, so that a node has one of them.
    "10": {"9": "tomcat9", "10": "tomcat"},
}
TARBALL_NAME = re.compile(r"apache-tomcat-([0-9]+)\.[^/]*\.tar\.gz")

TARBALL_KEYS = ("url", "path", "checksum")
TARBALL_CURE = "give {url: https://.../apache-tomcat-10.1.34.tar.gz, checksum: sha256:...}"


@dataclass(frozen=True)
class Tarball:
    """Exactly one of `url` and `path` (on the controller) is set; `release` is what its directory is called."""

    url: str | None
    path: str | None
    sha256: str
    release: str


@dataclass(frozen=True)
class Layout:
    """The paths of one Tomcat.

    `unit` is the package's own unit; where that is not tomcat.service, tomcat.service is an alias of it. `package` and
    `manager_package` are None for a tarball.
    """

    major: str
    package: str | None
    manager_package: str | None
    tarball: Tarball | None
    unit: str
    home: str
    base: str
    configuration: str
    library: str
    manager: str
    writable: tuple[str, ...]
    user: str = "tomcat"
    group: str = "tomcat"


def read_tarball(reader: Reader, given: object) -> Tarball | None:
    """The tarball, or None when there is none and after a refusal."""
    if given in (None, "", {}):
        return None
    entry = reader.mapping("tomcat_tarball", given, TARBALL_CURE)
    if entry is None:
        return None
    reader.keys("tomcat_tarball", entry, TARBALL_KEYS)
    url, path = read_source(reader, "tomcat_tarball", entry.get("url"), entry.get("path"), TARBALL_CURE)
    if entry.get("checksum") in (None, ""):
        reader.refuse("tomcat_tarball.checksum", "is missing", CHECKSUM_CURE)
        return None
    digest = read_checksum(reader, "tomcat_tarball.checksum", entry["checksum"])
    if digest is None or (url is None and path is None):
        return None
    return Tarball(url, path, digest, digest[:16])


def read_layout(
    reader: Reader, version: object, tarball: Tarball | None, platform: tuple[str, str, str] | None
) -> Layout | None:
    """The layout, or None after a refusal or without a platform."""
    wanted = reader.choice("tomcat_version", str(version), VERSIONS, 'give auto, "9", "10" or "11"')
    if wanted is None or platform is None:
        return None
    if tarball is not None:
        return _of_tarball(reader, wanted, tarball)
    family, distribution, major = platform
    available: Mapping[str, str] = (
        {number: f"tomcat{number}" for number in DEBIAN_MAJORS.get(major, ())}
        if family == "Debian"
        else EL_PACKAGES.get(major, {})
    )
    if not available:
        reader.refuse(
            "tomcat_version",
            f"{distribution} {major} has no Tomcat that still gets security updates",
            "give tomcat_tarball",
        )
        return None
    number = list(available)[-1] if wanted == "auto" else wanted
    if number not in available:
        reader.refuse(
            "tomcat_version",
            f"{distribution} {major} has no Tomcat {number}",
            f"give {' or '.join(available)}, or tomcat_tarball",
        )
        return None
    return _debian(number) if family == "Debian" else _el(number, available[number])


def _debian(number: str) -> Layout:
    name = f"tomcat{number}"
    return Layout(
        major=number,
        package=name,
        manager_package=f"{name}-admin",
        tarball=None,
        unit=f"{name}.service",
        home=f"/usr/share/{name}",
        base=f"/var/lib/{name}",
        configuration=f"/etc/{name}",
        library=f"/var/lib/{name}/lib",
        manager=f"/usr/share/{name}-admin/manager",
        writable=(f"/var/log/{name}", f"/var/cache/{name}"),
    )


def _el(number: str, package: str) -> Layout:
    return Layout(
        major=number,
        package=package,
        manager_package=f"{package}-admin-webapps",
        tarball=None,
        unit="tomcat.service",
        home="/usr/share/tomcat",
        base="/usr/share/tomcat",
        configuration="/etc/tomcat",
        library="/usr/share/tomcat/lib",
        manager="/var/lib/tomcat/webapps/manager",
        writable=("/var/log/tomcat", "/var/cache/tomcat"),
    )


def _of_tarball(reader: Reader, wanted: str, tarball: Tarball) -> Layout | None:
    named = TARBALL_NAME.search(tarball.url or tarball.path or "")
    number = wanted if wanted != "auto" else (named.group(1) if named else None)
    if number is None:
        reader.refuse(
            "tomcat_version", "is auto, and the name of the tarball does not tell it", 'give one such as "10"'
        )
        return None
    if number not in VERSIONS:
        reader.refuse("tomcat_tarball", f"is Tomcat {number}", f"give a tarball of {', '.join(VERSIONS[1:])}")
        return None
    if named and named.group(1) != number:
        reader.refuse(
            "tomcat_version", f"is {number}, and the tarball is Tomcat {named.group(1)}", "leave tomcat_version out"
        )
        return None
    # A release of its own for each tarball, configuration and all: the one before it stays as it was.
    home = f"/opt/ha-pair/tomcat/{tarball.release}"
    return Layout(
        major=number,
        package=None,
        manager_package=None,
        tarball=tarball,
        unit="tomcat.service",
        home=home,
        base=home,
        configuration=f"{home}/conf",
        library=f"{home}/lib",
        manager=f"{home}/webapps/manager",
        writable=("/var/log/tomcat", "/var/cache/tomcat"),
    )


def installed_rivals(layout: Layout, packages: t.Mapping[str, t.Any]) -> list[str]:
    """Packages on the node that cannot be beside the one that is wanted."""
    if layout.package is None:
        return sorted(name for name in packages if name in ("tomcat", "tomcat9"))
    same_paths = {"tomcat", "tomcat9"} if layout.unit == "tomcat.service" else set()
    return sorted(name for name in packages if name in same_paths and name != layout.package)
