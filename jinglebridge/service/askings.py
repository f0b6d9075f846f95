"""The requests of a page about a call as the engine's events: one table, as `tellings` is for the other way."""

from __future__ import annotations

from jinglebridge.calls import events as ev
from jinglebridge.errors import EndpointError
from jinglebridge.web import messages as m


def event_of(frame: m.Request) -> ev.EndpointEvent:
    """Raises EndpointError not-supported for what is no request about a call."""
    match frame:
        case m.Accept():
            return ev.Accepted(frame.call)
        case m.Reject():
            return ev.Rejected(frame.call, frame.busy)
        case m.SetDescription():
            return ev.Described(frame.call, frame.description.type, frame.description.sdp)
        case m.AddCandidate(candidate=None):
            return ev.Gathered(frame.call, None)
        case m.AddCandidate(candidate=c):
            assert c is not None
            fields = {"candidate": c.candidate, "sdpMid": c.sdpMid, "sdpMLineIndex": c.sdpMLineIndex}
            return ev.Gathered(frame.call, {**fields, "usernameFragment": c.usernameFragment})
        case m.Hangup():
            return ev.HungUp(frame.call, frame.reason)
        case m.SendInfo():
            return ev.Informed(frame.call, frame.info, frame.mid)
        case m.Stats():
            return ev.Reported(frame.call, frame.connectionState, frame.bytesReceived, frame.mediaReceived, frame.relayed)
        case _:
            raise EndpointError("not-supported", "not offered by this server")
