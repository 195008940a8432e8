# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock by which leases are counted: nobody sets it, and it goes on while this machine sleeps.

A machine whose hypervisor pauses it may find its own clocks paused as well; that no clock of a node can tell.
"""

from __future__ import absolute_import, division, print_function

import time

__metaclass__ = type

# Linux's number for it; Python names it from 3.7.
_CLOCK_BOOTTIME = 7


def _by_libc():
    # Python 2.7 has no clock but the one that people set.
    import ctypes

    class Timespec(ctypes.Structure):
        _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]

    ask = ctypes.CDLL(None, use_errno=True).clock_gettime

    def read():
        found = Timespec()
        if ask(_CLOCK_BOOTTIME, ctypes.byref(found)) != 0:
            raise OSError(ctypes.get_errno(), "CLOCK_BOOTTIME")
        return found.seconds + found.nanoseconds / 1e9

    return read


boottime = (lambda: time.clock_gettime(_CLOCK_BOOTTIME)) if hasattr(time, "clock_gettime") else _by_libc()
