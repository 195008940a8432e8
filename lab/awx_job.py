# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a playbook of the checkout as AWX's job runner does: a pod of its own, with the copy of a project in it.

As in AWX: the project without .git, an inventory script that prints what an inventory source was imported as (variables
in the inventory and its groups and hosts, no file beside it), extra variables whose every string is unsafe, its command
line, its environment and nothing of ours, colours, the terminal that ansible-runner makes and at which nobody sits,
SIGKILL for a job that is cancelled, and the end of everything in the pod when the job ends.

Not as in AWX: no container, so programs and libraries are those of this machine; a job that says nothing for
`idle_timeout` is ended, which AWX does only when it is told to.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import jinja2
import yaml
from awx_survey import Question, accept, questions

ROOT = Path(__file__).resolve().parents[1]
# Not in a clone of the repository, so not in AWX's project.
NOT_IN_A_CLONE = (
    ".git", ".venv", ".cache", ".ansible", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__", "build",
    "drill-reports",
)  # fmt: skip
# What of this machine a pod has as well: where programs are, and which names and certificates are believed.
OF_THE_POD = ("PATH", "LANG", "LC_ALL", "DOCKER_HOST", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
FIRST_JOB = 1001
FINISHED = ("successful", "failed", "canceled", "timeout", "error")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Lines end as a terminal ends them, and a diff shows the tabs of a file.
NOT_PLAIN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]|\r(?!\n)")


class AwxError(RuntimeError):
    """A job that could not be made or started; says why."""


class _Unsafe(yaml.SafeDumper):
    """Writes every string, also a key, so that Ansible takes it for no template."""


_Unsafe.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text))


def extra_vars_text(variables: Mapping[str, t.Any], trusted: Mapping[str, t.Any] | None = None) -> str:
    """env/extravars as AWX writes it; trusted: the template's own variables, whose templates are allowed."""
    trusted = trusted or {}
    return "".join(
        yaml.dump({name: value}, Dumper=yaml.SafeDumper if is_trusted else _Unsafe, default_flow_style=False)
        for name, value in variables.items()
        for is_trusted in [name in trusted and trusted[name] == value]
    )


