"""Descriptions to measure with: real offers, varied by a seeded generator, so that no two are alike.

What differs from call to call differs here: credentials, fingerprint, SSRCs, cnames, stream names, candidates and how many there are, and
the length, since codecs and header extensions are left out by chance.
"""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Callable
from pathlib import Path

CORPUS = Path(__file__).parent.parent / "tests" / "cases" / "corpus"
# Audio and video of a browser, mostly with a data channel, as most calls begin.
OFFERS = (
    "chromium-156__chromium-156__av_data",
    "chromium-156__chromium-156__av_data",
    "chromium-156__chromium-156__av",
    "chromium-156__chromium-156__full_sdp",
    "chromium-156__chromium-156__max_bundle",
)
AV_DATA = OFFERS[0]
_ICE = string.ascii_letters + string.digits + "+/"
_HEX = "0123456789abcdef"


def offer(name: str) -> str:
    """First offer of a recorded negotiation, CRLF line ends."""
    return str(json.loads((CORPUS / f"{name}.json").read_text())["rounds"][0]["offer"])


def descriptions(count: int, names: tuple[str, ...] = OFFERS, seed: int = 0) -> list[str]:
    """`count` different offers; the same for the same arguments."""
    chance = random.Random(seed)
    bases = [offer(name) for name in names]
    return [varied(bases[number % len(bases)], chance) for number in range(count)]


def varied(sdp: str, chance: random.Random) -> str:
    """The offer of another call of a similar browser."""
    lines = _fewer(renamed(sdp, chance).split("\r\n"), chance)
    return "\r\n".join(_with_candidates(lines, chance))


def renamed(sdp: str, chance: random.Random) -> str:
    """The same description with other credentials, fingerprint, SSRCs and names."""
    lines = sdp.split("\r\n")
    for pattern, new in (
        (r"^a=ice-ufrag:(.+)", lambda: _word(chance, _ICE, 4)),
        (r"^a=ice-pwd:(.+)", lambda: _word(chance, _ICE, 24)),
        (r"^a=fingerprint:sha-256 (.+)", lambda: ":".join(_word(chance, "0123456789ABCDEF", 2) for _ in range(32))),
        (r"^a=ssrc:(\d+)", lambda: str(chance.randrange(1, 2**32))),
        (r"cname:(\S+)", lambda: _word(chance, _ICE, 16)),
        (r"^a=msid:(\S+) ", lambda: _uuid(chance)),
        (r"^a=msid:\S+ (\S+)", lambda: _uuid(chance)),
        (r"^o=- (\d+) ", lambda: str(chance.randrange(2**62))),
    ):
        lines = _renamed(lines, pattern, new)
    return "\r\n".join(lines)


def _word(chance: random.Random, letters: str, length: int) -> str:
    return "".join(chance.choices(letters, k=length))


def _uuid(chance: random.Random) -> str:
    return "-".join(_word(chance, _HEX, length) for length in (8, 4, 4, 4, 12))


def _renamed(lines: list[str], pattern: str, new: Callable[[], str]) -> list[str]:
    """The same lines, with a new word for each word that the pattern finds, the same everywhere."""
    found = dict.fromkeys(match[1] for line in lines if (match := re.search(pattern, line)))
    text = "\r\n".join(lines)
    for old in found:
        text = re.sub(rf"(?<![\w+/-]){re.escape(old)}(?![\w+/-])", new(), text)
    return text.split("\r\n")


def _fewer(lines: list[str], chance: random.Random) -> list[str]:
    """Without some codecs (and their retransmission) and some header extensions."""
    gone: set[str] = set()
    for line in lines:
        codec = re.match(r"a=rtpmap:(\d+) (?!opus|VP8)", line)
        repeated = re.match(r"a=fmtp:(\d+) apt=(\d+)$", line)
        if codec and chance.random() < 0.15:
            gone.add(codec[1])
        elif repeated and repeated[2] in gone:
            gone.add(repeated[1])
    kept = []
    for line in lines:
        of = re.match(r"a=(?:rtpmap|fmtp|rtcp-fb):(\d+) ", line)
        if (of and of[1] in gone) or (line.startswith("a=extmap:") and "sdes:mid" not in line and chance.random() < 0.1):
            continue
        if line.startswith("m=") and "RTP" in line:
            line = " ".join(word for index, word in enumerate(line.split(" ")) if index < 3 or word not in gone)
        kept.append(line)
    return kept


def candidate(chance: random.Random) -> str:
    """A candidate line as Chromium writes it."""
    address = ".".join(str(chance.randrange(1, 255)) for _ in range(4))
    kind = chance.choice(("host", "host", "srflx", "relay"))
    related = (
        "" if kind == "host" else f" raddr 10.0.{chance.randrange(255)}.{chance.randrange(1, 255)} rport {chance.randrange(1024, 65536)}"
    )
    return (
        f"a=candidate:{chance.randrange(2**31)} 1 udp {chance.randrange(1, 2**31)} {address} {chance.randrange(1024, 65536)}"
        f" typ {kind}{related} generation 0 network-id {chance.randrange(1, 4)}"
    )


def _with_candidates(lines: list[str], chance: random.Random) -> list[str]:
    """None in half of the offers, as when they trickle, else up to twelve in the first section."""
    lines = [line for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
    new = [candidate(chance) for _ in range(chance.choice((0, 0, 0, *range(1, 13))))]
    at = next(index for index, line in enumerate(lines) if line.startswith("a=ice-ufrag:"))
    return lines[:at] + new + lines[at:]
