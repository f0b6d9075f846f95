"""What stays of a call when it is over: a line in our user's list, and a word to a peer who missed it.

A client that knows JMI shows a missed call by itself, from the propose and the retract that its server kept for it. Others never learn
that somebody called while they were away, so they get a message; nobody gets both.

Spec: DESIGN §3 (`history`, `missed`); XEP-0353 §3.4; J-256.
"""

from __future__ import annotations

from jinglebridge.calls import effects as fx
from jinglebridge.calls.model import JMI, CallState, bare
from jinglebridge.calls.people import CallRecord
from jinglebridge.calls.reasons import EndReason
from jinglebridge.calls.states import Ringing
from jinglebridge.calls.turn import Turn

UNANSWERED: tuple[EndReason, ...] = ("cancelled", "no-answer", "gone", "busy")  # nobody decided anything


def keep(turn: Turn, reason: EndReason) -> None:
    """The call is over, with all its branches: before its state says so."""
    state = turn.state
    if reason != "moved":  # it goes on as another one, which will be in the list
        turn.add(fx.Recorded(_record(state, reason, turn.now)))
    if state.answered or state.accepted or reason not in UNANSWERED:
        return
    own, peer, media = bare(state.own), bare(state.peer), tuple(state.media)
    if state.direction == "in":
        turn.add(fx.TellMissed(own, peer, state.peer_name, media, state.created))
    elif reason != "busy" and not _shown(turn):
        turn.add(fx.TellPeerMissed(own, peer, media, state.created))


def _record(state: CallState, reason: EndReason, now: float) -> CallRecord:
    audio, video = "audio" in state.media, "video" in state.media
    return CallRecord(
        bare(state.own), state.call, state.created, bare(state.peer), state.peer_name, state.direction, audio, video,
        state.answered, now, reason,
    )  # fmt: skip


def _shown(turn: Turn) -> bool:
    """Does the peer's client say by itself that a call was missed? One that is known to speak JMI, or has rung."""
    return turn.state.ringing in (Ringing.RINGING, Ringing.PROCEEDED) or any(JMI in (r.features or ()) for r in turn.peer.resources)
