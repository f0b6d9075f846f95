"""The two kinds of ends of a call: a page on a WebSocket, an IM client on a c2s stream.

They are as thin as they can be, and their CPU is not counted.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import xml.etree.ElementTree as ET
from collections import defaultdict
from dataclasses import replace
from time import perf_counter
from typing import Any
from xml.sax.saxutils import quoteattr

import aiohttp
import msgspec
from calls_lab import BridgeProcess

from jinglebridge.demo.lab import Ejabberd
from jinglebridge.jingle import JMI_TAGS
from jinglebridge.jingle.private import NS as NS_BRIDGE
from jinglebridge.xmpp import caps, disco

PATIENCE = 60.0  # seconds for anything to arrive
CLIENT = "{jabber:client}"
JINGLE = "{urn:xmpp:jingle:1}jingle"
INFO = f"{{{caps.INFO}}}query"
# Node of the caps, by which a bridge knows what kind of client it talks to.
NODES = {"conversations": "https://conversations.im", "dino": "https://dino.im", "unknown": "https://client.example", "bridge": disco.NODE}

Key = tuple[str, str]  # (call id, sid or address; what)


class Broken(Exception):
    """Something came that a call without trouble does not have."""


class Inbox:
    """What arrived, by call and name, each with its time."""

    def __init__(self) -> None:
        self._came: dict[Key, list[tuple[float, Any]]] = defaultdict(list)
        self._waiting: dict[Key, asyncio.Future[tuple[float, Any]]] = {}
        self.error: Exception | None = None

    def put(self, call: str, name: str, value: Any = None) -> None:
        item, key = (perf_counter(), value), (call, name)
        future = self._waiting.pop(key, None)
        if future is not None and not future.done():
            future.set_result(item)
        else:
            self._came[key].append(item)

    async def get(self, call: str, name: str) -> tuple[float, Any]:
        """(arrival, value) of the next one. Raises Broken."""
        key = (call, name)
        if self.error is not None:
            raise self.error
        if came := self._came.get(key):
            item = came.pop(0)
            if not came:
                del self._came[key]
            return item
        future = self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(PATIENCE):
                return await future
        except TimeoutError:
            raise Broken(f"no {name} for {call} within {PATIENCE:.0f} s; came: {list(self._came)[:20]}") from None

    def fail(self, error: Exception) -> None:
        self.error = error
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)


class WebEnd(Inbox):
    """A page. Frames are keyed by call id and type; `incoming` is keyed by the page's own address."""

    def __init__(self) -> None:
        super().__init__()
        self.jid = self.bare = ""
        self._count = self._seq = 0

    async def open(self, http: aiohttp.ClientSession, bridge: BridgeProcess, user: str, contact: str) -> None:
        self._socket = await http.ws_connect(f"{bridge.url}/ws", protocols=["jinglebridge.v1"], max_msg_size=0)
        self.send(type="hello", version=1, token=bridge.token(user, [contact]))
        self._task = asyncio.create_task(self._read())
        _, welcome = await self.get("", "welcome")
        self.jid = welcome["jid"]
        self.bare = self.jid.partition("/")[0]

    def send(self, **frame: Any) -> None:
        self._count += 1
        text = msgspec.json.encode({**frame, "id": f"p{self._count}"}).decode()
        task = self._socket.send_str(text)
        try:
            task.send(None)  # it only waits when the socket is full, which a page's never is
        except StopIteration:
            return
        task.close()
        raise Broken("a page's socket is full")

    async def _read(self) -> None:
        async for message in self._socket:
            frame = msgspec.json.decode(message.data)
            kind = frame["type"]
            if kind == "error":
                self.fail(Broken(f"{self.jid}: {frame}"))
            elif kind == "incoming":
                self.put(self.bare, "incoming", frame["call"])
            elif kind == "state":
                self.put(frame["call"], frame["state"])
            elif kind != "ack":
                self.put(frame.get("call", ""), kind, frame)
            if frame.get("seq", 0) >= self._seq + 16:
                self._seq = frame["seq"]
                self.send(type="ping", seq=self._seq)

    async def close(self) -> None:
        self._task.cancel()
        await self._socket.close()


