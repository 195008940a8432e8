# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The applications of a Tomcat: their WARs, their context paths, and which release of each is to run."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._java.archives import WAR, read_archive
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown

from .connector import plain

KEYS = ("name", "path", "war", "url", "checksum", "context", "health", "rollback")
CONTEXT_KEYS = ("environment", "parameters", "resources")
# A name is also a directory; those that begin with a dot are ours.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
CONTEXT_PATH = re.compile(r"/|(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
CHECK_PATH = re.compile(r"/[!$&'()*+,./0-9:;=?@A-Z_a-z~%-]*")
JNDI_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9._]*")
ENVIRONMENT_TYPES = ("String", "Boolean", "Byte", "Character", "Double", "Float", "Integer", "Long", "Short")

APPLICATIONS_CURE = "give a list such as [{name: shop, path: /shop, war: /srv/releases/shop.war}]"

Attributes: t.TypeAlias = "tuple[tuple[str, str], ...]"


@dataclass(frozen=True)
class Context:
    """The elements of a descriptor, each a list of (name, value) pairs. Passwords may be among them."""

    environment: tuple[Attributes, ...] = ()
    parameters: tuple[Attributes, ...] = ()
    resources: tuple[Attributes, ...] = ()


@dataclass(frozen=True)
class Application:
    """One application.

    `release` is what its directory is called: that of the WAR, or on `rollback` the one that ran before it. Both it and
    `sha256` are empty as long as nobody has looked at the WAR and the node. `path` is empty for the root. `war` is the
    file on the controller and `url` where the node fetches it; both are None once the release is on the node.
    """

    name: str
    path: str
    descriptor: str
    war: str | None
    url: str | None
    sha256: str
    release: str
    directory: str
    rollback: bool
    staged: bool
    health_url: str | None
    context: Context


@dataclass(frozen=True)
class Known:
    """What the controller told of its files, by path, and what lies on the node by application, None if unknown."""

    wars: Mapping[str, Mapping[str, t.Any]]
    releases: Mapping[str, Mapping[str, t.Any]] | None


def read_applications(
    reader: Reader, given: object, known: Known, *, directory: str, origin: str, manager: bool
) -> tuple[Application, ...]:
    """The applications; those that are refused are left out."""
    place = "tomcat_applications"
    if isinstance(given, Mapping):
        # Not shown: it may hold a password.
        reader.refuse(place, "is a dictionary, not a list", APPLICATIONS_CURE)
        return ()
    found: list[tuple[int, Application]] = []
    for index, entry in enumerate(reader.sequence(place, given, APPLICATIONS_CURE) or []):
        application = _application(reader, f"{place}[{index}]", entry, known, directory, origin)
        if application is not None:
            found.append((index, application))
    _distinct(reader, place, found, manager)
    return tuple(application for _index, application in found)


