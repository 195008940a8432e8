# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks drill and switchover refuse before they look at a pair."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


def pair(number: int) -> dict[str, dict[str, object]]:
    """Two members with an instance of their own."""
    names = [f"node-{number}a", f"node-{number}b"]
    return {
        name: {
            "ansible_connection": "local",
            # The plays become root, and nothing here needs it.
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "keepalived_members": names,
            "keepalived_address": f"192.0.2.{10 * number + place}",
            "keepalived_instances": {"web": {"vrid": 50 + number, "vips": [f"192.0.2.{10 * number}"]}},
        }
        for place, name in enumerate(names, start=1)
    }


@pytest.mark.parametrize(
    ("playbook", "words", "message"),
    [
        (
            "switchover",
            [],
            "2 pairs are in this run (node-1a + node-1b, node-2a + node-2b); name one: --limit node-1a,node-1b",
        ),
        (
            "drill",
            ["-e", "drill_confirm=true"],
            "2 pairs are in this run (node-1a + node-1b, node-2a + node-2b); drill one at a time: "
            "--limit node-1a,node-1b",
        ),
        (
            "drill",
            ["-e", "drill_confirm=true", "--limit", "node-1a"],
            "node-1b: not in this run; a drill needs both members: --limit node-1a,node-1b",
        ),
        (
            "drill",
            ["--limit", "node-1a,node-1b", "-e", "drill_faults=vrrp_block"],
            "drill_confirm: is not true; 1 faults would be provoked on node-1a and node-1b. Look at them with --check",
        ),
    ],
)
def test_refuses(tmp_path: Path, playbook: str, words: list[str], message: str) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"ha_pair": {"hosts": {**pair(1), **pair(2)}}}), encoding="utf-8")
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, ROOT / f"playbooks/{playbook}.yml"]
    done = subprocess.run(
        [*command, *words],
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert message in re.sub(r"\s+", " ", done.stdout + done.stderr)
