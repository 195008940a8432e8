# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a service that runs on one node only is to run here, and what takes it there: no clock, no I/O.

It reconciles: each look compares what is wanted with what systemd says, and gives at most one command. Nothing is
replayed, so a hundred changes of VRRP between two looks are one. A start waits for the end of a stop that was begun,
because a stop has a deadline and a start may take minutes; a stop waits for nothing.

Whoever lent us the service counts on its end: before the loan runs out there is time for a stop in good order, and
what is left of the service is killed a margin before the end, at the first look after it at the latest.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

MASTER = "MASTER"
START, STOP, KILL = "start", "stop", "kill"
GRANTED, ASKED, DENIED = "granted", "asked", "denied"
# What a person reads of a service.
STANDBY, WAITING, STARTING, ACTIVE, STOPPING, HELD_DOWN = (
    "standby",
    "waiting",
    "starting",
    "active",
    "stopping",
    "hold-down",
)
# A look that comes later than this after the one before (s) finds that this program did not run meanwhile.
GAP = 0.5
# How often a command is repeated that showed no effect (s).
AGAIN = 1.0
# How long a service that failed is left alone (s): twice as long each time.
FIRST_HOLD_DOWN, LONGEST_HOLD_DOWN = 30.0, 900.0
# For how long it has to run well until its earlier failures are forgotten (s).
PROVEN = 600.0

_DEAD = ("inactive", "failed")
# Its program is there: one that reads its settings again goes on meanwhile.
RUNNING = ("active", "reloading", "refreshing")


class Grant(object):
    """What an arbiter says: its word, until when (None: for as long as it says so) and why."""

    def __init__(self, word, why, until=None):
        self.word, self.why, self.until = word, why, until


class Decision(object):
    """What to do now (or None), in which phase the service is, and why."""

    def __init__(self, action, phase, why):
        self.action, self.phase, self.why = action, phase, why


def is_dead(unit):
    """Whether nothing of the service runs or is about to; what systemd does not say is no proof of that."""
    return unit is not None and unit["down"] and unit["job"] is None


