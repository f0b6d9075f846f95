"""The records of all calls, for the operator: kept while a call lives and for an hour after.

Candidates are laid by as they are, and told some turns later: many at once take half the time. The texts behind the steps (SDP, candidates,
<jingle/>), for whoever may see them, are kept as they came, without work; the newest of the whole bridge stay, whichever call they belong
to. Never on disk, never in the log. Bounded by MAX_ENDED and MAX_TEXTS.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls import steps
from jinglebridge.calls.model import CallState, bare
from jinglebridge.calls.record import Event, Past, Record
from jinglebridge.calls.steps import Text
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import ProtocolError

KEEP_FOR = 3600.0  # seconds after the end
MAX_ENDED = 4000  # calls that are over
MAX_TEXTS = 3 * 1024 * 1024  # bytes of texts of all calls
TEXT_COSTS = 256  # bytes that keeping a text takes beside it
JINGLE_COSTS = 8 * 1024  # bytes, about, of a <jingle/> with descriptions that was not made a text yet
MAX_WAITING = 24  # candidates and what became of them that are laid by in one call

_WITH_CANDIDATES = frozenset({ev.Gathered, ev.Placed, ev.Described, ev.JingleReceived})
_LIGHT = frozenset({fx.SendJingle, fx.TellCandidate})


class Timeline:
    """The records of all calls; the registry tells it what comes and what goes. `texts`: keep them?"""

    def __init__(self, *, texts: bool = True) -> None:
        self.keeps_texts = texts
        self._live: dict[tuple[str, str], Record] = {}  # (own bare JID, call id)
        self._ended: deque[Record] = deque()
        # (record, number of the step with those left out counted, text, bytes), oldest first. Not with its record: to drop one there
        # would mean to look at a call that nobody has looked at for long, for each text that comes.
        self._texts: deque[tuple[Record, int, Text, int]] = deque()
        self._size = 0
        self._forgot = False  # a call whose texts may be among them
        self._current = Record(Past("", "", "", "", "", [], 0.0))  # the one asked for last

    # --- what the registry tells

    def _of(self, state: CallState) -> Record:
        """The record of a live call; a new one for a call that is new here, or was brought back after a restart."""
        if self._current.state is state:
            return self._current
        key = bare(state.own), state.call
        record = self._live.get(key)
        if record is None:
            record = self._live[key] = Record(state)
        self._current = record
        return record

    def came(self, turn: Turn, event: Event) -> None:
        """An event, before it is handled."""
        record = self._of(turn.state)
        if _light(event):
            if record.pending is not None:
                self._tell(record)  # an internal error came between it and what it led to
            record.pending = turn.now, event
        else:
            self._tell(record)
            self._tell_event(record, event, turn.now)

    def refused(self, turn: Turn, event: ev.CallEvent, error: ProtocolError) -> None:
        """The event was illegal: it changed nothing, and this is what its sender hears."""
        record = self.of(turn.state)
        record.cause = None
        record.add(steps.of_refusal(event, error), turn.now)

    def left(self, turn: Turn) -> None:
        """The effects of a turn."""
        record, effects = self._of(turn.state), turn.effects
        pending = record.pending
        if pending is None or len(effects) != 1 or type(effects[0]) not in _LIGHT:
            self._tell(record)
            self._tell_effects(record, effects, turn.now)
            return
        record.pending = None
        record.waiting.append((*pending, effects[0]))
        # A call that is up is left alone by now: nothing of its beginning is to stay in memory because of this.
        if len(record.waiting) >= MAX_WAITING or turn.state.connected:
            self._tell(record)

    def goes_on(self, state: CallState) -> None:
        """Of a call with several branches (`calls/forks.py`), this is one that is left."""
        self.of(state).state = state

    def over(self, turn: Turn) -> None:
        """That was the call's last turn."""
        record, state = self.of(turn.state), turn.state
        record.ended = turn.now
        record.state = Past(state.call, state.sid, state.direction, state.own, state.peer, state.media, state.created)
        del self._live[bare(state.own), state.call]
        self._ended.append(record)
        if len(self._ended) > MAX_ENDED:
            self._forget()

    def sweep(self, now: float) -> None:
        """Forget what ended long ago."""
        while self._ended and self._ended[0].ended + KEEP_FOR <= now:
            self._forget()
        if self._forgot:
            self._forgot = False
            self._texts = deque(item for item in self._texts if not item[0].forgotten)
            self._size = sum(size for *_, size in self._texts)

    # --- telling what was laid by

    def _tell(self, record: Record) -> None:
        if record.waiting:
            waiting, record.waiting = record.waiting, []
            for now, event, effect in waiting:
                said = steps.passed_on(event, effect)
                if said is None:
                    self._tell_event(record, event, now)
                    self._tell_effects(record, (effect,), now)
                else:
                    self._keep(record, said, now)
                    self._relay(record, event, said)
        if record.pending is not None:
            now, event = record.pending
            record.pending = None
            self._tell_event(record, event, now)

    def _tell_event(self, record: Record, event: Event, now: float) -> None:
        said = steps.of_event(event)
        if said is None:
            return
        record.cause = event
        kind = type(event)
        if kind is ev.TimerFired or (kind is ev.Reported and not self._news(record, event)):  # type: ignore[arg-type]
            return  # a timer is told with what it does, which is mostly nothing
        self._keep(record, said, now)
        if kind in _WITH_CANDIDATES:
            self._relay(record, event, said)

    @staticmethod
    def _relay(record: Record, event: Event, said: steps.Said) -> None:
        if type(event) is ev.JingleReceived:
            record.relay_theirs = record.relay_theirs or steps.has_relay(said[0][3])
        else:
            record.relay_ours = record.relay_ours or steps.has_relay(said[0][3])

    def _tell_effects(self, record: Record, effects: Sequence[fx.Effect], now: float) -> None:
        cause, record.cause = record.cause, None
        if effects and type(cause) is ev.TimerFired:
            record.add((steps.BRIDGE, steps.BRIDGE, "timer", cause.name), now)
        for effect in effects:
            if type(effect) is fx.Note and effect.event == "call-ended":
                record.reason, record.by = effect.detail, steps.BRIDGE if cause is None else steps.ends(cause)
                record.add((steps.BRIDGE, steps.BRIDGE, "call-ended", f"{record.reason}, by {record.by}"), now)
            elif (said := steps.of_effect(effect)) is not None:
                self._keep(record, said, now)

    @staticmethod
    def _news(record: Record, event: ev.Reported) -> bool:
        """Take the numbers of a report in; True if it says anything new."""
        flows = bool(event.media) or (event.media is None and 0 < record.received < event.received)
        record.received = event.received
        if flows:
            record.media = True
        elif event.media is not None or event.received:
            record.media = bool(record.media)
        if event.relayed is not None and event.state == "connected":
            record.relayed = event.relayed
        before, record.stats = record.stats, steps.reported(event)
        return record.stats != before

    def _keep(self, record: Record, said: steps.Said, now: float) -> None:
        step, text = said
        number = record.add(step, now)
        if text is None or not self.keeps_texts:
            return
        size = TEXT_COSTS + (len(text) if type(text) is str else JINGLE_COSTS)
        self._texts.append((record, number, text, size))
        self._size += size
        while self._size > MAX_TEXTS:
            self._size -= self._texts.popleft()[3]

    def _forget(self) -> None:
        """The oldest. Its texts go with the next sweep."""
        self._ended.popleft().forgotten = self._forgot = True

    # --- what the operator asks

    def of(self, state: CallState) -> Record:
        """The record of a live call, with all that was laid by."""
        record = self._of(state)
        self._tell(record)
        return record

    def ended(self) -> list[Record]:
        """The calls that are over, the one that ended first being first."""
        return list(self._ended)

    def find(self, id: str, live: Iterable[CallState]) -> list[Record]:
        """The calls whose call id or sid is `id`; if none is, those where one of them begins so."""
        records = [*(self.of(state) for state in live), *self._ended]
        return [r for r in records if id in (r.state.call, r.state.sid)] or [
            r for r in records if r.state.call.startswith(id) or r.state.sid.startswith(id)
        ]

    def texts_of(self, record: Record) -> dict[int, Text]:
        """The texts of a call that are still there, by number of their step; for whoever may see addresses and credentials."""
        return {number: text for of, number, text, _ in self._texts if of is record}


def _light(event: Event) -> bool:
    """Is it a candidate and nothing more? All else is told at once: some of it is large, and a peer may send a lot of it."""
    if type(event) is ev.JingleReceived:
        return not event.xml and steps.candidate_alone(event.jingle) is not None
    return type(event) is ev.Gathered
