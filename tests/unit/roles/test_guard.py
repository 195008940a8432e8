# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a sample configuration from being started: the drop-in's own command, run on files."""

from __future__ import annotations

import re
import subprocess
import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml

ROLE = Path(__file__).resolve().parents[3] / "roles/keepalived"


def start(configuration: Path) -> subprocess.CompletedProcess[str]:
    """What systemd would run before keepalived."""
    variables: dict[str, t.Any] = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))
    environment = jinja2.Environment(autoescape=False)
    environment.filters["comment"] = lambda text: f"# {text}"
    template = (ROLE / "templates/keepalived.service.configuration.conf.j2").read_text(encoding="utf-8")
    text = environment.from_string(template).render(
        **{**variables, "__keepalived_config_file": str(configuration)}, ansible_managed="Ansible"
    )
    # As systemd reads it: lines joined at the backslash, the command between single quotes.
    found = re.search(r"^ExecStartPre=/bin/sh -c '([^']*)'$", text.replace("\\\n", " "), re.MULTILINE)
    assert found is not None
    return subprocess.run(["/bin/sh", "-c", found[1]], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("text", ["vrrp_instance VI_1 {\n    state MASTER\n}\n", ""])
def test_another_configuration_is_not_started(tmp_path: Path, text: str) -> None:
    configuration = tmp_path / "keepalived.conf"
    configuration.write_text(text, encoding="utf-8")
    done = start(configuration)
    assert done.returncode == 1
    assert done.stderr == (
        f"{configuration} is not the one of duplex.ha_pair: deploy this node, or remove "
        "/etc/systemd/system/keepalived.service.d/ha-pair*.conf\n"
    )


def test_none_at_all_is_not_started(tmp_path: Path) -> None:
    assert start(tmp_path / "keepalived.conf").returncode == 1


def test_ours_is_started(tmp_path: Path) -> None:
    configuration = tmp_path / "keepalived.conf"
    first = (ROLE / "templates/keepalived.conf.j2").read_text(encoding="utf-8").splitlines()[1]
    marker = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))["__keepalived_marker"]
    assert "{{ __keepalived_marker }}" in first
    configuration.write_text(first.replace("{{ __keepalived_marker }}", marker), encoding="utf-8")
    assert start(configuration).returncode == 0
