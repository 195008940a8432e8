# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory of pairs that are not there, and what their nodes answer: each pair is deployed and whole.

Ansible runs on the controller as always. What it would send to a node goes to a local program instead (stand_in.sh),
which answers with the result that is written here for that module, so that neither this machine nor any other one is
looked at or changed.
"""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAIRS_PER_NETWORK = 10
MOST_PAIRS = 250 * PAIRS_PER_NETWORK
SINCE = 1767225600.0
UNITS = (
    "firewalld.service",
    "ha-pair-notify.service",
    "ha-pair-prober.service",
    "ha-pair-track-nginx.service",
    "keepalived.service",
    "nginx.service",
)
# Modules that change nothing on a node that is as it should be.
WITHOUT_CHANGE = ("file", "group", "ping", "replace", "systemd", "systemd_service", "user", "wait_for")


def pair_variables(number: int) -> dict[str, t.Any]:
    """The variables of the group of a pair, as inventories/nginx_pair has them."""
    network, place = divmod(number, PAIRS_PER_NETWORK)
    return {
        "web_vip": f"10.77.{network}.{10 + place}",
        "keepalived_members": list(nodes(number)),
        "keepalived_instances": {
            "web": {
                "vrid": 51 + place,
                "vips": ["{{ web_vip }}"],
                "services": {"nginx": {"health_url": "http://127.0.0.1/ha-pair/health"}},
            }
        },
        "vip_verification_identity_url": "http://{vip}/ha-pair/health",
        "nginx_sites": [
            {
                "name": "welcome",
                "root": "/srv/www/welcome",
                "index_page": "<!doctype html>\n<title>{{ inventory_hostname }}</title>\n",
            }
        ],
    }


def nodes(number: int) -> tuple[str, str]:
    """The inventory names of a pair."""
    return f"web-{number:03}-a", f"web-{number:03}-b"


def address(number: int, place: int) -> str:
    """The address of the first (0) or second (1) node of a pair."""
    network, slot = divmod(number, PAIRS_PER_NETWORK)
    return f"10.77.{network}.{100 + 2 * slot + place}"


def hardware(number: int, place: int) -> str:
    """The hardware address of a node."""
    return f"02:00:00:{number >> 8:02x}:{number & 255:02x}:{place:02x}"


def write(where: Path, pairs: int, seconds: float = 0) -> Path:
    """The inventory, and the nodes beside it; `seconds`: how long a node takes to answer. The inventory's path."""
    groups = {}
    for number in range(pairs):
        hosts = {}
        for place, name in enumerate(nodes(number)):
            node = where / "nodes" / name
            node.mkdir(parents=True)
            shutil.copy(HERE / "stand_in.sh", node / "python3")
            for module, answer in answers(number, place).items():
                (node / f"{module}.json").write_text(json.dumps(answer), encoding="utf-8")
            hosts[name] = {
                "ansible_host": address(number, place),
                "ansible_python_interpreter": str(node / "python3"),
            }
        groups[f"web_{number:03}"] = {"hosts": hosts, "vars": pair_variables(number)}
    (where / "nodes" / "seconds").write_text(f"{seconds:g}\n", encoding="ascii")
    inventory = where / "hosts.json"
    # Nobody becomes root: what would be asked as root is answered by a file.
    shared = {"ansible_connection": "local", "ansible_become": False}
    inventory.write_text(json.dumps({"ha_pair": {"children": groups, "vars": shared}}, indent=1), encoding="utf-8")
    return inventory


def asked(where: Path) -> dict[str, list[str]]:
    """The modules that were sent to each node, in their order."""
    return {
        node.name: (node / "asked").read_text(encoding="utf-8").split() if (node / "asked").exists() else []
        for node in sorted((where / "nodes").iterdir())
        if node.is_dir()
    }


def answers(number: int, place: int) -> dict[str, dict[str, t.Any]]:
    """What a node answers, by module: the first one of a pair owns the VIP, the second one stands by."""
    found: dict[str, dict[str, t.Any]] = {module: {"changed": False} for module in WITHOUT_CHANGE}
    found["setup"] = {"ansible_facts": {f"ansible_{name}": fact for name, fact in facts(number, place).items()}}
    found["command"] = {
        "changed": True,
        "rc": 0,
        "stdout": "installed nginx 1.22.1-9 Debian\ninstalled nginx-common 1.22.1-9 Debian",
        "stderr": "",
    }
    found["node_survey"] = {"changed": False, "survey": survey()}
    found["packet_filter"] = {"changed": False, "drops": [], "doubts": []}
    found["node_files"] = {"changed": False, "paths": [], "backups": {}}
    found["node_programs"] = {"changed": False, "files": []}
    found["release_claim"] = {"changed": False, "claim": {}}
    found["vip_owner"] = {"changed": False, "vip_owner": report(number, place)}
    return found


