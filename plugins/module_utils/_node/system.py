# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only file that asks the machine: commands, files, processes and clocks. Tests put their own in its place."""

from __future__ import absolute_import, division, print_function

import errno
import io
import json
import os
import platform
import pwd
import select
import signal
import stat
import subprocess
import tempfile
import threading
import time

from . import addresses, arp, frozen, keepalived_data, nd, netlink
from .errors import NodeError

__metaclass__ = type

DESCRIPTION_FILE = "/etc/keepalived/ha-pair.json"
STATE_DIRECTORY = "/run/keepalived/ha-pair"
# Runs whatever needs no privileges; the role node_tools makes it.
SCRIPT_ACCOUNT = "keepalived_script"
PID_FILES = ("/run/keepalived.pid", "/var/run/keepalived.pid")
# Debian 12 names it vrrp.pid; with a prefix where several daemons may run.
CHILD_PID_FILES = ("/run/vrrp.pid", "/run/keepalived_vrrp.pid", "/var/run/vrrp.pid", "/var/run/keepalived_vrrp.pid")
# Where the addresses of a dead daemon are held: keepalived takes them away from the interfaces it knows.
HOLDING_INTERFACE = "lo"
DUMP_FILE = "/tmp/keepalived.data"  # keepalived's own fixed path; open_trusted() is what makes it safe to read
_SEARCH_PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")


def find_program(name):
    """Absolute path of a program; a login without sbin in its PATH still finds ip and keepalived."""
    for directory in os.environ.get("PATH", "").split(os.pathsep) + list(_SEARCH_PATH):
        path = os.path.join(directory, name)
        if directory.startswith("/") and os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None


def run_command(argv, timeout=5.0):
    """(return code, stdout, stderr); killed after the timeout."""
    program = find_program(argv[0]) if "/" not in argv[0] else argv[0]
    if program is None:
        return 127, "", "%s: not installed" % argv[0]
    with open(os.devnull, "rb") as nothing:
        try:
            # Also runs as a program of the node, where there is no module to run commands.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                [program] + list(argv[1:]), stdin=nothing, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except (IOError, OSError) as exc:
            return 126, "", "%s: %s" % (program, exc.strerror)
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        try:
            out, err = process.communicate()
        finally:
            timer.cancel()
    return process.returncode, _text(out), _text(err)


class Command(object):
    """A command that runs beside us: select() sees its end. What it says goes together, and is kept."""

    _KEPT = 4096

    def __init__(self, argv):
        program = find_program(argv[0]) if "/" not in argv[0] else argv[0]
        if program is None:
            raise NodeError("%s: not installed" % argv[0])
        try:
            with open(os.devnull, "rb") as nothing:
                # Also runs as a program of the node, where there is no module to run commands.
                self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
                    [program] + list(argv[1:]), stdin=nothing, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
                )
        except (IOError, OSError) as exc:
            raise NodeError("%s: %s" % (program, exc.strerror))
        self._said = b""

    def fileno(self):
        return self._process.stdout.fileno()

    def result(self):
        """(return code, what it said) when it has ended, else None; to be asked when select() says so."""
        if select.select([self], [], [], 0)[0]:
            piece = os.read(self.fileno(), 65536)
            self._said = (self._said + piece)[-self._KEPT :]
            if not piece:
                # Whoever closes its output is about to end; killed, so that nobody waits for one that is not.
                self._process.kill()
                code = self._process.wait()
                self._process.stdout.close()
                return code, _text(self._said).strip()
        return None

    def kill(self):
        self._process.kill()


def _text(data):
    return data if isinstance(data, str) else data.decode("utf-8", "replace")


def read_text(path, limit=1 << 20):
    """The file's text, or None when it cannot be read."""
    try:
        with io.open(path, "rb") as source:
            return _text(source.read(limit))
    except (IOError, OSError):
        return None


def write_atomically(path, text, mode=0o644, durable=False):
    """Replace the file in one step: a reader sees the old text or the new one, never a part.

    durable: wait for the disk, so that one who reads it after a loss of power does not find it empty either.
    """
    directory = os.path.dirname(path)
    descriptor, temporary = tempfile.mkstemp(prefix=".%s." % os.path.basename(path), dir=directory)
    try:
        with io.open(descriptor, "wb") as target:
            target.write(text.encode("utf-8"))
            os.fchmod(target.fileno(), mode)
            if durable:
                target.flush()
                os.fsync(target.fileno())
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    if durable:
        _sync_directory(directory)


