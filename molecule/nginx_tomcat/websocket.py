# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says a text over a WebSocket (RFC 6455) and prints the answer: `websocket.py HOST PATH TEXT`; both short."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import sys
import typing as t

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT_FRAME = 0x81
MASKED = 0x80


def upgrade(connection: socket.socket, stream: t.BinaryIO, host: str, path: str) -> None:
    """Leave HTTP; SystemExit with the answer when the server does not want to."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
    connection.sendall("\r\n".join(lines).encode())
    head = []
    while line := stream.readline().decode().strip():
        head.append(line)
    accepted = base64.b64encode(hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()).decode()
    fields = {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in head[1:])}
    if head[0].split()[1:2] != ["101"] or fields.get("sec-websocket-accept") != accepted:
        sys.exit(f"{host}{path} did not switch to WebSocket: {head}")


def say(connection: socket.socket, stream: t.BinaryIO, text: str) -> str:
    """What comes back for a text; both of less than 126 bytes, so that their length is one byte."""
    mask, data = os.urandom(4), text.encode()
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
    connection.sendall(bytes([TEXT_FRAME, MASKED | len(data)]) + mask + masked)
    kind, length = stream.read(2)
    if kind != TEXT_FRAME:
        sys.exit(f"a frame of kind {kind:#x} came back, not a text")
    return stream.read(length).decode()


if __name__ == "__main__":
    with socket.create_connection((sys.argv[1], 80), timeout=5) as opened, opened.makefile("rb") as answers:
        upgrade(opened, answers, sys.argv[1], sys.argv[2])
        print(say(opened, answers, sys.argv[3]))
