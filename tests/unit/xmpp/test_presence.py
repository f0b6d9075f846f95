"""The component is the roster server of its own users. RFC 6121 §3, §4; J-033 … J-042, J-253."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from jinglebridge.calls.people import Block, Contact, Person
from jinglebridge.store.memory import MemoryStore
from jinglebridge.xmpp import caps
from jinglebridge.xmpp import presence as presence_module
from jinglebridge.xmpp.disco import NODE, session_info
from jinglebridge.xmpp.peers import Peers
from jinglebridge.xmpp.presence import PresenceKeeper, Shown
from jinglebridge.xmpp.requests import Requests
from jinglebridge.xmpp.vcard import UPDATE
from tests.unit.fakes import DOMAIN, Sent, presence

ANNA, PAGE, SECOND = f"anna@{DOMAIN}", f"anna@{DOMAIN}/w-1", f"anna@{DOMAIN}/w-2"
BOB, EVE = "bob@im.test", "eve@im.test"
ECHO = f"echo@{DOMAIN}"


class World:
    def __init__(self, *rows: Contact | Person | Block) -> None:
        self.sent, self.store = Sent(), MemoryStore()
        for row in rows:
            self.store.save(row)
        self.peers = Peers(Requests(self.sent))
        self.keeper = PresenceKeeper(self.sent, self.peers, self.store)

    def got(self, sender: str, type: str, to: str = ANNA) -> list[tuple[str, str, str]]:
        self.keeper.received(presence(sender, to, type=type))
        return self.out()

    def out(self) -> list[tuple[str, str, str]]:
        """(type, from, to) of what was sent since."""
        return [(e.get("type", ""), e.get("from", ""), e.get("to", "")) for e in self.sent.take() if e.tag.endswith("presence")]

    def row(self, peer: str = BOB) -> Contact:
        return self.keeper.row(ANNA, peer)

    def stored(self) -> dict[tuple[str, str], Contact]:
        return {(row.own, row.peer): row for row in self.store.rows(Contact)}


@pytest.fixture
async def world() -> World:
    """Anna is online with one page and sees, and is seen by, Bob."""
    world = World(Contact(ANNA, BOB, to=True, from_=True))
    world.keeper.online(Shown(PAGE, "Anna"), [])
    assert world.out() == [("", PAGE, BOB), ("probe", ANNA, BOB)]
    return world


async def test_what_a_session_shows(world: World):
    world.keeper.online(Shown(PAGE, "Anna", video=False, show="dnd", status="busy"), [])
    (sent,) = world.sent
    c = sent.find(f"{{{caps.NS}}}c")
    assert c is not None and (c.get("node"), c.get("ver")) == (NODE, session_info(False).ver())
    values = {child.tag.partition("}")[2]: child.text for child in sent if child is not c}
    assert values == {"show": "dnd", "status": "busy", "nick": "Anna", "x": None}
    world.keeper.online(Shown(PAGE, ""), [])
    assert [child.tag for child in world.sent[1]] == [f"{{{caps.NS}}}c", f"{{{UPDATE}}}x"]
    assert world.sent[1][1][0].text is None, "no picture"
    world.keeper.roster.picture(ANNA, "image/png", b"picture")
    world.sent.clear()
    world.keeper.changed(ANNA)
    assert world.sent[0].findtext(f"{{{UPDATE}}}x/{{{UPDATE}}}photo") == hashlib.sha1(b"picture").hexdigest()


async def test_a_new_contact_is_asked_once_and_kept(world: World):
    world.keeper.online(Shown(PAGE, "Anna"), [EVE])
    assert ("subscribe", ANNA, EVE) not in world.out(), "the page was there before: nothing is asked twice"
    fresh = World()
    fresh.keeper.online(Shown(PAGE, "Anna"), [EVE])
    assert fresh.out() == [("subscribe", ANNA, EVE)]
    assert fresh.stored()[ANNA, EVE] == Contact(ANNA, EVE, asked=True, wanted=True) and [
        row.peer for row in fresh.keeper.roster.of(ANNA) if row.known
    ] == [EVE]


async def test_subscribed_counts_only_when_asked(world: World):
    world.got(EVE, "subscribed")
    assert world.row(EVE) == Contact(ANNA, EVE)
    fresh = World()
    fresh.keeper.online(Shown(PAGE, "Anna"), [EVE])
    fresh.got(EVE, "subscribed")
    assert fresh.row(EVE) == Contact(ANNA, EVE, to=True, wanted=True)


async def test_a_contact_may_subscribe_and_sees_each_page_at_once(world: World):
    world.keeper.online(Shown(SECOND, "Anna"), [EVE])
    world.out()
    assert world.got(EVE, "subscribe") == [("subscribed", ANNA, EVE), ("", PAGE, EVE), ("", SECOND, EVE)]
    assert world.stored()[ANNA, EVE].from_
    assert world.got(EVE, "subscribe")[0] == ("subscribed", ANNA, EVE), "asked again: told again"


async def test_a_web_user_who_was_never_here_is_asked_again_when_they_come(world: World):
    """The first request was dropped: there was nobody, and no server keeps it. Asked once, or two bridges would never stop."""
    nurse = f"nurse@{DOMAIN}"
    world.keeper.online(Shown(SECOND, "Anna"), [nurse])
    assert ("subscribe", ANNA, nurse) in world.out()
    assert world.got(nurse, "subscribe")[-1] == ("subscribe", ANNA, nurse)
    assert ("subscribe", ANNA, nurse) not in world.got(nurse, "subscribe")


async def test_a_stranger_waits_for_a_decision(world: World):
    assert world.got(EVE, "subscribe") == [] and world.row(EVE) == Contact(ANNA, EVE, asking=True)
    assert world.row(EVE).word == "pending-in" and not world.keeper.subscribed(ANNA, EVE)


@pytest.mark.parametrize(
    "type", ["", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe", "unavailable", "error", "nonsense"]
)
async def test_a_user_that_does_not_exist_stays_silent_and_leaves_no_trace(world: World, type: str):
    assert world.got(EVE, type, f"nobody@{DOMAIN}") == []
    assert list(world.stored()) == [(ANNA, BOB)]
    assert world.peers.info(f"nobody@{DOMAIN}", EVE).resources == ()


async def test_unsubscribe_is_confirmed_and_hides_the_pages(world: World):
    assert world.got(BOB, "unsubscribe") == [("unsubscribed", ANNA, BOB), ("unavailable", PAGE, BOB)]
    assert world.row() == Contact(ANNA, BOB, to=True)
    assert world.got(BOB, "unsubscribe") == [], "a second time nothing is left to confirm"
    assert world.got(BOB, "probe") == []


async def test_unsubscribed_makes_the_contact_offline(world: World):
    world.keeper.received(presence(f"{BOB}/r", ANNA))
    assert world.peers.seen(ANNA, BOB).presence == "available"
    world.got(BOB, "unsubscribed")
    assert world.row() == Contact(ANNA, BOB, from_=True) and world.peers.seen(ANNA, BOB).presence == "offline"


async def test_probes(world: World):
    assert world.got(f"{BOB}/r", "probe") == [("", PAGE, f"{BOB}/r")]
    assert world.got(EVE, "probe") == [], "strangers learn nothing"
    world.keeper.offline(PAGE)
    world.out()
    assert world.got(BOB, "probe") == [("unavailable", ANNA, BOB)]


async def test_whoever_saw_a_page_hears_that_it_left(world: World):
    world.keeper.direct(PAGE, f"{EVE}/phone")
    world.keeper.direct(PAGE, f"{EVE}/phone")
    world.keeper.direct(PAGE, f"{BOB}/r")  # a subscriber has it already
    assert world.out() == [("", PAGE, f"{EVE}/phone")]
    world.keeper.offline(PAGE)
    assert sorted(world.out()) == [("unavailable", PAGE, BOB), ("unavailable", PAGE, f"{EVE}/phone")]
    world.keeper.offline(PAGE)
    world.keeper.direct(PAGE, EVE)
    assert world.out() == [], "it left once, and cannot be shown any more"


async def test_one_of_two_pages_leaves(world: World):
    world.keeper.online(Shown(SECOND, "Anna"), [])
    world.keeper.received(presence(f"{BOB}/r", ANNA))
    world.out()
    world.keeper.offline(PAGE)
    assert world.out() == [("unavailable", PAGE, BOB)] and world.peers.seen(ANNA, BOB).presence == "available"
    world.keeper.offline(SECOND)
    assert world.peers.seen(ANNA, BOB).presence == "offline", "nobody is left to whom Bob is shown"


async def test_after_a_reconnect_everything_is_said_again(world: World):
    world.keeper.online(Shown(SECOND, "Anna"), ["new@im.test"])
    world.keeper.direct(PAGE, f"{EVE}/phone")
    world.out()
    await world.keeper.announce()
    assert world.out() == [
        ("", PAGE, BOB), ("", SECOND, BOB), ("probe", ANNA, BOB), ("subscribe", ANNA, "new@im.test"), ("", PAGE, f"{EVE}/phone"),
    ]  # fmt: skip


async def test_subscriptions_come_back_from_the_store():
    world = World(Contact(ANNA, BOB, to=True, from_=True, wanted=True), Contact(ANNA, EVE, asked=True))
    await world.keeper.announce()
    assert world.out() == [], "nobody is online: nothing to announce"
    world.keeper.online(Shown(PAGE, "Anna"), [])
    assert world.out() == [("", PAGE, BOB), ("probe", ANNA, BOB)]


async def test_a_service_accepts_everybody_and_remembers_them(world: World):
    world.keeper.service(Shown(f"{ECHO}/echo", "Echo"))
    assert world.got(EVE, "subscribe", ECHO) == [("subscribed", ECHO, EVE), ("", f"{ECHO}/echo", EVE)]
    assert world.got(EVE, "probe", ECHO) == [("", f"{ECHO}/echo", EVE)] and world.keeper.subscribed(ECHO, EVE)
    await world.keeper.announce()
    assert ("", f"{ECHO}/echo", EVE) in world.out(), "whoever logged in while the bridge was down sees it again"
    assert (ECHO, EVE) in list(world.stored())
    assert ("unsubscribed", ECHO, EVE) in world.got(EVE, "unsubscribe", ECHO)
    world.keeper.offline(f"{ECHO}/echo")


async def test_nothing_is_lost_when_the_stream_is_down(world: World):
    world.sent.up = False
    world.keeper.online(Shown(SECOND, "Anna"), [EVE])
    assert world.row(EVE).wanted
    world.sent.up = True
    await world.keeper.announce()
    assert ("", SECOND, BOB) in world.out()


async def test_who_left_while_there_was_no_connection_is_gone_when_it_is_back(world: World):
    """Nobody else tells those on other servers, who never noticed anything."""
    world.keeper.online(Shown(SECOND, "Anna"), [])
    world.keeper.direct(PAGE, f"{EVE}/phone")
    world.out()
    world.sent.up = False
    world.keeper.offline(PAGE)
    world.sent.up = True
    await world.keeper.announce()
    told = world.out()
    assert sorted(told[:2]) == [("unavailable", PAGE, BOB), ("unavailable", PAGE, f"{EVE}/phone")]
    assert told[2:] == [("", SECOND, BOB), ("probe", ANNA, BOB)]
    await world.keeper.announce()
    assert not [kind for kind, *_ in world.out() if kind == "unavailable"], "said once"


async def test_announcing_many_lets_others_work(monkeypatch: pytest.MonkeyPatch):
    rows = [Contact(f"u{n}@{DOMAIN}", BOB, from_=True) for n in range(120)]
    world = World(*rows)
    for row in rows:
        world.keeper.online(Shown(f"{row.own}/w", ""), [])
    world.out()
    task = asyncio.ensure_future(world.keeper.announce())
    await asyncio.sleep(0)
    assert len(world.sent) == presence_module.ANNOUNCED_AT_ONCE
    world.keeper.offline(f"{rows[-1].own}/w")  # meanwhile
    await task
    assert len(world.out()) == 120


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (Contact(ANNA, BOB), "none"), (Contact(ANNA, BOB, to=True), "to"), (Contact(ANNA, BOB, from_=True, asking=True), "from"),
        (Contact(ANNA, BOB, to=True, from_=True), "both"),
        (Contact(ANNA, BOB, asked=True), "pending-out"), (Contact(ANNA, BOB, asking=True, asked=True), "pending-in"),
    ],
)  # fmt: skip
def test_the_word_for_a_subscription(row, word):
    assert row.word == word
