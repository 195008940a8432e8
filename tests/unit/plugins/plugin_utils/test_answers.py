# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook was told: strings of surveys and of -e in the types that are meant."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.filter.playbook_answers import FilterModule, playbook_answers
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._answers import ANSWERS, read_answers

ROOT = Path(__file__).resolve().parents[4]


def read(name: str, value: object) -> t.Any:
    return read_answers({name: value})[name]


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_empty_answer_is_none(name: str, value: object) -> None:
    assert read(name, value) == ANSWERS[name][0]


@pytest.mark.parametrize("value", [True, "true", "True", "yes", "on", "1", 1, " YES "])
def test_yes(value: object) -> None:
    assert read("drill_confirm", value) is True


@pytest.mark.parametrize("value", [False, "false", "no", "off", "0", 0])
def test_no(value: object) -> None:
    assert read("drill_confirm", value) is False


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("service_stop", ["service_stop"]),
        ("service_stop\nlink_down\n", ["service_stop", "link_down"]),
        ("service_stop, link_down", ["service_stop", "link_down"]),
        (["service_stop", "link_down"], ["service_stop", "link_down"]),
        ([{"fault": "link_down", "target": "standby"}], [{"fault": "link_down", "target": "standby"}]),
        ([], []),
        ([""], []),
        ("all", []),
        (["all", "link_down"], []),
    ],
)
def test_faults(value: object, found: list[object]) -> None:
    assert read("drill_faults", value) == found


@pytest.mark.parametrize(("value", "found"), [("600", 600.0), (600, 600.0), ("0", 0.0), (86400, 86400.0), ("0.5", 0.5)])
def test_seconds(value: object, found: float) -> None:
    assert read("switchover_return_after", value) == found


@pytest.mark.parametrize(("value", "found"), [(" web ", "web"), (5, "5"), ("2026-11", "2026-11")])
def test_text(value: object, found: str) -> None:
    assert read("drill_instance", value) == found


def test_text_stays_the_object_that_it_was() -> None:
    class Unsafe(str):
        """As Ansible marks what it must not take for a template."""

        __slots__ = ()

    assert type(read("release_label", Unsafe("two"))) is Unsafe


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("drill_confirm", "maybe", "drill_confirm: 'maybe' is neither true nor false; give true or false, or leave it"),
        ("drill_confirm", 2, "drill_confirm: 2 is neither true nor false; "),
        ("drill_confirm", 1.0, "drill_confirm: 1.0 is neither true nor false; "),
        ("drill_reboot", ["true"], "drill_reboot: ['true'] is neither true nor false; "),
        ("drill_rto_seconds", "0", "drill_rto_seconds: 0 is not positive, and no client waits for less than nothing; "),
        ("drill_rto_seconds", 3601, "drill_rto_seconds: 3601 is not in 0..3600 seconds; give seconds above 0, such as"),
        ("drill_rto_seconds", "nan", "drill_rto_seconds: 'nan' is not a number of seconds; "),
        ("drill_faults", 7, "drill_faults: is an integer (7), not a list; give a list such as [service_stop, {fault:"),
        ("switchover_return_after", "-1", "switchover_return_after: -1 is not in 0..86400 seconds; give seconds up to"),
        ("switchover_return_after", "86401", "switchover_return_after: 86401 is not in 0..86400 seconds; "),
        ("switchover_return_after", "soon", "switchover_return_after: 'soon' is not a number of seconds; "),
        ("switchover_target", {"a": 1}, "switchover_target: is a dictionary ({'a': 1}), not a string; give a line of"),
        ("switchover_target", True, "switchover_target: is a boolean (True), not a string; "),
        ("release_label", "a\nb", "release_label: 'a\\nb' has more than one line, or control characters; give a line"),
        ("release_label", "\x1b[31mred", "release_label: '\\x1b[31mred' has more than one line, or control characters"),
        ("release_label", "{{ lookup('env', 'HOME') }}", "is a template, which is not evaluated here; give a line of"),
        ("status_format", "yaml", "status_format: 'yaml' is not one of table, json; give one of them, or leave it out"),
    ],
)
def test_refuses(name: str, value: object, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=re.escape(message)):
        playbook_answers({name: value})


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        playbook_answers({"drill_confirm": "maybe", "drill_reboot": "perhaps"})
    assert str(caught.value).count("neither true nor false") == 2


def test_an_answer_that_no_playbook_reads() -> None:
    with pytest.raises(AnsibleFilterError, match="no playbook reads drill_fault; did you mean 'drill_faults'"):
        playbook_answers({"drill_fault": "all"})
    with pytest.raises(AnsibleFilterError, match="no playbook reads x; known are drill_confirm, "):
        playbook_answers({"x": "all"})
    with pytest.raises(AnsibleFilterError, match="expects variables by name, not str"):
        playbook_answers("drill_confirm")


def test_the_playbooks_read_all_of_them_by_the_filter() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "playbooks").glob("*.yml")]
    given = {name for text in texts for name in re.findall(r"'(\w+)': \1 \| default\(none\)", text)}
    assert given == set(ANSWERS)
    # Nothing goes round it.
    for name in ANSWERS:
        for text in texts:
            places = re.sub(rf"'{name}': {name} \| default\(none\)|__\w+_answers\.{name}|-e {name}\b|{name}=", "", text)
            assert not re.search(rf"\b{name}\b", places), name


def test_the_filter_is_found_by_its_name() -> None:
    assert FilterModule().filters() == {"playbook_answers": playbook_answers}
