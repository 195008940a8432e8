# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host reports of the owner of each VIP."""

from __future__ import absolute_import, division, print_function

import json
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import owner, state
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.http_get import HttpError

try:
    from ansible.module_utils import basic
except ImportError:
    basic = None

__metaclass__ = type

VIP = "10.98.0.100"
PARAMS = {
    "vips": None,
    "state_file": "/state.json",
    "ask_arp": False,
    "arp_interface": None,
    "arp_timeout": 0.3,
    "identity_url": None,
    "identity_header": "X-HA-Pair-Node",
    "identity_timeout": 1.0,
}
DESCRIPTION = {
    "schema": 1,
    "node": "node-a",
    "instances": {"web": {"vips": [{"address": VIP, "prefix": 24, "interface": "eth0"}]}},
}


class Machine(object):
    def __init__(self, held=(), word="MASTER", file_word="MASTER", part=DESCRIPTION):
        self.held, self.word, self.part, self.problem = list(held), word, part, None
        self.answers, self.asked_on = {}, []
        self.text, self.files, self.clock, self.verified = None, {}, 100.0, []
        if file_word:
            record = state.apply_event(
                state.new_record("node-a", "boot-1", 10.0, ["web"]),
                {"kind": "instance", "name": "web", "state": file_word, "priority": 250},
                12.0,
            )
            self.text = state.render(record, 13.0)

    def description(self):
        return self.part

    def interfaces(self):
        own = [{"address": "10.98.0.1", "prefix": 24}]
        return [
            {"name": "eth0", "mac": "52:54:00:00:00:01", "addresses": own + self.held},
            {"name": "eth1", "mac": "52:54:00:00:00:02", "addresses": []},
        ]

    def read(self, path):
        return self.text if path == "/state.json" else self.files.get(path)

    def is_program(self, path):
        return path == "/usr/libexec/keepalived/ha-pair-check"

    def now(self):
        return self.clock

    def sleep(self, seconds):
        self.clock += seconds

    def boot_id(self):
        return "boot-1"

    def process(self, pid):
        return {"starttime": 77} if pid == 900 else None

    def node_name(self):
        return "node-a"

    def keepalived_version(self):
        return "2.2.7"

    def package_verdict(self, path):
        self.verified.append(path)
        return 0, ""

    def daemon(self):
        return {"pid": 100, "starttime": 1, "since": 9.0} if self.word else None

    def vrrp_process(self, _daemon):
        return {"pid": 101, "policy": "SCHED_RR", "priority": 50}

    def dump(self, _daemon, _timeout):
        if self.problem:
            raise NodeError(self.problem)
        return {
            "web": {
                "state": self.word,
                "priority": 250,
                "since": 11.0,
                "vips": [{"address": VIP, "prefix": 24, "interface": "eth0"}],
            }
        }

    def asker(self, _interfaces, name, address, virtual):
        self.asked_on.append((name, address, sorted(set(virtual))))
        found = self.answers.get(address, set())
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, Answering) else Answering(found)


class Answering(object):
    def __init__(self, answers):
        self._answers = answers

    def send(self):
        """The link of the test needs no question."""

    def fileno(self):
        return 0

    def receive(self):
        return set(self._answers)

    def close(self):
        """Nothing was opened."""


class Broken(Answering):
    """Its interface goes down while it asks."""

    def send(self):
        raise NodeError("eth0: cannot send; see it")


def observe(machine, **changed):
    return owner.observe(machine, dict(PARAMS, **changed))


