"""What happened in one call, as small as it can be kept.

A record is two numbers per step (milliseconds, which step), and steps that say the same are one object in all calls. Nothing is formatted
before somebody asks. Bounded by MAX_STEPS and MAX_WORDS.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls import steps
from jinglebridge.calls.model import CallState, bare
from jinglebridge.calls.steps import Step, Text
from jinglebridge.jingle import Jingle, jingle_text
from jinglebridge.kept import Kept

MAX_STEPS = 400  # of one call; of more the first FIRST_STEPS and the last ones stay; a candidate that was passed on is one
FIRST_STEPS = 200
MAX_WORDS = 16 * 1024  # bytes, about, of different steps of one call; further ones are kept without detail
STEP_COSTS = 100  # bytes of a step beside its words
MAX_DETAIL = 120  # characters
LATEST = 2**32 - 1  # milliseconds

NO_TEXTS: Mapping[int, Text] = {}
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
