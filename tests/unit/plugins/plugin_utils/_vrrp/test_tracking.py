# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance watches: services and how they are asked, interfaces, processes, witnesses, and their weights."""

from __future__ import annotations

import typing as t

import pytest

STATE = "/usr/libexec/keepalived/ha-pair-state"
GATEWAY = {"gateway": {"ping": "192.0.2.1"}}


class TestProbes:
    def test_a_service_that_can_be_asked_is_asked_by_the_prober(self, pair: t.Any) -> None:
        model = pair.model({"services": {"nginx": {"health_url": "http://127.0.0.1/ha-pair/health"}}})
        assert model.description()["probes"] == [
            {
                "name": "nginx",
                "kind": "http",
                "target": "http://127.0.0.1/ha-pair/health",
                "interval": 0.2,
                "timeout": 0.25,
                "fall": 2,
                "rise": 2,
                "state_file": "/run/keepalived/ha-pair/failing/nginx",
                "gate": "/run/keepalived/ha-pair/track/nginx",
            }
        ]
        assert [(file.tracker, file.weight, file.reverse) for file in model.track_files] == [
            ("service_nginx", 0, True),
            ("failing_nginx", 0, False),
            ("raise_web", 4, False),
        ]

    @pytest.mark.parametrize(
        ("health", "kind", "target", "command"),
        [
            ("https://[::1]:8443/x", "http", "https://[::1]:8443/x", "ha-pair-check https://[::1]:8443/x 1.8"),
            ("127.0.0.1:8080", "tcp", "127.0.0.1:8080", "ha-pair-check tcp://127.0.0.1:8080 1.8"),
            ("[::1]:8080", "tcp", "[::1]:8080", "ha-pair-check tcp://[::1]:8080 1.8"),
            ("localhost:8080", "tcp", "localhost:8080", "ha-pair-check tcp://localhost:8080 1.8"),
            (["/usr/local/bin/app", "--ok"], "command", ["/usr/local/bin/app", "--ok"], "/usr/local/bin/app --ok"),
        ],
    )
    def test_ways_to_ask(self, pair: t.Any, health: object, kind: str, target: object, command: str) -> None:
        key = {"http": "health_url", "tcp": "health_tcp", "command": "health_command"}[kind]
        model = pair.model({"services": {"app": {key: health}}})
        ((probe,), (service,)) = model.probes, model.services
        assert (probe.kind, probe.target) == (kind, target)
        assert service.check is not None
        assert service.check.command.removeprefix("/usr/libexec/keepalived/") == command

    def test_a_service_may_be_left_to_its_check_script(self, pair: t.Any) -> None:
        model = pair.model({"services": {"nginx": {"health_url": "http://127.0.0.1/", "probe": False}}})
        assert model.probes == []
        assert model.services[0].failing_file is None
        check = model.services[0].check
        assert check is not None
        assert (check.interval, check.timeout, check.fall) == (1.0, 1.0, 2)

    def test_beside_the_prober_the_check_script_is_patient(self, pair: t.Any) -> None:
        (service,) = pair.model({"services": {"nginx": {"health_url": "http://127.0.0.1/"}}}).services
        assert service.check is not None
        assert (service.check.interval, service.check.timeout, service.check.fall) == (2.0, 2.0, 3)

    def test_nothing_is_asked_of_a_service_that_cannot_be_asked(self, pair: t.Any) -> None:
        model = pair.model({"services": ["nginx"]})
        assert (model.probes, model.services[0].check) == ([], None)

    def test_intervals_of_the_prober_are_the_users(self, pair: t.Any) -> None:
        options = {"health_tcp": "127.0.0.1:1", "probe_interval": "0.5", "probe_timeout": 1, "probe_fall": 3}
        (probe,) = pair.model({"services": {"app": options}}).probes
        assert (probe.interval, probe.timeout, probe.fall, probe.rise) == (0.5, 1.0, 3, 2)


