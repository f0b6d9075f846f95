"""What happened in each call, for the operator: kept while the call lives and for an hour after.

Candidates are laid by as they are, and told some turns later: many at once take half the time. Nothing is formatted before somebody
asks. A record is two numbers per step (milliseconds, which step), and steps that say the same are one object in all calls. The texts
behind them (SDP, candidates, <jingle/>), for whoever may see them, are kept as they came, without work; the newest of the whole bridge
stay, whichever call they belong to. Never on disk, never in the log.

Everything is bounded: per call by MAX_STEPS and MAX_WORDS, in total by MAX_ENDED and MAX_TEXTS.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls import steps
from jinglebridge.calls.model import CallState, bare
from jinglebridge.calls.steps import Step, Text
from jinglebridge.calls.turn import Turn
from jinglebridge.errors import ProtocolError
from jinglebridge.jingle import Jingle, jingle_text
from jinglebridge.kept import Kept

KEEP_FOR = 3600.0  # seconds after the end
MAX_STEPS = 400  # of one call; of more the first FIRST_STEPS and the last ones stay; a candidate that was passed on is one
FIRST_STEPS = 200
MAX_WORDS = 16 * 1024  # bytes, about, of different steps of one call; further ones are kept without detail
STEP_COSTS = 100  # bytes of a step beside its words
MAX_DETAIL = 120  # characters
MAX_ENDED = 4000  # calls that are over
MAX_TEXTS = 3 * 1024 * 1024  # bytes of texts of all calls
TEXT_COSTS = 256  # bytes that keeping a text takes beside it
MAX_WAITING = 24  # candidates and what became of them that are laid by in one call
LATEST = 2**32 - 1  # milliseconds
JINGLE_COSTS = 8 * 1024  # bytes, about, of a <jingle/> with descriptions that was not made a text yet

NO_TEXTS: Mapping[int, Text] = {}
_WITH_CANDIDATES = frozenset({ev.Gathered, ev.Placed, ev.Described, ev.JingleReceived})
_LIGHT = frozenset({fx.SendJingle, fx.TellCandidate})
_shared: Kept[Step, Step] = Kept()  # of all calls

Event = ev.CallEvent | ev.Placed


@dataclass(frozen=True, slots=True)
class Past:
    """What is left of the state of a call that is over."""

    call: str
    sid: str
    direction: str
    own: str
    peer: str
    media: list[str]
    created: float
    joint: str = "ended"


@dataclass(slots=True, eq=False)
class Record:
    """One call. Times are seconds of the engine's clock.

    `media`: None if the page never reported statistics; else whether media was ever seen to flow. `relayed`: whether the path in use
    goes by a relay, None if nobody said.
    """

    state: CallState | Past
    ended: float = 0.0  # 0 while it lives
    reason: str = ""
    by: str = ""  # who ended it: page, bridge, peer
    relay_ours: bool = False
    relay_theirs: bool = False
    media: bool | None = None
    relayed: bool | None = None
    left_out: int = 0  # steps
    cause: Event | None = None  # the event that is being told
    stats: str = ""
    received: int = 0
    forgotten: bool = False
    pending: tuple[float, Event] | None = None  # a candidate that is being handled, and when it came
    waiting: list[tuple[float, Event, fx.Effect]] = field(default_factory=list)  # candidates that are not told yet, and what they led to
    _log: array[int] = field(default_factory=lambda: array("I"))  # milliseconds and index in `_steps`, in turn
    _steps: dict[Step, int] = field(default_factory=dict)
    _words: int = 0

    def add(self, step: Step, now: float) -> int:
        """Its number."""
        index = self._steps.get(step)
        if index is None:
            index = self._new(step)
        log = self._log
        if len(log) >= 2 * MAX_STEPS:
            # Room for several at once: what is in the middle of a long call is the least telling.
            drop = MAX_STEPS // 8
            del log[2 * FIRST_STEPS : 2 * (FIRST_STEPS + drop)]
            self.left_out += drop
        at = int((now - self.state.created) * 1000)
        log.append(at if 0 <= at <= LATEST else LATEST if at > 0 else 0)
        log.append(index)
        return len(log) // 2 - 1 + self.left_out

    def _new(self, step: Step) -> int:
        source, to, what, detail = step
        if self._words > MAX_WORDS:
            step = source, to, what, "…"
        elif len(detail) > MAX_DETAIL:
            step = source, to, what, detail[:MAX_DETAIL] + "…"
        if step in self._steps:
            return self._steps[step]
        self._words += STEP_COSTS + len(step[3])
        known = _shared.get(step) or _shared.keep(step, step, len(step[3]))
        return self._steps.setdefault(known, len(self._steps))

    def steps(self) -> Iterator[tuple[int, float, Step]]:
        """(number, seconds since the beginning, step). What the bridge only passed on has a number where the page is, else -1."""
        known = list(self._steps)
        for place in range(0, len(self._log), 2):
            number = place // 2
            number = number if number < FIRST_STEPS else number + self.left_out
            step = known[self._log[place + 1]]
            parts = steps.apart(step)
            for part in parts:
                yield number if part is step or steps.PAGE in part[:2] else -1, self._log[place] / 1000, part


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


def summary(record: Record, now: float) -> dict[str, Any]:
    """A call for the operator: no addresses of machines, no credentials, no SDP. Times in seconds."""
    state = record.state
    return {
        "call": state.call,
        "sid": state.sid,
        "direction": state.direction,
        "own": state.own,
        "peer": state.peer,
        "with": bare(state.peer),
        "state": state.joint,
        "media": state.media,
        "began": state.created,
        "seconds": round((record.ended or now) - state.created, 1),
        "ended": record.ended or None,
        "reason": record.reason or None,
        "by": record.by or None,
        "mediaSeen": record.media,
        "relayCandidates": {"ours": record.relay_ours, "theirs": record.relay_theirs},
        "relayed": record.relayed,
        "leftOut": record.left_out,
    }


def ladder(record: Record, texts: Mapping[int, Text] = NO_TEXTS) -> list[dict[str, Any]]:
    """The steps in order. Addresses, credentials and fingerprints are only in what comes of `texts` (`Timeline.texts_of`)."""
    lines: list[dict[str, Any]] = []
    for number, at, (source, to, what, detail) in record.steps():
        line: dict[str, Any] = {"at": at, "from": source, "to": to, "what": what, "detail": detail}
        text = texts.get(number)
        if text is not None:
            line["text"] = jingle_text(text) if isinstance(text, Jingle) else text
        lines.append(line)
    return lines
