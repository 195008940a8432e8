# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before the daemon on EL 7's stand-in: it is 1.3.5 to whoever asks, and starts with nothing newer."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

OLD = """
global_defs {
    router_id "a { b"   # track_file {
    script_user keepalived_script
}
vrrp_script check { script "/bin/true" interval 2 }
include more/*.conf
vrrp_instance web {
    state BACKUP
    virtual_ipaddress {
        192.0.2.10/24 dev eth0
    }
    unicast_peer { 192.0.2.12 }
    track_script {
        check
    }
}
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Path:
    """The program with its files here and a daemon that says how it was called."""
    text = (ROOT / "lab/images/el/keepalived_1_3_5.py").read_text()
    keywords = ROOT / "plugins/plugin_utils/_vrrp/keywords/1.3.5.txt"
    for name, value in {
        "DAEMON": f'"{tmp_path}/daemon"',
        "KEYWORDS": f'Path("{keywords}")',
        "DEFAULT": f'"{tmp_path}/keepalived.conf"',
    }.items():
        text, count = re.subn(f"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
        assert count == 1
    (tmp_path / "program.py").write_text(text)
    (tmp_path / "daemon").write_text('#!/bin/sh\necho "daemon $*"\n')
    (tmp_path / "daemon").chmod(0o755)
    (tmp_path / "more").mkdir()
    (tmp_path / "keepalived.conf").write_text(OLD)
    return tmp_path


def call(daemon: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program with these words."""
    return subprocess.run([sys.executable, daemon / "program.py", *words], capture_output=True, text=True, check=False)


def test_starts_the_daemon_with_what_the_old_one_knows(daemon: Path) -> None:
    done = call(daemon, "-D", "--dont-fork")
    assert (done.returncode, done.stdout, done.stderr) == (0, "daemon -D --dont-fork\n", "")


def test_calls_itself_the_old_one_where_the_real_one_does(daemon: Path) -> None:
    done = call(daemon, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Keepalived v1.3.5 (03/19,2017)\n")


@pytest.mark.parametrize("option", ["-t", "--config-test", "--config-test=/tmp/log", "--signum=JSON"])
def test_refuses_options_that_came_later(daemon: Path, option: str) -> None:
    done = call(daemon, option)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"keepalived: unrecognized option '{option}'\n"


@pytest.mark.parametrize(
    "words", [(), ("--words-only",), ("-f", "{}/keepalived.conf"), ("--use-file={}/keepalived.conf",)]
)
def test_refuses_words_that_came_later_each_with_its_place(daemon: Path, words: tuple[str, ...]) -> None:
    (daemon / "keepalived.conf").write_text(OLD.replace("state BACKUP", "state BACKUP\n    timer_expired_backup"))
    (daemon / "more" / "files.conf").write_text("track_file service {\n    file /run/x\n}\n")
    done = call(daemon, *(word.format(daemon) for word in words))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "EL-shaped stand-in: this is no configuration for keepalived 1.3.5\n"
        f"{daemon}/more/files.conf:1: Unknown keyword 'track_file'\n"
        f"{daemon}/keepalived.conf:10: Unknown keyword 'timer_expired_backup'\n"
    )


def test_looks_at_the_words_without_starting(daemon: Path) -> None:
    done = call(daemon, "--words-only")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
