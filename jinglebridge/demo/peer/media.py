"""What the contact says and shows, and what it makes of the sound and the picture it gets.

Samples are signed 16 bit, 48 kHz unless a frame says otherwise. Times are seconds.
"""

from __future__ import annotations

import array
import asyncio
import cmath
import fractions
import math
import time
from collections import deque
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler, VideoFrame

RATE = 48000
SAMPLES = 960
STEP = SAMPLES / RATE
WINDOW = 8192
SILENCE_DBFS = -55.0
AMPLITUDE = 9000
PICTURE = (320, 240, 15)  # width, height, frames per second
VIDEO_CLOCK = 90000


class Listener:
    """Keeps the last `WINDOW` decoded samples and says which tone dominates them."""

    def __init__(self) -> None:
        self.samples: deque[int] = deque(maxlen=WINDOW)
        self.rate = RATE
        self.frames = 0
        self.last = 0.0

    def feed(self, frame: Any) -> None:
        """Take one decoded s16 frame; its first channel is enough."""
        channels = len(frame.layout.channels)
        data = array.array("h", bytes(frame.planes[0])[: frame.samples * 2 * channels])
        self.samples.extend(data[::channels])
        self.rate = frame.sample_rate
        self.frames += 1
        self.last = time.monotonic()

    def heard(self) -> dict[str, Any]:
        """``hz`` (None in silence), ``level`` (dBFS), ``share`` of the energy that lies in that tone, ``silence``, ``age`` of the sound."""
        samples = list(self.samples)
        age = time.monotonic() - self.last if self.last else None
        answer: dict[str, Any] = {"frames": self.frames, "age": age, "hz": None, "level": -120.0, "share": 0.0, "silence": True}
        if len(samples) < WINDOW:
            return answer
        power = sum(s * s for s in samples) / len(samples)
        answer["level"] = round(10 * math.log10(power / 32768**2) if power else -120.0, 1)
        answer["silence"] = answer["level"] < SILENCE_DBFS
        if not answer["silence"]:
            answer["hz"], answer["share"] = dominant(samples, self.rate)
        return answer


