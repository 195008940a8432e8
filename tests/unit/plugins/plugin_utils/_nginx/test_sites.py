# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx_sites becomes, and every word in which it is refused."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nginx.sites import Model, build_sites
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.facts import supported_names

ROOT = "/var/www/web"
NGINX_ORG = {
    "repository": "nginx.org",
    "repository_url": "https://nginx.org/packages",
    "repository_key_url": "https://nginx.org/keys/nginx_signing.key",
}
EPEL = {
    "repository": "epel",
    "epel_url": "https://archives.fedoraproject.org/pub/archive/epel/7/$basearch",
    "epel_key_url": "https://archives.fedoraproject.org/pub/archive/epel/RPM-GPG-KEY-EPEL-7",
}
REPOSITORY_KEY_CURE = (
    "give an https URL such as https://nginx.org/keys/nginx_signing.key, "
    "or the absolute path of a file on the controller"
)


def system(family: str, name: str, major: str, selinux: str = "disabled") -> dict[str, t.Any]:
    """The facts of a node that the model reads."""
    return {
        "os_family": family,
        "distribution": name,
        "distribution_major_version": major,
        "selinux": {"status": selinux},
    }


def build(sites: object, **given: object) -> Model:
    """The model, with the role's defaults for what a test does not give."""
    defaults: dict[str, t.Any] = {
        "node_name": "node-a",
        "node_header": "X-HA-Pair-Node",
        "health_path": "/ha-pair/health",
        "health_url": "http://127.0.0.1/ha-pair/health",
    }
    return build_sites(sites, **{**defaults, **given})


def refusals(sites: object, **given: object) -> list[str]:
    """The lines in which the input is refused."""
    with pytest.raises(InputError) as caught:
        build(sites, **given)
    return str(caught.value).splitlines()


def site(**given: object) -> dict[str, object]:
    """A site that is right but for what is given."""
    return {"name": "web", "root": ROOT, **given}


def test_fills_in_what_is_not_given() -> None:
    assert build([{"name": "web", "root": ROOT}]).to_dict() == {
        "sites": [
            {
                "name": "web",
                "listen": [80],
                "tls_listen": [],
                "servers": [{"listens": ["80"], "redirect": None}],
                "server_names": ["_"],
                "root": ROOT,
                "index_page": None,
                "upstream": None,
                "tls": None,
                "client_max_body_size": None,
                "extra": [],
            }
        ],
        "ports": [80],
        "tls_paths": [],
        "repository": None,
        "module_stream": None,
        "selinux": {"connects": False, "ports": [], "roots": []},
        "clients": {
            "trusted": [],
            "header": "X-Forwarded-For",
            "proto": "$scheme",
            "host": "$http_host",
            "port": "$server_port",
        },
        "passes_on": False,
        "websocket": False,
        "health_path": "/ha-pair/health",
        "health_url": "http://127.0.0.1/ha-pair/health",
        "node_name": "node-a",
        "node_header": "X-HA-Pair-Node",
    }


def test_keeps_what_is_given() -> None:
    model = build(
        [
            site(listen=["8080", 80], index_page="hello\n", extra="\nclient_max_body_size 1m;\n  gzip on;  \n"),
            {
                "name": "app",
                "listen": [8080],
                "server_names": ["App.Example.com", "*.example.org", "www.example.*"],
                "upstream": {
                    "servers": [
                        "app.example.com:8080 weight=2 max_fails=1 fail_timeout=1m30s",
                        "[2001:db8::10]:8080 backup",
                        "unix:/run/app.sock",
                        "192.0.2.20",
                    ]
                },
            },
        ],
        node_header="",
    ).to_dict()
    assert model["ports"] == [80, 8080]
    assert model["node_header"] == ""
    assert model["sites"][0]["listen"] == [8080, 80]
    assert model["sites"][0]["index_page"] == "hello\n"
    assert model["sites"][0]["extra"] == ["client_max_body_size 1m;", "  gzip on;"]
    assert model["sites"][1]["server_names"] == ["app.example.com", "*.example.org", "www.example.*"]
    assert model["sites"][1]["upstream"] == {
        "name": "ha_pair_app",
        "servers": [
            "app.example.com:8080 weight=2 max_fails=1 fail_timeout=1m30s",
            "[2001:db8::10]:8080 backup",
            "unix:/run/app.sock",
            "192.0.2.20",
        ],
        "members": [],
        "method": "",
        "keepalive": 16,
        "keepalive_timeout": 15,
        "websocket": False,
        "directives": [
            "proxy_connect_timeout 1s",
            "proxy_next_upstream error timeout http_502 http_503",
            "proxy_next_upstream_tries 3",
            "proxy_next_upstream_timeout 65s",
        ],
    }
    assert (model["passes_on"], model["websocket"]) == (True, False)


