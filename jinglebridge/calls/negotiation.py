"""The first negotiation: session-initiate and session-accept.

We call: the endpoint's offer waits in the call until a device of the peer proceeds (or, without JMI, until it is chosen), then becomes
session-initiate; the session-accept becomes the endpoint's answer. We are called: the peer's session-initiate becomes the offer to the
endpoint that accepted; the endpoint's answer becomes session-accept. What changes later is in `changing`.

Spec: XEP-0166 §6, XEP-0167 §6; J-081 … J-091, J-247.
"""

from __future__ import annotations

from jinglebridge import sdp
from jinglebridge.calls import candidates
from jinglebridge.calls import effects as fx
from jinglebridge.calls.events import Described, JingleReceived
from jinglebridge.calls.offers import checked_offer, complete, usable
from jinglebridge.calls.states import step, step_signalling
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import OutOfOrder, Refused
from jinglebridge.jingle import Jingle, jingle_text, read_jingle
from jinglebridge.translate.session import Described as Description
from jinglebridge.translate.session import media_of
from jinglebridge.translate.side import Offer, first_offer
from jinglebridge.values import replace

# --- we call


def proposed(text: str) -> Offer:
    """An endpoint's first offer. Raises SdpError, and Refused unless all of it can be translated."""
    return first_offer(sdp.parse(text))


def learn_peer(turn: Turn, jid: str) -> None:
    """From here on the call knows which device it talks to. You must call it before the call's descriptions are used."""
    state = turn.state
    state.kind = turn.peer.kind(jid).name
    state.bundle = turn.peer.bundles(jid)


def initiate(turn: Turn) -> None:
    """Send our offer. Without JMI the callee has not accepted yet, so no address may leave with it. J-247. Raises Refused."""
    state = turn.state
    side = state.blank_side()
    offer = state.descriptions.offer or proposed(state.own_sdp)
    if not state.jmi:
        candidates.hold(turn, offer.sdp)
    jingle = side.first(offer, addresses=state.jmi)
    state.side, state.own_sdp = side, ""
    turn.send_jingle(replace(jingle, initiator=state.own))
    if state.jmi:
        candidates.release_own(turn)


def accept_received(turn: Turn, event: JingleReceived) -> None:
    """The callee's answer, and the candidates that came before it, go to the endpoint."""
    state = turn.state
    session = step(state.session, state.peer_role, "session-accept")
    signalling = step_signalling(state.signalling, "bridge", "answer")
    side = state.copied_side()
    answer = side.hear_answer([replace(event.jingle, contents=usable(event.jingle, state.peer_kind))])
    state.session, state.signalling, state.side = session, signalling, side
    turn.add(fx.TellDescription(state.own, state.call, "answer", answer.format()))
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
    learn_peer(turn, event.sender)
    media = media_of(Description(checked_offer(event.jingle, state.peer_kind), event.jingle.groups))
    if sorted(media) != sorted(state.media):
        raise Refused("the offer holds other media than the propose", reason="security-error", rule="J-053")
    _tell_offer(turn, usable_offer(turn, event))


def usable_offer(turn: Turn, event: JingleReceived) -> Jingle:
    """What of the peer's offer can be carried."""
    return replace(event.jingle, contents=usable(event.jingle, turn.state.peer_kind))


def keep_offer(turn: Turn, event: JingleReceived) -> None:
    """Keep the peer's offer in the call until the page may see it."""
    learn_peer(turn, event.sender)
    turn.state.peer_xml = jingle_text(usable_offer(turn, event))


def refusal_of_offer(turn: Turn, event: JingleReceived) -> Refused | None:
    """Keep an offer that has to ring first, and say why it could not be given to a page later on, if so. Raises BadRequest."""
    keep_offer(turn, event)
    try:
        checked_offer(event.jingle, turn.state.peer_kind)
        turn.state.blank_side().hear_offer([read_jingle(turn.state.peer_xml)])
    except Refused as refused:
        return refused
    return None


def offer_to_endpoint(turn: Turn) -> None:
    """Give the kept offer of the peer to the page that accepted. Raises Refused."""
    _tell_offer(turn, read_jingle(turn.state.peer_xml))


def _tell_offer(turn: Turn, jingle: Jingle) -> None:
    state = turn.state
    side = state.blank_side()
    offer = side.hear_offer([jingle])
    state.signalling = step_signalling(state.signalling, "bridge", "offer")
    state.side, state.peer_xml = side, ""
    turn.add(fx.TellDescription(state.own, state.call, "offer", offer.format()))
    turn.timer("accept", turn.timers.accept)


def answered(turn: Turn, event: Described) -> None:
    """The endpoint's answer to the peer's first offer. Raises Refused."""
    state = turn.state
    signalling = step_signalling(state.signalling, "endpoint", "answer")
    side = state.copied_side()
    (jingle,) = side.answer(sdp.parse(event.sdp))
    state.signalling, state.side = signalling, side
    turn.send_jingle(replace(jingle, responder=state.own))
    candidates.release_own(turn)
    turn.timer("connect", turn.timers.connect)
    turn.tell_state()
