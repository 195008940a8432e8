# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and keys of sites: where they end up, every word in which they are refused, and that no word leaks."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nginx.sites import Model, build_sites
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nginx.tls import readable_paths, tls_files
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError

PEM_CURE = "give PEM text, or the absolute path of a PEM file on the controller"
TLS_CURE = "give {certificate: /path/web.crt, key: /path/web.key}, of files on the controller, or PEM text"
DIRECTORY = "/etc/nginx/ha-pair/tls"
DIRECTIVES = [
    "ssl_protocols TLSv1.2 TLSv1.3;",
    "ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;",
    "ssl_session_cache shared:ha_pair:10m;",
    "ssl_session_timeout 1d;",
    "ssl_session_tickets off;",
]


class Made(t.NamedTuple):
    """A certificate, its key, and the same key with a pass phrase, as PEM text."""

    certificate: str
    key: str
    encrypted: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    """Three pairs: two of one kind of key, one of another."""
    where = tmp_path_factory.mktemp("tls")
    found = []
    for name, kind in enumerate(("P-256", "P-256", "rsa")):
        key, certificate, encrypted = (where / f"{name}.{end}" for end in ("key", "crt", "encrypted"))
        options = (
            ["-newkey", "rsa:2048"] if kind == "rsa" else ["-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{kind}"]
        )
        for words in (
            [
                "req",
                "-x509",
                *options,
                "-nodes",
                "-subj",
                f"/CN={name}.example.com",
                "-keyout",
                key,
                "-out",
                certificate,
            ],
            ["pkey", "-in", key, "-aes256", "-passout", "pass:example", "-out", encrypted],
        ):
            subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
        found.append(Made(*(path.read_text(encoding="utf-8") for path in (certificate, key, encrypted))))
    return found


def site(**given: object) -> dict[str, object]:
    """A site that is right but for what is given."""
    return {"name": "web", "root": "/var/www/web", **given}


def build(sites: object, **given: t.Any) -> Model:
    """The model, with the role's defaults for what a test does not give."""
    defaults: dict[str, t.Any] = {
        "node_name": "node-a",
        "node_header": "X-HA-Pair-Node",
        "health_path": "/ha-pair/health",
        "health_url": "http://127.0.0.1/ha-pair/health",
    }
    return build_sites(sites, **{**defaults, **given})


def refusals(sites: object, **given: t.Any) -> list[str]:
    """The lines in which the input is refused."""
    with pytest.raises(InputError) as caught:
        build(sites, **given)
    return str(caught.value).splitlines()


def test_a_site_that_speaks_both(made: list[Made]) -> None:
    model = build([site(tls={"certificate": made[0].certificate, "key": made[0].key})]).to_dict()
    [found] = model["sites"]
    assert found["servers"] == [{"listens": ["80", "443 ssl"], "redirect": None}]
    assert found["tls"]["directives"] == DIRECTIVES
    assert model["ports"] == [80, 443]
    assert model["tls_paths"] == [found["tls"]["certificate"], found["tls"]["key"]]
    assert found["tls"]["certificate"].startswith(f"{DIRECTORY}/web-")
    assert found["tls"]["certificate"].endswith(".crt")
    assert found["tls"]["key"] == found["tls"]["certificate"].removesuffix("crt") + "key"


def test_the_model_holds_no_key(made: list[Made]) -> None:
    text = str(build([site(tls={"certificate": made[0].certificate, "key": made[0].key})]))
    assert not any(line in text for line in made[0].key.splitlines())


def test_a_redirect_is_a_server_of_its_own(made: list[Made]) -> None:
    tls = {"certificate": made[0].certificate, "key": made[0].key}
    given = site(tls=tls, redirect=True, extra="ssl_protocols TLSv1.3;\nlisten [::]:443 ssl;")
    [found] = build([given], ipv6=True).to_dict()["sites"]
    assert found["servers"] == [
        {"listens": ["80", "[::]:80"], "redirect": "https://$host$request_uri"},
        {"listens": ["443 ssl"], "redirect": None},
    ]
    assert found["tls"]["directives"] == DIRECTIVES[1:]


def test_a_redirect_to_another_port(made: list[Made]) -> None:
    tls = {"certificate": made[0].certificate, "key": made[0].key}
    model = build([site(tls=tls, redirect="yes", tls_listen=[8443])])
    assert model.sites[0].servers[0].redirect == "https://$host:8443$request_uri"