class ObserveTest(unittest.TestCase):
    def test_the_owner(self):
        report = observe(Machine([{"address": VIP, "prefix": 24}]))
        self.assertEqual(
            report["keepalived"],
            {
                "running": True,
                "pid": 100,
                "version": "2.2.7",
                "configuration": "absent",
                "scheduler": {"policy": "SCHED_RR", "priority": 50},
                "data_read": True,
                "data_problem": None,
            },
        )
        self.assertEqual(
            report["instances"],
            {
                "web": {
                    "daemon_state": "MASTER",
                    "file_state": "MASTER",
                    "agree": True,
                    "since": 12.0,
                    "priority": 250,
                    "transitions": 1,
                }
            },
        )
        self.assertEqual(
            report["vips"],
            [
                {
                    "address": VIP,
                    "instance": "web",
                    "held": True,
                    "interface": "eth0",
                    "prefix": 24,
                    "problems": [],
                    "arp": {"asked": False, "interface": "eth0", "answers": [], "problem": None},
                    "identity": {"asked": False, "node": None, "status": None, "problem": None},
                }
            ],
        )
        self.assertEqual(report["state_file"], {"path": "/state.json", "written_at": 13.0, "problem": None})
        self.assertEqual((report["host"], report["interfaces"][0]["name"]), ("node-a", "eth0"))
        json.dumps(report)

    def test_a_copy_on_the_loopback_is_what_a_crash_left_behind(self):
        def interfaces(*names):
            entry = {"address": VIP, "prefix": 32}
            return [
                {"name": name, "mac": None, "addresses": [dict(entry, prefix=32 if name == "lo" else 24)]}
                for name in names
            ]

        vip = {"address": VIP, "prefix": 24, "interface": "eth0"}
        view = owner.kernel_view(vip, interfaces("lo", "eth0"))
        self.assertEqual((view["interface"], view["prefix"], view["problems"]), ("eth0", 24, []))
        view = owner.kernel_view(vip, interfaces("lo"))
        self.assertEqual((view["held"], view["interface"]), (True, "lo"))
        self.assertEqual(
            view["problems"],
            [
                "10.98.0.100 is held on lo after a crash, until keepalived is MASTER again or another machine has it",
            ],
        )

    def test_wrong_places_are_problems(self):
        table = [
            ([{"address": VIP, "prefix": 32}], {}, ["10.98.0.100 has prefix 32 on eth0, not 24"]),
            (
                [{"address": VIP, "prefix": 24}],
                {"vips": [{"address": VIP, "interface": "eth1"}]},
                ["10.98.0.100 is on interface eth0, not on eth1"],
            ),
            (
                [{"address": VIP, "prefix": 24}, {"address": VIP, "prefix": 32}],
                {"vips": [{"address": VIP, "prefix": 24}]},
                ["10.98.0.100 is on several interfaces: eth0/24, eth0/32", "10.98.0.100 has prefix 32 on eth0, not 24"],
            ),
            ([{"address": "10.98.0.10", "prefix": 24}], {}, []),
        ]
        for held, changed, expected in table:
            vip = observe(Machine(held), **changed)["vips"][0]
            self.assertEqual(vip["problems"], expected)

    def test_a_host_outside_the_pair(self):
        machine = Machine(word=None, file_word=None, part=None)
        report = observe(machine, vips=[{"address": VIP}])
        self.assertEqual((report["keepalived"]["running"], report["instances"]), (False, {}))
        self.assertEqual(report["keepalived"]["data_problem"], "keepalived does not run")
        self.assertEqual((report["vips"][0]["instance"], report["vips"][0]["held"]), (None, False))
        self.assertIn("is not there", report["state_file"]["problem"])

    def test_the_instance_is_found_in_keepaliveds_data(self):
        report = observe(Machine(part=None), vips=[{"address": VIP}])
        self.assertEqual(report["vips"][0]["instance"], "web")

    def test_refusals_name_place_value_and_cure(self):
        table = [
            (
                Machine(part=None),
                {},
                "vips: missing, and this host has no /etc/keepalived/ha-pair.json to take them from; "
                "name them, or run the keepalived role on this host",
            ),
            (
                Machine(),
                {"vips": [{"address": VIP}, {"address": "10.98.0.100/24"}]},
                "vips[1].address: 10.98.0.100/24 is not an IP address; write one, without prefix",
            ),
        ]
        for machine, changed, message in table:
            with self.assertRaises(NodeError) as caught:
                observe(machine, **changed)
            self.assertEqual(str(caught.exception), message)

    def test_agreement(self):
        table = [
            (True, "MASTER", "MASTER", True),
            (True, "MASTER", "BACKUP", False),
            (True, "INIT", "UNKNOWN", True),
            (True, None, "MASTER", None),
            (True, "MASTER", None, None),
            (False, None, "CRASHED", True),
            (False, None, "STOPPED", True),
            (False, None, "MASTER", False),
            (False, None, None, None),
        ]
        for running, daemon_state, file_state, expected in table:
            self.assertEqual(owner.agreement(running, daemon_state, file_state), expected)

    def test_a_record_that_means_nothing_now_is_not_used(self):
        machine = Machine()
        for text, problem in [
            (None, "is not there"),
            ("{}", "is not a state file of schema 1"),
            (machine.text.replace("boot-1", "boot-0"), "is of an earlier boot"),
        ]:
            machine.text = text
            report = observe(machine)
            self.assertIn(problem, report["state_file"]["problem"])
            self.assertIsNone(report["instances"]["web"]["file_state"])
            self.assertIsNone(report["instances"]["web"]["agree"])

    def test_whose_configuration_it_is_and_the_package_is_asked_when_it_is_not_ours(self):
        machine = Machine()
        machine.files[owner.CONFIGURATION] = "# by duplex.ha_pair"
        self.assertEqual(observe(machine)["keepalived"]["configuration"], "ours")
        self.assertEqual(machine.verified, [])
        machine.files[owner.CONFIGURATION] = "vrrp_instance VI_1 { state MASTER }"
        self.assertEqual(observe(machine)["keepalived"]["configuration"], "sample")
        self.assertEqual(machine.verified, [owner.CONFIGURATION])

    def test_a_frozen_daemon_is_reported(self):
        machine = Machine()
        machine.problem = "keepalived (pid 100): frozen"
        report = observe(machine)
        self.assertEqual(
            (report["keepalived"]["data_read"], report["keepalived"]["data_problem"]),
            (False, "keepalived (pid 100): frozen"),
        )
        self.assertEqual(report["instances"]["web"]["daemon_state"], None)


