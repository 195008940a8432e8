# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every unit file says only what the systemd knows that reads it: one that does not is told in its journal at best."""

from __future__ import annotations

import re
import subprocess
import typing as t
from pathlib import Path

import jinja2
import pytest

ROLES = Path(__file__).resolve().parents[3] / "roles"
TEMPLATES = sorted(
    path
    for path in ROLES.glob("*/templates/*.j2")
    if re.search(r"^\[(Mount|Path|Service|Timer)\]", path.read_text(), re.M)
)
# CentOS 7, EL 8, Debian 11, Debian 12 and EL 9, Debian 13 and EL 10; and around the versions where something begins.
VERSIONS = [219, 228, 229, 230, 231, 232, 237, 239, 240, 247, 252, 257]

# From the parser of 219 (load-fragment-gperf), and what the NEWS of later versions say.
OLD: dict[str, set[str]] = {
    "Unit": {
        "After",
        "Before",
        "BindsTo",
        "Conflicts",
        "DefaultDependencies",
        "Description",
        "PartOf",
        "RequiresMountsFor",
        "Requisite",
        "Wants",
    },
    "Service": {
        "CapabilityBoundingSet",
        "Environment",
        "EnvironmentFile",
        "ExecStart",
        "ExecStartPost",
        "ExecStartPre",
        "ExecStop",
        "ExecStopPost",
        "Group",
        "IOSchedulingClass",
        "LimitMEMLOCK",
        "LimitRTPRIO",
        "MemoryLimit",
        "Nice",
        "NoNewPrivileges",
        "NotifyAccess",
        "OOMScoreAdjust",
        "PermissionsStartOnly",
        "PrivateDevices",
        "PrivateTmp",
        "ProtectHome",
        "ProtectSystem",
        "RemainAfterExit",
        "RestrictAddressFamilies",
        "Restart",
        "RestartSec",
        "StartLimitInterval",
        "SuccessExitStatus",
        "SyslogIdentifier",
        "SystemCallArchitectures",
        "TimeoutStartSec",
        "TimeoutStopSec",
        "Type",
        "UMask",
        "User",
        "WatchdogSec",
        "WorkingDirectory",
    },
    "Mount": {"Options", "TimeoutSec", "Type", "What", "Where"},
    "Path": {"PathChanged", "Unit"},
    "Timer": {"AccuracySec", "OnActiveSec", "OnUnitActiveSec", "OnUnitInactiveSec"},
    "Install": {"WantedBy"},
}
FIRST = {
    ("Service", "AmbientCapabilities"): 229,
    ("Unit", "StartLimitIntervalSec"): 230,
    ("Service", "MemoryMax"): 231,
    ("Service", "ReadWritePaths"): 231,
    ("Service", "RestrictRealtime"): 231,
    ("Service", "ProtectControlGroups"): 232,
    ("Service", "ProtectKernelModules"): 232,
    ("Service", "ProtectKernelTunables"): 232,
    ("Service", "LockPersonality"): 235,
    ("Service", "LogLevelMax"): 236,
    ("Service", "WatchdogSignal"): 240,
    ("Service", "ProtectHostname"): 242,
    ("Service", "RestrictSUIDSGID"): 242,
    ("Service", "ProtectKernelLogs"): 244,
    ("Service", "ProtectClock"): 245,
    ("Mount", "LazyUnmount"): 232,
}
FIRST_VALUE = {
    ("TimeoutStartSec", r"infinity"): 229,
    ("Exec[A-Za-z]+", r"[-@]*\+.*"): 231,
    ("ProtectSystem", r"strict"): 232,
    ("Exec[A-Za-z]+", r".*\$(SERVICE_RESULT|EXIT_CODE|EXIT_STATUS)\b.*"): 232,
}
LAST = {("Service", "StartLimitInterval"): 229, ("Service", "PermissionsStartOnly"): 239}
BACKPORTED = {("Service", "AmbientCapabilities"): 219}
"""What EL has put into an older version."""

NFS: dict[str, t.Any] = {
    "path": "/srv/my-data",
    "unit": "srv-my\\x2ddata.mount",
    "source": "192.0.2.20:/export/data",
    "options": "rw,vers=4.2,hard,fg,retry=0,nofail",
    "services": ["app", "web"],
}


TOMCAT: dict[str, t.Any] = {
    "layout": {
        "major": "10",
        "home": "/opt/tomcat",
        "base": "/opt/tomcat",
        "user": "tomcat",
        "group": "tomcat",
        "writable": ["/var/log/tomcat", "/var/cache/tomcat"],
    },
    "write_paths": ["/srv/uploads"],
    "port": 80,
}


