"""A connection by plain HTTP, for networks that let no WebSocket through: a stream of frames to the page, POSTs of frames from it.

``POST /stream`` brings `hello` and gives `key` and `ticket`. ``GET /stream`` with the ticket, once and within 10 s, is answered by a
stream of server-sent events that ends with the connection. ``POST /stream/frames`` with the key brings frames, one a line, and is
answered when they are handled: that is how a page waits for its turn. Sessions, `seq`, resume and limits are those of a WebSocket.

No cookie is set or read, so that no page of another site can speak for anybody. The key travels in a header only; the ticket may be in
the address, since EventSource has no headers, and is worthless by the time a log has it.

Spec: DESIGN §3, §5; WHATWG HTML §9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
from aiohttp import hdrs, web

from jinglebridge.web import connection as base
from jinglebridge.web import messages as m
from jinglebridge.web.connection import Connection, Connections
from jinglebridge.web.gate import Gate
from jinglebridge.web.origins import Origins
from jinglebridge.web.places import Crowd
from jinglebridge.web.sessions import hashed, new_secret
from jinglebridge.web.socket import taken
from jinglebridge.web.websocket import TEXT

TICKET_WITHIN = 10.0  # seconds from the answer to hello to the GET
LAST_WORDS = 1.0  # seconds after the loss of the stream: what a page says while it is closed may come after that
PATHS = ("/stream", "/stream/frames")
HEADERS = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}  # for proxies: pass it on as it comes


class Begun(msgspec.Struct, kw_only=True):
    """The answer to a `hello` that was let in; `welcome` comes by the stream."""

    key: str  # for ``Authorization: Bearer`` of the frames
    ticket: str  # for the same header of the stream, or its ``?ticket=``
    expires: int = int(TICKET_WITHIN)  # seconds until the ticket is worth nothing


class Stream(Connection):
    """`greet` first, then `start` with the transport of the GET; frames come by `take`."""

    __slots__ = ("_dropped", "_handled", "_posts", "_turn")

    PING = b"event: ping\ndata: 0\n\n"

    def __init__(self, gate: Gate, address: str, on_end: Callable[[Connection], None] = lambda connection: None) -> None:
        super().__init__(gate, address, on_end)
        self._handled: asyncio.Future[None] | None = None  # of the POST that is being handled
        self._posts = 0  # that are under way
        self._dropped = False  # frames of one of them, since the connection ended
        self._turn = asyncio.Lock()

    def start(self, transport: asyncio.Transport, head: bytes) -> None:
        """Take over a transport whose request is read. `head`: of the answer."""
        self._cancel_timer()
        self.heard()
        self._transport = transport
        transport.set_protocol(self)
        self._write(head)
        self._flush()

    def wait(self) -> None:
        """For the GET, at most so long."""
        self.heard()
        self._after(TICKET_WITHIN, self.close, 1008, "no stream")

    async def take(self, lines: AsyncIterator[bytes]) -> bool:
        """A POST: returns when all of it is handled; False if the connection ended before.

        Raises HTTPConflict, HTTPRequestEntityTooLarge, HTTPRequestTimeout.

        Frames have an order, so there is one at a time; one more may wait, which brings the last words of a page that is closed.
        """
        if self._posts >= 2:
            raise web.HTTPConflict(text="one POST at a time: frames have an order\n")
        self._posts += 1
        self.heard()
        try:
            async with self._turn:
                return await self._take(lines)
        finally:
            self._posts -= 1

    async def _take(self, lines: AsyncIterator[bytes]) -> bool:
        self._handled = asyncio.get_running_loop().create_future()
        try:
            body = await self._body(lines)
            if self._ended:
                return False
            self._backlog += [(TEXT, line) for line in body.split(b"\n") if line.strip()]
            self._work()
            await self._handled
            return not self._dropped
        finally:
            self._handled = None

    async def _body(self, lines: AsyncIterator[bytes]) -> bytes:
        """Raises HTTPRequestTimeout if nothing more comes of it."""
        loop = asyncio.get_running_loop()
        body = bytearray()
        try:
            async with asyncio.timeout(base.DEAD_AFTER) as limit:
                self.heard()
                async for piece in lines:
                    self.heard()
                    limit.reschedule(loop.time() + base.DEAD_AFTER)
                    body += piece
                    if len(body) > base.MAX_MESSAGE:
                        self.close(1009, "too big to be read")
                        raise web.HTTPRequestEntityTooLarge(base.MAX_MESSAGE, len(body))
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="the frames took too long\n") from None
        return bytes(body)

    def close(self, code: int, reason: str) -> None:
        super().close(code, reason)
        if self._transport is None:
            self._over()
        else:
            self._transport.close()  # when all is written

    def abort(self) -> None:
        super().abort()
        if self._transport is None:
            self._over()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._closing:
            self._over()
        else:
            self._after(LAST_WORDS, self._over)

    def _over(self) -> None:
        self._dropped = self._dropped or bool(self._backlog)
        super()._over()
        self._read_on(True)

    def _framed(self, frame: bytes) -> tuple[bytes, ...]:
        return (b"data: ", frame, b"\n\n")

    def _farewell(self, code: int, reason: str) -> bytes:
        return f"event: close\ndata: {code} {reason}\n\n".encode()

    def _read_on(self, on: bool) -> None:
        if on and self._handled is not None and not self._handled.done():
            self._handled.set_result(None)


class Streams:
    """The HTTP of it. `headers`: what every answer has."""

    def __init__(
        self,
        connections: Connections,
        crowd: Crowd,
        address_of: Callable[[web.Request], str],
        origins: Origins,
        headers: dict[str, str],
    ) -> None:
        self._connections = connections
        self._crowd = crowd
        self._address_of = address_of
        self._origins = origins
        self._headers = headers
        self._keys: dict[str, Stream] = {}  # by hash
        self._tickets: dict[str, Stream] = {}

    def register(self, app: web.Application) -> None:
        app.router.add_post("/stream", self.hello)
        app.router.add_get("/stream", self.read, allow_head=False)
        app.router.add_post("/stream/frames", self.frames)
        for path in PATHS:
            app.router.add_options(path, self.preflight)
        app.on_response_prepare.append(self._allow)

    async def preflight(self, request: web.Request) -> web.Response:
        """A browser asks before a page of another site may. Spec: WHATWG Fetch §3.3."""
        self._origins.check(request)
        headers = {
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Access-Control-Max-Age": "600",
        }
        return web.Response(status=204, headers=headers)

    async def hello(self, request: web.Request) -> web.Response:
        self._origins.check(request)
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="hello is application/json\n")
        leave = self._crowd.enter(address := self._address_of(request))
        if leave is None:
            raise web.HTTPTooManyRequests(text="too many connections from this address\n")
        key, ticket = new_secret(), new_secret()

        def ended() -> None:
            self._keys.pop(hashed(key), None)
            self._tickets.pop(hashed(ticket), None)
            leave()

        stream = self._connections.open(Stream, address, ended)
        try:
            refused = await stream.greet(await _hello_of(request))
        except BaseException:
            stream.abort()
            raise
        if refused is not None:
            stream.abort()
            return web.Response(body=m.encode(refused), content_type="application/json", headers=HEADERS)
        if stream.lost:
            raise web.HTTPServiceUnavailable(text="gone meanwhile\n")
        stream.wait()
        self._keys[hashed(key)] = self._tickets[hashed(ticket)] = stream
        body = msgspec.json.encode(Begun(key=key, ticket=ticket))
        return web.Response(body=body, content_type="application/json", headers=HEADERS)

    async def read(self, request: web.Request) -> web.Response:
        self._origins.check(request)
        stream = self._tickets.pop(hashed(_bearer(request) or request.query.get("ticket", "")), None)
        if stream is None:
            raise _unknown("this ticket was used, or is too old")
        if request.body_exists:
            raise web.HTTPBadRequest(text="no body\n")
        stream.start(taken(request), self._head(request))
        return web.Response()  # nobody gets it: the connection is not aiohttp's any more

    async def frames(self, request: web.Request) -> web.Response:
        self._origins.check(request)
        stream = self._keys.get(hashed(_bearer(request)))
        if stream is None:
            raise _unknown("there is no such connection")
        if not await stream.take(request.content.iter_any()):
            raise _unknown("the connection ended before all of this was handled")
        return web.Response(status=204)

    def _head(self, request: web.Request) -> bytes:
        """Of the stream, which has no length and ends with its connection. RFC 9112 §6.3."""
        headers = {"Content-Type": "text/event-stream", "Connection": "close", **HEADERS, **self._headers, **self._origins.headers(request)}
        return "".join(("HTTP/1.1 200 OK\r\n", *(f"{name}: {value}\r\n" for name, value in headers.items()), "\r\n")).encode()

    async def _allow(self, request: web.Request, response: web.StreamResponse) -> None:
        """A page of an allowed site may see errors as well."""
        if request.path in PATHS:
            response.headers.update(self._origins.headers(request))


async def _hello_of(request: web.Request) -> bytes:
    """Raises HTTPRequestTimeout, HTTPRequestEntityTooLarge."""
    body = bytearray()
    try:
        async with asyncio.timeout(base.HELLO_WITHIN):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > base.MAX_MESSAGE:
                    raise web.HTTPRequestEntityTooLarge(base.MAX_MESSAGE, len(body))
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="hello took too long\n") from None
    return bytes(body)


def _bearer(request: web.Request) -> str:
    """RFC 6750 §2.1."""
    scheme, _, secret = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _unknown(why: str) -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(text=f"{why}: say hello again\n", headers={"WWW-Authenticate": "Bearer"})
