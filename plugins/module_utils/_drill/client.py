# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that asks a URL at a fixed interval and says when it was not answered, and by whom it was.

Every request is a connection of its own and starts on time whether or not earlier ones were answered, so an outage is
seen with the resolution of the interval. Nothing is repeated. How well it keeps time is measured as well.
As a program it prints one JSON object a line: `start`, `owner` (a new node answers), `outage`, at the end `summary`.
"""

from __future__ import absolute_import, division, print_function

import argparse
import gc
import json
import os
import re
import resource
import sys
import time
from collections import deque

from .._node.errors import NodeError
from .asking import Request, asker
from .streams import Download, KeepAlive, Numbers
from .tally import Tally, percentile
from .targets import DEFAULT_HEADER, Target
from .wire import Loop

__metaclass__ = type

# For so long (seconds) it is first seen whether this machine keeps the interval.
WARM_UP = 0.5
# Behind by more than this (seconds) the requests that are overdue are left out, and that is told.
STALL = 0.5
# How long (seconds) the last requests are waited for.
PATIENCE = 2.0
MOST_REQUESTS = 10000000
_LONGEST_NAP = 0.1
_TOKEN = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")
_NUMBERS = {
    "interval": (0.001, 10.0),
    "timeout": (0.01, 10.0),
    "duration": (1.0, 604800.0),
    "start_timeout": (0.1, 600.0),
    "keepalive": (0, 100),
}


class Clock(object):
    """The clocks of this machine."""

    now = staticmethod(time.time)
    monotonic = staticmethod(getattr(time, "monotonic", time.time))


class Settings(object):
    """What to ask and how; NodeError when that cannot be."""

    def __init__(
        self,
        url,
        interval=0.01,
        timeout=0.5,
        duration=600.0,
        header=DEFAULT_HEADER,
        keepalive=0,
        download_url=None,
        start_timeout=5.0,
        post_url=None,
    ):
        self.interval, self.timeout, self.duration = interval, timeout, duration
        self.keepalive, self.start_timeout = keepalive, start_timeout
        for name, (low, high) in sorted(_NUMBERS.items()):
            # NaN is in no range.
            if not low <= getattr(self, name) <= high:
                raise NodeError("%s: %g is not in %g..%g" % (name, getattr(self, name), low, high))
        if not _TOKEN.match(header):
            raise NodeError("header: %r is no name of a header; write one such as %s" % (header, DEFAULT_HEADER))
        if duration / interval > MOST_REQUESTS:
            raise NodeError(
                "duration: %g s at an interval of %g s are more than %d requests; shorten it or lengthen the interval"
                % (duration, interval, MOST_REQUESTS)
            )
        self.target = Target(url, header)
        if keepalive and not self.target.speaks_http:
            raise NodeError("keepalive: needs an http or https URL, not %s; leave it away" % url)
        if post_url and not keepalive:
            raise NodeError("post_url: kept connections ask it, and keepalive is 0; give their number")
        if post_url and "{id}" not in post_url:
            raise NodeError("post_url: URL %s: has no {id} by which one request is told from another" % post_url)
        self.post = Target(post_url, header, "post_url") if post_url else None
        if self.post is not None and not self.post.speaks_http:
            raise NodeError("post_url: needs an http or https URL, not %s" % post_url)
        self.download = Target(download_url, header, "download_url") if download_url else None
        if self.download is not None and not self.download.speaks_http:
            raise NodeError("download_url: needs an http or https URL, not %s" % download_url)

    @property
    def files(self):
        """How many connections may be open at the same time."""
        return 64 + self.keepalive + int(2 * self.timeout / self.interval)

    def provide_files(self):
        """Let this process have as many open files as it may need."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if self.target.kind == "icmp" or soft == resource.RLIM_INFINITY or soft >= self.files:
            return
        if hard != resource.RLIM_INFINITY and hard < self.files:
            raise NodeError(
                "timeout: %g s at an interval of %g s may need %d open connections, this host allows %d; "
                "make the timeout shorter or the interval longer" % (self.timeout, self.interval, self.files, hard)
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, hard))


def step_above(seconds):
    """The next of 1, 2, 5, 10, ... milliseconds that is not less."""
    size = 0.001
    while True:
        for factor in (1, 2, 5):
            if factor * size >= seconds:
                return round(factor * size, 6)
        size *= 10


def _say_nothing(_kind, **_details):
    """Nobody watches."""