def _sync_directory(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def parse_description(text, path):
    """The description of this node's part; refuses what is not one."""
    cure = "run the keepalived role again, it writes the file"
    try:
        description = json.loads(text)
    except ValueError as exc:
        raise NodeError("%s: not JSON (%s); %s" % (path, exc, cure))
    if (
        not isinstance(description, dict)
        or description.get("schema") != 1
        or not isinstance(description.get("instances"), dict)
    ):
        raise NodeError("%s: not a description of schema 1; %s" % (path, cure))
    return description


class System(object):
    """The machine as it is. `run` takes argv and gives (return code, stdout, stderr)."""

    def __init__(self, run=run_command, description_file=DESCRIPTION_FILE):
        self._run = run
        self._description_file = description_file

    @staticmethod
    def now():
        return time.time()

    @staticmethod
    def monotonic():
        return getattr(time, "monotonic", time.time)()

    @staticmethod
    def sleep(seconds):
        time.sleep(seconds)

    @staticmethod
    def node_name():
        return platform.node()

    @staticmethod
    def boot_id():
        return (read_text("/proc/sys/kernel/random/boot_id") or "").strip()

    @staticmethod
    def read(path):
        return read_text(path)

    @staticmethod
    def is_program(path):
        return os.path.isfile(path) and os.access(path, os.X_OK)

    def description_stamp(self):
        """Changes whenever the description does; None when there is none."""
        try:
            seen = os.stat(self._description_file)
        except (IOError, OSError):
            return None
        return seen.st_ino, seen.st_size, seen.st_mtime

    def description(self):
        """The description of this node's part, None when there is none."""
        text = read_text(self._description_file)
        return None if text is None else parse_description(text, self._description_file)

    @staticmethod
    def program_stamp():
        """Changes whenever the programs of this node are replaced; None where they do not run from their archive."""
        archive = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        try:
            seen = os.stat(archive)
        except (IOError, OSError):
            return None
        return (seen.st_ino, seen.st_size, seen.st_mtime) if stat.S_ISREG(seen.st_mode) else None

    def interfaces(self):
        """Interfaces with hardware address and addresses."""
        texts = []
        for command in (addresses.ADDRESS_COMMAND, addresses.LINK_COMMAND):
            code, out, err = self._run(list(command))[:3]
            if code != 0:
                raise NodeError(
                    "%s: failed with %d (%s); install iproute2" % (" ".join(command), code, err.strip() or "no message")
                )
            texts.append(out)
        return addresses.parse_interfaces(*texts)

    @staticmethod
    def remove_address(address, prefix, interface):
        """Take one address away from the kernel; one that is gone is no error."""
        netlink.change(
            "removing %s/%d from %s" % (address, prefix, interface),
            lambda index: netlink.removal(address, prefix, index),
            interface,
            (errno.EADDRNOTAVAIL, errno.ENODEV),
        )

    @staticmethod
    def hold_address(address):
        """Keep this host answering for an address, whatever a starting keepalived takes away from its interface.

        The kernel has an address as long as any interface has it. On the loopback it is no source of connections, and
        nobody but us puts it there or takes it away.
        """
        netlink.change(
            "holding %s on %s" % (address, HOLDING_INTERFACE),
            lambda index: netlink.addition(address, index),
            HOLDING_INTERFACE,
            (errno.EEXIST,),
        )

    @staticmethod
    def put_address_back(address, prefix, interface):
        """Give an interface a VIP again that keepalived had put there, or would have."""
        netlink.change(
            "putting %s/%d back on %s" % (address, prefix, interface),
            lambda index: netlink.restoration(address, prefix, index),
            interface,
            (errno.EEXIST,),
        )

    @staticmethod
    def address_news():
        """A descriptor holder that is readable whenever an address has come or gone; raises NodeError."""
        return netlink.AddressNews()

    @staticmethod
    def make_directory(path, owner="root"):
        """Make a directory that is missing; True when it was made. Everybody may read it, its owner write."""
        if os.path.isdir(path):
            return False
        try:
            account = pwd.getpwnam(owner)
            os.makedirs(path)
            os.chmod(path, 0o755)
            if account.pw_uid != os.geteuid():
                os.chown(path, account.pw_uid, account.pw_gid)
        except KeyError:
            raise NodeError(
                "%s: cannot be made (there is no account %s); run the node_tools role again" % (path, owner)
            )
        except (IOError, OSError) as exc:
            raise NodeError("%s: cannot be made (%s); remove what is in its place" % (path, exc.strerror))
        return True

    @staticmethod
    def start(argv):
        """A Command that runs beside us; raises NodeError."""
        return Command(argv)

    def keepalived_version(self):
        """Version of the installed keepalived as text, None when it is not installed or says none."""
        code, out, err = self._run(["keepalived", "--version"])[:3]
        return keepalived_data.parse_version(out + err) if code == 0 else None

    def package_verdict(self, path):
        """(return code, output) of rpm about a file that its package may have brought; None where there is no rpm."""
        code, out, _err = self._run(["rpm", "--verify", "--file", path])[:3]
        return None if code in (126, 127) else (code, out)

    def systemd_version(self):
        """Its number, None when it does not say."""
        code, out, _err = self._run(["systemctl", "--version"])[:3]
        return keepalived_data.parse_systemd_version(out) if code == 0 else None

    def service_result(self):
        """systemd's word on why keepalived ended; None where it does not say or the service is active."""
        asked = ["systemctl", "show", "keepalived.service", "-p", "Result", "-p", "ActiveState"]
        code, out, _err = self._run(asked)[:3]
        values = dict(line.partition("=")[::2] for line in out.splitlines())
        if code != 0 or values.get("ActiveState") == "active":
            return None
        return values.get("Result") or None

    # The daemon

    def process(self, pid):
        """What /proc says of a process: comm, ppid, starttime, policy, ...; None when it is gone or a zombie."""
        text = read_text("/proc/%d/stat" % pid)
        process = keepalived_data.parse_stat(text) if text else None
        return process if process and process["state"] not in "ZX" else None

    def daemon(self):
        """The running daemon: pid, starttime (ticks), since (epoch); None when there is none.

        A pid file alone proves nothing: it outlives a killed daemon, and its number may be another process by now.
        """
        for path in PID_FILES:
            pid = keepalived_data.parse_pid(read_text(path))
            process = self.process(pid) if pid else None
            if process is None or process["comm"] not in keepalived_data.PARENT_NAMES:
                continue
            parent = self.process(process["ppid"])
            if parent is not None and parent["comm"] in keepalived_data.PARENT_NAMES:
                continue  # the number of a dead parent, used again by another daemon's child
            return {"pid": pid, "starttime": process["starttime"], "since": self._epoch(process["starttime"])}
        return None

    def vrrp_process(self, daemon):
        """The child that speaks VRRP, with its pid; None when it is not there."""
        pids = [keepalived_data.parse_pid(read_text(path)) for path in CHILD_PID_FILES]
        for pid in pids:
            process = self.process(pid) if pid else None
            if process and process["ppid"] == daemon["pid"]:
                return dict(process, pid=pid)
        return None

    @staticmethod
    def progress(pid):
        """How far a process has come: state, switches (of context), cpu (s); None when it is gone."""
        status, stat_text = read_text("/proc/%d/status" % pid), read_text("/proc/%d/stat" % pid)
        return frozen.parse_progress(status, stat_text, os.sysconf("SC_CLK_TCK"))

    def kill_daemon(self, daemon):
        """SIGKILL, to the parent first, so that it cannot start its children again."""
        pids = [daemon["pid"]] + self._children(daemon["pid"])
        for pid in pids:
            process = self.process(pid)
            # A number is another process as soon as its owner is gone.
            if process is None or (pid == daemon["pid"] and process["starttime"] != daemon["starttime"]):
                continue
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError as exc:
                if exc.errno != errno.ESRCH:
                    raise NodeError(
                        "keepalived (pid %d): process %d cannot be killed (%s); run as root"
                        % (daemon["pid"], pid, exc.strerror)
                    )

    def _children(self, parent):
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        seen = [(pid, self.process(pid)) for pid in pids]
        return [pid for pid, process in seen if process and process["ppid"] == parent]

    @staticmethod
    def _uptime():
        if hasattr(time, "clock_gettime"):
            return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", 7))
        return float((read_text("/proc/uptime") or "0").split()[0])

    def _epoch(self, ticks):
        # Not by btime of /proc/stat: it is cut to whole seconds.
        return time.time() - self._uptime() + ticks / float(os.sysconf("SC_CLK_TCK"))

    def ticks(self):
        """Now, as the kernel writes the start of a process."""
        return int(self._uptime() * os.sysconf("SC_CLK_TCK"))

    def dump(self, daemon, timeout):
        """keepalived's own data, asked for by signal and read when it is whole.

        Raises NodeError. The signal goes out only when parent and child are seen to handle it: to a daemon that is just
        starting it would be deadly.
        """
        place = "keepalived (pid %d)" % daemon["pid"]
        child = self.vrrp_process(daemon)
        if child is None:
            raise NodeError(
                "%s: its VRRP process is not there yet; ask again, or look at journalctl -u keepalived" % place
            )
        for pid in (daemon["pid"], child["pid"]):
            status = read_text("/proc/%d/status" % pid) or ""
            if not keepalived_data.signal_is_handled(status, signal.SIGUSR1):
                raise NodeError("%s: process %d does not take SIGUSR1 yet; ask again" % (place, pid))
        path = self._dump_path(child["pid"])
        before = self._stamp(path)
        try:
            os.kill(daemon["pid"], signal.SIGUSR1)
        except OSError as exc:
            raise NodeError("%s: cannot signal it (%s); run as root" % (place, exc.strerror))
        return self._await_dump(path, before, timeout, place)

    def reload_daemon(self, daemon):
        """Make keepalived read its configuration again: it opens the FIFO and watches the tracked files anew."""
        status = read_text("/proc/%d/status" % daemon["pid"]) or ""
        if not keepalived_data.signal_is_handled(status, signal.SIGHUP):
            raise NodeError("keepalived (pid %d): does not take SIGHUP yet; reload it" % daemon["pid"])
        try:
            os.kill(daemon["pid"], signal.SIGHUP)
        except OSError as exc:
            raise NodeError(
                "keepalived (pid %d): cannot be told to reload (%s); reload it" % (daemon["pid"], exc.strerror)
            )

    def _await_dump(self, path, before, timeout, place):
        deadline = self.monotonic() + timeout
        problem, last = "wrote no new %s within %g s; it may be frozen" % (DUMP_FILE, timeout), None
        while self.monotonic() < deadline:
            self.sleep(0.02)
            stamp = self._stamp(path)
            if stamp is None or stamp == before:
                continue
            # Written piece by piece: whole when it says so and did not grow since the last look.
            if stamp == last:
                text, problem = self._read_trusted(path)
                if text is not None and keepalived_data.is_complete(text):
                    dump = keepalived_data.parse_dump(text)
                    for name, interval in frozen.parse_advert_intervals(text).items():
                        if name in dump:
                            dump[name]["advert_interval"] = interval
                    return dump
                problem = problem or "did not finish %s within %g s" % (DUMP_FILE, timeout)
            last = stamp
        raise NodeError("%s: %s" % (place, problem))

    @staticmethod
    def _dump_path(pid):
        # Through the process's own root: its unit may have a private /tmp. Denied to a caller with fewer capabilities.
        path = "/proc/%d/root%s" % (pid, DUMP_FILE)
        return path if os.access(os.path.dirname(path), os.X_OK) else DUMP_FILE

    @staticmethod
    def _stamp(path):
        try:
            seen = os.lstat(path)
        except (IOError, OSError):
            return None
        return seen.st_ino, seen.st_size, seen.st_mtime

    @staticmethod
    def _read_trusted(path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (IOError, OSError) as exc:
            if exc.errno == errno.ELOOP:
                return None, "%s is a symbolic link; somebody planted it, remove it" % DUMP_FILE
            return None, "%s cannot be read (%s); run as root" % (DUMP_FILE, exc.strerror)
        problem = keepalived_data.distrust(os.fstat(descriptor))
        if problem:
            os.close(descriptor)
            return None, "%s is %s; somebody planted it, remove it" % (DUMP_FILE, problem)
        with io.open(descriptor, "rb") as source:
            return _text(source.read(16 << 20)), None

    # Who has an address

    def asker(self, interfaces, name, address, virtual):
        """An arp.Asker or nd.Asker for the address on the interface of that name.

        Raises NodeError when it cannot ask there.
        """
        version = addresses.parse_address(address)[0]
        protocol = "ARP" if version == 4 else "ND"
        interface = addresses.find_interface(interfaces, name)
        if interface is None:
            raise NodeError(
                "%s for %s: this host has no interface %s; name one of %s"
                % (protocol, address, name, ", ".join(entry["name"] for entry in interfaces))
            )
        if not addresses.is_ethernet(interface["mac"]):
            raise NodeError(
                "%s for %s: interface %s has no Ethernet address; name one that has" % (protocol, address, name)
            )
        if version == 4:
            source = addresses.source_address(interface, address, virtual)
            return arp.Asker(name, interface["mac"], source, address)
        return nd.Asker(name, interface["mac"], nd.source_address(interface, address, virtual), address)

    @staticmethod
    def claims(interfaces, name, claimed):
        """An arp.Claims or nd.Claims for these addresses of one family on the interface of that name.

        Raises NodeError. Whatever comes from a MAC address of this host is no claim, on whichever interface it is.
        """
        interface = addresses.find_interface(interfaces, name)
        if interface is None or not addresses.is_ethernet(interface["mac"]):
            raise NodeError(
                "claims of %s: this host has no interface %s with an Ethernet address; see that it is there"
                % (", ".join(claimed), name)
            )
        own = [entry["mac"] for entry in interfaces if addresses.is_ethernet(entry["mac"])]
        kind = arp.Claims if addresses.parse_address(claimed[0])[0] == 4 else nd.Claims
        return kind(name, interface["mac"], own, claimed)
