"""Candidates of one side of a session, both ways: what its endpoint gathers, and what the other side tells.

Each is kept in the side's descriptions, so that a later offer or answer tells it again to the endpoint (J-220) and never to the peer.

Spec: XEP-0176 §5.5, RFC 8838; J-145 … J-169.
"""

from __future__ import annotations

from typing import Any

from jinglebridge.errors import Refused
from jinglebridge.jingle import Candidate, Content, IceUdpTransport, Jingle
from jinglebridge.translate.applied import MAX_CANDIDATES, Unknown, credentials, with_candidates
from jinglebridge.translate.changes import transport_info
from jinglebridge.translate.described import Described, name_of
from jinglebridge.translate.side import LINE, Side
from jinglebridge.translate.tails import candidate_extras, candidate_with_extras
from jinglebridge.translate.trickle import candidate_from_sdp, ufrag_of


def told(side: Side, init: dict[str, Any]) -> Jingle | None:
    """The transport-info for an RTCIceCandidateInit; None for one that is not to be sent. J-152 … J-164

    Raises: Refused before any description or for an unknown section, SdpError for what is no candidate.
    """
    content = _own_content(side, init)
    if content is None or content.transport is None or side.own is None:
        return None
    text = "" if init.get("candidate") is None else init["candidate"]
    if not isinstance(text, str):
        raise Refused("not a candidate: a string is expected", rule="J-151")
    ufrag = ufrag_of(text) or init.get("usernameFragment") or content.transport.ufrag
    if ufrag != content.transport.ufrag or len(content.transport.candidates) >= MAX_CANDIDATES:
        return None  # of a generation that is over (J-169), or one too many
    found = candidate_from_sdp(text, id=f"t{side.candidates + 1}")
    if found is None:
        ends = not text.strip() and side.policy.end_of_candidates
        return _info(side, content, gathering_complete=True) if ends else None
    if not side.policy.admits(found):
        return None
    side.candidates += 1
    side.trickled += LINE + len(text)
    extras = candidate_extras(text, found, content.transport.ufrag) if side.extensions else ()
    return _info(side, content, candidates=(found,), unknown=extras)


def ended(side: Side) -> list[Jingle]:
    """The end of candidates of the whole endpoint: a transport-info for each content that has not said so. J-165"""
    if side.own is None or not side.policy.end_of_candidates:
        return []
    contents = [content for content in side.own.contents if content.transport is not None and not content.transport.gathering_complete]
    return [_info(side, content, gathering_complete=True) for content in contents]


def _info(
    side: Side, content: Content, *, candidates: tuple[Candidate, ...] = (), gathering_complete: bool = False, unknown: Unknown = ()
) -> Jingle:
    assert content.transport is not None and side.own is not None
    transport = IceUdpTransport(*credentials(content.transport), candidates=candidates, gathering_complete=gathering_complete)
    told = transport_info(content, transport, unknown)
    side.own = with_candidates(side.own, told)
    return Jingle("transport-info", side.sid, contents=(told,))


def heard(side: Side, jingle: Jingle) -> list[dict[str, Any]]:
    """What the endpoint gets for a transport-info: RTCIceCandidateInit, "" for the end; nothing for an unknown or old transport.

    Raises: Refused before any description.
    """
    if side.peer is None or side.shown is None:
        raise Refused("a candidate before any description", rule="J-155")
    found, mids = [], side.mids
    for content in jingle.contents:
        known, transport = side.peer.content(content.name), content.transport
        if known is None or known.transport is None or transport is None or not current(transport, known.transport):
            continue
        mid = mids.get(content.name, content.name)
        index = next((media.index for media in side.shown.media if name_of(media) == mid), 0)
        # A bundled content may have no credentials of its own in the description (J-193).
        ufrag = transport.ufrag or known.transport.ufrag
        texts = [candidate_with_extras(item, content.unknown, ufrag) for item in transport.candidates if item.component == 1]
        texts += [""] if transport.gathering_complete else []
        found += [{"candidate": text, "sdpMid": mid, "sdpMLineIndex": index, "usernameFragment": ufrag} for text in texts]
        side.peer = with_candidates(side.peer, content)
    return found


def current(transport: IceUdpTransport, known: IceUdpTransport) -> bool:
    """Are these candidates of the credentials that are known? J-169

    COMPAT(stanza.js 12): sends the ufrag without the pwd. COMPAT(Movim 0.31): may send neither, which means the current ones.
    """
    return known.ufrag is None or transport.ufrag in (None, known.ufrag)


def complete(side: Side) -> bool:
    """Has the other side said of every content that no candidate will follow?"""
    contents = () if side.peer is None else side.peer.contents
    return contents != () and all(content.transport is None or content.transport.gathering_complete for content in contents)


def withheld(described: Described) -> list[dict[str, Any]]:
    """The candidates in a first offer, as its endpoint would have trickled them, for a peer that may not see them yet."""
    return [
        {"candidate": candidate_with_extras(item, content.unknown), "sdpMid": content.name, "sdpMLineIndex": index}
        for index, content in enumerate(described.contents)
        for item in (content.transport.candidates if content.transport else ())
    ]


def _own_content(side: Side, init: dict[str, Any]) -> Content | None:
    """The content of a candidate: by mid, else by index. None if its section is no content; Refused if there is no such section."""
    if side.said is None or side.own is None:
        raise Refused("a candidate before any description", rule="J-155")
    mid, index = init.get("sdpMid"), init.get("sdpMLineIndex")
    for media in side.said.media:
        if media.mid == mid if mid else media.index == index:
            return side.own.content(side.names.get(name_of(media), name_of(media)))
    raise Refused("a candidate of an unknown section", rule="J-164")
