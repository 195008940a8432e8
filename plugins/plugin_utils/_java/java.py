# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Java that runs a service: which versions there are, which are new enough, and the options of the JVM."""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown

DEBIAN = {"11": (11, 17), "12": (17,), "13": (21, 25)}
EL = {"7": (8, 11), "8": (8, 11, 17, 21), "9": (8, 11, 17, 21), "10": (21, 25)}
# What their packages without a version bring. EL 9 is not among them: several there go by the name java-headless.
DEBIAN_USUAL = {"11": 11, "12": 17, "13": 21}
EL_USUAL = {"7": 8, "8": 8, "10": 21}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

# The shell that starts Tomcat sees the options before Java does, and evaluates them; systemd reads them as well.
OPTION = re.compile(r"-[A-Za-z][A-Za-z0-9:_.,=+/@%^~-]*")
SIZE = re.compile(r"([1-9][0-9]*)([kKmMgG])")
FIRST_HEAP = re.compile(r"(?:-Xms|-XX:InitialHeapSize=|-XX:MinHeapSize=)([0-9]+)([kKmMgGtT]?)")
# Of the machine's memory: as much as Java itself would take, and what leaves the system and the code their own.
USUAL_SHARE, LARGEST_SHARE = 0.25, 0.8
SMALLEST = 64

HEAP_CURE = "give a size such as 512m or 2g"
OPTION_CURE = "give one option without white space, quotes and characters of the shell, such as -XX:+UseG1GC"


@dataclass(frozen=True)
class Needs:
    """What is to run: `prefix` of its variables, `who` it is, the `least` Java for it, what else could be done."""

    prefix: str
    who: str
    least: int
    otherwise: str


@dataclass(frozen=True)
class Java:
    """`package` is what to install, None when it comes with Tomcat's own package or is there.

    `home` is what JAVA_HOME is to be, empty for what the package finds by itself.
    """

    version: int | None
    package: str | None
    home: str


def read_java(
    reader: Reader,
    given: object,
    *,
    needs: Needs,
    needs_package: bool,
    platform: tuple[str, str, str],
    architecture: str,
    found: t.Sequence[Mapping[str, t.Any]] | None,
) -> Java | None:
    """The Java to use.

    `found` is what the node has, each with `home`, `version`, and whether it is the `default`; None: nobody looked.
    """
    family, distribution, major = platform
    place = f"{needs.prefix}java_version"
    least = needs.least
    available = (DEBIAN if family == "Debian" else EL).get(major, ())
    fitting = [str(one) for one in available if one >= least]
    if given in (None, ""):
        usual_version = (DEBIAN_USUAL if family == "Debian" else EL_USUAL).get(major)
        if any(entry.get("default") for entry in found or ()):
            _default_is_new_enough(reader, place, needs, found or ())
        elif needs_package and found is not None and usual_version is not None and usual_version < least:
            reader.refuse(
                place,
                f"is empty, the Java of {distribution} {major} is {usual_version}, and {needs.who} needs Java "
                f"{least} or newer",
                f"give {place}: {' or '.join(json.dumps(one) for one in fitting)}"
                if fitting
                else f'install one and give {place}: "{least}", or {needs.otherwise}',
            )
        usual = "/usr/lib/jvm/default-java" if family == "Debian" else "/usr/lib/jvm/jre"
        package = "default-jre-headless" if family == "Debian" else "java-headless"
        return Java(None, package, usual) if needs_package else Java(None, None, "")
    number = reader.integer(place, given, 8, 99, 'give one such as "17", or leave it out')
    if number is None:
        return None
    if number < least:
        reader.refuse(place, f"is {number}, and {needs.who} needs Java {least} or newer", f'give "{least}" or more')
        return None
    there = next((entry for entry in found or () if entry.get("version") == number), None)
    if there is None and number not in available:
        reader.refuse(
            place,
            f"{distribution} {major} has no Java {number}, and the node has none installed",
            f"give {' or '.join(fitting)}" if fitting else f"install it on the node, or {needs.otherwise}",
        )
        return None
    if there is not None:
        return Java(number, None, str(there["home"]))
    if family == "Debian":
        home = f"/usr/lib/jvm/java-{number}-openjdk-{ARCHITECTURES.get(architecture, architecture)}"
        return Java(number, f"openjdk-{number}-jre-headless", home)
    name = "1.8.0" if number == 8 else str(number)
    return Java(number, f"java-{name}-openjdk-headless", f"/usr/lib/jvm/jre-{name}")


