"""One call: an event comes in, the effects go out.

`handle` is the whole interface. It raises ProtocolError when the event is illegal; the call is unchanged then and the
shell answers with the error's own words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinglebridge.calls import actions, candidates, changed, changing, negotiation, owed, ringing
from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.ending import end, finish, over
from jinglebridge.calls.reasons import EndReason, from_jingle
from jinglebridge.calls.states import Ringing, Session
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import EndpointError, InvalidState
from jinglebridge.jingle import Jingle, SessionInfo

# IQ errors that mean "there is nobody": J-097.
NOBODY = frozenset({"service-unavailable", "item-not-found", "recipient-unavailable", "remote-server-not-found", "remote-server-timeout"})
UNHEARD = NOBODY | {"timeout", "offline"}  # no word of the peer's own
MEDIA_ALIVE = 15.0  # seconds: the endpoint reports every 10 s


def handle(turn: Turn, event: ev.CallEvent, endpoint: str = "") -> list[fx.Effect]:
    """Handle one event of a live call; `endpoint` is the full JID that an endpoint event came from.

    Raises ProtocolError: the event is illegal now and the call is unchanged.
    """
    state, kind = turn.state, type(event)
    before = state.session
    act = _ACTS.get(kind)
    if act is None:
        raise InvalidState(f"{kind.__name__} starts a call, it does not continue one")
    act(turn, event, endpoint)
    if state.inbox:
        changed.drain(turn)
    if kind in _HEARD or (isinstance(event, ev.Answered) and event.condition not in UNHEARD):
        state.heard_at = turn.now
    if state.session is Session.ACTIVE and before is not Session.ACTIVE:
        turn.timer("alive", turn.timers.alive)
        longest = turn.timers.longest_guest if turn.state.guest else turn.timers.longest
        if longest:
            turn.timer("longest", longest)
    return turn.effects


def _jingle_received(turn: Turn, event: ev.JingleReceived) -> None:
    actions.jingle_received(turn, event)
    owed.alive(turn)


def _described(turn: Turn, event: ev.Described) -> None:
    """An answer to the peer's first offer, an answer to a later change of it, or a change of our own."""
    if event.type == "offer":
        changing.offered(turn, event)
    elif turn.state.session is Session.ACTIVE:
        changed.answered(turn, event)
    else:
        negotiation.answered(turn, event)


def _hung_up(turn: Turn, event: ev.HungUp) -> None:
    """J-092: before the session is active, the caller cancels and the callee declines."""
    state = turn.state
    reason: EndReason = next((r for r in ("failed-ice", "failed-media", "gone") if r == event.reason), "ended")
    if reason == "ended" and state.session is not Session.ACTIVE:
        reason = "cancelled" if state.direction == "out" else "declined"
    if reason != "gone" or not _kept_for_page(turn):
        end(turn, reason)


def _kept_for_page(turn: Turn) -> bool:
    """The page closes or is loaded anew; when it is there again, it says the same once more. If its person then calls again, the peer goes
    on with the call without ringing, as long as nobody told it of an end. J-069"""
    state = turn.state
    if not (state.peer_kind.moves and state.jmi and state.session is Session.ACTIVE):
        return False
    turn.timer("back", turn.timers.again if "back" in state.deadlines else turn.timers.back)
    turn.note("page-left")
    return True


def _informed(turn: Turn, event: ev.Informed) -> None:
    """Tell the peer once that we are muted or hold. J-208, J-209."""
    state = turn.state
    if state.session is not Session.ACTIVE:
        return  # the page says it again when the call is up
    if event.info in ("hold", "active"):
        info = SessionInfo(event.info)
    else:
        name = creator = None
        if event.mid is not None:
            name = state.outline.names.get(event.mid, "")
            creator = state.outline.creators.get(name)
            if creator is None:
                raise EndpointError("bad-frame", "no section of this call has that mid")
        info = SessionInfo(event.info, creator=creator, name=name)
    turn.send_jingle(Jingle("session-info", state.sid, info=(info,)))


def _reported(turn: Turn, event: ev.Reported) -> None:
    state = turn.state
    state.stats_at = turn.now
    if event.received > state.received:
        state.received, state.media_at = event.received, turn.now
    connected = event.state == "connected"
    if connected and not state.connected and state.session is Session.ACTIVE:
        state.connected = True
        turn.tell_state()
        turn.note("media-connected")
        # Most calls never change any more. Not much later: memory that many calls took at once does not go back to the system.
        state.pack_soon()


def _answered(turn: Turn, event: ev.Answered) -> None:
    """A reply to an IQ of ours. Most errors change nothing: peers send harmless ones. J-097."""
    if event.action == "session-info" and (turn.state.probed or event.condition == "offline") and _probe_answered(turn, event):
        return
    if event.condition is None:
        owed.alive(turn)
        return
    turn.note("peer-error", f"{event.action}: {event.condition} {event.jingle or ''}".strip())
    if event.jingle == "unknown-session":
        finish(turn, "gone")
    elif event.change:
        changing.refused(turn, event)
    elif event.jingle == "tie-break" or event.action not in ("session-initiate", "session-accept"):
        return  # the other session of this pair goes on; or the peer can do without
    elif event.condition == "timeout":
        end(turn, "failed-ice")
    elif event.action == "session-initiate":
        finish(turn, "unreachable" if event.condition in NOBODY else "failed")
    elif event.condition in NOBODY:
        finish(turn, "gone")


