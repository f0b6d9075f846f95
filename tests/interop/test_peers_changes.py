"""Changes of a call that is up, with every client that cannot run here: ICE restarts, video that comes later, hold.

What the page sends was recorded between two Chromiums; `by_callee` in the name of a scenario: the one who was called makes the change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .peers import media
from .peers.base import Leg
from .peers.conversations import Conversations
from .peers.monal import Monal
from .peers.movim import Movim
from .peers.page import Refused
from .peers.scenes import as_recorded, page_calls, peer_calls
from .peers.story import Story

Stage = Callable[..., Story[Any]]
CALLER = pytest.mark.parametrize("caller", ["peer", "page"])


def in_call(story: Story[Any], caller: str, change: str, by: str, *what: str) -> tuple[Leg, media.Round]:
    """A call that `caller` began; the round of the recorded scenario in which `by` makes the change."""
    case = change if caller == by else f"{change}_by_callee"
    as_recorded(story, case)
    leg = (peer_calls if caller == "peer" else page_calls)(story, *what)
    return leg, media.recorded(case, 1)


def over(story: Story[Any], leg: Leg) -> None:
    """After the change the call is as alive as before, and ends as calls end."""
    assert leg.state == "accepted", leg.ended
    story.page.hears_no("ended")
    story.page.hangs_up()
    story.becomes(leg, "ended")
    story.page.ends("ended")
    story.closes()


def ufrags(sdp: str) -> list[str]:
    return [line.partition(":")[2] for line in sdp.splitlines() if line.startswith("a=ice-ufrag:")]


def ports(sdp: str) -> list[str]:
    """``audio 9`` for each section."""
    return [" ".join(line[2:].split()[:2]) for line in sdp.splitlines() if line.startswith("m=")]


def rejected(sdp: str) -> list[str]:
    return [kind for kind, port in map(str.split, ports(sdp)) if port == "0"]


# --- Conversations: ICE restart in its dialect


def fresh_candidate(mid: str) -> dict[str, Any]:
    text = "candidate:1 1 udp 2122194687 192.0.2.2 50001 typ host generation 0 ufrag Fre5"
    return {"candidate": text, "sdpMid": mid, "sdpMLineIndex": int(mid), "usernameFragment": "Fre5"}


@CALLER
@pytest.mark.parametrize("what", [("audio",), ("audio", "video")], ids=["audio", "video"])
def test_conversations_restarts_ice(stage: Stage, caller: str, what: tuple[str, ...]) -> None:
    """New credentials without a candidate are its offer; the answer is known by its candidate."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    leg = (peer_calls if caller == "peer" else page_calls)(story, *what)
    fresh = al.restarts_ice()
    assert ufrags(bob.is_offered()) == [fresh["ufrag"]] * len(what)
    bob.agrees(media.restarted(bob.local, "Fre5", "f" * 24))
    before = len(leg.heard)
    bob.asks("candidate", call=bob.call, candidate=fresh_candidate("0"))
    story.until(lambda: None if al.restarting else True, "its restart was answered")
    assert leg.known() == {c.get("name"): ("Fre5", "f" * 24) for c in leg.theirs}
    story.until(lambda: True if len(leg.heard) > before else None, "a candidate of the new generation came")
    bob.hears_no("description")
    over(story, leg)


