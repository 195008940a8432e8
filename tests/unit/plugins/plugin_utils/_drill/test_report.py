# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as a page, as lines and as figures."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.filter import drill_report
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.document import document
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.report import headline, moment, report

Run = dict[str, t.Any]


def spoiled(result: Run) -> Run:
    """The same fault once more, failed, with everything that may stand in a report."""
    worse = copy.deepcopy(result)
    worse.update(number=2, fault="link_down", title="link down", node="node-b", peer="node-a", role="standby")
    worse["expect"].update(vip="stays", rto_seconds=0.1, two_owners_seconds=None, note="no client is on it")
    worse["observed"].update(
        outage_seconds=3.1234,
        two_seconds=0.25,
        owner_during=None,
        keepalive={"connections": 2, "broken": []},
        restored_by="timer",
    )
    worse["observed"]["outages"][0].update(end=None, seconds=3.1234, after=None)
    return worse


@pytest.fixture
def failed(run: Run, result: Run) -> Run:
    run["results"].append(spoiled(result))
    return run


def test_the_table(failed: Run) -> None:
    lines = report(failed)["markdown"].splitlines()
    start = lines.index("| no | fault | node | VIP | outage | limit | owners | keep-alive | result |")
    assert lines[start + 1 : start + 5] == [
        "| ---: | --- | --- | --- | ---: | ---: | --- | --- | --- |",
        "| 1 | service\\_stop | node-a (owner) | node-a > node-b > node-a | 0.03 s | 0.3 s | 1 | 1 break | passed |",
        "| 2 | link\\_down | node-b (standby) | node-a > node-b > node-a | 3.12 s and on | 0.1 s | 2 for 0.250 s "
        "| unbroken | **failed** |",
        "",
    ]


@pytest.mark.parametrize(
    ("vip", "owner", "answered", "path"),
    [
        # The audit named one.
        ("moves", "node-b", {"node-a": 1, "node-b": 9}, "node-a > node-b > node-a"),
        ("conflict", "node-b", {"node-a": 1, "node-b": 9}, "node-a > node-b > node-a"),
        # It named none: two who cannot know better, or a handover in its very moment.
        ("conflict", None, {"node-a": 5, "node-b": 9}, "node-a > contested > node-a"),
        ("conflict", None, {}, "node-a > contested > node-a"),
        ("returns", None, {"node-a": 5, "node-b": 9}, "node-a > node-b > node-a"),
        ("stays", None, {"node-a": 5}, "node-a"),
        ("stays", None, {}, "node-a > nobody > node-a"),
    ],
)
def test_the_way_of_the_vip(run: Run, vip: str, owner: str | None, answered: dict[str, int], path: str) -> None:
    run["results"][0]["expect"]["vip"] = vip
    run["results"][0]["observed"].update(owner_during=owner, answered_during=answered)
    row = next(line for line in report(run)["markdown"].splitlines() if line.startswith("| 1 |"))
    assert row.split(" | ")[3] == path


def test_a_fault_without_a_limit_says_so(failed: Run) -> None:
    for result in failed["results"]:
        result["expect"]["rto_seconds"] = None
    failed["results"][1]["failures"] = ["it failed"]
    made = report(failed)
    assert "| 0.03 s | - | 1 | 1 break | passed |" in made["markdown"]
    assert "- expected: VIP stays, no limit of the outage, at most one owner\n" in made["markdown"]
    assert ", limit -, VIP" in headline(made["document"]["results"][0], 2)


def test_the_head_of_the_page(failed: Run) -> None:
    page = report(failed)["markdown"]
    assert page.startswith(
        "# Failover drill of node-a + node-b: failed\n\n"
        "1 of 2 faults passed, 1 failed, 1 skipped, 1 not run, longest outage 3.12 s (link\\_down on node-b).\n"
        "Begun 2026-09-21 14:13:20.00Z, 20 s, seen by observer.\n"
    )
    assert page.endswith("```\n")


def test_details_of_a_failure(failed: Run) -> None:
    page = report(failed)["markdown"]
    assert "## 1." not in page
    section = page[page.index("## 2.") : page.index("## Notes")]
    assert section == (
        "## 2. link\\_down on node-b: failed\n\n"
        "link down\n\n"
        "- link\\_down on node-b: the VIP was not answered again: no answer for the last 3.123 s of the probe, the "
        "limit is 0.100 s; likely cause: on node-a a service that is tracked, a check (is its script there?) or an "
        "interface is down; \\`ha-pair\\` there says which\n"
        "- link\\_down on node-b: two owners for 0.250 s (uncertainty 0.002 s), at most one owner is allowed; likely "
        "cause: on node-a a service that is tracked, a check (is its script there?) or an interface is down; "
        "\\`ha-pair\\` there says which\n"
        "- link\\_down on node-b: the VIP had no owner, it was to stay on node-a; likely cause: on node-a a service "
        "that is tracked, a check (is its script there?) or an interface is down; \\`ha-pair\\` there says which\n\n"
        "- expected: VIP stays, outage at most 0.1 s, at most one owner\n"
        "- why: no client is on it\n"
        "- injected 2026-09-21 14:13:25.00Z, mended 2026-09-21 14:13:28.00Z by the dead-man timer\n"
        "- no answer from 2026-09-21 14:13:25.00Z for 3.123 s (3 lost), node-a before, nobody after\n"
        "- audit before: verified\n"
        "- audit during: degraded, one owner; node-a: web is FAULT and cannot take over\n"
        "- audit after: verified\n\n"
    )


