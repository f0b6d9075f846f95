"""What a stranger, or a page gone wild, can do to others: nothing. Each test is an attack that once worked."""

from __future__ import annotations

import asyncio
import base64
import xml.etree.ElementTree as ET

import pytest

from jinglebridge.calls.people import CallRecord
from jinglebridge.errors import EndpointError
from jinglebridge.store.journal import MemoryJournal
from jinglebridge.web import messages as m
from jinglebridge.web.tokens import create
from jinglebridge.xmpp.vcard import VCards
from tests.unit.cases import small
from tests.unit.fakes import DOMAIN, el, presence, settle
from tests.unit.service.world import SECRET, World

ANNA, MALLORY, BOB = f"anna@{DOMAIN}", "mallory@evil.test/x", "bob@im.test"
NS = "jabber:component:accept"


@pytest.fixture
async def world() -> World:
    return World()


def from_mallory(world: World, element: ET.Element) -> list[ET.Element]:
    element.set("from", MALLORY)
    world.router.route(element)
    return list(world.sent.take())


def stanza(text: str) -> ET.Element:
    return ET.fromstring(text.replace("<iq ", f"<iq xmlns='{NS}' ").replace("<message ", f"<message xmlns='{NS}' "))


async def test_asking_twice_and_a_reload_make_nobody_a_contact(world: World) -> None:
    """DESIGN §2: other servers are not allowed; a request waits for the person's decision."""
    session, wire, welcome = await world.hello("anna", BOB)
    world.sent.take()
    assert from_mallory(world, presence(MALLORY, ANNA, type="subscribe").element) == []
    world.desk.request(session, m.SetPresence(id="p", show="away"))
    await world.hello(resume=m.Resume(secret=welcome["resume"]))
    world.sent.take()
    assert from_mallory(world, presence(MALLORY, ANNA, type="subscribe").element) == []
    propose = (
        f"<message to='{ANNA}' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='x'>"
        "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose></message>"
    )
    assert from_mallory(world, stanza(propose)) == []
    assert not world.registry.calls
    assert "incoming" not in [f["type"] for f in wire.frames]


async def test_presence_of_strangers_reaches_no_page_and_no_table(world: World) -> None:
    _, wire, _ = await world.hello("anna", BOB)
    world.sent.take()
    for n in range(50):
        world.router.route(presence(f"bob{n}@evil.test/x", ANNA).element)
    assert wire.frames == []
    assert list(world.sent.take()) == [], "no disco queries either"
    assert not world.peers._known


async def test_an_old_token_names_nobody_any_more(world: World) -> None:
    session, _, _ = await world.hello("anna", "old@im.test")
    world.desk.end(session)
    await world.hello("anna", BOB)
    assert [row.peer for row in world.presence.roster.of(ANNA) if row.known] == [BOB]


@pytest.mark.parametrize("payload", ["&amp;" * 30000, "x" * 70000])
async def test_an_offer_that_grows_when_it_is_kept_leaves_nothing_behind(world: World, payload: str) -> None:
    """The guard counts characters as they are read; what is kept is escaped again."""
    session, wire, _ = await world.hello("anna", "mallory@evil.test")
    for n in range(5):
        jingle = (
            f"<iq to='{session.jid}' type='set' id='i{n}'><jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s{n}'>"
            "<content creator='initiator' name='0'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
            f"<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'/></content><x xmlns='urn:x'>{payload}</x></jingle></iq>"
        )
        (reply,) = [e for e in from_mallory(world, stanza(jingle)) if e.tag.endswith("iq") and e.get("id") == f"i{n}"]
        assert reply.get("type") == "error"
    assert not world.registry.calls
    assert "incoming" not in [f["type"] for f in wire.frames]


async def test_a_page_that_asks_too_much_is_slowed_down(world: World) -> None:
    session, _, _ = await world.hello("anna", BOB)
    with pytest.raises(EndpointError) as caught:
        for n in range(100):
            world.desk.request(session, m.SetPresence(id=str(n), show="away"))
    assert caught.value.code == "rate-limited"


async def test_after_a_restart_nothing_is_replayed_under_old_numbers() -> None:
    """The page counted the events of the bridge's last life."""
    journal = MemoryJournal()
    before = World(journal=journal)
    session, _, welcome = await before.hello("anna", BOB)
    for _ in range(3):
        session.event(m.Draining())
    after = World(journal=journal)
    after.desk.restore()
    restored = after.sessions.by_jid[session.jid]
    for _ in range(5):
        restored.event(m.Draining())
    _, wire, second = await after.hello(resume=m.Resume(secret=welcome["resume"], lastSeq=3))
    assert not second["resumed"]
    assert second["calls"] == []
    assert second["seq"] == restored.seq
    assert wire.frames == []


