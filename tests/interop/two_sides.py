"""The two ends of a call as scripts that go on whatever happens to the bridge between them: an IM client on raw XMPP and a page on a
raw WebSocket that reconnects, resumes and asks again, as the real ones do. No tests here.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import aiohttp

from jinglebridge.demo.lab import Ejabberd
from jinglebridge.web import messages as m

from .bridge import BridgeProcess
from .raw import CLIENT, RawXmpp

JINGLE = "{urn:xmpp:jingle:1}"
JMI = "{urn:xmpp:jingle-message:0}"
PRINT = ":".join(["AB"] * 32)
AUDIO = "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
RTP = (
    "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'><payload-type id='111' name='opus' clockrate='48000' channels='2'/>"
    "<rtcp-mux/></description>"
)
UNKNOWN = (
    "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    "<unknown-session xmlns='urn:xmpp:jingle:errors:1'/></error>"
)
CANDIDATE = (
    "<candidate component='1' foundation='1' generation='0' id='{0}' ip='192.0.2.{0}' network='0' port='9' priority='7' protocol='udp' "
    "type='host'/>"
)
ENDS = ("retract", "reject", "finish")
RINGS = 25.0  # seconds until the contact gives up calling


def transport(inner: str) -> str:
    return f"<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='peer' pwd='peerpwdpeerpwdpeerpwdpeer'>{inner}</transport>"


def content(setup: str) -> str:
    fingerprint = f"<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='{setup}'>{PRINT}</fingerprint>"
    return f"<content creator='initiator' name='0'>{RTP}{transport(fingerprint)}</content>"


def sdp(setup: str) -> str:
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0",
             "a=ice-ufrag:page", "a=ice-pwd:pagepwdpagepwdpagepwdpage", f"a=fingerprint:sha-256 {PRINT}", f"a=setup:{setup}", "a=mid:0",
             "a=sendrecv", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2"]  # fmt: skip
    return "\r\n".join(lines) + "\r\n"


class Peer(RawXmpp):
    """An IM client: answers a call, or makes one with `propose`. A thread reads its stream."""

    def __init__(self, server: Ejabberd, user: str, before: Peer | None = None) -> None:
        """`before`: the same device before it lost its connection."""
        super().__init__(server, user, register=before is None, resource="phone")
        self.user = user
        self.session: tuple[str, str] | None = None  # (sid, address of the other side), once there is one
        self.phase = "idle"  # idle, ringing, proceeded, pending, active, ended
        self.reason = ""
        self.ended_at = 0.0
        self.heard: list[str] = []  # JMI elements and Jingle actions
        self.unavailable = False
        self._until = 0.0
        if before is not None:
            self.session, self.phase = before.session, before.phase
        self._closing = False
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing = True
        self._thread.join()
        self.socket.close()

    def count(self, what: str) -> int:
        return self.heard.count(what)

    def propose(self, to: str) -> None:
        id = secrets.token_hex(8)
        self.session, self.phase, self._until = (id, to), "ringing", time.monotonic() + RINGS
        self._message("propose", AUDIO)

    def hang_up(self) -> None:
        self._jingle("session-terminate", "<reason><success/></reason>")
        self._end("hung up")

    def gather(self, number: int) -> None:
        """Send one candidate."""
        self._jingle("transport-info", f"<content creator='initiator' name='0'>{transport(CANDIDATE.format(number))}</content>")

    # --- the wire

    def _live(self) -> None:
        while not self._closing:
            try:
                self._one(self._next(0.2))
            except TimeoutError:
                if self.phase == "ringing" and self._until and time.monotonic() > self._until:
                    self._message("retract")
                    self._end("nobody answered")

    def _message(self, kind: str, inner: str = "") -> None:
        assert self.session is not None
        sid, to = self.session
        self.send(f"<message type='chat' id='{secrets.token_hex(6)}' to='{to}'><{kind} xmlns='urn:xmpp:jingle-message:0' id='{sid}'>"
                  f"{inner}</{kind}></message>")  # fmt: skip

    def _jingle(self, action: str, inner: str = "") -> None:
        assert self.session is not None
        sid, to = self.session
        self.send(f"<iq type='set' id='{action}.{secrets.token_hex(6)}' to='{to}'><jingle xmlns='urn:xmpp:jingle:1' action='{action}' "
                  f"sid='{sid}'>{inner}</jingle></iq>")  # fmt: skip

    def _end(self, reason: str) -> None:
        if self.phase not in ("idle", "ended"):
            self.phase, self.reason, self.ended_at = "ended", reason, time.monotonic()

    def _one(self, element: ET.Element) -> None:
        kind = element.get("type", "")
        if element.tag == f"{CLIENT}message":
            for child in element:
                if child.tag.startswith(JMI):
                    self._jmi(child.tag.removeprefix(JMI), child.get("id", ""), element.get("from", ""), kind)
        elif element.tag == f"{CLIENT}presence" and kind == "unavailable":
            self.unavailable = self.unavailable or (self.session is not None and element.get("from") == self.session[1])
        elif element.tag == f"{CLIENT}iq" and kind in ("get", "set"):
            self._request(element)
        elif element.tag == f"{CLIENT}iq" and kind == "error" and self.phase in ("pending", "active"):
            # As IM clients do: an offer or an answer that cannot be delivered is the end, and so is a session that nobody knows.
            unknown = element.find(f"{CLIENT}error/{{urn:xmpp:jingle:errors:1}}unknown-session") is not None
            if unknown or element.get("id", "").partition(".")[0] in ("session-initiate", "session-accept"):
                self._jingle("session-terminate", "<reason><connectivity-error/></reason>")
                self._end("connectivity-error")

    def _jmi(self, kind: str, id: str, sender: str, type: str) -> None:
        if type == "error":
            if kind == "propose" and self.session is not None and self.session[0] == id:
                self._end("unreachable")
            return
        self.heard.append(kind)
        if kind == "propose" and self.phase == "idle":
            self.session, self.phase = (id, sender), "ringing"
            self._message("ringing")
            self._message("proceed")
            self.phase = "proceeded"
        elif self.session is None or self.session[0] != id:
            return
        elif kind == "proceed" and self.phase == "ringing":
            self.session, self.phase = (id, sender), "pending"
            self._jingle("session-initiate", content("actpass"))
            self.gather(1)
        elif kind in ENDS:
            self._end(kind)

    def _request(self, element: ET.Element) -> None:
        jingle = element.find(f"{JINGLE}jingle")
        reply = f"<iq type='{{}}' id='{element.get('id')}' to='{element.get('from')}'>{{}}</iq>"
        if jingle is None:
            self.send(reply.format("result", ""))
            return
        action = jingle.get("action", "")
        known = self.session == (jingle.get("sid"), element.get("from"))
        inner = next((child.tag.rpartition("}")[2] for child in jingle if action == "session-info"), "")
        self.heard.append(inner or action)
        if not known or self.phase == "ended" or (action != "session-initiate" and self.phase not in ("pending", "active")):
            self.send(reply.format("error", UNKNOWN))
            return
        self.send(reply.format("result", ""))
        if action == "session-initiate" and self.phase == "proceeded":
            self.phase = "active"
            self._jingle("session-accept", content("active"))
            self.gather(1)
        elif action == "session-accept":
            self.phase = "active"
        elif action == "session-terminate":
            reason = jingle.find(f"{JINGLE}reason")
            self._end(reason[0].tag.rpartition("}")[2] if reason is not None and len(reason) else "none")


class Page:
    """A page that is told nothing about kills: it reconnects, resumes, and sends what was not acknowledged again."""

    def __init__(self, bridge: BridgeProcess, user: str, contact: str) -> None:
        self._url = bridge.url + "/ws"
        self._hello: dict[str, Any] = {"token": bridge.token(user, contact)}
        self._pending: dict[str, dict[str, Any]] = {}
        self._count = 0
        self._seq = 0
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self.call = ""
        self.direction = ""
        self.state = ""
        self.description: dict[str, Any] | None = None
        self.candidates: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self.reason: str | None = None
        self.ended_at = 0.0
        self.rang = 0
        self.welcomes: list[dict[str, Any]] = []
        self.jid = ""
        self.connected = threading.Event()
        self.on_up: Callable[[], None] = lambda: None  # the description has come; called once, in the page's thread
        self._received = 0
        self._sending: set[asyncio.Future[None]] = set()
        self.flowing = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._task = asyncio.run_coroutine_threadsafe(self._live(), self._loop)
        assert self.connected.wait(10)

    def close(self) -> None:
        self._task.cancel()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.05), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def request(self, type: str, **fields: Any) -> None:
        """Send it now or when there is a connection; from any thread."""
        self._loop.call_soon_threadsafe(self._request, type, fields)

    def place(self, to: str) -> None:
        self.call, self.direction = secrets.token_hex(8), "out"
        self.request("call", call=self.call, to=to, description={"type": "offer", "sdp": sdp("actpass")})

    # --- the session

    async def _live(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.ws_connect(self._url, protocols=(m.PROTOCOL,)) as socket:
                        await self._session(socket)
                except (aiohttp.ClientError, ConnectionError):
                    pass
                self._socket = None
                await asyncio.sleep(0.3)

    async def _session(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        await socket.send_json({"type": "hello", "id": f"h{secrets.token_hex(4)}", "version": 1, **self._hello})
        async for message in socket:
            frame = json.loads(message.data)
            if frame["type"] == "welcome":
                self._welcome(frame, socket)
            elif frame["type"] in ("ack", "error"):
                self._pending.pop(frame.get("id", ""), None)
                if frame["type"] == "error":
                    self.errors.append(frame["code"])
            else:
                self._event(frame)

    def _welcome(self, frame: dict[str, Any], socket: aiohttp.ClientWebSocketResponse) -> None:
        self.welcomes.append(frame)
        self.jid, self._socket = frame["jid"], socket
        if not frame["resumed"]:
            self._seq = frame["seq"]
            for ended in frame["ended"]:
                self._event(ended)
            if not self.call and frame["calls"]:
                self._rings(frame["calls"][0]["call"])
            snapshot = next((c for c in frame["calls"] if c["call"] == self.call), None)
            asked = any(r["type"] == "call" for r in self._pending.values())
            if self.call and snapshot is None and self.reason is None and not asked:
                self._ended("gone")
            if snapshot is not None:
                self._snapshot(snapshot)
        self._hello = {"resume": {"secret": frame["resume"], "lastSeq": self._seq}}
        self.connected.set()
        for request in list(self._pending.values()):
            self._write(request)

    def _snapshot(self, snapshot: dict[str, Any]) -> None:
        self.state = snapshot["state"]
        if snapshot["description"]:
            self._describe(snapshot["description"])
        self.candidates += [c for c in snapshot["candidates"] if c not in self.candidates]

    def _request(self, type: str, fields: dict[str, Any]) -> None:
        self._count += 1
        request = {"type": type, "id": f"r{self._count}", **fields}
        self._pending[request["id"]] = request
        self._write(request)

    def _write(self, frame: dict[str, Any]) -> None:
        if self._socket is not None and not self._socket.closed:
            sending = asyncio.ensure_future(self._send(self._socket, frame))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    async def _send(self, socket: aiohttp.ClientWebSocketResponse, frame: dict[str, Any]) -> None:
        try:
            await socket.send_json(frame)
        except (ConnectionError, RuntimeError):
            pass  # it is pending, and goes out with the next connection

    # --- the call

    def _event(self, frame: dict[str, Any]) -> None:
        seq = frame.get("seq", 0)
        self._seq = max(self._seq, seq)
        if "resume" in self._hello:
            self._hello["resume"]["lastSeq"] = self._seq
        kind = frame["type"]
        if kind == "incoming":
            self._rings(frame["call"])
        elif frame.get("call") != self.call or self.reason is not None:
            return
        elif kind == "state":
            self.state = frame["state"]
        elif kind == "description":
            self._describe(frame["description"])
        elif kind == "candidate":
            self.candidates.append(frame["candidate"])
        elif kind == "ended":
            self._ended(frame["reason"])

    def _rings(self, call: str) -> None:
        self.rang += 1
        self.call, self.direction = call, "in"
        self._request("accept", {"call": call})

    def _ended(self, reason: str) -> None:
        self.reason, self.ended_at = reason, time.monotonic()

    def _describe(self, description: dict[str, Any]) -> None:
        if self.description is not None:
            return
        self.description = description
        if self.direction == "in":
            self._request("description", {"call": self.call, "description": {"type": "answer", "sdp": sdp("active")}})
        self.gather(1)
        self._report()
        self.on_up()

    def gather(self, number: int) -> None:
        text = f"candidate:{number} 1 udp 2122194687 192.0.2.{number} 5000 typ host"
        self._request("candidate", {"call": self.call, "candidate": {"candidate": text, "sdpMid": "0", "usernameFragment": "page"}})

    def _report(self) -> None:
        """Statistics, every second: a page that is tested need not be slow."""
        if self.reason is None:
            self._received += 1000 if self.flowing else 0
            if self._socket is not None:
                stats = {"call": self.call, "connectionState": "connected", "bytesReceived": self._received}
                self._write({"type": "stats", "id": f"s{secrets.token_hex(4)}", **stats})
            self._loop.call_later(1.0, self._report)
