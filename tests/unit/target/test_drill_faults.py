# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commands each fault of the drill is made of, and what is refused."""

from __future__ import absolute_import, division, print_function

import binascii
import os
import struct
import subprocess
import sys
import time
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import (
    announce,
    faults,
    network_faults,
    service_faults,
    shell,
    storage_faults,
    target,
)
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.mounts import parse_mounts

__metaclass__ = type

DIRECTORY = "/run/ha-pair-drill/t1"
MAC = "52:54:00:00:00:01"
IP_ADDR = (
    "1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n"
    "2: eth0    inet 192.0.2.11/24 brd 192.0.2.255 scope global eth0\\       valid_lft forever preferred_lft forever\n"
    "2: eth0    inet 192.0.2.10/24 scope global secondary eth0\\       valid_lft forever preferred_lft forever\n"
    "2: eth0    inet 192.0.2.77/24 scope global dynamic eth0\\       valid_lft 80sec preferred_lft 80sec\n"
    "2: eth0    inet 198.51.100.1/24 scope global eth0:x\\       valid_lft forever preferred_lft forever\n"
    "2: eth0    inet6 2001:db8::11/64 scope global nodad \\       valid_lft forever preferred_lft forever\n"
    "2: eth0    inet6 2001:db8::10/128 scope global nodad \\       valid_lft forever preferred_lft 0sec\n"
    "2: eth0    inet6 fe80::1/64 scope link \\       valid_lft forever preferred_lft forever\n"
)
IP_LINK = (
    "1: lo: <LOOPBACK,UP> mtu 65536 qdisc noqueue\\    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n"
    "2: eth0@if9: <UP> mtu 1500 qdisc noqueue\\    link/ether %s brd ff:ff:ff:ff:ff:ff\n"
    "3: tun0: <UP> mtu 1500 qdisc noqueue\\    link/none\n" % MAC
)
ROUTES4 = (
    "default via 192.0.2.1 dev eth0 proto static linkdown \n"
    "192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.11 \n"
    "203.0.113.0/24 dev eth0 scope link src 192.0.2.10 \n"
    "203.0.113.0/28 dev eth0 table 100 scope link metric 50 \n"
    "198.18.0.0/15 via 192.0.2.2 dev eth9 \n"
    "broadcast 192.0.2.255 dev eth0 table local proto kernel scope link src 192.0.2.11 \n"
)
ROUTES6 = (
    "2001:db8::/64 dev eth0 proto kernel metric 256 pref medium\n"
    "default via 2001:db8::1 dev eth0 metric 1024 pref medium\n"
    "default via fe80::9 dev eth0 proto ra metric 1024 expires 1790sec hoplimit 64 pref medium\n"
    "multicast ff00::/8 dev eth0 table local proto kernel metric 256 pref medium\n"
)
VIPS = [
    {"address": "192.0.2.10", "prefix": 24, "interface": "eth0"},
    {"address": "2001:db8::10", "prefix": None, "interface": None},
]


MOUNTS = (
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "31 22 0:41 / /srv/data rw - nfs4 192.0.2.20:/data rw,vers=4.2,proto=tcp,port=0,hard,addr=192.0.2.20\n"
    "32 22 0:42 / /srv/more rw - nfs 192.0.2.20:/more rw,vers=3,addr=192.0.2.20\n"
    "33 22 0:43 / /srv/six rw - nfs4 [2001:db8::20]:/six rw,port=2050,addr=2001:db8::20\n"
    "34 22 0:44 / /srv/fuse rw - fuse.bindfs /srv/below rw,user_id=0,group_id=0,allow_other\n"
    "35 22 0:45 / /srv/disk rw - xfs /dev/sdb rw\n"
    "36 22 0:46 / /srv/fast rw - nfs4 192.0.2.30:/fast rw,proto=rdma,addr=192.0.2.30\n"
    "37 22 0:47 / /srv/mute rw - nfs4 storage:/mute rw\n"
    "38 22 0:48 / /usr rw - nfs4 192.0.2.40:/usr rw,addr=192.0.2.40\n"
    "39 22 0:49 / /srv/near rw - nfs4 192.0.2.40:/near rw,addr=192.0.2.40\n"
    "40 22 0:50 / /var rw - fuse.x x rw\n"
)
BINDFS = {"pid": 4711, "words": ["/usr/bin/bindfs", "-f", "/srv/below", "/srv/fuse", ""]}
SSHFS = {"pid": 4712, "words": ["sshfs", "node:/x", "/mnt/x", ""]}


class Machine(target.Target):
    """A host that can do everything, unless told otherwise."""

    def __init__(self, **changed):
        super(Machine, self).__init__(self._answer)
        self.root, self.programs, self.mounting, self.selinux, self.cpu = True, None, True, False, True
        self.kinds = {"/run/systemd/system": "directory", "/srv/log": "directory", "/usr/libexec/check": "file"}
        self.mounted, self.served = MOUNTS, [BINDFS, SSHFS]
        self.up, self.version, self.broken, self.asked = {"eth0": True}, "systemd 252 (252.1)", {}, []
        self.properties = {
            "Id": "nginx.service",
            "LoadState": "loaded",
            "ActiveState": "active",
            "CanReload": "yes",
            "MainPID": "77",
            "ControlGroup": "/system.slice/nginx.service",
            "CPUQuotaPerSecUSec": "infinity",
        }
        for name, value in changed.items():
            setattr(self, name, value)

    def _answer(self, argv, _timeout=None):
        words = " ".join(argv)
        self.asked.append(words)
        for begin, answer in self.broken.items():
            if words.startswith(begin):
                return answer
        for begin, text in (
            ("systemctl --version", self.version + "\n"),
            ("systemctl show", "".join("%s=%s\n" % pair for pair in sorted(self.properties.items()))),
            ("ip -o addr show", IP_ADDR),
            ("ip -o link show type vlan", ""),
            ("ip -o link show", IP_LINK),
            ("ip -4 -o route", ROUTES4),
            ("ip -6 -o route", ROUTES6),
        ):
            if words.startswith(begin):
                return 0, text, ""
        return 0, "", ""

    def is_root(self):
        return self.root

    def has(self, program):
        return self.programs is None or program in self.programs

    def path_kind(self, path):
        return self.kinds.get(path)

    def real_path(self, path):
        return {"/srv/link": "/srv/log"}.get(path, path)

    def has_selinux(self):
        return self.selinux

    def may_mount(self):
        return self.mounting

    def mounts(self):
        return parse_mounts(self.mounted)

    def fuse_servers(self):
        return self.served

    def has_cpu_controller(self):
        return self.cpu

    def is_up(self, interface):
        return self.up.get(interface)


