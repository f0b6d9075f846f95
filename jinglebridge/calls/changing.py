"""A call changes while it runs, and our endpoint begins it: it adds video, holds, restarts ICE. What the peer begins is in `changed`.

::

    the endpoint offers:  description offer → [what the peer takes of it: content-add, transport-info, …] → description answer
    the peer changes:     content-add, -modify, -remove, new credentials, … → description offer → answer → [content-accept, …]

Jingle has no offers and answers. What an offer of our endpoint has to wait for is content-accept or -reject for what it adds, and the
peer's new credentials for new ones of its own; all else is in force when it is said. Two bridges tell each other what belongs to one
offer (`Negotiation`), so that nothing is lost between two browsers.

One change at a time: while an offer is out, what the peer changes waits in the call's inbox (J-221). Of crossing changes of the same
kind that of the session's initiator goes on, the other is taken back (J-099); towards the endpoint ours goes on, since it is the polite
side.

Spec: XEP-0166 §7.2, XEP-0176 §5.9; J-099, J-169 … J-171, J-212 … J-222.
"""

from __future__ import annotations

from jinglebridge import sdp
from jinglebridge.calls import effects as fx
from jinglebridge.calls import stored
from jinglebridge.calls.dialect import Dialect, mark_of, marked, restarted
from jinglebridge.calls.events import Answered, Described
from jinglebridge.calls.model import CallState, Change
from jinglebridge.calls.offers import usable
from jinglebridge.calls.states import Session, Signalling, step_signalling
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import EndpointError, OutOfOrder, ProtocolError
from jinglebridge.jingle import Content, Jingle, Reason, Role, SessionInfo, jingle_text, read_jingle
from jinglebridge.translate.applied import apply_all
from jinglebridge.translate.side import Side
from jinglebridge.values import replace

MAX_OLD = 16  # ufrags of the peer that are remembered
MOST_PARTS = 40  # stanzas of one offer of another bridge, or of one answer
MOST_TEXT = 256 * 1024  # characters of them
ANSWERS = frozenset({"content-accept", "content-reject"})


def offered(turn: Turn, event: Described) -> None:
    """The endpoint offers a change. Raises Refused, OutOfOrder, EndpointError (not-negotiable); nothing has changed then."""
    state = turn.state
    if state.session is not Session.ACTIVE:
        raise OutOfOrder("this call is not up yet")
    signalling = step_signalling(state.signalling, "endpoint", "offer")
    if state.signalling is Signalling.REMOTE_OFFER or (collecting(state) and state.role is Role.RESPONDER):
        turn.note("offer-crossed")  # another is on its way to the endpoint, which rolls its own back
        assert state.change is not None
        state.change.crossed = True
        return
    side = state.copied_side()
    dialect = Dialect(state.peer_kind, state.role, state.sid)
    stanzas = side.offer(sdp.parse(event.sdp), dialect)
    if "ice-restart" in dialect.unsaid:
        raise EndpointError("not-negotiable", "this contact's app cannot restart ICE", what="ice-restart")
    state.untaken = False
    before, state.signalling, state.side = stored.saved(state.side), signalling, side
    state.changes += 1
    adds = _names(stanzas, frozenset({"content-add"}))
    state.change = Change(state.changes, before, adds, dialect.restart, held=state.held, numbered=state.numbered)
    _say(turn, stanzas, dialect)
    turn.timer("change", turn.timers.add if adds or state.peer_kind.bridge else turn.timers.change)
    settle(turn)


def _say(turn: Turn, stanzas: list[Jingle], dialect: Dialect) -> None:
    state = turn.state
    if state.peer_kind.bridge:
        stanzas = marked(stanzas, "offer", state.changes)
    for jingle in stanzas:
        turn.send_jingle(jingle, state.changes)
    if not state.peer_kind.modify:
        say_hold(turn, not dialect.sends)


