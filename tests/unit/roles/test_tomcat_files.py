# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role tomcat would write on a node, printed by Ansible itself from the role's own variables."""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from plays import run_playbook

ROOT = Path(__file__).resolve().parents[3]
APPLICATION = {
    "name": "shop",
    "path": "/",
    "url": "https://example.com/shop.war",
    "checksum": f"sha256:{'0123456789abcdef' * 4}",
    "context": {"resources": {"jdbc/shop": {"type": "javax.sql.DataSource", "password": 's<e&c"ret'}}},
}
FACTS = {
    "os_family": "Debian",
    "distribution": "Debian",
    "distribution_major_version": "12",
    "architecture": "x86_64",
}
VARIABLES: dict[str, t.Any] = {
    "tomcat_applications": [APPLICATION],
    "tomcat_java_version": "17",
    "tomcat_heap": "512m",
    "tomcat_connector": {"maxThreads": 400, "server": 'a "b"'},
    "tomcat_users": [{"name": "deployer", "password": 'p<a&s"s', "roles": ["manager-script"]}],
    "tomcat_manager": True,
    "tomcat_trusted_proxies": ["192.0.2.0/24"],
    "tomcat_environment": {"SECRET": 'x "y" \\z $HOME'},
    "tomcat_write_paths": ["/srv/uploads"],
    # What the role would find on the node.
    "__tomcat_survey": {"survey": {"descriptors": ["old.xml", "ROOT.xml"]}},
    "__tomcat_units": {"survey": {"systemd": 252}},
}
TARBALL = {
    "tomcat_tarball": {"path": "/srv/apache-tomcat-9.0.98.tar.gz", "checksum": f"sha256:{'fedcba9876543210' * 4}"},
    "tomcat_java_version": "",
}
(KEPT,) = [
    task["duplex.ha_pair.file_snapshot"]["files"].strip().removeprefix("{{").removesuffix("}}").replace("\n", " ")
    for task in yaml.safe_load((ROOT / "roles/tomcat/tasks/activate.yml").read_text(encoding="utf-8"))
    if "duplex.ha_pair.file_snapshot" in task
]
"""What an activation keeps before it changes anything, as a template."""
EL7 = {"os_family": "RedHat", "distribution": "CentOS", "distribution_major_version": "7"}


def tasks(facts: dict[str, str]) -> list[dict[str, t.Any]]:
    """Print what the role would write."""
    return [
        {"name": "Give the facts", "ansible.builtin.set_fact": {**facts, "cacheable": True}},
        {
            "name": "Take the role's variables",
            "ansible.builtin.include_role": {"name": "duplex.ha_pair.tomcat", "tasks_from": "firewall", "public": True},
            # Of its tasks none is wanted, and this one is skipped.
            "vars": {"tomcat_open_firewall": False},
        },
        {
            "name": "Print",
            "ansible.builtin.copy": {
                "content": "{{ {'files': __tomcat_wanted_files, 'directories': __tomcat_wanted_directories,"
                " 'absent': __tomcat_absent_files, 'active': __tomcat_active_entry, 'ran': __tomcat_ran_entry,"
                f" 'kept': {KEPT}}} | to_json }}}}",
                "dest": "{{ printed }}",
                "mode": "0600",
            },
        },
    ]


