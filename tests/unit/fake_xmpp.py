"""A component server of a few lines: handshake, stanzas of the component to itself come back, requests are refused. No tests here."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET

from jinglebridge.demo.lab import free_port
from tests.unit.fakes import DOMAIN

HEADER = "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:component:accept' id='{}' from='{}'>"
ERROR = "<stream:error><{} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
REFUSED = (
    "<iq type='error' id='{id}' from='{to}' to='{from}'><error type='cancel'>"
    "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
)


class FakeServer:
    """Its attributes are its misbehaviour."""

    def __init__(self) -> None:
        self.port = free_port()
        self.error = ""  # stream error instead of a handshake
        self.silent = False  # accepts connections and says nothing
        self.lose = 0  # messages that go astray
        self.drop_after_handshake = False
        self.connected_at: list[float] = []
        self.messages = 0
        self.stanzas: list[ET.Element] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self.drop()
            await self._server.wait_closed()

    def drop(self) -> None:
        """Break all connections, as a crash does."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def inject(self, text: str) -> None:
        for writer in self._writers:
            writer.write(text.encode())

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected_at.append(asyncio.get_running_loop().time())
        self._writers.add(writer)
        try:
            if not self.silent:
                await self._talk(reader, writer)
            await reader.read()
        except ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser, depth = ET.XMLPullParser(("start", "end")), 0
        while data := await reader.read(65536):
            parser.feed(data)
            for event, element in parser.read_events():
                assert isinstance(element, ET.Element)
                depth += 1 if event == "start" else -1
                if event == "start" and depth == 1:
                    writer.write(HEADER.format("s1", DOMAIN).encode())
                elif event == "end" and depth == 1:
                    self._stanza(element, writer)

    def _stanza(self, element: ET.Element, writer: asyncio.StreamWriter) -> None:
        kind = element.tag.rpartition("}")[2]
        if kind == "handshake":
            writer.write((ERROR.format(self.error) if self.error else "<handshake/>").encode())
            if self.error:
                writer.close()
            elif self.drop_after_handshake:
                self.drop_after_handshake = False
                writer.transport.abort()
            return
        self.stanzas.append(element)
        if kind == "iq" and element.get("type") in ("get", "set"):
            writer.write(REFUSED.format(**element.attrib).encode())
        elif kind == "message":
            self.messages += 1
            if self.lose:
                self.lose -= 1
            elif element.get("to", "").partition("/")[0].rpartition("@")[2] == DOMAIN:
                writer.write(ET.tostring(element))
