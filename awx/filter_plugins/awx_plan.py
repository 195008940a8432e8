# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What configure.yml is to do: the arguments of every module call, a line for every object, and every refusal."""

from __future__ import annotations

import difflib
import importlib.util
import re
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible.utils.unsafe_proxy import wrap_var

Entry = dict[str, t.Any]
Objects = dict[str, list[Entry]]
"""By kind, which is the name of its variable in awx/data."""

MARKER = "[duplex.ha_pair]"
"""At the end of a description: this object was made here, and may be changed and removed."""

TITLES: dict[str, str] = {
    "controller_organizations": "organisation",
    "controller_labels": "label",
    "controller_notifications": "notification",
    "controller_credential_types": "credential type",
    "controller_credentials": "credential",
    "controller_execution_environments": "execution environment",
    "controller_projects": "project",
    "controller_inventories": "inventory",
    "controller_inventory_sources": "inventory source",
    "controller_templates": "job template",
    "controller_workflows": "workflow",
    "controller_schedules": "schedule",
}
"""The kinds, in the order in which they need each other."""

BUILT_IN_TYPES = ("Machine", "Vault", "Source Control", "Container Registry")

REFERENCES: Mapping[str, tuple[str, ...]] = {
    "organization": ("controller_organizations",),
    "labels": ("controller_labels",),
    "notification_templates_started": ("controller_notifications",),
    "notification_templates_success": ("controller_notifications",),
    "notification_templates_error": ("controller_notifications",),
    "notification_templates_approvals": ("controller_notifications",),
    "credential_type": ("controller_credential_types",),
    "credential": ("controller_credentials",),
    "credentials": ("controller_credentials",),
    "execution_environment": ("controller_execution_environments",),
    "project": ("controller_projects",),
    "source_project": ("controller_projects",),
    "inventory": ("controller_inventories",),
    "unified_job_template": ("controller_templates", "controller_workflows"),
}
"""Arguments that name another object, and the kinds that it may be of."""

LOOKED_UP: Mapping[str, tuple[str, ...]] = {
    "controller_credential_types": (),
    "controller_execution_environments": (),
    "controller_credentials": ("organization", "credential_type"),
    "controller_inventory_sources": ("organization", "inventory"),
    "controller_schedules": ("organization", "unified_job_template"),
}
"""What a module needs beside the name to find an object, where that is not the organisation alone."""

AWX_OWN = re.compile(
    r"^awx_(execution_node|inventory_(id|name)|job_(id|launch_type|template_id|template_name)|parent_job_\w+"
    r"|project_(revision|scm_branch)|schedule_(id|name)|user_\w+|webhook_(event_guid|event_ref|payload|status_api)\w*"
    r"|workflow_job_\w+)$"
)
"""Variables that AWX gives to its own jobs, of which this playbook may be one."""

EXAMPLE_IMAGE = "registry.example.com/"
PLAYBOOKS = "playbooks"
OPEN_INPUTS = ("username", "host", "verify_ssl", "become_method")
"""Inputs of credentials that are no secret."""
HELPERS = ("ssh_key_unlock", "become_password")
"""Secrets that let nobody in by themselves."""
UNSYNCED = ("failed", "error", "canceled", "missing", "never updated")
"""What a project is in without its playbooks, or with old ones."""
INVENTORY = "inventory"

_URL = re.compile(r"^(https?://[^\s@/]+/\S+|ssh://([^\s:@/]+@)?[^\s@/]+/\S+|[^\s:@/]+@[^\s:@/]+:\S+)$")
_WEB = re.compile(r"^https?://[^\s@/]+(/\S*)?$")
_IMAGE = re.compile(r"^[a-z0-9][a-z0-9._-]*(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})?$")
_START = re.compile(
    r"^DTSTART(;TZID=[A-Za-z_+-]+(/[A-Za-z0-9_+-]+)*:[0-9]{8}T[0-9]{6}|:[0-9]{8}T[0-9]{6}Z) RRULE:(\S+)$"
)
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


@dataclass(frozen=True)
class Environment:
    """What the playbook found around it. check: nothing is to be changed. collection: awx.awx is there."""

    check: bool
    collection: bool
    host: str = ""
    token: bool = False
    user: bool = False
    password: bool = False


