# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node has of Tomcat: packages, Java, memory, listeners, releases, and directories to write to."""

from __future__ import absolute_import, division, print_function

import errno
import grp
import os
import pwd
import re
import select
import signal
import stat

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import survey as node_survey
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.system import read_text

from . import releases

__metaclass__ = type

PACKAGES = (
    "tomcat",
    "tomcat9",
    "tomcat10",
    "tomcat11",
    "tomcat-admin-webapps",
    "tomcat9-admin-webapps",
    "tomcat9-admin",
    "tomcat10-admin",
    "tomcat11-admin",
)
_QUERIES = (
    ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\\n"],
    ["rpm", "--query", "--queryformat", "installed %{NAME} %{VERSION}\\n"],
)
JVM_DIRECTORY = "/usr/lib/jvm"
# By these names a distribution points to the Java that is used unless another one is asked for.
USUAL_JAVA = ("default-java", "jre")
_UNLIMITED = 1 << 60


def packages(run, find):
    """{name: version} of Tomcat's packages that are installed; run and find are those of a module."""
    found = {}
    # A system may have both programs; the one that is not its own knows of nothing.
    for command in _QUERIES:
        if find(command[0]):
            # The return code only says how many of them are not installed.
            _code, out, _err = run(command + list(PACKAGES))
            lines = [line.split() for line in out.splitlines() if line.startswith("installed ")]
            found.update({words[1]: words[2] for words in lines if len(words) == 3})
    return found


def tarball_unit(path="/etc/systemd/system/tomcat.service"):
    """Whether this unit, which is a second name of a package's or nothing, runs what the role unpacked."""
    return "\nExecStart=/opt/ha-pair/tomcat/" in (read_text(path) or "")


def java_version(home):
    """The major version of a Java, 8 for 1.8; None when it does not tell."""
    text = read_text(os.path.join(home, "release")) or ""
    match = re.search(r'^JAVA_VERSION="(?:1\.)?([0-9]+)', text, re.MULTILINE)
    # A package without that file has the version in the name of its directory.
    match = match or re.search(r"/(?:java|jre|jdk)-(?:1\.)?([0-9]+)(?:[.-]|\Z)", os.path.realpath(home))
    return int(match.group(1)) if match else None


def javas(directory=JVM_DIRECTORY):
    """[{home, version, default}] of every Java that could be started."""
    try:
        names = sorted(os.listdir(directory))
    except (IOError, OSError):
        return []
    found = []
    for name in names:
        home = os.path.join(directory, name)
        if os.access(os.path.join(home, "bin", "java"), os.X_OK):
            found.append({"home": home, "version": java_version(home), "default": name in USUAL_JAVA})
    return found


def memory(meminfo="/proc/meminfo", groups="/sys/fs/cgroup"):
    """MiB of memory that there are for services: the machine's, or what the control group leaves."""
    match = re.search(r"^MemTotal:\s+([0-9]+) kB", read_text(meminfo) or "", re.MULTILINE)
    if match is None:
        return None
    found = int(match.group(1)) * 1024
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = (read_text(os.path.join(groups, name)) or "").strip()
        if limit.isdigit() and int(limit) < _UNLIMITED:
            found = min(found, int(limit))
    return found // 1048576


def unit_of(text):
    """The systemd service of a process, of its /proc/PID/cgroup; empty for none."""
    found = re.findall(r"/([^/\n]+\.service)(?=/|$)", text or "", re.MULTILINE)
    return found[-1] if found else ""


def listeners(port, root="/proc"):
    """[{address, port, programs, units}] of the sockets that listen on the port; port None is none of them."""
    sockets = []
    for version, name in ((4, "tcp"), (6, "tcp6")):
        sockets += node_survey.parse_listeners(read_text("%s/net/%s" % (root, name)) or "", version)
    sockets = sorted({entry for entry in sockets if entry[1] == port})
    wanted = {inode for _address, _port, inode in sockets}
    owners = _owners(wanted, root) if wanted else {}
    return [
        {
            "address": address,
            "port": number,
            "programs": sorted({program for program, _unit in owners.get(inode, ())}),
            "units": sorted({unit for _program, unit in owners.get(inode, ()) if unit}),
        }
        for address, number, inode in sockets
    ]


def _owners(inodes, root):
    """{inode: {(program, unit)}} of those who hold the sockets."""
    found = {}
    for pid in os.listdir(root):
        if not pid.isdigit():
            continue
        directory = "%s/%s" % (root, pid)
        for link in _links(directory + "/fd"):
            if link.startswith("socket:[") and link[8:-1].isdigit() and int(link[8:-1]) in inodes:
                program = (read_text(directory + "/comm") or "").strip()
                found.setdefault(int(link[8:-1]), set()).add((program, unit_of(read_text(directory + "/cgroup"))))
    return found


def _links(directory):
    """Where the links of a directory point to, without those that go away meanwhile."""
    found = []
    try:
        for name in os.listdir(directory):
            found.append(os.readlink("%s/%s" % (directory, name)))
    except (IOError, OSError):
        pass  # the process ended
    return found


def applications(directory):
    """{name: {releases, history}} of all that lie there."""
    paths = {name: os.path.join(directory, name) for name in names(directory) if not name.startswith(".")}
    return {
        name: {"releases": releases.present(path), "history": releases.history(path)}
        for name, path in paths.items()
        if os.path.isdir(path)
    }


def names(directory):
    """What lies in a directory; nothing of one that is not there."""
    try:
        return sorted(os.listdir(directory)) if directory else []
    except (IOError, OSError):
        return []


def account(name):
    """(uid, gids) of an account, or None."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return entry.pw_uid, set([entry.pw_gid] + [group.gr_gid for group in grp.getgrall() if name in group.gr_mem])


def may_write(seen, uid, gids):
    """Whether an account may make files in the directory that was seen, by its mode."""
    if uid == 0:
        return True
    if seen.st_uid == uid:
        needed = 0o300
    elif seen.st_gid in gids:
        needed = 0o030
    else:
        needed = 0o003
    return seen.st_mode & needed == needed


def write_paths(paths, name, timeout):
    """{path: missing, writable, refused, file or silent}; silent is a file system that does not answer."""
    who = account(name)
    return {path: _ask(path, who, timeout) for path in paths}


def _look(path, who):
    try:
        seen = os.stat(path)
    except (IOError, OSError) as exc:
        return "missing" if exc.errno in (errno.ENOENT, errno.ENOTDIR) else "refused"
    if not stat.S_ISDIR(seen.st_mode):
        return "file"
    return "writable" if who is None or may_write(seen, *who) else "refused"


def _ask(path, who, timeout):
    """By a child: whoever looks at a dead file system may hang for ever, and no signal ends that."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(readable)
            os.write(writable, _look(path, who).encode("ascii"))
        finally:
            os._exit(0)
    os.close(writable)
    try:
        ready, _writable, _failed = select.select([readable], [], [], timeout)
        answer = os.read(readable, 64).decode("ascii") if ready else ""
    finally:
        os.close(readable)
    if answer:
        os.waitpid(child, 0)
        return answer
    # It may be beyond any signal; nobody waits for it.
    os.kill(child, signal.SIGKILL)
    return "silent"
