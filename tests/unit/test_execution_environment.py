# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment has what the collection needs on the controller, whichever way it gets there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

# What Ansible brings itself, and this collection.
GIVEN = {*sys.stdlib_module_names, "ansible", "ansible_collections", "jinja2", "yaml", "packaging", "cryptography"}
# What plays call of other collections, and the Python libraries that it needs on the controller.
CALLED = {
    "ansible.posix.seboolean": set(),
    "community.general.dict_kv": set(),
    "community.general.json_query": {"jmespath"},
    "community.general.sefcontext": set(),
    "community.general.seport": set(),
}


def builder(*words: object, where: Path) -> str:
    """What ansible-builder says."""
    program = Path(sys.executable).with_name("ansible-builder")
    done = subprocess.run([program, *map(str, words)], cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def requirements(text: str) -> set[str]:
    """The names of the packages in a requirements file, without versions and comments."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return {found[0] for line in lines if (found := re.match(r"[A-Za-z0-9._-]+", line))}


def imported() -> set[str]:
    """Libraries that the controller's side of the collection imports."""
    found = set()
    for path in (ROOT / "plugins").rglob("*.py"):
        # What runs on nodes needs nothing: tests/unit/target runs it on bare interpreters.
        if path.relative_to(ROOT / "plugins").parts[0] in ("modules", "module_utils"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).partition(".")[0])
    return found - GIVEN


def plays() -> dict[str, str]:
    """Everything that the controller runs as a play or prints as a template, by its path."""
    paths = [path for name in ("roles", "playbooks") for path in (ROOT / name).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in paths
        if path.suffix in (".yml", ".j2") and "meta" not in path.parts
    }


def called() -> set[str]:
    """Plugins of other collections that plays and templates call."""
    text = "\n".join(plays().values())
    return set(re.findall(r"\b(?:community|ansible)\.(?!builtin\b)[a-z]+\.[a-z_]+", text))


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the built collection in its `ansible_collections`."""
    where = tmp_path_factory.mktemp("artifact")
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    subprocess.run(
        [galaxy, "collection", "build", "--output-path", where, ROOT], cwd=where, check=True, capture_output=True
    )
    (archive,) = where.glob("duplex-ha_pair-*.tar.gz")
    # Not by tarfile: how it is told to be careful depends on the patch release of Python.
    install = [galaxy, "collection", "install", "--force", "--no-deps", "--offline", "-p", where, archive]
    subprocess.run(install, cwd=where, check=True, capture_output=True)
    return where


def test_every_plugin_of_another_collection_is_known_with_its_libraries() -> None:
    assert called() == set(CALLED)


def test_the_requirements_are_what_the_controller_side_needs() -> None:
    wanted = requirements((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert imported().union(*CALLED.values()) == wanted


def test_collections_that_are_called_are_installed() -> None:
    dependencies = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"]
    listed = yaml.safe_load((ROOT / "collections/requirements.yml").read_text(encoding="utf-8"))["collections"]
    assert {entry["name"]: entry["version"] for entry in listed} == dependencies
    assert {name.rpartition(".")[0] for name in called()} == set(dependencies)


def test_the_tool_chain_tests_with_what_the_environment_has() -> None:
    wanted = requirements((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    for name in ("dev.txt", "core-2.16.txt"):
        assert wanted <= requirements((ROOT / "requirements" / name).read_text(encoding="utf-8")), name


def test_ansible_builder_makes_a_build_context(tmp_path: Path) -> None:
    builder(
        *("create", "--file", ROOT / "execution-environment.yml", "--context", tmp_path),
        *("--output-filename", "Containerfile"),
        where=tmp_path,
    )
    made = tmp_path / "_build"
    for name, source in (
        ("requirements.txt", "requirements.txt"),
        ("requirements.yml", "collections/requirements.yml"),
        ("bindep.txt", "bindep.txt"),
    ):
        assert (made / name).read_text(encoding="utf-8") == (ROOT / source).read_text(encoding="utf-8")
    recipe = (tmp_path / "Containerfile").read_text(encoding="utf-8")
    # Another base is given by --build-arg EE_BASE_IMAGE.
    assert 'ARG EE_BASE_IMAGE="quay.io/centos/centos:stream9"' in recipe
    assert "FROM $EE_BASE_IMAGE AS base" in recipe
    (references,) = re.findall(r'^ARG ANSIBLE_INSTALL_REFS="(.*)"$', recipe, re.MULTILINE)
    assert requirements(references.replace(" ", "\n")) == {"ansible-core", "ansible-runner"}


def test_ansible_core_and_python_of_the_environment_are_a_lane() -> None:
    given = yaml.safe_load((ROOT / "execution-environment.yml").read_text(encoding="utf-8"))["dependencies"]
    core = given["ansible_core"]["package_pip"].removeprefix("ansible-core==").removesuffix(".*")
    python = given["python_interpreter"]["package_system"].removeprefix("python")
    assert given["python_interpreter"]["python_path"] == f"/usr/bin/python{python}"
    lanes = yaml.safe_load((ROOT / "molecule/matrix/rows.yml").read_text(encoding="utf-8"))["cores"]
    assert python in lanes[core]
    # The same file serves nodes with CentOS 7 and 8, with the other ansible-core.
    assert python in lanes["2.16"]


def test_an_installed_collection_tells_ansible_builder_what_it_needs(artifact: Path, tmp_path: Path) -> None:
    told = yaml.safe_load(builder("introspect", artifact, where=tmp_path))
    assert requirements("\n".join(told["python"])) == {"jmespath", "netaddr"}
    assert requirements("\n".join(told["system"])) == {"openssh-client", "openssh-clients", "sshpass"}


def test_the_artifact_has_what_is_introspected_and_not_what_builds(artifact: Path) -> None:
    inside = artifact / "ansible_collections/duplex/ha_pair"
    for name in ("meta/execution-environment.yml", "requirements.txt", "bindep.txt"):
        assert (inside / name).read_text(encoding="utf-8") == (ROOT / name).read_text(encoding="utf-8")
    for name in ("execution-environment.yml", "requirements", "awx", "ansible.cfg"):
        assert not (inside / name).exists(), name
