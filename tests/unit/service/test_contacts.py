"""Contacts as the pages see and change them. DESIGN §3; J-036, J-252, J-254."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import xml.etree.ElementTree as ET
from typing import Any

import msgspec
import pytest

from jinglebridge.calls.people import Avatar, Block, Contact, Person
from jinglebridge.errors import EndpointError
from jinglebridge.service import contacts as module
from jinglebridge.service.desk import FEATURES
from jinglebridge.store.journal import MemoryJournal
from jinglebridge.store.memory import MemoryStore
from jinglebridge.web import messages as m
from jinglebridge.web.sessions import Session
from jinglebridge.xmpp.disco import Disco
from jinglebridge.xmpp.vcard import VCARD, VCards
from tests.unit.cases import small
from tests.unit.fakes import DOMAIN, el, presence, until
from tests.unit.service.world import FakeWire, World

ANNA, BOB, EVE = f"anna@{DOMAIN}", "bob@im.test", "eve@evil.test"
OFFER = m.Description(type="offer", sdp=small())
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
ids = (str(n) for n in itertools.count())


@pytest.fixture
async def world() -> World:
    return World()


def do(world: World, session: Session, kind: type[Any], **fields: Any) -> None:
    world.desk.request(session, kind(id=next(ids), **fields))


def refused(world: World, session: Session, kind: type[Any], **fields: Any) -> str:
    with pytest.raises(EndpointError) as caught:
        do(world, session, kind, **fields)
    return caught.value.code


def got(world: World, sender: str, type: str = "", inner: str = "", to: str = ANNA) -> list[tuple[str, str]]:
    """A presence came in: (type, to) of the presences that left since the last time."""
    world.router.route(presence(sender, to, inner, type).element)
    return said(world)


def said(world: World) -> list[tuple[str, str]]:
    return [(e.get("type", ""), e.get("to", "")) for e in world.stanzas("presence")]


def told(wire: FakeWire) -> list[tuple[str, str, bool]]:
    """(jid, subscription, removed) of the contact events since the last time."""
    return [(f["contact"]["jid"], f["contact"]["subscription"], f["removed"]) for f in wire.take("contact")]


async def test_contacts_are_offered(world: World):
    _, _, welcome = await world.hello("anna")
    assert welcome["features"] == FEATURES and {"contacts", "avatar"} <= set(FEATURES)


async def test_all_pages_see_a_request_and_its_approval(world: World):
    (first, wire, _), (_, other, _) = await world.hello("anna"), await world.hello("anna")
    assert got(world, EVE, "subscribe") == [] and told(wire) == told(other) == [(EVE, "pending-in", False)]
    _, _, welcome = await world.hello("anna")
    assert [(c["jid"], c["subscription"]) for c in welcome["contacts"]] == [(EVE, "pending-in")], "a page that opens later sees it too"
    assert refused(world, first, m.CallRequest, call="c", to=EVE, description=OFFER) == "forbidden"
    do(world, first, m.ContactsApprove, jid=EVE)
    assert said(world)[0] == ("subscribed", EVE) and told(other)[-1] == (EVE, "from", False)
    do(world, first, m.CallRequest, call="c", to=EVE, description=OFFER)  # a contact can be called at once


async def test_a_page_that_opens_while_an_old_one_waits_to_be_resumed(world: World):
    """The old page was told that Bob is there; then nobody was online, so nothing is known of Bob, and he must be told again."""
    old, _, _ = await world.hello("anna", BOB)
    got(world, BOB, "subscribed")
    got(world, f"{BOB}/r")
    old.wire = None
    world.presence.offline(old.jid)
    _, wire, welcome = await world.hello("anna", BOB)
    assert [c["presence"] for c in welcome["contacts"]] == ["offline"] and ("probe", BOB) in said(world)
    got(world, f"{BOB}/r")
    assert [f["contact"]["presence"] for f in wire.take("contact")] == ["available"]


async def test_a_request_survives_a_restart_and_is_denied():
    before = World()
    session, _, _ = await before.hello("anna")
    before.desk.end(session)
    got(before, EVE, "subscribe")
    after = World(before.store)
    session, wire, welcome = await after.hello("anna")
    assert [c["subscription"] for c in welcome["contacts"]] == ["pending-in"]
    do(after, session, m.ContactsDeny, jid=EVE)
    assert said(after) == [("unsubscribed", EVE)] and told(wire) == [(EVE, "none", True)]


async def test_adding_naming_and_removing(world: World):
    (session, wire, _), (_, other, _) = await world.hello("anna"), await world.hello("anna")
    do(world, session, m.ContactsAdd, jid="BOB@im.test/phone", name="  Bobby\u0000 ")
    assert said(world) == [("subscribe", BOB)]
    (frame,) = other.take("contact")
    assert (frame["contact"]["name"], frame["contact"]["subscription"], frame["contact"]["fixed"]) == ("Bobby", "pending-out", False)
    assert refused(world, session, m.CallRequest, call="c", to=BOB, description=OFFER) == "forbidden", "not before they agreed"
    got(world, BOB, "subscribed")
    do(world, session, m.CallRequest, call="c", to=BOB, description=OFFER)
    wire.take()
    other.take()
    world.sent.take()
    do(world, session, m.ContactsRemove, jid=BOB)
    assert said(world) == [("unsubscribe", BOB)] and told(other) == [(BOB, "none", True)]
    assert refused(world, session, m.CallRequest, call="d", to=BOB, description=OFFER) == "forbidden"


async def test_what_is_refused(world: World):
    session, _, _ = await world.hello("anna", BOB)
    requests = (m.ContactsAdd, m.ContactsRemove, m.ContactsApprove, m.ContactsDeny, m.ContactsBlock, m.ContactsUnblock)
    assert {refused(world, session, kind, jid="a b@x") for kind in requests} == {"unknown-contact"}
    assert {refused(world, session, kind, jid=ANNA) for kind in requests} == {"forbidden"}
    assert refused(world, session, m.ContactsAdd, jid="im.test") == "unknown-contact"
    assert refused(world, session, m.ContactsRemove, jid=BOB) == "forbidden", "the site named him"
    assert refused(world, session, m.ContactsRemove, jid=EVE) == "unknown-contact"
    assert refused(world, session, m.ContactsDeny, jid=EVE) == "unknown-contact"
    do(world, session, m.ContactsBlock, jid=EVE)
    assert refused(world, session, m.ContactsAdd, jid=EVE) == refused(world, session, m.ContactsApprove, jid=EVE) == "forbidden"
    world.online = False
    assert refused(world, session, m.ContactsAdd, jid=BOB) == "unavailable"


@pytest.mark.parametrize(
    "jid",
    [
        "\u00e4\u00f6\u65e5\u672c@im.test",
        "d\\27artagnan\\40musketeers@im.test",
        f"{'n' * 1023}@{'.'.join(['d' * 63] * 3)}.{'d' * 61}/{'r' * 1023}",
    ],
)
async def test_long_and_strange_addresses(world: World, jid: str):
    session, wire, _ = await world.hello("anna")
    do(world, session, m.ContactsAdd, jid=jid)
    assert said(world) == [("subscribe", jid.partition("/")[0])]
    (frame,) = wire.take("contact")
    got(world, jid.partition("/")[0], "subscribed")
    got(world, jid, inner="<show>away</show>")
    assert wire.take("contact")[-1]["contact"]["presence"] == "away"
    if "musketeers" in jid:
        assert frame["contact"]["name"] == "d'artagnan@musketeers"


# 3071 bytes are what RFC 7622 allows. A domain has at most 253 (RFC 1035), so nobody has such an address.
LONGEST = f"{'n' * 1023}@{'.'.join(['d' * 63] * 16)}/{'r' * 1023}"


async def test_an_address_of_3071_bytes_is_refused_in_words(world: World):
    """So is each of its parts that is too long; one byte more is no frame of ours."""
    session, wire, _ = await world.hello("anna", BOB)
    world.sent.take()
    assert len(LONGEST) == 3071 and msgspec.convert({"id": "1", "jid": LONGEST}, m.ContactsBlock).jid == LONGEST
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"id": "1", "jid": f"{LONGEST}r"}, m.ContactsBlock)
    for kind in (m.ContactsAdd, m.ContactsRemove, m.ContactsApprove, m.ContactsDeny, m.ContactsBlock, m.ContactsUnblock):
        for jid in (LONGEST, LONGEST.partition("/")[0], LONGEST.rpartition("@")[2]):
            assert refused(world, session, kind, jid=jid) == "unknown-contact"
    assert refused(world, session, m.CallRequest, call="c", to=LONGEST, description=OFFER) == "unknown-contact"
    assert world.sent.take() == [] and wire.take("contact") == [] and [row.peer for row in world.store.rows(Contact)] == [BOB]


@pytest.mark.parametrize(
    "sender", ["", "@", "a@", "x" * 1024 + "@im.test", "a@im.test/" + "r" * 1024, "a b@im.test", "\ud800@x", LONGEST, f"{LONGEST}r"]
)
async def test_senders_that_are_no_addresses_do_nothing(world: World, sender: str):
    _, wire, _ = await world.hello("anna")
    element = ET.Element("{jabber:component:accept}presence", {"from": sender, "to": ANNA, "type": "subscribe"})
    world.router.route(element)
    assert world.store.rows(Contact) == [] and wire.frames == []


@pytest.mark.parametrize("to", ["anna@im.test", "anna@evil.call.test", "call.test.evil", "anna@call.test.", "im.test"])
async def test_stanzas_for_other_domains_do_nothing(world: World, to: str):
    _, wire, _ = await world.hello("anna")
    world.sent.take()
    world.router.route(ET.Element("{jabber:component:accept}presence", {"from": EVE, "to": to, "type": "subscribe"}))
    world.router.route(el(f"<iq type='get' id='1' from='{EVE}' to='{to}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"))
    assert [row for row in world.store.rows(Contact) if row.own != ANNA] == []
    assert wire.frames == [] and world.sent.take() == [], "not even an answer: the server asks us for nobody else's"


async def test_presence_from_another_address_of_the_same_name_counts_not(world: World):
    """bob@im.test.evil and bob@evil/im.test are not Bob."""
    session, wire, _ = await world.hello("anna", BOB)
    got(world, BOB, "subscribed")
    wire.take()
    for forged in ("bob@im.test.evil/r", "bob@evil.test/im.test", "bobo@im.test/r"):
        assert got(world, forged) == [] and got(world, forged, "subscribed") == [] and got(world, forged, "unsubscribed") == []
    assert wire.frames == [] and world.presence.row(session.bare, BOB).to


# --- blocking


async def test_blocked_and_unknown_answer_alike(world: World):
    """Whatever a blocked person sends, it is answered as if there were no such user: byte for byte but for the address."""
    session, wire, _ = await world.hello("anna", BOB)
    Disco(DOMAIN, world.desk, world.presence.subscribed).register(world.router)
    VCards(DOMAIN, world.presence.shown_to, world.presence.roster.person, lambda own: asyncio.sleep(0, b"")).register(world.router)
    got(world, BOB, "subscribed")
    got(world, BOB, "subscribe")
    wire.take()
    do(world, session, m.ContactsBlock, jid="im.test")
    assert said(world) == [("unavailable", BOB)]
    assert [(f["contact"]["jid"], f["contact"]["blocked"]) for f in wire.take("contact")] == [(BOB, True), ("im.test", True)]
    nobody = session.jid.replace("anna@", "nobody@")
    description = "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
    content = f"<content creator='initiator' name='0'>{description}<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'/></content>"
    disco = "http://jabber.org/protocol/disco"
    payloads = [
        *(f"<query xmlns='{ns}'/>" for ns in (f"{disco}#info", f"{disco}#items", "jabber:iq:version", "urn:nothing")),
        f"<vCard xmlns='{VCARD}'/>", "<ping xmlns='urn:xmpp:ping'/>",
        *(f"<jingle xmlns='urn:xmpp:jingle:1' action='{a}' sid='s'>{content}</jingle>" for a in ("session-initiate", "session-info")),
    ]  # fmt: skip
    stanzas = [f"<iq type='{t}' id='i'>{p}</iq>" for t in ("get", "set") for p in payloads]
    stanzas += [f"<presence type='{t}'/>" for t in ("subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe", "unavailable")]
    stanzas += ["<presence/>", f"<message><propose xmlns='urn:xmpp:jingle-message:0' id='p'>{description}</propose></message>"]
    for text in stanzas:
        for bare in (False, True):
            answers = []
            for to in (session.jid, nobody):
                stanza = el(text)
                stanza.set("from", f"{BOB}/r")
                stanza.set("to", to.partition("/")[0] if bare else to)
                world.router.route(stanza)
                answers.append([ET.tostring(e, encoding="unicode").replace("nobody@", "anna@") for e in world.sent.take()])
            assert answers[0] == answers[1], text
    assert wire.frames == [] and not world.registry.calls and world.presence.row(ANNA, BOB).from_


async def test_blocking_ends_the_call_and_forbids_the_next(world: World):
    session, wire, _ = await world.hello("anna", BOB)
    do(world, session, m.CallRequest, call="c", to=BOB, description=OFFER)
    do(world, session, m.ContactsBlock, jid=BOB)
    assert [f["call"] for f in wire.take("ended")] == ["c"]
    assert refused(world, session, m.CallRequest, call="d", to=BOB, description=OFFER) == "forbidden"
    _, _, welcome = await world.hello("anna", BOB)
    assert [(c["jid"], c["blocked"]) for c in welcome["contacts"]] == [(BOB, True)]
    do(world, session, m.ContactsUnblock, jid=BOB)
    assert not wire.take("contact")[-1]["contact"]["blocked"] and world.store.rows(Block) == []
    do(world, session, m.CallRequest, call="e", to=BOB, description=OFFER)


async def test_a_blocked_stranger_is_listed_until_unblocked(world: World):
    session, wire, _ = await world.hello("anna")
    do(world, session, m.ContactsBlock, jid=EVE)
    assert told(wire) == [(EVE, "none", False)]
    do(world, session, m.ContactsUnblock, jid=EVE)
    assert told(wire) == [(EVE, "none", True)]


# --- much at once


async def test_five_thousand_contacts_come_in_parts_that_fit():
    store = MemoryStore()
    for number in range(5000):
        store.save(Contact(ANNA, f"contact-{number}@some-server.example.org", to=True, from_=True, name=f"Contact Number {number}"))
    world = World(store)
    _, wire, welcome = await world.hello("anna")
    seen = {c["jid"] for c in welcome["contacts"]}
    frames = [welcome]

    def all_there() -> bool:
        for frame in wire.take("contacts"):
            frames.append(frame)
            seen.update(c["jid"] for c in frame["contacts"])
        return len(seen) == 5000

    await until(all_there, 10)
    assert max(len(json.dumps(f)) for f in frames) < 96 * 1024, "no frame is larger than one of a client may be"
    await until(lambda: not world.contacts._rest)


async def test_a_page_that_does_not_read_gets_no_more_of_a_long_list(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "CHUNK", 1000)
    monkeypatch.setattr(module, "WINDOW", 0.001)
    store = MemoryStore()
    for number in range(50):
        store.save(Contact(ANNA, f"{number}@im.test", to=True))
    world = World(store)
    monkeypatch.setattr(FakeWire, "waiting", lambda self: module.MAX_WAITING)
    session, wire, _ = await world.hello("anna")
    await asyncio.sleep(0.02)
    assert wire.take("contacts") == []
    monkeypatch.setattr(FakeWire, "waiting", lambda self: 0)
    await until(lambda: wire.take("contacts"))
    session.wire = None
    await until(lambda: not world.contacts._rest)


async def test_a_flood_of_presence_is_told_once_in_a_while(world: World):
    """10 000 changes of one contact: the page gets some of them, and the last; others are not held up."""
    _, wire, _ = await world.hello("anna", BOB, EVE)
    for peer in (BOB, EVE):
        got(world, peer, "subscribed")
    for number in range(10_000):
        got(world, f"{EVE}/r", inner=f"<status>{number}</status>")
    got(world, f"{BOB}/r")
    frames: list[dict[str, Any]] = []

    def settled() -> bool:
        frames.extend(wire.take("contact", "contacts"))
        last = {c["jid"]: c for f in frames for c in (f["contacts"] if f["type"] == "contacts" else [f["contact"]])}
        return last[EVE]["status"] == "9999" and last[BOB]["presence"] == "available"

    await until(settled)
    assert len(frames) < 2 * module.AT_ONCE


async def test_removals_are_told_late_as_well(world: World, monkeypatch: pytest.MonkeyPatch):
    session, wire, _ = await world.hello("anna")
    got(world, EVE, "subscribe")
    world.contacts._told[ANNA].left = 0
    do(world, session, m.ContactsDeny, jid=EVE)
    frames: list[tuple[str, str, bool]] = []
    await until(lambda: frames.extend(told(wire)) or (EVE, "none", True) in frames)
    world.desk.end(session)
    assert world.contacts._told == {}


# --- names, pictures, abilities


async def test_a_name_is_known_once_somebody_was_let_in(world: World):
    got(world, EVE, "subscribe", to=ANNA)
    assert world.store.rows(Contact) == []
    session, _, _ = await world.hello("anna", name="Anna A.")
    world.desk.end(session)
    assert world.store.rows(Person) == [Person(ANNA, "Anna A.")]
    got(world, EVE, "subscribe", to=ANNA)
    assert world.store.rows(Contact) == [Contact(ANNA, EVE, asking=True)]


async def test_a_picture_is_kept_and_shown(world: World):
    session, _, _ = await world.hello("anna", BOB)
    got(world, BOB, "subscribe")
    do(world, session, m.SetAvatar, data=base64.b64encode(PNG).decode())
    (shown,) = world.stanzas("presence")
    assert len(shown.findtext("{vcard-temp:x:update}x/{vcard-temp:x:update}photo")) == 40
    assert world.store.rows(Avatar) == [Avatar(ANNA, PNG)]
    await world.hello("anna")
    assert world.store.rows(Person)[0].avatar_type == "image/png", "another login does not forget it"
    do(world, session, m.SetAvatar, data="")
    assert world.store.rows(Avatar) == [] and world.store.rows(Person)[0].avatar_hash == ""


@pytest.mark.parametrize(
    ("media", "data", "code"),
    [
        ("image/png", b"GIF89a", "bad-frame"), ("image/jpeg", PNG, "bad-frame"), ("image/webp", b"RIFF....WAVE", "bad-frame"),
        ("image/png", b"<svg/>", "bad-frame"), ("image/png", PNG + bytes(32 * 1024), "too-big"),
        ("image/png", PNG, ""), ("image/jpeg", b"\xff\xd8\xff\xe0", ""), ("image/webp", b"RIFF....WEBPVP8 ", ""),
    ],
)  # fmt: skip
async def test_only_pictures_are_taken(world: World, media: str, data: bytes, code: str):
    session, _, _ = await world.hello("anna")
    fields = {"media": media, "data": base64.b64encode(data).decode()}
    if code:
        assert refused(world, session, m.SetAvatar, **fields) == code and world.store.rows(Avatar) == []
    else:
        do(world, session, m.SetAvatar, **fields)
        assert world.store.rows(Avatar) == [Avatar(ANNA, data)]


async def test_what_a_contact_can_take_is_known_while_it_sleeps_and_after_a_restart(world: World):
    session, _, _ = await world.hello("anna", BOB)
    got(world, BOB, "subscribed")
    world.presence.roster.able(ANNA, BOB, True, True)
    world.presence.roster.able(ANNA, EVE, True, True)
    _, _, welcome = await World(world.store).hello("anna", BOB)
    assert [(c["jid"], c["media"]) for c in welcome["contacts"]] == [(BOB, {"audio": True, "video": True})]
    assert session.bare == ANNA and [row.peer for row in world.store.rows(Contact)] == [BOB], "nothing of strangers"


# --- do not disturb


async def test_do_not_disturb_is_of_the_person(world: World):
    (first, wire, _), (second, other, _) = await world.hello("anna", BOB), await world.hello("anna", BOB)
    do(world, first, m.SetPresence, show="away", status="lunch")
    assert (first.show, second.show) == ("away", "available") and other.take("presence") == [], "away is of one page"
    do(world, first, m.SetPresence, show="dnd", status="exam")
    assert [(f["show"], f["status"]) for f in other.take("presence")] == [("dnd", "exam")] and wire.take("presence") == []
    third, _, welcome = await world.hello("anna", BOB)
    assert (welcome["show"], welcome["status"]) == ("dnd", "exam")
    propose = "<propose xmlns='urn:xmpp:jingle-message:0' id='p'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>"
    world.router.route(el(f"<message from='{BOB}/r' to='{ANNA}' id='m'>{propose}</message>"))
    assert not world.registry.calls and not [f for w in (wire, other) for f in w.take("incoming")]
    do(world, third, m.SetPresence, show="available")
    assert {p.show for p in (first, second, third)} == {"available"}


async def test_do_not_disturb_survives_resume_and_restart():
    journal, store = MemoryJournal(), MemoryStore()
    before = World(store, journal)
    session, _, welcome = await before.hello("anna", BOB)
    do(before, session, m.SetPresence, show="dnd", status="exam")
    after = World(store, journal)
    after.desk.restore()
    assert after.registry.endpoints[ANNA][session.jid].dnd
    _, _, again = await after.hello(resume=m.Resume(secret=welcome["resume"]))
    assert (again["show"], again["status"]) == ("dnd", "exam")


async def test_whoever_saw_a_page_because_of_a_call_hears_that_it_left_also_after_a_kill():
    journal, store = MemoryJournal(), MemoryStore()
    before = World(store, journal)
    session, _, _ = await before.hello("anna", BOB)
    do(before, session, m.CallRequest, call="c", to=BOB, description=OFFER)
    assert ("", BOB) in said(before)
    after = World(store, journal, linger=0.02, resume=0.05)
    after.desk.restore()
    await until(lambda: not after.sessions.by_jid)
    assert ("unavailable", BOB) in said(after)
