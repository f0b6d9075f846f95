"""Both sides of a call in random order: never two calls, both tell the same of how it ended, nothing is left. See `two.py`.

What each engine alone must withstand, hostile stanzas included, is in `test_schedules.py`.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.unit.calls.two import Two

pytestmark = pytest.mark.no_cover  # see pyproject.toml


SCHEDULES = 500


def run(seed: int) -> Two:
    schedule = Two(seed)
    try:
        schedule.run()
    except BaseException:
        print(f"seed {seed}")  # noqa: T201
        raise
    return schedule


@pytest.mark.parametrize("block", range(10))
def test_both_sides_agree(block):
    reached: Counter[str] = Counter()
    for seed in range(block, SCHEDULES, 10):
        schedule = run(seed)
        reached.update(reason for side in schedule.sides for reason, _ in side.ends.values())
        reached["up"] += schedule.peak
    assert reached.keys() >= {"up", "ended", "cancelled", "declined", "gone", "moved", "failed-ice"}, "the schedules get somewhere"


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("block", range(10))
def test_both_sides_agree_ten_thousand_times(block):
    for seed in range(SCHEDULES + block, SCHEDULES + 10_000, 10):
        run(seed)