class TestActiveStandby:
    FETCHER: t.ClassVar = {"fetcher": {"active_standby": True, "health_url": "http://127.0.0.1:8080/"}}

    def test_keepalived_reads_only_whether_the_node_is_fit(self, pair: t.Any) -> None:
        model = pair.model({"services": self.FETCHER})
        (service,) = model.services
        assert (service.check, service.failing_tracker) == (None, None)
        assert service.failing_file == "/run/keepalived/ha-pair/failing/fetcher"
        assert [(file.tracker, file.file) for file in model.track_files] == [
            ("service_fetcher", "/run/keepalived/ha-pair/track/fetcher"),
            ("raise_web", "/run/keepalived/ha-pair/raise/web"),
        ]
        assert model.instances[0].tracking.scripts == []

    def test_the_prober_asks_while_it_is_ready_here(self, pair: t.Any) -> None:
        (probe,) = pair.model({"services": self.FETCHER}).probes
        assert probe.gate == "/run/keepalived/ha-pair/active/fetcher"
        assert probe.state_file == "/run/keepalived/ha-pair/failing/fetcher"

    def test_the_node_is_told_which_they_are(self, pair: t.Any) -> None:
        services = {"nginx": {}, "zeta": {"active_standby": True}, **self.FETCHER}
        model = pair.model({"services": services})
        assert model.description()["active_standby"] == ["fetcher", "zeta"]
        assert [probe.name for probe in model.probes] == ["fetcher"]

    def test_it_moves_rarely_unless_the_user_says_otherwise(self, pair: t.Any) -> None:
        instance = pair.instance({"services": self.FETCHER})
        assert (instance.mode, instance.advert_interval, instance.preempt_delay) == ("sticky", 1.0, 0.0)
        assert [pair.instance({"services": self.FETCHER}, node).priority for node in ("node-a", "node-b")] == [250, 250]
        given = pair.instance({"services": self.FETCHER, "mode": "preferred", "profile": "balanced"})
        assert (given.mode, given.preferred, given.advert_interval) == ("preferred", "node-a", 0.25)
        no = pair.instance({"services": {"fetcher": {"active_standby": False}}})
        assert (no.mode, no.advert_interval) == ("preferred", 0.25)

    def test_an_old_keepalived_reads_the_file_by_a_script_and_checks_nothing_else(self, pair: t.Any) -> None:
        model = pair.model({"services": self.FETCHER}, version="1.3.5")
        assert [(check.name, check.command, check.rise) for check in model.file_checks] == [
            ("service_fetcher", f"{STATE} one /run/keepalived/ha-pair/track/fetcher", 1),
            ("raise_web", f"{STATE} one /run/keepalived/ha-pair/raise/web", 1),
        ]
        assert model.instances[0].tracking.scripts == ["service_fetcher", "raise_web"]
        assert [probe.gate for probe in model.probes] == ["/run/keepalived/ha-pair/active/fetcher"]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"active_standby": "perhaps"}, "fetcher.active_standby: 'perhaps' is not a boolean; give true or false"),
            (
                {"active_standby": True, "check_fall": 2},
                "fetcher.check_fall: means nothing with active_standby: keepalived asks by no check script what runs "
                "on the owner only; remove it, or give probe_fall for the prober",
            ),
            (
                {"active_standby": True, "health_tcp": "127.0.0.1:1", "probe": False},
                "fetcher.probe: is false, and with active_standby nobody but the prober asks the service; remove it, "
                "or leave health_tcp out",
            ),
        ],
    )
    def test_refuses(self, pair: t.Any, options: dict[str, t.Any], message: str) -> None:
        assert message in pair.refusal({"services": {"fetcher": options}})

    def test_refuses_a_preferred_node_of_what_is_sticky_by_default(self, pair: t.Any) -> None:
        assert "web.preferred: has no meaning in mode 'sticky'; remove it, or take mode 'preferred'" in pair.refusal(
            {"services": self.FETCHER, "preferred": "node-b"}
        )

    def test_refuses_two_instances_that_would_pull_it_apart(self, pair: t.Any) -> None:
        mail = {"vrid": 52, "vips": ["192.0.2.20"], "services": self.FETCHER}
        assert (
            "mail.services.fetcher: fetcher runs where one instance is MASTER, and is in web already; leave it out "
            "here, or put web and mail into one sync_group" in pair.refusal({"services": self.FETCHER}, mail=mail)
        )
        group = {"sync_group": "both"}
        model = pair.model({"services": self.FETCHER, **group}, mail={**mail, **group})
        assert [instance.services for instance in model.instances] == [["fetcher"], ["fetcher"]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"health_tcp": "127.0.0.1"}, "app.health_tcp: '127.0.0.1' is not HOST:PORT; give host and port on this node"),
        ({"health_tcp": 8080}, "app.health_tcp: 8080 is not HOST:PORT; give host and port on this node, such as"),
        ({"health_tcp": "127.0.0.1:70000"}, "app.health_tcp: '127.0.0.1:70000' is not HOST:PORT; give host and port"),
        ({"health_tcp": "[127.0.0.1]:80"}, "app.health_tcp: '[127.0.0.1]:80' is not HOST:PORT; give host and port"),
        (
            {"health_tcp": "192.0.2.50:5432"},
            "app.health_tcp: '192.0.2.50' is not this node itself: a shared backend would put both nodes into FAULT",
        ),
        (
            {"health_url": "https://backend.example.com/"},
            "app.health_url: 'backend.example.com' is not this node itself: a shared backend would put both nodes",
        ),
        (
            {"health_url": "http://user:word@127.0.0.1/"},
            "app.health_url: holds a user name, and a URL stands readable in argument lists; ask the service",
        ),
        ({"health_url": "http://["}, "app.health_url: 'http://[' is not a URL; ask the service on this node"),
        (
            {"health_url": "http://127.0.0.1/", "health_tcp": "127.0.0.1:80"},
            "services.app: has health_tcp and health_url; give one of them",
        ),
        (
            {"health_command": "/usr/bin/app"},
            "app.health_command: is a string ('/usr/bin/app'), not a list; give the words of a command",
        ),
        ({"health_command": []}, "app.health_command: is empty; give the words of a command that only asks this node"),
        (
            {"health_command": ["app"]},
            "app.health_command[0]: 'app' is not the absolute path of a program; give the words of a command",
        ),
        ({"health_command": ["/usr/bin/"]}, "app.health_command[0]: '/usr/bin/' is not the absolute path of a program"),
        ({"health_command": ["/usr/bin/x", 3]}, "app.health_command[1]: is an integer (3), not a string; give the"),
        ({"health_command": ["/usr/bin/x", "a\nb"]}, "app.health_command[1]: holds a line break or another control"),
        (
            {"health_command": ["/bin/pgrep"]},
            "app.health_command[0]: '/bin/pgrep' goes through a symbolic link, and keepalived drops such a script; "
            "give the real path, such as /usr/bin/pgrep",
        ),
        ({"health_command": ["/sbin/x"]}, "app.health_command[0]: '/sbin/x' goes through a symbolic link"),
        ({"health_command": ["/lib/x"]}, "app.health_command[0]: '/lib/x' goes through a symbolic link"),
        (
            {"health_command": ["/usr/bin/x", "a; b"]},
            "app.health_command[1]: 'a; b' holds a blank or a character that a shell or keepalived would interpret;",
        ),
        ({"health_command": ["/usr/bin/x", "$HOME"]}, "app.health_command[1]: '$HOME' holds a blank or a character"),
        (
            {"probe": True},
            "app.probe: has nothing to ask; give one of health_command, health_tcp, health_url, or leave",
        ),
        ({"probe": "x"}, "app.probe: 'x' is not a boolean; give true or false"),
        ({"probe_interval": 0.01}, "app.probe_interval: 0.01 is not in 0.05..3600 seconds; give seconds, such as 0.2"),
        ({"probe_timeout": "x"}, "app.probe_timeout: 'x' is not a number of seconds; give seconds, such as 0.25"),
        ({"probe_fall": 0}, "app.probe_fall: 0 is not in 1..100; give a count, such as 2"),
        ({"probe_rise": 101}, "app.probe_rise: 101 is not in 1..100; give a count, such as 2"),
    ],
)
def test_refuses_a_service(pair: t.Any, options: dict[str, t.Any], message: str) -> None:
    assert message in pair.refusal({"services": {"app": options}})


