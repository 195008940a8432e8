# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order a release is done, what is continued, and what is refused."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.duplex.ha_pair.plugins.filter.release_plan import release_plan
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError, Reader
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._release.inputs import read_settings
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._release.plan import Plan, fingerprint, plan

URL = "http://127.0.0.1:8080/ha-pair/health"


def pair(**settings: dict[str, t.Any]) -> dict[str, t.Any]:
    """A pair whose instance `web` follows tomcat, preferred on node-a, unless other instances are given."""
    given = settings or {"web": {}}
    usual = {"preferred": "node-a", "sync_group": None, "preempt_delay": 2.0, "services": ["tomcat"]}
    vips = {name: f"192.0.2.{number}" for number, name in enumerate(given, start=10)}
    return {
        "members": ["node-a", "node-b"],
        "instances": {name: [vip] for name, vip in vips.items()},
        "vips": [{"address": vip, "instance": name} for name, vip in vips.items()],
        "settings": {name: {**usual, **found} for name, found in given.items()},
    }


def verdict(result: str = "verified", degraded: list[str] | None = None, **owners: str) -> dict[str, t.Any]:
    given = owners or {"web": "node-a"}
    return {
        "members": ["node-a", "node-b"],
        "result": result,
        "vips": [{"instance": name, "owner": owner} for name, owner in given.items()],
        "problems": ["192.0.2.10: no owner by ARP"] if result == "failed" else [],
        "degraded": degraded or [],
    }


def settings(**words: t.Any) -> dict[str, t.Any]:
    return {"role": "tomcat", "service": "tomcat", "health_url": URL, **words}


