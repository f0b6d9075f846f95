"""Who sees whom, step by step, for both sides. RFC 6121 §3; XEP-0191; J-036 … J-039, J-254."""

from __future__ import annotations

import time

import pytest

from jinglebridge.calls.people import Block, Contact, Person
from jinglebridge.errors import EndpointError
from jinglebridge.xmpp import roster as limits
from jinglebridge.xmpp.presence import Shown
from jinglebridge.xmpp.subscriptions import NICK
from tests.unit.fakes import DOMAIN, presence
from tests.unit.xmpp.test_presence import ANNA, BOB, EVE, PAGE, World

EVIL = "evil.test"


@pytest.fixture
async def world() -> World:
    """Anna is known, has one page open and no contact yet."""
    world = World()
    world.keeper.roster.admitted(ANNA, "Anna")
    world.keeper.online(Shown(PAGE, "Anna"), [])
    assert world.out() == []
    return world


def code(caught: pytest.ExceptionInfo[EndpointError]) -> str:
    return caught.value.code


async def test_the_user_adds_somebody_who_approves_and_asks_back(world: World):
    want = world.keeper.subscriptions
    want.add(ANNA, BOB, "Bobby")
    (asked,) = world.sent
    assert asked.findtext(NICK) == "Anna", "XEP-0172: who asks says who they are"
    assert world.out() == [("subscribe", ANNA, BOB)] and world.row().word == "pending-out"
    assert world.got(BOB, "subscribed") == [] and world.row().word == "to"
    assert world.got(BOB, "subscribed") == [], "said again: nothing happens (J-038)"
    assert world.got(BOB, "subscribe") == [("subscribed", ANNA, BOB), ("", PAGE, BOB)], "whom the user added need not wait"
    assert world.row() == Contact(ANNA, BOB, to=True, from_=True, wanted=True, added=True, name="Bobby")
    want.add(ANNA, BOB, "Bob")
    assert world.out() == [] and world.keeper.peers.name(ANNA, BOB) == "Bob", "again: only the name changes"


async def test_who_said_no_is_not_asked_again_by_itself(world: World):
    world.keeper.subscriptions.add(ANNA, BOB, "")
    world.got(BOB, "unsubscribed")
    assert world.row() == Contact(ANNA, BOB, wanted=True, added=True, denied=True)
    world.keeper.offline(PAGE)
    world.keeper.online(Shown(PAGE, "Anna"), [BOB])
    await world.keeper.announce()
    assert world.out() == [], "neither at a login nor after a reconnect"
    world.keeper.subscriptions.add(ANNA, BOB, "")
    assert world.out() == [("subscribe", ANNA, BOB)], "the user may ask again"
    world.got(BOB, "unsubscribed")
    assert ("subscribe", ANNA, BOB) in world.got(BOB, "subscribe"), "and so does one who asks us"


async def test_a_contact_of_the_user_stays_when_no_token_names_it(world: World):
    world.keeper.subscriptions.add(ANNA, BOB, "")
    world.keeper.offline(PAGE)
    world.out()
    world.keeper.online(Shown(PAGE, "Anna"), [EVE])
    assert world.out() == [("subscribe", ANNA, BOB), ("subscribe", ANNA, EVE)], "an unanswered request is sent again at a login"
    assert world.row().wanted and [row.peer for row in world.keeper.roster.of(ANNA) if row.known] == [BOB, EVE]


async def test_a_request_is_kept_while_nobody_is_there_and_decided_later():
    world = World(Person(ANNA, "Anna"))
    assert world.got(EVE, "subscribe") == [] and world.stored()[ANNA, EVE] == Contact(ANNA, EVE, asking=True)
    later = World(*world.stored().values(), Person(ANNA, "Anna"))
    later.keeper.online(Shown(PAGE, "Anna"), [])
    later.keeper.subscriptions.approve(ANNA, EVE)
    assert later.out() == [("subscribed", ANNA, EVE), ("", PAGE, EVE), ("subscribe", ANNA, EVE)]
    assert later.row(EVE) == Contact(ANNA, EVE, from_=True, asked=True, wanted=True, added=True)


