# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of the Java services of a node: what is refused and with which words, and what comes out."""

from __future__ import annotations

import copy
import functools
import json
import shlex
import typing as t
import zipfile
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.filter.java_service_model import java_service_model
from ansible_collections.duplex.ha_pair.plugins.module_utils._node import active_settings
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._java import arbiter, ready, services
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._java.model import Model, build_services
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._java.quoting import environment_line, exec_word
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.values import MEMBERS_CURE

SECRET = "correct-horse-battery"
DIGEST = "0123456789abcdef" * 4
FACTS = {
    "os_family": "Debian",
    "distribution": "Debian",
    "distribution_major_version": "12",
    "architecture": "x86_64",
}
MEMBERS = {"node-a": "198.51.100.11", "node-b": "198.51.100.12"}
INSTANCES = {"fetch": {"vrid": 51, "services": {"fetcher": {"active_standby": True}}}}
FETCHER: dict[str, t.Any] = {
    "jar": "/srv/releases/fetcher.jar",
    "ready": {"url": "http://127.0.0.1:8081/health"},
}
GIVEN: dict[str, t.Any] = {
    "services": {"fetcher": FETCHER},
    "members": MEMBERS,
    "secret": SECRET,
    "port": 7411,
    "watchdog": 3,
    "witness_address": "",
    "witness_port": 7412,
    "witness_secret": "",
    "java_version": "",
    "java_home": "",
}
PLACE = "java_service_services.fetcher"


def build(service: dict[str, t.Any] | None = None, *, seen: dict[str, t.Any] | None = None, **given: t.Any) -> Model:
    values = {**copy.deepcopy(GIVEN), **given}
    if service is not None:
        merged = {**copy.deepcopy(FETCHER), **service}
        values["services"] = {"fetcher": {key: value for key, value in merged.items() if value is not ...}}
    known = {"instances": INSTANCES, **(seen or {})}
    return build_services(values, node="node-a", facts=FACTS, **known)


def refusals(
    service: dict[str, t.Any] | None = None, *, seen: dict[str, t.Any] | None = None, **given: t.Any
) -> list[str]:
    with pytest.raises(InputError) as raised:
        build(service, seen=seen, **given)
    return [str(problem) for problem in raised.value.problems]


def test_a_jar_runs_with_the_distributions_java() -> None:
    model = build(
        {"heap": "256m", "jvm_options": ["-XX:+UseSerialGC"], "arguments": ["--port", 8081, "a b", "50%", "$HOME"]},
        seen={"jars": {"/srv/releases/fetcher.jar": {"exists": True, "sha256": DIGEST}}},
    )
    [service] = model.services
    assert model.java is not None
    assert model.java.package == "default-jre-headless"
    assert service.jar is not None
    assert (service.jar.path, service.jar.staged) == ("/srv/releases/fetcher.jar", False)
    assert shlex.split(service.start) == [
        "/usr/lib/jvm/default-java/bin/java",
        "-XX:+ExitOnOutOfMemoryError",
        "-Xmx256m",
        "-Djava.awt.headless=true",
        "-XX:+UseSerialGC",
        "-jar",
        f"/var/lib/ha-pair/java/fetcher/{DIGEST[:16]}/fetcher.jar",
        "--port",
        "8081",
        "a b",
        # Both are systemd's own signs.
        "50%%",
        "$$HOME",
    ]
    assert (service.user, service.working_directory, service.given_directory) == ("fetcher", "/var/lib/fetcher", False)
    assert (service.mode, service.instance) == ("active_standby", "fetch")


def test_a_jar_that_lies_there_is_not_brought_again() -> None:
    model = build(
        seen={
            "jars": {"/srv/releases/fetcher.jar": {"exists": True, "sha256": DIGEST}},
            "survey": {"releases": {"fetcher": [DIGEST[:16]]}},
        }
    )
    jar = model.services[0].jar
    assert jar is not None
    assert (jar.path, jar.url, jar.staged) == (None, None, True)


