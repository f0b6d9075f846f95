"""What the real Dino cannot be made to do in a test: its refusals, and its spelling of failures. See `peers.dino`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .peers import media
from .peers.base import Leg
from .peers.dino import Dino
from .peers.page import Refused
from .peers.scenes import as_recorded
from .peers.story import Story
from .test_peers_changes import held, ports, rejected

Stage = Callable[..., Story[Any]]


def dino_calls(story: Story[Any], *what: str) -> Leg:
    """It offers everything at once, and never says finish or rings aloud."""
    al, bob = story.peer, story.page
    leg: Leg = al.proposes(*what, to=bob.full)
    bob.rings(*what)
    bob.accepts()
    bob.answers()
    media.same_media(bob.remote, leg.own)
    story.becomes(leg, "accepted")
    return leg


def page_calls_dino(story: Story[Any], *what: str) -> Leg:
    al, bob = story.peer, story.page
    story.judge.quiet_about.append("no BUNDLE group")  # it has none, and hears of none
    bob.calls(al.jid, *what)
    story.hears(al, "propose")
    al.answers()
    bob.gets_answer()
    leg: Leg = al.leg
    media.same_media(bob.remote, leg.own)
    bob.trickles()
    return leg


def over(story: Story[Any], leg: Leg) -> None:
    assert leg.state == "accepted", leg.ended
    story.page.hears_no("ended")
    story.page.hangs_up()
    story.becomes(leg, "ended")
    story.closes()


@pytest.mark.parametrize(("said", "heard"), [("failed_application", "failed-media"), ("failed_transport", "failed-ice"), ("gone", "gone")])
def test_its_reasons_have_underscores(stage: Stage, said: str, heard: str) -> None:
    story = stage(Dino)
    dino_calls(story, "audio")
    story.peer.terminates(said)
    story.page.ends(heard)
    story.closes()


def test_its_candidates_are_all_in_its_descriptions(stage: Stage) -> None:
    story = stage(Dino)
    leg = dino_calls(story, "audio", "video")
    offered = media.talk(leg.media).offer_candidates
    told = story.page.remote.count("a=candidate:") + len([f for f in story.page.inbox if f["type"] == "candidate"])
    assert told == len(offered) + 1
    over(story, leg)


def test_it_cannot_restart_ice(stage: Stage) -> None:
    """The page is told so, and Dino hears nothing of it."""
    story = stage(Dino)
    leg = page_calls_dino(story, "audio", "video")
    with pytest.raises(Refused) as refused:
        story.page.reoffers(media.restarted(story.page.local, "Fre5", "f" * 24))
    assert refused.value.args == ("not-negotiable", "ice-restart")
    over(story, leg)


@pytest.mark.parametrize("change", ["hold", "stop the video"])
def test_it_refuses_content_remove_and_none(stage: Stage, change: str) -> None:
    """So a hold, and the end of our video, are a content-modify that leaves it the right to send."""
    story = stage(Dino)
    leg = page_calls_dino(story, "audio", "video")
    sdp = held(story.page.local)
    if change != "hold":
        sdp = sdp.replace("a=inactive", "a=sendrecv").replace("m=video 9 ", "m=video 0 ")
    story.page.reoffers(sdp)
    story.hears(story.peer, "content-modify")
    story.hears_no(story.peer, "content-remove")
    over(story, leg)


def test_it_takes_one_new_content_at_a_time(stage: Stage) -> None:
    story = stage(Dino)
    as_recorded(story, "add_video")
    leg = page_calls_dino(story, "audio")
    answer = story.page.reoffers(media.recorded("add_video", 1).offer)
    assert rejected(answer) == [] and len(ports(answer)) == 2
    over(story, leg)


def test_it_adds_video_in_the_name_of_the_initiator(stage: Stage) -> None:
    """As responder too. Its content is found by its name alone. J-214."""
    story = stage(Dino)
    al, bob = story.peer, story.page
    as_recorded(story, "add_video_by_callee")
    leg = page_calls_dino(story, "audio")
    al.adds_video("1")
    assert [p.split()[0] for p in ports(bob.is_offered())] == ["audio", "video"]
    bob.agrees(media.recorded("add_video_by_callee", 1).answer)
    story.hears(al, "content-accept", sender=bob.full)
    over(story, leg)


def test_a_content_reject_is_not_implemented_there(stage: Stage) -> None:
    """Its error for our content-reject changes nothing."""
    story = stage(Dino)
    al, bob = story.peer, story.page
    as_recorded(story, "add_video_by_callee")
    leg = page_calls_dino(story, "audio")
    al.adds_video("1")
    bob.is_offered()
    bob.agrees(media.recorded("add_video_by_callee", 1).answer.replace("m=video 9 ", "m=video 0 "))
    story.hears(al, "content-reject")
    over(story, leg)
