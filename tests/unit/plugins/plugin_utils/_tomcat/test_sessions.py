# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where sessions live, and every word in which it is refused."""

from __future__ import annotations

import hashlib
import typing as t
import zipfile
from pathlib import Path

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader, shown
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._tomcat import sessions
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._tomcat.sessions import (
    NO_SESSIONS,
    Sessions,
    read_sessions,
)

PLACE = "node-a: tomcat_sessions"
PAIR = {"node-a": "192.0.2.11", "node-b": "192.0.2.12"}
SUM = "sha256:" + "ab" * 32
SECRET = "not-to-be-seen"
REPLICATION: dict[str, t.Any] = {"backend": "replication", "encryption_key": "none"}
REDIS: dict[str, t.Any] = {
    "backend": "redis",
    "addresses": ["192.0.2.11:6379", "192.0.2.12"],
    "password": SECRET,
    "jars": [{"url": "https://example.com/a/manager-1.0.jar", "checksum": SUM}],
}


def read(given: object, members: dict[str, str | None] | None = None, **more: t.Any) -> tuple[Sessions, list[str]]:
    """The model and the refusals."""
    reader = Reader()
    options: dict[str, t.Any] = {"node": "node-a", "taken_ports": (8080,), **more}
    found = read_sessions(reader, PLACE, given, PAIR if members is None else members, **options)
    return found, [str(problem) for problem in reader.problems]


@pytest.mark.parametrize("given", [None, {}, {"backend": "none"}])
def test_without_a_back_end_there_is_nothing_to_do(given: object) -> None:
    assert read(given) == (NO_SESSIONS, [])


def test_the_pair_replicates_between_its_own_addresses() -> None:
    found, problems = read(REPLICATION)
    assert problems == []
    assert found.replication is not None
    assert (found.replication.local.name, found.replication.local.address) == ("node-a", "192.0.2.11")
    assert [(peer.name, peer.address) for peer in found.replication.peers] == [("node-b", "192.0.2.12")]
    assert (found.replication.port, found.replication.timeout, found.replication.encrypted) == (4000, 1000, False)
    assert not found.secret


def test_all_members_know_each_other_by_the_same_identity() -> None:
    ours = read(REPLICATION)[0].replication
    theirs = read(REPLICATION, node="node-b")[0].replication
    assert ours is not None
    assert theirs is not None
    assert (ours.local, *ours.peers) == (*theirs.peers, theirs.local)
    assert ours.local.unique_id != theirs.local.unique_id
    numbers = [int(number) for number in ours.local.unique_id.strip("{}").split(",")]
    assert len(numbers) == 16
    assert all(-128 <= number <= 127 for number in numbers)


def test_members_may_be_on_a_network_of_their_own() -> None:
    members = {"app-a": "198.51.100.1", "app-b": "198.51.100.2", "app-c": "2001:db8::3"}
    given = {
        "backend": "replication",
        "members": members,
        "port": "4100",
        "timeout": "2.5",
        "encryption_key": "aB" * 16,
    }
    found, problems = read(given, members={}, node="app-b")
    assert problems == []
    assert found.replication is not None
    assert [peer.address for peer in found.replication.peers] == ["198.51.100.1", "2001:db8::3"]
    assert (found.replication.port, found.replication.timeout, found.replication.encrypted) == (4100, 2500, True)
    assert found.secret


@pytest.mark.parametrize(
    ("family", "release", "version", "packaged", "lacks"),
    [
        ("RedHat", "8", 9, True, True),
        ("RedHat", "9", None, True, True),
        ("RedHat", "10", 10, True, False),
        ("RedHat", "10", 9, True, True),
        ("RedHat", "9", 9, False, False),
        ("Debian", "12", 10, True, False),
    ],
)
def test_knows_whose_package_comes_without_the_jars(
    family: str, release: str, version: int | None, packaged: bool, lacks: bool
) -> None:
    found, problems = read(REPLICATION, family=family, release=release, version=version, packaged=packaged)
    assert problems == []
    assert found.replication is not None
    assert found.replication.lacks_jars is lacks


