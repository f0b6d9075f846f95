"""Real descriptions for peers and pages: SDP that Chromium wrote, and the contents that a client with libwebrtc makes of it.

The mapping is that of the demo contact (`jinglebridge.demo.peer.sdp`), which shares nothing with the bridge's translator.
"""

from __future__ import annotations

import secrets
import xml.etree.ElementTree as ET
from functools import cache
from typing import Any

from jinglebridge.demo.peer import sdp
from jinglebridge.demo.peer.names import DTLS, GROUPING, ICE_UDP, MODERN, RTP, q
from tests.unit.corpus import Round, rounds

from .words import el

CASES = {("audio",): "audio", ("video",): "video", ("audio", "video"): "av", ("video", "audio"): "video_first"}


@cache
def _recorded() -> dict[tuple[str, int], Round]:
    return {(r.case.rpartition("__")[2], r.number): r for r in rounds() if r.case.startswith("chromium-156__chromium-156__")}


def recorded(case: str, number: int = 0) -> Round:
    """A negotiation of two Chromiums: `case` is its scenario, `number` its round."""
    return _recorded()[case, number]


def talk(media: tuple[str, ...], case: str = "") -> Round:
    """The negotiation of a plain call with these media, in this order, or the first round of a scenario that goes on."""
    return recorded(case or CASES[media])


def contents(text: str, role: str, dialect: Any = None) -> list[ET.Element]:
    """The contents of an SDP that a client in `role` wrote; `dialect` is called for each content and may change it."""
    session, media = sdp.sections(text)
    made = [sdp.content(session, section, sdp.mid_of(section), role, MODERN) for section in media if " 0 UDP" not in section[0]]
    for content in made if dialect is not None else ():
        dialect(content)
    return made


def group(found: list[ET.Element]) -> ET.Element:
    names = [el(GROUPING, "content", {"name": content.get("name", "")}) for content in found]
    return el(GROUPING, "group", {"semantics": "BUNDLE"}, *names)


def candidates(inits: tuple[dict[str, Any], ...]) -> list[tuple[str, dict[str, str]]]:
    """(content name, attributes of XEP-0176) of each candidate."""
    return [(c["sdpMid"], sdp.candidate_attributes(c["candidate"].removeprefix("candidate:"))) for c in inits if c["candidate"]]


def transport_of(content: ET.Element) -> ET.Element:
    transport = content.find(q(ICE_UDP, "transport"))
    assert transport is not None
    return transport


def credentials(found: list[ET.Element]) -> dict[str, tuple[str, str]]:
    """Content name to (ufrag, pwd)."""
    return {c.get("name", ""): (t.get("ufrag", ""), t.get("pwd", "")) for c in found if (t := c.find(q(ICE_UDP, "transport"))) is not None}


def media_of(found: list[ET.Element]) -> list[str]:
    return sorted(d.get("media", "") for c in found for d in c.findall(q(RTP, "description")))


def setup_of(content: ET.Element) -> str | None:
    fingerprint = content.find(f"{q(ICE_UDP, 'transport')}/{q(DTLS, 'fingerprint')}")
    return None if fingerprint is None or not (fingerprint.text or "").strip() else fingerprint.get("setup")


def new_credentials() -> dict[str, str]:
    return {"ufrag": secrets.token_hex(4), "pwd": secrets.token_hex(12)}


def restarted(text: str, ufrag: str, pwd: str) -> str:
    """The SDP after an ICE restart: one more version, other credentials, nothing else."""
    lines = []
    for line in text.splitlines():
        if line.startswith("o="):
            user, session, version, *rest = line.split()
            line = " ".join([user, session, str(int(version) + 1), *rest])
        elif line.startswith("a=ice-ufrag:"):
            line = f"a=ice-ufrag:{ufrag}"
        elif line.startswith("a=ice-pwd:"):
            line = f"a=ice-pwd:{pwd}"
        elif line.startswith("a=candidate:"):
            continue
        lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def same_media(page_sdp: str, found: list[ET.Element]) -> None:
    """What a page was given is what the peer wrote: sections, credentials, fingerprint and codecs, in order."""
    _, media = sdp.sections(page_sdp)
    assert len(media) == len(found), page_sdp
    for section, content in zip(media, found, strict=True):
        transport, description = transport_of(content), content.find(q(RTP, "description"))
        assert description is not None and section[0].startswith(f"m={description.get('media')} "), section[0]
        assert sdp.values(section, "ice-ufrag") == [transport.get("ufrag")], section
        assert sdp.values(section, "ice-pwd") == [transport.get("pwd")]
        fingerprint = transport.find(q(DTLS, "fingerprint"))
        assert fingerprint is not None
        assert sdp.values(section, "fingerprint") == [f"{fingerprint.get('hash')} {fingerprint.text}"]
        assert sdp.values(section, "setup") == [fingerprint.get("setup")]
        ids = [p.get("id") for p in description.findall(q(RTP, "payload-type"))]
        assert section[0].split()[3:] == ids, section[0]
