"""What is owed after a loss, a restart or a long silence. DESIGN §4, §5; J-100."""

from __future__ import annotations

from typing import Any

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls import outliving, owed
from jinglebridge.calls.model import CallState
from jinglebridge.calls.states import Session, Signalling
from jinglebridge.errors import ProtocolError
from jinglebridge.jingle import Content, Jingle, Retract, Ringing, Senders
from tests.unit.calls.world import (
    ANSWER,
    OFFER,
    PAGE,
    PHONE,
    PLAIN,
    ROMEO,
    SUCCESS,
    TAB,
    WITH_JMI,
    World,
    accepted,
    answer_of_peer,
    direct_in,
    direct_out,
    line,
    offer_of_peer,
    offered,
    placed,
    proceeded,
    proposed,
    talking_direct_in,
    talking_direct_out,
    talking_in,
    talking_out,
)

CANDIDATE = {"candidate": "candidate:1 1 udp 2122194687 192.0.2.2 5000 typ host", "sdpMid": "0"}

TRICKLED = (
    "<content creator='initiator' name='0'><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='{}'><candidate "
    "component='1' foundation='1' generation='0' id='a' ip='192.0.2.9' network='0' port='9' priority='7' protocol='udp' type='host'/>"
    "</transport></content>"
)


def lines(effects: list[fx.Effect]) -> list[str]:
    return [said for effect in effects if (said := line(effect)) is not None]


def sends(effects: list[fx.Effect]) -> list[str]:
    return [said for said in lines(effects) if ">" in said and not said.endswith("presence")]


def reconnected(w: World) -> list[str]:
    w.last = w.registry.reconnected(w.now)
    return sends(w.last)


def acknowledge(w: World, *kinds: str) -> None:
    """The peer answers all of these actions of ours."""
    for state in [*w.registry.calls.values(), *w.registry.owing.values()]:
        key = next(k for k, s in {**w.registry.calls, **w.registry.owing}.items() if s is state)
        for number, kind, *_ in list(state.unacked):
            if not kinds or kind in kinds:
                w.registry.settled(key, number)


def restart(w: World, gone: tuple[str, ...] = ()) -> World:
    """Another process takes up what the journal of `w` holds."""
    kept = [CallState.from_json(s.to_json()) for s in (*w.registry.calls.values(), *w.registry.owing.values())]
    after = World(WITH_JMI)
    after.now = w.now + 2.0
    after.last = after.registry.restore(kept, lambda jid: jid not in gone, after.now)
    after.says = lines(after.last)
    return after


def timers(effects: list[fx.Effect]) -> dict[str, float]:
    return {e.name: e.seconds for e in effects if isinstance(e, fx.StartTimer)}


# --- the connection is back


def test_a_call_without_debts_is_only_asked_about():
    w = talking_out(World(WITH_JMI))
    acknowledge(w)
    assert reconnected(w) == ["page > phone session-info"] and timers(w.last) == {"alive": 12.0}


def test_nothing_is_owed_for_a_ringing_call():
    w = World(WITH_JMI)
    placed(w)
    assert reconnected(w) == []


def test_descriptions_and_candidates_without_acknowledgement_come_again():
    w = talking_in(World(WITH_JMI))
    acknowledge(w)
    w.does(ev.Gathered("id1", CANDIDATE))
    w.does(ev.Informed("id1", "mute"))
    assert reconnected(w) == ["page > phone transport-info", "page > phone session-info"], "a mute is worth nothing late"
    first = w.last
    assert reconnected(w) == sends(first), "until the peer has acknowledged it"
    acknowledge(w)
    assert reconnected(w) == ["page > phone session-info"]


def test_an_answer_without_acknowledgement_comes_again_unless_media_flows():
    w = talking_in(World(WITH_JMI))
    accept = w.sent("session-accept")[0]
    acknowledge(w, "transport-info")
    assert reconnected(w) == ["page > phone session-accept", "page > phone session-info"]
    assert w.sent("session-accept") == [accept], "word by word"
    w.does(ev.Reported("id1", "connected", 10))
    assert reconnected(w) == ["page > phone session-info"]


def test_an_offer_is_sent_again_only_where_it_is_unknown():
    w = World(WITH_JMI)
    first = proceeded(w)
    w.does(ev.Gathered("c1", CANDIDATE))
    assert reconnected(w) == ["page > phone session-info"]
    said = w.answers("session-info", "item-not-found", "unknown-session")
    assert said == ["page > phone session-initiate", "page > phone transport-info"] and w.sent("session-initiate") == [first]
    assert w.answers("session-initiate", "item-not-found", "unknown-session")[-2:] == ["page: ended gone", "no more timers"]


