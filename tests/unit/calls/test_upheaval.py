"""Calls that change all the time, in random order, against another engine and against a peer without a plan. See `upheaval.py`.

Nothing but a ProtocolError escapes, nobody waits once the timers have fired, a call is what was kept of it, nothing secret is in a note
or an error, two bridges know the same of each other, and each description fits the page.
"""

from __future__ import annotations

import pytest

from tests.unit.calls.upheaval import Hand, Pair

pytestmark = pytest.mark.no_cover  # see pyproject.toml


SCHEDULES = 300  # half of them each
BLOCKS = 10


def run(kind: type[Pair] | type[Hand], seed: int, steps: int) -> None:
    schedule = kind(seed)
    try:
        schedule.run(steps)
    except BaseException:
        seats = schedule.seats if isinstance(schedule, Pair) else (schedule.seat,)
        print(f"{kind.__name__} {seed} {schedule.kind}", *("\n".join(seat.steps[-40:]) for seat in seats), sep="\n")  # noqa: T201
        raise


@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.parametrize("kind", [Pair, Hand])
def test_a_call_that_changes_all_the_time(kind, block):
    for seed in range(block, SCHEDULES // 2, BLOCKS):
        run(kind, seed, 25)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.parametrize("kind", [Pair, Hand])
def test_ten_thousand_calls_that_change_all_the_time(kind, block):
    for seed in range(SCHEDULES + block, SCHEDULES + 5_000, BLOCKS):
        run(kind, seed, 60)