def options(fault, **changed):
    params = {
        "state": "injected",
        "id": "t1",
        "fault": fault,
        "restore_after": 30.0,
        "delay": 0.0,
        "service": None,
        "interface": None,
        "peers": [],
        "vips": [],
        "keep_ports": [22],
        "path": None,
        "size": "64k",
        "quota": "2%",
        "inject": [],
        "mend": [],
    }
    params.update(changed)
    return params


def compose(fault, machine=None, **changed):
    return faults.compose(options(fault, **changed), machine or Machine(), DIRECTORY)


def commands(steps):
    return [command for _words, command in steps]


class FaultTest(unittest.TestCase):
    maxDiff = None

    def refuse(self, fault, text, kind=NodeError, machine=None, **changed):
        with self.assertRaises(NodeError) as caught:
            compose(fault, machine, **changed)
        self.assertIs(type(caught.exception), kind)
        self.assertEqual(str(caught.exception), text)

    def not_now(self, fault, text, machine=None, **changed):
        self.refuse(fault, text, target.NotNowError, machine, **changed)

    def unsupported(self, fault, text, machine=None, **changed):
        self.refuse(fault, text, target.UnsupportedError, machine, **changed)

    def assert_shell(self, plan):
        """Every command is one that a shell can read."""
        for command in commands(plan.prepare + plan.cut + plan.undo):
            self.assertEqual(subprocess.call(["sh", "-n", "-c", command]), 0, command)


START = (
    "systemctl is-active --quiet %(unit)s || { systemctl reset-failed %(unit)s 2>/dev/null; systemctl start %(unit)s; }"
)
START_NGINX = START % {"unit": "nginx.service"}


class ServiceFaultTest(FaultTest):
    def test_stop(self):
        plan = compose("service_stop", service="nginx")
        self.assertEqual(plan.prepare, [])
        self.assertEqual(commands(plan.cut), ["systemctl stop nginx.service"])
        self.assertEqual(commands(plan.undo), [START_NGINX])

    def test_what_is_stopped_with_the_unit_is_started_after_it(self):
        shown = {
            "nginx": "ActiveState=active\nRequiredBy=shop.service web.target\nBoundBy=ha-pair-track-nginx.service\n",
            "shop": "ActiveState=active\nConsistsOf=cart.service idle.service nginx.service\n",
            "cart": "ActiveState=active\nRequiredBy=\n",
            "idle": "ActiveState=inactive\nRequiredBy=\n",
            "ha-pair-track-nginx": "ActiveState=active\n",
        }
        answers = {
            "systemctl show %s.service -p Id -p ActiveState -p RequiredBy" % name: (0, text, "")
            for name, text in shown.items()
        }
        answers["systemctl show web.target"] = (0, "ActiveState=active\n", "")
        plan = compose("service_stop", Machine(broken=answers), service="nginx")
        self.assertEqual(commands(plan.cut), ["systemctl stop nginx.service"])
        self.assertEqual(
            commands(plan.undo),
            [START % {"unit": name + ".service"} for name in ("nginx", "shop", "ha-pair-track-nginx", "cart")],
        )
        self.unsupported(
            "service_stop",
            "systemctl show web.target -p Id -p ActiveState -p RequiredBy -p BoundBy -p ConsistsOf: failed with 1 (no)",
            Machine(broken=dict(answers, **{"systemctl show web.target": (1, "", "no")})),
            service="nginx",
        )

    def test_a_crash_is_kept_from_being_repaired(self):
        plan = compose("service_crash", service="nginx")
        drop_in = "/run/systemd/system/nginx.service.d/zz-ha-pair-drill.conf"
        self.assertEqual(
            commands(plan.prepare),
            [
                "mkdir -p /run/systemd/system/nginx.service.d && "
                "printf '[Service]\\nRestart=no\\n' >%s && systemctl daemon-reload" % drop_in,
                'test "$(systemctl show -p Restart nginx.service)" = Restart=no',
            ],
        )
        self.assertEqual(commands(plan.cut), ["systemctl kill --signal=SIGKILL nginx.service"])
        self.assertEqual(
            commands(plan.undo),
            [
                "rm -f %s; rmdir /run/systemd/system/nginx.service.d 2>/dev/null; systemctl daemon-reload" % drop_in,
                START_NGINX,
            ],
        )
        self.assert_shell(plan)

    def test_what_runs_on_one_node_only_is_started_by_its_agent_alone(self):
        for fault in ("service_stop", "service_crash", "service_crash_restart", "service_hang", "cpu_starvation"):
            machine = Machine()
            machine.properties["PartOf"] = "shop.target ha-pair-nginx.target"
            plan = compose(fault, machine, service="nginx")
            self.assertFalse([line for line in commands(plan.undo) if "systemctl start" in line])
            self.assertEqual(plan.undo[-1], ("leave the start of nginx.service to ha-pair-active", ":"))
            self.assert_shell(plan)
        machine = Machine()
        machine.properties["PartOf"] = "ha-pair-nginx.target"
        plan = compose("disk_full", machine, service="nginx", path="/srv/log")
        self.assertFalse([line for line in commands(plan.undo) if "systemctl start" in line])

    def test_what_falls_with_keepalived_and_has_an_agent_is_not_started_with_it(self):
        shown = {
            "keepalived.service": "ActiveState=active\nBoundBy=ha-pair-fetcher.target other.service\n",
            "ha-pair-fetcher.target": "ActiveState=active\nConsistsOf=fetcher.service\n",
            "fetcher.service": "ActiveState=active\n",
            "other.service": "ActiveState=active\n",
        }
        asked = {"systemctl show %s -p Id -p ActiveState -p RequiredBy" % name: (0, text, "")
                 for name, text in shown.items()}
        machine = Machine(broken=asked)
        machine.properties["Id"] = "keepalived.service"
        self.assertEqual(
            commands(compose("keepalived_stop", machine).undo),
            [START % {"unit": name + ".service"} for name in ("keepalived", "other")],
        )

    def test_a_crash_that_systemd_repairs(self):
        plan = compose("service_crash_restart", service="nginx.service")
        self.assertEqual(plan.prepare, [])
        self.assertEqual(commands(plan.cut), ["systemctl kill --signal=SIGKILL nginx.service"])
        self.assertEqual(commands(plan.undo), [START_NGINX])

    def test_a_hang(self):
        plan = compose("service_hang", service="nginx")
        self.assertEqual(commands(plan.cut), ["systemctl kill --signal=SIGSTOP nginx.service"])
        self.assertEqual(
            commands(plan.undo), ["systemctl kill --signal=SIGCONT nginx.service 2>/dev/null || :", START_NGINX]
        )

    def test_keepalived_needs_no_name(self):
        for fault, signal in (("keepalived_stop", None), ("keepalived_kill", "KILL"), ("keepalived_freeze", "STOP")):
            machine = Machine()
            machine.properties["Id"] = "keepalived.service"
            plan = compose(fault, machine)
            self.assertIn("systemctl show keepalived.service -p Id", machine.asked[-1])
            expected = "kill --signal=SIG" + signal if signal else "stop"
            self.assertEqual(commands(plan.cut), ["systemctl %s keepalived.service" % expected])
            self.assertEqual(commands(plan.undo)[-1], START % {"unit": "keepalived.service"})

    def test_the_unit_is_called_by_its_own_name(self):
        machine = Machine()
        machine.properties["Id"] = "java@shop.service"
        self.assertEqual(
            commands(compose("service_stop", machine, service="shop").cut), ["systemctl stop java@shop.service"]
        )

    def test_units_that_cannot_be_broken(self):
        self.refuse("service_stop", "service: missing; name the systemd unit that the fault is about")
        self.refuse("service_stop", "service: a b: is no name of a unit; give it as systemctl does", service="a b")
        self.refuse("service_stop", "service: -x;y: is no name of a unit; give it as systemctl does", service="-x;y")
        self.refuse(
            "service_stop", "service: a.socket: is not a service; name one that ends in .service", service="a.socket"
        )
        machine = Machine()
        machine.properties["LoadState"] = "not-found"
        self.unsupported(
            "service_stop",
            "x.service: no such unit on this host (not-found); see systemctl list-units --type=service",
            machine,
            service="x",
        )
        machine.properties["LoadState"] = "masked"
        self.unsupported(
            "service_stop", "x.service: is masked on this host; systemctl unmask x.service", machine, service="x"
        )
        machine.properties.update(LoadState="loaded", ActiveState="failed")
        self.not_now(
            "service_stop",
            "x.service: is failed, and a fault needs something that works; systemctl start x.service",
            machine,
            service="x",
        )

    def test_starvation(self):
        plan = compose("cpu_starvation", service="nginx", quota="5%")
        self.assertEqual(commands(plan.cut)[0], "systemctl set-property --runtime nginx.service CPUQuota=5%")
        self.assertIn('"$group"/system.slice/nginx.service/cpu.max', commands(plan.cut)[1])
        self.assertEqual(
            commands(plan.undo),
            [
                "systemctl set-property --runtime nginx.service CPUQuota=",
                "rm -f /run/systemd/system.control/nginx.service.d/50-CPUQuota.conf "
                "/run/systemd/system/nginx.service.d/50-CPUQuota.conf && systemctl daemon-reload",
                START_NGINX,
            ],
        )
        self.assert_shell(plan)

    def test_a_quota_that_was_there_comes_back(self):
        machine = Machine()
        machine.properties["CPUQuotaPerSecUSec"] = "1.500000s"
        self.assertEqual(
            commands(compose("cpu_starvation", machine, service="nginx").undo),
            ["systemctl set-property --runtime nginx.service CPUQuota=150%", START_NGINX],
        )

    def test_spans_of_systemd(self):
        for text, quota in (("infinity", ""), ("", ""), (None, ""), ("20ms", "2%"), ("1s 500ms", "150%"), ("what", "")):
            self.assertEqual(service_faults.former_quota(text), quota)

    def test_starvation_that_cannot_be(self):
        self.refuse(
            "cpu_starvation",
            "quota: 0.5: is no share of one CPU; give whole per cent, for example 2%",
            service="nginx",
            quota="0.5",
        )
        self.unsupported(
            "cpu_starvation",
            "the cgroups of this host have no cpu controller: nothing can be held to a share of CPU",
            Machine(cpu=False),
            service="nginx",
        )


