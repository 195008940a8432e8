# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a playbook on this machine, which is all of its hosts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def run_playbook(
    where: Path, *words: str, inventory: str = "localhost,", settings: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs playbook.yml of a directory, with these words and without the caller's own settings of Ansible.

    settings: environment variables beyond those that every such run has.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_HOME": str(where / "home"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "LC_ALL": "C.UTF-8",
        **(settings or {}),
    }
    program = Path(sys.executable).with_name("ansible-playbook")
    return subprocess.run(
        [str(program), "-i", inventory, "-c", "local", *words, "playbook.yml"],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
