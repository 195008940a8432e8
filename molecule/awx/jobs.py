# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of AWX's templates on the lab of the scenario, and what came of them.

`jobs.py first` plans and deploys on bare nodes, `jobs.py usual` launches the rest, `jobs.py long` answers the surveys
at every edge; a name after it runs that case alone. The pair of the inventory has no observer.
"""

from __future__ import annotations

import re
import sys
import time
import typing as t
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

import awx_cases
from awx_cases import connect, green, red, say, template
from awx_job import Result, Template, load_templates
from awx_survey import Edge, edges, rows, usual
from cases import CaseError, Cases, expect
from labkit import NODES, Lab, wait_until

LAB = Lab.from_environment()
SOURCES = ("inventories/nginx_pair", "lab/inventory", "molecule/awx/inventory")
# As a person reads them: not in the words of Ansible's own machinery.
INTERNALS = re.compile(
    r"Traceback|is undefined|has no attribute|AnsibleUndefined|Unexpected failure|unhandled|object of type|"
    r"cannot be converted|invalid literal|The conditional check"
)

FIRST, USUAL, LONG = Cases(), Cases(), Cases()
SETS = {"first": FIRST, "usual": USUAL, "long": LONG}


def launch(name: str, answers: Mapping[str, t.Any] | None = None, **prompts: t.Any) -> Result:
    """Launch a template; see awx_cases."""
    return awx_cases.launch(AWX, name, answers, **prompts)


def owner() -> str:
    """The only node that has the VIP."""
    found = LAB.owners()
    expect(len(found) == 1, f"the VIP is on {found}")
    return found[0]


def standby() -> str:
    """The node that has not."""
    return NODES[1 - NODES.index(owner())]


def faults_in_force() -> str:
    """What a drill has broken and nobody has mended; empty when nothing is."""
    return "".join(LAB.run(node, "nft list tables | grep ha_pair_drill", check=False) for node in NODES).strip()


def settle() -> None:
    """Wait until one node owns the VIP, and both services answer."""
    wait_until("nothing of a drill is in force", lambda: not faults_in_force(), timeout=90)
    wait_until("both services answer", lambda: all(LAB.answers(node) for node in NODES), timeout=60)
    wait_until("one node owns the VIP", lambda: len(LAB.owners()) == 1, timeout=60)


@contextmanager
def stopped(node: str) -> Iterator[None]:
    """Nginx of a node is stopped meanwhile."""
    LAB.run(node, "systemctl stop nginx.service")
    try:
        # Until its check has failed often enough.
        time.sleep(3)
        yield
    finally:
        LAB.run(node, "systemctl start nginx.service")


@FIRST.add
def a_plan_on_bare_nodes() -> None:
    """It says what a deployment would make, and makes nothing."""
    done = launch("Plan")
    green(done)
    expect(all(done.hosts[node]["changed"] > 0 for node in NODES), f"nothing would be made: {done.hosts}")
    for node in NODES:
        there = LAB.run(node, "ls -d /usr/sbin/nginx /usr/sbin/keepalived /etc/ha-pair /etc/keepalived", check=False)
        expect(there.strip() == "", f"{node} has {there.split()}")


@FIRST.add
def a_deployment() -> None:
    """One node owns the VIP afterwards, and the artifact says so."""
    found = green(launch("Deploy"), "ha_pair_deploy")
    (pair,) = found["pairs"]
    expect(list(pair["members"]) == list(NODES) and pair["result"] == "verified", f"{pair} is not verified")
    expect(owner() in NODES, "nobody owns the VIP")


@FIRST.add
def a_second_deployment() -> None:
    """It changes nothing."""
    done = launch("Deploy")
    green(done)
    expect(done.changed == 0, f"{done.changed} tasks change something: {done.hosts}")


@USUAL.add
def a_status_of_a_pair_that_is_whole() -> None:
    """It is green, also as data and limited to the pair."""
    found = green(launch("Status", limit="web"), "ha_pair_status")
    expect(found["whole"] is True, f"not whole: {found}")
    expect([list(pair["members"]) for pair in found["pairs"]] == [list(NODES)], f"other pairs: {found}")


@USUAL.add
def a_status_of_a_pair_that_is_not() -> None:
    """It is red and names the node and what is wrong there; the artifact is there all the same."""
    broken = standby()
    with stopped(broken):
        done = launch("Status", plain=True)
    red(done, "not whole", broken, "nginx")
    found = done.artifacts.get("ha_pair_status", {})
    expect(found.get("whole") is False, f"the artifact says {found.get('whole')}")


@USUAL.add
def a_drill_that_nobody_has_confirmed() -> None:
    """It is refused with the cure, and breaks nothing."""
    before = owner()
    red(launch("Drill", {"drill_confirm": "false"}), "drill_confirm: is not true")
    expect(owner() == before and not faults_in_force(), "something was broken")


@USUAL.add
def the_plan_of_a_drill() -> None:
    """It says what would be done, and does nothing."""
    before = owner()
    done = launch("Drill plan", {"drill_faults": ["service_stop", "vrrp_block"]})
    green(done)
    expect("Would do:" in done.text, f"it does not say what it would do: {done.text[-2000:]}")
    expect(owner() == before and not faults_in_force(), "something was broken")


@USUAL.add
def a_drill_that_only_the_pod_watches() -> None:
    """Two faults without an observer: the pod asks through the VIP, and the report is in the artifact."""
    found = green(
        launch("Drill", {"drill_confirm": "true", "drill_faults": ["service_stop", "keepalived_stop"]}), "ha_pair_drill"
    )
    expect(found["passed"] is True, f"not passed: {found}")
    expect([fault["fault"] for fault in found["faults"]] == ["service_stop", "keepalived_stop"], f"{found['faults']}")
    expect(all(fault["passed"] for fault in found["faults"]), f"{found['faults']}")
    expect("service" in found["report"] and found["report"].lstrip().startswith("#"), "the report is no Markdown")


@USUAL.add
def a_drill_that_is_cancelled() -> None:
    """Nobody is left to mend; the timer on the node is, and the next status is green."""
    # Longer than ansible-runner takes to notice that it is cancelled.
    fault = {"fault": "vrrp_block", "lasts_seconds": 12}
    given = {"drill_confirm": True, "drill_faults": [fault], "failover_drill_restore_after": 5}
    one = replace(template("Drill"), survey=(), extra_vars=given)
    with AWX.start(one) as job:
        job.wait_for("Let it last", timeout=120)
        job.cancel()
        done = job.wait(timeout=60)
    say(one.name, done)
    cancelled = time.monotonic()
    expect(done.status == "canceled", f"not cancelled: {done}")
    expect(done.artifacts == {}, f"it left {sorted(done.artifacts)}")
    expect(faults_in_force(), "the fault was undone before the job was, so nothing is proved")
    settle()
    print(f"    undone {time.monotonic() - cancelled:.0f} s after the job was cancelled", flush=True)
    # A pair that was split settles on its preferred node.
    wait_until("the pair is whole", lambda: AWX.launch(template("Status"), usual(template("Status").survey)).rc == 0)


@USUAL.add
def a_switchover_there_and_back() -> None:
    """The VIP moves to the named node and back, and the artifact says so."""
    first, second = owner(), standby()
    # Without a name it is the other node.
    for answer, old, new in (("", first, second), (first, second, first)):
        found = green(launch("Switchover", {"switchover_target": answer}), "ha_pair_switchover")
        expect(owner() == new, f"{owner()} owns the VIP, not {new}")
        expect((found["from"], found["to"], found["verified"]) == (old, new, True), f"the artifact says {found}")


@USUAL.add
def a_release_of_nothing() -> None:
    """This pair has no Tomcat: refused, and what would be."""
    red(launch("Release plan"), "tomcat_applications: is set for none of them, so there is nothing to release")


@USUAL.add
def a_slice_that_parts_the_pair() -> None:
    """It is refused with the cure before anything is changed."""
    for name, number in (("Deploy", 1), ("Drill", 2)):
        answers = {"drill_confirm": "true"} if name == "Drill" else {}
        done = launch(name, answers, slice_number=number, slice_count=2)
        red(done, "is not a host of the inventory; put both nodes", "job_slice_count 1")
        expect(done.changed == 0, f"{name} changed something: {done.hosts}")


@USUAL.add
def a_limit_to_half_a_pair() -> None:
    """A drill refuses it with the limit that it needs."""
    red(launch("Drill", {"drill_confirm": "true"}, limit=NODES[0]), "a drill needs both members: --limit node-a,node-b")
    expect(not faults_in_force(), "something was broken")


@LONG.add
def a_plan_of_what_is_deployed() -> None:
    """Nothing would change, on the pair and on one of its nodes."""
    for limit in ("", NODES[0]):
        done = launch("Plan", limit=limit)
        green(done)
        expect(done.changed == 0, f"{done.changed} tasks would change something: {done.hosts}")
        expect(set(done.hosts) == ({limit} if limit else set(NODES)), f"{set(done.hosts)} were asked")


@LONG.add
def a_limit_that_matches_nothing() -> None:
    """The job fails; it is not green because nobody was asked."""
    done = launch("Status", limit="nowhere")
    expect(done.status == "failed" and "nowhere" in done.text, f"a limit without a host: {done}")


@LONG.add
def a_rollback_of_nothing() -> None:
    """Refused in the same words as a release."""
    red(launch("Rollback", check=True), "tomcat_applications: is set for none of them")


def named_in(message: str, answers: Mapping[str, t.Any], known: t.Container[str]) -> str:
    """The variable whose answer a refusal is about; empty when it names none."""
    # The longest first: one name may be the end of another.
    for name in sorted(answers, key=len, reverse=True):
        if name in message and name in known:
            return name
    return ""


def answered(one: Template, answers: dict[str, t.Any]) -> tuple[int, list[str]]:
    """Run a set of answers in check mode until it passes: how many runs, and what was refused on the way.

    A refusal has to be clear; what it names gets its usual answer, and the rest is tried again.
    """
    ours, runs = usual(one.survey), 0
    refused: list[str] = []
    # What this pair has not is refused whatever is answered.
    fixed = "tomcat_applications: is set for none" if one.playbook.endswith("release.yml") else ""
    open_questions = {name for name in answers if answers[name] != ours.get(name)}
    while True:
        done = AWX.launch(one, answers, check=True)
        runs += 1
        expect(not done.control_characters, f"control characters in the output: {done.control_characters[:3]}")
        if done.status == "successful":
            expect(not fixed, f"{one.name} with {answers}: green, and there is nothing to release")
            return runs, refused
        message = " ".join(failure.message for failure in done.failures) or done.text[-2000:]
        expect(not INTERNALS.search(message), f"{one.name} with {answers}: not in words for people: {message[:2000]}")
        if fixed and fixed in message:
            return runs, refused
        name = named_in(message, answers, open_questions)
        expect(name, f"{one.name} with {answers}: the refusal names no variable of the survey: {message[:2000]}")
        refused.append(f"{name}={str(answers[name])[:40]!r}: {message[:200]}")
        open_questions.discard(name)
        answers = {key: value for key, value in answers.items() if key != name}
        if name in ours:
            answers[name] = ours[name]


@LONG.add
def answers_at_every_edge() -> None:
    """Whatever AWX lets through, a playbook takes or refuses in words that name the variable."""
    done: list[Edge] = []
    problems = []
    for one in load_templates():
        for answers in rows(one.survey, done):
            try:
                runs, refused = answered(one, answers)
            except CaseError as problem:
                problems.append(str(problem))
                print(f"    {problem}", flush=True)
                continue
            print(f"    {one.name}: {runs} runs, {len(refused)} answers refused", flush=True)
            for line in refused:
                print(f"        {line}", flush=True)
        done += [edge for question in one.survey for edge in edges(question)]
    expect(not problems, f"{len(problems)} sets of answers, the first: {problems[:1]}")


if __name__ == "__main__":
    chosen, *names = sys.argv[1:] or [""]
    if chosen not in SETS:
        sys.exit(f"jobs.py {' | '.join(SETS)} [CASE ...]")
    # The pair of AWX's inventory is alone.
    with connect(LAB, *SOURCES, leave_out="observer") as AWX:
        sys.exit(SETS[chosen].run((lambda: None) if chosen == "first" else settle, names))
