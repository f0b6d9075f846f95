"""A call from outside: whether it rings, at which pages, and what it does to calls that are there already.

In this order: may this peer call at all; was it sent long ago; does it cross a call of ours to the same person; does it go on with a
call that runs; does everybody want to be left alone. A caller who is not a contact sees the same silence in all cases.

| the person's pages        | contact                        | anybody else who may call     |
|---------------------------|--------------------------------|-------------------------------|
| none is open              | silence, call missed           | silence, call missed          |
| all say do not disturb    | busy, call missed              | silence, call missed          |
| some say so               | the others ring                | the others ring               |
| in a call                 | rings: call waiting            | rings: call waiting           |

Spec: XEP-0353 §3.2, §4; J-055, J-062, J-067 … J-071, J-098, J-105, J-106, J-252.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinglebridge.calls import effects as fx
from jinglebridge.calls import negotiation, ringing
from jinglebridge.calls.ending import end, refuse
from jinglebridge.calls.events import JingleReceived, JmiReceived
from jinglebridge.calls.model import CallState, Endpoint, bare
from jinglebridge.calls.offers import complete, usable
from jinglebridge.calls.people import CallRecord
from jinglebridge.calls.states import Session, step
from jinglebridge.errors import ResourceConstraint, ServiceUnavailable, TieBreak
from jinglebridge.jingle import Propose, Reason, Reject
from jinglebridge.jingle.xep_0167 import MEDIA
from jinglebridge.translate.session import Described, media_of

if TYPE_CHECKING:
    from jinglebridge.calls.registry import Registry

Pages = dict[str, Endpoint]


# --- by message


def proposed(registry: Registry, event: JmiReceived, propose: Propose, now: float) -> list[fx.Effect]:
    """A propose: silence, a missed call, or it rings. J-055, J-070."""
    own, sender = bare(event.to), event.sender
    key = (own, bare(sender), propose.id)
    pages = registry.endpoints.get(own, {})
    if registry.knows(key) or not propose.media or not set(propose.media) <= set(MEDIA):
        return []  # also our own id: UUIDs do not meet, so nobody breaks that tie
    try:
        if not _may_ring(registry, own, sender, pages, now):
            return []
    except ResourceConstraint:
        return []
    if event.age > registry.timers.ring or not pages:
        return _missed(registry, event, propose, now)
    crossing = [s for s in registry.unanswered(own, bare(sender)) if s.jmi]
    if any(_same(s, propose) and _wins(s, propose.id) for s in crossing):
        registry.remember(key, now)
        page = next(s.own for s in crossing if _wins(s, propose.id))
        return [fx.SendJmi(page, sender, Reject(propose.id, Reason("expired"), tie_break=True))]
    lost = [s for s in crossing if not _wins(s, propose.id)]
    moving = _continued(registry, own, event.sender, propose)
    rings = _who_rings(pages, propose, lost, moving)
    if not rings:
        return _left_alone(registry, event, propose, pages, now)
    return _ring(registry, event, propose, rings, now) + _make_way(registry, lost, moving, propose.id, now)


def _wins(ours: CallState, sid: str) -> bool:
    """Does a call of ours go on when it crosses the peer's call `sid`? The lower id does. Of an unheard call the peer knows nothing, and a
    rejection would tell."""
    return not ours.unheard and ours.sid.encode() < sid.encode()


def _who_rings(pages: Pages, propose: Propose, lost: list[CallState], moving: CallState | None) -> dict[str, str]:
    """Pages that ring, each with its call that this one continues, or ""."""
    if moving is not None:
        return {moving.own: moving.call}
    # The person was calling this peer: the page goes on with the peer's call, and needs to ask nobody.
    met = {s.own: s.call for s in lost if _same(s, propose)}
    return met or {jid: "" for jid, page in pages.items() if not page.dnd}


def _ring(registry: Registry, event: JmiReceived, propose: Propose, rings: dict[str, str], now: float) -> list[fx.Effect]:
    own, peer = bare(event.to), bare(event.sender)
    info = registry.peer_info(own, peer)
    state = CallState(registry.new_id(), propose.id, "in", own, peer, info.name, list(propose.media), now)
    turn = registry.add(state, list(rings), now)
    registry.timeline.came(turn, event)
    ringing.propose_received(turn, event, rings)
    return registry.done(turn)


def _make_way(registry: Registry, lost: list[CallState], moving: CallState | None, sid: str, now: float) -> list[fx.Effect]:
    """End what the new call replaces, after its page has heard of the new one."""
    effects: list[fx.Effect] = []
    for state in lost:
        turn = registry.turn(state, now)
        ringing.yield_call(turn)
        effects += registry.done(turn)
    if moving is not None:
        turn = registry.turn(moving, now)
        ringing.migrate(turn, sid)
        effects += registry.done(turn)
    return effects


def _same(state: CallState, propose: Propose) -> bool:
    """Only calls with the same media break a tie.

    COMPAT(Conversations 2.12): breaks no tie between different media, but answers busy. If we rejected its call meanwhile, both
    would be gone. So of such a pair the peer's rings beside ours, and the peer's word decides. J-068.
    """
    return sorted(state.media) == sorted(propose.media)


def _continued(registry: Registry, own: str, sender: str, propose: Propose) -> CallState | None:
    """The running call that this propose goes on with: the same device lost it, or its device is gone. J-069."""
    for state in registry.between(own, bare(sender)):
        if state.session is Session.ACTIVE and state.jmi and _same(state, propose) and (state.peer == sender or state.peer_offline):
            return state
    return None


def _missed(registry: Registry, event: JmiReceived, propose: Propose, now: float) -> list[fx.Effect]:
    """Missed once, however often it is sent."""
    own, peer = bare(event.to), bare(event.sender)
    registry.remember((own, peer, propose.id), now)
    name, at, media = registry.peer_info(own, peer).name, now - event.age, propose.media
    record = CallRecord(own, propose.id[:64], at, peer, name, "in", "audio" in media, "video" in media, 0.0, at, "no-answer")
    return [fx.Recorded(record), fx.TellMissed(own, peer, name, media, at)]


def _left_alone(registry: Registry, event: JmiReceived, propose: Propose, pages: Pages, now: float) -> list[fx.Effect]:
    """All pages say do not disturb. A contact hears busy; to others it is as if nobody were there. J-062, J-252."""
    effects = _missed(registry, event, propose, now)
    if bare(event.sender) in _contacts(pages):
        effects.append(fx.SendJmi(next(iter(pages)), event.sender, Reject(propose.id, Reason("busy"))))
    return effects


# --- straight to a page


def initiated(registry: Registry, event: JingleReceived, now: float) -> list[fx.Effect]:
    """A call without JMI, to one of our full JIDs. J-043: strangers see service-unavailable, always the same."""
    own, peer = bare(event.to), bare(event.sender)
    page = registry.endpoints.get(own, {}).get(event.to)
    if page is None:
        raise ServiceUnavailable("not available")
    contact = peer in page.contacts
    try:
        rings = _may_ring(registry, own, event.sender, {event.to: page}, now)
    except ResourceConstraint:
        if contact:
            raise
        rings = False
    lost = _lost_to(registry, event) if rings else []
    alone = page.dnd and not lost
    if not rings or (alone and not contact):
        raise ServiceUnavailable("not available")
    complete(event.jingle)
    info = registry.peer_info(own, peer)
    media = media_of(Described(usable(event.jingle, info.kind(event.sender)), event.jingle.groups))
    state = CallState(registry.new_id(), event.jingle.sid, "in", event.to, event.sender, info.name, list(media), now)
    state.session = step(Session.IDLE, state.peer_role, "session-initiate")
    turn = registry.turn(state, now)
    refused = negotiation.refusal_of_offer(turn, event)
    # From here on nothing raises, so no table holds a call that nobody knows of.
    registry.enter(turn, [event.to])
    registry.timeline.came(turn, event)
    if refused is not None:
        refuse(turn, refused)  # nobody has heard of it yet
    elif alone:
        end(turn, "busy")
    else:
        ringing.initiate_rings(turn, next((s.call for s in lost if sorted(s.media) == sorted(media)), ""))
    effects = registry.done(turn)
    for ours in lost:
        other = registry.turn(ours, now)
        ringing.yield_call(other)
        effects += registry.done(other)
    return effects


def _lost_to(registry: Registry, event: JingleReceived) -> list[CallState]:
    """Our side of crossing session-initiates of the same two full JIDs: the lower sid wins. Raises TieBreak if ours does. J-098."""
    ours = [
        state
        for state in registry.unanswered(bare(event.to), bare(event.sender))
        if not state.jmi and state.own == event.to and state.peer == event.sender
    ]
    if any(_wins(state, event.jingle.sid) for state in ours):
        raise TieBreak("the session with the lower sid goes on")
    return ours


# --- who


def _may_ring(registry: Registry, own: str, sender: str, pages: Pages, now: float) -> bool:
    """Raises ResourceConstraint above the limits. J-105."""
    if own == bare(sender):
        return False  # another page of the same person: the two sides of the call would be one key
    contacts = _contacts(pages) if pages or not registry.met(own, bare(sender)) else frozenset({bare(sender)})
    if bare(sender) not in contacts and any(page.private for page in pages.values()):
        return False
    return registry.admission.incoming(bare(sender), contacts, registry.ringing_for(own), now)


def _contacts(pages: Pages) -> frozenset[str]:
    return frozenset[str]().union(*(page.contacts for page in pages.values()))