class NetworkFaultTest(FaultTest):
    def test_a_link_gets_back_what_it_lost(self):
        plan = compose("link_down", interface="eth0", vips=VIPS)
        self.assertEqual(commands(plan.cut), ["ip link set dev eth0 down"])
        back = "ip -o addr show dev eth0 | grep -q -F ' %s ' || ip addr add %s dev eth0"
        retry = "for attempt in 1 2 3 4 5 6 7 8 9 10; do ip %s route replace %s && exit 0; sleep 0.3; done; exit 1"
        self.assertEqual(
            commands(plan.undo),
            [
                "ip link set dev eth0 up",
                back % ("192.0.2.11/24", "192.0.2.11/24 brd 192.0.2.255 scope global"),
                back % ("198.51.100.1/24", "198.51.100.1/24 scope global label eth0:x"),
                back % ("2001:db8::11/64", "2001:db8::11/64 scope global nodad"),
                back % ("fe80::1/64", "fe80::1/64 scope link"),
                retry % ("-4", "203.0.113.0/28 dev eth0 table 100 scope link metric 50"),
                retry % ("-4", "default via 192.0.2.1 dev eth0 proto static"),
                retry % ("-6", "default via 2001:db8::1 dev eth0 metric 1024 pref medium"),
            ],
        )
        self.assert_shell(plan)

    def test_routes_that_the_kernel_does_not_bring_back(self):
        shown = (
            "2: eth0    inet 192.0.2.11/24 brd 192.0.2.255 scope global dynamic noprefixroute eth0\\ valid_lft 80sec\n"
            "2: eth0    inet 192.0.2.10/24 scope global secondary eth0\\ valid_lft forever\n"
            "2: eth0    inet 203.0.113.1 peer 203.0.113.2/32 scope global noprefixroute eth0\\ valid_lft forever\n"
            "2: eth0    inet6 2001:db8::11/64 scope global noprefixroute \\ valid_lft forever\n"
            "2: eth0    inet6 2001:db8::10/128 scope global nodad noprefixroute \\ valid_lft forever\n"
            "2: eth0    inet6 fe80::1/64 scope link \\ valid_lft forever\n"
        )
        routes4 = (
            "default via 192.0.2.1 dev eth0 proto dhcp metric 100 \n"
            "192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.11 metric 100 \n"
            "192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.10 \n"
            "203.0.113.2 dev eth0 proto kernel scope link src 203.0.113.1 \n"
            "198.51.100.0/24 dev eth0 proto kernel scope link src 198.51.100.1 \n"
            "local 192.0.2.11 dev eth0 table local proto kernel scope host src 192.0.2.11 \n"
        )
        routes6 = (
            "2001:db8::10 dev eth0 proto kernel metric 256 pref medium\n"
            "2001:db8::/64 dev eth0 proto kernel metric 100 pref medium\n"
            "2001:db8::/64 dev eth0 proto kernel metric 256 expires 80sec pref medium\n"
            "fe80::/64 dev eth0 proto kernel metric 256 pref medium\n"
        )
        machine = Machine(
            broken={
                "ip -o addr show dev": (0, shown, ""),
                "ip -4 -o route": (0, routes4, ""),
                "ip -6 -o route": (0, routes6, ""),
            }
        )
        plan = compose("link_down", machine, interface="eth0", vips=VIPS)
        self.assertEqual(
            [command.split(" replace ")[1].split(" && ")[0] for command in commands(plan.undo) if "replace" in command],
            [
                "192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.11 metric 100",
                "203.0.113.2 dev eth0 proto kernel scope link src 203.0.113.1",
                "default via 192.0.2.1 dev eth0 proto dhcp metric 100",
                "2001:db8::/64 dev eth0 proto kernel metric 100 pref medium",
            ],
        )
        self.assert_shell(plan)

    def test_odd_addresses_and_routes(self):
        line = "2: eth0    inet 192.0.2.1 peer 192.0.2.2/32 scope global eth0\\ valid_lft forever\n"
        self.assertEqual(
            network_faults.parse_permanent(line + "\nx\n", "eth0"),
            [["192.0.2.1", "peer", "192.0.2.2/32", "scope", "global"]],
        )
        several = (
            "default proto static \\\tnexthop via 192.0.2.1 dev eth0 weight 1 "
            "\\\tnexthop via 192.0.2.2 dev eth1 weight 1 \n"
        )
        self.assertEqual(
            [" ".join(words) for words in network_faults.parse_routes(several, "eth0")],
            ["default proto static nexthop via 192.0.2.1 dev eth0 weight 1 nexthop via 192.0.2.2 dev eth1 weight 1"],
        )
        odd = "192.0.2.9 nhid 7 dev eth0 expires 10sec metric 1\n"
        self.assertEqual(network_faults.parse_routes(odd, "eth0"), [["192.0.2.9", "dev", "eth0", "metric", "1"]])

    def test_links_that_cannot_go_down(self):
        self.refuse("link_down", "interface: missing; name the network interface that the fault is about")
        self.refuse(
            "link_down",
            "interface: lo: is the loopback; name the interface that carries the virtual addresses",
            interface="lo",
        )
        self.refuse(
            "link_down", "interface: a/b: is no name of an interface; give it as `ip link` does", interface="a/b"
        )
        self.unsupported(
            "link_down", "interface: eth7: no such interface on this host; it has lo, eth0, tun0", interface="eth7"
        )
        vlans = (
            "5: eth0.5@eth0: <BROADCAST,UP> mtu 1500 qdisc noqueue\\    link/ether %s brd ff:ff:ff:ff:ff:ff\n"
            "6: eth1.5@eth1: <BROADCAST,UP> mtu 1500 qdisc noqueue\\    link/ether %s brd ff:ff:ff:ff:ff:ff\n"
            "7: back@eth0: <BROADCAST> mtu 1500 qdisc noop\\    link/ether %s brd ff:ff:ff:ff:ff:ff\n"
        ) % (MAC, MAC, MAC)
        for text, named in ((vlans, "eth0.5 and back"), (vlans.splitlines()[0], "eth0.5")):
            self.unsupported(
                "link_down",
                "interface: eth0: carries the VLAN %s, whose routes nobody would put back; use isolate_all instead"
                % named,
                Machine(broken={"ip -o link show type vlan": (0, text, "")}),
                interface="eth0",
            )
        compose(
            "link_down", Machine(broken={"ip -o link show type vlan": (0, vlans.splitlines()[1], "")}), interface="eth0"
        )
        self.unsupported(
            "link_down",
            "ip -o link show type vlan: failed with 255 (no)",
            Machine(broken={"ip -o link show type vlan": (255, "", "no")}),
            interface="eth0",
        )
        self.not_now(
            "link_down",
            "interface: eth0: is down already; ip link set dev eth0 up",
            Machine(up={"eth0": False}),
            interface="eth0",
        )
        self.unsupported(
            "link_down",
            "ip route show table all: failed with 2, so no route could be put back",
            Machine(broken={"ip -4 -o route": (2, "", "x")}),
            interface="eth0",
        )
        self.unsupported(
            "link_down",
            "ip -o addr show dev eth0: failed with 1 (no)",
            Machine(broken={"ip -o addr show dev": (1, "", "no")}),
            interface="eth0",
        )

    def test_a_kernel_without_ipv6_has_fewer_routes(self):
        plan = compose("link_down", Machine(broken={"ip -6 -o": (255, "", "no")}), interface="eth0")
        self.assertFalse([command for command in commands(plan.undo) if "-6 route" in command])

    def test_vrrp_is_dropped_by_a_table_of_our_own(self):
        plan = compose("vrrp_block")
        self.assertEqual(commands(plan.cut), ["nft -f %s/rules" % DIRECTORY])
        self.assertEqual(
            commands(plan.undo),
            ["! nft list table inet ha_pair_drill >/dev/null 2>&1 || nft delete table inet ha_pair_drill"],
        )
        self.assertEqual(
            plan.files["rules"],
            (
                "table inet ha_pair_drill\ndelete table inet ha_pair_drill\n"
                "table inet ha_pair_drill {\n"
                "  chain in {\n    type filter hook input priority -300; policy accept;\n"
                "    meta l4proto 112 drop\n  }\n"
                "  chain out {\n    type filter hook output priority -300; policy accept;\n"
                "    meta l4proto 112 drop\n  }\n"
                "}\n",
                0o600,
            ),
        )

    def test_vrrp_is_dropped_by_iptables_where_there_is_no_nft(self):
        plan = compose("vrrp_block", Machine(programs={"iptables", "ip6tables", "systemd-run"}))
        fill = (
            "{0} -w -N HA_PAIR_DRILL_IN && {0} -w -A HA_PAIR_DRILL_IN -p 112 -j DROP && "
            "{0} -w -N HA_PAIR_DRILL_OUT && {0} -w -A HA_PAIR_DRILL_OUT -p 112 -j DROP"
        )
        hook = "{0} -w -I INPUT 1 -j HA_PAIR_DRILL_IN && {0} -w -I OUTPUT 1 -j HA_PAIR_DRILL_OUT"
        both = ("iptables", "ip6tables")
        self.assertEqual(commands(plan.prepare), [" && ".join(fill.format(name) for name in both)])
        self.assertEqual(commands(plan.cut), [" && ".join(hook.format(name) for name in both)])
        undo = (
            "while {0} -w -D {1} -j {2} 2>/dev/null; do :; done; "
            "! {0} -w -S {2} >/dev/null 2>&1 || {{ {0} -w -F {2} && {0} -w -X {2}; }}"
        )
        chains = (("INPUT", "HA_PAIR_DRILL_IN"), ("OUTPUT", "HA_PAIR_DRILL_OUT"))
        self.assertEqual(commands(plan.undo), [undo.format(name, *chain) for name in both for chain in chains])
        self.assertEqual(plan.notes, [])
        self.assert_shell(plan)

    def test_ipv6_that_passes_is_told(self):
        plan = compose("vrrp_block", Machine(programs={"iptables", "systemd-run"}))
        self.assertEqual(plan.notes, ["ip6tables does not work on this host: IPv6 still passes"])
        self.assertNotIn("ip6tables", " ".join(commands(plan.prepare + plan.cut + plan.undo)))

    def test_a_host_that_cannot_drop_packets(self):
        self.unsupported(
            "vrrp_block",
            "packets cannot be dropped on this host: nft does not work here (Operation not permitted) and "
            "iptables is not installed; install nftables",
            Machine(programs={"nft", "systemd-run"}, broken={"nft": (1, "", "Operation not permitted\n")}),
        )

    def test_the_peer_is_isolated_whatever_vrrp_is_sent_to(self):
        rules = compose("isolate_peer", peers=["192.0.2.12", "2001:db8::12"]).files["rules"][0]
        for line in (
            "meta l4proto 112 drop",
            "ip saddr { 192.0.2.12 } drop",
            "ip6 saddr { 2001:db8::12 } drop",
            "ip daddr { 192.0.2.12 } drop",
            "ip6 daddr { 2001:db8::12 } drop",
        ):
            self.assertIn("    %s\n" % line, rules)
        plan = compose(
            "isolate_peer",
            Machine(programs={"iptables", "ip6tables", "systemd-run"}),
            peers=["192.0.2.12", "2001:db8::12"],
        )
        for rule in (
            "iptables -w -A HA_PAIR_DRILL_IN -s 192.0.2.12 -j DROP",
            "iptables -w -A HA_PAIR_DRILL_OUT -p 112 -j DROP",
            "ip6tables -w -A HA_PAIR_DRILL_OUT -d 2001:db8::12 -j DROP",
        ):
            self.assertIn(rule, commands(plan.prepare)[0].split(" && "))

    def test_peers_that_are_none(self):
        self.refuse("isolate_peer", "peers: missing; give the addresses of the other node")
        self.refuse(
            "isolate_peer",
            "peers: node-b: is no address; give one without prefix, for example 192.0.2.12",
            peers=["node-b"],
        )
        self.refuse(
            "isolate_peer",
            "peers: 192.0.2.11: is an address of this host; give those of the other node",
            peers=["192.0.2.11"],
        )

    def test_isolation_keeps_the_controller(self):
        rules = compose("isolate_all", keep_ports=[22, 2222], vips=VIPS).files["rules"][0]
        neighbours = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }"
        vip6 = "%s @th,64,128 0x20010db8000000000000000000000010 drop" % neighbours
        incoming, outgoing = rules.split("chain out {")[0:2]
        self.assertEqual(
            [line.strip() for line in incoming.splitlines()][4:-1],
            [
                "type filter hook input priority -300; policy accept;",
                "iif lo accept",
                vip6,
                "tcp dport { 22, 2222 } accept",
                "%s accept" % neighbours,
                "drop",
                "}",
            ],
        )
        self.assertIn("    oif lo accept\n    %s\n    tcp sport { 22, 2222 } accept\n" % vip6, outgoing)
        self.assertIn("table arp ha_pair_drill {", rules)
        self.assertIn("    @nh,192,32 0xc000020a drop\n", rules)
        self.assertIn("    @nh,112,32 0xc000020a drop\n", rules)

    def test_isolation_silences_what_keepalived_repeats_by_raw_sockets(self):
        plan = compose("isolate_all", vips=VIPS)
        self.assertIn(
            'chain out0 { type filter hook egress device "eth0" priority 0; policy accept; '
            "ether type arp @nh,112,32 0xc000020a drop; }",
            plan.files["rules"][0],
        )
        self.assertEqual([words for words, _command in plan.undo][-1], "remove the rules for raw sockets")
        self.assertEqual(plan.notes, [])

    def test_isolation_says_when_raw_sockets_still_pass(self):
        plan = compose("isolate_all", Machine(broken={"nft -c": (1, "", "not supported")}), vips=VIPS)
        self.assertNotIn("netdev", plan.files["rules"][0])
        self.assertEqual([words for words, _command in plan.undo], ["remove the rules", "remove the rules for ARP"])
        self.assertEqual(len(plan.notes), 1)
        self.assertIn("a gratuitous ARP that keepalived repeats meanwhile still passes", plan.notes[0])

    def test_isolation_without_ports_and_addresses(self):
        plan = compose("isolate_all", keep_ports=[])
        self.assertNotIn("tcp", plan.files["rules"][0])
        self.assertNotIn("icmpv6", plan.files["rules"][0])
        self.assertNotIn("table arp", plan.files["rules"][0])
        self.assertEqual(len(plan.undo), 1)

    def test_isolation_by_iptables_says_what_it_cannot(self):
        plan = compose("isolate_all", Machine(programs={"iptables", "ip6tables", "systemd-run"}), vips=VIPS)
        lines = commands(plan.prepare)[0].split(" && ")
        self.assertEqual(
            [line for line in lines if line.startswith("iptables -w -A HA_PAIR_DRILL_IN")],
            [
                "iptables -w -A HA_PAIR_DRILL_IN -i lo -j ACCEPT",
                "iptables -w -A HA_PAIR_DRILL_IN -p tcp --dport 22 -j ACCEPT",
                "iptables -w -A HA_PAIR_DRILL_IN -j DROP",
            ],
        )
        self.assertEqual(
            [line for line in lines if line.startswith("ip6tables -w -A HA_PAIR_DRILL_OUT")],
            [
                "ip6tables -w -A HA_PAIR_DRILL_OUT -o lo -j ACCEPT",
                "ip6tables -w -A HA_PAIR_DRILL_OUT -p tcp --sport 22 -j ACCEPT",
                "ip6tables -w -A HA_PAIR_DRILL_OUT -p icmpv6 --icmpv6-type 135 -j ACCEPT",
                "ip6tables -w -A HA_PAIR_DRILL_OUT -p icmpv6 --icmpv6-type 136 -j ACCEPT",
                "ip6tables -w -A HA_PAIR_DRILL_OUT -j DROP",
            ],
        )
        self.assertEqual(
            plan.notes,
            ["without nft this host goes on answering ARP for the virtual addresses, which a lost node would not"],
        )

    def test_ports_and_addresses_that_are_none(self):
        self.refuse("isolate_all", "keep_ports: 0: is no TCP port; give 1 to 65535", keep_ports=[0])
        self.refuse(
            "isolate_all",
            "vips: x: is no address; give one without prefix, for example 192.0.2.10",
            vips=[{"address": "x"}],
        )


