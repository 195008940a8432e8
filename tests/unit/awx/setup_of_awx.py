# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of awx/ as configure.yml reads it, and the modules of awx.awx without a process for each of them."""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import sys
import typing as t
from collections.abc import Mapping
from contextlib import ExitStack, redirect_stdout, suppress
from pathlib import Path
from unittest import mock

import yaml
from ansible.module_utils import basic
from plays import run_playbook

ROOT = Path(__file__).resolve().parents[3]
AWX = ROOT / "awx"

MODULES = {
    "controller_organizations": "organization",
    "controller_labels": "label",
    "controller_notifications": "notification_template",
    "controller_credential_types": "credential_type",
    "controller_credentials": "credential",
    "controller_execution_environments": "execution_environment",
    "controller_projects": "project",
    "controller_inventories": "inventory",
    "controller_inventory_sources": "inventory_source",
    "controller_templates": "job_template",
    "controller_workflows": "workflow_job_template",
    "controller_schedules": "schedule",
}
PLACES = {kind: f"{module}s" for kind, module in MODULES.items()} | {"controller_inventories": "inventories"}

FULL: dict[str, t.Any] = {
    "awx_image": "quay.io/your-team/ha-pair-ee:1.0",
    "awx_credentials": [
        *("machine", "vault", "git", "registry", "vrrp", "java_service", "witness", "redis", "sessions"),
    ],
    "awx_git_user": "robot",
    "awx_registry_host": "quay.io",
    "awx_registry_user": "robot",
    "awx_inventory_git_url": "git@git.example.com:inventory.git",
    "awx_email_recipients": ["ha@example.com"],
    "awx_email_host": "mail.example.com",
    "awx_webhook_url": "https://chat.example.com/hooks/ha",
    "awx_drill_confirm": True,
    "awx_drill_limit": "web",
}
"""Settings with which nothing is left out."""

SECRETS = {
    f"HA_PAIR_AWX_{name}": f"{{{{ secret }}}} of {name}"
    for name in (
        "MACHINE_SSH_KEY_DATA",
        "VAULT_PASSWORD",
        "GIT_SSH_KEY_DATA",
        "REGISTRY_PASSWORD",
        "VRRP_AUTH_PASS",
        "JAVA_SERVICE_SECRET",
        "WITNESS_SECRET",
        "REDIS_PASSWORD",
        "SESSIONS_KEY",
        "EMAIL_PASSWORD",
        "WEBHOOK_PASSWORD",
    )
}
"""Secrets for all of it; what looks like a template in them is no template."""


def _planner() -> t.Any:
    spec = importlib.util.spec_from_file_location("awx_plan", AWX / "filter_plugins" / "awx_plan.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["awx_plan"] = module
    spec.loader.exec_module(module)
    return module


planner = _planner()


def raw(kind: str) -> list[dict[str, t.Any]]:
    """A file of the data as it is written."""
    path = AWX / "data" / f"{kind.removeprefix('controller_')}.yml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert list(content) == [kind], path
    return t.cast("list[dict[str, t.Any]]", content[kind])


def defaults() -> dict[str, t.Any]:
    """The settings that nobody changed."""
    return t.cast("dict[str, t.Any]", yaml.safe_load((AWX / "settings.yml").read_text(encoding="utf-8")))


def rendered(where: Path, **changes: t.Any) -> tuple[dict[str, t.Any], dict[str, list[dict[str, t.Any]]]]:
    """The settings with these changes, and the data under them, as Ansible reads them."""
    settings = defaults() | changes
    where.mkdir(exist_ok=True)
    (where / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    task = {"ansible.builtin.include_vars": {"dir": str(AWX / "data"), "name": "found"}}
    write = {
        "ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": str(where / "data.json"), "mode": "0600"}
    }
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "vars_files": ["settings.json"],
        "tasks": [task, write],
    }
    (where / "playbook.yml").write_text(json.dumps([play]), encoding="utf-8")
    done = run_playbook(where, settings=SECRETS)
    assert done.returncode == 0, done.stdout + done.stderr
    return settings, json.loads((where / "data.json").read_text(encoding="utf-8"))


def plan(
    settings: Mapping[str, t.Any],
    data: Mapping[str, t.Any],
    found: t.Any = None,
    contents: t.Any = None,
    **around: t.Any,
) -> dict[str, t.Any]:
    """What the playbook would do; in check mode, and without a controller unless something was found there."""
    environment = {"check": True, "host": "", "token": False, "user": False, "password": False}
    if found is not None:
        environment |= {"check": False, "host": "http://127.0.0.1", "token": True}
    # Where awx.awx is missing that is refused; only a test of configure.yml itself is about that.
    with mock.patch.object(planner, "is_installed", return_value=True):
        planned = planner.awx_plan(settings, list(defaults()), data, environment | around, found, contents)
    return t.cast("dict[str, t.Any]", planned)


def run_module(
    name: str, arguments: Mapping[str, t.Any], url: str, token: str, check: bool = False
) -> dict[str, t.Any]:
    """The result of a module of awx.awx, which runs in this process."""
    module = importlib.import_module(f"ansible_collections.awx.awx.plugins.modules.{name}")
    given = {
        **arguments,
        "controller_host": url,
        "controller_oauthtoken": token,
        "_ansible_check_mode": check,
        "_ansible_remote_tmp": "/tmp",
        "_ansible_keep_remote_files": False,
    }
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with ExitStack() as patches:
        words = json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode()
        patches.enter_context(mock.patch.object(basic, "_ANSIBLE_ARGS", words))
        if hasattr(basic, "_ANSIBLE_PROFILE"):
            patches.enter_context(mock.patch.object(basic, "_ANSIBLE_PROFILE", "legacy"))
        if hasattr(module, "response"):
            # Kept from one run to the next otherwise: in production each is a process.
            patches.enter_context(mock.patch.object(module, "response", []))
        patches.enter_context(redirect_stdout(output))
        with suppress(SystemExit):
            module.main()
    return t.cast(
        "dict[str, t.Any]", json.loads(t.cast("io.BytesIO", output.buffer).getvalue().decode().splitlines()[-1])
    )
