"""Every state x role x action of the three machines, against the rules said once more in other words."""

from __future__ import annotations

from itertools import product

import pytest

from jinglebridge.calls.states import (
    MIDWAY,
    RINGING,
    SIGNALLING,
    TRANSITIONS,
    Ringing,
    Session,
    Signalling,
    joint,
    mermaid,
    step,
    step_ringing,
    step_signalling,
)
from jinglebridge.errors import OutOfOrder
from jinglebridge.jingle import ACTIONS, Role

JMI_ELEMENTS = ("propose", "ringing", "proceed", "accept", "reject", "retract", "finish")


def session_rule(state: str, who: str, action: str) -> str | None:
    """XEP-0166 §5.1, J-076, J-080."""
    if action == "session-initiate":
        return "pending" if state == "idle" and who == "initiator" else None
    if action == "session-accept":
        return "active" if state == "pending" and who == "responder" else None
    if state in ("idle", "ended"):
        return None
    return "ended" if action == "session-terminate" else state


def ringing_rule(state: str, who: str, element: str) -> str | None:
    """XEP-0353 §3: who may still say what."""
    caller = who == "initiator"
    if element == "propose":
        return "proposed" if state == "none" and caller else None
    if state in ("none", "over") or element == "accept":
        return None
    if element == "finish":
        return "over"
    if element == "retract":
        return "over" if caller else None
    if caller:
        return None
    if element == "reject":
        return "over"
    if state == "proceeded":
        return None
    return "ringing" if element == "ringing" else "proceeded"


def signalling_rule(state: str, side: str, kind: str) -> str | None:
    """RFC 8829 §3.5.1, without provisional answers; the endpoint is polite: our offer wins, its own is rolled back (J-221)."""
    if kind == "offer":
        if side == "bridge":
            return None if state == "have-remote-offer" else "have-remote-offer"
        return {"stable": "have-local-offer", "have-remote-offer": "have-remote-offer"}.get(state)
    if kind == "rollback":
        return "stable" if side == "bridge" and state != "stable" else None
    if kind == "answer":
        return "stable" if (state, side) in {("have-local-offer", "bridge"), ("have-remote-offer", "endpoint")} else None
    return None


@pytest.mark.parametrize(("state", "who", "action"), list(product(Session, Role, sorted(ACTIONS))))
def test_session_table_is_xep_0166(state, who, action):
    """J-076, J-080: 4 states x 2 roles x 15 actions."""
    expected = session_rule(state, who, action)
    if expected is None:
        with pytest.raises(OutOfOrder, match=f"{action} from the {who} while {state}"):
            step(state, who, action)
    else:
        assert step(state, who, action) == expected


@pytest.mark.parametrize(("state", "who", "element"), list(product(Ringing, Role, JMI_ELEMENTS)))
def test_ringing_table_is_xep_0353(state, who, element):
    expected = ringing_rule(state, who, element)
    if expected is None:
        with pytest.raises(OutOfOrder, match=f"{element} from the {who} while {state}"):
            step_ringing(state, who, element)
    else:
        assert step_ringing(state, who, element) == expected


@pytest.mark.parametrize(("state", "side", "kind"), list(product(Signalling, ("endpoint", "bridge"), ("offer", "answer", "rollback"))))
def test_signalling_table_is_rfc_8829(state, side, kind):
    expected = signalling_rule(state, side, kind)
    if expected is None:
        with pytest.raises(OutOfOrder, match=f"{kind} from the {side} while {state}"):
            step_signalling(state, side, kind)
    else:
        assert step_signalling(state, side, kind) == expected


def test_tables_hold_nothing_but_known_words():
    assert {action for moves in TRANSITIONS.values() for _, action in moves} == ACTIONS
    assert {element for moves in RINGING.values() for _, element in moves} <= set(JMI_ELEMENTS)
    assert set(TRANSITIONS) == set(Session) and set(RINGING) == set(Ringing) and set(SIGNALLING) == set(Signalling)
    assert len(MIDWAY) == 12


def test_out_of_order_is_answered_as_j_078_says():
    assert (OutOfOrder.type, OutOfOrder.condition, OutOfOrder.jingle) == ("wait", "unexpected-request", "out-of-order")


@pytest.mark.parametrize(
    ("direction", "ringing", "session", "accepted", "connected", "word"),
    [
        ("out", "none", "idle", False, False, "proceeding"),
        ("out", "proposed", "idle", False, False, "proceeding"),
        ("out", "ringing", "idle", False, False, "ringing"),
        ("out", "proceeded", "pending", False, False, "accepted"),
        ("out", "none", "pending", False, False, "proceeding"),
        ("out", "proceeded", "active", False, False, "connecting"),
        ("out", "proceeded", "active", False, True, "connected"),
        ("out", "over", "idle", False, False, "ended"),
        ("in", "proposed", "idle", False, False, "incoming"),
        ("in", "ringing", "idle", False, False, "incoming"),
        ("in", "proceeded", "idle", True, False, "accepted"),
        ("in", "none", "pending", False, False, "incoming"),
        ("in", "none", "pending", True, False, "accepted"),
        ("in", "none", "active", True, False, "connecting"),
        ("in", "proceeded", "ended", True, True, "ended"),
    ],
)
def test_joint_state_is_the_web_sides_word(direction, ringing, session, accepted, connected, word):
    assert joint(direction, Ringing(ringing), Session(session), accepted=accepted, connected=connected) == word


def test_diagrams_hold_every_move_of_a_person():
    text = mermaid()
    assert text.count("```mermaid") == 2
    assert "    idle --> pending: session-initiate (initiator)" in text
    assert "    ringing --> proceeded: proceed (responder)" in text
    assert "content-add" not in text
