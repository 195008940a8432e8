# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw lines: what the model has no word for passes, what contradicts it is refused."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import Reader
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._vrrp.raw_options import (
    OWNED_BY_INSTANCE,
    OWNED_GLOBALLY,
    read_lines,
)

PLACE = "node-a: keepalived_instances.web.options"


def read(given: object, owned: t.Mapping[str, str] = OWNED_BY_INSTANCE) -> tuple[tuple[str, ...], str]:
    reader = Reader()
    lines = read_lines(PLACE, given, owned, reader)
    return lines, "\n".join(str(problem) for problem in reader.problems)


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        (None, ()),
        ([], ()),
        (["garp_master_repeat 3"], ("garp_master_repeat 3",)),
        (["  garp_master_delay 1  # { no block"], ("garp_master_delay 1  # { no block",)),
        (
            ["  virtual_routes {\n    198.51.100.0/24 via 192.0.2.1\n  }\n"],
            ("virtual_routes {", "  198.51.100.0/24 via 192.0.2.1", "}"),
        ),
        (["virtual_routes { 198.51.100.0/24 via 192.0.2.1 }"], ("virtual_routes { 198.51.100.0/24 via 192.0.2.1 }",)),
        # A word of the model means something else inside a block of another, or as an argument.
        (["virtual_rules {\n priority 100\n}", "x priority"], ("virtual_rules {", " priority 100", "}", "x priority")),
        (['x "a # b" "c"'], ('x "a # b" "c"',)),
    ],
)
def test_passes_what_the_model_has_no_word_for(given: object, lines: tuple[str, ...]) -> None:
    assert read(given) == (lines, "")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("x", f"{PLACE}: is a string, not a list; give a list of lines, such as ['garp_master_repeat 3']"),
        ({"x": 1}, f"{PLACE}: is a dictionary, not a list; give a list of lines"),
        ([1], f"{PLACE}[0]: is an integer, not a string; give a list of lines"),
        (["x", " "], f"{PLACE}[1]: is empty; give a list of lines"),
        (["x\0"], f"{PLACE}[0]: holds a control character; give printable lines"),
        (
            ["x $y"],
            f"{PLACE}[0]: holds $, @, \\, ~SEQ or ~LST, by which keepalived's configuration changes while it is",
        ),
        (["@node-a x"], f"{PLACE}[0]: holds $, @, \\, ~SEQ or ~LST"),
        (["x ~SEQ(i, 1, 3) y"], f"{PLACE}[0]: holds $, @, \\, ~SEQ or ~LST"),
        (["x \\"], f"{PLACE}[0]: holds $, @, \\, ~SEQ or ~LST"),
        (
            ["include /etc/x"],
            f"{PLACE}[0]: 'include' brings in a file that nobody here has looked at; write out its lines",
        ),
        (["virtual_routes {\n includer /etc/x\n}"], f"{PLACE}[0]: 'includer' brings in a file"),
        (
            ["x {"],
            f"{PLACE}[0]: has braces that do not match; close every block in the entry that opens it, and no other",
        ),
        (["x }"], f"{PLACE}[0]: has braces that do not match"),
        (["} vrrp_instance evil {"], f"{PLACE}[0]: has braces that do not match"),
        (["x {", "}"], f"{PLACE}[0]: has braces that do not match"),
        (['x "y'], f"{PLACE}[0]: has a quote that is not closed on its line; close it"),
        (["priority 100"], f"{PLACE}[0]: 'priority' belongs to the model; set priorities of the instance"),
        (
            ['"priority" 100'],
            f"{PLACE}[0]: '\"priority\"' starts a statement, and keepalived reads it as if it had no quotes; write the "
            "first word of a statement without quotes",
        ),
        (
            ['garp_master_repeat 3\n"}"\nvrrp_instance evil {\n state MASTER\n}'],
            f"{PLACE}[0]: '\"}}\"' starts a statement",
        ),
        (['"}"'], f"{PLACE}[0]: '\"}}\"' starts a statement"),
        (['"" state MASTER'], f"{PLACE}[0]: '\"\"' starts a statement"),
        (['x {\n y "z"\n "q"\n}'], f"{PLACE}[0]: '\"q\"' starts a statement"),
        (['x { "q" }'], f"{PLACE}[0]: '\"q\"' starts a statement"),
        (
            ['x "}"'],
            f"{PLACE}[0]: has a brace in quotes, which can open or close a block in keepalived; leave the brace out",
        ),
        (['x "a { b"'], f"{PLACE}[0]: has a brace in quotes"),
        (
            ['sta"te" MASTER'],
            f"{PLACE}[0]: has a quote in the middle of a word, where keepalived begins another word; put the "
            "whole word into quotes, or none of it",
        ),
        (['x "a"b'], f"{PLACE}[0]: has a quote in the middle of a word"),
        (['x "a""b"'], f"{PLACE}[0]: has a quote in the middle of a word"),
        (['x "a"{\n}'], f"{PLACE}[0]: has a quote in the middle of a word"),
        # keepalived takes the rest of the line for a comment, so that the next brace closes the instance.
        (
            ["x '#' {\n}\nvrrp_instance evil {\n state MASTER\n}"],
            f"{PLACE}[0]: has a single quote, which hides neither a comment nor a brace from keepalived; take",
        ),
        (["'state' MASTER"], f"{PLACE}[0]: has a single quote"),
        (["x 1\npriority 100"], f"{PLACE}[0]: 'priority' belongs to the model"),
        (["x {\n} priority 100"], f"{PLACE}[0]: 'priority' belongs to the model"),
        (
            ["virtual_ipaddress {\n 192.0.2.9\n}"],
            f"{PLACE}[0]: 'virtual_ipaddress' belongs to the model; list the addr",
        ),
        (["unicast_peer{\n192.0.2.9\n}"], f"{PLACE}[0]: 'unicast_peer' belongs to the model; the model prints it for"),
        (["notify /x"], f"{PLACE}[0]: 'notify' belongs to the model; set keepalived_notify_command, which is called"),
    ],
)
def test_refuses(given: object, message: str) -> None:
    lines, text = read(given)
    assert text.startswith(message)
    assert not any("priority" in line for line in lines)


@pytest.mark.parametrize(
    ("owned", "line", "cure"),
    [(owned, f"{word} x", cure) for owned in (OWNED_BY_INSTANCE, OWNED_GLOBALLY) for word, cure in owned.items()],
)
def test_every_word_of_the_model_is_refused_with_where_to_set_it(
    owned: t.Mapping[str, str], line: str, cure: str
) -> None:
    assert read([line], owned) == ((), f"{PLACE}[0]: {line.split(maxsplit=1)[0]!r} belongs to the model; {cure}")


def test_lines_reach_the_model(pair: t.Any) -> None:
    model = pair.model({"options": ["garp_master_repeat 3"]}, keepalived_global_options=["vrrp_startup_delay 2"])
    assert (model.instances[0].options, model.global_options) == (["garp_master_repeat 3"], ["vrrp_startup_delay 2"])
    assert "node-a: keepalived_global_options[0]: 'router_id' belongs to the model; set keepalived_router_id" in (
        pair.refusal(keepalived_global_options=["router_id x"])
    )
