"""The call page in a real Chromium: two pages call each other through a bridge that has no XMPP (`fake_server`)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from fake_server import FakeBridge
from playwright.async_api import Browser, Page, async_playwright, expect

from jinglebridge.web import messages as m

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]
ARGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --use-fake-ui-for-media-stream --use-fake-device-for-media-stream=device-count=2"
).split()
NO_DEVICE = """kinds => {
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices)
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    for (const [kind, name] of Object.entries(kinds)) if (wanted[kind]) throw new DOMException('no', name)
    return real(wanted)
  }
}"""
Open = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="module")
async def bridge() -> AsyncIterator[FakeBridge]:
    fake = FakeBridge()
    runner = web.AppRunner(fake.app(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield fake
    await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for all; each page has a profile of its own."""
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: install the Debian package"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def enter(bridge: FakeBridge, browser: Browser) -> AsyncIterator[Open]:
    """Opens the page as a user, in a profile of its own; fails at the end when a page had an error or broke the CSP."""
    faults: list[str] = []

    async def open_page(user: str, without: dict[str, str] | None = None) -> Page:
        context = await browser.new_context(permissions=["camera", "microphone"])
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
        if without:
            await page.add_init_script(f"({NO_DEVICE})({without})")
        await page.goto(f"{bridge.url}#token={user}")
        await expect(page.get_by_role("heading", name="Contacts")).to_be_visible()
        return page

    yield open_page
    for context in browser.contexts:
        await context.close()
    assert faults == []


def press(page: Page, name: str) -> Awaitable[None]:
    return page.get_by_role("button", name=name, exact=True).click()


async def connected(*pages: Page) -> None:
    for page in pages:
        await expect(page.locator("#call-state")).to_contain_text("Connected")


async def sounds(page: Page) -> None:
    """Waits until the sound of the other side really plays: an element without data does not move on."""
    await page.evaluate("""async () => {
      const audio = document.getElementById('remote-audio')
      while (audio.paused || audio.readyState < 2 || audio.currentTime === 0) await new Promise((next) => setTimeout(next, 50))
    }""")


async def frames_grow(page: Page) -> None:
    """Waits until the page has shown 10 more pictures of the other side. (The CSP forbids page.wait_for_function.)"""
    await page.evaluate("""async () => {
      const video = document.getElementById('remote-video')
      for (let n = 0; n < 10; n++) await new Promise((next) => video.requestVideoFrameCallback(next))
    }""")


async def end_reason(page: Page) -> Any:
    return await page.evaluate("""() => new Promise((tell) => {
      const { call } = window.jinglebridge
      if (call.ended) tell(call.reason)
      else call.addEventListener('ended', ({ detail }) => tell(detail.reason))
    })""")


async def test_video_call_mute_and_hang_up(bridge: FakeBridge, enter: Open) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    assert "token" not in alice.url
    await press(alice, "Video call Bob")
    await expect(alice.locator("#call-state")).to_have_text("Ringing…")
    await expect(bob.get_by_role("dialog", name="Alice Liddell")).to_contain_text("Video call")
    await press(bob, "Accept with video")
    await connected(alice, bob)
    await frames_grow(alice)
    await frames_grow(bob)
    await sounds(alice)
    await sounds(bob)
    await press(bob, "Mute")
    await expect(alice.locator("#call-state")).to_have_text("Connected. Bob is muted.")
    await press(bob, "Unmute")
    await expect(alice.locator("#call-state")).to_have_text("Connected")
    await press(bob, "Stop video")
    await expect(alice.locator("#remote-video")).to_be_hidden()
    await press(bob, "Start video")
    await frames_grow(alice)
    await press(alice, "Hang up")
    await expect(bob.get_by_role("heading", name="Call with Alice Liddell ended.")).to_be_visible()
    assert {s.connectionState for s in bridge.seen(m.Stats)} >= {"connecting", "connected"}
    end = bridge.seen(m.AddCandidate)
    assert any(frame.candidate is None for frame in end)
    assert {frame.candidate.sdpMid for frame in end if frame.candidate} == {"0", "1"}, "J-192: candidates for each section"


