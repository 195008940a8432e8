# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The descriptors of the applications: a file of Tomcat's for each, which says what runs under a context path."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from xml.sax.saxutils import quoteattr

Pairs: t.TypeAlias = Iterable[tuple[str, str]]


def element(name: str, pairs: Pairs, *, closed: bool = True) -> str:
    """An element with its attributes, each escaped."""
    words = [name, *(f"{attribute}={quoteattr(str(value))}" for attribute, value in pairs)]
    return f"<{' '.join(words)}{' /' if closed else ''}>"


def descriptor(application: Mapping[str, t.Any], context: Mapping[str, t.Any], inside: str = "") -> str:
    """The text of one descriptor. `inside`: further elements, such as a session manager."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<!-- Written by duplex.ha_pair: changes are overwritten. -->",
        element("Context", [("docBase", application["directory"])], closed=False),
    ]
    # Of the application alone, so that health checks fill no log.
    log = {
        "className": "org.apache.catalina.valves.AccessLogValve",
        "directory": "logs",
        "prefix": f"access-{application['name']}",
        "suffix": ".log",
        "maxDays": "30",
        "requestAttributesEnabled": "true",
        "pattern": '%h %l %u %t "%r" %s %b %D',
    }
    lines.append(f"  {element('Valve', log.items())}")
    for name in ("environment", "parameters", "resources"):
        word = {"environment": "Environment", "parameters": "Parameter", "resources": "Resource"}[name]
        lines += [f"  {element(word, pairs)}" for pairs in context[name]]
    lines += [f"  {line}" for line in inside.splitlines() if line.strip()]
    return "\n".join([*lines, "</Context>", ""])


def descriptor_files(model: Mapping[str, t.Any], inside: str = "") -> list[dict[str, t.Any]]:
    """The descriptors as the module node_files takes them."""
    layout = model["layout"]
    return [
        {
            "path": f"{layout['configuration']}/ha-pair/{application['descriptor']}",
            "content": descriptor(application, model["contexts"][application["name"]], inside),
            "mode": "0640",
            "group": layout["group"],
            # Of a resource it is the password of a database.
            "secret": bool(inside) or any(model["contexts"][application["name"]].values()),
        }
        for application in model["applications"]
    ]
