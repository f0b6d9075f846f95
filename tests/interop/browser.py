"""A person at the call page: headless Chromium that presses visible buttons, speaks a tone and hears by FFT."""

from __future__ import annotations

import base64
import json
import math
import re
import struct
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, Playwright, expect

expect.set_options(timeout=20_000)  # ms; the machine may have much else to do
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
]
RATE = 48000

# What the page hears of the *remote* track: loudest frequency, its share of the energy, and the level in dBFS.
HEAR = """async () => {
  const stream = window.jinglebridge.call.remoteStream
  const context = window.testAudio ??= new AudioContext()
  await context.resume()
  const source = context.createMediaStreamSource(new MediaStream(stream.getAudioTracks()))
  const analyser = new AnalyserNode(context, { fftSize: 16384, smoothingTimeConstant: 0 })
  source.connect(analyser)
  await new Promise((done) => setTimeout(done, 500))
  const bins = new Float32Array(analyser.frequencyBinCount)
  analyser.getFloatFrequencyData(bins)
  const samples = new Float32Array(analyser.fftSize)
  analyser.getFloatTimeDomainData(samples)
  source.disconnect()
  const power = bins.map((db) => 10 ** (db / 10))
  const width = context.sampleRate / analyser.fftSize
  const best = power.indexOf(Math.max(...power))
  const near = (hz, w) => power.slice(Math.max(0, Math.round(hz / width) - w), Math.round(hz / width) + w + 1).reduce((a, b) => a + b, 0)
  const level = 10 * Math.log10(samples.reduce((sum, x) => sum + x * x, 0) / samples.length + 1e-12)
  const all = power.reduce((a, b) => a + b, 0)
  return { hz: best * width, share: all ? near(best * width, 4) / all : 0, level }
}"""

STATS = """async () => {
  const out = { frames: 0, audioBytes: 0, videoBytes: 0, audioPackets: 0, state: window.jinglebridge.call.peerConnection.connectionState }
  for (const r of (await window.jinglebridge.call.peerConnection.getStats()).values()) {
    if (r.type !== 'inbound-rtp') continue
    if (r.kind === 'video') { out.frames = r.framesDecoded; out.videoBytes = r.bytesReceived }
    if (r.kind === 'audio') { out.audioBytes = r.bytesReceived; out.audioPackets = r.packetsReceived }
  }
  return out
}"""

# What the browser itself knows of the sound that comes in, for who looks into a failure.
INBOUND = """async () => {
  const { peerConnection, remoteStream } = window.jinglebridge.call
  const inbound = [...(await peerConnection.getStats()).values()].find((r) => r.type === 'inbound-rtp' && r.kind === 'audio')
  return { inbound, tracks: remoteStream.getAudioTracks().map((t) => [t.readyState, t.muted, t.enabled]), context: window.testAudio?.state }
}"""


def tone_file(path: Path, hz: int, seconds: float = 10.0) -> Path:
    """A WAV for Chromium's fake microphone, which loops it. Whole periods, so that the loop has no click."""
    count = int(RATE * round(seconds * hz) / hz)
    data = (int(12000 * math.sin(2 * math.pi * hz * i / RATE)) for i in range(count))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(b"".join(struct.pack("<h", x) for x in data))
    return path


# The sound and the picture that the *person* gets: the page's own elements play.
PLAYS = """async (video) => {
  const button = document.querySelector('jingle-call')?.shadowRoot
  const audio = button?.querySelector('audio') ?? document.getElementById('remote-audio')
  const picture = document.getElementById('remote-video')
  const end = performance.now() + 8000
  const late = () => { if (performance.now() > end) throw new Error('the elements do not play') }
  while (audio.paused || audio.readyState < 2 || audio.currentTime === 0) {
    late()
    await new Promise((next) => setTimeout(next, 50))
  }
  const shown = () => picture.getVideoPlaybackQuality().totalVideoFrames
  const before = video ? shown() : 0
  while (video && shown() < before + 5) {
    late()
    await new Promise((next) => setTimeout(next, 50))
  }
}"""


# The session of the page is that of this user of the bridge.
SIGNED_IN = "(user) => window.jinglebridge?.bridge?.jid?.startsWith(user + '@')"


