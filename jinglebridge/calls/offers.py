"""What of a peer's offer can be taken at all, and why not. Spec: XEP-0166 §6.2, §6.3; J-081 … J-083, J-101, J-102, J-104."""

from __future__ import annotations

from jinglebridge.calls.kinds import Kind
from jinglebridge.errors import BadRequest, Refused
from jinglebridge.jingle import Content, Jingle
from jinglebridge.jingle.xep_0167 import MEDIA


def complete(jingle: Jingle) -> None:
    """Raises BadRequest unless an offer holds a content of the session, each with a description and a transport. J-081."""
    session = [c for c in jingle.contents if c.disposition == "session"]
    if not session or any((c.description_ns is None and not c.data) or c.transport_ns is None for c in session):
        raise BadRequest("session-initiate needs contents, each with a description and a transport")


def usable(jingle: Jingle, kind: Kind) -> tuple[Content, ...]:
    """The contents that belong to the session itself and can be carried over ICE; the first of alternatives. J-083, J-101, J-104."""
    found = {(c.name, c.creator): c for c in reversed(jingle.contents) if carried(c, kind) and c.transport is not None}
    return tuple(c for c in jingle.contents if found.get((c.name, c.creator)) is c)


def carried(content: Content, kind: Kind) -> bool:
    """RTP, and data channels towards a peer for which there are any."""
    if content.disposition != "session":
        return False
    return (content.description is not None and content.description.media in MEDIA) or (content.data and kind.policy.data)


def checked_offer(jingle: Jingle, kind: Kind) -> tuple[Content, ...]:
    """The usable contents of an offer. Raises Refused with the reason why there are none. J-081, J-082, J-102."""
    if any(c.security and c.disposition == "session" for c in jingle.contents):
        raise Refused("security preconditions are not known here", reason="security-error", rule="J-102")
    if not any(carried(c, kind) for c in jingle.contents):
        raise Refused("no RTP content", reason="unsupported-applications", rule="J-082")
    contents = usable(jingle, kind)
    if not contents:
        raise Refused("no ICE-UDP transport", reason="unsupported-transports", rule="J-082")
    return contents
