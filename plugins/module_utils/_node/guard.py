# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps watch over VIPs that stand in the kernel although keepalived here does not answer for them.

They stay while nobody else answers for them, and go as soon as another machine does. A daemon that comes back after a
crash takes away what it finds on its interfaces, and would leave nobody with the address until it is MASTER again, when
no peer is there: so the addresses of a crashed daemon are held on the loopback as well until that is decided. The
kernel tells by ARP of an address on any interface, but by Neighbour Discovery only of those on the asked one: so an
IPv6 address is put back on its own interface when the new daemon has taken it away.
"""

from __future__ import absolute_import, division, print_function

from . import addresses, journal, state
from .errors import NodeError
from .system import HOLDING_INTERFACE

__metaclass__ = type

# How often another node is asked for addresses that stand here without keepalived (s).
STALE_INTERVAL = 0.1
# For how long a running daemon may have an address that does not go with its state (s): it may be about to say so. And
# how often another node is asked for one.
SETTLE = 1.0
# For how long after a MASTER has given its addresses up they are taken back for a crashed daemon (s).
RECENT = 2.0
# systemd's words for a daemon that did not choose its end; it starts it again.
_KILLED = ("signal", "core-dump", "oom-kill", "watchdog")
# How often is looked when there is nothing to ask (s).
CHECK_INTERVAL = 5.0


def virtual_addresses(description):
    """Every VIP of the description, with the name of its instance and its master-down interval (s)."""
    return [
        dict(vip, instance=name, master_down=instance.get("master_down_interval") or 4.0)
        for name, instance in sorted((description or {}).get("instances", {}).items())
        for vip in instance.get("vips", [])
    ]


def places(interfaces, vip):
    """([(interface, prefix)] where keepalived puts the VIP, the same where we hold it)."""
    found = addresses.holders(interfaces, vip["address"])
    held = [place for place in found if place[0] == HOLDING_INTERFACE and vip.get("interface") != HOLDING_INTERFACE]
    return [place for place in found if place not in held], held


def disagreements(record, vips, interfaces):
    """Instances whose recorded state and whose addresses in the kernel do not go together."""
    wrong = []
    for name, entry in sorted(record["instances"].items()):
        standing = [bool(places(interfaces, vip)[0]) for vip in vips if vip["instance"] == name]
        master = entry["state"] == "MASTER"
        if standing and (entry["state"] == "UNKNOWN" or (not all(standing) if master else any(standing))):
            wrong.append(name)
    return wrong


def judge(entry, vip, running, gone, standing, held, now):
    """(what to do with the held place, with the standing one): "drop", "hold", "ask" or None, by what is recorded.

    `entry`: the instance's record; `gone`: the daemon's; `now`: time by the clock of their `since`.
    """
    word = entry.get("state", state.UNKNOWN_STATE)
    if not running:
        if gone["state"] == state.STOPPED:
            return ("drop" if held else None), ("ask" if standing else None)
        left = gone["result"] in _KILLED and was_left(entry, now)
        ours = "ask" if held else "hold" if standing or left else None
        return ours, ("ask" if standing else None)
    if word == "MASTER":
        return (("drop" if standing else "ask") if held else None), None
    ours = "ask" if word in ("BACKUP", "FAULT") and standing else None
    if word == "FAULT":
        return ("drop" if held else None), ours
    # A BACKUP that does not become MASTER in time hears another one.
    heard = word == "BACKUP" and now - entry["since"] > vip["master_down"] + SETTLE
    return (("drop" if heard else "ask") if held else None), ours


def was_left(entry, now):
    """Whether a MASTER gave its addresses up just now (`now` by the clock of `since`), although its daemon crashed.

    The VRRP process does when it is only its parent that is killed, and nobody starts it again before systemd does.
    """
    words = [step["state"] for step in entry.get("history", [])[-2:]]
    return words == ["MASTER", "STOPPED"] and now - entry["since"] < RECENT


class AddressGuard(object):
    """`system` is the world, `say` the journal, `attempt(topic, call, *arguments)` says a NodeError once."""

    def __init__(self, system, say, attempt):
        self._system, self._say, self._attempt = system, say, attempt
        self._askers, self._answers = {}, {}
        self._given = {}  # VIPs that another machine had, and since when our daemon was gone then
        self._said = set()  # VIPs whose asking has been said, as long as there is something to ask
        self._next, self.interval, self._interfaces = None, SETTLE, None
        self._back = set()  # VIPs that we put back on their interface, as long as keepalived has not taken them over
        self._unsure_until, self._sure = None, False  # when keepalived is asked again, whether it was for this look
        self._suspected = {}  # VIP that a running daemon should not have: [since when, its record then]
        self.standing = frozenset()  # instances with an address in the kernel, when last looked

    def sources(self):
        """What select() is to wait for: {descriptor holder: its key for hear()}."""
        return {asker: key for key, asker in self._askers.items()}

    def hear(self, key):
        try:
            self._answers[key] = self._answers.get(key, set()) | self._askers[key].receive()
        except NodeError:
            self._drop_asker(key)
            raise

    @property
    def active(self):
        """Whether there is something to look at now, whatever else there is to do."""
        return bool(self._next is None or self._askers or self._suspected)

    @property
    def answered(self):
        return any(self._answers.values())

    def hurry(self):
        """Look at the next opportunity: something happened."""
        self._next = None

    def look(self, description, record, daemon, confirm):
        """Look at every VIP, when it is time for it.

        `confirm(ask)` gives (record, daemon, sure) as they are now, with everything read that was said meanwhile; with
        `ask`, keepalived itself is asked, and `sure` is whether it answered.
        """
        clock, self._sure = self._system.monotonic(), False
        early = self._next is not None and clock < self._next
        if early and not self.answered:
            return
        # An answer is acted upon at once, by what was seen when it was asked for: no time to look again.
        interfaces = self._interfaces if early else self._attempt("kernel", self._system.interfaces)
        self._interfaces = interfaces
        if interfaces is None:
            self._next = clock + SETTLE
            return
        vips = virtual_addresses(description)
        wanted = set()
        for vip in vips:
            topic = "stale %s" % vip["address"]
            if self._attempt(topic, self._look_at, vip, vips, interfaces, record, daemon, confirm):
                wanted.add(vip["address"])
        for key in set(self._askers) - wanted:
            self._drop_asker(key)
        for key in set(self._suspected) - {vip["address"] for vip in vips}:
            del self._suspected[key]
        self._back &= {vip["address"] for vip in vips}
        self.standing = frozenset(
            vip["instance"] for vip in vips if places(interfaces, vip)[0] and vip["address"] not in self._back
        )
        quick = self._askers or self._suspected or daemon is None
        urgent = self._askers and (daemon is None or any(places(interfaces, vip)[1] for vip in vips))
        self.interval = STALE_INTERVAL if urgent else SETTLE if quick else CHECK_INTERVAL
        self._next = clock + 0.9 * self.interval

    def _look_at(self, vip, vips, interfaces, record, daemon, confirm):
        """One VIP; True when somebody is to be asked for it."""
        standing, held = places(interfaces, vip)
        entry = record["instances"].get(vip["instance"], {})
        running = daemon is not None
        # What we put back is ours, by the same rules as what we hold.
        back = standing if self._is_back(vip["address"], entry, standing) else []
        standing, held = ([], held + back) if back else (standing, held)
        ours, theirs = judge(entry, vip, running, record["daemon"], bool(standing), bool(held), self._system.now())
        if ours == "hold" and not standing and self._given.get(vip["address"]) == record["daemon"]["since"]:
            ours = None
        if ours == "hold":
            held = self._attempt("hold %s" % vip["address"], self._hold, vip, standing) or []
        elif ours == "drop":
            if back and not self._is_idle(vip, confirm):
                held = [place for place in held if place not in back]
            self._remove(vip, held, "keepalived here is %s" % entry.get("state", record["daemon"]["state"]))
            held = []
        elif ours == "ask" and self._is_to_be_put_back(vip, entry, held, standing + back):
            back = self._attempt("hold %s" % vip["address"], self._put_back, vip) or []
            held = held + back
        if theirs == "ask" and running and not self._is_settled(vip["address"], entry):
            theirs = None
        elif not running or theirs is None:
            self._suspected.pop(vip["address"], None)
        if ours not in ("ask", "hold") and theirs is None:
            self._said.discard(vip["address"])
            return False
        what = "although keepalived here is %s" % entry.get("state") if running else "without keepalived"
        return self._ask_or_remove(vip, vips, interfaces, standing, held, back, entry, theirs, what, confirm)

    def _is_back(self, key, entry, standing):
        """Whether what stands there is what we put back, and not the daemon's own."""
        if not standing or entry.get("state") == "MASTER":
            self._back.discard(key)
        return key in self._back

    def _is_to_be_put_back(self, vip, entry, held, present):
        """Whether an IPv6 address is held, but gone from its interface, and nobody who was asked has it."""
        key = vip["address"]
        lost = held and not present and vip.get("interface") and addresses.parse_address(key)[0] == 6
        return bool(lost and entry.get("state") != "MASTER" and key in self._askers and not self._answers.get(key))

    def _confirm(self, confirm, ask):
        """confirm(), which waits for keepalived once in a look, and not for a while when that was in vain."""
        if not ask or self._sure:
            record, daemon = confirm(False)[:2]
            return record, daemon, ask and self._sure
        clock = self._system.monotonic()
        if self._unsure_until is not None and clock < self._unsure_until:
            return confirm(False)
        record, daemon, self._sure = confirm(True)
        self._unsure_until = None if self._sure or daemon is None else clock + CHECK_INTERVAL
        return record, daemon, self._sure

    def _is_idle(self, vip, confirm):
        """Whether nobody here is MASTER for it, by keepalived's own word."""
        record, daemon, sure = self._confirm(confirm, True)
        return daemon is None or (sure and record["instances"].get(vip["instance"], {}).get("state") != "MASTER")

    def _is_settled(self, key, entry):
        """Whether the address of a running daemon has not gone with its state for a while."""
        clock, now = self._system.monotonic(), (entry["state"], entry["since"], entry["transitions"])
        if self._suspected.get(key, (None, None))[1] != now:
            self._suspected[key] = (clock, now)
        return clock - self._suspected[key][0] >= SETTLE

    def _hold(self, vip, standing):
        """Where it is held now."""
        prefix = 32 if addresses.parse_address(vip["address"])[0] == 4 else 128
        self._system.hold_address(vip["address"])
        for interface in self._interfaces:
            if interface["name"] == HOLDING_INTERFACE:
                interface["addresses"].append({"address": vip["address"], "prefix": prefix})
        where = "stands on %s" % standing[0][0] if standing else "was given up"
        journal.say_action(
            self._say,
            vip,
            "%s %s without keepalived: held on %s until it is back or another node has it"
            % (vip["address"], where, HOLDING_INTERFACE),
        )
        return [(HOLDING_INTERFACE, prefix)]

    def _put_back(self, vip):
        """Where it stands now."""
        place = (vip["interface"], vip["prefix"])
        self._system.put_address_back(vip["address"], place[1], place[0])
        self._back.add(vip["address"])
        for interface in self._interfaces:
            if interface["name"] == place[0]:
                interface["addresses"].append({"address": vip["address"], "prefix": place[1]})
        journal.say_action(
            self._say,
            vip,
            "%s is held, but gone from %s: put back until keepalived is MASTER or another node has it"
            % (vip["address"], place[0]),
        )
        return [place]

    def _ask_or_remove(self, vip, vips, interfaces, standing, held, back, entry, theirs, what, confirm):
        key = vip["address"]
        interface = vip.get("interface") or standing[0][0]
        if key not in self._askers:
            self._askers[key] = self._system.asker(interfaces, interface, key, [entry["address"] for entry in vips])
            if key not in self._said:
                self._said.add(key)
                where = ", ".join(place[0] for place in standing + held)
                line = "%s stands on %s %s: asking whether another node has it" % (key, where, what)
                journal.say_action(self._say, vip, line)
        others = self._answers.pop(key, set())
        if others:
            # The daemon may be back by now, or MASTER, and then the address is its own affair. Not every word of it
            # comes, so a running one is asked.
            record, daemon, sure = self._confirm(confirm, bool(back or (theirs == "ask" and key in self._suspected)))
            now = record["instances"].get(vip["instance"], {})
            same = (now.get("state"), now.get("since")) == (entry.get("state"), entry.get("since"))
            why = "keepalived does not run here" if daemon is None else "keepalived here is %s" % now.get("state")
            who = "%s answers for it and %s" % (", ".join(sorted(others)), why)
            idle = daemon is None or (sure and now.get("state") != "MASTER")
            stale = idle and (daemon is None or (same and key in self._suspected))
            gone = standing if theirs == "ask" and stale else []
            gone = gone + [place for place in held if idle or place not in back]
            if gone:
                self._given[key] = record["daemon"]["since"]
                self._remove(vip, gone, who)
                self._suspected.pop(key, None)
            return True
        try:
            self._askers[key].send()
        except NodeError:
            self._drop_asker(key)
            raise
        return True

    def _remove(self, vip, gone, why):
        for interface, prefix in gone:
            self._system.remove_address(vip["address"], prefix, interface)
            journal.say_action(self._say, vip, "%s/%d removed from %s: %s" % (vip["address"], prefix, interface, why))
            for seen in self._interfaces:
                if seen["name"] == interface:
                    seen["addresses"] = [
                        entry
                        for entry in seen["addresses"]
                        if entry["prefix"] != prefix or not addresses.same_address(entry["address"], vip["address"])
                    ]

    def _drop_asker(self, key):
        self._answers.pop(key, None)
        self._askers.pop(key).close()

    def close(self):
        for key in list(self._askers):
            self._drop_asker(key)