SYNC: dict[str, t.Any] = {
    "peer": "node-b",
    "service": "fetcher",
    "interval": 5,
    "settings": {"timeout": 30},
    "directories": [{"name": "data", "path": "/srv/data"}],
}


JAVA: dict[str, t.Any] = {
    "name": "fetcher",
    "mode": "active_standby",
    "user": "fetcher",
    "working_directory": "/var/lib/fetcher",
    "own_paths": ["/var/log/fetcher"],
    "sees_homes": False,
    "companions": ["ha-pair-sync-source.service", "report.timer"],
    "start": "/usr/bin/java -jar /var/lib/fetcher.jar",
    "ready": {"kind": "file", "target": "/run/fetcher/ready", "notify": False},
    "memory_max": "512M",
    "ports": [81],
    "start_timeout": 60.0,
    "stop_timeout": 10.0,
    "instance": "fetch",
}


def unit(
    template: Path,
    systemd: int,
    probes: tuple[dict[str, str], ...] = (),
    mount: dict[str, t.Any] = NFS,
    watch: str = "systemd",
    java: dict[str, t.Any] = JAVA,
) -> str:
    """The unit as it is written for a version of systemd, on a node with these probes and this mount."""
    environment = jinja2.Environment(
        trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined, autoescape=False
    )
    environment.filters["comment"] = lambda text: f"# {text}"
    environment.filters["bool"] = bool
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        ansible_managed="managed",
        # As ansible-core before 2.19 hands it out.
        __keepalived_systemd=str(systemd),
        __keepalived_script_directory="/usr/libexec/keepalived",
        __keepalived_drop_in_directory="/etc/systemd/system/keepalived.service.d",
        __keepalived_config_file="/etc/keepalived/keepalived.conf",
        __keepalived_marker="duplex.ha_pair",
        __keepalived_model={
            "state_directory": "/run/keepalived/ha-pair",
            "notify_fifo": "/run/keepalived/ha-pair/notify.fifo",
            "script_user": "keepalived_script",
            "restart_delay": 1.01,
            "realtime_priority": 50,
            "capabilities": {"realtime": True},
            "probes": probes,
        },
        __nfs_mount_retry="ha-pair-nfs-retry",
        __nfs_mount_systemd=str(systemd),
        __nfs_mount_model={"mounts": [mount], "timeout": 30, "retry_interval": 15},
        __nfs_mount_one=mount,
        __tomcat_systemd=str(systemd),
        __tomcat_model=TOMCAT,
        __tomcat_environment_file="/etc/ha-pair/tomcat.env",
        __tomcat_stop_timeout=30,
        __active_witness_systemd=str(systemd),
        __active_witness_account="keepalived_script",
        __active_witness_program="/usr/libexec/keepalived/ha-pair-witness",
        __java_service_systemd=str(systemd),
        __java_service_entry=java,
        __java_service_model={"agent": {"watchdog": 3.0, "services": {"fetcher": {"stop_timeout": 10.0}}}},
        __java_service_state_directory="/run/keepalived/ha-pair",
        __java_service_environment_directory="/etc/ha-pair/java",
        __java_service_agent_unit="ha-pair-active.service",
        __java_service_agent_program="/usr/libexec/keepalived/ha-pair-active",
        __redis_systemd=str(systemd),
        __redis_model={"instance": "web"},
        __redis_unit="redis-server.service",
        __redis_server="/usr/bin/redis-server",
        __redis_configuration="/etc/ha-pair/redis.conf",
        __redis_role_program="/usr/libexec/keepalived/ha-pair-redis-role",
        __file_sync_systemd=str(systemd),
        __file_sync_model=SYNC,
        __file_sync_program="/usr/libexec/keepalived/ha-pair-sync",
        __file_sync_report="/run/keepalived/ha-pair/sync.json",
        __file_sync_state="/run/keepalived/ha-pair",
        __file_sync_round="ha-pair-sync.service",
        __file_sync_lsyncd_configuration="/etc/ha-pair/sync/lsyncd.lua",
        __file_sync_watch=watch,
        __service_tracking_systemd=str(systemd),
        __service_tracking_service="app.service",
        __service_tracking_unit="ha-pair-track-app.service",
        __service_tracking_file="/run/keepalived/ha-pair/track/app",
        __service_tracking_program_directory="/usr/libexec/keepalived",
        __service_tracking_stop_sleep=0.25,
        service_tracking_health_url="http://127.0.0.1/",
        service_tracking_ready_timeout=30,
        service_tracking_restart=True,
        service_tracking_restart_delay=1.0,
    )


