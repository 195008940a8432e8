# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tools/engine.sh does about a missing engine, by the package manager that there is; nothing is installed here."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# All else that the script calls; the rest of this machine is out of its sight.
PROGRAMS = ("bash", "basename", "cat", "dirname", "grep", "locale", "mkdir", "rm", "setsid", "sleep", "tail")
CURE_OF_EL = "    EL, Fedora:        sudo dnf install docker-ce && sudo systemctl enable --now docker\n"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `engine.sh start` on a machine that has these programs, each a script."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).symlink_to(shutil.which(name) or name)

    def call(**scripts: str) -> subprocess.CompletedProcess[str]:
        for name, script in {"id": "echo 0", **scripts}.items():
            program = programs / name.replace("_", "-")
            program.write_text(f"#!{programs}/bash\n{script}\n")
            program.chmod(0o755)
        return subprocess.run(
            [programs / "bash", tmp_path / "tools" / "engine.sh", "start"],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": str(programs), "HA_PAIR_ENGINE_TIMEOUT": "5"},
        )

    return call


def test_an_engine_that_answers_is_taken(run: Run) -> None:
    done = run(id="echo 1000", docker='case "$1" in --version) echo Docker version 28.1 ;; *) echo 28.1 ;; esac')
    assert done.returncode == 0, done.stderr
    assert done.stdout == "engine: Docker 28.1 answers, nothing to do\n"


def test_refuses_podman_by_the_name_of_docker_though_it_answers(run: Run) -> None:
    done = run(docker="echo podman version 5.4.0", dnf="echo must not be called >&2")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "engine: error: docker is podman here, and the lab needs Docker itself.\n"
        "  Podman's own containers may stay; only its command by the name of docker has to go:\n"
        "    sudo dnf remove podman-docker\n"
    )
    assert CURE_OF_EL in done.stderr
    assert "must not be called" not in done.stderr


def test_refuses_to_install_as_another_user_than_root(run: Run) -> None:
    done = run(id="echo 1000", dnf="echo must not be called >&2")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "engine: error: no Docker engine answers, and only root can install or start one.\n"
        "  Install and start Docker yourself, then check that 'docker info' answers for this user:\n"
    )
    assert CURE_OF_EL in done.stderr
    assert "must not be called" not in done.stderr


def test_an_el_machine_without_dockers_repository_gets_the_cure(run: Run) -> None:
    done = run(dnf='echo "Error: Unable to find a match: $4"; exit 1')
    assert done.returncode == 1
    assert done.stdout == "engine: installing Docker with dnf\n"
    assert done.stderr.startswith(
        "Error: Unable to find a match: \nError: Unable to find a match: docker-cli\n"
        "engine: error: no Docker engine answers, and none could be installed on this system.\n"
    )
    assert "says how its repository docker-ce-stable is set up" in done.stderr


def test_docker_of_dnf_is_installed_and_started(run: Run, tmp_path: Path) -> None:
    docker = 'case "$1" in --version) echo Docker ;; *) [ -e "${0%/*}/up" ] && echo 28.1 ;; esac'
    dockerd = ': >"${0%/*}/up"; sleep 2'
    done = run(
        # This machine may have one as its first process.
        systemctl=': >"${0%/*}/up"',
        dnf=f"""[ "$*" = '--assumeyes install docker-ce' ] || exit 1
cat >"${{0%/*}}/docker" <<'EOF'
#!{tmp_path}/bin/bash
{docker}
EOF
cat >"${{0%/*}}/dockerd" <<'EOF'
#!{tmp_path}/bin/bash
{dockerd}
EOF
{shutil.which("chmod")} 755 "${{0%/*}}/docker" "${{0%/*}}/dockerd\"""",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("engine: installing Docker with dnf\nengine: starting docker")
    assert done.stdout.endswith("engine: Docker 28.1 answers\n")


def test_a_machine_with_no_package_manager_that_is_known_gets_the_cure(run: Run) -> None:
    done = run()
    assert done.returncode == 1
    assert done.stderr.startswith(
        "engine: error: no Docker engine answers, and none could be installed on this system.\n"
    )