class Client(object):
    """Sends the requests and collects the answers, in one thread."""

    def __init__(self, settings, clock=None, loop=None, ask=None, say=None):
        self._settings, self._clock, self._loop = settings, clock or Clock(), loop or Loop()
        self._asker = ask or asker(self._loop, self._clock, settings.target, settings.timeout)
        self._say = say or _say_nothing
        self._flight, self._tally, self._counting = deque(), Tally(settings.interval), False
        # Of every run another one: what serves may remember the names of an earlier run.
        self._numbers = Numbers("%x" % int(1000 * self._clock.now())) if settings.post else None
        self._keepalives = [
            KeepAlive(self._loop, self._clock, settings.post or settings.target, settings.timeout, self._numbers)
            for _each in range(settings.keepalive)
        ]
        self._download = (
            Download(self._loop, self._clock, settings.download, settings.timeout) if settings.download else None
        )
        self._streams = self._keepalives + ([self._download] if self._download else [])
        self._start, self._count, self._started_at, self._counted_from = None, 0, None, None

    # One run

    def run(self, job):
        """See that all is well, let the job be ready, ask until it stops; the result."""
        self._settings.provide_files()
        collecting = gc.isenabled()
        # Nothing here needs it, and a collection in the middle makes requests late.
        gc.disable()
        try:
            self._begin()
            self._warm_up()
            node = self._tally.node
            self._count_from_here()
            job.ready(dict(self._account(), node=node))
            self._ask_until(job.stopping)
            return self._end(job)
        finally:
            self._close()
            if collecting:
                gc.enable()

    def _begin(self):
        self._start, self._count = self._clock.monotonic(), 0

    def _warm_up(self):
        """Nothing of it counts; NodeError when this machine is too slow or nobody answers."""
        self._ask_until(lambda: self._clock.monotonic() - self._start >= WARM_UP)
        self._refuse_slow_machine()
        deadline = self._start + max(WARM_UP, self._settings.start_timeout)
        self._ask_until(lambda: self._all_answer() or self._clock.monotonic() >= deadline)
        self._refuse_silence()

    def _refuse_slow_machine(self):
        late = sorted(self._tally.late)
        late += [request.sent - request.due for request in self._flight]
        median, interval = percentile(sorted(late), 0.5), self._settings.interval
        if median is None or median <= interval:
            return
        # Either each request takes longer than the interval, or they are late now and then.
        achieved = (self._clock.monotonic() - self._start) / max(1, self._count)
        raise NodeError(
            "interval: this machine sends probes %.1f ms late, it cannot keep interval %g; take %g"
            % (median * 1000, interval, step_above(1.5 * (achieved if achieved > 1.2 * interval else median)))
        )

    def _all_answer(self):
        if self._download is not None and self._download.problem is not None:
            return True
        return self._tally.node is not None and all(stream.answered for stream in self._streams)

    def _refuse_silence(self):
        settings = self._settings
        if self._tally.node is None:
            raise NodeError(
                "url: URL %s: nobody answered within %g s (%s); see that it is served and that this host reaches it, "
                "or give a longer start_timeout"
                % (settings.target.url, settings.start_timeout, self._tally.main_reason() or "no answer in time")
            )
        if self._download is not None and not self._download.answered:
            raise NodeError(
                "download_url: URL %s: %s; name a file that this host can fetch"
                % (settings.download.url, self._download.problem or "no answer in time")
            )
        silent = sum(1 for stream in self._keepalives if not stream.answered)
        if silent:
            raise NodeError(
                "keepalive: %d of %d connections to %s were not answered within %g s; see what limits connections there"
                % (silent, settings.keepalive, settings.target.url, settings.start_timeout)
            )

    def _account(self):
        settings = self._settings
        return {
            "url": settings.target.url,
            "interval": settings.interval,
            "timeout": settings.timeout,
            "started_at": round(self._started_at, 6),
        }

    def _count_from_here(self):
        # On with the schedule as it is: its next request is the first that counts.
        self._tally, self._counting = Tally(self._settings.interval), True
        self._started_at, self._counted_from = self._clock.now(), self._clock.monotonic()
        for stream in self._streams:
            stream.forget()
        self._say("start", url=self._settings.target.url, interval=self._settings.interval, at=self._started_at)

    def _end(self, job):
        """Wait for what is still on its way; what had not all of its time is not judged."""
        end = self._clock.monotonic() + min(self._settings.timeout, PATIENCE)
        ended_at = self._clock.now()
        while self._flight and self._clock.monotonic() < end:
            self._serve(end)
        result = dict(
            self._tally.result(self._counted_from),
            ended_at=round(ended_at, 6),
            ended_by=job.ended_by,
            keepalive={
                "connections": self._settings.keepalive,
                "requests": sum(each.requests for each in self._keepalives),
                "lost": sum(len(each.lost) for each in self._keepalives),
                "posts": self._posts(),
                "broken": sorted((entry for each in self._keepalives for entry in each.broken), key=lambda e: e["at"]),
            },
            download=self._download.result() if self._download else None,
        )
        return dict(self._account(), **result)

    def _posts(self):
        """By which names the server knows the requests of kept connections; None when they only ask."""
        if self._numbers is None:
            return None
        lost = sorted(name for each in self._keepalives for name in each.lost)
        return {"prefix": self._numbers.prefix, "sent": self._numbers.given, "lost": lost}

    def _close(self):
        for request in self._flight:
            if request.asked is not None:
                request.asked.give_up(self._clock.monotonic())
        for each in self._streams + [self._asker, self._loop]:
            each.close()

    # On time

    def _ask_until(self, done):
        """Ask on schedule until done() says so."""
        interval = self._settings.interval
        while True:
            due = self._start + self._count * interval
            while True:
                self._serve(due)
                if done():
                    return
                now = self._clock.monotonic()
                if now >= due:
                    break
            if now - due > max(STALL, 2 * interval):
                due = self._skip(now, due)
            self._send(due)

    def _stood_still(self, now, since):
        """This machine did not run: the time of what was on its way passed without anybody looking. Judge nothing."""
        for request in self._flight:
            if request.done is None:
                request.counted = None
                request.asked.give_up(now)
        for each in self._streams:
            each.pardon(now)
        self._note_stall(now, since)

    def _note_stall(self, now, since):
        at = self._clock.now()
        stalls, began = self._tally.stalls, at - (now - since)
        if not stalls or stalls[-1]["to"] < began:
            stalls.append({"from": round(began, 6), "to": round(at, 6)})

    def _skip(self, now, due):
        """Leave out what is overdue after a standstill; when the next request would have been due."""
        missed = int((now - due) / self._settings.interval)
        self._note_stall(now, due)
        self._count += missed
        return due + missed * self._settings.interval

    def _send(self, due):
        now = self._clock.monotonic()
        request = Request(due, now, self._clock.now(), now + self._settings.timeout, self._counting)
        self._count += 1
        self._flight.append(request)
        self._asker.ask(request)

    def _serve(self, until):
        """Handle what the network brings, once; not longer than until a moment, nor than the longest nap."""
        now = self._clock.monotonic()
        nearest = min([until, now + _LONGEST_NAP] + [each.next_at for each in self._streams if each.next_at])
        if self._flight:
            nearest = min(nearest, self._flight[0].deadline)
        self._loop.wait(nearest - now)
        now = self._clock.monotonic()
        if now - nearest > STALL:
            self._stood_still(now, nearest)
        for each in self._streams:
            if each.next_at is not None and each.next_at <= now:
                each.tick()
        for request in self._flight:
            if request.deadline > now:
                break
            if request.done is None:
                request.asked.give_up(now)
        self._asker.tidy(now)
        self._settle()

    def _settle(self):
        """Count what has become certain, in the order of sending."""
        while self._flight and self._flight[0].done is not None:
            request = self._flight.popleft()
            if request.counted != self._counting:
                continue
            for kind, details in self._tally.add(request):
                # What happened is told in seconds since the start.
                details["at"] = round(details.pop("sent") - (self._counted_from or self._start), 3)
                if self._counting:
                    self._say(kind, **details)


