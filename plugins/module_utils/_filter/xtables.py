# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of iptables as iptables-save and ip6tables-save print them, of both kinds (nf_tables, legacy)."""

from __future__ import absolute_import, division, print_function

import shlex

from .chains import ACCEPT, DROP, GOTO, JUMP, RETURN, UNKNOWN, Chain, Rule
from .packet import NEW, PROTOCOL, PROTOCOL_NAMES, TTL, any_of, in_network, in_range, is_name, negation

__metaclass__ = type

# Where the built-in chains hook in, and at which priority (include/uapi/linux/netfilter_ipv4.h of the kernel).
_HOOKS = {
    "PREROUTING": "prerouting",
    "INPUT": "input",
    "FORWARD": "forward",
    "OUTPUT": "output",
    "POSTROUTING": "postrouting",
}
_PRIORITIES = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}

_VERDICTS = {
    "ACCEPT": ACCEPT,
    "DROP": DROP,
    "REJECT": DROP,
    "RETURN": RETURN,
    # At most the source changes, and VRRP is sent from an address of the interface.
    "MASQUERADE": ACCEPT,
    "SNAT": ACCEPT,
}
_MARKING = ("MARK", "CONNMARK", "CONNSECMARK", "SECMARK")
_HARMLESS = (
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "DSCP",
    "HL",
    "LED",
    "LOG",
    "NFLOG",
    "RATEEST",
    "SET",
    "TCPMSS",
    "TEE",
    "TOS",
    "TRACE",
    "TTL",
    "ULOG",
)


def _address(address, text):
    """Whether an address is what -s and -d say: an address, with a prefix or a mask."""
    network, _slash, prefix = text.partition("/")
    if not prefix:
        prefix = {4: 32, 6: 128}[address[0]]
    elif prefix.isdigit():
        prefix = int(prefix)
    elif address[0] == 4 and prefix.count(".") == 3:
        bits = "".join("{0:08b}".format(int(part)) for part in prefix.split("."))
        if "01" in bits:
            return None
        prefix = bits.count("1")
    else:
        return None
    return in_network(address, network, prefix)


def _protocol(packet, value):
    del packet
    return value in ("all", "0", str(PROTOCOL)) or value in PROTOCOL_NAMES


def _interface(name, value):
    return name is not None and is_name(name, value, "+")


_GENERIC = {
    "-p": _protocol,
    "-s": lambda packet, value: _address(packet.source, value),
    "-d": lambda packet, value: _address(packet.destination, value),
    "-i": lambda packet, value: _interface(packet.iif, value),
    "-o": lambda packet, value: _interface(packet.oif, value),
}


def _state(packet, value):
    return None if packet.state is None else packet.state.upper() in value.split(",")


def _status(packet, value):
    # Nothing has happened to a new connection; NONE says so.
    return "NONE" in value.split(",") if packet.state == NEW else None


def _mark(packet, value):
    if packet.marked:
        return None
    number, _slash, _mask = value.partition("/")
    return int(number, 0) == 0


def _ranged(address, value):
    first, _dash, last = value.partition("-")
    return in_range(address, first, last or first)


def _limit(value, number):
    return None if not value.isdigit() else int(value) == number


# What modules ask, by module and option; an option that is not here cannot be foretold.
_OPTIONS = {
    "conntrack": {"--ctstate": _state, "--ctstatus": _status, "--ctproto": _protocol},
    "state": {"--state": _state},
    "addrtype": {
        "--dst-type": lambda packet, value: packet.destination_type.upper() in value.split(","),
        "--src-type": lambda packet, value: packet.source_type.upper() in value.split(","),
    },
    "pkttype": {
        "--pkt-type": lambda packet, value: (
            (value == ("multicast" if packet.multicast else "unicast")) if packet.iif else None
        )
    },
    "iprange": {
        "--src-range": lambda packet, value: _ranged(packet.source, value),
        "--dst-range": lambda packet, value: _ranged(packet.destination, value),
    },
    "mark": {"--mark": _mark},
    "connmark": {"--mark": _mark},
    "ttl": {
        "--ttl-eq": lambda _packet, value: _limit(value, TTL),
        "--ttl-lt": lambda _packet, value: int(value) > TTL,
        "--ttl-gt": lambda _packet, value: int(value) < TTL,
    },
    "hl": {
        "--hl-eq": lambda _packet, value: _limit(value, TTL),
        "--hl-lt": lambda _packet, value: int(value) > TTL,
        "--hl-gt": lambda _packet, value: int(value) < TTL,
    },
    "comment": {"--comment": lambda _packet, _value: True},
    # By itself true: its way back is the way that it came.
    "rpfilter": {},
}
# Modules that look into headers of IPv6 and of IPsec, of which an advert has none.
_HEADERS = ("ah", "dst", "esp", "frag", "hbh", "ipv6header", "mh", "rt")
# Options of these that take no value and change nothing for an advert.
_FLAGS = ("--loose", "--validmark", "--accept-local", "--limit-iface-in", "--limit-iface-out")


