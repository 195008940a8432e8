# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair in two networks, with both families, for the tests of what is built and refused."""

from __future__ import annotations

import copy
import typing as t
from collections.abc import Callable

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.build import build_node
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.model import Instance, NodeModel

Hosts = dict[str, dict[str, t.Any]]
Change = Callable[[Hosts], None]


def _facts(number: int) -> dict[str, t.Any]:
    def six(address: str, scope: str = "global") -> dict[str, str]:
        return {"address": address, "prefix": "64", "scope": scope}

    return {
        "distribution": "Debian",
        "distribution_major_version": "12",
        "os_family": "Debian",
        "interfaces": ["lo", "eth0", "eth1"],
        "lo": {"ipv4": {"address": "127.0.0.1", "prefix": "8"}, "ipv6": [six("::1", "host")]},
        "eth0": {
            "ipv4": {"address": f"192.0.2.{number}", "prefix": "24"},
            "ipv6": [six("fe80::1", "link"), six(f"2001:db8::{number}"), six(f"2001:db8::f{number}")],
        },
        "eth1": {
            "ipv4": {"address": f"198.51.100.{number}", "prefix": "24"},
            "ipv6": [six("fe80::2", "link"), six(f"2001:db8:1::{number}")],
        },
    }


class Pair:
    """Two hosts with facts; `web` changes the options of the instance of that name on both."""

    def hosts(self, web: dict[str, t.Any] | None = None, change: Change | None = None, **others: t.Any) -> Hosts:
        """Variables by host name. others: further instances, or keepalived_* variables of both hosts."""
        variables = {name: value for name, value in others.items() if name.startswith("keepalived_")}
        instances = {name: value for name, value in others.items() if name not in variables}
        shared = {
            "keepalived_members": ["node-a", "node-b"],
            "keepalived_instances": {"web": {"vrid": 51, "vips": ["192.0.2.10"], **(web or {})}, **instances},
            **variables,
        }
        found: Hosts = {
            name: {"ansible_host": f"192.0.2.{number}", "ansible_facts": _facts(number), **copy.deepcopy(shared)}
            for name, number in (("node-a", 11), ("node-b", 12))
        }
        if change is not None:
            change(found)
        return found

    def model(
        self, web: dict[str, t.Any] | None = None, node: str = "node-a", version: str | None = None, **others: t.Any
    ) -> NodeModel:
        """The model of a node. version: of the keepalived of both."""
        hosts = self.hosts(web, **others)
        for variables in hosts.values():
            variables["__keepalived_survey"] = {"survey": {"keepalived": {"version": version}}}
        return build_node(hosts, node, version=version)

    def instance(self, web: dict[str, t.Any] | None = None, node: str = "node-a", **others: t.Any) -> Instance:
        """The instance `web` of a node."""
        return self.model(web, node, **others).instances[0]

    def refusal(self, web: dict[str, t.Any] | None = None, node: str = "node-a", **others: t.Any) -> str:
        """The text with which the input is refused."""
        with pytest.raises(InputError) as caught:
            self.model(web, node, **others)
        return str(caught.value)


@pytest.fixture
def pair() -> Pair:
    """The pair."""
    return Pair()
