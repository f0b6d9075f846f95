"""Conversations 2.12 and its newer line call a web user and are called: the clients of `peers.conversations`, a real ejabberd, the real bridge."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from jinglebridge.demo.lab import Ejabberd

from .bridge import BridgeProcess
from .peers import media
from .peers.conversations import Conversations, NewConversations
from .peers.story import Story

BOTH = pytest.mark.parametrize("kind", [Conversations, NewConversations], ids=["2.12", "2.13"])
MEDIA = pytest.mark.parametrize("what", [("audio",), ("audio", "video")], ids=["audio", "video"])
Stage = Callable[..., Story[Conversations]]


@MEDIA
@BOTH
def test_it_calls_and_the_page_hangs_up(stage: Stage, kind: type[Conversations], what: tuple[str, ...]) -> None:
    story = stage(kind)
    al, bob = story.peer, story.page
    leg = al.proposes(*what, to=bob.full)
    bob.rings(*what)
    story.hears(al, "ringing", to=al.full, sender=bob.full, sid=leg.sid)
    story.hears(al, "received", to=al.full, sender=bob.full)
    bob.accepts()
    story.hears(al, "proceed", to=al.full, sender=bob.full, sid=leg.sid)
    bob.answers()
    media.same_media(bob.remote, leg.own)
    story.hears(al, "session-accept", sender=bob.full, sid=leg.sid)
    for _ in range(len(leg.own) * 2):
        bob.hears("candidate", call=bob.call)
    sent = bob.trickles(answer=True)
    story.until(lambda: True if len(leg.heard) == sent else None, "all candidates came")
    story.becomes(leg, "accepted")
    bob.hangs_up()
    story.hears(al, "session-terminate", sender=bob.full, reason="success")
    story.becomes(leg, "ended")
    bob.ends("ended")
    story.closes()
