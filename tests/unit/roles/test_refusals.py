# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words in which the preflight of a role refuses its input; one playbook run asks for all of them."""

from __future__ import annotations

import json
import os
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from plays import run_playbook

DEBIAN = {
    "service_mgr": "systemd",
    "os_family": "Debian",
    "distribution": "Debian",
    "distribution_major_version": "12",
    "distribution_version": "12.9",
}
HERE = Path(__file__).parent
ROCKY_9 = {"os_family": "RedHat", "distribution": "Rocky", "distribution_major_version": "9"}
STREAM_8 = {
    "os_family": "RedHat",
    "distribution": "CentOS",
    "distribution_major_version": "8",
    "distribution_release": "Stream",
}
TRACKING = {"service_tracking_name": "app", "service_tracking_health_url": "http://127.0.0.1/health"}
REDIS = {
    "redis_role": "primary",
    "redis_members": {"localhost": "192.0.2.11", "node-b": "192.0.2.12"},
    "redis_password": "0123456789abcdef",
}
REPLICATING = {
    "tomcat_applications": [],
    "tomcat_sessions": {
        "backend": "replication",
        "encryption_key": "none",
        "members": {"localhost": "192.0.2.11", "node-b": "192.0.2.12"},
    },
}
IN_REDIS = {
    "tomcat_applications": [],
    "tomcat_sessions": {
        "backend": "redis",
        "addresses": ["127.0.0.1:1"],
        "password": "not-to-be-seen",
        "timeout": 2,
        "jars": [{"url": "https://example.com/manager.jar", "checksum": "sha256:" + "ab" * 32}],
    },
}
WITNESS = {
    "active_witness_address": "192.0.2.31",
    "active_witness_secret": "not-to-be-seen-0",
    "active_witness_clients": ["192.0.2.11"],
}


def host(*listeners: dict[str, t.Any], firewalld: str = "inactive", witness: str = "active") -> dict[str, t.Any]:
    """What a host reports that is to be a witness."""
    units = {"firewalld.service": {"active": firewalld}, "ha-pair-witness.service": {"active": witness}}
    return {"__active_witness_survey": {"survey": {"units": units, "listeners": list(listeners)}}}


TOMCAT = {"tomcat_applications": [], "tomcat_write_paths": ["/srv/data"]}
NGINX = {"nginx_sites": [{"name": "web", "root": "/var/www/web"}]}


SYNC = {
    "file_sync_directories": {"data": {"path": "/srv/data"}},
    "file_sync_members": {"localhost": "192.0.2.11", "node-b": "192.0.2.12"},
    "file_sync_instance": "app",
}
SYNCED = {
    "now": 0.0,
    "users": {},
    "groups": {},
    "directories": {"data": {"kind": "directory", "real": "/srv/data", "empty": True, "marker": True}},
    "public_key": "ssh-ed25519 AAAA",
    "authorized_keys": "/root/.ssh/authorized_keys",
    "authorized": [
        'restrict,from="192.0.2.12",command="/usr/libexec/keepalived/ha-pair-sync-receive" ssh-ed25519 AAAA ours'
    ],
    "known_hosts": ["192.0.2.12 ssh-ed25519 AAAA"],
    "sshd_problems": [],
}
NFS = {"nfs_mount_mounts": [{"path": "/srv/data", "source": "192.0.2.20:/export/data"}]}
WELL = {
    "path": "/srv/data",
    "mounted": False,
    "source": None,
    "fstype": None,
    "options": [],
    "problem": None,
    "server_problem": None,
    "hides": [],
    "unseen": None,
    "in_fstab": False,
}


def report_of(whose: str) -> dict[str, t.Any]:
    """What a node reports whose keepalived.conf is this one's."""
    return {"vip_owner": {"keepalived": {"configuration": whose}}}


