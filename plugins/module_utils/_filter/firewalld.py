# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What firewalld lets in, by zone, as firewall-cmd says it; and what it has to let in for a pair.

By the command and not by firewalld's Python library, which is there for one Python of the node only.
"""

from __future__ import absolute_import, division, print_function

import os

from .packet import in_network
from .._node.addresses import parse_address
from .._node.errors import NodeError

__metaclass__ = type

AUTO = "auto"
# Lets in whatever it has no other rule for.
_OPEN_TARGET = "ACCEPT"


def parse_zones(text):
    """{zone: {target, interfaces, sources, ports, rules}} of `firewall-cmd --list-all-zones`."""
    zones, zone, in_rules = {}, None, False
    for line in text.splitlines():
        if line and not line[0].isspace():
            zone = {"target": "default", "interfaces": [], "sources": [], "ports": [], "rules": []}
            # "public", or "public (active)" and the like.
            zones[line.split()[0]] = zone
            in_rules = False
        elif zone is not None and line.strip():
            key, _colon, value = line.strip().partition(":")
            if in_rules and line.strip().startswith("rule "):
                zone["rules"].append(" ".join(line.split()))
                continue
            in_rules = key == "rich rules"
            if key == "target":
                zone["target"] = value.strip()
            elif key in ("interfaces", "sources", "ports"):
                zone[key] = value.split()
    return zones


def own_interfaces(root="/sys/class/net"):
    """The interfaces that can have addresses of their own."""
    # The bonding module keeps a file of its own among them.
    names = [name for name in os.listdir(root) if name != "lo" and os.path.isdir("%s/%s" % (root, name))]
    return sorted(name for name in names if not os.path.exists("%s/%s/master" % (root, name)))


def vrrp_rule(address):
    """The rich rule that accepts VRRP from one address, as firewalld writes it."""
    return 'rule family="ipv%d" source address="%s" protocol value="vrrp" accept' % (parse_address(address)[0], address)


def port_rule(port, source):
    """The rich rule that accepts a TCP port from one address or network, as firewalld writes it."""
    family = parse_address(source.partition("/")[0])[0]
    return 'rule family="ipv%d" source address="%s" port port="%d" protocol="tcp" accept' % (family, source, port)


def covers(ports, port):
    """Whether one of the ports of a zone (`80/tcp`, `8000-8100/tcp`) is this TCP port."""
    for entry in ports:
        numbers, _slash, protocol = entry.partition("/")
        first, _dash, last = numbers.partition("-")
        if protocol == "tcp" and first.isdigit() and int(first) <= port <= int(last or first):
            return True
    return False


class Access(object):
    """One thing to let in: the option of firewall-cmd, and the zone. `there`, by scope (runtime, permanent)."""

    def __init__(self, zone, option, there):
        self.zone = zone
        self.option = option
        self.there = there

    def commands(self):
        """The commands that are missing."""
        return [
            ["firewall-cmd"] + scope + ["--zone=%s" % self.zone, self.option]
            for scope, there in ((["--permanent"], self.there[1]), ([], self.there[0]))
            if not there
        ]


class Firewalld(object):
    """A firewalld that runs. run: takes argv, gives (return code, stdout, stderr)."""

    def __init__(self, run):
        self._run = run
        self.default = self.ask(["--get-default-zone"]).strip()
        self.runtime = parse_zones(self.ask(["--list-all-zones"]))
        self.permanent = parse_zones(self.ask(["--permanent", "--list-all-zones"]))

    def ask(self, words):
        return self.command(["firewall-cmd"] + words)

    def command(self, argv):
        """What a command printed; raises NodeError when it fails."""
        code, out, err = self._run(argv)[:3]
        if code != 0:
            raise NodeError(
                "firewalld: `%s` failed (%s); look at `firewall-cmd --state`"
                % (" ".join(argv), (err or out).strip() or "exit code %d" % code)
            )
        return out

    def refuse_unknown(self, zone, place):
        """Raise NodeError unless the zone is there; place: what to call it, such as the variable that names it."""
        if zone == AUTO or (zone in self.runtime and zone in self.permanent):
            return
        both = ", ".join(sorted(set(self.runtime) & set(self.permanent)))
        if zone in self.permanent:
            raise NodeError(
                "%s: %r is a zone that firewalld has not loaded; `firewall-cmd --reload`" % (place, str(zone))
            )
        if zone in self.runtime:
            raise NodeError(
                "%s: %r is a zone that is gone with the next start of firewalld; "
                "`firewall-cmd --runtime-to-permanent`" % (place, str(zone))
            )
        raise NodeError("%s: %r is not a zone of firewalld (%s); give one of them, or auto" % (place, str(zone), both))

    def zones_of_interface(self, interface):
        """The zone into which firewalld puts what comes by an interface; two when it is another after a reload."""
        now = _bound(self.runtime, interface) or self.default
        # One that NetworkManager brings stands in no file of firewalld.
        return sorted({now, _bound(self.permanent, interface) or now})

    def zones_of(self, interface, address):
        """The same for what one address sends by an interface: sources come first."""
        parsed = parse_address(address)
        for name, zone in sorted(self.runtime.items()):
            if any(_is_from(parsed, source) for source in zone["sources"]):
                return [name]
        return self.zones_of_interface(interface)

    def vrrp(self, sources, zone=AUTO):
        """The Access that VRRP from these {interface, address} needs, each once."""
        found = []
        for source in sources:
            for chosen in self.zones_of(source["interface"], source["address"]) if zone == AUTO else [zone]:
                entry = (chosen, vrrp_rule(source["address"]))
                if entry not in found:
                    found.append(entry)
        return [
            Access(
                chosen,
                "--add-rich-rule=%s" % rule,
                [rule in zones.get(chosen, {"rules": []})["rules"] for zones in (self.runtime, self.permanent)],
            )
            for chosen, rule in found
        ]

    def ports(self, ports, interfaces, zone=AUTO):
        """The Access that clients of these TCP ports need, in a zone or in those of all interfaces."""
        if zone != AUTO:
            chosen = [zone]
        else:
            zones = {name for interface in interfaces for name in self.zones_of_interface(interface)}
            chosen = sorted(zones or {self.default})
            # Where everything is let in, a port more says nothing.
            chosen = [name for name in chosen if self.runtime.get(name, {}).get("target") != _OPEN_TARGET]
        return [
            Access(
                name,
                "--add-port=%d/tcp" % port,
                [covers(zones.get(name, {"ports": []})["ports"], port) for zones in (self.runtime, self.permanent)],
            )
            for name in chosen
            for port in ports
        ]

    def port_sources(self, entries, interfaces, zone=AUTO):
        """The Access that these {port, source} need, each once: for what is not for everybody."""
        found = []
        for entry in entries:
            if parse_address(entry["source"].partition("/")[0]) is None:
                raise NodeError(
                    "firewalld: %r is no address and no network; give one such as 192.0.2.12 or 192.0.2.0/24"
                    % str(entry["source"])
                )
            for chosen in [zone] if zone != AUTO else self._zones_of_source(entry["source"], interfaces):
                # Where everything is let in, a rule more says nothing.
                if zone == AUTO and self.runtime.get(chosen, {}).get("target") == _OPEN_TARGET:
                    continue
                rule = (chosen, port_rule(entry["port"], entry["source"]))
                if rule not in found:
                    found.append(rule)
        return [
            Access(
                chosen,
                "--add-rich-rule=%s" % rule,
                [rule in zones.get(chosen, {"rules": []})["rules"] for zones in (self.runtime, self.permanent)],
            )
            for chosen, rule in found
        ]

    def _zones_of_source(self, source, interfaces):
        """Where what a source sends may arrive: the zone that names it, else those of all interfaces."""
        parsed = parse_address(source.partition("/")[0])
        named = [
            name for name, zone in sorted(self.runtime.items()) if any(_is_from(parsed, one) for one in zone["sources"])
        ]
        zones = {name for interface in interfaces for name in self.zones_of_interface(interface)}
        return named[:1] or sorted(zones or {self.default})


def _bound(zones, interface):
    """The zone that an interface was put into, None when it was put into none."""
    return next((name for name, zone in sorted(zones.items()) if interface in zone["interfaces"]), None)


def _is_from(address, source):
    network, _slash, prefix = source.partition("/")
    base = parse_address(network)
    # Not a MAC address, not a set of addresses.
    if base is None or (prefix and not prefix.isdigit()):
        return False
    return bool(in_network(address, network, int(prefix) if prefix else {4: 32, 6: 128}[base[0]]))