def test_the_agent_reads_what_comes_out() -> None:
    """The settings that are written are those that the program on the node takes, with the same numbers."""
    model = build(
        {"stop_timeout": 4, "companions": ["report.timer"]},
        seen={"units": {"report.timer": {"load": "loaded"}}, "followers": {"fetcher": ["ha-pair-sync-source.service"]}},
    )
    assert model.secrets == ("channel",)
    read = active_settings.read_settings(json.dumps(model.agent), json.dumps({"channel": SECRET}))
    entry = read["services"]["fetcher"]
    assert entry["companions"] == ["ha-pair-sync-source.service", "report.timer"]
    assert entry["stop_timeout"] == 4
    assert entry["arbiter"]["address"] == "198.51.100.12"
    assert entry["arbiter"]["first"] is True
    assert entry["arbiter"]["timeout"] == active_settings.shortest_timeout(3, 2, 4)
    assert read["listen"]["address"] == "198.51.100.11"


def test_the_agent_reads_a_witness() -> None:
    model = build({"arbiter": {"kind": "witness"}}, witness_address="198.51.100.20", witness_secret=SECRET, secret="")
    assert model.secrets == ("witness",)
    assert model.agent is not None
    assert model.agent["listen"] is None
    read = active_settings.read_settings(json.dumps(model.agent), json.dumps({"witness": SECRET}))
    found = read["services"]["fetcher"]["arbiter"]
    assert (found["pair"], found["address"], found["port"]) == ("node-a/node-b", "198.51.100.20", 7412)
    assert found["lease"] == pytest.approx(max(15, active_settings.shortest_lease(3, 10)))


def test_a_command_needs_no_channel() -> None:
    model = build({"arbiter": {"kind": "command", "command": ["/usr/local/sbin/fence"]}}, members={}, secret="")
    assert model.secrets == ()
    assert model.agent is not None
    active_settings.read_settings(json.dumps(model.agent), "{}")


def test_nobody_to_ask_is_said_not_assumed() -> None:
    assert build({"arbiter": {"kind": "none"}}, members={}, secret="").secrets == ()
    assert refusals(members={}) == [
        f"{PLACE}.arbiter: is peer, and the nodes have no channel to each other; give java_service_members and "
        "java_service_secret, or another arbiter: two nodes that cannot ask each other cannot know"
    ]