@dataclass(frozen=True)
class Inventory:
    """An inventory as AWX keeps it: variables, groups (hosts, children, variables) and hosts (variables)."""

    variables: dict[str, t.Any]
    groups: dict[str, dict[str, t.Any]]
    hosts: dict[str, dict[str, t.Any]]

    @classmethod
    def imported(
        cls, *sources: str | Path, root: Path = ROOT, environment: Mapping[str, str] | None = None, leave_out: str = ""
    ) -> Inventory:
        """What AWX makes of inventory sources: `ansible-inventory --list --export`, with templates as they are.

        leave_out: a host that AWX does not know.
        """
        command = ["ansible-inventory", "--list", "--export"]
        for source in sources:
            command += ["-i", str(source)]
        done = subprocess.run(
            command, cwd=root, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise AwxError(f"{shlex.join(command)}: {done.stderr.strip()}")
        return cls.read(json.loads(done.stdout), leave_out)

    @classmethod
    def read(cls, exported: Mapping[str, t.Any], leave_out: str = "") -> Inventory:
        """The inventory of what `ansible-inventory --list --export` prints."""
        hostvars: dict[str, dict[str, t.Any]] = exported.get("_meta", {}).get("hostvars", {})
        names = {
            *hostvars,
            *(name for key, group in exported.items() if key != "_meta" for name in group.get("hosts", [])),
        } - {leave_out}
        groups = {
            key: {
                "hosts": [name for name in group.get("hosts", []) if name in names],
                "children": list(group.get("children", [])),
                "vars": dict(group.get("vars", {})),
            }
            for key, group in exported.items()
            if key not in ("_meta", "all", "ungrouped")
        }
        return cls(
            dict(exported.get("all", {}).get("vars", {})),
            groups,
            {name: dict(hostvars.get(name, {})) for name in sorted(names)},
        )

    def with_vars(self, **variables: t.Any) -> Inventory:
        """The same with other variables of the inventory itself."""
        return replace(self, variables={**self.variables, **variables})

    def with_group_vars(self, group: str, **variables: t.Any) -> Inventory:
        """The same with other variables of a group, as its page in AWX has them."""
        changed = {**self.groups[group], "vars": {**self.groups[group]["vars"], **variables}}
        return replace(self, groups={**self.groups, group: changed})

    def script_data(self, slice_number: int = 1, slice_count: int = 1) -> dict[str, t.Any]:
        """What the inventory script of a job prints.

        Of a slice only its hosts: every n-th in the order of their names. The others are in no group and have no
        variables.
        """
        names = sorted(self.hosts)
        if slice_count > 1:
            names = names[slice_number - 1 :: slice_count]
        there = set(names)
        found: dict[str, t.Any] = {"all": {}}
        if self.variables:
            found["all"]["vars"] = self.variables
        grouped = {name for group in self.groups.values() for name in group["hosts"]}
        found["all"]["hosts"] = [name for name in names if name not in grouped]
        for key, group in self.groups.items():
            described = {**group, "hosts": [name for name in group["hosts"] if name in there]}
            described = {word: value for word, value in described.items() if value}
            if described:
                found[key] = described
        if self.groups:
            found["all"]["children"] = list(self.groups)
        numbers = {name: number for number, name in enumerate(sorted(self.hosts), start=1)}
        found["_meta"] = {
            "hostvars": {
                name: {**self.hosts[name], "remote_tower_enabled": "true", "remote_tower_id": numbers[name]}
                for name in names
            }
        }
        return found


@dataclass(frozen=True)
class Template:
    """A job template: what is run, how, and what is asked when it is launched."""

    name: str
    playbook: str
    check: bool = False
    become: bool = True
    diff: bool = False
    limit: str = ""
    forks: int = 0
    timeout: int = 0
    slice_count: int = 1
    extra_vars: dict[str, t.Any] = field(default_factory=dict)
    survey: tuple[Question, ...] = ()
    # ask_limit_on_launch and its kin, by the word in the middle.
    asks: frozenset[str] = frozenset()

    @classmethod
    def read(cls, entry: Mapping[str, t.Any]) -> Template:
        """A template as the data of awx/ says it, in the arguments of awx.awx.job_template."""
        asks = {
            match.group(1)
            for key, value in entry.items()
            if value and (match := re.fullmatch(r"ask_(\w+?)_on_launch", key))
        }
        extra_vars = entry.get("extra_vars") or {}
        if isinstance(extra_vars, str):
            extra_vars = yaml.safe_load(extra_vars) or {}
        return cls(
            name=entry["name"],
            playbook=entry["playbook"],
            check=entry.get("job_type", "run") == "check",
            become=bool(entry.get("become_enabled", False)),
            diff=bool(entry.get("diff_mode", False)),
            limit=entry.get("limit") or "",
            forks=int(entry.get("forks") or 0),
            timeout=int(entry.get("timeout") or 0),
            slice_count=int(entry.get("job_slice_count") or 1),
            extra_vars=dict(extra_vars),
            survey=questions(entry.get("survey_spec")) if entry.get("survey_enabled") else (),
            asks=frozenset(asks),
        )


def load_templates(directory: Path = ROOT / "awx") -> list[Template]:
    """All job templates that a directory describes: its data/*.yml, filled in from its settings.yml."""
    settings = _load(directory / "settings.yml")
    found = []
    for path in sorted((directory / "data").glob("*.yml")):
        found += [Template.read(_filled(entry, settings)) for entry in _load(path).get("controller_templates") or []]
    return found


def _load(path: Path) -> dict[str, t.Any]:
    found: dict[str, t.Any] = (yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None) or {}
    return found


def _filled(value: t.Any, settings: Mapping[str, t.Any]) -> t.Any:
    """Data with its settings in place, as the playbook that applies it does."""
    if isinstance(value, str):
        return jinja2.Template(value).render(settings)
    if isinstance(value, list):
        return [_filled(item, settings) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, settings) for key, item in value.items()}
    return value


def output_of(events: Iterable[Mapping[str, t.Any]]) -> str:
    """What AWX shows of events."""
    return "\n".join(event["stdout"] for event in events if event.get("stdout"))


def plain_text(output: str) -> str:
    """An output in one line and without colours, so that a sentence is found wherever it was broken."""
    return re.sub(r"\s+", " ", COLOUR.sub("", output).replace("\\n", " ").replace('\\"', '"'))


@dataclass(frozen=True)
class Failure:
    """A task that failed on a host, or a host that could not be reached."""

    host: str
    task: str
    message: str


