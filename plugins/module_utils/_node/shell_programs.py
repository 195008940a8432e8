# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keepalived 1.3 starts very often, in words of the shell: a Python takes ten times as long to start.

Both only use what the shell has built in, so one process is started for each.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

HEAD = """#!/bin/sh
# Installed by duplex.ha_pair; changes are lost at the next deployment.
"""

STATE = (
    HEAD
    + """#
# ha-pair-state one|not-one FILE: reads a state file, for a keepalived that cannot watch one.
# one: good while the file holds a 1. not-one: good unless it does. Whatever is wrong with the file, it holds no 1.
word=
[ -f "$2" ] && read -r word 2>/dev/null <"$2"
case "$1:$word" in
one:1) exit 0 ;;
not-one:1) exit 1 ;;
not-one:*) exit 0 ;;
*) exit 1 ;;
esac
"""
)

EVENT = (
    HEAD
    + """#
# ha-pair-event TYPE NAME STATE [PRIORITY]: tells the notify handler of a change, for a keepalived without a FIFO.
# keepalived starts one for each change, waits for none, and they overtake each other. The order in which it forked them
# is the order of the changes: so the start (in ticks) and the number of the process that it forked go with the news,
# and the handler sorts them.
fifo=/run/keepalived/ha-pair/notify.fifo
proc=/proc

look() {
    read -r line 2>/dev/null <"$proc/$1/stat" || return 1
    name=${line#*"("}
    name=${name%")"*}
    # The name may hold blanks and parentheses.
    set -f
    set -- ${line##*") "}
    parent=$2
    shift 19
    started=$1
}

[ "$1" = INSTANCE ] || exit 0
[ -p "$fifo" ] || exit 0
pid=$$
depth=0
forked="0 $pid"
under=$forked
while [ "$pid" -gt 1 ] && look "$pid"; do
    if [ "$name" = keepalived ]; then
        depth=$((depth + 1))
        [ "$depth" -gt 1 ] || forked="$started $pid"
    elif [ "$depth" -gt 0 ]; then
        break
    else
        under="$started $pid"
    fi
    pid=$parent
done
# Two of that name are keepalived and its VRRP process; a third one was forked for this and waits for it.
[ "$depth" -gt 2 ] || forked=$under
# Opened for reading as well: nobody waits for a handler that is not there, and it asks keepalived when it starts.
printf 'EVENT %s INSTANCE "%s" %s %s\\n' "$forked" "$2" "$3" "${4:-0}" 1<>"$fifo"
"""
)

SHELL_PROGRAMS = {"ha-pair-event": EVENT, "ha-pair-state": STATE}
