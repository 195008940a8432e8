# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of AWX's API as the modules of awx.awx need to make, change and remove objects; in memory, on loopback."""

from __future__ import annotations

import json
import threading
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

TOKEN = "an-administrators-token"
PAGE = 4
"""Objects on a page: few, so that whoever reads only the first one is found out."""

TYPES = {
    "organizations": "organization",
    "labels": "label",
    "notification_templates": "notification_template",
    "credential_types": "credential_type",
    "credentials": "credential",
    "execution_environments": "execution_environment",
    "projects": "project",
    "inventories": "inventory",
    "inventory_sources": "inventory_source",
    "job_templates": "job_template",
    "workflow_job_templates": "workflow_job_template",
    "workflow_job_template_nodes": "workflow_job_template_node",
    "workflow_approval_templates": "workflow_approval_template",
    "schedules": "schedule",
    "instance_groups": "instance_group",
    "teams": "team",
    "applications": "o_auth2_application",
}
UNIFIED = ("projects", "inventory_sources", "job_templates", "workflow_job_templates")
FOREIGN = {
    "organization": ("organizations",),
    "inventory": ("inventories",),
    "credential_type": ("credential_types",),
    "credential": ("credentials",),
    "execution_environment": ("execution_environments",),
    "project": ("projects",),
    "source_project": ("projects",),
    "workflow_job_template": ("workflow_job_templates",),
    "unified_job_template": (*UNIFIED, "workflow_approval_templates"),
}
ASSOCIATIONS = (
    "credentials",
    "galaxy_credentials",
    "instance_groups",
    "labels",
    "success_nodes",
    "failure_nodes",
    "always_nodes",
    "notification_templates_started",
    "notification_templates_success",
    "notification_templates_error",
    "notification_templates_approvals",
)
HIDDEN = "$encrypted$"
# Fields that AWX answers with although nobody gave them.
DEFAULTS: dict[str, dict[str, t.Any]] = {
    "projects": {"scm_revision": "0123456789abcdef", "status": "successful"},
    "inventories": {"kind": "", "host_filter": None, "variables": ""},
    "job_templates": {"extra_vars": "", "limit": "", "survey_enabled": False},
    "workflow_job_template_nodes": {"extra_data": {}, "unified_job_template": None},
}


class RefusedError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