class ImEnd(Inbox):
    """An IM client. Jingle is keyed by sid and action, JMI by id and element, a propose by the caller's bare address.

    `kind` (a key of `NODES`): which client it is to the bridge. It announces everything that a call needs, audio and video; only
    `bridge` announces our private namespace beside it, and gets the extensions.
    """

    def __init__(self, kind: str = "conversations") -> None:
        super().__init__()
        self._node = NODES[kind]
        everything = disco.session_info(True)
        self._caps = everything if kind == "bridge" else replace(everything, features=everything.features - {NS_BRIDGE})
        self.jid = self.bare = ""
        self._count = 0

    async def open(self, server: Ejabberd, user: str) -> None:
        self._reader, self._writer = await asyncio.open_connection(server.host, server.c2s, limit=1 << 20)
        await self._stream(server.domain)
        self._say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        await self._next()
        context = ssl.create_default_context(cafile=str(server.folder / "crt.pem"))
        await self._writer.start_tls(context, server_hostname=server.domain)
        await self._stream(server.domain)
        secret = base64.b64encode(f"\0{user}\0{user}".encode()).decode()
        self._say(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
        await self._next()
        await self._stream(server.domain)
        self._say("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        self.jid = (await self._next()).findtext(".//{urn:ietf:params:xml:ns:xmpp-bind}jid", "")
        self.bare = self.jid.partition("/")[0]
        self._say(f"<presence><c xmlns='{caps.NS}' hash='sha-1' node='{self._node}' ver='{self._caps.ver()}'/></presence>")
        self._task = asyncio.create_task(self._read())

    async def close(self) -> None:
        self._task.cancel()
        self._writer.close()

    # --- the stream

    async def _stream(self, domain: str) -> None:
        self._parser, self._depth, self._ready = ET.XMLPullParser(("start", "end")), 0, list[ET.Element]()
        self._held = b""
        self._say(f"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{domain}' version='1.0'>")
        await self._next()

    def _say(self, text: str) -> None:
        self._writer.write(text.encode())

    async def _next(self) -> ET.Element:
        while not self._ready:
            data = await self._reader.read(1 << 18)
            if not data:
                raise Broken("the server closed the stream")
            self._feed(data)
        return self._ready.pop(0)

    def _feed(self, data: bytes) -> None:
        data = self._held + data
        end = data.rfind(b">") + 1  # an expat that puts off cut tokens would hold the stanza back
        self._held = data[end:]
        self._parser.feed(data[:end])
        for event, element in self._parser.read_events():
            assert isinstance(element, ET.Element)
            if event == "start":
                self._depth += 1
                if self._depth == 1:
                    self._root = element
            else:
                self._depth -= 1
                if self._depth == 1:
                    self._ready.append(element)
                    self._root.remove(element)

    async def _read(self) -> None:
        try:
            while True:
                self._take(await self._next())
        except Exception as error:
            self.fail(error)

    # --- stanzas

    def _take(self, element: ET.Element) -> None:
        kind, sender, type = element.tag.removeprefix(CLIENT), element.get("from", ""), element.get("type", "")
        if type == "error":
            raise Broken(f"{self.jid} got {ET.tostring(element, encoding='unicode')[:500]}")
        if kind == "message":
            for child in element:
                if child.tag in JMI_TAGS:
                    name = child.tag.partition("}")[2]
                    id = child.get("id", "")
                    self.put(sender.partition("/")[0] if name == "propose" else id, name, id)
        elif kind == "iq" and type in ("get", "set"):
            self._request(element, sender)
        elif kind == "presence" and type == "subscribe":
            self._say(f"<presence type='subscribed' to={quoteattr(sender)}/>")

    def _request(self, element: ET.Element, sender: str) -> None:
        payload = element[0]
        answer = ""
        if payload.tag == INFO:
            answer = ET.tostring(self._caps.build(payload.get("node")), encoding="unicode")
        self._say(f"<iq type='result' id={quoteattr(element.get('id', ''))} to={quoteattr(sender)}>{answer}</iq>")
        if payload.tag == JINGLE:
            self.put(payload.get("sid", ""), payload.get("action", ""), payload)

    def message(self, to: str, payload: str) -> None:
        self._count += 1
        self._say(f"<message type='chat' id='m{self._count}' to='{to}'>{payload}</message>")

    def iq(self, to: str, payload: str) -> None:
        self._count += 1
        self._say(f"<iq type='set' id='q{self._count}' to='{to}'>{payload}</iq>")
