# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of the role tomcat become, and every word in which they are refused."""

from __future__ import annotations

import typing as t

import pytest

from .conftest import Tomcat

Other = t.Callable[..., Tomcat]

DIGEST = "0123456789abcdef" * 4
TARBALL = {"url": "https://example.com/apache-tomcat-10.1.34.tar.gz", "checksum": f"sha256:{DIGEST}"}
TARBALL_CURE = "give {url: https://.../apache-tomcat-10.1.34.tar.gz, checksum: sha256:...}"
CHECKSUM_CURE = "give sha256: and the 64 hexadecimal digits that `sha256sum` prints"


def listener(*units: str, programs: tuple[str, ...] = ("java",)) -> dict[str, t.Any]:
    return {"listeners": [{"address": "0.0.0.0", "port": 8080, "programs": list(programs), "units": list(units)}]}


@pytest.mark.parametrize(
    ("name", "major", "version", "package", "unit", "configuration"),
    [
        ("Debian", "11", "auto", "tomcat9", "tomcat9.service", "/etc/tomcat9"),
        ("Debian", "12", "auto", "tomcat10", "tomcat10.service", "/etc/tomcat10"),
        ("Debian", "13", "auto", "tomcat11", "tomcat11.service", "/etc/tomcat11"),
        ("Debian", "13", "10", "tomcat10", "tomcat10.service", "/etc/tomcat10"),
        ("CentOS", "8", "auto", "tomcat", "tomcat.service", "/etc/tomcat"),
        ("Rocky", "9", "9", "tomcat", "tomcat.service", "/etc/tomcat"),
        ("RedHat", "10", "auto", "tomcat", "tomcat.service", "/etc/tomcat"),
        ("RedHat", "10", "9", "tomcat9", "tomcat.service", "/etc/tomcat"),
    ],
)
def test_the_package_of_each_system(
    on: Other, name: str, major: str, version: str, package: str, unit: str, configuration: str
) -> None:
    layout = on(name, major).build(version=version).layout
    assert (layout.package, layout.unit, layout.configuration) == (package, unit, configuration)


def test_a_tarball_lies_in_a_directory_of_its_own(tomcat: Tomcat) -> None:
    layout = tomcat.build(tarball=TARBALL).layout
    assert (layout.major, layout.package, layout.unit) == ("10", None, "tomcat.service")
    assert layout.home == layout.base == "/opt/ha-pair/tomcat/0123456789abcdef"
    assert tomcat.build(tarball=TARBALL).java.package == "default-jre-headless"


