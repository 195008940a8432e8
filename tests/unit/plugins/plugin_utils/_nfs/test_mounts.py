# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of NFS mounts, and the words in which it refuses what cannot work or could hang a node for ever."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nfs.mounts import Mounts, build_mounts, unit_name
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError

DATA = {"path": "/srv/data", "source": "192.0.2.20:/export/data"}
FACTS: dict[str, t.Any] = {
    "kernel": "6.1.0-28-amd64",
    "all_ipv4_addresses": ["192.0.2.11"],
    "all_ipv6_addresses": ["2001:db8::11"],
    "selinux": {"status": "enabled"},
}


def model(*mounts: dict[str, t.Any], **settings: t.Any) -> Mounts:
    return build_mounts(list(mounts), node_name="node-a", **{"facts": FACTS, **settings})


def refusal(mount: object = None, **settings: t.Any) -> str:
    given = settings.pop("given", [{**DATA, **mount} if isinstance(mount, dict) else mount or DATA])
    with pytest.raises(InputError) as refused:
        build_mounts(given, node_name="node-a", **{"facts": FACTS, **settings})
    return str(refused.value)


def test_a_mount_waits_for_its_server_and_is_tried_once() -> None:
    (mount,) = model(DATA).mounts
    assert mount.options == "rw,vers=4.2,hard,timeo=600,retrans=2,fg,retry=0,nofail,nosuid,nodev"
    assert mount.running == ["rw", "vers=4.2", "hard", "timeo=600", "retrans=2"]
    assert (mount.unit, mount.source, mount.server, mount.port) == (
        "srv-data.mount",
        "192.0.2.20:/export/data",
        "192.0.2.20",
        2049,
    )


def test_everything_that_can_be_said() -> None:
    (mount,) = model(
        {
            "path": "/srv/my-data",
            "source": "[2001:db8::20]:/",
            "version": 4.1,
            "recovery": "softerr",
            "read_only": "yes",
            "timeo": "50",
            "retrans": 3,
            "port": 2050,
            "options": ["noexec", "nconnect=4", "sec=krb5p"],
            "services": ["tomcat", "nginx", "tomcat"],
        }
    ).mounts
    assert mount.options == (
        "ro,vers=4.1,softerr,timeo=50,retrans=3,fg,retry=0,nofail,nosuid,nodev,port=2050,noexec,nconnect=4,sec=krb5p"
    )
    assert (mount.unit, mount.server) == ("srv-my\\x2ddata.mount", "2001:db8::20")
    assert mount.services == ["tomcat", "nginx"]


def test_where_an_error_comes_in_the_end_nobody_waits_long_for_it() -> None:
    (mount,) = model({**DATA, "recovery": "soft", "read_only": True}).mounts
    assert "soft,timeo=100,retrans=2" in mount.options


def test_services_with_all_that_they_need() -> None:
    found = model(
        {**DATA, "services": ["tomcat"]},
        {"path": "/srv/more", "source": "storage:/more", "services": ["nginx", "tomcat"]},
    )
    assert found.by_service == {"tomcat": ["/srv/data", "/srv/more"], "nginx": ["/srv/more"]}
    assert found.booleans == ["httpd_use_nfs"]
    assert model(DATA, manage_selinux=False).booleans == []
    assert model({**DATA, "services": ["nginx"]}, facts={}).booleans == []
    # Nothing is known that SELinux keeps Tomcat from.
    assert model({**DATA, "services": ["tomcat"]}).booleans == []


def test_no_mounts_at_all() -> None:
    assert model().mounts == []


