"""Real Dino and real Chromium talk through the bridge: tones drawn for this run are heard, colours drawn for it are seen.

Dino has no camera here, so pictures go from the page to Dino only. Needs root: see dino/namespace.py.
"""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any, Protocol

import pytest
from playwright.sync_api import expect, sync_playwright

from .bridge import BridgeProcess, wait_for
from .browser import Person, person
from .dino.client import Dino
from .dino.judge import camera_file, two_colours
from .dino.lab import lab
from .servers import skipped_when_missing, unique_user
from .shop import Shop, furnish, reads
from .test_contact import two_tones

pytestmark = pytest.mark.timeout(240)  # with the start of everything

TONES = two_tones()  # of the page, of Dino
COLOURS = two_colours()
VIDEO = pytest.mark.parametrize("video", [False, True], ids=["audio", "video"])

RTP = "{urn:xmpp:jingle:apps:rtp:1}"
ICE = "{urn:xmpp:jingle:transports:ice-udp:1}"
DTLS = "{urn:xmpp:jingle:apps:dtls:0}"
GROUP = "{urn:xmpp:jingle:apps:grouping:0}group"
CONTENT = ".//{urn:xmpp:jingle:1}content"

# How the page's media goes, and what of it the other side may have been told.
PATH = """async () => {
  const stats = [...(await window.jinglebridge.call.peerConnection.getStats()).values()]
  const pair = stats.find((r) => r.type === 'candidate-pair' && r.nominated && r.state === 'succeeded')
  const local = stats.filter((r) => r.type === 'local-candidate').map((r) => r.candidateType)
  return { used: stats.find((r) => r.id === pair.localCandidateId).candidateType, local }
}"""

# How many packets came to the page in this call, of RTP and all else.
RECEIVED = """async () => {
  const stats = [...(await window.jinglebridge.call.peerConnection.getStats()).values()]
  return stats.filter((r) => r.type === 'candidate-pair').reduce((sum, r) => sum + (r.packetsReceived ?? 0), 0)
}"""

# What of the page's picture went out, and when the other side last said how much of it came in.
SENT = """async () => {
  const stats = [...(await window.jinglebridge.call.peerConnection.getStats()).values()].filter((r) => r.kind === 'video')
  const [out, back] = ['outbound-rtp', 'remote-inbound-rtp'].map((type) => stats.find((r) => r.type === type))
  return { packets: out?.packetsSent ?? 0, frames: out?.framesEncoded ?? 0, told: back?.timestamp ?? 0, lost: back?.fractionLost ?? 1 }
}"""


@pytest.fixture(scope="module")
def dino(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dino]:
    with skipped_when_missing(), lab(tmp_path_factory.mktemp("dino"), TONES[1]) as dino:
        yield dino


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    shop = Shop()
    with shop.open():
        yield shop