# Role, variables (tasks_from: not the preflight), facts that differ, the refusal.
CASES: list[tuple[str, dict[str, t.Any], dict[str, str], str]] = [
    (
        "node_tools",
        {},
        {"service_mgr": "sysvinit"},
        "localhost: the service manager is sysvinit, not systemd; take a node that was booted with systemd",
    ),
    (
        "node_tools",
        {"node_tools_python": "python3"},
        {},
        "localhost: node_tools_python: 'python3' is not an absolute path; give one such as /usr/bin/python3, or auto",
    ),
    *[
        (
            "node_tools",
            {"node_tools_centos_vault": True},
            {"os_family": "RedHat", "distribution": "CentOS", "distribution_major_version": major, **release},
            f"localhost: node_tools_centos_vault: is true, and this is {found}, whose repositories need none; "
            "it is for CentOS 7 and CentOS 8 Stream, leave it out here",
        )
        for major, release, found in (
            ("9", {"distribution_release": "Stream"}, "CentOS 9 Stream"),
            ("8", {"distribution_release": "Core"}, "CentOS 8"),
        )
    ],
    (
        "node_tools",
        {"node_tools_centos_vault": True, "node_tools_centos_vault_url": "vault.example.com"},
        STREAM_8,
        "localhost: node_tools_centos_vault_url: 'vault.example.com' is not a URL; "
        "give one such as http://vault.centos.org",
    ),
    *[
        (
            "node_tools",
            {
                "tasks_from": "package_refused",
                "node_tools_package": "nginx",
                "__node_tools_failure": {"msg": "It failed", "failures": ["No package nginx available."]},
                **variables,
            },
            facts,
            "localhost: the package nginx cannot be installed (It failed, No package nginx available.); " + cure,
        )
        for variables, facts, cure in (
            (
                {},
                {"pkg_mgr": "apt"},
                'run "apt-get install nginx" on the node to see whether its repositories answer',
            ),
            ({"node_tools_package_hint": "do this"}, {"pkg_mgr": "dnf"}, "do this"),
            (
                {},
                {**STREAM_8, "pkg_mgr": "dnf"},
                "the mirrors of CentOS 8 Stream are gone, set node_tools_centos_vault: true",
            ),
            (
                {"node_tools_centos_vault": True},
                {**STREAM_8, "pkg_mgr": "dnf"},
                'run "dnf install nginx" on the node to see whether its repositories answer',
            ),
        )
    ],
    (
        "keepalived",
        {
            "tasks_from": "selinux_refused",
            "__keepalived_failure": {"msg": "non-zero return code", "stderr": "Failed to resolve\nsemodule: Failed!"},
        },
        {},
        "localhost: /etc/keepalived/ha_pair.cil: the policy of this node does not take it (Failed to resolve, "
        'semodule: Failed!); run "semodule --build" on the node to see whether the policy is whole, or set '
        "keepalived_manage_selinux: false and allow keepalived_t the FIFO in /run/keepalived/ha-pair yourself",
    ),
    (
        "keepalived",
        {
            "tasks_from": "preflight_unit",
            "__keepalived_survey": {
                "survey": {
                    "keepalived": {"version": "2.2.8", "configuration": "absent"},
                    "units": {"keepalived.service": {"load": "not-found"}},
                }
            },
        },
        {},
        "localhost: keepalived 2.2.8 is installed and systemd has no keepalived.service; write the unit (the source of "
        "keepalived has one), or remove that keepalived, and the package is installed",
    ),
    *[
        (
            "keepalived",
            {"tasks_from": "judge", "keepalived_verify_report": {}, "__keepalived_report": report_of(whose)},
            {},
            f"localhost: /etc/keepalived/keepalived.conf: {words}; deploy the node again before anybody starts "
            "keepalived there",
        )
        for whose, words in (
            ("absent", "is not there"),
            ("sample", "is the sample of the package, with addresses and a VRID that are not yours"),
            ("foreign", "was not written by this collection"),
        )
    ],
    *[
        (
            "nfs_mount",
            {**NFS, "tasks_from": "judge", "__nfs_mount_survey": {"mounts": [{**WELL, **found}]}},
            {},
            f"localhost: nfs_mount_mounts[0].{words}",
        )
        for found, words in (
            (
                {"server_problem": "192.0.2.20: no answer"},
                "source: 192.0.2.20:/export/data: TCP port 2049 accepts no connection within 5.0 s (192.0.2.20: no "
                "answer); start the NFS server, open that port there for this node, or correct the address",
            ),
            (
                {"mounted": True, "problem": "mount /srv/data: no answer within 5 s"},
                "path: mount /srv/data: no answer within 5 s; mend the NFS server, or the export that it no longer "
                "gives to this node, before anything is changed here",
            ),
            (
                {"mounted": True, "source": "/dev/sdb", "fstype": "xfs"},
                "path: /srv/data is mounted from /dev/sdb (xfs), not from 192.0.2.20:/export/data; unmount it on one "
                "node while its peer serves, or correct the source",
            ),
            (
                {"hides": ["a", "b"]},
                "path: /srv/data holds a, b, which the mount would hide; give an empty directory, or one that is not "
                "there yet",
            ),
            (
                {"unseen": "lies on /srv, which is nfs4"},
                "path: /srv/data lies on /srv, which is nfs4; give an empty directory, or one that is not there yet",
            ),
            (
                {"in_fstab": True},
                "path: /srv/data stands in /etc/fstab as well, and a boot would go by both; remove that line",
            ),
        )
    ],
    (
        "service_tracking",
        {**TRACKING, "service_tracking_name": "app.service"},
        {},
        "localhost: service_tracking_name: 'app.service' is not the name of a systemd service; "
        'give it without ".service", such as nginx',
    ),
    (
        "service_tracking",
        {**TRACKING, "service_tracking_name": "../app"},
        {},
        "localhost: service_tracking_name: '../app' is not the name of a systemd service; "
        'give it without ".service", such as nginx',
    ),
    *[
        (
            "service_tracking",
            {**TRACKING, "service_tracking_health_url": url},
            {},
            f"localhost: service_tracking_health_url: '{url}' is not a URL; "
            "give one such as http://127.0.0.1/ha-pair/health or tcp://127.0.0.1:8081",
        )
        for url in (
            "127.0.0.1/health",
            "http://127.0.0.1/a b",
            "http://127.0.0.1/'",
            'http://127.0.0.1/"',
            "tcp://127.0.0.1",
            "tcp://127.0.0.1:8081/",
        )
    ],
    # What is not refused says nothing.
    *[
        ("service_tracking", {**TRACKING, "service_tracking_health_url": url}, {}, "")
        for url in ("tcp://127.0.0.1:8081", "tcp://[::1]:8081", "https://localhost/health")
    ],
    *[
        (
            "service_tracking",
            {**TRACKING, name: value},
            {},
            f"localhost: {name}: {value} is not in {limits} seconds; give one such as {usual}",
        )
        for name, value, limits, usual in (
            ("service_tracking_ready_timeout", 0, "1..3600", "30"),
            ("service_tracking_stop_delay", 61, "0..60", "0.25"),
            ("service_tracking_restart_delay", 0.01, "0.1..3600", "1"),
        )
    ],
    *[
        (
            "active_witness",
            {**WITNESS, "tasks_from": "host", **found},
            {},
            f"localhost: active_witness_{words}",
        )
        for found, words in (
            (
                host({"address": "0.0.0.0", "port": 7412, "programs": ["java"]}),
                "port: port 7412 belongs to java; stop and disable that program, or give another active_witness_port",
            ),
            (
                {**host(firewalld="active"), "active_witness_clients": []},
                "clients: is empty, and firewalld runs here, so no node would reach the witness; give the addresses "
                "from which the nodes of the pairs come, or active_witness_open_firewall: false when you let them in "
                "yourself",
            ),
        )
    ],
    *[
        (
            "active_witness",
            {**WITNESS, "tasks_from": "judge", **found},
            {},
            f"localhost: ha-pair-witness.service: {words}",
        )
        for found, words in (
            (
                host(witness="failed"),
                'is failed, not active; read "journalctl -u ha-pair-witness.service" and start it, or deploy the host '
                "again",
            ),
            (
                host({"address": "192.0.2.31", "port": 7500, "programs": ["ha-pair-witness"]}),
                'does not listen on 192.0.2.31 port 7412; read "journalctl -u ha-pair-witness.service", or deploy the '
                "host again",
            ),
        )
    ],
    *[
        (
            "nginx",
            {**NGINX, "nginx_repository": wanted, "packages": packages},
            {"os_family": family, "distribution": name, "distribution_major_version": major},
            f"localhost: nginx_repository: is {wanted}, and the installed {found} from nginx.org; remove it with its "
            f"configuration while the peer serves, or set nginx_repository: {other}",
        )
        for wanted, other, family, name, major, packages, found in (
            (
                "nginx.org",
                "distribution",
                "Debian",
                "Debian",
                "12",
                "config-files nginx 1.22.1-9 Debian Nginx Maintainers <nginx@example.com>\n"
                "installed nginx-common 1.22.1-9 Debian Nginx Maintainers <nginx@example.com>",
                "nginx-common 1.22.1-9 is not",
            ),
            (
                "distribution",
                "nginx.org",
                "RedHat",
                "Rocky",
                "9",
                "installed nginx 1.28.0 NGINX Packaging <nginx@example.com>\npackage nginx-core is not installed",
                "nginx 1.28.0 is",
            ),
        )
    ],
    *[
        (
            "nginx",
            {**NGINX, "nginx_module_stream": "1.22", "packages": packages},
            {**ROCKY_9, "__nginx_stream_file": str(HERE / file)},
            f"localhost: nginx_module_stream: is '1.22', and {found}; on one node while the peer serves, run "
            f'"dnf module reset nginx && dnf module enable nginx:1.22{more}", or {otherwise}',
        )
        for packages, file, found, more, otherwise in (
            (
                "package nginx is not installed",
                "nginx.module",
                "the stream '1.24' is enabled",
                "",
                "give nginx_module_stream: '1.24'",
            ),
            (
                "installed nginx 1.24.0 Rocky Enterprise Software Foundation",
                "nginx.module",
                "the stream '1.24' is enabled",
                " && dnf distro-sync 'nginx*'",
                "give nginx_module_stream: '1.24'",
            ),
            (
                "installed nginx 1.20.1 Rocky Enterprise Software Foundation",
                "none",
                "nginx is installed from none",
                " && dnf distro-sync 'nginx*'",
                "leave nginx_module_stream out",
            ),
        )
    ],
    (
        "nginx",
        {**NGINX, "nginx_module_stream": "1.99", "tasks_from": "stream"},
        ROCKY_9,
        "localhost: nginx_module_stream: '1.99' cannot be enabled (Error: Problems in request:, missing groups or "
        'modules: nginx:1.99); "dnf module list nginx" on the node shows which there are',
    ),
    (
        "nginx",
        {**NGINX, "tasks_from": "drain", "packages": "no packages found matching nginx"},
        {},
        "localhost: nginx_upstream_drained: nginx is not installed here; deploy the node before a release",
    ),
    (
        "nginx",
        {**NGINX, "nginx_ready_timeout": 0},
        {},
        "localhost: nginx_ready_timeout: 0 is not in 1..3600 seconds; give one such as 30",
    ),
    (
        "redis",
        {**REDIS, "redis_ready_timeout": 0},
        {},
        "localhost: redis_ready_timeout: 0 is not in 1..3600 seconds; give one such as 30",
    ),
    (
        "redis",
        {
            **REDIS,
            "tasks_from": "exchanged",
            "__redis_now": {"results": [{"server": {"role": "replica"}}, {"server": {"role": "primary"}}]},
        },
        {},
        "localhost: redis_role: is primary, and node-b is primary now, with the newer data; set redis_role: replica "
        'here and primary there, or hand the role over first ("FAILOVER" in redis-cli on the primary)',
    ),
    *[
        (
            "redis",
            {
                **REDIS,
                "redis_role": "replica",
                "tasks_from": "exchanged",
                "__redis_now": {"results": [{"server": {"role": "primary", "keys": 7}}, {"server": peer}]},
            },
            {},
            "localhost: redis_role: is replica, and the Redis here is primary now, with 7 keys that a replica throws "
            'away; set redis_role: primary here and replica there, or hand the role over first ("FAILOVER" in '
            "redis-cli here), or stop redis-server.service here when its data may go",
        )
        for peer in (None, {"role": "primary"}, {"role": "replica"})
    ],
    (
        "redis",
        {
            **REDIS,
            "redis_role": "follow",
            "redis_instance": "web",
            "redis_append_only": "none",
            "tasks_from": "new_password",
            "__redis_now": {
                "results": [{"problem": "192.0.2.11:6379: WRONGPASS invalid username-password pair", "server": None}]
            },
        },
        {},
        "localhost: redis_password: is not the one of the Redis that runs, and with redis_append_only: none its "
        "restart on both nodes would lose all data; deploy redis_append_only: everysec with the old password first, or "
        "stop redis-server.service on both nodes when the data may go",
    ),
    *[
        (
            "redis",
            {
                **REDIS,
                "redis_role": "follow",
                "redis_instance": "web",
                "tasks_from": "data_judge",
                "__redis_own_now": {"server": server, "problem": ""},
            },
            {},
            "localhost: redis-server.service: 30 s after its restart it is neither primary nor has it the data of "
            'node-b, which therefore is not restarted; read "journalctl -u ha-pair-redis-role.service" on both nodes, '
            "and where the data need longer give a longer redis_ready_timeout",
        )
        for server in (None, {"role": "primary", "loading": True}, {"role": "replica", "loading": False, "link": False})
    ],
    *[
        (
            "redis",
            {
                **REDIS,
                "tasks_from": "parts",
                "__redis_answers": {"results": [{"server": own}, {"server": peer}]},
            },
            {},
            f"localhost: {words}",
        )
        for own, peer, words in (
            (
                {"role": "primary"},
                {"role": "primary"},
                "Redis: localhost is primary and node-b is primary, so writes at one are lost; "
                'read "journalctl -u redis-server.service" on both nodes',
            ),
            (
                {"role": "replica"},
                None,
                "Redis: localhost is replica and node-b is away, so nobody takes writes; "
                'read "journalctl -u redis-server.service" on both nodes',
            ),
            (
                {"role": "replica", "link": True},
                {"role": "primary"},
                "redis_role: is primary, and Redis is replica; deploy the node again, or say in the inventory what it "
                "is now",
            ),
        )
    ],
    *[
        (
            "tomcat",
            {
                **REPLICATING,
                "tasks_from": "sessions_jars",
                "__tomcat_cluster_jars": {
                    "results": [
                        {"__tomcat_jar": name, "stat": {"exists": False}}
                        for name in ("catalina-ha.jar", "catalina-tribes.jar")
                    ]
                },
            },
            facts,
            "localhost: tomcat_sessions.backend: 'replication' needs catalina-ha.jar and catalina-tribes.jar in "
            f"{home}/lib, which the package {package} does not have; give tomcat_tarball with a Tomcat of apache.org, "
            "or take backend: redis",
        )
        for facts, home, package in (
            (ROCKY_9, "/usr/share/tomcat", "tomcat of Rocky 9"),
            ({}, "/usr/share/tomcat10", "tomcat10 of Debian 12"),
        )
    ],
    (
        "tomcat",
        {**IN_REDIS, "tasks_from": "sessions_backend", "__tomcat_tries": 1},
        {},
        "localhost: tomcat_sessions.addresses: no primary Redis answers within 2.0 seconds (127.0.0.1:1: Connection "
        "refused); see that it runs, that it lets this node in, and that tomcat_sessions.password is its password",
    ),
    *[
        (
            "tomcat",
            {
                **TOMCAT,
                "tasks_from": "write_paths",
                "__tomcat_survey": {"survey": {"write_paths": {"/srv/data": found}}},
            },
            {},
            f"localhost: tomcat_write_paths: /srv/data {reason}",
        )
        for found, reason in (
            ("file", "is a file; give a directory"),
            (
                "refused",
                'cannot be written to by the account tomcat; run "chown tomcat /srv/data", or say so where it is '
                "exported",
            ),
            ("silent", "does not answer, so its file system hangs; mend that, or unmount it"),
        )
    ],
    *[
        (
            "file_sync",
            {**SYNC, "tasks_from": tasks, "__file_sync_survey": {"survey": {**SYNCED, **found}}, **more},
            {},
            f"localhost: {words}",
        )
        for tasks, found, more, words in (
            (
                "sshd",
                {
                    "sshd_problems": [
                        {"what": "sshd has PermitRootLogin no", "cure": "set it"},
                        {"what": "sshd has PubkeyAuthentication no", "cure": "set it to yes"},
                    ]
                },
                {},
                "file_sync_port: sshd has PermitRootLogin no; set it",
            ),
            (
                "verify_keys",
                {"public_key": ""},
                {},
                "/etc/ha-pair/sync/id_ed25519.pub: holds no key; deploy both nodes together",
            ),
            (
                "verify_keys",
                {"known_hosts": []},
                {},
                "/etc/ha-pair/sync/known_hosts: holds no key; deploy both nodes together",
            ),
            (
                "verify_keys",
                {"authorized": []},
                {},
                "/root/.ssh/authorized_keys: has 0 lines of file_sync, not one that lets node-b in from 192.0.2.12; "
                "deploy both nodes together",
            ),
            (
                "verify_answer",
                {},
                {"__file_sync_answer": {"rc": 1, "stderr": "ha-pair-sync: data: the peer: Connection refused\n"}},
                "file_sync_members: node-b does not answer over SSH at 192.0.2.12 port 22 (ha-pair-sync: data: the "
                "peer: Connection refused); see that its sshd runs and lets 192.0.2.11 in, and deploy both nodes "
                "together",
            ),
            (
                "verify_rounds",
                {},
                {"__file_sync_last": {"skipped": True}},
                "file_sync_directories.data: no round of it was made yet; read "
                '"journalctl -u ha-pair-sync.service" and "journalctl -t ha-pair-sync"',
            ),
        )
    ],
    (
        "tomcat",
        {
            **TOMCAT,
            "tasks_from": "fetch",
            "__tomcat_place": "tomcat_applications.shop",
            "__tomcat_fetch_file": None,
            "__tomcat_fetch_url": "file:///no/such/shop.war",
            "__tomcat_fetch_sha256": "0" * 64,
            "__tomcat_fetch_to": "/no/such/directory/shop.war",
        },
        {},
        f"localhost: tomcat_applications.shop: file:///no/such/shop.war cannot be had with sha256:{'0' * 64} (Request "
        "failed: <urlopen error [Errno 2] No such file or directory: '/no/such/shop.war'>); see whether the node "
        "reaches it, and whether it is what was meant. What runs stays as it was",
    ),
]