def say_hold(turn: Turn, held: bool) -> None:
    """Tell a peer that takes no content-modify that we hold, or no longer do, where that is new to it. J-208"""
    state = turn.state
    if state.held != held:
        state.held = held
        turn.send_jingle(Jingle("session-info", state.sid, info=(SessionInfo("hold" if held else "active"),)))


def collecting(state: CallState) -> bool:
    """Is an offer of another bridge on its way, part by part, of which the endpoint has not heard yet?"""
    return state.change is not None and state.signalling is Signalling.STABLE


def heard(change: Change) -> list[Jingle]:
    """The stanzas that belong to a change so far."""
    return [read_jingle(text) for text in change.heard]


def _names(stanzas: list[Jingle], actions: frozenset[str]) -> list[str]:
    return [content.name for jingle in stanzas if jingle.action in actions for content in jingle.contents]


# --- the peer answers


def answers(state: CallState, jingle: Jingle) -> bool:
    """Does this stanza of the peer answer the offer of our endpoint that is out?"""
    change = state.change
    if change is None or state.signalling is not Signalling.LOCAL_OFFER or state.session is not Session.ACTIVE:
        return False
    if state.peer_kind.bridge:
        mark = mark_of(jingle)
        return mark is not None and mark.type != "offer" and mark.id == change.number
    if jingle.action in ANSWERS:
        return any(content.name in change.adds for content in jingle.contents)
    if jingle.action == "transport-info":
        return bool(change.restart) and not restart_offer(state, jingle)
    # COMPAT(Movim 0.31): answers content-add and content-modify with a session-accept that describes everything.
    return jingle.action == "session-accept"


def restart_offer(state: CallState, jingle: Jingle) -> bool:
    """Is it new credentials from a peer to whom these are always an offer, unless a candidate is with them?"""
    found = (content.transport for content in jingle.contents)
    return (
        state.peer_kind.restart_by_candidate
        and jingle.action == "transport-info"
        and not any(transport is not None and transport.candidates for transport in found)
    )


def answer_received(turn: Turn, jingle: Jingle) -> None:
    """Part of the answer, see `answers`."""
    assert turn.state.change is not None
    if not keep_part(turn.state.change, jingle):
        turn.note("stanza-dropped", "an answer has not so many parts")
        return
    settle(turn)


def keep_part(change: Change, jingle: Jingle) -> bool:
    """Put a stanza of the peer to its change or answer. False: there is no room."""
    text = jingle_text(jingle)
    if len(change.heard) >= MOST_PARTS or sum(map(len, change.heard)) + len(text) > MOST_TEXT:
        return False
    change.heard.append(text)
    return True


def settle(turn: Turn) -> None:
    """Answer the endpoint's offer if nothing is owed for it any more."""
    state, change = turn.state, turn.state.change
    assert change is not None
    stanzas = heard(change)
    if state.peer_kind.bridge:
        mark = mark_of(stanzas[-1]) if stanzas else None
        if mark is not None and mark.type == "refusal":
            take_back(turn, "offer")
        if mark is None or mark.left or mark.type == "refusal":
            return
    elif not _enough(state.side, change, stanzas):
        return
    _answer_endpoint(turn, stanzas)


def _enough(side: Side, change: Change, stanzas: list[Jingle]) -> bool:
    """Is everything there that the peer owes?"""
    if any(jingle.action == "session-accept" for jingle in stanzas):
        return True
    if not set(change.adds) <= set(_names(stanzas, ANSWERS)):
        return False
    if not change.restart or side.peer is None:
        return True
    infos = [jingle for jingle in stanzas if jingle.action == "transport-info"]
    news = restarted(side.peer, apply_all(side.peer, infos))
    # A content of the bundle may have no credentials of its own (J-193): nothing new can be told of it.
    return all(name in news for name in change.restart if _ufrag(side.peer.content(name)) is not None)


def _ufrag(content: Content | None) -> str | None:
    return None if content is None or content.transport is None else content.transport.ufrag


