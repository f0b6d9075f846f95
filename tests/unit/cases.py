"""Where the copied negotiations, stanzas and file pairs are, and how to read them. No tests here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

CASES = Path(__file__).parent.parent / "cases"


class Written(NamedTuple):
    """One SDP that a real stack wrote."""

    case: str
    kind: str
    sdp: str


def corpus() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) | {"name": path.stem} for path in sorted((CASES / "corpus").glob("*.json"))]


def descriptions() -> Iterator[Written]:
    for case in corpus():
        for number, turn in enumerate(case["rounds"]):
            for kind in ("offer", "answer"):
                if turn[kind]:
                    yield Written(f"{case['name']}-{number}", kind, turn[kind])


def offer(name: str) -> str:
    """First offer of a case."""
    return str(json.loads((CASES / "corpus" / f"{name}.json").read_text())["rounds"][0]["offer"])


AV = "chromium-156__chromium-156__av"
FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)


def small(*extra: str, kind: str = "audio", head: tuple[str, ...] = (), drop: tuple[str, ...] = (), mid: str = "0") -> str:
    """The smallest description that passes, plus lines; `drop` names attributes to leave out."""
    lines = [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111".replace("audio", kind),
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:ufra",
        "a=ice-pwd:0123456789012345678901",
        f"a=fingerprint:{FINGERPRINT}",
        "a=setup:actpass",
        f"a=mid:{mid}",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
    ]
    kept = [line for line in lines if line[2:].partition(":")[0] not in drop] + list(extra)
    return "\r\n".join(["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", *head, *kept]) + "\r\n"
