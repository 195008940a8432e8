# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sites of an Nginx node: the user's variables in, one complete model out. A template only prints it."""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from .._problems import Reader, shown
from .._vrrp import facts as host_facts
from .._vrrp.requirements import reader_with_library
from . import values
from .clients import HEADER, Clients, read_clients
from .package import Repository, read_package
from .pool import Neighbours, check_drained, check_own_ports, named_hosts
from .tls import TLS_CURE, read_pair
from .upstream import Upstream, read_upstream

SITE_KEYS = (
    "name",
    "listen",
    "server_names",
    "root",
    "index_page",
    "upstream",
    "tls",
    "tls_listen",
    "redirect",
    "client_max_body_size",
    "extra",
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# A wildcard may be the first or the last label; a regular expression (~) is not one of the plain names.
SERVER_NAME = re.compile(r"_|\.?(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?(\.\*)?")
# nginx counts in bytes, k, m or g.
SIZE = re.compile(r"(?:0|[1-9][0-9]{0,9})[kKmMgG]?")
# Forward secrecy and authenticated encryption only. No tickets: their key would live as long as nginx runs. What
# `extra` sets of these is left to it.
TLS_DIRECTIVES = {
    "ssl_protocols": "TLSv1.2 TLSv1.3",
    "ssl_ciphers": "ECDHE+AESGCM:ECDHE+CHACHA20",
    "ssl_session_cache": "shared:ha_pair:10m",
    "ssl_session_timeout": "1d",
    "ssl_session_tickets": "off",
}

# What passes requests on to another server.
PASSES_ON = re.compile(r"(?:^|[\s{;])(?:proxy|fastcgi|uwsgi|scgi|grpc|memcached)_pass\s")
# The ports of http_port_t and http_cache_port_t on EL 7 to 10: nginx may listen on both.
POLICY_PORTS = {80, 81, 443, 488, 8008, 8009, 8443, 9000, 8080, 8118, 8123, *range(10001, 10011)}
# Where the policy gives files to HTTP, or lets everybody read them.
POLICY_ROOTS = ("/usr", "/var/www")
# Where the label of nginx would be in the way of others: in all of these, and at the top of those.
IN_SYSTEM = re.compile(r"/(bin|boot|dev|etc|lib|lib64|proc|root|run|sbin|sys|tmp|var/(log|run|tmp))(/.*)?")
TOO_WIDE = re.compile(r"/home(/[^/]+)?|/(media|mnt|opt|srv|var)|/var/(cache|lib|opt|spool)")

SITES_CURE = "give a list such as [{name: web, root: /var/www/web}]"


@dataclass(frozen=True)
class Tls:
    """Where a site's certificate and key lie on the node, and the directives beside them."""

    certificate: str
    key: str
    directives: tuple[str, ...]


@dataclass(frozen=True)
class Server:
    """A `server` block: what it listens on, in the words of nginx, and where it sends clients if it does only that."""

    listens: tuple[str, ...]
    redirect: str | None


@dataclass(frozen=True)
class Site:
    """A site with one `server` block, or two when plain HTTP is sent to TLS.

    Exactly one of `root` and `upstream` is set; `index_page` only with `root`, `tls_listen` only with `tls`.
    """

    name: str
    listen: tuple[int, ...]
    tls_listen: tuple[int, ...]
    servers: tuple[Server, ...]
    server_names: tuple[str, ...]
    root: str | None
    index_page: str | None
    upstream: Upstream | None
    tls: Tls | None
    client_max_body_size: str | None
    extra: tuple[str, ...]


@dataclass(frozen=True)
class Selinux:
    """What SELinux must allow nginx beyond its own policy.

    `connects`: a site passes requests on. `ports` and `roots`: those that the policy does not give to HTTP.
    """

    connects: bool
    ports: tuple[int, ...]
    roots: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """Everything that the template prints, the tasks install and `verify` expects. It holds no secret."""

    sites: tuple[Site, ...]
    ports: tuple[int, ...]
    tls_paths: tuple[str, ...]
    repository: Repository | None
    module_stream: str | None
    selinux: Selinux
    clients: Clients
    passes_on: bool
    websocket: bool
    health_path: str
    health_url: str
    node_name: str
    node_header: str

    def to_dict(self) -> dict[str, t.Any]:
        """The model in the plain types that Ansible's loops and templates expect."""
        plain: dict[str, t.Any] = json.loads(json.dumps(asdict(self)))
        return plain


@dataclass(frozen=True)
class _Beside:
    """What the reading of every site needs of the variables beside them."""

    health_path: str
    ipv6: bool
    files: Mapping[str, str]
    tls_directory: str
    neighbours: Neighbours


def build_sites(
    sites: object,
    *,
    node_name: object,
    node_header: object,
    health_path: object,
    health_url: object,
    ipv6: object = False,
    files: object = None,
    tls_directory: str = "/etc/nginx/ha-pair/tls",
    repository: object = "distribution",
    repository_url: object = "",
    repository_key_url: object = "",
    epel_url: object = "",
    epel_key_url: object = "",
    module_stream: object = "",
    manage_selinux: object = True,
    facts: object = None,
    upstream_hosts: object = None,
    upstream_drained: object = (),
    inventory: Iterable[str] = (),
    real_ip_from: object = (),
    real_ip_header: object = "X-Forwarded-For",
    other_ports: object = None,
) -> Model:
    """The complete model; raises InputError with every problem that was found."""
    reader = reader_with_library()
    name = values.plain(reader, "inventory_hostname", node_name, "give a name such as node-a") or ""
    if isinstance(facts, Mapping):
        _supported(reader, name, facts)
    package = read_package(
        reader,
        repository,
        {"nginx.org": (repository_url, repository_key_url), "epel": (epel_url, epel_key_url)},
        module_stream,
        host_facts.platform(facts) if isinstance(facts, Mapping) else None,
    )
    header = _header(reader, node_header)
    path = _location(reader, health_path) or ""
    url = _health_url(reader, health_url) or ""
    with_ipv6 = values.flag(reader, "nginx_ipv6", ipv6)
    clients = read_clients(reader, real_ip_from, real_ip_header)
    neighbours = Neighbours(
        name,
        upstream_hosts if isinstance(upstream_hosts, Mapping) else {},
        tuple(inventory),
        check_drained(reader, upstream_drained, named_hosts(sites)),
        keepalive_timeout=package.knows_keepalive_timeout,
    )
    beside = _Beside(path, with_ipv6, files if isinstance(files, Mapping) else {}, tls_directory, neighbours)
    built = _sites(reader, sites, beside)
    _distinct(reader, built)
    _not_taken(reader, built, other_ports if isinstance(other_ports, Mapping) else {})
    plain = tuple(sorted({port for _index, site in built for port in site.listen}))
    secure = tuple(sorted({port for _index, site in built for port in site.tls_listen}))
    if url and (plain or secure):
        _reachable(reader, url, plain, secure)
    ports = tuple(sorted({*plain, *secure}))
    labels = _selinux(reader, built, ports, manage_selinux, facts)
    found = tuple(site for _index, site in built)
    upstreams = [site.upstream for site in found if site.upstream]
    for index, site in built:
        if site.upstream:
            check_own_ports(reader, f"nginx_sites[{index}].upstream", site.upstream.members, name, ports)
    reader.finish()
    tls_paths = tuple(path for site in found if site.tls for path in (site.tls.certificate, site.tls.key))
    return Model(
        found,
        ports,
        tls_paths,
        package.repository,
        package.module_stream,
        labels,
        clients,
        bool(upstreams),
        any(upstream.websocket for upstream in upstreams),
        path,
        url,
        name,
        header,
    )


def _supported(reader: Reader, node: str, facts: Mapping[str, t.Any]) -> None:
    """The systems of the pair's model: a node that cannot run keepalived here gets no nginx either."""
    platform = host_facts.platform(facts)
    if platform is None:
        reader.refuse(node, "has no facts", "gather facts of this host before the role (gather_facts: true)")
        return
    _family, distribution, major = platform
    if major not in host_facts.SUPPORTED.get(distribution, ()):
        reader.refuse(node, f"{distribution} {major} is not supported", f"use one of {host_facts.supported_names()}")


def _selinux(
    reader: Reader, built: list[tuple[int, Site]], ports: tuple[int, ...], manage: object, facts: object
) -> Selinux:
    if not values.flag(reader, "nginx_manage_selinux", manage) or not host_facts.has_selinux(facts):
        return Selinux(False, (), ())
    roots = set()
    for index, site in built:
        if site.root is None or _is_in(site.root, POLICY_ROOTS):
            continue
        if IN_SYSTEM.fullmatch(site.root) or TOO_WIDE.fullmatch(site.root):
            reader.refuse(
                f"nginx_sites[{index}].root",
                f"{shown(site.root)} holds more than a site, and SELinux would have all of it labelled for nginx",
                "give a directory of its own such as /srv/www/web, or label what nginx is to read yourself and give "
                "nginx_manage_selinux: false",
            )
        roots.add(site.root)
    connects = any(site.upstream is not None or any(map(PASSES_ON.search, site.extra)) for _index, site in built)
    return Selinux(connects, tuple(port for port in ports if port not in POLICY_PORTS), tuple(sorted(roots)))


def _is_in(path: str, directories: tuple[str, ...]) -> bool:
    return any(path == directory or path.startswith(f"{directory}/") for directory in directories)


def _sites(reader: Reader, given: object, beside: _Beside) -> list[tuple[int, Site]]:
    if isinstance(given, Mapping):
        # Not shown: it may hold a key.
        reader.refuse("nginx_sites", "is a dictionary, not a list", SITES_CURE)
        return []
    entries = reader.sequence("nginx_sites", given, SITES_CURE)
    if entries is None:
        return []
    if not entries:
        reader.refuse("nginx_sites", "is empty", SITES_CURE)
    built = []
    for index, entry in enumerate(entries):
        site = _site(reader, f"nginx_sites[{index}]", entry, beside)
        if site is not None:
            built.append((index, site))
    return built


def _site(reader: Reader, place: str, given: object, beside: _Beside) -> Site | None:
    cure = "give a dictionary such as {name: web, root: /var/www/web}"
    if isinstance(given, (list, tuple)):
        reader.refuse(place, "is a list, not a dictionary", cure)
        return None
    entry = reader.mapping(place, given, cure)
    if entry is None:
        return None
    reader.keys(place, entry, SITE_KEYS)
    name = reader.word(f"{place}.name", entry.get("name"), NAME, "a name", "give letters, digits, - and _, such as web")
    secure = entry.get("tls") is not None
    listen = _listen(reader, f"{place}.listen", entry.get("listen", [80]), may_be_empty=secure)
    tls_listen = _tls_listen(reader, place, entry, listen)
    server_names = _server_names(reader, f"{place}.server_names", entry.get("server_names", ["_"]))
    root = None
    upstream = None
    if entry.get("root") is not None and entry.get("upstream") is not None:
        reader.refuse(place, "has both root and upstream", "keep the one from which the site is to answer")
    elif entry.get("root") is not None:
        root = _absolute(reader, f"{place}.root", entry["root"])
    elif entry.get("upstream") is not None:
        upstream = read_upstream(reader, f"{place}.upstream", entry["upstream"], name or "site", beside.neighbours)
    else:
        reader.refuse(
            place,
            "has neither root nor upstream",
            "give root: /var/www/web or upstream: {hosts: [app-1, app-2], port: 8080}",
        )
    index_page = None
    if entry.get("index_page") is not None:
        index_page = reader.text(f"{place}.index_page", entry["index_page"], "give the text of the page")
        if entry.get("root") is None:
            reader.refuse(f"{place}.index_page", "is given without root", "give root, the directory of the page")
    body = _size(reader, f"{place}.client_max_body_size", entry.get("client_max_body_size"))
    extra = _extra(reader, f"{place}.extra", entry.get("extra"), beside.health_path)
    tls = _tls(reader, f"{place}.tls", name or "", entry["tls"], extra, beside) if secure else None
    target = _redirect(reader, place, entry, listen, tls_listen)
    plain = _listens(listen, "", extra, beside.ipv6)
    secured = _listens(tls_listen, " ssl", extra, beside.ipv6)
    servers = (Server(plain, target), Server(secured, None)) if target else (Server((*plain, *secured), None),)
    return Site(name or "", listen, tls_listen, servers, server_names, root, index_page, upstream, tls, body, extra)


def _tls(reader: Reader, place: str, site: str, given: object, extra: tuple[str, ...], beside: _Beside) -> Tls | None:
    pair = read_pair(reader, place, site, given, beside.files)
    if pair is None:
        return None
    directives = tuple(f"{name} {value};" for name, value in TLS_DIRECTIVES.items() if not _sets(extra, name))
    return Tls(*pair.paths(beside.tls_directory, site), directives)


def _tls_listen(reader: Reader, place: str, entry: Mapping[str, t.Any], listen: tuple[int, ...]) -> tuple[int, ...]:
    if entry.get("tls") is None:
        if entry.get("tls_listen") is not None:
            reader.refuse(f"{place}.tls_listen", "is given without tls", f"leave it out, or as tls {TLS_CURE}")
        return ()
    ports = _listen(reader, f"{place}.tls_listen", entry.get("tls_listen", [443]), usual=443)
    for port in ports:
        if port in listen:
            reader.refuse(
                f"{place}.listen",
                f"{port} is a port of tls_listen, and a port speaks either plain HTTP or TLS",
                f"take {port} out of listen, which may be [] here",
            )
    return ports


def _redirect(
    reader: Reader, site: str, entry: Mapping[str, t.Any], listen: tuple[int, ...], tls_listen: tuple[int, ...]
) -> str | None:
    """Where clients on plain HTTP are sent; None when they are served."""
    place = f"{site}.redirect"
    if not values.flag(reader, place, entry.get("redirect", False)):
        return None
    if entry.get("tls") is None:
        reader.refuse(place, "is given without tls", f"leave it out, or as tls {TLS_CURE}")
        return None
    if not listen:
        reader.refuse(place, "has no port to send clients on from", "give listen: [80], or leave redirect out")
        return None
    port = "" if 443 in tls_listen else "".join(f":{port}" for port in tls_listen[:1])
    return f"https://$host{port}$request_uri"


def _listens(ports: tuple[int, ...], kind_of_port: str, extra: tuple[str, ...], ipv6: bool) -> tuple[str, ...]:
    """The arguments of `listen`. What `extra` says of a port's IPv6 stands in place of ours."""
    found = []
    for port in ports:
        found.append(f"{port}{kind_of_port}")
        if ipv6 and not any(re.match(rf"\s*listen\s+\[::\]:{port}[\s;]", line) for line in extra):
            found.append(f"[::]:{port}{kind_of_port}")
    return tuple(found)


def _sets(extra: tuple[str, ...], directive: str) -> bool:
    return any(re.search(rf"(?:^|[;{{}}])\s*{directive}\s", line) for line in extra)


def _listen(
    reader: Reader, place: str, given: object, *, usual: int = 80, may_be_empty: bool = False
) -> tuple[int, ...]:
    cure = f"give a list of ports such as [{usual}]"
    entries = reader.sequence(place, given, cure)
    if entries is None:
        return ()
    if not entries and not may_be_empty:
        reader.refuse(place, "is empty", cure)
    ports: list[int] = []
    for index, entry in enumerate(entries):
        port = values.port(entry)
        if port is None:
            cure = f"give a number such as {usual}"
            reader.refuse(f"{place}[{index}]", f"{shown(entry)} is not a port (1..65535)", cure)
        elif port in ports:
            reader.refuse(f"{place}[{index}]", f"{port} is given twice", "name each port once")
        else:
            ports.append(port)
    return tuple(ports)


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


def _size(reader: Reader, place: str, given: object) -> str | None:
    if given is None:
        return None
    if isinstance(given, bool) or not SIZE.fullmatch(str(given)):
        reader.refuse(place, f"{shown(given)} is not a size", "give one such as 20m, or 0 for no limit")
        return None
    return str(given)


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


def _absolute(reader: Reader, place: str, given: object) -> str | None:
    path = values.plain(reader, place, given, "give an absolute path such as /var/www/web")
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
    path = values.plain(reader, place, given, cure)
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
    url = values.plain(reader, place, given, cure)
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


def _reachable(reader: Reader, url: str, plain: tuple[int, ...], secure: tuple[int, ...]) -> None:
    """A loopback URL must meet one of the sites, or the node would never be ready."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    # An `extra` may hold a `listen` with TLS of its own, which is not ours to read.
    if parts.scheme != "http" or not (host == "localhost" or host.startswith("127.")):
        return
    port = parts.port or 80
    if port in plain:
        return
    scheme, ports, usual = ("http", plain, 80) if plain else ("https", secure, 443)
    netloc = host if usual in ports else f"{host}:{ports[0]}"
    suggestion = parts._replace(scheme=scheme, netloc=netloc).geturl()
    what = f"port {port} speaks TLS" if port in secure else f"no site listens on port {port}"
    reader.refuse("nginx_health_url", what, f"give {suggestion}, or listen there")


def _not_taken(reader: Reader, built: list[tuple[int, Site]], others: Mapping[str, object]) -> None:
    """Refuse ports that another service of this node is to have; one that runs already is found by the preflight."""
    for variable, given in others.items():
        taken = values.port(given)
        for index, site in built:
            for key, ports in (("listen", site.listen), ("tls_listen", site.tls_listen)):
                if taken in ports:
                    reader.refuse(
                        f"nginx_sites[{index}].{key}",
                        f"{taken} is {variable} of this node, and nginx and that service would both listen there",
                        f"give the site another port, or set {variable} to another one",
                    )


def _distinct(reader: Reader, built: list[tuple[int, Site]]) -> None:
    """nginx only warns about a second server of the same name, and then never asks it."""
    names: dict[str, int] = {}
    taken: dict[tuple[int, str], int] = {}
    speaks_tls: dict[int, tuple[int, bool]] = {}
    for index, site in built:
        place = f"nginx_sites[{index}]"
        if site.name and site.name in names:
            reader.refuse(
                f"{place}.name",
                f"{shown(site.name)} is the name of nginx_sites[{names[site.name]}] too",
                "give each site a name of its own",
            )
        names.setdefault(site.name, index)
        for port in (*site.listen, *site.tls_listen):
            for server_name in site.server_names:
                first = taken.setdefault((port, server_name), index)
                if first != index:
                    reader.refuse(
                        f"{place}.server_names",
                        f"{shown(server_name)} on port {port} belongs to nginx_sites[{first}]",
                        "give other server_names or another listen",
                    )
        for key, secure, ports in (("listen", False, site.listen), ("tls_listen", True, site.tls_listen)):
            for port in ports:
                first, other = speaks_tls.setdefault(port, (index, secure))
                if first != index and other != secure:
                    reader.refuse(
                        f"{place}.{key}",
                        f"{port} speaks {'TLS' if other else 'plain HTTP'} in nginx_sites[{first}]",
                        "give another port, or give both sites tls there",
                    )