@dataclass(frozen=True)
class Result:
    """What came of a job: its status as AWX shows it, its events, its output, its artifacts."""

    status: str
    rc: int
    seconds: float
    events: tuple[dict[str, t.Any], ...]

    @functools.cached_property
    def output(self) -> str:
        """What AWX shows, with the colours."""
        return output_of(self.events)

    @functools.cached_property
    def text(self) -> str:
        """What AWX shows in one line, without the colours."""
        return plain_text(self.output)

    def _last(self, name: str) -> dict[str, t.Any]:
        for event in reversed(self.events):
            if event.get("event") == name:
                found: dict[str, t.Any] = event.get("event_data") or {}
                return found
        return {}

    @property
    def artifacts(self) -> dict[str, t.Any]:
        """What set_stats left; empty for a job that did not come to its end."""
        found: dict[str, t.Any] = self._last("playbook_on_stats").get("artifact_data") or {}
        return found

    @property
    def hosts(self) -> dict[str, dict[str, int]]:
        """By host: ok, changed, failures, dark (unreachable), skipped."""
        stats = self._last("playbook_on_stats")
        words = ("ok", "changed", "failures", "dark", "skipped", "rescued", "ignored")
        names = sorted({name for word in words for name in stats.get(word) or {}})
        return {name: {word: int((stats.get(word) or {}).get(name, 0)) for word in words} for name in names}

    @property
    def changed(self) -> int:
        """How many tasks changed something, on all hosts."""
        return sum(counts["changed"] for counts in self.hosts.values())

    @property
    def failures(self) -> list[Failure]:
        """What failed and was not ignored, in its order."""
        found = []
        for event in self.events:
            data = event.get("event_data") or {}
            kinds = ("runner_on_failed", "runner_item_on_failed", "runner_on_unreachable")
            if event.get("event") in kinds and not data.get("ignore_errors"):
                message = (data.get("res") or {}).get("msg", "")
                found.append(Failure(str(data.get("host", "")), str(data.get("task", "")), str(message)))
        return found

    @property
    def control_characters(self) -> list[str]:
        """Lines of the output that hold a control character beside Ansible's colours, as Python writes them."""
        return [
            repr(line)
            for event in self.events
            for line in COLOUR.sub("", event.get("stdout") or "").split("\n")
            if NOT_PLAIN.search(line.removesuffix("\r"))
        ]

    def __str__(self) -> str:
        said = "; ".join(f"{failure.host}: {failure.task}: {failure.message}" for failure in self.failures)
        return f"{self.status} (rc {self.rc}, {self.seconds:.0f} s) {said or self.text[-1500:]}"


class RunningJob:
    """A job that runs, in its pod."""

    def __init__(self, process: subprocess.Popen[str], directory: Path, number: int) -> None:
        self.process = process
        self.directory = directory
        self.number = number
        self.started = time.monotonic()
        self._artifacts = directory / "artifacts" / str(number)

    def events(self) -> list[dict[str, t.Any]]:
        """What it has said so far, in its order."""
        found = []
        for path in (self._artifacts / "job_events").glob("*-*.json"):
            if path.name.endswith("-partial.json"):
                continue
            with suppress(FileNotFoundError, json.JSONDecodeError):
                found.append(json.loads(path.read_text(encoding="utf-8")))
        return sorted(found, key=lambda event: int(event["counter"]))

    def wait_for(self, text: str, timeout: float = 120) -> None:
        """Wait until the output has this text; AwxError when the job ends before, or it takes too long."""
        end = time.monotonic() + timeout
        while text not in (said := plain_text(output_of(self.events()))):
            ended = self.process.poll() is not None
            if ended or time.monotonic() > end:
                # Its last words may have come since.
                said = plain_text(output_of(self.events()))
                if text in said:
                    return
                why = "the job ended before" if ended else f"not within {timeout:g} s"
                raise AwxError(f"'{text}' was not said, {why}: {said[-2000:]}")
            time.sleep(0.1)

    def cancel(self) -> None:
        """Cancel it as the button does; ansible-runner notices within five seconds and kills."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout: float = 900) -> Result:
        """Its result, when it has ended and its pod is gone."""
        try:
            _output, errors = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.end()
            raise AwxError(f"job {self.number} did not end within {timeout:g} s") from None
        seconds = time.monotonic() - self.started
        self.end()
        try:
            status = (self._artifacts / "status").read_text(encoding="utf-8")
            code = (self._artifacts / "rc").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise AwxError(f"ansible-runner did not run: {errors.strip()[-2000:]}") from None
        return Result(status, int(code), seconds, tuple(self.events()))

    def end(self) -> None:
        """End the pod: whatever still runs in it is killed, as when AWX deletes it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        end = time.monotonic() + 10
        while left := processes_of(self.directory):
            for number in left:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            if time.monotonic() > end:
                raise AwxError(f"processes {left} of job {self.number} do not die")
            time.sleep(0.05)


