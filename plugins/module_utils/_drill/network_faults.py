# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the network: a link that is down, packets that do not pass."""

from __future__ import absolute_import, division, print_function

import re

from .._node import addresses
from .._node.errors import NodeError
from .shell import Plan, quote
from .target import NotNowError, UnsupportedError

__metaclass__ = type

TABLE = "ha_pair_drill"
CHAIN_IN, CHAIN_OUT = "HA_PAIR_DRILL_IN", "HA_PAIR_DRILL_OUT"
VRRP = 112
# Before everything else that filters: what passes here still has to pass there.
_PRIORITY = -300
_INTERFACE = re.compile(r"^[^\s/:]{1,15}$")
_STACKED = re.compile(r"^\d+:\s+(\S+)@(\S+?):\s", re.MULTILINE)
# What `ip route show` prints and `ip route replace` does not take, with the number of words that follow.
_STATES = {"linkdown": 0, "dead": 0, "offload": 0, "rt_offload": 0, "trap": 0, "expires": 1, "error": 1, "nhid": 1}
# The kernel and router advertisements bring theirs back, keepalived's go where its addresses go.
_OTHERS_ROUTES = ("kernel", "ra", "redirect", "keepalived")
_LOCAL_ROUTES = ("local", "broadcast", "multicast", "anycast")


def interface_of(params, target, name="interface"):
    interface = params["interface"]
    if not interface:
        raise NodeError("%s: missing; name the network interface that the fault is about" % name)
    if not _INTERFACE.match(interface):
        raise NodeError("%s: %s: is no name of an interface; give it as `ip link` does" % (name, interface))
    if interface == "lo":
        raise NodeError("%s: lo: is the loopback; name the interface that carries the virtual addresses" % name)
    known = [entry["name"] for entry in target.interfaces()]
    if interface not in known:
        raise UnsupportedError(
            "%s: %s: no such interface on this host; it has %s" % (name, interface, ", ".join(known))
        )
    return interface


def vips_of(params, required=False):
    """The virtual addresses asked for, each an address for sure."""
    vips = params["vips"] or []
    if required and not vips:
        raise NodeError("vips: missing; give the virtual addresses that the fault is about")
    for vip in vips:
        if addresses.parse_address(vip["address"]) is None:
            raise NodeError("vips: %s: is no address; give one without prefix, for example 192.0.2.10" % vip["address"])
    return vips


def parse_permanent(text, interface, virtual=()):
    """The words for `ip addr add` of every permanent address of an interface, from `ip -o addr show`."""
    found = []
    for line in text.splitlines():
        # The label stands before the backslash; what is behind it are lifetimes.
        words = line.split("\\", 1)[0].split()
        if len(words) < 4 or words[1].partition("@")[0] != interface or words[2] not in ("inet", "inet6"):
            continue
        place, rest = words[3], words[4:]
        if any(addresses.same_address(place.partition("/")[0], vip) for vip in virtual):
            continue
        if "dynamic" in rest or "temporary" in rest:
            continue
        command = [place]
        for word in ("peer", "brd", "scope"):
            if word in rest[:-1]:
                command += [word, rest[rest.index(word) + 1]]
        command += [word for word in ("nodad", "noprefixroute", "home") if word in rest]
        if words[2] == "inet" and rest and rest[-1].startswith(interface + ":"):
            command += ["label", rest[-1]]
        found.append(command)
    return found


def _network(place):
    """(family, bits of the network, their number) of an address or route; None for other words, such as default."""
    address, _slash, length = place.partition("/")
    parsed = addresses.parse_address(address)
    if parsed is None:
        return None
    width = 32 if parsed[0] == 4 else 128
    length = int(length) if length else width
    return parsed[0], parsed[1] >> (width - length), length


def parse_unrouted(text, interface, virtual=()):
    """The networks of addresses whose route the kernel does not make (noprefixroute), from `ip -o addr show`."""
    found = []
    for line in text.splitlines():
        words = line.split("\\", 1)[0].split()
        if len(words) < 4 or words[1].partition("@")[0] != interface or words[2] not in ("inet", "inet6"):
            continue
        if "noprefixroute" not in words[4:]:
            continue
        if any(addresses.same_address(words[3].partition("/")[0], vip) for vip in virtual):
            continue
        found.append(_network(words[words.index("peer") + 1] if "peer" in words[4:-1] else words[3]))
    return found


