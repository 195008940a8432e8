# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the model of a Tomcat node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tomcat_model
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The complete model of a Tomcat node
description:
  - Builds what the role P(duplex.ha_pair.tomcat#role) prints and verifies, from the role's variables and what is known
    of the node.
  - Input that cannot work is refused with all its problems at once; each names the place, the value and the cure.
  - The result holds the passwords of the variables.
positional: _input
options:
  _input:
    description: The variables of the role by name, without their prefix.
    type: dict
    required: true
  node_name:
    description: The name of the node in the inventory.
    type: str
    required: true
  facts:
    description: The facts of the node.
    type: dict
    required: true
  survey:
    description:
      - What the module M(duplex.ha_pair.tomcat_survey) found on the node. Without it nothing is refused for its sake.
    type: dict
  wars:
    description:
      - What M(ansible.builtin.stat) said on the controller of each WAR, as the results of a loop over their paths. The
        filter P(duplex.ha_pair.tomcat_wars#filter) says which those are.
    type: list
    elements: dict
"""

EXAMPLES = r"""
- name: Show where Tomcat would lie
  ansible.builtin.debug:
    msg: "{{ (given | duplex.ha_pair.tomcat_model(node_name='node-a', facts=ansible_facts)).layout }}"
"""

RETURN = r"""
_value:
  description: The model. Everything in it is complete.
  type: dict
  contains:
    layout:
      description: The package or tarball, the unit, and the directories of Tomcat.
      type: dict
    java:
      description: The C(version), C(package) and C(home) of Java.
      type: dict
    options:
      description: The options of the JVM.
      type: list
      elements: str
    heap:
      description: The heap in MiB; nothing where the node's memory is not known.
      type: int
    port:
      description: The port for HTTP.
      type: int
    address:
      description: The address to listen on; empty for all.
      type: str
    connector:
      description: Further attributes of the connector, as pairs.
      type: list
      elements: list
    trusted:
      description: The regular expression of the trusted proxies; empty for none.
      type: str
    environment:
      description: Variables of Tomcat's environment, as pairs.
      type: list
      elements: list
    users:
      description: The users of Tomcat's own realm, with their passwords.
      type: list
      elements: dict
    roles:
      description: The roles that they have.
      type: list
      elements: str
    manager:
      description: Whether the manager application runs.
      type: bool
    applications:
      description: The applications, each with the release that is to run. No password is in there.
      type: list
      elements: dict
    contexts:
      description: By application the elements of its descriptor, C(environment), C(parameters) and C(resources).
      type: dict
    keep_releases:
      description: How many releases of each stay.
      type: int
    sessions:
      description: Where the sessions live.
      type: dict
    write_paths:
      description: The directories that Tomcat may write to besides its own.
      type: list
      elements: str
    hosts:
      description: Lines of C(/etc/hosts).
      type: list
      elements: str
    health_url:
      description: The URL by which the node itself asks whether Tomcat is ready.
      type: str
    ready_timeout:
      description: How long to wait for it, in seconds.
      type: int
    asked:
      description: What has to answer once Tomcat has started, each with C(place), C(url) and C(tries).
      type: list
      elements: dict
    selinux:
      description: What SELinux must be told, C(manage), C(ports) and C(paths).
      type: dict
    node_name:
      description: The name of the node.
      type: str
"""

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._tomcat.model import build_tomcat
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._tomcat.wars import look_at_wars


def tomcat_model(given: t.Any, node_name: t.Any, facts: t.Any, survey: t.Any = None, wars: t.Any = None) -> t.Any:
    """See DOCUMENTATION."""
    if not isinstance(given, Mapping):
        raise AnsibleFilterError(f"duplex.ha_pair.tomcat_model expects a dictionary, got {type(given).__name__}")
    try:
        return build_tomcat(
            given, node_name=str(node_name), facts=facts, survey=survey, wars=look_at_wars(wars or [])
        ).to_dict()
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.tomcat_model refuses this input:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"tomcat_model": tomcat_model}
