# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node has already: its units, its listening programs, its keepalived, and who manages its network.

Everything here is read from files of the kernel and of the services, or from one call of systemctl.
"""

from __future__ import absolute_import, division, print_function

import binascii
import os
import re
import socket
import struct

from .errors import NodeError
from .system import STATE_DIRECTORY, read_text

__metaclass__ = type

UNIT_PROPERTIES = ("LoadState", "ActiveState", "SubState", "UnitFileState", "Result", "Triggers")
ABSENT, OURS, SAMPLE, FOREIGN = "absent", "ours", "sample", "foreign"
# By this word a configuration of this collection is known.
MARKER = "duplex.ha_pair"

_LISTEN = "0A"
_KEEP = re.compile(r"^\s*KeepConfiguration\s*=\s*(\S+)", re.IGNORECASE | re.MULTILINE)
# "static" keeps what networkd did not bring itself, and a VIP is that; "dhcp" and "dhcp-on-stop" do not.
_KEEPING = ("yes", "true", "on", "1", "static")


def parse_units(text, names):
    """{unit: {load, active, sub, enabled, result, triggers}} of what `systemctl show -p ...` prints for these units.

    By place and not by Id: a unit may be asked for by an alias. Raises NodeError when an answer is missing.
    """
    blocks = [block for block in text.split("\n\n") if block.strip()]
    if len(blocks) != len(names):
        raise NodeError(
            "systemctl: told of %d units and not of %d (%s); look at `systemctl status`"
            % (len(blocks), len(names), ", ".join(names))
        )
    found = {}
    for place, name in enumerate(names):
        values = dict(line.partition("=")[::2] for line in blocks[place].splitlines() if "=" in line)
        found[name] = {
            "load": values.get("LoadState", ""),
            "active": values.get("ActiveState", ""),
            "sub": values.get("SubState", ""),
            "enabled": values.get("UnitFileState", "") in ("enabled", "enabled-runtime"),
            "result": values.get("Result", ""),
            "triggers": values.get("Triggers", "").split(),
        }
    return found


def parse_listeners(text, version):
    """(address, port, inode) of every listening socket in /proc/net/tcp (version 4) or tcp6 (version 6)."""
    found = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) < 10 or words[3] != _LISTEN:
            continue
        address, _colon, port = words[1].partition(":")
        # The kernel prints the address as 32-bit words of the machine's own byte order.
        packed = binascii.unhexlify(address)
        native = b"".join(struct.pack("=I", number) for number in struct.unpack(">%dI" % (len(packed) // 4), packed))
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        found.append((socket.inet_ntop(family, native), int(port, 16), int(words[9])))
    return found


def socket_programs(inodes, root="/proc"):
    """{inode: names of the programs that hold this socket}; only root sees the sockets of others."""
    found = {}
    for pid in os.listdir(root):
        if not pid.isdigit():
            continue
        directory = "%s/%s/fd" % (root, pid)
        for link in _links(directory):
            if link.startswith("socket:[") and link[8:-1].isdigit() and int(link[8:-1]) in inodes:
                name = (read_text("%s/%s/comm" % (root, pid)) or "").strip()
                found.setdefault(int(link[8:-1]), set()).add(name)
    return found


def _links(directory):
    """Where the links of a directory point to, without those that go away meanwhile or are somebody else's."""
    try:
        names = os.listdir(directory)
    except (IOError, OSError):
        return []
    found = []
    for name in names:
        try:
            found.append(os.readlink("%s/%s" % (directory, name)))
        except (IOError, OSError):
            continue
    return found


def listeners(root="/proc"):
    """[{address, port, programs}] of every listening TCP socket."""
    sockets = []
    for version, name in ((4, "tcp"), (6, "tcp6")):
        sockets += parse_listeners(read_text("%s/net/%s" % (root, name)) or "", version)
    programs = socket_programs({inode for _address, _port, inode in sockets}, root)
    return [
        {"address": address, "port": port, "programs": sorted(programs.get(inode, ()))}
        for address, port, inode in sorted(set(sockets))
    ]


def configuration(text, marker, verified=None):
    """Whose file this is, such as keepalived.conf: absent, ours (has the marker), the package's sample, or foreign.

    `verified`: what `rpm --verify --file` answered, (return code, output), None where there is no rpm. rpm names the
    files of the package that were changed, and files that no package owns.
    """
    if text is None:
        return ABSENT
    if marker in text:
        return OURS
    if verified is not None and verified[0] in (0, 1) and "keepalived.conf" not in verified[1]:
        return SAMPLE
    return FOREIGN


def whose(path, marker):
    """absent, directory, ours or foreign."""
    return "directory" if os.path.isdir(path) else configuration(read_text(path), marker)


def declared(name, directory=STATE_DIRECTORY + "/track"):
    """up or down: what the state file of a tracked service says; anything but a 1 is down."""
    return "up" if (read_text("%s/%s" % (directory, name)) or "").strip() == "1" else "down"


def holds_secret(text):
    """Whether the text of a keepalived.conf holds a password."""
    return bool(text) and "auth_pass" in text


def selinux(root="/sys/fs/selinux"):
    """enforcing, permissive or disabled."""
    value = (read_text("%s/enforce" % root) or "").strip()
    return {"1": "enforcing", "0": "permissive"}.get(value, "disabled")


def networkd_manages(link_state):
    """The .network file by which systemd-networkd configures a link, None when it leaves the link alone.

    `link_state`: the text of /run/systemd/netif/links/INDEX.
    """
    values = dict(line.partition("=")[::2] for line in (link_state or "").splitlines() if "=" in line)
    if values.get("ADMIN_STATE") in (None, "unmanaged", "initialized", "pending"):
        return None
    return values.get("NETWORK_FILE") or None


def keeps_configuration(texts):
    """Whether one of the .network texts (file, then drop-ins: the last word counts) keeps foreign addresses."""
    words = [word for text in texts for word in _KEEP.findall(text or "")]
    return bool(words) and words[-1].lower() in _KEEPING


def network_manager_manages(device_state):
    """Whether NetworkManager manages a device, by the text of /run/NetworkManager/devices/INDEX."""
    return bool(re.search(r"^managed\s*=\s*(true|1|2)\s*$", device_state or "", re.MULTILINE))


def network_managers(interfaces, root=""):
    """[{interface, manager, file, keeps}] of the interfaces whose addresses another service believes to be its own.

    keeps: whether it leaves a VIP where it is when it starts again.
    """
    found = []
    for interface in interfaces:
        index = (read_text("%s/sys/class/net/%s/ifindex" % (root, interface)) or "").strip()
        if not index:
            continue
        name = networkd_manages(read_text("%s/run/systemd/netif/links/%s" % (root, index)))
        if name is not None:
            base = os.path.basename(name)
            texts = [read_text(root + name)]
            for top in ("/usr/lib", "/run", "/etc"):
                directory = "%s%s/systemd/network/%s.d" % (root, top, base)
                if os.path.isdir(directory):
                    texts += [read_text("%s/%s" % (directory, part)) for part in sorted(os.listdir(directory))]
            found.append(
                {
                    "interface": interface,
                    "manager": "systemd-networkd",
                    "file": name,
                    "keeps": keeps_configuration(texts),
                }
            )
        if network_manager_manages(read_text("%s/run/NetworkManager/devices/%s" % (root, index))):
            found.append({"interface": interface, "manager": "NetworkManager", "file": None, "keeps": False})
    return found
