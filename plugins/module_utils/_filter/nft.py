# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of nftables as `nft -j list ruleset` prints them (libnftables-json(5))."""

from __future__ import absolute_import, division, print_function

from .chains import ACCEPT, CONTINUE, DROP, GOTO, JUMP, RETURN, UNKNOWN, Chain, Rule
from .packet import (
    ESTABLISHED,
    NEW,
    PROTOCOL,
    PROTOCOL_NAMES,
    TTL,
    any_of,
    in_network,
    in_range,
    is_name,
    negation,
)
from .._node.addresses import parse_address

__metaclass__ = type

_FAMILIES = {"ip": (4,), "ip6": (6,), "inet": (4, 6), "netdev": (4, 6)}
_VERDICTS = {
    "accept": ACCEPT,
    "drop": DROP,
    "reject": DROP,
    "return": RETURN,
    "continue": CONTINUE,
    "jump": JUMP,
    "goto": GOTO,
    # At most the source changes, and VRRP is sent from an address of the interface.
    "masquerade": ACCEPT,
    "snat": ACCEPT,
}
# Statements that let the packet go on to the next one, whatever else they do.
_HARMLESS = (
    "counter",
    "log",
    "comment",
    "set",
    "last",
    "ct helper",
    "ct timeout",
    "ct expectation",
    "flow",
    "dup",
    "secmark",
)
_XT_VERDICTS = {"REJECT": DROP, "MASQUERADE": ACCEPT, "SNAT": ACCEPT}
_XT_HARMLESS = ("LOG", "NFLOG", "TRACE", "AUDIT", "CHECKSUM", "TCPMSS", "CLASSIFY", "DSCP", "TOS", "SET")
_XT_MARKING = ("MARK", "CONNMARK")


class _Unknown(object):
    """A value that cannot be foretold."""

    @staticmethod
    def equals(_right):
        return None

    @staticmethod
    def compare(_operator, _right):
        return None


class _Absent(object):
    """The packet has no such thing, and the rule ends here, whatever it compares with."""


UNKNOWN_VALUE, ABSENT = _Unknown(), _Absent()


class Number(_Unknown):
    """A number that may also be written as one of some names."""

    def __init__(self, number, names=()):
        self.number = number
        self.names = names

    def _of(self, right):
        if isinstance(right, bool) or right is None:
            return None
        if isinstance(right, int):
            return right
        if right in self.names:
            return self.number
        try:
            return int(right, 0)
        except (TypeError, ValueError):
            return None

    def equals(self, right):
        if isinstance(right, dict):
            bounds = [self._of(bound) for bound in right.get("range") or [None]]
            return None if None in bounds else bounds[0] <= self.number <= bounds[-1]
        number = self._of(right)
        # A name that is none of ours is the name of another number.
        return self.number == number if number is not None else False

    def compare(self, operator, right):
        number = self._of(right)
        if number is None:
            return None
        difference = self.number - number
        return {"<": difference < 0, ">": difference > 0, "<=": difference <= 0, ">=": difference >= 0}[operator]


class Address(_Unknown):
    """An address, parsed."""

    def __init__(self, address):
        self.address = address

    def equals(self, right):
        if isinstance(right, dict):
            if "prefix" in right:
                return in_network(self.address, right["prefix"]["addr"], right["prefix"]["len"])
            if "range" in right:
                return in_range(self.address, right["range"][0], right["range"][1])
            return None
        other = parse_address(right)
        return None if other is None else other == self.address


class Word(_Unknown):
    """A name out of some that mean the same; names of interfaces may be asked for with a wildcard."""

    def __init__(self, *words):
        self.words = words

    def equals(self, right):
        if isinstance(right, (dict, bool)) or right is None:
            return None
        return any(is_name(word, "%s" % right, "*") for word in self.words)


class Presence(_Unknown):
    """Whether there is such a thing at all; `word`: its name when there is."""

    def __init__(self, there, word=None):
        self.there = there
        self.word = word

    def equals(self, right):
        if isinstance(right, bool):
            return self.there == right
        if right in (0, 1):
            return self.there == bool(right)
        return None if self.word is None or isinstance(right, dict) else self.there and self.word == right


class Joined(_Unknown):
    """Several values that are compared together."""

    def __init__(self, values):
        self.values = values

    def equals(self, right):
        parts = right.get("concat") if isinstance(right, dict) else None
        if not parts or len(parts) != len(self.values):
            return None
        return negation(any_of(negation(value.equals(parts[place])) for place, value in enumerate(self.values)))