def test_el_7_takes_a_tarball(on: Other) -> None:
    tarball = {"path": "/srv/apache-tomcat-9.0.98.tar.gz", "checksum": f"sha256:{DIGEST}"}
    model = on("CentOS", "7").build(tarball=tarball)
    assert model.layout.major == "9"
    assert (model.java.package, model.java.home) == ("java-headless", "/usr/lib/jvm/jre")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"version": "12"}, 'tomcat_version: \'12\' is not one of auto, 9, 10, 11; give auto, "9", "10" or "11"'),
        ({"version": "9"}, "tomcat_version: Debian 12 has no Tomcat 9; give 10, or tomcat_tarball"),
        ({"tarball": "x"}, f"tomcat_tarball: is a string ('x'), not a dictionary; {TARBALL_CURE}"),
        (
            {"tarball": {"checksum": f"sha256:{DIGEST}"}},
            f"tomcat_tarball: has neither a URL nor a file; {TARBALL_CURE}",
        ),
        ({"tarball": {**TARBALL, "path": "/x"}}, f"tomcat_tarball: has both a URL and a file; {TARBALL_CURE}"),
        (
            {"tarball": {**TARBALL, "url": "apache-tomcat-10.1.34.tar.gz"}},
            f"tomcat_tarball.url: 'apache-tomcat-10.1.34.tar.gz' is not a URL; {TARBALL_CURE}",
        ),
        ({"tarball": {"url": TARBALL["url"]}}, f"tomcat_tarball.checksum: is missing; {CHECKSUM_CURE}"),
        (
            {"tarball": {**TARBALL, "checksum": "sha512:0"}},
            f"tomcat_tarball.checksum: 'sha512:0' is not a sha256; {CHECKSUM_CURE}",
        ),
        (
            {"tarball": {**TARBALL, "url": "https://example.com/tomcat.tgz"}},
            'tomcat_version: is auto, and the name of the tarball does not tell it; give one such as "10"',
        ),
        (
            {"tarball": TARBALL, "version": "11"},
            "tomcat_version: is 11, and the tarball is Tomcat 10; leave tomcat_version out",
        ),
        (
            {"tarball": {**TARBALL, "url": "https://example.com/apache-tomcat-8.5.100.tar.gz"}},
            "tomcat_tarball: is Tomcat 8; give a tarball of 9, 10, 11",
        ),
        ({"port": 0}, "tomcat_port: 0 is not in 1..65535; give a number such as 8080"),
        ({"port": "http"}, "tomcat_port: 'http' is not an integer; give a number such as 8080"),
        (
            {"address": "localhost"},
            "tomcat_address: 'localhost' is not an address; give one of the node's own, or leave it out for all",
        ),
        ({"heap": "lots"}, "tomcat_heap: 'lots' is not a size; give a size such as 512m or 2g"),
        ({"heap": "16m"}, "tomcat_heap: 16m is too small; give 64m or more"),
        ({"jvm_options": ["-Xmx1g"]}, "tomcat_jvm_options[0]: -Xmx1g sets the heap; give tomcat_heap"),
        (
            {"jvm_options": ["-Da=$(id)"]},
            (
                "tomcat_jvm_options[0]: '-Da=$(id)' is not an option that every start script passes on; give one "
                "option without white space, quotes and characters of the shell, such as -XX:+UseG1GC"
            ),
        ),
        ({"connector": {"port": 80}}, "tomcat_connector.port: is decided by the role; give tomcat_port"),
        ({"connector": {"bindOnInit": True}}, "tomcat_connector.bindOnInit: is decided by the role; leave it out"),
        ({"connector": {"maxThread": 5}}, "tomcat_connector.maxThread: unknown key; did you mean 'maxThreads'?"),
        (
            {"connector": {"maxThreads": "many"}},
            "tomcat_connector.maxThreads: 'many' is not an integer; give a number such as 200",
        ),
        (
            {"connector": {"allowTrace": "perhaps"}},
            "tomcat_connector.allowTrace: 'perhaps' is not true or false; give true or false",
        ),
        (
            {"connector": {"server": "a\nb"}},
            "tomcat_connector.server: holds a line break or another control character; give a text of one line",
        ),
        (
            {"trusted_proxies": ["0.0.0.0/0"]},
            (
                "tomcat_trusted_proxies[0]: 0.0.0.0/0 is everybody, who could then claim any address; give a list of "
                "networks such as [192.0.2.0/24]"
            ),
        ),
        (
            {"trusted_proxies": [5]},
            "tomcat_trusted_proxies[0]: 5 is not a network; give a list of networks such as [192.0.2.0/24]",
        ),
        (
            {"trusted_proxies": ["2001:db8::/33"]},
            (
                "tomcat_trusted_proxies[0]: 2001:db8::/33 ends in the middle of a group of the address, which Tomcat "
                "cannot be told; give a prefix that 16 divides, such as /64 or /128"
            ),
        ),
        (
            {"environment": {"JAVA_OPTS": "-X"}},
            "tomcat_environment.JAVA_OPTS: is decided by the role; give tomcat_jvm_options",
        ),
        (
            {"environment": {"a b": "1"}},
            "tomcat_environment.a b: is not the name of a variable; give letters, digits and _",
        ),
        ({"environment": ["secret"]}, "tomcat_environment: is not a dictionary; give one such as {LANG: C.UTF-8}"),
        (
            {"environment": {"A": ["secret"]}},
            "tomcat_environment.A: is a list, not a string; give a text of one line",
        ),
        (
            {"users": {"deployer": "secret"}},
            (
                "tomcat_users: is not a list; give a list such as "
                "[{name: deployer, password: ..., roles: [manager-script]}]"
            ),
        ),
        (
            {"users": [{"name": "a b", "password": "x"}]},
            "tomcat_users[0].name: 'a b' is not a name; give letters, digits, . _ @ and -",
        ),
        ({"users": [{"name": "a", "password": ""}]}, "tomcat_users[0].password: is empty; give one, best from a vault"),
        (
            {"users": [{"name": "a"}]},
            "tomcat_users[0].password: is nothing, not a string; give a text of one line",
        ),
        (
            {"users": [{"name": "a", "password": "x", "roles": ["b,c"]}]},
            "tomcat_users[0].roles: 'b,c' is not a role; give letters, digits, . _ and -",
        ),
        (
            {"users": [{"name": "a", "password": "x"}, {"name": "a", "password": "y"}]},
            "tomcat_users[1].name: 'a' is given twice; give each user once",
        ),
        (
            {"write_paths": ["uploads"]},
            ("tomcat_write_paths[0]: 'uploads' is not an absolute path; give absolute paths such as [/srv/uploads]"),
        ),
        (
            {"write_paths": ["/srv/a/../../etc"]},
            (
                "tomcat_write_paths[0]: '/srv/a/../../etc' is not an absolute path; "
                "give absolute paths such as [/srv/uploads]"
            ),
        ),
        (
            {"write_paths": ["/var/lib"]},
            (
                "tomcat_write_paths[0]: /var/lib holds more than the data of an application; give a directory of its "
                "own such as /srv/uploads"
            ),
        ),
        (
            {"host_names": [{"address": "node-a", "names": ["a"]}]},
            (
                "tomcat_host_names[0].address: 'node-a' is not an address; give a list such as [{address: 192.0.2.11, "
                "names: [node-a.example.com, node-a]}]"
            ),
        ),
        (
            {
                "host_names": [
                    {"address": "192.0.2.11", "names": ["node-a"]},
                    {"address": "198.51.100.11", "names": ["node-a"]},
                ]
            },
            "tomcat_host_names[1].names: node-a is 192.0.2.11 already; give each network a name of its own",
        ),
        (
            {"health_url": "127.0.0.1:8080"},
            "tomcat_health_url: '127.0.0.1:8080' is not a URL; give one such as http://127.0.0.1:8080/ha-pair/health",
        ),
        ({"ready_timeout": 0}, "tomcat_ready_timeout: 0 is not in 1..3600; give a number such as 90"),
        ({"keep_releases": 1}, "tomcat_keep_releases: 1 is not in 2..50; give a number such as 2"),
        ({"manager": "sometimes"}, "tomcat_manager: 'sometimes' is not true or false; give true or false"),
    ],
)
def test_refuses(tomcat: Tomcat, given: dict[str, t.Any], problem: str) -> None:
    assert tomcat.refusals(**given) == [problem]


