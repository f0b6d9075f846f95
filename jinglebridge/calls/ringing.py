"""Ringing: from the click to the moment both sides want the session. XEP-0353 0.8.0 both ways, and calls without it.

::

    we call:        propose (bare) → ringing ← → proceed ← → [negotiation.initiate]
    without JMI:    session-initiate → to each device that can take it, ringing ← the first session-accept wins [forks]
    we are called:  propose ← → ringing (full) → the person accepts → proceed (full) → session-initiate ← [negotiation]
    without JMI:    session-initiate ← → session-info ringing → the person accepts → [negotiation.offer_to_endpoint]

Nothing that shows an address leaves before the callee accepted (DESIGN §5).

Spec: XEP-0353 §3; J-051 … J-073.
"""

from __future__ import annotations

from jinglebridge.calls import effects as fx
from jinglebridge.calls import negotiation
from jinglebridge.calls.ending import end, finish, over
from jinglebridge.calls.events import Accepted, JmiReceived, Placed, Rejected
from jinglebridge.calls.model import CallState, bare
from jinglebridge.calls.reasons import EndReason, from_jingle
from jinglebridge.calls.states import Ringing, Session, step_ringing, step_signalling
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import EndpointError
from jinglebridge.jingle import Finish, Jingle, Proceed, Propose, Reason, Reject, Retract, Role, SessionInfo
from jinglebridge.jingle import Ringing as RingingMessage

CROSSED = "you were calling each other: the other call rings now"


def place(turn: Turn, event: Placed) -> None:
    """The endpoint calls. With JMI its offer waits here until a device of the peer proceeds; without, `peer` is a device already.

    The contact may look offline: the propose wakes sleeping phones. J-054.
    """
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
    if "/" not in state.peer:
        over(turn, "unreachable", "no device of this contact can take the call")
        return
    negotiation.learn_peer(turn, state.peer)
    turn.add(fx.ShowPresence(state.own, state.peer))
    negotiation.initiate(turn)
    turn.timer("ring", turn.timers.ring)
    if not turn.branch:
        turn.tell_state()


def propose_received(turn: Turn, event: JmiReceived, rings: dict[str, str]) -> None:
    """The peer calls: each of these pages rings, and says so. J-055 … J-057.

    `rings`: page -> its call that this one continues, or "".
    """
    state, endpoints = turn.state, list(rings)
    state.proposed_by = event.sender
    negotiation.learn_peer(turn, event.sender)  # its abilities go to the pages
    state.ringing_at = endpoints
    state.ringing = step_ringing(state.ringing, Role.INITIATOR, "propose")
    if event.receipt and event.stanza_id:
        turn.add(fx.SendReceipt(endpoints[0], event.sender, event.stanza_id))
    for endpoint in endpoints:
        state.ringing = step_ringing(state.ringing, Role.RESPONDER, "ringing")
        turn.add(fx.ShowPresence(endpoint, event.sender))
        turn.send_jmi(RingingMessage(state.sid), sender=endpoint, to=event.sender)
        _tell_incoming(turn, endpoint, rings[endpoint])
    turn.timer("ring", turn.timers.ring)


def initiate_rings(turn: Turn, replaces: str) -> None:
    """A session-initiate that nobody proposed: ring the endpoint it was sent to. J-207."""
    state = turn.state
    state.ringing_at = [state.own]
    turn.add(fx.ShowPresence(state.own, state.peer))
    turn.send_jingle(Jingle("session-info", state.sid, info=(SessionInfo("ringing"),)))
    _tell_incoming(turn, state.own, replaces)
    turn.timer("ring", turn.timers.ring)


def _tell_incoming(turn: Turn, endpoint: str, replaces: str) -> None:
    state = turn.state
    media = tuple(state.media)
    turn.add(fx.TellIncoming(endpoint, state.call, bare(state.peer), state.peer_name, media, state.abilities, replaces))


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
        case Finish():
            _finish(turn, event.jmi)
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


def _finish(turn: Turn, jmi: Finish) -> None:
    """A finish alone ends the call too, but a session-terminate with the better reason may be on its way. J-066.

    One that says where the call went on ends it at once: the other call is there already, it was ours to propose. J-069.
    """
    state = turn.state
    condition = jmi.reason.condition if jmi.reason is not None else None
    step_ringing(state.ringing, state.peer_role, "finish")
    if jmi.migrated_to is not None:
        finish(turn, "moved")
    elif state.session in (Session.PENDING, Session.ACTIVE):
        state.finish_reason = condition or "success"
        turn.timer("finish", turn.timers.finish)
    else:
        finish(turn, from_jingle(condition))


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


def unanswered(state: CallState) -> bool:
    """Is this a call of ours that nobody has taken yet?"""
    if state.jmi:
        return state.direction == "out" and state.ringing in (Ringing.PROPOSED, Ringing.RINGING)
    return state.direction == "out" and state.session is Session.PENDING


def yield_call(turn: Turn) -> None:
    """Our call lost the tie, or the person took the peer's: take it back. J-067, J-098.

    A session too: a peer that breaks no ties (stanza.js), or gave up its own call meanwhile, would ring on for it.
    """
    if turn.state.jmi:
        turn.send_jmi(Retract(turn.state.sid, reason=Reason("expired"), tie_break=True))
        over(turn, "moved", CROSSED)
    else:
        end(turn, "moved", CROSSED, said=Reason("cancel"))


def migrate(turn: Turn, sid: str) -> None:
    """The peer goes on with this call by another propose, whose id is `sid`. J-069."""
    turn.send_jmi(Finish(turn.state.sid, reason=Reason("expired"), migrated_to=sid))
    over(turn, "moved", "the other side went on with another device")
