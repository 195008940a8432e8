# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How this node's facts are put into words: durations, units of systemd, files and interfaces; with the cure."""

from __future__ import absolute_import, division, print_function

import re
import signal

__metaclass__ = type

_COLOURS = re.compile(u"\x1b\\[[0-?]*[ -/]*[@-~]")
_CONTROLS = re.compile(u"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_KILLED, _DUMPED = "2", "3"  # CLD_KILLED, CLD_DUMPED of waitid(2)
_RESULTS = {
    "timeout": "did not start or stop within its time",
    "watchdog": "did not answer systemd's watchdog",
    "oom-kill": "was killed because memory ran out",
    "start-limit-hit": "was started too often within a short time",
    "protocol": "did not tell systemd that it is ready",
    "resources": "could not be started for want of something",
}


def printable(text):
    """One line of ASCII, whatever came: the terminal of a person gets no control characters."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return "".join(char if u" " <= char <= u"~" else u"?" for char in text.strip())


def cleaned(text):
    """The lines of a text without colours and other control characters; what is no text stays as it is."""
    if not isinstance(text, (bytes, type(u""))):
        return text
    known = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    known = _COLOURS.sub(u"", known).replace(u"\r\n", u"\n").replace(u"\r", u" ").replace(u"\t", u" ")
    plain = _CONTROLS.sub(u"?", known)
    # An error with other text than that has no str() in Python 2.
    return plain.encode("utf-8") if str is bytes and isinstance(text, bytes) else plain


def link_problem(name, links):
    """Why keepalived takes an interface to be down, None when it does not; the flags are those it goes by."""
    if not links:
        return None
    if name not in links:
        return "interface %s is not there" % name
    if "UP" not in links[name]:
        return "interface %s is down; ip link set %s up" % (name, name)
    if "LOWER_UP" not in links[name]:
        return "interface %s has no carrier; see its cable or its switch" % name
    return None


def duration(seconds):
    """`3 h 2 min`, `12 s`, `0.4 s`: the two largest units, tenths below ten seconds."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return "%.1f s" % seconds
    whole = int(seconds)
    for large, size, small, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return "%d %s" % (whole // size, large) + (" %d %s" % (rest, small) if rest else "")
    return "%d s" % whole


def ending_words(unit):
    """How the last run of a unit ended: `was killed by SIGKILL`."""
    code, status, result = (unit.get(key, "") for key in ("ExecMainCode", "ExecMainStatus", "Result"))
    if result in _RESULTS:
        return _RESULTS[result]
    if code in (_KILLED, _DUMPED) and status.isdigit():
        return "was killed by %s" % signal_name(int(status))
    if result == "exit-code" and status.isdigit():
        return "ended with status %s" % status
    return "failed (%s)" % (result or "systemd does not say why")


def signal_name(number):
    """SIGKILL of 9."""
    names = [name for name in dir(signal) if name.startswith("SIG") and not name.startswith("SIG_")]
    return next((name for name in sorted(names) if getattr(signal, name) == number), "signal %d" % number)


def unit_words(name, unit, clock):
    """What systemd says of a unit that should run, with the cure; None when it runs or systemd says nothing."""
    load, active = unit.get("LoadState"), unit.get("ActiveState")
    if load == "not-found":
        return "%s is not installed; deploy this node again" % name
    if load == "masked":
        return "%s is masked; systemctl unmask %s" % (name, name)
    left = unit.get("InactiveEnterTimestampMonotonic", "0")
    since = " %s ago" % duration(clock - int(left) / 1e6) if left.isdigit() and int(left) else ""
    if active == "failed":
        return "%s %s%s; systemctl start %s, journalctl -u %s tells more" % (
            name,
            ending_words(unit),
            since,
            name,
            name,
        )
    if active == "inactive":
        how = "was stopped in good order%s" % since if since else "was not started since boot"
        return "%s %s; systemctl start %s" % (name, how, name)
    if active == "activating" and unit.get("SubState") == "auto-restart":
        return "%s %s and is to be started again; journalctl -u %s tells more" % (name, ending_words(unit), name)
    if active in ("activating", "deactivating"):
        return "%s is %s; journalctl -u %s tells more" % (
            name,
            "starting" if active == "activating" else "stopping",
            name,
        )
    return None


def file_words(path, text):
    """What a tracked file that should hold a 1 holds."""
    if text is None:
        return "%s is not there" % path
    held = printable(text)[:20]
    return "%s holds '%s', not '1'" % (path, held) if held else "%s is empty" % path
