# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an archive of Java (a WAR, a jar) comes from, and by which checksum it is known."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
CHECKSUM_CURE = "give sha256: and the 64 hexadecimal digits that `sha256sum` prints"


@dataclass(frozen=True)
class Kind:
    """`key` names the file on the controller, `what` is the archive, `example` is one."""

    key: str
    what: str
    example: str

    @property
    def cure(self) -> str:
        """What to give."""
        return f"give {self.key}: the path of a file on the controller, or url: with checksum: sha256:..."


WAR = Kind("war", "WAR", "shop.war")
JAR = Kind("jar", "jar", "fetcher.jar")


def read_checksum(reader: Reader, place: str, given: object) -> str | None:
    """The 64 digits of a sha256, or None after a refusal."""
    text = reader.text(place, given, CHECKSUM_CURE)
    if text is None:
        return None
    if not DIGEST.fullmatch(text.lower()):
        reader.refuse(place, f"{shown(text)} is not a sha256", CHECKSUM_CURE)
        return None
    return text.lower().partition(":")[2]


def read_source(reader: Reader, place: str, url: object, path: object, cure: str) -> tuple[str | None, str | None]:
    """(url, absolute path on the controller), one of them, or neither after a refusal."""
    if (url in (None, "")) == (path in (None, "")):
        reader.refuse(place, "has both a URL and a file" if url else "has neither a URL nor a file", cure)
        return None, None
    if url not in (None, ""):
        text = reader.text(f"{place}.url", url, cure)
        if text is not None and not re.fullmatch(r"https?://[!#-&(-\[\]-~]+|file:///[!#-&(-\[\]-~]+", text):
            reader.refuse(f"{place}.url", f"{shown(text)} is not a URL", cure)
            return None, None
        return text, None
    return None, reader.text(place, path, cure)


def read_archive(
    reader: Reader, place: str, entry: Mapping[str, t.Any], kind: Kind, files: Mapping[str, Mapping[str, t.Any]]
) -> tuple[str | None, str | None, str | None]:
    """(url, file, sha256); no sha256 after a refusal. `files`: what the controller told of its files, by path."""
    url, path = read_source(reader, place, entry.get("url"), entry.get(kind.key), kind.cure)
    checksum = entry.get("checksum")
    digest = None
    if checksum not in (None, ""):
        digest = read_checksum(reader, f"{place}.checksum", checksum)
    elif url is not None:
        reader.refuse(f"{place}.checksum", "is missing, and url is given", kind.cure)
    if path is None:
        return url, None, digest
    if not path.startswith("/"):
        reader.refuse(
            f"{place}.{kind.key}",
            f"{shown(path)} is not an absolute path",
            f'give one such as "{{{{ inventory_dir }}}}/files/{kind.example}"',
        )
        return None, path, None
    file = files.get(path)
    if file is None:
        # Not looked at, so that its release is not known.
        return None, path, "" if checksum in (None, "") else digest
    if not file.get("exists"):
        reader.refuse(
            f"{place}.{kind.key}", f"{shown(path)} is not there on the controller", "build it, or mend the path"
        )
        return None, path, None
    if not file.get("sha256"):
        reader.refuse(
            f"{place}.{kind.key}", f"{shown(path)} cannot be read on the controller", "let whoever runs this read it"
        )
        return None, path, None
    if not file.get("archive", True):
        reader.refuse(
            f"{place}.{kind.key}",
            f"{shown(path)} is not a {kind.what}",
            "give an archive that `jar` or a build tool made",
        )
        return None, path, None
    found = str(file["sha256"])
    if digest is not None and digest != found:
        reader.refuse(
            f"{place}.checksum",
            f"{shown(path)} has sha256:{found}, not sha256:{digest}",
            f"give the {kind.what} that was meant, or its checksum",
        )
        return None, path, None
    if checksum not in (None, "") and digest is None:
        return None, path, None
    return None, path, found
