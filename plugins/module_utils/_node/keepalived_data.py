# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keepalived says of itself: the data it dumps on SIGUSR1, its version, its processes."""

from __future__ import absolute_import, division, print_function

import re
import stat

from . import addresses

__metaclass__ = type

PARENT_NAMES = ("keepalived",)

_SECTION = re.compile(r"^-+< (.+) >-+$")
_ADDRESSES = re.compile(r"^ +Virtual IP\b")
_VERSION = re.compile(r"^Keepalived v(\d+(?:\.\d+)+)", re.MULTILINE)
_POLICIES = {0: "SCHED_OTHER", 1: "SCHED_FIFO", 2: "SCHED_RR", 3: "SCHED_BATCH", 5: "SCHED_IDLE", 6: "SCHED_DEADLINE"}


def parse_version(text):
    """2.2.7 of "Keepalived v2.2.7 (01/16,2022)", None when it is not there."""
    match = _VERSION.search(text or "")
    return match.group(1) if match else None


def parse_systemd_version(text):
    """219 of what `systemctl --version` prints, None when it is not there."""
    match = re.match(r"systemd (\d+)", text or "")
    return int(match.group(1)) if match else None


def version_tuple(version):
    """(2, 2, 7) of "2.2.7"."""
    return tuple(int(part) for part in version.split("."))


def parse_pid(text):
    """The number in a pid file, None when there is none."""
    text = (text or "").strip()
    return int(text) if text.isdigit() and int(text) > 1 else None


def parse_stat(text):
    """The interesting fields of /proc/PID/stat; the name in parentheses may hold spaces and parentheses itself."""
    opening, closing = text.find("("), text.rfind(")")
    fields = text[closing + 1 :].split()
    if opening < 0 or closing < opening or len(fields) < 39:
        return None
    return {
        "comm": text[opening + 1 : closing],
        "state": fields[0],
        "ppid": int(fields[1]),
        "starttime": int(fields[19]),
        "priority": int(fields[37]),
        "policy": _POLICIES.get(int(fields[38]), "policy %s" % fields[38]),
    }


def signal_is_handled(status_text, signum):
    """Whether a process catches or holds back the signal, by its /proc/PID/status."""
    for line in status_text.splitlines():
        name, _colon, value = line.partition(":")
        if name in ("SigCgt", "SigBlk", "SigIgn") and int(value.strip() or "0", 16) >> (signum - 1) & 1:
            return True
    return False


def distrust(seen):
    """Why a file in a directory where anybody can write is not root's own, None when it is."""
    if not stat.S_ISREG(seen.st_mode):
        return "not a regular file"
    if seen.st_uid != 0:
        return "owned by uid %d" % seen.st_uid
    if seen.st_nlink != 1:
        return "hard-linked elsewhere"
    return None


def _blocks(text):
    """(name, lines) of every VRRP instance in the topology section."""
    section, blocks = None, []
    for line in text.splitlines():
        heading = _SECTION.match(line)
        if heading:
            section = heading.group(1)
        elif section == "VRRP Topology":
            if line.startswith(" VRRP Instance = "):
                blocks.append((line.partition(" = ")[2].strip(), []))
            elif blocks:
                blocks[-1][1].append(line)
    return blocks


def is_complete(text):
    """Whether the dump was written to its end: something follows the instances (sockets, trackers, interfaces).

    With 1.3, which does not begin with its global definitions, nothing follows: then every instance must have got as
    far as its addresses. Little comes after them, and whoever asks sees that the file does not grow any more.
    """
    if not text.endswith("\n"):
        return False
    sections = [match.group(1) for match in map(_SECTION.match, text.splitlines()) if match]
    if "Global definitions" in sections or "VRRP Topology" in sections[:-1]:
        return "VRRP Topology" in sections[:-1]
    blocks = [lines for _name, lines in _blocks(text)]
    return bool(blocks) and all(any(_ADDRESSES.match(line) for line in lines) for lines in blocks)


def _number(text):
    match = re.match(r"\d+(\.\d+)?", text or "")
    return float(match.group(0)) if match else None


def _vip(line):
    words = line.split()
    address, slash, prefix = words[0].partition("/")
    parsed = addresses.parse_address(address)
    if parsed is None:
        return None
    if not slash:
        prefix = "32" if parsed[0] == 4 else "128"
    interface = words[words.index("dev") + 1] if "dev" in words[:-1] else None
    return {"address": address, "prefix": int(prefix), "interface": interface}


def _instance(lines):
    values, vips, listing = {}, [], False
    for line in lines:
        if listing and line.startswith("     "):
            vips.append(_vip(line))
            continue
        name, equals, value = line.partition("=")
        listing = line.strip().startswith("Virtual IP")
        if equals:
            values.setdefault(name.strip(), value.strip())
    return {
        "state": values.get("State"),
        "priority": _whole(values.get("Effective priority") or values.get("Priority")),
        "base_priority": _whole(values.get("Priority")),
        "since": _number(values.get("Last transition")) or None,
        "vips": [vip for vip in vips if vip],
    }


def _whole(text):
    number = _number(text)
    return None if number is None else int(number)


def parse_dump(text):
    """Instances by name: state, priority (effective), base_priority, since (epoch), vips."""
    return {name: _instance(lines) for name, lines in _blocks(text)}
