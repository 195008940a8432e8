#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: file_snapshot
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Keep files of a node as they are, and put them back
description:
  - Saves files with their owners and modes, and which of them are not there, so that a change that turns out badly can
    be taken back. There is one snapshot in a directory; a new one takes its place.
  - Contents are neither logged nor returned.
options:
  directory:
    description: Where the snapshot lies. Only root is to look in; the directory above it must exist.
    type: path
    required: true
  state:
    description: With V(saved) the files are saved, with V(restored) they are put back.
    type: str
    choices: [saved, restored]
    default: saved
  files:
    description: The files to save. One that is not there is removed when the snapshot is restored.
    type: list
    elements: path
    default: []
  directories:
    description: Directories whose files are saved as well. A file that came later is removed by V(restored).
    type: list
    elements: path
    default: []
  only_with:
    description: Save only while this file is there. Without it, the snapshot that there is stays.
    type: path
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: The files may hold secrets.
    support: none
  idempotent:
    description: Saving reports no change, because nothing is changed that anybody uses. Restoring twice is no change.
    support: full
"""

EXAMPLES = r"""
- name: Keep the configuration that works
  duplex.ha_pair.file_snapshot:
    directory: /var/lib/ha-pair/tomcat/.before
    files: [/etc/tomcat/server.xml]

- name: Put it back
  duplex.ha_pair.file_snapshot:
    directory: /var/lib/ha-pair/tomcat/.before
    state: restored
"""

RETURN = r"""
paths:
  description: The files that were, or would be, put back or removed.
  returned: success
  type: list
  elements: str
  sample: [/etc/tomcat/server.xml]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._tomcat import snapshot


def save(module):
    given = module.params
    wanted = given["only_with"] is None or os.path.isfile(given["only_with"])
    if wanted and not module.check_mode:
        snapshot.save(given["directory"], given["files"], given["directories"])
    return {"changed": False, "paths": []}


def restore(module):
    directory = module.params["directory"]
    index = snapshot.read_index(directory)
    if index is None:
        raise NodeError(
            "%s: holds no snapshot, so there is nothing to go back to; mend what is wrong, and deploy the node again"
            % directory
        )
    paths = snapshot.differing(directory, index)
    if not module.check_mode:
        snapshot.restore(directory, index, paths)
    return {"changed": bool(paths), "paths": paths}


def main():
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["saved", "restored"], "default": "saved"},
            "files": {"type": "list", "elements": "path", "default": []},
            "directories": {"type": "list", "elements": "path", "default": []},
            "only_with": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        result = save(module) if module.params["state"] == "saved" else restore(module)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except (IOError, OSError) as exc:
        module.fail_json(msg="%s: %s; run as root, and see whether the disk is full" % (exc.filename, exc.strerror))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