@dataclass
class Plan:
    """problems: why nothing is done. lines: for a person. send: arguments of the modules by kind, in their order."""

    problems: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    send: Objects = field(default_factory=dict)

    def refuse(self, place: str, problem: str, cure: str) -> None:
        """Note a problem with its place and its cure."""
        self.problems.append(f"{place}: {problem}; {cure}")


# The settings


def truth(value: object) -> bool | None:
    """The boolean that a word stands for; -e name=value gives words."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _integer(plan: Plan, place: str, value: object, low: int, high: int) -> None:
    word = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]+", word) or not low <= int(word) <= high:
        plan.refuse(place, f"{value!r} is no number from {low} to {high}", f"give {low} to {high}")


def _words(plan: Plan, place: str, value: object, known: Sequence[str]) -> list[str]:
    if not isinstance(value, (list, tuple)):
        plan.refuse(place, f"{value!r} is no list", f"give one, such as [{known[0]}]")
        return []
    for word in value:
        if word not in known:
            close = difflib.get_close_matches(str(word), known, 1)
            cure = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
            plan.refuse(place, f"{word!r} is unknown", cure)
    return [str(word) for word in value]


def _name(plan: Plan, place: str, value: object) -> None:
    text = str(value or "").strip()
    cure = "give a name of 1 to 60 characters that is no number, without ++"
    if not text or len(text) > 60 or "++" in text or text != value:
        plan.refuse(place, f"{value!r} is no name", cure)
    elif text.isdigit():
        plan.refuse(place, f"{value!r} would be taken for the number of an object", cure)


def check_settings(plan: Plan, settings: Mapping[str, t.Any], known: Iterable[str], data: Objects) -> None:
    """Refuse what cannot work in the variables of settings.yml. known: their names."""
    names = sorted(known)
    for name in sorted(settings):
        if name not in names and not AWX_OWN.match(name):
            close = difflib.get_close_matches(name, names, 1)
            cure = f"did you mean {close[0]}?" if close else "awx/settings.yml has those that there are"
            plan.refuse(name, "is unknown", cure)
    if settings["awx_state"] not in ("present", "absent"):
        plan.refuse("awx_state", f"{settings['awx_state']!r} is neither present nor absent", "give one of them")
    for name in ("awx_organization", "awx_prefix"):
        _name(plan, name, settings[name])
    for name in ("awx_update_secrets", "awx_drill_confirm"):
        if truth(settings[name]) is None:
            plan.refuse(name, f"{settings[name]!r} is neither true nor false", "give one of them")
    _integer(plan, "awx_forks", settings["awx_forks"], 0, 1000)
    _integer(plan, "awx_approval_timeout", settings["awx_approval_timeout"], 60, 2592000)
    _words(plan, "awx_credentials", settings["awx_credentials"], credential_words(data, settings))
    if isinstance(settings["awx_credentials"], list) and "machine" not in settings["awx_credentials"]:
        plan.refuse("awx_credentials", "has no machine, without which no job gets on a node", "add machine")
    if not isinstance(settings["awx_instance_groups"], list):
        plan.refuse(
            "awx_instance_groups", f"{settings['awx_instance_groups']!r} is no list", "give one, such as [edge]"
        )
    _check_sources(plan, settings)
    _check_drill(plan, settings, data)
    _check_notifications(plan, settings)


def _check_sources(plan: Plan, settings: Mapping[str, t.Any]) -> None:
    cure = "give one such as https://git.example.com/ha_pair.git or git@git.example.com:ha_pair.git"
    for name in ("awx_git_url", "awx_inventory_git_url"):
        url = str(settings[name] or "")
        if not url and name == "awx_inventory_git_url":
            continue
        if re.match(r"^[a-z]+://[^/]*:[^/]*@", url):
            plan.refuse(name, "has a password in it", "take it out, and export HA_PAIR_AWX_GIT_PASSWORD")
        elif not _URL.match(url):
            plan.refuse(name, f"{url!r} is no URL of a git repository", cure)
    for name in ("awx_git_branch", "awx_inventory_git_branch"):
        if not re.fullmatch(r"[^\s~^:?*\[\\-][^\s~^:?*\[\\]*", str(settings[name] or "")):
            plan.refuse(name, f"{settings[name]!r} is no branch, tag or commit", "give one, such as main")
    path = str(settings["awx_inventory_path"] or "")
    if not path or path.startswith("/") or ".." in path.split("/") or path != path.strip():
        plan.refuse(
            "awx_inventory_path",
            f"{path!r} is no path in a repository",
            "give one such as inventories/nginx_pair/hosts.yml",
        )
    image = str(settings["awx_image"] or "")
    cure = "give the one that ansible-builder made, such as quay.io/your-team/ha-pair-ee:1.0"
    if not _IMAGE.match(image):
        plan.refuse("awx_image", f"{image!r} is no name of an image", cure)
    if "registry" in settings["awx_credentials"] and not settings["awx_registry_host"]:
        plan.refuse("awx_registry_host", "is empty, and awx_credentials has registry", "give it, such as quay.io")


def _check_drill(plan: Plan, settings: Mapping[str, t.Any], data: Objects) -> None:
    rule = str(settings["awx_drill_rrule"] or "")
    found = _START.match(rule)
    cure = "give one such as DTSTART;TZID=Europe/Vienna:20260106T100000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=TU"
    parts = dict(part.partition("=")[::2] for part in found.group(3).split(";")) if found else {}
    if not found:
        plan.refuse("awx_drill_rrule", f"{rule!r} is no DTSTART with a zone and one RRULE", cure)
    elif parts.get("FREQ") not in ("MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
        plan.refuse("awx_drill_rrule", f"FREQ={parts.get('FREQ')} is none that AWX knows", cure)
    elif not re.fullmatch(r"[1-9][0-9]*", parts.get("INTERVAL", "")):
        plan.refuse("awx_drill_rrule", "INTERVAL is missing or no number above 0", cure)
    choices = drill_choices(data)
    faults = _words(plan, "awx_drill_faults", settings["awx_drill_faults"], choices)
    if not faults:
        plan.refuse("awx_drill_faults", "is empty", "name faults, or [all] for all that the pair can do")
    elif "all" in faults and len(faults) > 1:
        plan.refuse("awx_drill_faults", "has all beside others", "give [all], or the others")
    elif "node_reboot" in faults:
        plan.refuse(
            "awx_drill_faults",
            "has node_reboot, which no schedule may do",
            "take it out, and launch Drill for it by hand",
        )


def _check_notifications(plan: Plan, settings: Mapping[str, t.Any]) -> None:
    recipients = settings["awx_email_recipients"]
    if not isinstance(recipients, list) or any("@" not in str(one) for one in recipients):
        plan.refuse(
            "awx_email_recipients", f"{recipients!r} is no list of addresses", "give one, such as [ha@example.com]"
        )
    elif recipients and not settings["awx_email_host"]:
        plan.refuse("awx_email_host", "is empty, and there are recipients", "name the mail server")
    _integer(plan, "awx_email_port", settings["awx_email_port"], 1, 65535)
    if settings["awx_email_encryption"] not in ("none", "tls", "ssl"):
        plan.refuse("awx_email_encryption", f"{settings['awx_email_encryption']!r} is unknown", "give none, tls or ssl")
    url = str(settings["awx_webhook_url"] or "")
    if url and not _WEB.match(url):
        plan.refuse(
            "awx_webhook_url",
            "is no URL without an account in it",
            "give one such as https://chat.example.com/hooks/ha; the account is awx_webhook_user and the password "
            "HA_PAIR_AWX_WEBHOOK_PASSWORD",
        )


# The data


def short(name: str, settings: Mapping[str, t.Any]) -> str:
    """The name without the words that all of them begin with."""
    return name.removeprefix(f"{settings['awx_prefix']}: ")


def credential_words(data: Objects, settings: Mapping[str, t.Any]) -> list[str]:
    """What awx_credentials may have."""
    return [short(entry["name"], settings) for entry in data["controller_credentials"]]


def drill_choices(data: Objects) -> list[str]:
    """The faults that the survey of the drill offers."""
    questions = [
        question
        for entry in data["controller_templates"]
        for question in entry.get("survey_spec", {}).get("spec", [])
        if question["variable"] == "drill_faults"
    ]
    return list(questions[0]["choices"])


def left_out(data: Objects, settings: Mapping[str, t.Any]) -> dict[tuple[str, str], str]:
    """Objects that these settings do without, with the reason."""
    wanted = settings["awx_credentials"]
    found: dict[tuple[str, str], str] = {}
    used = set()
    for entry in data["controller_credentials"]:
        if short(entry["name"], settings) in wanted:
            used.add(entry["credential_type"])
        else:
            reason = f"awx_credentials has no {short(entry['name'], settings)}"
            found["controller_credentials", entry["name"]] = reason
    for entry in data["controller_credential_types"]:
        if entry["name"] not in used:
            found["controller_credential_types", entry["name"]] = "no credential is of it"
    for entry in data["controller_notifications"]:
        setting = "awx_email_recipients" if entry["notification_type"] == "email" else "awx_webhook_url"
        if not settings[setting]:
            found["controller_notifications", entry["name"]] = f"{setting} is empty"
    if not settings["awx_inventory_git_url"]:
        second = f"{settings['awx_prefix']}: {INVENTORY}"
        found["controller_projects", second] = "awx_inventory_git_url is empty"
    return found


def named(entry: Mapping[str, t.Any]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Every object that this one needs: by which argument, of which kinds, and its name."""
    for argument, kinds in REFERENCES.items():
        given = entry.get(argument)
        if not isinstance(given, Mapping):
            for name in [given] if isinstance(given, str) else given or []:
                yield argument, kinds, name
    for node in entry.get("workflow_nodes", []):
        template = node["unified_job_template"]
        if template["type"] != "workflow_approval":
            kind = "controller_workflows" if template["type"] == "workflow_job_template" else "controller_templates"
            yield "workflow_nodes", (kind,), template["name"]