def test_a_root_loses_its_last_slash() -> None:
    assert build([site(root="/srv/web/")]).sites[0].root == "/srv/web"


@pytest.mark.parametrize(
    "url",
    [
        "http://node-a.example.com:9000/ready",  # not loopback: whoever answers there is the user's business
        "https://127.0.0.1/ha-pair/health",  # `listen 443 ssl` may be in an `extra`
        "http://localhost/ready",
    ],
)
def test_a_health_url_that_may_be_right_is_left_alone(url: str) -> None:
    assert build([site()], health_url=url).health_url == url


SITES_CURE = "give a list such as [{name: web, root: /var/www/web}]"
NAME_CURE = "give letters, digits, - and _, such as web"
NAMES_CURE = "give a list of host names such as [www.example.com], or [_] for any"
SERVERS_CURE = "give {servers: [app.example.com:8080]}"
UPSTREAM_CURE = "give {hosts: [app-1, app-2], port: 8080}, or {servers: [app.example.com:8080]}"
SERVER_CURE = "give host:port such as app.example.com:8080, and after it parameters such as backup or max_fails=2"


@pytest.mark.parametrize(
    ("sites", "problem"),
    [
        ("web", f"nginx_sites: is a string ('web'), not a list; {SITES_CURE}"),
        ([], f"nginx_sites: is empty; {SITES_CURE}"),
        (
            ["web"],
            (
                "nginx_sites[0]: is a string ('web'), not a dictionary; give a dictionary such as "
                "{name: web, root: /var/www/web}"
            ),
        ),
        ([site(lisen=[80])], "nginx_sites[0].lisen: unknown key; did you mean 'listen'?"),
        (
            [site(zzz=1)],
            (
                "nginx_sites[0].zzz: unknown key; known are client_max_body_size, extra, index_page, listen, name, "
                "redirect, root, server_names, tls, tls_listen, upstream"
            ),
        ),
        ({"web": site()}, f"nginx_sites: is a dictionary, not a list; {SITES_CURE}"),
        (
            [[site()]],
            ("nginx_sites[0]: is a list, not a dictionary; give a dictionary such as {name: web, root: /var/www/web}"),
        ),
        ([{"root": ROOT}], f"nginx_sites[0].name: is missing; {NAME_CURE}"),
        ([site(name="a b")], f"nginx_sites[0].name: 'a b' is not a name; {NAME_CURE}"),
        ([site(name=7)], f"nginx_sites[0].name: is an integer (7), not a string; {NAME_CURE}"),
        (
            [site(), site(listen=[81])],
            "nginx_sites[1].name: 'web' is the name of nginx_sites[0] too; give each site a name of its own",
        ),
        ([site(listen=80)], "nginx_sites[0].listen: is an integer (80), not a list; give a list of ports such as [80]"),
        ([site(listen=[])], "nginx_sites[0].listen: is empty; give a list of ports such as [80]"),
        (
            [site(), site(name="b", listen=[70000])],
            "nginx_sites[1].listen[0]: 70000 is not a port (1..65535); give a number such as 80",
        ),
        ([site(listen=[0])], "nginx_sites[0].listen[0]: 0 is not a port (1..65535); give a number such as 80"),
        ([site(listen=[True])], "nginx_sites[0].listen[0]: True is not a port (1..65535); give a number such as 80"),
        (
            [site(listen=[80, "443 ssl"])],
            "nginx_sites[0].listen[1]: '443 ssl' is not a port (1..65535); give a number such as 80",
        ),
        ([site(listen=[80, 80])], "nginx_sites[0].listen[1]: 80 is given twice; name each port once"),
        ([site(server_names="_")], f"nginx_sites[0].server_names: is a string ('_'), not a list; {NAMES_CURE}"),
        ([site(server_names=[])], f"nginx_sites[0].server_names: is empty; {NAMES_CURE}"),
        (
            [site(server_names=["a;b"])],
            (
                "nginx_sites[0].server_names[0]: 'a;b' is not a host name; "
                "give one such as www.example.com or *.example.com"
            ),
        ),
        (
            [site(server_names=["a.example.com", "A.example.com"])],
            "nginx_sites[0].server_names[1]: 'A.example.com' is given twice; name each host name once",
        ),
        (
            [site(), site(name="b")],
            (
                "nginx_sites[1].server_names: '_' on port 80 belongs to nginx_sites[0]; "
                "give other server_names or another listen"
            ),
        ),
        (
            [site(upstream={"servers": ["app.example.com"]})],
            "nginx_sites[0]: has both root and upstream; keep the one from which the site is to answer",
        ),
        (
            [{"name": "web"}],
            (
                "nginx_sites[0]: has neither root nor upstream; give root: /var/www/web or "
                "upstream: {hosts: [app-1, app-2], port: 8080}"
            ),
        ),
        (
            [site(root="www")],
            "nginx_sites[0].root: 'www' is not an absolute path; begin it with /, such as /var/www/web",
        ),
        (
            [site(root="/")],
            "nginx_sites[0].root: '/' would publish more than a site; give a directory of its own such as /var/www/web",
        ),
        (
            [site(root="/var/www/../..")],
            (
                "nginx_sites[0].root: '/var/www/../..' would publish more than a site; "
                "give a directory of its own such as /var/www/web"
            ),
        ),
        (
            [site(root="/srv/a; autoindex on")],
            (
                "nginx_sites[0].root: '/srv/a; autoindex on' holds a character that nginx would interpret; "
                "give an absolute path such as /var/www/web, without spaces or any of \"';{}$\\#"
            ),
        ),
        (
            [{"name": "web", "upstream": {"servers": ["app.example.com"]}, "index_page": "x"}],
            "nginx_sites[0].index_page: is given without root; give root, the directory of the page",
        ),
        (
            [site(index_page=5)],
            "nginx_sites[0].index_page: is an integer (5), not a string; give the text of the page",
        ),
        (
            [{"name": "web", "upstream": "app.example.com"}],
            f"nginx_sites[0].upstream: is a string ('app.example.com'), not a dictionary; {UPSTREAM_CURE}",
        ),
        ([{"name": "web", "upstream": {}}], f"nginx_sites[0].upstream: has neither hosts nor servers; {UPSTREAM_CURE}"),
        (
            [{"name": "web", "upstream": {"servers": [], "server": 1}}],
            "nginx_sites[0].upstream.server: unknown key; did you mean 'servers'?",
        ),
        (
            [{"name": "web", "upstream": {"servers": []}}],
            f"nginx_sites[0].upstream.servers: is empty; {SERVERS_CURE}",
        ),
        (
            [{"name": "web", "upstream": {"servers": "app.example.com"}}],
            f"nginx_sites[0].upstream.servers: is a string ('app.example.com'), not a list; {SERVERS_CURE}",
        ),
        (
            [{"name": "web", "upstream": {"servers": ["http://app.example.com"]}}],
            f"nginx_sites[0].upstream.servers[0]: 'http://app.example.com' is not a server; {SERVER_CURE}",
        ),
        (
            [{"name": "web", "upstream": {"servers": ["app.example.com:8080 wieght=2"]}}],
            f"nginx_sites[0].upstream.servers[0]: 'app.example.com:8080 wieght=2' is not a server; {SERVER_CURE}",
        ),
        (
            [{"name": "web", "upstream": {"servers": ["[2001:db8::1::2]:80"]}}],
            (
                "nginx_sites[0].upstream.servers[0]: '2001:db8::1::2' is not an IPv6 address; "
                "give one such as [2001:db8::10]:8080"
            ),
        ),
        (
            [{"name": "web", "upstream": {"servers": ["app.example.com:80800"]}}],
            (
                "nginx_sites[0].upstream.servers[0]: 80800 is not a port (1..65535); "
                "give host:port such as app.example.com:8080"
            ),
        ),
        *[
            (
                [site(client_max_body_size=size)],
                f"nginx_sites[0].client_max_body_size: {word} is not a size; give one such as 20m, or 0 for no limit",
            )
            for size, word in (("20 MB", "'20 MB'"), ("20mb", "'20mb'"), (True, "True"), (-1, "-1"))
        ],
        (
            [site(extra=["gzip on;"])],
            (
                "nginx_sites[0].extra: is a list (['gzip on;']), not a string; "
                "give directives of a server block, or leave it out"
            ),
        ),
        (
            [site(extra="location = /ha-pair/health { return 204; }")],
            (
                "nginx_sites[0].extra: defines the location of the health check, /ha-pair/health; "
                "give nginx_health_path another value"
            ),
        ),
    ],
)
def test_refuses_a_site(sites: object, problem: str) -> None:
    assert problem in refusals(sites)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"node_name": ""}, "inventory_hostname: is empty; give a name such as node-a"),
        (
            {"node_name": 'a" b'},
            (
                "inventory_hostname: 'a\" b' holds a character that nginx would interpret; "
                "give a name such as node-a, without spaces or any of \"';{}$\\#"
            ),
        ),
        (
            {"node_header": "X Node"},
            "nginx_node_header: 'X Node' is not a header name; give letters, digits and -, such as X-HA-Pair-Node",
        ),
        (
            {"node_header": None},
            (
                "nginx_node_header: is nothing (None), not a string; "
                'give a header name such as X-HA-Pair-Node, or "" for none'
            ),
        ),
        (
            {"health_path": "health"},
            "nginx_health_path: 'health' is not a path of its own; give a path such as /ha-pair/health",
        ),
        (
            {"health_path": "/"},
            "nginx_health_path: '/' is not a path of its own; give a path such as /ha-pair/health",
        ),
        (
            {"health_url": "127.0.0.1/ha-pair/health"},
            (
                "nginx_health_url: '127.0.0.1/ha-pair/health' is not a URL; "
                "give one such as http://127.0.0.1/ha-pair/health"
            ),
        ),
        (
            {"health_url": "http://127.0.0.1:99999/"},
            "nginx_health_url: 'http://127.0.0.1:99999/' is not a URL; give one such as http://127.0.0.1/ha-pair/health",
        ),
        (
            {"health_url": "http://127.0.0.1:8080/ha-pair/health"},
            "nginx_health_url: no site listens on port 8080; give http://127.0.0.1/ha-pair/health, or listen there",
        ),
    ],
)
def test_refuses_what_stands_beside_the_sites(given: dict[str, object], problem: str) -> None:
    assert refusals([site()], **given) == [problem]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"repository": "debian"},
            "nginx_repository: 'debian' is not one of distribution, nginx.org, epel; "
            "give distribution, nginx.org or epel",
        ),
        (
            {"repository": "nginx"},
            "nginx_repository: 'nginx' is not one of distribution, nginx.org, epel; did you mean 'nginx.org'?",
        ),
        (
            {**EPEL, "facts": system("RedHat", "Rocky", "9")},
            "nginx_repository: epel is for EL 7, and this is Rocky 9, which has an nginx; "
            "give distribution, or nginx.org",
        ),
        (
            {**EPEL, "epel_url": "$releasever"},
            "nginx_epel_url: '$releasever' holds a character that no URL holds; "
            "give one such as https://archives.fedoraproject.org/pub/archive/epel/7/$basearch",
        ),
        (
            {**EPEL, "epel_key_url": "RPM-GPG-KEY-EPEL-7"},
            "nginx_epel_key_url: 'RPM-GPG-KEY-EPEL-7' is neither; give an https URL such as "
            "https://archives.fedoraproject.org/pub/archive/epel/RPM-GPG-KEY-EPEL-7, "
            "or the absolute path of a file on the controller",
        ),
        ({"module_stream": 1.22}, 'nginx_module_stream: 1.22 is a number; quote it, such as "1.22"'),
        (
            {"module_stream": "1.22/common"},
            "nginx_module_stream: '1.22/common' is not the name of a stream; give one such as \"1.22\"",
        ),
        (
            {**NGINX_ORG, "module_stream": "1.22"},
            "nginx_module_stream: is given, and nginx_repository is nginx.org, whose nginx is of no stream; "
            "leave it out, or give nginx_repository: distribution",
        ),
        *[
            (
                {"module_stream": "1.22", "facts": system(family, name, major)},
                f"nginx_module_stream: is given, and {name} {major} has no module streams of nginx; "
                "leave it out here; for a newer nginx give nginx_repository: nginx.org",
            )
            for family, name, major in (("Debian", "Debian", "12"), ("RedHat", "CentOS", "10"))
        ],
        ({"manage_selinux": "perhaps"}, "nginx_manage_selinux: 'perhaps' is not true or false; give true or false"),
        (
            {**NGINX_ORG, "repository_url": "nginx.org/packages"},
            (
                "nginx_repository_url: 'nginx.org/packages' is not the URL of a repository; "
                "give one such as https://nginx.org/packages"
            ),
        ),
        (
            {**NGINX_ORG, "repository_key_url": "http://nginx.org/keys/nginx_signing.key"},
            (
                "nginx_repository_key_url: 'http://nginx.org/keys/nginx_signing.key' can be changed on the way, and "
                f"with it every package; {REPOSITORY_KEY_CURE}"
            ),
        ),
        (
            {**NGINX_ORG, "repository_key_url": "nginx_signing.key"},
            f"nginx_repository_key_url: 'nginx_signing.key' is neither; {REPOSITORY_KEY_CURE}",
        ),
        ({"ipv6": "perhaps"}, "nginx_ipv6: 'perhaps' is not true or false; give true or false"),
        ({"facts": {}}, "node-a: has no facts; gather facts of this host before the role (gather_facts: true)"),
        *[
            (
                {
                    "facts": {
                        "os_family": family,
                        "distribution": name,
                        "distribution_major_version": major,
                    }
                },
                f"node-a: {name} {major} is not supported; use one of {supported_names()}",
            )
            for family, name, major in (
                ("Debian", "Debian", "10"),
                ("Debian", "Ubuntu", "24"),
                ("RedHat", "CentOS", "6"),
                ("RedHat", "Fedora", "43"),
                ("Suse", "SLES", "15"),
            )
        ],
    ],
)
def test_refuses_a_source_or_a_system(given: dict[str, object], problem: str) -> None:
    assert refusals([site()], **given) == [problem]


