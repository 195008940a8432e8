# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults of the failover drill by name, and what each needs to know."""

from __future__ import absolute_import, division, print_function

import collections
import difflib

from .._node.errors import NodeError
from . import address_faults, deadman, network_faults, service_faults, storage_faults
from .shell import Plan
from .target import NotNowError, UnsupportedError

__metaclass__ = type


def _custom(params, _target, _directory):
    steps = {}
    for option in ("inject", "mend"):
        commands = [command for command in params[option] or [] if command.strip()]
        if not commands:
            raise NodeError(
                "%s: missing; give the shell commands that %s"
                % (option, "make the fault" if option == "inject" else "undo it, or `true` when it needs none")
            )
        steps[option] = [("run command %d of %s" % (number, option), line) for number, line in enumerate(commands, 1)]
    return Plan(cut=steps["inject"], undo=steps["mend"])


# A fault is a function of (options, Target, directory of its files) that gives a Plan. It raises NodeError for wrong
# options and UnsupportedError for what this host cannot do.
FAULTS = collections.OrderedDict((
    ("service_stop", service_faults.stop),
    ("service_crash", service_faults.crash),
    ("service_crash_restart", service_faults.crash_restart),
    ("service_hang", service_faults.hang),
    ("check_hang", storage_faults.check_hang),
    ("keepalived_stop", service_faults.keepalived_stop),
    ("keepalived_kill", service_faults.keepalived_kill),
    ("keepalived_freeze", service_faults.keepalived_freeze),
    ("link_down", network_faults.link_down),
    ("vrrp_block", network_faults.vrrp_block),
    ("isolate_peer", network_faults.isolate_peer),
    ("isolate_all", network_faults.isolate_all),
    ("storage_hang", storage_faults.storage_hang),
    ("disk_full", storage_faults.disk_full),
    ("cpu_starvation", service_faults.cpu_starvation),
    ("vip_deleted", address_faults.vip_deleted),
    ("vip_stolen", address_faults.vip_stolen),
    ("custom", _custom),
))


def check_name(name):
    """Refuse what is no fault, and name the nearest one."""
    if not name:
        raise NodeError("fault: missing; give one of %s" % ", ".join(FAULTS))
    if name not in FAULTS:
        near = difflib.get_close_matches(name, list(FAULTS), 1)
        cure = "did you mean %s?" % near[0] if near else "give one of %s" % ", ".join(FAULTS)
        raise NodeError("fault: %s: there is no such fault; %s" % (name, cure))


def compose(params, target, directory):
    """The Plan of the fault that the options ask for; raises NodeError, UnsupportedError."""
    check_name(params["fault"])
    if not target.is_root():
        raise UnsupportedError("a fault is injected by root only; use become: true")
    target.check_systemd()
    return FAULTS[params["fault"]](params, target, directory)


def check(params, target, directory):
    """(whether this host can do it, why not, what to know about it)."""
    try:
        plan = compose(params, target, directory)
    except NotNowError as exc:
        # A drill asks both nodes before it knows which of them will have the addresses and the services.
        return True, None, [str(exc)]
    except UnsupportedError as exc:
        return False, str(exc), []
    return True, None, plan.notes


def _checked(params, target, runtime):
    supported, reason, notes = check(params, target, runtime.directory(params["id"] or "check"))
    return {"changed": False, "supported": supported, "reason": reason, "notes": notes}


def _injected(params, target, runtime, check_mode):
    identifier = params["id"]
    check_name(params["fault"])
    deadman.check_identifier(identifier)
    deadman.check_times(params)
    if target.is_root() and runtime.check_free(identifier, params["fault"]):
        return dict(runtime.injection(identifier), changed=False)
    plan = compose(params, target, runtime.directory(identifier))
    if not check_mode:
        return dict(runtime.inject(params, plan), changed=True)
    return {
        "changed": True,
        "injected_at": None,
        "restore_at": None,
        "timer": runtime.timer(identifier),
        "steps": plan.words(),
        "notes": plan.notes,
        "directory": runtime.directory(identifier),
    }


def _mended(params, target, runtime, check_mode):
    identifier = params["id"]
    deadman.check_identifier(identifier, everything=True)
    if not target.is_root():
        raise NodeError("a fault is mended by root only; use become: true")
    everything = identifier == deadman.EVERYTHING
    if check_mode:
        names = runtime.open_ones() if everything else [identifier]
        reports = [runtime.report(name, runtime.is_open(name)) for name in names]
    else:
        reports = runtime.mend_everything() if everything else [runtime.mend(identifier)]
    result = {"injected_at": None, "inject_failed": None, "mending_at": None, "mended_at": None, "already": None}
    if not everything:
        result = {key: reports[0][key] for key in result}
    return dict(result, changed=any(report["changed"] for report in reports), mended=reports)


def apply(params, target, runtime, check_mode=False):
    """What the module does and returns; raises NodeError."""
    if params["state"] == "checked":
        return _checked(params, target, runtime)
    return (_injected if params["state"] == "injected" else _mended)(params, target, runtime, check_mode)
