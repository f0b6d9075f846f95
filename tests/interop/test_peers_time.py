"""What ends by itself: nobody answers, somebody vanishes. The calls of this file ring for a second.

What has no key in the configuration is long: the IQ timeout of the bridge (30 s) and a peer's absence (10 s).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .peers.conversations import Conversations, NewConversations
from .peers.monal import Monal
from .peers.movim import Movim
from .peers.scenes import page_rings, peer_calls, peer_rings
from .peers.story import Story

RING = 1.0
EACH = pytest.mark.parametrize("kind", [Conversations, NewConversations, Monal, Movim], ids=["2.12", "2.13", "monal", "movim"])
Stage = Callable[..., Story[Any]]


@EACH
def test_nobody_answers(stage: Stage, kind: type[Any]) -> None:
    """The page's call ends with a retract, that of the peer without a word: it retracts by its own clock."""
    story = stage(kind)
    al, bob = story.peer, story.page
    leg = page_rings(story, "audio")
    bob.ends("no-answer")
    story.hears(al, "retract", to=al.jid, sender=bob.full, sid=leg.sid)
    story.becomes(leg, "ended")
    peer_rings(story, "audio")
    bob.ends("no-answer")
    assert bob.hears("missed")["from"] == al.jid
    al.hangs_up()
    story.closes()


def test_conversations_stops_ringing_by_its_own_clock(stage: Stage) -> None:
    """Its reject and our retract cross; either is the end."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    page_rings(story, "audio")
    al.pauses()
    bob.ends("no-answer")
    al.rejects()
    al.resumes()
    story.hears(al, "retract")
    story.closes()


def test_a_direct_call_that_nobody_answers(stage: Stage) -> None:
    """Without XEP-0353 the end of the ringing is a session-terminate."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    leg = al.rings_directly("audio", to=bob.full)
    bob.rings("audio")
    story.hears(al, "session-info", sender=bob.full)
    bob.ends("no-answer")
    story.hears(al, "session-terminate", reason="timeout")
    story.becomes(leg, "ended")
    story.closes()


@pytest.mark.long
def test_the_peer_goes_offline_in_the_call(stage: Stage) -> None:
    """Presence unavailable of its full JID, and no word from the page that media still flows. J-044."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    leg = peer_calls(story, "audio")
    al.goes_offline()
    bob.ends("gone", within=15)
    story.hears(al, "session-terminate", sender=bob.full, sid=leg.sid, reason="gone")
    story.becomes(leg, "ended")
    story.closes()


def test_monal_does_not_hear_a_propose_without_audio(stage: Stage) -> None:
    """A page with a camera and no microphone: it is proposed as it is, Monal stays silent, and the call rings out."""
    story = stage(Monal)
    al, bob = story.peer, story.page
    story.judge.quiet_about.append("propose without audio")
    bob.calls(al.jid, "video")
    bob.ends("no-answer")
    story.hears(al, "retract", sender=bob.full)
    assert al.legs == {}
    story.closes(blames=("without audio",))


@pytest.mark.long
@pytest.mark.parametrize("what", ["session-initiate", "session-accept"])
def test_the_peer_never_acknowledges(stage: Stage, what: str) -> None:
    """The IQ timeout of the bridge."""
    story = stage(Conversations)
    al, bob = story.peer, story.page
    al.deaf = {what}
    if what == "session-initiate":
        leg = page_rings(story, "audio")
        al.answers()
    else:
        leg = peer_rings(story, "audio")
        bob.accepts()
        bob.answers()
    bob.ends("failed-ice", within=40)
    story.hears(al, "session-terminate", reason="connectivity-error")
    al.ends(leg, "over")
    story.judge.quiet_about.append("legal")
    story.closes(blames=("session-terminate while",))
