# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the daemon: options, name, mail, the user's command."""

from __future__ import annotations

import typing as t

import pytest

SMTP = {"server": "mail.example.org", "from": "ha@example.org", "to": ["admin@example.org"]}


class TestDaemonOptions:
    @pytest.mark.parametrize(
        "given",
        [
            "-D",
            "-lD",
            "-D -S 3",
            "-S3 -u 022",
            "-g/var/log/x.log -G",
            "--log-detail --log-facility=3",
            "-i x --umask 022",
        ],
    )
    def test_that_change_no_more_than_logs_are_taken(self, pair: t.Any, given: str) -> None:
        assert pair.model(keepalived_daemon_options=given).daemon_options.value == given

    def test_without_any_the_file_says_what_the_package_says(self, pair: t.Any) -> None:
        assert vars(pair.model().daemon_options) == {
            "file": "/etc/default/keepalived",
            "variable": "DAEMON_ARGS",
            "value": "",
        }

        def change(hosts: dict[str, dict[str, t.Any]]) -> None:
            hosts["node-a"]["ansible_facts"] |= {
                "distribution": "Rocky",
                "distribution_major_version": "9",
                "os_family": "RedHat",
            }

        assert vars(pair.model(change=change).daemon_options) == {
            "file": "/etc/sysconfig/keepalived",
            "variable": "KEEPALIVED_OPTIONS",
            "value": "-D",
        }

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (
                ["-D"],
                "['-D'] is not a string; give options of keepalived in one string, such as '-D -S 3', or leave it",
            ),
            (
                "-D;",
                "'-D;' holds a quote, a line break or another character that systemd would interpret; give options",
            ),
            ('-g "x"', "'-g \"x\"' holds a quote, a line break or another character that systemd would interpret"),
            ("-D $X", "'-D $X' holds a quote, a line break or another character"),
            ("-D\n-R", "holds a quote, a line break or another character"),
            ("-D x", "'x' is not an option; give options of keepalived in one string"),
            ("-S", "'-S' lacks its argument; give options of keepalived in one string"),
            (
                "-q",
                "'-q' is unknown; known are -A -D -G -I -S -a -d -e -g -i -l -u -x and their long forms, written out",
            ),
            ("--log-det", "'--log-det' is unknown; known are -A"),
            ("-f /x", "'-f' is refused: the role writes and tests /etc/keepalived/keepalived.conf; remove it"),
            ("--use-file=/x", "'--use-file' is refused: the role writes and tests /etc/keepalived/keepalived.conf"),
            ("-n", "'-n' is refused: it would take keepalived out of systemd's hands; remove it"),
            ("-DR", "'-R' is refused: it would take keepalived out of systemd's hands; remove it"),
            ("-p /x", "'-p' is refused: systemd and the programs of the node look for the usual pid files; remove it"),
            ("-r /x", "'-r' is refused: systemd and the programs of the node look for the usual pid files; remove it"),
            ("-c /x", "'-c' is refused: systemd and the programs of the node look for the usual pid files; remove it"),
            ("-b /x", "'-b' is refused: systemd and the programs of the node look for the usual pid files; remove it"),
            ("-s x", "'-s' is refused: the addresses belong into the node's own network; remove it"),
            ("-P", "'-P' is refused: keepalived would run without VRRP, or differently than the model thinks; remove"),
            ("-C", "'-C' is refused: keepalived would run without VRRP, or differently than the model thinks; remove"),
            ("-B", "'-B' is refused: keepalived would run without VRRP, or differently than the model thinks; remove"),
            ("--all", "'--all' is refused: keepalived would run without VRRP, or differently than the model thinks"),
            ("-V", "'-V' is refused: a daemon that stops must take its addresses away; remove it"),
            ("-X", "'-X' is refused: a daemon that stops must take its addresses away; remove it"),
            ("-m", "'-m' is refused: a core file holds what keepalived.conf holds, passwords too; remove it"),
            ("-t", "'-t' is refused: keepalived would answer and end; remove it"),
            ("--signum=DATA", "'--signum' is refused: keepalived would answer and end; remove it"),
        ],
    )
    def test_refuses(self, pair: t.Any, given: object, message: str) -> None:
        assert message in pair.refusal(keepalived_daemon_options=given)
        assert "node-a: keepalived_daemon_options: " in pair.refusal(keepalived_daemon_options=given)


class TestRouterId:
    def test_is_the_name_of_the_node_unless_given(self, pair: t.Any) -> None:
        assert pair.model().router_id == "node-a"
        assert pair.model(keepalived_router_id="lb-1.example.org").router_id == "lb-1.example.org"

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (
                "a b",
                "node-a: keepalived_router_id: 'a b' is not one word; give one word of letters, digits, _, ., : and -",
            ),
            (7, "node-a: keepalived_router_id: is an integer (7), not a string; give one word of letters, digits"),
        ],
    )
    def test_refuses(self, pair: t.Any, given: object, message: str) -> None:
        assert message in pair.refusal(keepalived_router_id=given)


