"""Ringing through a real ejabberd where stanzas must really travel: bounces, and several devices without JMI.

Spec: DESIGN §5 (forks); J-028, J-045, J-054, J-063, J-247.
"""

from __future__ import annotations

import asyncio
import time
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from jinglebridge.calls.model import AUDIO, CALLABLE
from jinglebridge.demo.lab import Ejabberd
from jinglebridge.jingle import jingle_text, parse_jingle
from jinglebridge.translate import sdp_to_xml
from jinglebridge.web import messages as m
from tests.unit.cases import small

from .bridge import BridgeProcess
from .raw import CLIENT, RawPage, RawXmpp
from .raw import answer as answer_of
from .servers import unique_user

DISCO = "{http://jabber.org/protocol/disco#info}query"
JINGLE = "{urn:xmpp:jingle:1}jingle"
CANDIDATE = {"candidate": "candidate:1 1 udp 2122194687 192.0.2.2 49376 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
OFFER = small("a=candidate:1 1 udp 2122194687 192.0.2.3 5000 typ host")


class Device(RawXmpp):
    """One device of a person that takes calls but knows nothing of JMI."""

    def appear(self, page: str, medium: str) -> None:
        """Show ourselves to the page, and say what we can do."""
        self.send(f"<presence to='{page}'/>")
        while True:
            stanza = self._next(5)
            if stanza.find(DISCO) is not None and stanza.get("type") == "get":
                break
        features = "".join(f"<feature var='{f}'/>" for f in sorted(CALLABLE | {AUDIO, medium}))
        self.send(
            f"<iq type='result' id='{stanza.get('id')}' to='{stanza.get('from')}'><query xmlns='http://jabber.org/protocol/disco#info'>"
            f"<identity category='client' type='pc'/>{features}</query></iq>"
        )

    def jingle(self, action: str) -> ET.Element:
        """The next Jingle IQ of that action."""
        stanza = self.wait(lambda e: (j := e.find(JINGLE)) is not None and j.get("action") == action)
        found = stanza.find(JINGLE)
        assert found is not None
        return found


@pytest.fixture
async def page(ejabberd: Ejabberd, tmp_path: Path) -> AsyncIterator[tuple[RawPage, str, str]]:
    """A page whose contacts are one account of the server, one that does not exist, and one of no server at all."""
    user = unique_user("romeo")
    bridge = await asyncio.to_thread(BridgeProcess, tmp_path / "bridge", ejabberd)
    try:
        async with aiohttp.ClientSession() as session, session.ws_connect(bridge.url + "/ws", protocols=(m.PROTOCOL,)) as socket:
            raw = RawPage(socket)
            jid = await raw.hello(bridge.token("juliet", f"{user}@{ejabberd.domain}", f"nobody@{ejabberd.domain}", "x@nowhere.invalid"))
            yield raw, jid, user
    finally:
        await asyncio.to_thread(bridge.close)


async def call(page: RawPage, to: str) -> None:
    code = await page.ask("call", type="call", call="c", to=to, description={"type": "offer", "sdp": OFFER})
    assert code == "ack"


@pytest.mark.parametrize("to", ["nobody@{}", "x@nowhere.invalid"])
async def test_a_propose_that_bounces_is_told_within_two_seconds(page: tuple[RawPage, str, str], ejabberd: Ejabberd, to: str) -> None:
    began = time.monotonic()
    await call(page[0], to.format(ejabberd.domain))
    ended = next((e for e in page[0].events if e["type"] == "ended"), None) or await page[0].hear("ended")
    assert ended["reason"] == "unreachable"
    assert time.monotonic() - began < 2.0


async def test_two_devices_without_jmi_ring_and_the_first_has_the_call(page: tuple[RawPage, str, str], ejabberd: Ejabberd) -> None:
    raw, jid, user = page
    phone = await asyncio.to_thread(Device, ejabberd, user)
    laptop = await asyncio.to_thread(lambda: Device(ejabberd, user, register=False))
    with phone, laptop:
        for device, medium in ((phone, "audio"), (laptop, "video")):  # so the page hears when each is known
            await asyncio.to_thread(device.appear, jid, f"urn:xmpp:jingle:apps:rtp:{medium}")
            while not (await raw.hear("contact"))["contact"]["media"][medium]:
                pass
        await call(raw, phone.jid)
        assert await raw.ask("early", type="candidate", call="c", candidate=CANDIDATE) == "ack"
        offers = {d.full: await asyncio.to_thread(d.jingle, "session-initiate") for d in (phone, laptop)}
        assert len({o.get("sid") for o in offers.values()}) == 2
        texts = [ET.tostring(o, encoding="unicode") for o in offers.values()]
        assert not any("192.0.2." in text for text in texts), "no address before somebody accepted"
        # The laptop takes it.
        offer = parse_jingle(offers[laptop.full])
        answer = parse_jingle(ET.fromstring(sdp_to_xml(small().replace("actpass", "active"), "responder")))
        accept = jingle_text(replace(answer, sid=offer.sid))
        reply = await asyncio.to_thread(lambda: laptop.ask(accept, to=jid))
        assert answer_of(reply) == ("result",)
        assert (await raw.hear("description"))["description"]["type"] == "answer"
        assert (await raw.hear("state", state="connecting"))["call"] == "c"
        terminate = await asyncio.to_thread(phone.jingle, "session-terminate")
        assert terminate.get("sid") == offers[phone.full].get("sid")
        assert [e.tag.rpartition("}")[2] for e in terminate.find("{urn:xmpp:jingle:1}reason") or ()] == ["cancel"]
        assert await raw.ask("bye", type="hangup", call="c") == "ack"
        await asyncio.to_thread(laptop.jingle, "session-terminate")
        await asyncio.to_thread(phone.silent, 0.5, lambda e: e.tag == f"{CLIENT}iq" and e.find(JINGLE) is not None)
        assert sum(e["type"] == "incoming" for e in raw.events) == 0