def dominant(samples: list[int], rate: int) -> tuple[float, float]:
    """Strongest frequency above 60 Hz, and its share of all energy (0..1). `len(samples)` is a power of two."""
    n = len(samples)
    spectrum = fft([s * (0.5 - 0.5 * math.cos(2 * math.pi * i / n)) + 0j for i, s in enumerate(samples)])
    energy = [abs(v) ** 2 for v in spectrum[: n // 2]]
    low = max(2, int(60 * n / rate))
    peak = max(range(low, n // 2 - 1), key=energy.__getitem__)
    a, b, c = (math.sqrt(e) for e in energy[peak - 1 : peak + 2])
    offset = (c - a) / (a + b + c) if b else 0.0  # good to a tenth of a bin for a Hann window
    near = sum(energy[max(0, peak - 4) : peak + 5])
    return round((peak + offset) * rate / n, 1), round(near / (sum(energy[low:]) or 1.0), 3)


def fft(x: list[complex]) -> list[complex]:
    """Radix-2 transform; the length is a power of two."""
    n = len(x)
    if n == 1:
        return x
    even, odd = fft(x[::2]), fft(x[1::2])
    turned = [cmath.exp(-2j * math.pi * k / n) * odd[k] for k in range(n // 2)]
    return [e + t for e, t in zip(even, turned, strict=True)] + [e - t for e, t in zip(even, turned, strict=True)]


def _audio(samples: bytes) -> Any:
    frame = AudioFrame(format="s16", layout="mono", samples=SAMPLES)
    frame.planes[0].update(samples)
    frame.sample_rate = RATE
    return frame


class Voice(MediaStreamTrack):
    """Our sound: a tone, or what was pushed from the remote side, or silence. One frame each 20 ms whatever happens."""

    kind = "audio"

    def __init__(self, tone: float | None) -> None:
        super().__init__()
        self.tone = tone
        self.muted = False
        self._queue: deque[Any] = deque(maxlen=12)  # 240 ms; what is older is dropped, not delayed
        self._resampler: tuple[Any, Any] = (None, None)  # what comes in; the encoder wants one format for the whole call
        self._wake = asyncio.Event()
        self._pts = 0
        self._due = 0.0
        self._pushed = 0.0
        self._phase = 0

    def push(self, frame: Any) -> None:
        incoming = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler[0] != incoming:
            self._resampler = (incoming, AudioResampler(format="s16", layout="mono", rate=RATE, frame_size=SAMPLES))
        self._queue.extend(self._resampler[1].resample(frame))
        self._pushed = time.monotonic()
        self._wake.set()

    async def recv(self) -> Any:
        if self.readyState != "live":
            raise MediaStreamError
        now = time.monotonic()
        self._due = now if now - self._due > 0.3 else self._due + STEP
        frame = None
        if not (self.tone or self.muted):
            frame = await self._echoed(self._due + (0.06 if now - self._pushed < 0.3 else 0))
        if frame is None:
            await asyncio.sleep(max(0.0, self._due - time.monotonic()))
            frame = _audio(self._generated())
        frame.pts, frame.time_base = self._pts, fractions.Fraction(1, RATE)
        self._pts += frame.samples
        return frame

    async def _echoed(self, until: float) -> Any:
        while not self._queue:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), max(0.001, until - time.monotonic()))
            except TimeoutError:
                return None
        return self._queue.popleft()

    def _generated(self) -> bytes:
        if not self.tone or self.muted:
            return bytes(2 * SAMPLES)
        step = 2 * math.pi * self.tone / RATE
        start, self._phase = self._phase, self._phase + SAMPLES
        return array.array("h", (int(AMPLITUDE * math.sin(step * i)) for i in range(start, start + SAMPLES))).tobytes()


class Picture(MediaStreamTrack):
    """Our picture: the last one pushed from the remote side, else a moving pattern of our own."""

    kind = "video"

    def __init__(self, echo: bool) -> None:
        super().__init__()
        self.echo = echo
        self._frame: Any = None
        self._wake = asyncio.Event()
        self._start = time.monotonic()
        self._count = 0
        self._pts = -1

    def push(self, frame: Any) -> None:
        if self.echo:
            self._frame = frame
            self._wake.set()

    async def recv(self) -> Any:
        if self.readyState != "live":
            raise MediaStreamError
        frame = await self._echoed() if self._frame is not None or self._count else None
        if frame is None:
            await asyncio.sleep(1 / PICTURE[2])
            frame = self._pattern()
        self._count += 1
        self._pts = max(self._pts + 1, int((time.monotonic() - self._start) * VIDEO_CLOCK))
        frame.pts, frame.time_base = self._pts, fractions.Fraction(1, VIDEO_CLOCK)
        return frame

    async def _echoed(self) -> Any:
        if not self.echo:
            return None
        if self._frame is None:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), 0.5)
            except TimeoutError:
                return None
        frame, self._frame = self._frame, None
        return frame

    def _pattern(self) -> Any:
        width, height, _ = PICTURE
        frame = VideoFrame(width, height, "yuv420p")
        ramp, shift = bytes(range(16, 236)) * 4, self._count * 3
        for number, plane in enumerate(frame.planes):
            w, h = (width, height) if number == 0 else (width // 2, height // 2)
            pad = bytes(plane.line_size - w)
            if number == 0:
                plane.update(b"".join(ramp[(y + shift) % 220 : (y + shift) % 220 + w] + pad for y in range(h)))
            else:
                plane.update((bytes([(shift * number) % 200 + 28]) * w + pad) * h)
        return frame


class Watcher:
    """Counts the decoded pictures."""

    def __init__(self) -> None:
        self.frames = 0
        self.size = (0, 0)

    def feed(self, frame: Any) -> None:
        self.frames += 1
        self.size = (frame.width, frame.height)


async def consume(track: Any, sink: Listener | Watcher, echo: Voice | Picture | None) -> None:
    """Read a remote track to its end into `sink`, and hand each frame on to our own track."""
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        sink.feed(frame)
        if echo is not None:
            echo.push(frame)