@pytest.fixture(scope="module")
def bridge(dino: Dino, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    limits, web = {"ring": 20.0, "calls_per_minute": 1000}, {"allowed_origins": [shop.origin]}
    bridge = BridgeProcess(tmp_path_factory.mktemp("bridge"), dino.server, limits=limits, web=web)
    yield bridge
    bridge.close()


@pytest.fixture(scope="module")
def chromium(dino: Dino, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    folder = tmp_path_factory.mktemp("alice")
    camera = camera_file(folder / "camera.y4m", COLOURS)
    with sync_playwright() as playwright, person(playwright, folder, TONES[0], flags=(f"--use-file-for-fake-video-capture={camera}",)) as p:
        yield p


@pytest.fixture(autouse=True)
def nothing_left(chromium: Person, dino: Dino) -> Iterator[None]:
    """Whatever a test left when it failed does not meet the next one."""
    yield
    chromium.page.goto("about:blank")
    dino.settles()


@pytest.fixture
def alice(bridge: BridgeProcess, chromium: Person, dino: Dino) -> Iterator[tuple[Person, str]]:
    """The page of a web user whom Dino has never seen, with Dino's user as a contact; and the web user's address."""
    user = unique_user("alice")
    chromium.open(bridge.link(user, dino.jid))
    yield chromium, bridge.jid(user)
    assert chromium.problems == []


class Start(Protocol):
    def __call__(self, page: Person, dino: Dino, jid: str, *, video: bool) -> None: ...


def call_dino(page: Person, dino: Dino, jid: str, *, video: bool) -> None:
    page.press(f"{'Video call' if video else 'Call'} {dino.name}")
    dino.accepts(dino.rings(jid, video=video))


def call_page(page: Person, dino: Dino, jid: str, *, video: bool) -> None:
    dino.calls(jid, video=video)
    page.press("Accept with video" if video else "Accept")


def in_call(start: Start, page: Person, dino: Dino, jid: str, *, video: bool) -> int:
    """They talk; where the call begins in Dino's log."""
    since = until_dino_sends(page, dino, lambda: start(page, dino, jid, video=video))
    both_hear(page, dino)
    return since


def until_dino_sends(page: Person, dino: Dino, call: Callable[[], None]) -> int:
    """`call` makes a call; where it begins in Dino's log.

    In about one of forty calls, and more on a loaded machine, Dino 0.4.2 sends no sound: its sound processing, which starts when the call
    is accepted and before anything comes from the other side, never begins or hands nothing on. Nobody is heard then, so they call again.
    What decides is the wire: sound that is sent and not heard is no reason.
    """
    for _ in range(4):
        since = dino.mark()
        call()
        page.connected()
        if sound_comes(page):
            return since
        page.press("Hang up")
        dino.says("IN session-terminate success", since)
        dino.closes_the_window()
    raise AssertionError("Dino sends no sound")


def sound_comes(page: Person) -> bool:
    """Many packets in a second, one for each 20 ms of sound; RTCP and ICE alone are a few."""
    before = page.page.evaluate(RECEIVED)
    for _ in range(6):
        page.page.wait_for_timeout(1000)
        now = page.page.evaluate(RECEIVED)
        if now - before > 30:
            return True
        before = now
    return False


def both_hear(page: Person, dino: Dino) -> None:
    page.plays(video=False)
    page.hears_tone(TONES[1])
    dino.hears_tone(TONES[0])
    page.media_grows(video=False)


def dino_sees(page: Person, dino: Dino) -> None:
    """Dino paints the page's picture, and tells the page by RTCP what came in."""
    dino.shows(COLOURS)
    before: dict[str, Any] = page.page.evaluate(SENT)

    def reported() -> bool:
        after = page.page.evaluate(SENT)
        assert after["packets"] >= before["packets"] and after["frames"] >= before["frames"], (before, after)
        return bool(after["packets"] > before["packets"] and after["frames"] > before["frames"] and after["told"] > before["told"])

    try:
        wait_for("Dino reports that more video came in", reported)
    except AssertionError:
        raise AssertionError(f"Dino does not report more video: {before}, {page.page.evaluate(SENT)}") from None
    assert page.page.evaluate(SENT)["lost"] < 0.1


def page_hangs_up(page: Person, dino: Dino, since: int) -> None:
    page.press("Hang up")
    page.sees(f"Call with {dino.name} ended")
    dino.says("IN session-terminate success", since)
    dino.closes_the_window()
    assert dino.last_call() == "ended"


def dino_hangs_up(page: Person, dino: Dino, since: int) -> None:
    dino.presses("hang up", "OUT session-terminate success", since)
    page.sees(f"Call with {dino.name} ended")
    dino.closes_the_window()
    assert dino.last_call() == "ended"


def page_is_silent(page: Person) -> None:
    expect(page.page.locator("#incoming")).not_to_be_visible()
    expect(page.page.locator("#call")).not_to_be_visible()


def sent_and_got(dino: Dino, since: int, sent: str, got: str) -> tuple[ET.Element, ET.Element]:
    """The stanzas of these two Jingle actions."""

    def the(direction: str, action: str) -> ET.Element:
        (found,) = [s for d, s in dino.stanzas(since) if d == direction and s.find(f".//*[@action='{action}']") is not None]
        return found

    return the("OUT", sent), the("IN", got)


@VIDEO
def test_page_calls_dino(alice: tuple[Person, str], dino: Dino, video: bool) -> None:
    page, jid = alice
    since = in_call(call_dino, page, dino, jid, video=video)
    if video:
        dino_sees(page, dino)
        page.press("Stop video")
        dino.says("IN session-info mute", since)
        dino.shows_no_picture(COLOURS)
        page.press("Start video")
        dino.shows(COLOURS)
    answer, offer = sent_and_got(dino, since, "session-accept", "session-initiate")
    assert answer.find(f".//{RTP}encryption") is None and offer.find(f".//{RTP}encryption") is None
    assert len(offer.findall(CONTENT)) == len(answer.findall(CONTENT)) == (2 if video else 1)
    page_hangs_up(page, dino, since)


@VIDEO
def test_dino_calls_page(alice: tuple[Person, str], dino: Dino, video: bool) -> None:
    """Dino offers SDES beside DTLS. Were it echoed, the call would connect and the tone be noise."""
    page, jid = alice
    dino.befriends(jid)
    page.sees("Online")
    since = in_call(call_page, page, dino, jid, video=video)
    if video:
        dino_sees(page, dino)
    offer, answer = sent_and_got(dino, since, "session-initiate", "session-accept")
    for content in offer.findall(CONTENT):
        assert content.find(f"{RTP}description/{RTP}encryption/{RTP}crypto") is not None, "Dino offers SDES no more?"
        assert content.find(f"{ICE}transport/{DTLS}fingerprint") is not None
    assert answer.find(f".//{RTP}encryption") is None and answer.find(f".//{GROUP}") is None
    prints = answer.findall(f"{CONTENT}/{ICE}transport/{DTLS}fingerprint")
    assert [p.get("setup") in ("active", "passive") for p in prints] == [True] * (2 if video else 1)
    dino_hangs_up(page, dino, since)


def test_dino_calls_back_whom_it_never_saw(alice: tuple[Person, str], dino: Dino) -> None:
    """No subscription either way: the presence that came with the page's call is what makes Dino's call button appear."""
    page, jid = alice
    before = dino.mark()
    page.press(f"Call {dino.name}")
    ring = dino.rings(jid, video=False)
    page.press("Hang up")
    dino.rings_no_more(ring)
    since = in_call(call_page, page, dino, jid, video=False)
    page.sees("Presence not shared")
    page_hangs_up(page, dino, since)
    assert all(s.get("type") not in ("subscribe", "subscribed") for d, s in dino.stanzas(before) if d == "OUT")


def test_dino_declines(alice: tuple[Person, str], dino: Dino) -> None:
    page, jid = alice
    since = dino.mark()
    page.press(f"Call {dino.name}")
    ring = dino.rings(jid, video=False)
    dino.rejects(ring)
    page.sees(f"{dino.name} declined the call")
    dino.rings_no_more(ring)
    dino.call_becomes("declined")
    page_is_silent(page)
    assert "IN session-initiate" not in dino.conversation(since)


def test_page_cancels(alice: tuple[Person, str], dino: Dino) -> None:
    page, jid = alice
    since = dino.mark()
    page.press(f"Call {dino.name}")
    ring = dino.rings(jid, video=False)
    page.press("Hang up")
    page.sees("You cancelled the call")
    dino.rings_no_more(ring)
    dino.call_becomes("missed")
    page_is_silent(page)
    dino.says("IN retract cancel", since)


def test_page_declines_and_dino_cancels(alice: tuple[Person, str], dino: Dino) -> None:
    page, jid = alice
    since = dino.mark()
    dino.befriends(jid)
    page.sees("Online")
    dino.calls(jid, video=False)
    page.press("Decline")
    page.sees("You declined the call")
    dino.call_becomes("declined")
    dino.closes_the_window()
    page_is_silent(page)
    dino.calls(jid, video=False)
    page.offers("Accept")
    dino.presses("hang up", "OUT retract", since)
    page.sees(f"{dino.name} stopped calling")
    dino.closes_the_window()
    dino.call_becomes("missed")
    page_is_silent(page)
    assert not any("session-initiate" in words for words in dino.conversation(since))


def test_dino_hangs_up_a_call_of_the_page(alice: tuple[Person, str], dino: Dino) -> None:
    page, jid = alice
    since = dino.mark()
    call_dino(page, dino, jid, video=False)
    page.connected()
    dino_hangs_up(page, dino, since)


def test_mute_both_ways(alice: tuple[Person, str], dino: Dino) -> None:
    page, jid = alice
    since = in_call(call_dino, page, dino, jid, video=False)
    page.press("Mute")
    dino.says("IN session-info mute", since)
    dino.hears_silence()
    page.press("Unmute")
    dino.says("IN session-info unmute", since)
    dino.hears_tone(TONES[0])
    dino.presses("microphone", "OUT session-info mute", since)
    page.sees(f"{dino.name} is muted")
    page.hears_silence()
    dino.presses("microphone", "OUT session-info unmute", since)
    page.gone(f"{dino.name} is muted")
    page.hears_tone(TONES[1])
    page_hangs_up(page, dino, since)


@pytest.mark.long
def test_the_page_adds_its_camera_and_a_screen(alice: tuple[Person, str], dino: Dino) -> None:
    """A content-add, which Dino takes and shows. A screen follows in the same content: it takes no description-info that could tell of it.

    It has no telephone-event among its codecs, so there is no keypad.
    """
    page, jid = alice
    since = in_call(call_dino, page, dino, jid, video=False)
    expect(page.page.get_by_role("button", name="Keypad", exact=True)).to_be_hidden()
    page.press("Start video")
    dino.says("IN content-add", since)
    dino_sees(page, dino)
    page.press("Share screen")
    dino.shows_no_picture(COLOURS)
    page.press("Stop sharing")
    dino.shows(COLOURS)
    page.press("Stop video")
    dino.shows_no_picture(COLOURS)
    both_hear(page, dino)
    page_hangs_up(page, dino, since)


def test_a_screen_alone_is_told_to_dino_as_slides(alice: tuple[Person, str], dino: Dino) -> None:
    page, jid = alice
    since = in_call(call_dino, page, dino, jid, video=False)
    page.press("Share screen")
    dino.says("IN content-add", since)
    (added,) = [s for d, s in dino.stanzas(since) if d == "IN" and s.find(".//*[@action='content-add']") is not None]
    category = added.find(f"{CONTENT}/{RTP}description/{{urn:xmpp:jingle:apps:category:0}}category")
    assert category is not None and category.get("name") == "slides"
    dino.says("OUT content-accept", since)
    page_hangs_up(page, dino, since)


@pytest.mark.long
def test_the_page_holds_dino_and_goes_on(alice: tuple[Person, str], dino: Dino) -> None:
    """J-208: Dino knows no hold; neither hears the other all the same, and both do afterwards."""
    page, jid = alice
    since = in_call(call_dino, page, dino, jid, video=False)
    page.press("Hold")
    dino.says("IN session-info hold", since)
    page.sees("On hold.")
    dino.hears_silence()
    page.hears_silence()
    page.press("Resume")
    dino.says("IN session-info active", since)
    dino.hears_tone(TONES[0])
    page.hears_tone(TONES[1])
    page_hangs_up(page, dino, since)


def test_the_button_of_another_site_calls_dino(bridge: BridgeProcess, chromium: Person, dino: Dino, shop: Shop) -> None:
    """`<jingle-call>` as docs/how-to/embed.md has it, in a page of another origin."""
    user = unique_user("anna")
    shop.token = bridge.token(user, dino.jid, name="Anna")
    furnish(shop, bridge, dino.jid)
    shop.visited(chromium)

    def call() -> None:
        chromium.press("Call Support")
        dino.accepts(dino.rings(bridge.jid(user), video=False))

    since = until_dino_sends(chromium, dino, call)
    both_hear(chromium, dino)
    chromium.press("Hang up")
    dino.says("IN session-terminate success", since)
    reads(chromium, "Call with Support ended")
    dino.closes_the_window()
    assert dino.last_call() == "ended"
    assert chromium.problems == []


def test_a_guest_link_from_dinos_chat_rings_dino_through_turn_only(bridge: BridgeProcess, chromium: Person, dino: Dino) -> None:
    """Issue 5: the link is made by a line in Dino's chat, and opened by somebody who has nothing but the link."""
    page, gateway = chromium.page, dino.server.component
    answer = dino.writes(gateway, "link Shop audio 2 days")
    (url,) = [word for word in answer.split() if word.startswith(bridge.url)]
    since = dino.mark()
    page.goto(url)
    for text in (f"Call {dino.name}", "Shop"):
        chromium.sees(text)
    assert not bridge.calls(), "opening it does nothing"
    page.get_by_label("Your name").fill("Anna Blume")
    buttons = chain(["Call"], repeat("Call again"))

    def call() -> None:
        chromium.press(next(buttons))
        dino.accepts(dino.rings("guest-anna-blume-", video=False, begins=True))

    until_dino_sends(chromium, dino, call)
    path: dict[str, Any] = page.evaluate(PATH)
    assert path["used"] == "relay" and set(path["local"]) == {"relay"}, path
    both_hear(chromium, dino)
    told = dino.chat("IN", gateway, since)
    assert len(told) == 1 and told[0].startswith("Anna Blume calls you by your guest link “Shop”, from the address guest-anna-blume-"), told
    seen = [ET.tostring(s, encoding="unicode") for d, s in dino.stanzas(since) if d == "IN"]
    assert any('type="relay"' in xml for xml in seen)
    assert not any('type="host"' in xml or 'type="srflx"' in xml for xml in seen), "the guest's own address is not shown"
    page_hangs_up(chromium, dino, since)
    chromium.offers("Call again")
    assert "“Shop”" in dino.writes(gateway, "revoke Shop")
    chromium.sees("This link does not work")
    assert [p for p in chromium.problems if "404" not in p] == []
    chromium.problems.clear()


@pytest.mark.long
def test_a_relayed_call_ends_with_a_reason_before_the_credentials_of_its_relay_do(
    bridge: BridgeProcess, chromium: Person, dino: Dino, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Dino cannot renew its way through the relay. With credentials of 60 s no call takes longer than 30. DESIGN §5."""
    bridge.close()  # one component has one bridge
    short = BridgeProcess(tmp_path_factory.mktemp("short"), dino.server, turn={"relay_only": True, "lifetime": 60})
    try:
        user = unique_user("alice")
        chromium.open(short.link(user, dino.jid))
        began = time.monotonic()
        in_call(call_dino, chromium, dino, short.jid(user), video=False)
        assert chromium.page.evaluate(PATH)["used"] == "relay"
        chromium.sees("reached the longest time", timeout=60)
        assert time.monotonic() - began > 25
        call = next(c for c in reversed(short.all_calls()) if c["with"] == dino.jid)
        assert (call["reason"], call["by"], call["mediaSeen"], call["relayed"]) == ("too-long", "bridge", True, True), call
    finally:
        short.close()
        bridge.start()


@pytest.mark.long
@pytest.mark.timeout(1200)
@VIDEO
def test_many_calls_in_both_directions(alice: tuple[Person, str], dino: Dino, video: bool) -> None:
    page, jid = alice
    dino.befriends(jid)
    page.sees("Online")
    for number in range(20):
        since = in_call(call_page if number % 2 else call_dino, page, dino, jid, video=video)
        if video:
            dino.shows(COLOURS)
        (dino_hangs_up if number % 4 < 2 else page_hangs_up)(page, dino, since)