def check_data(plan: Plan, data: Objects) -> None:
    """Refuse names that are there twice, and references to objects that are not there at all."""
    names = {kind: [entry["name"] for entry in entries] for kind, entries in data.items()}
    for kind, found in names.items():
        for name in sorted({name for name in found if found.count(name) > 1}):
            plan.refuse(f"{kind}: {name}", "is there twice", "give one of them another name")
    names["controller_credential_types"] = [*names["controller_credential_types"], *BUILT_IN_TYPES]
    for kind, entries in data.items():
        for entry in entries:
            for argument, kinds, name in named(entry):
                if not any(name in names[other] for other in kinds):
                    where = " or ".join(f"awx/data/{other.removeprefix('controller_')}.yml" for other in kinds)
                    plan.refuse(
                        f"{kind}: {entry['name']}.{argument}", f"{name!r} is not in the data", f"add it to {where}"
                    )


def arguments(kind: str, entry: Mapping[str, t.Any], out: Mapping[tuple[str, str], str]) -> Entry:
    """The entry as the module takes it: without references to what is left out, numbers as numbers, and marked."""
    made = dict(entry)
    for argument, kinds in REFERENCES.items():
        given = made.get(argument)
        if isinstance(given, list):
            made[argument] = [name for name in given if not any((other, name) in out for other in kinds)]
        elif isinstance(given, str) and any((other, given) in out for other in kinds):
            del made[argument]
    if "forks" in made:
        made["forks"] = int(made["forks"])
    if "enabled" in made:
        made["enabled"] = bool(truth(made["enabled"]))
    if kind == "controller_notifications":
        configuration = dict(made["notification_configuration"])
        for key in ("use_tls", "use_ssl"):
            if key in configuration:
                configuration[key] = bool(truth(configuration[key]))
        if "port" in configuration:
            configuration["port"] = int(configuration["port"])
        made["notification_configuration"] = configuration
    if "workflow_nodes" in made:
        made["workflow_nodes"] = [_node(node) for node in made["workflow_nodes"]]
    if "description" in made:
        made["description"] = f"{made['description']} {MARKER}"
    return {**made, "state": "present"}


