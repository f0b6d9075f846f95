"""RFC 6455 for a server, without I/O: bytes of a client to messages, messages to bytes.

aiohttp makes the handshake and is then left out: of what it holds for a socket that idles (14 KiB) a page needs little, and each of its
messages wakes a task.

Spec: RFC 6455 §4.2.2, §5.
"""

from __future__ import annotations

import base64
import hashlib

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
WHOLE = 0x80 | TEXT  # first byte of a text in one frame, as nearly all messages are
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Message = tuple[int, bytes]  # opcode, payload


class Violation(Exception):
    """The client broke the protocol: close with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Reader:
    """Takes bytes as they come. `limit`: bytes of one message, fragments together."""

    __slots__ = ("_buffer", "_fragments", "_limit", "_opcode", "_size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = b""
        self._opcode = 0  # of the message whose fragments are coming
        self._fragments: list[bytes] | None = None
        self._size = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete now, control frames among them. Raises Violation."""
        if self._buffer:
            data = self._buffer + data
        messages: list[Message] = []
        at, end = 0, len(data)
        while end - at >= 2:
            first, second = data[at], data[at + 1]
            size, start = second & 127, at + 6  # behind the mask
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 8
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 14
            if start > end:
                self._check(first, second, 0)
                break
            usual = first == WHOLE and second & 0x80 and size <= self._limit and self._fragments is None
            if not usual:
                self._check(first, second, size)
            if start + size > end:
                break
            payload = _unmasked(data[start : start + size], data[start - 4 : start])
            if usual:
                messages.append((TEXT, payload))
            else:
                self._frame(first, payload, messages)
            at = start + size
        self._buffer = data[at:]
        return messages

    def _check(self, first: int, second: int, size: int) -> None:
        """What can be seen before the payload is there."""
        opcode = first & 15
        if first & 0x70 or opcode not in (0, TEXT, BINARY, CLOSE, PING, PONG):
            raise Violation(1002, "a frame of no kind that was agreed")
        if not second & 0x80:
            raise Violation(1002, "a frame that is not masked")
        if opcode >= CLOSE:
            if not first & 0x80 or size > 125:
                raise Violation(1002, "a control frame in pieces, or too long")
        elif (opcode == 0) is not (self._fragments is not None):
            raise Violation(1002, "a fragment of nothing, or a message within another")
        elif self._size + size > self._limit:
            raise Violation(1009, "too big to be read")

    def _frame(self, first: int, payload: bytes, messages: list[Message]) -> None:
        opcode, last = first & 15, first & 0x80
        if opcode >= CLOSE:
            messages.append((opcode, payload))
        elif last and self._fragments is None:
            messages.append((opcode, payload))
        elif not last:
            if self._fragments is None:
                self._opcode, self._fragments = opcode, []
            self._fragments.append(payload)
            self._size += len(payload) + 64  # empty ones must not be free
        elif self._fragments is not None:
            messages.append((self._opcode, b"".join(self._fragments) + payload))
            self._fragments, self._size = None, 0


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    """One XOR over the whole payload. RFC 6455 §5.3."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


def header(size: int, opcode: int = TEXT) -> bytes:
    """Of a whole frame to a client, which is not masked. RFC 6455 §5.2."""
    first = 0x80 | opcode
    if size < 126:
        return bytes((first, size))
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")


def close_frame(code: int, reason: str) -> bytes:
    payload = code.to_bytes(2, "big") + reason.encode()[:120]
    return header(len(payload), CLOSE) + payload


def is_key(key: str) -> bool:
    """Is this what a client must send, 16 bytes in base64? RFC 6455 §4.2.1."""
    try:
        return len(key) == 24 and len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        return False


def accept(key: str, protocol: str) -> bytes:
    """The answer to a handshake. `key`: see `is_key`."""
    digest = base64.b64encode(hashlib.sha1(key.encode() + MAGIC).digest()).decode()
    lines = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {digest}")
    return "\r\n".join((*lines, f"Sec-WebSocket-Protocol: {protocol}", "", "")).encode()