async def test_a_request_is_denied(world: World):
    world.got(EVE, "subscribe")
    world.keeper.subscriptions.deny(ANNA, EVE)
    assert world.out() == [("unsubscribed", ANNA, EVE)] and world.stored() == {}
    with pytest.raises(EndpointError) as caught:
        world.keeper.subscriptions.deny(ANNA, EVE)
    assert code(caught) == "unknown-contact"
    assert world.got(EVE, "subscribe") == [], "asked again: waits again"
    assert world.row(EVE).asking


async def test_pre_approval(world: World):
    """RFC 6121 §3.4: let in before they asked, and nobody else hears of it."""
    world.keeper.subscriptions.approve(ANNA, EVE)
    world.keeper.offline(PAGE)
    world.keeper.online(Shown(PAGE, "Anna"), [])
    assert world.out() == [] and world.row(EVE).word == "none"
    assert world.got(EVE, "subscribe")[0] == ("subscribed", ANNA, EVE) and world.row(EVE).from_
    world.keeper.subscriptions.deny(ANNA, EVE)
    assert world.out()[-2:] == [("unsubscribed", ANNA, EVE), ("unavailable", PAGE, EVE)]
    assert world.got(EVE, "subscribe") == [] and world.row(EVE).asking, "taken back: they wait like anybody"


async def test_adding_somebody_who_asked_lets_them_in(world: World):
    world.got(EVE, "subscribe")
    world.keeper.subscriptions.add(ANNA, EVE, "Eve")
    assert world.out() == [("subscribed", ANNA, EVE), ("", PAGE, EVE), ("subscribe", ANNA, EVE)]


async def test_removing_ends_both_directions(world: World):
    """J-039."""
    world.keeper.subscriptions.add(ANNA, BOB, "")
    world.got(BOB, "subscribed")
    world.got(BOB, "subscribe")
    world.keeper.received(presence(f"{BOB}/r", ANNA))
    world.sent.clear()
    world.keeper.subscriptions.remove(ANNA, BOB)
    assert world.out() == [("unsubscribe", ANNA, BOB), ("unsubscribed", ANNA, BOB), ("unavailable", PAGE, BOB)]
    assert world.stored() == {} and world.peers.seen(ANNA, BOB).presence == "offline"
    with pytest.raises(EndpointError) as caught:
        world.keeper.subscriptions.remove(ANNA, BOB)
    assert code(caught) == "unknown-contact"
    world.keeper.received(presence(f"{BOB}/r", ANNA))
    assert world.peers.seen(ANNA, BOB).presence == "offline", "what still comes of them is a stranger's"