@pytest.mark.parametrize("sign", ["answer", "stanza"])
def test_an_offer_that_arrived_is_not_sent_again(sign: str):
    w = World(WITH_JMI)
    offer = proceeded(w)
    w.does(ev.Gathered("c1", CANDIDATE))
    reconnected(w)
    said = w.answers("session-info") if sign == "answer" else w.sends(answer_of_peer(offer))
    assert "page > phone transport-info" in said and "page > phone session-initiate" not in said
    acknowledge(w)
    assert reconnected(w) == ["page > phone session-info"]


def test_a_session_that_is_over_there_is_over_here():
    w = talking_out(World(WITH_JMI))
    reconnected(w)
    acknowledge(w)
    w.answers("session-info", "item-not-found", "unknown-session")
    assert w.quiet and "page: ended gone" in w.says


@pytest.mark.parametrize(
    ("make", "end", "owes"),
    [
        (talking_out, lambda w: w.does(ev.HungUp("c1")), ["page > phone session-terminate success", "page > phone finish success"]),
        (talking_direct_out, lambda w: w.does(ev.HungUp("c1")), ["page > phone session-terminate success"]),
        (placed, lambda w: w.does(ev.HungUp("c1")), ["page > romeo retract cancel"]),
        (proposed, lambda w: w.does(ev.Rejected("id1")), ["page > phone reject busy"]),
        (talking_out, lambda w: w.sends("session-terminate", reason=SUCCESS), ["page > phone finish success"]),
        (direct_in, lambda w: w.sends("session-terminate", sid="s1", reason=SUCCESS), []),
    ],
)
def test_the_end_of_a_call_is_owed_until_it_is_known(make: Any, end: Any, owes: list[str]):
    w = World(WITH_JMI if make is not talking_direct_out else PLAIN)
    make(w)
    end(w)
    assert w.quiet and reconnected(w) == owes and w.registry.reconnected(w.now) == w.last
    acknowledge(w)
    assert reconnected(w) == [] and w.registry.owing == {}


def test_a_peer_that_comes_back_later_hears_it_then():
    w = talking_direct_out(World(PLAIN))
    key = w.key
    w.does(ev.HungUp("c1"))
    assert w.presence(True) == [], "the answer may be on its way"
    w.registry.undelivered(key)
    w.registry.undelivered(("a", "b", "c"))
    assert w.presence(True) == ["page > phone session-terminate success"] and w.presence(True, f"{ROMEO}/other") == []


def test_debts_expire():
    w = talking_out(World(WITH_JMI))
    w.does(ev.HungUp("c1"))
    w.registry.take_changed()
    w.registry.sweep(w.now + 3599)
    assert len(w.registry.owing) == 1
    w.registry.sweep(w.now + 3601)
    (state,) = w.registry.take_changed().values()
    assert w.registry.owing == {} and state.unacked == [], "so that the row goes"


def test_debts_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outliving, "MAX_OWING", 0)
    w = talking_out(World(WITH_JMI))
    state = w.state
    w.does(ev.HungUp("c1"))
    assert w.registry.owing == {} and state.unacked == []


def test_what_a_silent_peer_does_not_acknowledge_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owed, "MAX_UNACKED", 3)
    w = talking_in(World(WITH_JMI))
    for _ in range(5):
        w.does(ev.Gathered("id1", CANDIDATE))
    assert len(w.state.unacked) == 3


def test_settling_what_is_not_there():
    w = talking_out(World(WITH_JMI))
    key, before = w.key, w.state.to_json()
    for number in (0, 999):
        w.registry.settled(key, number)
    w.registry.settled(("a", "b", "c"), 1)
    assert w.state.to_json() == before


def test_a_peer_that_was_away_when_we_came_back_gets_what_is_owed():
    w = talking_in(World(WITH_JMI))
    acknowledge(w)
    w.does(ev.Gathered("id1", CANDIDATE))
    assert w.presence(True) == [], "nothing was lost"
    w.registry.undelivered(w.key)
    assert w.presence(True) == ["page > phone transport-info", "page > phone session-info"]
    assert w.presence(True) == []


# --- silence


def watched() -> World:
    w = talking_out(World(WITH_JMI))
    w.answers("session-initiate")
    assert w.state.deadlines["alive"] == w.now + 60
    return w


def test_a_quiet_session_is_asked_about_every_minute():
    w = watched()
    w.now += 50
    w.answers("transport-info")
    w.now += 10
    assert w.fires("alive") == [] and timers(w.last) == {"alive": 50.0}
    w.now += 50
    assert w.fires("alive") == ["page > phone session-info"] and timers(w.last) == {"alive": 12.0}
    assert w.answers("session-info") == [] and timers(w.last) == {"alive": 60.0}


