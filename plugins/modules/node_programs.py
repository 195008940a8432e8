#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: node_programs
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Install the programs that run on the nodes of a pair
description:
  - Installs the check script, the notify handler, the prober, the readiness test and the configuration test of this
    collection, and the command C(ha-pair) that tells a person on the node what it does and why.
  - The programs by which a keepalived without file tracking and FIFO looks at state files and tells changes are
    installed as well.
  - C(ha-pair-active), which runs a service on one node of the pair only, and C(ha-pair-witness), which lends such
    services to the nodes of pairs from a third host, are installed as well, and run where a role makes units for them.
  - The programs that mirror directories from the owner of a VIP to its peer, and take them there, are installed as
    well.
  - The others share one archive, which is replaced in one step, so that a check that runs at that moment sees the old
    programs or the new ones and never a mixture.
  - All files belong to root. A file that changed hands or mode is put right as well.
  - The programs are those of the collection that the controller has; the module carries them to the node itself.
options:
  directory:
    description: Where to install them. It must exist.
    type: path
    default: /usr/libexec/keepalived
  command:
    description: Where to install the command for a person. Its directory must exist.
    type: path
    default: /usr/bin/ha-pair
  interpreter:
    description: The Python (2.7, 3.6 or newer) that runs them.
    type: path
    default: /usr/bin/python3
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
- name: Install the programs of the node
  duplex.ha_pair.node_programs:
    interpreter: /usr/bin/python3
"""

RETURN = r"""
files:
  description: The files that were, or would be, written.
  returned: always
  type: list
  elements: str
  sample: [/usr/libexec/keepalived/ha_pair.zip, /usr/libexec/keepalived/ha-pair-check]
"""

import os
import stat
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils import _node
from ansible_collections.duplex.ha_pair.plugins.module_utils._node import (
    active,
    active_arbiters,
    active_cgroup,
    active_core,
    active_fence,
    active_ready,
    active_report,
    active_settings,
    active_systemd,
    active_view,
    active_wire,
    addresses,
    arp,
    boot_clock,
    check,
    claims,
    command,
    config_test,
    errors,
    fifo,
    files,
    frozen,
    guard,
    hook,
    http_get,
    journal,
    keepalived_data,
    lost,
    machine,
    mounts,
    nd,
    netlink,
    nginx_test,
    node_report,
    notify,
    owner,
    prober,
    probes,
    programs,
    ready,
    reasons,
    redis,
    redis_role,
    scripts,
    service,
    shell_programs,
    socket_filter,
    state,
    survey,
    sync,
    sync_kept,
    sync_marker,
    sync_receive,
    sync_settings,
    system,
    unordered,
    witness,
    wording,
)

# Named one by one: what is not imported here does not reach the node.
MODULES = (
    active,
    active_arbiters,
    active_cgroup,
    active_core,
    active_fence,
    active_ready,
    active_report,
    active_settings,
    active_systemd,
    active_view,
    active_wire,
    addresses,
    arp,
    boot_clock,
    check,
    claims,
    command,
    config_test,
    errors,
    fifo,
    files,
    frozen,
    guard,
    hook,
    http_get,
    journal,
    keepalived_data,
    lost,
    machine,
    mounts,
    nd,
    netlink,
    nginx_test,
    node_report,
    notify,
    owner,
    prober,
    probes,
    programs,
    ready,
    reasons,
    redis,
    redis_role,
    scripts,
    service,
    shell_programs,
    socket_filter,
    state,
    survey,
    sync,
    sync_kept,
    sync_marker,
    sync_receive,
    sync_settings,
    system,
    unordered,
    witness,
    wording,
)

OWNER = (0, 0)  # root's, in root's group


def read(path):
    """(content, (mode, uid, gid)) of a file, (None, None) when there is none; a link to one is none."""
    try:
        with open(path, "rb") as source:
            seen = os.fstat(source.fileno())
            owned = (stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid)
            return (None, None) if os.path.islink(path) else (source.read(), owned)
    except (IOError, OSError):
        return None, None


def differences(path, before, after):
    """What changed in one file, file by file within an archive."""
    if not path.endswith(".zip"):
        texts = [(data or b"").decode("utf-8", "replace") for data in (before, after)]
        return [{"before_header": path, "after_header": path, "before": texts[0], "after": texts[1]}]
    old, new = programs.contents(before or b""), programs.contents(after)
    return [
        {
            "before_header": "%s: %s" % (path, name),
            "after_header": "%s: %s" % (path, name),
            "before": old.get(name, ""),
            "after": new.get(name, ""),
        }
        for name in sorted(set(old) | set(new))
        if old.get(name) != new.get(name)
    ]


def write(module, path, mode, content):
    """Replace a file in one step."""
    descriptor, temporary = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "wb") as target:
        target.write(content)
    os.chmod(temporary, mode)
    module.atomic_move(temporary, path)
    # Moving kept what the old file had.
    os.chown(path, *OWNER)
    os.chmod(path, mode)


def main():
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/usr/libexec/keepalived"},
            "command": {"type": "path", "default": programs.COMMAND},
            "interpreter": {"type": "path", "default": "/usr/bin/python3"},
        },
        supports_check_mode=True,
    )
    directory = module.params["directory"]
    if not os.path.isdir(directory) and not module.check_mode:
        module.fail_json(msg="%s: is not a directory; make it first" % directory)
    names = ["__init__"] + [part.__name__.rpartition(".")[2] for part in MODULES]
    files = programs.sources(_node.__name__, names)
    wanted = programs.plan(directory, module.params["interpreter"], files, module.params["command"])
    written, diff = [], []
    for path, mode, content in wanted:
        before, owned = read(path)
        if before == content and owned == (mode,) + OWNER:
            continue
        if not module.check_mode:
            write(module, path, mode, content)
        written.append(path)
        diff.extend(differences(path, before, content))
    module.exit_json(changed=bool(written), files=written, diff=diff)


if __name__ == "__main__":
    main()
