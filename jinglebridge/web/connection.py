"""The wire of a session, whatever carries it: hands frames to the gate and the session's handler, writes what the session sends.

A `Connection` is a WebSocket (`socket.py`) or, where a network lets none through, a stream with POSTs (`stream.py`). Limits are the same.
A slow reader gets 256 KiB of queue and then close code 1013; a silent one is found within 15 s; a wrong frame gets an error and
nothing closes, except before `hello`. Who sends much at once waits for its turn, so that others are served meanwhile.

Spec: DESIGN §3, §5; J-251.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeVar

import structlog

from jinglebridge.errors import EndpointError, ProtocolError
from jinglebridge.web import frames
from jinglebridge.web import messages as m
from jinglebridge.web.gate import Gate, carry_out
from jinglebridge.web.sessions import Session
from jinglebridge.web.websocket import BINARY, CLOSE, Message

log = structlog.get_logger()

HELLO_WITHIN = 5.0
CLOSE_WITHIN = 2.0  # for the other side to say that it closes too
MAX_QUEUE = 256 * 1024
MAX_MESSAGE = 256 * 1024  # a frame over its limit gets an error; what is over this is not even read (close code 1009)
PULSE = 2.5  # seconds between looks at who is silent
PING_AFTER = 7.5  # of silence
DEAD_AFTER = 12.5
TURN = 32  # messages of one page that are handled before others have their turn
PACE, BURST = 50.0, 400.0  # messages a second that are handled of one page, and how many at once; what is above waits


class Connection(asyncio.Protocol):
    """Never blocks the caller, never grows without limit. What differs between the two kinds is at the end of the class.

    Frames are written straight to the transport, all of a turn of the loop at once; a system call costs more than the frame.
    """

    __slots__ = (
        "_address", "_backlog", "_closing", "_ended", "_gate", "_loop", "_on_end", "_out", "_paid", "_size", "_timer", "_transport",
        "heard_at", "lost", "session",
    )  # fmt: skip

    def __init__(self, gate: Gate, address: str, on_end: Callable[[Connection], None] = lambda connection: None) -> None:
        self._gate = gate
        self._address = address
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()  # asked for once: it takes a system call
        self._transport: asyncio.Transport | None = None
        self._backlog: list[Message] = []
        self._out: list[bytes] = []
        self._size = 0
        self._closing = False  # we have said so
        self._ended = False  # nothing is read any more
        self._paid = 0.0  # until then this page has used up its pace
        self._timer: asyncio.TimerHandle | None = None
        self.lost = False
        self.session: Session | None = None
        self.heard_at = self._loop.time()

    # --- writing

    def send(self, frame: bytes) -> None:
        if self._closing:
            return
        self._size += len(frame)
        if self.waiting() > MAX_QUEUE:
            self._out.clear()  # who does not read will not read these either; the session can be resumed
            self.close(1013, "too slow")
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out += self._framed(frame)

    def waiting(self) -> int:
        return self._size + (self._transport.get_write_buffer_size() if self._transport is not None else 0)

    def close(self, code: int, reason: str) -> None:
        """After what was sent before; only the first counts."""
        if self._closing:
            return
        self._closing = True
        self._flush()
        self._write(self._farewell(code, reason))
        self._after(CLOSE_WITHIN, self.abort)

    def abort(self) -> None:
        """The other side does not hear us, or does not answer."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        if self._transport is None:
            return
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
            self._write(self.PING)

    # --- reading

    def heard(self) -> None:
        self.heard_at = self._loop.time()

    def _work(self) -> None:
        """Handle some of what has come; the rest after others had their turn."""
        done = 0
        for opcode, payload in self._backlog[:TURN]:
            session = self.session
            if self._ended:
                break
            if session is not None and session.wire is self and not self._closing and opcode != CLOSE:
                self._in_session(session, opcode, payload)
            elif not self._beside(opcode, payload):
                break
            done += 1
        del self._backlog[:done]
        if self._ended:
            self._backlog.clear()
        now = self._loop.time()
        self._paid = (self._paid if self._paid > now else now) + done / PACE
        wait = self._paid - now - BURST / PACE
        if self.lost or (not self._backlog and wait <= 0):
            self._read_on(True)
            return
        self._read_on(False)
        if self.session is None:
            return
        if wait > 0:
            self._loop.call_later(wait, self._work)
        else:
            self._loop.call_soon(self._work)

    def _beside(self, opcode: int, payload: bytes) -> bool:
        """A message that is of no session here; False if it must wait for the answer to `hello`."""
        if not self._closing and self.session is not None:
            self._ended = True
            self.close(1000, "resumed elsewhere")
        return self._closing

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

    # --- the beginning and the end

    async def greet(self, payload: bytes) -> m.Error | None:
        """Let the page in by its first frame; what it is told if not."""
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
            return frames.error_frame(id, error)
        if self.lost:
            self._detach()  # meanwhile
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._over()

    def _over(self) -> None:
        """Nothing comes or goes any more."""
        if self.lost:
            return
        self.lost = self._ended = self._closing = True
        self._backlog.clear()
        self._cancel_timer()
        self._on_end(self)
        self._detach()

    def _detach(self) -> None:
        session = self.session
        if session is not None and session.wire is self:
            session.wire = None
            self._gate.detached(session)

    def _after(self, seconds: float, then: Callable[..., None], *arguments: object) -> None:
        """The one timer that a connection has."""
        self._cancel_timer()
        self._timer = self._loop.call_later(seconds, then, *arguments)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- what each kind does in its own way

    PING: ClassVar[bytes]  # asks the other side for a sign of life

    @abstractmethod
    def _framed(self, frame: bytes) -> tuple[bytes, ...]: ...

    @abstractmethod
    def _farewell(self, code: int, reason: str) -> bytes: ...

    @abstractmethod
    def _read_on(self, on: bool) -> None:
        """May the page send more?"""


Kind = TypeVar("Kind", bound=Connection)


class Connections:
    """All that are open."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._open: set[Connection] = set()
        self._empty = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def open(self, kind: type[Kind], address: str, on_end: Callable[[], None]) -> Kind:
        """A new one. `address`: the client's; `on_end` is called once, when it is gone."""

        def ended(connection: Connection) -> None:
            self._open.discard(connection)
            if not self._open:
                self._empty.set()
            on_end()

        connection = kind(self._gate, address, ended)
        self._open.add(connection)
        self._empty.clear()
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
