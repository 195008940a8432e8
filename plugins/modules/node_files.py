#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: node_files
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Write several files of a node in one task, all or none
description:
  - Writes the files that belong together (a configuration, the units around it, what its programs read) in one task.
  - Every changed file is tested before the first one is replaced. When a test fails, everything is as it was.
  - Each file is replaced in one step, in the order in which they are given.
  - Contents are neither logged on the node nor returned, except as a diff where one is asked for.
options:
  directories:
    description: Directories that are to be there. Parents are made as well.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The absolute path.
        type: str
        required: true
      mode:
        description: The mode, as text.
        type: str
        default: "0755"
      owner:
        description: The owner.
        type: str
        default: root
      group:
        description: The group.
        type: str
        default: root
  files:
    description: The files.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The absolute path. A link in its place is replaced, not followed.
        type: str
        required: true
      content:
        description: The whole text.
        type: str
        required: true
      mode:
        description: The mode, as text.
        type: str
        default: "0644"
      owner:
        description: The owner.
        type: str
        default: root
      group:
        description: The group.
        type: str
        default: root
      validate:
        description:
          - A command that must end with 0 before anything is replaced. C(%s) stands for a private copy of the new file.
          - In check mode it is asked as well when its program is there already.
        type: str
      backup:
        description: Keep a copy of a file that is replaced, with the time in its name.
        type: bool
        default: false
      secret:
        description: Say that the file changes, but show its text in no diff.
        type: bool
        default: false
  absent:
    description: Files that are to be gone. A directory is refused.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and says what it would change.
    support: full
  diff_mode:
    description: Returns what changed in each file, unless it is secret.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Write the configuration and what it needs
  duplex.ha_pair.node_files:
    directories:
      - path: /etc/keepalived
    files:
      - path: /etc/keepalived/ha-pair.json
        content: "{{ model.description | to_nice_json }}\n"
      - path: /etc/keepalived/keepalived.conf
        content: "{{ lookup('ansible.builtin.template', 'keepalived.conf.j2') }}"
        mode: "0640"
        validate: /usr/libexec/keepalived/ha-pair-config-test %s
        secret: true
"""

RETURN = r"""
paths:
  description: What was, or would be, changed, in the order in which it happens.
  returned: always
  type: list
  elements: str
  sample: [/etc/keepalived/keepalived.conf]
backups:
  description: The copies that were kept, by the path of the file.
  returned: always
  type: dict
  sample: {"/etc/keepalived/keepalived.conf": "/etc/keepalived/keepalived.conf.812.2026-11-21@12:00:00~"}
"""

import os
import shlex
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.duplex.ha_pair.plugins.module_utils._node import files as node_files
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.system import find_program
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.wording import cleaned

OWNED = {
    "mode": {"type": "str"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
}


class Module(AnsibleModule):
    """A module whose every end, also one in the middle of Ansible's own functions, keeps the contents to itself."""

    def _return_formatted(self, kwargs):
        kwargs["invocation"] = {}
        super(Module, self)._return_formatted(kwargs)


