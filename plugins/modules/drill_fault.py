#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break a host on purpose, behind a timer that mends it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: drill_fault
short_description: Inject a fault on a host behind a dead-man restore, and mend it
version_added: 0.1.0
author:
  - duplex.ha_pair contributors (@duplex-ha)
description:
  - Injects one fault of the failover drill on the host it runs on, and undoes it.
  - Before anything breaks, a restore script is written to C(/run/ha-pair-drill/ID/restore) and a transient timer of
    systemd, C(ha-pair-drill-ID.timer), is armed that runs it. When nobody comes back to mend, the timer does.
  - Everything is made at run time only, by drop-ins, mounts and units in C(/run), packet filter rules and links.
    A reboot heals every fault. No unit is ever masked or disabled.
  - Only one fault at a time is in force on a host.
options:
  state:
    description:
      - V(checked) says whether this host can do the fault, and changes nothing. What is not so just now, for example
        that it holds no virtual address to delete, is a note and no reason against it.
      - V(injected) arms the restore and injects the fault. The same fault under the same O(id) is injected once.
      - V(mended) undoes it now and disarms the timer. What was undone before stays as it is.
    type: str
    choices: [checked, injected, mended]
    required: true
  id:
    description:
      - A name for this injection, up to 40 letters, digits, C(-) and C(_). Its files are in C(/run/ha-pair-drill/ID).
      - With O(state=mended), V(*) stands for every fault of the drill that is in force on this host.
      - Needed unless O(state=checked).
    type: str
  fault:
    description:
      - The fault. Needed unless O(state=mended).
      - V(service_stop) stops O(service). Mending starts it again, and after it the services that systemd stopped with
        it. What C(ha-pair-active) runs on one node of the pair only, no fault starts again, because it does so itself
        where it is to run.
      - V(service_crash) kills O(service) with SIGKILL after a drop-in has told systemd not to start it again.
      - V(service_crash_restart) kills it and leaves the rest to systemd.
      - V(service_hang) stops all its processes with SIGSTOP.
      - V(check_hang) mounts a script that sleeps over the check script O(path) of keepalived.
      - V(keepalived_stop), V(keepalived_kill) and V(keepalived_freeze) stop keepalived, kill all its processes with
        SIGKILL, or stop them with SIGSTOP. O(service) is C(keepalived.service) unless given.
      - V(link_down) sets O(interface) down. Mending puts back the routes and permanent addresses that it lost, without
        O(vips). An interface that carries VLANs is refused.
      - V(vrrp_block) drops VRRP in both directions.
      - V(isolate_peer) drops everything from and to O(peers), and VRRP.
      - V(isolate_all) drops everything but the loopback and connections to the TCP ports O(keep_ports) of this host.
        Where nft is there, nobody gets an answer by ARP or Neighbour Discovery for O(vips) either.
      - V(storage_hang) makes the file system that is mounted at O(path) hang. Of NFS, all packets from and to the port
        of its server are dropped; of FUSE, the process that serves it, or all processes of O(service) if given, are
        stopped with SIGSTOP. Other kinds are refused.
      - V(disk_full) mounts a full file system of O(size) over the directory O(path), and reloads O(service) if given.
      - V(cpu_starvation) holds O(service) to O(quota) of one CPU.
      - V(vip_deleted) deletes O(vips) from this host. Mending does not put them back.
      - V(vip_stolen) takes O(vips) on O(interface) of a third machine and announces them every 0.2 seconds.
      - V(custom) runs the commands O(inject), and O(mend) to undo them.
    type: str
  restore_after:
    description:
      - Seconds from the injection after which the timer undoes the fault when nobody else did. 5 at least.
      - Needed with O(state=injected).
    type: float
  delay:
    description:
      - Seconds to wait before the fault. A transient unit injects it then, and the module answers at once.
      - For faults that cut the connection that the module answers by.
    type: float
    default: 0
  service:
    description: The systemd unit of the service.
    type: str
  interface:
    description:
      - The network interface. With V(vip_stolen) the one in whose subnet the first of O(vips) is, unless given.
    type: str
  peers:
    description: The addresses of the other node, of both families if it has both.
    type: list
    elements: str
    default: []
  vips:
    description: The virtual addresses.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: The address, without prefix.
        type: str
        required: true
      prefix:
        description: The prefix length it should have.
        type: int
      interface:
        description: The interface it should be on.
        type: str
  keep_ports:
    description: The TCP ports of this host that stay in reach. That of SSH has to be among them where Ansible uses it.
    type: list
    elements: int
    default: [22]
  path:
    description: The check script, the mount point of the storage that hangs, or the directory of the full disk.
    type: path
  size:
    description: How large the full disk is, from 16k to 64m. It is made of memory.
    type: str
    default: 64k
  quota:
    description: The share of one CPU, in per cent.
    type: str
    default: 2%
  inject:
    description: Shell commands that make a fault of your own, one after the other, a minute each at most.
    type: list
    elements: str
    default: []
  mend:
    description:
      - Shell commands that undo it, one after the other, two minutes each at most.
      - All of them run, even when one fails, and they may run more than once.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode. Says whether the host can do the fault and what it would do.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: A fault in force is not injected again, and one that is mended is not mended again.
    support: full
  platform:
    description: Linux, with systemd 219 or newer and iproute2.
    support: full
    platforms: linux
