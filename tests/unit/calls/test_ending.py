"""What ends a call in each stage, from our side and by whom. J-062 … J-066, J-092; the table in `calls/ending.py`."""

from __future__ import annotations

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.reasons import END_REASONS, TO_JINGLE
from jinglebridge.calls.stored import Descriptions
from jinglebridge.jingle import Reason
from tests.unit.calls.world import (
    PHONE,
    PLAIN,
    TAB,
    World,
    accepted,
    direct_in,
    direct_out,
    offered,
    placed,
    proceeded,
    proposed,
    talking_direct_in,
    talking_direct_out,
    talking_in,
    talking_out,
)

TERMINATE = "page > phone session-terminate "
FINISH = "page > phone finish "
MISSED = "juliet: missed romeo"

STAGES = {
    "placed": (placed, "c1"),
    "proceeded": (proceeded, "c1"),
    "talking-out": (talking_out, "c1"),
    "direct-out": (direct_out, "c1"),
    "talking-direct-out": (talking_direct_out, "c1"),
    "proposed": (proposed, "id1"),
    "accepted": (accepted, "id1"),
    "offered": (offered, "id1"),
    "talking-in": (talking_in, "id1"),
    "direct-in": (direct_in, "id1"),
    "talking-direct-in": (talking_direct_in, "id1"),
}


def reach(stage: str) -> World:
    w = World(PLAIN) if "direct" in stage else World()
    STAGES[stage][0](w)
    return w


@pytest.mark.parametrize(
    ("stage", "said", "reason"),
    [
        ("placed", ["page > romeo retract cancel"], "cancelled"),
        ("proceeded", [TERMINATE + "cancel", FINISH + "success"], "cancelled"),
        ("talking-out", [TERMINATE + "success", FINISH + "success"], "ended"),
        ("direct-out", [TERMINATE + "cancel"], "cancelled"),
        ("talking-direct-out", [TERMINATE + "success"], "ended"),
        ("proposed", ["page > phone reject busy"], "declined"),
        ("accepted", ["page > phone reject busy"], "declined"),
        ("offered", [TERMINATE + "decline", FINISH + "success"], "declined"),
        ("talking-in", [TERMINATE + "success", FINISH + "success"], "ended"),
        ("direct-in", [TERMINATE + "decline"], "declined"),
        ("talking-direct-in", [TERMINATE + "success"], "ended"),
    ],
)
def test_hanging_up_says_the_right_thing_in_each_stage(stage, said, reason):
    """J-062, J-064, J-065, J-092; clients.md checklist 12."""
    w = reach(stage)
    assert w.does(ev.HungUp(STAGES[stage][1])) == [*said, f"page: ended {reason}", "no more timers"]
    assert w.quiet


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("placed", ["page > romeo retract cancel", "page: ended cancelled"]),
        ("proceeded", [TERMINATE + "cancel", FINISH + "success", "page: ended cancelled"]),
        ("talking-out", [TERMINATE + "gone", FINISH + "connectivity-error", "page: ended gone"]),
        ("direct-out", [TERMINATE + "cancel", "page: ended cancelled"]),
        ("accepted", ["page > phone reject gone", "page: ended gone"]),
        ("offered", [TERMINATE + "gone", FINISH + "connectivity-error", "page: ended gone"]),
        ("talking-in", [TERMINATE + "gone", FINISH + "connectivity-error", "page: ended gone"]),
        ("talking-direct-in", [TERMINATE + "gone", "page: ended gone"]),
    ],
)
def test_a_page_that_closes_ends_its_call(stage, said):
    """J-092: endpoint vanished."""
    w = reach(stage)
    assert w.leaves() == [*said, "no more timers"]
    assert w.quiet


@pytest.mark.parametrize("stage", ["proposed", "direct-in"])
def test_the_last_ringing_page_closes_and_the_caller_sees_nothing_of_it(stage):
    """J-252: it rings out as if nobody were looking; nobody is told of it again."""
    w = reach(stage)
    assert w.leaves() == [] and w.notes() == ["nobody-rings"]
    w.sends("session-info", sid="s1") if stage == "direct-in" else None
    lines = w.fires("ring")
    assert lines == ([TERMINATE + "timeout"] if stage == "direct-in" else []) + [MISSED, "no more timers"]
    assert w.quiet


def test_a_ringing_page_closes_and_the_others_go_on_ringing():
    w = World()
    w.page(TAB)
    proposed(w)
    assert w.leaves() == [] and w.notes() == []
    assert w.does(ev.Accepted("id1"), TAB) == ["tab > phone proceed", "timer initiate 10", "tab: accepted"]


@pytest.mark.parametrize("reason", sorted(END_REASONS))
def test_every_reason_goes_into_terminate_and_finish(reason):
    """Table M-9."""
    w = talking_out(World())
    jingle, jmi = TO_JINGLE[reason]
    assert w.ends(reason) == [TERMINATE + jingle, FINISH + jmi, f"page: ended {reason}", "no more timers"]


@pytest.mark.parametrize("reason", ["declined", "busy", "gone"])
def test_rejecting_a_propose_is_busy_only_if_a_person_did_it(reason):
    w = reach("proposed")
    said = "busy" if reason in ("declined", "busy") else reason
    assert w.ends(reason)[0] == f"page > phone reject {said}"


def test_reject_without_any_page_speaks_from_the_bare_address():
    w = reach("proposed")
    w.leaves()
    assert w.ends("gone") == ["juliet > phone reject gone", MISSED, "no more timers"]


@pytest.mark.parametrize("hung_up", ["failed-ice", "failed-media", "gone"])
def test_a_page_may_say_why_it_hangs_up(hung_up):
    w = reach("talking-out")
    assert w.does(ev.HungUp("c1", hung_up))[0] == TERMINATE + TO_JINGLE[hung_up][0]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Reason("success"), "ended"),
        (None, "ended"),
        (Reason("busy"), "busy"),
        (Reason("decline"), "declined"),
        (Reason("failed_transport"), "failed-ice"),
        (Reason("security-error", "no"), "insecure"),
        (Reason("alternative-session"), "ended"),
        (Reason("something-new"), "failed"),
    ],
)
def test_the_peer_hangs_up_for_any_reason(said, reason):
    """J-095, J-065: one finish from us."""
    w = talking_out(World())
    lines = w.sends("session-terminate", reason=said)
    assert lines == [FINISH + TO_JINGLE[reason][1], f"page: ended {reason}", "no more timers"]
    assert w.told(fx.TellEnded)[0].text == (said.text if said else "")
    assert w.quiet


def test_without_jmi_there_is_no_finish():
    w = reach("talking-direct-out")
    assert w.sends("session-terminate") == ["page: ended ended", "no more timers"]


def test_one_finish_per_call():
    """J-065: count."""
    w = talking_in(World())
    w.sends("session-terminate", PHONE, sid="s1")
    assert sum(" finish " in said for said in w.says) == 1


def test_an_ended_call_keeps_nothing_of_the_media():
    w = talking_out(World())
    state = w.state
    w.does(ev.HungUp("c1"))
    assert (state.own_sdp, state.peer_xml, state.own_waiting, state.inbox, state.descriptions) == ("", "", [], [], Descriptions())
    assert state.ended