def _node(node: Mapping[str, t.Any]) -> Entry:
    template = dict(node["unified_job_template"])
    if "timeout" in template:
        template["timeout"] = int(template["timeout"])
    return {**node, "unified_job_template": template}


def secret_variable(name: str, argument: str) -> str:
    """The environment variable of a credential's secret: the credential's short name and the input's, once."""
    words = argument if argument.startswith(f"{name}_") else f"{name}_{argument}"
    return f"HA_PAIR_AWX_{words.upper()}"


def secret_inputs(entry: Mapping[str, t.Any]) -> list[str]:
    """The inputs of a credential that come from the environment."""
    return [name for name in entry["inputs"] if name not in OPEN_INPUTS]


# What is there already


def match(kind: str, entry: Mapping[str, t.Any], found: Objects) -> Entry | None:
    """The object that AWX has under this name."""
    for other in found.get(kind, []):
        if other["name"] != entry["name"] or other.get("pending_deletion"):
            continue
        summary = other.get("summary_fields", {})
        if kind == "controller_schedules":
            templates = {
                there["id"]
                for template in ("controller_templates", "controller_workflows")
                for there in found.get(template, [])
                if there["name"] == entry["unified_job_template"] and _organization(there) == entry["organization"]
            }
            if other["unified_job_template"] not in templates:
                continue
        # The names of these are unique in all of AWX.
        elif kind not in (
            "controller_organizations",
            "controller_credential_types",
            "controller_execution_environments",
        ):
            if _organization(other) != entry["organization"]:
                continue
            if kind == "controller_inventory_sources" and summary["inventory"]["name"] != entry["inventory"]:
                continue
        return other
    return None


