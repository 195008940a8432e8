#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: jar_release
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Keep the jars of a service side by side on a node
description:
  - Puts a jar into a directory of its own that appears whole or not at all. What runs is not touched; which release
    runs is decided elsewhere, by the path in its unit.
  - Notes which releases were in use, and removes what is beyond the number to keep, those first that were in use least
    recently.
  - The files belong to root and can be read by a group.
options:
  name:
    description: The name of the service, which is its directory's.
    type: str
    required: true
  directory:
    description: Where the services lie. It must exist.
    type: path
    default: /var/lib/ha-pair/java
  release:
    description: The release, the first 16 hexadecimal digits of the jar's SHA-256.
    type: str
    required: true
  source:
    description: The jar on the node. Needed when the release is not there. It is removed once it is in place.
    type: path
  checksum:
    description: The jar's SHA-256, 64 hexadecimal digits. It is compared.
    type: str
    required: true
  group:
    description: The group that reads the files.
    type: str
    default: root
  keep:
    description: How many releases stay, this one among them.
    type: int
    default: 2
  unit:
    description: The file of the unit that runs it. Releases that it names stay as well; the next start needs them.
    type: path
attributes:
  check_mode:
    description: Can run in check mode. The jar need not be there then.
    support: full
  diff_mode:
    description: Shows which releases come and go.
    support: full
  idempotent:
    description: A release that is there and was the last in use changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Put a jar into its place
  duplex.ha_pair.jar_release:
    name: fetcher
    release: 0a1b2c3d4e5f6071
    checksum: 0a1b2c3d4e5f60710a1b2c3d4e5f60710a1b2c3d4e5f60710a1b2c3d4e5f6071
    source: /var/lib/ha-pair/java/.incoming/fetcher.jar
    unit: /etc/systemd/system/fetcher.service
    group: fetcher
"""

RETURN = r"""
path:
  description: The jar.
  returned: success
  type: str
  sample: /var/lib/ha-pair/java/fetcher/0a1b2c3d4e5f6071/fetcher.jar
releases:
  description: All that are, or would be, there, oldest first.
  returned: success
  type: list
  elements: str
removed:
  description: Those that were, or would be, removed.
  returned: success
  type: list
  elements: str
"""

import grp
import os
import re
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.system import read_text
from ansible_collections.duplex.ha_pair.plugins.module_utils._tomcat import archive, releases


def place(given, directory, path):
    """Put the jar where it belongs."""
    source = given["source"]
    if source is None or not os.path.isfile(source):
        raise NodeError("source: %s is not there; bring the jar to the node first" % (source or "the jar"))
    found = archive.sha256(source)
    if found != given["checksum"].lower() or not found.startswith(given["release"]):
        raise NodeError(
            "source: %s has sha256:%s, not %s; fetch it again, or give its checksum"
            % (source, found, given["checksum"])
        )
    try:
        group = grp.getgrnam(given["group"]).gr_gid
    except KeyError:
        raise NodeError("group: %s is not a group of the node; make it first" % given["group"])
    if not os.path.isdir(directory):
        os.mkdir(directory)
    os.chmod(directory, 0o750)
    os.chown(directory, 0, group)
    temporary = tempfile.mkdtemp(dir=directory, prefix=".new.")
    try:
        target = os.path.join(temporary, os.path.basename(path))
        shutil.copyfile(source, target)
        for entry, mode in ((target, 0o640), (temporary, 0o750)):
            os.chmod(entry, mode)
            os.chown(entry, 0, group)
            # What the unit names is whole after a loss of power as well.
            archive.to_disk(entry)
        os.rename(temporary, os.path.dirname(path))
        archive.to_disk(directory)
    except Exception:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    os.unlink(source)


def needed(unit, directory, there):
    """The releases of which the unit's file names something."""
    text = (read_text(unit) or "") if unit else ""
    return [name for name in there if os.path.join(directory, name) + "/" in text]


def run(module):
    """What was done, as the module's result."""
    given = module.params
    if not re.match(r"[a-z][a-z0-9-]*\Z", given["name"]):
        raise NodeError("name: %r is not a name; give small letters, digits and -, such as fetcher" % given["name"])
    if not releases.RELEASE.match(given["release"]):
        raise NodeError(
            "release: %r is not 16 hexadecimal digits; give those that its SHA-256 begins with" % given["release"]
        )
    directory = os.path.join(given["directory"], given["name"])
    path = os.path.join(directory, given["release"], given["name"] + ".jar")
    there, before = releases.present(directory), releases.history(directory)
    after = list(there)
    if given["release"] not in there:
        after.append(given["release"])
        if not module.check_mode:
            place(given, directory, path)
    ran = releases.noted(before, given["release"])
    removed = releases.to_remove(after, ran, given["release"], given["keep"], needed(given["unit"], directory, there))
    after = [name for name in after if name not in removed]
    if not module.check_mode:
        if ran != before:
            releases.write_history(directory, ran)
        for name in removed:
            shutil.rmtree(os.path.join(directory, name))
    return {
        "changed": after != there or ran != before,
        "path": path,
        "releases": after,
        "removed": removed,
        "diff": {
            "before_header": directory,
            "after_header": directory,
            "before": "".join("%s\n" % name for name in there),
            "after": "".join("%s\n" % name for name in after),
        },
    }


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "directory": {"type": "path", "default": "/var/lib/ha-pair/java"},
            "release": {"type": "str", "required": True},
            "source": {"type": "path"},
            "checksum": {"type": "str", "required": True},
            "group": {"type": "str", "default": "root"},
            "keep": {"type": "int", "default": 2},
            "unit": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except (IOError, OSError) as exc:
        module.fail_json(msg="%s: %s; run as root, and see whether the disk is full" % (exc.filename, exc.strerror))
    if not module._diff:
        result.pop("diff")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
