# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill will do, what is left out and what is refused."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.catalogue import FAULTS
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.plan import build, resolve
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError

PAIR: dict[str, t.Any] = {
    "members": ["node-a", "node-b"],
    "instances": {"web": ["192.0.2.10"]},
    "settings": {
        "web": {
            "preferred": "node-a",
            "services": ["nginx"],
            "advert_interval": 0.25,
            "master_down_interval": 0.75,
            "preempt_delay": 2.0,
            "noticed_after": 0.0,
            "takeover_delay": 0.0,
            "mounts": {"/srv/data": 7.5},
        }
    },
}
POWER = {"off": "off", "on": "on", "freeze": "freeze", "thaw": "thaw"}
FACILITIES: dict[str, t.Any] = {
    "check": "/usr/libexec/keepalived/ha-pair-check",
    "third": "observer",
    "power": POWER,
    "reboot": True,
    "disk_path": "/var/log/nginx",
    "rto_seconds": "",
    "restore_after": 120,
}


def plan(faults: object = None, instance: str = "", checks: t.Any = None, **facilities: t.Any) -> dict[str, t.Any]:
    return build(PAIR, faults, instance, {**FACILITIES, **facilities}, checks)


def one(fault: object, **facilities: t.Any) -> dict[str, t.Any]:
    (entry,) = plan([fault], **facilities)["entries"]
    return t.cast("dict[str, t.Any]", entry)


def refusal(*words: t.Any, **facilities: t.Any) -> str:
    with pytest.raises(InputError) as refused:
        plan(*words, **facilities)
    return str(refused.value)


@pytest.mark.parametrize("nothing", [None, "", [], "all"])
def test_all_faults_in_their_order_without_a_list(nothing: object) -> None:
    found = plan(nothing)
    assert [entry["fault"] for entry in found["entries"]] == [fault.name for fault in FAULTS]
    assert [entry["number"] for entry in found["entries"]] == list(range(1, len(FAULTS) + 1))
    assert found["skipped"] == []
    assert found["estimate"] > 60


@pytest.mark.parametrize(
    "written", [["service_stop", "link_down"], "service_stop, link_down", "service_stop\nlink_down"]
)
def test_faults_are_named_in_a_list_or_in_a_line(written: object) -> None:
    assert [entry["fault"] for entry in plan(written)["entries"]] == ["service_stop", "link_down"]


def test_every_fault_has_an_expectation_that_follows_the_profile() -> None:
    for entry in plan()["entries"]:
        # Against a thief nothing on the pair helps.
        assert entry["fault"] == "vip_stolen" or entry["expect"]["rto_seconds"] > 0
        assert entry["expect"]["two_owners_seconds"] > 0
    assert one("link_down")["expect"]["rto_seconds"] == pytest.approx(1.05)
    assert one("service_stop")["expect"]["rto_seconds"] == pytest.approx(0.3)


def test_a_pair_of_an_old_keepalived_is_given_its_time() -> None:
    slow = {**PAIR["settings"]["web"], "master_down_interval": 1.0, "noticed_after": 1.0, "takeover_delay": 0.25}
    found = build({**PAIR, "settings": {"web": slow}}, None, "", FACILITIES)
    limits = {entry["fault"]: entry["expect"]["rto_seconds"] for entry in found["entries"]}
    # Noticing the state file, and an advert each for giving it up and for having it.
    assert limits["service_stop"] == pytest.approx(0.3 + 1.0 + 0.5)
    assert limits["service_hang"] == pytest.approx(1.2 + 1.0 + 0.5)
    # keepalived itself knows at once.
    assert limits["keepalived_stop"] == limits["keepalived_kill"] == pytest.approx(0.3 + 0.5)
    assert limits["link_down"] == pytest.approx(1.3)
    # Made before it is broken it is not.
    assert limits["switchover"] == pytest.approx(0.1 + 0.5)


