"""Brings each stanza to its handler, and answers what no handler takes.

One reply to each IQ request, none to anything else. A handler returns an `Answer`, raises ProtocolError, or has a bug: the
first is sent as a result and then acted upon (ack first, J-077), the second as its stanza error, the third as
internal-server-error while the stream goes on.

Spec: RFC 6120 §8.2.3, §8.4; J-006 … J-008.
"""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from jinglebridge.errors import BadRequest, ProtocolError, ResourceConstraint, ServiceUnavailable
from jinglebridge.values import frozen
from jinglebridge.xml import to_text
from jinglebridge.xmpp import guard
from jinglebridge.xmpp.framing import Head
from jinglebridge.xmpp.requests import Requests
from jinglebridge.xmpp.stanza import NS, Send, Stanza, error_reply, prepare, written

log = structlog.get_logger()

BODY = f"{{{NS}}}body"
FEW = 4 * guard.MAX_ELEMENTS  # characters that cannot be too many elements
MAX_LATER = 100  # answers that are being looked up
NOBODY = "\\20"  # a local part that no user can have: XEP-0106 §4.1


@frozen
class Answer:
    """The result's payload, and what to do after the result was sent. `later`: the payload has to be looked up first."""

    payload: ET.Element | None = None
    then: Callable[[], None] | None = None
    later: Callable[[], Awaitable[ET.Element]] | None = None


IqHandler = Callable[[Stanza], Answer | None]  # None: the handler answers by itself, now or later
Handler = Callable[[Stanza], None]
TextHandler = Callable[[Stanza, str], Answer | None]  # None: the text is not plain enough
NOTHING = ET.Element("nothing")  # the element of a stanza that came as text


