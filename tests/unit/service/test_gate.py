"""Effects wait for the journal, in order, each call for itself. DESIGN §4 (Journal)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls.model import CallState
from jinglebridge.jingle import Content, IceUdpTransport, Jingle, Propose, Reason, SessionInfo
from jinglebridge.service import gate as module
from jinglebridge.service.gate import Gate, binds, row
from jinglebridge.store.journal import MemoryJournal
from tests.unit.fakes import until

E, PEER = "anna@call.test/w", "bob@im.test/r"
A, B = ("anna@call.test", "bob@im.test", "a"), ("anna@call.test", "bob@im.test", "b")
TIMER = fx.StartTimer(A, "ring", 1.0)


def state(sid: str) -> CallState:
    return CallState(sid, sid, "out", E, PEER, "", ["audio"], 0.0)


class SlowJournal(MemoryJournal):
    """Says that a write is kept only when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Callable[[], None]] = []
        self.writes: list[dict[Any, bool]] = []

    def write(self, rows: Any, done: Any = None) -> None:
        super().write(rows)
        self.writes.append({key: value is not None for key, value in rows.items()})
        if done is not None:
            self.waiting.append(done)

    def keep(self) -> None:
        waiting, self.waiting = self.waiting, []
        for done in waiting:
            done()


class Bench:
    def __init__(self) -> None:
        self.journal = SlowJournal()
        self.ran: list[Any] = []
        self.gate = Gate(self.journal, self.ran.extend)

    def submit(self, *effects: Any, calls: tuple[Any, ...] = (A,)) -> None:
        self.gate.submit({key: state(key[2]) for key in calls}, list(effects))


def ended(call: str) -> fx.TellEnded:
    return fx.TellEnded(E, call, "ended")


CONTENT = Content("0", transport=IceUdpTransport(ufrag="u", pwd="p"))


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (fx.SendJmi(E, PEER, Propose("a", ("audio",))), True),
        (fx.SendJingle(E, PEER, Jingle("session-initiate", "a")), True),
        (fx.SendJingle(E, PEER, Jingle("session-terminate", "a", reason=Reason("gone"))), True),
        (fx.SendJingle(E, PEER, Jingle("content-add", "a")), True),
        (fx.SendJingle(E, PEER, Jingle("session-info", "a", info=(SessionInfo("mute"),))), False),
        (fx.SendJingle(E, PEER, Jingle("transport-info", "a", contents=(CONTENT,))), True),
        (fx.TellDescription(E, "a", "offer", "v=0"), True),
        (ended("a"), True),
        (fx.TellCandidate(E, "a", "candidate", "0", 0, "u"), False),
        (TIMER, False),
        (fx.Note("x", "a", "a"), False),
    ],
)
def test_what_others_will_remember(effect: fx.Effect, expected: bool):
    assert binds(effect) is expected


def test_the_row_of_an_ended_call_goes_when_it_owes_nothing():
    from jinglebridge.calls.states import Session

    call = state("a")
    assert row(call) is call
    call.session = Session.ENDED
    assert row(call) is None
    call.unacked = [[1, "Finish", "", "", ""]]
    assert row(call) is call


async def test_effects_wait_and_keep_their_order():
    b = Bench()
    b.submit("before", calls=())
    b.submit(ended("1"))
    b.submit(TIMER, "later")
    b.submit("other call", calls=(B,))
    b.submit(ended("2"))
    b.submit("both", calls=(A, B))
    assert b.ran == ["before", "other call"] and len(b.gate) == 4, "two calls wait, two rows are not written"
    b.journal.keep()
    assert b.ran == ["before", "other call", ended("1"), TIMER, "later", ended("2"), "both"]
    await b.gate.drained()
    assert len(b.gate) == 0


async def test_a_batch_waits_for_the_one_before_and_for_its_own_row():
    b = Bench()
    b.submit(ended("1"))
    first, b.journal.waiting = b.journal.waiting, []
    b.submit(ended("2"), calls=(A, B))
    b.submit("last", calls=(B,))
    b.journal.keep()
    assert b.ran == [], "its own row is kept, but the call's effects before it have not left"
    for done in first:
        done()
    assert b.ran == [ended("1"), ended("2"), "last"]
    b.gate.flush()


async def test_small_changes_are_written_together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "FLUSH", 0.01)
    b = Bench()
    for _ in range(5):
        b.submit("small")
        b.submit("small", calls=(B,))
    assert b.journal.writes == []
    await until(lambda: b.journal.writes)
    assert b.journal.writes == [{A: True, B: True}] and len(b.gate) == 0
    b.submit("small")
    b.submit(ended("1"))
    assert b.journal.writes[1:] == [{A: True}], "it went with the commit"
    b.journal.keep()
    await asyncio.sleep(0.02)
    assert len(b.journal.writes) == 2


async def test_then_comes_after_the_effects():
    b = Bench()
    b.gate.submit({}, [], lambda: b.ran.append("then at once"))
    b.gate.submit({A: state("a")}, [ended("1")], lambda: b.ran.append("then"))
    assert b.ran == ["then at once"]
    b.journal.keep()
    assert b.ran == ["then at once", ended("1"), "then"]


async def test_drained_waits_also_for_what_effects_lead_to():
    journal = SlowJournal()
    ran: list[Any] = []

    def run(effects: Any) -> None:
        ran.extend(effects)
        if len(ran) == 1:
            gate.submit({B: state("b")}, [ended("2")])

    gate = Gate(journal, run)
    gate.submit({A: state("a")}, [ended("1")])
    drained = asyncio.create_task(gate.drained())
    while not drained.done():
        await asyncio.sleep(0)
        journal.keep()
    assert ran == [ended("1"), ended("2")] and len(gate) == 0
