"""Hold, keypad, devices and screen of the call page in a real Chromium; what the compiler of TypeScript says of it."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from call_pages import NO_DEVICE, Open, connected, frames_grow, press
from fake_server import CLIENT, FakeBridge
from playwright.async_api import Page, expect

from jinglebridge.web import messages as m

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]
NPM = Path(__file__).parent / "npm" / "node_modules"  # scripts/test installs it


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

    async with asyncio.timeout(20):  # what was under way arrives; then nothing does, though the microphone here beeps every second
        before = await arrived()
        while (now := await pause(arrived)) != before:
            before = now
    assert [frame.info for frame in bridge.seen(m.SendInfo)] == ["hold"]
    await press(alice, "Resume")
    await connected(alice, bob)
    await frames_grow(alice)
    await frames_grow(bob)
    async with asyncio.timeout(20):
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
    async with asyncio.timeout(20):
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


# Both go at once, one after the other as named: what a browser does when the permission is withdrawn, or a headset with a camera is pulled.
UNPLUGGED = """async (order) => {
  const tracks = window.jinglebridge.call.localStream.getTracks()
  for (const track of tracks) track.stop()
  for (const kind of order) tracks.find((track) => track.kind === kind).dispatchEvent(new Event('ended'))
}"""
SILENT = "Your microphone was unplugged, so they cannot hear you. Choose another one, or call again."
UNSEEN = "Your camera was unplugged. The call goes on without it."


@pytest.mark.parametrize("order", [["audio", "video"], ["video", "audio"]], ids="-".join)
async def test_a_lost_camera_does_not_hide_that_the_microphone_is_lost(enter: Open, order: list[str]) -> None:
    """Each is told until another one is in use."""
    alice, bob = await enter("alice"), await enter("bob")
    await press(alice, "Video call Bob")
    await press(bob, "Accept with video")
    await connected(alice, bob)
    await alice.evaluate(UNPLUGGED, order)
    note = alice.locator("#call-note")
    await expect(note).to_have_text(f"{SILENT} {UNSEEN}" if order[0] == "audio" else f"{UNSEEN} {SILENT}")
    before = -1.0
    async with asyncio.timeout(20):  # what was under way is heard; then nothing is
        while (now := (await pause(lambda: received(bob)))[1]) != before:
            before = now
    await press(alice, "Devices")
    await alice.get_by_label("Microphone", exact=True).select_option(index=1)
    await press(alice, "Done")
    await expect(note).to_have_text(UNSEEN)
    async with asyncio.timeout(20):
        while (await received(bob))[1] < before + 0.001:
            await alice.wait_for_timeout(50)
    await alice.evaluate(f"({NO_DEVICE})({{'video': 'NotFoundError'}})")
    await press(alice, "Start video")
    await expect(note).to_have_text("No camera was found. They can hear you but not see you.")
    await alice.evaluate(UNPLUGGED, ["audio"])
    await expect(note).to_have_text(f"No camera was found. They can hear you but not see you. {SILENT}")
    await press(alice, "Start video")
    await expect(note).to_have_text(f"{SILENT} No camera was found. They can hear you but not see you.")
    await alice.evaluate("delete navigator.mediaDevices.getUserMedia")
    await press(alice, "Start video")
    await frames_grow(bob)
    await expect(note).to_have_text(SILENT)


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
    async with asyncio.timeout(20):
        while await bob.evaluate(SEEN_WIDTH) == screen:  # the camera is smaller
            await bob.wait_for_timeout(50)
    await frames_grow(bob)


async def test_keys_are_played_and_hints_come_and_go(enter: Open) -> None:
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
    async with asyncio.timeout(20):
        while (await alice.evaluate("window.played.join('')")) != "4*2":
            await alice.wait_for_timeout(50)
    await alice.keyboard.press("Escape")
    await expect(alice.get_by_role("button", name="Keypad")).to_be_focused()
    await press(alice, "Mute")
    await expect(alice.locator("#call-speaking")).to_have_text("You are muted: nobody hears what you say.")
    await expect(alice.locator("#call-quality")).to_contain_text(re.compile("(Good|Fair|Weak) connection, direct:"))
    await expect(alice.locator("#call-silence")).to_have_text("No sound arrives from Bob.")
    await press(alice, "Unmute")
    await expect(alice.locator("#call-speaking")).to_be_hidden()
    await bob.evaluate("""window.jinglebridge.call.peerConnection.getSenders()[0]
      .replaceTrack(window.jinglebridge.call.localStream.getAudioTracks()[0])""")
    await expect(alice.locator("#call-silence")).to_be_hidden()
    await press(bob, "Mute")  # who is known to be muted is not missed
    await expect(alice.locator("#call-state")).to_have_text("Connected. Bob is muted.")
    await press(alice, "Full screen")
    assert await alice.evaluate("document.fullscreenElement.id") == "call"
    await press(alice, "Small again")
    await expect(alice.get_by_role("button", name="Full screen")).to_be_visible()
    await press(bob, "Hang up")
    await expect(alice.locator("#call-quality")).to_be_hidden()


@pytest.mark.parametrize("project", [CLIENT, Path(__file__).parent / "types"], ids=["modules", "declared"])
async def test_types_are_strict(project: Path) -> None:
    """Modules, page and index.d.ts; that the modules have what index.d.ts declares."""
    done = await asyncio.to_thread(
        subprocess.run, [NPM / ".bin" / "tsc", "-p", project], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")
