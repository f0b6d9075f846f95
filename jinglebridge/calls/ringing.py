"""Ringing: from the click to the moment both sides want the session. XEP-0353 0.8.0 both ways, and calls without it.

::

    we call:        propose (bare) → ringing ← → proceed ← → [negotiation.initiate]
    we are called:  propose ← → ringing (full) → the person accepts → proceed (full) → session-initiate ← [negotiation]
    without JMI:    session-initiate ← → session-info ringing → the person accepts → [negotiation.offer_to_endpoint]

Nothing that shows an address leaves before the callee accepted (DESIGN §5).

Spec: XEP-0353 §3; J-051 … J-073.
"""

from __future__ import annotations

from jinglebridge.calls import effects as fx
from jinglebridge.calls import negotiation
from jinglebridge.calls.ending import end, over
from jinglebridge.calls.events import Accepted, JmiReceived, Placed, Rejected
from jinglebridge.calls.model import CallState, bare
from jinglebridge.calls.reasons import EndReason, from_jingle
from jinglebridge.calls.states import Ringing, Session, step_ringing, step_signalling
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import EndpointError
from jinglebridge.jingle import Finish, Jingle, Proceed, Propose, Reason, Reject, Retract, Role, SessionInfo
from jinglebridge.jingle import Ringing as RingingMessage


def place(turn: Turn, event: Placed) -> None:
    """The endpoint calls. The offer waits here until a device of the peer proceeds."""
    state = turn.state
    state.signalling = step_signalling(state.signalling, "endpoint", "offer")
    state.own_sdp = event.sdp
    if state.media and turn.peer.uses_jmi():  # a propose names media; data alone has none
        turn.add(fx.ShowPresence(state.own, state.peer))
        state.ringing = step_ringing(state.ringing, Role.INITIATOR, "propose")
        turn.send_jmi(Propose(state.sid, tuple(state.media)))
        turn.timer("ring", turn.timers.ring)
        turn.tell_state()
        return
    to = turn.peer.best(tuple(state.media))
    if to is None:
        over(turn, "unreachable", "no device of this contact can take the call")
        return
    state.peer = to
    negotiation.learn_peer(turn, to)
    turn.add(fx.ShowPresence(state.own, to))
    negotiation.initiate(turn)
    turn.timer("ring", turn.timers.ring)
    turn.tell_state()


def propose_received(turn: Turn, event: JmiReceived, endpoints: tuple[str, ...]) -> None:
    """The peer calls: every page of the person rings, and each says so. J-055 … J-057."""
    state = turn.state
    state.proposed_by = event.sender
    negotiation.learn_peer(turn, event.sender)  # its abilities go to the pages
    state.ringing_at = list(endpoints)
    state.ringing = step_ringing(state.ringing, Role.INITIATOR, "propose")
    if event.receipt and event.stanza_id:
        turn.add(fx.SendReceipt(endpoints[0], event.sender, event.stanza_id))
    for endpoint in endpoints:
        state.ringing = step_ringing(state.ringing, Role.RESPONDER, "ringing")
        turn.add(fx.ShowPresence(endpoint, event.sender))
        turn.send_jmi(RingingMessage(state.sid), sender=endpoint, to=event.sender)
        turn.add(fx.TellIncoming(endpoint, state.call, bare(state.peer), state.peer_name, tuple(state.media), state.abilities))
    turn.timer("ring", turn.timers.ring)


def initiate_rings(turn: Turn) -> None:
    """A session-initiate that nobody proposed: ring the endpoint it was sent to. J-207."""
    state = turn.state
    state.ringing_at = [state.own]
    turn.add(fx.ShowPresence(state.own, state.peer))
    turn.send_jingle(Jingle("session-info", state.sid, info=(SessionInfo("ringing"),)))
    turn.add(fx.TellIncoming(state.own, state.call, bare(state.peer), state.peer_name, tuple(state.media), state.abilities))
    turn.timer("ring", turn.timers.ring)


