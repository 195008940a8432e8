# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the model of an Nginx node's sites."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nginx_sites
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: The complete model of the sites of an Nginx node
description:
  - Builds what the role P(duplex.ha_pair.nginx#role) prints and verifies, from C(nginx_sites) and the variables beside
    it.
  - Input that cannot work is refused with all its problems at once; each names the place, the value and the cure.
positional: _input
options:
  _input:
    description:
      - The sites, each a dictionary with C(name) and either C(root) or C(upstream) (with C(hosts) and C(port), or
        C(servers), and what the role P(duplex.ha_pair.nginx#role) knows beside them). Optional are C(listen),
        C(server_names), C(index_page), C(tls) (with C(certificate) and C(key)), C(tls_listen), C(redirect),
        C(client_max_body_size) and C(extra).
    type: list
    elements: dict
    required: true
  node_name:
    description: The name by which the node is known to clients.
    type: str
    required: true
  node_header:
    description: The response header that carries the name; empty for none.
    type: str
    default: X-HA-Pair-Node
  health_path:
    description: The path under which every site answers health checks.
    type: str
    default: /ha-pair/health
  health_url:
    description: The URL by which the node itself asks whether it is ready.
    type: str
    default: http://127.0.0.1/ha-pair/health
  ipv6:
    description: Whether the sites listen on IPv6 as well.
    type: bool
    default: false
  files:
    description:
      - The text of the files on the controller that C(tls) names, by path. The filter
        P(duplex.ha_pair.nginx_tls_paths#filter) says which those are.
    type: dict
    default: {}
  tls_directory:
    description: Where certificates and keys lie on the node.
    type: str
    default: /etc/nginx/ha-pair/tls
  repository:
    description: Where the package comes from, V(distribution), V(nginx.org) or V(epel).
    type: str
    default: distribution
  repository_url:
    description: The URL of the repository, where it is not the distribution's.
    type: str
    default: ""
  repository_key_url:
    description: The https URL of the key of that repository, or the absolute path of a file on the controller.
    type: str
    default: ""
  epel_url:
    description: The URL of EPEL 7, where the package comes from there.
    type: str
    default: ""
  epel_key_url:
    description: The https URL of the key of that repository, or the absolute path of a file on the controller.
    type: str
    default: ""
  module_stream:
    description: The module stream of the distribution's nginx; empty for the default.
    type: str
    default: ""
  manage_selinux:
    description: Whether SELinux is to allow nginx what its sites need, where the facts say that it is on.
    type: bool
    default: true
  facts:
    description: The facts of the node. Given those, a system that is not supported is refused.
    type: dict
  upstream_hosts:
    description:
      - What the inventory says of the addresses of the hosts that pools name. The filter
        P(duplex.ha_pair.nginx_upstream_hosts#filter) gives that.
    type: dict
    default: {}
  upstream_drained:
    description: Hosts of pools to which nothing new is sent.
    type: list
    elements: str
    default: []
  inventory:
    description: The names of all hosts of the inventory, to suggest one for a name that is wrong.
    type: list
    elements: str
    default: []
  real_ip_from:
    description: Networks of proxies in front of the node, which say who the client is.
    type: list
    elements: str
    default: []
  real_ip_header:
    description: The header in which they say it.
    type: str
    default: X-Forwarded-For
  other_ports:
    description: Ports that other services of the node are to have, by the variables that say so.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show what would be printed
  ansible.builtin.debug:
    msg: "{{ [{'name': 'web', 'root': '/var/www/web'}] | duplex.ha_pair.nginx_sites(node_name='node-a') }}"
"""

RETURN = r"""
_value:
  description: The model. Everything in it is complete.
  type: dict
  contains:
    sites:
      description:
        - The sites with C(name), C(listen), C(tls_listen), C(servers) (the server blocks, with C(listens) in the words
          of nginx, and C(redirect)), C(server_names), C(root), C(index_page), C(tls) (the paths C(certificate) and
          C(key) on the node, and C(directives)), C(client_max_body_size), C(extra) (lines) and C(upstream).
        - The latter has C(name), C(servers) in the words of nginx, C(members) (those that are hosts of the inventory,
          with C(host), C(address), C(port) and C(drained)), C(method), C(keepalive), C(keepalive_timeout), C(websocket)
          and C(directives).
        - No key is in there; the filter P(duplex.ha_pair.nginx_tls_files#filter) gives those.
      type: list
      elements: dict
    ports:
      description: All ports on which a site listens.
      type: list
      elements: int
    tls_paths:
      description: The paths of all certificates and keys on the node.
      type: list
      elements: str
    repository:
      description: The repository with C(url), and C(key_url) or C(key_file); nothing for the distribution's.
      type: dict
    module_stream:
      description: The module stream of the distribution's nginx; nothing for the default.
      type: str
    selinux:
      description:
        - What SELinux must be told to allow. C(connects), whether a site passes requests on, and the C(ports) and
          C(roots) that the policy does not give to HTTP. Nothing of it where SELinux is off or somebody else's.
      type: dict
    clients:
      description:
        - Who a client is. C(trusted) networks say it in C(header); C(proto), C(host) and C(port) are the values of the
          headers that servers behind the node get.
      type: dict
    passes_on:
      description: Whether a site has an upstream.
      type: bool
    websocket:
      description: Whether one of those takes WebSockets.
      type: bool
    health_path:
      description: The path under which every site answers health checks.
      type: str
    health_url:
      description: The URL by which the node itself asks whether it is ready.
      type: str
    node_name:
      description: The name by which the node is known to clients.
      type: str
    node_header:
      description: The response header that carries the name; empty for none.
      type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._nginx.sites import build_sites
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError


def nginx_sites(
    sites: t.Any,
    node_name: t.Any,
    node_header: t.Any = "X-HA-Pair-Node",
    health_path: t.Any = "/ha-pair/health",
    health_url: t.Any = "http://127.0.0.1/ha-pair/health",
    ipv6: t.Any = False,
    files: t.Any = None,
    tls_directory: str = "/etc/nginx/ha-pair/tls",
    repository: t.Any = "distribution",
    repository_url: t.Any = "",
    repository_key_url: t.Any = "",
    epel_url: t.Any = "",
    epel_key_url: t.Any = "",
    module_stream: t.Any = "",
    manage_selinux: t.Any = True,
    facts: t.Any = None,
    upstream_hosts: t.Any = None,
    upstream_drained: t.Any = (),
    inventory: t.Any = (),
    real_ip_from: t.Any = (),
    real_ip_header: t.Any = "X-Forwarded-For",
    other_ports: t.Any = None,
) -> dict[str, t.Any]:
    """See DOCUMENTATION."""
    try:
        return build_sites(
            sites,
            node_name=node_name,
            node_header=node_header,
            health_path=health_path,
            health_url=health_url,
            ipv6=ipv6,
            files=files,
            tls_directory=tls_directory,
            repository=repository,
            repository_url=repository_url,
            repository_key_url=repository_key_url,
            epel_url=epel_url,
            epel_key_url=epel_key_url,
            module_stream=module_stream,
            manage_selinux=manage_selinux,
            facts=facts,
            upstream_hosts=upstream_hosts,
            upstream_drained=upstream_drained,
            inventory=inventory,
            real_ip_from=real_ip_from,
            real_ip_header=real_ip_header,
            other_ports=other_ports,
        ).to_dict()
    except InputError as exc:
        raise AnsibleFilterError(f"duplex.ha_pair.nginx_sites refuses this input:\n{exc}") from exc


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"nginx_sites": nginx_sites}
