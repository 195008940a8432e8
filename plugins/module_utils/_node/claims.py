# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Announces a VIP anew when another machine claimed it and does not answer for it any more.

keepalived announces its addresses when it becomes MASTER, and then every 60 s. A machine that claims one in between
(a clone, a wrong configuration, a second MASTER) leaves itself in the clients' ARP tables when it lets go. The owner
hears the claim, asks until nobody else answers, and only then speaks: two that shout at each other would make clients
flap between them. What is not ended by a few announcements is left to keepalived: machines that hear each other's
announcements but not each other's questions would go on for ever.
"""

from __future__ import absolute_import, division, print_function

from . import addresses, journal
from .errors import NodeError
from .guard import CHECK_INTERVAL, SETTLE, places, virtual_addresses

__metaclass__ = type

# How often it is asked whether somebody else still answers (s), and how many questions in a row must be in vain.
ASK_INTERVAL = 0.2
QUESTIONS = 2
# How long nobody may have claimed the address before it is announced (s). And how long a claim stands before it is
# said: in a handover both nodes have the address for some milliseconds.
QUIET = 0.3
ANNOUNCEMENTS, ANNOUNCE_INTERVAL = 3, 0.1
# How long after the last announcement the next one may come, by how many were in vain (s); then no more.
PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
# After how long without a claim those count no more (s): keepalived of another MASTER repeats its own every 60 s.
FORGET = 300.0
# How many MAC addresses of claimants are remembered, for the journal.
REMEMBERED = 8


class _Claim(object):
    """One address that somebody else claims."""

    def __init__(self, macs, own, clock):
        self.since = self.heard = self.checked = clock
        self.macs, self.own, self.said = set(sorted(macs)[:REMEMBERED]), own, False
        self.asker, self.asked, self.due = None, 0, clock

    def hear(self, macs, clock):
        others = set(macs) - self.own
        if others:
            self.heard, self.asked = clock, 0
            self.macs |= set(sorted(others - self.macs)[: max(0, REMEMBERED - len(self.macs))])

    def close(self):
        if self.asker is not None:
            self.asker.close()
        self.asker, self.asked = None, 0


class ForeignClaims(object):
    """`system` is the world, `say` the journal, `attempt(topic, call, *arguments)` says a NodeError once."""

    def __init__(self, system, say, attempt):
        self._system, self._say, self._attempt = system, say, attempt
        self._ears = {}  # (interface, IP version): [what hears there, for which VIPs, until when it may wait unread]
        self._retry = None  # when it is tried again to listen
        self._heard = {}  # address: MAC addresses that claimed it since the last look
        self._claims = {}
        self._announcing = {}  # address: [how often still, when next]
        self._made = {}  # address: [announcements in a row, when the last one was, when anything last happened]
        self._interfaces = self._now = None  # as they were in this look, once they were asked for

    def sources(self):
        """What select() is to wait for: {descriptor holder: its key for hear()}.

        Not what has been heard of just now: a claim is looked at when its time has come, however often it is repeated.
        """
        clock = self._system.monotonic() if self._ears else None
        return {ear[0]: place for place, ear in self._ears.items() if clock >= ear[2]}

    def hear(self, place):
        """Read what came there."""
        ear = self._ears[place]
        try:
            claims = ear[0].receive()
        except NodeError:
            self._close_ear(place)
            self._retry = self._system.monotonic() + CHECK_INTERVAL
            raise
        ear[2] = self._system.monotonic() + ASK_INTERVAL
        for address, macs in claims.items():
            key = addresses.parse_address(address)
            self._heard[key] = self._heard.get(key, set()) | macs

    @property
    def active(self):
        """Whether there is something to look at now, whatever else there is to do."""
        return bool(self._heard or self._claims or self._announcing)

    def remaining(self):
        """Seconds until there is something to do without anybody's word; None when there is not."""
        due = self._due()
        return None if due is None else max(0.0, due - self._system.monotonic())

    def _due(self):
        """When the next question or announcement is due."""
        due = [claim.due for claim in self._claims.values()] + [left[1] for left in self._announcing.values()]
        return min(due) if due else None

    def look(self, description, record, daemon, confirm):
        """Go on with everything that is claimed.

        `confirm(ask)` gives (record, daemon, sure) as they are now; with `ask`, keepalived itself is asked, and `sure`
        is whether it answered.
        """
        vips = _owned(description, record, daemon)
        self._interfaces = self._now = None
        self._listen(vips)
        clock = self._system.monotonic()
        due = self._due()
        if due is not None and clock >= due:
            for place in list(self._ears):
                self._attempt("claims heard on %s" % place[0], self.hear, place)
        self._note(vips, clock)
        for key in list(self._claims):
            if key not in vips:
                self._drop(key)
            elif clock >= self._claims[key].due:
                self._attempt("claim of %s" % vips[key]["address"], self._pursue, key, vips[key], confirm)
        for key in list(self._announcing):
            if key not in vips:
                del self._announcing[key]
            elif clock >= self._announcing[key][1]:
                self._attempt("announcing %s" % vips[key]["address"], self._announce, key, vips[key])

    def _listen(self, vips):
        """Have ears where this node owns addresses, and nowhere else."""
        wanted = {}
        for key, vip in vips.items():
            wanted.setdefault((vip["interface"], key[0]), []).append(vip["address"])
        for place in [place for place, ear in self._ears.items() if ear[1] != sorted(wanted.get(place, []))]:
            self._close_ear(place)
        missing = sorted(set(wanted) - set(self._ears))
        clock = self._system.monotonic()
        if not missing:
            self._retry = None
        if not missing or (self._retry is not None and clock < self._retry):
            return
        interfaces = self._attempt("kernel", self._kernel)
        self._retry = clock + CHECK_INTERVAL
        for place in missing if interfaces is not None else ():
            claimed = sorted(wanted[place])
            ear = self._attempt("claims on %s" % place[0], self._system.claims, interfaces, place[0], claimed)
            if ear is not None:
                self._ears[place] = [ear, claimed, clock]
        if not set(wanted) - set(self._ears):
            self._retry = None

    def _kernel(self):
        """What the kernel has, asked for once in a look."""
        if self._interfaces is None:
            self._interfaces = self._system.interfaces()
        return self._interfaces

    def _note(self, vips, clock):
        """Remember what was heard: for how long it has been claimed, and by whom."""
        heard, self._heard = self._heard, {}
        fresh = {}
        for key in sorted(set(heard) & set(vips)):
            made = self._made.get(key, [0, clock, clock])
            if clock - made[2] > FORGET:
                made[0] = 0
            made[2] = clock
            if key in self._claims:
                self._claims[key].hear(heard[key], clock)
            elif made[0] < len(PAUSES):
                fresh[key] = heard[key]
        interfaces = self._attempt("kernel", self._kernel) if fresh else None
        for key, macs in fresh.items() if interfaces is not None else ():
            own, place = {interface["mac"] for interface in interfaces}, (vips[key]["interface"], key[0])
            if not macs - own:
                # A MAC address of ours that is new: listen anew, without it.
                if place in self._ears:
                    self._close_ear(place)
            elif places(interfaces, vips[key])[0]:
                self._claims[key] = _Claim(macs - own, own, clock)
                self._announcing.pop(key, None)
            elif place in self._ears:
                self._ears[place][2] = clock + SETTLE

    def _pursue(self, key, vip, confirm):
        """Ask who else has the address, announce it when nobody has."""
        claim, clock = self._claims[key], self._system.monotonic()
        claim.due = clock + ASK_INTERVAL
        try:
            self._take_answers(claim, clock)
            if clock - claim.since >= QUIET:
                self._say_claim(vip, claim)
            if clock - claim.checked >= SETTLE and not self._is_held(vip, claim, clock):
                self._drop(key)
            elif claim.asked >= QUESTIONS and clock - claim.heard >= QUIET and self._is_time(key, clock):
                self._defend(key, vip, confirm)
            else:
                self._ask(vip, claim)
        except NodeError:
            claim.close()
            claim.due = clock + SETTLE
            raise

    def _ask(self, vip, claim):
        if claim.asker is None:
            claim.asker = self._system.asker(self._kernel(), vip["interface"], vip["address"], vip["virtual"])
        claim.asker.send()
        claim.asked += 1

    @staticmethod
    def _take_answers(claim, clock):
        if claim.asker is not None:
            claim.hear(claim.asker.receive(), clock)

    def _is_held(self, vip, claim, clock):
        """Whether the kernel has the address; which MAC addresses are ours is looked at as well."""
        interfaces = self._kernel()
        claim.checked, claim.own = clock, claim.own | {interface["mac"] for interface in interfaces}
        return bool(places(interfaces, vip)[0])

    def _is_time(self, key, clock):
        """Whether it may be announced, after as many announcements as were in vain."""
        made = self._made.get(key)
        return made is None or clock - made[1] >= PAUSES[min(made[0], len(PAUSES) - 1)]

    def _confirm(self, confirm):
        """What keepalived itself says, asked for once in a look, and the kernel after that."""
        if self._now is None:
            self._now, self._interfaces = confirm(True)[:2], None
        return self._now

    def _defend(self, key, vip, confirm):
        """Nobody else answers: announce the address, if it is still ours."""
        claim, place = self._claims[key], (vip["interface"], key[0])
        if place not in self._ears:
            return
        record, daemon = self._confirm(confirm)
        entry, clock = record["instances"].get(vip["instance"], {}), self._system.monotonic()
        if daemon is None or entry.get("state") != "MASTER" or not self._is_held(vip, claim, clock):
            self._drop(key)
            return
        # All that took its time.
        self.hear(place)
        claim.hear(self._heard.pop(key, ()), clock)
        self._take_answers(claim, clock)
        if not claim.asked:
            return
        self._ears[place][0].announce(vip["address"])
        self._drop(key)
        self._announcing[key] = [ANNOUNCEMENTS - 1, clock + ANNOUNCE_INTERVAL]
        made = self._made.setdefault(key, [0, clock, clock])
        made[:] = [made[0] + 1, clock, clock]
        last = "; the last time, for it keeps coming back: from now on that is left to keepalived"
        journal.say_action(
            self._say,
            vip,
            "%s: nobody else answers for it any more (claimed by %s): announced anew%s"
            % (vip["address"], ", ".join(sorted(claim.macs)), last if made[0] == len(PAUSES) else ""),
        )

    def _announce(self, key, vip):
        left, ear = self._announcing[key], self._ears.get((vip["interface"], key[0]))
        left[:] = [left[0] - 1, self._system.monotonic() + ANNOUNCE_INTERVAL]
        if not left[0] or ear is None:
            del self._announcing[key]
        if ear is not None:
            ear[0].announce(vip["address"])

    def _say_claim(self, vip, claim):
        if not claim.said:
            claim.said = True
            journal.say_action(
                self._say,
                vip,
                "%s is claimed by %s as well, although keepalived here is MASTER: asking until nobody else has it"
                % (vip["address"], ", ".join(sorted(claim.macs))),
            )

    def _drop(self, key):
        self._claims.pop(key).close()

    def _close_ear(self, place):
        self._ears.pop(place)[0].close()

    def close(self):
        for place in list(self._ears):
            self._close_ear(place)
        for key in list(self._claims):
            self._drop(key)


def _owned(description, record, daemon):
    """{address: VIP} of the instances that this node is MASTER of, with all addresses that are nobody's own."""
    if daemon is None:
        return {}
    every = virtual_addresses(description)
    virtual = [vip["address"] for vip in every]
    return {
        addresses.parse_address(vip["address"]): dict(vip, virtual=virtual)
        for vip in every
        if vip.get("interface") and record["instances"].get(vip["instance"], {}).get("state") == "MASTER"
    }
