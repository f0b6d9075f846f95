"""The wire of a session whose page speaks by its own XMPP connection; see `service.natives`.

Spec: DESIGN §3 (Resume), §5; docs/reference/native.md.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog

from jinglebridge.errors import EndpointError
from jinglebridge.web import frames
from jinglebridge.web import messages as m
from jinglebridge.web.connection import MAX_QUEUE
from jinglebridge.web.gate import carry_out
from jinglebridge.web.sessions import Session
from jinglebridge.xmpp.stanza import Stanza

if TYPE_CHECKING:
    from jinglebridge.service.natives import Natives

log = structlog.get_logger()

ASK_AFTER = 30.0  # seconds of silence
MAX_OPEN = 64  # requests of one page whose answer is being looked up
QUIET = frozenset({1000})  # the page asked for it


class _Head(msgspec.Struct):
    """What decides where one of our frames goes."""

    type: str
    id: str | None = None
    seq: int = 0


_head = msgspec.json.Decoder(_Head)


class Line:
    """The wire of a session whose page is at `jid` (full). `hello`: the frame that it begins with, and the IQ that brought it."""

    def __init__(self, natives: Natives, jid: str, hello: m.Hello, request: Stanza) -> None:
        self._natives = natives
        self._hello = hello.id
        self._asked: dict[str, list[Stanza]] = {hello.id: [request]}  # by id of the frame; their IQs wait for the answer
        self._unacked: dict[int, int] = {}  # seq -> bytes
        self._last = 0  # seq
        self._size = 0
        self._asking = False
        self.jid = jid
        self.session: Session | None = None
        self.closed = False
        self.heard_at = natives.now()

    # --- from the session

    def send(self, frame: bytes) -> None:
        """An answer goes to the IQ that asked, an event into an IQ of its own. What adds nothing to an answer goes nowhere."""
        if self.closed:
            return
        head, text = _head.decode(frame), frame.decode()
        if head.seq and head.type != "welcome":
            self._event(head.seq, text, len(frame))
            return
        for request in self._asked.pop(self._hello if head.type == "welcome" else head.id or "", ()):
            self._natives.answer(request, head.type, text)

    def waiting(self) -> int:
        return self._size

    def close(self, code: int, reason: str) -> None:
        """The session gives this wire up, and the page hears why."""
        if not self.closed:
            self._end()
            if code not in QUIET:
                self._natives.say_closed(self.jid, code, reason)

    def _event(self, seq: int, text: str, size: int) -> None:
        self._unacked[seq] = size
        self._size += size
        self._last = seq
        if self._size > MAX_QUEUE:
            self.close(1013, "too slow")
            return
        self._natives.ask(self.jid, text, lambda condition: self._answered(seq, condition))

    def _answered(self, seq: int, condition: str | None) -> None:
        """The page has this event, or it does not: then what follows would leave a gap."""
        if self.closed:
            return
        if condition is not None:
            self._lost(condition)
            return
        self.heard_at = self._natives.now()
        self._size -= self._unacked.pop(seq)
        if self.session is not None:
            self.session.confirm(next(iter(self._unacked)) - 1 if self._unacked else self._last)  # up to the first gap

    # --- from the page

    def receive(self, request: Stanza, text: str) -> None:
        """One frame of the page, of which `request` is what matters of the IQ."""
        session, self.heard_at = self.session, self._natives.now()
        if session is None:
            raise EndpointError("hello-first", "wait for the welcome")
        if len(self._asked) >= MAX_OPEN:
            raise EndpointError("rate-limited", "too many requests at once")
        if session.previous_hash:
            self._natives.desk.settled(session)
        self._asked.setdefault(frames.peek(text).id or "", []).append(request)
        carry_out(text, session, self._natives.desk, self)

    # --- the end

    def pulse(self, now: float) -> None:
        """Called every PULSE seconds: a page that is silent is asked whether it is there."""
        if now - self.heard_at >= ASK_AFTER and not self._asking and not self.closed:
            self._asking = True
            self._natives.ask(self.jid, "", self._is_there)

    def _is_there(self, condition: str | None) -> None:
        self._asking = False
        if condition is None:
            self.heard_at = self._natives.now()
        elif not self.closed:
            self._lost(condition)

    def _lost(self, condition: str) -> None:
        """`timeout`: it may be there still, and should resume; any other condition: nobody is."""
        if condition == "timeout":
            log.info("native-silent", jid=self.jid)
            self.close(1013, "too slow")
        else:
            self.left(condition)

    def left(self, why: str) -> None:
        """The page is not there any more."""
        if not self.closed:
            log.info("native-left", jid=self.jid, why=why)
            self._end()

    def _end(self) -> None:
        self.closed = True
        self._natives.forget(self)
        asked, self._asked = self._asked, {}
        for id, requests in asked.items():
            for request in requests:
                self._natives.refuse(request, id, EndpointError("hello-first", "this connection was closed: say hello again"))
        asyncio.get_running_loop().call_soon(self.detach)  # whoever closes it may be at work with the session

    def detach(self) -> None:
        if self.session is not None and self.session.wire is self:
            self.session.wire = None
            self._natives.desk.detached(self.session)