def _organization(there: Mapping[str, t.Any]) -> str | None:
    return t.cast("str | None", there.get("summary_fields", {}).get("organization", {}).get("name"))


def elsewhere(entry: Mapping[str, t.Any], there: Mapping[str, t.Any]) -> bool:
    """Whether an object whose name is unique in all of AWX is of another organisation, and so of another set-up."""
    return _organization(there) not in (None, entry["organization"])


def is_ours(kind: str, there: Mapping[str, t.Any]) -> bool:
    """Whether it was made here; a label says nothing of itself, and is only ever made where it was missing."""
    return kind == "controller_labels" or str(there.get("description") or "").endswith(MARKER)


def same_notification(made: Mapping[str, t.Any], there: Mapping[str, t.Any]) -> bool:
    """Whether AWX has this notification already, as far as it shows: the module would always write it anew."""
    given = {key: value for key, value in made["notification_configuration"].items() if key != "password"}
    shown = {key: value for key, value in there["notification_configuration"].items() if key != "password"}
    wanted = (given, made["notification_type"], made["description"])
    return wanted == (shown, there.get("notification_type"), there.get("description"))


def without_settled_approvals(made: Entry, there: Mapping[str, t.Any], found: Objects) -> Entry:
    """The workflow without the approvals that AWX has as they are: the module calls each of them a change."""
    nodes = {
        node["identifier"]: node
        for node in found.get("workflow_nodes", [])
        if node["workflow_job_template"] == there["id"]
    }
    approvals = {approval["id"]: approval for approval in found.get("approvals", [])}
    settled = []
    for node in made["workflow_nodes"]:
        wanted = node["unified_job_template"]
        other = nodes.get(node["identifier"])
        approval = approvals.get(other["unified_job_template"]) if other else None
        if wanted["type"] != "workflow_approval" or other is None or approval is None:
            continue
        after = [link["identifier"] for link in node.get("related", {}).get("success_nodes", [])]
        linked = sorted(other["success_nodes"]) == sorted(nodes[name]["id"] for name in after if name in nodes)
        if linked and all(approval[key] == wanted[key] for key in ("name", "description", "timeout")):
            settled.append(node["identifier"])
    return {**made, "workflow_nodes": [node for node in made["workflow_nodes"] if node["identifier"] not in settled]}


