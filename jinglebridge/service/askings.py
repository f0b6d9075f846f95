"""The requests of a page about a call as the engine's events: one table, as `tellings` is for the other way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinglebridge.calls import events as ev
from jinglebridge.values import maker
from jinglebridge.web import messages as m

_made = maker(ev.Gathered)


def _gathered(frame: m.AddCandidate) -> ev.Gathered:
    c = frame.candidate
    if c is None:
        return ev.Gathered(frame.call, None)
    fields = {"candidate": c.candidate, "sdpMid": c.sdpMid, "sdpMLineIndex": c.sdpMLineIndex, "usernameFragment": c.usernameFragment}
    return _made(frame.call, fields)


_EVENTS: dict[type[m.Request], Callable[[Any], ev.EndpointEvent]] = {
    m.Accept: lambda frame: ev.Accepted(frame.call),
    m.Reject: lambda frame: ev.Rejected(frame.call, frame.busy),
    m.SetDescription: lambda frame: ev.Described(frame.call, frame.description.type, frame.description.sdp),
    m.AddCandidate: _gathered,
    m.Hangup: lambda frame: ev.HungUp(frame.call, frame.reason),
    m.SendInfo: lambda frame: ev.Informed(frame.call, frame.info, frame.mid),
    m.Stats: lambda frame: ev.Reported(frame.call, frame.connectionState, frame.bytesReceived, frame.mediaReceived, frame.relayed),
}
# A new call is of one as well, but needs more than its frame says.
OF_A_CALL = frozenset({m.CallRequest, *_EVENTS})


def event_of(frame: m.Request) -> ev.EndpointEvent:
    """`frame`: one of OF_A_CALL that is no new call."""
    return _EVENTS[type(frame)](frame)
