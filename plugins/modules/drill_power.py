#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: drill_power
short_description: Stop a machine from outside and see to it that it comes back
version_added: 0.1.0
author:
  - duplex.ha_pair contributors (@duplex-ha)
description:
  - Runs a command on the power side of a machine, such as its hypervisor or the engine of its container, that freezes
    it or switches it off. Before that it starts a process that runs the command for the way back after
    O(restore_after) seconds, whoever is still there by then.
  - Runs where the commands work, which usually is the controller.
options:
  state:
    description: Whether to stop the machine, or to bring it back now.
    type: str
    choices: [injected, mended]
    required: true
  name:
    description: A name for this machine and fault. It ties the two states together.
    type: str
    required: true
  command:
    description: The command that freezes the machine or switches it off, for a shell. Needed for O(state=injected).
    type: str
  restore:
    description: The command that brings it back, for a shell. It may be run when the machine is back already.
    type: str
    required: true
  restore_after:
    description: Seconds after which the machine is brought back anyway, 5 to 3600.
    type: float
    default: 120
  directory:
    description:
      - Where the process keeps its files. By default C(/run/ha-pair-drill) for root, else C(ha-pair-drill-UID) in the
        directory for temporary files.
    type: path
attributes:
  check_mode:
    description: Does nothing and says what it would do.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: O(state=mended) may be run again. O(state=injected) is refused until then.
    support: partial
  platform:
    description: Linux.
    support: full
    platforms: linux
requirements:
  - Python 2.7 or 3.6 and newer
"""

EXAMPLES = r"""
- name: Switch a virtual machine off, for two minutes at the most
  duplex.ha_pair.drill_power:
    state: injected
    name: node-a.off
    command: virsh destroy node-a
    restore: virsh start node-a
  delegate_to: hypervisor

- name: Bring it back
  duplex.ha_pair.drill_power:
    state: mended
    name: node-a.off
    restore: virsh start node-a
  delegate_to: hypervisor
"""

RETURN = r"""
injected_at:
  description: When the command had run, in seconds since 1970 by the clock of this host.
  returned: when O(state=injected)
  type: float
restore_at:
  description: When it is brought back anyway.
  returned: when O(state=injected)
  type: float
mended_at:
  description: When the command for the way back began.
  returned: when O(state=mended)
  type: float
already:
  description: V(timer) when the process had brought the machine back before, else V(null).
  returned: when O(state=mended)
  type: str
"""

import subprocess
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import background
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

SHORTEST = 5.0
LONGEST = 3600.0


def dead_man(restore, after):
    """The work that brings the machine back unless it is told before that it is no longer needed."""

    def work(job):
        job.ready({})
        end = job.started_at + after
        while time.time() < end:
            if job.pause(0.2):
                return {"restored": False}
        began = time.time()
        # The module, and its run_command with it, has ended by then.
        code = subprocess.call(["/bin/sh", "-c", restore])  # pylint: disable=ansible-bad-function
        return {"restored": True, "at": began, "code": code}

    return work


def run(module, what, command):
    code, output, errors = module.run_command(["/bin/sh", "-c", command])
    if code:
        raise NodeError(
            "%s: %s: failed with %d (%s); try the command by hand" % (what, command, code, (errors or output).strip())
        )
    return time.time()


def inject(module, directory):
    given = module.params
    if not given["command"]:
        raise NodeError("command: missing; give the command that stops the machine")
    if not SHORTEST <= given["restore_after"] <= LONGEST:
        raise NodeError(
            "restore_after: %g is not in %g..%g seconds; give for example 120"
            % (given["restore_after"], SHORTEST, LONGEST)
        )
    if module.check_mode:
        return {"msg": "would run %r, and %r at most %g s later" % (
            given["command"], given["restore"], given["restore_after"])}  # fmt: skip
    # Longer than it waits, so that the command for the way back has its time.
    work = dead_man(given["restore"], given["restore_after"])
    background.start(directory, given["name"], work, given["restore_after"] + 60)
    restore_at = time.time() + given["restore_after"]
    try:
        injected_at = run(module, "command", given["command"])
    except NodeError:
        background.stop(directory, given["name"])
        module.run_command(["/bin/sh", "-c", given["restore"]])
        raise
    return {"injected_at": injected_at, "restore_at": restore_at}


def mend(module, directory):
    given = module.params
    if module.check_mode:
        return {"msg": "would run %r" % given["restore"]}
    # First back, then the guard goes: in between it does no harm. From this moment on it may answer.
    mended_at = time.time()
    code, output, errors = module.run_command(["/bin/sh", "-c", given["restore"]])
    try:
        left = background.stop(directory, given["name"])
    except NodeError:
        left = {}
    # It may have tried in vain, too early for the power side, say: then what counts is how it went just now.
    if left.get("restored") and not left["code"]:
        return {"mended_at": left["at"], "already": "timer"}
    if code:
        raise NodeError(
            "restore: %s: failed with %d (%s); bring the machine back by hand"
            % (given["restore"], code, (errors or output).strip())
        )
    return {"mended_at": mended_at, "already": None}


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["injected", "mended"], "required": True},
            "name": {"type": "str", "required": True},
            "command": {"type": "str"},
            "restore": {"type": "str", "required": True},
            "restore_after": {"type": "float", "default": 120.0},
            "directory": {"type": "path"},
        },
        supports_check_mode=True,
    )
    directory = module.params["directory"] or background.default_directory()
    try:
        done = (inject if module.params["state"] == "injected" else mend)(module, directory)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=True, **done)


if __name__ == "__main__":
    main()
