# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ha-pair: what a node says of itself, and the reasons that it finds."""

from __future__ import absolute_import, division, print_function

import copy
import json
import os
import sys
import time
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import (
    command,
    machine,
    node_report,
    state,
    wording,
)
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

try:
    from cStringIO import StringIO
except ImportError:
    from io import StringIO

__metaclass__ = type

VIP = "192.0.2.10"
ROOT = "/run/keepalived/ha-pair"
DESCRIPTION = {
    "schema": 1,
    "node": "node-a",
    "peer": "node-b",
    "state_directory": ROOT,
    "hook": None,
    "probes": [
        {
            "name": "nginx",
            "kind": "http",
            "target": "http://127.0.0.1/ha-pair/health",
            "interval": 0.2,
            "timeout": 0.25,
            "fall": 2,
            "rise": 2,
            "state_file": ROOT + "/failing/nginx",
            "gate": ROOT + "/track/nginx",
        },
        {
            "name": "witness.gateway",
            "kind": "ping",
            "target": "192.0.2.1",
            "interval": 1.0,
            "timeout": 0.5,
            "fall": 3,
            "rise": 3,
            "state_file": ROOT + "/failing/witness.gateway",
            "gate": None,
        },
    ],
    "instances": {
        "web": {
            "vrid": 51,
            "interface": "eth0",
            "mode": "preferred",
            "preferred": "node-a",
            "priority": 250,
            "sync_group": None,
            "vips": [{"address": VIP, "prefix": 24, "interface": "eth0", "excluded": False}],
            "source": "192.0.2.11",
            "peers": ["192.0.2.12"],
            "services": ["nginx"],
            "witnesses": ["gateway"],
            "track_interfaces": [],
            "track_processes": [],
        }
    },
}
RUNS = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Result": "success"}
STOPPED = {
    "LoadState": "loaded",
    "ActiveState": "inactive",
    "SubState": "dead",
    "Result": "success",
    "InactiveEnterTimestampMonotonic": "40000000",
}
KILLED = dict(STOPPED, ActiveState="failed", SubState="failed", Result="signal", ExecMainCode="2", ExecMainStatus="9")
UP = frozenset(["BROADCAST", "MULTICAST", "UP", "LOWER_UP"])


class World(object):
    """System and Machine in one: a healthy node that is MASTER, until a test changes it."""

    def __init__(self, word="MASTER", root=True):
        self.word, self.file_word, self.root = word, word, root
        self.part = copy.deepcopy(DESCRIPTION)
        self.priority, self.written_at, self.clock_now = 250, 998.0, 1000.0
        self.held = [("eth0", VIP, 24)] if word == "MASTER" else []
        self.links_now = {"lo": frozenset(["UP", "LOWER_UP"]), "eth0": UP, "eth1": UP}
        self.files = {
            ROOT + "/track/nginx": "1\n",
            ROOT + "/failing/nginx": "0\n",
            ROOT + "/failing/witness.gateway": "0\n",
        }
        self.probe("nginx")
        self.probe("witness.gateway")
        self.unit_values = {}
        self.processes = {"systemd", "nginx"}
        self.said = {}
        self.checks = {}
        self.boot, self.slept = "boot-1", []
        self.interface_problem = None

    # What tests change

    def probe(self, name, **changed):
        path = ROOT + "/failing/.prober.json"
        report = json.loads(self.files[path]) if self.files.get(path) else {"probes": {}}
        entry = {"failing": False, "gated": False, "since": 990.0, "last_problem": None, "problem": None}
        report["probes"][name] = dict(entry, **changed)
        report.update(schema=1, written_at=999.0, problems=[])
        self.files[path] = json.dumps(report)

    def unit(self, name, values):
        self.unit_values[name] = values

    def web(self):
        return self.part["instances"]["web"]

    # System

    def now(self):
        return self.clock_now

    def sleep(self, seconds):
        self.slept.append(seconds)

    def boot_id(self):
        return "boot-1"

    def description(self):
        return self.part

    def read(self, path):
        if path != ROOT + "/state.json":
            return self.files.get(path)
        if self.file_word is None:
            return None
        record = state.new_record("node-a", self.boot, 700.0, ["web"])
        words = ["BACKUP"] if self.file_word != "BACKUP" else []
        for at, word in enumerate(words + [self.file_word]):
            event = {"kind": "instance", "name": "web", "state": word, "priority": self.priority}
            record = state.apply_event(record, event, 700.5 + at)
        if self.word is None:
            record = state.apply_daemon_gone(record, "success", 900.0)
        return state.render(record, self.written_at)

    def keepalived_version(self):
        return "2.2.7"

    def daemon(self):
        return {"pid": 812, "starttime": 1, "since": 600.0} if self.word else None

    def vrrp_process(self, _daemon):
        return {"pid": 813, "policy": "SCHED_RR", "priority": 50}

    def dump(self, _daemon, _timeout):
        if not self.root:
            raise NodeError("keepalived (pid 812): cannot signal it (Operation not permitted); run as root")
        return {"web": {"state": self.word, "priority": self.priority, "since": 701.5, "vips": []}}

    def interfaces(self):
        if self.interface_problem:
            raise NodeError(self.interface_problem)
        found = [
            {"name": "eth0", "mac": "02:00:00:00:00:0a", "addresses": [{"address": "192.0.2.11", "prefix": 24}]},
            {"name": "eth1", "mac": "02:00:00:00:01:0a", "addresses": []},
        ]
        for interface, address, prefix in self.held:
            entry = next(entry for entry in found if entry["name"] == interface)
            entry["addresses"].append({"address": address, "prefix": prefix})
        return found

    def process(self, pid):
        return {"starttime": 77} if pid == 900 else None

    # Machine

    def is_root(self):
        return self.root

    def clock(self):
        return 100.0

    def units(self, names):
        return {name: self.unit_values.get(name, RUNS) for name in names}

    def journal(self, unit, _invocation, count):
        return self.said.get(unit, [])[-count:]

    def links(self):
        return self.links_now

    def process_names(self):
        return self.processes

    def check(self, probe):
        return self.checks.get(probe["name"])