def test_takes_the_supported_systems() -> None:
    facts = {"os_family": "RedHat", "distribution": "Rocky", "distribution_major_version": "9"}
    assert build([site()], facts=facts).repository is None


@pytest.mark.parametrize(
    ("key", "url", "file"),
    [
        ("https://nginx.org/keys/nginx_signing.key", "https://nginx.org/keys/nginx_signing.key", None),
        ("/srv/keys/nginx.asc", None, "/srv/keys/nginx.asc"),
    ],
)
def test_a_repository_with_its_key(key: str, url: str | None, file: str | None) -> None:
    model = build(
        [site()], repository="nginx.org", repository_url="https://mirror.example.com/nginx/", repository_key_url=key
    )
    assert model.to_dict()["repository"] == {
        "url": "https://mirror.example.com/nginx",
        "key_url": url,
        "key_file": file,
    }


def test_the_variables_of_a_repository_that_is_not_used_are_not_read() -> None:
    assert build([site()], repository_url="", repository_key_url="http://nginx.org/key").repository is None


@pytest.mark.parametrize(
    ("sites", "listens"),
    [
        ([site()], ["80", "[::]:80"]),
        ([site(extra="listen [::]:80 ipv6only=off;")], ["80"]),
        ([site(listen=[8080], extra="  listen [::]:80;")], ["8080", "[::]:8080"]),
    ],
)
def test_listens_on_ipv6_unless_the_user_does(sites: object, listens: list[str]) -> None:
    given = {"ipv6": True, "health_url": "http://node-a.example.com/"}
    assert [list(server.listens) for server in build(sites, **given).sites[0].servers] == [listens]


