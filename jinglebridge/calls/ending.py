"""How a call ends: which stanza ends it depends on how far it got.

| so far                         | we end it with                                    |
|--------------------------------|---------------------------------------------------|
| proposed by us                 | retract to the bare JID                           |
| proposed to us                 | reject to the proposer's full JID                 |
| proceeded, no session yet      | retract (caller) or reject (callee) to the full JID |
| proceeded, no session in time  | finish                                            |
| session pending or active      | session-terminate, and finish beside it if there was JMI |

Spec: XEP-0353 §3.3, §3.5, §3.7, XEP-0166 §6.7; J-062, J-064, J-065, J-092; clients.md checklist 12.
"""

from __future__ import annotations

from jinglebridge.calls import effects as fx
from jinglebridge.calls import owed, records
from jinglebridge.calls.reasons import TO_JINGLE, EndReason, from_jingle
from jinglebridge.calls.states import Ringing, Session
from jinglebridge.calls.stored import Descriptions
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import Refused
from jinglebridge.jingle import Finish, Jingle, Reason, Reject, Retract


def end(turn: Turn, reason: EndReason, text: str = "", *, said: Reason | None = None) -> None:
    """End the call from our side and tell both sides.

    `said` replaces the Jingle reason that table M-9 gives for `reason`.
    """
    state = turn.state
    if state.session in (Session.PENDING, Session.ACTIVE):
        turn.send_jingle(Jingle("session-terminate", state.sid, reason=said or Reason(TO_JINGLE[reason][0])))
        finish(turn, reason, text)
        return
    # Without a session there was only ringing by message. Ours went to all devices, theirs came from one.
    if state.direction == "out":
        turn.send_jmi(Retract(state.sid, reason=Reason("cancel")))
    else:
        turn.send_jmi(Reject(state.sid, reason=Reason(reject_reason(reason))), to=state.proposed_by, sender=rejecting_endpoint(turn))
    over(turn, reason, text)


def refuse(turn: Turn, refused: Refused) -> None:
    """End with exactly the Jingle reason that the rule names. J-092, J-129."""
    error = "crypto-required" if refused.rule == "J-129" else None
    end(turn, from_jingle(refused.reason), str(refused), said=Reason(refused.reason, rtp_error=error))


def finish(turn: Turn, reason: EndReason, text: str = "") -> None:
    """Close a call that had a session: after a proceed each side says finish, whoever ended the session. J-065."""
    if turn.state.ringing is Ringing.PROCEEDED:
        turn.send_jmi(Finish(turn.state.sid, reason=Reason(TO_JINGLE[reason][1])))
    over(turn, reason, text)


def reject_reason(reason: EndReason) -> str:
    """A decision of the user is 'busy' in XEP-0353 §3.5, whatever its motive; anything else keeps its name."""
    return "busy" if reason in ("declined", "busy") else TO_JINGLE[reason][0]


def rejecting_endpoint(turn: Turn) -> str:
    """A full JID of ours to speak from while several endpoints ring."""
    return turn.endpoints()[0] if turn.endpoints() else turn.state.own


def over(turn: Turn, reason: EndReason, text: str = "") -> None:
    """Close the call here, without a word to the peer: it knows, or it never heard of it."""
    state = turn.state
    for endpoint in () if turn.branch else turn.endpoints():
        turn.add(fx.TellEnded(endpoint, state.call, reason, text))
    if not turn.branch:
        records.keep(turn, reason)
    state.ringing = Ringing.OVER if state.jmi else Ringing.NONE
    state.session = Session.ENDED
    # Nothing of the media outlives the call in its state; what the operator may still see is in `timeline`, bounded.
    state.own_sdp = state.peer_xml = ""
    state.own_waiting, state.inbox, state.change, state.descriptions = [], [], None, Descriptions()
    owed.close(state, reason)
    turn.add(fx.StopTimers(turn.key))
    turn.note("branch-ended" if turn.branch else "call-ended", reason)