def collect(world):
    return node_report.collect(world, world)


def web(world):
    return collect(world)["instances"]["web"]


def fault(**files):
    world = World("FAULT")
    world.files.update({ROOT + "/" + name.replace("__", "/"): text for name, text in files.items()})
    return world


class HealthyTest(unittest.TestCase):
    def test_a_master_and_a_backup_are_well(self):
        for word in ("MASTER", "BACKUP"):
            report = collect(World(word))
            self.assertEqual(report["well"], True)
            self.assertEqual([report[key] for key in ("problems", "warnings", "notes")], [[], [], []])
            found = report["instances"]["web"]
            self.assertEqual(found["state"], word)
            self.assertEqual([found[key] for key in ("reasons", "lowered", "problems")], [[], [], []])
            self.assertEqual([vip["held"] for vip in found["vips"]], [word == "MASTER"])
        self.assertEqual((report["node"], report["peer"], found["peers"]), ("node-a", "node-b", ["192.0.2.12"]))
        json.dumps(report)

    def test_without_root_the_recorded_state_counts_and_that_is_said(self):
        report = collect(World(root=False))
        self.assertEqual((report["well"], report["instances"]["web"]["state"]), (True, "MASTER"))
        self.assertEqual(len(report["notes"]), 1)
        self.assertIn("sudo ha-pair", report["notes"][0])

    def test_a_description_of_before_the_prober(self):
        world = World()
        del world.part["probes"], world.part["peer"]
        for key in ("mode", "witnesses", "track_interfaces", "track_processes", "source", "sync_group"):
            del world.web()[key]
        report = collect(world)
        self.assertEqual((report["well"], report["prober"]["configured"], report["warnings"]), (True, False, []))
        self.assertTrue(command.status_lines(report))