def parse_routes(text, interface, virtual=(), unrouted=()):
    """The words for `ip route replace` of every route over an interface that nobody brings back by himself.

    unrouted: networks whose route somebody made in the kernel's name; those count.
    """
    found = []
    for line in text.splitlines():
        words = line.replace("\\", " ").split()
        if not words or words[0] in _LOCAL_ROUTES:
            continue
        pairs = [tuple(words[place : place + 2]) for place in range(len(words) - 1)]
        if ("dev", interface) not in pairs or ("table", "local") in pairs:
            continue
        made = ("proto", "kernel") in pairs and "expires" not in words and _network(words[0]) in unrouted
        if not made and any(("proto", name) in pairs for name in _OTHERS_ROUTES):
            continue
        if any(key == "src" and any(addresses.same_address(value, vip) for vip in virtual) for key, value in pairs):
            continue
        kept, skip = [], 0
        for word in words:
            if skip:
                skip -= 1
            elif word in _STATES:
                skip = _STATES[word]
            else:
                kept.append(word)
        found.append(kept)
    # A gateway is known only when the route to it is there.
    return sorted(found, key=lambda words: "via" in words)


def link_down(params, target, _directory):
    interface = interface_of(params, target)
    stacked = _STACKED.findall(target.text_of(["ip", "-o", "link", "show", "type", "vlan"]))
    carried = [name for name, lower in stacked if lower == interface]
    if carried:
        raise UnsupportedError(
            "interface: %s: carries the VLAN %s, whose routes nobody would put back; use isolate_all instead"
            % (interface, " and ".join(carried))
        )
    if not target.is_up(interface):
        raise NotNowError("interface: %s: is down already; ip link set dev %s up" % (interface, interface))
    virtual = [vip["address"] for vip in vips_of(params)]
    name = quote(interface)
    undo = [("set %s up" % interface, "ip link set dev %s up" % name)]
    shown = target.text_of(["ip", "-o", "addr", "show", "dev", interface])
    for words in parse_permanent(shown, interface, virtual):
        undo.append((
            "put address %s back" % words[0],
            "ip -o addr show dev %s | grep -q -F %s || ip addr add %s dev %s"
            % (name, quote(" %s " % words[0]), " ".join(map(quote, words)), name),
        ))
    for family in ("-4", "-6"):
        code, out = target.run(["ip", family, "-o", "route", "show", "table", "all"])[:2]
        if code != 0 and family == "-6":
            continue  # a kernel without IPv6
        if code != 0:
            raise UnsupportedError("ip route show table all: failed with %d, so no route could be put back" % code)
        for words in parse_routes(out, interface, virtual, parse_unrouted(shown, interface, virtual)):
            # An IPv6 address is checked for duplicates at first, and until then no route may use it.
            undo.append((
                "put route %s back" % " ".join(words[:3]),
                "for attempt in 1 2 3 4 5 6 7 8 9 10; do ip %s route replace %s && exit 0; sleep 0.3; done; exit 1"
                % (family, " ".join(map(quote, words))),
            ))
    return Plan([("set %s down" % interface, "ip link set dev %s down" % name)], undo)


def _peers(params, target):
    peers = params["peers"] or []
    if not peers:
        raise NodeError("peers: missing; give the addresses of the other node")
    own = target.interfaces()
    for peer in peers:
        if addresses.parse_address(peer) is None:
            raise NodeError("peers: %s: is no address; give one without prefix, for example 192.0.2.12" % peer)
        if addresses.holders(own, peer):
            raise NodeError("peers: %s: is an address of this host; give those of the other node" % peer)
    return peers


def _ports(params):
    ports = params["keep_ports"]
    for port in ports or []:
        if not 0 < port < 65536:
            raise NodeError("keep_ports: %d: is no TCP port; give 1 to 65535" % port)
    return ports or []


def _by_family(texts):
    split = {4: [], 6: []}
    for text in texts:
        split[addresses.parse_address(text)[0]].append(text)
    return split


def backend(target):
    """nft, iptables, whichever works here; UnsupportedError with the reason when none does."""
    said = []
    for name, question in (("nft", ["nft", "list", "tables"]), ("iptables", ["iptables", "-w", "-S", "INPUT"])):
        if not target.has(name):
            said.append("%s is not installed" % name)
            continue
        code, _out, err = target.run(question)[:3]
        if code == 0:
            return name
        said.append("%s does not work here (%s)" % (name, err.strip() or "it failed with %d" % code))
    raise UnsupportedError("packets cannot be dropped on this host: %s; install nftables" % " and ".join(said))


