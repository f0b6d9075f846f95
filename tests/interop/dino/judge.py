"""What was heard, seen and printed, in numbers."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]

# --- sound


@dataclass(frozen=True)
class Heard:
    """Loudest frequency, its share of the energy (0 … 1), and the level (dB of full scale)."""

    hz: float
    share: float
    level: float

    def is_tone(self, hz: int) -> bool:
        return abs(self.hz - hz) < 8 and self.share > 0.7 and self.level > -50

    def is_silence(self) -> bool:
        return self.level < -60


def heard(samples: NDArray[np.float64], rate: int) -> Heard:
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    best = int(power.argmax())
    share = power[max(0, best - 3) : best + 4].sum() / max(power.sum(), 1e-12)
    level = 10 * np.log10((samples**2).mean() + 1e-12)
    return Heard(best * rate / len(samples), float(share), float(level))


# --- picture


def two_colours() -> tuple[Colour, Colour]:
    """Drawn for each run: saturated, unlike each other, and unlike the greys of Dino's windows."""
    saturated = [(r, g, b) for r in (40, 210) for g in (40, 210) for b in (40, 210) if len({r, g, b}) == 2]
    first, second = random.sample(saturated, 2)
    return first, second


def camera_file(path: Path, colours: tuple[Colour, Colour], *, size: tuple[int, int] = (320, 240), rate: int = 10) -> Path:
    """A Y4M for Chromium's fake camera, which loops it: one second of each colour."""
    width, height = size
    parts = [f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg\n".encode()]
    for red, green, blue in colours:  # BT.601
        y = 16 + (65.738 * red + 129.057 * green + 25.064 * blue) / 256
        u = 128 + (-37.945 * red - 74.494 * green + 112.439 * blue) / 256
        v = 128 + (112.439 * red - 94.154 * green - 18.285 * blue) / 256
        quarter = width * height // 4
        parts += [b"FRAME\n" + bytes([round(y)]) * (4 * quarter) + bytes([round(u)]) * quarter + bytes([round(v)]) * quarter] * rate
    path.write_bytes(b"".join(parts))
    return path


def share_of(colour: Colour, pixels: NDArray[np.uint8], *, tolerance: int = 45) -> float:
    """How much of the picture (0 … 1) has about this colour."""
    return float((np.abs(pixels.astype(int) - np.array(colour)).max(axis=2) < tolerance).mean())


# --- stanzas

_BLOCK = re.compile(r"^XMPP (IN|OUT) \[[^\n]*\]\n(<.*?)\n\n", re.MULTILINE | re.DOTALL)
_TOKEN = re.compile(r"<(/?)\{([^}]*)\}:([^\s/>]+)((?: \{[^}]*\}:[^=\s]+='[^']*')*) ?(/?)>|([^<]+)")
_ATTRIBUTE = re.compile(r" \{([^}]*)\}:([^=\s]+)='([^']*)'")
_XMLNS = "http://www.w3.org/2000/xmlns/"


_JINGLE = "{urn:xmpp:jingle:1}"
_JMI = "{urn:xmpp:jingle-message:0}"


def call_words(direction: str, stanza: ET.Element) -> Iterator[str]:
    """One line for a stanza about a call: direction, action, reason."""
    for child in stanza:
        if child.tag == f"{_JINGLE}jingle":
            action = child.get("action", "")
        elif child.tag.startswith(_JMI):
            action = child.tag.removeprefix(_JMI)
        else:
            continue
        if action == "transport-info":
            continue
        if action == "session-info":
            action += "".join(f" {e.tag.partition('}')[2]}" for e in child)
        reason = child.find(f"{_JINGLE}reason")
        said = [] if reason is None else [e.tag.removeprefix(_JINGLE) for e in reason if e.tag != f"{_JINGLE}text"]
        yield " ".join([direction, action, *said])


def printed_text(text: str) -> str:
    """A text as it was before Dino printed it, which indents it."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


def printed_stanzas(log: str) -> list[tuple[str, ET.Element]]:
    """Stanzas out of what `dino-im --print-xmpp` prints: one tag a line, every name as ``{namespace}:name``."""
    found = []
    for direction, text in _BLOCK.findall(log):
        stanza = _element(text)
        if stanza is not None:
            found.append((direction, stanza))
    return found


def _element(text: str) -> ET.Element | None:
    """None for the opening tag of a stream."""
    builder, depth = ET.TreeBuilder(), 0
    for end, namespace, name, attributes, empty, data in _TOKEN.findall(text):
        tag = f"{{{namespace}}}{name}"
        if data:
            if depth:
                builder.data(data)
        elif end:
            builder.end(tag)
            depth -= 1
        else:
            builder.start(tag, dict(_own(attributes, namespace)))
            depth += 1
            if empty:
                builder.end(tag)
                depth -= 1
    return builder.close() if depth == 0 else None


def _own(attributes: str, namespace: str) -> Iterator[tuple[str, str]]:
    """Attributes as XML has them: an attribute without prefix, which Dino prints with the namespace of its element, is in none."""
    for space, name, value in _ATTRIBUTE.findall(attributes):
        if space != _XMLNS:
            yield (name if space == namespace else f"{{{space}}}{name}"), value
