"""Contacts and presence between web users and IM users, through real servers: raw XMPP on one side, raw frames on the other.

RFC 6121; XEP-0054, XEP-0084, XEP-0153, XEP-0172, XEP-0191; J-033 … J-042, J-252.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import signal
import sqlite3
import time
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jinglebridge.demo.lab import Ejabberd, Prosody
from tests.unit.cases import small

from .bridge import BridgeProcess, wait_for
from .raw import CLIENT, RawPage, RawXmpp, answer
from .servers import skipped_when_missing, unique_user

pytestmark = pytest.mark.timeout(120)

Server = Ejabberd | Prosody
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
NICK = "{http://jabber.org/protocol/nick}nick"
PHOTO = "{vcard-temp:x:update}x/{vcard-temp:x:update}photo"
TRUE_WITHIN = 5.0  # seconds after bridge and server are back


class ImUser(RawXmpp):
    """An IM account that knows its roster and lets in whom it asked itself."""

    def __init__(self, server: Server, user: str, *, register: bool = True) -> None:
        super().__init__(server, user, register=register, online=False)
        self.seen: dict[str, str] = {}  # full JID -> show
        self.came: list[str] = []  # everything, for who looks into a failure
        self.ask("<query xmlns='jabber:iq:roster'/>", kind="get")
        self.come_online()

    def close(self) -> None:
        self.socket.close()

    def look(self, wanted: Callable[[ET.Element], bool] = lambda e: False, seconds: float = 0.0) -> ET.Element | None:
        """Take in presence for so long, or until a wanted stanza comes."""
        end = time.monotonic() + seconds
        while True:
            try:
                element = self._next(max(0.01, end - time.monotonic()))
            except TimeoutError:
                return None
            self.came.append(ET.tostring(element, "unicode"))
            if element.tag == f"{CLIENT}iq" and element.get("type") in ("get", "set"):
                refusal = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
                self.send(f"<iq type='error' id='{element.get('id')}' to='{element.get('from')}'>{refusal}</iq>")
            if element.tag == f"{CLIENT}presence" and element.get("type") in (None, "unavailable"):
                show = "offline" if element.get("type") else element.findtext(f"{CLIENT}show", "available")
                self.seen[element.get("from", "")] = show
            if wanted(element):
                return element

    def gets(self, type: str, sender: str, seconds: float = 10.0) -> ET.Element:
        """Wait for a presence stanza of this type, of this address or one of its resources."""
        element = self.look(
            lambda e: e.tag == f"{CLIENT}presence" and e.get("type", "") == type and e.get("from", "").startswith(sender), seconds
        )
        assert element is not None, f"no {type or 'presence'} of {sender}; {self.seen}"
        return element

    def gets_until(self, sender: str, wanted: str, value: Callable[[ET.Element], str]) -> None:
        """Wait for presence with this value: a server may probe whenever it likes, and get what was true before."""
        shown = self.look(lambda e: e.tag == f"{CLIENT}presence" and e.get("from") == sender and value(e) == wanted, 10.0)
        assert shown is not None, f"no {wanted} of {sender}; {self.seen}"

    def pours(self, stanzas: list[str]) -> None:
        """Send many, and take what comes back, without which the server would stop to listen."""
        for start in range(0, len(stanzas), 100):
            self.send("".join(stanzas[start : start + 100]))
            self.look()

    def says(self, type: str, to: str) -> None:
        self.send(f"<presence type='{type}' to='{to}'/>")

    def subscription(self, jid: str) -> str:
        """What the server's roster says of this contact."""
        roster = self.ask("<query xmlns='jabber:iq:roster'/>", kind="get")
        found = [item.get("subscription", "") for item in roster.iter("{jabber:iq:roster}item") if item.get("jid") == jid]
        return found[0] if found else ""

    def sees(self, jid: str) -> str:
        """How the sessions of a web user look."""
        shown = [show for full, show in self.seen.items() if full.partition("/")[0] == jid and show != "offline"]
        return shown[0] if shown else "offline"