def test_names_the_port_that_would_be_right() -> None:
    assert refusals([site(listen=[8080])]) == [
        "nginx_health_url: no site listens on port 80; give http://127.0.0.1:8080/ha-pair/health, or listen there"
    ]


def test_names_all_problems_at_once() -> None:
    assert refusals([{"lisen": 1}, site(listen=[0])], node_name="") == [
        "inventory_hostname: is empty; give a name such as node-a",
        "nginx_sites[0].lisen: unknown key; did you mean 'listen'?",
        f"nginx_sites[0].name: is missing; {NAME_CURE}",
        (
            "nginx_sites[0]: has neither root nor upstream; give root: /var/www/web or "
            "upstream: {hosts: [app-1, app-2], port: 8080}"
        ),
        "nginx_sites[1].listen[0]: 0 is not a port (1..65535); give a number such as 80",
    ]


def test_takes_epel_and_a_stream_where_they_are() -> None:
    # EL 7 is known by the facts of a node only, which the model of the pair judges.
    repository = build([site()], **EPEL).repository
    assert repository is not None
    assert (repository.url, repository.key_url) == (EPEL["epel_url"], EPEL["epel_key_url"])
    assert build([site()], module_stream="1.22", facts=system("RedHat", "CentOS", "9")).module_stream == "1.22"


