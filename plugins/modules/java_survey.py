#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: java_survey
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Look at what a node has of services of Java already
description:
  - Tells in one look what a deployment of such services has to know before it changes anything. Which Java there is,
    how much memory, whose the accounts, groups and their numbers are, whether directories can be written to and whose
    they are, which releases lie there, what binds other units to a service, and which units run with something else
    than what is written.
  - Changes nothing. A directory on a file system that does not answer is told after some seconds.
options:
  directory:
    description: Where the releases of services lie.
    type: path
    default: /var/lib/ha-pair/java
  services:
    description: The services.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the service.
        type: str
        required: true
      user:
        description: The account that it runs as.
        type: str
        required: true
      uid:
        description: The number that the account is to have.
        type: int
      paths:
        description: The directories to which it has to be able to write.
        type: list
        elements: path
        default: []
      own:
        description: The directories that are to be made for it.
        type: list
        elements: path
        default: []
  units:
    description: The units for which to tell whether they run with what is written.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the unit, with its suffix.
        type: str
        required: true
      files:
        description: The files that it reads when it starts.
        type: list
        elements: path
        default: []
  systemd_directory:
    description: Where units and what belongs to them are written.
    type: path
    default: /etc/systemd/system
  timeout:
    description: How long a directory may take to answer, in seconds.
    type: float
    default: 5
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Look at the node
  duplex.ha_pair.java_survey:
    services:
      - name: fetcher
        user: fetcher
        uid: 991
        paths: [/srv/fetcher]
  register: survey
"""

RETURN = r"""
survey:
  description: What was found.
  returned: success
  type: dict
  contains:
    java:
      description: What there is in C(/usr/lib/jvm), each with C(home), C(version) and C(default).
      type: list
      elements: dict
    memory:
      description: The node's memory in MiB, or what its control group leaves it.
      type: int
    accounts:
      description: The number of each account, null for one that is not there.
      type: dict
    uids:
      description: Whose the numbers are that accounts are to have; those that nobody has are left out.
      type: dict
    groups:
      description: The name of the group of each account, null for one that is not there.
      type: dict
    named_groups:
      description: The number of the group that is named like each account, null where there is none.
      type: dict
    gids:
      description: Which groups have the numbers that accounts are to have; those that none has are left out.
      type: dict
    paths:
      description: By service and path V(missing), V(writable), V(refused), V(file) or V(silent).
      type: dict
    owners:
      description: By service, whose the directories are that are to be made for it, as far as they are there.
      type: dict
    drop_ins:
      description: By service, the files of ours that bind other units to it, or have it tracked as one of both nodes.
      type: dict
    stale:
      description: The units that run, and started before what they read was written.
      type: list
      elements: str
    releases:
      description: By service, the releases that lie there, oldest first.
      type: dict
"""

import calendar
import glob
import grp
import os
import pwd
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._tomcat import releases, survey


def owner_of(uid):
    """Whose number it is; None when it is nobody's."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def group_of(gid):
    """The name of a group; None when no group has the number."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return None


def primary_group(user):
    """The name of an account's group; None without an account."""
    try:
        return group_of(pwd.getpwnam(user).pw_gid)
    except KeyError:
        return None


def number_of_group(name):
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def owners(words):
    """{path: whose it is}, for those that are there and answer."""
    found = {}
    for path in sorted(words):
        if words[path] in ("writable", "refused") and os.path.isdir(path):
            uid = os.stat(path).st_uid
            found[path] = owner_of(uid) or str(uid)
    return found


def drop_ins(directory, name):
    """The files by which units are bound to a service, and by which it is tracked as one that runs on both nodes."""
    bound = glob.glob(os.path.join(directory, "*.d", "ha-pair-%s.conf" % name))
    tracked = os.path.join(directory, "%s.service.d" % name, "ha-pair.conf")
    return sorted(bound) + [tracked] * os.path.exists(tracked)


def is_stale(text, files):
    """Whether a unit runs that started before a file of its was written, by what systemctl says of it.

    Both times are the node's own. systemd tells whole seconds: a start in the second of the writing came after it.
    """
    values = dict(line.partition("=")[::2] for line in text.splitlines())
    words = values.get("ExecMainStartTimestamp", "").split()
    if values.get("ActiveState") not in ("active", "activating", "reloading") or len(words) != 4:
        return False
    started = calendar.timegm(time.strptime(" ".join(words[1:3]), "%Y-%m-%d %H:%M:%S"))
    written = [int(os.stat(path).st_mtime) for path in files if os.path.exists(path)]
    # Or it started after it, and before systemd had read it.
    return values.get("NeedDaemonReload") == "yes" or max(written + [0]) > started


def stale_units(run, units):
    """The names of those that run with something else than what is written; `run` is that of a module."""
    found = []
    for unit in units:
        asked = ["systemctl", "show", "-p", "ActiveState,ExecMainStartTimestamp,NeedDaemonReload", unit["name"]]
        if is_stale(run(asked, environ_update={"TZ": "UTC", "LC_ALL": "C"})[1], unit["files"]):
            found.append(unit["name"])
    return found


def main():
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/var/lib/ha-pair/java"},
            "services": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "user": {"type": "str", "required": True},
                    "uid": {"type": "int"},
                    "paths": {"type": "list", "elements": "path", "default": []},
                    "own": {"type": "list", "elements": "path", "default": []},
                },
            },
            "units": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "files": {"type": "list", "elements": "path", "default": []},
                },
            },
            "systemd_directory": {"type": "path", "default": "/etc/systemd/system"},
            "timeout": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    given = module.params
    parts = "accounts", "uids", "groups", "named_groups", "gids", "paths", "owners", "drop_ins", "releases"
    found = {part: {} for part in parts}
    found.update(
        java=survey.javas(), memory=survey.memory(), stale=stale_units(module.run_command, given["units"])
    )
    for service in given["services"]:
        name, user, uid = service["name"], service["user"], service["uid"]
        account = survey.account(user)
        found["accounts"][user] = None if account is None else account[0]
        owner = None if uid is None else owner_of(uid)
        if owner is not None:
            found["uids"][str(uid)] = owner
        found["groups"][user], found["named_groups"][user] = primary_group(user), number_of_group(user)
        group = None if uid is None else group_of(uid)
        if group is not None:
            found["gids"][str(uid)] = group
        words = survey.write_paths(service["paths"] + service["own"], user, given["timeout"])
        found["paths"][name] = words
        found["owners"][name] = owners({path: words[path] for path in service["own"]})
        found["drop_ins"][name] = drop_ins(given["systemd_directory"], name)
        found["releases"][name] = releases.present(os.path.join(given["directory"], name))
    module.exit_json(changed=False, survey=found)


if __name__ == "__main__":
    main()
