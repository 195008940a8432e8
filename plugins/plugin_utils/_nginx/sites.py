# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sites of an Nginx node: the user's variables in, one complete model out. A template only prints it."""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from .._problems import Reader, shown

SITE_KEYS = ("name", "listen", "server_names", "root", "index_page", "upstream", "extra")
UPSTREAM_KEYS = ("servers",)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
# A wildcard may be the first or the last label; a regular expression (~) is not one of the plain names.
SERVER_NAME = re.compile(r"_|\.?(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?(\.\*)?")
# What would end or restructure a directive, or be expanded by nginx: white space, quotes, ; { } $ \ and #.
UNSAFE = re.compile(r"[\s\"';{}$\\#\x00-\x1f\x7f]")
UPSTREAM_SERVER = re.compile(
    r"(?:unix:/(?P<socket>[^\s\"';{}$\\#]+)"
    r"|(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?))(?::(?P<port>[0-9]+))?)"
    r"(?P<parameters>(?: +(?:backup|down|weight=[0-9]+|max_fails=[0-9]+|fail_timeout=[0-9]+(?:ms|s|m)?"
    r"|max_conns=[0-9]+))*)"
)

PORT_CURE = "give a number such as 80"
SITES_CURE = "give a list such as [{name: web, root: /var/www/web}]"


@dataclass(frozen=True)
class Upstream:
    """The servers behind a site, under the name by which nginx knows them as a group."""

    name: str
    servers: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """One `server` block. Exactly one of `root` and `upstream` is set; `index_page` only with `root`."""

    name: str
    listen: tuple[int, ...]
    server_names: tuple[str, ...]
    root: str | None
    index_page: str | None
    upstream: Upstream | None
    extra: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """Everything that the template prints and that `verify` expects."""

    sites: tuple[Site, ...]
    ports: tuple[int, ...]
    health_path: str
    health_url: str
    node_name: str
    node_header: str

    def to_dict(self) -> dict[str, t.Any]:
        """The model in the plain types that Ansible's loops and templates expect."""
        plain: dict[str, t.Any] = json.loads(json.dumps(asdict(self)))
        return plain


def build_sites(
    sites: object, *, node_name: object, node_header: object, health_path: object, health_url: object
) -> Model:
    """The complete model; raises InputError with every problem that was found."""
    reader = Reader()
    name = _plain(reader, "inventory_hostname", node_name, "give a name such as node-a") or ""
    header = _header(reader, node_header)
    path = _location(reader, health_path) or ""
    url = _health_url(reader, health_url) or ""
    built = _sites(reader, sites, path)
    _distinct(reader, built)
    ports = tuple(sorted({port for _index, site in built for port in site.listen}))
    if url and ports:
        _reachable(reader, url, ports)
    reader.finish()
    return Model(tuple(site for _index, site in built), ports, path, url, name, header)


def _sites(reader: Reader, given: object, health_path: str) -> list[tuple[int, Site]]:
    entries = reader.sequence("nginx_sites", given, SITES_CURE)
    if entries is None:
        return []
    if not entries:
        reader.refuse("nginx_sites", "is empty", SITES_CURE)
    built = []
    for index, entry in enumerate(entries):
        site = _site(reader, f"nginx_sites[{index}]", entry, health_path)
        if site is not None:
            built.append((index, site))
    return built


def _site(reader: Reader, place: str, given: object, health_path: str) -> Site | None:
    entry = reader.mapping(place, given, "give a dictionary such as {name: web, root: /var/www/web}")
    if entry is None:
        return None
    reader.keys(place, entry, SITE_KEYS)
    name = _name(reader, f"{place}.name", entry.get("name"))
    listen = _listen(reader, f"{place}.listen", entry.get("listen", [80]))
    server_names = _server_names(reader, f"{place}.server_names", entry.get("server_names", ["_"]))
    root = None
    upstream = None
    if entry.get("root") is not None and entry.get("upstream") is not None:
        reader.refuse(place, "has both root and upstream", "keep the one from which the site is to answer")
    elif entry.get("root") is not None:
        root = _absolute(reader, f"{place}.root", entry["root"])
    elif entry.get("upstream") is not None:
        upstream = _upstream(reader, f"{place}.upstream", entry["upstream"], name or "site")
    else:
        reader.refuse(
            place,
            "has neither root nor upstream",
            "give root: /var/www/web or upstream: {servers: [app.example.com:8080]}",
        )
    index_page = None
    if entry.get("index_page") is not None:
        index_page = reader.text(f"{place}.index_page", entry["index_page"], "give the text of the page")
        if entry.get("root") is None:
            reader.refuse(f"{place}.index_page", "is given without root", "give root, the directory of the page")
    extra = _extra(reader, f"{place}.extra", entry.get("extra"), health_path)
    return Site(name or "", listen, server_names, root, index_page, upstream, extra)


