# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the lab: every host that an example may have is there, and none takes an address of another."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
HOSTS = {path.stem: path for path in sorted((ROOT / "lab/inventory/host_vars").glob("*.yml"))}
EXAMPLES = sorted((ROOT / "inventories").glob("*/hosts.yml"))
# The VIPs of the scenarios begin there.
FIRST_VIP = 100


def load(path: Path) -> dict[str, t.Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def names(groups: dict[str, t.Any]) -> set[str]:
    """All hosts of an inventory's groups."""
    found: set[str] = set()
    for group in groups.values():
        found |= set((group or {}).get("hosts") or {}) | names((group or {}).get("children") or {})
    return found


def test_every_host_has_an_address_of_its_own() -> None:
    numbers = [load(path)["lab_host_number"] for path in HOSTS.values()]
    assert len(set(numbers)) == len(numbers)
    assert all(1 < number < FIRST_VIP for number in numbers)


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_names_itself(name: str) -> None:
    # A task that is delegated to it has another inventory_hostname.
    variables = load(HOSTS[name])
    assert variables["ansible_host"] == f"{{{{ lab_name }}}}-{name}"
    assert variables["ansible_python_interpreter"] == f"{{{{ hostvars['{name}'].lab_python }}}}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_lab_has_every_host_of_the_examples(path: Path) -> None:
    assert names(load(path)) <= set(HOSTS)
