#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: sync_authorized_key
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Let the other node's key start one program, and nothing else
description:
  - Keeps exactly one line of ours among the authorized keys of root. It is known by the program that its key may start.
  - All other lines, and the mode and the owner of a file that is there, stay as they are. The file is replaced in one
    step.
options:
  path:
    description: The file. Its directory is made when it is missing.
    type: path
    required: true
  key:
    description: The public key, as its kind and itself. Empty to have no such line.
    type: str
    required: true
  key_options:
    description: What stands before the key.
    type: str
    required: true
  program:
    description: The program that the key may start, which stands in O(key_options) as well.
    type: str
    required: true
  comment:
    description: What stands after the key.
    type: str
    default: ha-pair-sync
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows our line, before and after. Lines of others are not shown.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Let the other node in
  duplex.ha_pair.sync_authorized_key:
    path: /root/.ssh/authorized_keys
    key: "{{ survey.public_key }}"
    key_options: restrict,from="192.0.2.12",command="/usr/libexec/keepalived/ha-pair-sync-receive"
    program: /usr/libexec/keepalived/ha-pair-sync-receive
"""

RETURN = r"""
path:
  description: The file.
  returned: always
  type: str
"""

import io
import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._sync import authorized


def _read(path):
    if not os.path.exists(path):
        return ""
    # Byte by byte: what others wrote there need not be UTF-8, and stays as it is.
    with io.open(path, encoding="latin-1", newline="") as source:
        return source.read()


def _write(module, path, text):
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        os.makedirs(directory, 0o700)
    missing = not os.path.exists(path)
    descriptor, temporary = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "wb") as target:
        target.write(text.encode("latin-1"))
    # A link to a file is followed: somebody laid it elsewhere, and sshd reads it there.
    module.atomic_move(temporary, os.path.realpath(path))
    if missing:
        os.chmod(path, 0o600)


def _ours(text, program):
    return "".join(line + "\n" for line in text.splitlines() if authorized.is_ours(line, program))


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            # All of it is public.
            "key": {"type": "str", "required": True, "no_log": False},
            "key_options": {"type": "str", "required": True, "no_log": False},
            "program": {"type": "str", "required": True},
            "comment": {"type": "str", "default": "ha-pair-sync"},
        },
        supports_check_mode=True,
    )
    given = module.params
    path, program = given["path"], given["program"]
    if program not in given["key_options"]:
        module.fail_json(msg="key_options: %s does not start %s; name it there" % (given["key_options"], program))
    wanted = "%s %s %s" % (given["key_options"], given["key"], given["comment"]) if given["key"] else None
    before = _read(path)
    after = authorized.place(before, wanted, program)
    result = {"changed": after != before, "path": path}
    if module._diff and result["changed"]:
        result["diff"] = {
            "before_header": path,
            "after_header": path,
            "before": _ours(before, program),
            "after": _ours(after, program),
        }
    if result["changed"] and not module.check_mode:
        _write(module, path, after)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