def test_a_secret_is_never_shown() -> None:
    assert refusals(secret="short") == [f"java_service_secret: is too short; {arbiter.VAULT_CURE}"]
    assert refusals(secret="") == [f"java_service_secret: is missing; {arbiter.VAULT_CURE}"]
    assert refusals(secret=1234567890123456) == [
        f"java_service_secret: is an integer, not a string; {arbiter.VAULT_CURE}"
    ]
    plain = build({"environment": {"PASSWORD": "hunter2-hunter2"}}).to_dict()
    assert plain["environments"] == {"fetcher": ['PASSWORD="hunter2-hunter2"']}
    assert "hunter2" not in json.dumps([plain["services"], plain["agent"]])
    assert SECRET not in json.dumps(plain)


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ({"jar": ...}, f"{PLACE}: has nothing to run; {services.SOURCE_CURE}"),
        (
            {"command": ["/usr/bin/program"]},
            f"{PLACE}.jar: is for a jar, and there is a command; give one of the two",
        ),
        (
            {"jar": "fetcher.jar"},
            f"{PLACE}.jar: 'fetcher.jar' is not an absolute path; give one such as "
            '"{{ inventory_dir }}/files/fetcher.jar"',
        ),
        (
            {"jar": ..., "url": "https://example.com/fetcher.jar"},
            f"{PLACE}.checksum: is missing, and url is given; give jar: the path of a file on the controller, or url: "
            "with checksum: sha256:...",
        ),
        (
            {"mode": "standby"},
            f"{PLACE}.mode: 'standby' is not one of active_standby, active_active; did you mean 'active_standby'?",
        ),
        ({"hepa": "1g"}, f"{PLACE}.hepa: unknown key; did you mean 'heap'?"),
        (
            {"user": "root"},
            f"{PLACE}.user: is root, and whoever breaks into the service has the node; give an account "
            "of its own, such as fetcher, or leave it out for that",
        ),
        (
            {"start_timeout": 2, "ready": {"url": "http://127.0.0.1/", "interval": 5}},
            f"{PLACE}.start_timeout: 2 is shorter than ready.interval, 5; give the time in which the slowest start is "
            "ready, and a shorter interval",
        ),
        ({"ready": {}}, f"{PLACE}.ready: has none of the ways to ask; {ready.READY_CURE}"),
        ({"ready": {"tcp": "8081"}}, f"{PLACE}.ready.tcp: '8081' is not HOST:PORT; give one such as 127.0.0.1:8081"),
        (
            {"ready": {"url": "ftp://127.0.0.1/"}},
            f"{PLACE}.ready.url: 'ftp://127.0.0.1/' is not a plain http or https URL; give one that the service "
            "answers with 200 to 399 once it is ready, such as http://127.0.0.1:8081/health",
        ),
        (
            {"working_directory": "srv"},
            f"{PLACE}.working_directory: 'srv' is not a plain absolute path; {services.PATH_CURE}",
        ),
        (
            {"working_directory": "/var/lib"},
            f"{PLACE}.working_directory: /var/lib holds more than the files of a service; give a directory of its own "
            "such as /srv/fetcher",
        ),
        (
            {"heap": "512m", "memory_max": "512M"},
            f"{PLACE}.heap: 512m leaves nothing of memory_max, 512M, to the rest of the JVM; give less, or a larger "
            "memory_max",
        ),
        ({"memory_max": "much"}, f"{PLACE}.memory_max: 'much' is not an amount of memory; {services.MEMORY_CURE}"),
        (
            {"jvm_options": ["-Xmx1g"]},
            f"{PLACE}.jvm_options[0]: -Xmx1g sets the heap; give {PLACE}.heap",
        ),
        (
            {"companions": ["report"]},
            f"{PLACE}.companions[0]: 'report' is not the name of a unit; {services.UNIT_CURE}",
        ),
        (
            {"companions": ["fetcher.service"]},
            f"{PLACE}.companions[0]: fetcher.service is the service itself; {services.UNIT_CURE}",
        ),
        (
            {"companions": ["keepalived.service"]},
            f"{PLACE}.companions[0]: keepalived.service is what the pair itself needs on both nodes; "
            f"{services.UNIT_CURE}",
        ),
        (
            {"class_data_sharing": {}},
            f"{PLACE}.class_data_sharing.arguments: is missing; {services.SHARING_CURE}",
        ),
        (
            {"environment": {"A-B": "x"}},
            f"{PLACE}.environment.A-B: is not the name of a variable; give letters, digits and _",
        ),
        (
            {"environment": {"A": "x\ny"}},
            f"{PLACE}.environment.A: holds a line break or another control character; give a text of one line",
        ),
        (
            {"arbiter": {"kind": "pear"}},
            f"{PLACE}.arbiter.kind: 'pear' is not one of none, peer, witness, command; did you mean 'peer'?",
        ),
        (
            {"arbiter": {"kind": "peer", "timeout": 5}},
            f"{PLACE}.arbiter.timeout: 5 is not in 16..600 seconds; give at least 16, the time in which a node stops "
            "by itself, or a shorter stop_timeout",
        ),
        (
            {"arbiter": {"kind": "command"}},
            f"{PLACE}.arbiter.command: is nothing (None), not a list; {arbiter.COMMAND_CURE}",
        ),
        (
            {"mode": "active_active", "ready": {"file": "/run/ready"}},
            f"{PLACE}.ready: has nothing by which a client could be served; give {{url: http://127.0.0.1:8081/health}} "
            "or {tcp: 127.0.0.1:8081}, so that a node that does not answer is left out",
        ),
        (
            {"instance": "fetsch"},
            f"{PLACE}.instance: 'fetsch' is not one of keepalived_instances (fetch); did you mean 'fetch'?",
        ),
    ],
)
def test_what_is_refused(service: dict[str, t.Any], words: str) -> None:
    assert words in refusals(service)