def test_redis_by_a_manager_that_the_user_gives(tmp_path: Path) -> None:
    (tmp_path / "all.jar").write_bytes(b"a jar")
    own = {"path": str(tmp_path / "all.jar")}
    found, problems = read({**REDIS, "jars": [*REDIS["jars"], own]})
    assert problems == []
    assert found.secret
    assert found.redis is not None
    assert [point.url for point in found.redis.endpoints] == ["redis://192.0.2.11:6379", "redis://192.0.2.12:6379"]
    assert [(jar.name, jar.url, jar.path) for jar in found.redis.jars] == [
        ("ha-pair-abababababababab-manager-1.0.jar", "https://example.com/a/manager-1.0.jar", None),
        (f"ha-pair-{hashlib.sha256(b'a jar').hexdigest()[:16]}-all.jar", None, own["path"]),
    ]
    assert found.redis.manager_class == "org.redisson.tomcat.RedissonSessionManager"
    assert found.redis.manager_attributes["readMode"] == "REDIS"
    assert found.redis.manager_attributes["configPath"] == "${catalina.base}/conf/ha-pair-sessions.yaml"


def test_another_manager_gets_no_attributes_of_redissons() -> None:
    manager = {"class": "com.example.Manager", "attributes": {"sticky": True, "limit": 3}}
    found, problems = read({**REDIS, "manager": manager, "tls": "yes", "addresses": ["[2001:db8::1]:6380"]})
    assert problems == []
    assert found.redis is not None
    assert found.redis.manager_attributes == {"sticky": "true", "limit": "3"}
    assert found.redis.endpoints[0].url == "rediss://[2001:db8::1]:6380"


def test_no_secret_is_in_the_model() -> None:
    key = "0123456789abcdef" * 4
    assert SECRET not in repr(read({**REDIS, "configuration": f"password: {SECRET}"})[0])
    assert key not in repr(read({"backend": "replication", "encryption_key": key})[0])


