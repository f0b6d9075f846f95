"""Conversations (Android), 2.12.8 as its source has it, and the newer line (2.13+) as its derivatives have it.

What to know: any IQ error or timeout ends its call without a word to us; messages that are not addressed to its full JID do not
exist for it; a session is (full JID, sid); 2.12 rings at the receipt, the newer line at `<ringing/>`; `<finish/>` is 2.13+.
"""

from __future__ import annotations

import base64
import secrets

from jinglebridge.demo.peer.names import CLIENT, ICE_UDP, JINGLE, RECEIPTS, RTP, STANZAS

from . import media
from .base import Leg
from .conversations_changes import Changes, Refusal
from .words import Heard, bare, el, jmi, message, q, receipt, said

DEVICE = "http://gultsch.de/xmpp/drafts/omemo/dlts-srtp-verification"
CONNECTIVITY = ("service-unavailable", "recipient-unavailable", "remote-server-not-found", "remote-server-timeout")
# Actions that it knows, by the states in which they are legal; anything it does not know at all is acked and ignored.
LEGAL = {
    "session-initiate": {"proceeded", "none"},
    "session-accept": {"initiated"},
    "session-terminate": {"initiated", "accepted"},
    "transport-info": {"proceeded", "initiated", "accepted"},
    "content-add": {"accepted"},
    "content-accept": {"accepted"},
    "content-reject": {"accepted"},
    "content-remove": {"accepted"},
}
REASONS = {"success": "ended", "decline": "declined", "busy": "declined", "cancel": "missed", "timeout": "missed"}
REASONS |= {"security-error": "security error", "failed-application": "app error", "unsupported-applications": "app error"}


