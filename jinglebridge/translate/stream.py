"""`jinglebridge translate --stream`: both sides of many calls, one JSON object at a time, everything through Jingle text.

Side A is the Jingle initiator. What an endpoint says becomes a <jingle/> as text, is read again, and becomes what the other endpoint
gets; between the two nothing travels but that text. State per call: the last description of each side. The message format is in
`StreamTranslator.handle`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from jinglebridge.errors import ProtocolError, Refused
from jinglebridge.jingle import Candidate, Content, Jingle, Role, jingle_text, parse_jingle
from jinglebridge.sdp import SessionDescription, parse
from jinglebridge.translate.policy import NONE, PeerPolicy
from jinglebridge.translate.session import Described, from_sdp, mids, to_sdp
from jinglebridge.translate.trickle import candidate_from_sdp, candidate_to_sdp, ufrag_of
from jinglebridge.xml import parse_text

MAX_CALLS = 10_000

_AUTHORS = {"a2b": Role.INITIATOR, "b2a": Role.RESPONDER}


@dataclass(slots=True)
class _Side:
    """What one endpoint said last."""

    said: SessionDescription | None = None
    described: Described | None = None
    candidates: int = 0
    version: int = 0


@dataclass(slots=True)
class _Call:
    sid: str
    sides: dict[Role, _Side] = field(default_factory=lambda: {role: _Side() for role in Role})
    # The contents of the last offer as its receiver knows them, and the SDP it got: the answer is held against both.
    offered: Described | None = None
    delivered: SessionDescription | None = None
    accepted: bool = False

    @property
    def number(self) -> int:
        return int.from_bytes(sha256(self.sid.encode()).digest()[:8], "big") >> 1


class StreamTranslator:
    """Translates the messages of many calls; `handle` never raises on any JSON object."""

    def __init__(self, policy: PeerPolicy = NONE) -> None:
        self.policy = policy
        self.calls: dict[str, _Call] = {}

    def handle(self, msg: dict[str, Any]) -> dict[str, Any]:
        """The reply to one message.

        Args:
            msg: ``{"id", "call", "dir": "a2b"|"b2a", "kind": "offer"|"answer"|"candidate"|"end", "round", "sdp" | "candidate"}``.

        Returns: ``{"id", "sdp"}``, ``{"id", "candidate": {…}|null}`` (null: nothing is to be delivered), ``{"id", "out": […]}`` or
            ``{"id", "error": "why"}``.
        """
        reply: dict[str, Any] = {"id": msg.get("id")}
        try:
            reply |= self._translate(msg)
        except ProtocolError as problem:
            reply["error"] = str(problem)
        return reply

    def _translate(self, msg: dict[str, Any]) -> dict[str, Any]:
        author = _AUTHORS.get(str(msg.get("dir")))
        if author is None:
            raise Refused("dir is a2b or b2a")
        sid = str(msg.get("call"))
        if sid not in self.calls and len(self.calls) >= MAX_CALLS:
            del self.calls[next(iter(self.calls))]
        call = self.calls.setdefault(sid, _Call(sid))
        match msg.get("kind"), msg.get("sdp"), msg.get("candidate"):
            case "offer", str(sdp), _:
                return {"sdp": self._offer(call, author, parse(sdp))}
            case "answer", str(sdp), _:
                return {"sdp": self._answer(call, author, parse(sdp))}
            case "candidate", _, dict(candidate):
                return {"candidate": self._candidate(call, author, candidate)}
            case "end", _, _:
                return self._end(call, author)
        raise Refused(f"not a message of this protocol: kind {str(msg.get('kind'))[:40]}")

    def _offer(self, call: _Call, author: Role, sdp: SessionDescription) -> str:
        side, other = call.sides[author], call.sides[author.other]
        known = other.described
        described = from_sdp(sdp, author, creator=author, policy=self.policy)
        if known is not None:
            described = _with_creators(described, known)
        # A later offer says the whole session again; in Jingle that is a content-add of everything.
        received = self._through(call, "content-add" if call.accepted else "session-initiate", described)
        previous = other.said
        other.version += 1
        result = to_sdp(received, author, session_id=call.number, version=other.version, previous=previous)
        side.said, side.described = sdp, described
        call.offered, call.delivered = received, result
        return result.format()

    def _answer(self, call: _Call, author: Role, sdp: SessionDescription) -> str:
        side, other = call.sides[author], call.sides[author.other]
        if call.offered is None or other.said is None:
            raise Refused("an answer without an offer")
        described = from_sdp(sdp, author, accept_of=call.offered, policy=self.policy)
        received = self._through(call, "content-accept" if call.accepted else "session-accept", described)
        other.version += 1
        result = to_sdp(received, author, session_id=call.number, version=other.version, offer=other.said)
        side.said, side.described = sdp, described
        call.accepted, call.offered = True, None
        return result.format()

    def _through(self, call: _Call, action: str, described: Described) -> Described:
        """The description as the other side reads it."""
        jingle = self._carry(Jingle(action, call.sid, contents=described.contents, groups=described.groups))
        return Described(jingle.contents, jingle.groups)

    @staticmethod
    def _carry(jingle: Jingle) -> Jingle:
        return parse_jingle(parse_text(jingle_text(jingle)))

    def _candidate(self, call: _Call, author: Role, init: dict[str, Any]) -> dict[str, Any] | None:
        """RTCIceCandidateInit to transport-info to RTCIceCandidateInit. J-164"""
        side = call.sides[author]
        content, index = self._content_of(side, init)
        if content is None or content.transport is None:
            return None
        text = str(init.get("candidate") or "")
        ufrag = ufrag_of(text) or init.get("usernameFragment") or content.transport.ufrag
        if ufrag != content.transport.ufrag:
            return None  # of a generation that is over, J-169
        side.candidates += 1
        candidate = candidate_from_sdp(text, id=f"t{side.candidates}")
        if candidate is None and text:
            return None
        if candidate is not None and not self.policy.admits(candidate):
            return None
        if candidate is None and not self.policy.end_of_candidates:
            return None
        return self._transport_info(call, content, candidate, index)

    def _transport_info(self, call: _Call, content: Content, candidate: Candidate | None, index: int) -> dict[str, Any] | None:
        """One content and one candidate per stanza (J-153); no candidate says that gathering is complete."""
        assert content.transport is not None
        transport = replace(
            content.transport,
            fingerprints=(),
            candidates=() if candidate is None else (candidate,),
            gathering_complete=candidate is None,
        )
        info = replace(content, senders=None, description=None, transport=transport)
        received = self._carry(Jingle("transport-info", call.sid, contents=(info,))).contents[0]
        assert received.transport is not None
        mid = self._mid(call, content)
        found = received.transport.candidates
        return {
            "candidate": candidate_to_sdp(found[0]) if found else "",
            "sdpMid": mid,
            "sdpMLineIndex": index,
            "usernameFragment": received.transport.ufrag,
        }

    @staticmethod
    def _mid(call: _Call, content: Content) -> str:
        """The mid under which the receiver knows a content."""
        contents = call.offered.contents if call.offered is not None else (content,)
        return dict(zip((item.name for item in contents), mids(contents), strict=True)).get(content.name, content.name)

    def _content_of(self, side: _Side, init: dict[str, Any]) -> tuple[Content | None, int]:
        """The content and the m-line index of a candidate: by mid, else by index. Raises Refused if both are unknown."""
        if side.said is None or side.described is None:
            raise Refused("a candidate before any description", rule="J-155")
        mid, index = init.get("sdpMid"), init.get("sdpMLineIndex")
        for media in side.said.media:
            if media.mid == mid if mid else media.index == index:
                return side.described.content(media.mid if media.mid is not None else str(media.index)), media.index
        raise Refused("a candidate of an unknown section", rule="J-164")

    def _end(self, call: _Call, author: Role) -> dict[str, Any]:
        """The end of candidates of a whole side has no Jingle form; it stays between endpoint and bridge (J-165)."""
        return {"candidate": None}


def _with_creators(described: Described, known: Described) -> Described:
    """Contents that exist already keep who created them. XEP-0166 §7.3"""
    creators = {content.name: content.creator for content in known.contents}
    contents = tuple(replace(content, creator=creators.get(content.name, content.creator)) for content in described.contents)
    return Described(contents, described.groups)