def test_no_secret_is_in_a_refusal() -> None:
    wrong = read({**REDIS, "password": f"{SECRET}\n", "configuration": [SECRET]})[1]
    wrong += read({"backend": "replication", "encryption_key": SECRET})[1]
    assert len(wrong) == 3
    assert SECRET not in "".join(wrong)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("redis", f"{PLACE}: is a string ('redis'), not a dictionary; {sessions.SESSIONS_CURE}"),
        (
            {"backend": "redus"},
            f"{PLACE}.backend: 'redus' is not one of none, replication, redis; did you mean 'redis'?",
        ),
        ({"backend": "none", "port": 4000}, f"{PLACE}.port: unknown key; known are backend"),
        (
            {**REPLICATION, "multicast": True},
            f"{PLACE}.multicast: unknown key; known are backend, encryption_key, members, port, timeout",
        ),
        ({**REPLICATION, "port": 0}, f"{PLACE}.port: 0 is not in 1..65535; {sessions.PORT_CURE}"),
        (
            {**REPLICATION, "port": 8080},
            f"{PLACE}.port: 8080 is a port of Tomcat's connectors too; {sessions.PORT_CURE}",
        ),
        (
            {**REPLICATION, "timeout": 0},
            f"{PLACE}.timeout: 0 is not in 0.2..30 seconds; give seconds such as 1",
        ),
        (
            {"backend": "replication"},
            f"{PLACE}.encryption_key: is missing; {sessions.KEY_CURE}",
        ),
        (
            {"backend": "replication", "encryption_key": "abcd"},
            f"{PLACE}.encryption_key: is no key of AES; {sessions.KEY_CURE}",
        ),
        (
            {"backend": "replication", "encryption_key": 12345678901234567890123456789012},
            f"{PLACE}.encryption_key: is an integer, not a string; {sessions.KEY_CURE}",
        ),
        (
            {**REPLICATION, "members": ["node-a", "node-b"]},
            f"{PLACE}.members: is a list (['node-a', 'node-b']), not a dictionary; {sessions.MEMBERS_CURE}",
        ),
        (
            {**REPLICATION, "members": {"node-a": "192.0.2.11"}},
            f"{PLACE}.members: has 1 members, not 2 to 8; {sessions.MEMBERS_CURE}",
        ),
        (
            {**REPLICATION, "members": {"node-a": "192.0.2.11", "node-b": "192.0.2.11"}},
            f"{PLACE}.members.node-b: has the address of node-a, 192.0.2.11; {sessions.MEMBERS_CURE}",
        ),
        (
            {**REPLICATION, "members": {"node-b": "192.0.2.12", "node-c": "192.0.2.13"}},
            f"{PLACE}.members: names node-b, node-c, and not node-a itself; {sessions.MEMBERS_CURE}",
        ),
        *[
            (
                {**REPLICATION, "members": {"node-a": "192.0.2.11", "node-b": address}},
                f"{PLACE}.members.node-b: {words}; {sessions.MEMBERS_CURE}",
            )
            for address, words in (
                (None, "has no address"),
                ("node-b", "'node-b' is not an address that the others can reach"),
                ("127.0.0.1", "'127.0.0.1' is not an address that the others can reach"),
                ("fe80::1", "'fe80::1' is not an address that the others can reach"),
            )
        ],
        ({**REDIS, "addresses": []}, f"{PLACE}.addresses: is empty; {sessions.ADDRESSES_CURE}"),
        (
            {**REDIS, "addresses": ["redis://192.0.2.11"]},
            f"{PLACE}.addresses[0]: 'redis://192.0.2.11' is not host:port; {sessions.ADDRESSES_CURE}",
        ),
        (
            {**REDIS, "addresses": ["192.0.2.11", "192.0.2.11:6379"]},
            f"{PLACE}.addresses[1]: '192.0.2.11:6379' is there twice; {sessions.ADDRESSES_CURE}",
        ),
        (
            {key: value for key, value in REDIS.items() if key != "addresses"},
            f"{PLACE}.addresses: is missing; {sessions.ADDRESSES_CURE}",
        ),
        (
            {key: value for key, value in REDIS.items() if key != "password"},
            f"{PLACE}.password: is missing; {sessions.LOGIN_CURE}",
        ),
        (
            {key: value for key, value in REDIS.items() if key != "jars"},
            f"{PLACE}.jars: is missing; {sessions.JARS_CURE}",
        ),
        ({**REDIS, "password": 42}, f"{PLACE}.password: is an integer, not a string; {sessions.LOGIN_CURE}"),
        ({**REDIS, "username": "a b"}, f"{PLACE}.username: 'a b' is not a name; leave it out for the default user"),
        ({**REDIS, "tls": "perhaps"}, f"{PLACE}.tls: 'perhaps' is not a boolean; give true or false"),
        ({**REDIS, "database": -1}, f"{PLACE}.database: -1 is not in 0..65535; give a number such as 0"),
        ({**REDIS, "jars": []}, f"{PLACE}.jars: is empty; {sessions.JARS_CURE}"),
        ({**REDIS, "jars": [{}]}, f"{PLACE}.jars[0]: has neither url nor path; {sessions.JAR_CURE}"),
        (
            {**REDIS, "jars": [{"url": "https://example.com/a.jar"}]},
            f'{PLACE}.jars[0].checksum: is missing; give sha256: and what "sha256sum" says of the jar',
        ),
        (
            {**REDIS, "jars": [{"url": "https://example.com/a.jar", "checksum": "md5:00"}]},
            f"{PLACE}.jars[0].checksum: 'md5:00' is not sha256: and 64 hexadecimal digits; run \"sha256sum\"",
        ),
        (
            {**REDIS, "jars": [{"path": "/nowhere/a.jar"}]},
            f"{PLACE}.jars[0].path: '/nowhere/a.jar' on the controller cannot be read (No such file or directory); "
            f"{sessions.JAR_CURE}",
        ),
        (
            {**REDIS, "jars": [{"url": "example.com/a.jar", "checksum": SUM}]},
            f"{PLACE}.jars[0].url: 'example.com/a.jar' is not a URL; {sessions.JAR_CURE}",
        ),
        (
            {**REDIS, "jars": [{"path": "/files/manager.zip"}]},
            f"{PLACE}.jars[0]: 'manager.zip' is not the name of a jar; {sessions.JAR_CURE}",
        ),
        (
            {**REDIS, "jars": [*REDIS["jars"], {"url": "https://example.com/other.jar", "checksum": SUM}]},
            f"{PLACE}.jars[1]: is the same as {PLACE}.jars[0]; give each jar once",
        ),
        (
            {**REDIS, "manager": {"class": "Manager"}},
            f"{PLACE}.manager.class: 'Manager' is not the full name of a class; {sessions.MANAGER_CURE}",
        ),
        (
            {**REDIS, "manager": {"attributes": {"className": "x"}}},
            f"{PLACE}.manager.attributes.className: is not the name of an attribute; {sessions.MANAGER_CURE}",
        ),
        (
            {**REDIS, "manager": {"attributes": {"sticky": []}}},
            f"{PLACE}.manager.attributes.sticky: is a list, not a string; {sessions.MANAGER_CURE}",
        ),
        (
            {**REDIS, "configuration": ""},
            f"{PLACE}.configuration: is empty; give the text of ha-pair-sessions.yaml, or leave it out for ours",
        ),
    ],
)
def test_refuses(given: object, problem: str) -> None:
    assert read(given)[1] == [problem]


