"""The engine's effects for an endpoint as frames of the JSON protocol: one table."""

from __future__ import annotations

from datetime import UTC, datetime

from jinglebridge.calls import effects as fx
from jinglebridge.calls.model import Abilities, CallState, bare
from jinglebridge.web import messages as m
from jinglebridge.web.sessions import Session


def media_of(kinds: tuple[str, ...] | list[str]) -> m.Media:
    return m.Media(audio="audio" in kinds, video="video" in kinds)


def told_time(at: float) -> str:
    """RFC 3339, UTC. `at`: seconds since 1970."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def abilities_of(a: Abilities) -> m.Abilities:
    return m.Abilities(bundle=a.bundle, restart=a.restart, add=a.add, modify=a.modify)


def frame(effect: fx.EndpointEffect) -> m.SequencedEvent:
    match effect:
        case fx.TellCandidate():  # the first, since most are
            return m.CandidateEvent(call=effect.call, candidate=_candidate(effect.candidate, effect.mid, effect.index, effect.ufrag))
        case fx.TellIncoming():
            return m.Incoming(
                call=effect.call,
                from_=effect.peer,
                name=effect.name or effect.peer.partition("@")[0],
                media=media_of(effect.media),
                abilities=abilities_of(effect.abilities),
                replaces=effect.replaces or None,
            )
        case fx.TellState():
            return m.State(call=effect.call, state=effect.state, abilities=abilities_of(effect.abilities))
        case fx.TellDescription():
            return m.DescriptionEvent(call=effect.call, description=m.Description(type=effect.type, sdp=effect.sdp))
        case fx.TellRollback():
            return m.Rollback(call=effect.call, what=effect.what)
        case fx.TellInfo():
            return m.InfoEvent(call=effect.call, info=effect.info, mid=effect.mid)
        case fx.TellEnded():
            return m.Ended(call=effect.call, reason=effect.reason, text=effect.text)
        case fx.TellMissed():
            return m.Missed(
                from_=effect.peer,
                name=effect.name or effect.peer.partition("@")[0],
                media=media_of(effect.media),
                at=told_time(effect.at),
            )


def _candidate(text: str, mid: str, index: int, ufrag: str) -> m.Candidate:
    return m.Candidate(candidate=text, sdpMid=mid, sdpMLineIndex=index, usernameFragment=ufrag or None)


def snapshot(state: CallState) -> m.CallSnapshot | None:
    """A live call for `welcome.calls`."""
    joint = state.joint
    if joint == "ended":
        return None
    return m.CallSnapshot(
        call=state.call,
        with_=bare(state.peer),
        name=state.peer_name or bare(state.peer).partition("@")[0],
        direction=state.direction,
        state=joint,
        media=media_of(state.media),
        description=m.Description(type=state.told[0], sdp=state.told[1]) if state.told else None,  # type: ignore[arg-type]
        candidates=[_candidate(*fields) for fields in state.told_candidates],
    )


class SessionListener:
    """A web session as the performer sees it."""

    def __init__(self, *sessions: Session) -> None:
        self._sessions = sessions

    def tell(self, effect: fx.EndpointEffect) -> None:
        for session in self._sessions:
            session.event(frame(effect))