def test_storage_that_hangs_is_noticed_before_a_weight_moves_the_vip() -> None:
    entry = one("storage_hang")
    assert (entry["arguments"], entry["expect"]["vip"]) == ({"path": "/srv/data"}, "moves")
    assert entry["expect"]["rto_seconds"] == pytest.approx(7.5 + 0.75 + 0.3)
    # On the standby nobody notices.
    assert entry["expect_standby"]["vip"] == "stays"
    given = one({"fault": "storage_hang", "path": "/srv/data", "service": "bindfs"})
    assert given["arguments"] == {"path": "/srv/data", "service": "bindfs.service"}


def test_storage_that_nobody_watches_would_move_nothing() -> None:
    bare = {**PAIR, "settings": {"web": {**PAIR["settings"]["web"], "mounts": {}}}}
    skipped = {left["fault"]: left["reason"] for left in build(bare, None, "", FACILITIES)["skipped"]}
    assert skipped == {"storage_hang": "no witness of the instance watches storage"}
    assert (
        "drill_faults[0]: storage_hang cannot be done: no witness of the instance watches /srv/x, so nothing would "
        "move the VIP; leave it out, or provide what it needs"
    ) in refusal([{"fault": "storage_hang", "path": "/srv/x"}])


def test_a_limit_of_the_users_wins_and_the_one_of_a_fault_over_that() -> None:
    assert one("link_down", rto_seconds=2)["expect"]["rto_seconds"] == 2
    assert one({"fault": "link_down", "rto_seconds": "0.5"}, rto_seconds=2)["expect"]["rto_seconds"] == 0.5


def test_against_a_thief_there_is_no_limit_unless_somebody_wants_one() -> None:
    assert one("vip_stolen")["expect"]["rto_seconds"] is None
    # The thief is no member: among those one owner is as much as ever.
    assert one("vip_stolen")["expect"]["two_owners_seconds"] == one("service_stop")["expect"]["two_owners_seconds"]
    assert one("vip_stolen", rto_seconds=2)["expect"]["rto_seconds"] is None
    assert one({"fault": "vip_stolen", "rto_seconds": 2})["expect"]["rto_seconds"] == 2
    lines = plan(["vip_stolen", "link_down"])["text"]
    assert any(line.endswith("VIP conflict, no limit for clients") for line in lines)
    assert any(line.endswith(", no answer for 1.05 s at most") for line in lines)


def test_the_service_is_that_of_the_instance_or_the_given_one() -> None:
    assert one("service_stop")["arguments"]["service"] == "nginx.service"
    assert one({"fault": "service_stop", "service": "tomcat9"})["arguments"]["service"] == "tomcat9.service"


def test_nobody_waits_long_for_the_dead_man_where_only_he_can_mend() -> None:
    assert one("service_stop")["restore_after"] == 120
    assert one("link_down")["restore_after"] < 60


def test_no_dead_man_comes_while_a_fault_is_to_last() -> None:
    assert one({"fault": "disk_full", "lasts_seconds": 300})["restore_after"] > 300
    assert one({"fault": "link_down", "lasts_seconds": 300})["restore_after"] > 300
    assert one({"fault": "custom", "inject": "a", "mend": "b", "lasts_seconds": 300})["restore_after"] > 300


def test_where_nobody_is_preferred_it_need_not_come_back() -> None:
    pair = {**PAIR, "settings": {"web": {**PAIR["settings"]["web"], "preferred": None}}}
    (entry,) = build(pair, ["keepalived_kill"], "", FACILITIES)["entries"]
    assert entry["expect"]["vip"] == "any"
    assert one("keepalived_kill")["expect"]["vip"] == "returns"