def test_what_is_refused_by_what_was_found() -> None:
    jar = {"/srv/releases/fetcher.jar": {"exists": False}}
    assert refusals(seen={"jars": jar}) == [
        f"{PLACE}.jar: '/srv/releases/fetcher.jar' is not there on the controller; build it, or mend the path"
    ]
    jar = {"/srv/releases/fetcher.jar": {"exists": True, "sha256": DIGEST}}
    other = "f" * 64
    assert refusals({"checksum": f"sha256:{other}"}, seen={"jars": jar}) == [
        f"{PLACE}.checksum: '/srv/releases/fetcher.jar' has sha256:{DIGEST}, not sha256:{other}; give the jar that was "
        "meant, or its checksum"
    ]
    assert refusals({"uid": 991}, seen={"survey": {"accounts": {"fetcher": 990}, "uids": {}}}) == [
        f"{PLACE}.uid: is 991, and fetcher has 990 on this node; give 990, or change it on the node together with the "
        "owner of its files"
    ]
    assert refusals({"uid": 991}, seen={"survey": {"accounts": {"fetcher": None}, "uids": {"991": "redis"}}}) == [
        f"{PLACE}.uid: 991 is that of redis on this node; give one that is free on both nodes"
    ]
    assert refusals({"companions": ["report.timer"]}, seen={"units": {"report.timer": {"load": "not-found"}}}) == [
        f"{PLACE}.companions[0]: report.timer is not a unit of this node; install what brings it first, or leave it out"
    ]


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("missing", "is not there; make it, for fetcher to write to, or leave it out for /var/lib/fetcher"),
        ("refused", 'cannot be written to by fetcher; run "chown fetcher /srv/data", or give another directory'),
        ("file", "is not a directory; give a directory"),
        ("silent", "does not answer; see whether its file server does"),
    ],
)
def test_a_working_directory_that_does_not_work(word: str, words: str) -> None:
    seen = {"survey": {"paths": {"fetcher": {"/srv/data": word}}}}
    assert refusals({"working_directory": "/srv/data"}, seen=seen) == [f"{PLACE}.working_directory: /srv/data {words}"]
    # Another role of the same run makes it.
    assert build({"working_directory": "/srv/data"}, seen={**seen, "made": ["/srv/data"]}).services


def test_keepalived_has_to_know_the_service() -> None:
    assert refusals(seen={"instances": {"fetch": {"vrid": 51}}}) == [
        f"{PLACE}.instance: keepalived_instances.fetch.services does not know fetcher, so a node on which it cannot "
        "run would keep the VIP; add fetcher: {active_standby: true} there"
    ]
    assert refusals(seen={"instances": {**INSTANCES, "other": {}}}) == [
        f"{PLACE}.instance: is missing; give the name of the VRRP instance whose VIP it follows, one of "
        "keepalived_instances"
    ]
    assert refusals({"mode": "active_active"}) == [
        f"{PLACE}.mode: is active_active, and keepalived_instances.fetch.services.fetcher says active_standby; let "
        "both say the same"
    ]


def test_what_keepalived_waits_for_is_started_by_somebody() -> None:
    other = {"fetch": {"services": {"fetcher": {"active_standby": True}, "report": {"active_standby": "yes"}}}}
    what = "so nobody would start it and no node would have the VIP"
    assert refusals(seen={"instances": other}) == [
        "keepalived_instances.fetch.services.report: is active_standby, and java_service_services has no report, "
        f"{what}; add report to java_service_services, or leave active_standby out"
    ]
    other["fetch"]["services"] = {"fetcher": {"active_standby": True}, "fetchre": {"active_standby": True}}
    assert refusals(seen={"instances": other})[0].endswith(f"{what}; did you mean 'fetcher'?")
    for nobody in ([], {"nginx": {}, "report": {"active_standby": False}, "fetcher": {"active_standby": True}}):
        instances = {**INSTANCES, "other": {"services": nobody}}
        assert build({"instance": "fetch"}, seen={"instances": instances}).services


def test_a_service_on_both_nodes_has_nothing_to_arbitrate() -> None:
    model = build({"mode": "active_active"}, seen={"instances": {}}, members={}, secret="")
    assert model.agent is None
    assert model.services[0].ready.url == "http://127.0.0.1:8081/health"
    on_tcp = build({"mode": "active_active", "ready": {"tcp": "[::1]:8081"}}, seen={"instances": {}})
    assert on_tcp.services[0].ready.url == "tcp://[::1]:8081"
    assert refusals({"mode": "active_active", "confirm": 2}, seen={"instances": {}}) == [
        f"{PLACE}.confirm: is for a service that runs on one node only; leave it out"
    ]