class ArpTest(unittest.TestCase):
    def arp(self, machine, **changed):
        return observe(machine, ask_arp=True, **changed)["vips"][0]["arp"]

    def test_who_answers(self):
        machine = Machine()
        machine.answers[VIP] = {"52:54:00:00:00:09", "52:54:00:00:00:08"}
        self.assertEqual(
            self.arp(machine),
            {
                "asked": True,
                "interface": "eth0",
                "answers": ["52:54:00:00:00:08", "52:54:00:00:00:09"],
                "problem": None,
            },
        )
        self.assertEqual(machine.asked_on, [("eth0", VIP, [VIP])])

    def test_the_interface_asked_for(self):
        machine = Machine()
        self.assertEqual(self.arp(machine, arp_interface="eth1")["interface"], "eth1")

    def test_what_cannot_be_asked_is_a_problem_and_no_crash(self):
        refused = Machine()
        refused.answers[VIP] = NodeError("ARP on eth0: no raw socket (Operation not permitted); run as root")
        table = [
            (refused, {}, "eth0", "ARP on eth0: no raw socket (Operation not permitted); run as root"),
            (
                Machine(),
                {"vips": [{"address": "fd00::100"}]},
                None,
                "not asked: no interface of this host is in the subnet of fd00::100; name one with arp_interface",
            ),
            (
                Machine(),
                {"vips": [{"address": "10.99.0.1"}]},
                None,
                "not asked: no interface of this host is in the subnet of 10.99.0.1; name one with arp_interface",
            ),
        ]
        for machine, changed, interface, problem in table:
            self.assertEqual(
                self.arp(machine, **changed),
                {"asked": False, "interface": interface, "answers": [], "problem": problem},
            )

    def test_ipv6_is_asked_on_the_interface_of_its_subnet(self):
        machine = Machine([{"address": "fd00:98::1", "prefix": 64}])
        machine.answers["fd00:98::100"] = {"52:54:00:00:00:09"}
        self.assertEqual(
            self.arp(machine, vips=[{"address": "fd00:98::100"}]),
            {"asked": True, "interface": "eth0", "answers": ["52:54:00:00:00:09"], "problem": None},
        )

    def test_a_question_that_breaks_leaves_the_others_their_answers(self):
        machine = Machine()
        broken, late = "10.98.0.101", "10.98.0.102"
        machine.answers = {VIP: {"52:54:00:00:00:09"}, broken: Broken(set()), late: Broken({"52:54:00:00:00:08"})}
        report = observe(machine, ask_arp=True, vips=[{"address": address} for address in (VIP, broken, late)])
        found = [vip["arp"] for vip in report["vips"]]
        self.assertEqual([view["asked"] for view in found], [True, False, True])
        self.assertEqual([view["answers"] for view in found], [["52:54:00:00:00:09"], [], ["52:54:00:00:00:08"]])
        self.assertEqual([view["problem"] for view in found], [None, "eth0: cannot send; see it", None])

    def test_one_refusal_leaves_the_other_question(self):
        machine = Machine()
        machine.answers = {VIP: NodeError("no"), "10.98.0.101": {"52:54:00:00:00:09"}}
        report = observe(machine, ask_arp=True, vips=[{"address": VIP}, {"address": "10.98.0.101"}])
        self.assertEqual([vip["arp"]["asked"] for vip in report["vips"]], [False, True])
        self.assertEqual(report["vips"][1]["arp"]["answers"], ["52:54:00:00:00:09"])