def describe(kind: str, entry: Mapping[str, t.Any]) -> str:
    """What is worth knowing of it before it is there."""
    survey = entry.get("survey_spec", {}).get("spec", [])
    asks = [f"asks {', '.join(question['variable'] for question in survey)}"] if survey else []
    words: list[str] = []
    if kind == "controller_templates":
        check = "check mode" if entry["job_type"] == "check" else ""
        words = [entry["playbook"], check, *asks]
    elif kind == "controller_workflows":
        words = [" -> ".join(node["identifier"] for node in entry["workflow_nodes"]), *asks]
    elif kind == "controller_schedules":
        words = [entry["rrule"], "on" if entry["enabled"] else "off: awx_drill_confirm is not true"]
    elif kind == "controller_projects":
        words = [f"{entry['scm_url']} {entry['scm_branch']}"]
    elif kind == "controller_inventory_sources":
        words = [f"{entry['source_path']} of {entry['source_project']}"]
    elif kind == "controller_execution_environments":
        words = [entry["image"]]
    elif kind == "controller_credentials":
        words = [entry["credential_type"]]
    elif kind == "controller_credential_types":
        words = [f"gives {', '.join(entry['injectors']['extra_vars'])}"]
    elif kind == "controller_notifications":
        configuration = entry["notification_configuration"]
        words = [", ".join(configuration["recipients"]) if "recipients" in configuration else "POST"]
    text = ", ".join(word for word in words if word)
    return f" ({text})" if text else ""


def _line(word: str, kind: str, name: str, more: str = "") -> str:
    return f"{word:<9} {TITLES[kind]:<21} {name}{more}"


# The plan


def prepare(
    plan: Plan, data: Objects, settings: Mapping[str, t.Any], around: Environment, found: Objects | None
) -> None:
    """What is to be sent so that AWX has it all. found: what it has; None without a controller."""
    out = left_out(data, settings)
    groups = [there["name"] for there in (found or {}).get("instance_groups", [])]
    for name in settings["awx_instance_groups"] if found is not None else ():
        if name not in groups:
            known = f"known are {', '.join(groups)}" if groups else "AWX has none"
            plan.refuse("awx_instance_groups", f"{name!r} is not in AWX", f"make it there, or name another; {known}")
    again = bool(truth(settings["awx_update_secrets"]))
    for kind, title in TITLES.items():
        plan.send[kind] = []
        for entry in data[kind]:
            if (kind, entry["name"]) in out:
                plan.lines.append(_line("leave out", kind, entry["name"], f" ({out[kind, entry['name']]})"))
                continue
            made = arguments(kind, entry, out)
            there = match(kind, entry, found or {})
            if kind == "controller_organizations" and there is not None and not is_ours(kind, there):
                plan.lines.append(_line("use", kind, entry["name"], " (was there before)"))
                continue
            if there is not None and not is_ours(kind, there):
                plan.refuse(
                    f"{title} {entry['name']}",
                    "is in AWX already, and was not made by this playbook",
                    "give another awx_prefix, or remove or rename it in AWX",
                )
                continue
            if kind == "controller_execution_environments" and there is not None and elsewhere(entry, there):
                plan.refuse(
                    f"{title} {entry['name']}",
                    f"is of the organisation {_organization(there)} already, and AWX has its name once",
                    f"give another awx_prefix, or remove that one: -e 'awx_organization={_organization(there)}' "
                    "-e awx_state=absent",
                )
                continue
            if kind == "controller_credentials":
                _credential(plan, made, there, settings, around, again)
            word = "create" if there is None else "keep"
            plan.lines.append(_line(word, kind, entry["name"], describe(kind, made)))
            if kind == "controller_notifications" and there and not again:
                if same_notification(made, there):
                    continue
                configuration = made["notification_configuration"]
                if not configuration["password"]:
                    configuration["password"] = there["notification_configuration"].get("password") or ""
            if kind == "controller_projects" and there and there.get("status") in UNSYNCED:
                # The module waits for the synchronisation that a change starts, and here nothing has to be changed.
                made["update_project"] = True
            if kind == "controller_workflows" and there and found:
                made = without_settled_approvals(made, there, found)
            if around.check and not _can_be_tried(made, data, found or {}):
                continue
            plan.send[kind].append(made)


