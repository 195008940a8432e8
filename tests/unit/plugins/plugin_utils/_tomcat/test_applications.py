# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tomcat_applications becomes: releases, descriptors, and every word in which it is refused."""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree as ET

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._tomcat.applications import war_files
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._tomcat.descriptors import descriptor_files
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._tomcat.wars import look_at_wars

from .conftest import Tomcat

WAR = "/srv/releases/shop.war"
NEW, OLD, OLDER = "0123456789abcdef" * 4, "f" * 64, "e" * 64
CURE = "give a list such as [{name: shop, path: /shop, war: /srv/releases/shop.war}]"
ENTRY_CURE = "give a dictionary such as {name: shop, path: /shop, war: /srv/releases/shop.war}"
WAR_CURE = "give war: the path of a file on the controller, or url: with checksum: sha256:..."
PATH_CURE = 'give one such as /shop, or "/" for the root'
RESOURCE_CURE = "give its attributes, such as {type: javax.sql.DataSource, url: ..., username: ..., password: ...}"


def app(**given: t.Any) -> dict[str, t.Any]:
    return {"name": "shop", "path": "/shop", "war": WAR, **given}


def fetched(**given: t.Any) -> dict[str, t.Any]:
    return {
        "name": "shop",
        "path": "/shop",
        "url": "https://example.com/shop.war",
        "checksum": f"sha256:{NEW}",
        **given,
    }


@pytest.fixture
def built(tomcat: Tomcat) -> Tomcat:
    tomcat.wars = {WAR: {"exists": True, "sha256": NEW, "archive": True}}
    return tomcat


def test_a_release_is_called_by_what_is_in_it(built: Tomcat) -> None:
    (application,) = built.build(applications=[app()]).applications
    assert application.release == "0123456789abcdef"
    assert application.directory == "/var/lib/ha-pair/tomcat/shop/0123456789abcdef"
    assert (application.war, application.url, application.staged) == (WAR, None, False)


def test_what_is_on_the_node_is_not_brought_again(built: Tomcat) -> None:
    built.survey = {"releases": {"shop": {"releases": ["0123456789abcdef"], "history": []}}}
    (application,) = built.build(applications=[app()]).applications
    assert (application.war, application.staged) == (None, True)


@pytest.mark.parametrize(
    ("path", "context", "file"),
    [("/", "", "ROOT.xml"), ("/shop", "/shop", "shop.xml"), ("/a/b", "/a/b", "a#b.xml")],
)
def test_the_descriptor_is_called_by_the_context_path(built: Tomcat, path: str, context: str, file: str) -> None:
    (application,) = built.build(applications=[app(path=path)]).applications
    assert (application.path, application.descriptor) == (context, file)


def test_roll_back_to_what_ran_before(built: Tomcat) -> None:
    built.survey = {
        "releases": {
            "shop": {"releases": [OLDER[:16], OLD[:16], NEW[:16]], "history": [OLDER[:16], OLD[:16], NEW[:16]]}
        }
    }
    (application,) = built.build(applications=[app(rollback=True)]).applications
    assert (application.release, application.staged) == (OLD[:16], True)
    # Once it has run, it is still the one before.
    built.survey["releases"]["shop"]["history"] = [OLDER[:16], NEW[:16], OLD[:16]]
    assert built.build(applications=[app(rollback=True)]).applications[0].release == OLD[:16]


def test_what_never_ran_is_nothing_to_roll_back_to(built: Tomcat) -> None:
    built.survey = {"releases": {"shop": {"releases": [OLD[:16], NEW[:16]], "history": [NEW[:16]]}}}
    assert built.refusals(applications=[app(rollback=True)]) == [
        "tomcat_applications[0].rollback: the node has no release of shop that ran before 0123456789abcdef; give the "
        "WAR that is to run, and leave rollback out"
    ]


def test_a_rollback_of_which_nothing_is_known_yet(tomcat: Tomcat) -> None:
    (application,) = tomcat.build(applications=[app(rollback=True, health="/health")]).applications
    assert (application.release, application.staged) == ("", False)


