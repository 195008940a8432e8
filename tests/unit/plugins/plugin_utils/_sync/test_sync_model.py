# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the file synchronisation of a node becomes, and every word in which it is refused."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.filter.file_sync_model import file_sync_model
from ansible_collections.duplex.ha_pair.plugins.module_utils._node import sync_settings
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._sync import model
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._sync.model import Model, build_sync
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp import values

GIVEN: dict[str, t.Any] = {
    "directories": {"data": {"path": "/srv/data", "exclude": ["*.tmp"], "owner": "app", "mode": "0750"}},
    "members": {"node-a": "192.0.2.11", "node-b": "192.0.2.12"},
    "node": "node-a",
    "instance": "app",
    "instances": ["app"],
    "users": ["app", "root"],
}
PLACE = "node-a: file_sync_directories"


def build(**given: t.Any) -> Model:
    return build_sync(**{**GIVEN, **given})


def refusals(**given: t.Any) -> list[str]:
    """What is refused."""
    with pytest.raises(InputError) as caught:
        build(**given)
    return [str(problem) for problem in caught.value.problems]


def at(*paths: str) -> dict[str, t.Any]:
    return {f"d{index}": {"path": path} for index, path in enumerate(paths)}


def test_the_key_of_the_peer_may_start_one_program_from_one_address() -> None:
    found = build()
    assert found.key_options == ('restrict,from="192.0.2.12",command="/usr/libexec/keepalived/ha-pair-sync-receive"')
    assert (found.peer, found.peer_host, found.interval, found.watch) == ("node-b", "192.0.2.12", 5, "auto")
    assert build(port="2222").peer_host == "[192.0.2.12]:2222"
    assert build(node="node-b").peer == "node-a"


def test_the_programs_read_the_settings_that_the_model_gives(tmp_path: Path) -> None:
    import json

    path = tmp_path / "settings.json"
    path.write_text(json.dumps(build(first="node-b").settings), encoding="utf-8")
    found = sync_settings.read_settings(str(path))
    assert found["directories"] == {"data": {"name": "data", "path": "/srv/data", "exclude": ["*.tmp"]}}
    assert (found["first"], found["port"], found["timeout"], found["keep_days"]) == ("node-b", 22, 30, 30)


def test_names_are_the_same_on_both_sides() -> None:
    assert sync_settings.NAME.pattern == model._NAME.pattern + r"\Z"


def test_directories_beside_each_other_are_taken() -> None:
    found = build(directories=at("/srv/data", "/srv/data2", "/var/lib/app", "/opt/app/data", "/home/app/spool"))
    assert len(found.directories) == 5


