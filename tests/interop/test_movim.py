"""The quirks of Movim. Plain calls with it are in `test_peers`, timeouts in `test_peers_time`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .peers.movim import Movim
from .peers.scenes import page_calls, page_rings, peer_calls
from .peers.story import Story

Stage = Callable[..., Story[Any]]


def test_video_comes_first_and_the_initiator_is_a_bare_jid(stage: Stage) -> None:
    """The page's sections have its order; who `initiator` names is not looked at."""
    story = stage(Movim)
    al, bob = story.peer, story.page
    leg = peer_calls(story, "audio", "video")
    assert leg.media == ("video", "audio") == bob.media
    assert al._last["session-initiate"][0].get("initiator") == al.jid
    al.hangs_up()
    bob.ends("ended")
    story.closes()


def test_its_answer_says_that_it_is_the_initiator(stage: Stage) -> None:
    story = stage(Movim)
    al, bob = story.peer, story.page
    leg = page_calls(story, "audio", "video")
    assert al._last["session-accept"][0].get("initiator") == al.jid
    bob.hangs_up()
    story.becomes(leg, "ended")
    story.closes()


def test_candidates_without_credentials_are_of_the_current_ones(stage: Stage) -> None:
    """It writes ufrag and pwd only when it has stored a pwd; `page_calls` and `peer_calls` see all of them arrive either way."""
    for has_pwd in (False, True):
        story = stage(Movim)
        story.peer.has_pwd = has_pwd
        leg = peer_calls(story, "audio")
        story.page.hangs_up()
        story.becomes(leg, "ended")
        story.closes()


def test_an_mdns_candidate_is_an_empty_transport(stage: Stage) -> None:
    """It cannot convert an address with '-': the transport-info that is left says nothing and is no ICE restart."""
    story = stage(Movim)
    al, bob = story.peer, story.page
    leg = peer_calls(story, "audio")
    al.has_pwd = True
    gone = {"component": "1", "foundation": "3", "ip": "1b2c3d4e-0000-4000-8000-000000000000.local", "port": "9", "priority": "1",
            "protocol": "udp", "type": "host", "generation": "0", "id": "x", "network": "0"}  # fmt: skip
    for has_pwd in (False, True):
        al.has_pwd = has_pwd
        al.asks("transport-info", leg, al.transport(leg, "0", [gone]))
        story.hears(al, "result")
    bob.hears_no("candidate", "description", "ended")
    bob.hangs_up()
    story.becomes(leg, "ended")
    story.closes()


def test_mute_has_the_mid_of_the_section(stage: Stage) -> None:
    story = stage(Movim)
    al, bob = story.peer, story.page
    peer_calls(story, "audio", "video")
    al.mutes("1")
    bob.hears("info", call=bob.call, info="mute", mid="1")
    al.mutes("1", off=True)
    bob.hears("info", call=bob.call, info="unmute", mid="1")
    bob.asks("info", call=bob.call, info="mute", mid="0")
    muted = story.hears(al, "session-info").payload
    assert muted is not None and muted[0].get("name") == "0"
    al.hangs_up()
    bob.ends("ended")
    story.closes()


def test_it_rejects_while_it_talks(stage: Stage) -> None:
    """Without a reason, and at once: no ringing."""
    story = stage(Movim)
    al, bob = story.peer, story.page
    talk = page_calls(story, "audio")
    other = story.another_page(bob.jid.partition("@")[0])
    other.calls(al.jid, "audio")
    other.ends("declined")
    bob.hears_no("ended")
    bob.hangs_up()
    story.becomes(talk, "ended")
    story.closes()


def test_its_page_is_reloaded(stage: Stage) -> None:
    story = stage(Movim)
    peer_calls(story, "audio")
    story.peer.reloads()
    story.page.ends("gone")
    story.closes()


def test_it_gives_up_with_words(stage: Stage) -> None:
    """Its retract has a reason with a text."""
    story = stage(Movim)
    al, bob = story.peer, story.page
    al.proposes("audio", to=bob.full)
    bob.rings("audio")
    al.hangs_up()
    bob.ends("cancelled")
    story.closes()


def test_it_is_called_without_hints_and_receipts(stage: Stage) -> None:
    """It asks for no receipt, so that none comes."""
    story = stage(Movim)
    al, bob = story.peer, story.page
    al.proposes("audio", "video", to=bob.full)
    bob.rings("audio", "video")
    story.hears_no(al, "received")
    bob.declines()
    page_rings(story, "audio")
    al.rejects()
    bob.hears("ended", reason="declined")
    story.closes()