def directives(text: str) -> list[tuple[str, str, str]]:
    """(section, name, value) of every line that says something."""
    found, section = [], ""
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _equals, value = line.partition("=")
            found.append((section, name, value))
    return found


def too_new(section: str, name: str, value: str) -> int:
    """The first systemd that knows this line; a name that no table has is an error."""
    is_old = name in OLD.get(section, ())
    first = 0 if is_old else BACKPORTED.get((section, name), FIRST[section, name])
    # $$ is a dollar sign for a shell.
    plain = value.replace("$$", "$")
    values = (
        since
        for (names, pattern), since in FIRST_VALUE.items()
        if re.fullmatch(names, name) and re.fullmatch(pattern, plain)
    )
    return max([first, *values])


def test_all_units_are_looked_at() -> None:
    assert {path.name for path in TEMPLATES} >= {
        "ha-pair-notify.service.j2",
        "ha-pair-prober.service.j2",
        "keepalived.service.conf.j2",
        "service.conf.j2",
        "track.service.j2",
    }


@pytest.mark.parametrize("systemd", VERSIONS)
@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_nothing_is_said_that_this_systemd_does_not_know(template: Path, systemd: int) -> None:
    found = directives(unit(template, systemd))
    assert found
    assert [line for line in found if too_new(*line) > systemd] == []
    assert [line for line in found if LAST.get(line[:2], systemd) < systemd] == []


def values(name: str, template: str, systemd: int) -> list[str]:
    """All that a template says under a name."""
    (path,) = (path for path in TEMPLATES if path.name == template)
    return [value for _section, found, value in directives(unit(path, systemd)) if found == name]


@pytest.mark.parametrize("systemd", VERSIONS)
class TestNothingIsLost:
    def test_a_crash_says_down_whoever_the_service_runs_as(self, systemd: int) -> None:
        (crash,) = values("ExecStopPost", "service.conf.j2", systemd)
        assert crash.endswith("/bin/sh -c 'echo 0 >/run/keepalived/ha-pair/track/app'")
        pre = values("ExecStartPre", "track.service.j2", systemd)
        if systemd >= 231:
            assert crash.startswith("-+/bin/sh ")
            assert not any("chown" in value for value in pre)
        else:
            # The file is given to that account before the service is ever declared up, or it never is.
            assert crash.startswith("-/bin/sh ")
            assert "systemctl show -p User app.service" in pre[-1]
            assert 'chown "$${user:-root}" /run/keepalived/ha-pair/track/app' in pre[-1]
            assert not pre[-1].startswith("-")

    def test_a_unit_is_never_given_up(self, systemd: int) -> None:
        for template in TEMPLATES:
            text = unit(template, systemd)
            if "Restart=" in text:
                assert ("StartLimitIntervalSec=0" in text) != ("\nStartLimitInterval=0" in text), template.name

    def test_the_handler_hears_how_keepalived_ended(self, systemd: int) -> None:
        (told,) = values("ExecStopPost", "keepalived.service.conf.j2", systemd)
        assert ("$$SERVICE_RESULT" in told) == (systemd >= 232)
        assert ("systemctl show -p Result keepalived.service" in told) == (systemd < 232)
        assert '"DAEMON STOPPED $$' in told

    def test_directories_are_there_before_the_prober(self, systemd: int) -> None:
        if systemd >= 231:
            (made,) = values("ExecStartPre", "ha-pair-prober.service.j2", systemd)
            assert made.startswith("+/bin/systemd-tmpfiles ")
        else:
            assert values("After", "ha-pair-prober.service.j2", systemd) == ["ha-pair-notify.service"]
            assert values("PermissionsStartOnly", "ha-pair-notify.service.j2", systemd) == ["true"]
        # As root it would follow links that the account may have planted.
        assert values("PermissionsStartOnly", "ha-pair-prober.service.j2", systemd) == []


@pytest.mark.parametrize("systemd", VERSIONS)
def test_who_watches_storage_starts_while_it_hangs(systemd: int) -> None:
    (prober,) = (path for path in TEMPLATES if path.name == "ha-pair-prober.service.j2")
    asked = unit(prober, systemd, ({"kind": "http"},))
    watching = unit(prober, systemd, ({"kind": "http"}, {"kind": "mount"}))
    # These make systemd look at every mount before it starts the program.
    for word in ("ProtectSystem=", "ProtectHome=", "ReadWritePaths="):
        assert not any(line.startswith(word) for line in watching.splitlines())
    assert {"ProtectSystem", "ProtectHome"} <= {name for _section, name, _value in directives(asked)}


