"""What happens in many stories, told once."""

from __future__ import annotations

from . import media
from .base import Leg, Peer
from .story import Story


def peer_rings(story: Story[Peer], *what: str) -> Leg:
    """The peer calls; the page rings and the peer hears so."""
    leg: Leg = story.peer.proposes(*what, to=story.page.full)  # type: ignore[attr-defined]
    story.page.rings(*what)
    story.hears(story.peer, "ringing", to=story.peer.full, sender=story.page.full, sid=leg.sid)
    return leg


def page_rings(story: Story[Peer], *what: str) -> Leg:
    """The page calls; the peer rings and the page hears so."""
    story.page.calls(story.peer.jid, *what)
    propose = story.hears(story.peer, "propose", to=story.peer.jid, sender=story.page.full)
    story.page.hears("state", call=story.page.call, state="proceeding")
    return story.peer.legs[propose.sid]


def peer_calls(story: Story[Peer], *what: str) -> Leg:
    """…and the page answers: the media is described both ways, and all candidates are there."""
    leg = peer_rings(story, *what)
    story.page.accepts()
    story.hears(story.peer, "proceed", to=story.peer.full, sender=story.page.full, sid=leg.sid)
    story.page.answers()
    media.same_media(story.page.remote, leg.own)
    story.hears(story.peer, "session-accept", sender=story.page.full, sid=leg.sid)
    story.becomes(leg, "accepted")
    trickled(story, leg)
    return leg


def page_calls(story: Story[Peer], *what: str) -> Leg:
    leg = page_rings(story, *what)
    story.peer.answers()  # type: ignore[attr-defined]
    story.hears(story.peer, "session-initiate", to=story.peer.full, sender=story.page.full, sid=leg.sid)
    story.page.gets_answer()
    media.same_media(story.page.remote, leg.own)
    story.becomes(leg, "accepted")
    trickled(story, leg)
    return leg


def as_recorded(story: Story[Peer], case: str) -> None:
    """Both write what was recorded in this scenario."""
    story.peer.case = story.page.case = case


def trickled(story: Story[Peer], leg: Leg) -> None:
    """Every candidate of each side reached the other, under the mid and the ufrag that it belongs to."""
    sent = story.page.trickles(answer=leg.caller)
    story.until(lambda: True if len(leg.heard) >= sent else None, f"the peer has {sent} candidates, not {len(leg.heard)}")
    assert len(leg.heard) == sent
    known = media.credentials(leg.own)
    offered = (
        media.talk(leg.media, story.page.case).offer_candidates if leg.caller else media.talk(leg.media, story.page.case).answer_candidates
    )
    came = [story.page.hears("candidate", call=story.page.call)["candidate"] for _ in range(len(offered) + 1)]
    assert [(c["sdpMid"], c["usernameFragment"]) for c in came] == [(c["sdpMid"], known[c["sdpMid"]][0]) for c in [*offered, came[-1]]]
    assert "198.51.100.7 49152 typ srflx raddr 192.0.2.2 rport 49376" in came[-1]["candidate"]