class FakeAwx:
    """The objects.

    calls: requests, in their order. playbooks: those that a project finds. refusals: answers to new objects, by name.
    """

    def __init__(self, playbooks: list[str]) -> None:
        self.playbooks = playbooks
        self.objects: dict[str, dict[int, dict[str, t.Any]]] = {place: {} for place in TYPES}
        self.secrets: dict[int, dict[str, t.Any]] = {}
        self.surveys: dict[int, dict[str, t.Any]] = {}
        self.linked: dict[tuple[int, str], list[int]] = {}
        self.calls: list[tuple[str, str]] = []
        self.refusals: dict[str, object] = {}
        self.number = 0
        for name in ("Machine", "Vault", "Source Control", "Container Registry"):
            self.make("credential_types", {"name": name, "managed": True})
        self.calls.clear()

    # What a test asks

    def names(self, place: str) -> list[str]:
        """Names of all objects of a place."""
        return [one.get("name") or one["identifier"] for one in self.objects[place].values()]

    def named(self, place: str, name: str) -> dict[str, t.Any]:
        """The one object of this name."""
        (found,) = (one for one in self.objects[place].values() if one.get("name") == name)
        return found

    def writes(self) -> list[tuple[str, str]]:
        """What was asked for that changes something."""
        return [(method, path) for method, path in self.calls if method != "GET"]

    def linked_names(self, one: dict[str, t.Any], association: str) -> list[str]:
        """The names of what an object is associated with."""
        return sorted(
            self._anything(other)[1].get("name", "") for other in self.linked.get((one["id"], association), [])
        )

    def found(self) -> dict[str, list[dict[str, t.Any]]]:
        """All objects by place, as the API shows them."""
        return {place: [self._shown(place, one) for one in found.values()] for place, found in self.objects.items()}

    # What the API does

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, t.Any]) -> tuple[int, object]:
        """Status and body."""
        self.calls.append((method, path))
        parts = path.removeprefix("/api/v2/").strip("/").split("/")
        place, rest = parts[0], parts[1:]
        if place == "unified_job_templates" and not rest:
            return 200, self._page(path, query, [one for name in UNIFIED for one in self.objects[name].values()])
        if place == "project_updates":
            return 200, {"status": "successful", "finished": "2026-01-06", "failed": False, "scm_revision": ""}
        if place not in TYPES:
            raise RefusedError(404, {"detail": "Not found."})
        if not rest:
            if method == "POST":
                return 201, self._shown(place, self.make(place, body))
            return 200, self._page(path, query, list(self.objects[place].values()))
        one = self.objects[place].get(int(rest[0]))
        if one is None:
            raise RefusedError(404, {"detail": "Not found."})
        if len(rest) == 2:
            return self._related(method, path, query, one, rest[1], body)
        if method == "DELETE":
            self._delete(place, one)
            return 204, None
        if method == "PATCH":
            self._write(place, one, body)
        return 200, self._shown(place, one)

    def make(self, place: str, body: dict[str, t.Any]) -> dict[str, t.Any]:
        """A new object."""
        if body.get("name") in self.refusals:
            raise RefusedError(400, self.refusals[body["name"]])
        for field in ("name", "identifier"):
            for other in self.objects[place].values():
                scope = (
                    "organization",
                    "inventory",
                    "workflow_job_template",
                    "unified_job_template",
                    "credential_type",
                )
                if body.get(field) and all(other.get(key) == body.get(key) for key in (field, *scope)):
                    raise RefusedError(400, {"__all__": [f"{TYPES[place]} with this {field} already exists."]})
        self.number += 1
        one = {"id": self.number, "type": TYPES[place], "url": f"/api/v2/{place}/{self.number}/", "description": ""}
        one |= DEFAULTS.get(place, {})
        self._write(place, one, body)
        self.objects[place][self.number] = one
        return one

    def _write(self, place: str, one: dict[str, t.Any], body: dict[str, t.Any]) -> None:
        for field, places in FOREIGN.items():
            value = body.get(field)
            if value is not None and not any(value in self.objects[name] for name in places):
                raise RefusedError(400, {field: [f'Invalid pk "{value}" - object does not exist.']})
        if place == "job_templates" and body.get("playbook", self.playbooks[0]) not in self.playbooks:
            raise RefusedError(400, {"playbook": ["Playbook not found for project."]})
        body = json.loads(json.dumps(body))
        if place == "workflow_approval_templates":
            # The module sends fields of the node as well, and AWX takes no notice of them.
            body = {key: value for key, value in body.items() if key in ("name", "description", "timeout")}
        where = {"credentials": "inputs", "notification_templates": "notification_configuration"}.get(place)
        if where and where in body:
            kept = self.secrets.setdefault(one["id"], {})
            for field, value in body[where].items():
                if self._is_secret(place, {**one, **body}, field) and value and value != HIDDEN:
                    kept[field] = value
                    body[where][field] = HIDDEN
        one |= body

    def _is_secret(self, place: str, one: dict[str, t.Any], field: str) -> bool:
        if place == "notification_templates":
            return field == "password"
        fields = self.objects["credential_types"][one["credential_type"]].get("inputs", {}).get("fields", [])
        own = [entry["id"] for entry in fields if entry.get("secret")]
        return field in [*own, "password", "ssh_key_data", "ssh_key_unlock", "become_password", "vault_password"]

    def _shown(self, place: str, one: dict[str, t.Any]) -> dict[str, t.Any]:
        summary: dict[str, dict[str, t.Any]] = {}
        for field, places in FOREIGN.items():
            for name in places:
                if (other := self.objects[name].get(one.get(field) or 0)) is not None:
                    summary[field] = {"id": other["id"], "name": other["name"]}
                    if field == "unified_job_template":
                        summary[field]["unified_job_type"] = other["type"].removesuffix("_template")
        links = {}
        if place == "workflow_job_template_nodes":
            for name in ("success_nodes", "failure_nodes", "always_nodes"):
                links[name] = self.linked.get((one["id"], name), [])
        if place == "inventory_sources":
            inventory = self.objects["inventories"][one["inventory"]]
            summary["organization"] = {"name": self.objects["organizations"][inventory["organization"]]["name"]}
        related = {name: f"{one['url']}{name}/" for name in ("survey_spec", "update")}
        if one.get("unified_job_template"):
            related["unified_job_template"] = self._anything(one["unified_job_template"])[1]["url"]
        return {**one, **links, "summary_fields": summary, "related": related}

    def _anything(self, number: int) -> tuple[str, dict[str, t.Any]]:
        ((place, one),) = ((place, found[number]) for place, found in self.objects.items() if number in found)
        return place, one

    def _page(self, path: str, query: dict[str, str], found: list[dict[str, t.Any]]) -> dict[str, t.Any]:
        page = int(query.pop("page", 1))
        size = int(query.pop("page_size", PAGE))
        shown = [self._shown(self._anything(one["id"])[0], one) for one in found]
        one_of = {key.removeprefix("or__"): value for key, value in query.items() if key.startswith("or__")}
        all_of = {key: value for key, value in query.items() if not key.startswith("or__")}
        kept = [
            one
            for one in shown
            if all(_fits(one, key, value) for key, value in all_of.items())
            and (not one_of or any(_fits(one, key, value) for key, value in one_of.items()))
        ]
        more = "&".join(f"{key}={value}" for key, value in {**query, "page": page + 1}.items())
        return {
            "count": len(kept),
            "next": f"{path}?{more}".replace(" ", "%20") if page * size < len(kept) else None,
            "previous": None,
            "results": kept[(page - 1) * size : page * size],
        }

    def _related(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        one: dict[str, t.Any],
        what: str,
        body: dict[str, t.Any],
    ) -> tuple[int, object]:
        if what == "survey_spec":
            if method == "POST":
                self.surveys[one["id"]] = body
            return 200, self.surveys.get(one["id"], {})
        if what == "update" and method == "POST":
            one["status"] = "successful"
            return 202, {"id": 1, "url": "/api/v2/project_updates/1/", "status": "pending"}
        if what == "create_approval_template":
            made = self.make(
                "workflow_approval_templates", {key: body[key] for key in ("name", "description", "timeout")}
            )
            one["unified_job_template"] = made["id"]
            return 201, self._shown("workflow_approval_templates", made)
        if what not in ASSOCIATIONS:
            raise RefusedError(404, {"detail": "Not found."})
        linked = self.linked.setdefault((one["id"], what), [])
        if method == "POST":
            self._anything(body["id"])
            linked.remove(body["id"]) if body.get("disassociate") else linked.append(body["id"])
            return 204, None
        return 200, self._page(path, query, [self._anything(number)[1] for number in linked])

    def _delete(self, place: str, one: dict[str, t.Any]) -> None:
        number = one["id"]
        if place == "credential_types" and any(
            other["credential_type"] == number for other in self.objects["credentials"].values()
        ):
            raise RefusedError(403, {"detail": "Credential types that are in use cannot be deleted."})
        del self.objects[place][number]
        approval = one.get("unified_job_template") if place == "workflow_job_template_nodes" else None
        if approval in self.objects["workflow_approval_templates"]:
            del self.objects["workflow_approval_templates"][approval]
        for key in [key for key in self.linked if key[0] == number]:
            del self.linked[key]
        for linked in self.linked.values():
            if number in linked:
                linked.remove(number)
        # With an organisation, an inventory or a template goes what it holds.
        for name, found in self.objects.items():
            for other in list(found.values()):
                owners = [
                    other.get(field) for field in ("organization", "workflow_job_template", "unified_job_template")
                ]
                owners += [other.get("inventory")] if name == "inventory_sources" else []
                if number in owners and other["id"] in found:
                    self._delete(name, other)


def _fits(one: dict[str, t.Any], key: str, value: str) -> bool:
    """Whether an object passes a filter of a query."""
    field, _, way = key.partition("__")
    named = str(one["summary_fields"].get(field, {}).get("name"))
    if way == "name":
        return named == value
    if way == "name__startswith":
        return named.startswith(value)
    if way == "startswith":
        return str(one.get(field, "")).startswith(value)
    if way:
        raise RefusedError(400, {"detail": f"this fake does not know the filter {key}"})
    return str(one.get(field)) == value


@contextmanager
def running(playbooks: list[str]) -> Iterator[tuple[FakeAwx, str]]:
    """An AWX, and its URL."""
    awx = FakeAwx(playbooks)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        protocol_version = "HTTP/1.1"
        # One packet for an answer: two would wait for each other.
        wbufsize = -1
        disable_nagle_algorithm = True

        def _do(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            status: int
            answer: object
            try:
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    raise RefusedError(401, {"detail": "Authentication credentials were not provided."})
                with lock:
                    status, answer = awx.answer(self.command, parts.path, dict(parse_qsl(parts.query)), body)
            except RefusedError as refused:
                status, answer = refused.status, refused.body
            data = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", "24.6.1")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = _do  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield awx, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
