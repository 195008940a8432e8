# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the probe comes to: outages, owners, latencies, and how well the probe itself kept time."""

from __future__ import absolute_import, division, print_function

from array import array

__metaclass__ = type


def percentile(values, share):
    """The smallest of the sorted values that is not below `share` of all; None when there are none."""
    if not values:
        return None
    return values[max(0, -int(-share * len(values) // 1) - 1)]


def spread(values, shares):
    """{"median": ..., "p99": ..., "max": ...} of the values."""
    ordered = sorted(values)
    found = {name: _rounded(percentile(ordered, share)) for name, share in shares.items()}
    found["max"] = _rounded(ordered[-1] if ordered else None)
    return found


def _rounded(value):
    return None if value is None else round(value, 6)


LATE = {"median": 0.5, "p99": 0.99}
LATENCY = {"median": 0.5, "p95": 0.95, "p99": 0.99}


class Tally(object):
    """Takes the requests in the order of sending: what a client who asked at that moment was told."""

    def __init__(self, interval):
        self._interval = interval
        self.requests, self.lost, self.answered_by, self.owners = 0, 0, {}, []
        self.outages, self.reasons, self.stalls = [], {}, []
        self.late, self.latency = array("d"), array("d")
        self._node, self._failing, self._last = None, None, None

    @property
    def node(self):
        """Who answered last, None before somebody has."""
        return self._node

    def add(self, request):
        """Count a request that is done; [(what happened, details)] for whoever watches."""
        self.requests += 1
        self.late.append(request.sent - request.due)
        self._last = request
        if not request.ok:
            self._count_lost(request)
            return []
        node, happened = request.node, []
        self.answered_by[node] = self.answered_by.get(node, 0) + 1
        self.latency.append(request.done - request.sent)
        if self._failing is not None:
            outage = self.outages[-1]
            outage["seconds"] = _rounded(request.sent - self._failing.sent)
            outage["end"], outage["after"] = _rounded(request.at), node
            happened.append(("outage", {"seconds": outage["seconds"], "sent": self._failing.sent, "after": node}))
            self._failing = None
        if node != self._node:
            self.owners.append({"at": _rounded(request.at), "node": node})
            happened.append(("owner", {"node": node, "sent": request.sent}))
            self._node = node
        return happened

    def _count_lost(self, request):
        self.lost += 1
        self.reasons[request.reason] = self.reasons.get(request.reason, 0) + 1
        if self._failing is not None:
            self.outages[-1]["lost"] += 1
            return
        self._failing = request
        self.outages.append({
            "start": _rounded(request.at),
            "end": None,
            "seconds": 0.0,
            "lost": 1,
            "before": self._node,
            "after": None,
        })

    def main_reason(self):
        """Why most requests were lost, None when none was."""
        return max(sorted(self.reasons), key=self.reasons.get) if self.reasons else None

    def result(self, started):
        """The plain data; `started` is when the run began, in monotonic seconds."""
        if self._failing is not None:
            self.outages[-1]["seconds"] = _rounded(self._last.sent - self._failing.sent)
        late = spread(self.late, LATE)
        return {
            "seconds": _rounded(self._last.sent - started if self._last else 0.0),
            "requests": self.requests,
            "lost": self.lost,
            "longest": max([outage["seconds"] for outage in self.outages] or [0.0]),
            "resolution": max(self._interval, late["p99"] or 0.0),
            "late": late,
            "latency": spread(self.latency, LATENCY),
            "answered_by": self.answered_by,
            "owners": self.owners,
            "outages": self.outages,
            "reasons": self.reasons,
            "stalls": self.stalls,
        }