def _probe_answered(turn: Turn, event: ev.Answered) -> bool:
    """The peer was asked whether the session is still there. False: it is not, and that is handled like any other answer. J-100."""
    if event.condition == "offline":
        owed.unreachable(turn)
        return True
    unknown = event.jingle == "unknown-session"
    if not unknown and (event.condition in NOBODY or event.condition == "timeout"):
        return True  # silence proves nothing; the timer decides
    return owed.probe_answered(turn, unknown=unknown)


def _bounced(turn: Turn, event: ev.Bounced) -> None:
    """A message of ours came back: nobody rings, or the caller is gone. Never says blocked. J-045, J-047.

    Once a device rings, what comes back is the copy for another one, which the server gave up; the others hear nothing of that.
    """
    if turn.state.ringing is Ringing.PROPOSED and turn.state.direction == "out":
        if turn.peer.resources:
            end(turn, "unreachable")  # a device may have the propose and ring without a word: it stops
        else:
            over(turn, "unreachable")
    elif turn.state.ringing is Ringing.PROCEEDED and turn.state.session is Session.IDLE:
        over(turn, "gone")


def _peer_presence(turn: Turn, event: ev.PeerPresence) -> None:
    turn.state.peer_offline = not event.available
    if turn.state.peer_offline:
        turn.timer("gone", turn.timers.gone)
    elif turn.state.undelivered:
        owed.reconnected(turn)  # it was not there when we were


def _endpoint_gone(turn: Turn, event: ev.EndpointGone) -> None:
    """A page closed for good: one that rings just stops, the one that talks ends the call."""
    state = turn.state
    if event.jid in state.ringing_at and not state.accepted:
        state.ringing_at.remove(event.jid)
        if not state.ringing_at:
            # Nobody is left to answer; strangers must not see that (J-252), so the caller just keeps ringing out.
            turn.note("nobody-rings")
        return
    end(turn, "gone" if state.session is Session.ACTIVE or state.direction == "in" else "cancelled")


# --- timers


def _initiate_late(turn: Turn) -> None:
    """J-060: the proceed was a promise, so this is a finish."""
    if turn.state.session is Session.IDLE:
        owed.terminate_lost(turn)
        finish(turn, "unreachable", "the caller's device did not start the call")


def _accept_late(turn: Turn) -> None:
    """The device that proceeded, or the page that accepted, does not answer: nobody is asked again, so this is no "no-answer"."""
    if turn.state.session is Session.PENDING:
        end(turn, "failed-ice")


def _connect_late(turn: Turn) -> None:
    """Only a client that reports stats can be known not to have connected. DESIGN §5."""
    state = turn.state
    state.pack()
    if state.connected or not state.stats_at:
        return
    if turn.now - state.stats_at > MEDIA_ALIVE:
        turn.timer("connect", turn.timers.connect)  # the page's socket is away; its media may be up
    else:
        end(turn, "failed-ice")


def _finish_late(turn: Turn) -> None:
    finish(turn, from_jingle(turn.state.finish_reason))


def _gone_late(turn: Turn) -> None:
    """The peer went offline; media that still flows is the better witness. J-044."""
    state = turn.state
    if not state.peer_offline:
        return
    if state.media_at and turn.now - state.media_at < MEDIA_ALIVE:
        turn.timer("gone", turn.timers.gone)
    else:
        end(turn, "gone")


def _alive(turn: Turn) -> None:
    """Nothing was heard for a while, or not even an answer to an empty session-info. J-100."""
    if owed.silent(turn):
        end(turn, "gone")


def _not_back(turn: Turn) -> None:
    """The page did not come back, or nobody called again."""
    end(turn, "gone")


def _too_long(turn: Turn) -> None:
    """No client but browsers can renew its way through a relay. DESIGN §5."""
    if turn.state.session is Session.ACTIVE:
        end(turn, "too-long")


_TIMERS = {
    "ring": ringing.ring_timeout,
    "initiate": _initiate_late,
    "accept": _accept_late,
    "connect": _connect_late,
    "finish": _finish_late,
    "gone": _gone_late,
    "alive": _alive,
    "longest": _too_long,
    "change": changed.late,
    "back": _not_back,
}

# A table, since a match on the class tries one after the other for each candidate of each call.
_ACTS: dict[type, Callable[[Turn, Any, str], None]] = {
    ev.Accepted: ringing.accept,
    ev.Rejected: ringing.reject,
    ev.Described: lambda turn, event, _: _described(turn, event),
    ev.Gathered: lambda turn, event, _: candidates.gathered(turn, event),
    ev.HungUp: lambda turn, event, _: _hung_up(turn, event),
    ev.Informed: lambda turn, event, _: _informed(turn, event),
    ev.Reported: lambda turn, event, _: _reported(turn, event),
    ev.JmiReceived: lambda turn, event, _: ringing.jmi_received(turn, event),
    ev.JingleReceived: lambda turn, event, _: _jingle_received(turn, event),
    ev.Answered: lambda turn, event, _: _answered(turn, event),
    ev.Bounced: lambda turn, event, _: _bounced(turn, event),
    ev.PeerPresence: lambda turn, event, _: _peer_presence(turn, event),
    ev.EndpointGone: lambda turn, event, _: _endpoint_gone(turn, event),
    ev.TimerFired: lambda turn, event, _: _TIMERS[event.name](turn),
}
_HEARD = frozenset({ev.JingleReceived, ev.JmiReceived})