def test_refuses_a_service_that_is_called_like_a_witness(pair: t.Any) -> None:
    assert "services.witness.x: 'witness.x' is how the state files of witnesses are called; rename" in pair.refusal(
        {"services": ["witness.x"]}
    )


class TestWitnesses:
    def test_lower_the_preference_and_never_mean_fault(self, pair: t.Any) -> None:
        model = pair.model({"witnesses": {**GATEWAY, "dns": {"tcp": "[2001:db8::53]:53", "weight": "-40"}}})
        web = model.instances[0]
        assert web.witnesses == ["gateway", "dns"]
        assert [(file.tracker, file.weight, file.reverse) for file in web.tracking.files] == [
            ("witness_gateway", -20, False),
            ("witness_dns", -40, False),
            ("raise_web", 4, False),
        ]
        assert [(probe.name, probe.kind, probe.target, probe.gate) for probe in model.probes] == [
            ("witness.gateway", "ping", "192.0.2.1", None),
            ("witness.dns", "tcp", "[2001:db8::53]:53", None),
        ]
        first = model.probes[0]
        assert (first.interval, first.timeout, first.fall, first.rise) == (1.0, 0.5, 3, 3)
        assert first.state_file == "/run/keepalived/ha-pair/failing/witness.gateway"

    def test_storage_that_both_share_lowers_the_preference_and_faults_nobody(self, pair: t.Any) -> None:
        model = pair.model({"witnesses": {"data": {"mount": "/srv/data"}}})
        (probe,) = model.probes
        assert (probe.name, probe.kind, probe.target, probe.gate) == ("witness.data", "mount", "/srv/data", None)
        # The timeout is below the interval, so that both nodes keep asking at the same moments.
        assert (probe.interval, probe.timeout, probe.fall, probe.rise) == (2.0, 1.5, 3, 3)
        (file,) = [file for file in model.track_files if file.tracker == "witness_data"]
        assert (file.weight, file.reverse) == (-20, False)
        gone = pair.model({"witnesses": {"data": {"mount": "/srv/data", "interval": 1, "timeout": 0.5, "fall": 2}}})
        assert (gone.probes[0].interval, gone.probes[0].timeout, gone.probes[0].fall) == (1.0, 0.5, 2)

    def test_one_witness_of_two_instances_is_asked_once(self, pair: t.Any) -> None:
        model = pair.model({"witnesses": GATEWAY}, more={"vrid": 52, "vips": ["192.0.2.20"], "witnesses": GATEWAY})
        assert [probe.name for probe in model.probes] == ["witness.gateway"]
        assert [[file.tracker for file in instance.tracking.files] for instance in model.instances] == [
            ["witness_gateway", "raise_web"],
            ["witness_gateway", "raise_more"],
        ]

    def test_refuses_a_witness_with_two_meanings(self, pair: t.Any) -> None:
        more = {"vrid": 52, "vips": ["192.0.2.20"], "witnesses": {"gateway": {"ping": "192.0.2.2"}}}
        assert (
            "more.witnesses.gateway: differs from node-a: keepalived_instances.web.witnesses.gateway; give a witness "
            "the same options in every instance"
        ) in pair.refusal({"witnesses": GATEWAY}, more=more)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "gateway: has none of mount, ping and tcp; give one of them, such as ping: 192.0.2.1, tcp: 192.0.2.1"),
            ({"ping": "192.0.2.1", "tcp": "192.0.2.1:1"}, "gateway: has ping and tcp; give one of them, such as ping"),
            (
                {"ping": "gateway.example.com"},
                "gateway.ping: 'gateway.example.com' is not an address, and a name would make the witness hang on the "
                "name service; give its address, such as 192.0.2.1",
            ),
            ({"tcp": "192.0.2.1"}, "gateway.tcp: '192.0.2.1' is not ADDRESS:PORT; give it such as 192.0.2.1:443"),
            ({"tcp": "x.example.com:1"}, "gateway.tcp: 'x.example.com' is not an address, and a name would make the"),
            (
                {"ping": "127.0.0.1"},
                "gateway.ping: 127.0.0.1 is this node itself, which says nothing about its network",
            ),
            ({"tcp": "[::1]:80"}, "gateway.tcp: ::1 is this node itself, which says nothing about its network; give"),
            (
                {"ping": "fe80::1"},
                "gateway.ping: fe80::1 is a link-local address, which needs an interface; give another",
            ),
            ({"ping": "224.0.0.18"}, "gateway.ping: 224.0.0.18 cannot be the address of a host on a network; give"),
            (
                {"ping": "192.0.2.10"},
                "gateway.ping: 192.0.2.10 is a VIP of the pair of node-a, whose owner would always reach it; give a",
            ),
            (
                {"tcp": "192.0.2.12:22"},
                "gateway.tcp: 192.0.2.12 is the own address of node-b, which says nothing about its network; give a",
            ),
            (
                {"ping": "198.51.100.11"},
                "gateway.ping: 198.51.100.11 is the own address of node-a, which says nothing about its network; give",
            ),
            (
                {"ping": "192.0.2.1", "weight": 0},
                "gateway.weight: 0 would mean FAULT: a witness that is down would take both nodes out; give a penalty",
            ),
            (
                {"ping": "192.0.2.1", "weight": 20},
                "gateway.weight: 20 would prefer the node that does not reach it; give",
            ),
            ({"ping": "192.0.2.1", "weight": -254}, "gateway.weight: -254 is not in -253..253; give a penalty such as"),
            (
                {"ping": "192.0.2.1", "weight": -4},
                "gateway.weight: -4 is not more than the 4 that a planned switchover adds: a raised standby would keep "
                "the VIP in spite of it; give a penalty beyond 4, such as -20",
            ),
            ({"ping": "192.0.2.1", "interval": 0}, "gateway.interval: 0 is not in 0.05..3600 seconds; give seconds"),
            ({"ping": "192.0.2.1", "timeout": "x"}, "gateway.timeout: 'x' is not a number of seconds; give seconds"),
            ({"ping": "192.0.2.1", "fall": 0}, "gateway.fall: 0 is not in 1..100; give a count, such as 3"),
            ({"pong": "192.0.2.1"}, "gateway.pong: unknown key; did you mean 'ping'?"),
            ({"mount": "/srv/data", "ping": "192.0.2.1"}, "gateway: has mount and ping; give one of them"),
            ({"mount": 7}, "gateway.mount: is an integer (7), not a string; give the absolute path of a mount point"),
            ({"mount": "srv"}, "gateway.mount: 'srv' is not a plain absolute path without a slash at its end; give"),
            ({"mount": "/srv/"}, "gateway.mount: '/srv/' is not a plain absolute path"),
            ({"mount": "/srv/../x"}, "gateway.mount: '/srv/../x' is not a plain absolute path"),
            ({"mount": "/srv/a b"}, "gateway.mount: '/srv/a b' is not a plain absolute path"),
            ({"mount": "/"}, "gateway.mount: '/' is not a plain absolute path"),
            ({"mount": "/srv", "weight": 0}, "gateway.weight: 0 would mean FAULT: a witness that is down would take"),
        ],
    )
    def test_refuses(self, pair: t.Any, options: dict[str, t.Any], message: str) -> None:
        assert message in pair.refusal({"witnesses": {"gateway": options}})

    def test_refuses_names_and_types(self, pair: t.Any) -> None:
        assert "witnesses: is a list (['gateway']), not a dictionary; give witnesses by name" in pair.refusal(
            {"witnesses": ["gateway"]}
        )
        assert "witnesses.a b: 'a b' is not a name; use letters, digits, _ and - (32 at the most)" in pair.refusal(
            {"witnesses": {"a b": {"ping": "192.0.2.1"}}}
        )
        assert "witnesses: 'a-b' and 'a_b' differ in punctuation only" in pair.refusal(
            {"witnesses": {"a-b": {"ping": "192.0.2.1"}, "a_b": {"ping": "192.0.2.2"}}}
        )