def _name(reader: Reader, place: str, given: object) -> str | None:
    cure = "give letters, digits, - and _, such as web"
    if given is None:
        reader.refuse(place, "is missing", cure)
        return None
    name = reader.text(place, given, cure)
    if name is not None and not NAME.fullmatch(name):
        reader.refuse(place, f"{shown(name)} is not a name", cure)
        return None
    return name


def _listen(reader: Reader, place: str, given: object) -> tuple[int, ...]:
    entries = reader.sequence(place, given, "give a list of ports such as [80]")
    if entries is None:
        return ()
    if not entries:
        reader.refuse(place, "is empty", "give a list of ports such as [80]")
    ports: list[int] = []
    for index, entry in enumerate(entries):
        port = _port(entry)
        if port is None:
            reader.refuse(f"{place}[{index}]", f"{shown(entry)} is not a port (1..65535)", PORT_CURE)
        elif port in ports:
            reader.refuse(f"{place}[{index}]", f"{port} is given twice", "name each port once")
        else:
            ports.append(port)
    return tuple(ports)


def _port(given: object) -> int | None:
    text = str(given)
    if isinstance(given, bool) or not re.fullmatch(r"[0-9]{1,5}", text):
        return None
    return int(text) if 1 <= int(text) <= 65535 else None


def _server_names(reader: Reader, place: str, given: object) -> tuple[str, ...]:
    cure = "give a list of host names such as [www.example.com], or [_] for any"
    entries = reader.sequence(place, given, cure)
    if entries is None:
        return ()
    if not entries:
        reader.refuse(place, "is empty", cure)
    names: list[str] = []
    for index, entry in enumerate(entries):
        name = reader.text(f"{place}[{index}]", entry, cure)
        if name is None:
            continue
        if not SERVER_NAME.fullmatch(name):
            reader.refuse(
                f"{place}[{index}]",
                f"{shown(name)} is not a host name",
                "give one such as www.example.com or *.example.com",
            )
        elif name.lower() in names:
            reader.refuse(f"{place}[{index}]", f"{shown(name)} is given twice", "name each host name once")
        else:
            names.append(name.lower())
    return tuple(names)


def _upstream(reader: Reader, place: str, given: object, site: str) -> Upstream | None:
    cure = "give {servers: [app.example.com:8080]}"
    entry = reader.mapping(place, given, cure)
    if entry is None:
        return None
    reader.keys(place, entry, UPSTREAM_KEYS)
    if "servers" not in entry:
        reader.refuse(f"{place}.servers", "is missing", cure)
        return None
    servers = reader.sequence(f"{place}.servers", entry["servers"], cure)
    if servers is None:
        return None
    if not servers:
        reader.refuse(f"{place}.servers", "is empty", cure)
    found = [_server(reader, f"{place}.servers[{index}]", server) for index, server in enumerate(servers)]
    # Our own prefix keeps the group apart from one of the same name in a file of the user's.
    return Upstream(f"ha_pair_{site}", tuple(server for server in found if server))


