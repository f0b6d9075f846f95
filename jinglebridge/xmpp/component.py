"""The component stream of XEP-0114 1.6: slixmpp for parsing, TLS and the socket; everything else is ours.

Not used of slixmpp: its stanza objects, roster, reconnect, send queue and IQ table (DESIGN §4 says why). Elements come out
through one callback, and go in through `send`, which is the one place that checks `from` and drops what cannot be sent now: nothing is
queued while offline. What leaves together is stripped of illegal characters together.

Spec: XEP-0114 §3; J-001, J-002, J-013; DESIGN §4.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import structlog
from slixmpp import ComponentXMPP

from jinglebridge.errors import InvalidState
from jinglebridge.xml import to_text, xml_safe
from jinglebridge.xmpp import framing
from jinglebridge.xmpp.stanza import NS, Written

log = structlog.get_logger()

STREAM_ERROR = "{http://etherx.jabber.org/streams}error"
MAX_SENT = 256 * 1024  # what servers commonly accept
MAX_HELD = 1024 * 1024  # bytes without a single tag: not a stream that we could go on with


class Component(ComponentXMPP):  # type: ignore[misc]
    """One connection. `on_stanza(element)`, `on_up()` and `on_down(condition)` are called from the event loop.

    `on_plain(head, id, payload)` gets IQs and JMI messages of the plainest kind as text first; False: it wants the element.

    `condition` is the stream error's (RFC 6120 §4.9.3) or "" when the connection just broke.
    """

    def __init__(self, domain: str, secret: str) -> None:
        super().__init__(domain, secret)
        self.domain = domain
        self.on_stanza: Callable[[ET.Element], None] = lambda element: None
        self.on_plain: Callable[[framing.Head, str, str], bool] = lambda head, id, payload: False
        self.on_up: Callable[[], None] = lambda: None
        self.on_down: Callable[[str], None] = lambda condition: None
        self.up = False
        self.heard = 0.0  # loop time of the last bytes
        self._condition = ""
        self._plain = False  # the parser stands between two tags, not in a comment
        self._held: list[bytes] = []
        self._held_size = 0
        self._out: list[str] = []  # leaves together at the end of this turn of the loop

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None, timeout: float = 5.0) -> None:
        """Connect the socket and begin the handshake. Raises OSError, TimeoutError."""
        loop = asyncio.get_running_loop()
        self._condition = ""
        self._held, self._held_size = [], 0
        self._out = []
        self._current_connection_attempt = loop.create_future()  # slixmpp reads "not aborted" from it
        async with asyncio.timeout(timeout):
            await loop.create_connection(lambda: self, host, port, ssl=tls, server_hostname=host if tls else None)

    def send(self, stanza: ET.Element | Written, use_filters: bool = True) -> bool:
        """Send a stanza in this turn of the loop. False: there is no session, it was dropped."""
        if not self.up or self.transport is None:
            return False
        if isinstance(stanza, Written):
            sender, to, text = stanza
        elif isinstance(stanza, ET.Element):
            sender, to, text = stanza.get("from", ""), stanza.get("to", ""), to_text(stanza, NS)
        else:
            return False  # slixmpp's own objects
        if not to or sender.partition("/")[0].rpartition("@")[2] != self.domain:
            # The server cuts the whole stream for this, for everybody.
            raise InvalidState(f"stanza from {sender!r} to {to!r}")
        if len(text) > MAX_SENT:
            raise InvalidState(f"stanza of {len(text)} characters")
        if not self._out:
            # One system call for all stanzas of a turn: a write costs as much as a small stanza.
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(text)
        return True

    def _flush(self) -> None:
        out, self._out = self._out, []
        if out and self.transport is not None:
            self.transport.write(xml_safe("".join(out)).encode())

    async def close(self) -> None:
        """Say goodbye and wait shortly for the server to do so too."""
        if self.transport is not None:
            self.up = False
            self._flush()
            self.send_raw(self.stream_footer)
            self.transport.close()
            await asyncio.sleep(0)

    # --- what slixmpp calls

    def start_stream_handler(self, xml: ET.Element) -> None:
        digest = hashlib.sha1((xml.get("id", "") + self.secret).encode()).hexdigest()
        self.send_raw(f"<handshake>{digest}</handshake>")

    def data_received(self, data: bytes) -> None:
        """Bytes of the stream, cut anywhere. The parser gets them up to the last ``>``; the rest waits for more.

        COMPAT(expat of Debian 12): it puts off a token that came in pieces until twice as many bytes are there, and Python 3.11.2
        has no `flush`: a stanza split by TCP would lie there until the next one comes.
        """
        if self.parser is None:
            return
        self.heard = asyncio.get_running_loop().time()
        end = data.rfind(b">") + 1
        if end:
            whole = data if end == len(data) else data[:end]
            if self._held:
                whole = b"".join((*self._held, whole))
                self._held, self._held_size = [], 0
            self._whole(whole)
        if end < len(data):
            self._held.append(data[end:])
            self._held_size += len(data) - end
            if self._held_size > MAX_HELD:
                log.error("stream-without-tags", bytes=self._held_size)
                self.abort()

    def _whole(self, data: bytes) -> None:
        """Bytes that end with a tag. A stanza of the plainest kind costs a third of its time when no tree is built."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            super().data_received(data)  # which ends the stream
            return
        at = 0
        while at < len(text):
            found = framing.stanza(text, at) if self._plain and self.xml_depth == 1 and self.up else None
            if found is not None and self._read(*found[:3]):
                at = found[3]
            else:
                begin, at = at, framing.following(text, at)
                self._parse(text[begin:at])
            if self.parser is None:
                return  # closed meanwhile

    def _parse(self, text: str) -> None:
        super().data_received(text.encode())
        if not framing.ends_whole(text):
            self._plain = False

    def disconnect(self, *args: Any, **options: Any) -> asyncio.Future[Any]:
        """slixmpp calls it after an error of the parser: there is nothing to read any more."""
        self.parser = None
        future: asyncio.Future[Any] = super().disconnect(*args, **options)
        return future

    def _read(self, head: framing.Head, id: str, payload: str) -> bool:
        try:
            return self.on_plain(head, id, payload)
        except Exception:
            log.exception("stanza-handler-failed")
            return True

    def _spawn_event(self, xml: ET.Element) -> None:
        """A whole stanza, before slixmpp makes an object of it. Nothing may escape: asyncio would close the stream."""
        self._plain = True
        try:
            if xml.tag == f"{{{NS}}}handshake":
                self.up = True
                self.on_up()
            elif xml.tag == STREAM_ERROR:
                self._condition = next((child.tag.rpartition("}")[2] for child in xml), "undefined-condition")
            else:
                self.on_stanza(xml)
        except Exception:
            log.exception("stanza-handler-failed")

    def connection_lost(self, exception: BaseException | None) -> None:
        super().connection_lost(exception)
        was_up, self.up = self.up, False
        self._out = []
        log.debug("stream-closed", was_up=was_up, condition=self._condition)
        self.on_down(self._condition)

    def event(self, name: str, data: Any = {}) -> None:  # noqa: B006  slixmpp's own signature
        """slixmpp's events have no listeners here."""

    def _set_disconnected_future(self) -> None:
        """slixmpp's own future of the connection; ours is `on_down`."""