ENFORCED = system("RedHat", "CentOS", "9", "enabled")


def test_selinux_is_told_what_the_policy_does_not_have() -> None:
    sites = [
        site(name="usual", listen=[80, 8443]),
        site(name="own", listen=[8081], root="/srv/www/own"),
        {"name": "app", "listen": [8082], "upstream": {"servers": ["192.0.2.21:8080"]}},
    ]
    found = build(sites, facts=ENFORCED).selinux
    assert (found.connects, found.ports, found.roots) == (True, (8081, 8082), ("/srv/www/own",))


def test_selinux_is_left_alone_where_nothing_is_needed_or_wanted() -> None:
    sites = [{"name": "app", "listen": [80, 8081], "upstream": {"servers": ["192.0.2.21:8080"]}}]
    nothing = (False, (), ())
    for given in ({"facts": system("RedHat", "CentOS", "9")}, {"facts": ENFORCED, "manage_selinux": False}, {}):
        found = build(sites, **given).selinux
        assert (found.connects, found.ports, found.roots) == nothing
    found = build([site()], facts=ENFORCED).selinux
    assert (found.connects, found.ports, found.roots) == nothing


def test_a_directive_of_extra_reaches_other_servers_too() -> None:
    passing = "location /app {\n    proxy_pass http://192.0.2.21:8080;\n}"
    assert build([site(extra=passing)], facts=ENFORCED).selinux.connects
    assert not build([site(extra="# no proxy_passing here")], facts=ENFORCED).selinux.connects


