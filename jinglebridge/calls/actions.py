"""What the peer does to a session that exists: one function per Jingle action.

Each moves the session machine first and raises ProtocolError with the call unchanged when that is illegal. An IQ error ends
a call with Conversations, so everything that is merely not understood is acked (J-096). The ack itself is the shell's.

Spec: XEP-0166 §7.2; J-076 … J-103, J-168, J-174, J-207 … J-218.
"""

from __future__ import annotations

from collections.abc import Callable

from jinglebridge.calls import changed, changing, negotiation
from jinglebridge.calls import effects as fx
from jinglebridge.calls.ending import finish, refuse
from jinglebridge.calls.events import InfoKind, JingleReceived
from jinglebridge.calls.reasons import from_jingle
from jinglebridge.calls.states import Session, step
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import OutOfOrder, Refused, UnsupportedInfo
from jinglebridge.jingle import Content, Jingle, Reason


def jingle_received(turn: Turn, event: JingleReceived) -> None:
    """Handle one action. Raises ProtocolError; what cannot be carried ends the call instead."""
    try:
        _HANDLERS[event.jingle.action](turn, event)
    except Refused as refused:
        turn.note("refused", f"{refused.reason} {refused.rule}".strip())
        refuse(turn, refused)


def _move(turn: Turn, event: JingleReceived) -> None:
    turn.state.session = step(turn.state.session, turn.state.peer_role, event.jingle.action)


_INFO: dict[str, InfoKind] = {"mute": "mute", "unmute": "unmute", "hold": "hold", "unhold": "active", "active": "active"}


def _session_info(turn: Turn, event: JingleReceived) -> None:
    """Ringing, mute, hold. Empty is a ping; only a wholly unknown payload is an error. J-207 … J-210."""
    _move(turn, event)
    state = turn.state
    if not event.jingle.info:
        if event.jingle.unknown:
            raise UnsupportedInfo("unknown session-info")
        return
    info = event.jingle.info[0]
    if info.kind == "ringing":
        if state.direction == "out" and state.session is Session.PENDING and not state.jmi:
            turn.add(fx.TellState(state.own, state.call, "ringing", state.abilities))
        return
    mid = next((mid for mid, name in state.outline.names.items() if name == info.name), None) if info.name else None
    for endpoint in turn.endpoints():
        turn.add(fx.TellInfo(endpoint, state.call, _INFO[info.kind], mid))


def _terminate(turn: Turn, event: JingleReceived) -> None:
    """The peer ends the call. We close the JMI conversation as well. J-065, J-095."""
    _move(turn, event)
    state = turn.state
    reason = event.jingle.reason or Reason(None)
    ended = from_jingle(reason.condition)
    if ended == "ended" and state.direction == "in" and not state.accepted:
        ended = "cancelled"  # a success before anybody accepted is a caller who gave up
    finish(turn, ended, reason.text)


def _transport_replace(turn: Turn, event: JingleReceived) -> None:
    """We never fall back to another transport. J-174, J-175."""
    _move(turn, event)
    for content in event.jingle.contents:
        turn.send_jingle(Jingle("transport-reject", turn.state.sid, contents=(_stub(content),)))


def _stub(content: Content) -> Content:
    return Content(name=content.name, creator=content.creator)


def _change(turn: Turn, event: JingleReceived) -> None:
    """What changes the running session, and what answers our changes. A session-accept may be one of these."""
    _move(turn, event)
    changed.received(turn, event.jingle)


def _session_accept(turn: Turn, event: JingleReceived) -> None:
    state = turn.state
    if changing.answers(state, event.jingle):
        changing.answer_received(turn, event.jingle)
    elif state.session is Session.ACTIVE and state.changes and not state.peer_kind.bridge:
        # COMPAT(Movim 0.31): sends it as well for a content-modify, which was in force when it was said.
        turn.note("jingle-ignored", event.jingle.action)
    else:
        negotiation.accept_received(turn, event)


def _security_info(turn: Turn, event: JingleReceived) -> None:
    _move(turn, event)
    raise UnsupportedInfo("security-info is not known here")


def _answers_nothing(turn: Turn, event: JingleReceived) -> None:
    raise OutOfOrder(f"{event.jingle.action} answers nothing that we sent")


_HANDLERS: dict[str, Callable[[Turn, JingleReceived], None]] = {
    "session-initiate": negotiation.initiate_received,
    "session-accept": _session_accept,
    "session-info": _session_info,
    "session-terminate": _terminate,
    "transport-info": _change,
    "transport-replace": _transport_replace,
    "transport-accept": _answers_nothing,
    "transport-reject": _answers_nothing,
    "content-add": _change,
    "content-accept": _change,
    "content-reject": _change,
    "content-modify": _change,
    "content-remove": _change,
    "description-info": _change,
    "security-info": _security_info,
}
