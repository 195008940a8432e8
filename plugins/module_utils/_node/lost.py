# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts back VIPs that somebody removed from their owner, where keepalived itself does not notice (1.3).

Neither its adverts nor its state change, so the peer does not take over and nobody has the address; a reload does not
bring it back (seen on 1.3.9), a restart would move all others. So it is put where keepalived had put it, and keepalived
removes it as its own when it gives way. The kernel tells of every address that goes; looking now and then is for what
it could not tell.
"""

from __future__ import absolute_import, division, print_function

from . import journal
from .errors import NodeError
from .guard import CHECK_INTERVAL, SETTLE, places, virtual_addresses

__metaclass__ = type


class LostAddresses(object):
    """`system` is the world, `say` the journal, `attempt(topic, call, *arguments)` says a NodeError once."""

    def __init__(self, system, say, attempt):
        self._system, self._say, self._attempt = system, say, attempt
        self._news = self._next = None
        self._put = {}  # when each address was put back last

    def sources(self):
        """What select() is to wait for."""
        return [self._news] if self._news else []

    def hear(self):
        """The kernel told of addresses: look at the next opportunity."""
        try:
            self._news.drain()
        except NodeError:
            self.close()
            raise
        finally:
            self._next = None

    @property
    def active(self):
        """Whether there is something to look at now."""
        return self._news is not None and self._next is None

    def look(self, description, record, daemon, confirm):
        """Put back what is lost, when it is time to look.

        `confirm(ask)` gives (record, daemon, sure) as they are now; with `ask`, keepalived itself is asked, and `sure`
        is whether it answered.
        """
        if daemon is None or (description or {}).get("keepalived", {}).get("restores_addresses", True):
            self.close()
            return
        if self._news is None:
            self._news, self._next = self._attempt("address news", self._system.address_news), None
        clock = self._system.monotonic()
        if self._next is not None and clock < self._next:
            return
        self._next = clock + CHECK_INTERVAL
        vips = virtual_addresses(description)
        if not self._missing(vips, record):
            return
        self._next = clock + SETTLE
        record, daemon, sure = confirm(True)
        if not sure or daemon is None:
            return
        for vip in self._missing(vips, record):
            self._attempt("lost %s" % vip["address"], self._put_back, vip)

    def _missing(self, vips, record):
        """VIPs of a MASTER that are nowhere; not of one that is just becoming it, nor those put back just now."""
        wanted = [vip for vip in vips if vip.get("interface") and self._is_due(vip, record)]
        interfaces = self._attempt("kernel", self._system.interfaces) if wanted else None
        return [] if interfaces is None else [vip for vip in wanted if not places(interfaces, vip)[0]]

    def _is_due(self, vip, record):
        entry = record["instances"].get(vip["instance"], {})
        if entry.get("state") != "MASTER":
            return False
        # keepalived tells the time of its change in whole seconds, and the address comes an advert after it.
        if self._system.now() - entry["since"] < vip["master_down"] + SETTLE:
            self._next = min(self._next, self._system.monotonic() + SETTLE)
            return False
        put = self._put.get(vip["address"])
        return put is None or self._system.monotonic() - put >= CHECK_INTERVAL

    def _put_back(self, vip):
        self._put[vip["address"]] = self._system.monotonic()
        self._system.put_address_back(vip["address"], vip["prefix"], vip["interface"])
        journal.say_action(
            self._say,
            vip,
            "%s was gone from %s although keepalived here is MASTER, and keepalived does not notice that: put back"
            % (vip["address"], vip["interface"]),
        )

    def close(self):
        if self._news is not None:
            self._news.close()
        self._news = None
