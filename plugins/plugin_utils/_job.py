# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook leaves when it is done: data for the next node of a workflow, and closing lines for a person."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ._problems import legible, printable
from ._vrrp.verdict import FAILED, VERIFIED

LIMIT = 100_000
"""Bytes that the data of one playbook keep to: AWX hands them on as variables."""

NOT_VERIFIED = "not verified"
AGAIN = "mend it and run this again"

Data = Mapping[str, t.Any]


@dataclass(frozen=True)
class Result:
    """`artifact`: data for set_stats, without a secret. `text`: what was done, where, and what failed, as lines."""

    artifact: dict[str, t.Any]
    text: list[str]

    def to_dict(self) -> dict[str, t.Any]:
        """Plain data, in printable characters."""
        return {"artifact": fitting(self.artifact), "text": [printable(line) for line in self.text]}


def result(kind: str, given: Data) -> Result:
    """The result of a playbook. kind: one of KINDS. given: what its function takes."""
    return KINDS[kind](given)


def fitting(data: Data) -> dict[str, t.Any]:
    """The data in types that JSON has and in printable text, cut until they are within the limit."""
    found = {str(key): _plain(value, None) for key, value in data.items()}
    longest = 32_768
    while len(json.dumps(found)) > LIMIT and longest >= 32:
        found = {**{key: _plain(value, longest) for key, value in found.items()}, "cut": True}
        longest //= 2
    return found


