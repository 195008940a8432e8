#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host sees of the owner of each virtual address."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: vip_owner
short_description: Report which virtual addresses a host holds and who else answers for them
version_added: 0.1.0
author:
  - duplex.ha_pair contributors (@duplex-ha)
description:
  - Looks at each virtual address from one host in independent ways. The kernel tells whether the host holds it,
    keepalived and the state file of the notify handler tell the VRRP state, ARP (Neighbour Discovery for IPv6) tells
    which other machines answer for it, and an HTTP answer through the address tells which node serves it.
  - Reports what it sees and judges nothing.
    The filter P(duplex.ha_pair.vip_verdict#filter) joins the reports of all hosts.
  - Runs on the nodes of a pair and on any other host of their network, which then is an observer.
  - To read keepalived's own data the module sends it SIGUSR1, upon which it writes C(/tmp/keepalived.data).
    Nothing else on the host is touched.
options:
  vips:
    description:
      - The virtual addresses to look for.
      - Without it, those of C(/etc/keepalived/ha-pair.json), which the keepalived role writes on the nodes of a pair.
    type: list
    elements: dict
    suboptions:
      address:
        description: The address, without prefix.
        type: str
        required: true
      prefix:
        description: The prefix length it should have. Another one is reported as a problem.
        type: int
      interface:
        description: The interface it should be on. Another one is reported as a problem.
        type: str
      instance:
        description: Name of its VRRP instance. Found in the data of the node when not given.
        type: str
  state_file:
    description: The state file of the notify handler.
    type: path
    default: /run/keepalived/ha-pair/state.json
  ask_arp:
    description:
      - Whether to ask the link who has each address, by ARP or, for IPv6, by Neighbour Discovery.
      - Needs root or CAP_NET_RAW. Without it the report says so.
    type: bool
    default: true
  arp_interface:
    description: The interface to ask on. By default the one whose subnet contains the address.
    type: str
  arp_timeout:
    description:
      - Seconds to listen for answers. All addresses are asked at the same time.
      - The time is always used up, because a second owner may answer late.
    type: float
    default: 1.0
  identity_url:
    description:
      - URL to ask through each virtual address. C({vip}) in it stands for the address, in brackets when it is IPv6.
      - The certificate of an https URL is not verified.
    type: str
  identity_header:
    description: The header of the answer that names the node.
    type: str
    default: X-HA-Pair-Node
  identity_timeout:
    description: Seconds for one whole question by HTTP.
    type: float
    default: 2.0
attributes:
  check_mode:
    description: Can run in check mode and returns the same report.
    support: full
  diff_mode:
    description: Has nothing to show, since it changes nothing.
    support: none
  idempotent:
    description: Changes nothing, however often it runs.
    support: full
  platform:
    description: Linux, with iproute2.
    support: full
    platforms: linux
seealso:
  - plugin: duplex.ha_pair.vip_verdict
    plugin_type: filter
    description: Joins the reports of all hosts into a verdict.
requirements:
  - Python 2.7 or 3.6 and newer
  - iproute2
"""

EXAMPLES = r"""
- name: Look at the addresses of this node's pair
  duplex.ha_pair.vip_owner:
  register: report

- name: Look from a host outside the pair, and ask who serves
  duplex.ha_pair.vip_owner:
    vips:
      - address: 192.0.2.10
        instance: web
    identity_url: http://{vip}/ha-pair/health
  register: report

- name: Ask nothing on the network
  duplex.ha_pair.vip_owner:
    vips:
      - address: 192.0.2.10
        prefix: 24
        interface: eth0
    ask_arp: false
"""

RETURN = r"""
vip_owner:
  description: What this host sees.
  returned: success
  type: dict
  contains:
    host:
      description: Host name of this host.
      type: str
      sample: node-a
    keepalived:
      description: The daemon and what it really got.
      type: dict
      contains:
        running:
          description: Whether it runs.
          type: bool
        pid:
          description: Its process, V(null) when it does not run.
          type: int
        version:
          description: Its version, V(null) when it is not installed.
          type: str
        configuration:
          description:
            - Whose C(/etc/keepalived/keepalived.conf) is, C(absent), C(ours), C(sample), which is the package's own and
              unchanged, or C(foreign).
          type: str
          sample: ours
        scheduler:
          description: C(policy) and real-time C(priority) of the VRRP process, V(null) when it is not there.
          type: dict
        data_read:
          description: Whether its own data could be read.
          type: bool
        data_problem:
          description: Why not, else V(null).
          type: str
      sample:
        running: true
        pid: 812
        version: 2.2.7
        configuration: ours
        scheduler: {policy: SCHED_RR, priority: 50}
        data_read: true
        data_problem: null
    state_file:
      description: The state file of the notify handler.
      type: dict
      contains:
        path:
          description: Where it is.
          type: str
        written_at:
          description: When it was written, in seconds since 1970.
          type: float
        problem:
          description: Why it was not used, else V(null).
          type: str
      sample: {path: /run/keepalived/ha-pair/state.json, written_at: 1795249190.2, problem: null}
    instances:
      description: VRRP instances by name.
      type: dict
      contains:
        daemon_state:
          description: State in keepalived's own data, in its words; V(null) when that could not be read.
          type: str
        file_state:
          description: State in the state file; V(null) when that could not be used.
          type: str
        agree:
          description: Whether the two say the same. With keepalived not running, whether the file says so too.
          type: bool
        since:
          description: When it came into the state, in seconds since 1970.
          type: float
        priority:
          description: The priority in effect.
          type: int
        transitions:
          description: Changes of state since boot that the notify handler saw.
          type: int
      sample:
        web: {daemon_state: MASTER, file_state: MASTER, agree: true, since: 1795249190.1, priority: 250, transitions: 3}
    raised:
      description:
        - The instances for which a planned switchover has raised the priority of this node, see
          M(duplex.ha_pair.vip_raise).
      type: list
      elements: str
      sample: []
    lost_checks:
      description:
        - The programs of check scripts of keepalived that are not there or cannot be run. keepalived 2.2.7 logs that
          and takes the service for a good one.
      type: list
      elements: str
      sample: []
    services:
      description:
        - The tracked services of this node by the files that keepalived watches. V(up), V(down), or V(failing) for one
          that runs and does not answer the prober.
        - Of one that runs on one node of the pair only, what its agent does with it, V(standby), V(waiting),
          V(starting), V(active), V(stopping) or V(hold-down); V(down) where keepalived is told that this node is not
          fit for it, and V(unknown) where the agent does not run.
      type: dict
      sample: {nginx: up}
    prober:
      description: The prober of this node, which notices a service that hangs and a gateway that cannot be reached.
      type: dict
      contains:
        running:
          description: Whether it wrote its report within the last 5 seconds. V(false) also where nothing is probed.
          type: bool
        problem:
          description: Why it is taken not to run or what it complains of, else V(null).
          type: str
        probes:
          description:
            - By name whether its file says C(failing) to keepalived, whether it is C(gated), which is not asked because
              the service is down, and the C(problem) of the last answer, or V(null).
          type: dict
      sample: {running: true, problem: null, probes: {nginx: {failing: false, gated: false, problem: null}}}
    agent:
      description: The agent of services that run on one node of the pair only.
      type: dict
      contains:
        running:
          description: Whether it runs. V(false) also where there is no such service.
          type: bool
        problem:
          description: Why it is taken not to run, for example because its report is stale, else V(null).
          type: str
        services:
          description:
            - By name what it says of each service, V(null) where it says nothing. Its C(phase) and C(why), the
              C(instance) that it follows, whether it is C(ready) and this node C(fit) for it.
            - Further the C(arbiter), with its C(kind), its C(promise), what it C(says), C(why) and the C(problem) of
              the line to it; C(hold_down_until) in seconds since 1970, the C(failure) before it, and whether it
              C(failed_on_both).
          type: dict
      sample: {running: false, problem: null, services: {}}
    interfaces:
      description: Interfaces of this host with hardware address and addresses.
      type: list
      elements: dict
      sample:
        - name: eth0
          mac: 52:54:00:12:34:56
          addresses: [{address: 192.0.2.11, prefix: 24}, {address: 192.0.2.10, prefix: 24}]
    vips:
      description: The virtual addresses in the order asked for.
      type: list
      elements: dict
      contains:
        address:
          description: The address.
          type: str
        instance:
          description: Its VRRP instance, V(null) when nobody here knows.
          type: str
        held:
          description: Whether the kernel of this host holds exactly this address.
          type: bool
        interface:
          description: On which interface.
          type: str
        prefix:
          description: With which prefix length.
          type: int
        problems:
          description: What is wrong with where it is held.
          type: list
          elements: str
        arp:
          description:
            - Whether the link was C(asked) and on which C(interface), the C(answers) of other machines by MAC address,
              and the C(problem) if there was one.
            - Asked by ARP, or by Neighbour Discovery when the address is IPv6.
          type: dict
        identity:
          description: Whether the identity was C(asked), which node named itself, the HTTP status, the problem.
          type: dict
      sample:
        - address: 192.0.2.10
          instance: web
          held: true
          interface: eth0
          prefix: 24
          problems: []
          arp: {asked: true, interface: eth0, answers: [], problem: null}
          identity: {asked: true, node: node-a, status: 200, problem: null}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.owner import observe
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.system import System

ARGUMENT_SPEC = {
    "vips": {
        "type": "list",
        "elements": "dict",
        "options": {
            "address": {"type": "str", "required": True},
            "prefix": {"type": "int"},
            "interface": {"type": "str"},
            "instance": {"type": "str"},
        },
    },
    "state_file": {"type": "path", "default": "/run/keepalived/ha-pair/state.json"},
    "ask_arp": {"type": "bool", "default": True},
    "arp_interface": {"type": "str"},
    "arp_timeout": {"type": "float", "default": 1.0},
    "identity_url": {"type": "str"},
    "identity_header": {"type": "str", "default": "X-HA-Pair-Node"},
    "identity_timeout": {"type": "float", "default": 2.0},
}


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        report = observe(System(), module.params)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, vip_owner=report)


if __name__ == "__main__":
    main()
