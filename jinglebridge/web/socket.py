"""One WebSocket: reads frames, hands them to the gate and the session's handler, writes what the session sends.

A slow reader gets 256 KiB of queue and then close code 1013; a silent one is found by pings within 15 s; a wrong frame gets
an error and nothing closes, except before `hello`. Who sends much at once waits for its turn, so that others are served meanwhile.

Spec: DESIGN §3, §5; RFC 6455; J-251.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from jinglebridge.errors import EndpointError, ProtocolError
from jinglebridge.web import frames, websocket
from jinglebridge.web import messages as m
from jinglebridge.web.sessions import Session, Wire
from jinglebridge.web.websocket import BINARY, CLOSE, PING, PONG, Reader, Violation

log = structlog.get_logger()

HELLO_WITHIN = 5.0
CLOSE_WITHIN = 2.0  # for the other side to say that it closes too
MAX_QUEUE = 256 * 1024
MAX_MESSAGE = 256 * 1024  # a frame over its limit gets an error; one over this is not even read (close code 1009)
PULSE = 2.5  # seconds between looks at who is silent
PING_AFTER = 7.5  # of silence
DEAD_AFTER = 12.5
TURN = 32  # messages of one socket that are handled before others have their turn
PACE, BURST = 50.0, 400.0  # messages a second that are handled of one socket, and how many at once; what is above waits


class Gate(Protocol):
    """What a socket needs from the service."""

    async def hello(self, frame: m.Hello, wire: Wire, address: str) -> Session:
        """Let somebody in and send `welcome`. Raises EndpointError."""

    def request(self, session: Session, frame: m.Request) -> None:
        """Carry out a request, or raise ProtocolError. Everything but hello, ping and bye."""

    def settled(self, session: Session) -> None:
        """The page spoke on its new socket."""

    def detached(self, session: Session) -> None:
        """The socket of this session is gone."""

    def bye(self, session: Session) -> None:
        """The page closed for good."""


class Connection(asyncio.Protocol):
    """The wire of a session: never blocks the caller, never grows without limit. `start` gives it its transport.

    Frames are written straight to the transport, all of a turn of the loop at once; a system call costs more than the frame.
    """

    __slots__ = (
        "_address", "_backlog", "_closing", "_ended", "_gate", "_greeting", "_on_end", "_out", "_paid", "_paused", "_reader", "_size",
        "_timer", "_transport", "heard_at", "session",
    )  # fmt: skip

    def __init__(self, gate: Gate, address: str, on_end: Callable[[Connection], None] = lambda connection: None) -> None:
        self._gate = gate
        self._address = address
        self._on_end = on_end
        self._transport: asyncio.Transport | None = None
        self._reader = Reader(MAX_MESSAGE)
        self._backlog: list[websocket.Message] = []
        self._out: list[bytes] = []
        self._size = 0
        self._closing = False  # we have said so
        self._paused = False  # reading, until what was read is handled
        self._ended = False  # nothing is read any more
        self._paid = 0.0  # until then this socket has used up its pace
        self._greeting: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.session: Session | None = None
        self.heard_at = 0.0

    def start(self, transport: asyncio.Transport) -> None:
        """Take over a transport whose handshake is done."""
        self._transport = transport
        loop = asyncio.get_running_loop()
        self.heard_at = loop.time()
        self._timer = loop.call_later(HELLO_WITHIN, self.close, 1008, "no hello")
        transport.set_protocol(self)

    # --- writing

    def send(self, frame: bytes) -> None:
        if self._closing or self._transport is None:
            return
        self._size += len(frame)
        if self._size + self._transport.get_write_buffer_size() > MAX_QUEUE:
            self._out.clear()  # who does not read will not read these either; the session can be resumed
            self.close(1013, "too slow")
            return
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(websocket.header(len(frame)))
        self._out.append(frame)

    def waiting(self) -> int:
        return self._size + (self._transport.get_write_buffer_size() if self._transport is not None else 0)

    def close(self, code: int, reason: str) -> None:
        """After what was sent before; only the first counts."""
        if self._closing:
            return
        self._closing = True
        self._flush()
        self._write(websocket.close_frame(code, reason))
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(CLOSE_WITHIN, self.abort)

    def abort(self) -> None:
        """The other side does not hear us, or does not answer."""
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        out, self._out, self._size = self._out, [], 0
        if out:
            self._write(b"".join(out))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def pulse(self, now: float) -> None:
        """Called every PULSE seconds."""
        silent = now - self.heard_at
        if silent >= DEAD_AFTER:
            self.abort()
        elif silent >= PING_AFTER and not self._closing:
            self._write(b"\x89\x00")

    # --- reading

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
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
        if self.waiting() > MAX_QUEUE:
            self.abort()
        else:
            self._write(websocket.header(len(payload), PONG) + payload)

    def _work(self) -> None:
        """Handle some of what has come; the rest after others had their turn."""
        done = 0
        for opcode, payload in self._backlog[:TURN]:
            if self._ended or not self._handle(opcode, payload):
                break
            done += 1
        del self._backlog[:done]
        if self._ended:
            self._backlog.clear()
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._paid = max(self._paid, now) + done / PACE
        wait = self._paid - now - BURST / PACE
        if self._transport is None or (not self._backlog and wait <= 0):
            self._read_on(True)
            return
        self._read_on(False)
        if self._greeting is not None:
            return
        if wait > 0:
            loop.call_later(wait, self._work)
        else:
            loop.call_soon(self._work)

    def _read_on(self, on: bool) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or self._paused is not on:
            return
        self._paused = not on
        if on:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def _handle(self, opcode: int, payload: bytes) -> bool:
        """One message; False if it must wait for the answer to `hello`."""
        if opcode == CLOSE:
            self._closed_by_peer(payload)
            return True
        if self._closing:
            return True
        if self.session is None:
            if self._greeting is None:
                self._greet(opcode, payload)
                return True
            return False
        if self.session.wire is not self:
            self._ended = True
            self.close(1000, "resumed elsewhere")
        else:
            self._in_session(self.session, opcode, payload)
        return True

    def _in_session(self, session: Session, opcode: int, payload: bytes) -> None:
        if session.previous_hash:
            self._gate.settled(session)
        if opcode == BINARY:
            self.send(m.encode(m.Error(code="bad-frame", message="text frames only")))
            return
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self._ended = True
            self.close(1007, "not UTF-8")
            return
        if not carry_out(text, session, self._gate, self):
            self._ended = True

    def _closed_by_peer(self, payload: bytes) -> None:
        self._ended = True
        if not self._closing:
            self._closing = True
            self._flush()
            self._write(websocket.header(len(payload[:2]), CLOSE) + payload[:2])
        if self._transport is not None:
            self._transport.close()

    # --- the beginning and the end

    def _greet(self, opcode: int, payload: bytes) -> None:
        self._cancel_timer()
        if opcode == BINARY:
            self._ended = True
            self.close(1000, "text frames only")
            return
        self._greeting = asyncio.create_task(self._hello(payload))

    async def _hello(self, payload: bytes) -> None:
        """The hello, or an error and the end."""
        text = payload.decode(errors="replace")
        id = frames.peek(text).id
        try:
            frame = frames.read(text)
            if not isinstance(frame, m.Hello):
                raise EndpointError("hello-first", "the first frame is hello")
            self.session = await self._gate.hello(frame, self, self._address)
        except Exception as error:
            if not isinstance(error, ProtocolError):
                log.exception("hello-failed")
            self._ended = True
            self.send(m.encode(frames.error_frame(id, error)))
            self.close(4001, "not let in")
        self._greeting = None
        if self._transport is None:
            self._detach()  # the socket was lost meanwhile
        else:
            self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._transport = None
        self._backlog.clear()
        self._cancel_timer()
        self._on_end(self)
        self._detach()

    def _detach(self) -> None:
        session = self.session
        if session is not None and session.wire is self:
            session.wire = None
            self._gate.detached(session)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Sockets:
    """All that are open."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._open: set[Connection] = set()
        self._empty = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def open(self, transport: asyncio.Transport, address: str, on_end: Callable[[], None]) -> Connection:
        """A socket whose handshake is done. `address`: the client's; `on_end` is called once, when it is gone."""

        def ended(connection: Connection) -> None:
            self._open.discard(connection)
            if not self._open:
                self._empty.set()
            on_end()

        connection = Connection(self._gate, address, ended)
        self._open.add(connection)
        self._empty.clear()
        connection.start(transport)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PULSE, self._pulse)
        return connection

    def _pulse(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in tuple(self._open):
            connection.pulse(now)
        self._timer = loop.call_later(PULSE, self._pulse) if self._open else None

    async def stop(self) -> None:
        """Close all that are left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in tuple(self._open):
            connection.close(1001, "the bridge is being stopped")
        try:
            async with asyncio.timeout(1.0):
                while self._open:
                    await self._empty.wait()
        except TimeoutError:
            for connection in tuple(self._open):
                connection.abort()


def carry_out(data: str, session: Session, gate: Gate, connection: Wire) -> bool:
    """Handle one frame; False ends the connection. Nothing a client sends gets further than an error frame."""
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