class AgentTest(unittest.TestCase):
    """A service that runs on one node of the pair only."""

    PROMISE = "the peer: never two while the nodes hear each other"

    def world(self, word="MASTER", fit=True, **changed):
        world = World(word)
        world.part["active_standby"] = ["fetcher"]
        world.web()["services"] = ["nginx", "fetcher"]
        arbiter = {"kind": "peer", "promise": self.PROMISE, "says": "granted", "why": "", "problem": None}
        entry = {
            "instance": "web", "vrrp": word, "phase": "active" if word == "MASTER" else "standby", "why": "is ready",
            "ready": word == "MASTER", "fit": fit, "arbiter": arbiter, "hold_down_until": None, "failure": None,
            "failed_on_both": False,
        }
        report = {"schema": 1, "boot_id": "boot-1", "pid": 900, "started": 77, "services": {}}
        report["services"]["fetcher"] = dict(entry, **changed)
        world.files[ROOT + "/active.json"] = json.dumps(report)
        world.files[ROOT + "/track/fetcher"] = "1\n" if fit else "0\n"
        return world

    def failed(self, word, **changed):
        return self.world(
            word, False, phase="hold-down", why="crashed", hold_down_until=1025, failure="was not ready within 60 s",
            **changed
        )

    def test_runs_on_the_owner_and_not_on_the_standby_and_both_is_well(self):
        for word, phase in (("MASTER", "active"), ("BACKUP", "standby")):
            report = collect(self.world(word))
            self.assertTrue(report["well"])
            self.assertEqual([report[key] for key in ("problems", "warnings", "notes")], [[], [], []])
            self.assertEqual(report["instances"]["web"]["services"], {"nginx": "up", "fetcher": phase})

    def test_shows_what_the_agent_and_its_arbiter_say(self):
        text = command.status_lines(collect(self.world()))
        self.assertIn("  agent       fetcher is active: is ready", text)
        self.assertIn("  arbiter     " + self.PROMISE, text)
        self.assertIn("agent       runs", text)

    def test_where_it_does_not_run_it_is_not_asked_and_that_is_not_down(self):
        world = self.world("BACKUP")
        files = {"state_file": ROOT + "/failing/fetcher", "gate": ROOT + "/active/fetcher"}
        world.part["probes"].append(dict(world.part["probes"][0], name="fetcher", **files))
        world.probe("fetcher", gated=True)
        report = collect(world)
        self.assertTrue(report["well"])
        lines = " ".join(" ".join(command.status_lines(report)).split())
        self.assertIn("fetcher is not asked, it is not active here", lines)

    def test_a_service_that_is_left_alone_is_why_this_node_cannot_take_over(self):
        report = collect(self.failed("FAULT"))
        self.assertFalse(report["well"])
        self.assertEqual(
            report["instances"]["web"]["reasons"],
            ["fetcher failed here (was not ready within 60 s) and is left alone for another 25 s; "
             "see journalctl -u fetcher"],
        )
        lines = " ".join(" ".join(command.status_lines(report)).split())
        until = command.moment(1025)
        self.assertIn("fetcher is hold-down: crashed; left alone until %s, for another 25 s" % until, lines)

    def test_a_failure_on_both_nodes(self):
        report = collect(self.failed("FAULT", failed_on_both=True))
        self.assertEqual(
            report["instances"]["web"]["reasons"],
            ["fetcher failed on both nodes (was not ready within 60 s) and is left alone for another 25 s; "
             "see journalctl -u fetcher"],
        )
        self.assertIn("failed on both nodes", "\n".join(command.status_lines(report)))

    def test_a_failure_that_keepalived_did_not_notice_is_a_problem(self):
        report = collect(self.failed("BACKUP"))
        self.assertFalse(report["well"])
        self.assertIn("keepalived says BACKUP although fetcher failed here (was not ready within 60 s) and is left "
                      "alone for another 25 s", report["instances"]["web"]["problems"][0])
        world = self.failed(None)
        self.assertEqual(
            collect(world)["instances"]["web"]["problems"],
            ["fetcher failed here (was not ready within 60 s) and is left alone for another 25 s; "
             "see journalctl -u fetcher"],
        )

    def test_a_start_is_a_warning_and_nothing_more(self):
        report = collect(self.world(phase="starting", why="is not ready yet"))
        self.assertTrue(report["well"])
        self.assertEqual(report["warnings"], ["fetcher is starting here: is not ready yet"])

    def test_an_owner_without_its_service_is_not_well(self):
        words = "this node is MASTER, and fetcher is waiting here: the witness lent it to node-b; "
        cure = "see journalctl -u ha-pair-active.service"
        world = self.world(phase="waiting", why="the witness lent it to node-b")
        report = collect(world)
        self.assertEqual((report["well"], report["instances"]["web"]["problems"]), (False, [words + cure]))
        # Just after a change of state it is on its way.
        world.clock_now, world.written_at = 703.0, 702.0
        report = collect(world)
        self.assertEqual(report["instances"]["web"]["problems"], [])
        self.assertIn(words + cure, report["warnings"])

    def test_a_standby_that_runs_it_is_not_well(self):
        report = collect(self.world("BACKUP", phase="active"))
        self.assertEqual(
            report["instances"]["web"]["problems"],
            ["this node is BACKUP, and fetcher is active here: is ready; see journalctl -u ha-pair-active.service"],
        )
        self.assertTrue(collect(self.world("BACKUP", phase="stopping"))["well"])

    def test_an_arbiter_that_cannot_be_reached_is_a_warning(self):
        arbiter = {"kind": "peer", "promise": self.PROMISE, "problem": "192.0.2.12: port 7411: connection refused"}
        report = collect(self.world("BACKUP", arbiter=arbiter))
        self.assertTrue(report["well"])
        self.assertEqual(
            report["warnings"], ["the arbiter of fetcher: 192.0.2.12: port 7411: connection refused"]
        )

    def test_an_agent_that_is_gone_is_a_problem_and_its_report_is_called_stale(self):
        world = self.world("BACKUP")
        world.files[ROOT + "/active.json"] = world.files[ROOT + "/active.json"].replace("900", "901")
        report = collect(world)
        self.assertFalse(report["well"])
        stale = "fetcher cannot run here: /run/keepalived/ha-pair/active.json: is stale: of an agent that is gone "
        self.assertEqual(
            report["problems"], [stale + "(process 901); see that ha-pair-active.service runs"]
        )
        self.assertEqual(report["instances"]["web"]["services"]["fetcher"], "unknown")
        lines = command.status_lines(report)
        self.assertIn("agent       does not run, or does not report", lines)
        world.unit("ha-pair-active.service", KILLED)
        self.assertEqual(
            collect(world)["problems"],
            [stale + "(process 901): ha-pair-active.service was killed by SIGKILL 1 min ago; systemctl start "
             "ha-pair-active.service, journalctl -u ha-pair-active.service tells more"],
        )

    def test_a_node_that_was_never_told_that_it_is_fit(self):
        world = self.world("FAULT", phase="standby")
        del world.files[ROOT + "/track/fetcher"]
        self.assertEqual(
            web(world)["reasons"],
            ["this node does not take fetcher: /run/keepalived/ha-pair/track/fetcher is not there; systemctl restart "
             "ha-pair-active.service"],
        )
        world.unit("ha-pair-active.service", STOPPED)
        self.assertEqual(
            web(world)["reasons"],
            ["this node does not take fetcher: ha-pair-active.service was stopped in good order 1 min ago; systemctl "
             "start ha-pair-active.service"],
        )


