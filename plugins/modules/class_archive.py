#!/usr/bin/python
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: class_archive
author: duplex.ha_pair contributors (@duplex-ha)
version_added: 0.1.0
short_description: Have a Java program make the archive of its classes
description:
  - Starts the program as its account with words that make it load its classes and end by itself, and puts the archive
    for class data sharing that the JVM then writes into its place. With it the program starts sooner.
  - An archive fits the Java, the jar and the options that it was made with. It is made anew when one of them changed.
  - The archive belongs to root, and the account can read it.
options:
  command:
    description:
      - The program by its absolute path and its words, among them C(-XX:ArchiveClassesAtExit=%s), where C(%s) stands
        for the place of the archive.
    type: list
    elements: str
    required: true
  path:
    description: Where the archive goes. Its directory must exist.
    type: path
    required: true
  user:
    description: The account that starts the program.
    type: str
    required: true
  timeout:
    description: How long the program may take, in seconds.
    type: int
    default: 60
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
  idempotent:
    description: An archive that fits is left alone.
    support: full
"""

EXAMPLES = r"""
- name: Make the archive of the classes of a service
  duplex.ha_pair.class_archive:
    command:
      - /usr/lib/jvm/default-java/bin/java
      - -XX:ArchiveClassesAtExit=%s
      - -jar
      - /var/lib/ha-pair/java/fetcher/0a1b2c3d4e5f6071/fetcher.jar
      - --version
    path: /var/lib/ha-pair/java/fetcher/0a1b2c3d4e5f6071/fetcher.jsa
    user: fetcher
"""

RETURN = r"""
size:
  description: The size of the archive in bytes; null in check mode where there is none yet.
  returned: success
  type: int
  sample: 5242880
"""

import errno
import hashlib
import json
import os
import pwd
import shutil
import stat
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.system import read_text
from ansible_collections.duplex.ha_pair.plugins.module_utils._tomcat import archive

# What timeout(1) ends with when it ended the program.
TIMED_OUT = (124, 137)


def fingerprint(command):
    """What an archive depends on: the words, and the Java that is behind the first of them."""
    program = os.path.realpath(command[0])
    release = read_text(os.path.join(os.path.dirname(os.path.dirname(program)), "release")) or ""
    try:
        # A Java whose package was renewed has another one.
        seen = os.stat(program)
        identity = [seen.st_size, int(seen.st_mtime)]
    except (IOError, OSError):
        identity = []
    text = json.dumps([command, program, release, identity], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def open_made(path, account):
    """A descriptor of what the program made; refused when it is anything but a file of the account's own.

    The account has the directory: a link there would have root copy what the account may not read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as exc:
        if exc.errno == errno.ENOENT:
            return None
        raise NodeError("path: %s, made by the program, cannot be read (%s); see what it does" % (path, exc.strerror))
    seen = os.fstat(descriptor)
    if not stat.S_ISREG(seen.st_mode) or seen.st_uid != account.pw_uid or seen.st_nlink != 1:
        os.close(descriptor)
        raise NodeError("path: %s, made by the program, is no file of its own; see what it does" % path)
    return descriptor


def copy(descriptor, path):
    """Bring an open file to a path."""
    with os.fdopen(os.dup(descriptor), "rb") as source, open(path, "wb") as target:
        shutil.copyfileobj(source, target)


def make(module, account, stamp):
    """Have the program make it, and put it into its place."""
    given = module.params
    working = tempfile.mkdtemp(prefix="ha-pair-classes.")
    made, opened = os.path.join(working, "classes.jsa"), None
    try:
        os.chown(working, account.pw_uid, account.pw_gid)
        words = [word.replace("%s", made) for word in given["command"]]
        limit = ["timeout", "--kill-after=5", str(given["timeout"])]
        code, out, err = module.run_command(["runuser", "-u", given["user"], "--"] + limit + words, cwd=working)
        if code in TIMED_OUT:
            raise NodeError(
                "command: %s did not end by itself within %d s; give arguments with which it does"
                % (" ".join(given["command"]), given["timeout"])
            )
        opened = open_made(made, account) if code == 0 else None
        if opened is None:
            said = [line.strip() for line in (err + "\n" + out).splitlines() if line.strip()]
            raise NodeError(
                "command: %s %s (%s); give arguments with which it ends well, and a Java of version 13 or newer"
                % (
                    " ".join(given["command"]),
                    "ended with %d" % code if code else "made no archive",
                    said[-1][:200] if said else "no word of why",
                )
            )
        temporary = given["path"] + ".new"
        copy(opened, temporary)
        os.chmod(temporary, 0o640)
        os.chown(temporary, 0, account.pw_gid)
        archive.to_disk(temporary)
        os.rename(temporary, given["path"])
        with open(given["path"] + ".of", "w") as target:
            target.write(stamp + "\n")
    finally:
        if opened is not None:
            os.close(opened)
        # As the account: root would follow what that puts there meanwhile.
        module.run_command(["runuser", "-u", given["user"], "--", "rm", "-rf", working], cwd="/")


def run(module):
    """What was done, as the module's result."""
    given = module.params
    if not any("%s" in word for word in given["command"]):
        raise NodeError("command: has no %s for the place of the archive; give -XX:ArchiveClassesAtExit=%s")
    stamp = fingerprint(given["command"])
    is_due = not os.path.isfile(given["path"]) or (read_text(given["path"] + ".of") or "").strip() != stamp
    if is_due and not module.check_mode:
        try:
            account = pwd.getpwnam(given["user"])
        except KeyError:
            raise NodeError("user: %s is not an account of the node; make it first" % given["user"])
        make(module, account, stamp)
    size = os.path.getsize(given["path"]) if os.path.isfile(given["path"]) else None
    return {"changed": is_due, "size": size}


def main():
    module = AnsibleModule(
        argument_spec={
            "command": {"type": "list", "elements": "str", "required": True},
            "path": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except (IOError, OSError) as exc:
        module.fail_json(msg="%s: %s; run as root, and see whether the disk is full" % (exc.filename, exc.strerror))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