def test_refuses_what_tomcat_of_el_7_cannot_do() -> None:
    assert read(REPLICATION, family="RedHat", release="7", version=7)[1] == [
        f"{PLACE}.backend: 'replication' between static members needs Tomcat 9, and EL 7 has Tomcat 7; "
        "give tomcat_tarball with a newer one, or take backend: redis"
    ]
    assert read(REPLICATION, family="RedHat", release="7", version=9, packaged=False)[1] == []


def test_refuses_a_jar_that_is_not_what_was_meant(tmp_path: Path) -> None:
    (tmp_path / "all.jar").write_bytes(b"a jar")
    path, found = str(tmp_path / "all.jar"), hashlib.sha256(b"a jar").hexdigest()
    assert read({**REDIS, "jars": [{"path": path, "checksum": SUM}]})[1] == [
        f"{PLACE}.jars[0].path: {shown(path)} has sha256:{found}, not that of checksum; see which of the two is meant"
    ]
    relative = read({**REDIS, "jars": [{"path": "a.jar"}]})[1]
    assert relative[0] == f"{PLACE}.jars[0].path: 'a.jar' is not an absolute path; {sessions.JAR_CURE}"


@pytest.mark.parametrize(
    ("descriptor", "expected"),
    [
        ("<web-app><distributable/></web-app>", True),
        ("<web-app>\n  <distributable ></distributable>\n</web-app>", True),
        ('<j:web-app xmlns:j="urn:j"><j:distributable/></j:web-app>', True),
        ("<web-app><!-- <distributable/> --></web-app>", False),
        ("<web-app><display-name>distributable</display-name></web-app>", False),
    ],
)
def test_tells_whether_an_application_is_distributable(descriptor: str, expected: bool) -> None:
    assert sessions.declares_distributable(descriptor) is expected


def test_refuses_an_application_whose_sessions_would_stay_where_they_are(tmp_path: Path) -> None:
    for name, text in (("good", "<web-app><distributable/></web-app>"), ("bad", "<web-app/>"), ("bare", None)):
        with zipfile.ZipFile(tmp_path / f"{name}.war", "w") as war:
            war.writestr("index.html", "")
            if text is not None:
                war.writestr("WEB-INF/web.xml", text)
    (tmp_path / "junk.war").write_bytes(b"junk")
    reader = Reader()
    sessions.check_wars(
        reader, {name: str(tmp_path / f"{name}.war") for name in ("good", "bad", "bare", "junk", "missing")}
    )
    assert [problem.place for problem in reader.problems] == ["bad", "bare"]
    assert str(reader.problems[0]).endswith(
        "bad.war' has no <distributable/> in its WEB-INF/web.xml, so its sessions stay on one node; "
        "add it there, once everything that the application puts into a session is Serializable"
    )