class TestInterfaces:
    def test_mean_fault_or_a_weight(self, pair: t.Any) -> None:
        web = pair.instance({"track_interfaces": ["eth1"]})
        assert [(tracked.name, tracked.weight) for tracked in web.tracking.interfaces] == [("eth1", 0)]
        web = pair.instance({"track_interfaces": {"eth1": {"weight": -20}}})
        assert [(tracked.name, tracked.weight) for tracked in web.track_interfaces] == [("eth1", -20)]

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (
                ["eth0"],
                "track_interfaces.eth0: eth0 is the interface of the instance, which keepalived watches anyway; leave",
            ),
            (["eth7"], "track_interfaces.eth7: 'eth7' is not an interface of node-a (eth0, eth1); give one of them"),
            (["e 1"], "track_interfaces.e 1: 'e 1' is not the name of an interface; give a name such as eth0"),
            ("eth1", "track_interfaces: is a string ('eth1'), not a dictionary; give the names of further interfaces"),
            (
                {"eth1": {"weight": -300}},
                "track_interfaces.eth1.weight: -300 is not in -253..253; give a penalty such as",
            ),
            ({"eth1": {"wieght": 1}}, "track_interfaces.eth1.wieght: unknown key; did you mean 'weight'?"),
        ],
    )
    def test_refuses(self, pair: t.Any, given: object, message: str) -> None:
        assert message in pair.refusal({"track_interfaces": given})


