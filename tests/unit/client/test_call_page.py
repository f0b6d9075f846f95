"""The call page in a real Chromium: two pages call each other through a bridge that has no XMPP (`fake_server`)."""

from __future__ import annotations

import asyncio

import pytest
from call_pages import Open, connected, end_reason, frames_grow, press, sounds
from fake_server import FakeBridge
from playwright.async_api import Browser, Page, expect

from jinglebridge.web import messages as m

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]


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
    await expect(alice.get_by_role("heading", name="Call with Bob ended.")).to_be_visible()
    await expect(alice.locator("#banner")).to_be_hidden()
    assert bridge.seen(m.Hello)[-1].resume is not None


async def test_while_the_bridge_is_away_nobody_looks_online_and_a_call_waits_for_it(bridge: FakeBridge, enter: Open) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    row = alice.locator("[data-jid='bob@call.example.org']")
    await expect(row).to_contain_text("Online")
    bridge.down = True
    await bridge.drop("alice")
    await expect(row).to_contain_text("Not known right now")
    await expect(alice.get_by_text("Online", exact=True)).to_have_count(0)
    await press(alice, "Call Erin")  # of whom it is not known either whether she is offline
    await expect(alice.locator("#call-state")).to_have_text("Getting ready…")
    await expect(alice.locator("#call-note")).to_be_hidden()
    await press(alice, "Hang up")
    await press(alice, "Call Bob")
    bridge.down = False
    await press(bob, "Accept")
    await connected(alice, bob)
    await expect(row).to_contain_text("Online")
    assert not bridge.seen(m.CallRequest, lambda frame: frame.to.startswith("erin")), "what was hung up before it could leave never did"


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


# Another person comes to the page, right after the list was drawn; what they write at once in the form, and what the page says to it.
OTHER_PERSON = """async () => {
  const { bridge } = window.jinglebridge
  bridge.dispatchEvent(new Event('contacts'))
  location.hash = '#token=bob'
  while (!window.jinglebridge.bridge.jid?.startsWith('bob@')) await new Promise((next) => setTimeout(next, 1))
  document.getElementById('add-jid').value = 'carol@call.example.org'
  document.getElementById('add').requestSubmit()
  const text = document.getElementById('add-text')
  for (let n = 0; n < 40 && !text.textContent; n++) await new Promise((next) => setTimeout(next, 10))
  return [bridge.state, text.textContent]
}"""


async def test_another_person_in_the_same_page_has_their_own_bridge_at_once(enter: Open) -> None:
    alice = await enter("alice")
    state, said = await alice.evaluate(OTHER_PERSON)
    assert state == "offline"
    assert "closed" not in said


async def test_markup_in_a_name_is_text(enter: Open) -> None:
    alice = await enter("alice")
    await expect(alice.get_by_text("Carol <b>Danvers</b>", exact=True)).to_be_visible()
    await expect(alice.locator("main b")).to_have_count(0)


async def tab_to(page: Page, name: str) -> None:
    """By the Tab key alone; where it stops can be seen."""
    button = page.get_by_role("button", name=name, exact=True)
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await button.evaluate("(element) => element === document.activeElement"):
            await expect(button).to_have_css("outline-style", "solid")
            return
    raise AssertionError(f"no Tab gets to {name}")


async def test_keyboard_alone(enter: Open) -> None:
    """A whole call: placed, answered, muted, hung up, placed again from its end."""
    alice, bob = await enter("alice"), await enter("bob")
    await tab_to(alice, "Call Bob")
    await alice.keyboard.press("Enter")
    await expect(alice.locator("#call")).to_be_focused()
    await expect(bob.get_by_role("dialog")).to_be_focused()
    await expect(bob.get_by_role("alert").filter(has_text="Audio call from Alice Liddell.")).to_have_count(1)
    await bob.keyboard.press("Escape")
    await expect(bob.get_by_role("dialog")).to_be_visible()
    await bob.keyboard.press("Tab")
    await expect(bob.get_by_role("button", name="Accept", exact=True)).to_be_focused()
    await bob.keyboard.press("Enter")
    await connected(alice, bob)
    await expect(bob.locator("#call")).to_be_focused()
    await expect(bob.get_by_role("button", name="Keypad")).to_be_visible()
    await tab_to(alice, "Mute")
    await alice.keyboard.press("Space")
    await expect(alice.get_by_role("button", name="Unmute")).to_be_focused()
    await expect(bob.locator("#call-state")).to_have_text("Connected. Alice Liddell is muted.")
    names = ("Mute", "Hold", "Keypad", "Devices", "Full screen", "Hang up")
    for name in names:
        await bob.keyboard.press("Tab")
        await expect(bob.get_by_role("button", name=name, exact=True)).to_be_focused()
    await bob.keyboard.press("Enter")
    await expect(alice.locator("#result")).to_be_focused()
    await expect(alice.get_by_role("status").filter(has_text="Call with Bob ended.")).to_have_count(1)
    await tab_to(alice, "Call again")
    await alice.keyboard.press("Enter")
    await expect(bob.get_by_role("dialog")).to_be_visible()
    await tab_to(alice, "Hang up")
    await alice.keyboard.press("Enter")
    await alice.keyboard.press("Escape")
    await expect(alice.get_by_role("heading", name="Contacts")).to_be_focused()


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


@pytest.mark.parametrize(("example", "name"), [("", "Call Alice"), ("?embed", "Call support")], ids=["README", "embed.md"])
async def test_button_of_the_documentation(bridge: FakeBridge, browser: Browser, enter: Open, example: str, name: str) -> None:
    bob = await enter("bob")
    page = await (await browser.new_context(permissions=["microphone"])).new_page()
    await page.goto(f"{bridge.url}button{example}")
    button = page.get_by_role("button")
    await expect(button).to_have_text(name)
    async with asyncio.timeout(20):
        while not any(session.user == "alice" for session in bridge.sessions):
            await page.wait_for_timeout(20)
    await button.click()
    await press(bob, "Accept")
    await expect(button).to_have_text("Hang up (connected)")
    assert await page.evaluate("document.getElementById('sound').srcObject.getAudioTracks().length") == 1
    await button.click()
    await expect(button).to_have_text(name)
    assert await end_reason(bob) == "ended"