def processes_of(directory: Path) -> list[int]:
    """The processes that were started in a pod, wherever they have gone since."""
    mark = f"AWX_PRIVATE_DATA_DIR={directory}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


class Awx:
    """Launches templates on an inventory. `with Awx(...) as awx:` removes what the jobs left."""

    def __init__(
        self,
        inventory: Inventory,
        *,
        project: Path = ROOT,
        environment: Mapping[str, str] | None = None,
        idle_timeout: int = 300,
    ) -> None:
        """environment: what the pod has beside AWX's own (`HA_PAIR_LAB_NAME`); idle_timeout: in seconds."""
        if importlib.util.find_spec("ansible_runner") is None:
            raise AwxError("ansible-runner is not installed; `make setup` does that")
        self.inventory = inventory
        self.project = project
        self.environment = dict(environment or {})
        self.idle_timeout = idle_timeout
        self._base = Path(tempfile.mkdtemp(prefix="awx-"))
        self._number = FIRST_JOB

    def __enter__(self) -> Awx:
        return self

    def __exit__(self, *_what: object) -> None:
        shutil.rmtree(self._base, ignore_errors=True)

    def launch(self, template: Template, answers: Mapping[str, t.Any] | None = None, **prompts: t.Any) -> Result:
        """Launch a template and wait; see `start`."""
        with self.start(template, answers, **prompts) as job:
            return job.wait()

    @contextmanager
    def start(
        self,
        template: Template,
        answers: Mapping[str, t.Any] | None = None,
        *,
        limit: str | None = None,
        check: bool | None = None,
        slice_number: int = 1,
        slice_count: int | None = None,
        plain: bool = False,
    ) -> Iterator[RunningJob]:
        """A job of a template; it is ended when the block is left.

        answers: of the survey, and other variables where the template lets them be given; SurveyError when AWX refuses
        them. limit, check, slices: instead of the template's. plain: without any terminal, which is stricter than AWX.
        """
        variables = {
            **template.extra_vars,
            **accept(template.survey, answers or {}, others="variables" in template.asks),
        }
        template = replace(
            template,
            limit=template.limit if limit is None else limit,
            check=template.check if check is None else check,
            slice_count=slice_count or template.slice_count,
        )
        number, self._number = self._number, self._number + 1
        directory = self._base / f"awx_{number}"
        self._prepare(directory, number, template, variables, slice_number)
        if plain:
            self._without_terminal(directory)
        environment = {name: os.environ[name] for name in OF_THE_POD if name in os.environ}
        environment = {**environment, "PATH": self._path(directory, plain), **self.environment}
        environment.update(HOME=str(directory / "home"), PWD=str(directory), AWX_PRIVATE_DATA_DIR=str(directory))
        process = subprocess.Popen(
            [sys.executable, __file__, str(directory), str(number), template.playbook],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        job = RunningJob(process, directory, number)
        try:
            yield job
        finally:
            job.end()
            shutil.rmtree(directory, ignore_errors=True)

    def _prepare(
        self, directory: Path, number: int, template: Template, variables: Mapping[str, t.Any], slice_number: int
    ) -> None:
        """The private data directory, as AWX fills it."""
        directory.mkdir(mode=0o700)
        for name in ("inventory", "env", "cp", "home"):
            (directory / name).mkdir(mode=0o700)
        shutil.copytree(
            self.project, directory / "project", symlinks=True, ignore=shutil.ignore_patterns(*NOT_IN_A_CLONE)
        )
        data = self.inventory.script_data(slice_number, template.slice_count)
        script = f"#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({json.dumps(data)!r})\n"
        _write(directory / "inventory" / "hosts", script, 0o700)
        every = {**variables, **self._own_variables(number, template)}
        _write(directory / "env" / "extravars", extra_vars_text(every, template.extra_vars))
        _write(directory / "env" / "cmdline", shlex.join(command_line(template)))
        _write(directory / "env" / "envvars", json.dumps(self._environment(directory, number)))
        settings = {
            "job_timeout": template.timeout,
            "idle_timeout": self.idle_timeout,
            "suppress_ansible_output": True,
            "suppress_output_file": True,
        }
        _write(directory / "env" / "settings", json.dumps(settings))

    @staticmethod
    def _own_variables(number: int, template: Template) -> dict[str, t.Any]:
        """What AWX adds, in the place of whatever has the same name."""
        own: dict[str, t.Any] = {
            "job_id": number,
            "job_launch_type": "manual",
            "project_revision": "0" * 40,
            "project_scm_branch": "",
            "job_template_id": 7,
            "job_template_name": template.name,
            "user_id": 1,
            "user_name": "operator",
            "user_email": "",
            "user_first_name": "",
            "user_last_name": "",
            "inventory_id": 2,
            "inventory_name": "pairs",
        }
        return {f"{word}_{name}": value for word in ("awx", "tower") for name, value in own.items()}

    def _environment(self, directory: Path, number: int) -> dict[str, str]:
        """The environment that AWX gives a job."""
        return {
            "ANSIBLE_FORCE_COLOR": "True",
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            "ANSIBLE_PARAMIKO_RECORD_HOST_KEYS": "False",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(directory / "cp"),
            # Not where this collection is; a project brings it along.
            "ANSIBLE_COLLECTIONS_PATH": (
                f"{directory}/requirements_collections:~/.ansible/collections:/usr/share/ansible/collections"
            ),
            "ANSIBLE_ROLES_PATH": f"{directory}/requirements_roles:~/.ansible/roles:/usr/share/ansible/roles",
            "AWX_HOST": "https://awx.example.org",
            "AWX_PRIVATE_DATA_DIR": str(directory),
            "INVENTORY_ID": "2",
            "JOB_ID": str(number),
            "MAX_EVENT_RES": "700000",
            "PROJECT_REVISION": "0" * 40,
        }

    @staticmethod
    def _path(directory: Path, plain: bool) -> str:
        """Where programs are found: ours, then those of the tool chain, then the machine's."""
        ansible = shutil.which("ansible-playbook")
        if ansible is None:
            raise AwxError("there is no ansible-playbook on PATH; `make setup` makes one in .venv/bin")
        words = [str(Path(sys.executable).parent), str(Path(ansible).parent), os.environ.get("PATH", "")]
        return ":".join([str(directory / "bin"), *words] if plain else words)

    @staticmethod
    def _without_terminal(directory: Path) -> None:
        """Put an ansible-playbook first that reads nothing and writes into a pipe."""
        program = shutil.which("ansible-playbook")
        (directory / "bin").mkdir()
        text = f'#!/bin/bash\nexec {shlex.quote(str(program))} "$@" </dev/null > >(exec cat) 2>&1\n'
        _write(directory / "bin" / "ansible-playbook", text, 0o700)


def command_line(template: Template) -> list[str]:
    """The words that AWX puts before the inventory, in its order."""
    words = ["--check"] if template.check else []
    words += ["-u", "root"]
    words += ["--become"] if template.become else []
    words += ["--diff"] if template.diff else []
    words += [f"--forks={template.forks}"] if template.forks else []
    words += ["-l", template.limit] if template.limit else []
    return words


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    path.touch(mode=mode)
    path.write_text(text, encoding="utf-8")


def work(directory: str, number: str, playbook: str) -> int:
    """What runs in the pod: ansible-runner, which takes SIGTERM for a cancelled job."""
    runner: t.Any = importlib.import_module("ansible_runner")
    done = runner.run(
        private_data_dir=directory,
        ident=number,
        playbook=playbook,
        inventory=f"{directory}/inventory/hosts",
        # AWX keeps facts in its database, where a template says so.
        fact_cache_type="",
        # It hands them over as an argument, not as a file; both end in the same place.
        suppress_env_files=True,
    )
    return 0 if done.status in FINISHED else 1


if __name__ == "__main__":
    sys.exit(work(*sys.argv[1:]))
