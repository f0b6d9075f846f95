"""The quirks of Conversations 2.12 and of its newer line. Plain calls with it are in `test_peers`, timeouts in `test_peers_time`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .peers import media
from .peers.conversations import Conversations, NewConversations
from .peers.scenes import page_calls, page_rings, peer_calls, peer_rings
from .peers.story import Story

BOTH = pytest.mark.parametrize("kind", [Conversations, NewConversations], ids=["2.12", "2.13"])
LOW, HIGH = "+/+/+/+/+/+/+/+/+/+/+/", "zzzz/+zzzz/+zzzz/+zzzz"
Stage = Callable[..., Story[Any]]


# --- ringing


def test_2_12_rings_at_the_receipt_alone(stage: Stage) -> None:
    """It hears no `<ringing/>`; the receipt names the id of the message, which holds '/' and '+'."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    leg = al.proposes("audio", to=bob.full)
    assert "/" in leg.sid and "+" in leg.sid
    received = story.hears(al, "received", to=al.full, sender=bob.full)
    assert received.payload is not None and received.payload.get("id") == f"jm-propose-{leg.sid}"
    story.becomes(leg, "ringing there")
    bob.rings("audio")
    al.hangs_up()
    bob.ends("cancelled")
    story.closes()


def test_it_asks_for_the_media_in_any_order(stage: Stage) -> None:
    """Its propose is a set; the session-initiate has its own order."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    leg = al.proposes("video", "audio", to=bob.full)
    bob.rings("audio", "video")
    leg.media = ("audio", "video")
    bob.accepts()
    bob.answers()
    story.becomes(leg, "accepted")
    al.hangs_up()
    bob.ends("ended")
    story.closes()


@BOTH
def test_crossing_proposes_of_the_same_media_and_its_sid_is_lower(stage: Stage, kind: type[Any]) -> None:
    """It does not even answer ours; we take ours back and ring for its."""
    story = stage(kind)
    al, bob = story.peer, story.page
    al.pauses()
    bob.calls(al.jid, "audio")
    first = bob.call
    leg = al.proposes("audio", to=bob.full, sid=LOW)
    bob.rings("audio")
    bob.hears("ended", call=first, reason="moved")
    al.resumes()
    story.hears(al, "propose", sender=bob.full)
    assert story.hears(al, "retract", to=al.jid, reason="expired").sid != leg.sid
    bob.accepts()
    bob.answers()
    story.becomes(leg, "accepted")
    assert list(al.legs) == [LOW]
    al.hangs_up()
    bob.ends("ended")
    story.closes()


@BOTH
def test_crossing_proposes_of_the_same_media_and_ours_is_lower(stage: Stage, kind: type[Any]) -> None:
    """We reject its own with a tie-break; it retracts it and rings for ours."""
    story = stage(kind)
    al, bob = story.peer, story.page
    al.pauses()
    bob.calls(al.jid, "audio")
    its_own = al.proposes("audio", to=bob.full, sid=HIGH)
    al.resumes()
    ours = story.hears(al, "propose", sender=bob.full).sid
    reject = story.hears(al, "reject", to=al.full, sid=HIGH, reason="expired")
    assert reject.payload is not None and reject.payload.find("{urn:xmpp:jingle-message:0}tie-break") is not None
    assert its_own.ended == "lost the tie"
    al.answers()
    bob.gets_answer()
    bob.hears_no("incoming", "ended")
    story.becomes(al.legs[ours], "accepted")
    bob.hangs_up()
    story.becomes(al.legs[ours], "ended")
    story.closes()


@pytest.mark.parametrize("sid", [LOW, HIGH], ids=["its", "ours"])
def test_crossing_proposes_of_other_media(stage: Stage, sid: str) -> None:
    """It sees no tie then but is busy with its own call: it rejects ours, and its own must still be there to be taken."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    al.pauses()
    bob.calls(al.jid, "audio", "video")
    first = bob.call
    leg = al.proposes("audio", to=bob.full, sid=sid)
    al.resumes()
    story.hears(al, "propose", sender=bob.full)
    assert bob.hears("ended", call=first)["reason"] in ("moved", "declined")
    bob.rings("audio")
    bob.accepts()
    bob.answers()
    story.becomes(leg, "accepted")
    bob.hangs_up()
    story.becomes(leg, "ended")
    story.closes()


