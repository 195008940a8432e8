# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sorts news that overtake each other: keepalived 1.3 starts a process for every change and waits for none.

The order of the changes is that in which keepalived forked, (ticks since boot, process number). Not every change is
told either: of a sync group that goes into FAULT, only the instance with the cause. So news only say that it is time to
ask keepalived itself, whose word ends whatever was forked before it was asked.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type


class Unordered(object):
    """What was the newest of each instance so far."""

    def __init__(self):
        self._newest = {}
        self._asked = None

    def told(self, ticks):
        """keepalived has said what it is; it was asked at that tick."""
        self._asked = ticks

    def sort(self, events):
        """(the events without those that came too late, in their order; whether keepalived is to be asked).

        One that stops has nothing more to say.
        """
        sent = sorted((event for event in events if event and "order" in event), key=lambda event: event["order"])
        kept = []
        for event in events:
            if event is None or "order" not in event:
                kept.append(event)
                continue
            first = sent.pop(0)
            if not self._is_late(first):
                self._newest[first["name"]] = first["order"]
                kept.append(first)
        return kept, any(event and "order" in event and event["state"] != "STOPPED" for event in kept)

    def _is_late(self, event):
        if self._asked is not None and event["order"][0] < self._asked:
            return True
        return event["order"] <= self._newest.get(event["name"], (-1, -1))