def _credential(
    plan: Plan,
    made: Entry,
    there: Mapping[str, t.Any] | None,
    settings: Mapping[str, t.Any],
    around: Environment,
    again: bool,
) -> None:
    """Secrets are written when the credential is made, and when it is said; else only what is no secret."""
    name = short(made["name"], settings)
    secrets = secret_inputs(made)
    inputs = {key: value for key, value in made["inputs"].items() if value not in ("", None)}
    for key in ("ssh_key_data",):
        if key in inputs:
            inputs[key] = inputs[key].rstrip("\n") + "\n"
    made["update_secrets"] = again
    if there is not None and not again:
        # AWX shows $encrypted$ in place of a secret; written back it leaves the secret as it is.
        kept = {key: value for key, value in there.get("inputs", {}).items() if key not in OPEN_INPUTS}
        made["inputs"] = {**kept, **{key: value for key, value in inputs.items() if key in OPEN_INPUTS}}
        return
    made["inputs"] = inputs
    if not around.check and not any(key in inputs for key in secrets if key not in HELPERS):
        variables = " or ".join(secret_variable(name, key) for key in secrets if key not in HELPERS)
        plan.refuse(
            f"credential {made['name']}",
            "there is no secret for it in the environment",
            f"export {variables}, or take {name} out of awx_credentials",
        )


def _can_be_tried(made: Mapping[str, t.Any], data: Objects, found: Objects) -> bool:
    """Whether a module in check mode finds what the object needs: what would be made before it is not there."""
    for argument, kinds, name in named(made):
        if argument == "credential_type" and name in BUILT_IN_TYPES:
            continue
        needed = [(kind, entry) for kind in kinds for entry in data[kind] if entry["name"] == name]
        if not any(match(kind, entry, found) for kind, entry in needed):
            return False
    return True


def credentials_of(there: Mapping[str, t.Any], found: Objects, gone: Iterable[int]) -> list[str]:
    """The credentials of this type that stay: AWX removes no type that is in use."""
    return [
        f"credential {other['name']}"
        for other in found.get("controller_credentials", [])
        if other["credential_type"] == there["id"] and other["id"] not in gone
    ]


def remove(plan: Plan, data: Objects, found: Objects, contents: Mapping[str, Sequence[Entry]]) -> None:
    """What is to be sent so that nothing is left of what was made here.

    contents: all that the organisation holds, by what it is.
    """
    going: set[tuple[str, str]] = set()
    gone: set[int] = set()
    for kind, title in reversed(TITLES.items()):
        plan.send[kind] = []
        for entry in reversed(data[kind]):
            there = match(kind, entry, found)
            if there is None:
                continue
            name = entry["name"]
            held = [
                f"{what} {other['name']}"
                for what, others in contents.items()
                for other in others
                if (what, other["name"]) not in going and not other.get("pending_deletion")
            ]
            if kind == "controller_labels":
                plan.lines.append(_line("leave", kind, name, " (AWX removes it with the last job that bears it)"))
            elif not is_ours(kind, there):
                plan.lines.append(_line("leave", kind, name, " (was not made here)"))
            elif kind == "controller_execution_environments" and elsewhere(entry, there):
                plan.lines.append(_line("leave", kind, name, f" (is of the organisation {_organization(there)})"))
            elif kind == "controller_credential_types" and (users := credentials_of(there, found, gone)):
                plan.lines.append(_line("leave", kind, name, f" (of it is {', '.join(users)})"))
            elif kind == "controller_organizations" and held:
                plan.lines.append(_line("leave", kind, name, f" (holds {', '.join(held)})"))
            else:
                going.add((title, name))
                if kind == "controller_credentials":
                    gone.add(there["id"])
                plan.lines.append(_line("remove", kind, name))
                keys = LOOKED_UP.get(kind, ("organization",))
                plan.send[kind].append(
                    {"name": name, **{key: entry[key] for key in keys if key in entry}, "state": "absent"}
                )
    if not plan.lines:
        plan.lines.append("nothing of it is there")


