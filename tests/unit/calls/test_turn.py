"""One event being handled."""

from __future__ import annotations

import pytest

from jinglebridge.calls.turn import Turn
from jinglebridge.errors import OutOfOrder
from jinglebridge.jingle import Jingle
from tests.unit.calls.test_ending import reach
from tests.unit.calls.world import PAGE, World


def turn(w: World) -> Turn:
    return w.registry.turn(w.state, w.now)


@pytest.mark.parametrize(("stage", "seeing"), [("placed", [PAGE]), ("proposed", [PAGE]), ("accepted", [PAGE]), ("direct-in", [PAGE])])
def test_who_sees_a_call(stage, seeing):
    assert turn(reach(stage)).endpoints() == seeing


def test_a_ringing_call_has_no_state_to_tell():
    t = turn(reach("proposed"))
    t.tell_state()
    assert t.effects == []


def test_sending_moves_the_session_or_raises():
    t = turn(reach("talking-out"))
    with pytest.raises(OutOfOrder):
        t.send_jingle(Jingle("session-initiate", "id1"))
    assert t.effects == []
