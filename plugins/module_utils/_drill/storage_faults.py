# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of mounts: a check script that hangs, a disk that is full, storage that hangs. No data are touched."""

from __future__ import absolute_import, division, print_function

import os
import re

from .._node import addresses
from .._node.errors import NodeError
from .._node.mounts import mount_above, mount_at, option_of
from .network_faults import drop_port
from .service_faults import KEEPALIVED, go_on_step, signal_step, start_again_step
from .shell import Plan, quote
from .target import UnsupportedError

__metaclass__ = type

# The source of our file system in the kernel's list of mounts, by which it is known again.
SOURCE = "ha-pair-drill"
HANGING = "#!/bin/sh\n# Stands in for a check script that hangs.\nexec sleep 3600\n"
DEFAULT_SIZE = "64k"
_SIZE = re.compile(r"^([1-9]\d{0,8})([km]?)$")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20}
_SMALLEST, _LARGEST = 16 << 10, 64 << 20
# An empty file system over one of these takes the machine with it, and what is to mend it.
_KEPT = ("/", "/bin", "/boot", "/etc", "/home", "/lib", "/lib64", "/root", "/run", "/sbin", "/usr", "/var", "/var/run")
NFS, NFS_PORT = ("nfs", "nfs4"), 2049
FUSE = ("fuse", "fuseblk")
_KEPT_TREES = ("/dev", "/etc/systemd", "/proc", "/run/dbus", "/run/ha-pair-drill", "/run/systemd", "/sys", "/usr/bin")


def _path(params, target, kind):
    path = params["path"]
    if not path:
        raise NodeError("path: missing; give the %s that the fault is about" % kind)
    if not path.startswith("/") or "\n" in path:
        raise NodeError("path: %s: is not an absolute path; give one that begins with /" % path)
    path = target.real_path(path)
    found = target.path_kind(path)
    if found is None:
        raise UnsupportedError("path: %s: is not there on this host" % path)
    if found != kind:
        raise NodeError("path: %s: is not a %s; give the path of one" % (path, kind))
    if not target.may_mount():
        raise UnsupportedError("mounting is not allowed here (no CAP_SYS_ADMIN); give the container that capability")
    return path


def _main_process(unit):
    return "pid=$(systemctl show -p MainPID %s); pid=${pid#*=}" % quote(unit)


def mount_command(command, path, unit):
    """Mount here, and once more where the service has mounts of its own that do not follow ours."""
    if unit is None:
        return command
    return (
        '%(command)s && { %(process)s; [ "$pid" -le 0 ] || '
        '[ "$(stat -c %%d:%%i %(path)s)" = "$(stat -c %%d:%%i "/proc/$pid/root"%(path)s)" ] || '
        'nsenter -m -t "$pid" sh -c %(inside)s; }'
    ) % {"command": command, "process": _main_process(unit), "path": quote(path), "inside": quote(command)}


def unmount_command(path, ours, unit):
    """Unmount here and in the mounts of the service, as often as `ours`, a condition of awk, finds it mounted."""
    # The list has octal codes for blanks and backslashes.
    listed = re.sub(r"[ \t\\]", lambda found: "\\%03o" % ord(found.group(0)), path)
    once = (
        "while at=%(listed)s awk %(program)s /proc/self/mountinfo; do "
        "umount %(path)s 2>/dev/null || umount -l %(path)s || exit 1; done"
    ) % {
        "listed": quote(listed),
        "program": quote('$5 == ENVIRON["at"] && %s {found = 1} END {exit !found}' % ours),
        "path": quote(path),
    }
    if unit is None:
        return once
    return (
        '%(process)s; if [ "$pid" -gt 0 ] && '
        '[ "$(readlink "/proc/$pid/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; then '
        'nsenter -m -t "$pid" sh -c %(inside)s; fi; %(once)s'
    ) % {"process": _main_process(unit), "inside": quote(once), "once": once}


def check_hang(params, target, directory):
    path = _path(params, target, "file")
    unit = target.unit(params["service"] or KEEPALIVED)["Id"]
    stand_in, place = quote("%s/check" % directory), quote(path)
    alike = "chown --reference=%s %s && chmod --reference=%s %s" % (place, stand_in, place, stand_in)
    if target.has_selinux():
        alike += " && chcon --reference=%s %s" % (place, stand_in)
    # What lies in /run may not be run everywhere.
    mount = "mount --bind %s %s && mount -o remount,bind,exec %s" % (stand_in, place, place)
    ours = 'index($4, "/%s/check")' % os.path.basename(directory)
    return Plan(
        prepare=[("give the stand-in the owner and mode of the script", alike)],
        cut=[("let the check script %s hang" % path, mount_command(mount, path, unit))],
        undo=[("let the check script %s be itself" % path, unmount_command(path, ours, unit))],
        files={"check": (HANGING, 0o755)},
    )


def parse_size(text):
    """The size as the kernel takes it."""
    match = _SIZE.match((text or DEFAULT_SIZE).lower())
    if not match:
        raise NodeError("size: %s: is no size; give bytes with k or m, for example 64k" % text)
    size = int(match.group(1)) * _UNITS[match.group(2)]
    if not _SMALLEST <= size <= _LARGEST:
        raise NodeError("size: %s: the file system lives in memory; give between 16k and 64m" % text)
    return match.group(0)


def _is_kept(path):
    return path in _KEPT or any(path == tree or path.startswith(tree + "/") for tree in _KEPT_TREES)


