# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node has before its directories are mirrored: accounts, directories, keys, and what its sshd lets in."""

from __future__ import absolute_import, division, print_function

import errno
import fnmatch
import glob
import grp
import os
import pwd
import stat

from .._node import sync_marker
from .._node.sync_settings import DATA_DIRECTORY, PARTIAL
from .._node.system import find_program, read_text, run_command

__metaclass__ = type

HOST_KEYS = "/etc/ssh/ssh_host_*_key.pub"
PROGRAMS = ("lsyncd", "rsync", "ssh", "ssh-keygen", "sshd")
DEFAULT_KEYS = "/root/.ssh/authorized_keys"
# How long sshd may take to tell its configuration (s).
_PATIENCE = 10.0


def accounts():
    """({user: uid}, {group: gid}) of this node's own files, and of what else it asks that lists its accounts."""
    return (
        {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()},
        {entry.gr_name: entry.gr_gid for entry in grp.getgrall()},
    )


def look_at(path, name, data=DATA_DIRECTORY):
    """What is at the path of a mirrored directory."""
    real = os.path.realpath(path)
    try:
        entries, kind = os.listdir(path), "directory"
    except OSError as exc:
        entries, kind = [], "absent" if exc.errno == errno.ENOENT and not os.path.islink(path) else "other"
    return {
        "kind": kind,
        "real": real,
        "empty": not [entry for entry in entries if entry != PARTIAL],
        "open_parent": open_parent(real),
        "marker": _was_mirrored(path, os.path.join(data, name + ".json")),
    }


def open_parent(path):
    """The nearest directory above in which others than root may put something else in the place of what leads to it."""
    trusted = (0, os.geteuid())
    while path != "/":
        child, path = path, os.path.dirname(path)
        try:
            found = os.lstat(path)
            kept_apart = found.st_mode & stat.S_ISVTX and os.lstat(child).st_uid in trusted
        except OSError:
            # The role makes it, as root.
            continue
        shared = found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and found.st_gid != 0)
        if found.st_uid not in trusted or (shared and not kept_apart):
            return path
    return ""


def _was_mirrored(path, marker_path):
    try:
        marker = sync_marker.parse(read_text(marker_path))
    except sync_marker.RefusedError:
        # The rounds say what is wrong with it.
        return True
    # The name may have been that of another directory.
    return marker is not None and marker["path"] == path


def public_keys(pattern):
    """The public keys in these files, each as its kind and itself, without its comment."""
    found = []
    for path in sorted(glob.glob(pattern)):
        words = (read_text(path) or "").split()
        if len(words) >= 2:
            found.append(" ".join(words[:2]))
    return found


def lines_of(path, marker=""):
    """The lines of a file that are none of comments, and hold this."""
    lines = (read_text(path) or "").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#") and marker in line]


def programs(search=find_program):
    """Which of the programs are there."""
    return {name: search(name) is not None for name in PROGRAMS}


def parse_sshd(text):
    """{option: [values]} of what `sshd -T` prints; an option may stand in several lines."""
    found = {}
    for line in text.splitlines():
        word, _space, value = line.strip().partition(" ")
        if word:
            found.setdefault(word.lower(), []).append(value)
    return found


def keys_path(options, home="/root"):
    """Where sshd looks for the keys of root first; None where it looks nowhere."""
    words = " ".join(options.get("authorizedkeysfile", [".ssh/authorized_keys"])).split()
    if not words or words[0].lower() == "none":
        return None
    path = words[0].replace("%h", home).replace("%u", "root").replace("%U", "0").replace("%%", "%")
    return path if path.startswith("/") else os.path.join(home, path)


def root_groups():
    """The names of the groups of root, by which sshd may judge it."""
    try:
        first = [grp.getgrgid(pwd.getpwnam("root").pw_gid).gr_name]
    except KeyError:
        first = []
    return first + [entry.gr_name for entry in grp.getgrall() if "root" in entry.gr_mem]