ASK = [
    {
        "name": "Ask",
        "block": [
            {
                "name": "Run the preflight",
                "ansible.builtin.include_role": {
                    "name": "duplex.ha_pair.{{ case.role }}",
                    "tasks_from": "{{ tasks_from }}",
                },
            },
            {"name": "Note that nothing was refused", "ansible.builtin.debug": {"msg": "ANSWER {{ case.number }}"}},
        ],
        "rescue": [
            {
                "name": "Note the refusal",
                "ansible.builtin.debug": {
                    "msg": "ANSWER {{ case.number }} {{ (results | selectattr('failed') | first).msg }}"
                },
                # A task with a loop has a result for each item.
                "vars": {"results": "{{ ansible_failed_result.results | default([ansible_failed_result]) }}"},
            }
        ],
    },
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """What the preflight of each case said, by its number."""
    where = tmp_path_factory.mktemp("refusals")
    # What this machine has installed is nobody's business here.
    for name in ("dpkg-query", "rpm"):
        (where / name).write_text('#!/bin/sh\necho "$PACKAGES"\n', encoding="utf-8")
        (where / name).chmod(0o755)
    (where / "dnf").write_text(
        "#!/bin/sh\nprintf 'Error: Problems in request:\\nmissing groups or modules: %s\\n' \"$4\" >&2\nexit 1\n",
        encoding="utf-8",
    )
    (where / "dnf").chmod(0o755)
    plays = []
    for number, (role, variables, facts, _) in enumerate(CASES):
        give = {"name": "Give the facts", "ansible.builtin.set_fact": {**DEBIAN, **facts, "cacheable": True}}
        plays.append(
            {
                "name": f"Case {number}",
                "hosts": "localhost",
                "gather_facts": False,
                "vars": {
                    "tasks_from": "preflight",
                    **variables,
                    "case": {"number": number, "role": role},
                    "ansible_python_interpreter": sys.executable,
                },
                "environment": {"PATH": f"{where}:{os.environ['PATH']}", "PACKAGES": variables.get("packages", "")},
                "tasks": [give, *ASK],
            }
        )
    playbook = where / "playbook.yml"
    playbook.write_text(yaml.safe_dump(plays), encoding="utf-8")
    settings = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_DEPRECATION_WARNINGS": "false"}
    done = run_playbook(where, settings=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {}
    for line in done.stdout.splitlines():
        if line.strip().startswith('"msg": "ANSWER '):
            number, _, message = json.loads(line.strip().removeprefix('"msg": ')).removeprefix("ANSWER ").partition(" ")
            found[int(number)] = message
    return found


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda number: f"{CASES[number][0]}-{number}")
def test_refuses(number: int, answers: dict[int, str]) -> None:
    refusal = CASES[number][3]
    # ansible-core 2.19 puts the kind of the failure before the message, older ones do not.
    assert answers[number].removeprefix("Action failed: ") == refusal
