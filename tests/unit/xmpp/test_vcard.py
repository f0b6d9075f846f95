"""Name and picture of a user, for those who may see them. XEP-0054, XEP-0153, XEP-0084; J-007, J-252."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import xml.etree.ElementTree as ET

import pytest

from jinglebridge.calls.people import Contact
from jinglebridge.xmpp import router as module
from jinglebridge.xmpp.presence import Shown
from jinglebridge.xmpp.vcard import DATA, METADATA, PUBSUB, VCARD, VCards
from tests.unit.fakes import DOMAIN, conditions, el, logged, routed, settle
from tests.unit.xmpp.test_presence import ANNA, BOB, ECHO, EVE, PAGE, World

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\xff" * 500
HASH = hashlib.sha1(PNG).hexdigest()
V, P, D, M = (f"{{{ns}}}" for ns in (VCARD, PUBSUB, DATA, METADATA))


class Cards(World):
    """Anna has a picture and shows herself to Bob."""

    def __init__(self) -> None:
        super().__init__(Contact(ANNA, BOB, from_=True))
        self.broken = False
        self.router, self.replies, _ = routed()
        roster = self.keeper.roster
        roster.admitted(ANNA, "Anna <b>&")
        self.keeper.service(Shown(f"{ECHO}/echo", "Echo test"))
        VCards(DOMAIN, self.keeper.shown_to, roster.person, self.picture).register(self.router)

    async def picture(self, own: str) -> bytes:
        await asyncio.sleep(0)
        if self.broken:
            raise OSError("disk")
        assert own == ANNA
        return PNG

    async def ask(self, payload: str, sender: str = f"{BOB}/r", to: str = ANNA) -> ET.Element:
        self.router.route(el(f"<iq type='get' id='1' from='{sender}' to='{to}'>{payload}</iq>"))
        await settle()
        (reply,) = self.replies.take()
        assert (reply.get("to"), reply.get("from")) == (sender, to)
        return reply


CARD = f"<vCard xmlns='{VCARD}'/>"


def items(node: str, inner: str = "") -> str:
    return f"<pubsub xmlns='{PUBSUB}'><items node='{node}'>{inner}</items></pubsub>"


@pytest.fixture
async def world() -> Cards:
    return Cards()


async def test_the_card_has_name_and_picture(world: Cards):
    card = (await world.ask(CARD))[0]
    assert [(e.tag, e.text) for e in card] == [(f"{V}FN", "Anna <b>&"), (f"{V}NICKNAME", "Anna <b>&")]
    world.keeper.roster.picture(ANNA, "image/png", PNG)
    photo = (await world.ask(CARD))[0].find(f"{V}PHOTO")
    assert photo is not None and photo.findtext(f"{V}TYPE") == "image/png"
    assert base64.b64decode(photo.findtext(f"{V}BINVAL", "")) == PNG
    world.keeper.roster.picture(ANNA, "image/png", b"")
    assert (await world.ask(CARD))[0].find(f"{V}PHOTO") is None


async def test_the_nodes_of_user_avatar(world: Cards):
    assert conditions(await world.ask(items(METADATA)))[1] == "item-not-found", "no picture"
    world.keeper.roster.picture(ANNA, "image/png", PNG)
    item = (await world.ask(items(METADATA)))[0][0][0]
    info = item.find(f"{M}metadata/{M}info")
    assert item.get("id") == HASH and info is not None
    assert info.attrib == {"id": HASH, "bytes": str(len(PNG)), "type": "image/png"}
    item = (await world.ask(items(DATA, f"<item id='{HASH}'/>")))[0][0][0]
    assert item.get("id") == HASH and base64.b64decode(item.findtext(f"{D}data", "")) == PNG
    for wrong in (items(DATA, "<item id='other'/>"), items("urn:other")):
        assert conditions(await world.ask(wrong))[1] == "item-not-found"
    assert conditions(await world.ask(f"<pubsub xmlns='{PUBSUB}'/>"))[1] == "bad-request"


async def test_strangers_learn_nothing(world: Cards):
    world.keeper.roster.picture(ANNA, "image/png", PNG)
    answers = [
        conditions(await world.ask(payload, sender, to))
        for payload in (CARD, items(METADATA), "<query xmlns='urn:unknown'/>")
        for sender, to in ((f"{EVE}/r", ANNA), (f"{BOB}/r", f"nobody@{DOMAIN}"))
    ]
    assert set(answers) == {("cancel", "service-unavailable", None)}


async def test_who_is_in_a_call_sees_the_card(world: Cards):
    world.keeper.online(Shown(PAGE, "Anna"), [])
    world.keeper.direct(PAGE, f"{EVE}/phone")
    assert (await world.ask(CARD, f"{EVE}/phone"))[0].tag == f"{V}vCard"


async def test_gateway_and_services_have_a_card_for_everybody(world: Cards):
    assert (await world.ask(CARD, EVE, DOMAIN))[0].findtext(f"{V}FN") == "jinglebridge"
    assert (await world.ask(CARD, EVE, ECHO))[0].findtext(f"{V}FN") == "Echo test"


async def test_a_picture_that_cannot_be_read_is_one_error(world: Cards):
    world.keeper.roster.picture(ANNA, "image/png", PNG)
    world.broken = True
    with logged() as lines:
        assert conditions(await world.ask(CARD)) == ("cancel", "internal-server-error", None)
    assert [line["event"] for line in lines] == ["iq-handler-failed"]


async def test_many_requests_at_once_are_bounded(world: Cards, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_LATER", 3)
    world.keeper.roster.picture(ANNA, "image/png", PNG)
    for number in range(10):
        world.router.route(el(f"<iq type='get' id='{number}' from='{BOB}/r' to='{ANNA}'>{CARD}</iq>"))
    refused = world.replies.take()
    assert [conditions(r)[1] for r in refused] == ["resource-constraint"] * 7
    await settle()
    assert len(world.replies.take()) == 3 and not world.router._later