class SavedRule(Rule):
    """A line `-A CHAIN ...` of iptables-save."""

    def __init__(self, text):
        self.text = text
        self.generic, self.modules, self.target = [], [], None
        try:
            self._read(shlex.split(text)[2:])
        except ValueError:
            # Quotes that do not match.
            self.target = ("-j", "QUEUE", [])

    def _read(self, words):
        """Sort the words: what is asked of every packet, what modules ask, and the target with its options."""
        negated, place, module = False, 0, None
        while place < len(words):
            word = words[place]
            value = words[place + 1] if place + 1 < len(words) else ""
            if word == "!":
                negated = True
                place += 1
                continue
            if word in ("-j", "-g"):
                self.target = (word, value, words[place + 2 :])
                return
            if word == "-m":
                module = (value, [])
                self.modules.append(module)
                place += 2
            elif module is None and word in _GENERIC:
                self.generic.append((_GENERIC[word], value, negated))
                place += 2
            elif module is None and word == "-f":
                # An advert is never cut into pieces.
                self.generic.append((lambda _packet, _value: False, "", negated))
                place += 1
            elif module is None:
                self.generic.append((lambda _packet, _value: None, word, negated))
                place += 1
            else:
                takes = place + 1 < len(words) and not value.startswith("-") and value != "!"
                module[1].append((word, value if takes else "", negated))
                place += 2 if takes else 1
            negated = False

    def judge(self, packet):
        holds = self._holds(packet)
        if holds is False or self.target is None:
            return [], True
        verdict, target = self._verdict(packet, holds)
        if verdict is None:
            return [], True
        return [(verdict, target)], holds is None

    def _holds(self, packet):
        """Whether all that the rule asks is so."""
        unknown = False
        for ask, value, negated in self.generic:
            answer = ask(packet, value)
            answer = negation(answer) if negated else answer
            if answer is False:
                return False
            unknown = unknown or answer is None
        for name, options in self.modules:
            answer = _module_holds(packet, name, options)
            if answer is False:
                return False
            unknown = unknown or answer is None
        return None if unknown else True

    def _verdict(self, packet, holds):
        option, name, options = self.target
        if option == "-g":
            return GOTO, name
        if name in _VERDICTS:
            return _VERDICTS[name], None
        if name in _MARKING or (name == "CT" and "--notrack" not in options):
            packet.marked = True
        elif name in ("NOTRACK", "CT"):
            packet.leave_untracked(holds is True)
        elif name not in _HARMLESS:
            # A chain of the user's, or a target that takes the packet elsewhere.
            return (UNKNOWN, None) if name.isupper() and name in _ELSEWHERE else (JUMP, name)
        return None, None


_ELSEWHERE = ("DNAT", "REDIRECT", "NETMAP", "NFQUEUE", "QUEUE", "TPROXY", "SYNPROXY", "CLUSTERIP", "DNPT", "SNPT")


def _module_holds(packet, name, options):
    """Whether a module agrees, None when that cannot be foretold."""
    if name in _HEADERS:
        return False
    if name not in _OPTIONS:
        return None
    if name == "rpfilter":
        back = True if packet.iif and packet.near else None
        inverted = any(option == "--invert" for option, _value, _negated in options)
        return negation(back) if inverted else back
    answers = []
    for option, value, negated in options:
        if option in _FLAGS:
            continue
        ask = _OPTIONS[name].get(option)
        answer = None if ask is None else ask(packet, value)
        answers.append(negation(answer) if negated else answer)
    return negation(any_of(negation(answer) for answer in answers))


class Saved(object):
    """What iptables-save printed. by_nft: whether nf_tables is behind it."""

    def __init__(self, text, family, program, by_nft=False):
        self.by_nft = by_nft
        self.tables = {}
        table = None
        for line in text.splitlines():
            if line.startswith("*"):
                table = line[1:].strip()
                chains = self.tables.setdefault(table, {})
            elif line.startswith(":") and table:
                name, policy = line[1:].split()[:2]
                chains[name] = self._chain(table, name, policy, family, program)
                chains[name].others = chains
            elif line.startswith("-A ") and table:
                chains[line.split()[1]].rules.append(SavedRule(line))

    @staticmethod
    def _chain(table, name, policy, family, program):
        hook = None if policy == "-" else _HOOKS.get(name)
        priority = _PRIORITIES.get(table, 0)
        if table == "nat" and hook in ("input", "postrouting"):
            priority = 100
        return Chain(program, table, name, (family,), hook, priority, DROP if policy == "DROP" else ACCEPT)

    def chains(self, tables=None):
        """All chains, or those of some tables."""
        return [chain for table in (self.tables if tables is None else tables) for chain in self.tables[table].values()]
