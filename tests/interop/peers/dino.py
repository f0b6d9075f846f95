"""Dino 0.4.2, for what the real program cannot be made to do in a test: its refusals, and what it would say if something went wrong.

What it does in plain calls is tested with Dino itself, and with the contact of the demo in its shape.
"""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET

from jinglebridge.demo.peer.names import RTP, RTP_INFO

from . import media
from .base import Leg, Peer
from .words import Heard, bare, el, jmi, local, message, namespace, q, said

LIVE = ("proposed", "initiated", "ringing", "proceeded", "accepted")


class Dino(Peer):
    node = "https://dino.im"
    identity = ("client", "pc", "Dino")
    features = (
        "urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:rtp:1", "urn:xmpp:jingle:apps:rtp:audio", "urn:xmpp:jingle:apps:rtp:video",
        "urn:xmpp:jingle:transports:ice-udp:1", "urn:xmpp:jingle:apps:dtls:0", "urn:xmpp:jingle-message:0", "urn:xmpp:jingle:muji:0",
        "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/caps",
    )  # fmt: skip

    # --- its user

    def proposes(self, *what: str, to: str, sid: str = "") -> Leg:
        leg = Leg(sid or str(uuid.uuid4()), True, what, other=bare(to))
        self.legs[leg.sid] = leg
        descriptions = [el(RTP, "description", {"media": name}) for name in what]
        self.sends(message(bare(to), jmi("propose", leg.sid, *descriptions), hint=False))
        return leg

    def answers(self) -> None:
        """`accept` to its own bare JID, `proceed` to the proposer."""
        assert self.leg.state == "ringing", self.leg
        self.leg.state = "proceeded"
        self.sends(message(self.jid, jmi("accept", self.leg.sid), hint=False))
        self.sends(message(self.leg.other, jmi("proceed", self.leg.sid), hint=False))

    def terminates(self, reason: str) -> None:
        """Never a finish; two of its reasons are spelt with an underscore."""
        self.asks("session-terminate", self.leg, *said(reason))
        self.ends(self.leg, reason)

    # --- messages

    def on_propose(self, heard: Heard) -> None:
        """It rings, and tells nobody."""
        assert heard.payload is not None
        found = tuple(d.get("media", "") for d in heard.payload.findall(q(RTP, "description")))
        self.legs[heard.sid] = Leg(heard.sid, False, found, other=heard.sender, state="ringing")

    def on_proceed(self, heard: Heard) -> None:
        leg = self.own_leg(heard)
        if leg is None or leg.state != "proposed":
            return
        leg.other, leg.state = heard.sender, "initiated"
        self.asks("session-initiate", leg, *self.with_candidates(leg, "offer"), initiator=self.full)

    def with_candidates(self, leg: Leg, kind: str) -> list[ET.Element]:
        """Everything in one stanza; no group."""
        found = self.describes(leg, kind)
        for name, attributes in leg.candidates:
            transport = next(media.transport_of(c) for c in found if c.get("name") == name)
            transport.append(el(transport.tag[1:].partition("}")[0], "candidate", attributes))
        leg.candidates = []
        return found

    def _over(self, heard: Heard) -> None:
        leg = self.own_leg(heard)
        if leg is not None and leg.state in LIVE:
            self.ends(leg, f"{heard.what}: {heard.reason}")

    on_reject = on_retract = _over

    # --- the session

    def _live(self, heard: Heard) -> Leg | None:
        leg = self.legs.get(heard.sid)
        if leg is None or leg.other != heard.sender or leg.state not in LIVE:
            self.refuses(heard.stanza, "cancel", "item-not-found", "unknown-session")
            return None
        return leg

    def on_session_initiate(self, heard: Heard) -> None:
        leg = self._live(heard)
        if leg is None or leg.state != "proceeded":
            return
        self.acks(heard.stanza)
        leg.theirs, leg.state = heard.contents, "accepted"
        self.asks("session-accept", leg, *self.with_candidates(leg, "answer"))

    def on_session_accept(self, heard: Heard) -> None:
        leg = self._live(heard)
        if leg is not None:
            self.acks(heard.stanza)
            leg.theirs, leg.state = heard.contents, "accepted"

    def on_transport_info(self, heard: Heard) -> None:
        """Exactly one content; credentials are set once for each stream."""
        leg = self._live(heard)
        if leg is None:
            return
        if len(heard.contents) != 1:
            self.refuses(heard.stanza, "modify", "bad-request")
            self.blames.append(f"a transport-info with {len(heard.contents)} contents")
            return
        self.acks(heard.stanza)
        name, pair = next(iter(media.credentials(heard.contents).items()))
        if leg.theirs and leg.known().get(name) != pair:
            self.blames.append("a transport-info with other credentials: it cannot restart ICE")
        leg.heard += [(name, e) for e in heard.contents[0].iter() if local(e) == "candidate"]

    def on_session_info(self, heard: Heard) -> None:
        leg = self._live(heard)
        assert heard.payload is not None
        if leg is None:
            return
        if any(namespace(e) != RTP_INFO for e in heard.payload):
            self.refuses(heard.stanza, "cancel", "feature-not-implemented", "unsupported-info")
        else:
            self.acks(heard.stanza)

    def _not_implemented(self, heard: Heard) -> None:
        if self._live(heard) is not None:
            self.refuses(heard.stanza, "cancel", "feature-not-implemented")

    on_content_reject = on_content_remove = on_security_info = on_description_info = _not_implemented

    def on_content_modify(self, heard: Heard) -> None:
        """Its own parser does not know ``none``."""
        if self._live(heard) is None:
            return
        if any(c.get("senders") not in ("both", "initiator", "responder") for c in heard.contents):
            self.refuses(heard.stanza, "modify", "bad-request")
            self.blames.append("senders='none'")
        else:
            self.acks(heard.stanza)

    def on_content_add(self, heard: Heard) -> None:
        leg = self._live(heard)
        if leg is None:
            return
        if len(heard.contents) != 1:
            self.refuses(heard.stanza, "modify", "bad-request")
            self.blames.append(f"content-add of {len(heard.contents)} contents")
            return
        self.acks(heard.stanza)
        content = heard.contents[0]
        made = media.contents(media.recorded("add_video", 1).answer, leg.role)[1]
        made.set("name", content.get("name", ""))
        made.set("creator", content.get("creator", ""))
        leg.theirs, leg.own = [*leg.theirs, content], [*leg.own, made]
        self.asks("content-accept", leg, made)

    def adds_video(self, name: str) -> None:
        """`creator` is "initiator" even when it is the responder."""
        leg = self.leg
        made = media.contents(media.recorded("add_video", 1).offer, leg.role)[1]
        made.set("name", name)
        leg.own.append(made)
        self.asks("content-add", leg, made)

    def on_session_terminate(self, heard: Heard) -> None:
        leg = self._live(heard)
        if leg is not None:
            self.acks(heard.stanza)
            self.ends(leg, f"terminated: {heard.reason}")