def run(where: Path, facts: dict[str, str], variables: dict[str, t.Any]) -> dict[str, t.Any]:
    """What the role would write, remove and note on a node with these facts."""
    result = where / "printed.json"
    # Outside of the role its variables are known, and its templates are not.
    (where / "templates").symlink_to(ROOT / "roles/tomcat/templates")
    play = {
        "name": "Print what would be written",
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {**variables, "printed": str(result), "ansible_python_interpreter": sys.executable},
        "tasks": tasks(facts),
    }
    (where / "playbook.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = run_playbook(where)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, t.Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    """What is written on Debian 12."""
    return run(tmp_path_factory.mktemp("files"), FACTS, VARIABLES)


def file(printed: dict[str, t.Any], path: str) -> dict[str, t.Any]:
    (found,) = [entry for entry in printed["files"] if entry["path"] == path]
    return t.cast("dict[str, t.Any]", found)


def xml(printed: dict[str, t.Any], name: str) -> ET.Element:
    return ET.fromstring(file(printed, f"/etc/tomcat10/{name}")["content"])


def test_only_what_the_role_wrote_is_deployed(printed: dict[str, t.Any]) -> None:
    host = xml(printed, "server.xml").find(".//Host")
    assert host is not None
    wanted = {
        "appBase": "/var/lib/ha-pair/tomcat/.webapps",
        "xmlBase": "conf/ha-pair",
        "autoDeploy": "false",
        "deployOnStartup": "true",
        "deployXML": "false",
        "unpackWARs": "false",
    }
    assert {name: host.attrib[name] for name in wanted} == wanted
    assert printed["absent"] == ["/etc/tomcat10/ha-pair/old.xml"]


def test_the_server(printed: dict[str, t.Any]) -> None:
    server = xml(printed, "server.xml")
    assert server.attrib["port"] == "-1"
    (connector,) = server.iter("Connector")
    assert connector.attrib == {
        "port": "8080",
        "protocol": "HTTP/1.1",
        "bindOnInit": "false",
        "maxThreads": "400",
        "server": 'a "b"',
    }
    valves = {valve.attrib["className"].rpartition(".")[2]: valve.attrib for valve in server.iter("Valve")}
    assert valves["RemoteIpValve"]["internalProxies"] == r"192\.0\.2\.\d{1,3}"
    assert (valves["ErrorReportValve"]["showReport"], valves["ErrorReportValve"]["showServerInfo"]) == (
        "false",
        "false",
    )
    assert [realm.attrib["className"].rpartition(".")[2] for realm in server.iter("Realm")] == [
        "LockOutRealm",
        "UserDatabaseRealm",
    ]


def test_the_users(printed: dict[str, t.Any]) -> None:
    users = xml(printed, "tomcat-users.xml")
    assert [child.attrib for child in users] == [
        {"rolename": "manager-script"},
        {"username": "deployer", "password": 'p<a&s"s', "roles": "manager-script"},
    ]


def test_the_descriptors(printed: dict[str, t.Any]) -> None:
    context = xml(printed, "ha-pair/ROOT.xml")
    assert context.attrib == {"docBase": "/var/lib/ha-pair/tomcat/shop/0123456789abcdef"}
    assert context.find("Resource") is not None
    assert xml(printed, "ha-pair/ha-pair.xml").attrib["docBase"] == "/var/lib/ha-pair/tomcat/.health"
    (valve,) = xml(printed, "ha-pair/manager.xml").iter("Valve")
    assert valve.attrib["className"].endswith("RemoteAddrValve")
    assert file(printed, "/var/lib/ha-pair/tomcat/.health/health")["content"] == "localhost\n"


def test_the_environment_in_the_words_of_systemd(printed: dict[str, t.Any]) -> None:
    entry = file(printed, "/etc/ha-pair/tomcat.env")
    lines = [line for line in entry["content"].splitlines() if line and not line.startswith("#")]
    assert lines[0] == 'JAVA_HOME="/usr/lib/jvm/java-17-openjdk-amd64"'
    assert lines[1].startswith('CATALINA_OPTS="-XX:+ExitOnOutOfMemoryError -Xmx512m ')
    assert lines[2] == r'SECRET="x \"y\" \\z $HOME"'
    assert (entry["mode"], entry["secret"]) == ("0600", True)


def test_nobody_but_root_and_tomcat_reads_a_secret(printed: dict[str, t.Any]) -> None:
    for entry in printed["files"]:
        if any(word in entry["content"] for word in ("ret", "p&lt;a", "SECRET")):
            assert entry["mode"] in ("0600", "0640"), entry["path"]
    for path in ("/etc/tomcat10/tomcat-users.xml", "/etc/tomcat10/ha-pair/ROOT.xml", "/etc/ha-pair/tomcat.env"):
        assert file(printed, path)["secret"] is True, path


def test_the_drop_in_of_the_packages_own_unit(printed: dict[str, t.Any]) -> None:
    lines = file(printed, "/etc/systemd/system/tomcat10.service.d/ha-pair-tomcat.conf")["content"].splitlines()
    for line in (
        "EnvironmentFile=/etc/ha-pair/tomcat.env",
        "SuccessExitStatus=143",
        "TimeoutStopSec=30",
        "ProtectSystem=strict",
        "ReadWritePaths=/var/log/tomcat10 /var/cache/tomcat10",
        "ReadWritePaths=/srv/uploads",
        "RequiresMountsFor=/srv/uploads",
    ):
        assert line in lines, line


def test_the_mark_changes_with_every_file(printed: dict[str, t.Any]) -> None:
    assert printed["active"]["path"] == "/var/lib/ha-pair/tomcat/.active"
    assert printed["active"]["mode"] == "0600"


def test_what_is_kept_before_an_activation(printed: dict[str, t.Any]) -> None:
    assert {
        *(entry["path"] for entry in printed["files"]),
        "/var/lib/ha-pair/tomcat/.active",
        "/var/lib/ha-pair/tomcat/.ran",
        # Else a release whose proof failed would be the one before.
        "/var/lib/ha-pair/tomcat/shop/.history.json",
        # By what Tomcat is declared up.
        "/etc/systemd/system/ha-pair-track-tomcat.service",
        "/etc/systemd/system/tomcat.service.d/ha-pair.conf",
    } == set(printed["kept"])


def test_what_ran_is_noted(printed: dict[str, t.Any]) -> None:
    assert printed["ran"]["path"] == "/var/lib/ha-pair/tomcat/.ran"
    assert json.loads(printed["ran"]["content"]) == {
        "asked": [{"place": "tomcat_health_url", "url": "http://127.0.0.1:8080/ha-pair/health", "tries": 90}],
        "jars": [],
    }


def test_a_tarball_has_a_unit_of_its_own(tmp_path: Path) -> None:
    variables = {**VARIABLES, **TARBALL, "__tomcat_units": {"survey": {"systemd": 219}}}
    printed = run(tmp_path, {**FACTS, **EL7}, variables)
    home = "/opt/ha-pair/tomcat/fedcba9876543210"
    unit = file(printed, "/etc/systemd/system/tomcat.service")["content"].splitlines()
    for line in (f"ExecStart={home}/bin/catalina.sh run", f"Environment=CATALINA_BASE={home}", "User=tomcat"):
        assert line in unit, line
    drop_in = file(printed, "/etc/systemd/system/tomcat.service.d/ha-pair-tomcat.conf")["content"].splitlines()
    # What systemd 219 does not know is not said.
    assert "ProtectSystem=full" in drop_in
    assert not [line for line in drop_in if line.startswith("ReadWritePaths")]
    assert 'JAVA_HOME="/usr/lib/jvm/jre"' in file(printed, "/etc/ha-pair/tomcat.env")["content"].splitlines()
    assert file(printed, f"{home}/conf/server.xml")["group"] == "tomcat"
    assert f"{home}/webapps/manager" in file(printed, f"{home}/conf/ha-pair/manager.xml")["content"]
