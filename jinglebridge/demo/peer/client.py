"""The contact's XMPP account: connection, our own disco answer, and which call a stanza belongs to."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import uuid
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiortc import RTCIceServer
from slixmpp.xmlstream import tostring

from . import checks, stanzas
from .call import Call
from .names import (
    CLIENT,
    DELAY,
    DISCO,
    EXTDISCO,
    JINGLE,
    JMI,
    PING,
    RECEIPTS,
    RTP,
    STANZAS,
    Shape,
    bare,
    disco_query,
    local,
    namespace,
    own_ver,
    q,
)  # fmt: skip
from .people import People
from .stream import Stream

log = logging.getLogger("contact")

ANSWER_TIMEOUT = 10.0  # seconds for an IQ
RECONNECT = 0.5
KEPT = 2000  # lines of the stanza log

Observer = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class Options:
    """`host`, `port`: where to connect, whatever the domain. `ca`: certificate to trust. `auto`: accept, ring, decline or ignore."""

    jid: str
    password: str
    host: str
    port: int
    shape: Shape
    ca: Path | None = None
    auto: str = "accept"
    answer_after: float = 0.0
    tone: float | None = None
    turn: bool = False


class Contact:
    """One account and at most one call at a time."""

    def __init__(self, options: Options) -> None:
        self.options, self.shape, self.tone, self.auto = options, options.shape, options.tone, options.auto
        self.started = time.monotonic()
        self.ready = asyncio.Event()
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.observers: set[Observer] = set()
        self.people = People(self, self._gone)
        self.calls: dict[str, Call] = {}
        self.current: Call | None = None
        self.violations: list[dict[str, Any]] = []
        self.log: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._asked: dict[str, tuple[str, asyncio.Future[ET.Element]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = False
        jid = options.jid if "/" in options.jid else f"{options.jid}/phone-{secrets.token_hex(3)}"
        self.xmpp = Stream(jid, options.password)
        self.xmpp.ca_certs = options.ca
        self.xmpp.add_filter("in", self._incoming)
        self.xmpp.add_event_handler("session_start", self._session)
        self.xmpp.add_event_handler("disconnected", self._lost)
        self.xmpp.add_event_handler("failed_all_auth", self._refused)

    # --- connection -----------------------------------------------------------------------------------------------

    def connect(self) -> None:
        self._spawn(self._connect_when_up())

    async def _connect_when_up(self) -> None:
        """slixmpp never comes back by itself and then slows down; so wait for the port and connect once."""
        while not self._stopping:
            try:
                _, writer = await asyncio.open_connection(self.options.host, self.options.port)
            except OSError:
                await asyncio.sleep(RECONNECT)
                continue
            writer.close()
            self.xmpp.connect(self.options.host, self.options.port)
            return

    async def _lost(self, _reason: Any) -> None:
        self.ready.clear()
        self.people.sessions.clear()
        self.event("offline")
        if not self._stopping:
            await asyncio.sleep(RECONNECT)
            await self._connect_when_up()

    def _refused(self, _event: Any) -> None:
        if not self.failed.done():
            self.failed.set_result(f"{self.options.jid}: the server refused the password")

    async def _session(self, _event: Any) -> None:
        self.send(stanzas.iq("get", "", stanzas.new_id(), ET.Element("{jabber:iq:roster}query")))  # else no subscription requests come
        self.send(stanzas.presence(self.shape))

    def reflected(self) -> None:
        """Our own presence came back: from here on the server brings us what is sent to our account. RFC 6121 §4.2.2"""
        if not self.ready.is_set():
            self.ready.set()
            self.event("online", jid=self.full)

    async def stop(self) -> None:
        self._stopping = True
        if self.current and self.current.live:
            self.current.hang_up()
            await asyncio.sleep(0.2)
        await self.xmpp.disconnect(wait=1)

    def _spawn(self, job: Any) -> None:
        task = asyncio.get_running_loop().create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- what a call needs (call.Line) ----------------------------------------------------------------------------

    @property
    def full(self) -> str:
        return str(self.xmpp.boundjid.full)

    def send(self, stanza: ET.Element) -> None:
        self._note("out", stanza)
        try:
            self.xmpp.send_raw(tostring(stanza, xmlns=CLIENT))
        except Exception as error:
            log.warning("not sent: %r", error)

    def ask(self, to: str, payload: ET.Element, kind: str = "set") -> Awaitable[ET.Element]:
        """Send an IQ now; awaiting what is returned gives the result or raises StanzaError, TimeoutError."""
        identifier = stanzas.new_id()
        future: asyncio.Future[ET.Element] = asyncio.get_running_loop().create_future()
        self._asked[identifier] = (to, future)
        self.send(stanzas.iq(kind, to, identifier, payload))
        return self._answer_of(identifier, future)

    async def _answer_of(self, identifier: str, future: asyncio.Future[ET.Element]) -> ET.Element:
        try:
            return await asyncio.wait_for(future, ANSWER_TIMEOUT)
        finally:
            self._asked.pop(identifier, None)

    def event(self, name: str, **fields: Any) -> None:
        log.info("%s %s", name, fields)
        for observer in list(self.observers):
            observer({"event": name, **fields})

    def blame(self, sentences: list[str], sid: str = "") -> None:
        for sentence in sentences:
            self.violations.append({"t": self.clock(), "sid": sid, "what": sentence})
            self.event("violation", call=sid, what=sentence)

    def is_dino(self, jid: str) -> bool:
        return self.people.is_dino(jid)

    def is_gone(self, jid: str) -> bool:
        """Whether `jid` said that it left, or we are offline ourselves."""
        return not self.ready.is_set() or self.people.is_gone(jid)

    def _gone(self, jid: str) -> None:
        if self.current and self.current.live and self.current.peer == jid:
            self.current.end("gone")

    async def ice_servers(self) -> list[RTCIceServer]:
        """Only what our own server tells (XEP-0215), and only if asked for; never a public server."""
        if not self.options.turn:
            return []
        answer = await self.ask(bare(self.full).rpartition("@")[2], ET.Element(q(EXTDISCO, "services")), "get")
        found = []
        for service in answer.iter(q(EXTDISCO, "service")):
            if service.get("type") == "turn" and service.get("transport", "udp") == "udp":
                url = f"turn:{service.get('host')}:{service.get('port')}?transport=udp"
                found.append(RTCIceServer(urls=url, username=service.get("username"), credential=service.get("password")))
        return found[:1]

    def clock(self) -> float:
        return round(time.monotonic() - self.started, 3)

    # --- stanzas in -----------------------------------------------------------------------------------------------

    def _note(self, direction: str, stanza: ET.Element) -> None:
        for child in stanza:
            if namespace(child) in (JMI, JINGLE, RECEIPTS) or (stanza.get("type") == "error" and local(stanza) != "presence"):
                what = child.get("action") or local(child)
                line = {"t": self.clock(), "dir": direction, "what": what, "kind": local(stanza), "type": stanza.get("type"),
                        "from": stanza.get("from"), "to": stanza.get("to"), "sid": child.get("sid") or child.get("id")}  # fmt: skip
                self.log.append({**line, "xml": tostring(stanza, xmlns=CLIENT)})
                return

    def _incoming(self, stanza: Any) -> Any:
        """First look at each stanza, before slixmpp. Returning None keeps it from slixmpp."""
        xml = getattr(stanza, "xml", None)
        if xml is None or not xml.tag.startswith(q(CLIENT, "")):
            return stanza
        self._note("in", xml)
        try:
            taken = {"iq": self._iq, "message": self._message, "presence": self.people.on_presence}[local(xml)](xml)
        except Exception as error:
            log.exception("stanza not understood")
            self.blame([f"stanza broke the contact: {error!r}"])
            taken = True
        return None if taken else stanza

    def _iq(self, iq: ET.Element) -> bool:
        kind, sender, identifier = iq.get("type"), iq.get("from", ""), iq.get("id", "")
        if kind in ("result", "error"):
            return self._answered(iq, sender, identifier)
        payload = iq[0] if len(iq) else None
        if payload is None:
            return False
        if kind == "set" and payload.tag == q(JINGLE, "jingle"):
            self._jingle(iq, payload, sender, identifier)
        elif kind == "get" and payload.tag == q(DISCO, "query"):
            node = payload.get("node")
            known = node in (None, f"{self.shape.node}#{own_ver(self.shape)}")
            answer = disco_query(self.shape, node) if known else stanzas.error("cancel", "item-not-found")
            self.send(stanzas.iq("result" if known else "error", sender, identifier, answer))
        elif kind == "get" and payload.tag == q(PING, "ping"):
            self.send(stanzas.iq("result", sender, identifier))
        else:
            return False
        return True

    def _answered(self, iq: ET.Element, sender: str, identifier: str) -> bool:
        to, future = self._asked.get(identifier, ("", None))
        if future is None or future.done():
            return False
        if to and sender != to:
            self.blame([f"the answer to {identifier} comes from {sender}, it was asked of {to}"])
            return True
        if iq.get("type") == "error":
            conditions = [local(e) for e in iq.iter() if namespace(e) == STANZAS and local(e) != "text"]
            future.set_exception(stanzas.StanzaError(conditions[0] if conditions else "error"))
        else:
            future.set_result(iq)
        return True

    def _jingle(self, iq: ET.Element, jingle: ET.Element, sender: str, identifier: str) -> None:
        action, sid = jingle.get("action", ""), jingle.get("sid", "")
        call = self.calls.get(sid)
        if call is None and action == "session-initiate":
            call = self._direct_call(sid, sender, jingle)
        if call is None or call.peer != sender or not call.live:
            if call is not None and not call.live and action in ("transport-info", "session-terminate", "session-info"):
                self.send(stanzas.iq("result", sender, identifier))  # crossed our own end
                return
            self.send(stanzas.iq("error", sender, identifier, stanzas.error("cancel", "item-not-found", "unknown-session")))
            return
        if iq.get("to") != self.full or not identifier:
            self.blame([f"{action} to {iq.get('to')} with the id {identifier!r}"], sid)
        error = call.check(action, jingle)
        self.send(stanzas.iq("error" if error is not None else "result", sender, identifier, error))
        if error is None:
            call.perform(action, jingle)
        if call.state == "new":  # a call without XEP-0353 rings now
            self._ring(call)

    def _direct_call(self, sid: str, sender: str, jingle: ET.Element) -> Call | None:
        media = [d.get("media", "") for d in jingle.iter(q(RTP, "description"))]
        if self.current and self.current.live:
            return None
        call = Call(self, sid, sender, "responder", media, jmi=False)
        self.calls[sid] = self.current = call
        return call

    # --- XEP-0353 and messages ------------------------------------------------------------------------------------

    def _message(self, message: ET.Element) -> bool:
        sender = message.get("from", "")
        if bare(sender) == bare(self.full) or message.get("type") == "error":
            return self._returned(message)
        for child in message:
            if child.tag == q(RECEIPTS, "received"):
                for call in self.calls.values():
                    call.receipted = call.receipted or (bool(call.propose_id) and child.get("id") == call.propose_id)
            elif namespace(child) == JMI:
                self.blame(checks.jmi_message(message, child, self.full, self.is_dino(sender)), child.get("id", ""))
                self._jmi(message, child, sender)
        return True

    def _returned(self, message: ET.Element) -> bool:
        """Our own messages, and errors; an error for our propose means that nobody is there."""
        call = self.current
        if message.get("type") == "error" and call and call.live and message.get("id") == call.propose_id:
            call.end("unreachable")
        return True

    def _jmi(self, message: ET.Element, element: ET.Element, sender: str) -> None:
        kind, sid = local(element), element.get("id", "")
        call = self.calls.get(sid)
        if kind == "propose":
            if call is None and message.find(q(DELAY, "delay")) is None:
                self._proposed(message, element, sender, sid)
            elif call is not None:
                self.blame(["the same propose again"], sid)
        elif call is None or bare(call.peer) != bare(sender):
            self.blame([f"<{kind}> for the unknown call {sid} from {sender}"], sid)
        elif kind == "ringing" and not call.live and "/" not in call.peer:
            pass  # it crossed our retract: no device had answered yet
        elif call.state not in ("proposing", "ringing") and call.peer != sender and kind != "reject":
            self.blame([f"<{kind}> from {sender}, the call is with {call.peer}"], sid)
        else:
            call.on_jmi(kind, sender, element)

    def _proposed(self, message: ET.Element, element: ET.Element, sender: str, sid: str) -> None:
        if not self.is_dino(sender):
            self.blame(checks.propose(element), sid)
        media = [d.get("media", "") for d in element.findall(q(RTP, "description"))]
        call = Call(self, sid, sender, "responder", media, jmi=True)
        self.calls[sid] = call
        if self.current and self.current.live and not self._yields(self.current, call):
            call.state = "incoming"
            call.decline("expired" if bare(self.current.peer) == bare(sender) else "busy")
            return
        self.current = call
        if message.find(q(RECEIPTS, "request")) is not None and self.shape.polite and self.auto != "ignore":
            self.send(stanzas.receipt(sender, message.get("id", "")))
        self._ring(call)

    def _yields(self, ours: Call, theirs: Call) -> bool:
        """Both proposed at once: the lower id wins. Ends our own call when it loses. Spec: XEP-0353 §4.1."""
        crossing = ours.role == "initiator" and ours.state in ("proposing", "ringing") and bare(ours.peer) == bare(theirs.peer)
        if not crossing or ours.sid < theirs.sid:
            return False
        ours.hang_up(tie_break=True)
        return True

    def _ring(self, call: Call) -> None:
        call.become("incoming")
        self.event("incoming", call=call.sid, peer=call.peer, media=call.media)
        if self.auto == "ignore":
            return
        if call.jmi and self.shape.polite:
            self.send(stanzas.jmi("ringing", call.sid, call.peer, polite=True))
        elif not call.jmi:
            info = stanzas.jingle("session-info", call.sid)
            ET.SubElement(info, "{urn:xmpp:jingle:apps:rtp:info:1}ringing")
            self._spawn(self._quietly(call.peer, info))
        if self.auto in ("accept", "decline"):
            act = call.accept if self.auto == "accept" else call.decline
            asyncio.get_running_loop().call_later(self.options.answer_after, act)

    async def _quietly(self, to: str, payload: ET.Element) -> None:
        try:
            await self.ask(to, payload)
        except (stanzas.StanzaError, TimeoutError):
            log.info("no answer to session-info")

    # --- what our person does -------------------------------------------------------------------------------------

    def dial(self, to: str, media: list[str], direct: bool = False) -> Call:
        """Call a bare JID with XEP-0353, or a full one directly. Raises ValueError when a call is running."""
        if self.current and self.current.live:
            raise ValueError("a call is running")
        if direct != ("/" in to):
            raise ValueError("a direct call goes to a full JID, any other to a bare JID")
        call = Call(self, str(uuid.uuid4()), to, "initiator", media, jmi=not direct)
        self.calls[call.sid] = self.current = call
        call.start()
        return call
