# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of pairs as rows, and as a table that a person can read."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone

COLUMNS = ("pair", "node", "instance", "state", "VIPs held", "services", "since", "priority")


def rows(verdict: Mapping[str, t.Any], reports: Mapping[str, Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """One row per member and instance of a pair.

    verdict: what `judge` returned, as data. reports: what vip_owner reported, by member; members without one are shown
    as unknown. `since` is in seconds since the epoch, or None.
    """
    found = []
    instances = list(dict.fromkeys(vip["instance"] for vip in verdict["vips"]))
    for member in verdict["members"]:
        for name in instances:
            report = reports.get(member)
            seen = report["instances"].get(name, {}) if report else {}
            services = report.get("services", {}) if report else {}
            found.append(
                {
                    "pair": " + ".join(verdict["members"]),
                    "node": member,
                    "instance": name,
                    "state": (seen.get("daemon_state") or seen.get("file_state") or "unknown")
                    if report
                    else "no answer",
                    "vips": _held(report, name),
                    "services": {str(service): str(state) for service, state in services.items()},
                    "since": seen.get("since"),
                    "priority": seen.get("priority"),
                    "transitions": seen.get("transitions"),
                }
            )
    return found


def _held(report: Mapping[str, t.Any] | None, instance: str) -> list[str]:
    if report is None:
        return []
    return [vip["address"] for vip in report["vips"] if vip["held"] and vip["instance"] == instance]


def table(found: Iterable[Mapping[str, t.Any]], now: float) -> list[str]:
    """The rows as aligned lines, the head first. now: seconds since the epoch, for the age in the column `since`."""
    cells: list[Sequence[str]] = [COLUMNS]
    for row in found:
        services = ", ".join(f"{name} {state}" for name, state in row["services"].items())
        cells.append(
            (
                str(row["pair"]),
                str(row["node"]),
                str(row["instance"]),
                str(row["state"]),
                " ".join(row["vips"]) or "-",
                services or "-",
                since(row["since"], now),
                "-" if row["priority"] is None else str(row["priority"]),
            )
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def since(moment: float | None, now: float) -> str:
    """`2026-01-31 12:00:00Z (3 min)`; a dash when nothing is known."""
    if moment is None:
        return "-"
    text = datetime.fromtimestamp(float(moment), timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{text} ({age(now - float(moment))})"


def age(seconds: float) -> str:
    """A duration in its largest unit that is at least one: `45 s`, `3 min`, `7 h`, `12 d`."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
