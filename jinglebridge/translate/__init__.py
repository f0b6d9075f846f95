"""SDP to Jingle XML and back, stateless: two functions on text. The level of dataclasses is `jinglebridge.translate.session`.

>>> xml = sdp_to_xml(offer)                      # what an initiator's browser wrote
>>> xml_to_sdp(answer_xml, author="responder")   # what the initiator's browser gets
"""

from __future__ import annotations

from hashlib import sha256

from jinglebridge.errors import InvalidState, Refused
from jinglebridge.jingle import Jingle, Role, jingle_text, parse_jingle
from jinglebridge.sdp import parse
from jinglebridge.translate.policy import POLICIES, PeerPolicy
from jinglebridge.translate.session import Described, from_sdp, to_sdp
from jinglebridge.xml import parse_text

# A <jingle/> must have a sid; a stateless function has no session.
STATELESS_SID = "0"


def sdp_to_xml(sdp: str, author: str = "initiator", *, extensions: bool = False, peer: str | None = None) -> str:
    """The `<jingle/>` for a description, as text.

    Args:
        sdp: what the side `author` wrote, CRLF or LF.
        author: session role of that side. "initiator" gives a session-initiate, "responder" a session-accept (in which
            setup is never actpass, J-181).
        extensions: carry also what has no Jingle form; not yet.
        peer: name of a policy in `jinglebridge.translate.policy`, None applies none.

    Raises: SdpError for what is no SDP, Refused for what cannot be carried; InvalidState for a wrong argument.
    """
    role, policy = _arguments(author, extensions, peer)
    answer = role is Role.RESPONDER
    described = from_sdp(parse(sdp), role, policy=policy, answer=answer)
    action = "session-accept" if answer else "session-initiate"
    return jingle_text(Jingle(action, STATELESS_SID, contents=described.contents, groups=described.groups))


def xml_to_sdp(xml: str, author: str = "initiator", *, extensions: bool = False, peer: str | None = None) -> str:
    """The SDP for a `<jingle/>` that the side `author` sent, CRLF line ends.

    The o= line has a number made from the sid and version 1.

    Raises: BadRequest for XML that is malformed or no Jingle, Refused for what cannot be carried; InvalidState for a wrong argument.
    """
    role, policy = _arguments(author, extensions, peer)
    jingle = parse_jingle(parse_text(xml))
    described = policy.apply(Described(jingle.contents, jingle.groups))
    number = int.from_bytes(sha256(jingle.sid.encode()).digest()[:8], "big") >> 1
    answer = jingle.action in ("session-accept", "content-accept")
    return to_sdp(described, role, session_id=number, version=1, answer=answer).format()


def _arguments(author: str, extensions: bool, peer: str | None) -> tuple[Role, PeerPolicy]:
    if extensions:
        raise Refused("extensions come with the complete translator")
    policy = POLICIES.get(peer or "none")
    if policy is None:
        raise InvalidState(f"unknown peer policy {peer!r}; one of {', '.join(POLICIES)}")
    try:
        return Role(author), policy
    except ValueError:
        raise InvalidState(f"author is initiator or responder, not {author!r}") from None


__all__ = ["sdp_to_xml", "xml_to_sdp"]
