"""Descriptions both ways: the offer and the answer of a call, between the endpoint's SDP and the peer's Jingle.

The caller's endpoint offers, the callee's answers; `translate` turns one into the other and knows nothing of calls. What is
wrong with a description of the peer ends the call with the Jingle reason of the `Refused` (after an ack, J-077); what is
wrong with one of the endpoint is an error frame, and the call stays as it was.

Spec: XEP-0166 §6; XEP-0167 §5; J-053, J-060, J-081 … J-091.
"""

from __future__ import annotations

from jinglebridge import sdp
from jinglebridge.calls import candidates
from jinglebridge.calls import effects as fx
from jinglebridge.calls.events import Described, JingleReceived
from jinglebridge.calls.states import Session, step, step_signalling
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import BadRequest, EndpointError, OutOfOrder, Refused
from jinglebridge.jingle import Content, Jingle, Role, parse_jingle
from jinglebridge.jingle.xep_0167 import MEDIA
from jinglebridge.translate.described import name_of
from jinglebridge.translate.policy import PeerPolicy
from jinglebridge.translate.session import Described as Description
from jinglebridge.translate.session import from_sdp, media_of, mids, to_sdp, without_candidates
from jinglebridge.xml import parse_text

# --- we call


def proposed_media(text: str, policy: PeerPolicy) -> tuple[str, ...]:
    """The media of an endpoint's offer, after checking that all of it can be translated. Raises Refused."""
    return media_of(from_sdp(sdp.parse(text), Role.INITIATOR, policy=policy))


def initiate(turn: Turn) -> None:
    """Send our offer. Without JMI the callee has not accepted yet, so no address may leave with it. J-247."""
    state = turn.state
    offer = sdp.parse(state.own_sdp)
    described = from_sdp(offer, state.role, policy=turn.policy)
    state.peer_mids = {name_of(media): name_of(media) for media in offer.media}
    candidates.remember_own(state, described)
    if not state.jmi:
        candidates.hold_own(state, described)
        described = without_candidates(described)
    turn.send_jingle(Jingle("session-initiate", state.sid, initiator=state.own, contents=described.contents, groups=described.groups))
    if state.jmi:
        candidates.release_own(turn)


def accept_received(turn: Turn, event: JingleReceived) -> None:
    """The callee's answer, and the candidates that came before it, go to the endpoint."""
    state = turn.state
    session = step(state.session, state.peer_role, "session-accept")
    signalling = step_signalling(state.signalling, "bridge", "answer")
    described = Description(usable(event.jingle), event.jingle.groups)
    offer = sdp.parse(state.own_sdp)
    answer = to_sdp(described, state.peer_role, session_id=state.sdp_id, version=state.sdp_version + 1, offer=offer)
    state.session, state.signalling = session, signalling
    state.sdp_version += 1
    state.peer_xml = event.xml
    candidates.remember_peer(state, described)
    turn.add(fx.TellDescription(state.own, state.call, "answer", answer.format()))
    candidates.release_peer(turn)
    candidates.release_own(turn)
    turn.timer("connect", turn.timers.connect)
    turn.tell_state()


# --- we are called


def initiate_received(turn: Turn, event: JingleReceived) -> None:
    """The session of a call that a person of ours accepted: its offer goes to the page without ringing again. J-060."""
    state = turn.state
    session = step(state.session, state.peer_role, "session-initiate")
    if not state.accepted:
        raise OutOfOrder("nobody proceeded yet")
    complete(event.jingle)
    state.session = session  # from here on a Refused is answered with a session-terminate
    media = media_of(Description(checked_offer(event.jingle), event.jingle.groups))
    if sorted(media) != sorted(state.media):
        raise Refused("the offer holds other media than the propose", reason="security-error", rule="J-053")
    keep_offer(turn, event)
    offer_to_endpoint(turn)


def complete(jingle: Jingle) -> None:
    """Raises BadRequest unless an offer holds a content of the session, each with a description and a transport. J-081."""
    session = [c for c in jingle.contents if c.disposition == "session"]
    if not session or any((c.description_ns is None and not c.data) or c.transport_ns is None for c in session):
        raise BadRequest("session-initiate needs contents, each with a description and a transport")


