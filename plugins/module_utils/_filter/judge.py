# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says in words what the packet filter of a node does with VRRP, and what to do about it."""

from __future__ import absolute_import, division, print_function

from . import packet as packets
from .chains import fates
from .._node import addresses

__metaclass__ = type

# In the order in which the kernel asks them.
_HOOKS = {packets.INPUT: ("ingress", "prerouting", "input"), packets.OUTPUT: ("output", "postrouting", "egress")}
_UFW = "ufw"
FIREWALLD = "firewalld"


def kept_by(chain):
    """Whose the table of a chain is: firewalld's, ufw's, or None when that cannot be told."""
    if chain.table.split(" ")[-1] == FIREWALLD or "INPUT_ZONES" in chain.others:
        return FIREWALLD
    return _UFW if any(name.startswith(("ufw-", "ufw6-")) for name in chain.others) else None


class Flow(object):
    """The adverts of one instance in one direction.

    instance: {name, interface, source, multicast} of the model. peer: the address of the other node.
    """

    def __init__(self, instance, peer, direction, interfaces):
        self.name = instance["name"]
        self.interface = instance["interface"]
        self.peer = peer
        self.direction = direction
        family = addresses.parse_address(peer)[0]
        group = packets.GROUPS[family] if instance["multicast"] else None
        incoming = direction == packets.INPUT
        self.source = peer if incoming else instance["source"]
        self.destination = group or (instance["source"] if incoming else peer)
        self.multicast = bool(instance["multicast"])
        self.family = family
        self.near = _is_near(interfaces, self.interface, self.source)

    def packet(self, state=packets.NEW):
        return packets.Packet(
            self.direction, self.interface, self.source, self.destination, near=self.near, state=state
        )

    def words(self):
        """What it is that would be dropped."""
        if self.direction == packets.INPUT:
            return "VRRP from the peer %s on %s" % (self.peer, self.interface)
        return "the VRRP that this node sends to %s on %s" % (self.destination, self.interface)


def _is_near(interfaces, name, address):
    interface = addresses.find_interface(interfaces, name)
    return interface is not None and any(
        addresses.in_subnet(address, entry["address"], entry["prefix"]) for entry in interface["addresses"]
    )


class Judge(object):
    """Asks the filters of a node about every flow of its instances.

    firewalld: whether its own rules count; before the role has opened it they do not.
    """

    def __init__(self, filters, interfaces, firewalld, run):
        self._filters = filters
        self._interfaces = interfaces
        self._firewalld = firewalld
        self._run = run
        self.drops = []
        self.doubts = []

    def judge(self, instances):
        """Fill `drops` and `doubts`, a text for each base chain that concerns the adverts of an instance."""
        chains = self._filters.chains
        if not self._firewalld:
            chains = [chain for chain in chains if kept_by(chain) != FIREWALLD]
        for instance in instances:
            for peer in instance["peers"]:
                for direction in (packets.INPUT, packets.OUTPUT):
                    self._judge_flow(Flow(instance, peer, direction, self._interfaces), chains)
        self.doubts += ["%s; look whether protocol 112 passes" % text for text in self._filters.unread]

    def _judge_flow(self, flow, chains):
        found = fates(chains, flow.packet(), _HOOKS[flow.direction])
        answered = fates(chains, flow.packet(packets.ESTABLISHED), _HOOKS[flow.direction])
        for place, fate in enumerate(found):
            if fate.lets:
                continue
            if fate.certain:
                only_first = answered[place].lets and not flow.multicast
                self.drops.append(self._drop_words(flow, fate, only_first))
            else:
                self.doubts.append(self._doubt_words(flow, fate))

    def _place(self, fate):
        chain, rule = fate.place
        return "%s: table %s, chain %s, %s" % (
            "nftables" if chain.program == "nft" else chain.program,
            chain.table,
            chain.name,
            self._filters.text_of(chain, rule),
        )

    def _drop_words(self, flow, fate, only_first):
        if only_first:
            # Connection tracking takes the adverts of one for the answer to those of the other.
            what = "drops %s until the other way has been used, so both nodes own the VIPs of instance %s for a " % (
                flow.words(),
                flow.name,
            )
            what += "moment whenever one of them boots"
        elif flow.direction == packets.INPUT:
            what = "drops %s, so both nodes would own the VIPs of instance %s" % (flow.words(), flow.name)
        else:
            what = "drops %s, so the peer would own the VIPs of instance %s as well" % (flow.words(), flow.name)
        return "%s: %s; %s" % (self._place(fate), what, self._cure(flow, fate.base))

    def _doubt_words(self, flow, fate):
        why = "which depends on what cannot be foretold"
        if fate.base.devices == []:
            why = "if it stands on this interface, which nft does not say"
        elif fate.doubt is not None:
            why = "which depends on %s of chain %s" % (
                self._filters.text_of(*fate.doubt),
                fate.doubt[0].name,
            )
        return "%s: may drop %s, %s; to be sure, %s" % (
            self._place(fate),
            flow.words(),
            why,
            self._cure(flow, fate.base),
        )

    def _cure(self, flow, base):
        whose = kept_by(base)
        if whose == FIREWALLD:
            return "run the keepalived role again, which accepts it in the zone of the interface"
        if whose == _UFW:
            return self._ufw_cure(flow)
        if base.program == "nft":
            return "`%s`, and the same in the file that nft reads at boot" % _nft_command(flow, base)
        table = "" if base.table == "filter" else "-t %s " % base.table
        interface, address = ("-i", "-s") if flow.direction == packets.INPUT else ("-o", "-d")
        far = flow.source if flow.direction == packets.INPUT else flow.destination
        command = "%s %s-I %s %s %s %s %s -p 112 -j ACCEPT" % (
            base.program,
            table,
            base.name,
            interface,
            flow.interface,
            address,
            far,
        )
        return "`%s`, and save the rules for the next boot" % command

    def _ufw_cure(self, flow):
        if flow.direction == packets.INPUT:
            words = ["allow", "proto", "vrrp", "from", flow.source]
        else:
            words = ["allow", "out", "proto", "vrrp", "to", flow.destination]
        # Older ones do not know the protocol.
        if self._run(["ufw", "--dry-run"] + words)[0] == 0:
            return "`ufw %s`" % " ".join(words)
        prefix, file_name = ("ufw", "before.rules") if flow.family == 4 else ("ufw6", "before6.rules")
        chain, option = ("input", "-s") if flow.direction == packets.INPUT else ("output", "-d")
        return "write `-A %s-before-%s %s %s -p 112 -j ACCEPT` into /etc/ufw/%s before COMMIT, then `ufw reload`" % (
            prefix,
            chain,
            option,
            words[-1],
            file_name,
        )


def _nft_command(flow, base):
    """The command that lets a flow through a base chain of nftables."""
    name = {4: "ip", 6: "ip6"}[flow.family]
    if flow.direction == packets.INPUT:
        which = "iifname %s %s saddr %s" % (flow.interface, name, flow.source)
    else:
        which = "oifname %s %s daddr %s" % (flow.interface, name, flow.destination)
    return "nft insert rule %s %s %s meta l4proto 112 accept" % (base.table, base.name, which)
