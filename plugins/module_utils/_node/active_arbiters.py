# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who says whether a service may run here: nobody, the peer, a witness on a third host, or a command that fences.

Each has look(now, want, down), called once in every look, which gives a Grant; resumed(now, gap), called before it
when this program did not run for `gap` seconds, which says whether what runs here has to be killed first; and
answer(message, now), for what the peer asks. `now` is the clock of boot_clock; nothing here waits.

A loan counts from when it was asked for, at the one who got it, and from when it was given, at the one who gave it. So
however long a message takes, it ends first where it was used.
"""

from __future__ import absolute_import, division, print_function

from .active_core import ASKED, DENIED, GRANTED, Grant

__metaclass__ = type

# How often is asked for what is wanted and not there (s), and how often at least just to hear each other.
ASK_INTERVAL = 0.2
HEAR_INTERVAL = 2.0
# Run for so long without a gap, a peer that can reach us has reached us (s).
SETTLED = 5.0
UNWANTED = "it is not wanted here"
# How soon a fencing command that failed runs again (s): twice as long each time.
FIRST_RETRY, LONGEST_RETRY = 5.0, 60.0

FREE, BUSY, HEARD, LEFT = "free", "busy", "heard", "left"
HOLD, RELEASE, LOOK = "hold", "release", "look"


def number(message, key, low, high):
    """A number of a message, within bounds whatever it holds."""
    value = message.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        return low
    return value


class NoLine(object):
    """Stands for a channel that there is none of."""

    idle, problem = False, "there is no second channel"

    @staticmethod
    def look(_now):
        return None

    @staticmethod
    def sources():
        return [], []


class Nobody(object):
    """Nobody is asked."""

    kind, line = "none", NoLine()
    promise = "no arbiter: two may run while the nodes cannot see each other"
    failed = peer_failed = leaving = False
    is_free = True

    def look(self, _now, _want, _down):
        return Grant(GRANTED, self.promise)

    @staticmethod
    def resumed(_now, _gap):
        return False

    @staticmethod
    def answer(_message, _now):
        return None


class Peer(object):
    """The other node is asked to give the service up, and promises not to start it for a while.

    It promises only when nothing of the service runs there, and by that gives up what it was promised itself and what
    it has just asked for. So of two that both want it one gets it, and the other waits: the promise goes on as long as
    it is asked for again in time. A peer that answers nothing may be dead; after `timeout` a node goes on without it,
    and whoever runs already does so at once, because a dead standby is no reason to stop.

    Hence never two while the nodes hear each other here, whatever becomes of VRRP. When they hear each other nowhere,
    both may run. When they meet again, the one that began earlier stays.
    """

    kind = "peer"
    promise = "the peer: never two while the nodes hear each other on the second channel; two may run when they do not"

    def __init__(self, service, settings, line, now):
        self._service, self._settings, self.line = service, settings, line
        self._born = self._heard = self._answered = now
        self._want, self._wanted, self._down = False, None, False
        self._held, self._alone, self._term, self._seen = False, False, 0, 0
        self._promised = None  # until when we promised not to start
        self._asked, self._last, self._next, self._why = None, None, now, "the peer was not asked yet"
        self._gaps, self._gap_at = 0.0, None
        self._left_until, self._took_leave = None, False
        self.failed = self.peer_failed = self.leaving = False

    @property
    def is_free(self):
        """Whether an agent that ends may go: the peer knows that it need not wait."""
        return not self._held and self._took_leave

    def look(self, now, want, down):
        self._want, self._down = want, down
        self._wanted = (now if self._wanted is None else self._wanted) if want else None
        if not want and down:
            self._held = self._alone = False
        if self._gap_at is not None and now - self._gap_at > SETTLED:
            self._gaps, self._gap_at = 0.0, None
        answer = self.line.look(now)
        if answer is not None:
            self._take(answer, now)
        if want and not self._held and self._may_go_alone(now):
            self._hold(alone=True)
        do = HOLD if want or self._held else LOOK
        if self.line.idle and ((do, self.leaving) != self._last or now >= self._next):
            self._ask(do, now)
        return self._grant(now)

    def resumed(self, now, gap):
        """The peer may have gone on without us: after a gap as long as its patience, or several as long together."""
        self._gaps, self._gap_at = self._gaps + gap, now
        self._wanted = None
        if self._gaps < self._settings["timeout"] - self._settings["margin"]:
            return False
        was_held, self._held, self._alone = self._held, False, False
        self._void()
        return was_held

    def answer(self, message, now):
        """What the peer hears when it asks."""
        self._hear(message, now)
        if message.get("leaving") is True:
            # What it says to a question of ours is not older than the question.
            self._next = now
        if message.get("do") != HOLD:
            if self.leaving and self._down and not self._held:
                self._took_leave = True
                return self._say(LEFT, None)
            return self._say(HEARD, None)
        theirs = message.get("holding") is True
        if self._held and self._want:
            if theirs and self._gives_way(message):
                self._give_way()
            return self._say(BUSY, "the peer runs it")
        if not self._down:
            return self._say(BUSY, "the peer has not stopped it yet")
        if self._want and self._settings["first"] and not theirs:
            return self._say(BUSY, "the peer wants it as well, and is named first")
        self._held = self._alone = False
        self._void()
        self._promised = now + self._settings["lease"]
        self._took_leave = self.leaving
        return self._say(FREE, None)

    # Inside

    def _say(self, word, why):
        return {
            "answer": word,
            "why": why,
            "lease": self._settings["lease"],
            "holding": self._held,
            "term": self._term,
            "failed": self.failed,
        }

    def _hear(self, message, now):
        self._heard, self.peer_failed, self._left_until = now, message.get("failed") is True, None
        self._seen = max(self._seen, number(message, "term", 0, 1 << 53))

    def _ask(self, do, now):
        self._last, self._asked = (do, self.leaving), {"at": now, "do": do, "void": False}
        wait = ASK_INTERVAL if self._want and not self._held else HEAR_INTERVAL
        self._next = now + min(wait, self._settings["lease"] / 3.0)
        self.line.ask(
            {
                "service": self._service,
                "node": self._settings["node"],
                "do": do,
                "holding": self._held,
                "term": self._term,
                "failed": self.failed,
                "leaving": self.leaving,
            },
            now,
        )

    def _take(self, answer, now):
        asked, self._asked, self._answered = self._asked, None, now
        self._hear(answer, now)
        if asked is not None and not asked["void"] and answer.get("why"):
            self._why = "%s" % answer["why"]
        if asked is not None and answer.get("answer") == LEFT:
            self._left_until = asked["at"] + min(self._settings["lease"], number(answer, "lease", 0, 3600))
        if asked is None or asked["void"] or asked["do"] != HOLD:
            return
        if answer.get("answer") == FREE:
            lease = min(self._settings["lease"], number(answer, "lease", 0, 3600))
            if now < asked["at"] + lease:
                if not self._held:
                    self._hold(alone=False)
                # It gave up what we had promised it.
                self._alone, self._promised = False, None
        elif answer.get("answer") == BUSY and self._held and answer.get("holding") is True and self._gives_way(answer):
            self._give_way()

    def _hold(self, alone):
        self._held, self._alone, self._term = True, alone, self._seen + 1

    def _gives_way(self, message):
        """Whether it is us, of two that run: both find the same."""
        theirs = number(message, "term", 0, 1 << 53)
        return self._term > theirs or (self._term == theirs and not self._settings["first"])

    def _give_way(self):
        self._held = self._alone = False
        self._void()
        self._why = "both ran while they could not hear each other, and the peer began earlier"

    def _void(self):
        """What the peer answers to an earlier question is not true any more."""
        if self._asked is not None:
            self._asked["void"] = True

    def _is_silent(self, now):
        """Whether the peer may be taken for dead, or for stopped by itself."""
        settings = self._settings
        if self._left_until is not None and now < self._left_until:
            # An agent that comes after the one that left waits for longer than this before it does without us.
            return True
        # What an agent of ours promised before this one it does not know any more.
        waited = now >= self._born + settings["lease"] and (self._promised is None or now >= self._promised)
        return waited and now - max(self._heard, self._wanted) >= settings["timeout"]

    def _may_go_alone(self, now):
        return self._is_silent(now)

    def _grant(self, now):
        if self._held:
            silent = self._alone or now - self._heard > self._settings["timeout"]
            return Grant(GRANTED, "the peer does not answer" if silent else "the peer promised not to start it")
        patience = self._settings["timeout"] / 2.0
        if self._want and now - self._heard > patience:
            return Grant(ASKED, "the peer does not answer (%s)" % (self.line.problem or "it is connected"))
        if self._want and now - max(self._answered, self._wanted) > patience:
            # It lives, and nobody can say whether it runs the service: only it can, or whoever mends the channel.
            problem = self.line.problem or "it does not answer"
            return Grant(ASKED, "the peer reaches us, and we do not reach it (%s)" % problem)
        return Grant(ASKED, self._why) if self._want else Grant(DENIED, UNWANTED)


class Command(Peer):
    """As Peer, but instead of taking a silent peer for dead, a command has to make sure of it.

    `start` begins it and gives an object whose result() is None while it runs, and then (whether it succeeded, what it
    said). It is not run again while this node goes on.
    """

    kind = "command"
    promise = "a command: never two as far as it ends the peer, or keeps it from its work, before it succeeds"

    def __init__(self, service, settings, line, now, start):
        super(Command, self).__init__(service, settings, line, now)
        self._start, self._fence, self._fence_at = start, None, None
        self._retry, self._delay, self._fence_said = None, FIRST_RETRY, None

    def look(self, now, want, down):
        if self._held or not want:
            # What it was begun for is over; so is it, one way or the other.
            self._end(now)
        return super(Command, self).look(now, want, down)

    def _may_go_alone(self, now):
        if self._left_until is not None and now < self._left_until:
            return True
        if self._fence is None:
            if self._is_silent(now) and (self._retry is None or now >= self._retry):
                self._fence, self._fence_at = self._start(), now
            return False
        return self._end(now)

    def _end(self, now):
        """Whether the command has just succeeded, and what it was for is still true."""
        result = None if self._fence is None else self._fence.result()
        if result is None:
            return False
        self._fence = None
        succeeded, self._fence_said = result
        if not succeeded:
            self._retry, self._delay = now + self._delay, min(LONGEST_RETRY, 2 * self._delay)
            return False
        self._retry, self._delay, self._fence_said = None, FIRST_RETRY, None
        still = self._wanted is not None and max(self._wanted, self._heard) <= self._fence_at
        return still and not self._held

    def _grant(self, now):
        if self._held and self._alone:
            return Grant(GRANTED, "the command made sure that the peer does not run it")
        if not self._held and self._want:
            if self._fence is not None:
                return Grant(ASKED, "the fencing command runs")
            if self._fence_said is not None:
                return Grant(DENIED, "the fencing command failed (%s)" % self._fence_said)
        return super(Command, self)._grant(now)


class Witness(object):
    """A third host lends the service to one node, and to another one only when the loan has run out by its own clock.

    Never two, also when this node is cut off or frozen: its loan ends for it before it ends for the witness. Without
    the witness nobody runs for longer than a loan. Questions are counted, because what was sent on a connection that
    broke may come after what was sent on the next one, and would give back what was lent anew.
    """

    kind = "witness"
    promise = "a witness: never two; nobody runs for longer than the lease while the witness cannot be reached"

    def __init__(self, service, settings, line, now):
        self._service, self._settings, self.line = service, settings, line
        self._until, self._turn = None, 0
        self._asked, self._next = None, None
        self._release, self._busy = False, None
        self._answered, self._born = None, now
        self._why = "the witness was not asked yet"
        self.failed = self.peer_failed = self.leaving = False

    @property
    def is_free(self):
        return self._until is None and not self._release and self._asked is None

    def look(self, now, want, down):
        answer = self.line.look(now)
        if answer is not None:
            self._take(answer, now)
        if self._until is not None and now >= self._until:
            self._until = None
        if want or not down:
            self._release = False
        elif self._until is not None:
            self._until, self._release = None, True
        if self.line.idle:
            self._ask_if_due(now, want, down)
        return self._grant(now, want)

    @staticmethod
    def resumed(_now, _gap):
        # A loan that is still good is ours, and one that is not is past its deadline.
        return False

    @staticmethod
    def answer(_message, _now):
        return None

    # Inside

    def _ask_if_due(self, now, want, down):
        lease = self._settings["lease"]
        holding = self._until is not None
        if self._release:
            do, due = RELEASE, True
        elif want or (holding and not down):
            do = HOLD
            # Renewed each third of the loan, and more often as long as that fails.
            due = self._next is None or now >= self._next
        else:
            do, due = LOOK, self._next is None or now >= self._next
        if self._busy != (do, holding):
            due = True
        if not due:
            return
        self._busy = (do, holding)
        wait = HEAR_INTERVAL if do == LOOK else lease / 12.0 if holding else ASK_INTERVAL
        self._next = now + (0.0 if do == RELEASE else wait)
        self._asked = {"at": now, "do": do}
        self._release = False
        self._turn += 1
        self.line.ask(
            {
                "service": self._service,
                "pair": self._settings["pair"],
                "node": self._settings["node"],
                "session": self._settings["session"],
                "turn": self._turn,
                "do": do,
                "holding": holding,
                "lease": lease,
                "failed": self.failed,
            },
            now,
        )

    def _take(self, answer, now):
        asked, self._asked = self._asked, None
        self._answered, self.peer_failed = now, answer.get("failed") is True
        if asked is None or asked["do"] != HOLD:
            return
        if answer.get("answer") == GRANTED:
            lease = min(self._settings["lease"], number(answer, "lease", 0, 3600))
            if now < asked["at"] + lease:
                self._until = asked["at"] + lease
                self._next = asked["at"] + self._settings["lease"] / 3.0
                # It is held from here on, and that is no other question.
                self._busy = (HOLD, True)
        else:
            self._why = "%s" % answer.get("why")

    def _grant(self, now, want):
        if self._until is not None:
            return Grant(GRANTED, "the witness lent it to this node", self._until)
        heard = self._born if self._answered is None else self._answered
        if now - heard > 2 * HEAR_INTERVAL + 1.0:
            return Grant(DENIED, "the witness does not answer (%s)" % (self.line.problem or "it is connected"))
        return Grant(ASKED, self._why) if want else Grant(DENIED, UNWANTED)