class ReasonsTest(unittest.TestCase):
    def reasons(self, world):
        report = collect(world)
        self.assertFalse(report["well"])
        return report["instances"]["web"]["reasons"]

    def test_a_service_that_does_not_run(self):
        table = [
            (STOPPED, "nginx.service was stopped in good order 1 min ago; systemctl start nginx.service"),
            (
                dict(STOPPED, InactiveEnterTimestampMonotonic="0"),
                "nginx.service was not started since boot; systemctl start nginx.service",
            ),
            (
                KILLED,
                "nginx.service was killed by SIGKILL 1 min ago; systemctl start nginx.service, "
                "journalctl -u nginx.service tells more",
            ),
            (
                dict(KILLED, Result="exit-code", ExecMainCode="1", ExecMainStatus="3"),
                "nginx.service ended with status 3 1 min ago; systemctl start nginx.service, "
                "journalctl -u nginx.service tells more",
            ),
            (
                dict(KILLED, Result="start-limit-hit"),
                "nginx.service was started too often within a short time 1 min ago; systemctl start nginx.service, "
                "journalctl -u nginx.service tells more",
            ),
            (
                dict(KILLED, ActiveState="activating", SubState="auto-restart"),
                "nginx.service was killed by SIGKILL and is to be started again; "
                "journalctl -u nginx.service tells more",
            ),
            (
                dict(RUNS, ActiveState="deactivating"),
                "nginx.service is stopping; journalctl -u nginx.service tells more",
            ),
            ({"LoadState": "not-found"}, "nginx.service is not installed; deploy this node again"),
            ({"LoadState": "masked"}, "nginx.service is masked; systemctl unmask nginx.service"),
        ]
        for values, words in table:
            world = fault(track__nginx="0\n")
            world.unit("nginx.service", values)
            self.assertEqual(self.reasons(world), ["nginx is down: " + words])

    def test_a_service_that_runs_and_is_not_declared_up(self):
        tracker = "ha-pair-track-nginx.service"
        starting = dict(RUNS, ActiveState="activating", SubState="start", InvocationID="abc")
        table = [
            (
                STOPPED,
                None,
                "nginx is taken out of the pair although it runs: ha-pair-track-nginx.service was stopped in good "
                "order 1 min ago; systemctl start ha-pair-track-nginx.service",
            ),
            (
                starting,
                "not ready within 30 s: http://127.0.0.1/: answered 503",
                "nginx is not ready: nginx.service runs, but not ready within 30 s: http://127.0.0.1/: answered 503",
            ),
            (
                starting,
                None,
                "nginx is not ready: nginx.service runs, but it has not answered yet; "
                "see journalctl -u ha-pair-track-nginx.service",
            ),
            (
                {"LoadState": "not-found", "ActiveState": "inactive"},
                None,
                "nginx is down: ha-pair-track-nginx.service is not installed; deploy this node again",
            ),
            (
                RUNS,
                None,
                "nginx is down: /run/keepalived/ha-pair/track/nginx holds '0', not '1'; "
                "systemctl restart ha-pair-track-nginx.service",
            ),
        ]
        for values, said, words in table:
            world = fault(track__nginx="0\n")
            world.unit(tracker, values)
            world.said[tracker] = ["Starting", said] if said else []
            self.assertEqual(self.reasons(world), [words])

    def test_what_is_asked_when_nobody_said_why_it_is_not_ready(self):
        world = fault(track__nginx="0\n")
        world.unit("ha-pair-track-nginx.service", dict(RUNS, ActiveState="activating"))
        world.checks["nginx"] = "http://127.0.0.1/ha-pair/health: answered 503"
        self.assertEqual(
            self.reasons(world),
            [
                "nginx is not ready: nginx.service runs, but http://127.0.0.1/ha-pair/health: answered 503; "
                "see journalctl -u nginx"
            ],
        )

    def test_the_file_in_words(self):
        table = [
            (None, "is not there"),
            ("", "is empty"),
            ("0\n", "holds '0', not '1'"),
            ("\x1b[31mred\x07", "holds '?[31mred?', not '1'"),
        ]
        for text, words in table:
            self.assertEqual(wording.file_words("/f", text), "/f " + words)

    def test_systemd_that_does_not_answer_leaves_the_file(self):
        world = fault(track__nginx=None)
        world.units = lambda _names: {}
        self.assertEqual(
            self.reasons(world),
            [
                "nginx is down: /run/keepalived/ha-pair/track/nginx is not there; "
                "see systemctl status nginx.service ha-pair-track-nginx.service"
            ],
        )

    def test_a_service_that_hangs(self):
        world = fault(failing__nginx="1\n")
        world.probe("nginx", failing=True, last_problem="no answer within 0.25 s", since=988.0)
        self.assertEqual(
            self.reasons(world),
            ["nginx runs but does not answer: no answer within 0.25 s (for 12 s); see journalctl -u nginx"],
        )

    def test_a_file_that_no_prober_stands_for(self):
        world = fault(failing__nginx="1\n", **{"failing__.prober.json": None})
        self.assertEqual(
            self.reasons(world),
            [
                "nginx is failing: /run/keepalived/ha-pair/failing/nginx holds a 1 that no running prober stands for; "
                "systemctl restart ha-pair-prober.service"
            ],
        )

    def test_a_check_that_fails_is_asked_once(self):
        world = fault()
        world.checks["nginx"] = "http://127.0.0.1/ha-pair/health: answered 500"
        self.assertEqual(
            self.reasons(world),
            [
                "nginx fails its check, asked once just now: http://127.0.0.1/ha-pair/health: answered 500; "
                "see journalctl -u nginx"
            ],
        )

    def test_interfaces(self):
        table = [
            ({"eth1": UP}, "interface eth0 is not there"),
            ({"eth0": frozenset(["BROADCAST"])}, "interface eth0 is down; ip link set eth0 up"),
            ({"eth0": frozenset(["UP", "NO-CARRIER"])}, "interface eth0 has no carrier; see its cable or its switch"),
        ]
        for links, words in table:
            world = fault()
            world.links_now = links
            self.assertEqual(self.reasons(world), [words])
        world.links_now = {"eth0": UP, "eth1": frozenset(["BROADCAST"])}
        world.web()["track_interfaces"] = [{"name": "eth1", "weight": 0}]
        self.assertEqual(self.reasons(world), ["interface eth1 is down; ip link set eth1 up"])

    def test_the_address_that_it_speaks_from(self):
        world = fault()
        world.web()["source"] = "192.0.2.13"
        self.assertEqual(
            self.reasons(world),
            ["address 192.0.2.13, from which this node speaks to its peer, is on no interface"],
        )

    def test_tracked_processes(self):
        world = fault()
        world.web()["track_processes"] = [{"name": "haproxy", "weight": 0}, {"name": "nginx", "weight": 0}]
        self.assertEqual(self.reasons(world), ["no process haproxy runs"])
        # That a service which is down has no process goes without saying.
        world.processes = set()
        world.files[ROOT + "/track/nginx"] = "0\n"
        world.unit("nginx.service", STOPPED)
        self.assertEqual(len(self.reasons(world)), 2)
        # Not to see processes is not to see that there are none.
        world.processes = None
        self.assertEqual(len(self.reasons(world)), 1)

    def test_the_kernel_cuts_names(self):
        world = fault()
        world.web()["track_processes"] = [{"name": "a-name-longer-than-fifteen", "weight": 0}]
        world.processes = {"a-name-longer-t"}
        self.assertIn("nothing found here explains it", self.reasons(world)[0])

    def test_a_sync_group_goes_as_one(self):
        world = fault()
        world.web()["sync_group"] = "both"
        other = dict(copy.deepcopy(world.web()), interface="eth9", services=[], vips=[])
        world.part["instances"]["inner"] = other
        self.assertEqual(self.reasons(world), ["sync group both goes as one, and something is in the way of inner"])

    def test_nothing_found_is_said(self):
        self.assertEqual(
            self.reasons(fault()),
            ["keepalived says FAULT, and nothing found here explains it; see journalctl -u keepalived"],
        )

    def test_a_cause_that_is_over_is_quoted(self):
        world = fault()
        world.said["keepalived.service"] = [
            "(web) Entering FAULT STATE",
            "VRRP_Script(check_nginx) timed_out",
            "(web) Entering FAULT STATE",
            "Printing VRRP data for process(3416) on signal",
        ]
        self.assertEqual(
            self.reasons(world),
            [
                "keepalived says FAULT, which followed on 'VRRP_Script(check_nginx) timed_out', and nothing found here "
                "explains it; see journalctl -u keepalived"
            ],
        )

    def test_keepalived_that_does_not_run(self):
        world = World()
        world.word, world.held = None, []
        world.unit("keepalived.service", STOPPED)
        report = collect(world)
        found = report["instances"]["web"]
        self.assertEqual((report["well"], found["state"]), (False, "STOPPED"))
        self.assertEqual(
            found["reasons"],
            ["keepalived.service was stopped in good order 1 min ago; systemctl start keepalived.service"],
        )
        world.unit("keepalived.service", RUNS)
        self.assertEqual(web(world)["reasons"], ["keepalived does not run; systemctl start keepalived.service"])


