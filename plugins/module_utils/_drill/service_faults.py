# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of services and of keepalived itself."""

from __future__ import absolute_import, division, print_function

import re

from .._node.errors import NodeError
from .shell import Plan, quote
from .target import UnsupportedError

__metaclass__ = type

KEEPALIVED = "keepalived.service"
# Sorts behind other drop-ins of a unit, which may set Restart= as well.
DROP_IN = "zz-ha-pair-drill.conf"
DEFAULT_QUOTA = "2%"
_QUOTA = re.compile(r"^([1-9]\d{0,3})%$")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(us|ms|min|s)")
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "min": 60000.0}


def start_step(unit):
    """Starting a unit that may have used up its attempts, and leaving one alone that runs."""
    name = quote(unit)
    return (
        "start %s" % unit,
        "systemctl is-active --quiet %s || { systemctl reset-failed %s 2>/dev/null; systemctl start %s; }"
        % (name, name, name),
    )


def start_again_step(properties, target):
    """Starting a unit, of which this is what systemd says, unless its agent does so where it is to run."""
    if target.is_run_by_agent(properties):
        return "leave the start of %s to ha-pair-active" % properties["Id"], ":"
    return start_step(properties["Id"])


def signal_step(unit, name):
    # To the whole unit and by no name of a process: a host of containers runs other daemons of the same name.
    return ("%s to all processes of %s" % (name, unit), "systemctl kill --signal=%s %s" % (name, quote(unit)))


def go_on_step(unit):
    return (
        "let the processes of %s go on" % unit,
        # There may be none left to send it to: a watchdog or a guard was here first.
        "systemctl kill --signal=SIGCONT %s 2>/dev/null || :" % quote(unit),
    )


def stop(params, target, _directory, default=None):
    properties = target.unit(params["service"] or default)
    unit = properties["Id"]
    # systemd stops what depends on the unit as well, and starting the unit brings none of that back.
    others = [start_step(name) for name in target.stopped_with(unit)]
    return Plan(
        [("stop %s" % unit, "systemctl stop %s" % quote(unit))], [start_again_step(properties, target)] + others
    )


def crash(params, target, _directory):
    properties = target.unit(params["service"])
    unit = properties["Id"]
    drop_ins = "/run/systemd/system/%s.d" % unit
    path = "%s/%s" % (drop_ins, DROP_IN)
    return Plan(
        prepare=[
            (
                "keep systemd from starting %s again" % unit,
                "mkdir -p %s && printf '[Service]\\nRestart=no\\n' >%s && systemctl daemon-reload"
                % (quote(drop_ins), quote(path)),
            ),
            (
                "see that the drop-in is in force",
                'test "$(systemctl show -p Restart %s)" = Restart=no' % quote(unit),
            ),
        ],
        cut=[signal_step(unit, "SIGKILL")],
        undo=[
            (
                "let systemd start %s again" % unit,
                "rm -f %s; rmdir %s 2>/dev/null; systemctl daemon-reload" % (quote(path), quote(drop_ins)),
            ),
            start_again_step(properties, target),
        ],
    )


def crash_restart(params, target, _directory, default=None):
    properties = target.unit(params["service"] or default)
    return Plan([signal_step(properties["Id"], "SIGKILL")], [start_again_step(properties, target)])


def hang(params, target, _directory, default=None):
    properties = target.unit(params["service"] or default)
    unit = properties["Id"]
    return Plan([signal_step(unit, "SIGSTOP")], [go_on_step(unit), start_again_step(properties, target)])


def keepalived_stop(params, target, directory):
    return stop(params, target, directory, KEEPALIVED)


def keepalived_kill(params, target, directory):
    return crash_restart(params, target, directory, KEEPALIVED)


def keepalived_freeze(params, target, directory):
    return hang(params, target, directory, KEEPALIVED)


def former_quota(text):
    """The CPUQuota= that CPUQuotaPerSecUSec=`text` comes from; empty for none."""
    text = (text or "").strip()
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        return ""
    return "%g%%" % (sum(float(number) * _MILLISECONDS[unit] for number, unit in parts) / 10.0)


def cpu_starvation(params, target, _directory):
    quota = params["quota"] or DEFAULT_QUOTA
    if not _QUOTA.match(quota):
        raise NodeError("quota: %s: is no share of one CPU; give whole per cent, for example 2%%" % quota)
    properties = target.unit(params["service"])
    unit = properties["Id"]
    if not target.has_cpu_controller():
        raise UnsupportedError("the cgroups of this host have no cpu controller: nothing can be held to a share of CPU")
    group, former = properties.get("ControlGroup") or "", former_quota(properties.get("CPUQuotaPerSecUSec"))
    # Says no where the unit has no group of its own in the controller, and a quota that nobody enforces is no fault.
    enforced = (
        "for group in /sys/fs/cgroup /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct; do "
        'for file in "$group"%(group)s/cpu.max "$group"%(group)s/cpu.cfs_quota_us; do '
        '[ -e "$file" ] || continue; read -r quota period <"$file"; [ "$quota" != max ] && [ "$quota" -gt 0 ]; exit; '
        "done; done; exit 1"
    ) % {"group": quote(group)}
    undo = [
        (
            "give %s its CPU time back" % unit,
            "systemctl set-property --runtime %s CPUQuota=%s" % (quote(unit), former),
        )
    ]
    if not former:
        # The setting would stay in force until the next boot, above one that is made in /etc meanwhile.
        left = " ".join(
            quote("/run/systemd/%s/%s.d/50-CPUQuota.conf" % (place, unit)) for place in ("system.control", "system")
        )
        undo.append(("forget the quota", "rm -f %s && systemctl daemon-reload" % left))
    undo.append(start_again_step(properties, target))
    return Plan(
        cut=[
            (
                "hold %s to %s of one CPU" % (unit, quota),
                "systemctl set-property --runtime %s CPUQuota=%s" % (quote(unit), quota),
            ),
            ("see that the kernel enforces it", enforced),
        ],
        undo=undo,
    )