def _raw_rules(devices, rules):
    """A table that sees all that leaves by these interfaces, raw sockets as well."""
    chain = '  chain out%d { type filter hook egress device "%s" priority 0; policy accept; %s}\n'
    chains = "".join(chain % (number, device, rules) for number, device in enumerate(devices))
    return "table netdev %s\ndelete table netdev %s\ntable netdev %s {\n%s}\n" % (TABLE, TABLE, TABLE, chains)


def sees_raw_sockets(target, devices):
    """Whether nft and the kernel (5.16 on) can filter what leaves by these interfaces; probed, nothing is changed."""
    return bool(devices) and target.run(["nft", "-c", _raw_rules(devices, "")])[0] == 0


def nft_rules(incoming, outgoing, arp=(), devices=()):
    """A rule set of our own; making it replaces one that is there.

    arp: IPv4 addresses as numbers, which are neither asked for nor claimed; on `devices` not by raw sockets either.
    """
    hook = "  chain %s {\n    type filter hook %s priority %d; policy accept;\n%s  }\n"
    text = "table inet %s {\n%s%s}\n" % (
        TABLE,
        hook % ("in", "input", _PRIORITY, "".join("    %s\n" % rule for rule in incoming)),
        hook % ("out", "output", _PRIORITY, "".join("    %s\n" % rule for rule in outgoing)),
    )
    text = "table inet %s\ndelete table inet %s\n%s" % (TABLE, TABLE, text)
    if arp:
        # A switch that lost the node would not carry its claim to the address either. ARP of Ethernet and IPv4: the
        # sender's address is at bit 112 of the packet, the asked one at bit 192.
        asked = "".join("    @nh,192,32 %s drop\n" % number for number in arp)
        claimed = "".join("    @nh,112,32 %s drop\n" % number for number in arp)
        text += "table arp %s\ndelete table arp %s\ntable arp %s {\n%s%s}\n" % (
            TABLE,
            TABLE,
            TABLE,
            hook % ("in", "input", 0, asked),
            hook % ("out", "output", 0, claimed),
        )
    if arp and devices:
        # keepalived claims its addresses again and again, by a raw socket that no table of ARP sees.
        text += _raw_rules(devices, "".join("ether type arp @nh,112,32 %s drop; " % number for number in arp))
    return text


def _nft(words, directory, incoming, outgoing, arp=(), devices=()):
    path = quote("%s/rules" % directory)
    undo = [(
        "remove the rules",
        "! nft list table inet %s >/dev/null 2>&1 || nft delete table inet %s" % (TABLE, TABLE),
    )]
    if arp:
        undo.append((
            "remove the rules for ARP",
            "! nft list table arp %s >/dev/null 2>&1 || nft delete table arp %s" % (TABLE, TABLE),
        ))
    if arp and devices:
        undo.append((
            "remove the rules for raw sockets",
            "! nft list table netdev %s >/dev/null 2>&1 || nft delete table netdev %s" % (TABLE, TABLE),
        ))
    return Plan(
        cut=[(words, "nft -f %s" % path)],
        undo=undo,
        files={"rules": (nft_rules(incoming, outgoing, arp, devices), 0o600)},
    )


def _iptables(words, target, incoming, outgoing):
    """`incoming` and `outgoing`: {4: rules, 6: rules}. Chains are filled before they are put in the packets' way."""
    fill, hook, undo, notes = [], [], [], []
    for family, program in ((4, "iptables"), (6, "ip6tables")):
        if family == 6 and (not target.has(program) or target.run([program, "-w", "-S", "INPUT"])[0] != 0):
            notes.append("ip6tables does not work on this host: IPv6 still passes")
            continue
        for chain, rules in ((CHAIN_IN, incoming[family]), (CHAIN_OUT, outgoing[family])):
            fill.append("%s -w -N %s" % (program, chain))
            fill.extend("%s -w -A %s %s" % (program, chain, rule) for rule in rules)
        for base, chain in (("INPUT", CHAIN_IN), ("OUTPUT", CHAIN_OUT)):
            hook.append("%s -w -I %s 1 -j %s" % (program, base, chain))
            undo.append((
                "remove %s of %s" % (chain, program),
                "while %(program)s -w -D %(base)s -j %(chain)s 2>/dev/null; do :; done; "
                "! %(program)s -w -S %(chain)s >/dev/null 2>&1 || "
                "{ %(program)s -w -F %(chain)s && %(program)s -w -X %(chain)s; }"
                % {"program": program, "base": base, "chain": chain},
            ))
    return Plan(
        prepare=[("write the rules", " && ".join(fill))],
        cut=[(words, " && ".join(hook))],
        undo=undo,
        notes=notes,
    )