class Conversations(Changes):
    """2.12.8."""

    node = "https://conversations.im"
    identity = ("client", "phone", "Conversations")
    features = (
        "urn:xmpp:jingle:1", "urn:xmpp:jingle:transports:ice-udp:1", "urn:xmpp:jingle:apps:rtp:1", "urn:xmpp:jingle:apps:rtp:audio",
        "urn:xmpp:jingle:apps:rtp:video", "urn:xmpp:jingle:apps:dtls:0", "urn:xmpp:jingle-message:0", "urn:xmpp:receipts",
        "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/caps",
    )  # fmt: skip
    newer = False

    # --- its user

    def proposes(self, *what: str, to: str, sid: str = "") -> Leg:
        """16 random bytes in base64 without padding; in 2.12 with '/' and '+', which these always have."""
        if not sid:
            raw = b"\xff\xef\xbe" + secrets.token_bytes(13)
            sid = (base64.urlsafe_b64encode if self.newer else base64.b64encode)(raw).decode().rstrip("=")
            assert self.newer or ("/" in sid and "+" in sid)
        leg = self.legs[sid] = Leg(sid, True, what, other=bare(to))
        descriptions = [el(RTP, "description", {"media": name}) for name in what]
        self.sends(message(bare(to), jmi("propose", sid, *descriptions), el(RECEIPTS, "request"), id=f"jm-propose-{sid}"))
        return leg

    def answers(self, *, omemo: bool = False) -> None:
        """Its user accepts: its other devices hear `accept`, the caller `proceed`, with `<device/>` in a chat with OMEMO."""
        leg = self.leg
        assert leg.state == "ringing", leg
        leg.state = "proceeded"
        self.sends(message(self.jid, jmi("accept", leg.sid)))
        device = [el(DEVICE, "device", {"id": "4711"})] if omemo else []
        self.sends(message(leg.other, jmi("proceed", leg.sid, *device), id=f"jm-proceed-{leg.sid}"))

    def rejects(self) -> None:
        """Also after its own proceed, and when 30 s of ringing are over."""
        leg = self.leg
        assert leg.state in ("ringing", "proceeded"), leg
        self.sends(message(leg.other, jmi("reject", leg.sid)))
        self.ends(leg, "declined by its user")

    def hangs_up(self) -> None:
        """A retract before there is a session (to the bare JID before the proceed, to the full one after), else a terminate."""
        leg = self.leg
        if leg.state in ("proposed", "ringing there", "proceed came"):
            self.sends(message(leg.other, jmi("retract", leg.sid, el(RTP, "description"))))
            self.ends(leg, "cancelled by its user")
        else:
            self.terminates(leg, "cancel" if leg.state == "initiated" and leg.caller else "success")

    def terminates(self, leg: Leg, reason: str) -> None:
        """Newer ones say `finish` beside it."""
        self.asks("session-terminate", leg, *said(reason))
        self.ends(leg, f"terminated: {reason}")
        if self.newer and leg.jmi:
            self.sends(message(leg.other, jmi("finish", leg.sid, *said(reason))))

    def rings_directly(self, *what: str, to: str) -> Leg:
        """Without XEP-0353: a session-initiate to a full JID."""
        leg = Leg(secrets.token_urlsafe(16), True, what, other=to, state="proceed came", jmi=False)
        self.legs[leg.sid] = leg
        self._initiate(leg)
        return leg

    # --- messages; those that are not for its full JID are not there

    def _mine(self, heard: Heard, *states: str) -> Leg | None:
        leg = self.own_leg(heard)
        if heard.stanza.get("to") != self.full:
            self.blames.append(f"<{heard.what}> was addressed to {heard.stanza.get('to')}: not heard")
            return None
        return leg if leg is not None and leg.state in states else None

    def on_propose(self, heard: Heard) -> None:
        assert heard.payload is not None
        found = tuple(d.get("media", "") for d in heard.payload.findall(q(RTP, "description")))
        ours = next((g for g in self.legs.values() if g.caller and g.state in ("proposed", "ringing there")
                     and bare(g.other) == bare(heard.sender) and sorted(g.media) == sorted(found)), None)  # fmt: skip
        if ours is not None:
            if (ours.sid, self.jid) < (heard.sid, bare(heard.sender)):
                return  # ours goes on; theirs is not even answered
            self.sends(message(ours.other, jmi("retract", ours.sid, el(RTP, "description"))))
            self.ends(ours, "lost the tie")
        if set(found) - {"audio", "video"} or not found:
            return
        if any(leg.state != "ended" for leg in self.legs.values()):
            self.sends(message(heard.sender, jmi("reject", heard.sid)))  # busy, and nobody else could take it
            return
        self.legs[heard.sid] = Leg(heard.sid, False, found, other=heard.sender, state="ringing")
        if heard.stanza.find(q(RECEIPTS, "request")) is not None:
            self.sends(receipt(heard.sender, heard.stanza.get("id", "")))
        if self.newer:
            self.sends(message(heard.sender, jmi("ringing", heard.sid)))

    def on_received(self, heard: Heard) -> None:
        """2.12 shows "ringing" now."""
        assert heard.payload is not None
        leg = self.legs.get(heard.payload.get("id", "").removeprefix("jm-propose-"))
        if leg is not None and leg.state == "proposed":
            leg.state = "ringing there"

    def on_ringing(self, heard: Heard) -> None:
        leg = self._mine(heard, "proposed") if self.newer else None
        if leg is not None:
            leg.state = "ringing there"

    def on_proceed(self, heard: Heard) -> None:
        leg = self._mine(heard, "proposed", "ringing there")
        if leg is None or not leg.caller:
            error = el(CLIENT, "error", {"type": "cancel", "code": "404"}, el(STANZAS, "item-not-found"))
            self.sends(el(CLIENT, "message", {"type": "error", "to": heard.sender, "id": heard.stanza.get("id", "")}, error))
            return
        leg.other, leg.state = heard.sender, "proceed came"
        if self.initiates:
            self._initiate(leg)

    def on_reject(self, heard: Heard) -> None:
        leg = self._mine(heard, "proposed", "ringing there", "proceed came", "initiated")
        if leg is not None and leg.caller:
            self.ends(leg, "declined")

    def on_retract(self, heard: Heard) -> None:
        leg = self.own_leg(heard)
        if leg is not None and not leg.caller and leg.state in ("ringing", "proceeded") and heard.sender == leg.other:
            self.ends(leg, "missed")

    def on_finish(self, heard: Heard) -> None:
        leg = self._mine(heard, "accepted", "initiated") if self.newer else None
        if leg is not None:
            self.ends(leg, "finished")

    def on_accept(self, heard: Heard) -> None:
        """From another device of its user: answered there."""
        leg = self.legs.get(heard.sid)
        if leg is not None and leg.state == "ringing" and bare(heard.sender) == self.jid and heard.sender != self.full:
            self.ends(leg, "answered elsewhere")

    def on_bounce(self, heard: Heard) -> None:
        leg = self.legs.get(heard.stanza.get("id", "").removeprefix("jm-propose-"))
        if leg is not None:
            self.ends(leg, "failed")

    # --- the session

    def _initiate(self, leg: Leg) -> None:
        found = self.describes(leg, "offer")
        leg.state = "initiated"
        self.asks("session-initiate", leg, media.group(found), *found, initiator=self.full)
        self.trickle(leg)

    def answered(self, leg: Leg, action: str, error: tuple[str, ...]) -> None:
        """Any error or timeout is the end, and nobody is told."""
        if not error or leg.state == "ended":
            return
        if "tie-break" in error and action in ("content-add", "transport-info"):
            leg.state = "accepted"
            return
        cause = "connectivity" if error[0] in CONNECTIVITY or error[0] == "timeout" else "application"
        self.ends(leg, f"{cause} failure: {action} was answered with {' '.join(error)}")

    def on_other(self, heard: Heard) -> None:
        """Actions that it does not know are acknowledged, in a session that it knows."""
        if heard.payload is not None and heard.payload.tag == q(JINGLE, "jingle"):
            leg = self.legs.get(heard.sid)
            if leg is None or leg.other != heard.sender or leg.state == "ended":
                self.refuses(heard.stanza, "cancel", "item-not-found", "unknown-session")
                return
        super().on_other(heard)

    def _legal(self, heard: Heard) -> Leg | None:
        """The leg of a Jingle action; what is illegal is answered and may be the end of the session."""
        leg = self.legs.get(heard.sid)
        if leg is None or leg.other != heard.sender:
            self.refuses(heard.stanza, "cancel", "item-not-found", "unknown-session")
            return None
        if leg.state == "ended" and heard.what == "transport-info":
            self.acks(heard.stanza)
            return None
        if leg.state == "ended":
            self.refuses(heard.stanza, "cancel", "item-not-found", "unknown-session")
            return None
        if leg.state not in LEGAL[heard.what]:
            self.refuses(heard.stanza, "wait", "unexpected-request", "out-of-order")
            self.blames.append(f"{heard.what} while {leg.state}: the session dies")
            self.ends(leg, "out of order")
            return None
        return leg

    def checks(self, leg: Leg, heard: Heard, *, offer: bool) -> None:
        """Raises Refusal."""
        found = heard.contents
        if not found or len({c.get("name") for c in found}) != len(found):
            raise Refusal("failed-application")
        for content in found:
            description, transport = content.find(q(RTP, "description")), content.find(q(ICE_UDP, "transport"))
            if description is None or not description.get("media"):
                raise Refusal("failed-application")
            if transport is None:
                raise Refusal("unsupported-transports")
            parameters = [p.findall(q(RTP, "parameter")) for p in description.findall(q(RTP, "payload-type"))]
            for group in parameters:
                for parameter in group:
                    if not parameter.get("value") or " " in parameter.get("value", "") or (len(group) > 1 and not parameter.get("name")):
                        raise Refusal("failed-application")
            setup = media.setup_of(content)
            if setup not in (("actpass",) if offer else ("active", "passive")):
                raise Refusal("security-error")
            if not transport.get("ufrag") or not transport.get("pwd"):
                raise Refusal("failed-application")

    def _refuse(self, leg: Leg, refusal: Refusal) -> None:
        self.blames.append(f"{refusal} for a description")
        self.terminates(leg, str(refusal))

    def on_session_initiate(self, heard: Heard) -> None:
        if heard.sid not in self.legs:
            self._direct(heard)
            return
        leg = self._legal(heard)
        if leg is None:
            return
        if media.media_of(heard.contents) != sorted(leg.media):
            self._refuse(leg, Refusal("security-error"))  # without an ack
            return
        self.acks(heard.stanza)
        try:
            self.checks(leg, heard, offer=True)
        except Refusal as refusal:
            self._refuse(leg, refusal)
            return
        leg.theirs, leg.state = heard.contents, "accepted"
        self._accept(leg)

    def _direct(self, heard: Heard) -> None:
        """Nobody proposed it: it rings."""
        found = tuple(media.media_of(heard.contents))
        leg = self.legs[heard.sid] = Leg(heard.sid, False, found, other=heard.sender, state="initiated", jmi=False)
        leg.theirs = heard.contents
        self.acks(heard.stanza)

    def answers_directly(self) -> None:
        leg = self.leg
        leg.state = "accepted"
        self._accept(leg)

    def _accept(self, leg: Leg) -> None:
        found = self.describes(leg, "answer")
        self.asks("session-accept", leg, media.group(found), *found, responder=self.full)
        self.trickle(leg)

    def on_session_accept(self, heard: Heard) -> None:
        leg = self._legal(heard)
        if leg is None:
            return
        self.acks(heard.stanza)
        try:
            if media.media_of(heard.contents) != sorted(leg.media):
                raise Refusal("security-error")
            self.checks(leg, heard, offer=False)
        except Refusal as refusal:
            self._refuse(leg, refusal)
            return
        leg.theirs, leg.state = heard.contents, "accepted"

    def on_session_terminate(self, heard: Heard) -> None:
        leg = self._legal(heard)
        if leg is not None:
            self.acks(heard.stanza)
            self.ends(leg, REASONS.get(heard.reason or "", "connectivity error"))


class NewConversations(Conversations):
    """2.13+: `ringing` and `finish`, sids that fit into a URL."""

    newer = True
    features = (*Conversations.features, "urn:ietf:rfc:5888", "urn:ietf:rfc:5576")
