# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A witness whose lease is lowered waits for what it lent before, at every deployment after that."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from plays import ROOT, run_playbook

PLAY = """\
- hosts: localhost
  gather_facts: false
  vars_files: [{root}/roles/active_witness/vars/main.yml, {root}/roles/active_witness/defaults/main.yml]
  vars:
    active_witness_address: 192.0.2.31
    active_witness_secret: not-to-be-seen-0
  tasks:
    - ansible.builtin.include_tasks: {root}/roles/active_witness/tasks/written.yml
    - ansible.builtin.debug:
        msg: >-
          lent for {{{{ __active_witness_description.lease }}}}, quiet for {{{{ __active_witness_description.quiet }}}}
"""


def test_what_was_written_before_counts(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    (tmp_path / "playbook.yml").write_text(PLAY.format(root=ROOT))
    for written, words in (
        (None, "lent for 60.0, quiet for 60.0"),
        ({"lease": 300.0, "secret": "not-to-be-seen-0"}, "lent for 60.0, quiet for 300.0"),
        ({"lease": 60.0, "quiet": 300.0}, "lent for 60.0, quiet for 300.0"),
    ):
        if written is not None:
            settings.write_text(json.dumps(written))
        given = {"ansible_python_interpreter": sys.executable, "__active_witness_settings": str(settings)}
        done = run_playbook(tmp_path, "-vvv", "-e", json.dumps(given))
        assert f'"msg": "{words}"' in done.stdout, done.stdout + done.stderr
        assert "not-to-be-seen" not in done.stdout