@pytest.mark.parametrize("root", ["/etc/web", "/srv", "/home/someone", "/var", "/var/lib", "/tmp/web"])
def test_refuses_to_label_more_than_a_site(root: str) -> None:
    assert refusals([site(root=root)], facts=ENFORCED) == [
        f"nginx_sites[0].root: '{root}' holds more than a site, and SELinux would have all of it labelled for nginx; "
        "give a directory of its own such as /srv/www/web, or label what nginx is to read yourself and give "
        "nginx_manage_selinux: false"
    ]
    build([site(root=root)], facts=system("RedHat", "CentOS", "9"))


@pytest.mark.parametrize("size", ["20m", 0, "0", "1048576", "2G"])
def test_sizes_that_nginx_knows(size: object) -> None:
    assert build([site(client_max_body_size=size)]).sites[0].client_max_body_size == str(size)


POOL = {"hosts": ["app-1", "app-2"], "port": 8080}
HOSTS = {"app-1": {"ansible_host": "192.0.2.21"}, "app-2": {"ansible_host": "192.0.2.22"}}


def pool(**given: object) -> dict[str, object]:
    """A site in front of two hosts, that is right but for what is given."""
    return {"name": "app", "upstream": {**POOL, **given}}


def test_a_pool_of_hosts_of_the_inventory() -> None:
    upstream = build([pool()], upstream_hosts=HOSTS, upstream_drained=["app-1"]).to_dict()["sites"][0]["upstream"]
    assert upstream["servers"] == [
        "192.0.2.21:8080 max_fails=1 fail_timeout=3s down",
        "192.0.2.22:8080 max_fails=1 fail_timeout=3s",
    ]
    assert upstream["members"] == [
        {"host": "app-1", "address": "192.0.2.21", "port": 8080, "drained": True},
        {"host": "app-2", "address": "192.0.2.22", "port": 8080, "drained": False},
    ]