def test_a_site_of_tls_only(made: list[Made]) -> None:
    tls = {"certificate": made[0].certificate, "key": made[0].key}
    model = build([site(tls=tls, listen=[])], health_url="https://127.0.0.1/ha-pair/health")
    assert model.ports == (443,)
    assert refusals([site(tls=tls, listen=[])]) == [
        "nginx_health_url: no site listens on port 80; give https://127.0.0.1/ha-pair/health, or listen there"
    ]
    assert refusals([site(tls=tls, listen=[])], health_url="http://127.0.0.1:443/ready") == [
        "nginx_health_url: port 443 speaks TLS; give https://127.0.0.1/ready, or listen there"
    ]


def test_files_are_named_after_the_certificate(made: list[Made]) -> None:
    def paths(pair: Made, **given: str) -> tuple[str, ...]:
        tls = {"certificate": pair.certificate, "key": pair.key, **given}
        return build([site(tls=tls)]).tls_paths

    assert paths(made[0]) == paths(made[0], certificate=made[0].certificate.replace("\n", "\r\n") + "\n")
    assert not set(paths(made[0])).intersection(paths(made[1]))


def test_what_lies_on_the_node(made: list[Made], tmp_path: Path) -> None:
    key = tmp_path / "web.key"
    key.write_text(made[0].key, encoding="utf-8")
    sites = [site(tls={"certificate": made[0].certificate, "key": str(key)}), {"name": "plain"}]
    files = {str(key): made[0].key}
    assert readable_paths(sites) == [str(key)]
    found = tls_files(sites, files=files, tls_directory=DIRECTORY)
    assert [(entry["mode"], entry["content"]) for entry in found] == [
        ("0644", made[0].certificate),
        ("0600", made[0].key),
    ]
    names = build([*sites[:1]], files=files, tls_directory=DIRECTORY).tls_paths
    assert tuple(entry["path"] for entry in found) == names


def test_a_value_that_the_inventory_holds_encrypted(made: list[Made]) -> None:
    class Encrypted:
        __ENCRYPTED__ = True

        def __init__(self, text: str) -> None:
            self.text = text

        def __str__(self) -> str:
            return self.text

    tls = {"certificate": Encrypted(made[0].certificate), "key": Encrypted(made[0].key)}
    [certificate, key] = tls_files([site(tls=tls)], files=None, tls_directory=DIRECTORY)
    assert (certificate["content"], key["content"]) == (made[0].certificate, made[0].key)


@pytest.mark.parametrize(
    "sites",
    [None, "web", {"web": {}}, ["web"], [{"tls": "x"}], [{"tls": {"key": 5}}], [{"tls": {"key": "/nowhere/k"}}]],
)
def test_what_cannot_be_read_is_not_named(sites: object) -> None:
    assert readable_paths(sites) == []


PLACE = "nginx_sites[0].tls"


@pytest.mark.parametrize(
    ("tls", "problem"),
    [
        ("{certificate}", f"{PLACE}: is a string, not a dictionary; {TLS_CURE}"),
        ({"key": "{key}"}, f"{PLACE}.certificate: is missing; {PEM_CURE}"),
        ({"certificate": "{certificate}"}, f"{PLACE}.key: is missing; {PEM_CURE}"),
        ({"certificate": "{certificate}", "key": "{key}", "kye": 1}, f"{PLACE}.kye: unknown key; did you mean 'key'?"),
        ({"certificate": "{certificate}", "key": 5}, f"{PLACE}.key: is an integer, not a string; {PEM_CURE}"),
        (
            {"certificate": "web.crt", "key": "{key}"},
            f"{PLACE}.certificate: is neither PEM text nor an absolute path; {PEM_CURE}",
        ),
        (
            {"certificate": "/nowhere/web.crt", "key": "{key}"},
            f"{PLACE}.certificate: '/nowhere/web.crt' is no file that can be read on the controller; {PEM_CURE}",
        ),
        (
            {"certificate": "/known/empty.crt", "key": "{key}"},
            f"{PLACE}.certificate: '/known/empty.crt' holds no certificate in PEM form; {PEM_CURE}",
        ),
        (
            {"certificate": "{key}", "key": "{key}"},
            f"{PLACE}.certificate: holds no certificate in PEM form; {PEM_CURE}",
        ),
        (
            {"certificate": "{certificate}", "key": "{certificate}"},
            f"{PLACE}.key: holds no private key in PEM form; {PEM_CURE}",
        ),
        (
            {"certificate": "{certificate}{key}", "key": "{key}"},
            (
                f"{PLACE}.certificate: holds a private key beside the certificate; "
                "give the key in key only, which is written for root alone"
            ),
        ),
        (
            {"certificate": "{certificate}", "key": "{encrypted}"},
            (
                f"{PLACE}.key: is encrypted, and nobody is there to type the pass phrase when nginx starts; "
                'remove the pass phrase with "openssl pkey", and keep the key in a vault'
            ),
        ),
        *[
            (
                {"certificate": "{certificate}", "key": key},
                (
                    f"{PLACE}.key: does not belong to {PLACE}.certificate of site 'web'; give the key that the "
                    "certificate was issued for; in a chain, the server's own certificate is first"
                ),
            )
            for key in ("{other key}", "{key of another kind}")
        ],
    ],
)
def test_refuses(made: list[Made], tls: t.Any, problem: str) -> None:
    texts = {
        "{certificate}": made[0].certificate,
        "{key}": made[0].key,
        "{encrypted}": made[0].encrypted,
        "{other key}": made[1].key,
        "{key of another kind}": made[2].key,
    }

    def filled(text: object) -> object:
        if not isinstance(text, str):
            return text
        for name, value in texts.items():
            text = text.replace(name, value)
        return text

    given = {name: filled(text) for name, text in tls.items()} if isinstance(tls, dict) else filled(tls)
    found = refusals([site(tls=given)], files={"/known/empty.crt": ""})
    assert found == [problem]
    secrets = [line for pair in made for text in pair for line in text.splitlines() if not line.startswith("-----")]
    assert not any(secret in line for secret in secrets for line in found)