@pytest.mark.parametrize(
    "seen",
    [
        {"units": {"fetcher.service": {"load": "loaded", "enabled": True}}},
        {"units": {"ha-pair-track-fetcher.service": {"load": "loaded"}}},
        {"survey": {"drop_ins": {"fetcher": ["/etc/systemd/system/fetcher.service.d/ha-pair.conf"]}}},
    ],
)
def test_one_that_ran_on_both_nodes_is_cleared_away_first(seen: dict[str, t.Any]) -> None:
    assert refusals(seen=seen) == [
        f"{PLACE}.mode: is active_standby, and fetcher.service is still set up to run on both nodes; run "
        '"systemctl disable --now fetcher.service; rm -f /etc/systemd/system/ha-pair-track-fetcher.service '
        '/etc/systemd/system/fetcher.service.d/ha-pair.conf; systemctl daemon-reload" on both nodes, and deploy them '
        "again"
    ]
    assert build({"mode": "active_active"}, seen={**seen, "instances": {}}).services


def test_one_that_ran_on_one_node_is_cleared_away_first() -> None:
    units = {"fetcher.service": {"load": "loaded"}, "ha-pair-fetcher.target": {"load": "loaded"}}
    seen = {"units": units, "survey": {"drop_ins": {"fetcher": ["/etc/systemd/system/a.timer.d/ha-pair-fetcher.conf"]}}}
    assert refusals({"mode": "active_active"}, seen={**seen, "instances": {}}) == [
        f"{PLACE}.mode: is active_active, and fetcher.service is still set up to run on one node "
        '(ha-pair-fetcher.target); run "systemctl stop ha-pair-active.service; rm -f '
        "/etc/systemd/system/ha-pair-fetcher.target /etc/systemd/system/*.d/ha-pair-fetcher.conf; systemctl "
        'daemon-reload" on both nodes, and deploy them again'
    ]
    assert build(seen=seen).services


def test_two_services_share_no_companion() -> None:
    two = {name: {**FETCHER, "companions": ["report.timer"], "arbiter": {"kind": "none"}} for name in ("one", "two")}
    instances = {"fetch": {"services": {name: {"active_standby": True} for name in two}}}
    units = {"report.timer": {"load": "loaded"}}
    assert refusals(services=two, seen={"instances": instances, "units": units}) == [
        "java_service_services.two.companions: report.timer is a companion of one as well; give each unit to one "
        "service"
    ]


def test_what_a_timer_starts_ends_with_the_service_and_is_not_started_with_it() -> None:
    units = {
        "report.timer": {"load": "loaded", "triggers": ["report.service"]},
        "poll.path": {"load": "loaded", "triggers": ["fetcher.service", "import.service"]},
        "import.service": {"load": "loaded"},
    }
    model = build({"companions": [*units]}, seen={"units": units})
    [service] = model.services
    assert service.companions == tuple(units)
    assert service.triggered == ("report.service",)
    assert model.agent is not None
    assert model.agent["services"]["fetcher"]["companions"] == [*units, "report.service"]
    pair = {"a.timer": {"load": "loaded", "triggers": ["ha-pair-sync.service"]}}
    assert refusals({"companions": ["a.timer"]}, seen={"units": pair}) == [
        f"{PLACE}.companions: a.timer starts ha-pair-sync.service, which the pair itself needs on both nodes; leave "
        "a.timer out"
    ]


@pytest.mark.parametrize("unit", ["one.service", "one.timer"])
def test_a_service_is_no_companion_of_another(unit: str) -> None:
    two = {name: {**FETCHER, "arbiter": {"kind": "none"}} for name in ("one", "two")}
    two["two"]["companions"] = [unit]
    instances = {"fetch": {"services": {name: {"active_standby": True} for name in two}}}
    units = {unit: {"load": "loaded"}, "one.timer": {"load": "loaded", "triggers": ["one.service"]}}
    assert refusals(services=two, seen={"instances": instances, "units": units}) == [
        "java_service_services.two.companions: one.service is a service of java_service_services itself, with a VIP "
        "and an arbiter of its own; leave it out; give both the same instance, so that they run on one node"
    ]


