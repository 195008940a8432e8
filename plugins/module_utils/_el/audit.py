# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SELinux denied: the records of the audit log and of the journal, read, chosen and put into words."""

from __future__ import absolute_import, division, print_function

import binascii
import json
import re

__metaclass__ = type

# audit(SECONDS.MILLISECONDS:SERIAL), in the audit log and in what the kernel logs itself.
_MOMENT = re.compile(r"\baudit\((\d+\.\d+):\d+\)")
_DENIED = re.compile(r"\bavc:\s+denied\s+\{([^}]*)\}")
# A value is quoted, or it is one word; what may hold blanks and is not quoted is hexadecimal. A record of a program
# (USER_AVC) puts all of it in single quotes.
_FIELD = re.compile(r"""([a-z_]+)=("[^"]*"|[^\s'"]+)""")
_HEXADECIMAL = re.compile(r"^(?:[0-9A-F]{2})+$")
_TEXTS = ("comm", "path", "name")
# Names by which our programs run; the kernel keeps 15 characters.
_OURS = "ha-pair"


def _value(key, raw):
    if raw.startswith('"'):
        return raw.strip('"')
    if key in _TEXTS and _HEXADECIMAL.match(raw):
        return binascii.unhexlify(raw).decode("utf-8", "replace")
    return raw


def _type(context):
    """The type in user:role:type:level."""
    parts = (context or "").split(":")
    return parts[2] if len(parts) > 2 else ""


def parse_record(line, at=None):
    """The denial that a line tells of; None for any other line. `at`: when, where the line itself does not say."""
    denied = _DENIED.search(line)
    if not denied:
        return None
    moment = _MOMENT.search(line)
    fields = {}
    for key, raw in _FIELD.findall(line[denied.end() :]):
        fields.setdefault(key, _value(key, raw))
    return {
        "at": float(moment.group(1)) if moment else at,
        "permissions": denied.group(1).split(),
        "source": _type(fields.get("scontext")),
        "target": _type(fields.get("tcontext")),
        "class": fields.get("tclass", ""),
        "command": fields.get("comm", ""),
        "object": fields.get("path") or fields.get("name", ""),
        "port": fields.get("src") or fields.get("dest"),
        "enforced": fields.get("permissive") != "1",
    }


def parse_log(lines):
    """The denials in the lines of an audit log."""
    found = [parse_record(line) for line in lines if "avc:" in line]
    return [denial for denial in found if denial and denial["at"] is not None]


def parse_journal(lines):
    """The denials in what `journalctl --output=json` prints, a line for each entry."""
    found = []
    for line in lines:
        if "avc:" not in line:
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        message = entry.get("MESSAGE")
        moment = entry.get("_SOURCE_REALTIME_TIMESTAMP") or entry.get("__REALTIME_TIMESTAMP")
        # What is no text is told as a list of bytes.
        if isinstance(message, list) or not message or not moment:
            continue
        denial = parse_record(message, int(moment) / 1e6)
        if denial:
            found.append(denial)
    return found


def concerns(denial, domains, targets, paths):
    """Whether a denial is of these processes, of our programs, or of what they use."""
    return (
        denial["source"] in domains
        or denial["target"] in targets
        or denial["command"].startswith(_OURS)
        or any(denial["object"] == path or denial["object"].startswith(path + "/") for path in paths)
    )


def chosen(denials, since, domains, targets, paths):
    """What concerns us and happened since, each kind once with how often it was, in the order of its last time."""
    kinds = {}
    for denial in denials:
        if denial["at"] < since or not concerns(denial, domains, targets, paths):
            continue
        kind = tuple(denial[key] for key in ("source", "target", "class", "command", "object", "port", "enforced"))
        kind += (tuple(denial["permissions"]),)
        known = kinds.setdefault(kind, dict(denial, count=0))
        known["count"] += 1
        known["at"] = max(known["at"], denial["at"])
    return sorted(kinds.values(), key=lambda denial: (denial["at"], denial["object"]))


def cure(denial):
    """What to do about it, in one clause."""
    source, kind, asked = denial["source"], denial["class"], denial["permissions"]
    if source == "httpd_t" and kind == "tcp_socket" and "name_connect" in asked:
        return "run `setsebool -P httpd_can_network_connect on` there"
    if source == "httpd_t" and kind == "tcp_socket" and "name_bind" in asked:
        return "run `semanage port -a -t http_port_t -p tcp %s` there" % (denial["port"] or "PORT")
    if source == "httpd_t" and kind in ("file", "dir", "lnk_file"):
        return (
            "give what nginx reads the type httpd_sys_content_t by `semanage fcontext`, then run `restorecon -R`"
        )
    if source == "keepalived_t" and kind == "fifo_file":
        return "deploy the node with keepalived_manage_selinux: true"
    if source == "keepalived_t" and "name_connect" in asked:
        return "move the program that connects to /usr/libexec/keepalived, then run `restorecon -R` on that directory"
    if source in ("keepalived_t", "init_t") and kind in ("file", "dir"):
        return "run `restorecon -R /usr/libexec/keepalived /etc/keepalived /run/keepalived` there"
    return "update the package selinux-policy there, then ask `ausearch -m AVC,USER_AVC -ts today | audit2why`"


def problem(denial):
    """One line for a person: place, what was denied, and the cure."""
    words = "%s (%s)" % (denial["command"] or "a process", denial["source"])
    thing = denial["object"] or (denial["port"] and "port %s" % denial["port"]) or "something"
    return "SELinux %s %s %s on %s (%s, %s)%s; %s" % (
        "denied" if denial["enforced"] else "would deny",
        words,
        " ".join(denial["permissions"]),
        thing,
        denial["class"],
        denial["target"],
        "" if denial["count"] == 1 else ", %d times" % denial["count"],
        cure(denial),
    )
