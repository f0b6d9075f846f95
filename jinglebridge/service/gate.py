"""Holds the effects of a call back until the call's state is in the journal, and keeps them in order.

Effects that somebody else will remember (a propose, a session-initiate, a description, an end, …) leave after the state that caused them is
kept. What comes later for the same call waits behind them; other calls do not. All else leaves at once, and its state is written
within 200 ms.

Spec: DESIGN §4 (Journal).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from jinglebridge.calls import effects as fx
from jinglebridge.calls.model import CallState
from jinglebridge.store.journal import Journal

FLUSH = 0.15  # seconds until small changes are written
LIGHT_ACTIONS = frozenset({"session-info"})
Changed = dict[fx.CallKey, CallState]


BINDING = frozenset({fx.SendJmi, fx.TellIncoming, fx.TellDescription, fx.TellRollback, fx.TellEnded})


def binds(effect: fx.Effect) -> bool:
    """Would it be wrong to forget that this was said?"""
    if type(effect) is not fx.SendJingle:
        return type(effect) in BINDING
    jingle = effect.jingle
    if jingle.action != "transport-info":
        return jingle.action not in LIGHT_ACTIONS
    for content in jingle.contents:
        if content.transport is not None and content.transport.candidates:
            return False
    return True  # new credentials, not a candidate


def row(state: CallState) -> CallState | None:
    """What the journal keeps of a call: nothing, once it is over and owes nothing."""
    return None if state.ended and not state.unacked else state


@dataclass(slots=True, eq=False)
class Batch:
    """The effects of one event; `waits` counts what must come first."""

    effects: list[fx.Effect]
    then: Callable[[], None]
    keys: tuple[fx.CallKey, ...]
    waits: int
    followers: list[Batch] = field(default_factory=list)


class Gate:
    """`run` carries out the effects of one event. You must call `close` in the end."""

    def __init__(self, journal: Journal, run: Callable[[Iterable[fx.Effect]], None]) -> None:
        self._journal = journal
        self._run = run
        self._last: dict[fx.CallKey, Batch] = {}  # the newest batch of a call that waits
        self._dirty: Changed = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How much waits here: 0 when all is done and kept."""
        return len(self._last) + len(self._dirty)

    def submit(self, changed: Changed, effects: list[fx.Effect], then: Callable[[], None] = lambda: None) -> None:
        """Carry the effects of one event out, now or when the calls that it changed are kept; `then` is called after them."""
        keep = bool(changed) and any(map(binds, effects))
        if not keep:
            self.later(changed)
        ahead = self._ahead(changed, effects) if self._last else {}
        if not keep and not ahead:
            self._run(effects)
            then()
            return
        batch = Batch(effects, then, tuple(changed), len(ahead) + keep)
        for before in ahead.values():
            before.followers.append(batch)
        for key in changed:
            self._last[key] = batch
            if keep:
                self._dirty.pop(key, None)
        if keep:
            self._journal.write({key: row(state) for key, state in changed.items()}, partial(self._advance, batch))

    def _ahead(self, changed: Changed, effects: list[fx.Effect]) -> dict[int, Batch]:
        """What waits and must come first. A message that changes no call may be the reject of a tie-break, which makes no sense to a peer
        that has not got the propose it lost to (J-067); so it leaves behind all that waits."""
        if not changed and any(type(effect) is fx.SendJmi for effect in effects):
            return {id(batch): batch for batch in self._last.values()}
        return {id(batch): batch for key in changed if (batch := self._last.get(key)) is not None}

    def _advance(self, batch: Batch) -> None:
        batch.waits -= 1
        if batch.waits:
            return
        for key in batch.keys:
            if self._last.get(key) is batch:
                del self._last[key]
        self._run(batch.effects)
        batch.then()
        for follower in batch.followers:
            self._advance(follower)

    def later(self, changed: Changed) -> None:
        """Write the calls that changed with the next others: nothing leaves for it."""
        if not changed:
            return
        self._dirty.update(changed)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH, self.flush)

    def flush(self) -> None:
        """Write what has changed a little."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        dirty, self._dirty = self._dirty, {}
        if dirty:
            self._journal.write({key: row(state) for key, state in dirty.items()})

    async def passed(self) -> None:
        """Until what was submitted before is kept and carried out."""
        done = asyncio.get_running_loop().create_future()
        self._journal.write({}, partial(_set, done))
        await done

    async def drained(self) -> None:
        """Until all that was submitted is kept and carried out, and what follows from it."""
        while self._last:
            await self.passed()
        self.flush()


def _set(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