def silent(w: World, received: int = 5) -> None:
    if received:
        w.does(ev.Reported("c1", "connected", received))
    w.now += 61
    assert w.fires("alive") == ["page > phone session-info"]


def test_no_answer_and_no_media_is_the_end():
    w = watched()
    silent(w)
    assert w.answers("session-info", "timeout") == []
    w.now += 11
    w.does(ev.Reported("c1", "connected", 5))
    w.now += 1
    assert w.fires("alive") == [
        "page > phone session-terminate gone",
        "page > phone finish connectivity-error",
        "page: ended gone",
        "no more timers",
    ]


@pytest.mark.parametrize("condition", ["service-unavailable", "item-not-found", "timeout"])
def test_silence_proves_nothing_while_media_flows(condition: str):
    w = watched()
    silent(w)
    w.answers("session-info", condition)
    for received in (10, 20):
        w.now += 6
        w.does(ev.Reported("c1", "connected", received))
        w.now += 6
        assert w.fires("alive") == ["page > phone session-info"], "but it is asked again soon"
    w.now += 12
    w.does(ev.Reported("c1", "connected", 20))
    assert "page: ended gone" in w.fires("alive")


@pytest.mark.parametrize("condition", ["feature-not-implemented", "bad-request"])
def test_an_error_is_an_answer(condition: str):
    w = watched()
    silent(w)
    assert w.answers("session-info", condition) == [] and w.state.probed == 0.0


def test_a_page_that_is_away_may_yet_say_that_media_flows():
    w = watched()
    silent(w)
    for _ in range(12):
        w.now += 12
        assert w.fires("alive") == ["page > phone session-info"]
    w.now += 12
    assert "page: ended gone" in w.fires("alive"), "but not for ever"


def test_where_nobody_measures_media_silence_is_no_end():
    w = watched()
    silent(w, received=0)
    w.now += 12
    assert w.fires("alive") == [] and timers(w.last) == {"alive": 60.0}


def test_while_we_are_offline_nobody_is_judged():
    w = watched()
    silent(w)
    assert w.answers("session-info", "offline") == [] and timers(w.last) == {"alive": 60.0} and w.state.probed == 0.0
    assert w.answers("session-info", "offline") == []


def test_a_late_ping_of_a_call_that_is_not_up():
    w = World(WITH_JMI)
    placed(w)
    assert w.fires("alive") == []


# --- another process


def test_active_calls_go_on():
    before = talking_out(World(WITH_JMI))
    w = restart(before)
    assert w.says[0] == "page > phone presence" and w.notes() == ["call-restored"]
    assert timers(w.last) == {"ring": 58.0, "accept": 10.0, "connect": 43.0, "alive": 58.0}
    assert [w.fires(name) for name in ("ring", "accept")] == [[], []]
    assert reconnected(w)[-1] == "page > phone session-info"
    assert w.does(ev.HungUp("c1"))[:2] == ["page > phone session-terminate success", "page > phone finish success"]


def test_a_call_of_ours_that_nobody_took_ends():
    before = World(WITH_JMI)
    placed(before)
    before.messages(Ringing("id1"))
    w = restart(before)
    assert w.says == ["page > romeo retract cancel", "page: ended failed", "no more timers"] and w.quiet
    assert reconnected(w) == ["page > romeo retract cancel"], "it did not leave before"


def test_what_rings_here_rings_on():
    before = World(WITH_JMI)
    before.page(TAB)
    proposed(before)
    w = restart(before, gone=(TAB,))
    assert w.says == ["page > phone presence", "tab > phone presence", "timer ring 58"] and w.state.ringing_at == [PAGE]
    assert "page > phone proceed" in w.does(ev.Accepted("id1"))


def test_a_call_whose_page_is_gone_ends():
    w = restart(talking_out(World(WITH_JMI)), gone=(PAGE,))
    assert w.quiet and "page > phone session-terminate gone" in w.says
    assert "page > phone session-terminate gone" in reconnected(w)
    w = World(WITH_JMI)
    placed(w)
    assert restart(w, gone=(PAGE,)).quiet


def test_an_offer_that_may_have_been_lost_with_the_process():
    before = World(WITH_JMI)
    accepted(before)
    w = restart(before)
    assert timers(w.last) == {"ring": 58.0, "initiate": 4.0}
    said = w.fires("initiate")
    assert (
        said[:2] == ["page > phone session-terminate gone", "page > phone finish connectivity-error"] and "page: ended unreachable" in said
    )


def test_an_answer_that_may_have_been_lost_with_the_process():
    before = World(WITH_JMI)
    proceeded(before)
    assert timers(restart(before).last)["accept"] == 10.0
    before = World(PLAIN)
    direct_out(before)
    assert timers(restart(before).last) == {"ring": 58.0}, "it rings at the peer, who has the time that was left"