class TestSmtp:
    @pytest.mark.parametrize(
        ("server", "host", "port"),
        [
            ("mail.example.org", "mail.example.org", 25),
            ("mail.example.org:2525", "mail.example.org", 2525),
            ("192.0.2.25", "192.0.2.25", 25),
            ("192.0.2.25:587", "192.0.2.25", 587),
            ("2001:db8::25", "2001:db8::25", 25),
            ("[2001:db8::25]:2525", "2001:db8::25", 2525),
        ],
    )
    def test_server_with_or_without_port(self, pair: t.Any, server: str, host: str, port: int) -> None:
        smtp = pair.model(keepalived_smtp={**SMTP, "server": server}).smtp
        assert (smtp.server, smtp.port) == (host, port)

    def test_rest_is_taken_as_it_is(self, pair: t.Any) -> None:
        smtp = pair.model(keepalived_smtp={**SMTP, "helo_name": "node-a.example.org", "connect_timeout": "10"}).smtp
        assert vars(smtp) == {
            "server": "mail.example.org",
            "port": 25,
            "sender": "ha@example.org",
            "recipients": ["admin@example.org"],
            "helo_name": "node-a.example.org",
            "connect_timeout": 10,
        }

    def test_without_it_nothing_is_sent(self, pair: t.Any) -> None:
        assert pair.model(keepalived_smtp={}).smtp is None

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            (
                {"server": None},
                "keepalived_smtp.server: is missing; give {server: mail.example.org, from: ha@example.org",
            ),
            ({"from": None}, "keepalived_smtp.from: is missing; give {server: mail.example.org"),
            ({"to": None}, "keepalived_smtp.to: is missing; give {server: mail.example.org"),
            ({"to": []}, "keepalived_smtp.to: is empty; give a list, such as [admin@example.org]"),
            (
                {"to": "admin@example.org"},
                "keepalived_smtp.to: is a string ('admin@example.org'), not a list; give a list",
            ),
            (
                {"to": ["admin"]},
                "keepalived_smtp.to[0]: 'admin' is not a mail address; give one such as admin@example.org",
            ),
            (
                {"from": "a b@example.org"},
                "keepalived_smtp.from: 'a b@example.org' is not a mail address; give one such",
            ),
            (
                {"server": "mail example"},
                "keepalived_smtp.server: 'mail example' is not HOST or HOST:PORT; give a mail",
            ),
            ({"server": "mail.example.org:0"}, "keepalived_smtp.server: 'mail.example.org:0' is not HOST or HOST:PORT"),
            ({"helo_name": "a b"}, "keepalived_smtp.helo_name: 'a b' is not a host name; give one, or leave it out"),
            (
                {"connect_timeout": 0},
                "keepalived_smtp.connect_timeout: 0 is not in 1..3600; give whole seconds, such as",
            ),
            ({"form": "x"}, "keepalived_smtp.form: unknown key; did you mean 'from'?"),
        ],
    )
    def test_refuses(self, pair: t.Any, changed: dict[str, t.Any], message: str) -> None:
        assert f"node-a: {message}" in pair.refusal(keepalived_smtp={**SMTP, **changed})

    def test_refuses_a_server_alone(self, pair: t.Any) -> None:
        assert (
            "node-a: keepalived_smtp: is a string ('mail.example.org'), not a dictionary; give {server"
            in pair.refusal(keepalived_smtp="mail.example.org")
        )


class TestHook:
    COMMAND: t.ClassVar[list[str]] = ["/usr/local/bin/vip-changed", "a b"]

    def test_stands_in_the_description(self, pair: t.Any) -> None:
        assert pair.model(keepalived_notify_command=self.COMMAND).description()["hook"] == {
            "command": self.COMMAND,
            "user": "keepalived_script",
            "timeout": 30.0,
        }
        hook = pair.model(
            keepalived_notify_command=self.COMMAND, keepalived_notify_user="app", keepalived_notify_timeout="5"
        ).hook
        assert (hook.user, hook.timeout) == ("app", 5.0)
        assert pair.model(keepalived_notify_command=[]).hook is None

    def test_programs_that_the_inventory_names_are_listed_with_who_runs_them(self, pair: t.Any) -> None:
        services = {"app": {"health_command": ["/usr/local/bin/app", "-q"], "probe": False}, "nginx": {}}
        model = pair.model({"services": services}, keepalived_notify_command=self.COMMAND, keepalived_notify_user="app")
        assert [(program.path, program.user) for program in model.programs] == [
            ("/usr/local/bin/vip-changed", "app"),
            ("/usr/local/bin/app", "keepalived_script"),
        ]

    @pytest.mark.parametrize(
        ("variables", "message"),
        [
            (
                {"keepalived_notify_command": "/usr/local/bin/x --quiet"},
                "keepalived_notify_command: is a string ('/usr/local/bin/x --quiet'), not a list; give the command as "
                "a list of words, such as [/usr/local/bin/vip-changed, --quiet]",
            ),
            (
                {"keepalived_notify_command": ["bin/x"]},
                "keepalived_notify_command[0]: 'bin/x' is not the absolute path of a program; give the command as a",
            ),
            (
                {"keepalived_notify_command": ["/usr/local/bin/"]},
                "keepalived_notify_command[0]: '/usr/local/bin/' is not the absolute path of a program; give the",
            ),
            (
                {"keepalived_notify_command": ["/x", ""]},
                "keepalived_notify_command[1]: is empty; give the command as a list of words",
            ),
            (
                {"keepalived_notify_command": ["/x", "a\nb"]},
                "keepalived_notify_command[1]: holds a line break or another control character; give the command",
            ),
            (
                {"keepalived_notify_user": "a b"},
                "keepalived_notify_user: 'a b' is not the name of an account; give one such as keepalived_script",
            ),
            (
                {"keepalived_notify_timeout": 0},
                "keepalived_notify_timeout: 0 is not in 1..3600 seconds; give the seconds after which the command is",
            ),
        ],
    )
    def test_refuses(self, pair: t.Any, variables: dict[str, t.Any], message: str) -> None:
        assert f"node-a: {message}" in pair.refusal(**variables)
