# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills a drill with SIGKILL in the middle of each fault and waits for the dead-man: `make deadman`.

Nobody comes back to mend; the timer on the target, or on the power side, has to. Ends with an error when the pair is
not whole again in time.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lab"))

sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._drill.catalogue import FAULTS  # noqa: E402
from drill import deploy  # noqa: E402
from labkit import NODES, Lab, LabError, end_on_sigterm, ignore_interrupts, wait_until  # noqa: E402

LASTS = 5
"""Seconds for which a fault would last: enough to kill the drill in the meantime."""

RESTORE_AFTER = LASTS + 40
"""Seconds by which the dead-man has come; the drill gives him a fault's own time and what it needs beside it."""

# The lab has no storage of its own that could hang.
NAMES = [fault.name for fault in FAULTS if fault.where != "reboot" and "mount" not in fault.needs]


FROM_OUTSIDE = ("switchover", "node_freeze", "node_power_off")
"""Faults that leave no trace on their target."""


def whole(lab: Lab, home: str) -> bool:
    """Whether the node that had it alone has the VIP and both services answer."""
    return lab.owners() == [home] and all(lab.answers(node) for node in NODES)


LEFT = (
    "systemctl list-units --no-legend 'ha-pair-drill-*'; nft list tables 2>/dev/null | grep ha_pair_drill; "
    "grep ha-pair-drill /proc/mounts; ls /run/systemd/system/*.d/*ha-pair-drill* 2>/dev/null"
)
"""What shows that a fault is in force: timers and units, rules, mounts, drop-ins."""


def undone(lab: Lab) -> bool:
    """Whether nothing of a fault is in force on any host, and no third machine has the VIP."""
    left = "".join(lab.run(host, LEFT, check=False) for host in (*NODES, "observer"))
    return not left.strip() and f" {lab.vip}/" not in lab.run("observer", "ip -o addr show")


def drill(lab: Lab, fault: str) -> subprocess.Popen[str]:
    """Start a drill of one fault that would last long."""
    command = ["ansible-playbook", "playbooks/drill.yml"]
    for source in ("inventories/nginx_pair", "lab/inventory"):
        command += ["-i", source]
    command += ["-e", "drill_confirm=true", "-e", "failover_drill_restore_after=5"]
    command += ["-e", f'{{"drill_faults": [{{"fault": "{fault}", "lasts_seconds": {LASTS}}}]}}']
    return subprocess.Popen(
        command, cwd=ROOT, env=lab.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def kill_in_the_middle(lab: Lab, fault: str) -> float:
    """Seconds from the kill until the pair is whole again."""
    wait_until("the VIP has one owner before the drill", lambda: len(lab.owners()) == 1, timeout=90)
    (home,) = lab.owners()
    wait_until("the pair is whole before the drill", lambda: whole(lab, home), timeout=90)
    running = drill(lab, fault)
    assert running.stdout is not None
    said = []
    for line in running.stdout:
        said.append(line)
        if "Let it last" in line:
            break
    else:
        raise LabError(f"{fault}: the drill ended before it was killed: {''.join(said)[-2000:]}")
    time.sleep(1)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    killed = time.monotonic()
    if fault not in FROM_OUTSIDE and undone(lab):
        raise LabError(f"{fault}: was not in force when the drill was killed")
    wait_until(f"{fault}: the fault is undone by the dead-man", lambda: undone(lab), timeout=RESTORE_AFTER + 30)
    wait_until(f"{fault}: the pair is whole after the dead-man", lambda: whole(lab, home), timeout=60)
    return time.monotonic() - killed


def main() -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fault", action="append", choices=NAMES)
    parser.add_argument("--here", action="store_true", help="on the lab that is up, which is left as it is")
    given = parser.parse_args()
    end_on_sigterm()
    lab = Lab.from_environment()
    failed = 0
    try:
        if not given.here:
            print("Deploying a pair", flush=True)
            deploy(lab)
        for fault in given.fault or NAMES:
            try:
                seconds = kill_in_the_middle(lab, fault)
                print(f"{fault}: drill killed, whole again {seconds:.1f} s later", flush=True)
            except LabError as problem:
                failed += 1
                print(f"FAILED {problem}", flush=True)
    finally:
        ignore_interrupts()
        if not given.here:
            lab.playbook("lab/destroy.yml", quiet=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
