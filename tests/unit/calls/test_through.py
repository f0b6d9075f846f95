"""`translate --stream --through calls`: the real negotiations of the corpus pass two engines and arrive as they do in --stream."""

from __future__ import annotations

import itertools

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import through
from jinglebridge.calls.through import ThroughCalls
from jinglebridge.errors import BadRequest, Refused
from jinglebridge.sdp import parse
from jinglebridge.translate.policy import NONE
from jinglebridge.translate.stream import StreamTranslator
from tests.unit.corpus import cases

NAMES = [case["name"] for case in cases() if case["name"].startswith("chromium-156__")]


class Stream:
    def __init__(self, translator):
        self.translator, self.count = translator, 0

    def say(self, dir, kind, call="c", **more):
        self.count += 1
        reply = self.translator.handle({"id": self.count, "call": call, "dir": dir, "kind": kind, "round": 1, **more})
        assert reply["id"] == self.count
        return reply


@pytest.fixture
def calls():
    return Stream(ThroughCalls(itertools.count().__next__))


def described(reply, kind):
    """The one description in a reply."""
    if "sdp" in reply:
        return reply["sdp"]
    assert "out" in reply, reply
    (found,) = (item["sdp"] for item in reply["out"] if item["kind"] == kind)
    return found


def body(text):
    """All but the number of the session and candidates, whose ids the engines count otherwise."""
    return sorted(line for line in text.splitlines() if not line.startswith("o="))


@pytest.mark.parametrize("name", sorted({*NAMES[::6], "chromium-156__chromium-156__simulcast"} & set(NAMES)))
def test_real_negotiations_arrive_as_through_the_translator_alone(name, calls):
    (case,) = (case for case in cases() if case["name"] == name)
    plain = Stream(StreamTranslator(NONE, extensions=True))
    for turn in case["rounds"]:
        a2b, b2a = ("a2b", "b2a") if turn["by"] == "offerer" else ("b2a", "a2b")
        for dir, kind in ((a2b, "offer"), (b2a, "answer")):
            ours, theirs = (described(stream.say(dir, kind, sdp=turn[kind]), kind) for stream in (calls, plain))
            assert body(ours) == body(theirs)
            for init in filter(None, turn[f"{kind}Candidates"]):
                replies = [stream.say(dir, "candidate", candidate=init) for stream in (calls, plain)]
                assert replies[0] == replies[1]
            assert calls.say(dir, "end") == plain.say(dir, "end")


def test_candidates_that_come_too_early_follow_the_description(calls):
    case = next(case for case in cases() if case["name"].endswith("__audio") and case["name"].startswith("chromium-156__chromium"))
    (turn,) = case["rounds"]
    calls.say("a2b", "offer", sdp=turn["offer"])
    init = next(filter(None, turn["answerCandidates"]))
    assert calls.say("b2a", "candidate", candidate=init)["candidate"] is None
    reply = calls.say("b2a", "answer", sdp=turn["answer"])
    assert [item["kind"] for item in reply["out"]] == ["answer", "candidate"]


def test_data_alone_goes_without_jmi_and_no_address_leaves_before_the_answer(calls):
    """A propose names media; DESIGN §5."""
    case = next(case for case in cases() if case["name"].endswith("chromium-156__chromium-156__data"))
    (turn,) = case["rounds"]
    offer = calls.say("a2b", "offer", sdp=turn["offer"])["sdp"]
    assert "m=application" in offer and "a=candidate" not in offer
    init = next(filter(None, turn["offerCandidates"]))
    assert calls.say("a2b", "candidate", candidate=init)["candidate"] is None
    reply = calls.say("b2a", "answer", sdp=turn["answer"])
    assert {(item["dir"], item["kind"]) for item in reply["out"]} == {("b2a", "answer"), ("a2b", "candidate")}


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"dir": "up"}, "dir is"),
        ({"dir": "b2a", "kind": "offer"}, "begins with"),
        ({"dir": "a2b", "kind": "answer"}, "begins with"),
        ({"dir": "a2b", "kind": "offer"}, "sdp is a string"),
        ({"dir": "a2b", "kind": "offer", "sdp": "no"}, "line 1"),
        ({"dir": "a2b", "kind": "offer", "sdp": "v=0", "id": [1]}, ""),
    ],
)
def test_what_is_wrong_is_said(message, why):
    reply = ThroughCalls(lambda: 0.0).handle({"id": 1, "call": "c", **message})
    assert why in reply["error"]


