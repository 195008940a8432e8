# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of an image says what is in it; an image of the user's own is for the hosts that have the lab's OS."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "tools" / "image.sh"
SYSTEMS = ("debian11", "debian12", "debian13", "el7", "el8", "el9", "el10", "rocky9")

# An engine that has the image $STUB_PRESENT, whose label of the recipe is $STUB_RECIPE and whose os-release is
# $STUB_RELEASE, and that builds nothing.
ENGINE = """#!/bin/sh
case "$1 $2" in
  'image inspect')
    for last; do :; done
    case "$last" in $STUB_PRESENT) ;; *) echo; exit 1 ;; esac
    case "$*" in *.recipe*) echo "$STUB_RECIPE" ;; *--format*) echo 'base mine' ;; esac
    ;;
  'run --rm') printf "$STUB_RELEASE" ;;
  build*) tar -t; printf '%s\\n' "$*" >&2 ;;
  *) exit 1 ;;
esac
"""


def image(*words: str, script: Path = SCRIPT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run tools/image.sh with these variables of the lab and no others."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HA_PAIR_")}
    return subprocess.run(
        ["bash", script, *words], capture_output=True, text=True, check=False, env={**environment, **variables}
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the images are made of, elsewhere, with the engine above; what it is asked to build is in .cache."""
    for part in ("tools", "lab/images", "plugins/plugin_utils/_vrrp/keywords"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    engine = tmp_path / "bin" / "docker"
    engine.parent.mkdir()
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    return tmp_path


def image_there(checkout: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The same in that checkout."""
    stub = {"STUB_PRESENT": "", "STUB_RECIPE": "", "STUB_RELEASE": "", "PATH": f"{checkout}/bin:{os.environ['PATH']}"}
    return image(*words, script=checkout / "tools" / "image.sh", **{**stub, **variables})


def name(*words: str, **variables: str) -> str:
    """The name of an image."""
    done = image("name", *words, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_each_os_has_an_image_of_its_own() -> None:
    names = [name(system) for system in SYSTEMS]
    assert [found.rpartition("-")[0] for found in names] == [f"ha-pair-lab:{system}" for system in SYSTEMS]
    assert name() == names[1]
    assert name(HA_PAIR_LAB_OS="debian13") == names[2]


def test_the_name_follows_the_content_and_not_the_place(checkout: Path) -> None:
    assert image_there(checkout, "name", "el9").stdout.strip() == name("el9")
    (checkout / "lab/images/el/packages/names.sh").write_text("other names")
    assert image_there(checkout, "name", "el9").stdout.strip() != name("el9")
    assert image_there(checkout, "name", "debian12").stdout.strip() == name("debian12")


def test_another_base_is_another_image_for_the_labs_os_only() -> None:
    assert name(HA_PAIR_LAB_BASE_IMAGE="debian:12-slim") != name()
    assert name("debian11", HA_PAIR_LAB_BASE_IMAGE="debian:12-slim") == name("debian11")


def test_an_image_of_ones_own_is_for_the_labs_os_only() -> None:
    own = {"HA_PAIR_LAB_OS": "debian13", "HA_PAIR_LAB_IMAGE": "mine:1"}
    assert name(**own) == "mine:1"
    assert name("debian11", **own) == name("debian11")


def test_a_stand_in_says_what_it_shows_and_what_it_does_not(checkout: Path) -> None:
    done = image_there(checkout, "kind", "rocky9")
    assert done.stdout == (
        "node kind: EL-shaped stand-in: Rocky Linux 9 by names, paths, users, units, dnf, rpm and firewalld, "
        "programs of Debian 12 (keepalived 2.2.7, nginx 1.22.1); shows what the roles do on EL, not that programs of "
        f"EL do the same; no SELinux; image {name('rocky9')} (not built yet)\n"
    )


def test_a_real_image_says_so(checkout: Path) -> None:
    done = image_there(checkout, "kind", "el9", STUB_PRESENT="ha-pair-lab:el9-*", STUB_RECIPE="real")
    assert done.stdout == (
        "node kind: container of a real EL image, programs from its own repositories; no SELinux; "
        f"image {name('el9')} (base mine)\n"
    )


def image_on_mine(checkout: Path, system: str, release: str) -> subprocess.CompletedProcess[str]:
    """Builds on a base image of one's own, which says of itself that it is `release`."""
    mine = {"HA_PAIR_LAB_OS": system, "HA_PAIR_LAB_BASE_IMAGE": "mine:1", "STUB_PRESENT": "mine:1"}
    return image_there(checkout, "build", system, **mine, STUB_RELEASE=release)


@pytest.mark.parametrize(
    ("system", "release", "recipe", "file"),
    [
        ("el9", 'ID="centos"\\nVERSION_ID="9"\\n', "real", "./Dockerfile"),
        ("el10", 'ID="almalinux"\\nVERSION_ID="10.0"\\n', "real", "./Dockerfile"),
        ("rocky9", 'ID="rocky"\\nVERSION_ID="9.6"\\n', "real", "./Dockerfile"),
        ("el9", 'ID=debian\\nVERSION_ID="12"\\n', "el", "./packages/nginx.sh"),
    ],
)
def test_a_base_of_ones_own_is_taken_for_what_it_says(
    checkout: Path, system: str, release: str, recipe: str, file: str
) -> None:
    done = image_on_mine(checkout, system, release)
    assert done.returncode == 0, done.stderr
    built = (checkout / f".cache/image-{system}.log").read_text().splitlines()
    assert f"--label duplex.ha_pair.image.recipe={recipe} " in built[-1]
    assert (f"SYSTEM={system}" in built[-1]) == (recipe == "el")
    assert file in built
    assert "1.3.5.txt" in built


@pytest.mark.parametrize(
    ("system", "release", "what", "wanted"),
    [
        ("el9", 'ID="centos"\\nVERSION_ID="8"\\n', "centos 8", "CentOS Stream 9, or on debian 12"),
        ("el9", 'ID=debian\\nVERSION_ID="9"\\n', "debian 9", "CentOS Stream 9, or on debian 12"),
        ("rocky9", 'ID="centos"\\nVERSION_ID="9"\\n', "centos 9", "Rocky Linux 9, or on debian 12"),
        ("el10", "NAME=none\\n", "no system by its own word", "CentOS Stream 10, or on debian 13"),
    ],
)
def test_refuses_a_base_of_another_system(checkout: Path, system: str, release: str, what: str, wanted: str) -> None:
    done = image_on_mine(checkout, system, release)
    assert done.returncode != 0
    assert done.stderr == (
        f"image: error: HA_PAIR_LAB_BASE_IMAGE=mine:1 is {what}, and {system} is built on an image of {wanted} as a "
        "stand-in\n"
    )


@pytest.mark.parametrize(
    ("apt_get", "problem"),
    [
        (
            False,
            "no registry could be reached for debian:12, and this system has no mmdebstrap, which would build the base "
            "from packages: see that 'docker pull debian:12' works, or set HA_PAIR_LAB_BASE_IMAGE to an image of "
            "debian:12 that this engine has",
        ),
        (
            True,
            "no registry could be reached for debian:12, and mmdebstrap or "
            "/usr/share/keyrings/debian-archive-keyring.gpg, which would build the base from packages, is missing: "
            "install mmdebstrap and debian-archive-keyring, or set HA_PAIR_LAB_BASE_IMAGE to an image of debian:12 "
            "that this engine has",
        ),
    ],
)
def test_without_a_registry_and_mmdebstrap_there_is_no_base(checkout: Path, apt_get: bool, problem: str) -> None:
    for program in [
        "awk",
        "basename",
        "bash",
        "cat",
        "cut",
        "dirname",
        "find",
        "mkdir",
        "sha256sum",
        "sort",
        "tail",
        "timeout",
        "xargs",
    ]:
        (checkout / "bin" / program).symlink_to(shutil.which(program) or program)
    for program in ["id"] + ["apt-get"] * apt_get:
        (checkout / "bin" / program).write_text("#!/bin/sh\necho 1000\n")
        (checkout / "bin" / program).chmod(0o755)
    done = image_there(checkout, "build", "el9", PATH=str(checkout / "bin"))
    assert done.returncode != 0
    assert done.stderr == f"image: no registry can be reached for debian:12\nimage: error: {problem}\n"


@pytest.mark.parametrize("words", [("name", "debian10"), ("build", "debian10"), ("kind", "debian10")])
def test_refuses_an_unknown_os(words: tuple[str, ...]) -> None:
    done = image(*words)
    assert done.returncode != 0
    assert done.stderr == (
        "image: error: 'debian10' is no OS of the lab; say debian11, debian12, debian13, el7, el8, el9, el10 or rocky9 "
        "(HA_PAIR_LAB_OS, lab_os)\n"
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