def _payload(body, packet):
    """What a packet holds where a rule looks."""
    protocol, field = body.get("protocol"), body.get("field")
    if protocol in ("ip", "ip6"):
        if protocol != {4: "ip", 6: "ip6"}[packet.family]:
            return ABSENT
        return {
            "saddr": Address(packet.source),
            "daddr": Address(packet.destination),
            "protocol": Number(PROTOCOL, PROTOCOL_NAMES),
            "nexthdr": Number(PROTOCOL, PROTOCOL_NAMES),
            "version": Number(packet.family),
            "ttl": Number(TTL),
            "hoplimit": Number(TTL),
        }.get(field, UNKNOWN_VALUE)
    # A field at an offset, a transport header of any kind, a header below IP.
    return UNKNOWN_VALUE if protocol in (None, "th", "ether", "vlan") else ABSENT


def _meta(body, packet):
    key = body.get("key")
    if key in ("iif", "iifname"):
        return Word(packet.iif) if packet.iif else ABSENT
    if key in ("oif", "oifname"):
        return Word(packet.oif) if packet.oif else ABSENT
    if key == "mark" and not packet.marked:
        return Number(0)
    if key == "pkttype" and packet.iif:
        return Word("multicast") if packet.multicast else Word("host", "unicast")
    if key in ("skuid", "skgid") and packet.oif:
        # keepalived sends as root.
        return Number(0, ("root",))
    return {
        "l4proto": Number(PROTOCOL, PROTOCOL_NAMES),
        "nfproto": Number({4: 2, 6: 10}[packet.family], ("ipv%d" % packet.family,)),
        "protocol": Number({4: 0x0800, 6: 0x86DD}[packet.family], ({4: "ip", 6: "ip6"}[packet.family],)),
    }.get(key, UNKNOWN_VALUE)


def _ct(body, packet):
    key = body.get("key")
    if key == "state" and packet.state is not None:
        return Word(packet.state)
    if key == "status" and packet.state == NEW:
        # Nothing has happened to the connection yet.
        return Word()
    if key == "mark" and not packet.marked:
        return Number(0)
    if key == "direction" and packet.state in (NEW, ESTABLISHED):
        return Word("original" if packet.state == NEW else "reply")
    protocol, _blank, field = ("%s" % key).partition(" ")
    if field in ("saddr", "daddr") and packet.state == NEW and body.get("dir") == "original":
        return _payload({"protocol": protocol, "field": field}, packet)
    return UNKNOWN_VALUE


def _fib(body, packet):
    result, flags = body.get("result"), body.get("flags") or []
    if result == "type":
        if "daddr" in flags:
            return Word(packet.destination_type)
        return Word(packet.source_type) if "saddr" in flags else UNKNOWN_VALUE
    if "saddr" in flags and packet.iif and packet.near:
        return Presence(True, packet.iif)
    return UNKNOWN_VALUE


def _masked(body, packet):
    """A value of which a rule looks at some bits only."""
    left, mask = body
    if left == {"payload": {"protocol": "ip", "field": "frag-off"}} and packet.family == 4:
        # An advert is never cut into pieces; whether it says that it may not be, is up to keepalived.
        return Number(0) if isinstance(mask, int) and not mask & 0x4000 else UNKNOWN_VALUE
    value = left_value(left, packet)
    if value is ABSENT:
        return ABSENT
    if isinstance(value, Number) and isinstance(mask, int):
        return Number(value.number & mask)
    return UNKNOWN_VALUE


def _header(body, _packet):
    """A header of IPv6 or an option that no advert has."""
    return ABSENT if "field" in body else Presence(False)


def _joined(body, packet):
    values = [left_value(part, packet) for part in body]
    return ABSENT if ABSENT in values else Joined(values)


_LEFT = {
    "payload": _payload,
    "meta": _meta,
    "ct": _ct,
    "fib": _fib,
    "concat": _joined,
    "&": _masked,
    "exthdr": _header,
    "ip option": _header,
    "tcp option": lambda _body, _packet: ABSENT,
}


def left_value(left, packet):
    """What a rule compares: a value of the packet, UNKNOWN_VALUE, or ABSENT."""
    if not isinstance(left, dict) or len(left) != 1:
        return UNKNOWN_VALUE
    ((name, body),) = left.items()
    return _LEFT[name](body, packet) if name in _LEFT else UNKNOWN_VALUE


def _elements(listed):
    """The elements of a set, without what else is known of each."""
    for element in listed or []:
        yield element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element


def _is(value, right, sets):
    """Whether a value is what stands right of it: one thing, or one of many."""
    if isinstance(right, list):
        return any_of(_is(value, one, sets) for one in right)
    if isinstance(right, dict) and "set" in right:
        return any_of(_is(value, one, sets) for one in _elements(right["set"]))
    if hasattr(right, "startswith") and right.startswith("@"):
        if right[1:] not in sets:
            return None
        return any_of(_is(value, one, sets) for one in _elements(sets[right[1:]]))
    return value.equals(right)


