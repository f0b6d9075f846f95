"""`<jingle-call>` in a real Chromium, on a page with a strict CSP, through a bridge that has no XMPP (`fake_server`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from call_pages import Open, press
from fake_server import FakeBridge, contact
from playwright.async_api import Locator, Page, expect

from jinglebridge.web import messages as m

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

NPM = Path(__file__).parent / "npm" / "node_modules"  # scripts/test installs it
PAGE = '<script type="module" src="/client/jingle-call.js"></script>{}<p>More</p>'
LISTEN = """() => {
  window.told = []
  for (const type of ['call', 'ended', 'error']) {
    addEventListener(type, ({ detail }) => detail && told.push([type, detail.reason ?? detail.code ?? detail.direction].join(' ')))
  }
}"""
INSIDE = "document.querySelector('jingle-call').shadowRoot.querySelector"
PLAYING = f"{INSIDE}('audio').currentTime > 0 && !{INSIDE}('audio').paused"
SHOWN = f"{INSIDE}('video').getVideoPlaybackQuality().totalVideoFrames > 5"


@pytest_asyncio.fixture(loop_scope="module")
async def shop(bridge: FakeBridge, enter: Open) -> Callable[[str], Awaitable[Page]]:
    """A page that holds this element, of somebody who is Alice at `/my-token`. A fault of the page fails the test."""

    async def open_page(element: str, without: dict[str, str] | None = None) -> Page:
        page = await enter("nobody", without)
        bridge.shop = PAGE.format(element)
        await page.add_init_script(f"({LISTEN})()")
        await page.goto(f"{bridge.url}shop")
        return page

    return open_page


async def until(page: Page, condition: str) -> None:
    """`page.wait_for_function` needs the `unsafe-eval` that the CSP forbids."""
    async with asyncio.timeout(20):
        while not await page.evaluate(condition):
            await page.wait_for_timeout(30)


def status(page: Page) -> Locator:
    return page.get_by_role("status")


async def told(page: Page) -> list[str]:
    return await page.evaluate("told")  # type: ignore[no-any-return]


UNPLUGGED = """(order) => {
  const tracks = document.querySelector('jingle-call').call.localStream.getTracks()
  for (const track of tracks) track.stop()
  for (const kind of order) tracks.find((track) => track.kind === kind).dispatchEvent(new Event('ended'))
}"""
BOB = '<jingle-call to="bob@call.example.org" token-url="/my-token" {}></jingle-call>'


async def test_one_press_connects_calls_and_hangs_up(bridge: FakeBridge, enter: Open, shop: Open) -> None:
    bob = await enter("bob")
    page = await shop(BOB.format('label="Talk to us"'))
    sessions = len(bridge.sessions)
    button = page.get_by_role("button", name="Talk to us")
    await expect(button).to_be_enabled()
    assert len(bridge.sessions) == sessions, "without a press or presence nothing is connected"
    await page.keyboard.press("Tab")
    await expect(button).to_be_focused()
    await expect(button).to_have_css("outline-color", "rgb(0, 0, 0)")  # and white beside it: seen on any ground
    await page.keyboard.press("Space")
    await expect(status(page)).to_have_text("Ringing…")
    await expect(page.get_by_role("group", name="Bob")).to_be_visible()
    await expect(page.get_by_role("button", name="Hang up")).to_be_focused()
    await press(bob, "Accept")
    await expect(status(page)).to_have_text("Connected")
    await expect(page.locator("jingle-call")).to_have_attribute("state", "connected")
    await until(page, PLAYING)
    mute = page.get_by_role("button", name="Mute", pressed=False)
    await mute.click()
    await expect(page.get_by_role("button", name="Mute", pressed=True)).to_be_visible()
    await expect(bob.get_by_text("Alice Liddell is muted")).to_be_visible()
    await page.get_by_role("button", name="Hang up").press("Enter")
    await expect(button).to_be_focused()
    await expect(status(page)).to_contain_text("ended")
    assert await told(page) == ["call out", "ended ended"]
    await until(page, "document.querySelector('jingle-call').call === null")
    assert bridge.seen(m.Bye), "the session ends with the call"


async def test_presence_and_names_are_text(bridge: FakeBridge, shop: Open) -> None:
    carol = '<jingle-call to="carol@call.example.org" token-url="/my-token" presence></jingle-call>'
    page = await shop(carol)
    await expect(page.get_by_text("Carol <b>Danvers</b> is away")).to_be_visible()
    button = page.get_by_role("button", name="Call Carol <b>Danvers</b>")
    await expect(button).to_have_accessible_description("Carol <b>Danvers</b> is away")
    alice = next(s for s in bridge.sessions if s.user == "alice")
    await alice.event(m.ContactEvent(contact=contact("carol", "Carol", "available", "")))
    await expect(page.get_by_text("Carol is online")).to_be_visible()
    await page.evaluate("document.querySelector('jingle-call').setAttribute('name', '<i>Sales</i>')")
    await expect(page.get_by_role("button", name="Call <i>Sales</i>")).to_be_visible()
    assert len([s for s in bridge.sessions if s.user == "alice"]) == 1


async def test_video(enter: Open, shop: Open) -> None:
    bob = await enter("bob")
    page = await shop(BOB.format("video"))
    await press(page, "Call bob")
    await press(bob, "Accept with video")
    picture = page.locator("jingle-call video").first
    await expect(picture).to_be_visible()
    await until(page, SHOWN)
    await page.get_by_role("button", name="Camera", pressed=True).click()
    await expect(page.get_by_role("button", name="Camera", pressed=False)).to_be_visible()
    await expect(page.locator("jingle-call video").nth(1)).to_be_hidden()
    await press(bob, "Hang up")
    await expect(picture).to_be_hidden()
    await expect(page.get_by_role("button", name="Call bob")).to_be_visible()


@pytest.mark.parametrize("order", [["audio", "video"], ["video", "audio"]], ids="-".join)
async def test_a_lost_camera_does_not_hide_that_the_microphone_is_lost(enter: Open, shop: Open, order: list[str]) -> None:
    bob = await enter("bob")
    page = await shop(BOB.format("video"))
    await press(page, "Call bob")
    await press(bob, "Accept with video")
    await expect(status(page)).to_have_text("Connected")
    await page.evaluate(UNPLUGGED, order)
    await expect(status(page)).to_have_text(
        "Connected Your microphone was unplugged, so they cannot hear you. Choose another one, or call again."
    )
    await expect(page.get_by_role("button", name="Camera", pressed=False)).to_be_visible()


async def test_called_back(enter: Open, shop: Open) -> None:
    bob = await enter("bob")
    page = await shop(BOB.format("presence"))
    await expect(page.get_by_text("Bob is online")).to_be_visible()
    for answer in ("Decline", "Answer"):
        await press(bob, "Call Alice Liddell")
        await expect(status(page)).to_have_text("Incoming call")
        await press(page, answer)
        if answer == "Decline":
            await expect(bob.get_by_role("heading", name="Alice Liddell declined the call.")).to_be_visible()
            await press(bob, "Close")
    await expect(status(page)).to_have_text("Connected")
    await until(page, PLAYING)
    assert await told(page) == ["call in", "ended declined", "call in"]


async def test_no_token_yet(bridge: FakeBridge, shop: Open) -> None:
    page = await shop('<jingle-call to="bob@call.example.org"></jingle-call>')
    button = page.get_by_role("button", name="Call bob")
    await expect(button).to_be_disabled()
    await page.evaluate("document.querySelector('jingle-call').tokenProvider = async () => 'alice'")
    await expect(button).to_be_enabled()
    await page.evaluate("document.querySelector('jingle-call').setAttribute('disabled', '')")
    await expect(button).to_be_disabled()
    await page.evaluate("document.querySelector('jingle-call').removeAttribute('disabled')")
    await button.click()
    await expect(status(page)).to_have_text("Calling…")


@pytest.mark.parametrize(
    ("reply", "code"),
    [({"status": 403, "body": "log in"}, "not-authorized"), ({"status": 200, "body": "<html>Log in"}, "not-authorized"),
     ({"status": 200, "body": '{"token": "expired"}'}, "token-expired"), ({"status": 200, "body": "{nonsense"}, "not-authorized")],
)  # fmt: skip
async def test_no_token_to_be_had(shop: Open, reply: dict[str, object], code: str) -> None:
    page = await shop(BOB.format(""))
    await page.route("**/my-token", lambda route: route.fulfill(**reply))  # type: ignore[arg-type]
    await press(page, "Call bob")
    await expect(status(page)).to_have_text("You cannot call from here. Log in again, or reload the page.")
    await expect(page.get_by_role("button", name="Call bob")).to_be_focused()
    assert await told(page) == ["call out", f"error {code}", "ended gone"]


async def test_no_token_for_presence_is_said_at_once(shop: Open) -> None:
    """Before anybody presses in vain; `error` lets the site's style sheet hide it. A press tries again, and so does another provider."""
    page = await shop('<jingle-call to="bob@call.example.org" presence></jingle-call>')
    await page.evaluate("() => { document.querySelector('jingle-call').tokenProvider = () => { throw new Error('no') } }")
    said = "You cannot call from here. Log in again, or reload the page."
    await expect(status(page)).to_have_text(said)
    element = page.locator("jingle-call")
    await expect(element).to_have_attribute("error", "not-authorized")
    assert await told(page) == ["error not-authorized"]
    await press(page, "Call bob")
    await expect(status(page)).to_have_text(said)
    assert await told(page) == ["error not-authorized", "call out", "error not-authorized", "ended gone"]
    await page.evaluate("() => { document.querySelector('jingle-call').tokenProvider = async () => 'alice' }")
    await expect(page.get_by_text("Bob is online")).to_be_visible()
    await expect(element).not_to_have_attribute("error", "not-authorized")


