# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report of a node asks of the machine besides what System answers; needs no root."""

from __future__ import absolute_import, division, print_function

import os
import re
import time

from . import addresses
from .check import problem_of
from .system import read_text, run_command
from .wording import printable

__metaclass__ = type

CHECK_TIMEOUT = 1.0

_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
    "InactiveEnterTimestampMonotonic",
    "InvocationID",
)
_LINK = re.compile(r"^\d+:\s+([^\s:@]+)(?:@[^\s:]+)?:\s+<([^>]*)>")


class Machine(object):
    """The machine as it is; tests put their own in its place."""

    def __init__(self, run=run_command):
        self._run = run

    @staticmethod
    def is_root():
        return os.geteuid() == 0

    @staticmethod
    def clock():
        """Seconds since boot, as systemd counts them."""
        if hasattr(time, "clock_gettime"):
            return time.clock_gettime(time.CLOCK_MONOTONIC)
        return float((read_text("/proc/uptime") or "0").split()[0])

    def units(self, names):
        """{unit: what systemd says of it}; empty when systemd does not answer."""
        argv = ["systemctl", "show", "--no-pager"]
        for name in _PROPERTIES:
            argv += ["-p", name]
        code, out = self._run(argv + list(names))[:2]
        blocks = [block for block in out.split("\n\n") if block.strip()]
        if code != 0 or len(blocks) != len(names):
            return {}
        # By place and not by Id: a unit may be asked for by an alias.
        return {
            name: dict(line.partition("=")[::2] for line in blocks[place].splitlines() if "=" in line)
            for place, name in enumerate(names)
        }

    def journal(self, unit, invocation, count):
        """The last lines that a unit's own processes wrote since boot, or in one run of it, oldest first.

        None of them when this caller may not read the journal.
        """
        match = "_SYSTEMD_INVOCATION_ID=%s" % invocation if invocation else "_SYSTEMD_UNIT=%s" % unit
        code, out = self._run(["journalctl", "--quiet", "--no-pager", "-o", "cat", "-n", str(count), "-b", match])[:2]
        return [printable(line) for line in out.splitlines() if line.strip()] if code == 0 else []

    def links(self):
        """{interface: its flags}; empty when iproute2 does not answer."""
        code, out = self._run(list(addresses.LINK_COMMAND))[:2]
        return parse_link_flags(out) if code == 0 else {}

    @staticmethod
    def process_names():
        """The names by which processes run; none when this caller does not see those of others."""
        names, pids = set(), [name for name in os.listdir("/proc") if name.isdigit()]
        if "1" not in pids:
            return None
        for pid in pids:
            command = (read_text("/proc/%s/comm" % pid) or "").strip()
            program = (read_text("/proc/%s/cmdline" % pid) or "").partition("\0")[0]
            names.update(name for name in (command, os.path.basename(program)) if name)
        return names

    @staticmethod
    def check(probe):
        """None when a service answers well, else why not; None as well for kinds that are not asked from here."""
        urls = {"http": "%s", "tcp": "tcp://%s"}
        if probe["kind"] not in urls:
            return None
        try:
            return problem_of(urls[probe["kind"]] % probe["target"], max(CHECK_TIMEOUT, probe["timeout"]))
        except ValueError as exc:
            return str(exc)


def parse_link_flags(text):
    """{interface: set of flags} of `ip -o link show`."""
    return {match.group(1): set(match.group(2).split(",")) for match in map(_LINK.match, text.splitlines()) if match}