class TestServicesOnTheOwnerOnly:
    """What their agent does about it, and how long that takes, is another matter than where the VIP is."""

    WAIT = "clients of fetcher wait for its start as well"

    def entries(self, *faults: object, services: tuple[str, ...] = ("fetcher",), **facilities: t.Any) -> t.Any:
        settings = {**PAIR["settings"]["web"], "services": list(services), "active_standby": ["fetcher"]}
        pair = {**PAIR, "settings": {"web": settings}}
        return [entry["expect"] for entry in build(pair, list(faults), "", {**FACILITIES, **facilities})["entries"]]

    @pytest.mark.parametrize("fault", ["service_stop", "service_crash", "service_crash_restart"])
    def test_one_that_ends_is_started_again_where_it_is(self, fault: str) -> None:
        (expect,) = self.entries(fault)
        assert (expect["vip"], expect["rto_seconds"]) == ("any", None)
        assert expect["note"] == (
            f"its agent starts it again where it is, and gives the VIP away once it ended too often; {self.WAIT}"
        )

    def test_one_that_hangs_moves(self) -> None:
        (expect,) = self.entries("service_hang")
        assert (expect["vip"], expect["rto_seconds"]) == ("moves", None)
        assert expect["note"] == f"its agent ends it and leaves it alone for a while; {self.WAIT}"

    def test_another_service_of_the_instance_moves_it_as_ever(self) -> None:
        hit = {"fault": "service_stop", "service": "nginx.service"}
        (expect,) = self.entries(hit, services=("nginx", "fetcher"))
        assert (expect["vip"], expect["note"]) == ("moves", self.WAIT)

    def test_a_limit_is_kept_where_the_user_gives_one(self) -> None:
        expected = self.entries("link_down", {"fault": "keepalived_stop", "rto_seconds": 30}, rto_seconds="40")
        assert [expect["rto_seconds"] for expect in expected] == [40.0, 30.0]
        assert [expect["rto_seconds"] for expect in self.entries("link_down", "disk_full")] == [None, 0.1]


class TestWhatIsLeftOut:
    """Of all faults those that cannot be done, each with the reason."""

    @pytest.mark.parametrize(
        ("facilities", "fault", "reason"),
        [
            ({"power": {}}, "node_freeze", "failover_drill_power has no command for freeze and thaw"),
            ({"power": {"off": "x"}}, "node_power_off", "failover_drill_power has no command for on"),
            ({"reboot": False}, "node_reboot", "rebooting is off unless asked for (drill_reboot=true)"),
            ({"third": ""}, "vip_stolen", "there is no third machine (an observer that is not the controller)"),
            ({"check": ""}, "check_hang", "the instance has no check script"),
        ],
    )
    def test_left_out_of_all_and_refused_by_name(self, facilities: dict[str, t.Any], fault: str, reason: str) -> None:
        skipped = {left["fault"]: left["reason"] for left in plan(**facilities)["skipped"]}
        assert skipped[fault] == reason
        assert f"drill_faults[0]: {fault} cannot be done: {reason}" in refusal([fault], **facilities)

    def test_what_a_host_cannot_do(self) -> None:
        answer = {"invocation": {"module_args": {"fault": "vrrp_block"}}, "supported": False, "reason": "no nft"}
        checks = {"node-a": {"results": []}, "node-b": {"results": [answer]}}
        found = plan(checks=checks)
        assert found["skipped"] == [{"fault": "vrrp_block", "target": "owner", "reason": "node-b: no nft"}]
        assert any("left out: vrrp_block: node-b: no nft" in line for line in found["text"])
        assert "vrrp_block cannot be done: node-b: no nft" in refusal(["vrrp_block"], checks=checks)

    def test_a_pair_without_services(self) -> None:
        pair = {**PAIR, "settings": {"web": {**PAIR["settings"]["web"], "services": []}}}
        skipped = {left["fault"] for left in build(pair, None, "", FACILITIES)["skipped"]}
        assert "service_hang" in skipped


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("service_stpo", "drill_faults[0]: 'service_stpo' is no fault; did you mean 'service_stop'?"),
        ("xyz", "drill_faults[0]: 'xyz' is no fault; known are switchover, service_stop"),
        ({"fault": "link_down", "targt": "owner"}, "drill_faults[0].targt: unknown key; did you mean 'target'?"),
        ({"fault": "link_down", "target": "node-c"}, "drill_faults[0].target: 'node-c' is neither a role nor a member"),
        ({"fault": "switchover", "target": "standby"}, "'standby': a switchover begins with the owner; leave it out"),
        ({"fault": "vip_stolen", "target": "owner"}, "'owner': this fault is for a machine outside the pair"),
        ({"fault": "link_down", "rto_seconds": 0}, "drill_faults[0].rto_seconds: 0 is not positive"),
        ({"fault": "link_down", "rto_seconds": -1}, "drill_faults[0].rto_seconds: -1 is not in 0..3600 seconds"),
        ({"fault": "link_down", "lasts_seconds": 900}, "drill_faults[0].lasts_seconds: 900 is not in 0..600 seconds"),
        ({"fault": "custom", "mend": ["true"]}, "drill_faults[0].inject: is nothing (None), not a list"),
        ({"fault": "custom", "inject": [], "mend": ["true"]}, "drill_faults[0].inject: is empty"),
        ({"fault": "custom", "inject": ["a"], "mend": ["b"], "expect": "move"}, "did you mean 'moves'?"),
    ],
)
def test_what_cannot_be_meant_is_refused(fault: object, message: str) -> None:
    assert message in refusal([fault])


