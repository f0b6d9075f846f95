"""What a step says, and what it never says: addresses, ufrags, passwords, fingerprints. J-248"""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls import steps
from jinglebridge.calls.model import Abilities
from jinglebridge.errors import BadRequest, EndpointError, OutOfOrder
from jinglebridge.jingle import (
    Candidate,
    Content,
    Finish,
    IceUdpTransport,
    Jingle,
    Proceed,
    Propose,
    Reason,
    Reject,
    Retract,
    Ringing,
    Senders,
    SessionInfo,
)
from tests.unit.calls.world import OFFER, OWN_CANDIDATES, PAGE, PHONE, offer_of_peer

IN, OUT = ("peer", "bridge"), ("bridge", "peer")
FROM_PAGE, TO_PAGE, OWN = ("page", "bridge"), ("bridge", "page"), ("bridge", "bridge")
LINE = OWN_CANDIDATES[0]["candidate"]
RELAY = Candidate(1, "1", "203.0.113.9", 4000, 1, "relay")


def received(jingle: Jingle) -> ev.JingleReceived:
    return ev.JingleReceived(jingle, PHONE, PAGE, "<jingle/>")


def info(*contents: Content, **more: object) -> Jingle:
    return Jingle(str(more.pop("action", "transport-info")), "s", contents=contents, **more)  # type: ignore[arg-type]


def content(name: str, *candidates: Candidate, complete: bool = False) -> Content:
    return Content(name, transport=IceUdpTransport("u", "secret-pwd", candidates=candidates, gathering_complete=complete))


def host(port: int) -> Candidate:
    return Candidate(1, "1", "192.0.2.7", port, 1, "host")