def test_no_refusal_shows_a_password(tomcat: Tomcat) -> None:
    told = "\n".join(
        tomcat.refusals(
            users=["hunter2", {"name": "a", "password": ["hunter2"]}],
            environment={"A": {"b": "hunter2"}, "B": "hunter2\n"},
        )
    )
    assert "hunter2" not in told


def test_several_problems_are_told_at_once(tomcat: Tomcat) -> None:
    assert len(tomcat.refusals(port=0, heap="x", address="y")) == 3


def test_a_system_without_a_tomcat(on: Other) -> None:
    assert on("CentOS", "7").refusals() == [
        "tomcat_version: CentOS 7 has no Tomcat that still gets security updates; give tomcat_tarball"
    ]


def test_a_node_without_facts(tomcat: Tomcat) -> None:
    tomcat.facts = {}
    assert tomcat.refusals() == ["node-a: has no facts; gather facts of this host before the role (gather_facts: true)"]


def test_a_tarball_does_not_give_way_to_a_package(tomcat: Tomcat) -> None:
    tomcat.survey = {"tarball_unit": True}
    assert tomcat.refusals() == [
        "tomcat_tarball: is left out, so node-a is to get the package tomcat10, and its "
        "/etc/systemd/system/tomcat.service runs a tarball's Tomcat; run "
        '"systemctl disable --now tomcat.service" on one '
        "node while the peer serves, remove /etc/systemd/system/tomcat.service and "
        '/etc/systemd/system/tomcat.service.d/ha-pair-tomcat.conf, run "systemctl daemon-reload" and deploy that node; '
        "or give tomcat_tarball again"
    ]
    assert tomcat.build(tarball=TARBALL).layout.tarball is not None


def test_what_is_asked_once_it_has_started(tomcat: Tomcat) -> None:
    applications = [
        {
            "name": name,
            "path": f"/{name}",
            "url": "https://example.com/a.war",
            "checksum": "sha256:" + "ab" * 32,
            **more,
        }
        for name, more in (("shop", {"health": "/health"}), ("plain", {}))
    ]
    asked = tomcat.build(applications=applications, port=8081, ready_timeout=60).to_dict()["asked"]
    assert asked == [
        {"place": "tomcat_health_url", "url": "http://127.0.0.1:8080/ha-pair/health", "tries": 60},
        {"place": "tomcat_applications.shop.health", "url": "http://127.0.0.1:8081/shop/health", "tries": 10},
    ]