async def test_nobody_looks_online_while_the_bridge_is_away(bridge: FakeBridge, shop: Open) -> None:
    page = await shop(BOB.format("presence"))
    await expect(page.get_by_text("Bob is online")).to_be_visible()
    bridge.down = True
    await bridge.drop("alice")
    await expect(page.get_by_text("Bob is online")).to_be_hidden()
    bridge.down = False
    await expect(page.get_by_text("Bob is online")).to_be_visible()


async def test_no_microphone(shop: Open) -> None:
    page = await shop(BOB.format(""), {"audio": "NotAllowedError"})
    await press(page, "Call bob")
    await expect(status(page)).to_contain_text("The browser does not let this page use your microphone.")
    assert await told(page) == ["call out", "error microphone-refused", "ended failed-media"]


async def test_a_bridge_that_is_down(bridge: FakeBridge, shop: Open) -> None:
    page = await shop(BOB.format(""))
    bridge.down = True
    await press(page, "Call bob")
    await expect(status(page)).to_contain_text("The call service cannot be reached. Trying again…")
    bridge.down = False
    await expect(status(page)).to_have_text("Calling…")
    await press(page, "Hang up")
    await expect(status(page)).to_have_text("You cancelled the call.")
    assert bridge.seen(m.Hangup)


async def test_moved_in_the_page_and_taken_out_of_it(bridge: FakeBridge, enter: Open, shop: Open) -> None:
    bob = await enter("bob")
    page = await shop(BOB.format(""))
    await press(page, "Call bob")
    await press(bob, "Accept")
    await expect(status(page)).to_have_text("Connected")
    await page.evaluate("document.querySelector('p').append(document.querySelector('jingle-call'))")
    await until(page, PLAYING)
    await expect(status(page)).to_have_text("Connected")
    await page.evaluate("document.querySelector('jingle-call').remove()")
    await expect(bob.get_by_role("heading", name="Call with Alice Liddell ended.")).to_be_visible()


