"""A call changes while it runs, and the peer begins it: what it changes becomes an offer to our endpoint. The rest is in `changing`.

Everything is acked at once (J-077). What cannot be taken now waits in the call's inbox, in order (J-221).

Spec: XEP-0166 §7.2; J-096, J-099, J-169, J-212 … J-221.
"""

from __future__ import annotations

from jinglebridge import sdp
from jinglebridge.calls import candidates, changing, stored
from jinglebridge.calls import effects as fx
from jinglebridge.calls.dialect import Dialect, mark_of, marked, restarted
from jinglebridge.calls.ending import end
from jinglebridge.calls.events import Described
from jinglebridge.calls.model import CallState, Change
from jinglebridge.calls.states import Session, Signalling, step_signalling
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import ItemNotFound, OutOfOrder, ProtocolError, TieBreak
from jinglebridge.jingle import Content, Jingle, Reason, Role, read_jingle
from jinglebridge.translate.agreed import as_offer
from jinglebridge.translate.applied import apply
from jinglebridge.translate.changes import reminder


def received(turn: Turn, jingle: Jingle) -> None:
    """A change of the peer, part of its answer to one of ours, or candidates. Raises TieBreak, OutOfOrder."""
    state = turn.state
    if _only_candidates(state, jingle):
        candidates.received(turn, jingle)
    elif changing.answers(state, jingle):
        changing.answer_received(turn, jingle)
    elif _late_answer(state, jingle):
        if not state.changes:
            raise OutOfOrder(f"{jingle.action} answers nothing that we sent")
        turn.note("answer-too-late", jingle.action)
    else:
        _crossing(turn, jingle)
        if state.inbox or not _may_take(state, jingle):
            candidates.put_by(turn, jingle)
        else:
            _take(turn, jingle)


def _only_candidates(state: CallState, jingle: Jingle) -> bool:
    """A transport-info that restarts nothing."""
    if jingle.action != "transport-info":
        return False
    if state.outline.restarts_nothing(jingle):
        return True
    peer = state.side.peer
    over = any(content.transport is not None and content.transport.ufrag in state.old_ufrags for content in jingle.contents)
    return peer is None or over or not restarted(peer, apply(peer, jingle))


def _late_answer(state: CallState, jingle: Jingle) -> bool:
    mark = mark_of(jingle) if state.peer_kind.bridge else None
    return jingle.action in changing.ANSWERS or (mark is not None and mark.type != "offer")


def _crossing(turn: Turn, jingle: Jingle) -> None:
    """Both change the same at once. Raises TieBreak where ours goes on; else ours is taken back, at the endpoint by the new offer."""
    state, change = turn.state, turn.state.change
    if state.signalling is not Signalling.LOCAL_OFFER or change is None:
        return
    both_restart = bool(change.restart) and changing.restart_offer(state, jingle)
    if not (state.peer_kind.bridge or both_restart or (jingle.action == "content-add" and change.adds)):
        return
    if state.role is Role.INITIATOR:
        raise TieBreak("the change of the session's initiator goes on")
    turn.note("change-crossed")
    changing.unsay(turn)
    mark = mark_of(jingle)
    state.change = Change(0 if mark is None else mark.id, change.before, crossed=True)


def _may_take(state: CallState, jingle: Jingle) -> bool:
    """Is it this stanza's turn? Candidates may come at any time after the description, changes when no offer is out."""
    if _only_candidates(state, jingle):
        return candidates.endpoint_ready(state)
    return state.session is Session.ACTIVE and (state.change is None or changing.collecting(state))


def _take(turn: Turn, jingle: Jingle) -> None:
    """Apply a stanza whose turn it is."""
    state = turn.state
    if _only_candidates(state, jingle):
        candidates.tell(turn, jingle)
        return
    if jingle.action == "content-remove" and _nothing_left(state, jingle):
        end(turn, "ended")  # J-216
        return
    mark = mark_of(jingle) if state.peer_kind.bridge else None
    change = state.change or Change(0 if mark is None else mark.id, stored.saved(state.side))
    room, state.change = changing.keep_part(change, jingle), change
    if mark is not None and mark.left and room and len(change.heard) < changing.MOST_PARTS:
        turn.timer("change", turn.timers.change)
    else:
        _offer_endpoint(turn, change)


def _nothing_left(state: CallState, jingle: Jingle) -> bool:
    peer = state.side.peer
    removed = {content.name for content in jingle.contents}
    return peer is not None and all(content.name in removed for content in peer.contents)