def test_an_account_that_is_there_keeps_its_group() -> None:
    assert build(seen={"survey": {"groups": {"fetcher": "daemons"}}}).services[0].group == "daemons"
    assert build(seen={"survey": {"groups": {"fetcher": None}}}).services[0].group == "fetcher"


def test_a_number_is_free_for_the_group_as_well() -> None:
    seen = {"accounts": {"fetcher": None}, "gids": {"991": "docker"}}
    assert refusals({"uid": 991}, seen={"survey": seen}) == [
        f"{PLACE}.uid: 991 is the number of the group docker on this node, and fetcher is to have a group of that "
        "number; give one that is free as a group's as well, on both nodes"
    ]
    assert refusals({"uid": 991}, seen={"survey": {"accounts": seen["accounts"], "named_groups": {"fetcher": 70}}}) == [
        f"{PLACE}.uid: is 991, and the group fetcher has 70 on this node; give 70, or remove that group when nothing "
        "is its own"
    ]
    for well in ({"gids": {"991": "fetcher"}, "named_groups": {"fetcher": 991}}, {"accounts": {"fetcher": 991}}):
        assert build({"uid": 991}, seen={"survey": {**seen, **well}}).services


def test_a_directory_of_somebody_else_is_not_taken() -> None:
    seen = {"owners": {"fetcher": {"/srv/out": "redis", "/var/lib/fetcher": "1000"}}}
    service = {"write_paths": ["/srv/out"]}
    assert refusals(service, seen={"survey": seen}) == [
        f'{PLACE}.working_directory: /var/lib/fetcher is there, and belongs to 1000; run "chown fetcher '
        '/var/lib/fetcher" on the node if fetcher is to have it, or give another directory',
        f'{PLACE}.write_paths[0]: /srv/out is there, and belongs to redis; run "chown fetcher /srv/out" on the node if '
        "fetcher is to have it, or give another directory",
    ]
    # An account that is to be made has the number already.
    assert build({**service, "uid": 1000}, seen={"survey": seen, "mounts": ["/srv"]}).services[0].makes == (
        "/var/lib/fetcher",
        "/srv/out",
    )
    # Another role makes it, and gives it to whom it wants.
    made = build({**service, "uid": 1000}, seen={"survey": seen, "owned": ["/srv/out"]})
    assert made.services[0].makes == ("/var/lib/fetcher",)
    assert made.to_dict()["survey"][0]["own"] == ["/var/lib/fetcher"]
    words = {"paths": {"fetcher": {"/srv/out": "file", "/var/lib/fetcher": "missing"}}}
    assert refusals(service, seen={"survey": words}) == [
        f"{PLACE}.write_paths[0]: /srv/out is not a directory; give a directory"
    ]


def test_two_accounts_do_not_share_a_directory() -> None:
    two = {name: {**FETCHER, "write_paths": ["/srv/out"], "arbiter": {"kind": "none"}} for name in ("one", "two")}
    seen = {"instances": {"fetch": {"services": {name: {"active_standby": True} for name in two}}}}
    assert refusals(services=two, seen=seen) == [
        "java_service_services.two.write_paths: /srv/out is to be made for two, and for one by one; give each service "
        "a directory of its own, or both the same user"
    ]
    assert build(services=two, seen={**seen, "owned": ["/srv/out"]}).services
    for entry in two.values():
        entry["user"] = "shared"
    assert build(services=two, seen=seen).services


def test_an_account_has_one_number() -> None:
    two = {
        "one": {**FETCHER, "user": "shared", "uid": 991, "arbiter": {"kind": "none"}},
        "two": {**FETCHER, "user": "shared", "arbiter": {"kind": "none"}},
    }
    instances = {"fetch": {"services": {name: {"active_standby": True} for name in two}}}
    assert refusals(services=two, seen={"instances": instances}) == [
        "java_service_services.two.uid: is missing, and one, which runs as shared too, has 991; give both the same, or "
        "each an account of its own"
    ]


def test_members_are_those_of_a_pair() -> None:
    assert refusals(members={"node-b": "198.51.100.12", "node-c": "198.51.100.13"})[0] == (
        f"node-a: java_service_members: names node-b and node-c, and not node-a itself; {MEMBERS_CURE}"
    )