def test_files_on_both_nodes_are_no_question_once_they_were_mirrored_or_somebody_said_who_wins() -> None:
    full, mirrored = {"empty": False, "marker": False}, {"empty": False, "marker": True}
    empty = {"empty": True, "marker": False}
    for one, other in ((full, empty), (empty, full), (empty, empty), (mirrored, full)):
        build(existing={"node-a": {"data": one}, "node-b": {"data": other}})
    build(existing={"node-a": {"data": full}, "node-b": {"data": full}}, first="node-a")
    # A peer that is away says nothing.
    build(existing={"node-a": {"data": full}})


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"directories": {}}, f"{PLACE}: is empty; {model.DIRECTORIES_CURE}"),
        (
            {"directories": ["/srv"]},
            f"{PLACE}: is a list (['/srv']), not a dictionary; {model.DIRECTORIES_CURE}",
        ),
        ({"directories": {"Data": {"path": "/srv/x"}}}, f"{PLACE}: 'Data' is not a name; {model.NAME_CURE}"),
        (
            {"directories": {"x": "/srv"}},
            f"{PLACE}.x: is a string ('/srv'), not a dictionary; {model.DIRECTORIES_CURE}",
        ),
        (
            {"directories": {"x": {"path": "/srv/x", "exlude": []}}},
            f"{PLACE}.x.exlude: unknown key; did you mean 'exclude'?",
        ),
        ({"directories": {"x": {}}}, f"{PLACE}.x.path: is missing; {model.PATH_CURE}"),
        ({"directories": at("srv/data")}, f"{PLACE}.d0.path: 'srv/data' is not absolute; {model.PATH_CURE}"),
        (
            {"directories": at("/srv/da ta")},
            f"{PLACE}.d0.path: '/srv/da ta' is not a plain path of letters, digits and _.:@+- without a slash at its "
            f"end; {model.PATH_CURE}",
        ),
        *(
            (
                {"directories": at(path)},
                f"{PLACE}.d0.path: '{path}' is not a plain path of letters, digits and _.:@+- without a slash at its "
                f"end; {model.PATH_CURE}",
            )
            for path in ("/srv/data/", "/srv/../etc", "/srv//x", "/srv/$(id)", "/srv/x;id", "/srv/*")
        ),
        *(
            ({"directories": at(path)}, f"{PLACE}.d0.path: '{path}' is what the system needs; {model.OWN_CURE}")
            for path in ("/", "/etc", "/etc/app", "/usr/local/app", "/var/log", "/home", "/run/app", "/root")
        ),
        *(
            (
                {"directories": at(path)},
                f"{PLACE}.d0.path: '{path}' holds what this role itself keeps (/var/lib/ha-pair), or is in it; "
                f"{model.OWN_CURE}",
            )
            for path in ("/var/lib/ha-pair", "/var/lib/ha-pair/sync/kept")
        ),
        (
            {"directories": at("/srv/a", "/srv/a/b")},
            f"{PLACE}.d1.path: '/srv/a/b' is inside that of d0 (/srv/a); leave it out, d0 mirrors it",
        ),
        (
            {"directories": at("/srv/a/b", "/srv/a")},
            f"{PLACE}.d1.path: that of d0 (/srv/a/b) is inside '/srv/a'; leave d0 out, d1 mirrors it",
        ),
        (
            {"directories": at("/srv/a", "/srv/a")},
            f"{PLACE}.d1.path: '/srv/a' is that of d0 too; give each directory once",
        ),
        (
            {"directories": {"x": {"path": "/srv/x", "exclude": "*.tmp"}}},
            f"{PLACE}.x.exclude: is a string ('*.tmp'), not a list; {model.EXCLUDE_CURE}",
        ),
        *(
            (
                {"directories": {"x": {"path": "/srv/x", "exclude": [pattern]}}},
                f"{PLACE}.x.exclude[0]: {shown} is not a pattern; {model.EXCLUDE_CURE}",
            )
            for pattern, shown in (("+ x", "'+ x'"), ("", "''"), ("a\nb", r"'a\nb'"), (5, "5"))
        ),
        (
            {"directories": {"x": {"path": "/srv/x", "owner": "nobody-here"}}},
            f"{PLACE}.x.owner: there is no user 'nobody-here'; {model.ACCOUNT_CURE}",
        ),
        (
            {"directories": {"x": {"path": "/srv/x", "group": "apps"}}, "groups": ["app"]},
            f"{PLACE}.x.group: there is no group 'apps'; did you mean 'app'?",
        ),
        (
            {"directories": {"x": {"path": "/srv/x", "owner": 0}}},
            f"{PLACE}.x.owner: 0 is not the name of a user; {model.ACCOUNT_CURE}",
        ),
        (
            {"directories": {"x": {"path": "/srv/x", "mode": 750}}},
            f"{PLACE}.x.mode: 750 is an integer, and no mode of a directory; {model.MODE_CURE}",
        ),
        (
            {"members": {"node-b": "192.0.2.12", "node-c": "192.0.2.13"}},
            f"node-a: file_sync_members: names node-b and node-c, and not node-a itself; {values.MEMBERS_CURE}",
        ),
        (
            {"members": {"node-a": "192.0.2.11"}},
            f"node-a: file_sync_members: has 1 members, not 2; {values.MEMBERS_CURE}",
        ),
        (
            {"members": {"node-a": "192.0.2.11", "node-b": "192.0.2.11"}},
            f"node-a: file_sync_members.node-b: 192.0.2.11 is the other node's too; {values.MEMBERS_CURE}",
        ),
        (
            {"members": {"node-a": "192.0.2.11", "node-b": "node-b.example.com"}},
            "node-a: file_sync_members.node-b: 'node-b.example.com' is not an address that the other node can reach; "
            f"{values.MEMBERS_CURE}",
        ),
        (
            {"first": "node-c"},
            "node-a: file_sync_first: 'node-c' is not one of file_sync_members; give node-a or node-b, or leave it out",
        ),
        (
            {"instance": "ap"},
            "node-a: file_sync_instance: 'ap' is not one of keepalived_instances (app); did you mean 'app'?",
        ),
        (
            {"instance": ""},
            "node-a: file_sync_instance: is empty; give the name of the VRRP instance whose owner is the source, one "
            "of keepalived_instances",
        ),
        ({"interval": 0}, f"node-a: file_sync_interval: 0 is not in 1..3600; {model.INTERVAL_CURE}"),
        ({"interval": "soon"}, f"node-a: file_sync_interval: 'soon' is not an integer; {model.INTERVAL_CURE}"),
        (
            {"timeout": 1},
            "node-a: file_sync_timeout: 1 is not in 5..3600; give the seconds after which a silent peer is given up",
        ),
        (
            {"bandwidth": -1},
            "node-a: file_sync_bandwidth: -1 is not in 0..10000000; give KiB in a second, or 0 for no limit",
        ),
        (
            {"keep_days": 0},
            "node-a: file_sync_keep_days: 0 is not in 1..3650; give the days for which replaced files are kept",
        ),
        ({"port": 0}, "node-a: file_sync_port: 0 is not in 1..65535; give the TCP port of sshd, such as 22"),
        (
            {"watch": "inotify"},
            "node-a: file_sync_watch: 'inotify' is not one of auto, lsyncd, systemd; leave it out for auto",
        ),
        (
            {"service": "fetch", "services": ["fetcher"]},
            "node-a: file_sync_service: 'fetch' is not one of java_service_services that run on one node only "
            "(fetcher); did you mean 'fetcher'?",
        ),
        (
            {"service": "fetcher.service"},
            f"node-a: file_sync_service: 'fetcher.service' is not the name of a service; {model.SERVICE_CURE}",
        ),
        (
            {"existing": {"node-a": {"data": {"kind": "other", "real": "/srv/data", "empty": True, "marker": False}}}},
            f"{PLACE}.data.path: /srv/data is not a directory, or cannot be looked into; move away what is there, or "
            "give another path",
        ),
        (
            {"existing": {"node-a": {"data": {"kind": "absent", "real": "/mnt/x", "empty": True, "marker": False}}}},
            f"{PLACE}.data.path: /srv/data leads to /mnt/x by a link; give /mnt/x, on both nodes",
        ),
        (
            {"existing": {"node-a": {"data": {"kind": "directory", "real": "/srv/data", "open_parent": "/srv"}}}},
            f"{PLACE}.data.path: others than root may write to /srv, and put something else there; give a path below "
            "directories of root, or /srv to root alone",
        ),
        (
            {"users": {"app": 990}, "peer_users": {"app": 991}},
            f"{PLACE}.data.owner: 'app' is number 990 here and 991 on node-b; give it the same number on both nodes",
        ),
        (
            {"existing": {node: {"data": {"empty": False, "marker": False}} for node in ("node-a", "node-b")}},
            f"{PLACE}.data: /srv/data has files on node-a and on node-b, and nothing was ever mirrored; empty it on "
            "one node, or say whose files win (file_sync_first: node-a)",
        ),
    ],
)
def test_refuses(given: dict[str, t.Any], problem: str) -> None:
    assert refusals(**given) == [problem]


def test_where_a_service_is_named_the_programs_follow_it() -> None:
    found = build(service="fetcher", services=["fetcher"])
    assert (found.service, found.settings["service"]) == ("fetcher", "fetcher")
    assert build(service="fetcher").service == "fetcher"
    assert build().settings["service"] == ""


def test_accounts_with_the_same_number_or_none_yet_are_well() -> None:
    assert build(users={"app": 990}, peer_users={"app": 990})
    assert build(users={"app": -1}, peer_users={"app": 990})
    assert build(users={"app": 990}, peer_users={"other": 1})


def test_the_filter_gives_the_model_and_all_that_is_wrong() -> None:
    given = {**GIVEN, "vrrp_instance": "app", "vrrp_instances": ["app"]}
    directories, members = given.pop("directories"), given.pop("members")
    del given["instance"], given["instances"]
    assert file_sync_model(directories, members, **given) == build().to_dict()
    with pytest.raises(AnsibleFilterError, match=re.escape("duplex.ha_pair.file_sync_model refuses this input")):
        file_sync_model({}, members, **given)