def usable(jingle: Jingle) -> tuple[Content, ...]:
    """The contents that belong to the session itself and are RTP over ICE; the first of alternatives. J-083, J-101, J-104."""
    found = {(c.name, c.creator): c for c in reversed(jingle.contents) if _is_rtp(c) and c.transport is not None}
    return tuple(c for c in jingle.contents if found.get((c.name, c.creator)) is c)


def _is_rtp(content: Content) -> bool:
    return content.disposition == "session" and content.description is not None and content.description.media in MEDIA


def checked_offer(jingle: Jingle) -> tuple[Content, ...]:
    """The usable contents of an offer. Raises Refused with the reason why there are none. J-081, J-082, J-102."""
    if any(c.security and c.disposition == "session" for c in jingle.contents):
        raise Refused("security preconditions are not known here", reason="security-error", rule="J-102")
    if not any(map(_is_rtp, jingle.contents)):
        raise Refused("no RTP content", reason="unsupported-applications", rule="J-082")
    contents = usable(jingle)
    if not contents:
        raise Refused("no ICE-UDP transport", reason="unsupported-transports", rule="J-082")
    return contents


def keep_offer(turn: Turn, event: JingleReceived) -> None:
    """Keep the peer's offer in the call until the page may see it."""
    turn.state.peer_xml = event.xml
    turn.state.bundle = turn.peer.bundles(event.sender)


def kept_offer(turn: Turn) -> Description:
    jingle = parse_jingle(parse_text(turn.state.peer_xml))
    return Description(usable(jingle), jingle.groups)


def refusal_of_offer(turn: Turn, event: JingleReceived) -> Refused | None:
    """Keep an offer that has to ring first, and say why it could not be given to a page later on, if so. Raises BadRequest."""
    keep_offer(turn, event)
    try:
        checked_offer(event.jingle)
        to_sdp(kept_offer(turn), turn.state.peer_role, session_id=turn.state.sdp_id, version=1)
    except Refused as refused:
        return refused
    return None


def offer_to_endpoint(turn: Turn) -> None:
    """Give the kept offer of the peer to the page that accepted. Raises Refused."""
    state = turn.state
    described = kept_offer(turn)
    offer = to_sdp(described, state.peer_role, session_id=state.sdp_id, version=state.sdp_version + 1)
    state.signalling = step_signalling(state.signalling, "bridge", "offer")
    state.sdp_version += 1
    state.peer_mids = dict(zip((c.name for c in described.contents), mids(described.contents), strict=True))
    candidates.remember_peer(state, described)
    turn.add(fx.TellDescription(state.own, state.call, "offer", offer.format()))
    candidates.release_peer(turn)
    turn.timer("accept", turn.timers.accept)


def described(turn: Turn, event: Described) -> None:
    """The endpoint set a description: the answer to the peer's offer, or a change to a running call."""
    state = turn.state
    if event.type == "offer":
        step_signalling(state.signalling, "endpoint", "offer")
        if state.session is not Session.ACTIVE:
            raise OutOfOrder("this call is not up yet")
        raise EndpointError("not-negotiable", "this peer cannot change a running call", what=_change(state.own_sdp, event.sdp))
    signalling = step_signalling(state.signalling, "endpoint", "answer")
    answer = from_sdp(sdp.parse(event.sdp), state.role, creator=state.peer_role, policy=turn.policy, accept_of=kept_offer(turn))
    state.signalling = signalling
    state.own_sdp = event.sdp
    candidates.remember_own(state, answer)
    turn.send_jingle(Jingle("session-accept", state.sid, responder=state.own, contents=answer.contents, groups=answer.groups))
    candidates.release_own(turn)
    turn.timer("connect", turn.timers.connect)
    turn.tell_state()


def _change(old_text: str, new_text: str) -> str:
    """Which part of a re-offer the peer cannot take: one word of `error.what`."""
    new, old = sdp.parse(new_text).media, sdp.parse(old_text).media
    if len(new) > len(old):
        return "add"
    if any(n.rejected and not o.rejected for n, o in zip(new, old, strict=False)):
        return "remove"
    return "direction" if [n.get("ice-ufrag") for n in new] == [o.get("ice-ufrag") for o in old] else "ice-restart"
