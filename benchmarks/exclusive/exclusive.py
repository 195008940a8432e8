# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A random sequence of faults on a Java service of which one may run, on a fresh lab: `make exclusive`.

Deploys inventories/java_standby with the lab of its scenario, and lets molecule/java_standby/faults.py do the rest.
Ends with an error when the program's own evidence says what the arbiter does not allow, when it says too little, and
when more than a fifth of the faults took no hold. The same seed gives the same faults.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lab"))

from fault_sequence import ARBITERS  # noqa: E402
from labkit import Lab, LabError, end_on_sigterm, ignore_interrupts  # noqa: E402

INVENTORIES = ("inventories/java_standby", "lab/inventory", "molecule/java_standby/inventory")
SCENARIO = ROOT / "molecule/java_standby"
PLAYBOOKS = ("lab/create.yml", "molecule/java_standby/prepare.yml", "site.yml")


def play(lab: Lab, *words: str) -> None:
    """Run a playbook; what it said only where it failed."""
    command = ["ansible-playbook", *(word for source in INVENTORIES for word in ("-i", source)), *words]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=lab.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LabError(f"{' '.join(words)}: {done.stdout[-4000:]}")


def main() -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", default="", help="any when not given; it is printed")
    parser.add_argument("--arbiter", choices=ARBITERS, default="witness")
    given = parser.parse_args()
    end_on_sigterm()
    os.environ["HA_PAIR_LAB_SECOND_NETWORK"] = "true"
    lab = Lab.from_environment()
    words = ["--random", str(given.runs), "--arbiter", given.arbiter]
    words += ["--seed", given.seed] if given.seed else []
    try:
        print("Deploying a pair and a witness", flush=True)
        for playbook in PLAYBOOKS:
            play(lab, playbook, "-e", f"lab_arbiter={given.arbiter}")
        process = subprocess.Popen([sys.executable, SCENARIO / "faults.py", *words], cwd=ROOT, env=lab.environment())
        try:
            code = process.wait()
        finally:
            if process.poll() is None:
                # It mends what it has broken; after Ctrl-C it was told already.
                process.terminate()
                process.wait()
        print(f"on: {lab.kind()}")
        return code
    finally:
        ignore_interrupts()
        play(lab, "lab/destroy.yml")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as problem:
        sys.exit(f"exclusive: {problem}")