class PriorityTest(unittest.TestCase):
    def lowered(self, priority=250, witnesses=None, **probe):
        world = World("BACKUP")
        world.priority = priority
        if witnesses is not None:
            world.web()["witnesses"] = witnesses
        if probe:
            world.probe("witness.gateway", **probe)
            world.files[ROOT + "/failing/witness.gateway"] = "1\n"
        return world

    def test_a_witness_and_what_it_costs(self):
        gone = {"failing": True, "last_problem": "ping 192.0.2.1: no answer within 0.5 s"}
        words = "gateway cannot be reached: ping 192.0.2.1: no answer within 0.5 s"
        self.assertEqual(web(self.lowered(230, **gone))["lowered"], [words + " (costs 20)"])
        # Just now, keepalived has not reckoned with it yet.
        self.assertEqual(web(self.lowered(250, **gone))["lowered"], [words])
        known = self.lowered(250, [{"name": "gateway", "weight": -30}], **gone)
        self.assertEqual(web(known)["lowered"], [words + " (costs 30)"])
        self.assertEqual(collect(known)["well"], True)

    def test_interfaces_and_processes_with_a_weight(self):
        world = self.lowered(185)
        world.links_now["eth1"] = frozenset(["BROADCAST"])
        world.web()["track_interfaces"] = [{"name": "eth1", "weight": -40}]
        world.web()["track_processes"] = [{"name": "haproxy", "weight": -25}]
        self.assertEqual(
            web(world)["lowered"],
            ["interface eth1 is down; ip link set eth1 up (costs 40)", "no process haproxy runs (costs 25)"],
        )

    def test_what_is_not_explained_is_said(self):
        self.assertEqual(
            web(self.lowered(240))["lowered"],
            ["nothing found here explains the 10; see journalctl -u keepalived"],
        )
        self.assertEqual(web(self.lowered(254))["lowered"], [])


