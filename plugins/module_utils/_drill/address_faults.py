# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the virtual addresses: deleted on their owner, claimed by a third machine."""

from __future__ import absolute_import, division, print_function

import sys

from .._node import addresses
from .._node.errors import NodeError
from .._node.system import HOLDING_INTERFACE
from . import announce
from .network_faults import interface_of, vips_of
from .shell import Plan, quote
from .target import NotNowError, UnsupportedError

__metaclass__ = type


def vip_deleted(params, target, _directory):
    seen, cut = target.interfaces(), []
    for vip in vips_of(params, required=True):
        places = [
            (name, prefix)
            for name, prefix in addresses.holders(seen, vip["address"])
            if name != HOLDING_INTERFACE and vip.get("interface") in (None, "", name)
        ]
        if not places:
            raise NotNowError(
                "vips: %s: this host does not hold it%s; run the fault on its owner"
                % (vip["address"], " on %s" % vip["interface"] if vip.get("interface") else "")
            )
        for name, prefix in places:
            if vip.get("prefix") not in (None, prefix):
                raise NodeError(
                    "vips: %s: is held with prefix %d, not %d; correct the prefix"
                    % (vip["address"], prefix, vip["prefix"])
                )
            cut.append((
                "delete %s/%d from %s" % (vip["address"], prefix, name),
                "ip addr del %s/%d dev %s" % (vip["address"], prefix, quote(name)),
            ))
    # Nobody but keepalived puts it back: that is what the fault is to show.
    return Plan(cut=cut, notes=["mending puts no address back: that is keepalived's part"])


def _link_address(seen, interface):
    mac = next(entry["mac"] for entry in seen if entry["name"] == interface)
    if not mac:
        raise UnsupportedError("interface: %s: has no hardware address, so nothing can be announced on it" % interface)
    return mac


def vip_stolen(params, target, directory):
    vips = vips_of(params, required=True)
    seen = target.interfaces()
    # Another machine may have other names for its interfaces.
    found = params["interface"] or addresses.subnet_interface(seen, vips[0]["address"])
    if not found:
        raise UnsupportedError(
            "vips: %s: no interface of this host is in its subnet; name one, or take a machine of that network"
            % vips[0]["address"]
        )
    interface = interface_of(dict(params, interface=found), target)
    mac, name, unit = _link_address(seen, interface), quote(interface), "ha-pair-drill-steal-%s" % params["id"]
    take, words, undo = [], [], []
    undo.append((
        "announce nothing any more",
        "! systemctl is-active --quiet %s.service || systemctl stop %s.service" % (quote(unit), quote(unit)),
    ))
    for vip in vips:
        address = vip["address"]
        if addresses.holders(seen, address):
            raise NodeError("vips: %s: this host holds it already; run the fault on a third machine" % address)
        place = "%s/%d" % (address, 32 if addresses.parse_address(address)[0] == 4 else 128)
        nodad = " nodad" if ":" in address else ""
        take.append(("take %s on %s" % (address, interface), "ip addr add %s dev %s%s" % (place, name, nodad)))
        words += announce.frames(mac, address)
        # The kernel spells an address in its own way, so it is asked and not searched for.
        undo.append((
            "give %s back" % address,
            '[ -z "$(ip -o addr show dev %s to %s)" ] || ip addr del %s dev %s' % (name, place, place, name),
        ))
        undo.append(("forget who had %s" % address, "ip neigh flush to %s dev %s" % (address, name)))
    sender = "%s/announce.py" % directory
    run = ["systemd-run", "--unit=%s" % unit, sys.executable or "python3", sender, interface, "%g" % announce.INTERVAL]
    announce_it = (
        "announce it every %g s" % announce.INTERVAL,
        "systemctl reset-failed %s.service 2>/dev/null; %s" % (quote(unit), " ".join(map(quote, run + words))),
    )
    return Plan(cut=take + [announce_it], undo=undo, files={"announce.py": (announce.SENDER, 0o600)})
