#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: selinux_denials
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Tell what SELinux denied since a deployment
description:
  - Reads the audit log with its rotated parts or, where no audit daemon writes one, the journal, and returns the
    denials of named processes, of the programs of this collection, and of the paths and types that they use.
  - What a permissive policy only would have denied is told as well.
  - Changes nothing, and fails for no denial. A role that calls it decides.
options:
  mark:
    description:
      - The file that was written when the deployment began. Denials that are older are not told.
      - Where it is not there, those since the boot are.
    type: path
    default: /run/keepalived/ha-pair/deployed
  domains:
    description: The types of the processes whose denials are told.
    type: list
    elements: str
    default: []
  targets:
    description: The types of files, ports and the like whose denials are told, whoever asked for them.
    type: list
    elements: str
    default: []
  paths:
    description: Files and directories. Denials on them and below are told, whoever asked for them.
    type: list
    elements: path
    default: []
  log:
    description: The audit log. Rotated parts lie beside it, with C(.1) and so on at the end of the name.
    type: path
    default: /var/log/audit/audit.log
attributes:
  check_mode:
    description: Can run in check mode and returns the same.
    support: full
  diff_mode:
    description: Has nothing to show, since it changes nothing.
    support: none
  idempotent:
    description: Changes nothing, however often it runs.
    support: full
"""

EXAMPLES = r"""
- name: Ask what keepalived was denied
  duplex.ha_pair.selinux_denials:
    domains: [keepalived_t]
  register: denied

- name: Refuse a node on which something was denied
  ansible.builtin.assert:
    that: denied.problems | length == 0
    fail_msg: "{{ denied.problems | join('; ') }}"
"""

RETURN = r"""
source:
  description: Where the denials were read, the path of the log or C(journal). C(none) where SELinux is off.
  returned: always
  type: str
  sample: /var/log/audit/audit.log
since:
  description: From when on, in seconds since 1970.
  returned: always
  type: float
problems:
  description: The denials in words, each with a cure.
  returned: always
  type: list
  elements: str
  sample:
    - >-
      SELinux denied nginx (httpd_t) name_connect on port 8080 (tcp_socket, http_cache_port_t), 4 times; run
      `setsebool -P httpd_can_network_connect on` there
denials:
  description:
    - The denials, each kind once, with C(at) (the last time, in seconds since 1970), C(count), C(permissions),
      C(source) and C(target) (types), C(class), C(command), C(object), C(port) and C(enforced).
  returned: always
  type: list
  elements: dict
"""

import glob
import io
import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_text
from ansible_collections.duplex.ha_pair.plugins.module_utils._el import audit
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.wording import cleaned


def boot_time():
    """When the kernel started."""
    with io.open("/proc/stat", "rb") as source:
        return float(re.search(r"^btime (\d+)$", to_text(source.read()), re.MULTILINE).group(1))


def beginning(mark):
    """The time of the mark, else of the boot."""
    try:
        return os.stat(mark).st_mtime
    except (IOError, OSError):
        return boot_time()


def parts(log, since):
    """The log and those of its rotated parts that were written to since, oldest first."""
    rotated = [path for path in glob.glob(glob_escape(log) + ".*") if path[len(log) + 1 :].isdigit()]
    rotated.sort(key=lambda path: int(path[len(log) + 1 :]), reverse=True)
    return [path for path in rotated if os.stat(path).st_mtime >= since] + [log]


def glob_escape(path):
    """Python 2 has none."""
    return re.sub(r"([*?[])", r"[\1]", path)


def is_there(log):
    """Whether there is a log, also when it may not be looked at."""
    directory = os.path.dirname(log)
    return os.path.lexists(log) or (os.path.isdir(directory) and not os.access(directory, os.X_OK))


def read_log(module, log, since):
    """The denials of the audit log."""
    found = []
    for path in parts(log, since):
        try:
            with io.open(path, "rb") as source:
                found += audit.parse_log(to_text(line, errors="surrogate_or_replace") for line in source)
        except (IOError, OSError) as exc:
            module.fail_json(
                msg="%s: cannot be read (%s), so nobody knows what SELinux denied; run as root" % (path, exc.strerror)
            )
    return found


def read_journal(module, since):
    """The denials that the kernel told without an audit daemon."""
    # The audit log of the kernel comes to the journal by two ways; which of them is open depends on its settings.
    asked = ["journalctl", "--no-pager", "--output=json", "--since=@%d" % since]
    code, out, err = module.run_command(asked + ["_TRANSPORT=audit", "+", "_TRANSPORT=kernel"])
    if code != 0:
        module.fail_json(
            msg="journalctl: failed with %d (%s), and there is no audit log, so nobody knows what SELinux denied; "
            "start auditd.service" % (code, cleaned(err.strip()) or "no message")
        )
    return audit.parse_journal(out.splitlines())


def main():
    module = AnsibleModule(
        argument_spec={
            "mark": {"type": "path", "default": "/run/keepalived/ha-pair/deployed"},
            "domains": {"type": "list", "elements": "str", "default": []},
            "targets": {"type": "list", "elements": "str", "default": []},
            "paths": {"type": "list", "elements": "path", "default": []},
            "log": {"type": "path", "default": "/var/log/audit/audit.log"},
        },
        supports_check_mode=True,
    )
    given = module.params
    since = beginning(given["mark"])
    source, denials = "none", []
    if is_there(given["log"]):
        source, denials = given["log"], read_log(module, given["log"], since)
    # No audit daemon, or one that no longer writes.
    is_silent = source == "none" or os.stat(given["log"]).st_mtime < since
    if is_silent and module.selinux_enabled():
        source, denials = "journal", denials + read_journal(module, since)
    found = audit.chosen(denials, since, given["domains"], given["targets"], given["paths"])
    module.exit_json(
        changed=False,
        source=source,
        since=since,
        denials=found,
        problems=[audit.problem(denial) for denial in found],
    )


if __name__ == "__main__":
    main()
