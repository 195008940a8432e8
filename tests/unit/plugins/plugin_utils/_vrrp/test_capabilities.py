# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what each keepalived version can do."""

from __future__ import annotations

import re

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.capabilities import (
    FIRST_VERSION,
    capabilities,
    packaged_version,
    parse_version,
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.2.7", (2, 2, 7)),
        ("1:2.2.7-1+b2", (2, 2, 7)),
        ("Keepalived v2.3.3 (03/24,2025)\n\nCopyright(C) 2001-2025", (2, 3, 3)),
        ("Keepalived v2.1.5 (07/13,2020)", (2, 1, 5)),
    ],
)
def test_version_is_found_where_it_stands(text: str, version: tuple[int, int, int]) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["", "keepalived", "2.2"])
def test_refuses_what_is_no_version(text: str) -> None:
    problem = f"keepalived version: {text!r} is not a version; give what `keepalived --version` prints"
    with pytest.raises(InputError, match=re.escape(problem)):
        parse_version(text)


@pytest.mark.parametrize(
    ("version", "absent"),
    [
        (
            "1.3.5",
            set(FIRST_VERSION),
        ),
        (
            "2.1.5",
            {
                "fifo_write_vrrp_states_on_reload",
                "unicast_fault_no_peer",
                "fractional_script_interval",
            },
        ),
        ("2.2.4", {"fifo_write_vrrp_states_on_reload", "unicast_fault_no_peer", "fractional_script_interval"}),
        ("2.2.7", {"fractional_script_interval"}),
        ("2.3.3", set()),
    ],
)
def test_versions_differ(version: str, absent: set[str]) -> None:
    found = capabilities(version)
    assert {feature for feature in FIRST_VERSION if feature not in found} == absent
    assert found.to_dict()["version"] == version


def test_what_a_version_lacks_is_said() -> None:
    assert capabilities("2.3.3").warnings() == []
    (warning,) = capabilities("2.2.7").warnings()
    assert warning.startswith("keepalived 2.2.7 lacks fractional_script_interval: check scripts run at whole seconds")


def test_all_that_the_oldest_version_does_without_is_said() -> None:
    text = "\n".join(capabilities("1.3.5").warnings())
    assert "lacks track_file: state files are not watched but looked at every second" in text
    assert "lacks prompt_takeover: clients wait one advert interval longer for every takeover" in text
    # Either it is made up for without a loss, or what needs it is refused.
    said = set(re.findall("lacks ([a-z_]+):", text))
    assert set(FIRST_VERSION) - said == {
        "check_unicast_src",
        "group_tracking",
        "max_auto_priority",
        "notify_priority_changes",
        "rfc_checksum",
        "track_process",
    }


@pytest.mark.parametrize("version", ["1.2.13", "1.3.4", "1.3.9", "2.0.10"])
def test_refuses_a_version_that_nobody_has_looked_at(version: str) -> None:
    with pytest.raises(
        InputError, match=f"{re.escape(version)} is neither 1\\.3\\.5 nor 2\\.1\\.0 or newer; take that"
    ):
        capabilities(version)


def test_a_feature_that_the_table_lacks_is_an_error_and_not_a_no() -> None:
    with pytest.raises(KeyError, match="track_flie"):
        "track_flie" in capabilities("2.2.7")  # noqa: B015


@pytest.mark.parametrize(
    ("family", "major", "version"),
    [
        ("Debian", "12", "2.2.7"),
        ("RedHat", "9", "2.2.8"),
        ("RedHat", "7", "1.3.5"),
        ("Debian", "10", None),
        ("Suse", "15", None),
    ],
)
def test_packaged_version(family: str, major: str, version: str | None) -> None:
    assert packaged_version(family, major) == version
