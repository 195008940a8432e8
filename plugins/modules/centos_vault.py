#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: centos_vault
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Point the repositories of a CentOS whose mirrors are gone to the vault
description:
  - CentOS 7 and CentOS Stream 8 are no longer on any mirror, and their list of mirrors no longer answers. Their
    packages are in the vault.
  - In the repository files of the distribution the list of mirrors is commented out, and the same path in the vault is
    given in its place. Which repositories are enabled, and how signatures are checked, stays as it is.
  - A repository that somebody pointed elsewhere already is left alone.
options:
  url:
    description: The vault, or a mirror of it.
    type: str
    default: http://vault.centos.org
  release:
    description: The directory of the release in the vault, such as V(7.9.2009) or V(8-stream).
    type: str
    required: true
  directory:
    description: Where the repository files are. Those whose names begin with C(CentOS-) are looked at.
    type: path
    default: /etc/yum.repos.d
attributes:
  check_mode:
    description: Can run in check mode and says what it would change.
    support: full
  diff_mode:
    description: Returns what changed in each file.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Install packages on a CentOS Stream 8 again
  duplex.ha_pair.centos_vault:
    release: 8-stream
"""

RETURN = r"""
paths:
  description: The files that were, or would be, changed.
  returned: always
  type: list
  elements: str
  sample: [/etc/yum.repos.d/CentOS-Stream-BaseOS.repo]
"""

import glob
import io
import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible_collections.duplex.ha_pair.plugins.module_utils._el import vault


def read(path):
    """The text of a file."""
    with io.open(path, "rb") as source:
        return to_text(source.read())


def write(module, path, text):
    """Replace a file in one step; it keeps its mode."""
    descriptor, temporary = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "wb") as target:
        target.write(to_bytes(text))
    module.atomic_move(temporary, path)


def main():
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "default": "http://vault.centos.org"},
            "release": {"type": "str", "required": True},
            "directory": {"type": "path", "default": "/etc/yum.repos.d"},
        },
        supports_check_mode=True,
    )
    given = module.params
    paths = sorted(glob.glob(os.path.join(given["directory"], "CentOS-*.repo")))
    if not paths:
        module.fail_json(
            msg="%s: holds no CentOS-*.repo; reinstall the package centos-release, or name the directory of the files"
            % given["directory"]
        )
    changes, problems = [], []
    for path in paths:
        try:
            text = read(path)
        except (IOError, OSError) as exc:
            module.fail_json(msg="%s: cannot be read (%s); run as root" % (path, exc.strerror))
        wanted, found = vault.to_vault(text, given["url"], given["release"])
        problems += ["%s: %s" % (path, problem) for problem in found]
        if wanted != text:
            changes.append((path, text, wanted))
    if problems:
        module.fail_json(msg="; ".join(problems))
    if not module.check_mode:
        for path, _text, wanted in changes:
            write(module, path, wanted)
    module.exit_json(
        changed=bool(changes),
        paths=[path for path, _text, _wanted in changes],
        diff=[
            {"before_header": path, "after_header": path, "before": text, "after": wanted}
            for path, text, wanted in changes
        ],
    )


if __name__ == "__main__":
    main()
