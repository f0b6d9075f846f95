"""Calls that outlive the connection to the server, the process, or their own end: the registry's part of it.

What is owed to whom is in `owed`.

Spec: DESIGN §4 (Journal, nothing is queued), §5 (reliability).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls import owed
from jinglebridge.calls.ending import end
from jinglebridge.calls.model import CallState

if TYPE_CHECKING:
    from jinglebridge.calls.registry import Registry

Effects = list[fx.Effect]
MAX_OWING = 10_000  # ended calls whose peer may not know


def ended(registry: Registry, key: fx.CallKey, state: CallState) -> None:
    """A call is over; it is remembered while its last words are owed."""
    if len(registry.owing) >= MAX_OWING:
        state.unacked = []
    if state.unacked:
        registry.owing[key] = state


def settled(registry: Registry, key: fx.CallKey, number: int) -> None:
    state = registry.calls.get(key) or registry.owing.get(key)
    if state is not None and number:
        owed.settle(state, number)
        registry.changed[key] = state
        if state.ended and not state.unacked:
            del registry.owing[key]


def acknowledged(registry: Registry, key: fx.CallKey, number: int, now: float) -> bool:
    """The peer has an action of ours. False: something follows from that sign of life, and the reply must be handled like any other."""
    state = registry.calls.get(key)
    if state is None or state.probed or state.inbox:
        return False
    settled(registry, key, number)
    state.heard_at = now
    return True


def undelivered(registry: Registry, key: fx.CallKey) -> None:
    state = registry.calls.get(key) or registry.owing.get(key)
    if state is not None:
        state.undelivered = True


def appeared(registry: Registry, peer: str) -> Effects:
    """The full JID `peer` is there: it may not know how its call has ended."""
    effects: Effects = []
    for state in [s for s in registry.owing.values() if s.undelivered and s.peer == peer]:
        state.undelivered = False
        effects += owed.again(state)
    return effects


def reconnected(registry: Registry, now: float) -> Effects:
    effects: Effects = [effect for state in registry.owing.values() for effect in owed.again(state)]
    for state in list(registry.calls.values()):
        turn = registry.turn(state, now)
        owed.reconnected(turn)
        effects += registry.done(turn)
    return effects


def restore(registry: Registry, states: Iterable[CallState], survives: Callable[[str], bool], now: float) -> Effects:
    effects: Effects = []
    for state in states:
        turn = registry.turn(state, now)
        if state.ended:
            registry.owing[turn.key] = state
            registry.remember(turn.key, now)
            effects += [fx.TellEnded(jid, state.call, state.end_reason) for jid in turn.endpoints() if survives(jid)]
            continue
        registry.enter(turn, turn.endpoints(), "call-restored")
        lost = [jid for jid in turn.endpoints() if not survives(jid)]
        if not owed.restored(turn):
            end(turn, "failed", "the bridge was restarted while it rang")
        effects += registry.done(turn)
        for jid in lost:
            effects += registry.handle(turn.key, ev.EndpointGone(jid), now)
    return effects


def zombies(registry: Registry, now: float) -> Effects:
    """All timers of these calls are long overdue, or they have none."""
    effects: Effects = []
    for key, state in list(registry.calls.items()):
        if key in registry.calls and now - max(state.deadlines.values(), default=state.created) > registry.timers.remember:
            effects += registry.end(key, now, "gone")
    return effects


def sweep(registry: Registry, now: float) -> None:
    """What nobody could be told for so long is owed no more."""
    for key, state in list(registry.owing.items()):
        if now - max(state.created, state.heard_at) > registry.timers.owed:
            registry.changed[key] = registry.owing.pop(key)
            state.unacked = []