class Changer(object):
    """What is to be done, and the doing of it."""

    def __init__(self, module):
        self._module = module
        self.paths, self.backups, self.diff = [], {}, []
        self._staged = {}

    def stage(self, entry):
        """Put a file that differs aside and test it."""
        path, content = entry["path"], to_bytes(entry["content"])
        existing = self._ask(path, node_files.look, path)
        if not self._ask(path, node_files.to_write, content, existing):
            return
        descriptor, temporary = tempfile.mkstemp(dir=self._module.tmpdir)
        with os.fdopen(descriptor, "wb") as target:
            target.write(content)
        self._module.add_cleanup_file(temporary)
        if entry["validate"]:
            self._validate(path, entry["validate"], temporary)
        self._staged[path] = temporary
        self.diff.append(node_files.difference(path, existing, content, entry["secret"]))

    def make(self, entry):
        """Make a directory."""
        path = entry["path"]
        if os.path.islink(path) and os.path.isdir(path):
            return  # somebody laid it elsewhere, and keeps it as they like
        missing = self._ask(path, node_files.to_make, node_files.look(path))
        if missing and not self._module.check_mode:
            # Those above it as well: with the mask of whoever runs this, nobody else might get through them.
            before = os.umask(0o022)
            try:
                os.makedirs(path)
            finally:
                os.umask(before)
        self._finish(entry, missing)

    def replace(self, entry):
        """Put a staged file in its place."""
        path, temporary = entry["path"], self._staged.get(entry["path"])
        if temporary is not None and not self._module.check_mode:
            if entry["backup"] and os.path.isfile(path):
                self.backups[path] = self._module.backup_local(path)
            if os.path.islink(path):
                os.unlink(path)
            self._move(temporary, path)
        self._finish(entry, temporary is not None)

    def _move(self, temporary, path):
        """Readable by root alone until it has its mode: it would else have the old file's, or everybody's."""
        if os.path.isfile(path):
            os.chmod(path, 0o600)
        before = os.umask(0o077)
        try:
            self._module.atomic_move(temporary, path)
        finally:
            os.umask(before)

    def remove(self, path):
        """Take a file away."""
        existing = node_files.look(path)
        if existing is None:
            return
        if existing["kind"] == "directory":
            self._fail(path, "is a directory, which this does not remove; remove it by hand")
        self.paths.append(path)
        self.diff.append(node_files.difference(path, existing, None, True))
        if not self._module.check_mode:
            os.unlink(path)

    def _finish(self, entry, changed):
        """Owner, mode and label; a path that does not exist yet has none in check mode."""
        if os.path.lexists(entry["path"]):
            wanted = {key: entry[key] for key in ("mode", "owner", "group")}
            arguments = self._module.load_file_common_arguments(wanted, path=entry["path"])
            changed = self._module.set_fs_attributes_if_different(arguments, changed)
        if changed:
            self.paths.append(entry["path"])

    def _validate(self, path, command, temporary):
        words = [word.replace("%s", temporary) for word in shlex.split(command)]
        if self._module.check_mode and find_program(words[0]) is None and not os.path.exists(words[0]):
            return
        code, out, err = self._module.run_command(words)
        if code != 0:
            self._fail(
                path,
                "the new file does not pass `%s` (%d), and nothing was changed: %s"
                % (command, code, (err.strip() or out.strip() or "no message").replace(temporary, path)),
            )

    def _ask(self, path, question, *arguments):
        try:
            return question(*arguments)
        except NodeError as exc:
            return self._fail(path, str(exc))
        except (IOError, OSError) as exc:
            return self._fail(path, "cannot be read (%s); run as root" % exc.strerror)

    def _fail(self, path, problem):
        self._module.fail_json(msg="%s: %s" % (path, cleaned(problem)))


def main():
    file_options = dict(
        OWNED,
        path={"type": "str", "required": True},
        content={"type": "str", "required": True},
        mode={"type": "str", "default": "0644"},
        validate={"type": "str"},
        backup={"type": "bool", "default": False},
        secret={"type": "bool", "default": False, "no_log": False},
    )
    directory_options = dict(
        OWNED, path={"type": "str", "required": True}, mode={"type": "str", "default": "0755"}
    )
    module = Module(
        argument_spec={
            "directories": {"type": "list", "elements": "dict", "default": [], "options": directory_options},
            "files": {"type": "list", "elements": "dict", "default": [], "options": file_options},
            "absent": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
        # The node's log is no place for the contents of files.
        no_log=True,
    )
    given = module.params
    try:
        node_files.check_paths(
            [entry["path"] for entry in given["directories"]],
            [entry["path"] for entry in given["files"]],
            given["absent"],
        )
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    changer = Changer(module)
    for entry in given["files"]:
        changer.stage(entry)
    for entry in given["directories"]:
        changer.make(entry)
    for entry in given["files"]:
        changer.replace(entry)
    for path in given["absent"]:
        changer.remove(path)
    result = {"changed": bool(changer.paths), "paths": changer.paths, "backups": changer.backups}
    if module._diff:
        result["diff"] = changer.diff
    module.exit_json(**result)


if __name__ == "__main__":
    main()