def test_what_may_be_lost_is_said() -> None:
    (warning,) = model({**DATA, "recovery": "soft"}).warnings
    assert warning == (
        "node-a: nfs_mount_mounts[0].recovery: soft and writable: what was written may be lost, and the application "
        "need not notice; give hard, or read_only: true"
    )
    assert model({**DATA, "recovery": "soft", "read_only": True}).warnings == []


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/srv/data", "srv-data.mount"),
        ("/srv/my-data", "srv-my\\x2ddata.mount"),
        ("/.hidden/a@b+c", "\\x2ehidden-a\\x40b\\x2bc.mount"),
        ("/srv/a.b_c:d", "srv-a.b_c:d.mount"),
    ],
)
def test_units_are_called_as_systemd_calls_them(path: str, unit: str) -> None:
    assert unit_name(path) == unit


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        (
            {"path": None},
            "node-a: nfs_mount_mounts[0].path: is nothing (None), not a string; give the absolute path of",
        ),
        ({"path": "srv"}, "[0].path: 'srv' is not a plain absolute path without a slash at its end; give the absolute"),
        ({"path": "/var/log"}, "[0].path: /var/log is what the machine itself needs; give a directory of its own"),
        ({"path": "/etc/x"}, "[0].path: /etc/x is what the machine itself needs; give a directory of its own"),
        ({"source": None}, "[0].source: is nothing (None), not a string; give server and export, such as 192.0.2.20:/"),
        ({"source": "192.0.2.20"}, "[0].source: '192.0.2.20' is not SERVER:/EXPORT; give server and export, such as"),
        ({"source": "2001:db8::20:/x"}, "[0].source: '2001:db8::20:/x' is not SERVER:/EXPORT; give server and export"),
        ({"source": "[192.0.2.20]:/x"}, "[0].source: '[192.0.2.20]:/x' is not SERVER:/EXPORT; give server"),
        (
            {"source": "192.0.2.11:/x"},
            "[0].source: 192.0.2.11 is this node itself: short of memory, a node that mounts from itself waits for "
            "itself for ever; mount from another machine, or use the directory itself",
        ),
        # The kernel would show it without the slash, as another source.
        ({"source": "192.0.2.20:/x/"}, "[0].source: '192.0.2.20:/x/' is not SERVER:/EXPORT; give server and export"),
        ({"source": "localhost:/x"}, "[0].source: localhost is this node itself: short of memory"),
        (
            {"version": 4},
            "[0].version: 4 is whatever client and server agree on, which may differ between the two nodes; give one",
        ),
        ({"version": "4.3"}, "[0].version: '4.3' is not one of 4.2, 4.1, 4.0, 3; did you mean"),
        ({"recovery": "sofft"}, "[0].recovery: 'sofft' is not one of hard, soft, softerr; did you mean 'soft'?"),
        ({"read_only": 7}, "[0].read_only: 7 is not a boolean; give true or false"),
        ({"timeo": 5}, "[0].timeo: 5 is not in 10..6000; give tenths of a second, such as 600"),
        ({"retrans": 0}, "[0].retrans: 0 is not in 1..20; give a count, such as 2"),
        ({"port": 0}, "[0].port: 0 is not in 1..65535; give a TCP port, such as 2049"),
        ({"sevices": []}, "[0].sevices: unknown key; did you mean 'services'?"),
        (
            {"services": "tomcat"},
            "[0].services: is a string ('tomcat'), not a list; give the systemd services that need",
        ),
        ({"services": ["tomcat.service"]}, "[0].services[0]: 'tomcat.service' is not a unit name; give the systemd"),
        (
            {"services": ["keepalived"]},
            "[0].services[0]: 'keepalived' must run while storage hangs, or the VIP stays where nobody can serve it; "
            "leave it out",
        ),
        ({"options": "noexec"}, "[0].options: is a string ('noexec'), not a list; give a list of options of nfs(5)"),
        (
            {"options": ["intr"]},
            "[0].options[0]: 'intr' does nothing since Linux 2.6.25: SIGKILL ends a waiting process, other signals do "
            "not; leave it out",
        ),
        (
            {"options": ["bg"]},
            "[0].options[0]: 'bg' reports success while nothing is mounted, and the service would start on the empty "
            "directory; leave it out: what fails is tried again every nfs_mount_retry_interval seconds",
        ),
        ({"options": ["soft"]}, "[0].options[0]: 'soft' has a key of its own; give recovery"),
        ({"options": ["timeo=10"]}, "[0].options[0]: 'timeo=10' has a key of its own; give timeo"),
        ({"options": ["vers=3"]}, "[0].options[0]: 'vers=3' has a key of its own; give version"),
        ({"options": ["_netdev"]}, "[0].options[0]: '_netdev' stands in the unit by itself; leave it out"),
        (
            {"options": ["x-systemd.automount"]},
            "[0].options[0]: 'x-systemd.automount' is for /etc/fstab, and this mount is a unit of systemd; leave",
        ),
        ({"options": ["addr=192.0.2.1"]}, "'addr=192.0.2.1' is what the kernel says of itself; give the server in"),
        ({"options": ["udp"]}, "[0].options[0]: 'udp' mixes up data on a fast network, and NFSv4 has no UDP; leave it"),
        ({"options": ["proto=udp6"]}, "[0].options[0]: 'proto=udp6' mixes up data on a fast network"),
        ({"options": ["nconect=4"]}, "[0].options[0]: 'nconect=4' is no option of NFS; did you mean 'nconnect'?"),
        ({"options": ["noexec,bg"]}, "[0].options[0]: 'noexec,bg' is no option of NFS"),
        (
            {"options": ["rsize=1,bg"]},
            "[0].options[0]: 'rsize=1,bg' is not one option, plainly written; give a list of",
        ),
        (
            {"options": ["context=%h"]},
            "[0].options[0]: 'context=%h' is not one option, plainly written; give a list of",
        ),
    ],
)
def test_refuses(mount: dict[str, t.Any], message: str) -> None:
    assert message in refusal(mount)


