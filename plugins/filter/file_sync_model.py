# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the model of the file synchronisation of a node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: file_sync_model
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The complete model of the file synchronisation of a node
description:
  - Builds what the role C(file_sync) prints and verifies, from C(file_sync_directories) and the variables beside it.
  - Input that cannot work is refused with all its problems at once; each names the place, the value and the cure.
positional: _input
options:
  _input:
    description: The directories by name, each with C(path), and with C(exclude), C(owner), C(group) and C(mode).
    type: dict
    required: true
  members:
    description: The addresses of the two nodes by name.
    type: dict
    required: true
  node:
    description: The name of this node.
    type: str
    required: true
  vrrp_instance:
    description: The VRRP instance whose owner is the source.
    type: str
    required: true
  vrrp_instances:
    description: The names of the VRRP instances of this node, where they are known.
    type: list
    elements: str
  service:
    description: The service whose node is the source; empty for the owner of the instance.
    type: str
    default: ""
  services:
    description: The names of the services that run on one node only, where they are known.
    type: list
    elements: str
  interval:
    description: The seconds between two rounds.
    type: int
    default: 5
  timeout:
    description: The seconds after which a silent peer is given up.
    type: int
    default: 30
  bandwidth:
    description: How many KiB a second may be sent; 0 for no limit.
    type: int
    default: 0
  keep_days:
    description: For how many days replaced files are kept.
    type: int
    default: 30
  port:
    description: The TCP port of sshd.
    type: int
    default: 22
  first:
    description: Whose files win where both nodes have some and nothing was ever mirrored; empty for nobody's.
    type: str
    default: ""
  watch:
    description: What starts rounds beside the timer, V(auto), V(lsyncd) or V(systemd).
    type: str
    default: auto
  users:
    description: The users of this node, as a list, or with their numbers as a dictionary, where they are known.
    type: raw
  groups:
    description: The groups of this node, as a list, or with their numbers as a dictionary, where they are known.
    type: raw
  existing:
    description:
      - What is in the directories, by node and by name, each with C(empty) and with C(marker), whether it was ever
        mirrored, where that is known. Of this node also C(kind), C(real), the path without links,
        and C(open_parent), a directory above to which others than root may write.
    type: dict
  peer_users:
    description: The numbers of the users of the other node, where they are known.
    type: dict
  peer_groups:
    description: The numbers of the groups of the other node, where they are known.
    type: dict
"""

EXAMPLES = r"""
- name: Show what the key of the other node may start
  ansible.builtin.debug:
    msg: >-
      {{ ({'data': {'path': '/srv/data'}} | duplex.ha_pair.file_sync_model(node='node-a', vrrp_instance='app',
          members={'node-a': '192.0.2.11', 'node-b': '192.0.2.12'})).key_options }}
"""

RETURN = r"""
_value:
  description: The model. Everything in it is complete.
  type: dict
  contains:
    node:
      description: The name of this node; C(address) is its address.
      type: str
    peer:
      description: The name of the other node; C(peer_address) is its address, C(peer_host) its name in known_hosts.
      type: str
    instance:
      description: The VRRP instance whose owner is the source.
      type: str
    service:
      description: The service whose node is the source; empty where that is the owner of the instance.
      type: str
    interval:
      description: The seconds between two rounds.
      type: int
    watch:
      description: What starts rounds beside the timer.
      type: str
    directories:
      description: The directories, each with C(name), C(path), C(exclude), C(owner), C(group) and C(mode).
      type: list
      elements: dict
    key_options:
      description: What stands before the key of the other node in authorized_keys.
      type: str
    settings:
      description: What the programs of the node read.
      type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._sync.model import build_sync


def file_sync_model(
    directories: t.Any,
    members: t.Any,
    node: str,
    vrrp_instance: t.Any,
    vrrp_instances: t.Any = None,
    service: t.Any = "",
    services: t.Any = None,
    interval: t.Any = 5,
    timeout: t.Any = 30,
    bandwidth: t.Any = 0,
    keep_days: t.Any = 30,
    port: t.Any = 22,
    first: t.Any = "",
    watch: t.Any = "auto",
    users: t.Any = None,
    groups: t.Any = None,
    existing: t.Any = None,
    peer_users: t.Any = None,
    peer_groups: t.Any = None,
) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    try:
        return build_sync(
            directories,
            members,
            node=node,
            instance=vrrp_instance,
            # Older versions of ansible-core make text of nothing.
            instances=vrrp_instances or None,
            service=service,
            services=services or None,
            interval=interval,
            timeout=timeout,
            bandwidth=bandwidth,
            keep_days=keep_days,
            port=port,
            first=first,
            watch=watch,
            users=users or None,
            groups=groups or None,
            existing=existing or None,
            peer_users=peer_users or None,
            peer_groups=peer_groups or None,
        ).to_dict()
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.file_sync_model refuses this input:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"file_sync_model": file_sync_model}