PROBED = {
    "schema": 1,
    "node": "node-a",
    "state_directory": "/run/pair",
    "instances": {"web": {"vips": [], "services": ["api", "nginx"]}},
    "probes": [
        {"name": "nginx", "kind": "http", "state_file": "/run/pair/failing/nginx", "timeout": 0.25},
        {"name": "witness.gateway", "kind": "ping", "state_file": "/run/pair/failing/witness.gateway", "timeout": 0.5},
    ],
}
REPORT = "/run/pair/failing/.prober.json"


def prober_report(written_at=99.0, **probes):
    entry = {"failing": False, "gated": False, "last_problem": None, "problem": None}
    entries = {name.replace("__", "."): dict(entry, **changed) for name, changed in probes.items()}
    return json.dumps({"schema": 1, "written_at": written_at, "problems": [], "probes": entries})


class ServicesTest(unittest.TestCase):
    def services(self, **files):
        machine = Machine(part=PROBED)
        machine.files = {"/run/pair/" + name.replace("__", "/"): text for name, text in files.items()}
        return observe(machine)["services"]

    def test_what_keepalived_reads(self):
        up = {"track__nginx": "1\n", "track__api": "1\n"}
        table = [
            ({}, {"api": "down", "nginx": "down"}),
            (up, {"api": "up", "nginx": "up"}),
            (dict(up, failing__nginx="0\n"), {"api": "up", "nginx": "up"}),
            (dict(up, failing__nginx="junk"), {"api": "up", "nginx": "up"}),
            (dict(up, failing__nginx="1\n"), {"api": "up", "nginx": "failing"}),
            # Nobody probes api, so keepalived does not look at such a file.
            (dict(up, failing__api="1\n"), {"api": "up", "nginx": "up"}),
            (dict(up, track__nginx="0\n", failing__nginx="1\n"), {"api": "up", "nginx": "down"}),
        ]
        for files, expected in table:
            self.assertEqual(self.services(**files), expected)


PARTED = dict(PROBED, active_standby=["fetcher"], instances={"web": {"vips": [], "services": ["api", "fetcher"]}})
AGENT_REPORT = "/run/pair/active.json"


def agent_report(boot_id="boot-1", pid=900, started=77, services=None, **changed):
    entry = {"phase": "active", "why": "is ready", "fit": True}
    report = {"schema": 1, "boot_id": boot_id, "pid": pid, "started": started, "node": "node-a"}
    return json.dumps(dict(report, services={"fetcher": dict(entry, **changed)} if services is None else services))


class AgentTest(unittest.TestCase):
    def seen(self, text, part=PARTED, **files):
        machine = Machine(part=part)
        machine.files = {AGENT_REPORT: text}
        machine.files.update({"/run/pair/" + name.replace("__", "/"): text for name, text in files.items()})
        report = observe(machine)
        return report["agent"], report["services"]

    def test_without_such_a_service_there_is_nothing_to_miss(self):
        quiet = {"running": False, "problem": None, "services": {}}
        for part in (DESCRIPTION, dict(PROBED, active_standby=[])):
            self.assertEqual(self.seen(None, part)[0], quiet)

    def test_what_it_says(self):
        agent, services = self.seen(agent_report(), track__fetcher="1\n", track__api="1\n")
        self.assertEqual((agent["running"], agent["problem"]), (True, None))
        self.assertEqual(agent["services"]["fetcher"]["why"], "is ready")
        self.assertEqual(services, {"api": "up", "fetcher": "active"})

    def test_a_service_that_does_not_run_here_is_well(self):
        self.assertEqual(self.seen(agent_report(phase="standby"), track__fetcher="1\n")[1]["fetcher"], "standby")

    def test_a_node_that_is_not_fit(self):
        self.assertEqual(self.seen(agent_report(phase="hold-down", fit=False), track__fetcher="0\n")[1]["fetcher"],
                         "hold-down")
        # keepalived goes by the file.
        for text in (None, "0\n", ""):
            self.assertEqual(self.seen(agent_report(), track__fetcher=text)[1]["fetcher"], "down")

    def test_a_report_that_says_nothing_of_now(self):
        cure = "; see that ha-pair-active.service runs"
        again = ": is not a report of schema 1; systemctl restart ha-pair-active.service"
        gone = ": is stale: of an agent that is gone (process %d)" + cure
        for text, words in (
            (None, ": is not there" + cure),
            ("", again),
            ("[]", again),
            ('{"schema": 2, "services": {}}', again),
            ('{"schema": 1, "services": []}', again),
            ('{"schema": 1, "boot_id": "boot-1", "services": {}}', again),
            (agent_report(services={"fetcher": "active"}), again),
            (agent_report(boot_id="boot-0"), ": is stale: of an earlier boot" + cure),
            (agent_report(pid=901), gone % 901),
            (agent_report(started=76), gone % 900),
        ):
            agent, services = self.seen(text, track__fetcher="1\n")
            self.assertEqual((agent["running"], agent["problem"]), (False, AGENT_REPORT + words))
            self.assertEqual((agent["services"], services["fetcher"]), ({"fetcher": None}, "unknown"))

    def test_an_agent_that_was_not_told_of_a_service(self):
        agent = self.seen(agent_report(services={}))[0]
        words = "ha-pair-active.service: does not have fetcher; run the role java_service again"
        self.assertEqual(agent["problem"], words)
        self.assertTrue(agent["running"])


