# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where nginx itself comes from, and what that one knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .._problems import Reader, shown
from . import values

REPOSITORIES = ("distribution", "nginx.org", "epel")
STREAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*")
# What has module streams of nginx, and what has none in its own repositories but in EPEL's archive.
FAMILY_WITH_STREAMS, MAJORS_WITH_STREAMS = "RedHat", ("8", "9")
MAJORS_WITH_EPEL = ("7",)
# What has an nginx older than 1.15.3 unless a stream is given.
MAJOR_WITH_OLD_NGINX, OLD_STREAMS = "8", (None, "1.14")


@dataclass(frozen=True)
class Repository:
    """Not the distribution's. Exactly one of `key_url` (https) and `key_file` (on the controller) is set."""

    url: str
    key_url: str | None
    key_file: str | None


NGINX_ORG = Repository("https://nginx.org/packages", "https://nginx.org/keys/nginx_signing.key", None)
EPEL = Repository(
    "https://archives.fedoraproject.org/pub/archive/epel/7/$basearch",
    "https://archives.fedoraproject.org/pub/archive/epel/RPM-GPG-KEY-EPEL-7",
    None,
)
SOURCES = {"nginx.org": ("nginx_repository", NGINX_ORG), "epel": ("nginx_epel", EPEL)}
"""The prefix of the variables of each repository, and its usual values."""


@dataclass(frozen=True)
class Package:
    """`repository` is None for the distribution's, `module_stream` for its default.

    `knows_keepalive_timeout`: whether this nginx can be told when to close an idle connection to a server (1.15.3).
    """

    repository: Repository | None
    module_stream: str | None
    knows_keepalive_timeout: bool


def read_package(
    reader: Reader,
    wanted: object,
    sources: Mapping[str, tuple[object, object]],
    module_stream: object,
    platform: tuple[str, str, str] | None,
) -> Package:
    """The model of what says where the package comes from. `sources` has URL and key of each repository."""
    name = reader.choice("nginx_repository", wanted, REPOSITORIES, "give distribution, nginx.org or epel")
    source = None
    if name in SOURCES:
        prefix, usual = SOURCES[name]
        source = _repository(reader, prefix, *sources[name], usual)
    if name == "epel" and platform:
        _has_epel(reader, *platform)
    stream = _module_stream(reader, module_stream, name, platform)
    return Package(source, stream, _knows_keepalive_timeout(name, stream, platform))


def _has_epel(reader: Reader, family: str, distribution: str, major: str) -> None:
    if family != "RedHat" or major not in MAJORS_WITH_EPEL:
        reader.refuse(
            "nginx_repository",
            f"epel is for EL {' and '.join(MAJORS_WITH_EPEL)}, and this is {distribution} {major}, which has an nginx",
            "give distribution, or nginx.org",
        )


def _module_stream(
    reader: Reader, given: object, repository: str | None, platform: tuple[str, str, str] | None
) -> str | None:
    place = "nginx_module_stream"
    if given in (None, ""):
        return None
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        # 1.20 without quotes is 1.2 by the time anybody sees it.
        reader.refuse(place, f"{given} is a number", f'quote it, such as "{given}"')
        return None
    stream = reader.text(place, given, 'give one such as "1.22"')
    if stream is None:
        return None
    if not STREAM.fullmatch(stream):
        reader.refuse(place, f"{shown(stream)} is not the name of a stream", 'give one such as "1.22"')
    if repository not in (None, "distribution"):
        reader.refuse(
            place,
            f"is given, and nginx_repository is {repository}, whose nginx is of no stream",
            "leave it out, or give nginx_repository: distribution",
        )
    if platform:
        family, distribution, major = platform
        if family != FAMILY_WITH_STREAMS or major not in MAJORS_WITH_STREAMS:
            reader.refuse(
                place,
                f"is given, and {distribution} {major} has no module streams of nginx",
                "leave it out here; for a newer nginx give nginx_repository: nginx.org",
            )
    return stream


def _knows_keepalive_timeout(repository: str | None, stream: str | None, platform: tuple[str, str, str] | None) -> bool:
    if platform is None or repository == "nginx.org":
        return True
    family, _distribution, major = platform
    return not (family == FAMILY_WITH_STREAMS and major == MAJOR_WITH_OLD_NGINX and stream in OLD_STREAMS)


def _repository(reader: Reader, prefix: str, url: object, key: object, usual: Repository) -> Repository | None:
    cure = f"give one such as {usual.url}"
    place = reader.text(f"{prefix}_url", url, cure)
    # dnf puts the architecture there, and apt would not.
    if place is not None and values.UNSAFE.search(
        place.replace("$basearch", "") if "$basearch" in usual.url else place
    ):
        reader.refuse(f"{prefix}_url", f"{shown(place)} holds a character that no URL holds", cure)
    elif place is not None and not re.fullmatch(r"(?:https?://[^/]|file:/).*", place):
        reader.refuse(f"{prefix}_url", f"{shown(place)} is not the URL of a repository", cure)
    cure = f"give an https URL such as {usual.key_url}, or the absolute path of a file on the controller"
    source = values.plain(reader, f"{prefix}_key_url", key, cure)
    if source is not None and not re.fullmatch(r"https://[^/].*|/.*", source):
        what = "can be changed on the way, and with it every package" if source.startswith("http://") else "is neither"
        reader.refuse(f"{prefix}_key_url", f"{shown(source)} {what}", cure)
    if place is None or source is None:
        return None
    of_file = source.startswith("/")
    return Repository(place.rstrip("/"), None if of_file else source, source if of_file else None)