def war_files(given: object) -> list[str]:
    """The WARs on the controller that the applications name, each once; whatever is wrong is told elsewhere."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        return []
    named = [entry.get("war") for entry in given if isinstance(entry, Mapping)]
    return list(dict.fromkeys(war for war in named if isinstance(war, str) and war.strip()))


def _application(
    reader: Reader, place: str, given: object, known: Known, directory: str, origin: str
) -> Application | None:
    cure = "give a dictionary such as {name: shop, path: /shop, war: /srv/releases/shop.war}"
    if isinstance(given, (list, tuple)):
        reader.refuse(place, "is a list, not a dictionary", cure)
        return None
    entry = reader.mapping(place, given, cure)
    if entry is None:
        return None
    reader.keys(place, entry, KEYS)
    name = reader.word(
        f"{place}.name", entry.get("name"), NAME, "a name", "give letters, digits, - . and _, such as shop"
    )
    path = _path(reader, f"{place}.path", entry.get("path"))
    rollback = _flag(reader, f"{place}.rollback", entry.get("rollback", False))
    url, war, digest = read_archive(reader, place, entry, WAR, known.wars)
    context = _context(reader, f"{place}.context", entry.get("context"))
    health = _health(reader, f"{place}.health", entry.get("health"), path, origin)
    if name is None or path is None or digest is None:
        return None
    on_node = (known.releases or {}).get(name, {})
    there = list(on_node.get("releases", []))
    release = digest[:16]
    if rollback and known.releases is None:
        release = ""
    elif rollback:
        before = _before(release, on_node, there)
        if before is None:
            reader.refuse(
                f"{place}.rollback",
                f"the node has no release of {name} that ran before {release}",
                "give the WAR that is to run, and leave rollback out",
            )
            return None
        release = before
    staged = release in there
    stem = path.strip("/").replace("/", "#") or "ROOT"
    return Application(
        name,
        "" if path == "/" else path,
        f"{stem}.xml",
        war if not staged else None,
        url if not staged else None,
        digest,
        release,
        f"{directory}/{name}/{release}",
        rollback,
        staged,
        health,
        context,
    )


def _before(release: str, on_node: Mapping[str, t.Any], there: list[str]) -> str | None:
    """The release that ran last before this one, of those that are still there."""
    ran = [one for one in on_node.get("history", []) if one != release and one in there]
    return ran[-1] if ran else None


def _path(reader: Reader, place: str, given: object) -> str | None:
    path = reader.word(place, given, CONTEXT_PATH, "a context path", 'give one such as /shop, or "/" for the root')
    if path == "/ROOT":
        # Its descriptor would be ROOT.xml, which is that of "/".
        reader.refuse(place, "/ROOT is Tomcat's own word for the root", 'give "/", or another context path')
        return None
    return path


def _flag(reader: Reader, place: str, given: object) -> bool:
    word = str(given).lower() if isinstance(given, (bool, str)) else ""
    if word not in ("true", "false", "yes", "no"):
        reader.refuse(place, f"{shown(given)} is not true or false", "give true or false")
    return word in ("true", "yes")


def _health(reader: Reader, place: str, given: object, path: str | None, origin: str) -> str | None:
    """By which URL the node asks whether the application itself has started."""
    if given in (None, ""):
        return None
    cure = "give a path below the context path that answers 200, such as /health"
    text = reader.text(place, given, cure)
    if text is None:
        return None
    if not CHECK_PATH.fullmatch(text):
        reader.refuse(place, f"{shown(text)} is not a path", cure)
        return None
    return f"{origin}{(path or '').rstrip('/')}{text}"


def _context(reader: Reader, place: str, given: object) -> Context:
    if given is None:
        return Context()
    if not isinstance(given, Mapping):
        # Not shown: it may hold a password.
        reader.refuse(place, "is not a dictionary", "give one of environment, parameters and resources")
        return Context()
    reader.keys(place, given, CONTEXT_KEYS)
    environment = [
        _environment(reader, f"{place}.environment.{name}", str(name), value)
        for name, value in _section(reader, f"{place}.environment", given.get("environment")).items()
    ]
    parameters = []
    for name, value in _section(reader, f"{place}.parameters", given.get("parameters")).items():
        text = plain(reader, f"{place}.parameters.{name}", value, secret=True)
        parameters.append((("name", str(name)), ("value", text or ""), ("override", "false")))
    resources = [
        _resource(reader, f"{place}.resources.{name}", str(name), value)
        for name, value in _section(reader, f"{place}.resources", given.get("resources")).items()
    ]
    return Context(tuple(environment), tuple(parameters), tuple(resources))


def _section(reader: Reader, place: str, given: object) -> Mapping[t.Any, t.Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        reader.refuse(place, "is not a dictionary", "give a dictionary with a key for each name")
        return {}
    for name in given:
        if not JNDI_NAME.fullmatch(str(name)):
            reader.refuse(f"{place}.{name}", "is not a name", "give letters, digits, . _ - and /, such as jdbc/shop")
    return given


def _environment(reader: Reader, place: str, name: str, given: object) -> Attributes:
    """A value as text of the type that it has, or {value, type}."""
    value, wanted = given, None
    if isinstance(given, Mapping):
        reader.keys(place, given, ("value", "type"))
        value, wanted = given.get("value"), given.get("type")
    kind_of_value = str(wanted or "String").removeprefix("java.lang.")
    if wanted is None and isinstance(value, bool):
        kind_of_value = "Boolean"
    elif wanted is None and isinstance(value, int):
        kind_of_value = "Integer" if -(2**31) <= value < 2**31 else "Long"
    elif wanted is None and isinstance(value, float):
        kind_of_value = "Double"
    if kind_of_value not in ENVIRONMENT_TYPES:
        reader.refuse(
            f"{place}.type", f"{shown(wanted)} is not a type of Java's", f"give {', '.join(ENVIRONMENT_TYPES)}"
        )
    text = plain(reader, place, value, secret=True)
    return (
        ("name", name),
        ("type", f"java.lang.{kind_of_value}"),
        ("value", text or ""),
        ("override", "false"),
    )


def _resource(reader: Reader, place: str, name: str, given: object) -> Attributes:
    cure = "give its attributes, such as {type: javax.sql.DataSource, url: ..., username: ..., password: ...}"
    if not isinstance(given, Mapping):
        reader.refuse(place, "is not a dictionary", cure)
        return ()
    if given.get("type") in (None, ""):
        reader.refuse(f"{place}.type", "is missing", cure)
    found = {"name": name, "auth": "Container"}
    for attribute, value in given.items():
        if not ATTRIBUTE.fullmatch(str(attribute)) or attribute == "name":
            reader.refuse(f"{place}.{attribute}", "is not an attribute of a resource", cure)
            continue
        text = plain(reader, f"{place}.{attribute}", value, secret=True)
        found[str(attribute)] = text or ""
    return tuple(found.items())


def _distinct(reader: Reader, place: str, found: list[tuple[int, Application]], manager: bool) -> None:
    names: dict[str, int] = {}
    paths: dict[str, int] = {}
    for index, application in found:
        earlier = names.setdefault(application.name, index)
        if earlier != index:
            reader.refuse(
                f"{place}[{index}].name",
                f"{shown(application.name)} is the name of {place}[{earlier}] too",
                "give each application a name of its own",
            )
        shown_path = application.path or "/"
        earlier = paths.setdefault(application.path, index)
        if earlier != index:
            reader.refuse(
                f"{place}[{index}].path",
                f"{shown_path} is the context path of {place}[{earlier}] too",
                "give each application a context path of its own",
            )
        elif application.path == "/ha-pair":
            reader.refuse(
                f"{place}[{index}].path", "/ha-pair is where health checks are answered", "give another context path"
            )
        elif manager and application.path == "/manager":
            reader.refuse(
                f"{place}[{index}].path",
                "/manager is the manager application's, because tomcat_manager is true",
                "give another context path, or tomcat_manager: false",
            )
