# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of each role: argument_specs, defaults and README say the same."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import nearest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._version import VERSION
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.daemon_inputs import SMTP_KEYS
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.inputs import KNOWN, PREFIXES, VARIABLES
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.instance_inputs import INSTANCE_KEYS
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.service_inputs import SERVICE_KEYS
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.tracking_inputs import PROCESS_KEYS, WITNESS_KEYS
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.vip_inputs import VIP_KEYS

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


def load(path: Path) -> dict[str, t.Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found or {}


def options(role: str, entry: str = "main") -> dict[str, t.Any]:
    specs = load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]
    return specs[entry].get("options", {})


def defaults(role: str) -> dict[str, t.Any]:
    return load(ROOT / "roles" / role / "defaults/main.yml")


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_of_the_specs(role: str) -> None:
    expected = {name: option["default"] for name, option in options(role).items() if "default" in option}
    # A default that is computed cannot be written into the specs.
    plain = {
        name: value
        for name, value in defaults(role).items()
        if name in expected or not (isinstance(value, str) and "{{" in value)
    }
    assert plain == expected


@pytest.mark.parametrize("role", ROLES)
def test_every_option_has_a_default_or_is_required(role: str) -> None:
    without = {
        name for name, option in options(role).items() if not option.get("required") and name not in defaults(role)
    }
    assert without == set()
    assert {name for name, option in options(role).items() if option.get("required")}.isdisjoint(defaults(role))


@pytest.mark.parametrize("role", ROLES)
def test_every_option_carries_the_name_of_the_role_and_a_description(role: str) -> None:
    for name, option in options(role).items():
        assert name.startswith(f"{role}_"), name
        assert option.get("description"), name


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_names_every_option_and_no_other(role: str) -> None:
    readme = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(rf"`({role}_[a-z0-9_]+)`", readme))
    assert named == set(options(role))


@pytest.mark.parametrize("role", ROLES)
def test_variables_of_ours_are_marked_as_ours(role: str) -> None:
    for path in (ROOT / "roles" / role / "vars").glob("*.yml"):
        for name in load(path):
            assert name.startswith(f"__{role}_"), f"{path.name}: {name}"


def test_the_model_reads_what_the_role_takes() -> None:
    assert set(VARIABLES) == set(options("keepalived"))


def test_a_typing_error_is_noticed_in_the_variables_of_every_role() -> None:
    # Those of service_tracking that say which service are given by the role that tracks it.
    own = {"service_tracking_name", "service_tracking_health_url", "service_tracking_ready_timeout"}
    everything = {name for role in ROLES for name in options(role)}
    assert set(KNOWN) == everything - own
    assert {f"{role}_" for role in ROLES} == set(PREFIXES)


def test_what_roles_return_is_not_taken_for_a_typing_error() -> None:
    # A fact of a host stands beside its variables.
    for returned in (
        "failover_drill_outcome",
        "vip_switchover_done",
        "vip_verification_verdict",
        "tomcat_begun",
        "tomcat_staged",
    ):
        assert nearest(returned, KNOWN, cutoff=0.85) is None, returned


def test_the_version_is_that_of_galaxy_yml() -> None:
    assert load(ROOT / "galaxy.yml")["version"] == VERSION


@pytest.mark.parametrize("kind", ["roles/*", "plugins/modules/*.py", "plugins/filter/*.py", "inventories/*", "docs/*"])
def test_the_readme_leads_to_everything_that_is_there(kind: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    there = {path for path in ROOT.glob(kind) if not path.name.startswith(("_", "."))}
    assert there
    assert {
        path.name for path in there if f"`{path.stem}`" not in readme and f"{kind[:-1]}{path.name}" not in readme
    } == set()


def test_the_readme_of_keepalived_names_every_option_of_an_instance() -> None:
    readme = (ROOT / "roles/keepalived/README.md").read_text(encoding="utf-8")
    keys = (*INSTANCE_KEYS, *SERVICE_KEYS, *VIP_KEYS, *PROCESS_KEYS, *WITNESS_KEYS, *SMTP_KEYS)
    missing = [key for key in keys if f"`{key}`" not in readme]
    assert missing == []
