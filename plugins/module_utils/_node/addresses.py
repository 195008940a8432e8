# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of this host as `ip -o addr show` and `ip -o link show` print them.

The JSON output of iproute2 is newer than CentOS 7, so the one-line text is read, token by token and never by substring.
"""

from __future__ import absolute_import, division, print_function

import binascii
import re
import socket

__metaclass__ = type

ADDRESS_COMMAND = ("ip", "-o", "addr", "show")
LINK_COMMAND = ("ip", "-o", "link", "show")

_BITS = {4: 32, 6: 128}
_LINK = re.compile(r"^\d+:\s+([^\s:@]+)(?:@[^\s:]+)?:\s+<")
_ETHERNET = re.compile(r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")


def parse_address(text):
    """The address as (IP version, integer), or None when the text is not exactly one address."""
    for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
        try:
            packed = socket.inet_pton(family, str(text))
        except (socket.error, ValueError, UnicodeError):
            continue
        return version, int(binascii.hexlify(packed), 16)
    return None


def same_address(one, other):
    """Whether two spellings mean one address; text that is no address equals nothing."""
    parsed = parse_address(one)
    return parsed is not None and parsed == parse_address(other)


def in_subnet(address, member, prefix):
    """Whether the address lies in the subnet of member/prefix."""
    parsed, base = parse_address(address), parse_address(member)
    if parsed is None or base is None or parsed[0] != base[0]:
        return False
    shift = _BITS[base[0]] - prefix
    return parsed[1] >> shift == base[1] >> shift


def parse_address_lines(text):
    """(interface, address, prefix) of every address line, in the kernel's order."""
    found = []
    for line in text.splitlines():
        # Everything behind the backslash is the second line of the long form (lifetimes).
        words = line.split("\\", 1)[0].split()
        if len(words) < 4 or words[2] not in ("inet", "inet6"):
            continue
        address, slash, prefix = words[3].partition("/")
        if not slash and len(words) > 5 and words[4] == "peer":
            prefix = words[5].partition("/")[2]
        parsed = parse_address(address)
        if parsed is None:
            continue
        found.append((words[1].partition("@")[0], address, int(prefix) if prefix.isdigit() else _BITS[parsed[0]]))
    return found


def parse_link_lines(text):
    """(interface, hardware address or None) of every link, in the kernel's order."""
    found = []
    for line in text.splitlines():
        match = _LINK.match(line)
        if not match:
            continue
        words = line.split()
        mac = None
        for index, word in enumerate(words[:-1]):
            if word.lstrip("\\").startswith("link/") and ":" in words[index + 1]:
                mac = words[index + 1].lower()
        found.append((match.group(1), mac))
    return found


def parse_interfaces(address_text, link_text):
    """The interfaces of this host: name, mac, addresses with prefix."""
    interfaces = [{"name": name, "mac": mac, "addresses": []} for name, mac in parse_link_lines(link_text)]
    by_name = {interface["name"]: interface for interface in interfaces}
    for name, address, prefix in parse_address_lines(address_text):
        if name in by_name:
            by_name[name]["addresses"].append({"address": address, "prefix": prefix})
    return interfaces


def holders(interfaces, address):
    """(interface name, prefix) of every place that holds exactly this address."""
    return [
        (interface["name"], entry["prefix"])
        for interface in interfaces
        for entry in interface["addresses"]
        if same_address(entry["address"], address)
    ]


def own_addresses(interface, virtual):
    """The addresses of an interface that are its own: not one of the virtual addresses."""
    return [
        entry for entry in interface["addresses"] if not any(same_address(entry["address"], vip) for vip in virtual)
    ]


def subnet_interface(interfaces, address, virtual=()):
    """Name of the interface whose own subnet contains the address; the longest prefix wins; None when there is none."""
    best = None
    for interface in interfaces:
        for entry in own_addresses(interface, virtual):
            if in_subnet(address, entry["address"], entry["prefix"]) and (best is None or entry["prefix"] > best[0]):
                best = (entry["prefix"], interface["name"])
    return best[1] if best else None


def source_address(interface, address, virtual=()):
    """The interface's own address to ask from: one in the subnet of the asked address first; None when it has none."""
    version = (parse_address(address) or (None,))[0]
    own = [entry for entry in own_addresses(interface, virtual) if parse_address(entry["address"])[0] == version]
    near = [entry for entry in own if in_subnet(address, entry["address"], entry["prefix"])]
    chosen = near or own
    return chosen[0]["address"] if chosen else None


def is_ethernet(mac):
    """Whether ARP can be spoken with this hardware address."""
    return bool(mac and _ETHERNET.match(mac) and mac != "00:00:00:00:00:00")


def find_interface(interfaces, name):
    """The interface of that name or None."""
    for interface in interfaces:
        if interface["name"] == name:
            return interface
    return None