def accept(turn: Turn, event: Accepted, endpoint: str) -> None:
    """One page takes the call, the others hear that it was answered elsewhere. J-058."""
    state = turn.state
    if state.direction != "in" or state.accepted:
        raise EndpointError("out-of-order", "this call was already accepted")
    for other in state.ringing_at:
        if other != endpoint:
            turn.add(fx.TellEnded(other, state.call, "elsewhere"))
    state.own, state.accepted, state.ringing_at = endpoint, True, []
    if state.jmi:
        state.peer = state.proposed_by
        state.ringing = step_ringing(state.ringing, Role.RESPONDER, "proceed")
        # J-059: never with <device/>: it would make Conversations encrypt the fingerprint for us.
        turn.send_jmi(Proceed(state.sid))
        turn.timer("initiate", turn.timers.initiate)
        turn.tell_state()
        return
    turn.tell_state()
    negotiation.offer_to_endpoint(turn)


def reject(turn: Turn, event: Rejected, endpoint: str) -> None:
    """Declining is a decision of the person: it ends the call on all their pages. J-062."""
    state = turn.state
    if state.direction != "in" or state.accepted:
        raise EndpointError("out-of-order", "only a ringing call can be rejected; use hangup")
    reason: EndReason = "busy" if event.busy else "declined"
    # The rejecting page speaks, whichever rang first.
    state.ringing_at = [endpoint, *(e for e in state.ringing_at if e != endpoint)]
    end(turn, reason)


def jmi_received(turn: Turn, event: JmiReceived) -> None:
    """Everything but propose. Raises OutOfOrder for what makes no sense now; the registry drops that silently."""
    match event.jmi:
        case RingingMessage():
            _peer_says(turn, "ringing")
            turn.tell_state()
        case Proceed():
            _proceed(turn, event)
        case Reject(reason=reason, tie_break=tie_break):
            busy = reason is not None and reason.condition == "busy"
            _decided(turn, "reject", "moved" if tie_break else "busy" if busy else "declined")
        case Retract(tie_break=tie_break):
            _decided(turn, "retract", "moved" if tie_break else "cancelled")
        case Finish(reason=reason):
            _finish(turn, reason)
        case _:
            turn.note("jmi-ignored", type(event.jmi).__name__)


def _peer_says(turn: Turn, element: str) -> None:
    """Move the ringing machine. Raises OutOfOrder."""
    turn.state.ringing = step_ringing(turn.state.ringing, turn.state.peer_role, element)


def _decided(turn: Turn, element: str, reason: EndReason) -> None:
    """The peer takes the attempt back. A session that it may not have heard of yet is closed too, or it would ring anew."""
    state = turn.state
    step_ringing(state.ringing, state.peer_role, element)
    if state.session in (Session.PENDING, Session.ACTIVE):
        turn.send_jingle(Jingle("session-terminate", state.sid, reason=Reason("success")))
    over(turn, reason)


def _proceed(turn: Turn, event: JmiReceived) -> None:
    """The first proceed names the device; the session starts there. J-061."""
    state = turn.state
    _peer_says(turn, "proceed")
    state.peer = event.sender
    negotiation.learn_peer(turn, event.sender)
    turn.tell_state()
    negotiation.initiate(turn)
    turn.timer("accept", turn.timers.accept)


def _finish(turn: Turn, reason: Reason | None) -> None:
    """A finish alone ends the call too, but a session-terminate with the better reason may be on its way. J-066."""
    state = turn.state
    condition = reason.condition if reason is not None else None
    if state.session in (Session.PENDING, Session.ACTIVE):
        state.finish_reason = condition or "success"
        turn.timer("finish", turn.timers.finish)
        return
    _peer_says(turn, "finish")
    over(turn, from_jingle(condition))


def ring_timeout(turn: Turn) -> None:
    """Nobody answered. The caller retracts; a callee whose caller fell silent just stops ringing. J-072."""
    state = turn.state
    if state.direction == "out":
        if state.session is not Session.ACTIVE and state.ringing is not Ringing.PROCEEDED:
            end(turn, "no-answer")
    elif not state.accepted:
        if state.jmi:
            over(turn, "no-answer")
        else:
            end(turn, "no-answer")


def crosses(state: CallState) -> bool:
    """Is this a propose of ours that nobody answered yet? J-067."""
    return state.direction == "out" and state.ringing in (Ringing.PROPOSED, Ringing.RINGING)


def yield_call(turn: Turn) -> None:
    """Our propose lost the tie: take it back; the peer's rings next."""
    turn.send_jmi(Retract(turn.state.sid, reason=Reason("expired"), tie_break=True))
    over(turn, "moved", "you were calling each other: the other call rings now")
