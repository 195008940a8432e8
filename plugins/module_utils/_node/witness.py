# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ha-pair-witness: on a third host, lends each service to one node of its pair at a time.

It remembers nothing: a witness that was just started does not know what the one before it has lent, so it lends
nothing to anybody until all of that has run out. What it does is prolong a loan for a node that says it still has one:
only one can, whatever was lent before, and it said so after this witness began, which the wire proves. So a restart of
the witness stops no service.
"""

from __future__ import absolute_import, division, print_function

import errno
import json
import select
import signal

from . import service
from .active_arbiters import HOLD, RELEASE, number
from .active_core import DENIED, GRANTED
from .active_wire import Listener
from .boot_clock import boottime
from .errors import NodeError
from .system import System, read_text

__metaclass__ = type

SETTINGS_FILE = "/etc/keepalived/ha-pair-witness.json"
CURE = "run the role again that wrote it"
TICK = 1.0
# Ends with this to be started again at once, with the new programs.
START_AGAIN = 75
LONGEST_LEASE = 600.0
# So many services, and so long names: nobody fills the memory of this host.
MOST_SERVICES = 256
# Each node has a connection for each of its services.
NODES_OF_A_PAIR = 2
LONGEST_NAME = 512
SHORTEST_SECRET = 16


def read_settings(text, path=SETTINGS_FILE):
    """{address, port, secret, lease (the longest that is lent, s), quiet}; raises NodeError when the text holds none.

    quiet: for how long nothing is lent after a start (s), because a witness before may have lent for longer than this.
    """
    try:
        given = json.loads(text or "")
        # ansible-core before 2.19 makes text of numbers.
        found = {
            "address": given["address"],
            "port": int(given["port"]),
            "secret": given["secret"].encode("utf-8"),
            "lease": float(given["lease"]),
            "quiet": float(given.get("quiet", given["lease"])),
        }
    except KeyError as exc:
        raise NodeError("%s: %s missing; %s" % (path, exc.args[0], CURE))
    except (AttributeError, TypeError, ValueError):
        # Without the text: it holds the secret.
        raise NodeError("%s: is not readable JSON of a witness; %s" % (path, CURE))
    if not 0 < found["port"] < 65536:
        raise NodeError("%s: port %d is not in 1..65535; %s" % (path, found["port"], CURE))
    if not 1.0 <= found["lease"] <= LONGEST_LEASE:
        raise NodeError("%s: lease %g is not in 1..%g seconds; %s" % (path, found["lease"], LONGEST_LEASE, CURE))
    if not found["lease"] <= found["quiet"] <= LONGEST_LEASE:
        raise NodeError(
            "%s: quiet %g is not in %g..%g seconds; %s" % (path, found["quiet"], found["lease"], LONGEST_LEASE, CURE)
        )
    if len(found["secret"]) < SHORTEST_SECRET:
        raise NodeError("%s: the secret is shorter than %d characters; give a longer one" % (path, SHORTEST_SECRET))
    return found


def _is_name(text):
    return hasattr(text, "encode") and bool(text)


class Leases(object):
    """What is lent to whom, until when."""

    def __init__(self, longest, now, quiet=0.0):
        self._longest, self._quiet_until = longest, now + max(longest, quiet)
        self._lent = {}  # (pair, service): [node, until]
        self._turns = {}  # (pair, service): {node: (its session, the number of its last question)}
        self._failed = {}  # (pair, service): {node: (whether it failed there, when it said so)}

    def answer(self, message, now):
        place, node = (message.get("pair"), message.get("service")), message.get("node")
        if not all(_is_name(name) for name in place + (node,)):
            return self._say(DENIED, "a question without pair, service and node", False)
        for kind in ("pair", "service", "node"):
            if len(message[kind]) > LONGEST_NAME:
                why = "the name of the %s is longer than %d characters" % (kind, LONGEST_NAME)
                return self._say(DENIED, why, False)
        if not self._make_room(place, now):
            return self._say(DENIED, "the witness already serves %d services" % MOST_SERVICES, False)
        told = self._failed.setdefault(place, {})
        if node not in told and len(told) >= 8:
            told.clear()
            self._turns.pop(place, None)
        session, turn = message.get("session"), number(message, "turn", 0, 1 << 53)
        known, last = self._turns.setdefault(place, {}).get(node, (None, 0))
        is_new = known != session
        if not is_new and turn <= last:
            return self._say(DENIED, "a question that was overtaken by a later one", False)
        self._turns[place][node] = (session, turn)
        told[node] = (message.get("failed") is True, now)
        failed = any(word for name, (word, at) in told.items() if name != node and now - at < self._longest)
        if message.get("do") == HOLD:
            return self._hold(place, node, message, failed, now)
        lent = self._lent.get(place)
        # One that was not seen before has nothing of its own to give back.
        if message.get("do") == RELEASE and lent is not None and lent[0] == node and not is_new:
            lent[1] = now
        return self._say("heard", None, failed)

    def _hold(self, place, node, message, failed, now):
        lease = number(message, "lease", 0, self._longest)
        if not lease:
            return self._say(DENIED, "the witness lends for %g s at most" % self._longest, failed)
        lent = self._lent.get(place)
        if lent is not None and now < lent[1] and lent[0] != node:
            return self._say(DENIED, "the witness lent it to %s for another %.1f s" % (lent[0], lent[1] - now), failed)
        known = lent is not None and lent[0] == node and now < lent[1]
        if now < self._quiet_until and not known and message.get("holding") is not True:
            left = self._quiet_until - now
            return self._say(DENIED, "the witness has just started, and lends nothing for %.1f s" % left, failed)
        self._lent[place] = [node, max(now + lease, lent[1] if known else now)]
        return dict(self._say(GRANTED, None, failed), lease=lease)

    def _make_room(self, place, now):
        if place not in self._failed and len(self._failed) >= MOST_SERVICES:
            for known in list(self._failed):
                silent = all(now - at > self._longest for _word, at in self._failed[known].values())
                if silent and (known not in self._lent or now >= self._lent[known][1]):
                    del self._failed[known]
                    self._lent.pop(known, None)
                    self._turns.pop(known, None)
        return place in self._failed or len(self._failed) < MOST_SERVICES

    @staticmethod
    def _say(word, why, failed):
        return {"answer": word, "why": why, "failed": failed}


def wait(readers, writers, timeout):
    """select() that a signal may end."""
    try:
        select.select(readers, writers, [], timeout)
    except (IOError, OSError, select.error) as exc:
        if exc.args[0] != errno.EINTR:
            raise


def main():
    """Run as ha-pair-witness.service."""
    try:
        settings = read_settings(read_text(SETTINGS_FILE))
    except NodeError as exc:
        service.log("problem: %s" % exc)
        return 1
    leases = Leases(settings["lease"], boottime(), settings["quiet"])
    place = (settings["address"], settings["port"])
    try:
        listener = Listener(
            *place + (
                settings["secret"],
                lambda message: leases.answer(message, boottime()),
                NODES_OF_A_PAIR * MOST_SERVICES,
            )
        )
    except (IOError, OSError) as exc:
        service.log("problem: %s: port %d: cannot be listened on (%s); see who does, and that the address is this "
                    "host's" % (place + (exc.strerror or exc,)))
        return 1
    stopped, code = [], 0
    programs = System().program_stamp()
    signal.signal(signal.SIGTERM, lambda _signum, _frame: stopped.append(True))
    service.tell("READY=1")
    service.log("lends services on %s port %d, for %g s at most" % (place + (settings["lease"],)))
    while not stopped:
        readers, writers = listener.sources()
        wait(readers, writers, TICK)
        for problem in listener.step(boottime()):
            if problem != "the connection was closed":
                service.log("problem: a caller was turned away: %s" % problem)
        service.tell("WATCHDOG=1")
        if programs is not None and System().program_stamp() != programs:
            # Whoever has a loan says so to the next one, and keeps it.
            service.log("the programs of this host were replaced: starting again with the new ones")
            code = START_AGAIN
            break
    service.tell("STOPPING=1")
    listener.close()
    return code
