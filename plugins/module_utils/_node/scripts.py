# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which scripts keepalived drops as insecure or cannot execute, and which SELinux confines; changes nothing.

By the rules of keepalived's script security. keepalived applies them to what root runs; whoever can change what any
account runs for it decides over the VIPs, so here they are applied to all accounts.
"""

from __future__ import absolute_import, division, print_function

import os
import pwd
import stat

__metaclass__ = type

SCRIPT_DIRECTORY = "/usr/libexec/keepalived"
# The label that this directory gives, with which keepalived's policy lets a script do what it wants.
SCRIPT_TYPE = "keepalived_unconfined_script_exec_t"
ENFORCE_FILE = "/sys/fs/selinux/enforce"


class Files(object):
    """What the judgement asks of the machine; tests put their own in its place."""

    def __init__(self):
        self.lstat = os.lstat
        self.realpath = os.path.realpath

    @staticmethod
    def account(user):
        """(uid, gid) of an account, None when there is none."""
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            return None
        return entry.pw_uid, entry.pw_gid

    @staticmethod
    def is_enforcing():
        try:
            with open(ENFORCE_FILE) as source:
                return source.read().strip() == "1"
        except (IOError, OSError):
            return False

    @staticmethod
    def selinux_type(path):
        """The type in the label of a file, None where it cannot be read."""
        try:
            label = os.getxattr(path, "security.selinux")
        except (AttributeError, IOError, OSError):  # Python 2 has no such call
            return None
        parts = label.decode("ascii", "replace").rstrip("\0").split(":")
        return parts[2] if len(parts) > 2 else None


def steps(path):
    """Every directory above a file, from the root, and the file itself."""
    found = [path]
    while os.path.dirname(found[0]) != found[0]:
        found.insert(0, os.path.dirname(found[0]))
    return found


def may_execute(seen, account):
    """Whether the account may execute a file or search a directory, by the bits that count for it."""
    mode = stat.S_IMODE(seen.st_mode)
    if account and account[0] == 0:
        return stat.S_ISDIR(seen.st_mode) or bool(mode & 0o111)
    if account and seen.st_uid == account[0]:
        return bool(mode & stat.S_IXUSR)
    if account and seen.st_gid == account[1]:
        return bool(mode & stat.S_IXGRP)
    return bool(mode & stat.S_IXOTH)


def strangers(seen):
    """Who else than root can change a file or exchange what lies in a directory, in words; None when nobody can."""
    mode = stat.S_IMODE(seen.st_mode)
    if seen.st_uid != 0:
        return "belongs to uid %d and not to root" % seen.st_uid
    if stat.S_ISLNK(seen.st_mode) or (stat.S_ISDIR(seen.st_mode) and mode & stat.S_ISVTX):
        return None
    if mode & stat.S_IWOTH or (mode & stat.S_IWGRP and seen.st_gid != 0):
        return "can be changed by others than root (mode %04o)" % mode
    return None


def problems_of(path, user, enforcing, files):
    """What is wrong with one script, a line each with path, reason and cure."""
    if not path.startswith("/"):
        return ["%s: is not an absolute path; write the path from the root" % path]
    path = os.path.normpath(path)
    place = os.path.join(files.realpath(os.path.dirname(path)), os.path.basename(path))
    real = files.realpath(path)
    account = files.account(user)
    found = []
    if place != path:
        found.append(
            "%s: leads through a directory that is a symbolic link, and keepalived 2.3.0 and newer drop such a script "
            "when root runs it; write %s" % (path, place)
        )
    # A program may be a link, as those of update-alternatives are: then both its places have to be safe.
    looked_at = steps(place)
    for step in looked_at + [step for step in steps(real) if step not in looked_at]:
        try:
            seen = files.lstat(step)
        except (IOError, OSError) as exc:
            return found + ["%s: is not there (%s: %s); install it first" % (path, step, exc.strerror)]
        if step == real:
            problem = _file_problem(path, seen, user, account)
        elif step == place:
            problem = None
        else:
            problem = _directory_problem(path, step, seen, user, account)
        if problem:
            found.append(problem)
        who = strangers(seen)
        if who:
            kind = "it is not safe to run" if step in (place, real) else "it is not safe to run what lies in it"
            found.append("%s: %s %s, so %s; chown root:root %s && chmod go-w %s" % (path, step, who, kind, step, step))
    if enforcing and not real.startswith(SCRIPT_DIRECTORY + "/") and files.selinux_type(real) != SCRIPT_TYPE:
        found.append(
            "%s: lies outside of %s, and SELinux, which is enforcing, confines what keepalived starts from there; "
            "move it into that directory and run restorecon on it" % (path, SCRIPT_DIRECTORY)
        )
    return found


def _directory_problem(path, step, seen, user, account):
    if not stat.S_ISDIR(seen.st_mode):
        return "%s: %s is not a directory; write the path of a program" % (path, step)
    if not may_execute(seen, account):
        return "%s: %s cannot search %s (mode %04o); chmod +x %s" % (path, user, step, stat.S_IMODE(seen.st_mode), step)
    return None


def _file_problem(path, seen, user, account):
    if not stat.S_ISREG(seen.st_mode):
        return "%s: is not a regular file; write the path of a program" % path
    if not may_execute(seen, account):
        return "%s: %s cannot execute it (mode %04o); chmod 0755 %s" % (path, user, stat.S_IMODE(seen.st_mode), path)
    return None