EVENTS = [
    (ev.Placed("c", "r@x", OFFER), (*FROM_PAGE, "call", "offer 0 1")),
    (ev.Placed("c", "r@x", "v=0\r\na=mid:\r\na=mid:  \r\n"), (*FROM_PAGE, "call", "offer")),
    (ev.Accepted("c"), (*FROM_PAGE, "accept", "")),
    (ev.Rejected("c", True), (*FROM_PAGE, "reject", "busy")),
    (ev.Rejected("c"), (*FROM_PAGE, "reject", "")),
    (ev.Described("c", "answer", f"v=0\r\na=mid:a\r\na={LINE}\r\na={LINE}\r\n"), (*FROM_PAGE, "description", "answer a: host 2")),
    (ev.Gathered("c", OWN_CANDIDATES[0]), (*FROM_PAGE, "candidate", "0: host")),
    (ev.Gathered("c", {"candidate": LINE}), (*FROM_PAGE, "candidate", "host")),
    (ev.Gathered("c", {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ strange", "sdpMid": "0"}),
     (*FROM_PAGE, "candidate", "0: of no known type")),
    (ev.Gathered("c", None), (*FROM_PAGE, "candidate", "end of candidates")),
    (ev.HungUp("c", "failed-ice"), (*FROM_PAGE, "hangup", "failed-ice")),
    (ev.Informed("c", "mute", "0"), (*FROM_PAGE, "info", "mute 0")),
    (ev.Informed("c", "hold"), (*FROM_PAGE, "info", "hold")),
    (ev.Reported("c", "connected", 9, 9, True), (*FROM_PAGE, "stats", "connected, media flows, by relay")),
    (ev.Reported("c", "connecting"), (*FROM_PAGE, "stats", "connecting")),
    (ev.EndpointGone(PAGE), (*FROM_PAGE, "gone", "")),
    (ev.JmiReceived(Propose("s", ("audio", "video")), PHONE, PAGE), (*IN, "propose", "audio video")),
    (ev.JmiReceived(Reject("s", Reason("busy"), tie_break=True), PHONE, PAGE), (*IN, "reject", "busy, tie-break")),
    (ev.JmiReceived(Finish("s", Reason(None), migrated_to="n"), PHONE, PAGE), (*IN, "finish", "migrated")),
    (ev.JmiReceived(Ringing("s"), PHONE, PAGE), (*IN, "ringing", "")),
    (received(info(content("0", host(1)))), (*IN, "transport-info", "0: host")),
    (received(info(content("0", host(1), RELAY, complete=True), content("1", host(2)))),
     (*IN, "transport-info", "0 1: host 2, relay 1, end of candidates")),
    (received(info(content("0", host(1), complete=True))), (*IN, "transport-info", "0: host, end of candidates")),
    (received(info(Content("0"))), (*IN, "transport-info", "0")),
    (received(info(Content("v", senders=Senders.NONE), action="content-modify")), (*IN, "content-modify", "v: none")),
    (received(info(action="session-terminate", reason=Reason("security-error", rtp_error="crypto-required"))),
     (*IN, "session-terminate", "security-error, crypto-required")),
    (received(info(action="session-terminate", reason=Reason("x" * 99))), (*IN, "session-terminate", "x" * 32)),
    (received(info(action="session-info", info=(SessionInfo("mute", name="0"), SessionInfo("ringing")))),
     (*IN, "session-info", "mute 0, ringing")),
    (ev.Answered("session-initiate"), (*IN, "result", "session-initiate")),
    (ev.Answered("transport-info", "item-not-found", "unknown-session"), (*IN, "error", "transport-info: item-not-found unknown-session")),
    (ev.Answered("session-info", "bad-request"), (*IN, "error", "session-info: bad-request")),
    (ev.Bounced("gone"), (*IN, "error", "message: gone")),
    (ev.PeerPresence(False), (*IN, "presence", "unavailable")),
    (ev.PeerPresence(True), (*IN, "presence", "available")),
    (ev.TimerFired("ring"), (*OWN, "timer", "ring")),
]  # fmt: skip


@pytest.mark.parametrize(("event", "step"), EVENTS, ids=lambda x: x[2] if isinstance(x, tuple) else "")
def test_what_comes_in(event: ev.CallEvent, step: steps.Step):
    said = steps.of_event(event)
    assert said is not None and said[0] == step


def test_a_reply_to_a_candidate_is_no_news():
    assert steps.of_event(ev.Answered("transport-info")) is None


EFFECTS = [
    (fx.SendJmi(PAGE, PHONE, Proceed("s")), (*OUT, "proceed", "")),
    (fx.SendReceipt(PAGE, PHONE, "m"), (*OUT, "received", "")),
    (fx.SendJingle(PAGE, PHONE, info(content("0", host(1)))), (*OUT, "transport-info", "0: host")),
    (fx.ShowPresence(PAGE, PHONE), (*OUT, "presence", "")),
    (fx.TellIncoming(PAGE, "c", "r", "", ("audio",), Abilities()), (*TO_PAGE, "incoming", "audio")),
    (fx.TellState(PAGE, "c", "ringing", Abilities()), (*TO_PAGE, "state", "ringing")),
    (fx.TellDescription(PAGE, "c", "offer", OFFER), (*TO_PAGE, "description", "offer 0 1")),
    (fx.TellRollback(PAGE, "c", "add"), (*TO_PAGE, "rollback", "add")),
    (fx.TellCandidate(PAGE, "c", LINE, "0", 0, "u"), (*TO_PAGE, "candidate", "0: host")),
    (fx.TellCandidate(PAGE, "c", "", "0", 0, "u"), (*TO_PAGE, "candidate", "0: end of candidates")),
    (fx.TellInfo(PAGE, "c", "mute", "0"), (*TO_PAGE, "info", "mute 0")),
    (fx.TellInfo(PAGE, "c", "hold", None), (*TO_PAGE, "info", "hold")),
    (fx.TellEnded(PAGE, "c", "ended"), (*TO_PAGE, "ended", "ended")),
    (fx.TellPeerMissed("j@x", "r@x", ("audio",), 0.0), (*OUT, "message", "missed call")),
    (fx.TellMissed("j@x", "r@x", "", ("audio",), 0.0), (*TO_PAGE, "missed", "")),
    (fx.Note("peer-error", "c", "s", "x"), (*OWN, "peer-error", "x")),
]  # fmt: skip


@pytest.mark.parametrize(("effect", "step"), EFFECTS, ids=lambda x: x[2] if isinstance(x, tuple) else "")
def test_what_goes_out(effect: fx.Effect, step: steps.Step):
    said = steps.of_effect(effect)
    assert said is not None and said[0] == step


def test_everything_that_can_happen_has_a_step():
    """A new event or effect needs a line in the tables: an operator must see it."""
    events, effects = set(get_args(ev.CallEvent)) | {ev.Placed}, set(get_args(fx.Effect))
    assert set(steps._EVENTS) == events == {type(e) for e, _ in EVENTS}
    assert set(steps._EFFECTS) == effects - {fx.StartTimer, fx.StopTimers, fx.Recorded} == {type(e) for e, _ in EFFECTS}


def test_timers_are_nobodys_business():
    assert steps.of_effect(fx.StartTimer(("a", "b", "s"), "ring", 1.0)) is None and steps.of_effect(fx.StopTimers(("a", "b", "s"))) is None


@pytest.mark.parametrize(
    ("event", "error", "step"),
    [
        (received(info()), OutOfOrder("no"), (*OUT, "error", "transport-info: unexpected-request out-of-order")),
        (received(info()), BadRequest("no"), (*OUT, "error", "transport-info: bad-request")),
        (ev.JmiReceived(Proceed("s"), PHONE, PAGE), OutOfOrder("no"), (*OWN, "ignored", "proceed")),
        (ev.Accepted("c"), OutOfOrder("no"), (*TO_PAGE, "error", "out-of-order")),
        (ev.Accepted("c"), EndpointError("forbidden", "192.0.2.1"), (*TO_PAGE, "error", "forbidden")),
        (ev.Accepted("c"), EndpointError("not-negotiable", "no", what="add"), (*TO_PAGE, "error", "not-negotiable: add")),
    ],
)
def test_refusals(event: ev.CallEvent, error: OutOfOrder, step: steps.Step):
    assert steps.of_refusal(event, error) == step


@pytest.mark.parametrize(
    ("event", "who"),
    [
        (ev.HungUp("c"), "page"),
        (ev.Rejected("c"), "page"),
        (ev.EndpointGone(PAGE), "page"),
        (ev.Described("c", "answer", ""), "bridge"),
        (received(info(action="session-terminate")), "peer"),
        (received(info(action="session-accept")), "bridge"),
        (ev.JmiReceived(Reject("s"), PHONE, PAGE), "peer"),
        (ev.JmiReceived(Retract("s"), PHONE, PAGE), "peer"),
        (ev.JmiReceived(Finish("s"), PHONE, PAGE), "peer"),
        (ev.JmiReceived(Proceed("s"), PHONE, PAGE), "bridge"),
        (ev.Answered("session-initiate", "timeout"), "peer"),
        (ev.Bounced("gone"), "peer"),
        (ev.TimerFired("gone"), "peer"),
        (ev.TimerFired("ring"), "bridge"),
    ],
)
def test_who_ends_it(event: ev.CallEvent, who: str):
    assert steps.ends(event) == who


@pytest.mark.parametrize(
    ("said", "has"), [("0: relay", True), ("offer 0 1: host 2, relay 1", True), ("relay", False), ("relay: host", False)]
)
def test_relay_candidates(said: str, has: bool):
    assert steps.has_relay(said) is has


def test_the_text_is_beside_the_step_and_not_in_it():
    """Everything with SDP, candidates or stanzas in it."""
    offer = offer_of_peer("s")
    secrets = set(re.findall(r"a=(?:ice-ufrag|ice-pwd|fingerprint):(\S+)", OFFER)) | {LINE.split()[4], "192.0.2", "secret-pwd"}
    assert len(secrets) >= 4
    things = [e for e, _ in EVENTS] + [received(offer)]
    effects = [e for e, _ in EFFECTS] + [fx.SendJingle(PAGE, PHONE, offer)]
    all_said = [said for said in (*map(steps.of_event, things), *map(steps.of_effect, effects)) if said is not None]
    for step, text in all_said:
        assert not any(secret in json.dumps(step) for secret in secrets), step
        described = step[2] in ("call", "description", "session-initiate") or "host" in step[3]
        ours = step[:3] == (*OUT, "transport-info")  # its text is the page's frame before
        assert (text is not None) or not described or ours, step
