# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python of this machine the lab mounts into old hosts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "lab_python.sh"
OWN_VERSION = "{}.{}".format(*sys.version_info)


@pytest.fixture
def engine(tmp_path: Path) -> dict[str, str]:
    """An environment with an engine whose image `stand-in` is one, and in which `python0.1` is no Python."""
    for name, script in {
        "docker": 'case "$*" in *stand-in) echo el ;; *) echo real ;; esac',
        f"python{OWN_VERSION}": f'exec {sys.executable} "$@"',
        "python0.1": "exit 1",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYENV_ROOT": str(tmp_path)}


def call(engine: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run the script with these words."""
    return subprocess.run(["bash", SCRIPT, *words], capture_output=True, text=True, check=False, env=engine)


def test_a_stand_in_gets_the_python_with_its_libraries(engine: dict[str, str]) -> None:
    done = call(engine, OWN_VERSION, "stand-in")
    assert done.returncode == 0, done.stderr
    volumes = [line.split(":") for line in done.stdout.splitlines()]
    assert [(target, mode) for _, target, mode in volumes] == [
        ("/opt/el-stand-in/python/prefix", "ro"),
        ("/opt/el-stand-in/python/libraries", "ro"),
        (f"/usr/lib/python{OWN_VERSION}", "ro"),
    ]
    assert (Path(volumes[2][0]) / "os.py").exists()
    assert list(Path(volumes[1][0]).glob("ld-linux*.so.*"))


def test_a_real_image_keeps_its_own(engine: dict[str, str]) -> None:
    done = call(engine, OWN_VERSION, "real")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_says_that_there_is_none(engine: dict[str, str]) -> None:
    done = call(engine, "0.1", "stand-in")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        "lab_python: this machine has no Python 0.1 that a container could run; "
        "the hosts have their own Python instead\n"
    )


def test_refuses_to_guess(engine: dict[str, str]) -> None:
    done = call(engine, "3.6")
    assert done.returncode == 1
    assert done.stderr == (
        "lab_python: error: say a version and an image, for example 3.6 $(tools/image.sh name el8)\n"
    )
