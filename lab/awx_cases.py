# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cases do with jobs of AWX on a lab: launch a template of awx/, and expect green, red and artifacts."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping

from awx_job import Awx, Inventory, Result, Template, load_templates
from awx_survey import usual
from cases import expect
from labkit import NODES, Lab

MOST_ARTIFACTS = 100_000
"""Bytes to which the artifacts of a job keep."""


def connect(lab: Lab, *sources: str, leave_out: str = "", **variables: t.Any) -> Awx:
    """AWX with an inventory of these sources on a lab, and other variables of the inventory."""
    environment = {name: value for name, value in lab.environment().items() if name.startswith("HA_PAIR_")}
    inventory = Inventory.imported(*sources, environment=environment, leave_out=leave_out)
    return Awx(inventory.with_vars(**variables), environment=environment)


def template(name: str) -> Template:
    """The job template of awx/ with that name, whatever prefix it has."""
    found = [one for one in load_templates() if one.name.endswith(f": {name}")]
    expect(len(found) == 1, f"{len(found)} templates of awx/ are called '...: {name}'")
    return found[0]


def launch(awx: Awx, name: str, answers: Mapping[str, t.Any] | None = None, **prompts: t.Any) -> Result:
    """Launch a template with these answers, and the usual ones of its other questions; say what came of it."""
    one = template(name)
    done = awx.launch(one, {**usual(one.survey), **(answers or {})}, **prompts)
    say(one.name, done)
    return done


def say(name: str, done: Result) -> None:
    """One line of a job, and what every job has to keep to."""
    print(f"    {name}: {done.status}, {done.seconds:.0f} s, {len(done.events)} events", flush=True)
    expect(not done.control_characters, f"control characters in the output: {done.control_characters[:3]}")
    expect("Traceback" not in done.text, f"a traceback in the output: {done.text[-3000:]}")
    expect(len(json.dumps(done.artifacts)) <= MOST_ARTIFACTS, "the artifacts are too big")


def green(done: Result, artifact: str = "") -> t.Any:
    """The artifact of a job that has to be green."""
    expect(done.status == "successful", f"not green: {done}")
    if not artifact:
        return None
    expect(artifact in done.artifacts, f"no artifact {artifact}, only {sorted(done.artifacts)}")
    return done.artifacts[artifact]


def red(done: Result, *sentences: str) -> None:
    """Refuse anything but a failed job that names a host, and says these sentences."""
    expect(done.status == "failed", f"not red: {done}")
    expect(any(failure.host in (*NODES, "localhost") for failure in done.failures), f"no host is named: {done}")
    for sentence in sentences:
        expect(sentence in done.text, f"'{sentence}' is not said: {done}")