def matches(body, packet, sets):
    """Whether a match statement holds for the packet."""
    value = left_value(body.get("left"), packet)
    if value is ABSENT:
        return False
    operator, right = body.get("op", "=="), body.get("right")
    if operator in ("==", "in"):
        return _is(value, right, sets)
    if operator == "!=":
        return negation(_is(value, right, sets))
    return value.compare(operator, right) if operator in ("<", ">", "<=", ">=") else None


class NftRule(Rule):
    """A rule of nftables. `handle` is its number, by which nft prints it as text."""

    def __init__(self, expressions, handle, sets):
        self._expressions = expressions
        self.handle = handle
        self._sets = sets

    def judge(self, packet):
        sure = True
        for place, expression in enumerate(self._expressions):
            name, body = next(iter(expression.items())) if expression else ("", None)
            last = place == len(self._expressions) - 1
            verdicts, holds = self._statement(name, body, packet, sure, last)
            if verdicts:
                return verdicts, not sure or holds is None
            if holds is False:
                return [], True
            sure = sure and holds is True
        return [], True

    def _statement(self, name, body, packet, sure, last):
        """(verdicts, whether the packet comes to the next statement)."""
        if name in _VERDICTS:
            return [(_VERDICTS[name], (body or {}).get("target"))], True
        if name == "match":
            return [], matches(body, packet, self._sets)
        if name == "vmap":
            return self._map(body, packet)
        if name == "xt":
            return _extension(body or {}, packet, last)
        if name == "mangle":
            packet.marked = True
        elif name == "notrack":
            packet.leave_untracked(sure)
        elif name in ("dnat", "redirect", "tproxy", "queue", "fwd", "synproxy"):
            return [(UNKNOWN, None)], True
        elif name not in _HARMLESS:
            # limit, quota, ct count and what is newer than this.
            return [], None
        return [], True

    def _map(self, body, packet):
        value = left_value(body.get("key"), packet)
        data = body.get("data")
        pairs = data.get("set") if isinstance(data, dict) else self._sets.get("%s" % data[1:])
        if value is ABSENT:
            return [], False
        if pairs is None:
            return [(UNKNOWN, None)], None
        found = []
        # What stands for everything else comes last.
        for key, verdict in sorted(pairs, key=lambda pair: pair[0] == "*"):
            holds = True if key == "*" else _is(value, next(_elements([key])), self._sets)
            if holds is False:
                continue
            name, target = next(iter(verdict.items()))
            found.append((_VERDICTS.get(name, UNKNOWN), (target or {}).get("target")))
            if holds:
                return found, True
        return found, None if found else False


def _extension(body, packet, last):
    """What iptables put in and nft cannot spell out; `last` of its rule, it may be a target."""
    name = body.get("name")
    if body.get("type") != "target":
        # Versions before 1.0 do not even say whether it is a match.
        return [(UNKNOWN, None)] if last and name is None else [], None
    if name in _XT_VERDICTS:
        return [(_XT_VERDICTS[name], None)], True
    if name in _XT_MARKING:
        packet.marked = True
    elif name not in _XT_HARMLESS:
        return [(UNKNOWN, None)], True
    return [], True


class Ruleset(object):
    """All chains of nftables that may concern a packet of the family, base chains and others.

    tables: {(family, table): whether iptables made something in it that nft cannot spell out}.
    flagged: the (family, table) that have flags.
    """

    def __init__(self, objects):
        self.chains = []
        self.tables = {}
        self.flagged = []
        by_table, sets = {}, {}
        for kind, body in (next(iter(entry.items())) for entry in objects if entry):
            place = (body.get("family"), body.get("table") or body.get("name"))
            if kind == "table":
                self.tables.setdefault(place, False)
                if "flags" in body:
                    self.flagged.append(place)
            elif kind == "chain":
                chain = _chain(body)
                chain.others = by_table.setdefault(place, {})
                chain.others[chain.name] = chain
                self.chains.append(chain)
            elif kind in ("set", "map"):
                sets.setdefault(place, {})[body["name"]] = body.get("elem") or []
        for body in (entry["rule"] for entry in objects if "rule" in entry):
            place = (body["family"], body["table"])
            rule = NftRule(body.get("expr") or [], body.get("handle"), sets.get(place, {}))
            by_table[place][body["chain"]].rules.append(rule)
            if any("xt" in expression for expression in body.get("expr") or []):
                self.tables[place] = True


def _chain(body):
    devices = None
    if body["family"] == "netdev" or body.get("hook") == "ingress":
        # Not every version of nft says of which interface.
        devices = body.get("dev") or []
        devices = devices if isinstance(devices, list) else [devices]
    policy = DROP if body.get("policy") == "drop" else ACCEPT
    table = "%s %s" % (body["family"], body["table"])
    # What passes a bridge or is no IP is not for this node's own daemon.
    families = _FAMILIES.get(body["family"], ())
    return Chain("nft", table, body["name"], families, body.get("hook"), body.get("prio", 0), policy, devices)
