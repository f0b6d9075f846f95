"""Plain calls with every client that cannot run here, through a real ejabberd and the real bridge. Quirks have files of their own.

`al` is the client's user, `bob` the person at the page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .peers.conversations import Conversations, NewConversations
from .peers.monal import Monal
from .peers.movim import Movim
from .peers.scenes import page_calls, page_rings, peer_calls, peer_rings
from .peers.story import Story

EACH = pytest.mark.parametrize("kind", [Conversations, NewConversations, Monal, Movim], ids=["2.12", "2.13", "monal", "movim"])
MEDIA = pytest.mark.parametrize("what", [("audio",), ("audio", "video")], ids=["audio", "video"])
Stage = Callable[..., Story[Any]]


@MEDIA
@EACH
def test_it_calls_and_the_page_hangs_up(stage: Stage, kind: type[Any], what: tuple[str, ...]) -> None:
    story = stage(kind)
    al, bob = story.peer, story.page
    leg = peer_calls(story, *what)
    bob.hangs_up()
    story.hears(al, "session-terminate", sender=bob.full, reason="success")
    story.hears(al, "finish", to=al.full, sender=bob.full, sid=leg.sid, reason="success")
    bob.ends("ended")
    story.closes()


@MEDIA
@EACH
def test_the_page_calls_and_it_hangs_up(stage: Stage, kind: type[Any], what: tuple[str, ...]) -> None:
    story = stage(kind)
    page_calls(story, *what)
    story.peer.hangs_up()
    story.hears(story.peer, "finish", reason="success")
    story.page.ends("ended")
    story.closes()


@EACH
def test_hang_ups_the_other_way_round(stage: Stage, kind: type[Any]) -> None:
    """The same two accounts, one call after the other."""
    story = stage(kind)
    peer_calls(story, "audio")
    story.peer.hangs_up()
    story.page.ends("ended")
    page_calls(story, "audio")
    story.page.hangs_up()
    story.hears(story.peer, "session-terminate", reason="success")
    story.closes()


@EACH
def test_declined_by_either(stage: Stage, kind: type[Any]) -> None:
    story = stage(kind)
    al, bob = story.peer, story.page
    for how in ({}, {"busy": True}):
        leg = peer_rings(story, "audio")
        bob.declines(**how)
        story.hears(al, "reject", to=al.full, sender=bob.full, sid=leg.sid, reason="busy")
        story.becomes(leg, "ended")
        bob.ends("busy" if how else "declined")
    page_rings(story, "audio", "video")
    al.rejects()
    bob.ends("busy" if kind is Monal else "declined")
    story.closes()


@EACH
def test_the_caller_gives_up(stage: Stage, kind: type[Any]) -> None:
    story = stage(kind)
    al, bob = story.peer, story.page
    peer_rings(story, "audio")
    al.hangs_up()
    bob.ends("cancelled")
    assert bob.hears("missed")["from"] == al.jid
    leg = page_rings(story, "audio")
    bob.hangs_up()
    story.hears(al, "retract", to=al.jid, sender=bob.full, sid=leg.sid, reason="cancel")
    bob.ends("cancelled")
    story.becomes(leg, "ended")
    story.closes()


@EACH
def test_the_caller_gives_up_between_proceed_and_session(stage: Stage, kind: type[Any]) -> None:
    """The page accepted, and the session-initiate never comes."""
    story = stage(kind)
    al, bob = story.peer, story.page
    al.initiates = False
    leg = peer_rings(story, "audio")
    bob.accepts()
    story.hears(al, "proceed", sid=leg.sid)
    al.hangs_up()
    bob.ends("cancelled", "ended")
    leg = peer_rings(story, "audio")
    bob.accepts()
    story.hears(al, "proceed", sid=leg.sid)
    bob.hangs_up()
    story.hears(al, "reject", to=al.full, sender=bob.full, sid=leg.sid)
    story.becomes(leg, "ended")
    story.closes()


@EACH
def test_stanzas_that_come_twice_or_late(stage: Stage, kind: type[Any]) -> None:
    story = stage(kind)
    al, bob = story.peer, story.page
    leg = peer_rings(story, "audio")
    story.again("propose")
    bob.hears_no("incoming")
    bob.accepts()
    story.again("propose")
    story.hears(al, "proceed", sid=leg.sid)
    bob.answers()
    story.becomes(leg, "accepted")
    story.page.hears("candidate", call=bob.call)
    assert story.again("session-initiate") == ("unexpected-request", "out-of-order")
    assert story.again("transport-info") == ()
    story.again("propose")
    bob.hears_no("incoming", "ended")
    al.hangs_up()
    bob.ends("ended")
    for action in ("session-terminate", "session-initiate", "transport-info"):
        assert story.again(action) == ("item-not-found", "unknown-session")
    story.again("propose")
    bob.hears_no("incoming", "missed")
    story.closes()


@EACH
def test_the_session_ends_by_a_lone_terminate(stage: Stage, kind: type[Any]) -> None:
    """Clients before XEP-0353 0.4 know no finish, and it may be lost."""
    story = stage(kind)
    al, bob = story.peer, story.page
    leg = peer_calls(story, "audio")
    al.asks("session-terminate", leg, *al.said("success"))
    al.ends(leg, "terminated")
    bob.ends("ended")
    story.hears(al, "finish", sid=leg.sid)
    story.closes()