def _mount(params, target):
    """The mount that the fault is about. Its path is looked up in a list: whoever looks at it may hang with it."""
    path = (params["path"] or "").rstrip("/") or params["path"]
    if not path:
        raise NodeError("path: missing; give the mount point of the storage that is to hang")
    if not path.startswith("/") or "\n" in path:
        raise NodeError("path: %s: is not an absolute path; give one that begins with /" % path)
    mounts = target.mounts()
    mount = mount_at(path, mounts)
    if mount is None:
        above = mount_above(path, mounts)
        raise UnsupportedError(
            "path: %s: nothing is mounted there on this host%s; mount the storage, or give its mount point"
            % (path, ", it lies on %s" % above["path"] if above else "")
        )
    return mount


def _server(mount):
    """(address, port) of the server of an NFS mount."""
    path = mount["path"]
    if (option_of(mount, "proto") or "").startswith("rdma"):
        raise UnsupportedError("path: %s: is mounted by RDMA, which no packet filter sees; give custom commands" % path)
    address = option_of(mount, "addr")
    if address is None or addresses.parse_address(address) is None:
        raise UnsupportedError(
            "path: %s: the kernel does not tell the address of its server (addr=%s); give custom commands"
            % (path, address or "")
        )
    port = option_of(mount, "port") or ""
    return address, int(port) if port.isdigit() and int(port) > 0 else NFS_PORT


def _nfs_hang(mount, target, directory):
    address, port = _server(mount)
    others = []
    for other in target.mounts():
        if other["fstype"] not in NFS or other["path"] == mount["path"]:
            continue
        if addresses.same_address(option_of(other, "addr") or "", address):
            others.append(other["path"])
    for path in [mount["path"]] + others:
        if _is_kept(path):
            raise NodeError(
                "path: %s: the machine itself needs %s, which the same server has; drill on a node without that"
                % (mount["path"], path)
            )
    plan = drop_port("drop everything from and to port %d of %s" % (port, address), target, directory, address, port)
    if others:
        plan.notes.append("%s of the same server hangs as well" % " and ".join(others))
    return plan


def _fuse_process(mount, target):
    """The number of the process that serves a FUSE file system."""
    path, servers = mount["path"], target.fuse_servers()
    named = [server for server in servers if path in [word.rstrip("/") for word in server["words"]]]
    found = named or servers
    if len(found) == 1:
        return found[0]["pid"]
    raise UnsupportedError(
        "path: %s: %s; name the unit that serves it (service)"
        % (
            path,
            "processes %s may serve it" % ", ".join(str(server["pid"]) for server in found)
            if found
            else "no process is seen that serves it",
        )
    )


def storage_hang(params, target, directory):
    mount = _mount(params, target)
    path, kind = mount["path"], mount["fstype"]
    if kind in NFS:
        return _nfs_hang(mount, target, directory)
    if kind.partition(".")[0] not in FUSE:
        raise UnsupportedError(
            "path: %s: is %s, and only NFS and FUSE have a server that can be made to hang; give custom commands"
            % (path, kind)
        )
    if _is_kept(path):
        raise NodeError("path: %s: the machine itself needs it; give a mount that only the service uses" % path)
    if params["service"]:
        unit = target.unit(params["service"])["Id"]
        return Plan([signal_step(unit, "SIGSTOP")], [go_on_step(unit)])
    process = _fuse_process(mount, target)
    return Plan(
        cut=[("SIGSTOP to process %d, which serves %s" % (process, path), "kill -STOP %d" % process)],
        # It may have ended meanwhile.
        undo=[("let process %d go on" % process, "kill -CONT %d 2>/dev/null || :" % process)],
    )


def disk_full(params, target, _directory):
    size = parse_size(params["size"])
    path = _path(params, target, "directory")
    if _is_kept(path):
        raise NodeError(
            "path: %s: the machine itself needs it; give a directory that only the service writes to" % path
        )
    unit, undo_service, reload_it, notes = None, [], [], []
    if params["service"]:
        properties = target.unit(params["service"])
        unit = properties["Id"]
        if properties.get("CanReload") == "yes":
            reload_it = [("have %s open its files again" % unit, "systemctl reload %s" % quote(unit))]
            undo_service = [start_again_step(properties, target)] + reload_it
        else:
            undo_service = [start_again_step(properties, target)]
            notes = ["%s cannot be reloaded, so files that it has open already are not affected" % unit]
    place, filler = quote(path), quote(path.rstrip("/") + "/ha-pair-drill.full")
    label = ',rootcontext=\\"$(stat -c %%C %s)\\"' % place if target.has_selinux() else ""
    # Filled by whole pages, so that not one byte more finds room.
    fill = (
        'mount -t tmpfs -o "size=%(size)s,nosuid,nodev,noexec,$(stat -c mode=%%a,uid=%%u,gid=%%g %(path)s)%(label)s" '
        "%(source)s %(path)s && "
        "{ dd if=/dev/zero of=%(filler)s bs=4k 2>/dev/null; ! printf x 2>/dev/null >>%(filler)s; }"
    ) % {"size": size, "path": place, "label": label, "source": SOURCE, "filler": filler}
    return Plan(
        cut=[("mount a full disk of %s over %s" % (size, path), mount_command(fill, path, unit))] + reload_it,
        undo=[("take the full disk away from %s" % path, unmount_command(path, "/ - tmpfs %s /" % SOURCE, unit))]
        + undo_service,
        notes=notes,
    )