async def test_the_page_cannot_claim_another_name_than_the_token_says(world: World) -> None:
    token = create(SECRET, "anna", DOMAIN, name="Anna")
    session, _, _ = await world.hello(token=token, name="The Bank")
    assert session.name == "Anna"
    unnamed, _, _ = await world.hello(token=create(SECRET, "berta", DOMAIN), name="Berta B.")
    assert unnamed.name == "Berta B."


async def test_calls_to_names_that_nobody_has_are_not_kept(world: World) -> None:
    """Everybody on the server may call; each name that they make up would be rows in the store for a month. J-254."""
    propose = (
        "<message from='bob@im.test/x' to='{0}' type='chat'><propose xmlns='urn:xmpp:jingle-message:0' id='{0}'>"
        "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose></message>"
    )
    session, _, _ = await world.hello("anna")
    world.desk.end(session)
    world.sent.take()
    for own in (f"made-up@{DOMAIN}", ANNA):
        world.router.route(stanza(propose.format(own)))
    assert [row.own for row in world.store.rows(CallRecord)] == [ANNA] and world.sent.take() == []


DISCO = "http://jabber.org/protocol/disco"
AUDIO = "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
CONTENT = f"<content creator='initiator' name='0'>{AUDIO}<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'/></content>"
ASKED = [
    *(f"<query xmlns='{ns}'/>" for ns in (f"{DISCO}#info", f"{DISCO}#items", "jabber:iq:version", "jabber:iq:last", "urn:nothing")),
    "<vCard xmlns='vcard-temp'/>", "<ping xmlns='urn:xmpp:ping'/>",
    "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:metadata'/></pubsub>",
    *(f"<jingle xmlns='urn:xmpp:jingle:1' action='{a}' sid='s'>{CONTENT}</jingle>" for a in ("session-initiate", "session-info")),
]  # fmt: skip
JMI = [f"<{kind} xmlns='urn:xmpp:jingle-message:0' id='p'>{AUDIO}</{kind}>" for kind in ("propose", "retract", "proceed")]
PROBES = [f"<iq type='{type}' id='i'>{payload}</iq>" for type in ("get", "set") for payload in ASKED]
PROBES += [f"<message type='chat' id='m'>{inner}<request xmlns='urn:xmpp:receipts'/></message>" for inner in (*JMI, "<body>hi</body>")]
PROBES += [f"<presence type='{type}'/>" for type in ("subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe", "unavailable")]
PROBES += ["<presence/>"]


async def anna_who(state: str, stranger: str) -> World:
    """A bridge whose Anna is unknown, offline, online, away, dnd, in a call, or has blocked the stranger. Bob is her contact."""
    world = World()
    VCards(DOMAIN, world.presence.shown_to, world.presence.roster.person, lambda own: asyncio.sleep(0, b"")).register(world.router)
    if state == "unknown":
        return world
    session, _, _ = await world.hello("anna", BOB)
    world.router.route(presence(BOB, ANNA, type="subscribed").element)
    world.router.route(presence(BOB, ANNA, type="subscribe").element)
    world.desk.request(session, m.SetAvatar(id="a", data=base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()))
    match state:
        case "offline":
            world.desk.end(session)
        case "away" | "dnd":
            world.desk.request(session, m.SetPresence(id="p", show=state))  # type: ignore[arg-type]
        case "in a call":
            description = m.Description(type="offer", sdp=small())
            world.desk.request(session, m.CallRequest(id="c", call="c", to=BOB, description=description))
        case "blocked":
            world.desk.request(session, m.ContactsBlock(id="b", jid=stranger.partition("/")[0]))
    return world


async def heard(state: str, stranger: str) -> list[list[str]]:
    """What comes back for each probe, to the bare address and to a resource that was guessed."""
    found = []
    world = await anna_who(state, stranger)
    for text in PROBES:
        for to in (ANNA, f"{ANNA}/w-1"):
            world.sent.take()
            probe = el(text)
            probe.attrib |= {"to": to, "from": stranger}
            world.router.route(probe)
            await settle()
            found.append(
                [ET.tostring(e, encoding="unicode") for e in world.sent.take() if stranger.partition("/")[0] in (e.get("to") or "")]
            )
    return found


@pytest.mark.parametrize(
    ("stranger", "states"),
    [
        (MALLORY, ("offline", "online", "away", "dnd", "in a call", "blocked")),
        ("eve@im.test/x", ("offline", "dnd", "blocked")),  # of the bridge's own server: may call, and is heard where it rings
    ],
)
async def test_offline_busy_blocked_and_unknown_look_alike(stranger: str, states: tuple[str, ...]) -> None:
    """DESIGN §5: whatever a stranger sends, the answers are the same, byte for byte. J-252."""
    nobody = await heard("unknown", stranger)
    assert [] in nobody and any(nobody), "some get silence, some an answer"
    for state in states:
        for number, answers in enumerate(await heard(state, stranger)):
            assert answers == nobody[number], (state, PROBES[number // 2])