def test_who_had_gone_before_is_judged_anew():
    before = talking_out(World(WITH_JMI))
    before.presence(False)
    w = restart(before)
    assert "gone" not in timers(w.last) and not w.state.peer_offline


def test_an_end_that_was_not_told_is_told():
    before = talking_out(World(WITH_JMI))
    before.does(ev.HungUp("c1"))
    w = restart(before)
    assert w.says == ["page: ended ended"] and reconnected(w) == ["page > phone session-terminate success", "page > phone finish success"]
    assert w.registry.from_peer_message(ev.JmiReceived(Retract("id1"), PHONE, PAGE), w.now) == []
    assert restart(before, gone=(PAGE,)).says == []


def test_requests_that_a_page_repeats_after_a_restart_change_nothing():
    before = World(WITH_JMI)
    accepted(before)
    with pytest.raises(ProtocolError):
        before.does(ev.Accepted("id1"))
    w = restart(before)
    assert w.does(ev.Accepted("id1")) == []
    w.sends(offer_of_peer("s1"))
    w.does(ev.Described("id1", "answer", ANSWER))
    assert w.does(ev.Described("id1", "answer", ANSWER)) == []
    with pytest.raises(ProtocolError):
        w.does(ev.Described("id1", "answer", OFFER))
    with pytest.raises(ProtocolError):
        w.does(ev.Accepted("id1"), jid=TAB)


# --- what the page may not have got


def test_the_offer_is_kept_until_the_page_has_answered_it_and_candidates_until_media_flows():
    w = World(WITH_JMI)
    offered(w)
    w.sends(Jingle("transport-info", "s1", contents=offer_of_peer("s1").contents[:1]), sid="s1")
    kind, text = w.state.told
    assert kind == "offer" and text.startswith("v=0")
    w.does(ev.Described("id1", "answer", ANSWER))
    assert w.state.told == []
    w.does(ev.Reported("id1", "connected", 5))
    assert w.state.told_candidates == []


def test_the_answer_is_kept_until_media_flows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owed, "MAX_TOLD", 2)
    w = talking_out(World(WITH_JMI))
    assert w.state.told[0] == "answer"
    ufrag = w.state.side.peer.contents[0].transport.ufrag
    text = f"<jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='id1'>{TRICKLED.format(ufrag)}</jingle>"
    for _ in range(4):
        w.sends_xml(text)
    assert len(w.state.told_candidates) == 2
    w.does(ev.Reported("c1", "connecting", 0))
    assert w.state.told[0] == "answer" and len(w.state.told_candidates) == 2
    w.does(ev.Reported("c1", "connected", 5))
    assert w.state.told == w.state.told_candidates == []
    w.sends_xml(text)
    assert w.told(fx.TellCandidate) and w.state.told_candidates == []


def test_a_new_offer_holds_the_candidates_that_were_told_before_it():
    w = talking_in(World(WITH_JMI))
    ufrag = w.state.side.peer.contents[0].transport.ufrag
    w.sends_xml(f"<jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='s1'>{TRICKLED.format(ufrag)}</jingle>")
    ((candidate, *_),) = w.state.told_candidates
    w.sends("content-modify", sid="s1", contents=(Content("0", senders=Senders.INITIATOR),))
    assert w.state.told[0] == "offer" and candidate in w.state.told[1] and w.state.told_candidates == []


# --- leaks


def test_zombies_end():
    w = talking_out(World(WITH_JMI))
    w.state.deadlines.clear()
    assert w.registry.zombies(w.state.created + 60) == [] and not w.quiet
    assert "page: ended gone" in lines(w.registry.zombies(w.state.created + 61)) and w.quiet


def test_a_call_that_still_has_a_timer_is_no_zombie():
    w = talking_out(World(WITH_JMI))
    assert w.registry.zombies(w.now + 100) == []
    assert Session.ACTIVE is w.state.session and w.state.signalling is Signalling.STABLE


@pytest.mark.parametrize("make", [talking_out, talking_in, talking_direct_in])
def test_after_calls_every_table_is_empty(make: Any):
    w = World(WITH_JMI)
    for number in range(20):
        make(w)
        call = w.state.call
        if number % 2:
            w.does(ev.HungUp(call))
        else:
            w.sends("session-terminate", sid=w.state.sid, reason=SUCCESS)
        acknowledge(w)
        w.registry.take_changed()
        w.now += 61
        w.registry.sweep(w.now)
        w.count = 0
    w.leaves()
    w.registry.sweep(w.now + 61)
    assert w.entries() == {} and w.registry.owing == {} and w.registry.take_changed() == {}
