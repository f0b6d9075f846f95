"""What Conversations does in a call that is up: ICE restarts in its own dialect, and a video that comes later.

A transport-info with new credentials and no candidate is the offer of an ICE restart, always; one with a candidate is the answer to its
own. It sends no empty answer itself: after the acknowledgement its candidates carry its new credentials, in the first content, since
one transport carries the bundle. A video is added to a call of audio with an empty transport: the credentials are those of the bundle.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from jinglebridge.demo.peer.names import ICE_UDP, JINGLE, RTP

from . import media
from .base import Leg, Peer
from .words import Heard, el, q


class Refusal(Exception):
    """A description that it does not take; the argument is the Jingle reason."""


class Changes(Peer):
    takes_video = True  # will its user agree to a content-add

    def _legal(self, heard: Heard) -> Leg | None:
        raise NotImplementedError

    def _refuse(self, leg: Leg, refusal: Refusal) -> None:
        raise NotImplementedError

    def on_transport_info(self, heard: Heard) -> None:
        """Candidates; or, with credentials that are new and no candidate, an ICE restart. One that it sent itself is answered alike."""
        leg = self._legal(heard)
        if leg is None:
            return
        found = media.credentials(heard.contents)
        known = leg.known()
        if known and any(found[name] != known.get(name) for name in found):
            self._restart(leg, heard, found)
            return
        self.acks(heard.stanza)
        self._keep(leg, heard)

    def _keep(self, leg: Leg, heard: Heard) -> None:
        for content in heard.contents:
            leg.heard += [(content.get("name", ""), c) for c in content.iter(q(ICE_UDP, "candidate"))]

    # --- an ICE restart, and a video that comes later

    restarting = False

    def restarts_ice(self) -> dict[str, str]:
        """New credentials for all contents, and nothing else: an offer. What it sends now."""
        self.restarting, fresh = True, media.new_credentials()
        self._with(self.leg, fresh)
        self.asks("transport-info", self.leg, *(self.transport(self.leg, c.get("name", "")) for c in self.leg.own))
        return fresh

    def _with(self, leg: Leg, fresh: dict[str, str]) -> None:
        for content in leg.own:
            media.transport_of(content).attrib.update(fresh)

    def _restart(self, leg: Leg, heard: Heard, found: dict[str, tuple[str, str]]) -> None:
        offer = next(heard.stanza.iter(q(ICE_UDP, "candidate")), None) is None
        if offer and self.restarting:
            if self._acked(leg):
                self.blames.append("new credentials without a candidate while it waits for an answer: taken for an offer")
            if leg.caller:
                self.refuses(heard.stanza, "cancel", "conflict", "tie-break")
                return
        self.acks(heard.stanza)
        if not offer and not self.restarting:
            self._refuse(leg, Refusal("failed-application"))  # an answer in the stable state
            return
        (ufrag, pwd), *others = set(found.values())
        if others:
            self.blames.append("an ICE restart with different credentials in its contents")
        for content in leg.theirs:
            media.transport_of(content).attrib.update(ufrag=ufrag, pwd=pwd)
        self._keep(leg, heard)
        self.restarting = False
        if offer:
            self._answers_restart(leg)

    def _answers_restart(self, leg: Leg) -> None:
        self._with(leg, media.new_credentials())
        first = leg.own[0].get("name", "")
        for name, attributes in media.candidates(media.talk(leg.media, self.case).offer_candidates):
            if name == first:
                self.asks("transport-info", leg, self.transport(leg, first, [attributes | {"port": "50100"}]))

    def _acked(self, leg: Leg) -> bool:
        return not any(action == "transport-info" and sid == leg.sid for action, sid, _ in self._open.values())

    def adds_video(self, name: str = "1") -> None:
        """content-add with a stub transport: the bundle's credentials are used; the group lists all names."""
        leg = self.leg
        assert leg.state == "accepted" and leg.media == ("audio",), leg
        leg.own.append(self._stub(media.contents(media.recorded("add_video", 1).offer, leg.role)[1], leg.role, name))
        self.asks("content-add", leg, media.group(leg.own), leg.own[-1])

    def _stub(self, content: ET.Element, creator: str, name: str) -> ET.Element:
        description = content.find(q(RTP, "description"))
        assert description is not None
        found = {"creator": creator, "name": name, "senders": "both"}
        return el(JINGLE, "content", found, description, el(ICE_UDP, "transport"))

    def on_content_add(self, heard: Heard) -> None:
        """Only video, only to a call of audio; its user is asked."""
        leg = self._legal(heard)
        if leg is None:
            return
        found = heard.contents
        self.acks(heard.stanza)
        if {c.get("name") for c in found} & {c.get("name") for c in leg.theirs}:
            self._refuse(leg, Refusal("failed-application"))
            return
        wanted = media.media_of(found) == ["video"] and leg.media == ("audio",)
        name, creator = found[0].get("name", ""), found[0].get("creator", "")
        stub = self._stub(media.contents(media.recorded("add_video", 1).answer, leg.role)[1], creator, name)
        if not wanted or not self.takes_video:
            self.asks("content-reject", leg, stub)
            return
        leg.media, leg.own, leg.theirs = ("audio", "video"), [*leg.own, stub], [*leg.theirs, found[0]]
        self.asks("content-accept", leg, media.group(leg.own), stub)

    def on_content_accept(self, heard: Heard) -> None:
        leg = self._legal(heard)
        if leg is None:
            return
        self.acks(heard.stanza)
        if [c.get("name") for c in heard.contents] != [leg.own[-1].get("name")] or media.media_of(heard.contents) != ["video"]:
            self._refuse(leg, Refusal("failed-application"))
            return
        leg.media, leg.theirs = ("audio", "video"), [*leg.theirs, *heard.contents]

    def on_content_reject(self, heard: Heard) -> None:
        leg = self._legal(heard)
        if leg is not None:
            self.acks(heard.stanza)
            leg.own.pop()

    def on_content_remove(self, heard: Heard) -> None:
        """Only for a content-add that is not answered yet; ours always are."""
        leg = self._legal(heard)
        if leg is not None:
            self.acks(heard.stanza)
            self._refuse(leg, Refusal("failed-application"))
