#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a host gets and loses its virtual addresses."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: owner_watch
short_description: Record when a host gets and loses virtual addresses
version_added: 0.1.0
author:
  - duplex.ha_pair contributors (@duplex-ha)
description:
  - Leaves a process on the host that hears from the kernel, by netlink, of every address that comes or goes, and
    writes down the moment. It does not look again and again, so it misses no change however short.
  - Reports as well what it cannot know. These are the time after the kernel had to throw messages away, the time in
    which the process did not run because the host was frozen, how late it was told, and that somebody set the clock.
  - Can also wait in the foreground until the addresses are on the host or away from it.
  - Changes nothing on the host but its own files in O(directory). The process ends by itself after O(duration).
options:
  state:
    description:
      - With V(started) the process is started. The module returns when it listens and has seen what is there.
      - With V(stopped) the process is ended and RV(watch) returned. A second time returns the same.
      - With V(waiting) the module itself waits for O(expect) and needs no started process.
    type: str
    choices: [started, stopped, waiting]
    required: true
  name:
    description: Name of the watcher. Several of different names may run at the same time.
    type: str
    default: watch
  vips:
    description:
      - The addresses to watch, IPv4 and IPv6, without prefix.
      - Needed unless O(state=stopped).
    type: list
    elements: str
  duration:
    description: Seconds after which the process ends itself and keeps its report for O(state=stopped). At most 86400.
    type: float
    default: 600
  expect:
    description:
      - What to wait for with O(state=waiting). V(held) is reached when this host has all O(vips), V(free) when it has
        none of them.
      - An address that is on the loopback only, where it is held for a crashed keepalived, is not taken for held.
    type: str
    choices: [held, free]
  timeout:
    description: Longest time to wait with O(state=waiting), in seconds. When it is over, RV(reached) is V(false).
    type: float
    default: 10
  directory:
    description:
      - Where the process keeps its files. It must belong to the user of the module.
      - By default C(/run/ha-pair-drill) for root, else C(ha-pair-drill-UID) in the directory for temporary files.
    type: path
attributes:
  check_mode:
    description: Starts and stops nothing and says so. With O(state=waiting) it looks once and does not wait.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description:
      - O(state=stopped) returns the same report again. O(state=started) is refused while a watcher of that name runs.
    support: partial
  platform:
    description: Linux.
    support: full
    platforms: linux
notes:
  - Needs no privileges. As root the kernel gives it a larger buffer for its messages.
  - An IPv6 address counts from the moment that the kernel has found no duplicate of it, because it answers to nobody
    before.
seealso:
  - module: duplex.ha_pair.clock_offset
    description: Measures what the times of two hosts have to be corrected by before they are compared.
  - module: duplex.ha_pair.vip_owner
    description: Tells who owns the addresses at one moment, in independent ways.
requirements:
  - Python 2.7 or 3.6 and newer
"""

EXAMPLES = r"""
- name: Watch the addresses of the pair for two minutes at most
  duplex.ha_pair.owner_watch:
    state: started
    vips:
      - 192.0.2.10
      - 2001:db8::10
    duration: 120

- name: Wait until this node has them
  duplex.ha_pair.owner_watch:
    state: waiting
    vips:
      - 192.0.2.10
      - 2001:db8::10
    expect: held
    timeout: 5
  register: takeover

- name: Get the record
  duplex.ha_pair.owner_watch:
    state: stopped
  register: record
"""

RETURN = r"""
msg:
  description: What would be done.
  returned: in check mode
  type: str
started_at:
  description: When the watcher had seen what is there, in seconds since 1970 by the clock of the host.
  returned: when O(state=started)
  type: float
  sample: 1795249190.21
held:
  description: The interfaces of this host on which each address is.
  returned: when O(state=started) or O(state=waiting)
  type: dict
  sample: {192.0.2.10: [eth0], '2001:db8::10': []}
reached:
  description: Whether O(expect) came about.
  returned: when O(state=waiting)
  type: bool
  sample: true
waited:
  description: How long it took, in seconds.
  returned: when O(state=waiting)
  type: float
  sample: 3.06
watch:
  description: The record. All moments are in seconds since 1970 by the clock of this host.
  returned: when O(state=stopped)
  type: dict
  contains:
    started_at:
      description: When it had seen what is there.
      type: float
    ended_at:
      description: When it ended.
      type: float
    ended_by:
      description: What ended it. V(stop) for this module, V(limit) for O(duration), V(itself) otherwise.
      type: str
    boot_id:
      description: The boot of the kernel in which it ran. Another one later means that the host was restarted.
      type: str
    gaps:
      description:
        - Times C(from) and C(to) in which the kernel threw messages away. What changed in them has the time of their
          end.
      type: list
      elements: dict
    stalls:
      description: Times C(from) and C(to) of more than half a second in which the watcher did not run.
      type: list
      elements: dict
    clock_steps:
      description: When (C(at)) and by how many C(seconds) the clock of the host was set.
      type: list
      elements: dict
    vips:
      description: What happened to each address.
      type: dict
      contains:
        held_at_start:
          description: The interfaces on which it was at the start.
          type: list
          elements: str
        changes:
          description:
            - What came to (C(held) is V(true)) or went from which C(interface), and when (C(at)).
            - It may have happened earlier than C(at) by up to C(late) seconds, which the watcher had to wait for a CPU.
          type: list
          elements: dict
  sample:
    started_at: 1795249190.21
    ended_at: 1795249201.44
    ended_by: stop
    boot_id: 0c2f4f1a-7d43-4a4c-9d0b-5e7c53a0b2f1
    gaps: []
    stalls: []
    clock_steps: []
    vips:
      192.0.2.10:
        held_at_start: [eth0]
        changes:
          - {at: 1795249195.03, interface: eth0, held: false, late: 0.0001}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import address_watch, background
from ansible_collections.duplex.ha_pair.plugins.module_utils._drill.rtnetlink import AddressEvents
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["started", "stopped", "waiting"], "required": True},
    "name": {"type": "str", "default": "watch"},
    "vips": {"type": "list", "elements": "str"},
    "duration": {"type": "float", "default": 600},
    "expect": {"type": "str", "choices": ["held", "free"]},
    "timeout": {"type": "float", "default": 10},
    "directory": {"type": "path"},
}


def started(params, check_mode):
    if check_mode:
        address_watch.keys(params["vips"])
        return {"changed": True, "msg": "would start the watcher %s" % params["name"]}
    first = address_watch.start(params["name"], params["vips"], params["duration"], params["directory"])
    return dict(first, changed=True)


def stopped(params, check_mode):
    if check_mode:
        present = background.running(params["directory"] or background.default_directory(), params["name"])
        what = "would stop the watcher %s" if present else "the watcher %s does not run"
        return {"changed": bool(present), "msg": what % params["name"]}
    ran, report = address_watch.stop(params["name"], params["directory"])
    return {"changed": ran, "watch": report}


def waiting(params, check_mode):
    source = AddressEvents()
    try:
        seconds = 0.0 if check_mode else params["timeout"]
        return dict(address_watch.wait_for(params["vips"], params["expect"], seconds, source), changed=False)
    finally:
        source.close()


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("state", "started", ["vips"]), ("state", "waiting", ["vips", "expect"])],
        supports_check_mode=True,
    )
    do = {"started": started, "stopped": stopped, "waiting": waiting}[module.params["state"]]
    try:
        answer = do(module.params, module.check_mode)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