def test_the_other_tomcat_of_el_10_is_not_replaced(on: Other) -> None:
    node = on("Rocky", "10")
    node.survey = {"packages": {"tomcat9": "9.0.95"}}
    assert node.refusals() == [
        "tomcat_version: asks for the package tomcat, and node-a has the package tomcat9, which has the same paths and "
        'the same service; remove tomcat9 on one node while the peer serves, or give tomcat_version: "9"'
    ]
    node.survey = {"packages": {"tomcat": "10.1.49"}}
    assert node.build().layout.package == "tomcat"
    assert node.refusals(version="9") == [
        "tomcat_version: asks for the package tomcat9, and node-a has the package tomcat, which has the same paths and "
        'the same service; remove tomcat on one node while the peer serves, or give tomcat_version: "10"'
    ]


def test_debian_has_several_side_by_side(on: Other) -> None:
    node = on("Debian", "13")
    node.survey = {"packages": {"tomcat10": "10.1.34", "tomcat11": "11.0.2"}}
    assert node.build().layout.package == "tomcat11"


def test_a_port_that_another_program_has(tomcat: Tomcat) -> None:
    tomcat.survey = listener("jetty.service")
    assert tomcat.refusals() == [
        "tomcat_port: 8080 of node-a belongs to java (jetty.service); stop and disable that program, or give another "
        "tomcat_port"
    ]
    tomcat.survey = listener(programs=("python3",))
    assert tomcat.refusals() == [
        "tomcat_port: 8080 of node-a belongs to python3; stop and disable that program, or give another tomcat_port"
    ]
    assert tomcat.build(port=8081).port == 8081


@pytest.mark.parametrize("unit", ["tomcat10.service", "tomcat.service"])
def test_our_own_tomcat_may_have_the_port(tomcat: Tomcat, unit: str) -> None:
    tomcat.survey = listener(unit)
    assert tomcat.build().port == 8080


def test_what_the_kernel_attributes_to_nobody_is_no_reason(tomcat: Tomcat) -> None:
    tomcat.survey = listener(programs=())
    assert tomcat.build().port == 8080


@pytest.mark.parametrize("option", ["-Xms2g", "-XX:InitialHeapSize=1073741825", "-XX:MinHeapSize=513M"])
def test_a_heap_that_begins_larger_than_it_may_get(tomcat: Tomcat, option: str) -> None:
    assert tomcat.refusals(heap="512m", jvm_options=[option]) == [
        f"tomcat_jvm_options[0]: {option} is more than the heap of 512m; give less, or a larger tomcat_heap"
    ]
    assert "-Xms512m" in tomcat.build(heap="512m", jvm_options=["-Xms512m"]).options


def test_a_heap_larger_than_the_memory(tomcat: Tomcat) -> None:
    tomcat.survey = {"memory": 2000}
    assert tomcat.refusals(heap="2g") == [
        "tomcat_heap: 2g is more than the 1600m that a heap may have of the node's 2000m of memory; give less, or the "
        "node more"
    ]
    assert tomcat.build(heap="1600m").heap == 1600
    assert tomcat.build().heap == 500
    assert "-Xmx500m" in tomcat.build().options


def test_java_too_old_for_the_tomcat(on: Other) -> None:
    node = on("Debian", "13")
    assert node.refusals(java_version="11") == [
        'tomcat_java_version: is 11, and Tomcat 11 needs Java 17 or newer; give "17" or more'
    ]
    node.survey = {"java": [{"home": "/usr/lib/jvm/default-java", "version": 11, "default": True}]}
    assert node.refusals() == [
        "tomcat_java_version: the node's Java is 11 (/usr/lib/jvm/default-java), and Tomcat 11 needs Java 17 or newer; "
        'give tomcat_java_version: "17" or more'
    ]


@pytest.mark.parametrize(
    ("name", "major", "wanted", "words"),
    [
        (
            "Debian",
            "11",
            "11",
            "is empty, the Java of Debian 11 is 11, and Tomcat 11 needs Java 17 or newer; give tomcat_java_version: "
            '"17"',
        ),
        (
            "CentOS",
            "7",
            "10",
            'is empty, the Java of CentOS 7 is 8, and Tomcat 10 needs Java 11 or newer; give tomcat_java_version: "11"',
        ),
        (
            "Rocky",
            "8",
            "10",
            "is empty, the Java of Rocky 8 is 8, and Tomcat 10 needs Java 11 or newer; give tomcat_java_version: "
            '"11" or "17" or "21"',
        ),
        (
            "CentOS",
            "7",
            "11",
            "is empty, the Java of CentOS 7 is 8, and Tomcat 11 needs Java 17 or newer; install one and give "
            'tomcat_java_version: "17", or take another Tomcat',
        ),
    ],
)
def test_the_java_that_a_bare_node_would_get_is_too_old(
    on: Other, name: str, major: str, wanted: str, words: str
) -> None:
    node = on(name, major)
    tarball = {"path": "/srv/tomcat.tar.gz", "checksum": f"sha256:{DIGEST}"}
    # Nobody has looked at the node, and it may have another one.
    assert node.build(tarball=tarball, version=wanted).java.version is None
    node.survey = {"java": []}
    assert node.refusals(tarball=tarball, version=wanted) == [f"tomcat_java_version: {words}"]
    assert node.build(tarball=tarball, version="9").java.version is None