def test_a_witness_has_to_be_somewhere() -> None:
    service = {"arbiter": {"kind": "witness"}}
    assert refusals(service, witness_secret=SECRET) == [
        f"java_service_witness_address: is missing; {arbiter.WITNESS_CURE}"
    ]
    assert refusals(service, witness_address="198.51.100.20") == [
        f"java_service_witness_secret: is missing; {arbiter.VAULT_CURE}"
    ]
    too_short = {"arbiter": {"kind": "witness", "lease": 10}}
    assert refusals(too_short, witness_address="198.51.100.20", witness_secret=SECRET) == [
        f"{PLACE}.arbiter.lease: 10 is not in 21..300 seconds; give at least 21, so that there is time to stop, or a "
        "shorter stop_timeout"
    ]


def test_a_stop_may_take_as_long_as_somebody_can_be_asked_to_wait() -> None:
    assert refusals(
        {"stop_timeout": 197, "arbiter": {"kind": "witness"}}, witness_address="198.51.100.20", witness_secret=SECRET
    ) == [
        f"{PLACE}.stop_timeout: 197 is longer than a loan of a witness, 300 seconds at the most, leaves to stop; give "
        "at most 196, or another arbiter"
    ]
    for kind in ({"kind": "peer"}, {"kind": "command", "command": ["/usr/local/sbin/fence"]}):
        model = build({"stop_timeout": 300, "arbiter": kind})
        assert model.agent is not None
        assert model.agent["services"]["fetcher"]["arbiter"]["lease"] == 300
        active_settings.read_settings(json.dumps(model.agent), json.dumps({"channel": SECRET}))


def test_a_witness_lends_for_as_long_as_it_is_asked_to() -> None:
    given = {"witness_address": "198.51.100.20", "witness_secret": SECRET}
    what = f"{PLACE}.arbiter.lease: is 30, and the witness 198.51.100.20 lends for"
    service = {"arbiter": {"kind": "witness", "lease": 30}}
    assert refusals(service, seen={"witness_lease": "25"}, **given) == [
        f"{what} 25 seconds at the most; give active_witness_lease: 30 or more there, or at most 25 here"
    ]
    assert refusals(service, seen={"witness_lease": 20}, **given) == [
        f"{what} 20 seconds at the most; give active_witness_lease: 30 or more there, or a shorter stop_timeout here"
    ]
    for known in (30, 60.0, "", None, "much"):
        assert build(service, seen={"witness_lease": known}, **given).agent


def test_an_archive_of_classes_is_made_as_the_program_runs() -> None:
    jar = {"/srv/releases/fetcher.jar": {"exists": True, "sha256": DIGEST}}
    sharing = {"arguments": ["--version"], "timeout": 30}
    [service] = build({"class_data_sharing": sharing}, seen={"jars": jar}).services
    directory = f"/var/lib/ha-pair/java/fetcher/{DIGEST[:16]}"
    assert service.sharing is not None
    assert service.sharing.words == (
        "/usr/lib/jvm/default-java/bin/java",
        "-XX:ArchiveClassesAtExit=%s",
        "-jar",
        f"{directory}/fetcher.jar",
        "--version",
    )
    assert f"-XX:SharedArchiveFile={directory}/fetcher.jsa -Xshare:auto" in service.start
    assert refusals({"class_data_sharing": sharing}, seen={"jars": jar}, java_version="8")[-1].startswith(
        "java_service_java_version: Debian 12 has no Java 8"
    )
    found = {"java": [{"home": "/usr/lib/jvm/java-8", "version": 8, "default": False}]}
    assert refusals({"class_data_sharing": sharing}, seen={"jars": jar, "survey": found}, java_version="8") == [
        f"{PLACE}.class_data_sharing: needs Java 13 or newer, and java_service_java_version is 8; leave it out, or "
        "give a newer Java"
    ]