@pytest.mark.parametrize("systemd", VERSIONS)
def test_who_makes_a_redis_primary_starts_while_storage_hangs_and_before_redis_is_ready(systemd: int) -> None:
    (program,) = (path for path in TEMPLATES if path.name == "ha-pair-redis-role.service.j2")
    found = {name: value for _section, name, value in directives(unit(program, systemd))}
    # These make systemd look at every mount before it starts the program.
    assert not {"ProtectSystem", "ProtectHome", "PrivateTmp", "ReadWritePaths"} & set(found)
    assert found["After"] == "network.target"
    # Before 6.2 a replica is ready for systemd once it has its primary's data, and there may be no primary yet.
    assert values("Type", "redis.service.conf.j2", systemd) == ["simple"]
    assert values("ExecStart", "redis.service.conf.j2", systemd)[-1].endswith(" --supervised no --daemonize no")


@pytest.mark.parametrize("systemd", VERSIONS)
def test_the_witness_has_no_rights_and_starts_while_storage_hangs(systemd: int) -> None:
    (program,) = (path for path in TEMPLATES if path.name == "ha-pair-witness.service.j2")
    found = {name: value for _section, name, value in directives(unit(program, systemd))}
    assert (found["User"], found["CapabilityBoundingSet"]) == ("keepalived_script", "")
    assert {"ProtectSystem", "ProtectHome", "PrivateTmp", "ReadWritePaths"}.isdisjoint(found)
    assert ("NoNewPrivileges" in found) == (systemd >= 231)
    # It ends with 75 when its programs were replaced, which is no failure.
    assert (found["SuccessExitStatus"], found["Restart"], found["Type"]) == ("75", "always", "notify")


@pytest.mark.parametrize("systemd", VERSIONS)
class TestJava:
    def test_one_that_runs_on_one_node_is_bound_to_its_target_and_begun_by_nobody_else(self, systemd: int) -> None:
        target = "ha-pair-fetcher.target"
        assert values("PartOf", "java.service.j2", systemd) == [target]
        assert values("Requisite", "java.service.j2", systemd) == [target]
        # Its files are the newest before it writes, and mirrored after it has written the last.
        assert values("After", "java.service.j2", systemd) == ["network.target", target, "ha-pair-sync-source.service"]
        assert values("Restart", "java.service.j2", systemd) == ["no"]
        assert values("WantedBy", "java.service.j2", systemd) == []

    def test_a_child_may_say_that_it_is_ready(self, systemd: int) -> None:
        (path,) = (path for path in TEMPLATES if path.name == "java.service.j2")
        ready = {"kind": "systemd", "target": None, "notify": True}
        text = unit(path, systemd, java={**JAVA, "ready": ready})
        found = {name: value for _section, name, value in directives(text)}
        assert (found["Type"], found["NotifyAccess"]) == ("notify", "all")
        assert values("NotifyAccess", "java.service.j2", systemd) == []

    def test_one_that_runs_on_both_begins_at_boot(self, systemd: int) -> None:
        (path,) = (path for path in TEMPLATES if path.name == "java.service.j2")
        found = directives(unit(path, systemd, java={**JAVA, "mode": "active_active", "companions": []}))
        names = {name: value for _section, name, value in found}
        assert names["WantedBy"] == "multi-user.target"
        assert {"PartOf", "Requisite", "Restart"}.isdisjoint(names)

    def test_it_writes_to_what_is_its_own(self, systemd: int) -> None:
        expected = ["/var/lib/fetcher /var/log/fetcher"] if systemd >= 232 else []
        assert values("ReadWritePaths", "java.service.j2", systemd) == expected
        assert values("ProtectSystem", "java.service.j2", systemd) == ["strict" if systemd >= 232 else "full"]
        assert values("CapabilityBoundingSet", "java.service.j2", systemd) == ["CAP_NET_BIND_SERVICE"]

    def test_an_agent_that_ends_gives_the_vips_away_unless_it_begins_again(self, systemd: int) -> None:
        (ended,) = values("ExecStopPost", "ha-pair-active.service.j2", systemd)
        assert ('[ "$$EXIT_STATUS" = 75 ] && exit; ' in ended) == (systemd >= 232)
        assert "for name in fetcher; do echo 0 >active/$$name; echo 0 >track/$$name; done" in ended

    def test_an_agent_that_ended_is_started_again_once_what_was_bound_to_it_has_ended(self, systemd: int) -> None:
        (ended,) = values("ExecStopPost", "ha-pair-active.service.j2", systemd)
        # An older systemd fails to start it again while it still stops a target.
        assert ended.endswith("done; systemctl stop ha-pair-fetcher.target'" if systemd < 241 else "done'")
        assert values("TimeoutStopSec", "ha-pair-active.service.j2", systemd) == ["130" if systemd < 241 else "5"]
        # It calls itself started once it has stopped what it found.
        assert values("TimeoutStartSec", "ha-pair-active.service.j2", systemd) == ["40"]


