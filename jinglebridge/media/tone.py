"""A sine tone, and the proof that a tone arrived: the Goertzel power of one frequency against the whole."""

from __future__ import annotations

import asyncio
import fractions
import math
import time
from array import array
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiortc import MediaStreamTrack
    from av import AudioFrame

RATE = 48000
SAMPLES = 960  # 20 ms


def make_tone(hz: float) -> MediaStreamTrack:
    """An audio track that sends a sine of `hz` in real time."""
    from aiortc import MediaStreamTrack as Track
    from av import AudioFrame as Frame

    class Tone(Track):
        kind = "audio"

        def __init__(self) -> None:
            super().__init__()
            self._started: float | None = None
            self._sent = 0

        async def recv(self) -> Any:
            if self._started is None:
                self._started = time.monotonic()
            await asyncio.sleep(max(0.0, self._started + self._sent / RATE - time.monotonic()))
            samples = array("h", (int(8000 * math.sin(2 * math.pi * hz * (self._sent + i) / RATE)) for i in range(SAMPLES)))
            frame = Frame(format="s16", layout="mono", samples=SAMPLES)
            frame.planes[0].update(samples.tobytes())
            frame.sample_rate, frame.pts, frame.time_base = RATE, self._sent, fractions.Fraction(1, RATE)
            self._sent += SAMPLES
            return frame

    return Tone()


def mono(frame: AudioFrame) -> array[int]:
    """The first channel of a packed s16 frame."""
    channels = len(frame.layout.channels)
    return array("h", bytes(frame.planes[0])[: frame.samples * 2 * channels])[::channels]


def share(samples: array[int], hz: float, rate: int = RATE) -> float:
    """Which part of the energy of `samples` lies at `hz`: 1 for a pure tone, about 0 for silence or another tone."""
    energy = sum(x * x for x in samples)
    if energy < len(samples) * 100:  # quieter than -70 dBFS is silence
        return 0.0
    k, a, b = 2 * math.cos(2 * math.pi * hz / rate), 0.0, 0.0
    for x in samples:
        a, b = x + k * a - b, a
    return 2 * (a * a + b * b - k * a * b) / (len(samples) * energy)
