# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a drill is to do: every fault with its expectation, or why it is refused or left out."""

from __future__ import annotations

import math
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from ansible_collections.duplex.ha_pair.plugins.plugin_utils._problems import InputError, Reader, nearest
from ansible_collections.duplex.ha_pair.plugins.plugin_utils._version import VERSION

from .catalogue import BY_NAME, FAULTS, HANDOVER, NOTICED, Fault, by_agent, silence
from .results import ANY, CONFLICT, EXPECTATIONS, RETURNS, STAYS

OVERHEAD = 16.0
"""Seconds that a fault takes beside waiting, on a small machine: audits, starting and stopping the probe."""

CUSTOM = "custom"
ROLES = ("owner", "standby")

_KEYS = ("fault", "target", "rto_seconds", "lasts_seconds", "service", "path", "size", "quota")
_CUSTOM_KEYS = (
    "fault",
    "name",
    "target",
    "inject",
    "mend",
    "expect",
    "rto_seconds",
    "lasts_seconds",
    "two_owners_seconds",
)


@dataclass(frozen=True)
class Entry:
    """One fault of this drill. Durations in seconds.

    role: `owner`, `standby` or `third`; node: the member by name when one was named, else found at that moment.
    expect, expect_standby: where the target owns the VIP, or it is a third machine, and where it does not.
    restore_after: when the dead-man restores by itself. arguments: of the module drill_fault.
    """

    number: int
    fault: str
    title: str
    where: str
    role: str
    node: str | None
    expect: dict[str, t.Any]
    expect_standby: dict[str, t.Any]
    lasts: float
    cuts: bool
    alone: bool
    restore_after: int
    arguments: dict[str, t.Any]