def facts(number: int, place: int) -> dict[str, t.Any]:
    """The facts of a node, with an interface as large as a real one's."""
    network = number // PAIRS_PER_NETWORK
    features = {f"feature_{index}": "off [fixed]" for index in range(60)}
    return {
        "distribution": "Debian",
        "distribution_major_version": "12",
        "distribution_version": "12.8",
        "distribution_release": "bookworm",
        "os_family": "Debian",
        "effective_user_id": 0,
        "user_id": "root",
        "hostname": nodes(number)[place],
        "python": {"executable": "/usr/bin/python3", "version": {"major": 3, "minor": 11, "micro": 2}},
        "selinux": {"status": "disabled"},
        "service_mgr": "systemd",
        "interfaces": ["lo", "eth0"],
        "lo": {"active": True, "device": "lo", "ipv4": {"address": "127.0.0.1", "prefix": "8"}, "features": features},
        "eth0": {
            "active": True,
            "device": "eth0",
            "macaddress": hardware(number, place),
            "ipv4": {
                "address": address(number, place),
                "netmask": "255.255.255.0",
                "network": f"10.77.{network}.0",
                "prefix": "24",
            },
            "features": features,
        },
    }


def survey() -> dict[str, t.Any]:
    """What node_survey finds on a node that was deployed."""
    running = {"load": "loaded", "active": "active", "sub": "running", "enabled": True, "result": "success"}
    units: dict[str, dict[str, t.Any]] = {name: {**running, "triggers": []} for name in UNITS}
    units["firewalld.service"].update(load="not-found", active="inactive", sub="dead", enabled=False)
    return {
        "keepalived": {"version": "2.2.7", "configuration": "ours", "secret": False},
        "units": units,
        "systemd": 252,
        "tracked": {"nginx": "up"},
        "files": {"/etc/default/keepalived": "foreign", "/etc/nginx/ha-pair/tls": "absent"},
        "listeners": [{"address": "0.0.0.0", "port": 80, "programs": ["nginx"]}],  # noqa: S104  # what nginx does
        "selinux": "disabled",
        "network": [],
    }


def report(number: int, place: int) -> dict[str, t.Any]:
    """What vip_owner sees on a node of a pair that is whole."""
    owns = place == 0
    state = "MASTER" if owns else "BACKUP"
    return {
        "host": nodes(number)[place],
        "keepalived": {
            "running": True,
            "pid": 812,
            "version": "2.2.7",
            "configuration": "ours",
            "scheduler": {"policy": "SCHED_RR", "priority": 50},
            "data_read": True,
            "data_problem": None,
        },
        "state_file": {"path": "/run/keepalived/ha-pair/state.json", "written_at": SINCE, "problem": None},
        "instances": {
            "web": {
                "daemon_state": state,
                "file_state": state,
                "agree": True,
                "since": SINCE,
                "priority": 150 if owns else 100,
                "transitions": 1,
            }
        },
        "raised": [],
        "lost_checks": [],
        "services": {"nginx": "up"},
        "prober": {
            "running": True,
            "problem": None,
            "probes": {"nginx": {"failing": False, "gated": False, "problem": None}},
        },
        "agent": {"running": False, "problem": None, "services": {}},
        "interfaces": [
            {
                "name": "eth0",
                "mac": hardware(number, place),
                "addresses": [{"address": address(number, place), "prefix": 24}],
            }
        ],
        "vips": [
            {
                "address": pair_variables(number)["web_vip"],
                "instance": "web",
                "held": owns,
                "interface": "eth0" if owns else None,
                "prefix": 24 if owns else None,
                "problems": [],
                "arp": {
                    "asked": True,
                    "interface": "eth0",
                    "answers": [] if owns else [hardware(number, 0)],
                    "problem": None,
                },
                "identity": {"asked": True, "node": nodes(number)[0], "status": 200, "problem": None},
            }
        ],
    }
