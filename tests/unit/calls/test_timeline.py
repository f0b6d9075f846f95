"""Each call's timeline: what it tells of real calls, how long it stays, and that nobody can make it grow."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest

from jinglebridge.calls import call, steps
from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls import record as recorded
from jinglebridge.calls import timeline as tl
from jinglebridge.calls.model import CallState
from jinglebridge.calls.record import Record, ladder, summary
from jinglebridge.calls.timeline import KEEP_FOR, Timeline
from jinglebridge.errors import ProtocolError
from jinglebridge.jingle import Candidate, Content, Finish, IceUdpTransport, Jingle, Proceed, Propose, Reason, Ringing, SessionInfo
from tests.unit.calls.test_candidates import PEER, info
from tests.unit.calls.world import JULIET, OFFER, OWN_CANDIDATES, PHONE, ROMEO, World, answer_of_peer, offer_of_peer

SECRETS = set(re.findall(r"a=(?:ice-ufrag:|ice-pwd:|fingerprint:sha-256 )(\S+)", OFFER)) | {OWN_CANDIDATES[0]["candidate"].split()[4]}


def said(record: Record, *, after: int = 0) -> list[str]:
    """The ladder as short lines."""
    arrows = {("page", "bridge"): "page:", ("bridge", "page"): "> page:", ("peer", "bridge"): "peer:", ("bridge", "peer"): "> peer:"}
    lines = [f"{arrows.get((s['from'], s['to']), '--')} {s['what']} {s['detail']}".rstrip() for s in ladder(record)]
    return lines[after:]


def unsafe(w: World) -> list[dict[str, Any]]:
    record = only(w)
    return ladder(record, w.registry.timeline.texts_of(record))


def only(w: World) -> Record:
    timeline = w.registry.timeline
    (record,) = [*timeline.ended(), *map(timeline.of, w.registry.calls.values())]
    return record


def up() -> World:
    """Juliet called Romeo by message and his phone answered."""
    w = World()
    w.does(ev.Placed("c1", ROMEO, OFFER))
    w.messages(Ringing("id1"))
    w.now += 2
    w.messages(Proceed("id1"))
    initiate = next(e.jingle for e in w.last if hasattr(e, "jingle"))
    w.sends(answer_of_peer(initiate))
    return w


def test_a_call_from_click_to_hang_up():
    w = up()
    w.does(ev.Gathered("c1", OWN_CANDIDATES[0] | {"candidate": "candidate:1 1 udp 1 203.0.113.9 9 typ relay"}))
    w.does(ev.Reported("c1", "connected", 100, 0, False))
    w.now += 10
    w.does(ev.Reported("c1", "connected", 5000, 4000, True))
    w.does(ev.Reported("c1", "connected", 9000, 8000, True))
    w.does(ev.HungUp("c1"))
    assert said(only(w)) == [
        "page: call offer 0 1",
        "-- call-started out",
        "> peer: presence",
        "> peer: propose audio video",
        "> page: state proceeding",
        "peer: ringing",
        "> page: state ringing",
        "peer: proceed",
        "> page: state accepted",
        "> peer: session-initiate 0 1",
        "peer: session-accept 0 1",
        "> page: description answer 0 1",
        "> page: state connecting",
        "page: candidate 0: relay",
        "> peer: transport-info 0: relay",
        "page: stats connected",
        "> page: state connected",
        "-- media-connected",
        "page: stats connected, media flows, by relay",
        "page: hangup ended",
        "> peer: session-terminate success",
        "> peer: finish success",
        "> page: ended ended",
        "-- call-ended ended, by page",
    ]
    told = summary(only(w), w.now + 100)
    assert told == {
        "call": "c1", "sid": "id1", "direction": "out", "own": f"{JULIET}/w-1", "peer": PHONE, "with": ROMEO, "state": "ended",
        "media": ["audio", "video"], "began": 1000.0, "seconds": 12.0, "ended": 1012.0, "reason": "ended", "by": "page",
        "mediaSeen": True, "relayCandidates": {"ours": True, "theirs": False}, "relayed": True, "leftOut": 0,
    }  # fmt: skip
    assert [step["at"] for step in ladder(only(w))][5:8] == [0.0, 0.0, 2.0]


def test_secrets_only_when_asked_for():
    w = up()
    w.does(ev.Gathered("c1", OWN_CANDIDATES[0]))
    assert len(SECRETS) >= 4
    plain, whole = json.dumps(ladder(only(w))), json.dumps(unsafe(w))
    assert all(s not in plain and s in whole for s in SECRETS)
    texts = {(s["from"], s["what"]): s["text"] for s in unsafe(w) if "text" in s}
    assert texts["page", "call"] == OFFER and texts["bridge", "session-initiate"].startswith("<jingle ")
    assert texts["bridge", "description"].startswith("v=0") and "session-accept" in texts["peer", "session-accept"]
    assert not any(s in json.dumps(summary(only(w), w.now)) for s in SECRETS)


def test_an_operator_may_have_no_texts_kept():
    w = World()
    w.registry.timeline = Timeline(texts=False)
    w.does(ev.Placed("c1", ROMEO, OFFER))
    assert not any("text" in step for step in unsafe(w)) and not w.registry.timeline.keeps_texts


def incoming(w: World) -> None:
    w.messages(Propose("p", ("audio",)), to=JULIET)


def test_a_call_that_comes_in_and_ends_in_each_way():
    for by, reason, end in (
        ("page", "declined", lambda w: w.does(ev.Rejected("id1"))),
        ("peer", "cancelled", lambda w: w.messages(Finish("p", Reason("cancel")), to=JULIET)),
        ("bridge", "no-answer", lambda w: w.registry.handle((JULIET, ROMEO, "p"), ev.TimerFired("ring"), w.now)),
        ("bridge", "gone", lambda w: w.registry.end((JULIET, ROMEO, "p"), w.now, "gone")),
    ):
        w = World()
        incoming(w)
        assert said(only(w))[0] == "peer: propose audio" and summary(only(w), w.now)["state"] == "incoming"
        end(w)
        assert (only(w).by, only(w).reason) == (by, reason)


def test_a_session_without_messages():
    w = World()
    w.sends(offer_of_peer("s"))
    assert said(only(w))[:2] == ["peer: session-initiate 0 1", "-- call-started in"]
    with pytest.raises(ProtocolError):
        w.sends(Jingle("session-info", "s", info=(SessionInfo("mute", name="none"),), contents=offer_of_peer("s").contents), sender="x@y/z")
    count = len(said(only(w)))
    with pytest.raises(ProtocolError):
        w.sends(Jingle("session-accept", "s"))
    assert said(only(w), after=count) == ["peer: session-accept", "> peer: error session-accept: unexpected-request out-of-order"]


def test_what_is_illegal_is_told_with_its_answer():
    w = up()
    count = len(said(only(w)))
    with pytest.raises(ProtocolError):
        w.does(ev.Accepted("c1"))
    w.messages(Ringing("id1"))
    assert said(only(w), after=count) == ["page: accept", "> page: error out-of-order", "peer: ringing", "-- ignored ringing"]
    assert only(w).ended == 0


def test_the_relay_of_the_peer():
    w = World()
    offer = OFFER.replace("a=mid:0", "a=candidate:1 1 udp 1 203.0.113.9 9 typ relay raddr 0.0.0.0 rport 0\r\na=mid:0", 1)
    w.sends(offer_of_peer("s", offer))
    w.sends(Jingle("session-info", "s"))
    assert summary(only(w), w.now)["relayCandidates"] == {"ours": False, "theirs": True}


@pytest.mark.parametrize(
    ("reports", "seen", "relayed"),
    [
        ([ev.Reported("c1", "connecting")], None, None),
        ([ev.Reported("c1", "connected", 500, 0)], False, None),
        ([ev.Reported("c1", "connected", 500, 0, False), ev.Reported("c1", "disconnected", 500, 1, True)], True, False),
        ([ev.Reported("c1", "connected", 500)], False, None),  # a page that does not tell RTP apart: DTLS has bytes, too
        ([ev.Reported("c1", "connected", 500), ev.Reported("c1", "connected", 900)], True, None),
        ([ev.Reported("c1", "connected", 9, 9), ev.Reported("c1", "connected", 9, 0)], True, None),
    ],
)
def test_was_media_seen(reports: list[ev.Reported], seen: bool | None, relayed: bool | None):
    w = up()
    for report in reports:
        w.does(report)
    assert (only(w).media, only(w).relayed) == (seen, relayed)


def test_a_call_brought_back_after_a_restart_has_a_new_record():
    w = up()
    w.registry.timeline = Timeline()
    w.does(ev.HungUp("c1"))
    assert said(only(w))[0] == "page: hangup ended" and only(w).reason == "ended"


def test_a_candidate_that_was_acked_is_no_step():
    w = up()
    w.does(ev.Gathered("c1", OWN_CANDIDATES[0]))
    count = len(said(only(w)))
    w.answers("transport-info")
    assert said(only(w), after=count) == []
    w.answers("transport-info", "bad-request")
    assert said(only(w), after=count)[0] == "peer: error transport-info: bad-request"


def test_a_timer_is_told_when_it_does_something():
    w = up()
    count = len(said(only(w)))
    w.fires("accept")
    assert said(only(w), after=count) == []
    w.presence(False)
    w.fires("gone")
    assert said(only(w), after=count)[:3] == ["peer: presence unavailable", "-- timer gone", "> peer: session-terminate gone"]
    assert (only(w).by, only(w).reason) == ("peer", "gone")


# --- how long, how much


def state(call: str) -> CallState:
    return CallState(call, f"sid-{call}", "out", f"{JULIET}/w-1", ROMEO, "", ["audio"], 0.0)


def test_it_stays_for_an_hour_after_the_end():
    w = up()
    w.now += 5000
    w.does(ev.HungUp("c1"))
    w.registry.sweep(w.now + 3599)
    assert len(w.registry.timeline.ended()) == 1
    w.registry.sweep(w.now + 3600)
    assert w.registry.timeline.ended() == []


def test_how_it_is_found():
    timeline = Timeline()
    live = [state("abc"), state("abd"), state("ab")]
    w = up()
    w.does(ev.HungUp("c1"))
    timeline._ended.extend(w.registry.timeline.ended())

    def found(id: str) -> list[str]:
        return [r.state.call for r in timeline.find(id, live)]

    assert found("abc") == ["abc"] and found("sid-abd") == ["abd"], "exactly"
    assert found("ab") == ["ab"], "exactly is better than at the beginning"
    assert found("a") == ["abc", "abd", "ab"] and found("sid-a") == ["abc", "abd", "ab"]
    assert found("c1") == found("id1") == found("id") == ["c1"] and found("z") == []


def test_a_long_call_keeps_its_beginning_and_its_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recorded, "MAX_STEPS", 40)
    monkeypatch.setattr(recorded, "FIRST_STEPS", 20)
    w = up()
    beginning = said(only(w))
    for i in range(80):
        w.now += 1
        w.does(ev.Gathered("c1", OWN_CANDIDATES[0] | {"candidate": OWN_CANDIDATES[0]["candidate"].replace("2122194687", f"{1000 + i}")}))
    w.does(ev.HungUp("c1"))
    lines = said(only(w))
    candidates = lines.count("page: candidate 0: host")
    assert candidates == lines.count("> peer: transport-info 0: host"), "one step that is shown as two"
    assert len(lines) - candidates <= 40 and lines[: len(beginning)] == beginning and lines[-1] == "-- call-ended ended, by page"
    assert only(w).left_out + candidates == 80
    times = [s["at"] for s in unsafe(w)]
    assert times == sorted(times) and times[-1] == 82.0
    for step in unsafe(w):
        assert ("text" in step) == (step["what"] in ("call", "description", "session-initiate", "session-accept", "candidate"))
        if step["what"] == "candidate":
            assert f"udp {1000 + round(step['at']) - 3} " in step["text"], "each its own, though others are gone"


def record_of(w: World) -> Record:
    """As it is, with what is laid by."""
    (state,) = w.registry.calls.values()
    return w.registry.timeline._of(state)


def test_only_candidates_are_laid_by():
    w = up()
    record = record_of(w)
    assert record.waiting == [], "what is large is told at once"
    w.sends(Jingle("session-info", w.state.sid))
    w.does(ev.Reported("c1", "new", 0, 0, False))
    assert record.waiting == [], "and so is what leads to nothing, however often it comes"
    for _ in range(3):
        w.does(ev.Gathered("c1", OWN_CANDIDATES[0]))
    assert len(record.waiting) == 3
    for _ in range(tl.MAX_WAITING):
        w.does(ev.Gathered("c1", OWN_CANDIDATES[0]))
    assert len(record.waiting) < tl.MAX_WAITING and len(record._log) > 2 * tl.MAX_WAITING
    w.does(ev.Reported("c1", "connected", 100, 0, False))
    assert record.waiting == []
    w.does(ev.Gathered("c1", OWN_CANDIDATES[0]))
    assert record.waiting == [], "a call that is up keeps nothing"


def test_a_candidate_that_is_passed_on_is_one_step_with_its_text_at_the_page():
    w = up()
    before, steps = len(only(w)._log), len(said(only(w)))
    w.does(ev.Gathered("c1", OWN_CANDIDATES[0]))
    w.registry.from_peer(ev.JingleReceived(Jingle("transport-info", w.state.sid, contents=info(PEER)), PHONE, w.state.own, ""), w.now)
    assert said(only(w), after=steps) == [
        "page: candidate 0: host", "> peer: transport-info 0: host", "peer: transport-info 0: host", "> page: candidate 0: host",
    ]  # fmt: skip
    assert len(only(w)._log) == before + 4
    texts = [step.get("text") for step in unsafe(w)[steps:]]
    assert texts[0] == OWN_CANDIDATES[0]["candidate"] and texts[1] is texts[2] is None and texts[3].startswith("candidate:")


def test_what_is_passed_on_by_another_name_is_two_steps():
    w = up()
    steps = len(said(only(w)))
    w.does(ev.Gathered("c1", {key: value for key, value in OWN_CANDIDATES[0].items() if key != "sdpMid"}))
    w.does(ev.Gathered("c1", {"candidate": "", "sdpMid": "0"}))
    assert said(only(w), after=steps)[:2] == ["page: candidate host", "> peer: transport-info 0: host"]
    assert "page: candidate 0: end of candidates" in said(only(w), after=steps)


ALONE = Jingle("transport-info", "s", contents=info(PEER))
TOLD = fx.TellCandidate(JULIET, "c1", "candidate:1", "0", 0, "u")
SENT = fx.SendJingle(JULIET, PHONE, ALONE)


@pytest.mark.parametrize(
    ("event", "effect", "passed"),
    [
        (ev.JingleReceived(ALONE, PHONE, JULIET, ""), TOLD, True),
        (ev.JingleReceived(ALONE, PHONE, JULIET, ""), replace(TOLD, mid="1"), False),
        (ev.JingleReceived(ALONE, PHONE, JULIET, "<jingle/>"), TOLD, False),
        (ev.JingleReceived(replace(ALONE, action="session-info"), PHONE, JULIET, ""), TOLD, False),
        (ev.JingleReceived(ALONE, PHONE, JULIET, ""), SENT, False),
        (ev.Gathered("c1", OWN_CANDIDATES[0]), SENT, True),
        (ev.Gathered("c1", OWN_CANDIDATES[0] | {"sdpMid": "1"}), SENT, False),
        (ev.Gathered("c1", None), SENT, False),
        (ev.Gathered("c1", OWN_CANDIDATES[0]), TOLD, False),
        (ev.Gathered("c1", OWN_CANDIDATES[0]), fx.SendJingle(JULIET, PHONE, Jingle("session-terminate", "s")), False),
        (ev.Accepted("c1"), TOLD, False),
    ],
)
def test_what_is_passed_on(event: ev.CallEvent, effect: fx.Effect, passed: bool):
    assert (steps.passed_on(event, effect) is not None) is passed


def test_a_candidate_that_breaks_something_is_in_the_record(monkeypatch: pytest.MonkeyPatch):
    w = up()
    steps = len(said(only(w)))
    with monkeypatch.context() as patched:
        patched.setattr(call, "handle", lambda *_: 1 / 0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                w.registry.from_endpoint(w.state.own, ev.Gathered("c1", OWN_CANDIDATES[0]), w.now)
    w.registry.from_endpoint(w.state.own, ev.Gathered("c1", OWN_CANDIDATES[0]), w.now)
    assert said(only(w), after=steps) == ["page: candidate 0: host"] * 4 + ["> peer: transport-info 0: host"]


def test_a_candidate_that_is_refused_comes_before_its_error():
    w = up()
    steps = len(said(only(w)))
    w.does(ev.Gathered("c1", OWN_CANDIDATES[0]))
    with pytest.raises(ProtocolError):
        w.does(ev.Gathered("c1", {"candidate": "candidate:x", "sdpMid": "0"}))
    assert said(only(w), after=steps)[2:] == ["page: candidate 0: of no known type", "> page: error bad-candidate"]


FOREIGN = ET.fromstring("<x xmlns='urn:test'/>")
ONE = Content("0", transport=IceUdpTransport("u", "p", candidates=(Candidate(1, "1", "192.0.2.1", 9, 1, "host"),)))


@pytest.mark.parametrize(
    ("jingle", "light"),
    [
        (Jingle("transport-info", "s", contents=(ONE,)), True),
        (Jingle("transport-info", "s", contents=(ONE, ONE)), False),
        (Jingle("transport-info", "s", contents=(ONE,), unknown=(FOREIGN,)), False),
        (Jingle("transport-info", "s", contents=(replace(ONE, unknown=(FOREIGN,)),)), False),
        (Jingle("transport-info", "s", contents=(replace(ONE, transport=None),)), False),
        (Jingle("transport-info", "s", contents=(replace(ONE, transport=IceUdpTransport("u", "p")),)), False),
        (Jingle("transport-info", "s", contents=(replace(ONE, transport=replace(ONE.transport, gathering_complete=True)),)), False),
        (Jingle("transport-info", "s", contents=(replace(ONE, transport=replace(ONE.transport, unknown=(FOREIGN,))),)), False),
        (Jingle("session-info", "s"), False),
        (
            Jingle(
                "transport-info",
                "s",
                contents=(replace(ONE, transport=IceUdpTransport(candidates=(replace(ONE.transport.candidates[0], unknown=(FOREIGN,)),))),),
            ),
            False,
        ),
    ],
)
def test_what_is_only_a_candidate(jingle: Jingle, light: bool):
    assert tl._light(ev.JingleReceived(jingle, PHONE, JULIET, "")) is light
    assert not tl._light(ev.JingleReceived(jingle, PHONE, JULIET, "<jingle>of some length</jingle>"))


def test_words_of_a_hostile_peer_are_bounded():
    record = Record(state("c"))
    for i in range(100_000):
        record.add(("peer", "bridge", "session-info", f"{i}" * 50), float(i))
    assert len(record._steps) < recorded.MAX_WORDS / recorded.STEP_COSTS + 2
    assert sum(len(s[3]) for s in record._steps) < recorded.MAX_WORDS + 2 * recorded.MAX_DETAIL
    assert ladder(record)[-1]["detail"] == "…" and ladder(record)[0]["detail"] == "0" * 50
    record.add(("peer", "bridge", "x", "long" * 100), -5.0)
    record.add(("peer", "bridge", "x", ""), 1e12)
    assert [s["at"] for s in ladder(record)[-2:]] == [0.0, recorded.LATEST / 1000], "a clock that jumps breaks nothing"


def test_long_words_are_cut():
    record = Record(state("c"))
    record.add(("peer", "bridge", "x", "y" * 1000), 0.0)
    assert ladder(record)[0]["detail"] == "y" * recorded.MAX_DETAIL + "…"


def test_the_newest_texts_stay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tl, "MAX_TEXTS", 60_000)
    w = World()
    for i in range(6):
        w.now += 100
        w.does(ev.Placed(f"c{i}", ROMEO, OFFER))
        w.does(ev.HungUp(f"c{i}"))
    timeline = w.registry.timeline
    assert [bool(timeline.texts_of(r)) for r in timeline.ended()] == [True] * 6 and timeline._size <= 60_000
    for i in range(6, 20):
        w.now += 100
        w.does(ev.Placed(f"c{i}", ROMEO, OFFER))
        w.does(ev.HungUp(f"c{i}"))
    kept = [bool(timeline.texts_of(r)) for r in timeline.ended()]
    assert kept == sorted(kept) and kept[-1] and not kept[0]
    assert timeline._size == sum(size for *_, size in timeline._texts) <= 60_000
    timeline.sweep(w.now + KEEP_FOR)
    assert timeline.ended() == [] and not timeline._texts and timeline._size == 0, "gone with the call"


def test_many_calls_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tl, "MAX_ENDED", 3)
    w = World()
    for i in range(5):
        w.now += 100
        w.does(ev.Placed(f"c{i}", ROMEO, OFFER))
        w.does(ev.HungUp(f"c{i}"))
    assert [r.state.call for r in w.registry.timeline.ended()] == ["c2", "c3", "c4"] and w.registry.timeline._live == {}