class StorageFaultTest(FaultTest):
    def test_a_check_that_hangs(self):
        plan = compose("check_hang", path="/usr/libexec/check")
        stand_in = DIRECTORY + "/check"
        self.assertEqual(plan.files, {"check": (storage_faults.HANGING, 0o755)})
        self.assertEqual(storage_faults.HANGING.splitlines()[::2], ["#!/bin/sh", "exec sleep 3600"])
        self.assertEqual(
            commands(plan.prepare),
            ["chown --reference=/usr/libexec/check {0} && chmod --reference=/usr/libexec/check {0}".format(stand_in)],
        )
        mount = "mount --bind %s /usr/libexec/check && mount -o remount,bind,exec /usr/libexec/check" % stand_in
        self.assertEqual(
            commands(plan.cut),
            [
                mount + " && { pid=$(systemctl show -p MainPID nginx.service); pid=${pid#*=}; "
                '[ "$pid" -le 0 ] || [ "$(stat -c %d:%i /usr/libexec/check)" = '
                '"$(stat -c %d:%i "/proc/$pid/root"/usr/libexec/check)" ] || '
                'nsenter -m -t "$pid" sh -c \'' + mount + "'; }"
            ],
        )
        once = (
            "while at=/usr/libexec/check awk "
            '\'$5 == ENVIRON["at"] && index($4, "/t1/check") {found = 1} END {exit !found}\' /proc/self/mountinfo; '
            "do umount /usr/libexec/check 2>/dev/null || umount -l /usr/libexec/check || exit 1; done"
        )
        self.assertEqual(
            commands(plan.undo),
            [
                "pid=$(systemctl show -p MainPID nginx.service); pid=${pid#*=}; "
                'if [ "$pid" -gt 0 ] && [ "$(readlink "/proc/$pid/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; then '
                'nsenter -m -t "$pid" sh -c %s; fi; %s' % (shell.quote(once), once)
            ],
        )
        self.assert_shell(plan)

    def test_labels_where_there_are_labels(self):
        plan = compose("check_hang", Machine(selinux=True), path="/usr/libexec/check")
        label = " && chcon --reference=/usr/libexec/check %s/check" % DIRECTORY
        self.assertTrue(commands(plan.prepare)[0].endswith(label))
        plan = compose("disk_full", Machine(selinux=True), path="/srv/log")
        self.assertIn(',rootcontext=\\"$(stat -c %C /srv/log)\\""', commands(plan.cut)[0])
        self.assert_shell(plan)

    def test_a_full_disk(self):
        plan = compose("disk_full", path="/srv/link")
        self.assertEqual(
            commands(plan.cut),
            [
                'mount -t tmpfs -o "size=64k,nosuid,nodev,noexec,$(stat -c mode=%a,uid=%u,gid=%g /srv/log)" '
                "ha-pair-drill /srv/log && { dd if=/dev/zero of=/srv/log/ha-pair-drill.full bs=4k 2>/dev/null; "
                "! printf x 2>/dev/null >>/srv/log/ha-pair-drill.full; }"
            ],
        )
        self.assertEqual(
            commands(plan.undo),
            [
                "while at=/srv/log awk "
                "'$5 == ENVIRON[\"at\"] && / - tmpfs ha-pair-drill / {found = 1} END {exit !found}' "
                "/proc/self/mountinfo; "
                "do umount /srv/log 2>/dev/null || umount -l /srv/log || exit 1; done"
            ],
        )
        self.assert_shell(plan)

    def test_the_service_is_told(self):
        plan = compose("disk_full", path="/srv/log", service="nginx")
        self.assertEqual(commands(plan.cut)[1:], ["systemctl reload nginx.service"])
        self.assertEqual(commands(plan.undo)[1:], [START_NGINX, "systemctl reload nginx.service"])
        machine = Machine()
        machine.properties["CanReload"] = "no"
        plan = compose("disk_full", machine, path="/srv/log", service="nginx")
        self.assertEqual(len(plan.cut), 1)
        self.assertEqual(commands(plan.undo)[1:], [START_NGINX])
        self.assertEqual(
            plan.notes, ["nginx.service cannot be reloaded, so files that it has open already are not affected"]
        )

    def test_blanks_and_quotes_in_a_path(self):
        path = "/srv/it's a log"
        plan = compose("disk_full", Machine(kinds={path: "directory", "/run/systemd/system": "directory"}), path=path)
        self.assertIn("at='/srv/it'\"'\"'s\\040a\\040log' awk", commands(plan.undo)[0])
        self.assert_shell(plan)

    def test_paths_that_are_refused(self):
        self.refuse("disk_full", "path: missing; give the directory that the fault is about")
        self.refuse("disk_full", "path: log: is not an absolute path; give one that begins with /", path="log")
        self.refuse(
            "disk_full", "path: /usr/libexec/check: is not a directory; give the path of one", path="/usr/libexec/check"
        )
        self.unsupported("check_hang", "path: /nowhere: is not there on this host", path="/nowhere")
        for path in ("/", "/var", "/run/systemd/system"):
            self.refuse(
                "disk_full",
                "path: %s: the machine itself needs it; give a directory that only the service writes to" % path,
                machine=Machine(kinds={path: "directory", "/run/systemd/system": "directory"}),
                path=path,
            )
        self.unsupported(
            "disk_full",
            "mounting is not allowed here (no CAP_SYS_ADMIN); give the container that capability",
            Machine(mounting=False),
            path="/srv/log",
        )

    def test_sizes(self):
        self.assertEqual(storage_faults.parse_size("1M"), "1m")
        self.refuse(
            "disk_full", "size: big: is no size; give bytes with k or m, for example 64k", size="big", path="/srv/log"
        )
        for size in ("1k", "65m"):
            self.refuse(
                "disk_full",
                "size: %s: the file system lives in memory; give between 16k and 64m" % size,
                size=size,
                path="/srv/log",
            )


