#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client sees of a virtual address while something happens to it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: vip_probe
short_description: Ask a virtual address at a fixed interval and report every outage
version_added: 0.1.0
author:
  - duplex.ha_pair contributors (@duplex-ha)
description:
  - Starts a client in the background of a host and later returns what it saw. Every request is a connection of its own
    and is sent on time whether or not earlier ones were answered, so an outage is seen with the resolution of the
    interval. No request is repeated.
  - The client measures how late it sends. It refuses an interval that the host cannot keep, and reports the
    C(resolution) that it reached.
  - Beside it, connections that are kept open and one long download show what established connections suffer.
  - Runs on any host that reaches the address. For O(url) with C(icmp://) it needs root or CAP_NET_RAW.
options:
  state:
    description:
      - V(started) returns when the address has answered. V(stopped) ends the client and returns its result.
      - The result of a client that has ended by itself is kept until the next one of the same O(name) is started.
    type: str
    choices: [started, stopped]
    required: true
  name:
    description: The name of the client. Several may run on a host under different names.
    type: str
    default: probe
  url:
    description:
      - What to ask. C(http://HOST[:PORT]/PATH), C(https://) without a look at the certificate, C(tcp://HOST:PORT) for a
        connection alone, or C(icmp://HOST) for an echo. An IPv6 address stands in brackets.
      - Answered is an HTTP request with a status of 200 to 399, and the whole answer or 64 KiB of it.
      - Required for O(state=started).
    type: str
  interval:
    description: Seconds from one request to the next, 0.001 to 10.
    type: float
    default: 0.01
  timeout:
    description:
      - Seconds after which a request is lost, 0.01 to 10.
      - Longer than one second, and the kernel repeats the packet that opens a connection.
    type: float
    default: 0.5
  duration:
    description: Seconds after which the client ends by itself, 1 to 604800.
    type: float
    default: 600
  start_timeout:
    description: Seconds in which the address has to answer for the first time, 0.1 to 600.
    type: float
    default: 5
  header:
    description: The header of an HTTP answer that names the node.
    type: str
    default: X-HA-Pair-Node
  keepalive:
    description:
      - So many connections are kept open beside the requests, with a request each 0.1 s, up to 100. Not for C(tcp) and
        C(icmp).
      - One that is broken or not answered within O(timeout) is opened again, and that is reported. One that the server
        closes after an answer that said so is not broken.
    type: int
    default: 0
  post_url:
    description:
      - What the kept connections ask by POST in place of O(url), with C({id}) where a text stands that is another one
        in each request. No request is repeated, so what was carried out twice was repeated on the way.
      - Needs O(keepalive).
    type: str
  download_url:
    description:
      - A file that is fetched at 64 KiB per second, and again when it has come to its end. Not again after it broke.
    type: str
  directory:
    description:
      - Where the client keeps its files, an absolute path.
      - Without it C(/run/ha-pair-drill) for root, else C(ha-pair-drill-UID) in the directory for temporary files.
    type: path
attributes:
  check_mode:
    description: Starts and stops nothing and says so.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: A client that runs is not started twice but refused. One that has been stopped gives its result again.
    support: partial
  platform:
    description: Linux.
    support: full
    platforms: linux
seealso:
  - module: duplex.ha_pair.vip_owner
requirements:
  - Python 2.7 or 3.6 and newer
"""

EXAMPLES = r"""
- name: Watch the address as a client does
  duplex.ha_pair.vip_probe:
    state: started
    url: http://192.0.2.10/ha-pair/health
    keepalive: 4

- name: See what happened meanwhile
  duplex.ha_pair.vip_probe:
    state: stopped
  register: seen

- name: Ask a database port ten times a second
  duplex.ha_pair.vip_probe:
    state: started
    name: database
    url: tcp://[2001:db8::10]:5432
    interval: 0.1
"""

RETURN = r"""
probe:
  description:
    - What the client saw. Moments are seconds since 1970 by the clock of the host it ran on.
    - For O(state=started) only C(url), C(interval), C(timeout), C(started_at), and the C(node) that answered.
  returned: success, not in check mode
  type: dict
  contains:
    url:
      description: What was asked.
      type: str
    interval:
      description: Seconds from one request to the next.
      type: float
    timeout:
      description: Seconds after which a request was lost.
      type: float
    started_at:
      description: When the first request that counts was due.
      type: float
    ended_at:
      description: When the last one had been sent.
      type: float
    ended_by:
      description: V(stop), or V(limit) when O(duration) was over.
      type: str
    seconds:
      description: From the start to the last request.
      type: float
    requests:
      description: How many requests were sent and had time to be answered.
      type: int
    lost:
      description: How many of them were not answered.
      type: int
    longest:
      description: Seconds of the longest outage, 0 without any.
      type: float
    resolution:
      description: Seconds below which nothing can be said of an outage, the greater of C(interval) and C(late.p99).
      type: float
    late:
      description: How many seconds after its time a request was sent. C(median), C(p99) and C(max).
      type: dict
    latency:
      description: Seconds until an answer had come. C(median), C(p95), C(p99) and C(max), V(null) without any.
      type: dict
    answered_by:
      description: How many answers came from which node. V(unknown) stands for an answer that names none.
      type: dict
    owners:
      description: From when on which C(node) answered, by the time C(at) which the request was sent.
      type: list
      elements: dict
    outages:
      description:
        - Each from the C(start), when the first unanswered request was sent, to the C(end), when the first answered one
          after it was sent, V(null) if there was none. The C(seconds) between them, how many requests were C(lost), and
          which node answered C(before) and C(after).
      type: list
      elements: dict
    reasons:
      description: Why requests were lost and how many.
      type: dict
    stalls:
      description: Times C(from) and C(to) which this host did not run or fell behind, and so sent nothing.
      type: list
      elements: dict
    keepalive:
      description:
        - The number of C(connections), how many C(requests) they sent and how many of them were C(lost), and which
          connections were C(broken). One that was broken while nothing was asked lost no request.
        - With O(post_url) in C(posts) the C(prefix) of the texts in place of C({id}), which end in -1, -2 and so on,
          how many were C(sent) since the client began, and which were C(lost).
        - Of those that were broken each C(at) the time when the request was sent that was not answered, for C(seconds)
          until a new connection was answered, V(null) if none was, and by which node it was answered C(before) and
          C(after).
      type: dict
    download:
      description:
        - V(null) without O(download_url). Otherwise the C(bytes) that came, when it was C(broken_at) or V(null), the
          C(longest_stall) in seconds in which no byte came, and the C(problem).
        - One that got no more byte for a second until the end counts as broken at its last byte.
      type: dict
  sample:
    url: http://192.0.2.10/ha-pair/health
    interval: 0.01
    timeout: 0.5
    started_at: 1795249190.204518
    ended_at: 1795249200.204612
    ended_by: stop
    seconds: 9.99
    requests: 1000
    lost: 21
    longest: 0.21
    resolution: 0.01
    late: {median: 0.00012, p99: 0.00061, max: 0.00188}
    latency: {median: 0.00071, p95: 0.00118, p99: 0.00204, max: 0.00873}
    answered_by: {node-a: 410, node-b: 569}
    owners: [{at: 1795249190.204537, node: node-a}, {at: 1795249194.514581, node: node-b}]
    outages:
      - {start: 1795249194.304574, end: 1795249194.514581, seconds: 0.21, lost: 21, before: node-a, after: node-b}
    reasons: {Connection refused: 21}
    stalls: []
    keepalive:
      connections: 4
      requests: 390
      lost: 1
      posts: null
      broken: [{at: 1795249194.311244, seconds: 0.21002, before: node-a, after: node-b}]
    download: {bytes: 655360, broken_at: null, longest_stall: 0.0204, problem: null}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._drill import background, client
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["started", "stopped"], "required": True},
    "name": {"type": "str", "default": "probe"},
    "url": {"type": "str"},
    "interval": {"type": "float", "default": 0.01},
    "timeout": {"type": "float", "default": 0.5},
    "duration": {"type": "float", "default": 600},
    "start_timeout": {"type": "float", "default": 5},
    "header": {"type": "str", "default": "X-HA-Pair-Node"},
    "keepalive": {"type": "int", "default": 0},
    "post_url": {"type": "str"},
    "download_url": {"type": "str"},
    "directory": {"type": "path"},
}
ASKED = ("url", "interval", "timeout", "duration", "header", "keepalive", "post_url", "download_url", "start_timeout")
# Beyond its start_timeout what a process on a busy host needs to come to life (seconds).
PATIENCE = 10.0


def start(directory, params):
    """Ask in the background; what the client said when it was ready."""
    settings = client.Settings(**{name: params[name] for name in ASKED})
    return background.start(
        directory,
        params["name"],
        lambda job: client.Client(settings).run(job),
        settings.duration,
        {"url": params["url"]},
        settings.start_timeout + PATIENCE,
    )


def run(module, params):
    """What to answer."""
    directory = params["directory"] or background.default_directory()
    runs = background.running(directory, params["name"]) is not None
    starting = params["state"] == "started"
    if module.check_mode:
        said = "check mode: %s in %s was not %s" % (params["name"], directory, params["state"])
        if starting:
            client.Settings(**{name: params[name] for name in ASKED})
        return {"changed": starting != runs, "msg": said}
    if starting:
        return {"changed": True, "probe": start(directory, params)}
    result = background.stop(directory, params["name"])
    if "error" in result:
        raise NodeError("%s in %s: ended with an error: %s" % (params["name"], directory, result["error"]))
    return {"changed": runs, "probe": result}


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC, required_if=[("state", "started", ["url"])], supports_check_mode=True
    )
    try:
        module.exit_json(**run(module, module.params))
    except NodeError as exc:
        module.fail_json(msg=str(exc))


if __name__ == "__main__":
    main()