def test_the_rest_of_the_page(failed: Run) -> None:
    page = report(failed)["markdown"]
    assert page[page.index("## Notes") :] == (
        "## Notes\n\n"
        "- link\\_down on node-b: the dead-man timer on the target mended this, not the drill\n\n"
        "## Skipped\n\n"
        "- cpu\\_starvation on node-a: no cpu controller\n\n"
        "## Not run\n\n"
        "- link\\_down: the drill was aborted\n\n"
        "## How sure these figures are\n\n"
        "- resolution of the probe: 0.01 s at worst; a shorter outage cannot be told from none\n"
        "- uncertainty of the clocks: 0.002 s at worst; two owners for less are not claimed\n"
        "- kind of nodes: Debian 12 in a container\n\n"
        "## Settings\n\n"
        "- pair: instance web, profile balanced, mode preferred, preferred node-a, advert interval 0.25 s, "
        "master down interval 0.756 s\n"
        "- VIPs: 192.0.2.10\n"
        "- probe: url http://192.0.2.10/, interval 0.01, keepalive 4\n"
        "- duplex.ha\\_pair 0.1.0\n\n"
        "## How to repeat it\n\n"
        "The inventory of the pair, and these variables as `drill.json`:\n\n"
        '```json\n{\n  "drill_faults": [\n    "service_stop"\n  ]\n}\n```\n\n'
        "```\nansible-playbook -i INVENTORY duplex.ha_pair.drill -e @drill.json -e drill_confirm=true\n```\n"
    )


def test_a_page_of_nothing(run: Run) -> None:
    """Aborted before the first fault, and nothing else is known."""
    bare = {key: run[key] for key in ("schema", "collection_version", "started_at")}
    bare.update(pair={"members": ["node-a", "node-b"]}, aborted="node-b: keepalived is not running")
    made = report(bare)
    assert "**Aborted:** node-b: keepalived is not running" in made["markdown"]
    assert "| no |" not in made["markdown"]
    assert made["text"] == [
        "failover drill of node-a + node-b: aborted",
        "0 of 0 faults passed",
        "begun 2026-09-21 14:13:20.00Z, not ended yet, without an observer",
        "aborted: node-b: keepalived is not running",
        "",
        "kind of nodes: not told",
    ]
    assert made["stats"]["result"] == "aborted"
    del bare["aborted"]
    assert report(bare)["text"][0] == "failover drill of node-a + node-b: nothing was drilled"


def test_names_cannot_break_the_page(run: Run) -> None:
    run["kind"] = "a|b <script> `x` *y* [z](w)\n# not a title & \x1b[31m\x07"
    page = report(run)["markdown"]
    assert "- kind of nodes: a\\|b &lt;script> \\`x\\` \\*y\\* \\[z\\](w) # not a title &amp; ?\n" in page


def test_lines_for_a_terminal(failed: Run) -> None:
    assert report(failed)["text"][:6] == [
        "failover drill of node-a + node-b: failed",
        "1 of 2 faults passed, 1 failed, 1 skipped, 1 not run, longest outage 3.12 s (link_down on node-b)",
        "begun 2026-09-21 14:13:20.00Z, 20 s, seen by observer",
        "",
        "no  fault         node              VIP                              outage  limit  owners         keep-alive"
        "  result",
        " 1  service_stop  node-a (owner)    node-a > node-b > node-a         0.03 s  0.3 s  1              1 break   "
        "  passed",
    ]
    marks = [line.split(":")[0].strip() for line in report(failed)["text"] if line.startswith("  ") and ":" in line]
    assert [mark for mark in marks if mark in ("failed", "note", "skipped", "not run")] == [
        "failed",
        "failed",
        "failed",
        "note",
        "skipped",
        "not run",
    ]


def test_lines_are_short_and_printable(failed: Run) -> None:
    long = "node-with-a-name-that-is-far-too-long-for-any-table.datacentre-north.example.org"
    for result in failed["results"]:
        result.update(node=f"{long}\t\x1b[2J", fault="f" * 60, notes=["y" * 300, "two\nlines\x07"])
        result["observed"].update(owner_before=long, owner_during=f"{long}.b", owner_after=long)
    failed.update(kind="k" * 200, aborted="a " * 100)
    lines = report(failed)["text"]
    assert max(len(line) for line in lines) <= 120
    assert all(line.isprintable() for line in lines)
    table = lines[lines.index("") + 1 :][:3]
    assert [line.split()[-1] for line in table] == ["result", "failed", "failed"]
    assert len({line.index(word) for line, word in zip(table, ("result", "failed", "failed"), strict=True)}) == 1
    assert len(headline(document(failed)["results"][0], 20)) == 120


