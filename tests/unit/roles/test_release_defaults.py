# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release asks for health where nobody says it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml

ROLES = Path(__file__).resolve().parents[3] / "roles"


def health_url(role: str, **given: t.Any) -> str:
    defaults = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text(encoding="utf-8"))
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    return environment.from_string(defaults[f"{role}_health_url"]).render(given)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8080/ha-pair/health"),
        ({"tomcat_address": ""}, "http://127.0.0.1:8080/ha-pair/health"),
        ({"tomcat_address": "192.0.2.11", "tomcat_port": 8180}, "http://192.0.2.11:8180/ha-pair/health"),
        ({"tomcat_address": "fd77::11"}, "http://[fd77::11]:8080/ha-pair/health"),
    ],
)
def test_a_release_asks_what_the_role_asks(given: dict[str, t.Any], url: str) -> None:
    assert health_url("rolling_release", **given) == url
    assert health_url("tomcat", **{"tomcat_address": "", "tomcat_port": 8080, **given}) == url


def test_a_health_url_of_tomcat_is_that_of_its_release() -> None:
    given = "http://[::1]:8080/shop/health"
    assert health_url("rolling_release", tomcat_health_url=given, tomcat_address="fd77::11") == given
