"""One call of the contact: XEP-0353 around XEP-0166, written by hand from the two texts.

States going out: proposing, ringing, proceeded, initiated, connecting, connected, ended.
States coming in: incoming, proceeding, connecting, connected, ended.
"""

from __future__ import annotations

import asyncio
import logging
import time
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol

from aiortc import RTCIceServer

from . import checks, demands, stanzas
from .names import DTLS, GROUPING, ICE_UDP, JINGLE, JMI, RTP_INFO, Shape, bare, local, namespace, q
from .rtc import Candidates, Media

log = logging.getLogger("contact")

NO_ANSWER = 30.0  # seconds for the first sign of life after a propose
RING = 60.0
PROCEED_TO_INITIATE = 15.0
CONNECT = 45.0
FINISH = 4.0  # how long the other side may take for its <finish/>


class Line(Protocol):
    """What a call needs of the XMPP account."""

    shape: Shape
    tone: float | None

    @property
    def full(self) -> str: ...
    def send(self, stanza: ET.Element) -> None: ...
    def ask(self, to: str, payload: ET.Element, kind: str = "set") -> Awaitable[ET.Element]: ...
    def event(self, name: str, **fields: Any) -> None: ...
    def blame(self, sentences: list[str], sid: str = "") -> None: ...
    def is_dino(self, jid: str) -> bool: ...
    def is_gone(self, jid: str) -> bool: ...
    async def ice_servers(self) -> list[RTCIceServer]: ...