@pytest.mark.parametrize("damaged", ["certificate", "key"])
def test_refuses_what_is_damaged(made: list[Made], damaged: str) -> None:
    tls = {"certificate": made[0].certificate, "key": made[0].key}
    lines = tls[damaged].splitlines()
    tls[damaged] = "\n".join([lines[0], *lines[2:]])
    [found] = refusals([site(tls=tls)])
    # Which reason the library gives depends on its version.
    if damaged == "certificate":
        assert found.startswith(f"{PLACE}.certificate: is damaged (")
        assert found.endswith("); give the certificate as the authority issued it")
    else:
        assert found.startswith(f"{PLACE}.key: cannot be used with {PLACE}.certificate of site 'web' (")
        assert found.endswith("); give both as nginx is to read them")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"tls_listen": [443]}, f"nginx_sites[0].tls_listen: is given without tls; leave it out, or as tls {TLS_CURE}"),
        ({"redirect": True}, f"nginx_sites[0].redirect: is given without tls; leave it out, or as tls {TLS_CURE}"),
        ({"redirect": "perhaps"}, "nginx_sites[0].redirect: 'perhaps' is not true or false; give true or false"),
    ],
)
def test_refuses_what_belongs_to_tls_without_it(given: dict[str, object], problem: str) -> None:
    assert refusals([site(**given)]) == [problem]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"listen": [80, 443]},
            (
                "nginx_sites[0].listen: 443 is a port of tls_listen, and a port speaks either plain HTTP or TLS; "
                "take 443 out of listen, which may be [] here"
            ),
        ),
        (
            {"tls_listen": []},
            "nginx_sites[0].tls_listen: is empty; give a list of ports such as [443]",
        ),
        (
            {"tls_listen": [0]},
            "nginx_sites[0].tls_listen[0]: 0 is not a port (1..65535); give a number such as 443",
        ),
        (
            {"listen": [], "redirect": True},
            ("nginx_sites[0].redirect: has no port to send clients on from; give listen: [80], or leave redirect out"),
        ),
    ],
)
def test_refuses_ports_that_do_not_fit(made: list[Made], given: dict[str, object], problem: str) -> None:
    tls = {"certificate": made[0].certificate, "key": made[0].key}
    assert problem in refusals([site(tls=tls, **given)])


def test_refuses_a_port_with_and_without_tls(made: list[Made]) -> None:
    tls = {"certificate": made[0].certificate, "key": made[0].key}
    secure = site(tls=tls, server_names=["web.example.com"])
    plain = site(name="app", server_names=["app.example.com"], listen=[443])
    assert refusals([secure, plain]) == [
        "nginx_sites[1].listen: 443 speaks TLS in nginx_sites[0]; give another port, or give both sites tls there"
    ]
    assert refusals([{**plain, "listen": [80, 443]}, {**secure, "listen": []}]) == [
        "nginx_sites[1].tls_listen: 443 speaks plain HTTP in nginx_sites[0]; "
        "give another port, or give both sites tls there"
    ]


def test_a_name_is_taken_once_on_a_port_of_tls_too(made: list[Made]) -> None:
    tls = {"certificate": made[0].certificate, "key": made[0].key}
    assert refusals([site(tls=tls), site(name="app", listen=[8080], tls=tls)]) == [
        "nginx_sites[1].server_names: '_' on port 443 belongs to nginx_sites[0]; "
        "give other server_names or another listen"
    ]
