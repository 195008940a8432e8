# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads how a release is to be done, and what is released."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown

_NAME = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,2}$")
_SERVICE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9:_.@-]*$")
_URL = re.compile(r"^https?://[!#-&(-\[\]-~]+$")
_CHECKSUM = re.compile(r"^(sha(256|384|512):)?[0-9a-fA-F]{64,128}$")
# What of an artifact says what is released. Passwords and the like stay out of what is written to a node.
_IDENTITY = ("name", "path", "war", "url", "checksum", "rollback")


@dataclass(frozen=True)
class Settings:
    """How a release is done. Seconds, unless it says otherwise.

    role: whose task files do it. label: what else tells this release from another one. consecutive: how many good
    answers in a row are the proof, one each `interval`. settle: what balancers need to take a node back.
    """

    role: str
    service: str
    health_url: str
    label: str
    rollback: bool
    take_over: bool
    consecutive: int
    interval: float
    timeout: float
    settle: float
    drain: float
    quiet: float


def read_settings(given: Mapping[str, t.Any], reader: Reader) -> Settings:
    """The settings; problems go to the reader."""
    cure = "name the role that is released, such as tomcat"
    role = reader.text("rolling_release_role", given.get("role"), cure) or ""
    if role and not _NAME.match(role):
        reader.refuse("rolling_release_role", f"{shown(role)} is no name of a role", cure)
    service = reader.text("rolling_release_service", given.get("service"), "name its systemd service, such as tomcat")
    if service and not _SERVICE.match(service):
        reader.refuse(
            "rolling_release_service", f"{shown(service)} is no name of a service", 'give it without ".service"'
        )
    url = str(given.get("health_url") or "")
    if not _is_url(url):
        reader.refuse(
            "rolling_release_health_url",
            f"{shown(url)} is not a URL",
            "give one that the node itself answers, such as http://127.0.0.1:8080/ha-pair/health, an IPv6 address in "
            "brackets",
        )
    number = "give how many good answers in a row are proof enough, such as 10"
    seconds = "give seconds"
    return Settings(
        role=role,
        service=service or "",
        health_url=url,
        label=str(given.get("label") or ""),
        rollback=bool(given.get("rollback")),
        take_over=bool(given.get("take_over")),
        consecutive=reader.integer("rolling_release_consecutive", given.get("consecutive", 10), 1, 1000, number) or 1,
        interval=reader.seconds("rolling_release_interval", given.get("interval", 0.2), 0.01, 60, seconds) or 0.2,
        timeout=reader.seconds("rolling_release_timeout", given.get("timeout", 60), 1, 3600, seconds) or 60.0,
        settle=reader.seconds("rolling_release_settle", given.get("settle", 12), 0, 3600, seconds) or 0.0,
        drain=reader.seconds("rolling_release_drain", given.get("drain", 10), 0, 3600, seconds) or 0.0,
        quiet=reader.seconds("rolling_release_quiet", given.get("quiet", 0.002), 0.001, 60, seconds) or 0.002,
    )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(_URL.match(text) and parts.hostname) and parts.port != 0
    except ValueError:
        return False


def artifacts_of(found: object) -> list[dict[str, t.Any]]:
    """Of each artifact what says which one it is."""
    entries = found if isinstance(found, (list, tuple)) else []
    return [
        {key: str(entry[key]) for key in _IDENTITY if key in entry} for entry in entries if isinstance(entry, Mapping)
    ]


def check_artifacts(artifacts: Mapping[str, t.Any], reader: Reader) -> None:
    """Refuse what two nodes could get two versions of: a download that nothing holds to what it is."""
    for node, found in artifacts.items():
        for index, entry in enumerate(found if isinstance(found, (list, tuple)) else []):
            if not isinstance(entry, Mapping) or not entry.get("url"):
                continue
            place = f"{node}: rolling_release_artifacts[{index}].checksum"
            cure = f"give the one of {entry['url']}, such as sha256:<64 hex digits> (sha256sum FILE prints it)"
            checksum = entry.get("checksum")
            if not checksum:
                reader.refuse(place, f"is missing for {shown(entry.get('name', entry['url']))}, which is a URL", cure)
            elif not isinstance(checksum, str) or not _CHECKSUM.match(checksum):
                reader.refuse(place, f"{shown(checksum)} is no checksum", cure)
