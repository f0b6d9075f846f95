"""Trickle ICE both ways: who may see a candidate when, and under which name and credentials.

Ours leave after the callee accepted (J-154, J-247) and only if the peer policy admits them; each in a transport-info of its
own with ufrag and pwd beside it (clients.md checklist 8). The peer's reach the page after the page has the description they
belong to (J-155); those of other credentials are of another generation and are dropped (J-169).

Spec: XEP-0176 §5.5; RFC 8838; J-145 … J-168.
"""

from __future__ import annotations

from typing import Any

from jinglebridge.calls import effects as fx
from jinglebridge.calls.events import Gathered
from jinglebridge.calls.model import CallState
from jinglebridge.calls.states import Session
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import EndpointError, Refused
from jinglebridge.jingle import Jingle, Role, jingle_text
from jinglebridge.sdp import SessionDescription
from jinglebridge.translate import side_trickle
from jinglebridge.translate.outline import Told
from jinglebridge.translate.reader import from_sdp
from jinglebridge.values import maker

MAX_SENT = 1000  # candidates of ours in one call
MAX_WAITING = 200  # candidates or stanzas held back per side; a page gathers a few dozen
MAX_INBOX = 256 * 1024  # characters of the peer's stanzas that wait

_told = maker(fx.TellCandidate)


# --- ours


def hold(turn: Turn, offer: SessionDescription) -> None:
    """Keep the candidates that an offer already holds, for after the callee accepted."""
    kind = turn.state.peer_kind
    described = from_sdp(offer, Role.INITIATOR, policy=kind.policy, extensions=kind.extensions)
    turn.state.own_waiting[:0] = side_trickle.withheld(described)


def gathered(turn: Turn, event: Gathered) -> None:
    """A candidate of the endpoint: send it now or keep it. Raises EndpointError."""
    state = turn.state
    if state.direction == "in" and not state.accepted:
        raise EndpointError("out-of-order", "this call was not accepted yet")
    if event.candidate is None or _is_end_of_all(event.candidate):
        if may_leave(turn):
            for told in state.outline.tell_end():
                _send_told(turn, told)
        return
    if state.sent + len(state.own_waiting) >= MAX_SENT:
        raise EndpointError("rate-limited", "too many candidates for one call")
    if may_leave(turn):
        _send(turn, event.candidate)
    elif len(state.own_waiting) < MAX_WAITING:
        state.own_waiting.append(event.candidate)


def _is_end_of_all(init: dict[str, Any]) -> bool:
    """An empty candidate of no section."""
    return not init.get("candidate") and init.get("sdpMid") is None and init.get("sdpMLineIndex") is None


def may_leave(turn: Turn) -> bool:
    """Has the callee accepted, and does the peer have our description?"""
    state = turn.state
    if state.session is Session.ACTIVE:
        return True
    return state.session is Session.PENDING and state.direction == "out" and state.jmi


def release_own(turn: Turn) -> None:
    """Send what waited, in order. A bad one was the endpoint's fault and must not stop the others."""
    waiting, turn.state.own_waiting = turn.state.own_waiting, []
    for candidate in waiting:
        try:
            _send(turn, candidate)
        except EndpointError as error:
            turn.note("candidate-dropped", error.code)  # its text may hold an address (J-248)


def _send(turn: Turn, init: dict[str, Any]) -> None:
    try:
        found = turn.state.outline.tell(init)
    except Refused as error:
        raise EndpointError("bad-candidate", str(error)) from error
    if found is not None:
        turn.state.sent += 1
        _send_told(turn, found)


def _send_told(turn: Turn, told: Told) -> None:
    jingle, late, text = told
    turn.state.descriptions.remember(late, own=True)
    turn.send_jingle(jingle, text=text)


# --- the peer's


def received(turn: Turn, jingle: Jingle) -> None:
    """Candidates of the peer. Nothing in them can end the call: a bad one has dropped itself while parsing. J-150."""
    state = turn.state
    if not endpoint_ready(state) or state.inbox:
        put_by(turn, jingle)
        return
    tell(turn, jingle)


def endpoint_ready(state: CallState) -> bool:
    """Does the page have the description that the peer's candidates belong to?"""
    return state.session is not Session.IDLE and state.outline.peer is not None


def put_by(turn: Turn, jingle: Jingle) -> None:
    """Keep a stanza of the peer for later; it was acked already (J-221)."""
    inbox, text = turn.state.inbox, jingle_text(jingle)
    if len(inbox) < MAX_WAITING and sum(map(len, inbox)) + len(text) <= MAX_INBOX:
        inbox.append(text)
    else:
        turn.note("stanza-dropped", "too many wait")


def tell(turn: Turn, jingle: Jingle) -> None:
    state = turn.state
    found, lates = state.outline.hear(jingle)
    for late in lates:
        state.descriptions.remember(late, own=False)
    if not found:
        turn.note("candidate-dropped", "of another content or generation, or not usable")
    for item in found:
        effect = _told(state.own, state.call, item["candidate"], item["sdpMid"], item["sdpMLineIndex"], item["usernameFragment"] or "")
        turn.add(effect)