async def test_audio_answer_to_a_video_call_and_no_camera(bridge: FakeBridge, enter: Open) -> None:
    alice, bob = await enter("alice", without={"video": "NotFoundError"}), await enter("bob")
    await press(alice, "Video call Bob")
    await expect(alice.locator("#call-note")).to_contain_text("No camera was found")
    await press(bob, "Accept")
    await connected(alice, bob)
    offer, answer = bridge.seen(m.CallRequest)[0].description.sdp, bridge.seen(m.SetDescription)[0].description.sdp
    assert "a=recvonly" in offer.partition("m=video")[2]
    assert "m=video 0 " not in answer, "J-089: not refused"


async def test_video_that_the_other_side_refuses_is_one_sentence(bridge: FakeBridge, enter: Open) -> None:
    bridge.abilities, bridge.refused = m.Abilities(add=True), "add"
    alice, bob = await enter("alice"), await enter("bob")
    await press(alice, "Call Bob")
    await press(bob, "Accept")
    await connected(alice, bob)
    for _ in range(2):  # it may be tried again
        await press(alice, "Start video")
        await asyncio.wait_for(bridge.refusals.get(), 10)
        await expect(alice.locator("#call-note")).to_have_text(
            "The other side does not take your video in this call. The call goes on as before."
        )
        await expect(alice.get_by_role("button", name="Start video")).to_be_visible()
        await expect(alice.locator("#local-video")).to_be_hidden()
    await sounds(bob)


async def test_no_button_for_video_that_nobody_can_take(enter: Open) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await press(alice, "Call Bob")
    await press(bob, "Accept")
    await connected(alice, bob)
    await expect(alice.get_by_role("button", name="Start video")).to_be_hidden()
    await press(alice, "Hang up")
    await press(alice, "Close")
    await press(alice, "Video call Bob")
    await press(bob, "Accept")  # without video: the section only receives, and nothing can be changed
    await connected(alice, bob)
    await expect(alice.get_by_role("button", name="Stop video")).to_be_visible()
    await expect(bob.get_by_role("button", name="Start video")).to_be_hidden()


async def test_decline_and_call_again(enter: Open) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await press(alice, "Call Bob")
    await expect(bob.get_by_role("button", name="Accept with video")).to_be_hidden()
    await press(bob, "Decline")
    await expect(alice.get_by_role("heading", name="Bob declined the call.")).to_be_visible()
    await press(alice, "Call again")
    await press(bob, "Accept")
    await connected(alice, bob)


async def test_refused_microphone_is_explained_on_both_ends(enter: Open) -> None:
    alice, bob = await enter("alice", without={"audio": "NotAllowedError"}), await enter("bob", without={"audio": "NotAllowedError"})
    await press(alice, "Call Bob")
    await expect(alice.locator("#result-more")).to_contain_text("does not let this page use your microphone")
    await press(alice, "Call without microphone")
    await press(bob, "Accept")
    await expect(bob.locator("#incoming-note")).to_contain_text("does not let this page use your microphone")
    await press(bob, "Accept without microphone")
    await connected(bob)


async def test_offline_contact_can_be_called(enter: Open) -> None:
    alice = await enter("alice")
    await press(alice, "Call Erin")
    await expect(alice.locator("#call-note")).to_have_text("Erin looks offline. Ringing anyway — their phone may wake up.")
    await press(alice, "Hang up")
    await expect(alice.get_by_role("heading", name="You cancelled the call.")).to_be_visible()


@pytest.mark.parametrize("draining", [False, True], ids=["lost", "draining"])
async def test_media_outlives_the_socket(bridge: FakeBridge, enter: Open, draining: bool) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await press(alice, "Video call Bob")
    await press(bob, "Accept with video")
    await connected(alice, bob)
    said = "Connection lost. Reconnecting… Your call goes on meanwhile."
    if draining:
        said = "The bridge is being restarted. Your call goes on meanwhile."
        await bridge.drain()
        await expect(alice.locator("#banner")).to_have_text(said)
    bridge.down = True
    await bridge.drop("alice")
    await expect(alice.locator("#banner")).to_have_text(said)
    await frames_grow(alice)
    await press(bob, "Hang up")  # while alice cannot hear of it
    bridge.down = False
    await expect(alice.get_by_role("heading", name="Call with Bob ended.")).to_be_visible(timeout=15_000)
    await expect(alice.locator("#banner")).to_be_hidden()
    assert bridge.seen(m.Hello)[-1].resume is not None