class RaisedTest(unittest.TestCase):
    def raised(self, **files):
        path = "/run/pair/raise/"
        part = dict(
            DESCRIPTION,
            instances={
                "web": dict(DESCRIPTION["instances"]["web"], raise_file=path + "both"),
                "db": {"vips": [], "raise_file": path + "both"},
                "app": {"vips": [], "raise_file": path + "app"},
                # Deployed by a version that knew no planned switchover.
                "old": {"vips": []},
            },
        )
        machine = Machine(part=part)
        machine.files = {path + name: text for name, text in files.items()}
        return observe(machine)["raised"]

    def test_a_group_is_raised_with_all_of_its_instances(self):
        self.assertEqual(self.raised(), [])
        self.assertEqual(self.raised(app="0\n", both="0\n"), [])
        self.assertEqual(self.raised(app="1\n"), ["app"])
        self.assertEqual(self.raised(app="0\n", both="1\n"), ["db", "web"])
        self.assertEqual(self.raised(app="1", both="junk"), ["app"])

    def test_a_host_outside_the_pair_has_nothing_to_raise(self):
        self.assertEqual(owner.raised_instances(Machine(part=None), None), [])


class ProberTest(unittest.TestCase):
    def prober(self, text, failing=None, part=PROBED):
        machine = Machine(part=part)
        machine.files = {REPORT: text, "/run/pair/failing/nginx": failing}
        return observe(machine)["prober"]

    def test_nothing_to_probe_is_nothing_to_miss(self):
        quiet = {"running": False, "problem": None, "probes": {}}
        self.assertEqual(self.prober(None, part=DESCRIPTION), quiet)
        self.assertEqual(self.prober(None, part=dict(PROBED, probes=[])), quiet)

    def test_what_each_probe_says(self):
        text = prober_report(
            nginx={"failing": True, "last_problem": "no answer within 0.25 s"},
            witness__gateway={"problem": "ping 192.0.2.1: no raw socket"},
        )
        self.assertEqual(
            self.prober(text, failing="1\n"),
            {
                "running": True,
                "problem": None,
                "probes": {
                    "nginx": {"failing": True, "gated": False, "problem": "no answer within 0.25 s"},
                    "witness.gateway": {"failing": False, "gated": False, "problem": "ping 192.0.2.1: no raw socket"},
                },
            },
        )

    def test_the_last_miss_of_a_service_that_answers_is_no_problem(self):
        found = self.prober(prober_report(nginx={"last_problem": "once"}, witness__gateway={"gated": True}))
        self.assertEqual(found["probes"]["nginx"], {"failing": False, "gated": False, "problem": None})
        self.assertEqual(found["probes"]["witness.gateway"]["gated"], True)

    def test_a_probe_that_the_prober_does_not_know(self):
        found = self.prober(prober_report(nginx={}))
        self.assertEqual(found["probes"]["witness.gateway"]["problem"], "is not asked; restart ha-pair-prober.service")

    def test_complaints_of_the_prober_itself(self):
        text = json.dumps({"schema": 1, "written_at": 99.0, "problems": ["probes: [] is no probe"], "probes": {}})
        found = self.prober(text)
        self.assertEqual((found["running"], found["problem"]), (True, "probes: [] is no probe"))

    def test_a_report_that_does_not_count(self):
        table = [
            (None, "%s: is not there; see that ha-pair-prober.service runs" % REPORT),
            ("{", "%s: is not a report of schema 1; restart ha-pair-prober.service" % REPORT),
            ("[]", "%s: is not a report of schema 1; restart ha-pair-prober.service" % REPORT),
            (
                json.dumps({"schema": 2, "written_at": 99.0, "probes": {}}),
                "%s: is not a report of schema 1; restart ha-pair-prober.service" % REPORT,
            ),
            (
                prober_report(94.0),
                "%s: was written 6 s ago, not within 5 s; see that ha-pair-prober.service runs" % REPORT,
            ),
            (
                prober_report(200.0),
                "%s: is dated 100 s ahead of the clock, not within 5 s; see that ha-pair-prober.service runs" % REPORT,
            ),
        ]
        for text, problem in table:
            found = self.prober(text, failing="1\n")
            self.assertEqual((found["running"], found["problem"]), (False, problem))
            # What keepalived goes by is the file, and that is still said.
            self.assertEqual(found["probes"]["nginx"], {"failing": True, "gated": False, "problem": None})


