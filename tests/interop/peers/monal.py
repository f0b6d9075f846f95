"""Monal (iOS, macOS) as its source has it.

What to know: nothing happens without a propose, and a session-initiate that nobody proposed is not even answered; it needs `<ringing/>`;
results of IQs come late; session-info, content-* and description-info are never answered; only the first candidate of a
transport-info counts; its errors for candidates do not end its call; a second propose of the same contact is a migration.
"""

from __future__ import annotations

import asyncio
import uuid
import xml.etree.ElementTree as ET

from jinglebridge.demo.peer.names import ICE_UDP, JINGLE, JMI, RTP

from . import media
from .base import Leg, Peer
from .words import Heard, bare, el, jmi, message, q, said

LIVE = ("proposed", "ringing there", "proceed came", "ringing", "proceeded", "initiated", "accepted")


class Monal(Peer):
    node = "https://monal-im.org/"
    identity = ("client", "phone", "Monal")
    features = (
        "urn:xmpp:jingle-message:0", "urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:rtp:1", "urn:xmpp:jingle:apps:rtp:audio",
        "urn:xmpp:jingle:apps:rtp:video", "urn:xmpp:jingle:transports:ice-udp:1", "urn:xmpp:jingle:apps:dtls:0",
        "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0", "urn:xmpp:jingle:apps:rtp:rtcp-fb:0", "urn:ietf:rfc:5888", "urn:ietf:rfc:5576",
        "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/caps", "urn:xmpp:receipts",
    )  # fmt: skip
    discovery = 2.0  # seconds for a `ringing` to come; 30 in real life
    slow = 0.3  # seconds until it acknowledges a description
    grumpy = False  # True: no candidate pleases it
    silent_proposes = False  # True: its propose is on its way, and slower than everything else

    def __init__(self, *what: object) -> None:
        self._timers: list[asyncio.TimerHandle] = []
        super().__init__(*what)  # type: ignore[arg-type]

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        super().close()

    def _later(self, seconds: float, what: object, *arguments: object) -> None:
        self._timers.append(self.loop.call_later(seconds, what, *arguments))  # type: ignore[arg-type]

    # --- its user

    def proposes(self, *what: str, to: str, sid: str = "") -> Leg:
        leg = Leg(sid or str(uuid.uuid4()), True, what, other=bare(to))
        self.legs[leg.sid] = leg
        if not self.silent_proposes:
            self.says_propose(leg)
        self._later(self.discovery, self._nobody_rings, leg)
        return leg

    def says_propose(self, leg: Leg) -> None:
        descriptions = [el(RTP, "description", {"media": name}) for name in sorted(leg.media)]
        self.sends(message(bare(leg.other), jmi("propose", leg.sid, *descriptions)))

    def _nobody_rings(self, leg: Leg) -> None:
        if leg.state == "proposed":
            self.blames.append("no <ringing/> in time: the call is given up")
            self.hangs_up(leg)

    def answers(self) -> None:
        assert self.leg.state == "ringing", self.leg
        self.leg.state = "proceeded"
        self.sends(message(self.leg.other, jmi("proceed", self.leg.sid)))

    def rejects(self) -> None:
        assert self.leg.state == "ringing", self.leg
        self.sends(message(self.leg.other, jmi("reject", self.leg.sid, *said("busy"))))
        self.ends(self.leg, "declined by its user")

    def hangs_up(self, leg: Leg | None = None, reason: str = "success") -> None:
        """Before a session a retract; in one a terminate and a finish."""
        leg = leg or self.leg
        if leg.state in ("proposed", "ringing there", "proceed came"):
            self.sends(message(leg.other, jmi("retract", leg.sid, *said("cancel"))))
        else:
            self.asks("session-terminate", leg, *said(reason))
            self._finish(leg, reason)
        self.ends(leg, f"ended by its user: {reason}")

    def finishes(self, reason: str = "success") -> None:
        """The finish alone, as when the terminate is lost."""
        self._finish(self.leg, reason)
        self.ends(self.leg, f"finished: {reason}")

    def _finish(self, leg: Leg, reason: str) -> None:
        self.sends(message(leg.other, jmi("finish", leg.sid, *said(reason))))

    # --- messages

    def on_propose(self, heard: Heard) -> None:
        assert heard.payload is not None
        found = tuple(d.get("media", "") for d in heard.payload.findall(q(RTP, "description")))
        if "audio" not in found:
            self.blames.append("a propose without audio: not heard")
            return
        live = next((g for g in self.legs.values() if g.state in LIVE and bare(g.other) == bare(heard.sender)), None)
        leg = Leg(heard.sid, False, found, other=heard.sender, state="ringing")
        if live is not None and live.state in ("proposed", "ringing there"):
            tie = el(JMI, "tie-break")
            if live.sid.encode() < heard.sid.encode():
                self.sends(message(heard.sender, jmi("reject", heard.sid, *said("expired"), tie)))
                return
            self.sends(message(live.other, jmi("retract", live.sid, *said("expired"), tie)))
            self.ends(live, "lost the tie")
            live = None
        if live is not None and sorted(live.media) != sorted(found):
            self.sends(message(heard.sender, jmi("reject", heard.sid, *said("busy"))))
            return
        self.legs[heard.sid] = leg
        if live is not None:  # the same contact, the same media: the call moves
            moved = el(JINGLE, "migrated", {"to": heard.sid})  # in the wrong namespace, as it does
            self.sends(message(live.other, jmi("finish", live.sid, *said("expired"), moved)))
            self.ends(live, "migrated")
        self.sends(message(heard.sender, jmi("ringing", heard.sid)))
        if live is not None:
            self.answers()

    def on_ringing(self, heard: Heard) -> None:
        leg = self.own_leg(heard)
        if leg is not None and leg.state == "proposed" and heard.stanza.get("to") == self.full:
            leg.state = "ringing there"

    def on_proceed(self, heard: Heard) -> None:
        leg = self.own_leg(heard)
        if leg is None or leg.state not in ("proposed", "ringing there"):
            return
        leg.other, leg.state = heard.sender, "proceed came"
        if not self.initiates:
            return
        leg.state = "initiated"
        found = self.describes(leg, "offer")
        self.asks("session-initiate", leg, media.group(found), *found)

    def on_reject(self, heard: Heard) -> None:
        leg = self.own_leg(heard)
        if leg is not None and leg.caller and leg.state in LIVE:
            self.ends(leg, f"rejected: {heard.reason}")

    def on_retract(self, heard: Heard) -> None:
        leg = self.own_leg(heard)
        if leg is not None and not leg.caller and leg.state in LIVE:
            self.ends(leg, "retracted")

    def on_finish(self, heard: Heard) -> None:
        leg = self.own_leg(heard)
        if leg is not None and leg.state in LIVE:
            self.ends(leg, f"finished: {heard.reason}")

    # --- the session

    def _live(self, heard: Heard) -> Leg | None:
        leg = self.legs.get(heard.sid)
        return leg if leg is not None and leg.other == heard.sender and leg.state in LIVE else None

    def on_session_initiate(self, heard: Heard) -> None:
        """Without a propose it does not exist. A second one is a conflict."""
        leg = self._live(heard)
        if leg is None or leg.caller:
            self.blames.append("a session-initiate that nobody proposed: dropped without a reply")
            return
        if leg.theirs:
            self.refuses(heard.stanza, "cancel", "conflict")
            return
        if "video" in media.media_of(heard.contents) and "video" not in leg.media:
            self.blames.append("video that was not proposed")
            self.asks("session-terminate", leg, *said("security-error"))
            self._finish(leg, "security-error")
            self.ends(leg, "security error")
            return
        self._described(leg, heard)
        self._later(self.slow, self._accept, leg)

    def _accept(self, leg: Leg) -> None:
        if leg.state == "accepted":
            found = self.describes(leg, "answer")
            self.asks("session-accept", leg, media.group(found), *found)
            self.trickle(leg)

    def on_session_accept(self, heard: Heard) -> None:
        leg = self._live(heard)
        if leg is None or leg.theirs:
            self.refuses(heard.stanza, "cancel", "conflict" if leg is not None else "item-not-found")
            return
        self._described(leg, heard)
        self._later(self.slow, self.trickle, leg)

    def _described(self, leg: Leg, heard: Heard) -> None:
        leg.theirs, leg.state = heard.contents, "accepted"
        if any(media.setup_of(c) not in (("active", "passive") if leg.caller else ("actpass",)) for c in leg.theirs):
            self.blames.append(f"setup {[media.setup_of(c) for c in leg.theirs]}")
        self._later(self.slow, self.acks, heard.stanza)

    def on_transport_info(self, heard: Heard) -> None:
        """Its errors do not end its call."""
        leg = self._live(heard)
        if leg is None:
            self.refuses(heard.stanza, "cancel", "item-not-found", "unknown-session")
            return
        content = heard.contents[0]
        transport = media.transport_of(content)
        if self.grumpy:
            kinds = (("auth", "not-authorized"), ("modify", "bad-request"))
            self.refuses(heard.stanza, *kinds[len(self.inbox) % 2])
        elif not transport.get("ufrag") or not transport.get("pwd"):
            self.refuses(heard.stanza, "auth", "not-authorized")
            self.blames.append("a transport-info without ufrag or pwd: the candidate is lost")
        elif leg.theirs and leg.known().get(content.get("name", "")) != (transport.get("ufrag"), transport.get("pwd")):
            self.refuses(heard.stanza, "auth", "not-authorized")
            self.blames.append("a transport-info with other credentials: the candidate is lost")
        else:
            first = next(iter(transport), None)
            if first is None or first.tag != q(ICE_UDP, "candidate") or first.get("protocol", "").lower() != "udp":
                self.refuses(heard.stanza, "modify", "bad-request")
                self.blames.append("a transport-info that does not begin with a UDP candidate")
                return
            leg.heard.append((content.get("name", ""), first))  # the others are not read
            self.acks(heard.stanza)

    def on_session_terminate(self, heard: Heard) -> None:
        leg = self._live(heard)
        self.acks(heard.stanza)
        if leg is not None:
            self.ends(leg, f"finished: {heard.reason}")

    def _never(self, heard: Heard) -> None:
        """Not an error, not a result."""

    on_session_info = on_content_add = on_content_accept = on_content_reject = _never
    on_content_modify = on_content_remove = on_description_info = on_security_info = _never

    def transport(self, leg: Leg, name: str, candidates: object = (), **other: str) -> ET.Element:
        """``rel_port`` instead of ``rel-port``."""
        content = super().transport(leg, name, candidates, **other)  # type: ignore[arg-type]
        for candidate in content.iter(q(ICE_UDP, "candidate")):
            if "rel-port" in candidate.attrib:
                candidate.set("rel_port", candidate.attrib.pop("rel-port"))
        return content
