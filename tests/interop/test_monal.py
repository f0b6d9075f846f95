"""The quirks of Monal. Plain calls with it are in `test_peers`, timeouts in `test_peers_time`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .peers.monal import Monal
from .peers.scenes import page_calls, page_rings, peer_calls, peer_rings
from .peers.story import Story
from .peers.words import el, jmi, message
from .rtc import chromium
from .servers import unique_user
from .users import until

LOW, HIGH = "00000000-0000-4000-8000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffffff"
Stage = Callable[..., Story[Any]]


def test_it_waits_for_ringing(stage: Stage) -> None:
    """Without `<ringing/>` it would give up; it comes although the person does nothing."""
    story = stage(Monal)
    al, bob = story.peer, story.page
    leg = al.proposes("audio", to=bob.full)
    story.becomes(leg, "ringing there")
    story.passes(al.discovery)
    al.hangs_up()
    bob.rings("audio")
    bob.ends("cancelled")
    story.closes()


def test_its_late_acknowledgements_delay_nothing(stage: Stage) -> None:
    """Results come only after it set the description; our candidates do not wait for them."""
    story = stage(Monal)
    al, bob = story.peer, story.page
    al.slow = 1.0
    leg = peer_rings(story, "audio", "video")
    bob.accepts()
    bob.answers()
    sent = bob.trickles(answer=True)
    story.until(lambda: True if len(leg.heard) == sent else None, "the candidates came")
    assert "result" not in [h.what for h in al.inbox if h.what == "session-accept"]
    bob.hangs_up()
    bob.ends("ended")
    story.closes()


def test_its_errors_for_candidates_are_no_end(stage: Stage) -> None:
    """It says not-authorized or bad-request to what it merely cannot use; its own call goes on, and so does ours."""
    story = stage(Monal)
    al, bob = story.peer, story.page
    leg = page_rings(story, "audio")
    al.grumpy = True
    al.answers()
    bob.gets_answer()
    story.becomes(leg, "accepted")
    bob.trickles()
    for _ in range(2):
        story.hears(al, "transport-info")
    bob.hears_no("ended")
    bob.hangs_up()
    story.becomes(leg, "ended")
    story.closes()


def test_nothing_of_the_page_waits_for_its_answer(stage: Stage) -> None:
    """It never answers a session-info: mute and hold are told, and the call goes on."""
    story = stage(Monal)
    al, bob = story.peer, story.page
    leg = page_calls(story, "audio")
    for info in ("mute", "unmute", "hold", "active"):
        bob.asks("info", call=bob.call, info=info)
        story.hears(al, "session-info", sender=bob.full)
    bob.hangs_up()
    story.becomes(leg, "ended")
    story.closes()


def test_candidates_without_addresses_for_it_never_leave(stage: Stage) -> None:
    """TCP, .local and the end of candidates would be a bad-request."""
    story = stage(Monal)
    al, bob = story.peer, story.page
    leg = page_calls(story, "audio")
    tcp = "candidate:1 1 tcp 1518280447 192.0.2.2 9 typ host tcptype active generation 0"
    for text in (tcp, "candidate:1 1 udp 2113937151 1b2c3d4e-0000-4000-8000-000000000000.local 50000 typ host", ""):
        bob.asks("candidate", call=bob.call, candidate={"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0})
    bob.asks("candidate", call=bob.call, candidate=None)
    came = len(leg.heard)
    story.hears_no(al, "session-terminate")
    assert len(leg.heard) == came
    bob.hangs_up()
    story.becomes(leg, "ended")
    story.closes()


def test_a_finish_alone_ends_the_call(stage: Stage) -> None:
    """`application-error` is no Jingle reason. The terminate that should come with it may be lost."""
    story = stage(Monal)
    al, bob = story.peer, story.page
    peer_calls(story, "audio")
    al.finishes("application-error")
    bob.ends("failed")
    story.closes()


def test_terminate_and_finish_together_end_it_once(stage: Stage) -> None:
    story = stage(Monal)
    al, bob = story.peer, story.page
    leg = peer_calls(story, "audio")
    al.hangs_up(reason="connectivity-error")
    bob.ends("failed-ice")
    story.hears(al, "finish", sid=leg.sid)
    story.hears_no(al, "session-terminate", "finish")
    bob.hears_no("ended")
    story.closes()


def test_crossing_proposes_and_its_id_is_lower(stage: Stage) -> None:
    """It rejects ours with a tie-break; we have taken it back already."""
    story = stage(Monal)
    al, bob = story.peer, story.page
    al.pauses()
    bob.calls(al.jid, "audio")
    first = bob.call
    leg = al.proposes("audio", to=bob.full, sid=LOW)
    bob.rings("audio")
    bob.hears("ended", call=first, reason="moved")
    al.resumes()
    story.hears(al, "retract", reason="expired")
    bob.accepts()
    bob.answers()
    story.becomes(leg, "accepted")
    al.hangs_up()
    bob.ends("ended")
    story.closes()


def test_its_tie_break_comes_first(stage: Stage) -> None:
    """Its reject with a tie-break can come before its own propose was seen: our call moves, and its rings."""
    story = stage(Monal)
    al, bob = story.peer, story.page
    al.silent_proposes = True
    leg = al.proposes("audio", to=bob.full, sid=LOW)
    bob.calls(al.jid, "audio")
    bob.ends("moved")
    story.hears(al, "propose")
    al.says_propose(leg)
    bob.rings("audio")
    bob.accepts()
    bob.answers()
    story.becomes(leg, "accepted")
    al.hangs_up()
    bob.ends("ended")
    story.closes()


def test_crossing_proposes_and_ours_is_lower(stage: Stage) -> None:
    story = stage(Monal)
    al, bob = story.peer, story.page
    al.pauses()
    bob.calls(al.jid, "audio")
    its_own = al.proposes("audio", to=bob.full, sid=HIGH)
    al.resumes()
    ours = story.hears(al, "propose", sender=bob.full).sid
    story.hears(al, "reject", to=al.full, sid=HIGH, reason="expired")
    story.becomes(its_own, "ended")
    al.answers()
    bob.gets_answer()
    story.becomes(al.legs[ours], "accepted")
    bob.hangs_up()
    story.becomes(al.legs[ours], "ended")
    story.closes()


def test_a_second_propose_moves_its_call(stage: Stage) -> None:
    """Another page of the same person calls while it talks: finish with expired and migrated for the old one, and it answers at once."""
    story = stage(Monal)
    al, bob = story.peer, story.page
    old = page_calls(story, "audio")
    other = story.another_page(bob.jid.partition("@")[0])
    other.calls(al.jid, "audio")
    new = story.hears(al, "propose", sender=other.full)
    assert old.ended == "migrated"
    bob.ends("moved")
    other.gets_answer()
    story.becomes(al.legs[new.sid], "accepted")
    other.hangs_up()
    story.becomes(al.legs[new.sid], "ended")
    story.closes()


@pytest.mark.parametrize("made_by", [page_calls, peer_calls])
def test_a_page_that_is_loaded_anew_goes_on_without_ringing(stage: Stage, made_by: Callable[..., Any]) -> None:
    """It says that it is gone, comes back to its address, and its person presses "call again": the call moves as above."""
    story = stage(Monal)
    al, bob = story.peer, story.page
    old = made_by(story, "audio")
    first, full = bob.call, bob.full
    bob.asks("hangup", call=first, reason="gone")
    story.reloads(bob)
    assert bob.full == full
    bob.asks("hangup", call=first, reason="gone")
    bob.calls(al.jid, "audio")
    new = story.hears(al, "propose", sender=full)
    assert old.ended == "migrated"
    bob.hears("ended", call=first, reason="moved")
    bob.gets_answer()
    story.becomes(al.legs[new.sid], "accepted")
    assert [h.what for h in al.inbox if h.what == "session-terminate"] == []
    bob.hangs_up()
    story.becomes(al.legs[new.sid], "ended")
    story.closes()


@pytest.mark.long
def test_the_call_page_is_reloaded(stage: Stage) -> None:
    """The same with the real page in Chromium: one press on "Call again"."""
    story = stage(Monal)
    al, user = story.peer, unique_user("carl")
    browsing = chromium("about:blank")
    browser = story.run(browsing.__aenter__())
    try:
        tab = story.run(browser.page(story.bridge.link(user, al.jid)))

        def presses(name: str) -> None:
            story.run(tab._page.get_by_role("button", name=name, exact=True).click(timeout=15000))

        def connecting(sid: str) -> None:
            story.becomes(al.legs[sid], "accepted")
            story.run(until("the call", lambda: tab.run("window.jinglebridge?.call?.state"), lambda state: state == "connecting"))

        presses(f"Call {al.jid.partition('@')[0]}")
        first = story.hears(al, "propose", within=10)
        al.answers()
        connecting(first.sid)
        story.run(tab._page.reload())
        presses("Call again")
        second = story.hears(al, "propose", within=10)
        assert al.legs[first.sid].ended == "migrated" and second.sender == first.sender
        connecting(second.sid)
        presses("Hang up")
        story.becomes(al.legs[second.sid], "ended")
    finally:
        story.run(browsing.__aexit__(None, None, None))
    story.closes()


@pytest.mark.long
def test_a_page_that_goes_for_good_is_told_soon(stage: Stage) -> None:
    story = stage(Monal)
    al, bob = story.peer, story.page
    leg = page_calls(story, "audio")
    bob.asks("hangup", call=bob.call, reason="gone")
    story.hears_no(al, "session-terminate")
    story.hears(al, "session-terminate", sid=leg.sid, reason="gone")
    bob.ends("gone")
    story.closes()


def test_a_second_session_initiate_is_a_conflict(stage: Stage) -> None:
    """We send none; its own repeated one is out of order for us. The call goes on at both."""
    story = stage(Monal)
    peer_calls(story, "audio")
    assert story.again("session-initiate") == ("unexpected-request", "out-of-order")
    story.peer.hangs_up()
    story.page.ends("ended")
    story.closes()


def test_an_old_propose_is_a_missed_call(stage: Stage) -> None:
    """From an archive or the offline store, with its delay stamp; it does the same with ours."""
    story = stage(Monal)
    al, bob = story.peer, story.page
    rtp = el("urn:xmpp:jingle:apps:rtp:1", "description", {"media": "audio"})
    delay = el("urn:xmpp:delay", "delay", {"stamp": "2024-01-01T00:00:00Z"})
    al.sends(message(bob.jid, jmi("propose", HIGH, rtp), delay))
    assert bob.hears("missed")["from"] == al.jid
    bob.hears_no("incoming")
    story.hears_no(al, "ringing", "reject")
    story.closes()
