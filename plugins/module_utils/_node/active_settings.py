# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of ha-pair-active: read, and refused where the times in them cannot keep what the arbiter promises.

Secrets lie in a file of their own, so that everybody may read what a node is to do.
"""

from __future__ import absolute_import, division, print_function

import json

from .errors import NodeError

__metaclass__ = type

SETTINGS_FILE = "/etc/keepalived/ha-pair-active.json"
SECRETS_FILE = "/etc/keepalived/ha-pair-active.secrets.json"
# Whose secret it is, by its name in that file.
CHANNEL, WITNESS = "channel", "witness"
CURE = "run the role again that wrote it"
KINDS = ("none", "peer", "witness", "command")
READY_KINDS = ("systemd", "file", "http", "tcp", "command")
# How often a service that starts is asked whether it is ready (s).
READY_INTERVAL = 0.2
SHORTEST_SECRET = 16
# Kept free between the end of the service here and the end of its loan (s): for clocks that do not run alike, and for
# the moment that a kill takes.
MARGIN = 1.0

_SECONDS = {
    "confirm": (1.0, 0.0, 60.0),
    "blind": (2.0, 0.5, 60.0),
    "start_timeout": (60.0, 1.0, 3600.0),
    "stop_timeout": (10.0, 0.5, 300.0),
}


def _number(given, key, default, low, high, place):
    value = given.get(key, default)
    try:
        # ansible-core before 2.19 makes text of numbers.
        found = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        found = None
    if found is None or not low <= found <= high:
        raise NodeError("%s: %s %s is not a number in %g..%g; give one that is" % (place, key, value, low, high))
    return found


def _need(given, key, place):
    value = given.get(key)
    if not hasattr(value, "encode") or not value:
        raise NodeError("%s: %s is missing; %s" % (place, key, CURE))
    return value


def _port(given, place):
    return int(_number(given, "port", 0, 1, 65535, place))


class Secrets(object):
    """What lies in the file of secrets; each is needed only where something uses it, and no message shows one."""

    def __init__(self, text, path):
        self._path, self._given = path, {}
        if text is None:
            return
        try:
            self._given = json.loads(text)
        except ValueError:
            self._given = None
        if not isinstance(self._given, dict):
            raise NodeError("%s: is no readable JSON object; %s" % (path, CURE))

    def get(self, name, user):
        """The secret of that name for `user`, the place that needs it."""
        secret = self._given.get(name)
        if not hasattr(secret, "encode") or not secret:
            raise NodeError("%s: %s is missing, and %s needs it; %s" % (self._path, name, user, CURE))
        secret = secret.encode("utf-8")
        if len(secret) < SHORTEST_SECRET:
            raise NodeError(
                "%s: %s is shorter than %d characters; give a longer one" % (self._path, name, SHORTEST_SECRET)
            )
        return secret


def _words(value, place, key):
    if not isinstance(value, list) or not value or not all(hasattr(word, "encode") for word in value):
        raise NodeError("%s: %s is no list of words; give a program by its absolute path, and its arguments"
                        % (place, key))
    if not value[0].startswith("/"):
        raise NodeError("%s: %s: %s is no absolute path; give one" % (place, key, value[0]))
    return value


def shortest_lease(watchdog, stop_timeout):
    """A third of it may pass until the first renewal fails; then there is to be time to find that, and to stop."""
    return 1.5 * (watchdog + stop_timeout + MARGIN)


def longest_stop(watchdog, lease=300.0):
    """The longest stop_timeout for which there is a lease that is long enough."""
    return lease / 1.5 - watchdog - MARGIN


def shortest_timeout(watchdog, blind, stop_timeout):
    """So long may a node that knows that it has to stop take for it: its agent may be dead, or keepalived silent."""
    return watchdog + blind + stop_timeout + MARGIN


def _arbiter(given, entry, node, watchdog, secrets, place):
    kind = given.get("kind")
    if kind not in KINDS:
        raise NodeError("%s: kind %s is not one of %s; give one of them" % (place, kind, ", ".join(KINDS)))
    found = {"kind": kind, "node": node, "margin": MARGIN}
    if kind == "none":
        return found
    shortest = shortest_lease(watchdog, entry["stop_timeout"])
    found["lease"] = _number(given, "lease", max(15.0, shortest), 3.0, 300.0, place)
    if kind == "witness":
        if found["lease"] < shortest:
            raise NodeError(
                "%s: lease %g s leaves no time for a stop that may take %g s; give at least %g, or a shorter "
                "stop_timeout" % (place, found["lease"], entry["stop_timeout"], shortest)
            )
        found["pair"] = _need(given, "pair", place)
    else:
        found["first"] = given.get("first") is True
        bound = shortest_timeout(watchdog, entry["blind"], entry["stop_timeout"])
        # A command makes sure by itself that the peer has stopped; how long to wait before is a matter of taste.
        least = 1.0 if kind == "command" else bound
        found["timeout"] = _number(given, "timeout", bound, 0.0, 600.0, place)
        if found["timeout"] < least:
            raise NodeError(
                "%s: timeout %g s is shorter than a peer may take that stops by itself; give at least %g, or a "
                "shorter stop_timeout" % (place, found["timeout"], least)
            )
    if kind == "command":
        found["argv"] = _words(given.get("argv"), place, "argv")
        found["command_timeout"] = _number(given, "command_timeout", 30.0, 1.0, 600.0, place)
    found["address"] = None
    if kind != "command" or given.get("address") is not None:
        secret = secrets.get(WITNESS if kind == "witness" else CHANNEL, place)
        found.update(address=_need(given, "address", place), port=_port(given, place), secret=secret)
    return found


def _ready(given, start_timeout, place):
    if not isinstance(given, dict) or given.get("kind") not in READY_KINDS:
        raise NodeError("%s: ready: kind is not one of %s; give one of them" % (place, ", ".join(READY_KINDS)))
    interval = _number(given, "interval", READY_INTERVAL, 0.05, 60.0, place + ": ready")
    if start_timeout < interval:
        raise NodeError(
            "%s: start_timeout %g s is shorter than the interval of ready, %g s; give a longer start_timeout, or a "
            "shorter interval" % (place, start_timeout, interval)
        )
    if given["kind"] == "command":
        _words(given.get("target"), place, "ready")
    elif given["kind"] != "systemd":
        _need(given, "target", place + ": ready")
    return {"kind": given["kind"], "target": given.get("target"), "interval": interval}


def _service(name, given, node, watchdog, secrets, path):
    place = "%s: service %s" % (path, name)
    if not isinstance(given, dict):
        raise NodeError("%s: is no object; %s" % (place, CURE))
    entry = {"instance": _need(given, "instance", place), "track_file": _need(given, "track_file", place)}
    for key, (default, low, high) in sorted(_SECONDS.items()):
        entry[key] = _number(given, key, default, low, high, place)
    entry["restarts"] = int(_number(given, "restarts", 2, 0, 100, place))
    entry["margin"] = MARGIN
    companions = given.get("companions", [])
    if not isinstance(companions, list) or not all(hasattr(unit, "encode") and "." in unit for unit in companions):
        raise NodeError("%s: companions is no list of units; name each with its suffix, such as .service" % place)
    entry["companions"] = companions
    for key in ("ready_file", "failing_file"):
        entry[key] = given.get(key)
    for key in ("track_file", "ready_file", "failing_file"):
        if entry[key] is not None and not entry[key].startswith("/"):
            raise NodeError("%s: %s %s is no absolute path; give one" % (place, key, entry[key]))
    entry["ready"] = _ready(given.get("ready", {"kind": "systemd"}), entry["start_timeout"], place)
    given_arbiter = given.get("arbiter", {"kind": "none"})
    if not isinstance(given_arbiter, dict):
        raise NodeError("%s: arbiter is no object; %s" % (place, CURE))
    entry["arbiter"] = _arbiter(given_arbiter, entry, node, watchdog, secrets, place + ": arbiter")
    return entry


def read_settings(text, secrets_text, path=SETTINGS_FILE, secrets_path=SECRETS_FILE):
    """The settings of this node; raises NodeError, whose text never holds a secret.

    secrets_text: None when there is no such file, which is well where nothing uses one.
    """
    try:
        given = json.loads(text or "")
    except ValueError:
        given = None
    if not isinstance(given, dict) or given.get("schema") != 1 or not isinstance(given.get("services"), dict):
        raise NodeError("%s: is not readable JSON of schema 1; %s" % (path, CURE))
    node = _need(given, "node", path)
    watchdog = _number(given, "watchdog", 3.0, 1.0, 60.0, path)
    secrets = Secrets(secrets_text, secrets_path)
    services = {
        name: _service(name, entry, node, watchdog, secrets, path) for name, entry in sorted(given["services"].items())
    }
    listen = given.get("listen")
    if listen is not None:
        place = path + ": listen"
        if not isinstance(listen, dict):
            raise NodeError("%s: is no object; %s" % (place, CURE))
        listen = {
            "address": _need(listen, "address", place),
            "port": _port(listen, place),
            "secret": secrets.get(CHANNEL, place),
        }
    for name, entry in sorted(services.items()):
        arbiter = entry["arbiter"]
        if listen is None and arbiter["kind"] in ("peer", "command") and arbiter["address"] is not None:
            raise NodeError(
                "%s: service %s: arbiter: listen is missing, so the peer cannot ask this node; %s" % (path, name, CURE)
            )
    return {"node": node, "watchdog": watchdog, "services": services, "listen": listen}