class Router:
    """`iq` is keyed by (type, payload tag), `message` by child tag; presence has one handler."""

    def __init__(self, domain: str, send: Send, requests: Requests) -> None:
        self.domain = domain
        self.iq: dict[tuple[str, str], IqHandler] = {}
        self.jingle: TextHandler = lambda stanza, text: None
        self.jmi: Callable[[str], Handler | None] = lambda text: None  # handler of a message by its children; None: not plain enough
        self.message: dict[str, Handler] = {}
        self.message_errors: dict[str, Handler] = {}  # by child tag; all others go to `message_error`
        self.message_error: Handler = lambda stanza: None
        self.text: Handler = lambda stanza: None  # a message to the domain itself that says something
        self.hidden: Callable[[Stanza], bool] = lambda stanza: False  # must the addressee look to this sender as if it were not there?
        self.presence: Handler = lambda stanza: None
        self.shuns: Callable[[str, str], bool] = lambda own, peer: False  # does this user (bare) block that one?
        self.blocked: Callable[[str], bool] = lambda jid: False  # full or bare JID: such a sender is not heard
        self._send = send
        self._requests = requests
        self._later: set[asyncio.Task[None]] = set()

    def route(self, element: ET.Element) -> None:
        """Handle one received stanza. Raises nothing."""
        stanza = self._read(element)
        if stanza is not None:
            self._guarded(stanza, self._handle)

    def route_plain(self, head: Head, id: str, payload: str) -> bool:
        """Handle a stanza that is still text: a Jingle set, an empty result, or JMI. False: nothing was done, `route` shall have it."""
        kind, type, sender, to, peer, own, domain = head
        if not id or not sender or domain != self.domain or self.blocked(sender):
            return False
        stanza = Stanza(kind, type, id, sender, to, NOTHING)
        met = self._met(stanza) if payload and self.shuns(own, peer) else stanza
        if kind == "message":
            return self._text_message(met, payload)
        if payload:
            return type == "set" and self._jingle(stanza, met, payload)
        if type != "result":
            return False
        self._guarded(stanza, self._iq)
        return True

    def _text_message(self, stanza: Stanza, text: str) -> bool:
        handler = self.jmi(text) if text and stanza.type not in ("error", "groupchat") else None
        if handler is None:
            return False
        self._guarded(stanza, handler)
        return True

    def _jingle(self, stanza: Stanza, met: Stanza, text: str) -> bool:
        """`met`: the stanza as the handlers see it (`_met`)."""
        if len(text) > FEW and text.count("<") > guard.MAX_ELEMENTS:
            return False
        try:
            answer = self.jingle(self._unseen(met), text)
        except Exception as problem:
            self._failed(stanza, problem)
            return True
        if answer is None:
            return False
        self._answered(stanza, answer)
        return True

    def _guarded(self, stanza: Stanza, handler: Handler) -> None:
        try:
            handler(stanza)
        except ProtocolError as error:
            log.info("stanza-refused", kind=stanza.kind, type=stanza.type, condition=error.condition)
        except Exception:
            log.exception("stanza-handler-failed", kind=stanza.kind, type=stanza.type)

    def _handle(self, stanza: Stanza) -> None:
        if stanza.kind == "iq":
            self._iq(stanza)
        elif stanza.kind == "message":
            self._message(self._met(stanza))
        elif stanza.kind == "presence":
            self.presence(self._met(stanza))

    def _ours(self, sender: str, to: str) -> bool:
        """Does it have a sender, and is it for us?"""
        return bool(sender) and to.partition("/")[0].rpartition("@")[2] == self.domain

    def _read(self, element: ET.Element) -> Stanza | None:
        get = element.attrib.get
        try:
            sender, to = prepare(get("from", "")), prepare(get("to", ""))
        except BadRequest:
            return None
        if not self._ours(sender, to):
            return None
        stanza = Stanza(element.tag.rpartition("}")[2], get("type", ""), get("id", ""), sender, to, element)
        if self.blocked(stanza.sender):
            if stanza.kind == "iq" and stanza.type in ("get", "set") and stanza.id:
                self._send(error_reply(stanza, ServiceUnavailable("")))  # as if nobody were here; J-252
            return None
        try:
            stanza.size = guard.check(element)
        except guard.TooBig as error:
            log.warning("stanza-too-big", sender=stanza.sender, error=str(error))
            if stanza.kind == "iq" and stanza.type in ("get", "set"):
                self._send(error_reply(stanza, error))
            return None
        return stanza

    def _iq(self, stanza: Stanza) -> None:
        if stanza.type in ("result", "error"):
            if not self._requests.answered(stanza):
                log.debug("stray-reply", sender=stanza.sender)
            return
        if not stanza.id:
            return  # nothing to refer to in an answer
        self._reply(stanza)

    def _met(self, stanza: Stanza) -> Stanza:
        """As the handlers see it: who is blocked has written to nobody, so there is no way to tell the two apart. J-252."""
        own, slash, resource = stanza.to.partition("/")
        if not self.shuns(own, stanza.sender.partition("/")[0]):
            return stanza
        return replace(stanza, to=f"{NOBODY}@{self.domain}{slash}{resource}")

    def _unseen(self, stanza: Stanza) -> Stanza:
        """An IQ for somebody who is hidden is asked of an address of the same kind that nobody has."""
        return replace(stanza, to=f"guest--@{self.domain}{'/-' if '/' in stanza.to else ''}") if self.hidden(stanza) else stanza

    def _reply(self, stanza: Stanza) -> None:
        """The one answer to a request."""
        try:
            answer = self._answer(self._met(stanza))
        except Exception as problem:
            self._failed(stanza, problem)
            return
        if answer is not None:
            self._answered(stanza, answer)

    def _failed(self, stanza: Stanza, problem: Exception) -> None:
        if isinstance(problem, ProtocolError):
            log.info("iq-refused", sender=stanza.sender, to=stanza.to, condition=problem.condition, jingle=problem.jingle)
            self._send(error_reply(stanza, problem))
        else:
            log.exception("iq-handler-failed")
            self._send(error_reply(stanza, None))

    def _answered(self, stanza: Stanza, answer: Answer) -> None:
        """Ack first, then what follows from it."""
        if answer.later is not None:
            self._look_up(stanza, answer.later)
            return
        self._result(stanza, answer.payload)
        if answer.then is not None:
            answer.then()

    def _result(self, stanza: Stanza, payload: ET.Element | None) -> None:
        text = "" if payload is None else to_text(payload, NS)
        self._send(written("iq", "result", stanza.to, stanza.sender, stanza.id, text))

    def _look_up(self, stanza: Stanza, later: Callable[[], Awaitable[ET.Element]]) -> None:
        if len(self._later) >= MAX_LATER:
            self._send(error_reply(stanza, ResourceConstraint("too many requests at once")))
            return

        async def answer() -> None:
            try:
                self._result(stanza, await later())
            except Exception as problem:
                self._failed(stanza, problem)

        task = asyncio.ensure_future(answer())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def _answer(self, stanza: Stanza) -> Answer | None:
        if stanza.type not in ("get", "set") or len(stanza.element) != 1:
            raise BadRequest("an IQ request has exactly one payload")
        payload = stanza.payload = stanza.element[0]
        handler = self.iq.get((stanza.type, payload.tag))
        stanza = self._unseen(stanza)
        if handler is not None:
            return handler(stanza)
        if any(tag == payload.tag for _, tag in self.iq):
            raise BadRequest(f"not as type {stanza.type}")
        raise ServiceUnavailable("")

    def _message(self, stanza: Stanza) -> None:
        """A message carries its payload in any position; an error never gets an answer. J-047."""
        handlers = self.message_errors if stanza.type == "error" else self.message
        # What a message says in words is often said once more for programs beside it, and they go first.
        for child in sorted(stanza.element, key=lambda child: child.tag == BODY):
            handler = handlers.get(child.tag)
            if handler is not None:
                stanza.payload = child
                handler(stanza)
                return
        if stanza.type == "error":
            self.message_error(stanza)
        if stanza.to == self.domain and stanza.element.find(BODY) is not None:
            self.text(stanza)