def test_what_is_wrong_in_a_call_is_said(calls):
    case = next(case for case in cases() if case["name"].endswith("chromium-156__audio"))
    (turn,) = case["rounds"]
    calls.say("a2b", "offer", sdp=turn["offer"])
    assert "kind is" in calls.say("a2b", "wish")["error"]
    assert "kind is" in calls.say("a2b", "candidate", candidate="x")["error"]
    assert "answer from the endpoint" in calls.say("a2b", "answer", sdp=turn["answer"])["error"]
    calls.say("b2a", "answer", sdp=turn["answer"])
    assert calls.say("a2b", "candidate", candidate={"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host ufrag old", "sdpMid": "0"}) == {
        "id": calls.count,
        "candidate": None,
    }


@pytest.mark.parametrize("effect", [fx.TellEnded("a@b/c", "c", "failed", "why"), fx.TellRollback("a@b/c", "c", "offer")])
def test_an_end_and_a_rollback_are_errors(effect):
    with pytest.raises(Refused):
        ThroughCalls._told(effect, "a2b")


def test_offers_that_cross_come_to_nothing(calls):
    case = next(case for case in cases() if case["name"].endswith("chromium-156__chromium-156__hold_resume"))
    first, second, *_ = case["rounds"]
    calls.say("a2b", "offer", sdp=first["offer"])
    calls.say("b2a", "answer", sdp=first["answer"])
    assert "error" not in calls.say("a2b", "offer", sdp=second["offer"])
    assert "nothing came of it" in calls.say("b2a", "offer", sdp=first["answer"])["error"]


def test_a_side_that_knows_the_call_no_more(calls):
    case = next(case for case in cases() if case["name"].endswith("chromium-156__chromium-156__audio"))
    (turn,) = case["rounds"]
    calls.say("a2b", "offer", sdp=turn["offer"])
    calls.say("b2a", "answer", sdp=turn["answer"])
    other = calls.translator._sides["b2a"]
    for jid in [jid for people in list(other.endpoints.values()) for jid in people]:
        other.offline(jid, 0.0)
    other.owing.clear()  # as if it had been told long ago
    init = next(filter(None, turn["offerCandidates"]))
    assert "the call ended: gone" in calls.say("a2b", "candidate", candidate=init)["error"]


def test_old_calls_are_forgotten(monkeypatch):
    monkeypatch.setattr(through, "MAX_CALLS", 3)
    stream = Stream(ThroughCalls(itertools.count().__next__))
    case = next(case for case in cases() if case["name"].endswith("chromium-156__audio"))
    offer = case["rounds"][0]["offer"]
    for number in range(5):
        assert parse(stream.say("a2b", "offer", call=f"c{number}", sdp=offer)["sdp"]).media
    assert "begins with" in stream.say("b2a", "offer", call="c0", sdp=offer)["error"]
    assert all(len(side.calls) == 3 for side in stream.translator._sides.values())


def test_a_stanza_that_the_check_refuses_is_the_error():
    def check(text):
        raise BadRequest(f"not valid: {text[:7]}")

    case = next(case for case in cases() if case["name"].endswith("chromium-156__audio"))
    reply = Stream(ThroughCalls(lambda: 0.0, check)).say("a2b", "offer", sdp=case["rounds"][0]["offer"])
    assert reply["error"] == "not valid: <jingle"