def build(
    pair: Mapping[str, t.Any],
    given: object,
    instance: str,
    facilities: Mapping[str, t.Any],
    checks: Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """What will be done, what is left out and why, and for how many seconds it takes.

    `{collection_version, instance, settings, vips, entries, skipped, estimate, text}`.

    pair: as pair_inventory describes it. instance: the one that is drilled, empty for the only one.
    given: the list of faults as the user wrote it; names, dictionaries, or empty for all.
    facilities: `check` (path of the check script or empty), `third` (a host outside the
    pair or empty), `power` (commands by name), `reboot`, `disk_path`, `rto_seconds` (None or for all), `restore_after`.
    checks: by host what the module drill_fault said of each fault (`state: checked`), as a loop registered it.
    Raises InputError with all problems: a fault that was named and cannot be done is an error, one of `all` is skipped.
    """
    reader = Reader()
    place = "drill_faults"
    chosen = _instance(pair, instance, reader)
    reader.finish()
    pair = {**pair, "instance": chosen}
    settings = pair["settings"][chosen]
    facilities = {**facilities, "services": settings["services"], "mounts": settings["mounts"]}
    if given is None or given == "" or given == [] or given == "all":
        wanted: list[t.Any] = [fault.name for fault in FAULTS]
        named = False
    else:
        words = [word.strip() for word in given.replace("\n", ",").split(",")] if isinstance(given, str) else given
        cure = "give a list such as [service_stop, {fault: link_down, target: standby}], or leave it out for all"
        wanted = [word for word in reader.sequence(place, words, cure) or [] if word != ""]
        named = True
    facilities = {**facilities, "rto_seconds": _rto("drill_rto_seconds", facilities.get("rto_seconds"), reader)}
    entries: list[Entry] = []
    skipped: list[dict[str, str]] = []
    for index, item in enumerate(wanted):
        here = f"{place}[{index}]"
        options = item if isinstance(item, Mapping) else {"fault": item}
        entry = _read(here, options, pair, facilities, reader)
        if entry is None:
            continue
        reason = _missing(entry, facilities) or _refused_by_host(entry, pair, facilities, checks or {})
        if reason is None:
            entries.append(replace(entry, number=len(entries) + 1))
        elif named:
            reader.refuse(here, f"{entry.fault} cannot be done: {reason}", "leave it out, or provide what it needs")
        else:
            skipped.append({"fault": entry.fault, "target": entry.node or entry.role, "reason": reason})
    reader.finish()
    estimate = round(sum(_duration(entry, settings) for entry in entries))
    return {
        "collection_version": VERSION,
        "instance": chosen,
        "settings": settings,
        "vips": pair["instances"][chosen],
        "entries": [asdict(entry) for entry in entries],
        "skipped": skipped,
        "estimate": estimate,
        "text": _text(pair, chosen, entries, skipped, estimate),
    }


def _instance(pair: Mapping[str, t.Any], instance: str, reader: Reader) -> str:
    known: list[str] = list(pair["instances"])
    if instance in known:
        return instance
    if instance:
        close = nearest(instance, known)
        cure = f"did you mean {close!r}?" if close else f"known are {', '.join(known)}"
        reader.refuse("drill_instance", f"{instance!r} is no instance of {' + '.join(pair['members'])}", cure)
    elif len(known) > 1:
        reader.refuse(
            "drill_instance", f"is not given, and the pair has {', '.join(known)}", "name the one whose VIP is probed"
        )
    return known[0]


def _text(
    pair: Mapping[str, t.Any],
    instance: str,
    entries: Sequence[Entry],
    skipped: Sequence[Mapping[str, str]],
    seconds: int,
) -> list[str]:
    """The plan as lines for a person."""
    lines = [
        f"{' + '.join(pair['members'])}, instance {instance}, VIP {pair['instances'][instance][0]}: {len(entries)} "
        f"faults, about {max(1, round(seconds / 60))} min"
    ]
    for entry in entries:
        where = entry.node or entry.role
        rto = entry.expect["rto_seconds"]
        limit = "no limit for clients" if rto is None else f"no answer for {rto:g} s at most"
        lines.append(f"{entry.number:3}. {entry.title} ({entry.fault}) on {where}: VIP {entry.expect['vip']}, {limit}")
    lines += [f"     left out: {left['fault']}: {left['reason']}" for left in skipped]
    return lines


def _duration(entry: Entry, settings: Mapping[str, t.Any]) -> float:
    return OVERHEAD + entry.lasts + float(settings["preempt_delay"]) + float(settings["master_down_interval"])


def _rto(place: str, value: object, reader: Reader) -> float | None:
    if value is None or value == "":
        return None
    return _positive(place, value, reader)


def _positive(place: str, value: object, reader: Reader) -> float | None:
    cure = "give seconds above 0, such as 0.5"
    seconds = reader.seconds(place, value, 0, 3600, cure)
    if seconds == 0:
        reader.refuse(place, "0 is not positive, and no client waits for less than nothing", cure)
        return None
    return seconds


def _read(
    here: str, options: Mapping[str, t.Any], pair: Mapping[str, t.Any], facilities: Mapping[str, t.Any], reader: Reader
) -> Entry | None:
    name = options.get("fault")
    if name == CUSTOM or (name is None and "inject" in options):
        return _custom(here, options, pair, facilities, reader)
    fault = BY_NAME.get(name) if isinstance(name, str) else None
    if fault is None:
        close = nearest(str(name), BY_NAME)
        cure = f"did you mean {close!r}?" if close else f"known are {', '.join(BY_NAME)}, {CUSTOM}"
        reader.refuse(here, f"{name!r} is no fault", cure)
        return None
    reader.keys(here, options, _KEYS)
    role, node = _target(here, options, pair, fault.where, reader)
    settings = pair["settings"][pair["instance"]]
    lasts = fault.lasts
    if "lasts_seconds" in options:
        lasts = reader.seconds(f"{here}.lasts_seconds", options["lasts_seconds"], 0, 600, "give 0 to 600") or 0.0
    own = _rto(f"{here}.rto_seconds", options.get("rto_seconds"), reader)
    # A limit for all faults is not meant for one that has none.
    rto = own or (None if fault.rto is None else facilities["rto_seconds"])
    service = ""
    if "service" in fault.needs or "service" in options:
        service = str(options.get("service") or next(iter(facilities["services"]), ""))
    fault = by_agent(fault, settings, service.removesuffix(".service"))
    expect = _expectation(fault, settings, rto, lasts)
    quiet = expect if fault.vip == CONFLICT else {**expect, "vip": STAYS, "rto_seconds": rto or NOTICED}
    needed = _needed(lasts, expect["rto_seconds"])
    # Where only the dead-man can mend it, nobody is to wait for him longer than needed.
    restore_after = needed if fault.cuts else max(needed, int(facilities["restore_after"]))
    arguments = {**fault.options, **{key: options[key] for key in ("path", "size", "quota") if key in options}}
    if "service" in fault.needs or "service" in options:
        arguments["service"] = service if not service or "." in service else f"{service}.service"
    if fault.name == "check_hang":
        arguments["path"] = options.get("path") or facilities["check"]
    if "mount" in fault.needs:
        arguments["path"] = options.get("path") or next(iter(settings["mounts"]), "")
    if fault.name == "disk_full":
        arguments["path"] = options.get("path") or facilities["disk_path"]
        if facilities["services"]:
            arguments.setdefault("service", f"{next(iter(facilities['services']))}.service")
    return Entry(
        number=0,
        fault=fault.name,
        title=fault.title,
        where=fault.where,
        role=role,
        node=node,
        expect=expect,
        expect_standby=quiet,
        lasts=lasts,
        cuts=fault.cuts,
        alone=fault.alone,
        restore_after=restore_after,
        arguments=arguments,
    )


def _target(
    here: str, options: Mapping[str, t.Any], pair: Mapping[str, t.Any], where: str, reader: Reader
) -> tuple[str, str | None]:
    """(role, name of the member or None when the role decides)."""
    members = [str(member) for member in pair["members"]]
    given = options.get("target", "third" if where == "third" else "owner")
    if where == "third":
        if given != "third":
            reader.refuse(f"{here}.target", f"{given!r}: this fault is for a machine outside the pair", "leave it out")
        return "third", None
    if where == "switchover" and given != "owner":
        reader.refuse(f"{here}.target", f"{given!r}: a switchover begins with the owner", "leave it out")
        return "owner", None
    if given in ROLES:
        return str(given), None
    if given in members:
        return "owner", str(given)
    names = [*ROLES, *members]
    close = nearest(str(given), names)
    cure = f"did you mean {close!r}?" if close else f"give one of {', '.join(names)}"
    reader.refuse(f"{here}.target", f"{given!r} is neither a role nor a member of the pair", cure)
    return "owner", None


def _needed(lasts: float, rto: float | None) -> int:
    """Seconds before which no dead-man may come: as long as the fault lasts, with what the drill needs beside it."""
    return math.ceil(lasts + (rto or 0.0) + 2 * OVERHEAD)


def _expectation(fault: Fault, settings: Mapping[str, t.Any], rto: float | None, lasts: float) -> dict[str, t.Any]:
    limit = rto or (None if fault.rto is None else fault.rto(settings))
    # As long as the fault lasts, with what the drill needs beside it.
    as_long = round(lasts + (limit or 0.0) + OVERHEAD + 30, 3)
    return {
        # Where nobody is preferred it may come back, and need not.
        "vip": ANY if fault.vip == RETURNS and settings["preferred"] is None else fault.vip,
        "rto_seconds": limit,
        "two_owners_seconds": as_long if fault.two_owners is None else fault.two_owners(settings),
        "note": fault.note,
    }


def _custom(
    here: str, options: Mapping[str, t.Any], pair: Mapping[str, t.Any], facilities: Mapping[str, t.Any], reader: Reader
) -> Entry:
    """A fault of the user's: shell commands that break and mend."""
    reader.keys(here, options, _CUSTOM_KEYS)
    commands = {}
    for key in ("inject", "mend"):
        value = options.get(key)
        cure = f"give a list of shell commands, such as {key}: ['systemctl {'stop' if key == 'inject' else 'start'} x']"
        found = reader.sequence(f"{here}.{key}", [value] if isinstance(value, str) else value, cure)
        commands[key] = [text for word in found or [] if (text := reader.text(f"{here}.{key}", word, cure))]
        if found is not None and not found:
            reader.refuse(f"{here}.{key}", "is empty", cure)
    role, node = _target(here, options, pair, "node", reader)
    vip = options.get("expect", STAYS)
    vip = reader.choice(f"{here}.expect", vip, EXPECTATIONS, "give one of them") or STAYS
    settings = pair["settings"][pair["instance"]]
    rto = _rto(f"{here}.rto_seconds", options.get("rto_seconds"), reader) or facilities["rto_seconds"]
    lasts = reader.seconds(f"{here}.lasts_seconds", options.get("lasts_seconds", 3), 0, 600, "give 0 to 600")
    two = options.get("two_owners_seconds", HANDOVER)
    two = reader.seconds(f"{here}.two_owners_seconds", two, 0, 3600, "give seconds, 0 for at most one owner")
    title = str(options.get("name") or "custom fault")
    limit = rto or silence(settings)
    expect = {"vip": vip, "rto_seconds": limit, "two_owners_seconds": two, "note": ""}
    return Entry(
        number=0,
        fault=CUSTOM,
        title=title,
        where="node",
        role=role,
        node=node,
        expect=expect,
        # The user says what is to happen, wherever it is done.
        expect_standby=expect,
        lasts=lasts or 0.0,
        cuts=False,
        alone=False,
        restore_after=max(_needed(lasts or 0.0, limit), int(facilities["restore_after"])),
        arguments=commands,
    )


def resolve(entry: Mapping[str, t.Any], verdict: Mapping[str, t.Any], instance: str, third: str) -> dict[str, t.Any]:
    """The entry with what is known only at its turn: `owner`, `node` that is hit, `peer`, `role`, `expect`.

    verdict: of the audit before it; its members, and who owns the instance.
    """
    members = [str(member) for member in verdict["members"]]
    owner = next((str(vip["owner"]) for vip in verdict["vips"] if vip["instance"] == instance and vip["owner"]), None)
    if owner is None:
        reader = Reader()
        reader.refuse(" + ".join(members), f"nobody owns {instance} for certain", "mend that first, then drill again")
        raise InputError(reader.problems)
    standby = next(member for member in members if member != owner)
    node = entry["node"] or {"owner": owner, "standby": standby, "third": third}[entry["role"]]
    role = "owner" if node == owner else "standby" if node == standby else "third"
    return {
        **entry,
        "owner": owner,
        "node": node,
        "peer": owner if role == "standby" else standby,
        "role": role,
        "expect": entry["expect_standby" if role == "standby" else "expect"],
    }


def _missing(entry: Entry, facilities: Mapping[str, t.Any]) -> str | None:
    """Why the drill as it is set up cannot do it, or None."""
    fault = BY_NAME.get(entry.fault)
    if fault is None:
        return None
    if fault.where == "third" and not facilities["third"]:
        return "there is no third machine (an observer that is not the controller)"
    if fault.where == "power":
        power = facilities["power"] or {}
        absent = [word for word in fault.needs if not power.get(word)]
        return f"failover_drill_power has no command for {' and '.join(absent)}" if absent else None
    if fault.where == "reboot":
        return None if facilities["reboot"] else "rebooting is off unless asked for (drill_reboot=true)"
    if "service" in fault.needs and not entry.arguments.get("service"):
        return "the instance tracks no service"
    if "check" in fault.needs and not entry.arguments.get("path"):
        return "the instance has no check script"
    if "mount" in fault.needs and entry.arguments["path"] not in facilities["mounts"]:
        watched = f"{entry.arguments['path']}, so nothing would move the VIP" if entry.arguments["path"] else "storage"
        return f"no witness of the instance watches {watched}"
    return None


def _refused_by_host(
    entry: Entry,
    pair: Mapping[str, t.Any],
    facilities: Mapping[str, t.Any],
    checks: Mapping[str, t.Any],
) -> str | None:
    """Why a host that it may hit cannot do it, or None."""
    if entry.where not in ("node", "third"):
        return None
    hosts: Sequence[str] = [facilities["third"]] if entry.where == "third" else [entry.node] if entry.node else []
    for host in hosts or [str(member) for member in pair["members"]]:
        for answer in (checks.get(host) or {}).get("results", []):
            asked = (answer.get("invocation") or {}).get("module_args") or {}
            if asked.get("fault") == entry.fault and not answer.get("supported", True):
                return f"{host}: {answer['reason']}"
    return None