# As a program


class _Here(object):
    """Stands for the job where a program runs by itself: until a file appears or the time is over."""

    def __init__(self, duration, stop_file):
        self._end, self._stop_file, self._looked_at = Clock.monotonic() + duration, stop_file, 0.0
        self.ended_by = "itself"

    def ready(self, _data=None):
        """Nobody waits for it."""

    def stopping(self):
        now = Clock.monotonic()
        if now >= self._end:
            self.ended_by = "limit"
        elif now - self._looked_at >= _LONGEST_NAP:
            self._looked_at = now
            if os.path.exists(self._stop_file):
                self.ended_by = "stop"
        return self.ended_by != "itself"


def _say(kind, **details):
    sys.stdout.write(json.dumps(dict(details, event=kind)) + "\n")
    sys.stdout.flush()


def main(arguments=None):
    """Read the arguments and run; the exit code."""
    parser = argparse.ArgumentParser(description="Ask a URL at a fixed interval and tell of every outage.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--interval", type=float, default=0.01, help="seconds between two requests")
    parser.add_argument("--timeout", type=float, default=0.5, help="seconds after which a request counts as lost")
    parser.add_argument("--duration", type=float, default=120, help="seconds at the most")
    parser.add_argument("--header", default=DEFAULT_HEADER, help="the header of an answer that names the node")
    parser.add_argument("--stop-file", default="/tmp/ha-pair-probe.stop", help="end when this file appears")
    given = parser.parse_args(arguments)
    try:
        settings = Settings(given.url, given.interval, given.timeout, given.duration, header=given.header)
        result = Client(settings, say=_say).run(_Here(given.duration, given.stop_file))
    except NodeError as exc:
        sys.stderr.write("probe: %s\n" % exc)
        return 1
    # For those who read one line, `late` is the worst of it.
    summary = dict(result, lateness=result["late"])
    summary["late"] = result["late"]["max"]
    _say("summary", **summary)
    return 0