def test_its_retract_crosses_our_proceed(stage: Stage) -> None:
    """The proceed finds no proposal and comes back as item-not-found. The page's call is over once."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    peer_rings(story, "audio")
    al.pauses()
    bob.accepts()
    al.hangs_up()
    bob.ends("cancelled", "ended")
    al.resumes()
    story.hears(al, "proceed")
    bob.hears_no("ended")
    story.closes()


def test_a_proceed_with_a_device_is_one_without(stage: Stage) -> None:
    """In a chat with OMEMO it names its device. The fingerprint goes to it in plain all the same."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    leg = page_rings(story, "audio")
    al.answers(omemo=True)
    bob.gets_answer()
    story.becomes(leg, "accepted")
    bob.hangs_up()
    story.becomes(leg, "ended")
    story.closes()


@BOTH
def test_it_rejects_after_its_own_proceed(stage: Stage, kind: type[Any]) -> None:
    """The session-initiate that was on its way must not ring anew: it is terminated."""
    story = stage(kind)
    al, bob = story.peer, story.page
    page_rings(story, "audio")
    al.deaf = {"session-initiate"}
    al.answers()
    story.hears(al, "session-initiate")
    al.rejects()
    bob.ends("declined")
    story.hears(al, "session-terminate", sender=bob.full)
    story.judge.quiet_about += ["no <finish/>"]  # it has rejected the call: nothing to finish
    story.closes()


def test_two_devices_ring_and_one_answers(stage: Stage) -> None:
    story = stage(Conversations)
    al, bob = story.peer, story.page
    tablet = story.another_peer(Conversations, al.jid.partition("@")[0])
    bob.calls(al.jid, "audio")
    for device in (al, tablet):
        story.hears(device, "propose", sender=bob.full)
    tablet.answers()
    bob.gets_answer()
    story.becomes(tablet.leg, "accepted")
    story.becomes(al.leg, "ended")
    story.hears_no(al, "session-initiate", "transport-info")
    bob.hangs_up()
    story.becomes(tablet.leg, "ended")
    story.closes()


def test_two_pages_ring_and_one_answers(stage: Stage) -> None:
    """Everything after the proceed comes from the page that answered; the other hears that it is over."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    other = story.another_page(bob.jid.partition("@")[0])
    leg = al.proposes("audio", to=bob.full)
    bob.rings("audio")
    other.rings("audio")
    other.accepts()
    bob.ends("elsewhere")
    other.answers()
    story.becomes(leg, "accepted")
    assert leg.other == other.full
    other.hangs_up()
    story.hears(al, "session-terminate", sender=other.full)
    story.closes()


# --- without XEP-0353


class Plain(Conversations):
    """As if its messages were off: a session-initiate rings by itself."""

    features = tuple(f for f in Conversations.features if f != "urn:xmpp:jingle-message:0")


def test_a_session_that_nobody_proposed_rings(stage: Stage) -> None:
    story = stage(Plain)
    al, bob = story.peer, story.page
    bob.calls(al.jid, "audio", "video")
    bob.trickles()
    first = story.hears(al, "session-initiate", to=al.full, sender=bob.full)
    assert first.payload is not None and "candidate" not in "".join(e.tag for e in first.payload.iter())
    story.hears_no(al, "transport-info")
    al.answers_directly()
    bob.gets_answer()
    story.until(lambda: True if len(al.leg.heard) == 4 else None, "the candidates come now")
    al.hangs_up()
    bob.ends("ended")
    story.closes()


def test_it_rejects_a_session_that_nobody_proposed(stage: Stage) -> None:
    story = stage(Plain)
    al, bob = story.peer, story.page
    bob.calls(al.jid, "audio")
    story.hears(al, "session-initiate")
    al.terminates(al.leg, "decline")
    bob.ends("declined")
    story.closes()


def test_it_calls_without_a_propose(stage: Stage) -> None:
    """Its candidates wait until the page has accepted."""
    story = stage(Plain)
    al, bob = story.peer, story.page
    leg = al.rings_directly("audio", to=bob.full)
    bob.rings("audio")
    story.hears(al, "session-info", sender=bob.full)
    bob.hears_no("candidate", "description")
    bob.accepts()
    bob.answers()
    for _ in range(3):
        bob.hears("candidate")
    story.becomes(leg, "accepted")
    bob.hangs_up()
    story.hears(al, "session-terminate", reason="success")
    story.hears_no(al, "finish")
    story.closes()


# --- the session


def test_it_offers_more_than_it_proposed(stage: Stage) -> None:
    """The rule that it holds against others holds for it."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    leg = al.proposes("audio", to=bob.full)
    bob.rings("audio")
    leg.media = ("audio", "video")
    bob.accepts()
    story.hears(al, "session-terminate", reason="security-error")
    bob.ends("insecure")
    story.becomes(leg, "ended")
    story.closes()


