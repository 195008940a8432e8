# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: deploys a pair, crashes nginx on the owner under a client's eyes, shows the outage, and mends it."""

from __future__ import annotations

import sys
import time

from labkit import NODES, Lab, LabError, wait_until

DROP_IN = "/run/systemd/system/nginx.service.d/zz-no-restart.conf"


def step(text: str) -> None:
    """Say what comes next."""
    print(f"\n==> {text}", flush=True)


def demo(lab: Lab) -> int:
    """The whole demonstration; the exit code."""
    step("Deploy the pair: ansible-playbook site.yml with the variables of inventories/nginx_pair")
    if lab.playbook("site.yml") != 0:
        raise LabError("site.yml: failed, see above")

    step("Status of the pair: playbooks/status.yml")
    if lab.playbook("playbooks/status.yml") != 0:
        raise LabError("playbooks/status.yml: the pair is not whole, see above")

    owners = lab.owners()
    if len(owners) != 1:
        raise LabError(f"{lab.vip}: owned by {owners or 'nobody'}, not by exactly one node")
    owner = owners[0]
    other = next(node for node in NODES if node != owner)
    step(f"Crash nginx on {owner}, which owns {lab.vip}: SIGKILL to all its processes, and systemd may not restart it")
    lab.run(
        owner, f"mkdir -p $(dirname {DROP_IN}); printf '[Service]\\nRestart=no\\n' > {DROP_IN}; systemctl daemon-reload"
    )
    with lab.probe(show=True) as probing:
        time.sleep(1)
        lab.run(owner, "systemctl kill --signal=KILL nginx.service")
        time.sleep(2)
    summary = probing.summary

    step("Who owns the VIP now? All views, with the crashed node still down")
    # It ends with an error on purpose: a pair with one node down is degraded.
    lab.playbook("playbooks/status.yml")
    owners = lab.owners()
    if owners != [other]:
        raise LabError(f"{lab.vip}: owned by {owners or 'nobody'}, not by {other}")

    step(f"Mend {owner}: start nginx again and wait until {owner} has taken the VIP back")
    lab.run(owner, f"rm -f {DROP_IN}; systemctl daemon-reload; systemctl reset-failed nginx; systemctl start nginx")
    wait_until(f"{owner} owns {lab.vip} again", lambda: lab.owners() == [owner])

    step("Status of the mended pair")
    if lab.playbook("playbooks/status.yml") != 0:
        raise LabError("playbooks/status.yml: the pair is not whole after mending, see above")

    lost = f"{summary['lost']} of {summary['requests']} requests lost, one every 10 ms"
    print(
        f"""
Result
  owner before       {owner}
  outage             {summary["longest"] * 1000:.0f} ms as a client saw it ({lost})
  owner after        {other}
  after mending      {owner} (the preferred node), whole
  probe              {summary["seconds"]:.1f} s, at most {summary["late"] * 1000:.1f} ms behind its time
  {lab.kind()}""",
        flush=True,
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(demo(Lab.from_environment()))
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(1)