def _answer_endpoint(turn: Turn, stanzas: list[Jingle]) -> None:
    """Give the endpoint the peer's answer; one that cannot be used takes the offer back."""
    state = turn.state
    side = state.copied_side()
    try:
        answer = side.hear_answer([taken(state, jingle) for jingle in stanzas])
    except ProtocolError as problem:
        turn.note("answer-not-usable", type(problem).__name__)
        take_back(turn, "offer")
        return
    state.signalling = step_signalling(state.signalling, "bridge", "answer")
    replace_side(state, side)
    state.change = None
    turn.add(fx.TellDescription(state.own, state.call, "answer", answer.format()))


def replace_side(state: CallState, side: Side) -> None:
    """The peer has said something new; late candidates of credentials that it gave up are not to be mistaken for a restart. J-169"""
    old, new = state.side.peer, side.peer
    assert old is not None and new is not None
    news = restarted(old, new)
    given_up = [content.transport.ufrag for content in old.contents if content.name in news and content.transport is not None]
    state.old_ufrags = [*state.old_ufrags, *dict.fromkeys(filter(None, given_up))][-MAX_OLD:]
    state.side = side


def taken(state: CallState, jingle: Jingle) -> Jingle:
    """A stanza without new contents that cannot be carried."""
    whole = jingle.action in ("session-accept", "content-accept", "content-add")
    return replace(jingle, contents=usable(jingle, state.peer_kind)) if whole else jingle


def take_back(turn: Turn, what: fx.What) -> None:
    """The endpoint's offer comes to nothing: everybody has again what there was before it."""
    unsay(turn)
    turn.add(fx.TellRollback(turn.state.own, turn.state.call, what))


def unsay(turn: Turn) -> None:
    """The same towards the peer: what it has not acknowledged is not sent again at a reconnect, and a hold is over."""
    state, change = turn.state, turn.state.change
    assert change is not None
    as_before(state)
    state.unacked = [item for item in state.unacked if item[0] <= change.numbered]
    say_hold(turn, change.held)


def as_before(state: CallState) -> None:
    """Forget the offer that is out, of whichever side."""
    assert state.change is not None
    state.signalling = step_signalling(state.signalling, "bridge", "rollback")
    state.side, state.change = stored.restore(state.blank_side(), state.change.before), None


# --- the peer does not take it


def refused(turn: Turn, event: Answered) -> None:
    """An IQ error for a stanza of the endpoint's offer. The call goes on. J-222"""
    state, change = turn.state, turn.state.change
    if event.change != state.changes or (event.jingle == "tie-break" and state.peer_kind.bridge):
        return  # the other bridge's own offer is on its way, and takes the place of this one
    if change is None or state.signalling is not Signalling.LOCAL_OFFER:
        return
    if event.action == "content-add" and not state.peer_kind.bridge:
        rejected = tuple(Content(name, state.role) for name in change.adds)
        answer_received(turn, Jingle("content-reject", state.sid, contents=rejected))
    elif state.peer_kind.bridge or (event.action == "transport-info" and change.restart):
        take_back(turn, "ice-restart" if change.restart else "offer")


def not_answered(turn: Turn) -> None:
    """The peer says nothing to the offer that is out: the endpoint must not wait for ever."""
    state, change = turn.state, turn.state.change
    assert change is not None
    turn.note("change-not-answered")
    if not change.adds or change.restart or state.peer_kind.bridge:
        take_back(turn, "ice-restart" if change.restart else "offer")
        return
    stanzas = heard(change)
    decided = _names(stanzas, ANSWERS)
    undecided = tuple(Content(name, state.role) for name in change.adds if name not in decided)
    turn.send_jingle(Jingle("content-remove", state.sid, contents=undecided, reason=Reason("timeout")))
    _answer_endpoint(turn, [*stanzas, Jingle("content-reject", state.sid, contents=undecided)])