class IdentityTest(unittest.TestCase):
    def identity(self, address, answer):
        asked = []

        def ask(url, timeout):
            asked.append((url, timeout))
            if isinstance(answer, Exception):
                raise answer
            return answer

        view = owner.identity_view({"address": address}, "http://{vip}:8080/id", "X-HA-Pair-Node", 1.5, ask)
        return asked, view

    def test_the_node_names_itself(self):
        asked, view = self.identity(VIP, (200, {"x-ha-pair-node": "node-a"}))
        self.assertEqual(asked, [("http://10.98.0.100:8080/id", 1.5)])
        self.assertEqual(view, {"asked": True, "node": "node-a", "status": 200, "problem": None})

    def test_problems_are_told(self):
        self.assertEqual(
            self.identity("fd00::1", (404, {})),
            (
                [("http://[fd00::1]:8080/id", 1.5)],
                {
                    "asked": True,
                    "node": None,
                    "status": 404,
                    "problem": "answered 404 without the header X-HA-Pair-Node",
                },
            ),
        )
        self.assertEqual(self.identity(VIP, HttpError("no answer"))[1]["problem"], "no answer")


@unittest.skipIf(basic is None, "ansible is not installed for this Python")
class ModuleTest(unittest.TestCase):
    def test_the_module_reports_and_refuses(self):
        from ansible_collections.duplex.ha_pair.plugins.modules import vip_owner

        done = []

        class Module(object):
            def __init__(self, argument_spec, supports_check_mode):
                self.params = {name: option.get("default") for name, option in argument_spec.items()}
                self.params.update(vips=[{"address": VIP}], ask_arp=False, state_file="/state.json")
                self.check_mode = supports_check_mode

            def exit_json(self, **result):
                done.append(result)

            def fail_json(self, **result):
                done.append(result)
                raise SystemExit(1)

        originals = vip_owner.AnsibleModule, vip_owner.System
        machine = Machine([{"address": VIP, "prefix": 24}])
        vip_owner.AnsibleModule, vip_owner.System = Module, lambda: machine
        try:
            vip_owner.main()
            machine.interfaces = lambda: owner.expected_vips(None, None)
            self.assertRaises(SystemExit, vip_owner.main)
        finally:
            vip_owner.AnsibleModule, vip_owner.System = originals
        self.assertEqual(done[0]["changed"], False)
        self.assertEqual(done[0]["vip_owner"]["vips"][0]["held"], True)
        self.assertIn("vips: missing", done[1]["msg"])


class ChecksTest(unittest.TestCase):
    def test_a_check_script_that_is_gone_is_named_once(self):
        machine = Machine()
        machine.files[owner.CONFIGURATION] = (
            'vrrp_script check_one {\n    script "/usr/libexec/keepalived/ha-pair-check http://127.0.0.1/ 0.5"\n}\n'
            "vrrp_script check_two {\n    script /opt/gone -x\n}\n"
            'vrrp_script check_three {\n    script "/opt/gone"\n}\n'
            "    track_script {\n        check_one\n    }\n"
        )
        self.assertEqual(owner.lost_checks(machine), ["/opt/gone"])

    def test_without_a_configuration_nothing_is_lost(self):
        self.assertEqual(owner.lost_checks(Machine()), [])