def test_limits_and_instances_are_refused_by_their_names() -> None:
    assert "drill_rto_seconds: 0 is not positive" in refusal(["link_down"], rto_seconds=0)
    assert "drill_instance: 'wep' is no instance of node-a + node-b; did you mean 'web'?" in refusal([], "wep")
    two = {**PAIR, "instances": {"web": ["192.0.2.10"], "db": ["192.0.2.11"]}}
    with pytest.raises(InputError, match="drill_instance: is not given, and the pair has web, db"):
        build(two, None, "", FACILITIES)
    assert "drill_faults: is an integer (5), not a list" in refusal(5)


def test_a_fault_of_the_users() -> None:
    entry = one({"fault": "custom", "name": "cable pulled", "inject": "a", "mend": ["b", "c"], "expect": "moves"})
    assert (entry["title"], entry["arguments"]) == ("cable pulled", {"inject": ["a"], "mend": ["b", "c"]})
    assert entry["expect"]["vip"] == entry["expect_standby"]["vip"] == "moves"


class TestAtItsTurn:
    """Who is hit is known only when it is."""

    VERDICT: t.ClassVar = {"members": ["node-a", "node-b"], "vips": [{"instance": "web", "owner": "node-b"}]}

    def test_the_owner_of_that_moment(self) -> None:
        found = resolve(one("service_stop"), self.VERDICT, "web", "observer")
        assert [found[key] for key in ("owner", "node", "peer", "role")] == ["node-b", "node-b", "node-a", "owner"]

    def test_the_standby_concerns_no_client(self) -> None:
        found = resolve(one({"fault": "service_stop", "target": "standby"}), self.VERDICT, "web", "observer")
        assert [found[key] for key in ("node", "peer", "role")] == ["node-a", "node-b", "standby"]
        assert found["expect"]["vip"] == "stays"

    def test_a_named_node_is_what_it_is_at_that_moment(self) -> None:
        found = resolve(one({"fault": "service_stop", "target": "node-b"}), self.VERDICT, "web", "observer")
        assert (found["role"], found["expect"]["vip"]) == ("owner", "moves")

    def test_a_split_brain_is_one_from_either_side(self) -> None:
        found = resolve(one({"fault": "vrrp_block", "target": "standby"}), self.VERDICT, "web", "observer")
        assert found["expect"]["vip"] == "conflict"

    def test_nobody_is_hit_when_nobody_owns_it(self) -> None:
        nobody = {"members": ["node-a", "node-b"], "vips": [{"instance": "web", "owner": None}]}
        with pytest.raises(InputError, match="node-a \\+ node-b: nobody owns web for certain; mend that first"):
            resolve(one("service_stop"), nobody, "web", "observer")

    def test_the_thief(self) -> None:
        found = resolve(one("vip_stolen"), self.VERDICT, "web", "observer")
        assert (found["node"], found["role"], found["peer"]) == ("observer", "third", "node-a")