class StorageHangTest(FaultTest):
    def test_nfs_by_dropping_what_goes_to_its_server(self):
        plan = compose("storage_hang", path="/srv/data/")
        self.assertEqual(commands(plan.cut), ["nft -f %s/rules" % DIRECTORY])
        self.assertEqual(plan.cut[0][0], "drop everything from and to port 2049 of 192.0.2.20")
        rules = plan.files["rules"][0]
        for line in (
            "ip saddr 192.0.2.20 tcp sport 2049 drop",
            "ip saddr 192.0.2.20 udp sport 2049 drop",
            "ip daddr 192.0.2.20 tcp dport 2049 drop",
            "ip daddr 192.0.2.20 udp dport 2049 drop",
        ):
            self.assertIn(line, rules)
        self.assertIn("nft delete table inet ha_pair_drill", commands(plan.undo)[0])
        self.assertEqual(plan.notes, ["/srv/more of the same server hangs as well"])
        self.assert_shell(plan)

    def test_nfs_over_ipv6_and_at_another_port(self):
        rules = compose("storage_hang", path="/srv/six").files["rules"][0]
        self.assertIn("ip6 daddr 2001:db8::20 tcp dport 2050 drop", rules)

    def test_nfs_where_there_is_only_iptables(self):
        machine = Machine(programs=("iptables", "ip6tables", "systemd-run"))
        plan = compose("storage_hang", machine, path="/srv/data")
        filled = commands(plan.prepare)[0]
        self.assertIn("iptables -w -A HA_PAIR_DRILL_OUT -d 192.0.2.20 -p tcp --dport 2049 -j DROP", filled)
        self.assertIn("iptables -w -A HA_PAIR_DRILL_IN -s 192.0.2.20 -p udp --sport 2049 -j DROP", filled)
        self.assertNotIn("ip6tables -w -A", filled)
        self.assert_shell(plan)

    def test_fuse_by_stopping_who_serves_it(self):
        plan = compose("storage_hang", path="/srv/fuse")
        self.assertEqual(commands(plan.cut), ["kill -STOP 4711"])
        self.assertEqual(commands(plan.undo), ["kill -CONT 4711 2>/dev/null || :"])
        self.assert_shell(plan)

    def test_fuse_by_its_unit(self):
        plan = compose("storage_hang", path="/srv/fuse", service="nginx")
        self.assertEqual(commands(plan.cut), ["systemctl kill --signal=SIGSTOP nginx.service"])
        self.assertEqual(commands(plan.undo), ["systemctl kill --signal=SIGCONT nginx.service 2>/dev/null || :"])

    def test_a_process_stands_still_and_goes_on(self):
        child = subprocess.Popen(["sleep", "60"])
        self.addCleanup(child.wait)
        self.addCleanup(lambda: child.poll() is None and child.kill())
        served = [{"pid": child.pid, "words": ["bindfs", "/srv/below", "/srv/fuse"]}]
        plan = compose("storage_hang", Machine(served=served), path="/srv/fuse")

        def state():
            with open("/proc/%d/stat" % child.pid) as source:
                return source.read().rpartition(")")[2].split()[0]

        subprocess.check_call(["sh", "-c", commands(plan.cut)[0]])
        self.assertTrue(self.wait_until(lambda: state() == "T"))
        subprocess.check_call(["sh", "-c", commands(plan.undo)[0]])
        self.assertTrue(self.wait_until(lambda: state() == "S"))
        # It may be gone when it is mended.
        child.kill()
        child.wait()
        subprocess.check_call(["sh", "-c", commands(plan.undo)[0]])

    @staticmethod
    def wait_until(condition):
        for _turn in range(2000):
            if condition():
                return True
            time.sleep(0.01)
        return False

    def test_who_serves_it_must_be_known(self):
        only = dict(SSHFS, pid=8)
        self.assertEqual(
            commands(compose("storage_hang", Machine(served=[only]), path="/srv/fuse").cut), ["kill -STOP 8"]
        )
        self.unsupported(
            "storage_hang",
            "path: /srv/fuse: processes 8, 4712 may serve it; name the unit that serves it (service)",
            Machine(served=[only, SSHFS]),
            path="/srv/fuse",
        )
        self.unsupported(
            "storage_hang",
            "path: /srv/fuse: no process is seen that serves it; name the unit that serves it (service)",
            Machine(served=[]),
            path="/srv/fuse",
        )

    def test_what_is_refused(self):
        self.refuse("storage_hang", "path: missing; give the mount point of the storage that is to hang")
        self.refuse("storage_hang", "path: srv: is not an absolute path; give one that begins with /", path="srv")
        self.unsupported(
            "storage_hang",
            "path: /srv/data/x: nothing is mounted there on this host, it lies on /srv/data; mount the storage, or "
            "give its mount point",
            path="/srv/data/x",
        )
        self.unsupported(
            "storage_hang",
            "path: /srv/disk: is xfs, and only NFS and FUSE have a server that can be made to hang; give custom "
            "commands",
            path="/srv/disk",
        )
        self.unsupported(
            "storage_hang",
            "path: /srv/fast: is mounted by RDMA, which no packet filter sees; give custom commands",
            path="/srv/fast",
        )
        self.unsupported(
            "storage_hang",
            "path: /srv/mute: the kernel does not tell the address of its server (addr=); give custom commands",
            path="/srv/mute",
        )
        self.unsupported(
            "storage_hang",
            "packets cannot be dropped on this host: nft is not installed and iptables is not installed; install "
            "nftables",
            Machine(programs=("systemd-run",)),
            path="/srv/data",
        )

    def test_what_the_machine_itself_needs_does_not_hang(self):
        for path in ("/usr", "/srv/near"):
            self.refuse(
                "storage_hang",
                "path: %s: the machine itself needs /usr, which the same server has; drill on a node without that"
                % path,
                path=path,
            )
        self.refuse(
            "storage_hang",
            "path: /var: the machine itself needs it; give a mount that only the service uses",
            path="/var",
        )

    def test_no_file_system_is_looked_at(self):
        class Blind(Machine):
            def path_kind(self, path):
                assert path == "/run/systemd/system", path
                return "directory"

            def real_path(self, path):
                raise AssertionError(path)

        compose("storage_hang", Blind(), path="/srv/data")

    def test_what_a_process_has_open(self):
        reading, writing = os.pipe()
        device = os.open(os.devnull, os.O_RDONLY)
        for descriptor in (reading, writing, device):
            self.addCleanup(os.close, descriptor)
        self.assertIn(os.devnull, target.opened_by("self"))
        self.assertEqual(target.opened_by("none"), [])

    def test_this_machine_can_be_asked(self):
        self.assertTrue(target.Target.mounts())
        for server in target.Target.fuse_servers():
            self.assertGreater(server["pid"], 0)


