"""Thousands of calls leave nothing behind: no table entry, and no memory. J-254."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.model import Limits, PeerResource
from jinglebridge.jingle import Finish, Proceed, Propose, Reason, Retract
from tests.unit.calls.world import DEVICE, JULIET, LAPTOP, PLAIN, ROMEO, World, answer_of_peer, offer_of_peer
from tests.unit.cases import small

pytestmark = pytest.mark.no_cover  # see pyproject.toml


OFFER = small()
ANSWER = OFFER.replace("actpass", "active")
CANDIDATE = {"candidate": "candidate:1 1 udp 2122194687 192.0.2.2 49376 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
MANY = 10**9


def out(w: World, n: int) -> None:
    w.does(ev.Placed(f"c{n}", ROMEO, OFFER))
    w.messages(Proceed(w.state.sid))
    w.does(ev.Gathered(f"c{n}", CANDIDATE))
    w.sends(answer_of_peer(w_initiate(w), ANSWER), sid=w.state.sid)
    w.does(ev.Reported(f"c{n}", "connected", 5))
    w.does(ev.HungUp(f"c{n}"))


def w_initiate(w: World):
    return offer_of_peer(w.state.sid, OFFER)


def into(w: World, n: int) -> None:
    w.messages(Propose(f"s{n}", ("audio",)), to=JULIET, receipt=True, stanza_id="m")
    call = w.told(fx.TellIncoming)[0].call
    w.does(ev.Accepted(call))
    w.sends(offer_of_peer(f"s{n}", OFFER))
    w.does(ev.Described(call, "answer", ANSWER))
    w.sends("session-terminate", sid=f"s{n}", reason=Reason("success"))
    w.messages(Finish(f"s{n}", Reason("success")))


def moved(w: World, n: int) -> None:
    into_up(w, n)
    w.messages(Propose(f"t{n}", ("audio",)), to=JULIET)
    w.messages(Retract(f"t{n}"))


def into_up(w: World, n: int) -> None:
    w.messages(Propose(f"s{n}", ("audio",)), to=JULIET)
    call = w.told(fx.TellIncoming)[0].call
    w.does(ev.Accepted(call))
    w.sends(offer_of_peer(f"s{n}", OFFER))
    w.does(ev.Described(call, "answer", ANSWER))


def forked(w: World, n: int) -> None:
    w.resources[ROMEO] = (PLAIN, PeerResource(LAPTOP, frozenset(DEVICE)))
    w.does(ev.Placed(f"c{n}", ROMEO, OFFER))
    del w.resources[ROMEO]
    w.sends(answer_of_peer(w.sent("session-initiate")[1], ANSWER), LAPTOP, sid="")
    w.does(ev.HungUp(f"c{n}"))


def rejected(w: World, n: int) -> None:
    w.messages(Propose(f"s{n}", ("audio",)), to=JULIET)
    w.does(ev.Rejected(w.told(fx.TellIncoming)[0].call))


KINDS = (out, into, moved, forked, rejected)


def resident() -> float:
    """MiB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def many(calls: int, warm: int) -> tuple[float, float]:
    """Runs the calls; memory after the first `warm` and at the end."""
    w = World(limits=Limits(MANY, 3, MANY, MANY))
    w.validates = False
    w.resources.clear()
    before = 0.0
    for n in range(calls):
        if n == warm:
            gc.collect()
            before = resident()
        KINDS[n % len(KINDS)](w, n)
        assert w.quiet
        w.says.clear()
        w.registry.take_changed()  # as the service does after each event
        w.now += 10  # the timeline keeps what ended within the hour
        if n % 6 == 0:
            w.registry.sweep(w.now)
            assert sum(w.entries().values()) <= 400, "what is remembered is what ended in the last minutes"
    w.registry.sweep(w.now + 61)
    w.leaves()
    assert w.entries() == {}
    gc.collect()
    return before, resident()


def flat(calls: int, warm: int) -> None:
    before, after = many(calls, warm)
    print(f"{calls} calls: {before:.1f} MiB after {warm}, {after:.1f} MiB at the end")  # noqa: T201
    assert after - before < 3, f"{after - before:.1f} MiB more after {calls - warm} calls"


def test_two_thousand_calls():
    flat(2_000, 1_000)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_calls():
    flat(100_000, 2_000)
