# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the model of the Java services of a node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: java_service_model
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The complete model of the Java services of a node
description:
  - Builds what the role C(java_service) prints, does and verifies, from its variables.
  - Input that cannot work is refused with all its problems at once; each names the place, the value and the cure.
  - The result holds the secrets of the environments, under C(environments); print nothing of that.
positional: _input
options:
  _input:
    description: The variables of the role, without their prefix. C(services) is the one that is required.
    type: dict
    required: true
  node:
    description: The name of this node.
    type: str
    required: true
  facts:
    description: The facts of the node; C(distribution) and what goes with it are needed.
    type: dict
    required: true
  survey:
    description: What M(duplex.ha_pair.java_survey) found on the node, where it has looked.
    type: dict
  units:
    description: What M(duplex.ha_pair.node_survey) found of the units that are named, where it has looked.
    type: dict
  jars:
    description:
      - What M(ansible.builtin.stat) found of the jars on the controller, as a list of results that each hold C(item),
        where it has looked.
    type: list
    elements: dict
  vrrp_instances:
    description: The variable C(keepalived_instances), where there is one.
    type: dict
  made:
    description: Directories that other roles of the same run make.
    type: list
    elements: str
  owned:
    description: Those of them that get an owner there, and are left alone here.
    type: list
    elements: str
  followers:
    description: By service, the units that another role binds to it.
    type: dict
  witness_lease:
    description: For how many seconds the witness lends at the most, where it is known.
    type: float
  mounts:
    description: Where file servers are mounted, also those that are not mounted yet.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Show what would run
  ansible.builtin.debug:
    msg: >-
      {{ ({'services': {'fetcher': {'command': ['/usr/local/bin/fetcher'], 'arbiter': {'kind': 'none'}}}}
          | duplex.ha_pair.java_service_model(node='node-a', facts=ansible_facts)).services[0].start }}
"""

RETURN = r"""
_value:
  description: The model. Everything in it is complete.
  type: dict
  contains:
    node:
      description: The name of this node.
      type: str
    java:
      description: The Java, C(package) and C(home); none where no service is a jar.
      type: dict
    services:
      description: The services, each with all that its unit says.
      type: list
      elements: dict
    environments:
      description: By service, the lines of its file of variables.
      type: dict
    survey:
      description: For which services M(duplex.ha_pair.java_survey) is to look, as that takes them.
      type: list
      elements: dict
    reads:
      description:
        - What each unit reads when it starts, C(name) and C(files), as M(duplex.ha_pair.java_survey) takes them.
      type: list
      elements: dict
    agent:
      description: The settings of the program that starts and stops; none where no service is active_standby.
      type: dict
    secrets:
      description: Which secrets that program needs, C(channel) and C(witness).
      type: list
      elements: str
    pair:
      description: The two nodes, as their programs reach each other; none where they have no channel.
      type: dict
"""

import typing as t
import zipfile
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._java.model import build_services
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError


def _files(results: t.Any) -> dict[str, dict[str, t.Any]]:
    """What the controller knows of its files, by path."""
    found = {}
    for result in results or []:
        stat = result.get("stat")
        if isinstance(stat, Mapping):
            path, checksum = str(result["item"]), stat.get("checksum")
            # One that cannot be read has no checksum either, and that is what is told.
            archive = bool(stat.get("exists") and checksum) and zipfile.is_zipfile(path)
            found[path] = {"exists": stat.get("exists"), "sha256": checksum, "archive": archive}
    return found


def java_service_model(
    given: t.Any,
    node: str,
    facts: t.Any,
    survey: t.Any = None,
    units: t.Any = None,
    jars: t.Any = None,
    vrrp_instances: t.Any = None,
    made: t.Any = (),
    owned: t.Any = (),
    followers: t.Any = None,
    witness_lease: t.Any = None,
    mounts: t.Any = (),
) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    try:
        return build_services(
            given,
            node=node,
            facts=facts,
            # Older versions of ansible-core make text of nothing.
            survey=survey or None,
            units=units or None,
            jars=_files(jars),
            instances=vrrp_instances if isinstance(vrrp_instances, Mapping) else None,
            made=made or (),
            owned=owned or (),
            followers=followers or None,
            witness_lease=witness_lease,
            mounts=mounts or (),
        ).to_dict()
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.java_service_model refuses this input:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"java_service_model": java_service_model}