def vrrp_block(_params, target, directory):
    words = "drop VRRP in both directions"
    if backend(target) == "nft":
        rule = ["meta l4proto %d drop" % VRRP]
        return _nft(words, directory, rule, rule)
    rule = ["-p %d -j DROP" % VRRP]
    return _iptables(words, target, {4: rule, 6: rule}, {4: rule, 6: rule})


def isolate_peer(params, target, directory):
    peers = _by_family(_peers(params, target))
    words = "drop everything from and to the peer"
    # VRRP has to be named: it may go to a multicast address, and come from a link-local one.
    if backend(target) == "nft":
        incoming, outgoing = ["meta l4proto %d drop" % VRRP], ["meta l4proto %d drop" % VRRP]
        for family, word in ((4, "ip"), (6, "ip6")):
            if peers[family]:
                listed = "{ %s }" % ", ".join(peers[family])
                incoming.append("%s saddr %s drop" % (word, listed))
                outgoing.append("%s daddr %s drop" % (word, listed))
        return _nft(words, directory, incoming, outgoing)
    vrrp = ["-p %d -j DROP" % VRRP]
    return _iptables(
        words,
        target,
        {family: vrrp + ["-s %s -j DROP" % peer for peer in peers[family]] for family in (4, 6)},
        {family: vrrp + ["-d %s -j DROP" % peer for peer in peers[family]] for family in (4, 6)},
    )


def drop_port(words, target, directory, address, port):
    """The plan that drops what goes to a port of another machine, and what comes from there."""
    family = addresses.parse_address(address)[0]
    if backend(target) == "nft":
        word = "ip" if family == 4 else "ip6"
        return _nft(
            words,
            directory,
            ["%s saddr %s %s sport %d drop" % (word, address, protocol, port) for protocol in ("tcp", "udp")],
            ["%s daddr %s %s dport %d drop" % (word, address, protocol, port) for protocol in ("tcp", "udp")],
        )
    incoming, outgoing = {4: [], 6: []}, {4: [], 6: []}
    for protocol in ("tcp", "udp"):
        incoming[family].append("-s %s -p %s --sport %d -j DROP" % (address, protocol, port))
        outgoing[family].append("-d %s -p %s --dport %d -j DROP" % (address, protocol, port))
    return _iptables(words, target, incoming, outgoing)


def isolate_all(params, target, directory):
    ports, vips = _ports(params), _by_family([vip["address"] for vip in vips_of(params)])
    words = "drop everything but the loopback and TCP ports %s" % (", ".join(map(str, ports)) or "(none)")
    if backend(target) == "nft":
        incoming, outgoing = ["iif lo accept"], ["oif lo accept"]
        # Neighbour Discovery has to pass, as ARP does, or the kept ports are out of reach; not that of the VIPs.
        for vip in vips[6]:
            for rules in (incoming, outgoing):
                rules.append(
                    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } @th,64,128 0x%032x drop"
                    % addresses.parse_address(vip)[1]
                )
        if ports:
            listed = "{ %s }" % ", ".join(map(str, ports))
            incoming.append("tcp dport %s accept" % listed)
            outgoing.append("tcp sport %s accept" % listed)
            for rules in (incoming, outgoing):
                rules.append("icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept")
        arp = ["0x%08x" % addresses.parse_address(vip)[1] for vip in vips[4]]
        devices = sorted({vip["interface"] for vip in vips_of(params) if vip.get("interface")})
        raw = bool(arp) and sees_raw_sockets(target, devices)
        plan = _nft(words, directory, incoming + ["drop"], outgoing + ["drop"], arp, devices if raw else ())
        if arp and not raw:
            plan.notes.append(
                "this kernel cannot filter what raw sockets send (5.16 and later can): a gratuitous ARP that "
                "keepalived repeats meanwhile still passes, which that of a lost node would not"
            )
        return plan
    incoming, outgoing = {}, {}
    for family in (4, 6):
        incoming[family], outgoing[family] = ["-i lo -j ACCEPT"], ["-o lo -j ACCEPT"]
        for port in ports:
            incoming[family].append("-p tcp --dport %d -j ACCEPT" % port)
            outgoing[family].append("-p tcp --sport %d -j ACCEPT" % port)
        for rules in (incoming, outgoing):
            if ports and family == 6:
                rules[6] += ["-p icmpv6 --icmpv6-type %d -j ACCEPT" % kind for kind in (135, 136)]
            rules[family].append("-j DROP")
    plan = _iptables(words, target, incoming, outgoing)
    if vips[4] or vips[6]:
        plan.notes.append(
            "without nft this host goes on answering ARP for the virtual addresses, which a lost node would not"
        )
    return plan
