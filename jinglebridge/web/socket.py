"""One WebSocket: reads frames, hands them to the gate and the session's handler, writes what the session sends.

A slow reader gets 256 KiB of queue and then close code 1013; a silent one is found by pings within 15 s; a wrong frame gets
an error and nothing closes, except before `hello`.

Spec: DESIGN §3, §5; RFC 6455; J-251.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog
from aiohttp import WSMsgType, web

from jinglebridge.errors import EndpointError, ProtocolError
from jinglebridge.web import frames
from jinglebridge.web import messages as m
from jinglebridge.web.sessions import Allowance, Session

log = structlog.get_logger()

HELLO_WITHIN = 5.0
MAX_QUEUE = 256 * 1024
MAX_MESSAGE = 256 * 1024  # a frame over its limit gets an error; one over this is not even read (close code 1009)
PACE, BURST = 50.0, 400.0  # frames a second that are read from one socket, and at once
HEARTBEAT = 10.0  # seconds between pings; half of it to answer


class Gate(Protocol):
    """What a socket needs from the service."""

    async def hello(self, frame: m.Hello, wire: Connection, address: str) -> Session:
        """Let somebody in and send `welcome`. Raises EndpointError."""

    def request(self, session: Session, frame: m.Request) -> None:
        """Carry out a request, or raise ProtocolError. Everything but hello, ping and bye."""

    def settled(self, session: Session) -> None:
        """The page spoke on its new socket."""

    def detached(self, session: Session) -> None:
        """The socket of this session is gone."""

    def bye(self, session: Session) -> None:
        """The page closed for good."""


class Connection:
    """The wire of a session: never blocks the caller, never grows without limit.

    Frames are written straight to the transport, all of a turn of the loop at once; a system call costs more than the frame.
    """

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.WriteTransport | None) -> None:
        self._socket = socket
        self._transport = transport
        self._out: list[bytes] = []
        self._size = 0
        self._closing: tuple[int, str] | None = None
        self.closer: asyncio.Task[None] | None = None

    def send(self, frame: bytes) -> None:
        if self._closing is not None or self._transport is None:
            return
        self._size += len(frame)
        if self._size + self._transport.get_write_buffer_size() > MAX_QUEUE:
            self._out.clear()  # who does not read will not read these either; the session can be resumed
            self.close(1013, "too slow")
            return
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(_header(len(frame)))
        self._out.append(frame)

    def close(self, code: int, reason: str) -> None:
        """After what was sent before; only the first counts."""
        if self._closing is None:
            self._closing = (code, reason)
            self._flush()
            self.closer = asyncio.create_task(self._close(code, reason))

    def _flush(self) -> None:
        out, self._out, self._size = self._out, [], 0
        if out and self._transport is not None and not self._socket.closed and not self._transport.is_closing():
            self._transport.write(b"".join(out))

    async def _close(self, code: int, reason: str) -> None:
        try:
            await self._socket.close(code=code, message=reason.encode()[:120])
        except (ConnectionError, RuntimeError):
            pass  # the reader sees the same loss and ends


def _header(size: int) -> bytes:
    """Of a whole text frame to a client, which is not masked. RFC 6455 §5.2."""
    if size < 126:
        return bytes((0x81, size))
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


async def serve(request: web.Request, gate: Gate, address: str) -> web.WebSocketResponse:
    """The whole life of one WebSocket request."""
    socket = web.WebSocketResponse(protocols=(m.PROTOCOL,), heartbeat=HEARTBEAT, max_msg_size=MAX_MESSAGE, compress=False, autoping=True)
    await socket.prepare(request)
    connection = Connection(socket, request.transport)
    session: Session | None = None
    try:
        session = await _greet(socket, connection, gate, address)
        if session is not None:
            await _serve_session(socket, session, gate, connection)
    finally:
        connection.close(1000, "")
        if session is not None and session.wire is connection:
            session.wire = None
            gate.detached(session)
        assert connection.closer is not None
        await asyncio.wait({connection.closer}, timeout=2.0)
        connection.closer.cancel()
    return socket


async def _greet(socket: web.WebSocketResponse, connection: Connection, gate: Gate, address: str) -> Session | None:
    """The hello, or an error and the end."""
    try:
        async with asyncio.timeout(HELLO_WITHIN):
            message = await socket.receive()
    except TimeoutError:
        connection.close(1008, "no hello")
        return None
    if message.type is not WSMsgType.TEXT:
        return None
    id = frames.peek(message.data).id
    try:
        frame = frames.read(message.data)
        if not isinstance(frame, m.Hello):
            raise EndpointError("hello-first", "the first frame is hello")
        return await gate.hello(frame, connection, address)
    except Exception as error:
        if not isinstance(error, ProtocolError):
            log.exception("hello-failed")
        connection.send(m.encode(frames.error_frame(id, error)))
        connection.close(4001, "not let in")
        return None


async def _serve_session(socket: web.WebSocketResponse, session: Session, gate: Gate, connection: Connection) -> None:
    pace, now = Allowance(rate=PACE, burst=BURST, left=BURST), asyncio.get_running_loop().time
    async for message in socket:
        while not pace.take(now(), 1.0):  # noqa: ASYNC110  what it sends waits on its own machine, and nobody else waits
            await asyncio.sleep(1.0 / PACE)
        if session.wire is not connection:
            break  # resumed elsewhere
        if session.previous_hash:
            gate.settled(session)
        if message.type is not WSMsgType.TEXT:
            if message.type is WSMsgType.BINARY:
                connection.send(m.encode(m.Error(code="bad-frame", message="text frames only")))
            continue
        if not _one(message.data, session, gate, connection):
            break


def _one(data: str, session: Session, gate: Gate, connection: Connection) -> bool:
    """Handle one frame; False ends the socket. Nothing a client sends gets further than an error frame."""
    try:
        frame = frames.read(data)
        if isinstance(frame, m.Ping):
            if frame.seq is not None:
                session.confirm(frame.seq)
            connection.send(m.encode(m.Pong(id=frame.id)))
        elif isinstance(frame, m.Bye):
            connection.send(m.encode(m.Ack(id=frame.id)))
            connection.close(1000, "bye")
            session.wire = None
            gate.bye(session)
            return False
        elif isinstance(frame, m.Hello):
            raise EndpointError("out-of-order", "hello was said before")
        elif isinstance(frame, m.Ice | m.History):
            gate.request(session, frame)  # asked again after a reconnect it needs what it asked for again, not just the ack
        elif isinstance(frame, m.Devices) or not session.repeat(frame.id):
            gate.request(session, frame)
            session.reply(frame.id, m.Ack(id=frame.id))
    except Exception as error:
        if not isinstance(error, ProtocolError):
            log.exception("request-failed", jid=session.jid)
        id = frames.peek(data).id
        reply = frames.error_frame(id, error)
        if id is not None and 0 < len(id) <= 64:
            session.reply(id, reply)
        else:
            connection.send(m.encode(reply))
    return True