def _offer_endpoint(turn: Turn, change: Change) -> None:
    """What the peer changed becomes an offer to the endpoint. What cannot be carried is refused; the call goes on."""
    state = turn.state
    stanzas = changing.heard(change)
    side = state.copied_side()
    known = side.peer
    assert known is not None
    try:
        offer = side.hear_offer([changing.taken(state, jingle) for jingle in stanzas])
    except ProtocolError as problem:
        turn.note("change-refused", type(problem).__name__)
        _come_to_nothing(turn, change)
        # An unknown content is acked and ignored: an error would end a call of Conversations (J-096).
        if not isinstance(problem, ItemNotFound) or state.peer_kind.bridge:
            _refuse(turn, stanzas)
        return
    _reject(turn, [content for content in _added(stanzas) if side.peer is None or side.peer.content(content.name) is None])
    if side.peer == as_offer(known) and not state.peer_kind.bridge:
        _come_to_nothing(turn, change)  # J-218: nothing new
        return
    # An offer of the endpoint that crossed it is rolled back there.
    state.signalling = step_signalling(state.signalling, "bridge", "offer")
    state.untaken = False
    changing.replace_side(state, side)
    turn.add(fx.TellDescription(state.own, state.call, "offer", offer.format()))
    turn.timer("change", turn.timers.change)


def _come_to_nothing(turn: Turn, change: Change) -> None:
    """The endpoint never hears of this change. An offer of its own that it crossed has no other answer."""
    turn.state.change = None
    if change.crossed:
        turn.add(fx.TellRollback(turn.state.own, turn.state.call, "offer"))


def _refuse(turn: Turn, stanzas: list[Jingle]) -> None:
    """Tell the peer that what it added is not there; a bridge, that nothing of its offer is. J-215"""
    state = turn.state
    mark, own = mark_of(stanzas[-1]), state.side.own
    if state.peer_kind.bridge:
        if mark is not None and own is not None:
            turn.send_jingle(marked([reminder(own, state.sid)], "refusal", mark.id)[0])
        return
    _reject(turn, _added(stanzas))


def _added(stanzas: list[Jingle]) -> list[Content]:
    return [content for jingle in stanzas if jingle.action == "content-add" for content in jingle.contents]


def _reject(turn: Turn, contents: list[Content]) -> None:
    for content in contents:
        stub = Content(content.name, content.creator)
        turn.send_jingle(Jingle("content-reject", turn.state.sid, contents=(stub,), reason=Reason("failed-application")))


def answered(turn: Turn, event: Described) -> None:
    """The endpoint's answer to a change of the peer. Raises Refused, OutOfOrder; nothing has changed then."""
    state, change = turn.state, turn.state.change
    if state.untaken if state.signalling is Signalling.STABLE else change is not None and change.over:
        _answered_late(turn, event)
        return
    signalling = step_signalling(state.signalling, "endpoint", "answer")
    assert change is not None
    side = state.copied_side()
    stanzas = side.answer(sdp.parse(event.sdp), Dialect(state.peer_kind, state.role, state.sid, offer=False))
    if state.peer_kind.bridge and side.own is not None:
        stanzas = marked(stanzas or [reminder(side.own, state.sid)], "answer", change.number)
    state.signalling, state.side, state.change = signalling, side, None
    for jingle in stanzas:
        if not changing.restart_offer(state, jingle):  # our first candidate says it
            turn.send_jingle(jingle)


def _answered_late(turn: Turn, event: Described) -> None:
    """Nothing comes of the offer. The endpoint has its sections all the same, and later offers must hold them. J-220"""
    state, answer = turn.state, sdp.parse(event.sdp)
    if state.change is not None:
        changing.as_before(state)
    side = state.copied_side()
    side.said = side.shown = answer
    state.side, state.untaken = side, False
    turn.note("answer-too-late", "of the endpoint")


def late(turn: Turn) -> None:
    """Nobody answered the offer that is out: neither the endpoint nor the peer may wait for ever."""
    state, change = turn.state, turn.state.change
    if change is None:
        state.pack()
    elif state.signalling is Signalling.LOCAL_OFFER:
        changing.not_answered(turn)
    elif state.signalling is Signalling.REMOTE_OFFER:
        _page_late(turn, change)
    else:
        _come_to_nothing(turn, change)  # the rest of another bridge's offer did not come
        _refuse(turn, changing.heard(change))


def _page_late(turn: Turn, change: Change) -> None:
    """The endpoint does not answer; its socket may be away. The peer hears that nothing comes of its change.

    What the endpoint says next is still its answer, and it cannot go back once it has given it. So the offer stays out, until no page
    would come back any more.
    """
    if not change.over:
        change.over = True
        _refuse(turn, changing.heard(change))
        turn.timer("change", turn.timers.page)
        return
    shown = turn.state.side.shown
    changing.as_before(turn.state)
    turn.state.side.said = turn.state.side.shown = shown  # it may have these sections
    turn.state.untaken = True
    if change.crossed:
        turn.add(fx.TellRollback(turn.state.own, turn.state.call, "offer"))


def drain(turn: Turn) -> None:
    """Handle what the peer sent too early, in order, up to the first stanza that must wait on."""
    state = turn.state
    while state.inbox and not state.ended and candidates.endpoint_ready(state):
        jingle = read_jingle(state.inbox[0])
        if not _may_take(state, jingle):
            return
        state.inbox.pop(0)
        _take(turn, jingle)