class ContradictionTest(unittest.TestCase):
    def problems(self, world):
        report = collect(world)
        self.assertFalse(report["well"])
        self.assertEqual(world.slept[:1], [0.5])  # looked at once more before it was believed
        return report["instances"]["web"]["problems"]

    def test_an_address_in_the_wrong_place(self):
        world = World()
        world.held = []
        self.assertEqual(
            self.problems(world),
            ["192.0.2.10 is on no interface although this node is MASTER; systemctl reload keepalived"],
        )
        # A reload of keepalived 1.3 does not put it back.
        world.part["keepalived"] = {"restores_addresses": False}
        del world.slept[:]
        self.assertEqual(
            self.problems(world),
            [
                "192.0.2.10 is on no interface although this node is MASTER; see journalctl -u ha-pair-notify.service, "
                "which puts it back"
            ],
        )
        world = World("BACKUP")
        world.held = [("eth0", VIP, 24)]
        self.assertEqual(
            self.problems(world),
            ["192.0.2.10 is on eth0 although this node is BACKUP; if the peer holds it as well, two machines answer"],
        )
        world = World()
        world.held = [("eth1", VIP, 32)]
        self.assertEqual(
            self.problems(world),
            ["192.0.2.10 is on interface eth1, not on eth0", "192.0.2.10 has prefix 32 on eth1, not 24"],
        )

    def test_keepalived_and_the_state_file(self):
        world = World()
        world.file_word = "BACKUP"
        self.assertEqual(
            self.problems(world),
            ["keepalived says MASTER, the state file says BACKUP; systemctl restart ha-pair-notify.service"],
        )

    def test_a_reason_that_keepalived_does_not_see(self):
        world = World()
        world.files[ROOT + "/track/nginx"] = "0\n"
        world.unit("nginx.service", STOPPED)
        self.assertEqual(
            self.problems(world),
            [
                "keepalived says MASTER although nginx is down: nginx.service was stopped in good order 1 min ago; "
                "systemctl reload keepalived"
            ],
        )

    def test_what_was_only_on_its_way_is_forgotten(self):
        world = World()
        world.held = []
        world.sleep = lambda _seconds: world.held.append(("eth0", VIP, 24))
        self.assertEqual(collect(world)["well"], True)

    def test_a_state_without_a_name(self):
        world = World()
        world.word, world.file_word, world.held = "INIT", None, []
        self.assertEqual(
            self.problems(world), ["web is in no state that keepalived names; see journalctl -u keepalived"]
        )