def sshd_problems(options, port, peer, address="", groups=("root",)):
    """[(what, cure)]: why sshd would not let the peer's key in for root. `address`: the one by which it is asked."""
    found = []
    first = {name: values[0].lower() for name, values in options.items()}
    if first.get("permitrootlogin") == "no":
        found.append(
            (
                "sshd has PermitRootLogin no, and the other node's key is root's",
                "set PermitRootLogin prohibit-password, or forced-commands-only, for %s (Match Address %s)"
                % (peer, peer),
            )
        )
    if first.get("pubkeyauthentication") == "no":
        found.append(("sshd has PubkeyAuthentication no", "set it to yes (Match Address %s)" % peer))
    others = [word for word in " ".join(options.get("authenticationmethods", [])).split() if word != "any"]
    if others and "publickey" not in others:
        found.append(
            (
                "sshd has AuthenticationMethods %s, and a program has a key only" % " ".join(others),
                "have it take publickey alone (Match Address %s)" % peer,
            )
        )
    if keys_path(options) is None:
        found.append(("sshd has AuthorizedKeysFile none", "set it to .ssh/authorized_keys (Match Address %s)" % peer))
    ports = options.get("port", [])
    listens = options.get("listenaddress", [])
    if ports and str(port) not in ports:
        found.append(
            (
                "sshd listens on port %s, not on %s" % (" and ".join(ports), port),
                "give file_sync_port: %s" % ports[0],
            )
        )
    elif address and listens and not any(_is_asked(word, address, port) for word in listens):
        found.append(
            (
                "sshd has ListenAddress %s, and the other node comes by %s port %s"
                % (" ".join(listens), address, port),
                "add ListenAddress %s" % address,
            )
        )
    allowed, denied = options.get("allowusers", []), options.get("denyusers", [])
    if allowed and not any(_is_root(word, peer) for word in " ".join(allowed).split()):
        found.append(("sshd has AllowUsers %s, which is not root" % " ".join(allowed), "add root@%s to it" % peer))
    if any(_is_root(word, peer) for word in " ".join(denied).split()):
        found.append(("sshd has DenyUsers %s, which is root" % " ".join(denied), "take root out of it"))
    allowed, denied = options.get("allowgroups", []), options.get("denygroups", [])
    if allowed and not _has_group(allowed, groups):
        found.append(
            (
                "sshd has AllowGroups %s, of which root is in none" % " ".join(allowed),
                "add %s to it" % " ".join(groups[:1]),
            )
        )
    if _has_group(denied, groups):
        found.append(("sshd has DenyGroups %s, in which root is" % " ".join(denied), "take that group out of it"))
    if first.get("forcecommand", "none") != "none":
        found.append(
            (
                "sshd has ForceCommand %s, which it runs instead of the other node's command"
                % options["forcecommand"][0],
                "set it to none (Match Address %s)" % peer,
            )
        )
    return found


def _has_group(patterns, groups):
    return any(fnmatch.fnmatch(group, word) for word in " ".join(patterns).split() for group in groups)


def _is_asked(listen, address, port):
    """Whether 0.0.0.0:22, [::]:22 or 192.0.2.1:22 takes what comes to this address and port."""
    host, colon, number = listen.rpartition(":")
    host = host.strip("[]")
    every = host == "::" if ":" in address else host in ("0.0.0.0", "::")
    return not colon or ((every or host == address) and number == str(port))


def _is_root(pattern, peer):
    user, at, host = pattern.partition("@")
    # A network is more than is read here; it is taken for one that has the peer.
    return fnmatch.fnmatch("root", user) and (not at or "/" in host or fnmatch.fnmatch(peer, host))


def ask_sshd(peer, run=run_command):
    """The options with which sshd would take root from the peer; None when it does not tell, as before it ever ran."""
    program = find_program("sshd")
    if program is None:
        return None
    code, out = run([program, "-T", "-C", "user=root,host=%s,addr=%s" % (peer, peer)], _PATIENCE)[:2]
    return parse_sshd(out) if code == 0 else None
