"""Clients without manners: XMPP as raw text, and WebSocket frames as they come. For tests that must send what no library would."""

from __future__ import annotations

import asyncio
import base64
import json
import select
import socket
import ssl
import threading
import time
import xml.etree.ElementTree as ET
from types import TracebackType
from typing import Any, Self

import aiohttp

from jinglebridge.demo.lab import Ejabberd, Prosody

CLIENT = "{jabber:client}"
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
JINGLE_ERRORS = "{urn:xmpp:jingle:errors:1}"


class RawXmpp:
    """An XMPP account over STARTTLS and SASL PLAIN; sends any text, gives back parsed stanzas."""

    def __init__(self, server: Ejabberd | Prosody, user: str, *, register: bool = True, online: bool = True, resource: str = "") -> None:
        if register:
            server.register(user)
        self.domain = server.domain
        self._writing = threading.Lock()  # a peer that answers by itself writes beside the test
        self.socket: socket.socket = socket.create_connection((server.host, server.c2s), 5)
        self._open()
        self._say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        assert self._next(5).tag.endswith("}proceed")
        context = ssl.create_default_context(cafile=str(server.folder / "crt.pem"))
        self.socket = context.wrap_socket(self.socket, server_hostname=server.domain)
        self._open()
        secret = base64.b64encode(f"\0{user}\0{user}".encode()).decode()
        self._say(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
        assert self._next(5).tag.endswith("}success")
        self._open()
        wanted = f"<resource>{resource}</resource>" if resource else ""
        bound = self.ask(f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{wanted}</bind>", kind="set")
        self.full = bound.findtext(".//{urn:ietf:params:xml:ns:xmpp-bind}jid", "")
        self.jid = self.full.partition("/")[0]
        if online:
            self.come_online()

    def come_online(self) -> None:
        """Available, and known to be: a server that does not know yet keeps what comes, and gives it out later without half of it."""
        self._say("<presence/>")
        came = [self._next(5)]
        while came[-1].tag != f"{CLIENT}presence" or came[-1].get("from") != self.full:
            came.append(self._next(5))
        self._ready[:0] = came

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()

    def _open(self) -> None:
        self._parser: Any = ET.XMLPullParser(("start", "end"))
        self._depth = 0
        self._ready: list[ET.Element] = []
        self._count = 0
        header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{}' version='1.0'>"
        self._say(header.format(self.domain))
        self._next(5)  # features

    def _say(self, text: str) -> None:
        with self._writing:
            self.socket.sendall(text.encode())

    def _next(self, timeout: float) -> ET.Element:
        end = time.monotonic() + timeout
        while not self._ready:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
            if pending or select.select([self.socket], [], [], left)[0]:
                data = self.socket.recv(65536)
                assert data, "the server closed the stream"
                self._feed(data)
        return self._ready.pop(0)

    def _feed(self, data: bytes) -> None:
        self._parser.feed(data)
        for event, element in self._parser.read_events():
            if event == "start":
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth == 1:
                    self._ready.append(element)

    def send(self, stanza: str) -> None:
        self._say(stanza)

    def ask(self, payload: str, *, to: str = "", kind: str = "set", timeout: float = 5.0) -> ET.Element:
        """Send an IQ request and wait for its only answer; other stanzas are answered or kept in `seen`."""
        self._count += 1
        id = f"raw{self._count}"
        target = f" to='{to}'" if to else ""
        self._say(f"<iq type='{kind}' id='{id}'{target}>{payload}</iq>")
        return self.wait(lambda e: e.tag == f"{CLIENT}iq" and e.get("id") == id and e.get("type") in ("result", "error"), timeout)

    def wait(self, wanted: Any, timeout: float = 5.0) -> ET.Element:
        """The next stanza for which `wanted(stanza)` is true. IQ requests that come meanwhile are acked."""
        end = time.monotonic() + timeout
        came: list[str] = []
        while True:
            try:
                element = self._next(max(0.0, end - time.monotonic()))
            except TimeoutError:
                raise AssertionError(f"did not come within {timeout} s; came: {came}") from None
            if element.tag == f"{CLIENT}iq" and element.get("type") in ("get", "set"):
                self._say(f"<iq type='result' id='{element.get('id')}' to='{element.get('from')}'/>")
            if wanted(element):
                return element
            came.append(ET.tostring(element, encoding="unicode")[:200])

    def silent(self, seconds: float, unwanted: Any) -> None:
        """Nothing for which `unwanted(stanza)` is true comes within `seconds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                element = self._next(left)
            except TimeoutError:
                return
            assert not unwanted(element), ET.tostring(element, encoding="unicode")


def answer(reply: ET.Element) -> tuple[str, ...]:
    """("result",), or (error type, stanza condition[, Jingle condition])."""
    if reply.get("type") == "result":
        return ("result",)
    error = reply.find(f"{CLIENT}error")
    assert error is not None
    names = [child.tag for child in error]
    stanza = [n.removeprefix(STANZAS) for n in names if n.startswith(STANZAS) and not n.endswith("}text")]
    jingle = [n.removeprefix(JINGLE_ERRORS) for n in names if n.startswith(JINGLE_ERRORS)]
    return (error.get("type", ""), *stanza, *jingle)


class RawPage:
    """A web session over a WebSocket without any client code. Asynchronous."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []

    async def hello(self, token: str) -> str:
        """Its full JID."""
        await self.socket.send_str(json.dumps({"type": "hello", "id": "hello", "version": 1, "token": token}))
        welcome = await self.hear("welcome")
        return str(welcome["jid"])

    async def hear(self, *types: str, **fields: Any) -> dict[str, Any]:
        """The next frame of one of these types with these fields; others go to `events`."""
        while True:
            frame: dict[str, Any] = await self.socket.receive_json(timeout=5)
            if frame["type"] in types and all(frame.get(k) == v for k, v in fields.items()):
                return frame
            self.events.append(frame)

    async def code(self, text: str | bytes) -> str:
        """Send anything; the code of the error that comes back, or "ack"."""
        await (self.socket.send_bytes(text) if isinstance(text, bytes) else self.socket.send_str(text))
        frame = await self.hear("error", "ack")
        return str(frame.get("code", "ack"))

    async def ask(self, id: str, **fields: Any) -> str:
        return await self.code(json.dumps({"id": id, **fields}))


class RawStream:
    """A session by stream and POST without any client code."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url
        self.answer: dict[str, Any] = {}
        self.pings = 0  # of the bridge
        self.reply: aiohttp.ClientResponse | None = None

    async def hello(self, **who: Any) -> dict[str, Any]:
        async with self.http.post(f"{self.url}/stream", json={"type": "hello", "id": "h", "version": 1, **who}) as reply:
            self.answer = await reply.json()
        self.reply = await self.read()
        assert self.reply.status == 200
        return await self.hear()

    def close(self) -> None:
        """As a network that breaks does."""
        if self.reply is not None:
            self.reply.close()

    async def bye(self) -> None:
        """The orderly end: the bridge closes."""
        assert self.reply is not None
        await self.say({"type": "bye", "id": "bye"})
        assert (await self.reply.content.read()).endswith(b"event: close\ndata: 1000 bye\n\n")

    async def read(self, **headers: str) -> aiohttp.ClientResponse:
        return await self.http.get(f"{self.url}/stream", headers={"Authorization": f"Bearer {self.answer['ticket']}", **headers})

    async def hear(self, timeout: float = 5.0) -> dict[str, Any]:
        assert self.reply is not None
        async with asyncio.timeout(timeout):
            while True:
                line = (await self.reply.content.readuntil(b"\n\n")).decode()
                if line.startswith("data: {"):
                    frame: dict[str, Any] = json.loads(line.removeprefix("data: "))
                    return frame
                assert line == "event: ping\ndata: 0\n\n", line
                self.pings += 1
                await self.say()

    async def say(self, *frames: dict[str, Any]) -> int:
        headers = {"Authorization": f"Bearer {self.answer['key']}"}
        async with self.http.post(f"{self.url}/stream/frames", data="\n".join(map(json.dumps, frames)), headers=headers) as reply:
            return reply.status