class WatchersTest(unittest.TestCase):
    def test_a_prober_that_is_gone_is_a_warning(self):
        world = World()
        world.files[ROOT + "/failing/.prober.json"] = None
        world.unit("ha-pair-prober.service", STOPPED)
        report = collect(world)
        self.assertEqual(report["well"], True)
        self.assertEqual(
            report["warnings"],
            [
                "hangs would not be noticed: /run/keepalived/ha-pair/failing/.prober.json: is not there: "
                "ha-pair-prober.service was stopped in good order 1 min ago; systemctl start ha-pair-prober.service"
            ],
        )

    def test_a_prober_that_is_stuck(self):
        world = World()
        world.clock_now = world.written_at = 1010.0
        self.assertEqual(
            collect(world)["warnings"],
            [
                "hangs would not be noticed: /run/keepalived/ha-pair/failing/.prober.json: was written 11 s ago, "
                "not within 5 s; see that ha-pair-prober.service runs"
            ],
        )

    def test_a_notify_handler_that_is_gone_or_stuck(self):
        old = "/run/keepalived/ha-pair/state.json: was written 16 s ago, so its states may be old"
        world = World()
        world.written_at = 984.0
        self.assertEqual(collect(world)["problems"], [old + "; systemctl restart ha-pair-notify.service"])
        world.unit("ha-pair-notify.service", STOPPED)
        self.assertEqual(
            collect(world)["problems"],
            [
                old + ": ha-pair-notify.service was stopped in good order 1 min ago; "
                "systemctl start ha-pair-notify.service"
            ],
        )
        world.file_word = None
        report = collect(world)
        self.assertEqual(report["instances"]["web"]["state"], "MASTER")
        self.assertIn("state.json: is not there: ha-pair-notify.service was stopped", report["problems"][0])

    def test_a_frozen_daemon_is_a_problem_for_root(self):
        world = World()

        def frozen(_daemon, _timeout):
            raise NodeError("keepalived (pid 812): wrote no new file within 2 s; it may be frozen")

        world.dump = frozen
        self.assertEqual(
            collect(world)["problems"], ["keepalived (pid 812): wrote no new file within 2 s; it may be frozen"]
        )

    def test_without_iproute_the_rest_is_told(self):
        world = World()
        world.interface_problem = "ip -o addr show: failed with 127 (no message); install iproute2"
        report = collect(world)
        self.assertEqual(report["problems"], [world.interface_problem])
        self.assertEqual(report["instances"]["web"]["problems"], [])


class MainTest(unittest.TestCase):
    def run_main(self, world, *words):
        streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = StringIO(), StringIO()
        try:
            code = command.main(list(words), world, world)
            return code, sys.stdout.getvalue(), sys.stderr.getvalue()
        finally:
            sys.stdout, sys.stderr = streams

    def test_exit_codes(self):
        self.assertEqual(self.run_main(World())[0], 0)
        self.assertEqual(self.run_main(World("BACKUP"), "status")[0], 0)
        self.assertEqual(self.run_main(fault(), "status", "web")[0], 1)
        self.assertEqual(self.run_main(World(), "history")[0], 0)

    def test_a_page_for_a_person(self):
        zone = os.environ.get("TZ")
        os.environ["TZ"] = "XXX-1:30"
        time.tzset()
        try:
            world = fault(track__nginx="0\n")
            world.unit("nginx.service", KILLED)
            world.clock_now, world.written_at = 1000.0, 998.0
            text = self.run_main(world)[1]
        finally:
            if zone is None:
                del os.environ["TZ"]
            else:
                os.environ["TZ"] = zone
            time.tzset()
        self.assertEqual(
            text.splitlines(),
            [
                "node-a, of the pair with node-b, at 1970-01-01 01:46:40 +0130",
                "",
                "web: FAULT since 1970-01-01 01:41:41 +0130, for 4 min 58 s",
                "  because     nginx is down: nginx.service was killed by SIGKILL 1 min ago; systemctl start",
                "              nginx.service, journalctl -u nginx.service tells more",
                "  VIPs        192.0.2.10/24 not held here",
                "  services    nginx down",
                "  priority    250",
                "  peer        node-b (192.0.2.12)",
                "",
                "keepalived  2.2.7 runs as process 812, SCHED_RR priority 50",
                "handler     wrote the state of this node 2.0 s ago",
                "prober      runs: nginx answers; witness.gateway answers",
            ],
        )

    def test_a_page_has_no_control_characters_and_is_not_wide(self):
        world = fault(failing__nginx="1\n")
        world.probe("nginx", failing=True, last_problem=u"\x1b]0;title\x07 caf\xe9 " + "word " * 60)
        world.probe("witness.gateway", gated=True)
        world.part["instances"]["web"]["vips"] *= 5
        text = self.run_main(world)[1]
        self.assertTrue(all(char == "\n" or " " <= char <= "~" for char in text))
        self.assertLessEqual(max(len(line) for line in text.splitlines()), 96)
        self.assertIn("witness.gateway is not asked", text)

    def test_json(self):
        code, text, _err = self.run_main(fault(), "--json")
        report = json.loads(text)
        self.assertEqual((code, report["well"], report["schema"]), (1, False, 1))
        self.assertEqual(report["instances"]["web"]["state"], "FAULT")
        code, text, _err = self.run_main(World(), "history", "web", "--json")
        steps = json.loads(text)["instances"]["web"]
        self.assertEqual([step["state"] for step in steps], ["UNKNOWN", "BACKUP", "MASTER"])
        self.assertEqual([step["seconds"] for step in steps], [0.5, 1.0, 298.5])
        self.assertEqual([step["lasts"] for step in steps], [False, False, True])

    def test_the_history_for_a_person(self):
        lines = self.run_main(World(), "history")[1].splitlines()
        self.assertEqual(lines[0], "web on node-a, newest last")
        self.assertTrue(lines[1].endswith("UNKNOWN   priority ?     for 0.5 s"), lines[1])
        self.assertTrue(lines[3].endswith("MASTER    priority 250   for 4 min 58 s until now"), lines[3])

    def test_what_cannot_be_told_says_the_cure(self):
        stranger = World()
        stranger.part = None
        message = (
            "/etc/keepalived/ha-pair.json: cannot be read, so this host is no node of a pair; "
            "run ha-pair on a node, or deploy this one"
        )
        self.assertEqual(self.run_main(stranger), (2, "", "ha-pair: %s\n" % message))
        code, text, _err = self.run_main(stranger, "--json")
        self.assertEqual((code, json.loads(text)), (2, {"schema": 1, "problem": message}))
        self.assertEqual(
            self.run_main(World(), "status", "wbe"),
            (2, "", "ha-pair: instance wbe: this node has none of that name; name one of web\n"),
        )
        blind = World(root=False)
        blind.file_word = None
        code, _text, err = self.run_main(blind)
        self.assertEqual(code, 2)
        self.assertIn("the states of this node cannot be told", err)
        self.assertIn("sudo ha-pair", err)
        old = World()
        old.boot = "boot-0"
        code, _text, err = self.run_main(old, "history")
        self.assertEqual(code, 2)
        self.assertIn("is of an earlier boot", err)

    def test_wrong_words_are_refused(self):
        stderr, sys.stderr = sys.stderr, StringIO()
        try:
            with self.assertRaises(SystemExit) as caught:
                command.parse_arguments(["restart"])
        finally:
            sys.stderr = stderr
        self.assertEqual(caught.exception.code, 2)


