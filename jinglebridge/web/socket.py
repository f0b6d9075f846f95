"""A connection by WebSocket.

Spec: RFC 6455; DESIGN §3, §5; J-251.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from jinglebridge.web import connection as base
from jinglebridge.web import messages as m
from jinglebridge.web import websocket
from jinglebridge.web.connection import Connection
from jinglebridge.web.gate import Gate
from jinglebridge.web.websocket import BINARY, CLOSE, PING, PONG, Reader, Violation


class Socket(Connection):
    """`start` gives it its transport."""

    __slots__ = ("_greeting", "_paused", "_reader")

    PING = b"\x89\x00"

    def __init__(self, gate: Gate, address: str, on_end: Callable[[Connection], None] = lambda connection: None) -> None:
        super().__init__(gate, address, on_end)
        self._reader = Reader(base.MAX_MESSAGE)
        self._paused = False  # reading, until what was read is handled
        self._greeting: asyncio.Task[None] | None = None

    def start(self, transport: asyncio.Transport) -> None:
        """Take over a transport whose handshake is done."""
        self._transport = transport
        self._after(base.HELLO_WITHIN, self.close, 1008, "no hello")
        transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        self.heard()
        if self._ended:
            return
        try:
            messages = self._reader.feed(data)
        except Violation as violation:
            self._ended = True
            self.close(violation.code, str(violation))
            return
        waiting = bool(self._backlog)
        for message in messages:
            if message[0] == PING:
                self._pong(message[1])
            elif message[0] != PONG:
                self._backlog.append(message)
        if not waiting:
            self._work()

    def _pong(self, payload: bytes) -> None:
        """Who asks and asks and does not read the answers must not fill the memory with them."""
        if self.waiting() > base.MAX_QUEUE:
            self.abort()
        else:
            self._write(websocket.header(len(payload), PONG) + payload)

    def _beside(self, opcode: int, payload: bytes) -> bool:
        if opcode == CLOSE:
            self._closed_by_peer(payload)
            return True
        if self.session is None and self._greeting is None and not self._closing:
            self._greet(opcode, payload)
            return True
        return super()._beside(opcode, payload)

    def _closed_by_peer(self, payload: bytes) -> None:
        self._ended = True
        if not self._closing:
            self._closing = True
            self._flush()
            self._write(websocket.header(len(payload[:2]), CLOSE) + payload[:2])
        if self._transport is not None:
            self._transport.close()

    def _greet(self, opcode: int, payload: bytes) -> None:
        self._cancel_timer()
        if opcode == BINARY:
            self._ended = True
            self.close(1000, "text frames only")
            return
        self._greeting = asyncio.create_task(self._hello(payload))

    async def _hello(self, payload: bytes) -> None:
        """The hello, or an error and the end."""
        refused = await self.greet(payload)
        if refused is not None:
            self.send(m.encode(refused))
            self.close(4001, "not let in")
        self._greeting = None
        self._work()

    def _framed(self, frame: bytes) -> tuple[bytes, ...]:
        return (websocket.header(len(frame)), frame)

    def _farewell(self, code: int, reason: str) -> bytes:
        return websocket.close_frame(code, reason)

    def _read_on(self, on: bool) -> None:
        transport = self._transport
        if self._paused is not on or transport is None or transport.is_closing():
            return
        self._paused = not on
        if on:
            transport.resume_reading()
        else:
            transport.pause_reading()


def taken(request: web.Request) -> asyncio.Transport:
    """The connection of a request, out of the hands of aiohttp: to it, it is lost. Raises HTTPBadRequest if it really is."""
    handler, transport = request.protocol, request.transport
    if transport is None or transport.is_closing():
        raise web.HTTPBadRequest(text="gone\n")
    handler.transport = None  # else it would close it
    handler.connection_lost(None)
    return transport