@pytest.mark.parametrize("systemd", VERSIONS)
class TestStorage:
    def test_mounting_and_unmounting_have_an_end(self, systemd: int) -> None:
        assert values("TimeoutSec", "mount.j2", systemd) == ["30"]
        assert values("LazyUnmount", "mount.j2", systemd) == (["yes"] if systemd >= 232 else [])

    def test_no_other_part_of_a_boot_waits_for_it(self, systemd: int) -> None:
        assert values("WantedBy", "mount.j2", systemd) == ["multi-user.target"]

    def test_only_what_has_failed_is_tried_again(self, systemd: int) -> None:
        (command,) = values("ExecStart", "retry.service.j2", systemd)
        assert command.startswith("/bin/sh -c 'systemctl is-failed --quiet /srv/my-data || exit 0;")
        assert "for name in app.service web.service; do" in command
        # Whoever asks systemd to look at the path has it wait as well.
        text = "".join(unit(path, systemd) for path in TEMPLATES if path.parent.parent.name == "nfs_mount")
        assert not re.search(r"^(Condition|Assert)Path|^(ExecReload|ExecStart)=.*\b(restart|reload)\b", text, re.M)


@pytest.mark.parametrize("services", [[], ["app", "web"]])
def test_what_tries_again_is_good_shell(services: list[str]) -> None:
    (path,) = (path for path in TEMPLATES if path.name == "retry.service.j2")
    text = unit(path, 252, mount={**NFS, "services": services})
    (command,) = (value for _section, name, value in directives(text) if name == "ExecStart")
    script = command.partition(" -c ")[2].strip("'").replace("$$", "$")
    assert subprocess.run(["/bin/sh", "-n", "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("systemd", VERSIONS)
class TestRoundsGoOn:
    def test_whatever_starts_rounds_may_always_start_one(self, systemd: int) -> None:
        for template in ("ha-pair-sync.service.j2", "ha-pair-sync-source.service.j2", "ha-pair-sync-watch.service.j2"):
            (path,) = (path for path in TEMPLATES if path.name == template)
            text = unit(path, systemd)
            assert ("\nStartLimitIntervalSec=0" in text) == (systemd >= 230), template
            assert ("\nStartLimitInterval=0" in text) == (systemd < 230), template

    def test_a_round_has_no_view_of_its_own_of_the_mounts(self, systemd: int) -> None:
        for template in ("ha-pair-sync.service.j2", "ha-pair-sync-watch.service.j2", "ha-pair-sync-source.service.j2"):
            (path,) = (path for path in TEMPLATES if path.name == template)
            names = {name for _section, name, _value in directives(unit(path, systemd))}
            assert not {"ProtectSystem", "ProtectHome", "PrivateTmp", "ReadWritePaths"} & names, template

    def test_the_source_is_never_started_at_boot(self, systemd: int) -> None:
        assert values("WantedBy", "ha-pair-sync-source.service.j2", systemd) == []
        assert values("Before", "ha-pair-sync-source.service.j2", systemd) == ["fetcher.service"]

    def test_the_last_round_is_made_also_where_the_first_word_went_wrong(self, systemd: int) -> None:
        for name, word in (("ExecStart", "begin"), ("ExecStop", "last")):
            (command,) = values(name, "ha-pair-sync-source.service.j2", systemd)
            assert command == f"-/usr/bin/env /usr/libexec/keepalived/ha-pair-sync --{word}"

    def test_a_change_of_the_source_starts_a_round_also_beside_lsyncd(self, systemd: int) -> None:
        (path,) = (path for path in TEMPLATES if path.name == "ha-pair-sync.path.j2")
        found = {
            watch: [value for _section, name, value in directives(unit(path, systemd, watch=watch)) if "Path" in name]
            for watch in ("lsyncd", "systemd")
        }
        assert found["lsyncd"] == ["/run/keepalived/ha-pair/active.json"]
        assert found["systemd"] == ["/run/keepalived/ha-pair/active.json", "/srv/data"]
