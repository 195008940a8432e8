#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: connection_drain
short_description: End idle connections to a virtual address before it moves
version_added: 0.1.0
author:
  - duplex.ha_pair contributors (@duplex-ha)
description:
  - A virtual address takes none of its connections with it when it moves. A client that kept one open finds that out
    from the request that it loses. When an idle connection ends before, the client opens another one for its next
    request and loses nothing.
  - Works on the connections of the kernel, so it does not matter which program serves, and nothing has to be reloaded.
    A connection on which a request was not answered yet, or data waits, is left alone.
  - V(started) ends what has been idle for half a second, and returns when the requests of the beginning are done, or
    O(patience) is over. From V(hastened) on, until the address has left the host, O(quiet) is enough to be called idle,
    so that few connections are open at the moment of the move. A request that is under way at that moment is lost.
  - Hasten it as late as you can. Of many ends one meets a client that asks at that very moment.
  - Needs a kernel that can end connections (C(CONFIG_INET_DIAG_DESTROY), Linux 4.9 or newer). On another one, such as
    that of EL 7, nothing happens, and RV(drain.problem) says so.
options:
  state:
    description:
      - V(started) begins, and returns when the address may move.
      - V(hastened) says that it is about to move.
      - V(stopped) ends and returns what was done. It ends by itself when the addresses have left the host.
    type: str
    choices: [started, hastened, stopped]
    required: true
  name:
    description: The name of the work. Several may run on a host under different names.
    type: str
    default: drain
  vips:
    description: The addresses, IPv4 and IPv6, without prefix. Required for O(state=started).
    type: list
    elements: str
  patience:
    description: For how many seconds requests of the beginning are waited for, 0 to 3600.
    type: float
    default: 10
  quiet:
    description: After how many seconds without data a connection is idle, once it was hastened, 0.001 to 60.
    type: float
    default: 0.002
  after:
    description: Seconds from now until V(hastened) holds, 0 to 3600, for an address that leaves only later.
    type: float
    default: 0
  limit:
    description: Seconds after which it ends by itself, beyond O(patience), 1 to 3600.
    type: float
    default: 120
attributes:
  check_mode:
    description: Ends nothing and says so.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: Work that is under way is not started twice but refused. What has ended gives its result again.
    support: partial
  platform:
    description: Linux.
    support: full
    platforms: linux
seealso:
  - module: duplex.ha_pair.vip_raise
requirements:
  - Python 2.7 or 3.6 and newer
  - root, or CAP_NET_ADMIN
"""

EXAMPLES = r"""
- name: Let clients of the old owner open new connections
  duplex.ha_pair.connection_drain:
    state: started
    vips: [192.0.2.10]

- name: Have them ready, just before the address moves
  duplex.ha_pair.connection_drain:
    state: hastened

- name: See what it did, after the address has moved
  duplex.ha_pair.connection_drain:
    state: stopped
  register: drained
"""

RETURN = r"""
drain:
  description: What was done, so far for O(state=started).
  returned: success, for V(started) and V(stopped), not in check mode
  type: dict
  contains:
    closed:
      description: How many connections were ended.
      type: int
    busy:
      description: How many requests of the beginning were not done.
      type: int
    seconds:
      description: How long it took.
      type: float
    problem:
      description: Why nothing was done, V(null) when it was.
      type: str
  sample: {closed: 12, busy: 0, seconds: 0.52, problem: null}
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import address_watch, background
from ansible_collections.duplex.ha_pair.plugins.module_utils._drill.rtnetlink import AddressEvents
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.system import HOLDING_INTERFACE
from ansible_collections.duplex.ha_pair.plugins.module_utils._release import sockets
from ansible_collections.duplex.ha_pair.plugins.module_utils._release.draining import Drain

RANGES = {"patience": (0, 3600), "quiet": (0.001, 60), "limit": (1, 3600), "after": (0, 3600)}
# What a process on a busy host needs to come to life (seconds).
START = 10.0

_clock = getattr(time, "monotonic", time.time)


class Holding(object):
    """Whether one of the addresses is on this host, other than on the loopback, through which nobody serves."""

    def __init__(self, vips):
        self._source = AddressEvents()
        self._follower = address_watch.Follower(vips, self._source, address_watch.Clock())
        self._follower.begin()

    def __call__(self):
        self._follower.hear()
        held = self._follower.held().values()
        return any(name != HOLDING_INTERFACE for names in held for name in names)


def work(params):
    """What the process in the background does."""

    def drain(job):
        try:
            # For a few seconds, in which each millisecond counts.
            os.nice(-10)
        except OSError:
            pass  # in a container that may not, it comes when it comes
        kernel = sockets.Kernel()
        try:
            addresses = [sockets.packed(vip) for vip in params["vips"]]
            holds = Holding(params["vips"])

            def hastened():
                return is_hastened(job.told(), _clock())

            return Drain(kernel, addresses, params["patience"], params["quiet"], holds, hastened, _clock).run(job)
        finally:
            kernel.close()

    return drain


def is_hastened(told, now):
    """Whether the time has come that was told, if any was."""
    return told is not None and now >= float(told)


def refuse(params):
    """NodeError when the options cannot be."""
    if params["state"] == "started":
        address_watch.keys(params["vips"])
    for name, (low, high) in sorted(RANGES.items()):
        if not low <= params[name] <= high:
            raise NodeError("%s: %g is not in %g..%g" % (name, params[name], low, high))


def run(module, params):
    """What to answer."""
    directory = background.default_directory()
    runs = background.running(directory, params["name"]) is not None
    starting = params["state"] == "started"
    refuse(params)
    if module.check_mode:
        said = "check mode: %s in %s was not %s" % (params["name"], directory, params["state"])
        return {"changed": params["state"] == "hastened" or starting != runs, "msg": said}
    if starting:
        limit = params["patience"] + params["limit"]
        drain = background.start(
            directory, params["name"], work(params), limit, {"vips": params["vips"]}, params["patience"] + START
        )
        return {"changed": True, "drain": drain}
    if params["state"] == "hastened":
        # The clock is that of the host, not of a process.
        background.tell(directory, params["name"], "%r" % (_clock() + params["after"]))
        return {"changed": True}
    result = background.stop(directory, params["name"])
    if "error" in result:
        raise NodeError("%s in %s: ended with an error: %s" % (params["name"], directory, result["error"]))
    return {"changed": runs, "drain": {name: result[name] for name in ("closed", "busy", "seconds", "problem")}}


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "hastened", "stopped"], "required": True},
            "name": {"type": "str", "default": "drain"},
            "vips": {"type": "list", "elements": "str"},
            "patience": {"type": "float", "default": 10.0},
            "quiet": {"type": "float", "default": 0.002},
            "after": {"type": "float", "default": 0.0},
            "limit": {"type": "float", "default": 120.0},
        },
        required_if=[("state", "started", ["vips"])],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module, module.params))
    except NodeError as exc:
        module.fail_json(msg=str(exc))


if __name__ == "__main__":
    main()