async def test_limits_of_what_a_user_may_ask_for(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jinglebridge.xmpp.subscriptions.MAX_ASKED", 2)
    monkeypatch.setattr("jinglebridge.xmpp.subscriptions.MAX_BLOCKS", 1)
    monkeypatch.setattr(limits, "MAX_BLOCKS", 1)
    want = world.keeper.subscriptions
    for number in range(2):
        want.add(ANNA, f"{number}@im.test", "")
    with pytest.raises(EndpointError) as caught:
        want.add(ANNA, BOB, "")
    assert code(caught) == "rate-limited" and world.row() == Contact(ANNA, BOB)
    want.block(ANNA, EVE)
    want.block(ANNA, EVE)
    with pytest.raises(EndpointError) as caught:
        want.block(ANNA, BOB)
    assert code(caught) == "rate-limited"
    monkeypatch.setattr(limits, "MAX_ROWS", 2)
    with pytest.raises(EndpointError) as caught:
        want.approve(ANNA, BOB)
    assert code(caught) == "rate-limited"


async def test_ten_thousand_requests_leave_fifty(world: World):
    """A storm costs a bounded memory, no answer (as for a user who does not exist), and little time."""
    begun = time.process_time()
    for number in range(10_000):
        world.keeper.received(presence(f"bot{number}@{EVIL}", ANNA, type="subscribe"))
    assert time.process_time() - begun < 1.0
    assert len(world.stored()) == limits.MAX_ASKING == world.keeper.roster.asking(ANNA) and world.out() == []
    for number in range(10_000):
        world.keeper.received(presence(f"bot{number}@{EVIL}", f"made-up{number}@{DOMAIN}", type="subscribe"))
    assert len(world.stored()) == limits.MAX_ASKING
    world.keeper.subscriptions.add(ANNA, BOB, "")
    world.out()
    assert world.got(BOB, "subscribe")[0] == ("subscribed", ANNA, BOB), "who is wanted gets through"
    world.keeper.subscriptions.deny(ANNA, f"bot0@{EVIL}")
    world.got(EVE, "subscribe")
    assert world.row(EVE).asking, "and who is decided makes room"


async def test_a_guest_is_asked_nothing(world: World):
    """Guests have no Person: nothing is kept for them. J-254."""
    guest = f"guest-1@{DOMAIN}"
    world.keeper.online(Shown(f"{guest}/w-1", "Guest"), [])
    assert world.got(EVE, "subscribe", guest) == [] and world.stored() == {}


async def test_presence_for_somebody_who_is_not_there_is_not_kept():
    world = World(Contact(ANNA, BOB, to=True, from_=True))
    world.keeper.received(presence(f"{BOB}/r", ANNA))
    assert world.peers.seen(ANNA, BOB).presence == "offline" and world.out() == []
    assert world.got(BOB, "probe") == [("unavailable", ANNA, BOB)]


@pytest.mark.parametrize("condition", ["service-unavailable", "not-acceptable", "remote-server-not-found"])
async def test_a_contact_whose_server_refuses_us_is_offline_and_nothing_loops(world: World, condition: str):
    """XEP-0191 §3.3 from the other side: they blocked us. J-045."""
    world.keeper.subscriptions.add(ANNA, BOB, "")
    world.got(BOB, "subscribed")
    world.keeper.received(presence(f"{BOB}/r", ANNA))
    world.sent.clear()
    error = f"<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    for _ in range(3):
        world.keeper.received(presence(BOB, PAGE, error, type="error"))
    assert world.out() == [] and world.peers.seen(ANNA, BOB).presence == "offline" and world.row().to


# --- blocking


async def test_who_is_blocked_sees_and_shows_nothing(world: World):
    want = world.keeper.subscriptions
    want.add(ANNA, BOB, "")
    world.got(BOB, "subscribed")
    world.got(BOB, "subscribe")
    world.keeper.received(presence(f"{BOB}/r", ANNA))
    world.sent.clear()
    want.block(ANNA, BOB)
    assert world.out() == [("unavailable", PAGE, BOB)] and world.peers.seen(ANNA, BOB).presence == "offline"
    assert world.store.rows(Block) == [Block(ANNA, BOB)]
    world.keeper.online(Shown(PAGE, "Anna", show="away"), [])
    world.keeper.changed(ANNA)
    await world.keeper.announce()
    world.keeper.offline(PAGE)
    world.keeper.online(Shown(PAGE, "Anna"), [])
    assert world.out() == [], "no presence, no probe, no unavailable"
    want.unblock(ANNA, BOB)
    assert world.out() == [("", PAGE, BOB), ("probe", ANNA, BOB)] and world.store.rows(Block) == []
    with pytest.raises(EndpointError) as caught:
        want.unblock(ANNA, BOB)
    assert code(caught) == "unknown-contact"


async def test_a_whole_domain_is_blocked(world: World):
    want = world.keeper.subscriptions
    for number in range(2):
        want.add(ANNA, f"{number}@{EVIL}", "")
        world.got(f"{number}@{EVIL}", "subscribed")
    want.add(ANNA, f"2@{EVIL}", "")
    world.got(f"3@{EVIL}", "subscribe")
    world.keeper.direct(PAGE, f"4@{EVIL}/phone")
    world.sent.clear()
    want.block(ANNA, f"0@{EVIL}")
    want.block(ANNA, EVIL)
    assert world.out() == [("unavailable", PAGE, f"4@{EVIL}/phone")], "a call's partner saw a page"
    assert world.keeper.roster.asking(ANNA) == 0 and world.keeper.roster.blocked(ANNA, f"9@{EVIL}")
    assert not world.keeper.roster.blocked(ANNA, BOB) and not world.keeper.roster.blocked(BOB, f"9@{EVIL}")
    again = World(*world.store.rows(Block))
    assert again.keeper.roster.blocks(ANNA) == [f"0@{EVIL}", EVIL], "after a restart too"
    want.unblock(ANNA, EVIL)
    assert world.out() == [("probe", ANNA, f"1@{EVIL}"), ("subscribe", ANNA, f"2@{EVIL}")], "the one that is blocked by itself still is"
