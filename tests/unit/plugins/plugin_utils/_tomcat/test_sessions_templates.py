# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is printed for Tomcat about its sessions is well-formed, whatever the user gives, and holds what it must."""

from __future__ import annotations

import json
import typing as t
import xml.etree.ElementTree as ET
from dataclasses import asdict
from pathlib import Path

import jinja2
import yaml
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._tomcat.sessions import read_sessions

TEMPLATES = Path(__file__).resolve().parents[5] / "roles/tomcat/templates"
NASTY = "a\"b<c>&d'e --> {{ x }} %"
KEY = "0123456789abcdef" * 4
PAIR = {"node-a": "192.0.2.11", "node--b": "2001:db8::12"}
REDIS: dict[str, t.Any] = {
    "backend": "redis",
    "addresses": ["192.0.2.11", "192.0.2.12:6380"],
    "password": NASTY,
    "jars": [{"url": "https://example.com/manager.jar", "checksum": "sha256:" + "ab" * 32}],
}


def render(name: str, given: dict[str, t.Any]) -> str:
    """What the role would write."""
    reader = Reader()
    found = read_sessions(reader, "tomcat_sessions", given, PAIR, node="node-a")
    assert reader.problems == []
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    environment.filters["comment"] = lambda text: f"# {text}"
    environment.filters["to_json"] = json.dumps
    return environment.get_template(name).render(
        __tomcat_model={"sessions": asdict(found)}, tomcat_sessions=given, ansible_managed="managed"
    )


def cluster(**given: object) -> ET.Element:
    """The cluster, parsed."""
    return ET.fromstring(render("sessions_cluster.xml.j2", {"backend": "replication", **given}))


def names(element: ET.Element, tag: str) -> list[str]:
    """The classes of the children with that tag, without their packages."""
    return [child.attrib["className"].rpartition(".")[2] for child in element.iter(tag)]


def test_a_cluster_without_multicast_that_answers_when_the_others_have_it() -> None:
    found = cluster(encryption_key="none", timeout=2)
    assert found.attrib["channelSendOptions"] == "6"
    assert names(found, "Membership") == ["StaticMembershipService"]
    assert names(found, "Manager") == ["DeltaManager"]
    assert "Mcast" not in ET.tostring(found, encoding="unicode")
    receiver = next(found.iter("Receiver"))
    assert (receiver.attrib["address"], receiver.attrib["port"], receiver.attrib["autoBind"]) == (
        "192.0.2.11",
        "4000",
        "0",
    )
    assert [member.attrib["host"] for member in found.iter("Member")] == ["2001:db8::12"]
    assert next(found.iter("Transport")).attrib["timeout"] == "2000"
    assert names(found, "Interceptor") == ["TcpFailureDetector", "MessageDispatchInterceptor"]


def test_encryption_comes_before_the_failure_detector() -> None:
    found = cluster(encryption_key=KEY)
    assert names(found, "Interceptor")[:2] == ["EncryptInterceptor", "TcpFailureDetector"]
    encrypt = next(found.iter("Interceptor")).attrib
    assert encrypt["encryptionKey"] == KEY
    assert encrypt["encryptionAlgorithm"] == "AES/GCM/NoPadding"


def test_attributes_of_a_manager_are_escaped() -> None:
    given = {**REDIS, "manager": {"class": "com.example.Manager", "attributes": {"odd": NASTY, "sticky": True}}}
    found = ET.fromstring(render("sessions_manager.xml.j2", given))
    assert found.attrib == {"className": "com.example.Manager", "odd": NASTY, "sticky": "true"}


def test_the_configuration_of_redisson_reads_from_the_primary() -> None:
    found = yaml.safe_load(render("sessions_redis.yaml.j2", {**REDIS, "username": "app", "tls": True}))
    assert found["replicatedServersConfig"]["nodeAddresses"] == ["rediss://192.0.2.11:6379", "rediss://192.0.2.12:6380"]
    assert found["replicatedServersConfig"]["readMode"] == "MASTER"


def test_passwords_are_quoted() -> None:
    text = render("sessions_redis.yaml.j2", {**REDIS, "addresses": ["192.0.2.11"]})
    assert yaml.safe_load(text) == {
        "singleServerConfig": {
            "address": "redis://192.0.2.11:6379",
            "database": 0,
            "password": NASTY,
            "connectTimeout": 3000,
        }
    }


def test_a_configuration_of_the_users_own_is_taken_as_it_is() -> None:
    assert render("sessions_redis.yaml.j2", {**REDIS, "configuration": "own: 1\n"}) == "# managed\nown: 1\n\n"