def nodes(*names: str, **each: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """Nodes without anything, and what is given of one (`node_a` for node-a)."""
    found: dict[str, dict[str, t.Any]] = {
        name: {"claim": {}, "staged": {}, "raised": []} for name in names or ("node-a", "node-b")
    }
    for name, words in each.items():
        found[name.replace("_", "-")].update(words)
    return found


def claim(phase: str = "activating", *, raised: bool = False, left: float = 600.0, **words: t.Any) -> dict[str, t.Any]:
    """A claim of the same input as settings()."""
    own = fingerprint(read_settings(settings(), Reader()), {})
    return {
        "fingerprint": own,
        "run": "1",
        "by": "someone on control",
        "phase": phase,
        "raised": raised,
        "left": left,
        **words,
    }


def staged(due: bool = True, release: str = "0123456789abcdef") -> dict[str, t.Any]:
    return {"due": due, "release": release}


def steps(found: Plan) -> list[tuple[str, ...]]:
    return [(step.kind, step.node, step.instance) if step.instance else (step.kind, step.node) for step in found.steps]


def refusal(*arguments: t.Any) -> str:
    with pytest.raises(InputError) as refused:
        plan(*arguments)
    return str(refused.value)


# A pair whose VIP follows the service


def test_the_standby_comes_first_and_the_vip_goes_home_at_the_end() -> None:
    found = plan(nodes(), settings(), pair(), verdict())
    assert found.mode == "vip"
    assert steps(found) == [
        ("activate", "node-b"),
        ("move", "node-b", "web"),
        ("activate", "node-a"),
        ("home", "node-a", "web"),
    ]
    assert found.steps[-1].delay == 2.0
    assert found.steps[1].other == "node-a"


def test_the_plan_says_what_is_proved_and_what_happens_where_it_fails() -> None:
    text = plan(nodes(), settings(), pair(), verdict()).text()
    assert text[0] == (
        "release tomcat on node-a + node-b, standby first; now web on node-a; what is due shows once it is staged"
    )
    assert text[1] == (
        "  1. node-b: activate while it owns no VIP; proof: 10 good answers in a row from its health URL, "
        "tomcat and its release verified, then 12 s"
    )
    assert text[2] == "  2. web moves to node-b, and node-a closes what is idle before"
    assert text[4] == "  4. web goes home to node-a, and node-b closes what is idle before, after 2 s"
    assert text[-1] == (
        "  where the proof fails: the node gets back what it had, the VIP stays where it is, and no other is changed"
    )


@pytest.mark.parametrize("given", [(pair(), verdict()), ()])
def test_members_with_health_urls_of_their_own_have_the_same_plan(given: tuple[t.Any, ...]) -> None:
    own = [settings(health_url=f"http://192.0.2.{number}:8080/ha-pair/health") for number in (11, 12)]
    first, second = (plan(nodes(), each, *given).to_dict() for each in own)
    assert first == second


def test_without_a_preferred_node_the_vip_stays_where_it_came_to() -> None:
    found = plan(nodes(), settings(), pair(web={"preferred": None}), verdict(web="node-b"))
    assert steps(found) == [("activate", "node-a"), ("move", "node-a", "web"), ("activate", "node-b")]


def test_where_each_node_owns_something_each_is_empty_before_its_turn() -> None:
    given = pair(web={}, api={"preferred": "node-b"})
    found = plan(nodes(), settings(), given, verdict(web="node-a", api="node-b"))
    assert steps(found) == [
        ("move", "node-b", "web"),
        ("activate", "node-a"),
        ("move", "node-a", "web"),
        ("move", "node-a", "api"),
        ("activate", "node-b"),
        ("home", "node-b", "api"),
    ]


def test_a_sync_group_moves_once() -> None:
    given = pair(web={"sync_group": "both"}, api={"sync_group": "both"})
    found = plan(nodes(), settings(), given, verdict(web="node-a", api="node-a"))
    assert [step for step in steps(found) if step[0] == "move"] == [("move", "node-b", "web")]


def test_an_instance_that_does_not_follow_the_service_stays() -> None:
    given = pair(web={}, mail={"services": ["postfix"]})
    found = plan(nodes(), settings(), given, verdict(web="node-a", mail="node-a"))
    assert found.instances == ["web"]
    assert found.vips == ["192.0.2.10"]
    assert {step.instance for step in found.steps} == {"", "web"}


# Continued, or done already


def test_when_all_is_done_there_is_no_step() -> None:
    each = {"staged": staged(due=False)}
    found = plan(nodes(node_a=each, node_b=each), settings(), pair(), verdict())
    assert found.steps == []
    assert found.text()[1:] == ["  node-a: nothing is due", "  node-b: nothing is due"]


def test_killed_before_the_move_it_goes_on_with_the_move() -> None:
    given = nodes(node_a={"staged": staged(), "claim": claim("proved")}, node_b={"staged": staged(due=False)})
    found = plan(given, settings(), pair(), verdict())
    assert found.resumed
    assert steps(found) == [("move", "node-b", "web"), ("activate", "node-a"), ("home", "node-a", "web")]


def test_killed_after_the_move_it_goes_on_with_the_former_owner_and_home() -> None:
    given = nodes(
        node_a={"staged": staged(), "claim": claim("proved", raised=True)},
        node_b={"staged": staged(due=False), "raised": ["web"], "claim": claim("proved", raised=True)},
    )
    found = plan(given, settings(), pair(), verdict(web="node-b"))
    assert steps(found) == [("activate", "node-a"), ("home", "node-a", "web")]


def test_killed_before_home_it_goes_home() -> None:
    each = {"staged": staged(due=False), "claim": claim("proved", raised=True)}
    given = nodes(node_a=each, node_b={**each, "raised": ["web"]})
    assert steps(plan(given, settings(), pair(), verdict(web="node-b"))) == [("home", "node-a", "web")]


def test_a_node_that_was_killed_in_its_activation_comes_first_although_the_pair_is_not_whole() -> None:
    given = nodes(node_b={"claim": claim("activating")})
    sick = verdict("degraded, one owner", ["node-b: web is FAULT and cannot take over"])
    assert steps(plan(given, settings(), pair(), sick))[0] == ("activate", "node-b")


@pytest.mark.parametrize("phase", ["activating", "sick"])
def test_what_a_killed_run_activated_is_proved_before_the_vip_moves_to_it(phase: str) -> None:
    given = nodes(node_a={"staged": staged()}, node_b={"staged": staged(due=False), "claim": claim(phase)})
    found = plan(given, settings(), pair(), verdict())
    assert (found.done, steps(found)) == (
        [],
        [("prove", "node-b"), ("move", "node-b", "web"), ("activate", "node-a"), ("home", "node-a", "web")],
    )
    assert found.steps[0].text.startswith("node-b: prove what an earlier run activated; proof: 10 good answers")


def test_what_a_killed_run_activated_last_is_proved_before_the_vip_goes_home_to_it() -> None:
    raised = claim("activating", raised=True)
    given = nodes(
        node_a={"staged": staged(due=False), "claim": raised},
        node_b={"staged": staged(due=False), "raised": ["web"], "claim": claim("proved", raised=True)},
    )
    found = plan(given, settings(), pair(), verdict(web="node-b"))
    assert (found.done, steps(found)) == (["node-b"], [("prove", "node-a"), ("home", "node-a", "web")])


def test_a_node_that_could_not_be_taken_back_may_be_mended_by_another_release() -> None:
    other = claim("sick", left=0.0, fingerprint="of another input")
    sick = verdict("degraded, one owner", ["node-b: web is FAULT and cannot take over"])
    found = plan(nodes(node_b={"claim": other}), settings(), pair(), sick)
    assert (found.resumed, steps(found)[0]) == (True, ("activate", "node-b"))


def test_a_claim_that_ended_is_no_obstacle() -> None:
    old = claim("staging", left=-1.0, fingerprint="of another input")
    assert not plan(nodes(node_a={"claim": old}), settings(), pair(), verdict()).resumed


def test_the_same_input_has_the_same_fingerprint_whatever_else_is_set() -> None:
    one = {"node-a": [{"name": "shop", "war": "shop.war", "context": {"parameters": {"password": "x"}}}]}
    two = {"node-a": [{"name": "shop", "war": "shop.war", "context": {"parameters": {"password": "y"}}}]}
    three = {"node-a": [{"name": "shop", "war": "shop-2.war"}]}
    given = read_settings(settings(), Reader())
    assert fingerprint(given, one) == fingerprint(given, two) != fingerprint(given, three)


# Behind balancers


def test_behind_balancers_one_node_follows_the_other_and_nothing_moves() -> None:
    found = plan(nodes("app-1", "app-2", "app-3"), settings())
    assert (found.mode, found.vips) == ("pool", [])
    assert steps(found) == [("activate", "app-1"), ("activate", "app-2"), ("activate", "app-3")]
    assert [step.wait for step in found.steps] == [12.0, 12.0, 0.0]
    assert found.summary.startswith("release tomcat on app-1 + app-2 + app-3, in turn")


def test_a_pair_whose_vip_follows_only_nginx_is_a_pool() -> None:
    found = plan(nodes(), settings(), pair(web={"services": ["nginx"]}), verdict())
    assert (found.mode, steps(found)) == ("pool", [("activate", "node-a"), ("activate", "node-b")])


def test_a_rollback_says_so() -> None:
    assert plan(nodes("app-1", "app-2"), settings(rollback=True)).summary.startswith("roll back tomcat on")


def test_a_node_that_a_killed_run_did_not_finish_comes_first() -> None:
    given = nodes("app-1", "app-2", app_2={"claim": claim("activating")})
    assert steps(plan(given, settings())) == [("activate", "app-2"), ("activate", "app-1")]
    each = {"staged": staged(due=False)}
    given = nodes("app-1", "app-2", app_1=each, app_2={**each, "claim": claim("activating")})
    assert steps(plan(given, settings())) == [("prove", "app-2")]


# Refusals


def test_a_pair_that_is_not_whole_is_refused_with_the_reason() -> None:
    sick = verdict("degraded, one owner", ["node-b: web is FAULT and cannot take over"])
    assert refusal(nodes(), settings(), pair(), sick) == (
        "node-a + node-b: degraded, one owner: node-b: web is FAULT and cannot take over; mend that first "
        "(playbooks/status.yml shows it); a release needs a standby that can take over"
    )


def test_two_owners_are_never_continued() -> None:
    given = nodes(node_b={"claim": claim("activating")})
    assert "failed: 192.0.2.10: no owner by ARP" in refusal(given, settings(), pair(), verdict("failed"))


def test_a_sick_owner_is_not_taken_for_a_node_that_was_being_activated() -> None:
    given = nodes(node_a={"claim": claim("activating")})
    sick = verdict("degraded, one owner", ["node-a: the check script is not there"])
    assert "mend that first" in refusal(given, settings(), pair(), sick)


def test_a_node_that_somebody_raised_is_refused() -> None:
    assert refusal(nodes(node_b={"raised": ["web"]}), settings(), pair(), verdict(web="node-b")).startswith(
        "node-b: web: is raised there by a planned switchover; switch it back first (playbooks/switchover.yml)"
    )


def test_a_vip_on_its_way_home_is_waited_for() -> None:
    assert refusal(nodes(), settings(), pair(), verdict(web="node-b")) == (
        "node-a: web: node-b owns it, which is not the preferred node, and nothing is raised: it is on its way home; "
        "run again after preempt_delay (2 s), or see playbooks/status.yml for what keeps it away"
    )


def test_another_release_is_refused_until_it_gives_way() -> None:
    other = claim("activating", left=290.0, fingerprint="of another input")
    assert refusal(nodes(node_a={"claim": other}), settings(), pair(), verdict()) == (
        "node-a: /var/lib/ha-pair/release.json: another release is under way there, of other input, begun by someone "
        "on control (activating); let it end; one that was killed gives way in 5 min, or now with "
        "release_take_over=true"
    )
    assert plan(nodes(node_a={"claim": other}), settings(take_over=True), pair(), verdict()).resumed


def test_a_member_outside_the_run_is_refused() -> None:
    assert refusal(nodes("node-a"), settings(), pair(), verdict()) == (
        "node-a + node-b: node-b is not in this run; a release takes both members: leave out --limit"
    )


def test_a_stranger_in_the_run_is_refused() -> None:
    assert "app-1: is no member of node-a + node-b, whose VIP follows the service; release one pair at a time" in (
        refusal(nodes("node-a", "node-b", "app-1"), settings(), pair(), verdict())
    )


def test_a_single_node_is_refused() -> None:
    assert refusal(nodes("app-1"), settings()).startswith(
        "app-1: 1 node is in this run, and while it is activated nobody would serve; release at least two"
    )


def test_different_releases_are_refused() -> None:
    given = nodes(node_a={"staged": staged()}, node_b={"staged": staged(release="fedcba9876543210")})
    assert refusal(given, settings(), pair(), verdict()) == (
        "node-a + node-b: would run different releases: node-a 0123456789abcdef, node-b fedcba9876543210; give all of "
        "them the same applications, best once in a group's variables"
    )


@pytest.mark.parametrize(
    ("checksum", "problem"),
    [
        ({}, "is missing for 'shop', which is a URL"),
        ({"checksum": "latest"}, "'latest' is no checksum"),
    ],
)
def test_a_download_without_a_checksum_is_refused(checksum: dict[str, str], problem: str) -> None:
    entry = {"name": "shop", "url": "https://www.example.org/shop.war", **checksum}
    assert refusal(nodes(), settings(artifacts={"node-a": [entry]}), pair(), verdict()) == (
        f"node-a: rolling_release_artifacts[0].checksum: {problem}; give the one of https://www.example.org/shop.war, "
        "such as sha256:<64 hex digits> (sha256sum FILE prints it)"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"role": ""}, "rolling_release_role: is empty; name the role that is released"),
        ({"role": "../tomcat"}, "rolling_release_role: '../tomcat' is no name of a role"),
        ({"service": None}, "rolling_release_service: is nothing"),
        ({"service": "tomcat service"}, "rolling_release_service: 'tomcat service' is no name of a service"),
        ({"health_url": "ftp://x"}, "rolling_release_health_url: 'ftp://x' is not a URL; give one"),
        ({"consecutive": 0}, "rolling_release_consecutive: 0 is not in 1..1000; give how many good answers"),
        ({"interval": 0}, "rolling_release_interval: 0 is not in 0.01..60 seconds"),
        ({"timeout": "long"}, "rolling_release_timeout: 'long' is not a number of seconds"),
        ({"settle": -1}, "rolling_release_settle: -1 is not in 0..3600 seconds"),
        ({"drain": 4000}, "rolling_release_drain: 4000 is not in 0..3600 seconds"),
        ({"quiet": 0}, "rolling_release_quiet: 0 is not in 0.001..60 seconds"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(words: dict[str, t.Any], message: str) -> None:
    assert message in refusal(nodes(), settings(**words), pair(), verdict())


@pytest.mark.parametrize(
    "url",
    ["http://fd77::11:8080/health", "http://[fd77::11/health", "http://:8080/health", "http://192.0.2.11:0/health"],
)
def test_a_health_url_without_a_host_and_a_port_is_refused(url: str) -> None:
    assert refusal(nodes(), settings(health_url=url), pair(), verdict()) == (
        f"rolling_release_health_url: '{url}' is not a URL; give one that the node itself answers, such as "
        "http://127.0.0.1:8080/ha-pair/health, an IPv6 address in brackets"
    )


def test_a_health_url_may_have_an_ipv6_address() -> None:
    assert plan(nodes(), settings(health_url="http://[fd77::11]:8080/ha-pair/health"), pair(), verdict()).steps


def test_several_problems_are_told_at_once() -> None:
    told = refusal(nodes("node-a"), settings(consecutive=0), pair(), verdict("failed"))
    assert len(told.splitlines()) == 3


# The filter


def test_the_filter_reads_what_tasks_registered() -> None:
    other = {**claim(fingerprint="of another input", raised=True, phase="proved"), "until": 500.0}
    claims = {"node-a": {"claim": {}, "now": 600.0}, "node-b": {"claim": other, "now": 600.0}}
    reports = {"node-b": {"vip_owner": {"raised": ["web"]}}}
    each = {"node-a": staged(), "node-b": staged(due=False)}
    found = release_plan(claims, settings(), pair(), verdict(web="node-b"), reports, each)
    assert [(step["kind"], step["node"]) for step in found["steps"]] == [("activate", "node-a"), ("home", "node-a")]


def test_the_filter_says_who_refuses() -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        release_plan({"node-a": {"claim": {}, "now": 0.0}}, settings())
    assert "duplex.ha_pair.release_plan refuses this:\nnode-a: 1 node is" in str(refused.value)
