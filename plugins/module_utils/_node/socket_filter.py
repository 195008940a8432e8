# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the kernel's packet filter (classic BPF) for a socket: what it keeps out wakes nobody."""

from __future__ import absolute_import, division, print_function

import array
import socket
import struct

__metaclass__ = type

# Not in the socket module of any Python.
_SO_ATTACH_FILTER = 26
_INSTRUCTION = struct.Struct("=HBBI")
_LOAD = {1: 0x30, 2: 0x28, 4: 0x20}
_JUMP, _JUMP_IF_EQUAL, _RETURN = 0x05, 0x15, 0x06
_PASS, _DROP = 0xFFFF, 0


def equal(offset, data):
    """The conditions [(offset, size, value)] that these bytes stand at that offset of the packet."""
    conditions, place = [], 0
    while place < len(data):
        size = 4 if len(data) - place >= 4 else 2 if len(data) - place >= 2 else 1
        value = struct.unpack_from({1: "!B", 2: "!H", 4: "!I"}[size], data, place)[0]
        conditions.append((offset + place, size, value))
        place += size
    return conditions


def _block(conditions, end):
    """Do `end` when all of them hold, else go on behind it. A packet that is too short is dropped by the kernel."""
    length, block = 2 * len(conditions) + 1, []
    for offset, size, value in conditions:
        block.append((_LOAD[size], 0, 0, offset))
        block.append((_JUMP_IF_EQUAL, 0, length - len(block) - 1, value))
    return block + [end]


def build(all_of, any_of, none_of=()):
    """The program that passes what meets `all_of`, one of the lists in `any_of` and none of those in `none_of`."""
    program = []
    for condition in all_of:
        offset, size, value = condition
        program += [(_LOAD[size], 0, 0, offset), (_JUMP_IF_EQUAL, 1, 0, value), (_RETURN, 0, 0, _DROP)]
    # Out of the alternatives by a jump that may be long: those of a condition reach 255 instructions.
    end = len(program) + sum(2 * len(conditions) + 1 for conditions in any_of) + 1
    for conditions in any_of:
        place = len(program) + 2 * len(conditions)
        program += _block(conditions, (_JUMP, 0, 0, end - place - 1))
    program.append((_RETURN, 0, 0, _DROP))
    for conditions in none_of:
        program += _block(conditions, (_RETURN, 0, 0, _DROP))
    program.append((_RETURN, 0, 0, _PASS))
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in program)


def attach(opened, program):
    """Have the kernel apply it to what comes to that socket from now on."""
    code = array.array("B", program)
    # struct sock_fprog: the number of instructions, and where they are.
    chain = struct.pack("@HP", len(program) // _INSTRUCTION.size, code.buffer_info()[0])
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, chain)
