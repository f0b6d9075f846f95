"""The list of calls, and the word to a peer who missed one. DESIGN §3; J-256."""

from __future__ import annotations

from typing import Any

import pytest
from world import SlowJournal, World

from jinglebridge.calls import effects as fx
from jinglebridge.calls.people import CallRecord
from jinglebridge.service.callbook import CallBook
from jinglebridge.web import messages as m
from tests.unit.cases import small
from tests.unit.fakes import DOMAIN, el, presence, settle, until

ANNA, BOB = f"anna@{DOMAIN}", "bob@im.test"
OFFER = m.Description(type="offer", sdp=small())
BODY = "{jabber:component:accept}body"


@pytest.fixture
async def world() -> World:
    return World()


def record(call: str, at: float, own: str = ANNA, **fields: Any) -> CallRecord:
    values = {"peer": BOB, "name": "", "direction": "in", "audio": True, "video": False, **fields}
    return CallRecord(own, call, at, **values)


async def asked(world: World, session: Any, wire: Any, **fields: Any) -> list[dict[str, Any]]:
    wire.take()
    world.desk.request(session, m.History(id="h", **fields))
    await until(lambda: len(wire.frames) >= 2 or (wire.frames and wire.frames[0]["type"] == "error"))
    return wire.take()


async def test_a_call_is_in_the_list_of_its_person_only(world: World):
    session, wire, _ = await world.hello("anna", BOB)
    other, other_wire, _ = await world.hello("zoe", BOB)
    world.desk.request(session, m.CallRequest(id="1", call="c", to=BOB, description=OFFER))
    world.desk.request(session, m.Hangup(id="2", call="c"))
    history, ack = await asked(world, session, wire)
    assert ack == {"type": "ack", "id": "h"} and (history["type"], history["id"], history["more"]) == ("history", "h", False)
    (entry,) = history["calls"]
    assert entry.pop("at").endswith("+00:00")
    assert entry == {
        "call": "c", "with": BOB, "name": "bob", "direction": "out", "media": {"audio": True, "video": False},
        "answered": False, "seconds": 0, "reason": "cancelled",
    }  # fmt: skip
    assert (await asked(world, other, other_wire))[0]["calls"] == []


async def test_the_list_has_the_call_that_ended_a_moment_ago():
    """Its record leaves with the call's other effects, which wait for their commit; so does the answer."""
    journal = SlowJournal()
    world = World(journal=journal)
    session, wire, _ = await world.hello("anna", BOB)
    world.desk.request(session, m.CallRequest(id="1", call="c", to=BOB, description=OFFER))
    world.desk.request(session, m.Hangup(id="2", call="c"))
    wire.take()
    world.desk.request(session, m.History(id="h"))
    await settle()
    assert wire.take("history") == []
    journal.release()
    await until(lambda: any(frame["type"] == "history" for frame in wire.frames))
    (history,) = wire.take("history")
    assert [c["call"] for c in history["calls"]] == ["c"]


async def test_pages_of_the_list(world: World):
    session, wire, _ = await world.hello("anna", BOB)
    for number in range(5):
        world.book.keep(record(f"c{number}", 1000.5 + number, answered=1002.0 + number, ended=1062.9 + number, reason="ended"))
    history, _ = await asked(world, session, wire, limit=2)
    assert [c["call"] for c in history["calls"]] == ["c4", "c3"] and history["more"]
    assert (history["calls"][0]["seconds"], history["calls"][0]["answered"]) == (60, True)
    history, _ = await asked(world, session, wire, limit=3, before=history["calls"][-1]["at"])
    assert [c["call"] for c in history["calls"]] == ["c2", "c1", "c0"] and not history["more"]
    for wrong in ("yesterday", "9" * 40):
        (error,) = await asked(world, session, wire, before=wrong)
        assert (error["id"], error["code"]) == ("h", "bad-frame")


async def test_who_has_no_list(world: World):
    for own in (f"guest-x@{DOMAIN}", f"echo@{DOMAIN}", f"probe@{DOMAIN}"):
        world.book.keep(record("c", 1.0, own))
    CallBook(world.store, world.sent, DOMAIN, 0, lambda own: "").keep(record("c", 1.0))
    assert world.store.rows(CallRecord) == []


async def test_old_calls_are_forgotten(world: World):
    world.presence.roster.admitted(ANNA, "Anna")
    world.book.keep(record("old", 1000.0))
    world.book.keep(record("new", 1001.0))
    world.book.forget_old(1000.5 + 30 * 86400)
    assert [r.call for r in world.store.rows(CallRecord)] == ["new"]


async def test_a_peer_who_missed_a_call_gets_one_message(world: World):
    await world.hello("anna", BOB, name="Anna <b>&amp;")
    world.sent.take()
    world.performer.perform([fx.TellPeerMissed(ANNA, BOB, ("audio", "video"), 0.0)])
    (message,) = world.stanzas("message")
    assert (message.get("from"), message.get("to"), message.get("type")) == (ANNA, BOB, "chat") and len(message.get("id")) >= 16
    assert message.findtext(BODY) == "Missed video call from Anna <b>&amp;"
    assert message.find("{urn:xmpp:hints}store") is not None, "it waits on the server until Bob is there"
    assert message.findtext("{http://jabber.org/protocol/nick}nick") == "Anna <b>&amp;"


async def test_who_is_not_told(world: World):
    world.performer.perform([fx.TellPeerMissed(ANNA, f"zoe@{DOMAIN}", ("audio",), 0.0)])
    assert world.stanzas("message") == [], "a web user has a list"


async def test_a_guests_call_is_told_by_the_gateway(world: World):
    """An answer to a guest would reach nobody."""
    book = CallBook(world.store, world.sent, DOMAIN, 30, lambda own: "Carl")
    book.tell_missed(fx.TellPeerMissed(f"guest-x@{DOMAIN}", BOB, ("audio",), 0.0))
    (message,) = world.stanzas("message")
    assert message.get("from") == DOMAIN and message.findtext(BODY) == "Missed call from Carl, who used a guest link of yours"
    book.told = lambda own: own == f"guest-x@{DOMAIN}"
    book.tell_missed(fx.TellPeerMissed(f"guest-x@{DOMAIN}", BOB, ("audio",), 0.0))
    assert world.stanzas("message") == [], "the gateway said who calls when the call began"


async def test_a_contact_of_another_server_is_missed_too_while_no_page_is_open(world: World):
    """The policy lets contacts call whoever they are; that nobody is there does not make strangers of them."""
    session, _, _ = await world.hello("anna", "carl@else.test")
    world.router.route(presence("carl@else.test", ANNA, type="subscribed").element)
    world.desk.end(session)
    world.sent.take()
    for peer in ("carl@else.test/x", "eve@else.test/x"):
        world.router.route(el(
            f"<message from='{peer}' to='{ANNA}' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='{peer[:4]}'>"
            "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose></message>"
        ))  # fmt: skip
    assert [row.peer for row in world.store.rows(CallRecord)] == ["carl@else.test"] and world.sent.take() == []
