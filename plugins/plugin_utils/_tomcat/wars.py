# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's look at the WARs that an inventory names."""

from __future__ import annotations

import typing as t
import zipfile
from collections.abc import Iterable, Mapping


def look_at_wars(answers: Iterable[Mapping[str, t.Any]]) -> dict[str, dict[str, t.Any]]:
    """{path: exists, sha256, archive} of what stat said of each path, by a loop with the variable __tomcat_war."""
    found: dict[str, dict[str, t.Any]] = {}
    for answer in answers:
        path, seen = str(answer["__tomcat_war"]), answer.get("stat", {})
        there = bool(seen.get("exists")) and not seen.get("isdir")
        found[path] = {
            "exists": there,
            "sha256": str(seen.get("checksum", "")),
            # One that cannot be read has no checksum either, and that is what is told.
            "archive": there and bool(seen.get("checksum")) and zipfile.is_zipfile(path),
        }
    return found
