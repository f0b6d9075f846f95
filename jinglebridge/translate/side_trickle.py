"""Candidates of one side of a session, both ways: what its endpoint gathers, and what the other side tells.

Each is kept in the side's descriptions, so that a later offer or answer tells it again to the endpoint (J-220) and never to the peer.

Spec: XEP-0176 §5.5, RFC 8838; J-145 … J-169.
"""

from __future__ import annotations

from typing import Any

from jinglebridge.jingle import Jingle
from jinglebridge.translate.applied import with_candidates
from jinglebridge.translate.described import Described
from jinglebridge.translate.outline import Late, outline
from jinglebridge.translate.side import Side
from jinglebridge.translate.tails import candidate_with_extras


def told(side: Side, init: dict[str, Any]) -> Jingle | None:
    """The transport-info for an RTCIceCandidateInit; None for one that is not to be sent. Raises as `Outline.tell`."""
    seen = outline(side)
    found = seen.tell(init)
    if found is None:
        return None
    jingle, late, _ = found
    side.candidates = seen.told
    side.trickled += seen.size
    catch_up(side, [late], [])
    return jingle


def ended(side: Side) -> list[Jingle]:
    """The end of candidates of the whole endpoint: a transport-info for each content that has not said so. J-165"""
    found = outline(side).tell_end()
    catch_up(side, [late for _, late, _ in found], [])
    return [jingle for jingle, _, _ in found]


def heard(side: Side, jingle: Jingle) -> list[dict[str, Any]]:
    """What the endpoint gets for a transport-info: RTCIceCandidateInit, "" for the end. Raises as `Outline.hear`."""
    found, lates = outline(side).hear(jingle)
    catch_up(side, [], lates)
    return found


def catch_up(side: Side, own: list[Late], peer: list[Late]) -> None:
    """Take candidates into the descriptions."""
    for late in own:
        assert side.own is not None
        side.own = with_candidates(side.own, late.content)
    for late in peer:
        assert side.peer is not None
        side.peer = with_candidates(side.peer, late.content)


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
