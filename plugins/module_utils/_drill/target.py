# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fault asks this host before it is composed. Tests put their own in its place."""

from __future__ import absolute_import, division, print_function

import io
import os
import re
import stat

from .._node.errors import NodeError
from .._node.mounts import mounts_now
from .._node.system import System, find_program, read_text, run_command

__metaclass__ = type

# The first with --timer-property, and what CentOS 7 has.
OLDEST_SYSTEMD = 219
_CAP_SYS_ADMIN = 21
_UNIT = re.compile(r"^[A-Za-z0-9:_.@\\-]+$")
_SUFFIX = re.compile(r"\.(service|socket|target|timer|mount|automount|path|slice|scope|device|swap)$")
_PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "CanReload",
    "MainPID",
    "ControlGroup",
    "CPUQuotaPerSecUSec",
    "PartOf",
)
# What it has under it, ha-pair-active alone starts, on one node of the pair.
_AGENT_TARGET = re.compile(r"^ha-pair-.+[.]target$")
# Stopping a unit stops those that these name.
_DEPENDENTS = ("RequiredBy", "BoundBy", "ConsistsOf")
_CPU_GROUPS = ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct")


def run_patiently(argv, timeout=20.0):
    """As run_command(), for a host that is short of CPU."""
    return run_command(argv, timeout)


def opened_by(process):
    """What a process has open, by name; without what it has just closed, and nothing when it has just ended."""
    directory, found = "/proc/%s/fd" % process, []
    try:
        for number in os.listdir(directory):
            try:
                found.append(os.readlink("%s/%s" % (directory, number)))
            except (IOError, OSError):
                pass
    except (IOError, OSError):
        pass
    return found


class UnsupportedError(NodeError):
    """This host cannot do the fault as it is now; the text is the reason."""


class NotNowError(UnsupportedError):
    """This host could do the fault, were it in another state: an owner, for example. Refuses an injection only."""


class Target(object):
    """This host. `run` takes argv and a timeout and gives (return code, stdout, stderr)."""

    def __init__(self, run=run_patiently):
        self.run = run
        self._system = System(run)

    @staticmethod
    def is_root():
        return os.geteuid() == 0

    @staticmethod
    def has(program):
        return find_program(program) is not None

    @staticmethod
    def path_kind(path):
        """directory, file or other; None when there is nothing."""
        try:
            mode = os.stat(path).st_mode
        except (IOError, OSError):
            return None
        return "directory" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"

    @staticmethod
    def real_path(path):
        return os.path.realpath(path)

    @staticmethod
    def has_selinux():
        return os.path.exists("/sys/fs/selinux/enforce")

    @staticmethod
    def may_mount():
        match = re.search(r"^CapEff:\s*([0-9a-fA-F]+)", read_text("/proc/self/status") or "", re.MULTILINE)
        return bool(match and int(match.group(1), 16) >> _CAP_SYS_ADMIN & 1)

    @staticmethod
    def has_cpu_controller():
        """Whether groups of processes can be held to a share of CPU time here."""
        try:
            with io.open("/sys/fs/cgroup/cgroup.controllers", encoding="ascii") as source:
                return "cpu" in source.read().split()
        except (IOError, OSError):
            return any(os.path.exists(os.path.join(place, "cpu.cfs_quota_us")) for place in _CPU_GROUPS)

    @staticmethod
    def mounts():
        """What is mounted here, by the kernel's list; no file system is asked."""
        return mounts_now()

    @staticmethod
    def fuse_servers():
        """The processes that serve FUSE file systems, each {"pid", "words" of its command line}."""
        return [
            {"pid": int(name), "words": (read_text("/proc/%s/cmdline" % name) or "").split("\0")}
            for name in sorted(filter(str.isdigit, os.listdir("/proc")), key=int)
            if "/dev/fuse" in opened_by(name)
        ]

    def interfaces(self):
        return self._system.interfaces()

    def is_up(self, interface):
        """Whether the interface was set up; None when there is no such interface."""
        try:
            with io.open(os.path.join("/sys/class/net", interface, "flags"), encoding="ascii") as source:
                return bool(int(source.read().strip(), 16) & 1)
        except (IOError, OSError, ValueError):
            return None

    def text_of(self, argv):
        """What a command prints; UnsupportedError when it fails."""
        code, out, err = self.run(list(argv))[:3]
        if code != 0:
            raise UnsupportedError(
                "%s: failed with %d (%s)" % (" ".join(argv), code, err.strip() or out.strip() or "no message")
            )
        return out

    def check_systemd(self):
        """Refuse a host without a systemd that can arm a timer."""
        code, out, _err = self.run(["systemctl", "--version"])[:3]
        match = re.match(r"systemd (\d+)", out)
        if code != 0 or match is None or self.path_kind("/run/systemd/system") != "directory":
            raise UnsupportedError("systemd does not run on this host, and without its timers nothing mends the fault")
        if int(match.group(1)) < OLDEST_SYSTEMD:
            raise UnsupportedError(
                "systemd %s is too old to arm the timer that mends the fault; it takes %d or newer"
                % (match.group(1), OLDEST_SYSTEMD)
            )
        if not self.has("systemd-run"):
            raise UnsupportedError("systemd-run is not installed, and it arms the timer that mends the fault")

    def unit(self, name, option="service"):
        """What systemd says of a service that runs, by property; `Id` is its own name. Raises what is wrong with it."""
        if not name:
            raise NodeError("%s: missing; name the systemd unit that the fault is about" % option)
        if not _UNIT.match(name):
            raise NodeError("%s: %s: is no name of a unit; give it as systemctl does" % (option, name))
        if not _SUFFIX.search(name):
            name += ".service"
        if not name.endswith(".service"):
            raise NodeError("%s: %s: is not a service; name one that ends in .service" % (option, name))
        asked = ["systemctl", "show", name]
        for key in _PROPERTIES:
            asked += ["-p", key]
        found = dict(line.partition("=")[::2] for line in self.text_of(asked).splitlines())
        if found.get("LoadState") == "masked":
            raise UnsupportedError("%s: is masked on this host; systemctl unmask %s" % (name, name))
        if found.get("LoadState") != "loaded":
            raise UnsupportedError(
                "%s: no such unit on this host (%s); see systemctl list-units --type=service"
                % (name, found.get("LoadState") or "systemd says nothing of it")
            )
        found["Id"] = found.get("Id") or name
        if found.get("ActiveState") != "active":
            raise NotNowError(
                "%s: is %s, and a fault needs something that works; systemctl start %s"
                % (name, found.get("ActiveState") or "in no known state", name)
            )
        return found

    @staticmethod
    def is_run_by_agent(properties):
        """Whether ha-pair-active starts it where it is to run: nobody else may, for it could run on both nodes then."""
        return any(_AGENT_TARGET.match(name) for name in properties.get("PartOf", "").split())

    def stopped_with(self, unit):
        """The services that run and that systemd stops together with a unit, those nearest to it first.

        Without those that ha-pair-active starts again itself.
        """
        found, seen, waiting = [], {unit}, [unit]
        while waiting:
            name = waiting.pop(0)
            asked = ["systemctl", "show", name, "-p", "Id", "-p", "ActiveState"]
            for key in _DEPENDENTS:
                asked += ["-p", key]
            properties = dict(line.partition("=")[::2] for line in self.text_of(asked).splitlines())
            if name != unit and name.endswith(".service") and properties.get("ActiveState") == "active":
                found.append(name)
            for key in _DEPENDENTS:
                for other in properties.get(key, "").split():
                    if other not in seen and not _AGENT_TARGET.match(other):
                        seen.add(other)
                        waiting.append(other)
        return found
