"""A network that lets no WebSocket through: the same calls by stream and POST. Issue 6, item 5."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.sync_api import sync_playwright

from jinglebridge.demo.handset import Handset
from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess
from .browser import Person, person
from .middlebox import Middlebox
from .raw import RawStream
from .servers import HandsetFactory, unique_user
from .test_contact import hears, two_tones

TONES = two_tones()


@pytest.fixture(scope="module")
def boxed(ejabberd: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BridgeProcess, Middlebox]]:
    bridge = BridgeProcess(tmp_path_factory.mktemp("boxed"), ejabberd, start=False)
    box = Middlebox(bridge.port)
    bridge.write_config(web={"public_url": box.url})
    try:
        bridge.start()
        yield bridge, box
    finally:
        bridge.close()
        box.close()


@pytest.fixture
def alice(tmp_path: Path) -> Iterator[Person]:
    with sync_playwright() as playwright, person(playwright, tmp_path, TONES[0]) as alice:
        yield alice


def opened(bridge: BridgeProcess, box: Middlebox, page: Person, contact: Handset) -> str:
    """The page of a new person; the person's address."""
    user = unique_user("alice")
    page.open(f"{box.url}/#token={bridge.token(user, contact.jid)}")
    contact.until(lambda r: any(full.startswith(bridge.jid(user)) and p["features"] for full, p in r["peers"].items()))
    return bridge.jid(user)


def both_hear(page: Person, contact: Handset) -> None:
    page.connected()
    page.media_grows(video=False)
    page.hears_tone(TONES[1])
    contact.until(hears(TONES[0]))


def test_a_call_and_a_cut_in_it(boxed: tuple[BridgeProcess, Middlebox], alice: Person, handset: HandsetFactory) -> None:
    bridge, box = boxed
    echo = handset(bridge.server, None, "--tone", str(TONES[1]))
    opened(bridge, box, alice, echo)
    assert (box.refused, box.count("POST /stream"), box.count("GET /stream")) == (1, 1, 1)
    alice.press(f"Call {echo.user}")
    both_hear(alice, echo)
    before = box.refused
    box.cut()
    alice.sees("Connection lost. Reconnecting…")
    echo.send("mute")
    alice.press("Mute")  # is told when there is a connection again
    alice.media_grows(video=False)
    box.mend()
    alice.gone("Connection lost. Reconnecting…")
    alice.sees("is muted")
    echo.until(lambda r: r["call"]["muted_by_peer"] and r["heard"]["silence"])
    alice.press("Unmute")
    echo.until(hears(TONES[0]))
    assert box.refused > before, "while nothing came through, a WebSocket was tried as well"
    alice.press("Hang up")
    assert echo.wait("ended")["reason"] == "peer: success"
    assert echo.report()["violations"] == [] and alice.problems == []
    assert not box.cookies and not any("?" in line for line in box.requests), "no credential in an address"


EVENT_SOURCE = """async (token) => {
  const hello = { type: 'hello', id: 'h', version: 1, token }
  const post = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(hello) }
  const { ticket } = await (await fetch('/stream', post)).json()
  const hear = () => new Promise((done) => {
    const source = new EventSource(`/stream?ticket=${ticket}`)
    source.onmessage = ({ data }) => done(JSON.parse(data).type)
    source.onerror = () => done(source.readyState)
  })
  return [await hear(), await hear()]
}"""


def test_a_call_from_the_contact_and_a_page_that_goes_in_it(
    boxed: tuple[BridgeProcess, Middlebox], alice: Person, handset: HandsetFactory
) -> None:
    bridge, box = boxed
    box.upgrades = "close"
    echo = handset(bridge.server, None, "--tone", str(TONES[1]))
    jid = opened(bridge, box, alice, echo)
    assert alice.page.evaluate(EVENT_SOURCE, bridge.token(unique_user("bob"))) == ["welcome", 2], "good once; then it is closed for good"
    alice.problems.clear()  # Chromium tells of the 401
    echo.send("call", to=jid, media=["audio"])
    alice.press("Accept")
    both_hear(alice, echo)
    streams = box.count("POST /stream")
    alice.page.goto("about:blank")
    assert echo.wait("ended", timeout=5.0)["reason"].startswith("peer:"), "the hang-up left with the page"
    assert box.count("POST /stream") == streams


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_nothing_is_lost_or_doubled_over_cuts_and_kinds(boxed: tuple[BridgeProcess, Middlebox], http: aiohttp.ClientSession) -> None:
    """Events and answers of one session over a stream, another stream, and a WebSocket. Another page of the person makes the events."""
    bridge, box = boxed
    box.upgrades = "pass"
    token = bridge.token(unique_user("alice"))
    one, other = RawStream(http, box.url), RawStream(http, box.url)
    resume = (await one.hello(token=token))["resume"]
    await other.hello(token=token)
    seen: list[tuple[int, str]] = []

    async def listen(hear: Any, until: str) -> None:
        while not seen or seen[-1][1] != until:
            frame = await hear()
            if frame["type"] == "presence":
                seen.append((frame["seq"], frame["status"]))

    async def show(*texts: str) -> None:
        assert await other.say(*({"type": "presence", "id": f"p{text}", "show": "dnd", "status": text} for text in texts)) == 204

    await show("1", "2")
    await listen(one.hear, "2")
    await one.say({"type": "presence", "id": "mine", "show": "dnd", "status": "3"})
    one.close()
    await show("4", "5")
    two = RawStream(http, box.url)
    welcome = await two.hello(resume={"secret": resume, "lastSeq": seen[-1][0]})
    assert welcome["resumed"] is True
    await listen(two.hear, "5")
    await two.say({"type": "presence", "id": "mine", "show": "dnd", "status": "6"})
    answer = await two.hear()
    assert (answer["type"], answer["id"]) == ("ack", "mine"), "the answer again, and it was not done again"
    await show("7")
    async with http.ws_connect(f"{box.url}/ws", protocols=["jinglebridge.v1"]) as socket:
        back = {"secret": welcome["resume"], "lastSeq": seen[-1][0]}
        await socket.send_json({"type": "hello", "id": "h", "version": 1, "resume": back})
        assert (await socket.receive_json(timeout=5))["resumed"] is True
        await show("8")
        await listen(lambda: socket.receive_json(timeout=5), "8")
    assert [text for _, text in seen] == ["1", "2", "4", "5", "7", "8"]
    numbers = [seq for seq, _ in seen]
    assert numbers == sorted(set(numbers))
    assert await one.say({"type": "bye", "id": "b"}) == 401 and await two.say({"type": "bye", "id": "b"}) == 401, "dead keys"
    await other.bye()
    two.close()


async def test_tickets_origins_and_the_log(boxed: tuple[BridgeProcess, Middlebox], http: aiohttp.ClientSession) -> None:
    bridge, box = boxed
    token = bridge.token(unique_user("alice"))
    stream = RawStream(http, box.url)
    assert (await stream.hello(token=token))["type"] == "welcome"
    assert (await stream.read()).status == 401, "the ticket was used"
    assert (await stream.read(Origin="https://evil.example")).status == 403
    hello = {"type": "hello", "id": "h", "version": 1, "token": token}
    for origin, status in (("https://evil.example", 403), (box.url, 200)):
        async with http.post(f"{box.url}/stream", json=hello, headers={"Origin": origin}) as reply:
            assert reply.status == status
    secrets = (stream.answer["key"], stream.answer["ticket"], token)
    assert await stream.say({"type": "nonsense", "id": "1"}) == 204
    await stream.bye()
    assert not any(secret in bridge.log() for secret in secrets)