def test_a_java_that_there_is_not(on: Other) -> None:
    assert on("Debian", "12").refusals(java_version="21") == [
        "tomcat_java_version: Debian 12 has no Java 21, and the node has none installed; give 17"
    ]
    node = on("Debian", "12")
    node.survey = {"java": [{"home": "/opt/jdk-21", "version": 21, "default": False}]}
    assert (node.build(java_version="21").java.home, node.build(java_version="21").java.package) == (
        "/opt/jdk-21",
        None,
    )


@pytest.mark.parametrize(
    ("name", "major", "version", "package", "home"),
    [
        ("Debian", "12", "17", "openjdk-17-jre-headless", "/usr/lib/jvm/java-17-openjdk-amd64"),
        ("Rocky", "9", "21", "java-21-openjdk-headless", "/usr/lib/jvm/jre-21"),
        ("Rocky", "8", "8", "java-1.8.0-openjdk-headless", "/usr/lib/jvm/jre-1.8.0"),
    ],
)
def test_java_by_version(on: Other, name: str, major: str, version: str, package: str, home: str) -> None:
    java = on(name, major).build(java_version=version).java
    assert (java.package, java.home) == (package, home)


def test_trusted_proxies_in_the_words_of_tomcat(tomcat: Tomcat) -> None:
    assert tomcat.build(trusted_proxies=["192.0.2.0/24", "198.51.100.7"]).trusted == (
        r"192\.0\.2\.\d{1,3}|198\.51\.100\.7"
    )
    assert tomcat.build(trusted_proxies=["192.0.2.252/30"]).trusted == r"192\.0\.2\.(?:252|253|254|255)"
    assert tomcat.build(trusted_proxies=["2001:db8:0:5::/64"]).trusted == (
        "2001:db8:0:5:[0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f]{1,4}"
    )


def test_names_of_two_networks_and_two_families(tomcat: Tomcat) -> None:
    lines = [
        {"address": "192.0.2.11", "names": ["node-a.example.com", "node-a"]},
        {"address": "2001:db8::11", "names": ["node-a"]},
        {"address": "198.51.100.11", "names": ["node-a-storage"]},
    ]
    assert tomcat.build(host_names=lines).hosts == (
        "192.0.2.11 node-a.example.com node-a",
        "2001:db8::11 node-a",
        "198.51.100.11 node-a-storage",
    )


def test_selinux_only_where_it_is_on(on: Other) -> None:
    assert not on("Rocky", "9").build(port=9999).selinux.manage
    enforcing = on("Rocky", "9", selinux={"status": "enabled"})
    labels = enforcing.build(port=9999, write_paths=["/srv/uploads/"]).selinux
    assert labels.ports == (9999,)
    assert labels.paths == ("/var/lib/ha-pair/tomcat", "/srv/uploads")
    assert enforcing.build().selinux.ports == ()
    assert not enforcing.build(manage_selinux=False).selinux.manage
    members = {"node-a": "192.0.2.11", "node-b": "192.0.2.12"}
    sessions = {"backend": "replication", "encryption_key": "none", "members": members}
    assert enforcing.build(sessions=sessions).selinux.ports == (4000,)


def test_users_have_their_roles(tomcat: Tomcat) -> None:
    users = [
        {"name": "one", "password": "x", "roles": ["manager-gui", "manager-script"]},
        {"name": "two", "password": "y", "roles": ["manager-gui"]},
    ]
    model = tomcat.build(users=users)
    assert model.roles == ("manager-gui", "manager-script")
    assert model.users[0].roles == "manager-gui,manager-script"


def test_every_answer_names_the_node(tomcat: Tomcat) -> None:
    assert tomcat.build(connector={"maxThreads": "400"}).connector == (("maxThreads", "400"), ("server", "node-a"))
    assert tomcat.build(connector={"server": "shop"}).connector == (("server", "shop"),)