def test_headline(run: Run) -> None:
    assert headline(document(run)["results"][0], 20) == (
        "fault 1 of 20, service_stop on node-a: passed; outage 0.03 s, limit 0.3 s, VIP node-a > node-b > node-a"
    )


@pytest.mark.parametrize(
    ("observed", "cell"),
    [
        ({"outage_seconds": None}, "outage not known,"),
        ({"outage_seconds": 0.0}, "outage < 0.010 s,"),
        ({"outage_seconds": 0.0, "resolution": None}, "outage 0 s,"),
        ({"outage_seconds": 0.0126, "resolution": 0.001}, "outage 0.013 s,"),
        ({"outage_seconds": 1.26, "resolution": 0.1}, "outage 1.3 s,"),
        ({"owner_before": None, "owner_during": None, "owner_after": None}, "VIP nobody"),
        ({"owner_during": "node-a"}, "VIP node-a"),
    ],
)
def test_figures_have_no_more_digits_than_the_probe(run: Run, observed: Run, cell: str) -> None:
    run["results"][0]["observed"].update(observed)
    assert cell in headline(document(run)["results"][0], 1) + ","


@pytest.mark.parametrize(
    ("observed", "cell"),
    [
        ({"two_seconds": None}, "| not watched |"),
        ({"two_seconds": 0.001}, "| 1 |"),
        ({"two_seconds": 0.3}, "| 2 for 0.300 s |"),
        ({"two_below_uncertainty": 0.3, "uncertainty": None}, "| not known |"),
        ({"missing": ["node-a", "node-b"]}, "| not watched |"),
        ({"keepalive": None}, "| - |"),
        ({"keepalive": {"connections": 0}}, "| - |"),
        ({"keepalive": {"connections": 2, "broken": [{}, {}]}}, "| 2 breaks |"),
    ],
)
def test_owners_and_connections(run: Run, observed: Run, cell: str) -> None:
    run["results"][0]["observed"].update(observed)
    table = next(line for line in report(run)["markdown"].splitlines() if line.startswith("| 1 |"))
    assert cell in table.removeprefix("| 1 ")


def test_a_custom_fault_has_its_title_in_the_table(run: Run) -> None:
    run["results"][0].update(fault="custom", title="pulls the plug")
    assert "| 1 | pulls the plug | node-a (owner) |" in report(run)["markdown"]


def test_stats(failed: Run) -> None:
    made = report(failed)
    assert made["stats"] == {
        "check": False,
        "schema": 1,
        "result": "failed",
        "passed": False,
        "aborted": None,
        "instance": "web",
        "members": ["node-a", "node-b"],
        "faults": [
            {"fault": "service_stop", "node": "node-a", "passed": True, "outage_seconds": 0.03, "failures": []},
            {
                "fault": "link_down",
                "node": "node-b",
                "passed": False,
                "outage_seconds": 3.1234,
                "failures": made["document"]["results"][1]["failures"],
            },
        ],
        "skipped": made["document"]["skipped"],
        "not_run": made["document"]["not_run"],
        "summary": made["document"]["summary"],
        "report": made["markdown"],
    }
    assert made["stats"]["faults"][1]["failures"] != []
    failed["results"].pop()
    assert report(failed)["stats"]["passed"] is True


def test_stats_keep_to_their_size(failed: Run) -> None:
    failed["results"][1].update(notes=["n" * 500] * 500)
    made = report(failed)
    assert len(made["markdown"]) > 200_000
    assert made["stats"]["cut"] is True
    assert len(json.dumps(made["stats"])) <= 100_000
    assert made["stats"]["faults"][0]["node"] == "node-a"


def test_settings_that_are_no_dictionary(run: Run) -> None:
    run.update(probe_settings="every 10 ms", options=["x"])
    page = report(run)["markdown"]
    assert "- probe: every 10 ms\n" in page
    assert "```json\n{}\n```" in page


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, "-"), (1790000000.259, "2026-09-21 14:13:20.26Z"), (1790000000.999, "2026-09-21 14:13:21.00Z")],
)
def test_moment(seconds: float | None, told: str) -> None:
    assert moment(seconds) == told


# --- the filter ---


def test_the_filter_gives_all_forms(run: Run) -> None:
    made = drill_report.FilterModule().filters()["drill_report"](run)
    assert set(made) == {"document", "markdown", "text", "stats"}


def test_the_filter_documents_what_it_gives(run: Run) -> None:
    made = drill_report.drill_report(run)
    documented = yaml.safe_load(drill_report.RETURN)["_value"]["contains"]
    assert set(documented) == set(made)
    assert list(documented["stats"]["contains"]) == list(made["stats"])


def test_the_example_of_the_filter_works() -> None:
    examples = yaml.safe_load(drill_report.EXAMPLES)
    assert drill_report.drill_report(examples[1]["vars"]["run"])["stats"]["result"] == "passed"


def test_the_filter_refuses() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^duplex\.ha_pair\.drill_report: run: is a string \('x'\), not a"):
        drill_report.drill_report("x")