@pytest.mark.parametrize(
    ("applications", "problem"),
    [
        ("shop", f"tomcat_applications: is a string ('shop'), not a list; {CURE}"),
        ({"password": "hunter2"}, f"tomcat_applications: is a dictionary, not a list; {CURE}"),
        (["shop"], f"tomcat_applications[0]: is a string ('shop'), not a dictionary; {ENTRY_CURE}"),
        ([[app()]], f"tomcat_applications[0]: is a list, not a dictionary; {ENTRY_CURE}"),
        ([app(pth="/")], "tomcat_applications[0].pth: unknown key; did you mean 'path'?"),
        (
            [app(name="../x")],
            "tomcat_applications[0].name: '../x' is not a name; give letters, digits, - . and _, such as shop",
        ),
        (
            [app(name=".before")],
            "tomcat_applications[0].name: '.before' is not a name; give letters, digits, - . and _, such as shop",
        ),
        ([app(path="shop")], f"tomcat_applications[0].path: 'shop' is not a context path; {PATH_CURE}"),
        ([app(path="/shop/")], f"tomcat_applications[0].path: '/shop/' is not a context path; {PATH_CURE}"),
        (
            [app(path="/ROOT")],
            'tomcat_applications[0].path: /ROOT is Tomcat\'s own word for the root; give "/", or another context path',
        ),
        ([app(path="/../etc")], f"tomcat_applications[0].path: '/../etc' is not a context path; {PATH_CURE}"),
        ([{"name": "shop", "war": WAR}], f"tomcat_applications[0].path: is missing; {PATH_CURE}"),
        (
            [app(), app(name="other")],
            (
                "tomcat_applications[1].path: /shop is the context path of tomcat_applications[0] too; give each "
                "application a context path of its own"
            ),
        ),
        (
            [app(), app(path="/other")],
            (
                "tomcat_applications[1].name: 'shop' is the name of tomcat_applications[0] too; give each application "
                "a name of its own"
            ),
        ),
        (
            [app(path="/ha-pair")],
            ("tomcat_applications[0].path: /ha-pair is where health checks are answered; give another context path"),
        ),
        (
            [{"name": "shop", "path": "/shop"}],
            f"tomcat_applications[0]: has neither a URL nor a file; {WAR_CURE}",
        ),
        (
            [app(url="https://example.com/shop.war", checksum=f"sha256:{NEW}")],
            f"tomcat_applications[0]: has both a URL and a file; {WAR_CURE}",
        ),
        ([fetched(checksum="")], f"tomcat_applications[0].checksum: is missing, and url is given; {WAR_CURE}"),
        (
            [app(war="shop.war")],
            (
                "tomcat_applications[0].war: 'shop.war' is not an absolute path; give one such as "
                '"{{ inventory_dir }}/files/shop.war"'
            ),
        ),
        (
            [app(checksum=f"sha256:{OLD}")],
            (
                f"tomcat_applications[0].checksum: '{WAR}' has sha256:{NEW}, not sha256:{OLD}; give the WAR that was "
                "meant, or its checksum"
            ),
        ),
        (
            [app(rollback="perhaps")],
            "tomcat_applications[0].rollback: 'perhaps' is not true or false; give true or false",
        ),
        (
            [app(health="health")],
            (
                "tomcat_applications[0].health: 'health' is not a path; give a path below the context path that "
                "answers 200, such as /health"
            ),
        ),
        (
            [app(context=["hunter2"])],
            "tomcat_applications[0].context: is not a dictionary; give one of environment, parameters and resources",
        ),
        (
            [app(context={"parameters": {"a b": "x"}})],
            (
                "tomcat_applications[0].context.parameters.a b: is not a name; give letters, digits, . _ - and /, such "
                "as jdbc/shop"
            ),
        ),
        (
            [app(context={"environment": {"a": {"value": "1", "type": "Money"}}})],
            (
                "tomcat_applications[0].context.environment.a.type: 'Money' is not a type of Java's; give String, "
                "Boolean, Byte, Character, Double, Float, Integer, Long, Short"
            ),
        ),
        (
            [app(context={"resources": {"jdbc/shop": {"password": "hunter2"}}})],
            f"tomcat_applications[0].context.resources.jdbc/shop.type: is missing; {RESOURCE_CURE}",
        ),
        (
            [app(context={"resources": {"jdbc/shop": {"type": "x", "password": ["hunter2"]}}})],
            (
                "tomcat_applications[0].context.resources.jdbc/shop.password: is a list, not a string; give a text of "
                "one line"
            ),
        ),
    ],
)
def test_refuses(built: Tomcat, applications: object, problem: str) -> None:
    assert built.refusals(applications=applications) == [problem]
    assert "hunter2" not in problem