def test_refuses_what_is_no_list_of_mounts() -> None:
    assert "node-a: nfs_mount_mounts: is a string ('x'), not a list; give a list such as [{path: " in refusal(given="x")
    assert "node-a: nfs_mount_mounts[0]: is a string ('x'), not a dictionary; give a list" in refusal("x")


def test_refuses_what_the_kernel_does_not_know() -> None:
    message = "[0].recovery: softerr needs Linux 5.2, and this node has 4.18.0-553.el8; give soft"
    facts = {**FACTS, "kernel": "4.18.0-553.el8"}
    assert message in refusal({"recovery": "softerr", "read_only": True}, facts=facts)
    assert model({**DATA, "recovery": "softerr"}, facts={}).mounts


def test_refuses_mounts_that_get_in_each_others_way() -> None:
    twice = refusal(given=[DATA, {**DATA, "source": "192.0.2.21:/x"}])
    assert (
        "nfs_mount_mounts[1].path: /srv/data is that of node-a: nfs_mount_mounts[0] as well; give each its own" in twice
    )
    for inner, outer in (("/srv/data/in", "/srv/data"), ("/srv/data", "/srv/data/in")):
        nested = refusal(given=[{**DATA, "path": outer}, {**DATA, "path": inner}])
        assert (
            f"[1].path: {inner} and {outer} lie in each other: systemd itself would wait for a dead server when it "
            "makes the inner directory; mount them side by side"
        ) in nested


def test_refuses_times_out_of_range() -> None:
    told = refusal(timeout=0, connect_timeout=0, retry_interval="x", manage_selinux="perhaps")
    assert "node-a: nfs_mount_timeout: 0 is not in 5..600; give whole seconds, such as 30" in told
    assert "node-a: nfs_mount_connect_timeout: 0 is not in 0.5..60 seconds; give seconds, such as 5" in told
    assert "node-a: nfs_mount_retry_interval: 'x' is not an integer; give whole seconds, such as 15" in told
    assert "node-a: nfs_mount_manage_selinux: 'perhaps' is not a boolean; give true or false" in told