def person_of(link: str) -> str:
    """The local part in the link's token; "" where it has none, or one that an address spells in another way."""
    claims = link.partition("#token=")[2].partition("&")[0].split(".")[1:2]
    user = str(json.loads(base64.urlsafe_b64decode(claims[0] + "=="))["sub"]) if claims else ""
    return user if user.isalnum() and user.islower() else ""


class Person:
    """One open call page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.name = ""  # of who sits here, for those who want it
        self.problems: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not re.search("ERR_CONNECTION|ERR_SOCKET|ERR_EMPTY_RESPONSE|WebSocket connection", message.text):
            self.problems.append(message.text)

    def open(self, link: str) -> None:
        """As the person of this link, once the page says so: where only the token differs, it changes persons without being loaded."""
        self.page.goto(link)
        expect(self.page.get_by_role("heading", name="Contacts")).to_be_visible(timeout=15000)
        user = person_of(link)
        if user:
            self.page.wait_for_function(SIGNED_IN, arg=user)

    def press(self, name: str, *, timeout: float = 15.0) -> None:
        self.page.get_by_role("button", name=re.compile(f"^{re.escape(name)}$")).click(timeout=timeout * 1000)

    def sees(self, text: str, *, timeout: float = 20.0) -> None:
        expect(self.page.locator("body")).to_contain_text(re.compile(text), use_inner_text=True, timeout=timeout * 1000)

    def gone(self, text: str, *, timeout: float = 20.0) -> None:
        expect(self.page.locator("body")).not_to_contain_text(re.compile(text), use_inner_text=True, timeout=timeout * 1000)

    def offers(self, name: str, *, timeout: float = 20.0) -> None:
        expect(self.page.get_by_role("button", name=re.compile(f"^{re.escape(name)}$"))).to_be_visible(timeout=timeout * 1000)

    def connected(self, *, timeout: float = 20.0) -> None:
        seen: Any = None
        for _ in range(int(timeout * 10)):
            seen = self.page.evaluate("[window.jinglebridge?.call?.peerConnection?.connectionState, window.jinglebridge?.call?.state]")
            if seen == ["connected", "connected"]:
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"not connected: {seen}")

    def plays(self, *, video: bool) -> None:
        self.page.evaluate(PLAYS, video)

    def hears(self) -> dict[str, float]:
        heard: dict[str, float] = self.page.evaluate(HEAR)
        return heard

    def hears_tone(self, hz: int, *, tries: int = 15) -> None:
        """The remote track carries this tone, and little else."""
        heard: list[dict[str, float]] = []
        for _ in range(tries):
            heard.append(self.hears())
            if abs(heard[-1]["hz"] - hz) < 8 and heard[-1]["share"] > 0.7 and heard[-1]["level"] > -50:
                return
        raise AssertionError(f"{hz} Hz wanted, heard {heard}; {self.page.evaluate(INBOUND)}")

    def hears_silence(self, *, tries: int = 12) -> None:
        heard: list[dict[str, float]] = []
        for _ in range(tries):
            heard.append(self.hears())
            if heard[-1]["level"] < -60:
                return
        raise AssertionError(f"silence wanted, heard {heard}")

    def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = self.page.evaluate(STATS)
        return stats

    def media_grows(self, *, video: bool) -> None:
        """Packets, and with video decoded frames, grow twice in a row."""
        for _ in range(2):
            before = self.stats()
            self.page.wait_for_timeout(700)
            after = self.stats()
            assert after["audioPackets"] > before["audioPackets"], (before, after)
            if video:
                assert after["frames"] > before["frames"], (before, after)


@contextmanager
def person(
    playwright: Playwright, folder: Path, hz: int | None = None, *, flags: tuple[str, ...] = (), program: str | None = None
) -> Iterator[Person]:
    """A Chromium with a fresh profile whose microphone plays `hz` (None: Chromium's own beeps). `program`: that starts it."""
    arguments = [*FLAGS, *flags]
    if hz is not None:
        arguments.append(f"--use-file-for-fake-audio-capture={tone_file(folder / f'tone-{hz}.wav', hz)}")
    context = playwright.chromium.launch_persistent_context(
        str(folder / "profile"), executable_path=program or CHROMIUM, args=arguments, permissions=["camera", "microphone"], headless=True
    )
    try:
        context.set_default_timeout(20000)
        yield Person(context.pages[0])
    finally:
        context.close()
