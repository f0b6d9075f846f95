"""Movim (web) as its source has it: a browser's own WebRTC behind its own XML.

What to know: the initiator attribute is always its user's bare JID; video comes before audio; content-add and content-modify are answered
with a whole session-accept; changes may come as content-modify with descriptions; several candidates in one transport-info become
garbage; every Jingle IQ is acknowledged, even for calls that it does not know.
"""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET

from jinglebridge.demo.peer.names import ICE_UDP, RTP, RTP_INFO, SSMA

from . import media
from .base import Leg, Peer
from .words import Heard, bare, el, jmi, message, q, said

CATEGORY = "urn:xmpp:jingle:apps:category:0"
LIVE = ("proposed", "proceed came", "ringing", "proceeded", "initiated", "accepted")


class Movim(Peer):
    node = "https://movim.eu/"
    identity = ("client", "web", "Movim")
    features = (
        "urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:rtp:1", "urn:xmpp:jingle:apps:rtp:audio", "urn:xmpp:jingle:apps:rtp:video",
        "urn:xmpp:jingle:transports:ice-udp:1", "urn:xmpp:jingle:transports:ice-udp:0", "urn:xmpp:jingle:apps:dtls:0",
        "urn:xmpp:jingle-message:0", "urn:xmpp:jingle:muji:0", "urn:xmpp:call-invites:0", "urn:ietf:rfc:3264", "urn:ietf:rfc:5888",
        "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/caps",
    )  # fmt: skip
    has_pwd = False  # has it stored a password to write beside its candidates?

    def dialect(self, content: ET.Element) -> None:
        """fmtp without '=' is dropped, ssrc-group is not carried, ptime stands on the description."""
        description = content.find(q(RTP, "description"))
        assert description is not None
        for payload in description.findall(q(RTP, "payload-type")):
            for parameter in payload.findall(q(RTP, "parameter")):
                if not parameter.get("name"):
                    payload.remove(parameter)
        for ssrc_group in description.findall(q(SSMA, "ssrc-group")):
            description.remove(ssrc_group)
        if description.get("media") == "audio":
            description.set("ptime", "20")

    # --- its user

    def proposes(self, *what: str, to: str, sid: str = "") -> Leg:
        """Video first, then audio; no receipt is asked for."""
        leg = Leg(sid or str(uuid.uuid4()), True, tuple(sorted(what, reverse=True)), other=bare(to))
        self.legs[leg.sid] = leg
        descriptions = [el(RTP, "description", {"media": name}) for name in leg.media]
        self.sends(message(bare(to), jmi("propose", leg.sid, *descriptions), hint=False))
        return leg

    def answers(self) -> None:
        assert self.leg.state == "ringing", self.leg
        self.leg.state = "proceeded"
        self.sends(message(self.leg.other, jmi("proceed", self.leg.sid), hint=False))

    def rejects(self) -> None:
        assert self.leg.state == "ringing", self.leg
        self.sends(message(self.leg.other, jmi("reject", self.leg.sid), hint=False))
        self.ends(self.leg, "declined by its user")

    def hangs_up(self, reason: str = "success") -> None:
        leg = self.leg
        if leg.state in ("proposed", "proceed came"):
            self.sends(message(leg.other, jmi("retract", leg.sid, *said("cancel", "Retracted")), hint=False))
        else:
            self.asks("session-terminate", leg, *said(reason))
            self.sends(message(leg.other, jmi("finish", leg.sid, *said(reason)), hint=False))
        self.ends(leg, f"ended by its user: {reason}")

    def reloads(self) -> None:
        """The page is gone: a terminate with that reason, and then silence."""
        self.asks("session-terminate", self.leg, *said("gone"))
        self.ends(self.leg, "reloaded")

    def mutes(self, name: str, *, off: bool = False) -> None:
        self.asks("session-info", self.leg, el(RTP_INFO, "unmute" if off else "mute", {"name": name}))

    # --- messages

    def on_propose(self, heard: Heard) -> None:
        assert heard.payload is not None
        found = tuple(d.get("media", "") for d in heard.payload.findall(q(RTP, "description")))
        if any(leg.state in LIVE for leg in self.legs.values()):
            self.sends(message(heard.sender, jmi("reject", heard.sid), hint=False))
            return
        self.legs[heard.sid] = Leg(heard.sid, False, found, other=heard.sender, state="ringing")
        self.sends(message(heard.sender, jmi("ringing", heard.sid), hint=False))

    def on_ringing(self, heard: Heard) -> None:
        """Not handled."""

    def on_proceed(self, heard: Heard) -> None:
        leg = self.own_leg(heard)
        if leg is None or leg.state != "proposed":
            return
        leg.other, leg.state = heard.sender, "proceed came"
        if not self.initiates:
            return
        leg.state = "initiated"
        found = self.describes(leg, "offer")
        self.asks("session-initiate", leg, media.group(found), *found, initiator=self.jid, responder=leg.other)
        self.trickle(leg)

    def _over(self, heard: Heard) -> None:
        leg = self.own_leg(heard)
        if leg is not None and leg.state in LIVE:
            self.ends(leg, f"{heard.what}: {heard.reason}")

    on_reject = on_retract = on_finish = _over

    # --- the session; everything is acknowledged

    def on_session_initiate(self, heard: Heard) -> None:
        self.acks(heard.stanza)
        leg = self.own_leg(heard)
        if leg is not None and leg.state == "proceeded":
            leg.theirs, leg.state = heard.contents, "accepted"
            self._accept(leg, self.describes(leg, "answer"))
            self.trickle(leg)

    def _accept(self, leg: Leg, found: list[ET.Element]) -> None:
        """Whoever called, the initiator is itself."""
        self.asks("session-accept", leg, media.group(found), *found, initiator=self.jid, responder=leg.other)

    def on_session_accept(self, heard: Heard) -> None:
        self.acks(heard.stanza)
        leg = self.own_leg(heard)
        if leg is not None and leg.state in ("initiated", "accepted"):
            leg.theirs, leg.state = heard.contents, "accepted"

    def on_transport_info(self, heard: Heard) -> None:
        self.acks(heard.stanza)
        leg = self.own_leg(heard)
        found = [(c.get("name", ""), e) for c in heard.contents for e in c.iter(q(ICE_UDP, "candidate"))]
        if len(found) > 1:
            self.blames.append(f"{len(found)} candidates in one transport-info become one broken line")
        if leg is not None:
            leg.heard += found

    def _over_session(self, heard: Heard) -> None:
        self.acks(heard.stanza)
        self._over(heard)

    on_session_terminate = _over_session

    def _change(self, heard: Heard) -> None:
        """A content-add, or a content-modify with descriptions: the answer is a session-accept with everything."""
        self.acks(heard.stanza)
        leg = self.own_leg(heard)
        if leg is None or leg.state != "accepted":
            return
        for content in heard.contents:
            if content.find(q(RTP, "description")) is None:
                continue
            names = [c.get("name") for c in leg.theirs]
            if content.get("name") in names:
                leg.theirs[names.index(content.get("name"))] = content
            else:
                leg.theirs.append(content)
                leg.own.append(self._answer_to(leg, content))
        self._accept(leg, leg.own)

    on_content_add = on_content_modify = _change

    def _answer_to(self, leg: Leg, content: ET.Element) -> ET.Element:
        """A second or third section, on the transport that is there."""
        made = media.contents(media.recorded("add_video", 1).answer, leg.role, self.dialect)[1]
        made.set("name", content.get("name", ""))
        kept = media.transport_of(leg.own[0])
        made.remove(media.transport_of(made))
        made.append(kept)
        return made

    # --- changes of its own

    def shares_screen(self, name: str) -> None:
        """A new video content that says what it shows. The contents from the session on are its own from now on."""
        leg = self.leg
        made = media.contents(media.recorded("add_screen", 1).offer, leg.role, self.dialect)[-1]
        made.set("name", name)
        made.remove(media.transport_of(made))
        made.append(media.transport_of(leg.own[0]))
        description = made.find(q(RTP, "description"))
        assert description is not None
        description.append(el(CATEGORY, "category", {"name": "slides"}))
        leg.own.append(made)
        self.asks("content-add", leg, media.group(leg.own), made)

    def modifies(self, **senders: str) -> None:
        """A content-modify with whole contents; `senders` by content name, with an underscore before it."""
        leg = self.leg
        for content in leg.own:
            content.set("senders", senders.get("_" + content.get("name", ""), content.get("senders", "both")))
        self.asks("content-modify", leg, media.group(leg.own), *leg.own)

    def transport(self, leg: Leg, name: str, candidates: object = (), **other: str) -> ET.Element:
        """With ufrag and pwd only when it has stored a pwd; an address with '-' (mDNS) leaves an empty transport."""
        content = super().transport(leg, name, candidates, **other)  # type: ignore[arg-type]
        transport = media.transport_of(content)
        if not self.has_pwd and not other:
            transport.attrib.clear()
        for candidate in [c for c in transport if "-" in c.get("ip", "")]:
            transport.remove(candidate)
        return content