@CALLER
@pytest.mark.parametrize("what", [("audio",), ("audio", "video")], ids=["audio", "video"])
def test_the_page_restarts_ice_with_conversations(stage: Stage, caller: str, what: tuple[str, ...]) -> None:
    """It gets new credentials before any candidate of them; its own come with its candidates, and only in the first content."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    leg = (peer_calls if caller == "peer" else page_calls)(story, *what)
    old = media.credentials(leg.own)
    al.inbox.clear()
    answer = bob.reoffers(media.restarted(bob.local, "Fre5", "f" * 24), within=5)
    first = story.hears(al, "transport-info")
    assert "candidate" not in {e.tag.rpartition("}")[2] for content in first.contents for e in content.iter()}
    assert leg.known() == {c.get("name"): ("Fre5", "f" * 24) for c in leg.theirs}
    now = media.credentials(leg.own)
    assert set(now.values()) != set(old.values()) and ufrags(answer) == [now["0"][0]] * len(what)
    assert bob.hears("candidate", call=bob.call)["candidate"]["usernameFragment"] == now["0"][0]
    over(story, leg)


@CALLER
def test_both_restart_ice_at_once(stage: Stage, caller: str) -> None:
    """The initiator of the session wins: its offer stands, the other's is taken back (by us, with a tie-break, if we are it)."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    leg = (peer_calls if caller == "peer" else page_calls)(story, "audio")
    al.pauses()
    offer = media.restarted(bob.local, "Fre5", "f" * 24).replace("a=setup:active", "a=setup:actpass")
    bob.asks("description", call=bob.call, description={"type": "offer", "sdp": offer})
    story.judge.quiet_about.append("tie-break")
    fresh = al.restarts_ice()
    story.settle_page()
    al.resumes()
    if caller == "peer":
        assert ufrags(bob.is_offered()) == [fresh["ufrag"]]
        bob.agrees(media.restarted(bob.local, "Fre5", "f" * 24))
        bob.asks("candidate", call=bob.call, candidate=fresh_candidate("0"))
    else:
        answer = bob.hears("description", call=bob.call)["description"]
        assert answer["type"] == "answer" and ufrags(answer["sdp"]) == [media.credentials(leg.own)["0"][0]]
    story.until(lambda: True if leg.known() == {"0": ("Fre5", "f" * 24)} and not al.restarting else None, "both have both")
    bob.hears_no("description")
    over(story, leg)


# --- Conversations: video that comes later


@CALLER
def test_the_page_adds_video_with_conversations(stage: Stage, caller: str) -> None:
    story = stage(Conversations)
    leg, turn = in_call(story, caller, "add_video", "page", "audio")
    answer = story.page.reoffers(turn.offer)
    added = story.hears(story.peer, "content-add", sender=story.page.full)
    assert [c.get("name") for c in added.contents] == ["1"]
    assert ports(answer)[1].startswith("video ") and rejected(answer) == []
    assert len(set(ufrags(answer))) == 1, "one transport carries both"
    assert leg.media == ("audio", "video")
    over(story, leg)


@CALLER
def test_conversations_does_not_want_the_video(stage: Stage, caller: str) -> None:
    story = stage(Conversations)
    story.peer.takes_video = False
    leg, turn = in_call(story, caller, "add_video", "page", "audio")
    assert rejected(story.page.reoffers(turn.offer)) == ["video"]
    assert leg.media == ("audio",)
    over(story, leg)


@CALLER
def test_conversations_adds_video(stage: Stage, caller: str) -> None:
    """Its content-add has an empty transport; ours back may not end its call."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    leg, turn = in_call(story, caller, "add_video", "peer", "audio")
    al.adds_video()
    offer = bob.is_offered()
    assert [p.split()[0] for p in ports(offer)] == ["audio", "video"] and rejected(offer) == []
    assert set(ufrags(offer)) == {media.credentials(leg.own)["0"][0]}
    bob.agrees(turn.answer)
    story.hears(al, "content-accept", sender=bob.full)
    assert leg.media == ("audio", "video")
    over(story, leg)


@CALLER
def test_the_page_does_not_want_the_video_of_conversations(stage: Stage, caller: str) -> None:
    story = stage(Conversations)
    al, bob = story.peer, story.page
    leg, turn = in_call(story, caller, "add_video", "peer", "audio")
    al.adds_video()
    bob.is_offered()
    bob.agrees(turn.answer.replace("m=video 9 ", "m=video 0 "))
    story.hears(al, "content-reject", sender=bob.full)
    assert leg.media == ("audio",)
    over(story, leg)


def held(sdp: str) -> str:
    version = sdp.split("\r\n", 2)[1].split()
    version[2] = str(int(version[2]) + 1)
    return sdp.replace(sdp.split("\r\n", 2)[1], " ".join(version)).replace("a=sendrecv", "a=inactive")


@pytest.mark.parametrize("kind", [Conversations, Monal, Movim])
@CALLER
def test_the_page_holds_and_gets_an_answer(stage: Stage, caller: str, kind: type[Any]) -> None:
    """By content-modify, which Conversations ignores, Monal never answers and Movim answers with a session-accept."""
    story = stage(kind)
    leg = (peer_calls if caller == "peer" else page_calls)(story, "audio")
    try:
        story.page.reoffers(held(story.page.local), within=20)
    except Refused as refused:
        assert refused.args == ("not-negotiable", "direction") and kind is Monal
    if kind is Movim:
        story.hears(story.peer, "content-modify")  # and has answered it
    over(story, leg)


@pytest.mark.parametrize("kind", [Conversations, Movim])
def test_the_page_stops_its_video(stage: Stage, kind: type[Any]) -> None:
    """A content-remove would end the call of Conversations."""
    story = stage(kind)
    leg = page_calls(story, "audio", "video")
    stopped = held(story.page.local).replace("a=inactive", "a=sendrecv").replace("m=video 9 ", "m=video 0 ")
    try:
        story.page.reoffers(stopped)
    except Refused as refused:
        assert refused.args == ("not-negotiable", "remove")
    if kind is Movim:
        story.hears(story.peer, "content-modify")
    over(story, leg)


# --- Monal never answers


@CALLER
@pytest.mark.parametrize("change", ["add_video", "ice_restart"])
def test_what_monal_cannot_change(stage: Stage, caller: str, change: str) -> None:
    """The page gets an end to its wait, by an answer that rejects the section or by an error; Monal's call goes on."""
    story = stage(Monal)
    what = ("audio",) if change == "add_video" else ("audio", "video")
    leg, turn = in_call(story, caller, change, "page", *what)
    try:
        answer = story.page.reoffers(turn.offer, within=20)
    except Refused as refused:
        assert refused.args == ("not-negotiable", {"add_video": "add", "ice_restart": "ice-restart"}[change])
    else:
        assert change == "add_video" and rejected(answer) == ["video"]
    assert len(leg.theirs) == len(what)
    over(story, leg)