class Call:
    """`peer` is a bare JID until the other side's device is known."""

    def __init__(self, line: Line, sid: str, peer: str, role: str, media: list[str], jmi: bool) -> None:
        self.line, self.sid, self.peer, self.role, self.media, self.jmi = line, sid, peer, role, media, jmi
        self.state, self.reason, self.muted_by_peer = "new", "", False
        self.rtc: Media | None = None
        self.initiate: ET.Element | None = None  # the peer's, waiting for our person (calls without XEP-0353)
        self.propose_id = ""  # of the message of our own propose
        self.rung = self.receipted = self.finished = self.closed_by_jingle = False
        self.finish_due = False  # the other side still has time for its <finish/>
        self.offered: list[ET.Element] = []
        self.grouped = False
        self.credentials: dict[str, tuple[str, str]] = {}  # the peer's, by content
        self.seen: set[tuple[str | None, ...]] = set()  # candidates of the peer
        self.born = time.monotonic()
        self.connected_after: float | None = None
        self._media_made = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # --- bookkeeping ----------------------------------------------------------------------------------------------

    @property
    def live(self) -> bool:
        return self.state != "ended"

    def summary(self) -> dict[str, Any]:
        return {
            "sid": self.sid, "peer": self.peer, "role": self.role, "media": self.media, "jmi": self.jmi, "state": self.state,
            "reason": self.reason, "muted_by_peer": self.muted_by_peer, "connected_after": self.connected_after,
            "finish_due": self.finish_due and not self.finished,
        }  # fmt: skip

    def become(self, state: str, timeout: float | None = None) -> None:
        """Enter `state`; after `timeout` seconds in it the call ends by itself."""
        self.state = state
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(timeout, self._timed_out, state) if timeout else None
        self.line.event("state", call=self.sid, state=state, peer=self.peer)

    def _timed_out(self, state: str) -> None:
        if self.state == state:
            self.line.event("timeout", call=self.sid, state=state)
            self.hang_up("timeout")

    def run(self, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except Exception as error:
            if not self.live:
                return
            log.exception("call %s", self.sid)
            self.line.blame([f"the call broke: {error!r}"], self.sid)
            self.hang_up("failed-application")

    def end(self, reason: str) -> None:
        """Forget the call locally; nothing is sent."""
        if not self.live:
            return
        self.reason = reason
        self.become("ended")
        self._media_made.set()
        self.line.event("ended", call=self.sid, peer=self.peer, reason=reason)
        if self.rtc:
            task = asyncio.get_running_loop().create_task(self.rtc.close())
            self._tasks.add(task)
        if self.jmi and self.closed_by_jingle and not self.line.is_dino(self.peer):
            self.finish_due = True
            asyncio.get_running_loop().call_later(FINISH, self._demand_finish)

    def _demand_finish(self) -> None:
        self.finish_due = False
        if not self.finished and not self.line.is_gone(self.peer):
            self.line.blame([f"no <finish/> within {FINISH:.0f} s after the call"], self.sid)

    def _jingle(self, action: str) -> ET.Element:
        return stanzas.jingle(action, self.sid)

    def _ask(self, payload: ET.Element) -> Coroutine[Any, Any, None]:
        """Send now; what comes back waits for the answer and complains about an error."""
        return self._answered(self.line.ask(self.peer, payload), payload)

    async def _answered(self, answer: Awaitable[ET.Element], payload: ET.Element) -> None:
        try:
            await answer
        except (stanzas.StanzaError, TimeoutError) as error:
            if self.live or payload.get("action") == "session-terminate":
                self.line.blame([f"{payload.get('action')} was answered with {error!r}"], self.sid)

    def _jmi(self, kind: str, to: str, reason: str = "", tie_break: bool = False) -> str:
        message = stanzas.jmi(kind, self.sid, to, polite=self.line.shape.polite)
        if reason and self.line.shape.polite:
            message[0].append(stanzas.reason(reason))
        if tie_break:
            ET.SubElement(message[0], q(JMI, "tie-break"))
        self.line.send(message)
        return message.get("id", "")

    # --- what our person does -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Propose to the bare JID, or without XEP-0353 initiate at once."""
        if not self.jmi:
            self.run(self._initiate())
            return
        message = stanzas.propose(self.sid, self.peer, self.media, polite=self.line.shape.polite)
        self.propose_id = message.get("id", "")
        self.line.send(message)
        self.become("proposing", NO_ANSWER)

    def accept(self) -> None:
        if self.state != "incoming":
            return
        if self.initiate is not None:
            self.become("connecting", CONNECT)
            self.run(self._answer(self.initiate))
            return
        if not self.line.shape.polite:
            self._jmi("accept", bare(self.line.full))
        self._jmi("proceed", self.peer)
        self.become("proceeding", PROCEED_TO_INITIATE)

    def decline(self, reason: str = "busy") -> None:
        if self.state != "incoming":
            return
        if self.initiate is not None:
            self._terminate("decline")
        else:
            self._jmi("reject", self.peer, reason)
            if not self.line.shape.polite:
                self._jmi("reject", bare(self.line.full))
        self.end("declined")

    def hang_up(self, reason: str = "success", *, tie_break: bool = False) -> None:
        """End whatever this is in the way its state asks for."""
        if self.state in ("proposing", "ringing", "proceeded"):
            wanted = "expired" if tie_break else "cancel"
            self._jmi("retract", bare(self.peer) if self.state != "proceeded" else self.peer, wanted, tie_break)
            self.end("no-answer" if reason == "timeout" else "cancelled")
        elif self.state == "incoming":
            self.decline()
        elif self.state == "proceeding":
            self._finish("connectivity-error")
            self.end(reason)
        elif self.live:
            self._terminate("cancel" if self.state == "initiated" and reason == "success" else reason)
            self._finish("success" if reason in ("success", "cancel") else "connectivity-error")
            self.closed_by_jingle = True
            self.end("hung-up" if reason == "success" else reason)

    def mute(self, muted: bool) -> None:
        """Silence our voice and tell the other side. Spec: XEP-0167 §7.2."""
        if self.rtc is None:
            return
        self.rtc.voice.muted = muted
        info = self._jingle("session-info")
        name = next((c.get("name", "") for c in self.offered if c[0].get("media") == "audio"), "")
        ET.SubElement(info, q(RTP_INFO, "mute" if muted else "unmute"), {"creator": "initiator", "name": name})
        self.run(self._ask(info))

    def _terminate(self, reason: str) -> None:
        element = self._jingle("session-terminate")
        element.append(stanzas.reason(reason))
        self._tasks.add(asyncio.get_running_loop().create_task(self._ask(element)))

    def _finish(self, reason: str) -> None:
        if self.jmi and self.line.shape.polite:
            self._jmi("finish", self.peer, reason)

    # --- XEP-0353 from the other side -----------------------------------------------------------------------------

    def on_jmi(self, kind: str, sender: str, element: ET.Element) -> None:
        outgoing = self.role == "initiator"
        if kind == "finish":
            self.finished = True
            if self.live:
                asyncio.get_running_loop().call_later(2.0, self.end, "finished")
        elif kind == "ringing" and outgoing and self.state == "proposing":
            self.rung = True
            self.become("ringing", RING)
        elif kind == "proceed" and outgoing and self.state in ("proposing", "ringing"):
            self._proceeded(sender)
        elif kind == "reject" and outgoing and self.state in ("proposing", "ringing", "proceeded"):
            self.end("declined")
        elif kind == "retract" and not outgoing and self.state in ("incoming", "proceeding"):
            if sender != self.peer:
                self.line.blame([f"retract from {sender}, the propose was from {self.peer}"], self.sid)
            self.end("retracted")
        elif self.live and kind != "ringing":
            self.line.blame([f"<{kind}> in the state {self.state}"], self.sid)

    def _proceeded(self, sender: str) -> None:
        self.peer = sender
        if self.line.shape.polite and not self.line.is_dino(sender):
            lacking = ([] if self.rung else ["no <ringing/>"]) + ([] if self.receipted else ["no receipt for the propose"])
            self.line.blame([f"{what} before <proceed/>" for what in lacking], self.sid)
        self.become("proceeded", PROCEED_TO_INITIATE)
        self.run(self._initiate())

    # --- XEP-0166 towards the other side --------------------------------------------------------------------------

    async def _make_media(self) -> Media:
        servers = await self.line.ice_servers()
        self.rtc = Media(self.line.shape, self.role, servers, self.line.tone, self._media_state)
        self._media_made.set()
        return self.rtc

    async def _initiate(self) -> None:
        contents, candidates = await (await self._make_media()).offer(self.media)
        if not self.live:
            return
        element = self._jingle("session-initiate")
        element.set("initiator", self.line.full)
        self.grouped = not self.line.shape.separate
        self._fill(element, contents, candidates)
        self.become("initiated", RING)
        await self._send_described(element, candidates)

    async def _answer(self, initiate: ET.Element) -> None:
        group = stanzas.bundle(initiate)
        contents, candidates = await (await self._make_media()).answer(initiate.findall(q(JINGLE, "content")), group)
        if not self.live:
            return
        element = self._jingle("session-accept")
        element.set("responder", self.line.full)
        self.grouped = bool(group) and not self.line.shape.separate
        self._fill(element, contents, candidates)
        await self._send_described(element, candidates)

    def _fill(self, element: ET.Element, contents: list[ET.Element], candidates: Candidates) -> None:
        self.offered = contents
        if self.grouped:
            group = ET.SubElement(element, q(GROUPING, "group"), {"semantics": "BUNDLE"})
            for content in contents:
                ET.SubElement(group, q(GROUPING, "content"), {"name": content.get("name", "")})
        for content in contents:
            transport = content[1]
            for name, attributes in () if self.line.shape.trickle else candidates:
                if name == content.get("name"):
                    ET.SubElement(transport, q(ICE_UDP, "candidate"), attributes)
                    # COMPAT(Dino 0.4.2): offers component 2 as well, in spite of rtcp-mux; nobody listens there.
                    second = {"component": "2", "id": attributes["id"] + "r", "priority": str(int(attributes["priority"]) - 1)}
                    ET.SubElement(transport, q(ICE_UDP, "candidate"), attributes | second)
            element.append(content)

    async def _send_described(self, element: ET.Element, candidates: Candidates) -> None:
        """The description, and right behind it, not waiting for the answer, the candidates one by one."""
        waiting = [self._ask(element)]
        for name, attributes in candidates if self.line.shape.trickle else ():
            info, transport = stanzas.transport_info(self.sid, name, next(c[1] for c in self.offered if c.get("name") == name))
            ET.SubElement(transport, q(ICE_UDP, "candidate"), attributes)
            waiting.append(self._ask(info))
        await asyncio.gather(*waiting)

    def _media_state(self, state: str) -> None:
        if state == "connected" and self.state == "connecting":
            self.connected_after = round(time.monotonic() - self.born, 3)
            self.become("connected")
        elif state == "failed" and self.live:
            self.hang_up("connectivity-error")

    # --- XEP-0166 from the other side -----------------------------------------------------------------------------

    def check(self, action: str, jingle: ET.Element) -> ET.Element | None:
        """The error to answer with, or None = acknowledge and `perform`. Complaints are recorded here."""
        legal = {
            "session-initiate": self.role == "responder" and self.state in ("proceeding", "new"),
            "session-accept": self.role == "initiator" and self.state == "initiated",
            "session-terminate": self.state not in ("proposing", "ringing"),
        }.get(action, self.state in ("initiated", "connecting", "connected") or (self.state == "incoming" and self.initiate is not None))
        if not legal:
            self.line.blame([f"{action} in the state {self.state}"], self.sid)
            return stanzas.error("wait", "unexpected-request", "out-of-order")
        self.line.blame(demands.complaints(self, action, jingle, self.line.is_dino(self.peer)), self.sid)
        return None

    def perform(self, action: str, jingle: ET.Element) -> None:
        """Act on an acknowledged request."""
        if action in ("session-initiate", "session-accept"):
            for content in jingle.findall(q(JINGLE, "content")):
                for transport in content.findall(q(ICE_UDP, "transport")):
                    self.credentials[content.get("name", "")] = (transport.get("ufrag", ""), transport.get("pwd", ""))
            if any(c.find(f".//{q(DTLS, 'fingerprint')}") is None for c in jingle.findall(q(JINGLE, "content"))):
                self.hang_up("security-error")
            elif action == "session-accept":
                self.become("connecting", CONNECT)
                assert self.rtc
                self.run(self.rtc.take_answer(jingle.findall(q(JINGLE, "content")), stanzas.bundle(jingle)))
            elif self.jmi:
                self.become("connecting", CONNECT)
                self.run(self._answer(jingle))
            else:
                self.initiate = jingle
        elif action == "session-terminate":
            reason = next((local(e) for e in jingle.findall(f"{q(JINGLE, 'reason')}/*") if local(e) in checks.REASONS), "none")
            self._finish("success" if reason in ("success", "cancel", "none") else "connectivity-error")
            self.closed_by_jingle = True
            self.end(f"peer: {reason}")
        elif action == "transport-info":
            for content in jingle.findall(q(JINGLE, "content")):
                for candidate in content.iter(q(ICE_UDP, "candidate")):
                    self.run(self._candidate(content.get("name", ""), candidate))
        elif action == "session-info":
            self._info([local(e) for e in jingle if namespace(e) == RTP_INFO])
        elif action == "content-add":
            refusal = self._jingle("content-reject")
            for content in jingle.findall(q(JINGLE, "content")):
                ET.SubElement(refusal, q(JINGLE, "content"), dict(content.attrib))
            refusal.append(stanzas.reason("failed-application"))
            self.run(self._ask(refusal))

    def _info(self, kinds: list[str]) -> None:
        for kind in kinds:
            if kind in ("mute", "unmute"):
                self.muted_by_peer = kind == "mute"
            elif kind == "ringing":
                self.rung = True
            self.line.event("info", call=self.sid, info=kind)

    async def _candidate(self, name: str, candidate: ET.Element) -> None:
        await self._media_made.wait()  # the session-initiate may still be worked on, or wait for our person
        if self.rtc is not None and self.live:
            await self.rtc.add_candidate(name, candidate)
