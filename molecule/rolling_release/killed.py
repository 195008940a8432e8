# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command and kills it, with all that it started, as soon as a line of its output matches a pattern."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path


def halt(pid: int) -> list[int]:
    """Stops a process and all that it started, parents first so that none starts another; their process ids."""
    try:
        os.kill(pid, signal.SIGSTOP)
        of_threads = [each.read_text() for each in Path(f"/proc/{pid}/task").glob("*/children")]
    except (ProcessLookupError, FileNotFoundError):
        return []  # it ended meanwhile
    return [pid] + [each for children in of_threads for child in children.split() for each in halt(int(child))]


def main(pattern: str, command: list[str]) -> int:
    """0 when it was killed; 1 when it ended before."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = []
    for line in process.stdout or ():
        said.append(line)
        if re.search(pattern, line):
            # Ansible's workers are sessions of their own, so the process group would not reach them.
            for each in halt(process.pid):
                os.kill(each, signal.SIGKILL)
            process.wait()
            return 0
    print(f"ended with {process.wait()} before {pattern!r} was said:\n{''.join(said)[-6000:]}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
