"""Letting people in, their requests, and sessions whose socket is away. DESIGN §2, §3, §5."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from world import SECRET, FakeWire, World

from jinglebridge.calls import effects as fx
from jinglebridge.errors import EndpointError, ProtocolError
from jinglebridge.service.contacts import CHUNK
from jinglebridge.store.journal import MemoryJournal
from jinglebridge.web import messages as m
from jinglebridge.web import tokens
from jinglebridge.web.connection import MAX_QUEUE
from jinglebridge.web.sessions import MAX_BUFFER
from jinglebridge.web.stream import Stream
from tests.unit.cases import small
from tests.unit.fakes import DOMAIN, el, presence, settle, until

BOB = "bob@im.test"
OFFER = m.Description(type="offer", sdp=small())


@pytest.fixture
async def world() -> World:
    return World()


async def code(world: World, **hello: Any) -> str:
    with pytest.raises(EndpointError) as caught:
        await world.hello(**hello)
    return caught.value.code


async def test_welcome(world: World):
    session, wire, welcome = await world.hello("Anna B", BOB, name="Anna")
    assert welcome["jid"] == session.jid and session.jid.startswith(f"anna\\20b@{DOMAIN}/w-") and welcome["name"] == "Anna"
    assert welcome["contacts"] == [
        {
            "jid": BOB,
            "name": "bob",
            "presence": "unknown",
            "status": "",
            "media": {"audio": False, "video": False},
            "subscription": "pending-out",
            "fixed": True,
            "blocked": False,
        }
    ]
    assert (welcome["resumed"], welcome["calls"], welcome["seq"]) == (False, [], 0) and len(welcome["resume"]) >= 22
    assert welcome["warnings"] and "TURN" in welcome["warnings"][0], "no TURN is visible"
    assert welcome["limits"]["frame"] == 98304 and wire.frames == []
    assert [(e.get("type"), e.get("to")) for e in world.stanzas("presence")] == [("subscribe", BOB)]


async def test_who_is_not_let_in(world: World):
    good = tokens.create(SECRET, "anna", DOMAIN)
    assert await code(world, version=2) == "bad-version"
    assert await code(world, token=None) == "not-authorized"
    assert await code(world, token=good[:-3]) == "not-authorized"
    assert await code(world, token=tokens.create("t" * 40, "anna", DOMAIN)) == "not-authorized"
    assert await code(world, token=None, device="x") == "not-authorized"
    assert await code(world, token=None, resume=m.Resume(secret="unknown")) == "not-authorized"
    world.desk.draining = True
    assert await code(world) == "draining"
    assert world.sessions.by_jid == {} and list(world.journal.sessions()) == []


@pytest.mark.parametrize("name", ["ｅｃｈｏ", "Ｇuest-1", "ECHO"])
async def test_other_spellings_of_reserved_names(world: World, name: str):
    import jwt

    forged = jwt.encode({"sub": name, "aud": DOMAIN, "exp": 2**31}, SECRET, algorithm="HS256")
    assert await code(world, token=forged) == "not-authorized"


async def test_the_address_is_the_prepared_one(world: World):
    """Stanzas come to the prepared address: a session under another one would never ring. J-012."""
    session, _, _ = await world.hello("Straße")
    assert session.bare == f"strasse@{DOMAIN}"
    assert await code(world, token=tokens.create(SECRET, "a＠b", DOMAIN)) == "not-authorized"


async def test_pages_of_one_person_are_limited_but_closed_ones_give_way():
    world = World(sockets_per_person=2)
    (first, _, _), (second, _, _) = [await world.hello() for _ in range(2)]
    assert await code(world) == "rate-limited"
    assert len(world.sessions.of(first.bare)) == 2
    await world.hello("zoe")
    first.wire = None
    world.desk.detached(first)
    third, _, _ = await world.hello()
    assert {s.jid for s in world.sessions.of(first.bare)} == {second.jid, third.jid}


async def test_resume_replays_what_was_missed_and_the_old_secret_is_dead(world: World):
    session, _, welcome = await world.hello("anna", BOB)
    session.event(m.Draining())
    session.wire = None
    world.desk.detached(session)
    session.event(m.Draining())
    resume = m.Resume(secret=welcome["resume"], lastSeq=1)
    again, new, second = await world.hello(resume=resume)
    assert again is session and second["resumed"] and second["seq"] == 1 and [f["seq"] for f in new.frames] == [2]
    assert second["resume"] != welcome["resume"]
    world.desk.settled(session)  # the page spoke on its new socket
    assert await code(world, token=None, resume=resume) == "not-authorized"
    stolen, _, third = await world.hello(resume=m.Resume(secret=second["resume"], lastSeq=2))
    assert stolen is session and new.closed == (4000, "resumed elsewhere") and third["resumed"]


async def test_a_buffer_that_is_full_can_be_resumed(world: World):
    """All of it goes out in one turn, before the page can have taken anything."""
    session, _, welcome = await world.hello("anna", BOB)
    session.wire = None
    world.desk.detached(session)
    while session.complete_from == 1:
        session.event(m.Ended(call="c", reason="gone", text="x" * 1000))
    wire = Stream(world.desk, "192.0.2.1")
    resume = m.Resume(secret=welcome["resume"], lastSeq=session.complete_from - 1)
    assert await world.desk.hello(m.Hello(id="h", version=1, resume=resume), wire, "192.0.2.1") is session
    assert MAX_BUFFER < wire.waiting() + 2000 and wire.waiting() <= MAX_QUEUE - CHUNK and not wire.lost


async def test_a_gap_too_big_is_answered_with_a_snapshot(world: World):
    session, _, welcome = await world.hello("anna", BOB)
    world.desk.request(session, m.CallRequest(id="1", call="c", to=BOB, description=OFFER))
    for _ in range(300):
        session.event(m.Draining())
    again, wire, second = await world.hello(resume=m.Resume(secret=welcome["resume"], lastSeq=1))
    assert again is session and not second["resumed"] and second["seq"] == session.seq and wire.frames == []
    (call,) = second["calls"]
    assert (call["call"], call["with"], call["direction"], call["state"]) == ("c", BOB, "out", "proceeding")


async def test_a_lost_page_without_a_call_is_soon_offline_and_then_forgotten():
    world = World(linger=0.02, resume=0.06)
    session, _, welcome = await world.hello("anna", BOB)
    world.presence.received(presence(BOB, session.bare, type="subscribe"))
    world.sent.take()
    session.wire = None
    world.desk.detached(session)
    await until(lambda: [e for e in world.sent if e.get("type") == "unavailable"])
    assert session.jid in world.sessions.by_jid, "it can still come back"
    await until(lambda: session.jid not in world.sessions.by_jid)
    assert list(world.journal.sessions()) == [] and world.registry.endpoints == {}
    assert await code(world, token=None, resume=m.Resume(secret=welcome["resume"])) == "not-authorized"


async def test_a_lost_page_in_a_call_stays_online_until_the_window_closes():
    world = World(linger=0.01, resume=0.08)
    session, _, _ = await world.hello("anna", BOB)
    world.desk.request(session, m.CallRequest(id="1", call="c", to=BOB, description=OFFER))
    world.sent.take()
    session.wire = None
    world.desk.detached(session)
    await until(lambda: session.jid not in world.sessions.by_jid)
    names = [c.tag for e in world.stanzas("message") for c in e]
    assert "{urn:xmpp:jingle-message:0}retract" in names and len(world.registry.calls) == 0


async def test_coming_back_in_time_keeps_everything():
    world = World(linger=0.02, resume=5.0)
    session, _, welcome = await world.hello("anna", BOB)
    session.wire = None
    world.desk.detached(session)
    await until(lambda: not world.registry.endpoints)
    await world.hello(resume=m.Resume(secret=welcome["resume"]))
    assert session.jid in world.registry.endpoints[session.bare]
    assert world.desk._timers == {}


async def test_sessions_survive_a_restart():
    journal = MemoryJournal()
    before = World(journal=journal)
    session, _, welcome = await before.hello("anna", BOB)
    after = World(journal=journal, resume=0.05)
    after.desk.restore()
    assert list(after.sessions.by_jid) == [session.jid]
    again, _, second = await after.hello(resume=m.Resume(secret=welcome["resume"], lastSeq=7))
    assert again.jid == session.jid and not second["resumed"] and [c["jid"] for c in second["contacts"]] == [BOB]
    third = World(journal=journal, resume=0.02)
    third.desk.restore()
    await until(lambda: not third.sessions.by_jid)
    assert list(journal.sessions()) == []


async def test_bye_ends_calls_presence_and_session(world: World):
    session, _, _ = await world.hello("anna", BOB)
    world.desk.request(session, m.CallRequest(id="1", call="c", to=BOB, description=OFFER))
    world.desk.bye(session)
    assert world.registry.calls == {} and world.sessions.by_jid == {} and world.contacts._told == {}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (m.ContactsAdd(id="1", jid="bob"), "unknown-contact"),
        (m.ContactsRemove(id="1", jid=BOB), "forbidden"),
        (m.SetAvatar(id="1", data="####"), "bad-frame"),
        (m.Accept(id="1", call="c"), "unknown-call"),
        (m.Hangup(id="1", call="c"), "unknown-call"),
        (m.Request(id="1"), "not-supported"),
        (m.CallRequest(id="1", call="c", to="", description=OFFER), "unknown-contact"),
        (m.CallRequest(id="1", call="c", to="im.test", description=OFFER), "unknown-contact"),
        (m.CallRequest(id="1", call="c", to="a b@im.test", description=OFFER), "unknown-contact"),
        (m.CallRequest(id="1", call="c", to="\ud800@x", description=OFFER), "unknown-contact"),
        (m.CallRequest(id="1", call="c", to="eve@im.test", description=OFFER), "forbidden"),
        (m.CallRequest(id="1", call="c", to=BOB, description=m.Description(type="answer", sdp=small())), "out-of-order"),
        (m.CallRequest(id="1", call="c", to=BOB, description=m.Description(type="offer", sdp="x")), "bad-description"),
    ],
)
async def test_refused_requests(world: World, frame: m.Request, code: str):
    session, _, _ = await world.hello("anna", BOB)
    with pytest.raises(ProtocolError) as caught:
        world.desk.request(session, frame)
    assert caught.value.code == code and world.registry.calls == {}


async def test_without_a_server_calls_are_refused_at_once(world: World):
    session, _, _ = await world.hello("anna", BOB)
    world.online = False
    for frame in (m.CallRequest(id="1", call="c", to=BOB, description=OFFER), m.Ice(id="2", to=BOB)):
        with pytest.raises(EndpointError) as caught:
            world.desk.request(session, frame)
        assert caught.value.code == "unavailable"
    world.online, world.desk.draining = True, True
    with pytest.raises(EndpointError) as caught:
        world.desk.request(session, m.CallRequest(id="1", call="c", to=BOB, description=OFFER))
    assert caught.value.code == "draining"


async def test_a_call_goes_out_and_its_requests_reach_the_engine(world: World):
    session, wire, _ = await world.hello("anna", BOB)
    world.sent.take()
    world.desk.request(session, m.CallRequest(id="1", call="c", to="BOB@im.test/any", description=OFFER))
    (message,) = world.stanzas("message")
    assert message.get("to") == BOB and message[0].tag == "{urn:xmpp:jingle-message:0}propose"
    assert wire.take("state")[0]["state"] == "proceeding"
    candidate = m.Candidate(candidate="candidate:1 1 udp 1 192.0.2.1 9 typ host", sdpMid="0")
    for frame in (
        m.AddCandidate(id="2", call="c", candidate=candidate), m.AddCandidate(id="3", call="c", candidate=None),
        m.SendInfo(id="4", call="c", info="mute"), m.Stats(id="5", call="c", connectionState="new"),
    ):  # fmt: skip
        world.desk.request(session, frame)
    with pytest.raises(ProtocolError):
        world.desk.request(session, m.SetDescription(id="6", call="c", description=m.Description(type="answer", sdp=small())))
    with pytest.raises(ProtocolError):
        world.desk.request(session, m.Reject(id="7", call="c"))
    world.desk.request(session, m.Hangup(id="8", call="c"))
    assert wire.take("ended")[0]["reason"] == "cancelled"
    assert world.performer._timers == {}


async def test_statistics_reach_the_timeline(world: World):
    session, _, _ = await world.hello("anna", BOB)
    world.desk.request(session, m.CallRequest(id="1", call="c", to=BOB, description=OFFER))
    (state,) = world.registry.calls.values()
    assert world.registry.timeline.of(state).media is None
    world.desk.request(session, m.Stats(id="2", call="c", connectionState="connected", bytesReceived=9, mediaReceived=5, relayed=True))
    record = world.registry.timeline.of(state)
    assert (record.media, record.relayed) == (True, True)


async def test_presence_is_shown_to_subscribers(world: World):
    session, _, _ = await world.hello("anna", BOB)
    world.presence.received(presence(BOB, session.bare, type="subscribe"))
    world.sent.take()
    world.desk.request(session, m.SetPresence(id="1", show="dnd", status="busy"))
    (sent,) = world.stanzas("presence")
    assert sent.findtext("{jabber:component:accept}show") == "dnd"


async def test_contacts_are_told_when_they_change_and_only_then(world: World):
    session, wire, _ = await world.hello("anna", BOB)
    world.presence.received(presence(BOB, session.bare, type="subscribed"))
    for _ in range(3):
        world.presence.received(
            presence(f"{BOB}/r", session.bare, "<show>away</show><nick xmlns='http://jabber.org/protocol/nick'>Bob</nick>")
        )
    told = [f["contact"] for f in wire.take("contact")]
    assert [(c["presence"], c["name"]) for c in told] == [("offline", "bob"), ("away", "Bob")]
    world.peers.forget_all()
    assert [f["contact"]["presence"] for f in wire.take("contact")] == ["offline"], "the server is gone: nobody is there"
    world.contacts.changed(f"nobody@{DOMAIN}", BOB)


async def test_ice_is_answered_by_an_event_and_an_ack(world: World):
    session, wire, _ = await world.hello("anna", BOB)
    world.sent.take()
    world.desk.request(session, m.Ice(id="7", to=BOB))
    await settle()
    (query,) = world.stanzas("iq")
    service = "<services xmlns='urn:xmpp:extdisco:2'><service type='turn' host='t' username='u' password='p'/></services>"
    world.router.route(el(f"<iq type='result' id='{query.get('id')}' from='im.test' to='{session.jid}'>{service}</iq>"))
    await until(lambda: len(wire.frames) == 2)
    ice, ack = wire.take()
    assert (ice["type"], ice["id"], ice["iceTransportPolicy"]) == ("ice", "7", "all") and ack == {"type": "ack", "id": "7"}
    assert ice["iceServers"] == [{"urls": ["turn:t:3478?transport=udp"], "username": "u", "credential": "p"}]


async def test_ice_for_a_page_that_left_meanwhile(world: World):
    session, wire, _ = await world.hello("anna", BOB)
    world.desk.request(session, m.Ice(id="7", to=BOB))
    await settle()
    session.wire = None
    world.requests.lost()
    await until(lambda: not world.desk._tasks)
    assert wire.take("ice", "ack") == [] and session.repeat("7")


async def test_the_directory_for_disco(world: World):
    (first, _, _), (second, _, _) = await world.hello("anna"), await world.hello("anna", video=False)
    assert world.desk.video(first.jid) is True and world.desk.video(second.jid) is False and world.desk.video(first.bare) is None
    world.desk.services[f"echo@{DOMAIN}/echo"] = True
    assert world.desk.video(f"echo@{DOMAIN}/echo") is True and world.desk.resources(f"echo@{DOMAIN}") == [f"echo@{DOMAIN}/echo"]
    assert set(world.desk.resources(first.bare)) == {first.jid, second.jid}


async def test_a_call_rings_on_all_pages_and_is_answered_on_one(world: World):
    (first, one, _), (second, two, _) = await world.hello("anna"), await world.hello("anna")
    propose = "<propose xmlns='urn:xmpp:jingle-message:0' id='p'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>"
    world.router.route(
        el(f"<message type='chat' id='m' from='{BOB}/r' to='{first.bare}'>{propose}<request xmlns='urn:xmpp:receipts'/></message>")
    )
    (ring,), (other,) = one.take("incoming"), two.take("incoming")
    assert ring["from"] == BOB and ring["call"] == other["call"] and ring["media"] == {"audio": True, "video": False}
    world.desk.request(second, m.Accept(id="1", call=ring["call"]))
    assert one.take("ended")[0]["reason"] == "elsewhere"
    names = [(e.get("from"), e[0].tag.partition("}")[2]) for e in world.stanzas("message")]
    assert (second.jid, "proceed") in names and "received" in {name for _, name in names}
    world.desk.request(second, m.Hangup(id="2", call=ring["call"]))
    assert two.take("ended") and world.registry.calls == {}


async def test_an_effect_without_an_owner_is_logged_and_the_rest_happens(world: World):
    from tests.unit.fakes import logged

    session, wire, _ = await world.hello("anna")
    with logged() as lines:
        world.performer.perform([fx.TellEnded("gone@x/r", "c", "ended"), fx.TellEnded(session.jid, "d", "ended")])
    assert [line["event"] for line in lines] == ["endpoint-gone"] and wire.take("ended")[0]["call"] == "d"
    assert isinstance(wire, FakeWire)


class SlowJournal(MemoryJournal):
    """A disk that takes its time: `done` is called when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Any] = []

    def write(self, rows: Any, done: Any = None) -> None:
        super().write(rows)
        self.waiting += [done] if done is not None else []

    def finish(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


async def test_who_is_sent_away_does_not_come_back_while_the_end_of_the_call_is_written():
    """What was revoked stays revoked, however fast the page asks to resume."""
    journal = SlowJournal()
    world = World(journal=journal)
    session, wire, welcome = await world.hello("anna", BOB)
    world.desk.request(session, m.CallRequest(id="1", call="c", to=BOB, description=OFFER))
    journal.finish()
    world.desk.dismiss(session)
    assert wire.closed == (4002, "revoked") and journal.waiting, "its call ends, and that is not on the disk yet"
    assert await code(world, resume=m.Resume(secret=welcome["resume"], lastSeq=0)) == "not-authorized"
    world.presence.roster.on_met(session.bare)  # a subscription at that very moment
    journal.finish()
    assert not world.sessions.by_jid and not world.registry.endpoints and not world.presence.shows(session.jid)
    assert world.sessions.find(welcome["resume"]) is None and not list(journal.sessions())


async def test_who_answers_a_moment_too_late_hears_first_that_another_page_has_the_call():
    journal = SlowJournal()
    world = World(journal=journal)
    (first, one, _), (second, _, _) = await world.hello("anna"), await world.hello("anna")
    propose = "<propose xmlns='urn:xmpp:jingle-message:0' id='p'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>"
    world.router.route(el(f"<message type='chat' id='m' from='{BOB}/r' to='{first.bare}'>{propose}</message>"))
    journal.finish()
    call = one.take("incoming")[0]["call"]
    assert world.desk.request(second, m.Accept(id="1", call=call)) is True
    assert world.desk.request(first, m.Accept(id="2", call=call)) is False, "no ack of what is refused later"
    await asyncio.sleep(0)
    assert one.take() == [], "the journal has nothing yet"
    journal.finish()
    for _ in range(3):
        await asyncio.sleep(0)
    told = one.take("ended", "error")
    assert [(f["type"], f.get("reason") or f.get("code")) for f in told] == [("ended", "elsewhere"), ("error", "unknown-call")]
    with pytest.raises(EndpointError, match="no such call"):
        world.desk.request(first, m.Accept(id="3", call=call))