def _server(reader: Reader, place: str, given: object) -> str | None:
    cure = "give host:port such as app.example.com:8080, and after it parameters such as backup or max_fails=2"
    server = reader.text(place, given, cure)
    if server is None:
        return None
    match = UPSTREAM_SERVER.fullmatch(server)
    if not match:
        reader.refuse(place, f"{shown(server)} is not a server", cure)
        return None
    if match["v6"] is not None and not _is_ipv6(match["v6"]):
        reader.refuse(place, f"{shown(match['v6'])} is not an IPv6 address", "give one such as [2001:db8::10]:8080")
        return None
    if match["port"] is not None and _port(match["port"]) is None:
        reader.refuse(place, f"{match['port']} is not a port (1..65535)", "give host:port such as app.example.com:8080")
        return None
    return server


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _extra(reader: Reader, place: str, given: object, health_path: str) -> tuple[str, ...]:
    if given is None:
        return ()
    text = reader.text(place, given, "give directives of a server block, or leave it out")
    if text is None:
        return ()
    # A second exact location of the same path makes nginx refuse the file, in words that lead to our own lines.
    if health_path and re.search(r"location\s*=\s*" + re.escape(health_path) + r"\s*\{", text):
        reader.refuse(
            place, f"defines the location of the health check, {health_path}", "give nginx_health_path another value"
        )
    return tuple(line.rstrip() for line in text.strip("\n").splitlines())


def _plain(reader: Reader, place: str, given: object, cure: str) -> str | None:
    text = reader.text(place, given, cure)
    if text is not None and UNSAFE.search(text):
        reader.refuse(
            place,
            f"{shown(text)} holds a character that nginx would interpret",
            f"{cure}, without spaces or any of \"';{{}}$\\#",
        )
        return None
    return text


def _absolute(reader: Reader, place: str, given: object) -> str | None:
    path = _plain(reader, place, given, "give an absolute path such as /var/www/web")
    if path is None:
        return None
    if not path.startswith("/"):
        reader.refuse(place, f"{shown(path)} is not an absolute path", "begin it with /, such as /var/www/web")
        return None
    if path.strip("/") == "" or ".." in path.split("/"):
        reader.refuse(
            place, f"{shown(path)} would publish more than a site", "give a directory of its own such as /var/www/web"
        )
        return None
    return path.rstrip("/")


def _location(reader: Reader, given: object) -> str | None:
    place = "nginx_health_path"
    cure = "give a path such as /ha-pair/health"
    path = _plain(reader, place, given, cure)
    if path is None:
        return None
    if not path.startswith("/") or path == "/" or "?" in path:
        reader.refuse(place, f"{shown(path)} is not a path of its own", cure)
        return None
    return path


def _header(reader: Reader, given: object) -> str:
    place = "nginx_node_header"
    if given == "":
        return ""
    header = reader.text(place, given, 'give a header name such as X-HA-Pair-Node, or "" for none')
    if header is not None and not HEADER.fullmatch(header):
        reader.refuse(
            place, f"{shown(header)} is not a header name", "give letters, digits and -, such as X-HA-Pair-Node"
        )
        return ""
    return header or ""


def _health_url(reader: Reader, given: object) -> str | None:
    place = "nginx_health_url"
    cure = "give one such as http://127.0.0.1/ha-pair/health"
    url = _plain(reader, place, given, cure)
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        reader.refuse(place, f"{shown(url)} is not a URL", cure)
        return None
    return url


def _reachable(reader: Reader, url: str, ports: tuple[int, ...]) -> None:
    """A loopback URL must meet one of the sites, or the node would never be ready."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    # An `extra` may hold `listen 443 ssl`, which is not ours to read.
    if parts.scheme != "http" or not (host == "localhost" or host.startswith("127.")):
        return
    port = parts.port or 80
    if port not in ports:
        suggestion = parts._replace(netloc=host if ports[0] == 80 else f"{host}:{ports[0]}").geturl()
        reader.refuse("nginx_health_url", f"no site listens on port {port}", f"give {suggestion}, or listen there")


def _distinct(reader: Reader, built: list[tuple[int, Site]]) -> None:
    """nginx only warns about a second server of the same name, and then never asks it."""
    names: dict[str, int] = {}
    taken: dict[tuple[int, str], int] = {}
    for index, site in built:
        place = f"nginx_sites[{index}]"
        if site.name and site.name in names:
            reader.refuse(
                f"{place}.name",
                f"{shown(site.name)} is the name of nginx_sites[{names[site.name]}] too",
                "give each site a name of its own",
            )
        names.setdefault(site.name, index)
        for port in site.listen:
            for server_name in site.server_names:
                first = taken.setdefault((port, server_name), index)
                if first != index:
                    reader.refuse(
                        f"{place}.server_names",
                        f"{shown(server_name)} on port {port} belongs to nginx_sites[{first}]",
                        "give other server_names or another listen",
                    )