def test_nginx_and_the_application_on_one_node() -> None:
    hosts = {"node-a": {"keepalived_address": "192.0.2.11"}, "node-b": {"keepalived_address": "192.0.2.12"}}
    both = {"hosts": ["node-a", "node-b"], "port": 8080}
    assert build([{"name": "app", "upstream": both}], upstream_hosts=hosts).ports == (80,)
    clash = (
        "nginx_sites[0].upstream.hosts: names this node, 'node-a', with port 8080, on which nginx itself listens; "
        "give the application another port, or the site another listen"
    )
    other = site(name="other", listen=[8080])
    assert refusals([{"name": "app", "upstream": both}, other], upstream_hosts=hosts) == [clash]


@pytest.mark.parametrize(
    ("drained", "problem"),
    [
        ("app-1", "nginx_upstream_drained: is a string ('app-1'), not a list; give a list such as [app-1], or []"),
        ([1], "nginx_upstream_drained[0]: is an integer (1), not a string; give a name of the inventory such as app-1"),
        (["app-3"], "nginx_upstream_drained[0]: 'app-3' is in no pool of nginx_sites; did you mean 'app-2'?"),
        (["shop"], "nginx_upstream_drained[0]: 'shop' is in no pool of nginx_sites; the pools have app-1, app-2"),
        (
            ["app-1", "app-2"],
            (
                "nginx_sites[0].upstream.hosts: all that are not down are named in nginx_upstream_drained, so that "
                "nobody answers; drain one after the other"
            ),
        ),
    ],
)
def test_refuses_to_drain(drained: object, problem: str) -> None:
    assert refusals([pool()], upstream_hosts=HOSTS, upstream_drained=drained) == [problem]


def test_nobody_can_be_drained_where_there_is_no_pool() -> None:
    assert refusals([site()], upstream_drained=["app-1"]) == [
        "nginx_upstream_drained[0]: 'app-1' is in no pool of nginx_sites; give hosts in an upstream of nginx_sites"
    ]


EL8, EL9 = system("RedHat", "Rocky", "8"), system("RedHat", "Rocky", "9")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"facts": EL8}, None),
        ({"facts": EL8, "module_stream": "1.14"}, None),
        ({"facts": EL8, "module_stream": "1.22"}, 15),
        ({"facts": EL8, **NGINX_ORG}, 15),
        ({"facts": EL9}, 15),
        ({"facts": system("Debian", "Debian", "11")}, 15),
    ],
)
def test_an_old_nginx_is_not_told_when_to_close_connections(given: dict[str, object], expected: int | None) -> None:
    upstream = build([pool()], upstream_hosts=HOSTS, **given).sites[0].upstream
    assert upstream is not None
    assert upstream.keepalive_timeout == expected


def test_refuses_to_tell_it_an_old_nginx() -> None:
    assert refusals([pool(keepalive_timeout=5)], upstream_hosts=HOSTS, facts=EL8) == [
        "nginx_sites[0].upstream.keepalive_timeout: is given, and the nginx of this system is older than 1.15.3, which "
        'does not know it; leave it out, or give nginx_module_stream, such as "1.22"'
    ]


def test_refuses_a_port_that_another_service_of_the_node_is_to_have() -> None:
    words = "is tomcat_port of this node, and nginx and that service would both listen there"
    cure = "give the site another port, or set tomcat_port to another one"
    assert refusals([site(listen=[80, 8080])], other_ports={"tomcat_port": "8080"}) == [
        f"nginx_sites[0].listen: 8080 {words}; {cure}"
    ]
    assert build([site()], other_ports={"tomcat_port": 8080}).ports == (80,)
    # What is no port at all, the role whose variable it is refuses.
    assert build([site()], other_ports={"tomcat_port": "http"}).ports == (80,)