THEIRS = {
    "success": "ended", "decline": "declined", "busy": "busy", "cancel": "cancelled", "timeout": "no-answer",
    "connectivity-error": "failed-ice", "failed-application": "failed-media", "unsupported-transports": "failed-ice",
    "security-error": "insecure", "gone": "gone", "general-error": "failed",
}  # fmt: skip
OURS = {  # hangup.reason -> (Jingle reason, what it makes of it)
    "ended": ("success", "ended"), "failed-ice": ("connectivity-error", "connectivity error"),
    "failed-media": ("failed-application", "app error"), "gone": ("gone", "connectivity error"),
}  # fmt: skip


def test_why_it_ended_reaches_the_page(stage: Stage) -> None:
    story = stage(NewConversations)
    for said, heard in THEIRS.items():
        peer_calls(story, "audio")
        story.peer.terminates(story.peer.leg, said)
        story.page.ends(heard)
    story.closes()


def test_why_the_page_ended_reaches_it(stage: Stage) -> None:
    story = stage(Conversations)
    for said, (heard, understood) in OURS.items():
        leg = peer_calls(story, "audio")
        story.page.hangs_up(reason=said)
        story.hears(story.peer, "session-terminate", reason=heard)
        story.becomes(leg, "ended")
        assert leg.ended == understood
    story.closes()


def test_it_dies_without_a_word(stage: Stage) -> None:
    """Any IQ error ends its call silently. The next thing the page does finds out."""
    story = stage(Conversations)
    page_calls(story, "audio")
    story.peer.forgets()
    story.page.asks("info", call=story.page.call, info="mute")
    story.page.ends("gone")
    story.hears_no(story.peer, "session-terminate")
    story.closes()


def test_mute_and_hold_are_acknowledged_and_ignored(stage: Stage) -> None:
    """Actions that it does not know do not hurt it."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    leg = page_calls(story, "audio")
    for info in ("mute", "unmute", "hold", "active"):
        bob.asks("info", call=bob.call, info=info)
        story.hears(al, "session-info", sender=bob.full)
    story.becomes(leg, "accepted")
    bob.hangs_up()
    story.becomes(leg, "ended")
    story.closes()


def test_candidates_before_the_answer(stage: Stage) -> None:
    """It trickles right after its session-initiate, before anybody acknowledged it: nothing is lost, the order stays."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    leg = peer_rings(story, "audio", "video")
    bob.accepts()
    story.until(lambda: True if "transport-info" in al._last else None, "its candidates are out")
    story.passes(0.2)
    bob.answers()
    came = [bob.hears("candidate")["candidate"] for _ in range(5)]
    wanted = media.talk(("audio", "video")).offer_candidates
    assert [c["candidate"].split()[4:6] for c in came[:4]] == [c["candidate"].split()[4:6] for c in wanted]
    story.becomes(leg, "accepted")
    al.hangs_up()
    bob.ends("ended")
    story.closes()
