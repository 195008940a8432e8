# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line of ours among the authorized keys of somebody; pure functions."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type


def is_ours(line, marker):
    """Whether a line is ours: by what it may start, which nobody else's does."""
    return marker in line and not line.lstrip().startswith("#")


def place(text, wanted, marker):
    """The text with exactly this line of ours, in the place of the first one; None takes them all away."""
    lines, placed = [], wanted is None
    # Not splitlines(): in comments of others there may be what it takes for an end.
    for line in text[:-1 if text.endswith("\n") else None].split("\n") if text else []:
        if not is_ours(line, marker):
            lines.append(line)
        elif not placed:
            lines.append(wanted)
            placed = True
    if not placed:
        lines.append(wanted)
    return "".join(line + "\n" for line in lines)
