# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof that a service is well: so many good answers in a row. One bad answer, and counting begins anew."""

from __future__ import absolute_import, division, print_function

import time

__metaclass__ = type

# One question may not eat the whole time.
LONGEST_ANSWER = 2.0

_clock = getattr(time, "monotonic", time.time)


def pass_gate(ask, consecutive, interval, timeout, clock=_clock, sleep=time.sleep):
    """{"passed", "in_row", "asked", "bad", "problem", "seconds"}.

    ask: takes a timeout, gives None for a good answer, else what was wrong with it. `problem` is the last of them.
    """
    began = clock()
    deadline, in_row, asked, bad, problem = began + timeout, 0, 0, 0, None
    while in_row < consecutive:
        left = deadline - clock()
        if left <= 0:
            break
        found = ask(min(left, LONGEST_ANSWER))
        asked += 1
        if found is None:
            in_row += 1
        else:
            in_row, bad, problem = 0, bad + 1, found
        if in_row < consecutive:
            sleep(max(0.0, min(interval, deadline - clock())))
    return {
        "passed": in_row >= consecutive,
        "in_row": in_row,
        "asked": asked,
        "bad": bad,
        "problem": problem,
        "seconds": round(clock() - began, 3),
    }