seealso:
  - module: duplex.ha_pair.vip_owner
    description: Reports who owns a virtual address.
requirements:
  - Python 2.7 or 3.6 and newer
  - systemd 219 or newer
  - iproute2
  - nftables, or iptables, for the faults that drop packets
"""

EXAMPLES = r"""
- name: Ask whether packets can be dropped here
  duplex.ha_pair.drill_fault:
    state: checked
    fault: vrrp_block
  register: drill_check

- name: Stop the service, for a minute at most
  duplex.ha_pair.drill_fault:
    state: injected
    id: drill-1
    fault: service_stop
    service: nginx.service
    restore_after: 60

- name: Start it again
  duplex.ha_pair.drill_fault:
    state: mended
    id: drill-1

- name: Cut the node off from its peer
  duplex.ha_pair.drill_fault:
    state: injected
    id: drill-2
    fault: isolate_peer
    peers:
      - 192.0.2.12
      - 2001:db8::12
    restore_after: 60

- name: Set a link down that the connection of Ansible needs
  duplex.ha_pair.drill_fault:
    state: injected
    id: drill-3
    fault: link_down
    interface: eth0
    vips:
      - address: 192.0.2.10
    delay: 2
    restore_after: 20

- name: Mend whatever is in force on this host
  duplex.ha_pair.drill_fault:
    state: mended
    id: "*"
"""

RETURN = r"""
supported:
  description: Whether this host can do the fault.
  returned: with O(state=checked)
  type: bool
reason:
  description: Why not, else V(null).
  returned: with O(state=checked)
  type: str
  sample: "packets cannot be dropped on this host: nft is not installed and iptables is not installed; install nftables"
notes:
  description: What to know about the fault on this host.
  returned: with O(state=checked) and O(state=injected)
  type: list
  elements: str
  sample: ["ip6tables does not work on this host: IPv6 still passes"]
injected_at:
  description:
    - When the fault began, in seconds since 1970 by the clock of this host. With O(delay), when it is to begin.
    - With O(state=mended) when it really began, V(null) when it never did.
    - V(null) in check mode.
  returned: with O(state=injected) and O(state=mended)
  type: float
  sample: 1795249190.2
restore_at:
  description: When the timer undoes it, in seconds since 1970 by the clock of this host.
  returned: with O(state=injected)
  type: float
  sample: 1795249250.1
timer:
  description: The timer that undoes it.
  returned: with O(state=injected)
  type: str
  sample: ha-pair-drill-drill-1.timer
steps:
  description: What the injection does, each step in words and as a shell command.
  returned: with O(state=injected)
  type: list
  elements: str
  sample: ["stop nginx.service: systemctl stop nginx.service"]
directory:
  description: Where its files and its log are, on this host.
  returned: with O(state=injected)
  type: str
  sample: /run/ha-pair-drill/drill-1
mending_at:
  description: When the undoing began, in seconds since 1970 by the clock of this host. V(null) for nothing to undo.
  returned: with O(state=mended)
  type: float
  sample: 1795249220.6
mended_at:
  description: When it was undone, in seconds since 1970 by the clock of this host. V(null) for nothing to undo.
  returned: with O(state=mended)
  type: float
  sample: 1795249220.7
already:
  description:
    - Who had undone it before. V(timer) for the dead-man restore, V(drill) for an earlier run of this module,
      V(injection) for an injection that failed.
    - V(null) when this run did, or when there was nothing to do.
  returned: with O(state=mended)
  type: str
  sample: timer
inject_failed:
  description: The step with which a delayed injection failed, else V(null).
  returned: with O(state=mended)
  type: str
mended:
  description: A report for each fault that was undone, with C(id), C(fault), C(changed) and the values above.
  returned: with O(state=mended)
  type: list
  elements: dict
  sample:
    - id: drill-1
      fault: service_stop
      changed: true
      injected_at: 1795249190.2
      inject_failed: null
      mending_at: 1795249220.6
      mended_at: 1795249220.7
      already: null
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._drill.deadman import Runtime
from ansible_collections.duplex.ha_pair.plugins.module_utils._drill.faults import apply
from ansible_collections.duplex.ha_pair.plugins.module_utils._drill.target import Target
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["checked", "injected", "mended"], "required": True},
    "id": {"type": "str"},
    "fault": {"type": "str"},
    "restore_after": {"type": "float"},
    "delay": {"type": "float", "default": 0},
    "service": {"type": "str"},
    "interface": {"type": "str"},
    "peers": {"type": "list", "elements": "str", "default": []},
    "vips": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "address": {"type": "str", "required": True},
            "prefix": {"type": "int"},
            "interface": {"type": "str"},
        },
    },
    "keep_ports": {"type": "list", "elements": "int", "default": [22]},
    "path": {"type": "path"},
    "size": {"type": "str", "default": "64k"},
    "quota": {"type": "str", "default": "2%"},
    "inject": {"type": "list", "elements": "str", "default": []},
    "mend": {"type": "list", "elements": "str", "default": []},
}


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        target = Target()
        result = apply(module.params, target, Runtime(target), module.check_mode)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
