"""SDP to Jingle XML and back, stateless: two functions on text. The level of dataclasses is `jinglebridge.translate.session`.

>>> xml = sdp_to_xml(offer)                      # what an initiator's browser wrote
>>> xml_to_sdp(answer_xml, author="responder")   # what the initiator's browser gets
"""

from __future__ import annotations

from hashlib import sha256

from jinglebridge.errors import BadRequest, InvalidState, Refused
from jinglebridge.jingle import Jingle, Role, jingle_text, read_jingle
from jinglebridge.sdp import parse
from jinglebridge.translate.policy import NONE, POLICIES, PeerPolicy
from jinglebridge.translate.session import Described, from_sdp, to_sdp
from jinglebridge.xmltext import guard

# A <jingle/> must have a sid; a stateless function has no session.
STATELESS_SID = "0"
_OPTIONAL = (bool, type(None))

_ACTIONS = {
    (Role.INITIATOR, False): "session-initiate",
    (Role.RESPONDER, True): "session-accept",
    (Role.RESPONDER, False): "content-add",
    (Role.INITIATOR, True): "content-accept",
}
# Who sends it, in a session that has begun with a session-initiate.
AUTHORS = {"session-initiate": Role.INITIATOR, "session-accept": Role.RESPONDER}


def sdp_to_xml(
    sdp: str, author: str = "initiator", *, extensions: bool = False, peer: str | None = None, answer: bool | None = None
) -> str:
    """The `<jingle/>` for a description, as text.

    Args:
        sdp: what the side `author` wrote, CRLF or LF.
        author: session role of that side.
        extensions: carry also what has no Jingle form, in the private namespace ``urn:jinglebridge:sdp:0``.
        peer: name of a policy in `jinglebridge.translate.policy`, None applies none.
        answer: the SDP is an answer. Default: the responder's are, unless they say a=setup:actpass, which only an offer may (J-181).

    Returns: a session-initiate for the initiator's offer, a session-accept for the responder's answer; for the offers of the responder
        and the answers of the initiator, which come later in a call, a content-add and a content-accept.

    Raises: SdpError for what is no SDP, Refused for what cannot be carried or is too big for a stanza; InvalidState for a wrong argument.
    """
    role, policy = _arguments(sdp, author, extensions, peer, answer)
    parsed = parse(sdp)
    if answer is None:
        answer = role is Role.RESPONDER and all(media.inherited("setup") != "actpass" for media in parsed.media)
    creator = role.other if answer else role
    described = from_sdp(parsed, role, creator=creator, policy=policy, answer=answer, extensions=extensions)
    action = _ACTIONS[role, answer]
    text = jingle_text(Jingle(action, STATELESS_SID, contents=described.contents, groups=described.groups, unknown=described.unknown))
    try:
        guard(text)
    except BadRequest as problem:
        raise Refused(f"too big for one stanza: {problem}", rule="J-011") from None
    return text


def xml_to_sdp(xml: str, author: str = "initiator", *, extensions: bool = False, peer: str | None = None) -> str:
    """The SDP for a `<jingle/>` that the side `author` sent, CRLF line ends.

    The o= line has a number made from the sid and version 1.

    Args:
        xml: one element, as it travels on a stream.
        author: session role of that side; not asked for a session-initiate, which is the initiator's, and a session-accept.
        extensions: use the private namespace ``urn:jinglebridge:sdp:0``, where there is something in it.
        peer: name of a policy in `jinglebridge.translate.policy`, None applies none.

    Raises: BadRequest for XML that is malformed or no Jingle, Refused for what cannot be carried; InvalidState for a wrong argument.
    """
    role, policy = _arguments(xml, author, extensions, peer)
    jingle = read_jingle(xml)
    role = AUTHORS.get(jingle.action, role)
    described = policy.apply(Described(jingle.contents, jingle.groups, jingle.unknown))
    number = int.from_bytes(sha256(jingle.sid.encode()).digest()[:8], "big") >> 1
    answer = jingle.action in ("session-accept", "content-accept")
    return to_sdp(described, role, session_id=number, version=1, answer=answer, extensions=extensions).format()


def _arguments(text: str, author: str, extensions: bool, peer: str | None, answer: bool | None = None) -> tuple[Role, PeerPolicy]:
    if not isinstance(text, str) or not isinstance(extensions, bool) or not isinstance(answer, _OPTIONAL):
        raise InvalidState("a description is a str; extensions and answer are True or False")
    policy = NONE if peer is None else POLICIES.get(peer) if isinstance(peer, str) else None
    if policy is None:
        raise InvalidState(f"unknown peer policy {peer!r}; one of {', '.join(POLICIES)}")
    try:
        return Role(author), policy
    except ValueError:
        raise InvalidState(f"author is initiator or responder, not {author!r}") from None


__all__ = ["sdp_to_xml", "xml_to_sdp"]
