# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts a playbook is for: patterns that match nothing, which Ansible skips and calls a success."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager, split_host_pattern
from ansible.parsing.dataloader import DataLoader

from ._problems import Reader, kind, nearest, shown

_SHOWN = 10

Groups = Mapping[str, Sequence[str]]


def first_pattern(given: Mapping[str, t.Any], groups: Groups) -> t.Any:
    """The first of these patterns, as it was given. Raises InputError when one of them matches no host.

    given: by the variable that has it; empty for one that is not given, which is not looked at. groups: the whole
    inventory, so a limit is of no account here: what it leaves is Ansible's affair.
    """
    reader = Reader()
    inventory = _inventory(groups)
    for name, value in given.items():
        if value not in ("", None):
            _check(name, value, groups, inventory, reader)
    reader.finish()
    return next((value for value in given.values() if value not in ("", None)), "")


def _inventory(groups: Groups) -> t.Any:
    """What matches patterns as Ansible does, because it is Ansible's."""
    found = InventoryManager(loader=DataLoader(), parse=False)
    for group, hosts in groups.items():
        found.add_group(group)
        for host in hosts:
            found.add_host(host, group)
    return found


def _check(name: str, value: t.Any, groups: Groups, inventory: t.Any, reader: Reader) -> None:
    if not isinstance(value, (str, list, tuple)):
        reader.refuse(name, f"is {kind(value)} ({shown(value)}), not a string", "give the name of a group")
        return
    given = [str(item) for item in value] if isinstance(value, (list, tuple)) else str(value)
    parts = split_host_pattern(given)
    # Whoever is left out need not be there.
    for part in [part for part in parts if not part.startswith("!")]:
        word = part.removeprefix("&")
        if not _matches(inventory, word):
            what = "is a group without hosts" if word in groups else "is no group and no host of the inventory"
            reader.refuse(name, f"{shown(word)} {what}", _cure(word, groups))
            return
    if not _matches(inventory, parts):
        reader.refuse(name, f"{shown(value)} leaves no host of the inventory", "name a group that has hosts")


def _matches(inventory: t.Any, pattern: t.Any) -> bool:
    try:
        return bool(inventory.get_hosts(pattern, ignore_limits=True, ignore_restrictions=True))
    except AnsibleError:
        # A pattern that Ansible cannot read.
        return False


def _cure(word: str, groups: Groups) -> str:
    known = sorted(group for group in groups if group not in ("all", "ungrouped") and groups[group])
    close = nearest(word, [one for one in [*known, *groups.get("all", ())] if one != word])
    there = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
    hint = f" (did you mean {close!r}?)" if close else ""
    return f"put hosts into a group of that name, or name what is there{hint}; groups with hosts: {there or 'none'}"
