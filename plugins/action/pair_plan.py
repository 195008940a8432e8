# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the model of a pair once, so that the tasks of a run read it instead of building it each time."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._forks import load_filters
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.build import build_node
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.inventory import build_inventory

load_filters()


def node_plan(
    inventory: t.Any, node: str, own: dict[str, t.Any] | None = None, version: str | None = None
) -> dict[str, t.Any]:
    """`{model: ..., secret: bool, fingerprint: str}`: the model without its passwords, and whether it has some.

    The fingerprint is the same as long as the model is. Raises InputError.
    """
    model = build_node(inventory, node, own, version or None).to_dict()
    secrets = model.pop("secrets")
    text = json.dumps(model, sort_keys=True)
    return {"model": model, "secret": bool(secrets), "fingerprint": hashlib.sha256(text.encode()).hexdigest()}


def pair_plan(inventory: t.Any, node: str, *, others: bool = True) -> dict[str, t.Any]:
    """`{pair: ...}`: the pair of the node as the inventory alone describes it. Raises InputError.

    others: refuse also what clashes with or between other pairs, for which all of them are read.
    """
    return {"pair": build_inventory(inventory, [node], others=others)[0][0].to_dict()}


def all_plans(inventory: t.Any, hosts: list[str]) -> dict[str, t.Any]:
    """`{pairs: [...], remarks: [...]}`: all pairs with one of these members. Raises InputError."""
    pairs, warnings = build_inventory(inventory, hosts)
    # What a result has under `warnings` Ansible takes away and prints itself.
    return {"pairs": [pair.to_dict() for pair in pairs], "remarks": warnings}


class ActionModule(ActionBase):
    """Ansible's way in; see plugins/modules/pair_plan.py."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Build and return."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _result, given = self.validate_argument_spec(
            argument_spec={
                "facts": {"type": "bool", "default": True},
                "hosts": {"type": "list", "elements": "str"},
                "others": {"type": "bool", "default": True},
                "own": {"type": "dict"},
                "version": {"type": "str"},
            }
        )
        inventory, node = variables["hostvars"], variables["inventory_hostname"]
        try:
            if given["hosts"] is not None:
                plan = all_plans(inventory, given["hosts"])
            elif given["facts"]:
                # As it was given: validating a copy would show a password to whoever prints the arguments.
                plan = node_plan(inventory, node, self._task.args.get("own"), given["version"])
            else:
                plan = pair_plan(inventory, node, others=given["others"])
        except InputError as exc:
            what = "input" if given["hosts"] is None else "inventory"
            raise AnsibleActionFail(f"duplex.ha_pair.pair_plan refuses this {what}:\n{exc}") from exc
        # With -v everybody would have to scroll past it.
        return {**result, **plan, "changed": False, "_ansible_verbose_override": True}