class WordingTest(unittest.TestCase):
    def test_durations(self):
        table = [
            (-1, "0.0 s"),
            (0.44, "0.4 s"),
            (59.9, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3 * 3600 + 125, "3 h 2 min"),
            (12 * 86400 + 5, "12 d"),
        ]
        for seconds, words in table:
            self.assertEqual(wording.duration(seconds), words)

    def test_signals(self):
        self.assertEqual((wording.signal_name(9), wording.signal_name(11)), ("SIGKILL", "SIGSEGV"))
        self.assertEqual(wording.signal_name(200), "signal 200")


class MachineTest(unittest.TestCase):
    def machine(self, out, code=0):
        asked = []

        def run(argv):
            asked.append(argv)
            return code, out, ""

        return machine.Machine(run), asked

    def test_units_by_their_place(self):
        text = "LoadState=loaded\nActiveState=active\n\nLoadState=not-found\nActiveState=inactive\n"
        found, asked = self.machine(text)
        units = found.units(["mysql.service", "none.service"])
        self.assertEqual(units["mysql.service"], {"LoadState": "loaded", "ActiveState": "active"})
        self.assertEqual(units["none.service"]["LoadState"], "not-found")
        self.assertEqual(asked[0][:2] + asked[0][-2:], ["systemctl", "show", "mysql.service", "none.service"])
        self.assertEqual(found.units(["one.service"]), {})
        self.assertEqual(self.machine("", 1)[0].units(["one.service"]), {})

    def test_the_journal_of_one_run(self):
        found, asked = self.machine("first\nnot ready: \x1b[1m503\n\n")
        self.assertEqual(found.journal("a.service", "abc", 2), ["first", "not ready: ?[1m503"])
        self.assertEqual(asked[0][-4:], ["-n", "2", "-b", "_SYSTEMD_INVOCATION_ID=abc"])
        found.journal("a.service", None, 1)
        self.assertEqual(asked[1][-1], "_SYSTEMD_UNIT=a.service")
        self.assertEqual(self.machine("x", 1)[0].journal("a.service", None, 1), [])

    def test_flags_of_links(self):
        text = (
            "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN\n"
            "14: eth0@if15: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN\n"
        )
        found = self.machine(text)[0].links()
        self.assertEqual(found, {"lo": {"LOOPBACK", "UP", "LOWER_UP"}, "eth0": {"BROADCAST", "MULTICAST"}})
        self.assertEqual(self.machine("", 127)[0].links(), {})

    def test_the_real_machine(self):
        found = machine.Machine()
        self.assertGreater(found.clock(), 0)
        self.assertIn(found.is_root(), (True, False))
        names = found.process_names()
        self.assertTrue(names is None or names)

    def test_only_services_are_checked(self):
        found = machine.Machine()
        self.assertIsNone(found.check({"kind": "ping", "target": "192.0.2.1", "timeout": 0.5}))
        self.assertIsNone(found.check({"kind": "command", "target": ["/bin/false"], "timeout": 0.5}))
        refused = found.check({"kind": "http", "target": "ftp://127.0.0.1/", "timeout": 0.5})
        self.assertIn("ftp://127.0.0.1/", refused)
        self.assertIn("127.0.0.1:1", found.check({"kind": "tcp", "target": "127.0.0.1:1", "timeout": 0.5}))


if __name__ == "__main__":
    unittest.main()