def check_controller(plan: Plan, settings: Mapping[str, t.Any], around: Environment) -> None:
    """Refuse to begin without a controller, except where only the plan is asked for."""
    example = "export it, such as CONTROLLER_HOST=https://awx.example.com"
    if not around.host and not (around.check and settings["awx_state"] == "present"):
        plan.refuse("CONTROLLER_HOST", "is not in the environment", example)
    if "@" in around.host:
        plan.refuse("CONTROLLER_HOST", "has an account in it", f"take it out: {example}")
    elif around.host and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", around.host):
        plan.refuse("CONTROLLER_HOST", f"{around.host!r} is no URL", example)
    if around.host and not (around.token or (around.user and around.password)):
        plan.refuse(
            "CONTROLLER_OAUTH_TOKEN",
            "is not in the environment",
            "export a token of an administrator, or CONTROLLER_USERNAME and CONTROLLER_PASSWORD",
        )
    if around.host and not around.collection:
        plan.refuse(
            "awx.awx",
            "this collection is not installed (ansible has it up to 13)",
            "install it: ansible-galaxy collection install awx.awx",
        )
    image = str(settings["awx_image"] or "")
    if image.startswith(EXAMPLE_IMAGE) and not around.check and settings["awx_state"] == "present":
        plan.refuse(
            "awx_image",
            f"{image!r} is the example",
            "name the image that ansible-builder made of execution-environment.yml, see docs/awx.md",
        )


def is_installed(package: str) -> bool:
    """Whether Python finds it; where what it is in is missing as well, it is an exception that says so."""
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def plain(value: t.Any) -> t.Any:
    """Dictionaries and lists as Python has them: Ansible's own template what is in them when it is looked at."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def awx_plan(
    settings: Mapping[str, t.Any],
    known: Sequence[str],
    data: Objects,
    environment: Mapping[str, t.Any],
    found: Objects | None = None,
    contents: Mapping[str, Sequence[Entry]] | None = None,
) -> t.Any:
    """The filter: `{problems, lines, order, send}`, none of which is to be templated again.

    known: names of settings. found, contents: what the controller has. order: the kinds of which something is sent.
    """
    settings, data, found, contents = plain(settings), plain(data), plain(found), plain(contents)
    plan = Plan()
    around = Environment(
        check=bool(truth(environment["check"])),
        collection=is_installed("ansible_collections.awx.awx"),
        host=str(environment["host"]),
        token=bool(truth(environment["token"])),
        user=bool(truth(environment["user"])),
        password=bool(truth(environment["password"])),
    )
    check_settings(plan, settings, known, data)
    check_controller(plan, settings, around)
    if not plan.problems:
        check_data(plan, data)
    if not plan.problems and (found is not None or not around.host):
        if settings["awx_state"] == "present":
            prepare(plan, data, settings, around, found)
        else:
            remove(plan, data, found or {}, contents or {})
    order = [kind for kind, objects in plan.send.items() if objects]
    return wrap_var({"problems": plan.problems, "lines": plan.lines, "order": order, "send": plan.send})


def awx_refusals(results: Sequence[Mapping[str, t.Any]], title: str) -> list[str]:
    """The filter: what AWX did not take, without its words, which quote the beginning of a key."""
    said = []
    for result in plain(results):
        # A module that did its work has no message.
        if "msg" not in result:
            continue
        entry = result["__awx_object"]
        fields = re.findall(r"['\"]([a-z_]+)['\"]: \[", str(result["msg"]))
        cure = "look at awx_email_* and awx_webhook_* (awx/settings.yml)"
        if title == "credential":
            name = entry["name"].rpartition(": ")[2]
            secrets = [key for key in entry.get("inputs", {}) if key not in OPEN_INPUTS]
            variables = [secret_variable(name, key) for key in secrets if key in fields or not fields]
            cure = f"look at {' and '.join(variables) or 'the settings of it'} (docs/awx.md)"
        which = f" ({', '.join(fields)})" if fields else ""
        said.append(
            f"{title} {entry['name']}: AWX did not take it{which}; what it said is hidden, because it may quote the "
            f"secret; {cure}"
        )
    return said


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Filters by name."""
        return {"awx_plan": awx_plan, "awx_refusals": awx_refusals}
