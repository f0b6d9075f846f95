"""A browser on paper: the sections of an RTCPeerConnection, who offered last, and the SDP that follows from it. No tests here.

It is the polite side: an offer rolls its own back. Each description that it is given must fit what it has: sections in the same order,
with the same mids and kinds, as browsers demand (J-220).
"""

from __future__ import annotations

import random
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from jinglebridge import sdp
from jinglebridge.translate.described import name_of

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
PRINT = ":".join(["AB"] * 32)
FORMATS = {
    "audio": ("UDP/TLS/RTP/SAVPF 111", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2"),
    "video": ("UDP/TLS/RTP/SAVPF 96", "a=rtcp-mux", "a=rtpmap:96 VP8/90000"),
    "application": ("UDP/DTLS/SCTP webrtc-datachannel", "a=sctp-port:5000", "a=max-message-size:262144"),
}


def both(mine: str, offered: str) -> str:
    """What an answer may say: each side sends if it wants to, and the other wants to receive."""
    sends = mine in ("sendrecv", "sendonly") and offered in ("sendrecv", "recvonly")
    receives = mine in ("sendrecv", "recvonly") and offered in ("sendrecv", "sendonly")
    return "sendrecv" if sends and receives else "sendonly" if sends else "recvonly" if receives else "inactive"


@dataclass
class Section:
    mid: str
    kind: str
    direction: str = "sendrecv"
    stopped: bool = False


@dataclass
class Browser:
    """`pending`: its own offer that has no answer yet; `before`: the sections that a rollback brings back."""

    name: str
    random: random.Random
    sections: list[Section] = field(default_factory=list)
    pending: str | None = None
    before: tuple[list[Section], int] = ((), 0)  # type: ignore[assignment]
    ice: int = 0
    lines: int = 0
    made: int = 0
    role: str = "actpass"

    # --- what it says

    def offer(self) -> str:
        assert self.pending is None
        self.pending = self.text("actpass")
        return self.pending

    def keep(self) -> None:
        """You must call this before a change of its own."""
        self.before = (deepcopy(self.sections), self.ice)

    def add(self, kind: str, direction: str = "sendrecv") -> None:
        self.made += 1
        mid = f"{self.name}{self.made}"
        slot = next((i for i, s in enumerate(self.sections) if s.stopped), None)
        if slot is None:
            self.sections.append(Section(mid, kind, direction))
        else:
            self.sections[slot] = Section(mid, kind, direction)

    def text(self, setup: str, offered: dict[int, str] | None = None) -> str:
        """`offered`: directions of the offer that this answers, by section."""
        bundle = " ".join(s.mid for s in self.sections if not s.stopped)
        self.lines += 1
        lines = ["v=0", f"o=- 1 {self.lines} IN IP4 127.0.0.1", "s=-", "t=0 0"] + ([f"a=group:BUNDLE {bundle}"] if bundle else [])
        for index, section in enumerate(self.sections):
            how, *more = FORMATS[section.kind]
            lines += [f"m={section.kind} {0 if section.stopped else 9} {how}", "c=IN IP4 0.0.0.0", f"a=mid:{section.mid}"]
            if section.stopped:
                lines.append("a=inactive")
                continue
            lines += [f"a=ice-ufrag:{self.ufrag}", f"a=ice-pwd:{self.ufrag}{'p' * 22}", "a=ice-options:trickle"]
            lines += [f"a=fingerprint:sha-256 {PRINT}", f"a=setup:{setup}", *more]
            if section.kind != "application":
                lines.append(f"a={both(section.direction, offered[index]) if offered else section.direction}")
        return "\r\n".join(lines) + "\r\n"

    @property
    def ufrag(self) -> str:
        return f"{self.name}uf{self.ice}"

    def candidate(self) -> dict[str, Any] | None:
        section = next((s for s in self.sections if not s.stopped), None)
        if section is None:
            return None
        text = f"candidate:1 1 udp 2113937151 192.0.2.{self.random.randrange(1, 250)} 5000 typ host ufrag {self.ufrag}"
        return {"candidate": text, "sdpMid": section.mid, "sdpMLineIndex": self.sections.index(section), "usernameFragment": self.ufrag}

    # --- what it hears

    def rollback(self) -> None:
        if self.pending is not None:
            self.pending = None
            self.sections, self.ice = deepcopy(self.before[0]), self.before[1]

    def hear_offer(self, text: str, reject: bool = False) -> str:
        """Its answer. `reject`: it takes no new section."""
        self.rollback()
        narrow: dict[int, str] = {}
        seen = sdp.parse(text).media
        assert len(seen) >= len(self.sections), "sections never go away"
        for index, media in enumerate(seen):
            mid, there = name_of(media), self.sections[index] if index < len(self.sections) else None
            if there is not None and (media.rejected if there.stopped else media.rejected or there.mid == mid):
                assert there.kind == media.kind, "a section keeps its kind"
                there.stopped = there.stopped or media.rejected
                narrow[index] = str(media.effective_direction)
                continue
            assert there is None or there.stopped, f"section {index} of {self.name} has another mid"
            new = Section(mid, media.kind, self.random.choice(DIRECTIONS), media.rejected or reject)
            self.sections[index : index + 1] = [new]
            narrow[index] = str(media.effective_direction)
        return self.text("active" if self.role == "actpass" else self.role, narrow)

    def hear_answer(self, text: str) -> None:
        assert self.pending is not None
        seen = sdp.parse(text).media
        assert [m.kind for m in seen] == [s.kind for s in self.sections], "an answer has the sections of its offer"
        for media, section in zip(seen, self.sections, strict=True):
            assert media.rejected or name_of(media) == section.mid
            section.stopped = section.stopped or media.rejected
        self.pending = None

    def change(self) -> str | None:
        """Something to be negotiated; None if it is not stable."""
        if self.pending is not None:
            return None
        self.keep()
        live = [s for s in self.sections if not s.stopped]
        match self.random.choice(("add", "add", "hold", "hold", "restart", "stop", "nothing", "both")):
            case "add" if len(self.sections) < 6:
                self.add(self.random.choice(("audio", "video", "video", "application")))
            case "hold" if live:
                self.random.choice(live).direction = self.random.choice(DIRECTIONS)
            case "restart":
                self.ice += 1
            case "stop" if len(live) > 1:
                self.random.choice(live).stopped = True
            case "both" if len(self.sections) < 6 and live:
                self.add("video")
                self.random.choice(live).direction = self.random.choice(DIRECTIONS)
                self.ice += self.random.choice((0, 1))
            case _:
                pass
        return self.offer()