class TestProcesses:
    def test_are_found_by_name_or_by_command_line(self, pair: t.Any) -> None:
        given = {"sshd": None, "app": {"full_command": "/usr/bin/java -jar /srv/app.jar", "quorum": 2, "weight": -30}}
        model = pair.model({"track_processes": given})
        assert [
            (one.tracker, one.words, one.full_command, one.quorum, one.weight) for one in model.track_processes
        ] == [
            ("process_sshd", ["sshd"], False, 1, 0),
            ("process_app", ["/usr/bin/java", "-jar", "/srv/app.jar"], True, 2, -30),
        ]
        assert model.instances[0].tracking.processes == model.track_processes
        assert model.description()["instances"]["web"]["track_processes"] == [
            {"name": "sshd", "weight": 0},
            {"name": "app", "weight": -30},
        ]

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"a b": {}}, "track_processes.a b: 'a b' is not a name; use letters, digits, _, . and - (32 at the most)"),
            (
                ["a-very-long-process"],
                "track_processes.a-very-long-process: 'a-very-long-process' has 19 characters, and the kernel keeps 15 "
                "of a process's name; give full_command, the whole command line; the name here is then yours to choose",
            ),
            (
                {"app": {"full_command": True}},
                "track_processes.app.full_command: is a boolean (True), not a string; give the command line as it",
            ),
            (
                {"app": {"full_command": "/usr/bin/x 'a b'"}},
                "app.full_command: \"/usr/bin/x 'a b'\" holds a quote or a character that keepalived interprets; watch",
            ),
            (
                {"app": {"quorum": 0}},
                "track_processes.app.quorum: 0 is not in 1..65535; give how many of them must run",
            ),
            ({"app": {"weight": "x"}}, "track_processes.app.weight: 'x' is not an integer; give a penalty such as -20"),
            (
                ["a-b", "a.b"],
                "track_processes: 'a-b' and 'a.b' differ in punctuation only, which keepalived's names do",
            ),
            ("app", "track_processes: is a string ('app'), not a dictionary; give the names of processes"),
        ],
    )
    def test_refuses(self, pair: t.Any, given: object, message: str) -> None:
        assert message in pair.refusal({"track_processes": given})

    def test_refuses_a_process_with_two_meanings(self, pair: t.Any) -> None:
        more = {"vrid": 52, "vips": ["192.0.2.20"], "track_processes": {"sshd": {"quorum": 2}}}
        assert "more.track_processes.sshd: differs from node-a: keepalived_instances.web.track_processes.sshd" in (
            pair.refusal({"track_processes": ["sshd"]}, more=more)
        )