@pytest.mark.parametrize(
    ("found", "given", "version"),
    [
        ([{"home": "/usr/lib/jvm/default-java", "version": 11, "default": True}], {}, 11),
        ([{"home": "/usr/lib/jvm/jdk-8", "version": 8, "default": False}], {"java_home": "/usr/lib/jvm/jdk-8/"}, 8),
    ],
)
def test_sharing_needs_a_java_that_can(found: list[dict[str, t.Any]], given: dict[str, t.Any], version: int) -> None:
    service = {"class_data_sharing": {"arguments": ["--version"]}}
    words = (
        f"{PLACE}.class_data_sharing: needs Java 13 or newer, and that of this node is {version}; leave it out, or "
        "give a newer Java"
    )
    assert refusals(service, seen={"survey": {"java": found}}, **given) == [words]
    # That of Debian 12, which is to be installed; and one of which nothing is known.
    assert build(service, seen={"survey": {"java": []}}).services
    assert build(service, java_home="/opt/java").services


def test_sharing_needs_a_distribution_that_has_such_a_java() -> None:
    values = copy.deepcopy(GIVEN)
    values["services"]["fetcher"]["class_data_sharing"] = {"arguments": []}
    for major, survey in (("11", None), ("13", {"java": []})):
        facts = {**FACTS, "distribution_major_version": major}
        assert build_services(values, node="node-a", facts=facts, instances=INSTANCES, survey=survey).services
    facts = {**FACTS, "distribution_major_version": "11"}
    with pytest.raises(InputError, match="and that of this node is 11; leave it out"):
        build_services(values, node="node-a", facts=facts, instances=INSTANCES, survey={"java": []})


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/tmp/ready", "/tmp/ready is in a directory of which the service has one of its own (PrivateTmp=)"),
        ("/var/tmp/ready", "/var/tmp/ready is in a directory of which the service has one of its own (PrivateTmp=)"),
        (
            "/run/fetcher/ready",
            "/run/fetcher/ready is in none of its working_directory and write_paths, so it cannot make it",
        ),
    ],
)
def test_a_file_of_readiness_is_where_both_see_it(path: str, what: str) -> None:
    assert refusals({"ready": {"file": path}}) == [
        f"{PLACE}.ready.file: {what}; give one in a directory of its own, such as /var/lib/fetcher/ready"
    ]
    for own in ("/var/lib/fetcher/ready", "/srv/out/a/ready"):
        assert build({"ready": {"file": own}, "write_paths": ["/srv/out"]}).services


@pytest.mark.parametrize("name", ["keepalived", "ha-pair-active", "ha-pair"])
def test_the_names_of_the_pair_are_its_own(name: str) -> None:
    assert refusals(services={name: FETCHER}, seen={"instances": {}}) == [
        f"java_service_services.{name}: has the name of what the pair itself needs; {services.NAME_CURE}"
    ]


def test_a_jar_is_an_archive(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jar", tmp_path / "bad.jar"
    with zipfile.ZipFile(good, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Main-Class: x")
    bad.write_text("<html>not found</html>", encoding="utf-8")
    for path, refused in ((good, False), (bad, True)):
        values = copy.deepcopy(GIVEN)
        values["services"]["fetcher"]["jar"] = str(path)
        stat = [{"item": str(path), "stat": {"exists": True, "checksum": DIGEST}}]
        ask = functools.partial(
            java_service_model, values, node="node-a", facts=FACTS, jars=stat, vrrp_instances=INSTANCES
        )
        if refused:
            with pytest.raises(AnsibleFilterError, match=r"bad.jar' is not a jar; give an archive that `jar` or"):
                ask()
        else:
            assert ask()["services"][0]["jar"]["sha256"] == DIGEST


def test_another_program_needs_no_java() -> None:
    model = build({"jar": ..., "command": ["/usr/local/bin/fetch", "--all"], "arguments": ["x y"]})
    assert model.java is None
    assert model.services[0].start == '/usr/local/bin/fetch --all "x y"'


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain", "plain"),
        ("a b", '"a b"'),
        ('say "x"', '"say \\"x\\""'),
        ("50%", '"50%%"'),
        ("$x", '"$$x"'),
        ("", '""'),
    ],
)
def test_words_for_systemd(word: str, written: str) -> None:
    assert exec_word(word) == written


def test_variables_for_systemd() -> None:
    assert environment_line("A", 'x "y" $z `w` \\') == 'A="x \\"y\\" \\$z \\`w\\` \\\\"'