def _plain(value: object, longest: int | None) -> t.Any:
    """longest: characters of a text, and a sixteenth of that for the entries of a list."""
    if isinstance(value, Mapping):
        return {printable(key): _plain(item, longest) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        kept = value if longest is None else value[: longest // 16]
        return [_plain(item, longest) for item in kept]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = legible(str(value))
    return text if longest is None or len(text) <= longest else text[: longest - 2] + ".."


def brief(verdict: Data) -> dict[str, t.Any]:
    """A verdict without what each view said."""
    vips = [{name: vip[name] for name in ("address", "instance", "owner", "result")} for vip in verdict["vips"]]
    kept = ("members", "result", "observed", "problems", "degraded", "warnings")
    return {**{name: verdict[name] for name in kept}, "vips": vips}


def owners(verdict: Data) -> str:
    """`192.0.2.10 (web) with node-a`, for all VIPs."""
    return ", ".join(
        f"{vip['address']} ({vip['instance']}) with {vip['owner'] or 'nobody for certain'}" for vip in verdict["vips"]
    )


def pair_line(verdict: Data) -> str:
    """A pair: its result, who owns what, and why it is not whole."""
    reasons = [*verdict["problems"], *verdict["degraded"]]
    line = f"{' + '.join(verdict['members'])}: {verdict['result']}; {owners(verdict)}"
    return f"{line}; {'; '.join(reasons)}" if reasons else line


def status(given: Data) -> Result:
    """given: `status`, as pair_status returns it."""
    found = given["status"]
    pairs = found["pairs"]
    sick = [verdict for verdict in pairs if verdict["result"] != VERIFIED]
    text = [f"{len(pairs) - len(sick)} of {len(pairs)} {'pair is' if len(pairs) == 1 else 'pairs are'} whole"]
    text += [f"not whole: {pair_line(verdict)}" for verdict in sick]
    kept = {name: found[name] for name in ("whole", "at", "rows")}
    return Result({**kept, "pairs": [brief(verdict) for verdict in pairs]}, text)


def deploy(given: Data) -> Result:
    """given: `check`, whether nothing was changed; `pairs`, as pair_inventory describes them; `hosts` of the run.

    `verdicts`, the verdict by host, empty where there is none; `failures`, what failed by host, empty where nothing
    did; `lost`, hosts that failed before.
    """
    check, hosts = bool(given["check"]), [str(host) for host in given["hosts"]]
    failures = dict.fromkeys(given["lost"], f"failed or cannot be reached, as its message above says; {AGAIN}")
    failures |= {host: str(why) for host, why in given["failures"].items() if why}
    pairs, lines = [], []
    for pair in given["pairs"]:
        verdict = next((found for member in pair["members"] if (found := given["verdicts"].get(member))), None)
        if verdict:
            pairs.append(brief(verdict))
            lines.append(pair_line(verdict))
        else:
            pairs.append({"members": pair["members"], "result": NOT_VERIFIED})
            lines.append(f"{' + '.join(pair['members'])}: {NOT_VERIFIED}")
    # Whatever the views said together, a node that failed is not done.
    for found in pairs:
        if set(failures) & set(found["members"]) and found["result"] == VERIFIED:
            found["result"] = FAILED
    done = "Check mode, nothing was changed" if check else "Failed" if failures else "Deployed"
    text = [
        f"{done}: {len(pairs)} pair{'s' * (len(pairs) != 1)}, {len(hosts)} host{'s' * (len(hosts) != 1)} in this run",
        *lines,
    ]
    text += [f"failed: {host}: {why}" for host, why in failures.items()]
    return Result({"check": check, "pairs": pairs, "hosts": hosts, "failed": failures}, text)


def switchover(given: Data) -> Result:
    """given: `check`; `done`, as switchover_plan returns it; `verified`; `verdict`, empty before there is one."""
    done, check, verified = given["done"], bool(given["check"]), bool(given["verified"])
    verdict = given["verdict"] or {"vips": []}
    moved = {name: node for name, node in done["owners"].items() if node != done["target"]}
    artifact = {
        "check": check,
        "members": [done["target"], done["other"]],
        "instances": done["instances"],
        "from": done["other"] if moved else done["target"],
        "to": done["target"],
        "moved": bool(done["moves"]),
        "return_after": done["back_after"],
        "verified": verified,
    }
    word = "Would move" if check else "Moved" if done["moves"] else "Nothing to move"
    text = [f"{word}: {done['text']}"]
    if verified and not check:
        text.append(f"verified: {owners(verdict)}")
    return Result(artifact, text)


def release(given: Data) -> Result:
    """given: `check`; `plan`, as release_plan returns it; `label`, `rollback`; `troubles`, what ended it; `ended`.

    `verdict`, empty for hosts of no pair.
    """
    plan, check, troubles = given["plan"], bool(given["check"]), [str(trouble) for trouble in given["troubles"]]
    proved = bool(given["ended"]) and not troubles and not check
    nodes = [step["node"] for step in plan["steps"] if step["kind"] in ("activate", "prove")]
    verdict = given["verdict"]
    artifact = {
        "check": check,
        "service": plan["service"],
        "members": plan["nodes"],
        "label": given["label"],
        "rollback": bool(given["rollback"]),
        "released": nodes if proved else [],
        "nothing_due": plan["done"],
        "failures": troubles,
        "verified": proved,
    }
    what = "rollback" if given["rollback"] else "release"
    label = f" {given['label']}" if given["label"] else ""
    word = "Check mode, nothing was changed by the" if check else "Failed:" if troubles else "Done:"
    text = [f"{word} {what}{label} of {plan['service']} on {' + '.join(plan['nodes'])}"]
    if proved:
        text.append(f"proved: {', '.join(nodes) or 'nothing was due'}")
    if verdict:
        text.append(pair_line(verdict))
    text += [f"failed: {trouble}" for trouble in troubles]
    return Result(artifact, text)


def drill(given: Data) -> Result:
    """Before the first fault. given: `check`; `plan`, as drill_plan returns it; `members`."""
    plan, check = given["plan"], bool(given["check"])
    faults = [{"fault": entry["fault"], "node": entry["node"] or entry["role"]} for entry in plan["entries"]]
    artifact = {
        "check": check,
        "result": "planned" if check else "not ended",
        "passed": False,
        "aborted": None,
        "instance": plan["instance"],
        "members": given["members"],
        "faults": [],
        "not_run": faults,
        "report": "",
    }
    return Result(artifact, [*(["Would do:"] if check else []), *plan["text"]])


KINDS: Mapping[str, Callable[[Data], Result]] = {
    "status": status,
    "deploy": deploy,
    "drill": drill,
    "switchover": switchover,
    "release": release,
}
"""By playbook, what makes its result."""