class TestWeights:
    LOW: t.ClassVar[dict[str, int]] = {"node-a": 100, "node-b": 98}

    @pytest.mark.parametrize("weight", [-5, -97, 5, 150])
    def test_that_decide_are_taken(self, pair: t.Any, weight: int) -> None:
        web = {"priorities": self.LOW, "track_interfaces": {"eth1": {"weight": weight}}}
        assert pair.instance(web).track_interfaces[0].weight == weight

    @pytest.mark.parametrize("weight", [-5, -20])
    def test_decide_in_mode_sticky_too(self, pair: t.Any, weight: int) -> None:
        web = {"mode": "sticky", "track_interfaces": {"eth1": {"weight": weight}}}
        assert pair.instance(web).track_interfaces[0].weight == weight

    @pytest.mark.parametrize(
        ("web", "message"),
        [
            (
                {"track_interfaces": {"eth1": {"weight": -2}}},
                "track_interfaces.eth1.weight: -2 never moves the VIP: the preferred node is 2 above its peer; give a "
                "penalty beyond 4, such as -20",
            ),
            (
                {"track_processes": {"sshd": {"weight": 1}}, "priorities": LOW},
                "track_processes.sshd.weight: 1 never moves the VIP: the preferred node is 2 above its peer; give a",
            ),
            (
                {"mode": "sticky", "track_interfaces": {"eth1": {"weight": -3}}},
                "track_interfaces.eth1.weight: -3 is not more than the 4 that a planned switchover adds: a raised",
            ),
            (
                {"track_interfaces": {"eth1": {"weight": 20}}},
                "web.priorities: 250 and the positive weights make 270, above 250: raised by a planned switchover both "
                "nodes would be clamped to the same; lower both priorities by 20, or give penalties such as -20",
            ),
            (
                {
                    "priorities": LOW,
                    "track_interfaces": {"eth1": {"weight": 100}},
                    "track_processes": {"sshd": {"weight": 60}},
                },
                "web.priorities: 100 and the positive weights make 260, above 250",
            ),
            (
                {"priorities": LOW, "track_interfaces": {"eth1": {"weight": -98}}},
                "web.priorities: 98 and all penalties make 0, below 1: both nodes would be clamped to the same; give",
            ),
            (
                {
                    "priorities": LOW,
                    "track_interfaces": {"eth1": {"weight": -50}},
                    "track_processes": {"sshd": {"weight": 60}, "app": {"weight": -30}},
                    "witnesses": GATEWAY,
                },
                "web.priorities: 98 and all penalties make -2, below 1: both nodes would be clamped to the same; give",
            ),
        ],
    )
    def test_refuses_what_would_not_do_what_it_is_for(self, pair: t.Any, web: dict[str, t.Any], message: str) -> None:
        assert message in pair.refusal(web)
