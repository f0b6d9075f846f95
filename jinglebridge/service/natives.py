"""Pages that have an XMPP connection of their own, and need no other: frames of the JSON protocol come and go in IQs.

Who they are says the server, which stamps the full address on each stanza: no token. Anna at anna@example.org becomes
``anna\\40example.org`` at our domain, as when she proves her address, and is the same person: a component cannot speak as an address of
another domain, and whom she calls must be able to answer and to call back.

A `Line` is for such a page what a socket is for others: the wire of a session that outlives it. It is lost when the server says that the
resource left, when an event finds nobody or no answer, or when the page does not answer a question after a while of silence. What it did
not acknowledge waits in the session for the resume. Each IQ gets exactly one answer, and no answer gets one, so nothing can echo.

Spec: DESIGN §3, §5; RFC 6121 §4.6 (directed presence).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import msgspec
import structlog

from jinglebridge.calls.admission import Window
from jinglebridge.errors import BadRequest, EndpointError, ProtocolError, ServiceUnavailable
from jinglebridge.jid import unescape
from jinglebridge.service.desk import Desk
from jinglebridge.service.devices import user_of
from jinglebridge.service.native_line import Line
from jinglebridge.web import frames
from jinglebridge.web import messages as m
from jinglebridge.web.connection import BURST, PACE
from jinglebridge.web.sessions import Allowance
from jinglebridge.web.tokens import Identity
from jinglebridge.xmpp import native
from jinglebridge.xmpp.requests import Requests
from jinglebridge.xmpp.router import NOTHING, Router
from jinglebridge.xmpp.stanza import Send, Stanza, bare_jid, new_id, written

log = structlog.get_logger()

WAY = "xmpp:"  # and the bare JID: how they came in
ACK_WITHIN = 15.0  # seconds that a page may take to acknowledge an event
PULSE = 5.0  # seconds between looks at who is silent
HELLOS = 30  # of one person in a minute

Heard = Callable[[str | None], None]  # None: it was acknowledged; else the condition of the error


class Natives:
    """`servers`: domains whose users may come in this way, perhaps none."""

    def __init__(self, desk: Desk, send: Send, requests: Requests, domain: str, servers: frozenset[str]) -> None:
        self.desk = desk
        self._send = send
        self._requests = requests
        self._domain = domain
        self._servers = servers - {domain}
        self.blocked: Callable[[str], bool] = lambda jid: False  # is nothing heard of this XMPP address?
        self._lines: dict[str, Line] = {}  # by full JID
        self._allowances: dict[str, Allowance] = {}  # by bare JID
        self._hellos = Window(HELLOS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """May anybody come in this way?"""
        return bool(self._servers)

    def register(self, router: Router) -> None:
        """Without servers this namespace is one that nobody knows."""
        if self.open:
            router.iq["set", native.FRAME] = self.frame

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def lets_in(self, jid: str) -> bool:
        """May this XMPP address (bare) use its own connection?"""
        user, _, domain = jid.rpartition("@")
        return bool(user) and domain in self._servers and not self.blocked(jid)

    # --- frames of pages

    def frame(self, stanza: Stanza) -> None:
        """An IQ with a frame. Strangers see what they would see if there were no such thing. Raises ProtocolError; else answers itself."""
        assert stanza.payload is not None
        bare, _, resource = stanza.sender.partition("/")
        if stanza.to != self._domain or not resource or not self.lets_in(bare):
            raise ServiceUnavailable("")
        text = native.read(stanza.payload)
        request = replace(stanza, element=NOTHING, payload=None)
        head = frames.peek(text)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PULSE, self._pulse)
        try:
            if not self._allowances.setdefault(bare, Allowance(PACE, BURST, BURST, self.now())).take(self.now(), 1.0):
                raise EndpointError("rate-limited", "too many frames; slow down")
            line = self._lines.get(stanza.sender)
            if head.type == "hello":
                self._begin(request, bare, text, line)
            elif line is None:
                raise EndpointError("hello-first", "the first frame is hello")
            else:
                line.receive(request, text)
        except ProtocolError as error:
            self.refuse(request, head.id, error)

    def _begin(self, request: Stanza, bare: str, text: str, before: Line | None) -> None:
        """A page says hello, perhaps again: a page that was loaded anew may have the resource of the one before."""
        frame = frames.read(text)
        assert isinstance(frame, m.Hello)  # two types in one frame are an error
        if (frame.token, frame.code, frame.device) != (None, None, None):
            raise EndpointError("bad-frame", "your address says who you are: no token, code or device here")
        if not self._hellos.admit(bare, self.now()):
            raise EndpointError("rate-limited", f"no more than {HELLOS} hellos a minute")
        identity = self._identity(bare)
        if before is not None:
            before.left("hello")
            before.detach()
        line = self._lines[request.sender] = Line(self, request.sender, frame, request)
        task = asyncio.create_task(self._let_in(line, frame, identity, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _identity(self, bare: str) -> Identity:
        """Raises EndpointError not-authorized for an address that has no name at our domain."""
        try:
            user = user_of(bare)
        except BadRequest:
            user = ""
        own = bare_jid(f"{user}@{self._domain}") if user else None
        if own is None:
            raise EndpointError("not-authorized", "this address is too long")
        return Identity(own.partition("@")[0], unescape(bare.rpartition("@")[0]), named=False, way=WAY + bare)

    async def _let_in(self, line: Line, frame: m.Hello, identity: Identity, request: Stanza) -> None:
        try:
            line.session = await self.desk.hello(frame, line, line.jid, identity)
        except Exception as error:
            if not isinstance(error, ProtocolError):
                log.exception("hello-failed")
            if not line.closed:
                line.send(m.encode(frames.error_frame(frame.id, error)))
                line.left("not let in")
            return
        if line.closed:
            line.detach()  # it left meanwhile

    # --- what lines need

    def answer(self, request: Stanza, type: str, text: str) -> None:
        """Answer an IQ with one of our frames."""
        if type != "error":
            self._send(native.result(request, text))
            return
        error = msgspec.json.decode(text, type=m.Error)
        self._send(native.refusal(request, error.code, error.message, text))

    def refuse(self, request: Stanza, id: str | None, error: ProtocolError) -> None:
        self.answer(request, "error", m.encode(frames.error_frame(id or None, error)).decode())

    def ask(self, jid: str, text: str, then: Heard) -> None:
        """Send a frame and hear what becomes of it."""
        self._requests.ask("set", self._domain, jid, native.frame(text), lambda _, condition, __: then(condition), ACK_WITHIN)

    def say_closed(self, jid: str, code: int, reason: str) -> None:
        """Nobody waits for the answer."""
        self._send(written("iq", "set", self._domain, jid, new_id(), native.close(code, reason)))

    def forget(self, line: Line) -> None:
        if self._lines.get(line.jid) is line:
            del self._lines[line.jid]

    # --- who left

    def gone(self, jid: str) -> None:
        """The server says that this address (full or bare) is not there any more."""
        for line in [line for line in self._lines.values() if jid in (line.jid, line.jid.partition("/")[0])]:
            line.left("unavailable")

    def lost(self) -> None:
        """The connection to the server is gone, and with it every answer. Pages resume when they notice."""
        for line in list(self._lines.values()):
            line.left("offline")

    def _pulse(self) -> None:
        now = self.now()
        for line in tuple(self._lines.values()):
            line.pulse(now)
        self._hellos.forget(now)
        for bare in [bare for bare, a in self._allowances.items() if a.left + (now - a.at) * a.rate >= a.burst]:
            del self._allowances[bare]
        idle = not self._lines and not self._allowances
        self._timer = None if idle else asyncio.get_running_loop().call_later(PULSE, self._pulse)

    def stop(self) -> None:
        """The bridge is being stopped; the pages have been told."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
