"""Trickle ICE both ways: who may see a candidate when, and under which name and credentials.

Ours leave after the callee accepted (J-154, J-247) and only if the peer policy admits them; each in a transport-info of its
own with ufrag and pwd beside it (clients.md checklist 8). The peer's reach the page after the page has the description they
belong to (J-155); those of other credentials are of another generation and are dropped (J-169).

Spec: XEP-0176 §5.5; RFC 8838; J-145 … J-168.
"""

from __future__ import annotations

from typing import Any

from jinglebridge.calls import effects as fx
from jinglebridge.calls.events import Gathered, JingleReceived
from jinglebridge.calls.model import CallState
from jinglebridge.calls.states import Session, Signalling, step
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import EndpointError, SdpError
from jinglebridge.jingle import Content, IceUdpTransport, Jingle, Role
from jinglebridge.translate.session import Described
from jinglebridge.translate.trickle import candidate_from_sdp, candidate_to_sdp

MAX_SENT = 1000  # candidates of ours in one call
MAX_WAITING = 200  # candidates held back per side; a page gathers a few dozen


# --- ours


def remember_own(state: CallState, described: Described) -> None:
    """The credentials that our candidates go out with."""
    state.own_transports = {
        c.name: [c.transport.ufrag, c.transport.pwd]
        for c in described.contents
        if c.transport is not None and c.transport.ufrag and c.transport.pwd
    }


def hold_own(state: CallState, described: Described) -> None:
    """Keep the candidates that an offer already holds, for after the callee accepted."""
    for index, content in enumerate(described.contents):
        for candidate in content.transport.candidates if content.transport else ():
            state.own_waiting.append({"candidate": candidate_to_sdp(candidate), "sdpMid": content.name, "sdpMLineIndex": index})


def gathered(turn: Turn, event: Gathered) -> None:
    """A candidate of the endpoint: send it now or keep it. Raises EndpointError."""
    if event.candidate is None or not event.candidate.get("candidate"):
        return  # ice-udp:1 has no end of candidates; a bare transport-info could mean a restart (J-165)
    if turn.state.direction == "in" and not turn.state.accepted:
        raise EndpointError("out-of-order", "this call was not accepted yet")
    if turn.state.candidates >= MAX_SENT:
        raise EndpointError("rate-limited", "too many candidates for one call")
    if may_leave(turn.state):
        _send(turn, event.candidate)
    elif len(turn.state.own_waiting) < MAX_WAITING:
        turn.state.own_waiting.append(event.candidate)


def may_leave(state: CallState) -> bool:
    """Has the callee accepted, and does the peer have our description?"""
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
    state = turn.state
    name = _content_of(state, init)
    ufrag, pwd = state.own_transports[name]
    if init.get("usernameFragment") not in (None, "", ufrag):
        return  # gathered before the endpoint's current description
    try:
        candidate = candidate_from_sdp(init["candidate"], id=f"c{state.candidates + 1}")
    except SdpError as error:
        raise EndpointError("bad-candidate", str(error)) from error
    state.candidates += 1
    if candidate is None or not turn.policy.admits(candidate):
        return
    creator = Role.INITIATOR  # v1: all contents are those of the first offer
    content = Content(name=name, creator=creator, transport=IceUdpTransport(ufrag=ufrag, pwd=pwd, candidates=(candidate,)))
    turn.send_jingle(Jingle("transport-info", state.sid, contents=(content,)))


def _content_of(state: CallState, init: dict[str, Any]) -> str:
    """Content name for sdpMid, or for sdpMLineIndex when there is no mid. J-164."""
    mid, index = init.get("sdpMid"), init.get("sdpMLineIndex")
    for position, (name, known) in enumerate(state.peer_mids.items()):
        if (known == mid if mid is not None else position == index) and name in state.own_transports:
            return name
    raise EndpointError("bad-candidate", "no section of this call has that sdpMid or sdpMLineIndex")


# --- the peer's


def remember_peer(state: CallState, described: Described) -> None:
    """The contents that the peer described, and the ufrag that its candidates belong to."""
    state.peer_ufrags = {
        c.name: c.transport.ufrag or "" for c in described.contents if c.transport is not None and c.name in state.peer_mids
    }


def transport_info(turn: Turn, event: JingleReceived) -> None:
    """Candidates of the peer. Nothing in them can end the call: a bad one has dropped itself while parsing. J-150."""
    state = turn.state
    state.session = step(state.session, state.peer_role, "transport-info")
    for content in event.jingle.contents:
        transport = content.transport
        if transport is None:
            continue
        lines = [candidate_to_sdp(c) for c in transport.candidates if c.component == 1]
        if transport.gathering_complete:
            lines.append("")
        for line in lines[:MAX_WAITING]:
            _pass_on(turn, {"name": content.name, "candidate": line, "ufrag": transport.ufrag or ""})


def endpoint_ready(state: CallState) -> bool:
    """Does the page have the description that the peer's candidates belong to?"""
    if state.direction == "out":
        return state.session is Session.ACTIVE
    return state.signalling is Signalling.REMOTE_OFFER or state.session is Session.ACTIVE


def _pass_on(turn: Turn, item: dict[str, str]) -> None:
    if endpoint_ready(turn.state):
        _tell(turn, item)
    elif len(turn.state.peer_waiting) < MAX_WAITING:
        turn.state.peer_waiting.append(item)


def release_peer(turn: Turn) -> None:
    waiting, turn.state.peer_waiting = turn.state.peer_waiting, []
    for item in waiting:
        _tell(turn, item)


def _tell(turn: Turn, item: dict[str, str]) -> None:
    state, name = turn.state, item["name"]
    ufrag = state.peer_ufrags.get(name)
    # COMPAT(stanza.js 12): sends the ufrag without the pwd; one without either means the current credentials.
    # A bundled content may have none of its own in the description (J-193).
    if ufrag is None or (ufrag and item["ufrag"] not in ("", ufrag)):
        turn.note("candidate-dropped", "of another content or generation")
        return
    index = list(state.peer_mids).index(name)
    turn.add(fx.TellCandidate(state.own, state.call, item["candidate"], state.peer_mids[name], index, ufrag or item["ufrag"]))
