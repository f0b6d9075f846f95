"""STUN and TURN for a page: the server's first, the operator's else; REST credentials as TURN servers check them. J-228 … J-234."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time

import pytest

from jinglebridge.config import Turn
from jinglebridge.service.ice import IceSource
from jinglebridge.xmpp.extdisco import IceServer
from jinglebridge.xmpp.requests import Requests
from tests.unit.fakes import DOMAIN, Sent, settle, stanza

JID, SECRET = f"anna@{DOMAIN}/w-1", "north"
URLS = ["stun:s.example.org?transport=udp", "turn:t.example.org?transport=udp", "turns:t.example.org:5349?transport=tcp"]


class World:
    def __init__(self, **turn: object) -> None:
        self.sent = Sent()
        self.requests = Requests(self.sent)
        self.source = IceSource(self.requests, "im.test", Turn(**turn))  # type: ignore[arg-type]

    async def asked(self, services: str | None, what: str = "servers"):
        return await self.answered(self.source.servers(JID) if what == "servers" else self.source.event("7", JID), services)

    async def answered(self, work, services: str | None):
        task = asyncio.create_task(work)  # type: ignore[arg-type]
        await settle()
        id, text = self.sent.take()[0].get("id"), f"<services xmlns='urn:xmpp:extdisco:2'>{services}</services>"
        forbidden = "<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        kind, inner = ("result", text) if services is not None else ("error", forbidden)
        self.requests.answered(stanza(f"<iq type='{kind}' id='{id}' from='im.test' to='{JID}'>{inner}</iq>"))
        return await task


async def test_the_servers_turn_is_enough():
    world = World(urls=URLS, secret=SECRET)
    servers = await world.asked("<service type='turn' host='t' username='u' password='p'/>")
    assert servers == [IceServer(("turn:t:3478?transport=udp",), "u", "p")] and world.source.has_turn and world.source.problem is None


@pytest.mark.parametrize("services", [None, "", "<service type='stun' host='s'/>"])
async def test_else_the_configured_ones(services: str | None):
    world = World(urls=URLS, secret=SECRET, lifetime=3600)
    servers = await world.asked(services)
    stun = [s for s in servers if s.urls[0].startswith("stun")]
    turn = [s for s in servers if s.urls[0].startswith("turn")]
    assert len(stun) == 1 and "?" not in stun[0].urls[0], "one is enough, and Chromium throws on ?transport= there"
    assert [s.urls[0] for s in turn] == URLS[1:] and world.source.has_turn
    assert world.source.problem == ("forbidden" if services is None else None)


async def test_credentials_are_those_of_the_rest_scheme():
    world = World(urls=URLS, secret=SECRET, lifetime=3600)
    turn = (await world.asked(""))[-1]
    expiry, _, user = turn.username.partition(":")
    assert abs(int(expiry) - time.time() - 3600) < 5 and turn.expires == 3600
    wanted = base64.b64encode(hmac.new(SECRET.encode(), turn.username.encode(), hashlib.sha1).digest()).decode()
    assert turn.credential == wanted
    assert user and "anna" not in user, "a TURN operator need not know who calls"


async def test_a_guests_credentials_end_sooner_and_may_be_for_the_relay_only():
    world = World(urls=URLS, secret=SECRET, lifetime=3600, guest_lifetime=600)
    work = world.source.event("7", JID, guest=True, relay_only=True)
    event = await world.answered(work, "")
    assert (event.iceTransportPolicy, event.expires) == ("relay", 600)
    assert abs(int(str(event.iceServers[-1].username).partition(":")[0]) - time.time() - 600) < 5


async def test_turn_without_a_secret_is_left_out():
    world = World(urls=URLS)
    servers = await world.asked("")
    assert [s.urls for s in servers] == [("stun:s.example.org",)] and not world.source.has_turn


async def test_the_event_for_the_page():
    world = World(urls=URLS, secret=SECRET, lifetime=3600, relay_only=True)
    event = await world.asked("", "event")
    assert (event.id, event.iceTransportPolicy, event.expires) == ("7", "relay", 3600)
    assert event.iceServers[0].username is not None and [len(s.urls) for s in event.iceServers] == [1, 1, 1]
    assert (await World().asked("", "event")).expires == 43200
