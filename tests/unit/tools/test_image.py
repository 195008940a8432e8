# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of an image says what is in it; an image of the user's own is for the hosts that have the lab's OS."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "image.sh"


def image(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run tools/image.sh with these variables of the lab and no others."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HA_PAIR_")}
    return subprocess.run(
        ["bash", SCRIPT, *words], capture_output=True, text=True, check=False, env={**environment, **variables}
    )


def name(*words: str, **variables: str) -> str:
    """The name of an image."""
    done = image("name", *words, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_each_os_has_an_image_of_its_own() -> None:
    names = [name(system) for system in ("debian11", "debian12", "debian13")]
    assert [found.split("-")[2] for found in names] == ["lab:debian11", "lab:debian12", "lab:debian13"]
    assert name() == names[1]
    assert name(HA_PAIR_LAB_OS="debian13") == names[2]


def test_another_base_is_another_image_for_the_labs_os_only() -> None:
    assert name(HA_PAIR_LAB_BASE_IMAGE="debian:12-slim") != name()
    assert name("debian11", HA_PAIR_LAB_BASE_IMAGE="debian:12-slim") == name("debian11")


def test_an_image_of_ones_own_is_for_the_labs_os_only() -> None:
    own = {"HA_PAIR_LAB_OS": "debian13", "HA_PAIR_LAB_IMAGE": "mine:1"}
    assert name(**own) == "mine:1"
    assert name("debian11", **own) == name("debian11")


@pytest.mark.parametrize("words", [("name", "debian10"), ("build", "debian10"), ("kind", "debian10")])
def test_refuses_an_unknown_os(words: tuple[str, ...]) -> None:
    done = image(*words)
    assert done.returncode != 0
    assert done.stderr == (
        "image: error: 'debian10' is no OS of the lab; say debian11, debian12 or debian13 (HA_PAIR_LAB_OS, lab_os)\n"
    )
    assert done.stdout == ""


def test_refuses_an_unknown_os_of_the_environment() -> None:
    done = image("name", HA_PAIR_LAB_OS="bookworm")
    assert done.returncode != 0
    assert "'bookworm' is no OS of the lab" in done.stderr


def test_refuses_an_unknown_word() -> None:
    done = image("burn")
    assert done.returncode != 0
    assert done.stderr == "image: error: unknown word 'burn'; say build, name, kind or remove\n"
