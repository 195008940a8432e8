# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which patterns of hosts are refused, because Ansible would skip the play."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._patterns import first_pattern
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError

GROUPS = {
    "all": ["web-1", "web-2", "app-1"],
    "ungrouped": ["app-1"],
    "ha_pair": ["web-1", "web-2"],
    "web": ["web-1", "web-2"],
    "hollow": [],
}
CURE = "put hosts into a group of that name, or name what is there"
THERE = "groups with hosts: ha_pair, web"


@pytest.mark.parametrize(
    "pattern",
    [
        "ha_pair",
        "web-1",
        "web,app-1",
        "web:app-1",
        "web-*",
        "~app-[0-9]",
        "web[0]",
        "web:&ha_pair",
        "web:!web-1",
        "all:!gone",
        "localhost",
        ["web-1", "app-1"],
    ],
)
def test_what_matches_is_returned_as_it_was_given(pattern: t.Any) -> None:
    assert first_pattern({"ha_pair_hosts": pattern}, GROUPS) is pattern


def test_the_first_one_that_is_given_is_returned() -> None:
    assert first_pattern({"release_hosts": "", "ha_pair_hosts": "web"}, GROUPS) == "web"
    assert first_pattern({"ha_pair_hosts": "web", "ha_pair_app_hosts": "app-1"}, GROUPS) == "web"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("wep", f"'wep' is no group and no host of the inventory; {CURE} (did you mean 'web'?); {THERE}"),
        ("zzz", f"'zzz' is no group and no host of the inventory; {CURE}; {THERE}"),
        ("web,zzz", f"'zzz' is no group and no host of the inventory; {CURE}; {THERE}"),
        ("web:&zzz", f"'zzz' is no group and no host of the inventory; {CURE}; {THERE}"),
        ("db-*", f"'db-*' is no group and no host of the inventory; {CURE}; {THERE}"),
        ("hollow", f"'hollow' is a group without hosts; {CURE}; {THERE}"),
        ("web:!ha_pair", "'web:!ha_pair' leaves no host of the inventory; name a group that has hosts"),
        ("web[7]", f"'web[7]' is no group and no host of the inventory; {CURE} (did you mean 'web'?); {THERE}"),
        (" , ", "' , ' leaves no host of the inventory; name a group that has hosts"),
        ({"web": 1}, "is a dictionary ({'web': 1}), not a string; give the name of a group"),
    ],
)
def test_what_matches_nothing_is_refused(pattern: t.Any, problem: str) -> None:
    with pytest.raises(InputError) as refused:
        first_pattern({"ha_pair_hosts": "ha_pair", "ha_pair_app_hosts": pattern}, GROUPS)
    assert [str(found) for found in refused.value.problems] == [f"ha_pair_app_hosts: {problem}"]


def test_all_of_them_are_told_and_an_empty_inventory_is_no_excuse() -> None:
    with pytest.raises(InputError) as refused:
        first_pattern({"ha_pair_hosts": "ha_pair", "ha_pair_app_hosts": "apps"}, {"all": [], "ungrouped": []})
    assert [str(found) for found in refused.value.problems] == [
        f"{name}: {group!r} is no group and no host of the inventory; {CURE}; groups with hosts: none"
        for name, group in (("ha_pair_hosts", "ha_pair"), ("ha_pair_app_hosts", "apps"))
    ]
