# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ha-pair-redis-role: keeps one Redis of a pair primary, by preference where the VIP is.

It reconciles: each time it looks at the VIP, at its own Redis and at its peer's, and does what takes the three a step
nearer. Whoever has newer data goes before whoever has the VIP, so a node that comes back empty first gets the data and
then the role.

Whose data are newer is in the data. Redis forgets its offsets when it starts from its append-only file, so each primary
writes a key, MARK: which primary of the pair it is, counted, and its place. It is replicated, kept and lost with the
data that it speaks of. When nobody is primary, the later mark goes first. Where both have the same one, the node that
it names does: it has all that the other one got from it, and maybe more. Where that says nothing, because no mark was
ever written or both were promoted from the same one, data of this life go before those of an earlier one, then the
larger offset, then the VIP, then who is named first. Each Redis starts as the replica of nobody, and follows a primary
only when that has the same mark or a later one; otherwise it becomes primary as well, and the other one gives way.

Two nodes are no quorum: cut off from each other, both may be primary, as both may own the VIP. It ends when they meet,
and is said: the one on which less was written gives way, and what was written there is lost. That can be told as long
as neither was restarted meanwhile, because they count on from where they parted. Otherwise the earlier mark gives way,
and with equal ones whoever has not got the VIP; when neither has it both do, and what holds for two replicas decides.
"""

from __future__ import absolute_import, division, print_function

import json
import os
import signal
import time

from . import service, state
from .errors import NodeError
from .redis import Redis, RedisError
from .system import STATE_DIRECTORY, read_text

__metaclass__ = type

SETTINGS_FILE = "/etc/keepalived/ha-pair-redis.json"
TICK = 0.25
ASK_TIMEOUT = 0.5
# For how long a peer has to be away before the owner of the VIP does without it (s): a restart is shorter.
ALONE = 1.0
# The same for one that hears its peer's keepalived: the node is there, and its Redis may come back.
ALONE_WITHOUT_VIP = 5.0
# For how long a Redis that just started waits for a peer with newer data (s).
BOOT_WAIT = 20.0
# For how long writes wait at most while the role is handed over (ms): a replica says once in a second what it has.
HANDOVER = 2000

# The key by which both know whose data are newer: which primary of the pair this is, and where it is.
MARK = "ha-pair:generation"

PROMOTE, FOLLOW, HANDOVER_TO_US, WRITE_MARK = "promote", "follow", "hand over", "write " + MARK
MASTER, BACKUP = "MASTER", "BACKUP"
_NEEDED = ("instance", "own", "peer", "port", "password", "first")


def read_settings(text):
    """The settings of this node; raises NodeError when the text holds none."""
    try:
        given = json.loads(text or "")
        missing = [name for name in _NEEDED if name not in given]
        # ansible-core before 2.19 makes text of numbers.
        given["port"] = int(given.get("port", 0))
    except (TypeError, ValueError):
        raise NodeError("%s: is not readable JSON; run the role redis again" % SETTINGS_FILE)
    if missing:
        raise NodeError("%s: %s missing; run the role redis again" % (SETTINGS_FILE, ", ".join(missing)))
    return given


def vrrp_state(text, instance, boot_id):
    """The state of the instance as the record of this node says it; None when nobody knows it now."""
    record = state.parse_record(text)
    if record is None or record.get("boot_id") != boot_id or record["daemon"]["state"] != state.RUNNING:
        return None
    word = record["instances"].get(instance, {}).get("state")
    return None if word == state.UNKNOWN_STATE else word


def read_mark(text):
    """(which primary of the pair wrote this, its place); (0, None) when none did."""
    number, _space, place = (text or "").partition(" ")
    return (int(number), place) if number.isdigit() and place else (0, None)


def look(server):
    """What a server says of its part, and its mark."""
    found = server.status()
    # While it reads its data it has no mark to show, and nothing is decided.
    found["generation"], found["named"] = (0, None) if found["loading"] else read_mark(server.command("GET", MARK))
    return found


def decide(vrrp, own, peer, away, first, place, peer_place):
    """(what to do or None, why). `own` and `peer`: what look() says, None when there is no answer.

    `away`: for how long the peer has not answered (s); `first`: this node is named first, which decides last of all.
    """
    if own is None or own["loading"]:
        return None, "our Redis does not answer yet"
    if own["role"] == "primary":
        if peer is not None and peer["role"] == "primary" and not peer["loading"]:
            return _two_primaries(vrrp, own, peer)
        return (None if own["named"] == place else WRITE_MARK), "primary"
    if peer is None:
        return _alone(vrrp, own, away)
    if peer["loading"]:
        return None, "the peer's Redis reads its data"
    if peer["role"] == "primary":
        if own["of"] != peer_place:
            if own["generation"] > peer["generation"]:
                return PROMOTE, "the peer is primary with older data than ours"
            return FOLLOW, "the peer is primary, and we follow %s" % own["of"]
        if vrrp != MASTER:
            return None, "replica of the peer"
        if not own["link"]:
            return None, "the VIP is here, and our Redis has not got the peer's data yet"
        return HANDOVER_TO_US, "the VIP is here, and our Redis has all of the peer's data"
    return _two_replicas(vrrp, own, peer, first, place, peer_place)


def _two_replicas(vrrp, own, peer, first, place, peer_place):
    if own["generation"] != peer["generation"]:
        if own["generation"] < peer["generation"]:
            return None, "nobody is primary, and the peer has the data of a later primary"
        return PROMOTE, "nobody is primary, and we have the data of a later primary than the peer"
    if own["named"] == peer["named"] and own["named"] in (place, peer_place):
        if own["named"] == peer_place:
            return None, "nobody is primary, and the peer was it last"
        return PROMOTE, "nobody is primary, and we were it last"
    if own["synced"] != peer["synced"]:
        if peer["synced"]:
            return None, "nobody is primary, and our data are older than the peer's"
        return PROMOTE, "nobody is primary, and the peer's data are older than ours"
    if own["offset"] != peer["offset"]:
        if own["offset"] < peer["offset"]:
            return None, "nobody is primary, and the peer has more of the data"
        return PROMOTE, "nobody is primary, and we have more of the data than the peer"
    if vrrp == MASTER or (vrrp is None and first):
        return PROMOTE, "nobody is primary, and %s" % ("the VIP is here" if vrrp == MASTER else "we are named first")
    return None, "nobody is primary, and the peer has the VIP or is named first"


def _two_primaries(vrrp, own, peer):
    parted = set(own["histories"]) & set(peer["histories"])
    stays = None, "problem: the peer's Redis is primary as well, and is to give way"
    lost = "what was written here alone is lost"
    # They count on from where they parted: the one that was frozen, or that no client could reach, is behind.
    if parted and own["offset"] != peer["offset"]:
        if own["offset"] > peer["offset"]:
            return stays
        return FOLLOW, "problem: both were primary, and the peer has more; %s" % lost
    if own["generation"] != peer["generation"]:
        if own["generation"] > peer["generation"]:
            return stays
        return FOLLOW, "problem: both were primary, and the peer became it later; %s" % lost
    if vrrp == MASTER:
        return stays
    # Whether the peer has it cannot be known here; two that give way at once keep their data.
    return FOLLOW, "problem: both were primary, and the VIP is not here; %s" % lost


def _alone(vrrp, own, away):
    if vrrp == MASTER:
        needed = ALONE
    elif vrrp == BACKUP:
        needed = ALONE_WITHOUT_VIP
    else:
        return None, "the peer's Redis is away, and this node does not take part in VRRP"
    if not own["synced"]:
        # Our data are those of an earlier life; the peer's are newer, if it comes.
        needed = max(needed, BOOT_WAIT)
        if own["uptime"] < BOOT_WAIT:
            return None, "the peer's Redis is away; waiting for it, because its data may be newer than ours"
    if away < needed:
        return None, "the peer's Redis is away"
    return PROMOTE, "the peer's Redis is away"


class Follower(object):
    """`world` has vrrp(), ask(address), tell(address, *words), monotonic() and say(line)."""

    def __init__(self, settings, world):
        self._settings, self._world = settings, world
        self._since, self._said, self._asked, self._decided = None, None, None, None
        self._generation = 0

    def step(self):
        """Look once, and do at most one thing. Returns what was done."""
        settings, now = self._settings, self._world.monotonic()
        own, refusal = self._ask("127.0.0.1")
        peer, other_refusal = self._ask(settings["peer"])
        if peer is not None:
            self._since = None
        elif self._since is None:
            self._since = now
        place, peer_place = ("%s:%d" % (settings[whose], settings["port"]) for whose in ("own", "peer"))
        away = 0.0 if self._since is None else now - self._since
        action, why = decide(self._world.vrrp(), own, peer, away, settings["first"], place, peer_place)
        # Also when somebody empties Redis, marks go on from the last one: the peer may have kept that.
        seen = [server["generation"] for server in (own, peer) if server is not None and server["role"] is not None]
        self._generation = max([self._generation] + seen)
        decided, self._decided = self._decided, action
        if action == PROMOTE and peer is not None and decided != PROMOTE:
            # While a primary hands over, both are replicas for a moment; one just promoted still has its old mark.
            return None
        doing = action
        try:
            if action == PROMOTE:
                self._world.tell("127.0.0.1", "REPLICAOF", "NO", "ONE")
                doing = WRITE_MARK
            if action in (PROMOTE, WRITE_MARK):
                # One that takes no writes, for lack of memory or of a replica, refuses; the next look tries again.
                self._world.tell("127.0.0.1", "SET", MARK, "%d %s" % (self._generation + 1, place))
            elif action == FOLLOW:
                self._world.tell("127.0.0.1", "REPLICAOF", settings["peer"], settings["port"])
            elif action == HANDOVER_TO_US:
                # The primary stops writes, waits until we have them all, and changes places with us.
                if self._asked is not None and now - self._asked < HANDOVER / 1000.0:
                    return None
                self._asked = now
                words = ("FAILOVER", "TO", settings["own"], settings["port"], "TIMEOUT", HANDOVER)
                self._world.tell(settings["peer"], *words)
        except RedisError as exc:
            # One that is older than 6.2 cannot; its clients find the primary where it is.
            self._say("problem: cannot %s: %s" % (doing, exc))
            return None
        refused = refusal or other_refusal
        told = action and action != WRITE_MARK
        self._say("problem: %s" % refused if refused else "%s: %s" % (action, why) if told else why)
        return action

    def _ask(self, address):
        """(what a server says of itself, None when it is away; what it refused)."""
        try:
            return self._world.ask(address), None
        except RedisError as exc:
            # One that refuses is there, and what it said is for a person to mend.
            return ({"loading": True, "role": None} if exc.refused else None), (exc if exc.refused else None)

    def _say(self, line):
        if line != self._said:
            self._said = line
            self._world.say(line)


class World(object):
    """The machine."""

    def __init__(self, settings, boot_id):
        self._settings, self._boot_id = settings, boot_id
        self.say = service.log
        self.monotonic = getattr(time, "monotonic", time.time)

    def vrrp(self):
        path = os.path.join(STATE_DIRECTORY, "state.json")
        return vrrp_state(read_text(path), self._settings["instance"], self._boot_id)

    def ask(self, address):
        return self._with(address, look)

    def tell(self, address, *words):
        return self._with(address, lambda server: server.command(*words))

    def _with(self, address, call):
        server = Redis(address, self._settings["port"], self._settings["password"], timeout=ASK_TIMEOUT)
        try:
            return call(server)
        finally:
            server.close()


def main():
    """Run as ha-pair-redis-role.service."""
    try:
        settings = read_settings(read_text(SETTINGS_FILE))
    except NodeError as exc:
        service.log("problem: %s" % exc)
        return 1
    boot_id = (read_text("/proc/sys/kernel/random/boot_id") or "").strip()
    follower = Follower(settings, World(settings, boot_id))
    stopped = []
    signal.signal(signal.SIGTERM, lambda _signum, _frame: stopped.append(True))
    service.tell("READY=1")
    while not stopped:
        follower.step()
        service.tell("WATCHDOG=1")
        time.sleep(TICK)
    return 0