def _default_is_new_enough(reader: Reader, place: str, needs: Needs, found: t.Sequence[Mapping[str, t.Any]]) -> None:
    usual = next((entry for entry in found if entry.get("default")), None)
    version = usual.get("version") if usual else None
    if usual and isinstance(version, int) and version < needs.least:
        reader.refuse(
            place,
            f"the node's Java is {version} ({usual['home']}), and {needs.who} needs Java {needs.least} or newer",
            f'give {place}: "{needs.least}" or more',
        )


def read_heap(reader: Reader, place: str, given: object, memory: int | None, smallest: int = SMALLEST) -> int | None:
    """The heap in MiB, or None after a refusal and where neither it nor the memory is known."""
    if given in (None, ""):
        return max(smallest, int(memory * USUAL_SHARE)) if memory else None
    match = SIZE.fullmatch(str(given).strip())
    if match is None or isinstance(given, bool):
        reader.refuse(place, f"{shown(given)} is not a size", HEAP_CURE)
        return None
    size = int(match.group(1)) * {"k": 1 / 1024, "m": 1, "g": 1024}[match.group(2).lower()]
    if size < smallest:
        reader.refuse(place, f"{given} is too small", f"give {smallest}m or more")
        return None
    if memory and size > memory * LARGEST_SHARE:
        reader.refuse(
            place,
            f"{given} is more than the {int(memory * LARGEST_SHARE)}m that a heap may have of the node's {memory}m of "
            "memory",
            "give less, or the node more",
        )
        return None
    return int(size)


def _first_heap(option: str) -> float:
    """With how many MiB the heap begins by this option; 0 for another one."""
    match = FIRST_HEAP.fullmatch(option)
    if match is None:
        return 0
    return int(match.group(1)) * {"": 2**-20, "k": 2**-10, "m": 1, "g": 2**10, "t": 2**20}[match.group(2).lower()]


def read_options(
    reader: Reader,
    place: str,
    given: object,
    heap: int | None,
    version: int | None,
    *,
    heap_place: str,
    more: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """The options of the JVM, ours first; the last one of a kind wins. `more`: of ours for this service."""
    entries = reader.sequence(place, given, "give a list such as [-XX:+UseG1GC]")
    found: list[str] = []
    for index, entry in enumerate(entries or []):
        option = reader.text(f"{place}[{index}]", entry, OPTION_CURE)
        if option is None:
            continue
        if not OPTION.fullmatch(option):
            reader.refuse(
                f"{place}[{index}]", f"{shown(option)} is not an option that every start script passes on", OPTION_CURE
            )
        elif re.match(r"-Xmx|-XX:MaxHeapSize=|-XX:MaxRAM", option):
            reader.refuse(f"{place}[{index}]", f"{option} sets the heap", f"give {heap_place}")
        elif heap and _first_heap(option) > heap:
            reader.refuse(
                f"{place}[{index}]",
                f"{option} is more than the heap of {heap}m",
                f"give less, or a larger {heap_place}",
            )
        else:
            found.append(option)
    # A JVM without memory answers some requests and not others; its end is an event that keepalived is told of.
    ours = ["-XX:+ExitOnOutOfMemoryError"]
    if heap:
        ours.append(f"-Xmx{heap}m")
    ours.extend(more)
    if version is None or version >= 9:
        ours.append("-Djava.awt.headless=true")
    return (*ours, *found)
