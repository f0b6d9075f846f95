"""Tiny stand-ins for what is on the other side of a shell. No tests here."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from jinglebridge.xmpp.component import Component
from jinglebridge.xmpp.requests import Requests
from jinglebridge.xmpp.router import Router
from jinglebridge.xmpp.stanza import NS, Stanza, Written, prepare

DOMAIN = "call.test"
OPEN = b"<stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:component:accept' id='x' from='call.test'>"
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
JINGLE_ERRORS = "{urn:xmpp:jingle:errors:1}"


class FakeTransport:
    """Keeps what was written."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = False
        self.aborted = False
        self.owner: Component | None = None  # whose stanzas are still on their way to here

    def write(self, data: bytes) -> None:
        self.data += data

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def stanzas(self) -> list[ET.Element]:
        """What was sent since the last time, without the stream's own tags."""
        if self.owner is not None:
            self.owner._flush()
        start = self.data.find(b"</handshake>")
        data, self.data = self.data[start + 12 if start >= 0 else 0 :], b""
        return list(ET.fromstring(b"<r xmlns='%s'>%s</r>" % (NS.encode(), data)))


def component() -> tuple[Component, FakeTransport]:
    """A component whose handshake has succeeded, without a socket. Needs a running loop."""
    made, transport = Component(DOMAIN, "secret"), FakeTransport()
    transport.owner = made
    made.connection_made(transport)
    made.data_received(OPEN + b"<handshake/>")
    assert made.up
    transport.stanzas()
    return made, transport


class Sent(list[ET.Element]):
    """A `send` that keeps what it gets; False while `up` is off."""

    def __init__(self) -> None:
        super().__init__()
        self.up = True

    def __call__(self, stanza: ET.Element | Written) -> bool:
        if self.up:
            self.append(ET.fromstring(f"<r xmlns='{NS}'>{stanza.text}</r>")[0] if isinstance(stanza, Written) else stanza)
        return self.up

    def take(self) -> list[ET.Element]:
        taken = list(self)
        self.clear()
        return taken


def routed() -> tuple[Router, Sent, Requests]:
    sent = Sent()
    requests = Requests(sent)
    return Router(DOMAIN, sent, requests), sent, requests


def el(text: str) -> ET.Element:
    """A stanza as it comes out of the stream's parser."""
    return ET.fromstring(f"<r xmlns='{NS}'>{text}</r>")[0]


def stanza(text: str) -> Stanza:
    """The same as the handlers get it."""
    e = el(text)
    kind = e.tag.rpartition("}")[2]
    payload = next(iter(e), None) if kind == "iq" else None
    return Stanza(kind, e.get("type", ""), e.get("id", ""), prepare(e.get("from", "")), prepare(e.get("to", "")), e, payload)


def presence(sender: str, to: str, inner: str = "", type: str = "") -> Stanza:
    kind = f" type='{type}'" if type else ""
    return stanza(f"<presence from='{sender}' to='{to}'{kind}>{inner}</presence>")


def conditions(reply: ET.Element) -> tuple[str, str, str | None]:
    """(error type, stanza condition, Jingle condition) of an error reply."""
    error = reply.find(f"{{{NS}}}error")
    assert reply.get("type") == "error" and error is not None
    names = [child.tag for child in error]
    stanza_names = [n.removeprefix(STANZAS) for n in names if n.startswith(STANZAS) and not n.endswith("}text")]
    jingle = [n.removeprefix(JINGLE_ERRORS) for n in names if n.startswith(JINGLE_ERRORS)]
    assert len(stanza_names) == 1 and len(jingle) <= 1
    return str(error.get("type")), stanza_names[0], jingle[0] if jingle else None


async def settle(times: int = 5) -> None:
    """Let what is ready to run, run."""
    for _ in range(times):
        await asyncio.sleep(0)


async def until(condition: Callable[[], Any], patience: float = 5.0) -> Any:
    """Poll until `condition()` is true; its value."""
    async with asyncio.timeout(patience):
        while not (value := condition()):  # noqa: ASYNC110  tests watch plain values
            await asyncio.sleep(0.005)
    return value


@contextmanager
def logged() -> Iterator[list[dict[str, Any]]]:
    """What the block logs, as structlog's event dictionaries."""
    with structlog.testing.capture_logs() as lines:
        yield lines  # type: ignore[misc]
