# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the model of a node's NFS mounts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nfs_mounts
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The complete model of the NFS mounts of a node
description:
  - Builds what the role P(duplex.ha_pair.nfs_mount#role) prints and verifies, from C(nfs_mount_mounts) and the
    variables beside it.
  - Input that cannot work, or that lets a node hang for ever, is refused with all its problems at once; each names the
    place, the value and the cure.
positional: _input
options:
  _input:
    description:
      - The mounts, each a dictionary with C(path) and C(source). Optional are C(version), C(recovery), C(timeo),
        C(retrans), C(port), C(read_only), C(options) and C(services).
    type: list
    elements: dict
    required: true
  node_name:
    description: The name of the node, for messages.
    type: str
    required: true
  timeout:
    description: For how long mounting and unmounting may take, in seconds, 5 to 600.
    type: int
    default: 30
  connect_timeout:
    description: For how long a server may take to accept a connection, in seconds, 0.5 to 60.
    type: float
    default: 5
  retry_interval:
    description: After how many seconds a mount that failed is tried again, 5 to 3600.
    type: int
    default: 15
  manage_selinux:
    description: Whether SELinux is to allow the services what they need, where the facts say that it is on.
    type: bool
    default: true
  facts:
    description: The facts of the node. Given those, what its kernel does not know is refused.
    type: dict
"""

EXAMPLES = r"""
- name: Show what would be mounted
  ansible.builtin.debug:
    msg: >-
      {{ [{'path': '/srv/data', 'source': '192.0.2.20:/export/data'}] | duplex.ha_pair.nfs_mounts(node_name='node-a') }}
"""

RETURN = r"""
_value:
  description: The model. Everything in it is complete.
  type: dict
  contains:
    mounts:
      description:
        - The mounts with C(place) (where it was written), C(path), C(unit), C(source), C(server), C(port), C(options)
          (the line for mount), C(running) (what the kernel has to show of it afterwards) and C(services).
      type: list
      elements: dict
    by_service:
      description: The paths that each service needs, by its name.
      type: dict
    timeout:
      description: For how long mounting and unmounting may take, in seconds.
      type: int
    connect_timeout:
      description: For how long a server may take to accept a connection, in seconds.
      type: float
    retry_interval:
      description: After how many seconds a mount that failed is tried again.
      type: int
    booleans:
      description: The booleans of SELinux that the services need; nothing where it is off or somebody else's.
      type: list
      elements: str
    warnings:
      description: What works, but not as one might think.
      type: list
      elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nfs.mounts import build_mounts
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError


def nfs_mounts(
    mounts: t.Any,
    node_name: t.Any,
    timeout: t.Any = 30,
    connect_timeout: t.Any = 5,
    retry_interval: t.Any = 15,
    manage_selinux: t.Any = True,
    facts: t.Any = None,
) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    try:
        return build_mounts(
            mounts,
            node_name=node_name,
            timeout=timeout,
            connect_timeout=connect_timeout,
            retry_interval=retry_interval,
            manage_selinux=manage_selinux,
            facts=facts,
        ).to_dict()
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.nfs_mounts refuses this input:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"nfs_mounts": nfs_mounts}
