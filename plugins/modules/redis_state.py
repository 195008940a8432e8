#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: redis_state
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Ask a Redis which part it plays
description:
  - Logs in to Redis or Valkey, asks for its part in the replication, and answers within a timeout in any case.
  - Needs neither C(redis-cli) nor a library of Python on the node. The password is in no command line.
  - Changes nothing, and does not fail when there is no answer; RV(problem) says why.
options:
  host:
    description: Where it listens, as seen from the node.
    type: str
    default: 127.0.0.1
  port:
    description: Its TCP port.
    type: int
    default: 6379
  username:
    description: The user to log in as; empty for the default user.
    type: str
    default: ""
  password:
    description: The password.
    type: str
  timeout:
    description: For how long it may take to connect, and then to answer, in seconds.
    type: float
    default: 2
  connect_only:
    description: Only see whether something listens there, for a server that speaks TLS.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Ask the Redis of this node
  duplex.ha_pair.redis_state:
    password: "{{ vault_redis_password }}"
  register: answer
"""

RETURN = r"""
problem:
  description: Why there is no answer, in one line; empty when there is one.
  returned: always
  type: str
  sample: "192.0.2.11:6379: no connection within 2 s"
server:
  description: What it says of itself; nothing when there is no answer.
  returned: always
  type: dict
  contains:
    role:
      description: V(primary) or V(replica).
      type: str
    of:
      description: For a replica, C(host:port) of its primary.
      type: str
    link:
      description: For a replica, whether it has all that its primary has sent.
      type: bool
    loading:
      description: Whether it still reads its data.
      type: bool
    keys:
      description: How many keys it has, in all databases.
      type: int
    replicas:
      description: For a primary, the addresses of the replicas that follow it.
      type: list
      elements: str
    offset:
      description: How much of the stream of changes it has, in bytes.
      type: int
    version:
      description: Its version.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.redis import Redis, RedisError


def main():
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 6379},
            "username": {"type": "str", "default": ""},
            "password": {"type": "str", "no_log": True},
            "timeout": {"type": "float", "default": 2},
            "connect_only": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given, connection = module.params, None
    password = None if given["connect_only"] else given["password"]
    try:
        connection = Redis(given["host"], given["port"], password, given["username"], given["timeout"])
        server = None if given["connect_only"] else connection.status()
        problem = ""
    except RedisError as exc:
        server, problem = None, str(exc)
    finally:
        if connection is not None:
            connection.close()
    module.exit_json(changed=False, problem=problem, server=server)


if __name__ == "__main__":
    main()