class Service(object):
    """What is remembered of one service from look to look.

    `settings` has confirm, blind, start_timeout, stop_timeout, margin (s) and restarts: so many ends within PROVEN are
    mended by a new start. A look is wish(), then the arbiter, then decide().
    """

    def __init__(self, settings):
        self._settings = settings
        self._word, self._since, self._known = None, None, None
        self._want = False
        self._lent_until = None  # by when nothing may run here any more
        self._started = self._ready = self._proven = None
        self._stopping, self._stopped, self._killed = None, None, None
        self._crashes, self._restarts = [], None
        self._run_seen, self._run_due = None, False  # which run of its program it is, and whether a START began another
        self._failures, self._held_until = 0, None
        # Of its agent: `settling` until it is certain that nothing runs that an agent before it has left.
        self.failure, self.leaving, self.settling = None, False, False

    def wish(self, now, gap, vrrp, age=0.0):
        """Whether the service is wanted here, as far as VRRP and its own past say; `gap`: we did not run for a while.

        `vrrp`: the state of the instance, None when nobody knows it; `age`: how long it had been so when it was seen
        first (s).
        """
        if gap:
            # What was true before may not be true any more; what runs is a matter of its loan.
            self._since = now
            self._want = self._want and self._started is not None
        if vrrp is None:
            self._since = None
            if self._known is None or now - self._known > self._settings["blind"]:
                self._word, self._want = None, False
        else:
            if vrrp != self._word or self._since is None:
                self._since = now - age
            self._word, self._known = vrrp, now
            self._want = vrrp == MASTER and (self._want or now - self._since >= self._settings["confirm"])
        if self.leaving or self.settling or self.held_down(now):
            self._want = False
        return self._want

    def until_wanted(self, now):
        """In how many seconds it is wanted here if VRRP stays as it is; None when it is already, or will not be."""
        if self._want or self._word != MASTER or self._since is None:
            return None
        if self.leaving or self.settling or self.held_down(now):
            return None
        return max(0.0, self._since + self._settings["confirm"] - now)

    def held_down(self, now):
        """Whether it failed here and is left alone; keepalived is to prefer the peer then."""
        return self._held_until is not None and now < self._held_until

    @property
    def held_until(self):
        return self._held_until

    @property
    def was_killed(self):
        """Whether what runs here was killed, and nobody has seen the end of it yet."""
        return self._killed is not None

    def overdue(self, now):
        """Whether what runs here has to be killed before anything else is looked at."""
        return self._lent_until is not None and now >= self._lent_until - self._settings["margin"]

    def expire(self, now):
        """Whoever lent it to us may have given it to another one by now."""
        self._lent_until = now

    def forget_loan(self):
        """Nothing runs here."""
        self._lent_until = None

    def take_back_start(self):
        """The last START was not given."""
        self._started = None

    def kill_overdue(self, now):
        """The first thing of a look: KILL when it is time for it, whatever else there is."""
        if not self.overdue(now):
            return None
        self._stopping = now if self._stopping is None else self._stopping
        return self._kill(now)

    def decide(self, now, grant, unit, ready):
        """`unit`: target and service (their ActiveState), job ("start", "stop", None), restarts, down; None: unknown.
        Its run is another one for each start of its program, whoever started it.

        `ready`: the service's own test; True, False or None when it says nothing.
        """
        if grant.until is not None and grant.word == GRANTED:
            self._lent_until = grant.until
        elif grant.word == GRANTED:
            self._lent_until = None
        if self._want and grant.word == GRANTED and not self._runs_out(now) and self._stopping is None:
            decision = self._run(now, unit, ready)
            if decision is not None:
                return decision
        return self._stop(now, grant, unit)

    def _runs_out(self, now):
        settings = self._settings
        return self._lent_until is not None and now >= self._lent_until - settings["stop_timeout"] - settings["margin"]

    # It is to run

    def _run(self, now, unit, ready):
        """None when it failed, and is to stop."""
        if unit is None:
            return Decision(None, STARTING if self._started is not None else WAITING, "systemd does not answer")
        ended = unit["service"] in _DEAD and unit["job"] is None
        if self._started is None:
            if unit["job"] == "stop" or "deactivating" in (unit["target"], unit["service"]):
                return Decision(None, WAITING, "waits for the end of a stop that somebody else began")
            self._started, self._restarts = now, unit["restarts"]
            self._run_seen, self._run_due = unit["run"], ended
            if ended:
                return Decision(START, STARTING, "VRRP is MASTER here, and the arbiter agrees")
        elif ended:
            return self._ended(now, unit)
        if unit["restarts"] > (self._restarts or 0):
            self._restarts = unit["restarts"]
            self._begin_again(now)
            if self._count_end(now):
                return None
        if self._is_another(unit):
            # Somebody restarts it, and the new program is given the time of a start.
            self._begin_again(now)
        return self._judge(now, ready if unit["service"] in RUNNING else None)

    def _is_another(self, unit):
        """Whether somebody else exchanges, or has exchanged, the program that runs."""
        if unit["run"] == self._run_seen:
            return self._ready is not None and unit["service"] not in RUNNING
        due, self._run_seen, self._run_due = self._run_due, unit["run"], False
        return not due

    def _judge(self, now, ready):
        if self._ready is None:
            if ready:
                self._ready, self._proven, self.failure = now, False, None
                self._run_due = False
            elif now - self._started > self._settings["start_timeout"]:
                self._fail(now, "was not ready within %g s" % self._settings["start_timeout"])
                return None
            else:
                return Decision(None, STARTING, "is not ready yet")
        elif ready is False:
            self._fail(now, "was ready, and does not answer any more")
            return None
        elif not self._proven and now - self._ready >= PROVEN:
            self._proven, self._failures, self._crashes = True, 0, []
        return Decision(None, ACTIVE, "is ready")

    def _ended(self, now, unit):
        """It ended although nobody told it to."""
        self._begin_again(now)
        self._restarts = unit["restarts"]
        self._run_seen, self._run_due = unit["run"], True
        if self._count_end(now):
            return None
        return Decision(START, STARTING, "ended by itself (%s)" % unit["result"])

    def _begin_again(self, now):
        self._started, self._ready = now, None

    def _count_end(self, now):
        """Whether it ended too often."""
        self._crashes = [at for at in self._crashes if now - at < PROVEN] + [now]
        if len(self._crashes) <= self._settings["restarts"]:
            return False
        self._fail(now, "ended by itself %d times within %d s" % (len(self._crashes), PROVEN))
        return True

    def _fail(self, now, why):
        self._held_until = now + min(LONGEST_HOLD_DOWN, FIRST_HOLD_DOWN * 2 ** min(self._failures, 10))
        self._failures += 1
        self._crashes, self._want, self.failure = [], False, why

    # It is to stop

    def _stop(self, now, grant, unit):
        why = self._reason(now, grant)
        if is_dead(unit):
            self._started = self._ready = self._stopping = self._stopped = self._killed = None
            self.forget_loan()
            phase = WAITING if self._want else HELD_DOWN if self.held_down(now) else STANDBY
            return Decision(None, phase, why)
        if unit is None and self._started is None and self._stopping is None:
            return Decision(None, WAITING, why if self.settling else "systemd does not answer")
        if self._stopping is None:
            self._stopping = now
        deadline = self._stopping + self._settings["stop_timeout"]
        if self._lent_until is not None:
            deadline = min(deadline, self._lent_until - self._settings["margin"])
        # Told before it is killed: systemd would start again what ended without its knowing why.
        if self._stopped is not None and now >= deadline:
            action = self._kill(now)
            if action is not None:
                return Decision(action, STOPPING, why)
        stops = unit is not None and (unit["job"] == "stop" or "deactivating" in (unit["target"], unit["service"]))
        if self._stopped is None or (not stops and now - self._stopped >= AGAIN):
            self._stopped = now
            return Decision(STOP, STOPPING, why)
        return Decision(None, STOPPING, why)

    def _kill(self, now):
        if self._killed is not None and now - self._killed < AGAIN:
            return None
        self._killed = now
        return KILL

    def _reason(self, now, grant):
        if self.held_down(now):
            return "%s; left alone for %d s" % (self.failure, self._held_until - now + 0.999)
        if not self._want:
            if self.leaving:
                return "its agent is about to end"
            if self.settling:
                return "its agent has just started"
            if self._word is None:
                return "nobody says what VRRP is here"
            if self._word == MASTER:
                return "VRRP has to be MASTER for %g s first" % self._settings["confirm"]
            return "VRRP is %s here" % self._word
        if grant.word == GRANTED and self._runs_out(now):
            return "the loan runs out, and was not renewed"
        if grant.word == GRANTED:
            return "waits for the end of the stop that was begun"
        return grant.why
