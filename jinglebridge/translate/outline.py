"""What trickling needs of a side of a session: who its contents are, their credentials, and how many candidates they may still have.

It is small, so a call keeps it while its descriptions are put away, and a candidate is told or heard without them. What they do not have
yet is returned as `Late`, and whoever uses an outline keeps that.

Spec: XEP-0176 §5.5, RFC 8838; J-145 … J-169.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jinglebridge.errors import Refused
from jinglebridge.jingle import Candidate, Content, IceUdpTransport, Jingle, Role, jingle_text
from jinglebridge.jingle.private import CandidateTail, SdpExtras, read, written
from jinglebridge.jingle.xep_0176 import candidate_from_line, candidate_text, candidate_to_line
from jinglebridge.translate.applied import MAX_CANDIDATES
from jinglebridge.translate.described import Described, name_of
from jinglebridge.translate.policy import PeerPolicy
from jinglebridge.translate.side import LINE, Side
from jinglebridge.translate.tails import candidate_tail, candidate_with_tails
from jinglebridge.translate.trickle import candidate_line
from jinglebridge.values import maker

Init = dict[str, Any]  # RTCIceCandidateInit

_transport, _content, _jingle = maker(IceUdpTransport), maker(Content), maker(Jingle)


class Late(NamedTuple):
    """Candidates of one content that came after its description, and their end."""

    name: str
    candidates: tuple[Candidate, ...] = ()
    tails: tuple[CandidateTail, ...] = ()
    complete: bool = False

    @property
    def content(self) -> Content:
        """As a transport-info has it, but for who created the content, and credentials."""
        transport = IceUdpTransport(candidates=self.candidates, gathering_complete=self.complete)
        return Content(self.name, transport=transport, unknown=written(SdpExtras(candidates=self.tails)))


Told = tuple[Jingle, Late, str]  # a transport-info with one candidate, or with the end of them, and `jingle_text` of it


@dataclass(slots=True)
class Part:
    """A content with a transport. `room`: candidates that may still come; `complete`: none will; `mid`, `index`: its section at the
    endpoint; `around`: the text of a transport-info before and behind its candidate, once there was one."""

    name: str
    creator: Role
    ufrag: str | None
    pwd: str | None
    room: int
    complete: bool
    mid: str
    index: int
    around: tuple[str, str] | None = field(default=None, compare=False, repr=False)


@dataclass(slots=True)
class Outline:
    """`own`, `peer`: contents by name, None before the first description of that side; `sections`: mid, index and content of what the
    endpoint said last. `names`: content names by the endpoint's mids; `creators`: of the other side's contents.

    `told`: how many candidates of the endpoint were, `size`: what they take of `Side.size`.
    """

    sid: str
    policy: PeerPolicy
    extensions: bool
    own: dict[str, Part] | None
    peer: dict[str, Part] | None
    sections: list[tuple[str | None, int, Part | None]]
    names: dict[str, str]
    creators: dict[str, Role]
    told: int = 0
    size: int = 0

    def tell(self, init: Init) -> Told | None:
        """The transport-info for a candidate of the endpoint; None for one that is not to be sent. J-152 … J-164

        Raises: Refused before any description or for an unknown section, SdpError for what is no candidate.
        """
        part = self._section(init)
        if part is None:
            return None
        text = init.get("candidate")
        if text is None:
            text = ""
        if not isinstance(text, str):
            raise Refused("not a candidate: a string is expected", rule="J-151")
        line = candidate_line(text)
        ufrag = None if line is None else line.extensions.get("ufrag")
        if (ufrag or init.get("usernameFragment") or part.ufrag) != part.ufrag or part.room <= 0:
            return None  # of a generation that is over (J-169), or one too many
        if line is None:
            return self._end(part) if not text.strip() and self.policy.end_of_candidates else None
        found = candidate_from_line(line, f"t{self.told + 1}")
        if found is None or not self.policy.admits(found):
            return None
        self.told += 1
        self.size += LINE + len(text)
        part.room -= 1
        tail = candidate_tail(text, found, part.ufrag) if self.extensions else None
        return self._info(part, Late(part.name, (found,), () if tail is None else (tail,)))

    def tell_end(self) -> list[Told]:
        """The end of candidates of the whole endpoint: a transport-info for each content that has not said so. J-165"""
        parts = self.own.values() if self.own is not None and self.policy.end_of_candidates else ()
        return [self._end(part) for part in parts if not part.complete]

    def _end(self, part: Part) -> Told:
        part.complete = True
        return self._info(part, Late(part.name, complete=True))

    def _info(self, part: Part, late: Late) -> Told:
        transport = _transport(part.ufrag, part.pwd, candidates=late.candidates, gathering_complete=late.complete)
        unknown = written(SdpExtras(candidates=late.tails)) if late.tails else ()
        content = _content(part.name, part.creator, transport=transport, unknown=unknown)
        jingle = _jingle("transport-info", self.sid, contents=(content,))
        return jingle, late, _text(part, late, jingle)

    def _section(self, init: Init) -> Part | None:
        """The content of a candidate: by mid, else by index. None if its section is no content; Refused if there is no such section."""
        if self.own is None:
            raise Refused("a candidate before any description", rule="J-155")
        wanted, place = init.get("sdpMid"), init.get("sdpMLineIndex")
        for mid, index, part in self.sections:
            if mid == wanted if wanted else index == place:
                return part
        raise Refused("a candidate of an unknown section", rule="J-164")

    def hear(self, jingle: Jingle) -> tuple[list[Init], list[Late]]:
        """What the endpoint gets for a transport-info, "" being the end; nothing for an unknown content or an old transport.

        Raises: Refused before any description.
        """
        if self.peer is None:
            raise Refused("a candidate before any description", rule="J-155")
        found: list[Init] = []
        lates = []
        for content in jingle.contents:
            part, transport = self.peer.get(content.name), content.transport
            if part is None or transport is None or not _current(transport, part):
                continue
            # A bundled content may have no credentials of its own in the description (J-193).
            ufrag = transport.ufrag or part.ufrag
            tails = read(content.unknown).candidates if content.unknown else ()
            usable = [item for item in transport.candidates if item.component == 1]
            texts = [candidate_with_tails(item, tails, ufrag) for item in usable] if tails else [*map(candidate_to_line, usable)]
            if transport.gathering_complete:
                texts.append("")
            where = {"sdpMid": part.mid, "sdpMLineIndex": part.index, "usernameFragment": ufrag}
            found += [{"candidate": text, **where} for text in texts]
            late = Late(content.name, transport.candidates[: part.room], tails[:MAX_CANDIDATES], transport.gathering_complete)
            if late.candidates or (late.complete and not part.complete):
                part.room -= len(late.candidates)
                part.complete = part.complete or late.complete
                lates.append(late)
        return found, lates

    def restarts_nothing(self, jingle: Jingle) -> bool:
        """True for a transport-info of the credentials that are known. False: look closer. J-169"""
        parts = self.peer or {}
        for content in jingle.contents:
            part = parts.get(content.name)
            if part is not None and content.transport is not None and not _current(content.transport, part):
                return False
        return True


def _text(part: Part, late: Late, jingle: Jingle) -> str:
    """All but the candidate is the same in each transport-info of a content, so it is written once."""
    if late.complete or late.tails:
        return jingle_text(jingle)
    candidate = candidate_text(late.candidates[0])
    if part.around is None:
        before, _, behind = jingle_text(jingle).partition(candidate)
        part.around = before, behind
    return candidate.join(part.around)


def _current(transport: IceUdpTransport, known: Part) -> bool:
    """Are these candidates of the credentials that are known? J-169

    COMPAT(stanza.js 12): sends the ufrag without the pwd. COMPAT(Movim 0.31): may send neither, which means the current ones.
    """
    return known.ufrag is None or transport.ufrag in (None, known.ufrag)


def outline(side: Side) -> Outline:
    """The outline of a side as it is now."""
    own: dict[str, Part] | None = None
    sections = []
    if side.said is not None and side.own is not None:
        own = _parts(side.own)
        for media in side.said.media:
            name = name_of(media)
            sections.append((media.mid, media.index, own.get(side.names.get(name, name))))
    peer = None
    if side.peer is not None and side.shown is not None:
        peer, mids = _parts(side.peer), side.mids
        places = {name_of(media): media.index for media in reversed(side.shown.media)}
        for part in peer.values():
            part.mid = mids.get(part.name, part.name)
            part.index = places.get(part.mid, 0)
    creators = {} if side.peer is None else {content.name: content.creator for content in reversed(side.peer.contents)}
    return Outline(side.sid, side.policy, side.extensions, own, peer, sections, side.names, creators, side.candidates)


def _parts(described: Described) -> dict[str, Part]:
    found: dict[str, Part] = {}
    seen = set()
    for c in described.contents:
        t = c.transport
        if c.name not in seen and t is not None:  # the first of a name counts, also one without transport
            room = max(0, MAX_CANDIDATES - len(t.candidates))
            found[c.name] = Part(c.name, c.creator, t.ufrag, t.pwd, room, t.gathering_complete, "", 0)
        seen.add(c.name)
    return found