# --- Movim answers with a session-accept


@CALLER
def test_the_page_adds_video_with_movim(stage: Stage, caller: str) -> None:
    story = stage(Movim)
    leg, turn = in_call(story, caller, "add_video", "page", "audio")
    answer = story.page.reoffers(turn.offer)
    assert rejected(answer) == [] and [p.split()[0] for p in ports(answer)] == ["audio", "video"]
    over(story, leg)


@CALLER
def test_movim_shares_its_screen(stage: Stage, caller: str) -> None:
    """A content-add whose category is slides."""
    story = stage(Movim)
    al, bob = story.peer, story.page
    as_recorded(story, "add_screen")
    leg = (peer_calls if caller == "peer" else page_calls)(story, "audio", "video")
    al.shares_screen("2")
    offer = bob.is_offered()
    assert [p.split()[0] for p in ports(offer)] == ["audio", "video", "video"] and "a=content:slides" in offer
    bob.agrees(media.recorded("add_screen", 1).answer if caller == "peer" else answer_with_own(bob.local))
    story.hears(al, "content-accept")
    over(story, leg)


def answer_with_own(sdp: str) -> str:
    """A third section like the second, on the page's own transport, as an answer to an offer of the peer."""
    second = "m=video" + sdp.partition("m=video")[2]
    lines = [line for line in (second.replace("a=mid:1", "a=mid:2")).splitlines() if not line.startswith(("a=ssrc", "a=msid"))]
    text = sdp.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0 1 2") + "\r\n".join(lines) + "\r\n"
    return text.replace("a=setup:actpass", "a=setup:passive")


@CALLER
def test_movim_turns_its_camera_off_by_whole_descriptions(stage: Stage, caller: str) -> None:
    """A content-modify that carries descriptions is an offer of all contents."""
    story = stage(Movim)
    al, bob = story.peer, story.page
    leg = (peer_calls if caller == "peer" else page_calls)(story, "audio", "video")
    ours = "responder" if caller == "peer" else "initiator"
    video = next(c.get("name", "") for c in leg.own if media.media_of([c]) == ["video"])
    al.modifies(**{"_" + video: ours})
    offer = bob.is_offered()
    section = next(part for part in offer.split("m=")[1:] if part.startswith("video"))
    assert "a=recvonly" in section
    answer = bob.local.replace("a=setup:actpass", "a=setup:passive")
    head, middle, tail = answer.partition("m=video")
    bob.agrees(head + middle + tail.replace("a=sendrecv", "a=sendonly", 1))
    over(story, leg)