class AddressFaultTest(FaultTest):
    def test_an_address_is_deleted_where_it_is(self):
        plan = compose("vip_deleted", vips=VIPS)
        self.assertEqual(
            commands(plan.cut), ["ip addr del 192.0.2.10/24 dev eth0", "ip addr del 2001:db8::10/128 dev eth0"]
        )
        self.assertEqual(plan.undo, [])
        self.assertEqual(plan.notes, ["mending puts no address back: that is keepalived's part"])

    def test_an_address_that_is_not_there_cannot_be_deleted(self):
        self.refuse("vip_deleted", "vips: missing; give the virtual addresses that the fault is about")
        self.not_now(
            "vip_deleted",
            "vips: 192.0.2.99: this host does not hold it; run the fault on its owner",
            vips=[{"address": "192.0.2.99"}],
        )
        self.not_now(
            "vip_deleted",
            "vips: 192.0.2.10: this host does not hold it on eth1; run the fault on its owner",
            vips=[{"address": "192.0.2.10", "interface": "eth1"}],
        )
        self.refuse(
            "vip_deleted",
            "vips: 192.0.2.10: is held with prefix 24, not 32; correct the prefix",
            vips=[{"address": "192.0.2.10", "prefix": 32}],
        )

    def test_an_address_is_stolen_and_announced(self):
        vips = [{"address": "192.0.2.50"}, {"address": "2001:db8::50"}]
        plan = compose("vip_stolen", vips=vips, interface="eth0")
        self.assertEqual(
            commands(plan.cut)[:2],
            ["ip addr add 192.0.2.50/32 dev eth0", "ip addr add 2001:db8::50/128 dev eth0 nodad"],
        )
        words = announce.frames(MAC, "192.0.2.50") + announce.frames(MAC, "2001:db8::50")
        self.assertEqual(
            commands(plan.cut)[2],
            "systemctl reset-failed ha-pair-drill-steal-t1.service 2>/dev/null; systemd-run "
            "--unit=ha-pair-drill-steal-t1 %s %s/announce.py eth0 0.2 %s"
            % (shell.quote(sys.executable), DIRECTORY, " ".join(words)),
        )
        self.assertEqual(
            commands(plan.undo),
            [
                "! systemctl is-active --quiet {0} || systemctl stop {0}".format("ha-pair-drill-steal-t1.service"),
                '[ -z "$(ip -o addr show dev eth0 to 192.0.2.50/32)" ] || ip addr del 192.0.2.50/32 dev eth0',
                "ip neigh flush to 192.0.2.50 dev eth0",
                '[ -z "$(ip -o addr show dev eth0 to 2001:db8::50/128)" ] || ip addr del 2001:db8::50/128 dev eth0',
                "ip neigh flush to 2001:db8::50 dev eth0",
            ],
        )
        compile(plan.files["announce.py"][0], "announce.py", "exec", 0, True)
        self.assert_shell(plan)

    def test_thieves_that_are_refused(self):
        self.refuse(
            "vip_stolen",
            "vips: 192.0.2.10: this host holds it already; run the fault on a third machine",
            vips=VIPS,
            interface="eth0",
        )
        self.unsupported(
            "vip_stolen",
            "vips: 203.0.113.9: no interface of this host is in its subnet; name one, or take a "
            "machine of that network",
            vips=[{"address": "203.0.113.9"}],
        )
        self.unsupported(
            "vip_stolen",
            "interface: tun0: has no hardware address, so nothing can be announced on it",
            vips=[{"address": "192.0.2.50"}],
            interface="tun0",
        )

    def test_frames_of_arp(self):
        request, reply = [binascii.unhexlify(frame) for frame in announce.frames(MAC, "192.0.2.50")]
        mac = binascii.unhexlify(MAC.replace(":", ""))
        self.assertEqual(request[:14], b"\xff" * 6 + mac + b"\x08\x06")
        self.assertEqual(struct.unpack_from("!HHBBH", request, 14), (1, 0x0800, 6, 4, 1))
        self.assertEqual(struct.unpack_from("!HHBBH", reply, 14), (1, 0x0800, 6, 4, 2))
        for frame, asked in ((request, b"\0" * 6), (reply, mac)):
            self.assertEqual(frame[22:], mac + b"\xc0\x00\x02\x32" + asked + b"\xc0\x00\x02\x32")

    def test_a_frame_of_neighbour_discovery(self):
        frame = binascii.unhexlify(announce.frames(MAC, "2001:db8::50")[0])
        self.assertEqual(frame[:14], b"\x33\x33\0\0\0\x01" + binascii.unhexlify(MAC.replace(":", "")) + b"\x86\xdd")
        self.assertEqual(struct.unpack_from("!IHBB", frame, 14), (0x60000000, 32, 58, 255))
        message = frame[54:]
        self.assertEqual(bytearray(message)[0], 136)
        # A packet whose checksum is right sums up to nothing.
        self.assertEqual(announce.checksum(frame[22:54] + struct.pack("!II", len(message), 58) + message), 0)