def test_a_war_that_is_missing_or_none(tomcat: Tomcat) -> None:
    tomcat.wars = {WAR: {"exists": False, "sha256": "", "archive": False}}
    assert tomcat.refusals(applications=[app()]) == [
        f"tomcat_applications[0].war: '{WAR}' is not there on the controller; build it, or mend the path"
    ]
    tomcat.wars = {WAR: {"exists": True, "sha256": "", "archive": False}}
    assert tomcat.refusals(applications=[app()]) == [
        f"tomcat_applications[0].war: '{WAR}' cannot be read on the controller; let whoever runs this read it"
    ]
    tomcat.wars = {WAR: {"exists": True, "sha256": NEW, "archive": False}}
    assert tomcat.refusals(applications=[app()]) == [
        f"tomcat_applications[0].war: '{WAR}' is not a WAR; give an archive that `jar` or a build tool made"
    ]


def test_the_manager_has_its_context_path(built: Tomcat) -> None:
    assert built.build(applications=[app(path="/manager")]).applications[0].path == "/manager"
    assert built.refusals(applications=[app(path="/manager")], manager=True) == [
        "tomcat_applications[0].path: /manager is the manager application's, because tomcat_manager is true; give "
        "another context path, or tomcat_manager: false"
    ]


def test_the_application_is_asked_where_tomcat_listens(built: Tomcat) -> None:
    given = {"applications": [app(health="/health")]}
    assert built.build(**given).applications[0].health_url == "http://127.0.0.1:8080/shop/health"
    there = built.build(**given, port=8081, address="2001:db8::11").applications[0]
    assert there.health_url == "http://[2001:db8::11]:8081/shop/health"


def test_the_files_on_the_controller() -> None:
    assert war_files([app(), app(path="/b"), fetched(), "nonsense", {"war": 5}]) == [WAR]
    assert war_files("nonsense") == []


def test_what_the_controller_said_of_them() -> None:
    answers = [{"__tomcat_war": "/no/such.war", "stat": {"exists": False}}]
    assert look_at_wars(answers) == {"/no/such.war": {"exists": False, "sha256": "", "archive": False}}


def test_a_descriptor(built: Tomcat) -> None:
    context = {
        "environment": {"limit": 5, "open": True, "label": 'a < b & "c"', "rate": {"value": "1.5", "type": "Double"}},
        "parameters": {"mode": "live"},
        "resources": {"jdbc/shop": {"type": "javax.sql.DataSource", "maxTotal": 20, "password": "p&<\"'"}},
    }
    model = built.build(applications=[app(context=context)]).to_dict()
    (file,) = descriptor_files(model, '<Manager className="x" />\n')
    assert file["path"] == "/etc/tomcat10/ha-pair/shop.xml"
    assert (file["mode"], file["group"], file["secret"]) == ("0640", "tomcat", True)
    root = ET.fromstring(file["content"])
    assert root.attrib == {"docBase": "/var/lib/ha-pair/tomcat/shop/0123456789abcdef"}
    assert [child.tag for child in root] == [
        "Valve",
        "Environment",
        "Environment",
        "Environment",
        "Environment",
        "Parameter",
        "Resource",
        "Manager",
    ]
    environment = {child.attrib["name"]: (child.attrib["type"], child.attrib["value"]) for child in root[1:5]}
    assert environment == {
        "limit": ("java.lang.Integer", "5"),
        "open": ("java.lang.Boolean", "true"),
        "label": ("java.lang.String", 'a < b & "c"'),
        "rate": ("java.lang.Double", "1.5"),
    }
    assert root[6].attrib == {
        "name": "jdbc/shop",
        "auth": "Container",
        "type": "javax.sql.DataSource",
        "maxTotal": "20",
        "password": "p&<\"'",
    }


def test_a_descriptor_without_secrets_is_shown(built: Tomcat) -> None:
    (file,) = descriptor_files(built.build(applications=[app()]).to_dict())
    assert file["secret"] is False


def test_what_tasks_loop_over_holds_no_password(built: Tomcat) -> None:
    context = {
        "environment": {"a": "hunter2"},
        "parameters": {"b": "hunter2"},
        "resources": {"c": {"type": "x", "password": "hunter2"}},
    }
    model = built.build(applications=[app(context=context)]).to_dict()
    assert "hunter2" not in str(model["applications"])
    assert "hunter2" in str(model["contexts"]["shop"])