class WebPage(RawPage):
    """A page, and its list of contacts."""

    def __init__(self, socket: Any) -> None:
        super().__init__(socket)
        self.contacts: dict[str, dict[str, Any]] = {}
        self.secret = ""
        self.seq = 0

    async def enter(self, **who: Any) -> None:
        await self.socket.send_str(json.dumps({"type": "hello", "id": "hello", "version": 1, **who}))
        welcome = await self.next()
        assert welcome["type"] == "welcome", welcome
        self.full, self.secret, self.seq = welcome["jid"], welcome["resume"], welcome["seq"]
        self.jid = self.full.partition("/")[0]
        self.contacts = {c["jid"]: c for c in welcome["contacts"]}

    async def next(self, seconds: float = 5.0) -> dict[str, Any]:
        frame: dict[str, Any] = await self.socket.receive_json(timeout=seconds)
        self.seq = frame.get("seq", self.seq)
        if frame["type"] == "contact":
            self.contacts[frame["contact"]["jid"]] = frame["contact"]
            if frame["removed"]:
                del self.contacts[frame["contact"]["jid"]]
        elif frame["type"] == "contacts":
            self.contacts |= {contact["jid"]: contact for contact in frame["contacts"]}
        return frame

    async def do(self, type: str, **fields: Any) -> str:
        """A request; "ack", or the code of the error."""
        id = f"{time.monotonic_ns()}"
        await self.socket.send_str(json.dumps({"type": type, "id": id, **fields}))
        while (frame := await self.next()).get("id") != id:
            pass
        return str(frame.get("code", "ack"))

    async def until(self, what: str, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await self.next(seconds)
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s: {what}; {self.contacts}") from None

    async def sees(self, jid: str, *, presence: str = "", subscription: str = "", seconds: float = 10.0) -> None:
        def true() -> bool:
            contact = self.contacts.get(jid, {})
            return contact.get("presence") == (presence or contact.get("presence")) and contact.get("subscription") == (
                subscription or contact.get("subscription", "")
            )

        await self.until(f"{jid} {presence} {subscription}", true, seconds)


class Pages:
    def __init__(self, bridge: BridgeProcess, http: aiohttp.ClientSession) -> None:
        self.bridge, self.http = bridge, http

    async def open(self, **who: Any) -> WebPage:
        page = WebPage(await self.http.ws_connect(f"{self.bridge.url}/ws", protocols=["jinglebridge.v1"]))
        await page.enter(**who)
        return page

    async def person(self, user: str, *contacts: str) -> WebPage:
        return await self.open(token=self.bridge.token(user, *contacts))


@asynccontextmanager
async def pages(bridge: BridgeProcess) -> AsyncIterator[Pages]:
    async with aiohttp.ClientSession() as http:
        yield Pages(bridge, http)


@pytest.fixture(params=["ejabberd", "prosody"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def bridge(server: Server, tmp_path: Path) -> Iterator[BridgeProcess]:
    bridge = BridgeProcess(tmp_path / "bridge", server)
    yield bridge
    bridge.close()


async def befriended(im: ImUser, page: WebPage) -> None:
    """`page` asks, `im` agrees and asks back."""
    assert await page.do("contacts.add", jid=im.jid) == "ack"
    im.gets("subscribe", page.jid)
    im.says("subscribed", page.jid)
    im.says("subscribe", page.jid)
    im.gets("", page.full)
    await page.sees(im.jid, presence="available", subscription="both")


async def test_an_im_user_adds_a_web_user(server: Server, bridge: BridgeProcess) -> None:
    """The request is kept until the person decides; then both see each other, with name and picture, come and go."""
    async with pages(bridge) as open:
        wanda = unique_user("wanda")
        page = await open.person(wanda)
        assert await page.do("bye") == "ack"
        with ImUser(server, unique_user("rosa")) as rosa:
            rosa.says("subscribe", page.jid)  # nobody is there
            rosa.look(seconds=0.5)
            page = await open.person(wanda)
            await page.sees(rosa.jid, subscription="pending-in")
            other = await open.person(wanda)
            assert other.contacts[rosa.jid]["subscription"] == "pending-in", "a page that opens later sees it too"
            assert await page.do("contacts.approve", jid=rosa.jid) == "ack"
            rosa.gets("subscribed", page.jid)
            shown = rosa.gets("", page.full)
            assert shown.findtext(NICK) == wanda and shown.find("{http://jabber.org/protocol/caps}c") is not None
            rosa.says("subscribed", page.jid)  # she was asked as well
            for each in (page, other):
                await each.sees(rosa.jid, presence="available", subscription="both")
            assert rosa.subscription(page.jid) == "both"

            assert await page.do("presence", show="dnd", status="exam") == "ack"
            rosa.gets_until(page.full, "dnd", lambda e: e.findtext(f"{CLIENT}show", ""))
            rosa.send("<presence><show>away</show></presence>")
            await page.sees(rosa.jid, presence="away")

            assert await page.do("avatar", media="image/png", data=base64.b64encode(PNG).decode()) == "ack"
            hash = hashlib.sha1(PNG).hexdigest()
            rosa.gets_until(page.full, hash, lambda e: e.findtext(PHOTO, ""))
            card = rosa.ask("<vCard xmlns='vcard-temp'/>", to=page.jid, kind="get")
            assert card.findtext(".//{vcard-temp}FN") == wanda
            assert base64.b64decode(card.findtext(".//{vcard-temp}BINVAL", "")) == PNG
            items = (
                f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:data'><item id='{hash}'/></items></pubsub>"
            )
            data = rosa.ask(items, to=page.jid, kind="get")
            assert base64.b64decode(data.findtext(".//{urn:xmpp:avatar:data}data", "")) == PNG

            await other.do("bye")
            await page.do("bye")
            rosa.gets("unavailable", page.full)
            again = await open.person(wanda)
            rosa.gets("", again.full)
            await again.sees(rosa.jid, presence="away", subscription="both")


async def test_a_web_user_adds_blocks_and_removes_an_im_user(server: Server, bridge: BridgeProcess) -> None:
    async with pages(bridge) as open:
        page = await open.person(unique_user("wanda"))
        with ImUser(server, unique_user("tom")) as tom:
            assert await page.do("contacts.add", jid=tom.jid, name="Tommy") == "ack"
            assert page.contacts[tom.jid]["name"] == "Tommy"
            assert tom.gets("subscribe", page.jid).findtext(NICK) == page.jid.partition("@")[0]
            tom.says("subscribed", page.jid)
            await page.sees(tom.jid, presence="available", subscription="to")
            tom.says("subscribe", page.jid)
            tom.gets("", page.full)
            await page.sees(tom.jid, subscription="both")

            assert await page.do("contacts.block", jid=tom.jid) == "ack"
            tom.gets("unavailable", page.full)
            description = "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
            for to in (page.jid, f"nobody@{server.component}"):
                propose = f"<propose xmlns='urn:xmpp:jingle-message:0' id='{to}'>{description}</propose>"
                tom.send(f"<message to='{to}' type='chat' id='m'>{propose}<body/></message>")
                tom.says("probe", to)
                tom.says("subscribe", to)
            tom.silent(1.0, lambda e: server.component in e.get("from", ""))
            answers = [
                {
                    answer(tom.ask(payload, to=f"{user}@{server.component}/w-1", kind="get"))
                    for user in (page.jid.partition("@")[0], "nobody")
                }
                for payload in ("<ping xmlns='urn:xmpp:ping'/>", "<vCard xmlns='vcard-temp'/>", "<query xmlns='jabber:iq:version'/>")
            ]
            assert answers == [{("cancel", "service-unavailable")}] * 3, "blocked and unknown look alike"
            assert await page.do("contacts.unblock", jid=tom.jid) == "ack"
            tom.gets("", page.full)
            await page.sees(tom.jid, presence="available")

            assert await page.do("contacts.remove", jid=tom.jid) == "ack"
            assert tom.jid not in page.contacts
            tom.gets("unavailable", page.full)
            tom.look(seconds=0.5)
            assert tom.subscription(page.jid) == "none"


async def test_an_im_user_who_blocks_is_offline_and_nothing_loops(ejabberd: Ejabberd, tmp_path: Path) -> None:
    """XEP-0191 at the other side's server: what we get is errors, as for somebody who is not there. J-045."""
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd)
    try:
        async with pages(bridge) as open:
            page = await open.person(unique_user("wanda"))
            with ImUser(ejabberd, unique_user("vera")) as vera:
                await befriended(vera, page)
                block = f"<block xmlns='urn:xmpp:blocking'><item jid='{page.jid}'/></block>"
                assert answer(vera.ask(block)) == ("result",)
                assert await page.do("presence", show="away") == "ack"
                description = {"type": "offer", "sdp": small()}
                assert await page.do("call", call="c", to=vera.jid, description=description) == "ack"
                assert (await page.hear("ended", call="c"))["reason"] == "unreachable"
                vera.silent(1.0, lambda e: e.get("from", "").startswith(page.jid))
                assert answer(vera.ask(block.replace("block", "unblock", 1).replace("</block", "</unblock"))) == ("result",)
                await page.sees(vera.jid, presence="available")
                assert await page.do("presence", show="available") == "ack"
                vera.gets("", page.full)
    finally:
        bridge.close()


def memory(bridge: BridgeProcess) -> int:
    """KiB that the bridge has in memory."""
    assert bridge.process is not None
    status = Path(f"/proc/{bridge.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


async def test_a_storm_of_requests_is_not_noticed_by_others(ejabberd: Ejabberd, tmp_path: Path) -> None:
    """10 000 stanzas of one account, requests to names that somebody made up and presence of a contact: others go on as before.

    Few are requests, since ejabberd writes each of them to the sender's roster; `test_subscriptions` has 10 000.
    """
    bridge = BridgeProcess(tmp_path / "bridge", ejabberd)
    try:
        async with pages(bridge) as open:
            page, victim = await open.person(unique_user("wanda")), await open.person(unique_user("viola"))
            with ImUser(ejabberd, unique_user("mallory")) as mallory:
                await befriended(mallory, victim)
                before = memory(bridge)
                names = [f"nobody{number}@{ejabberd.component}" for number in range(300)]
                storm = [f"<presence type='subscribe' to='{name}'/>" for name in names]
                storm += [f"<presence to='{victim.jid}'><status>{number}</status></presence>" for number in range(9700)]
                storm += [f"<presence type='subscribe' to='{page.jid}'/>"]
                sending = asyncio.create_task(asyncio.to_thread(mallory.pours, storm))
                trips: list[float] = []
                while mallory.jid not in page.contacts:
                    began = time.monotonic()
                    assert await page.do("ping") == "ack"
                    trips.append(time.monotonic() - began)
                    await asyncio.sleep(0.005)
                await sending
                assert len(trips) > 20 and sorted(trips)[len(trips) // 2] < 0.1 and max(trips) < 5.0, sorted(trips)[-5:]
                assert memory(bridge) - before < 20_000
                await victim.until("the last one", lambda: victim.contacts[mallory.jid]["status"] == "9699")
            bridge.signal(signal.SIGTERM)
            with closing(sqlite3.connect(bridge.folder / "store" / "jinglebridge.db")) as store:
                kept = [own for (own,) in store.execute("SELECT own FROM contact")]
            assert [own for own in kept if own.startswith("nobody")] == []
    finally:
        bridge.close()


LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("kind", "dies"),
    [
        ("ejabberd", "both"), ("prosody", "both"),
        pytest.param("ejabberd", "bridge", marks=LONG), pytest.param("ejabberd", "server", marks=LONG),
        pytest.param("prosody", "server", marks=LONG), pytest.param("prosody", "bridge", marks=LONG),
    ],
)  # fmt: skip
async def test_both_sides_see_the_truth_soon_after_a_crash(kind: str, dies: str, tmp_path: Path) -> None:
    """kill -9 of the bridge, of the server, or of both; meanwhile somebody leaves on either side."""
    with skipped_when_missing():
        server: Server = (Ejabberd if kind == "ejabberd" else Prosody)(tmp_path / kind).start()
    bridge = BridgeProcess(tmp_path / "bridge", server, start=False)
    try:
        bridge.start()
        async with pages(bridge) as open, AsyncExitStack() as users:
            stays, leaves = await open.person("stays"), await open.person("leaves")
            rosa, tom = (users.enter_context(closing(ImUser(server, name))) for name in ("rosa", "tom"))
            for page in (stays, leaves):
                for im in (rosa, tom):
                    await befriended(im, page)
            await stays.sees(tom.jid, presence="available")
            if kind == "ejabberd" and dies != "bridge":
                await asyncio.sleep(4.0)  # ejabberd's roster is a dets table, which writes up to 3 s late
            if dies != "server":
                assert bridge.signal(signal.SIGKILL) != 0
            if dies != "bridge":
                server.kill9()
                wait_for("the bridge sees that", lambda: dies == "both" or bridge.http("/readyz")[0] == 503)
            if dies == "server":
                await leaves.do("bye")
            for gone in (leaves.socket, stays.socket):
                await gone.close()
            tom.close()
            await asyncio.sleep(0.3)
            if dies != "bridge":
                server.start()
                rosa = users.enter_context(closing(ImUser(server, "rosa", register=False)))
            if dies != "server":
                bridge.start()
            wait_for("the bridge is ready again", bridge.ready)
            began = time.monotonic()
            stays = await open.open(resume={"secret": stays.secret, "lastSeq": stays.seq})
            await stays.sees(rosa.jid, presence="available", subscription="both", seconds=TRUE_WITHIN)
            await stays.sees(tom.jid, presence="offline", subscription="both", seconds=TRUE_WITHIN)
            while time.monotonic() < began + TRUE_WITHIN and (rosa.sees(stays.jid), rosa.sees(leaves.jid)) != ("available", "offline"):
                rosa.look(seconds=0.1)
            assert (rosa.sees(stays.jid), rosa.sees(leaves.jid)) == ("available", "offline")
            assert {rosa.subscription(jid) for jid in (stays.jid, leaves.jid)} == {"both"}
    finally:
        bridge.close()
        server.stop()


# --- calls that were missed: issue "People", item 8; J-256

OFFER = {"type": "offer", "sdp": small()}
BODY = f"{CLIENT}body"


async def test_an_im_user_who_was_away_finds_one_message(server: Server, bridge: BridgeProcess) -> None:
    """Nobody was there, so nobody's client can say that it rang: the server keeps one message with the caller's name."""
    user = unique_user("moira")
    with ImUser(server, user) as moira:
        jid = moira.jid
    async with pages(bridge) as open:
        page = await open.open(token=bridge.token(unique_user("wanda"), jid, name="Wanda W."))
        assert await page.do("call", call="c1", to=jid, description=OFFER) == "ack"
        assert await page.do("hangup", call="c1") == "ack"
        await page.socket.send_str('{"type":"history","id":"h"}')
        listed = await page.hear("history")
        assert [(c["call"], c["with"], c["answered"], c["reason"]) for c in listed["calls"]] == [("c1", jid, False, "cancelled")]
        with ImUser(server, user, register=False) as moira:
            kept = moira.look(lambda e: e.tag == f"{CLIENT}message" and e.find(BODY) is not None, 20.0)
            assert kept is not None, (moira.came, bridge.log()[-3000:])
            assert kept.findtext(BODY) == "Missed call from Wanda W." and kept.get("from") == page.jid
            assert moira.look(lambda e: e.tag == f"{CLIENT}message" and e.find(BODY) is not None, 0.5) is None, "one is enough"


async def test_a_web_user_who_was_away_finds_it_in_the_list(server: Server, bridge: BridgeProcess) -> None:
    async with pages(bridge) as open:
        user = unique_user("wanda")
        with ImUser(server, unique_user("rosa")) as rosa:
            page = await open.person(user, rosa.jid)
            await page.do("bye")
            audio = "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
            propose = f"<propose xmlns='urn:xmpp:jingle-message:0' id='p1'>{audio}</propose>"
            rosa.send(f"<message type='chat' to='{page.jid}' id='m1'>{propose}</message>")
            retract = "<retract xmlns='urn:xmpp:jingle-message:0' id='p1'/>"
            rosa.send(f"<message type='chat' to='{page.jid}' id='m2'>{retract}</message>")
            rosa.look(seconds=0.5)
            page = await open.person(user, rosa.jid)
            await page.socket.send_str('{"type":"history","id":"h"}')
            listed = await page.hear("history")
            assert [(c["with"], c["direction"], c["answered"], c["reason"]) for c in listed["calls"]] == [
                (rosa.jid, "in", False, "no-answer")
            ]