async def test_reload_during_a_call_ends_it_and_offers_another(bridge: FakeBridge, enter: Open) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await press(alice, "Call Bob")
    await press(bob, "Accept")
    await connected(alice, bob)
    jid = await alice.evaluate("window.jinglebridge.bridge.jid")
    await alice.reload()
    await expect(alice.get_by_role("heading", name="The page was loaded anew, so the call with Bob ended.")).to_be_visible()
    assert await end_reason(bob) == "gone"
    assert await alice.evaluate("window.jinglebridge.bridge.jid") == jid
    assert await alice.evaluate("sessionStorage.length") == 0
    await press(bob, "Close")
    await press(alice, "Call again")
    await press(bob, "Accept")
    await connected(alice, bob)


async def test_reload_while_it_rings_goes_on_ringing(enter: Open) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await press(alice, "Call Bob")
    await expect(bob.get_by_role("dialog")).to_be_visible()
    await bob.reload()
    await press(bob, "Accept")
    await connected(alice, bob)


async def test_without_or_with_an_expired_token(bridge: FakeBridge, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(bridge.url)
    await expect(page.get_by_role("heading", name="Prove your address")).to_be_visible()
    await page.goto(f"{bridge.url}#token=expired")
    await expect(page.locator("#doorstep-text")).to_contain_text("has expired")
    await page.goto(f"{bridge.url}#token=alice")
    await expect(page.get_by_role("heading", name="Contacts")).to_be_visible()


async def test_markup_in_a_name_is_text(enter: Open) -> None:
    alice = await enter("alice")
    await expect(alice.get_by_text("Carol <b>Danvers</b>", exact=True)).to_be_visible()
    await expect(alice.locator("main b")).to_have_count(0)


async def test_keyboard_alone(enter: Open) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await alice.get_by_role("button", name="Call Bob", exact=True).focus()
    await alice.keyboard.press("Enter")
    await expect(bob.get_by_role("dialog")).to_be_focused()
    await bob.keyboard.press("Escape")
    await expect(bob.get_by_role("dialog")).to_be_visible()
    await bob.keyboard.press("Tab")
    await expect(bob.get_by_role("button", name="Accept", exact=True)).to_be_focused()
    await bob.keyboard.press("Enter")
    await connected(alice, bob)
    await expect(bob.locator("#call")).to_be_focused()
    await expect(bob.get_by_role("button", name="Keypad")).to_be_visible()
    names = ("Mute", "Hold", "Keypad", "Devices", "Full screen", "Hang up")
    for name in names:
        await bob.keyboard.press("Tab")
        await expect(bob.get_by_role("button", name=name, exact=True)).to_be_focused()
    await bob.keyboard.press("Enter")
    await expect(alice.locator("#result")).to_be_focused()


async def test_sound_that_the_browser_blocks_starts_with_a_tap(enter: Open) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await bob.evaluate("""() => {
      const real = HTMLMediaElement.prototype.play
      HTMLMediaElement.prototype.play = async function () {
        HTMLMediaElement.prototype.play = real
        throw new DOMException('touch me first', 'NotAllowedError')
      }
    }""")
    await press(alice, "Call Bob")
    await press(bob, "Accept")
    await connected(alice, bob)
    await press(bob, "Tap to hear")
    await expect(bob.locator("#hear")).to_be_hidden()
    await sounds(bob)


async def test_accepting_a_second_call_ends_the_first(enter: Open) -> None:
    alice, bob, dave = await enter("alice"), await enter("bob"), await enter("dave")
    await press(alice, "Call Bob")
    await press(bob, "Accept")
    await connected(alice, bob)
    await press(dave, "Call Bob")
    await expect(bob.locator("#incoming-note")).to_have_text("Accepting ends your call with Alice Liddell.")
    await press(bob, "Accept")
    await connected(bob, dave)
    assert await end_reason(alice) == "ended"
    await expect(bob.locator("#call-name")).to_have_text("Dave Bowman")


async def test_button_of_the_readme(bridge: FakeBridge, browser: Browser, enter: Open) -> None:
    bob = await enter("bob")
    page = await (await browser.new_context(permissions=["microphone"])).new_page()
    await page.goto(f"{bridge.url}button")
    button = page.get_by_role("button")
    await expect(button).to_have_text("Call Alice")
    async with asyncio.timeout(10):
        while not any(session.user == "alice" for session in bridge.sessions):
            await page.wait_for_timeout(20)
    await button.click()
    await press(bob, "Accept")
    await expect(button).to_have_text("Hang up (connected)")
    assert await page.evaluate("document.getElementById('sound').srcObject.getAudioTracks().length") == 1
    await button.click()
    await expect(button).to_have_text("Call Alice")
    assert await end_reason(bob) == "ended"


async def received(page: Page) -> tuple[int, float]:
    """Bytes of media that came so far, and the energy of the sound."""
    found: list[float] = await page.evaluate("""async () => {
      const report = [...(await window.jinglebridge.call.peerConnection.getStats()).values()].filter(({ type }) => type === 'inbound-rtp')
      const all = (name) => report.reduce((sum, item) => sum + (item[name] ?? 0), 0)
      return [all('bytesReceived'), all('totalAudioEnergy')]
    }""")
    return int(found[0]), found[1]


async def pause(ask: Callable[[], Awaitable[tuple[int, float]]]) -> tuple[int, float]:
    await asyncio.sleep(1.2)
    return await ask()


async def test_hold_stops_media_and_resume_brings_it_back(bridge: FakeBridge, enter: Open) -> None:
    bridge.abilities = m.Abilities(modify=True)
    alice, bob = await enter("alice"), await enter("bob")
    await press(alice, "Video call Bob")
    await press(bob, "Accept with video")
    await connected(alice, bob)
    await frames_grow(alice)
    await press(alice, "Hold")
    await expect(alice.locator("#call-state")).to_have_text("On hold. Neither of you hears the other.")
    await expect(bob.locator("#call-state")).to_have_text("Alice Liddell has put you on hold.")
    await expect(bob.locator("#remote-video")).to_be_hidden()

    async def arrived() -> tuple[int, float]:
        return (await received(alice))[0], round((await received(bob))[1], 5)

    async with asyncio.timeout(8):  # what was under way arrives; then nothing does, though the microphone here beeps every second
        before = await arrived()
        while (now := await pause(arrived)) != before:
            before = now
    assert [frame.info for frame in bridge.seen(m.SendInfo)] == ["hold"]
    await press(alice, "Resume")
    await connected(alice, bob)
    await frames_grow(alice)
    await frames_grow(bob)
    async with asyncio.timeout(5):
        while (await received(bob))[1] - before[1] < 0.01:  # and the beep is heard again
            await bob.wait_for_timeout(100)


async def test_another_camera_in_the_call_and_one_that_is_unplugged(bridge: FakeBridge, enter: Open) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await press(alice, "Microphone and camera")
    await expect(alice.locator("#preview")).to_be_visible()
    await alice.evaluate("""async () => {
      while (document.getElementById('level').value < 0.02) await new Promise((next) => setTimeout(next, 20))
    }""")
    await alice.get_by_label("Camera", exact=True).select_option(index=1)
    await press(alice, "Done")
    await press(alice, "Video call Bob")
    await press(bob, "Accept with video")
    await connected(alice, bob)
    label = "window.jinglebridge.call.peerConnection.getSenders().find(({ track }) => track?.kind === 'video').track.label"
    second = await alice.evaluate(label)
    assert second == "fake_device_1"
    said = len(bridge.seen(m.SetDescription))
    await press(alice, "Devices")
    await expect(alice.get_by_label("Camera", exact=True)).to_have_value(
        await alice.evaluate(label.replace(".label", ".getSettings().deviceId"))
    )
    await alice.get_by_label("Camera", exact=True).select_option(index=0)
    async with asyncio.timeout(5):
        while await alice.evaluate(label) == second:
            await alice.wait_for_timeout(50)
    await press(alice, "Done")
    await frames_grow(bob)
    assert len(bridge.seen(m.SetDescription)) == said, "nothing is negotiated"
    await alice.evaluate("window.jinglebridge.call.localStream.getVideoTracks()[0].dispatchEvent(new Event('ended'))")
    await expect(alice.locator("#call-note")).to_have_text("Your camera was unplugged. The call goes on without it.")
    await expect(bob.locator("#remote-video")).to_be_hidden()
    await press(alice, "Start video")
    await frames_grow(bob)


SEEN_WIDTH = "document.getElementById('remote-video').videoWidth"


async def test_a_screen_takes_the_place_of_the_camera(bridge: FakeBridge, enter: Open) -> None:
    bridge.abilities = m.Abilities(add=True)
    alice, bob = await enter("alice"), await enter("bob")
    await press(alice, "Call Bob")  # without video: the screen needs a section of its own
    await press(bob, "Accept")
    await connected(alice, bob)
    await press(alice, "Share screen")
    await frames_grow(bob)
    await expect(alice.locator("#local-video")).to_be_visible()
    screen = await alice.evaluate("window.jinglebridge.call.screenStream.getVideoTracks()[0].getSettings().width")
    assert await bob.evaluate(SEEN_WIDTH) == screen
    await press(alice, "Start video")  # kept for later
    assert await bob.evaluate(SEEN_WIDTH) == screen
    await alice.evaluate("window.jinglebridge.call.screenStream.getVideoTracks()[0].dispatchEvent(new Event('ended'))")
    await expect(alice.get_by_role("button", name="Share screen")).to_be_visible()
    async with asyncio.timeout(5):
        while await bob.evaluate(SEEN_WIDTH) == screen:  # the camera is smaller
            await bob.wait_for_timeout(50)
    await frames_grow(bob)


async def test_keys_are_played_and_what_goes_wrong_is_said(enter: Open) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await alice.evaluate("""() => {
      navigator.mediaDevices.getUserMedia = async () => {  // somebody who never stops talking
        const context = new AudioContext()
        const [voice, out] = [context.createOscillator(), context.createMediaStreamDestination()]
        voice.connect(out)
        voice.start()
        return out.stream
      }
    }""")
    await press(alice, "Call Bob")
    await press(bob, "Accept")
    await connected(alice, bob)
    await bob.evaluate("window.jinglebridge.call.peerConnection.getSenders()[0].replaceTrack(null)")
    await alice.evaluate("""() => {
      window.played = []
      window.jinglebridge.call.peerConnection.getSenders()[0].dtmf.ontonechange = ({ tone }) => window.played.push(tone)
    }""")
    await press(alice, "Keypad")
    await expect(alice.get_by_role("button", name="1", exact=True)).to_be_focused()
    await press(alice, "4")
    await press(alice, "Star")
    await alice.keyboard.press("2")
    await expect(alice.locator("#keys-typed")).to_have_text("4*2")
    async with asyncio.timeout(5):
        while (await alice.evaluate("window.played.join('')")) != "4*2":
            await alice.wait_for_timeout(50)
    await alice.keyboard.press("Escape")
    await expect(alice.get_by_role("button", name="Keypad")).to_be_focused()
    await press(alice, "Mute")
    await expect(alice.locator("#call-speaking")).to_have_text("You are muted: nobody hears what you say.")
    await expect(alice.locator("#call-quality")).to_contain_text("Good connection, direct:")
    await expect(alice.locator("#call-silence")).to_have_text("No sound arrives from Bob.", timeout=10_000)
    await press(alice, "Unmute")
    await expect(alice.locator("#call-speaking")).to_be_hidden()
