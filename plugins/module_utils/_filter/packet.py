# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one packet that is followed through the rules: a VRRP advert, as the packet filter of a node meets it.

Answers are True, False, or None for what cannot be foretold.
"""

from __future__ import absolute_import, division, print_function

from .._node.addresses import parse_address

__metaclass__ = type

PROTOCOL = 112
# /etc/protocols of some systems knows the number by its other user.
PROTOCOL_NAMES = ("vrrp", "carp")
# VRRP is sent with it, and an advert that arrives with less was routed (RFC 9568, section 5.1.1.3).
TTL = 255
GROUPS = {4: "224.0.0.18", 6: "ff02::12"}
INPUT, OUTPUT = "input", "output"
NEW, ESTABLISHED, UNTRACKED = "new", "established", "untracked"

_BITS = {4: 32, 6: 128}


def negation(answer):
    """The contrary; what is unknown stays unknown."""
    return None if answer is None else not answer


def any_of(answers):
    """True when one is, None when one might be."""
    unknown = False
    for answer in answers:
        if answer:
            return True
        unknown = unknown or answer is None
    return None if unknown else False


def in_network(address, network, prefix):
    """Whether a parsed address lies in network/prefix (text and number)."""
    base = parse_address(network)
    if base is None:
        return None
    if base[0] != address[0]:
        return False
    shift = _BITS[base[0]] - prefix
    return address[1] >> shift == base[1] >> shift


def in_range(address, first, last):
    """Whether a parsed address lies between two, both included."""
    low, high = parse_address(first), parse_address(last)
    if low is None or high is None:
        return None
    return low[0] == address[0] and low[1] <= address[1] <= high[1]


def is_name(name, wanted, wildcard):
    """Whether an interface has this name, which may end in the wildcard of the language it stands in."""
    if wanted.endswith(wildcard):
        return name.startswith(wanted[: -len(wildcard)])
    return name == wanted


class Packet(object):
    """A VRRP advert on one interface: from the peer (input), or to the peer (output).

    near: whether its source belongs to a network of the interface, so that the way back is the way it came.
    state: what connection tracking makes of it, None when that cannot be foretold.
    marked: whether a rule may have given it or its connection a mark; none until then.
    """

    def __init__(self, direction, interface, source, destination, near=True, state=NEW):
        self.direction = direction
        self.interface = interface
        self.source = parse_address(source)
        self.destination = parse_address(destination)
        self.family = self.source[0]
        self.multicast = self.destination == parse_address(GROUPS[self.family])
        self.near = near
        self.state = state
        self.marked = False

    @property
    def iif(self):
        return self.interface if self.direction == INPUT else None

    @property
    def oif(self):
        return self.interface if self.direction == OUTPUT else None

    @property
    def source_type(self):
        """What the routing table calls its source."""
        return "unicast" if self.direction == INPUT else "local"

    @property
    def destination_type(self):
        """What the routing table calls its destination."""
        if self.multicast:
            return "multicast"
        return "local" if self.direction == INPUT else "unicast"

    def leave_untracked(self, sure):
        """A rule took it off connection tracking, or may have."""
        self.state = UNTRACKED if sure else None
