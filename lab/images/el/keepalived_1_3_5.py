#!/usr/bin/python3 -I
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface of keepalived 1.3.5 before a newer daemon: EL 7's stand-in.

It calls itself 1.3.5 and has none of the options that came later. Of a configuration with a word that 1.3.5 does not
know it starts nothing: the real one would log the word and go on without what it stands for. All else is the newer
daemon's: how it elects, tracks and writes its data.

`--words-only` looks at the configuration and starts nothing; the unit does it before a reload.
"""

from __future__ import annotations

import glob
import os
import re
import sys
from pathlib import Path

DAEMON = "/usr/libexec/el-stand-in/keepalived"
KEYWORDS = Path("/usr/libexec/el-stand-in/keepalived-1.3.5.txt")
DEFAULT = "/etc/keepalived/keepalived.conf"
LATER_OPTIONS = re.compile(r"-t$|--config-test(=|$)|--signum(=|$)")
# What stands in these is no statement: addresses, interfaces, names.
LISTS = re.compile(
    r"(virtual_(ipaddress(_excluded)?|routes|rules)|static_(ipaddress|routes|rules)|unicast_peer|notification_email"
    r"|track_(interface|script|file|process|bfd)|group|virtual_server_group)$"
)


def words(path: str) -> list[tuple[str, int, str]]:
    """(file, line, word) of all statements, of included files as well."""
    found: list[tuple[str, int, str]] = []
    blocks: list[str] = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        bare = re.sub(r"[!#].*", "", re.sub(r'"[^"]*"', "text", line))
        word = ""
        for part in re.findall(r"[{}]|[^\s{}]+", bare):
            if part == "{":
                blocks.append(word)
                word = ""
            elif part == "}":
                del blocks[-1:]
                word = ""
            elif not word:
                word = part
                if word == "include":
                    for included in sorted(glob.glob(os.path.join(os.path.dirname(path), bare.split()[1]))):
                        found += words(included)
                elif not any(LISTS.match(block) for block in blocks):
                    found.append((path, number, word))
    return found


def unknown(path: str) -> list[str]:
    """What 1.3.5 says in its log of words that it does not know."""
    known = {word for word in KEYWORDS.read_text(encoding="utf-8").split("\n") if word and not word.startswith("#")}
    return [f"{place}:{line}: Unknown keyword '{word}'" for place, line, word in words(path) if word not in known]


def file_of(arguments: list[str]) -> str:
    """The configuration that the arguments name."""
    for place, argument in enumerate(arguments):
        if argument in ("-f", "--use-file"):
            return arguments[place + 1]
        if argument.startswith("--use-file="):
            return argument.partition("=")[2]
        if re.match(r"-f.", argument):
            return argument[2:]
    return DEFAULT


def main() -> None:
    """See above."""
    arguments = sys.argv[1:]
    for argument in arguments:
        if argument in ("-v", "--version"):
            sys.stderr.write("Keepalived v1.3.5 (03/19,2017)\n")
            return
        if LATER_OPTIONS.match(argument):
            sys.exit(f"keepalived: unrecognized option '{argument}'")
    path = file_of(arguments)
    problems = unknown(path) if os.path.exists(path) else []
    if problems:
        sys.exit("\n".join(["EL-shaped stand-in: this is no configuration for keepalived 1.3.5", *problems]))
    if "--words-only" not in arguments:
        os.execv(DAEMON, ["keepalived", *arguments])  # noqa: S606  # it is to be the daemon, under the same number


if __name__ == "__main__":
    main()