@pytest.mark.long
async def test_axe_finds_nothing_in_the_button(enter: Open, shop: Open) -> None:
    """Alone, while it rings, in a call with pictures, and called."""
    bob = await enter("bob")
    page = await shop(f"<main><h1>Shop</h1>{BOB.format('presence video')}</main>")
    await page.evaluate("document.body.querySelector(':scope > p').remove()")
    await page.evaluate((NPM / "axe-core" / "axe.min.js").read_text())

    async def faults() -> object:
        return await page.evaluate("""async () => {
          const { violations, passes } = await axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })
          return passes.length > 10 && violations.map(({ id, nodes }) => [id, nodes[0].html])
        }""")

    await expect(page.get_by_text("Bob is online")).to_be_visible()
    assert await faults() == []
    await press(page, "Call Bob")
    await expect(status(page)).to_have_text("Ringing…")
    assert await faults() == []
    await press(bob, "Accept with video")
    await expect(status(page)).to_have_text("Connected")
    await until(page, SHOWN)
    assert await faults() == []
    await press(page, "Hang up")
    await press(bob, "Close")
    await press(bob, "Call Alice Liddell")
    await expect(page.get_by_role("button", name="Answer")).to_be_visible()
    assert await faults() == []
    await press(page, "Decline")


async def test_the_button_speaks_the_language_of_the_site(shop: Open) -> None:
    page = await shop("")
    await page.evaluate("""() => {
      document.documentElement.lang = 'de-DE'
      document.body.innerHTML = '<jingle-call to="bob@call.example.org" name="Bob" token-url="/my-token" presence></jingle-call>'
    }""")
    await expect(page.get_by_role("button", name="Bob anrufen")).to_be_enabled()
    await expect(page.get_by_text("Bob ist online")).to_be_visible()
    await page.evaluate("import('/client/words.js').then(({ reword }) => reword({ 'button.call': 'Zu {name}' }))")
    await page.evaluate("document.querySelector('jingle-call').setAttribute('name', 'Bobby')")
    await expect(page.get_by_role("button", name="Zu Bobby")).to_be_visible()
