#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: war_release
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Keep the releases of an application side by side on a node
description:
  - Unpacks a WAR, or a tarball, into a directory of its own that appears whole or not at all. What runs is not touched;
    which release runs is decided elsewhere, by the path in its descriptor.
  - Nothing of an archive is written outside of its directory. Links are refused.
  - The files belong to root and can be read by a group.
  - Notes which releases ran, so that the one before can be told, and removes what is beyond the number to keep.
options:
  name:
    description: The name of the application, which is its directory's.
    type: str
    required: true
  directory:
    description: Where the applications lie. It must exist.
    type: path
    default: /var/lib/ha-pair/tomcat
  release:
    description: The release, the first 16 hexadecimal digits of the archive's SHA-256.
    type: str
    required: true
  state:
    description:
      - With V(present) the release is unpacked when it is not there. With V(ran) it is noted that this release has
        run, and releases beyond O(keep) are removed.
    type: str
    choices: [present, ran]
    default: present
  source:
    description: The archive on the node. Needed when the release is not there. It is removed once it is unpacked.
    type: path
  checksum:
    description: The archive's SHA-256, as C(sha256:) and 64 hexadecimal digits. It is compared.
    type: str
  strip:
    description: How many leading directories of the paths in the archive to leave out.
    type: int
    default: 0
  group:
    description: The group that reads the files.
    type: str
    default: root
  keep:
    description: How many releases stay, this one among them.
    type: int
    default: 2
  snapshot:
    description: Where M(duplex.ha_pair.file_snapshot) keeps what ran before. A release that it names stays as well.
    type: path
attributes:
  check_mode:
    description: Can run in check mode. The archive need not be there then.
    support: full
  diff_mode:
    description: Shows which releases come and go.
    support: full
  idempotent:
    description: A release that is there is not unpacked again.
    support: full
"""

EXAMPLES = r"""
- name: Unpack a release
  duplex.ha_pair.war_release:
    name: shop
    release: 0a1b2c3d4e5f6071
    source: /var/lib/ha-pair/tomcat/.incoming/shop.war
    group: tomcat

- name: Note that it runs, and keep one more
  duplex.ha_pair.war_release:
    name: shop
    release: 0a1b2c3d4e5f6071
    state: ran
    keep: 2
    snapshot: /var/lib/ha-pair/tomcat/.before
"""

RETURN = r"""
release:
  description: The release.
  returned: success
  type: str
  sample: 0a1b2c3d4e5f6071
path:
  description: Its directory.
  returned: success
  type: str
  sample: /var/lib/ha-pair/tomcat/shop/0a1b2c3d4e5f6071
previous:
  description: The release that ran last before this one and is still there; empty for none.
  returned: success
  type: str
  sample: 9f8e7d6c5b4a3920
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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._tomcat import archive, releases, snapshot


def unpack(module, path):
    """Unpack what is not there yet."""
    given = module.params
    source, checksum = given["source"], given["checksum"]
    if source is None:
        raise NodeError("source: is missing, and %s is not there; give the archive on the node" % path)
    if not os.path.isfile(source):
        raise NodeError("source: %s is not there; bring the archive to the node first" % source)
    found = archive.sha256(source)
    if checksum and checksum.rpartition(":")[2].lower() != found:
        raise NodeError(
            "source: %s has sha256:%s, not %s; fetch it again, or give its checksum" % (source, found, checksum)
        )
    if not found.startswith(given["release"]):
        raise NodeError(
            "release: %s is not that of %s, which is %s; give that" % (given["release"], source, found[:16])
        )
    try:
        group = grp.getgrnam(given["group"]).gr_gid
    except KeyError:
        raise NodeError("group: %s is not a group of the node; install what makes it first" % given["group"])
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        os.mkdir(parent, 0o750)
    os.chmod(parent, 0o750)
    os.chown(parent, 0, group)
    try:
        archive.unpack(source, path, group, given["strip"])
    except NodeError as exc:
        raise NodeError("source: %s %s" % (source, exc))
    os.unlink(source)


def needed(module, directory, there):
    """The releases without which what ran before could not run again."""
    # In check mode no snapshot was made, and that of an earlier activation names others.
    if module.params["snapshot"] is None or module.check_mode:
        return []
    paths = [os.path.join(directory, name) for name in there]
    return [os.path.basename(path) for path in snapshot.named(module.params["snapshot"], paths)]


def run(module):
    """What was done, as the module's result."""
    given = module.params
    if not re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z", given["name"]):
        raise NodeError("name: %r is not a name; give letters, digits, - . and _, such as shop" % given["name"])
    if not releases.RELEASE.match(given["release"]):
        raise NodeError(
            "release: %r is not 16 hexadecimal digits; give those that its SHA-256 begins with" % given["release"]
        )
    directory = os.path.join(given["directory"], given["name"])
    path = os.path.join(directory, given["release"])
    there, before = releases.present(directory), releases.history(directory)
    after, ran, removed = list(there), list(before), []
    if given["state"] == "present" and given["release"] not in there:
        after.append(given["release"])
        if not module.check_mode:
            unpack(module, path)
    elif given["state"] == "ran":
        if given["release"] not in there and not module.check_mode:
            raise NodeError("release: %s is not there, so it cannot have run; unpack it first" % path)
        ran = releases.noted(before, given["release"])
        removed = releases.to_remove(there, ran, given["release"], given["keep"], needed(module, directory, there))
        after = [name for name in there if name not in removed]
        if not module.check_mode:
            if ran != before:
                releases.write_history(directory, ran)
            for name in removed:
                shutil.rmtree(os.path.join(directory, name))
    return {
        "changed": after != there or ran != before,
        "release": given["release"],
        "path": path,
        "previous": releases.previous(ran, after, given["release"]) or "",
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
            "directory": {"type": "path", "default": "/var/lib/ha-pair/tomcat"},
            "release": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "ran"], "default": "present"},
            "source": {"type": "path"},
            "checksum": {"type": "str"},
            "strip": {"type": "int", "default": 0},
            "group": {"type": "str", "default": "root"},
            "keep": {"type": "int", "default": 2},
            "snapshot": {"type": "path"},
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
