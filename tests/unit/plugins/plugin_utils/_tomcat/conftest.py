# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Tomcat node with the role's defaults, for what is built and refused."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._tomcat.model import Model, build_tomcat

DEFAULTS: dict[str, t.Any] = {
    "version": "auto",
    "tarball": {},
    "java_version": "",
    "port": 8080,
    "address": "",
    "connector": {},
    "heap": "",
    "jvm_options": [],
    "environment": {},
    "users": [],
    "manager": False,
    "trusted_proxies": [],
    "write_paths": [],
    "applications": [],
    "keep_releases": 2,
    "sessions": {},
    "host_names": [],
    "health_url": "http://127.0.0.1:8080/ha-pair/health",
    "ready_timeout": 90,
    "manage_selinux": True,
}


def system(name: str, major: str, **more: t.Any) -> dict[str, t.Any]:
    """The facts of a node that the model reads."""
    family = "Debian" if name == "Debian" else "RedHat"
    return {
        "os_family": family,
        "distribution": name,
        "distribution_major_version": major,
        "architecture": "x86_64",
        **more,
    }


class Tomcat:
    """Builds the model of one node."""

    def __init__(self) -> None:
        self.facts = system("Debian", "12")
        self.survey: dict[str, t.Any] | None = None
        self.wars: dict[str, dict[str, t.Any]] | None = None

    def build(self, **given: t.Any) -> Model:
        """The model, with the role's defaults for what is not given."""
        return build_tomcat(
            {**DEFAULTS, **given}, node_name="node-a", facts=self.facts, survey=self.survey, wars=self.wars
        )

    def refusals(self, **given: t.Any) -> list[str]:
        """The lines in which the input is refused."""
        with pytest.raises(InputError) as caught:
            self.build(**given)
        return str(caught.value).splitlines()


@pytest.fixture
def tomcat() -> Tomcat:
    """A node of Debian 12 that nobody looked at."""
    return Tomcat()


@pytest.fixture
def on() -> t.Callable[..., Tomcat]:
    """A node of another system."""

    def make(name: str, major: str, **more: t.Any) -> Tomcat:
        node = Tomcat()
        node.facts = system(name, major, **more)
        return node

    return make