class CommonTest(FaultTest):
    def test_a_fault_of_the_user(self):
        plan = compose("custom", inject=["echo 'a b'", "true"], mend=["echo c"])
        self.assertEqual(plan.cut, [("run command 1 of inject", "echo 'a b'"), ("run command 2 of inject", "true")])
        self.assertEqual(plan.undo, [("run command 1 of mend", "echo c")])
        self.assertEqual(plan.words()[0], "run command 1 of inject: echo 'a b'")
        self.refuse("custom", "inject: missing; give the shell commands that make the fault", mend=["true"])
        self.refuse(
            "custom",
            "mend: missing; give the shell commands that undo it, or `true` when it needs none",
            inject=["true"],
            mend=[" "],
        )

    def test_an_unknown_fault_names_the_nearest(self):
        self.refuse("service_stopp", "fault: service_stopp: there is no such fault; did you mean service_stop?")
        with self.assertRaises(NodeError) as caught:
            compose("zzz")
        self.assertIn("fault: zzz: there is no such fault; give one of service_stop, service_cr", str(caught.exception))
        with self.assertRaises(NodeError) as caught:
            compose(None)
        self.assertIn("fault: missing; give one of service_stop,", str(caught.exception))

    def test_hosts_without_what_every_fault_needs(self):
        self.unsupported("vrrp_block", "a fault is injected by root only; use become: true", Machine(root=False))
        self.unsupported(
            "vrrp_block",
            "systemd does not run on this host, and without its timers nothing mends the fault",
            Machine(kinds={}),
        )
        self.unsupported(
            "vrrp_block",
            "systemd 215 is too old to arm the timer that mends the fault; it takes 219 or newer",
            Machine(version="systemd 215"),
        )
        self.unsupported(
            "vrrp_block",
            "systemd-run is not installed, and it arms the timer that mends the fault",
            Machine(programs={"nft"}),
        )

    def test_checking_says_why_not(self):
        self.assertEqual(faults.check(options("vrrp_block"), Machine(), DIRECTORY), (True, None, []))
        supported, reason, _notes = faults.check(options("vrrp_block"), Machine(root=False), DIRECTORY)
        self.assertEqual((supported, reason), (False, "a fault is injected by root only; use become: true"))
        with self.assertRaises(NodeError):
            faults.check(options("service_stop"), Machine(), DIRECTORY)

    def test_what_a_host_could_do_at_another_time_is_supported(self):
        asked = options("vip_deleted", vips=[{"address": "192.0.2.99"}])
        self.assertEqual(
            faults.check(asked, Machine(), DIRECTORY),
            (True, None, ["vips: 192.0.2.99: this host does not hold it; run the fault on its owner"]),
        )

    def test_quoting(self):
        for text in ("a", "", "a b", "it's", '"$(x)"', "a\nb", "*"):
            said = subprocess.Popen(["sh", "-c", "printf %s " + shell.quote(text)], stdout=subprocess.PIPE)
            self.assertEqual(said.communicate()[0].decode("ascii"), text)

    def test_nothing_is_masked_or_disabled(self):
        here = os.path.dirname(os.path.abspath(faults.__file__))
        for name in os.listdir(here):
            if name.endswith(".py"):
                with open(os.path.join(here, name)) as source:
                    text = source.read()
                for word in ("systemctl mask", "systemctl disable", "/etc/systemd/system"):
                    self.assertNotIn(word, text)
